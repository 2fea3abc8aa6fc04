"""What a benchmark measured, and its table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tabulate import tabulate

_LEAST_SECONDS = 0.5  # start-up varies by tenths of a second
_TOO_SHORT = "too short to tell"
_ALIGNED = ("left", "right", "right", "right", "left")


@dataclass(frozen=True)
class TimedRun:
    """A program: images, seconds of wall time and of processor time of all its processes, and
    the highest memory of one of them in bytes."""

    images: int
    seconds: float
    processor_seconds: float
    memory: int


# Where start-up is not to be told apart.
NO_START_UP = TimedRun(0, 0.0, 0.0, 0)


@dataclass(frozen=True)
class Measurement:
    """Everything that was measured.

    Attributes:
        workers: processes that work at once.
        loop: the plain loop in one process, alone, before and after the conversions.
        own_loop: the same with this package's functions, before and after the conversions.
        plain_loops, own_loops: images/s of them in each of `workers` processes at once.
        steps: images/s of each step, for each of `workers` processes at once.
        conversions: of a few images (the start-up), then of each size, ascending.
        naive: the naive Beam pipeline, of a few images and of many.
    """

    workers: int
    loop: tuple[TimedRun, TimedRun]
    own_loop: tuple[TimedRun, TimedRun]
    plain_loops: Sequence[float]
    own_loops: Sequence[float]
    steps: dict[str, Sequence[float]]
    conversions: Sequence[TimedRun]
    naive: tuple[TimedRun, TimedRun]

    def efficiency(self, loop: Sequence[TimedRun]) -> float:
        """Rate of the whole pipeline in units of workers x the rate of a loop in one process."""
        return slope(self.conversions[0], self.conversions[-1]) / (self.workers * rate_of(loop))


def rate_of(runs: Sequence[TimedRun]) -> float:
    """images/s of several runs together, start-up included."""
    return sum(run.images for run in runs) / sum(run.seconds for run in runs)


def slope(small: TimedRun, large: TimedRun) -> float:
    """images/s without start-up; not a number if the runs are too short to tell."""
    seconds = large.seconds - small.seconds
    return (large.images - small.images) / seconds if seconds >= _LEAST_SECONDS else math.nan


def report(measurement: Measurement) -> str:
    """The table, and what it means, as text."""
    m, workers = measurement, measurement.workers
    columns = ("", "ms/image", "images/s per core", f"in all ({workers})", "")
    rows = []

    def row(name: str, per_core: float, in_all: float | None) -> None:
        if math.isnan(per_core):
            rows.append((name, "", "", "", f"{_TOO_SHORT}; take more --images"))
            return
        total = "" if in_all is None else f"{in_all:,.0f}"
        rows.append((name, f"{1000 / per_core:.3f}", f"{per_core:,.0f}", total, ""))

    for step, rates in m.steps.items():
        row(step, *_mean_and_sum(rates))
    row("sum of the steps", *_in_series(m.steps.values()))
    row("plain loop, 1 process alone", rate_of(m.loop), None)
    row(f"plain loop, {workers} processes at once", *_mean_and_sum(m.plain_loops))
    row("own loop, 1 process alone", rate_of(m.own_loop), None)
    row(f"own loop, {workers} processes at once", *_mean_and_sum(m.own_loops))
    start, *sizes = m.conversions
    full = sizes[-1]
    for timed in sizes:
        rate = slope(start, timed)
        row(f"whole pipeline, {timed.images:,} images", rate / workers, rate)
    naive = slope(*m.naive)
    row(f"naive Beam, {m.naive[1].images:,} images", naive / workers, naive)
    lines = [
        tabulate(rows, columns, "plain", disable_numparse=True, colalign=_ALIGNED),
        "",
        f"Rate of the whole pipeline, in units of {workers} x the plain loop of Pillow's decode, "
        f"resize, crop, encode (images/s: {_before_and_after(m.loop)}): "
        f"{_number(m.efficiency(m.loop), 2)};",
        f"in units of {workers} x the loop with this package's functions "
        f"(images/s: {_before_and_after(m.own_loop)}): {_number(m.efficiency(m.own_loop), 2)};",
        f"in units of one Beam element per image: {_number(slope(start, full) / naive, 1)}.",
        f"{workers} plain loops at once run at {sum(m.plain_loops) / rate_of(m.loop):.2f} x one "
        f"alone: more than {sum(m.plain_loops) / workers / rate_of(m.loop):.2f} x {workers} this "
        "machine does not give.",
        "Processor time per image, which other programs disturb less: "
        f"{_processor(start, full):.2f} ms, "
        f"the plain loop {_processor(NO_START_UP, *m.loop):.2f} ms, "
        f"the own loop {_processor(NO_START_UP, *m.own_loop):.2f} ms, "
        f"naive {_processor(*m.naive):.2f} ms.",
        f"Start-up, not in the rates: {start.seconds:.1f} s (naive: {m.naive[0].seconds:.1f} s).",
        "Highest memory of a process: "
        + ", ".join(f"{timed.memory / 1e6:,.0f} MB at {timed.images:,} images" for timed in sizes)
        + f" (naive: {m.naive[1].memory / 1e6:,.0f} MB at {m.naive[1].images:,}).",
        f"Rate at {full.images:,} images, in units of that at {sizes[0].images:,}: "
        f"{_number(slope(start, full) / slope(start, sizes[0]), 2)}.",
    ]
    return "\n".join(lines)


def _number(value: float, decimals: int) -> str:
    return _TOO_SHORT if math.isnan(value) else f"{value:.{decimals}f}"


def _before_and_after(runs: Sequence[TimedRun]) -> str:
    return ", ".join(f"{rate_of([run]):,.0f}" for run in runs) + " before and after it"


def _processor(start: TimedRun, *runs: TimedRun) -> float:
    """Processor time in ms/image, without start-up."""
    seconds = sum(run.processor_seconds - start.processor_seconds for run in runs)
    return 1000 * seconds / sum(run.images - start.images for run in runs)


def _mean_and_sum(rates: Sequence[float]) -> tuple[float, float]:
    return sum(rates) / len(rates), sum(rates)


def _in_series(steps: Sequence[Sequence[float]]) -> tuple[float, float]:
    """(images/s per core, in all) of steps done one after the other."""
    each = [1 / sum(1 / rate for rate in rates) for rates in zip(*steps, strict=True)]
    return sum(each) / len(each), sum(each)
