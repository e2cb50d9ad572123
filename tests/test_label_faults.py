"""The ranking of doubtful labels against a slow loop, image by image and run by run."""

import math

import numpy as np
import pytest

from mnist_core.evaluation import Evaluation
from mnist_core.label_faults import rank


def random_runs(number, images=200, seed=0):
    """Return evaluations of the same labels by networks that mostly agree with them."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, images).astype(np.uint8)
    found = []
    for _ in range(number):
        logits = rng.normal(0, 2, (images, 10)).astype(np.float32)
        logits[np.arange(images), labels] += 2
        found.append(Evaluation(labels, logits))
    return found


def said(labels, *probabilities):
    """Return evaluations with these probabilities of the first digits; others have next to none."""
    runs = []
    for rows in probabilities:
        full = np.full((len(rows), 10), 1e-12)
        for row, some in zip(full, rows, strict=True):
            row[: len(some)] = some
        runs.append(Evaluation(np.array(labels), np.log(np.maximum(full, 1e-12))))
    return runs


def slow(evaluations):
    """Return for each image (margin, self-confidence, index), and what is read, votes."""
    keys, read, votes = [], [], []
    for i, label in enumerate(evaluations[0].labels):
        shares, margins, against = [], [], 0
        for evaluation in evaluations:
            powers = [math.exp(float(value)) for value in evaluation.logits[i]]
            row = [power / math.fsum(powers) for power in powers]
            others = [share for digit, share in enumerate(row) if digit != label]
            margins.append(row[label] - max(others))
            against += row.index(max(row)) != label
            shares.append(row)
        mean = [math.fsum(column) / len(shares) for column in zip(*shares, strict=True)]
        keys.append((math.fsum(margins) / len(margins), mean[label], i))
        read.append(mean.index(max(mean)))
        votes.append(against)
    return keys, read, votes


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("number", [1, 3])
def test_the_ranking_is_that_of_a_slow_loop(number, seed):
    evaluations = random_runs(number, seed=seed)
    found = rank(evaluations)
    keys, read, votes = slow(evaluations)
    np.testing.assert_allclose(found.margin, [key[0] for key in keys], atol=1e-12)
    np.testing.assert_allclose(found.self_confidence, [key[1] for key in keys], atol=1e-12)
    assert found.read.tolist() == read
    assert found.votes.tolist() == votes
    assert found.order.tolist() == [index for *_, index in sorted(keys)]


def test_one_run_by_hand():
    """The labels are 0: surely right, a close call, surely wrong."""
    found = rank(said([0, 0, 0], [[0.9, 0.1, 0], [0.45, 0.4, 0.15], [0.1, 0.2, 0.7]]))
    assert found.margin == pytest.approx([0.8, 0.05, -0.6], abs=1e-9)
    assert found.self_confidence == pytest.approx([0.9, 0.45, 0.1], abs=1e-9)
    assert found.order.tolist() == [2, 1, 0]
    assert found.read.tolist() == [0, 0, 2]
    assert found.votes.tolist() == [0, 0, 1]


def test_the_margin_is_a_mean_of_margins_and_not_the_margin_of_a_mean():
    """Both believe the label by half, but for the rest one says 1 and the other 2."""
    found = rank(said([0], [[0.5, 0.5, 0]], [[0.5, 0, 0.5]]))
    assert found.margin == pytest.approx([0.0], abs=1e-9)
    assert found.self_confidence == pytest.approx([0.5], abs=1e-9)


def test_what_is_read_is_most_probable_on_average():
    """Two runs say 1 by a little, one says 2 by far: on average it is 2."""
    close, far = [[0.0, 0.55, 0.45]], [[0.0, 0.05, 0.95]]
    found = rank(said([0], close, close, far))
    assert found.read.tolist() == [2]
    assert found.votes.tolist() == [3]


def test_the_votes_are_the_runs_that_do_not_read_the_label():
    yes, no = [0.9, 0.1], [0.1, 0.9]
    found = rank(said([0, 0, 0, 0], [yes, no, no, no], [yes, yes, no, no], [yes, yes, yes, no]))
    assert found.votes.tolist() == [0, 1, 2, 3]
    assert found.votes.dtype == np.int64


def test_equal_margins_come_by_self_confidence_and_then_by_index():
    rows = [[0.5, 0.5, 0.0], [0.25, 0.25, 0.25, 0.25], [0.5, 0.5, 0.0], [0.25, 0.25, 0.25, 0.25]]
    exact = np.full((4, 10), -np.inf)
    for row, some in zip(exact, rows, strict=True):
        with np.errstate(divide="ignore"):
            row[: len(some)] = np.log(some)
    found = rank([Evaluation(np.zeros(4, int), exact)])
    assert found.margin.tolist() == [0, 0, 0, 0]
    assert found.order.tolist() == [1, 3, 0, 2]


def test_images_that_are_all_alike_stay_in_order():
    found = rank([Evaluation(np.full(50, 3), np.ones((50, 10)))] * 3)
    assert found.order.tolist() == list(range(50))
    assert found.margin == pytest.approx(np.zeros(50), abs=1e-15)
    assert found.read.tolist() == [0] * 50


def test_sure_networks_read_the_label():
    sure = np.zeros((10, 10))
    np.fill_diagonal(sure, 1000.0)  # all others have no probability left
    found = rank([Evaluation(np.arange(10), sure)])
    assert (found.read == np.arange(10)).all()
    assert found.self_confidence.tolist() == found.margin.tolist() == [1] * 10


def test_the_evaluations_are_not_changed():
    evaluations = random_runs(2, images=20)
    before = [evaluation.probabilities.copy() for evaluation in evaluations]
    rank(evaluations)
    for evaluation, old in zip(evaluations, before, strict=True):
        assert (evaluation.probabilities == old).all()


@pytest.mark.parametrize("seed", range(5))
def test_of_some_images_those_are_doubted_that_a_run_does_not_read(seed):
    evaluations = random_runs(3, seed=seed)
    found = rank(evaluations)
    some = np.random.default_rng(seed).permutation(200)[:60]
    ranks = found.order.tolist()
    expected = [
        position
        for position in sorted(range(60), key=lambda position: ranks.index(some[position]))
        if any(one.predicted[some[position]] != one.labels[some[position]] for one in evaluations)
    ]
    assert found.doubted(some).tolist() == expected
    assert found.doubted(some).dtype == np.int64
    assert found.doubted(np.zeros(0, np.int64)).tolist() == []


def test_without_a_run_there_is_no_ranking():
    with pytest.raises(ValueError, match=r"at least one run\. Received: none\.$"):
        rank([])


def test_runs_on_other_labels_are_refused():
    first, second = random_runs(2, images=30)
    other = Evaluation((first.labels + 1) % 10, first.logits)
    shorter = Evaluation(first.labels[1:], first.logits[1:])
    for wrong in (other, shorter):
        with pytest.raises(ValueError, match=r"same images\. Received: labels that differ\.$"):
            rank([first, second, wrong])


@pytest.mark.parametrize("seed", range(5))
def test_changed_labels_are_found_first(seed):
    """Networks that know the truth of 2,000 digits, with errors of their own; 50 labels lie."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 10, 2000)
    labels = truth.copy()
    changed = rng.choice(2000, 50, replace=False)
    labels[changed] = (truth[changed] + rng.integers(1, 10, 50)) % 10
    hard = rng.random(2000) < 0.02  # images that all find hard
    evaluations = []
    for _ in range(3):
        logits = rng.normal(0, 1, (2000, 10))
        logits[np.arange(2000), truth] += np.where(hard, rng.normal(1, 1, 2000), 8)
        evaluations.append(Evaluation(labels, logits.astype(np.float32)))
    found = rank(evaluations)
    assert len(set(found.order[:100]) & set(changed)) >= 45
    assert (found.read[changed] == truth[changed]).mean() > 0.9
