"""python -m alexnet_tf.train: trains a network, or goes on with a training that was stopped."""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Sequence

import tensorflow as tf

from alexnet_tf import cli
from alexnet_tf.config import files as config_files
from alexnet_tf.data import reader
from alexnet_tf.data.split import Share
from alexnet_tf.errors import JobError
from alexnet_tf.evaluation.metrics import Result
from alexnet_tf.monitoring.diagnostics import Diagnostics, FlatLoss, Watch
from alexnet_tf.monitoring.observer import Observer
from alexnet_tf.monitoring.profile import ProfiledStep
from alexnet_tf.monitoring.progress import Monitors
from alexnet_tf.monitoring.tensorboard import Board
from alexnet_tf.runs import directory as run_directory
from alexnet_tf.runs.setup import Assembly, reason_of
from alexnet_tf.training import strategy as strategies
from alexnet_tf.training.loop import Hooks, Loop, NonFinite, Progress, Stopped, Window
from alexnet_tf.training.optimizers.optimizer import averaged, check
from alexnet_tf.training.schedule import Schedule

PROBED = 64  # images on which diagnostics are measured

LOST = (  # what a worker sees when another one is gone
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    config = config_files.load(arguments.config, arguments.overrides)
    check(config.optimizer)  # before there is a run directory of that configuration
    cluster = strategies.cluster(config.strategy)
    if not cluster.is_chief:  # only the chief writes
        run = run_directory.follow(arguments.run, config, arguments.data)
        return Training(Assembly(run, arguments.data, cluster)).run_to_end()
    with run_directory.locked(arguments.run):
        run = run_directory.begin(arguments.run, config, arguments.data)
        return Training(Assembly(run, arguments.data, cluster)).run_to_end()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m alexnet_tf.train", description=__doc__)
    parser.add_argument(
        "--config", required=True, help="YAML file, for instance configs/paper.yaml"
    )
    parser.add_argument("--data", required=True, help="dataset directory made by preprocessing")
    parser.add_argument("--run", required=True, help="run directory: created, or gone on with")
    parser.add_argument(
        "overrides", nargs="*", metavar="section.key=value", help="settings that replace the file's"
    )
    return parser


class Training:
    """Drives an assembly from its newest checkpoint to its last epoch, and shows what happens."""

    def __init__(self, parts: Assembly):
        self.parts, self.run, self.config = parts, parts.run, parts.config

    def run_to_end(self) -> int:
        """Restores, trains, and says how it ended: the exit code."""
        try:
            finished = self._run()
        except NonFinite as error:
            if self.parts.is_chief:  # what was saved at that step made the loss so
                self.parts.checkpoints.remove_from(error.step)
            saved = self.parts.checkpoints.steps()
            last = self.parts.checkpoints.path(saved[-1]) if saved else "none"
            raise JobError(
                f"{error}; last good checkpoint: {last}. Try a lower schedule.rate"
            ) from error
        except tf.errors.DataLossError as error:
            raise JobError(
                f"a record in {self.parts.split.directory} is damaged ({reason_of(error)}); see"
                " python -m preprocessing verify"
            ) from error
        except tf.errors.ResourceExhaustedError as error:
            raise JobError(
                f"out of memory ({reason_of(error)}); try a larger training.accumulation_steps or a"
                " smaller training.global_batch_size"
            ) from error
        except LOST as error:
            if self.parts.share.workers == 1:
                raise
            raise JobError(
                f"worker {self.parts.share.worker} lost the others ({reason_of(error)}); start all"
                " again with the same command to go on from the last checkpoint"
            ) from error
        if self.parts.is_chief:
            how = "finished" if finished else "stopped; the same command goes on"
            print(f"{how}: {self.run.path} (TensorBoard: tensorboard --logdir {self.run.path})")
        return 0

    def _run(self) -> bool:
        progress = self.parts.restore()
        steps = self.parts.split.batches(self.parts.share)
        with contextlib.ExitStack() as stack:
            step, monitors = self.parts.step(), None
            # On every worker: variables made under the strategy (Keras 2 makes some for any model)
            # are broadcast, and one worker alone would wait for ever, or take another's for them.
            watch = self._watch(progress.epoch * steps + progress.step)
            if self.parts.is_chief:
                monitors = Monitors(self.run.path, steps, self.config)
                stack.callback(monitors.close)
                observer = self._observer(monitors.board)
                if not (progress.epoch or progress.step):
                    observer.begin()
                if self.config.monitoring.profile_steps:
                    count = self.config.monitoring.profile_steps
                    step = ProfiledStep(step, monitors.board.directory / "train", count)
                self._announce(progress, steps)
            began = time.monotonic()

            def window(progress: Progress, window: Window) -> None:
                if monitors:
                    monitors.window(progress, window, step.take_waiting())
                    found = watch.after(progress.epoch, window.step, window.result.loss)
                    monitors.diagnosis(progress, window.step, *found)

            def end_of_epoch(progress: Progress, train: Result) -> float | None:
                with averaged(self.parts.optimizer):
                    validation = None
                    if self.parts.validation:
                        validation = self.parts.validation.run(stopping=loop.stopping)
                        if validation is None:
                            raise Stopped
                    if monitors:
                        monitors.epoch(progress, train, validation, time.monotonic() - began)
                        observer.epoch(progress.epoch, (progress.epoch + 1) * steps)
                    return validation.top1_error if validation else None

            def save(progress: Progress) -> None:
                self.parts.save(progress.epoch * steps + progress.step, progress)

            hooks = Hooks(window, end_of_epoch, save, self.parts.workers.any)
            loop = Loop(self.config, step, self.parts.batches, steps, hooks)
            return loop.run(progress)

    def _announce(self, progress: Progress, steps: int) -> None:
        verb = "going on" if progress.epoch or progress.step else "beginning"
        print(
            f"{verb} at epoch {progress.epoch + 1}, step {progress.step} of {steps}:"
            f" {self.config.network.variant}, {self.parts.model.count_params():,} parameters,"
            f" {self.run.info.num_examples('train'):,} images of"
            f" {len(self.run.info.classes)} classes, {self.parts.strategy.num_replicas_in_sync}"
            f" replica(s) on {self.parts.share.workers} worker(s)",
            flush=True,
        )

    def _observer(self, board: Board) -> Observer:
        noise = Schedule(self.config).noise_coefficient
        return Observer(
            self.run,
            (self.parts.model, self.parts.transform),
            board,
            self.parts.split.directory,
            noise,
        )

    def _watch(self, step: int) -> Watch:
        """Diagnostics on training images in the center view, from `step` on."""
        training, spec = self.config.training, self.config.network
        count = min(PROBED, self.run.info.num_examples("train"))
        batches = reader.evaluation_batches(self.parts.split, spec.input_size, Share(count))
        crops = next(iter(batches))["image"]
        margin = (self.run.info.image_size - spec.input_size) // 2
        images = self.parts.transform.centered(
            crops, tf.fill([count, 2], margin), tf.fill([count], False)
        )
        schedule = Schedule(self.config)

        def frozen(epoch: int) -> set[str]:
            names = {weight.layer for weight in self.parts.optimizer.weights}
            return {name for name in names if schedule.rate(name, "kernel", epoch, 0.5) == 0}

        return Watch(
            Diagnostics(self.parts.strategy, self.parts.model, self.parts.optimizer, images),
            FlatLoss(spec.num_classes, training.flat_loss_steps),
            frozen,
            training.diagnostics_every_steps,
            step,
        )


if __name__ == "__main__":
    cli.run(main)
