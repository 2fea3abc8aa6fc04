"""On the device: uint8 crops to network input — flip, mean, color noise."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from alexnet_tf.config.schema import DataConfig
from alexnet_tf.step_context import fusible
from preprocessing.dataset.info import ColorStatistics


class InputTransform:
    """What happens to pixels between the host's uint8 crop and the first layer.

    Args:
        mean_image: float32 [N, N, 3], the training split's mean, RGB in grey levels 0…255.
        color: its color statistics.
        config: which mean, and how color noise is applied.
        input_size: S, the side of a crop.
    """

    def __init__(
        self, mean_image: np.ndarray, color: ColorStatistics, config: DataConfig, input_size: int
    ):
        self.config, self.size = config, input_size
        self.margin = (mean_image.shape[0] - input_size) // 2
        self.mean_image = mean_image.astype(np.float32)
        center = slice(self.margin, self.margin + input_size)
        self.fixed_mean = {
            "center": self.mean_image[center, center],
            "channel": np.asarray(config.mean_rgb or color.mean_rgb, np.float32),
            "none": np.zeros(3, np.float32),
        }.get(config.mean)
        self._training = fusible(self._transformed)
        # Columns of the eigenvector matrix times standard deviations (never eigenvalues).
        self.color_basis = np.asarray(color.eigenvectors, np.float32) * np.asarray(
            color.stddevs, np.float32
        )

    def training(self, batch: dict[str, tf.Tensor], noise_coefficient: tf.Tensor) -> tf.Tensor:
        """float32 [b, S, S, 3] of a training batch (see `data.reader`)."""
        columns = (batch[name] for name in ("image", "offset", "flip", "noise"))
        return self._training(*columns, noise_coefficient)

    def _transformed(
        self,
        crops: tf.Tensor,
        offsets: tf.Tensor,
        flip: tf.Tensor,
        noise: tf.Tensor,
        coefficient: tf.Tensor,
    ) -> tf.Tensor:
        x = self.centered(crops, offsets, flip)
        shift = tf.reduce_sum(noise[:, None, :] * self.color_basis, axis=2)
        x = x + coefficient * shift[:, None, None, :]
        return x / (1.0 + coefficient) if self.config.color_noise.divide else x

    def centered(self, crops: tf.Tensor, offsets: tf.Tensor, flip: tf.Tensor) -> tf.Tensor:
        """Crops minus the mean, mirrored where `flip`.

        As in 2012 a fixed mean is never mirrored; a mean taken under the crop belongs to its
        pixels, and is mirrored with them. Args: uint8 [b, S, S, 3], int32 [b, 2], bool [b].
        """
        if self.fixed_mean is not None:
            return tf.cast(_mirrored(crops, flip), tf.float32) - self.fixed_mean
        return _mirrored(tf.cast(crops, tf.float32) - self._mean_under(offsets), flip)

    def _mean_under(self, offsets: tf.Tensor) -> tf.Tensor:
        span = tf.range(self.size)
        rows = tf.gather(self.mean_image, offsets[:, 0, None] + span)  # [b, S, N, 3]
        return tf.gather(rows, offsets[:, 1, None] + span, axis=2, batch_dims=1)


def _mirrored(x: tf.Tensor, flip: tf.Tensor) -> tf.Tensor:
    return tf.where(flip[:, None, None, None], tf.reverse(x, [2]), x)
