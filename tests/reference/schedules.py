"""Learning rates over time: net 145's by hand, the paper's rule, and those of the 2012 code."""

import dataclasses
import math
from collections.abc import Sequence


def piecewise(time: float, boundaries: Sequence[float], values: Sequence[float]) -> float:
    """``values[i]`` from ``boundaries[i - 1]`` (included) to ``boundaries[i]`` (excluded)."""
    return values[sum(time >= boundary for boundary in boundaries)]


@dataclasses.dataclass(frozen=True)
class Stage:
    """What net 145 used during one epoch. The rates are those of weights, but for ``bias``."""

    rate: float
    conv1_rate: float  # 0: frozen, with its bias
    bias_rate: float
    color_noise: float
    stopped: bool


def net_145(epoch: float, restart: bool = False) -> Stage:
    """The 2012 run after so many epochs (from 0). An epoch named in its notes counts from 1, and
    what is noted happens at its start (convnet.py: a new model's epoch is 1).

    The rate falls at 25, 51 and 79; conv1's falls to 1e-5 and color noise ends at 67; conv1 is
    frozen from 72; the run stops at 91. With ``restart`` it goes on from there: 1e-3 and noise
    again, 1e-4 at 107, 1e-5 without noise at 124, until 135; conv1 stays frozen.
    """
    epoch += 1
    rate = piecewise(epoch, (25, 51, 79), (1e-2, 1e-3, 1e-4, 1e-5))
    conv1_rate = piecewise(epoch, (67, 72), (rate, 1e-5, 0.0))
    color_noise = piecewise(epoch, (67,), (0.1, 0.0))
    if restart and epoch >= 91:
        rate = piecewise(epoch, (107, 124), (1e-3, 1e-4, 1e-5))
        color_noise = piecewise(epoch, (124,), (0.1, 0.0))
    return Stage(rate, conv1_rate, 0.02, color_noise, epoch >= (135 if restart else 91))


def plateau(
    errors: Sequence[float],
    base: float,
    patience: int = 1,
    min_delta: float = 0.0,
    factor: float = 10.0,
    drops: int = 3,
) -> tuple[list[float], int | None]:
    """The paper's rule: divide the rate by 10 when the validation error stops improving.

    Returns the rate in force after each evaluation and the index of the evaluation that ends the
    training (the error stopped improving after the last drop), or None. An error improves when it
    is below the best so far by more than ``min_delta``; it has stopped when ``patience``
    evaluations in a row have not improved. A drop resets that count, not the best.
    """
    rates, dropped, idle, best, rate = [], 0, 0, math.inf, base
    finished = None
    for index, error in enumerate(errors):
        idle = 0 if error < best - min_delta else idle + 1
        if idle == 0:
            best = error
        if idle >= patience:
            idle = 0
            if dropped < drops:
                dropped, rate = dropped + 1, rate / factor
            elif finished is None:
                finished = index
        rates.append(rate)
    return rates, finished


def linear(progress: float, base: float, factor: float) -> float:
    """``progress`` runs from 0 to 1, here and below; the last rate is ``base / factor``."""
    return base * (1 - progress) + base / factor * progress


def exp(progress: float, base: float, factor: float) -> float:
    return base * factor**-progress


def _step(progress: float, steps: int) -> int:
    """As src/lr.cu has it: a step still holds at the very moment at which the next begins."""
    return next(i for i in range(steps) if progress <= (i + 1) / steps or i == steps - 1)


def dexp(progress: float, base: float, factor: float, steps: int) -> float:
    """``steps`` equally long steps, at ``base * factor**(-i / (steps - 1))``."""
    return base * factor ** (-_step(progress, steps) / (steps - 1))


def jdexp(progress: float, base: float, factor: float, steps: int) -> float:
    """``dexp``, but within 0.2 < progress < 0.9 the second half of each step after the first runs
    at the geometric mean of that step's rate and the one before."""
    step = _step(progress, steps)
    if step > 0 and 0.2 < progress < 0.9 and progress > (step + 0.5) / steps:
        return base * factor ** (-(step - 0.5) / (steps - 1))
    return base * factor ** (-step / (steps - 1))


def cosine(step: int, steps: int, base: float, warmup: int = 0, final: float = 0.0) -> float:
    """Linear from 0 at step 0 to ``base`` at step ``warmup``, then half a cosine to ``final``."""
    if step < warmup:
        return base * step / warmup
    progress = min(1.0, (step - warmup) / (steps - warmup))
    return final + (base - final) * (1 + math.cos(math.pi * progress)) / 2
