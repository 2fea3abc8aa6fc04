"""What can go wrong, as one family: a user's mistake (exit code 2), a failed job (exit code 1).

``str()`` of each is the one line to show. Anything else that is raised is a fault of the program.
"""

import errno

# Of a path that cannot be used because of what it is, not of what happened meanwhile.
MISTAKEN = (
    errno.EACCES,
    errno.EEXIST,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
)


def os_reason(error: OSError) -> str:
    """The system's words in one line, without its number, with the file if it names one."""
    if not error.strerror:
        return str(error)
    named = f"cannot use {error.filename}: " if error.filename else ""
    return f"{named}{error.strerror}"


class UserError(Exception):
    """A mistake in a call, a file or a setting, which its author can mend. Exit code 2."""


class JobError(Exception):
    """The work could not be done, through no misuse. Exit code 1."""


class DatasetError(UserError):
    """A mistake about a dataset, or about the images it is made from."""


class ShardFailure(JobError):
    """A shard could not be made; raised on a worker, wherever that runs."""

    @classmethod
    def because(cls, message: str) -> "ShardFailure":
        """Marks the message, to be found in whatever a runner makes of it."""
        return cls(f"shard-failure<{message}>shard-failure")
