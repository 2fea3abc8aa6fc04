"""The views of an image at test time: its center alone, or nine or ten places over it."""

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
    """One view: the center. Ten: corners, center and their mirror images (paper §4.1; offsets of
    convdata_jpeg.py). Nine: three by three places, not mirrored (CIFAR-10 in 2012's
    convdata_cifar.py and cuda-convnet2; cuda-convnet had the ten).

    Raises ValueError for another count.
    """
    far = image_size - input_size
    center = far // 2
    if count == 1:
        return (View(center, center, False),)
    if count == 9:
        return tuple(View(y, x, False) for y in (0, center, far) for x in (0, center, far))
    if count != 10:
        raise ValueError(f"expected 1, 9 or 10 views, received {count}")
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


def looped_mean_probabilities(
    model: keras.Model, transform: InputTransform, images: tf.Tensor, chosen: tuple[View, ...]
) -> tf.Tensor:
    """The same by a loop: a graph with the network in it once, however many views there are."""
    size, batch = transform.size, tf.shape(images)[0]
    corners = tf.constant([[view.y, view.x] for view in chosen], tf.int32)
    mirrored = tf.constant([view.mirrored for view in chosen])

    def add(number: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        y, x = corners[number, 0], corners[number, 1]
        crops = tf.ensure_shape(images[:, y : y + size, x : x + size], [None, size, size, 3])
        offsets = tf.tile(corners[number][None], [batch, 1])
        seen = transform.centered(crops, offsets, tf.fill([batch], mirrored[number]))
        return number + 1, total + tf.nn.softmax(model(seen, training=False))

    classes = model.output_shape[-1]
    _, total = tf.while_loop(
        lambda number, _: number < len(chosen),
        add,
        (tf.constant(0), tf.zeros([batch, classes])),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, classes])),
        parallel_iterations=1,
    )
    return total / len(chosen)
