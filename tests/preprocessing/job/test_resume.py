"""What a conversion finds in its output directory, and how it goes on after an interruption."""

import contextlib
import errno
import shutil
from collections import Counter

import pytest

from preprocessing.dataset.info import read_info
from preprocessing.errors import DatasetError, JobError
from preprocessing.images.convert import ImageOptions
from preprocessing.inspection.verify import verify_dataset
from preprocessing.job import publication
from preprocessing.job import workspace as workspace_module
from preprocessing.job.lock import locked
from preprocessing.job.workspace import Workspace
from preprocessing.storage.files import LocalFiles
from tests.preprocessing.conversions import run, tree
from tests.preprocessing.drawn_images import write_archives, write_class_folders, write_extracted


@pytest.fixture(scope="module")
def unpublished(archives, tmp_path_factory):
    """The same conversion, interrupted before it is published: its directory, and the dataset."""
    output, assembled = tmp_path_factory.mktemp("unpublished") / "out", []

    def interrupted(folder, dataset):
        assembled.append(dataset)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("preprocessing.job.convert.publish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(archives, output)
    return output, assembled[0]


@pytest.fixture(scope="module")
def older(archives, tmp_path_factory):
    """Another dataset of the same archives."""
    output = tmp_path_factory.mktemp("older") / "out"
    run(archives, output, seed=9)
    return output


# --- the output directory -----------------------------------------------------------------------


def test_a_dataset_is_not_touched(dataset, archives):
    before = tree(dataset)
    with pytest.raises(DatasetError, match="already holds a dataset; nothing was changed"):
        run(archives, dataset, seed=1)
    assert tree(dataset) == before
    assert not (dataset / ".conversion").exists()


def test_a_dataset_published_just_before_the_lock_was_free_is_not_touched(
    dataset, archives, tmp_path, monkeypatch
):
    output = tmp_path / "out"

    @contextlib.contextmanager
    def locked_late(workspace):
        shutil.copytree(dataset, output)
        with locked(workspace):
            yield

    monkeypatch.setattr("preprocessing.job.convert.locked", locked_late)
    with pytest.raises(DatasetError, match="already holds a dataset; nothing was changed"):
        run(archives, output, seed=1)
    assert tree(output) == tree(dataset)
    assert not (output / ".conversion").exists()


def test_other_files_are_not_touched(archives, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(DatasetError, match=r"holds 'thesis\.tex'"):
        run(archives, tmp_path, overwrite=True)
    assert list(tree(tmp_path)) == ["thesis.tex"]


def test_a_file_as_output(archives, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DatasetError, match="expected a folder"):
        run(archives, tmp_path / "file")


def test_overwrite_replaces_all_of_it(dataset, archives, tmp_path):
    output = tmp_path / "out"
    run(archives, output, shards={"train": 7, "validation": 1}, seed=5)
    run(archives, output, overwrite=True)
    assert tree(output) == tree(dataset)


def test_an_old_dataset_stays_until_the_new_one_is_complete(archives, tmp_path, monkeypatch):
    output = tmp_path / "out"
    run(archives, output, shards={"train": 7, "validation": 1})
    before = tree(output)
    fail_on_write(monkeypatch, "train-00001-of-00003")
    with pytest.raises(JobError, match="No space left"):
        run(archives, output, overwrite=True)
    after = tree(output)
    assert {name: after[name] for name in before} == before
    assert verify_dataset(str(output), workers=0) == []


def test_mistakes_leave_no_directory(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(DatasetError):
        run(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_output_inside_the_input(tmp_path):
    write_class_folders(tmp_path)
    with pytest.raises(DatasetError, match="outside of --input"):
        run(tmp_path, tmp_path / "out", "folder")


def job_folder(output):
    """Of the one conversion that was begun there."""
    (job,) = (output / ".conversion").glob("*/job.json")
    return job.parent


# --- resume -------------------------------------------------------------------------------------


def fail_on_write(monkeypatch, name, after=0):
    """The disk is full when this shard is written."""
    create = LocalFiles.create
    written = Counter()

    class Full:
        def __init__(self, file):
            self.file = file

        def write(self, data):
            written[name] += len(data)
            if written[name] > after:
                raise OSError(errno.ENOSPC, "No space left on device")
            return self.file.write(data)

        def __getattr__(self, attribute):
            return getattr(self.file, attribute)

    class Wrapped:
        def __init__(self, context):
            self.context = context

        def __enter__(self):
            return Full(self.context.__enter__())

        def __exit__(self, *exception):
            return self.context.__exit__(*exception)

    def failing(self, path):
        context = create(self, path)
        return Wrapped(context) if path.endswith(name) else context

    monkeypatch.setattr(LocalFiles, "create", failing)


@pytest.mark.parametrize(
    "name", ["train-00000-of-00003", "train-00002-of-00003.npz", "validation-00001-of-00002.json"]
)
def test_a_full_disk_is_a_clear_error_and_can_be_resumed(
    dataset, archives, tmp_path, monkeypatch, name
):
    with monkeypatch.context() as patch:
        fail_on_write(patch, name, after=100)
        with pytest.raises(JobError, match=r"^[a-z]+-0000\d-of-0000\d: .*No space left on device"):
            run(archives, tmp_path / "out")
    shards = [path.name for path in job_folder(tmp_path / "out").glob("shards/*")]
    assert not [shard for shard in shards if shard.startswith(".")]
    assert not (tmp_path / "out" / "dataset_info.json").exists()
    summary = run(archives, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(dataset)
    assert summary.counters["shards made"] + summary.counters.get("shards kept", 0) == 5


@pytest.mark.parametrize(
    ("damage", "kept"),
    [
        (lambda work: None, 5),
        (lambda work: flip(work / "shards" / "train-00001-of-00003"), 4),
        (lambda work: (work / "shards" / "train-00001-of-00003").unlink(), 4),
        (lambda work: (work / "results" / "train-00001-of-00003.json").write_text("{}"), 4),
        (lambda work: (work / "results" / "train-00001-of-00003.json").write_text("["), 4),
        (lambda work: flip(work / "results" / "train-00001-of-00003.npz"), 4),
        (lambda work: (work / "plan.bin").unlink(), 5),
        (
            lambda work: (
                flip(work / "plan.bin"),
                (work / "shards" / "train-00001-of-00003").unlink(),
            ),
            4,
        ),
    ],
)
def test_finished_shards_are_verified_and_kept(
    dataset, unpublished, archives, tmp_path, damage, kept
):
    output = shutil.copytree(unpublished[0], tmp_path / "out")
    damage(job_folder(output))
    summary = run(archives, output)
    assert summary.counters["shards kept"] == kept
    assert tree(output) == tree(dataset)


def interrupt(*arguments):
    raise KeyboardInterrupt


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("operations", range(11))
@pytest.mark.parametrize("overwrite", [False, True])
def test_an_interruption_while_publishing(
    dataset, older, unpublished, archives, tmp_path, monkeypatch, operations, overwrite
):
    """Publishing is cut off after some of its file operations; then the command is repeated."""
    finished, assembled = unpublished
    output = tmp_path / "out"
    if overwrite:
        shutil.copytree(older, output)
    shutil.copytree(finished, output, dirs_exist_ok=True)
    with monkeypatch.context() as patch:
        left = iter(range(operations))

        def limited(name):
            operation = getattr(LocalFiles, name)

            def counted(self, *arguments):
                if next(left, None) is None:
                    raise KeyboardInterrupt
                return operation(self, *arguments)

            patch.setattr(LocalFiles, name, counted)

        for name in ("create", "move", "delete", "delete_folder"):
            limited(name)
        (folder,) = Workspace(LocalFiles(), str(output)).jobs()
        with pytest.raises(KeyboardInterrupt):
            publication.publish(folder, assembled)
    if (output / "dataset_info.json").exists():
        assert verify_dataset(str(output), workers=0) == []
    run(archives, output, overwrite=overwrite)
    assert tree(output) == tree(dataset)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "--seed was 0, is 1"),
        ({"images": ImageOptions(size=17)}, "--image-size was 16, is 17"),
        ({"images": ImageOptions(size=16, quality=90)}, "--quality was 95, is 90"),
        ({"images": ImageOptions(size=16, filter="bicubic")}, "--resize-filter was area"),
        ({"images": ImageOptions(size=16, encoding="raw")}, "--encoding was jpeg, is raw"),
        ({"images": ImageOptions(size=16, apply_exif=True)}, "--apply-exif was False, is True"),
        ({"shards": {"train": 4}}, "--shards was train=3,validation=2, is train=4,validation=1"),
    ],
)
def test_a_resumed_job_must_be_the_same(unpublished, archives, tmp_path, change, message):
    output = shutil.copytree(unpublished[0], tmp_path / "out")
    with pytest.raises(DatasetError, match=message):
        run(archives, output, **change)
    summary = run(archives, output, overwrite=True, **change)
    assert "shards kept" not in summary.counters
    assert verify_dataset(str(output), workers=0) == []


def test_overwrite_keeps_an_unfinished_conversion_until_the_new_one_is_complete(
    dataset, unpublished, archives, tmp_path, monkeypatch
):
    output = shutil.copytree(unpublished[0], tmp_path / "out")
    before = tree(job_folder(output))
    with monkeypatch.context() as patch:
        fail_on_write(patch, "train-00001-of-00003")
        with pytest.raises(JobError, match="No space left"):
            run(archives, output, seed=1, overwrite=True)
    old, _ = sorted((output / ".conversion").glob("*/job.json"), key=lambda f: f.stat().st_mtime)
    assert tree(old.parent) == before
    with pytest.raises(DatasetError, match="holds an unfinished conversion"):
        run(archives, output)
    again = shutil.copytree(output, tmp_path / "again")
    summary = run(archives, output, overwrite=True)  # the old one after all
    assert summary.counters["shards kept"] == 5
    assert tree(output) == tree(dataset)
    run(archives, again, seed=1, overwrite=True)
    assert verify_dataset(str(again), workers=0) == []
    assert not (again / ".conversion").exists()


def test_a_resumed_job_must_have_the_same_input(tmp_path, monkeypatch):
    source, output = write_archives(tmp_path / "in"), tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr("preprocessing.job.convert.publish", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(source, output)
    write_archives(source, per_class=5)
    with pytest.raises(DatasetError, match=r"input ILSVRC2012_img_train\.tar was \d+ bytes"):
        run(source, output)


@pytest.mark.parametrize("later", [True, False])
def test_a_resumed_job_must_have_the_same_names_of_classes(tmp_path, monkeypatch, later):
    """Kept shards would have WNIDs for names, and new ones words; or the other way about."""
    source, output = write_extracted(tmp_path / "in"), tmp_path / "out"
    kit, away = source / "ILSVRC2012_devkit_t12", tmp_path / "kit"
    if later:
        kit.rename(away)
    with monkeypatch.context() as patch:
        patch.setattr("preprocessing.job.convert.publish", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(source, output)
    (away if later else kit).rename(kit if later else away)
    with pytest.raises(DatasetError, match=r"names of the classes was \w{16}, is \w{16}\."):
        run(source, output)
    run(source, output, overwrite=True)
    texts = {name.text for name in read_info(output).classes}
    assert ("lemon" in texts) is later


def test_input_that_changes_meanwhile(tmp_path, monkeypatch):
    source = write_class_folders(tmp_path / "in")
    prepare = workspace_module.prepare

    def change(*arguments):
        (source / "class0" / "0.jpg").write_bytes(b"shorter")
        return prepare(*arguments)

    monkeypatch.setattr("preprocessing.job.convert.prepare", change)
    with pytest.raises(JobError, match=r"bytes of 0\.jpg.*the input changed"):
        run(source, tmp_path / "out", "folder")
