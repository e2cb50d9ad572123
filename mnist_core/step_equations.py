"""One learning step as LaTeX, in the way of equations.py: the chain rule, then the step."""

from __future__ import annotations

import numpy as np

from mnist_core.equations import (
    Equation,
    constant,
    equal,
    factor,
    lines,
    long_sum,
    number,
    probability,
)
from mnist_core.update_rules import BETA_1, BETA_2, MOMENTUM, RHO, WEIGHT_DECAY, Numbers


def output_slope(p: np.ndarray, label: int, digit: int) -> Equation:
    """dL/dz_i = p_i - y_i, of softmax and cross-entropy together"""
    y = int(digit == label)
    return Equation(
        r"\delta_i = \frac{\partial L}{\partial z_i} = p_i - y_i",
        rf"\delta_{{{digit}}} \approx {probability(p[digit])} - {y} \approx {number(p[digit] - y)}",
    )


def squared_slope(p: np.ndarray, label: int, digit: int) -> Equation:
    """dL/dz_i of softmax and mean squared error: the chain rule through softmax"""
    outer = (p - np.eye(10)[label]) / 5
    value = p[digit] * (outer[digit] - float(p @ outer))
    return Equation(
        r"\delta_i = p_i \Big(s_i - \sum_j p_j s_j\Big), \quad s_i = \tfrac{2}{10} (p_i - y_i)",
        rf"\delta_{{{digit}}} \approx {number(p[digit])} \cdot "
        rf"\big({number(outer[digit])} - {factor(float(p @ outer))}\big) \approx {number(value)}",
    )


def hidden_slope(
    w: np.ndarray, next_slopes: np.ndarray, gate: float, value: float, unit: int, *,
    relu: bool, normalized: bool,
) -> Equation:  # fmt: skip
    """dL/dz_u = f'(z_u) Σ_k w_uk δ_k: outgoing weights and the slopes behind them, both (K,)

    `gate` is f' and, where the sum was batch-normalized before f, also γ/√(σ² + 0.001).
    """
    z = r"\hat z_u" if normalized else "z_u"
    inside = f"[{z} > 0]" if relu else f"f'({z})"
    if normalized:
        inside += r" \tfrac{\gamma_u}{\sqrt{\sigma_u^2 + 0.001}}"
    return Equation(
        rf"\delta_u = \frac{{\partial L}}{{\partial z_u}} = {inside} \sum_k w_{{uk}} \, \delta_k",
        lines(
            *equal(rf"\delta_{{{unit}}}", _times(number(gate), long_sum(w, next_slopes, count=1))),
            rf"\approx {number(value)}",
        ),
    )


def _times(gate: str, inside: list[str]) -> list[str]:
    """Return the lines of a product with a sum in brackets."""
    first, *rest = inside
    if not rest:
        return [rf"{gate} \cdot \big({first}\big)"]
    return [rf"{gate} \cdot \big({first}", rf"{rest[0]}\big)"]


def weight_slope(x: float, slope: float, index: tuple[int, int], decay: float = 0.0,
                 w: float = 0.0, symbols: str = "xiu") -> Equation:  # fmt: skip
    """dL/dw_iu = x_i δ_u, and 2 λ w_iu where the layer has L2

    `symbols` are the letters of what comes in, of its number and of the unit's.
    """
    (i, unit), (what, a, b) = index, symbols
    more = rf" + 2 \lambda w_{{{a}{b}}}" if decay else ""
    filled = rf" + 2 \cdot {number(decay)} \cdot {factor(w)}" if decay else ""
    value = x * slope + 2 * decay * w
    return Equation(
        rf"g_{{{a}{b}}} = \frac{{\partial L}}{{\partial w_{{{a}{b}}}}} = "
        rf"{what}_{a} \, \delta_{b}{more}",
        rf"g_{{{i},{unit}}} \approx {number(x)} \cdot {factor(slope)}{filled} "
        rf"\approx {number(value)}",
    )


def filter_slope(x: np.ndarray, slopes: np.ndarray, decay: float = 0.0, w: float = 0.0) -> Equation:
    """dL/dw of a filter's weight: the sum over all places it was used at; x, slopes (n,)"""
    more = r" + 2 \lambda w" if decay else ""
    filled = [rf"\quad + 2 \cdot {number(decay)} \cdot {factor(w)}"] if decay else []
    value = float(x @ slopes) + 2 * decay * w
    return Equation(
        rf"g = \frac{{\partial L}}{{\partial w}} = \sum_{{\text{{places}}}} x \, \delta{more}",
        lines(*equal("g", [*long_sum(x, slopes, count=2), *filled]), rf"\approx {number(value)}"),
    )


def update(name: str, numbers: Numbers, old: dict[str, float], g: float, w: float, t: int,
           rate: float) -> list[Equation]:  # fmt: skip
    """The optimizer's step of one weight, line by line, in Keras's form.

    `name` is one of optimizers.OPTIMIZERS, `numbers` the step's as update_rules.py names them, each
    of one weight; `old` what was remembered of it; `t` counts the steps from 1.
    """
    step = float(numbers["step"])
    eta = r"\eta"
    if name in ("adam", "adamw"):
        own = r"\Delta_{\text{Adam}}" if name == "adamw" else r"\Delta w"
        found = _adam(numbers, old, g, t, rate, own)
        if name == "adamw":
            decay = float(numbers["decay"])
            found.append(Equation(
                rf"\Delta w = \Delta_{{\text{{Adam}}}} - {WEIGHT_DECAY} \, \eta \, w",
                rf"\Delta w \approx {number(step - decay)} - {WEIGHT_DECAY} \cdot {constant(rate)} "
                rf"\cdot {factor(w)} \approx {number(step)}",
            ))  # fmt: skip
    elif name == "sgd":
        filled = rf"\Delta w \approx -{constant(rate)} \cdot {factor(g)} \approx {number(step)}"
        found = [Equation(rf"\Delta w = -{eta} g", filled)]
    elif name in ("momentum", "nesterov"):
        m = float(numbers["m"])
        found = [Equation(
            rf"m_t = {MOMENTUM} \, m_{{t-1}} - {eta} g_t",
            rf"m_t \approx {MOMENTUM} \cdot {factor(old['m'])} - {constant(rate)} \cdot "
            rf"{factor(g)} \approx {number(m)}",
        )]  # fmt: skip
        found.append(
            Equation(r"\Delta w = m_t", rf"\Delta w \approx {number(step)}")
            if name == "momentum"
            else Equation(
                rf"\Delta w = {MOMENTUM} \, m_t - {eta} g_t",
                rf"\Delta w \approx {MOMENTUM} \cdot {factor(m)} - {constant(rate)} \cdot "
                rf"{factor(g)} \approx {number(step)}",
            )
        )
    else:
        v = float(numbers["v"])
        found = [
            _mean("v", RHO, old["v"], g**2, v, r"\rho", "g_t^2"),
            Equation(
                rf"\Delta w = -{eta} \frac{{g_t}}{{\sqrt{{v_t + \varepsilon}}}}",
                rf"\Delta w \approx -{constant(rate)} \cdot \frac{{{number(g)}}}"
                rf"{{\sqrt{{{number(v)} + 10^{{-7}}}}}} \approx {number(step)}",
            ),
        ]
    new = Equation(r"w \leftarrow w + \Delta w", rf"w \leftarrow {_added(w, step)}")
    return [*found, new]


def _added(w: float, step: float) -> str:
    """Return a weight, its step and the sum of the two, with three digits of the step."""
    decimals = min(12, max(6, 2 - int(np.floor(np.log10(abs(step) or 1.0)))))
    before, by = round(w, decimals), round(step, decimals)
    return rf"{before:.{decimals}f} {by:+.{decimals}f} = {before + by:.{decimals}f}"


def _mean(name, beta, old, new, value, symbol, what) -> Equation:
    """A moving average: β old + (1 - β) new"""
    return Equation(
        rf"{name}_t = {symbol} {name}_{{t-1}} + (1 - {symbol}) \, {what}",
        lines(
            rf"{name}_t \approx {beta} \cdot {factor(old)} + {1 - beta:.3g} \cdot {factor(new)}",
            rf"\approx {number(value)}",
        ),
    )


def _adam(
    numbers: Numbers, old: dict[str, float], g: float, t: int, rate: float, name: str
) -> list[Equation]:
    m, v, alpha = (float(numbers[name]) for name in ("m", "v", "alpha"))
    one, two = (float(numbers[f"correction_{i}"]) for i in (1, 2))
    step = -alpha * m / (np.sqrt(v) + 1e-7)
    return [
        _mean("m", BETA_1, old["m"], g, m, r"\beta_1", "g_t"),
        _mean("v", BETA_2, old["v"], g**2, v, r"\beta_2", "g_t^2"),
        Equation(
            r"1 - \beta_1^t, \quad 1 - \beta_2^t",
            rf"1 - {BETA_1}^{{{t}}} \approx {one:.4g}, \quad "
            rf"1 - {BETA_2}^{{{t}}} \approx {two:.4g}",
        ),
        Equation(
            r"\alpha_t = \eta \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}",
            rf"\alpha_t \approx {constant(rate)} \cdot \frac{{\sqrt{{{two:.4g}}}}}{{{one:.4g}}} "
            rf"\approx {number(alpha)}",
        ),
        Equation(
            name + r" = -\alpha_t \frac{m_t}{\sqrt{v_t} + \hat\varepsilon}",
            lines(
                rf"{name} \approx -{factor(alpha)} \cdot \frac{{{number(m)}}}"
                rf"{{\sqrt{{{number(v)}}} + 10^{{-7}}}}",
                rf"\approx {number(step)}",
            ),
        ),
    ]
