"""What a training shows -> plotly Figure: pure functions in the look of figures.py."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mnist_core import paper, wording
from mnist_core.confusion_figures import DIAGONAL
from mnist_core.figures import (
    BACKGROUND,
    DIGITS,
    FONT_SIZE,
    MAX_POINTS,
    PAPER,
    TRAINING,
    VALIDATION,
    WRONG,
    base,
    mark_moment,
)

SYMBOLS = "diamond triangle-up triangle-down x cross".split()  # one for each run behind
MOST_SMOOTHING = 0.95
LEGEND = {  # two columns below the plot
    "orientation": "h", "x": 0.5, "xref": "container", "xanchor": "center",
    "y": 0, "yref": "container", "yanchor": "bottom",
    "font": {"size": 14}, "entrywidthmode": "fraction", "entrywidth": 0.5,
}  # fmt: skip
LONGEST = 16  # letters of a name in the legend, for a phone
RATE_ROWS, LETTERS = 2, 32  # of labels above the plot: rows, and letters in a phone's row
# The ends that an axis may have: it takes the next one only when a value does not fit.
TOPS = {"error": (3, 6, 12, 25, 50, 100), "loss": (0.02, 0.06, 0.15, 0.3, 0.6, 1.2, 2.5, 5)}
LOG_TOPS = {"error": (5, 20, 100), "loss": (0.05, 0.5, 5)}
LOG_BOTTOMS = {"error": (0.5, 0.1, 0.02), "loss": (0.02, 0.005, 0.001, 0.0001)}
TYPICAL = {"accuracy": 95.0, "error": 5.0, "loss": 0.5}  # before anything is known


def learning_curves(
    metrics: pd.DataFrame,
    quantity: str,
    planned_epochs: int,
    *,
    behind: Sequence[tuple[str, str, pd.DataFrame]] = (),
    with_paper: bool = False,
    cursor: float | None = None,
    validation_name: str = "validation",
    loss_name: str = "cross-entropy",
    smoothing: float = 0.0,
    log: bool = False,
    gap_from: float | None = None,
) -> go.Figure:
    """Draw accuracy, error or loss against epochs from a run's metrics (runs.METRICS).

    Training: the running mean within each epoch (thin; its end, a ring, is what Keras and the paper
    print) and the value after the epoch (square). Validation: thick. The x axis ends at the
    planned epochs, or for long runs at a round number before; `cursor` marks an epoch.

    `behind` are up to five earlier runs (name, colour, metrics), of which the validation is drawn.
    `smoothing`, 0 to 0.95, averages the running mean over its past as TensorBoard does. `log` is
    for error and loss: what is below the axis, such as 0, stands at its lower end. From epoch
    `gap_from` on the training overfits. Dotted lines: there a person set the learning rate.
    """
    if len(behind) > len(SYMBOLS):
        raise ValueError(f"Expected at most {len(SYMBOLS)} runs behind. Received: {len(behind)}.")
    if not 0 <= smoothing <= MOST_SMOOTHING:
        raise ValueError(f"Expected a smoothing from 0 to {MOST_SMOOTHING}. Received: {smoothing}.")
    log = log and quantity != "accuracy"
    running = _running(metrics[metrics["kind"] == "step"], quantity, smoothing)
    epochs = metrics[metrics["kind"] == "epoch"]
    ends = epochs[epochs["epoch"] > 0]
    earlier = [(name, color, rows[rows["kind"] == "epoch"]) for name, color, rows in behind]
    measured = [_of(ends, quantity, which) for which in ("", "sample_", "val_")]
    measured += [_of(rows[rows["epoch"] > 0], quantity, "val_") for _, _, rows in earlier]
    bottom, top = _value_range(running, pd.concat(measured), quantity, log)
    until = _last_epoch(metrics, planned_epochs)
    dot = 10 if until <= 25 else 4  # px; larger ones would hide the lines of many epochs
    number = "%{customdata:.4f}" if quantity == "loss" else "%{customdata:.2f} %"

    def trace(rows: pd.DataFrame, values: pd.Series, name: str, mode: str, said="", **style):
        true = values.to_numpy(float)
        return go.Scatter(
            x=rows["epoch"].to_numpy(float), y=np.maximum(true, bottom) if log else true,
            customdata=true, name=name, mode=mode, meta=said or name,
            hovertemplate=f"epoch %{{x:.2f}}: %{{meta}} {number}<extra></extra>", **style,
        )  # fmt: skip

    traces = [
        trace(rows, _of(rows, quantity, "val_"), _short(name), "lines+markers",
              html.escape(name, quote=False), line={"color": color, "width": 2},
              marker={"symbol": symbol, "size": 0.7 * dot}, legendrank=1001)
        for symbol, (name, color, rows) in zip(SYMBOLS, earlier, strict=False) if len(rows)
    ]  # fmt: skip
    thin = {"color": TRAINING, "width": 2}
    if smoothing:
        traces.append(trace(running, running["raw"], "training, not smoothed", "lines", line=thin,
                            opacity=0.35, showlegend=False))  # fmt: skip
    traces += [
        trace(running, running["smooth"], "training, mean ○", "lines", "training, running mean",
              line=thin),
        trace(ends, _of(ends, quantity), "training, mean of the epoch", "markers", showlegend=False,
              marker={"symbol": "circle-open", "size": 0.9 * dot, "color": TRAINING,
                      "line": {"width": 2}}),
        trace(epochs, _of(epochs, quantity, "sample_"), "training, after", "lines+markers",
              "training, after the epoch", line=thin | {"dash": "dot"},
              marker={"symbol": "square", "size": 0.8 * dot}),
        trace(epochs, _of(epochs, quantity, "val_"), _short(validation_name), "lines+markers",
              validation_name, line={"color": VALIDATION, "width": 4}, marker={"size": dot}),
    ]  # fmt: skip
    if with_paper:
        told = paper.EPOCHS.reset_index()
        traces.append(trace(told, _of(told, quantity, "val_"), "the paper", "lines",
                            "the paper, validation",
                            line={"color": PAPER, "width": 2, "dash": "dash"}))  # fmt: skip
    shapes, notes, rows = _set_by_hand(metrics[metrics["kind"] == "rate"], until)
    if gap_from is not None:
        shape, note = _gap(gap_from, until, "bottom" if quantity == "accuracy" else "top")
        shapes, notes = [*shapes, shape], [*notes, note]
    title = f"loss ({loss_name})" if quantity == "loss" else f"{quantity} (%)"
    small = {"size": FONT_SIZE}
    figure = base(
        traces, "", showlegend=True, legend=LEGEND, shapes=shapes, annotations=notes,
        margin={"l": 52, "r": 8, "t": 8 + 20 * rows, "b": 40},
        xaxis={"title": {"text": "epoch", "standoff": 4, "font": small}, "zeroline": False,
               "range": [0, until * 1.02], "dtick": max(1, -(-until // 10))},
        yaxis={"title": {"text": title, "font": small}} | _value_axis(bottom, top, log),
    )  # fmt: skip
    return mark_moment(figure, cursor)


def _of(rows: pd.DataFrame, quantity: str, which: str = "") -> pd.Series:
    """Return a quantity in the unit of its axis; `which` is "", "sample_" or "val_"."""
    if quantity == "loss":
        values = rows[which + "loss"].astype(float)
    else:
        accuracy = rows[which + "accuracy"].astype(float) * 100
        values = accuracy if quantity == "accuracy" else 100 - accuracy
    return values.where(np.isfinite(values))


def _running(steps: pd.DataFrame, quantity: str, smoothing: float) -> pd.DataFrame:
    """Return epoch, raw and smooth of the running mean, which starts anew with each epoch.

    At most MAX_POINTS rows, the last one among them, and an empty one between epochs.
    """
    rows = pd.DataFrame({"epoch": steps["epoch"], "raw": _of(steps, quantity)})
    rows["smooth"] = _smoothed(rows["raw"], np.ceil(rows["epoch"]), smoothing)
    if len(rows) > MAX_POINTS:
        rows = rows.iloc[np.unique(np.linspace(0, len(rows) - 1, MAX_POINTS).round().astype(int))]
    starts = rows["epoch"][np.ceil(rows["epoch"]).diff().gt(0)]
    return pd.concat([rows, pd.DataFrame({"epoch": starts - 1e-9})]).sort_values("epoch")


def _smoothed(values: pd.Series, epochs: pd.Series, smoothing: float) -> list[float]:
    """Return the mean of each value and those before it in its epoch; NaN does not count.

    Going back from a value, the weights are 1, s, s², …, divided by their sum.
    """
    smooth, before, total, weight = [], None, 0.0, 0.0
    for value, epoch in zip(values, epochs, strict=True):
        if epoch != before:
            before, total, weight = epoch, 0.0, 0.0
        if np.isfinite(value):
            total, weight = smoothing * total + value, smoothing * weight + 1
        smooth.append(total / weight if np.isfinite(value) else np.nan)
    return smooth


def _last_epoch(metrics: pd.DataFrame, planned: int) -> int:
    """Return where the axis ends: at the plan, or, far from it, at one of a few round numbers."""
    reached = float(metrics["epoch"].max()) if len(metrics) else 0.0
    round_numbers = (end for end in (10, 25, 50, 100, 250) if reached <= end <= planned / 2)
    return next(round_numbers, planned)


def _value_range(
    running: pd.DataFrame, measured: pd.Series, quantity: str, log: bool
) -> tuple[float, float]:
    """Return one of a few fixed ranges, so that the axis holds still while the run lives.

    In the first epoch it follows the running mean; later it only grows.
    """
    later = running["raw"][running["epoch"] > 1].dropna()
    seen = pd.concat([later if len(later) else running["raw"].dropna().tail(1), measured]).dropna()
    lowest, highest = (seen.min(), seen.max()) if len(seen) else (TYPICAL[quantity],) * 2
    if quantity == "accuracy":
        return (90 if lowest >= 92 else 80 if lowest >= 82 else 0), 100.5
    tops = (LOG_TOPS if log else TOPS)[quantity]
    top = next((end for end in tops if highest <= end), highest * 1.05)
    if not log:
        return 0, top
    bottoms, above = LOG_BOTTOMS[quantity], measured[measured > 0].min()
    return next((end for end in bottoms if not above < end), bottoms[-1]), top


def _value_axis(bottom: float, top: float, log: bool) -> dict:
    """Return an axis over this range; a logarithmic one has ticks at 1, 2, 5, 10, or at 1, 10."""
    if not log:
        return {"range": [bottom, top], "zeroline": False}
    steps = (1, 2, 5) if top <= 1000 * bottom else (1,)
    ticks = [step * 10.0**power for power in range(-6, 7) for step in steps]
    return {"type": "log", "range": [np.log10(bottom), np.log10(top)], "tickvals": ticks,
            "ticktext": [f"{tick:,.6g}" for tick in ticks]}  # fmt: skip


def _short(name: str, longest: int = LONGEST) -> str:
    """Return a name that finds room, as text and not as HTML."""
    return html.escape(name if len(name) <= longest else name[: longest - 1] + "…", quote=False)


def _set_by_hand(events: pd.DataFrame, until: float) -> tuple[list[dict], list[dict], int]:
    """Return lines where a person set the rate, labels above the plot, and their rows.

    The newest has its label first; one that finds no room has none.
    """
    lines, labels = [], []
    reached = [np.inf] * RATE_ROWS  # how far to the left the labels of each row come, in epochs
    for epoch, rate in zip(events["epoch"][::-1], events["learning_rate"][::-1], strict=True):
        lines.append({"type": "line", "x0": epoch, "x1": epoch, "yref": "paper", "y0": 0, "y1": 1,
                      "line": {"color": TRAINING, "width": 2, "dash": "dot"}})  # fmt: skip
        text = f"rate {rate:.3g}"
        width = until * len(text) / LETTERS
        side = "left" if epoch < width / 2 else "right" if epoch > until - width / 2 else "center"
        left = epoch - width * {"left": 0, "center": 0.5, "right": 1}[side]
        row = next((row for row, end in enumerate(reached) if left + width <= end), None)
        if row is not None:
            reached[row] = left
            labels.append({"x": epoch, "xanchor": side, "yref": "paper", "y": 1, "text": text,
                           "yanchor": "bottom", "yshift": 18 * row, "showarrow": False,
                           "font": {"size": 14}})  # fmt: skip
    return lines, labels, int(np.isfinite(reached).sum())


def _gap(gap_from: float, until: float, free: str) -> tuple[dict, dict]:
    """Return a shade over the epochs from `gap_from` on, and words at its "top" or "bottom"."""
    late = gap_from > until / 2  # then the words stand before it
    shade = {"type": "rect", "x0": gap_from, "x1": max(until * 1.02, gap_from), "yref": "paper",
             "y0": 0, "y1": 1, "fillcolor": WRONG, "opacity": 0.12, "line": {"width": 0},
             "layer": "below"}  # fmt: skip
    words = {"x": gap_from, "xanchor": "right" if late else "left", "yref": "paper",
             "y": float(free == "top"), "yanchor": free, "showarrow": False, "borderpad": 2,
             "text": "gap opens →" if late else "gap opens", "font": {"size": 14}}  # fmt: skip
    return shade, words


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
               "ticktext": [_short(name, 18) for name in names], "tickfont": {"size": 14}},
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
