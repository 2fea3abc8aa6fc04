"""What a run shows: TensorBoard scalars, log.jsonl, a progress bar or one line an epoch."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from alexnet_tf.config.schema import Config
from alexnet_tf.errors import RunError
from alexnet_tf.evaluation.metrics import Result
from alexnet_tf.monitoring.tensorboard import EventFiles
from alexnet_tf.network.naming import layer_and_kinds
from alexnet_tf.training.epoch_steps import EpochSteps
from alexnet_tf.training.loop import Progress, Window
from alexnet_tf.training.schedule import Schedule

log = logging.getLogger(__name__)
QUIET_SECONDS = 300  # off a terminal, a line at least so often within a long epoch


class ProgressReport:
    """A training's figures, for TensorBoard, in RUN/log.jsonl and on the console.

    A context manager, which closes the log.
    """

    def __init__(self, run: Path, events: EventFiles, steps: EpochSteps, config: Config):
        self.steps, self.epochs = steps, config.training.epochs
        self.schedule = Schedule(config)
        self.events = events
        self.log = _opened(run / "log.jsonl")
        self.began, self.steps_before = time.monotonic(), 0
        self.epoch_began, self.processor_began = self.began, time.process_time()
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
        loss, error = f"{window.result.loss:.3f}", f"{window.result.top1_error:.1%}"
        if sys.stderr.isatty():
            shown = {"loss": loss, "top-1 error": error, "run": f"{self._left(window.step)} left"}
            self._show(progress, shown)
        elif time.monotonic() - self.last_line > QUIET_SECONDS:
            self._line(
                f"epoch {progress.epoch + 1}/{self.epochs}, step {progress.step}"
                f"/{self.steps.of(progress.epoch)}: loss {loss}, top-1 error {error},"
                f" {window.images_per_second:.0f} images/s; {self._left(window.step)} left"
            )

    def begin(self, step: int) -> None:
        """`step` steps of the run are done already; the clock runs from now on."""
        self.steps_before, self.began = step, time.monotonic()
        self.epoch_began, self.processor_began = self.began, time.process_time()

    def epoch(
        self,
        progress: Progress,
        train: Result,
        validation: Result | None,
        held_out: bool = False,
    ) -> None:
        """An epoch is over: one line of each split, of at most 100 columns.

        Args: held_out, whether the images validated on are a part of the training split.
        """
        if self.bar is not None:
            self.bar.close()
            self.bar = None
        step = self.steps.before(progress.epoch + 1)
        record = {f"train {name}": value for name, value in asdict(train).items()}
        title = f"epoch {progress.epoch + 1}/{self.epochs}"
        now = time.monotonic()
        times = f"took {now - self.epoch_began:.0f} s, {self._left(step)} left"
        record["seconds"] = now - self.epoch_began
        record["processor seconds"] = time.process_time() - self.processor_began
        self.epoch_began, self.processor_began = now, time.process_time()
        lines = [f"{title}: {_words('train', train)}; {times}"]
        self.events.scalars("train", _epoch_scalars(train), step)
        if validation is not None:
            self.events.scalars("validation", _epoch_scalars(validation), step)
            record |= {f"validation {name}": v for name, v in asdict(validation).items()}
            measured = "held-out" if held_out else "validation"
            record["validated on"] = measured
            lines.append(f"{' ' * len(title)}  {_words(measured, validation)}")
        self._record("epoch", progress.epoch, step, record)
        self._line("\n".join(lines))

    def more_images(self, epoch: int, images: str) -> None:
        """From `epoch` (from 0) on, what was held out is trained on too."""
        text = f"from epoch {epoch + 1} on: training on all {images}, the held-out ones too"
        self._record("data", epoch, self.steps.before(epoch), {"text": text})
        self._line(text)

    def diagnosis(
        self, progress: Progress, step: int, values: dict[str, float], warning: str | None
    ) -> None:
        """Measurements of the network, and what is wrong with it, if they are there."""
        if values:
            # In a group that TensorBoard sorts behind the epochs' and the losses.
            self.events.scalars("train", {f"network/{k}": v for k, v in values.items()}, step)
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
            self.bar = tqdm(
                total=self.steps.of(progress.epoch), desc=title, unit="step", leave=False
            )
        self.bar.set_postfix(shown, refresh=False)
        self.bar.update(progress.step - self.bar.n)

    def _line(self, text: str) -> None:
        print(text, flush=True)
        self.last_line = time.monotonic()

    def _left(self, step: int) -> str:
        """Until the whole run is over, at this process's pace so far: hours:minutes:seconds."""
        total = self.steps.before(self.epochs)
        pace = (time.monotonic() - self.began) / max(step - self.steps_before, 1)
        minutes, seconds = divmod(round(pace * max(total - step, 0)), 60)
        return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"

    def _rates(self, progress: Progress) -> dict[str, float]:
        """Of weights and biases, and of what the configuration sets apart; as the last step was."""
        self.schedule.plateau = progress.plateau
        groups = {"weights": ("", "kernel"), "biases": ("", "bias")}
        for key in self.schedule.config.schedule.layer_rates:
            layer, kinds = layer_and_kinds(key)
            groups[key.replace("/", " ")] = (layer, kinds[0])
        fraction = (progress.step - 1) / self.steps.of(progress.epoch)
        return {
            f"learning rate/{name}": self.schedule.rate(*which, progress.epoch, fraction)
            for name, which in groups.items()
        }

    def _record(self, kind: str, epoch: int, step: int, values: dict) -> None:
        record = {"kind": kind, "time": time.time(), "epoch": epoch, "step": step, **values}
        self.log.write(json.dumps(record) + "\n")
        self.log.flush()


def _opened(path: Path) -> TextIO:
    """The log, to be appended to; a line that a killed process left torn is ended.

    Raises RunError where it is no file: a pipe would be waited for.
    """
    if path.exists() and not path.is_file():
        raise RunError(f"expected {path} to be a file, received something else")
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
    return path.open("a", encoding="utf-8")


def _scalars(result: Result) -> dict[str, float]:
    return {
        "loss": result.loss,
        "top-1 error": result.top1_error,
        "top-5 error": result.top5_error,
    }


def _epoch_scalars(result: Result) -> dict[str, float]:
    """Both splits' in the same charts, in the group that TensorBoard sorts first."""
    return {f"epoch/{name}": value for name, value in _scalars(result).items()}


def _words(split: str, result: Result) -> str:
    return (
        f"{split} loss {result.loss:.3f}, top-1 error {result.top1_error:.1%},"
        f" top-5 error {result.top5_error:.1%}"
    )
