"""Weights of the networks in an ensemble, searched where their log-loss is lowest."""

from __future__ import annotations

import numpy as np


def best_weights(own: np.ndarray, steps: int = 1000, tolerance: float = 1e-9) -> np.ndarray:
    """The weights w ≥ 0, Σ w = 1, that minimize −Σ log(Σ w_m·p_m) over images.

    Expectation-maximization for the shares of a mixture: w_m ← mean of w_m·p_m / Σ w·p. The loss is
    convex in w and falls with every step.

    Args:
        own: float [networks, images], what each network gives to an image's true class.
        steps: at most; it ends when no weight moves by more than `tolerance`.
    Returns:
        float64 [networks].
    Raises:
        ValueError: no images, or numbers outside [0, 1].
    """
    own = np.asarray(own, np.float64)
    if own.ndim != 2 or not own.size or not (own.min() >= 0 and own.max() <= 1):
        raise ValueError(f"expected probabilities [networks, images]. Received: {own.shape}")
    own = np.maximum(own, 1e-37)
    weights = np.full(len(own), 1 / len(own))
    for _ in range(steps):
        parts = weights[:, None] * own
        following = (parts / parts.sum(axis=0)).mean(axis=1)
        moved = np.abs(following - weights).max()
        weights = following
        if moved <= tolerance:
            break
    return weights


def average(probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """float32 [n, classes]: [networks, n, classes] averaged with weights that need not add to 1."""
    weights = np.asarray(weights, np.float64)
    return np.einsum("m,mnc->nc", weights / weights.sum(), probabilities).astype(np.float32)
