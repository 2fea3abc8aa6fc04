"""How fast is a conversion, step by step and as a whole, on these images and this machine?

The images below a folder are repeated under other names (as links) until there are enough. All
figures come from one run: a plain loop of decode, resize, crop and encode in one process, as one
writes it with Pillow alone; the same loop with this package's own functions, which do not resize
what is cropped; both in as many processes at once as there are workers, which shows what the
machine itself loses then; every step by itself, in as many processes too; whole conversions of
several sizes, each as a program of its own; and, for comparison, the Beam pipeline that comes to
mind first, with one element per image.

Start-up (importing, starting workers, the job around the work) is measured by a conversion of a
few images, told apart, and not in the rates: those are the slope between small and large. Short
conversions run three times, and the median counts.
"""

import contextlib
import itertools
import multiprocessing
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from preprocessing.benchmark.loops import STEPS, own_loop, plain_loop, time_steps
from preprocessing.benchmark.programs import as_program, convert_all, convert_naively
from preprocessing.benchmark.report import Measurement, rate_of
from preprocessing.errors import DatasetError
from preprocessing.images.convert import ImageOptions
from preprocessing.job.process_pool import in_processes
from preprocessing.storage.files import LocalFiles

SAMPLE = 2000  # images that the loops run over, at most
NAIVE_SHARE = 4  # the naive pipeline gets this part of them: it is slow
_LEAST_IMAGES = 200
_SHORT = 2000  # a conversion of fewer images is repeated


def measure(
    folder: str, images: Sequence[int], workers: int, options: ImageOptions, repeats: int = 3
) -> Measurement:
    """Measures everything; says on stderr what it is doing.

    Args:
        folder: any folder with images below it.
        images: how many there shall be, by repetition, in each conversion; of a single number, a
            tenth is measured, too.
        workers: processes.
        options: size, filter and encoding to measure with.
        repeats: of conversions that are short; odd.

    Raises:
        DatasetError: too few images, or no images in the folder.
    """
    if min(images) < _LEAST_IMAGES:
        raise DatasetError(f"expected at least {_LEAST_IMAGES} images, received {min(images)}")
    sizes = sorted({*images, images[0] // 10} if len(images) == 1 else set(images))
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch, _single_threaded():
        few = 2 * workers
        for size in (few, *sizes):
            _link_images(folder, Path(scratch, f"source-{size}"), size)
        linked = sorted(Path(scratch, f"source-{sizes[-1]}").rglob("*.JPEG"))
        paths = [str(path) for path in linked][:SAMPLE]
        _say(f"the plain loops, in one process alone, over {len(paths):,} images")
        before = [_in_processes(loop, [paths], options)[0] for loop in (plain_loop, own_loop)]
        _say(f"the same, then every step by itself, in {workers} processes at once")
        shares = [paths[i::workers] for i in range(workers)]
        loops = [
            [rate_of([run]) for run in _in_processes(loop, shares, options)]
            for loop in (plain_loop, own_loop)
        ]
        steps = _in_processes(time_steps, shares, options)
        conversions = []
        for size in (few, *sizes):
            _say(f"a whole conversion of {size:,} images by {workers} workers")
            runs = []
            for run in range(repeats if size < _SHORT else 1):
                source, output = f"source-{size}", f"output-{size}-{run}"
                places = [str(Path(scratch, name)) for name in (source, output)]
                runs.append(as_program(scratch, size, convert_all, *places, workers, options))
                shutil.rmtree(places[1])
            conversions.append(sorted(runs, key=lambda run: run.seconds)[len(runs) // 2])
        _say("the plain loops again")
        after = [_in_processes(loop, [paths], options)[0] for loop in (plain_loop, own_loop)]
        naive = []
        for size in (few, len(paths) // NAIVE_SHARE):
            _say(f"the naive Beam pipeline, {size:,} images")
            chosen, output = paths[:size], str(Path(scratch, f"naive-{size}", "part"))
            arguments = (chosen, output, workers, options)
            naive.append(as_program(scratch, size, convert_naively, *arguments))
    return Measurement(
        workers=workers,
        loop=(before[0], after[0]),
        own_loop=(before[1], after[1]),
        plain_loops=loops[0],
        own_loops=loops[1],
        steps={step: [times[step] for times in steps] for step in STEPS},
        conversions=tuple(conversions),
        naive=tuple(naive),
    )


def _say(what: str) -> None:
    print(f"measuring {what}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _single_threaded() -> Iterator[None]:
    """Worker processes inherit it; there is one for each core already."""
    before = os.environ.get("OPENBLAS_NUM_THREADS")
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OPENBLAS_NUM_THREADS"]
        else:
            os.environ["OPENBLAS_NUM_THREADS"] = before


def _link_images(folder: str, target: Path, count: int) -> None:
    """Makes target/<class>/ with `count` links to the images below a folder, round and round."""
    source = Path(os.path.realpath(folder))  # of a link to itself, no error
    if not source.is_dir():
        raise DatasetError(f"expected a folder as --input, found none at {folder!r}")
    images = [source / entry.name for entry in LocalFiles().walk(str(source)) if entry.size > 0]
    if not images:
        raise DatasetError(f"expected images in {folder!r}, found none")
    for number, image in enumerate(itertools.islice(itertools.cycle(images), count)):
        place = target / f"class-{number % min(count, 10)}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:08d}.JPEG").symlink_to(image)


def _in_processes(work: Callable, shares: Sequence[list[str]], options: ImageOptions) -> list:
    """work(share, options) for each share at once, each in a new process; they start together."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(len(shares))
    calls = [(share, options) for share in shares]
    return list(in_processes(work, calls, len(shares), barrier.wait))
