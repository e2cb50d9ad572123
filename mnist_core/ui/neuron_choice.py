"""What is on the bench: the chosen unit, which are off, which weights are edited.

The session keeps it over epochs and pages; edits belong to a run's epoch. URL: unit= the chosen
one, off=3,17 those that are switched off.
"""

from __future__ import annotations

import re

import streamlit as st

from mnist_core import wording
from mnist_core.neuron_cut import Weight
from mnist_core.ui import frame, url

MOST_OFF = 2048
Edits = dict[Weight, float]


def arrive(units: int) -> None:
    """Take the units of the link when a session starts; a network has units 0 to `units` - 1."""
    state = st.session_state
    if "neurons_off" in state:
        return
    problems: list[str] = []
    chosen = _read("unit", st.query_params.get("unit", ""), units, problems)
    off = _read("off", st.query_params.get("off", ""), units, problems)
    state.setdefault("neuron_unit", chosen[0] if chosen else None)
    state["neurons_off"] = set(off)
    state["neuron_problems"] = problems
    state["neuron_edits"] = {}


def _read(name: str, text: str, units: int, problems: list[str]) -> list[int]:
    """Return the units that a link names; what is none is left out, with a word."""
    found = []
    for part in re.split("[,.]", text, maxsplit=MOST_OFF) if text else []:
        if re.fullmatch("[0-9]{1,4}", part) and int(part) < units:
            found.append(int(part))
        else:
            problems.append(f"{name}={part[:20]}")
    return found


def show_problems(units: int) -> None:
    """Say what of the link was left out."""
    if problems := st.session_state["neuron_problems"]:
        st.warning(
            f"Left out of this link: {wording.verbatim(', '.join(problems[:3]))}. "
            f"The units of this network are 0 to {units - 1:,}."
        )


def to_url() -> None:
    state = st.session_state
    unit = state["neuron_unit"]
    url.write("unit", None if unit is None else str(unit))
    url.write("off", ",".join(map(str, sorted(state["neurons_off"]))))


def unit(units: int, first: int) -> int:
    """Return the chosen unit; `first` where none is chosen, or not one of this network's."""
    chosen = st.session_state["neuron_unit"]
    return first if chosen is None or chosen >= units else chosen


def choose(number: int) -> None:
    st.session_state.update(neuron_unit=int(number), neuron_problems=[])


def off(units: int) -> set[int]:
    """Return the units of this network that are switched off."""
    return {number for number in st.session_state["neurons_off"] if number < units}


def switch(number: int) -> None:
    """Switch a unit off, or on again."""
    st.session_state["neurons_off"] ^= {number}
    st.session_state["neuron_problems"] = []


def switch_all_on() -> None:
    st.session_state["neurons_off"] = set()


def edits() -> Edits:
    """Return the edited weights of the run's network at the epoch under the cursor."""
    run, kept = frame.current_run(), st.session_state["neuron_edits"]
    return kept.setdefault((run.id, frame.current_moment()), {})


def weight(number: int, default: int, digits: bool, bias: bool) -> Weight:
    """Return the chosen weight of a unit; `default` is the pixel where none is chosen.

    `digits` tells whether the unit leads to the digits, `bias` whether it has one.
    """
    kind, index = st.session_state.get("neuron_weight", ("in", default))
    if (kind == "out" and not digits) or (kind == "bias" and not bias):
        kind, index = "in", default
    return Weight(number, kind, index)


def choose_weight(kind: str, index: int) -> None:
    st.session_state["neuron_weight"] = kind, index
