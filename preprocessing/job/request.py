"""What is asked of a conversion, and what identifies it: the same job gives the same bytes."""

import dataclasses
import hashlib
import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import PIL
import PIL.features

from preprocessing.dataset.info import FORMAT_VERSION, ClassName
from preprocessing.images.convert import ImageOptions
from preprocessing.job.plan import Plan
from preprocessing.sources.listing import Listing

_ORDER = "order of the images"

# Options of convert that are called otherwise than their fields of ImageOptions.
_OPTIONS = {"size": "--image-size", "filter": "--resize-filter"}


@dataclass(frozen=True)
class Conversion:
    """What the user asked for.

    Attributes:
        source: "ilsvrc2012", "folder" or "cifar10".
        input: the source's path; output: the dataset's directory.
        images: how each image is converted.
        seed: of the order of the images, and of the held-out part.
        shards: number of shards by split, where it is not the default.
        validation_fraction: of each class's images, held out where a folder has no validation.
        follow_links: list folders of the input that are links too.
        max_rejects: fraction of all images; more rejects fail the job.
        overwrite: replace the dataset, or the other unfinished conversion, that output holds.
    """

    source: str
    input: str
    output: str
    images: ImageOptions
    seed: int = 0
    shards: Mapping[str, int] = field(default_factory=dict)
    validation_fraction: float = 0.1
    follow_links: bool = False
    max_rejects: float = 0.001
    overwrite: bool = False


def option_of(name: str) -> str:
    """convert's option for a field of ImageOptions."""
    return _OPTIONS.get(name, "--" + name.replace("_", "-"))


def tool_versions() -> dict[str, str]:
    """Versions of the libraries that determine the bytes of a dataset."""
    jpeg = PIL.features.version("libjpeg_turbo") or PIL.features.version("jpg") or "unknown"
    return {
        "pillow": PIL.__version__,
        "libjpeg": str(jpeg),
        "numpy": np.__version__,
        "apache-beam": importlib.metadata.version("apache-beam"),
    }


def image_values(images: ImageOptions) -> dict[str, object]:
    """All fields of ImageOptions by name; None where one has no effect."""
    values = dataclasses.asdict(images)
    if images.encoding != "jpeg":
        values["quality"] = None
    return values


def job_identity(conversion: Conversion, listing: Listing, plan: Plan) -> dict[str, str]:
    """All that determines the result, item by item, for comparison with an unfinished job."""
    versions = tool_versions()
    shards = sorted(plan.shard_counts.items())
    identity = {
        "format version": FORMAT_VERSION,
        "--source": conversion.source,
        **{option_of(name): value for name, value in image_values(conversion.images).items()},
        "--seed": conversion.seed,
        "--shards": ",".join(f"{split}={count}" for split, count in shards),
        "--validation-fraction": conversion.validation_fraction,
        "Pillow": versions["pillow"],
        "libjpeg": versions["libjpeg"],
        **{f"input {item}": state for item, state in listing.identity.items()},
        "names of the classes": _digest(listing.classes),  # records have them; a kit may come later
        _ORDER: plan.digest,
    }
    return {item: str(state) for item, state in identity.items()}


def _digest(classes: Sequence[ClassName]) -> str:
    names = json.dumps([(name.synset, name.text) for name in classes])
    return hashlib.sha256(names.encode()).hexdigest()[:16]


def difference(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """The first few items in which two identities differ, as one line."""
    items = [item for item in {**before, **now} if before.get(item) != now.get(item)]
    if items != [_ORDER]:  # else it follows from the others
        items = [item for item in items if item != _ORDER]
    told = [
        f"{item} was {before.get(item, 'absent')}, is {now.get(item, 'absent')}" for item in items
    ]
    more = f", and {len(told) - 3} more" if len(told) > 3 else ""
    return "; ".join(told[:3]) + more
