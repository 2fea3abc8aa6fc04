"""A baseline, learned and evaluated, as an outcome like those of networks.

As a program, in which a reproduction has it learned: BASELINE FRACTION DATA SEED FILE.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

from alexnet_tf import cli
from alexnet_tf.evaluation.packed import pack
from alexnet_tf.reproduction.baseline import BASELINES, baseline_identity, settings_of
from alexnet_tf.reproduction.outcome import Course, Errors, Outcome, write
from alexnet_tf.reproduction.svm import evaluate
from alexnet_tf.runs.machine import here
from preprocessing.dataset.info import read_info


def outcome_of_baseline(name: str, fraction: float, data: str, seed: int) -> Outcome:
    """Of a baseline of BASELINES on the dataset in directory `data`, from such a fraction of its
    training pictures. Raises as `svm.evaluate`."""
    begin, processor = time.perf_counter(), time.process_time()
    wrong = evaluate(dataclasses.replace(BASELINES[name], fraction=fraction), data, seed)
    errors = Errors(
        top1_error=float(wrong.mean()),
        top5_error=None,
        loss=None,
        top1_wrong=pack(wrong),
        top5_wrong=None,
    )
    dataset = read_info(data).fingerprint
    return Outcome(
        identity=baseline_identity(name, dataset, fraction),
        seed=seed,
        dataset=dataset,
        pictures=len(wrong),
        views={1: errors},
        course=Course(),
        machine_seconds=time.perf_counter() - begin,
        processor_seconds=time.process_time() - processor,
        made=here(),
        config=settings_of(name, fraction),
        baseline=name,
    )


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("baseline", choices=BASELINES)
    parser.add_argument("fraction", type=float)
    parser.add_argument("data")
    parser.add_argument("seed", type=int)
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args(argv)
    asked = (arguments.baseline, arguments.fraction, arguments.data, arguments.seed)
    outcome = outcome_of_baseline(*asked)
    with cli.writing(arguments.file):
        write(outcome, arguments.file)


if __name__ == "__main__":
    cli.run(main)
