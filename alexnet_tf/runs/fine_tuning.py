"""Fine-tuning in one call: what `train` does with configs/fine-tuning.yaml.

Imported through the package: `from alexnet_tf import fine_tune`.
"""

from __future__ import annotations

import os
from pathlib import Path

import yaml

from alexnet_tf.config import files as config_files
from alexnet_tf.runs import directory as run_directory
from alexnet_tf.runs.loading import load_run
from alexnet_tf.runs.session import INTERRUPTED, train
from alexnet_tf.runs.trained_network import TrainedNetwork

CONFIG = "fine-tuning"


def fine_tune(
    weights: str | os.PathLike,
    data: str | os.PathLike,
    run: str | os.PathLike,
    *,
    checkpoint: str = "newest",
    **sections: dict,
) -> TrainedNetwork:
    """Trains on a dataset from given weights on; the last layer is new for other classes.

    Args:
        weights: torchvision's as a file (.pth, .npz, .safetensors), or a run directory, whose
            network and mean are taken over.
        data: dataset directory, of the conversion.
        run: directory of the new run; one that was begun by the same call is gone on with.
        checkpoint: of the result, "newest" or "best".
        sections: what is to be otherwise than in the built-in configuration "fine-tuning", such as
            training={"epochs": 5}, init_from={"frozen": ["conv1", "conv2"]}.

    Raises the UserErrors of a mistake, JobError if the training failed, KeyboardInterrupt if Ctrl-C
    stopped it.
    """
    path = Path(weights)
    tree = config_files.merge(config_files.read_tree(CONFIG), {"init_from": {"path": str(path)}})
    if os.path.isdir(path):
        other = yaml.safe_load(config_files.to_yaml(run_directory.load(path).config))
        del other["network"]["num_classes"]  # the dataset's
        tree |= {"network": other["network"], "data": other["data"]}
        tree["init_from"]["format"] = None
    config = config_files.parse(config_files.merge(tree, sections), "fine_tune")
    if train(config, data, run) == INTERRUPTED:
        raise KeyboardInterrupt
    return load_run(run, checkpoint)
