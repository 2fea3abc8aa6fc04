"""What a finished job is held against before its dataset is published."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from preprocessing.errors import JobError
from preprocessing.images.convert import ImageOptions
from preprocessing.job.publication import _check_rejects
from preprocessing.job.request import Conversion
from preprocessing.job.workspace import JobFolder
from preprocessing.sources.listing import RejectEntry
from preprocessing.storage.files import LocalFiles

FOLDER = JobFolder(LocalFiles(), "out", "key")
REJECT = RejectEntry("train", "x.jpg", "in", "empty", "no bytes")


def check(rejects, images, max_rejects):
    asked = Conversion("folder", "in", "out", ImageOptions(), max_rejects=max_rejects)
    _check_rejects(FOLDER, asked, [REJECT] * rejects, images)


@st.composite
def counts(draw):
    """Rejects, and images of which they are some or all."""
    rejects = draw(st.integers(1, 2000))
    return rejects, draw(st.integers(rejects, 10**9))


@given(counts())
@example((3, 10_000))  # 0.0003 * 10000 < 3
@example((1, 1))
@example((999, 1000))
def test_the_suggested_share_of_rejects_is_enough_and_a_round_one(some):
    rejects, images = some
    with pytest.raises(JobError) as told:
        check(rejects, images, 0.0)
    share = re.search(r"a larger --max-rejects, such as ([0-9.]+):", str(told.value))[1]
    assert re.fullmatch(r"0\.0*[1-9]|1", share)
    check(rejects, images, float(share))
    assert float(share) <= 2 * rejects / images  # one digit's worth above


@given(counts())
def test_the_share_itself_is_enough_and_less_is_not(some):
    rejects, images = some
    check(rejects, images, rejects / images)
    with pytest.raises(JobError, match=f"^{rejects} of {images} images were rejected"):
        check(rejects, images, (rejects - 0.5) / images)


@pytest.mark.parametrize("images", [0, 5])
def test_no_rejects_are_never_too_many(images):
    check(0, images, 0.0)
