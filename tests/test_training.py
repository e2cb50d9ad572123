"""Training against Keras's own fit and evaluate, and recordings against themselves when resumed."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from mnist_core import models, recording, runs, training
from mnist_core.config import TrainConfig, conv_stack, dense_stack, preset
from mnist_core.data import choose

DENSE = TrainConfig(layers=dense_stack((24,), "relu", 0.25), epochs=2, batch_size=40)
CONV = TrainConfig(
    layers=conv_stack((4, 6), "relu", 0.2), epochs=2, batch_size=48, schedule="cosine",
    learning_rate=0.01, validation_share=0.1,
)  # fmt: skip
CONFIGS = {"dense": DENSE, "conv": CONV, "partial batch": replace(DENSE, batch_size=37)}


def record(root, dataset, config, **asked):
    run = runs.create(config, dataset.describe(), root)
    return training.train(runs.claim(root, run.id), dataset, **asked)


def go_on(run, dataset, **asked):
    return training.train(runs.claim(run.path.parent, run.id), dataset, **asked)


def snapshot(run, moment):
    with np.load(run.path / "weights" / f"{runs.moment_name(moment)}.npz") as arrays:
        return dict(arrays)


def assert_same_recording(one, other):
    assert one.history() == other.history()
    assert one.moments == other.moments
    for moment in one.moments:
        assert (one.logits(moment) == other.logits(moment)).all()
        left, right = snapshot(one, moment), snapshot(other, moment)
        assert left.keys() == right.keys()
        assert all((left[name] == right[name]).all() for name in left), moment


def stopper(after):
    """Return gone() that gives a reason from its `after`-th question on."""
    calls = iter(range(10**6))
    return lambda: "the test said so" if next(calls) >= after else None


@pytest.mark.parametrize("name", CONFIGS)
def test_chunks_equal_keras_fit_in_every_digit(root, small, name, monkeypatch):
    """The oracle: fit() batch by batch, without shuffling, fed the same permutations."""
    config = CONFIGS[name]
    monkeypatch.setattr(training, "CHUNK_IMAGES", 5 * config.batch_size)
    run = record(root, small, config)
    assert run.state == "completed"

    chosen, _ = choose(small.train.labels, None, config.validation_share, config.seed)
    model = models.build(config, config.epochs * -(-len(chosen) // config.batch_size))
    losses = []
    for epoch in range(config.epochs):
        order = chosen[training.epoch_order(config, len(chosen), epoch)]
        models.seed_epoch(model, config.seed, epoch)
        history = model.fit(
            small.train.images[order], tf.one_hot(small.train.labels[order], 10),
            batch_size=config.batch_size, shuffle=False, verbose=0,
        )  # fmt: skip
        losses.append(history.history["loss"][0])
    assert run.history()["loss"] == losses
    saved = snapshot(run, config.epochs)
    for number, weight in enumerate(model.get_weights()):
        assert (saved[f"weights/{number}"] == weight).all()


def test_recorded_figures_are_those_of_keras_evaluate(root, small):
    run = record(root, small, replace(CONV, schedule="constant"))
    model = keras.models.load_model(run.path / "model.keras")
    model.compile(loss="categorical_crossentropy", metrics=["accuracy"])
    chosen, held_out = choose(small.train.labels, None, 0.1, CONV.seed)
    figures = run.epochs.iloc[-1]
    for split, index, prefix in ((small.train, held_out, "val_"), (small.train, chosen, "sample_")):
        loss, accuracy = model.evaluate(
            split.images[index], np.eye(10)[split.labels[index]], verbose=0
        )
        assert figures[prefix + "loss"] == pytest.approx(loss, abs=1e-6)
        assert round(figures[prefix + "accuracy"] * len(index)) == round(accuracy * len(index))
    probabilities = model.predict(small.test.images, verbose=0)
    logits = run.logits(2.0).astype(np.float64)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)


def test_without_held_out_images_validation_is_the_test_set(small, through):
    run = through(DENSE)
    accuracy = (run.logits(2.0).argmax(1) == small.test.labels).mean()
    assert run.history()["val_accuracy"][-1] == accuracy
    assert run.status["test_accuracy"] == accuracy
    assert run.moments == [0.0, 1.0, 2.0]


@pytest.fixture(scope="module")
def through(small, tmp_path_factory):
    """The recording of a config that was trained without a break; each is made once."""
    made = {}

    def recording(config):
        if config not in made:
            made[config] = record(tmp_path_factory.mktemp("through"), small, config)
        return made[config]

    return recording


@pytest.mark.parametrize(
    ("name", "chunks"), [("dense", 2), ("dense", 5), ("conv", 7), ("partial batch", 8)]
)
def test_a_resumed_run_equals_one_that_went_through(
    root, small, through, name, chunks, monkeypatch
):
    config = CONFIGS[name]
    monkeypatch.setattr(training, "CHUNK_IMAGES", 3 * config.batch_size)
    broken = record(root, small, config, gone=stopper(chunks))
    assert broken.state == "interrupted"
    assert broken.status["reason"] == "the test said so"
    if broken.moments[-1] % 1:  # within an epoch that moment is recorded, too
        assert broken.moments[-1] == pytest.approx(broken.position, abs=1e-3)
        assert snapshot(broken, broken.moments[-1])["step"] == broken.status["step"]
    runs.resume(broken)
    assert_same_recording(go_on(broken, small), through(config))


def test_a_run_killed_between_two_writes_goes_on_from_its_last_weights(root, small, through):
    killed = record(root, small, DENSE)
    # Everything of epoch 2 was written but its weights, and a line of metrics only by half.
    (killed.path / "weights" / "002.npz").unlink()
    with open(killed.path / "metrics.jsonl", "a") as file:
        file.write('{"kind": "step", "st')
    runs.finish(killed, "interrupted")
    runs.resume(killed)
    assert_same_recording(go_on(killed, small), through(DENSE))


def test_more_epochs_equal_a_longer_run(root, small):
    longer = record(root, small, replace(DENSE, epochs=3))
    short = record(root, small, DENSE)
    runs.resume(short, epochs=1)
    more = go_on(short, small)
    assert more.planned_epochs == 3
    assert_same_recording(more, longer)


def test_the_same_seed_gives_the_same_history(root, small, through):
    assert_same_recording(record(root, small, CONV), through(CONV))
    assert record(root, small, replace(CONV, seed=2)).history() != through(CONV).history()


def test_pause_and_one_step_are_levels_of_run_until(root, small, through):
    run = runs.create(DENSE, small.describe(), root)
    runs.set_control(run, run_until=3)
    run = training.train(runs.claim(root, run.id), small)
    assert (run.state, run.status["step"]) == ("paused", 3)
    runs.set_control(run, run_until=4)
    runs.resume(run)
    run = go_on(run, small)
    assert (run.state, run.status["step"]) == ("paused", 4)
    runs.set_control(run, run_until=None)
    runs.resume(run)
    assert_same_recording(go_on(run, small), through(DENSE))


def test_a_rate_set_by_a_viewer_is_used_and_reported(root, small):
    run = runs.create(DENSE, small.describe(), root)
    runs.set_control(run, learning_rate=0.5)
    run = training.train(runs.claim(root, run.id), small)
    assert run.metrics["learning_rate"].dropna().unique() == pytest.approx([0.5])


def test_stop_within_an_epoch_records_that_moment(root, small, monkeypatch):
    monkeypatch.setattr(training, "CHUNK_IMAGES", 2 * DENSE.batch_size)
    run = runs.create(DENSE, small.describe(), root)

    def press(line):
        if line["kind"] == "step" and line["epoch"] > 1.2:
            runs.stop(runs.read(run.id, root))

    run = training.train(runs.claim(root, run.id), small, report=press)
    assert run.state == "stopped"
    assert 1.2 < run.moments[-1] < 1.6
    assert run.logits(run.moments[-1]).shape == (101, 10)
    assert len(run.history()["loss"]) == 1  # no validation for the part of an epoch


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_rate_of_a_million_is_diverged(root, small, optimizer):
    run = record(root, small, replace(DENSE, optimizer=optimizer, learning_rate=1e6))
    assert run.state == "diverged"
    assert "learning rate" in run.status["reason"]


def test_guessing_after_the_first_epoch_is_diverged(root, small):
    run = record(root, small, replace(DENSE, epochs=5, learning_rate=1e-7, optimizer="sgd"))
    assert run.state == "diverged"
    assert run.moments == [0.0, 1.0, 2.0]


def test_foreign_data_fail_the_run_with_the_reason(root, small):
    run = runs.create(DENSE, small.describe() | {"fingerprint": "other"}, root)
    run = training.train(runs.claim(root, run.id), small)
    assert run.state == "failed"
    assert "Expected the data this run was made for" in run.status["reason"]


def test_a_run_folder_that_cannot_be_written_fails_the_run(root, small, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(recording, "record_weights", full)
    run = record(root, small, DENSE)
    assert run.state == "failed"
    assert "No space left on device" in run.status["reason"]
    assert "Traceback" in run.status["error"]


def test_chunks_are_bounded_for_slow_networks():
    assert training.steps_per_chunk(preset("paper")) == 75
    assert training.steps_per_chunk(preset("small-cnn")) < 10
    large = TrainConfig(layers=dense_stack((1500, 1500), "relu", 0), batch_size=1)
    assert training.steps_per_chunk(large) < 40
    assert training.steps_per_chunk(replace(large, batch_size=4096)) == 1


def test_metrics_lines_are_plain_json(through):
    run = through(DENSE)
    lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines if line["kind"] == "epoch"] == [0, 1, 2]
    steps = [line["step"] for line in lines if line["kind"] == "step"]
    assert steps == sorted(steps) and steps[-1] == 20
    assert run.metrics["images_per_second"].dropna().gt(0).all()


def test_compiled_code_is_shared_and_starts_anew(root, small, through):
    first = training.compiled(DENSE, 20)
    again = training.compiled(replace(DENSE, seed=5, learning_rate=0.1), 20)
    assert again is first
    assert float(again.model.optimizer.learning_rate) == pytest.approx(0.1)
    assert_same_recording(record(root, small, DENSE), through(DENSE))
    assert training.compiled(replace(DENSE, batch_size=8), 20) is not first
