"""What a grid shows as part of a link: written, read back, and read where somebody changed it."""

from dataclasses import replace
from itertools import product
from urllib.parse import parse_qsl, urlencode

import pytest

from mnist_core import view
from mnist_core.view import View

RICH = View("both", (4, 9), 100, 199, (10, 30), "shuffled", 77)
QUERY = {
    "split": "both", "digits": "49", "range": "100-199", "ink": "10-30", "order": "shuffled",
    "seed": "77",
}  # fmt: skip
FIELDS = {
    "split": {"split": "training"}, "digits": {"digits": ()}, "range": {"first": 0, "last": None},
    "ink": {"ink": (0, 100)}, "order": {"order": "index"}, "seed": {"seed": 0},
}  # fmt: skip
BAD = [
    ("split", "valid"), ("split", ""), ("split", "Training"), ("split", "test "),
    ("digits", "4x"), ("digits", ""), ("digits", "4,9"), ("digits", "٣"), ("digits", "-4"),
    ("digits", "01234567890"), ("digits", "4\n"),
    ("range", "a-b"), ("range", "5-a"), ("range", "-5"), ("range", "1-2-3"), ("range", "٣"),
    ("range", "1.5"), ("range", "0x10"), ("range", "1234567890"), ("range", "1-1234567890"),
    ("ink", "30"), ("ink", "10-"), ("ink", "-10-30"), ("ink", "10–30"), ("ink", "1000-2000"),
    ("ink", "٣-٤"), ("ink", "10-30\n"), ("ink", ""), ("ink", "1e1-30"),
    ("order", ""), ("order", "beauty"), ("order", "Index"), ("order", "by index"),
    ("seed", "abc"), ("seed", "99999"), ("seed", "-1"), ("seed", "٣"), ("seed", "1.0"),
    ("seed", ""), ("seed", "²"), ("seed", "7\n"),
    *((name, "9" * 100_000) for name in ("split", "digits", "range", "ink", "order", "seed")),
]  # fmt: skip


def test_the_defaults_need_no_link_and_an_empty_link_gives_them():
    assert View().to_query() == {}
    assert View.from_query({}) == (View(), [])


def test_a_link_says_each_part_that_is_no_default():
    assert RICH.to_query() == QUERY
    assert View.from_query(QUERY) == (RICH, [])


@pytest.mark.parametrize(
    ("changed", "query"),
    [({"split": "test"}, {"split": "test"}), ({"digits": (0,)}, {"digits": "0"}),
     ({"first": 12, "last": 12}, {"range": "12"}), ({"first": 0, "last": 0}, {"range": "0"}),
     ({"last": 9}, {"range": "0-9"}), ({"ink": (0, 99)}, {"ink": "0-99"}),
     ({"order": "thin"}, {"order": "thin"}), ({"seed": 5}, {}),
     ({"order": "shuffled"}, {"order": "shuffled", "seed": "0"})],
)  # fmt: skip
def test_the_parts_as_a_link_writes_them(changed, query):
    assert View(**changed).to_query() == query


def test_every_view_survives_the_link():
    ranges = [(0, None), (0, 0), (0, 99), (12, 12), (100, 199), (59_999, 69_999), (0, 999_999_999)]
    every = product(
        view.SPLITS, [(), (0,), (4, 9), tuple(range(10))], ranges, [(0, 100), (0, 0), (10, 30)],
        view.ORDERS, [0, 7, view.LARGEST_SEED],
    )  # fmt: skip
    for split, digits, (first, last), ink, order, seed in every:
        shown = View(split, digits, first, last, ink, order, seed if order == "shuffled" else 0)
        url = urlencode(shown.to_query())
        assert View.from_query(dict(parse_qsl(url))) == (shown, [])


def test_a_view_that_only_has_a_first_index_survives_the_link():
    shown = View(first=100)
    assert View.from_query(shown.to_query()) == (shown, [])


@pytest.mark.parametrize(("name", "text"), BAD, ids=lambda part: ascii(part[:20]))
def test_a_part_that_is_not_understood_is_named_and_takes_its_default_alone(name, text):
    read, problems = View.from_query(QUERY | {name: text})
    assert read == replace(RICH, **FIELDS[name])
    [problem] = problems
    assert problem.startswith(f"“{text[:20]}” in the link is no {name}: expected ")
    assert problem.endswith(".")
    assert len(problem) < 160


def test_there_is_a_sentence_for_each_part_that_is_not_understood():
    read, problems = View.from_query(dict.fromkeys(QUERY, "?"))
    assert read == View()
    assert len(problems) == len(QUERY)
    assert all(sum(f"no {name}:" in problem for problem in problems) == 1 for name in QUERY)


def test_what_else_is_in_a_link_is_left_alone():
    assert View.from_query({"slice": "mine:AA", "image": "7"}) == (View(), [])


@pytest.mark.parametrize(
    ("name", "text", "changed"),
    [("range", "199-100", {"first": 100, "last": 199}),
     ("range", "1,000 – 1,999", {"first": 1000, "last": 1999}),
     ("range", "5…7", {"first": 5, "last": 7}), ("range", " 12 ", {"first": 12, "last": 12}),
     ("range", "", {}), ("range", "0-59999", {"last": 59_999}),
     ("range", "007-9", {"first": 7, "last": 9}),
     ("ink", "30-10", {"ink": (10, 30)}), ("ink", "0-100", {}),
     ("ink", "50-999", {"ink": (50, 100)}),
     ("digits", "94", {"digits": (4, 9)}), ("digits", "9494", {"digits": (4, 9)}),
     ("seed", "0042", {"seed": 42}), ("seed", "9999", {"seed": 9999}),
     ("order", "index", {}), ("split", "training", {})],
)  # fmt: skip
def test_what_can_only_mean_one_thing_is_understood(name, text, changed):
    assert View.from_query({name: text}) == (View(**changed), [])


@pytest.mark.parametrize(
    ("text", "bounds"),
    [("", (0, None)), ("   ", (0, None)), ("12", (12, 12)), ("100-199", (100, 199)),
     ("199-100", (100, 199)), ("0", (0, 0)), ("100-", (100, None)),
     ("1,200 – 1,300", (1200, 1300))],
)  # fmt: skip
def test_a_range_is_read(text, bounds):
    assert view.read_range(text) == dict(zip(("first", "last"), bounds, strict=True))


@pytest.mark.parametrize("text", ["a", "1,5", "-", "1--2", "٣", "1234567890", "1;2"])
def test_what_is_no_range_is_refused(text):
    with pytest.raises(ValueError, match="expected an index such as 12, or a range"):
        view.read_range(text)


@pytest.mark.parametrize(
    ("first", "last", "text"), [(0, None, ""), (12, 12, "12"), (0, 0, "0"), (0, 9, "0-9")]
)
def test_a_range_is_written_as_it_is_read(first, last, text):
    assert view.range_text(first, last) == text
    assert view.read_range(text) == {"first": first, "last": last}


@pytest.mark.parametrize(
    ("changed", "filters"),
    [({}, False), ({"split": "both"}, False), ({"order": "thick"}, False), ({"seed": 3}, False),
     ({"order": "shuffled", "seed": 3, "split": "test"}, False),
     ({"digits": (0,)}, True), ({"first": 1}, True), ({"last": 0}, True), ({"last": 9}, True),
     ({"ink": (0, 99)}, True), ({"ink": (1, 100)}, True)],
)  # fmt: skip
def test_a_split_or_an_order_alone_is_no_filter(changed, filters):
    assert View(**changed).filters is filters


def test_a_view_can_be_a_key_and_cannot_be_changed():
    assert {RICH: 1}[View.from_query(QUERY)[0]] == 1
    with pytest.raises(AttributeError):
        RICH.seed = 3
