"""Requests that TensorFlow Serving sends to itself when it loads a model.

The first request of a signature takes seconds, as the graph is prepared then; with these it is over
before the first client comes. They are tensorflow.serving.PredictionLog messages in a TFRecord
file (tensorflow/serving: apis/prediction_log.proto, apis/predict.proto, apis/model.proto), written
here by field number: of each field the package tensorflow-serving-api would know no more.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from preprocessing.dataset.tfrecord import frame

PATH = "assets.extra/tf_serving_warmup_requests"  # below the SavedModel
_PREDICT_LOG, _REQUEST = 6, 1  # of PredictionLog; of PredictLog
_MODEL_SPEC, _INPUTS = 1, 2  # of PredictRequest
_NAME, _SIGNATURE = 1, 3  # of ModelSpec
_KEY, _VALUE = 1, 2  # of a map's entry


def requests(image_size: int) -> bytes:
    """The file: a grey image of the side `image_size` for serving_default, its PNG for classify."""
    image = np.full((image_size, image_size, 3), 128, np.uint8)
    encoded = tf.io.encode_png(image).numpy()
    return b"".join(
        frame(_log(signature, key, value))
        for signature, key, value in (
            ("serving_default", "pictures", image[None]),
            ("classify", "encoded", [encoded]),
        )
    )


def _log(signature: str, key: str, value: np.ndarray | list[bytes]) -> bytes:
    tensor = tf.make_tensor_proto(value).SerializeToString()
    spec = _field(_NAME, b"alexnet") + _field(_SIGNATURE, signature.encode())
    entry = _field(_KEY, key.encode()) + _field(_VALUE, tensor)
    request = _field(_MODEL_SPEC, spec) + _field(_INPUTS, entry)
    return _field(_PREDICT_LOG, _field(_REQUEST, request))


def _field(number: int, content: bytes) -> bytes:
    """A field of the protobuf wire format whose content has a length."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; all but the last byte have the eighth set."""
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])
