"""Verbs in processes of their own: exit codes, signals, logs."""

import os
import signal
import sys
import threading
import time

import pytest

from alexnet_tf.errors import JobError, UserError
from alexnet_tf.reproduction.children import Children, Interrupted
from tests.deadlines import SECONDS


@pytest.fixture
def python(tmp_path, monkeypatch):
    """Puts a shell script in the place of Python."""

    def write(text: str) -> None:
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(path))

    return write


@pytest.fixture
def call(tmp_path):
    def call(*words, children=None, **options):
        told = {"who": "who", "log": tmp_path / "runs" / "log"}
        (children or Children()).call(*words, **told, **options)

    return call


@pytest.mark.parametrize(
    ("code", "error", "line"),
    [
        (1, JobError, "who: train failed with exit code 1"),
        (2, UserError, "who: train refused"),
        (-9, JobError, "who: train failed with exit code -9"),
    ],
)
def test_a_verbs_exit_code_is_told(python, call, code, error, line):
    python(f"kill -{-code} $$" if code < 0 else f"exit {code}")
    with pytest.raises(error, match=line):
        call("train")


def test_a_verb_is_called_as_by_hand(python, call, tmp_path):
    python(f'echo "$@" > {tmp_path}/called')
    call("train", "--run", "a b", "x=1")
    assert (tmp_path / "called").read_text() == "-m alexnet_tf.train --run a b x=1\n"


def test_several_at_once_write_to_logs(python, call, tmp_path, capfd):
    children = Children(logs=True)
    python("echo out $2; printf 'half\\rerror: no data\\n' >&2; exit $3")
    for code, error in ((1, JobError), (2, UserError)):
        with pytest.raises(error, match=r"\(error: no data; all in .*runs/log\)"):
            call("train", str(code), children=children)
    call("evaluate", "0", children=children, quiet=True)
    assert (tmp_path / "runs/log").read_text().count("out alexnet_tf.train") == 2
    assert "evaluate" not in (tmp_path / "runs/log").read_text()
    assert capfd.readouterr() == ("", "")


def test_a_log_without_a_word(python, call):
    python("exit 1")
    with pytest.raises(JobError, match=r"\(no output; all in"):
        call("train", children=Children(logs=True))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_handed_on_and_the_end_is_waited_for(python, call, tmp_path, number):
    """To both at work; a third is not begun."""
    python(f"""trap 'sleep 0.3; touch {tmp_path}/saved.$3; exit 0' INT TERM
               touch {tmp_path}/begun.$3
               while true; do sleep 0.05; done""")
    children, ends = Children(), []

    def work(name):
        try:
            call("train", name, children=children)
        except Interrupted as stop:
            ends.append(stop.number)

    before = signal.getsignal(number)
    threads = [threading.Thread(target=work, args=name) for name in "ab"]
    with children.listening():
        for thread in threads:
            thread.start()
        end = time.monotonic() + SECONDS
        while len(list(tmp_path.glob("begun.*"))) < 2 and time.monotonic() < end:
            time.sleep(0.01)
        os.kill(os.getpid(), number)
        for thread in threads:
            thread.join(SECONDS)
        with pytest.raises(Interrupted):
            call("train", "c", children=children)
    assert ends == [number, number]
    assert sorted(path.name for path in tmp_path.glob("saved.*")) == ["saved.a", "saved.b"]
    assert not (tmp_path / "begun.c").exists()
    assert signal.getsignal(number) is before


def test_an_interrupted_verb_interrupts(python, call):
    python("exit 130")
    with pytest.raises(Interrupted):
        call("train")
