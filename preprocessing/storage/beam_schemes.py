"""Which of Beam's filesystems can be used here: each scheme needs a library, and some options."""

import importlib.util

from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems

from preprocessing.errors import DatasetError

EXTRAS = {"gs": "gcp", "s3": "aws", "hdfs": "hadoop"}  # scheme -> our extra with what it needs
_LIBRARIES = {"s3": "boto3", "hdfs": "hdfs"}  # that Beam misses only when it uses them


def check_usable(path: str) -> None:
    """Raises DatasetError if Beam has no filesystem for the path's scheme, or lacks an option."""
    scheme = path.partition("://")[0]
    try:
        library = _LIBRARIES.get(scheme)
        if library and importlib.util.find_spec(library) is None:
            raise ValueError(f"{library} is not installed")
        FileSystems.get_filesystem(path)
    except BeamIOError as error:  # such as "hdfs_host is not set"
        problems = [str(problem) for problem in (error.exception_details or {}).values()]
        raise DatasetError(f"cannot use {path!r}: {'; '.join(problems) or error}") from error
    except ValueError as error:
        if scheme in EXTRAS:
            way = f'install what it needs: pip install "alexnet_tf[{EXTRAS[scheme]}]"'
        else:
            way = "known are gs://, s3://, hdfs:// and local paths"
        raise DatasetError(
            f"expected a path of a filesystem that is installed, received {path!r}; {way}"
        ) from error
