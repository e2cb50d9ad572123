"""Measures of images against NumPy, SciPy and strokes drawn to measure."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from mnist_core import traits
from mnist_core.data import Dataset, Split

FINE = 8  # a drawn pixel is so many pixels wide and high before it is made smaller


def measured(*images):
    """Return the traits of images, as floats or bytes, in a split of their own."""
    images = np.rint(images).astype(np.uint8)
    classes = traits.Classes(*np.zeros((2, 10, 28, 28)))
    return traits.measure_split(Split(images, np.zeros(len(images), np.uint8)), classes)


def bar(rows, columns, ink=255):
    image = np.zeros((28, 28))
    image[rows, columns] = ink
    return image


def stroke(*corners):
    """Draw a polygon of (x, y) in pixels, its edges softened as a scanner would."""
    canvas = Image.new("L", (28 * FINE, 28 * FINE))
    ImageDraw.Draw(canvas).polygon([(x * FINE, y * FINE) for x, y in corners], fill=255)
    return np.asarray(canvas, float).reshape(28, FINE, 28, FINE).mean((1, 3))


def leaning(degrees, width=3.0):
    """Draw an upright bar 20 pixels high, sheared so that its top moves to the right."""
    shift = 10 * np.tan(np.radians(degrees))
    top, bottom = 14 + shift, 14 - shift
    half = width / 2
    return stroke((top - half, 4), (top + half, 4), (bottom + half, 24), (bottom - half, 24))


@pytest.fixture(scope="module")
def classes(small):
    return traits.measure_classes(small.train)


@pytest.fixture(scope="module")
def of_small(small, classes):
    return traits.measure(small, classes)


@pytest.fixture(scope="module")
def both(small):
    return np.concatenate([small.train.images, small.test.images])


# The classes


def test_mean_deviation_and_median_are_what_numpy_says(small, classes):
    medians = traits.median_images(small.train)
    for digit in range(10):
        images = small.train.images[small.train.labels == digit]
        assert len(images)
        np.testing.assert_allclose(classes.mean[digit], np.mean(images, axis=0), atol=1e-9)
        np.testing.assert_allclose(classes.deviation[digit], np.std(images, axis=0), atol=1e-5)
        assert (medians[digit] == np.median(images, axis=0)).all()
    for array in (classes.mean, classes.deviation, medians):
        assert (array.shape, array.dtype) == ((10, 28, 28), np.float64)


def test_the_distance_between_two_classes_is_that_of_their_means(small, classes):
    means = [
        np.mean(small.train.images[small.train.labels == digit] / 255, axis=0)
        for digit in range(10)
    ]
    expected = [[np.linalg.norm(one - other) for other in means] for one in means]
    np.testing.assert_allclose(classes.distances, expected, atol=1e-9)
    assert expected[4][9] > 1


def test_a_digit_without_images_has_zeros(small):
    some = small.train.labels != 5
    train = Split(small.train.images[some], small.train.labels[some])
    found, medians = traits.measure_classes(train), traits.median_images(train)
    assert not found.mean[5].any() and not found.deviation[5].any() and not medians[5].any()
    assert found.mean[4].any() and found.deviation[4].any() and medians[4].any()
    assert np.isfinite(found.mean).all() and np.isfinite(found.deviation).all()


def test_images_that_are_all_full_deviate_by_nothing():
    full = Split(np.full((500, 28, 28), 255, np.uint8), np.full(500, 7, np.uint8))
    found = traits.measure_classes(full)
    assert (found.mean[7] == 255).all()
    assert (found.deviation[7] == 0).all()


# All images


def test_there_is_a_value_for_each_image_the_training_set_first(small, of_small):
    labels = [*small.train.labels.tolist(), *small.test.labels.tolist()]
    assert of_small.labels.tolist() == labels
    assert of_small.labels.dtype == np.uint8
    for values in (of_small.ink, of_small.thickness, of_small.slant):
        assert (values.shape, values.dtype) == ((501,), np.float32)
    assert (of_small.centre.shape, of_small.centre.dtype) == ((501, 2), np.float32)
    assert (of_small.distances.shape, of_small.distances.dtype) == ((501, 10), np.float32)


def test_ink_is_the_share_of_dark_pixels(of_small, both):
    expected = [np.count_nonzero(image > 127) / 784 for image in both]
    np.testing.assert_allclose(of_small.ink, expected, atol=1e-7)
    assert measured(bar(3, slice(0, 7), 128), bar(3, slice(0, 7), 127)).ink.tolist() == [
        np.float32(7 / 784), 0,
    ]  # fmt: skip


def test_the_centre_of_mass_is_scipys(of_small, both):
    expected = [ndimage.center_of_mass(image.astype(float)) for image in both]
    np.testing.assert_allclose(of_small.centre, expected, atol=1e-4)
    [[row, column]] = measured(bar(slice(2, 5), slice(20, 24))).centre
    assert (row, column) == pytest.approx((3, 21.5), abs=1e-4)


def test_distances_are_those_to_the_mean_training_images(small, of_small, both):
    for digit in range(10):
        mean = np.mean(small.train.images[small.train.labels == digit] / 255, axis=0)
        expected = [np.linalg.norm(image / 255 - mean) for image in both]
        np.testing.assert_allclose(of_small.distances[:, digit], expected, atol=1e-4)


def test_an_image_that_is_its_classs_mean_has_no_distance_to_it(small):
    one = Split(small.train.images[:1].copy(), small.train.labels[:1].copy())
    found = traits.measure_split(one, traits.measure_classes(one))
    assert found.distances[0, one.labels[0]] == pytest.approx(0, abs=0.02)


def test_the_distance_from_the_own_mean_is_that_of_the_label(small, of_small):
    expected = [of_small.distances[i, label] for i, label in enumerate(of_small.labels)]
    assert of_small.from_own_mean.tolist() == expected


# Thickness


@pytest.mark.parametrize("ink", [255, 100])
@pytest.mark.parametrize("width", [1, 2, 3, 4, 5])
def test_a_bar_is_as_thick_as_it_was_drawn(width, ink):
    along, across = slice(4, 24), slice(10, 10 + width)
    upright, flat = measured(bar(along, across, ink), bar(across, along, ink)).thickness
    assert upright == pytest.approx(width, rel=0.22)  # its ends belong to the outline
    assert flat == pytest.approx(upright, rel=1e-4)


def test_a_wider_bar_is_thicker_and_its_place_and_its_ink_do_not_matter():
    widths = measured(*(bar(slice(4, 24), slice(5, 5 + width)) for width in range(1, 10)))
    assert (np.diff(widths.thickness) > 0.3).all()
    here, there, paler = measured(
        bar(slice(4, 24), slice(5, 8)), bar(slice(2, 22), slice(19, 22)),
        bar(slice(4, 24), slice(5, 8), 80),
    ).thickness  # fmt: skip
    assert here == pytest.approx(there, rel=1e-4) == pytest.approx(paler, rel=1e-4)


@pytest.mark.parametrize("width", [2, 3, 4])
@pytest.mark.parametrize("degrees", [-40, -20, 0, 20, 40])
def test_a_soft_slanted_stroke_is_as_thick_as_it_is_across(width, degrees):
    across = width * np.cos(np.radians(degrees))
    [thickness] = measured(leaning(degrees, width)).thickness
    assert thickness == pytest.approx(across, rel=0.25)


def test_a_thickened_digit_is_thicker(small, of_small):
    grown = [ndimage.grey_dilation(image, size=(3, 3)) for image in small.test.images]
    assert (measured(*grown).thickness > of_small.thickness[400:] + 0.5).all()


def test_no_stroke_is_thicker_than_the_image():
    full, pale = measured(np.full((28, 28), 255), np.full((28, 28), 3)).thickness
    assert 0 <= full <= 28
    assert 0 <= pale <= 28


def test_a_stroke_at_the_edge_of_the_image_is_as_thick_as_elsewhere():
    middle, left, right, top, bottom = measured(
        bar(slice(4, 24), slice(12, 15)), bar(slice(4, 24), slice(0, 3)),
        bar(slice(4, 24), slice(25, 28)), bar(slice(0, 3), slice(4, 24)),
        bar(slice(25, 28), slice(4, 24)),
    ).thickness  # fmt: skip
    assert [left, right, top, bottom] == pytest.approx([middle] * 4, rel=0.1)


# Slant


@pytest.mark.parametrize("degrees", [-45, -30, -10, -2, 0, 2, 10, 30, 45])
@pytest.mark.parametrize("width", [2, 4])
def test_a_sheared_stroke_leans_by_its_angle_positive_to_the_right(degrees, width):
    assert measured(leaning(degrees, width)).slant == pytest.approx([degrees], abs=2)


def test_the_slant_of_a_digit_is_that_of_its_moments(of_small, both):
    row, column = np.mgrid[:28, :28].reshape(2, -1)
    for image, slant in zip(both, of_small.slant, strict=True):
        (variance, shared), _ = np.cov(row, column, aweights=image.ravel(), ddof=0)
        assert slant == pytest.approx(-np.degrees(np.arctan2(shared, variance)), abs=0.01)


def test_a_mirrored_digit_leans_the_other_way(small, of_small):
    mirrored = measured(*small.test.images[:, :, ::-1])
    np.testing.assert_allclose(mirrored.slant, -of_small.slant[400:], atol=0.01)
    assert (abs(mirrored.slant) > 5).any()


def test_a_bar_that_stands_or_lies_straight_does_not_lean():
    upright, flat = measured(
        bar(slice(4, 24), slice(3, 6)), bar(slice(20, 23), slice(2, 20))
    ).slant  # fmt: skip
    assert upright == pytest.approx(0, abs=0.01)
    assert flat == pytest.approx(0, abs=0.1)


def test_a_line_of_a_single_row_does_not_lean():
    rng = np.random.default_rng(0)
    lines = [bar(row, slice(4, 24), rng.integers(1, 256, 20)) for row in range(28)]
    assert abs(measured(*lines).slant).max() < 1


def test_a_single_dot_does_not_lean():
    dots = [bar(row, 20, ink) for row in range(28) for ink in (1, 100, 255)]
    assert abs(measured(*dots).slant).max() < 1


# Unusual images


def test_an_empty_image_has_finite_traits(classes):
    empty = Split(np.zeros((2, 28, 28), np.uint8), np.array([3, 7], np.uint8))
    found = traits.measure_split(empty, classes)
    assert found.ink.tolist() == found.thickness.tolist() == found.slant.tolist() == [0, 0]
    assert found.centre.tolist() == [[13.5, 13.5]] * 2
    expected = [np.linalg.norm(mean / 255) for mean in classes.mean]
    np.testing.assert_allclose(found.distances, [expected] * 2, atol=1e-4)


def test_a_split_without_images_has_no_traits(classes):
    none = Split(np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.uint8))
    found = traits.measure_split(none, classes)
    assert found.ink.shape == found.thickness.shape == found.from_own_mean.shape == (0,)
    assert (found.centre.shape, found.distances.shape) == ((0, 2), (0, 10))


@pytest.mark.parametrize("chunk", [1, 7, 100, 1000])
def test_the_size_of_a_chunk_does_not_matter(small, classes, of_small, monkeypatch, chunk):
    monkeypatch.setattr(traits, "CHUNK", chunk)
    again = traits.measure_classes(small.train)
    np.testing.assert_allclose(again.mean, classes.mean, atol=1e-6)
    np.testing.assert_allclose(again.deviation, classes.deviation, atol=1e-3)
    found = traits.measure(small, again)
    assert (found.ink == of_small.ink).all()
    for name in ("thickness", "centre", "distances", "slant"):
        np.testing.assert_allclose(getattr(found, name), getattr(of_small, name), atol=2e-3)


def test_the_images_stay_as_they_are(small):
    before = small.train.images.copy()
    dataset = Dataset("", "", "", small.train, small.test)
    traits.measure(dataset, traits.measure_classes(small.train))
    assert (small.train.images == before).all()


def test_mnist_is_measured_as_numpy_measures_it(mnist):
    classes = traits.measure_classes(mnist.train)
    found = traits.measure(mnist, classes)
    ones = mnist.train.images[mnist.train.labels == 1]
    np.testing.assert_allclose(classes.mean[1], ones.mean(0), atol=1e-9)
    np.testing.assert_allclose(classes.deviation[1], ones.std(0), atol=1e-5)
    row, column = np.mgrid[:28, :28].reshape(2, -1)
    for i in np.random.default_rng(0).choice(10_000, 50, replace=False):
        image, id_ = mnist.test.images[i], 60_000 + i
        assert found.ink[id_] == pytest.approx((image >= 128).mean(), abs=1e-7)
        centre = ndimage.center_of_mass(image.astype(float))
        assert tuple(found.centre[id_]) == pytest.approx(centre, abs=1e-4)
        (variance, shared), _ = np.cov(row, column, aweights=image.ravel(), ddof=0)
        assert found.slant[id_] == pytest.approx(np.degrees(np.arctan(-shared / variance)), abs=0.1)
        distance = np.linalg.norm(image / 255 - classes.mean[4] / 255)
        assert found.distances[id_, 4] == pytest.approx(distance, abs=1e-4)
    assert 1 < np.median(found.thickness) < 5
    assert found.thickness.max() < 12
