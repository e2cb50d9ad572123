"""Hyperparameters that know their limits: dataclass fields a form can be drawn from.

A field's metadata say what it is called on the screen and which values it may have; check() refuses
the others. So a form, the command line, the address of a page and a saved run share one set of
names, limits and defaults.
"""

from __future__ import annotations

from dataclasses import field, fields
from decimal import Decimal
from typing import Any


def expected(what: str, received: Any, advice: str = "") -> ValueError:
    """Return a ValueError in the house's form: what was expected, what came, what to do next."""
    shown = repr(received)
    shown = shown if len(shown) <= 80 else shown[:77] + "…"
    return ValueError(f"Expected {what}. Received: {shown}.{' ' + advice if advice else ''}")


def with_article(name: str) -> str:
    """Return "a dense layer", "an average pooling layer"."""
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def number(default: float | None, low: float, high: float, label: str, **more: Any) -> Any:
    """Return a field for a number from low to high; whole where `low` is.

    `more` are optional: help, step, format (of the widget), empty (what None stands for).
    """
    return field(default=default, metadata={"low": low, "high": high, "label": label, **more})


def choice(default: str, options: tuple[str, ...], label: str, **more: Any) -> Any:
    """Return a field for one of several names; `names` in `more` are what screens call them."""
    return field(default=default, metadata={"options": options, "label": label, **more})


def switch(default: bool, label: str, **more: Any) -> Any:
    """Return a field that is on or off."""
    return field(default=default, metadata={"switch": True, "label": label, **more})


def check(thing: Any, of: str = "") -> None:
    """Raise ValueError for the first field whose value is not allowed; `of` names the thing."""
    for each in fields(thing):
        check_value(each, getattr(thing, each.name), of)


def check_value(each: Any, value: Any, of: str = "") -> None:
    """Raise ValueError where a value is not allowed in a dataclass's field."""
    about = each.metadata
    if not about or (value is None and "empty" in about):
        return
    name = about["label"].lower() + (f" of {with_article(of)}" if of else "")
    if "options" in about:
        if value not in about["options"]:
            raise expected(f"{name}: one of {', '.join(about['options'])}", value)
    elif "switch" in about:
        if not isinstance(value, bool):
            raise expected(f"{name}: on or off", value)
    else:
        low, high = about["low"], about["high"]
        whole = isinstance(low, int)
        fits = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
        if not fits or not low <= value <= high:  # NaN fails the comparison too
            kind = "a whole number" if whole else "a number"
            raise expected(f"{name}: {kind} from {_shown(low)} to {_shown(high)}", value)


def _shown(limit: float) -> str:
    return f"{limit:,}" if isinstance(limit, int) else f"{limit:,.7f}".rstrip("0").rstrip(".")


def parse(each: Any, text: str) -> Any:
    """Return the value that stands for itself in an address, checked. Raises ValueError.

    The opposite of as_text().
    """
    about = each.metadata
    value: Any = text
    try:
        if "switch" in about:
            value = {"1": True, "0": False}[text]
        elif "options" not in about:
            whole = isinstance(about["low"], int)
            value = int(text) if whole else float(text)
    except (KeyError, ValueError):
        pass  # check_value() says what was expected
    check_value(each, value)
    return value


def in_words(each: Any, value: Any) -> str:
    """Return a field's value as screens write it: "RMSprop", "10 %", "all"."""
    about = each.metadata
    if value is None:
        return str(about.get("empty"))
    if "switch" in about:
        return "on" if value else "off"
    if about.get("format") == "percent":
        return f"{100 * value:g} %"
    return about.get("names", {}).get(value, as_text(value))


def as_text(value: Any) -> str:
    """Return a value as it stands in an address, without exponents: 1e-05 -> "0.00001"."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        whole, _, part = f"{Decimal(repr(value)):f}".partition(".")  # every digit of it
        return f"{whole}.{part}".rstrip("0").rstrip(".")
    return str(value)
