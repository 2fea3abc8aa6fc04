import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet_tf.evaluation.interval import wilson

Z95 = 1.959963984540054  # the normal distribution's 97.5 % point


def formula(error: float, examples: int) -> tuple[float, float]:
    """Wilson's ends: the roots p of (p − error)² = z²·p·(1 − p) / examples."""
    share = Z95**2 / examples
    center = (error + share / 2) / (1 + share)
    half = Z95 / (1 + share) * (error * (1 - error) / examples + share / examples / 4) ** 0.5
    return center - half, center + half


def test_wilson_by_hand():
    # 10 of 100 wrong: the published example of the score interval, 5.52 % to 17.44 %.
    low, high = wilson(0.1, 100)
    assert low == pytest.approx(0.05522914, abs=1e-7)
    assert high == pytest.approx(0.17436566, abs=1e-7)


@given(st.integers(1, 5000), st.data())
def test_wilson_against_the_formula(examples, data):
    wrong = data.draw(st.integers(0, examples))
    assert wilson(wrong / examples, examples) == pytest.approx(
        formula(wrong / examples, examples), abs=1e-9
    )


@given(st.integers(1, 5000), st.data())
def test_shared_credit_lies_within_and_widens_by_less_than_an_image(examples, data):
    wrong = data.draw(st.floats(0, examples))
    low, high = wilson(wrong / examples, examples)
    below, above = formula(wrong / examples, examples)
    rounding = 2e-6 / examples  # what ROUNDING may cut off
    assert 0 <= low <= below + rounding
    assert above - rounding <= high <= 1
    fewer, more = max(0.0, wrong - 1) / examples, min(examples, wrong + 1) / examples
    assert low >= formula(fewer, examples)[0] - 1e-9
    assert high <= formula(more, examples)[1] + 1e-9


@pytest.mark.parametrize(("error", "examples"), [(0.5, 0), (-0.1, 5), (1.1, 5), (float("nan"), 5)])
def test_wilson_refuses(error, examples):
    with pytest.raises(ValueError, match="at least one image"):
        wilson(error, examples)
