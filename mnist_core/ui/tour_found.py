"""What the walk finds in the runs that are there now."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

import streamlit as st

from mnist_core import findings, found, runs
from mnist_core.findings import Finding
from mnist_core.tour import Claim, Stop
from mnist_core.ui import frame, resources


def gathered(steps: Iterable[Stop]) -> found.Found:
    """Return the figures of the data, of all runs, and of the one played at the cursor's epoch.

    What the played network answers to the test set is left out where these steps do not need it.
    """
    dataset, run, moment = resources.dataset(), frame.current_run(), frame.current_moment()
    evaluation = None
    asked = {claim.finding for step in steps for claim in step.claims}
    if moment is not None and "on_the_test_set" in asked:
        with contextlib.suppress(runs.RunsError):  # its own screens say why
            evaluation = resources.evaluation(run, moment)
    pixels = _pixels(dataset.fingerprint, dataset)
    return found.gather(dataset, frame.all_runs(), run, evaluation, pixels)


@st.cache_resource(show_spinner=False, max_entries=2)
def _pixels(fingerprint: str, _dataset) -> tuple[int, int]:
    return int(_dataset.train.images.min()), int(_dataset.train.images.max())


def finding(claim: Claim, told: found.Found) -> Finding | None:
    """Return what was found about a claim, or None where there is nothing to repeat."""
    return getattr(findings, claim.finding)(told) if claim.finding else None
