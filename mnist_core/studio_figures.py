"""A training's schedule, layers, confusions and seeds -> plotly Figure: pure functions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mnist_core import paper, wording
from mnist_core.confusion_figures import DIAGONAL
from mnist_core.figures import BACKGROUND, DIGITS, FONT_SIZE, PAPER, VALIDATION, base
from mnist_core.training_figures import short


def schedule_curve(
    rates: Sequence[tuple[float, float]] | np.ndarray, steps_per_epoch: int
) -> go.Figure:
    """Draw the learning rate against epochs from N pairs (step, rate)."""
    steps, rate = np.asarray(rates, float).reshape(-1, 2).T
    if not np.isfinite(rate).any():
        return base([], "No learning rate")
    epochs, peak = steps / max(steps_per_epoch, 1), float(np.nanmax(rate))
    said = f"{peak:.3g} throughout"
    if np.nanmin(rate) < peak:
        said = f"peak {peak:.3g} at epoch {epochs[np.nanargmax(rate)]:.2g}"
    curve = go.Scatter(
        x=epochs, y=rate, mode="lines", line={"color": VALIDATION, "width": 3},
        hovertemplate="epoch %{x:.2f}: learning rate %{y:.3g}<extra></extra>",
    )  # fmt: skip
    small = {"size": FONT_SIZE}
    return base(
        [curve], f"Learning rate: {said}", margin={"l": 52, "r": 12, "t": 30, "b": 40},
        title_x=0.02, title_xref="container", title_font=small,
        xaxis={"title": {"text": "epoch", "standoff": 2, "font": small}, "rangemode": "tozero",
               "zeroline": False},
        yaxis={"title": {"text": "rate", "font": small}, "range": [0, peak * 1.1 or 1],
               "zeroline": False, "tickvals": [0, peak], "ticktext": ["0", f"{peak:.3g}"]},
    )  # fmt: skip


def layer_histograms(layers: Sequence[dict], quantity: str) -> go.Figure:
    """Draw how the "weights" or "gradients" of each layer are spread, a row for each.

    `layers` are {"name", "weights": {"low", "high", "counts" (B,)}, "gradients": the same}: counts
    in B equal parts from low to high. Weights share one scale; gradients, which differ by powers of
    ten, have one for each row, with its end beside it. A scale leaves out the outer 1 % at most.
    Each row is as high as its fullest part.
    """
    drawn = {row: found for row, layer in enumerate(reversed(layers))
             if (found := _spread(layer.get(quantity) or {})) is not None}  # fmt: skip
    own = quantity == "gradients"
    ends = {row: _round_up(end) for row, (_, _, end) in drawn.items()}
    widest = max(ends.values(), default=0.0)
    traces, names = [], [layer["name"] for layer in reversed(layers)]
    for row, (edges, counts, _) in drawn.items():
        sides, heights = np.repeat(edges, 2), np.repeat([0, *counts, 0], 2)[1:-1]
        traces.append(go.Scatter(
            x=sides / ((ends[row] if own else widest) or 1), y=row + 0.85 * heights / counts.max(),
            name=names[row], mode="lines", line={"color": VALIDATION, "width": 2}, fill="toself",
            hoveron="points", customdata=np.column_stack([heights, sides]),
            hovertemplate=f"{names[row]}:<br>%{{customdata[0]:,}} {quantity} "
            "beside %{customdata[1]:.2g}<extra></extra>",
        ))  # fmt: skip
    end = "end" if own else f"{widest or 1:.6g}"
    return base(
        traces, f"{quantity.capitalize()} of each layer", title_x=0.02, title_xref="container",
        margin={"l": 8, "r": 72 if own else 20, "t": 32, "b": 28},
        xaxis={"range": [-1, 1], "tickvals": [-1, 0, 1], "ticktext": [f"−{end}", "0", end],
               "zeroline": False, "showgrid": False},
        yaxis={"range": [-0.1, max(len(layers), 1)], "showgrid": False, "zeroline": False,
               "automargin": True, "tickvals": [row + 0.4 for row in range(len(layers))],
               "ticktext": [short(name, 18) for name in names], "tickfont": {"size": 14}},
        shapes=[{"type": "line", "x0": 0, "x1": 0, "yref": "paper", "y0": 0, "y1": 1,
                 "layer": "below", "line": {"color": PAPER, "width": 2, "dash": "dot"}}],
        annotations=[
            {"xref": "paper", "x": 1, "xanchor": "left", "y": row + 0.4, "text": f"±{most:.6g}",
             "showarrow": False, "font": {"size": 14}} for row, most in ends.items() if own
        ],
    )  # fmt: skip


def _spread(part: dict) -> tuple[np.ndarray, np.ndarray, float] | None:
    """Return a histogram's edges (B + 1,), counts (B,) and the end that holds 99 % of them."""
    counts = np.asarray(part.get("counts", ()), float)
    low, high = part.get("low", np.nan), part.get("high", np.nan)
    if not counts.sum() > 0 or not np.isfinite([low, high]).all():
        return None
    edges = np.linspace(low, high, len(counts) + 1)
    far = np.maximum(abs(edges[1:]), abs(edges[:-1]))
    order = far.argsort()
    within = counts[order].cumsum() >= 0.99 * counts.sum()
    return edges, counts, float(far[order][within.argmax()])


def _round_up(value: float) -> float:
    """Return the next of …, 0.1, 0.2, 0.5, 1, 2, 5, … from a value on; 0 stays 0."""
    if value <= 0:
        return 0.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(next((step * power for step in (1, 2, 5) if value <= step * power), 10 * power))


def live_confusion(shares: np.ndarray) -> go.Figure:
    """Draw what is taken for what, in per cent of each true digit (10, 10), without numbers.

    The colour ends at 10 % and so holds still; the diagonal, what is read rightly, has none. NaN
    is a digit of which there is no image.
    """
    said = [
        [f"there is no {t} yet" if np.isnan(share)
         else f"{share:.1f} % of all {t}s are read as {p}" + (", rightly" if t == p else "")
         for p, share in enumerate(row)]
        for t, row in enumerate(shares)
    ]  # fmt: skip
    heatmap = go.Heatmap(
        x=DIGITS, y=DIGITS, z=np.where(DIAGONAL, np.nan, shares), zmin=0, zmax=10, xgap=1, ygap=1,
        colorscale=[[0, BACKGROUND], [1, VALIDATION]], showscale=False, hoverongaps=True,
        hoverinfo="text", hovertext=said,
    )  # fmt: skip
    plain = {"showgrid": False, "zeroline": False, "dtick": 1, "tickfont": {"size": 14}}
    titles = [{"text": f"{kind} digit", "standoff": 2, "font": {"size": FONT_SIZE}}
              for kind in ("predicted", "true")]  # fmt: skip
    return base(
        [heatmap], "Errors, 0 to 10 % of a row", title_x=0.02, title_xref="container",
        margin={"l": 44, "r": 4, "t": 30, "b": 40},
        xaxis=plain | {"title": titles[0], "range": [-0.5, 9.5]},
        yaxis=plain | {"title": titles[1], "range": [9.5, -0.5]},
    )  # fmt: skip


def seeds_band(
    runs_epochs: Sequence[tuple[int, pd.DataFrame]], quantity: str = "val_accuracy"
) -> go.Figure:
    """Draw runs that differ in their seed only: each thin, their mean thick, ± 1 SD shaded.

    `runs_epochs` are (seed, reports by epoch, as Run.epochs), `quantity` one of their accuracies.
    The untrained epoch 0 is left out. SD is the sample's standard deviation (N − 1), from two runs
    on. The paper, where it reports the quantity, is dashed.
    """
    columns = {n: rows[quantity].astype(float) for n, (_, rows) in enumerate(runs_epochs)}
    table = pd.DataFrame(columns).sort_index().loc[1:].dropna(how="all") * 100
    if table.empty:
        return base([], "No epoch has ended yet")
    mean, spread, count = table.mean(axis=1), table.std(axis=1, ddof=1), table.count(axis=1)
    low, high = (mean - spread).dropna(), (mean + spread).dropna()
    end, last = table.index[-1], table.iloc[-1]
    traces, names = [], []  # names: (x, y, text, colour) of lines that are named at their ends

    def draw(values: pd.Series, name: str, color: str, width: int, more="", **style) -> None:
        traces.append(go.Scatter(
            x=values.index, y=values, name=name, line={"color": color, "width": width},
            hovertemplate=f"epoch %{{x}}: {name} %{{y:.2f}} %{more}<extra></extra>", **style,
        ))  # fmt: skip

    if len(low):
        traces.append(go.Scatter(
            x=[*high.index, *low.index[::-1]], y=[*high, *low[::-1]], mode="lines", fill="toself",
            name="mean ± 1 SD", hoverinfo="skip", line={"color": VALIDATION, "width": 2},
            opacity=0.35,
        ))  # fmt: skip
    for n, values in table.items():
        name = f"seed {runs_epochs[n][0]}"
        draw(values, name, VALIDATION, 2, mode="lines+markers", marker={"size": 4}, opacity=0.6)
        if len(columns) > 1 and n in (last.idxmin(), last.idxmax()):
            names.append((end, last[n], name, VALIDATION))
    said = [f", of {wording.count(n, 'seed')}" + ("" if np.isnan(sd) else f", SD {sd:.2f} %")
            for n, sd in zip(count, spread, strict=True)]  # fmt: skip
    draw(
        mean, "mean", VALIDATION, 4, "%{text}", mode="lines+markers", marker={"size": 8}, text=said
    )
    sure = not np.isnan(spread[end])
    names.append((end, mean[end], "<b>mean ± SD</b>" if sure else "<b>mean</b>", VALIDATION))
    if quantity in paper.EPOCHS:
        told = paper.EPOCHS[quantity] * 100
        draw(told, "the paper", PAPER, 2, mode="lines", line_dash="dash")
        names.append((told.index[-1], told.iloc[-1], "the paper", PAPER))
    heights = np.concatenate([np.asarray(trace.y, float) for trace in traces])
    lowest, highest, until = np.nanmin(heights), np.nanmax(heights), max(name[0] for name in names)
    edge = 0.1 * max(highest - lowest, 0.2)
    return base(
        traces,
        f"{wording.count(count[end], 'seed')}: {mean[end]:.2f}"
        + (f" ± {spread[end]:.2f} %" if sure else " %"),
        margin={"l": 56, "r": 92, "t": 32, "b": 44},
        xaxis={"title": {"text": "epoch", "standoff": 4}, "dtick": max(1, -(-until // 10)),
               "range": [1 - 0.03 * until, until * 1.02], "zeroline": False},
        yaxis={"title": {"text": "accuracy (%)"}, "zeroline": False,
               "range": [lowest - edge, highest + edge]},
        annotations=_at_ends(names, 0.8 * edge),
    )  # fmt: skip


def _at_ends(names: list[tuple[float, float, str, str]], apart: float) -> list[dict]:
    """Write names (x, y, text, colour) beside the lines' ends, at least so far apart in height."""
    names = sorted(names, key=lambda name: name[1])
    wanted = [name[1] for name in names]
    heights = np.array(wanted)
    for n in range(1, len(names)):
        heights[n] = max(heights[n], heights[n - 1] + apart)
    heights -= np.mean(heights - wanted)
    return [
        {"x": x, "y": height, "text": text, "showarrow": False, "xanchor": "left", "xshift": 6,
         "font": {"size": 14, "color": color}}
        for (x, _, text, color), height in zip(names, heights, strict=True)
    ]  # fmt: skip
