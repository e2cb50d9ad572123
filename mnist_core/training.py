"""Train one run, chunk by chunk; the callback in recorder.py writes it down.

Order, movements and dropout of an epoch depend on (seed, epoch) alone, and a snapshot holds
weights, optimizer, metric and random states, so a resumed run has the history of one that went
through.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from mnist_core import recording, runs
from mnist_core.batches import Batches
from mnist_core.compiling import Compiled, compiled, steps_per_chunk
from mnist_core.data import Dataset
from mnist_core.exam import Exam
from mnist_core.glimpses import GRADIENT_IMAGES
from mnist_core.layers import IMAGE_SHAPE
from mnist_core.presets import preset
from mnist_core.recorder import Recorder
from mnist_core.training_set import choose, wrong_labels


def train(
    run: runs.Run,
    dataset: Dataset,
    *,
    gone: Callable[[], str | None] = lambda: None,
    report: Callable[[dict[str, Any]], None] = lambda line: None,
) -> runs.Run:
    """Train a claimed run to its end and return it as recorded.

    `gone()` is asked between chunks and gives the reason to interrupt, or None; `report` gets every
    line of the metrics. What goes wrong ends up in the run's state and reason. Raises OSError where
    even these cannot be written, RunsError when the run was deleted.
    """
    try:
        _fit(run, dataset, gone, report)
    except Exception as error:
        detail = traceback.format_exc(limit=-6)
        reason = f"{type(error).__name__}: {error}"[:400]
        if isinstance(error, OSError):
            reason = f"The run folder cannot be written: {error.strerror or error}."
        try:
            (run.path / "live.npz").unlink(missing_ok=True)
            runs.beat(run, error=detail)
            runs.finish(run, "failed", reason)
        except (OSError, runs.RunsError) as unwritten:
            print(detail, flush=True)
            if run.path.is_dir():  # only the end of this process makes readers see that it is over
                raise OSError(str(unwritten)) from error
    return runs.read(run.id, run.path.parent)


def _fit(run: runs.Run, dataset: Dataset, gone, report) -> None:
    began, config = time.perf_counter(), run.config
    if run.dataset.get("fingerprint") != dataset.fingerprint:
        raise ValueError(
            f"Expected the data this run was made for ({run.dataset.get('name')}). "
            f"Received: {dataset.name}. Start a new run on these data."
        )
    labels = dataset.train.labels
    chosen, validation = choose(labels, config.training_size, config.validation_share, config.seed)
    given, spoiled = wrong_labels(labels, chosen, config.label_noise, config.seed)
    exam = Exam(config, dataset, chosen, validation, given, spoiled)
    batches = Batches(config, dataset.train.images, given, chosen, steps_per_chunk(config))
    network = compiled(config, batches.per_epoch)
    if len(spoiled):
        recording.record_wrong_labels(run, spoiled, given[spoiled])
    recorder = Recorder(run, network, exam, len(chosen), gone, report, began)
    try:
        _epochs(network, batches, recorder)
    finally:
        batches.close()


def _epochs(network: Compiled, batches: Batches, recorder: Recorder) -> None:
    model = network.model
    callbacks = keras.callbacks.CallbackList([recorder], model=model)
    callbacks.on_train_begin()
    while recorder.step < recorder.target and not model.stop_training:
        epoch, step = divmod(recorder.step, batches.per_epoch)
        batches.begin(epoch)
        model.reset_metrics()
        callbacks.on_epoch_begin(epoch)
        while step < batches.per_epoch and not model.stop_training:
            last = recorder.target - epoch * batches.per_epoch
            count = batches.count(step, last, recorder.most_batches)
            images, labels = batches.gather(step, after=step + count)
            recorder.before(images[0], labels[0])
            logs = network.chunk(images, labels, count)
            step += count
            callbacks.on_train_batch_end(step - 1, logs)
        if recorder.step == (epoch + 1) * batches.per_epoch:
            callbacks.on_epoch_end(epoch, logs)
    callbacks.on_train_end()


def warm_up() -> float:
    """Compile the paper's network once on zeros, so that the first real training starts at once.

    Returns how many images a second it trains on then.
    """
    config = preset("paper")
    network = compiled(config, steps_per_epoch=1)
    count = steps_per_chunk(config)
    images = np.zeros((count, config.batch_size, *IMAGE_SHAPE), np.uint8)
    labels = np.zeros(images.shape[:2], np.uint8)
    network.chunk(images, labels, 1)
    answered = np.zeros((network.exam_batch, *IMAGE_SHAPE), np.uint8)
    network.forward(answered)
    network.gradients(answered[:GRADIENT_IMAGES], np.zeros(GRADIENT_IMAGES, np.uint8))
    began = time.perf_counter()
    network.chunk(images, labels, count)
    return count * config.batch_size / (time.perf_counter() - began)
