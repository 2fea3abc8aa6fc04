"""docs/settings.md: what the command prints now, with a meaning for every setting."""

from pathlib import Path

import pytest
from pydantic import Field

from alexnet_tf import describe
from alexnet_tf.config import reference, schema
from alexnet_tf.network import structure
from alexnet_tf.network.operations import LRN, Dropout, Pool, Settings, SpatialNorm

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"
MODELS = [
    *(structure.NetworkSpec, structure.Local, structure.Dense, LRN, SpatialNorm, Pool, Dropout),
    *(
        schema.DataConfig,
        schema.ColorNoise,
        schema.HeldOut,
        schema.TrainingConfig,
        schema.BatchRule,
    ),
    *(schema.StrategyConfig, schema.MonitoringConfig, schema.InitFromConfig),
    *schema.OPTIMIZERS.values(),
    *schema.SCHEDULES.values(),
]


def test_the_page_is_current(capsys):
    assert describe.main(["--settings"]) == 0
    assert capsys.readouterr().out == PAGE.read_text(encoding="utf-8"), f"run: {reference.COMMAND}"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_setting_has_a_meaning(model):
    assert [name for name, said in reference.meanings(model).items() if not said] == []


def test_no_section_is_missing():
    """Every setting of a Config, but the rows' and the names of sections, stands on the page."""
    sections = PAGE.read_text(encoding="utf-8").split("\n## ")
    for name in schema.Config.model_fields:
        assert any(part.startswith((f"{name}\n", f"{name}, name: ")) for part in sections), name


class Example(Settings):
    """An example."""

    # Above it,
    # in two lines.
    first: int = Field(3, ge=1)  # and behind.

    second: bool = False


def test_comments_above_and_behind_a_field():
    assert reference.meanings(Example) == {
        "first": "Above it, in two lines. and behind.",
        "second": "",
    }
