import numpy as np
import pytest
from PIL import Image

from alexnet_tf.figures import tiles


def test_a_sheet_by_hand():
    images = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((3, 1, 2, 1), np.uint8)
    sheet = tiles.tile(images, columns=2, gap=1, fill=9)[..., 0]
    np.testing.assert_array_equal(sheet, [[0, 0, 9, 1, 1], [9, 9, 9, 9, 9], [2, 2, 9, 9, 9]])


def test_kernels_are_mid_grey_at_zero_and_scaled_each_by_itself():
    kernel = np.zeros((1, 2, 3, 3), np.float32)
    kernel[0, 0, 0] = [2.0, -0.001, 0]
    kernel[0, 1, 1] = [-1.0, 0, 0]
    images = tiles.kernel_images(kernel)
    np.testing.assert_array_equal(images[0, 0], [[255, 128, 128], [128, 64, 128]])
    np.testing.assert_array_equal(images[1, 0], [[0, 128, 128], [128, 128, 128]])
    np.testing.assert_array_equal(images[2, 0], np.full((2, 3), 128))


def test_figure_3_has_the_papers_layout():
    towers = [np.random.default_rng(i).normal(size=(11, 11, 3, 48)) for i in range(2)]
    sheet = tiles.figure_3(towers, labels=())
    # 3 rows of 16 kernels, a gap of 3, 3 rows more; kernels are 11 wide, 1 apart.
    assert sheet.shape == (2 * (3 * 12 - 1) + 3, 16 * 12 - 1, 3)
    for tower, top in ((0, 0), (1, 3 * 12 - 1 + 3)):
        images = tiles.kernel_images(towers[tower])
        for number in (0, 17, 47):
            y, x = top + number // 16 * 12, number % 16 * 12
            np.testing.assert_array_equal(sheet[y : y + 11, x : x + 11], images[number])
    assert (sheet[3 * 12 - 1 : 3 * 12 + 2] == 255).all()


def test_figure_3_names_the_towers_above_them_and_changes_no_kernel():
    towers = [np.random.default_rng(i).normal(size=(11, 11, 3, 48)) for i in range(2)]
    plain, named = tiles.figure_3(towers, labels=()), tiles.figure_3(towers)
    half, line = 3 * 12 - 1, tiles.LABEL
    first, second = named[:line], named[line + half + 3 : 2 * line + half + 3]
    for label in (first, second):
        assert label.min() < 100  # ink
        assert (label[:, 80:] == 255).all()
    assert (first != second).any()
    kernels = [named[line : line + half + 3], named[2 * line + half + 3 :]]
    np.testing.assert_array_equal(np.concatenate(kernels), plain)
    assert tiles.figure_3(towers[:1]).shape == (half, 16 * 12 - 1, 3)  # one tower has no name


@pytest.mark.parametrize(("count", "columns"), [(48, 16), (24, 12), (12, 12), (5, 5), (17, 16)])
def test_rows_without_holes_where_possible(count, columns):
    width = tiles.figure_3([np.ones((1, 1, 3, count))]).shape[1]
    assert (width + 1) // 2 == columns


@pytest.mark.parametrize("side", [1, 12, 24])
def test_thumbnails_are_means_as_of_pillow(side):
    images = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3), np.uint8)
    for image, small in zip(images, tiles.thumbnails(images, side), strict=True):
        expected = np.asarray(Image.fromarray(image).reduce(48 // side), int)
        assert np.abs(small.astype(int) - expected).max() <= 1  # halves are rounded otherwise
    assert tiles.thumbnails(images, 7).shape == (2, 7, 7, 3)
