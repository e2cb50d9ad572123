"""A run's answers over its moments, against the recorded files, scikit-learn and SciPy."""

import io
import itertools
import re

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import confusion_matrix

from mnist_core import history, recording, runs
from mnist_core.history import History, life_in_words


def predictions(run, moment):
    return run.path / "predictions" / f"{runs.moment_name(moment)}.npy"


def loaded(run, moment):
    return np.load(predictions(run, moment))


def saved(save, *arrays):
    file = io.BytesIO()
    save(file, *arrays)
    return file.getvalue()


def spoil(file, kind):
    """Damage a file of logits."""
    whole, logits = file.read_bytes(), np.load(file)
    if kind == "missing":
        return file.unlink()
    if kind == "folder":
        file.unlink()
        return file.mkdir()
    return file.write_bytes({
        "empty": b"",
        "truncated": whole[:-1],
        "half": whole[: len(whole) // 2],
        "header only": whole[:60],
        "text": b"not an array",
        "zip": saved(np.savez, logits),
        "pickle": saved(np.save, np.array([{}], object)),
        "shorter": saved(np.save, logits[:-1]),
        "longer": saved(np.save, np.concatenate([logits, logits[:1]])),
        "none": saved(np.save, logits[:0]),
        "nine digits": saved(np.save, logits[:, :9]),
        "float64": saved(np.save, logits.astype(float)),
        "number": saved(np.save, np.float32(1)),
    }[kind])  # fmt: skip


DAMAGE = [
    "missing", "folder", "empty", "truncated", "half", "header only", "text", "zip", "pickle",
    "shorter", "longer", "none", "nine digits", "float64", "number",
]  # fmt: skip
REACH_FAR = ("shorter", "longer")  # the first images' logits are there


@pytest.fixture
def two_and_a_bit(recorded, small):
    """The recorded run with another moment, 2.4."""
    logits = np.random.default_rng(8).normal(size=(len(small.test), 10)).astype(np.float32)
    recording.record_logits(recorded, 2.4, logits)
    return runs.read(recorded.id, recorded.path.parent)


def made(predicted, labels, moments=None):
    predicted = np.array(predicted, np.uint8)
    moments = list(map(float, range(len(predicted)))) if moments is None else moments
    return History(moments, np.array(labels, np.uint8), predicted, [])


@pytest.fixture(scope="module")
def random_history():
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 10, 300)
    answers = np.where(rng.random((4, 300)) < 0.6, labels, rng.integers(0, 10, (4, 300)))
    return made(answers, labels, [0.0, 1.0, 1.5, 2.0])


# Reading


def test_the_answers_are_the_largest_of_the_recorded_logits(two_and_a_bit, small):
    found = history.read(two_and_a_bit, small.test.labels)
    assert found.moments == [0.0, 1.0, 2.0, 2.4, 3.0]
    assert found.unreadable == []
    assert found.predicted.dtype == np.uint8
    expected = [loaded(two_and_a_bit, moment).argmax(axis=1) for moment in found.moments]
    assert (found.predicted == expected).all()
    assert (found.labels == small.test.labels).all()
    assert found.trained.tolist() == [False, True, True, True, True]


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_moment_is_told_and_the_others_stay(two_and_a_bit, small, kind):
    run = two_and_a_bit
    assert 2.0 in run.moments  # listed before the file is damaged
    spoil(predictions(run, 2.0), kind)
    found = history.read(run, small.test.labels)
    assert (found.moments, found.unreadable) == ([0.0, 1.0, 2.4, 3.0], [2.0])
    expected = [loaded(run, moment).argmax(axis=1) for moment in found.moments]
    assert (found.predicted == expected).all()


def test_when_all_is_damaged_nothing_is_left_and_nothing_fails(recorded, small):
    for moment in recorded.moments:
        spoil(predictions(recorded, moment), "empty")
    found = history.read(recorded, small.test.labels)
    assert (found.moments, found.unreadable) == ([], [0.0, 1.0, 2.0, 3.0])
    assert found.predicted.shape == (0, 101)
    assert found.confusions.shape == (0, 10, 10)
    assert found.in_cells([(4, 9)]).tolist() == []
    assert found.epochs_wrong.tolist() == [0] * 101


def test_of_other_labels_no_moment_fits(recorded):
    found = history.read(recorded, np.zeros(7, np.uint8))
    assert (found.moments, len(found.unreadable)) == ([], 4)


# Counting


def test_the_confusions_are_scikit_learns(random_history):
    for moment, answers in enumerate(random_history.predicted):
        expected = confusion_matrix(random_history.labels, answers, labels=range(10))
        assert (random_history.confusions[moment] == expected).all()
    assert random_history.confusions.dtype == np.int64


def test_the_epochs_read_wrongly_are_counted_one_by_one(random_history):
    expected = [
        sum(random_history.predicted[moment, image] != label for moment in (1, 2, 3))
        for image, label in enumerate(random_history.labels)
    ]
    assert random_history.epochs_wrong.tolist() == expected
    assert max(expected) == 3 and min(expected) == 0


def test_an_untrained_networks_guess_is_no_epoch():
    assert made([[1, 0], [1, 0]], [0, 0]).epochs_wrong.tolist() == [1, 0]
    assert made([[1, 0]], [0, 0]).epochs_wrong.tolist() == [0, 0]


def inside(cells, label, answer):
    """Tell whether an answer belongs to one of the cells: a row's or column's right ones do not."""
    return any(
        true in (None, label) and said in (None, answer)
        and (label != answer or None not in (true, said))
        for true, said in cells
    )  # fmt: skip


@pytest.mark.parametrize(
    "cells",
    [[], [(4, 9)], [(7, 7)], [(4, None)], [(None, 9)], [(None, None)], [(0, None), (None, 0)],
     [(4, 9), (4, None)], [(4, 9), (4, 9)], [(4, None), (4, 4)], [(4, 9), (9, 4), (None, 9)]],
    ids=str,
)  # fmt: skip
def test_images_in_cells_are_counted_one_by_one(random_history, cells):
    expected = [
        sum(inside(cells, *pair) for pair in zip(random_history.labels, answers, strict=True))
        for answers in random_history.predicted
    ]
    assert random_history.in_cells(cells).tolist() == expected
    assert not cells or max(expected) > 0


def test_cells_by_hand():
    found = made([[4, 9, 9, 4, 1], [4, 4, 9, 9, 1]], [4, 4, 4, 9, 1])
    assert found.in_cells([(4, 9)]).tolist() == [2, 1]
    assert found.in_cells([(4, 4)]).tolist() == [1, 2]
    assert found.in_cells([(4, None)]).tolist() == [2, 1]
    assert found.in_cells([(None, 4)]).tolist() == [1, 0]
    assert found.in_cells([(None, 9), (4, 9), (4, None)]).tolist() == [2, 1]


def test_among_some_images_the_answers_are_theirs(random_history):
    some = np.array([17, 3, 299, 3])
    found = random_history.among(some)
    assert found.labels.tolist() == [random_history.labels[i] for i in some]
    assert found.predicted.T.tolist() == [random_history.predicted[:, i].tolist() for i in some]
    assert found.epochs_wrong.tolist() == [int(random_history.epochs_wrong[i]) for i in some]
    assert found.moments == random_history.moments
    assert random_history.among(np.zeros(300, bool)).in_cells([(None, None)]).tolist() == [0] * 4


def test_among_keeps_the_unreadable_moments():
    whole = History([1.0], np.zeros(2, np.uint8), np.zeros((1, 2), np.uint8), [2.0, 3.0])
    assert whole.among(np.array([0])).unreadable == [2.0, 3.0]


# A life


@pytest.mark.parametrize("index", [0, 57, 100])
def test_a_life_is_scipys_softmax_of_the_recorded_rows(two_and_a_bit, index):
    moments, probabilities = history.life(two_and_a_bit, index, 101)
    assert moments == [0.0, 1.0, 2.0, 2.4, 3.0]
    assert probabilities.dtype == np.float64
    rows = np.array([loaded(two_and_a_bit, moment)[index] for moment in moments], np.float64)
    np.testing.assert_allclose(probabilities, softmax(rows, axis=1), rtol=1e-12)


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_life_leaves_out_what_cannot_be_read(two_and_a_bit, kind):
    run = two_and_a_bit
    assert 2.0 in run.moments
    kept = {m: loaded(run, m).astype(float) for m in run.moments}
    spoil(predictions(run, 2.0), kind)
    for index in (3, 100):
        moments, probabilities = history.life(run, index, 101)
        assert moments == [0.0, 1.0, 2.4, 3.0]
        rows = np.array([kept[m][index] for m in moments])
        np.testing.assert_allclose(probabilities, softmax(rows, axis=1), rtol=1e-12)


def test_without_a_moment_that_fits_there_is_no_life(recorded):
    moments, probabilities = history.life(recorded, 5, 102)
    assert moments == []
    assert probabilities.shape == (0, 10)


@pytest.mark.parametrize(
    ("moments", "right", "words"),
    [([0, 1, 2, 3], "----", "Never learned: read wrongly after every epoch."),
     ([0, 1, 2, 3], "+---", "Never learned: read wrongly after every epoch."),
     ([0, 1, 2, 3], "-+++", "Learned by epoch 1 and kept."),
     ([0, 1, 2, 3], "+--+", "Learned by epoch 3 and kept."),
     ([0, 1, 2, 3], "++++", "Learned by epoch 1 and kept."),
     ([0, 1, 2, 3], "-+--", "Learned by epoch 1, forgotten by epoch 2."),
     ([0, 1, 2, 3], "-+-+",
      "Learned by epoch 1, forgotten by epoch 2, learned again by epoch 3 and kept."),
     ([0, 1, 2, 3, 4], "-+-+-",
      "Learned by epoch 1, forgotten by epoch 2, learned again by epoch 3, forgotten by epoch 4."),
     ([1, 2, 3, 4, 5], "+-+-+", "Learned and forgotten: forgotten 2 times, right at the end."),
     (range(7), "-+-+-+-", "Learned and forgotten: forgotten 3 times, wrong at the end."),
     (range(9), "--+-+-+-+", "Learned and forgotten: forgotten 3 times, right at the end."),
     ([0], "+", "Not trained yet: the network guesses."),
     ([], "", "Not trained yet: the network guesses."),
     ([0, 1], "-+", "Learned by epoch 1 and kept."),
     ([0, 1], "+-", "Never learned: read wrongly after every epoch."),
     ([1], "+", "Learned by epoch 1 and kept."),
     ([0, 1, 2, 2.4], "---+", "Learned by epoch 2.4 and kept."),
     ([0, 0.25, 1, 2.004], "-++-", "Learned by epoch 0.25, forgotten by epoch 2.004.")],
)  # fmt: skip
def test_a_life_in_words(moments, right, words):
    assert life_in_words(list(map(float, moments)), np.array([r == "+" for r in right])) == words


def test_every_short_life_tells_as_many_forgettings_as_there_are():
    """The oracle counts as Toneva does: right at one moment, wrong at the next."""
    for right in itertools.product([False, True], repeat=8):
        events = sum(now and not then for now, then in itertools.pairwise(right))
        words = life_in_words([float(m) for m in range(1, 9)], np.array(right))
        if found := re.search(r"forgotten (\d+) times", words):
            assert int(found[1]) == events >= 2
            assert ("right at the end" in words) == right[-1]
        else:
            assert words.count("forgotten") == events <= 2
            assert words.endswith(" and kept.") == right[-1]
        assert words.startswith("Never") == (not any(right))


def test_moments_and_answers_of_different_number_are_refused():
    with pytest.raises(ValueError):
        life_in_words([0.0, 1.0], np.array([True]))
