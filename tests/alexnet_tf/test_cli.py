"""How a verb ends, whatever it prints to and whoever stops reading."""

import errno
import subprocess
import sys

import pytest

from alexnet_tf import cli
from alexnet_tf.errors import ConfigError, JobError
from preprocessing.dataset.reader_gone import READER_GONE

VERB = """
import sys
from alexnet_tf import cli
from alexnet_tf.errors import ConfigError, JobError
def main(argv):
    {body}
cli.run(main)
"""


def verb(body: str, environment: dict | None = None, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", VERB.format(body=body)]
    return subprocess.run(
        command, capture_output=True, check=False, timeout=60, env=environment, **options
    )


@pytest.mark.parametrize(
    ("body", "code", "line"),
    [
        ("return 0", 0, b""),
        ("raise ConfigError('a\\x1b[31m\\nb\\udc80')", 2, rb"error: a\x1b[31m\nb\udc80" + b"\n"),
        ("raise JobError('ärmel')", 1, "failed: ärmel\n".encode()),
        ("raise KeyboardInterrupt", 130, b""),
    ],
)
def test_exit_codes_and_lines(body, code, line):
    done = verb(body)
    assert (done.returncode, done.stderr) == (code, line)


def test_a_terminal_that_cannot_show_a_name_gets_it_escaped():
    done = verb("print('Gr\\xfc\\xdfe \\U0001f600')", {"PYTHONIOENCODING": "ascii", "PATH": ""})
    assert (done.returncode, done.stdout) == (0, rb"Gr\xfc\xdfe \U0001f600" + b"\n")


@pytest.mark.parametrize("flush", [True, False])
def test_nobody_reading_any_more_is_no_traceback(flush):
    command = VERB.format(body=f"[print('line', flush={flush}) for _ in range(100_000)]")
    reader = ["head", "-1"]
    with subprocess.Popen(
        [sys.executable, "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as writer:
        read = subprocess.run(
            reader, stdin=writer.stdout, capture_output=True, check=True, timeout=60
        )
        writer.stdout.close()
        assert read.stdout == b"line\n"
        assert writer.stderr.read() == b""
        assert writer.wait(60) == READER_GONE


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, JobError), (errno.EROFS, ConfigError), (None, JobError)]
)
def test_what_cannot_be_written_is_one_line(number, kind):
    error = OSError(number, "no room") if number else OSError("no room")
    with pytest.raises(kind, match="cannot write folder/file: no room"), cli.writing("folder/file"):
        raise error
