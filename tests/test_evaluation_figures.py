"""What the figures of certainty, of an image's life and of a map of reasons say."""

import numpy as np
import pytest

from mnist_core import figures
from mnist_core.calibration import Bins, Coverage
from mnist_core.evaluation_figures import (
    attribution,
    confidence_histogram,
    coverage,
    probabilities,
    reliability,
)

pytestmark = pytest.mark.filterwarnings("error")  # no 0/0 either


# Ten probabilities


@pytest.fixture
def values():
    """Seven most, then eight; three below what is written."""
    given = np.full(10, 0.0225)
    given[7], given[8], given[3] = 0.6, 0.24, 0.0025
    return given


def test_probabilities_colour_the_truth_and_a_wrong_answer(values):
    figure = probabilities(values, true=8)
    (bars,) = figure.data
    np.testing.assert_allclose(bars.y, values * 100)
    assert list(bars.x) == list(range(10))
    colors = bars.marker.color
    assert (colors[8], colors[7]) == (figures.RIGHT, figures.WRONG)
    assert {colors[digit] for digit in (0, 1, 2, 3, 4, 5, 6, 9)} == {figures.PAPER}
    assert figure.layout.title.text == "Read as 7, it is 8"
    assert figure.layout.yaxis.range[1] > 100  # room for the text above a full bar


def test_probabilities_of_a_right_answer_are_green_only(values):
    figure = probabilities(values, true=7)
    colors = figure.data[0].marker.color
    assert colors[7] == figures.RIGHT and figures.WRONG not in colors
    assert figure.layout.title.text == "Read as 7"


def test_probabilities_of_an_unlabelled_digit_are_neither_right_nor_wrong(values):
    figure = probabilities(values)
    colors = figure.data[0].marker.color
    assert colors[7] == figures.VALIDATION and set(colors) == {figures.VALIDATION, figures.PAPER}
    assert figure.layout.title.text == "Read as 7"


def test_the_digit_zero_is_a_truth_like_any_other(values):
    figure = probabilities(values, true=0)
    assert figure.data[0].marker.color[0] == figures.RIGHT
    assert figure.layout.title.text == "Read as 7, it is 0"


def test_probabilities_are_written_from_half_a_per_cent(values):
    text = probabilities(values).data[0].text
    assert (text[7], text[8], text[0], text[3]) == ("60", "24", "2", "")


# How sure, right and wrong


@pytest.fixture
def bins():
    """Five bins, the first and the third of them empty: 16 right answers and 4 wrong ones."""
    return Bins(
        edges=np.array([0, 0.2, 0.4, 0.6, 0.8, 1]),
        count=np.array([0, 4, 0, 6, 10]),
        right=np.array([0, 2, 0, 4, 10]),
        claimed=np.array([np.nan, 0.3, np.nan, 0.75, 0.95]),
    )


@pytest.fixture
def no_bins():
    nothing = np.zeros(5, int)
    return Bins(np.linspace(0, 1, 6), nothing, nothing, np.full(5, np.nan))


def test_the_histogram_draws_right_and_wrong_each_as_shares_of_its_kind(bins):
    right, wrong = confidence_histogram(bins).data
    np.testing.assert_allclose(right.y, [0, 200 / 16, 0, 400 / 16, 1000 / 16])
    np.testing.assert_allclose(wrong.y, [0, 50, 0, 50, 0])
    for bars in (right, wrong):
        assert np.sum(bars.y) == pytest.approx(100)
        np.testing.assert_allclose(bars.x, [10, 30, 50, 70, 90])
    assert (right.name, wrong.name) == ("✓ right, 16", "✗ wrong, 4")
    assert (right.marker.color, wrong.marker.color) == (figures.RIGHT, figures.WRONG)


def test_the_histogram_says_counts_and_the_edges_of_a_bin(bins):
    figure = confidence_histogram(bins)
    right, wrong = figure.data
    np.testing.assert_allclose(right.customdata[3], [4, 60, 80])
    np.testing.assert_allclose(wrong.customdata[3], [2, 60, 80])
    assert "right answers" in right.hovertemplate and "wrong answers" in wrong.hovertemplate
    assert figure.layout.showlegend


def test_the_histogram_without_wrong_answers_divides_by_nothing(bins):
    right, wrong = confidence_histogram(Bins(bins.edges, bins.count, bins.count, bins.claimed)).data
    assert wrong.name == "✗ wrong, 0" and not np.any(wrong.y)
    assert np.sum(right.y) == pytest.approx(100)


def test_the_histogram_without_images_is_empty(no_bins):
    for bars in confidence_histogram(no_bins).data:
        assert not np.any(bars.y) and bars.name.endswith(", 0")


def test_many_answers_are_named_with_a_comma(bins):
    right, _ = confidence_histogram(
        Bins(bins.edges, 1000 * bins.count, 1000 * bins.right, bins.claimed)
    ).data
    assert right.name == "✓ right, 16,000"


# Reliability


def test_reliability_draws_the_full_bins_in_per_cent(bins):
    figure = reliability(bins)
    kept_word, said = figure.data
    np.testing.assert_allclose(said.x, [30, 75, 95])
    np.testing.assert_allclose(said.y, [50, 400 / 6, 100])
    np.testing.assert_allclose(said.customdata, [4, 6, 10])
    assert (list(kept_word.x), list(kept_word.y)) == ([0, 100], [0, 100])
    assert kept_word.line.dash == "dash"


def test_the_more_images_the_larger_the_point(bins):
    sizes = np.array(reliability(bins).data[1].marker.size)
    assert (np.diff(sizes) > 0).all()  # 4, 6 and 10 images


def test_reliability_says_the_calibration_error(bins):
    # Off by 20 % for 4 images, 8.33 % for 6 and 5 % for 10, of 20.
    error = (4 * 0.2 + 6 * (0.75 - 4 / 6) + 10 * 0.05) / 20
    title = reliability(bins).layout.title.text
    assert title == f"Expected calibration error {100 * error:.2f} %" and "9.00 %" in title


def test_reliability_without_images_has_no_points(no_bins):
    figure = reliability(no_bins)
    assert not len(figure.data[1].x)
    assert figure.layout.title.text == "Expected calibration error –"


# Accuracy against coverage


@pytest.fixture
def covered():
    """Five digits, one of them wrong; two are equally sure."""
    return Coverage(
        threshold=np.array([0.9, 0.8, 0.5, 0.4]),
        read=np.array([1, 3, 4, 5]),
        right=np.array([1, 2, 3, 4]),
        total=5,
    )


def many(rows, errors=(), total=None):
    """Coverage with a row for each of so many digits, wrong at these rows."""
    right = np.ones(rows, int)
    right[list(errors)] = 0
    threshold = np.linspace(0.999, 0.2, rows)
    return Coverage(threshold, np.arange(1, rows + 1), np.cumsum(right), total or rows)


def test_coverage_draws_accuracy_against_what_is_read(covered):
    curve = coverage(covered, 0.5).data[0]
    np.testing.assert_allclose(curve.x, [20, 60, 80, 100])
    np.testing.assert_allclose(curve.y, [100, 200 / 3, 75, 80])
    np.testing.assert_allclose(curve.customdata, [90, 80, 50, 40])


@pytest.mark.parametrize(
    ("threshold", "x", "y", "title"),
    [
        (0.9, 20, 100, "20.0 % are read, 100.00 % of them rightly"),
        (0.85, 20, 100, "20.0 % are read, 100.00 % of them rightly"),
        (0.8, 60, 200 / 3, "60.0 % are read, 66.67 % of them rightly"),
        (0.45, 80, 75, "80.0 % are read, 75.00 % of them rightly"),
        (0.0, 100, 80, "100.0 % are read, 80.00 % of them rightly"),
    ],
)
def test_the_point_of_coverage_stands_at_the_threshold(covered, threshold, x, y, title):
    figure = coverage(covered, threshold)
    point = figure.data[1]
    np.testing.assert_allclose([point.x[0], point.y[0]], [x, y])
    assert (len(point.x), point.mode) == (1, "markers")
    assert figure.layout.title.text == title
    (line,) = figure.layout.shapes
    assert line.x0 == line.x1 == pytest.approx(x)


def test_above_every_confidence_no_digit_is_read(covered):
    figure = coverage(covered, 0.95)
    assert figure.layout.title.text == "No digit is read"
    assert np.isnan(figure.data[1].y[0])
    assert len(figure.data[0].x) == 4  # the curve stays


def test_coverage_without_images_is_an_empty_curve():
    figure = coverage(many(0), 0.5)
    assert not len(figure.data[0].x)
    assert figure.layout.title.text == "No digit is read"


def test_coverage_of_few_rows_is_drawn_whole():
    rows = figures.MAX_POINTS
    assert len(coverage(many(rows, [5, 9]), 0.5).data[0].x) == rows


@pytest.mark.parametrize("errors", [[], [2999], [0, 1, 2], range(1, 3000, 2), range(3000)])
def test_coverage_of_many_rows_is_thinned_and_keeps_its_ends(errors):
    covered = many(3000, errors)
    curve = coverage(covered, 0.5).data[0]
    assert figures.MAX_POINTS / 2 <= len(curve.x) <= figures.MAX_POINTS
    assert (np.diff(curve.x) > 0).all()
    kept = np.searchsorted(covered.read, np.array(curve.x) * 30 - 0.5)
    assert (kept[0], kept[-1]) == (0, 2999)
    np.testing.assert_allclose(curve.x, 100 * covered.read[kept] / 3000)
    np.testing.assert_allclose(curve.y, 100 * covered.right[kept] / covered.read[kept])
    np.testing.assert_allclose(curve.customdata, 100 * covered.threshold[kept])
    assert np.diff(kept).max() <= 3000 / (figures.MAX_POINTS / 2) + 1


def test_a_thinned_coverage_keeps_the_rows_before_each_of_few_errors():
    errors = np.random.default_rng(2).choice(np.arange(1, 3000), 150, replace=False)
    curve = coverage(many(3000, errors), 0.5).data[0]
    drawn = np.rint(np.array(curve.x) * 30).astype(int)
    assert set(errors) <= set(drawn)  # so many digits are read before the error comes in


# What speaks for an answer


@pytest.fixture
def image():
    drawn = np.zeros((28, 28), np.uint8)
    drawn[5:20, 12:15] = 255
    drawn[22, 3] = 90
    return drawn


@pytest.mark.parametrize("strongest", [0.5, -0.8])
def test_a_map_of_reasons_is_drawn_around_zero(image, strongest):
    values = np.random.default_rng(0).uniform(-0.3, 0.3, (28, 28))
    values[4, 20] = strongest
    figure = attribution(values, image, 9, 4)
    heatmap = figure.data[0]
    np.testing.assert_allclose(heatmap.z, values)
    limit = abs(strongest)
    assert (heatmap.zmin, heatmap.zmid, heatmap.zmax) == (-limit, 0, limit)
    ticks = dict(zip(heatmap.colorbar.ticktext, heatmap.colorbar.tickvals, strict=True))
    assert ticks == {"for 4": -limit, "0": 0, "for 9": limit}
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]  # row 0 at the top
    assert figure.layout.yaxis.scaleanchor == "x"


def test_the_outline_of_a_map_is_the_digit(image):
    outline = attribution(np.ones((28, 28)), image, 9, 4).data[1]
    np.testing.assert_array_equal(outline.z, image)
    contours = outline.contours
    assert contours.start == contours.end == 128 and contours.coloring == "none"


def test_a_map_without_reasons_is_drawn(image):
    heatmap = attribution(np.zeros((28, 28)), image, 9, 4).data[0]
    assert heatmap.zmin == -heatmap.zmax < 0
    assert not np.any(heatmap.z)
