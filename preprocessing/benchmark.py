"""How fast is a conversion, step by step and as a whole, on these pictures and this machine?

The pictures below a folder are repeated under other names (as links) until there are enough. All
figures come from one run: a plain loop of decode, resize, crop and encode in one process, as one
writes it with Pillow alone; the same loop with this package's own functions, which do not resize
what is cropped; every step by itself, in as many processes at once as there are workers; whole
conversions of three sizes, each as a program of its own; and, for comparison, the Beam pipeline
that comes to mind first, with one element per image.

Start-up (importing, starting workers, the job around the work) is measured by a conversion of a
few pictures, told apart, and not in the rates: those are the slope between small and large.
"""

import contextlib
import io
import itertools
import math
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from preprocessing.dataset import DatasetError
from preprocessing.files import LocalFiles
from preprocessing.images import ImageOptions, decode, decode_and_resize, encode, resize
from preprocessing.records import Record, encode_example, frame
from preprocessing.statistics import PixelStatistics

STEPS = ("read", "decode", "resize", "encode", "statistics", "records")
NAIVE_SHARE = 4  # the naive pipeline gets this part of the pictures: it is slow
_LEAST_IMAGES = 200
_LEAST_SECONDS = 0.5  # start-up varies by tenths of a second


@dataclass(frozen=True)
class Whole:
    """A program: pictures, seconds of wall time and of processor time of all its processes, and
    the highest memory of one of them in bytes."""

    images: int
    seconds: float
    processor_seconds: float
    memory: int


NOTHING = Whole(0, 0.0, 0.0, 0)


@dataclass(frozen=True)
class Measurement:
    """Everything that was measured.

    Attributes:
        workers: processes that work at once.
        loop: the plain loop in one process, alone, before and after the conversions.
        own_loop: the same with this package's functions, before and after the conversions.
        own_loops: images/s of that, in each of `workers` processes at once.
        steps: images/s of each step, for each of `workers` processes at once.
        conversions: of a few pictures (the start-up), of a tenth of them, and of all.
        naive: the naive Beam pipeline, of a few pictures and of many.
    """

    workers: int
    loop: tuple[Whole, Whole]
    own_loop: tuple[Whole, Whole]
    own_loops: Sequence[float]
    steps: dict[str, Sequence[float]]
    conversions: tuple[Whole, Whole, Whole]
    naive: tuple[Whole, Whole]

    def efficiency(self, loop: Sequence[Whole]) -> float:
        """Rate of the whole pipeline in units of workers x the rate of a loop in one process."""
        return slope(self.conversions[0], self.conversions[2]) / (self.workers * rate_of(loop))


def rate_of(runs: Sequence[Whole]) -> float:
    """images/s of several runs together, start-up included."""
    return sum(run.images for run in runs) / sum(run.seconds for run in runs)


def slope(small: Whole, large: Whole) -> float:
    """images/s without start-up; not a number if the runs are too short to tell."""
    seconds = large.seconds - small.seconds
    return (large.images - small.images) / seconds if seconds >= _LEAST_SECONDS else math.nan


def measure(folder: str, images: int, workers: int, options: ImageOptions) -> Measurement:
    """Measures everything; says on stderr what it is doing.

    Args:
        folder: any folder with pictures below it.
        images: how many there shall be, by repetition.
        workers: processes.
        options: size, filter and encoding to measure with.

    Raises:
        DatasetError: too few images, or no pictures in the folder.
    """
    if images < _LEAST_IMAGES:
        raise DatasetError(f"expected at least {_LEAST_IMAGES} images, received {images}")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch, _single_threaded():
        sizes = (2 * workers, images // 10, images)
        for size in sizes:
            _link_pictures(folder, Path(scratch, f"source-{size}"), size)
        paths = [str(path) for path in sorted(Path(scratch, f"source-{images}").rglob("*.JPEG"))]
        _say(f"the plain loops, in one process alone, over {images:,} images")
        before = [_in_processes(loop, [paths], options)[0] for loop in (_plain_loop, _own_loop)]
        _say(f"every step by itself, in {workers} processes at once")
        shares = [paths[i::workers] for i in range(workers)]
        steps = _in_processes(_time_steps, shares, options)
        own_loops = [rate_of([run]) for run in _in_processes(_own_loop, shares, options)]
        conversions = []
        for size in sizes:
            _say(f"a whole conversion of {size:,} images by {workers} workers")
            source, output = (str(Path(scratch, f"{kind}-{size}")) for kind in ("source", "output"))
            arguments = (source, output, workers, options)
            conversions.append(_as_program(scratch, size, _convert, *arguments))
        _say("the plain loops again")
        after = [_in_processes(loop, [paths], options)[0] for loop in (_plain_loop, _own_loop)]
        naive = []
        for size in (2 * workers, images // NAIVE_SHARE):
            _say(f"the naive Beam pipeline, {size:,} images")
            chosen, output = paths[:size], str(Path(scratch, f"naive-{size}", "part"))
            arguments = (chosen, output, workers, options)
            naive.append(_as_program(scratch, size, _convert_naively, *arguments))
    return Measurement(
        workers=workers,
        loop=(before[0], after[0]),
        own_loop=(before[1], after[1]),
        own_loops=own_loops,
        steps={step: [times[step] for times in steps] for step in STEPS},
        conversions=tuple(conversions),
        naive=tuple(naive),
    )


def report(measurement: Measurement) -> str:
    """The table, and what it means, as text."""
    m, workers = measurement, measurement.workers
    lines = [f"{'':<34}{'ms/image':>10}{'images/s per core':>20}{f'in all ({workers})':>14}"]

    def row(name: str, per_core: float, in_all: float | None) -> None:
        if math.isnan(per_core):
            lines.append(f"{name:<34}{'too short to tell; take more --images':>44}")
            return
        total = f"{in_all:>14,.0f}" if in_all is not None else ""
        lines.append(f"{name:<34}{1000 / per_core:>10.3f}{per_core:>20,.0f}{total}".rstrip())

    for step, rates in m.steps.items():
        row(step, sum(rates) / workers, sum(rates))
    row("sum of the steps", *_in_series(m.steps.values()))
    row("plain loop, 1 process alone", rate_of(m.loop), None)
    row("own loop, 1 process alone", rate_of(m.own_loop), None)
    row(f"own loop, {workers} processes at once", sum(m.own_loops) / workers, sum(m.own_loops))
    start, tenth, full = m.conversions
    for whole in (tenth, full):
        rate = slope(start, whole)
        row(f"whole pipeline, {whole.images:,} images", rate / workers, rate)
    naive = slope(*m.naive)
    row(f"naive Beam, {m.naive[1].images:,} images", naive / workers, naive)
    lines += [
        "",
        f"The whole pipeline runs at {m.efficiency(m.loop):.2f} x {workers} x the plain loop of "
        f"Pillow's decode, resize, crop, encode (images/s: {_before_and_after(m.loop)}),",
        f"and at {m.efficiency(m.own_loop):.2f} x {workers} x the loop with this package's "
        f"functions (images/s: {_before_and_after(m.own_loop)}).",
        f"It is {slope(start, full) / naive:.1f} times as fast as one Beam element per image.",
        "Processor time per image, which other programs disturb less: "
        f"{_processor(start, full):.2f} ms, the plain loop {_processor(NOTHING, *m.loop):.2f} ms, "
        f"the own loop {_processor(NOTHING, *m.own_loop):.2f} ms, "
        f"naive {_processor(*m.naive):.2f} ms.",
        f"Start-up, not in the rates: {start.seconds:.1f} s (naive: {m.naive[0].seconds:.1f} s).",
        f"Highest memory of a process: {tenth.memory / 1e6:,.0f} MB at {tenth.images:,} images, "
        f"{full.memory / 1e6:,.0f} MB at {full.images:,} "
        f"(naive: {m.naive[1].memory / 1e6:,.0f} MB at {m.naive[1].images:,}).",
    ]
    return "\n".join(lines)


def _before_and_after(runs: Sequence[Whole]) -> str:
    return ", ".join(f"{rate_of([run]):,.0f}" for run in runs) + " before and after it"


def _processor(start: Whole, *runs: Whole) -> float:
    """Processor time in ms/image, without start-up."""
    seconds = sum(run.processor_seconds - start.processor_seconds for run in runs)
    return 1000 * seconds / sum(run.images - start.images for run in runs)


def _in_series(steps: Sequence[Sequence[float]]) -> tuple[float, float]:
    """(images/s per core, in all) of steps done one after the other."""
    each = [1 / sum(1 / rate for rate in rates) for rates in zip(*steps, strict=True)]
    return sum(each) / len(each), sum(each)


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


def _link_pictures(folder: str, target: Path, count: int) -> None:
    """Makes target/<class>/ with `count` links to the pictures below a folder, round and round."""
    source = Path(folder).resolve()
    if not source.is_dir():
        raise DatasetError(f"expected a folder as --input, found none at {folder!r}")
    pictures = [source / entry.name for entry in LocalFiles().walk(str(source)) if entry.size > 0]
    if not pictures:
        raise DatasetError(f"expected pictures in {folder!r}, found none")
    for number, picture in enumerate(itertools.islice(itertools.cycle(pictures), count)):
        place = target / f"class-{number % min(count, 10)}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:08d}.JPEG").symlink_to(picture)


def _in_processes(work: Callable, shares: Sequence[list[str]], options: ImageOptions) -> list:
    """work(share, options) for each share at once, each in a new process; they start together."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(len(shares))
    with ProcessPoolExecutor(len(shares), context, _wait_for_all, (barrier,)) as pool:
        return list(pool.map(work, shares, itertools.repeat(options)))


def _wait_for_all(barrier) -> None:
    barrier.wait()


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _plain_loop(paths: list[str], options: ImageOptions) -> Whole:
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


def _own_loop(paths: list[str], options: ImageOptions) -> Whole:
    """The same with this package's functions."""
    return _loop(lambda path: encode(decode_and_resize(_read(path), options), options), paths)


def _loop(convert: Callable[[str], object], paths: list[str]) -> Whole:
    began, processor_began = time.perf_counter(), time.process_time()
    for path in paths:
        convert(path)
    seconds, processor = time.perf_counter() - began, time.process_time() - processor_began
    return Whole(len(paths), seconds, processor, 0)


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


def _as_program(scratch: str, images: int, work: Callable, *arguments) -> Whole:
    """Runs work(*arguments) in a new process; measures it from its start to its end."""
    log = os.path.join(scratch, "log")  # Beam's workers print a lot
    began = time.perf_counter()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool:
        processor, memory = pool.submit(_use, log, work, arguments).result()
    return Whole(images, time.perf_counter() - began, processor, memory)


def _use(log: str, work: Callable, arguments: tuple) -> tuple[float, int]:
    """Does the work; returns (processor time, highest memory of a process in bytes), both of this
    process and of all that it started."""
    with open(log, "ab") as file:
        for standard in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), standard.fileno())
    work(*arguments)
    used = [resource.getrusage(kind) for kind in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    processor = sum(use.ru_utime + use.ru_stime for use in used)
    own, children = (use.ru_maxrss for use in used)
    if sys.platform == "darwin":
        return processor, max(own, children)
    # In Linux, a process's ru_maxrss begins with the memory of the one that started it.
    with open("/proc/self/status", encoding="ascii") as file:
        own = next(int(line.split()[1]) for line in file if line.startswith("VmHWM:"))
    return processor, 1024 * max(own, children)


def _convert(source: str, output: str, workers: int, options: ImageOptions) -> None:
    from preprocessing.conversion import Conversion
    from preprocessing.pipeline import convert
    from preprocessing.runners import beam_options

    # Every picture goes into the training split, the one with statistics.
    conversion = Conversion("folder", source, output, options, validation_fraction=0)
    convert(conversion, beam_options([], workers))


def _convert_naively(paths: list[str], output: str, workers: int, options: ImageOptions) -> None:
    """One element per image, encoded examples through the runner, Beam's own TFRecord writer."""
    import apache_beam as beam

    from preprocessing.runners import beam_options

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
