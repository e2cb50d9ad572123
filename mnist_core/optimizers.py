"""Optimizers and learning-rate schedules: what a form offers and what Keras is asked to build."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from mnist_core.keras_calls import Call

FINAL_RATE_SHARE = 0.01  # where the cosine ends, and where added epochs go on
SCHEDULES = ("constant", "step", "cosine")
# From 1e-5 to 10, five steps a factor of ten: what the form offers.
RATE_LADDER = (
    *(float(f"{digit}e{power}") for power in range(-5, 1) for digit in (1, 2, 3, 5, 8)),
    10.0,
)


@dataclass(frozen=True)
class Optimizer:
    """What the screen calls it, Keras's class, and the rate it starts with where none is chosen.

    The rates are Keras's own defaults.
    """

    title: str
    keras: str
    rate: float
    arguments: dict[str, Any] = field(default_factory=dict)


OPTIMIZERS = {
    "sgd": Optimizer("SGD", "SGD", 0.01),
    "momentum": Optimizer("SGD with momentum", "SGD", 0.01, {"momentum": 0.9}),
    "nesterov": Optimizer("Nesterov momentum", "SGD", 0.01, {"momentum": 0.9, "nesterov": True}),
    "rmsprop": Optimizer("RMSprop", "RMSprop", 0.001),
    "adam": Optimizer("Adam", "Adam", 0.001),
    "adamw": Optimizer("AdamW", "AdamW", 0.001),
}


@dataclass(frozen=True)
class Schedule:
    """The learning rate of each step of a training.

    constant: always `peak`. step: times `drop_factor` after every `drop_steps` steps. cosine: up in
    a straight line over `warm_up` steps, then down half a cosine to a hundredth of the peak at
    `total` steps, where it stays (Loshchilov & Hutter 2017, equation 5, without restarts).
    """

    name: str
    peak: float
    total: int
    warm_up: int = 0
    drop_steps: int = 1
    drop_factor: float = 1.0

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0; compared with Keras in a test."""
        if self.name == "step":
            return self.peak * self.drop_factor ** (step // self.drop_steps)
        if self.name == "constant":
            return self.peak
        if step < self.warm_up:
            return self.peak * step / self.warm_up
        done = min(1.0, (step - self.warm_up) / max(1, self.total - self.warm_up))
        share = (1 - FINAL_RATE_SHARE) * (1 + math.cos(math.pi * done)) / 2 + FINAL_RATE_SHARE
        return self.peak * share

    def keras(self) -> float | Call:
        """Return what Keras's optimizer takes as its learning rate."""
        if self.name == "step":
            return Call(
                "optimizers.schedules.ExponentialDecay",
                {
                    "initial_learning_rate": self.peak,
                    "decay_steps": self.drop_steps,
                    "decay_rate": self.drop_factor,
                    "staircase": True,
                },
            )
        if self.name == "constant":
            return self.peak
        return Call(
            "optimizers.schedules.CosineDecay",
            {
                "initial_learning_rate": 0.0 if self.warm_up else self.peak,
                "decay_steps": max(1, self.total - self.warm_up),
                "alpha": FINAL_RATE_SHARE,
                "warmup_target": self.peak if self.warm_up else None,
                "warmup_steps": self.warm_up,
            },
        )
