"""The Beam part by itself: tasks go in, shards stand there, pairs of split and records come out."""

import json
from pathlib import Path

import pytest
from apache_beam import Create
from apache_beam.metrics import MetricsFilter
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from apache_beam.testing import test_pipeline
from apache_beam.testing.util import assert_that, equal_to

from preprocessing.dataset.example import decode_example
from preprocessing.dataset.tfrecord import read_records
from preprocessing.job.beam_job import NAMESPACE, MakeShards
from preprocessing.job.plan import make_plan, read_plan, write_plan
from preprocessing.job.publication import count_work, read_results
from preprocessing.job.workspace import Job, Workspace, prepare
from preprocessing.sources.class_folders import list_folder
from preprocessing.storage.files import LocalFiles
from tests.preprocessing.conversions import SMALL
from tests.preprocessing.drawn_images import write_class_folders, write_files


@pytest.fixture
def begun(tmp_path):
    """(folder, tasks) of a job of 17 images and one that is none, nothing made yet."""
    source = write_class_folders(tmp_path / "in")
    (source / "class0" / "0.jpg").unlink()
    write_files(source / "class0", {"none.jpg": b"no image"})
    files = LocalFiles()
    listing = list_folder(files, str(source), lambda count: None, 0, 0.2)
    plan = make_plan(listing, {"train": 4, "validation": 1}, 0)
    job = Job(SMALL, listing.classes, tuple(listing.containers))
    folder, _ = prepare(Workspace(files, str(tmp_path / "out")), job, {"seed": "0"}, False)
    write_plan(files, folder.plan, plan)
    return folder, plan.tasks


def make(folder, tasks, run, expected):
    """Runs the transform; returns Beam's counters."""
    pipeline = test_pipeline.TestPipeline(runner=FnApiRunner())
    made = pipeline | Create(tasks) | MakeShards(folder.output, folder.key, run)
    assert_that(made, equal_to(expected))
    result = pipeline.run()
    counters = result.metrics().query(MetricsFilter().with_namespace(NAMESPACE))["counters"]
    return {counter.key.metric.name: counter.committed for counter in counters}


def records(folder, task):
    with open(folder.shard(task.name), "rb") as file:
        return [decode_example(data) for data in read_records(file)]


def pairs(tasks, rejected=("none.jpg",), folder=None):
    """What the transform gives for tasks: worked out from the plan alone."""
    plans = [read_plan(folder.files, folder.plan, task) for task in tasks]
    return [
        (task.split, sum(ref.name not in rejected for ref in images))
        for task, images in zip(tasks, plans, strict=True)
    ]


def test_every_task_becomes_its_shard(begun):
    folder, tasks = begun
    expected = pairs(tasks, folder=folder)
    assert sum(count for _, count in expected) == 17
    counters = make(folder, tasks, "run", expected)
    assert counters.pop("bytes read") > 0
    assert counters == {"images": 17, "rejects: not-an-image": 1}
    for task, (_, count) in zip(tasks, expected, strict=True):
        names = [ref.name for ref in read_plan(folder.files, folder.plan, task)]
        assert [r.filename for r in records(folder, task)] == [n for n in names if n != "none.jpg"]
        assert len(records(folder, task)) == count


def test_a_repeated_element_counts_once(begun):
    """As after a worker's death: runners that try again may have had the shard made before."""
    folder, tasks = begun
    expected = pairs(tasks, folder=folder)
    make(folder, tasks[:2], "first", expected[:2])
    results = read_results(folder, tasks[:2])
    stored = {task: Path(folder.result(task.name)).read_bytes() for task in tasks[:2]}
    make(folder, tasks, "second", expected)
    make(folder, [tasks[3], tasks[3]], "second", [expected[3], expected[3]])
    counts = count_work(read_results(folder, tasks).values(), "second")
    made = expected[2:]
    assert counts["shards kept"] == 2
    assert counts["shards made"] == 3
    assert counts["images"] == sum(count for _, count in made)
    first = count_work(results.values(), "first")
    assert first["images"] == sum(count for _, count in expected[:2])
    rejects = "rejects: not-an-image"
    assert first.get(rejects, 0) + counts.get(rejects, 0) == 1
    for task, data in stored.items():
        assert Path(folder.result(task.name)).read_bytes() == data


def test_a_result_of_another_shape_is_no_result(begun):
    folder, tasks = begun
    expected = pairs(tasks, folder=folder)
    make(folder, tasks, "first", expected)
    path = folder.result(tasks[0].name)
    content = json.loads(Path(path).read_text())
    del content["run"]
    with open(path, "w") as file:
        json.dump(content, file)
    make(folder, tasks, "second", expected)
    assert count_work(read_results(folder, tasks).values(), "second")["shards made"] == 1


@pytest.mark.parametrize("at", [0, 1, 2, 3, 4])
def test_a_worker_refuses_another_plan_than_the_jobs(begun, at):
    """One byte of a task's part is another; the images of that shard would be others."""
    folder, tasks = begun
    data = bytearray(Path(folder.plan).read_bytes())
    data[tasks[at].offset + tasks[at].length // 2] ^= 1
    with open(folder.plan, "wb") as file:
        file.write(data)
    with pytest.raises(Exception, match=f"expected the plan of {tasks[at].name}"):
        make(folder, [tasks[at]], "run", [])
    assert not folder.files.is_file(folder.shard(tasks[at].name))


def test_a_worker_of_a_job_that_was_replaced_writes_nothing(begun):
    folder, tasks = begun
    folder.files.delete_folder(folder.path())
    with pytest.raises(Exception, match="the conversion was replaced"):
        make(folder, tasks, "run", [])
    assert not folder.files.is_folder(folder.path())


def test_a_worker_with_another_pillow_refuses(begun, monkeypatch):
    folder, tasks = begun
    versions = {"pillow": "1.0", "libjpeg": "8"}
    monkeypatch.setattr("preprocessing.job.workspace.tool_versions", lambda: versions)
    with pytest.raises(Exception, match=r"this worker has pillow 1\.0, the job was started with"):
        make(folder, tasks, "run", [])
