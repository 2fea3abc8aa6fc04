"""Gradients summed over all replicas, each on the devices of its weight."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import tensorflow as tf
from tensorflow.python.distribute import cross_device_ops

from alexnet_tf.network.weights import Weight


class GradientSum:
    """Sums per-replica gradients tower by tower, so that none leaves its tower's devices.

    tf.distribute reduces gradients on the replicas' own devices only, so that tower b's would
    travel there and back. Tower b therefore gets collectives of its own, of TensorFlow's making.
    """

    def __init__(self, strategy: tf.distribute.Strategy, weights: Sequence[Weight]):
        self.strategy = strategy
        self.reducers = {}
        for weight in weights:
            devices = self._devices(weight)
            if devices not in self.reducers:
                self.reducers[devices] = self._reducer(devices)

    def __call__(self, weights: Sequence[Weight], gradients: Sequence) -> list:
        """In cross-replica context: the sums, in the same order."""
        groups = defaultdict(list)
        for number, weight in enumerate(weights):
            groups[self._devices(weight)].append(number)
        sums = [None] * len(weights)
        for devices, numbers in groups.items():
            pairs = [(gradients[i], weights[i].variable) for i in numbers]
            summed = self.reducers[devices](tf.distribute.ReduceOp.SUM, pairs)
            for i, value in zip(numbers, summed, strict=True):
                sums[i] = value
        return sums

    def _devices(self, weight: Weight) -> tuple[str, ...]:
        local = self.strategy.experimental_local_results(weight.variable)
        return tuple(variable.device for variable in local)

    def _reducer(self, devices: tuple[str, ...]):
        extended = self.strategy.extended
        if set(devices) == set(extended.worker_devices) or self.strategy.num_replicas_in_sync == 1:
            return extended.batch_reduce_to
        # The keys must come from the strategy's own store, or collectives would be mistaken.
        return cross_device_ops.CollectiveAllReduce(
            devices,
            self.strategy.num_replicas_in_sync,
            extended._communication_options,
            extended._collective_keys,
        ).batch_reduce
