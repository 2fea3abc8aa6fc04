"""Error against compute: what is counted, what is left out, and the page's part of it."""

import numpy as np
import pytest

from alexnet_tf import reproduce
from alexnet_tf.config import files as config_files
from alexnet_tf.figures.page import style
from alexnet_tf.network.cost import training_operations
from alexnet_tf.reproduction import claim_files, conclusion, result
from alexnet_tf.reproduction.compute import compute_of
from alexnet_tf.reproduction.compute_plot import compute_plot
from alexnet_tf.reproduction.outcome import Outcomes
from alexnet_tf.reproduction.page import place
from tests.alexnet_tf.reproduction import made_up
from tests.alexnet_tf.reproduction.test_other_arms import outcome_of_hog
from tests.alexnet_tf.reproduction.test_trend_claims import TREND

DATA = "a" * 64
OTHER = config_files.parse({"network": {"num_classes": 7, "input_size": 64}})
WRONG, SEEN = {"few": 400, "some": 300, "all": 200}, 50


@pytest.fixture
def concluded(write):
    """A trend's outcomes by arm, and its result."""
    claim = claim_files.load(write(**TREND))
    outcomes = {}
    for arm in claim.arms:
        config = claim_files.configuration(claim, "short", arm).with_classes(4)
        wrong = np.arange(made_up.PICTURES) < WRONG[arm]
        outcomes[arm] = [
            made_up.outcome(config, DATA, seed, wrong, images_seen=SEEN * WRONG[arm])
            for seed in (1, 2)
        ]
    return outcomes, conclusion.conclude(claim, "short", "pictures", outcomes)


def test_networks_of_the_dataset_and_the_trends_arms_from_the_least_on(concluded):
    outcomes, found = concluded
    older = [made_up.outcome(OTHER, DATA)]
    elsewhere = [made_up.outcome(OTHER, "b" * 64, images_seen=1)]
    averaged = [made_up.outcome(OTHER, DATA, images_seen=0, averaged=(1, 2))]
    half = [outcome_of_hog(DATA).model_copy(update={"config": {"fraction": 0.5}})]
    another = [made_up.outcome(OTHER, DATA, images_seen=7)]
    rows = [*outcomes.values(), older, elsewhere, averaged, another, half, [outcome_of_hog(DATA)]]
    compute = compute_of(DATA, rows, [found])
    assert compute.trends == {
        "dropout": tuple(outcomes[arm][0].identity for arm in ("few", "some", "all"))
    }
    assert compute.others == {"hog-linear-svm": pytest.approx(0.52)}
    assert len(compute.networks) == 4
    few = compute.networks[outcomes["few"][0].identity]
    network = config_files.parse(outcomes["few"][0].config).network
    assert few.operations == SEEN * 400 * training_operations(network)
    assert few.errors == (0.4, 0.4)
    assert compute.networks[another[0].identity].operations == 7 * training_operations(
        OTHER.network
    )
    without = compute_of(DATA, [outcomes["few"], outcomes["all"]], [found])
    assert without.trends == {}


def test_the_figures_points_are_where_they_belong(concluded):
    outcomes, found = concluded
    compute = compute_of(DATA, [*outcomes.values(), [outcome_of_hog(DATA)]], [found])
    with style():
        axes = compute_plot(compute).axes[0]
    [line] = [line for line in axes.lines if line.get_label() == "dropout"]
    np.testing.assert_allclose(line.get_ydata(), [0.4, 0.3, 0.2])
    assert list(line.get_xdata()) == [
        compute.networks[i].operations for i in compute.trends["dropout"]
    ]
    assert axes.get_xscale() == "log"
    assert [text.get_text() for text in axes.texts] == ["hog-linear-svm"]


def test_the_report_shows_it(concluded, tmp_path):
    """The outcomes lie in two directories, one of them twice."""
    outcomes, found = concluded
    for arm, rows in outcomes.items():
        for directory in ("one", "two")[arm == "all" :]:
            for outcome in rows:
                Outcomes(tmp_path / directory / "outcomes").keep(outcome)
    folder = place(tmp_path / "one", "dropout", "short")
    folder.mkdir(parents=True)
    result.write(found, folder / "result.json")
    page = tmp_path / "docs" / "page.md"
    arguments = ["report", str(tmp_path / "one"), str(tmp_path / "two"), "--page", str(page)]
    assert reproduce.main(arguments) == 0
    text = page.read_text()
    assert "## Error against compute: pictures\n\n3 networks, 6 trainings, with the" in text
    operations = training_operations(config_files.parse(outcomes["few"][0].config).network)
    arms = ", ".join(f"{SEEN * WRONG[a] * operations:.2g}: {WRONG[a] / 1000:.1%}" for a in WRONG)
    assert [line.split("|")[2].strip() for line in text.splitlines() if "| dropout " in line] == [
        arms
    ]
    assert f"(page-compute-{DATA[:12]}.png)" in text
    assert (page.parent / f"page-compute-{DATA[:12]}.png").read_bytes()[:4] == b"\x89PNG"
