"""Operations of a training step, by hand and against its matrix products."""

import pytest

from alexnet_tf.benchmarks.shapes import operations
from alexnet_tf.network.cost import training_operations
from alexnet_tf.network.spec import VARIANTS


def test_the_papers_network_by_hand():
    """Multiply-adds of a tower: places · units · what each unit reads."""
    first = 55**2 * 48 * 11**2 * 3
    others = 27**2 * 128 * 5**2 * 48 + 13**2 * 9 * (192 * 256 + 192 * 192 + 128 * 192)
    dense = 2048 * 6**2 * 256 + 2048 * 4096 + 500 * 4096  # fc8 is of both towers
    assert training_operations(VARIANTS["paper"]) == 2 * (4 * first + 6 * (others + dense))


@pytest.mark.parametrize("variant", VARIANTS)
def test_against_the_products_that_a_benchmark_multiplies(variant):
    assert training_operations(VARIANTS[variant]) == operations(VARIANTS[variant])
