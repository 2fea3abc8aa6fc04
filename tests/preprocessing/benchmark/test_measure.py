"""The benchmark's arithmetic and table from made-up measurements; a real small run is slow."""

import dataclasses
import math
import operator
import os
import re
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from preprocessing.__main__ import main
from preprocessing.benchmark import measure as benchmark
from preprocessing.benchmark.listing import IMAGES_PER_CLASS, MadeUpStore
from preprocessing.benchmark.loops import STEPS, own_loop, plain_loop, time_steps
from preprocessing.benchmark.measure import measure
from preprocessing.benchmark.programs import as_program, naive_example
from preprocessing.benchmark.report import Measurement, TimedRun, report, slope
from preprocessing.errors import DatasetError
from preprocessing.images.convert import ImageOptions
from preprocessing.job.plan import make_plan
from preprocessing.sources.list_source import list_source
from tests.preprocessing.drawn_images import image


@pytest.fixture
def images(tmp_path) -> Path:
    folder = tmp_path / "images"
    for number in range(7):
        path = folder / f"class {number % 2}" / f"{number}.JPEG"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image(number, (60, 50)))
    return folder


MADE_UP = Measurement(
    workers=2,
    loop=(TimedRun(1000, 4.0, 3.9, 0), TimedRun(1000, 6.0, 4.1, 0)),  # 2,000 images in 10 s: 200/s
    own_loop=(TimedRun(1000, 3.0, 2.5, 0), TimedRun(1000, 5.0, 2.5, 0)),  # 250/s
    plain_loops=(180.0, 160.0),  # 340 of 400
    own_loops=(190.0, 170.0),
    steps={step: (1000.0 * (k + 1), 3000.0 * (k + 1)) for k, step in enumerate(STEPS)},
    conversions=(
        TimedRun(4, 5.0, 6.0, 10**8),
        TimedRun(100, 5.3, 6.4, 10**8),
        TimedRun(1004, 8.0, 10.8, 2 * 10**8),
    ),
    naive=(TimedRun(4, 6.0, 8.0, 10**8), TimedRun(254, 8.5, 10.0, 3 * 10**8)),
)


def test_rates_leave_out_the_start_up():
    start, tenth, full = MADE_UP.conversions
    assert slope(start, full) == pytest.approx(1000 / 3)
    assert math.isnan(slope(start, tenth))  # 0.3 s tell nothing
    # 1000 / 3 images/s against 2 x 200.
    assert MADE_UP.efficiency(MADE_UP.loop) == pytest.approx(1000 / 3 / 400)
    assert MADE_UP.efficiency(MADE_UP.own_loop) == pytest.approx(1000 / 3 / 500)


def test_table_shows_every_figure():
    rows = {cells[0]: cells[1:] for cells in map(_cells, report(MADE_UP).splitlines())}
    assert rows["read"] == ["0.500", "2,000", "4,000"]
    assert rows["records"] == ["0.083", "12,000", "24,000"]
    # In series: 1 / (sum of 1 / rate), for each process.
    harmonic = sum(1 / (k + 1) for k in range(len(STEPS)))
    each = [1000 / harmonic, 3000 / harmonic]
    assert rows["sum of the steps"][1:] == [f"{sum(each) / 2:,.0f}", f"{sum(each):,.0f}"]
    assert rows["plain loop, 1 process alone"] == ["5.000", "200"]
    assert rows["own loop, 1 process alone"] == ["4.000", "250"]
    assert rows["plain loop, 2 processes at once"][1:] == ["170", "340"]
    assert rows["own loop, 2 processes at once"][1:] == ["180", "360"]
    assert rows["whole pipeline, 100 images"] == ["too short to tell; take more --images"]
    assert rows["whole pipeline, 1,004 images"] == ["6.000", "167", "333"]
    assert rows["naive Beam, 254 images"] == ["20.000", "50", "100"]
    text = report(MADE_UP)
    assert "in units of 2 x the plain loop" in text
    assert "(images/s: 250, 167 before and after it): 0.83;" in text
    assert "(images/s: 333, 200 before and after it): 0.67;" in text
    assert "in units of one Beam element per image: 3.3." in text
    assert "4.80 ms, the plain loop 4.00 ms, the own loop 2.50 ms, naive 8.00 ms" in text
    assert "at 1.70 x one alone: more than 0.85 x 2 this machine does not give" in text
    assert "100 MB at 100 images, 200 MB at 1,004 images (naive: 300 MB at 254)" in text
    assert "Rate at 1,004 images, in units of that at 100: too short to tell." in text
    longer = dataclasses.replace(
        MADE_UP, conversions=(*MADE_UP.conversions[::2], TimedRun(2004, 12, 9, 0))
    )
    # 2000 images in 7 s, 1000 in 3 s.
    assert "Rate at 2,004 images, in units of that at 1,004: 0.86." in report(longer)


def _cells(line: str) -> list[str]:
    return re.split(r"  +", line.strip())


@pytest.mark.parametrize("pipelines", ["conversions", "naive"])
def test_what_was_too_short_is_said_in_words(pipelines):
    """A few --images take no longer than the start-up: no figure comes of them, and no nan."""
    short = [dataclasses.replace(run, seconds=5.0) for run in getattr(MADE_UP, pipelines)]
    text = report(dataclasses.replace(MADE_UP, **{pipelines: tuple(short)}))
    assert not re.search(r"\bnan\b", text)
    assert "in units of one Beam element per image: too short to tell." in text


def test_images_are_repeated_under_other_names(images, tmp_path):
    benchmark._link_images(str(images), tmp_path / "many", 30)
    links = sorted((tmp_path / "many").rglob("*.JPEG"))
    assert len({link.name for link in links}) == 30
    targets = [os.path.realpath(link) for link in links]
    assert all(3 < targets.count(target) < 6 for target in targets)
    assert len(set(targets)) == 7


def test_every_step_is_timed(images):
    paths = [str(path) for path in images.rglob("*.JPEG")]
    rates = time_steps(paths, ImageOptions(size=16))
    assert list(rates) == list(STEPS)
    assert all(rate > 0 for rate in rates.values())
    for filter in ("area", "lanczos"):
        options = ImageOptions(size=16, filter=filter)
        assert plain_loop(paths, options).images == 7
        assert own_loop(paths, options).images == 7


def test_naive_pipeline_makes_the_same_records_as_a_conversion(images):
    from preprocessing.dataset.example import decode_example

    path = str(next(images.rglob("*.JPEG")))
    record = decode_example(naive_example(path, ImageOptions(size=16)))
    assert (record.height, record.width, record.format) == (16, 16, "jpeg")
    assert record.filename == os.path.basename(path)


def test_mistakes_are_refused(tmp_path):
    options = ImageOptions(size=16)
    with pytest.raises(DatasetError, match="at least 200 images, received 10"):
        measure(str(tmp_path), [1000, 10], 2, options)
    with pytest.raises(DatasetError, match="found none"):
        measure(str(tmp_path), [200], 2, options)
    with pytest.raises(DatasetError, match="expected a folder"):
        measure(str(tmp_path / "missing"), [200], 2, options)


def test_the_memory_is_that_of_the_measured_program_alone(tmp_path):
    ballast = b"x" * 400_000_000  # of this process, which starts the other
    small = as_program(str(tmp_path), 1, operator.mul, b"x", 1)
    large = as_program(str(tmp_path), 1, operator.mul, b"x", 200_000_000)
    assert len(ballast) == 400_000_000
    assert 0 < small.memory < 200e6
    assert 150e6 < large.memory - small.memory < 250e6


@pytest.mark.slow
def test_a_real_run(images):
    measurement = measure(str(images), [400], 2, ImageOptions(size=32), repeats=1)
    assert [timed.images for timed in measurement.conversions] == [4, 40, 400]
    assert all(0 < timed.memory < 500e6 for timed in measurement.conversions)
    assert all(timed.processor_seconds > 0 for timed in measurement.conversions)
    assert measurement.naive[1].images == 100
    assert "sum of the steps" in report(measurement)


def test_listing_of_made_up_images(capsys):
    assert main(["benchmark", "--listing", "3000"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("3,000 images in 5 class folders\n")
    assert "writing the plan" in text
    assert "MB" in text.splitlines()[-1]


@pytest.mark.parametrize("images", ["-1", "999", "100000001"])
def test_a_listing_of_too_few_or_too_many(images, capsys):
    assert main(["benchmark", "--listing", images]) == 2
    assert "expected --listing from 1000" in capsys.readouterr().err


def test_made_up_images_are_different_and_planned_once():
    store, images = MadeUpStore(PipelineOptions([])), 3 * IMAGES_PER_CLASS
    names = [metadata.path for metadata in store._list(f"made-up://{images}/")]
    assert len(set(names)) == images
    listing = list_source(
        "folder", f"made-up://{images}", 0, 0.1, False, None, "", lambda count: None
    )
    plan = make_plan(listing, {}, 0)
    assert sum(task.images for task in plan.tasks) == images
    assert plan.shard_counts == {"train": 15, "validation": 2}
