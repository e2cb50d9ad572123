"""Where the weights into one unit or filter stand in a picture, and which weight a cell is.

A dense unit's weights from the pixels are 28 × 28; from other units, rows of a near-square grid. A
filter's are its channels' squares beside each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mnist_core.layers import IMAGE_SHAPE

Index = tuple[int, ...]  # of a kernel: (input, unit), or (row, column, channel, filter)


@dataclass(frozen=True)
class Layout:
    """The picture of one unit's weights: `shape` is the kernel's, (n, units) or (k, k, c, f)."""

    shape: tuple[int, ...]
    pixels: bool  # whether a dense layer looks at the image's own pixels

    @property
    def columns(self) -> int:
        """How many inputs, or channels, stand in a row."""
        if self.pixels:
            return IMAGE_SHAPE[1]
        count = self.shape[0] if len(self.shape) == 2 else self.shape[2]
        return min(count, 2 ** math.ceil(math.log2(math.sqrt(2 * count))))

    def picture(self, values: np.ndarray, unit: int) -> np.ndarray:
        """Return values of the kernel's shape as one unit's picture, NaN where no weight is."""
        own, columns = values[..., unit], self.columns
        if own.ndim == 1:
            own = own[None, None]  # one square a unit
        squares = own.transpose(2, 0, 1)
        count, height, width = squares.shape
        rows = -(-count // columns)
        whole = np.full((rows * columns, height, width), np.nan)
        whole[:count] = squares
        whole = whole.reshape(rows, columns, height, width).swapaxes(1, 2)
        return whole.reshape(rows * height, columns * width)

    def index(self, row: int, column: int, unit: int) -> Index | None:
        """Return which weight a cell of the picture is, or None where none is."""
        size = 1 if len(self.shape) == 2 else self.shape[0]
        if row < 0 or not 0 <= column < self.columns * size:
            return None
        place = row // size * self.columns + column // size
        if place >= self.shape[-2]:
            return None
        inside = () if len(self.shape) == 2 else (row % size, column % size)
        return (*inside, place, unit)

    def cell(self, index: Index) -> tuple[int, int]:
        """Return (row, column) of a weight in the picture."""
        *inside, place, _ = index
        size = 1 if len(self.shape) == 2 else self.shape[0]
        row, column = inside or (0, 0)
        return place // self.columns * size + row, place % self.columns * size + column

    def in_words(self, index: Index, source: str = "input", target: str = "unit") -> str:
        """Return what a weight belongs to: "from pixel (14, 9) to unit 17".

        `source` and `target` name what a dense layer's weight comes from and leads to.
        """
        *inside, place, unit = index
        if inside:
            where = f"row {inside[0]}, column {inside[1]}"
            # Filters and maps are counted from 1, as on the Convolution view.
            of_map = f", map {place + 1}" if self.shape[2] > 1 else ""
            return f"of filter {unit + 1}{of_map}, {where}"
        if self.pixels:
            return f"from pixel {divmod(place, self.columns)} to {target} {unit}"
        return f"from {source} {place} to {target} {unit}"
