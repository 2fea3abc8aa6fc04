"""Chains of element-by-element operations compiled into one pass over memory, by XLA.

Normalization, the input transform and the update are such chains; operation by operation each
would read and write whole activations ten times over. Within `fused`, a function marked as
`fusible` is compiled. Outside it, as in evaluation and in exported models, it is plain TensorFlow,
so that nothing is compiled anew for every batch size.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable

import tensorflow as tf

_thread = threading.local()  # MirroredStrategy traces each replica in a thread of its own


@contextlib.contextmanager
def fused(on: bool = True):
    """Within it, functions marked as fusible are compiled (where `on`)."""
    previous = fusing()
    _thread.on = on
    try:
        yield
    finally:
        _thread.on = previous


def fusing() -> bool:
    """Whether this is within `fused`."""
    return getattr(_thread, "on", False)


def fusible(function: Callable) -> Callable:
    """Marks a function of tensors, of shapes known when it is traced, that keeps no state."""
    compiled = tf.function(function, jit_compile=True, autograph=False)

    @functools.wraps(function)
    def chosen(*args):
        return (compiled if fusing() else function)(*args)

    return chosen
