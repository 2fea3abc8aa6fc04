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
import io
import itertools
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path

from PIL import Image

from preprocessing.benchmark.memory import highest_memory
from preprocessing.benchmark.report import Measurement, TimedRun, rate_of
from preprocessing.dataset.example import Record, encode_example
from preprocessing.dataset.tfrecord import frame
from preprocessing.errors import DatasetError
from preprocessing.images.convert import ImageOptions, decode, decode_and_resize, encode, resize
from preprocessing.images.statistics import PixelStatistics
from preprocessing.storage.files import LocalFiles

STEPS = ("read", "decode", "resize", "encode", "statistics", "records")
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
        before = [_in_processes(loop, [paths], options)[0] for loop in (_plain_loop, _own_loop)]
        _say(f"the same, then every step by itself, in {workers} processes at once")
        shares = [paths[i::workers] for i in range(workers)]
        loops = [
            [rate_of([run]) for run in _in_processes(loop, shares, options)]
            for loop in (_plain_loop, _own_loop)
        ]
        steps = _in_processes(_time_steps, shares, options)
        conversions = []
        for size in (few, *sizes):
            _say(f"a whole conversion of {size:,} images by {workers} workers")
            runs = []
            for run in range(repeats if size < _SHORT else 1):
                source, output = f"source-{size}", f"output-{size}-{run}"
                places = [str(Path(scratch, name)) for name in (source, output)]
                runs.append(_as_program(scratch, size, _convert, *places, workers, options))
                shutil.rmtree(places[1])
            conversions.append(sorted(runs, key=lambda run: run.seconds)[len(runs) // 2])
        _say("the plain loops again")
        after = [_in_processes(loop, [paths], options)[0] for loop in (_plain_loop, _own_loop)]
        naive = []
        for size in (few, len(paths) // NAIVE_SHARE):
            _say(f"the naive Beam pipeline, {size:,} images")
            chosen, output = paths[:size], str(Path(scratch, f"naive-{size}", "part"))
            arguments = (chosen, output, workers, options)
            naive.append(_as_program(scratch, size, _convert_naively, *arguments))
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
    source = Path(folder).resolve()
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
    with ProcessPoolExecutor(len(shares), context, _wait_for_all, (barrier,)) as pool:
        return list(pool.map(work, shares, itertools.repeat(options)))


def _wait_for_all(barrier: Barrier) -> None:
    barrier.wait()


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _plain_loop(paths: list[str], options: ImageOptions) -> TimedRun:
    """What one writes first: Pillow, the short side to the size, the middle of it, JPEG."""
    filters = Image.Resampling
    method = filters.BOX if options.filter == "area" else filters[options.filter.upper()]
    size = options.size

    def convert(path: str) -> None:
        image = Image.open(path).convert("RGB")
        scale = size / min(image.size)
        image = image.resize([max(size, round(scale * side)) for side in image.size], method)
        left, top = (image.width - size) // 2, (image.height - size) // 2
        image = image.crop((left, top, left + size, top + size))
        if options.encoding == "jpeg":
            image.save(io.BytesIO(), "JPEG", quality=options.quality)
        else:
            image.tobytes()

    return _loop(convert, paths)


def _own_loop(paths: list[str], options: ImageOptions) -> TimedRun:
    """The same with this package's functions."""
    return _loop(lambda path: encode(decode_and_resize(_read(path), options), options), paths)


def _loop(convert: Callable[[str], object], paths: list[str]) -> TimedRun:
    began, processor_began = time.perf_counter(), time.process_time()
    for path in paths:
        convert(path)
    seconds, processor = time.perf_counter() - began, time.process_time() - processor_began
    return TimedRun(len(paths), seconds, processor, 0)


def _time_steps(paths: list[str], options: ImageOptions) -> dict[str, float]:
    """images/s of each step by itself."""
    spent = dict.fromkeys(STEPS, 0.0)
    statistics = PixelStatistics(options.size)
    clock = time.perf_counter
    for path in paths:
        times = [clock()]
        data = _read(path)
        times.append(clock())
        image, square, _ = decode(data, options)
        times.append(clock())
        pixels = resize(image, square, options)
        times.append(clock())
        encoded = encode(pixels, options)
        times.append(clock())
        statistics.add(pixels)
        times.append(clock())
        frame(encode_example(_record(encoded, path, options)))
        times.append(clock())
        for step, begin, end in zip(STEPS, times, times[1:], strict=False):
            spent[step] += end - begin
    return {step: len(paths) / seconds for step, seconds in spent.items()}


def _record(encoded: bytes, path: str, options: ImageOptions) -> Record:
    synset = os.path.basename(os.path.dirname(path))
    size = options.size
    name = os.path.basename(path)
    return Record(encoded, options.encoding, size, size, 0, synset, synset, name)


def _as_program(scratch: str, images: int, work: Callable, *arguments) -> TimedRun:
    """Runs work(*arguments) in a new process; measures it from its start to its end."""
    log = os.path.join(scratch, "log")  # Beam's workers print a lot
    began = time.perf_counter()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool:
        processor, memory = pool.submit(_run_measured, log, work, arguments).result()
    return TimedRun(images, time.perf_counter() - began, processor, memory)


def _run_measured(log: str, work: Callable, arguments: tuple) -> tuple[float, int]:
    """Does the work; returns (processor time, highest memory of a process in bytes), both of this
    process and of all that it started."""
    with open(log, "ab") as file:
        for standard in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), standard.fileno())
    work(*arguments)
    used = [resource.getrusage(kind) for kind in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    processor = sum(usage.ru_utime + usage.ru_stime for usage in used)
    children = used[1].ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return processor, max(highest_memory(), children)


def _convert(source: str, output: str, workers: int, options: ImageOptions) -> None:
    from preprocessing.job.convert import convert
    from preprocessing.job.request import Conversion
    from preprocessing.job.runners import beam_options

    # Every image goes into the training split, the one with statistics.
    conversion = Conversion("folder", source, output, options, validation_fraction=0)
    convert(conversion, beam_options([], workers))


def _convert_naively(paths: list[str], output: str, workers: int, options: ImageOptions) -> None:
    """One element per image, encoded examples through the runner, Beam's own TFRecord writer."""
    import apache_beam as beam

    from preprocessing.job.runners import beam_options

    with beam.Pipeline(options=beam_options([], workers)) as pipeline:
        _ = (
            pipeline
            | "Paths" >> beam.Create(paths)  # str
            | "Spread" >> beam.Reshuffle()  # str
            | "Convert" >> beam.Map(_naive_example, options)  # serialized tf.train.Example
            | "Write" >> beam.io.WriteToTFRecord(output)  # path
        )


def _naive_example(path: str, options: ImageOptions) -> bytes:
    encoded = encode(decode_and_resize(_read(path), options), options)
    return encode_example(_record(encoded, path, options))
