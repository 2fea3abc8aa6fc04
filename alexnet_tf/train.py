"""python -m alexnet_tf.train: trains a network, or goes on with a training that was stopped."""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from alexnet_tf import cli, config_file, run_directory
from alexnet_tf.config import Config, ConfigError, Plateau
from alexnet_tf.data import reader
from alexnet_tf.data.augment import InputTransform
from alexnet_tf.evaluate import Evaluator
from alexnet_tf.metrics import Result
from alexnet_tf.network import model as network
from alexnet_tf.network.layers import dropout_seed
from alexnet_tf.network.towers import Placement, pictures
from alexnet_tf.observer import Observer
from alexnet_tf.run_directory import Run, RunError
from alexnet_tf.training import strategy as strategies
from alexnet_tf.training.board import Board
from alexnet_tf.training.checkpoints import Checkpoints
from alexnet_tf.training.diagnostics import Diagnostics, FlatLoss, Watch
from alexnet_tf.training.loop import Hooks, Loop, NonFinite, Progress, Stopped, Window
from alexnet_tf.training.loss_scale import LossScale
from alexnet_tf.training.monitors import Monitors
from alexnet_tf.training.optimizer import Momentum
from alexnet_tf.training.profile import ProfiledStep
from alexnet_tf.training.schedule import Schedule
from alexnet_tf.training.step import TrainingStep, check_parts
from alexnet_tf.training.workers import Workers
from alexnet_tf.weights import weights_of

PROBED = 64  # pictures on which diagnostics are measured

LOST = (  # what a worker sees when another one is gone
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    config = config_file.load(arguments.config, arguments.overrides)
    cluster = strategies.cluster(config.strategy)
    if not cluster.is_chief:  # only the chief writes
        run = run_directory.follow(arguments.run, config, arguments.data)
        return Training(run, arguments.data, cluster).run_to_end()
    with run_directory.locked(arguments.run):
        run = run_directory.begin(arguments.run, config, arguments.data)
        return Training(run, arguments.data, cluster).run_to_end()


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
    """Joins data, network and loop for one run."""

    def __init__(self, run: Run, data: str | Path, cluster: strategies.Cluster):
        self.run, self.config, self.is_chief = run, run.config, cluster.is_chief
        training, spec = self.config.training, self.config.network
        if training.deterministic:
            # Not 0: TensorFlow would compare tf.data's own seeds, which are tensors, with it.
            tf.keras.utils.set_random_seed(training.seed + 1)
            tf.config.experimental.enable_op_determinism()
        reader.check_sizes(run.info, spec.input_size)
        if cluster.workers > 1:
            others = cluster.workers - 1
            print(f"worker {cluster.worker}: waiting for {others} other(s)", flush=True)
        devices = strategies.create(self.config.strategy, cluster)
        self.strategy, self.workers = devices.strategy, Workers(devices)
        self.placement = Placement(devices.pairs) if devices.pairs else None
        self.share = reader.Share(
            training.global_batch_size, devices.local_replicas, cluster.workers, cluster.worker
        )
        check_parts(self.share.per_replica, training.accumulation_steps)
        self.split = reader.Split(data, run.info, "train")
        self.transform = InputTransform(
            run.mean_image, run.info.color, self.config.data, spec.input_size
        )
        with self.strategy.scope():
            self.model = network.build(
                spec,
                seed=training.seed,
                precision=training.precision,
                placement=self.placement,
            )
            self.optimizer = Momentum(self.config.optimizer, weights_of(self.model))
            self.loss_scale = LossScale() if training.precision == "mixed_float16" else None
        self.checkpoints = Checkpoints(run.checkpoints, training.keep_checkpoints)
        self.evaluator = self._evaluator(data)

    def run_to_end(self) -> int:
        """Restores, trains, and says how it ended: the exit code."""
        try:
            finished = self._run()
        except NonFinite as error:
            if self.is_chief:  # what was saved at that step made the loss so
                self.checkpoints.remove_from(error.step)
            saved = self.checkpoints.steps()
            last = self.checkpoints.path(saved[-1]) if saved else "none"
            raise cli.JobFailed(
                f"{error}; last good checkpoint: {last}. Try a lower schedule.rate"
            ) from error
        except tf.errors.DataLossError as error:
            raise cli.JobFailed(
                f"a record in {self.split.directory} is damaged ({_reason(error)}); see"
                " python -m preprocessing verify"
            ) from error
        except tf.errors.ResourceExhaustedError as error:
            raise cli.JobFailed(
                f"out of memory ({_reason(error)}); try a larger training.accumulation_steps or a"
                " smaller training.global_batch_size"
            ) from error
        except LOST as error:
            if self.share.workers == 1:
                raise
            raise cli.JobFailed(
                f"worker {self.share.worker} lost the others ({_reason(error)}); start all"
                " again with the same command to go on from the last checkpoint"
            ) from error
        if self.is_chief:
            how = "finished" if finished else "stopped; the same command goes on"
            print(f"{how}: {self.run.path} (TensorBoard: tensorboard --logdir {self.run.path})")
        return 0

    def _run(self) -> bool:
        progress = self._restore()
        steps = self.split.batches(self.share)
        with contextlib.ExitStack() as stack:
            step, monitors = self.step(), None
            # On every worker: variables made under the strategy (Keras 2 makes some for any model)
            # are broadcast, and one worker alone would wait for ever, or take another's for them.
            watch = self._watch(progress.epoch * steps + progress.step)
            if self.is_chief:
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
                validation = None
                if self.evaluator:
                    validation = self.evaluator.run(stopping=loop.stopping)
                    if validation is None:
                        raise Stopped
                if monitors:
                    monitors.epoch(progress, train, validation, time.monotonic() - began)
                    observer.epoch(progress.epoch, (progress.epoch + 1) * steps)
                return validation.top1_error if validation else None

            def save(progress: Progress) -> None:
                self._save(progress.epoch * steps + progress.step, progress)

            hooks = Hooks(window, end_of_epoch, save, self.workers.any)
            loop = Loop(self.config, step, self.batches, steps, hooks)
            return loop.run(progress)

    def step(self) -> TrainingStep:
        """One step of this training, to be called with an iterator over `batches`."""
        return TrainingStep(
            self.strategy,
            self.optimizer,
            self._network_input,
            self._forward,
            self.config.training.accumulation_steps,
            self.loss_scale,
            timed=not self.config.training.deterministic,
        )

    def _restore(self) -> Progress:
        """Reads the newest checkpoint on the chief; every worker goes on from what it found."""
        state = self.checkpoints.restore_newest(self._variables()) if self.is_chief else None
        mine = {"config": self.config.model_dump(mode="json"), "data": self.run.info.fingerprint}
        chief = json.loads(self.workers.text_from_chief(json.dumps({**mine, "state": state})))
        if {name: chief[name] for name in mine} != json.loads(json.dumps(mine)):
            changed = config_file.differences(Config(**chief["config"]), self.config)
            raise RunError(
                "expected the chief's configuration and dataset, received another:"
                f" {'; '.join(changed) or 'the dataset differs'}"
            )
        if chief["state"] is None:
            return Progress()
        for group in self._variables().values():
            self.workers.variables_from_chief(group.values())
        return Progress.from_json(chief["state"])

    def _save(self, step: int, progress: Progress) -> None:
        # The last loss was that of the weights before the last update.
        for name, variable in self._variables()["weights"].items():
            if not bool(tf.reduce_all(tf.math.is_finite(variable))):
                raise NonFinite(name, step)
        if not self.is_chief:
            return
        try:
            self.checkpoints.save(step, self._variables(), progress.to_json())
        except (OSError, tf.errors.OpError) as error:
            reason = error if isinstance(error, OSError) else _reason(error)
            raise cli.JobFailed(f"cannot write a checkpoint: {reason}") from error

    def _announce(self, progress: Progress, steps: int) -> None:
        verb = "going on" if progress.epoch or progress.step else "beginning"
        print(
            f"{verb} at epoch {progress.epoch + 1}, step {progress.step} of {steps}:"
            f" {self.config.network.variant}, {self.model.count_params():,} parameters,"
            f" {self.run.info.num_examples('train'):,} pictures of"
            f" {len(self.run.info.classes)} classes, {self.strategy.num_replicas_in_sync}"
            f" replica(s) on {self.share.workers} worker(s)",
            flush=True,
        )

    def batches(self, start: tuple[int, int]):
        """Every replica's batches from (epoch, step) = `start` on."""

        def make(_context):
            return reader.training_batches(
                self.split,
                self.config.data,
                self.config.network.input_size,
                self.share,
                self.config.training.seed,
                start,
            )

        return self.strategy.distribute_datasets_from_function(make)

    def _network_input(self, batch: dict, noise: tf.Tensor) -> dict[str, tf.Tensor]:
        """What each tower sees; a split network's towers both make it, from the same bytes."""
        copies = {}
        for tower in self.config.network.tower_names:
            if self.placement is None and copies:
                copies[tower] = next(iter(copies.values()))
                continue
            with self.placement.operations(tower) if self.placement else contextlib.nullcontext():
                copies[tower] = self.transform.training(batch, noise)
        return copies

    def _forward(self, images: dict, seed: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        with dropout_seed(seed, rows, self.share.global_batch_size), pictures(images):
            return self.model(next(iter(images.values())), training=True)

    def _variables(self) -> dict[str, dict]:
        weights = self.optimizer.weights
        velocities = zip(weights, self.optimizer.velocities, strict=True)
        groups = {
            "weights": {weight.name: weight.variable for weight in weights},
            "velocities": {weight.name: velocity for weight, velocity in velocities},
        }
        if self.loss_scale is not None:
            groups["loss_scale"] = self.loss_scale.variables
        return groups

    def _observer(self, board: Board) -> Observer:
        noise = Schedule(self.config).noise_coefficient
        return Observer(self.run, (self.model, self.transform), board, self.split.directory, noise)

    def _watch(self, step: int) -> Watch:
        """Diagnostics on training pictures in the center view, from `step` on."""
        training, spec = self.config.training, self.config.network
        count = min(PROBED, self.run.info.num_examples("train"))
        batches = reader.evaluation_batches(self.split, spec.input_size, reader.Share(count))
        crops = next(iter(batches))["image"]
        margin = (self.run.info.image_size - spec.input_size) // 2
        images = self.transform.centered(
            crops, tf.fill([count, 2], margin), tf.fill([count], False)
        )
        schedule = Schedule(self.config)

        def frozen(epoch: int) -> set[str]:
            names = {weight.layer for weight in self.optimizer.weights}
            return {name for name in names if schedule.rate(name, "kernel", epoch, 0.5) == 0}

        return Watch(
            Diagnostics(self.strategy, self.model, self.optimizer, images),
            FlatLoss(spec.num_classes, training.flat_loss_steps),
            frozen,
            training.diagnostics_every_steps,
            step,
        )

    def _evaluator(self, data: str | Path) -> Evaluator | None:
        if "validation" not in self.run.info.splits:
            if isinstance(self.config.schedule, Plateau):
                raise ConfigError(
                    "schedule.name: plateau expects a validation split, whose error it follows;"
                    f" received a dataset of {', '.join(self.run.info.splits)} alone. Choose"
                    " schedule.name=piecewise, or convert the dataset with a validation split"
                )
            return None
        split = reader.Split(data, self.run.info, "validation")
        return Evaluator(self.strategy, [(self.model, self.transform, 1.0)], split, self.share, 1)


def _reason(error: tf.errors.OpError) -> str:
    """The line that matters of TensorFlow's many."""
    noise = ("Graph execution error", "Detected at", "File ", "<", "[[", "(")
    lines = [line.strip() for line in error.message.splitlines()]
    named = type(error).__name__
    return next((line for line in lines if line and not line.startswith(noise)), named)


if __name__ == "__main__":
    cli.run(main)
