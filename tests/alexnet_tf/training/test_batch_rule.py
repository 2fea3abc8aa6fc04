"""Rates for other batch sizes: off unless asked for; computed by hand."""

import pytest

from alexnet_tf.config import files as config_files
from alexnet_tf.training.schedule import Schedule


def schedule(batch: int, rule: dict, **more) -> Schedule:
    rates = {"rate": [[0, 0.01], [8, 0.001]], "bias_rate": [[0, 0.02]], **more}
    return Schedule(
        config_files.parse(
            {
                "network": {"variant": "paper"},
                "training": {"global_batch_size": batch},
                "schedule": {**rates, "batch_rule": rule},
            }
        )
    )


@pytest.mark.parametrize("batch", [32, 128, 512])
def test_off_by_default(batch):
    assert schedule(batch, {}).rate("conv1", "kernel", 9, 0.5) == 0.001
    assert schedule(batch, {}).rate("conv1", "kernel", 0, 0.0) == 0.01


@pytest.mark.parametrize(
    ("name", "batch", "factor"),
    [("linear", 512, 4), ("sqrt", 512, 2), ("linear", 32, 0.25), ("sqrt", 32, 0.5)],
)
def test_after_the_warm_up_every_rate_is_multiplied(name, batch, factor):
    rates = schedule(batch, {"name": name}, layer_rates={"conv2": [[0, 0.3]]})
    assert rates.rate("conv1", "kernel", 5, 0.0) == pytest.approx(0.01 * factor)
    assert rates.rate("conv1", "kernel", 8, 0.0) == pytest.approx(0.001 * factor)
    assert rates.rate("conv1", "bias", 8, 0.0) == pytest.approx(0.02 * factor)
    assert rates.rate("conv2", "kernel", 8, 0.0) == pytest.approx(0.3 * factor)


def test_a_larger_rate_is_grown_into():
    rates = schedule(256, {"name": "linear", "reference": 64, "warmup_epochs": 2})  # factor 4
    seen = [
        rates.rate("conv1", "kernel", epoch, part) for epoch, part in ((0, 0), (0, 0.5), (1, 0))
    ]
    assert seen == pytest.approx([0.01, 0.0175, 0.025])
    assert rates.rate("conv1", "kernel", 2, 0.0) == pytest.approx(0.04)


def test_a_smaller_rate_holds_from_the_start():
    rates = schedule(32, {"name": "linear"})
    assert rates.rate("conv1", "kernel", 0, 0.0) == pytest.approx(0.0025)


def test_a_frozen_layer_stays_frozen():
    rates = schedule(512, {"name": "linear"}, layer_rates={"conv1": [[0, 0.0]]})
    assert rates.rate("conv1", "kernel", 9, 0.0) == 0.0
