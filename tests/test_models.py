"""The network Keras builds against the plain table of TrainConfig."""

import keras
import numpy as np
import pytest

from mnist_core import models
from mnist_core.config import (
    LEARNING_RATES,
    PRESETS,
    Conv,
    Dense,
    Dropout,
    MaxPool,
    TrainConfig,
    conv_stack,
    dense_stack,
    preset,
    with_changes,
)

NETWORKS = {
    **{name: config.layers for name, config in PRESETS.items()},
    "deep": dense_stack((64, 32, 16), "tanh", 0.1),
    "pooled": (Conv(8, 5, 1, "elu", False), MaxPool(2), Conv(4, 3, 3), MaxPool(3), Dense(20)),
    "dropout first": (Dropout(0.5), Dense(8, "sigmoid")),
    "one filter": conv_stack((1,), "gelu", 0.0),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_shapes_and_parameters_are_those_of_keras(name):
    config = TrainConfig(layers=NETWORKS[name])
    model = models.build(config)
    assert model.count_params() == config.parameters
    shapes = {tuple(layer.output.shape[1:]) for layer in model.layers}
    assert {row.output_shape for row in config.rows()} <= shapes


def test_softmax_and_scaling_are_part_of_the_model():
    model = models.build(preset("paper"))
    images = np.random.default_rng(0).integers(0, 256, (7, 28, 28)).astype(np.uint8)
    probabilities = np.asarray(model(images))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    logits = np.asarray(models.logits_of(model)(images))
    kernel, bias, kernel_2, bias_2 = [np.asarray(w, np.float64) for w in model.weights]
    hidden = np.maximum(images.reshape(7, 784) / 255 @ kernel + bias, 0)
    np.testing.assert_allclose(logits, hidden @ kernel_2 + bias_2, atol=1e-5)


def test_the_same_seed_gives_the_same_weights():
    first, again = (models.build(preset("paper")).get_weights() for _ in range(2))
    other = models.build(with_changes(preset("paper"), seed=2)).get_weights()
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert not (first[0] == other[0]).all()


@pytest.mark.parametrize("optimizer", LEARNING_RATES)
def test_optimizers_have_the_rate_asked_for(optimizer):
    model = models.build(TrainConfig(optimizer=optimizer, learning_rate=0.02))
    assert float(model.optimizer.learning_rate) == pytest.approx(0.02)
    models.set_learning_rate(model, 0.005, 0.02)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.005)


def test_cosine_schedule_by_hand():
    config = TrainConfig(schedule="cosine", learning_rate=0.01)
    optimizer = models.build(config, total_steps=100).optimizer

    def rate(step):
        optimizer.iterations.assign(step)
        return float(optimizer.learning_rate)

    assert rate(5) == pytest.approx(0.005)  # half of the warm-up of 10 steps
    assert rate(10) == pytest.approx(0.01)
    assert rate(55) == pytest.approx(0.01 * (0.99 * 0.5 + 0.01))  # half of the cosine
    assert rate(100) == rate(500) == pytest.approx(0.0001)


def test_a_rate_can_be_set_under_a_schedule():
    model = models.build(TrainConfig(schedule="cosine", learning_rate=0.01), total_steps=100)
    models.set_learning_rate(model, 0.02, 0.01)
    model.optimizer.iterations.assign(10)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.02)


def test_the_loss_is_categorical_cross_entropy_on_one_hot_labels():
    model = models.build(preset("paper"))
    assert model.loss == "categorical_crossentropy"
    assert isinstance(model.layers[-1], keras.layers.Softmax)
