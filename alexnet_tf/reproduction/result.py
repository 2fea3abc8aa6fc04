"""A claim's result: what its arms measured, the effect with its interval, and the verdict."""

from __future__ import annotations

import math
from pathlib import Path

from alexnet_tf.errors import RunError
from alexnet_tf.network.operations import Settings
from alexnet_tf.reproduction.claim_parts import Measure, Published, ScaleName
from alexnet_tf.reproduction.comparison import EveryRun, Trend
from alexnet_tf.reproduction.estimate import Estimate, Verdict
from alexnet_tf.reproduction.specialization import TowersOfRun
from alexnet_tf.reproduction.statistics import Discordance
from preprocessing.dataset.atomic import write_text


class ArmResult(Settings):
    """An arm's measure by seed (fractions or epochs; None: it never got there), and its course.

    identity: that of its outcomes; None in results of older versions.
    """

    identity: str | None = None
    seeds: tuple[int, ...]
    by_seed: tuple[float | None, ...]
    epochs: int
    training_error: tuple[tuple[float, ...], ...]  # of each seed, by epoch
    validation_error: tuple[tuple[float, ...], ...]


class Result(Settings):
    """Everything a report shows. Errors are fractions, effects those of `Comparison`.

    low, high: 95 % interval of the effect; None: open. hours: of the machine, and of its processor.
    discordances: of two arms compared picture by picture, with each seed that both have.
    """

    claim: str
    scale: ScaleName
    statement: str
    source: str
    note: str | None
    published: Published
    measure: Measure
    compared: tuple[str, ...]
    kind: str
    arms: dict[str, ArmResult]
    effect: float
    low: float | None
    high: float | None
    within: float | None  # of a figure
    at_least: float | None = None  # of a ratio
    trend: Trend | None = None
    every_run: EveryRun | None = None
    runs: tuple[TowersOfRun, ...] = ()  # that every_run is about
    covered: str
    verdict: Verdict
    discordances: tuple[Discordance, ...] = ()
    dataset: str
    data: str
    pictures: int
    machine_hours: float | None
    processor_hours: float | None
    processors: tuple[str, ...]
    planned: int | None = None  # seeds, of which fewer decided


def interval(result: Result) -> Estimate:
    """Its effect, with infinity where an end is open."""
    low = -math.inf if result.low is None else result.low
    return Estimate(result.effect, low, math.inf if result.high is None else result.high)


def write(result: Result, path: Path) -> None:
    write_text(path, result.model_dump_json(indent=1) + "\n")


def read(path: Path) -> Result:
    """Raises RunError: no result, or a damaged one."""
    try:
        return Result.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise RunError(f"expected a claim's result in {path}: {reason:.200}") from error


def finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
