"""Two networks side by side against SciPy's binomial test and scikit-learn's confusion matrix."""

import time

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix

from mnist_core.comparison import Comparison, mcnemar
from mnist_core.evaluation import Evaluation


def said(labels, predicted):
    return Evaluation(np.asarray(labels), np.eye(10)[predicted] * 5)


def random_pair(number=500, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, number).astype(np.uint8)
    guesses = [np.where(rng.random(number) < p, labels, rng.integers(0, 10, number))
               for p in (0.8, 0.6)]  # fmt: skip
    return Comparison(*(said(labels, guess) for guess in guesses))


LABELS = [1, 2, 3, 4, 5, 6, 7]
BY_HAND = Comparison(said(LABELS, [1, 2, 3, 0, 0, 0, 7]), said(LABELS, [1, 0, 0, 4, 0, 1, 0]))


def test_the_table_by_hand():
    """Both read 1; only the first 2, 3 and 7; only the second 4; none 5 and 6."""
    assert BY_HAND.table.tolist() == [[2, 1], [3, 1]]
    assert BY_HAND.select(True, True).tolist() == [0]
    assert BY_HAND.select(True, False).tolist() == [1, 2, 6]
    assert BY_HAND.select(False, True).tolist() == [3]
    assert BY_HAND.select(False, False).tolist() == [4, 5]


@pytest.mark.parametrize("seed", range(5))
def test_the_table_is_scikit_learns(seed):
    pair = random_pair(seed=seed)
    labels = pair.first.labels
    rights = [pair.first.logits.argmax(1) == labels, pair.second.logits.argmax(1) == labels]
    assert (pair.table == confusion_matrix(*rights, labels=[False, True])).all()


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("second", [False, True])
def test_the_images_of_a_cell_are_as_many_as_it_says(first, second):
    pair = random_pair(seed=7)
    expected = [
        i for i, label in enumerate(pair.first.labels)
        if (pair.first.logits[i].argmax() == label) == first
        and (pair.second.logits[i].argmax() == label) == second
    ]  # fmt: skip
    assert pair.select(first, second).tolist() == expected
    assert pair.table[int(first), int(second)] == len(expected)


def test_every_pair_of_small_counts_has_scipys_p_value():
    for a in range(25):
        for b in range(25):
            oracle = binomtest(a, a + b, 0.5).pvalue if a + b else 1.0
            assert mcnemar(a, b) == pytest.approx(oracle, rel=1e-12), (a, b)


@pytest.mark.parametrize(
    "pair", [(40, 70), (100, 101), (0, 60), (250, 180), (300, 0), (480, 520), (3, 900)]
)
def test_larger_counts_have_scipys_p_value(pair):
    assert mcnemar(*pair) == pytest.approx(binomtest(pair[0], sum(pair)).pvalue, rel=1e-9)
    assert mcnemar(*pair) == mcnemar(*pair[::-1])


def test_without_a_difference_all_is_luck():
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(1, 0) == 1.0
    assert mcnemar(0, 6) == pytest.approx(2 / 64, abs=1e-15)


def test_all_images_of_mnist_neither_overflow_nor_take_long():
    begin = time.perf_counter()
    assert mcnemar(5000, 5000) == 1.0
    found = mcnemar(4800, 5200)
    assert time.perf_counter() - begin < 1
    assert found == pytest.approx(binomtest(4800, 10_000).pvalue, rel=1e-9)
    assert mcnemar(0, 10_000) == 0.0  # 2 to the power of −9,999 is no float any more


@pytest.mark.parametrize("seed", range(3))
def test_the_p_value_is_that_of_the_images_one_alone_reads(seed):
    pair = random_pair(60, seed)
    first, second = len(pair.select(True, False)), len(pair.select(False, True))
    oracle = binomtest(first, first + second).pvalue
    assert pair.p_value == pytest.approx(oracle, rel=1e-12)
    assert pair.more_than_luck == (oracle < 0.05)


def test_five_to_nothing_is_luck_and_six_is_more():
    for number, more in ((5, False), (6, True)):
        labels = np.arange(number)
        assert Comparison(said(labels, labels), said(labels, labels + 1)).more_than_luck == more


@pytest.mark.parametrize("other", [[1, 2, 4], [1, 2], []])
def test_labels_that_differ_are_refused(other):
    with pytest.raises(ValueError, match=f"same images.*: 3 and {len(other)} labels that differ"):
        Comparison(said([1, 2, 3], [1, 2, 3]), said(np.array(other, int), np.array(other, int)))


def test_no_images_at_all_are_no_difference():
    nothing = said(np.zeros(0, int), np.zeros(0, int))
    pair = Comparison(nothing, nothing)
    assert pair.table.tolist() == [[0, 0], [0, 0]]
    assert pair.p_value == 1.0 and not pair.more_than_luck
