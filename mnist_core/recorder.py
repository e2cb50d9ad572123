"""The Keras callback that writes a run's recording, and obeys its viewers between two chunks."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from mnist_core import models, recording, runs, watching
from mnist_core.compiling import Compiled
from mnist_core.early_stopping import best_epoch, stops
from mnist_core.exam import Exam, loss_and_accuracy
from mnist_core.glimpses import Glimpses
from mnist_core.layers import CLASSES

BEAT_SECONDS = 0.25
PACED_SECONDS = 0.2  # in slow motion a report comes at least so often, or with each batch
DIVERGED_LOSS = 2 * math.log(CLASSES)  # twice the loss of guessing
DIVERGED_ACCURACY = 0.15
FALLS = 0.999  # of the loss an epoch before: so little less is no learning


class Recorder(keras.callbacks.Callback):
    """Writes the recording, and obeys control.json between two chunks.

    `images` is how many an epoch has; `gone()` gives the reason to interrupt, or None; `report`
    gets every line of the metrics; `began` is when the training was taken up (perf_counter).
    """

    def __init__(
        self,
        run: runs.Run,
        network: Compiled,
        exam: Exam,
        images: int,
        gone: Callable[[], str | None],
        report: Callable[[dict[str, Any]], None],
        began: float,
    ):
        super().__init__()
        self.run, self.config, self.network, self.exam = run, run.config, network, exam
        self.gone, self.report, self.began = gone, report, began
        self.images_per_epoch = images
        self.steps = -(-images // run.config.batch_size)
        self.step = 0
        self.end: tuple[str, str | None] | None = None  # state and reason, once it is decided
        self.level: dict[str, Any] = {}
        self.rate_asked: float | None = None
        self.rate_recorded: float | None = None
        self.scores: dict[int, float] = {}  # epoch -> what early stopping looks at
        self.stopped_early: int | None = None  # after which epoch
        self.slept = 0.0
        self.speeds: list[tuple[int, float]] = []  # images of a chunk, images a second
        self.loss_before: float | None = None  # the training loss of the epoch before
        self.seconds_before = float(run.status.get("seconds", 0.0))
        self.restored: dict[str, np.ndarray] | None = None
        self._last_beat = 0.0
        self._batch: tuple[np.ndarray, np.ndarray, float] | None = None
        self.glimpses = Glimpses(run, network, exam)

    @property
    def seconds(self) -> float:
        """Training time so far; waiting in slow motion does not count."""
        return self.seconds_before + time.perf_counter() - self.began - self.slept

    @property
    def planned(self) -> int:
        """The step at which the training is complete."""
        return (self.level["epochs"] or self.config.epochs) * self.steps

    @property
    def target(self) -> int:
        """The step to train to: what viewers asked for, or the planned end."""
        until = self.level["run_until"]
        return self.planned if until is None else min(int(until), self.planned)

    @property
    def most_batches(self) -> int:
        """How many batches may go by before the next report; few in slow motion."""
        pace = self.level["pace"]
        return max(1, int(pace * PACED_SECONDS)) if pace else self.images_per_epoch

    def on_train_begin(self, logs=None) -> None:
        """Start from the last recorded moment, or record the untrained network as epoch 0."""
        last = recording.last_weights(self.run)
        self.level = runs.control(self.run)
        moment = -1.0
        if last is not None:
            moment, self.restored = last
            self.step = int(self.restored["step"])
        kept = recording.rewind(self.run, moment, self.step if last else -1)
        rates = kept.loc[kept["kind"] == "rate", "learning_rate"]
        self.rate_recorded = float(rates.iloc[-1]) if len(rates) else None
        ends = kept[(kept["kind"] == "epoch") & (kept["epoch"] >= 1)]
        self.scores = dict(
            zip(ends["epoch"].astype(int), ends[self.config.stop_metric], strict=True)
        )
        (self.run.path / "live.npz").unlink(missing_ok=True)  # of a training that was killed
        self.loss_before = float(ends["loss"].iloc[-1]) if len(ends) else None
        runs.beat(self.run, step=self.step, steps_per_epoch=self.steps)
        if last is None:
            self._record_epoch(0, {})
        else:
            self._assign(self.restored)
            if self.scores and self.step % self.steps == 0:
                self._stop_early(self.step // self.steps)  # what ended before it could
        self._obey()

    def on_epoch_begin(self, epoch: int, logs=None) -> None:
        models.seed_epoch(self.model, self.config.seed, epoch)
        if self.restored is not None and self.step % self.steps:
            # Within an epoch the running means and the random states go on, too. A test step on
            # one image creates the metrics' variables.
            sparse = self.config.loss == "sparse_categorical_crossentropy"
            label = np.zeros(1) if sparse else np.eye(CLASSES)[:1]
            self.model.test_on_batch(self.exam.images[:1], label)
            # These alone: since the weights were restored, a new learning rate may have been set.
            self._assign(self.restored, ("metrics", "random"))
        self.restored = None
        self._chunk_began = time.perf_counter()

    def before(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Look at the first batch of the coming chunk: of a single step, its loss is measured."""
        self._batch = None
        if self.level["run_until"] == self.step + 1:
            self._batch = images, labels, self._batch_loss(images, labels)

    def _batch_loss(self, images: np.ndarray, labels: np.ndarray) -> float:
        return loss_and_accuracy(self.network.forward(images), labels, self.config.loss)[0]

    def on_train_batch_end(self, batch: int, logs=None) -> None:
        epoch, before = divmod(self.step, self.steps)
        self.step = epoch * self.steps + batch + 1
        clock = time.perf_counter()
        size = self.config.batch_size
        images = min((batch + 1) * size, self.images_per_epoch) - before * size
        line = {
            "kind": "step",
            "step": self.step,
            "epoch": self.epoch,
            **{name: float(value) for name, value in logs.items()},
            "seconds": round(self.seconds, 3),
            "images_per_second": round(images / max(1e-9, clock - self._chunk_began)),
        }
        if self._batch is not None:
            batch_images, labels, loss_before = self._batch
            line["batch_images"] = len(labels)
            line["batch_before"] = loss_before
            line["batch_after"] = self._batch_loss(batch_images, labels)
        self.speeds.append((images, line["images_per_second"]))
        recording.append(self.run, line)
        self.report(line)
        if clock - self._last_beat > BEAT_SECONDS:
            self._last_beat = clock
            runs.beat(self.run, step=self.step)
        if not math.isfinite(line["loss"]):
            self._finish("diverged", f"The loss became infinite. {self._try()}")
        self._obey()
        if not self.model.stop_training and batch + 1 < self.steps:
            self.glimpses.write(self.epoch)
        self._wait(clock, batch + 1 - before)
        self._chunk_began = time.perf_counter()

    @property
    def epoch(self) -> float:
        """Where the training stands, in epochs."""
        return round(self.step / self.steps, 6)

    def _falls(self, loss: float) -> bool:
        """Tell whether the training loss is less than an epoch before: a slow start is no end."""
        before, self.loss_before = self.loss_before, loss
        return before is not None and loss < FALLS * before

    def _try(self) -> str:
        lower = (self.level["learning_rate"] or self.config.learning_rate) / 10
        return f"Try a learning rate ten times smaller, such as {lower:g}."

    def on_epoch_end(self, epoch: int, logs=None) -> None:
        if self.end and self.end[0] == "diverged":
            return
        figures = self._record_epoch(epoch + 1, {k: float(logs[k]) for k in ("loss", "accuracy")})
        loss = min(float(logs["loss"]), figures["sample_loss"])
        learned = max(float(logs["accuracy"]), figures["val_accuracy"])
        falls = self._falls(float(logs["loss"]))
        if not math.isfinite(figures["sample_loss"]):  # by the last batch of the epoch
            self._finish("diverged", f"{runs.NOT_NUMBERS} {self._try()}")
        elif loss > DIVERGED_LOSS:
            self._finish(
                "diverged",
                f"The training loss of epoch {epoch + 1} is {loss:.3g}, far above 2.30, the loss "
                f"of guessing. {self._try()}",
            )
        elif not falls and epoch > 0 and learned <= DIVERGED_ACCURACY:
            self._finish(
                "diverged",
                f"After {epoch + 1} epochs the network is right in {float(logs['accuracy']):.1%} "
                "of the training images, no better than guessing. Try another learning rate, or "
                "other first weights.",
            )
        else:
            self._stop_early(epoch + 1)

    def _stop_early(self, epoch: int) -> None:
        patience, metric = self.config.patience, self.config.stop_metric
        if not patience or self.step >= self.planned or self.end:
            return
        if not stops(self.scores, metric, patience, int(self.run.status.get("stopped_early", 0))):
            return
        self.stopped_early = epoch
        self._finish(
            "completed",
            f"Stopped early after epoch {epoch}: none since epoch "
            f"{best_epoch(self.scores, metric)} was better on the validation images.",
        )

    def on_train_end(self, logs=None) -> None:
        """Record a stop within an epoch, then the network and the run's state."""
        if self.end is None:
            self._finish(*(("completed", None) if self.step >= self.planned else ("paused", None)))
        state, reason = self.end
        if self.step % self.steps and state != "diverged":
            moment = self.step / self.steps
            # Three decimals name the file; a moment never rounds up to a whole epoch.
            moment = min(max(round(moment, 3), int(moment) + 0.001), int(moment) + 0.999)
            tested = self.network.forward(self.exam.test(self.exam.images))
            recording.record_logits(self.run, moment, tested)
            recording.record_weights(self.run, moment, self._arrays())
        final = {"step": self.step, "seconds": round(self.seconds, 3)}
        if self.stopped_early is not None:
            final["stopped_early"] = self.stopped_early
        # The first chunk may hold the compiling, small ones are slow motion or an epoch's rest.
        most = max((images for images, _ in self.speeds), default=0)
        if whole := [speed for images, speed in self.speeds[1:] if images == most]:
            final["images_per_second"] = statistics.median(whole)
        if state == "completed" and self.config.patience and self.config.best_weights == "back":
            final |= self._best_weights_back()
        beside = self.run.path / ".model.keras"
        models.plain(self.model).save(beside)
        beside.replace(self.run.path / "model.keras")
        (self.run.path / "live.npz").unlink(missing_ok=True)
        runs.beat(self.run, **final)
        if state == "paused" and runs.control(self.run)["stop"]:  # pressed in the meantime
            state, reason = "stopped", "Stopped by hand."
        runs.finish(self.run, state, reason)

    def _best_weights_back(self) -> dict[str, Any]:
        """Give the model the weights of its best epoch; return what the status says of it.

        The recording keeps all epochs, and a resume goes on from the last.
        """
        best = best_epoch(self.scores, self.config.stop_metric)
        with np.load(self.run.path / "weights" / f"{runs.moment_name(best)}.npz") as arrays:
            for number, variable in enumerate(self.model.weights):
                variable.assign(arrays[f"weights/{number}"])
        right = self.run.logits(best).argmax(axis=1) == self.exam.labels[0]
        return {"final_epoch": best, "test_accuracy": float(right.mean())}

    def _record_epoch(self, epoch: int, logs: dict[str, float]) -> dict[str, float]:
        logits = self.network.forward(self.exam.images)
        tested, figures = self.exam.test(logits), self.exam.figures(logits)
        recording.record_logits(self.run, epoch, tested)
        watching.append_layers(self.run, epoch, self.glimpses.layers())
        line = {
            "kind": "epoch",
            "step": self.step,
            "epoch": epoch,
            **logs,
            **figures,
            "seconds": round(self.seconds, 3),
        }
        recording.append(self.run, line)
        # Last, because a resume starts from the last weights: everything before them is written.
        recording.record_weights(self.run, epoch, self._arrays())
        if epoch:
            self.scores[epoch] = figures[self.config.stop_metric]
        runs.beat(
            self.run,
            step=self.step,
            seconds=round(self.seconds, 3),
            val_accuracy=figures["val_accuracy"],
            test_accuracy=float((tested.argmax(axis=1) == self.exam.labels[0]).mean()),
        )
        self.report(line)
        self._chunk_began = time.perf_counter()
        return figures

    def _wait(self, since: float, batches: int) -> None:
        """In slow motion, wait until so many batches may have gone by; viewers are obeyed."""
        while (pace := self.level["pace"]) and not self.model.stop_training:
            began = time.perf_counter()
            rest = since + batches / pace - began
            if rest <= 0:
                return
            time.sleep(min(rest, 0.1))
            runs.beat(self.run)
            self._obey()
            self.slept += time.perf_counter() - began

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

    def _assign(self, arrays: dict[str, np.ndarray], groups: tuple[str, ...] = ()) -> None:
        for group, variables in self._variables().items():
            for number, variable in enumerate(variables):
                if f"{group}/{number}" in arrays and (not groups or group in groups):
                    variable.assign(arrays[f"{group}/{number}"])

    def _obey(self) -> None:
        """Read the level that viewers set, and act on it."""
        self.level = runs.control(self.run)
        rate = self.level["learning_rate"]
        if rate is not None and rate != self.rate_asked:
            models.set_learning_rate(self.model, rate, self.config.learning_rate)
            self.rate_asked = rate
            if rate != self.rate_recorded:
                where = {"kind": "rate", "step": self.step, "epoch": self.epoch}
                recording.append(self.run, where | {"learning_rate": rate})
                self.rate_recorded = rate
        if self.level["stop"]:
            self._finish("stopped", "Stopped by hand.")
        elif self.step >= self.target:
            self.model.stop_training = True
        elif reason := self.gone():
            self._finish("interrupted", reason)

    def _finish(self, state: str, reason: str | None) -> None:
        self.end = self.end or (state, reason)
        self.model.stop_training = True
