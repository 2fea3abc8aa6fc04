"""Writing a preset: a trained network without its training (see `preset_files`)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from alexnet_tf.cli import writing
from alexnet_tf.compat import versions
from alexnet_tf.config import files as config_files
from alexnet_tf.errors import ConfigError, UserError
from alexnet_tf.evaluation.comparison import reports_of_weights
from alexnet_tf.network.weights import arrays_of
from alexnet_tf.runs import directory as run_directory
from alexnet_tf.runs.preset_files import WEIGHTS, is_preset, write_description
from alexnet_tf.runs.restore import restored_model
from alexnet_tf.runs.stored_weights import weights_sha256
from alexnet_tf.serving import model_card
from preprocessing.dataset.atomic import replacing_directory
from preprocessing.dataset.info import write_info
from preprocessing.dataset.mean_image import encode_mean_image
from preprocessing.dataset.names import MEAN_FILE

if TYPE_CHECKING:
    from alexnet_tf.runs.trained_network import TrainedNetwork


def save(trained: TrainedNetwork, path: Path, stated: tuple[str, str], overwrite: bool) -> None:
    """`TrainedNetwork.save_preset`. Args: stated, license and intended use.

    What was written is read back before it takes its name.
    """
    if os.path.lexists(path) and not overwrite:
        raise ConfigError(f"expected a new directory, received {path}; or overwrite=True")
    if os.path.lexists(path) and not is_preset(path):
        raise ConfigError(f"overwrite=True: expected a preset to replace, received {path}")
    weights = arrays_of(trained.model)
    reports = reports_of_weights(trained.source, weights_sha256(weights))
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing_directory(path) as new:
            _write(trained, Path(new), weights, reports, stated)
            try:
                restored_model(run_directory.load(new))
            except UserError as error:
                reason = str(error).replace(new, str(path))
                raise ConfigError(f"expected the network of its configuration: {reason}") from error


def _write(
    trained: TrainedNetwork,
    directory: Path,
    weights: dict[str, np.ndarray],
    reports: dict[Path, dict],
    stated: tuple[str, str],
) -> None:
    (directory / "dataset").mkdir()
    (directory / "evaluation").mkdir()
    (directory / "config.yaml").write_text(config_files.to_yaml(trained.config), encoding="utf-8")
    write_info(directory / "dataset", trained.info)
    mean = encode_mean_image(trained.transform.mean_image)
    (directory / "dataset" / MEAN_FILE).write_bytes(mean)
    with (directory / WEIGHTS).open("wb") as file:
        np.savez(file, **weights)
    for report in reports:
        shutil.copyfile(report, directory / "evaluation" / report.name)
    write_description(directory, trained.checkpoint, versions())
    notes = {
        "variant": trained.config.network.variant,
        "training_images": run_directory.load(directory).training_images,
        "apply_exif": bool(trained.info.options.get("apply_exif", False)),
        "input_size": trained.transform.size,
        "checkpoint": trained.checkpoint,
    }
    page = model_card.preset_card(trained.info, notes, list(reports.values()), *stated)
    (directory / model_card.FILE).write_text(page, encoding="utf-8")
