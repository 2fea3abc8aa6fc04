"""The variants of AlexNet as data: figure 2 row by row, and what each variant changes of it.

                         image, 224 x 224 x 3
              tower a           |            tower b
                +---------------+---------------+
                |                               |
      conv1  11x11/4, 48              conv1  11x11/4, 48         55 x 55, pooled to 27 x 27
                |                               |
      conv2   5x5,   128              conv2   5x5,   128         27 x 27, pooled to 13 x 13
                |                               |
                +---------------X---------------+                each tower reads both
                |                               |
      conv3   3x3,   192              conv3   3x3,   192         13 x 13
                |                               |
      conv4   3x3,   192              conv4   3x3,   192         13 x 13
                |                               |
      conv5   3x3,   128              conv5   3x3,   128         13 x 13, pooled to 6 x 6
                |                               |
                +---------------X---------------+
                |                               |
      fc6           2048              fc6           2048
                |                               |
                +---------------X---------------+
                |                               |
      fc7           2048              fc7           2048
                |                               |
                +-------+-----------------------+
                        |
      fc8           1000 classes, beside tower a

`paper` is the network as the NIPS 2012 text describes it; `original` is net 145 of the 2012 source.
Whatever separates them is a field here, so the two values can be read side by side or compared.
Unit counts are of both towers together, as the paper gives them.
"""

from __future__ import annotations

from typing import Any

from alexnet_tf.network.operations import LRN, Dropout, Pool, SpatialNorm
from alexnet_tf.network.structure import CLASSES, Conv, Dense, Layer, NetworkSpec

CONV1 = Conv(
    name="conv1",
    reads="image",
    units=96,
    kernel=11,
    stride=4,
    pad=(0, 3),
    ops=("relu", "lrn", "pool"),
)
CONV2 = Conv(name="conv2", units=256, kernel=5, pad=(2, 2), bias=1, ops=("relu", "lrn", "pool"))
CONV3 = Conv(name="conv3", reads="both", units=384, kernel=3, pad=(1, 1), ops=("relu",))
CONV4 = Conv(name="conv4", units=384, kernel=3, pad=(1, 1), bias=1, ops=("relu",))
CONV5 = Conv(name="conv5", units=256, kernel=3, pad=(1, 1), bias=1, ops=("relu", "pool"))
FC6 = Dense(name="fc6", reads="both", units=4096, bias=1, ops=("relu", "dropout"))
FC7 = Dense(name="fc7", reads="both", units=4096, bias=1, ops=("relu", "dropout"))
FC8 = Dense(name="fc8", reads="both", tower="a", units=CLASSES)
PAPER = (CONV1, CONV2, CONV3, CONV4, CONV5, FC6, FC7, FC8)


def _changed(rows: tuple[Layer, ...], **changes: dict[str, Any]) -> tuple[Layer, ...]:
    """The rows, with fields of the named ones changed."""
    return tuple(type(row)(**{**row.model_dump(), **changes.get(row.name, {})}) for row in rows)


# Net 145: what the released source computes where the paper's text says otherwise.
NET_145 = _changed(
    PAPER,
    conv1={"ops": ("lrn", "pool", "relu")},
    conv2={"ops": ("relu", "lrn", "spatial_norm", "pool")},
    conv3={"std": 0.03},
    conv4={"std": 0.03},
    conv5={"std": 0.03, "ops": ("pool", "relu")},
)
AS_RUN_IN_2012 = {
    "lrn": LRN(alpha=1e-4, alpha_over_n=True),
    "spatial_norm": SpatialNorm(),
    "pool": Pool(),
    "dropout": Dropout(),
}
OWN = {"reads": "own"}


def _caffe(name: str, bias: float, norm_and_pool: tuple[str, str]) -> NetworkSpec:
    """Caffe's models/bvlc_*/train_val.prototxt: groups are our towers, but the norm spans both."""
    return NetworkSpec(
        variant=name,
        layers=_changed(
            PAPER,
            conv1={"pad": (0, 0), "ops": ("relu", *norm_and_pool)},
            conv2={"bias": bias, "ops": ("relu", *norm_and_pool)},
            conv4={"bias": bias},
            conv5={"bias": bias},
            fc6={"bias": bias, "std": 0.005},
            fc7={"bias": bias, "std": 0.005},
        ),
        input_size=227,
        lrn=LRN(alpha=1e-4, alpha_over_n=True, k=1.0, spans="both"),
        pool=Pool(),
        dropout=Dropout(inverted=True),
    )


VARIANTS: dict[str, NetworkSpec] = {
    spec.variant: spec
    for spec in (
        NetworkSpec(variant="paper", layers=PAPER, lrn=LRN(), pool=Pool(), dropout=Dropout()),
        NetworkSpec(variant="original", layers=NET_145, **AS_RUN_IN_2012),
        NetworkSpec(  # net 145-half, the paper's one-GPU comparison
            variant="one-tower",
            towers=1,
            layers=_changed(
                NET_145,
                conv1={"units": 48},
                conv2={"units": 128},
                conv3={"units": 192, **OWN},
                conv4={"units": 192},
                conv5={"units": 256},
                fc6=OWN,
                fc7=OWN,
                fc8=OWN,
            ),
            **AS_RUN_IN_2012,
        ),
        NetworkSpec(  # net 147
            variant="non-overlapping",
            layers=_changed(NET_145, conv2={"pad": (1, 1)}, conv5={"pad": (0, 0)}),
            **{**AS_RUN_IN_2012, "pool": Pool(size=2, stride=2)},
        ),
        NetworkSpec(  # net 148: every norm dropped, the unpublished one too
            variant="no-norm",
            layers=_changed(
                NET_145, conv1={"ops": ("pool", "relu")}, conv2={"ops": ("relu", "pool")}
            ),
            pool=Pool(),
            dropout=Dropout(),
        ),
        NetworkSpec(  # net 150: the towers meet only at fc8
            variant="no-crosstalk",
            layers=_changed(
                NET_145, conv2={"units": 320}, conv3=OWN, fc6={**OWN, "units": 8192}, fc7=OWN
            ),
            **AS_RUN_IN_2012,
        ),
        _caffe("caffenet", bias=1.0, norm_and_pool=("pool", "lrn")),
        _caffe("bvlc", bias=0.1, norm_and_pool=("lrn", "pool")),
        NetworkSpec(  # arXiv:1404.5997 in the sizes and with the initial weights of torchvision
            variant="one-weird-trick",
            towers=1,
            layers=_changed(
                PAPER,
                conv1={"units": 64, "pad": (2, 2), "ops": ("relu", "pool")},
                conv2={"units": 192, "ops": ("relu", "pool")},
                conv3=OWN,
                conv4={"units": 256},
                conv5={"ops": ("relu", "pool", "dropout")},
                fc6=OWN,
                fc7={"ops": ("relu",), **OWN},
                fc8=OWN,
            ),
            pool=Pool(),
            dropout=Dropout(inverted=True),
            initializer="fan-in-uniform",
        ),
    )
}
