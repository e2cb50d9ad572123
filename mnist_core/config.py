"""TrainConfig: a run's hyperparameters with limits and presets, and the layers as plain data.

The forms, the command line and the trainer read defaults, limits, shapes and parameter counts from
here alone. Nothing is imported beyond the standard library, so a form never waits for Keras;
tests/test_models.py compares every shape and count with the network that Keras builds.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar

CLASSES = 10
IMAGE_SHAPE = (28, 28)
MAX_PARAMETERS = 5_000_000
ACTIVATIONS = ("relu", "tanh", "sigmoid", "elu", "gelu", "linear")
SCHEDULES = ("constant", "cosine")
# The default learning rate of each optimizer is Keras's own, except SGD's with momentum.
LEARNING_RATES = {"adam": 0.001, "adamw": 0.001, "rmsprop": 0.001, "sgd": 0.01, "momentum": 0.01}
Shape = tuple[int, ...]


def expected(what: str, received: Any, advice: str = "") -> ValueError:
    """Return a ValueError in the house's form: what was expected, what came, what to do next."""
    return ValueError(f"Expected {what}. Received: {received!r}.{' ' + advice if advice else ''}")


def _check(value: Any, kind: type, low: float, high: float, name: str, advice: str = "") -> None:
    whole = kind is int
    fits = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if not fits or not low <= value <= high:  # NaN fails the comparison too
        number = "a whole number" if whole else "a number"
        raise expected(f"{name}: {number} from {low:,} to {high:,}", value, advice)


@dataclass(frozen=True)
class Dense:
    """Fully connected layer: activation(Σ w·x + b). Flattens what comes before it."""

    kind: ClassVar[str] = "dense"
    units: int = 128
    activation: str = "relu"

    def validate(self) -> None:
        _check(self.units, int, 1, 2048, "units of a dense layer")
        if self.activation not in ACTIVATIONS:
            raise expected(f"an activation among {', '.join(ACTIVATIONS)}", self.activation)

    def output_shape(self, shape: Shape) -> Shape:
        return (self.units,)

    def parameters(self, shape: Shape) -> int:
        return math.prod(shape) * self.units + self.units

    def multiplications(self, shape: Shape) -> int:
        return math.prod(shape) * self.units


@dataclass(frozen=True)
class Conv:
    """Convolution with same padding, then optional batch normalization, then the activation."""

    kind: ClassVar[str] = "conv"
    filters: int = 32
    kernel: int = 3
    stride: int = 1
    activation: str = "relu"
    batch_norm: bool = True

    def validate(self) -> None:
        _check(self.filters, int, 1, 256, "filters of a convolution")
        _check(self.kernel, int, 1, 11, "kernel of a convolution")
        _check(self.stride, int, 1, 4, "stride of a convolution")
        if self.activation not in ACTIVATIONS:
            raise expected(f"an activation among {', '.join(ACTIVATIONS)}", self.activation)

    def output_shape(self, shape: Shape) -> Shape:
        height, width, _ = _image(shape, "a convolution")
        return (-(-height // self.stride), -(-width // self.stride), self.filters)

    def parameters(self, shape: Shape) -> int:
        channels = _image(shape, "a convolution")[2]
        # Batch normalization brings scale, shift and two moving averages a filter, and makes
        # the convolution's own bias superfluous.
        bias = 4 * self.filters if self.batch_norm else self.filters
        return self.kernel**2 * channels * self.filters + bias

    def multiplications(self, shape: Shape) -> int:
        return math.prod(self.output_shape(shape)) * self.kernel**2 * shape[2]


@dataclass(frozen=True)
class MaxPool:
    """Maximum over squares of size × size pixels."""

    kind: ClassVar[str] = "max_pool"
    size: int = 2

    def validate(self) -> None:
        _check(self.size, int, 2, 4, "size of a pooling layer")

    def output_shape(self, shape: Shape) -> Shape:
        height, width, channels = _image(shape, "a pooling layer")
        if min(height, width) < self.size:
            raise expected(
                f"a pooling size of at most {min(height, width)}, the size of what comes in",
                self.size,
                "Remove a pooling layer or a stride before it.",
            )
        return (height // self.size, width // self.size, channels)

    def parameters(self, shape: Shape) -> int:
        return 0

    def multiplications(self, shape: Shape) -> int:
        return 0


@dataclass(frozen=True)
class Dropout:
    """While training, switch off a random share of the values that come in."""

    kind: ClassVar[str] = "dropout"
    rate: float = 0.2

    def validate(self) -> None:
        _check(self.rate, float, 0.0, 0.9, "dropout")

    def output_shape(self, shape: Shape) -> Shape:
        return shape

    def parameters(self, shape: Shape) -> int:
        return 0

    def multiplications(self, shape: Shape) -> int:
        return 0


Layer = Dense | Conv | MaxPool | Dropout
LAYERS: dict[str, type[Layer]] = {cls.kind: cls for cls in (Dense, Conv, MaxPool, Dropout)}


def _image(shape: Shape, what: str) -> Shape:
    if len(shape) != 3:
        raise expected(
            f"an image before {what}",
            f"a vector of {shape[0]} values",
            "Put it before the first dense layer.",
        )
    return shape


@dataclass(frozen=True)
class LayerRow:
    """One line of a network's table; multiplications are those of one image going forward."""

    name: str
    output_shape: Shape
    parameters: int = 0
    multiplications: int = 0


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a training; two equal configs give the same history on one machine.

    `layers` are the hidden layers: the input (28, 28), the scaling to [0, 1] and the output layer
    of 10 units with softmax are always there. `validation_share` 0 means "as in the paper": the
    test set is the validation set. `training_size` None means all images that are left.
    """

    layers: tuple[Layer, ...] = (Dense(128, "relu"),)
    optimizer: str = "adam"
    learning_rate: float = 0.001
    schedule: str = "constant"
    batch_size: int = 32
    epochs: int = 5
    validation_share: float = 0.0
    training_size: int | None = None
    seed: int = 1
    name: str = ""

    # Lowest and highest value that a form offers and validate() allows.
    LIMITS: ClassVar[dict[str, tuple[float, float]]] = {
        "learning_rate": (1e-7, 1e6),
        "batch_size": (1, 4096),
        "epochs": (1, 200),
        "validation_share": (0.0, 0.5),
        "training_size": (100, 60_000),
        "seed": (0, 2**31 - 1),
    }
    MAX_LAYERS: ClassVar[int] = 12

    def validate(self) -> TrainConfig:
        """Return self, or raise ValueError("Expected … Received: …") for the first bad value."""
        if len(self.layers) > self.MAX_LAYERS:
            raise expected(f"at most {self.MAX_LAYERS} hidden layers", len(self.layers))
        for layer in self.layers:
            layer.validate()
        if self.optimizer not in LEARNING_RATES:
            raise expected(f"an optimizer among {', '.join(LEARNING_RATES)}", self.optimizer)
        if self.schedule not in SCHEDULES:
            raise expected(f"a schedule among {', '.join(SCHEDULES)}", self.schedule)
        for name, (low, high) in self.LIMITS.items():
            value = getattr(self, name)
            if name == "training_size" and value is None:
                continue
            kind = float if isinstance(low, float) else int
            _check(value, kind, low, high, name.replace("_", " "))
        if not isinstance(self.name, str) or len(self.name) > 60:
            raise expected("a name of at most 60 characters", self.name)
        if self.parameters > MAX_PARAMETERS:
            raise expected(
                f"a network of at most {MAX_PARAMETERS:,} parameters",
                f"{self.parameters:,}",
                "Take fewer units or filters, or put pooling before the first dense layer.",
            )
        return self

    def rows(self) -> list[LayerRow]:
        """Return the network's table, from the input to the output layer.

        Raises ValueError at the first layer that cannot be built on what comes before it.
        """
        shape: Shape = IMAGE_SHAPE
        rows = [LayerRow("input, pixel / 255", shape)]
        if any(isinstance(layer, Conv | MaxPool) for layer in self.layers):
            shape = (*IMAGE_SHAPE, 1)
        for layer in (*self.layers, Dense(CLASSES, "softmax")):
            if isinstance(layer, Dense) and len(shape) > 1:
                shape = (math.prod(shape),)
                rows.append(LayerRow("flatten", shape))
            costs = layer.parameters(shape), layer.multiplications(shape)
            shape = layer.output_shape(shape)
            rows.append(LayerRow(describe(layer), shape, *costs))
        return rows

    @property
    def parameters(self) -> int:
        """The number of all parameters, batch normalization's moving averages included."""
        return sum(row.parameters for row in self.rows())

    @property
    def convolutional(self) -> bool:
        return any(isinstance(layer, Conv) for layer in self.layers)

    @property
    def as_in_paper(self) -> bool:
        """Whether everything but seed and name is the paper's."""
        return replace(self, seed=0, name="") == TrainConfig(seed=0)

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

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data; each layer carries its kind."""
        data = asdict(self)
        data["layers"] = [{"kind": layer.kind, **asdict(layer)} for layer in self.layers]
        return data

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), sort_keys=True)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TrainConfig:
        """Return the validated config written by to_dict(). Raises ValueError if it is none."""
        names = {field.name for field in fields(cls)}
        if not isinstance(data, dict) or not set(data) <= names:
            raise expected(f"hyperparameters among {', '.join(sorted(names))}", data)
        try:
            layers = tuple(_layer(dict(layer)) for layer in data.get("layers", []))
            return cls(**{**data, "layers": layers}).validate()
        except (TypeError, KeyError) as error:
            raise expected("a complete set of hyperparameters", data) from error


def _layer(data: dict[str, Any]) -> Layer:
    return LAYERS[data.pop("kind")](**data)


def describe(layer: Layer) -> str:
    """Return a layer's line as people write it, e.g. "dense 128, relu"."""
    match layer:
        case Dense(units, activation):
            return f"dense {units}, {activation}"
        case Conv(filters, kernel, stride, activation, batch_norm):
            step = f", stride {stride}" if stride > 1 else ""
            norm = ", batch norm" if batch_norm else ""
            return f"conv {kernel}×{kernel}, {filters} filters{step}{norm}, {activation}"
        case MaxPool(size):
            return f"max pooling {size}×{size}"
        case Dropout(rate):
            return f"dropout {rate:g}"
    raise expected("a layer", layer)


def dense_stack(units: tuple[int, ...], activation: str, dropout: float) -> tuple[Layer, ...]:
    """Return hidden dense layers, each followed by dropout where the rate is above 0."""
    drop = (Dropout(dropout),) if dropout else ()
    return tuple(part for size in units for part in (Dense(size, activation), *drop))


def conv_stack(filters: tuple[int, ...], activation: str, dropout: float) -> tuple[Layer, ...]:
    """Return convolutions with batch normalization, then dropout where the rate is above 0.

    The first is 5×5 and, as the second, halves the image; the others are 3×3 and keep its size.
    """
    convolutions = tuple(
        Conv(size, 5 if place == 0 else 3, 2 if place < 2 else 1, activation)
        for place, size in enumerate(filters)
    )
    return convolutions + ((Dropout(dropout),) if dropout else ())


# "Small CNN" is a network known to do well in seconds; it was not searched for on the test set.
PRESETS: dict[str, TrainConfig] = {
    "paper": TrainConfig(name="As in the paper"),
    "small-cnn": TrainConfig(
        layers=conv_stack((16, 32, 48), "relu", 0.2),
        learning_rate=0.008,
        schedule="cosine",
        batch_size=128,
        epochs=2,
        validation_share=0.1,
        name="Small CNN",
    ),
    "linear": TrainConfig(layers=(), validation_share=0.1, name="Linear baseline"),
}


def preset(name: str) -> TrainConfig:
    """Return a preset by its short name: paper, small-cnn or linear. Raises ValueError."""
    if name not in PRESETS:
        raise expected(f"a preset among {', '.join(PRESETS)}", name)
    return PRESETS[name]


def with_changes(config: TrainConfig, **changes: Any) -> TrainConfig:
    """Return the validated config with some values changed."""
    return replace(config, **changes).validate()
