"""Warm-up requests, read by protobuf from a description of the messages of their own."""

import io

import numpy as np
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from alexnet_tf.serving import warmup
from preprocessing.dataset.tfrecord import read_records

FIELDS = {  # as TensorFlow Serving's .proto files number them; a tensor stays bytes here
    "Entry": [("key", 1, "string"), ("value", 2, "bytes")],
    "Spec": [("name", 1, "string"), ("signature_name", 3, "string")],
    "Request": [("model_spec", 1, "Spec"), ("inputs", 2, "Entry")],
    "Log": [("request", 1, "Request")],
    "PredictionLog": [("predict_log", 6, "Log")],
}


def prediction_log():
    file = descriptor_pb2.FileDescriptorProto(
        name="warmup_test.proto", package="w", syntax="proto3"
    )
    for name, fields in FIELDS.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            added = message.field.add(name=field, number=number)
            added.label = added.LABEL_REPEATED if field == "inputs" else added.LABEL_OPTIONAL
            added.type = {"string": added.TYPE_STRING, "bytes": added.TYPE_BYTES}.get(
                kind, added.TYPE_MESSAGE
            )
            if added.type == added.TYPE_MESSAGE:
                added.type_name = f".w.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("w.PredictionLog"))


def test_a_request_for_each_signature():
    logs = [prediction_log().FromString(r) for r in read_records(io.BytesIO(warmup.requests(72)))]
    requests = [log.predict_log.request for log in logs]
    assert [r.model_spec.signature_name for r in requests] == ["serving_default", "classify"]
    inputs = [{i.key: tf.make_ndarray(tensor(i.value)) for i in r.inputs} for r in requests]
    np.testing.assert_array_equal(inputs[0]["pictures"], np.full((1, 72, 72, 3), 128, np.uint8))
    [png] = inputs[1]["encoded"]
    np.testing.assert_array_equal(tf.io.decode_png(png), inputs[0]["pictures"][0])


def tensor(data: bytes):
    return type(tf.make_tensor_proto(0)).FromString(data)
