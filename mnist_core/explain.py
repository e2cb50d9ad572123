"""The paper's equations in NumPy: a network's way forward, its loss, and the chain rule back.

Nothing but NumPy: what Keras computes, written out to be read. N digits go through at once; a
batch's loss is the mean over its digits. Arrays keep the dtype of the weights: float64 for what is
explained, float32 where 10,000 digits are counted. Dropout is off and batch normalization uses its
moving averages, as when the network answers. Layers for images are in image_layers.py, the steps
that optimizers take in update_rules.py. Compared with Keras in tests/test_explain.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mnist_core import image_layers
from mnist_core.config import TrainConfig
from mnist_core.layer_maths import Layer

WEIGHTS = {  # of Keras's layers, in Keras's order
    "Dense": ("kernel", "bias"),
    "Conv2D": ("kernel", "bias"),
    "BatchNormalization": ("gamma", "beta", "mean", "variance"),
}
NOT_TRAINED = ("mean", "variance")  # batch normalization's moving averages


class Rescaling(Layer):
    """x = pixel / 255: (N, 28, 28) -> (N, 28, 28)"""

    def forward(self, pixels):
        return pixels * self.arguments["scale"]

    def backward(self, pixels, x, slope):
        return slope * self.arguments["scale"], {}


class Flatten(Layer):
    """The rows one after the other: (N, 28, 28) -> (N, 784)"""

    def forward(self, x):
        return x.reshape(len(x), -1)

    def backward(self, x, flat, slope):
        return slope.reshape(x.shape), {}


class Reshape(Flatten):
    """One channel: (N, 28, 28) -> (N, 28, 28, 1)"""

    def forward(self, x):
        return x.reshape(len(x), *self.arguments["target_shape"])


class Dropout(Layer):
    """Nothing: it is off when the network answers."""

    def forward(self, x):
        return x

    def backward(self, x, same, slope):
        return slope, {}


class Dense(Layer):
    """z = x W + b: (N, inputs) (inputs, units) + (units,) -> (N, units)"""

    def forward(self, x):
        z = x @ self.weights["kernel"]
        return z + self.weights["bias"] if "bias" in self.weights else z

    def backward(self, x, z, slope):
        gradients = {"kernel": x.T @ slope}  # dL/dW = xᵀ dL/dz: (inputs, N) (N, units)
        if "bias" in self.weights:
            gradients["bias"] = slope.sum(axis=0)  # dL/db = Σ dL/dz over the digits: (units,)
        return slope @ self.weights["kernel"].T, gradients  # dL/dx = dL/dz Wᵀ: (N, inputs)


class Activation(Layer):
    """a = f(z), each value for itself: any shape"""

    def forward(self, z):
        return ACTIVATIONS[self.arguments["activation"]][0](z)

    def backward(self, z, a, slope):
        return slope * ACTIVATIONS[self.arguments["activation"]][1](z, a), {}  # dL/da f'(z)


class Softmax(Layer):
    """p_i = e^(z_i - max z) / Σ_j e^(z_j - max z): (N, 10) -> (N, 10)"""

    def forward(self, z):
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def backward(self, z, p, slope):
        # dL/dz_i = p_i (dL/dp_i - Σ_j p_j dL/dp_j)
        return p * (slope - (p * slope).sum(axis=1, keepdims=True)), {}


def _gauss(z):
    """Return Φ(z), the share of the normal distribution below z."""
    return (0.5 * (1 + np.vectorize(math.erf, otypes=[float])(z / math.sqrt(2)))).astype(z.dtype)


# f(z) and f'(z), the latter from z and a = f(z), as Keras defines them.
ACTIVATIONS = {
    "relu": (lambda z: np.maximum(z, 0), lambda z, a: (z > 0).astype(z.dtype)),
    "tanh": (np.tanh, lambda z, a: 1 - a**2),
    # Beyond -80, e^-z soon is more than float32 holds; what is left out there is below 1e-34.
    "sigmoid": (lambda z: 1 / (1 + np.exp(-np.maximum(z, -80))), lambda z, a: a * (1 - a)),
    "elu": (
        lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
        lambda z, a: np.where(z > 0, 1, a + 1),
    ),
    "gelu": (
        lambda z: z * _gauss(z),
        lambda z, a: _gauss(z) + z * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi),
    ),
    "linear": (lambda z: z, lambda z, a: np.ones_like(z)),
}
KINDS: dict[str, type[Layer]] = {
    **{kind.__name__: kind for kind in (Rescaling, Flatten, Reshape, Dropout, Dense, Activation)},
    "Softmax": Softmax,
    **image_layers.KINDS,
}


def layers(
    config: TrainConfig, weights: Sequence[np.ndarray], dtype: Any = np.float64
) -> list[Layer]:
    """Return a network's layers with their weights, as the run recorded them, as `dtype`.

    A dense layer's activation is a layer of its own. Raises ValueError where weights are missing,
    too many, or of another shape.
    """
    found, left = [], [np.asarray(array, dtype) for array in weights]
    x = np.zeros((1, 28, 28), dtype)  # goes through, for the shape that comes into each layer
    for call in config.keras_layers():
        kind = call.path.removeprefix("layers.")
        names = WEIGHTS.get(kind, ())
        if call.arguments.get("use_bias") is False:
            names = names[:1]
        if len(left) < len(names):
            raise ValueError(f"Expected weights for {kind}. Received: {len(weights)} arrays.")
        own = dict(zip(names, left, strict=False))
        left = left[len(names) :]
        for name, array in own.items():
            wanted = _shape(name, call.arguments, x.shape[-1])
            if array.shape != wanted:
                raise ValueError(
                    f"Expected {wanted} as the {name} of {kind}. Received: {array.shape}."
                )
        found.append(KINDS[kind](call.arguments, own))
        x = found[-1].forward(x)
        if kind == "Dense" and call.arguments.get("activation", "linear") != "linear":
            found.append(Activation({"activation": call.arguments["activation"]}, {}))
    if left:
        raise ValueError(f"Expected {len(weights) - len(left)} arrays. Received: {len(weights)}.")
    return found


def _shape(name: str, arguments: dict[str, Any], channels: int) -> tuple[int, ...]:
    """Return the shape of a layer's weights where so many values or channels come in."""
    out = arguments.get("units", arguments.get("filters", channels))
    if name != "kernel":
        return (out,)
    side = arguments.get("kernel_size")
    return (side, side, channels, out) if side else (channels, out)


def forward(network: Sequence[Layer], x: np.ndarray) -> list[np.ndarray]:
    """Return what goes into the first layer, and what comes out of each one: len(network) + 1."""
    values = [x]
    for layer in network:
        values.append(layer.forward(values[-1]))
    return values


@dataclass(frozen=True, eq=False)
class Explanation:
    """The numbers of N digits on their way through a network, and of the chain rule back.

    `values` are forward()'s: pixels 0–255 first, probabilities (N, 10) last; `labels` integers (N,)
    """

    network: list[Layer]
    values: list[np.ndarray]
    labels: np.ndarray
    loss_name: str

    @property
    def logits(self) -> np.ndarray:
        """z of the output layer, (N, 10)"""
        return self.values[-2]

    @property
    def probabilities(self) -> np.ndarray:
        """p, (N, 10)"""
        return self.values[-1]

    @cached_property
    def target(self) -> np.ndarray:
        """y, the labels as one-hot rows, (N, 10): 1 at the label, else 0"""
        return np.eye(10, dtype=self.logits.dtype)[self.labels]

    @cached_property
    def losses(self) -> np.ndarray:
        """L of each digit, (N,), without what L2 adds"""
        if self.loss_name == "mean_squared_error":
            return ((self.probabilities - self.target) ** 2).mean(axis=1)
        # -log p_label, from the logits: the logarithm of a p that is rounded to 0 is not known.
        shifted = self.logits - self.logits.max(axis=1, keepdims=True)
        return np.log(np.exp(shifted).sum(axis=1)) - (shifted * self.target).sum(axis=1)

    @property
    def penalty(self) -> float:
        """What L2 adds to the loss: λ Σ w²"""
        return sum(layer.decay * float((layer.weights["kernel"] ** 2).sum())
                   for layer in self.network if layer.decay)  # fmt: skip

    @property
    def loss(self) -> float:
        """The mean over the digits, and what L2 adds"""
        return float(self.losses.mean()) + self.penalty

    @cached_property
    def _back(self) -> tuple[list[np.ndarray], list[dict[str, np.ndarray]]]:
        """The chain rule from the loss back: slopes like `values`, gradients like `network`."""
        count = len(self.labels)
        if self.loss_name == "mean_squared_error":
            slope = 2 * (self.probabilities - self.target) / (10 * count)  # dL/dp
            slope, _ = self.network[-1].backward(self.logits, self.probabilities, slope)
        else:
            slope = (self.probabilities - self.target) / count  # dL/dz = p - y: (N, 10)
        slopes, gradients = [slope], [{}]
        for place in reversed(range(len(self.network) - 1)):
            layer, (x, y) = self.network[place], self.values[place : place + 2]
            slope, own = layer.backward(x, y, slope)
            if layer.decay:
                own["kernel"] = own["kernel"] + 2 * layer.decay * layer.weights["kernel"]
            slopes.insert(0, slope)
            gradients.insert(0, own)
        return slopes, gradients

    @property
    def slopes(self) -> list[np.ndarray]:
        """dL/dvalue of each of `values` but the last, in their shapes"""
        return self._back[0]

    @property
    def gradients(self) -> list[dict[str, np.ndarray]]:
        """dL/dw of each layer's trained weights, by name, in their shapes"""
        return self._back[1]


def explain(
    network: list[Layer], pixels: np.ndarray, labels: Sequence[int], loss_name: str
) -> Explanation:
    """Send digits through a network: pixels uint8 (N, 28, 28), labels 0–9 (N,).

    `loss_name` is TrainConfig.loss.
    """
    dtype = next((w.dtype for layer in network for w in layer.weights.values()), np.float64)
    values = forward(network, np.asarray(pixels, dtype))
    return Explanation(network, values, np.asarray(labels, np.int64), loss_name)
