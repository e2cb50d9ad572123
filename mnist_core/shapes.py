"""The separate shapes of a picture, and what is wrong with it as a picture of one digit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

GROUND = 64  # pixels of the longer side at which a picture's shapes, and its ground, are looked at
INSIDE = 60  # of 255: fainter ink does not widen the crop
MANY = 4  # large shapes beside the largest
OTHER_DIGIT = 0.25  # of the largest shape's area: one as large that stands apart is a digit, too
FILLED = "Nearly all of it is ink: no digit can be seen."


@dataclass(frozen=True)
class Shape:
    """Ink that hangs together: its area in pixels and its box, ends excluded."""

    box: tuple[int, int, int, int]  # top, bottom, left, right
    area: float


def shapes(ink: np.ndarray) -> list[Shape]:
    """Return the separate shapes of a picture, uint8 (h, w), light on dark: the largest first.

    Looked for on GROUND pixels; ink that touches at a corner hangs together.
    """
    scale = max(1.0, max(ink.shape) / GROUND)
    size = (max(1, round(ink.shape[1] / scale)), max(1, round(ink.shape[0] / scale)))
    small = np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.BOX)) > INSIDE / 2
    left_over = set(zip(*map(np.ndarray.tolist, np.nonzero(small)), strict=True))
    found = []
    while left_over:
        shape, edge = [], [left_over.pop()]
        while edge:
            row, column = edge.pop()
            shape.append((row, column))
            near = {(row + y, column + x) for y in (-1, 0, 1) for x in (-1, 0, 1)} & left_over
            left_over -= near
            edge.extend(near)
        rows, columns = np.array(shape).T
        down, across = ink.shape[0] / size[1], ink.shape[1] / size[0]
        box = (
            int(rows.min() * down), int(np.ceil((rows.max() + 1) * down)),
            int(columns.min() * across), int(np.ceil((columns.max() + 1) * across)),
        )  # fmt: skip
        found.append(Shape(box, len(shape) * down * across))
    return sorted(found, key=lambda each: -each.area)


def remark(ink: np.ndarray) -> str:
    """Say what is wrong with a picture, uint8 (h, w), light on dark, as one digit; "": nothing."""
    found = shapes(ink)
    if not found:
        return "There is no digit yet."
    share = float((ink > INSIDE).mean())
    if share > 0.6:
        return FILLED
    top, bottom, left, right = found[0].box
    if max(bottom - top, right - left) < 0.12 * max(ink.shape):
        return "This is only a dot, and no digit."
    large = [each for each in found[1:] if each.area >= OTHER_DIGIT * found[0].area]
    apart = [each for each in large if each.box[3] <= left or each.box[2] >= right]
    if apart:
        return f"These look like {len(apart) + 1} digits side by side. The network reads one."
    if len(large) >= MANY:
        return "This does not look like one digit."
    gap = 0.1 * (bottom - top)  # the bar of a 5 may stand apart, but is closer and smaller
    if any(
        each.area >= 2 * OTHER_DIGIT * found[0].area
        and (each.box[1] <= top - gap or each.box[0] >= bottom + gap)
        for each in large
    ):
        return "These look like digits one above the other. The network reads one."
    return ""
