"""What a network moves and holds, by arithmetic: bytes across towers, activations, intensity."""

from __future__ import annotations

from alexnet_tf.network.geometry import TowerLayer, geometry, pool_size
from alexnet_tf.network.structure import NetworkSpec

BYTES = 4  # of a float32


def op_sizes(spec: NetworkSpec, row: TowerLayer) -> list[int]:
    """Values of one image in one tower: after the weights, then after each op."""
    side, sizes = row.size_conv, [row.size_conv**2 * row.units]
    for op in row.layer.ops:
        if op == "pool":
            pool = spec.pool_of(row.layer)
            side = pool_size(side, pool.size, pool.stride)
        sizes.append(side**2 * row.units)
    return sizes


def kept_values(spec: NetworkSpec, row: TowerLayer) -> int:
    """Values of one image that one tower keeps for the backward pass: its input and outputs.

    An upper limit: some ops can be undone from their output, and need not keep their input.
    """
    joined = spec.towers == 2 and row.layer.reads == "both"
    return joined * row.size_in**2 * row.channels_in + sum(op_sizes(spec, row))


def training_operations(spec: NetworkSpec) -> int:
    """Of one image: the layers' products forward, and the gradients by their weights and inputs.

    A multiply-add is two operations. The image itself needs no gradient.
    """
    first, *rest = (2 * row.multiply_adds * row.towers for row in geometry(spec))
    return 2 * first + 3 * sum(rest)


def received_bytes(spec: NetworkSpec, row: TowerLayer) -> int:
    """Bytes that one tower receives from the other for one image's forward pass.

    For the backward pass as many gradients travel the other way.
    """
    if spec.towers == 1:
        return 0
    values = 0
    if row.layer.reads == "both":
        values += row.size_in**2 * row.channels_in // 2
    if spec.lrn is not None and spec.lrn.spans == "both":
        before = op_sizes(spec, row)
        values += sum(before[i] for i, op in enumerate(row.layer.ops) if op == "lrn")
    return values * BYTES


def intensity(row: TowerLayer, batch_size: int) -> float:
    """Floating-point operations per byte that the weights' operation must read and write.

    A multiply-add is two operations. Weights are read once a batch, maps once an image. Below some
    tens of operations a byte, memory and not arithmetic sets the pace.
    """
    operations = 2 * row.multiply_adds * batch_size
    maps = row.size_in**2 * row.channels_in + row.size_conv**2 * row.units
    return operations / (BYTES * (row.parameters + batch_size * maps))


def device_bytes(
    spec: NetworkSpec, batch_size: int, split: bool, slots: int = 1
) -> list[dict[str, int]]:
    """Memory of each device in training: both towers on one, or `split` over two.

    Weights, gradients and so many of the optimizer's `slots` (a velocity); the batch's images;
    activations and, of the same size, their gradients. What a library needs for its own work comes
    on top.
    """
    rows = geometry(spec)
    devices = []
    image = 3 * spec.input_size**2
    for number in range(2 if split and spec.towers == 2 else 1):
        held = [(row, _held(spec, row, number) if split else row.towers) for row in rows]
        weights = sum(row.parameters * count for row, count in held) * BYTES
        kept = sum(kept_values(spec, row) * count for row, count in held)
        devices.append(
            {
                "weights": weights,
                "optimizer": slots * weights,
                "gradients": weights,
                "activations": (image + 2 * kept) * batch_size * BYTES,
            }
        )
    return devices


def _held(spec: NetworkSpec, row: TowerLayer, device: int) -> int:
    """How often a device of the split holds a layer: once, or not at all."""
    return int(spec.tower_names[device] in spec.towers_of(row.layer))
