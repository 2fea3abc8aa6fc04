"""YAML in, a typed configuration or one clear line out."""

from pathlib import Path

import pytest
import yaml

from alexnet_tf.config import files as config_files
from alexnet_tf.config import yaml_files
from alexnet_tf.config.schema import Config, LambConfig, MomentumConfig, Piecewise, Plateau
from alexnet_tf.errors import ConfigError
from alexnet_tf.network.geometry import total_parameters
from alexnet_tf.network.initial import initial_stds

FOLDER = Path(__file__).parents[3] / "configs"
CONFIGS = sorted([*FOLDER.glob("*.yaml"), *FOLDER.glob("nets-2012/*.yaml")])


@pytest.fixture
def write(tmp_path):
    def write(text: str, name: str = "a.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configs_load_and_survive_a_round_trip(path):
    config = config_files.load(path)
    text = config_files.to_yaml(config)
    assert config_files.parse(yaml.safe_load(text)) == config


def test_an_empty_file_is_the_paper(write):
    config = config_files.load(write(""))
    assert config.network.variant == "paper"
    assert config.schedule == Piecewise()
    assert config.training.global_batch_size == 128


def test_base_is_laid_under_and_overrides_over(write):
    write("training: {epochs: 7, seed: 3}\nnetwork: {lrn: {k: 1.5}}", "base.yaml")
    path = write("base: base.yaml\ntraining: {epochs: 8}")
    config = config_files.load(path, ["training.seed=4", "network.lrn.alpha=2e-5"])
    assert (config.training.epochs, config.training.seed) == (8, 4)
    assert (config.network.lrn.k, config.network.lrn.alpha) == (1.5, 2e-5)


def test_a_layer_is_changed_by_its_name_alone(write):
    config = config_files.load(write("network: {layers: {conv3: {std: 0.03}}}"))
    changed = config_files.differences(config_files.load(write("", "b.yaml")), config)
    assert len(changed) == 1
    assert config.network.layers[2].std == 0.03
    assert config.network.layers[2].units == 384


def test_another_schedule_replaces_the_whole_section(write):
    path = write("schedule: {rate: [[0, 0.1], [5, 0.01]]}")
    assert config_files.load(path).schedule.rate == ((0, 0.1), (5, 0.01))
    assert config_files.load(path, ["schedule.name=plateau"]).schedule == Plateau()


def test_another_optimizer_replaces_the_whole_section(write):
    path = write("optimizer: {momentum: 0.5}")  # without a name: the default's
    assert config_files.load(path).optimizer == MomentumConfig(momentum=0.5)
    assert config_files.load(path, ["optimizer.name=lamb"]).optimizer == LambConfig()


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("training.epoch=3", ["training.epoch", "did you mean 'epochs'"]),
        ("netwrk.width=1", ["netwrk", "did you mean 'network'"]),
        ("network.lrn.alphaa=1", ["network.lrn.alphaa", "did you mean 'alpha'"]),
        ("training.epochs=ten", ["training.epochs", "integer", "'ten'"]),
        ("training.epochs=0", ["training.epochs", "greater than or equal to 1"]),
        ("network.variant=papr", ["network.variant", "paper, original", "'papr'"]),
        ("network.layers.conv9.std=1", ["conv1", "conv9"]),
        ("network.pool.size=5", ["network.pool", "received size 5"]),
        ("network.lrn=null", ["lrn", "null"]),
        ("schedule.name=sometimes", ["schedule", "'plateau'", "'sometimes'"]),
        ("schedule.rate=[[3, 0.1]]", ["schedule.rate", "epoch 0"]),
        ("schedule.rate=[[0, 0.1], [0, 0.2]]", ["schedule.rate", "ascending"]),
        ("schedule.layer_rates={conv9: [[0, 0.1]]}", ["conv1", "'conv9'"]),
        ("optimizer.name=adam", ["optimizer", "'lamb'", "'adam'"]),
        ("optimizer.momentun=0", ["optimizer.momentun", "did you mean 'momentum'"]),
        ("optimizer.momentum=1", ["optimizer.momentum: ", "less than 1"]),
        ("optimizer={name: lamb, momentum: 0.9}", ["optimizer.momentum", "beta_1, beta_2"]),
        ("training=4", ["training", "received 4"]),
        ("training.epochs", ["section.key=value", "training.epochs"]),
    ],
)
def test_a_mistake_gets_one_line_that_names_it(write, override, parts):
    with pytest.raises(ConfigError) as caught:
        config_files.load(write(""), [override])
    line = str(caught.value)
    assert "\n" not in line
    for part in parts:
        assert part in line


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a: [1", "expected YAML"),
        ("- 1\n- 2", "expected sections"),
        ("base: a.yaml", "cycle"),
        ("base: missing.yaml", "missing.yaml"),
        ("x: !!python/object/apply:os.getcwd []", "expected YAML"),
    ],
)
def test_bad_files_are_refused(write, text, part):
    with pytest.raises(ConfigError, match=part):
        config_files.load(write(text))


def test_a_huge_file_is_not_read(write):
    with pytest.raises(ConfigError, match="at most"):
        config_files.load(write("#" * (yaml_files.MAX_BYTES + 1)))


def test_classes_come_from_the_dataset_unless_the_file_contradicts(write):
    config = config_files.load(write(""))
    assert config.with_classes(10).network.num_classes == 10
    explicit = config_files.load(write("network: {num_classes: 12}"))
    assert explicit.with_classes(12).network.num_classes == 12
    with pytest.raises(ConfigError, match=r"expected 10.*received 12"):
        explicit.with_classes(10)


def test_differences_name_both_values():
    old, new = config_files.parse({}), config_files.parse({"training": {"seed": 5}})
    assert config_files.differences(old, new) == ["training.seed: 0 → 5"]
    assert config_files.differences(old, Config(network=old.network)) == []


OWN = """
network:
  variant: two-layers
  towers: 1
  input_size: 16
  width: 0.5
  init_scaling: keep-variance
  layers:
    first: {type: local, reads: image, units: 4, kernel: 3, std: 0.5, ops: [relu]}
    last: {type: dense, tower: a, units: 10, std: 0.25}
"""


def test_a_network_of_its_own_layers_under_its_own_name(write):
    config = config_files.load(write(OWN), ["network.layers.first.stride=2"])
    spec = config.network
    assert [row.name for row in spec.layers] == ["first", "last"]
    assert (spec.lrn, spec.pool, spec.dropout) == (None, None, None)
    assert spec.layers[0].stride == 2
    assert config_files.parse(yaml.safe_load(config_files.to_yaml(config))) == config
    # 7·7 places of 2 maps, each of 27 values and a bias; then 98 values and a bias.
    assert total_parameters(spec) == 49 * 2 * 28 + 1000 * 99
    # At width 1 the last layer reads twice as many.
    assert initial_stds(spec) == {"first": 0.5, "last": pytest.approx(0.25 * 2**0.5)}


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("two-layers", "Two_Layers", ["network.variant", "pattern"]),
        ("type: local, ", "", ["two-layers", "all its network.layers", "type"]),
        ("type: local", "type: pool", ["network.layers", "'local'", "'dense'"]),
        ("units: 4, ", "", ["network.layers.first.units", "required"]),
        ("kernel: 3, ", "", ["network.layers.first.kernel", "required"]),
        ("reads: image, ", "", ["network.layers.first.reads", "image of the first layer"]),
        ("tower: a, ", "", ["network.layers.last.tower", "a or b"]),
        ("[relu]", "[relu, lrn]", ["network.lrn", "settings"]),
        ("[relu]", "[relu, pool]", ["network.pool", "settings"]),
        ("two-layers", "paper", ["conv1", "fc8", "paper", "first"]),
        ("last:", "la_st:", ["network.layers.la_st.name", "pattern"]),
    ],
)
def test_a_network_of_its_own_is_refused_in_one_line(write, old, new, parts):
    with pytest.raises(ConfigError) as caught:
        config_files.load(write(OWN.replace(old, new)))
    line = str(caught.value)
    assert "\n" not in line
    assert all(part in line for part in parts), line


def test_decays_by_layer():
    tree = {"weight_decay": 0.1, "layer_decays": {"conv1": 1, "fc8/bias": 2, "fc7/kernel": 3}}
    decay = config_files.parse({"optimizer": tree}).optimizer.decay_of
    assert (decay("conv1", "kernel"), decay("conv1", "bias")) == (1, 0)
    assert (decay("conv2", "kernel"), decay("conv2", "bias")) == (0.1, 0)
    assert (decay("fc8", "kernel"), decay("fc8", "bias")) == (0.1, 2)
    assert (decay("fc7", "kernel"), decay("fc7", "bias")) == (3, 0)
    decay = config_files.parse({"optimizer": {**tree, "decay_biases": True}}).optimizer.decay_of
    assert (decay("conv1", "bias"), decay("conv2", "bias"), decay("fc7", "bias")) == (1, 0.1, 0.1)
    with pytest.raises(ConfigError, match=r"optimizer.layer_decays: expected .*received 'conv9'"):
        config_files.parse({"optimizer": {"layer_decays": {"conv9": 1}}})


def test_layers_in_another_order_are_another_network():
    old = config_files.parse({})
    first, second, *rest = old.network.layers
    network = old.network.model_copy(update={"layers": (second, first, *rest)})
    [line] = config_files.differences(old, old.model_copy(update={"network": network}))
    assert line.startswith("network.layers: ['conv1', 'conv2', ")
