"""What networks say of one's own digit -> plotly Figure: pure functions like figures.py's."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mnist_core import wording
from mnist_core.evaluation_figures import probabilities
from mnist_core.figures import (
    BACKGROUND,
    DIGIT_COLORS,
    DIGITS,
    FONT_SIZE,
    TRAINING,
    VALIDATION,
    base,
    cell_texts,
    mark_moment,
)
from mnist_core.training_figures import short

GAP = 2  # columns between two maps
PLAIN = {"showgrid": False, "zeroline": False, "showticklabels": False, "ticks": "",
         "constrain": "domain"}  # fmt: skip


def answer(values: np.ndarray | None, meant: int | None, not_sure: float) -> go.Figure:
    """Draw ten probabilities (10,) as bars, None as none; below `not_sure` the answer is unsure."""
    figure = probabilities(np.zeros(10) if values is None else values, meant)
    title = figure.layout.title
    if values is None:
        title.text = "Nothing to read yet"
    elif not np.isfinite(values).all():
        title.text = "No answer: the network says no numbers"
    else:
        first, second = np.argsort(-values, kind="stable")[:2]
        said = f"Not sure: {first}" if values[first] < not_sure else title.text
        title.text = f"{said}; the runner-up is {second}, {wording.percent(values[second], 1)}"
    return figure


def attributions(
    maps: Sequence[tuple[str, np.ndarray]], image: np.ndarray, answer: int, other: int
) -> go.Figure:
    """Draw what speaks for `answer` rather than `other`, K maps float (28, 28), side by side.

    One diverging scale, zero in its middle: each map in shares of its own strongest pixel, which
    its title tells. The outline is the digit, uint8 (28, 28).
    """
    side = image.shape[1]
    wide = len(maps) * side + (len(maps) - 1) * GAP
    shown, true = np.full((2, image.shape[0], wide), np.nan)
    outline = np.zeros((image.shape[0], wide))
    titles = []
    for place, (name, values) in enumerate(maps):
        part = slice(place * (side + GAP), place * (side + GAP) + side)
        strongest = float(abs(values).max())
        shown[:, part] = values / (strongest or 1.0)
        true[:, part] = values
        outline[:, part] = image
        titles.append(
            {"x": part.start + side / 2 - 0.5, "y": 1, "yref": "paper", "yanchor": "bottom",
             "text": f"<b>{name.replace(' ', '<br>')}</b><br>up to {strongest:.2g}",
             "showarrow": False, "font": {"size": FONT_SIZE - 1}}
        )  # fmt: skip
    heatmap = go.Heatmap(
        z=shown, customdata=true, autocolorscale=True, zmid=0, zmin=-1, zmax=1, hoverongaps=False,
        colorbar={"tickvals": [-1, 0, 1], "ticktext": [f"for {other}", "0", f"for {answer}"]},
        hovertemplate="%{customdata:+.2g}<extra></extra>",
    )  # fmt: skip
    contour = go.Contour(
        z=outline, contours={"start": 128, "end": 128, "size": 1, "coloring": "none"},
        line={"color": "var(--st-text-color)", "width": 2}, showscale=False, hoverinfo="skip",
    )  # fmt: skip
    return base(
        [heatmap, contour], "", annotations=titles, margin={"l": 4, "r": 4, "t": 62, "b": 4},
        xaxis=PLAIN | {"range": [-0.5, wide - 0.5]},
        yaxis=PLAIN | {"range": [image.shape[0] - 0.5, -0.5], "scaleanchor": "x"},
    )  # fmt: skip


def answers_of_runs(names: Sequence[str], said: np.ndarray) -> go.Figure:
    """Draw what R networks say of one digit, probabilities (R, 10), a row for each."""
    percent = 100 * np.asarray(said)
    text = [[f"{value:.0f}" if value >= 0.5 else "" for value in row] for row in percent]
    heatmap = go.Heatmap(
        x=DIGITS, y=list(range(len(names))), z=percent, zmin=0, zmax=100, autocolorscale=True,
        showscale=False, xgap=2, ygap=2,
        customdata=[[html.escape(name, quote=False)] * 10 for name in names],
        hovertemplate="%{customdata}: %{x} with %{z:.2f} %<extra></extra>",
    )  # fmt: skip
    plain = {"showgrid": False, "zeroline": False}
    return base(
        [heatmap], "Probability of each digit (%)",
        margin={"l": 8, "r": 8, "t": 34, "b": 44},
        xaxis=plain | {"title": {"text": "digit"}, "dtick": 1},
        yaxis=plain | {"tickvals": list(range(len(names))), "automargin": True,
                       "ticktext": [short(name, 22) for name in names],
                       "range": [len(names) - 0.5, -0.5], "tickfont": {"size": 14}},
        annotations=cell_texts(text, percent, 100.0),
    )  # fmt: skip


def changed_digit(image: np.ndarray, pixels: np.ndarray) -> go.Figure:
    """Draw a digit, uint8 (28, 28), with a frame around each of its changed pixels, (n, 2)."""
    heatmap = go.Heatmap(
        z=image, zmin=0, zmax=255, colorscale=[[0, "#000000"], [1, "#ffffff"]], showscale=False,
        hovertemplate="row %{y}, column %{x}: %{z}<extra></extra>",
    )  # fmt: skip
    frames = [
        {"type": "rect", "x0": column - 0.5, "x1": column + 0.5, "y0": row - 0.5, "y1": row + 0.5,
         "line": {"color": TRAINING, "width": 3}} for row, column in np.asarray(pixels).tolist()
    ]  # fmt: skip
    return base(
        [heatmap], "", margin={"l": 4, "r": 4, "t": 4, "b": 4}, shapes=frames,
        xaxis=PLAIN | {"range": [-0.5, 27.5]},
        yaxis=PLAIN | {"range": [27.5, -0.5], "scaleanchor": "x"},
    )  # fmt: skip


def flip_steps(probabilities: np.ndarray, before: int, after: int, step: int) -> go.Figure:
    """Draw the probabilities (n + 1, 10) of two digits after 0 … n changed pixels."""
    changes = np.arange(len(probabilities))
    traces = [
        go.Scatter(
            x=changes, y=100 * probabilities[:, digit], mode="lines+markers", name=str(digit),
            line={"color": DIGIT_COLORS[digit], "width": 3}, marker={"size": 7},
            hovertemplate=f"{digit} with %{{y:.1f}} % after %{{x}} pixels<extra></extra>",
        )
        for digit in dict.fromkeys((before, after))
    ]  # fmt: skip
    ends = [
        {"x": changes[-1], "y": 100 * probabilities[-1, digit], "text": f"<b>{digit}</b>",
         "xanchor": "left", "xshift": 8, "showarrow": False,
         "font": {"color": DIGIT_COLORS[digit], "size": FONT_SIZE + 1}}
        for digit in dict.fromkeys((before, after))
    ]  # fmt: skip
    figure = base(
        traces, "", margin={"l": 56, "r": 36, "t": 8, "b": 44}, annotations=ends,
        xaxis={"title": {"text": "changed pixels"}, "zeroline": False, "rangemode": "tozero",
               "dtick": max(1, len(changes) // 8)},
        yaxis={"title": {"text": "probability (%)"}, "range": [-3, 104], "zeroline": False,
               "tickvals": [0, 50, 100]},
    )  # fmt: skip
    return mark_moment(figure, float(step))


def robustness(
    curves: Sequence[tuple[str, str, pd.DataFrame]],
    levels: Sequence[float],
    unit: str,
    level: float,
) -> go.Figure:
    """Draw the accuracy of runs (name, colour, frame of robustness.curve()) along its `levels`.

    The dotted line stands at the level that one's own digit has; the dashed one is guessing.
    """
    edge = 0.03 * (levels[-1] - levels[0])
    traces = [
        go.Scatter(
            x=table["level"], y=100 * table["accuracy"], mode="lines+markers", name=short(name, 22),
            line={"color": color, "width": 3}, marker={"size": 8},
            customdata=table["of"], meta=html.escape(name, quote=False),
            hovertemplate="%{meta} at %{x:.3g}: %{y:.1f} % of %{customdata:,}<extra></extra>",
        )
        for name, color, table in curves
    ]  # fmt: skip
    guessing = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 10, "y1": 10,
                "line": {"color": "var(--st-gray-color)", "width": 1, "dash": "dash"}}  # fmt: skip
    figure = base(
        traces, "", shapes=[guessing], showlegend=len(traces) > 1,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "bgcolor": BACKGROUND},
        margin={"l": 60, "r": 12, "t": 36, "b": 48},
        xaxis={"title": {"text": unit}, "zeroline": False,
               "range": [levels[0] - edge, levels[-1] + edge]},
        yaxis={"title": {"text": "rightly read (%)"}, "range": [0, 102], "zeroline": False},
    )  # fmt: skip
    return mark_moment(figure, level)


FIRST_RUN = VALIDATION  # the colour of the run that is played
