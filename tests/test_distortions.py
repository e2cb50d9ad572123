"""Distortions of digits, against SciPy where it has the same, and against their definitions."""

import inspect
import time
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage, stats

from mnist_core import distortions
from mnist_core.distortions import DISTORTIONS, Distortion

ALL = pytest.mark.parametrize("way", DISTORTIONS.values(), ids=list(DISTORTIONS))
BLACK = np.zeros((40, 28, 28), np.uint8)


@pytest.fixture(scope="module")
def images(small):
    return small.train.images[:60]


def apply(name, images, level, seed=0):
    return DISTORTIONS[name].apply(images, level, seed)


def white_noise(number, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (number, 28, 28)).astype(np.uint8)


def disc(radius):
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return x**2 + y**2 <= radius**2


def affine(image, matrix, offset=(0.0, 0.0)):
    """Return what SciPy makes of an image when its points (down, right) go to matrix @ point."""
    back = np.linalg.inv(matrix)
    middle = np.array([13.5, 13.5])
    return ndimage.affine_transform(
        image.astype(float), back, middle - back @ (middle + offset), order=1, mode="grid-constant"
    )


def test_there_are_nine_with_nine_levels_each():
    assert list(DISTORTIONS) == (
        "rotate shift zoom blur noise thicken thin invert erase".split()
    )  # fmt: skip
    limits = {
        "rotate": (-60, 60), "shift": (-8, 8), "zoom": (0.5, 1.5), "blur": (0, 3),
        "noise": (0, 0.6), "thicken": (0, 2.5), "thin": (0, 2.5), "invert": (0, 1),
        "erase": (0, 16),
    }  # fmt: skip
    for key, way in DISTORTIONS.items():
        assert isinstance(way, Distortion) and way.key == key and way.title and way.unit
        assert len(way.levels) == 9 and list(way.levels) == sorted(set(way.levels))
        assert way.neutral in way.levels and (way.levels[0], way.levels[-1]) == limits[key]


@ALL
def test_the_neutral_level_changes_nothing_and_gives_new_images(way):
    images = white_noise(40)
    same = way.apply(images, way.neutral)
    np.testing.assert_array_equal(same, images)
    assert same.dtype == np.uint8 and not np.shares_memory(same, images)


@ALL
def test_close_to_neutral_little_changes(way):
    """Each acts continuously: no step at the neutral level."""
    images = white_noise(40)
    step = 1e-4 if way.neutral < way.levels[-1] else -1e-4
    change = way.apply(images, way.neutral + step).astype(int) - images
    assert np.abs(change).max() <= 2


@ALL
def test_shape_dtype_and_what_was_given_stay(way, images):
    for level in way.levels:
        for number in (0, 1, 60):
            given = images[:number].copy()
            given.setflags(write=False)
            got = way.apply(given, level)
            assert (got.dtype, got.shape) == (np.uint8, given.shape)
            np.testing.assert_array_equal(given, images[:number])
    np.testing.assert_array_equal(
        way.apply(images[::-2], way.levels[-1]), way.apply(images[::-2].copy(), way.levels[-1])
    )


@ALL
def test_an_image_alone_is_distorted_as_among_others(way, images):
    together = way.apply(images, way.levels[-1], seed=3)
    np.testing.assert_array_equal(way.apply(images[::-1], way.levels[-1], seed=3), together[::-1])
    for i in (0, 7, 59):
        alone = way.apply(images[i : i + 1], way.levels[-1], seed=3)
        np.testing.assert_array_equal(alone[0], together[i])


@ALL
def test_the_arguments_alone_decide(way, images):
    once = way.apply(images, way.levels[-1], seed=1)
    np.random.seed(5)
    np.testing.assert_array_equal(way.apply(images, way.levels[-1], seed=1), once)
    other = (way.apply(images, way.levels[-1], seed=2) != once).any((1, 2))
    assert other.mean() > 0.8 if way.key in ("noise", "erase") else not other.any()


@ALL
def test_each_level_differs_from_the_next(way, images):
    made = [way.apply(images, level).astype(int) for level in way.levels]
    for one, other in pairwise(made):
        assert np.abs(one - other).sum() > 0


@ALL
def test_a_bad_level_or_image_is_refused(way, images):
    low, high = way.levels[0], way.levels[-1]
    for level in (low - 0.01, high + 0.01, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=rf"Expected {way.key} from .* Received"):
            way.apply(images, level)
    bad = images.astype(float), images[0], images[:, :27], images.reshape(60, 784)
    for given in bad:
        with pytest.raises(ValueError, match=r"uint8 \(N, 28, 28\). Received"):
            way.apply(given, way.neutral)
    if way.key in ("noise", "erase"):
        with pytest.raises(ValueError):
            way.apply(images, high, seed=-1)


@pytest.mark.parametrize("degrees", [-60, -7.5, 30, 45])
def test_rotation_is_scipys_and_counter_clockwise(images, degrees):
    turn = np.radians(degrees)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    expected = [affine(image, matrix) for image in images]
    np.testing.assert_allclose(apply("rotate", images, degrees), expected, atol=0.51)
    right = np.zeros((1, 28, 28), np.uint8)
    right[0, 12:16, 20:24] = 255
    rose = ndimage.center_of_mass(apply("rotate", right, 45)[0])[0] < 10
    assert rose


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.25, 1.5])
def test_zoom_is_scipys(images, factor):
    expected = [affine(image, np.diag([factor, factor])) for image in images]
    np.testing.assert_allclose(apply("zoom", images, factor), expected, atol=0.51)


def test_shift_goes_to_the_right_and_zeros_come_in():
    images = white_noise(5)
    for right in (3, 8):
        moved = apply("shift", images, right)
        np.testing.assert_array_equal(moved[:, :, right:], images[:, :, :-right])
        assert not moved[:, :, :right].any()
        np.testing.assert_array_equal(apply("shift", images, -right)[:, :, :-right],
                                      images[:, :, right:])  # fmt: skip
    expected = [ndimage.shift(i.astype(float), (0, 2.25), order=1, mode="grid-constant")
                for i in images]  # fmt: skip
    np.testing.assert_allclose(apply("shift", images, 2.25), expected, atol=0.51)


@pytest.mark.parametrize("sigma", [1e-300, 0.05, 0.3, 0.75, 1.5, 3])
def test_blur_is_scipys(sigma):
    images = white_noise(10)
    blurred = apply("blur", images, sigma)
    # SciPy's sums reach as far as `truncate` says; no farther than the image is wide.
    reach = min(8, 28 / sigma)
    expected = ndimage.gaussian_filter(
        images.astype(float), sigma, axes=(1, 2), mode="constant", truncate=reach
    )
    np.testing.assert_allclose(blurred, expected, atol=0.51)


@pytest.mark.parametrize("radius", [1, 2])
def test_thicken_and_thin_are_scipys_at_whole_radii(radius):
    images = white_noise(20)
    footprint = disc(radius)[None]
    np.testing.assert_array_equal(
        apply("thicken", images, radius),
        ndimage.grey_dilation(images, footprint=footprint, mode="constant", cval=0),
    )
    np.testing.assert_array_equal(
        apply("thin", images, radius),
        ndimage.grey_erosion(images, footprint=footprint, mode="constant", cval=255),
    )


@pytest.mark.parametrize("radius", [0.3, 1.5, 2.5])
def test_between_whole_radii_the_next_ring_counts_in_part(radius):
    images = white_noise(20)
    outer = disc(int(radius) + 1)[None]
    inner = np.pad(disc(int(radius)), 1)[None]
    dilate = partial(ndimage.grey_dilation, mode="constant", cval=0)
    full = dilate(images, footprint=inner)
    part = dilate(images, footprint=outer) * (radius - int(radius))
    np.testing.assert_allclose(apply("thicken", images, radius), np.maximum(full, part), atol=0.51)


def test_thinning_is_thickening_the_ground():
    images = white_noise(20)
    for radius in DISTORTIONS["thin"].levels:
        np.testing.assert_array_equal(
            apply("thin", images, radius), 255 - apply("thicken", 255 - images, radius)
        )


@pytest.mark.parametrize(("name", "sign"), [("thicken", 1), ("thin", -1)])
def test_ink_grows_with_the_radius_at_every_pixel(images, name, sign):
    made = [apply(name, images, radius).astype(int) for radius in np.linspace(0, 2.5, 51)]
    for one, more in pairwise(made):
        assert (sign * (more - one) >= 0).all()
        assert sign * (more.sum() - one.sum()) > 0
        # Continuous: a step of 0.05 changes no pixel by much more than 0.05 of full scale.
        assert np.abs(more - one).max() <= 255 * 0.05 + 1


@pytest.mark.parametrize("share", [0.1, 0.5, 0.875, 1])
def test_inversion_is_the_mix_of_image_and_negative(share):
    images = white_noise(10)
    expected = (1 - share) * images + share * (255.0 - images)
    np.testing.assert_allclose(apply("invert", images, share), expected, atol=0.51)
    np.testing.assert_array_equal(apply("invert", images, 1), 255 - images)


def test_noise_is_gaussian_of_the_deviation_asked_for():
    grey = np.arange(100, 140, dtype=np.uint8)[:, None, None] + BLACK
    noisy = apply("noise", grey, 0.1).astype(float) - grey
    assert noisy.std() == pytest.approx(25.5, rel=0.01)
    assert noisy.mean() == pytest.approx(0, abs=0.5)
    dithered = noisy + np.random.default_rng(0).uniform(-0.5, 0.5, noisy.shape)
    assert stats.kstest(dithered.ravel()[::5] / 25.5, "norm").pvalue > 0.001
    assert abs(np.corrcoef(noisy.reshape(40, -1))[np.triu_indices(40, 1)]).max() < 0.2


def test_more_noise_is_more_of_the_same_noise():
    grey = np.full((1, 28, 28), 128, np.uint8)
    little, more = (apply("noise", grey, level).astype(int) - 128 for level in (0.05, 0.1))
    inside = abs(more) < 120
    np.testing.assert_allclose(more[inside], 2 * little[inside], atol=2)


def test_equal_images_get_equal_noise_and_equal_squares(images):
    twice = images[[4, 9, 4]]
    for name in ("noise", "erase"):
        made = apply(name, twice, DISTORTIONS[name].levels[-1])
        np.testing.assert_array_equal(made[0], made[2])


@pytest.mark.parametrize("side", [1, 2, 7, 15, 16])
def test_erased_is_a_square_within_the_middle(side):
    full = np.maximum(white_noise(400), 1)  # no pixel is 0
    made = apply("erase", full, side)
    gone = made == 0
    np.testing.assert_array_equal(made[~gone], full[~gone])
    corners = []
    for one in gone:
        rows, columns = np.flatnonzero(one.any(1)), np.flatnonzero(one.any(0))
        assert (len(rows), len(columns), one.sum()) == (side, side, side**2)
        assert rows[0] >= 4 and rows[-1] < 24 and columns[0] >= 4 and columns[-1] < 24
        corners.append((rows[0], columns[0]))
    # Every place is drawn, and about as often as the others.
    for places in zip(*corners, strict=True):
        counts = np.bincount(np.array(places) - 4, minlength=21 - side)
        assert len(counts) == 21 - side and stats.chisquare(counts).pvalue > 0.001


def test_a_broken_side_blanks_its_last_row_and_column_in_part():
    white = np.full((30, 28, 28), 200, np.uint8)
    blanked = (200 - apply("erase", white, 4.5).astype(float)) / 200
    np.testing.assert_allclose(blanked.sum((1, 2)), 4.5**2, atol=0.1)
    np.testing.assert_allclose(np.unique(blanked.round(2)), [0, 0.25, 0.5, 1], atol=0.01)


def test_it_needs_numpy_and_the_standard_library():
    """scipy would cost the server memory and a second."""
    assert "scipy" not in inspect.getsource(distortions)


@ALL
def test_a_thousand_digits_are_quick(way, digits):
    """The bar is 0.15 s; a busy machine gets more."""
    thousand, level = digits.train.images[:1000], way.levels[-1]
    way.apply(thousand, level)
    took = []
    for _ in range(3):
        began = time.perf_counter()
        way.apply(thousand, level)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.4, took
