"""Data -> plotly Figure: pure functions, the same look in both themes.

Text, grid and background take the theme's colours in the browser; a colour written "var(--…)" is
one of the theme's own and is looked up there, too.
"""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

# One colour a digit, everywhere: M. Petroff (2021), "Accessible Color Sequences for Data
# Visualization", the ten-colour sequence.
DIGIT_COLORS = (
    "#3f90da #ffa90e #bd1f01 #94a4a2 #832db6 #a96b59 #e76300 #b9ac70 #717581 #92dadd".split()
)
TRAINING = "#e07b00"
VALIDATION = "var(--st-primary-color)"
PAPER = "var(--st-gray-color)"
RIGHT, WRONG = "var(--st-green-color)", "var(--st-red-color)"
BACKGROUND = "var(--st-secondary-background-color)"
FONT_SIZE = 15
MAX_POINTS = 400  # a trace
DIGITS = list(range(10))


def base(traces: list, title: str, **layout) -> go.Figure:
    """Return a figure in the app's look: its title at the left, no legend, zoom kept."""
    look = {
        "template": "none",
        "title": {"text": title, "x": 0, "xref": "paper", "font": {"size": FONT_SIZE + 2}},
        "font": {"size": FONT_SIZE},
        "margin": {"l": 64, "r": 16, "t": 44, "b": 52} | layout.pop("margin", {}),
        "showlegend": False,
        "uirevision": "keep",  # a zoom outlives an update
    }
    # In one call: update_layout() looks every name up again, and takes four times as long.
    return go.Figure(traces, layout=look | layout)


def mark_moment(figure: go.Figure, moment: float | None) -> go.Figure:
    """Mark by a dotted line where the epoch cursor, or another choice, stands."""
    if moment is not None:
        line = {"color": "var(--st-text-color)", "width": 1, "dash": "dot"}
        figure.add_vline(x=moment, line=line)
    return figure


def cell_texts(text: list[list[str]], colored: np.ndarray, highest: float) -> list[dict]:
    """Write each cell's number: on strong colour in the background's colour, else in the text's.

    `colored` are the values that give the colours, as many as texts; NaN is written in gray.
    """
    return [
        {
            "x": p,
            "y": t,
            "text": value,
            "showarrow": False,
            "captureevents": False,
            "font": {
                "size": FONT_SIZE - 1,
                "color": "var(--st-background-color)"
                if abs(colored[t, p]) > 0.55 * highest
                else PAPER
                if np.isnan(colored[t, p])
                else "var(--st-text-color)",
            },
        }
        for t, row in enumerate(text)
        for p, value in enumerate(row)
        if value
    ]


def cell_frame(row: float, column: float) -> dict:
    """Return the frame around a chosen cell, as a shape of the layout."""
    return {
        "type": "rect", "x0": column - 0.5, "x1": column + 0.5, "y0": row - 0.5, "y1": row + 0.5,
        "line": {"color": TRAINING, "width": 3},
    }  # fmt: skip
