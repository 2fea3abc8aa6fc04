"""Whole conversions, read back: in this process here, in others in test_runners.py."""

import errno
import json
import re
import shutil
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import tensorflow as tf

from preprocessing import conversion as conversion_module
from preprocessing import publication
from preprocessing.__main__ import main
from preprocessing.conversion import Conversion, JobError
from preprocessing.dataset import DatasetError, decode_example, read_info, read_mean_image
from preprocessing.files import LocalFiles
from preprocessing.images import ImageOptions, decode_and_resize, encode
from preprocessing.pipeline import convert
from preprocessing.records import read_records
from preprocessing.runners import beam_options
from preprocessing.shards import Workspace
from preprocessing.verify import verify_dataset
from tests.preprocessing.pictures import (
    WNIDS,
    picture,
    tar_bytes,
    train_pictures,
    validation_pictures,
    validation_wnids,
    write_archives,
    write_class_folders,
    write_extracted,
    write_files,
)

IN_MEMORY = ["--direct_running_mode=in_memory"]
SMALL = ImageOptions(size=16)


def run(folder, output, source="ilsvrc2012", images=SMALL, **values):
    values.setdefault("shards", {"train": 3, "validation": 2} if source == "ilsvrc2012" else {})
    asked = Conversion(source, str(folder), str(output), images, **values)
    return convert(asked, beam_options(IN_MEMORY))


def tree(folder):
    """Relative path -> bytes of every file."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def records(directory, split):
    for path in read_info(directory).shard_paths(directory, split):
        with open(path, "rb") as file:
            yield from map(decode_example, read_records(file))


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    return write_archives(tmp_path_factory.mktemp("archives"))


@pytest.fixture(scope="module")
def dataset(archives, tmp_path_factory):
    output = tmp_path_factory.mktemp("dataset") / "new"
    run(archives, output)
    return output


@pytest.fixture(scope="module")
def unpublished(archives, tmp_path_factory):
    """The same conversion, interrupted before it is published: its directory, and its outcome."""
    output, outcomes = tmp_path_factory.mktemp("unpublished") / "out", []

    def interrupted(workspace, outcome):
        outcomes.append(outcome)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("preprocessing.pipeline.publish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(archives, output)
    return output, outcomes[0]


@pytest.fixture(scope="module")
def older(archives, tmp_path_factory):
    """Another dataset of the same archives."""
    output = tmp_path_factory.mktemp("older") / "out"
    run(archives, output, seed=9)
    return output


def test_every_picture_with_its_label(dataset):
    """The labels are worked out here from file names alone."""
    expected = {
        name: (label, wnid) for label, wnid in enumerate(WNIDS) for name in train_pictures()[wnid]
    }
    found = {r.filename: (r.label, r.synset) for r in records(dataset, "train")}
    assert found == expected
    wnids = dict(zip(validation_pictures(), validation_wnids(), strict=True))
    found = {r.filename: (r.label, r.synset) for r in records(dataset, "validation")}
    assert found == {name: (WNIDS.index(wnid), wnid) for name, wnid in wnids.items()}
    assert {r.text for r in records(dataset, "train")} == {"crane, bird", "crane, machine", "lemon"}
    assert {(r.format, r.height, r.width) for r in records(dataset, "train")} == {("jpeg", 16, 16)}


def test_the_pictures_are_those_of_the_source(dataset):
    """Each record against its own file; what images.py makes of a file is tested there."""
    sources = {name: data for files in train_pictures().values() for name, data in files.items()}
    for split, files in (("train", sources), ("validation", validation_pictures())):
        for record in records(dataset, split):
            pixels = decode_and_resize(files[record.filename], SMALL)
            assert record.encoded == encode(pixels, SMALL)


def test_tensorflow_reads_the_shards(dataset):
    paths = read_info(dataset).shard_paths(dataset, "train")
    assert len(paths) == 3
    labels = Counter()
    for data in tf.data.TFRecordDataset(paths).as_numpy_iterator():
        feature = tf.train.Example.FromString(data).features.feature
        assert tf.io.decode_jpeg(feature["image/encoded"].bytes_list.value[0]).shape == (16, 16, 3)
        labels[feature["image/class/label"].int64_list.value[0]] += 1
    assert labels == {0: 4, 1: 4, 2: 4}


def test_statistics_are_those_of_the_training_pixels(archives, tmp_path):
    """Against NumPy in float64, on the raw pixels that the records hold."""
    run(archives, tmp_path / "d", images=ImageOptions(size=16, encoding="raw"))
    pixels = np.stack(
        [
            np.frombuffer(r.encoded, np.uint8).reshape(16, 16, 3)
            for r in records(tmp_path / "d", "train")
        ]
    ).astype(np.float64)
    np.testing.assert_allclose(read_mean_image(tmp_path / "d"), pixels.mean(0), rtol=1e-6)
    color = read_info(tmp_path / "d").color
    np.testing.assert_allclose(color.mean_rgb, pixels.mean((0, 1, 2)), rtol=1e-12)
    covariance = np.cov(pixels.reshape(-1, 3).T, bias=True)
    vectors = np.array(color.eigenvectors)
    rebuilt = vectors @ np.diag(np.square(color.stddevs)) @ vectors.T
    np.testing.assert_allclose(rebuilt, covariance, rtol=1e-9)


def test_what_lies_in_the_directory(dataset):
    assert sorted(path.name for path in dataset.iterdir()) == [
        "dataset_info.json",
        "mean_image.npy",
        "mean_image.png",
        "rejects.jsonl",
        *(f"train-0000{n}-of-00003" for n in range(3)),
        *(f"validation-0000{n}-of-00002" for n in range(2)),
    ]
    assert verify_dataset(str(dataset), workers=0) == []


def test_extracted_and_packed_layouts_give_the_same_bytes(dataset, tmp_path):
    run(write_extracted(tmp_path / "in"), tmp_path / "out")
    assert tree(tmp_path / "out") == tree(dataset)


@pytest.mark.parametrize("name", ["ILSVRC2012_img_test.tar", "ILSVRC2012_img_test_v10102019.tar"])
def test_the_unlabelled_test_archive(dataset, tmp_path, capsys, name):
    """From the archive to verify and inspect; the other splits are not touched by it."""
    pictures = {f"ILSVRC2012_test_{n:08d}.JPEG": picture(2000 + n) for n in range(1, 6)}
    source, output = write_archives(tmp_path / "in"), tmp_path / "out"
    (source / name).write_bytes(tar_bytes({f"test/{n}": data for n, data in pictures.items()}))
    run(source, output, shards={"train": 3, "validation": 2, "test": 2})
    found = {r.filename: (r.label, r.synset, r.text, r.encoded) for r in records(output, "test")}
    assert found == {
        file: (-1, "", "", encode(decode_and_resize(data, SMALL), SMALL))
        for file, data in pictures.items()
    }
    expected, made = read_info(dataset), read_info(output)
    assert made.splits["train"] == expected.splits["train"]
    assert made.splits["validation"] == expected.splits["validation"]
    assert made.color == expected.color
    assert main(["verify", str(output), "--workers", "1"]) == 0
    assert "train 12, validation 6, test 5; fingerprint" in capsys.readouterr().out
    assert main(["inspect", str(output)]) == 0
    assert re.search(r"^test +5 examples in 2 shards", capsys.readouterr().out, re.MULTILINE)


def test_another_seed_gives_another_order(dataset, archives, tmp_path):
    run(archives, tmp_path / "out", seed=1)
    order = [r.filename for r in records(dataset, "train")]
    other = [r.filename for r in records(tmp_path / "out", "train")]
    assert order != other
    assert sorted(order) == sorted(other)


def test_the_summary_has_beams_counters(archives, tmp_path):
    summary = run(archives, tmp_path / "out")
    counters = dict(summary.counters)
    assert counters.pop("images") == 18
    assert counters.pop("shards made") == 5
    sources = [*train_pictures().values(), validation_pictures()]
    assert counters.pop("bytes read") == sum(len(d) for files in sources for d in files.values())
    shards = [s for some in summary.info.splits.values() for s in some]
    assert counters.pop("bytes written") == sum(shard.bytes for shard in shards)
    assert counters == {}
    assert "train: 12 images in 3 shards" in summary.text("out")


# --- rejects ------------------------------------------------------------------------------------


def with_bad_pictures(folder):
    write_class_folders(folder, per_class=10)
    good = picture(5, (64, 64))
    bad = {"a.jpg": b"", "b.jpg": b"no picture", "c.jpg": good[: len(good) // 2]}
    write_files(folder / "class1", bad)
    return folder


def test_bad_pictures_are_rejects_with_reasons(tmp_path):
    summary = run(
        with_bad_pictures(tmp_path / "in"),
        tmp_path / "out",
        "folder",
        max_rejects=0.1,
        validation_fraction=0.0,
    )
    assert summary.info.rejects == {"empty": 1, "not-an-image": 1, "truncated": 1}
    assert {k: v for k, v in summary.counters.items() if k.startswith("rejects")} == {
        "rejects: empty": 1,
        "rejects: not-an-image": 1,
        "rejects: truncated": 1,
    }
    lines = (tmp_path / "out" / "rejects.jsonl").read_text().splitlines()
    rejects = {entry["filename"]: entry for entry in map(json.loads, lines)}
    assert {name: entry["reason"] for name, entry in rejects.items()} == {
        "a.jpg": "empty",
        "b.jpg": "not-an-image",
        "c.jpg": "truncated",
    }
    assert rejects["a.jpg"]["split"] == "train"
    assert rejects["a.jpg"]["where"] == str(tmp_path / "in" / "class1")
    assert summary.info.num_examples("train") == 30


def test_too_many_rejects_fail_the_job_and_shards_are_kept(tmp_path):
    source, output = with_bad_pictures(tmp_path / "in"), tmp_path / "out"
    with pytest.raises(JobError, match=r"3 of 33 pictures were rejected \(.*empty 1.*\)"):
        run(source, output, "folder", max_rejects=0.09)
    assert not (output / "dataset_info.json").exists()
    summary = run(source, output, "folder", max_rejects=0.1)
    assert "images" not in summary.counters
    assert summary.counters["shards kept"] == 2


def test_nothing_but_rejects(tmp_path):
    write_files(tmp_path / "in" / "a", {"x.jpg": b"", "y.jpg": b""})
    write_files(tmp_path / "in" / "b", {"x.jpg": b"", "y.jpg": b""})
    with pytest.raises(JobError, match="all of them were rejected"):
        run(tmp_path / "in", tmp_path / "out", "folder", max_rejects=1.0)


# --- the output directory -----------------------------------------------------------------------


def test_a_dataset_is_not_touched(dataset, archives):
    before = tree(dataset)
    with pytest.raises(DatasetError, match="already holds a dataset; nothing was changed"):
        run(archives, dataset, seed=1)
    assert tree(dataset) == before
    assert not (dataset / ".conversion").exists()


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
    shards = [path.name for path in (tmp_path / "out" / ".conversion" / "shards").iterdir()]
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
    ],
)
def test_finished_shards_are_verified_and_kept(
    dataset, unpublished, archives, tmp_path, damage, kept
):
    output = shutil.copytree(unpublished[0], tmp_path / "out")
    damage(output / ".conversion")
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
    finished, outcome = unpublished
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
        with pytest.raises(KeyboardInterrupt):
            publication.publish(Workspace(LocalFiles(), str(output)), outcome)
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


def test_a_resumed_job_must_have_the_same_input(tmp_path, monkeypatch):
    source, output = write_archives(tmp_path / "in"), tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr("preprocessing.pipeline.publish", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(source, output)
    write_archives(source, per_class=5)
    with pytest.raises(DatasetError, match=r"input ILSVRC2012_img_train\.tar was \d+ bytes"):
        run(source, output)


def test_input_that_changes_meanwhile(tmp_path, monkeypatch):
    source = write_class_folders(tmp_path / "in")
    prepare = conversion_module.prepare_workspace

    def change(*arguments):
        (source / "class0" / "0.jpg").write_bytes(b"shorter")
        return prepare(*arguments)

    monkeypatch.setattr("preprocessing.pipeline.prepare_workspace", change)
    with pytest.raises(JobError, match=r"bytes of 0\.jpg.*the input changed"):
        run(source, tmp_path / "out", "folder")


# --- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [["--qualtiy", "3"], ["stray"], ["--runner=DirectRunner", "--x"]]
)
def test_unknown_options_are_refused(arguments):
    with pytest.raises(DatasetError, match=r"received (--qualtiy|stray|--x)"):
        beam_options(arguments)


def test_workers_import_neither_tensorflow_nor_alexnet_tf():
    code = (
        "import sys, preprocessing.pipeline; "
        "print(sorted({'tensorflow', 'alexnet_tf', 'keras', 'scipy.io'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
