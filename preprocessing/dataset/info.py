"""dataset_info.json: what a dataset holds, and how it was made."""

import dataclasses
import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from preprocessing.dataset.atomic import replacing
from preprocessing.dataset.names import INFO_FILE, shard_name
from preprocessing.errors import DatasetError

FORMAT_VERSION = 1
ENCODINGS = ("jpeg", "raw")

_MAX_INFO_BYTES = 256 << 20
_MAX_IMAGE_SIZE = 65_536
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ClassName:
    """A class: its identifier (WNID, or the folder's name) and its readable name."""

    synset: str
    text: str


@dataclass(frozen=True)
class Shard:
    """A shard: file name, number of examples, bytes, and the SHA-256 of the file in hex."""

    name: str
    examples: int
    bytes: int
    checksum: str


@dataclass(frozen=True)
class ColorStatistics:
    """Color statistics of the training split's pixels after preprocessing, in grey levels 0..255.

    Attributes:
        mean_rgb: channel means.
        stddevs: square roots of the eigenvalues of the RGB covariance, ascending.
        eigenvectors: ``eigenvectors[c][j]`` is channel c (R, G, B) of eigenvector j, of fixed sign.
    """

    mean_rgb: tuple[float, float, float]
    stddevs: tuple[float, float, float]
    eigenvectors: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class DatasetInfo:
    """What dataset_info.json says.

    Attributes:
        format_version: version of the format, FORMAT_VERSION.
        source: "ilsvrc2012", "folder" or "cifar10".
        image_size: side of the square images, in pixels.
        encoding: "jpeg" or "raw"; jpeg_quality is None for "raw".
        resize_filter: "area", "bilinear", "bicubic" or "lanczos".
        seed: of the global permutation (and of the held-out split).
        classes: by label.
        splits: the shards of each split, in order.
        color: color statistics of the training split.
        rejects: number of images that could not be converted, by reason.
        tool_versions: of the libraries that determine the bytes.
        options: further options of the conversion that determine the bytes.
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
            "format_version": self.format_version,
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
    return (json.dumps(dataclasses.asdict(info), indent=1, ensure_ascii=False) + "\n").encode()


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
    if version != FORMAT_VERSION:
        raise DatasetError(
            f"expected a dataset of format version {FORMAT_VERSION}, received version "
            f"{version!r} in {where}; convert it again with this program"
        )
    try:
        return _info_from_json(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        problem = f"field {error} is missing" if isinstance(error, KeyError) else str(error)
        raise DatasetError(f"{where} is damaged: {problem}; convert the dataset again") from error


def _info_from_json(content: dict[str, Any]) -> DatasetInfo:
    color = content["color"]
    values = dict(content)
    values["classes"] = tuple(
        ClassName(str(name["synset"]), str(name["text"])) for name in content["classes"]
    )
    values["splits"] = {
        split: tuple(_checked_shard(split, i, len(shards), shard) for i, shard in enumerate(shards))
        for split, shards in content["splits"].items()
    }
    values["color"] = ColorStatistics(
        mean_rgb=_triple(color["mean_rgb"]),
        stddevs=_triple(color["stddevs"]),
        eigenvectors=_triple(color["eigenvectors"], _triple),
    )
    info = DatasetInfo(**values)
    if info.encoding not in ENCODINGS:
        raise ValueError(f"expected an encoding of {ENCODINGS}, received {info.encoding!r}")
    if type(info.image_size) is not int or not 1 <= info.image_size <= _MAX_IMAGE_SIZE:
        raise ValueError(f"expected an image size in pixels, received {info.image_size!r}")
    return info


def _checked_shard(split: str, index: int, count: int, values: dict[str, Any]) -> Shard:
    """A shard whose name is the only one it may have: names become paths."""
    shard = Shard(**values)
    if shard.name != shard_name(split, index, count):
        raise ValueError(f"expected shard {shard_name(split, index, count)}, got {shard.name!r}")
    sizes = (shard.examples, shard.bytes)
    if any(type(size) is not int or size < 0 for size in sizes):
        raise ValueError(f"expected counts of {shard.name}, received {sizes}")
    if not _SHA256.fullmatch(shard.checksum):
        raise ValueError(f"expected a SHA-256 of {shard.name}, received {shard.checksum!r}")
    return shard


def _triple(values: list, convert: Callable = float) -> tuple:
    result = tuple(convert(value) for value in values)
    if len(result) != 3 or any(isinstance(v, float) and not math.isfinite(v) for v in result):
        raise ValueError(f"expected three finite numbers, received {values}")
    return result


def read_info(directory: str | os.PathLike) -> DatasetInfo:
    """Reads dataset_info.json.

    Raises:
        DatasetError: the directory is no complete dataset, or of another format version.
    """
    path = Path(directory) / INFO_FILE
    if not path.is_file():
        raise DatasetError(
            f"expected {INFO_FILE} in {os.fspath(directory)!r}, found none: it is not a complete "
            "dataset; make one with: python -m preprocessing convert"
        )
    if path.stat().st_size > _MAX_INFO_BYTES:
        raise DatasetError(f"expected {path} to be at most {_MAX_INFO_BYTES} bytes, it is larger")
    return parse_info(path.read_bytes(), str(path))


def write_info(directory: str | os.PathLike, info: DatasetInfo) -> None:
    """Writes dataset_info.json under a temporary name, then renames it."""
    with replacing(Path(directory) / INFO_FILE) as file:
        file.write(serialize_info(info))
