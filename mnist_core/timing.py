"""How long a training will take: from what was measured on this machine, else from a cost model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from mnist_core.config import TrainConfig

MEASURED = "measured on this network"
SCALED = "estimated from other networks measured on this machine"
GUESSED = "guessed: no network of this kind was measured here yet"
# An epoch's end, with its answers to some 15,000 images and its files, takes about as long as
# training on so many images.
EXAM_IMAGES = 3_000
START_SECONDS = 1.5  # to compile a network that was not trained here before


@dataclass(frozen=True)
class Estimate:
    """The seconds a training will take, above 0, and a phrase that says how this is known."""

    seconds: float
    basis: str


@dataclass(frozen=True)
class Costs:
    """Seconds that each kind of work takes in training."""

    batch: float = 0.0
    layer: float = 0.0  # in each batch, the output layer included
    parameter: float = 0.0  # in each batch: the optimizer passes over all
    operation: float = 0.0  # each image has six for each multiplication of its way forward
    value: float = 0.0  # each image has as many as its layers put out
    normalized: float = 0.0  # each of these that was batch normalized, in addition


# Fitted to medians of 31 dense and 25 convolutional networks, two or four measurements each, with
# Keras 3 and TensorFlow on two cores of an Intel Xeon that had other work too: 81 % and 92 % come
# within 40 %. Where XLA does not compile the training, each layer is a call of its own, and memory
# takes more time than arithmetic.
COMPILED = Costs(batch=9e-5, parameter=1.1e-9, operation=7e-12)
UNCOMPILED = Costs(layer=4.7e-4, parameter=1e-9, operation=4e-12, value=4.3e-9, normalized=9e-9)


def expected(
    config: TrainConfig, images: int, measured: Sequence[tuple[TrainConfig, float]]
) -> Estimate:
    """Return how long config.epochs of `images` training images each will take.

    `measured` are networks and the images a second they were trained at, newest first; speeds that
    are not finite and above 0 are passed over. The newest with the same layers, optimizer and batch
    size decides; else the cost model, times the median of measured to modelled time over the other
    networks of its kind, compiled by XLA or not, of each the newest; without any, times 1. Raises
    ValueError for layers that do not fit one on the other.
    """
    newest: dict[tuple, tuple[TrainConfig, float]] = {}
    for other, speed in measured:
        if math.isfinite(speed) and speed > 0:
            newest.setdefault(_network(other), (other, speed))
    work = config.epochs * (images + EXAM_IMAGES)
    if same := newest.get(_network(config)):
        return Estimate(work / same[1], MEASURED)
    ratios = [
        1 / speed / image_seconds(other)
        for other, speed in newest.values()
        if other.xla == config.xla
    ]
    scale, basis = (median(ratios), SCALED) if ratios else (1.0, GUESSED)
    return Estimate(START_SECONDS + work * image_seconds(config) * scale, basis)


def _network(config: TrainConfig) -> tuple:
    """Return what two trainings have in common that take equally long for an image."""
    return config.layers, config.optimizer, config.batch_size


def image_seconds(config: TrainConfig) -> float:
    """Return the seconds of training on one image by the cost model, its share of a batch's."""
    costs = COMPILED if config.xla else UNCOMPILED
    in_batch = costs.batch + costs.layer * (len(config.layers) + 1)
    in_batch += costs.parameter * config.parameters
    rows = [row for row in config.rows()[1:] if row.name != "flatten"]  # a row for each layer
    sizes = [math.prod(row.output_shape) for row in rows]
    # Forward, back to the values that came in, back to the weights: each multiplies and adds.
    operations = 6 * sum(row.multiplications for row in rows)
    hidden = list(zip(config.layers, sizes[:-1], strict=True))
    normalized = sum(size for layer, size in hidden if getattr(layer, "batch_norm", False))
    return (
        in_batch / config.batch_size
        + costs.operation * operations
        + costs.value * sum(sizes)
        + costs.normalized * normalized
    )
