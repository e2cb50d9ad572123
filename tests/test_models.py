"""The network Keras builds against the plain table of TrainConfig, and calls against their text."""

import itertools
from dataclasses import replace

import keras
import numpy as np
import pytest

from mnist_core import models
from mnist_core.config import TrainConfig
from mnist_core.keras_calls import Call
from mnist_core.layers import (
    ACTIVATIONS,
    INITIALIZERS,
    AveragePool,
    Conv,
    Dense,
    Dropout,
    MaxPool,
    conv_stack,
    dense_stack,
)
from mnist_core.optimizers import OPTIMIZERS, SCHEDULES
from mnist_core.presets import PRESETS, preset

NETWORKS = {
    **{name: config.layers for name, config in PRESETS.items()},
    "three dense": dense_stack((64, 32, 16), "tanh", 0.1),
    "pooled": (Conv(8, 5, 1, "elu", False), MaxPool(2), Conv(4, 3, 3), MaxPool(3), Dense(20)),
    "dropout first": (Dropout(0.5), Dense(8, "sigmoid")),
    "dropout alone": (Dropout(0.5),),
    "one filter": conv_stack((1,), "gelu", 0.0),
    "valid": (Conv(4, 4, 3, "relu", False, "valid"), Conv(3, 9, 4, padding="valid"), Dense(5)),
    "valid to one pixel": (MaxPool(3), Conv(4, 9, padding="valid"), Dense(5)),
    "pools alone": (AveragePool(3), MaxPool(4)),
    "pool before dropout": (AveragePool(4), Dropout(0.3), Dense(9)),
    "dense batch norm": (Dense(12, "relu", True), Dense(9, "tanh", True, 0.01)),
    "L2": (Conv(4, l2=0.5), Conv(4, batch_norm=False, l2=0.5), Dense(7, l2=1.0)),
    "even kernel": (Conv(4, 4, 2), Conv(4, 11), Dropout(0.1), MaxPool(2)),
    **{name: (Conv(2, 3, 1, name), Dense(3, name)) for name in ACTIVATIONS},
}


def keras_counts(model):
    """Return the parameters of each dense or convolutional layer with its batch normalization."""
    counts = []
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            counts[-1] += layer.count_params()
        elif layer.count_params():
            counts.append(layer.count_params())
    return counts


def one_after_the_other(shapes):
    """Leave out repetitions, and the image with a channel that only convolutions need."""
    return [shape for shape, _ in itertools.groupby(s for s in shapes if s != (28, 28, 1))]


@pytest.mark.parametrize("name", NETWORKS)
def test_shapes_and_parameters_are_those_of_keras(name):
    config = TrainConfig(layers=NETWORKS[name]).validate()
    model = models.build(config)
    assert model.count_params() == config.parameters
    rows = config.rows()
    assert [row.parameters for row in rows if row.parameters] == keras_counts(model)
    assert one_after_the_other(row.output_shape for row in rows) == one_after_the_other(
        tuple(layer.output.shape[1:]) for layer in model.layers
    )
    assert model.output_shape == (None, 10)


def test_lenet_has_the_counts_that_are_known_of_it():
    """Of the variant in which every map of C3 sees every map of S2, and the output is softmax."""
    rows = preset("lenet").rows()
    assert [row.parameters for row in rows if row.parameters] == [156, 2_416, 48_120, 10_164, 850]
    assert preset("lenet").parameters == 61_706
    assert sum(row.multiplications for row in rows) == 416_520
    shapes = [row.output_shape for row in rows]
    assert shapes[1:6] == [(28, 28, 6), (14, 14, 6), (10, 10, 16), (5, 5, 16), (400,)]


def test_multiplications_by_hand():
    config = TrainConfig(layers=(Conv(8, 5, 2), Conv(4, 3, 1, padding="valid"), Dense(20)))
    assert [row.multiplications for row in config.rows() if row.multiplications] == [
        14 * 14 * 8 * 5 * 5 * 1, 12 * 12 * 4 * 3 * 3 * 8, 12 * 12 * 4 * 20, 20 * 10,
    ]  # fmt: skip


def test_keras_cannot_build_what_is_refused_as_too_small():
    """A valid kernel or a pool that is larger than its image, refused by Keras for its own part."""
    for layers in (
        (MaxPool(4), Conv(4, 8, padding="valid")),
        (MaxPool(4), MaxPool(4), AveragePool(2)),
    ):
        config = TrainConfig(layers=layers)
        with pytest.raises(ValueError, match="at most"):
            config.validate()
        with pytest.raises(ValueError, match=r"zero or negative|non-positive"):
            keras.Sequential(
                [keras.layers.Input((28, 28)), *(c.build(keras) for c in config.keras_layers())]
            )


def test_softmax_and_scaling_are_part_of_the_model():
    model = models.build(preset("paper"))
    images = np.random.default_rng(0).integers(0, 256, (7, 28, 28)).astype(np.uint8)
    probabilities = np.asarray(model(images))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    logits = np.asarray(models.logits_of(model)(images))
    kernel, bias, kernel_2, bias_2 = [np.asarray(w, np.float64) for w in model.weights]
    hidden = np.maximum(images.reshape(7, 784) / 255 @ kernel + bias, 0)
    np.testing.assert_allclose(logits, hidden @ kernel_2 + bias_2, atol=1e-5)
    again = np.asarray(models.after_scaling(models.logits_of(model))(images / np.float32(255)))
    np.testing.assert_allclose(again, logits, atol=1e-5)
    np.testing.assert_array_equal(np.asarray(models.plain(model)(images)), probabilities)


def test_a_dense_layer_normalizes_its_sums_before_the_activation():
    """By NumPy: sums without a bias, to mean 0 and deviation 1 over the batch, then scaled."""
    model = models.build(TrainConfig(layers=(Dense(6, "tanh", True),)))
    images = np.random.default_rng(0).integers(0, 256, (50, 28, 28)).astype(np.uint8)
    kernel, gamma, beta = (np.asarray(w, np.float64) for w in model.trainable_variables[:3])
    gamma, beta = gamma + np.arange(6), beta + 0.5
    model.trainable_variables[1].assign(gamma)
    model.trainable_variables[2].assign(beta)
    sums = images.reshape(50, 784) / 255 @ kernel
    scaled = (sums - sums.mean(0)) / np.sqrt(sums.var(0) + 1e-3) * gamma + beta
    out = np.tanh(scaled) @ np.asarray(model.trainable_variables[3], np.float64)
    trained = np.asarray(models.logits_of(model)(images, training=True))
    np.testing.assert_allclose(trained, out, atol=1e-4)


# First weights

DEVIATIONS = {
    "glorot_uniform": (2 / (784 + 400)) ** 0.5, "he_normal": (2 / 784) ** 0.5,
    "lecun_normal": (1 / 784) ** 0.5, "random_normal": 0.05, "zeros": 0.0,
}  # fmt: skip


@pytest.mark.parametrize("name", INITIALIZERS)
def test_first_weights_are_as_wide_as_their_definition_says(name):
    model = models.build(TrainConfig(layers=(Dense(400),), initializer=name))
    kernel, bias, kernel_2, bias_2 = model.get_weights()
    assert abs(kernel.mean()) < 3 * DEVIATIONS[name] / kernel.size**0.5 + 1e-12
    assert kernel.std() == pytest.approx(DEVIATIONS[name], rel=0.01)
    assert not bias.any() and not bias_2.any()
    assert bool(kernel_2.any()) == (name != "zeros")
    if name == "glorot_uniform":
        assert np.abs(kernel).max() <= (6 / (784 + 400)) ** 0.5


def test_the_same_seed_gives_the_same_weights():
    first, again = (models.build(preset("paper")).get_weights() for _ in range(2))
    other = models.build(replace(preset("paper"), seed=2)).get_weights()
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert not (first[0] == other[0]).all()


def test_dropout_is_drawn_anew_for_each_seed_epoch_and_layer():
    model = models.build(TrainConfig(layers=(Dropout(0.5), Dense(50), Dropout(0.5))))
    images = np.full((1, 28, 28), 255, np.uint8)

    def drawn(seed, epoch):
        models.seed_epoch(model, seed, epoch)
        states = [tuple(np.asarray(state)) for state in models.random_states(model)]
        return states, np.asarray(model(images, training=True))

    states, answer = drawn(1, 0)
    again, same = drawn(1, 0)
    assert states == again and (answer == same).all()
    others = [drawn(*which) for which in ((1, 1), (2, 0), (0, 1), (1, 2))]
    assert all((answer != other).any() for _, other in others)
    seen = [state for states, _ in [(states, answer), *others] for state in states]
    assert len(seen) == len(set(seen)) == 10


# Learning rate and loss


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers_have_the_rate_asked_for(optimizer):
    model = models.build(TrainConfig(optimizer=optimizer, learning_rate=0.02))
    assert float(model.optimizer.learning_rate) == pytest.approx(0.02)
    models.set_learning_rate(model, 0.005, 0.02)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.005)


def test_cosine_schedule_by_hand():
    config = TrainConfig(schedule="cosine", learning_rate=0.01, epochs=4)
    optimizer = models.build(config, steps_per_epoch=25).optimizer

    def rate(step):
        optimizer.iterations.assign(step)
        return float(optimizer.learning_rate)

    assert rate(5) == pytest.approx(0.005)  # half of the warm-up of 10 steps
    assert rate(10) == pytest.approx(0.01)
    assert rate(55) == pytest.approx(0.01 * (0.99 * 0.5 + 0.01))  # half of the cosine
    assert rate(100) == rate(500) == pytest.approx(0.0001)


def test_step_schedule_by_hand():
    config = TrainConfig(schedule="step", learning_rate=0.1, drop_every=3, drop_factor=0.2)
    optimizer = models.build(config, steps_per_epoch=7).optimizer
    for step, expected in ((0, 0.1), (20, 0.1), (21, 0.02), (41, 0.02), (42, 0.004)):
        optimizer.iterations.assign(step)
        assert float(optimizer.learning_rate) == pytest.approx(expected)


@pytest.mark.parametrize("schedule", ["cosine", "step"])
def test_a_rate_can_be_set_under_a_schedule(schedule):
    model = models.build(TrainConfig(schedule=schedule, learning_rate=0.01, epochs=4), 25)
    models.set_learning_rate(model, 0.02, 0.01)
    model.optimizer.iterations.assign(10)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.02)
    models.start_anew(model, models.build(TrainConfig(schedule=schedule, learning_rate=0.01), 20))
    model.optimizer.iterations.assign(10)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)


@pytest.mark.parametrize(
    "loss",
    ["categorical_crossentropy", "sparse_categorical_crossentropy", "mean_squared_error"],
)
def test_the_loss_is_the_one_asked_for_after_softmax(loss):
    model = models.build(TrainConfig(loss=loss))
    assert model.loss == loss
    assert isinstance(model.layers[-1], keras.layers.Softmax)


def test_weight_decay_adds_the_sum_of_the_squares_to_the_loss():
    config = TrainConfig(layers=(Conv(3, 3, 4, l2=0.25), Dense(6, batch_norm=True, l2=0.5)))
    model = models.build(config)
    kernels = [v.numpy() for v in model.trainable_variables if v.name == "kernel"]
    own = 0.25 * (kernels[0] ** 2).sum() + 0.5 * (kernels[1] ** 2).sum()  # the output has none
    assert float(sum(model.losses)) == pytest.approx(own, rel=1e-5)


# Calls and their text


def plain_config(built):
    """Return what something in Keras is made of, but for its automatic name."""
    return {key: value for key, value in built.get_config().items() if key != "name"}


def assert_text_is_the_call(call):
    built, written = call.build(keras), eval(call.source(), {"keras": keras})
    assert type(built) is type(written)
    assert plain_config(built) == plain_config(written)
    return built


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_written_down_is_the_network_that_is_built(name):
    for initializer in ("glorot_uniform", "zeros"):
        calls = TrainConfig(layers=NETWORKS[name], initializer=initializer).keras_layers()
        built = [assert_text_is_the_call(call) for call in calls]
        assert isinstance(built[0], keras.layers.Rescaling)
        assert isinstance(built[-1], keras.layers.Softmax)
        for layer in built:
            if isinstance(layer, keras.layers.Dense | keras.layers.Conv2D):
                assert keras.initializers.serialize(layer.kernel_initializer)["class_name"] == (
                    "GlorotUniform" if initializer == "glorot_uniform" else "Zeros"
                )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_an_optimizer_written_down_is_the_one_that_is_built(optimizer, schedule):
    config = TrainConfig(optimizer=optimizer, schedule=schedule, learning_rate=0.03)
    assert_text_is_the_call(config.keras_optimizer(config.rates(13).keras()))


def test_a_call_is_written_as_a_person_would():
    call = Call("layers.Dense", {"units": 3, "kernel_regularizer": Call("regularizers.L2")})
    text = "keras.layers.Dense(units=3, kernel_regularizer=keras.regularizers.L2())"
    assert call.source() == text
    assert call.source("k") == text.replace("keras", "k", 1).replace("=keras", "=k")
