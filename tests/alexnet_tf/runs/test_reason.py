"""The line of TensorFlow's errors that matters."""

import pytest
import tensorflow as tf

from alexnet_tf.runs.reason import reason_of


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            "{{function_node __wrapped__SaveV2_dtypes}} /a/.m.new/part-0.tempstate58; No space left"
            " on device [Op:SaveV2] name: ",
            "No space left on device",
        ),
        ("/a/part-0; Permission denied", "Permission denied"),
        (
            "Graph execution error:\n\nDetected at node x\nOOM when allocating\n[[x]]",
            "OOM when allocating",
        ),
        ("", "ResourceExhaustedError"),
    ],
)
def test_of_a_message(message, reason):
    assert reason_of(tf.errors.ResourceExhaustedError(None, None, message)) == reason


def test_of_the_system():
    assert reason_of(OSError(28, "No space left on device")) == "[Errno 28] No space left on device"
