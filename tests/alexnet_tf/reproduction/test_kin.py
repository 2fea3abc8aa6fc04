"""Which trainings tell how a claim's seeds spread."""

import numpy as np
import pytest

from alexnet_tf.reproduction import claim_files, conclusion, kin
from alexnet_tf.reproduction.claim_parts import Measure
from alexnet_tf.reproduction.identity import average_identity
from tests.alexnet_tf.reproduction import made_up


@pytest.fixture
def claim(write):
    return claim_files.load(write(measure={"name": "top-1 error"}))


def trained(claim, arm="with", seeds=2, rate=None, **changes):
    """Outcomes of an arm, or of a network like it with another rate of dropout."""
    config = claim_files.configuration(claim, "full", arm).with_classes(4)
    if rate is not None:
        dropout = config.network.dropout.model_copy(update={"rate": rate})
        network = config.network.model_copy(update={"dropout": dropout})
        config = config.model_copy(update={"network": network})
    dataset = changes.pop("dataset", "data")
    return [
        made_up.outcome(
            config, dataset, seed, wrong=np.arange(made_up.PICTURES) < 300 + 5 * seed, **changes
        )
        for seed in range(1, seeds + 1)
    ]


def test_those_trained_alike_with_two_seeds(claim):
    arms = {"with": trained(claim, "with", 1), "without": trained(claim, "without", 1)}
    alike, single = trained(claim, rate=0.1), trained(claim, rate=0.2, seeds=1)
    longer = trained(claim, rate=0.3, training_error=(0.5, 0.4, 0.3))
    elsewhere = trained(claim, rate=0.4, dataset="others")
    others = [*arms.values(), alike, single, longer, elsewhere]
    assert kin.of(claim, arms, others) == [alike]


def test_the_arms_themselves_are_none(claim):
    arms = {"with": trained(claim, "with"), "without": trained(claim, "without")}
    assert kin.of(claim, arms, list(arms.values())) == []


def test_arms_trained_unlike_have_none(claim):
    arms = {
        "with": trained(claim, "with"),
        "without": trained(claim, "without", training_error=(0.5, 0.4, 0.3)),
    }
    assert kin.of(claim, arms, [trained(claim, rate=0.1)]) == []


def test_an_arm_of_one_seed_has_the_other_seeds_that_there_are(claim):
    arms = {"with": trained(claim, "with", 1), "without": trained(claim, "without", 1)}
    further = trained(claim, "with", 3)
    assert kin.of(claim, arms, [further, arms["without"]]) == [further]
    arms["with"] = further[:2]
    assert kin.of(claim, arms, [further, arms["without"]]) == []


def test_single_seeds_have_whatever_was_trained_on_their_data(claim):
    arms = {"with": trained(claim, "with", 1), "without": trained(claim, "without", 1)}
    longer = trained(claim, rate=0.3, training_error=(0.5, 0.4, 0.3))
    elsewhere = trained(claim, rate=0.4, dataset="others")
    assert kin.of(claim, arms, [longer, elsewhere]) == [longer]
    assert not kin.are_alike(list(arms.values()), [longer])
    alike = trained(claim, rate=0.1)
    assert kin.of(claim, arms, [longer, alike]) == [alike]
    assert kin.are_alike(list(arms.values()), [alike])
    arms["with"] = trained(claim, "with", 2)
    assert kin.of(claim, arms, [longer, elsewhere]) == []


def test_the_same_trainings_in_other_views_have_those_like_them(claim):
    arms = {"with": trained(claim), "without": trained(claim)}
    alike = trained(claim, rate=0.1)
    assert kin.same_runs(*arms.values())
    assert kin.of(claim, arms, [alike]) == [alike]


def test_an_average_and_its_networks_have_none(claim):
    networks = trained(claim)
    same = average_identity(networks[0].identity, (1, 2))
    average = networks[0].model_copy(update={"identity": same, "averaged": (1, 2)})
    assert kin.same_runs([average], networks)
    assert kin.same_runs(networks, [average])
    assert not kin.same_runs([average], networks[:1])
    assert kin.of(claim, {"with": [average], "without": networks}, [trained(claim, rate=0.1)]) == []


def test_epochs_until_an_error_have_none(claim):
    measure = Measure(name="epochs until training error", below=0.3)
    arms = {"with": trained(claim, "with"), "without": trained(claim, "without")}
    counted = claim.model_copy(update={"measure": measure})
    assert kin.of(counted, arms, [trained(claim, rate=0.1)]) == []


def test_with_them_single_seeds_allow_for_seeds(claim):
    arms = {"with": trained(claim, "with", 1), "without": trained(claim, "without", 1)}
    alone = conclusion.conclude(claim, "full", "pictures", arms)
    assert alone.covered.startswith("pictures only")
    assert alone.verdict == "inconclusive"
    found = conclusion.conclude(
        claim, "full", "pictures", arms, [trained(claim, rate=0.1, seeds=3)]
    )
    assert found.covered.startswith("pictures and seeds")
    assert found.high - found.low > alone.high - alone.low
