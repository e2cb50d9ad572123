"""TrainConfig: limits, JSON, the page's address; test_models compares the counts with Keras."""

import json
import math
import re
from dataclasses import fields, replace

import numpy as np
import pytest

from mnist_core import config as config_module
from mnist_core.config import QUERY_NAMES, TrainConfig, differences, from_query
from mnist_core.layers import (
    ACTIVATIONS,
    INITIALIZERS,
    LAYERS,
    MAX_LAYERS,
    AveragePool,
    Conv,
    Dense,
    Dropout,
    LayerError,
    MaxPool,
    conv_stack,
    dense_stack,
)
from mnist_core.optimizers import OPTIMIZERS
from mnist_core.presets import PRESETS, named, preset

FIELDS = {each.name: each for each in fields(TrainConfig)}
NUMBERS = [name for name, each in FIELDS.items() if "low" in each.metadata]
CHOICES = [name for name, each in FIELDS.items() if "options" in each.metadata]
# Everything otherwise than the paper's.
CHANGED = TrainConfig(
    layers=(Conv(8, 5, 2, "elu", False, "valid", 0.01), Dropout(0.35), AveragePool(3),
            Dense(20, "tanh", True, 1e-5)),
    initializer="he_normal", loss="mean_squared_error", optimizer="nesterov",
    learning_rate=3e-7, schedule="step", warm_up=0.05, drop_every=7, drop_factor=0.3,
    batch_size=4096, epochs=200, validation_share=0.15, training_size=1000, label_noise=0.45,
    shift=1.5, rotate=7.0, zoom=0.05, patience=4, stop_metric="val_accuracy", best_weights="last",
    seed=2**31 - 1,
)  # fmt: skip


def changed(**values):
    """Return a config that is valid but for these values: who stops early needs held-out images."""
    held_out = {"validation_share": 0.1} if values.get("patience") else {}
    return replace(TrainConfig(), **(held_out | values))


def test_the_paper_network_has_the_paper_count():
    config = preset("paper")
    assert config.parameters == 101_770
    assert config.architecture == "784-128-10"
    assert (config.batch_size, config.epochs, config.optimizer) == (32, 5, "adam")
    assert (config.loss, config.schedule, config.learning_rate) == (
        "categorical_crossentropy", "constant", 0.001,
    )  # fmt: skip
    assert config.validation_share == 0 and config.as_in_paper
    assert replace(config, seed=9, name="mine").as_in_paper
    for name in FIELDS.keys() - {"seed", "name"}:
        assert not replace(config, **{name: getattr(CHANGED, name)}).as_in_paper, name


# Limits


@pytest.mark.parametrize("name", NUMBERS)
def test_each_number_is_let_in_up_to_its_limits_and_not_beyond(name):
    about = FIELDS[name].metadata
    low, high = about["low"], about["high"]
    for value in (low, high):
        changed(**{name: value}).validate()
    whole = isinstance(low, int)
    below, above = (
        (low - 1, high + 1) if whole else (math.nextafter(low, -1), math.nextafter(high, 1e9))
    )
    wrong = [below, above, math.nan, math.inf, -math.inf, "1", [1], True, 1j, b"1", 10**400]
    for value in wrong + ([float(low)] if whole else []):
        with pytest.raises(ValueError, match=r"^Expected .*: a (whole )?number from .* Received: "):
            changed(**{name: value}).validate()
    if "empty" not in about:
        with pytest.raises(ValueError, match="Received: None"):
            changed(**{name: None}).validate()


@pytest.mark.parametrize("name", CHOICES)
def test_each_choice_has_the_options_it_offers_and_no_other(name):
    for value in FIELDS[name].metadata["options"]:
        changed(**{name: value}).validate()
    for value in ("", "magic", None, 0, ["adam"], FIELDS[name].metadata["options"][0].upper()):
        with pytest.raises(ValueError, match=r"^Expected .*: one of .* Received: "):
            changed(**{name: value}).validate()


def test_training_size_may_be_empty_and_means_all():
    assert changed(training_size=None).validate().training_size is None


@pytest.mark.parametrize("name", ["x" * 61, None, 5, b"name"])
def test_a_name_is_a_text_of_at_most_60_characters(name):
    changed(name="x" * 60).validate()
    with pytest.raises(ValueError, match="Expected a name of at most 60 characters"):
        changed(name=name).validate()


@pytest.mark.parametrize(
    ("layers", "position", "words"),
    [
        ((Dense(0),), 0, "Layer 1: Expected units of a dense layer"),
        ((Dense(5), Dense(16, "step")), 1, "Layer 2: Expected activation of a dense layer"),
        ((Conv(8, 30),), 0, "kernel of a convolution"),
        ((Dense(5), Dropout(0.95)), 1, "share of a dropout layer"),
        ((MaxPool(1),), 0, "size of a max pooling layer"),
        ((Dense(16), Conv(8)), 1, "image before a convolution"),
        ((Dropout(0.1), Dense(16), AveragePool(2)), 2, "image before an average pooling layer"),
        ((Conv(8), *(MaxPool(4),) * 3), 3, "size of at most 1"),
        ((Conv(4, stride=4), Conv(4, 8)), 1, "kernel of at most 7"),
        ((MaxPool(4), Conv(4, 8, padding="valid")), 1, "kernel of at most 7"),
        ((Dense(16, batch_norm=1),), 0, "batch normalization of a dense layer: on or off"),
        ((Dense(16, l2=1.5),), 0, "l2 of a dense layer"),
        ((Conv(4, padding="full"),), 0, "padding of a convolution: one of same, valid"),
    ],
)
def test_a_layer_that_cannot_be_built_is_refused_by_its_place(layers, position, words):
    with pytest.raises(LayerError, match=r"Expected .* Received: ") as error:
        TrainConfig(layers=layers).validate()
    assert error.value.position == position
    assert str(error.value).startswith(f"Layer {position + 1}: ")
    assert words in str(error.value)


def test_the_network_has_limits_as_a_whole():
    TrainConfig(layers=(Dense(1),) * MAX_LAYERS).validate()
    with pytest.raises(ValueError, match=f"at most {MAX_LAYERS} hidden layers"):
        TrainConfig(layers=(Dense(1),) * (MAX_LAYERS + 1)).validate()
    with pytest.raises(ValueError, match="at most 5,000,000 parameters"):
        TrainConfig(layers=dense_stack((2048, 2048), "relu", 0)).validate()


def test_who_stops_early_holds_images_out():
    TrainConfig(patience=3, validation_share=0.1).validate()
    with pytest.raises(ValueError, match=r"Expected held-out images .* Received: 'the test set'"):
        TrainConfig(patience=3).validate()


# JSON


@pytest.mark.parametrize("config", [*PRESETS.values(), CHANGED], ids=[*PRESETS, "changed"])
def test_json_there_and_back(config):
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_a_run_saved_before_there_were_these_fields_is_read_as_it_was_trained():
    saved = {
        "layers": [
            {"kind": "conv", "filters": 4, "kernel": 3, "stride": 1, "activation": "relu",
             "batch_norm": True},
            {"kind": "max_pool", "size": 2}, {"kind": "dropout", "rate": 0.2},
            {"kind": "dense", "units": 16, "activation": "relu"},
        ],
        "optimizer": "momentum", "learning_rate": 0.01, "schedule": "cosine", "batch_size": 32,
        "epochs": 5, "validation_share": 0.0, "training_size": None, "seed": 1, "name": "",
    }  # fmt: skip
    config = TrainConfig.from_dict(saved)
    assert config == TrainConfig(
        layers=(Conv(4), MaxPool(2), Dropout(0.2), Dense(16)), optimizer="momentum",
        learning_rate=0.01, schedule="cosine",
    )  # fmt: skip
    assert config.rates(100).warm_up == 50  # a tenth of 500 steps, as it was then


@pytest.mark.parametrize(
    "data",
    [
        {"colour": 1}, {"layers": [{"kind": "lstm"}]}, {"layers": [{}]}, [], None, "x",
        {"epochs": 0}, {"layers": None}, {"layers": ["dense"]}, {"layers": 5},
        {"layers": [{"kind": []}]}, {"layers": [{"kind": "dense", "colour": 1}]},
        {"layers": [{"kind": "dense", "units": "many"}]}, {"layers": {"kind": "dense"}},
    ],
)  # fmt: skip
def test_foreign_json_is_refused(data):
    with pytest.raises(ValueError, match="Expected"):
        TrainConfig.from_dict(data)


# The page's address


def random_config(rng):
    """Return a valid config with every value drawn from all it may have."""

    def draw(each):
        about = each.metadata
        if "options" in about:
            return str(rng.choice(about["options"]))
        if "switch" in about:
            return bool(rng.integers(2))
        if isinstance(about["low"], int):
            most = min(about["high"], 64) if each.name in ("units", "filters") else about["high"]
            return int(rng.integers(about["low"], most + 1))
        return float(rng.uniform(about["low"], about["high"]))

    while True:
        kinds = rng.choice([*LAYERS.values()], rng.integers(0, 6))
        layers = tuple(kind(*map(draw, fields(kind))) for kind in kinds)
        values = {name: draw(each) for name, each in FIELDS.items() if each.metadata}
        values["learning_rate"] = float(10 ** rng.uniform(-7, 6))
        try:
            return TrainConfig(layers=layers, **values).validate()
        except ValueError:
            continue  # such as a convolution after a dense layer


def test_an_address_holds_every_digit_of_every_config():
    rng = np.random.default_rng(0)
    kinds = set()
    for _ in range(300):
        config = random_config(rng)
        kinds |= {type(layer) for layer in config.layers}
        query = config.to_query()
        assert all(isinstance(text, str) for text in query.values())
        assert not re.search(r"\de-?\d", "~".join(query.values()))  # no exponents
        assert from_query(query) == (config, [])
    assert kinds == set(LAYERS.values())


@pytest.mark.parametrize("config", [*PRESETS.values(), CHANGED], ids=[*PRESETS, "changed"])
def test_an_address_holds_what_differs_from_the_paper(config):
    query = config.to_query()
    unnamed = replace(config, name="")
    assert from_query(query) == (unnamed, [])
    paper = TrainConfig()
    assert query.keys() == {
        name for name in QUERY_NAMES if getattr(config, name) != getattr(paper, name)
    }
    assert (query == {}) == config.as_in_paper


def test_changed_has_every_field_and_its_address_can_be_read_by_people():
    assert CHANGED.validate().to_query() == {
        "layers": "conv-8-5-2-elu-0-valid-0.01~dropout-0.35~average_pool-3~dense-20-tanh-1-0.00001",
        "initializer": "he_normal", "loss": "mean_squared_error", "optimizer": "nesterov",
        "learning_rate": "0.0000003", "schedule": "step", "warm_up": "0.05", "drop_every": "7",
        "drop_factor": "0.3", "batch_size": "4096", "epochs": "200", "validation_share": "0.15",
        "training_size": "1000", "label_noise": "0.45", "shift": "1.5", "rotate": "7",
        "zoom": "0.05", "patience": "4", "stop_metric": "val_accuracy", "best_weights": "last",
        "seed": "2147483647",
    }  # fmt: skip
    assert CHANGED.to_query().keys() == set(QUERY_NAMES)


def test_no_hidden_layers_are_said_in_an_address():
    assert TrainConfig(layers=()).to_query() == {"layers": "none"}
    assert from_query({"layers": "none"}) == (TrainConfig(layers=()), [])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("optimizer", "magic"), ("epochs", "-3"), ("epochs", "1e400"), ("epochs", "½"),
        ("epochs", "5.0"), ("epochs", ""), ("epochs", "9" * 5000), ("learning_rate", "1e400"),
        ("learning_rate", "nan"), ("learning_rate", "-0.1"), ("learning_rate", ""),
        ("training_size", "all"), ("training_size", ""), ("schedule", ""), ("seed", "\0"),
        ("layers", "~".join(["dense"] * 10_000)), ("layers", "~" * 10_000), ("layers", ""),
        ("layers", "~"), ("layers", "lstm-5"), ("layers", "dense-5~"), ("layers", "dense-"),
        ("layers", "dense-5-relu-0-0-7"), ("layers", "dense-5-relu-0-0-7-" + "8-" * 10_000),
        ("layers", "dense--5"), ("layers", "none~none"), ("layers", "dense-5-softmax"),
        ("layers", "conv-8-3-1-relu-2"), ("layers", "dense-1e400"), ("layers", "dropout-nan"),
        ("layers", "dense-²"), ("layers", "🙂" * 10_000),
    ],
)  # fmt: skip
def test_what_an_address_cannot_mean_is_left_out_and_said(name, text):
    good = {"batch_size": "64", "rotate": "12.5", "loss": "mean_squared_error"}
    config, problems = from_query(good | {name: text})
    assert config == TrainConfig(batch_size=64, rotate=12.5, loss="mean_squared_error")
    [problem] = problems
    assert problem.startswith(f"{name} in this link was left out. Expected ")
    assert "Received: " in problem and len(problem) < 260


def test_patience_without_held_out_images_is_left_out():
    """Such a config would be refused as a whole, and nowhere on the form would it show."""
    config, problems = from_query({"patience": "3", "epochs": "7"})
    assert config.validate() == TrainConfig(epochs=7)
    assert problems == ["patience in this link was left out: stopping early needs held-out images."]
    held_out = {"patience": "3", "validation_share": "0.1"}
    assert from_query(held_out) == (TrainConfig(patience=3, validation_share=0.1), [])


def test_each_problem_of_an_address_is_said_in_the_order_of_the_form():
    query = dict.fromkeys(reversed(QUERY_NAMES), "?")
    config, problems = from_query(query)
    assert config == TrainConfig()
    assert [problem.partition(" ")[0] for problem in problems] == list(QUERY_NAMES)


def test_what_else_an_address_holds_is_not_ours():
    query = {"run": "20261122-081503-7f3a", "name": "x" * 500, "epochs": "7", "EPOCHS": "8"}
    assert from_query(query) == (TrainConfig(epochs=7), [])
    assert from_query({}) == (TrainConfig(), [])


@pytest.mark.parametrize("text", ["٧", "７", " 7", "0007"])
def test_other_digits_mean_what_they_say(text):
    """Python's int() reads them; a link with them is no reason for an error."""
    assert from_query({"epochs": text}) == (TrainConfig(epochs=7), [])


def test_layers_that_do_not_fit_are_kept_to_be_shown_at_the_layer():
    config, problems = from_query({"layers": "dense-5~conv-8"})
    assert config.layers == (Dense(5), Conv(8)) and problems == []
    with pytest.raises(LayerError):
        config.validate()


# Words


def test_differences_are_said_by_the_names_on_the_screen():
    paper = TrainConfig()
    assert differences(paper, replace(paper, name="other")) == []
    assert differences(replace(paper, epochs=10), paper) == ["epochs 10 instead of 5"]
    assert differences(paper, replace(paper, epochs=10)) == ["epochs 5 instead of 10"]
    assert differences(
        replace(paper, training_size=500, learning_rate=1e-5, layers=(), rotate=10.0), paper
    ) == [
        "layers no hidden layer instead of dense 128, relu",
        "learning rate 0.00001 instead of 0.001",
        "training images 500 instead of all",
        "rotate (degrees) 10 instead of 0",
    ]
    assert differences(replace(paper, layers=(Conv(8), MaxPool(), Dense(9))), paper)[0] == (
        "layers conv 3×3, 8 filters, batch norm, relu → max pooling 2×2 → dense 9, relu "
        "instead of dense 128, relu"
    )


def test_every_field_that_differs_is_said_once():
    assert len(differences(CHANGED, TrainConfig())) == len(QUERY_NAMES)
    for name in QUERY_NAMES:
        one = replace(TrainConfig(), **{name: getattr(CHANGED, name)})
        [said] = differences(one, TrainConfig())
        label = FIELDS[name].metadata.get("label", name).lower()
        assert said.startswith(f"{label} ") and " instead of " in said


def test_a_run_has_a_short_name():
    assert TrainConfig(layers=()).architecture == "784-10"
    assert TrainConfig(layers=(Dense(9), Dropout(), Dense(8))).architecture == "784-9-8-10"
    assert preset("small-cnn").architecture == "CNN 16-32-48"
    assert TrainConfig(optimizer="adamw").title == "784-128-10, adamw"
    assert TrainConfig(name="Mine").title == "Mine"


def test_every_loss_has_a_name_and_every_option_is_offered():
    assert FIELDS["loss"].metadata["options"] == tuple(config_module.LOSSES)
    assert TrainConfig(loss="mean_squared_error").loss_name == "mean squared error"
    assert FIELDS["optimizer"].metadata["options"] == tuple(OPTIMIZERS)
    assert FIELDS["initializer"].metadata["options"] == INITIALIZERS
    assert {each.name: each for each in fields(Conv)}["activation"].metadata["options"] == (
        ACTIVATIONS
    )


# Presets


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_valid_and_have_their_name_again_whatever_the_seed(name):
    config = preset(name).validate()
    assert named(replace(config, seed=77, name="")) == replace(config, seed=77)
    assert named(replace(config, name="My own")) == config
    other = replace(config, batch_size=77, name="")
    assert named(other) == other


def test_an_unknown_preset_is_refused_by_those_there_are():
    with pytest.raises(ValueError, match=f"preset among {', '.join(PRESETS)}"):
        preset("magic")


def test_only_presets_validated_on_the_test_set_are_the_papers():
    for name, config in PRESETS.items():
        assert (config.validation_share == 0) == (name == "paper")


def test_stacks():
    assert conv_stack((16, 32, 48), "relu", 0.2) == preset("small-cnn").layers
    assert dense_stack((128,), "relu", 0.0) == preset("paper").layers
    assert replace(preset("linear"), layers=dense_stack((), "relu", 0.5)) == preset("linear")
    assert dense_stack((9, 8), "tanh", 0.5) == (
        Dense(9, "tanh"), Dropout(0.5), Dense(8, "tanh"), Dropout(0.5),
    )  # fmt: skip
