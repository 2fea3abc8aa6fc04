"""Weights of the networks in an ensemble, searched where their log-loss is lowest."""

from __future__ import annotations

import numpy as np


def best_weights(true_class: np.ndarray, steps: int = 1000, tolerance: float = 1e-9) -> np.ndarray:
    """The weights w ≥ 0, Σ w = 1, that minimize −Σ log(Σ w_m·p_m) over images.

    Expectation-maximization for the shares of a mixture: w_m ← mean of w_m·p_m / Σ w·p. The loss is
    convex in w and falls with every step.

    Args:
        true_class: float [networks, images], each network's probability of an image's class.
        steps: at most; it ends when no weight moves by more than `tolerance`.
    Returns:
        float64 [networks].
    Raises:
        ValueError: no images, or numbers outside [0, 1].
    """
    given = np.asarray(true_class, np.float64)
    if given.ndim != 2 or not given.size or not (given.min() >= 0 and given.max() <= 1):
        raise ValueError(f"expected probabilities [networks, images]. Received: {given.shape}")
    given = np.maximum(given, 1e-37)
    weights = np.full(len(given), 1 / len(given))
    for _ in range(steps):
        shares = weights[:, None] * given
        following = (shares / shares.sum(axis=0)).mean(axis=1)
        moved = np.abs(following - weights).max()
        weights = following
        if moved <= tolerance:
            break
    return weights


def average(probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """float32 [n, classes]: [networks, n, classes] averaged with weights that need not add to 1."""
    weights = np.asarray(weights, np.float64)
    weights = weights / weights.max()  # first, as the sum of the largest numbers is none
    return np.einsum("m,mnc->nc", weights / weights.sum(), probabilities).astype(np.float32)
