"""What a run writes for TensorBoard: RUN/tensorboard/{train,validation} and, above them, settings.

Tags are the titles that TensorBoard shows. Everything of one split goes through one writer, since
TensorBoard reads one file of a directory at a time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

from alexnet_tf.config import files as config_files
from alexnet_tf.config.schema import Config
from alexnet_tf.errors import JobError
from alexnet_tf.network.spec import VARIANTS
from alexnet_tf.network.weights import Weight
from alexnet_tf.runs.directory import FREE
from alexnet_tf.runs.reason import reason_of

SPLITS = ("train", "validation")
HISTOGRAM_VALUES = 1_000_000  # of a weight, evenly spread, are counted at most
METRICS = ("top-1 error", "top-5 error", "loss")  # of the validation split, beside the settings


class EventFiles:
    """The event files of one run; a context manager that closes them."""

    def __init__(self, run: Path):
        self.directory, self.name = run / "tensorboard", run.name
        with self._told():
            self._writers = {
                split: tf.summary.create_file_writer(str(self.directory / split))
                for split in SPLITS
            }

    def scalars(self, split: str, values: Mapping[str, float], step: int) -> None:
        with self._writing(split, step):
            for name, value in values.items():
                tf.summary.scalar(name, value)
        self.flush()

    def image(self, split: str, name: str, pixels: np.ndarray, step: int) -> None:
        """Args: pixels uint8 [h, w, 3]."""
        with self._writing(split, step):
            tf.summary.image(name, pixels[None])

    def text(self, split: str, name: str, markdown: str, step: int) -> None:
        with self._writing(split, step):
            tf.summary.text(name, markdown)

    def histograms(self, weights: tuple[Weight, ...], step: int) -> None:
        with self._writing("train", step):
            for weight in weights:
                values = weight.variable.numpy().ravel()
                every = -(-values.size // HISTOGRAM_VALUES)
                tf.summary.histogram(weight.name, values[::every])

    def graph(self, function: tf.types.experimental.ConcreteFunction) -> None:
        with self._writing("train", 0):
            tf.summary.graph(function.graph)

    def settings(self, config: Config) -> None:
        """The hyperparameters, comparable with other runs' in the HParams tab."""
        values = by_difference(config)
        metrics = [
            hparams.Metric(f"epoch/{name}", group="validation", display_name=f"validation {name}")
            for name in METRICS
        ]
        with self._told():
            writer = tf.summary.create_file_writer(str(self.directory))
            with writer.as_default(0):
                hparams.hparams_config([hparams.HParam(name) for name in values], metrics)
                hparams.hparams(values, trial_id=self.name)
            writer.close()

    def flush(self) -> None:
        with self._told():
            for writer in self._writers.values():
                writer.flush()

    @contextlib.contextmanager
    def _writing(self, split: str, step: int) -> Iterator[None]:
        with self._told(), self._writers[split].as_default(step):
            yield

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Within it, a full or missing disk becomes a JobError: TensorFlow's kind for the first is
        the one for memory.
        """
        try:
            yield
        except tf.errors.OpError as error:
            raise JobError(
                f"cannot write TensorBoard's files in {self.directory}: {reason_of(error)}"
            ) from error

    def __enter__(self) -> EventFiles:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for writer in self._writers.values():
            # What went wrong first is told, not that closing fails for the same reason.
            with contextlib.suppress(tf.errors.OpError) if kind else self._told():
                writer.close()


def announce_run(events: EventFiles, config: Config, model: keras.Model) -> None:
    """What a run begins with: its settings, also as text, and the network's graph."""
    events.settings(config)
    text = config_files.to_yaml(config)
    events.text("train", "configuration", f"```yaml\n{text}```", step=0)
    # The network alone, named after its layers.
    spec = tf.TensorSpec([None, *model.input_shape[1:]], tf.float32, "image")
    function = tf.function(lambda image: model(image, training=False), input_signature=[spec])
    events.graph(function.get_concrete_function())
    events.flush()


def flat_settings(config: Config) -> dict[str, float | str]:
    """`section.key` → value, of all settings but single layers' and those free to change."""
    tree = config.model_dump(mode="json", exclude={"network": {"layers"}})
    values: dict[str, float | str] = {}

    def walk(place: str, value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(f"{place}.{key}" if place else key, inner)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            values[place] = float(value)
        else:
            values[place] = str(value)

    walk("", tree)
    return {key: value for key, value in values.items() if not key.startswith(FREE)}


def by_difference(config: Config) -> dict[str, float | str]:
    """`flat_settings`, those first that are not the defaults: HParams' columns have this order.

    The defaults are those of the variant, or the paper's for a network of layers of its own.
    """
    values = flat_settings(config)
    known = config.network.variant in VARIANTS
    variant = {"variant": config.network.variant} if known else {}
    usual = flat_settings(config_files.parse({"network": variant}, "the defaults"))
    first = [key for key, value in values.items() if usual.get(key, value) != value]
    first += [key for key in values if key not in usual]
    return {key: values[key] for key in ["network.variant", *first, *values]}
