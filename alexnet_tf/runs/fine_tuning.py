"""Fine-tuning in one call: what `train` does with configs/fine-tuning.yaml.

Imported through the package: `from alexnet_tf import fine_tune`.
"""

from __future__ import annotations

import os
from pathlib import Path

import yaml

from alexnet_tf.config import files as config_files
from alexnet_tf.errors import JobError
from alexnet_tf.runs import directory as run_directory
from alexnet_tf.runs.loading import load_run
from alexnet_tf.runs.session import Ending, train
from alexnet_tf.runs.trained_network import TrainedNetwork

CONFIG = "fine-tuning"


def fine_tune(
    weights: str | os.PathLike,
    data: str | os.PathLike,
    run: str | os.PathLike,
    /,  # `data` is a section of settings, too
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

    Raises the UserErrors of a mistake, JobError if the training failed or SIGTERM stopped it,
    KeyboardInterrupt if Ctrl-C did.
    """
    path = Path(weights)
    tree = config_files.merge(config_files.read_tree(CONFIG), {"init_from": {"path": str(path)}})
    if os.path.isdir(path):
        other = yaml.safe_load(config_files.to_yaml(run_directory.load(path).config))
        del other["network"]["num_classes"]  # the dataset's
        # Not the rest of its data settings, which suit other images: a share of them, its crops.
        mean = {name: other["data"][name] for name in ("mean", "mean_rgb")}
        tree |= {"network": other["network"], "data": mean}
        tree["init_from"]["format"] = None
    config = config_files.parse(config_files.merge(tree, sections), "fine_tune")
    ending = train(config, data, run)
    if ending is Ending.INTERRUPTED:
        raise KeyboardInterrupt
    if ending is Ending.STOPPED:
        raise JobError(f"{ending.value}; the same call goes on")
    return load_run(run, checkpoint)
