"""What a step tells its layers: by thread, nested, restored; what is compiled, seen in graphs."""

import threading

import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf.config import files as config_files
from alexnet_tf.config.schema import DataConfig
from alexnet_tf.data.augment import InputTransform
from alexnet_tf.errors import ConfigError
from alexnet_tf.network.layers import local_response_normalization
from alexnet_tf.step_context import DropoutRows, StepContext, current, fusible, using
from preprocessing.dataset.info import ColorStatistics


def compiled_functions(function, *args) -> int:
    """How many functions the graph hands to XLA."""
    graph = tf.function(function, autograph=False).get_concrete_function(*args).graph
    return sum("_XlaMustCompile" in op.node_def.attr for op in graph.get_operations())


def test_compiled_within_fused_alone():
    double = fusible(lambda x: 2.0 * x)
    x = tf.ones([3])

    def inside(x, on=True):
        with using(fused=on):
            return double(x)

    assert compiled_functions(double, x) == 0
    assert compiled_functions(inside, x) == 1
    assert compiled_functions(lambda x: inside(x, on=False), x) == 0
    np.testing.assert_array_equal(inside(x), double(x))


def test_a_thread_decides_for_itself():
    """MirroredStrategy runs each replica in a thread, whose neighbors may not be compiled."""
    seen = []
    with using(fused=True):
        thread = threading.Thread(target=lambda: seen.append(current().fused))
        thread.start()
        thread.join(60)
        assert current().fused
    assert seen == [False]
    assert not current().fused


def test_fields_nest_and_come_back_even_after_an_error():
    dropout = DropoutRows(tf.constant([1, 2]), tf.range(3), 3)
    assert current() == StepContext(fused=False, dropout=None, tower_inputs=None)

    def fail():
        with using(fused=True, tower_inputs={"a": 1}):
            assert current() == StepContext(True, dropout, {"a": 1})
            raise InterruptedError

    with using(dropout=dropout):
        with pytest.raises(InterruptedError):
            fail()
        assert current() == StepContext(dropout=dropout)
    assert current() == StepContext()
    with pytest.raises(TypeError), using(dropuot=dropout):
        pass


def test_normalization_is_compiled_forward_and_backward():
    def both(x):
        with using(fused=True):
            y = local_response_normalization(x, 5, 1e-4, 2.0, 0.75)
            return tf.gradients(y, x)

    assert compiled_functions(both, tf.ones([2, 3, 3, 8])) == 2


@pytest.mark.parametrize("mean", ["center", "crop", "channel", "none"])
def test_the_input_transform_is_the_same_compiled(mean):
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    color = ColorStatistics((120.0, 110.0, 100.0), (20.0, 40.0, 120.0), tuple(map(tuple, axes)))
    image = rng.uniform(0, 255, (12, 12, 3))
    transform = InputTransform(image, color, DataConfig(mean=mean), 9)
    batch = {
        "image": tf.constant(rng.integers(0, 256, (4, 9, 9, 3)), tf.uint8),
        "offset": tf.constant(rng.integers(0, 4, (4, 2)), tf.int32),
        "flip": tf.constant([True, False, True, False]),
        "noise": tf.constant(rng.normal(size=(4, 3)), tf.float32),
    }
    plain = transform.training(batch, tf.constant(0.1))
    with using(fused=True):
        compiled = transform.training(batch, tf.constant(0.1))
    np.testing.assert_allclose(compiled, plain, atol=1e-4)  # grey levels, of float32 at 255


def test_one_program_has_one_device():
    overrides = ["training.jit_compile=all", "strategy.placement=two-tower"]
    with pytest.raises(ConfigError, match="jit_compile: expected elementwise or none"):
        config_files.load("configs/paper.yaml", overrides)
