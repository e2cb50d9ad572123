"""Small trained runs for tests of Explain, and Keras's own numbers of one digit in them."""

import shutil
from functools import cache

import keras
import numpy as np
import tensorflow as tf
from trainings import record, snapshot, targets

from mnist_core import models, runs
from mnist_core.config import TrainConfig
from mnist_core.layers import AveragePool, Conv, Dense, Dropout, MaxPool

CONFIGS = {
    "dense": TrainConfig(layers=(Dense(16, "relu"),), epochs=2, name="tiny"),
    "linear": TrainConfig(layers=(), epochs=1),
    "deep": TrainConfig(
        layers=(Dense(12, "tanh", batch_norm=True, l2=0.01), Dropout(0.2), Dense(8, "gelu")),
        epochs=1, optimizer="adamw",
    ),
    "cnn": TrainConfig(
        layers=(Conv(4, 5, 2), MaxPool(2), Conv(6, 3)), epochs=1, schedule="cosine", batch_size=50
    ),
    "lenet": TrainConfig(
        layers=(Conv(3, 5, 1, "tanh", batch_norm=False), AveragePool(2),
                Conv(4, 5, 1, "tanh", batch_norm=False, padding="valid"), Dense(9, "sigmoid")),
        epochs=1, optimizer="rmsprop",
    ),
    "squared": TrainConfig(
        layers=(Dense(6, "elu"),), loss="mean_squared_error", optimizer="nesterov", epochs=1
    ),
    "sparse": TrainConfig(
        layers=(Dense(5, "relu"),), loss="sparse_categorical_crossentropy", optimizer="sgd",
        epochs=1,
    ),
}  # fmt: skip


@cache
def _trained(folder, name, dataset):
    return record(folder, dataset, CONFIGS[name])


def copy_of(name, root, folder, dataset):
    """Train a run once in `folder`, and return a copy of it in `root`."""
    run = _trained(folder, name, dataset)
    shutil.copytree(run.path, root / run.id)
    return runs.read(run.id, root)


def change_weights(run, moment, change):
    """Write a recorded moment anew, after change(arrays)."""
    arrays = snapshot(run, moment)
    change(arrays)
    np.savez(run.path / "weights" / f"{runs.moment_name(moment)}.npz", **arrays)


class Keras:
    """A run's network at a moment, as Keras computes it; one digit goes in."""

    def __init__(self, run, moment):
        self.run = run
        self.model = models.build(run.config, max(1, run.steps_per_epoch))
        arrays = snapshot(run, moment)
        for group, variables in {
            "weights": self.model.weights, "optimizer": self.model.optimizer.variables,
        }.items():  # fmt: skip
            for number, variable in enumerate(variables):
                variable.assign(arrays[f"{group}/{number}"])

    def outputs(self, image):
        """What comes out of each of Keras's layers, without the batch."""
        found = keras.Model(self.model.inputs, [layer.output for layer in self.model.layers])
        return [np.asarray(value)[0] for value in found(image[None], training=False)]

    def sums(self, image, layer):
        """What a dense layer or convolution sums up, before its activation."""
        place = self.model.layers.index(layer)
        before = image[None] if not place else self.outputs(image)[place - 1][None]
        z = (keras.ops.matmul(before, layer.kernel) if isinstance(layer, keras.layers.Dense)
             else layer.convolution_op(before, layer.kernel))  # fmt: skip
        return np.asarray(z)[0] + (0 if layer.bias is None else np.asarray(layer.bias))

    def layers_with_weights(self):
        return [layer for layer in self.model.layers if hasattr(layer, "kernel")]

    def loss(self, image, label):
        answer = self.model(image[None], training=False)
        return self.model.compute_loss(y=targets(self.run.config, np.array([label])), y_pred=answer)

    def gradients(self, image, label):
        with tf.GradientTape() as tape:
            loss = self.loss(image, label)
        return tape.gradient(loss, [each.value for each in self.model.trainable_variables])

    def step(self, image, label):
        """Take the step and return how much each trained weight changed."""
        before = [np.array(each) for each in self.model.trainable_variables]
        self.model.optimizer.apply(self.gradients(image, label), self.model.trainable_variables)
        after = [np.array(each) for each in self.model.trainable_variables]
        return [new - old for new, old in zip(after, before, strict=True)]
