"""Sets of images in a link: there and back, and what somebody makes of the link on its way."""

import base64
import re

import numpy as np
import pytest

from mnist_core import slices

TOTAL = 70_000


def encoded(packed):
    return base64.urlsafe_b64encode(bytes(packed)).decode().rstrip("=")


def chosen(number, seed=0):
    return np.sort(np.random.default_rng(seed).choice(TOTAL, number, replace=False))


@pytest.mark.parametrize(
    "ids",
    [[], [0], [1], [127], [128], [16_383], [16_384], [69_999], [0, 1], [0, 69_999], [5, 6, 7],
     [126, 127, 128, 129], [0, 128, 256, 16_640], [*range(1000)], [*range(0, 70_000, 70)]],
    ids=lambda ids: f"{len(ids)} from {ids[:1]}",
)  # fmt: skip
def test_ids_survive_the_link(ids):
    text = slices.pack(np.array(ids, np.int64))
    assert re.fullmatch(r"[A-Za-z0-9_-]*", text)
    read = slices.unpack(text, TOTAL)
    assert read.dtype == np.int64
    assert read.tolist() == ids


@pytest.mark.parametrize("seed", range(20))
def test_a_thousand_images_among_70_000_fit_into_2_100_letters(seed):
    ids = chosen(slices.LARGEST, seed)
    text = slices.pack(ids)
    assert len(text) < 2100
    assert slices.unpack(text, TOTAL).tolist() == ids.tolist()


def test_the_longest_that_a_thousand_images_can_be_is_below_2_100_letters():
    """Every gap of 128 or more takes two bytes; among 70,000 there is room for 539 of them."""
    ids = np.cumsum([128] * 539 + [1] * 461)
    assert ids[-1] < TOTAL
    text = slices.pack(ids)
    assert 2000 < len(text) < 2100
    assert slices.unpack(text, TOTAL).tolist() == ids.tolist()


def test_a_link_is_written_as_protocol_buffers_write_numbers():
    assert slices.pack(np.array([300])) == encoded([0b1010_1100, 0b10])
    assert slices.pack(np.array([3, 303])) == encoded([3, 0b1010_1100, 0b10])
    assert slices.pack(np.array([], np.int64)) == ""
    assert slices.unpack(encoded([3, 0b1010_1100, 0b10]), TOTAL).tolist() == [3, 303]


def test_the_order_of_the_ids_does_not_matter():
    ids = chosen(50)
    assert slices.pack(ids[::-1]) == slices.pack(ids)


def test_more_images_than_fit_are_refused():
    with pytest.raises(ValueError, match=r"at most 1,000 images in a link\. Received: 1,001\."):
        slices.pack(np.arange(slices.LARGEST + 1))


@pytest.mark.parametrize(
    "text",
    ["A", "AAAAA", "*", "AA A", "AA\n", "é", "٣", "AA=A", "=", "====", "A" * 101, "AA%3D", "AA:AA",
     "AA.AA", "\x00"],
    ids=ascii,
)  # fmt: skip
def test_what_is_no_base64_cannot_be_read(text):
    with pytest.raises(ValueError, match="cannot be read: it was cut or changed"):
        slices.unpack(text, TOTAL)


@pytest.mark.parametrize(
    "packed",
    [[128], [3, 255], [255] * 50, [3, 0], [3, 4, 0, 5], [0, 0], [255, 255, 255, 127],
     [*[255] * 8, 127], [*[255] * 9, 1], [1, *[255] * 9, 1], [*[128] * 9, 2, 1], [*[255] * 50, 1],
     [*[255] * 50, 1, *[255] * 50, 1], [*[255] * 145, 1], [*[255] * 200, 1],
     [1, *[255] * 1000, 127], [1] * 1001, [1] * 5000, [*[255] * 1500]],
    ids=lambda packed: f"{packed[:2]}, {len(packed)} bytes",
)  # fmt: skip
def test_numbers_that_cannot_be_ids_are_refused(packed):
    with pytest.raises(ValueError, match="none of this dataset: it was cut or changed"):
        slices.unpack(encoded(packed), TOTAL)


@pytest.mark.parametrize(("ids", "total"), [([0], 0), ([9], 9), ([3, 10], 10), ([69_999], 60_000)])
def test_ids_beyond_the_dataset_are_refused_and_the_last_one_is_not(ids, total):
    text = slices.pack(np.array(ids))
    with pytest.raises(ValueError, match="none of this dataset"):
        slices.unpack(text, total)
    assert slices.unpack(text, ids[-1] + 1).tolist() == ids


def test_an_image_that_is_in_it_twice_is_refused_by_the_reader():
    with pytest.raises(ValueError, match="none of this dataset"):
        slices.unpack(slices.pack(np.array([4, 4])), TOTAL)


def test_of_a_link_that_was_cut_the_beginning_is_read_or_it_is_refused():
    ids = chosen(60).tolist()
    text, refused = slices.pack(np.array(ids)), 0
    for length in range(len(text)):
        try:
            read = slices.unpack(text[:length], TOTAL).tolist()
        except ValueError:
            refused += 1
        else:
            assert read == ids[: len(read)]
    assert refused > 20


def test_whatever_becomes_of_a_link_its_ids_are_of_this_dataset_or_it_is_refused():
    rng, text = np.random.default_rng(0), slices.pack(chosen(40))
    letters = [*"ABCXYZabcxyz0189-_", "+", "/", "=", "%", " ", "ü", ":"]
    outcomes = set()
    for _ in range(3000):
        changed = [*text]
        for place in rng.choice(len(text), rng.integers(1, 4)):
            changed[place] = letters[rng.integers(len(letters))]
        try:
            ids = slices.unpack("".join(changed), TOTAL)
        except ValueError:
            outcomes.add("refused")
        else:
            outcomes.add("read")
            assert ids.dtype == np.int64
            assert (np.diff(ids) > 0).all()
            assert ids[0] >= 0 and ids[-1] < TOTAL
    assert outcomes == {"refused", "read"}


def test_random_bytes_are_ids_of_this_dataset_or_refused():
    rng = np.random.default_rng(0)
    for _ in range(1000):
        packed = rng.integers(0, 256, rng.integers(0, 12), np.uint8)
        try:
            ids = slices.unpack(encoded(packed), TOTAL)
        except ValueError:
            continue
        assert (np.diff(ids) > 0).all()
        assert all(0 <= i < TOTAL for i in ids)


# Names


@pytest.mark.parametrize(
    ("name", "checked"),
    [("fours", "fours"), ("  fours like nines \n", "fours like nines"), ("é", "é"),
     ("дев’ять – 九", "дев’ять – 九"), ("x" * 30, "x" * 30), (" " + "x" * 30 + " ", "x" * 30),
     ("4/9 + 100 %", "4/9 + 100 %")],
)  # fmt: skip
def test_a_name_loses_the_space_around_it_and_nothing_else(name, checked):
    assert slices.checked_name(name, []) == checked


@pytest.mark.parametrize(
    "name",
    ["", "   ", "x" * 31, "a:b", "a&b", "a?b", "#1", "a\nb", "a\x00b", "a\tb", "x" * 10_000],
    ids=lambda name: ascii(name[:12]),
)  # fmt: skip
def test_a_name_that_a_link_cannot_hold_is_refused(name):
    with pytest.raises(ValueError, match="Expected a name of 1 to 30 letters") as refusal:
        slices.checked_name(name, [])
    assert len(str(refusal.value)) < 140


@pytest.mark.parametrize("name", ["fours", " fours "])
def test_a_name_that_is_taken_is_refused(name):
    with pytest.raises(ValueError, match="There already is a slice “fours”"):
        slices.checked_name(name, ["ones", "fours"])
    assert slices.checked_name(name, ["four", "Fours2"]) == "fours"


# Both


@pytest.mark.parametrize("name", ["fours", "дев’ять – 九", "4/9 + 100 %"])
@pytest.mark.parametrize("number", [0, 1, 7, 1000])
def test_a_slice_survives_the_link(name, number):
    ids = chosen(number)
    text = slices.to_text(name, ids)
    assert text == f"{name}:{slices.pack(ids)}"
    read, images = slices.from_text(text, TOTAL, [])
    assert (read, images.tolist()) == (name, ids.tolist())


@pytest.mark.parametrize(
    "text",
    [":AA", "  :AA", f"{'x' * 31}:AA", "a#b:AA", "fours:AA:AA", "fours:*", "fours:gA", "", ":"],
)  # fmt: skip
def test_a_slice_with_a_bad_name_or_bad_images_is_refused(text):
    with pytest.raises(ValueError, match=r"Expected a name|cut or changed"):
        slices.from_text(text, TOTAL, [])


def test_a_slice_that_was_cut_before_its_images_is_refused():
    with pytest.raises(ValueError, match="cut or changed"):
        slices.from_text("fours", TOTAL, [])
