"""A recorded moment of a run, ready to be explained: the network, its optimizer, the next step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mnist_core import explain, recording
from mnist_core.explain import Explanation
from mnist_core.layer_maths import Layer
from mnist_core.runs import Run, RunsError
from mnist_core.update_rules import RULES, Numbers, Rule

INCOMPLETE = "The optimizer's memory of this epoch is not complete."
DIVERGED = "The weights of this epoch are not all numbers: the training diverged."


@dataclass(frozen=True, eq=False)
class Moment:
    """A network as it was recorded, in float64: its layers, and what its optimizer remembered.

    `step` counts the steps taken so far; `rate` is the learning rate of the next.
    """

    run: Run
    epoch: float
    network: list[Layer]
    optimizer: list[np.ndarray]  # its variables, as Keras holds them
    step: int
    rate: float

    @cached_property
    def memory(self) -> list[dict[str, dict[str, np.ndarray]]]:
        """What the optimizer remembers: for each layer weight -> state -> array, float64.

        Named as in update_rules. Raises RunsError where it is not complete, or not all numbers.
        """
        return _memory(self.run, self.network, self.optimizer)

    @property
    def rule(self) -> Rule:
        return RULES[self.run.config.optimizer]

    def explain(self, image: np.ndarray, label: int) -> Explanation:
        """Send an image, uint8 (28, 28), through the network."""
        return explain.explain(self.network, image[None], [label], self.run.config.loss)

    def next_step(self, found: Explanation) -> NextStep:
        return NextStep(self, found)


@dataclass(frozen=True, eq=False)
class NextStep:
    """The step that the optimizer would take if its next batch were these digits alone."""

    moment: Moment
    before: Explanation

    @cached_property
    def numbers(self) -> list[dict[str, Numbers]]:
        """The numbers of each layer's step, weight by weight, as update_rules names them."""
        at = self.moment
        return [
            {
                name: at.rule.take(
                    layer.weights[name], gradient, memory[name], at.step + 1, at.rate
                )
                for name, gradient in gradients.items()
            }
            for layer, gradients, memory in zip(
                at.network, self.before.gradients, at.memory, strict=True
            )
        ]

    @cached_property
    def after(self) -> Explanation:
        """The same digits in the network after the step."""
        network = [
            type(layer)(
                layer.arguments,
                layer.weights | {name: layer.weights[name] + found["step"]
                                 for name, found in numbers.items()},
            )
            for layer, numbers in zip(self.moment.network, self.numbers, strict=True)
        ]  # fmt: skip
        return explain.explain(
            network, self.before.values[0], self.before.labels, self.before.loss_name
        )


def read(run: Run, epoch: float) -> Moment:
    """Return a run's network at a recorded moment.

    Raises RunsError where its weights were not recorded, cannot be read, or are not all numbers.
    """
    arrays = recording.read_weights(run, epoch)
    weights = _group(arrays, "weights")
    if not all(np.isfinite(array).all() for array in weights):
        raise RunsError(DIVERGED)
    try:
        network = explain.layers(run.config, weights)
    except ValueError as error:
        raise RunsError(
            f"The weights of epoch {epoch:g} do not fit the network: {error}"
        ) from error
    if "step" not in arrays:
        raise RunsError(INCOMPLETE)
    step = int(arrays["step"])
    return Moment(run, epoch, network, _group(arrays, "optimizer"), step, _rate(run, step))


def _group(arrays: dict[str, np.ndarray], name: str) -> list[np.ndarray]:
    """Return the arrays "name/0", "name/1", … up to the first that is missing."""
    found = []
    while (key := f"{name}/{len(found)}") in arrays:
        found.append(arrays[key])
    return found


def _memory(run: Run, network: list[Layer], optimizer: list[np.ndarray]):
    """Return what the optimizer remembers of each layer's trained weights.

    Keras holds it weight by weight at the end of its variables, after counter and learning rate.
    Raises RunsError where some is missing or of another shape than its weights.
    """
    state = RULES[run.config.optimizer].state
    trained = [
        [name for name in layer.weights if name not in explain.NOT_TRAINED] for layer in network
    ]
    count = len(state) * sum(map(len, trained))
    constant = run.config.schedule == "constant"
    if len(optimizer) != 1 + constant + count:
        raise RunsError(INCOMPLETE)
    left = iter(np.asarray(array, np.float64) for array in optimizer[1 + constant :])
    memory = [{name: {each: next(left) for each in state} for name in names} for names in trained]
    for layer, own in zip(network, memory, strict=True):
        for name, states in own.items():
            if any(array.shape != layer.weights[name].shape for array in states.values()):
                raise RunsError(INCOMPLETE)
            if not all(np.isfinite(array).all() for array in states.values()):
                raise RunsError(DIVERGED)
    return memory


def rate_by_hand(run: Run, step: int) -> float | None:
    """Return the learning rate that was last set by hand for the steps after `step`, or None."""
    changed = run.metrics[(run.metrics["kind"] == "rate") & (run.metrics["step"] <= step)]
    return float(changed["learning_rate"].iloc[-1]) if len(changed) else None


def rate_changes(run: Run) -> int:
    """Return how often the learning rate was set by hand so far."""
    return int((run.metrics["kind"] == "rate").sum())


def _rate(run: Run, step: int) -> float:
    """Return the learning rate of the next step: the schedule's, with its peak as set by hand."""
    config, by_hand = run.config, rate_by_hand(run, step)
    factor = 1.0 if by_hand is None else by_hand / config.learning_rate
    return config.rates(max(1, run.steps_per_epoch)).rate(step) * factor
