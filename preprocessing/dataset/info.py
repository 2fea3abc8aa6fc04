"""dataset_info.json: what a dataset holds, and how it was made."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from preprocessing.dataset.atomic import replacing
from preprocessing.dataset.names import INFO_FILE
from preprocessing.dataset.parts import (
    ClassName,
    ColorStatistics,
    Shard,
    StoredFile,
    class_counts_from_json,
    classes_from_json,
    color_from_json,
    files_from_json,
    shards_from_json,
)
from preprocessing.errors import DatasetError

# Version 2 added `files` and the checksum of the content. Version 1 differs in nothing else, and
# converting ImageNet again takes hours: it is read, and checked as far as it says what to expect.
FORMAT_VERSION = 2
READABLE_VERSIONS = (1, 2)
# Part of the fingerprint: raised when the same images would be read otherwise. Not for version 2,
# so that a run which began on a dataset of version 1 goes on with the same one converted again.
RECORDS_VERSION = 1
ENCODINGS = ("jpeg", "raw")

_MAX_INFO_BYTES = 256 << 20
_MAX_IMAGE_SIZE = 65_536
_KINDS = {
    "source": str,
    "resize_filter": str,
    "jpeg_quality": (int, type(None)),
    "seed": int,
    "classes": list,
    "splits": dict,
    "rejects": dict,
    "tool_versions": dict,
    "options": dict,
}


@dataclass(frozen=True)
class DatasetInfo:
    """What dataset_info.json says.

    Attributes:
        format_version: version of the format, one of READABLE_VERSIONS.
        source: "ilsvrc2012", "folder" or "cifar10".
        image_size: side of the square images, in pixels.
        encoding: "jpeg" or "raw"; jpeg_quality is None for "raw".
        resize_filter: "area", "bilinear", "bicubic" or "lanczos".
        seed: of the global permutation (and of the held-out split).
        classes: by label.
        splits: the shards of each split, in order.
        color: color statistics of the training split.
        class_counts: number of examples of each label, by split with labels; not in format
            version 1.
        rejects: number of images that could not be converted, by reason.
        tool_versions: of the libraries that determine the bytes.
        options: further options of the conversion that determine the bytes.
        files: what lies beside the shards, by name; nothing in format version 1.
    """

    source: str
    image_size: int
    encoding: str
    jpeg_quality: int | None
    resize_filter: str
    seed: int
    classes: tuple[ClassName, ...]
    splits: Mapping[str, tuple[Shard, ...]]
    color: ColorStatistics
    rejects: Mapping[str, int] = field(default_factory=dict)
    tool_versions: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, StoredFile] = field(default_factory=dict)
    class_counts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    def num_examples(self, split: str) -> int:
        """Number of examples of a split; DatasetError if the dataset has no such split."""
        return sum(shard.examples for shard in self._shards(split))

    def shard_paths(self, directory: str | os.PathLike, split: str) -> list[str]:
        """Paths of a split's shards below the dataset's directory, in order."""
        return [os.path.join(os.fspath(directory), shard.name) for shard in self._shards(split)]

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of all that determines what a reader sees: records, order, statistics."""
        content = {
            "format_version": RECORDS_VERSION,
            "image_size": self.image_size,
            "encoding": self.encoding,
            "classes": [(name.synset, name.text) for name in self.classes],
            "splits": {
                split: [(shard.name, shard.examples, shard.checksum) for shard in shards]
                for split, shards in self.splits.items()
            },
            "color": dataclasses.astuple(self.color),
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def _shards(self, split: str) -> tuple[Shard, ...]:
        if split not in self.splits:
            raise DatasetError(f"expected a split of {', '.join(self.splits)}; received {split!r}")
        return self.splits[split]


def serialize_info(info: DatasetInfo) -> bytes:
    """dataset_info.json's bytes."""
    content = dataclasses.asdict(info)
    if info.format_version == 1:
        del content["files"], content["class_counts"]
    else:
        content["checksum"] = _content_checksum(content)
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def _content_checksum(content: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of all but the field "checksum", however the JSON is spaced and ordered."""
    rest = {name: value for name, value in content.items() if name != "checksum"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def check_info_size(size: int, where: str) -> None:
    """Raises DatasetError if the file `where` is too large, in bytes, to be read into memory."""
    if size > _MAX_INFO_BYTES:
        raise DatasetError(f"expected {where} of at most {_MAX_INFO_BYTES} bytes, received {size}")


def parse_info(data: bytes, where: str) -> DatasetInfo:
    """The inverse of serialize_info; `where` names the file in errors.

    Raises:
        DatasetError: no JSON, of another format version, or a field is missing or ill-formed.
    """
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"expected JSON in {where}, received: {error}") from error
    version = content.get("format_version") if isinstance(content, dict) else None
    if type(version) is not int or version not in READABLE_VERSIONS:
        readable = " or ".join(map(str, READABLE_VERSIONS))
        raise DatasetError(
            f"expected a dataset of format version {readable}, received version "
            f"{version!r} in {where}; convert it again with this program"
        )
    try:
        return _info_from_json(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        problem = f"field {error} is missing" if isinstance(error, KeyError) else str(error)
        raise DatasetError(f"{where} is damaged: {problem}; convert the dataset again") from error


def _info_from_json(content: dict[str, Any]) -> DatasetInfo:
    values = {name: value for name, value in content.items() if name != "checksum"}
    for name, kind in _KINDS.items():
        if not isinstance(content[name], kind):
            raise ValueError(f"expected {name} of another kind, received {content[name]!r}")
    values["classes"] = classes_from_json(content["classes"])
    values["splits"] = shards_from_json(content["splits"])
    values["color"] = color_from_json(content["color"])
    if content["format_version"] > 1:
        values["files"] = files_from_json(content["files"])
        counts = class_counts_from_json(
            content["class_counts"], content["splits"], len(content["classes"])
        )
        values["class_counts"] = counts
    elif {"files", "class_counts", "checksum"} & set(content):
        raise ValueError("expected neither files nor a checksum in format version 1")
    info = DatasetInfo(**values)
    if info.encoding not in ENCODINGS:
        raise ValueError(f"expected an encoding of {ENCODINGS}, received {info.encoding!r}")
    if type(info.image_size) is not int or not 1 <= info.image_size <= _MAX_IMAGE_SIZE:
        raise ValueError(f"expected an image size in pixels, received {info.image_size!r}")
    # Last, so that an ill-formed field is named.
    if info.format_version > 1 and content["checksum"] != _content_checksum(content):
        raise ValueError("its checksum is not that of its content; it was changed")
    return info


def read_info(directory: str | os.PathLike) -> DatasetInfo:
    """Reads dataset_info.json.

    Raises:
        DatasetError: the directory is no complete dataset, or of another format version, or it
            cannot be read.
    """
    path = Path(directory) / INFO_FILE
    try:
        if not path.is_file():
            raise DatasetError(
                f"expected {INFO_FILE} in {os.fspath(directory)!r}, found none: it is not a"
                " complete dataset; make one with: python -m preprocessing convert"
            )
        check_info_size(path.stat().st_size, str(path))
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error.strerror or error}") from error
    return parse_info(content, str(path))


def write_info(directory: str | os.PathLike, info: DatasetInfo) -> None:
    """Writes dataset_info.json under a temporary name, then renames it."""
    with replacing(Path(directory) / INFO_FILE) as file:
        file.write(serialize_info(info))
