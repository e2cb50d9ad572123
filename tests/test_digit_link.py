"""A digit as text in a link: there and back, and what is no digit is refused."""

import base64
import string
import tracemalloc
import zlib

import numpy as np
import pytest

from mnist_core.digit_link import packed, unpacked

LETTERS = set(string.ascii_letters + string.digits + "-_")


def text_of(content):
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def assert_there_and_back(digit):
    text = packed(digit)
    assert set(text) <= LETTERS  # nothing an address must escape
    found = unpacked(text)
    assert (found.dtype, found.shape) == (np.uint8, (28, 28))
    np.testing.assert_array_equal(found, digit)


@pytest.mark.parametrize("seed", range(20))
def test_noise_comes_back(seed):
    assert_there_and_back(np.random.default_rng(seed).integers(0, 256, (28, 28)).astype(np.uint8))


@pytest.mark.parametrize("shade", [0, 1, 255])
def test_one_shade_comes_back(shade):
    assert_there_and_back(np.full((28, 28), shade, np.uint8))


def test_real_digits_come_back_and_are_short(small):
    for digit in small.test.images:
        assert_there_and_back(digit)
        assert len(packed(digit)) < 600


def test_digits_of_mnist_are_short(mnist):
    lengths = [len(packed(digit)) for digit in mnist.test.images[:1000]]
    assert np.median(lengths) < 300 and max(lengths) < 600


def test_a_view_that_is_turned_comes_back():
    """Its pixels do not lie one after the other."""
    noise = np.random.default_rng(0).integers(0, 256, (28, 56)).astype(np.uint8)
    assert_there_and_back(noise[:, ::2].T)


@pytest.mark.parametrize(
    "text", ["", "a", "ab", "abcde", "!!!!", "ä", "%%%", "x" * 500, "=", "\n", "eJw", "eJwAAAA"]
)
def test_what_is_no_digit_is_refused(text):
    with pytest.raises(ValueError, match="Expected"):
        unpacked(text)


@pytest.mark.parametrize("number", [0, 1, 783, 785, 1568])
def test_too_few_or_too_many_pixels_are_refused(number):
    with pytest.raises(ValueError, match="Expected 784 pixels"):
        unpacked(text_of(zlib.compress(bytes(number))))


def test_pixels_that_are_not_compressed_are_refused():
    with pytest.raises(ValueError, match="Expected a digit"):
        unpacked(text_of(bytes(range(256))))


def test_a_link_that_was_cut_is_refused(small):
    text = packed(small.test.images[0])
    for length in range(len(text)):
        with pytest.raises(ValueError, match="Expected"):
            unpacked(text[:length])


def test_a_wrong_letter_is_refused(small):
    """All but the last one, whose bits need not all count."""
    digit = small.test.images[0]
    text = packed(digit)
    for place, letter in enumerate(text[:-1]):
        other = "B" if letter == "A" else "A"
        wrong = text[:place] + other + text[place + 1 :]
        try:
            np.testing.assert_array_equal(unpacked(wrong), digit)
        except ValueError:
            continue


def test_50_megabytes_in_a_short_text_take_no_memory():
    text = text_of(zlib.compress(bytes(50_000_000), 9))
    assert len(text) < 70_000
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="785 or more"):
            unpacked(text)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1_000_000
