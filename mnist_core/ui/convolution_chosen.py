"""Which convolution, filter and place are looked at: in the session and in the URL.

URL: filter= layer and filter, place= row and column, pool= layer, map, row and column of a pooling
layer. Layers, filters and maps count from 1 there as on the screen, rows and columns from 0. What
is not chosen is what answers strongest to the digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from mnist_core.receptive import Stage, strongest_place
from mnist_core.ui import url

MOST = 10**4  # no number of a link is larger


@dataclass(frozen=True)
class Place:
    """A value of a feature map: the stage's place among those of its kind, the map, the pixel."""

    layer: int
    stage: Stage
    map: int
    row: int
    column: int


def _held() -> dict[str, Any]:
    """Return what was chosen, read from the link when the session first comes; None: nothing.

    A plain dict of the session, which a newer rerun cannot interrupt.
    """
    if "convolution" not in st.session_state:
        layer, kernel = _numbers("filter", 2)
        row, column = _numbers("place", 2)
        pool = _numbers("pool", 4)
        st.session_state["convolution"] = {
            "layer": None if layer is None else max(0, layer - 1),
            "filter": None if kernel is None else max(0, kernel - 1),
            "place": None if None in (row, column) else (row, column),
            "channel": None,
            "pool": None if None in pool
            else (max(0, pool[0] - 1), max(0, pool[1] - 1), pool[2], pool[3]),
        }  # fmt: skip
    return st.session_state["convolution"]


def _numbers(name: str, count: int) -> list[int | None]:
    """Return a link's numbers, "2.5" -> [2, 5]; None where one is missing or no number."""
    parts = st.query_params.get(name, "").split(".")[:count]
    found = [
        int(part) if part.isascii() and part.isdecimal() and len(part) < len(str(MOST)) else None
        for part in parts
    ]
    return found + [None] * (count - len(found))


def to_url() -> None:
    """Write what was chosen into the address."""
    held = _held()
    layer, kernel, place, pool = (held[name] for name in ("layer", "filter", "place", "pool"))
    counted = [each + 1 for each in (layer, kernel) if each is not None]
    url.write("filter", ".".join(map(str, counted)) if layer is not None else None)
    url.write("place", place and f"{place[0]}.{place[1]}")
    url.write("pool", pool and f"{pool[0] + 1}.{pool[1] + 1}.{pool[2]}.{pool[3]}")


def current(convolutions: Sequence[Stage], values: Sequence[np.ndarray]) -> Place:
    """Return what is looked at, within what this network has."""
    held = _held()
    layer = min(held["layer"] or 0, len(convolutions) - 1)
    maps = convolutions[layer].maps(values)
    kernel = held["filter"]
    if kernel is None:
        kernel = int(maps.max(axis=(0, 1)).argmax())
    kernel = min(kernel, maps.shape[2] - 1)
    row, column = held["place"] or strongest_place(maps[..., kernel])
    return Place(layer, convolutions[layer], kernel, *_within(row, column, maps))


def pool(pools: Sequence[Stage], values: Sequence[np.ndarray], looked_at: Place) -> Place:
    """Return which value of which pooling layer is looked at; by default of the same map."""
    layer, channel, row, column = _held()["pool"] or (0, None, None, None)
    layer = min(layer, len(pools) - 1)
    maps = pools[layer].maps(values)
    channel = min(looked_at.map if channel is None else channel, maps.shape[2] - 1)
    if row is None:
        row, column = strongest_place(maps[..., channel])
    return Place(layer, pools[layer], channel, *_within(row, column, maps))


def channel(added: np.ndarray) -> int:
    """Return which channel of what comes in is shown: the chosen one, or which adds most."""
    asked = _held()["channel"]
    return int(abs(added).argmax()) if asked is None else min(asked, len(added) - 1)


def _within(row: int, column: int, maps: np.ndarray) -> tuple[int, int]:
    return tuple(min(max(0, at), size - 1)
                 for at, size in zip((row, column), maps.shape[:2], strict=True))  # fmt: skip


def look_at_layer(layer: int) -> None:
    _held().update(layer=layer, filter=None, place=None, channel=None)


def look_at_filter(layer: int, kernel: int) -> None:
    """Another filter at the same place; of another layer at its strongest one."""
    if layer != (_held()["layer"] or 0):
        look_at_layer(layer)
    _held().update(layer=layer, filter=kernel)


def look_at(layer: int, kernel: int, row: int, column: int) -> None:
    look_at_filter(layer, kernel)
    _held()["place"] = (max(0, int(row)), max(0, int(column)))


def look_at_channel(number: int) -> None:
    _held()["channel"] = number


def look_at_pool(layer: int, number: int, row: int, column: int) -> None:
    """Look at a square of a pooling layer's map."""
    _held()["pool"] = (layer, number, max(0, int(row)), max(0, int(column)))
