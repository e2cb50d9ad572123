"""What changes from epoch to epoch: the data of the figures."""

import re
from itertools import combinations

import numpy as np
import pytest

from mnist_core import figures
from mnist_core.over_time_figures import cell_curve, confusion_over_time, first_layer, life

pytestmark = pytest.mark.filterwarnings("error")


def frames(figure):
    """The framed cells as (row, column)."""
    boxes = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    for box in boxes:
        assert (box.x1 - box.x0, box.y1 - box.y0) == (1, 1)
    return [(box.y0 + 0.5, box.x0 + 0.5) for box in boxes]


def cells_of(values):
    matrix = np.zeros((10, 10), int)
    for cell, value in values.items():
        matrix[cell] = value
    return matrix


# Over time

MOMENTS = [0.0, 1.0, 2.0, 4.0]
ERRORS = {(4, 9): (4, 2, 1), (9, 4): (1, 0, 0), (7, 1): (0, 0, 3)}  # after epochs 1, 2 and 4


@pytest.fixture
def past():
    """Twenty images of each digit; before training two of each are in each cell."""
    trained = np.stack([cells_of({cell: n[m] for cell, n in ERRORS.items()}) for m in range(3)])
    trained += np.eye(10, dtype=int) * (20 - trained.sum(axis=2))[:, None, :]
    return np.concatenate([np.full((1, 10, 10), 2), trained])


def curves(trace, points):
    """(true, predicted) -> along (0 left to 1 right) and height (0 bottom to 1 top) of a cell."""
    x, y = (np.reshape(side, (-1, points + 1)) for side in (trace.x, trace.y))
    assert np.isnan(x[:, -1]).all() and np.isnan(y[:, -1]).all()  # no line from cell to cell
    found = {}
    for across, down in zip(x[:, :-1], y[:, :-1], strict=True):
        if np.isnan(down).all():  # not drawn
            continue
        true, predicted = round(down[0]), round(across[0])
        found[true, predicted] = (
            (across - (predicted - 0.4)) / 0.8,
            ((true + 0.4) - down) / 0.8,
        )
    return found


def test_each_error_is_a_curve_on_one_scale(past):
    figure = confusion_over_time(MOMENTS, past)
    _, errors, diagonal = figure.data
    found = curves(errors, 3)
    assert set(found) == set(ERRORS)
    for cell, counts in ERRORS.items():
        along, height = found[cell]
        np.testing.assert_allclose(along, [0, 1 / 3, 1], atol=1e-9)
        np.testing.assert_allclose(height, np.array(counts) / 4, atol=1e-9)
    assert (errors.mode, errors.line.color) == ("lines", figures.VALIDATION)
    assert diagonal.line.color == figures.PAPER
    assert re.findall(r"\d+", figure.layout.title.text) == ["4"]  # errors fill a cell
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]


def test_the_diagonal_shows_recall_from_the_worst_to_all(past):
    found = curves(confusion_over_time(MOMENTS, past).data[-1], 3)
    assert set(found) == {(digit, digit) for digit in range(10)}
    # 16, 18 and 19 of twenty 4s are rightly read; the worst is 16.
    expected = {4: [0, 0.5, 0.75], 9: [0.75, 1, 1], 7: [1, 1, 0.25]}
    for digit in range(10):
        height = found[digit, digit][1]
        np.testing.assert_allclose(height, expected.get(digit, [1, 1, 1]), atol=1e-9)


def test_recall_of_all_images_is_at_the_top_of_its_cell():
    past = np.stack([np.diag([5] * 10)] * 2)
    for _, height in curves(confusion_over_time([1.0, 2.0], past).data[-1], 2).values():
        np.testing.assert_allclose(height, [1, 1])


def test_a_digit_without_images_does_not_set_the_scale(past):
    past[:, 3] = 0
    found = curves(confusion_over_time(MOMENTS, past).data[-1], 3)
    np.testing.assert_allclose(found[4, 4][1], [0, 0.5, 0.75], atol=1e-9)


def test_the_background_marks_where_errors_ever_were_after_training_began(past):
    heatmap = confusion_over_time(MOMENTS, past).data[0]
    np.testing.assert_array_equal(heatmap.z, cells_of(dict.fromkeys(ERRORS, 1)))
    assert heatmap.colorscale[1] == (1, figures.BACKGROUND)


def test_the_untrained_network_is_shown_only_while_it_is_alone(past):
    alone = confusion_over_time(MOMENTS[:1], past[:1])
    found = curves(alone.data[1], 1)
    assert set(found) == {(t, p) for t in range(10) for p in range(10) if t != p}
    assert re.findall(r"\d+", alone.layout.title.text) == ["2"]
    later = confusion_over_time(MOMENTS[:2], past[:2])
    assert set(curves(later.data[1], 1)) == {(4, 9), (9, 4)}


def test_a_single_moment_is_a_point_in_the_middle_of_its_cell(past):
    _, errors, diagonal = confusion_over_time(MOMENTS[:2], past[:2]).data
    assert errors.mode == diagonal.mode == "markers"
    assert errors.marker.color == figures.VALIDATION
    assert diagonal.marker.color == figures.PAPER
    assert curves(errors, 1)[4, 9] == (pytest.approx([0.5]), pytest.approx([1]))


def test_the_cursor_is_a_dot_on_every_curve(past):
    _, errors, error_dots, diagonal, diagonal_dots = confusion_over_time(
        MOMENTS, past, cursor=2.0
    ).data
    for line, dots in ((errors, error_dots), (diagonal, diagonal_dots)):
        assert dots.mode == "markers" and dots.marker.color == line.line.color
        np.testing.assert_allclose(dots.x, np.reshape(line.x, (-1, 4))[:, 1])
        np.testing.assert_allclose(dots.y, np.reshape(line.y, (-1, 4))[:, 1])


@pytest.mark.parametrize("cursor", [None, 0.0, 3.0])
def test_a_cursor_where_no_moment_is_drawn_has_no_dots(past, cursor):
    assert len(confusion_over_time(MOMENTS, past, cursor=cursor).data) == 3


def test_the_pointer_reads_counts_and_shares_of_each_epoch(past):
    hover = confusion_over_time(MOMENTS, past).data[0].hovertext
    assert hover[4][9] == "<b>4 read as 9</b><br>epoch 1: 4<br>epoch 2: 2<br>epoch 4: 1"
    assert hover[4][4] == (
        "<b>4 rightly read</b><br>epoch 1: 80.00 %<br>epoch 2: 90.00 %<br>epoch 4: 95.00 %"
    )


def test_the_pointer_reads_the_last_twelve_epochs_of_many():
    moments = [float(moment) for moment in range(16)]
    past = np.stack([cells_of({(4, 9): 1000 + m}) for m in range(16)])
    lines = confusion_over_time(moments, past).data[0].hovertext[4][9].split("<br>")
    assert lines[1:] == ["…", *(f"epoch {m}: 1,{m:03}" for m in range(4, 16))]


def test_chosen_cells_have_frames_over_time_too(past):
    cells = [(4, 9), (None, 3), (2, None), (7, 7)]
    assert frames(confusion_over_time(MOMENTS, past, chosen=cells)) == [(4, 9), (7, 7)]


def test_matrices_without_images_have_no_curve_off_the_diagonal():
    figure = confusion_over_time([1.0, 2.0], np.zeros((2, 10, 10), int))
    assert not len(figure.data[1].x)
    assert not np.any(figure.data[0].z)
    assert np.isnan(np.asarray(figure.data[2].y, float)).all()  # no share of nothing


# The curve of the chosen cells


def test_the_curve_of_chosen_cells_begins_when_training_does():
    figure = cell_curve([0.0, 1.0, 2.5], np.array([90, 3, 1]), "True 4, read as 9", 2.5)
    (line,) = figure.data
    assert (list(line.x), list(line.y)) == ([1, 2.5], [3, 1])
    assert figure.layout.title.text == "True 4, read as 9"
    assert figure.layout.yaxis.dtick == 1  # no half images
    assert figure.layout.xaxis.title.text == "epoch"
    assert figure.layout.yaxis.title.text == "images"
    assert figure.layout.yaxis.rangemode == "tozero"
    (cursor,) = figure.layout.shapes
    assert cursor.x0 == cursor.x1 == 2.5


def test_the_curve_of_an_untrained_network_is_its_one_point():
    figure = cell_curve([0.0], np.array([90]), "True 4")
    assert (list(figure.data[0].x), list(figure.data[0].y)) == ([0], [90])
    assert "markers" in figure.data[0].mode
    assert not figure.layout.shapes


# An image's life


EPOCHS = [0.0, 1.0, 2.0, 3.0]


@pytest.fixture
def lived():
    """A 5, first read as 3; 8 is read before training only, 7 never reaches 5 %, 6 just does."""
    rows = np.zeros((4, 10))
    rows[0, 8], rows[0, 7], rows[0, 2] = 0.8, 0.1, 0.1
    rows[1, 3], rows[1, 5], rows[1, 8] = 0.7, 0.2, 0.1
    rows[2, 5], rows[2, 3], rows[2, 6], rows[2, 7] = 0.6, 0.301, 0.05, 0.049
    rows[3, 5], rows[3, 3] = 0.94, 0.06
    return rows


def test_a_life_colours_the_truth_and_what_it_was_taken_for(lived):
    figure = life(EPOCHS, lived, 5)
    colors = {line.name: line.line.color for line in figure.data}
    assert colors == {
        "5": figures.RIGHT, "3": figures.WRONG, "6": figures.PAPER, "8": figures.PAPER,
    }  # fmt: skip
    for line in figure.data:
        np.testing.assert_allclose(line.x, EPOCHS)
        np.testing.assert_allclose(line.y, lived[:, int(line.name)] * 100)
    first, last = figure.layout.xaxis.range
    assert -0.1 < first < 0 and 3 < last < 3.1
    assert figure.layout.xaxis.dtick == 1  # no half epochs


def test_the_truth_of_a_life_is_thick_and_above_the_others(lived):
    *others, truth = life(EPOCHS, lived, 5).data
    assert truth.name == "5"
    assert all(truth.line.width > line.line.width for line in others)
    assert all(truth.marker.size > line.marker.size for line in others)


def test_the_truth_of_a_life_is_drawn_however_unlikely_it_was(lived):
    assert life(EPOCHS, lived, 1).data[-1].name == "1"
    assert not np.any(life(EPOCHS, lived, 1).data[-1].y)
    zero = life(EPOCHS, lived, 0).data[-1]
    assert (zero.name, zero.line.color) == ("0", figures.RIGHT)


def test_the_life_of_an_untrained_network_is_its_guess(lived):
    figure = life(EPOCHS[:1], lived[:1], 5)
    colors = {line.name: line.line.color for line in figure.data}
    assert colors == {
        "2": figures.PAPER, "7": figures.PAPER, "8": figures.WRONG, "5": figures.RIGHT,
    }  # fmt: skip
    assert all("markers" in line.mode for line in figure.data)
    assert figure.layout.xaxis.range is None  # of no width


def test_a_life_of_which_nothing_is_readable_is_an_empty_line():
    figure = life([], np.empty((0, 10)), 5)
    (truth,) = figure.data
    assert truth.name == "5" and not len(truth.x)
    assert not figure.layout.annotations


def test_the_cursor_stands_in_a_life(lived):
    (line,) = life(EPOCHS, lived, 5, cursor=2.0).layout.shapes
    assert line.x0 == line.x1 == 2
    assert not life(EPOCHS, lived, 5).layout.shapes


def test_each_line_of_a_life_is_named_at_its_end_in_its_colour(lived):
    figure = life(EPOCHS, lived, 5)
    notes = {note.text: note for note in figure.layout.annotations}
    assert set(notes) == {f"<b>{line.name}</b>" for line in figure.data}
    for line in figure.data:
        note = notes[f"<b>{line.name}</b>"]
        assert (note.x, note.y) == (3, pytest.approx(line.y[-1]))
        assert note.font.color == line.line.color
        assert note.xanchor == "left" and note.xshift > 0


def names_upon_each_other(ends):
    """The pairs of names at these ends that lie less than a letter apart, both ways."""
    row = np.zeros((1, 10))
    row[0, : len(ends)] = ends
    notes = life([1.0], row, 0).layout.annotations
    assert len(notes) == len(ends)
    return [
        (one.text, other.text)
        for one, other in combinations(notes, 2)
        if abs(one.y - other.y) < 12 and abs(one.xshift - other.xshift) < 12
    ]


@pytest.mark.parametrize(
    "ends", [(0.5, 0.5), (0.555, 0.445), (0.9, 0.05, 0.05), (0.8, 0.06, 0.07, 0.07), (0.1,) * 10]
)
def test_names_at_line_ends_do_not_overlap(ends):
    assert names_upon_each_other(ends) == []


@pytest.mark.parametrize("ends", [(0.4, 0.3, 0.2, 0.1), (0.6, 0.23, 0.12, 0.05)])
def test_names_in_a_chain_do_not_overlap(ends):
    assert names_upon_each_other(ends) == []


def test_names_far_from_each_other_stay_at_their_lines():
    row = np.zeros((1, 10))
    row[0, :2] = 0.7, 0.3
    one, other = life([1.0], row, 0).layout.annotations
    assert one.xshift == other.xshift


# The first layer's weights


@pytest.mark.parametrize(("units", "side"), [(1, 28), (10, 28), (128, 28), (16, 5), (13, 5)])
def test_each_unit_is_drawn_in_its_place_on_one_scale(units, side):
    images = np.random.default_rng(units).normal(size=(units, side, side)).astype(np.float32)
    images[0, 0, :2] = -7.5, 7.5  # beyond the rest: cut off
    figure = first_layer(images)
    heatmap = figure.data[0]
    drawn = np.asarray(heatmap.z)
    assert drawn.dtype == np.int8 and (heatmap.zmin, heatmap.zmid, heatmap.zmax) == (-127, 0, 127)
    limit = np.quantile(abs(images), 0.995)
    assert heatmap.colorbar.ticktext == (f"−{limit:.2g}", "0", f"{limit:.2g}")
    columns = drawn.shape[1] // side
    for unit in range(units):
        top, left = unit // columns * side, unit % columns * side
        part = drawn[top : top + side, left : left + side]
        expected = np.clip(images[unit], -limit, limit)
        np.testing.assert_allclose(part / 127 * limit, expected, atol=limit / 127 / 2 + 1e-6)
    assert drawn[0, 0] == -127 and drawn[0, 1] == 127
    lines = figure.layout.shapes
    assert len(lines) == columns - 1 + drawn.shape[0] // side - 1


def test_weights_of_nothing_but_zeros_are_drawn():
    assert not np.asarray(first_layer(np.zeros((3, 5, 5), np.float32)).data[0].z)[:5, :5].any()


def test_without_moments_there_is_an_empty_figure():
    assert not confusion_over_time([], np.zeros((0, 10, 10), int)).data
