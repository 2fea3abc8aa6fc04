"""The update of 2012 in float64 NumPy, over weights keyed ``f"{layer}{tower}/kernel"``, ``/bias``.

For a weight w with learning rate lr, momentum m, weight decay wd and mean gradient g

    v <- m v - wd lr w - lr g,    w <- w + v

The rate sits inside the velocity: after a drop, the old velocity still counts in full. Biases do
not decay. A rate of 0 freezes: neither the weight nor its velocity changes.
"""

from collections.abc import Iterable, Mapping

import numpy as np

Weights = dict[str, np.ndarray]


def learning_rates(
    keys: Iterable[str],
    weight: float,
    bias: float,
    layers: Mapping[str, tuple[float, float]] | None = None,
) -> dict[str, float]:
    """The rate of every key: ``weight`` for kernels, ``bias`` for biases.

    ``layers`` gives a layer, in both towers, its own pair, as ``{"conv1": (1e-5, 0.02)}``.
    """
    rates = {}
    for key in keys:
        name, kind = key.split("/")
        pair = (layers or {}).get(name.split("_")[0], (weight, bias))
        rates[key] = pair[0] if kind == "kernel" else pair[1]
    return rates


def zero_velocity(weights: Weights) -> Weights:
    return {key: np.zeros_like(w, np.float64) for key, w in weights.items()}


def momentum_update(
    weights: Weights,
    velocity: Weights,
    gradients: Weights,
    rates: Mapping[str, float],
    momentum: float = 0.9,
    decay: float = 0.0005,
) -> tuple[Weights, Weights]:
    """The new weights and velocity; what is given stays as it is.

    Args:
      gradients: means over the batch, without weight decay.
      rates: the learning rate of every key (``learning_rates``).
    """
    new_weights, new_velocity = {}, {}
    for key, w in weights.items():
        w, v, g, rate = np.asarray(w, np.float64), velocity[key], gradients[key], rates[key]
        if rate == 0:
            new_weights[key], new_velocity[key] = w.copy(), np.array(v, np.float64)
            continue
        decayed = decay if key.endswith("/kernel") else 0.0
        new_velocity[key] = momentum * v - decayed * rate * w - rate * g
        new_weights[key] = w + new_velocity[key]
    return new_weights, new_velocity
