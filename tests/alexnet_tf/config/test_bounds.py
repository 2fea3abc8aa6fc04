"""What `describe` accepts can be built, what it refuses is refused in one line, by `train` too."""

import math
import typing

import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from alexnet_tf import describe, train
from alexnet_tf.config import files as config_files
from alexnet_tf.config.schema import Config
from alexnet_tf.errors import ConfigError, GeometryError
from alexnet_tf.network import model as network_model
from alexnet_tf.network.geometry import geometry, total_parameters
from alexnet_tf.network.spec import VARIANTS
from tests.alexnet_tf.config.test_every_field import models_in

EXTREMES = [2**62, -(2**62), 1e300, -1e300, math.inf, -math.inf, math.nan, True, "9" * 5000]


def all_models(model: type[BaseModel] = Config) -> set[type[BaseModel]]:
    inner = [m for f in model.model_fields.values() for m in models_in(f.annotation)]
    return {model, *(found for m in inner for found in all_models(m))}


def kinds(annotation) -> set:
    return {annotation, *(k for a in typing.get_args(annotation) for k in kinds(a))}


NUMBERS = sorted(
    (
        (model, name)
        for model in all_models()
        for name in model.model_fields
        if {int, float} & kinds(model.model_fields[name].annotation)
    ),
    key=lambda case: (case[0].__name__, case[1]),
)


def test_many_numbers_are_looked_at():
    assert len(NUMBERS) > 60


@pytest.mark.parametrize(("model", "name"), NUMBERS, ids=lambda x: getattr(x, "__name__", x))
def test_every_number_of_every_section_has_bounds(model, name):
    """In whatever shape it is given: alone, in a list, by epoch or by layer."""
    for value in EXTREMES:
        by_epoch = [[[0, value]], [[value, 0.1]]]
        shapes = [value, [value] * 2, [value] * 3, *by_epoch, *({"conv1": x} for x in by_epoch)]
        for given_value in shapes:
            with pytest.raises(ValidationError) as caught:
                model.model_validate({name: given_value})
            assert any(
                name in map(str, e["loc"]) or name in e["msg"] for e in caught.value.errors()
            )


REFUSED = [
    "network.layers.conv2.pad=[-1, 2]",
    "network.layers.conv2.pad=2",
    "network.layers.conv2.kernel=0",
    "network.layers.conv2.stride=0",
    "network.layers.conv2.stride=1099511627776",
    "network.layers.conv2.ops=[relu, lrn, pool, relu]",
    "network.layers.conv2.ops=[swish]",
    "network.layers.fc6.ops=[relu, pool]",
    "network.layers.fc6.ops=[spatial_norm]",
    "network.layers.fc6.kernel=3",
    "network.layers.fc6.type=conv",
    "network.layers.conv4.type=dense",
    "network.layers.conv4.tower=a",
    "network.layers.conv1.reads=both",
    "network.layers.conv1.reads=own",
    "network.layers.conv2.reads=image",
    "network.layers.conv2.name=conv1",
    "network.layers.conv2.name=conv_2",
    "network.layers.conv2.name=image",
    "network.layers.fc8.reads=own",
    "network.layers.fc8.ops=[relu]",
    "network.layers.fc8.tower=each",
    "network.layers.fc7.units=0",
    "network.layers.fc7.units=1e30",
    "network.layers.fc7.std=1e39",
    "network.layers.fc7.bias=.nan",
    "network.layers.conv1=null",
    "network.layers=[1, 2]",
    "network.lrn.size=100000000",
    "network.lrn.k=1e-40",
    "network.lrn.alpha=1e40",
    "network.pool.size=5",
    "network.dropout.rate=1",
    "network.input_size=15",
    "network.input_size=1e9",
    "network.num_classes=1",
    "network.width=0",
    "network={input_size: 4096, width: 8}",
    "network=3",
    "data.chunk=0",
    "data.shuffle_buffer=4611686018427387904",
    "data.mean_rgb=[1, 2]",
    "data.fraction=0",
    "data.fraction=1.1",
    "data.held_out.fraction=1",
    "data.held_out.until_epoch=0",
    "schedule.name=plateau data.held_out.until_epoch=3",
    "schedule.name=exp schedule.biases.steps=2",
    "schedule.name=dexp schedule.biases.rate=1 schedule.bias_rate=[[0, 1]]",
    "schedule.name=dexp schedule.target_factor=1",
    "training.global_batch_size=0",
    "training.global_batch_size=1e12",
    "training.epochs=yes",
    "training.epochs=2020-01-01",
    "training.epochs=2020-99-99",
    "training.epochs=1:30",
    f"training.epochs={'9' * 5000}",
    "training.seed=2147483648",
    "schedule.rate=[[0, .inf]]",
    "schedule.name=plateau schedule.rate=.inf",
    "schedule.name=cosine schedule.rate=1e39",
    "optimizer.weight_decay=1e39",
    "training={1: 2}",
    "3=4",
    "data.color_noise.coefficient=[[0, 1e39]]",
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_describe_and_train_refuse_alike(text, tmp_path):
    """One short line, the same; train before it makes anything."""
    overrides = text.split(" ") if text.startswith("schedule.name") else [text]
    lines = []
    for verb, more in ((describe, []), (train, ["--data", "none", "--run", str(tmp_path / "run")])):
        with pytest.raises((ConfigError, GeometryError)) as caught:
            verb.main(["--config", "configs/small.yaml", *more, *overrides])
        lines.append(str(caught.value))
    assert lines[0] == lines[1]
    assert "\n" not in lines[0]
    assert len(lines[0]) < 600
    assert "expected" in lines[0] or "should" in lines[0] or "required" in lines[0]
    assert not (tmp_path / "run").exists()


NAMES = [row.name for row in VARIANTS["paper"].layers]
SMALL = st.integers(-1, 12)
ODD_NUMBERS = st.sampled_from([0, -1, 2**40, 1e-50, 1e39, math.nan, math.inf, "x", None, True])
OPS = st.lists(
    st.sampled_from(["relu", "lrn", "spatial_norm", "pool", "dropout"]), max_size=5, unique=True
)
POOLS = st.fixed_dictionaries(
    {"size": st.integers(1, 3), "stride": st.integers(1, 2)},
    optional={
        "kind": st.sampled_from(["max", "average"]),
        "ties": st.sampled_from(["first", "all"]),
    },
)
ROWS = st.fixed_dictionaries(
    {},
    optional={
        "kernel": SMALL | ODD_NUMBERS,
        "stride": SMALL | st.sampled_from([600, 2**33]),
        "pad": st.lists(SMALL, min_size=1, max_size=3) | ODD_NUMBERS,
        "ops": OPS | st.just(["pool", "pool"]),
        "reads": st.sampled_from(["own", "both", "image", "none"]),
        "tower": st.sampled_from(["each", "a", "b"]),
        "type": st.sampled_from(["conv", "local", "dense"]),
        "pool": st.none() | POOLS,
        "units": st.integers(1, 64) | ODD_NUMBERS,
        "std": st.floats(1e-4, 1.0) | ODD_NUMBERS,
        "bias": st.floats(-1, 1) | ODD_NUMBERS,
    },
)
NETWORKS = st.fixed_dictionaries(
    {
        "variant": st.sampled_from(sorted(VARIANTS)),
        "input_size": st.integers(16, 80),
        "num_classes": st.integers(2, 9),
        "width": st.sampled_from([0.01, 0.03]),
    },
    optional={
        "towers": st.sampled_from([1, 2, 3]),
        "activation": st.sampled_from(["relu", "tanh"]),
        "pool": POOLS,
        "lrn": st.fixed_dictionaries(
            {}, optional={"size": SMALL, "k": ODD_NUMBERS, "spans": st.just("both")}
        ),
        "dropout": st.fixed_dictionaries({"rate": st.floats(-0.1, 1.1)}),
        "initializer": st.sampled_from(["normal", "fan-in-uniform"]),
        "init_scaling": st.sampled_from(["fixed", "keep-variance"]),
        "layers": st.dictionaries(st.sampled_from(NAMES), ROWS, max_size=2),
    },
)


@pytest.fixture(scope="module")
def outcomes():
    """How many networks were built and how many refused, over all examples."""
    counted = {"built": 0, "refused": 0}
    yield counted
    assert counted["built"] > 10
    assert counted["refused"] > 10


def in_one_line(load) -> Config | None:
    """None if it is refused as it should be."""
    try:
        return load()
    except (ConfigError, GeometryError) as error:
        if "\n" in str(error):
            raise AssertionError("expected one line") from error
        return None


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(NETWORKS)
def test_what_is_accepted_can_be_built_and_is_what_was_counted(outcomes, network):
    config = in_one_line(lambda: config_files.parse({"network": network}))
    if config is None:
        outcomes["refused"] += 1
        return
    spec = config.network
    assert describe.describe(config, 1)
    model = network_model.build(spec)
    assert model.count_params() == total_parameters(spec)
    for row in geometry(spec):
        for tower in spec.tower_names if row.layer.tower == "each" else ("",):
            name = f"{row.layer.name}_{tower}" if tower else row.layer.name
            assert model.get_layer(name).output.shape[-1] == row.units
    image = tf.zeros([1, spec.input_size, spec.input_size, 3])
    assert model(image).shape == (1, spec.num_classes)
    outcomes["built"] += 1


YAML_LIKE = st.from_regex(r"[a-z:\[\]{}&*<!\n .0-9-]{0,40}")


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=60) | YAML_LIKE)
def test_any_text_is_a_configuration_or_one_line(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "text.yaml"
    path.write_bytes(text.encode())
    assert isinstance(in_one_line(lambda: config_files.load(path)), Config | None)


def bomb(levels: int, width: int = 9) -> str:
    lines = ["a0: &a0 [x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * width)}]" for i in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (bomb(20), "at most 5000 values"),
        (bomb(20).replace("[x]", "{x: 1}").replace("a1: &a1 [", "a1: &a1 [{<<: *a0}, "), "at most"),
        ("a: &a {<<: *a}", "alias to what it is a part of"),
        ("a: &a [*a]", "alias to what it is a part of"),
        ("[" * 5000, "levels"),
        ("a: " + "[" * 41 + "]" * 41, "at most 40 levels"),
        ("a: !!timestamp 2020-99-99", "expected YAML"),
        ("a: !!int " + "9" * 5000, "expected YAML"),
        ("a: !!python/name:os.system", "expected YAML"),
        ("training: {epochs: " + "9" * 5000 + "}", "expected YAML"),
        ("a: b\n" * 6_000, "at most 5000 values"),
        ("base: {a: 1}", "is no file"),
        ("base: " + "x" * 5000, "expected"),
        (r'base: "a\0b"', "expected"),
    ],
)  # fmt: skip
def test_yaml_beyond_bounds_is_refused_at_once(tmp_path, text, part):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ConfigError, match=part) as caught:
        config_files.load(tmp_path / "a.yaml")
    assert "\n" not in str(caught.value)


def test_aliases_may_be_used(tmp_path):
    text = "schedule: {rate: &rate [[0, 0.02]], bias_rate: *rate}"
    (tmp_path / "a.yaml").write_text(text)
    schedule = config_files.load(tmp_path / "a.yaml").schedule
    assert schedule.rate == schedule.bias_rate == ((0, 0.02),)
