"""Arms that are no training: a baseline, and the seeds' networks averaged."""

import dataclasses
import json

import numpy as np
import pytest
import yaml

from alexnet_tf import reproduce
from alexnet_tf.config import files as config_files
from alexnet_tf.errors import ConfigError, JobError
from alexnet_tf.evaluation.packed import pack
from alexnet_tf.reproduction import claim_files, result, runs
from alexnet_tf.reproduction.baseline import BASELINES, baseline_identity, settings_of
from alexnet_tf.reproduction.children import Children
from alexnet_tf.reproduction.identity import average_identity
from alexnet_tf.reproduction.outcome import Course, Damaged, Errors, Outcomes, read
from alexnet_tf.reproduction.progress import Remaining
from alexnet_tf.reproduction.work import Work
from preprocessing.dataset.info import read_info
from tests import tiny_datasets
from tests.alexnet_tf.reproduction import made_up
from tests.alexnet_tf.reproduction.conftest import CLAIM

HOG = "hog-linear-svm"
OTHERS = {
    "comparison": {"kind": "lower", "arm": "averaged", "than": "single"},
    "differ_in": [],
    "arms": {
        "single": {"config": "tiny.yaml"},
        "averaged": {"ensemble": "single"},
        "hog": {"baseline": HOG},
    },
}


@pytest.fixture
def data(tmp_path):
    tiny_datasets.write(tmp_path / "data", counts={"train": 24, "validation": 12})
    return tmp_path / "data"


def test_networks_come_first_and_each_once(write, data):
    claim, info = claim_files.load(write(**OTHERS)), read_info(data)
    plan = runs.trainings(claim, "short", range(1, 4), info)
    assert [(t.arm, t.seed, t.work) for t in plan] == [
        ("single", 1, "1 epoch"),
        ("single", 2, "1 epoch"),
        ("single", 3, "1 epoch"),
        ("averaged", 1, "3 networks averaged"),
        ("hog", 1, HOG),
    ]
    assert plan[3].averaged == tuple(plan[:3])
    assert plan[3].identity == f"{plan[0].identity}-average-1-2-3"
    assert plan[4].identity == baseline_identity(HOG, info.fingerprint)
    assert baseline_identity(HOG, "other data") != plan[4].identity


def test_a_fraction_is_another_baseline(write, data):
    arms = OTHERS["arms"] | {"hog-half": {"baseline": HOG, "fraction": 0.5}}
    claim, info = claim_files.load(write(**OTHERS | {"arms": arms})), read_info(data)
    plan = runs.trainings(claim, "short", range(1, 3), info)
    assert [(t.arm, t.work) for t in plan[-2:]] == [
        ("hog", HOG),
        ("hog-half", f"{HOG} of 0.5 of the pictures"),
    ]
    assert plan[-1].identity == baseline_identity(HOG, info.fingerprint, 0.5)
    assert plan[-1].identity != plan[-2].identity
    # Of all of them it is what it was before there were fractions.
    assert baseline_identity(HOG, "data") == "hog-linear-svm-324e3c288f76"


def test_an_ensemble_needs_two_seeds_and_their_runs(write, data, tmp_path):
    claim, info = claim_files.load(write(**OTHERS)), read_info(data)
    with pytest.raises(ConfigError, match="--seeds: expected at least 2 for dropout"):
        runs.trainings(claim, "short", range(1, 2), info)
    averaged = runs.trainings(claim, "short", range(1, 3), info)[2]
    with pytest.raises(JobError, match=r"all of its networks' runs, received none in .*seed-1"):
        runs.make(averaged, str(data), tmp_path / "runs", Children())


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"arms": {"averaged": {"ensemble": "hog"}}}, "ensemble: expected one of single"),
        ({"arms": {"averaged": {"ensemble": "averaged"}}}, "ensemble: expected one of single"),
        ({"arms": {"hog": {"baseline": "sift"}}}, "baseline: expected one of hog-linear-svm"),
        ({"arms": {"hog": {"baseline": HOG, "config": "tiny.yaml"}}}, "more than one"),
        ({"arms": {"hog": {"baseline": HOG, "views": 10}}}, "expected top-1 error in 1 view"),
        ({"arms": {"single": {"config": "tiny.yaml", "fraction": 0.5}}}, "beside a baseline"),
        ({"arms": {"hog": {"baseline": HOG, "fraction": 0}}}, "fraction: Input should be greater"),
        ({"measure": {"name": "training error"}}, "expected a measure of top-1 error or top-5"),
        ({"measure": {"name": "top-5 error"}}, "expected top-1 error in 1 view of a baseline"),
        ({"differ_in": ["network.lrn"]}, "differ_in: expected none"),
    ],
)
def test_what_cannot_be_is_refused(write, change, line):
    tree = yaml.safe_load(CLAIM) | OTHERS
    arms = tree["arms"] | change.get("arms", {})
    with pytest.raises(ConfigError, match=line):
        claim_files.load(write(**{**OTHERS, **change, "arms": arms}))


def test_a_network_whose_run_is_gone_is_made_again_for_an_average_alone(
    write, data, tmp_path, capsys
):
    claim, info = claim_files.load(write(**OTHERS)), read_info(data)
    plan = runs.trainings(claim, "short", range(1, 3), info)
    outcomes = Outcomes(tmp_path / "outcomes")
    for one in plan[:2]:
        outcomes.keep(made_up.outcome(one.config, info.fingerprint, one.seed))
    (plan[1].directory(tmp_path)).mkdir(parents=True)
    (plan[1].directory(tmp_path) / "config.yaml").touch()

    def announced() -> str:
        work = Work([plan[:3]], str(data), tmp_path, outcomes, Remaining(outcomes, {}))
        work.announce()
        assert work.complete(plan[:2])  # their outcomes are there
        return capsys.readouterr().out

    assert "3 in all, 1 there, 2 to be made" in announced()  # the first network, the average
    average = outcomes.get(*plan[0].key).model_copy(
        update={"identity": plan[2].identity, "averaged": (1, 2), "course": Course()}
    )
    outcomes.keep(average)
    assert "3 in all, 3 there, 0 to be made" in announced()


def outcome_of_hog(dataset="some data"):
    wrong = np.arange(100) < 52
    errors = Errors(
        top1_error=0.52, top5_error=None, loss=None, top1_wrong=pack(wrong), top5_wrong=None
    )
    return made_up.outcome(config_files.parse({}), dataset).model_copy(
        update={
            "identity": baseline_identity(HOG, dataset),
            "pictures": 100,
            "views": {1: errors},
            "course": Course(),
            "config": settings_of(HOG),
            "baseline": HOG,
        }
    )


def test_outcomes_are_kept_and_known_again(tmp_path):
    network = made_up.outcome(config_files.parse({}).with_classes(4), "some data")
    same = average_identity(network.identity, [1, 2])
    averaged = network.model_copy(
        update={"identity": same, "averaged": (1, 2), "course": Course(), "machine_seconds": 0.0}
    )
    kept = Outcomes(tmp_path)
    for one in (network, averaged, outcome_of_hog()):
        kept.keep(one)
    again = Outcomes(tmp_path)
    assert again.unusable == []
    assert again.get(network.identity, 1) == network
    assert again.get(same, 1) == averaged
    hog = again.get(baseline_identity(HOG, "some data"), 1)
    assert hog.wrong(1).sum() == 52
    half = outcome_of_hog().model_copy(update={"config": settings_of(HOG, 0.5), "identity": "any"})
    kept.keep(half)
    again = Outcomes(tmp_path)
    assert again.get(baseline_identity(HOG, "some data", 0.5), 1).config["fraction"] == 0.5
    assert again.get(hog.identity, 1) == hog


def test_a_baseline_of_other_settings_does_not_count(tmp_path, monkeypatch):
    path = Outcomes(tmp_path).keep(outcome_of_hog())
    assert json.loads(path.read_text())["config"]["c"] == 0.1
    monkeypatch.setitem(BASELINES, HOG, dataclasses.replace(BASELINES[HOG], c=1.0))
    with pytest.raises(Damaged, match="none that is known today"):
        read(path)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_made_in_earnest(write, data, tmp_path, capfd, jobs):
    """The ensemble's error is that of its networks' mean probabilities, by the verb evaluate."""
    pytest.importorskip("skimage")
    pytest.importorskip("sklearn")
    output = tmp_path / "out"
    options = [f"--data={data}", f"--output={output}", "--scale=short", f"--jobs={jobs}"]
    assert reproduce.main([str(write(**OTHERS)), *options]) == 0
    found = result.read(output / "claims/dropout/short/result.json")
    assert [found.arms[arm].epochs for arm in ("single", "averaged", "hog")] == [1, 0, 0]
    assert found.pictures == 12
    reports = list(output.glob("runs/*/seed-1/evaluation/ensemble-validation-1-views-*.json"))
    assert json.loads(reports[0].read_text())["top1_error"] == found.arms["averaged"].by_seed[0]
    capfd.readouterr()
    assert reproduce.main([str(write(**OTHERS)), *options]) == 0  # all is there
    assert "trainings: 4 in all, 4 there" in capfd.readouterr().out
