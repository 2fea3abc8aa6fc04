"""What can go wrong, as one family: a user's mistake (exit code 2), a failed job (exit code 1).

``str()`` of each is the one line to show. Anything else that is raised is a fault of the program.
"""

from __future__ import annotations

from preprocessing.errors import MISTAKEN, DatasetError, JobError, UserError

__all__ = [  # a dataset's errors come from the package that owns its format
    "MISTAKEN",
    "CheckpointError",
    "ConfigError",
    "DatasetError",
    "GeometryError",
    "JobError",
    "RunError",
    "UserError",
]


class ConfigError(UserError, ValueError):
    """A mistake in a configuration or an argument. A ValueError, so that pydantic reports it."""


class GeometryError(UserError, ValueError):
    """The input is too small for a network; the line names the layer."""


class RunError(UserError):
    """A mistake about a run directory."""


class CheckpointError(JobError):
    """No usable checkpoint; the line says where, and what to do."""
