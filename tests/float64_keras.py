"""Keras in float64, the oracle of the equations in NumPy, and runs with random recorded numbers."""

import contextlib
from copy import copy
from functools import cached_property, lru_cache

import keras
import numpy as np
import tensorflow as tf

from mnist_core import data, explain, models, recording, runs
from mnist_core.config import TrainConfig
from mnist_core.layers import ACTIVATIONS, AveragePool, Conv, Dense, Dropout, MaxPool
from mnist_core.presets import PRESETS, preset

BAR = 1e-6  # of the largest entry
ODD = {
    **{f"dense {name}": TrainConfig(layers=(Dense(20, name),)) for name in ACTIVATIONS},
    **{f"conv {name}": TrainConfig(layers=(Conv(3, 3, 2, name, False),)) for name in ACTIVATIONS},
    "dense batch norm": TrainConfig(layers=(Dense(20, "relu", True), Dense(9, "tanh", True))),
    "L2": TrainConfig(
        layers=(Conv(4, l2=0.01), Conv(3, batch_norm=False, l2=0.02), Dense(7, l2=0.1),
                Dense(6, "elu", True, 0.03)),
    ),
    "dropout": TrainConfig(layers=(Dropout(0.3), Dense(9), Dropout(0.5))),
    "mean squared error": TrainConfig(loss="mean_squared_error"),
    "mean squared error, conv": TrainConfig(
        layers=(Conv(4, 3, 2), Dense(8, l2=0.1)), loss="mean_squared_error"
    ),
    "sparse": TrainConfig(loss="sparse_categorical_crossentropy"),
    "sizes that do not divide": TrainConfig(
        layers=(Conv(5, 4, 3, "tanh", False, "valid"), MaxPool(2), Conv(4, 2, 1), AveragePool(3))
    ),
    "kernel 4 stride 3, max pool 3, average pool 2": TrainConfig(
        layers=(MaxPool(3), Conv(5, 4, 3, "relu", True, "valid"), AveragePool(2), Dense(5))
    ),
    "even kernels, stride 2": TrainConfig(layers=(Conv(3, 4, 2), Conv(4, 2, 2), Conv(3, 6, 2))),
    "even kernels, stride 3": TrainConfig(layers=(Conv(3, 2, 3), Conv(4, 8, 3, "tanh"))),
    "even kernels, stride 4": TrainConfig(layers=(Conv(3, 10, 4, "gelu", False), Conv(4, 2, 4))),
}  # fmt: skip
NETWORKS = {**{name: preset(name) for name in PRESETS}, **ODD}
DIGITS = 100
STEP, STEPS_PER_EPOCH, EPOCH = 26, 13, 2
RANDOM = {  # what a recorded variable may hold, by the end of its name
    "bias": lambda rng, shape: 0.1 * rng.normal(size=shape),
    "gamma": lambda rng, shape: 1 + 0.2 * rng.normal(size=shape),
    "beta": lambda rng, shape: 0.2 * rng.normal(size=shape),
    "moving_mean": lambda rng, shape: 0.2 * rng.normal(size=shape),
    "moving_variance": lambda rng, shape: rng.uniform(0.5, 2, shape),
    "momentum": lambda rng, shape: 0.003 * rng.normal(size=shape),
    "velocity": lambda rng, shape: (0.003 * rng.normal(size=shape)) ** 2,
}


@contextlib.contextmanager
def float64():
    """Have Keras build and compute in float64; afterwards as before."""
    policy, kind = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_dtype_policy("float64")
    keras.config.set_floatx("float64")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
        keras.config.set_floatx(kind)


def variables(model):
    """Return what the recorder writes of a model, by its names in the file."""
    groups = {"weights": model.weights, "optimizer": model.optimizer.variables}
    return {f"{group}/{i}": each for group, own in groups.items() for i, each in enumerate(own)}


def random_arrays(config, seed=0):
    """Return what a recording might hold of a config's network after STEP steps, float32."""
    rng = np.random.default_rng(seed)
    arrays = {"step": np.int64(STEP)}
    for key, variable in variables(models.build(config, STEPS_PER_EPOCH)).items():
        draw = next((RANDOM[end] for end in RANDOM if variable.name.endswith(end)), None)
        arrays[key] = variable.numpy()
        if draw is not None:
            arrays[key] = draw(rng, tuple(variable.shape)).astype(np.float32)
    arrays["optimizer/0"] = np.int64(STEP)
    return arrays


def write(root, dataset, config, arrays):
    """Return a run that recorded these arrays as its epoch EPOCH."""
    run = runs.create(config, dataset.describe(), root)
    recording.record_weights(run, EPOCH, arrays)
    runs.beat(run, step=STEP, steps_per_epoch=STEPS_PER_EPOCH)
    return runs.read(run.id, root)


def exact(thing):
    """Make the constants of a layer or an optimizer float64; Keras rounds Python's to float32."""
    for name in ("scale", "beta_1", "beta_2", "momentum", "rho", "weight_decay"):
        if isinstance(value := getattr(thing, name, None), float):
            setattr(thing, name, np.float64(value))


class Clone:
    """A recorded network by Keras in float64, and what it computes of digits as one batch."""

    def __init__(self, config, arrays, images, labels):
        self.config, self.arrays, self.labels = config, arrays, labels
        self.pixels = tf.constant(np.asarray(images, np.float64))
        with float64():
            self.model = models.build(config)
        for layer in self.model.layers:
            exact(layer)
        for number, variable in enumerate(self.model.weights):
            assert variable.dtype == "float64"
            variable.assign(arrays[f"weights/{number}"])

    def of(self, images, labels):
        """Return the same network with other digits."""
        other = copy(self)
        for name in ("values", "_back"):
            other.__dict__.pop(name, None)
        other.pixels, other.labels = tf.constant(np.asarray(images, np.float64)), labels
        return other

    @cached_property
    def values(self):
        """What comes out of each of Keras's layers."""
        values, x = [], self.pixels
        with float64():
            for layer in self.model.layers:
                x = layer(x, training=False)
                assert x.dtype == tf.float64, layer
                values.append(x.numpy())
        return values

    @cached_property
    def _back(self):
        sparse = self.config.loss == "sparse_categorical_crossentropy"
        target = self.labels if sparse else np.eye(10)[self.labels]
        trained = [variable.value for variable in self.model.trainable_variables]
        with float64(), tf.GradientTape() as tape:
            tape.watch(self.pixels)
            answers = self.pixels
            for layer in self.model.layers:
                answers = layer(answers, training=False)
            loss = self.model.compute_loss(y=tf.constant(target), y_pred=answers)
        found = tape.gradient(loss, [self.pixels, *trained])
        assert {each.dtype for each in (answers, loss, *found)} == {tf.float64}
        return float(loss), [each.numpy() for each in found]

    @property
    def loss(self):
        return self._back[0]

    @property
    def slope_of_pixels(self):
        return self._back[1][0]

    @property
    def gradients(self):
        """Of the trained weights, in Keras's order."""
        return self._back[1][1:]

    def steps(self, config, arrays, rate):
        """What an optimizer that recorded these arrays does to the trained weights."""
        with float64():
            optimizer = config.keras_optimizer(np.float64(rate)).build(keras)
            weights = [keras.Variable(v.numpy()) for v in self.model.trainable_variables]
            optimizer.build(weights)
            exact(optimizer)
            # Under a schedule the rate is not recorded; here it is a number of its own.
            missing = config.schedule != "constant"
            for i, variable in enumerate(optimizer.variables):
                if variable.name != "learning_rate":
                    variable.assign(arrays[f"optimizer/{i - missing if i else 0}"])
            before = [variable.numpy() for variable in weights]
            optimizer.apply([tf.constant(each) for each in self.gradients])
        assert {str(v.dtype) for v in (*weights, *optimizer.variables)} == {"float64", "int64"}
        return [new.numpy() - old for new, old in zip(weights, before, strict=True)]


def apart(ours, theirs):
    """Return the largest difference as a share of the largest entry; shapes must agree."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype == np.float64
    return float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-300))


def in_order(by_layer):
    """Return what each layer has by the names of its weights as one list, in Keras's order."""
    return [each for own in by_layer for each in own.values()]


@lru_cache(maxsize=1)
def digits():
    split = data.built_in_digits().test
    return split.images[:DIGITS], split.labels[:DIGITS].astype(np.int64)


def weights_of(arrays):
    return [arrays[f"weights/{i}"] for i in range(sum(key.startswith("weights") for key in arrays))]


@lru_cache(maxsize=4)
def both(name):
    """Return a network's digits by NumPy and by Keras, with the same random weights."""
    config = NETWORKS[name]
    arrays = random_arrays(config)
    images, labels = digits()
    network = explain.layers(config, weights_of(arrays))
    found = explain.explain(network, images, labels, config.loss)
    return found, Clone(config, arrays, images, labels)
