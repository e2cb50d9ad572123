"""What all figures share: their frame, the cursor, the numbers and frames of cells."""

import numpy as np

from mnist_core import figures


def test_a_figure_keeps_its_zoom_and_takes_what_it_is_told():
    layout = figures.base([], "A title", margin={"t": 3}, xaxis={"range": [0, 2]}).layout
    assert layout.title.text == "A title" and layout.uirevision
    assert (layout.margin.t, layout.margin.b) == (3, 52)
    assert layout.xaxis.range == (0, 2) and layout.showlegend is False


def test_a_moment_is_a_line_from_bottom_to_top_and_none_is_none():
    (line,) = figures.mark_moment(figures.base([], ""), 2.5).layout.shapes
    assert (line.x0, line.x1, line.y0, line.y1) == (2.5, 2.5, 0, 1)
    assert line.yref == "y domain" and line.line.dash == "dot"
    assert not figures.mark_moment(figures.base([], ""), None).layout.shapes


def test_numbers_stand_in_their_cells_and_are_legible_on_every_colour():
    text = [["6", ""], ["5", "–"]]
    notes = figures.cell_texts(text, np.array([[-6.0, 9.0], [5.0, np.nan]]), 10)
    assert [(note["x"], note["y"], note["text"]) for note in notes] == [
        (0, 0, "6"), (0, 1, "5"), (1, 1, "–"),
    ]  # fmt: skip
    strong, weak, missing = (note["font"]["color"] for note in notes)
    assert strong == "var(--st-background-color)" and weak == "var(--st-text-color)"
    assert missing == figures.PAPER


def test_a_frame_is_around_its_cell():
    frame = figures.cell_frame(4, 9)
    assert [frame[side] for side in ("x0", "x1", "y0", "y1")] == [8.5, 9.5, 3.5, 4.5]
