"""The equations as they are written: what stands there is read back and calculated anew."""

import math
import re
from fractions import Fraction

import keras
import numpy as np
import pytest

from mnist_core import convolution_equations as equations
from mnist_core.layers import ACTIVATIONS
from mnist_core.receptive import OneOutput

NUMBER = r"-?\d+(?:\.\d+)?(?: \\cdot 10\^\{-?\d+\})?"
NORM = {"gamma": 1.2, "beta": -0.4, "mean": 0.3, "variance": 0.6}


def output(seed=0, channels=1, bias=0.21, norm=None, activation="relu", scale=1.0, side=5):
    """Return the numbers of an output, with Keras's sum, its normalization and activation."""
    rng = np.random.default_rng(seed)
    window = scale * rng.random((side, side, channels))
    window[0] = 0
    weights = rng.normal(size=(side, side, channels))
    call = keras.layers.Conv2D(1, side, use_bias=bias is not None)
    call.build((None, side, side, channels))
    call.set_weights([weights[..., None]] + ([np.array([bias])] if bias is not None else []))
    z = y = float(np.asarray(call(window[None])).item())
    if norm:
        layer = keras.layers.BatchNormalization()
        layer.build((None, 1))
        layer.set_weights(
            [np.array([norm[name]]) for name in ("gamma", "beta", "mean", "variance")]
        )
        y = float(np.asarray(layer(np.array([[z]]))).item())
    a = float(np.asarray(keras.activations.get(activation)(np.array([y], np.float32))).item())
    return OneOutput(window, weights, bias, z, norm, y, activation, a)


def lines(text):
    inner = text.removeprefix(r"\begin{aligned}").removesuffix(r"\end{aligned}")
    return inner.split(r" \\[4pt] ")


def value(text):
    """Return what a written sum of numbers comes to, exactly."""
    plain = re.sub(r"\\underbrace\{([^}]*)\}_\{(?:\\text\{[^}]*\}|b)\}", r"\1", text)
    assert re.fullmatch(rf"(?:{NUMBER})(?: [+-] \d+(?:\.\d+)?)*", plain), plain
    return sum(
        Fraction(part.replace(" ", "")) for part in re.findall(r"[+-]? ?\d+(?:\.\d+)?", plain)
    )


def exponential(text):
    digits, _, power = text.partition(r" \cdot 10^{")
    return float(digits) * 10 ** int(power.removesuffix("}") or 0)


@pytest.mark.parametrize("bias", [0.21, -3.0, None])
@pytest.mark.parametrize("channels", [1, 6])
@pytest.mark.parametrize("seed", range(6))
def test_what_is_written_adds_up_to_kerass_sum(seed, channels, bias):
    out = output(seed, channels, bias)
    first, added, total, *_ = lines(equations.filled(out))
    written = total.removeprefix("&= ")
    assert value(added.removeprefix("&= ")) == Fraction(written)
    decimals = len(written.partition(".")[2])
    assert abs(float(written) - out.z) <= 0.5 * 10**-decimals + 1e-5
    assert len(written.replace("-", "").replace(".", "").lstrip("0")) >= 3
    others = int(re.search(r"\\text\{(\d+) more\}", added)[1])
    pairs = re.findall(rf"({NUMBER}) \\cdot (\(?{NUMBER}\)?)", first)
    assert len(pairs) + others == 25 * channels
    products = [float(x) * float(w.strip("()")) for x, w in pairs]
    largest = sorted(abs(out.window * out.weights).ravel())[::-1][: len(pairs)]
    np.testing.assert_allclose(np.abs(products), largest, rtol=0.01)
    shown = re.findall(r"-? ?\d+\.\d+", added)[: len(pairs)]
    np.testing.assert_allclose(
        np.abs([float(text.replace(" ", "")) for text in shown]), largest, atol=10**-decimals,
        rtol=0.01,
    )  # fmt: skip
    assert (r"_{b}" in added) == (bias is not None)


def test_in_a_blank_window_the_bias_is_left():
    out = OneOutput(
        np.zeros((3, 3, 1)), np.ones((3, 3, 1)), 0.125, 0.125, None, 0.125, "relu", 0.125
    )
    first, added, total, last = lines(equations.filled(out))
    assert first == r"z &= \dots + b"
    assert added == r"&= \underbrace{0.000}_{\text{9 more}} + \underbrace{0.125}_{b}"
    assert (total, last) == ("&= 0.125", r"a &= \max(0, 0.125) = 0.125")


def test_what_is_all_zero_is_written_as_zero():
    zero = np.zeros((3, 3, 1))
    text = equations.filled(OneOutput(zero, zero, None, 0.0, None, 0.0, "relu", 0.0))
    assert value(lines(text)[1].removeprefix("&= ")) == 0 and "nan" not in text


def test_a_one_by_one_filter_has_no_others():
    out = OneOutput(np.full((1, 1, 1), 0.5), np.full((1, 1, 1), -3.0), None, -1.5, None, -1.5,
                    "linear", -1.5)  # fmt: skip
    assert lines(equations.filled(out)) == [
        r"z &= 0.500 \cdot (-3)", "&= -1.50", "&= -1.50", "a &= -1.50 = -1.50"
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_batch_normalization_can_be_calculated_from_what_is_written(seed):
    out = output(seed, 3, None, NORM)
    line = lines(equations.filled(out))[3]
    found = re.fullmatch(
        rf"y &= ({NUMBER}) \\cdot \\frac\{{({NUMBER}) ([+-]) ({NUMBER})\}}"
        rf"\{{\\sqrt\{{({NUMBER}) \+ 0.001\}}\}} ([+-]) ({NUMBER}) = ({NUMBER})", line,
    )  # fmt: skip
    gamma, z, sign, mean, variance, plus, beta, y = found.groups()
    above = float(z) + float(sign + mean)
    again = float(gamma) * above / math.sqrt(float(variance) + 0.001) + float(plus + beta)
    assert (float(gamma), float(sign + mean), float(variance)) == (1.2, -0.3, 0.6)
    assert float(y) == pytest.approx(again, rel=0.02, abs=0.02)
    assert float(y) == pytest.approx(out.y, rel=0.006)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("seed", [0, 1])
def test_every_activation_ends_with_kerass_value(activation, seed):
    out = output(seed, activation=activation)
    last = lines(equations.filled(out))[-1]
    shown = exponential(re.search(rf"= ({NUMBER})$", last)[1])
    assert shown == pytest.approx(out.a, rel=0.006, abs=1e-6)
    assert not {"{z}", "{}"} & {last, equations.general(out)}


def test_in_general_the_equation_names_what_there_is():
    one = equations.general(output(channels=1))
    assert r"\sum_{i,j} x_{i,j}\, w_{i,j} + b" in one and r"\gamma" not in one
    many = equations.general(output(channels=3, bias=None, norm=NORM))
    assert r"\sum_{i,j,k} x_{i,j,k}\, w_{i,j,k}" in many and "+ b" not in many
    assert r"\gamma" in many and r"\max(0, y)" in many


@pytest.mark.parametrize("seed", range(20))
def test_texts_add_up_and_stay_near(seed):
    rng = np.random.default_rng(seed)
    parts = [*(rng.normal(size=6) * 10.0 ** rng.integers(-3, 3)).tolist(), 0.0]
    texts, total = equations.together(parts, max(parts, key=abs))
    assert sum(map(Fraction, texts)) == Fraction(total)
    step = 10.0 ** -len(total.partition(".")[2])
    assert float(texts[-1]) == 0
    np.testing.assert_allclose([float(text) for text in texts], parts, atol=step, rtol=0)
    assert float(total) == pytest.approx(math.fsum(parts), abs=0.51 * step)


def test_pooling_is_filled_in():
    square = np.array([[0.25, -1.5], [3.0, 0.0]])
    assert equations.pooling("max", square) == r"y = \max(0.250,\ -1.50,\ 3,\ 0) = 3"
    mean = equations.pooling("mean", square)
    above, below, result = re.fullmatch(r"y = \\frac\{(.*)\}\{(\d)\} = (.*)", mean).groups()
    assert value(above) == Fraction(7, 4) and below == "4"
    assert float(result) == pytest.approx(0.4375, abs=0.001)


def test_a_large_square_shows_its_largest_values_alone():
    square = np.arange(16.0).reshape(4, 4)
    text = equations.pooling("max", square)
    assert text.endswith(r"15,\ \dots) = 15") and r"(7,\ 8" in text
    assert equations.pooling("mean", square) == r"y = \frac{\text{sum } 120.0}{16} = 7.50"
    assert r"\frac{1}{16}" in equations.pooling_in_general("mean", 4)
