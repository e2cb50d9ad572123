"""A dense network cut behind its first hidden layer: pixels -> outputs of its units -> the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from mnist_core import explain
from mnist_core.layer_maths import Layer

NO_HIDDEN_LAYER = "This network has no hidden layer: the pixels lead straight to the ten digits."
NOT_ON_PIXELS = "The first layer of this network is not a dense one that looks at all pixels."


class NoUnits(ValueError):
    """The network has no units that look at the pixels; the text says what it has instead."""


class Weight(NamedTuple):
    """One weight of a unit: from a pixel ("in", 0–783), to the next layer ("out"), or its bias."""

    unit: int
    kind: str
    index: int = 0


def cut(network: Sequence[Layer]) -> tuple[list[Layer], Layer, list[Layer]]:
    """Return what leads to the first hidden layer's outputs, the dense layer then, and the rest.

    The layers are explain.layers()'s; theirs here have float32 weights, without dropout, which is
    off, and without the softmax at the end. Raises NoUnits.
    """
    layers = [_as_float32(layer) for layer in network[:-1] if layer.kind != "Dropout"]
    dense = [place for place, layer in enumerate(layers) if layer.kind == "Dense"]
    if any(layer.kind not in ("Rescaling", "Flatten", "Reshape") for layer in layers[: dense[0]]):
        raise NoUnits(NOT_ON_PIXELS)
    if len(dense) == 1:
        raise NoUnits(NO_HIDDEN_LAYER)
    return layers[: dense[1]], layers[dense[1]], layers[dense[1] + 1 :]


def _as_float32(layer: Layer) -> Layer:
    weights = {name: value.astype(np.float32) for name, value in layer.weights.items()}
    return type(layer)(layer.arguments, weights)


def dense(head: list[Layer]) -> Layer:
    """Return the layer with the units' own weights."""
    return next(layer for layer in head if layer.kind == "Dense")


def narrowed(head: list[Layer], units: list[int], edits: Mapping[Weight, float]) -> list[Layer]:
    """Return the way from the pixels to some of the units alone, with their edited weights."""
    narrow = [
        type(layer)(layer.arguments, {name: w[..., units] for name, w in layer.weights.items()})
        for layer in head
    ]
    own = dense(narrow).weights  # copies, as indexing with a list makes them
    for weight, value in edits.items():
        if weight.kind == "in":
            own["kernel"][weight.index, units.index(weight.unit)] = value
        elif weight.kind == "bias":
            own["bias"][units.index(weight.unit)] = value
    return narrow


def forward(network: list[Layer], images: np.ndarray) -> np.ndarray:
    """Return what comes out for images, uint8 (n, 28, 28)."""
    return explain.forward(network, images.astype(np.float32))[-1]
