"""Small random movements of training images: a digit moved a little is still the same digit.

Each function needs NumPy alone, as `np`: exported scripts carry the source of both.
"""

from __future__ import annotations

import numpy as np


def draw(seed: int, epoch: int, count: int, shift: float, rotate: float, zoom: float) -> np.ndarray:
    """Return a random movement for each image of an epoch (0-based): float32 (count, 4).

    Columns: shift right and shift down in pixels, within ±shift; rotation in degrees,
    counter-clockwise on the screen, within ±rotate; zoom factor from 1 / (1 + zoom) to 1 + zoom.
    All are uniform, of the factor its logarithm: as many images shrink as grow. The arguments alone
    decide; a smaller count gives the first rows of a larger one.
    """
    # An epoch's order takes [seed, epoch] and its dropout [seed, epoch, 0, 1, …].
    generator = np.random.default_rng([seed, epoch, 1000])
    movements = generator.uniform(-1, 1, (count, 4)) * [shift, shift, rotate, np.log1p(zoom)]
    movements[:, 3] = np.exp(movements[:, 3])
    return movements.astype(np.float32)


def move(images: np.ndarray, movements: np.ndarray) -> np.ndarray:
    """Return images uint8 (N, h, w), each moved by its row of float32 (N, 4): uint8 (N, h, w).

    A movement is (right, down, degrees counter-clockwise, zoom > 0): the image is rotated and
    zoomed about its middle, then shifted. Bilinear between pixels, 0 outside, rounded to nearest.
    """
    count, height, width = images.shape
    right, down, degrees, zoom = np.asarray(movements, np.float32).T[:, :, None]
    # Pixel (row, column) of the result comes from (y, x), of which each is a sum of a term of the
    # row and a term of the column. Both count from a ring of zeros around the image.
    turn = np.deg2rad(degrees)
    cos, sin = np.cos(turn) / zoom, np.sin(turn) / zoom
    rows = np.arange(height, dtype=np.float32) - (height - 1) / 2 - down
    columns = np.arange(width, dtype=np.float32) - (width - 1) / 2 - right
    y_of_row, y_of_column = cos * rows + (height + 1) / 2, sin * columns
    x_of_row, x_of_column = -sin * rows, cos * columns + (width + 1) / 2
    # As many images at a time as the processor's cache holds with all that is computed of them.
    most = max(1, 25_000 // (height * width))
    # One more row and column of zeros: the last of the ring has neighbours below and at its right.
    framed = np.zeros((most, height + 3, width + 3), np.float32)
    pixels, line = framed.reshape(-1), width + 3
    # float32 counts exactly to 2**24, and is faster than integers until the index is complete.
    first_pixel = np.arange(most, dtype=np.float32)[:, None, None] * ((height + 3) * line)
    moved = np.empty(images.shape, np.uint8)
    for start in range(0, count, most):
        part = slice(start, min(start + most, count))
        size = part.stop - start
        framed[:size, 1:-2, 1:-2] = images[part]
        y = y_of_row[part, :, None] + y_of_column[part, None, :]
        x = x_of_row[part, :, None] + x_of_column[part, None, :]
        np.clip(y, 0, height + 1, out=y)  # what is farther outside comes from the ring
        np.clip(x, 0, width + 1, out=x)
        whole_y, whole_x = np.floor(y), np.floor(x)
        y -= whole_y
        x -= whole_x
        whole_y *= line
        whole_y += whole_x
        whole_y += first_pixel[:size]
        index = whole_y.astype(np.intp)
        # Every index is valid; "clip" only spares NumPy a check that takes time.
        above, above_right, below, below_right = (
            pixels.take(index + step, mode="clip") for step in (0, 1, line, line + 1)
        )
        above_right -= above
        above_right *= x
        above += above_right
        below_right -= below
        below_right *= x
        below += below_right
        below -= above
        below *= y
        above += below
        above += 0.5  # the cast to integers cuts off
        moved[part] = above
    return moved
