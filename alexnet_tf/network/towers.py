"""Placement of the two towers: which device computes a layer and holds its weights.

In 2012 each GPU held one tower and the GPUs exchanged activations at a few layers only. Here every
layer knows its tower; a `Placement` maps towers to devices, one pair of devices for each local
replica, so that the split composes with tf.distribute (every replica is a pair).

Operations are placed with `tf.device` while a replica's part of the step is traced. Variables are
created once, before there are replicas: a creator scope tells MirroredStrategy to put the copies on
the tower's device of each replica instead of on each replica's own device.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from alexnet_tf import step_context
from alexnet_tf.compat import dtype_by_name, register
from alexnet_tf.network import layers, local, pooling
from alexnet_tf.network.layers import Shape


class _Devices:
    """What MirroredStrategy reads from `colocate_with`: the devices for a variable's copies."""

    def __init__(self, devices: tuple[str, ...]):
        self._devices = devices


@dataclass(frozen=True)
class Placement:
    """Full device names, `pairs[local replica] = (device of tower a, device of tower b)`."""

    pairs: tuple[tuple[str, str], ...]

    def _device(self, tower: str, replica: int) -> str:
        return self.pairs[replica % len(self.pairs)][1 if tower == "b" else 0]

    def variables(self, tower: str) -> AbstractContextManager:
        """A context in which new variables live on the tower's devices."""
        devices = _Devices(tuple(self._device(tower, i) for i in range(len(self.pairs))))

        def create(next_creator: Callable, **kwargs: Any) -> tf.Variable:
            return next_creator(**{**kwargs, "colocate_with": devices})

        return tf.variable_creator_scope(create)

    def operations(self, tower: str) -> AbstractContextManager:
        """Inside a replica: a context that puts operations on that replica's device."""
        # Replicas are numbered over all workers; all have equally many.
        replica = tf.get_static_value(tf.distribute.get_replica_context().replica_id_in_sync_group)
        return tf.device(self._device(tower, replica))

    def scope(self, tower: str) -> AbstractContextManager:
        if tf.distribute.in_cross_replica_context():
            return self.variables(tower)
        return self.operations(tower)


class OnTower:
    """Mixin: a layer of one tower ("a", "b", or "" where there is one tower only)."""

    def __init__(
        self, *args: Any, tower: str = "", placement: Placement | None = None, **kwargs: Any
    ):
        super().__init__(*args, **kwargs)
        self.tower = tower
        self.placement = placement  # of this process, so never part of the saved configuration

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        scope = self.placement.scope(self.tower) if self.placement else contextlib.nullcontext()
        with scope:
            return super().__call__(*args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "tower": self.tower}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> OnTower:
        return super().from_config(dtype_by_name(config))


def _on_tower(base: type) -> type:
    """The Keras layer `base` as a layer of a tower, saved under the name Tower…"""
    return register(type(f"Tower{base.__name__}", (OnTower, base), {"__doc__": base.__doc__}))


@register
class TowerInput(OnTower, keras.layers.Layer):
    """The network's input as a tower reads it: its own copy where the step context has one."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        copies = step_context.current().tower_inputs
        return copies[self.tower] if copies else tf.identity(x)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


@tf.custom_gradient
def _leaving(x: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """The identity, whose gradient too is an operation on the same device.

    So all gradients of a tower's maps come back to its own device, and are added up there.
    """
    return tf.identity(x), tf.identity


@register
class CrossTalk(OnTower, keras.layers.Layer):
    """Joins the maps of towers a and b, given in that order, on the device of `tower`."""

    def call(self, maps: list[tf.Tensor]) -> tf.Tensor:
        if self.placement and not tf.distribute.in_cross_replica_context():
            maps = [self._sent(x, source) for x, source in zip(maps, "ab", strict=True)]
        return tf.concat(maps, axis=-1)

    def _sent(self, x: tf.Tensor, source: str) -> tf.Tensor:
        if source == self.tower:
            return x
        with self.placement.operations(source):
            return _leaving(x)

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        return (*input_shape[0][:-1], sum(shape[-1] for shape in input_shape))


Activation = _on_tower(keras.layers.Activation)
AveragePooling2D = _on_tower(keras.layers.AveragePooling2D)
Conv2D = _on_tower(keras.layers.Conv2D)
Dense = _on_tower(keras.layers.Dense)
Flatten = _on_tower(keras.layers.Flatten)
AllTiesMaxPooling2D = _on_tower(pooling.AllTiesMaxPooling2D)
LocallyConnected2D = _on_tower(local.LocallyConnected2D)
MaxPooling2D = _on_tower(keras.layers.MaxPooling2D)
ZeroPadding2D = _on_tower(keras.layers.ZeroPadding2D)
Dropout = _on_tower(layers.Dropout)
LocalResponseNormalization = _on_tower(layers.LocalResponseNormalization)
SpatialResponseNormalization = _on_tower(layers.SpatialResponseNormalization)


@register
class OwnMaps(OnTower, keras.layers.Layer):
    """A tower's half of joined maps: the first for tower a, the second for tower b."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        half = x.shape[-1] // 2
        return x[..., half:] if self.tower == "b" else x[..., :half]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], input_shape[-1] // 2)
