"""One weight of a unit, moved by a slider."""

from __future__ import annotations

import math

import streamlit as st

from mnist_core.neuron_cut import Weight
from mnist_core.neurons import Bench
from mnist_core.ui import neuron_choice

REACH = 10  # times the unit's largest weight: a single one of 784 does little else


def weight_slider(found: Bench, weight: Weight, edits: neuron_choice.Edits, is_off: bool) -> None:
    """Draw the slider of the chosen weight, and the way back to what was learned."""
    learned = found.learned(weight)
    limit = _limit(found, weight)
    value = min(max(edits.get(weight, learned), -limit), limit)
    key = f"neuron_value_{weight.unit}_{weight.kind}_{weight.index}_{limit:g}"
    st.session_state[key] = value
    how = (
        "Click a pixel of the image, or a bar of the lower chart, to choose its weight. What is "
        "moved here counts for this epoch of this run, and is not recorded."
    )
    st.slider(
        f"{_name(weight)}: {learned:+.3f} learned", -limit, limit, step=limit / 200,
        format="%.3f", key=key, on_change=_edited, args=(weight, key), disabled=is_off,
        help="The unit is off: its weights do nothing." if is_off else how,
    )  # fmt: skip
    with st.container(horizontal=True, gap="small", key="neuron_edits"):
        st.button(
            "Back to the learned value", key="edit_back", on_click=edits.pop, args=(weight, None),
            disabled=weight not in edits,
        )  # fmt: skip
        if found.has_bias:
            st.button(
                "Its bias", key="choose_bias", disabled=weight.kind == "bias",
                on_click=neuron_choice.choose_weight, args=("bias", 0),
            )  # fmt: skip
        if len(edits) > 1 or (edits and weight not in edits):
            st.button(f"All {len(edits)} back", key="edits_back", on_click=edits.clear)


def _edited(weight: Weight, key: str) -> None:
    neuron_choice.edits()[weight] = float(st.session_state[key])


def _name(weight: Weight) -> str:
    if weight.kind == "bias":
        return "Bias"
    if weight.kind == "out":
        return f"Weight to digit {weight.index}"
    row, column = divmod(weight.index, 28)
    return f"Weight of the pixel in row {row}, column {column}"


def _limit(found: Bench, weight: Weight) -> float:
    """Return how far the slider goes to both sides: a round number."""
    if weight.kind == "out":
        largest = float(abs(found.outgoing[weight.unit]).max())
    else:
        largest = float(abs(found.incoming[weight.unit]).max())
        largest = max(largest, abs(found.learned(weight)))
    reach = REACH * largest or 1.0
    digit = 10.0 ** math.floor(math.log10(reach))
    return math.ceil(reach / digit) * digit
