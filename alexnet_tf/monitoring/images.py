"""The images and tables that TensorBoard shows of a training, at the ends of epochs.

They cost a bounded number of images (config section `monitoring`), whatever the dataset.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from alexnet_tf.data import reader
from alexnet_tf.data.split import Share, Split
from alexnet_tf.data.training_data import TrainingData
from alexnet_tf.evaluation.error_counts import ErrorCounts
from alexnet_tf.evaluation.image_features import FeatureExtractor, ImageFeatures
from alexnet_tf.evaluation.predictions import Network
from alexnet_tf.evaluation.report import class_table
from alexnet_tf.figures.tiles import figure_3, tile
from alexnet_tf.monitoring import projector
from alexnet_tf.monitoring.tensorboard import EventFiles
from alexnet_tf.network.weights import first_kernels, weights_of
from alexnet_tf.runs.directory import Run
from alexnet_tf.training.schedule import Schedule

WORST = 10  # classes in the table


class TrainingImages:
    """Writes kernels, histograms, the confusion matrix and the worst classes every so many epochs;
    the first time also augmented training images, and after the last epoch features.

    Args:
        network: the model in training and its input transform.
        data: what is trained and validated on.
    """

    def __init__(self, run: Run, network: Network, events: EventFiles, data: TrainingData):
        self.run, self.network, self.events, self.data = run, network, events, data
        self.settings = run.config.monitoring
        self.sampled = False
        self.names = [name.text for name in run.info.classes]
        self.extractor = FeatureExtractor(network, run.config.network, run.info.image_size)

    def epoch(self, epoch: int, step: int, stopping: Callable[[], bool]) -> None:
        """After `epoch` (from 0), when `step` steps are done.

        What is not begun when `stopping` says that the run is to end is left out.
        """
        every, last = self.settings.every_epochs, epoch + 1 == self.run.config.training.epochs
        if not every or ((epoch + 1) % every and not last):
            return
        if stopping():
            return
        model = self.network[0]
        self.events.image("train", "first layer", figure_3(first_kernels(model), factor=4), step)
        self.events.histograms(weights_of(model), step)
        if self.settings.samples and not self.sampled:
            self.sampled = True
            split = self.data.trained_on(epoch)
            sheet = _training_sheet(self.run, self.network, split, epoch, self.settings.samples)
            self.events.image("train", "augmented training images", sheet, step)
        projected = self.settings.projector if last else 0
        limit = max(self.settings.answers, projected)
        validated = self.data.validated_on(epoch)
        if validated and limit and not stopping():
            seen = self.extractor.extract(validated, limit, projector.THUMBNAIL, stopping=stopping)
            if not stopping():
                self._predictions(seen, step)
                self._projector(seen, projected)
        self.events.flush()

    def _predictions(self, seen: ImageFeatures, step: int) -> None:
        if not self.settings.answers:
            return
        # matplotlib, which a training's first step need not wait for.
        from alexnet_tf.figures.classes import confusion_matrix
        from alexnet_tf.figures.page import pixels, style

        counts, shown = ErrorCounts(len(self.names)), slice(self.settings.answers)
        counts.add(seen.labels[shown], seen.probabilities[shown])
        with style():
            matrix = pixels(confusion_matrix(counts.confusion, self.names))
        self.events.image("validation", "confusion matrix", matrix, step)
        table = class_table(counts.worst_classes(WORST), self.names)
        self.events.text("validation", "worst classes", table, step)

    def _projector(self, seen: ImageFeatures, count: int) -> None:
        if not count:
            return
        classes, shown = self.run.info.classes, slice(count)
        predicted = seen.probabilities.argmax(axis=1)
        rows = [
            (classes[label].text, classes[label].synset, classes[prediction].text)
            for label, prediction in zip(seen.labels[shown], predicted[shown], strict=True)
        ]
        directory = self.events.directory / "validation"
        projector.write(directory, seen.features[shown], rows, seen.images[shown])


def _training_sheet(run: Run, network: Network, split: Split, epoch: int, count: int) -> np.ndarray:
    """uint8 sheet of an epoch's training images as the network sees them, the mean added back."""
    data = run.config.data.model_copy(update={"shuffle_buffer": 4 * count})
    share = Share(count)
    size, seed = run.config.network.input_size, run.config.training.seed
    batches = reader.training_batches(split, data, size, share, seed, (epoch, 0))
    batch = next(iter(batches))
    transform = network[1]
    blank = tf.zeros_like(batch["image"])
    noise = Schedule(run.config).noise_coefficient(epoch)
    seen = transform.training(batch, tf.constant(noise, tf.float32))
    mean = -transform.centered(blank, batch["offset"], batch["flip"])
    real = batch["weight"].numpy() > 0
    shown = np.clip(np.round((seen + mean).numpy()[real]), 0, 255).astype(np.uint8)
    return tile(shown, columns=int(np.ceil(np.sqrt(len(shown)))), gap=4)
