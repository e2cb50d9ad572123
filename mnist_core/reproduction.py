"""Does the paper's accuracy fit runs of other seeds? Its figures beside ours, and a verdict."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import pandas as pd

from mnist_core import paper, wording

REPORTED = float(paper.EPOCHS["val_accuracy"].iloc[-1])
ENOUGH = 3  # runs; the interval of two is 31 standard deviations wide, that of three 10
QUANTITIES = list(paper.EPOCHS.columns)


def student_quantile(share: float, freedom: int) -> float:
    """Return the t below which `share` (0.5 to 1) of Student's t distribution lies.

    `freedom` is its degrees of freedom, 1 or more. Bisection of the closed form of the
    distribution, M. Abramowitz & I. A. Stegun (1964), formulas 26.7.3 and 26.7.4. Raises ValueError
    for other values.
    """
    if not 0.5 <= share < 1 or freedom < 1:
        raise ValueError(
            "Expected a share from 0.5 to below 1 and 1 or more degrees of freedom. "
            f"Received: {share} and {freedom}."
        )
    low, high = 0.0, math.pi / 2  # of the angle, whose tangent is t / sqrt(freedom)
    for _ in range(60):
        middle = (low + high) / 2
        if (1 + _within(middle, freedom)) / 2 < share:
            low = middle
        else:
            high = middle
    return math.sqrt(freedom) * math.tan(low)


def _within(angle: float, freedom: int) -> float:
    """Return the share of the distribution between −t and t = sqrt(freedom) · tan(angle)."""
    odd = freedom % 2
    cosine = math.cos(angle)
    term = cosine if odd else 1.0
    total = 0.0
    for k in range(1 + odd, freedom, 2):  # the powers of the cosine, up to freedom − 2
        total += term
        term *= cosine * cosine * k / (k + 1)
    if odd:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total


def prediction_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """Return the interval that holds the value of one more run with a certainty of `level`.

    mean ± t · s · sqrt(1 + 1/n), t of n − 1 degrees of freedom, for n >= 2 independent runs whose
    values are normally distributed (G. J. Hahn & W. Q. Meeker 1991, "Statistical Intervals").
    Raises ValueError for fewer values, or such that are not finite.
    """
    n = len(values)
    if n < 2 or not all(map(math.isfinite, values)):
        raise ValueError(f"Expected 2 or more finite values. Received: {list(values)}.")
    middle = fmean(values)
    half = student_quantile((1 + level) / 2, n - 1) * stdev(values) * math.sqrt(1 + 1 / n)
    return middle - half, middle + half


@dataclass(frozen=True)
class Verdict:
    """Whether our runs agree with the paper's accuracy; None: that cannot be told. In words, too.

    `interval` is the 95 % prediction interval, within 0 to 1, rounded as the paper's figure is.
    """

    agrees: bool | None
    interval: tuple[float, float] | None
    text: str


def verdict(values: Sequence[float]) -> Verdict:
    """Return whether the paper's 97.81 % fits the test accuracies (0 to 1) of runs of other seeds.

    What is written is what is compared: both ends, like the paper's figure, rounded to 0.01 %.
    Raises ValueError for values that are not finite.
    """
    reported, count = wording.percent(REPORTED), len(values)
    if count < ENOUGH:
        told = ("Nothing is trained yet", "One run says nothing about the spread",
                "Two runs say too little about the spread")[count]  # fmt: skip
        return Verdict(None, None, f"{told}: train at least three seeds.")
    low, high = (round(min(1.0, max(0.0, end)), 4) for end in prediction_interval(values))
    if stdev(values) == 0:
        same = wording.percent(values[0])
        return Verdict(
            None, None,
            f"All {count} runs have {same}, the paper {reported}: without a spread there is "
            "nothing to measure the difference by. Train more seeds.",
        )  # fmt: skip
    where = "inside" if low <= REPORTED <= high else "above" if high < REPORTED else "below"
    judged = {
        "inside": "these runs agree with the paper.",
        "above": "the paper's accuracy is higher than other seeds alone make likely.",
        "below": "the paper's accuracy is lower than other seeds alone make likely.",
    }
    return Verdict(
        where == "inside",
        (low, high),
        f"{reported} lies {where} {100 * low:.2f} – {100 * high:.2f} %, the prediction interval of "
        f"{count} runs, in which one more run falls 95 times in 100: {judged[where]}",
    )


def beside(runs: Iterable[tuple[int, pd.DataFrame]]) -> pd.DataFrame:
    """Return the paper's figures beside ours, a row for each of its epochs, 1 to 5.

    `runs` are seeds with the figures of their epochs: index epoch, columns loss, accuracy, val_loss
    and val_accuracy; a seed that comes again is left out, being the same run. The columns are
    (quantity, "paper"), (quantity, "mean"), (quantity, "sd"): the standard deviation with n − 1,
    NaN for one run. What no run has is NaN.
    """
    ours: dict[int, pd.DataFrame] = {}
    for seed, epochs in runs:
        whole = epochs[~epochs.index.duplicated()]
        ours.setdefault(seed, whole.reindex(index=paper.EPOCHS.index, columns=QUANTITIES))
    columns = {}
    for name in QUANTITIES:
        of_runs = pd.DataFrame({seed: table[name] for seed, table in ours.items()}, dtype=float)
        of_runs = of_runs.reindex(paper.EPOCHS.index)
        columns[name, "paper"] = paper.EPOCHS[name]
        columns[name, "mean"] = of_runs.mean(axis=1)
        columns[name, "sd"] = of_runs.std(axis=1)
    return pd.DataFrame(columns)
