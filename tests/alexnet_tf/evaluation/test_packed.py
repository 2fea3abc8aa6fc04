"""Truths of images, packed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet_tf.evaluation.packed import pack, unpack


def test_by_hand():
    # 1010 0000 | 1000 0000 = a0 80
    truths = np.array([True, False, True, False, False, False, False, False, True])
    assert pack(truths) == "oIA="
    np.testing.assert_array_equal(unpack("oIA=", 9), truths)


@given(st.lists(st.booleans(), max_size=70))
def test_any_are_unpacked(truths):
    np.testing.assert_array_equal(unpack(pack(np.array(truths, bool)), len(truths)), truths)


@pytest.mark.parametrize(("text", "count"), [("oIA=", 8), ("oIA=", 17), ("o", 1), ("?A==", 8)])
def test_others_are_refused(text, count):
    with pytest.raises(ValueError):  # noqa: PT011
        unpack(text, count)
