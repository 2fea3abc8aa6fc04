"""The development kit of the drawn images: what ILSVRC2012's says of classes and validation.

Its `meta.mat` maps ILSVRC2012_IDs, which are not in the order of the WNIDs, to classes.
"""

import gzip
import io
import tarfile
from typing import BinaryIO

import numpy as np
import scipy.io

from preprocessing.sample.forms import CLASSES, SHAPES, TEXTURES
from preprocessing.sample.members import MODIFIED, add

# WNIDs of our own making (those of ImageNet begin with n0 and n1); the
# ILSVRC2012_ID of a class is its place in CLASSES + 1, so the two orders differ.
WNIDS = {
    "circle": "n90000470",
    "triangle": "n90000130",
    "star": "n90000820",
    "cross": "n90000250",
    "ring": "n90000660",
    "spiral": "n90000310",
    "stripes": "n90000910",
    "waves": "n90000050",
    "checkerboard": "n90000740",
    "dots": "n90000590",
}
# Internal nodes of the hierarchy: WNID, name, names of the children. They are no classes.
INTERNAL_NODES = (
    ("n90000001", "shape", tuple(SHAPES)),
    ("n90000002", "texture", tuple(TEXTURES)),
    ("n90000003", "figure", ("shape", "texture")),
)


def write_devkit(file: BinaryIO, ilsvrc_ids: np.ndarray, train_per_class: int) -> None:
    """Writes the archive, of the validation images' ILSVRC2012_IDs in their order."""
    ground_truth = "".join(f"{number}\n" for number in ilsvrc_ids).encode()
    folder = "ILSVRC2012_devkit_t12/data"
    with (
        gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=MODIFIED) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        add(archive, f"{folder}/meta.mat", _meta_mat(train_per_class))
        add(archive, f"{folder}/ILSVRC2012_validation_ground_truth.txt", ground_truth)


def _meta_mat(train_per_class: int) -> bytes:
    """MATLAB's struct array `synsets`, the classes first, then the internal nodes."""
    nodes = [(WNIDS[name], name, ()) for name in CLASSES] + list(INTERNAL_NODES)
    ids = {name: number for number, (_, name, _) in enumerate(nodes, start=1)}
    heights: dict[str, int] = {}
    fields = "ILSVRC2012_ID WNID words gloss num_children children wordnet_height num_train_images"
    synsets = np.zeros((len(nodes), 1), [(field, object) for field in fields.split()])
    for row, (wnid, name, children) in zip(synsets[:, 0], nodes, strict=True):
        heights[name] = 1 + max((heights[child] for child in children), default=-1)
        row["ILSVRC2012_ID"] = float(ids[name])
        row["WNID"] = wnid
        row["words"] = name
        row["gloss"] = "a drawn image" if not children else "an internal node, not a class"
        row["num_children"] = float(len(children))
        row["children"] = np.array([[ids[child] for child in children]], np.float64)
        row["wordnet_height"] = float(heights[name])
        row["num_train_images"] = float(train_per_class if not children else 0)
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {"synsets": synsets})
    # The first 116 bytes are a free text in which SciPy writes the time of day.
    header = b"MATLAB 5.0 MAT-file, made by preprocessing/sample.py"
    return header.ljust(116) + buffer.getvalue()[116:]
