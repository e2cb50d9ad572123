"""A named set of images that fits into a link: the images someone selected, kept.

The text of a slice is "name:images", where the images are the gaps between the sorted ids, each a
variable-length number (7 bits a byte, as in protocol buffers), in URL-safe base64.
"""

from __future__ import annotations

import base64
import binascii
import re

import numpy as np

from mnist_core.wording import count

LARGEST = 1000  # images: about 2,000 letters of a link
NAME = re.compile(r"[^:&?#\x00-\x1f]{1,30}")


def pack(ids: np.ndarray) -> str:
    """Write ids, int64 (N,), each once, for a URL. Raises ValueError above LARGEST."""
    if len(ids) > LARGEST:
        raise ValueError(
            f"Expected at most {count(LARGEST, 'image')} in a link. Received: {len(ids):,}. "
            "Select fewer, or download them."
        )
    packed = bytearray()
    for gap in np.diff(np.sort(ids), prepend=0).tolist():
        while gap >= 128:
            packed.append(gap & 127 | 128)
            gap >>= 7
        packed.append(gap)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def unpack(text: str, total: int) -> np.ndarray:
    """Read what `pack` writes: sorted ids below `total`, int64 (N,). Raises ValueError."""
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars="-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("The link's images cannot be read: it was cut or changed.") from error
    gaps, gap, shift = [], 0, 0
    for byte in packed:
        gap |= (byte & 127) << shift
        shift += 7
        if shift > 28:
            break  # no dataset is so large
        if byte < 128:
            gaps.append(gap)
            gap = shift = 0
    ids = np.cumsum(gaps[: LARGEST + 1], dtype=np.int64)
    if shift or len(ids) > LARGEST or (len(ids) and ids[-1] >= total) or 0 in gaps[1:]:
        raise ValueError("The link's images are none of this dataset: it was cut or changed.")
    return ids


def checked_name(name: str, taken: list[str]) -> str:
    """Return a slice's name without surrounding space; raises ValueError for one that won't do."""
    name = name.strip()
    if not NAME.fullmatch(name):
        raise ValueError(
            "Expected a name of 1 to 30 letters without line breaks and : & ? #. "
            f"Received: “{name[:40]}”."
        )
    if name in taken:
        raise ValueError(f"There already is a slice “{name}”. Choose another name.")
    return name


def to_text(name: str, ids: np.ndarray) -> str:
    return f"{name}:{pack(ids)}"


def from_text(text: str, total: int, taken: list[str]) -> tuple[str, np.ndarray]:
    """Read a slice from a link: its name, none of those taken, and its ids. Raises ValueError."""
    name, colon, images = text.partition(":")
    if not colon:
        raise ValueError(f"A slice of the link, “{text[:40]}”, was cut or changed.")
    try:
        return checked_name(name, taken), unpack(images, total)
    except ValueError as error:
        raise ValueError(f"The slice “{name[:30]}” of the link is left out. {error}") from error
