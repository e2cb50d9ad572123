"""What there is to see of a dataset -> plotly Figure: pure functions in the look of figures.py."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from mnist_core import wording
from mnist_core.figures import (
    DIGIT_COLORS,
    DIGITS,
    FONT_SIZE,
    TRAINING,
    base,
    cell_frame,
    cell_texts,
)

TEXT, PAPER = "var(--st-text-color)", "var(--st-background-color)"
INK = [[0, "var(--st-secondary-background-color)"], [1, TEXT]]
GRAY = "var(--st-gray-color)"


def class_balance(training: np.ndarray, test: np.ndarray) -> go.Figure:
    """Draw each digit's share of the training and of the test images, counts (10,) each."""
    share = training / max(training.sum(), 1) * 100
    most, least = int(share.argmax()), int(share.argmin())

    def bars(name: str, counts: np.ndarray, color: str) -> go.Bar:
        return go.Bar(
            x=DIGITS,
            y=counts / max(counts.sum(), 1) * 100,
            name=f"{name}, {wording.count(int(counts.sum()), 'image')}",
            customdata=counts,
            marker={"color": color},
            hovertemplate=f"{name}: %{{customdata:,}} images of %{{x}}, %{{y:.1f}} %"
            "<extra></extra>",
        )

    return base(
        [bars("training", training, TRAINING), bars("test", test, "var(--st-primary-color)")],
        f"Most images of {most} ({share[most]:.1f} %), fewest of {least} ({share[least]:.1f} %)",
        showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 1, "xanchor": "right"},
        margin={"l": 64, "r": 16, "t": 76, "b": 52},
        xaxis={"title": {"text": "digit"}, "dtick": 1, "showgrid": False, "zeroline": False},
        yaxis={"title": {"text": "share of the set (%)"}, "rangemode": "tozero"},
    )


def pixels(
    image: np.ndarray,
    centre: tuple[float, float],
    *,
    normalized: bool = False,
    written: bool = False,
) -> go.Figure:
    """Draw one image, uint8 (28, 28), its centre of mass, and the ink of each row and column.

    Values are 0–255, or divided by 255 where `normalized`; `written` puts them into the pixels.
    """
    values = image / 255 if normalized else image
    form = "%.2f" if normalized else "%d"
    text = [[(form % value).lstrip("0") if value else "" for value in row] for row in values]
    unit = "" if normalized else " of 255"
    scaled = np.char.mod("%.3f", image / 255)
    heatmap = go.Heatmap(
        z=values, zmin=0, zmax=1 if normalized else 255, colorscale=INK, showscale=False,
        xgap=1, ygap=1, customdata=np.stack([image.astype(str), scaled], axis=-1),
        hovertemplate="row %{y}, column %{x}: value %{customdata[0]}<br>"
        "normalized: %{customdata[0]} / 255 = %{customdata[1]}<extra></extra>",
        **({"text": text, "texttemplate": "%{text}", "textfont": {"size": 11}} if written else {}),
    )  # fmt: skip
    cross = go.Scatter(
        x=[centre[1]], y=[centre[0]], mode="markers",
        marker={"symbol": "cross-thin", "size": 18, "line": {"width": 3, "color": TRAINING}},
        hovertemplate="centre of mass: row %{y:.1f}, column %{x:.1f}<extra></extra>",
    )  # fmt: skip
    profile = {"line": {"color": TRAINING, "width": 2, "shape": "hvh"}, "fill": "tozerox"}
    by_row, by_column = values.sum(1, dtype=float), values.sum(0, dtype=float)
    rows = go.Scatter(
        x=by_row, y=np.arange(28), xaxis="x2", mode="lines", **profile,
        hovertemplate=f"row %{{y}}: ink %{{x:,.4~g}}{unit and ' in all'}<extra></extra>",
    )  # fmt: skip
    columns = go.Scatter(
        x=np.arange(28), y=by_column, yaxis="y2", mode="lines", **profile | {"fill": "tozeroy"},
        hovertemplate=f"column %{{x}}: ink %{{y:,.4~g}}{unit and ' in all'}<extra></extra>",
    )  # fmt: skip
    plain = {"showgrid": False, "zeroline": False}
    profile_axis = plain | {"domain": [0.87, 1], "showticklabels": False, "fixedrange": True}
    return base(
        [heatmap, cross, rows, columns],
        "",
        margin={"l": 44, "r": 4, "t": 4, "b": 44},
        xaxis=plain | {"title": {"text": "column (pixel)"}, "domain": [0, 0.86],
                       "constrain": "domain", "constraintoward": "right", "range": [-0.5, 27.5]},
        yaxis=plain | {"title": {"text": "row (pixel)"}, "domain": [0, 0.86], "scaleanchor": "x",
                       "constrain": "domain", "constraintoward": "top", "range": [27.5, -0.5]},
        xaxis2=profile_axis | {"range": [0, max(by_row.max(), 1e-6) * 1.05]},
        yaxis2=profile_axis | {"range": [0, max(by_column.max(), 1e-6) * 1.05]},
    )  # fmt: skip


def class_distances(distances: np.ndarray, chosen: tuple[int, int] | None = None) -> go.Figure:
    """Draw the distances between class means, float (10, 10): the nearer the stronger."""
    apart = np.where(np.eye(10, dtype=bool), np.nan, distances)
    nearness = np.nanmax(apart) - apart
    digit, other = sorted(map(int, np.unravel_index(np.nanargmin(apart), apart.shape)))
    text = [["" if np.isnan(value) else f"{value:.1f}" for value in row] for row in apart]
    heatmap = go.Heatmap(
        z=nearness, zmin=0, zmax=float(np.nanmax(nearness)), showscale=False, xgap=1, ygap=1,
        customdata=apart, hoverongaps=False,
        hovertemplate="the mean %{y} and the mean %{x} are %{customdata:.2f} apart<extra></extra>",
    )  # fmt: skip
    axis = {"dtick": 1, "showgrid": False, "zeroline": False}
    return base(
        [heatmap],
        f"Nearest means: {digit} and {other}, {apart[digit, other]:.1f} apart",
        xaxis=axis | {"title": {"text": "digit"}, "range": [-0.5, 9.5]},
        yaxis=axis | {"title": {"text": "digit"}, "range": [9.5, -0.5]},
        annotations=cell_texts(text, nearness, float(np.nanmax(nearness))),
        shapes=[cell_frame(*chosen)] if chosen else [],
    )


def mean_difference(means: np.ndarray, digit: int, other: int) -> go.Figure:
    """Draw where the mean `digit` has more ink than the mean `other`; means (10, 28, 28), 0–255."""
    difference = (means[digit] - means[other]) / 255
    limit = float(abs(difference).max()) or 1.0
    heatmap = go.Heatmap(
        z=difference, autocolorscale=True, zmid=0, zmin=-limit, zmax=limit,
        colorbar={"thickness": 14, "tickvals": [-limit, 0, limit],
                  "ticktext": [f"more in {other}", "equal", f"more in {digit}"]},
        hovertemplate="row %{y}, column %{x}: %{z:+.2f}<extra></extra>",
    )  # fmt: skip
    plain = {"showgrid": False, "zeroline": False, "constrain": "domain"}
    return base(
        [heatmap],
        f"Mean {digit} minus mean {other}",
        margin={"l": 48, "r": 8, "t": 36, "b": 48},
        xaxis=plain | {"title": {"text": "column (pixel)"}, "range": [-0.5, 27.5]},
        yaxis=plain | {"title": {"text": "row (pixel)"}, "range": [27.5, -0.5], "scaleanchor": "x"},
    )


def digit_map(
    positions: np.ndarray,
    labels: np.ndarray,
    axes: tuple[str, str],
    *,
    shown: np.ndarray,
    selected: np.ndarray,
    opened: int | None = None,
    neighbours: np.ndarray | None = None,
) -> go.Figure:
    """Draw images as points (N, 2), coloured by label; customdata is a point's place 0 … N-1.

    `shown` and `selected` are bool (N,): others are faint. `opened` gets a ring and lines to
    its `neighbours`, places (k,).
    """
    any_selected = bool(selected.any())
    traces = [
        go.Scattergl(
            x=positions[~shown, 0], y=positions[~shown, 1], mode="markers", hoverinfo="skip",
            marker={"size": 4, "color": GRAY, "opacity": 0.15},
        )
    ]  # fmt: skip
    for digit in DIGITS:
        places = np.flatnonzero(shown & (labels == digit))
        traces.append(
            go.Scattergl(
                x=positions[places, 0], y=positions[places, 1], customdata=places, mode="markers",
                name=str(digit), marker={"size": 6, "color": DIGIT_COLORS[digit], "opacity": 0.75},
                selectedpoints=np.flatnonzero(selected[places]) if any_selected else None,
                selected={"marker": {"opacity": 1, "size": 9}},
                unselected={"marker": {"opacity": 0.25}},
                hoverinfo="none",
            )
        )  # fmt: skip
    if opened is not None:
        near = np.empty(0, np.int64) if neighbours is None else neighbours
        ends = np.column_stack([np.full(len(near), opened), near, np.full(len(near), -1)]).ravel()
        line = np.where((ends >= 0)[:, None], positions[ends], np.nan)
        traces.append(
            go.Scatter(
                x=line[:, 0], y=line[:, 1], mode="lines", hoverinfo="skip",
                line={"color": TEXT, "width": 1},
            )
        )  # fmt: skip
        for places, size in ((near, 13), (np.array([opened]), 20)):
            traces.append(
                go.Scatter(
                    x=positions[places, 0], y=positions[places, 1], mode="markers",
                    hoverinfo="skip",
                    marker={"symbol": "circle-open", "size": size,
                            "line": {"width": 3, "color": TEXT}, "color": TEXT},
                )
            )  # fmt: skip
    name, other = axes
    axis = {"zeroline": False, "showgrid": False, "showticklabels": False}
    return base(
        traces,
        "",
        margin={"l": 30, "r": 8, "t": 30, "b": 30},
        xaxis=axis | {"title": {"text": name, "standoff": 4}},
        yaxis=axis | {"title": {"text": other, "standoff": 4}},
        hoverdistance=12,
        selections=[],
        annotations=[
            {"x": float(x), "y": float(y),
             "text": f"<b>{digit}</b>", "showarrow": False, "captureevents": False,
             "bgcolor": PAPER, "bordercolor": DIGIT_COLORS[digit], "borderwidth": 2,
             "opacity": 0.85, "borderpad": 1, "font": {"size": FONT_SIZE + 3, "color": TEXT}}
            for digit, (x, y) in _label_places(positions[shown], labels[shown]).items()
        ],
    )  # fmt: skip


def _label_places(positions: np.ndarray, labels: np.ndarray) -> dict[int, np.ndarray]:
    """Return digit -> where its name stands: at its median, pushed away from other names."""
    digits = np.unique(labels)
    places = np.array([np.median(positions[labels == digit], axis=0) for digit in digits])
    apart = np.ptp(positions, axis=0) * (0.045, 0.1) if len(positions) else 1.0
    apart = np.maximum(apart, 1e-9)
    for _ in range(40):
        for i in range(len(places)):
            for j in range(i):
                gap = (places[i] - places[j]) / apart
                length = max(float(np.linalg.norm(gap)), 1e-6)
                if length < 1:
                    away = gap / length if length > 1e-6 else np.array([1.0, 0.0])
                    places[i] += away * (1 - length) / 2 * apart
                    places[j] -= away * (1 - length) / 2 * apart
    return {int(digit): place for digit, place in zip(digits, places, strict=True)}


def nearest_distances(distances: np.ndarray, limit: float) -> go.Figure:
    """Draw how far test images (M,) are from their nearest training image; `limit` is marked."""
    middle = float(np.median(distances))
    bars = go.Histogram(
        x=distances, xbins={"start": 0, "size": 0.1}, marker={"color": "var(--st-primary-color)"},
        hovertemplate="%{y:,} test images at distance %{x}<extra></extra>",
    )  # fmt: skip
    figure = base(
        [bars],
        f"Half lie within {middle:.1f} of a training image",
        xaxis={"title": {"text": "distance to the nearest training image"}, "rangemode": "tozero",
               "zeroline": False},
        yaxis={"title": {"text": "test images"}},
    )  # fmt: skip
    return figure.add_vline(x=limit, line={"color": TEXT, "width": 2, "dash": "dot"})
