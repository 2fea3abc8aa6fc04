"""Loops without Beam: what a conversion does with each image, written plainly and step by step."""

import io
import os
import time
from collections.abc import Callable

from PIL import Image

from preprocessing.benchmark.report import TimedRun
from preprocessing.dataset.example import Record, encode_example
from preprocessing.dataset.tfrecord import frame
from preprocessing.images.convert import ImageOptions, decode, decode_and_resize, encode, resize
from preprocessing.images.statistics import PixelStatistics

STEPS = ("read", "decode", "resize", "encode", "statistics", "records")


def read_file(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def plain_loop(paths: list[str], options: ImageOptions) -> TimedRun:
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


def own_loop(paths: list[str], options: ImageOptions) -> TimedRun:
    """The same with this package's functions."""
    return _loop(lambda path: encode(decode_and_resize(read_file(path), options), options), paths)


def _loop(convert: Callable[[str], object], paths: list[str]) -> TimedRun:
    began, processor_began = time.perf_counter(), time.process_time()
    for path in paths:
        convert(path)
    seconds, processor = time.perf_counter() - began, time.process_time() - processor_began
    return TimedRun(len(paths), seconds, processor, 0)


def time_steps(paths: list[str], options: ImageOptions) -> dict[str, float]:
    """images/s of each step by itself."""
    spent = dict.fromkeys(STEPS, 0.0)
    statistics = PixelStatistics(options.size)
    clock = time.perf_counter
    for path in paths:
        times = [clock()]
        data = read_file(path)
        times.append(clock())
        image, square, _ = decode(data, options)
        times.append(clock())
        pixels = resize(image, square, options)
        times.append(clock())
        encoded = encode(pixels, options)
        times.append(clock())
        statistics.add(pixels)
        times.append(clock())
        frame(encode_example(record_of(encoded, path, options)))
        times.append(clock())
        for step, begin, end in zip(STEPS, times, times[1:], strict=False):
            spent[step] += end - begin
    return {step: len(paths) / seconds for step, seconds in spent.items()}


def record_of(encoded: bytes, path: str, options: ImageOptions) -> Record:
    synset = os.path.basename(os.path.dirname(path))
    size = options.size
    name = os.path.basename(path)
    return Record(encoded, options.encoding, size, size, 0, synset, synset, name)
