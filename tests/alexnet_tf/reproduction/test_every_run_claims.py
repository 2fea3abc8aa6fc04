"""Claims about every run: which runs are counted, the verdict, what is said and drawn."""

import numpy as np
import pytest
import yaml
from matplotlib.colors import to_hex

from alexnet_tf.errors import ConfigError, RunError
from alexnet_tf.figures.page import GREY, style
from alexnet_tf.reproduction import claim_files, conclusion, page, specialization, words
from alexnet_tf.reproduction.kernel_color import Kernels, chance
from alexnet_tf.reproduction.plot import plot
from tests.alexnet_tf.reproduction import made_up
from tests.alexnet_tf.reproduction.conftest import CLAIM

EVERY_RUN = {
    "measure": {"name": "difference in color"},
    "comparison": {"kind": "every-run", "arm": "with", "at_least": 0.5},
    "published": {"effect": 1.0},
    "differ_in": [],
    "arms": {"with": {"config": "tiny.yaml"}},
}
GREY_TOWER = Kernels(energy=(1.0,) * 24, color=(0.1,) * 24)
COLORED = Kernels(energy=(1.0,) * 24, color=(0.9,) * 24)
MIXED = Kernels(energy=(1.0,) * 24, color=(0.1, 0.9) * 12)


@pytest.fixture
def conclude(write):
    def conclude(own, others=()):
        """Args: first layers of the arm's seeds, and of other networks' further ones."""
        claim = claim_files.load(write(**EVERY_RUN))
        config = claim_files.configuration(claim, "full", "with").with_classes(4)

        def trained(layers, rate=0.5, dataset="data", first=1, **changes):
            dropout = config.network.dropout.model_copy(update={"rate": rate})
            network = config.network.model_copy(update={"dropout": dropout})
            changed = config.model_copy(update={"network": network})
            return [
                made_up.outcome(changed, dataset, seed, first_layer=layer, **changes)
                for seed, layer in enumerate(layers, first)
            ]

        before = [len(own) + sum(map(len, others[:i])) for i in range(len(others))]
        rest = [
            trained(layers, 0.1 + 0.01 * i, first=1 + before[i]) for i, layers in enumerate(others)
        ]
        rest.append(trained([ALIKE], 0.3))  # a seed that is counted already
        elsewhere = trained([(GREY_TOWER, GREY_TOWER)], dataset="others")
        longer = trained([(MIXED, MIXED)], training_error=(0.5, 0.4, 0.3))
        arms = {"with": trained(own)}
        return conclusion.conclude(claim, "full", "pictures", arms, [*rest, elsewhere, longer])

    return conclude


SPLIT, ALIKE = (COLORED, GREY_TOWER), (MIXED, MIXED)


@pytest.mark.parametrize(
    ("own", "others", "effect", "verdict"),
    [
        ([SPLIT, SPLIT], [[SPLIT, SPLIT], [SPLIT] * 2], 1.0, "verified"),
        ([SPLIT, ALIKE], [], 0.5, "inconclusive"),
        ([ALIKE, ALIKE], [[ALIKE, SPLIT], [ALIKE] * 6], 1 / 10, "inconclusive"),
        ([ALIKE], [], 0, "inconclusive"),  # one run may be the exception
    ],
)
def test_the_share_of_runs_that_chance_hardly_makes(conclude, own, others, effect, verdict):
    found = conclude(own, others)
    assert found.effect == pytest.approx(effect)
    assert found.verdict == verdict
    assert len(found.runs) == len(own) + sum(map(len, others))
    first = found.runs[0]
    assert first.color == pytest.approx((0.9, 0.1) if own[0] is SPLIT else (0.5, 0.5))
    assert first.chance == pytest.approx(chance(own[0]))
    assert found.arms["with"].by_seed[0] == pytest.approx(first.color[0] - first.color[1])


@pytest.mark.parametrize(
    ("found", "of", "low", "high"),
    [(0, 1, 0, 0.975), (2, 2, 0.025**0.5, 1), (40, 40, 0.025 ** (1 / 40), 1)],
)
def test_the_exact_interval_of_none_and_of_all(found, of, low, high):
    """All of n runs have the probability 2.5 % where their share is 0.025^(1/n)."""
    one = specialization.TowersOfRun(identity="a", seed=1, color=(0, 1), chance=0.001)
    other = one.model_copy(update={"chance": 0.5})
    runs = [one] * found + [other] * (of - found)
    assert specialization.share(runs, 0.01) == pytest.approx((found / of, low, high))


def test_other_networks_that_do_not_say_it_do_not_count(conclude):
    one_tower, unknown = (GREY_TOWER,), None
    found = conclude([SPLIT], [[one_tower], [unknown, SPLIT], [()]])
    assert [(run.seed, run.chance < 0.01) for run in found.runs] == [(1, True), (4, True)]


@pytest.mark.parametrize("layer", [None, (), (GREY_TOWER,)])
def test_an_arm_that_does_not_say_it_is_named(conclude, layer):
    with pytest.raises(RunError, match=r"kernels of two towers in the outcome of paper-.*, seed 2"):
        conclude([SPLIT, layer])


def test_what_is_said_of_it(conclude, tmp_path):
    found = conclude([SPLIT, SPLIT], [[ALIKE, SPLIT]])
    said = words.paragraph(found)
    assert "Published: effect 100.0% of the runs. Here the difference in color of the tower" in said
    assert "with 80.0% (seeds 80.0%, 80.0%) after 2 epochs; so in 75.0% (" in said
    assert "over 50%. The interval holds 95 % over 4 runs." in said
    text = page.markdown([(tmp_path / "result.json", found)], tmp_path / "page.md")
    assert (
        "make them differ as much in at most 1% of cases. Runs are those of with, and, of other"
        in text
    )
    own, other = found.runs[0].identity, found.runs[2].identity
    assert [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith((f"| {own}", f"| {other}"))
    ] == [
        [own, "1", "90.0%", "10.0%", "0.0001"],
        [own, "2", "90.0%", "10.0%", "0.0001"],
        [other, "3", "50.0%", "50.0%", "1"],
        [other, "4", "90.0%", "10.0%", "0.0001"],
    ]


def test_the_plot_has_a_dot_for_each_run(conclude):
    with style():
        towers = plot(conclude([SPLIT], [[ALIKE, SPLIT]])).axes[1]
    dots = [line for line in towers.lines if len(line.get_xdata()) == 1]
    places = [(line.get_xdata()[0], line.get_ydata()[0]) for line in dots]
    np.testing.assert_allclose(places, [(0.1, 0.9), (0.5, 0.5), (0.1, 0.9)])
    assert [line.get_markerfacecolor() == "none" for line in dots] == [False, True, False]
    assert [to_hex(line.get_color()) == GREY for line in dots] == [False, True, True]


MISTAKES = {
    "comparison.kind: expected every-run with 'difference in color' and nowhere else": {
        "measure": {"name": "top-1 error"}
    },
    "comparison.at_least: Input should be less than 1": {
        "comparison": EVERY_RUN["comparison"] | {"at_least": 1}
    },
    "comparison.arm: expected a network of 2 towers, received 1": {
        "arms": {"with": {"config": "tiny.yaml", "overrides": ["network.towers=1"]}}
    },
}


@pytest.mark.parametrize("expected", MISTAKES)
def test_mistakes_are_one_line(write, expected):
    with pytest.raises(ConfigError) as caught:
        claim_files.load(write(**yaml.safe_load(CLAIM) | EVERY_RUN | MISTAKES[expected]))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
