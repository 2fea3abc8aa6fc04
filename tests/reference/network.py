"""Whole networks in float64 NumPy: logits, loss and the gradient of every weight.

The layers are carried out one after the other for all towers, and the gradient is taken back by
hand through the same list; the only thing kept of an operation is its input.
"""

import numpy as np

from tests.reference import layers as ops
from tests.reference import norms
from tests.reference.variants import Layer, Net

Weights = dict[str, np.ndarray]


def random_weights(shapes: dict[str, tuple[int, ...]], seed: int, gain: float = 1.4) -> Weights:
    """Kernels ~ N(0, gain^2 / fan-in), biases ~ N(0, 0.1^2): signals of like size in every layer.

    Not the initialization of 2012, whose small numbers would hide errors of the upper layers.
    """
    rng = np.random.default_rng(seed)
    return {
        key: rng.normal(
            0.0, gain / np.sqrt(np.prod(shape[:-1])) if key.endswith("/kernel") else 0.1, shape
        )
        for key, shape in shapes.items()
    }


def dropout_masks(
    net: Net, shapes: dict[str, tuple[int, ...]], batch: int, seed: int
) -> dict[str, np.ndarray]:
    """A mask of 0 and 1 for each dropout layer and tower (key "fc6_a"): ``[batch, units]``.

    Of a convolution ``[batch, 1, 1, maps]``, whole maps (a caller may give any that broadcasts).
    """
    rng = np.random.default_rng(seed)
    return {
        name: rng.integers(0, 2, (batch, *places, *shapes[f"{name}/bias"])).astype(np.float64)
        for layer in net.layers
        if "dropout" in layer.after
        for places in [(1, 1) if layer.kernel else ()]
        for name in net.names(layer)
    }


def forward(
    net: Net,
    weights: Weights,
    images: np.ndarray,
    masks: dict[str, np.ndarray] | None = None,
) -> tuple[np.ndarray, list]:
    """Logits ``[N, classes]`` and the trace that ``backward`` needs.

    Args:
      images: ``[N, H, W, 3]``, after mean subtraction. Zeros are padded here.
      masks: dropout masks for training; None runs the network as at test time.
    """
    towers = [ops.double(images)]
    trace = []
    for layer in net.layers:
        names = net.names(layer)
        inputs = _seen(layer, towers, len(names))
        trace.append((layer, "product", names, inputs, [x.shape for x in towers]))
        towers = [
            _product(layer, x, weights[f"{name}/kernel"], weights[f"{name}/bias"])
            for name, x in zip(names, inputs, strict=True)
        ]
        for operation in layer.after:
            trace.append((layer, operation, names, towers, None))
            towers = _after(net, operation, names, towers, masks)
    return towers[0], trace


def backward(
    net: Net,
    weights: Weights,
    trace: list,
    g: np.ndarray,
    masks: dict[str, np.ndarray] | None = None,
) -> Weights:
    """The gradient of every weight, given ``g``, the gradient with respect to the logits."""
    gradients: Weights = {}
    upstream = [g]
    for layer, operation, names, inputs, shapes in reversed(trace):
        if operation != "product":
            upstream = _after_backward(net, operation, names, upstream, inputs, masks)
            continue
        seen = []
        for name, g_tower, x in zip(names, upstream, inputs, strict=True):
            dx, dkernel, dbias = _product_backward(layer, g_tower, x, weights[f"{name}/kernel"])
            gradients[f"{name}/kernel"], gradients[f"{name}/bias"] = dkernel, dbias
            seen.append(dx)
        upstream = _unseen(layer, seen, shapes)
    return {key: gradients[key] for key in weights}


def logits(net: Net, weights: Weights, images: np.ndarray, masks=None) -> np.ndarray:
    return forward(net, weights, images, masks)[0]


def loss_and_gradients(
    net: Net,
    weights: Weights,
    images: np.ndarray,
    labels: np.ndarray,
    masks: dict[str, np.ndarray] | None = None,
) -> tuple[float, Weights]:
    """Mean cross-entropy over the batch and its gradient; weight decay is the update's affair."""
    out, trace = forward(net, weights, images, masks)
    loss, g = ops.softmax_cross_entropy(out, labels)
    return loss, backward(net, weights, trace, g, masks)


def nearest_kink(net: Net, trace: list) -> float:
    """How far the pass is from taking another branch: by which every ReLU and maximum is decided.

    The smallest distance of a ReLU's input from 0, or of a window's maximum from what comes next,
    as a share of the root mean square of the operation's input. What is nearer than the rounding
    of a second implementation may send a gradient elsewhere there. Ties between zeros, whose
    gradient the ReLU before or after stops, do not count.
    """
    nearest = np.inf
    for _, operation, _, towers, _ in trace:
        for x in towers:
            if operation == "act" and net.activation == "relu":
                distances = np.abs(x)
            elif operation == "pool":
                distances = ops.leads_of_maxima(x, *net.pool)
            else:
                continue
            distances = distances[distances > 0]
            nearest = min(nearest, distances.min() / np.sqrt(np.mean(x**2)))
    return float(nearest)


def _seen(layer: Layer, towers: list[np.ndarray], count: int) -> list[np.ndarray]:
    """What each of the layer's ``count`` towers is applied to."""
    # The image is a single input: concatenated, it is itself.
    seen = towers if layer.sees == "own" else [np.concatenate(towers, axis=-1)] * count
    if layer.kernel:
        return seen
    return [x.reshape(len(x), -1) for x in seen]  # height, width, channel


def _unseen(layer: Layer, seen: list[np.ndarray], shapes: list[tuple]) -> list[np.ndarray]:
    """The gradient of ``_seen``, one array for each of its inputs."""
    if layer.sees == "own":
        return [g.reshape(shape) for g, shape in zip(seen, shapes, strict=True)]
    channels = [shape[-1] for shape in shapes]
    whole = sum(seen).reshape(*shapes[0][:-1], sum(channels))
    return np.split(whole, np.cumsum(channels)[:-1], axis=-1)


def _product(layer: Layer, x, kernel, bias):
    if layer.kernel:
        return ops.conv2d(x, kernel, bias, layer.stride, (layer.padding, layer.padding))
    return ops.dense(x, kernel, bias)


def _product_backward(layer: Layer, g, x, kernel):
    if layer.kernel:
        return ops.conv2d_backward(g, x, kernel, layer.stride, (layer.padding, layer.padding))
    return ops.dense_backward(g, x, kernel)


def _after(net: Net, operation: str, names, towers, masks):
    if operation == "lrn" and net.lrn_across_towers:
        split = np.cumsum([x.shape[-1] for x in towers])[:-1]
        return np.split(norms.lrn(np.concatenate(towers, axis=-1), *net.lrn), split, axis=-1)
    if operation == "lrn":
        return [norms.lrn(x, *net.lrn) for x in towers]
    if operation == "spatial":
        return [norms.spatial_norm(x, *net.spatial) for x in towers]
    if operation == "pool":
        return [ops.max_pool(x, *net.pool) for x in towers]
    if operation == "dropout":
        return [x * _factor(net, name, masks) for name, x in zip(names, towers, strict=True)]
    return [{"relu": ops.relu, "tanh": ops.tanh}[net.activation](x) for x in towers]


def _after_backward(net: Net, operation: str, names, upstream, towers, masks):
    pairs = list(zip(upstream, towers, strict=True))
    if operation == "lrn" and net.lrn_across_towers:
        split = np.cumsum([x.shape[-1] for x in towers])[:-1]
        g, x = (np.concatenate(arrays, axis=-1) for arrays in (upstream, towers))
        return np.split(norms.lrn_backward(g, x, *net.lrn), split, axis=-1)
    if operation == "lrn":
        return [norms.lrn_backward(g, x, *net.lrn) for g, x in pairs]
    if operation == "spatial":
        return [norms.spatial_norm_backward(g, x, *net.spatial) for g, x in pairs]
    if operation == "pool":
        return [ops.max_pool_backward(g, x, *net.pool, net.pool_ties) for g, x in pairs]
    if operation == "dropout":
        return [g * _factor(net, name, masks) for name, g in zip(names, upstream, strict=True)]
    function = {"relu": ops.relu_backward, "tanh": ops.tanh_backward}[net.activation]
    return [function(g, x) for g, x in pairs]


def _factor(net: Net, name: str, masks: dict[str, np.ndarray] | None):
    return ops.dropout_factor(net.dropout, None if masks is None else masks[name])
