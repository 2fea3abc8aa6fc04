"""Columns of image references: what is picked and taken out is what a plain list would give."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.dataset.info import ClassName
from preprocessing.sources import listing as listing_module
from preprocessing.sources.class_folders import _hold_out
from preprocessing.sources.listing import ImageList, ImageRef, Listing

refs = st.builds(
    ImageRef,
    container=st.integers(0, 2**31 - 1),
    name=st.text(max_size=9).map(lambda s: s.encode("utf-8", "replace").decode()),
    offset=st.integers(-1, 2**62),
    size=st.integers(0, 2**62),
    label=st.integers(-1, 2**31 - 1),
)


def columns(some):
    images = ImageList()
    for ref in some:
        images.append(ref)
    return images


@pytest.fixture(params=[1, 2, 7, 1 << 16], autouse=True)
def _blocks(request, monkeypatch):
    """Names are gathered block by block; seams between blocks must not show."""
    monkeypatch.setattr(listing_module, "_BLOCK", request.param)


@given(st.lists(refs, max_size=12), st.data())
def test_selecting(some, data):
    indices = st.lists(st.integers(0, len(some) - 1), max_size=20) if some else st.just([])
    picked = data.draw(indices)
    images = columns(some)
    assert list(images.selected(np.array(picked, np.int64))) == [some[i] for i in picked]
    assert list(images) == some


@given(st.lists(st.tuples(refs, st.booleans()), max_size=12))
def test_taking_out(some):
    images = columns(ref for ref, _ in some)
    taken = images.take_out(np.array([out for _, out in some], bool))
    assert list(taken) == [ref for ref, out in some if out]
    assert list(images) == [ref for ref, out in some if not out]
    more = ImageRef(1, "more", 2, 3, 4)
    images.append(more)  # what is left can still grow
    assert images[len(images) - 1] == more


def numbered(classes, per_class):
    result = Listing(classes=tuple(ClassName(f"c\udcff{k}", "") for k in range(classes)))
    for k in range(classes):
        container = result.add_container("folder", str(k))
        for n in range(per_class + k):
            result.add("train", ImageRef(container, f"é\udc80{n}.jpg", -1, n, k))
    return result


def test_hashes_are_those_of_the_keys_and_the_seed():
    """BLAKE2b of "seed/purpose + key", from its definition."""
    listing = numbered(3, 4)
    keys = [listing.order_key("train", ref) for ref in listing.splits["train"]]
    expected = [
        int(
            hashlib.blake2b(
                f"5/held-out/{key}".encode("utf-8", "surrogateescape"), digest_size=8
            ).hexdigest(),
            16,
        )
        for key in keys
    ]
    assert listing.order_hashes("train", 5, "held-out/").tolist() == expected


def test_an_unlabelled_image_has_no_class_in_its_key():
    listing = numbered(2, 1)
    listing.add("test", ImageRef(0, "x.jpg", -1, 1, -1))
    expected = hashlib.blake2b(b"0/test//x.jpg", digest_size=8).digest()
    assert listing.order_hashes("test", 0).tolist() == [int.from_bytes(expected, "big")]


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
def test_the_held_out_are_those_of_the_lowest_hashes_of_each_class(fraction):
    listing, whole = numbered(6, 5), numbered(6, 5).splits["train"]
    hashes = listing.order_hashes("train", 3, "held-out/").tolist()
    expected = set()
    for k in range(6):
        members = sorted((hashes[i], i) for i in range(len(whole)) if whole[i].label == k)
        count = max(1, int(len(members) * fraction + 0.5))
        expected |= {i for _, i in members[:count]}
    _hold_out(listing, 3, fraction)
    assert list(listing.splits["validation"]) == [whole[i] for i in sorted(expected)]
    rest = [whole[i] for i in range(len(whole)) if i not in expected]
    assert list(listing.splits["train"]) == rest
