"""How a training that fails says so: in one line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from alexnet_tf.data.verification import reading
from alexnet_tf.errors import JobError
from alexnet_tf.runs.reason import reason_of
from alexnet_tf.runs.setup import Setup
from alexnet_tf.training.loop import NonFinite

LOST = (  # what a worker sees when another one is gone
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
)


@contextlib.contextmanager
def told(setup: Setup) -> Iterator[None]:
    """Within it, what goes wrong in a training becomes a JobError that says what to do.

    A BrokenPipeError stays what it is: `cli.run` knows what it means.
    """
    try:
        with reading(setup.data.train):
            yield
    except NonFinite as error:
        raise JobError(f"{error}; {_last_good(setup, error)}. Try a lower schedule.rate") from error
    except tf.errors.ResourceExhaustedError as error:
        raise JobError(
            f"out of memory ({reason_of(error)}); try a larger training.accumulation_steps or a"
            " smaller training.global_batch_size"
        ) from error
    except BrokenPipeError:  # nobody reads the output: no matter of the run directory
        raise
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise JobError(
            f"cannot write in {setup.run.path}: {error.strerror or error}{where}"
        ) from error
    except LOST as error:
        if setup.share.workers == 1:
            raise
        raise JobError(
            f"worker {setup.share.worker} lost the others ({reason_of(error)}); start all again"
            " with the same command to go on from the last checkpoint"
        ) from error


def _last_good(setup: Setup, error: NonFinite) -> str:
    """Removes the checkpoints that made the loss so, and names the last one before."""
    if setup.is_chief:
        setup.checkpoints.remove_from(error.step)
    saved = setup.checkpoints.steps()
    return f"last good checkpoint: {setup.checkpoints.path(saved[-1]) if saved else 'none'}"
