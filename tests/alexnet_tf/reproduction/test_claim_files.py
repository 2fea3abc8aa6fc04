"""Claims from YAML: what holds of each, and what is refused in one line."""

import pytest

from alexnet_tf.config import files as config_files
from alexnet_tf.errors import ConfigError
from alexnet_tf.reproduction import claim_files
from alexnet_tf.reproduction.claim_parts import SCALES
from alexnet_tf.reproduction.datasets import DATASETS
from tests import tiny_datasets
from tests.alexnet_tf.reproduction.conftest import CLAIM, NETWORK


@pytest.mark.parametrize("name", claim_files.names())
def test_every_claim_of_the_project_holds_together(name):
    claim = claim_files.find(name)
    assert claim.name == name
    assert claim.statement.endswith(".")
    assert claim.scales.short.hours <= claim.scales.full.hours
    for scale in SCALES:
        for arm in claim.networks:
            config = claim_files.configuration(claim, scale, arm)
            assert config.training.epochs <= 1000


def test_overrides_are_laid_over_one_another(write):
    claim = claim_files.load(write())
    full, short = (claim_files.configuration(claim, scale, "without") for scale in SCALES)
    assert config_files.differences(full, short) == ["training.epochs: 2 → 1"]
    assert full.network.dropout.rate == 0
    text = CLAIM.replace(
        "training.epochs=1]", "training.epochs=1], arms: {with: [training.epochs=3]}"
    )
    with pytest.raises(
        ConfigError, match=r"at scale short the arms also differ in training\.epochs"
    ):
        claim_files.load(write(text))
    text = text.replace("differ_in: [", "differ_in: [training.epochs, ")
    with pytest.raises(ConfigError, match=r"full the arms do not differ in training\.epochs"):
        claim_files.load(write(text))


def test_arms_take_the_scales_configuration(write, tmp_path):
    (tmp_path / "other.yaml").write_text(f"base: tiny.yaml\n{NETWORK.replace('64', '80')}")
    text = CLAIM.replace("{config: tiny.yaml}", "{}").replace("config: tiny.yaml, ", "")
    with pytest.raises(ConfigError, match=r"arms\.with: expected a config, its own or in scales"):
        claim_files.load(write(text))
    text = text.replace("hours: 2", "hours: 2, config: tiny.yaml")
    claim = claim_files.load(write(text.replace("hours: 1", "hours: 1, config: ./other.yaml")))
    sizes = [claim_files.configuration(claim, s, "with").network.input_size for s in SCALES]
    assert sizes == [64, 80]


def test_seeds_and_views(write):
    text = CLAIM.replace("hours: 1", "hours: 1, seeds: 3")
    claim = claim_files.load(
        write(text.replace("{config: tiny.yaml}", "{config: tiny.yaml, views: 10}"))
    )
    assert [list(claim.seeds_at(scale)) for scale in SCALES] == [[1, 2], [1, 2, 3]]
    assert [claim.views_of(arm) for arm in claim.compared] == [10, 1]


MISTAKES = {
    "unknown key 'sources'; did you mean 'source'": {"sources": "x"},
    "unknown key 'measure.view'; did you mean 'views'": {
        "measure": {"name": "top-1 error", "view": 1}
    },
    "measure.views: Input should be 1, 9 or 10; received 3": {
        "measure": {"name": "top-1 error", "views": 3}
    },
    "measure.below: expected with 'epochs until": {
        "measure": {"name": "training error", "below": 0.1}
    },
    "comparison: expected some of with, without, received 'x'": {
        "comparison": {"kind": "lower", "arm": "with", "than": "x"}
    },
    "published.arms: expected a figure of with": {
        "comparison": {"kind": "figure", "arm": "with", "within": 0.1}
    },
    "published: expected arms, an effect or words": {"published": {}},
    "data: expected one of any, cifar10": {
        "scales": {s: {"data": "cifar", "hours": 1} for s in SCALES}
    },
    "differ_in: at scale full the arms also differ in network.dropout.rate: 0.5 → 0": {
        "differ_in": []
    },
    "expected two arms, with and without are the same": {
        "arms": {name: {"config": "tiny.yaml"} for name in ("with", "without")},
    },
    "arms.with at scale full": {
        "arms": {
            "with": {"config": "tiny.yaml", "overrides": ["training.epoch=1"]},
            "without": {"config": "none.yaml"},
        }
    },
}


@pytest.mark.parametrize("expected", MISTAKES)
def test_mistakes_are_one_line(write, expected):
    with pytest.raises(ConfigError) as caught:
        claim_files.load(write(**MISTAKES[expected]))
    assert expected in str(caught.value)
    assert str(caught.value).startswith(str(write()))
    assert "\n" not in str(caught.value)


def test_no_claim(write, tmp_path):
    with pytest.raises(ConfigError, match="expected a claim, received a list"):
        claim_files.load(write("[1, 2]"))
    with pytest.raises(ConfigError, match=r"received 'cifar-lnr'; did you mean cifar-lrn"):
        claim_files.find("cifar-lnr")
    with pytest.raises(ConfigError, match=r"received 'zzz'; there are .*cifar-80sec, "):
        claim_files.find("zzz")
    with pytest.raises(ConfigError, match="which is no file"):
        claim_files.find(str(tmp_path / "none.yaml"))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"size": 33}, "received images of 33 pixels in DIR; to get them: python -m preprocessing"),
        ({"size": 32, "classes": 9}, "received 9 classes in DIR"),
        ({"size": 32, "counts": {"train": 20}}, "a dataset without a validation split"),
        ({"size": 32, "counts": {"train": 20, "validation": 10}}, "received 20 train images"),
    ],
)
def test_other_data_are_refused_with_how_to_get_them(tmp_path, options, expected):
    info = tiny_datasets.write(tmp_path, **{"classes": 10, **options})
    with pytest.raises(ConfigError) as caught:
        DATASETS["cifar10"].check(info, "DIR")
    assert str(caught.value).startswith("expected CIFAR-10, 50,000 + 10,000 pictures of 32 pixels")
    assert expected in str(caught.value)
    if "validation" in info.splits:
        DATASETS["any"].check(info, "DIR")
