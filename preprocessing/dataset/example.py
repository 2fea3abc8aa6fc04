"""An image as a tf.train.Example message: its features' names, and both ways between."""

from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

UNLABELLED = -1  # the label of an image whose class is not known

FEATURES = {
    "encoded": "image/encoded",
    "format": "image/format",
    "height": "image/height",
    "width": "image/width",
    "label": "image/class/label",
    "synset": "image/class/synset",
    "text": "image/class/text",
    "filename": "image/filename",
}


@dataclass(frozen=True)
class Record:
    """One image as it stands in a shard.

    Attributes:
        encoded: the JPEG file, or ``height * width * 3`` bytes of uint8 RGB in row-major order.
        format: "jpeg" or "raw".
        height, width: in pixels.
        label: 0-based class number; -1 where the source has no label.
        synset, text: the class's identifier and its readable name; empty where unlabelled.
        filename: the image's name within its class or archive.
    """

    encoded: bytes
    format: str
    height: int
    width: int
    label: int
    synset: str
    text: str
    filename: str


def _declare_example() -> type:
    """Declares messages wire-compatible with tf.train.Example in a pool of their own.

    Generated code would pin one major version of protobuf, and TensorFlow 2.15 and 2.21 bring two.
    """
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="preprocessing/example.proto", package="preprocessing", syntax="proto3"
    )

    def message(name: str) -> descriptor_pb2.DescriptorProto:
        return file.message_type.add(name=name)

    def add(
        parent: descriptor_pb2.DescriptorProto,
        name: str,
        number: int,
        kind: int,
        repeated: bool = False,
        type_name: str | None = None,
        **more: Any,
    ) -> None:
        label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
        parent.field.add(
            name=name, number=number, type=kind, label=label, type_name=type_name, **more
        )

    for name, kind in (
        ("BytesList", kinds.TYPE_BYTES),
        ("FloatList", kinds.TYPE_FLOAT),
        ("Int64List", kinds.TYPE_INT64),
    ):
        add(message(name), "value", 1, kind, repeated=True)  # proto3 packs numbers
    feature = message("Feature")
    feature.oneof_decl.add(name="kind")
    for number, name in enumerate(("BytesList", "FloatList", "Int64List"), start=1):
        field_name = name.replace("List", "_list").lower()
        type_name = f".preprocessing.{name}"
        add(feature, field_name, number, kinds.TYPE_MESSAGE, type_name=type_name, oneof_index=0)
    features = message("Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    add(entry, "key", 1, kinds.TYPE_STRING)
    add(entry, "value", 2, kinds.TYPE_MESSAGE, type_name=".preprocessing.Feature")
    entry_type = ".preprocessing.Features.FeatureEntry"
    add(features, "feature", 1, kinds.TYPE_MESSAGE, repeated=True, type_name=entry_type)
    add(message("Example"), "features", 1, kinds.TYPE_MESSAGE, type_name=".preprocessing.Features")

    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("preprocessing.Example"))


_Example = _declare_example()


def encode_example(record: Record) -> bytes:
    """Serializes a record as a tf.train.Example; equal records give equal bytes."""
    example = _Example()
    feature = example.features.feature
    for name, key in FEATURES.items():
        value = getattr(record, name)
        if isinstance(value, int):
            feature[key].int64_list.value.append(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            feature[key].bytes_list.value.append(data)
    return example.SerializeToString(deterministic=True)


def decode_example(data: bytes) -> Record:
    """Parses what encode_example or TensorFlow wrote.

    Raises:
        ValueError: the bytes are no tf.train.Example, or a feature is missing or of another type.
    """
    try:
        example = _Example.FromString(data)
    except DecodeError as error:
        raise ValueError("expected a tf.train.Example, received other bytes") from error
    feature = example.features.feature
    values: dict[str, Any] = {}
    for name, key in FEATURES.items():
        kind = "int64_list" if name in ("height", "width", "label") else "bytes_list"
        if key not in feature or len(getattr(feature[key], kind).value) != 1:
            raise ValueError(f"expected one {kind} value of feature {key!r}, received none")
        value = getattr(feature[key], kind).value[0]
        is_text = name in ("format", "synset", "text", "filename")
        values[name] = value.decode() if is_text else value
    return Record(**values)
