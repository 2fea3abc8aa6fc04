"""Every field of a configuration changes what happens, or its wrong use is refused.

A field that nothing reads would promise what it does not hold. Each is changed alone here, and what
it governs is compared: the network's answers, the batches, the update, the rates, the loop.
"""

import functools
import itertools
from pathlib import Path
from typing import Annotated, get_args, get_origin

import numpy as np
import pytest
import tensorflow as tf
from pydantic import BaseModel

from alexnet_tf.config import files as config_files
from alexnet_tf.config.schedules import Curve, DExp
from alexnet_tf.config.schema import OPTIMIZERS, SCHEDULES, Config
from alexnet_tf.data import reader
from alexnet_tf.data.augment import InputTransform
from alexnet_tf.data.split import Share, Split
from alexnet_tf.errors import ConfigError
from alexnet_tf.evaluation.metrics import Result
from alexnet_tf.network import model as network_model
from alexnet_tf.network.structure import NetworkSpec
from alexnet_tf.network.weights import weights_of
from alexnet_tf.step_context import DropoutRows, using
from alexnet_tf.training.epoch_steps import EpochSteps
from alexnet_tf.training.loop import Loop, Progress
from alexnet_tf.training.schedule import Schedule
from preprocessing.dataset.mean_image import read_mean_image
from tests import tiny_datasets
from tests.alexnet_tf.training.lanes import supported
from tests.alexnet_tf.training.optimizers.test_momentum_rule import Rig

ROOT = Path(__file__).parents[3]
BASE = ("network.variant=original", "network.width=0.05", "network.input_size=64")

# field: (what is set besides, the change). The network's answers must differ.
NETWORK = {
    "variant": ((), "paper"),
    "input_size": ((), 72),
    "num_classes": ((), 7),
    "width": ((), 0.1),
    "towers": ((), 1),
    "activation": ((), "tanh"),
    "initializer": ((), "fan-in-uniform"),
    "init_scaling": ((), "keep-variance"),
    "lrn": ((), {"size": 3, "alpha": 1.0}),  # none is refused where a layer uses it: test_model.py
    "lrn.size": ((), 3),
    "lrn.alpha": ((), 0.1),
    "lrn.alpha_over_n": ((), False),
    "lrn.spans": ((), "both"),
    "lrn.k": ((), 1.0),
    "lrn.beta": ((), 0.5),
    "spatial_norm": ((), {"alpha": 1.0}),
    "spatial_norm.size": ((), 3),
    "spatial_norm.alpha": ((), 1.0),
    "spatial_norm.k": ((), 2.0),
    "spatial_norm.beta": ((), 0.5),
    "pool": ((), {"size": 2, "stride": 2}),
    "pool.kind": ((), "average"),
    "pool.size": ((), 2),
    "pool.stride": (("network.pool.size=2",), 1),
    "dropout": ((), {"rate": 0.25}),
    "dropout.rate": ((), 0.25),
    "dropout.inverted": ((), True),
    "layers.conv2.units": ((), 96),
    "layers.conv2.kernel": ((), 3),
    "layers.conv2.stride": ((), 2),
    "layers.conv2.pad": ((), [1, 1]),
    "layers.conv2.reads": ((), "both"),
    "layers.conv2.ops": ((), ["relu", "pool"]),
    "layers.conv2.pool": ((), {"size": 2, "stride": 2}),
    "layers.conv2.pool.kind": ((), "average"),
    "layers.conv2.pool.size": ((), 2),
    "layers.conv2.pool.stride": (("network.layers.conv2.pool.size=2",), 1),
    "layers.conv2.std": ((), 0.05),
    "layers.conv2.bias": ((), 0.5),
}
DATA = {
    "crop_positions": ((), 2),
    "flip": ((), False),
    "chunk": ((), 4),
    "mean": ((), "crop"),
    "mean_rgb": (("data.mean=channel",), [1.0, 2.0, 3.0]),
    "color_noise.coefficient": ((), 0.5),
    "color_noise.divide": ((), True),
    "order": ((), "fixed"),
    "shuffle_buffer": ((), 1),
}
OPTIMIZER = {
    **{
        f"{name}.{field}": case
        for name, model in OPTIMIZERS.items()
        for field, case in {
            "momentum": ((), 0.5),
            "weight_decay": ((), 0.1),
            "decay_biases": ((), True),
            "layer_decays": ((), {"fc8": 0.1}),
        }.items()
        if field in model.model_fields
    },
    "lamb.beta_1": ((), 0.5),
    "lamb.beta_2": ((), 0.5),
    "lamb.epsilon": ((), 0.1),
    "lamb.decay": ((), "in-ratio"),
    "lookahead.sync_period": ((), 2),
    "lookahead.slow_step_size": (("optimizer.sync_period=2",), 0.25),
    "moving-average.average_decay": ((), 0.5),
}
RATES = {
    "piecewise.rate": ((), [[0, 0.01], [2, 0.001]]),
    "plateau.rate": ((), 0.02),
    "plateau.factor": ((), 0.5),
    "plateau.drops": ((), 1),
    "plateau.patience": ((), 1),
    "plateau.min_improvement": ((), 0.4),
    **{
        f"{name}.{field}": case
        for name, curve in SCHEDULES.items()
        for field, case in {
            "rate": ((), 0.02),
            "target_factor": ((), 100),
            "steps": ((), 2),
            "biases": ((), {"rate": 0.5}),
            "biases.rate": (("schedule.biases={}",), 0.5),
            "biases.target_factor": (("schedule.biases={}",), 100),
            "biases.steps": (("schedule.biases={}",), 5),
        }.items()
        if issubclass(curve, Curve) and ("steps" not in field or issubclass(curve, DExp))
    },
    "cosine.rate": ((), 0.02),
    "cosine.warmup_epochs": ((), 2.0),
    **{
        f"{name}.{field}": case
        for name in SCHEDULES
        for field, case in {
            "bias_rate": ((), [[0, 0.5]]),
            "layer_rates": ((), {"conv1": [[1, 0]]}),
            "batch_rule.name": (("training.global_batch_size=256",), "linear"),
            "batch_rule.reference": (("schedule.batch_rule.name=sqrt",), 64),
            "batch_rule.warmup_epochs": (
                ("schedule.batch_rule={name: linear, reference: 64}",),
                1.0,
            ),
        }.items()
    },
}
LOOP = {
    "epochs": ((), 3),
    "seed": ((), 1),
    "checkpoint_every_steps": ((), 3),
    "log_every_steps": ((), 2),
    "steps_per_execution": ((), 4),
}
ELSEWHERE = {  # field: the test that shows it
    "network.layers.name": None,  # says which layer is meant
    "network.pool.ties": "network/test_pooling.py::test_a_network_whose_pool_has_ties",
    "network.layers.pool.ties": "network/test_pooling.py::test_a_layer_may_have_a_pool_of_its_own",
    "network.layers.type": None,  # and which settings it has
    "network.layers.tower": "network/test_model.py::test_the_last_layer_is_in_the_tower_that",
    "data.cache": "data/test_cache.py::test_a_cache_changes_no_batch",
    "data.fraction": "data/test_fraction.py::test_the_first_records_in_stored_order",
    "data.held_out": "data/test_training_data.py::test_what_is_held_out_is_read_from_its_epoch_on",
    "data.held_out.fraction": "data/test_training_data.py::test_the_last_part_in_stored_order",
    "data.held_out.until_epoch": "runs/test_session.py::test_a_run_goes_on_with_what_was_held_out",
    "training.global_batch_size": "data/test_reader.py::test_a_global_batch_is_the_same",
    "training.accumulation_steps": "training/test_step.py::test_accumulation_must_divide",
    "training.precision": "training/test_step.py::test_half_precision_follows_float32",
    "training.jit_compile": "test_step_context.py::test_compiled_within_fused_alone",
    "training.keep_checkpoints": "runs/test_checkpoints.py::test_the_last_ones_are_kept",
    "training.deterministic": "training/test_resume.py::test_killed_once_at_a_random_moment",
    "training.diagnostics_every_steps": "monitoring/test_diagnostics.py::test_a_training_writes",
    "training.flat_loss_steps": "monitoring/test_diagnostics.py::test_a_training_writes",
    "init_from.path": "runs/test_initial_weights.py::test_a_file_of_another_class_count",
    "init_from.format": "runs/test_initial_weights.py::test_what_does_not_fit_is_refused",
    "init_from.new_head": "runs/test_initial_weights.py::test_a_run_with_and_without_a_new_head",
    "init_from.frozen": "runs/test_initial_weights.py::test_a_file_of_another_class_count",
    "strategy.name": "training/test_equality.py::test_strategies_agree",
    "strategy.placement": "training/test_placement.py::test_forward_and_backward_operations",
    **{f"schedule.{name}.name": None for name in SCHEDULES},  # which of them it is
    **{f"optimizer.{name}.name": None for name in OPTIMIZERS},
}
MONITORING = "monitoring."  # shows more or less and changes no result; see the figures' tests


def leaves(model: type[BaseModel], place: str = "") -> set[str]:
    """Every setting below a section, schedules by name, a layer's once for all layers."""
    found = set()
    for name, field in model.model_fields.items():
        here = f"{place}{name}"
        models = list(models_in(field.annotation))
        if not models or type(None) in get_args(field.annotation):
            found.add(here)
        for inner in models:
            named = name in ("schedule", "optimizer")
            which = f".{inner.model_fields['name'].default}" if named else ""
            found |= leaves(inner, f"{here}{which}.")
    return found


def models_in(annotation):
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


def test_every_field_is_here():
    shown = {f"network.{field.replace('.conv2', '')}" for field in NETWORK}
    shown |= {f"data.{field}" for field in DATA} | {f"optimizer.{field}" for field in OPTIMIZER}
    shown |= {f"schedule.{field}" for field in RATES} | {f"training.{field}" for field in LOOP}
    shown |= set(ELSEWHERE)
    fields = {field for field in leaves(Config) if not field.startswith(MONITORING)}
    assert fields - shown == set()
    assert shown - fields == set()


@pytest.mark.parametrize("test", sorted({test for test in ELSEWHERE.values() if test}))
def test_the_tests_named_here_exist(test):
    path, name = test.split("::")
    assert f"def {name}" in (ROOT / "tests" / "alexnet_tf" / path).read_text()


def configured(*overrides: str) -> Config:
    tree = {"schedule": {"name": "piecewise"}}
    for override in (*BASE, *overrides):
        tree = config_files.merge(tree, config_files.parse_override(override))
    return config_files.parse(tree)


def pair(section: str, cases: dict, field: str) -> tuple[Config, Config]:
    """The configuration before and after the field's change."""
    besides, value = cases[field]
    change = {}
    for part in reversed(f"{section}.{field}".split(".")):
        change = {part: change or value}
    before = configured(*besides)
    tree = {"schedule": {"name": "piecewise"}}
    for override in (*BASE, *besides):
        tree = config_files.merge(tree, config_files.parse_override(override))
    after = config_files.parse(config_files.merge(tree, change))
    assert before != after
    return before, after


def same(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    pairs = itertools.zip_longest(a, b, fillvalue=np.zeros(0))
    return all(np.shape(x) == np.shape(y) and np.array_equal(x, y) for x, y in pairs)


@functools.lru_cache(maxsize=4)
def answers(network: str) -> list[np.ndarray]:
    """Of a spec as JSON: initial weights, and answers in training and at test time."""
    spec = NetworkSpec.model_validate_json(network)
    model = network_model.build(spec)
    size = (2, spec.input_size, spec.input_size, 3)
    images = np.random.default_rng(0).normal(0, 60, size).astype(np.float32)
    with using(dropout=DropoutRows(tf.constant([1, 2]), tf.range(2), 2)):
        trained = model(images, training=True).numpy()
    weights = [weight.variable.numpy() for weight in weights_of(model)]
    return [trained, model(images, training=False).numpy(), *weights]


@pytest.mark.parametrize("field", NETWORK)
def test_network(field):
    before, after = pair("network", NETWORK, field)
    before, after = (answers(config.network.model_dump_json()) for config in (before, after))
    assert not same(before, after)


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    path = tmp_path_factory.mktemp("data")
    info = tiny_datasets.write(path, counts={"train": 40}, size=24, shards=4)
    return Split(path, info, "train")


def inputs(config: Config, split: Split) -> list[np.ndarray]:
    """Six batches of network input and labels: an epoch, and the next one's first."""
    mean = read_mean_image(split.directory)
    transform = InputTransform(mean, split.info.color, config.data, 16)
    stream = reader.training_batches(split, config.data, 16, Share(8), seed=0)
    noise = tf.constant(Schedule(config).noise_coefficient(0))
    found = []
    for batch in itertools.islice(stream, 6):
        found += [transform.training(batch, noise).numpy(), batch["label"].numpy()]
    return found


@pytest.fixture(scope="module")
def plain(split):
    return inputs(configured(), split)


@pytest.mark.parametrize("field", DATA)
def test_data(field, split, plain):
    before, after = pair("data", DATA, field)
    expected = plain if before == configured() else inputs(before, split)
    assert not same(expected, inputs(after, split))


def test_the_same_data_settings_give_the_same_batches(split, plain):
    assert same(plain, inputs(configured(), split))


@pytest.mark.parametrize("field", OPTIMIZER)
def test_optimizer(field):
    before, after = named("optimizer", OPTIMIZER, field)
    if supported(after.optimizer):
        assert not same(updated(before), updated(after))
    else:
        with pytest.raises(ConfigError, match=r"expects (TensorFlow Addons|Keras)"):
            updated(after)


def updated(config: Config) -> list[np.ndarray]:
    """Weights, and their averages, after two updates whose gradients differ."""
    values = {"fc8/kernel": [1.0, 2.0], "fc8/bias": [1.0, 2.0]}
    rig = Rig(config.optimizer, values)
    for gradient in ([1.0, -1.0], [2.0, 0.5]):
        rig.step(dict.fromkeys(values, gradient), dict.fromkeys(values, 0.1))
    averages = rig.optimizer.state.get("averages", {})
    return [*rig.weights.values(), *(average.numpy() for average in averages.values())]


def named(section: str, cases: dict, field: str) -> tuple[Config, Config]:
    """As `pair`, where the field's first part is the section's name."""
    name, _, setting = field.partition(".")
    besides, value = cases[field]
    change = {}
    for part in reversed(setting.split(".")):
        change = {part: change or value}
    tree = {"schedule": {"name": "piecewise"}} | {section: {"name": name}}
    for override in (*BASE, *besides):
        tree = config_files.merge(tree, config_files.parse_override(override))
    return config_files.parse(tree), config_files.parse(config_files.merge(tree, {section: change}))


def rates(config: Config) -> list[float]:
    """Of conv1's and fc8's weights and biases over 8 epochs whose errors fall, then stay."""
    schedule = Schedule(config)
    found = []
    for epoch in range(90):
        for fraction in (0.0, 0.5):
            for layer, kind in itertools.product(("conv1", "fc8"), ("kernel", "bias")):
                found.append(schedule.rate(layer, kind, epoch, fraction))
        schedule.plateau.observe(config.schedule, max(0.9 - 0.1 * epoch, 0.5))
    return found


@pytest.mark.parametrize("field", RATES)
def test_schedule(field):
    before, after = named("schedule", RATES, field)
    assert rates(before) != rates(after)


class Noted:
    """Stands for TrainingStep and for the loop's hooks: notes what it is called with."""

    class optimizer:
        weights = ()

    def __init__(self):
        self.seen = []

    def __call__(self, iterator, inputs):
        self.seen += [("steps", len(inputs))]
        self.seen += [("step", step.noise, step.seed) for step in inputs]
        return tf.constant([[1.0, 0.0, 0.0, 2.0]] * len(inputs))

    def window(self, progress, window):
        self.seen.append(("window", window.step))

    def epoch(self, progress, train, stopping):
        self.seen.append(("epoch", progress.epoch, train.examples))

    def save(self, progress, error=None):
        self.seen.append(("save", progress.epoch, progress.step))

    def any_worker(self, condition):
        return condition


def events(config: Config) -> list:
    """What a loop of 7 steps an epoch does."""
    step = Noted()
    assert Loop(config, step, lambda start: [], EpochSteps(7), step).run(Progress())
    return step.seen


@pytest.mark.parametrize("field", LOOP)
def test_loop(field):
    LOOP_BASE = ("training.epochs=2",)
    before, after = pair("training", {field: (LOOP_BASE, LOOP[field][1])}, field)
    assert events(before) == events(before)
    assert events(before) != events(after)


@pytest.mark.parametrize(("together", "log", "save"), [(2, 3, None), (4, 20, 5), (100, 2, 3)])
def test_steps_in_one_execution_change_no_other_moment(together, log, save):
    fields = {"epochs": 2, "log_every_steps": log, "checkpoint_every_steps": save}
    settings = [f"training.{key}={value}" for key, value in fields.items() if value]
    config = config_files.load("configs/paper.yaml", settings)
    grouped = config_files.load(
        "configs/paper.yaml", [*settings, f"training.steps_per_execution={together}"]
    )
    one_by_one = [event for event in events(config) if event != ("steps", 1)]
    several = events(grouped)
    assert max(count for name, count, *_ in several if name == "steps") == min(together, log)
    assert [event for event in several if event[0] != "steps"] == one_by_one


def test_the_stand_in_of_the_step_returns_what_the_metrics_expect():
    assert Result.from_sums([1.0, 0.0, 0.0, 2.0]).examples == 2
