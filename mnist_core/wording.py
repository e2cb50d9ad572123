"""Numbers as the screens write them: one form for each quantity, everywhere."""

import math
import re


def percent(share: float | None, digits: int = 2) -> str:
    """0.97812 -> "97.81 %"; a missing value -> "–"."""
    return "–" if share is None or math.isnan(share) else f"{share * 100:.{digits}f} %"


def loss(value: float | None) -> str:
    """0.06741 -> "0.0674"; large values as 1.2e+06; a missing value -> "–"."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:.2g}"


def duration(seconds: float | None) -> str:
    """Seconds in the unit that fits: "0.4 s", "12 s", "3 min", "2 h 5 min"."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def speed(images: float | None) -> str:
    """Images a second with two or three digits: "41,300"; a missing value -> "–"."""
    if images is None or not math.isfinite(images):
        return "–"
    return f"{float(f'{images:.3g}'):,.0f}"


def count(number: int, what: str = "") -> str:
    """(1, "image") -> "1 image"; (10000, "image") -> "10,000 images"."""
    return f"{number:,}{' ' + what + ('' if number == 1 else 's') if what else ''}"


def verbatim(text: str) -> str:
    """Return text that Markdown shows as it stands: no link, no picture, no formula."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>$~:@&]|(?<=www)\.)", r"\\\1", text, flags=re.IGNORECASE)


def verbatim_lines(text: str) -> str:
    """Return text of several lines that Markdown shows as it stands: no heading, list or rule."""
    lines = [verbatim(line.strip()) for line in text.splitlines()]
    return "  \n".join(re.sub(r"^(\d*)([-=.])", r"\1\\\2", line) for line in lines)


def epoch(moment: float) -> str:
    """3.0 -> "3"; 2.4 -> "2.4"; 2.004 -> "2.004"."""
    return f"{moment:g}"
