"""What a layer is where its equations are written out: numbers forward, slopes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Layer:
    """One of Keras's layers: its arguments, and its weights by name.

    forward(x) -> y takes what comes in, N digits first. backward(x, y, dL/dy) -> (dL/dx, {weight:
    dL/dweight}) is the chain rule; it gets what went in and came out.
    """

    arguments: dict[str, Any]
    weights: dict[str, np.ndarray]

    @property
    def kind(self) -> str:
        """Keras's name of it, such as Dense or Conv2D"""
        return type(self).__name__

    @property
    def decay(self) -> float:
        """λ of L2, 0 where there is none"""
        regularizer = self.arguments.get("kernel_regularizer")
        return regularizer.arguments["l2"] if regularizer else 0.0

    def forward(self, x: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def backward(
        self, x: np.ndarray, y: np.ndarray, slope: np.ndarray
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        raise NotImplementedError
