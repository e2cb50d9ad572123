"""The Keras callback that writes a run's recording, and obeys its viewers between two chunks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from mnist_core import files, models, recording, runs
from mnist_core.config import CLASSES
from mnist_core.data import Dataset
from mnist_core.evaluation import loss_and_accuracy

SAMPLE_SIZE = 5_000  # training images measured after every epoch, to be compared with validation
BEAT_SECONDS = 0.25
DIVERGED_LOSS = 2 * math.log(CLASSES)  # twice the loss of guessing
DIVERGED_ACCURACY = 0.15


class Recorder(keras.callbacks.Callback):
    """Writes the recording, and obeys control.json between two chunks."""

    def __init__(
        self,
        run: runs.Run,
        dataset: Dataset,
        chosen: np.ndarray,
        validation: np.ndarray,
        forward: Callable[[np.ndarray], np.ndarray],
        gone: Callable[[], str | None],
        report: Callable[[dict[str, Any]], None],
        began: float,
    ):
        super().__init__()
        self.began = began
        self.run, self.config = run, run.config
        self.forward, self.gone, self.report = forward, gone, report
        self.steps = -(-len(chosen) // run.config.batch_size)
        self.images_per_epoch = len(chosen)
        self.step = 0
        self.end: tuple[str, str | None] | None = None  # state and reason, once it is decided
        self.level: dict[str, Any] = {}
        self.rate_asked: float | None = None
        size = min(SAMPLE_SIZE, len(chosen))
        sample = np.random.default_rng(0).choice(chosen, size, replace=False)
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
        last = recording.last_weights(self.run)
        if last is None:
            recording.rewind(self.run, -1.0, -1)
            runs.beat(self.run, step=0, steps_per_epoch=self.steps)
            self._record_epoch(0, {})
        else:
            moment, self.restored = last
            self.step = int(self.restored["step"])
            recording.rewind(self.run, moment, self.step)
            self._assign(self.restored)
            runs.beat(self.run, step=self.step, steps_per_epoch=self.steps)

    def on_epoch_begin(self, epoch: int, logs=None) -> None:
        models.seed_epoch(self.model, self.config.seed, epoch)
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
        images = min((batch + 1) * size, self.images_per_epoch) - before * size
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
        recording.append(self.run, line)
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
            recording.record_logits(
                self.run, moment, self.forward(self.exam_images[: self.cuts[0]])
            )
            recording.record_weights(self.run, moment, self._arrays())
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
        recording.record_logits(self.run, epoch, logits[: self.cuts[0]])
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
        recording.append(self.run, line)
        # Last, because a resume starts from the last weights: everything before them is written.
        recording.record_weights(self.run, epoch, self._arrays())
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
            groups["random"] = models.random_states(self.model)
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
        self.level = runs.NO_CONTROL | files.read_json(self.run.path / "control.json")
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
