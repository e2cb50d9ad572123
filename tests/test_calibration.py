"""Intervals, reliability and coverage against SciPy, scikit-learn and loops by hand."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve

from mnist_core import calibration
from mnist_core.calibration import accuracy_interval, confidence_bins, coverage, wilson
from mnist_core.evaluation import Evaluation


def answered(confidence, right):
    """Return an evaluation in which digit 3 is said, with these probabilities."""
    confidence, right = np.asarray(confidence, float), np.asarray(right, bool)
    probabilities = np.repeat((1 - confidence)[:, None] / 9, 10, axis=1)
    probabilities[:, 3] = confidence
    return Evaluation(np.where(right, 3, 4), np.log(np.maximum(probabilities, 1e-300)))


def random_answers(number, seed=0):
    """Return an evaluation that is about as often right as it is sure."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.2, 0.999, number)
    return answered(confidence, rng.random(number) < confidence**1.5)


EMPTY = Evaluation(np.zeros(0, int), np.zeros((0, 10)))
TIED = answered([0.9, 0.5, 0.9, 0.7, 0.5, 0.5, 0.99, 0.7], [1, 0, 0, 1, 1, 0, 1, 1])


# Wilson's interval


@pytest.mark.parametrize(
    ("right", "total", "low", "high"),
    # (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n) with z² = 3.8414588, worked out on paper
    [(5, 10, 0.2365931, 0.7634069), (1, 1, 0.2065493, 1.0), (0, 1, 0.0, 0.7934507)],
)
def test_an_interval_is_the_one_worked_out_by_hand(right, total, low, high):
    assert wilson(right, total) == pytest.approx((low, high), abs=1e-7)


@pytest.mark.parametrize("total", [1, 2, 7, 101, 360, 10_000])
def test_intervals_are_scipys(total):
    for right in {0, 1, total // 3, total // 2, total - 1, total}:
        oracle = binomtest(right, total).proportion_ci(0.95, method="wilson")
        assert wilson(right, total) == pytest.approx((oracle.low, oracle.high), abs=1e-12)


def test_another_confidence_is_asked_for_by_its_quantile():
    oracle = binomtest(90, 100).proportion_ci(0.99, method="wilson")
    found = wilson(90, 100, 2.5758293035489004)
    assert found == pytest.approx((oracle.low, oracle.high), abs=1e-12)


def test_an_interval_never_leaves_0_to_1_and_holds_the_share():
    for total in range(1, 400):
        for right in (0, total // 2, total):
            low, high = wilson(right, total)
            assert 0 <= low <= right / total + 1e-12
            assert right / total - 1e-12 <= high <= 1


def test_nothing_seen_says_nothing():
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("right", "total"), [(-1, 5), (6, 5), (1, 0), (0, -1)])
def test_impossible_counts_are_refused(right, total):
    with pytest.raises(ValueError, match=f"^Expected 0 <= right <= total.*: {right} of {total}.$"):
        wilson(right, total)


def test_the_accuracys_interval_counts_the_right_ones():
    oracle = binomtest(5, 8).proportion_ci(0.95, method="wilson")
    assert accuracy_interval(TIED) == pytest.approx((oracle.low, oracle.high), abs=1e-12)
    assert accuracy_interval(EMPTY) == (0.0, 1.0)


# Reliability


@pytest.mark.parametrize("number", [1, 12, 360, 5000])
@pytest.mark.parametrize("bins", [1, 5, 10, 17])
def test_bins_are_those_of_a_loop(number, bins):
    evaluation = random_answers(number)
    found = confidence_bins(evaluation, bins)
    assert found.edges == pytest.approx([i / bins for i in range(bins + 1)], abs=1e-15)
    for i in range(bins):
        inside = [
            (float(c), bool(r))
            for c, r in zip(evaluation.confidence, evaluation.right, strict=True)
            if i / bins < c <= (i + 1) / bins
        ]
        assert found.count[i] == len(inside)
        assert found.right[i] == sum(r for _, r in inside)
        if inside:
            mean = math.fsum(c for c, _ in inside) / len(inside)
            assert found.claimed[i] == pytest.approx(mean, abs=1e-12)
            assert found.accuracy[i] == found.right[i] / len(inside)
        else:
            assert np.isnan(found.claimed[i]) and np.isnan(found.accuracy[i])
    assert found.count.sum() == number


@pytest.mark.parametrize("bins", [4, 10])
def test_the_curve_is_scikit_learns(bins):
    evaluation = random_answers(3000, seed=1)
    found = confidence_bins(evaluation, bins)
    accuracy, claimed = calibration_curve(evaluation.right, evaluation.confidence, n_bins=bins)
    full = found.count > 0
    np.testing.assert_allclose(found.accuracy[full], accuracy, atol=1e-12)
    np.testing.assert_allclose(found.claimed[full], claimed, atol=1e-12)


def test_a_confidence_on_an_edge_belongs_below_it_and_certainty_to_the_last_bin():
    half = np.full((1, 10), -1e4)
    half[0, :2] = 0  # two digits share everything: 0.5
    sure = np.full((1, 10), -1e4)
    sure[0, 1] = 0
    found = confidence_bins(Evaluation(np.array([0, 0]), np.concatenate([half, sure])))
    assert found.count.tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    assert found.right.tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]
    assert found.claimed[[4, 9]].tolist() == [0.5, 1.0]


@pytest.mark.parametrize(("number", "seed"), [(1, 0), (40, 1), (360, 2), (5000, 3)])
def test_the_expected_error_is_that_of_a_loop(number, seed):
    evaluation = random_answers(number, seed)
    total = 0.0
    for i in range(10):
        inside = (evaluation.confidence > i / 10) & (evaluation.confidence <= (i + 1) / 10)
        if inside.any():
            gap = evaluation.right[inside].mean() - evaluation.confidence[inside].mean()
            total += inside.sum() / number * abs(gap)
    assert confidence_bins(evaluation).expected_error == pytest.approx(total, abs=1e-12)


def test_the_expected_error_by_hand():
    """(0.5, 0.6]: 1 of 2 right at 0.55 and 0.59; (0.9, 1]: 2 of 2 right at 0.95."""
    found = confidence_bins(answered([0.55, 0.59, 0.95, 0.95], [1, 0, 1, 1]))
    assert found.expected_error == pytest.approx((2 * 0.07 + 2 * 0.05) / 4, abs=1e-12)


@pytest.mark.filterwarnings("error")
def test_without_images_there_are_bins_and_no_error_to_expect():
    found = confidence_bins(EMPTY)
    assert found.count.tolist() == found.right.tolist() == [0] * 10
    assert np.isnan(found.accuracy).all() and np.isnan(found.claimed).all()
    assert math.isnan(found.expected_error)


# Coverage


def counted(evaluation, threshold):
    """Return how many digits are read at a threshold, and how many rightly, one by one."""
    read = [r for c, r in zip(evaluation.confidence, evaluation.right, strict=True)
            if c >= threshold]  # fmt: skip
    return len(read), int(sum(read))


@pytest.mark.parametrize(
    "evaluation", [TIED, random_answers(1), random_answers(360), random_answers(360, 9)],
    ids=["tied", "one", "360", "other 360"],
)  # fmt: skip
def test_every_row_is_counted_one_by_one(evaluation):
    found = coverage(evaluation)
    assert found.threshold.tolist() == sorted(set(evaluation.confidence.tolist()), reverse=True)
    rows = [counted(evaluation, threshold) for threshold in found.threshold]
    assert list(zip(found.read.tolist(), found.right.tolist(), strict=True)) == rows
    assert found.accuracy.tolist() == [right / read for read, right in rows]
    assert found.total == found.read[-1] == len(evaluation.labels)


def test_digits_of_the_same_confidence_are_read_together():
    found = coverage(TIED)
    assert found.read.tolist() == [1, 3, 5, 8]
    assert found.right.tolist() == [1, 2, 4, 5]


@pytest.mark.parametrize("evaluation", [TIED, random_answers(360, 4)], ids=["tied", "360"])
def test_any_threshold_reads_what_a_loop_reads(evaluation):
    found = coverage(evaluation)
    between = (found.threshold[1:] + found.threshold[:-1]) / 2
    for threshold in (0, 0.3, 0.95, 1, *found.threshold, *between):
        assert found.at(threshold) == counted(evaluation, threshold)


def test_at_0_all_are_read_and_at_1_only_the_certain_ones():
    assert coverage(TIED).at(0) == (8, 5)
    assert coverage(TIED).at(1) == (0, 0)
    certain = np.full((2, 10), -1e4)
    certain[:, 3] = 0
    assert coverage(Evaluation(np.array([3, 4]), certain)).at(1) == (2, 1)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("accuracy", [0.0, 0.5, 0.8, 0.9, 0.95, 1.0])
def test_the_threshold_for_an_accuracy_is_the_lowest_that_reaches_it(accuracy, seed):
    evaluation = random_answers(360, seed)
    reaching = []
    for threshold in evaluation.confidence:
        read, right = counted(evaluation, threshold)
        if right / read >= accuracy:
            reaching.append(threshold)
    found = coverage(evaluation).threshold_for(accuracy)
    assert found == (min(reaching) if reaching else None)


def test_a_dip_in_between_does_not_hide_a_lower_threshold():
    """0.9: wrong, then two right ones: 2/3 is only reached at the end."""
    found = coverage(answered([0.9, 0.8, 0.7], [0, 1, 1]))
    assert found.threshold_for(0.6) == pytest.approx(0.7)
    assert found.threshold_for(0.7) is None


def test_what_no_threshold_reaches_has_none():
    assert coverage(answered([0.9, 0.8], [0, 0])).threshold_for(0.01) is None


@pytest.mark.filterwarnings("error")
def test_without_images_nothing_is_read():
    found = coverage(EMPTY)
    assert found.total == 0
    assert len(found.threshold) == len(found.read) == len(found.right) == len(found.accuracy) == 0
    assert found.at(0) == found.at(1) == (0, 0)
    assert found.threshold_for(0.5) is None


def test_the_quantile_is_the_normal_distributions():
    from scipy.stats import norm

    assert pytest.approx(norm.ppf(0.975), abs=1e-15) == calibration.Z_95
