"""Benchmarks: the arithmetic behind their limits, and that every verb measures what it names."""

import json
from pathlib import Path

import numpy as np
import pytest

from alexnet_tf import benchmark
from alexnet_tf.benchmarks import (
    growth,
    local_layers,
    networks,
    reading,
    shapes,
    starting,
    timing,
)
from alexnet_tf.benchmarks.table import Row, Table
from alexnet_tf.config import files as config_files
from alexnet_tf.data import cache
from alexnet_tf.errors import ConfigError, JobError
from alexnet_tf.network.model import build
from alexnet_tf.network.spec import VARIANTS
from alexnet_tf.network.weights import weights_of
from tests import tiny_datasets

CONFIGS = Path(__file__).parents[2] / "configs"


def test_operations_of_a_step_by_hand():
    # Multiply-adds of the eight layers at 55, 27, 13, 13, 13 and 1 positions a side.
    layers = [
        55**2 * 96 * 363,
        27**2 * 256 * 1200,
        13**2 * 384 * 2304,
        13**2 * 384 * 1728,
        13**2 * 256 * 1728,
        9216 * 4096,
        4096 * 4096,
        4096 * 1000,
    ]
    assert shapes.operations(VARIANTS["paper"]) == 2 * (3 * sum(layers) - layers[0])


def test_products_have_the_sizes_of_the_layers():
    first, conv1_by_weights, *_ = shapes.products(VARIANTS["paper"], 128)
    assert first == shapes.Product(1, 128 * 55**2, 3 * 11**2, 48, times=2)
    assert conv1_by_weights == shapes.Product(1, 3 * 11**2, 128 * 55**2, 48, times=2)
    *_, by_inputs = shapes.products(VARIANTS["paper"], 128)
    assert by_inputs == shapes.Product(1, 128, 1000, 4096)
    # Layers whose weights differ from place to place: a product for each.
    local = config_files.load(CONFIGS / "cifar-11pct.yaml").network
    assert shapes.Product(6 * 6, 128, 3**2 * 64, 64) in shapes.products(local, 128)


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_parted_products_are_smaller_and_as_much_work(name):
    for product in shapes.products(VARIANTS[name], 128):
        part = product.parted()
        assert part.operations == pytest.approx(product.operations, rel=0.01)
        assert part.operations >= product.operations
        assert part.rows * part.inner <= shapes.AT_ONCE + max(part.rows, part.inner)


def test_the_rate_of_products_alone_is_of_whole_batches():
    spec = VARIANTS["paper"].model_copy(update={"width": 0.05, "input_size": 64})
    assert shapes.own_rate(spec, 4)() == pytest.approx(4)  # small enough to be done at once


def test_rates_count_items_by_the_clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])

    def case(cost):
        def call():
            now[0] += cost
            return 3.0

        return call

    rates = timing.measure({"slow": case(0.5), "fast": case(0.25)}, seconds=1.0, rounds=3)
    assert rates == {"slow": 6.0, "fast": 12.0}


def test_a_table_shows_and_writes_figure_limit_and_ratio(tmp_path):
    table = Table("title", "images/s", [Row("a", 90.0, 120.0), Row("bare", 7.0)], {"batch": 8})
    text = table.text()
    assert "90.0" in text
    assert "0.75" in text
    table.write_json(str(tmp_path / "t.json"))
    written = json.loads((tmp_path / "t.json").read_text())
    assert [row["ratio"] for row in written["rows"]] == [0.75, None]
    assert written["facts"] == {"batch": 8}


def test_the_networks_set_beside_ours_compute_the_same():
    """TensorFlow's norm exactly, groups with the towers' weights side by side."""
    spec = VARIANTS["paper"].model_copy(
        update={"width": 0.05, "input_size": 64, "num_classes": 7, "init_scaling": "keep-variance"}
    )
    towers, groups = build(spec, seed=1), networks.grouped(spec)
    ours = {weight.name: weight.variable.numpy() for weight in weights_of(towers)}
    for weight in weights_of(groups):
        parts = [
            ours[name]
            for name in (f"{weight.layer}_a/{weight.kind}", f"{weight.layer}_b/{weight.kind}")
            if name in ours
        ] or [ours[weight.name]]
        weight.variable.assign(np.concatenate(parts, axis=-1))
    other_norm = networks.with_tensorflow_norm(towers)
    other_norm.set_weights(towers.get_weights())
    images = np.random.default_rng(0).normal(0, 60, (2, 64, 64, 3)).astype(np.float32)
    expected = towers(images, training=False).numpy()
    np.testing.assert_allclose(other_norm(images, training=False), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(groups(images, training=False), expected, rtol=1e-4, atol=1e-5)


def test_without_norm_nothing_normalizes():
    for name in ("paper", "original"):
        ops = {op for layer in networks.without_norm(VARIANTS[name]).layers for op in layer.ops}
        assert ops <= {"relu", "pool", "dropout"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data")
    tiny_datasets.write(path, encoding="jpeg")
    return path


@pytest.fixture
def run(tmp_path, capsys):
    """Runs a verb for a moment; returns {what: figure}."""

    def run(*arguments):
        target = tmp_path / "figures.json"
        options = ["--seconds", "0.01", "--json", str(target)]
        assert benchmark.main([*map(str, arguments), *options]) == 0
        table = json.loads(target.read_text())
        assert capsys.readouterr().out.startswith(table["title"])
        return {row["what"]: row["figure"] for row in table["rows"]}

    return run


def test_lrn_measures_each_implementation_and_dtype(run):
    figures = run("lrn", "--batch-size", "2")
    assert len(figures) == 2 * (3 * 4 - 1)  # no bfloat16 kernel in tf.nn
    assert min(figures.values()) > 0


def test_local_measures_layers_beside_their_products(run, tmp_path):
    figures = run("local", "--batch-size", "2")
    assert list(figures) == list(local_layers.SHAPES)
    rows = json.loads((tmp_path / "figures.json").read_text())["rows"]
    assert min(row["figure"] for row in rows) > 0
    assert min(row["limit"] for row in rows) > 0


def test_input_measures_records_and_bare_decoding(run, data):
    figures = run("input", "--data", data, "--size", "64", "--batch-size", "4")
    kept = [f"… with data.cache: {kind}" for kind in ("memory", "pixels")]
    assert list(figures) == ["records → batches", *kept, "bare decoding", "bare reading"]
    assert min(figures.values()) > 0


def test_what_does_not_fit_in_memory_has_no_row(run, data, monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "available_memory", lambda: 1)
    figures = run("input", "--data", data, "--size", "64", "--batch-size", "4")
    assert list(figures) == ["records → batches", "bare decoding", "bare reading"]
    facts = json.loads((tmp_path / "figures.json").read_text())["facts"]
    assert facts["no pixels"].startswith("data.cache: pixels expects")


def test_input_by_size_repeats_the_records_it_has(run, data, monkeypatch):
    monkeypatch.setattr(reading, "SHARDS", ((1, 6), (4, 50)))
    monkeypatch.setattr(reading, "RECORDS", ())
    figures = run("input", "--scaling", "--data", data, "--size", "64", "--batch-size", "4")
    assert list(figures) == ["  1 shards,      6 records", "  4 shards,     52 records"]
    assert min(figures.values()) > 0


@pytest.mark.slow
def test_train_measures_the_step_and_its_rivals(run, data, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("network: {width: 0.05, input_size: 64}\ntraining: {global_batch_size: 4}")
    figures = run("train", "--config", config, "--data", data)
    limits = [
        f"{dtype}{of}"
        for dtype in ("float32", "bfloat16")
        for of in ("", " by its sizes", ", sizes alone")
    ]
    rivals = ["no norm", "tf.nn LRN", "groups=2", "nothing compiled"]
    assert list(figures) == [*limits, *rivals, "from records"]
    assert min(figures.values()) > 0


@pytest.mark.slow
def test_train_measures_a_network_without_rivals(run):
    overrides = ["network.width=0.1", "network.num_classes=10", "training.steps_per_execution=2"]
    figures = run("train", "--config", CONFIGS / "cifar-13pct.yaml", *overrides)
    assert "nothing compiled" in figures
    assert not {"no norm", "tf.nn LRN", "groups=2"} & set(figures)
    assert min(figures.values()) > 0


@pytest.mark.slow
def test_train_by_size_measures_each_width_and_batch_once(run, tmp_path, monkeypatch):
    monkeypatch.setattr(growth, "WIDTHS", (0.05, 0.1))
    monkeypatch.setattr(growth, "BATCHES", (2,))
    config = tmp_path / "c.yaml"
    config.write_text(
        "network: {variant: no-norm, input_size: 64}\ntraining: {global_batch_size: 2}"
    )
    figures = run("train", "--scaling", "--config", config)
    assert list(figures) == ["width 0.05, batch 2", "width 0.1, batch 2"]
    assert min(figures.values()) > 0


@pytest.mark.slow
def test_feeding_compares_records_with_one_batch_in_memory(run, data, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("network: {width: 0.05, input_size: 64}\ntraining: {global_batch_size: 4}")
    figures = run("train", "--feeding", "--config", config, "--data", data)
    step, alone, fed, shared = figures.values()
    assert list(figures) == ["one batch in memory", "input alone", "from records", "shared"]
    assert shared == pytest.approx(step * alone / (step + alone))
    assert fed > 0


def test_mistakes_are_told(data, tmp_path):
    with pytest.raises(ConfigError, match="SavedModel"):
        benchmark.main(["export", "--model", str(tmp_path)])
    starting_here = ["start", "--data", str(data), "--predict", str(tmp_path), "image.jpg"]
    with pytest.raises(ConfigError, match="expected a SavedModel directory"):
        benchmark.main(starting_here)
    with pytest.raises(ConfigError, match="at most 72"):
        benchmark.main(["input", "--data", str(data)])


@pytest.mark.slow
def test_start(tmp_path):
    tiny_datasets.write(tmp_path, counts={"train": 4, "validation": 2}, size=32)
    tiny = ["network.input_size=32", "network.width=0.05", "training.global_batch_size=2"]
    command = ["start", "--data", str(tmp_path), "--json", str(tmp_path / "table.json"), *tiny]
    assert benchmark.main(command) == 0
    rows = json.loads((tmp_path / "table.json").read_text())["rows"]
    seconds = {row["what"]: row["figure"] for row in rows}
    load, begun = seconds["import tensorflow"], seconds["train demo, to the end of its first step"]
    assert seconds["train --help"] < load < begun


@pytest.mark.slow
def test_a_start_that_fails_says_why(tmp_path):
    with pytest.raises(JobError, match=r"expected dataset_info\.json in"):
        starting.table("demo", str(tmp_path / "none"), rounds=1)
