"""TrainConfig: everything that decides a training, with its limits and its defaults.

The forms, the command line, the page's address and the trainer read defaults and limits from here
alone. Nothing is imported beyond the standard library, so a form never waits for Keras.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from mnist_core import layers as layer_kinds
from mnist_core.fields import as_text, check, choice, expected, in_words, number, parse
from mnist_core.keras_calls import Call
from mnist_core.layers import (
    CLASSES,
    INITIALIZERS,
    MAX_LAYERS,
    Conv,
    Dense,
    Dropout,
    Layer,
    LayerRow,
)
from mnist_core.optimizers import OPTIMIZERS, SCHEDULES, Schedule

MAX_PARAMETERS = 5_000_000
LOSSES = {
    "categorical_crossentropy": "cross-entropy",
    "sparse_categorical_crossentropy": "cross-entropy",
    "mean_squared_error": "mean squared error",
}
LOSS_NAMES = {
    "categorical_crossentropy": "categorical cross-entropy",
    "sparse_categorical_crossentropy": "sparse cross-entropy",
    "mean_squared_error": "mean squared error",
}
INITIALIZER_NAMES = {
    "glorot_uniform": "Glorot uniform",
    "he_normal": "He normal",
    "lecun_normal": "LeCun normal",
    "random_normal": "small normal",
    "zeros": "all zero",
}


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a training; two equal configs give the same history on one machine.

    `layers` are the hidden layers: the input (28, 28), the scaling to [0, 1] and the output layer
    of 10 units with softmax are always there. `validation_share` 0 means "as in the paper": the
    test set is the validation set. `training_size` None means all images that are left; `patience`
    0 that the training does not stop early. The defaults are the paper's training.
    """

    layers: tuple[Layer, ...] = (Dense(128, "relu"),)
    initializer: str = choice(
        "glorot_uniform", INITIALIZERS, "First weights", names=INITIALIZER_NAMES,
        help="How the weights are drawn before training. With zeros all units of a layer stay "
        "alike for ever.",
    )  # fmt: skip
    loss: str = choice(
        "categorical_crossentropy", tuple(LOSSES), "Loss", names=LOSS_NAMES,
        help="What training makes small. Categorical cross-entropy takes labels as ten numbers, "
        "one of them 1 (as the paper does); its sparse form takes them as one number and gives "
        "the same.",
    )  # fmt: skip
    optimizer: str = choice(
        "adam", tuple(OPTIMIZERS), "Optimizer",
        names={name: each.title for name, each in OPTIMIZERS.items()},
        help="How a gradient becomes a step of the weights",
    )  # fmt: skip
    learning_rate: float = number(
        0.001, 1e-7, 1e6, "Learning rate", help="How large a step the weights take against the "
        "gradient; too small learns slowly, too large not at all.",
    )  # fmt: skip
    schedule: str = choice(
        "constant", SCHEDULES, "Schedule",
        help="How the learning rate changes. step: it falls by a factor every few epochs. cosine: "
        "it climbs at first, then falls to a hundredth along half a cosine.",
    )  # fmt: skip
    warm_up: float = number(
        0.1, 0.0, 0.5, "Warm-up", step=0.05, format="percent",
        help="Share of all steps in which the rate climbs",
    )  # fmt: skip
    drop_every: int = number(2, 1, 100, "Drop every … epochs")
    drop_factor: float = number(0.5, 0.01, 0.99, "Drop factor", step=0.05)
    batch_size: int = number(
        32, 1, 4096, "Batch size", help="Images between two updates of the weights",
    )  # fmt: skip
    epochs: int = number(
        5, 1, 200, "Epochs", help="How many times the network sees every training image",
    )  # fmt: skip
    validation_share: float = number(
        0.0, 0.0, 0.5, "Held-out share", step=0.05, format="percent",
        help="Share of the training images kept aside to validate on; 0: the test set, as in the "
        "paper",
    )  # fmt: skip
    training_size: int | None = number(
        None, 100, 60_000, "Training images", step=100, empty="all",
        help="Fewer images, chosen evenly from the ten digits; empty: all",
    )  # fmt: skip
    label_noise: float = number(
        0.0, 0.0, 0.8, "Wrong labels", step=0.05, format="percent",
        help="Share of the training labels replaced by a wrong one, to see whether the network "
        "learns them by heart. Validation and test labels stay right.",
    )  # fmt: skip
    shift: float = number(
        0.0, 0.0, 6.0, "Shift (pixels)", step=0.5, help="Up to so far in each direction, at random",
    )  # fmt: skip
    rotate: float = number(
        0.0, 0.0, 45.0, "Rotate (degrees)", step=1.0, help="Up to so far either way, at random",
    )  # fmt: skip
    zoom: float = number(
        0.0, 0.0, 0.5, "Zoom", step=0.05, format="percent",
        help="Larger or smaller by up to this share, at random",
    )  # fmt: skip
    patience: int = number(
        0, 0, 50, "Patience (epochs)",
        help="Stop early when validation has not become better for so many epochs; 0: never",
    )  # fmt: skip
    stop_metric: str = choice(
        "val_loss", ("val_loss", "val_accuracy"), "Stop by",
        names={"val_loss": "validation loss", "val_accuracy": "validation accuracy"},
    )  # fmt: skip
    best_weights: str = choice(
        "back", ("back", "last"), "At the end",
        names={"back": "best weights back", "last": "last weights"},
        help="back: the weights of the best epoch become the network. last: those of the last.",
    )  # fmt: skip
    seed: int = number(
        1, 0, 2**31 - 1, "Seed",
        help="The same seed gives the same weights, order and result again",
    )  # fmt: skip
    name: str = ""

    def validate(self) -> TrainConfig:
        """Return self, or raise ValueError("Expected … Received: …") for the first bad value.

        A network that cannot be built raises LayerError, which names the layer.
        """
        if len(self.layers) > MAX_LAYERS:
            raise expected(f"at most {MAX_LAYERS} hidden layers", len(self.layers))
        check(self)
        if self.parameters > MAX_PARAMETERS:
            raise expected(
                f"a network of at most {MAX_PARAMETERS:,} parameters",
                f"{self.parameters:,}",
                "Take fewer units or filters, or put pooling before the first dense layer.",
            )
        if self.patience and not self.validation_share:
            raise expected(
                "held-out images to stop early by",
                "the test set",
                "Hold out a share of the training images: who stops by the test set has chosen "
                "by it.",
            )
        if not isinstance(self.name, str) or len(self.name) > 60:
            raise expected("a name of at most 60 characters", self.name)
        return self

    def rows(self) -> list[LayerRow]:
        """Return the network's table, from the input to the output layer; raises LayerError."""
        return layer_kinds.table(self.layers)

    @property
    def parameters(self) -> int:
        """The number of all parameters, batch normalization's moving averages included."""
        return sum(row.parameters for row in self.rows())

    @property
    def convolutional(self) -> bool:
        return any(isinstance(layer, Conv) for layer in self.layers)

    @property
    def xla(self) -> bool:
        """Whether XLA compiles the training: it makes dense networks three times as fast.

        Convolutions become ten times slower by it on a CPU, and dense networks with dropout two to
        seven times: it draws the same random numbers again for everything that needs them.
        """
        return not any(isinstance(layer, Conv | Dropout) for layer in self.layers)

    @property
    def augments(self) -> bool:
        """Whether training images are moved at random."""
        return bool(self.shift or self.rotate or self.zoom)

    @property
    def as_in_paper(self) -> bool:
        """Whether everything but seed and name is the paper's."""
        return replace(self, seed=0, name="") == TrainConfig(seed=0)

    @property
    def loss_name(self) -> str:
        """The loss as the screens name it."""
        return LOSSES[self.loss]

    @property
    def architecture(self) -> str:
        """A short name such as "784-128-10" or "CNN 16-32-48"."""
        if self.convolutional:
            return "CNN " + "-".join(str(la.filters) for la in self.layers if isinstance(la, Conv))
        units = [layer.units for layer in self.layers if isinstance(layer, Dense)]
        return "-".join(map(str, [784, *units, CLASSES]))

    @property
    def title(self) -> str:
        """The name a person gave, or the architecture with its optimizer."""
        return self.name or f"{self.architecture}, {self.optimizer}"

    def training_images(self, available: int) -> int:
        """Return how many of the available training images an epoch has."""
        rest = available - round(self.validation_share * available)
        return rest if self.training_size is None else min(self.training_size, rest)

    def rates(self, steps_per_epoch: int) -> Schedule:
        """Return the learning rate of every step."""
        total = self.epochs * steps_per_epoch
        return Schedule(
            self.schedule, self.learning_rate, total,
            warm_up=int(total * self.warm_up),
            drop_steps=self.drop_every * steps_per_epoch,
            drop_factor=self.drop_factor,
        )  # fmt: skip

    def keras_layers(self) -> list[Call]:
        """Return the layers Keras builds, from the scaling of uint8 pixels to the softmax."""
        return layer_kinds.keras_calls(self.layers, self.initializer)

    def keras_optimizer(self, learning_rate: Any) -> Call:
        """Return the optimizer Keras builds."""
        chosen = OPTIMIZERS[self.optimizer]
        return Call(
            f"optimizers.{chosen.keras}", {"learning_rate": learning_rate, **chosen.arguments}
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data; each layer carries its kind."""
        return asdict(self) | {"layers": [layer_kinds.to_dict(layer) for layer in self.layers]}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TrainConfig:
        """Return the validated config written by to_dict(). Raises ValueError if it is none."""
        names = {field.name for field in fields(cls)}
        if not isinstance(data, dict) or not set(data) <= names:
            raise expected(f"hyperparameters among {', '.join(sorted(names))}", data)
        try:
            layers = tuple(layer_kinds.from_dict(layer) for layer in data.get("layers", []))
            return cls(**{**data, "layers": layers}).validate()
        except (TypeError, KeyError, AttributeError) as error:
            raise expected("a complete set of hyperparameters", data) from error

    def to_query(self) -> dict[str, str]:
        """Return what differs from the paper's training, as a page's address holds it."""
        texts = {
            each.name: as_text(getattr(self, each.name))
            for each in fields(self)
            if each.metadata and getattr(self, each.name) not in (each.default, None)
        }
        if self.layers != TrainConfig().layers:
            texts["layers"] = layer_kinds.to_text(self.layers)
        return texts


QUERY_NAMES = ("layers", *(each.name for each in fields(TrainConfig) if each.metadata))


def from_query(query: Mapping[str, str]) -> tuple[TrainConfig, list[str]]:
    """Return the config that an address describes, and what in it could not be used, in words.

    A value that is not allowed counts as not given. The config is not yet validated as a whole:
    its layers may not fit one on the other, which is shown at the layer.
    """
    known = {each.name: each for each in fields(TrainConfig)}
    values: dict[str, Any] = {}
    problems = []
    for name in QUERY_NAMES:
        if name not in query:
            continue
        try:
            read = layer_kinds.from_text if name == "layers" else None
            values[name] = read(query[name]) if read else parse(known[name], query[name])
        except ValueError as error:
            problems.append(f"{name} in this link was left out. {error}")
    if values.get("patience") and not values.get("validation_share"):
        problems.append("patience in this link was left out: stopping early needs held-out images.")
        del values["patience"]
    return TrainConfig(**values), problems


def differences(config: TrainConfig, other: TrainConfig) -> list[str]:
    """Return what `config` has otherwise than `other`, in words: "epochs 10 instead of 5"."""
    found = []
    if config.layers != other.layers:
        ours, theirs = (
            " → ".join(layer.describe() for layer in each.layers) or "no hidden layer"
            for each in (config, other)
        )
        found.append(f"layers {ours} instead of {theirs}")
    for each in fields(TrainConfig):
        ours, theirs = getattr(config, each.name), getattr(other, each.name)
        if each.metadata and ours != theirs:
            ours, theirs = in_words(each, ours), in_words(each, theirs)
            found.append(f"{each.metadata['label'].lower()} {ours} instead of {theirs}")
    return found
