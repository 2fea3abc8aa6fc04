"""How torchvision and Caffe lay out AlexNet's weights, and what they are in ours.

| here                      | torchvision (`alexnet`)       | Caffe (caffenet, bvlc_alexnet)       |
|---------------------------|-------------------------------|--------------------------------------|
| conv1 … conv5             | features.0, .3, .6, .8, .10   | conv1 … conv5                        |
| fc6, fc7, fc8             | classifier.1, .4, .6          | fc6, fc7, fc8                        |
| LAYER/kernel, LAYER/bias  | NAME.weight, NAME.bias        | NAME/0, NAME/1 (.h5: `data/NAME/0`)  |
| kernel [h, w, in, out]    | [out, in, h, w]               | the same; groups 2 in conv2, 4 and 5 |
| dense [h·w·c, out]        | [out, c·h·w]                  | the same                             |
| input                     | RGB in 0…1, mean, ÷ deviation | BGR in 0…255, mean                   |

Our input is RGB in 0…255 less a mean: torchvision's division by 255 and by a deviation goes into
conv1's kernel, Caffe's channel order too. Both pad conv1 with zeros after the mean is subtracted,
as we do, so the networks agree exactly. Caffe's first group is tower a, its second tower b.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from alexnet_tf.errors import ConfigError
from alexnet_tf.foreign_weights.stored import StoredArray
from alexnet_tf.network import naming
from alexnet_tf.network.geometry import TowerLayer, geometry
from alexnet_tf.network.structure import Conv, NetworkSpec

RGB = tuple[float, float, float]


@dataclass(frozen=True)
class Layout:
    """A format: where each array stands, and what its network expects of pixels."""

    variants: tuple[str, ...]  # of ours that it fits; the first is the default
    names: Mapping[str, str]  # our layer → the name before kernel and bias
    kinds: tuple[str, str]  # what follows for the kernel, for the bias
    mean_rgb: RGB  # in grey levels 0…255
    scale_rgb: RGB = (1.0, 1.0, 1.0)  # what pixels are divided by after the mean
    bgr: bool = False

    def key(self, layer: str, kind: str) -> str:
        return self.names[layer] + self.kinds[naming.KINDS.index(kind)]

    def classes(self, stored: Mapping[str, StoredArray], expected: int) -> int:
        """How many a file's last layer tells apart; `expected` if it holds no such layer."""
        bias = _without_snapshot_parts(stored).get(self.key(list(self.names)[-1], "bias"))
        return bias.shape[-1] if bias is not None and bias.shape else expected


_LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8")

LAYOUTS: dict[str, Layout] = {
    "torchvision": Layout(
        variants=("one-weird-trick",),
        names=dict(
            zip(
                _LAYERS,
                [f"features.{i}" for i in (0, 3, 6, 8, 10)]
                + [f"classifier.{i}" for i in (1, 4, 6)],
                strict=True,
            )
        ),
        kinds=(".weight", ".bias"),
        mean_rgb=(0.485 * 255, 0.456 * 255, 0.406 * 255),
        scale_rgb=(0.229 * 255, 0.224 * 255, 0.225 * 255),
    ),
    "caffe": Layout(
        variants=("caffenet", "bvlc"),
        names={name: name for name in _LAYERS},
        kinds=("/0", "/1"),
        # The channel means of ilsvrc_2012_mean, which Caffe's own examples subtract.
        mean_rgb=(122.67891434, 116.66876762, 104.00698793),
        bgr=True,
    ),
}


def imported(
    layout: Layout, spec: NetworkSpec, stored: Mapping[str, StoredArray], where: str
) -> dict[str, np.ndarray]:
    """Our weights by name, float32, from a file's arrays.

    Raises ConfigError naming the first array that is missing, unknown, of another shape or not of
    finite numbers; names and shapes are all looked at before anything is read.
    """
    stored = _without_snapshot_parts(stored)
    shapes = expected_shapes(layout, spec)
    for key, shape in shapes.items():
        if key not in stored:
            names = ", ".join(sorted(stored)[:8]) or "nothing"
            raise ConfigError(f"--input: expected {key!r} in {where}, which holds {names} …")
        if _without_ones(stored[key].shape, len(shape)) != shape:
            raise ConfigError(
                f"--input: expected {key!r} of shape {shape} in {where}, received"
                f" {stored[key].shape}"
            )
    unknown = sorted(set(stored) - set(shapes))
    if unknown:
        raise ConfigError(f"--input: expected no array {unknown[0]!r} in {where}; it has no place")
    weights = {}
    for row in geometry(spec):
        for kind in naming.KINDS:
            key = layout.key(row.layer.name, kind)
            array = stored[key].read().astype(np.float32).reshape(shapes[key])
            if not np.isfinite(array).all():
                raise ConfigError(f"--input: expected finite numbers in {key!r} of {where}")
            whole = _kernel(layout, row, array) if kind == "kernel" else array
            towers = ("a", "b") if row.towers == 2 else ("",)
            parts = np.split(whole, row.towers, axis=-1)
            for tower, part in zip(towers, parts, strict=True):
                weights[naming.weight(row.layer.name, tower, kind)] = part
    return weights


def expected_shapes(layout: Layout, spec: NetworkSpec) -> dict[str, tuple[int, ...]]:
    """The shape of every array that a file of this layout must hold, in the network's order."""
    shapes = {}
    for row in geometry(spec):
        units, layer = row.units * row.towers, row.layer
        kernel = (units, row.fan_in)
        if isinstance(layer, Conv):
            kernel = (units, row.channels_in, layer.kernel, layer.kernel)
        shapes[layout.key(layer.name, "kernel")] = kernel
        shapes[layout.key(layer.name, "bias")] = (units,)
    return shapes


def _kernel(layout: Layout, row: TowerLayer, array: np.ndarray) -> np.ndarray:
    """[out, in, h, w] → [h, w, in, out]; [out, c·h·w] → [h·w·c, out]; pixels' scale and order."""
    if not isinstance(row.layer, Conv):
        side = row.size_in
        array = array.reshape(len(array), row.channels_in, side, side)
        return array.transpose(2, 3, 1, 0).reshape(row.fan_in, len(array))
    kernel = array.transpose(2, 3, 1, 0)
    if row.layer.name != "conv1":
        return kernel
    kernel = kernel[:, :, ::-1] if layout.bgr else kernel
    return kernel / np.asarray(layout.scale_rgb, np.float32)[:, None]


def _without_snapshot_parts(stored: Mapping[str, StoredArray]) -> dict[str, StoredArray]:
    """Without what Caffe's HDF5 snapshots add: `data/` before names, and gradients in `diff/`."""
    if not any(name.startswith("data/") for name in stored):
        return dict(stored)
    return {
        name.removeprefix("data/"): array
        for name, array in stored.items()
        if not name.startswith("diff/")
    }


def _without_ones(shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """Old Caffe files put every array in four dimensions, the first ones 1."""
    extra = len(shape) - rank
    return shape[extra:] if extra > 0 and set(shape[:extra]) == {1} else shape
