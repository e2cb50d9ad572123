"""What the figures of one's own digit say: values, names, ranges and colours."""

import warnings

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from mnist_core.draw_figures import (
    GAP,
    answer,
    answers_of_runs,
    attributions,
    changed_digit,
    flip_steps,
    robustness,
)
from mnist_core.figures import DIGIT_COLORS, RIGHT, TRAINING, VALIDATION, WRONG

pytestmark = pytest.mark.filterwarnings("error")

HTML = "<b>bold</b> & <i>"
AS_TEXT = "&lt;b&gt;bold&lt;/b&gt; &amp; &lt;i&gt;"
GRAY = "var(--st-gray-color)"


def sure(digit, share, second=None):
    """Probabilities: `share` for a digit, the rest for a second one or for all others alike."""
    values = np.full(10, (1 - share) / 9 if second is None else 0.0)
    if second is not None:
        values[second] = 1 - share
    values[digit] = share
    return values


def texts(figure):
    return [note.text for note in figure.layout.annotations]


def line_at(figure):
    """Return where the dotted line of mark_moment() stands."""
    (line,) = [shape for shape in figure.layout.shapes if shape.line.dash == "dot"]
    assert line.x0 == line.x1
    return line.x0


# The answer


def test_a_sure_answer_is_titled_and_drawn_in_per_cent():
    figure = answer(sure(7, 0.91), None, 0.6)
    (bars,) = figure.data
    assert figure.layout.title.text == "Read as 7; the runner-up is 0, 1.0 %"
    np.testing.assert_allclose(bars.y, [1, 1, 1, 1, 1, 1, 1, 91, 1, 1])
    assert bars.marker.color == (*[GRAY] * 7, VALIDATION, GRAY, GRAY)


def test_a_wrong_answer_is_red_beside_the_digit_that_was_meant():
    figure = answer(sure(7, 0.91), 1, 0.6)
    assert figure.layout.title.text == "Read as 7, it is 1; the runner-up is 0, 1.0 %"
    colors = figure.data[0].marker.color
    assert (colors[7], colors[1], colors[0]) == (WRONG, RIGHT, GRAY)
    figure = answer(sure(7, 0.91), 7, 0.6)
    assert figure.layout.title.text == "Read as 7; the runner-up is 0, 1.0 %"
    assert figure.data[0].marker.color[7] == RIGHT


@pytest.mark.parametrize(
    ("share", "title"), [(0.59, "Not sure: 4;"), (0.6, "Read as 4;"), (0.51, "Not sure: 4;")]
)
def test_an_answer_below_the_limit_names_the_two_likeliest(share, title):
    text = answer(sure(4, share, second=9), None, 0.6).layout.title.text
    assert text.startswith(f"{title} the runner-up is 9, ")


def test_before_there_is_a_digit_there_is_no_answer():
    figure = answer(None, 3, 0.6)
    assert figure.layout.title.text == "Nothing to read yet"
    np.testing.assert_array_equal(figure.data[0].y, np.zeros(10))


def test_a_network_that_says_no_numbers_gives_no_answer():
    figure = answer(np.full(10, np.nan, np.float32), None, 0.6)
    assert figure.layout.title.text == "No answer: the network says no numbers"


# Attributions


@pytest.fixture
def image():
    digit = np.zeros((28, 28), np.uint8)
    digit[5:20, 12:15] = 255
    return digit


def test_each_map_is_drawn_in_shares_of_its_own_strongest_pixel(image):
    rng = np.random.default_rng(0)
    maps = [rng.normal(size=(28, 28)) * scale for scale in (1.0, 100.0, 0.001)]
    figure = attributions(list(zip(["one", "two", "three"], maps, strict=True)), image, 3, 8)
    heatmap, contour = figure.data
    assert heatmap.z.shape == (28, 3 * 28 + 2 * GAP)
    assert (heatmap.zmin, heatmap.zmid, heatmap.zmax) == (-1, 0, 1)
    for place, values in enumerate(maps):
        columns = slice(place * 30, place * 30 + 28)
        np.testing.assert_allclose(heatmap.z[:, columns], values / abs(values).max())
        np.testing.assert_array_equal(heatmap.customdata[:, columns], values)
        np.testing.assert_array_equal(contour.z[:, columns], image)
        note = figure.layout.annotations[place]
        assert note.x == place * 30 + 13.5
        assert ("one", "two", "three")[place] in note.text
        assert f"up to {abs(values).max():.2g}" in note.text
    gaps = np.r_[28, 29, 58, 59]
    assert np.isnan(heatmap.z[:, gaps]).all() and np.isnan(heatmap.z).sum() == 4 * 28
    assert not heatmap.hoverongaps and not contour.z[:, gaps].any()


def test_the_scale_says_which_colour_speaks_for_what_and_rows_run_down(image):
    figure = attributions([("one", np.ones((28, 28)))], image, 3, 8)
    assert figure.data[0].colorbar.tickvals == (-1, 0, 1)
    assert figure.data[0].colorbar.ticktext == ("for 8", "0", "for 3")
    assert figure.layout.yaxis.range == (27.5, -0.5)
    assert figure.layout.xaxis.range == (-0.5, 27.5)
    assert figure.layout.yaxis.scaleanchor == "x"


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_map_without_values_leaves_its_place_empty_and_the_others_whole(image, value):
    figure = attributions(
        [("none", np.full((28, 28), value)), ("one", np.full((28, 28), -2.0))], image, 3, 8
    )
    shown = figure.data[0].z
    np.testing.assert_array_equal(shown[:, :28], value)
    np.testing.assert_array_equal(shown[:, 30:], -1)
    assert texts(figure)[0].endswith(f"up to {value:.2g}")


# Several runs


def test_each_run_is_a_row_from_the_top_in_per_cent():
    said = np.stack([sure(3, 0.82), sure(5, 1.0, second=0)])
    figure = answers_of_runs(["first", "second"], said)
    (heatmap,) = figure.data
    np.testing.assert_allclose(heatmap.z, 100 * said)
    assert (heatmap.zmin, heatmap.zmax) == (0, 100)
    assert figure.layout.yaxis.ticktext == ("first", "second")
    assert figure.layout.yaxis.tickvals == (0, 1)
    assert figure.layout.yaxis.range == (1.5, -0.5)
    cells = {(note.y, note.x): note.text for note in figure.layout.annotations}
    expected = {(0, digit): "2" for digit in range(10)} | {(0, 3): "82", (1, 5): "100"}
    assert cells == expected  # what rounds to 0 is left out
    assert [list(row) for row in heatmap.customdata] == [["first"] * 10, ["second"] * 10]


def test_one_run_and_one_that_says_no_numbers_have_rows_too():
    figure = answers_of_runs(["only"], sure(3, 0.82)[None])
    assert figure.layout.yaxis.range == (0.5, -0.5)
    figure = answers_of_runs(["broken", "sound"], [np.full(10, np.nan), sure(3, 1.0, second=4)])
    assert [(note.y, note.x) for note in figure.layout.annotations] == [(1, 3)]
    assert np.isnan(figure.data[0].z[0]).all()


def test_a_name_like_html_is_text_beside_the_rows_and_under_the_pointer():
    figure = answers_of_runs([HTML, "x" * 80], np.full((2, 10), 0.1))
    first, second = figure.layout.yaxis.ticktext
    assert first == AS_TEXT
    assert second == "x" * 21 + "…"
    assert list(figure.data[0].customdata[0]) == [AS_TEXT] * 10
    assert list(figure.data[0].customdata[1]) == ["x" * 80] * 10  # whole under the pointer


# The smallest flip


def test_a_changed_digit_has_a_frame_around_each_changed_pixel(image):
    figure = changed_digit(image, np.array([[5, 12], [0, 27]]))
    (heatmap,) = figure.data
    np.testing.assert_array_equal(heatmap.z, image)
    assert (heatmap.zmin, heatmap.zmax) == (0, 255)
    assert heatmap.colorscale == ((0, "#000000"), (1, "#ffffff"))
    frames = [(each.y0, each.y1, each.x0, each.x1) for each in figure.layout.shapes]
    assert frames == [(4.5, 5.5, 11.5, 12.5), (-0.5, 0.5, 26.5, 27.5)]
    assert {each.line.color for each in figure.layout.shapes} == {TRAINING}
    assert figure.layout.yaxis.range == (27.5, -0.5)


def test_a_digit_that_is_not_changed_has_no_frames(image):
    assert not changed_digit(image, np.empty((0, 2), np.int64)).layout.shapes


def test_the_two_digits_of_a_flip_are_drawn_in_their_colours():
    said = np.stack([sure(7, 0.9, second=2), sure(7, 0.6, second=2), sure(2, 0.8, second=7)])
    figure = flip_steps(said, 7, 2, 1)
    seven, two = figure.data
    assert (seven.name, two.name) == ("7", "2")
    np.testing.assert_array_equal(seven.x, [0, 1, 2])
    np.testing.assert_allclose(seven.y, [90, 60, 20])
    np.testing.assert_allclose(two.y, [10, 40, 80])
    assert (seven.line.color, two.line.color) == (DIGIT_COLORS[7], DIGIT_COLORS[2])
    assert {(note.x, note.text) for note in figure.layout.annotations} == {
        (2, "<b>7</b>"), (2, "<b>2</b>")
    }  # fmt: skip
    assert line_at(figure) == 1
    low, high = figure.layout.yaxis.range
    assert low < 0 and high > 100
    assert figure.layout.xaxis.dtick == 1


def test_a_long_flip_has_at_most_some_ticks():
    assert flip_steps(np.full((81, 10), 0.1), 0, 1, 80).layout.xaxis.dtick == 10


@pytest.mark.parametrize("value", [0.1, np.nan])
def test_a_flip_that_went_nowhere_is_one_digit_at_one_place(value):
    figure = flip_steps(np.full((1, 10), value), 4, 4, 0)
    (line,) = figure.data
    assert line.name == "4" and len(line.x) == 1
    assert texts(figure) == ["<b>4</b>"]


# Robustness


def measured(levels, accuracies, of=1000):
    return pd.DataFrame({"level": levels, "accuracy": accuracies, "of": [of] * len(levels)})


def test_a_curve_is_drawn_in_per_cent_against_the_levels():
    table = measured([0.0, 15.0, 30.0], [0.98, 0.9, 0.4])
    figure = robustness([("run", "#123456", table)], [0, 15, 30, 60], "rotate (°)", 12.5)
    (curve,) = figure.data
    np.testing.assert_array_equal(curve.x, [0, 15, 30])
    np.testing.assert_allclose(curve.y, [98, 90, 40])
    assert curve.line.color == "#123456" and curve.name == curve.meta == "run"
    assert list(curve.customdata) == [1000] * 3
    assert figure.layout.xaxis.title.text == "rotate (°)"
    assert figure.layout.xaxis.range == pytest.approx((-1.8, 61.8))  # of all levels, not of these
    assert figure.layout.yaxis.range == (0, 102)
    assert not figure.layout.showlegend
    assert line_at(figure) == 12.5
    (guessing,) = [shape for shape in figure.layout.shapes if shape.line.dash == "dash"]
    assert guessing.y0 == guessing.y1 == 10


def test_several_curves_have_a_legend_and_none_are_no_error():
    table = measured([0.0], [0.98])
    many = robustness([("one", "#111111", table), ("two", "#222222", table)], [0, 1], "", 0)
    assert many.layout.showlegend and [curve.name for curve in many.data] == ["one", "two"]
    none = robustness([], [0, 1], "", 0)
    assert not none.data and none.layout.xaxis.range == pytest.approx((-0.03, 1.03))


def test_a_level_of_which_nothing_was_read_leaves_a_gap():
    figure = robustness([("one", "#111111", measured([0.0, 1.0], [0.9, np.nan]))], [0, 1], "", 0)
    assert np.isnan(figure.data[0].y[1]) and not figure.data[0].connectgaps


def test_levels_that_go_below_zero_have_room_at_both_ends():
    figure = robustness([], [-50, 0, 50], "", -20)
    assert figure.layout.xaxis.range == (-53, 53)
    assert line_at(figure) == -20


def test_a_name_like_html_is_text_in_the_legend_and_under_the_pointer():
    table = measured([0.0], [0.98])
    figure = robustness([(HTML, "#111111", table), ("y" * 80, "#222222", table)], [0, 1], "", 0)
    first, second = figure.data
    assert first.meta == first.name == AS_TEXT
    assert second.meta == "y" * 80 and second.name == "y" * 21 + "…"


def test_all_figures_are_written_as_json(image):
    """What is drawn is sent as JSON: none of it may be of a kind that cannot be."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Plotly's own
        for figure in (
            answer(sure(1, 0.9).astype(np.float32), np.uint8(1), 0.6),
            attributions([("one", np.ones((28, 28), np.float32))], image, 1, 2),
            answers_of_runs(["a"], np.full((1, 10), 0.1, np.float32)),
            changed_digit(image, np.array([[1, 2]])),
            flip_steps(np.full((3, 10), 0.1, np.float32), 1, 2, 2),
            robustness([("a", "#111111", measured([0.0], [0.5]))], [0, 1], "", 0),
        ):
            assert isinstance(figure, go.Figure) and figure.to_json()
