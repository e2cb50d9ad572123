"""The widgets of the Train page's form, drawn from what the hyperparameters say of themselves."""

from __future__ import annotations

from dataclasses import Field, fields
from typing import Any

import numpy as np
import streamlit as st

from mnist_core import augmentation, studio_figures, wording
from mnist_core.config import TrainConfig
from mnist_core.fields import in_words
from mnist_core.layers import LAYERS, MAX_LAYERS, LayerError, table
from mnist_core.optimizers import RATE_LADDER
from mnist_core.ui import form, resources
from mnist_core.ui.chart import chart
from mnist_core.ui.digit_grid import digit_grid

BY_NAME = {each.name: each for each in form.SCALARS}
AUGMENTED = 8


def _widget(each: Field, key: str, **more: Any) -> None:
    """Draw the widget of one field; its value stays in the session over a page switch."""
    about = each.metadata
    # A browser that shows a widget again, after a quick look at another view, begins with the
    # widget's default and sends it back: so that is what the form holds.
    now = st.session_state.get(key, each.default)
    said = {"key": key, "help": about.get("help"), "persist_state": "session", **more}
    if "options" in about:
        options = about["options"]
        st.selectbox(
            about["label"],
            options,
            options.index(now),
            format_func=lambda value: in_words(each, value),
            **said,
        )
    elif "switch" in about:
        st.toggle(about["label"], now, **said)
    elif about.get("format") == "percent":
        st.slider(
            about["label"],
            about["low"],
            about["high"],
            now,
            step=about["step"],
            format="percent",
            **said,
        )
    else:
        whole = isinstance(about["low"], int)
        st.number_input(
            about["label"],
            value=None if "empty" in about else now,  # with None it can be emptied
            step=about.get("step", 1 if whole else 0.01),
            format=about.get("format", "%d" if whole else "%g"),
            placeholder=about.get("empty"),
            **said,
        )


def _field(name: str, **more: Any) -> None:
    _widget(BY_NAME[name], form.PREFIX + name, **more)


def _pair(*names: str) -> None:
    for column, name in zip(
        st.columns(len(names), vertical_alignment="bottom"), names, strict=True
    ):
        with column:
            _field(name)


def ladder(current: float) -> list[float]:
    """Return the learning rates to choose from; one that is not on the ladder is put between."""
    return sorted({*RATE_LADDER, current})


def network(said: TrainConfig) -> None:
    """Draw the hidden layers, each with its shape and parameters, to change, move and remove."""
    problem, rows = None, []
    try:
        rows = table(said.layers)
    except LayerError as error:
        problem = error
        rows = table(said.layers[: error.position])[:-1]
    outputs = [row for row in rows if row.name not in ("flatten", "input, pixel / 255")]
    st.caption("input 28×28, pixel / 255")
    for place, (number, kind) in enumerate(form.listed()):
        layer = said.layers[place]
        row = outputs[place] if place < len(outputs) else None
        with st.container(key=f"layer_row_{number}", gap=None):
            with st.popover(wording.verbatim(layer.describe()), width="stretch"):
                _layer(number, kind, place)
            if problem and problem.position == place:
                st.error(str(problem))
            elif row:
                shape = "×".join(map(str, row.output_shape))
                count = wording.count(row.parameters, "parameter")
                st.caption(f"{shape}{', ' + count if row.parameters else ''}")
    st.caption(
        "output 10, softmax"
        + ("" if problem else f", {wording.count(rows[-1].parameters, 'parameter')}")
    )
    full = len(form.listed()) >= MAX_LAYERS
    st.menu_button(
        "Add a layer",
        list(LAYERS),
        format_func=lambda kind: LAYERS[kind].title,
        key="add_layer",
        icon=":material/add:",
        on_click=form.add_layer,
        disabled=full,
        help=f"{MAX_LAYERS} layers are the most." if full else None,
        width="stretch",
    )
    _field("initializer")


def _layer(number: int, kind: str, place: int) -> None:
    """Draw what can be changed of a layer."""
    for each in fields(LAYERS[kind]):
        key = form.layer_key(number, each.name)
        _widget(each, key)
    with st.container(horizontal=True):
        st.button(
            "Up", icon=":material/arrow_upward:", key=f"layer_{number}_up",
            disabled=place == 0, help="Towards the input", on_click=form.move_layer,
            args=(number, -1),
        )  # fmt: skip
        st.button(
            "Down", icon=":material/arrow_downward:", key=f"layer_{number}_down",
            disabled=place == len(form.listed()) - 1, help="Towards the output",
            on_click=form.move_layer, args=(number, 1),
        )  # fmt: skip
        st.button(
            "Remove", icon=":material/delete:", key=f"layer_{number}_remove",
            on_click=form.remove_layer, args=(number,),
        )  # fmt: skip


def training(said: TrainConfig, images: int) -> None:
    """Draw how the network is trained; `images` is how many it trains on."""
    _field("optimizer", on_change=form.follow_optimizer)
    key = form.PREFIX + "learning_rate"
    now = st.session_state[key]
    st.select_slider(
        "Learning rate", ladder(now), now, format_func=lambda rate: f"{rate:g}",
        key=key, help=BY_NAME["learning_rate"].metadata["help"], persist_state="session",
    )  # fmt: skip
    _field("schedule")
    if said.schedule == "cosine":
        _field("warm_up")
    if said.schedule == "step":
        _pair("drop_every", "drop_factor")
    if said.schedule != "constant":
        _rates(said, images)
    _pair("batch_size", "epochs")
    _field("loss")
    _field("seed")


def _rates(said: TrainConfig, images: int) -> None:
    """Draw the learning rate over the training."""
    try:
        said.validate()
    except ValueError:
        return  # said beside Start
    steps = max(1, -(-images // said.batch_size))
    schedule = said.rates(steps)
    shown = np.unique(np.linspace(0, said.epochs * steps - 1, 200).round().astype(int))
    chart(
        studio_figures.schedule_curve([(step, schedule.rate(step)) for step in shown], steps),
        key="schedule_curve",
        height=160,
    )


def data(said: TrainConfig) -> None:
    """Draw what the network is trained on and judged by."""
    _field("validation_share")
    _field("training_size")
    _field("label_noise")
    st.markdown("**Augmentation**: each image is moved a little, otherwise in every epoch.")
    _pair("shift", "rotate")
    _field("zoom")
    if said.augments:
        _augmented(said)
    without = not said.validation_share
    _field("patience", disabled=without)
    if without:
        st.caption("Stopping early needs held-out images: set a held-out share first.")
    elif said.patience:
        _pair("stop_metric", "best_weights")


def _augmented(said: TrainConfig) -> None:
    """Show eight training digits as the first epoch moves them."""
    images = resources.dataset().train.images[:AUGMENTED]
    try:
        said.validate()
    except ValueError:
        return
    movements = augmentation.draw(said.seed, 0, AUGMENTED, said.shift, said.rotate, said.zoom)
    digit_grid(
        augmentation.move(images, movements),
        captions=[f"training image {i}, moved" for i in range(AUGMENTED)],
        label="Eight augmented digits",
        cell=44,
        columns=4,
        key="augmented",
    )
