"""The first hidden layer's units on the bench: what each does, and what is lost without it.

The network is cut behind that layer (neuron_cut.py). Switching a unit off sets its output to 0.
The outputs of all units are kept where they are not too large, so that only what changes is
computed anew. Numbers are float32, as Keras's. Compared with Keras in tests/test_neurons.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mnist_core import explain, neuron_cut
from mnist_core.evaluation import CLASSES, Evaluation
from mnist_core.layer_maths import Layer
from mnist_core.neuron_cut import Weight

CHUNK = 1000  # digits whose pixels are held as numbers at once
WHOLE = 10_000  # digits at once where no pixels are: fewer products that wait for each other
KEPT_BYTES = 10_500_000  # of outputs: 262 units for 10,000 digits, the paper's 128 take half
SAMPLE = 1000  # digits on which all units of a deeper network are left out, one after the other
SAMPLE_OUTPUTS = 256_000  # digits × units: fewer digits where there are many units,
LEAST = 100  # but so many
ORDERS = ("Missed most", "Fires most", "Favourite digit", "Number")
NOT_NUMBERS = "The sums of this network are too large to be counted with."


@dataclass(frozen=True, eq=False)
class Change:
    """What the network says of the same digits before and after something was changed."""

    before: Evaluation
    after: Evaluation

    @cached_property
    def lost(self) -> np.ndarray:
        """Digits read rightly before and wrongly now, int64 (n,), the surest mistakes first."""
        return self.after.ordered(np.flatnonzero(self.before.right & ~self.after.right))

    @cached_property
    def won(self) -> np.ndarray:
        """Digits read wrongly before and rightly now, int64 (n,), the surest first."""
        return self.after.ordered(np.flatnonzero(~self.before.right & self.after.right))

    def lost_by_digit(self) -> np.ndarray:
        """Return how many of each true digit are lost, int64 (10,)."""
        return np.bincount(self.before.labels[self.lost], minlength=CLASSES)


@dataclass(frozen=True, eq=False)
class Singles:
    """Each unit switched off alone, on the first `digits` test digits: three arrays (U,)."""

    digits: int
    lost: np.ndarray
    won: np.ndarray
    loss: np.ndarray  # the mean −log of the true digit's probability


@dataclass(frozen=True, eq=False)
class Bench:
    """A network cut behind its first hidden layer of U units, and N test digits.

    `head` leads from pixels to the units' outputs, `mixing` is the dense layer that they lead to,
    `rest` what follows it but the softmax. `images` uint8 (N, 28, 28), `labels` integers (N,).
    `kept` are the units' outputs (N, U), None where they would be large. Of each unit: `means`
    (U, 10), its mean output for each digit, NaN where a digit does not occur, and `fires` (U,), the
    share of digits with an output above 0.
    """

    head: list[Layer]
    mixing: Layer
    rest: list[Layer]
    images: np.ndarray
    labels: np.ndarray
    kept: np.ndarray | None
    before: Evaluation
    means: np.ndarray
    fires: np.ndarray

    @property
    def units(self) -> int:
        return len(self.fires)

    @property
    def direct(self) -> bool:
        """Tell whether the units lead straight to the ten digits."""
        return not self.rest

    @property
    def can_be_silent(self) -> bool:
        """Tell whether an output can be 0 for whole ranges of sums: ReLU."""
        return any(layer.arguments.get("activation") == "relu" for layer in self.head)

    @property
    def silent(self) -> np.ndarray:
        """bool (U,): units whose output is 0 for every test digit"""
        return (self.fires == 0) & self.can_be_silent

    @property
    def incoming(self) -> np.ndarray:
        """The weights from the pixels, float32 (U, 28, 28)"""
        return neuron_cut.dense(self.head).weights["kernel"].T.reshape(-1, 28, 28)

    @property
    def outgoing(self) -> np.ndarray:
        """The weights to the next layer, float32 (U, V)"""
        return self.mixing.weights["kernel"]

    @property
    def has_bias(self) -> bool:
        return "bias" in neuron_cut.dense(self.head).weights

    @cached_property
    def favourite(self) -> np.ndarray:
        """The digit with each unit's highest mean output, int64 (U,); -1 for a silent one"""
        found = np.where(np.isnan(self.means), -np.inf, self.means).argmax(axis=1)
        return np.where(self.silent, -1, found)

    @property
    def mean(self) -> np.ndarray:
        """The mean output over the digits, each digit counting the same, (U,)"""
        return np.nanmean(self.means, axis=1)

    def learned(self, weight: Weight) -> float:
        """Return a weight as the network learned it."""
        if weight.kind == "out":
            return float(self.outgoing[weight.unit, weight.index])
        own = neuron_cut.dense(self.head).weights
        place = own["bias"] if weight.kind == "bias" else own["kernel"][weight.index]
        return float(place[weight.unit])

    def outputs(self, units: Sequence[int]) -> np.ndarray:
        """Return the outputs of k units for all digits, float32 (N, k)."""
        if self.kept is not None:
            return self.kept[:, list(units)]
        head = neuron_cut.narrowed(self.head, list(units), {})
        parts = _parts(len(self.images))
        return np.concatenate([neuron_cut.forward(head, self.images[part]) for part in parts])

    def _outputs(self, part: slice) -> np.ndarray:
        """Return the outputs of all units for a part of the digits, (n, U)."""
        if self.kept is not None:
            return self.kept[part]
        return neuron_cut.forward(self.head, self.images[part])

    def strongest(self, unit: int, count: int = 12) -> tuple[np.ndarray, np.ndarray]:
        """Return the digits with a unit's highest outputs, int64 (count,), and these outputs."""
        outputs = self.outputs([unit])[:, 0]
        index = np.argsort(-outputs, kind="stable")[:count]
        return index, outputs[index]

    def after(
        self, off: Collection[int] = (), edits: Mapping[Weight, float] | None = None
    ) -> Change:
        """Switch units off and set weights to other values: what changes for all N digits."""
        edits = edits or {}
        if not off and not edits:
            return Change(self.before, self.before)
        kernel = self.outgoing.copy()
        for weight, value in edits.items():
            if weight.kind == "out":
                kernel[weight.unit, weight.index] = value
        mixing = type(self.mixing)(self.mixing.arguments, self.mixing.weights | {"kernel": kernel})
        own = sorted({weight.unit for weight in edits if weight.kind != "out"})
        head = neuron_cut.narrowed(self.head, own, edits)
        logits = np.empty_like(self.before.logits)
        pixels_needed = self.kept is None or own
        for part in _parts(len(self.images), CHUNK if pixels_needed else WHOLE):
            outputs = self._outputs(part).copy()
            if own:
                outputs[:, own] = neuron_cut.forward(head, self.images[part])
            outputs[:, list(off)] = 0
            logits[part] = explain.forward([mixing, *self.rest], outputs)[-1]
        return Change(self.before, Evaluation(self.labels, logits))

    @cached_property
    def singles(self) -> Singles:
        """Each unit switched off alone: on all digits, or where layers follow on the first ones."""
        many = max(LEAST, min(SAMPLE, SAMPLE_OUTPUTS // self.units))
        count = len(self.labels) if self.direct else min(many, len(self.labels))
        lost, won, loss = np.zeros((3, self.units))
        without = self._without_each_direct if self.direct else self._without_each
        for part in _parts(count):
            outputs = self._outputs(part)
            sums = self.mixing.forward(outputs)
            for digit in np.unique(self.labels[part]).tolist():
                here = self.labels[part] == digit
                right, losses = without(outputs[here], sums[here], digit)
                was = self.before.right[part][here, None]
                lost += (was & ~right).sum(axis=0)
                won += (~was & right).sum(axis=0)
                loss += losses.sum(axis=0)
        return Singles(count, lost.astype(int), won.astype(int), loss / max(count, 1))

    def _without_each_direct(self, outputs, logits, digit: int):
        """Return which of n images of a digit are right, bool (n, U), and their losses (n, U).

        Without unit u the digit leads k by (z_digit - z_k) - a_u (w_u,digit - w_u,k); the loss is
        log Σ_k e^-lead_k. All units at once, one k after the other: never (n, U, 10).
        """
        right = np.ones(outputs.shape, bool)
        total = np.ones_like(outputs)  # e^0, of the digit itself
        lead = np.empty_like(outputs)
        weights = self.outgoing
        for k in range(CLASSES):
            if k == digit:
                continue
            np.multiply(outputs, weights[:, k] - weights[:, digit], out=lead)
            lead += (logits[:, digit] - logits[:, k])[:, None]
            right &= lead > 0 if k < digit else lead >= 0  # of equal ones the first is read
            np.exp(np.negative(lead, out=lead).clip(max=80, out=lead), out=lead)
            total += lead
        return right, np.log(total, out=total)

    def _without_each(self, outputs, sums, digit: int):
        """Return the same for a network with more layers, one unit after the other."""
        right = np.empty(outputs.shape, bool)
        losses = np.empty_like(outputs)
        labels = np.full(len(sums), digit)
        for unit in range(self.units):
            without = sums - outputs[:, unit, None] * self.outgoing[unit]
            said = Evaluation(labels, explain.forward(self.rest, without)[-1])
            right[:, unit], losses[:, unit] = said.right, said.losses
        return right, losses

    def order(self, name: str) -> np.ndarray:
        """Return all units in an order of ORDERS, int64 (U,); silent ones last, but by number."""
        numbers = np.arange(self.units)
        if name == "Missed most":
            keys = (-self.singles.loss, self.singles.won - self.singles.lost, self.silent)
        elif name == "Fires most":
            keys = (-(self.fires if self.can_be_silent else self.mean), self.silent)
        elif name == "Favourite digit":
            lead = np.nanmax(self.means, axis=1) - self.mean
            keys = (-lead, self.favourite, self.silent)
        else:
            keys = (numbers,)
        return np.lexsort((numbers, *keys))


def bench(network: Sequence[Layer], images: np.ndarray, labels: np.ndarray) -> Bench:
    """Put a network on the bench, with digits uint8 (N, 28, 28) and their labels 0–9 (N,).

    `network` is explain.layers()'s. Raises NoUnits where no dense layer looks at the pixels, and
    ValueError where the network's sums are no numbers.
    """
    head, mixing, rest = neuron_cut.cut(network)
    units, count = len(mixing.weights["kernel"]), len(images)
    keep = 4 * units * count <= KEPT_BYTES
    kept = np.empty((count, units), np.float32) if keep else None
    logits = np.empty((count, CLASSES), np.float32)
    totals, fires = np.zeros((CLASSES, units)), np.zeros(units)
    one_hot = np.eye(CLASSES, dtype=np.float32)[np.asarray(labels, np.int64)]
    with np.errstate(over="ignore", invalid="ignore"):
        for part in _parts(count):
            outputs = neuron_cut.forward(head, images[part])
            totals += one_hot[part].T @ outputs
            fires += (outputs > 0).sum(axis=0)
            logits[part] = explain.forward([mixing, *rest], outputs)[-1]
            if kept is not None:
                kept[part] = outputs
    if not (np.isfinite(logits).all() and np.isfinite(totals).all()):
        raise ValueError(NOT_NUMBERS)
    counts = one_hot.sum(axis=0, dtype=float)
    means = np.divide(totals.T, counts, out=np.full((units, CLASSES), np.nan), where=counts > 0)
    return Bench(head, mixing, rest, images, labels, kept, Evaluation(labels, logits), means,
                 fires / max(count, 1))  # fmt: skip


def _parts(count: int, size: int = 0) -> Iterator[slice]:
    size = size or CHUNK
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
