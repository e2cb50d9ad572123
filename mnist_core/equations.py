"""The paper's equations as LaTeX, general and filled in with the numbers of one digit.

Pure functions: numbers in, text for KaTeX out. Everything is counted from 0, as in Python. Figures
have three significant digits, so what is shown may miss its sum in the last one: hence ≈.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SHOWN = 2  # terms of a long sum that are written out
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
FUNCTIONS = {
    "relu": r"\max(0, {z})",
    "tanh": r"\tanh({z})",
    "sigmoid": r"\frac{{1}}{{1 + e^{{-({z})}}}}",
    "elu": r"\begin{{cases}} {z} & {z} > 0 \\ e^{{{z}}} - 1 & {z} \le 0 \end{{cases}}",
    "gelu": r"{z} \cdot \Phi({z})",
    "linear": "{z}",
}


@dataclass(frozen=True)
class Equation:
    """An equation in general, and with the numbers of this digit; both are LaTeX."""

    general: str
    filled: str


def number(value: float) -> str:
    """Return a number with three significant digits: "0.123", "-4.56 \\cdot 10^{-7}", "7"."""
    value = float(value)
    if value in range(-999, 1000):
        return str(int(value))
    if not np.isfinite(value):
        return r"\text{no number}"
    if 1e-3 <= abs(value) < 1e5:
        digits = max(0, 2 - int(np.floor(np.log10(abs(float(f"{value:.2e}"))))))
        return f"{value:.{digits}f}"
    mantissa, power = f"{value:.2e}".split("e")
    return rf"{mantissa} \cdot 10^{{{int(power)}}}"


def spoken(value: float) -> str:
    """Return the same for a chart or a sentence, which knows no LaTeX: "1.23·10⁻⁵"."""
    mantissa, _, power = f"{float(value):.3g}".partition("e")
    raised = f"·10{str(int(power)).translate(RAISED)}" if power else ""
    return mantissa.replace("-", "−") + raised


def constant(value: float) -> str:
    """Return a number that somebody chose, such as 0.001, without zeros at its end."""
    text = number(value)
    return text.rstrip("0").rstrip(".") if "." in text and "cdot" not in text else text


def probability(value: float) -> str:
    """Return a probability; near 1 with so many digits that what is missing to 1 has three."""
    missing = 1 - float(value)
    if not 0 < missing < 0.1:
        return number(value)
    return f"{value:.{min(12, 2 - int(np.floor(np.log10(missing))))}f}"


def above_one(value: float) -> str:
    """Return a sum that is 1 or more; near 1 with three digits of what is more than that."""
    more = float(value) - 1
    if not 0 < more < 0.1:
        return number(value)
    return f"{value:.{min(12, 2 - int(np.floor(np.log10(more))))}f}"


def factor(value: float) -> str:
    """Return a number that stands behind an operator: in brackets where it has a sign or power."""
    text = number(value)
    return f"({text})" if text.startswith("-") or "cdot" in text else text


def lines(*parts: str) -> str:
    """Return lines one below the other, aligned at their first "≈", or else where they begin."""
    rows = []
    for part in parts:
        at = max(0, part.find(r"\approx"))
        rows.append(f"{part[:at]}&{part[at:]}")
    return r"\begin{aligned}" + r"\\".join(rows) + r"\end{aligned}"


def equal(name: str, right: list[str]) -> list[str]:
    """Return lines that say that a name is about the first of them and what follows."""
    return [rf"{name} \approx {right[0]}", *(rf"{{}} {each}" for each in right[1:])]


def largest(products: np.ndarray, count: int) -> np.ndarray:
    """Return the places of the products (n,) that count most, the largest first."""
    return np.argsort(-abs(products), kind="stable")[:count]


def long_sum(
    x: np.ndarray, w: np.ndarray, bias: float | None = None, count: int = SHOWN
) -> list[str]:
    """Return Σ x w + b, both (n,), in lines: its largest terms written out, then what is left."""
    products = x * w
    shown = largest(products, count)
    left = []
    if rest := len(x) - len(shown):
        others = factor(products.sum() - products[shown].sum())
        left.append(rf"\underbrace{{{others}}}_{{{rest}\text{{ more}}}}")
    if bias is not None:
        left.append(rf"\underbrace{{{factor(bias)}}}_{{b}}")
    write = [number, *[factor] * count]  # a sign only at the beginning needs no brackets
    terms = [rf"{first(x[i])} \cdot {factor(w[i])}" for i, first in zip(shown, write, strict=False)]
    return [" + ".join(terms), *([rf"\quad + {' + '.join(left)}"] if left else [])]


def normalization(pixel: int, row: int, column: int) -> Equation:
    """x = pixel / 255, for a pixel 0–255"""
    return Equation(
        r"x = \frac{\text{pixel}}{255}",
        rf"x_{{{row},{column}}} = \frac{{{pixel}}}{{255}} = {number(pixel / 255)}",
    )


def flatten(row: int, column: int, width: int = 28) -> Equation:
    """Where a pixel stands in the vector: row by row"""
    return Equation(
        rf"i = {width} \cdot \text{{row}} + \text{{column}}",
        rf"i = {width} \cdot {row} + {column} = {width * row + column}",
    )


def weighted_sum(
    x: np.ndarray, w: np.ndarray, bias: float | None, unit: int, symbols: str = "xiu"
) -> Equation:
    """z_u = Σ x_i w_iu + b_u of one unit: x, w float (n,); a layer before batch normalization has
    no b. `symbols` are the letters of what comes in, of its number and of the unit's."""
    what, i, u = symbols
    plus = "" if bias is None else f" + b_{u}"
    value = float(x @ w + (bias or 0.0))
    return Equation(
        rf"z_{u} = \sum_{{{i}=0}}^{{{len(x) - 1}}} {what}_{i} \, w_{{{i}{u}}}{plus}",
        lines(*equal(rf"z_{{{unit}}}", long_sum(x, w, bias)), rf"\approx {number(value)}"),
    )


def batch_norm(z: float, numbers: dict[str, float], y: float, unit: int) -> Equation:
    """γ (z - μ) / √(σ² + ε) + β; `numbers` has gamma, beta, mean, variance"""
    gamma, beta, mean, variance = (numbers[name] for name in ("gamma", "beta", "mean", "variance"))
    return Equation(
        r"\hat z_u = \gamma_u \frac{z_u - \mu_u}{\sqrt{\sigma_u^2 + 0.001}} + \beta_u",
        rf"\hat z_{{{unit}}} \approx {number(gamma)} \cdot "
        rf"\frac{{{number(z)} - {factor(mean)}}}{{\sqrt{{{number(variance)} + 0.001}}}} + "
        rf"{factor(beta)} \approx {number(y)}",
    )


def activation(name: str, z: float, a: float, unit: int, normalized: bool = False) -> Equation:
    """a = f(z) of one unit; `name` is one of layers.ACTIVATIONS, z perhaps batch-normalized"""
    symbol = r"\hat z_u" if normalized else "z_u"
    return Equation(
        f"a_u = {FUNCTIONS[name].format(z=symbol)}",
        rf"a_{{{unit}}} = {activated(name, z, number(z))} {_about(z, a)} {number(a)}",
    )


def activated(name: str, z: float, text: str) -> str:
    """Return f(z) with z filled in, written as `text`."""
    if name == "elu":
        return text if z > 0 else rf"e^{{{text}}} - 1"
    return FUNCTIONS[name].format(z=f"({text})" if name == "gelu" and z < 0 else text)


def _about(z: float, a: float) -> str:
    return "=" if a in (0, z) else r"\approx"


def softmax(z: np.ndarray, digit: int) -> Equation:
    """p_i = e^(z_i - max z) / Σ_j e^(z_j - max z) of one digit: logits z (10,)"""
    shifted = np.exp(z - z.max())
    power = rf"e^{{{number(z[digit])} - {factor(z.max())}}}"
    return Equation(
        r"p_i = \frac{e^{z_i}}{\sum_j e^{z_j}} = \frac{e^{z_i - \max z}}{\sum_j e^{z_j - \max z}}",
        rf"p_{{{digit}}} \approx \frac{{{power}}}{{{above_one(shifted.sum())}}} \approx "
        rf"{probability(shifted[digit] / shifted.sum())}",
    )


def _inside(p: float) -> str:
    """Return a probability behind a log: in brackets where it has a power"""
    text = probability(p)
    return f"({text})" if "cdot" in text else text


def cross_entropy(p: np.ndarray, label: int, loss: float) -> Equation:
    """L = -Σ y_c log p_c: probabilities (10,), and the loss, which the logits give more exactly"""
    other = 0 if label else 9
    counts = rf"\mathbf{{1 \cdot \log {_inside(p[label])}}}"
    not_any = rf"0 \cdot \log {_inside(p[other])}"
    first, last = (not_any, counts) if label else (counts, not_any)
    return Equation(
        r"L = -\sum_{c=0}^{9} y_c \log p_c",
        lines(
            rf"L \approx -\big({first} + \dots",
            rf"{{}} \quad \dots + {last}\big)",
            rf"\approx -\log {_inside(p[label])} \approx {number(loss)}",
        ),
    )


def squared_error(p: np.ndarray, label: int, loss: float) -> Equation:
    """L = the mean of (p_c - y_c)² over the ten digits"""
    return Equation(
        r"L = \frac{1}{10} \sum_{c=0}^{9} (p_c - y_c)^2",
        rf"L \approx \frac{{({probability(p[label])} - 1)^2 + \dots}}{{10}} \approx {number(loss)}",
    )
