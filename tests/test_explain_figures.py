"""The pictures of one digit's numbers: the values that they hold, and what they mark."""

import numpy as np
import pytest

from mnist_core import explain_figures
from mnist_core.equations import spoken

RNG = np.random.default_rng(3)


def test_products_are_input_times_weight_each_in_its_own_scale():
    x, w = RNG.random((28, 28)), RNG.normal(size=(28, 28))
    light, signed = explain_figures.products(x, w, 17).data
    np.testing.assert_array_equal(light.z[:, :28], x)
    assert np.isnan(light.z[:, 28:]).all() and np.isnan(signed.z[:, :28]).all()
    np.testing.assert_array_equal(signed.customdata[:, 30:58], w)
    np.testing.assert_allclose(signed.customdata[:, 60:88], x * w)
    np.testing.assert_allclose(signed.z[:, 30:58], w / abs(w).max())
    assert np.nanmax(abs(signed.z[:, 60:88])) == 1
    titles = [note.text for note in explain_figures.products(x, w, 17).layout.annotations]
    assert f"up to ±{spoken(abs(w).max())}" in titles[1] and "unit 17" in titles[1]
    assert f"up to ±{spoken(abs(x * w).max())}" in titles[2]


def test_a_blank_digit_has_no_products():
    figure = explain_figures.products(np.zeros((28, 28)), np.ones((28, 28)), 0)
    assert (figure.data[1].customdata[:, 60:88] == 0).all()


def test_the_strip_marks_the_chosen_number():
    figure = explain_figures.strip(np.linspace(0, 1, 784), 405)
    assert figure.data[0].z[0][405] == pytest.approx(405 / 783)
    assert figure.layout.annotations[0].x == 405
    assert "405" in figure.layout.annotations[0].text


def test_bars_tell_signs_the_chosen_one_and_those_that_are_off():
    values = np.array([1.5, -0.5, 0.2, -3.0])
    off = np.array([False, True, False, True])
    figure = explain_figures.bars(values, 2, across="unit", up="z", off=off)
    *bars, target = figure.data
    found = {x: (y, bar.marker.color) for bar in bars for x, y in zip(bar.x, bar.y, strict=True)}
    assert [found[x][0] for x in range(4)] == values.tolist()
    assert found[1][1] == found[3][1] == explain_figures.PAPER
    assert found[2][1] == explain_figures.TRAINING and found[0][1] == explain_figures.VALIDATION
    # Plotly would make bars that stand far apart wider: 5 and 9 alone may be positive.
    assert all(bar.width == explain_figures.BAR for bar in bars)
    filters = explain_figures.bars(values, 2, across="filter", up="z", first=1)
    assert filters.data[-1].x.tolist() == [1, 2, 3, 4] and filters.data[3].x.tolist() == [3]
    plain = explain_figures.bars(values, None, across="unit", up="z").data[1]
    assert plain.marker.color == explain_figures.WRONG and plain.x.tolist() == [1, 3]
    low, high = figure.layout.yaxis.range
    assert low < -3 and high > 1.5
    # What is clicked reaches from the bottom to the top, so that a small bar is as easy.
    assert (target.base <= low + 1e-9).all() and (target.base + target.y >= high - 1e-9).all()
    assert target.customdata.tolist() == values.tolist()


@pytest.mark.parametrize("values", [np.zeros(3), np.full(2, -1e-9), np.array([5.0])])
def test_bars_of_zeros_or_one_have_a_range(values):
    low, high = explain_figures.bars(values, None, across="a", up="b").layout.yaxis.range
    assert low < high


def test_a_weight_map_is_symmetric_around_zero_and_frames_the_chosen_cell():
    values = RNG.normal(size=(8, 16))
    values[0, 0] = np.nan
    figure = explain_figures.weight_map(values, (3, 5), "title")
    heatmap, shape = figure.data[0], figure.layout.shapes[0]
    assert heatmap.zmax == -heatmap.zmin == np.nanmax(abs(values))
    assert (shape.x0, shape.x1, shape.y0, shape.y1) == (4.5, 5.5, 2.5, 3.5)
    assert not explain_figures.weight_map(values, None, "").layout.shapes


def test_weight_maps_stand_side_by_side_in_shares_of_their_strongest():
    maps = [("m", RNG.normal(size=(28, 28))), ("v", RNG.random((28, 28)) * 1e-6)]
    figure = explain_figures.weight_maps(maps)
    heatmap = figure.data[0]
    np.testing.assert_array_equal(heatmap.customdata[:, :28], maps[0][1])
    np.testing.assert_array_equal(heatmap.customdata[:, -28:], maps[1][1])
    assert np.nanmax(abs(heatmap.z[:, :28])) == np.nanmax(heatmap.z[:, -28:]) == 1
    for note, (name, values) in zip(figure.layout.annotations, maps, strict=True):
        assert ("±" in note.text) == (name == "m")  # v is never negative
        assert name in note.text and spoken(abs(values).max()) in note.text


@pytest.mark.parametrize(("p", "loss"), [(0.87, 0.1393), (1e-9, 20.7)])
def test_the_point_of_the_loss_is_in_the_picture(p, loss):
    curve, point = (figure := explain_figures.minus_log(p, loss)).data
    np.testing.assert_allclose(np.exp(-curve.y), curve.x)
    assert (point.x[0], point.y[0]) == (p, loss)
    assert figure.layout.yaxis.range[1] > loss
