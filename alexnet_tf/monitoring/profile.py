"""A profile of some steps, for TensorBoard's profile plugin or xprof."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from alexnet_tf.training.optimizers.optimizer import Optimizer
from alexnet_tf.training.step import TrainingStep

AFTER = 10  # steps of this process, the first of which trace and compile


class ProfiledStep:
    """A training step that records `count` of its calls, marked with their numbers.

    Written to DIRECTORY/plugins/profile/TIME/.
    """

    def __init__(self, step: TrainingStep, directory: Path, count: int):
        self._step, self._directory, self._count = step, directory, count
        self._calls = 0

    @property
    def optimizer(self) -> Optimizer:
        return self._step.optimizer

    def take_waiting(self) -> float:
        return self._step.take_waiting()

    def __call__(self, *args) -> tf.Tensor:
        call, self._calls = self._calls, self._calls + 1
        if not AFTER <= call < AFTER + self._count:
            return self._step(*args)
        if call == AFTER:
            tf.profiler.experimental.start(str(self._directory))
        with tf.profiler.experimental.Trace("train", step_num=call, _r=1):
            sums = self._step(*args)
            sums.numpy()  # the step is over within its mark
        if call == AFTER + self._count - 1:
            tf.profiler.experimental.stop()
        return sums
