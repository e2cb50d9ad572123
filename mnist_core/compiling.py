"""A network with its compiled calls: train on a chunk of batches, answer, and give gradients.

A chunk is some batches in one compiled call: a while loop around Keras's own `train_step`, so the
updates are Keras's, batch by batch, while Python speaks once a chunk. That is also the grain of
the live chart and of Stop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import keras
import numpy as np
import tensorflow as tf

from mnist_core import exam, models
from mnist_core.config import TrainConfig
from mnist_core.layers import CLASSES, IMAGE_SHAPE

CHUNK_IMAGES = 2_400
CHUNK_SECONDS = 0.25


def steps_per_chunk(config: TrainConfig) -> int:
    """Return how many batches go into one compiled call: about 2,400 images, at most ~0.25 s.

    The time is estimated (forward and backward are three times the multiplications of forward, at
    20 GFLOP/s; the optimizer passes over its variables), not measured: chunks must not vary.
    """
    multiplications = sum(row.multiplications for row in config.rows())
    seconds = config.batch_size * multiplications * 6 / 2e10 + config.parameters * 4e-9
    return max(1, min(CHUNK_IMAGES // config.batch_size, int(CHUNK_SECONDS / seconds)))


def compile_loop(model: keras.Sequential) -> Callable[..., dict[str, tf.Tensor]]:
    """Return f(images, labels, count) that trains on the first `count` of k batches.

    images uint8 (k, b, 28, 28), labels uint8 (k, b). Its result holds the running means since
    reset_metrics() and the learning rate.
    """

    def loop(images, labels, count):
        def body(i):
            model.train_step((images[i], _targets(model, labels[i])))
            return (i + 1,)

        tf.while_loop(lambda i: i < count, body, (tf.constant(0),), parallel_iterations=1)
        return {**model.get_metrics_result(), "learning_rate": model.optimizer.learning_rate}

    # Open shapes: a trace of a fixed shape picks other convolution kernels, whose last digits would
    # depend on which batch came first after a resume.
    signature = [
        tf.TensorSpec((None, None, *IMAGE_SHAPE), tf.uint8),
        tf.TensorSpec((None, None), tf.uint8),
        tf.TensorSpec((), tf.int32),
    ]
    return tf.function(loop, input_signature=signature, jit_compile=model.jit_compile)


def compile_alone(model: keras.Sequential) -> Callable[..., dict[str, tf.Tensor]]:
    """Return f(images uint8 (b, 28, 28), labels uint8 (b,)) that trains on one batch, as fit()."""

    def alone(images, labels):
        model.train_step((images, _targets(model, labels)))
        return {**model.get_metrics_result(), "learning_rate": model.optimizer.learning_rate}

    return tf.function(alone, jit_compile=model.jit_compile)


def compile_forward(model: keras.Sequential, size: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return f(images uint8 (N, 28, 28)) -> logits float32 (N, 10), in batches padded to `size`."""
    network = models.logits_of(model)
    call = tf.function(lambda x: network(x, training=False), jit_compile=model.jit_compile)

    def forward(images: np.ndarray) -> np.ndarray:
        parts = []
        for first in range(0, len(images), size):
            batch = images[first : first + size]
            if len(batch) < size:  # one shape, one compilation
                batch = np.concatenate([batch, np.zeros((size - len(batch), 28, 28), np.uint8)])
            parts.append(call(tf.constant(batch)).numpy())
        return np.concatenate(parts)[: len(images)]

    return forward


def compile_gradients(model: keras.Sequential) -> Callable[..., list[tf.Tensor]]:
    """Return f(images uint8 (N, 28, 28), labels uint8 (N,)) -> the loss's gradient of each kernel.

    As when the network answers: dropout off, batch normalization by its moving averages.
    """
    kernels = kernels_of(model)

    def gradients(images, labels):
        with tf.GradientTape() as tape:
            answers = model(images, training=False)
            loss = model.compute_loss(y=_targets(model, labels), y_pred=answers)
        return tape.gradient(loss, [kernel.value for kernel in kernels])

    return tf.function(gradients)


def kernels_of(model: keras.Sequential) -> list[keras.Variable]:
    """Return the weights of the dense and convolutional layers, without biases."""
    return [variable for variable in model.trainable_variables if variable.name == "kernel"]


def _targets(model: keras.Sequential, labels):
    """Return labels as the model's loss takes them."""
    sparse = model.loss == "sparse_categorical_crossentropy"
    return labels if sparse else tf.one_hot(labels, CLASSES)


@dataclass(frozen=True)
class Compiled:
    """A network with its compiled calls: train on a chunk, logits of images, gradients."""

    model: keras.Sequential

    @cached_property
    def loop(self) -> Callable[..., dict[str, tf.Tensor]]:
        return compile_loop(self.model)

    @cached_property
    def alone(self) -> Callable[..., dict[str, tf.Tensor]]:
        return compile_alone(self.model)

    def chunk(self, images: np.ndarray, labels: np.ndarray, count: int) -> dict[str, tf.Tensor]:
        """Train on the first `count` batches of a chunk: see compile_loop()."""
        # In a loop XLA may sum the smaller batch at an epoch's end in another order than fit().
        if len(images) == 1 and self.model.jit_compile:
            return self.alone(tf.constant(images[0]), tf.constant(labels[0]))
        return self.loop(tf.constant(images), tf.constant(labels), tf.constant(count))

    @cached_property
    def exam_batch(self) -> int:
        """How many images a forward pass takes at once."""
        return exam.BATCH[bool(self.model.jit_compile)]

    @cached_property
    def forward(self) -> Callable[[np.ndarray], np.ndarray]:
        return compile_forward(self.model, self.exam_batch)

    @cached_property
    def kernels(self) -> list[keras.Variable]:
        return kernels_of(self.model)

    @cached_property
    def gradients(self) -> Callable[..., list[tf.Tensor]]:
        return compile_gradients(self.model)


KEPT = 3
_compiled: dict[tuple, Compiled] = {}


def compiled(config: TrainConfig, steps_per_epoch: int) -> Compiled:
    """Return the config's network as freshly built, compiled before if a like one was.

    Compiling takes over a second, a third of the paper's training. Networks that differ in seed,
    constant learning rate or data alone share the compiled code; weights and optimizer start anew.
    """
    fresh = models.build(config, steps_per_epoch)
    key = (config.layers, config.optimizer, config.loss, config.batch_size)
    if config.schedule != "constant":
        key += (config.rates(steps_per_epoch),)
    found = _compiled.pop(key, None)
    if found is None:
        found = Compiled(fresh)
    else:
        models.start_anew(found.model, fresh)
    _compiled[key] = found  # the last used comes last
    for old in list(_compiled)[:-KEPT]:
        del _compiled[old]
    return found
