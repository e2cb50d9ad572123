"""What the figures of a confusion matrix say: counts, shares, changes, sums and curves."""

import numpy as np
import pytest

from mnist_core import figures
from mnist_core.confusion_figures import (
    agreement,
    confusion_matrix,
)

pytestmark = pytest.mark.filterwarnings("error")  # no 0/0 either
OFF = ~np.eye(10, dtype=bool)


@pytest.fixture
def confusion():
    """Ten images of each digit are rightly read; six are not."""
    matrix = np.diag([10] * 10)
    matrix[4, 9], matrix[5, 9], matrix[9, 4] = 3, 2, 1
    return matrix


@pytest.fixture
def crowded():
    return np.random.default_rng(5).integers(1, 50, (10, 10))


def written(figure):
    return {(note.y, note.x): note.text for note in figure.layout.annotations}


def digits_of(heatmap):
    return np.array(heatmap.z, float)[:10, :10]


def frames(figure):
    """The framed cells as (row, column)."""
    boxes = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    for box in boxes:
        assert (box.x1 - box.x0, box.y1 - box.y0) == (1, 1)
    return [(box.y0 + 0.5, box.x0 + 0.5) for box in boxes]


# The matrix


def test_counts_are_drawn_and_the_most_frequent_error_is_said(confusion):
    figure = confusion_matrix(confusion)
    (heatmap,) = figure.data
    assert figure.layout.title.text == "4 is read as 9 most often: 3 times"
    np.testing.assert_array_equal(digits_of(heatmap)[OFF], confusion[OFF])
    assert np.isnan(np.diag(digits_of(heatmap))).all()  # faded
    assert (heatmap.zmin, heatmap.zmax) == (0, 3)
    assert heatmap.colorscale == ((0, figures.BACKGROUND), (1, figures.VALIDATION))
    texts = written(figure)
    assert texts[4, 4] == "10" and texts[9, 4] == "1" and texts[4, 9] == "3"
    assert (0, 1) not in texts
    assert figure.layout.xaxis.title.text == "predicted digit"
    assert figure.layout.yaxis.title.text == "true digit"
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]  # true 0 at the top


def test_an_error_that_happened_once_is_said_so():
    matrix = np.diag([2] * 10)
    matrix[7, 1] = 1
    assert confusion_matrix(matrix).layout.title.text == "7 is read as 1 most often: once"


def test_with_the_diagonal_the_right_answers_have_the_strongest_colour(confusion):
    (heatmap,) = confusion_matrix(confusion, fade_diagonal=False).data
    np.testing.assert_array_equal(digits_of(heatmap), confusion)
    assert heatmap.zmax == 10


def test_numbers_are_readable_on_their_colour(confusion):
    colors = {
        (note.y, note.x): note.font.color for note in confusion_matrix(confusion).layout.annotations
    }
    assert colors[4, 9] == "var(--st-background-color)"
    assert colors[9, 4] == "var(--st-text-color)"
    assert colors[4, 4] == colors[4, 10] == figures.PAPER


@pytest.mark.parametrize(("shown", "axis"), [("% of row", 1), ("% of column", 0)])
def test_shares_are_of_the_whole_row_or_column(crowded, shown, axis):
    figure = confusion_matrix(crowded, shown, fade_diagonal=False)
    drawn = digits_of(figure.data[0])
    np.testing.assert_allclose(drawn.sum(axis=axis), 100)
    whole = crowded[2, :].sum() if axis else crowded[:, 7].sum()
    assert drawn[2, 7] == pytest.approx(100 * crowded[2, 7] / whole)
    assert written(figure)[2, 7] == f"{100 * crowded[2, 7] / whole:.1f}"


@pytest.mark.parametrize("shown", ["% of row", "% of column"])
def test_a_faded_diagonal_still_counts_as_part_of_the_whole(confusion, shown):
    figure = confusion_matrix(confusion, shown)
    assert figure.data[0].z[4][9] == pytest.approx(100 * 3 / (13 if shown == "% of row" else 15))
    assert written(figure)[4, 4] == {"% of row": "76.9", "% of column": "90.9"}[shown]


@pytest.mark.parametrize("shown", ["counts", "% of row", "% of column"])
def test_sums_are_of_errors_only_when_the_diagonal_is_faded(confusion, shown):
    figure = confusion_matrix(confusion, shown)
    sums = {cell: text for cell, text in written(figure).items() if 10 in cell}
    assert sums == {
        (4, 10): "3", (5, 10): "2", (9, 10): "1", (10, 9): "5", (10, 4): "1", (10, 10): "6",
    }  # fmt: skip
    z = np.array(figure.data[0].z, float)
    assert z.shape == (11, 11) and np.isnan(z[10]).all() and np.isnan(z[:, 10]).all()
    assert list(figure.layout.xaxis.ticktext) == list(figure.layout.yaxis.ticktext)
    assert figure.layout.xaxis.ticktext[figure.layout.xaxis.tickvals.index(10)] == "all"


def test_sums_are_of_everything_otherwise(crowded):
    texts = written(confusion_matrix(crowded, fade_diagonal=False))
    for digit in range(10):
        assert texts[digit, 10] == str(crowded[digit].sum())
        assert texts[10, digit] == str(crowded[:, digit].sum())
    assert texts[10, 10] == str(crowded.sum())


def test_lines_set_the_sums_apart(confusion):
    lines = [shape for shape in confusion_matrix(confusion).layout.shapes if shape.type == "line"]
    assert {(line.x0, line.x1, line.y0, line.y1) for line in lines} == {
        (9.5, 9.5, -0.5, 10.5),
        (-0.5, 10.5, 9.5, 9.5),
    }


def test_the_pointer_reads_counts_and_both_shares(confusion):
    hover = confusion_matrix(confusion, "% of row").data[0].hovertext
    assert hover[4][9] == (
        "true 4, predicted 9: 3 images (23.1 % of all 4s, 20.0 % of all read as 9)"
    )
    assert hover[9][4].startswith("true 9, predicted 4: 1 image (")
    assert hover[0][0].startswith("true 0, predicted 0: 10 images (100.0 % ")


def test_the_pointer_reads_what_a_sum_counts(confusion):
    errors = confusion_matrix(confusion).data[0].hovertext
    assert (errors[4][10], errors[10][4]) == ("true 4: 3 errors", "predicted 4: 1 error")
    assert errors[10][10] == "all digits: 6 errors"
    every = confusion_matrix(100 * confusion, fade_diagonal=False).data[0].hovertext
    assert (every[4][10], every[10][9]) == ("true 4: 1,300 images", "predicted 9: 1,500 images")
    assert every[10][10] == "all digits: 10,600 images"


def test_without_errors_nothing_is_said_to_be_the_worst():
    figure = confusion_matrix(np.diag([3] * 10))
    assert figure.layout.title.text == "No errors"
    assert set(written(figure)) == {(digit, digit) for digit in range(10)}
    assert figure.data[0].zmax > 0


@pytest.mark.parametrize("shown", ["counts", "% of row", "% of column", "change"])
@pytest.mark.parametrize("fade", [True, False])
def test_a_matrix_without_images_is_empty(shown, fade):
    nothing = np.zeros((10, 10), int)
    figure = confusion_matrix(nothing, shown, before=nothing, fade_diagonal=fade)
    assert not np.nansum(abs(digits_of(figure.data[0])))
    assert not written(figure)


def test_a_digit_that_is_never_predicted_has_an_empty_column():
    matrix = np.diag([10] * 10)
    matrix[3, 3], matrix[3, 5] = 0, 10
    figure = confusion_matrix(matrix, "% of column", fade_diagonal=False)
    sums = digits_of(figure.data[0]).sum(axis=0)
    np.testing.assert_allclose(sums, [100, 100, 100, 0, 100, 100, 100, 100, 100, 100])
    assert figure.data[0].hovertext[3][3] == (
        "true 3, predicted 3: 0 images (0.0 % of all 3s, 0.0 % of all read as 3)"
    )


def test_chosen_cells_have_frames_and_none_is_the_row_or_column_of_sums(confusion):
    cells = [(4, 9), (3, None), (None, 7), (None, None)]
    assert frames(confusion_matrix(confusion, chosen=cells)) == [(4, 9), (3, 10), (10, 7), (10, 10)]
    assert frames(confusion_matrix(confusion)) == []


# The change


@pytest.fixture
def before(confusion):
    """One error 4→9 more than now, three 9→4 more, one 5→9 fewer."""
    return confusion + cells_of({(4, 9): 1, (4, 4): -1, (9, 4): 3, (9, 9): -3, (5, 9): -1})


def cells_of(values):
    matrix = np.zeros((10, 10), int)
    for cell, value in values.items():
        matrix[cell] = value
    return matrix


def test_a_change_is_drawn_around_zero_and_written_with_its_sign(confusion, before):
    figure = confusion_matrix(confusion, "change", before=before)
    (heatmap,) = figure.data
    np.testing.assert_array_equal(digits_of(heatmap)[OFF], (confusion - before)[OFF])
    assert (heatmap.zmin, heatmap.zmid, heatmap.zmax) == (-3, 0, 3)
    texts = written(figure)
    assert (texts[4, 9], texts[9, 4], texts[5, 9], texts[4, 4]) == ("−1", "−3", "+1", "+1")
    assert (0, 0) not in texts and (1, 2) not in texts
    ticks = dict(zip(heatmap.colorbar.ticktext, heatmap.colorbar.tickvals, strict=True))
    assert ticks == {"fewer": -3, "as many": 0, "more": 3} and heatmap.showscale


def test_a_change_has_signed_sums_of_errors_or_of_everything(confusion, before):
    errors = written(confusion_matrix(confusion, "change", before=before))
    assert (errors[4, 10], errors[9, 10], errors[5, 10]) == ("−1", "−3", "+1")
    assert (10, 9) not in errors  # one fewer, one more
    assert (errors[10, 4], errors[10, 10]) == ("−3", "−3")
    every = written(confusion_matrix(confusion, "change", before=before, fade_diagonal=False))
    # Row 4 has as many images as before; row 5 has one more.
    assert (4, 10) not in every
    assert (every[5, 10], every[10, 9], every[10, 4]) == ("+1", "+3", "−2")
    assert every[10, 10] == "+1"


def test_the_diagonal_of_a_change_has_colour_unless_it_is_faded(confusion, before):
    def diagonal(fade):
        figure = confusion_matrix(confusion, "change", before=before, fade_diagonal=fade)
        return np.diag(digits_of(figure.data[0]))

    assert np.isnan(diagonal(True)).all()
    np.testing.assert_array_equal(diagonal(False), np.diag(confusion - before))


def test_the_pointer_reads_both_counts_of_a_change(confusion, before):
    hover = confusion_matrix(confusion, "change", before=before).data[0].hovertext
    assert hover[9][4] == "true 9, predicted 4: 1 image now, 4 before"
    assert hover[4][9] == "true 4, predicted 9: 3 images now, 4 before"
    assert hover[5][9] == "true 5, predicted 9: 2 images now, 1 before"
    assert hover[9][10].replace("-", "−") == "true 9: −3 errors"
    assert hover[10][10].replace("-", "−") == "all digits: −3 errors"


@pytest.mark.parametrize(
    ("now", "then", "title"),
    [
        (5, 8, "3 fewer errors: 8 → 5"),
        (1200, 100, "1,100 more errors: 100 → 1,200"),
        (4, 4, "As many errors: 4"),
        (0, 0, "As many errors: 0"),
    ],
)
def test_the_title_of_a_change_says_how_many_errors_came_or_went(now, then, title):
    # More right answers are no errors; and errors may move between cells.
    matrix, before = cells_of({(2, 7): now, (0, 0): 30}), cells_of({(3, 5): then, (0, 0): 10})
    assert confusion_matrix(matrix, "change", before=before).layout.title.text == title


def test_a_change_needs_something_to_compare_with(confusion):
    with pytest.raises(ValueError, match="compare"):
        confusion_matrix(confusion, "change")


# Two networks


def test_agreement_counts_the_four_cases_and_colours_where_they_disagree():
    table = np.array([[50, 2], [1200, 9000]])
    figure = agreement(table, ("this", "that"))
    (heatmap,) = figure.data
    assert written(figure) == {(0, 0): "50", (0, 1): "2", (1, 0): "1,200", (1, 1): "9,000"}
    assert figure.layout.title.text == "Only one of them is right on 1,202 images"
    np.testing.assert_array_equal(heatmap.z, [[np.nan, 2], [1200, np.nan]])
    assert (heatmap.zmin, heatmap.zmax) == (0, 1200)
    assert heatmap.colorscale == ((0, figures.BACKGROUND), (1, figures.VALIDATION))
    assert heatmap.hovertext[1][0] == "this right, that wrong: 1,200 images"
    assert heatmap.hovertext[0][0] == "this wrong, that wrong: 50 images"
    assert (figure.layout.yaxis.title.text, figure.layout.xaxis.title.text) == ("this", "that")
    assert list(figure.layout.xaxis.ticktext) == ["✗ wrong", "✓ right"]
    assert list(figure.layout.yaxis.ticktext) == ["✗ wrong", "✓ right"]
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]  # wrong at the top
    assert not frames(figure)


def test_networks_that_disagree_on_one_image_or_none():
    one = agreement(np.array([[0, 1], [0, 4]]), ("this", "that"))
    assert one.layout.title.text == "Only one of them is right on 1 image"
    assert one.data[0].hovertext[0][1] == "this wrong, that right: 1 image"
    none = agreement(np.array([[3, 0], [0, 4]]), ("this", "that"))
    assert none.layout.title.text == "Only one of them is right on 0 images"
    assert written(none)[0, 1] == written(none)[1, 0] == "0"
    assert none.data[0].zmax > 0


@pytest.mark.parametrize("cell", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_the_chosen_case_of_agreement_has_a_frame(cell):
    assert frames(agreement(np.full((2, 2), 5), ("this", "that"), cell)) == [cell]
