"""The equations of convolution and pooling in LaTeX: in general, and filled in with numbers.

Numbers are written as in equations.py. Those that are added up in a line are rounded together, to
as many decimals as their sum has, so that what is written adds up to the sum that is written.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mnist_core.equations import FUNCTIONS, activated, factor, number
from mnist_core.image_layers import EPSILON
from mnist_core.receptive import OneOutput

SHOWN = 4  # products written out; the others are one number
MOST_IN_SQUARE = 9  # numbers of a pooling square written out
COMMA = r",\ "


def together(parts: Sequence[float], largest: float) -> tuple[list[str], str]:
    """Return numbers and their sum as texts of equally many decimals that add up exactly.

    `largest`, the largest of the single numbers, has three significant digits, and so has the sum
    unless it is more than a hundred times smaller; six decimals are the most. Each text is off by
    less than one in its last place, 0 stays 0: as seats are given out by largest remainders
    (Hamilton's method).
    """
    total = math.fsum(parts)
    least = 2 - math.floor(math.log10(abs(largest) or abs(total) or 1.0))
    wanted = 2 - math.floor(math.log10(abs(total))) if total else least
    decimals = min(6, max(0, least, min(wanted, least + 2)))
    exact = [part * 10**decimals for part in parts]
    whole = [math.floor(part) for part in exact]
    missing = round(total * 10**decimals) - sum(whole)
    for place in sorted(range(len(parts)), key=lambda i: whole[i] - exact[i])[:missing]:
        whole[place] += 1
    texts = [f"{count / 10**decimals:.{decimals}f}" for count in (*whole, sum(whole))]
    return texts[:-1], texts[-1]


def _added(texts: Sequence[str]) -> str:
    """["0.2", "-0.1"] -> "0.2 - 0.1" """
    first, *others = texts
    return first + "".join(
        f" - {text[1:]}" if text.startswith("-") else f" + {text}" for text in others
    )


def general(out: OneOutput) -> str:
    """Return the equations of one output: the sum, perhaps batch normalization, the activation."""
    index = "i,j" if out.window.shape[2] == 1 else "i,j,k"
    bias = "" if out.bias is None else " + b"
    lines = [rf"z &= \sum_{{{index}}} x_{{{index}}}\, w_{{{index}}}{bias}"]
    if out.norm:
        lines.append(r"y &= \gamma\,\frac{z - \mu}{\sqrt{\sigma^2 + \varepsilon}} + \beta")
    in_general = FUNCTIONS[out.activation].format(z="y" if out.norm else "z")
    return _aligned([*lines, f"a &= {in_general}"])


def filled(out: OneOutput) -> str:
    """Return general()'s equations with the numbers; the largest products are written out."""
    x, w, products = out.window.ravel(), out.weights.ravel(), out.products.ravel()
    order = np.argsort(-abs(products), kind="stable")
    large = [int(place) for place in order[:SHOWN] if products[place]]
    others = len(products) - len(large)
    rest = math.fsum(products[place] for place in order[len(large) :])
    parts = [*(float(products[place]) for place in large), rest]
    written = [rf"{number(x[i])} \cdot {factor(w[i])}" for i in large]
    parts += [] if out.bias is None else [out.bias]
    texts, total = together(parts, parts[0])
    marks = [
        *texts[: len(large)],
        *([_under(texts[len(large)], f"{others} more")] if others else []),
    ]
    marks += [] if out.bias is None else [_under(texts[-1], "b")]
    dots = [r"\dots"] if others else []
    bias = [] if out.bias is None else ["b"]
    lines = [f"z &= {_added(written + dots + bias)}", f"&= {_added(marks)}", f"&= {total}"]
    if out.norm:
        lines.append(_normalized(out, total))
    inner = number(out.y) if out.norm else total
    lines.append(f"a &= {activated(out.activation, out.y, inner)} = {number(out.a)}")
    return _aligned(lines)


def _under(text: str, name: str) -> str:
    label = name if len(name) == 1 else rf"\text{{{name}}}"
    sign, text = ("-", text[1:]) if text.startswith("-") else ("", text)
    return rf"{sign}\underbrace{{{text}}}_{{{label}}}"


def _normalized(out: OneOutput, z: str) -> str:
    gamma, beta, mean = (number(out.norm[name]) for name in ("gamma", "beta", "mean"))
    above = z if mean == "0" else _added([z, number(-out.norm["mean"])])
    root = rf"\sqrt{{{number(out.norm['variance'])} + {EPSILON:g}}}"
    scaled = rf"{gamma} \cdot \frac{{{above}}}{{{root}}}"
    return f"y &= {_added([scaled, beta])} = {number(out.y)}"


def _aligned(lines: Sequence[str]) -> str:
    return r"\begin{aligned}" + r" \\[4pt] ".join(lines) + r"\end{aligned}"


def pooling(kind: str, square: np.ndarray) -> str:
    """Return what a pooling layer makes of a square, float (s, s); kind is "max" or "mean"."""
    values = [float(value) for value in square.ravel()]
    if kind == "max":
        largest = sorted(range(len(values)), key=lambda i: -values[i])[:MOST_IN_SQUARE]
        shown = [number(values[i]) for i in sorted(largest)]
        shown += [r"\dots"] if len(values) > len(shown) else []
        return rf"y = \max({COMMA.join(shown)}) = {number(max(values))}"
    texts, total = together(values, max(values, key=abs))
    mean = number(math.fsum(values) / len(values))
    above = _added(texts) if len(values) <= MOST_IN_SQUARE else rf"\text{{sum }} {total}"
    return rf"y = \frac{{{above}}}{{{len(values)}}} = {mean}"


def pooling_in_general(kind: str, side: int) -> str:
    if kind == "max":
        return r"y = \max_{i,j}\ x_{i,j}"
    return rf"y = \frac{{1}}{{{side**2}}} \sum_{{i,j}} x_{{i,j}}"
