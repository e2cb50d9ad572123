"""A digit as text that fits into a link."""

from __future__ import annotations

import base64
import zlib

import numpy as np

SHAPE = (28, 28)
PIXELS = SHAPE[0] * SHAPE[1]


def packed(digit: np.ndarray) -> str:
    """Return a digit, uint8 (28, 28), as text for a link."""
    raw = zlib.compress(np.ascontiguousarray(digit).tobytes(), 9)
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def unpacked(text: str) -> np.ndarray:
    """Return the digit, uint8 (28, 28), that packed() wrote; raises ValueError."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        unpack = zlib.decompressobj()
        pixels = unpack.decompress(raw, PIXELS + 1)
    except (ValueError, zlib.error) as error:
        raise ValueError("Expected a digit as a link has it.") from error
    if len(pixels) != PIXELS:
        raise ValueError(f"Expected {PIXELS} pixels. Received: {len(pixels)} or more.")
    if not unpack.eof:  # the sum that checks them is missing
        raise ValueError("Expected a whole link. Received: one that was cut.")
    return np.frombuffer(pixels, np.uint8).reshape(SHAPE)
