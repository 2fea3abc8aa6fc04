"""The shipped configurations, and that every field of a configuration does something."""

from pathlib import Path

import pytest
import yaml

from alexnet_tf.config import files as config_files
from alexnet_tf.network import model as network_model
from alexnet_tf.network.geometry import total_parameters
from alexnet_tf.network.spec import VARIANTS

CONFIGS = Path(__file__).parents[3] / "configs"
NAMES = sorted(path.stem for path in CONFIGS.glob("*.yaml"))


def test_there_is_one_for_every_variant():
    assert set(VARIANTS) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_loads_and_builds(name):
    config = config_files.load(CONFIGS / f"{name}.yaml")
    assert config_files.parse(yaml_of(config)) == config
    if name in VARIANTS:
        assert config.network == VARIANTS[name]
    narrow = config_files.load(CONFIGS / f"{name}.yaml", ["network.width=0.05"]).network
    assert network_model.build(narrow).count_params() == total_parameters(narrow)


def yaml_of(config) -> dict:
    return yaml.safe_load(config_files.to_yaml(config))


@pytest.mark.parametrize("name", NAMES)
def test_is_headed_by_its_command(name):
    head = [
        line
        for line in (CONFIGS / f"{name}.yaml").read_text().splitlines()[:6]
        if line.startswith("#")
    ]
    assert any(f"configs/{name}.yaml" in line or "make demo" in line for line in head)


def test_differences_between_paper_and_original_are_readable():
    paper, original = (config_files.load(CONFIGS / f"{n}.yaml") for n in ("paper", "original"))
    lines = config_files.differences(paper, original)
    text = "\n".join(lines)
    for field in ("network.lrn.alpha_over_n", "data.chunk", "data.color_noise.divide"):
        assert field in text
    assert "data.order: 'shuffled' → 'fixed'" in lines
