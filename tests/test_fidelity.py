"""docs/fidelity.md names tests and settings: they exist."""

import re
from pathlib import Path

import pytest

from alexnet_tf.config.schema import Config
from alexnet_tf.evaluation.published import NOTES, PUBLISHED
from alexnet_tf.network.spec import VARIANTS
from tests.alexnet_tf.config.test_every_field import leaves

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "fidelity.md").read_text(encoding="utf-8")
SECTIONS = "|".join(Config.model_fields)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(\S+\.py::\w+)`", TEXT))))
def test_a_named_test_exists(name):
    path, function = name.split("::")
    assert f"def {function}(" in (ROOT / "tests" / "alexnet_tf" / path).read_text()


@pytest.mark.parametrize("name", sorted(set(re.findall(rf"`((?:{SECTIONS})\.[\w.]+)`", TEXT))))
def test_a_named_setting_exists(name):
    layers = "|".join(layer.name for layer in VARIANTS["paper"].layers)
    general = re.sub(rf"^network\.layers\.(?:{layers})\.", "network.layers.", name)
    settings = {re.sub(r"^(schedule|optimizer)\.\w+\.", r"\1.", field) for field in leaves(Config)}
    assert any(field == general or field.startswith(f"{general}.") for field in settings)


def test_every_row_of_facts_names_its_test():
    facts, _ = TEXT.split("## The other variants")
    rows = [line for line in facts.splitlines() if line.startswith("| ") and "|---" not in line]
    facts = [row for row in rows if row.count("|") == 6 and not row.startswith("| Fact")]
    assert len(facts) > 30
    assert [row for row in facts if ".py::test_" not in row.split("|")[-2]] == []


@pytest.mark.parametrize("row", [row for row in PUBLISHED if row.source == NOTES], ids=str)
def test_every_published_error_of_the_notes_stands_beside_its_configuration(row):
    errors = f"{row.top1_error:.3%} / {row.top5_error:.3%}".replace("%", "")
    lines = [line for line in TEXT.splitlines() if f"`{row.config}.yaml`" in line]
    assert any(errors in line for line in lines)


def test_every_variant_is_named():
    assert [name for name in VARIANTS if f"`{name}`" not in TEXT and name not in TEXT] == []
