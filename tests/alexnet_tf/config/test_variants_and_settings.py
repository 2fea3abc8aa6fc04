"""Whatever variant is named, and wherever: every other setting stays laid over it, in any order."""

from itertools import combinations, permutations

import pytest
import yaml

from alexnet_tf.config import files as config_files
from alexnet_tf.config.schema import BatchRule, Plateau, StrategyConfig
from alexnet_tf.errors import ConfigError
from alexnet_tf.network.geometry import geometry
from alexnet_tf.network.initial import initial_stds
from alexnet_tf.network.spec import VARIANTS
from tests.alexnet_tf.network.reference_pairs import spec_of

ORIGINAL = "network.variant=original"
LEVELS = ("base", "file", "override")
SETTINGS = {  # what any variant can have
    "width": 0.25,
    "input_size": 128,
    "init_scaling": "keep-variance",
    "activation": "tanh",
    "pool": {"stride": 2},
    "layers": {"conv3": {"std": 0.02}},
}


def network_of(tmp_path, trees: dict[str, list[dict]]):
    """The network of a base file, a file on it, and overrides in this order."""
    for level, base in (("base", {}), ("file", {"base": "base.yaml"})):
        network = {}
        for tree in trees[level]:
            network |= tree
        (tmp_path / f"{level}.yaml").write_text(yaml.safe_dump({**base, "network": network}))
    overrides = [
        f"network.{k}={yaml.safe_dump(v, default_flow_style=True).strip()}".removesuffix("\n...")
        for tree in trees["override"]
        for k, v in tree.items()
    ]
    return config_files.load(tmp_path / "file.yaml", overrides).network


def expected(variant: str):
    spec = VARIANTS[variant]
    layers = tuple(
        row.model_copy(update=SETTINGS["layers"].get(row.name, {})) for row in spec.layers
    )
    same = {k: v for k, v in SETTINGS.items() if k not in ("layers", "pool")}
    return spec.model_copy(update={**same, "layers": layers})


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("settings_at", LEVELS)
@pytest.mark.parametrize("named_at", [some for n in (1, 2, 3) for some in combinations(LEVELS, n)])
def test_wherever_the_variant_is_named(tmp_path, named_at, settings_at, variant):
    """Named at several levels, the last holds; in overrides, before and after the settings."""
    for first in (True, False):
        trees = {level: [] for level in LEVELS}
        trees[settings_at] = [{k: v} for k, v in SETTINGS.items()]
        for level in named_at:
            name = variant if level == named_at[-1] else "bvlc"
            trees[level].insert(0 if first else len(trees[level]), {"variant": name})
        assert network_of(tmp_path, trees) == expected(variant)


@pytest.mark.parametrize("order", permutations(["variant", "width", "input_size", "pool"]))
@pytest.mark.parametrize("apart", [True, False])
def test_whatever_the_order_of_overrides(tmp_path, order, apart):
    """And whether the file or the overrides hold the rest."""
    values = {**SETTINGS, "variant": "one-tower"}
    trees = {"base": [], "file": [], "override": [{key: values[key]} for key in order]}
    rest = [{key: value} for key, value in values.items() if key not in order]
    trees["file" if apart else "override"] += rest
    assert network_of(tmp_path, trees) == expected("one-tower")


@pytest.mark.parametrize("overrides", permutations(["network.width=0.25", ORIGINAL]))
def test_the_case_that_was_seen(overrides):
    network = config_files.load("configs/small.yaml", list(overrides)).network
    small = {"width": 0.25, "input_size": 128, "init_scaling": "keep-variance"}
    assert network == VARIANTS["original"].model_copy(update=small)


@pytest.mark.parametrize("variant", VARIANTS)
def test_keep_variance_is_of_the_full_network_of_the_variant_that_holds(variant):
    network = config_files.load("configs/small.yaml", [f"network.variant={variant}"]).network
    rows = zip(geometry(network), geometry(VARIANTS[variant]), strict=True)
    assert initial_stds(network) == {
        row.layer.name: pytest.approx(row.layer.std * (full.fan_in / row.fan_in) ** 0.5)
        for row, full in rows
    }


@pytest.mark.parametrize(
    ("variant", "setting", "parts"),
    [
        ("no-norm", "lrn.k=1.5", ["network.lrn", "no layer of no-norm"]),
        ("one-weird-trick", "lrn.spans=both", ["network.lrn", "no layer of one-weird-trick"]),
        ("paper", "spatial_norm.k=2", ["network.spatial_norm", "no layer of paper"]),
        ("one-tower", "towers=2", ["network.layers.fc8.reads", "both", "own"]),
        ("original", "layers.conv6.std=0.1", ["network.layers", "conv5", "original", "conv6"]),
        ("no-norm", "layers.conv1.ops=[lrn, relu]", ["network.lrn", "settings"]),
    ],
)
@pytest.mark.parametrize("variant_first", [True, False])
def test_what_a_variant_cannot_have_is_refused_by_name(variant, setting, parts, variant_first):
    overrides = [f"network.variant={variant}", f"network.{setting}"]
    with pytest.raises(ConfigError) as caught:
        config_files.load("configs/small.yaml", overrides[:: 1 if variant_first else -1])
    assert all(part in str(caught.value) for part in parts), caught.value


def test_a_norm_that_no_layer_has_left_needs_no_settings():
    overrides = ["network.layers.conv1.ops=[relu, pool]", "network.layers.conv2.ops=[relu, pool]"]
    config = config_files.load("configs/paper.yaml", overrides)
    assert config.network.lrn is None
    assert config_files.parse(yaml.safe_load(config_files.to_yaml(config))) == config
    assert config.network.model_copy(update={"variant": "x"}) == spec_of(
        "paper", variant="x", lrn=None, layers=[row.model_dump() for row in config.network.layers]
    )


@pytest.mark.parametrize("reverse", [False, True])
def test_a_schedules_settings_beside_its_name_in_any_order(reverse):
    overrides = ["schedule.patience=2", "schedule.name=plateau", "schedule.factor=0.5"]
    chosen = config_files.load("configs/small.yaml", overrides[::-1] if reverse else overrides)
    assert chosen.schedule == Plateau(patience=2, factor=0.5)


def test_a_name_that_chooses_no_other_settings_discards_none(tmp_path):
    """strategy.name and schedule.batch_rule.name are values like others."""
    (tmp_path / "a.yaml").write_text(
        "strategy: {name: multi-worker, placement: two-tower}\n"
        "schedule: {batch_rule: {name: linear, reference: 64, warmup_epochs: 1}}"
    )
    overrides = ["strategy.name=mirrored", "schedule.batch_rule.name=sqrt"]
    config = config_files.load(tmp_path / "a.yaml", overrides)
    assert config.strategy == StrategyConfig(name="mirrored", placement="two-tower")
    assert config.schedule.batch_rule == BatchRule(name="sqrt", reference=64, warmup_epochs=1)


def test_a_layer_is_left_out_by_null_and_stays_out():
    config = config_files.parse({"network": {"layers": {"conv4": None, "conv3": {"units": 96}}}})
    assert [row.name for row in config.network.layers] == [
        row.name for row in VARIANTS["paper"].layers if row.name != "conv4"
    ]
    again = config_files.parse(yaml.safe_load(config_files.to_yaml(config)))
    assert again == config
    [row] = config_files.differences(
        config_files.parse({"network": {"layers": {"conv3": {"units": 96}}}}), config
    )
    assert row.startswith("network.layers.conv4: {")
    assert row.endswith("→ None")


def test_what_needs_the_layer_that_is_left_out_is_refused():
    with pytest.raises(ConfigError, match=r"network\.layers\.\w+\.reads: expected image"):
        config_files.parse({"network": {"layers": {"conv1": None}}})
