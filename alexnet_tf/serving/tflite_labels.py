"""The classes' names inside a TFLite file, where TFLite's own tools look for them.

That is TFLite's model metadata: a description of input and output among the file's buffers, and
behind the file a zip of what it names, here `labels.txt` of the output. Interpreters need neither.
Schema: tensorflow/tflite-support, metadata_schema.fbs; `tensorflow` brings flatbuffers, and no
package besides is needed.
"""

from __future__ import annotations

import io
import zipfile

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

LABELS_FILE = "labels.txt"
_METADATA = "TFLITE_METADATA"  # the buffer's name
# Of the schema: enumerations, and the identifier of its version.
_AXIS_LABELS, _FEATURE, _IMAGE, _RGB = 2, 1, 2, 1
_IDENTIFIER, _PARSER = b"M001", "1.0.0"


def with_labels(content: bytes, labels: str, name: str) -> bytes:
    """The .tflite file with its classes' names.

    Args:
        content: a file whose only input is an RGB image, and only output a value for each class.
        labels: a line for each class, in the order of the output.
        name: of the network.
    """
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(_metadata(name), np.uint8)
    entry.name, entry.buffer = _METADATA, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    return _with_file(bytes(flatbuffer_utils.convert_object_to_bytearray(model)), labels)


def read_labels(content: bytes) -> list[str]:
    """The names in a file of `with_labels`, by class."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(LABELS_FILE).decode().splitlines()


def _with_file(content: bytes, labels: str) -> bytes:
    """The file with a zip behind it, as TFLite's tools write one: places count from the start."""
    file = io.BytesIO(content)
    with zipfile.ZipFile(file, "a") as archive:
        # A ZipInfo, which notes no time: the same run gives the same file.
        archive.writestr(zipfile.ZipInfo(LABELS_FILE), labels)
    return file.getvalue()


def _metadata(name: str) -> bytes:
    """A ModelMetadata. What a table refers to is written before it."""
    builder = flatbuffers.Builder(1024)
    text = builder.CreateString
    label_file = _table(builder, {0: text(LABELS_FILE), 2: ("Int8", _AXIS_LABELS)})
    image = _table(builder, {0: ("Int8", _RGB)})
    images = _table(builder, {0: ("Uint8", _IMAGE), 1: image})
    values = _table(builder, {0: ("Uint8", _FEATURE), 1: _table(builder, {})})
    given = _table(builder, {0: text("images"), 3: images})
    files = _list(builder, label_file)
    received = _table(builder, {0: text("probabilities"), 3: values, 6: files})
    given, received = _list(builder, given), _list(builder, received)
    graph = _list(builder, _table(builder, {2: given, 3: received}))
    whole = _table(builder, {0: text(name), 3: graph, 7: text(_PARSER)})
    builder.Finish(whole, file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


def _table(builder: flatbuffers.Builder, slots: dict[int, int | tuple[str, int]]) -> int:
    """A table whose fields are offsets, or (type, number); by their places in the schema."""
    builder.StartObject(max(slots, default=-1) + 1)
    for slot, field in slots.items():
        if isinstance(field, tuple):
            kind, number = field
            getattr(builder, f"Prepend{kind}Slot")(slot, number, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(slot, field, 0)
    return builder.EndObject()


def _list(builder: flatbuffers.Builder, table: int) -> int:
    """A vector of one table."""
    builder.StartVector(4, 1, 4)
    builder.PrependUOffsetTRelative(table)
    return builder.EndVector()
