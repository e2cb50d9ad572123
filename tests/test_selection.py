"""Which images a grid shows, on splits small enough to see the answer."""

import numpy as np
import pytest

from mnist_core import selection
from mnist_core.data import Split

LABELS = [3, 0, 3, 1, 0, 3]


def split(labels):
    return Split(np.zeros((len(labels), 28, 28), np.uint8), np.array(labels, np.uint8))


def test_every_digit_is_counted_also_those_that_are_missing():
    assert selection.counts(split(LABELS)).tolist() == [2, 1, 0, 3, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("digits", "shown"),
    [([], [0, 1, 2, 3, 4, 5]), ([3], [0, 2, 5]), ([0, 3], [0, 1, 2, 4, 5]), ([9], []),
     ({1, 0}, [1, 3, 4]), (iter([1]), [3])],
)  # fmt: skip
def test_the_images_of_these_digits_come_in_the_splits_order(digits, shown):
    index = selection.arrange(split(LABELS), digits)
    assert index.dtype == np.int64
    assert index.tolist() == shown


def test_a_seed_shuffles_and_the_same_seed_shuffles_in_the_same_way(small):
    plain = selection.arrange(small.train, [2, 7])
    one, same, other = (selection.arrange(small.train, [2, 7], seed) for seed in (0, 0, 1))
    assert sorted(one) == plain.tolist()
    assert set(small.train.labels[one]) == {2, 7}
    assert one.tolist() == same.tolist()
    assert one.tolist() != plain.tolist()
    assert one.tolist() != other.tolist()


def test_the_first_of_each_digit_come_in_rows_of_ten():
    labels = [*range(10), *range(9, -1, -1), 5]
    first = selection.first_of_each(split(labels), 2)
    assert first.dtype == np.int64
    assert first.tolist() == [*range(10), *range(19, 9, -1)]


def test_a_digit_that_runs_out_leaves_no_gap():
    assert selection.first_of_each(split(LABELS), 2).tolist() == [1, 3, 0, 4, 2]
    assert selection.first_of_each(split(LABELS), 0).tolist() == []
