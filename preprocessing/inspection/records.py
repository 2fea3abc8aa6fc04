"""A record against what dataset_info.json says of all."""

import io

import PIL.Image

from preprocessing.dataset.example import UNLABELLED, Record
from preprocessing.dataset.info import DatasetInfo


def check_record(record: Record, info: DatasetInfo, labelled: bool) -> None:
    """Checks a record against the dataset. Raises ValueError with what is wrong."""
    side = info.image_size
    if (record.format, record.height, record.width) != (info.encoding, side, side):
        raise ValueError(
            f"expected {info.encoding} of {side} x {side}, received {record.format} of "
            f"{record.height} x {record.width}"
        )
    if record.format == "raw":
        if len(record.encoded) != 3 * side * side:
            raise ValueError(f"expected {3 * side * side} bytes, received {len(record.encoded)}")
    else:
        _check_jpeg(record.encoded, side)
    lowest = 0 if labelled else UNLABELLED
    if not lowest <= record.label < len(info.classes):
        raise ValueError(
            f"expected a label from {lowest} to {len(info.classes) - 1}, received {record.label}"
        )
    expected = ("", "")
    if record.label >= 0:
        name = info.classes[record.label]
        expected = (name.synset, name.text)
    if (record.synset, record.text) != expected:
        raise ValueError(f"expected class {expected}, received {(record.synset, record.text)}")


def _check_jpeg(data: bytes, side: int) -> None:
    try:
        with PIL.Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            if image.size != (side, side) or image.mode != "RGB":
                raise ValueError(
                    f"expected RGB {side} x {side}, received {image.mode} {image.size}"
                )
            image.load()
    except ValueError:
        raise
    except Exception as error:  # Pillow's plugins raise nearly everything on damaged bytes
        raise ValueError(f"the JPEG does not decode: {error}") from error
