"""Random movements of images, against SciPy's affine transform of one image after another."""

import inspect

import numpy as np
import pytest
from scipy import ndimage, stats

from mnist_core import augmentation
from mnist_core.augmentation import draw, move


def noise(number, height=28, width=28, seed=0):
    """Images that are white noise: neighbours differ far more than in any digit."""
    shape = (number, height, width)
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def movements(number, right=0.0, down=0.0, degrees=0.0, zoom=1.0):
    return np.tile(np.float32([right, down, degrees, zoom]), (number, 1))


def scipys(images, rows):
    """Return the images as SciPy moves them, in float64, without rounding.

    The matrices are written down for points (down, right) as seen on the screen, one after the
    other, and inverted as a whole.
    """
    moved = []
    middle = (np.array(images.shape[1:]) - 1) / 2
    for image, (right, down, degrees, zoom) in zip(images, rows.astype(float), strict=True):
        turn = np.radians(degrees)
        turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        back = np.linalg.inv(turned @ np.diag([zoom, zoom]))
        offset = middle - back @ (middle + np.array([down, right]))
        # "grid-constant": between the outermost pixels and 0 it interpolates as everywhere.
        moved.append(
            ndimage.affine_transform(
                image.astype(float), back, offset, order=1, mode="grid-constant", cval=0
            )
        )
    return np.array(moved)


def assert_scipys(images, rows):
    moved = move(images, rows)
    assert (moved.dtype, moved.shape) == (np.uint8, images.shape)
    np.testing.assert_allclose(moved, scipys(images, rows), rtol=0, atol=0.51)  # 0.5: rounding


@pytest.mark.parametrize("limits", [(2, 0, 0), (0, 10, 0), (0, 0, 0.1), (2, 10, 0.1), (9, 180, 1)])
def test_noise_is_moved_as_scipy_moves_it(limits):
    assert_scipys(noise(100), draw(1, 0, 100, *limits))


def test_digits_are_moved_as_scipy_moves_them(small):
    assert_scipys(small.train.images, draw(3, 2, 400, 3, 15, 0.2))


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (8, 5), (13, 40), (170, 160)])
def test_images_of_other_sizes_are_moved_as_scipy_moves_them(size):
    """One pixel alone to more pixels than are held in the cache at a time."""
    assert_scipys(noise(5, *size), draw(1, 0, 5, 2, 45, 0.3))


@pytest.mark.parametrize("number", [0, 1, 31, 32, 65])
def test_each_image_gets_its_own_movement_however_many_there_are(number):
    """Images are moved some at a time; the last ones are fewer."""
    images, rows = noise(65), draw(1, 0, 65, 2, 10, 0.1)
    moved = move(images[:number], rows[:number])
    assert (moved.dtype, moved.shape) == (np.uint8, (number, 28, 28))
    np.testing.assert_array_equal(moved, move(images, rows)[:number])


def test_no_movement_gives_the_images_back_as_new_ones():
    images = noise(70)
    moved = move(images, movements(70))
    np.testing.assert_array_equal(moved, images)
    assert not np.shares_memory(moved, images)


@pytest.mark.parametrize(
    ("right", "down"), [(1, 0), (0, 1), (-3, 2), (5, -4), (-27, -27), (28, 0), (0, -300)]
)
def test_whole_pixels_shift_exactly_and_zeros_come_in(right, down):
    images = noise(40)
    expected = np.zeros((40, 28, 28), np.uint8)
    for y in range(28):
        for x in range(28):
            if 0 <= y - down < 28 and 0 <= x - right < 28:
                expected[:, y, x] = images[:, y - down, x - right]
    np.testing.assert_array_equal(move(images, movements(40, right, down)), expected)


@pytest.mark.parametrize("quarters", [1, 2, 3, -1, 4])
@pytest.mark.parametrize("size", [28, 9])
def test_quarter_turns_are_numpys(quarters, size):
    images = noise(40, size, size)
    turned = move(images, movements(40, degrees=90 * quarters))
    np.testing.assert_array_equal(turned, np.rot90(images, quarters, axes=(1, 2)))


def centre(image):
    """Return the centre of mass as (right of the middle, below the middle)."""
    down, right = ndimage.center_of_mass(image)
    return right - 13.5, down - 13.5


@pytest.fixture
def stroke():
    """An upright soft stroke at the right, 6.5 pixels from the middle."""
    down, right = np.mgrid[-13.5:14, -13.5:14]
    ink = np.exp(-0.5 * (((right - 6.5) / 1.5) ** 2 + (down / 2.5) ** 2))
    return np.rint(255 * ink).astype(np.uint8)[None]


@pytest.mark.parametrize(
    ("movement", "expected"),
    [
        ({"right": 2.5}, (9, 0)),
        ({"down": 3.25}, (6.5, 3.25)),
        ({"degrees": 30}, (6.5 * np.cos(np.pi / 6), -6.5 / 2)),  # counter-clockwise: it goes up
        ({"zoom": 1.2}, (7.8, 0)),
        ({"right": -2, "down": 1, "degrees": 90, "zoom": 0.8}, (-2, 1 - 5.2)),  # shifted last
    ],
)
def test_a_stroke_at_the_right_goes_where_it_is_sent(stroke, movement, expected):
    moved = move(stroke, movements(1, **movement))
    np.testing.assert_allclose(centre(moved[0]), expected, atol=0.03)


@pytest.mark.parametrize("zoom", [0.8, 1.25])
def test_zoom_stretches_ink_in_both_directions(stroke, zoom):
    moved = move(stroke, movements(1, zoom=zoom))
    assert moved.sum() / stroke.sum() == pytest.approx(zoom**2, rel=0.01)


def test_images_are_read_only_and_need_not_be_contiguous():
    images, rows = noise(40), draw(1, 0, 40, 2, 10, 0.1)
    expected, before = move(images, rows), images.copy()
    images.setflags(write=False)
    rows.setflags(write=False)
    np.testing.assert_array_equal(move(images, rows), expected)
    np.testing.assert_array_equal(images, before)
    strided = np.asfortranarray(images)
    np.testing.assert_array_equal(move(strided, np.asfortranarray(rows)), expected)
    np.testing.assert_array_equal(move(images[::-1], rows[::-1]), expected[::-1])


def test_movements_are_uniform_between_their_limits():
    rows = draw(1, 0, 20_000, 2, 10, 0.25)
    assert (rows.dtype, rows.shape) == (np.float32, (20_000, 4))
    rows[:, 3] = np.log(rows[:, 3])
    for column, limit in zip(rows.T, (2, 2, 10, np.log(1.25)), strict=True):
        assert np.abs(column).max() <= limit * (1 + 1e-6)
        assert stats.kstest(column, stats.uniform(-limit, 2 * limit).cdf).pvalue > 0.001
    np.testing.assert_allclose(np.corrcoef(rows.T), np.eye(4), atol=0.03)


def test_limits_of_zero_mean_no_movement():
    np.testing.assert_array_equal(draw(1, 0, 50, 0, 0, 0), movements(50))
    moving = draw(1, 0, 50, 0, 10, 0) != movements(1)
    assert moving.any(0).tolist() == [False, False, True, False]


def test_the_arguments_alone_decide():
    rows = draw(7, 3, 100, 2, 10, 0.1)
    np.random.default_rng(0).uniform(size=5)
    np.random.seed(0)
    np.testing.assert_array_equal(draw(7, 3, 100, 2, 10, 0.1), rows)
    np.testing.assert_array_equal(draw(7, 3, 60, 2, 10, 0.1), rows[:60])
    assert draw(7, 3, 0, 2, 10, 0.1).shape == (0, 4)


@pytest.mark.parametrize("other", [(7, 4), (8, 3), (3, 7)])
def test_other_seeds_and_epochs_have_other_movements(other):
    assert (draw(7, 3, 100, 2, 10, 0.1) != draw(*other, 100, 2, 10, 0.1)).all()


def test_movements_come_from_another_stream_than_the_order_of_the_epoch():
    alike = np.random.default_rng([7, 3]).uniform(-1, 1, (100, 4))
    correlations = [
        np.corrcoef(ours, theirs)[0, 1]
        for ours, theirs in zip(draw(7, 3, 100, 1, 1, 0.1).T, alike.T, strict=True)
    ]
    assert np.abs(correlations).max() < 0.4


def test_the_source_of_both_functions_runs_with_numpy_alone():
    """As in an exported script."""
    pasted = {"np": np}
    for function in (draw, move):
        exec(inspect.getsource(getattr(augmentation, function.__name__)), pasted)
    images, rows = noise(40), draw(1, 2, 40, 2, 10, 0.1)
    np.testing.assert_array_equal(pasted["draw"](1, 2, 40, 2, 10, 0.1), rows)
    np.testing.assert_array_equal(pasted["move"](images, rows), move(images, rows))
