"""TrainConfig: limits, JSON, shapes; the counts are compared with Keras in test_models."""

import json
from dataclasses import replace

import pytest

from mnist_core.config import (
    PRESETS,
    Conv,
    Dense,
    MaxPool,
    TrainConfig,
    conv_stack,
    dense_stack,
    preset,
    with_changes,
)


def test_the_paper_network_has_the_paper_count():
    config = preset("paper")
    assert config.parameters == 101_770
    assert config.architecture == "784-128-10"
    assert (config.batch_size, config.epochs, config.optimizer) == (32, 5, "adam")
    assert config.validation_share == 0 and config.as_in_paper
    assert with_changes(config, seed=9).as_in_paper
    assert not with_changes(config, epochs=6).as_in_paper


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", 0),
        ("batch_size", 2.5),
        ("learning_rate", 0),
        ("learning_rate", float("nan")),
        ("learning_rate", float("inf")),
        ("learning_rate", "fast"),
        ("epochs", 0),
        ("epochs", True),
        ("validation_share", 0.9),
        ("training_size", 5),
        ("seed", -1),
        ("optimizer", "magic"),
        ("schedule", "random"),
        ("name", "x" * 61),
        ("layers", (Dense(0),)),
        ("layers", (Dense(16, "step"),)),
        ("layers", (Conv(8, 30),)),
        ("layers", dense_stack((8,) * 13, "relu", 0)),
    ],
)
def test_bad_values_are_refused_with_what_was_expected(name, value):
    with pytest.raises(ValueError, match=r"Expected .* Received: "):
        with_changes(TrainConfig(), **{name: value})


def test_networks_that_cannot_be_built_are_refused_at_the_layer():
    with pytest.raises(ValueError, match="image before a convolution"):
        TrainConfig(layers=(Dense(16), Conv(8))).validate()
    with pytest.raises(ValueError, match="pooling size of at most 1"):
        TrainConfig(layers=(Conv(8), *(MaxPool(4),) * 3)).validate()
    with pytest.raises(ValueError, match="at most 5,000,000 parameters"):
        TrainConfig(layers=dense_stack((2048, 2048), "relu", 0)).validate()


@pytest.mark.parametrize("name", PRESETS)
def test_json_there_and_back(name):
    config = preset(name)
    assert TrainConfig.from_dict(json.loads(config.to_json())) == config


def test_foreign_json_is_refused():
    for data in (
        {"colour": 1},
        {"layers": [{"kind": "lstm"}]},
        {"layers": [{}]},
        [],
        {"epochs": 0},
    ):
        with pytest.raises(ValueError, match="Expected"):
            TrainConfig.from_dict(data)
    with pytest.raises(ValueError, match="preset among"):
        preset("best")


def test_only_presets_validated_on_the_test_set_are_the_papers():
    for name, config in PRESETS.items():
        assert (config.validation_share == 0) == (name == "paper")


def test_stacks():
    assert conv_stack((16, 32, 48), "relu", 0.2) == preset("small-cnn").layers
    assert dense_stack((128,), "relu", 0.0) == preset("paper").layers
    assert replace(preset("linear"), layers=dense_stack((), "relu", 0.5)) == preset("linear")
