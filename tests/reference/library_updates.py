"""Updates of other optimizers in float64 NumPy, of one weight; see the papers named.

Each takes the state of one weight (a dict, "w" its value) and gives the state after one update.
"""

import numpy as np

from tests.reference.update import momentum_update

State = dict[str, np.ndarray]


def begin(w: np.ndarray) -> State:
    """Before the first update: no moments, averages and slow weights at the weight itself."""
    w = np.asarray(w, np.float64)
    zero = np.zeros_like(w)
    return {"w": w, "v": zero, "first": zero, "second": zero, "slow": w, "average": w, "t": 0}


def momentum(state: State, g: np.ndarray, rate: float, momentum: float, decay: float) -> State:
    """The paper's: decay through the velocity, the rate inside it."""
    w, v = momentum_update(
        {"kernel/kernel": state["w"]},
        {"kernel/kernel": state["v"]},
        {"kernel/kernel": np.asarray(g, np.float64)},
        {"kernel/kernel": rate},
        momentum,
        decay,
    )
    return {**state, "w": w["kernel/kernel"], "v": v["kernel/kernel"], "t": state["t"] + 1}


def sgdw(state: State, g: np.ndarray, rate: float, momentum: float, decay: float) -> State:
    """arXiv:1711.05101, algorithm 1, whose schedule multiplier is the rate here."""
    v = momentum * state["v"] - rate * np.asarray(g, np.float64)
    return {**state, "w": state["w"] * (1 - decay * rate) + v, "v": v, "t": state["t"] + 1}


def lamb(
    state: State, g: np.ndarray, rate: float, betas=(0.9, 0.999), epsilon=1e-6, decay=0.0, inside=()
) -> State:
    """arXiv:1904.00962, algorithm 2; decay `inside` the trust ratio as there, or before all."""
    g, t = np.asarray(g, np.float64), state["t"] + 1
    first = betas[0] * state["first"] + (1 - betas[0]) * g
    second = betas[1] * state["second"] + (1 - betas[1]) * g**2
    w = state["w"] if inside else state["w"] - decay * rate * state["w"]
    direction = first / (1 - betas[0] ** t) / (np.sqrt(second / (1 - betas[1] ** t)) + epsilon)
    if inside:
        direction = direction + decay * w
    norms = np.linalg.norm(w), np.linalg.norm(direction)
    ratio = norms[0] / norms[1] if min(norms) > 0 else 1.0
    return {**state, "w": w - rate * ratio * direction, "first": first, "second": second, "t": t}


def lookahead(
    state: State, g, rate: float, mass: float, decay: float, period: int, size: float
) -> State:
    """arXiv:1907.08610, algorithm 1, around the momentum update."""
    state = momentum(state, g, rate, mass, decay)
    if state["t"] % period:
        return state
    slow = state["slow"] + size * (state["w"] - state["slow"])
    return {**state, "w": slow, "slow": slow}


def moving_average(state: State, g, rate: float, mass: float, decay: float, keep: float) -> State:
    """The momentum update, and a running mean of its weights that begins at the first."""
    state = momentum(state, g, rate, mass, decay)
    keep = 0.0 if state["t"] == 1 else keep
    return {**state, "average": keep * state["average"] + (1 - keep) * state["w"]}
