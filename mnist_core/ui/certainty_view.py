"""How sure the network is, whether it may be, and what leaving the unsure digits unread gains."""

from __future__ import annotations

import streamlit as st

from mnist_core import calibration, evaluation_figures, wording
from mnist_core.ui.chart import chart
from mnist_core.ui.notices import Played

# Per cent, finer and finer towards 100, where most answers of a good network lie.
THRESHOLDS = (
    *(float(value) for value in (*range(0, 90, 5), *range(90, 99))),
    *(99 + step / 10 for step in range(9)),
    *(99.9 + step / 100 for step in range(9)),
    *(99.99 + step / 1000 for step in range(10)),
    100.0,
)
THRESHOLDS = tuple(round(value, 3) for value in THRESHOLDS)
TARGET = 0.999  # the accuracy that the sentence below the curve asks for


def certainty_view(playing: Played) -> None:
    """Draw accuracy against coverage with its threshold, the histogram, and the reliability."""
    evaluation = playing.evaluation
    covered = calibration.coverage(evaluation)
    bins = calibration.confidence_bins(evaluation, bins=10)
    picture, beside = st.columns([3, 2], gap="medium")
    with picture:
        place = st.container(key="coverage_picture")
        threshold = st.select_slider(
            "Read a digit only where the network is at least so sure (%)",
            THRESHOLDS,
            90.0,
            format_func=lambda value: f"{value:g}",
            key="threshold",
            bind="query-params",
        )
        with place:
            chart(
                evaluation_figures.coverage(covered, threshold / 100),
                key="coverage",
                height=310,
                on_click=_take_threshold,
            )
        st.caption(_in_words(covered, threshold / 100))
    with beside:
        chart(evaluation_figures.confidence_histogram(bins), key="histogram", height=205)
        chart(evaluation_figures.reliability(bins), key="reliability", height=205)
        st.caption(
            "Points on the dashed line: as often right as sure",
            help="Expected calibration error: the mean distance between how sure the network is "
            "and how often it is then right, over ten bins of confidence, each weighted by its "
            "digits (Guo et al. 2017). It is 0 where every point lies on the line.",
        )


def _take_threshold(point: dict) -> None:
    """Move the threshold to the clicked point of the curve, or the next below it."""
    if point["customdata"] is not None:
        reached = [value for value in THRESHOLDS if value <= float(point["customdata"])]
        st.session_state["threshold"] = max(reached)


def _in_words(covered: calibration.Coverage, threshold: float) -> str:
    read, right = covered.at(threshold)
    unread = wording.count(covered.total - read, "digit")
    here = f"{unread} of {covered.total:,} left unread"
    mistakes = wording.count(read - right, "mistake")
    here += f"; in the {read:,} read {mistakes}." if read else ": it is never so sure."
    enough = covered.threshold_for(TARGET)
    if enough is None:
        return f"{here} No threshold reaches {wording.percent(TARGET, 1)}."
    left = covered.total - covered.at(enough)[0]
    return (
        f"{here} To be right in {wording.percent(TARGET, 1)} of what it reads, it must leave "
        f"{wording.count(left, 'digit')} unread: threshold {wording.percent(enough)}."
    )
