"""Reports of several runs side by side."""

import json

import pytest

from alexnet_tf import evaluate
from alexnet_tf.errors import ConfigError, RunError
from alexnet_tf.evaluation.present_weights import UNKNOWN


def write_report(root, run: str, **changes):
    """A run directory with a report, of 100 images with ten errors unless it says otherwise."""
    directory = root / run / "evaluation"
    directory.mkdir(parents=True, exist_ok=True)
    (root / run / "config.yaml").write_text("")
    report = {
        "runs": [run],
        "dataset": "a" * 64,
        "split": "validation",
        "images": "all",
        "views": 1,
        "examples": 1000,
        "top1_error": 0.1,
        "top5_error": 0.05,
        "top1_interval": [0.08, 0.12],
        "top5_interval": [0.04, 0.06],
        "loss": 0.5,
        **changes,
    }
    (directory / f"{report['split']}-{report['views']}-views.json").write_text(json.dumps(report))
    return str(root / run)


def test_the_best_of_the_same_images_first(tmp_path, capsys):
    runs = [
        write_report(tmp_path, "worse", top1_error=0.3),
        write_report(tmp_path, "better", top1_error=0.2),
        write_report(tmp_path, "elsewhere", top1_error=0.01, dataset="b" * 64),
    ]
    write_report(tmp_path, "worse", top1_error=0.15, views=10)
    assert evaluate.main(["--compare", *runs]) == 0
    first, second = capsys.readouterr().out.split("\n\n")
    lines = [line.replace(f" ({UNKNOWN})", "") for line in first.splitlines()[3:]]
    assert [line.split()[:3] for line in lines] == [
        ["better", "validation", "1"],
        ["worse", "validation", "1"],
        ["worse", "validation", "10"],
    ]
    assert "20.00% (8.00% to 12.00%)" in first
    assert second.startswith("dataset " + "b" * 12)
    assert "elsewhere" in second


def test_weights_tell_ensembles_apart(tmp_path, capsys):
    write_report(tmp_path, "a", runs=["a", "b"], weights=[1.0, 1.0], split="one")
    run = write_report(tmp_path, "a", runs=["a", "b"], weights=[0.25, 0.75], split="two")
    assert evaluate.main(["--compare", run]) == 0
    even, uneven = capsys.readouterr().out.splitlines()[3:]
    assert even.startswith(f"a + b ({UNKNOWN})  ")
    assert uneven.startswith(f"0.25·a + 0.75·b ({UNKNOWN})  ")


def test_mistakes(tmp_path):
    run = write_report(tmp_path, "run")
    with pytest.raises(RunError, match="expected a run directory"):
        evaluate.main(["--compare", run, str(tmp_path / "none")])
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "config.yaml").write_text("")
    with pytest.raises(RunError, match=r"found none; make one with python -m alexnet_tf\.evaluate"):
        evaluate.main(["--compare", str(tmp_path / "new")])
    [report] = (tmp_path / "run" / "evaluation").iterdir()
    damaged = [report.read_text().replace(end, '"x"') for end in ("0.08", "0.04")]
    damaged += [
        report.read_text()[:-1] + f', "weights": {w}}}' for w in ("3", "[1, 2]", '[1, "x"]')
    ]
    more = ('"weights_sha256": 3', '"weights_sha256": []', '"weights_sha256": [3]')
    for end in (*more, '"checkpoint": "x"', '"checkpoint": []'):
        damaged.append(report.read_text()[:-1] + f", {end}}}")
    for content in ("", "[]", "{}", '{"runs": 3}', *damaged):
        report.write_text(content)
        with pytest.raises(RunError, match="is damaged"):
            evaluate.main(["--compare", run])
    with pytest.raises(ConfigError, match="--run and --data"):
        evaluate.main(["--run", run])
    with pytest.raises(ConfigError, match="--compare: expected no"):
        evaluate.main(["--run", run, "--compare", run])
