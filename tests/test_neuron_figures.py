"""Units on the bench: the data of the figures."""

import re

import numpy as np
import pytest

from mnist_core import neuron_figures

pytestmark = pytest.mark.filterwarnings("error")
WEIGHTS = np.random.default_rng(0).normal(size=(10, 28, 28)).astype(np.float32)
NUMBERS = [7, 3, 9, 0, 1, 2, 4, 5, 6, 8]


@pytest.fixture
def figure():
    texts = [f"unit {number}" for number in NUMBERS]
    return neuron_figures.units(WEIGHTS[NUMBERS], NUMBERS, texts, chosen=9, off={3, 8, 99})


def place(figure, unit):
    """(row, column) of a unit among the cells."""
    rows = [list(row) for row in figure.data[1].customdata]
    return next((r, row.index(unit)) for r, row in enumerate(rows) if unit in row)


def cell(figure, trace, unit):
    row, column = place(figure, unit)
    return np.asarray(figure.data[trace].z, object)[row][column]


def edges(shape):
    """The corners of a shape that is drawn as a path."""
    return [
        tuple(map(float, pair)) for pair in re.findall(r"[ML](-?[\d.]+),(-?[\d.]+)", shape.path)
    ]


def test_each_units_weights_stand_where_a_click_names_it(figure):
    pixels, cells = figure.data
    shown = np.asarray(pixels.z)
    limit = np.quantile(abs(WEIGHTS), 0.995)
    for unit in NUMBERS:
        row, column = place(figure, unit)
        part = shown[28 * row : 28 * row + 28, 28 * column : 28 * column + 28]
        expected = np.clip(WEIGHTS[unit] / limit, -1, 1) * 127
        np.testing.assert_allclose(part, expected, atol=0.51)
        assert cells.text[row][column] == f"unit {unit}"
        # the middle of the cell, where the browser draws it
        assert cells.x0 + column * cells.dx == 28 * column + 13.5
        assert cells.y0 + row * cells.dy == 28 * row + 13.5
    assert pixels.zmid == 0 and pixels.zmin == -pixels.zmax


def test_the_chosen_is_framed_and_those_that_are_off_are_faint_and_crossed(figure):
    (frame,) = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    row, column = place(figure, 9)
    assert (frame.x0, frame.y0) == (28 * column - 0.5, 28 * row - 0.5)
    assert (frame.x1 - frame.x0, frame.y1 - frame.y0) == (28, 28)
    assert [unit for unit in NUMBERS if cell(figure, 1, unit)] == [3, 8]
    crosses = figure.layout.shapes[1]
    corners = {
        (28 * column - 0.5 + x, 28 * row - 0.5 + y)
        for row, column in (place(figure, 3), place(figure, 8))
        for x in (0, 28)
        for y in (0, 28)
    }
    assert set(edges(crosses)) == corners


def test_nothing_is_framed_or_crossed_where_nothing_is_chosen_or_off():
    figure = neuron_figures.units(WEIGHTS, range(10), [""] * 10, chosen=40)
    assert [shape.type for shape in figure.layout.shapes] == ["path"]  # the lines between units


@pytest.mark.parametrize("count", [1, 2, 7, 10, 64, 100, 127, 128])
def test_every_unit_has_a_cell_and_no_other_cell_answers(count):
    figure = neuron_figures.units(
        np.zeros((count, 28, 28), np.float32), range(count), ["a unit"] * count
    )
    said = [unit for row in figure.data[1].customdata for unit in row]
    assert [unit for unit in said if unit is not None] == list(range(count))
    values = [value for row in figure.data[1].z for value in row]
    # hoverongaps is off: what has no value is not hovered
    assert [value is None for value in values] == [unit is None for unit in said]
    assert not figure.data[1].hoverongaps
    columns = len(figure.data[1].z[0])
    assert 1 <= columns / max(1, len(figure.data[1].z)) <= 3 or count < 8


def test_one_unit_is_drawn_on_its_learned_scale_and_its_pixel_framed():
    figure = neuron_figures.one_unit(WEIGHTS[2], 1.5, 28 * 4 + 9)
    (heatmap,) = figure.data
    np.testing.assert_allclose(np.asarray(heatmap.z, float), WEIGHTS[2], atol=1e-5)
    assert (heatmap.zmin, heatmap.zmid, heatmap.zmax) == (-1.5, 0, 1.5)
    (frame,) = figure.layout.shapes
    assert (frame.x0 + 0.5, frame.y0 + 0.5) == (9, 4)
    assert not neuron_figures.one_unit(WEIGHTS[2], 1.5).layout.shapes
    assert neuron_figures.one_unit(np.zeros((28, 28)), 0.0).data[0].zmax > 0


def test_bars_tell_the_mean_outputs_and_the_weights_by_sign():
    means, outgoing = np.arange(10) / 7, np.array([1, -2, 0.5, -0.1, 3, 1, -1, -1, 1, 1.0])
    figure = neuron_figures.bars(means, outgoing, chosen=4)
    np.testing.assert_allclose(np.asarray(figure.data[0].y, float), means, atol=1e-4)
    np.testing.assert_allclose(np.asarray(figure.data[1].y, float), outgoing, atol=1e-4)
    colors = figure.data[1].marker.color
    assert len(set(colors)) == 2
    assert {color == colors[0] for color, w in zip(colors, outgoing, strict=True) if w > 0} == {
        True
    }
    widths = figure.data[1].marker.line.width
    assert [digit for digit, width in enumerate(widths) if width] == [4]
    assert figure.data[1].yaxis == "y2"


def test_without_outgoing_weights_only_the_mean_outputs_are_drawn():
    figure = neuron_figures.bars(np.array([0.0] * 9 + [np.nan]))
    assert len(figure.data) == 1 and len(figure.layout.annotations) == 1
