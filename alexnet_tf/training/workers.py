"""What the workers of a run tell each other besides gradients: stop, and where to go on from."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import tensorflow as tf

from alexnet_tf.training.strategy import Devices


class Workers:
    """Every worker must make the same calls in the same order; a single process answers itself."""

    def __init__(self, devices: Devices):
        self.several = devices.cluster.workers > 1
        self.strategy = devices.strategy

        def first_replicas(value: tf.Tensor) -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            # Others contribute zeros: what remains is the value of the chief's first replica.
            mine = tf.where(context.replica_id_in_sync_group == 0, value, tf.zeros_like(value))
            return context.all_reduce(tf.distribute.ReduceOp.SUM, mine)

        def total(value: tf.Tensor) -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            # An argument has no device yet, which the reduction asks for.
            return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(value))

        self._from_chief = tf.function(
            lambda x: self._on_replicas(first_replicas, x), autograph=False
        )
        self._total = tf.function(lambda x: self._on_replicas(total, x), autograph=False)

    def any(self, condition: bool) -> bool:
        """Whether the condition holds on any worker."""
        if not self.several:
            return condition
        return bool(self._total(tf.constant(int(condition))) > 0)

    def text_from_chief(self, text: str) -> str:
        """The chief's text, on every worker."""
        if not self.several:
            return text
        data = np.frombuffer(text.encode(), np.uint8).astype(np.int32)
        size = int(self._from_chief(tf.constant(len(data))))
        padded = np.zeros(size, np.int32)
        padded[: min(size, len(data))] = data[:size]
        return self._from_chief(tf.constant(padded)).numpy().astype(np.uint8).tobytes().decode()

    def variables_from_chief(self, variables: Iterable[tf.Variable]) -> None:
        """Sets every worker's variables to the chief's."""
        if self.several:
            for variable in variables:
                variable.assign(self._from_chief(tf.convert_to_tensor(variable)))

    def _on_replicas(self, function: Callable, value: tf.Tensor) -> tf.Tensor:
        results = self.strategy.run(function, args=(value,))
        return self.strategy.experimental_local_results(results)[0]
