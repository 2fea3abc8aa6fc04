"""A baseline, learned and evaluated, as an outcome like those of networks."""

from __future__ import annotations

import dataclasses
import time

from alexnet_tf.evaluation.packed import pack
from alexnet_tf.reproduction.baseline import BASELINES, baseline_identity
from alexnet_tf.reproduction.outcome import Course, Errors, Outcome
from alexnet_tf.reproduction.svm import evaluate
from alexnet_tf.runs.machine import here
from preprocessing.dataset.info import read_info


def outcome_of_baseline(name: str, data: str, seed: int) -> Outcome:
    """Of a baseline of BASELINES on the dataset in directory `data`. Raises as `svm.evaluate`."""
    begin, processor = time.perf_counter(), time.process_time()
    wrong = evaluate(BASELINES[name], data, seed)
    errors = Errors(
        top1_error=float(wrong.mean()),
        top5_error=None,
        loss=None,
        top1_wrong=pack(wrong),
        top5_wrong=None,
    )
    dataset = read_info(data).fingerprint
    return Outcome(
        identity=baseline_identity(name, dataset),
        seed=seed,
        dataset=dataset,
        pictures=len(wrong),
        views={1: errors},
        course=Course(),
        machine_seconds=time.perf_counter() - begin,
        processor_seconds=time.process_time() - processor,
        made=here(),
        config=dataclasses.asdict(BASELINES[name]),
        baseline=name,
    )
