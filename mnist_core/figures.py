"""Data -> plotly Figure: pure functions, the same look in both themes.

Text, grid and background take the theme's colours in the browser; a colour written "var(--…)" is
one of the theme's own and is looked up there, too.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mnist_core import paper

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
QUANTITIES = {  # metric: title of the axis, factor, suffix of the ticks
    "accuracy": ("accuracy (%)", 100.0, ""),
    "loss": ("loss (cross-entropy)", 1.0, ""),
}


def base(traces: list, title: str, **layout) -> go.Figure:
    """Return a figure in the app's look: its title at the left, no legend, zoom kept."""
    figure = go.Figure(traces)
    figure.update_layout(
        template="none",
        title={"text": title, "x": 0, "xref": "paper", "font": {"size": FONT_SIZE + 2}},
        font={"size": FONT_SIZE},
        margin={"l": 64, "r": 16, "t": 44, "b": 52},
        showlegend=False,
        uirevision="keep",  # a zoom outlives an update
    )
    return figure.update_layout(layout)


def _inside(side: str) -> dict:
    """Return a legend inside the plot, in the corner that the curves leave free."""
    return {
        "x": 0.99, "xanchor": "right", "y": 0.03 if side == "bottom" else 0.97, "yanchor": side,
        "font": {"size": 14}, "bgcolor": "var(--st-background-color)",
    }  # fmt: skip


def _thinned(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep at most MAX_POINTS rows, the last one always."""
    if len(frame) <= MAX_POINTS:
        return frame
    return frame.iloc[np.unique(np.linspace(0, len(frame) - 1, MAX_POINTS).round().astype(int))]


def _split_epochs(steps: pd.DataFrame) -> pd.DataFrame:
    """Put an empty row between epochs: the running mean starts anew with each."""
    starts = np.ceil(steps["epoch"]).diff().gt(0)
    gaps = steps[starts].assign(epoch=lambda rows: rows["epoch"] - 1e-9)
    gaps[["accuracy", "loss"]] = np.nan
    return pd.concat([steps, gaps]).sort_values("epoch")


def learning_curves(
    metrics: pd.DataFrame,
    quantity: str,
    planned_epochs: int,
    *,
    with_paper: bool = False,
    cursor: float | None = None,
    validation_name: str = "validation",
) -> go.Figure:
    """Draw accuracy or loss against epochs from a run's metrics (runs.METRICS).

    Training: the running mean within each epoch (thin; its end, a ring, is what Keras and the paper
    print) and the value after the epoch (square). Validation: thick. The x axis ends at the
    planned epochs, or for long runs at a round number before; `cursor` marks an epoch.
    """
    axis_title, factor, _ = QUANTITIES[quantity]
    steps = metrics[metrics["kind"] == "step"]
    epochs = metrics[metrics["kind"] == "epoch"]
    running = _split_epochs(_thinned(steps))
    unit = " %" if quantity == "accuracy" else ""
    digits = ".2f" if quantity == "accuracy" else ".4f"

    def trace(rows, column, name, mode, **style) -> go.Scatter:
        return go.Scatter(
            x=rows["epoch"].to_numpy(float),
            y=rows[column].to_numpy(float) * factor,
            name=name,
            mode=mode,
            hovertemplate=f"epoch %{{x:.2f}}: {name} %{{y:{digits}}}{unit}<extra></extra>",
            **style,
        )

    ends = epochs[epochs["epoch"] > 0]
    traces = [
        trace(running, quantity, "training, running mean", "lines",
              line={"color": TRAINING, "width": 2}),
        trace(ends, quantity, "training, mean of the epoch", "markers",
              marker={"color": TRAINING, "size": 9, "symbol": "circle-open", "line": {"width": 2}}),
        trace(epochs, f"sample_{quantity}", "training, after the epoch", "lines+markers",
              line={"color": TRAINING, "width": 1.5, "dash": "dot"},
              marker={"symbol": "square", "size": 8}),
        trace(epochs, f"val_{quantity}", validation_name, "lines+markers",
              line={"color": VALIDATION, "width": 4}, marker={"size": 10}),
    ]  # fmt: skip
    if with_paper:
        told = paper.EPOCHS.reset_index()
        dashed = {"color": PAPER, "width": 2, "dash": "dash"}
        traces.append(trace(told, f"val_{quantity}", "the paper, validation", "lines", line=dashed))
    until = _last_epoch(metrics, planned_epochs)
    figure = base(
        traces,
        quantity.capitalize(),
        showlegend=True,
        legend=_inside("bottom" if quantity == "accuracy" else "top"),
        xaxis={
            "title": {"text": "epoch"},
            "range": [0, until * 1.02],
            "dtick": max(1, -(-until // 10)),
            "zeroline": False,
        },
        yaxis={
            "title": {"text": axis_title},
            "range": _value_range(running, ends, quantity, factor),
            "zeroline": False,
        },
    )
    return mark_moment(figure, cursor)


def mark_moment(figure: go.Figure, moment: float | None) -> go.Figure:
    """Mark by a dotted line where the epoch cursor, or another choice, stands."""
    if moment is not None:
        line = {"color": "var(--st-text-color)", "width": 1, "dash": "dot"}
        figure.add_vline(x=moment, line=line)
    return figure


def _last_epoch(metrics: pd.DataFrame, planned: int) -> int:
    """Return where the axis ends: at the plan, or, far from it, at one of a few round numbers."""
    reached = float(metrics["epoch"].max()) if len(metrics) else 0.0
    round_numbers = (end for end in (10, 25, 50, 100, 250) if reached <= end <= planned / 2)
    return next(round_numbers, planned)


def _value_range(running: pd.DataFrame, ends: pd.DataFrame, quantity: str, factor: float) -> list:
    """Return one of a few fixed ranges, so that the axis holds still while the run lives."""
    late = running[running["epoch"] > 0.5][quantity]
    values = pd.concat([late, ends[f"val_{quantity}"], ends[quantity]]).dropna() * factor
    if quantity == "accuracy":
        lowest = values.min() if len(values) else 100
        return [90 if lowest >= 92 else 80 if lowest >= 82 else 0, 100.5]
    highest = values.max() if len(values) else 0
    return [0, next((top for top in (0.6, 1.2, 2.5, 5) if highest <= top), highest * 1.05)]


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
