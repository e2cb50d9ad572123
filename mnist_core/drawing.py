"""From a drawing, scan or photo of one digit to the 28×28 pixels of a network: MNIST's own recipe.

Each stage takes the picture of the one before and can be left out. The recipe is told on
https://yann.lecun.org/exdb/mnist: a digit is "size normalized to fit in a 20x20 pixel box while
preserving their aspect ratio", and "centered in a 28x28 image by computing the center of mass".
Where that centre is, 14.0 counted from pixel 0, was measured: in MNIST's training set the centres
of mass lie between 13.5 and 14.5, as whole-pixel shifts leave them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from mnist_core.shapes import GROUND, INSIDE, shapes

SIDE, BOX, CENTER = 28, 20, 14.0
STAGES = {
    "polarity": "Grey, ink light",
    "crop": "Crop",
    "fit": "Fit into 20×20",
    "center": "Centre",
    "scale": "÷ 255",
}
REACH = 17  # of these: a stroke as wide would be taken for ground
LEAST_CONTRAST = 24  # of 255: less is paper
SPECK = 0.04  # of the largest shape's area: smaller ones are dirt


@dataclass(frozen=True, eq=False)
class Stage:
    """What a picture is after a stage, and what a network would then be given.

    `picture`: uint8 (h, w), or (h, w, 3) of a coloured raw one; `pixels`: float32 (28, 28), what
    the network behind its scaling layer gets: 0 to 1, or 0 to 255 before the last stage.
    """

    name: str
    on: bool
    picture: np.ndarray
    pixels: np.ndarray


def stages(picture: np.ndarray, on: Collection[str] = tuple(STAGES)) -> list[Stage]:
    """Take a picture, uint8 (h, w) or (h, w, 3), through the stages; the first result is "raw".

    A stage not `on` changes nothing. What is not 28×28 yet is squeezed into it for the network.
    Raises ValueError for another shape, dtype or stage.
    """
    is_shape = picture.ndim == 2 or (picture.ndim == 3 and picture.shape[2] == 3)
    if picture.dtype != np.uint8 or not is_shape or 0 in picture.shape:
        raise ValueError(f"Expected uint8 (h, w) or (h, w, 3). Received: {picture.dtype} "
                         f"{picture.shape}.")  # fmt: skip
    if unknown := set(on) - set(STAGES):
        raise ValueError(f"Expected stages among {list(STAGES)}. Received: {sorted(unknown)}.")
    steps = {"polarity": light_on_dark, "crop": crop, "fit": fit, "center": center}
    found, scaled = [], "scale" in on
    factor = np.float32(1 / 255 if scaled else 1)

    def keep(name: str, is_on: bool, now: np.ndarray) -> None:
        found.append(Stage(name, is_on, now, squeezed(now) * factor))

    keep("raw", True, picture)
    now = picture
    for name, step in steps.items():
        now = step(now) if name in on else now
        keep(name, name in on, now)
    keep("scale", scaled, squeezed(now))
    return found


def grey(picture: np.ndarray) -> np.ndarray:
    """Return a picture's brightness, uint8 (h, w): 0.299 red + 0.587 green + 0.114 blue."""
    return picture if picture.ndim == 2 else np.asarray(Image.fromarray(picture).convert("L"))


def squeezed(picture: np.ndarray) -> np.ndarray:
    """Return a picture as uint8 (28, 28), whatever happens to its proportions."""
    shades = grey(picture)
    if shades.shape == (SIDE, SIDE):
        return shades
    return np.asarray(Image.fromarray(shades).resize((SIDE, SIDE), Image.Resampling.BOX))


def light_on_dark(picture: np.ndarray) -> np.ndarray:
    """Return the ink of a picture, uint8 (h, w): 0 is the ground, 255 the ink, whichever is darker.

    The ground is what the border shows, and may change slowly, as a photo's light does. What is no
    darker or lighter than the ground's own noise becomes 0; ink becomes 255 where it is full.
    """
    shades = grey(picture).astype(np.float32)
    border = np.concatenate([shades[[0, -1]].ravel(), shades[:, [0, -1]].ravel()])
    dark_ink = np.median(border) > (shades.min() + shades.max()) / 2
    ink = np.maximum(_ground(255 - shades if dark_ink else shades, shades.shape), 0)
    cut = _otsu(ink)
    inked, paper = ink[ink > cut], ink[ink <= cut]
    if not inked.size or (full := np.quantile(inked, 0.75)) < LEAST_CONTRAST:
        return np.zeros(ink.shape, np.uint8)
    noise = 4 * float(np.median(paper))
    noise = min(noise, full / 2)
    return np.clip((ink - noise) / (full - noise) * 255 + 0.5, 0, 255).astype(np.uint8)


def _ground(ink: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return how far a picture, light ink on dark, stands above its slowly changing ground."""
    scale = max(1.0, max(shape) / GROUND)
    size = (max(1, round(shape[1] / scale)), max(1, round(shape[0] / scale)))
    small = Image.fromarray(ink.astype(np.uint8)).resize(size, Image.Resampling.BOX)
    low = small
    for extreme in (ImageFilter.MinFilter(3), ImageFilter.MaxFilter(3)):
        for _ in range(REACH // 2):  # the same as once over REACH pixels, in a quarter of the time
            low = low.filter(extreme)
    low = low.filter(ImageFilter.GaussianBlur(REACH / 4))
    return ink - np.asarray(low.resize(shape[::-1], Image.Resampling.BILINEAR), np.float32)


def _otsu(values: np.ndarray) -> float:
    """Return the value that parts ink from ground best.

    N. Otsu (1979), "A Threshold Selection Method from Gray-Level Histograms".
    """
    counts, edges = np.histogram(values, 256, (0, 256))
    middles = (edges[:-1] + edges[1:]) / 2
    below, above = counts.cumsum(), counts.sum() - counts.cumsum()
    mass = (counts * middles).cumsum()
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = mass / below - (mass[-1] - mass) / above
    between = np.nan_to_num(below * above * apart**2)
    return float(edges[int(between.argmax()) + 1])


def crop(ink: np.ndarray) -> np.ndarray:
    """Return the part of a picture, uint8 (h, w), light on dark, that holds its ink."""
    ink = grey(ink)
    box = ink_box(ink)
    if box is None:
        return ink
    top, bottom, left, right = box
    return ink[top:bottom, left:right]


def ink_box(ink: np.ndarray) -> tuple[int, int, int, int] | None:
    """Return top, bottom, left, right (ends excluded) of the ink without specks; None: no ink."""
    mask = ink > INSIDE
    seen = shapes(ink)
    near = -(-max(ink.shape) // GROUND)  # a pixel in which shapes are looked for
    strokes = np.full(mask.shape, not seen)
    for shape in seen:
        if shape.area >= SPECK * seen[0].area:
            top, bottom, left, right = shape.box
            strokes[max(0, top - near) : bottom + near, max(0, left - near) : right + near] = True
    mask &= strokes  # what is dirt may be too small for a shape
    if not mask.any():
        return None
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def fit(ink: np.ndarray) -> np.ndarray:
    """Return a picture, uint8 (h, w), in the middle of 28×28, its longer side 20 pixels."""
    ink = grey(ink)
    height, width = ink.shape
    scale = BOX / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.BOX))
    placed = np.zeros((SIDE, SIDE), np.uint8)
    top, left = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
    placed[top : top + size[1], left : left + size[0]] = small
    return placed


def center(ink: np.ndarray) -> np.ndarray:
    """Return a picture, uint8 (28, 28) or what is squeezed into it, its centre of mass at 14.0.

    By whole pixels, as in MNIST; what leaves the picture is lost.
    """
    ink = squeezed(ink)
    mass = ink.sum(dtype=np.float64)
    if not mass:
        return ink
    place = np.arange(SIDE)
    shift = [int(np.floor(CENTER - (ink.sum(axis) * place).sum() / mass + 0.5)) for axis in (1, 0)]
    moved = np.zeros_like(ink)
    into = [slice(max(0, by), SIDE + min(0, by)) for by in shift]
    out_of = [slice(max(0, -by), SIDE - max(0, by)) for by in shift]
    moved[tuple(into)] = ink[tuple(out_of)]
    return moved
