"""The equations filled in: every number that is shown is read back and compared with an oracle."""

import math
from decimal import Decimal

import numpy as np
import pytest
from latex import sides, value
from scipy.special import erf, expit, log_softmax
from scipy.special import softmax as softmax_of

from mnist_core import equations, step_equations
from mnist_core.layers import ACTIVATIONS
from mnist_core.update_rules import RULES

RNG = np.random.default_rng(5)
CLOSE = {"rel": 0.012, "abs": 2e-3}  # three digits, in each factor and each term


def check(found, expected, close=CLOSE):
    """Every side of the filled equation but its name comes to what is expected."""
    name, *rest = sides(found.filled)
    assert rest, name
    for side in rest:
        assert value(side) == pytest.approx(expected, **close), side


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"), (1.0, "1"), (-3.0, "-3"), (0.12345, "0.123"), (-0.98765, "-0.988"),
        (0.9996, "1.00"), (9.996, "10.0"), (12.345, "12.3"), (123.4, "123"), (45678.2, "45678"),
        (123456.7, r"1.23 \cdot 10^{5}"), (-4.5678e-7, r"-4.57 \cdot 10^{-7}"),
        (0.00099999, r"1.00 \cdot 10^{-3}"), (np.float32(0.25), "0.250"),
        (math.nan, r"\text{no number}"), (math.inf, r"\text{no number}"),
    ],
)  # fmt: skip
def test_a_number_has_three_digits(number, text):
    assert equations.number(number) == text


def test_three_digits_are_the_number_for_any_size():
    for size in 10.0 ** RNG.uniform(-9, 9, 300) * RNG.choice([-1, 1], 300):
        assert value(equations.number(size)) == pytest.approx(size, rel=5.1e-3), size


def test_a_factor_with_a_sign_or_a_power_stands_in_brackets():
    assert equations.factor(-2.5) == "(-2.50)"
    assert equations.factor(1e-9) == r"(1.00 \cdot 10^{-9})"
    assert equations.factor(2.5) == "2.50"


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.001, "0.001"), (1e-5, r"1.00 \cdot 10^{-5}"), (10.0, "10"), (0.5, "0.5")],
)
def test_a_chosen_number_has_no_zeros_at_its_end(number, text):
    assert equations.constant(number) == text


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.5, "0.500"), (0.93, "0.9300"), (0.99882, "0.99882"), (1.0, "1"), (0.0, "0"),
     (1 - 1.234e-7, "0.999999877")],
)  # fmt: skip
def test_a_probability_near_1_shows_what_is_missing(p, text):
    assert equations.probability(p) == text


def test_normalization_and_flatten():
    check(equations.normalization(137, 3, 21), 137 / 255)
    assert sides(equations.normalization(137, 3, 21).filled)[0] == "x_{3,21}"
    rows = np.arange(784).reshape(28, 28)
    check(equations.flatten(3, 21), int(rows[3, 21]))


@pytest.mark.parametrize("count", [1, 2, 3, 784])
@pytest.mark.parametrize("bias", [None, 0.3127])
def test_a_weighted_sum_adds_up(count, bias):
    x, w = RNG.random(count), RNG.normal(size=count) / 10
    expected = sum(a * b for a, b in zip(x, w, strict=True)) + (bias or 0)
    found = equations.weighted_sum(x, w, bias, 17)
    check(found, expected, {"rel": 0.012, "abs": 0.01})
    assert sides(found.filled)[0] == "z_{17}"
    assert (f"{count - 2}" + r"\text{ more}" in found.filled) == (count > 2)
    assert (r"_{b}" in found.filled) == (bias is not None)
    assert f"={{0}}^{{{count - 1}}}".replace("={0}", "{i=0}") in found.general


def test_the_largest_terms_of_a_sum_are_written_out():
    x, w = np.array([1.0, 2, 3, 4, 5]), np.array([0.1, -4, 0.2, 0.01, 1])
    text = equations.weighted_sum(x, w, None, 0).filled
    assert r"2 \cdot (-4)" in text and r"5 \cdot 1" in text
    assert r"3 \cdot" not in text and r"4 \cdot" not in text


def test_batch_normalization():
    numbers = {"gamma": 1.7, "beta": -0.4, "mean": 0.9, "variance": 2.3}
    expected = 1.7 * (3.1 - 0.9) / math.sqrt(2.3 + 1e-3) - 0.4
    check(equations.batch_norm(3.1, numbers, expected, 4), expected)


@pytest.mark.parametrize("z", [-1.37, 0.0, 0.62])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name, z):
    expected = {
        "relu": max(0.0, z), "tanh": math.tanh(z), "sigmoid": float(expit(z)), "linear": z,
        "elu": z if z > 0 else math.exp(z) - 1, "gelu": z * 0.5 * (1 + erf(z / math.sqrt(2))),
    }[name]  # fmt: skip
    check(equations.activation(name, z, expected, 9), expected)


@pytest.mark.parametrize("digit", [0, 4, 9])
@pytest.mark.parametrize("size", [1.0, 8.0, 300.0])
def test_softmax(digit, size):
    z = RNG.normal(size=10) * size
    expected = softmax_of(z)[digit]
    *_, last = sides(equations.softmax(z, digit).filled)
    assert value(last) == pytest.approx(expected, rel=6e-3)
    _, fraction, _ = sides(equations.softmax(z, digit).filled)
    # Its power has three digits of each logit: of large ones no digit is left behind the point.
    assert value(fraction) == pytest.approx(expected, rel=0.012 if size == 1 else 10, abs=1e-9)


@pytest.mark.parametrize("label", range(10))
def test_cross_entropy_has_one_term_that_counts(label):
    z = RNG.normal(size=10) * 3
    p, expected = softmax_of(z), -log_softmax(z)[label]
    found = equations.cross_entropy(p, label, expected)
    _, terms, one, last = sides(found.filled)
    assert terms.count(r"1 \cdot \log") == 1 and terms.count(r"0 \cdot \log") == 1
    assert (terms.index(r"1 \cdot \log") < terms.index(r"0 \cdot \log")) == (label == 0)
    assert value(one) == pytest.approx(expected, rel=6e-3)
    assert value(last) == pytest.approx(expected, rel=6e-3)


@pytest.mark.parametrize(
    ("total", "text"),
    [(1.0, "1"), (1.00118, "1.00118"), (1 + 2e-9, "1.00000000200"), (2.5, "2.50")],
)
def test_the_sum_below_softmax_shows_what_it_is_more_than_1(total, text):
    assert equations.above_one(total) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1.234e-5, "1.23·10⁻⁵"), (-0.04, "−0.04"), (2.5e12, "2.5·10¹²"), (0, "0")]
)
def test_a_number_in_a_sentence_knows_no_latex(value, text):
    assert equations.spoken(value) == text


def test_cross_entropy_of_a_probability_that_is_rounded_to_0_is_the_logits():
    z = np.zeros(10)
    z[3] = 900.0
    found = equations.cross_entropy(softmax_of(z), 5, -float(log_softmax(z)[5]))
    assert sides(found.filled)[-1] == "900"


def test_squared_error():
    p = softmax_of(RNG.normal(size=10))
    expected = float(((p - np.eye(10)[2]) ** 2).mean())
    assert value(sides(equations.squared_error(p, 2, expected).filled)[-1]) == pytest.approx(
        expected, rel=6e-3
    )


# The chain rule and the step


@pytest.mark.parametrize("digit", [2, 7])
def test_the_error_at_the_output_is_the_slope_of_the_loss(digit):
    z, label, h = RNG.normal(size=10), 7, 1e-6
    up, down = (-log_softmax(z + sign * h * np.eye(10)[digit])[label] for sign in (1, -1))
    check(step_equations.output_slope(softmax_of(z), label, digit), (up - down) / (2 * h))


@pytest.mark.parametrize("digit", [2, 7])
def test_the_slope_of_the_squared_error_goes_through_softmax(digit):
    z, label, h = RNG.normal(size=10), 7, 1e-6
    up, down = (
        ((softmax_of(z + sign * h * np.eye(10)[digit]) - np.eye(10)[label]) ** 2).mean()
        for sign in (1, -1)
    )
    found = step_equations.squared_slope(softmax_of(z), label, digit)
    check(found, (up - down) / (2 * h), {"rel": 0.05, "abs": 1e-3})


@pytest.mark.parametrize("count", [1, 2, 10])
@pytest.mark.parametrize("gate", [0.0, 1.0, 0.42])
def test_a_hidden_slope_adds_what_comes_back(gate, count):
    w, slopes = RNG.normal(size=count), RNG.normal(size=count)
    expected = gate * sum(a * b for a, b in zip(w, slopes, strict=True))
    found = step_equations.hidden_slope(
        w, slopes, gate, expected, 3, relu=gate != 0.42, normalized=False
    )
    check(found, expected, {"rel": 0.02, "abs": 0.02})
    assert ("[z_u > 0]" in found.general) == (gate != 0.42)
    normalized = step_equations.hidden_slope(
        w, slopes, gate, expected, 3, relu=gate != 0.42, normalized=True
    )
    assert r"\gamma_u" in normalized.general and r"\hat z_u" in normalized.general


@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_the_gradient_of_a_weight(decay):
    found = step_equations.weight_slope(0.83, -0.042, (355, 4), decay, -0.37)
    check(found, 0.83 * -0.042 + 2 * decay * -0.37, {"rel": 0.012, "abs": 1e-4})
    assert sides(found.filled)[0] == "g_{355,4}"
    assert (r"\lambda" in found.general) == bool(decay)


@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_the_gradient_of_a_filters_weight_adds_all_places(decay):
    x, slopes = RNG.random(196), RNG.normal(size=196)
    expected = float(np.dot(x, slopes)) + 2 * decay * 0.3
    check(step_equations.filter_slope(x, slopes, decay, 0.3), expected, {"rel": 0.02, "abs": 0.05})


@pytest.mark.parametrize("t", [1, 9376])
@pytest.mark.parametrize("name", RULES)
def test_every_line_of_an_update_adds_up(name, t):
    g, w, rate = -2.33e-3, 0.0871, 0.003
    old = {state: size for state, size in {"m": 1.7e-3, "v": 4.1e-6}.items()
           if state in RULES[name].state and t > 1}  # fmt: skip
    old |= {state: 0.0 for state in RULES[name].state if state not in old}
    numbers = RULES[name].take(w, g, old, t, rate)
    equations_of = step_equations.update(name, numbers, old, g, w, t, rate)
    for found in equations_of:
        if "quad" in found.filled:  # the two bias corrections
            one, two = found.filled.split(r"\quad")
            for text, beta in ((one, 0.9), (two, 0.999)):
                left, right = sides(text.strip().rstrip(","))
                assert value(left) == pytest.approx(1 - beta**t, rel=1e-3)
                assert value(right.rstrip(", ")) == pytest.approx(1 - beta**t, rel=1e-3)
            continue
        _, *rest = sides(found.filled.replace(r"\leftarrow", "="))
        found_values = [value(side) for side in rest]
        assert found_values == pytest.approx([found_values[-1]] * len(rest), rel=0.02)
    step = abs(float(numbers["step"]))
    assert found_values[-1] == pytest.approx(w + float(numbers["step"]), abs=6e-3 * step + 1e-12)
    left, right = sides(equations_of[-1].filled.replace(r"\leftarrow", "="))[1:]
    assert sum(map(Decimal, left.split())) == Decimal(right)  # to the last digit that is written


def test_adams_lines_are_kingma_and_bas_second_form():
    """By hand: β₁ 0.9, β₂ 0.999, ε̂ 1e-7 beside the root, both corrections in α."""
    g, m, v, t, rate = 0.5, 0.2, 0.04, 3, 0.001
    m_new, v_new = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
    alpha = rate * math.sqrt(1 - 0.999**3) / (1 - 0.9**3)
    step = -alpha * m_new / (math.sqrt(v_new) + 1e-7)
    numbers = RULES["adam"].take(0.0, g, {"m": m, "v": v}, t, rate)
    lines = step_equations.update("adam", numbers, {"m": m, "v": v}, g, 0.0, t, rate)
    ends = [value(sides(found.filled)[-1]) for found in (lines[0], lines[1], lines[3], lines[4])]
    assert ends == pytest.approx([m_new, v_new, alpha, step], rel=6e-3)
