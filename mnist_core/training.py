"""Train one run in compiled chunks of batches; the callback in recorder.py writes it down.

A chunk is some batches in one compiled call: a while loop around Keras's own `train_step`, so the
updates are Keras's, batch by batch, while Python speaks once a chunk. That is also the grain of
the live chart and of Stop. Order and dropout of an epoch depend on (seed, epoch) alone, and a
snapshot holds weights, optimizer, metric and random states, so a resumed run has the history of one
that went through.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mnist_core import models, runs
from mnist_core.config import CLASSES, IMAGE_SHAPE, TrainConfig, preset
from mnist_core.data import Dataset, Split, choose
from mnist_core.recorder import Recorder

EXAM_BATCH = 2_000
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


def compile_chunk(model: keras.Sequential) -> Callable[..., dict[str, tf.Tensor]]:
    """Return f(images, labels, count) that trains on the first `count` of k batches.

    images uint8 (k, b, 28, 28), labels uint8 (k, b). Its result holds the running means since
    reset_metrics() and the learning rate.
    """

    def chunk(images, labels, count):
        def body(i):
            model.train_step((images[i], tf.one_hot(labels[i], CLASSES)))
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
    return tf.function(chunk, input_signature=signature, jit_compile=model.jit_compile)


def compile_forward(model: keras.Sequential) -> Callable[[np.ndarray], np.ndarray]:
    """Return f(images uint8 (N, 28, 28)) -> logits float32 (N, 10), in padded equal batches."""
    network = models.logits_of(model)
    call = tf.function(lambda x: network(x, training=False), jit_compile=model.jit_compile)

    def forward(images: np.ndarray) -> np.ndarray:
        size = min(EXAM_BATCH, len(images))
        parts = []
        for first in range(0, len(images), size):
            batch = images[first : first + size]
            if len(batch) < size:  # one shape, one compilation
                batch = np.concatenate([batch, np.zeros((size - len(batch), 28, 28), np.uint8)])
            parts.append(call(tf.constant(batch)).numpy())
        return np.concatenate(parts)[: len(images)]

    return forward


@dataclass(frozen=True)
class Compiled:
    """A network with its two compiled calls: train on a chunk, and logits of images."""

    model: keras.Sequential
    chunk: Callable[..., dict[str, tf.Tensor]]
    forward: Callable[[np.ndarray], np.ndarray]


KEPT = 3
_compiled: dict[tuple, Compiled] = {}


def compiled(config: TrainConfig, total_steps: int) -> Compiled:
    """Return the config's network as freshly built, compiled before if a like one was.

    Compiling takes over a second, a third of the paper's training. Networks that differ in seed,
    constant learning rate or data alone share the compiled code; weights and optimizer start anew.
    """
    fresh = models.build(config, total_steps)
    key = (config.layers, config.optimizer, config.batch_size, config.schedule)
    if config.schedule != "constant":
        key += (config.learning_rate, total_steps)
    found = _compiled.pop(key, None)
    if found is None:
        found = Compiled(fresh, compile_chunk(fresh), compile_forward(fresh))
    elif fresh is not found.model:
        models.start_anew(found.model, fresh)
    _compiled[key] = found  # the last used comes last
    for old in list(_compiled)[:-KEPT]:
        del _compiled[old]
    return found


def epoch_order(config: TrainConfig, size: int, epoch: int) -> np.ndarray:
    """Return the permutation of `size` images for an epoch (0-based); of (seed, epoch) alone."""
    return np.random.default_rng([config.seed, epoch]).permutation(size)


def _chunks(first: int, last: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield (first step, number of steps) from first to last."""
    for start in range(first, last, size):
        yield start, min(size, last - start)


class Batches:
    """The training images of a run, gathered chunk by chunk."""

    def __init__(self, config: TrainConfig, train: Split, chosen: np.ndarray):
        self.config, self.chosen = config, chosen
        self.images, self.labels = train.images, train.labels
        self.full, self.rest = divmod(len(chosen), config.batch_size)
        self.per_epoch = self.full + bool(self.rest)
        self.size = min(steps_per_chunk(config), max(1, self.full))

    def plan(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Yield (first, count) of the chunks from step `first` to `last` of an epoch."""
        yield from _chunks(first, min(last, self.full), self.size)
        if self.rest and last == self.per_epoch:
            yield self.full, 1

    def gather(self, order: np.ndarray, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return images (k, b, 28, 28) and labels (k, b) of a chunk; k is always the same.

        Steps beyond `count` are filling. The last, smaller batch of an epoch comes alone.
        """
        size = self.config.batch_size
        index = self.chosen[order[first * size : (first + count) * size]]
        if first == self.full:
            k, size = 1, self.rest
        else:
            k, index = self.size, np.resize(index, self.size * size)
        return self.images[index].reshape(k, size, 28, 28), self.labels[index].reshape(k, size)


def train(
    run: runs.Run,
    dataset: Dataset,
    *,
    gone: Callable[[], str | None] = lambda: None,
    report: Callable[[dict[str, Any]], None] = lambda line: None,
) -> runs.Run:
    """Train a claimed run to its end and return it as recorded; it never raises for the run's sake.

    `gone()` is asked between chunks and gives the reason to interrupt, or None; `report` gets every
    line of the metrics. What goes wrong ends up in the run's state and reason.
    """
    try:
        _fit(run, dataset, gone, report)
    except Exception as error:
        detail = traceback.format_exc(limit=-6)
        reason = f"{type(error).__name__}: {error}"[:400]
        if isinstance(error, OSError):
            reason = f"The run folder cannot be written: {error.strerror or error}."
        try:
            runs.beat(run, error=detail)
            runs.finish(run, "failed", reason)
        except (OSError, runs.RunsError):
            print(detail, flush=True)  # nothing can be written; the reader will say "interrupted"
    return runs.read(run.id, run.path.parent)


def _fit(run: runs.Run, dataset: Dataset, gone, report) -> None:
    began, config = time.perf_counter(), run.config
    if run.dataset.get("fingerprint") != dataset.fingerprint:
        raise ValueError(
            f"Expected the data this run was made for ({run.dataset.get('name')}). "
            f"Received: {dataset.name}. Start a new run on these data."
        )
    chosen, validation = choose(
        dataset.train.labels, config.training_size, config.validation_share, config.seed
    )
    batches = Batches(config, dataset.train, chosen)
    network = compiled(config, config.epochs * batches.per_epoch)
    model = network.model
    recorder = Recorder(run, dataset, chosen, validation, network.forward, gone, report, began)
    callbacks = keras.callbacks.CallbackList([recorder], model=model)
    callbacks.on_train_begin()
    while recorder.step < recorder.target and not model.stop_training:
        epoch, first = divmod(recorder.step, batches.per_epoch)
        order = epoch_order(config, len(chosen), epoch)
        model.reset_metrics()
        callbacks.on_epoch_begin(epoch)
        last = min(batches.per_epoch, recorder.target - epoch * batches.per_epoch)
        for start, count in batches.plan(first, last):
            images, labels = batches.gather(order, start, count)
            logs = network.chunk(tf.constant(images), tf.constant(labels), tf.constant(count))
            callbacks.on_train_batch_end(start + count - 1, logs)
            if model.stop_training:
                break
        if recorder.step == (epoch + 1) * batches.per_epoch:
            callbacks.on_epoch_end(epoch, logs)
    callbacks.on_train_end()


def warm_up() -> None:
    """Compile the paper's network once on zeros, so that the first real training starts at once."""
    config = preset("paper")
    network = compiled(config, total_steps=1)
    images = np.zeros((steps_per_chunk(config), config.batch_size, 28, 28), np.uint8)
    labels = np.zeros(images.shape[:2], np.uint8)
    network.chunk(tf.constant(images), tf.constant(labels), tf.constant(1))
    network.forward(np.zeros((EXAM_BATCH, *IMAGE_SHAPE), np.uint8))
