"""Records against the CRC-32C of RFC 3720, against TensorFlow, and against damage."""

import io
import struct

import google_crc32c
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.dataset.example import FEATURES, Record, decode_example, encode_example
from preprocessing.dataset.tfrecord import RecordError, frame, masked_crc32c, read_records

RECORD = Record(b"\xff\xd8image", "jpeg", 256, 255, 7, "n01440764", "tench", "a.JPEG")

records = st.builds(
    Record,
    encoded=st.binary(max_size=100),
    format=st.sampled_from(["jpeg", "raw"]),
    height=st.integers(0, 2**31),
    width=st.integers(0, 2**31),
    label=st.integers(-1, 2**31),
    synset=st.text(max_size=10),
    text=st.text(max_size=20),
    filename=st.text(max_size=20),
)


def test_crc_of_rfc_3720():
    assert google_crc32c.value(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4: 32 bytes of zeros
    rotated = ((0x8A9136AA >> 15) | (0x8A9136AA << 17)) & 0xFFFFFFFF
    assert masked_crc32c(bytes(32)) == (rotated + 0xA282EAD8) % 2**32


def test_tensorflow_reads_what_we_write(tmp_path):
    path = tmp_path / "shard"
    path.write_bytes(frame(encode_example(RECORD)) + frame(b""))
    first, second = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    assert second == b""
    feature = tf.train.Example.FromString(first).features.feature
    assert set(feature) == set(FEATURES.values())
    assert feature["image/encoded"].bytes_list.value[0] == RECORD.encoded
    assert feature["image/format"].bytes_list.value[0] == b"jpeg"
    assert feature["image/height"].int64_list.value[0] == 256
    assert feature["image/width"].int64_list.value[0] == 255
    assert feature["image/class/label"].int64_list.value[0] == 7
    assert feature["image/class/synset"].bytes_list.value[0] == b"n01440764"
    assert feature["image/class/text"].bytes_list.value[0] == b"tench"
    assert feature["image/filename"].bytes_list.value[0] == b"a.JPEG"


def test_we_read_what_tensorflow_writes(tmp_path):
    path = str(tmp_path / "shard")
    example = tf.train.Example.FromString(encode_example(RECORD))
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(example.SerializeToString())
        writer.write(b"x" * 1000)
    with open(path, "rb") as file:
        first, second = read_records(file)
    assert decode_example(first) == RECORD
    assert second == b"x" * 1000


@given(records)
def test_example_round_trip(record):
    data = encode_example(record)
    assert decode_example(data) == record
    assert encode_example(decode_example(data)) == data


@pytest.mark.parametrize("data", [b"no message", b"", encode_example(RECORD)[:-3]])
def test_other_bytes_are_no_example(data):
    with pytest.raises(ValueError, match="expected"):
        decode_example(data)


@given(st.lists(st.binary(max_size=50), max_size=5))
def test_framing_round_trip(contents):
    file = io.BytesIO(b"".join(frame(data) for data in contents))
    assert list(read_records(file)) == contents


@given(st.data())
def test_every_changed_byte_is_noticed(data):
    framed = bytearray(frame(b"one") + frame(b"another"))
    position = data.draw(st.integers(0, len(framed) - 1))
    framed[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(RecordError):
        list(read_records(io.BytesIO(framed)))


@given(st.integers(1, len(frame(b"one")) - 1))
def test_every_truncation_is_noticed(length):
    with pytest.raises(RecordError, match="ends inside"):
        list(read_records(io.BytesIO(frame(b"one")[:length])))


def test_a_huge_length_is_refused_before_it_is_read():
    length = struct.pack("<Q", 1 << 50)
    head = length + struct.pack("<I", masked_crc32c(length))
    with pytest.raises(RecordError, match="bytes at byte 0"):
        list(read_records(io.BytesIO(head)))
