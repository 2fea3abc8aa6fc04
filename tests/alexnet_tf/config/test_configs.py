"""The shipped configurations, and that every field of a configuration does something."""

from pathlib import Path

import pytest
import yaml

from alexnet_tf.config import files as config_files
from alexnet_tf.network import model as network_model
from alexnet_tf.network.geometry import total_parameters
from alexnet_tf.network.spec import VARIANTS

CONFIGS = Path(__file__).parents[3] / "configs"
PATHS = [*CONFIGS.glob("*.yaml"), *CONFIGS.glob("nets-2012/*.yaml")]
NAMES = sorted(str(path.relative_to(CONFIGS).with_suffix("")) for path in PATHS)


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


def test_net_146_has_the_sixth_convolution_and_is_net_145_otherwise():
    """61,555,304 parameters by layers-146-2012-2011.cfg; 590,080 of them conv6's."""
    with_conv6, without = (
        config_files.load(CONFIGS / f"{name}.yaml").network
        for name in ("nets-2012/146", "original")
    )
    assert total_parameters(with_conv6) == 61_555_304
    assert total_parameters(without) == 61_555_304 - 2 * 128 * (3 * 3 * 256 + 1)
    rows = tuple(row for row in with_conv6.layers if row.name != "conv6")
    assert with_conv6.model_copy(update={"layers": rows, "variant": "original"}) == without
