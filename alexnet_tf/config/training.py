"""Settings of a training: how long, in what steps, where it runs, and what is shown of it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from alexnet_tf.config.numbers import Count, Every
from alexnet_tf.network.operations import Settings


class TrainingConfig(Settings):
    epochs: Count = 90  # may be raised later: the run goes on
    global_batch_size: int = Field(128, ge=1, le=2**20)  # of all replicas together
    seed: int = Field(0, ge=0, lt=2**31)  # of initial weights, order, crops, noise and dropout
    # Each global batch is worked through in so many parts, one after the other: the same update in
    # less memory.
    accumulation_steps: Count = 1
    # mixed_float16 scales the loss, and skips a step whose gradients overflow.
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    # What XLA compiles: nothing; the chains of element-by-element operations, which then pass over
    # memory once; or all of a replica's step but the update (slower on CPUs; other dropout masks).
    jit_compile: Literal["none", "elementwise", "all"] = "elementwise"
    # Steps that run in one call from Python; it returns at every point where the loop has to act
    # (log, checkpoint, end of epoch), and a signal waits for its end.
    steps_per_execution: Count = 1
    # The same to the bit on the same kind of machine; slower on GPUs.
    deterministic: bool = False
    checkpoint_every_steps: Every | None = None  # besides the end of every epoch
    # The newest; besides, the one of the lowest validation error (top-1).
    keep_checkpoints: Count = 3
    log_every_steps: Every = 20  # on the terminal, in log.jsonl and TensorBoard
    diagnostics_every_steps: Every | None = 200  # dead ReLUs, update/weight ratios
    flat_loss_steps: Every | None = 500  # warns if the loss is still ln(classes) then


class StrategyConfig(Settings):
    """Where the replicas and the towers run."""

    # mirrored: a replica on each GPU (or pair); multi-worker: the same on every host of TF_CONFIG.
    name: Literal["one-device", "mirrored", "multi-worker"] = "one-device"
    # two-tower: each replica is a pair of GPUs, with a tower on either, as in 2012.
    placement: Literal["single", "two-tower"] = "single"


class MonitoringConfig(Settings):
    """What TensorBoard shows besides scalars. It changes nothing in the training itself.

    Images are looked at in the center view; each number bounds the cost of one look.
    """

    every_epochs: int = Field(1, ge=0, le=10**6)  # kernels, histograms, answers; 0: never
    samples: int = Field(16, ge=0, le=1024)  # augmented training images, at the first look only
    # Validation images for confusion matrix and worst classes.
    answers: int = Field(2000, ge=0, le=10**7)
    projector: int = Field(500, ge=0, le=5000)  # validation images in the projector, at the end
    # Steps that are profiled, from the tenth on; 0: none.
    profile_steps: int = Field(0, ge=0, le=1000)
