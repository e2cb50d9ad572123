"""The form of the Train page: widgets -> TrainConfig; defaults and limits are TrainConfig's."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from mnist_core import config
from mnist_core.config import PRESETS, Conv, Dense, Dropout, TrainConfig

FAMILIES = {"linear": "linear", "dense": "dense layers", "conv": "convolutional"}
DEFAULT_UNITS, DEFAULT_FILTERS = 128, 32
MAX_STACK = 5
PREFIX = "hp_"


def _values(chosen: TrainConfig) -> dict[str, object]:
    """Return the widgets' values that stand for a config."""
    convolutions = [layer for layer in chosen.layers if isinstance(layer, Conv)]
    dense = [layer for layer in chosen.layers if isinstance(layer, Dense)]
    stack = convolutions or dense
    return {
        "family": "conv" if convolutions else "dense" if dense else "linear",
        "depth": len(stack) or 1,
        "activation": stack[0].activation if stack else "relu",
        "dropout": next((la.rate for la in chosen.layers if isinstance(la, Dropout)), 0.0),
        **{f"units_{i}": layer.units for i, layer in enumerate(dense)},
        **{f"filters_{i}": layer.filters for i, layer in enumerate(convolutions)},
        "optimizer": chosen.optimizer,
        "learning_rate": chosen.learning_rate,
        "schedule": chosen.schedule,
        "batch_size": chosen.batch_size,
        "epochs": chosen.epochs,
        "validation": "held out" if chosen.validation_share else "test set",
        "validation_share": chosen.validation_share or 0.1,
        "training_size": chosen.training_size,
        "seed": chosen.seed,
    }


def _fill(chosen: TrainConfig) -> None:
    st.session_state.update({PREFIX + name: value for name, value in _values(chosen).items()})


def choose_preset() -> None:
    """Offer the presets; one fills the whole form."""
    if PREFIX + "family" not in st.session_state:
        _fill(PRESETS["paper"])
    st.selectbox(
        "Start from",
        list(PRESETS),
        format_func=lambda name: PRESETS[name].name,
        key="preset",
        on_change=lambda: _fill(PRESETS[st.session_state["preset"]]),
        persist_state="session",
    )


def _keep(widget, label: str, name: str, **arguments):
    """Draw a widget of the form; its value survives a page switch."""
    return widget(label, key=PREFIX + name, persist_state="session", **arguments)


def fields() -> None:
    """Draw the fields that apply; chosen() is what they say."""
    family = _keep(
        st.segmented_control, "Architecture", "family", options=list(FAMILIES),
        format_func=FAMILIES.get, required=True,
    )  # fmt: skip
    _layer_fields(family)
    _keep(
        st.selectbox, "Optimizer", "optimizer", options=list(config.LEARNING_RATES),
        on_change=_follow_optimizer,
    )  # fmt: skip
    _keep(st.number_input, "Learning rate", "learning_rate", format="%g", step=0.001)
    _keep(
        st.segmented_control, "Schedule", "schedule", options=config.SCHEDULES, required=True,
        help="Cosine: the rate climbs for a tenth of the steps, then falls to a hundredth.",
    )  # fmt: skip
    _keep(
        st.number_input, "Batch size", "batch_size", step=1,
        help="Images between two updates of the weights",
    )  # fmt: skip
    _keep(
        st.number_input, "Epochs", "epochs", step=1,
        help="How many times the network sees every training image",
    )  # fmt: skip
    validation = _keep(
        st.segmented_control, "Validate on", "validation", options=["test set", "held out"],
        required=True,
        help="The paper validates on the test set; its test figure is then no independent "
        "estimate. Held out: a part of the training images is kept aside for it.",
    )  # fmt: skip
    if validation == "held out":
        _keep(
            st.slider, "Held-out share", "validation_share", min_value=0.05,
            max_value=TrainConfig.LIMITS["validation_share"][1], step=0.05, format="percent",
        )  # fmt: skip
    _keep(
        st.number_input, "Training images", "training_size", step=100, placeholder="all",
        help="Fewer images, chosen evenly from the ten digits; empty: all",
    )  # fmt: skip
    _keep(
        st.number_input, "Seed", "seed", step=1,
        help="The same seed gives the same weights, order and result again",
    )  # fmt: skip


def _layer_fields(family: str) -> None:
    if family == "linear":
        st.caption("Softmax regression: ten weighted sums of the pixels, no hidden layer.")
        return
    what, default = ("units", DEFAULT_UNITS) if family == "dense" else ("filters", DEFAULT_FILTERS)
    depth = _keep(
        st.number_input, "Hidden layers" if what == "units" else "Convolutions", "depth",
        min_value=1, max_value=MAX_STACK, step=1,
    )  # fmt: skip
    for place in range(depth):
        st.session_state.setdefault(f"{PREFIX}{what}_{place}", default)
        label = f"{what.capitalize()} of layer {place + 1}"
        _keep(st.number_input, label, f"{what}_{place}", step=1)
    _keep(st.selectbox, "Activation", "activation", options=config.ACTIVATIONS)
    _keep(
        st.slider, "Dropout", "dropout", min_value=0.0, max_value=0.9, step=0.05, format="percent",
        help="While training, switch off this share of the hidden values at random",
    )  # fmt: skip


def chosen() -> TrainConfig:
    """Return what the fields say now, not yet validated; also within a callback."""

    def value(name: str, default=None):
        return st.session_state.get(PREFIX + name, default)

    layers: tuple[config.Layer, ...] = ()
    if value("family") != "linear":
        what, default, stack = (
            ("units", DEFAULT_UNITS, config.dense_stack)
            if value("family") == "dense"
            else ("filters", DEFAULT_FILTERS, config.conv_stack)
        )
        sizes = tuple(value(f"{what}_{place}", default) for place in range(value("depth")))
        layers = stack(sizes, value("activation"), value("dropout"))
    held_out = value("validation") == "held out"
    return _named(
        TrainConfig(
            layers=layers,
            optimizer=value("optimizer"),
            learning_rate=value("learning_rate"),
            schedule=value("schedule"),
            batch_size=value("batch_size"),
            epochs=value("epochs"),
            validation_share=value("validation_share", 0.1) if held_out else 0.0,
            training_size=value("training_size"),
            seed=value("seed"),
        )
    )


def _follow_optimizer() -> None:
    optimizer = st.session_state[PREFIX + "optimizer"]
    st.session_state[PREFIX + "learning_rate"] = config.LEARNING_RATES[optimizer]


def _named(chosen: TrainConfig) -> TrainConfig:
    """Give a config that is a preset but for its seed the preset's name."""
    for known in PRESETS.values():
        if config.replace(known, seed=chosen.seed, name="") == chosen:
            return config.replace(chosen, name=known.name)
    return chosen


def layer_table(chosen: TrainConfig) -> pd.DataFrame:
    """Return the network's table for the screen: layer, shape, parameters."""
    return pd.DataFrame(
        [
            {
                "layer": row.name,
                "output": " × ".join(map(str, row.output_shape)),
                "parameters": f"{row.parameters:,}",
            }
            for row in chosen.rows()
        ]
    ).set_index("layer")
