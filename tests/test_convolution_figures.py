"""What the pictures of filters and feature maps show: values, frames, scales and clicks."""

import numpy as np
import pytest

from mnist_core import convolution_figures as figures

pytestmark = pytest.mark.filterwarnings("error")
ORANGE = "#e07b00"


def heatmap(figure):
    (found,) = figure.data
    return found


def frames(figure):
    """Return top, left, bottom, right of the orange frames, as pixels."""
    return [
        (shape.y0 + 0.5, shape.x0 + 0.5, shape.y1 - 0.5, shape.x1 - 0.5)
        for shape in figure.layout.shapes
        if shape.line.color == ORANGE
    ]


def test_an_image_keeps_its_values_and_is_drawn_from_the_top():
    values = np.array([[0.5, -2.0, 0.0], [1.0, 0.25, 1.5]])
    figure = figures.image(values, "in", "signed", frames=[(0, 1, 1, 2)])
    np.testing.assert_array_equal(heatmap(figure).z, values)
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]
    assert figure.layout.yaxis.scaleanchor == "x"
    assert frames(figure) == [(0, 1, 1, 2)]


@pytest.mark.parametrize(
    "kind, low, middle, automatic",
    [("signed", -2, 0, True), ("positive", 0, None, True), ("digit", 0, None, None)],
)
def test_each_kind_has_its_scale(kind, low, middle, automatic):
    drawn = heatmap(figures.image(np.array([[0.0, 2.0]]), "", kind))
    assert (drawn.zmin, drawn.zmid, drawn.zmax) == (low, middle, 2)
    assert drawn.autocolorscale == automatic
    if kind == "digit":
        assert drawn.colorscale == ((0, "#000000"), (1, "#ffffff"))


@pytest.mark.parametrize("kind", ["signed", "positive", "digit"])
def test_an_image_of_zeros_has_a_scale_all_the_same(kind):
    drawn = heatmap(figures.image(np.zeros((2, 2)), "", kind))
    assert drawn.zmin < drawn.zmax


def test_a_padded_image_begins_with_its_own_first_pixel():
    padded = np.pad(np.ones((4, 3)), ((1, 2), (2, 2)))
    figure = figures.image(padded, "", "positive", before=(1, 2), inner=(4, 3))
    drawn = heatmap(figure)
    assert (drawn.y0, drawn.x0) == (-1, -2)
    assert padded[0 - drawn.y0, 0 - drawn.x0] == 1 and padded[-drawn.y0 - 1, 2] == 0
    (edge,) = figure.layout.shapes
    assert edge.line.dash == "dot"
    assert (edge.y0, edge.y1, edge.x0, edge.x1) == (-0.5, 3.5, -0.5, 2.5)
    assert not figures.image(np.ones((4, 3)), "", "positive", inner=(4, 3)).layout.shapes


def test_numbers_stand_in_a_window():
    drawn = heatmap(figures.numbers(np.array([[0.234, -0.05], [0.0, 0.0001]]), "", "signed"))
    assert [*map(list, drawn.text)] == [["0.23", "−0.05"], ["0", "0.00"]]
    assert drawn.textfont.size >= 14
    big = heatmap(figures.numbers(np.array([[123.4, -7.0]]), "", "signed"))
    assert [*map(list, big.text)] == [["123", "−7"]]
    zeros = heatmap(figures.numbers(np.zeros((2, 1)), "", "signed"))
    assert [*map(list, zeros.text)] == [["0"], ["0"]]


def test_where_there_is_no_room_only_the_pointer_tells_numbers():
    drawn = heatmap(figures.numbers(np.ones((11, 11)), "", "signed"))
    assert drawn.text is None and "%{z" in drawn.hovertemplate


def test_padding_is_told_to_the_pointer():
    outside = np.array([[True, False], [True, False]])
    drawn = heatmap(figures.numbers(np.zeros((2, 2)), "", "digit", outside))
    assert [list(row) for row in drawn.customdata] == [[" (padding)", ""]] * 2
    assert "%{customdata}" in drawn.hovertemplate
    assert (
        heatmap(figures.numbers(np.zeros((2, 2)), "", "digit", ~outside & False)).customdata is None
    )


# Mosaics


def drawn_maps(count, columns, chosen=None, place=None, seed=0):
    values = np.random.default_rng(seed).normal(size=(4, 3, count))
    figure = figures.maps(values, "", "signed", columns=columns, chosen=chosen, place=place)
    return values, figure


@pytest.mark.parametrize("count, columns", [(6, 6), (7, 4), (1, 1), (16, 8)])
def test_each_map_stands_where_a_click_finds_it(count, columns):
    values, figure = drawn_maps(count, columns)
    z = heatmap(figure).z
    top = abs(values).max()
    found = set()
    for y, x in np.ndindex(z.shape):
        hit = figures.clicked_map(x, y, values.shape, columns)
        if hit is None:
            assert z[y, x] == 0
            continue
        number, row, column = hit
        found.add(hit)
        assert z[y, x] / 127 * top == pytest.approx(values[row, column, number], abs=top / 250)
    assert len(found) == values.size
    assert abs(z).max() == 127 == heatmap(figure).zmax == -heatmap(figure).zmin


def test_a_click_beside_the_maps_is_none():
    assert figures.clicked_map(12, 0, (4, 3, 4), 4) is None
    assert figures.clicked_map(3, 4, (4, 3, 5), 4) is None
    assert figures.clicked_map(2, 4, (4, 3, 5), 4) == (4, 0, 2)


def test_frames_stand_around_the_chosen_map_and_pixel():
    values, figure = drawn_maps(7, 4, chosen=5, place=(2, 1))
    whole, pixel = frames(figure)
    top, left, bottom, right = whole
    assert figures.clicked_map(left, top, values.shape, 4) == (5, 0, 0)
    assert figures.clicked_map(right, bottom, values.shape, 4) == (5, 3, 2)
    assert pixel[:2] == pixel[2:]
    assert figures.clicked_map(pixel[1], pixel[0], values.shape, 4) == (5, 2, 1)
    assert frames(drawn_maps(7, 4)[1]) == []
    assert frames(drawn_maps(7, 4, chosen=7)[1]) == []


def test_maps_of_zeros_are_drawn():
    figure = figures.maps(np.zeros((2, 2, 3)), "", "positive", columns=3)
    assert (heatmap(figure).z == 0).all()


@pytest.mark.parametrize("count, columns", [(1, 1), (6, 6), (16, 16), (17, 9), (48, 16), (64, 16)])
def test_rows_of_maps_are_as_even_as_can_be(count, columns):
    assert figures.columns_of(count) == columns


# Shares and digits


def test_the_share_of_each_map_is_a_bar():
    figure = figures.shares(np.array([0.5, -1.0, 0.25]), 1)
    (bars,) = figure.data
    assert list(bars.x) == [1, 2, 3] and list(bars.y) == [0.5, -1.0, 0.25]
    assert list(bars.customdata) == [0, 1, 2]
    assert [color == ORANGE for color in bars.marker.color] == [False, True, False]


def test_digits_stand_in_a_row_with_frames_and_texts():
    images = np.random.default_rng(1).integers(0, 256, (3, 28, 28)).astype(np.uint8)
    around = [(0, 0, 4, 4), (10, 12, 20, 22), (23, 23, 27, 27)]
    figure = figures.digits(images, around, ["1.20", "1.10", "0.90"])
    z = heatmap(figure).z
    notes = sorted(figure.layout.annotations, key=lambda note: note.x)
    assert [note.text for note in notes] == ["1.20", "1.10", "0.90"]
    for n, (top, left, bottom, right) in enumerate(frames(figure)):
        assert figures.clicked_digit(left) == figures.clicked_digit(right) == n
        assert figures.clicked_digit(notes[n].x) == n
        own = around[n]
        np.testing.assert_array_equal(
            z[int(top) : int(bottom) + 1, int(left) : int(right) + 1],
            images[n, own[0] : own[2] + 1, own[1] : own[3] + 1],
        )
