"""cuda-convnet's five CIFAR-10 networks in float64 NumPy, written out operation by operation.

Facts: its example layer and parameter files, and layers-conv-local-11pct.cfg. Weights are keyed
``"conv1/kernel"``; a local layer's kernel is ``[rows, columns, size * size * maps, maps]``.
"""

import numpy as np

from tests.reference import layers as ops
from tests.reference import norms

SIZE = {"cifar-80sec": 32, "cifar-19pct": 32, "cifar-18pct": 32, "cifar-13pct": 24}
SIZE["cifar-11pct"] = 24
RNORM = (3, 5e-5 / 9, 1.0, 0.75)  # size, alpha, k, beta
CMRNORM = (9, 1e-3 / 9, 1.0, 0.75)
# (layer, maps or units), or the name of what follows.
NETS = {
    "cifar-80sec": (
        *(("conv1", 32), "max", "relu"),
        *(("conv2", 32), "relu", "average"),
        *(("conv3", 64), "relu", "average"),
        *(("fc64", 64), "relu"),
        ("fc10", 10),
    ),
    "cifar-19pct": (
        *(("conv1", 32), "max", "relu"),
        *(("conv2", 32), "relu", "average"),
        *(("conv3", 64), "relu", "average"),
        ("fc10", 10),
    ),
    "cifar-18pct": (
        *(("conv1", 32), "max", "relu", "rnorm"),
        *(("conv2", 32), "relu", "average", "rnorm"),
        *(("conv3", 64), "relu", "average"),
        ("fc10", 10),
    ),
    "cifar-13pct": (
        *(("conv1", 64), "relu", "max"),
        *(("conv2", 64), "relu", "max"),
        *(("local3", 32), "relu"),
        *(("local4", 32), "relu"),
        ("fc10", 10),
    ),
    "cifar-11pct": (
        *(("conv1", 64), "relu", "max", "cmrnorm"),
        *(("conv2", 64), "relu", "cmrnorm", "max"),
        *(("local3", 64), "relu"),
        *(("local4", 32), "relu"),
        ("fc10", 10),
    ),
}
KERNEL, PADDING = {"conv": 5, "local": 3}, {"conv": 2, "local": 1}  # stride 1: sizes stay
STDS_AND_DECAYS = {  # initW, wc
    "cifar-80sec": {
        "conv1": (1e-4, 0.004),
        "conv2": (0.01, 0.004),
        "conv3": (0.01, 0.004),
        "fc64": (0.1, 0.03),
        "fc10": (0.1, 0.03),
    },
    "cifar-19pct": {
        "conv1": (1e-4, 0.004),
        "conv2": (0.01, 0.004),
        "conv3": (0.01, 0.004),
        "fc10": (0.01, 3.0),
    },
    "cifar-18pct": {
        "conv1": (1e-4, 0.004),
        "conv2": (0.01, 0.004),
        "conv3": (0.01, 0.004),
        "fc10": (0.01, 1.0),
    },
    "cifar-13pct": {
        "conv1": (1e-4, 0.0),
        "conv2": (0.01, 0.0),
        "local3": (0.04, 0.004),
        "local4": (0.04, 0.004),
        "fc10": (0.01, 0.004),
    },
    "cifar-11pct": {
        "conv1": (1e-4, 0.0),
        "conv2": (0.01, 0.0),
        "local3": (0.04, 0.004),
        "local4": (0.04, 0.004),
        "fc10": (0.01, 0.01),
    },
}


def average_pool(x: np.ndarray, size: int = 3, stride: int = 2) -> np.ndarray:
    """The mean of those of a window's pixels that lie in the map; windows may hang over."""
    y = np.zeros_like(ops.max_pool(x, size, stride))
    for i, j in np.ndindex(*y.shape[1:3]):
        window = x[:, i * stride : i * stride + size, j * stride : j * stride + size]
        y[:, i, j] = window.mean(axis=(1, 2))
    return y


def average_pool_backward(g: np.ndarray, x: np.ndarray, size: int = 3, stride: int = 2):
    dx = np.zeros_like(x)
    for i, j in np.ndindex(*g.shape[1:3]):
        window = dx[:, i * stride : i * stride + size, j * stride : j * stride + size]
        window += g[:, i, None, j, None] / (window.shape[1] * window.shape[2])
    return dx


def local2d(x, kernel, bias, size: int, stride: int, padding: int) -> np.ndarray:
    """At each place the window, row by row with maps last, times the place's own kernel."""
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    y = np.zeros((len(x), *bias.shape), np.result_type(x, kernel, bias))
    for i, j in np.ndindex(*bias.shape[:2]):
        window = padded[:, i * stride : i * stride + size, j * stride : j * stride + size]
        y[:, i, j] = window.reshape(len(x), -1) @ kernel[i, j] + bias[i, j]
    return y


def local2d_backward(g, x, kernel, size: int, stride: int, padding: int):
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    dpadded, dkernel = np.zeros_like(padded), np.zeros_like(kernel)
    for i, j in np.ndindex(*g.shape[1:3]):
        here = np.s_[:, i * stride : i * stride + size, j * stride : j * stride + size]
        dkernel[i, j] = padded[here].reshape(len(x), -1).T @ g[:, i, j]
        dpadded[here] += (g[:, i, j] @ kernel[i, j].T).reshape(padded[here].shape)
    inside = slice(padding, dpadded.shape[1] - padding)
    return dpadded[:, inside, inside], dkernel, g.sum(axis=0)


def weight_shapes(name: str, width: float = 1.0, classes: int = 10) -> dict[str, tuple[int, ...]]:
    shapes, side, maps = {}, SIZE[name], 3
    for step in NETS[name]:
        if step in ("max", "average"):
            side = ops.pool_output_size(side, 3, 2)
        if isinstance(step, str):
            continue
        layer, units = step
        units = classes if layer == "fc10" else max(1, round(units * width))
        window = KERNEL.get(layer[:-1], 0)
        shape = {
            "conv": (window, window, maps, units),
            "local": (side, side, window**2 * maps, units),
        }.get(layer[:-1], (side**2 * maps, units))
        shapes[f"{layer}/kernel"] = shape
        shapes[f"{layer}/bias"] = (*shape[:2], units) if layer[:-1] == "local" else (units,)
        maps, side = units, 1 if layer.startswith("fc") else side
    return shapes


def forward(name: str, weights: dict, images: np.ndarray) -> tuple[np.ndarray, list]:
    """Logits, and what each operation was applied to."""
    x, trace = images, []
    for step in NETS[name]:
        trace.append((step, x))
        if not isinstance(step, str):
            x = _weighted(step[0], weights, x)
        elif step == "rnorm":
            x = norms.spatial_norm(x, *RNORM)
        elif step == "cmrnorm":
            x = norms.lrn(x, *CMRNORM)
        else:
            x = {"relu": ops.relu, "max": ops.max_pool, "average": average_pool}[step](x)
    return x, trace


def _weighted(layer: str, weights: dict, x: np.ndarray) -> np.ndarray:
    kernel, bias = weights[f"{layer}/kernel"], weights[f"{layer}/bias"]
    kind = layer[:-1]
    if kind == "conv":
        return ops.conv2d(x, kernel, bias, 1, PADDING[kind])
    if kind == "local":
        return local2d(x, kernel, bias, KERNEL[kind], 1, PADDING[kind])
    return ops.dense(x.reshape(len(x), -1), kernel, bias)


def loss_and_gradients(name: str, weights: dict, images: np.ndarray, labels: np.ndarray):
    logits, trace = forward(name, weights, images)
    loss, g = ops.softmax_cross_entropy(logits, labels)
    gradients = {}
    for step, x in reversed(trace):
        if not isinstance(step, str):
            layer, kind = step[0], step[0][:-1]
            kernel = weights[f"{layer}/kernel"]
            if kind == "conv":
                found = ops.conv2d_backward(g, x, kernel, 1, PADDING[kind])
            elif kind == "local":
                found = local2d_backward(g, x, kernel, KERNEL[kind], 1, PADDING[kind])
            else:
                found = ops.dense_backward(g, x.reshape(len(x), -1), kernel)
            g, gradients[f"{layer}/kernel"], gradients[f"{layer}/bias"] = found
            g = g.reshape(x.shape)
        elif step == "rnorm":
            g = norms.spatial_norm_backward(g, x, *RNORM)
        elif step == "cmrnorm":
            g = norms.lrn_backward(g, x, *CMRNORM)
        elif step == "max":
            g = ops.max_pool_backward(g, x)
        else:
            g = {"relu": ops.relu_backward, "average": average_pool_backward}[step](g, x)
    return loss, gradients


def nearest_kink(trace: list) -> float:
    """As `network.nearest_kink`: by how little a ReLU or a maximum was decided."""
    nearest = np.inf
    for step, x in trace:
        if step not in ("relu", "max"):
            continue
        distances = np.abs(x) if step == "relu" else ops.leads_of_maxima(x)
        nearest = min(nearest, distances[distances > 0].min() / np.sqrt(np.mean(x**2)))
    return float(nearest)
