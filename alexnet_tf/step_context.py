"""What layers and functions know of the step that is being traced around them.

Outside a training step, as in evaluation and in exported models, nothing is set: functions are
plain TensorFlow, so that nothing is compiled anew for every batch size, dropout draws as it likes,
and both towers read the model's input.

    with step_context.using(fused=True, dropout=DropoutRows(seed, rows, batch)):
        logits = model(images, training=True)
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class DropoutRows:
    """Makes masks depend only on `seed` and on each example's row in the global batch.

    So a step gives the same masks however the batch is spread over replicas, and again after a
    resume. seed: int32 [2]; rows: int32 [n], the batch's rows in 0 … global_batch_size − 1.
    """

    seed: tf.Tensor
    rows: tf.Tensor
    global_batch_size: int


@dataclasses.dataclass(frozen=True)
class StepContext:
    """fused: functions marked as `fusible` are compiled, by XLA.

    dropout: of what masks are drawn; None: of TensorFlow's own generator.
    tower_inputs: each tower's copy of the network's input, made on its own device. Otherwise the
    input goes from tower a's device to tower b's as floats: more than all activations together.
    """

    fused: bool = False
    dropout: DropoutRows | None = None
    tower_inputs: Mapping[str, tf.Tensor] | None = None


_NONE = StepContext()
_thread = threading.local()  # MirroredStrategy traces each replica in a thread of its own


def current() -> StepContext:
    """The context of this thread."""
    return getattr(_thread, "context", _NONE)


@contextlib.contextmanager
def using(**changes: Any) -> Iterator[None]:
    """Within it, the named fields of StepContext have other values, the rest what they had."""
    before = current()
    _thread.context = dataclasses.replace(before, **changes)
    try:
        yield
    finally:
        _thread.context = before


def fusible(function: Callable) -> Callable:
    """Marks a chain of element-by-element operations that may become one pass over memory.

    Normalization, the input transform and the update are such chains; operation by operation each
    would read and write whole activations ten times over. The function takes tensors, of shapes
    known when it is traced, and keeps no state.
    """
    compiled = tf.function(function, jit_compile=True, autograph=False)

    @functools.wraps(function)
    def plain_or_compiled(*args: Any) -> Any:
        return (compiled if current().fused else function)(*args)

    return plain_or_compiled
