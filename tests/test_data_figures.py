"""What the figures of Browse say of a dataset: values, titles and axes, against numpy's."""

import re

import numpy as np
import pytest

from mnist_core import data_figures


@pytest.fixture(scope="module")
def image():
    """A bar of 3 × 2 pixels and one faint pixel apart from it."""
    drawn = np.zeros((28, 28), np.uint8)
    drawn[5:8, 10:12] = 200
    drawn[20, 25] = 51
    return drawn


@pytest.fixture(scope="module")
def means():
    return np.random.default_rng(1).uniform(0, 255, (10, 28, 28))


@pytest.fixture
def distances():
    """Ten points on a line, 4 and 9 the nearest to each other."""
    places = np.array([0.0, 10, 20, 30, 40, 50, 60, 70, 80, 41.5])
    return abs(places[:, None] - places[None])


# Balance


def test_class_balance_draws_shares_and_says_the_extremes():
    training, test = np.arange(10, 20), np.array([5, 0, 1, 1, 1, 1, 1, 0, 0, 0])
    figure = data_figures.class_balance(training, test)
    train_bars, test_bars = figure.data
    np.testing.assert_allclose(train_bars.y, training / 145 * 100)
    np.testing.assert_allclose(test_bars.y, [50, 0, 10, 10, 10, 10, 10, 0, 0, 0])
    assert list(train_bars.x) == list(test_bars.x) == list(range(10))
    assert list(train_bars.customdata) == list(training)
    assert list(test_bars.customdata) == list(test)
    assert (train_bars.name, test_bars.name) == ("training, 145 images", "test, 10 images")
    assert figure.layout.title.text == "Most images of 9 (13.1 %), fewest of 0 (6.9 %)"
    assert figure.layout.xaxis.title.text == "digit"
    assert figure.layout.yaxis.title.text == "share of the set (%)"


def test_class_balance_without_images_divides_by_nothing():
    figure = data_figures.class_balance(np.zeros(10, int), np.zeros(10, int))
    assert all(np.array_equal(bars.y, np.zeros(10)) for bars in figure.data)


# One image


@pytest.mark.parametrize("normalized", [False, True])
def test_pixels_draw_values_centre_and_the_ink_of_rows_and_columns(image, normalized):
    figure = data_figures.pixels(image, (6.5, 10.75), normalized=normalized)
    heatmap, cross, rows, columns = figure.data
    values = image / 255 if normalized else image.astype(float)
    np.testing.assert_allclose(heatmap.z, values)
    assert (heatmap.zmin, heatmap.zmax) == (0, 1 if normalized else 255)
    assert (list(cross.x), list(cross.y)) == ([10.75], [6.5])
    np.testing.assert_allclose(rows.x, values.sum(axis=1))
    np.testing.assert_allclose(rows.y, range(28))
    np.testing.assert_allclose(columns.y, values.sum(axis=0))
    np.testing.assert_allclose(columns.x, range(28))
    assert rows.xaxis == "x2" and columns.yaxis == "y2"
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]  # row 0 at the top
    assert figure.layout.xaxis2.range[1] >= values.sum(axis=1).max()
    assert figure.layout.yaxis2.range[1] >= values.sum(axis=0).max()
    assert figure.layout.xaxis.title.text == "column (pixel)"
    assert figure.layout.yaxis.title.text == "row (pixel)"


def test_sums_of_a_row_of_full_ink_do_not_overflow():
    full = np.full((28, 28), 255, np.uint8)
    rows, columns = data_figures.pixels(full, (13.5, 13.5)).data[2:]
    assert set(rows.x) == set(columns.y) == {28 * 255}


def test_a_pixel_under_the_pointer_says_value_and_division(image):
    heatmap = data_figures.pixels(image, (0, 0)).data[0]
    assert list(heatmap.customdata[5][10]) == ["200", "0.784"]
    assert list(heatmap.customdata[20][25]) == ["51", "0.200"]


@pytest.mark.parametrize(
    ("normalized", "written"), [(False, ("200", "51")), (True, (".78", ".20"))]
)
def test_written_pixels_hold_their_number_and_the_background_none(image, normalized, written):
    heatmap = data_figures.pixels(image, (0, 0), normalized=normalized, written=True).data[0]
    assert (heatmap.text[5][10], heatmap.text[20][25]) == written
    assert sum(text != "" for row in heatmap.text for text in row) == np.count_nonzero(image)
    assert data_figures.pixels(image, (0, 0)).data[0].text is None


def test_a_full_pixel_is_written_as_one_when_normalized():
    full = np.zeros((28, 28), np.uint8)
    full[0, 0] = 255
    heatmap = data_figures.pixels(full, (0, 0), normalized=True, written=True).data[0]
    assert float(heatmap.text[0][0]) == 1


def test_an_empty_image_has_axes_that_are_not_empty():
    figure = data_figures.pixels(np.zeros((28, 28), np.uint8), (13.5, 13.5))
    assert figure.layout.xaxis2.range[1] > 0 and figure.layout.yaxis2.range[1] > 0
    assert not np.any(figure.data[2].x)


# Classes


def test_class_distances_name_the_nearest_pair_and_leave_the_diagonal_empty(distances):
    figure = data_figures.class_distances(distances)
    heatmap = figure.data[0]
    title = figure.layout.title.text
    assert re.findall(r"[0-9.]+", title) == ["4", "9", "1.5"]
    z, apart = np.array(heatmap.z, float), np.array(heatmap.customdata, float)
    assert np.isnan(z[np.eye(10, dtype=bool)]).all()
    off = ~np.eye(10, dtype=bool)
    np.testing.assert_allclose(apart[off], distances[off])
    np.testing.assert_allclose(z[off], 80 - distances[off])  # the nearer the stronger
    assert z[4, 9] == heatmap.zmax == 78.5
    written = {(note.y, note.x): note.text for note in figure.layout.annotations if note.text}
    assert written[4, 9] == written[9, 4] == "1.5" and written[0, 8] == "80.0"
    assert len(written) == 90 and (3, 3) not in written
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]
    assert not figure.layout.shapes


def test_the_chosen_pair_has_a_frame(distances):
    (shape,) = data_figures.class_distances(distances, (2, 7)).layout.shapes
    assert (shape.x0, shape.x1, shape.y0, shape.y1) == (6.5, 7.5, 1.5, 2.5)


def test_mean_difference_is_positive_where_the_first_digit_has_more_ink(means):
    heatmap = data_figures.mean_difference(means, 3, 8).data[0]
    np.testing.assert_allclose(heatmap.z, (means[3] - means[8]) / 255)
    limit = abs(means[3] - means[8]).max() / 255
    assert (heatmap.zmin, heatmap.zmax, heatmap.zmid) == pytest.approx((-limit, limit, 0))
    ticks = dict(zip(heatmap.colorbar.ticktext, heatmap.colorbar.tickvals, strict=True))
    assert ticks == pytest.approx({"more in 8": -limit, "equal": 0, "more in 3": limit})


def test_the_difference_turned_around_changes_its_sign(means):
    one, other = (data_figures.mean_difference(means, *pair) for pair in ((3, 8), (8, 3)))
    np.testing.assert_allclose(one.data[0].z, -np.array(other.data[0].z))
    assert one.layout.title.text == "Mean 3 minus mean 8"
    assert other.layout.title.text == "Mean 8 minus mean 3"


def test_equal_means_have_limits_that_are_not_empty():
    heatmap = data_figures.mean_difference(np.zeros((10, 28, 28)), 1, 2).data[0]
    assert heatmap.zmin < 0 < heatmap.zmax


# The map

N = 40
POINTS = np.random.default_rng(2).normal(size=(N, 2))
of_place = np.arange(N) % 9  # no 9


def digit_map(shown=None, selected=None, **named):
    return data_figures.digit_map(
        POINTS,
        of_place,
        ("one direction", "the other"),
        shown=np.ones(N, bool) if shown is None else shown,
        selected=np.zeros(N, bool) if selected is None else selected,
        **named,
    )


def test_each_point_is_drawn_once_in_its_digits_trace():
    figure = digit_map()
    faint, *of_digits = figure.data
    assert not len(faint.x)
    assert [trace.name for trace in of_digits] == [str(digit) for digit in range(10)]
    for digit, trace in enumerate(of_digits):
        places = np.array(trace.customdata, int)
        np.testing.assert_array_equal(places, np.flatnonzero(of_place == digit))
        np.testing.assert_allclose(np.column_stack([trace.x, trace.y]), POINTS[places])
    assert len({trace.marker.color for trace in of_digits}) == 10
    assert figure.layout.xaxis.title.text == "one direction"
    assert figure.layout.yaxis.title.text == "the other"


def test_points_not_shown_are_in_the_first_trace_alone_and_answer_nothing():
    shown = np.arange(N) % 3 == 0
    faint, *of_digits = digit_map(shown).data
    np.testing.assert_allclose(np.column_stack([faint.x, faint.y]), POINTS[~shown])
    assert faint.customdata is None and faint.hoverinfo == "skip"
    drawn = np.concatenate([np.array(trace.customdata, int) for trace in of_digits])
    np.testing.assert_array_equal(np.sort(drawn), np.flatnonzero(shown))
    assert faint.marker.opacity < min(trace.marker.opacity for trace in of_digits)


def test_selected_points_are_selected_in_their_own_traces():
    selected = np.isin(np.arange(N), [0, 9, 13, 38])
    for trace in digit_map(selected=selected).data[1:]:
        places = np.array(trace.customdata, int)
        inside = places[list(trace.selectedpoints)]
        assert set(inside) == {0, 9, 13, 38} & set(places)  # none of a digit: an empty list
    assert all(trace.selectedpoints is None for trace in digit_map().data[1:])


def test_the_opened_point_has_a_ring_and_lines_to_its_neighbours():
    lines, small, ring = digit_map(opened=7, neighbours=np.array([3, 30])).data[11:]
    expected = np.array([POINTS[7], POINTS[3], [np.nan] * 2, POINTS[7], POINTS[30], [np.nan] * 2])
    np.testing.assert_allclose(np.column_stack([lines.x, lines.y]), expected)
    np.testing.assert_allclose(np.column_stack([small.x, small.y]), POINTS[[3, 30]])
    np.testing.assert_allclose(np.column_stack([ring.x, ring.y]), POINTS[[7]])
    assert ring.marker.size > small.marker.size
    assert len(digit_map().data) == 11  # nothing opened


@pytest.mark.parametrize("neighbours", [None, np.empty(0, np.int64)])
def test_an_opened_point_without_neighbours_has_the_ring_alone(neighbours):
    lines, small, ring = digit_map(opened=7, neighbours=neighbours).data[11:]
    assert not len(lines.x) and not len(small.x)
    assert list(ring.x) == [POINTS[7, 0]]


def test_a_map_of_nothing_shown_is_drawn_faint():
    faint, *of_digits = digit_map(shown=np.zeros(N, bool)).data
    assert len(faint.x) == N
    assert not any(len(trace.x) for trace in of_digits)


def names(positions, labels, **more):
    everything = np.ones(len(labels), bool)
    options = {"shown": everything, "selected": ~everything} | more
    figure = data_figures.digit_map(positions, labels, ("a", "b"), **options)
    return {note.text[3:-4]: (note.x, note.y) for note in figure.layout.annotations}


def test_a_digits_name_stands_in_the_middle_of_its_points():
    corners = np.array([[0, 0], [10, 0], [0, 10], [10, 10]], float)
    labels = np.repeat([1, 4, 5, 9], 9)
    positions = np.repeat(corners, 9, axis=0) + np.tile(np.arange(9) / 10, (2, 4)).T
    found = names(positions, labels)
    assert set(found) == {"1", "4", "5", "9"}
    for digit, corner in zip("1459", corners, strict=True):
        assert found[digit] == pytest.approx(tuple(corner + 0.4))


def test_names_that_would_cover_each_other_move_apart_and_stay_near():
    rng = np.random.default_rng(0)
    positions, labels = rng.normal(size=(600, 2)), np.repeat(np.arange(10), 60)
    found = np.array([names(positions, labels)[str(digit)] for digit in range(10)])
    size = np.ptp(positions, axis=0)
    gaps = abs(found[:, None] - found[None]) / size / (0.045, 0.1)
    apart = np.linalg.norm(gaps, axis=-1) + np.eye(10) * 9
    assert apart.min() > 0.8
    medians = np.array([np.median(positions[labels == digit], axis=0) for digit in range(10)])
    assert (abs(found - medians) / size).max() < 0.35


def test_a_digit_that_is_filtered_out_has_no_name():
    labels = np.repeat([3, 8], 5)
    positions = np.arange(20, dtype=float).reshape(10, 2)
    assert set(names(positions, labels, shown=labels == 3)) == {"3"}
    assert names(positions, labels, shown=labels == 9) == {}


# Distances


def test_nearest_distances_say_the_median_and_mark_the_limit():
    distances = np.array([0.5, 1.0, 4.24, 6.0, 9.0])
    figure = data_figures.nearest_distances(distances, 1.25)
    np.testing.assert_allclose(figure.data[0].x, distances)
    assert "within 4.2 of" in figure.layout.title.text
    (line,) = figure.layout.shapes
    assert line.x0 == line.x1 == 1.25
    assert figure.layout.xaxis.title.text == "distance to the nearest training image"
    assert figure.layout.yaxis.title.text == "test images"
