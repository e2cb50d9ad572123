"""What is taken for what -> plotly Figure: pure functions in the look of figures.py."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import plotly.graph_objects as go

from mnist_core import wording
from mnist_core.evaluation import Cell, most_frequent_error
from mnist_core.figures import (
    BACKGROUND,
    DIGITS,
    FONT_SIZE,
    VALIDATION,
    base,
    cell_frame,
    cell_texts,
)

ALL = 10  # the row and the column of sums, beyond the ten digits
SHOWN = ("counts", "% of row", "% of column", "change")
DIAGONAL = np.eye(10, dtype=bool)
AXIS = {"showgrid": False, "zeroline": False, "tickvals": [*DIGITS, ALL],
        "ticktext": [*map(str, DIGITS), "all"]}  # fmt: skip


def confusion_matrix(
    confusion: np.ndarray,
    shown: str = "counts",
    *,
    before: np.ndarray | None = None,
    fade_diagonal: bool = True,
    chosen: Collection[Cell] = (),
) -> go.Figure:
    """Draw a confusion matrix int (10, 10), rows true and columns predicted, with its sums.

    `shown` is one of SHOWN; "change" draws the difference to `before`, int (10, 10). With the
    diagonal faded the errors carry the colour, and the sums count errors only. `chosen` cells get
    a frame; None in one is the row or column of sums.
    """
    if shown == "change" and before is None:
        raise ValueError('Expected a matrix to compare with for "change". Received: none.')
    change = shown == "change"
    values = confusion - before if change else _shares(confusion, shown)
    counted = np.where(DIAGONAL & fade_diagonal, 0, confusion - before if change else confusion)
    table = np.full((11, 11), np.nan)
    table[:ALL, :ALL] = values
    colored = table.copy()
    if fade_diagonal:
        np.fill_diagonal(colored, np.nan)
    table[:ALL, ALL], table[ALL, :ALL] = counted.sum(axis=1), counted.sum(axis=0)
    table[ALL, ALL] = counted.sum()
    text = [[_written(value, shown if max(t, p) < ALL else "counts", change)
             for p, value in enumerate(row)] for t, row in enumerate(table)]  # fmt: skip
    strongest = np.nanmax(abs(colored)) if np.isfinite(colored).any() else 1.0
    strongest = max(float(strongest), 1e-9)
    # More is blue and less is red; without a sign, the background's colour is nothing.
    colors = (
        {"autocolorscale": True, "zmid": 0, "zmin": -strongest, "showscale": True,
         "colorbar": {"tickvals": [-strongest, 0, strongest],
                      "ticktext": ["fewer", "as many", "more"]}}
        if change
        else {"zmin": 0, "colorscale": [[0, BACKGROUND], [1, VALIDATION]], "showscale": False}
    )  # fmt: skip
    heatmap = go.Heatmap(
        x=[*DIGITS, ALL], y=[*DIGITS, ALL], z=colored, zmax=strongest, xgap=2, ygap=2,
        hoverinfo="text", hovertext=_hover(confusion, table, before if change else None,
                                           fade_diagonal),
        hoverongaps=True, **colors,
    )  # fmt: skip
    lines = {"color": "var(--st-border-color)", "width": 2}
    ends = {"x": (-0.5, ALL + 0.5), "y": (ALL + 0.5, -0.5)}
    return base(
        [heatmap],
        _changed(confusion, before) if change else _worst(confusion),
        xaxis=AXIS | {"title": {"text": "predicted digit"}, "range": list(ends["x"])},
        yaxis=AXIS | {"title": {"text": "true digit"}, "range": list(ends["y"])},
        annotations=cell_texts(text, colored, strongest),
        shapes=[
            {"type": "line", "x0": 9.5, "x1": 9.5, "y0": -0.5, "y1": 10.5, "line": lines},
            {"type": "line", "x0": -0.5, "x1": 10.5, "y0": 9.5, "y1": 9.5, "line": lines},
            *frames(chosen),
        ],
    )


def _shares(confusion: np.ndarray, shown: str) -> np.ndarray:
    """Return the counts, or per cent of each row or column; an empty one is all 0."""
    if shown == "counts":
        return confusion.astype(float)
    whole = confusion.sum(axis=1 if shown == "% of row" else 0, keepdims=True)
    whole = np.broadcast_to(whole, confusion.shape)
    return 100 * np.divide(confusion, whole, out=np.zeros(confusion.shape), where=whole > 0)


def _written(value: float, shown: str, signed: bool) -> str:
    if not value or np.isnan(value):
        return ""
    if signed:
        return _signed(value)
    return f"{value:.1f}" if shown.startswith("%") else f"{value:.0f}"


def _signed(value: float) -> str:
    return f"{value:+.0f}".replace("-", "−")


def _hover(confusion, table, before, fade_diagonal: bool) -> list[list[str]]:
    rows, columns = _shares(confusion, "% of row"), _shares(confusion, "% of column")
    what = "error" if fade_diagonal else "image"

    def said(t: int, p: int) -> str:
        if max(t, p) == ALL:
            number = int(table[t, p])
            of = f"true {t}" if t < ALL else f"predicted {p}" if p < ALL else "all digits"
            if before is not None:
                return f"{of}: {_signed(number)} {what}{'' if abs(number) == 1 else 's'}"
            return f"{of}: {wording.count(number, what)}"
        count = wording.count(int(confusion[t, p]), "image")
        if before is not None:
            return f"true {t}, predicted {p}: {count} now, {before[t, p]:,} before"
        return (
            f"true {t}, predicted {p}: {count} ({rows[t, p]:.1f} % of all {t}s, "
            f"{columns[t, p]:.1f} % of all read as {p})"
        )

    return [[said(t, p) for p in range(11)] for t in range(11)]


def frames(chosen: Collection[Cell]) -> list[dict]:
    """Return the frames of chosen cells; None is the row or column of sums."""
    return [
        cell_frame(*(ALL if digit is None else digit for digit in (true, predicted)))
        for true, predicted in chosen
    ]


def _worst(confusion: np.ndarray) -> str:
    found = most_frequent_error(confusion)
    if found is None:
        return "No errors"
    true, predicted, times = found
    often = "once" if times == 1 else f"{times:,} times"
    return f"{true} is read as {predicted} most often: {often}"


def _changed(confusion: np.ndarray, before: np.ndarray) -> str:
    now, then = (int(matrix[~DIAGONAL].sum()) for matrix in (confusion, before))
    if now == then:
        return f"As many errors: {now:,}"
    return f"{abs(now - then):,} {'fewer' if now < then else 'more'} errors: {then:,} → {now:,}"


def agreement(
    table: np.ndarray, names: tuple[str, str], chosen: tuple[int, int] | None = None
) -> go.Figure:
    """Draw where two networks are wrong (0) and right (1), int (2, 2): rows one, columns the other.

    Colour is where they disagree. `chosen` (row, column) gets a frame.
    """
    apart = np.where(np.eye(2, dtype=bool), np.nan, table)
    strongest = max(float(np.nanmax(apart)), 1.0)
    heatmap = go.Heatmap(
        x=[0, 1], y=[0, 1], z=apart, zmin=0, zmax=strongest, xgap=4, ygap=4, showscale=False,
        colorscale=[[0, BACKGROUND], [1, VALIDATION]], hoverongaps=True, hoverinfo="text",
        hovertext=[
            [f"{names[0]} {one}, {names[1]} {other}: {wording.count(int(table[i, j]), 'image')}"
             for j, other in enumerate(("wrong", "right"))]
            for i, one in enumerate(("wrong", "right"))
        ],
    )  # fmt: skip
    text = [[f"{value:,}" for value in row] for row in table]
    notes = cell_texts(text, np.nan_to_num(apart), strongest)
    for note in notes:
        note["font"]["size"] = FONT_SIZE + 11
    axis = {"showgrid": False, "zeroline": False, "tickvals": [0, 1]}
    words = {"ticktext": ["✗ wrong", "✓ right"]}
    return base(
        [heatmap],
        f"Only one of them is right on {wording.count(int(table[0, 1] + table[1, 0]), 'image')}",
        margin={"l": 90, "r": 16, "t": 44, "b": 64},
        xaxis=axis | words | {"title": {"text": names[1]}, "range": [-0.5, 1.5]},
        yaxis=axis | words | {"title": {"text": names[0]}, "range": [1.5, -0.5]},
        annotations=notes,
        shapes=frames([chosen] if chosen else []),
    )
