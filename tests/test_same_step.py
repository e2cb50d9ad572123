"""Keras's answer and step beside NumPy's: Keras's own evaluate() and train_on_batch() as oracles,
and wrong equations that must be seen."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from trainings import record, resume, saved_model, snapshot

from mnist_core import explain, image_layers, inference, models, runs, same_step, workers
from mnist_core import moment as moments
from mnist_core.config import TrainConfig
from mnist_core.layers import Conv, Dense, Dropout, MaxPool, dense_stack
from mnist_core.optimizers import OPTIMIZERS
from mnist_core.update_rules import RULES, Rule

BAR = 1e-6  # absolute
DENSE = TrainConfig(layers=dense_stack((24,), "relu", 0.2), epochs=2, batch_size=40)
CONV = TrainConfig(
    layers=(Conv(4, 5, 2, "relu", l2=0.001), MaxPool(2), Conv(6, 3, padding="valid"), Dropout(0.1),
            Dense(9, "tanh", True)),
    epochs=2, batch_size=40, schedule="cosine", learning_rate=0.004,
)  # fmt: skip
SQUARES = replace(DENSE, loss="mean_squared_error", optimizer="rmsprop", schedule="step")
SPARSE = replace(DENSE, loss="sparse_categorical_crossentropy", optimizer="adamw")


@pytest.fixture(scope="module")
def recorded_runs(small, tmp_path_factory):
    """Return a run of each kind, trained when it is first asked for."""
    kept = {}

    def of(config):
        if config not in kept:
            kept[config] = record(tmp_path_factory.mktemp("runs"), small, config)
            assert kept[config].state == "completed"
        return kept[config]

    return of


def digits(dataset, count=8):
    return [(dataset.test.images[i], int(dataset.test.labels[i])) for i in range(count)]


def rows(run, epoch, digit):
    found = same_step.compare(run, epoch, *digit)["rows"]
    return {name: (size, apart) for name, size, apart in found}


def all_near(found):
    """Tell whether all rows are below the bar; the loss after the step has its own test."""
    return all(apart <= BAR for name, (_, apart) in found.items() if not name.startswith("loss a"))


@pytest.mark.parametrize("config", [DENSE, CONV, SQUARES, SPARSE],
                         ids=["dense", "conv", "mean squared error", "sparse"])  # fmt: skip
def test_keras_and_numpy_are_less_than_a_millionth_apart(recorded_runs, small, config):
    run = recorded_runs(config)
    for epoch in run.moments:
        for digit in digits(small):
            found = rows(run, epoch, digit)
            assert all_near(found), found
            for name, (size, _) in found.items():
                if "step" not in name or epoch:  # the first step of a warm-up has rate 0
                    assert size > 0, name


def as_keras_rounds(w, g, state, t, rate, right=RULES["adam"].take):
    """Adam's step with β₁ and β₂ rounded to float32 where Keras takes their powers."""
    numbers = right(w, g, state, t, rate)
    first, second = (float(np.float32(beta)) for beta in (0.9, 0.999))
    alpha = rate * np.sqrt(1 - second**t) / (1 - first**t)
    return numbers | {"step": numbers["step"] * alpha / numbers["alpha"]}


def test_the_loss_after_the_step_differs_by_what_keras_rounds(recorded_runs, small, monkeypatch):
    """1 - β₂ᵗ of float32's 0.999 is 1.3e-5 too small for small t, so Keras's steps are 6.5e-6 of
    themselves too short, all alike: the loss falls by so much less. With its β₂, the two agree."""
    run = recorded_runs(DENSE)
    cases = [(epoch, digit) for epoch in run.moments for digit in digits(small)]

    def differences():
        for epoch, digit in cases:
            found = same_step.compare(run, epoch, *digit)
            yield found["rows"][-1][2], found["before"] - found["after"]

    as_written = list(differences())
    assert max(apart for apart, _ in as_written) > BAR
    assert all(apart <= 7e-6 * abs(fall) + 5e-7 for apart, fall in as_written)
    monkeypatch.setitem(RULES, "adam", Rule(("m", "v"), as_keras_rounds))
    assert max(apart for apart, _ in differences()) <= BAR


def test_rows_are_named_in_words_and_each_array_has_two(recorded_runs, small):
    run = recorded_runs(CONV)
    names = list(rows(run, 2, digits(small)[0]))
    arrays = [
        "convolution 1's weights", "convolution 1's scales",
        "convolution 1's shifts", "convolution 2's weights",
        "convolution 2's scales", "convolution 2's shifts", "the hidden layer's weights",
        "the hidden layer's scales", "the hidden layer's shifts",
        "the output layer's weights", "the output layer's biases",
    ]  # fmt: skip
    assert names == [
        "probabilities", "logits", "loss", *(f"gradient of {each}" for each in arrays),
        *(f"Adam step of {each}" for each in arrays), "loss after the step",
    ]  # fmt: skip
    dense = rows(recorded_runs(SQUARES), 2, digits(small)[0])
    assert (
        "gradient of the hidden layer's biases" in dense
        and "RMSprop step of the hidden layer's biases" in dense
    )


def test_the_losses_are_those_of_evaluate_and_train_on_batch(recorded_runs, small):
    """Without dropout, so that training computes what answering does."""
    config = replace(DENSE, layers=(Dense(24, l2=0.01),), learning_rate=0.01)
    run = recorded_runs(config)
    image, label = digits(small)[3]
    target = np.eye(10)[[label]]
    found = same_step.compare(run, 2, image, label)
    trained = saved_model(run)
    assert found["before"] == pytest.approx(
        trained.evaluate(image[None], target, verbose=0)[0], rel=1e-5
    )
    model = models.build(config)
    arrays = snapshot(run, 2)
    for group, variables in (("weights", model.weights), ("optimizer", model.optimizer.variables)):
        for i, variable in enumerate(variables):
            variable.assign(arrays[f"{group}/{i}"])
    model.train_on_batch(image[None], target)
    after = model.evaluate(image[None], target, verbose=0)[0]
    assert found["after"] == pytest.approx(after, rel=1e-4) != pytest.approx(found["before"])
    steps = same_step.by_keras(run, 2, image, label)["steps"]
    for i, (step, weights) in enumerate(zip(steps, model.weights, strict=True)):
        np.testing.assert_allclose(step, weights.numpy() - arrays[f"weights/{i}"], atol=2e-7)


@pytest.mark.parametrize("config", [DENSE, CONV], ids=["constant", "cosine"])
def test_a_rate_set_by_hand_scales_the_step(recorded_runs, root, small, config):
    run = recorded_runs(config)
    copy = root / run.id
    shutil.copytree(run.path, copy)
    image, label = digits(small)[0]
    before = same_step.by_keras(run, 1, image, label)["steps"]
    with open(copy / "metrics.jsonl", "a") as file:
        line = {"kind": "rate", "step": 10, "epoch": 1.0}
        file.write(json.dumps(line | {"learning_rate": 3 * config.learning_rate}) + "\n")
    copied = runs.read(run.id, root)
    after = same_step.by_keras(copied, 1, image, label)["steps"]
    for old, new in zip(before, after, strict=True):
        np.testing.assert_allclose(new, 3 * old, rtol=1e-3, atol=2e-7)
    assert all_near(rows(copied, 1, (image, label)))
    # Before it was set, and in the run without it, the rate is as it was.
    for earlier, epoch in ((run, 1), (copied, 0)):
        expected = config.rates(10).rate(10 * epoch)
        assert moments.read(earlier, epoch).rate == pytest.approx(expected)
        assert all_near(rows(earlier, epoch, (image, label)))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_run_that_was_resumed_within_an_epoch(root, small, optimizer):
    config = replace(DENSE, optimizer=optimizer, layers=(Dense(9),))
    run = resume(record(root, small, config, {"run_until": 4}), small, until=13)
    assert run.moments[-1] == 1.3
    found = rows(run, 1.3, digits(small)[0])
    assert all_near(found)
    assert sum(name.startswith(OPTIMIZERS[optimizer].title) for name in found) == 4


# Wrong equations are seen


def worst(found, start):
    return max(apart for name, (_, apart) in found.items() if name.startswith(start))


def test_a_wrong_weight_is_seen(recorded_runs, small, monkeypatch):
    read = moments.read

    def wrong(run, epoch):
        at = read(run, epoch)
        at.network[-2].weights["kernel"][:] *= 1 + 1e-4
        return at

    monkeypatch.setattr(moments, "read", wrong)
    found = rows(recorded_runs(DENSE), 2, digits(small)[0])
    for start in ("probabilities", "logits", "loss", "gradient of the hidden layer", "loss after"):
        assert worst(found, start) > BAR, start


def test_a_wrong_way_forward_is_seen(recorded_runs, small, monkeypatch):
    monkeypatch.setattr(image_layers, "EPSILON", 1e-5)
    assert worst(rows(recorded_runs(CONV), 2, digits(small)[0]), "logits") > BAR


def test_a_wrong_way_back_is_seen_where_it_is(recorded_runs, small, monkeypatch):
    def backward(self, x, z, slope):
        gradients = {"kernel": x.T @ slope * 1.001, "bias": slope.sum(axis=0)}
        return slope @ self.weights["kernel"].T, gradients

    monkeypatch.setattr(explain.Dense, "backward", backward)
    found = rows(recorded_runs(DENSE), 2, digits(small)[0])
    assert worst(found, "gradient of the hidden layer's weights") > BAR
    assert worst(found, "gradient of the hidden layer's biases") <= BAR
    assert worst(found, "logits") <= BAR


@pytest.mark.parametrize("wrong", ["a step too late", "without correction", "momentum's sign"])
def test_a_wrong_step_is_seen(recorded_runs, small, monkeypatch, wrong):
    right = RULES["adam"].take

    def take(w, g, state, t, rate):
        if wrong == "a step too late":
            return right(w, g, state, t + 1, rate)
        if wrong == "momentum's sign":
            return right(w, g, {**state, "m": -state["m"]}, t, rate)
        numbers = right(w, g, state, t, rate)
        return numbers | {"step": -rate * numbers["m"] / (np.sqrt(numbers["v"]) + 1e-7)}

    monkeypatch.setitem(RULES, "adam", Rule(("m", "v"), take))
    found = rows(recorded_runs(DENSE), 1, digits(small)[0])
    assert worst(found, "Adam step of the hidden layer's weights") > BAR
    assert worst(found, "gradient") <= BAR


# In the answering process


def test_the_answer_is_plain_and_small(recorded_runs, small):
    run = recorded_runs(CONV)
    image, label = digits(small)[0]
    found = workers._answer("same_step", run.path, 2.0, image, label)
    assert found == same_step.compare(run, 2, image, label)
    assert found.keys() == {"rows", "before", "after"}
    for name, *numbers in found["rows"]:
        assert type(name) is str and [type(each) for each in numbers] == [float, float]
    assert type(found["before"]) is type(found["after"]) is float
    assert len(json.dumps(found)) < 5000


def test_it_leaves_the_network_that_answers_alone_and_stays_compiled(recorded_runs, small):
    run = recorded_runs(DENSE)
    images = small.test.images[:5]
    before = inference.logits(run.path, 2, images)
    network = inference._network(run.path, 2)
    weights = [array.copy() for array in network.whole.get_weights()]
    first = [same_step.compare(run, 2, *digit) for digit in digits(small, 5)]
    again = [same_step.compare(run, 2, *digit) for digit in digits(small, 5)]
    assert first == again  # each starts from the recorded weights
    assert inference._network(run.path, 2) is network
    for array, kept in zip(network.whole.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(array, kept)
    np.testing.assert_array_equal(inference.logits(run.path, 2, images), before)
    twin = same_step._twin(run.path, run.steps_per_epoch)
    assert twin.step.experimental_get_tracing_count() == 1


def test_what_was_not_recorded_is_an_error(recorded_runs, small):
    run = recorded_runs(DENSE)
    with pytest.raises(runs.RunsError, match=r"^No readable weights of epoch 7 in "):
        inference.same_step(run.path, 7, *digits(small)[0])
    with pytest.raises(runs.RunsError, match=r"^No readable weights of epoch 7 in "):
        same_step.by_keras(run, 7, *digits(small)[0])
    with pytest.raises(runs.RunsError, match="no run"):
        inference.same_step(run.path.with_name("20200101-000000-0000"), 1, *digits(small)[0])
