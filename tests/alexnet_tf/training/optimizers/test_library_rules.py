"""Optimizers from Keras 3 and from TensorFlow Addons: the same expected numbers for both.

By hand, then against NumPy over forty steps, then against the libraries' own way to be called.
"""

import importlib.metadata
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf import cli, compat, evaluate, train
from alexnet_tf.compat import KERAS_3
from alexnet_tf.config.schema import (
    LambConfig,
    LookaheadConfig,
    MomentumConfig,
    MovingAverageConfig,
    SgdwConfig,
)
from alexnet_tf.errors import ConfigError
from alexnet_tf.network.weights import weights_of
from alexnet_tf.runs import directory as run_directory
from alexnet_tf.runs.checkpoints import Checkpoints
from alexnet_tf.runs.restore import restored_model
from alexnet_tf.training.optimizers.optimizer import averaged
from tests.alexnet_tf.training.lanes import addons_only, keras_3_only, needs, needs_lamb
from tests.alexnet_tf.training.optimizers.test_momentum_rule import SHAPES, Rig
from tests.alexnet_tf.training.processes import variables, write_inputs
from tests.reference import library_updates as reference

KERNEL = "fc8/kernel"
GROUPS = {  # ours → the reference's
    "steps": "t",
    "velocities": "v",
    "first_moments": "first",
    "second_moments": "second",
    "slow_weights": "slow",
    "averages": "average",
}
CASES = [  # configuration; the reference's update and its arguments, decay apart
    pytest.param(config, update, arguments, marks=needs(config), id=f"{number} {config.name}")
    for number, (config, update, arguments) in enumerate(
        [
            (SgdwConfig(weight_decay=0.02), reference.sgdw, {"momentum": 0.9}),
            (
                SgdwConfig(weight_decay=0.02, momentum=0.0, decay_biases=True),
                reference.sgdw,
                {"momentum": 0.0},
            ),
            (LambConfig(weight_decay=0.02), reference.lamb, {}),
            (
                LambConfig(
                    weight_decay=0.02, decay_biases=True, beta_1=0.5, beta_2=0.9, epsilon=0.01
                ),
                reference.lamb,
                {"betas": (0.5, 0.9), "epsilon": 0.01},
            ),
            (LambConfig(weight_decay=0.02, decay="in-ratio"), reference.lamb, {"inside": True}),
            (
                LookaheadConfig(weight_decay=0.02, sync_period=4, slow_step_size=0.3),
                reference.lookahead,
                {"mass": 0.9, "period": 4, "size": 0.3},
            ),
            (
                MovingAverageConfig(weight_decay=0.02, average_decay=0.8),
                reference.moving_average,
                {"mass": 0.9, "keep": 0.8},
            ),
        ]
    )
]
CONFIGS = [pytest.param(case.values[0], marks=case.marks, id=case.id) for case in CASES]


STATE = {  # the same with every library, so that a checkpoint of one goes on with another
    "sgdw": {"steps", "velocities"},
    "lamb": {"steps", "first_moments", "second_moments"},
    "lookahead": {"steps", "velocities", "slow_weights"},
    "moving-average": {"steps", "velocities", "averages"},
}


def steps(config, values, gradients, rates) -> list[np.ndarray]:
    """A kernel after each update."""
    rig, seen = Rig(config, {KERNEL: values}), []
    for gradient, rate in zip(gradients, rates, strict=True):
        rig.step({KERNEL: gradient}, {KERNEL: rate})
        seen.append(rig.weights[KERNEL])
    return seen


@needs(SgdwConfig())
def test_sgdw_by_hand():
    """w = 0.95 · 1 − 0.2 = 0.75; then w = 0.995 · 0.75 − (0.18 + 0.02) = 0.54625.

    Inside the velocity, the decay would have come back with it: 0.495 at the second step.
    """
    seen = steps(SgdwConfig(weight_decay=0.5), [1.0], [[2.0], [2.0]], [0.1, 0.01])
    np.testing.assert_allclose(seen, [[0.75], [0.54625]], rtol=1e-6)


@needs_lamb
def test_lamb_by_hand():
    """The first direction is sign(g): (3, 4) of norm 5 moves by 0.1 · 5/√2 in both.

    Of a single number the trust ratio leaves w ← w (1 − λε)(1 ∓ ε), whatever the gradient's size.
    """
    config = LambConfig(weight_decay=0.0, epsilon=1e-8)
    (seen,) = steps(config, [3.0, 4.0], [[0.1, -7.0]], [0.1])
    np.testing.assert_allclose(seen, [3 - 0.5 / 2**0.5, 4 + 0.5 / 2**0.5], rtol=1e-6)
    seen = steps(LambConfig(weight_decay=0.5), [2.0], [[3.0], [-3.0]], [0.1, 0.01])
    np.testing.assert_allclose(seen, [[1.71], [1.71 * 0.995 * 1.01]], rtol=1e-6)


@addons_only
def test_lamb_with_its_decay_in_the_trust_ratio_by_hand():
    """u = 1 + 0.5 · 2 = 2 = w, so w = 2 − 0.1 · 2."""
    config = LambConfig(weight_decay=0.5, decay="in-ratio", epsilon=1e-8)
    np.testing.assert_allclose(steps(config, [2.0], [[3.0]], [0.1]), [[1.8]], rtol=1e-6)


@addons_only
def test_lookahead_by_hand():
    """0.8, 0.6 → back to 1 − 0.4/2 = 0.8; 0.6, then at the tenth of the rate 0.58 → 0.69."""
    config = LookaheadConfig(momentum=0.0, weight_decay=0.0, sync_period=2)
    seen = steps(config, [1.0], [[2.0]] * 4, [0.1, 0.1, 0.1, 0.01])
    np.testing.assert_allclose(np.ravel(seen), [0.8, 0.8, 0.6, 0.69], rtol=1e-6)


@needs(MovingAverageConfig())
def test_a_moving_average_by_hand():
    """Weights as in test_momentum_rule: 0.75, 0.2875, −0.1501875; the average halves the
    way to each.

    A frozen weight's average is the weight.
    """
    config = MovingAverageConfig(weight_decay=0.5, average_decay=0.5)
    rig, seen = Rig(config, {KERNEL: [1.0], "conv1_a/kernel": [7.0]}), []
    for rate in (0.1, 0.1, 0.01):
        rig.step({name: [2.0] for name in rig.weights}, {KERNEL: rate, "conv1_a/kernel": 0.0})
        average = rig.optimizer.state["averages"]
        assert average["conv1_a/kernel"].numpy() == rig.weights["conv1_a/kernel"] == 7.0
        seen.append((rig.weights[KERNEL][0], average[KERNEL].numpy()[0]))
    expected = [(0.75, 0.75), (0.2875, 0.51875), (-0.1501875, 0.18428125)]
    np.testing.assert_allclose(seen, expected, rtol=1e-6)


@pytest.mark.parametrize(("config", "update", "arguments"), CASES)
def test_forty_steps_against_numpy(config, update, arguments):
    """Rates that differ by weight and fall, a layer frozen for a while, steps that overflow."""
    rng = np.random.default_rng(0)
    values = {n: rng.normal(size=s).astype(np.float32) for n, s in SHAPES.items()}
    rig = Rig(config, values)
    still = set() if getattr(config, "momentum", 1) else {"velocities"}
    assert set(rig.optimizer.state) == STATE[config.name] - still
    assert {count.dtype for count in rig.optimizer.state["steps"].values()} == {tf.int64}
    expected = {name: reference.begin(value) for name, value in values.items()}
    for step in range(40):
        rate = 0.05 if step < 15 else 0.005
        finite = step % 7 != 5
        gradients = {n: rng.normal(size=s) for n, s in SHAPES.items()}
        rates = {n: rate * (2 if n.endswith("bias") else 1) for n in SHAPES}
        if 10 <= step < 20:
            rates["conv1_a/kernel"] = 0.0
        overflown = {n: np.full(s, np.inf) for n, s in SHAPES.items()}
        rig.step(gradients if finite else overflown, rates, finite)
        for name in SHAPES if finite else ():
            if rates[name]:
                decays = name.endswith("kernel") or config.decay_biases
                decay = config.weight_decay if decays else 0.0
                expected[name] = update(
                    expected[name], gradients[name], rates[name], decay=decay, **arguments
                )
        for name in SHAPES:
            state = {group: own[name].numpy() for group, own in rig.optimizer.state.items()}
            state["w"] = rig.weights[name]
            for group, found in state.items():
                # float32: 1 − 0.999 alone is off by 1e-5 of itself, and with it LAMB's v.
                np.testing.assert_allclose(
                    found,
                    expected[name][GROUPS.get(group, group)],
                    rtol=3e-5,
                    atol=1e-5,
                    err_msg=f"step {step}, {group} of {name}",
                )
    # Of 40 steps, 5 overflow; of the others, conv1's kernel is frozen for 8.
    counts = rig.optimizer.state["steps"]
    assert (counts["conv1_a/kernel"].numpy(), counts["fc8/kernel"].numpy()) == (27, 35)


@needs(MovingAverageConfig())
def test_the_average_is_beside_the_momentum_of_the_paper():
    """Training itself does not change; within `averaged` the weights are the averages."""
    rng = np.random.default_rng(1)
    values = {n: rng.normal(size=s).astype(np.float32) for n, s in SHAPES.items()}
    rigs = [Rig(MovingAverageConfig(average_decay=0.5), values), Rig(MomentumConfig(), values)]
    for _ in range(3):
        gradients = {n: rng.normal(size=s) for n, s in SHAPES.items()}
        for rig in rigs:
            rig.step(gradients, dict.fromkeys(SHAPES, 0.1))
    own, plain = (rig.weights for rig in rigs)
    averages = rigs[0].optimizer.state["averages"]
    with averaged(rigs[0].optimizer):
        for name, value in rigs[0].weights.items():
            np.testing.assert_array_equal(value, averages[name].numpy())
            assert np.abs(value - own[name]).max() > 0.01
    for name in SHAPES:
        np.testing.assert_allclose(own[name], plain[name], atol=1e-6)
        np.testing.assert_array_equal(rigs[0].weights[name], own[name])
    with pytest.raises(KeyboardInterrupt), averaged(rigs[0].optimizer):
        raise KeyboardInterrupt
    np.testing.assert_array_equal(rigs[0].weights[KERNEL], own[KERNEL])
    with averaged(rigs[1].optimizer):
        np.testing.assert_array_equal(rigs[1].weights[KERNEL], plain[KERNEL])


@pytest.mark.parametrize("config", CONFIGS)
def test_from_a_checkpoint_it_goes_on_to_the_bit(config, tmp_path):
    rng = np.random.default_rng(2)
    values = {n: rng.normal(size=s).astype(np.float32) for n, s in SHAPES.items()}
    gradients = [{n: rng.normal(size=s) for n, s in SHAPES.items()} for _ in range(9)]
    rates = dict.fromkeys(SHAPES, 0.1)
    whole, again = Rig(config, values), Rig(config, {n: np.zeros(s) for n, s in SHAPES.items()})
    for number, gradient in enumerate(gradients):
        whole.step(gradient, rates)
        if number == 4:
            Checkpoints(tmp_path).save(5, checkpointed(whole), {})
    assert Checkpoints(tmp_path).restore_newest(checkpointed(again)) == {}
    for gradient in gradients[5:]:
        again.step(gradient, rates)
    for group, named in checkpointed(whole).items():
        for name, variable in named.items():
            found = checkpointed(again)[group][name]
            assert found.numpy().tobytes() == variable.numpy().tobytes(), f"{group}/{name}"


def checkpointed(rig: Rig) -> dict[str, dict[str, tf.Variable]]:
    weights = {weight.name: weight.variable for weight in rig.optimizer.weights}
    return {"weights": weights, **rig.optimizer.state}


@keras_3_only
@pytest.mark.parametrize(
    "config",
    [
        SgdwConfig(weight_decay=0.3),
        pytest.param(LambConfig(weight_decay=0.3), marks=needs_lamb),
    ],
)
def test_it_is_what_keras_does_with_the_same_arguments(config):
    """Keras' whole way, with its own decay, of one rate for all weights."""
    own = (
        keras.optimizers.SGD(0.1, config.momentum, weight_decay=0.3)
        if config.name == "sgdw"
        else keras.optimizers.Lamb(0.1, epsilon=config.epsilon, weight_decay=0.3)
    )
    follow(own, Rig(config, {KERNEL: [1.0, -2.0]}), [0.1, 0.1, 0.01, 0.01])


@addons_only
@pytest.mark.parametrize(
    "config", [LambConfig(weight_decay=0.3, decay="in-ratio"), LookaheadConfig(weight_decay=0)]
)
def test_it_is_what_addons_do_with_the_same_arguments(config):
    optimizers = compat.addons("this test").optimizers
    own = (
        optimizers.LAMB(0.1, epsilon=config.epsilon, weight_decay=0.3)
        if config.name == "lamb"
        else optimizers.Lookahead(keras.optimizers.legacy.SGD(0.1, 0.9))
    )
    rates = [0.1] * 8 if config.name == "lookahead" else [0.1, 0.1, 0.01, 0.01]
    follow(own, Rig(config, {KERNEL: [1.0, -2.0]}), rates)


def follow(own, rig: Rig, rates: list[float]) -> None:
    """The rig takes the same way as an optimizer called by apply_gradients."""
    variable, rng = tf.Variable([1.0, -2.0]), np.random.default_rng(3)
    for rate in rates:
        gradient = rng.normal(size=2).astype(np.float32)
        if rate != rates[0]:
            own.learning_rate.assign(rate)
        own.apply_gradients([(tf.constant(gradient), variable)])
        rig.step({KERNEL: gradient}, {KERNEL: rate})
        np.testing.assert_allclose(rig.weights[KERNEL], variable.numpy(), rtol=1e-6)


@addons_only
def test_our_rates_by_layer_are_those_of_multi_optimizer():
    """Addons' way to discriminative rates: an optimizer for each of two layers."""
    model = keras.Sequential([keras.layers.Dense(3, name="fc6"), keras.layers.Dense(2, name="fc8")])
    model.build((None, 4))
    rates = {"fc6": 0.1, "fc8": 0.01}
    sgd = {name: keras.optimizers.legacy.SGD(rate, 0.9) for name, rate in rates.items()}
    multi = compat.addons("this test").optimizers.MultiOptimizer(
        [(sgd[layer.name], layer) for layer in model.layers]
    )
    variables = {f"{x.name}/{k}": getattr(x, k) for x in model.layers for k in ("kernel", "bias")}
    rig = Rig(MomentumConfig(weight_decay=0.0), {n: v.numpy() for n, v in variables.items()})
    rng = np.random.default_rng(4)
    for step in range(6):
        if step == 3:
            rates["fc8"] = 0.2
            sgd["fc8"].learning_rate.assign(0.2)
        gradients = {n: rng.normal(size=v.shape).astype(np.float32) for n, v in variables.items()}
        multi.apply_gradients([(tf.constant(gradients[n]), v) for n, v in variables.items()])
        rig.step(gradients, {name: rates[name.partition("/")[0]] for name in variables})
    for name, variable in variables.items():
        np.testing.assert_allclose(rig.weights[name], variable.numpy(), atol=1e-6)


@needs(MovingAverageConfig())
def test_what_is_validated_and_evaluated_is_the_average(tmp_path):
    """Of a whole training, whose checkpoint keeps the weights, too."""
    config, data = write_inputs(tmp_path)
    run = tmp_path / "run"
    arguments = ["--config", config, "--data", data, "--run", str(run)]
    settings = ["training.epochs=1", "training.deterministic=false", "monitoring.every_epochs=0"]
    optimizer = "optimizer={name: moving-average, average_decay: 0.9}"
    assert train.main([*arguments, *settings, optimizer]) == 0
    assert evaluate.main(["--run", str(run), "--data", data, "--views", "1"]) == 0
    (report,) = (json.loads(path.read_text()) for path in (run / "evaluation").glob("*.json"))
    records = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    logged = [record for record in records if record["kind"] == "epoch"][-1]
    assert report["loss"] == pytest.approx(logged["validation loss"], rel=1e-6)
    model, _ = restored_model(run_directory.load(run))
    state = variables(run)
    for weight in weights_of(model):
        name = f"{weight.name.replace('/', '.S')}/.ATTRIBUTES/VARIABLE_VALUE"
        np.testing.assert_array_equal(weight.variable.numpy(), state[f"averages/{name}"])
        assert np.abs(state[f"weights/{name}"] - state[f"averages/{name}"]).max() > 1e-6


def missing(_):
    raise importlib.metadata.PackageNotFoundError("tensorflow-addons")


def broken(_):
    raise ModuleNotFoundError("No module named\n'keras.src.engine'")


@pytest.mark.parametrize(
    ("keras_3", "version", "load", "received"),
    [
        (True, None, None, f"received TensorFlow {tf.__version__}, Keras {keras.__version__}"),
        (False, missing, None, f"received none beside TensorFlow {tf.__version__}"),
        (False, lambda _: "0.22.0", None, "received tensorflow-addons 0.22.0"),
        (False, lambda _: "0.23.0", broken, "cannot load: No module named 'keras.src.engine'"),
    ],
)
def test_addons_that_do_not_fit_are_told_in_one_line(monkeypatch, keras_3, version, load, received):
    monkeypatch.setattr(compat, "KERAS_3", keras_3)
    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(compat.importlib, "import_module", load)
    with pytest.raises(ConfigError) as caught:
        compat.addons("optimizer.name: lookahead")
    line = str(caught.value)
    assert line.startswith("optimizer.name: lookahead expects TensorFlow Addons 0.23")
    assert "make .venv-addons" in line
    assert received in line
    assert "\n" not in line


def test_a_training_without_what_it_needs_exits_with_2(tmp_path, monkeypatch, capsys):
    config, data = write_inputs(tmp_path)
    if not KERAS_3:
        monkeypatch.setattr(importlib.metadata, "version", missing)
    arguments = ["--config", config, "--data", data, "--run", str(tmp_path / "run")]
    settings = ["training.deterministic=false", "optimizer.name=lookahead"]  # for all tests after
    with pytest.raises(SystemExit) as ended:
        cli.run(lambda _: train.main([*arguments, *settings]))
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("error: optimizer.name: lookahead expects")
    assert not (tmp_path / "run").exists()


@keras_3_only
@pytest.mark.parametrize(
    ("config", "version"), [(LambConfig(), "3.4.1"), (MovingAverageConfig(), "3.0.5")]
)
def test_a_keras_too_old_for_it_is_told(monkeypatch, config, version):
    monkeypatch.setattr(keras, "__version__", version)
    expected = rf"{config.name} expects Keras 3\.\d or newer, received Keras {version}"
    with pytest.raises(ConfigError, match=expected):
        Rig(config, {KERNEL: [1.0]})
