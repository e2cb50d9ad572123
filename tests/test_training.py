"""Training against Keras's own fit and evaluate, and recordings against themselves when resumed."""

from dataclasses import replace

import numpy as np
import pytest
from trainings import (
    assert_same_recording,
    go_on,
    keras_fit,
    lines,
    material,
    record,
    resume,
    saved_model,
    snapshot,
    stopper,
    targets,
)

from mnist_core import (
    augmentation,
    compiling,
    driving,
    models,
    recording,
    runs,
    training,
    watching,
)
from mnist_core.config import LOSSES, TrainConfig
from mnist_core.layers import (
    ACTIVATIONS,
    INITIALIZERS,
    LAYERS,
    AveragePool,
    Conv,
    Dense,
    Dropout,
    MaxPool,
    conv_stack,
    dense_stack,
)
from mnist_core.optimizers import OPTIMIZERS, SCHEDULES
from mnist_core.presets import preset

DENSE = TrainConfig(layers=dense_stack((24,), "relu", 0.25), epochs=2, batch_size=40)
CONV = TrainConfig(
    layers=conv_stack((4, 6), "relu", 0.2), epochs=2, batch_size=48, schedule="cosine",
    learning_rate=0.01, validation_share=0.1,
)  # fmt: skip
LINEAR = TrainConfig(layers=(), epochs=2, batch_size=40)
MOVED = replace(DENSE, shift=2.0, rotate=10.0, zoom=0.1)
NOISY = replace(LINEAR, label_noise=0.3, validation_share=0.1, learning_rate=0.01)
EVERYTHING = TrainConfig(
    layers=(
        Dropout(0.1), Conv(4, 5, 2, "elu", False, "valid", 0.001), AveragePool(2),
        Conv(6, 3, 1, "gelu"), MaxPool(2), Dense(12, "tanh", True, 0.002), Dropout(0.1),
    ),
    initializer="random_normal", loss="sparse_categorical_crossentropy", optimizer="nesterov",
    learning_rate=0.03, schedule="step", drop_every=1, batch_size=13, epochs=2,
    validation_share=0.1, training_size=300, label_noise=0.1, shift=1.0, rotate=5.0, zoom=0.05,
    seed=7,
)  # fmt: skip
# Together they have every optimizer, layer, activation, initializer, loss and schedule.
CONFIGS = {
    "dense": DENSE,
    "moved": MOVED,
    "wrong labels": NOISY,
    "partial batch": replace(LINEAR, batch_size=37, optimizer="sgd", learning_rate=0.05),
    "one batch an epoch": replace(LINEAR, batch_size=1000, initializer="zeros"),
    "sparse": replace(
        LINEAR, loss="sparse_categorical_crossentropy", optimizer="rmsprop", validation_share=0.1,
        schedule="cosine", learning_rate=0.01,
    ),
    "mean squared error": replace(
        LINEAR, loss="mean_squared_error", optimizer="adamw", validation_share=0.1,
        learning_rate=0.01,
    ),
    "L2": replace(
        DENSE, layers=(Dense(20, l2=0.2), Dense(9, "linear", l2=1e-4)), optimizer="momentum",
        learning_rate=0.02, validation_share=0.1,
    ),
    "dense batch norm": replace(
        DENSE, layers=(Dense(20, "relu", True), Dense(9, "sigmoid", True)), initializer="he_normal",
        learning_rate=0.03,
    ),
    "pools": replace(
        DENSE, layers=(MaxPool(2), Dropout(0.1), AveragePool(2)), initializer="lecun_normal",
        learning_rate=0.02,
    ),
    "conv": CONV,
    "everything": EVERYTHING,
}  # fmt: skip


@pytest.fixture(scope="module")
def through(small, tmp_path_factory):
    """The recording of a config that was trained without a break; each is made once."""
    made = {}

    def recording(config):
        if config not in made:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(compiling, "CHUNK_IMAGES", 3 * config.batch_size)
                made[config] = record(tmp_path_factory.mktemp("through"), small, config)
        return made[config]

    return recording


@pytest.mark.parametrize("name", CONFIGS)
def test_chunks_equal_keras_fit_in_every_digit(small, through, name):
    """The oracle: fit() batch by batch, without shuffling, fed the same images and labels."""
    config = CONFIGS[name].validate()
    run = through(config)
    assert run.state == "completed", run.status
    model, losses = keras_fit(config, small)
    assert run.history()["loss"] == losses
    saved = snapshot(run, config.epochs)
    for number, weight in enumerate(model.get_weights()):
        assert (saved[f"weights/{number}"] == weight).all()


@pytest.mark.parametrize("name", CONFIGS)
def test_every_optimizer_layer_loss_and_schedule_learns_at_the_rate_asked_for(through, name):
    config, run = CONFIGS[name], through(CONFIGS[name])
    loss = run.history()["loss"]
    assert loss[1] < loss[0] and run.epochs["sample_loss"][2] < run.epochs["sample_loss"][0]
    assert (snapshot(run, 0)["weights/0"] != snapshot(run, 2)["weights/0"]).any()
    steps, rates = lines(run, "step"), config.rates(run.steps_per_epoch)
    assert [line["step"] for line in steps if line["epoch"] % 1 == 0] == [
        run.steps_per_epoch, 2 * run.steps_per_epoch,
    ]  # fmt: skip
    for line in steps:  # the rate of the step that comes next
        assert line["learning_rate"] == pytest.approx(rates.rate(line["step"]), rel=1e-4)


def test_the_configs_have_all_there_is():
    configs = CONFIGS.values()
    assert {config.optimizer for config in configs} == set(OPTIMIZERS)
    assert {config.schedule for config in configs} == set(SCHEDULES)
    assert {config.loss for config in configs} == set(LOSSES)
    assert {config.initializer for config in configs} == set(INITIALIZERS)
    layers = [layer for config in configs for layer in config.layers]
    assert {type(layer) for layer in layers} == set(LAYERS.values())
    assert {getattr(layer, "activation", "relu") for layer in layers} == set(ACTIVATIONS)


@pytest.mark.parametrize("name", ["conv", "L2", "sparse", "mean squared error", "everything"])
def test_recorded_figures_are_those_of_keras_evaluate(small, through, name):
    config = CONFIGS[name]
    run = through(config)
    model = saved_model(run)
    chosen, held_out, given, _ = material(config, small)
    figures = run.epochs.iloc[-1]
    for index, labels, prefix in (
        (held_out, small.train.labels, "val_"), (chosen, given, "sample_"),
    ):  # fmt: skip
        images, wanted = small.train.images[index], targets(config, labels[index])
        loss, accuracy = model.evaluate(images, wanted, verbose=0)
        # Keras adds what L2 costs, the same for all images; our figures are without it.
        penalty = float(sum(model.losses)) if model.losses else 0.0
        assert figures[prefix + "loss"] == pytest.approx(loss - penalty, abs=2e-6)
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
    assert run.final == 2.0


@pytest.mark.parametrize(
    ("name", "chunks"),
    [
        ("dense", 2),
        ("dense", 5),
        ("partial batch", 8),
        ("moved", 3),
        ("conv", 7),
        ("everything", 5),
    ],
)
def test_a_resumed_run_equals_one_that_went_through(
    root, small, through, name, chunks, monkeypatch
):
    config = CONFIGS[name]
    monkeypatch.setattr(compiling, "CHUNK_IMAGES", 3 * config.batch_size)
    broken = record(root, small, config, gone=stopper(chunks))
    assert broken.state == "interrupted"
    assert broken.status["reason"] == "the test said so"
    if broken.moments[-1] % 1:  # within an epoch that moment is recorded, too
        assert broken.moments[-1] == pytest.approx(broken.position, abs=1e-3)
        assert snapshot(broken, broken.moments[-1])["step"] == broken.status["step"]
    assert_same_recording(resume(broken, small), through(config))


def test_a_run_broken_at_every_step_equals_one_that_went_through(root, small, through):
    """One step, then the next: each time from the files alone."""
    run = record(root, small, MOVED, {"run_until": 0})
    assert (run.state, run.moments) == ("paused", [0])
    for step in (1, 2, 3, 9, 10, 11, 19):
        run = resume(run, small, until=step)
        assert (run.state, run.status["step"]) == ("paused", step)
        assert run.moments[-1] == pytest.approx(step / 10, abs=1e-3)
    run = resume(run, small, until=20)
    assert run.state == "completed"
    assert_same_recording(run, through(MOVED))


def test_a_run_killed_between_two_writes_goes_on_from_its_last_weights(root, small, through):
    killed = record(root, small, DENSE)
    # Everything of epoch 2 was written but its weights, and a line of metrics only by half.
    (killed.path / "weights" / "002.npz").unlink()
    with open(killed.path / "metrics.jsonl", "a") as file:
        file.write('{"kind": "step", "st')
    with open(killed.path / "layers.jsonl", "a") as file:
        file.write('\n{"epoch": 2, "lay')
    runs.finish(killed, "interrupted")
    again = resume(killed, small)
    assert_same_recording(again, through(DENSE))
    assert watching.layers_at(again, 2) == watching.layers_at(through(DENSE), 2) != []


def test_more_epochs_equal_a_longer_run(root, small):
    longer = record(root, small, replace(DENSE, epochs=3))
    more = resume(record(root, small, DENSE), small, epochs=1)
    assert more.planned_epochs == 3
    assert_same_recording(more, longer)


def test_the_same_seed_gives_the_same_history(root, small, through):
    assert_same_recording(record(root, small, CONV), through(CONV))
    other = record(root, small, replace(CONV, seed=2))
    assert other.history() != through(CONV).history()


def test_compiled_code_is_shared_and_starts_anew(root, small, through):
    first = compiling.compiled(DENSE, 20)
    again = compiling.compiled(replace(DENSE, seed=5, learning_rate=0.1), 20)
    assert again is first
    assert float(again.model.optimizer.learning_rate) == pytest.approx(0.1)
    assert_same_recording(record(root, small, DENSE), through(DENSE))
    # What changes the program that is compiled is compiled anew.
    for changes in ({"batch_size": 8}, {"loss": "mean_squared_error"}, {"optimizer": "sgd"}):
        assert compiling.compiled(replace(DENSE, **changes), 20) is not first


def test_shared_code_has_the_first_weights_of_its_own_config(root, small):
    for name in INITIALIZERS:
        config = replace(LINEAR, initializer=name, epochs=1)
        run = record(root, small, config, {"run_until": 0})
        alone = models.build(config).get_weights()
        assert (snapshot(run, 0)["weights/0"] == alone[0]).all()


def test_fewer_images_than_a_batch_are_a_batch(root, small):
    config = replace(LINEAR, training_size=100, batch_size=4096, epochs=3)
    run = record(root, small, config)
    assert (run.state, run.steps_per_epoch, run.status["step"]) == ("completed", 1, 3)
    assert run.history()["loss"] == keras_fit(config, small)[1]


def test_the_compiled_calls_answer_as_keras_does(small):
    network = compiling.compiled(replace(CONV, epochs=1), 9)
    images, labels = small.train.images[:50], small.train.labels[:50]
    images = np.tile(images, (11, 1, 1))  # 550: more than a forward pass takes, and not a multiple
    expected = network.model.predict(images, verbose=0)
    logits = network.forward(images)
    assert (logits.dtype, logits.shape) == (np.float32, (550, 10))
    exponents = np.exp(logits.astype(float))
    np.testing.assert_allclose(
        exponents / exponents.sum(axis=1, keepdims=True), expected, atol=1e-6
    )
    assert [len(kernel.shape) for kernel in network.kernels] == [4, 4, 2]
    assert len(network.gradients(images[:50], labels)) == 3


# The parts of a recording


def test_metrics_lines_are_plain_json(through):
    run = through(DENSE)
    assert [line["epoch"] for line in lines(run, "epoch")] == [0, 1, 2]
    steps = [line["step"] for line in lines(run, "step")]
    assert steps == sorted(steps) and steps[-1] == 20
    assert run.metrics["images_per_second"].dropna().gt(0).all()
    assert {line["kind"] for line in lines(run)} == {"epoch", "step"}
    assert all(line.keys() <= set(runs.METRICS) for line in lines(run))


@pytest.mark.parametrize("name", ["dense", "partial batch", "one batch an epoch"])
def test_an_ordinary_run_measures_no_single_batch(through, name):
    """Though its last batch may come alone: that is asked for by hand only."""
    assert not any("batch_before" in line for line in lines(through(CONFIGS[name])))


def test_wrong_labels_are_recorded_as_they_are_trained_on(small, through):
    run = through(NOISY)
    chosen, _, given, _ = material(NOISY, small)
    with np.load(run.path / "wrong_labels.npz") as arrays:
        images, labels = arrays["images"], arrays["labels"]
    np.testing.assert_array_equal(images, np.flatnonzero(given != small.train.labels))
    np.testing.assert_array_equal(labels, given[images])
    assert len(images) == round(0.3 * len(chosen)) and set(images) <= set(chosen)
    # The saved network, asked without us: what it repeats, and what it reads right all the same.
    read = saved_model(run).predict(small.train.images[images], verbose=0).argmax(1)
    last = run.epochs.iloc[-1]
    assert last["noise_learned"] == (read == labels).mean()
    assert last["noise_resisted"] == (read == small.train.labels[images]).mean()
    assert not (through(DENSE).path / "wrong_labels.npz").exists()
    assert through(DENSE).epochs["noise_learned"].isna().all()


def test_stop_within_an_epoch_records_that_moment(root, small, monkeypatch):
    monkeypatch.setattr(compiling, "CHUNK_IMAGES", 2 * DENSE.batch_size)

    def press(line):
        if line["kind"] == "step" and line["epoch"] > 1.2:
            [run] = runs.list_runs(root)
            driving.stop(run)

    run = record(root, small, DENSE, report=press)
    assert (run.state, run.status["reason"]) == ("stopped", "Stopped by hand.")
    assert 1.2 < run.moments[-1] < 1.6
    assert run.logits(run.moments[-1]).shape == (101, 10)
    assert run.final == run.moments[-1]
    assert len(run.history()["loss"]) == 1  # no validation for the part of an epoch
    model = saved_model(run)
    predicted = model.predict(small.test.images, verbose=0).argmax(1)
    assert (predicted == run.logits(run.final).argmax(1)).all()


# Divergence


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_rate_of_a_million_is_diverged(root, small, optimizer):
    run = record(root, small, replace(DENSE, optimizer=optimizer, learning_rate=1e6))
    assert run.state == "diverged"
    assert "Try a learning rate ten times smaller, such as 100000." in run.status["reason"]
    assert not (run.path / "live.npz").exists()
    with pytest.raises(runs.RunsError, match="diverged run cannot be resumed"):
        driving.resume(run, 5)


def test_weights_that_are_lost_in_the_last_batch_are_diverged(root, small):
    """The loss of an epoch is the mean of those before each update: here before the only one."""
    config = replace(
        LINEAR, layers=(Dense(8, "linear"),) * 7, optimizer="sgd", learning_rate=1e6,
        batch_size=1000, epochs=1,
    )  # fmt: skip
    run = record(root, small, config)
    assert np.isfinite(lines(run, "step")[-1]["loss"])
    assert run.state == "diverged"
    assert "not all numbers" in run.status["reason"] and "Try a learning" in run.status["reason"]


def test_guessing_after_the_first_epoch_is_diverged(root, small):
    run = record(root, small, replace(DENSE, epochs=5, learning_rate=1e-7, optimizer="sgd"))
    assert run.state == "diverged"
    assert run.moments == [0.0, 1.0, 2.0]
    assert "no better than guessing" in run.status["reason"]


def test_a_slow_start_is_no_divergence(root, small):
    """After two epochs it still guesses, but its loss falls: after four it has begun to learn."""
    layers = (Dense(16, "sigmoid"), Dense(16, "sigmoid"))
    run = record(root, small, replace(DENSE, layers=layers, epochs=4))
    accuracy = run.history()["accuracy"]
    assert run.state == "completed"
    assert max(accuracy[:2]) < 0.15 < accuracy[3]


def test_zeros_as_first_weights_end_with_a_reason_that_helps(root, small):
    run = record(root, small, replace(DENSE, initializer="zeros", epochs=5, learning_rate=0.01))
    assert run.state == "diverged"
    assert "Try another learning rate, or other first weights." in run.status["reason"]
    # All units of a layer stay alike, as the form says.
    arrays = snapshot(run, run.moments[-1])
    assert (arrays["weights/0"] == arrays["weights/0"][:, :1]).all()


def test_a_large_penalty_on_weights_is_not_divergence(through):
    run = through(CONFIGS["L2"])
    assert run.history()["loss"][0] > 2 * np.log(10) > run.history()["sample_loss"][0]
    assert run.state == "completed"


# Failures


def test_foreign_data_fail_the_run_with_the_reason(root, small):
    run = runs.create(DENSE, small.describe() | {"fingerprint": "other"}, root)
    run = go_on(run, small)
    assert run.state == "failed"
    assert "Expected the data this run was made for" in run.status["reason"]


def full(*_, **__):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("place", "name", "before"),
    [(recording, "append", 0), (recording, "append", 4), (recording, "record_logits", 2),
     (recording, "record_weights", 1), (watching, "write_live", 2), (watching, "append_layers", 1)],
)  # fmt: skip
def test_a_full_disk_fails_the_run_which_can_be_resumed(
    root, small, through, monkeypatch, place, name, before
):
    monkeypatch.setattr(compiling, "CHUNK_IMAGES", 3 * DENSE.batch_size)
    monkeypatch.setattr("mnist_core.glimpses.SECONDS", 0.0)
    monkeypatch.setattr("mnist_core.glimpses.SHARE", 1e9)
    works, calls = getattr(place, name), iter(range(10**6))
    with monkeypatch.context() as patch:
        patch.setattr(
            place, name, lambda *a, **k: (works if next(calls) < before else full)(*a, **k)
        )
        run = record(root, small, DENSE)
    assert run.state == "failed"
    assert run.status["reason"] == "The run folder cannot be written: No space left on device."
    assert "Traceback" in run.status["error"]
    assert not (run.path / "live.npz").exists()
    run = resume(run, small)
    assert (run.state, run.status["error"]) == ("completed", None)
    assert_same_recording(run, through(DENSE))


def test_where_not_even_the_failure_can_be_written_the_process_has_to_end(
    root, small, monkeypatch, capfd
):
    """Else the run would count as running for as long as its trainer waits for the next."""
    run = runs.claim(root, runs.create(LINEAR, small.describe(), root).id)
    monkeypatch.setattr(recording, "append", full)
    monkeypatch.setattr(runs, "write_json", full)
    with pytest.raises(OSError, match="No space left on device"):
        training.train(run, small)
    assert "Traceback" in capfd.readouterr().out


def test_a_deleted_folder_is_no_reason_to_end_the_process(root, small):
    run = runs.claim(root, runs.create(LINEAR, small.describe(), root).id)
    run.path.rename(root / "elsewhere")
    with pytest.raises(runs.RunsError, match="may have been deleted"):
        training.train(run, small)


def test_an_error_beside_the_training_fails_the_run(root, small, monkeypatch):
    """Batches are moved in a thread of its own; its error comes to light."""
    works, calls = augmentation.move, iter(range(10**6))

    def break_later(*arguments):
        if next(calls) == 2:
            raise ZeroDivisionError("in the thread")
        return works(*arguments)

    monkeypatch.setattr(compiling, "CHUNK_IMAGES", 3 * MOVED.batch_size)
    monkeypatch.setattr(augmentation, "move", break_later)
    run = record(root, small, MOVED)
    assert (run.state, run.status["reason"]) == ("failed", "ZeroDivisionError: in the thread")
    assert "break_later" in run.status["error"]


# Costs


def test_after_a_warm_up_the_papers_training_compiles_nothing(root, small):
    assert training.warm_up() > 100  # images a second
    config = replace(preset("paper"), epochs=1)
    network = compiling.compiled(config, 13)
    functions = {"loop": network.loop, "gradients": network.gradients}
    before = {name: call.experimental_get_tracing_count() for name, call in functions.items()}
    assert min(before.values()) > 0
    assert record(root, small, config).state == "completed"
    assert compiling.compiled(config, 13) is network
    after = {name: call.experimental_get_tracing_count() for name, call in functions.items()}
    assert after == before
    assert (network.loop, network.gradients) == tuple(functions.values())


def test_chunks_are_bounded_for_slow_networks():
    assert compiling.steps_per_chunk(preset("paper")) == 75
    assert compiling.steps_per_chunk(preset("small-cnn")) < 10
    large = TrainConfig(layers=dense_stack((1500, 1500), "relu", 0), batch_size=1)
    assert compiling.steps_per_chunk(large) < 40
    assert compiling.steps_per_chunk(replace(large, batch_size=4096)) == 1
