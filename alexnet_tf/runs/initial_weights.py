"""Fine-tuning: the weights that a training begins with (config section `init_from`)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from alexnet_tf.config.schema import Config
from alexnet_tf.errors import ConfigError
from alexnet_tf.foreign_weights.files import open_arrays
from alexnet_tf.foreign_weights.formats import LAYOUTS, imported
from alexnet_tf.network.structure import NetworkSpec
from alexnet_tf.network.weights import Weight, weights_of
from alexnet_tf.runs import directory as run_directory
from alexnet_tf.runs.directory import Run
from alexnet_tf.runs.restore import restored_model

# What may differ between two networks whose weights are exchanged.
OF_A_NETWORK = {"variant", "num_classes", "dropout", "initializer", "init_scaling"}
OF_A_LAYER = {"std", "bias"}


def assign_initial(run: Run, weights: Sequence[Weight]) -> None:
    """Sets the weights to those that `run`'s configuration names, all but a new head's.

    Raises:
        ConfigError: there are none, they are damaged, or of another network, input or classes.
        CheckpointError: the run to begin from has damaged checkpoints alone.
    """
    config = run.config
    source = Path(config.init_from.path)
    given, same_classes = (
        _of_run(run, source) if os.path.isdir(source) else _of_file(config, source)
    )
    head = config.network.layers[-1].name
    wanted = config.init_from.new_head
    if wanted == "never" and not same_classes:
        raise ConfigError(
            f"init_from.new_head: expected if-other-classes or always, as {source} is of other"
            " classes than the dataset; received never"
        )
    new_head = wanted == "always" or not same_classes
    for weight in weights:
        if weight.layer == head and new_head:
            continue
        weight.variable.assign(given[weight.name])


def _of_run(run: Run, source: Path) -> tuple[dict[str, np.ndarray], bool]:
    if run.config.init_from.format is not None:
        raise ConfigError("init_from.format: expected none beside a run directory")
    other = run_directory.load(source)
    ours, theirs = (_comparable(config.network) for config in (run.config, other.config))
    for key in ours:
        if ours[key] != theirs[key]:
            raise ConfigError(
                f"init_from.path: expected the same network.{key} in {source}, received another;"
                f" take that run's network settings (variant {other.config.network.variant})"
            )
    _check_mean(run.config, other.config.data.mean, other.config.data.mean_rgb, str(source))
    model, _ = restored_model(other)
    values = {weight.name: weight.variable.numpy() for weight in weights_of(model)}
    return values, other.info.classes == run.info.classes


def _of_file(config: Config, source: Path) -> tuple[dict[str, np.ndarray], bool]:
    if config.init_from.format is None:
        raise ConfigError(
            f"init_from.format: expected {' or '.join(LAYOUTS)} beside the file {source}, or a run"
            " directory as init_from.path"
        )
    layout, spec = LAYOUTS[config.init_from.format], config.network
    if spec.variant not in layout.variants:
        raise ConfigError(
            f"network.variant: expected {' or '.join(layout.variants)} for init_from.format"
            f" {config.init_from.format}, received {spec.variant}"
        )
    _check_mean(config, "channel", layout.mean_rgb, str(source))
    try:
        with open_arrays(source) as stored:
            classes = layout.classes(stored, spec.num_classes)
            stored_spec = spec.model_copy(update={"num_classes": classes})
            values = imported(layout, stored_spec, stored, str(source))
    except ConfigError as error:
        raise ConfigError(str(error).replace("--input", "init_from.path", 1)) from error
    return values, classes == spec.num_classes


def _comparable(spec: NetworkSpec) -> dict:
    """What decides which weights there are and what they mean, as JSON."""
    tree = spec.model_dump(mode="json", exclude=OF_A_NETWORK)
    for layer in tree["layers"]:
        for key in OF_A_LAYER:
            layer.pop(key, None)
    return tree


def _check_mean(config: Config, mean: str, mean_rgb: Sequence[float] | None, source: str) -> None:
    """The same mean is taken from pixels as the weights were trained with, or of the same kind."""
    data = config.data
    near = mean_rgb is None or (
        data.mean_rgb is not None and np.allclose(data.mean_rgb, mean_rgb, atol=0.01)
    )
    if data.mean != mean or not near:
        numbers = "" if mean_rgb is None else f" data.mean_rgb={[round(x, 3) for x in mean_rgb]}"
        raise ConfigError(
            f"data.mean: {source} expects data.mean={mean}{numbers.replace(', ', ',')}, received"
            f" {data.mean}{'' if data.mean_rgb is None else f' {list(data.mean_rgb)}'}"
        )
