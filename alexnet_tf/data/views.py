"""The views of a picture at test time: its center, or corners, center and their mirror images."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from alexnet_tf.data.augment import InputTransform


@dataclass(frozen=True)
class View:
    """A crop's top-left corner in the picture, and whether it is mirrored."""

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


def mean_probabilities(
    model, transform: InputTransform, pictures: tf.Tensor, chosen: tuple[View, ...]
) -> tf.Tensor:
    """Softmax averaged over views: float32 [b, classes] of uint8 pictures [b, N, N, 3].

    One view may also be given pictures that are its crop already (side S).
    """
    size, batch = transform.size, tf.shape(pictures)[0]
    total = 0.0
    for view in chosen:
        crop = pictures
        if pictures.shape[1] != size:
            crop = pictures[:, view.y : view.y + size, view.x : view.x + size]
        offsets = tf.tile([[view.y, view.x]], [batch, 1])
        x = transform.centered(crop, offsets, tf.fill([batch], view.mirrored))
        total += tf.nn.softmax(model(x, training=False))
    return total / len(chosen)
