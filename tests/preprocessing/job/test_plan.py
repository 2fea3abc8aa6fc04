"""The plan: each image once, in an order that the seed alone decides."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.dataset.info import ClassName
from preprocessing.dataset.names import shard_name
from preprocessing.errors import DatasetError
from preprocessing.job.plan import (
    default_shard_count,
    make_plan,
    parse_shard_counts,
    read_plan,
    shard_order,
    write_plan,
)
from preprocessing.sources.listing import ImageList, ImageRef, Listing
from preprocessing.storage.files import LocalFiles

refs = st.builds(
    ImageRef,
    container=st.integers(0, 2**31 - 1),
    name=st.text(st.characters(), max_size=12).map(lambda s: s.encode("utf-8", "replace").decode()),
    offset=st.integers(-1, 2**62),
    size=st.integers(0, 2**62),
    label=st.integers(-1, 2**31 - 1),
)


def listing(count, classes=5):
    result = Listing(classes=tuple(ClassName(f"c{k}", f"c{k}") for k in range(classes)))
    container = result.add_container("folder", "f")
    for n in range(count):
        result.add("train", ImageRef(container, f"{n}.jpg", -1, n, n * classes // count))
    return result


def planned(folder, source, shards, seed=0):
    plan = make_plan(source, {"train": shards}, seed)
    path = str(folder / plan.digest)
    write_plan(LocalFiles(), path, plan)
    return [(task, list(read_plan(LocalFiles(), path, task))) for task in plan.tasks]


@given(st.lists(refs, max_size=20))
def test_image_lists_keep_and_carry_everything(some):
    images = ImageList()
    for ref in some:
        images.append(ref)
    assert list(images) == some
    assert list(ImageList.from_bytes(images.to_bytes())) == some


def test_image_list_of_other_length_is_refused():
    images = ImageList()
    images.append(ImageRef(0, "name", 1, 2, 3))
    with pytest.raises(ValueError, match="expected 1 images"):
        ImageList.from_bytes(images.to_bytes()[:-2])


@settings(max_examples=25)
@given(st.integers(1, 60), st.data())
def test_each_image_stands_in_one_shard(tmp_path_factory, count, data):
    shards = data.draw(st.integers(1, count))
    source = listing(count)
    parts = planned(tmp_path_factory.mktemp("plan"), source, shards)
    names = [task.name for task, _ in parts]
    assert names == [shard_name("train", index, shards) for index in range(shards)]
    sizes = [len(images) for _, images in parts]
    assert sizes == [task.images for task, _ in parts]
    assert max(sizes) - min(sizes) <= 1
    together = Counter(ref for _, images in parts for ref in images)
    assert together == Counter(source.splits["train"])


def test_the_order_is_that_of_the_seed_not_of_shards_or_listing(tmp_path):
    source = listing(50)
    whole = [ref.name for ref in planned(tmp_path, source, 1)[0][1]]
    cut = [ref.name for _, part in planned(tmp_path, source, 7) for ref in part]
    assert cut == whole
    backwards = listing(50)
    backwards.splits["train"] = backwards.splits["train"].selected(np.arange(50)[::-1])
    assert [ref.name for ref in planned(tmp_path, backwards, 1)[0][1]] == whole
    other = [ref.name for ref in planned(tmp_path, source, 1, seed=1)[0][1]]
    assert other != whole
    assert sorted(other) == sorted(whole)


def test_classes_are_mixed_throughout(tmp_path):
    """1,000 images that come class by class: 10 shards of 100, each class expected 20 times."""
    for _, images in planned(tmp_path, listing(1000), 10):
        counts = Counter(ref.label for ref in images)
        assert min(counts[label] for label in range(5)) >= 5


def test_the_order_does_not_change_between_versions():
    """Golden: a changed order would make resumed and repeated conversions differ."""
    assert shard_order(listing(8), "train", 0)[0].tolist() == [2, 7, 0, 6, 1, 4, 3, 5]


def test_a_repeated_name_is_a_reject():
    source = listing(10)
    source.add("train", source.splits["train"][4])
    plan = make_plan(source, {}, 0)
    assert sorted(plan.splits[0].order) == list(range(10))
    (reject,) = plan.rejects
    assert (reject.filename, reject.reason) == ("4.jpg", "repeated-name")


@pytest.mark.parametrize(
    ("split", "images", "expected"),
    [
        ("train", 1_281_167, 1024),
        ("validation", 50_000, 128),
        ("test", 100_000, 128),
        ("train", 14_000_000, 1024),
        ("train", 5000, 40),
        ("validation", 500, 4),
        ("train", 129, 2),
        ("train", 128, 1),
        ("train", 1, 1),
    ],
)
def test_default_shard_counts(split, images, expected):
    assert default_shard_count(split, images) == expected


def test_shard_counts_as_typed():
    assert parse_shard_counts("train=1024,validation=128") == {"train": 1024, "validation": 128}


@pytest.mark.parametrize(
    "text", ["5", "train", "train=", "train=0", "train=-1", "val=3", "train=²"]
)
def test_other_shard_counts_are_refused(text):
    with pytest.raises(DatasetError, match="expected --shards"):
        parse_shard_counts(text)


def test_more_shards_than_images(tmp_path):
    with pytest.raises(DatasetError, match="at most 3 shards"):
        planned(tmp_path, listing(3), 4)


def test_shards_of_a_split_that_is_not_there():
    with pytest.raises(DatasetError, match="'test'"):
        make_plan(listing(3), {"test": 1}, 0)
