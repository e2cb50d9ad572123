"""Layers as people see them, compared with the configuration that made them."""

import numpy as np
import pytest
from conftest import random_weights

from mnist_core import blocks, explain
from mnist_core.config import TrainConfig
from mnist_core.layers import Conv, Dense, Dropout, MaxPool
from mnist_core.presets import PRESETS

RNG = np.random.default_rng(2)


def network_of(config):
    return explain.layers(config, random_weights(config, RNG))


EXPECTED = {
    "paper": ["hidden layer", "output layer"],
    "linear": ["output layer"],
    "deep": ["hidden layer 1", "hidden layer 2", "hidden layer 3", "output layer"],
    "lenet": [
        "convolution 1", "convolution 2", "hidden layer 1", "hidden layer 2", "output layer",
    ],
    "small-cnn": ["convolution 1", "convolution 2", "convolution 3", "output layer"],
    "best": ["convolution 1", "convolution 2", "convolution 3", "output layer"],
}  # fmt: skip


@pytest.mark.parametrize("name", PRESETS)
def test_presets(name):
    network = network_of(PRESETS[name])
    found = blocks.blocks(network)
    assert [block.title for block in found] == EXPECTED[name]
    for block in found:
        assert network[block.sums].kind == block.kind
        assert block.norm is None or network[block.norm].kind == "BatchNormalization"
        assert block.activation is None or network[block.activation].kind == "Activation"
    assert found[-1].last == found[-1].sums == len(network) - 2  # softmax follows
    assert network[-1].kind == "Softmax"


def test_what_belongs_to_a_layer():
    config = TrainConfig(layers=(
        Conv(2, 3, 1, "relu"), MaxPool(2), Conv(3, 3, 1, "linear", batch_norm=False),
        Dropout(0.2), Dense(6, "tanh", batch_norm=True), Dense(4, "relu"), Dense(5, "linear"),
    ))  # fmt: skip
    network = network_of(config)
    parts = [
        (block.title, block.norm is not None, block.activation is not None)
        for block in blocks.blocks(network)
    ]
    # Keras makes an activation of a convolution a layer of its own, even a linear one.
    assert parts == [
        ("convolution 1", True, True), ("convolution 2", False, True),
        ("hidden layer 1", True, True), ("hidden layer 2", False, True),
        ("hidden layer 3", False, False), ("output layer", False, False),
    ]  # fmt: skip


def test_only_the_first_dense_layer_sees_the_pixels():
    deep = network_of(PRESETS["deep"])
    seen = [blocks.from_pixels(deep, block) for block in blocks.blocks(deep)]
    assert seen == [True, False, False, False]
    cnn = network_of(PRESETS["small-cnn"])
    assert not blocks.from_pixels(cnn, blocks.blocks(cnn)[-1])
    early = network_of(TrainConfig(layers=(Dropout(0.3), Dense(3, "relu"))))
    assert blocks.from_pixels(early, blocks.blocks(early)[0])


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu", "linear"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_local_slope_is_how_much_an_output_rises_with_its_sum(activation, batch_norm):
    network = network_of(TrainConfig(layers=(Dense(7, activation, batch_norm=batch_norm),)))
    image = RNG.integers(0, 256, (1, 28, 28), np.uint8)
    found = explain.explain(network, image, [3], "categorical_crossentropy")
    block = blocks.blocks(network)[0]
    slope = blocks.local_slope(network, found.values, block)
    h, sums = 1e-6, found.values[block.sums + 1]
    ends = []
    for sign in (1, -1):
        value = sums + sign * h
        for place in range(block.sums + 1, block.last + 1):
            value = network[place].forward(value)
        ends.append(value)
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / (2 * h), rtol=1e-5, atol=1e-8)
