"""Signals while a training runs: sent to this very process."""

import signal
import threading

import pytest

from alexnet_tf.training.stop_on_signal import StopOnSignal


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_only_a_second_ctrl_c_ends_it_at_once(first, capfd):
    stop = threading.Event()
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with StopOnSignal(stop) as signals:
        assert not stop.is_set()
        signal.raise_signal(first)
        signal.raise_signal(signal.SIGTERM)
        assert stop.is_set()
        assert signals.received == first
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert capfd.readouterr().err.count("stopping after this step") == 1
