"""Outcomes that no training made."""

import numpy as np

from alexnet_tf.config import files as config_files
from alexnet_tf.config.schema import Config
from alexnet_tf.evaluation.packed import pack
from alexnet_tf.reproduction.identity import identity
from alexnet_tf.reproduction.outcome import Course, Errors, Outcome

PICTURES = 1000


def outcome(
    config: Config,
    dataset: str,
    seed: int = 1,
    wrong: np.ndarray | None = None,
    training_error: tuple[float, ...] = (0.5, 0.25),
    hours: float | None = 1.0,
    **changes,
) -> Outcome:
    """Of a configuration with its classes; `wrong`, bool [pictures], at one view and at ten."""
    training = config.training.model_copy(update={"seed": seed})
    config = config.model_copy(update={"training": training})
    wrong = np.arange(PICTURES) < 300 if wrong is None else wrong
    error, packed = float(wrong.mean()), pack(wrong)
    errors = Errors(
        top1_error=error, top5_error=0, loss=1, top1_wrong=packed, top5_wrong=pack(wrong & False)
    )
    epochs = len(training_error)
    seconds = None if hours is None else hours * 3600
    return Outcome(
        identity=identity(config, dataset),
        seed=seed,
        dataset=dataset,
        pictures=len(wrong),
        views={1: errors, 10: errors},
        course=Course(
            training_loss=(1.0,) * epochs,
            training_error=training_error,
            validation_error=(0.5,) * epochs,
            seconds=(seconds,) * epochs,
            processor_seconds=(seconds,) * epochs,
        ),
        machine_seconds=seconds,
        processor_seconds=seconds,
        made={"date": "2012-12-03", "processor": "GTX 580, 2 cores"},
        config=config_files.to_tree(config),
        **changes,
    )
