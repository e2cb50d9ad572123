"""What a value of a feature map looks at: pixels of the digit, and the numbers of its own sum.

A network for images is taken in stages: a convolution with its batch normalization and activation
is one, a pooling layer another. Rows, columns and filters count from 0 here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mnist_core import explain
from mnist_core.layer_maths import Layer

POOLING = {"MaxPooling2D": "max", "AveragePooling2D": "mean"}
CHUNK_NUMBERS = 4_000_000  # held at once by the widest convolution while many digits are looked at


@dataclass(frozen=True)
class Stage:
    """Layers `begin` to `end` - 1 of a network: they turn values[begin] into values[end]."""

    name: str
    begin: int
    end: int
    pooling: str = ""  # "max" or "mean"

    def ahead(self, values: Sequence[np.ndarray]) -> np.ndarray:
        """Return what comes in of the first digit, (height, width, channels)."""
        return values[self.begin][0]

    def maps(self, values: Sequence[np.ndarray]) -> np.ndarray:
        """Return what comes out for the first digit, (height, width, maps)."""
        return values[self.end][0]


def stages(network: Sequence[Layer]) -> list[Stage]:
    """Return the stages that put out an image, from the input on; none in a dense network."""
    found: list[Stage] = []
    for place, layer in enumerate(network):
        if layer.kind == "Conv2D":
            end = place + 1
            while network[end].kind in ("BatchNormalization", "Activation"):
                end += 1
            count = sum(not stage.pooling for stage in found) + 1
            found.append(Stage(f"Convolution {count}", place, end))
        elif layer.kind in POOLING:
            count = sum(bool(stage.pooling) for stage in found) + 1
            found.append(Stage(f"Pooling {count}", place, place + 1, POOLING[layer.kind]))
    return found


def activation(network: Sequence[Layer], stage: Stage) -> str:
    """Return the activation's name in config.py; "linear" of a pooling layer."""
    return network[stage.end - 1].arguments.get("activation", "linear")


def margin(layer: Layer, size: tuple[int, int]) -> tuple[int, int]:
    """Return how many rows and columns of zeros a convolution puts before an image of `size`."""
    there = layer.padded(np.ones((1, *size, 1)))[0, :, :, 0] > 0
    return int(there.any(axis=1).argmax()), int(there.any(axis=0).argmax())


@dataclass(frozen=True, eq=False)
class Field:
    """The pixels of `rows` × `columns`, both sorted; with a stride above the kernel some between
    them are not looked at."""

    rows: np.ndarray
    columns: np.ndarray

    @property
    def frame(self) -> tuple[int, int, int, int]:
        """Top, left, bottom and right, the latter two included"""
        return tuple(map(int, (self.rows[0], self.columns[0], self.rows[-1], self.columns[-1])))

    @property
    def cut(self) -> tuple[slice, slice]:
        """What cuts the frame out of an image"""
        top, left, bottom, right = self.frame
        return slice(top, bottom + 1), slice(left, right + 1)


def field(
    network: Sequence[Layer], values: Sequence[np.ndarray], at: int, row: int, column: int
) -> Field:
    """Return which of the digit's pixels reach values[at][:, row, column].

    Layer by layer back to the input; padding belongs to none of them, so it ends there.
    """
    rows, columns = np.array([row]), np.array([column])
    for place in reversed(range(at)):
        size = values[place].shape[1:3]
        before = margin(network[place], size) if network[place].kind == "Conv2D" else (0, 0)
        rows = _looked_at(network[place], rows, size[0], before[0])
        columns = _looked_at(network[place], columns, size[1], before[1])
    return Field(rows, columns)


def _looked_at(layer: Layer, places: np.ndarray, size: int, before: int) -> np.ndarray:
    """Return the rows (or columns) of what comes in that these rows of what comes out see."""
    if layer.kind == "Conv2D":
        reach, stride = layer.arguments["kernel_size"], layer.arguments["strides"]
    elif layer.kind in POOLING:
        reach = stride = layer.arguments["pool_size"]
    else:
        return places
    seen = np.unique(stride * places[:, None] - before + np.arange(reach))
    return seen[(seen >= 0) & (seen < size)]


@dataclass(frozen=True, eq=False)
class OneOutput:
    """The numbers of one value of a feature map.

    window and weights float (k, k, channels), zeros where the window hangs over the edge; bias None
    where batch normalization takes its place; z the sum; norm γ, β, μ and σ² by Keras's names, or
    None; y what comes of it (z without); a after the activation.
    """

    window: np.ndarray
    weights: np.ndarray
    bias: float | None
    z: float
    norm: dict[str, float] | None
    y: float
    activation: str
    a: float

    @property
    def products(self) -> np.ndarray:
        """x · w, (k, k, channels)"""
        return self.window * self.weights

    @property
    def of_channels(self) -> np.ndarray:
        """What each channel adds to z, (channels,)"""
        return self.products.sum(axis=(0, 1))


def one_output(
    network: Sequence[Layer],
    values: Sequence[np.ndarray],
    stage: Stage,
    kernel: int,
    row: int,
    column: int,
) -> OneOutput:
    """Return the numbers of the first digit's value at a place of the map of filter `kernel`."""
    layer = network[stage.begin]
    window = layer.windows(values[stage.begin][:1])[0, row, column].transpose(1, 2, 0)
    bias = float(layer.weights["bias"][kernel]) if "bias" in layer.weights else None
    z, y = (float(values[stage.begin + 1][0, row, column, kernel]) for _ in range(2))
    norm = None
    if network[stage.begin + 1].kind == "BatchNormalization":
        own = network[stage.begin + 1].weights
        norm = {name: float(numbers[kernel]) for name, numbers in own.items()}
        y = float(values[stage.begin + 2][0, row, column, kernel])
    return OneOutput(
        window, layer.weights["kernel"][..., kernel], bias, z, norm, y,
        activation(network, stage), float(values[stage.end][0, row, column, kernel]),
    )  # fmt: skip


def strongest_place(maps: np.ndarray) -> tuple[int, int]:
    """Return row and column of the largest value of a map (height, width), the first of equals."""
    row, column = np.unravel_index(int(maps.argmax()), maps.shape)
    return int(row), int(column)


@dataclass(frozen=True, eq=False)
class Responses:
    """Of N digits and a convolution's F filters: the largest value of each map and its place.

    values float32 (N, F), places int16 (N, F, 2): row and column.
    """

    values: np.ndarray
    places: np.ndarray

    def best(self, kernel: int, count: int) -> np.ndarray:
        """Return the digits in which a filter answers strongest, int (count,), strongest first."""
        return np.argsort(-self.values[:, kernel], kind="stable")[:count]


def cost(network: Sequence[Layer], values: Sequence[np.ndarray]) -> int:
    """Return the multiplications of all convolutions for one digit."""
    return sum(
        math.prod(values[place + 1].shape[1:3]) * layer.weights["kernel"].size
        for place, layer in enumerate(network)
        if layer.kind == "Conv2D"
    )


def responses(network: Sequence[Layer], images: np.ndarray) -> list[Responses]:
    """Return the Responses of each convolution to images, uint8 (N, 28, 28).

    In float32, and in portions: what a convolution looks at takes k² times its image.
    """
    convolutions = [stage for stage in stages(network) if not stage.pooling]
    until = convolutions[-1].end
    light = [
        type(layer)(layer.arguments, {n: w.astype(np.float32) for n, w in layer.weights.items()})
        for layer in network[:until]
    ]
    first = explain.forward(light, images[:1].astype(np.float32))
    widest = max(
        math.prod(first[stage.end].shape[1:3]) * light[stage.begin].weights["kernel"][..., 0].size
        for stage in convolutions
    )
    portion = max(1, CHUNK_NUMBERS // widest)
    found: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in convolutions]
    for start in range(0, len(images), portion):
        x = images[start : start + portion].astype(np.float32)
        for place, layer in enumerate(light, start=1):
            x = _sums(layer, x) if layer.kind == "Conv2D" else layer.forward(x)
            for stage, parts in zip(convolutions, found, strict=True):
                if stage.end == place:
                    parts.append(_largest(x))
    return [
        Responses(*(np.concatenate(each) for each in zip(*parts, strict=True))) for parts in found
    ]


def _sums(layer: Layer, x: np.ndarray) -> np.ndarray:
    """Return what a convolution's forward() does, three times as fast for many digits.

    The windows are copied pixel by pixel of the kernel, all channels at once.
    """
    kernel, stride = layer.weights["kernel"], layer.arguments["strides"]
    height, width, channels, filters = kernel.shape
    wide = layer.padded(x)
    rows, columns = ((n - height) // stride + 1 for n in wide.shape[1:3])
    windows = np.empty((len(x), rows, columns, height, width, channels), x.dtype)
    for i, j in np.ndindex(height, width):
        down, across = slice(i, i + stride * rows, stride), slice(j, j + stride * columns, stride)
        windows[:, :, :, i, j] = wide[:, down, across]
    z = windows.reshape(-1, height * width * channels) @ kernel.reshape(-1, filters)
    z = z.reshape(len(x), rows, columns, filters)
    return z + layer.weights["bias"] if "bias" in layer.weights else z


def _largest(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest value of each map of (N, height, width, F), and its row and column."""
    count, _, width, filters = maps.shape
    flat = maps.reshape(count, -1, filters)
    at = flat.argmax(axis=1)
    values = np.take_along_axis(flat, at[:, None], axis=1)[:, 0]
    return values, np.stack(np.divmod(at, width), axis=-1).astype(np.int16)
