"""Files of reports: of each measurement its own, and of the same one once more the same."""

import json
import shutil

import pytest

from alexnet_tf import evaluate
from alexnet_tf.evaluation.report_name import report_name
from alexnet_tf.reproduction.finished_run import outcome_of
from tests import tiny_datasets, tiny_runs

COUNTS = {"train": 8, "validation": 8, "test": 6}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Runs of three seeds on DATA, beside each other as a reproduction's; OTHER has its classes."""
    root = tmp_path_factory.mktemp("named")
    tiny_datasets.write(root / "data", counts=COUNTS)
    tiny_datasets.write(root / "other", counts=COUNTS, seed=1)
    for seed in (1, 2, 3):
        tiny_runs.write(root / f"seed-{seed}", root / "data", seed)
    return root


@pytest.fixture
def evaluated(root, capsys):
    """Evaluates runs of such seeds; the reports' contents by their files' names."""
    shutil.rmtree(root / "seed-1/evaluation", ignore_errors=True)

    def evaluated(*options, seeds=(1,), data="data") -> dict[str, dict]:
        runs = [word for seed in seeds for word in ("--run", str(root / f"seed-{seed}"))]
        assert evaluate.main([*runs, "--data", str(root / data), *options]) == 0
        assert capsys.readouterr().out.count("report: ") == 1
        files = (root / "seed-1/evaluation").glob("*.json")
        return {path.stem: json.loads(path.read_text()) for path in files}

    return evaluated


def test_every_measurement_is_kept(root, evaluated, capsys):
    asked = [
        {"seeds": (1,)},
        {"options": ["--split", "test"]},
        {"data": "other"},
        {"seeds": (1, 2)},
        {"seeds": (1, 2), "options": ["--split", "test"]},
        {"seeds": (1, 3)},
        {"seeds": (1, 2), "options": ["--weights", "1", "3"]},
        {"seeds": (1, 2), "options": ["--search-weights"]},
        {"seeds": (1, 2), "data": "other"},
    ]
    before = {}
    for number, how in enumerate(asked, 1):
        found = evaluated(*how.pop("options", []), **how)
        assert len(found) == number
        assert found.items() >= before.items()
        before = found
    assert {"validation-1-views", "test-1-views"} <= set(before)
    assert {path.stem for path in (root / "seed-1/evaluation").glob("*.md")} == set(before)
    again = evaluated("--search-weights", "--batch-size", "3", seeds=(1, 2))
    assert set(again) == set(before)
    capsys.readouterr()
    assert evaluate.main(["--compare", str(root / "seed-1")]) == 0
    first, second = capsys.readouterr().out.split("\n\n")
    assert (first.count("seed-1"), second.count("seed-1")) == (7, 2)


def test_a_reproduction_finds_its_ensemble(root, evaluated):
    ensembles = (1, 2), (1, 3)
    for seeds in ensembles:
        found = evaluated(seeds=seeds)
    for seeds in ensembles:
        outcome = outcome_of(root / "seed-1", seeds, [1])
        [report] = [
            report
            for report in found.values()
            if report["runs"] == [str(root / f"seed-{seed}") for seed in seeds]
        ]
        assert outcome.views[1].top1_wrong == report["wrong"]["top1"]
        assert outcome.views[1].loss == report["loss"]


def test_plain_names_are_short_and_digits_only_tell_apart(tmp_path, monkeypatch):
    def name(runs, weights=(1.0, 1.0), **more):
        return report_name(runs, weights, "validation", 10, **more)

    assert name(["a"]) == "validation-10-views"
    assert name(["a"], checkpoint="best") == "validation-10-views-best"
    assert name(["a"], other_dataset="0123456789abcdef") == "validation-10-views-01234567"
    monkeypatch.chdir(tmp_path)
    both = name(["a", "b"])
    assert both.rpartition("-")[0] == "ensemble-validation-10-views"
    assert both == name([tmp_path / "a", "../" + tmp_path.name + "/b"])
    searched = {name(["a", "b"], (w, 1 - w), part="odd positions") for w in (0.25, 0.5)}
    assert len(searched) == 1
    assert len({both, name(["a", "c"]), name(["a", "b"], (1.0, 2.0)), *searched}) == 4
