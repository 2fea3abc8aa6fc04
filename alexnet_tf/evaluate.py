"""python -m alexnet_tf.evaluate: top-1 and top-5 error of one run, or of several averaged."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from alexnet_tf import cli, run_directory
from alexnet_tf.config import ConfigError, StrategyConfig
from alexnet_tf.data import reader
from alexnet_tf.data.augment import InputTransform
from alexnet_tf.data.views import mean_probabilities, views
from alexnet_tf.metrics import COLUMNS, Result, per_example
from alexnet_tf.restore import restored_model
from alexnet_tf.run_directory import Run, RunError
from alexnet_tf.training import strategy as strategies
from preprocessing.dataset import DatasetInfo, read_info

Member = tuple[tf.keras.Model, InputTransform, float]  # network, its input transform, its weight


class Evaluator:
    """Evaluates a weighted ensemble of networks over a split, every picture exactly once.

    Softmax probabilities are averaged over views, then over the networks (2012: src/worker.cu,
    avg-valid.py). One network is an ensemble of one.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        members: Sequence[Member],
        split: reader.Split,
        share: reader.Share,
        view_count: int,
    ):
        self.strategy, self.members, self.split, self.share = strategy, members, split, share
        self.view_count = view_count
        sizes = {transform.size for _, transform, _ in members}
        # A single view of a single size is cut while decoding; else whole pictures are read.
        whole = view_count > 1 or len(sizes) > 1
        self.size = split.info.image_size if whole else sizes.pop()
        self._step = tf.function(self._global_step)

    def run(
        self, progress: bool = False, stopping: Callable[[], bool] = lambda: False
    ) -> Result | None:
        """One pass over the split; None if `stopping`, asked after every batch, ended it."""
        make = lambda _context: reader.evaluation_batches(self.split, self.size, self.share)  # noqa: E731
        iterator = iter(self.strategy.distribute_datasets_from_function(make))
        total = np.zeros(len(COLUMNS))
        steps = range(self.split.batches(self.share))
        for _ in tqdm(steps, unit="batch", disable=None if progress else True, leave=False):
            total += self._step(iterator).numpy()
            if stopping():
                return None
        return Result.from_sums(total)

    def _global_step(self, iterator):
        sums = self.strategy.run(self._replica, args=(next(iterator),))
        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, sums, axis=None)

    def _replica(self, batch):
        share = sum(weight for *_, weight in self.members)
        probabilities = 0.0
        for model, transform, weight in self.members:
            chosen = views(self.split.info.image_size, transform.size, self.view_count)
            mean = mean_probabilities(model, transform, batch["image"], chosen)
            probabilities += (weight / share) * mean
        own = tf.gather(probabilities, batch["label"], axis=1, batch_dims=1)
        losses = -tf.math.log(tf.maximum(own, 1e-37))
        return tf.reduce_sum(per_example(losses, probabilities, batch), axis=0)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    runs = [run_directory.load(path) for path in arguments.run]
    info = read_info(arguments.data)
    weights = arguments.weights or [1.0] * len(runs)
    _check(runs, weights, info, arguments)
    strategy = strategies.create(StrategyConfig()).strategy
    with strategy.scope():
        members = [(*restored_model(run), w) for run, w in zip(runs, weights, strict=True)]
    split = reader.Split(arguments.data, info, arguments.split)
    share = reader.Share(arguments.batch_size)
    result = Evaluator(strategy, members, split, share, arguments.views).run(progress=True)
    _report(runs, weights, result, arguments)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m alexnet_tf.evaluate", description=__doc__)
    parser.add_argument(
        "--run", required=True, action="append", help="run directory; give several for an ensemble"
    )
    parser.add_argument("--weights", nargs="+", type=float, help="of the runs in an ensemble")
    parser.add_argument("--data", required=True, help="dataset directory")
    parser.add_argument("--split", default="validation", help="default: validation")
    parser.add_argument("--views", type=int, choices=(1, 10), default=1, help="default: 1, center")
    parser.add_argument("--batch-size", type=int, default=64, help="default: 64")
    return parser


def _check(
    runs: list[Run], weights: list[float], info: DatasetInfo, arguments: argparse.Namespace
) -> None:
    if len(weights) != len(runs) or min(weights) < 0 or not sum(weights) > 0:
        raise ConfigError(
            f"--weights: expected {len(runs)} numbers of at least 0, one for each --run, received"
            f" {weights}"
        )
    if arguments.batch_size < 1:
        raise ConfigError(f"--batch-size: expected at least 1, received {arguments.batch_size}")
    for run in runs:
        if run.info.classes != info.classes:
            raise RunError(
                f"expected the classes that {run.path} was trained on, received other ones in"
                f" {arguments.data}"
            )


def _report(
    runs: list[Run], weights: list[float], result: Result, arguments: argparse.Namespace
) -> None:
    print(
        f"{arguments.split}, {arguments.views} view(s), {result.examples:,} pictures:"
        f" top-1 error {result.top1_error:.2%}, top-5 error {result.top5_error:.2%},"
        f" log-loss {result.loss:.4f}"
    )
    names = [str(run.path) for run in runs]
    report = {
        "runs": names,
        "weights": weights,
        "dataset": read_info(arguments.data).fingerprint,
        "split": arguments.split,
        "views": arguments.views,
        **asdict(result),
    }
    kind = "ensemble" if len(runs) > 1 else arguments.split
    path = runs[0].path / "evaluation" / f"{kind}-{arguments.views}-views.json"
    path.parent.mkdir(exist_ok=True)
    temporary = Path(f"{path}.writing")
    temporary.write_text(json.dumps(report, indent=1) + "\n")
    temporary.replace(path)
    print(f"report: {path}")


if __name__ == "__main__":
    cli.run(main)
