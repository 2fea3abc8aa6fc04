"""Where Keras' "same" padding is what a row asks for, and where zeros must be padded before it."""

from __future__ import annotations

from alexnet_tf.network.operations import Pool
from alexnet_tf.network.structure import Conv


def zeros_before(layer: Conv) -> tuple[int, int] | None:
    """Zeros to pad above and left, below and right; None where the convolution pads by itself."""
    return None if layer.pad == (0, 0) or _is_same(layer) else layer.pad


def of_convolution(layer: Conv) -> str:
    return "same" if layer.pad != (0, 0) and _is_same(layer) else "valid"


def of_pool(side: int, pool: Pool) -> str:
    """Where the last window hangs over the edge, TensorFlow's "same" pads just that overhang."""
    overhangs = (side - pool.size) % pool.stride != 0 or side < pool.size
    return "same" if overhangs else "valid"


def _is_same(layer: Conv) -> bool:
    return layer.stride == 1 and layer.pad == ((layer.kernel - 1) // 2, layer.kernel // 2)
