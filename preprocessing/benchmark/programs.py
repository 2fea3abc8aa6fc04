"""Whole conversions, each as a program of its own: this package's, and the one written first."""

import os
import resource
import sys
import time
from collections.abc import Callable

from preprocessing.benchmark.loops import read_file, record_of
from preprocessing.benchmark.memory import highest_memory
from preprocessing.benchmark.report import TimedRun
from preprocessing.dataset.example import encode_example
from preprocessing.images.convert import ImageOptions, decode_and_resize, encode
from preprocessing.job.process_pool import in_processes


def as_program(scratch: str, images: int, work: Callable, *arguments) -> TimedRun:
    """Runs work(*arguments) in a new process; measures it from its start to its end."""
    log = os.path.join(scratch, "log")  # Beam's workers print a lot
    began = time.perf_counter()
    ((processor, memory),) = in_processes(_run_measured, [(log, work, arguments)], 1)
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


def convert_all(source: str, output: str, workers: int, options: ImageOptions) -> None:
    from preprocessing.job.convert import convert
    from preprocessing.job.request import Conversion
    from preprocessing.job.runners import beam_options

    # Every image goes into the training split, the one with statistics.
    conversion = Conversion("folder", source, output, options, validation_fraction=0)
    convert(conversion, beam_options([], workers))


def convert_naively(paths: list[str], output: str, workers: int, options: ImageOptions) -> None:
    """One element per image, encoded examples through the runner, Beam's own TFRecord writer."""
    import apache_beam as beam

    from preprocessing.job.runners import beam_options

    with beam.Pipeline(options=beam_options([], workers)) as pipeline:
        _ = (
            pipeline
            | "Paths" >> beam.Create(paths)  # str
            | "Spread" >> beam.Reshuffle()  # str
            | "Convert" >> beam.Map(naive_example, options)  # serialized tf.train.Example
            | "Write" >> beam.io.WriteToTFRecord(output)  # path
        )


def naive_example(path: str, options: ImageOptions) -> bytes:
    encoded = encode(decode_and_resize(read_file(path), options), options)
    return encode_example(record_of(encoded, path, options))
