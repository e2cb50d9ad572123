"""The network itself while it learns: its answers, its confusions, and its layers from inside."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from mnist_core import over_time_figures, runs, studio_figures, watching, weights, wording
from mnist_core.evaluation import Evaluation
from mnist_core.ui import resources
from mnist_core.ui.chart import chart
from mnist_core.ui.digit_grid import digit_grid

WATCHED = 20  # test digits whose answers are followed
UNITS = 30  # of the first layer
HEIGHT = 290


@dataclass(frozen=True, eq=False)
class Glance:
    """A network at a moment: what it says of the first test images, and what its layers hold."""

    run: runs.Run
    moment: float
    evaluation: Evaluation
    live: watching.Live | None = None

    @property
    def first_layer(self) -> np.ndarray | None:
        """The first layer's weights as images, float32 (U, h, w); None: they cannot be read."""
        if self.live is not None:
            with contextlib.suppress(runs.RunsError):  # they are no numbers: it diverges
                return weights.as_images(self.live.kernel)
            return None
        # Of a running run the last weights may be about to be written.
        before = [each for each in reversed(self.run.moments) if each < self.moment]
        for moment in [self.moment, *before][:2]:
            with contextlib.suppress(runs.RunsError):
                return weights.first_layer(self.run, moment)
        return None

    @property
    def layers(self) -> list[dict[str, Any]]:
        """The histograms of every layer: watching.layer_lines()."""
        if self.live is not None:
            return self.live.layers
        return watching.layers_at(self.run, self.moment)


def glance(run: runs.Run, moment: float | None) -> Glance | None:
    """Return a run as it is now, where it trains, else as it was at the moment; None: not yet.

    Raises RunsError where what was recorded cannot be read.
    """
    live = watching.read_live(run) if run.state == "running" else None
    if live is not None and (not run.moments or live.epoch > run.moments[-1]):
        labels = resources.dataset_of(run).test.labels[: len(live.logits)]
        return Glance(run, live.epoch, Evaluation(labels, live.logits), live)
    if run.state == "running" and run.moments:
        moment = run.moments[-1]
    return None if moment is None else Glance(run, moment, resources.evaluation(run, moment))


def watched_digits(seen: Glance) -> None:
    """Show twenty test digits, green or red."""
    images = resources.dataset_of(seen.run).test.images
    right = seen.evaluation.right[:WATCHED]
    when = (
        "before training"
        if seen.moment == 0
        else f"at epoch {wording.epoch(round(seen.moment, 1))}"
    )
    st.caption(f"The first {len(right)} test digits {when}: {int(right.sum())} right")
    answers = zip(seen.evaluation.labels, seen.evaluation.predicted, right, strict=False)
    digit_grid(
        images[: len(right)],
        captions=[f"a {label} read as {answer}" for label, answer, _ in answers],
        marks=["right" if is_right else "wrong" for is_right in right],
        label="Twenty test digits",
        cell=40,
        columns=5,
        key="watched_digits",
    )


def inside(seen: Glance) -> None:
    """Draw the confusions, the first layer, and the spread of weights and gradients."""
    confusions, first, spread = st.columns(3, gap="medium")
    with confusions:
        tested = wording.count(len(seen.evaluation.labels), "test digit")
        chart(
            studio_figures.live_confusion(seen.evaluation.row_shares),
            key="live_confusion",
            height=HEIGHT,
        )
        st.caption(f"Row: the digit, column: what it is read as. Of {tested}.")
    with first:
        units = seen.first_layer
        if units is None:
            st.caption("The weights of this epoch cannot be read.")
        else:
            chart(
                over_time_figures.first_layer(units[:UNITS], len(units)),
                key="live_first_layer",
                height=HEIGHT,
            )
            st.caption("Ink on blue raises a unit's sum, ink on red lowers it.")
    with spread:
        layers = seen.layers
        if not layers:
            st.caption("How weights and gradients are spread was not recorded in this run.")
            return
        quantity = st.session_state.get("spread_of") or "weights"
        chart(
            studio_figures.layer_histograms(layers, quantity),
            key="layer_histograms",
            height=HEIGHT,
        )
        st.segmented_control(
            "Spread of", ["weights", "gradients"], default="weights", required=True,
            key="spread_of", label_visibility="collapsed", persist_state="session",
        )  # fmt: skip
