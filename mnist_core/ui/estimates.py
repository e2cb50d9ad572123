"""How long trainings will take here, from what was measured on this machine."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from mnist_core import runs, timing, wording
from mnist_core.config import TrainConfig
from mnist_core.presets import preset
from mnist_core.ui import resources

MOST = 30  # runs that are looked at


def expected(config: TrainConfig) -> timing.Estimate:
    """Return how long a training of the form would take."""
    images = config.training_images(len(resources.dataset().train))
    return timing.expected(config, images, measured(runs.list_runs()))


def measured(found: Sequence[runs.Run]) -> list[tuple[TrainConfig, float]]:
    """Return (config, images a second) of the runs of this machine, newest first."""
    told = [(run.config, run.status.get("images_per_second")) for run in found[:MOST]]
    speeds = [(config, float(speed)) for config, speed in told if speed]
    warm = runs.warm_speed(runs.runs_folder())
    return [*speeds, *([(preset("paper"), warm)] if warm else [])]


def seconds_left(run: runs.Run, found: Sequence[runs.Run]) -> float:
    """Return how long a run will still train."""
    known = run.steps_per_epoch * run.config.batch_size
    images = known or run.config.training_images(len(resources.dataset().train))
    whole = timing.expected(run.config, images, measured(found)).seconds
    return whole * (run.planned_epochs - run.position) / run.config.epochs


def starts(
    running: Sequence[runs.Run], waiting: Sequence[runs.Run], found: Sequence[runs.Run]
) -> dict[str, float]:
    """Return in how many seconds each waiting run will start: one after the other."""
    ahead = sum(seconds_left(run, found) for run in running)
    begins = {}
    for run in waiting:
        begins[run.id] = ahead
        ahead += seconds_left(run, found)
    return begins


def line(config: TrainConfig) -> None:
    """Say how long it will take, as an estimate."""
    about = expected(config)
    st.caption(f"Takes about {wording.duration(about.seconds)}: {about.basis}.")
