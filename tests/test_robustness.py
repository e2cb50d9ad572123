"""Curves of robustness, against NumPy's own computation; kept, resumed, read however spoiled."""

import json
import os
import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest
from conftest import write_run
from trainings import record

from mnist_core import distortions, inference, recording, robustness, runs
from mnist_core.config import TrainConfig
from mnist_core.distortions import DISTORTIONS
from mnist_core.robustness import curve, measure, missing
from mnist_core.runs import RunsError

LINEAR = TrainConfig(layers=(), epochs=2)
COLUMNS = ["level", "accuracy", "of", "confidence"]


def nearest_mean(split):
    """Return weights and biases of a linear network whose answer is the nearest class mean.

    Its logits are −|pixels − mean|² / 2 but for a term that all classes share.
    """
    pixels = split.images.reshape(-1, 784).astype(np.float32) / 255
    means = np.stack([pixels[split.labels == digit].mean(0) for digit in range(10)])
    return means.T.copy(), -(means**2).sum(1) / 2


def keep_weights(run, moment, kernel, bias):
    arrays = {"weights/0": kernel.astype(np.float32), "weights/1": bias.astype(np.float32)}
    recording.record_weights(run, moment, arrays)


@pytest.fixture
def run(root, digits):
    """A run on the built-in digits that reads them by their nearest class mean."""
    run = write_run(root, digits, LINEAR, epochs=2)
    keep_weights(run, 2, *nearest_mean(digits.train))
    return runs.read(run.id, root)


def place(run, name="rotate", moment=2):
    return run.path / "robustness" / f"{runs.moment_name(moment)}-{name}.jsonl"


def ask(run, level, name="rotate", moment=2):
    return inference.robustness(run.path, moment, name, level)


def constant(digit):
    """Return logits that always speak for one digit, and a list of how many images were asked."""
    asked = []

    def logits(images):
        asked.append(len(images))
        return np.tile(4 * np.eye(10, dtype=np.float32)[digit], (len(images), 1))

    return logits, asked


def independently(digits, name, level):
    """Return the share of right answers and the mean probability of the true digit, in float64."""
    kernel, bias = nearest_mean(digits.train)
    test = digits.test  # 360 digits: fewer than the sample, so all of them
    pixels = DISTORTIONS[name].apply(test.images, level).reshape(-1, 784) / 255.0
    odds = np.exp(pixels @ kernel.astype(float) + bias)
    probabilities = odds / odds.sum(1, keepdims=True)
    right = int((probabilities.argmax(1) == test.labels).sum())
    return right, probabilities[np.arange(len(test)), test.labels].mean()


@pytest.mark.parametrize("name", DISTORTIONS)
def test_the_numbers_are_those_of_an_independent_computation(run, digits, name):
    way = DISTORTIONS[name]
    for level in (way.levels[0], way.neutral, way.levels[-1]):
        right, confidence = independently(digits, name, level)
        found = ask(run, level, name)
        assert (found["level"], found["right"], found["of"]) == (level, right, 360)
        assert found["confidence"] == pytest.approx(confidence, rel=1e-4)
        row = curve(run, 2, name).set_index("level").loc[level]
        assert row["accuracy"] == right / 360 and row["of"] == 360
        assert row["confidence"] == found["confidence"]


def test_the_neutral_level_is_the_run_itself(root, small, digits, monkeypatch):
    """A trained network's accuracy on undistorted digits is its recorded one."""
    monkeypatch.setattr(robustness.data, "open_source", lambda source: small)
    robustness.sample.cache_clear()
    trained = record(root, small, TrainConfig(layers=(), epochs=1, batch_size=50))
    found = inference.robustness(trained.path, 1, "noise", 0.0)
    recorded = trained.logits(1).argmax(1) == small.test.labels
    assert (found["right"], found["of"]) == (recorded.sum(), 101)
    robustness.sample.cache_clear()


def test_the_sample_is_fixed_stratified_and_of_the_test_set(mnist):
    images, labels = robustness.sample(mnist.source, mnist.fingerprint)
    assert images.shape == (1000, 28, 28) and labels.shape == (1000,)
    shares = np.bincount(mnist.test.labels) / 10
    assert np.abs(np.bincount(labels) - shares).max() <= 1
    of_test = {image.tobytes() for image in mnist.test.images}
    assert all(image.tobytes() in of_test for image in images)
    assert robustness.sample(mnist.source, mnist.fingerprint)[0] is images


def test_nothing_measured_is_an_empty_curve(run, recorded):
    for one, moment in ((run, 2), (recorded, 3), (run, 99), (run, 1.4)):
        found = curve(one, moment, "rotate")
        assert found.empty and list(found.columns) == COLUMNS
        assert missing(one, moment, "rotate") == list(DISTORTIONS["rotate"].levels)
    assert not (run.path / "robustness").exists()


def test_a_curve_is_resumed_where_it_stands_and_sorted(run):
    levels = list(DISTORTIONS["rotate"].levels)
    for level in (30, -60, 0):
        ask(run, level)
    assert curve(run, 2, "rotate")["level"].tolist() == [-60, 0, 30]
    still = missing(run, 2, "rotate")
    assert still == [level for level in levels if level not in (-60, 0, 30)]
    for level in still:
        ask(run, level)
    found = curve(run, 2, "rotate")
    assert found["level"].tolist() == levels and missing(run, 2, "rotate") == []
    assert list(found.columns) == COLUMNS
    assert [str(kind) for kind in found.dtypes] == ["float64", "float64", "int64", "float64"]
    assert found["accuracy"].idxmax() == 4  # not rotated
    assert curve(run, 2, "shift").empty and curve(run, 1, "rotate").empty
    assert sorted(file.name for file in (run.path / "robustness").iterdir()) == ["002-rotate.jsonl"]


def test_each_level_of_each_way_is_found_again_as_it_was_asked(run):
    logits, _ = constant(3)
    for name, way in DISTORTIONS.items():
        for level in way.levels:
            measure(run, 2, name, level, logits)
        assert missing(run, 2, name) == []
        assert tuple(curve(run, 2, name)["level"]) == way.levels


def test_what_is_kept_is_not_measured_again(run):
    logits, asked = constant(3)
    first = measure(run, 2, "blur", 3, logits)
    assert sum(asked) == 360 and max(asked) <= robustness.BATCH
    assert measure(run, 2, "blur", 3.0, logits) == first
    assert sum(asked) == 360


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def test_of_duplicates_the_last_counts(run):
    ask(run, 15)
    [line] = lines(place(run))
    assert set(line) == {"level", "right", "of", "confidence", "weights"}
    with open(place(run), "a") as file:
        file.write(json.dumps(line | {"right": 18, "confidence": 0.5}) + "\n")
    found = curve(run, 2, "rotate")
    assert len(found) == 1 and found.loc[0].tolist() == [15, 0.05, 360, 0.5]


def test_two_viewers_may_ask_at_the_same_time(run):
    logits, _ = constant(3)
    both = threading.Barrier(2)

    def slow(images):
        both.wait(10)
        return logits(images)

    def view():
        for level in (-15, 15):
            measure(run, 2, "rotate", level, slow)

    viewers = [threading.Thread(target=view) for _ in range(2)]
    for viewer in viewers:
        viewer.start()
    for viewer in viewers:
        viewer.join()
    assert sorted(line["level"] for line in lines(place(run))) == [-15, -15, 15, 15]
    assert curve(run, 2, "rotate")["level"].tolist() == [-15, 15]


BROKEN = [
    b"", b"{", b"no line", b"[1, 2]", b"null", b"\xff\xfe\x00", b"[" * 100_000,
    b'{"level": 45.0}',
    *(
        json.dumps({"level": 45, "right": 300, "of": 360, "confidence": 0.5} | spoiled).encode()
        for spoiled in (
            {"level": None}, {"level": float("nan")}, {"level": "wide"}, {"right": 361},
            {"right": -1}, {"right": 1.5}, {"right": None}, {"of": 0, "right": 0}, {"of": "many"},
            {"confidence": 1.5}, {"confidence": float("nan")}, {"confidence": []},
            {"level": 10**400},
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN, ids=lambda line: line[:60].decode("latin1"))
def test_a_broken_line_is_passed_over_and_the_next_stands_alone(run, broken):
    ask(run, 15)
    stamp = lines(place(run))[0]["weights"]
    if broken.endswith(b"}"):
        broken = broken[:-1] + b', "weights": %d}' % stamp
    with open(place(run), "ab") as file:
        file.write(broken)  # and no end of line
    ask(run, 30)
    assert curve(run, 2, "rotate")["level"].tolist() == [15, 30]
    assert 45 in missing(run, 2, "rotate")


def test_a_recording_made_anew_has_a_curve_of_its_own(run, digits):
    before = ask(run, 0)
    ask(run, 15)
    kernel, bias = nearest_mean(digits.train)
    keep_weights(run, 2, kernel[:, ::-1], bias[::-1])
    assert curve(run, 2, "rotate").empty
    assert missing(run, 2, "rotate") == list(DISTORTIONS["rotate"].levels)
    after = ask(run, 0)
    assert after["right"] < before["right"]
    found = curve(run, 2, "rotate")  # the line of 15° is in the file still
    assert found["level"].tolist() == [0] and found["accuracy"][0] == after["right"] / 360


def test_weights_with_another_date_count_as_others_whichever_is_later(run):
    ask(run, 0)
    file = run.path / "weights" / "002.npz"
    told = file.stat()
    for change in (10**9, -(10**9)):
        os.utime(file, ns=(told.st_atime_ns, told.st_mtime_ns + change))
        assert curve(run, 2, "rotate").empty
    os.utime(file, ns=(told.st_atime_ns, told.st_mtime_ns))
    assert len(curve(run, 2, "rotate")) == 1


def test_weights_recorded_while_it_measures_do_not_get_the_old_ones_line(run, digits):
    logits, _ = constant(3)

    def overtaken(images):
        keep_weights(run, 2, *nearest_mean(digits.train))
        return logits(images)

    measure(run, 2, "rotate", 0, overtaken)
    assert curve(run, 2, "rotate").empty


def test_moments_within_an_epoch_have_their_own_curve(run, digits):
    keep_weights(run, 2.4, *nearest_mean(digits.train))
    ask(run, 0, moment=2.4)
    assert place(run, moment=2.4).name == "002.400-rotate.jsonl" and place(run, moment=2.4).exists()
    assert len(curve(run, 2.4, "rotate")) == 1 and curve(run, 2, "rotate").empty


def test_what_cannot_be_measured_says_why(run):
    logits, asked = constant(3)
    with pytest.raises(RunsError, match="No readable weights of epoch 7"):
        measure(run, 7, "rotate", 0, logits)
    with pytest.raises(ValueError, match=r"Expected one of rotate, shift.* Received: 'melt'"):
        measure(run, 2, "melt", 0, logits)
    with pytest.raises(ValueError, match=r"Expected rotate from -60 to 60\. Received: 61"):
        measure(run, 2, "rotate", 61, logits)
    gone = replace(run, dataset=run.dataset | {"source": "/nowhere/mnist.npz"})
    with pytest.raises(RunsError, match=r"data of this run cannot be read.*nowhere"):
        measure(gone, 2, "rotate", 0, logits)
    other = replace(run, dataset=run.dataset | {"fingerprint": "of others"})
    with pytest.raises(RunsError, match=r"Expected the data of the run\. Received: others"):
        measure(other, 2, "rotate", 0, logits)
    assert not asked
    with pytest.raises(RunsError, match="diverged"):
        measure(run, 2, "rotate", 0, lambda images: np.full((len(images), 10), np.nan, np.float32))
    assert curve(run, 2, "rotate").empty and not (run.path / "robustness").exists()


def test_a_run_that_was_deleted_meanwhile_does_not_come_back(run):
    logits, _ = constant(3)

    def deleting(images):
        shutil.rmtree(run.path, ignore_errors=True)
        return logits(images)

    with pytest.raises(RunsError, match="cannot be kept"):
        measure(run, 2, "rotate", 0, deleting)
    assert not run.path.exists()


def test_a_run_is_copied_with_its_curves(run, root):
    ask(run, 0)
    copy = root / "20261122-000000-abcd"
    shutil.copytree(run.path, copy)
    assert len(curve(runs.read(copy.name, root), 2, "rotate")) == 1


def test_every_distortion_is_asked_with_the_same_seed(run, monkeypatch):
    """So that two runs are shown the same noise and the same squares."""
    seen = []
    real = distortions.Distortion.apply

    def apply(self, images, level, seed=0):
        seen.append(seed)
        return real(self, images, level, seed)

    monkeypatch.setattr(distortions.Distortion, "apply", apply)
    ask(run, 0.6, "noise")
    ask(run, 16, "erase")
    assert seen == [0, 0]
