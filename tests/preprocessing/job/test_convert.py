"""Whole conversions, read back: in this process here, in others in test_runners.py."""

import json
import re
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import tensorflow as tf

from preprocessing.__main__ import main
from preprocessing.dataset.example import decode_example
from preprocessing.dataset.info import read_info
from preprocessing.dataset.mean_image import read_mean_image
from preprocessing.dataset.tfrecord import read_records
from preprocessing.errors import DatasetError, JobError
from preprocessing.images.convert import ImageOptions, decode_and_resize, encode
from preprocessing.inspection.verify import verify_dataset
from preprocessing.job.runners import beam_options
from tests.deadlines import SECONDS
from tests.preprocessing.conversions import SMALL, run, tree
from tests.preprocessing.drawn_images import (
    WNIDS,
    image,
    tar_bytes,
    train_images,
    validation_images,
    validation_wnids,
    write_archives,
    write_class_folders,
    write_extracted,
    write_files,
)


def records(directory, split):
    for path in read_info(directory).shard_paths(directory, split):
        with open(path, "rb") as file:
            yield from map(decode_example, read_records(file))


def test_every_image_with_its_label(dataset):
    """The labels are worked out here from file names alone."""
    expected = {
        name: (label, wnid) for label, wnid in enumerate(WNIDS) for name in train_images()[wnid]
    }
    found = {r.filename: (r.label, r.synset) for r in records(dataset, "train")}
    assert found == expected
    wnids = dict(zip(validation_images(), validation_wnids(), strict=True))
    found = {r.filename: (r.label, r.synset) for r in records(dataset, "validation")}
    assert found == {name: (WNIDS.index(wnid), wnid) for name, wnid in wnids.items()}
    assert {r.text for r in records(dataset, "train")} == {"crane, bird", "crane, machine", "lemon"}
    assert {(r.format, r.height, r.width) for r in records(dataset, "train")} == {("jpeg", 16, 16)}


def test_the_images_are_those_of_the_source(dataset):
    """Each record against its own file; what images.py makes of a file is tested there."""
    sources = {name: data for files in train_images().values() for name, data in files.items()}
    for split, files in (("train", sources), ("validation", validation_images())):
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
    images = {f"ILSVRC2012_test_{n:08d}.JPEG": image(2000 + n) for n in range(1, 6)}
    source, output = write_archives(tmp_path / "in"), tmp_path / "out"
    (source / name).write_bytes(tar_bytes({f"test/{n}": data for n, data in images.items()}))
    run(source, output, shards={"train": 3, "validation": 2, "test": 2})
    found = {r.filename: (r.label, r.synset, r.text, r.encoded) for r in records(output, "test")}
    assert found == {
        file: (-1, "", "", encode(decode_and_resize(data, SMALL), SMALL))
        for file, data in images.items()
    }
    expected, made = read_info(dataset), read_info(output)
    assert made.splits["train"] == expected.splits["train"]
    assert made.splits["validation"] == expected.splits["validation"]
    assert made.color == expected.color
    assert made.class_counts == expected.class_counts
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
    sources = [*train_images().values(), validation_images()]
    assert counters.pop("bytes read") == sum(len(d) for files in sources for d in files.values())
    shards = [s for some in summary.info.splits.values() for s in some]
    assert counters.pop("bytes written") == sum(shard.bytes for shard in shards)
    assert counters == {}
    assert "train: 12 images in 3 shards" in summary.text("out")


# --- rejects ------------------------------------------------------------------------------------


def with_bad_images(folder):
    write_class_folders(folder, per_class=10)
    good = image(5, (64, 64))
    bad = {"a.jpg": b"", "b.jpg": b"no image", "c.jpg": good[: len(good) // 2]}
    write_files(folder / "class1", bad)
    return folder


def test_bad_images_are_rejects_with_reasons(tmp_path):
    summary = run(
        with_bad_images(tmp_path / "in"),
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
    source, output = with_bad_images(tmp_path / "in"), tmp_path / "out"
    with pytest.raises(JobError, match=r"3 of 33 images were rejected \(.*empty 1.*\)"):
        run(source, output, "folder", max_rejects=0.09)
    assert not (output / "dataset_info.json").exists()
    summary = run(source, output, "folder", max_rejects=0.1)
    assert "images" not in summary.counters
    assert summary.counters["shards kept"] == 2


def test_nothing_but_rejects(tmp_path):
    write_files(tmp_path / "in" / "a", {"x.jpg": b"", "y.jpg": b""})
    write_files(tmp_path / "in" / "b", {"x.jpg": b"", "y.jpg": b""})
    with pytest.raises(JobError, match="of the split train, all of them were rejected"):
        run(tmp_path / "in", tmp_path / "out", "folder", max_rejects=1.0)


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_split_of_nothing_but_rejects(tmp_path, split):
    write_class_folders(tmp_path / "in" / "train")
    write_files(tmp_path / "in" / split / "class0", {"x.jpg": b"", "y.jpg": b""})
    output = tmp_path / "out"
    with pytest.raises(JobError, match=f"of the split {split}, all of them were rejected"):
        run(tmp_path / "in", output, "folder", max_rejects=1.0, validation_fraction=0.0)
    assert not (output / "dataset_info.json").exists()


# --- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [["--qualtiy", "3"], ["stray"], ["--runner=DirectRunner", "--x"]]
)
def test_unknown_options_are_refused(arguments):
    with pytest.raises(DatasetError, match=r"received (--qualtiy|stray|--x)"):
        beam_options(arguments)


def test_workers_import_neither_tensorflow_nor_alexnet_tf():
    code = (
        "import sys, preprocessing.job.beam_job; "
        "print(sorted({'tensorflow', 'alexnet_tf', 'keras', 'scipy.io'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=SECONDS
    )
    assert result.stdout.strip() == "[]"
