"""Claims of a trend: what of them is refused, the verdict, and what is said of the slope."""

import numpy as np
import pytest
import yaml

from alexnet_tf.errors import ConfigError
from alexnet_tf.figures.page import style
from alexnet_tf.reproduction import claim_files, conclusion, words
from alexnet_tf.reproduction.plot import plot
from tests.alexnet_tf.reproduction import made_up
from tests.alexnet_tf.reproduction.conftest import CLAIM

TREND = {
    "comparison": {
        "kind": "trend",
        "factor": "pictures",
        "at": {"few": 0.25, "some": 0.5, "all": 1},
    },
    "published": {"effect": -0.063},
    "differ_in": ["data.fraction"],
    "arms": {
        "all": {"config": "tiny.yaml"},
        "some": {"config": "tiny.yaml", "overrides": ["data.fraction=0.5"]},
        "few": {"config": "tiny.yaml", "overrides": ["data.fraction=0.25"]},
    },
}


@pytest.fixture
def conclude(write):
    def conclude(wrong, **changes):
        """Args: of 1000 pictures how many each arm takes for another class, by arm."""
        claim = claim_files.load(write(**TREND | changes))
        outcomes = {}
        for arm in claim.arms:
            config = claim_files.configuration(claim, "short", arm).with_classes(4)
            errors = np.arange(made_up.PICTURES) < wrong[arm]
            outcomes[arm] = [made_up.outcome(config, "data", seed, errors) for seed in (1, 2)]
        return conclusion.conclude(claim, "short", "pictures", outcomes)

    return conclude


@pytest.mark.parametrize(
    ("few", "verdict"), [(400, "verified"), (200, "inconclusive"), (100, "contradicted")]
)
def test_the_verdict_is_that_of_the_slope(conclude, few, verdict):
    """Halved twice, the effect is half of what the ends differ by, whatever the middle."""
    found = conclude({"few": few, "some": 300, "all": 200})
    assert found.effect == pytest.approx((0.2 - few / 1000) / 2)
    assert found.verdict == verdict
    assert found.compared == ("few", "some", "all")
    assert found.trend.places == (-2, -1, 0)


def test_what_is_said_of_it(conclude):
    found = conclude({"few": 400, "some": 300, "all": 200})
    said = words.paragraph(found)
    assert "Published: effect −6.30 points a doubling. Here the top-1 error on 1,000" in said
    assert "all 20.0% (seeds 20.0%, 20.0%) after 2 epochs, few 40.0%" in said
    assert "; slope −10.00 (−1" in said
    assert ") points a doubling. The effect is a slope; the claim is that it is below 0." in said


def test_a_unit_of_its_own(conclude):
    layers = TREND["comparison"] | {"at": {"few": 5, "some": 6, "all": 8}, "per": "layer"}
    found = conclude({"few": 400, "some": 300, "all": 200}, comparison=layers)
    assert found.trend.places == (5, 6, 8)
    slope = np.polyfit([5, 6, 8], [0.4, 0.3, 0.2], 1)[0]
    assert found.effect == pytest.approx(slope)
    assert words.effect_with_interval(found).endswith("points a layer")


def test_of_differences_from_other_arms(conclude):
    """The one falls by 20 points over two doublings, the other by 4."""
    more = {
        name: {"config": "tiny.yaml", "overrides": [*arm.get("overrides", ()), "data.flip=false"]}
        for name, arm in TREND["arms"].items()
    }
    trend = TREND["comparison"] | {"than": {arm: f"{arm}-unflipped" for arm in TREND["arms"]}}
    wrong = {"few": 400, "some": 300, "all": 200}
    wrong |= {"few-unflipped": 460, "some-unflipped": 440, "all-unflipped": 420}
    arms = TREND["arms"] | {f"{name}-unflipped": arm for name, arm in more.items()}
    found = conclude(wrong, arms=arms, comparison=trend, differ_in=["data.fraction", "data.flip"])
    assert found.effect == pytest.approx(-0.1 + 0.02)
    assert found.compared[3:] == ("few-unflipped", "some-unflipped", "all-unflipped")
    assert found.verdict == "verified"
    with style():
        panel = plot(found).axes[1]
    assert panel.get_title(loc="right").startswith("difference: −8.00 (")
    lines = {
        line.get_linestyle(): line.get_ydata() for line in panel.lines if len(line.get_xdata()) == 2
    }
    np.testing.assert_allclose(lines["-"], [0.4, 0.2])
    np.testing.assert_allclose(lines["--"], [0.46, 0.42])


def test_the_plot_has_the_line_and_its_interval(conclude):
    with style():
        course, panel = plot(conclude({"few": 400, "some": 280, "all": 200})).axes
    assert course.get_xlabel() == "share of the training"
    assert panel.get_xlabel() == "pictures, logarithmic"
    assert [text.get_text() for text in panel.get_xticklabels()] == ["0.25", "0.5", "1"]
    [line] = [line for line in panel.lines if line.get_linestyle() == "-"]
    np.testing.assert_allclose(line.get_xdata(), [-2, 0])
    middle = (400 + 280 + 200) / 3000
    np.testing.assert_allclose(line.get_ydata(), [middle + 0.1, middle - 0.1])
    assert len(panel.collections) == 1


ARMS = TREND["arms"]
MISTAKES = {
    "comparison.at.few: Input should be greater than 0; received 0.0": {
        "comparison": TREND["comparison"] | {"at": {"few": 0.0, "all": 1}}
    },
    "comparison.at: expected two numbers or more": {
        "comparison": TREND["comparison"] | {"at": {"few": 1, "all": 1}}
    },
    "comparison: expected some of all, few, some, received 'none'": {
        "comparison": TREND["comparison"] | {"at": {"few": 1, "none": 2}}
    },
    "comparison.than: expected few, some, all, received {'few': 'all'}": {
        "comparison": TREND["comparison"] | {"than": {"few": "all"}}
    },
    "measure.name: expected top-1 error or top-5 error with a trend": {
        "measure": {"name": "training error"}
    },
    "differ_in: at scale full the arms also differ in training.epochs: 3 → 2": {
        "arms": ARMS | {"few": {**ARMS["few"], "overrides": ["training.epochs=3"]}}
    },
    "expected two arms, some and all are the same": {"arms": ARMS | {"some": ARMS["all"]}},
}


@pytest.mark.parametrize("expected", MISTAKES)
def test_mistakes_are_one_line(write, expected):
    tree = yaml.safe_load(CLAIM) | TREND | MISTAKES[expected]
    if "training.epochs" in expected:
        tree["scales"]["short"] = tree["scales"]["full"]
    with pytest.raises(ConfigError) as caught:
        claim_files.load(write(**tree))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
