"""Runs for tests that nothing was trained in: checkpoints of initial weights."""

import json
from pathlib import Path

from alexnet_tf.config import files as config_files
from alexnet_tf.network import model as network
from alexnet_tf.network.weights import weights_of
from alexnet_tf.runs import directory as run_directory
from alexnet_tf.runs.checkpoints import Checkpoints

EPOCH = {"kind": "epoch", "epoch": 0, "train loss": 1.0, "train top1_error": 0.5}


def write(path: Path, data: Path, seed: int = 1, **sections) -> run_directory.Run:
    """A run of an epoch, on images of at least 64 pixels."""
    tree = {
        "network": {"input_size": 64, "width": 0.05},
        "training": {"seed": seed, "epochs": 1},
        **sections,
    }
    run = run_directory.begin(path, config_files.parse(tree), data)
    (path / "log.jsonl").write_text(json.dumps(EPOCH) + "\n")
    go_on(run, 1, seed)
    return run


def go_on(run: run_directory.Run, step: int, seed: int, error: float | None = None) -> None:
    """As if it were trained on: a checkpoint of other weights, those of a seed."""
    named = {w.name: w.variable for w in weights_of(network.build(run.config.network, seed=seed))}
    groups = {"weights": named}
    if run.config.optimizer.name == "moving-average":
        groups = {"averages": named, "weights": {name: v + 1 for name, v in named.items()}}
    Checkpoints(run.checkpoints).save(step, groups, {"epoch": 1, "step": 0}, error)
