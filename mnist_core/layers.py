"""The layers a network is made of: limits, shapes, parameter counts, and what Keras builds of them.

A new kind of layer is one class here and its line in LAYERS: the form, the page's address, the
trainer and the exported script read it from here. Shapes and counts are compared with Keras's own
in tests/test_models.py.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

from mnist_core.fields import (
    as_text,
    check,
    choice,
    expected,
    number,
    parse,
    switch,
    with_article,
)
from mnist_core.keras_calls import Call

CLASSES = 10
IMAGE_SHAPE = (28, 28)
ACTIVATIONS = ("relu", "tanh", "sigmoid", "elu", "gelu", "linear")
INITIALIZERS = ("glorot_uniform", "he_normal", "lecun_normal", "random_normal", "zeros")
MAX_LAYERS = 16
Shape = tuple[int, ...]


class Layer:
    """A hidden layer; shapes are (units,) or (height, width, channels), without the batch."""

    kind: ClassVar[str]
    title: ClassVar[str]
    needs_image: ClassVar[bool] = False

    def validate(self) -> None:
        """Raise ValueError("Expected … Received: …") for a value that is not allowed."""
        check(self, self.title)

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape that comes out. Raises ValueError where `shape` cannot come in."""
        return shape

    def parameters(self, shape: Shape) -> int:
        """Return how many numbers the layer has, those that are not trained included."""
        return 0

    def multiplications(self, shape: Shape) -> int:
        """Return the multiplications for one image going forward."""
        return 0

    def keras(self, initializer: str) -> list[Call]:
        """Return what Keras builds of it."""
        raise NotImplementedError

    def describe(self) -> str:
        """Return the layer's line as people write it, e.g. "dense 128, relu"."""
        raise NotImplementedError


def _l2() -> float:
    return number(
        0.0, 0.0, 1.0, "L2", step=0.0001, format="%.5f",
        help="Weight decay: this times the sum of the squared weights is added to the loss, so "
        "that weights stay small.",
    )  # fmt: skip


def _batch_norm(default: bool) -> bool:
    return switch(
        default, "Batch normalization",
        help="Brings the sums of each unit, over a batch, to mean 0 and deviation 1, then scales "
        "and shifts them by two learned numbers.",
    )  # fmt: skip


def _normalized(sums: Call, activation: str, batch_norm: bool) -> list[Call]:
    """Return a layer's calls: sums, then optional normalization, then the activation."""
    if not batch_norm:
        return [sums, Call("layers.Activation", {"activation": activation})]
    activate = Call("layers.Activation", {"activation": activation})
    return [sums, Call("layers.BatchNormalization"), activate]


def _weights(initializer: str, l2: float) -> dict[str, Any]:
    decay = {"kernel_regularizer": Call("regularizers.L2", {"l2": l2})} if l2 else {}
    return {"kernel_initializer": initializer, **decay}


@dataclass(frozen=True)
class Dense(Layer):
    """Fully connected layer: activation(Σ w·x + b). Flattens what comes before it."""

    kind: ClassVar[str] = "dense"
    title: ClassVar[str] = "dense layer"
    units: int = number(128, 1, 2048, "Units", help="Each forms its own weighted sum of all inputs")
    activation: str = choice("relu", ACTIVATIONS, "Activation")
    batch_norm: bool = _batch_norm(False)
    l2: float = _l2()

    def output_shape(self, shape: Shape) -> Shape:
        return (self.units,)

    def parameters(self, shape: Shape) -> int:
        # Batch normalization brings scale, shift and two moving averages a unit, and makes the
        # layer's own bias superfluous.
        return math.prod(shape) * self.units + (4 if self.batch_norm else 1) * self.units

    def multiplications(self, shape: Shape) -> int:
        return math.prod(shape) * self.units

    def keras(self, initializer: str) -> list[Call]:
        own = {"units": self.units}
        if not self.batch_norm:
            own["activation"] = self.activation
            return [Call("layers.Dense", own | _weights(initializer, self.l2))]
        own["use_bias"] = False
        sums = Call("layers.Dense", own | _weights(initializer, self.l2))
        return _normalized(sums, self.activation, True)

    def describe(self) -> str:
        return f"dense {self.units}{_extras(self)}"


@dataclass(frozen=True)
class Conv(Layer):
    """Convolution, then optional batch normalization, then the activation."""

    kind: ClassVar[str] = "conv"
    title: ClassVar[str] = "convolution"
    needs_image: ClassVar[bool] = True
    filters: int = number(32, 1, 256, "Filters", help="Each looks for its own small pattern")
    kernel: int = number(3, 1, 11, "Kernel", help="Width and height of the pattern, in pixels")
    stride: int = number(1, 1, 4, "Stride", help="How far the pattern moves each time; 2 halves")
    activation: str = choice("relu", ACTIVATIONS, "Activation")
    batch_norm: bool = _batch_norm(True)
    padding: str = choice(
        "same", ("same", "valid"), "Padding",
        help="same: zeros around, the image keeps its size. valid: only whole patterns fit in",
    )  # fmt: skip
    l2: float = _l2()

    def output_shape(self, shape: Shape) -> Shape:
        height, width = _image(self, shape, self.kernel, "kernel")
        if self.padding == "same":
            return (-(-height // self.stride), -(-width // self.stride), self.filters)
        height, width = (1 + (size - self.kernel) // self.stride for size in (height, width))
        return (height, width, self.filters)

    def parameters(self, shape: Shape) -> int:
        biases = (4 if self.batch_norm else 1) * self.filters
        return self.kernel**2 * shape[2] * self.filters + biases

    def multiplications(self, shape: Shape) -> int:
        return math.prod(self.output_shape(shape)) * self.kernel**2 * shape[2]

    def keras(self, initializer: str) -> list[Call]:
        sums = Call(
            "layers.Conv2D",
            {
                "filters": self.filters,
                "kernel_size": self.kernel,
                "strides": self.stride,
                "padding": self.padding,
                "use_bias": not self.batch_norm,
                **_weights(initializer, self.l2),
            },
        )
        return _normalized(sums, self.activation, self.batch_norm)

    def describe(self) -> str:
        step = f", stride {self.stride}" if self.stride > 1 else ""
        edge = ", valid" if self.padding == "valid" else ""
        return (
            f"conv {self.kernel}×{self.kernel}, {self.filters} filters{step}{edge}{_extras(self)}"
        )


@dataclass(frozen=True)
class _Pool(Layer):
    needs_image: ClassVar[bool] = True
    size: int = number(2, 2, 4, "Size", help="Width and height of the squares, in pixels")

    def output_shape(self, shape: Shape) -> Shape:
        height, width = _image(self, shape, self.size, "size")
        return (height // self.size, width // self.size, shape[2])


@dataclass(frozen=True)
class MaxPool(_Pool):
    """Maximum over squares of size × size pixels."""

    kind: ClassVar[str] = "max_pool"
    title: ClassVar[str] = "max pooling layer"

    def keras(self, initializer: str) -> list[Call]:
        return [Call("layers.MaxPooling2D", {"pool_size": self.size})]

    def describe(self) -> str:
        return f"max pooling {self.size}×{self.size}"


@dataclass(frozen=True)
class AveragePool(_Pool):
    """Mean over squares of size × size pixels."""

    kind: ClassVar[str] = "average_pool"
    title: ClassVar[str] = "average pooling layer"

    def keras(self, initializer: str) -> list[Call]:
        return [Call("layers.AveragePooling2D", {"pool_size": self.size})]

    def describe(self) -> str:
        return f"average pooling {self.size}×{self.size}"


@dataclass(frozen=True)
class Dropout(Layer):
    """While training, switch off a random share of the values that come in."""

    kind: ClassVar[str] = "dropout"
    title: ClassVar[str] = "dropout layer"
    rate: float = number(
        0.2, 0.0, 0.9, "Share", step=0.05, format="percent",
        help="While training, this share of the values is switched off at random",
    )  # fmt: skip

    def keras(self, initializer: str) -> list[Call]:
        return [Call("layers.Dropout", {"rate": self.rate})]

    def describe(self) -> str:
        return f"dropout {self.rate:g}"


LAYERS: dict[str, type[Layer]] = {
    cls.kind: cls for cls in (Dense, Conv, MaxPool, AveragePool, Dropout)
}


class LayerError(ValueError):
    """A layer that cannot be built; `position` is its place among the hidden layers, from 0."""

    def __init__(self, message: str, position: int):
        super().__init__(message)
        self.position = position


def _extras(layer: Dense | Conv) -> str:
    norm = ", batch norm" if layer.batch_norm else ""
    decay = f", L2 {layer.l2:g}" if layer.l2 else ""
    return f"{norm}, {layer.activation}{decay}"


def _image(layer: Layer, shape: Shape, size: int, name: str) -> tuple[int, int]:
    """Return height and width of what comes in. Raises ValueError where `size` does not fit in."""
    if len(shape) != 3:
        raise expected(
            f"an image before {with_article(layer.title)}",
            f"a vector of {shape[0]} values",
            "Put it before the first dense layer.",
        )
    height, width, _ = shape
    if min(height, width) < size:
        raise expected(
            f"a {name} of at most {min(height, width)}, as the image that comes in has "
            f"{height}×{width} pixels",
            size,
            f"Take a smaller {name}, or remove a stride or a pooling layer before it.",
        )
    return height, width


@dataclass(frozen=True)
class LayerRow:
    """One line of a network's table; multiplications are those of one image going forward."""

    name: str
    output_shape: Shape
    parameters: int = 0
    multiplications: int = 0


def table(layers: tuple[Layer, ...]) -> list[LayerRow]:
    """Return the network's table, from the input to the output layer of 10 units.

    Raises LayerError at the first layer that cannot be built on what comes before it.
    """
    shape: Shape = IMAGE_SHAPE
    rows = [LayerRow("input, pixel / 255", shape)]
    if any(layer.needs_image for layer in layers):
        shape = (*IMAGE_SHAPE, 1)
    for position, layer in enumerate((*layers, Dense(CLASSES, "softmax"))):
        if isinstance(layer, Dense) and len(shape) > 1:
            shape = (math.prod(shape),)
            rows.append(LayerRow("flatten", shape))
        try:
            if position < len(layers):
                layer.validate()
            out = layer.output_shape(shape)
        except ValueError as error:
            raise LayerError(f"Layer {position + 1}: {error}", position) from error
        costs = layer.parameters(shape), layer.multiplications(shape)
        rows.append(LayerRow(layer.describe(), out, *costs))
        shape = out
    return rows


def keras_calls(layers: tuple[Layer, ...], initializer: str) -> list[Call]:
    """Return all that Keras builds, from the scaling of uint8 (28, 28) pixels to the softmax."""
    flat = not any(layer.needs_image for layer in layers)
    first = Call("layers.Flatten")
    if not flat:
        first = Call("layers.Reshape", {"target_shape": (*IMAGE_SHAPE, 1)})
    calls = [Call("layers.Rescaling", {"scale": 1 / 255}), first]
    for layer in (*layers, Dense(CLASSES, "linear")):
        if isinstance(layer, Dense) and not flat:
            calls.append(Call("layers.Flatten"))
            flat = True
        calls += layer.keras(initializer)
    return [*calls, Call("layers.Softmax")]


def to_text(layers: tuple[Layer, ...]) -> str:
    """Return layers as an address holds them: "conv-16-5-2~dropout-0.2"; without any: "none".

    A layer is its kind and its values in order, without the defaults at its end.
    """
    return "~".join(map(_layer_to_text, layers)) or "none"


def _layer_to_text(layer: Layer) -> str:
    own = [(getattr(layer, each.name), each.default) for each in fields(layer)]
    while own and own[-1][0] == own[-1][1]:
        own.pop()
    return "-".join([layer.kind, *(as_text(value) for value, _ in own)])


def from_text(text: str) -> tuple[Layer, ...]:
    """Return the layers that to_text() wrote. Raises ValueError for anything else."""
    parts = [] if text == "none" else text.split("~", MAX_LAYERS)
    if len(parts) > MAX_LAYERS:
        raise expected(f"at most {MAX_LAYERS} hidden layers", f"{text.count('~') + 1:,}")
    return tuple(map(_layer_from_text, parts))


def _layer_from_text(text: str) -> Layer:
    kind, *values = text.split("-")
    if kind not in LAYERS:
        raise expected(f"a layer among {', '.join(LAYERS)}", kind)
    own = fields(LAYERS[kind])
    if len(values) > len(own):
        raise expected(f"at most {len(own)} values of {with_article(LAYERS[kind].title)}", text)
    return LAYERS[kind](*map(parse, own, values))


def to_dict(layer: Layer) -> dict[str, Any]:
    """Return plain JSON data that carry the layer's kind."""
    return {"kind": layer.kind, **asdict(layer)}


def from_dict(data: dict[str, Any]) -> Layer:
    """Return the layer that to_dict() wrote. Raises KeyError, TypeError."""
    return LAYERS[data["kind"]](**{name: value for name, value in data.items() if name != "kind"})


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
