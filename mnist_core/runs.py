"""The run folder: a training is a recording that every screen plays.

    <runs>/20261122-081503-7f3a/
        config.json        the TrainConfig, the dataset's name and fingerprint, library versions
        status.json        state, times (UTC), process and heartbeat, reason
        control.json       what viewers want, as a level: see NO_CONTROL
        about.json         what people call the run, and their note
        metrics.jsonl      a line per report: within an epoch ("step"), at its end ("epoch"), and
                           where a person set the learning rate ("rate")
        layers.jsonl       histograms of weights and gradients after every epoch (watching.py)
        wrong_labels.npz   the training images whose labels were made wrong, where the config says
        predictions/003.npy    float32 logits (n_test, 10) after epoch 3; 002.400.npy: stopped there
        weights/003.npz        weights, optimizer, metric and random states: where to resume
        model.keras            the trained network, plain Keras

Rewritten files are written beside and moved into place, so no reader sees half a file. The queue is
the folders whose state is queued. Here runs are read, listed, and handed from state to state; what
the trainer records meanwhile is in recording.py, what viewers press in driving.py.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
from filelock import FileLock, Timeout

from mnist_core.config import TrainConfig
from mnist_core.data import MNIST_FINGERPRINT
from mnist_core.fields import expected
from mnist_core.files import UNREADABLE, read_json, write_json

RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")
STATES = "queued running paused completed stopped diverged failed interrupted".split()
ACTIVE = ("queued", "running")
RESUMABLE = ("paused", "completed", "stopped", "failed", "interrupted")
MAX_QUEUE = 12
FREE_BYTES_NEEDED = 200e6
HEARTBEAT_SECONDS = 60.0  # another machine's run without a sign of life for so long is interrupted
METRICS = [
    "kind", "step", "epoch", "loss", "accuracy", "sample_loss", "sample_accuracy",
    "val_loss", "val_accuracy", "seconds", "images_per_second", "learning_rate",
    "batch_images", "batch_before", "batch_after", "noise_learned", "noise_resisted",
]  # fmt: skip
LIBRARIES = ("keras", "tensorflow-cpu", "tensorflow", "numpy")
NOT_NUMBERS = "The answers of this epoch are not all numbers: the training diverged."
# A level, not events: whoever reads it late sees what holds now, and the last command wins.
NO_CONTROL = {
    "run_until": None,  # the step to pause at: 0 pauses at once
    "epochs": None,  # how many epochs the run is to have, once some were added
    "learning_rate": None,  # set by hand
    "pace": None,  # batches a second in slow motion
    "stop": False,
    "revision": 0,
}


class RunsError(RuntimeError):
    """The runs folder or a run cannot do what was asked; the message says why and what to do."""


def runs_folder() -> Path:
    """Return the folder of all runs: $MNIST_RUNS, or runs/ beside the app."""
    default = Path(__file__).resolve().parent.parent / "runs"
    return Path(os.environ.get("MNIST_RUNS") or default).absolute()


def now() -> str:
    """Return the time in UTC as ISO 8601 text with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


@dataclass(frozen=True)
class Run:
    """One recording as it stood when it was read; the same type live and finished."""

    path: Path
    config: TrainConfig
    dataset: dict[str, Any]  # name, source, fingerprint
    status: dict[str, Any]
    control: dict[str, Any]
    parent: str | None = None  # the run of which this one changes something

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def state(self) -> str:
        return self.status["state"]

    @property
    def active(self) -> bool:
        return self.state in ACTIVE

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch; 0 until the trainer has counted them."""
        return int(self.status.get("steps_per_epoch", 0))

    @property
    def planned_epochs(self) -> int:
        """Epochs this run is to have, those added after its end included."""
        return self.control["epochs"] or self.config.epochs

    @property
    def position(self) -> float:
        """Where the training stands, in epochs: 2.4 is 40 % into the third."""
        return self.status.get("step", 0) / max(1, self.steps_per_epoch)

    @property
    def place(self) -> str:
        """Where the training stands, in words: "epoch 5", or "epoch 2, step 26 of 1,875"."""
        step, steps = int(self.status.get("step", 0)), max(1, self.steps_per_epoch)
        epoch, within = divmod(step, steps)
        return f"epoch {epoch + 1}, step {within:,} of {steps:,}" if within else f"epoch {epoch}"

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """All reports, one a row, columns METRICS."""
        return read_metrics(self.path / "metrics.jsonl")

    @property
    def epochs(self) -> pd.DataFrame:
        """The reports at the epochs' ends, epoch 0 (untrained) first; index: epoch."""
        rows = self.metrics[self.metrics["kind"] == "epoch"]
        return (
            rows.assign(epoch=rows["epoch"].astype(int)).drop_duplicates("epoch").set_index("epoch")
        )

    @cached_property
    def moments(self) -> list[float]:
        """The recorded moments in epochs, ascending: 0.0 (untrained), 1.0, … and maybe 2.4."""
        found = []
        for file in (self.path / "predictions").glob("*.npy"):
            with contextlib.suppress(ValueError):
                found.append(float(file.stem))
        return sorted(filter(math.isfinite, found))

    @property
    def like_paper(self) -> bool:
        """Whether it is the paper's training, seed apart, on the paper's data."""
        return self.config.as_in_paper and self.dataset.get("fingerprint") == MNIST_FINGERPRINT

    @property
    def final(self) -> float | None:
        """The moment whose weights are the trained network: the last, or the best that was put
        back; None when nothing is recorded."""
        best = self.status.get("final_epoch")
        if best in self.moments:
            return float(best)
        return self.moments[-1] if self.moments else None

    @cached_property
    def about(self) -> dict[str, str]:
        """What people wrote about the run: its name and a note, both perhaps empty."""
        told = read_json(self.path / "about.json")
        return {name: str(told.get(name) or "") for name in ("name", "note")}

    @property
    def title(self) -> str:
        """The name people gave it, or its config's."""
        return self.about["name"] or self.config.title

    def logits(self, moment: float) -> np.ndarray:
        """Return the test set's logits at a recorded moment, float32 (n_test, 10).

        Raises RunsError where nothing, or nothing readable, was recorded, and for NaN or infinity.
        """
        file = self.path / "predictions" / f"{moment_name(moment)}.npy"
        try:
            logits = np.load(file, allow_pickle=False)
        except UNREADABLE as error:
            raise RunsError(f"No readable predictions of epoch {moment:g}: {error}") from error
        if not isinstance(logits, np.ndarray):
            raise RunsError(f"Expected an array in {file.name}. Received: a zip file.")
        if logits.ndim != 2 or logits.shape[1] != 10 or logits.dtype != np.float32:
            raise RunsError(
                f"Expected float32 logits (n_test, 10) in {file.name}. "
                f"Received: {logits.dtype} {logits.shape}."
            )
        if not np.isfinite(logits).all():
            raise RunsError(NOT_NUMBERS)
        return logits

    def history(self) -> dict[str, list[float]]:
        """Return the epochs' figures as lists, epoch 1 first, as Keras's History has them."""
        rows = self.epochs.loc[1:]
        names = "loss accuracy sample_loss sample_accuracy val_loss val_accuracy".split()
        return {name: [float(value) for value in rows[name]] for name in names}


def moment_name(moment: float) -> str:
    """Return the file name of a moment: 3.0 -> "003", 2.4 -> "002.400"."""
    return f"{int(moment):03d}" if moment == int(moment) else f"{moment:07.3f}"


def read_metrics(path: Path) -> pd.DataFrame:
    """Return the reports in a metrics.jsonl, one a row, columns METRICS; broken lines left out.

    The same file is parsed once: not to be changed in place.
    """
    try:
        told = path.stat()
    except OSError:
        return pd.DataFrame(columns=METRICS).astype(dict.fromkeys(METRICS[1:], float))
    return _parsed(path, told.st_mtime_ns, told.st_size)


@lru_cache(maxsize=24)
def _parsed(path: Path, changed: int, size: int) -> pd.DataFrame:
    rows = []
    with contextlib.suppress(OSError):
        for line in path.read_bytes().splitlines():
            with contextlib.suppress(ValueError, TypeError, KeyError, OverflowError):
                row = json.loads(line)
                if isinstance(row["step"], int) and math.isfinite(row["epoch"]):
                    rows.append(row)
    frame = pd.DataFrame(rows, columns=METRICS)
    numbers = METRICS[1:]
    frame[numbers] = frame[numbers].apply(pd.to_numeric, errors="coerce")
    return frame


def read(run_id: str, root: Path | None = None) -> Run:
    """Return a run. Raises RunsError when its id is malformed or unknown, or its config broken."""
    if not isinstance(run_id, str) or not RUN_ID.fullmatch(run_id):
        raise RunsError(f"{str(run_id)[:40]!r} is not the name of a run. Choose one from the list.")
    path = (root or runs_folder()) / run_id
    if not path.is_dir():
        raise RunsError(f"There is no run {run_id} here. It may have been deleted.")
    saved = read_json(path / "config.json")
    try:
        config = TrainConfig.from_dict(saved["config"])
    except (KeyError, ValueError) as error:
        raise RunsError(f"The configuration of run {run_id} cannot be read: {error}") from error
    status = read_json(path / "status.json")
    if status.get("state") not in STATES:
        status = {"state": "failed", "reason": "Its status file is missing or cannot be read."}
    if status["state"] == "running" and not _alive(status):
        status |= {
            "state": "interrupted",
            "reason": "The training process ended in the middle: it was stopped from outside, "
            "or the machine ran out of memory. What was recorded is kept.",
        }
    run = Run(path, config, saved.get("dataset", {}), status, NO_CONTROL, saved.get("parent"))
    return replace(run, control=control(run))


def _alive(status: dict[str, Any]) -> bool:
    """Tell whether the process of a running run still works on it."""
    if status.get("host") == socket.gethostname():
        with contextlib.suppress(psutil.Error, KeyError, TypeError, ValueError):
            process = psutil.Process(int(status["pid"]))
            same = abs(process.create_time() - float(status["pid_started"])) < 1.0
            return same and process.status() != psutil.STATUS_ZOMBIE
        return False
    with contextlib.suppress(KeyError, TypeError, ValueError):
        beat = datetime.fromisoformat(status["heartbeat"])
        return (datetime.now(UTC) - beat).total_seconds() < HEARTBEAT_SECONDS
    return False


def list_runs(root: Path | None = None) -> list[Run]:
    """Return all readable runs, newest first; an unreadable folder is left out."""
    root = root or runs_folder()
    found = []
    with contextlib.suppress(OSError):
        for path in root.iterdir():
            with contextlib.suppress(RunsError):
                found.append(read(path.name, root))
    return sorted(found, key=lambda run: (str(run.status.get("created", "")), run.id), reverse=True)


def waiting(root: Path | None = None) -> list[Run]:
    """Return the queued runs, next first."""
    root, queued = root or runs_folder(), []
    with contextlib.suppress(OSError):
        for path in root.iterdir():
            # The trainer asks ten times a second: the status first, it is the smallest file.
            if read_json(path / "status.json").get("state") == "queued":
                with contextlib.suppress(RunsError):
                    queued.append(read(path.name, root))
    return sorted(queued, key=lambda run: (str(run.status.get("queued", "")), run.id))


@contextlib.contextmanager
def transition(root: Path) -> Iterator[None]:
    """Hold the lock under which a run's state may change hands between server and trainer.

    Raises RunsError where the folder is locked for long or cannot be written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / ".state.lock", timeout=10):
            yield
    except Timeout as error:
        raise RunsError(f"The runs folder {root} is locked by another process.") from error
    except OSError as error:
        raise RunsError(
            f"The runs folder {root} cannot be written: {error.strerror or error}. Free some disk "
            "space or set MNIST_RUNS to a folder that can be written."
        ) from error


def update_status(path: Path, **changes: Any) -> None:
    """Change some of a run folder's status; hold transition() where its state changes."""
    write_json(path / "status.json", read_json(path / "status.json") | changes)


def create(
    config: TrainConfig,
    dataset: dict[str, Any],
    root: Path | None = None,
    *,
    parent: str | None = None,
    **level: Any,
) -> Run:
    """Write a new run folder, state queued, and return it.

    `dataset` has name, source and fingerprint (Dataset.describe()); `parent` is the run that this
    one changes something of; `level` is what viewers want from the start (NO_CONTROL). Raises
    ValueError for a bad config, RunsError for a full queue, a full disk or a folder that cannot be
    written.
    """
    config.validate()
    root = root or runs_folder()
    with transition(root):
        if len(waiting(root)) >= MAX_QUEUE:
            raise RunsError(
                f"{MAX_QUEUE} runs are waiting already. Wait for one to end, or stop one."
            )
        if shutil.disk_usage(root).free < FREE_BYTES_NEEDED:
            raise RunsError(
                f"The disk of {root} is almost full. Free some space, then start again."
            )
        path = _new_path(root)
        # The folder appears under its name only when it is complete.
        beside = root / f".new-{path.name}"
        for name in ("predictions", "weights"):
            (beside / name).mkdir(parents=True)
        saved = {"config": config.to_dict(), "dataset": dataset, "versions": _versions()}
        saved |= {"parent": parent}
        write_json(beside / "config.json", saved)
        write_json(beside / "control.json", NO_CONTROL | level)
        write_json(beside / "status.json", {"state": "queued", "created": now(), "queued": now()})
        os.replace(beside, path)
    return read(path.name, root)


def _new_path(root: Path) -> Path:
    """Return a folder's name that no run has; two of one second may draw the same four letters."""
    while (path := root / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}").exists():
        pass
    return path


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def claim(root: Path, run_id: str | None = None) -> Run | None:
    """Take the next queued run (or the one named) for this process: its state becomes running."""
    with transition(root):
        for run in waiting(root):
            if run_id in (None, run.id):
                me = psutil.Process()
                update_status(
                    run.path, state="running", started=now(), ended=None, heartbeat=now(),
                    reason=None, error=None, host=socket.gethostname(), pid=me.pid,
                    pid_started=me.create_time(),
                )  # fmt: skip
                return read(run.id, root)
    return None


def settle(root: Path) -> None:
    """Write "interrupted" into every running run whose process is gone."""
    with transition(root):
        for run in list_runs(root):
            if (
                run.state == "interrupted"
                and read_json(run.path / "status.json")["state"] != run.state
            ):
                update_status(run.path, **(run.status | {"ended": now()}))


def finish(run: Run, state: str, reason: str | None = None) -> None:
    """Write a run's end into its status; the reason is a sentence for the screen."""
    with transition(run.path.parent):
        update_status(run.path, state=state, reason=reason, ended=now(), heartbeat=now())


def keep_warm_speed(root: Path, images_per_second: float) -> None:
    """Write how fast this machine's trainer trains the paper's network, measured at its start."""
    write_json(root / "speed.json", {"host": socket.gethostname(), "paper": images_per_second})


def warm_speed(root: Path) -> float | None:
    """Return what keep_warm_speed() wrote on this machine, or None."""
    told = read_json(root / "speed.json")
    speed = told.get("paper")
    return speed if told.get("host") == socket.gethostname() and speed else None


def beat(run: Run, **progress: Any) -> None:
    """Write a sign of life with the progress: step, steps_per_epoch, …"""
    update_status(run.path, heartbeat=now(), **progress)


def control(run: Run) -> dict[str, Any]:
    """Return what viewers want of a run now; a value that makes no sense counts as not given."""
    level = NO_CONTROL | read_json(run.path / "control.json")
    limits = {"run_until": (0, 10**9), "epochs": (1, 10**6)}
    limits |= {"learning_rate": (1e-12, 1e12), "pace": (1e-3, 1e6)}
    for name, (low, high) in limits.items():
        value = level[name]
        number = isinstance(value, int if isinstance(low, int) else int | float)
        if not number or isinstance(value, bool) or not low <= value <= high:
            level[name] = None
    level["stop"] = level["stop"] is True
    level["revision"] = level["revision"] if isinstance(level["revision"], int) else 0
    return level


def describe(run: Run, name: str, note: str) -> None:
    """Name a run, at most 60 characters, and write a note about it, at most 2,000.

    Empty text takes the old one away. Raises ValueError, RunsError.
    """
    for what, text, most in (("name", name, 60), ("note", note, 2000)):
        if len(text) > most:
            raise expected(f"a {what} of at most {most:,} characters", f"{len(text):,}")
    with transition(run.path.parent):
        read(run.id, run.path.parent)  # raises where it was deleted
        write_json(run.path / "about.json", {"name": name.strip(), "note": note.strip()})


def delete(run: Run) -> None:
    """Delete a run's folder for good. Raises RunsError while it is queued or running."""
    with transition(run.path.parent):
        if read(run.id, run.path.parent).active:
            raise RunsError("A queued or running run cannot be deleted. Stop it first.")
        time_out_of_sight = run.path.with_name(f".deleted-{run.id}-{time.time_ns()}")
        os.replace(run.path, time_out_of_sight)
        shutil.rmtree(time_out_of_sight, ignore_errors=True)
