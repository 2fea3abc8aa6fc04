"""Whether a network learns: dead units, the size of updates, a loss that stays at chance.

AlexNet's known failure: the loss stays at ln(classes) for hundreds of steps, because units are dead
(they answer 0 to every image, so no gradient reaches them) or updates are far too small for their
weights. A healthy update is about a thousandth of its weights.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection

import keras
import tensorflow as tf

from alexnet_tf.data import reader
from alexnet_tf.data.augment import InputTransform
from alexnet_tf.data.split import Share, Split
from alexnet_tf.runs.directory import Run
from alexnet_tf.training.optimizers.optimizer import Optimizer
from alexnet_tf.training.schedule import Schedule

IMAGES = 64  # on which diagnostics are measured
FLAT = 0.99  # of ln(classes): a mean loss of this or more has learned next to nothing


class Diagnostics:
    """Measures a network in training on one fixed batch of images.

    Args:
        images: float32 [n, S, S, 3], network input; a unit is dead if it is 0 at every place of
            every one of these images.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        model: keras.Model,
        optimizer: Optimizer,
        images: tf.Tensor,
    ):
        self.strategy, self.optimizer, self.images = strategy, optimizer, images
        rectified = [layer for layer in model.layers if _is_relu(layer)]
        self.layers = [layer.name.partition("_")[0] for layer in rectified]
        if rectified:
            with strategy.scope():
                self.probe = keras.Model(model.input, [layer.output for layer in rectified])
        self._dead = tf.function(self._on_replicas, autograph=False)

    def measure(self, frozen: Collection[str] = ()) -> dict[str, float]:
        """Titles and values, one of each kind for a layer (of both towers together).

        `dead ReLUs/LAYER`: share of its units. `update to weight/LAYER`: the last update's norm as
        a share of the kernel's; 0 for a layer in `frozen`, which keeps an old velocity unused; none
        without velocities (LAMB makes it the rate).
        """
        shares = defaultdict(list)
        if self.layers:
            for layer, share in zip(self.layers, self._dead(self.images), strict=True):
                shares[layer].append(float(share))
        dead = {f"dead ReLUs/{k}": sum(v) / len(v) for k, v in shares.items()}
        return {**dead, **self._updates(frozen)}

    def _on_replicas(self, images: tf.Tensor) -> list[tf.Tensor]:
        shares = self.strategy.run(self._dead_shares, args=(images,))
        return [self.strategy.experimental_local_results(share)[0] for share in shares]

    def _dead_shares(self, images: tf.Tensor) -> list[tf.Tensor]:
        outputs = self.probe(images, training=False)
        return [_dead_share(output) for output in tf.nest.flatten(outputs)]

    def _updates(self, frozen: Collection[str]) -> dict[str, float]:
        if self.optimizer.velocities is None:
            return {}
        squares = defaultdict(lambda: [0.0, 0.0])
        pairs = zip(self.optimizer.weights, self.optimizer.velocities, strict=True)
        for weight, velocity in pairs:
            if weight.kind == "kernel":
                for i, variable in enumerate((velocity, weight.variable)):
                    squares[weight.layer][i] += float(tf.norm(variable)) ** 2
        return {
            f"update to weight/{layer}": 0.0 if layer in frozen else math.sqrt(v / w)
            for layer, (v, w) in squares.items()
            if w > 0
        }


class FlatLoss:
    """Notices, once, that the training loss has not moved from ln(classes).

    Args:
        classes: how many.
        steps: of the run after which to judge, by the mean loss of the second half of them; None:
            never.
    """

    def __init__(self, classes: int, steps: int | None):
        self.chance, self.steps = math.log(classes), steps
        self.losses: list[float] = []
        self.judged = steps is None

    def observe(self, step: int, loss: float) -> str | None:
        """Takes the mean loss of some steps that ended at `step`; the warning, when it is due."""
        if self.judged or step <= self.steps / 2:
            return None
        self.losses.append(loss)
        if step < self.steps:
            return None
        self.judged = True
        mean = sum(self.losses) / len(self.losses)
        if mean < FLAT * self.chance:
            return None
        return (
            f"the loss is still {mean:.3f} after {step} steps; guessing would give"
            f" {self.chance:.3f}. Look at 'dead ReLUs' and 'update to weight' in TensorBoard or"
            " log.jsonl: with dead units, or updates far below a thousandth of the weights, try"
            " network.variant=original (wider initial weights), or"
            " network.init_scaling=keep-variance for a narrow or small network; with a loss that"
            " jumps, a lower schedule.rate"
        )


class PeriodicDiagnostics:
    """Diagnostics every so many steps, and the warning of a flat loss.

    Args:
        frozen: gives the layers whose kernels are frozen in an epoch.
        every: steps between two measurements; None: no measurements.
        step: steps of the run that are done already.
    """

    def __init__(
        self,
        diagnostics: Diagnostics,
        flat: FlatLoss,
        frozen: Callable[[int], Collection[str]],
        every: int | None,
        step: int,
    ):
        self.diagnostics, self.flat, self.frozen = diagnostics, flat, frozen
        self.every, self.step = every, step

    @classmethod
    def of_run(
        cls,
        run: Run,
        strategy: tf.distribute.Strategy,
        network: tuple[keras.Model, InputTransform],
        optimizer: Optimizer,
        split: Split,
        step: int,
    ) -> PeriodicDiagnostics:
        """As a run's configuration has them, on the first training images in the center view."""
        config, size = run.config, run.config.network.input_size
        model, transform = network
        count = min(IMAGES, sum(split.counts))
        crops = next(iter(reader.evaluation_batches(split, size, Share(count))))["image"]
        margin = (run.info.image_size - size) // 2
        images = transform.centered(crops, tf.fill([count, 2], margin), tf.fill([count], False))
        schedule, layers = Schedule(config), {weight.layer for weight in optimizer.weights}
        return cls(
            Diagnostics(strategy, model, optimizer, images),
            FlatLoss(config.network.num_classes, config.training.flat_loss_steps),
            lambda epoch: {k for k in layers if schedule.rate(k, "kernel", epoch, 0.5) == 0},
            config.training.diagnostics_every_steps,
            step,
        )

    def after(self, epoch: int, step: int, loss: float) -> tuple[dict[str, float], str | None]:
        """Measurements (empty where none are due) and a warning, for steps that ended at `step`."""
        due, self.step = crossed(self.step, step, self.every), step
        values = self.diagnostics.measure(self.frozen(epoch)) if due else {}
        return values, self.flat.observe(step, loss)


def crossed(before: int, after: int, every: int | None) -> bool:
    """Whether a multiple of `every` lies in (before, after]; windows of steps end irregularly."""
    return every is not None and after // every > before // every


def _is_relu(layer: keras.layers.Layer) -> bool:
    return getattr(layer, "activation", None) is keras.activations.relu


def _dead_share(output: tf.Tensor) -> tf.Tensor:
    places = list(range(output.shape.rank - 1))
    return tf.reduce_mean(tf.cast(tf.reduce_all(output <= 0, axis=places), tf.float32))
