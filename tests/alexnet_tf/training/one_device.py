"""A network in training on one device, as `train` builds it, driven with batches of one's own."""

import functools
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from alexnet_tf.config.schema import MomentumConfig, OptimizerConfig
from alexnet_tf.network.weights import weights_of
from alexnet_tf.step_context import DropoutRows, using
from alexnet_tf.training.loss_scale import LossScale
from alexnet_tf.training.optimizers.optimizer import Optimizer
from alexnet_tf.training.step import StepInputs, TrainingStep


@functools.cache  # several in one process would number their collective operations alike
def strategy() -> tf.distribute.Strategy:
    device = tf.config.list_logical_devices("CPU")[0].name
    return tf.distribute.MirroredStrategy([f"/job:localhost/replica:0/task:0{device}"])


def batch(images: np.ndarray, labels: np.ndarray, weight: np.ndarray | None = None) -> dict:
    """A batch whose images are the network's input already."""
    count = len(labels)
    return {
        "image": np.asarray(images, np.float32),
        "label": np.asarray(labels, np.int32),
        "weight": np.ones(count, np.float32) if weight is None else np.float32(weight),
        "row": np.arange(count, dtype=np.int32),
    }


class Trainer:
    """Steps over given batches; `weights` and `velocities` are by name."""

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        model,
        config: OptimizerConfig | None = None,
        accumulation_steps: int = 1,
        loss_scale: LossScale | None = None,
        jit_compile: str = "elementwise",
    ):
        """Call it under the strategy's scope."""
        self.strategy = strategy
        self.optimizer = Optimizer(config or MomentumConfig(), weights_of(model))
        size: list[int] = []
        self.batch_size = size

        def forward(images, seed, rows):
            with using(dropout=DropoutRows(seed, rows, size[0])):
                return model(images, training=True)

        self.step = TrainingStep(
            strategy,
            self.optimizer,
            lambda batch, noise: batch["image"],
            forward,
            accumulation_steps,
            loss_scale,
            jit_compile,
        )

    def run(
        self, batches: Iterable[dict], rates: Iterable[list[float]], seed: int = 0, at_once=False
    ):
        """One step a batch, with these rates (one for each weight); returns each step's sums.

        Args: at_once, all steps in one execution.
        """
        batches = list(batches)
        self.batch_size[:] = [len(batches[0]["label"])]
        stacked = {key: np.stack([one[key] for one in batches]) for key in batches[0]}
        make = lambda _: tf.data.Dataset.from_tensor_slices(stacked)  # noqa: E731
        iterator = iter(self.strategy.distribute_datasets_from_function(make))
        steps = [
            StepInputs(tuple(map(float, rate)), 0.0, (seed, number))
            for number, (_, rate) in enumerate(zip(batches, rates, strict=True))
        ]
        together = len(steps) if at_once else 1
        groups = [steps[i : i + together] for i in range(0, len(steps), together)]
        return [row for group in groups for row in self.step(iterator, group).numpy()]

    @property
    def weights(self) -> dict[str, np.ndarray]:
        return {weight.name: weight.variable.numpy() for weight in self.optimizer.weights}

    @property
    def velocities(self) -> dict[str, np.ndarray]:
        pairs = zip(self.optimizer.weights, self.optimizer.velocities, strict=True)
        return {weight.name: velocity.numpy() for weight, velocity in pairs}
