"""Fields that know their limits: what they let in, and their texts in an address."""

import math
from dataclasses import dataclass, fields

import numpy as np
import pytest

from mnist_core.fields import as_text, check, check_value, choice, expected, number, parse, switch


@dataclass
class Thing:
    whole: int = number(5, 1, 10, "Pieces")
    broken: float = number(0.5, 0.0, 1.0, "Share")
    maybe: int | None = number(None, 100, 60_000, "Images", empty="all")
    kind: str = choice("round", ("round", "square"), "Form")
    on: bool = switch(True, "Light")
    free: object = None


@dataclass
class Wide:
    any: float = number(1.0, 0.0, 1e9, "Any")


FIELDS = {each.name: each for each in fields(Thing)}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("whole", [1, 10]),
        ("broken", [0, 0.0, 1, 1.0, 0.3]),
        ("maybe", [None, 100, 60_000]),
        ("kind", ["round", "square"]),
        ("on", [True, False]),
        ("free", [object(), "x" * 1000, None]),
    ],
)
def test_values_up_to_the_limits_are_let_in(name, values):
    for value in values:
        check(Thing(**{name: value}))


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("whole", [0, 11, 2.0, True, "5", None, [], math.nan, 10**400],
         "pieces: a whole number from 1 to 10"),
        ("broken", [-1e-12, 1.0000001, True, "0.5", None, math.nan, math.inf, -math.inf, 1j],
         "share: a number from 0 to 1"),
        ("maybe", [99, 60_001, 0, "all", 100.0, False],
         "images: a whole number from 100 to 60,000"),
        ("kind", ["Round", "", None, 0, ["round"], "round "], "form: one of round, square"),
        ("on", [1, 0, "1", None, "on"], "light: on or off"),
    ],
)  # fmt: skip
def test_others_are_refused_with_what_was_expected_and_what_came(name, values, message):
    for value in values:
        with pytest.raises(ValueError) as error:
            check(Thing(**{name: value}), "lamp")
        what, _, range_ = message.partition(":")
        assert str(error.value).startswith(f"Expected {what} of a lamp:{range_}. Received: ")
        assert repr(value)[:20] in str(error.value)


def test_a_message_stays_short_and_may_advise():
    error = expected("less", "x" * 5000, "Take less.")
    assert len(str(error)) < 130
    assert str(error).startswith("Expected less. Received: 'xxx")
    assert str(error).endswith("…. Take less.")


TEXTS = {
    "whole": [(5, "5"), (10, "10")],
    "broken": [(0.5, "0.5"), (1.0, "1"), (0.0, "0"), (0.1 + 0.2, "0.30000000000000004"),
               (1e-5, "0.00001"), (1 / 3, "0.3333333333333333"), (1e-9, "0.000000001")],
    "maybe": [(60_000, "60000")],
    "kind": [("square", "square")],
    "on": [(True, "1"), (False, "0")],
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_a_value_has_one_text_and_comes_back_from_it_in_every_digit(name):
    for value, text in TEXTS[name]:
        assert as_text(value) == text
        back = parse(FIELDS[name], text)
        assert back == value and type(back) is type(value)


def test_no_float_loses_a_digit_or_has_an_exponent():
    rng = np.random.default_rng(0)
    for value in [*(10 ** rng.uniform(-12, 8, 500)).tolist(), 1e-7, 1e6, 1e8, 100.0]:
        text = as_text(value)
        assert set(text) <= set("0123456789.")
        assert parse(fields(Wide)[0], text) == value


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("whole", ["", "0", "11", "5.0", "five", "1e400", "1e1", "-5", "9" * 5000, "½", "\0"]),
        ("broken", ["", "nan", "inf", "-inf", "1e400", "2", "half", "0,5", "٠٫٥", "0x1p-1"]),
        ("maybe", ["", "all", "None", "null", "99"]),
        ("kind", ["", "ROUND", "round~square", "🙂"]),
        ("on", ["", "2", "True", "yes", "on", "01"]),
    ],
)  # fmt: skip
def test_texts_of_no_value_are_refused_in_one_sentence(name, texts):
    for text in texts:
        with pytest.raises(ValueError, match=r"^Expected .*\. Received: ") as error:
            parse(FIELDS[name], text)
        assert len(str(error.value)) < 170


@pytest.mark.parametrize("text", ["٣", "３", "3", " 3", "+3"])
def test_other_ways_to_write_a_digit_mean_the_digit_or_are_refused(text):
    """Python's int() reads them; what it gives is within the limits all the same."""
    assert parse(FIELDS["whole"], text) == 3


def test_only_fields_that_may_be_empty_may_be():
    check_value(FIELDS["maybe"], None)
    with pytest.raises(ValueError, match="Expected pieces"):
        check_value(FIELDS["whole"], None)
