"""What trainings cost, counted in operations, beside the error that they ended with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from alexnet_tf.config import files as config_files
from alexnet_tf.network.cost import training_operations
from alexnet_tf.reproduction.outcome import Outcome
from alexnet_tf.reproduction.result import Result


@dataclass(frozen=True)
class Trained:
    """A network: operations of its training, and the top-1 error of each seed in one view."""

    operations: float
    errors: tuple[float, ...]

    @property
    def error(self) -> float:
        return sum(self.errors) / len(self.errors)


@dataclass(frozen=True)
class Compute:
    """Of one dataset: all networks by identity; the arms of each trend, from the least on; errors
    of what is no network, by name."""

    networks: dict[str, Trained]
    trends: dict[str, tuple[str, ...]]
    others: dict[str, float]


def compute_of(
    dataset: str, outcomes: Iterable[Sequence[Outcome]], results: Sequence[Result]
) -> Compute:
    """Of a dataset by its fingerprint.

    Args: outcomes, those of one identity together; results, whose trends are looked for. Outcomes
    that do not say how many images were seen, and ensembles, are left out.
    """
    networks, others = {}, {}
    for rows in outcomes:
        first = rows[0]
        if first.dataset != dataset or first.averaged:
            continue
        errors = tuple(outcome.views[1].top1_error for outcome in rows)
        if first.baseline and first.config.get("fraction", 1) < 1:
            continue  # its whole is there, too
        if first.baseline:
            others[first.baseline] = sum(errors) / len(errors)
        elif first.images_seen is not None:
            config = config_files.parse(first.config, "an outcome")
            operations = first.images_seen * float(training_operations(config.network))
            networks[first.identity] = Trained(operations, errors)
    trends = {
        result.claim: tuple(result.arms[arm].identity for arm in result.trend.arms)
        for result in results
        if result.trend is not None and result.dataset == dataset
    }
    whole = {name: arms for name, arms in trends.items() if all(arm in networks for arm in arms)}
    return Compute(networks, whole, others)
