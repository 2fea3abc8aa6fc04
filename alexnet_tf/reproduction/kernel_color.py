"""How colored a tower's first-layer kernels are, and whether two towers differ in it by chance.

A kernel w has at each place a weight for red, green and blue. Its grey part has their mean in place
of all three; the rest is color, and as the two are at right angles their energies add up:
‖w‖² = ‖grey‖² + ‖w − grey‖². A kernel that takes the same of the three colors has no color, one
that subtracts one from another nothing else; of independent random weights it is 2/3 of the energy.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from alexnet_tf.network.operations import Settings

DIVISIONS = 9_999  # at random, with which a run's own is compared


class Kernels(Settings):
    """A tower's first layer, kernel by kernel: its energy, and how much of that is color."""

    energy: tuple[float, ...]
    color: tuple[float, ...]


def kernels_of(weights: np.ndarray) -> Kernels:
    """Of a convolution's kernels [height, width, 3, units]. Numbers to six digits.

    Raises ValueError: not of three channels.
    """
    w = np.asarray(weights, np.float64)
    if w.ndim != 4 or w.shape[2] != 3:
        raise ValueError(f"expected kernels [height, width, 3, units], received {w.shape}")
    color = w - w.mean(axis=2, keepdims=True)
    energies = ((part**2).sum(axis=(0, 1, 2)) for part in (w, color))
    energy, colored = ([float(f"{number:.6g}") for number in row] for row in energies)
    return Kernels(energy=energy, color=colored)


def color_share(tower: Kernels) -> float:
    """Of all its kernels' energy together: a kernel that has stayed as small as it was drawn, and
    is as colored as chance makes it, hardly counts. 0 where there is no energy at all."""
    total = sum(tower.energy)
    return sum(tower.color) / total if total else 0.0


def difference(towers: Sequence[Kernels]) -> float:
    """Between the color shares of two towers."""
    first, second = map(color_share, towers)
    return abs(first - second)


def chance(towers: Sequence[Kernels], seed: int = 0) -> float:
    """How often the same kernels, dealt to two towers of the same sizes at random, differ as much.

    A permutation test: of DIVISIONS at random, and the towers as they are.
    """
    energy, color = (
        np.concatenate([getattr(tower, name) for tower in towers]) for name in ("energy", "color")
    )
    rng, first = np.random.default_rng(seed), len(towers[0].energy)
    order = rng.permuted(np.tile(np.arange(len(energy)), (DIVISIONS, 1)), axis=1)
    parts = np.split(order, [first], axis=1)
    shares = [color[part].sum(axis=1) / energy[part].sum(axis=1) for part in parts]
    as_much = np.abs(shares[0] - shares[1]) >= difference(towers) * (1 - 1e-12)
    return (1 + int(as_much.sum())) / (1 + DIVISIONS)
