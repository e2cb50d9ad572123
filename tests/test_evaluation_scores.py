"""What an evaluation says beyond its confusion: scikit-learn, Keras and loops are the oracles."""

import itertools

import keras
import numpy as np
import pytest
from scipy.special import softmax
from sklearn import metrics

from mnist_core.evaluation import ORDERS, Evaluation, most_frequent_error


def made(number, seed=0, digits=10):
    """Return random answers, mostly right; labels of the first `digits` digits."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, digits, number).astype(np.uint8)
    logits = rng.normal(0, 3, (number, 10)).astype(np.float32)
    logits[np.arange(number), labels] += 3
    return Evaluation(labels, logits)


@pytest.fixture(scope="module", params=[360, 1999])
def answers(request):
    return made(request.param, seed=request.param)


NONE = Evaluation(np.zeros(0, int), np.zeros((0, 10)))
NEVER = Evaluation(np.array([0, 0, 1, 2]), np.eye(10)[[0, 0, 0, 5]] * 9)  # 1, 2 never said


# Runner-up and margin


def test_the_runner_up_and_the_margin_are_those_of_sorted_probabilities(answers):
    assert answers.runner_up.dtype == np.int64
    for i, row in enumerate(softmax(answers.logits.astype(np.float64), axis=1)):
        first, second = sorted(range(10), key=lambda digit: -row[digit])[:2]
        assert (answers.predicted[i], answers.runner_up[i]) == (first, second)
        assert answers.margin[i] == pytest.approx(row[first] - row[second], abs=1e-12)


def test_the_runner_up_of_equal_logits_is_another_digit_and_the_margin_nothing():
    logits = np.zeros((3, 10))
    logits[1, [4, 7]] = 5
    logits[2, [9, 0, 3]] = -5
    found = Evaluation(np.zeros(3, int), logits)
    assert found.predicted.tolist() == [0, 4, 1]
    assert found.runner_up.tolist() == [1, 7, 2]
    assert found.margin.tolist() == [0, 0, 0]


def test_negative_logits_have_a_runner_up_too():
    logits = -np.arange(10.0)[None] - 1000
    assert Evaluation(np.zeros(1, int), logits).runner_up.tolist() == [1]


def test_the_logits_are_not_changed(answers):
    fresh = Evaluation(answers.labels, answers.logits.copy())
    _ = fresh.runner_up, fresh.margin, fresh.probabilities
    assert (fresh.logits == answers.logits).all()


# Scores


def test_two_guesses_are_scored_as_scikit_learn_does(answers):
    oracle = metrics.top_k_accuracy_score(answers.labels, answers.logits, k=2, labels=range(10))
    assert answers.top2_accuracy == oracle
    assert answers.accuracy < answers.top2_accuracy < 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "evaluation", [made(360), made(1999, 1), made(50, 2, digits=3), NEVER],
    ids=["360", "1999", "three digits", "never said"],
)  # fmt: skip
def test_the_scores_are_scikit_learns(evaluation):
    table = evaluation.scores()
    assert table.columns.tolist() == ["digit", "precision", "recall", "f1", "support"]
    assert table["digit"].tolist() == ["all digits", *map(str, range(10))]
    there = sorted(set(evaluation.labels.tolist()))  # a digit without images counts for nothing
    for average, rows in (("macro", table.iloc[0]), (None, table.iloc[1:])):
        oracle = metrics.precision_recall_fscore_support(
            evaluation.labels, evaluation.predicted, average=average,
            labels=there if average else range(10),
            zero_division=0,
        )  # fmt: skip
        for name, value in zip(("precision", "recall", "f1"), oracle, strict=False):
            np.testing.assert_allclose(rows[name], value, rtol=0, atol=1e-9)
    assert table["support"].dtype == np.int64
    counts = [int((evaluation.labels == digit).sum()) for digit in range(10)]
    assert table["support"].tolist() == [len(evaluation.labels), *counts]


@pytest.mark.filterwarnings("error")
def test_a_digit_that_is_never_said_scores_0_without_a_warning():
    table = NEVER.scores().set_index("digit")
    assert table.loc["1", ["precision", "recall", "f1"]].tolist() == [0, 0, 0]
    assert table.loc["0", "precision"] == 2 / 3
    assert table.loc["all digits", "recall"] == pytest.approx(1 / 3)  # of three digits
    assert table.loc["all digits", "support"] == 4


def test_accuracy_and_loss_are_those_of_keras_evaluate(answers):
    """The network is the identity on logits: Keras computes softmax, loss and accuracy itself."""
    model = keras.Sequential([keras.layers.Input((10,)), keras.layers.Identity()])
    model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["sparse_categorical_accuracy",
                 keras.metrics.SparseTopKCategoricalAccuracy(k=2)],
    )  # fmt: skip
    loss, accuracy, top2 = model.evaluate(answers.logits, answers.labels, verbose=0)
    number = len(answers.labels)
    assert answers.loss == pytest.approx(loss, abs=1e-6)
    assert round(accuracy * number) / number == answers.accuracy
    assert round(top2 * number) / number == answers.top2_accuracy


def test_the_loss_is_scikit_learns(answers):
    oracle = metrics.log_loss(
        answers.labels, softmax(answers.logits.astype(np.float64), axis=1), labels=range(10)
    )
    assert answers.loss == pytest.approx(oracle, abs=1e-9)
    assert answers.losses.mean() == pytest.approx(oracle, abs=1e-9)


@pytest.mark.parametrize("left_out", [[], [0], [3, 3, 5], range(100)], ids=str)
def test_the_accuracy_without_some_is_that_of_the_others(answers, left_out):
    rest = [i for i in range(len(answers.labels)) if i not in set(left_out)]
    oracle = metrics.accuracy_score(answers.labels[rest], answers.predicted[rest])
    without = answers.accuracy_without(np.array(left_out, np.int64))
    assert without == pytest.approx(oracle, abs=1e-12)


@pytest.mark.filterwarnings("error")
def test_without_images_scores_are_missing_and_not_wrong():
    assert np.isnan([NONE.top2_accuracy, NONE.accuracy, NONE.loss]).all()
    assert np.isnan(NEVER.accuracy_without(np.arange(4)))
    assert NONE.scores()[["precision", "recall", "f1", "support"]].to_numpy().max() == 0
    assert NONE.margin.shape == NONE.runner_up.shape == (0,)
    assert NONE.by_pair(np.zeros(0, np.int64)) == {}
    assert NONE.in_cells([(None, None)]).tolist() == []
    assert most_frequent_error(NONE.confusion) is None


# Which images


def belongs(label, answer, cell, errors_only):
    true, predicted = cell
    if true not in (None, label) or predicted not in (None, answer):
        return False
    whole = true is None or predicted is None
    return not (errors_only and whole and label == answer)


@pytest.mark.parametrize("errors_only", [False, True])
@pytest.mark.parametrize(
    "cells",
    [[], [(4, 9)], [(4, 4)], [(4, None)], [(None, 9)], [(None, None)], [(4, None), (4, 4)],
     [(4, 9), (9, 4), (4, None)], [(None, 0), (0, None)]],
    ids=str,
)  # fmt: skip
def test_the_images_in_cells_are_those_of_a_loop(answers, cells, errors_only):
    expected = [
        any(belongs(label, answer, cell, errors_only) for cell in cells)
        for label, answer in zip(answers.labels, answers.predicted, strict=True)
    ]
    found = answers.in_cells(cells, errors_only)
    assert found.dtype == bool
    assert found.tolist() == expected
    assert found.any() == bool(cells)


def test_by_default_a_row_has_its_right_ones_too():
    assert NEVER.in_cells([(0, None)]).tolist() == [True, True, False, False]
    assert NEVER.in_cells([(0, None)], errors_only=True).tolist() == [False] * 4
    assert NEVER.in_cells([(None, 0)], errors_only=True).tolist() == [False, False, True, False]
    assert NEVER.in_cells(iter([(0, 0), (2, 5)]), True).tolist() == [True, True, False, True]


def probability_order(evaluation, order):
    """Return a key by which Python's sorted() gives the order."""
    rows = softmax(evaluation.logits.astype(np.float64), axis=1)
    return {
        "confidence": lambda i: -rows[i].max(),
        "loss": lambda i: rows[i][evaluation.labels[i]],
        "margin": lambda i: -np.subtract(*np.sort(rows[i])[[-2, -1]]),
        "index": lambda i: i,
    }[order]


@pytest.mark.parametrize("order", ORDERS)
def test_images_are_ordered_as_pythons_sorted_orders_them(answers, order):
    index = np.random.default_rng(1).permutation(len(answers.labels))[:150]
    key = probability_order(answers, order)
    assert answers.ordered(index, order).tolist() == sorted(sorted(index), key=key)


@pytest.mark.parametrize("order", ORDERS)
def test_ties_are_ordered_by_index(order):
    alike = Evaluation(np.zeros(6, int), np.tile(np.arange(10.0), (6, 1)))
    assert alike.ordered(np.array([5, 1, 3, 0]), order).tolist() == [0, 1, 3, 5]


def test_the_orders_by_hand():
    """0: sure and wrong; 1: a close call, right; 2: sure and right."""
    logits = np.zeros((3, 10))
    logits[0, 1], logits[1, 0], logits[1, 2], logits[2, 0] = 9, 4, 3.9, 8
    found = Evaluation(np.zeros(3, int), logits)
    index = np.arange(3)
    assert found.ordered(index).tolist() == [0, 2, 1]
    assert found.ordered(index, "loss").tolist() == [0, 1, 2]
    assert found.ordered(index, "margin").tolist() == [1, 2, 0]
    assert found.ordered(index[::-1], "index").tolist() == [0, 1, 2]


def test_an_unknown_order_is_refused():
    with pytest.raises(ValueError, match=r"confidence, loss, margin, index\. Received: 'beauty'"):
        NEVER.ordered(np.arange(4), "beauty")


def test_pairs_hold_each_index_once_in_its_order_the_most_frequent_first(answers):
    index = np.random.default_rng(2).permutation(len(answers.labels))
    found = answers.by_pair(index)
    assert sorted(itertools.chain(*found.values())) == sorted(index)
    for (true, predicted), those in found.items():
        expected = [i for i in index
                    if (answers.labels[i], answers.predicted[i]) == (true, predicted)]  # fmt: skip
        assert those.tolist() == expected
    sizes = [len(those) for those in found.values()]
    assert sizes == sorted(sizes, reverse=True)
    for (first, one), (second, other) in itertools.pairwise(found.items()):
        assert len(one) > len(other) or first < second  # of the same size: by the digits


def test_pairs_of_some_errors():
    found = NEVER.by_pair(np.array([3, 2, 0, 1]))
    assert {pair: those.tolist() for pair, those in found.items()} == {
        (0, 0): [0, 1], (1, 0): [2], (2, 5): [3],
    }  # fmt: skip
    assert list(found) == [(0, 0), (1, 0), (2, 5)]
    assert NEVER.by_pair(np.zeros(0, np.int64)) == {}
