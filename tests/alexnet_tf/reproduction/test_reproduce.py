"""The verb with trainings that take no time: what is made, shared, said, written and refused."""

import os
import re
import signal
import threading

import numpy as np
import pytest

from alexnet_tf import reproduce
from alexnet_tf.errors import ConfigError, DatasetError, JobError, RunError
from alexnet_tf.reproduction import result, work
from alexnet_tf.reproduction.children import Interrupted
from preprocessing.dataset.info import read_info
from tests import tiny_datasets
from tests.alexnet_tf.reproduction import made_up
from tests.alexnet_tf.reproduction.conftest import CLAIM
from tests.deadlines import SECONDS


@pytest.fixture
def data(tmp_path):
    tiny_datasets.write(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def made(monkeypatch):
    """Stands for the trainings; notes each as (arm, seed). Its `wrong` gives errors by arm."""

    class Made(list):
        meet = staticmethod(lambda: None)
        wrong = staticmethod(lambda arm: np.arange(made_up.PICTURES) < (200, 300)[arm != "with"])
        fail: dict = {}  # noqa: RUF012

        def __call__(self, training, data, runs, children):
            if (training.arm, training.seed) in self.fail:
                raise self.fail[training.arm, training.seed]
            self.append((training.arm, training.seed))
            self.meet()
            errors = (0.5,) * training.config.training.epochs
            fingerprint, wrong = read_info(data).fingerprint, self.wrong(training.arm)
            made = made_up.outcome(training.config, fingerprint, training.seed, wrong, errors)
            views = dict.fromkeys((1, 10, *training.views), made.views[1])
            return made.model_copy(update={"views": views})

    made = Made()
    made.fail = {}
    monkeypatch.setattr(work, "make", made)
    return made


@pytest.fixture
def run(tmp_path, data):
    """Calls the verb."""

    def run(*claims, **options):
        named = {"data": data, "output": tmp_path / "out", "scale": "short", **options}
        arguments = [f"--{name}={value}" for name, value in named.items()]
        return reproduce.main([*map(str, claims), *arguments])

    return run


def test_a_claim_from_nothing_to_its_result(write, run, made, tmp_path, capsys):
    assert run(write()) == 0
    assert made == [("with", 1), ("without", 1), ("with", 2), ("without", 2)]
    shown = capsys.readouterr().out
    assert "trainings: 4 in all, 0 there, 4 to be made, about 1:00 h" in shown
    # The other seed of an arm is taken to last as long as the first did, an hour.
    assert "[2/4] dropout, without, seed 1: 1 epoch; about 1:30 h left of all" in shown
    assert "[3/4] dropout, with, seed 2: 1 epoch; about 2:00 h left of all" in shown
    assert max(map(len, shown.replace(str(tmp_path), "").splitlines())) <= 100
    found = result.read(tmp_path / "out/claims/dropout/short/result.json")
    assert found.verdict == "verified"
    assert found.effect == pytest.approx(-0.1)
    assert -0.13 < found.low < -0.1 < found.high < -0.07
    assert found.arms["with"].by_seed == (0.2, 0.2)
    assert found.processor_hours == 4
    paragraph = " ".join(shown.split())
    assert "dropout: verified at scale short. Dropout helps. Published: effect −1.00 points." in (
        paragraph
    )
    assert re.search(
        r"with 20\.0% \(seeds 20\.0%, 20\.0%\) after 1 epoch, without 30\.0%", paragraph
    )
    assert (tmp_path / "out/claims/dropout/short/plot.png").read_bytes()[:4] == b"\x89PNG"
    assert len(list((tmp_path / "out/outcomes").iterdir())) == 4

    assert run(write()) == 0  # again: nothing is left to do
    assert len(made) == 4
    assert "trainings: 4 in all, 4 there, 0 to be made\n" in capsys.readouterr().out


def test_claims_share_trainings(write, run, made):
    other = CLAIM.replace("without", "no-flip").replace("network.dropout.rate=0", "data.flip=false")
    other = write(other.replace("[network.dropout.rate]", "[data.flip]"), "flips")
    assert run(write(), other) == 0
    assert made == [
        *(("with", 1), ("without", 1), ("with", 2), ("without", 2)),
        *(("no-flip", 1), ("no-flip", 2)),
    ]


def test_a_claim_is_concluded_again_when_others_trainings_tell_more(
    write, run, made, tmp_path, capsys
):
    """The flips' network tells how seeds spread, too; the flips' own claim has had all there is."""
    flips = CLAIM.replace("without", "no-flip").replace("network.dropout.rate=0", "data.flip=false")
    flips = flips.replace("[network.dropout.rate]", "[data.flip]").replace("Dropout", "Flipping")
    assert run(write(), write(flips, "flips")) == 0
    shown = " ".join(capsys.readouterr().out.split())
    concluded = re.findall(r"(\w+): verified at .*?95 % over (.*?)\. Machine", shown)
    others = "pictures and seeds, whose spread is also that of 2 trainings of 1 network like"
    assert concluded == [
        ("dropout", "pictures and seeds"),
        ("flips", f"{others} these"),
        ("dropout", f"{others} these"),
    ]
    found = result.read(tmp_path / "out/claims/dropout/short/result.json")
    assert found.covered == concluded[2][1]


@pytest.mark.parametrize(
    ("arm", "expected"), [("with", "verified"), ("without", "contradicted"), ("", "inconclusive")]
)
def test_the_verdict_follows_the_errors(write, run, made, tmp_path, arm, expected):
    made.wrong = lambda name: np.arange(made_up.PICTURES) < (200 if name == arm else 300)
    run(write(), seeds=2)
    assert result.read(tmp_path / "out/claims/dropout/short/result.json").verdict == expected


def test_one_seed_decides_nothing(write, run, made, tmp_path):
    run(write(), seeds=1)
    found = result.read(tmp_path / "out/claims/dropout/short/result.json")
    assert found.high < 0  # over other pictures
    assert found.verdict == "inconclusive"
    assert found.covered.endswith("so nothing is decided")


def test_an_interrupted_reproduction_goes_on(write, run, made, capsys):
    made.fail = {("with", 2): Interrupted(signal.SIGINT)}
    assert run(write()) == 130
    assert "the same command goes on" in capsys.readouterr().out
    assert made == [("with", 1), ("without", 1)]
    made.fail = {("without", 2): Interrupted(signal.SIGTERM)}
    assert run(write()) == 0
    made.fail = {}
    assert run(write()) == 0
    assert made == [("with", 1), ("without", 1), ("with", 2), ("without", 2)]


def test_what_fails_does_not_keep_the_others_from_being_made(write, run, made, tmp_path, capsys):
    made.fail = {("with", 1): JobError("the loss is not finite")}
    with pytest.raises(JobError, match=r"^1 training failed: the loss is not finite"):
        run(write())
    assert made == [("without", 1), ("with", 2), ("without", 2)]
    assert not (tmp_path / "out/claims").exists()
    made.fail = {}
    assert run(write()) == 0
    assert made[3:] == [("with", 1)]


def test_several_at_once(write, run, made, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(os, "sched_setaffinity", lambda *_: None)
    monkeypatch.setattr(work, "TELL_EVERY", 0.01)
    both, told, tell = threading.Barrier(2), threading.Event(), work.Work._tell

    def wait():  # for the other training, and until it was said where they are
        both.wait(SECONDS)
        assert told.wait(SECONDS)

    monkeypatch.setattr(work.Work, "_tell", lambda self: (tell(self), told.set()))
    made.meet = wait
    assert run(write(), jobs=2) == 0
    assert sorted(made) == [("with", 1), ("with", 2), ("without", 1), ("without", 2)]
    shown = capsys.readouterr().out
    assert "[2/4] dropout, without, seed 1: 1 epoch; about 1:00 h left of all" in shown
    assert "\n  dropout, with, seed 1: 0 of 1 epoch\n" in shown
    assert "dropout, without, seed 2: top-1 error 30.00% (1 view)" in shown
    assert result.read(tmp_path / "out/claims/dropout/short/result.json").verdict == "verified"


def test_of_one_at_a_time_the_rest_is_told_until_the_last(write, run, made, monkeypatch, capsys):
    monkeypatch.setattr(work, "ALONE_EVERY", 0.01)
    told, tell = threading.Event(), work.Work._tell
    monkeypatch.setattr(work.Work, "_tell", lambda self: (tell(self), told.set()))
    made.meet = lambda: (told.clear(), told.wait(SECONDS))
    assert run(write(), seeds=1) == 0
    first, second = capsys.readouterr().out.split("[2/2]")
    assert "\n  about 0:30 h left of all\n" in first
    assert "\n  about" not in second


def test_views_that_an_outcome_lacks_are_measured(write, run, made, tmp_path):
    """Once for all claims that ask; the training is kept, if its directory is."""
    assert run(write()) == 0
    nine = write(name="nine", measure={"name": "top-1 error", "views": 9})
    assert run(write(), nine) == 0
    assert made == 2 * [("with", 1), ("without", 1), ("with", 2), ("without", 2)]
    assert result.read(tmp_path / "out/claims/nine/short/result.json").measure.views == 9
    assert run(write(), nine) == 0
    assert len(made) == 8


def test_a_damaged_outcome_is_named_and_made_again_alone(write, run, made, tmp_path, capsys):
    run(write())
    made.clear()
    [path] = [
        p
        for p in (tmp_path / "out/outcomes").iterdir()
        if '"dropout": {"rate": 0.0' in (p.read_text()) and '"seed": 2' in p.read_text()
    ]
    path.write_text(path.read_text()[:500])
    capsys.readouterr()
    assert run(write()) == 0
    assert made == [("without", 2)]
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith(f"{path.name} does not count: it is damaged")


def test_outcomes_of_other_data_or_settings_are_never_mixed_in(write, run, made, tmp_path):
    run(write(), seeds=1)
    tiny_datasets.write(tmp_path / "other", seed=1)
    run(write(), seeds=1, data=tmp_path / "other")
    assert len(made) == 4
    run(write(), seeds=1, scale="full")  # other epochs
    assert len(made) == 6
    run(write(), seeds=1)
    assert len(made) == 6


def test_a_published_figure_is_not_refuted_by_a_shortened_training(write, run, made, tmp_path):
    changes = {
        "comparison": {"kind": "figure", "arm": "with", "within": 0.02},
        "published": {"arms": {"with": 0.1}},
        "differ_in": [],
    }
    for scale, verdict in (("short", "inconclusive"), ("full", "contradicted")):
        run(write(**changes), scale=scale)
        found = result.read(tmp_path / f"out/claims/dropout/{scale}/result.json")
        assert (found.verdict, found.effect) == (verdict, pytest.approx(0.1))


def test_a_report_of_several_directories(write, run, made, tmp_path, capsys):
    run(write())
    run(write(), scale="full", output=tmp_path / "more")
    directories = [str(tmp_path / name) for name in ("out", "more")]
    page = tmp_path / "docs" / "page.md"
    (tmp_path / "more" / "conclusions.md").write_text("## What follows\n\nNothing.\n")
    assert reproduce.main(["report", *directories, "--page", str(page)]) == 0
    text = page.read_text()
    rows = [line for line in text.splitlines() if line.startswith("| [dropout]")]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[4] for row in cells] == ["full", "short"]
    assert cells[1][:2] == ["[dropout](#dropout-short)", "effect −1.00 points"]
    assert re.fullmatch(
        r"with 20\.0%, without 30\.0%; −10\.00 \(−1\d\.\d\d to −[78]\.\d\d\) points; 2 seeds",
        cells[1][2],
    )
    assert cells[1][3:] == ["verified", "short", "4.00 processor hours"]
    for path in re.findall(r"!\[.*\]\((.*)\)", text):
        assert (page.parent / path).is_file()
    assert text.count("## dropout-") == 2
    table, what_follows, _ = re.split(r"\n\n## What follows\n\nNothing\.\n\n|## dropout-full", text)
    assert table.endswith("|")
    assert not what_follows
    pair = "0 and 100 (p 1.6e-30)"  # two to the power of −99
    assert text.count(f"with McNemar's exact p: {pair}; {pair}.") == 2
    assert reproduce.main(["report", directories[0]]) == 0
    assert (tmp_path / "out" / "reproduction.md").is_file()


def test_the_list_names_all_that_is_asked(write, capsys):
    assert reproduce.main(["--list", str(write())]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    runs = "labelled pictures with a validation split; 4 trainings (2 arms, 2 seeds), about"
    assert shown == (
        "dropout Dropout helps. source: nowhere published: effect −1.00 points"
        f" full: {runs} 2 h on 2 cores short: {runs} 1 h on 2 cores"
    )
    assert reproduce.main(["--list", "cifar-18pct"]) == 0
    assert "; 1 training (1 arm, 1 seed), about" in capsys.readouterr().out
    assert reproduce.main(["--list"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 100


def test_mistakes_are_told_before_anything_is_written(write, run, made, data, tmp_path):
    with pytest.raises(ConfigError, match="did you mean cifar-lrn"):
        run("cifar-lm")
    with pytest.raises(
        ConfigError, match=r"received images of 72 pixels in .*; to get them: python"
    ):
        run(write(), "cifar-lrn")
    with pytest.raises(ConfigError, match="expected a claim"):
        run()
    with pytest.raises(ConfigError, match="--seeds: expected at least 1"):
        run(write(), seeds=0)
    with pytest.raises(ConfigError, match="--jobs: expected at least 1, received 0"):
        run(write(), jobs=0)
    with pytest.raises(ConfigError, match=r"--jobs: expected at most \d+, the cores"):
        run(write(), jobs=1000)
    with pytest.raises(ConfigError, match="--data and --output beside a claim"):
        reproduce.main([str(write())])
    with pytest.raises(ConfigError, match="--page: expected beside report"):
        run(write(), page="x.md")
    with pytest.raises(ConfigError, match="report: expected directories and --page alone"):
        run("report", tmp_path)
    with pytest.raises(ConfigError, match="report: expected directories and --page alone"):
        reproduce.main(["report", str(tmp_path), "--until-decided"])
    with pytest.raises(ConfigError, match="report: expected directories that"):
        reproduce.main(["report"])
    with pytest.raises(RunError, match="expected a directory that reproduce wrote"):
        reproduce.main(["report", str(tmp_path)])
    with pytest.raises(DatasetError, match=r"expected dataset_info\.json"):
        run(write(), data=tmp_path)
    assert not (tmp_path / "out").exists()
    assert made == []
    run(write())
    (tmp_path / "out/claims/dropout/short/result.json").write_text("{}")
    with pytest.raises(RunError, match="expected a claim's result in"):
        reproduce.main(["report", str(tmp_path / "out")])


def test_no_more_seeds_than_decide(write, run, made, tmp_path, capsys):
    assert run("--until-decided", write(), seeds=5) == 0
    assert made == [("with", 1), ("without", 1), ("with", 2), ("without", 2)]
    assert "Seeds were added until it was decided, up to 5." in " ".join(
        capsys.readouterr().out.split()
    )
    where = tmp_path / "out/claims/dropout/short/result.json"
    assert (result.read(where).planned, result.read(where).arms["with"].seeds) == (5, (1, 2))

    assert run("--until-decided", write(), seeds=2) == 0  # which are all that were asked for
    assert result.read(where).planned is None


def test_an_undecided_claim_gets_all_seeds(write, run, made, tmp_path):
    made.wrong = lambda arm: np.arange(made_up.PICTURES) < 200
    assert run("--until-decided", write(), seeds=3) == 0
    assert len(made) == 6
    assert result.read(tmp_path / "out/claims/dropout/short/result.json").planned is None


def test_seeds_that_another_claim_needs_are_trained(write, run, made):
    other = CLAIM.replace("without", "no-flip").replace("network.dropout.rate=0", "data.flip=false")
    other = write(other.replace("[network.dropout.rate]", "[data.flip]"), "flips")
    made.wrong = lambda arm: np.arange(made_up.PICTURES) < (300 if arm == "without" else 200)
    assert run("--until-decided", write(), other, seeds=3) == 0
    assert [arm for arm, seed in made if seed == 3] == ["with", "no-flip"]
