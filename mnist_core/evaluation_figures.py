"""How sure a network is, and of what -> plotly Figure: pure functions in the look of figures.py."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from mnist_core import wording
from mnist_core.calibration import Bins, Coverage
from mnist_core.figures import (
    DIGITS,
    MAX_POINTS,
    PAPER,
    RIGHT,
    TRAINING,
    VALIDATION,
    WRONG,
    base,
    mark_moment,
)

SURE = {"title": {"text": "how sure the network is (%)"}, "range": [0, 101], "dtick": 20,
        "zeroline": False}  # fmt: skip
LOW = {"l": 64, "r": 16, "t": 32, "b": 44}  # the margins of a low chart


def probabilities(values: np.ndarray, true: int | None = None) -> go.Figure:
    """Draw ten probabilities (10,) as bars in per cent: the true digit green, a wrong one red."""
    answer = int(np.argmax(values))
    colors = ["var(--st-gray-color)"] * 10
    colors[answer] = WRONG if true is not None and answer != true else VALIDATION
    if true is not None:
        colors[true] = RIGHT
    bars = go.Bar(
        x=DIGITS,
        y=np.asarray(values) * 100,
        marker={"color": colors},
        text=[f"{value * 100:.0f}" if value >= 0.005 else "" for value in values],
        textposition="outside",
        constraintext="none",
        cliponaxis=False,
        hovertemplate="digit %{x}: %{y:.2f} %<extra></extra>",
    )
    return base(
        [bars],
        f"Read as {answer}" + (f", it is {true}" if true not in (None, answer) else ""),
        margin=LOW,
        xaxis={"title": {"text": "digit"}, "dtick": 1, "showgrid": False, "zeroline": False},
        yaxis={"title": {"text": "probability (%)"}, "range": [0, 112], "tickvals": [0, 50, 100]},
    )


def confidence_histogram(bins: Bins) -> go.Figure:
    """Draw how sure the network was where it was right, and where it was wrong.

    Each in per cent of its own kind: there are many more right answers than wrong ones.
    """
    wrong = bins.count - bins.right
    middles = (bins.edges[:-1] + bins.edges[1:]) * 50

    def bars(counts: np.ndarray, name: str, sign: str, color: str) -> go.Bar:
        total = int(counts.sum())
        return go.Bar(
            x=middles,
            y=100 * counts / max(total, 1),
            name=f"{sign} {name}, {wording.count(total)}",
            customdata=np.column_stack([counts, bins.edges[:-1] * 100, bins.edges[1:] * 100]),
            marker={"color": color},
            hovertemplate=f"%{{customdata[1]:.0f}}–%{{customdata[2]:.0f}} % sure: "
            f"%{{customdata[0]:,}} {name} answers<extra></extra>",
        )

    return base(
        [bars(bins.right, "right", "✓", RIGHT), bars(wrong, "wrong", "✗", WRONG)],
        "",
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        bargap=0.15,
        margin=LOW,
        xaxis=SURE,
        yaxis={"title": {"text": "share of its kind (%)"}, "rangemode": "tozero"},
    )


def reliability(bins: Bins) -> go.Figure:
    """Draw how often the network was right where it was so sure; the dashed line keeps its word.

    The larger a point, the more images.
    """
    full = bins.count > 0
    claimed, accuracy = bins.claimed[full] * 100, bins.accuracy[full] * 100
    count = bins.count[full]
    said = go.Scatter(
        x=claimed, y=accuracy, mode="lines+markers", customdata=count,
        line={"color": VALIDATION, "width": 2},
        cliponaxis=False,
        marker={"size": 7 + 17 * np.sqrt(count / max(count.max(initial=1), 1)), "opacity": 1},
        hovertemplate="%{customdata:,} images, on average %{x:.1f} % sure: %{y:.1f} % right"
        "<extra></extra>",
    )  # fmt: skip
    kept_word = go.Scatter(
        x=[0, 100], y=[0, 100], mode="lines", hoverinfo="skip",
        line={"color": PAPER, "width": 2, "dash": "dash"},
    )  # fmt: skip
    return base(
        [kept_word, said],
        f"Expected calibration error {wording.percent(bins.expected_error)}",
        margin=LOW,
        xaxis=SURE,
        yaxis={"title": {"text": "rightly read (%)"}, "range": [0, 103], "dtick": 20,
               "zeroline": False},
    )  # fmt: skip


def coverage(covered: Coverage, threshold: float) -> go.Figure:
    """Draw accuracy against the share of digits read when the less sure ones are left unread.

    The point is where the threshold (0 to 1) stands; customdata is each threshold in per cent.
    """
    rows = _thinned(covered)
    share = 100 * covered.read[rows] / max(covered.total, 1)
    curve = go.Scatter(
        x=share, y=100 * covered.accuracy[rows], mode="lines",
        customdata=covered.threshold[rows] * 100,
        line={"color": VALIDATION, "width": 3},
        hovertemplate="at least %{customdata:.1f} % sure: %{x:.1f} % of the digits are read, "
        "%{y:.2f} % of them rightly<extra></extra>",
    )  # fmt: skip
    read, right = covered.at(threshold)
    now = 100 * read / max(covered.total, 1)
    rightly = right / read if read else np.nan
    here = go.Scatter(
        x=[now], y=[100 * rightly], mode="markers", hoverinfo="skip",
        marker={"size": 16, "color": TRAINING},
    )  # fmt: skip
    figure = base(
        [curve, here],
        f"{now:.1f} % are read, {wording.percent(rightly)} of them rightly"
        if read
        else "No digit is read",
        xaxis={"title": {"text": "digits read (%)"}, "range": [0, 101], "zeroline": False},
        yaxis={"title": {"text": "rightly read of these (%)"}, "zeroline": False},
    )
    return mark_moment(figure, now)


def _thinned(covered: Coverage) -> np.ndarray:
    """Return at most MAX_POINTS rows: half of them evenly, half where errors come in."""
    rows = np.arange(len(covered.read))
    if len(rows) <= MAX_POINTS:
        return rows
    errors = np.flatnonzero(np.diff(covered.read - covered.right, append=-1))
    halves = (rows, errors)
    return np.unique(
        np.concatenate(
            [part[np.linspace(0, len(part) - 1, MAX_POINTS // 2).astype(int)] for part in halves]
        )
    )


def attribution(values: np.ndarray, image: np.ndarray, answer: int, other: int) -> go.Figure:
    """Draw what speaks for `answer` rather than `other` at each pixel, float (28, 28).

    The outline is the digit, uint8 (28, 28). One diverging scale, zero in its middle.
    """
    limit = float(abs(values).max()) or 1.0
    heatmap = go.Heatmap(
        z=values, autocolorscale=True, zmid=0, zmin=-limit, zmax=limit,
        colorbar={"tickvals": [-limit, 0, limit],
                  "ticktext": [f"for {other}", "0", f"for {answer}"]},
        hovertemplate="row %{y}, column %{x}: %{z:+.2g}<extra></extra>",
    )  # fmt: skip
    outline = go.Contour(
        z=image, contours={"start": 128, "end": 128, "size": 1, "coloring": "none"},
        line={"color": "var(--st-text-color)", "width": 2}, showscale=False, hoverinfo="skip",
    )  # fmt: skip
    plain = {"showgrid": False, "zeroline": False, "showticklabels": False, "constrain": "domain"}
    return base(
        [heatmap, outline],
        "",
        margin={"l": 28, "r": 8, "t": 8, "b": 28},
        xaxis=plain | {"title": {"text": "column", "standoff": 4}, "range": [-0.5, 27.5]},
        yaxis=plain | {"title": {"text": "row", "standoff": 4}, "range": [27.5, -0.5],
                       "scaleanchor": "x"},
    )  # fmt: skip
