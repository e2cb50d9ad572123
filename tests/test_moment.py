"""A recorded moment against what the trainer really did next, and against Keras's own names."""

from dataclasses import replace

import numpy as np
import pytest
from float64_keras import EPOCH, STEP, random_arrays, write
from trainings import epochs_of_images, record, resume, snapshot

from mnist_core import driving, models, moment, recording, runs
from mnist_core.config import TrainConfig
from mnist_core.layers import Conv, Dense
from mnist_core.optimizers import OPTIMIZERS

# A batch is one digit, so the step that the trainer takes next is that of one digit.
ONE = TrainConfig(layers=(Dense(12),), batch_size=1, training_size=100, epochs=2, drop_every=1)
CONV = replace(
    ONE, layers=(Conv(3, 4, 3, "tanh", False, l2=0.01), Dense(8, "elu", l2=0.02)), epochs=1
)
BATCH_NORM = TrainConfig(
    layers=(Conv(4, 3, 2), Dense(6, batch_norm=True)), batch_size=50, epochs=1, schedule="cosine"
)


def digit(run, dataset, step):
    """Return the image and the label that a run trains on in its step `step`, from 0."""
    for images, targets in epochs_of_images(run.config, dataset):
        if step < len(images):
            return images[step], int(np.argmax(targets[step]))
        step -= len(images)


def assert_next_step(run, dataset):
    """Go on by one step: it is the one that was foreseen. Returns the moment before."""
    run = runs.read(run.id, run.path.parent)
    at = moment.read(run, run.moments[-1])
    foreseen = at.next_step(at.explain(*digit(run, dataset, at.step)))
    before = snapshot(run, run.moments[-1])
    run = resume(run, dataset, until=at.step + 1)
    after = snapshot(run, run.moments[-1])
    assert int(after["step"]) == at.step + 1
    steps = [own["step"] for numbers in foreseen.numbers for own in numbers.values()]
    for i, step in enumerate(steps):
        taken = after[f"weights/{i}"] - before[f"weights/{i}"]
        assert np.abs(taken).max() > 1e-6
        np.testing.assert_allclose(step, taken, atol=3e-7)
    memory = [
        own[state]
        for numbers in foreseen.numbers
        for own in numbers.values()
        for state in at.rule.state
    ]
    first = 2 if run.config.schedule == "constant" else 1
    for i, array in enumerate(memory):
        np.testing.assert_allclose(array, after[f"optimizer/{first + i}"], rtol=1e-4, atol=1e-7)
    return at


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_next_step_is_the_one_that_the_trainer_takes(root, small, optimizer):
    config = replace(ONE, optimizer=optimizer, learning_rate=0.004)
    run = record(root, small, config, {"run_until": 30})
    at = assert_next_step(run, small)
    assert (at.step, at.epoch, at.rate) == (30, 0.3, 0.004)


def test_the_next_step_of_a_convolution_with_l2(root, small):
    assert_next_step(record(root, small, CONV, {"run_until": 7}), small)


@pytest.mark.parametrize(
    ("schedule", "step", "share"),
    [("step", 99, 1.0), ("step", 105, 0.5), ("cosine", 10, 0.5), ("cosine", 110, 0.505)],
)
def test_the_rate_is_the_schedule_s(root, small, schedule, step, share):
    """Warm-up lasts 20 of 200 steps; half of the cosine after 90 more is 0.99 / 2 + 0.01."""
    config = replace(ONE, schedule=schedule, learning_rate=0.01)
    at = assert_next_step(record(root, small, config, {"run_until": step}), small)
    assert at.rate == pytest.approx(share * 0.01)


@pytest.mark.parametrize("schedule", ["constant", "step", "cosine"])
def test_a_rate_set_by_hand_is_that_of_the_next_step(root, small, schedule):
    """Set while the run was paused, and recorded when it went on; then at an epoch's end."""
    config = replace(ONE, schedule=schedule, learning_rate=0.01)
    run = record(root, small, config, {"run_until": 40, "learning_rate": 0.03})
    share = config.rates(100).rate(40) / 0.01
    at = assert_next_step(run, small)
    assert at.rate == pytest.approx(0.03 * share)
    run = resume(run, small, until=100)
    driving.set_control(run, learning_rate=0.002)
    run = resume(run, small, until=101)
    share = config.rates(100).rate(100) / 0.01
    assert moment.read(run, 1).rate == pytest.approx(0.002 * share)
    # What was used before stays: nothing is recorded twice.
    assert moment.read(run, 0).rate == pytest.approx(0.03 * config.rates(100).rate(0) / 0.01)


def of_weights(run, at):
    """Return what Keras recorded of each weight by its own names: (layer, weight, state)."""
    model = models.build(run.config, run.steps_per_epoch)
    arrays = snapshot(run, at.epoch)
    numbers = {variable.name: i for i, variable in enumerate(model.optimizer.variables)}
    for layer in (each for each in model.layers if each.trainable_variables):
        for variable in layer.trainable_variables:
            for state in ("momentum", "velocity"):
                end = f"_{layer.name}_{variable.name}_{state}"
                name = next(name for name in numbers if f"_{name}".endswith(end))
                yield variable.name, state, arrays[f"optimizer/{numbers.pop(name)}"]


@pytest.mark.parametrize("config", [ONE, BATCH_NORM], ids=["dense", "convolution, batch norm"])
def test_what_is_remembered_belongs_to_the_weights_that_keras_names(root, small, config):
    run = record(root, small, replace(config, epochs=1))
    at = moment.read(run, 1)
    own = [
        (name, {"m": "momentum", "v": "velocity"}[state], array)
        for memory in at.memory
        for name, states in memory.items()
        for state, array in states.items()
    ]
    named = list(of_weights(run, at))
    assert [each[:2] for each in own] == [each[:2] for each in named]
    for (name, state, array), (*_, theirs) in zip(own, named, strict=True):
        assert array.dtype == np.float64 and theirs.any(), (name, state)
        np.testing.assert_array_equal(array, theirs)
    for layer, memory in zip(at.network, at.memory, strict=True):
        assert set(memory) == set(layer.weights) - {"mean", "variance"}
        assert all(memory[name]["m"].shape == layer.weights[name].shape for name in memory)


def test_the_network_is_the_one_that_was_tested(root, small):
    """Its logits are those the trainer recorded by Keras, at every moment."""
    run = record(root, small, BATCH_NORM)
    for epoch in (0, 1):
        at = moment.read(run, epoch)
        recorded = run.logits(epoch)
        for place in (0, 50, 100):
            found = at.explain(small.test.images[place], small.test.labels[place])
            np.testing.assert_allclose(found.logits[0], recorded[place], atol=1e-5)
    assert not np.allclose(run.logits(0), run.logits(1), atol=1e-2)


# What cannot be read


@pytest.fixture
def written(root, small):
    """A run with a random recording, and its arrays."""
    arrays = random_arrays(ONE)
    return write(root, small, ONE, arrays), arrays


def test_an_untrained_network_remembers_nothing(root, small):
    run = record(root, small, ONE, {"run_until": 0})
    at = moment.read(run, 0)
    assert at.step == 0
    assert not any(
        array.any() for own in at.memory for each in own.values() for array in each.values()
    )


def test_a_written_run_is_read(written):
    run, arrays = written
    at = moment.read(run, EPOCH)
    assert at.step == STEP and at.rate == ONE.learning_rate
    np.testing.assert_array_equal(at.network[2].weights["kernel"], arrays["weights/0"])
    np.testing.assert_array_equal(at.memory[2]["bias"]["v"], arrays["optimizer/5"])


def test_an_epoch_without_weights_is_refused(written):
    with pytest.raises(runs.RunsError, match=r"^No readable weights of epoch 1 in "):
        moment.read(written[0], 1)


@pytest.mark.parametrize("damage", [b"", b"weights", None])
def test_a_file_that_cannot_be_read_is_refused(written, damage):
    file = written[0].path / "weights" / f"{EPOCH:03d}.npz"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    with pytest.raises(runs.RunsError, match=r"^No readable weights of epoch 2 in "):
        moment.read(written[0], EPOCH)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"weights/0": np.zeros((12, 784))}, r"do not fit the network: Expected \(784, 12\)"),
        ({"weights/1": np.zeros(1)}, r"do not fit the network: Expected \(12,\)"),
        ({"weights/3": None}, "do not fit the network: Expected weights for Dense"),
        ({"weights/1": None}, "do not fit the network: "),
        ({"weights/4": np.zeros(10)}, "do not fit the network: Expected 4 arrays. Received: 5"),
        ({"weights/2": np.full((12, 10), np.nan)}, "^The weights of this epoch are not all num"),
        ({"weights/0": np.full((784, 12), -np.inf)}, "^The weights of this epoch are not all num"),
        ({"optimizer/9": None}, "^The optimizer's memory of this epoch is not complete"),
        ({"optimizer/4": None}, "^The optimizer's memory of this epoch is not complete"),
        ({f"optimizer/{i}": None for i in range(10)}, "^The optimizer's memory of this epoch is"),
        ({"optimizer/10": np.zeros(10)}, "^The optimizer's memory of this epoch is not complete"),
        ({"optimizer/9": np.zeros(1)}, "^The optimizer's memory of this epoch is not complete"),
        ({"optimizer/9": np.full(10, np.nan)}, "^The weights of this epoch are not all numbers"),
        ({"step": None}, "^The optimizer's memory of this epoch is not complete"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(written, change, said):
    run, arrays = written
    arrays = {name: each for name, each in (arrays | change).items() if each is not None}
    recording.record_weights(run, EPOCH, arrays)
    with pytest.raises(runs.RunsError, match=said):
        moment.read(run, EPOCH).memory  # noqa: B018
