"""How much distortion one's own digit, and 1,000 test digits, stand."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core import draw_figures, robustness, runs, wording
from mnist_core.distortions import DISTORTIONS, Distortion
from mnist_core.ui import draw_view, resources
from mnist_core.ui.chart import chart
from mnist_core.ui.curves_view import COLORS
from mnist_core.ui.digit_grid import digit_grid
from mnist_core.ui.draw_view import Network
from mnist_core.ui.sheet import Sheet
from mnist_core.ui.side_by_side_view import ticked_runs

POLL_SECONDS = 0.4
MOST_RUNS = 4


def robustness_view(found: Sheet | None, playing: Network | None) -> None:
    """Draw nine sliders' choice, the distorted digit and its reading, and the runs' curves."""
    if playing is None:
        return
    state = st.session_state
    names = {key: each.title for key, each in DISTORTIONS.items()}
    state["distortion"] = state.get("distortion") or next(iter(names))
    st.pills("Distortion", list(names), format_func=names.get, key="distortion",
             required=True, label_visibility="collapsed", persist_state="session")  # fmt: skip
    chosen = DISTORTIONS[state["distortion"]]
    digit, curve = st.columns([2, 5], gap="medium")
    with digit:
        level = _slider(chosen)
        _own_digit(found, playing)
    with curve:
        others = ticked_runs("robust_runs", "Beside the current run", MOST_RUNS - 1)
        asked = [(playing.run, playing.moment), *((one, one.final) for one in others)]
        _curves(chosen, level, asked)


def _levels() -> dict[str, float]:
    """Return the level of each distortion that is not neutral, which people set."""
    return st.session_state.setdefault("distortion_levels", {})


def _slider(chosen: Distortion) -> float:
    key, levels = f"level_{chosen.key}", _levels()
    st.session_state[key] = levels.get(chosen.key, float(chosen.neutral))
    low, high = float(chosen.levels[0]), float(chosen.levels[-1])

    def moved() -> None:
        level = round(st.session_state[key], 6)
        if abs(level - chosen.neutral) < 1e-6:  # steps that are no whole numbers
            levels.pop(chosen.key, None)
        else:
            levels[chosen.key] = level

    return st.slider(f"{chosen.title} ({chosen.unit})", low, high, step=(high - low) / 48,
                     key=key, on_change=moved, format="%.3g")  # fmt: skip


def _own_digit(found: Sheet | None, playing: Network) -> None:
    """Draw one's digit with all that is set, one after the other, and how it is read then."""
    if found is None or found.blank:
        st.info("Draw a digit at the left to distort it.")
        return
    changed, said = found.digit[None], []
    for name, level in _levels().items():
        distortion = DISTORTIONS[name]
        if level != distortion.neutral:
            changed = distortion.apply(changed, level)
            said.append(f"{distortion.title.lower()} {level:.3g}")
    draw_view.has_digit(found, playing)  # says what is switched off
    digit_grid(changed, cell=168, key="distorted", label="Your digit, distorted")
    probabilities = playing.probabilities(changed.astype(np.float32) / 255)[0]
    answer = int(probabilities.argmax())
    st.markdown(f"Read as **{answer}**, {wording.percent(probabilities[answer], 1)} sure")
    if said:
        st.caption(", then ".join(said))
        st.button("Undo all", key="undo_distortions", on_click=_levels().clear)


def _curves(chosen: Distortion, level: float, asked: list[tuple[runs.Run, float]]) -> None:
    """Draw what is measured of the runs, and offer to measure the rest."""
    state = st.session_state
    wanted = state.setdefault("robustness_wanted", set())
    missing = {run.id: robustness.missing(run, moment, chosen.key) for run, moment in asked}
    open_ = [(run, moment) for run, moment in asked if missing[run.id]]
    key = (chosen.key, *((run.id, moment) for run, moment in asked))

    @st.fragment(run_every=POLL_SECONDS if open_ and key in wanted else None)
    def draw() -> None:
        if open_ and key in wanted:
            try:
                _measure(chosen, open_)
            except runs.RunsError as error:  # until it is asked for again
                wanted.discard(key)
                state["robustness_problem"] = key, str(error)
                st.rerun(scope="app")
        curves = [
            (run.title, color, robustness.curve(run, moment, chosen.key))
            for (run, moment), color in zip(asked, (draw_figures.FIRST_RUN, *COLORS), strict=False)
        ]
        drawn = [each for each in curves if len(each[2])]
        figure = draw_figures.robustness(
            drawn, chosen.levels, f"{chosen.title.lower()} ({chosen.unit})", level
        )
        chart(figure, key="robustness_curve", height=300)

    draw()
    if open_ and key not in wanted:
        problem_of, problem = state.get("robustness_problem", (None, ""))
        if problem_of == key:
            st.error(wording.verbatim(problem))
        st.button(
            f"Measure on {robustness.SAMPLE:,} test digits", icon=":material/play_arrow:",
            key="measure", on_click=wanted.add, args=(key,),
            help="Takes some seconds a run, and is kept with the run",
        )  # fmt: skip


def _measure(chosen: Distortion, open_: list[tuple[runs.Run, float]]) -> None:
    """Have the next level measured; when nothing is left, draw all anew. Raises RunsError."""
    left = 0
    for run, moment in open_:
        left += resources.measure_robustness(run, moment, chosen.key)
    total = len(open_) * len(chosen.levels)
    if not left:
        st.rerun(scope="app")
    st.progress(1 - left / total, text=f"{total - left} of {total} levels measured")
