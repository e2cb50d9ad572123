"""Which images of a dataset are looked at, in which order, as plain data and as part of a URL."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

SPLITS = ("training", "test", "both")
ORDERS = {
    "index": "by index",
    "shuffled": "shuffled",
    "typical": "most typical",
    "atypical": "least typical",
    "thick": "thickest",
    "thin": "thinnest",
    "slanted": "most slanted",
}
LARGEST_SEED = 9999


@dataclass(frozen=True)
class View:
    """Filters and an order; the defaults show the whole training set by index.

    `digits` none: all. `first` and `last` bound the index within the split, both included.
    `ink` bounds the share of dark pixels, in per cent. `seed` matters to the shuffled order alone.
    """

    split: str = "training"
    digits: tuple[int, ...] = ()
    first: int = 0
    last: int | None = None
    ink: tuple[int, int] = (0, 100)
    order: str = "index"
    seed: int = 0

    @property
    def filters(self) -> bool:
        """Whether anything but the split is filtered."""
        return bool(self.digits or self.first or self.last is not None or self.ink != (0, 100))

    def to_query(self) -> dict[str, str]:
        """Return what a URL must say; defaults are left out."""
        query = {}
        if self.split != "training":
            query["split"] = self.split
        if self.digits:
            query["digits"] = "".join(map(str, self.digits))
        if images := range_text(self.first, self.last):
            query["range"] = images
        if self.ink != (0, 100):
            query["ink"] = "-".join(map(str, self.ink))
        if self.order != "index":
            query["order"] = self.order
        if self.order == "shuffled":
            query["seed"] = str(self.seed)
        return query

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> tuple[View, list[str]]:
        """Read what `to_query` writes; return the view and a sentence for each part not understood.

        What is not understood takes its default; a range turned around is turned back.
        """
        values, problems = {}, []
        for name, read in READERS.items():
            if name not in query:
                continue
            try:
                values |= read(query[name])
            except ValueError as error:
                problems.append(f"“{query[name][:20]}” in the link is no {name}: {error}")
        return cls(**values), problems


def read_range(text: str) -> dict[str, int | None]:
    """Read "12", "100-199" or "100-" as {"first", "last"}; "" is everything. Raises ValueError.

    Spaces around the dash and commas between thousands are allowed.
    """
    text = re.sub(r"(?<=[0-9]),(?=[0-9]{3})|\s*(?=[-–…])|(?<=[-–…])\s*", "", text.strip())
    if not text:
        return {"first": 0, "last": None}
    if not re.fullmatch(r"[0-9]{1,9}([-–…][0-9]{0,9})?", text):
        raise ValueError("expected an index such as 12, or a range such as 100-199.")
    bounds = sorted(map(int, re.findall(r"[0-9]+", text)))
    return {"first": bounds[0], "last": bounds[-1] if text[-1].isdecimal() else None}


def range_text(first: int, last: int | None) -> str:
    """Write what read_range reads: "", "12", "100-199" or "100-"."""
    if last is None:
        return f"{first}-" if first else ""
    return str(first) if first == last else f"{first}-{last}"


def _one_of(name: str, allowed: Collection[str]) -> Callable[[str], dict[str, Any]]:
    def read(text: str) -> dict[str, Any]:
        if text not in allowed:
            raise ValueError(f"expected one of {', '.join(allowed)}.")
        return {name: text}

    return read


def _digits(text: str) -> dict[str, Any]:
    if not re.fullmatch(r"[0-9]{1,10}", text):
        raise ValueError("expected digits such as 49.")
    return {"digits": tuple(sorted(set(map(int, text))))}


def _ink(text: str) -> dict[str, Any]:
    if not re.fullmatch(r"[0-9]{1,3}-[0-9]{1,3}", text):
        raise ValueError("expected per cent such as 10-30.")
    low, high = sorted(min(int(bound), 100) for bound in text.split("-"))
    return {"ink": (low, high)}


def _seed(text: str) -> dict[str, Any]:
    if not re.fullmatch(r"[0-9]{1,4}", text):
        raise ValueError(f"expected a whole number from 0 to {LARGEST_SEED}.")
    return {"seed": int(text)}


READERS: dict[str, Callable[[str], dict[str, Any]]] = {
    "split": _one_of("split", SPLITS),
    "digits": _digits,
    "range": read_range,
    "ink": _ink,
    "order": _one_of("order", ORDERS),
    "seed": _seed,
}
