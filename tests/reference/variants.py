"""The networks of 2012, as data for the reference network, and the shapes of their weights.

The facts are those of the paper and of the 2012 code's layer files. A layer's ``units`` are those
of both towers together; ``sees`` says what a tower's kernel is applied to: the image, the tower's
own maps, or both towers' maps concatenated in the order a, b. Weights are keyed
``f"{layer}_{tower}/kernel"`` and ``/bias``, or without the suffix where there is one tower;
``fc8`` is always one layer.
"""

import dataclasses
import math

from tests.reference.layers import pool_output_size


@dataclasses.dataclass(frozen=True)
class Layer:
    name: str
    units: int
    sees: str  # "image", "own" or "both"
    after: tuple[str, ...]  # what follows the product, in order: act, lrn, spatial, pool, dropout
    kernel: int = 0  # 0: a dense layer
    stride: int = 1
    padding: tuple[int, int] = (0, 0)  # zeros before and after, in height and in width


@dataclasses.dataclass(frozen=True)
class Net:
    layers: tuple[Layer, ...]
    towers: tuple[str, ...] = ("_a", "_b")
    activation: str = "relu"
    pool: tuple[int, int] = (3, 2)  # size, stride
    pool_ties: str = "first"  # or "all": which maxima of a window the gradient goes to
    lrn: tuple[int, float, float, float] = (5, 2e-5, 2.0, 0.75)  # size, alpha, k, beta
    lrn_across_towers: bool = False  # Caffe normalizes over the maps of both groups
    spatial: tuple[int, float, float, float] = (5, 4e-5, 1.0, 0.75)
    dropout: str = "2012"  # or "inverted", "none"

    def tower_units(self, layer: Layer, width: float, num_classes: int) -> int:
        if layer is self.layers[-1]:
            return num_classes
        return round(layer.units * width / len(self.towers))

    def names(self, layer: Layer) -> list[str]:
        if layer is self.layers[-1]:
            return [layer.name]
        return [layer.name + tower for tower in self.towers]


def _layers(conv1, conv2, conv5, units=(96, 256, 384, 384, 256, 4096, 4096), sees="both"):
    """The eight layers; ``conv1``, ``conv2``, ``conv5`` say what follows those convolutions."""
    hidden = ("act", "dropout")
    return (
        Layer("conv1", units[0], "image", conv1, 11, 4, (0, 3)),
        Layer("conv2", units[1], "own", conv2, 5, 1, (2, 2)),
        Layer("conv3", units[2], sees, ("act",), 3, 1, (1, 1)),
        Layer("conv4", units[3], "own", ("act",), 3, 1, (1, 1)),
        Layer("conv5", units[4], "own", conv5, 3, 1, (1, 1)),
        Layer("fc6", units[5], sees, hidden),
        Layer("fc7", units[6], sees, hidden),
        Layer("fc8", 0, "both", ()),
    )


_NET_145 = (("lrn", "pool", "act"), ("act", "lrn", "spatial", "pool"), ("pool", "act"))
_PAPER = (("act", "lrn", "pool"), ("act", "lrn", "pool"), ("act", "pool"))
_CAFFENET = (("act", "pool", "lrn"), ("act", "pool", "lrn"), ("act", "pool"))
_NO_NORM = (("pool", "act"), ("act", "pool"), ("pool", "act"))
_CAFFE = {"lrn": (5, 2e-5, 1.0, 0.75), "lrn_across_towers": True, "dropout": "inverted"}


def _repad(layers, **padding):
    return tuple(
        dataclasses.replace(x, padding=padding[x.name]) if x.name in padding else x for x in layers
    )


def _then(layers, **after):
    return tuple(
        dataclasses.replace(x, after=after[x.name]) if x.name in after else x for x in layers
    )


VARIANTS: dict[str, Net] = {
    "paper": Net(_layers(*_PAPER), lrn=(5, 1e-4, 2.0, 0.75)),
    "original": Net(_layers(*_NET_145)),
    # 145-half: tower a alone, with conv5, fc6 and fc7 of full size.
    "one-tower": Net(_layers(*_NET_145, (48, 128, 192, 192, 256, 4096, 4096)), towers=("",)),
    # 147: pools of 2 at stride 2; less padding in conv2 and conv5 keeps fc6's size.
    "non-overlapping": Net(_repad(_layers(*_NET_145), conv2=(1, 1), conv5=(0, 0)), pool=(2, 2)),
    # 148.
    "no-norm": Net(_layers(*_NO_NORM)),
    # 150: each tower 160 maps in conv2 and 4096 units in fc6, and only its own maps until fc8.
    "no-crosstalk": Net(
        _layers(*_NET_145, (96, 320, 384, 384, 256, 8192, 4096), sees="own"),
    ),
    "caffenet": Net(_layers(*_CAFFENET), **_CAFFE),
    "bvlc": Net(_layers(*_PAPER), **_CAFFE),
    # 2014, as torchvision builds it. conv1's second pad of 2 is never fully read (rounded down).
    # Dropout stands before fc6 and before fc7.
    "one-weird-trick": Net(
        _then(
            _repad(_layers(*_NO_NORM, (64, 192, 384, 256, 256, 4096, 4096)), conv1=(2, 2)),
            conv5=("pool", "act", "dropout"),
            fc7=("act",),
        ),
        towers=("",),
        dropout="inverted",
    ),
}


def conv_output_size(length: int, layer: Layer) -> int:
    return (length + sum(layer.padding) - layer.kernel) // layer.stride + 1


def weight_shapes(
    net: Net, width: float = 1.0, num_classes: int = 1000, size: int = 224, channels: int = 3
) -> dict[str, tuple[int, ...]]:
    """The shape of every weight for images ``[size, size, channels]``, in layer order."""
    shapes = {}
    own, towers = channels, 1  # the maps (or units) of one input, and how many inputs there are
    for layer in net.layers:
        seen = own * (towers if layer.sees == "both" else 1)
        units = net.tower_units(layer, width, num_classes)
        if layer.kernel:
            kernel = (layer.kernel, layer.kernel, seen, units)
            size = conv_output_size(size, layer)
        else:
            kernel = (seen * size * size, units)
            size = 1
        for name in net.names(layer):
            shapes[f"{name}/kernel"] = kernel
            shapes[f"{name}/bias"] = (units,)
        if "pool" in layer.after:
            size = pool_output_size(size, *net.pool)
        own, towers = units, len(net.towers)
    return shapes


def parameter_count(net: Net, **options) -> int:
    return sum(math.prod(shape) for shape in weight_shapes(net, **options).values())
