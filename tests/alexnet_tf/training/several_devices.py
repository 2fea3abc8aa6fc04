"""A process with several logical CPU devices, which must be set up before TensorFlow starts.

python -m tests.alexnet_tf.training.several_devices CPUS train ARGUMENTS...
python -m tests.alexnet_tf.training.several_devices CPUS jobs FILE      (JSON: lists of arguments)
python -m tests.alexnet_tf.training.several_devices CPUS placement FILE ARGUMENTS...
"""

import ctypes
import json
import os
import signal
import sys
from pathlib import Path

import tensorflow as tf
from tensorflow.python.eager import context

from alexnet_tf import cli, train
from alexnet_tf.config import files as config_files
from alexnet_tf.runs import directory as run_directory
from alexnet_tf.runs.setup import Setup
from alexnet_tf.training import strategy
from alexnet_tf.training.step import StepInputs

PR_SET_PDEATHSIG = 1  # of Linux's prctl


def main(argv: list[str]) -> int:
    if sys.platform == "linux":  # a test run that is killed takes its trainings along
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    cpus, verb, *rest = argv
    device = tf.config.list_physical_devices("CPU")[0]
    parts = [tf.config.LogicalDeviceConfiguration()] * int(cpus)
    tf.config.set_logical_device_configuration(device, parts)
    if verb == "train":
        return train.main(rest)
    if verb == "jobs":
        return max(train.main(job) for job in json.loads(Path(rest[0]).read_text()))
    Path(rest[0]).write_text(json.dumps(placement(*rest[1:])))
    return 0


def placement(config: str, data: str, *overrides: str) -> dict:
    """What a training step's graph becomes: where TensorFlow ran each node, and what it sent.

    Of the partitions that the runtime made (after placement and optimization), not of the graph as
    it was asked for.
    """
    settings = config_files.load(config, overrides)
    cluster = strategy.cluster(settings.strategy)
    run = run_directory.follow(os.devnull, settings, data)
    training = Setup(run, data, cluster)
    arguments = [StepInputs((0.01,) * len(training.optimizer.weights), 0.1, (0, 1))]
    # TensorFlow has no public name for these; the graphs are kept of functions first run now.
    context.context().enable_run_metadata()
    context.context().enable_graph_collection()
    training.step()(iter(training.batches((0, 0))), arguments)
    functions = context.context().export_run_metadata().function_graphs
    largest = max(functions, key=lambda found: sum(len(g.node) for g in found.partition_graphs))
    nodes = [node for graph in largest.partition_graphs for node in graph.node]
    local = training.strategy.experimental_local_results
    state = training.optimizer.state.values()
    return {
        "nodes": [[node.name, node.op, node.device] for node in nodes],
        "sent": [
            [
                node.attr["send_device"].s.decode(),
                node.attr["recv_device"].s.decode(),
                node.input[0].removeprefix("^"),
            ]
            for node in nodes
            if node.op == "_Send"
        ],
        "variables": {
            weight.name: [
                [v.device for v in local(x)]
                for x in (weight.variable, *(named[weight.name] for named in state))
            ]
            for weight in training.optimizer.weights
        },
    }


if __name__ == "__main__":
    cli.run(lambda _: main(sys.argv[1:]))
