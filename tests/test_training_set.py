"""Which images are trained on, with which labels and in which order; against scikit-learn."""

import inspect

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from mnist_core import training_set
from mnist_core.training_set import choose, epoch_order, wrong_labels


def test_choose_by_hand():
    labels = np.array([0] * 50 + [1] * 30 + [2] * 20)
    training, validation = choose(labels, 20, 0.1, seed=1)
    assert np.bincount(labels[validation]).tolist() == [5, 3, 2]
    assert np.bincount(labels[training]).tolist() == [10, 6, 4]
    # 7 of 45, 27 and 18: 3.5, 2.1 and 1.4, so the image left over goes to the first class.
    training, _ = choose(labels, 7, 0.1, seed=1)
    assert np.bincount(labels[training]).tolist() == [4, 2, 1]


@pytest.mark.parametrize("size", [None, 10, 777])
@pytest.mark.parametrize("share", [0, 0.1, 0.25])
def test_choose_gives_sorted_disjoint_indices_that_repeat(size, share):
    labels = np.random.default_rng(3).integers(0, 10, 1437).astype(np.uint8)
    training, validation = choose(labels, size, share, seed=5)
    assert training.dtype == validation.dtype == np.int64
    assert len(validation) == round(share * 1437)
    assert len(training) == (1437 - len(validation) if size is None else size)
    both = np.concatenate([training, validation])
    assert len(set(both.tolist())) == len(both)
    for indices in (training, validation):
        assert (np.diff(indices) > 0).all()
    again = choose(labels, size, share, seed=5)
    other = choose(labels, 500, share, seed=6)
    np.testing.assert_array_equal(training, again[0])
    np.testing.assert_array_equal(validation, again[1])
    assert not np.array_equal(training, other[0])
    np.testing.assert_array_equal(choose(labels, 5, share, seed=5)[1], validation)


def test_choose_is_as_stratified_as_scikit_learn():
    labels = load_digits().target
    training, validation = choose(labels, 1000, 0.2, seed=0)
    rest, held_out = train_test_split(labels, test_size=359, stratify=labels, random_state=0)
    subset, _ = train_test_split(rest, train_size=1000, stratify=rest, random_state=0)
    assert len(validation) == 359
    for ours, theirs in ((labels[validation], held_out), (labels[training], subset)):
        difference = np.bincount(ours) - np.bincount(theirs)
        assert np.abs(difference).max() <= 1  # scikit-learn breaks ties by chance


def test_choose_has_limits():
    labels = np.arange(100) % 10
    assert len(choose(labels, 1000, 0.2, seed=0)[0]) == 80  # no more than there are
    for size, share in ((None, 1), (None, -0.1), (0, 0.1), (None, 0.999)):
        with pytest.raises(ValueError, match="Expected"):
            choose(labels, size, share, seed=0)


def some_labels(count, seed=3):
    return np.random.default_rng(seed).integers(0, 10, count).astype(np.uint8)


# Wrong labels


@pytest.mark.parametrize("share", [0.05, 0.2, 0.333, 0.8])
def test_a_share_of_the_chosen_images_gets_a_wrong_label(share):
    labels, chosen = some_labels(1437), np.arange(1, 1437, 2)
    given, spoiled = wrong_labels(labels, chosen, share, seed=1)
    assert (given.dtype, given.shape) == (np.uint8, labels.shape)
    assert len(spoiled) == round(share * len(chosen))
    assert (np.diff(spoiled) > 0).all() and set(spoiled) <= set(chosen)
    np.testing.assert_array_equal(np.flatnonzero(given != labels), spoiled)
    assert given.max() <= 9


def test_no_noise_leaves_the_labels():
    labels = some_labels(100)
    before = labels.copy()
    given, spoiled = wrong_labels(labels, np.arange(100), 0.0, seed=1)
    assert len(spoiled) == 0
    np.testing.assert_array_equal(given, before)
    wrong_labels(labels, np.arange(100), 0.8, seed=1)
    np.testing.assert_array_equal(labels, before)  # what came in is not changed


def test_each_wrong_label_is_equally_likely():
    labels, chosen = some_labels(40_000), np.arange(40_000)
    given, spoiled = wrong_labels(labels, chosen, 0.8, seed=2)
    further = (given[spoiled].astype(int) - labels[spoiled]) % 10
    counts = np.bincount(further, minlength=10)
    assert counts[0] == 0
    assert stats.chisquare(counts[1:]).pvalue > 0.001
    # Which images they are is chance, too: as many in each quarter.
    assert stats.chisquare(np.bincount(spoiled // 10_000)).pvalue > 0.001


def test_the_seed_decides_the_wrong_labels():
    labels, chosen = some_labels(1000), np.arange(1000)
    first, again, other = (wrong_labels(labels, chosen, 0.3, seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


# The order of an epoch


def test_an_epoch_has_every_image_once_in_an_order_of_its_own():
    orders = [epoch_order(1, 500, epoch) for epoch in range(4)]
    for order in orders:
        assert sorted(order) == list(range(500))
    assert len({order.tobytes() for order in orders}) == 4
    assert (epoch_order(1, 500, 2) == orders[2]).all()
    assert (epoch_order(2, 500, 2) != orders[2]).any()
    # No order follows from another, nor from the images' place.
    pairs = [(np.arange(500), orders[0]), (orders[0], orders[1]), (orders[1], orders[2])]
    assert max(abs(stats.spearmanr(*pair).statistic) for pair in pairs) < 0.2


def test_the_source_of_these_functions_runs_with_numpy_alone():
    """As in an exported script."""
    pasted = {"np": np}
    for name in ("in_proportion", "choose", "wrong_labels", "epoch_order"):
        exec(inspect.getsource(getattr(training_set, name)), pasted)
    labels = some_labels(300)
    chosen, held_out = choose(labels, 200, 0.1, 7)
    for ours, theirs in (
        (choose(labels, 200, 0.1, 7), pasted["choose"](labels, 200, 0.1, 7)),
        (wrong_labels(labels, chosen, 0.2, 7), pasted["wrong_labels"](labels, chosen, 0.2, 7)),
        ([epoch_order(7, 200, 1)], [pasted["epoch_order"](7, 200, 1)]),
    ):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)
    assert len(held_out) == 30
