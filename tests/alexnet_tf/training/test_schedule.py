"""Rates and color noise over a run: by hand, from the 2012 notes, against tests/reference."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet_tf import train
from alexnet_tf.config import files as config_files
from alexnet_tf.config.schema import Cosine, DExp, Plateau
from alexnet_tf.errors import ConfigError
from alexnet_tf.training.loop import Progress
from alexnet_tf.training.schedule import (
    PlateauState,
    Schedule,
    at,
    base_rate,
    dexp,
    exp,
    jdexp,
    linear,
)
from tests import tiny_datasets
from tests.reference import schedules as reference

CONFIGS = Path(__file__).parents[3] / "configs"


def schedule(**tree) -> Schedule:
    return Schedule(config_files.parse({"schedule": tree}))


def test_steps_begin_at_their_epoch():
    steps = ((0, 0.01), (25, 0.001))
    assert [at(steps, epoch) for epoch in (0, 24, 25, 90)] == [0.01, 0.01, 0.001, 0.001]
    assert at(((5, 1.0),), 4) is None
    assert at(None, 3) is None


@pytest.mark.parametrize(
    ("name", "epochs", "restart"), [("original", 90, False), ("original-restart", 134, True)]
)
def test_net_145_epoch_by_epoch(name, epochs, restart):
    """Rates of weights, of conv1, of biases and the noise, in every epoch of the 2012 run."""
    config = config_files.load(CONFIGS / f"{name}.yaml")
    own = Schedule(config)
    assert config.training.epochs == epochs
    assert config.data.color_noise.divide
    for epoch in range(epochs):
        stage = reference.net_145(epoch, restart)
        for fraction in (0.0, 0.99):
            assert own.rate("conv2", "kernel", epoch, fraction) == pytest.approx(stage.rate)
            assert own.rate("conv1", "kernel", epoch, fraction) == pytest.approx(stage.conv1_rate)
            assert own.rate("fc8", "bias", epoch, fraction) == stage.bias_rate
            conv1_bias = stage.bias_rate if stage.conv1_rate else 0.0  # frozen with its weights
            assert own.rate("conv1", "bias", epoch, fraction) == conv1_bias
        assert own.noise_coefficient(epoch) == stage.color_noise
        assert not stage.stopped
    assert reference.net_145(epochs, restart).stopped


def test_a_layers_rates_go_before_the_biases_and_the_exact_name_before_the_layer():
    rates = schedule(
        rate=[[0, 0.01]],
        bias_rate=[[0, 0.02]],
        layer_rates={"conv1": [[3, 0.5]], "conv1/bias": [[5, 0.25]], "fc8/kernel": [[0, 0.125]]},
    )
    assert rates.rate("conv1", "kernel", 2, 0) == 0.01
    assert rates.rate("conv1", "bias", 2, 0) == 0.02
    assert rates.rate("conv1", "kernel", 3, 0) == rates.rate("conv1", "bias", 3, 0) == 0.5
    assert rates.rate("conv1", "kernel", 5, 0) == 0.5
    assert rates.rate("conv1", "bias", 5, 0) == 0.25
    assert rates.rate("fc8", "kernel", 0, 0) == 0.125
    assert rates.rate("fc8", "bias", 0, 0) == 0.02
    assert schedule(rate=[[0, 0.01]]).rate("fc8", "bias", 0, 0) == 0.01


@pytest.mark.parametrize("key", ["conv9", "conv1/weight", "conv1_a", "conv1/", "/bias"])
def test_unknown_layers_are_refused(key):
    with pytest.raises(ConfigError, match=f"expected one of conv1, .*received '{key}'"):
        schedule(layer_rates={key: [[0, 0.1]]})


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([[5, 0.1], [3, 0.01]], "expected ascending epochs from 0 to 1000000, received .5, 3."),
        ([[3, 0.1], [3, 0.01]], "expected ascending epochs"),
        ([[-1, 0.1]], "expected ascending epochs"),
        ([[0, -0.1]], "expected finite values from 0"),
        ([[0, math.inf]], "expected finite values from 0"),
    ],
)
def test_steps_that_make_no_sense_are_refused(steps, message):
    for tree in ({"rate": steps}, {"bias_rate": steps}, {"layer_rates": {"conv1": steps}}):
        with pytest.raises(ConfigError, match=message):
            schedule(**tree)
    with pytest.raises(ConfigError, match=message):
        config_files.parse({"data": {"color_noise": {"coefficient": steps}}})


def test_rates_and_noise_begin_at_epoch_0():
    with pytest.raises(ConfigError, match="expected the first step at epoch 0"):
        schedule(rate=[[1, 0.1]])
    with pytest.raises(ConfigError, match="expected the first step at epoch 0"):
        config_files.parse({"data": {"color_noise": {"coefficient": [[1, 0.1]]}}})


def test_noise_may_be_one_number():
    config = config_files.parse({"data": {"color_noise": {"coefficient": 0.25}}})
    assert [Schedule(config).noise_coefficient(epoch) for epoch in (0, 80)] == [0.25, 0.25]
    with pytest.raises(ConfigError, match="coefficient"):
        config_files.parse({"data": {"color_noise": {"coefficient": -0.1}}})


def plateau_rates(errors, **settings):
    """The rate in force after each epoch's error."""
    plan, state, rates = Plateau(rate=1.0, **settings), PlateauState(), []
    for error in errors:
        state.observe(plan, error)
        rates.append(base_rate(plan, state, 0, 0.0, 90))
    return rates


def test_plateau_divides_by_ten_three_times():
    errors = [0.9, 0.8, 0.8, 0.7, 0.71, 0.7, 0.65, 0.66, 0.6]
    expected = [1, 1, 0.1, 0.1, 0.01, 0.001, 0.001, 0.001, 0.001]
    assert plateau_rates(errors, patience=1) == pytest.approx(expected)


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=40),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.01, 0.1]),
    st.integers(0, 4),
)
def test_plateau_agrees_with_the_reference(errors, patience, least, drops):
    rates = plateau_rates(errors, patience=patience, min_improvement=least, drops=drops)
    expected, _ = reference.plateau(errors, 1.0, patience, least, drops=drops)
    assert rates == pytest.approx(expected)


def test_plateau_needs_a_validation_split(tmp_path):
    tiny_datasets.write(tmp_path / "data", counts={"train": 8})
    arguments = ["--config", str(CONFIGS / "paper.yaml"), "--data", str(tmp_path / "data")]
    small = ["network.width=0.05", "network.input_size=64", "training.global_batch_size=4"]
    with pytest.raises(ConfigError, match="plateau expects a validation split"):
        train.main([*arguments, "--run", str(tmp_path / "run"), *small])


def test_plateaus_state_survives_a_checkpoint():
    plan, progress = Plateau(patience=2), Progress()
    before = Progress.from_json(json.loads(json.dumps(progress.to_json())))
    assert before == progress  # the best error so far is infinite
    for error in (0.9, 0.8, 0.85, 0.81, 0.82):
        progress.plateau.observe(plan, error)
    assert progress.plateau == PlateauState(best=0.8, waited=1, drops=1)
    assert Progress.from_json(json.loads(json.dumps(progress.to_json()))) == progress


def test_plateau_stays_where_it_is_without_a_validation_error_and_other_schedules_do_not_listen():
    state = PlateauState()
    assert not state.observe(DExp(), 0.5)
    assert state == PlateauState()


@given(st.floats(0, 1), st.floats(1e-3, 1), st.floats(1.5, 1e5), st.integers(2, 9))
def test_dexp_agrees_with_the_reference(progress, rate, factor, steps):
    expected = reference.dexp(progress, rate, factor, steps)
    assert dexp(rate, factor, steps, progress) == pytest.approx(expected)


@given(st.floats(0, 1), st.floats(1e-3, 1), st.floats(1.5, 1e5), st.integers(2, 9))
def test_other_curves_agree_with_the_reference(progress, rate, factor, steps):
    for name, received in (("linear", linear), ("exp", exp)):
        expected = getattr(reference, name)(progress, rate, factor)
        assert received(rate, factor, progress) == pytest.approx(expected)
    expected = reference.jdexp(progress, rate, factor, steps)
    assert jdexp(rate, factor, steps, progress) == pytest.approx(expected)


def test_curves_by_hand():
    assert [linear(1.0, 5.0, p) for p in (0, 0.5, 1)] == pytest.approx([1, 0.6, 0.2])
    assert [exp(1.0, 100.0, p) for p in (0, 0.5, 1)] == pytest.approx([1, 0.1, 0.01])
    moments = (0.1, 0.25, 0.3, 0.4, 0.6, 0.7, 0.8, 0.89, 0.95)  # of four steps, two jump back
    powers = (0, 0, 1, 0.5, 2, 1.5, 3, 2.5, 3)
    assert [jdexp(1.0, 1e3, 4, p) for p in moments] == pytest.approx([10.0**-x for x in powers])


def test_biases_have_a_curve_of_their_own():
    """Net 169: weights 0.01, ÷500 in four steps; biases 0.02, ÷10 in two, here at half a run."""
    biases = {"rate": 0.02, "target_factor": 10, "steps": 2}
    settings = {"rate": 0.01, "target_factor": 500, "steps": 4, "biases": biases}
    for name in ("dexp", "jdexp"):
        tree = {"schedule": {"name": name, **settings}, "training": {"epochs": 8}}
        rates = Schedule(config_files.parse(tree))
        seen = [[rates.rate("fc8", kind, e, 0.5) for e in range(8)] for kind in ("kernel", "bias")]
        assert seen[1] == pytest.approx([0.02] * 4 + [0.002] * 4)
        assert seen[0][0] == 0.01
        assert seen[0][7] == pytest.approx(0.01 / 500)
    alike = Schedule(config_files.parse({"schedule": {"name": "exp", "rate": 0.5}}))
    assert alike.rate("fc8", "bias", 30, 0) == alike.rate("fc8", "kernel", 30, 0)


def test_biases_have_one_schedule():
    with pytest.raises(ConfigError, match="expected biases or bias_rate, received both"):
        schedule(name="exp", biases={"rate": 0.02}, bias_rate=[[0, 0.02]])
    with pytest.raises(ConfigError, match=r"schedule\.biases\.steps"):
        schedule(name="exp", biases={"rate": 0.02, "steps": 3})


@pytest.mark.parametrize("length", [1, 1.5, 18, 23])
@pytest.mark.parametrize("steps", [2, 3, 4, 5, 9])
def test_dexp_keeps_the_older_rate_at_the_very_moment_of_a_step(steps, length):
    """src/lr.cu:146 compares with "at most". A billionth of an epoch later it has fallen."""
    plan = DExp(rate=1.0, target_factor=10.0 ** (steps - 1), steps=steps)
    epochs = length * steps
    for i in range(1, steps):
        epoch, fraction = divmod(length * i, 1)
        before = base_rate(plan, PlateauState(), int(epoch), fraction, epochs)
        after = base_rate(plan, PlateauState(), int(epoch), fraction + 1e-9, epochs)
        assert (before, after) == (pytest.approx(10.0 ** (1 - i)), pytest.approx(10.0**-i))


def ends_of(name: str) -> dict[tuple[str, str], float]:
    """Rates in a configuration's last epoch, of weights and biases."""
    config = config_files.load(CONFIGS / f"{name}.yaml")
    rates = Schedule(config)
    last = config.training.epochs - 1
    layers = [row.name for row in config.network.layers]
    return {(x, kind): rates.rate(x, kind, last, 0) for x in layers for kind in ("kernel", "bias")}


FILE_ENDS = {  # weights of conv1, of the rest; biases of conv1, conv2, the rest: layer-params files
    "original": (0, 1e-5, 0, 0.02, 0.02),
    "one-tower": (1e-5, 1e-5, 0.002, 0.002, 0.02),
    "non-overlapping": (0, 1e-5, 0, 0.002, 0.002),
    "no-norm": (0, 1e-5, 0, 0.02, 0.02),
    "no-crosstalk": (0, 1e-5, 0, 0.02, 0.02),
    "original-2010": (0, 1e-5, 0, 0.002, 0.002),
}


@pytest.mark.parametrize("name", FILE_ENDS)
def test_a_run_ends_with_the_rates_that_its_released_file_holds(name):
    conv1, rest, conv1_bias, conv2_bias, biases = FILE_ENDS[name]
    for (layer, kind), rate in ends_of(name).items():
        if kind == "kernel":
            assert rate == (conv1 if layer == "conv1" else rest)
        else:
            assert rate == {"conv1": conv1_bias, "conv2": conv2_bias}.get(layer, biases)


NOTES = {  # epochs, from 1: drops of the rate; conv1 lowered; noise off; conv1 frozen; killed
    "original": ((25, 51, 79), 67, 67, 72, 91),
    "one-tower": ((20, 48), 66, 66, 72, 96),
    "non-overlapping": ((23, 51, 79), None, None, 79, 90),
    "no-norm": ((22, 44, 86), 69, 69, 73, 97),
    "no-crosstalk": ((25, 49, 79), 66, 66, 72, 92),
    "original-2010": ((23, 51, 78), 68, 68, 72, 93),
}


@pytest.mark.parametrize("name", NOTES)
def test_a_run_changes_at_the_epochs_of_its_notes(name):
    """An epoch of the notes begins when one less are done."""
    drops, lowered, quiet, frozen, killed = NOTES[name]
    config = config_files.load(CONFIGS / f"{name}.yaml")
    rates = Schedule(config)
    assert config.training.epochs == killed - 1
    for number, noted in enumerate(drops):
        assert rates.rate("fc7", "kernel", noted - 2, 0.9) == pytest.approx(10.0 ** -(number + 2))
        assert rates.rate("fc7", "kernel", noted - 1, 0.0) == pytest.approx(10.0 ** -(number + 3))
    if lowered:
        conv1 = [rates.rate("conv1", "kernel", noted, 0) for noted in (lowered - 2, lowered - 1)]
        assert conv1 == pytest.approx([1e-4, 1e-5])
        assert [rates.noise_coefficient(e) for e in (quiet - 2, quiet - 1)] == [0.1, 0]
    else:
        assert rates.noise_coefficient(killed) == 0.1
    assert rates.rate("conv1", "kernel", frozen - 2, 0) > 0
    assert rates.rate("conv1", "kernel", frozen - 1, 0) == 0


def test_dexp_over_a_run_of_net_167():
    """dexp .01/1000/4 over 92 epochs: a quarter of the time at each of four rates."""
    rates = [base_rate(DExp(), PlateauState(), epoch, 0.5, 92) for epoch in range(92)]
    np.testing.assert_allclose(rates, np.repeat([1e-2, 1e-3, 1e-4, 1e-5], 23), rtol=1e-12)


@given(st.integers(0, 199), st.integers(0, 60))
def test_cosine_agrees_with_the_reference(step, warmup):
    """Ten steps an epoch, twenty epochs."""
    plan = Cosine(rate=0.4, warmup_epochs=warmup / 10)
    rate = base_rate(plan, PlateauState(), step // 10, step % 10 / 10, 20)
    assert rate == pytest.approx(reference.cosine(step, 200, 0.4, warmup), abs=1e-12)


def test_cosine_by_hand():
    plan = Cosine(rate=1.0, warmup_epochs=2)
    rates = [base_rate(plan, PlateauState(), epoch, 0.0, 12) for epoch in (0, 1, 2, 7)]
    assert rates == pytest.approx([0, 0.5, 1, 0.5])
    assert base_rate(plan, PlateauState(), 11, 0.999, 12) < 1e-6


LATER = {  # first and last rate of weights and of biases; epochs, from 1: noise off, conv1 frozen
    "155": (0.02, 5e-6, 0.04, 1e-5, 61, 74),
    "156": (0.02, 1e-5, 0.04, 2e-5, 61, 72),
    "157": (0.04, 5e-6, 0.08, 1e-5, 62, 73),
    "158": (0.04, 2e-6, 0.08, 4e-6, 63, 77),
    "165": (0.01, 2e-5, 0.02, 0.002, 63, 78),
    "166": (0.01, 1e-5, 0.02, 0.002, 64, 73),
    "167": (0.01, 1e-5, 0.02, 0.002, 63, 73),
    "169": (0.01, 2e-5, 0.02, 0.002, 60, 73),
    "170": (0.01, 4e-5, 0.02, 0.002, 68, 74),
    "171": (0.01, 2e-5, 0.02, 0.002, 60, 72),
    "174": (0.01, 2e-5, 0.02, 0.002, 62, 74),
}


@pytest.mark.parametrize("net", LATER)
def test_later_nets_fall_between_the_rates_of_their_notes(net):
    first, last, first_bias, last_bias, quiet, frozen = LATER[net]
    config = config_files.load(CONFIGS / "nets-2012" / f"{net}.yaml")
    rates, end = Schedule(config), config.training.epochs - 1
    assert config.training.epochs == 95
    for kind, begins, ends in (("kernel", first, last), ("bias", first_bias, last_bias)):
        assert rates.rate("fc7", kind, 0, 0) == pytest.approx(begins)
        assert rates.rate("fc7", kind, end, 1 - 1e-9) == pytest.approx(ends)
        assert rates.rate("conv1", kind, frozen - 2, 0.9) > 0
        assert rates.rate("conv1", kind, frozen - 1, 0) == 0
    assert [rates.noise_coefficient(epoch) for epoch in (quiet - 2, quiet - 1)] == [0.1, 0]
