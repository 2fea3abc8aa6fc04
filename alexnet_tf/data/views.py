"""The views of an image at test time: its center, or corners, center and their mirror images."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import tensorflow as tf

from alexnet_tf.data.augment import InputTransform


@dataclass(frozen=True)
class View:
    """A crop's top-left corner in the image, and whether it is mirrored."""

    y: int
    x: int
    mirrored: bool


def views(image_size: int, input_size: int, count: int) -> tuple[View, ...]:
    """One view (the center) or ten (paper §4.1; offsets of convdata_jpeg.py).

    Raises ValueError for another count.
    """
    far = image_size - input_size
    center = far // 2
    if count == 1:
        return (View(center, center, False),)
    if count != 10:
        raise ValueError(f"expected 1 or 10 views, received {count}")
    corners = ((0, 0), (0, far), (center, center), (far, 0), (far, far))
    return tuple(View(y, x, mirrored) for mirrored in (False, True) for y, x in corners)


def view_input(transform: InputTransform, images: tf.Tensor, view: View) -> tf.Tensor:
    """The network's input, float32 [b, S, S, 3], of one view of uint8 images [b, N, N, 3].

    Images of side S are taken for the view's crop, cut already.
    """
    size, batch = transform.size, tf.shape(images)[0]
    if images.shape[1] != size:
        images = images[:, view.y : view.y + size, view.x : view.x + size]
    offsets = tf.tile([[view.y, view.x]], [batch, 1])
    return transform.centered(images, offsets, tf.fill([batch], view.mirrored))


def mean_probabilities(
    model: keras.Model, transform: InputTransform, images: tf.Tensor, chosen: tuple[View, ...]
) -> tf.Tensor:
    """Softmax averaged over views: float32 [b, classes] of uint8 images [b, N, N, 3]."""
    logits = (model(view_input(transform, images, view), training=False) for view in chosen)
    return tf.add_n([tf.nn.softmax(each) for each in logits]) / len(chosen)
