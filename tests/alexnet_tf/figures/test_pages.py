"""The pages show what they are given: read back from the drawn figures' own parts."""

import warnings

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from alexnet_tf.figures.classes import SHOWN, class_errors, confusion_matrix
from alexnet_tf.figures.curves import Course, curves
from alexnet_tf.figures.figure4 import ClassifiedImage, Neighbors, figure_4
from alexnet_tf.figures.page import BLUE, RED, pixels, save, shortened, style


def texts(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_names_are_their_first_synonym_and_not_too_long():
    assert shortened("tench, Tinca tinca", 20) == "tench"
    assert shortened("European fire salamander", 12) == "European fi…"


@pytest.mark.parametrize(
    "name", ["$5", "$x", "a$b$c", r"\$", r"$\frac$", "tab\tend", "\x1b[31m", "\udc80", "größe 犬"]
)
def test_any_name_can_be_drawn(name):
    """Dollar signs began a formula once, which ended the training that drew it."""
    with warnings.catch_warnings(), style():
        warnings.simplefilter("error")  # also of letters that the font lacks
        figure = confusion_matrix(np.array([[3, 1], [0, 5]]), [name, "dog"])
        pixels(figure)
        label = figure.axes[0].get_yticklabels()[0]
    assert label._preprocess_math(label.get_text()) == (
        "".join(c if c.isprintable() else "?" for c in name),
        False,
    )


def test_confusion_matrix_shows_shares_of_the_true_class(tmp_path):
    with style():
        figure = confusion_matrix(np.array([[3, 1], [0, 5]]), ["cat", "dog"])
        save(figure, tmp_path / "a.png")
        drawn = pixels(figure)
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), [[0.75, 0.25], [0, 1]])
    assert texts(figure.axes[0]) == ["75%", "25%", "100%"]
    assert drawn.dtype == np.uint8
    assert drawn.shape[2] == 3
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (drawn.shape[1], drawn.shape[0])
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_of_many_classes_the_worst_are_shown():
    confusion = np.diag(np.full(SHOWN + 5, 10))
    confusion[3, 4] = 7
    confusion[SHOWN + 4] = 0  # has no images: nothing to show
    figure = confusion_matrix(confusion, [f"c{i}" for i in range(SHOWN + 5)])
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert len(labels) == SHOWN
    assert "c3" in labels
    assert f"c{SHOWN + 4}" not in labels
    assert f"the {SHOWN} worst of {SHOWN + 5}" in figure.axes[0].get_title()


def test_class_errors_are_sorted_by_top_5_error():
    names, top1, top5 = ["a", "b", "c"], np.array([0.5, 0.9, 0.6]), np.array([0.2, 0.1, 0.2])
    axes = class_errors(names, top1, top5).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["c", "a", "b"]
    assert [bar.get_width() for bar in axes.containers[1]] == [0.2, 0.2, 0.1]


def test_figure_4_marks_the_true_class_and_strangers():
    image = np.zeros((8, 8, 3), np.uint8)
    answered = [ClassifiedImage(image, "cat, feline", [("dog", 0.7), ("cat, feline", 0.2)])]
    neighbors = [Neighbors(image, "cat", [image, image], [True, False])]
    figure = figure_4(answered, neighbors)
    left, right = figure.subfigs
    bars = next(axes for axes in left.axes if axes.patches)
    assert [to_hex(bar.get_facecolor()) for bar in bars.patches] == [BLUE, RED]
    assert [bar.get_width() for bar in bars.patches] == [0.7, 0.2]
    assert texts(bars) == ["dog", "cat"]
    framed = [axes.spines["left"].get_visible() for axes in right.axes]
    assert framed == [False, False, True]


def test_curves_leave_out_what_there_was_not():
    course = Course([2.0, 1.0], [0.9, 0.5], [None, 1.5], [None, 0.6], [None, None], [0.01, 0.001])
    loss, error, rate = curves(course, "title").axes
    assert [line.get_label() for line in error.lines] == ["training, top-1", "validation, top-1"]
    np.testing.assert_array_equal(loss.lines[1].get_ydata(), [np.nan, 1.5])
    np.testing.assert_array_equal(rate.lines[0].get_ydata(), [0.01, 0.001])


def test_of_one_epoch_the_points_show_at_a_whole_number():
    axes = curves(Course([2.0], [0.9], [1.5], [0.6], [0.2], [0.01]), "title").axes
    loss, _, rate = axes
    assert [line.get_marker() for line in loss.lines] == ["o", "o"]
    low, high = rate.get_xlim()
    assert [tick for tick in rate.get_xticks() if low <= tick <= high] == [1]


def test_of_many_epochs_lines_show():
    many = [1 / n for n in range(1, 31)]
    loss, _, rate = curves(Course(*[many] * 6), "title").axes
    assert [line.get_marker() for line in loss.lines] == ["None", "None"]
    assert all(tick == round(tick) for tick in rate.get_xticks())
