import tensorflow as tf

from alexnet_tf.monitoring.profile import AFTER, ProfiledStep


class Step:
    """Stands for a training step: counts its calls."""

    optimizer = object()

    def __init__(self):
        self.calls = []

    def __call__(self, *args):
        self.calls.append(args)
        return tf.constant([float(len(self.calls))])

    def take_waiting(self):
        return 0.25


def test_every_call_goes_through_and_some_are_recorded(tmp_path):
    step = Step()
    profiled = ProfiledStep(step, tmp_path, count=2)
    assert profiled.optimizer is step.optimizer
    assert profiled.take_waiting() == 0.25
    for number in range(AFTER + 4):
        [result] = profiled(number, "noise")
        assert float(result) == number + 1
        # One recording, of the two calls from AFTER on, which is whole once they are over.
        recorded = list(tmp_path.rglob("*.xplane.pb"))
        assert len(recorded) == (number > AFTER)
    assert step.calls == [(number, "noise") for number in range(AFTER + 4)]
    content = recorded[0].read_bytes()
    assert b"train" in content
    assert b"step_num" in content
