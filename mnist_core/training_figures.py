"""What a training shows -> plotly Figure: pure functions in the look of figures.py."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mnist_core import paper
from mnist_core.figures import (
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
        trace(rows, _of(rows, quantity, "val_"), short(name), "lines+markers",
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
        trace(epochs, _of(epochs, quantity, "val_"), short(validation_name), "lines+markers",
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


def short(name: str, longest: int = LONGEST) -> str:
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
