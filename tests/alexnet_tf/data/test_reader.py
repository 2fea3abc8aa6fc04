"""Records to batches: every image exactly once, the right pixels, a stream that can restart."""

import io
import itertools
import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from alexnet_tf.config.schema import DataConfig
from alexnet_tf.data import reader
from alexnet_tf.data.split import Share, Split
from alexnet_tf.errors import ConfigError
from preprocessing.dataset.example import decode_example
from preprocessing.dataset.names import shard_name
from preprocessing.dataset.tfrecord import read_records
from tests import tiny_datasets

SIZE, CROP = 24, 16
COUNTS = {"train": 50, "validation": 13}


@pytest.fixture(scope="module", params=["raw", "jpeg"])
def splits(request, tmp_path_factory):
    """{name: Split} of a dataset whose labels number the images, so that each can be told."""
    path = tmp_path_factory.mktemp(request.param)
    info = tiny_datasets.write(
        path, classes=50, counts=COUNTS, size=SIZE, encoding=request.param, shards=4
    )
    return {name: Split(path, info, name) for name in COUNTS}


def stored(split) -> dict[int, np.ndarray]:
    """Pixels by label, read with NumPy and Pillow."""
    pixels = {}
    for path in split.info.shard_paths(split.directory, split.name):
        with open(path, "rb") as file:
            for data in read_records(file):
                record = decode_example(data)
                if record.format == "raw":
                    image = np.frombuffer(record.encoded, np.uint8).reshape(SIZE, SIZE, 3)
                else:
                    image = np.asarray(Image.open(io.BytesIO(record.encoded)))
                pixels[record.label] = image
    return pixels


def epoch(split, config, start=(0, 0), batch=8, seed=0, count=None):
    share = Share(batch)
    batches = reader.training_batches(split, config, CROP, share, seed, start)
    return list(itertools.islice(batches.as_numpy_iterator(), count or split.batches(share)))


def joined(batches, key):
    return np.concatenate([batch[key] for batch in batches])


@pytest.mark.parametrize("order", ["shuffled", "fixed"])
def test_every_image_once_an_epoch_and_padding_weighs_nothing(splits, order):
    batches = epoch(splits["train"], DataConfig(order=order), count=14)
    for first in (0, 7):  # two epochs of ceil(50 / 8) batches
        one = batches[first : first + 7]
        real = joined(one, "weight") == 1
        assert real[:48].all()  # only the last batch is padded
        assert real[48:].sum() == 2
        assert sorted(joined(one, "label")[real]) == list(range(50))
        assert joined(one, "row").tolist() == list(range(8)) * 7


@pytest.mark.parametrize(("batch", "few"), [(128, 16), (24, 12), (34, 2), (17, 1), (5, 5)])
def test_a_batch_is_decoded_in_equal_parts_of_at_most_sixteen(batch, few):
    assert Share(3 * batch, replicas=3).at_once == few


def test_how_many_are_decoded_at_once_changes_nothing(splits, monkeypatch):
    """Two replicas, from the middle of an epoch over padding into the next; and validation."""
    share, seen = Share(24, replicas=2), []
    for few in (12, 4, 1):
        monkeypatch.setattr("alexnet_tf.data.split.AT_ONCE", few)
        assert share.at_once == few
        stream = reader.training_batches(splits["train"], DataConfig(), CROP, share, 0, (0, 1))
        batches = list(itertools.islice(stream.as_numpy_iterator(), 8))
        pass_ = reader.evaluation_batches(splits["validation"], CROP, share).as_numpy_iterator()
        seen.append([*batches, *pass_])
    for others in seen[1:]:
        for one, other in zip(seen[0], others, strict=True):
            for key in one:
                np.testing.assert_array_equal(one[key], other[key])


def test_shuffled_epochs_differ_and_fixed_ones_do_not(splits):
    shuffled = epoch(splits["train"], DataConfig(), count=14)
    fixed = epoch(splits["train"], DataConfig(order="fixed"), count=14)
    label = [joined(batches, "label") for batches in (shuffled[:7], shuffled[7:])]
    assert label[0].tolist() != label[1].tolist()
    assert label[0].tolist() != list(range(50))
    assert joined(fixed[:7], "label").tolist() == joined(fixed[7:], "label").tolist()


def test_crops_are_the_stored_pixels_at_the_drawn_offset(splits):
    pixels = stored(splits["train"])
    for batch in epoch(splits["train"], DataConfig()):
        for i in np.flatnonzero(batch["weight"]):
            y, x = batch["offset"][i]
            expected = pixels[batch["label"][i]][y : y + CROP, x : x + CROP]
            np.testing.assert_array_equal(batch["image"][i], expected)


def test_a_stream_restarted_anywhere_goes_on_exactly(splits):
    whole = epoch(splits["train"], DataConfig(), count=14)
    for done in (0, 3, 7, 10):
        rest = epoch(splits["train"], DataConfig(), start=divmod(done, 7), count=14 - done)
        for expected, received in zip(whole[done:], rest, strict=True):
            for key in expected:
                np.testing.assert_array_equal(received[key], expected[key], err_msg=key)


def test_another_seed_draws_anew(splits):
    first, second = (epoch(splits["train"], DataConfig(), seed=seed) for seed in (0, 1))
    assert joined(first, "label").tolist() != joined(second, "label").tolist()
    assert joined(first, "offset").tolist() != joined(second, "offset").tolist()


@pytest.mark.parametrize("size", [SIZE, CROP])
def test_evaluation_reads_each_center_once(splits, size):
    split = splits["validation"]
    pixels, margin = stored(split), (SIZE - size) // 2
    batches = list(reader.evaluation_batches(split, size, Share(8)).as_numpy_iterator())
    real = joined(batches, "weight") == 1
    labels = joined(batches, "label")[real]
    assert sorted(labels) == list(range(13))
    for label, image in zip(labels, joined(batches, "image")[real], strict=True):
        expected = pixels[label][margin : margin + size, margin : margin + size]
        np.testing.assert_array_equal(image, expected)


def test_workers_share_an_epoch_without_gap_or_overlap(splits):
    labels, lengths = [], set()
    for worker in range(3):  # four shards on three workers: uneven
        share = Share(12, replicas=2, workers=3, worker=worker)
        batches = reader.training_batches(splits["train"], DataConfig(), CROP, share, 0)
        number = splits["train"].batches(share) * share.replicas
        mine = list(itertools.islice(batches.as_numpy_iterator(), number))
        lengths.add(len(mine))
        labels += joined(mine, "label")[joined(mine, "weight") == 1].tolist()
        assert set(joined(mine, "row")) == set(range(4 * worker, 4 * worker + 4))
    assert sorted(labels) == list(range(50))
    assert len(lengths) == 1


FURTHER = [(2, 1), (1, 2), (1, 4), (4, 2)]  # replicas and workers


@pytest.mark.parametrize(
    ("replicas", "workers"),
    [(2, 2), *(pytest.param(*pair, marks=pytest.mark.slow) for pair in FURTHER)],
)
def test_a_global_batch_is_the_same_however_it_is_shared(splits, replicas, workers):
    split, config = splits["train"], DataConfig(chunk=3)
    alone = epoch(split, config, count=14)  # two epochs
    parts = []
    for worker in range(workers):
        share = Share(8, replicas, workers, worker)
        batches = reader.training_batches(split, config, CROP, share, 0)
        received = itertools.islice(batches.as_numpy_iterator(), 14 * replicas)
        parts.append(list(received))
    for step, expected in enumerate(alone):
        mine = [b for part in parts for b in part[step * replicas : (step + 1) * replicas]]
        for key in expected:
            np.testing.assert_array_equal(joined(mine, key), expected[key], err_msg=key)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_evaluate_every_image_once(splits, workers):
    split, labels = splits["validation"], []
    for worker in range(workers):
        share = Share(6, 1, workers, worker)
        batches = list(reader.evaluation_batches(split, CROP, share).as_numpy_iterator())
        assert len(batches) == split.batches(share) == 3
        labels += joined(batches, "label")[joined(batches, "weight") == 1].tolist()
    assert sorted(labels) == list(range(13))


def test_a_worker_opens_its_own_shards_only(tmp_path):
    info = tiny_datasets.write(tmp_path, counts={"train": 64}, size=SIZE, shards=16)
    split = Split(tmp_path, info, "train")
    share = Share(8, workers=2, worker=1)
    for path in split.paths[:8]:  # in the stored order the first worker's
        os.remove(path)
    batches = reader.training_batches(split, DataConfig(order="fixed"), CROP, share, 0)
    seen = list(itertools.islice(batches.as_numpy_iterator(), split.batches(share)))
    assert joined(seen, "weight").sum() == 32


def test_lanes_that_the_workers_cannot_share_are_refused_with_valid_ones(splits):
    with pytest.raises(ConfigError, match=r"14 is read in 7 lanes.* 1 or 7 workers; received 2"):
        splits["train"].lanes(Share(14, workers=2))


def test_a_batch_that_does_not_divide_is_refused_with_valid_ones():
    with pytest.raises(ConfigError, match=r"multiple of the 4 replicas \(such as 8 or 12\).* 10"):
        Share(10, replicas=2, workers=2)


def test_crops_larger_than_the_images_are_refused(splits):
    with pytest.raises(ConfigError, match=f"at most {SIZE}.*received 32"):
        reader.check_sizes(splits["train"].info, 32)


def test_a_damaged_record_stops_the_stream(tmp_path):
    info = tiny_datasets.write(tmp_path, size=SIZE, shards=1)
    path = tmp_path / shard_name("train", 0, 1)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(tf.errors.DataLossError):
        epoch(Split(tmp_path, info, "train"), DataConfig())
