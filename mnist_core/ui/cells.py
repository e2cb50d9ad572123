"""The chosen cells of a confusion matrix, in session and URL (?cells=49.9x: x is any digit)."""

from __future__ import annotations

import re

import streamlit as st

from mnist_core import wording
from mnist_core.confusion_figures import ALL
from mnist_core.evaluation import Cell, Evaluation
from mnist_core.marks import Marks
from mnist_core.selection import Subset, test_ids
from mnist_core.ui import answers, chosen
from mnist_core.ui.digit_grid import digit_grid

SHOWN = 120  # images of the cells


def current(evaluation: Evaluation) -> list[Cell]:
    """Return the chosen cells; before anything is chosen, the most frequent error."""
    state = st.session_state
    if "cells" not in state:
        state["cells"] = _read(st.query_params.get("cells", ""))
    if state["cells"]:
        st.query_params["cells"] = ".".join(map(_written, state["cells"]))
        return state["cells"]
    st.query_params.pop("cells", None)
    worst = evaluation.worst_confusion()
    return [worst[:2]] if worst else []


def _read(text: str) -> list[Cell]:
    if not re.fullmatch(r"[0-9x]{2}(\.[0-9x]{2}){0,120}", text):
        return []
    pairs = dict.fromkeys(text.split("."))
    return [tuple(None if sign == "x" else int(sign) for sign in pair) for pair in pairs]


def _written(cell: Cell) -> str:
    return "".join("x" if digit is None else str(digit) for digit in cell)


def clicked(point: dict) -> None:
    """Choose the clicked cell; with Shift, Ctrl or "Several" add it, or take it away again."""
    cell = tuple(None if point[axis] == ALL else int(point[axis]) for axis in ("y", "x"))
    cells = list(st.session_state.get("cells") or [])
    if not (point["add"] or st.session_state.get("several_cells")):
        cells = [cell]
    elif cell in cells:
        cells.remove(cell)
    else:
        cells.append(cell)
    st.session_state["cells"] = cells


def in_words(cells: list[Cell]) -> str:
    """Return "True 4, read as 9", "True 4" or "4→9, 9→4"."""
    if len(cells) == 1:
        (true, predicted), *_ = cells
        if true is not None and predicted is not None:
            how = "rightly" if true == predicted else "wrongly"
            return f"True {true}, {how} read as {predicted}"
        if true is not None:
            return f"True {true}, read as any digit"
        return "All digits" if predicted is None else f"Read as {predicted}"
    sides = (("any" if side is None else str(side) for side in cell) for cell in cells)
    return ", ".join("→".join(side) for side in sides)


def images(
    found: Subset, evaluation: Evaluation, marked: Marks, errors_only: bool, height: int = 330
) -> None:
    """Draw the images in the chosen cells, the most confident answers first.

    A row or column of sums shows what its number counts: errors only, where these are counted.
    """
    cells = current(evaluation)
    if not cells:
        st.info("No errors. Click a cell to see its images here.")
        return
    index = evaluation.ordered(evaluation.in_cells(cells, errors_only).nonzero()[0])
    what = in_words(cells)
    st.markdown(f"**{what}: {wording.count(len(index), 'image')}**")
    shown, part = index[:SHOWN], found[index[:SHOWN]]
    picked = digit_grid(
        part.images,
        captions=answers.captions(part, evaluation, shown),
        marks=["right" if right else "wrong" for right in evaluation.right[shown]],
        label=what,
        height=height,
        key="cell_images",
    )
    _below(part, evaluation, shown, picked, marked, len(index))


def _below(part: Subset, evaluation, shown, picked: int | None, marked: Marks, total: int) -> None:
    """Say what the picked image is and which labels people found wrong."""
    doubted = len(part.among(test_ids(part.dataset, marked.of("label"))))
    with st.container(horizontal=True, key="cell_picked", vertical_alignment="center"):
        if picked is not None:
            (said,) = answers.captions(part[[picked]], evaluation, shown[[picked]])
            st.caption(f"{said[0].upper()}{said[1:]}", width="content")
            if st.button("Open in Mistakes", key="open_in_mistakes", type="tertiary"):
                chosen.open_image(part.ids[picked], part.dataset.fingerprint)
                st.switch_page("pages/mistakes.py")
        elif total > len(part):
            st.caption(f"The {SHOWN} most confident are shown.", width="content")
    if doubted:
        have = "has" if doubted == 1 else "have"
        st.caption(f"**{doubted} of these {have} a wrong label**, people said on Mistakes.")
