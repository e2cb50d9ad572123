"""One digit and the step it leads to, twice: by Keras in float32 and by the equations in NumPy.

Keras takes the step as the training would: the same network, loss and optimizer, with the recorded
weights, the optimizer's recorded memory and the learning rate of that moment. As on the screens,
dropout is off and batch normalization uses its moving averages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mnist_core import blocks, files, models, moment, recording, runs
from mnist_core.config import TrainConfig
from mnist_core.layer_maths import Layer
from mnist_core.layers import CLASSES, IMAGE_SHAPE
from mnist_core.optimizers import OPTIMIZERS

WEIGHTS = {"kernel": "weights", "bias": "biases", "gamma": "scales", "beta": "shifts"}
IMAGE = tf.TensorSpec((1, *IMAGE_SHAPE), tf.uint8)
LABEL = tf.TensorSpec((1,), tf.int64)


class Twin:
    """A run's network with its optimizer, to be set to a moment and to take one step from there.

    Building and compiling one takes a second or more, a step some milliseconds.
    """

    def __init__(self, config: TrainConfig, steps_per_epoch: int):
        self.config = config
        self.model = models.build(config, steps_per_epoch)
        self.logits = models.logits_of(self.model)

    def restore(self, arrays: dict[str, np.ndarray], by_hand: float | None) -> None:
        """Take weights, the optimizer's memory and a learning rate set by hand, as a resume does.

        Raises KeyError or ValueError where arrays are missing or of another shape.
        """
        groups = {"weights": self.model.weights, "optimizer": self.model.optimizer.variables}
        for group, variables in groups.items():
            for number, variable in enumerate(variables):
                variable.assign(arrays[f"{group}/{number}"])
        base = self.config.learning_rate
        models.set_learning_rate(self.model, base if by_hand is None else by_hand, base)

    @cached_property
    def step(self) -> Callable[..., dict[str, Any]]:
        """f(image uint8 (1, 28, 28), label int64 (1,)) -> what Keras computes on its way.

        "logits" and "probabilities" (1, 10), "loss", "gradients" and "steps" of the trained weights
        in Keras's order, and "after", the loss after the step. The network has taken it then.
        """
        model, softmax = self.model, self.model.layers[-1]

        def answer(image, label) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            logits = self.logits(image, training=False)
            probabilities = softmax(logits)
            sparse = self.config.loss == "sparse_categorical_crossentropy"
            target = label if sparse else tf.one_hot(label, CLASSES)
            return logits, probabilities, model.compute_loss(y=target, y_pred=probabilities)

        def step(image, label):
            with tf.GradientTape() as tape:
                logits, probabilities, loss = answer(image, label)
            trained = [variable.value for variable in model.trainable_variables]
            gradients = tape.gradient(loss, trained)
            before = [tf.identity(weights) for weights in trained]
            model.optimizer.apply(gradients, model.trainable_variables)
            steps = [weights - old for weights, old in zip(trained, before, strict=True)]
            return {
                "logits": logits, "probabilities": probabilities, "loss": loss,
                "gradients": gradients, "steps": steps, "after": answer(image, label)[2],
            }  # fmt: skip

        return tf.function(step, input_signature=[IMAGE, LABEL])


@lru_cache(maxsize=3)  # each holds a network and its optimizer, up to 60 MB
def _twin(path: Path, steps_per_epoch: int) -> Twin:
    return Twin(runs.read(path.name, path.parent).config, steps_per_epoch)


def by_keras(run: runs.Run, epoch: float, image: np.ndarray, label: int) -> dict[str, Any]:
    """Return what Keras computes at a recorded moment, as arrays: see Twin.step.

    Raises RunsError where the moment cannot be read.
    """
    try:
        arrays = recording.read_weights(run, epoch)
        twin = _twin(run.path, max(1, run.steps_per_epoch))
        twin.restore(arrays, moment.rate_by_hand(run, int(arrays["step"])))
    except files.UNREADABLE as error:
        raise runs.RunsError(f"No readable weights of epoch {epoch:g} in {run.id}.") from error
    found = twin.step(np.asarray(image, np.uint8)[None], np.array([label], np.int64))
    return keras.tree.map_structure(lambda tensor: tensor.numpy(), found)


def compare(run: runs.Run, epoch: float, image: np.ndarray, label: int) -> dict[str, Any]:
    """Return how far Keras and NumPy are apart for a digit, uint8 (28, 28), as plain numbers.

    "rows": (quantity in words, its largest absolute value by NumPy, largest absolute difference);
    "before" and "after": Keras's loss before and after the step. Raises RunsError.
    """
    at = moment.read(run, epoch)
    found = at.explain(image, label)
    taken = at.next_step(found)
    told = by_keras(run, epoch, image, label)
    numbers = [own[name]["step"] for own, names in zip(taken.numbers, found.gradients, strict=True)
               for name in names]  # fmt: skip
    gradients = [gradient for own in found.gradients for gradient in own.values()]
    names = list(_in_words(at.network))
    title = OPTIMIZERS[run.config.optimizer].title
    rows = [
        _row("probabilities", found.probabilities, told["probabilities"]),
        _row("logits", found.logits, told["logits"]),
        _row("loss", found.loss, told["loss"]),
        *_rows("gradient of", names, gradients, told["gradients"]),
        *_rows(f"{title} step of", names, numbers, told["steps"]),
        _row("loss after the step", taken.after.loss, told["after"]),
    ]
    return {"rows": rows, "before": float(told["loss"]), "after": float(told["after"])}


def _row(name: str, ours: Any, theirs: Any) -> tuple[str, float, float]:
    return name, float(np.abs(ours).max()), float(np.abs(ours - theirs).max())


def _rows(what: str, names: Sequence[str], ours: Sequence, theirs: Sequence) -> list[tuple]:
    every = zip(names, ours, theirs, strict=True)
    return [_row(f"{what} {name}", one, other) for name, one, other in every]


def _in_words(network: Sequence[Layer]) -> Iterator[str]:
    """Yield what each array of trained weights is, in Keras's order: "convolution 1's weights"."""
    titles = {}
    for block in blocks.blocks(network):
        titles |= {block.sums: block.title, block.norm: block.title}
    for place, layer in enumerate(network):
        for name in layer.weights:
            if name in WEIGHTS:
                title = titles[place]
                the = "" if title[-1].isdigit() else "the "
                yield f"{the}{title}'s {WEIGHTS[name]}"
