"""Reports on weights that a run has no more, or may have no more, are never taken for others."""

import json
import shutil

import pytest

from alexnet_tf import evaluate, export, load_run, visualize
from alexnet_tf.evaluation.comparison import reports_of, reports_of_weights
from alexnet_tf.evaluation.present_weights import EARLIER, UNKNOWN, PresentWeights
from alexnet_tf.network.weights import arrays_of
from alexnet_tf.runs import directory as run_directory
from alexnet_tf.runs.restore import restored_model
from alexnet_tf.runs.stored_weights import stored_weights, weights_sha256
from tests import tiny_datasets, tiny_runs
from tests.parsed_page import ParsedPage


@pytest.fixture
def data(tmp_path):
    tiny_datasets.write(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def run(tmp_path, data):
    return tiny_runs.write(tmp_path / "run", data)


@pytest.fixture
def evaluated(data):
    def evaluated(run, *options):
        assert evaluate.main(["--run", str(run.path), "--data", str(data), *options]) == 0

    return evaluated


def marks(run) -> dict[str, str]:
    mark, reports = PresentWeights().mark, reports_of(run.path)
    return {path.stem: mark(report, run.path) for path, report in reports.items()}


@pytest.mark.parametrize("optimizer", ["momentum", "moving-average"])
def test_a_run_its_network_and_its_preset_have_one_sha256(tmp_path, data, optimizer):
    run = tiny_runs.write(tmp_path / "run", data, optimizer={"name": optimizer})
    model, _ = restored_model(run)
    load_run(run.path).save_preset(tmp_path / "preset")
    preset = load_run(tmp_path / "preset")
    same = weights_sha256(arrays_of(model))
    assert weights_sha256(stored_weights(run)) == same
    assert weights_sha256(arrays_of(preset.model)) == same
    assert weights_sha256(stored_weights(run_directory.load(preset.source))) == same
    changed = arrays_of(model)
    changed["fc8/bias"][-1] += 1e-3
    assert weights_sha256(changed) != same
    changed = arrays_of(model)
    changed["fc8/a"] = changed.pop("fc8/bias")
    assert weights_sha256(changed) != same
    changed = {name: array[..., None] for name, array in arrays_of(model).items()}
    assert weights_sha256(changed) != same


def test_newest_and_best_move_each_by_itself(run, evaluated):
    tiny_runs.go_on(run, 2, seed=2, error=0.5)
    evaluated(run)
    evaluated(run, "--checkpoint", "best")
    newest, best = "validation-1-views", "validation-1-views-best"
    assert marks(run) == {newest: "", best: ""}
    tiny_runs.go_on(run, 3, seed=3, error=0.75)
    assert marks(run) == {newest: EARLIER, best: ""}
    tiny_runs.go_on(run, 4, seed=4, error=0.25)
    assert marks(run) == {newest: EARLIER, best: EARLIER}
    evaluated(run)
    assert marks(run) == {newest: "", best: EARLIER}
    same = weights_sha256(stored_weights(run))
    assert [path.stem for path in reports_of_weights(run.path, same)] == [newest]


def test_a_report_of_an_older_version_is_of_unknown_weights(run, evaluated):
    evaluated(run)
    [path] = reports_of(run.path)
    report = json.loads(path.read_text())
    same = weights_sha256(stored_weights(run))
    assert report.pop("weights_sha256") == [same]
    path.write_text(json.dumps(report))
    assert list(marks(run).values()) == [UNKNOWN]
    assert reports_of_weights(run.path, same) == {}


def test_an_ensemble_has_the_weights_of_all_of_its_runs(tmp_path, run, data, evaluated, caplog):
    other = tiny_runs.write(tmp_path / "other", data, seed=2)
    evaluated(run, "--run", str(other.path))
    caplog.clear()
    [path] = (run.path / "evaluation").glob("*.json")
    report = json.loads(path.read_text())
    assert PresentWeights().mark(report, run.path) == ""
    moved = run.path.rename(tmp_path / "moved")
    assert PresentWeights().mark(report, moved) == ""
    tiny_runs.go_on(other, 2, seed=3)
    assert PresentWeights().mark(report, moved) == EARLIER
    assert not caplog.records
    shutil.rmtree(other.path)
    assert PresentWeights().mark(report, moved) == UNKNOWN
    [warning] = caplog.records
    assert str(other.path) in warning.getMessage()


def test_what_shows_reports_marks_them_or_leaves_them_out(tmp_path, run, data, evaluated, capsys):
    evaluated(run)
    tiny_runs.go_on(run, 2, seed=2)
    capsys.readouterr()
    assert evaluate.main(["--compare", str(run.path)]) == 0
    assert f"{run.path} ({EARLIER})  " in capsys.readouterr().out
    arguments = ["--run", str(run.path), "--output"]
    assert export.main([*arguments, str(tmp_path / "model")]) == 0
    assert "No report on these very weights" in (tmp_path / "model/README.md").read_text()
    shown = [str(tmp_path / "page"), "--data", str(data), "--gallery", "6", "--html"]
    assert visualize.main([*arguments, *shown, "--views", "10"]) == 0
    cells = ParsedPage((tmp_path / "page/report.html").read_text(encoding="utf-8")).texts["td"]
    assert [cell for cell in cells if " of validation" in cell] == [
        "10 of validation",
        f"10 of validation, {EARLIER}",
    ]
    evaluated(run, "--views", "9")
    tiny_datasets.write(tmp_path / "more", seed=1)
    more = ["--run", str(run.path), "--data", str(tmp_path / "more")]
    assert evaluate.main(more) == 0
    assert export.main([*arguments, str(tmp_path / "half"), "--weights", "float16"]) == 0
    rows = (tmp_path / "half/README.md").read_text().splitlines()
    assert [row.split(" | ")[:2] for row in rows if " of validation" in row] == [
        ["| 10 of validation, of another dataset", "1"],
        ["| 10 of validation", "9"],
    ]
