"""How optimizers turn a gradient into a step, in NumPy, in the form that Keras computes.

Constants are Keras's defaults, those that config.py uses. Compared with Keras in
tests/test_update_rules.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7  # Adam's; ε̂ stands beside √v
MOMENTUM, RHO = 0.9, 0.9
WEIGHT_DECAY = 0.004  # AdamW's
Numbers = dict[str, np.ndarray | float]


@dataclass(frozen=True)
class Rule:
    """An optimizer: what it remembers of each weight, and its step.

    take(w, g, state, t, η) returns all numbers of the step by name: "step" is what is added to the
    weight, names of `state` are what is remembered from now on. t counts from 1.
    """

    state: tuple[str, ...]
    take: Callable[[np.ndarray, np.ndarray, dict[str, np.ndarray], int, float], Numbers]


def _sgd(w, g, state, t, rate) -> Numbers:
    return {"step": -rate * g}


def _momentum(w, g, state, t, rate) -> Numbers:
    m = MOMENTUM * state["m"] - rate * g
    return {"m": m, "step": m}


def _nesterov(w, g, state, t, rate) -> Numbers:
    m = MOMENTUM * state["m"] - rate * g
    return {"m": m, "step": MOMENTUM * m - rate * g}


def _rmsprop(w, g, state, t, rate) -> Numbers:
    v = RHO * state["v"] + (1 - RHO) * g**2
    return {"v": v, "step": -rate * g / np.sqrt(v + EPSILON)}


def _adam(w, g, state, t, rate) -> Numbers:
    """D. Kingma & J. Ba (2015), "Adam", the form at the end of section 2.

    Both bias corrections are in α; the paper's Algorithm 1 adds its ε after them.
    """
    m = BETA_1 * state["m"] + (1 - BETA_1) * g
    v = BETA_2 * state["v"] + (1 - BETA_2) * g**2
    correction_1, correction_2 = 1 - BETA_1**t, 1 - BETA_2**t
    alpha = rate * np.sqrt(correction_2) / correction_1
    return {
        "m": m, "v": v, "correction_1": correction_1, "correction_2": correction_2, "alpha": alpha,
        "step": -alpha * m / (np.sqrt(v) + EPSILON),
    }  # fmt: skip


def _adamw(w, g, state, t, rate) -> Numbers:
    """I. Loshchilov & F. Hutter (2019), "Decoupled Weight Decay Regularization"."""
    numbers = _adam(w, g, state, t, rate)
    decay = -rate * WEIGHT_DECAY * w
    return numbers | {"decay": decay, "step": numbers["step"] + decay}


RULES = {  # names as in optimizers.OPTIMIZERS
    "sgd": Rule((), _sgd),
    "momentum": Rule(("m",), _momentum),
    "nesterov": Rule(("m",), _nesterov),
    "rmsprop": Rule(("v",), _rmsprop),
    "adam": Rule(("m", "v"), _adam),
    "adamw": Rule(("m", "v"), _adamw),
}
