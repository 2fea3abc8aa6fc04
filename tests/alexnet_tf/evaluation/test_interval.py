import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from alexnet_tf.evaluation.interval import wilson


def test_wilson_by_hand():
    # 10 of 100 wrong: the published example of the score interval, 5.52 % to 17.44 %.
    low, high = wilson(0.1, 100)
    assert low == pytest.approx(0.05522914, abs=1e-7)
    assert high == pytest.approx(0.17436566, abs=1e-7)


@given(st.integers(1, 5000), st.data())
def test_wilson_against_scipy(examples, data):
    wrong = data.draw(st.integers(0, examples))
    expected = stats.binomtest(wrong, examples).proportion_ci(0.95, method="wilson")
    assert wilson(wrong / examples, examples) == pytest.approx(tuple(expected), abs=1e-9)


@pytest.mark.parametrize(("error", "examples"), [(0.5, 0), (-0.1, 5), (1.1, 5), (float("nan"), 5)])
def test_wilson_refuses(error, examples):
    with pytest.raises(ValueError, match="at least one image"):
        wilson(error, examples)
