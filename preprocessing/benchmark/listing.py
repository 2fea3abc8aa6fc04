"""What does a driver need to list and plan a very large set? Time and memory, step by step.

The images are made up: an object store of class folders that exists in no place, behind Beam's own
interface, so that everything a driver does is done, and nothing waits for a network. The driver is
a process of its own, as its memory is to be measured.
"""

import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

from apache_beam.io.filesystem import FileMetadata, FileSystem
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from preprocessing.benchmark.memory import highest_memory
from preprocessing.errors import DatasetError
from preprocessing.images.convert import ImageOptions
from preprocessing.job.plan import make_plan, write_plan
from preprocessing.job.process_pool import in_processes
from preprocessing.job.progress import ListingProgress
from preprocessing.job.request import Conversion, job_identity
from preprocessing.sources.list_source import list_source
from preprocessing.storage.files import LocalFiles

IMAGES_PER_CLASS = 667  # as ImageNet-21k: 14 million in 21 thousand
_LEAST_IMAGES, _MOST_IMAGES = 1000, 100_000_000
_SCHEME = "made-up"


@dataclass(frozen=True)
class ListingMeasurement:
    """Seconds of each step, and of processor time; highest memory of the process, in bytes."""

    images: int
    classes: int
    listing: float
    planning: float
    writing: float
    processor: float
    plan_bytes: int
    memory: int

    def text(self) -> str:
        """Several lines for the user."""
        total = self.listing + self.planning + self.writing
        return (
            f"{self.images:,} images in {self.classes:,} class folders\n"
            f"listing, a tenth of each class held out: {self.listing:.1f} s\n"
            f"planning: {self.planning:.1f} s\n"
            f"writing the plan: {self.writing:.1f} s, {self.plan_bytes / 1e6:,.0f} MB\n"
            f"together: {total:.1f} s, {1e6 * total / self.images:.2f} µs an image\n"
            f"processor time, which other programs disturb less: {self.processor:.1f} s\n"
            f"highest memory: {self.memory / 1e6:,.0f} MB, "
            f"{self.memory / self.images:,.0f} bytes an image"
        )


class MadeUpStore(FileSystem):
    """An object store that is only listed: made-up://IMAGES/train/CLASS/IMAGE."""

    @classmethod
    def scheme(cls) -> str:
        return _SCHEME

    def has_dirs(self) -> bool:
        return False

    def _list(self, dir_or_prefix: str) -> Iterator[FileMetadata]:
        count = int(dir_or_prefix.split("/")[2])
        for number in range(count):
            label, index = divmod(number, IMAGES_PER_CLASS)
            name = f"n{label:08d}/n{label:08d}_{index * 7919 % IMAGES_PER_CLASS}.JPEG"
            yield FileMetadata(f"{dir_or_prefix}{name}", 100_000 + number % 50_000, 1.7e9 + number)

    def _nothing(self, *arguments: object, **named: object) -> None:
        raise NotImplementedError("these images are made up")

    join = split = mkdirs = create = open = copy = rename = exists = size = _nothing
    last_updated = checksum = metadata = delete = _nothing


def measure_listing(images: int) -> ListingMeasurement:
    """Lists and plans so many images in a process of its own. Raises DatasetError: too few."""
    if not _LEAST_IMAGES <= images <= _MOST_IMAGES:
        raise DatasetError(
            f"expected --listing from {_LEAST_IMAGES} to {_MOST_IMAGES}, received {images}"
        )
    (measurement,) = in_processes(_list_and_plan, [(images,)], 1)
    return measurement


def _list_and_plan(images: int) -> ListingMeasurement:
    began = time.process_time()
    FileSystems.set_options(PipelineOptions([]))
    store = f"{_SCHEME}://{images}"
    conversion = Conversion("folder", store, "/nowhere", ImageOptions())
    with tempfile.TemporaryDirectory(prefix="listing-") as scratch:
        files, path = LocalFiles(), os.path.join(scratch, "plan.bin")
        times = [time.perf_counter()]
        listing = list_source(
            conversion.source,
            conversion.input,
            conversion.seed,
            conversion.validation_fraction,
            conversion.follow_links,
            files,
            scratch,
            ListingProgress(),
        )
        times.append(time.perf_counter())
        plan = make_plan(listing, {}, conversion.seed)
        job_identity(conversion, listing, plan)
        times.append(time.perf_counter())
        write_plan(files, path, plan)
        times.append(time.perf_counter())
        size = files.entry(path).size
    seconds = [end - begin for begin, end in itertools.pairwise(times)]
    processor = time.process_time() - began
    return ListingMeasurement(
        images, len(listing.classes), *seconds, processor, size, highest_memory()
    )
