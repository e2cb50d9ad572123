"""Stopping early, against Keras's EarlyStopping fed with the same values."""

from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from scipy.special import softmax
from trainings import assert_same_recording, go_on, material, record, resume, saved_model, snapshot

from mnist_core import driving, runs
from mnist_core.config import TrainConfig
from mnist_core.early_stopping import best_epoch, stops

# Most labels are wrong, and it learns them by heart: validation soon becomes worse.
WORSE = TrainConfig(
    layers=(), epochs=20, batch_size=40, learning_rate=0.02, label_noise=0.8,
    validation_share=0.1, patience=2, seed=3,
)  # fmt: skip
ENDLESS = replace(WORSE, patience=0)


def keras_stop(values, metric, patience):
    """Return after which epoch, from 1 on, Keras's callback stops, or None, and its best epoch."""
    callback = keras.callbacks.EarlyStopping(monitor=metric, patience=patience, mode="auto")
    callback.set_model(SimpleNamespace(stop_training=False, metrics=[]))
    callback.mode = "min" if metric == "val_loss" else "max"
    callback.on_train_begin()
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {metric: value})
        if callback.model.stop_training:
            return epoch + 1, callback.best_epoch + 1
    return None, callback.best_epoch + 1


def our_stop(values, metric, patience):
    scores = {}
    for epoch, value in enumerate(values, 1):
        scores[epoch] = value
        if stops(scores, metric, patience):
            return epoch, best_epoch(scores, metric)
    return None, best_epoch(scores, metric)


@pytest.mark.parametrize("metric", ["val_loss", "val_accuracy"])
@pytest.mark.parametrize("patience", [1, 2, 5])
def test_it_stops_where_keras_does(metric, patience):
    """Values with many ties: an equal one is not better."""
    rng = np.random.default_rng(0)
    ends = set()
    for _ in range(300):
        values = (rng.integers(0, 12, 15) / 10).tolist()
        assert our_stop(values, metric, patience) == keras_stop(values, metric, patience)
        ends.add(our_stop(values, metric, patience)[0])
    assert len(ends) > 3


def test_the_best_is_the_first_of_equals():
    scores = {1: 0.5, 2: 0.3, 3: 0.3, 4: 0.9, 5: 0.9}
    assert best_epoch(scores, "val_loss") == 2
    assert best_epoch(scores, "val_accuracy") == 4


def test_patience_counts_from_where_a_viewer_made_it_go_on():
    scores = dict(enumerate([0.1, 0.2, 0.3, 0.4, 0.5], 1))
    assert stops(scores, "val_loss", 2)
    assert not stops(scores, "val_loss", 2, since=4)
    assert stops(scores | {6: 0.6}, "val_loss", 2, since=4)
    assert not stops(scores | {6: 0.05}, "val_loss", 2, since=4)  # better: it counts anew


# In a training


@pytest.fixture(scope="module")
def stopped(small, tmp_path_factory):
    return record(tmp_path_factory.mktemp("stopped"), small, WORSE)


@pytest.fixture(scope="module")
def endless(small, tmp_path_factory):
    """The same training, that does not stop, for as long as it takes the others."""
    return record(tmp_path_factory.mktemp("endless"), small, replace(ENDLESS, epochs=14))


def assert_beginning_of(run, longer):
    epochs = len(run.history()["loss"])
    assert all(run.history()[name] == values[:epochs] for name, values in longer.history().items())
    for moment in run.moments:
        assert (run.logits(moment) == longer.logits(moment)).all()


def stop_of(run, metric="val_loss", patience=2):
    return keras_stop(run.history()[metric], metric, patience)


def test_a_training_stops_where_keras_would(stopped, endless):
    end, best = stop_of(endless)
    assert 3 <= end < 14 and best == end - 2
    assert (stopped.state, stopped.position) == ("completed", end)
    assert stopped.moments == list(range(end + 1))
    assert stopped.status["reason"] == (
        f"Stopped early after epoch {end}: none since epoch {best} was better on the validation "
        "images."
    )
    assert_beginning_of(stopped, endless)


def answers(run, images):
    return saved_model(run).predict(images, verbose=0)


def assert_is_the_network_of(run, epoch, small):
    """Its saved file, its final moment and what its status says are those of an epoch."""
    assert run.final == epoch
    np.testing.assert_allclose(
        answers(run, small.test.images), softmax(run.logits(epoch), axis=1), atol=1e-6
    )
    accuracy = (run.logits(epoch).argmax(1) == small.test.labels).mean()
    assert run.status["test_accuracy"] == accuracy


def test_the_best_weights_are_put_back(stopped, small):
    end, best = stop_of(stopped)
    assert_is_the_network_of(stopped, best, small)
    assert not np.allclose(
        answers(stopped, small.test.images), softmax(stopped.logits(end), axis=1), atol=1e-3
    )
    # Keras, asked for the loss on the held-out images: it is that of the best epoch.
    _, held_out, *_ = material(WORSE, small)
    wanted = np.eye(10)[small.train.labels[held_out]]
    loss, _ = saved_model(stopped).evaluate(small.train.images[held_out], wanted, verbose=0)
    assert loss == pytest.approx(min(stopped.history()["val_loss"]), rel=1e-5)
    # The recording keeps the last epoch, from which it can go on.
    assert (snapshot(stopped, end)["weights/0"] != snapshot(stopped, best)["weights/0"]).any()


def test_the_last_weights_stay_where_that_was_asked(root, small, stopped):
    run = record(root, small, replace(WORSE, best_weights="last"))
    assert_same_recording(run, stopped)
    assert "final_epoch" not in run.status
    assert_is_the_network_of(run, run.moments[-1], small)


def test_accuracy_can_decide(root, small, endless):
    run = record(root, small, replace(WORSE, stop_metric="val_accuracy", patience=3))
    end, best = stop_of(endless, "val_accuracy", 3)
    assert (run.state, run.position) == ("completed", end)
    assert_is_the_network_of(run, best, small)
    assert best == 1 + int(np.argmax(run.history()["val_accuracy"]))


def test_a_plan_that_ends_before_patience_does_has_its_best_weights_back(root, small, stopped):
    end, best = stop_of(stopped)
    run = record(root, small, replace(WORSE, epochs=end - 1))
    assert (run.state, run.status["reason"]) == ("completed", None)
    assert "stopped_early" not in run.status
    assert_is_the_network_of(run, best, small)


def test_five_more_epochs_after_an_early_stop_have_patience_from_there(root, small, endless):
    run = record(root, small, WORSE)
    end, best = stop_of(endless)
    driving.resume(run, epochs=5)
    queued = runs.read(run.id, root)
    assert (queued.planned_epochs, queued.final) == (end + 5, end)
    run = go_on(queued, small)
    values = endless.history()["val_loss"]
    assert min(values[end : end + 2]) > values[best - 1], "else the test needs another seed"
    assert (run.state, run.position) == ("completed", end + 2)
    assert f"Stopped early after epoch {end + 2}: none since epoch {best}" in run.status["reason"]
    assert_beginning_of(run, endless)
    assert_is_the_network_of(run, best, small)
    again = resume(run, small, epochs=1)  # less than its patience: to the end of the plan
    assert (again.state, again.position, again.status["reason"]) == ("completed", end + 3, None)
    assert_beginning_of(again, endless)


def test_a_paused_run_counts_the_epochs_before_the_pause(root, small, stopped):
    end, _ = stop_of(stopped)
    run = record(root, small, WORSE, {"run_until": 9 * (end - 1) + 4})
    assert run.state == "paused" and run.final == run.moments[-1]
    assert "final_epoch" not in run.status
    run = resume(run, small)
    assert_same_recording(run, stopped)
    assert run.status["final_epoch"] == stopped.status["final_epoch"]


def press_at_the_last_step(root, epoch, action):
    def report(line):
        if line["kind"] == "step" and line["epoch"] == epoch:
            action(runs.list_runs(root)[0])

    return report


@pytest.mark.parametrize("how", ["stop", "closed", "pause"])
def test_what_ends_with_the_epoch_that_would_stop_it_trains_no_further(root, small, stopped, how):
    """Stopped by hand or by the end of the app in its last step: a resume only completes it."""
    end, _ = stop_of(stopped)
    if how == "closed":
        reports = []
        run = record(
            root, small, WORSE, report=reports.append,
            gone=lambda: "closed" if reports and reports[-1]["epoch"] == end else None,
        )  # fmt: skip
        assert run.state == "interrupted"
    elif how == "stop":
        run = record(root, small, WORSE, report=press_at_the_last_step(root, end, driving.stop))
        assert run.state == "stopped"
    else:
        run = record(root, small, WORSE, {"run_until": 9 * end})
        assert run.state == "completed"  # its last step is also that of the pause
    assert run.position == end
    if how != "pause":
        assert run.final == end and "stopped_early" not in run.status
        run = resume(run, small)
    assert run.state == "completed" and "Stopped early" in run.status["reason"]
    assert_same_recording(run, stopped)
    assert_is_the_network_of(run, stop_of(stopped)[1], small)
