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
    w: np.ndarray, next_slopes: np.ndarray, gate: float, value: float, unit: int, relu: bool
) -> Equation:
    """dL/dz_u = f'(z_u) Σ_k w_uk δ_k: outgoing weights and the slopes behind them, both (K,)"""
    inside = "[z_u > 0]" if relu else "f'(z_u)"
    return Equation(
        rf"\delta_u = \frac{{\partial L}}{{\partial z_u}} = {inside} \sum_k w_{{uk}} \, \delta_k",
        lines(
            *equal(rf"\delta_{{{unit}}}", _times(number(gate), long_sum(w, next_slopes, count=2))),
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
                 w: float = 0.0) -> Equation:  # fmt: skip
    """dL/dw_iu = x_i δ_u, and 2 λ w_iu where the layer has L2"""
    i, unit = index
    more = r" + 2 \lambda w_{iu}" if decay else ""
    filled = rf" + 2 \cdot {number(decay)} \cdot {factor(w)}" if decay else ""
    value = x * slope + 2 * decay * w
    return Equation(
        rf"g_{{iu}} = \frac{{\partial L}}{{\partial w_{{iu}}}} = x_i \, \delta_u{more}",
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
        found = _adam(numbers, old, g, t, rate)
        if name == "adamw":
            decay = float(numbers["decay"])
            found.append(Equation(
                r"\Delta w = -\alpha_t \frac{m_t}{\sqrt{v_t} + \hat\varepsilon} - \eta \lambda w",
                rf"\Delta w \approx {number(step - decay)} - {constant(rate)} \cdot {WEIGHT_DECAY} "
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
    new = Equation(r"w \leftarrow w + \Delta w",
                   rf"w \leftarrow {w:.6f} {step:+.6f} = {w + step:.6f}")  # fmt: skip
    return [*found, new]


def _mean(name, beta, old, new, value, symbol, what) -> Equation:
    """A moving average: β old + (1 - β) new"""
    return Equation(
        rf"{name}_t = {symbol} {name}_{{t-1}} + (1 - {symbol}) \, {what}",
        rf"{name}_t \approx {beta} \cdot {factor(old)} + {1 - beta:.3g} \cdot {factor(new)} "
        rf"\approx {number(value)}",
    )


def _adam(numbers: Numbers, old: dict[str, float], g: float, t: int, rate: float) -> list[Equation]:
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
            r"\Delta w = -\alpha_t \frac{m_t}{\sqrt{v_t} + \hat\varepsilon}",
            rf"\Delta w \approx -{number(alpha)} \cdot \frac{{{number(m)}}}"
            rf"{{\sqrt{{{number(v)}}} + 10^{{-7}}}} \approx {number(step)}",
        ),
    ]
