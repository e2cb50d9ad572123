"""How the stages of a network for images are named, and their values drawn and written."""

from __future__ import annotations

from mnist_core import receptive
from mnist_core.moment import Moment
from mnist_core.receptive import Stage

NAMES = {"relu": "ReLU", "elu": "ELU", "gelu": "GELU"}
NEVER_NEGATIVE = ("relu", "sigmoid")


def in_words(row: int, column: int) -> str:
    return f"row {row}, column {column}"


def three(value: float) -> str:
    """Return a number with three significant digits: 3.5 -> "3.50"."""
    return f"{value:#.3g}".rstrip(".")


def after(at: Moment, stage: Stage) -> str:
    """Return ", after ReLU" and the like; nothing where there is no activation."""
    name = receptive.activation(at.network, stage)
    return "" if name == "linear" else f", after {NAMES.get(name, name)}"


def kind_of(at: Moment, end: int) -> str:
    """Return how values[end] are drawn: as a digit, as never negative, or as signed."""
    ahead = [layer for layer in at.network[:end] if layer.kind in ("Activation", "Conv2D")]
    if not ahead:
        return "digit"
    never = ahead[-1].arguments.get("activation") in NEVER_NEGATIVE
    return "positive" if never else "signed"
