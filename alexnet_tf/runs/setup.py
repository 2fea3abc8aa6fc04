"""The parts of one training, joined: devices, network, optimizer, data and checkpoints."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable

import keras
import tensorflow as tf

from alexnet_tf.config import files as config_files
from alexnet_tf.config.schema import Config
from alexnet_tf.data import reader
from alexnet_tf.data.augment import InputTransform
from alexnet_tf.data.split import Share
from alexnet_tf.data.training_data import training_data
from alexnet_tf.data.verification import ShardVerifier
from alexnet_tf.errors import RunError
from alexnet_tf.evaluation.validation import Validation
from alexnet_tf.network import model as network
from alexnet_tf.network.towers import Placement
from alexnet_tf.network.weights import weights_of
from alexnet_tf.runs.checkpoint_groups import Groups, training_groups
from alexnet_tf.runs.checkpoints import Checkpoints
from alexnet_tf.runs.directory import Run
from alexnet_tf.runs.forward import Forward
from alexnet_tf.runs.initial_weights import assign_initial
from alexnet_tf.training import strategy as strategies
from alexnet_tf.training.epoch_steps import EpochSteps
from alexnet_tf.training.loop import NonFinite, Progress
from alexnet_tf.training.loss_scale import LossScale
from alexnet_tf.training.optimizers.optimizer import Optimizer
from alexnet_tf.training.step import Batch, TrainingStep, check_parts
from alexnet_tf.training.workers import Workers
from preprocessing.dataset.printable import counted


class Setup:
    """The parts that one run's training needs; `session` drives them.

    Raises ConfigError where configuration, dataset and devices do not fit together, DatasetError
    for a split without examples or with damaged shards.
    """

    def __init__(self, run: Run, data: str | os.PathLike, cluster: strategies.Cluster):
        self.run, self.config, self.is_chief = run, run.config, cluster.is_chief
        training, spec = self.config.training, self.config.network
        if training.deterministic:
            # Not 0: TensorFlow would compare tf.data's own seeds, which are tensors, with it.
            tf.keras.utils.set_random_seed(training.seed + 1)
            tf.config.experimental.enable_op_determinism()
        reader.check_sizes(run.info, spec.input_size)
        if cluster.workers > 1:
            others = counted(cluster.workers - 1, "other")
            print(f"worker {cluster.worker}: waiting for {others}", flush=True)
        devices = strategies.create(self.config.strategy, cluster)
        self.strategy, self.workers = devices.strategy, Workers(devices)
        self.device_kind = devices.kind
        placement = Placement(devices.pairs) if devices.pairs else None
        self.share = Share(
            training.global_batch_size, devices.local_replicas, cluster.workers, cluster.worker
        )
        check_parts(self.share.per_replica, training.accumulation_steps)
        self.data = training_data(data, run.info, self.config)
        self.transform = InputTransform(
            run.mean_image, run.info.color, self.config.data, spec.input_size
        )
        with self.strategy.scope():
            self.model = network.build(
                spec, seed=training.seed, precision=training.precision, placement=placement
            )
        self.forward = Forward(
            self.model, self.transform, spec.tower_names, training.global_batch_size, placement
        )
        self.checkpoints = Checkpoints(
            run.checkpoints, training.keep_checkpoints, locked=self.is_chief
        )
        self._begin_from()
        with self.strategy.scope():  # some optimizers begin with the weights' values
            self.optimizer = Optimizer(self.config.optimizer, weights_of(self.model))
            self.loss_scale = LossScale() if training.precision == "mixed_float16" else None
        self._validations: dict[bool, Validation] = {}  # by whether images are held out
        splits = [self.data.train, *([self.data.validation] if self.data.validation else [])]
        self.verifiers = [ShardVerifier(split) for split in splits]

    def _begin_from(self) -> None:
        """A new run's weights, where the configuration names others than drawn ones."""
        if self.config.init_from.path is None:
            return
        new = self.is_chief and not self.checkpoints.steps()
        if self.workers.text_from_chief("new" if new else "begun") != "new":
            return
        weights = weights_of(self.model)
        if self.is_chief:
            assign_initial(self.run, weights)
            print(f"beginning with the weights of {self.config.init_from.path}", flush=True)
        self.workers.variables_from_chief(weight.variable for weight in weights)

    def validation(self, epoch: int) -> Validation | None:
        """What measures the network after `epoch`; None where there are no images for it."""
        split, key = self.data.validated_on(epoch), self.data.holds_out(epoch)
        if split is not None and key not in self._validations:
            self._validations[key] = Validation(
                self.strategy, self.model, self.transform, split, self.share
            )
        return self._validations.get(key)

    @property
    def steps(self) -> EpochSteps:
        """How many steps each epoch has."""
        held_out, later = self.data.held_out, self.data.train.batches(self.share)
        if held_out is None:
            return EpochSteps(later)
        at_first = self.data.at_first.batches(self.share)
        if held_out.until_epoch is None:
            return EpochSteps(at_first)
        return EpochSteps(later, at_first, held_out.until_epoch)

    def step(self) -> TrainingStep:
        """One step of this training, to be called with an iterator over `batches`."""
        return TrainingStep(
            self.strategy,
            self.optimizer,
            self.forward.network_input,
            self.forward.logits,
            self.config.training.accumulation_steps,
            self.loss_scale,
            self.config.training.jit_compile,
            timed=not self.config.training.deterministic,
        )

    def batches(self, start: tuple[int, int]) -> Iterable[Batch]:
        """Every replica's batches from (epoch, step) = `start` on."""

        def make(_context: tf.distribute.InputContext) -> tf.data.Dataset:
            return self.data.batches(
                self.config.data,
                self.config.network.input_size,
                self.share,
                self.config.training.seed,
                start,
            )

        return self.strategy.distribute_datasets_from_function(make)

    def restore(self) -> Progress:
        """Reads the newest checkpoint on the chief; every worker goes on from what it found."""
        state = self.checkpoints.restore_newest(self.variables()) if self.is_chief else None
        mine = {"config": self.config.model_dump(mode="json"), "data": self.run.info.fingerprint}
        chief = json.loads(self.workers.text_from_chief(json.dumps({**mine, "state": state})))
        if {name: chief[name] for name in mine} != json.loads(json.dumps(mine)):
            changed = config_files.differences(Config(**chief["config"]), self.config)
            raise RunError(
                "expected the chief's configuration and dataset, received another:"
                f" {'; '.join(changed) or 'the dataset differs'}"
            )
        if chief["state"] is None:
            return Progress()
        for group in self.variables().values():
            self.workers.variables_from_chief(group.values())
        return Progress.from_json(chief["state"])

    def check_data(self) -> None:
        """Raises JobError where shards are, by now, not what dataset_info.json describes."""
        for verifier in self.verifiers:
            verifier.check()

    def close(self) -> None:
        """Ends what goes on beside the training."""
        for verifier in self.verifiers:
            verifier.close()

    def save(self, step: int, progress: Progress, error: float | None) -> None:
        """Writes a checkpoint on the chief.

        Raises NonFinite where a weight is no number, JobError where it cannot be written.
        """
        # The last loss was that of the weights before the last update.
        for weight in self.optimizer.weights:
            if not bool(tf.reduce_all(tf.math.is_finite(weight.variable))):
                raise NonFinite(weight.name, step)
        if self.is_chief:
            self.checkpoints.save(step, self.variables(), progress.to_json(), error)

    @property
    def network(self) -> tuple[keras.Model, InputTransform]:
        """The network in training, and what turns pixels into its input."""
        return self.model, self.transform

    def variables(self) -> Groups:
        """What a checkpoint holds."""
        return training_groups(self.optimizer, self.loss_scale)
