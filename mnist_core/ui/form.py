"""What the Train page's form holds: a TrainConfig, in the session and in the page's address."""

from __future__ import annotations

from dataclasses import fields

import streamlit as st

from mnist_core import config, runs
from mnist_core.config import QUERY_NAMES, TrainConfig
from mnist_core.layers import LAYERS, Layer
from mnist_core.optimizers import OPTIMIZERS
from mnist_core.presets import PRESETS, named
from mnist_core.ui import url

PREFIX = "hp_"
SCALARS = [each for each in fields(TrainConfig) if each.metadata]
# A value counts only where another makes it apply; elsewhere it is the default.
APPLIES = {
    "patience": lambda value: value["validation_share"],
    "warm_up": lambda value: value["schedule"] == "cosine",
    "drop_every": lambda value: value["schedule"] == "step",
    "drop_factor": lambda value: value["schedule"] == "step",
    "stop_metric": lambda value: value["patience"],
    "best_weights": lambda value: value["patience"],
}


def arrive() -> None:
    """Fill the form when a session first comes: from the address, else with the paper's training.

    What the address says that cannot be used is kept for problems().
    """
    if PREFIX + "layers" in st.session_state:
        return
    asked = {name: st.query_params[name] for name in QUERY_NAMES if name in st.query_params}
    found, problems = config.from_query(asked)
    st.session_state["form_problems"] = problems
    fill(found)


def problems() -> list[str]:
    """Return what the address said that could not be used."""
    return st.session_state.get("form_problems", [])


def fill(chosen: TrainConfig, parent: runs.Run | None = None) -> None:
    """Fill the form with a config; `parent` is the run that it is compared with."""
    for each in SCALARS:
        st.session_state[PREFIX + each.name] = getattr(chosen, each.name)
    st.session_state[PREFIX + "layers"] = [_add(layer) for layer in chosen.layers]
    st.session_state["form_parent"] = parent and parent.id


def fill_preset() -> None:
    """Fill the form with the preset just chosen."""
    if (name := st.session_state["preset"]) in PRESETS:
        st.session_state["form_problems"] = []
        fill(PRESETS[name])


def preset_name() -> str | None:
    """Return which preset the form holds, seed apart; None: settings of one's own."""
    said = chosen()
    return next((name for name, known in PRESETS.items() if known.name == said.name), None)


def _add(layer: Layer) -> tuple[int, str]:
    """Keep a layer's values in the session under a number of its own; return number and kind."""
    number = st.session_state["layer_number"] = st.session_state.get("layer_number", 0) + 1
    for each in fields(layer):
        st.session_state[layer_key(number, each.name)] = getattr(layer, each.name)
    return number, layer.kind


def layer_key(number: int, name: str) -> str:
    """Return the session's name of a value of a layer."""
    return f"layer_{number}_{name}"


def listed() -> list[tuple[int, str]]:
    """Return the hidden layers as (number, kind), from the input on."""
    return st.session_state[PREFIX + "layers"]


def add_layer() -> None:
    """Add a layer of the kind just picked: before the first dense one if it needs an image."""
    kind = st.session_state["add_layer"]
    if kind not in LAYERS:
        return
    order = list(listed())
    first_dense = next((i for i, (_, each) in enumerate(order) if each == "dense"), len(order))
    place = first_dense if LAYERS[kind].needs_image else len(order)
    order.insert(place, _add(LAYERS[kind]()))
    st.session_state[PREFIX + "layers"] = order


def move_layer(number: int, by: int) -> None:
    """Move a layer towards the input (-1) or the output (1)."""
    order = list(listed())
    place = next(i for i, (each, _) in enumerate(order) if each == number)
    other = place + by
    if 0 <= other < len(order):
        order[place], order[other] = order[other], order[place]
    st.session_state[PREFIX + "layers"] = order


def remove_layer(number: int) -> None:
    st.session_state[PREFIX + "layers"] = [each for each in listed() if each[0] != number]


def layer(number: int, kind: str) -> Layer:
    """Return a layer as the form has it now, not yet validated."""
    cls = LAYERS[kind]
    values = {
        each.name: st.session_state.get(layer_key(number, each.name), each.default)
        for each in fields(cls)
    }
    return cls(**values)


def chosen() -> TrainConfig:
    """Return what the form says now, not yet validated; also within a callback."""
    values = {each.name: st.session_state.get(PREFIX + each.name, each.default) for each in SCALARS}
    for name, applies in APPLIES.items():
        if not applies(values):
            values[name] = getattr(TrainConfig(), name)
    return named(TrainConfig(layers=tuple(layer(*each) for each in listed()), **values))


def to_url(said: TrainConfig) -> None:
    """Write every hyperparameter that is not the paper's into the address."""
    texts = said.to_query()
    for name in QUERY_NAMES:
        url.write(name, texts.get(name))


def parent() -> runs.Run | None:
    """Return the run that the form was filled from to change something, or None."""
    asked = st.session_state.get("form_parent")
    if asked:
        try:
            return runs.read(asked)
        except runs.RunsError:  # deleted meanwhile
            st.session_state["form_parent"] = None
    return None


def follow_optimizer() -> None:
    """The learning rate follows the optimizer to where that one starts."""
    optimizer = st.session_state[PREFIX + "optimizer"]
    st.session_state[PREFIX + "learning_rate"] = OPTIMIZERS[optimizer].rate
