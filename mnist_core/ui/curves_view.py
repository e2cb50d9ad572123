"""The two learning curves of a run, how they are drawn, and what they say in words."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from mnist_core import overfitting, runs, training_figures, wording
from mnist_core.figures import DIGIT_COLORS
from mnist_core.ui import frame
from mnist_core.ui.chart import chart

HEIGHT = 330
MOST_BEHIND = 5
BY_HEART = 0.15  # share of wrong labels repeated
# Far from the colours of training and validation.
COLORS = [DIGIT_COLORS[digit] for digit in (2, 4, 7, 5, 9)]


def options(run: runs.Run) -> None:
    """Draw how the curves are to be drawn."""
    with st.popover("Curves", icon=":material/show_chart:", key="curve_options"):
        _kept(
            st.segmented_control, "Show", "curve_quantity", options=["accuracy", "errors"],
            default="accuracy", required=True,
            help="errors: 100 % − accuracy. On a logarithmic axis they still show something where "
            "accuracy is close to 100 %.",
        )  # fmt: skip
        _kept(st.toggle, "Logarithmic axis", "curve_log", help="For errors and for the loss")
        _kept(
            st.slider, "Smoothing", "curve_smoothing", min_value=0.0, max_value=0.95, step=0.05,
            help="Each point of the thin curve becomes a mean over those before it; the curve "
            "itself stays behind it, pale",
        )  # fmt: skip
        if run.config.loss_name == "cross-entropy":
            _kept(st.toggle, "The paper's curve", "curve_paper", value=run.like_paper)
        others = frame.run_labels(
            [
                each
                for each in frame.all_runs()
                if each.id != run.id and not each.active and each.status.get("step")
            ]
        )
        known = [each for each in st.session_state.get("curve_behind", []) if each in others]
        st.session_state["curve_behind"] = known[:MOST_BEHIND]
        _kept(
            st.multiselect, "Earlier runs behind", "curve_behind", options=list(others),
            format_func=others.get, max_selections=MOST_BEHIND,
        )  # fmt: skip


def _kept(widget, label: str, key: str, **arguments):
    """Draw a widget that keeps its value, and whose change draws the curves above anew."""
    return widget(label, key=key, persist_state="session", on_change=frame.change_more, **arguments)


def _behind(run: runs.Run) -> list[tuple[str, str, pd.DataFrame]]:
    """Return name, colour and metrics of the runs to draw behind; a run keeps its colour."""
    asked = [each for each in st.session_state.get("curve_behind", []) if each != run.id]
    if run.parent and run.parent not in asked:
        asked = [run.parent, *asked][:MOST_BEHIND]
    colors = st.session_state.setdefault("run_colors", {})
    for gone in [each for each in colors if each not in asked]:
        del colors[gone]
    found = []
    for run_id in asked:
        free = next(color for color in COLORS if color not in colors.values() or run_id in colors)
        color = colors.setdefault(run_id, free)
        try:
            other = runs.read(run_id)
        except runs.RunsError:
            continue
        found.append((other.title, color, other.metrics))
    return found


def curves(run: runs.Run) -> None:
    """Draw accuracy (or errors) and loss, as the options say."""
    said = st.session_state
    errors = said.get("curve_quantity") == "errors"
    log = bool(said.get("curve_log"))
    gap = overfitting.gap(run.epochs)
    style = {
        "behind": _behind(run),
        "with_paper": said.get("curve_paper", run.like_paper)
        and run.config.loss_name == "cross-entropy",
        "cursor": None if run.active else frame.current_moment(),
        "validation_name": "validation" if run.config.validation_share else "test set",
        "loss_name": run.config.loss_name,
        "smoothing": said.get("curve_smoothing", 0.0),
        "gap_from": gap.opened,
    }
    left, right = st.columns(2)
    first = "error" if errors else "accuracy"
    for column, key, quantity in ((left, "accuracy", first), (right, "loss", "loss")):
        with column:
            figure = training_figures.learning_curves(
                run.metrics,
                quantity,
                run.planned_epochs,
                log=log and quantity != "accuracy",
                **style,
            )
            chart(figure, key=f"curve_{key}", height=HEIGHT)
    st.markdown("  \n".join(_words(run, gap)) or "\u00a0")


def _words(run: runs.Run, gap) -> list[str]:
    """Return what is to be said below the curves, a sentence or two a line."""
    lines = []
    steps = run.metrics[run.metrics["kind"] == "step"]
    if len(steps) and pd.notna(steps["batch_before"].iloc[-1]):
        last = steps.iloc[-1]
        lines.append(
            f"Step {last['step']:,.0f}: the loss on the {last['batch_images']:.0f} images of its "
            f"batch went from {wording.loss(last['batch_before'])} to "
            f"**{wording.loss(last['batch_after'])}**."
        )
    noise, epochs = run.config.label_noise, run.epochs.loc[1:]
    if gap.text and (gap.opened is not None or not noise):
        lines.append(gap.text)
    if noise and len(epochs):
        last = epochs.iloc[-1]
        # Without learning by heart a network repeats few wrong labels, and these by chance.
        by_heart = last["noise_learned"] > BY_HEART
        lines.append(
            f"{wording.percent(noise, 0)} of its training labels are wrong. It repeats "
            f"{wording.percent(last['noise_learned'], 1)} of the wrong ones"
            f"{': it learned them by heart' if by_heart else ', hardly any'}. "
            f"{wording.percent(last['noise_resisted'], 1)} of those images it reads as what they "
            "truly are."
        )
    return lines
