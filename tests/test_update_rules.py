"""The optimizers' steps in NumPy against Keras in float64, for whole networks, and by hand."""

import math
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from float64_keras import (
    BAR,
    NETWORKS,
    STEP,
    STEPS_PER_EPOCH,
    Clone,
    apart,
    both,
    digits,
    exact,
    float64,
    in_order,
    random_arrays,
    write,
)

from mnist_core import explain, moment
from mnist_core.config import TrainConfig
from mnist_core.optimizers import OPTIMIZERS
from mnist_core.update_rules import EPSILON, RULES

# Every kind of layer and of padding; a step looks at one weight after the other.
STEPPING = [
    *("paper", "linear", "deep", "lenet", "small-cnn", "best", "dense batch norm", "L2", "sparse"),
    *("mean squared error", "sizes that do not divide", "even kernels, stride 3"),
]


def test_there_is_a_rule_for_every_optimizer():
    assert RULES.keys() == OPTIMIZERS.keys()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", STEPPING)
def test_a_network_s_step_is_that_of_keras(name, optimizer, root, small):
    """From random weights and memory, as recorded, by the mean gradient of 100 digits."""
    found, clone = both(name)
    config = replace(NETWORKS[name], optimizer=optimizer)
    # Another optimizer of the same network: its weights as before, the memory its own.
    arrays = random_arrays(config)
    arrays |= {key: each for key, each in clone.arrays.items() if key.startswith("weights/")}
    at = moment.read(write(root, small, config, arrays), 2)
    assert at.rate == config.rates(STEPS_PER_EPOCH).rate(STEP) > 0
    numbers = at.next_step(found).numbers
    theirs = clone.steps(config, arrays, at.rate)
    ours = [each["step"] for each in in_order(numbers)]
    assert len(ours) == len(theirs)
    for own, other in zip(ours, theirs, strict=True):
        assert np.abs(other).max() > 0
        assert apart(own, other) < BAR


def test_the_loss_after_the_step_is_that_of_the_changed_weights(root, small):
    config = TrainConfig(optimizer="sgd")
    arrays = random_arrays(config)
    images, labels = digits()
    at = moment.read(write(root, small, config, arrays), 2)
    before = Clone(config, arrays, images, labels)
    steps = before.steps(config, arrays, at.rate)
    changed = [weights.numpy() + step
               for weights, step in zip(before.model.weights, steps, strict=True)]  # fmt: skip
    after = Clone(config, {f"weights/{i}": each for i, each in enumerate(changed)}, images, labels)
    whole = explain.explain(at.network, images, labels, config.loss)
    assert at.next_step(whole).after.loss == pytest.approx(after.loss, rel=1e-12)
    assert after.loss < before.loss - 1e-4


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_what_is_remembered_is_what_keras_remembers(optimizer):
    """Seven steps of one weight array, each from what the rule itself remembered of the last."""
    rng = np.random.default_rng(0)
    w, rule = rng.normal(size=(3, 4)), RULES[optimizer]
    state = {name: np.zeros((3, 4)) for name in rule.state}
    with float64():
        config = TrainConfig(optimizer=optimizer, learning_rate=0.03)
        theirs = config.keras_optimizer(np.float64(0.03)).build(keras)
        exact(theirs)
        variable = keras.Variable(w)
        theirs.build([variable])
        for t in range(1, 8):
            g = rng.normal(size=(3, 4)) * 10.0 ** -rng.integers(0, 6)
            theirs.apply([tf.constant(g)])
            numbers = rule.take(w, g, state, t, 0.03)
            w, state = w + numbers["step"], {name: numbers[name] for name in rule.state}
            np.testing.assert_allclose(w, variable.numpy(), rtol=1e-12)
    own = [v for v in theirs.variables if v.shape == (3, 4)]
    assert len(own) == len(rule.state)
    for name, known in zip(rule.state, own, strict=True):
        assert known.name.endswith({"m": "momentum", "v": "velocity"}[name])
        np.testing.assert_allclose(state[name], known.numpy(), rtol=1e-9)


# By hand


def taken(name, w, g, t=1, rate=0.1, **state):
    state = {key: np.array([value]) for key, value in state.items()}
    numbers = RULES[name].take(np.array([w]), np.array([g]), state, t, rate)
    return {key: float(np.squeeze(value)) for key, value in numbers.items()}


def test_gradient_descent_and_momentum_by_hand():
    assert taken("sgd", 1.0, 2.0)["step"] == pytest.approx(-0.2)
    found = taken("momentum", 1.0, 2.0, m=0.5)
    assert found["m"] == found["step"] == pytest.approx(0.9 * 0.5 - 0.2)
    found = taken("nesterov", 1.0, 2.0, m=0.5)
    assert found["m"] == pytest.approx(0.25)
    assert found["step"] == pytest.approx(0.9 * 0.25 - 0.2)


def test_rmsprop_by_hand():
    found = taken("rmsprop", 1.0, 2.0, v=3.0)
    assert found["v"] == pytest.approx(0.9 * 3 + 0.1 * 4)
    assert found["step"] == pytest.approx(-0.1 * 2 / math.sqrt(3.1 + 1e-7))


@pytest.mark.parametrize("g", [2.0, -0.5, 1e-3, 1e-6, -1e-9])
def test_the_first_step_of_adam_by_hand(g):
    """m = 0.1 g and v = 0.001 g²; ε̂ beside √v counts √1000 times as much beside |g|."""
    found = taken("adam", 1.0, g, m=0.0, v=0.0)
    assert found["m"] == pytest.approx(0.1 * g)
    assert found["v"] == pytest.approx(0.001 * g * g)
    assert found["alpha"] == pytest.approx(0.1 * math.sqrt(0.001) / 0.1)
    assert found["step"] == pytest.approx(-0.1 * g / (abs(g) + EPSILON * math.sqrt(1000)))


def test_adam_is_not_the_form_of_algorithm_1():
    """Kingma & Ba's Algorithm 1: m̂ / (√v̂ + ε) with both corrected first."""

    def algorithm_1(g, m, v, t, epsilon):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
        return -0.1 * m_hat / (math.sqrt(v_hat) + epsilon)

    g = 1e-6  # so small that ε counts
    step = taken("adam", 1.0, g, m=0.0, v=0.0)["step"]
    assert algorithm_1(g, 0, 0, 1, 1e-7) == pytest.approx(-0.1 / 1.1)
    assert step == pytest.approx(-0.1 / (1 + 0.1 * math.sqrt(1000)))
    # With ε = ε̂ / √(1 - β₂ᵗ) the two are the same.
    for t, m, v in ((1, 0.0, 0.0), (5, 1e-6, 1e-12), (100, -2e-6, 3e-12)):
        epsilon = 1e-7 / math.sqrt(1 - 0.999**t)
        assert taken("adam", 1.0, g, t, m=m, v=v)["step"] == pytest.approx(
            algorithm_1(g, m, v, t, epsilon)
        )
    # Where ε does not count, they nearly are.
    assert taken("adam", 1.0, 2.0, m=0.0, v=0.0)["step"] == pytest.approx(
        algorithm_1(2.0, 0, 0, 1, 1e-7), rel=1e-5
    )


def test_a_later_step_of_adam_by_hand():
    found = taken("adam", 1.0, 0.2, t=10, rate=0.001, m=0.05, v=0.01)
    m, v = 0.9 * 0.05 + 0.1 * 0.2, 0.999 * 0.01 + 0.001 * 0.04
    assert (found["correction_1"], found["correction_2"]) == (1 - 0.9**10, 1 - 0.999**10)
    alpha = 0.001 * math.sqrt(1 - 0.999**10) / (1 - 0.9**10)
    assert found["step"] == pytest.approx(-alpha * m / (math.sqrt(v) + 1e-7), rel=1e-12)


def test_adamw_takes_its_decay_from_the_weight_and_not_through_the_gradient():
    adam = taken("adam", 3.0, 0.2, t=10, m=0.05, v=0.01)
    found = taken("adamw", 3.0, 0.2, t=10, m=0.05, v=0.01)
    assert found["decay"] == pytest.approx(-0.1 * 0.004 * 3.0)
    assert found["step"] == pytest.approx(adam["step"] + found["decay"])
    assert (found["m"], found["v"]) == (adam["m"], adam["v"])
    assert taken("adam", -7.0, 0.2, t=10, m=0.05, v=0.01) == adam


def test_nothing_that_was_remembered_is_changed():
    for name, rule in RULES.items():
        arrays = {key: np.ones(3) for key in ("w", "g", *rule.state)}
        kept = {key: array.copy() for key, array in arrays.items()}
        rule.take(arrays["w"], arrays["g"], {key: arrays[key] for key in rule.state}, 3, 0.1)
        assert all((arrays[key] == kept[key]).all() for key in arrays), name
