"""MODEL/model.onnx: written beside a SavedModel, and checked against it.

The packages onnx and onnxruntime are an extra, `pip install '.[onnx]'`; this module loads without.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from alexnet_tf.errors import ConfigError, JobError
from alexnet_tf.network.geometry import total_parameters
from alexnet_tf.network.structure import NetworkSpec
from alexnet_tf.serving.signatures import Served
from preprocessing.dataset.info import DatasetInfo

FILE = "model.onnx"
PACKAGES = ("onnx", "onnxruntime")
LARGEST = 2**31 - 2**26  # bytes of weights: a protobuf message ends at 2 GiB, and there is more
# Between probabilities, and features as parts of the largest: sums are taken in other orders.
TOLERANCE = 1e-4


def expect_packages(wanted_by: str = "--onnx") -> None:
    """Raises ConfigError where they are missing, or do not work beside this TensorFlow."""
    for name in PACKAGES:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"{wanted_by}: expected the packages {' and '.join(PACKAGES)}, received no"
                f" {error.name}; pip install '.[onnx]'"
            ) from error
        except (ImportError, AttributeError) as error:  # one that was built for other neighbors
            reason = " ".join(str(error).split())
            raise ConfigError(
                f"{wanted_by}: expected a package {name} that works with what is installed beside"
                f" it, received one that does not load: {reason}; pip install '.[onnx]'"
            ) from error


def expect_size(spec: NetworkSpec, weights: str) -> None:
    """Raises ConfigError: the weights, stored as `weights`, do not fit into one file."""
    size = total_parameters(spec) * tf.as_dtype(weights).size
    if size > LARGEST:
        half = "" if weights != "float32" else "; --weights float16 halves them"
        raise ConfigError(
            f"--onnx: expected weights of at most {LARGEST / 1e9:.1f} GB, as a file of ONNX can"
            f" hold, received {size / 1e9:.1f} GB{half}"
        )


def write(
    served: Served, saved_is_the_same: bool, directory: Path, metadata: dict[str, str]
) -> dict[str, Any]:
    """Writes the file into a SavedModel's directory.

    Args:
        served: computing in float32, as the file will.
        saved_is_the_same: whether the SavedModel does so, too; then it is what the file must answer
            as, and otherwise `served`.

    Returns: what export.json says of it, with how far it is from the SavedModel's signatures on
    random images, by output.

    Raises JobError: it differs by more than TOLERANCE.
    """
    from alexnet_tf.serving import onnx_model

    path = directory / FILE
    path.write_bytes(onnx_model.convert(served, metadata).SerializeToString(deterministic=True))
    answer, size = onnx_model.session(path), served.image_size
    images = np.random.default_rng(0).integers(0, 256, (4, size, size, 3), np.uint8)
    from_saved = differences(answer, tf.saved_model.load(str(directory)).signatures, images)
    same = from_saved if saved_is_the_same else differences(answer, served.signatures(), images)
    for output, difference in same.items():
        if not difference <= TOLERANCE:
            raise JobError(
                f"expected {FILE} to answer as the network, received {output} that differ by"
                f" {difference:.1e}"
            )
    return {"file": FILE, "opset": onnx_model.OPSET, "largest_difference": from_saved}


def probabilities(directory: Path) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function of pictures, uint8 [n, N, N, 3]: float32 [n, classes], by the file."""
    from alexnet_tf.serving import onnx_model

    answer = onnx_model.session(directory / FILE)
    return lambda pictures: tf.constant(answer(pictures.numpy())["probabilities"])


def line(notes: dict[str, Any]) -> str:
    """What `write` returned, in words."""
    found = notes["largest_difference"]
    return (
        f"{notes['file']}: probabilities differ from the SavedModel's by at most"
        f" {found['probabilities']:.1e}, features by {found['features']:.1e} of the largest; it has"
        " no classify, rank and decode, as ONNX Runtime decodes no image files"
    )


def differences(
    answer: Callable[[np.ndarray], dict[str, np.ndarray]],
    signatures: Mapping[str, Callable],
    images: np.ndarray,
) -> dict[str, float]:
    """How far the outputs are from those of the signatures, by output.

    Of probabilities the largest |p − p'|; of features the same as a part of the largest feature.
    """
    received, found = answer(images), {}
    for name, signature in (("probabilities", "serving_default"), ("features", "features")):
        expected = signatures[signature](pictures=tf.constant(images))[name].numpy()
        unit = 1.0 if name == "probabilities" else float(np.abs(expected).max()) or 1.0
        found[name] = float(np.abs(received[name] - expected).max()) / unit
    return found


def properties(info: DatasetInfo, notes: dict, license: str, intended_use: str) -> dict[str, str]:
    """What the file says of itself: the classes in the order of the probabilities, and what was
    done to pictures before they came to it. Names with a point are ONNX's own (MetadataProps.md).

    Args: as those of `model_card.card`.
    """
    preprocessing = {
        "square": info.image_size,
        "resize_filter": info.resize_filter,
        "apply_exif": notes["apply_exif"],
        "inside": f"{notes['views']} views of {notes['input_size']} pixels, minus the mean",
    }
    said = {"model_license": license, "intended_use": intended_use}
    return {
        "classes": json.dumps([asdict(name) for name in info.classes], ensure_ascii=False),
        "preprocessing": json.dumps(preprocessing),
        "Image.BitmapPixelFormat": "Rgb8",
        "Image.NominalPixelRange": "NominalRange_0_255",
        **{key: str(notes[key]) for key in ("variant", "checkpoint", "weights", "dataset")},
        **{key: text for key, text in said.items() if text},
    }
