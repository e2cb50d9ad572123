"""Train one run: compiled chunks of batches, and the callback that writes the recording.

A chunk is some batches in one compiled call: a while loop around Keras's own `train_step`, so the
updates are Keras's, batch by batch, while Python speaks once a chunk. That is also the grain of
the live chart and of Stop. Order and dropout of an epoch depend on (seed, epoch) alone, and a
snapshot holds weights, optimizer, metric and random states, so a resumed run has the history of one
that went through.
"""

from __future__ import annotations

import math
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
from mnist_core.evaluation import loss_and_accuracy

SAMPLE_SIZE = 5_000  # training images measured after every epoch, to be compared with validation
EXAM_BATCH = 2_000
CHUNK_IMAGES = 2_400
CHUNK_SECONDS = 0.25
BEAT_SECONDS = 0.25
DIVERGED_LOSS = 2 * math.log(CLASSES)  # twice the loss of guessing
DIVERGED_ACCURACY = 0.15


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


def seed_epoch(model: keras.Sequential, seed: int, epoch: int) -> None:
    """Set the states of all random layers to a function of (seed, epoch, position of the layer)."""
    for number, state in enumerate(_random_states(model)):
        words = np.random.SeedSequence([seed, epoch, number]).generate_state(2)
        state.assign(words.astype("int64"))


def _random_states(model: keras.Sequential) -> list[keras.Variable]:
    return [la.seed_generator.state for la in model.layers if hasattr(la, "seed_generator")]


def _chunks(first: int, last: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield (first step, number of steps) from first to last."""
    for start in range(first, last, size):
        yield start, min(size, last - start)


class Batches:
    """The training images of a run, gathered chunk by chunk."""

    def __init__(self, config: TrainConfig, train: Split, chosen: np.ndarray):
        self.config, self.images, self.labels, self.chosen = (
            config,
            train.images,
            train.labels,
            chosen,
        )
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


class Recorder(keras.callbacks.Callback):
    """Writes the recording, and obeys control.json between two chunks."""

    def __init__(
        self,
        run: runs.Run,
        dataset: Dataset,
        batches: Batches,
        validation: np.ndarray,
        forward: Callable[[np.ndarray], np.ndarray],
        gone: Callable[[], str | None],
        report: Callable[[dict[str, Any]], None],
        began: float,
    ):
        super().__init__()
        self.began = began
        self.run, self.config, self.batches = run, run.config, batches
        self.forward, self.gone, self.report = forward, gone, report
        self.steps = batches.per_epoch
        self.step = 0
        self.end: tuple[str, str | None] | None = None  # state and reason, once it is decided
        self.level: dict[str, Any] = {}
        self.rate_asked: float | None = None
        size = min(SAMPLE_SIZE, len(batches.chosen))
        sample = np.random.default_rng(0).choice(batches.chosen, size, replace=False)
        train, test = dataset.train, dataset.test
        # One array, one pass: test set, validation images, sample of the training images.
        self.exam_images = np.concatenate(
            [test.images, train.images[validation], train.images[sample]]
        )
        self.exam_labels = np.concatenate(
            [test.labels, train.labels[validation], train.labels[sample]]
        )
        self.cuts = [len(test), len(test) + len(validation)]
        self.seconds_before = float(run.status.get("seconds", 0.0))
        self.images_per_second = 0.0
        self.restored: dict[str, np.ndarray] | None = None
        self._last_beat = 0.0

    @property
    def seconds(self) -> float:
        return self.seconds_before + time.perf_counter() - self.began

    @property
    def target(self) -> int:
        """The step to train to: what viewers asked for, or the planned end."""
        until = self.level.get("run_until")
        return self.config.epochs * self.steps if until is None else int(until)

    def on_train_begin(self, logs=None) -> None:
        """Start from the last recorded moment, or record the untrained network as epoch 0."""
        self._obey()
        last = runs.last_weights(self.run)
        if last is None:
            runs.rewind(self.run, -1.0, -1)
            runs.beat(self.run, step=0, steps_per_epoch=self.steps)
            self._record_epoch(0, {})
        else:
            moment, self.restored = last
            self.step = int(self.restored["step"])
            runs.rewind(self.run, moment, self.step)
            self._assign(self.restored)
            runs.beat(self.run, step=self.step, steps_per_epoch=self.steps)

    def on_epoch_begin(self, epoch: int, logs=None) -> None:
        seed_epoch(self.model, self.config.seed, epoch)
        if self.restored is not None and self.step % self.steps:
            # Within an epoch the running means and the random states go on, too. A test step on
            # one image creates the metrics' variables.
            self.model.test_on_batch(self.exam_images[:1], np.eye(CLASSES)[:1])
            self._assign(self.restored)
        self.restored = None
        self._chunk_began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs=None) -> None:
        epoch, before = divmod(self.step, self.steps)
        self.step = epoch * self.steps + batch + 1
        clock = time.perf_counter()
        size = self.config.batch_size
        images = min((batch + 1) * size, len(self.batches.chosen)) - before * size
        self.images_per_second = images / max(1e-9, clock - self._chunk_began)
        self._chunk_began = clock
        line = {
            "kind": "step",
            "step": self.step,
            "epoch": round(self.step / self.steps, 6),
            **{name: float(value) for name, value in logs.items()},
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self.images_per_second),
        }
        runs.append(self.run, line)
        self.report(line)
        if clock - self._last_beat > BEAT_SECONDS:
            self._last_beat = clock
            runs.beat(self.run, step=self.step)
        if not math.isfinite(line["loss"]):
            self._finish("diverged", "The loss became infinite: the learning rate is too high.")
        self._obey()

    def on_epoch_end(self, epoch: int, logs=None) -> None:
        if self.end and self.end[0] == "diverged":
            return
        self._record_epoch(epoch + 1, {k: float(logs[k]) for k in ("loss", "accuracy")})
        if logs["loss"] > DIVERGED_LOSS:
            self._finish(
                "diverged",
                f"The training loss of epoch {epoch + 1} is {float(logs['loss']):.3g}, far above "
                "2.30, the loss of guessing. The learning rate is too high.",
            )
        elif epoch > 0 and logs["accuracy"] <= DIVERGED_ACCURACY:
            self._finish(
                "diverged",
                f"After {epoch + 1} epochs the network is right in {float(logs['accuracy']):.1%} "
                "of the training images, no better than guessing. Try another learning rate.",
            )

    def on_train_end(self, logs=None) -> None:
        """Record a stop within an epoch, then the network and the run's state."""
        if self.end is None:
            planned = self.config.epochs * self.steps
            self._finish(*(("completed", None) if self.step >= planned else ("paused", None)))
        state, reason = self.end
        if self.step % self.steps and state != "diverged":
            moment = self.step / self.steps
            # Three decimals name the file; a moment never rounds up to a whole epoch.
            moment = min(max(round(moment, 3), int(moment) + 0.001), int(moment) + 0.999)
            runs.record_logits(self.run, moment, self.forward(self.exam_images[: self.cuts[0]]))
            runs.record_weights(self.run, moment, self._arrays())
        beside = self.run.path / ".model.keras"
        models.plain(self.model).save(beside)
        beside.replace(self.run.path / "model.keras")
        runs.beat(self.run, step=self.step, seconds=round(self.seconds, 3))
        runs.finish(self.run, state, reason)

    def _record_epoch(self, epoch: int, logs: dict[str, float]) -> None:
        logits = self.forward(self.exam_images)
        parts = zip(np.split(logits, self.cuts), np.split(self.exam_labels, self.cuts), strict=True)
        test, validation, sample = (loss_and_accuracy(*part) for part in parts)
        # Without held-out images the test set is the validation set, as in the paper.
        val = validation if self.cuts[1] > self.cuts[0] else test
        runs.record_logits(self.run, epoch, logits[: self.cuts[0]])
        line = {
            "kind": "epoch",
            "step": self.step,
            "epoch": epoch,
            **logs,
            "sample_loss": sample[0],
            "sample_accuracy": sample[1],
            "val_loss": val[0],
            "val_accuracy": val[1],
            "seconds": round(self.seconds, 3),
        }
        runs.append(self.run, line)
        # Last, because a resume starts from the last weights: everything before them is written.
        runs.record_weights(self.run, epoch, self._arrays())
        runs.beat(
            self.run,
            step=self.step,
            seconds=round(self.seconds, 3),
            val_accuracy=val[1],
            test_accuracy=test[1],
        )
        self.report(line)
        self._chunk_began = time.perf_counter()

    def _variables(self) -> dict[str, list[keras.Variable]]:
        groups = {"weights": self.model.weights, "optimizer": self.model.optimizer.variables}
        if self.step % self.steps:  # at an epoch's end they start anew
            groups["metrics"] = self.model.metrics_variables
            groups["random"] = _random_states(self.model)
        return groups

    def _arrays(self) -> dict[str, np.ndarray]:
        arrays = {
            f"{group}/{number}": variable.numpy()
            for group, variables in self._variables().items()
            for number, variable in enumerate(variables)
        }
        return {"step": np.int64(self.step), **arrays}

    def _assign(self, arrays: dict[str, np.ndarray]) -> None:
        for group, variables in self._variables().items():
            for number, variable in enumerate(variables):
                if f"{group}/{number}" in arrays:
                    variable.assign(arrays[f"{group}/{number}"])

    def _obey(self) -> None:
        """Read the level that viewers set, and act on it."""
        self.level = runs.NO_CONTROL | runs.read_json(self.run.path / "control.json")
        rate = self.level["learning_rate"]
        if rate is not None and rate != self.rate_asked:
            models.set_learning_rate(self.model, rate, self.config.learning_rate)
            self.rate_asked = rate
        if self.level["stop"]:
            self._finish("stopped", "Stopped by hand.")
        elif self.step >= self.target:
            self.model.stop_training = True
        elif reason := self.gone():
            self._finish("interrupted", reason)

    def _finish(self, state: str, reason: str | None) -> None:
        self.end = self.end or (state, reason)
        self.model.stop_training = True


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
    recorder = Recorder(run, dataset, batches, validation, network.forward, gone, report, began)
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
