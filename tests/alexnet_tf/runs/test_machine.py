"""What a report says of the machine, on systems that tell more or less of it."""

import os

from alexnet_tf.runs import machine


def test_a_system_that_does_not_tell_which_cores_may_be_used(monkeypatch):
    """macOS: all there are, or one where even that is unknown."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    for count, said in ((8, ", 8 cores"), (1, ", 1 core"), (None, ", 1 core")):
        monkeypatch.setattr(os, "cpu_count", lambda count=count: count)
        assert machine.here()["processor"].endswith(said)
