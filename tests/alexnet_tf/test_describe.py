"""The network as a table: known totals, and figures counted on the real model."""

import math
import subprocess
import sys
from pathlib import Path

import pytest

from alexnet_tf import describe
from alexnet_tf.config import files as config_files
from alexnet_tf.errors import ConfigError
from alexnet_tf.network import cost
from alexnet_tf.network import model as network_model
from alexnet_tf.network.geometry import geometry
from alexnet_tf.network.spec import VARIANTS
from tests.alexnet_tf.network.reference_pairs import spec_of

CONFIGS = Path(__file__).parents[2] / "configs"


def text_of(name: str, *overrides: str, batch_size: int = 128) -> str:
    return describe.describe(config_files.load(CONFIGS / f"{name}.yaml", overrides), batch_size)


def row(text: str, *start: str) -> list[str]:
    """The cells of the line that begins with these words."""
    lines = [line.split() for line in text.splitlines()]
    return next(cells for cells in lines if cells[: len(start)] == list(start))


def test_totals_of_net_145():
    """61 million parameters and 724 million multiply-adds, as is often quoted of AlexNet."""
    text = text_of("original")
    assert row(text, "total")[1:] == ["60,965,224", "724,406,816", "234,496"]
    assert "original: 224x224 RGB, 1000 classes" in text


def test_rows_by_hand():
    text = text_of("original", "strategy.placement=two-tower")
    # 11·11·3·48 + 48 weights; 363 multiply-adds for each of 55·55·48 outputs.
    line = "1 conv 11x11/4 pad 0+3, LRN, pool 3/2, ReLU 27x27x48 17,472 52,707,600 0 89.1"
    assert " ".join(row(text, "conv1", "b")[2:]) == line
    # conv3 takes the other tower's 13·13·128 float32 values.
    assert row(text, "conv3", "a")[-4:-1] == ["442,560", "74,760,192", "86,528"]
    assert row(text, "fc8")[1] == "0"  # on tower a's device
    other = text_of("original", "strategy.placement=two-tower", "network.layers.fc8.tower=b")
    assert row(other, "fc8")[1] == "1"


def test_arithmetic_intensity_by_hand():
    """fc7 of one tower at a batch of 1: 16,777,216 operations over 33.6 MB; at 128, 58.5."""
    fc7 = geometry(VARIANTS["original"])[6]
    operations, weights, maps = 2 * 4096 * 2048, 4096 * 2048 + 2048, 4096 + 2048
    assert cost.intensity(fc7, 1) == pytest.approx(operations / (4 * (weights + maps)))
    assert cost.intensity(fc7, 1) == pytest.approx(0.5, rel=0.01)
    assert row(text_of("original"), "fc7", "a")[-1] == "58.5"
    assert row(text_of("original", batch_size=1), "fc7", "a")[-1] == "0.5"


def test_without_a_split_everything_is_on_device_0():
    lines = text_of("original").splitlines()
    assert {cells[2] for cells in map(str.split, lines) if cells[:1] == ["conv4"]} == {"0"}
    assert "two-tower split, device 1" in text_of("original")  # what it would take


@pytest.mark.parametrize("name", VARIANTS)
def test_bytes_between_towers_are_those_of_the_models_concatenations(name):
    spec = spec_of(name, width=1 / 24, num_classes=10)
    counted = 0
    for layer in network_model.build(spec).layers:
        if "_both_" in layer.name or layer.name.endswith("_both"):
            counted += 4 * math.prod(layer.output.shape[1:]) // 2
        if "_lrn_both" in layer.name:
            assert spec.lrn.spans == "both"
    assert counted == sum(cost.received_bytes(spec, r) * r.towers for r in geometry(spec))
    assert (counted == 0) == (spec.towers == 1)


@pytest.mark.parametrize("name", ["paper", "original", "one-tower", "non-overlapping"])
def test_activations_are_those_of_the_models_layers(name):
    spec = spec_of(name, width=1 / 24, num_classes=10)
    others = ("image", "_pad", "_flat")  # read anew from the input, or without a copy
    counted = sum(
        math.prod(layer.output.shape[1:])
        for layer in network_model.build(spec).layers
        if not any(other in layer.name for other in others)
    )
    assert counted == sum(cost.kept_values(spec, r) * r.towers for r in geometry(spec))


def test_memory_shows_why_3_gb_cards_needed_the_split():
    """At 128 images, one device would hold 2.8 GB before any library's own needs."""
    spec = VARIANTS["original"]
    (alone,), split = (cost.device_bytes(spec, 128, s) for s in (False, True))
    assert alone["weights"] == alone["optimizer"] == alone["gradients"] == 4 * 60_965_224
    assert sum(alone.values()) == pytest.approx(2.83e9, rel=0.01)
    assert len(split) == 2
    assert all(sum(part.values()) < 1.5e9 for part in split)
    assert sum(part["weights"] for part in split) == alone["weights"]
    half = cost.device_bytes(spec, 64, False)[0]
    assert half["activations"] * 2 == alone["activations"]
    assert half["weights"] == alone["weights"]


@pytest.mark.parametrize(
    ("name", "megabytes"), [("momentum", 239), ("sgdw", 239), ("lamb", 478), ("lookahead", 478)]
)
def test_an_optimizer_keeps_so_much_beside_the_weights(name, megabytes):
    """59,798,312 parameters of 4 bytes, once or twice."""
    assert f"optimizer {megabytes}" in text_of("one-tower", f"optimizer.name={name}")


def test_the_verb_prints_and_takes_overrides(capsys):
    arguments = ["--config", str(CONFIGS / "bvlc.yaml"), "--batch-size", "8"]
    assert describe.main([*arguments, "network.width=0.5", "network.activation=tanh"]) == 0
    text = capsys.readouterr().out
    assert "bvlc: 227x227 RGB, 1000 classes, width 0.5" in text
    assert "conv 5x5 pad 2, tanh, LRN, pool 3/2" in text
    assert "training memory at a batch of 8" in text


def test_it_starts_without_tensorflow():
    """In a process of its own, which is told not to find it."""
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['tensorflow', 'keras']))\n"
        "from alexnet_tf import describe\n"
        f"describe.main(['--config', {str(CONFIGS / 'paper.yaml')!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "60,965,224" in done.stdout


def test_a_wrong_batch_size_is_refused():
    for size in ("0", str(10**400)):
        with pytest.raises(ConfigError, match="--batch-size: expected a number from 1 to 1048576"):
            describe.main(["--config", str(CONFIGS / "paper.yaml"), "--batch-size", size])


TIES = "network.pool.ties=all"  # the longest operations there are


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        *((path.stem, ()) for path in sorted(CONFIGS.glob("*.yaml"))),
        ("nets-2012/146", ()),
        ("original", (TIES,)),
    ],
)
def test_every_configurations_table_is_within_120_columns(name, overrides):
    assert max(map(len, text_of(name, *overrides).splitlines())) <= 120
