"""From a drawing to 28×28: MNIST's own digits come back, and each stage against known cases."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from mnist_core import drawing
from mnist_core.drawing import STAGES, center, crop, fit, grey, light_on_dark, squeezed, stages

pytestmark = pytest.mark.filterwarnings("error")

WAYS = [Image.Resampling[name] for name in ("NEAREST", "BILINEAR", "BICUBIC", "LANCZOS")]
CANVAS = 280
CLOSE = 0.035  # of full scale: the bar for the mean absolute difference of pixels


def drawn(digit, size, top, left, way, dark_ink):
    """A digit, enlarged and put somewhere on a canvas of 280×280."""
    large = Image.fromarray(digit).resize((size, size), way)
    canvas = np.zeros((CANVAS, CANVAS), np.uint8)
    canvas[top : top + size, left : left + size] = np.asarray(large)
    return 255 - canvas if dark_ink else canvas


def stroke(paper, ink, size=60):
    """An L, 6 pixels wide, on a paper that may vary from pixel to pixel; and where the ink is."""
    inked = np.zeros((size, size), bool)
    inked[10:50, 20:26] = inked[44:50, 20:42] = True
    return np.where(inked, ink, paper).astype(np.uint8), inked


# MNIST's own digits


@pytest.fixture(scope="module")
def redrawn(mnist):
    """1,000 test digits, enlarged and put off-centre: the stages of each.

    A quarter enlarged each way; every other four dark on light.
    """
    rng = np.random.default_rng(0)
    found = []
    for n, digit in enumerate(mnist.test.images[:1000]):
        size = int(rng.integers(100, 253))
        top, left = rng.integers(0, CANVAS - size + 1, 2)
        found.append(stages(drawn(digit, size, top, left, WAYS[n % 4], n // 4 % 2)))
    return found


@pytest.fixture(scope="module")
def reader(mnist):
    """A classifier that tells shifted digits from others as it saw none: 3 nearest of 5,000."""
    neighbors = pytest.importorskip("sklearn.neighbors")
    train = mnist.train
    model = neighbors.KNeighborsClassifier(3, algorithm="brute")
    model.fit(train.images[:5000].reshape(-1, 784) / 255, train.labels[:5000])

    def accuracy(pixels):
        return model.score(pixels.reshape(len(pixels), 784), mnist.test.labels[: len(pixels)])

    return accuracy


def last(redrawn):
    return np.stack([found[-1].pixels for found in redrawn])


def difference(pixels, images):
    """Return the mean absolute difference of each image, in shares of full scale."""
    return abs(pixels - images[: len(pixels)] / 255).mean((1, 2))


def test_the_centres_of_mnists_digits_lie_within_half_a_pixel_of_14(mnist):
    """What CENTER says: counted from pixel 0, and as shifts by whole pixels leave them."""
    images = mnist.train.images.astype(np.float64)
    mass, place = images.sum((1, 2)), np.arange(28)
    for axis in (2, 1):
        centers = (images.sum(axis) * place).sum(1) / mass
        inside = (centers >= drawing.CENTER - 0.5) & (centers <= drawing.CENTER + 0.5)
        assert inside.mean() > 0.9999  # all but 2 of 60,000
        assert centers.mean() == pytest.approx(drawing.CENTER, abs=0.01)
        assert centers.std() == pytest.approx(1 / np.sqrt(12), abs=0.005)  # evenly spread


def test_mnists_digits_are_centred_already(mnist):
    for digit in mnist.test.images[:1000]:
        np.testing.assert_array_equal(center(digit), digit)


def test_mnists_own_pictures_come_through_nearly_as_they_are(mnist):
    """5 in 100 exactly; 95 in 100 within 0.0035 of full scale, the others shifted by a pixel."""
    images = mnist.test.images[:300]
    found = np.stack([stages(digit)[-1].picture for digit in images])
    apart = difference(found / 255, images)
    assert (found == images).all((1, 2)).mean() > 0.03
    assert (apart < 0.0035).mean() > 0.93
    assert apart.mean() < 0.003


@pytest.mark.parametrize("way", range(4), ids=[way.name.lower() for way in WAYS])
@pytest.mark.parametrize("dark_ink", [False, True], ids=["light on dark", "dark on light"])
def test_a_digit_drawn_large_and_off_centre_comes_back(redrawn, mnist, way, dark_ink):
    apart = difference(last(redrawn), mnist.test.images)
    number = np.arange(len(apart))
    of_kind = apart[(number % 4 == way) & (number // 4 % 2 == dark_ink)]
    assert of_kind.size == 125
    assert of_kind.mean() <= CLOSE
    if WAYS[way] == Image.Resampling.NEAREST:
        assert np.median(of_kind) < 0.006  # the same pixels, only larger


def test_dark_on_light_is_read_exactly_as_light_on_dark(mnist):
    for n, digit in enumerate(mnist.test.images[:20]):
        light, dark = (
            stages(drawn(digit, 150, 9 * (n % 14), 100, WAYS[n % 4], dark))
            for dark in (False, True)
        )
        for one, other in zip(light[1:], dark[1:], strict=True):
            np.testing.assert_array_equal(one.picture, other.picture)


def test_what_comes_back_is_read_as_well_as_the_originals(redrawn, mnist, reader):
    original = reader(mnist.test.images[:1000] / 255)
    assert original > 0.9
    assert reader(last(redrawn)) == pytest.approx(original, abs=0.01)


@pytest.mark.parametrize("other", [13.5, 14.5])
def test_half_a_pixel_off_mnists_centre_is_read_worse(redrawn, mnist, reader, monkeypatch, other):
    monkeypatch.setattr(drawing, "CENTER", other)
    names = [stage.name for stage in redrawn[0]]
    fitted = [found[names.index("fit")].picture for found in redrawn]
    moved = np.stack([center(picture) for picture in fitted]) / 255
    right = last(redrawn)
    images = mnist.test.images
    assert difference(moved, images).mean() > 1.8 * difference(right, images).mean()
    assert reader(moved) < reader(right) - 0.01


# Polarity


@pytest.mark.parametrize(("paper", "ink"), [(0, 255), (255, 0), (30, 200), (220, 40), (90, 140)])
def test_the_ink_becomes_255_and_the_ground_0_whichever_is_darker(paper, ink):
    picture, inked = stroke(paper, ink)
    np.testing.assert_array_equal(light_on_dark(picture), np.where(inked, 255, 0))


@pytest.mark.parametrize(
    ("paper", "ink"),
    [
        ((255, 255, 255), (0, 0, 200)), ((255, 255, 255), (255, 230, 0)),
        ((20, 20, 60), (250, 80, 60)), ((250, 240, 200), (200, 30, 30)),
    ],
)  # fmt: skip
def test_coloured_ink_is_ink(paper, ink):
    inked = stroke(0, 1)[1]
    picture = np.where(inked[..., None], ink, paper).astype(np.uint8)
    np.testing.assert_array_equal(light_on_dark(picture), np.where(inked, 255, 0))


def test_brightness_is_weighed_as_eyes_do():
    colors = np.uint8([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 10, 10]]])
    np.testing.assert_array_equal(grey(colors), [[76, 150, 29, 10]])
    shades = np.uint8([[1, 2]])
    assert grey(shades) is shades


@pytest.mark.parametrize("turns", range(4))
def test_paper_in_uneven_light_becomes_nearly_0(turns):
    paper = np.rot90(np.tile(np.linspace(210, 150, 60), (60, 1)), turns)
    picture, inked = stroke(paper, 50)
    found = light_on_dark(picture)
    assert found[~inked].max() <= 20 and (found[~inked] == 0).mean() > 0.75
    assert found[inked].min() > 190
    assert drawing.ink_box(found) == (10, 50, 20, 42)


def test_the_grain_of_paper_becomes_0():
    paper = np.random.default_rng(0).normal(200, 6, (60, 60))
    picture, inked = stroke(paper, 60)
    found = light_on_dark(picture)
    assert (found[~inked] == 0).mean() > 0.95 and found[~inked].max() < 60
    assert (found[inked] > 200).all()


@pytest.mark.parametrize("shade", [0, 128, 255])
@pytest.mark.parametrize("shape", [(40, 30), (40, 30, 3), (1, 1)])
def test_a_picture_of_one_shade_has_no_ink(shade, shape):
    found = light_on_dark(np.full(shape, shade, np.uint8))
    assert found.shape == shape[:2] and found.dtype == np.uint8
    assert not found.any()


@pytest.mark.parametrize("paper", [40, 128, 210])
def test_empty_paper_with_grain_has_no_ink(paper):
    grain = np.random.default_rng(1).normal(paper, 4, (80, 80))
    assert not light_on_dark(grain.astype(np.uint8)).any()


# Crop


def test_the_crop_is_the_box_of_the_ink():
    ink = np.zeros((50, 40), np.uint8)
    ink[7:30, 12] = ink[29, 12:25] = 255
    ink[5, 12] = 20  # too faint to widen it
    assert drawing.ink_box(ink) == (7, 30, 12, 25)
    np.testing.assert_array_equal(crop(ink), ink[7:30, 12:25])


@pytest.mark.parametrize("place", [(0, 0), (2, 277), (277, 3), (279, 279)])
@pytest.mark.parametrize("size", [1, 2, 4, 10])
def test_specks_do_not_widen_the_crop(place, size):
    ink = np.zeros((280, 280), np.uint8)
    ink[60:220, 100:120] = 255
    ink[place[0] : place[0] + size, place[1] : place[1] + size] = 255
    assert drawing.ink_box(ink) == (60, 220, 100, 120)


def test_specks_beside_strokes_leave_the_strokes_whole():
    ink = np.zeros((60, 60), np.uint8)
    ink[10:50, 20:26] = ink[44:50, 20:42] = 255
    ink[15, 30] = 255  # within the box of the L
    ink[30, 52] = 255  # outside
    assert drawing.ink_box(ink) == (10, 50, 20, 42)


def test_a_part_that_stands_apart_is_no_speck():
    ink = np.zeros((60, 60), np.uint8)
    ink[20:50, 20:26] = 255
    ink[10:14, 20:40] = 255  # the bar of a 5
    assert drawing.ink_box(ink) == (10, 50, 20, 40)


def test_thin_tips_belong_to_the_ink():
    """A tip of one pixel is fainter than INSIDE where shapes are looked for, on 64 pixels."""
    ink = np.zeros((280, 280), np.uint8)
    ink[100:200, 100:130] = 255
    ink[97:100, 115] = ink[150, 130:133] = 255
    assert drawing.ink_box(ink) == (97, 200, 100, 133)


def test_without_ink_nothing_is_cropped():
    blank = np.zeros((9, 12), np.uint8)
    assert drawing.ink_box(blank) is None
    np.testing.assert_array_equal(crop(blank), blank)


def test_a_lone_dot_is_cropped_to_however_small_it_is():
    ink = np.zeros((280, 280), np.uint8)
    ink[30, 40] = 255
    assert drawing.ink_box(ink) == (30, 31, 40, 41)


# Fit


@pytest.mark.parametrize(
    ("shape", "box"),
    [  # top, bottom, left, right
        ((20, 20), (4, 24, 4, 24)), ((200, 200), (4, 24, 4, 24)), ((1, 1), (4, 24, 4, 24)),
        ((40, 20), (4, 24, 9, 19)), ((20, 40), (9, 19, 4, 24)), ((10, 4), (4, 24, 10, 18)),
        ((3, 800), (13, 14, 4, 24)), ((800, 3), (4, 24, 13, 14)), ((100, 33), (4, 24, 10, 17)),
    ],
)  # fmt: skip
def test_the_longer_side_becomes_20_pixels_and_the_shape_is_kept(shape, box):
    top, bottom, left, right = box
    expected = np.zeros((28, 28), np.uint8)
    expected[top:bottom, left:right] = 255
    np.testing.assert_array_equal(fit(np.full(shape, 255, np.uint8)), expected)


def test_a_pixel_of_20_is_the_mean_of_those_it_covers():
    ink = np.random.default_rng(0).integers(0, 256, (60, 30)).astype(np.uint8)
    expected = ink.reshape(20, 3, 10, 3).mean((1, 3))
    # Rounded twice: Pillow resizes along one axis after the other.
    np.testing.assert_allclose(fit(ink)[4:24, 9:19], expected, rtol=0, atol=1.01)


def test_what_fits_already_is_not_resampled():
    ink = np.random.default_rng(0).integers(0, 256, (20, 13)).astype(np.uint8)
    np.testing.assert_array_equal(fit(ink)[4:24, 7:20], ink)


# Centre


def test_the_centre_of_mass_comes_to_14_by_whole_pixels_as_scipy_shifts():
    rng = np.random.default_rng(0)
    for _ in range(200):
        height, width = rng.integers(1, 15, 2)
        top, left = rng.integers(0, 29 - height), rng.integers(0, 29 - width)
        ink = np.zeros((28, 28), np.uint8)
        ink[top : top + height, left : left + width] = rng.integers(1, 256, (height, width))
        place = np.array(ndimage.center_of_mass(ink))
        found = center(ink)
        by = np.floor(14 - place + 0.5).astype(int)
        np.testing.assert_array_equal(found, ndimage.shift(ink, by, order=0))
        assert found.sum(dtype=int) == ink.sum(dtype=int)
        np.testing.assert_allclose(ndimage.center_of_mass(found), 14, rtol=0, atol=0.5 + 1e-9)


def test_what_leaves_the_picture_is_lost():
    ink = np.zeros((28, 28), np.uint8)
    ink[14, 0], ink[14, 26:] = 90, 255  # 22.525 on the average: 9 to the left
    expected = np.zeros_like(ink)
    expected[14, 17:19] = 255
    np.testing.assert_array_equal(center(ink), expected)


def test_a_blank_picture_stays_blank():
    assert not center(np.zeros((28, 28), np.uint8)).any()
    assert all(not stage.pixels.any() for stage in stages(np.zeros((280, 280), np.uint8)))


# The stages together


def test_the_stages_are_in_order_and_what_the_network_gets_is_28_by_28():
    picture, _ = stroke(255, 0)
    found = stages(picture)
    assert [stage.name for stage in found] == ["raw", *STAGES]
    assert all(stage.on for stage in found)
    assert [stage.picture.shape for stage in found] == [
        (60, 60), (60, 60), (40, 22), (28, 28), (28, 28), (28, 28),
    ]  # fmt: skip
    for stage in found:
        assert (stage.pixels.dtype, stage.pixels.shape) == (np.float32, (28, 28))
        assert stage.pixels.min() >= 0 and stage.pixels.max() == 1
        np.testing.assert_allclose(stage.pixels, squeezed(stage.picture) / 255, rtol=1e-6)


def test_without_the_last_stage_pixels_go_to_255():
    picture, _ = stroke(255, 0)
    scaled, unscaled = stages(picture), stages(picture, set(STAGES) - {"scale"})
    assert not unscaled[-1].on
    for one, other in zip(scaled, unscaled, strict=True):
        np.testing.assert_array_equal(one.picture, other.picture)
        np.testing.assert_array_equal(other.pixels, squeezed(other.picture))
        assert other.pixels.dtype == np.float32


@pytest.mark.parametrize("shape", [(60, 60), (28, 28), (60, 40, 3)])
def test_with_all_stages_off_nothing_changes(shape):
    picture = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    raw, *others = stages(picture, ())
    assert raw.on and not any(stage.on for stage in others)
    for stage in others[:-1]:
        np.testing.assert_array_equal(stage.picture, picture)
    for stage in others:
        np.testing.assert_array_equal(stage.pixels, raw.pixels)
    np.testing.assert_array_equal(others[-1].picture, squeezed(picture))


@pytest.mark.parametrize("off", STAGES)
def test_a_stage_that_is_off_hands_on_what_it_gets(off):
    picture, _ = stroke(255, 0)
    found = {stage.name: stage for stage in stages(picture, set(STAGES) - {off})}
    names = list(found)
    before = found[names[names.index(off) - 1]]
    assert not found[off].on and all(stage.on for stage in found.values() if stage.name != off)
    np.testing.assert_array_equal(found[off].picture, squeezed(before.picture)
                                  if off == "scale" else before.picture)  # fmt: skip


@pytest.mark.parametrize("on", [("crop",), ("fit",), ("center",), ("crop", "fit", "scale")])
def test_a_coloured_picture_whose_colours_are_kept_becomes_grey_where_it_must(on):
    picture = np.random.default_rng(0).integers(0, 256, (50, 40, 3)).astype(np.uint8)
    in_grey = stages(grey(picture), on)
    for one, other in zip(stages(picture, on), in_grey, strict=True):
        np.testing.assert_array_equal(grey(one.picture), other.picture)
        np.testing.assert_array_equal(one.pixels, other.pixels)


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 1, 3), (3, 800), (800, 3), (1, 500), (2, 2), (28, 28, 3), (65, 64)]
)
@pytest.mark.parametrize("on", [tuple(STAGES), ("crop", "fit"), ("center",), ()])
def test_pictures_of_any_size_have_all_stages(shape, on):
    rng = np.random.default_rng(0)
    for picture in (rng.integers(0, 256, shape), np.zeros(shape), np.full(shape, 255)):
        found = stages(picture.astype(np.uint8), on)
        assert len(found) == 6
        for stage in found:
            assert stage.pixels.shape == (28, 28) and np.isfinite(stage.pixels).all()


def test_the_picture_itself_is_never_changed():
    picture, _ = stroke(255, 0)
    for shades in (picture, fit(255 - picture)):
        before = shades.copy()
        stages(shades)
        np.testing.assert_array_equal(shades, before)


def test_an_unknown_stage_is_refused_by_name():
    with pytest.raises(ValueError, match=r"among \['polarity', .*Received: \['blur'\]"):
        stages(np.zeros((28, 28), np.uint8), ("crop", "blur"))


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((28, 28)), np.zeros((28, 28), bool), np.zeros(784, np.uint8),
        np.zeros((1, 28, 28, 3), np.uint8), np.zeros((0, 28), np.uint8),
        np.zeros((28, 28, 4), np.uint8), np.zeros((28, 28, 1), np.uint8),
    ],
    ids=lambda picture: f"{picture.dtype} {picture.shape}",
)  # fmt: skip
def test_what_is_no_picture_is_refused(picture):
    with pytest.raises(ValueError, match="Expected uint8"):
        stages(picture)
