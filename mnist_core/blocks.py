"""A network's layers as people see them: a dense layer or convolution with what belongs to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mnist_core.layer_maths import Layer


@dataclass(frozen=True)
class Block:
    """A layer that sums, then maybe batch normalization, then maybe an activation.

    Its numbers are places in the network; what comes out of place p is values[p + 1].
    """

    title: str
    kind: str  # Dense or Conv2D
    sums: int
    norm: int | None
    activation: int | None

    @property
    def last(self) -> int:
        """The place of its last layer"""
        return max(place for place in (self.sums, self.norm, self.activation) if place is not None)


def blocks(network: Sequence[Layer]) -> list[Block]:
    """Return the layers with weights, from the input on; the last one is the output layer.

    They are called "hidden layer" or, where there are several, "hidden layer 1"; "convolution 1".
    """
    found = []
    for place, layer in enumerate(network):
        if layer.kind in ("Dense", "Conv2D"):
            after = [each.kind for each in network[place + 1 : place + 3]]
            norm = place + 1 if after[:1] == ["BatchNormalization"] else None
            rest = after[1:] if norm else after
            activation = (norm or place) + 1 if rest[:1] == ["Activation"] else None
            found.append((layer.kind, place, norm, activation))
    names = {"Conv2D": "convolution", "Dense": "hidden layer"}
    counts = {kind: sum(each[0] == kind for each in found[:-1]) for kind in names}
    titled, seen = [], dict.fromkeys(names, 0)
    for kind, *places in found[:-1]:
        seen[kind] += 1
        several = f" {seen[kind]}" if counts[kind] > 1 else ""
        titled.append(Block(f"{names[kind]}{several}", kind, *places))
    return [*titled, Block("output layer", *found[-1])]


def local_slope(network: Sequence[Layer], values: Sequence[np.ndarray], block: Block) -> np.ndarray:
    """Return how much a block's outputs rise with its sums, each for itself: f'(z), and γ/σ."""
    slope = np.ones_like(values[block.last + 1])
    for place in range(block.last, block.sums, -1):
        slope, _ = network[place].backward(values[place], values[place + 1], slope)
    return slope


def from_pixels(network: Sequence[Layer], block: Block) -> bool:
    """Tell whether a dense layer looks at the image's own pixels."""
    return all(layer.kind in ("Rescaling", "Flatten", "Dropout") for layer in network[: block.sums])
