"""Numbers as the screens write them."""

import math

import pytest

from mnist_core import wording

NAN, INFINITY = math.nan, math.inf


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.97812, "97.81 %"), (1, "100.00 %"), (0, "0.00 %"), (None, "–"), (NAN, "–")],
)
def test_a_share_is_written_in_per_cent(share, text):
    assert wording.percent(share) == text


def test_the_digits_of_a_share_can_be_chosen():
    assert wording.percent(0.97812, 1) == "97.8 %"
    assert wording.percent(0.975, 0) == "98 %"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.06741, "0.0674"), (0.0, "0.0000"), (2.302585, "2.3026"), (999.9, "999.9000"),
     (1_234_567.0, "1.2e+06"), (INFINITY, "inf"), (None, "–"), (NAN, "–")],
)  # fmt: skip
def test_a_loss_has_four_digits_and_a_large_one_its_size(value, text):
    assert wording.loss(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (0.44, "0.4 s"), (9.94, "9.9 s"), (9.96, "10 s"), (12.3, "12 s"),
     (99.4, "99 s"), (99.6, "2 min"), (180, "3 min"), (3599, "1 h 0 min"), (7500, "2 h 5 min"),
     (None, "–"), (NAN, "–"), (INFINITY, "–")],
)  # fmt: skip
def test_a_duration_is_written_in_the_unit_that_fits(seconds, text):
    assert wording.duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "what", "text"),
    [(1, "image", "1 image"), (0, "image", "0 images"), (10_000, "image", "10,000 images"),
     (1234, "", "1,234")],
)  # fmt: skip
def test_a_count_agrees_with_its_noun(number, what, text):
    assert wording.count(number, what) == text


@pytest.mark.parametrize(
    ("moment", "text"),
    [(0.0, "0"), (3.0, "3"), (2.4, "2.4"), (2.004, "2.004"), (200.0, "200"), (12.345, "12.345"),
     (199.999, "199.999")],
)  # fmt: skip
def test_an_epoch_is_written_without_idle_digits_and_read_back_the_same(moment, text):
    assert wording.epoch(moment) == text
    assert float(text) == moment


@pytest.mark.parametrize(
    ("text", "written"),
    [("plain text, 5 of 6.", "plain text, 5 of 6."), ("a_b*c", r"a\_b\*c"),
     (r"C:\runs", r"C\:\\runs"), ("[a](b) ![c]", r"\[a\]\(b\) \!\[c\]"),
     ("$x$ <b> `d`", r"\$x\$ \<b\> \`d\`"),
     (":fire: ~e~ #1 |", r"\:fire\: \~e\~ \#1 \|"), ("www.a.org", r"www\.a.org"),
     ("WWW.a.org", r"WWW\.a.org"), ("me@a.org", r"me\@a.org"), ("&copy;", r"\&copy;")],
)  # fmt: skip
def test_what_markdown_would_read_is_escaped(text, written):
    assert wording.verbatim(text) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [("one line", "one line"), ("two\nlines", "two  \nlines"), ("- a\n1. b", "\\- a  \n1\\. b"),
     ("a\n===\n---\n# b", "a  \n\\===  \n\\---  \n\\# b"), ("a\n\n    b*c", "a  \n  \nb\\*c"),
     ("12.5 of 3-4", "12\\.5 of 3-4")],
)  # fmt: skip
def test_lines_that_markdown_would_read_are_escaped(text, written):
    assert wording.verbatim_lines(text) == written
