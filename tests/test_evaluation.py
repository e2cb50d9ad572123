"""Scores against hand-made cases and scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics

from mnist_core.evaluation import Evaluation, log_softmax, most_frequent_error


@pytest.fixture
def answers():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 10, 500).astype(np.uint8)
    logits = rng.normal(0, 3, (500, 10)).astype(np.float32)
    logits[np.arange(500), labels] += 3
    return Evaluation(labels, logits)


def test_confusion_by_hand():
    labels = np.array([4, 4, 4, 9, 1])
    said = [4, 9, 9, 9, 1]
    logits = np.eye(10, dtype=np.float32)[said] * 5
    evaluation = Evaluation(labels, logits)
    expected = np.zeros((10, 10), int)
    expected[4, 4], expected[4, 9], expected[9, 9], expected[1, 1] = 1, 2, 1, 1
    assert (evaluation.confusion == expected).all()
    assert evaluation.accuracy == 3 / 5
    assert most_frequent_error(evaluation.confusion) == (4, 9, 2)
    assert list(evaluation.errors()) == [1, 2]
    assert list(evaluation.errors(true=9)) == []
    assert list(evaluation.errors(4, 9, "index")) == [1, 2]


def test_scores_equal_scikit_learn(answers):
    labels, predicted = answers.labels, answers.predicted
    assert (answers.confusion == metrics.confusion_matrix(labels, predicted)).all()
    assert answers.accuracy == metrics.accuracy_score(labels, predicted)
    assert abs(answers.loss - metrics.log_loss(labels, answers.probabilities)) < 1e-9
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, predicted, labels=range(10), zero_division=0
    )
    table = answers.per_class()
    for name, oracle in (("precision", precision), ("recall", recall), ("f1", f1)):
        np.testing.assert_allclose(table[name], oracle, atol=1e-12)
    assert (table["support"] == support).all()


def test_a_digit_that_is_never_said_or_never_there_scores_zero():
    evaluation = Evaluation(np.zeros(3, int), np.eye(10)[[0, 0, 1]] * 9)
    table = evaluation.per_class()
    assert table.loc[0, "recall"] == 2 / 3
    assert table.loc[1, "precision"] == 0
    assert table.loc[7].tolist() == [0, 0, 0, 0]


def test_orders(answers):
    errors = answers.errors()
    assert (np.diff(answers.confidence[errors]) <= 0).all()
    by_loss = answers.errors(order="loss")
    assert (np.diff(answers.losses[by_loss]) <= 0).all()
    assert sorted(errors) == list(answers.errors(order="index")) == sorted(by_loss)
    with pytest.raises(ValueError, match="Expected an order among"):
        answers.errors(order="beauty")


def test_large_logits_do_not_overflow():
    values = log_softmax(np.array([[1e4, 0.0, -1e4]]))
    np.testing.assert_allclose(values, [[0.0, -1e4, -2e4]])


def test_shapes_are_checked():
    with pytest.raises(ValueError, match="Expected logits of shape"):
        Evaluation(np.zeros(3, int), np.zeros((2, 10)))


def test_empty():
    evaluation = Evaluation(np.zeros(0, int), np.zeros((0, 10)))
    assert np.isnan(evaluation.loss) and np.isnan(evaluation.accuracy)
