"""What a log shows of a conversion's progress."""

import io
import threading

import pytest

from preprocessing.monitoring.progress import ProgressDisplay, describe


@pytest.mark.parametrize(
    ("done", "kept", "total", "seconds", "line"),
    [
        (1000, 0, 10_000, 10, "1,000 of 10,000 images, 100 images/s, 0:01:30 left"),
        # 4,000 were there before: the rate is that of this run alone.
        (1000, 4000, 10_000, 10, "5,000 of 10,000 images, 100 images/s, 0:00:50 left"),
        (460, 0, 1_281_167, 1, "460 of 1,281,167 images, 460 images/s, 0:46:24 left"),
        (1, 0, 40_000, 1, "1 of 40,000 images, 1 images/s, 11:06:39 left"),
        (0, 4000, 10_000, 10, "4,000 of 10,000 images"),
        (12, 0, 10, 5, "10 of 10 images, 2 images/s, 0:00:00 left"),
    ],
)
def test_a_line_says_done_rate_and_time_left(done, kept, total, seconds, line):
    assert describe(done, kept, total, seconds) == line


class Log(io.StringIO):
    """A file that says when it was written to."""

    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal
        self.written = threading.Event()

    def isatty(self):
        return self.terminal

    def write(self, text):
        result = super().write(text)
        if "7" in text:
            self.written.set()
        return result


@pytest.mark.parametrize("terminal", [False, True])
def test_the_display_polls_the_count(terminal):
    log = Log(terminal)
    with ProgressDisplay(10, 4, lambda: 3, log, interval=0.01):
        assert log.written.wait(30)
    assert ("7 of 10 images" in log.getvalue()) != terminal
    assert ("7/10" in log.getvalue()) == terminal
