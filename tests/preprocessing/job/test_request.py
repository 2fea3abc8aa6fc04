"""A job's identity: each option that shapes the bytes is in it, without being named here."""

import argparse
import dataclasses

import numpy as np
import pytest

from preprocessing.images.convert import ImageOptions
from preprocessing.job.plan import make_plan
from preprocessing.job.request import Conversion, difference, job_identity, option_of
from preprocessing.sources.listing import ImageRef, Listing
from preprocessing.verbs import convert


def identity(images, seed=0):
    listing = Listing()
    container = listing.add_container("folder", "f")
    for n in range(4):
        listing.add("train", ImageRef(container, f"{n}.jpg", -1, n, -1))
    return job_identity(
        Conversion("folder", "in", "out", images, seed), listing, make_plan(listing, {}, seed)
    )


OTHER = {
    "size": 17,
    "filter": "bicubic",
    "encoding": "raw",
    "quality": 90,
    "apply_exif": True,
    "max_pixels": 1000,
}


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(ImageOptions)])
def test_every_image_option_is_part_of_it(name):
    before, after = ImageOptions(), ImageOptions(**{name: OTHER[name]})
    told = difference(identity(before), identity(after))
    assert f"{option_of(name)} was {getattr(before, name)}, is {OTHER[name]}" in told


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(ImageOptions)])
def test_every_image_option_can_be_asked_for(name):
    parser = argparse.ArgumentParser()
    convert.add_parser(parser.add_subparsers())
    value = OTHER[name]
    given = [option_of(name)] if value is True else [option_of(name), str(value)]
    asked = parser.parse_args(["convert", "--source=folder", "--input=a", "--output=b", *given])
    assert getattr(convert._conversion(asked).images, name) == value


def test_a_field_that_is_new_needs_no_line_in_request():
    @dataclasses.dataclass(frozen=True)
    class Extended(ImageOptions):
        color_gain: float = 1.0

    assert identity(Extended())["--color-gain"] == "1.0"
    told = difference(identity(Extended()), identity(Extended(color_gain=2.0)))
    assert told == "--color-gain was 1.0, is 2.0"


def test_the_order_of_the_images_is_told_only_where_nothing_else_differs():
    before = identity(ImageOptions())
    assert difference(before, identity(ImageOptions(), seed=1)) == "--seed was 0, is 1"
    other = {**before, "order of the images": "0" * 64}
    assert difference(other, before).startswith("order of the images was 000")


def test_planning_changes_nothing():
    listing = Listing()
    container = listing.add_container("folder", "f")
    for n in (1, 2, 2, 3):
        listing.add("train", ImageRef(container, f"{n}.jpg", -1, n, -1))
    plan = make_plan(listing, {}, 0)
    assert listing.rejects == []
    assert len(listing.splits["train"]) == 4
    assert [reject.filename for reject in plan.rejects] == ["2.jpg"]
    again = make_plan(listing, {}, 0)
    assert again.digest == plan.digest
    np.testing.assert_array_equal(again.splits[0].order, plan.splits[0].order)
    assert make_plan(listing, {}, 1).digest != plan.digest
