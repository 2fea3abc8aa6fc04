"""What a run shows: TensorBoard scalars, log.jsonl, a progress bar or one line an epoch."""

from __future__ import annotations

import json
import logging
import sys
import time
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from alexnet_tf.config.schema import Config
from alexnet_tf.evaluation.metrics import Result
from alexnet_tf.monitoring.tensorboard import EventFiles
from alexnet_tf.network.naming import layer_and_kinds
from alexnet_tf.training.loop import Progress, Window
from alexnet_tf.training.schedule import Schedule

log = logging.getLogger(__name__)
QUIET_SECONDS = 300  # off a terminal, a line at least so often within a long epoch


class ProgressReport:
    """A training's figures, for TensorBoard, in RUN/log.jsonl and on the console.

    A context manager, which closes the log.
    """

    def __init__(self, run: Path, events: EventFiles, steps_per_epoch: int, config: Config):
        self.steps_per_epoch, self.epochs = steps_per_epoch, config.training.epochs
        self.schedule = Schedule(config)
        self.events = events
        self.log = (run / "log.jsonl").open("a", encoding="utf-8")
        self.bar: tqdm | None = None
        self.last_line = time.monotonic()

    def window(self, progress: Progress, window: Window, waiting: float) -> None:
        """A few steps are done; for `waiting` seconds of them the step had no input yet."""
        seconds = window.result.examples / window.images_per_second
        scalars = {
            **self._rates(progress),
            "speed/images per second": window.images_per_second,
            "speed/share of time waiting for input": min(waiting / seconds, 1.0),
            **_scalars(window.result),
        }
        self.events.scalars("train", scalars, window.step)
        self._record("steps", progress.epoch, window.step, scalars)
        shown = {"loss": f"{window.result.loss:.3f}", "top-1": f"{window.result.top1_error:.1%}"}
        if sys.stderr.isatty():
            self._show(progress, shown)
        elif time.monotonic() - self.last_line > QUIET_SECONDS:
            self._line(
                f"epoch {progress.epoch + 1}/{self.epochs}, step {progress.step}"
                f"/{self.steps_per_epoch}: loss {shown['loss']}, top-1 error {shown['top-1']},"
                f" {window.images_per_second:.0f} images/s"
            )

    def epoch(
        self, progress: Progress, train: Result, validation: Result | None, seconds: float
    ) -> None:
        """An epoch is over. `seconds` is the time since the run began or went on."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None
        step = (progress.epoch + 1) * self.steps_per_epoch
        record = {f"train {name}": value for name, value in asdict(train).items()}
        line = f"epoch {progress.epoch + 1}/{self.epochs}: " + _words("train", train)
        means = {f"epoch/{name}": value for name, value in _scalars(train).items()}
        self.events.scalars("train", means, step)
        if validation is not None:
            self.events.scalars("validation", _scalars(validation), step)
            record |= {f"validation {name}": v for name, v in asdict(validation).items()}
            line += "; " + _words("validation", validation)
        self._record("epoch", progress.epoch, step, record)
        self._line(f"{line}; {seconds:.0f} s")

    def diagnosis(
        self, progress: Progress, step: int, values: dict[str, float], warning: str | None
    ) -> None:
        """Measurements of the network, and what is wrong with it, if they are there."""
        if values:
            self.events.scalars("train", values, step)
            self._record("diagnostics", progress.epoch, step, values)
        if warning is not None:
            self._record("warning", progress.epoch, step, {"text": warning})
            log.warning("%s", warning)

    def __enter__(self) -> ProgressReport:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()
        self.log.close()

    def _show(self, progress: Progress, shown: dict) -> None:
        if self.bar is None:
            title = f"epoch {progress.epoch + 1}/{self.epochs}"
            self.bar = tqdm(total=self.steps_per_epoch, desc=title, unit="step", leave=False)
        self.bar.set_postfix(shown, refresh=False)
        self.bar.update(progress.step - self.bar.n)

    def _line(self, text: str) -> None:
        print(text, flush=True)
        self.last_line = time.monotonic()

    def _rates(self, progress: Progress) -> dict[str, float]:
        """Of weights and biases, and of what the configuration sets apart; as the last step was."""
        self.schedule.plateau = progress.plateau
        groups = {"weights": ("", "kernel"), "biases": ("", "bias")}
        for key in self.schedule.config.schedule.layer_rates:
            layer, kinds = layer_and_kinds(key)
            groups[key.replace("/", " ")] = (layer, kinds[0])
        fraction = (progress.step - 1) / self.steps_per_epoch
        return {
            f"learning rate/{name}": self.schedule.rate(*which, progress.epoch, fraction)
            for name, which in groups.items()
        }

    def _record(self, kind: str, epoch: int, step: int, values: dict) -> None:
        record = {"kind": kind, "time": time.time(), "epoch": epoch, "step": step, **values}
        self.log.write(json.dumps(record) + "\n")
        self.log.flush()


def _scalars(result: Result) -> dict[str, float]:
    return {
        "loss": result.loss,
        "top-1 error": result.top1_error,
        "top-5 error": result.top5_error,
    }


def _words(split: str, result: Result) -> str:
    return (
        f"{split} loss {result.loss:.3f}, top-1 error {result.top1_error:.1%},"
        f" top-5 {result.top5_error:.1%}"
    )
