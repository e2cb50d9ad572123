"""The separate shapes of a picture, against SciPy's labels, and what is said of it as a digit."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from mnist_core.shapes import INSIDE, Shape, remark, shapes

pytestmark = pytest.mark.filterwarnings("error")


def scipys(ink):
    """Return the shapes as SciPy labels them, corners connected: (box, area) in any order."""
    labels, _ = ndimage.label(ink > INSIDE / 2, np.ones((3, 3)))
    areas = np.bincount(labels.ravel())[1:]
    return {
        ((rows.start, rows.stop, columns.start, columns.stop), float(area))
        for (rows, columns), area in zip(ndimage.find_objects(labels), areas, strict=True)
    }


def found(ink):
    return {(shape.box, shape.area) for shape in shapes(ink)}


def enlarged(digit, size, canvas=280):
    ink = np.zeros((canvas, canvas), np.uint8)
    start = (canvas - size) // 2
    large = Image.fromarray(digit).resize((size, size), Image.Resampling.NEAREST)
    ink[start : start + size, start : start + size] = np.asarray(large)
    return ink


# Shapes


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("size", [(64, 64), (28, 28), (5, 64), (1, 30), (1, 1)])
def test_shapes_are_scipys(size, share):
    rng = np.random.default_rng(0)
    ink = np.where(rng.random(size) < share, rng.integers(0, 256, size), 0).astype(np.uint8)
    assert found(ink) == scipys(ink)
    areas = [shape.area for shape in shapes(ink)]
    assert areas == sorted(areas, reverse=True)
    assert sum(areas) == (ink > INSIDE / 2).sum()


def test_the_shapes_of_digits_are_scipys(small):
    for digit in small.test.images:
        assert found(digit) == scipys(digit)


def test_corners_hang_together_and_a_gap_parts():
    ink = np.zeros((10, 10), np.uint8)
    ink[[1, 2, 3], [1, 2, 3]] = 255
    ink[8, 4:6] = 255
    assert shapes(ink) == [Shape((1, 4, 1, 4), 3.0), Shape((8, 9, 4, 6), 2.0)]


def test_a_large_picture_is_looked_at_small_and_told_in_its_own_pixels():
    ink = np.zeros((640, 320), np.uint8)
    ink[100:200, 50:70] = 255
    ink[400:410, 200:300] = 255
    assert shapes(ink) == [Shape((100, 200, 50, 70), 2000.0), Shape((400, 410, 200, 300), 1000.0)]


def test_the_boxes_in_a_large_picture_hold_their_ink():
    ink = np.zeros((280, 300), np.uint8)
    ink[33:91, 47:81] = 255
    (shape,) = shapes(ink)
    top, bottom, left, right = shape.box
    assert top <= 33 < 91 <= bottom and left <= 47 < 81 <= right
    assert bottom - top < 58 + 10 and right - left < 34 + 10
    assert shape.area == pytest.approx(58 * 34, rel=0.25)


def test_no_ink_has_no_shapes():
    assert shapes(np.zeros((64, 64), np.uint8)) == []
    assert shapes(np.full((64, 64), INSIDE // 2, np.uint8)) == []


# What is said of it


def test_nothing_is_said_of_digits(digits):
    images = digits.test.images[:300]
    said = [remark(enlarged(digit, 200)) for digit in images]
    assert said.count("") >= 0.99 * len(images)


def test_nothing_is_said_of_mnists_digits(mnist):
    said = [remark(enlarged(digit, 120)) for digit in mnist.test.images[:300]]
    assert said.count("") >= 0.99 * len(said)


@pytest.mark.parametrize("shade", [0, 10])
def test_a_blank_picture_has_no_digit_yet(shade):
    assert remark(np.full((280, 280), shade, np.uint8)) == "There is no digit yet."


@pytest.mark.parametrize("size", [10, 20, 28])
def test_a_dot_is_called_a_dot(size):
    ink = np.zeros((280, 280), np.uint8)
    ink[140 : 140 + size, 140 : 140 + size] = 255
    assert remark(ink).startswith("This is only a dot")


def test_a_short_stroke_is_no_dot():
    ink = np.zeros((280, 280), np.uint8)
    ink[120:170, 140:150] = 255
    assert remark(ink) == ""


def test_a_filled_pad_is_no_digit():
    assert remark(np.full((280, 280), 255, np.uint8)).startswith("Nearly all of it is ink")


def test_two_and_three_digits_side_by_side_are_counted():
    one = np.zeros((280, 280), np.uint8)
    one[60:220, 30:50] = 255
    assert remark(one) == ""
    two = one.copy()
    two[60:220, 120:140] = 255
    assert remark(two).startswith("These look like 2 digits side by side.")
    three = two.copy()
    three[90:200, 220:235] = 255
    assert remark(three).startswith("These look like 3 digits side by side.")


def test_nearly_all_pairs_of_real_digits_are_seen(digits):
    seen = 0
    for left, right in digits.test.images[:200].reshape(100, 2, 28, 28):
        ink = np.zeros((280, 280), np.uint8)
        for digit, start in ((left, 0), (right, 140)):
            large = Image.fromarray(digit).resize((140, 140), Image.Resampling.BILINEAR)
            ink[70:210, start : start + 140] = np.asarray(large)
        seen += remark(ink).startswith("These look like 2 digits")
    assert seen >= 95


def test_a_5_whose_bar_stands_apart_is_one_digit():
    ink = np.zeros((280, 280), np.uint8)
    ink[60:75, 115:190] = 255  # the bar
    ink[85:140, 100:115] = ink[130:145, 100:170] = 255  # the rest of it
    ink[140:210, 160:175] = ink[200:215, 95:175] = 255
    assert len(shapes(ink)) == 2
    assert remark(ink) == ""


def test_a_speck_beside_a_digit_is_no_second_one():
    ink = np.zeros((280, 280), np.uint8)
    ink[60:220, 100:120] = 255
    ink[100:120, 200:220] = 255
    assert remark(ink) == ""
