"""The chosen cells of a confusion matrix, in session and URL (?cells=49.9x: x is any digit)."""

from __future__ import annotations

import contextlib
import re

import streamlit as st

from mnist_core import runs, wording
from mnist_core.confusion_figures import ALL
from mnist_core.evaluation import Cell, most_frequent_error
from mnist_core.selection import Subset
from mnist_core.ui import answers, chosen, jury, resources, sheet, url
from mnist_core.ui.digit_grid import digit_grid
from mnist_core.ui.notices import Played

SHOWN = 120  # images of the cells


def current(playing: Played) -> list[Cell]:
    """Return the chosen cells; before anything is chosen, the run's last most frequent error.

    Of the last epoch and not the cursor's, so that it stays the same while the run is played.
    """
    state = st.session_state
    if "cells" not in state:
        state["cells"] = _read(st.query_params.get("cells", ""))
    url.write("cells", ".".join(map(_written, state["cells"])))
    if state["cells"]:
        return state["cells"]
    last = playing.evaluation
    if playing.images.of_test.all():
        with contextlib.suppress(runs.RunsError):
            last = resources.evaluation_of(playing.run, playing.run.moments[-1], playing.images)
    error = most_frequent_error(last.confusion)
    return [error[:2]] if error else []


def _read(text: str) -> list[Cell]:
    if not re.fullmatch(r"[0-9x]{2}(\.[0-9x]{2}){0,120}", text):
        return []
    pairs = dict.fromkeys(text.split("."))
    return [tuple(None if sign == "x" else int(sign) for sign in pair) for pair in pairs]


def _written(cell: Cell) -> str:
    return "".join("x" if digit is None else str(digit) for digit in cell)


def clicked(shown: list[Cell], point: dict) -> None:
    """Choose the clicked cell; with Shift, Ctrl or "Several" add it to the shown, or remove it."""
    cell = tuple(None if point[axis] == ALL else int(point[axis]) for axis in ("y", "x"))
    cells = list(shown)
    if not (point["add"] or st.session_state.get("several_cells")):
        cells = [cell]
    elif cell in cells:
        cells.remove(cell)
    else:
        cells.append(cell)
    st.session_state["cells"] = cells


def in_words(cells: list[Cell], errors_only: bool) -> str:
    """Return "True 4, wrongly read as 9", "True 4, read wrongly" or "4→9, 9→4"."""
    if len(cells) == 1:
        (true, predicted), *_ = cells
        if true is not None and predicted is not None:
            how = "rightly" if true == predicted else "wrongly"
            return f"True {true}, {how} read as {predicted}"
        if true is not None:
            return f"True {true}, read wrongly" if errors_only else f"All true {true}s"
        if predicted is not None:
            return f"{'Wrongly read' if errors_only else 'All read'} as {predicted}"
        return "All errors" if errors_only else "All digits"
    sides = (("any" if side is None else str(side) for side in cell) for cell in cells)
    return ", ".join("→".join(side) for side in sides)


def images(playing: Played, cells: list[Cell], errors_only: bool, height: int) -> None:
    """Draw the images in the chosen cells, the most confident answers first.

    A row or column of sums shows what its number counts: errors only, where these are counted.
    """
    evaluation = playing.evaluation
    if not cells:
        st.info("No errors. Click a cell to see its images here.")
        return
    index = evaluation.ordered(evaluation.in_cells(cells, errors_only).nonzero()[0])
    what = in_words(cells, errors_only)
    st.markdown(f"**{what}: {wording.count(len(index), 'image')}**")
    shown, part = index[:SHOWN], playing.images[index[:SHOWN]]
    doubted = jury.doubted(part)
    picked = digit_grid(
        part.images,
        captions=answers.captions(part, evaluation, shown),
        marks=answers.marks(evaluation.right[shown], doubted),
        label=what,
        height=height,
        key="cell_images",
    )
    _below(part, evaluation, shown, picked, len(index))
    answers.say_doubts(part, doubted)


def _below(part: Subset, evaluation, shown, picked: int | None, total: int) -> None:
    """Say what the picked image is."""
    with st.container(horizontal=True, key="cell_picked", vertical_alignment="center"):
        if picked is not None:
            (said,) = answers.captions(part[[picked]], evaluation, shown[[picked]])
            st.caption(f"{said[0].upper()}{said[1:]}", width="content")
            if st.button("Open in Mistakes", key="open_in_mistakes", type="tertiary"):
                chosen.open_image(part.ids[picked], part.dataset.fingerprint)
                st.switch_page("pages/mistakes.py", query_params={})
            sheet.send(part.images[picked], int(part.labels[picked]), key="cell_to_draw")
        elif total > len(part):
            st.caption(f"The {SHOWN} most confident are shown.", width="content")
