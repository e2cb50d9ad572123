"""Reproduce the paper: its training with one, three or ten seeds, beside what it reports."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from mnist_core import paper, reproduction, runs, studio_figures, wording
from mnist_core.data import MNIST_FINGERPRINT
from mnist_core.presets import preset
from mnist_core.ui import drive, resources
from mnist_core.ui.chart import chart

SEEDS = (1, 3, 10)
POLL_SECONDS = 1.0


def paper_view() -> None:
    """Draw the buttons, the band over the seeds, the table and the verdict."""
    found = _of_paper()
    active = any(run.active for run in found.values())

    @st.fragment(run_every=POLL_SECONDS if active else None)
    def draw() -> None:
        _draw(_of_paper(), active)

    draw()


def _of_paper() -> dict[int, runs.Run]:
    """Return the newest run of the paper's training for each seed, on the app's data."""
    data = resources.dataset().fingerprint
    found: dict[int, runs.Run] = {}
    for run in runs.list_runs():
        ours = run.config.as_in_paper and run.dataset.get("fingerprint") == data
        seed = run.config.seed
        untouched = run.control["learning_rate"] is None and not run.control["epochs"]
        if ours and untouched and (run.active or run.state == "completed") and seed in range(1, 11):
            found.setdefault(seed, run)
    return found


def _draw(found: dict[int, runs.Run], was_active: bool) -> None:
    complete = {seed: run for seed, run in sorted(found.items()) if run.state == "completed"}
    waiting = [seed for seed, run in sorted(found.items()) if run.active]
    if was_active != bool(waiting):
        st.rerun()  # for the frame, and to begin or to stop asking
    with st.container(horizontal=True, vertical_alignment="center", key="paper_buttons"):
        for count in SEEDS:
            missing = [seed for seed in range(1, count + 1) if seed not in found]
            st.button(
                f"Train {wording.count(count, 'seed')}",
                key=f"paper_{count}",
                type="primary" if count == 3 else "secondary",
                icon=":material/play_arrow:",
                disabled=not missing,
                help=None if missing else "Each of these seeds is trained, or waits for it.",
                on_click=drive.press,
                args=(_start, count),
            )
        st.caption(_progress(complete, waiting))
    drive.press_problem()
    if not complete:
        st.info(
            "The paper trained once. **Train 3 seeds** repeats its training with three other "
            "draws of the first weights and of the order of the images, to see how much is chance."
        )
        return
    told = [(seed, run.epochs) for seed, run in complete.items()]
    left, right = st.columns([3, 2], gap="large")
    with left:
        chart(studio_figures.seeds_band(told), key="seeds_band", height=400)
    with right:
        last = [float(epochs["val_accuracy"].iloc[-1]) for _, epochs in told]
        if resources.dataset().fingerprint == MNIST_FINGERPRINT:
            st.markdown(f"**{reproduction.verdict(last).text}**")
        else:
            st.info(
                f"These runs were trained on {wording.verbatim(resources.dataset().name)}, not on "
                "the paper's MNIST: its figures stand beside them, but are no measure for them."
            )
        st.dataframe(_table(told), height="content")
        st.caption(
            f"Mean over {wording.count(len(told), 'seed')}, ± one standard deviation. The paper "
            f"counts {paper.ERRORS} errors in 10,000; that many images alone leave about ±0.29 "
            "points uncertain (95 %)."
        )


def _progress(complete: dict, waiting: list[int]) -> str:
    done = f"{wording.count(len(complete), 'seed')} trained"
    return f"{done}, {len(waiting)} to come" if waiting else done


def _start(count: int) -> None:
    """Queue what is missing of the first seeds now: another viewer may have pressed, too."""
    found = _of_paper()
    for seed in range(1, count + 1):
        if seed not in found:
            resources.start_training(replace(preset("paper"), seed=seed))


def _table(told: list) -> pd.DataFrame:
    """Return the paper's table beside ours, as the screens write numbers."""
    rows = reproduction.beside(told)
    names = {"accuracy": wording.percent, "loss": wording.loss}
    columns = {}
    for name, title in {
        "val_accuracy": "test accuracy",
        "val_loss": "test loss",
        "accuracy": "training accuracy",
        "loss": "training loss",
    }.items():
        write = names[name.removeprefix("val_")]
        columns[title, "paper"] = rows[name, "paper"].map(write)
        columns[title, "here"] = [
            write(mean) + ("" if pd.isna(spread) else f" ± {_spread(spread, name)}")
            for mean, spread in zip(rows[name, "mean"], rows[name, "sd"], strict=True)
        ]
    return pd.DataFrame(columns)


def _spread(value: float, name: str) -> str:
    return f"{100 * value:.2f}" if name.endswith("accuracy") else f"{value:.4f}"
