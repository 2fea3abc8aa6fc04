"""A run directory begins whole, is gone on with, and refuses what is not its own."""

import errno
import fcntl
import os
import shutil

import pytest

from alexnet_tf.config import files as config_files
from alexnet_tf.errors import JobError, RunError
from alexnet_tf.runs import directory as run_directory
from alexnet_tf.runs import session
from alexnet_tf.runs.lock import locked
from preprocessing.errors import DatasetError
from tests import tiny_datasets


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data")
    tiny_datasets.write(path, classes=3)
    return path


def config(**sections):
    return config_files.parse({"network": {"input_size": 64}, **sections})


def started(run):
    (run.path / "log.jsonl").touch()  # as the first step does


def test_a_run_that_took_no_step_may_begin_anew(tmp_path, data):
    run_directory.begin(tmp_path, config(), data)
    run_directory.begin(tmp_path, config(training={"seed": 1}), data)
    assert run_directory.load(tmp_path).config.training.seed == 1


def test_a_new_run_holds_what_it_needs(tmp_path, data):
    run = run_directory.begin(tmp_path / "run", config(), data)
    assert run.config.network.num_classes == 3
    again = run_directory.load(tmp_path / "run")
    assert again.config == run.config
    assert again.info.fingerprint == run.info.fingerprint
    assert (again.mean_image == run.mean_image).all()


def test_the_same_configuration_goes_on(tmp_path, data):
    started(run_directory.begin(tmp_path, config(), data))
    longer = config(training={"epochs": 100, "log_every_steps": 1})
    assert run_directory.begin(tmp_path, longer, data).config.training.epochs == 100
    assert run_directory.load(tmp_path).config.training.epochs == 100


def test_another_configuration_is_refused_and_named(tmp_path, data):
    started(run_directory.begin(tmp_path, config(), data))
    before = (tmp_path / "config.yaml").read_bytes()
    with pytest.raises(RunError, match=r"training\.seed: 0 → 1"):
        run_directory.begin(tmp_path, config(training={"seed": 1}), data)
    assert (tmp_path / "config.yaml").read_bytes() == before


def test_epochs_may_not_change_where_the_schedule_stretches_over_them(tmp_path, data):
    cosine = {"name": "cosine"}
    started(run_directory.begin(tmp_path, config(schedule=cosine), data))
    with pytest.raises(RunError, match=r"training\.epochs"):
        run_directory.begin(tmp_path, config(schedule=cosine, training={"epochs": 100}), data)


def test_another_dataset_is_refused(tmp_path, data):
    started(run_directory.begin(tmp_path / "run", config(), data))
    tiny_datasets.write(tmp_path / "other", classes=3, seed=1)
    with pytest.raises(RunError, match="dataset"):
        run_directory.begin(tmp_path / "run", config(), tmp_path / "other")


def test_a_directory_with_other_things_is_left_alone(tmp_path, data):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RunError, match="new or empty"):
        run_directory.begin(tmp_path, config(), data)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_that_is_named_like_ours_is_left_alone(tmp_path, data):
    tiny_datasets.write(tmp_path / "dataset")  # somebody's images
    before = sorted(p.name for p in (tmp_path / "dataset").iterdir())
    with pytest.raises(RunError, match="new or empty"):
        run_directory.begin(tmp_path, config(), data)
    assert sorted(p.name for p in (tmp_path / "dataset").iterdir()) == before


def test_no_run_and_no_dataset_are_told(tmp_path):
    with pytest.raises(RunError, match=r"config\.yaml"):
        run_directory.load(tmp_path)
    with pytest.raises(DatasetError, match="not a complete dataset"):
        run_directory.begin(tmp_path / "run", config(), tmp_path)
    assert not (tmp_path / "run").exists()


def test_a_run_can_be_trained_by_one_process_at_a_time(tmp_path):
    with (
        locked(tmp_path),
        pytest.raises(RunError, match="another training"),
        locked(tmp_path),
    ):
        pytest.fail("locked twice")
    with locked(tmp_path):
        pass


def test_pipes_in_a_run_directory_are_not_waited_for(tmp_path, data):
    os.mkfifo(tmp_path / "lock")
    with pytest.raises(RunError, match=r"expected \S+lock to be a file"), locked(tmp_path):
        pytest.fail("locked a pipe")
    (tmp_path / "lock").unlink()
    os.mkfifo(tmp_path / "config.yaml")
    with pytest.raises(RunError, match=r"config\.yaml"):
        run_directory.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("file/run", "Not a directory"),
        ("file", "File exists"),
        ("x" * 300, "File name too long"),
        ("/proc/run", "No such file or directory"),
    ],
)
def test_a_path_that_can_be_no_run_directory_is_told(tmp_path, data, name, reason):
    (tmp_path / "file").write_text("mine")
    told = f"cannot use .* as a run directory: {reason}"
    with pytest.raises(RunError, match=told), locked(tmp_path / name):
        pytest.fail("locked what can be no directory")
    with pytest.raises(RunError, match=r"cannot use .* as a run directory: "):
        run_directory.begin(tmp_path / name / "below", config(), data)
    assert (tmp_path / "file").read_text() == "mine"


def test_in_a_folder_of_something_else_no_lock_is_left(tmp_path, data):
    (tmp_path / "holiday.jpg").write_bytes(b"mine")
    for folder in (tmp_path, data):
        before = sorted(path.name for path in folder.iterdir())
        with pytest.raises(RunError, match=rf"expected a new or empty .* received {folder}, which"):
            session.train(config(), data, folder)
        assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, JobError), (errno.EROFS, RunError)])
def test_a_full_or_read_only_disk_is_told(tmp_path, data, monkeypatch, number, kind):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(kind, match=os.strerror(number)):
        run_directory.begin(tmp_path / "run", config(), data)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        with pytest.raises(kind, match=os.strerror(number)), locked(tmp_path):
            pytest.fail("locked without a lock")
    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(RunError, match=rf"cannot lock .*{os.strerror(number)}"), locked(tmp_path):
        pytest.fail("locked without a lock")


@pytest.mark.parametrize("again", [False, True], ids=["removed", "replaced"])
def test_a_directory_that_did_not_stay_is_noticed(tmp_path, again):
    run = tmp_path / "run"
    with locked(run) as lock:
        lock.check()
        run.rename(tmp_path / "elsewhere")
        if again:
            run.mkdir()
            (run / "lock").touch()
        with pytest.raises(JobError, match="removed or replaced during the training"):
            lock.check()


def test_a_damaged_mean_image_is_named_where_it_lies(tmp_path, data):
    shutil.copytree(data, tmp_path / "data")
    mean = bytearray((tmp_path / "data" / "mean_image.npy").read_bytes())
    mean[-1] ^= 1
    (tmp_path / "data" / "mean_image.npy").write_bytes(mean)
    with pytest.raises(DatasetError, match=f"{tmp_path / 'data'}/mean_image.npy"):
        run_directory.begin(tmp_path / "run", config(), tmp_path / "data")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "images"),
    [
        ({}, 40),
        ({"fraction": 0.5}, 20),
        ({"held_out": {"fraction": 0.25}}, 30),
        ({"held_out": {"fraction": 0.25, "until_epoch": 9}}, 40),
        ({"held_out": {"fraction": 0.25, "until_epoch": 10}}, 30),
        ({"fraction": 0.5, "held_out": {"fraction": 0.1}}, 18),
    ],
)
def test_images_that_are_never_trained_on_do_not_count(tmp_path, settings, images):
    tiny_datasets.write(tmp_path / "data", classes=2, counts={"train": 40})
    asked = config(data=settings, training={"epochs": 10})
    run = run_directory.begin(tmp_path / "run", asked, tmp_path / "data")
    assert run.training_images == images
