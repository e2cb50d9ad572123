"""The processes beside the server: the trainer that empties the queue, and two that are asked.

TensorFlow lives in the trainer and in the one that answers questions about networks. The queue is
the run folders; a lock file in the runs folder keeps it one trainer. The third analyses a dataset
where that takes long. The latter two start when they are first needed and leave when idle; all
watch the process that started them and leave soon after it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from mnist_core import analyses, data, runs

IDLE_SECONDS = 600.0
POLL_SECONDS = 0.1
LOOK_SECONDS = 1.0
MAX_TRAININGS = 30  # each leaves about 9 MB behind
MAX_BYTES = 1.6e9  # a trainer larger than this is replaced before the next run
GRACE_SECONDS = 4.0  # after the parent's end, to checkpoint
PROJECT = Path(__file__).resolve().parent.parent

_lock = threading.RLock()
_trainers: dict[Path, subprocess.Popen] = {}
_executors: dict[str, Any] = {}  # "answering", "analysing": loky.ProcessPoolExecutor
_analyses: dict[tuple, Future] = {}
_measurings: dict[tuple, Future] = {}


def trainer_lock(root: Path, timeout: float = 0.0) -> FileLock:
    """Return the lock that the one trainer of a runs folder holds while it lives."""
    root.mkdir(parents=True, exist_ok=True)
    return FileLock(root / ".trainer.lock", timeout=timeout)


def watch_parent(pid: int, on_gone: Callable[[], None] = lambda: None) -> None:
    """Start a thread that ends this process soon after process `pid` has ended.

    `on_gone` is called at once, so that a training can be recorded within GRACE_SECONDS.
    """

    def watch() -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = psutil.Process(pid)
            while parent.is_running() and parent.status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.5)
        on_gone()
        time.sleep(GRACE_SECONDS)
        os._exit(1)  # a thread cannot end a process that is inside TensorFlow in any other way

    threading.Thread(target=watch, daemon=True, name="watch-parent").start()


def work(
    root: Path,
    parent: int | None = None,
    warm_after: float = 0.0,
    source: str | None = None,
) -> int:
    """Be the trainer: train the queued runs of a folder, one after the other; return how many.

    Returns at once when another trainer holds the lock; else when idle, after MAX_TRAININGS, beyond
    MAX_BYTES, or when process `parent` is gone. TensorFlow is loaded after `warm_after` seconds, or
    as soon as something is queued; `source` names the data to have ready.
    """
    leave: list[str] = []

    def asked_to_leave(*_: Any) -> None:
        leave.append("The app was closed while this run trained. It can be resumed.")

    signal.signal(signal.SIGTERM, asked_to_leave)
    if parent is not None:
        watch_parent(parent, asked_to_leave)
    try:
        # Somebody may hold it for a moment, only to see whether it is free.
        with trainer_lock(root, timeout=LOOK_SECONDS):
            runs.settle(root)
            return _empty_queue(root, leave, warm_after, source)
    except Timeout:
        return 0


def _empty_queue(root: Path, leave: list[str], warm_after: float, source: str | None) -> int:
    warm_at = time.monotonic() + warm_after
    while time.monotonic() < warm_at and not leave and not runs.waiting(root):
        time.sleep(POLL_SECONDS)
    if leave:
        return 0
    from mnist_core import training

    datasets: dict[str, data.Dataset] = {}
    if not runs.waiting(root):
        with contextlib.suppress(OSError):  # a folder that cannot be written: runs.create says so
            runs.keep_warm_speed(root, training.warm_up())
        if source:
            with contextlib.suppress(OSError, ValueError):  # the run that needs it will say so
                datasets[source] = data.open_source(source)
    trained, idle_since = 0, time.monotonic()
    while not leave and time.monotonic() - idle_since < IDLE_SECONDS:
        if trained and (trained >= MAX_TRAININGS or _bytes() > MAX_BYTES):
            break
        run = runs.claim(root) if runs.waiting(root) else None
        if run is None:
            time.sleep(POLL_SECONDS)
            continue
        with contextlib.suppress(runs.RunsError):  # its folder was deleted meanwhile
            train_claimed(run, datasets, lambda: leave[0] if leave else None)
        trained, idle_since = trained + 1, time.monotonic()
    return trained


def _bytes() -> int:
    return psutil.Process().memory_info().rss


def train_claimed(
    run: runs.Run,
    datasets: dict[str, data.Dataset],
    gone: Callable[[], str | None] = lambda: None,
    report: Callable[[dict[str, Any]], None] = lambda line: None,
) -> runs.Run:
    """Train a claimed run on the data it names; `datasets` keeps them by source."""
    from mnist_core import training

    source = str(run.dataset.get("source"))
    try:
        kept = datasets.get(source)
        if kept is None or kept.fingerprint != run.dataset.get("fingerprint"):
            datasets.clear()
            datasets[source] = data.open_source(source)
    except (OSError, ValueError) as error:
        runs.finish(run, "failed", f"The data of this run cannot be read: {error}")
        return runs.read(run.id, run.path.parent)
    return training.train(run, datasets[source], gone=gone, report=report)


def ensure_trainer(root: Path, warm_after: float = 0.0, source: str = "") -> None:
    """Start the trainer unless one works on this folder; returns at once. See work()."""
    with _lock:
        ours = _trainers.get(root)
        if ours is not None and ours.poll() is None:
            return
        try:
            with trainer_lock(root):
                pass
        except (Timeout, OSError):
            return  # another process trains here, or nothing can be written: runs.create says so
        with open(root / "trainer.log", "ab") as log:
            _trainers[root] = subprocess.Popen(
                [
                    *(sys.executable, "-m", "mnist_core", "work", "--runs", str(root)),
                    *("--parent", str(os.getpid()), "--warm-after", str(warm_after)),
                    *("--source", source),
                ],
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl+C in the terminal is the server's alone
            )


def ask(function: str, *arguments: Any) -> Future:
    """Ask the answering process for inference.<function>(*arguments); return a Future."""
    with _lock:
        return _submit("answering", _answer, function, *arguments)


def measure(path: Path, moment: float, name: str, levels: list[float]) -> Future:
    """Have levels of a distortion measured for a run (robustness.py); return their Future.

    A question for each level, asked after the one before, so that a pen's questions come between.
    While they are measured, everybody who asks gets the same Future.
    """
    key = (path, moment, name)
    with _lock:
        if key not in _measurings or _measurings[key].done():
            _measurings[key] = Future()
            _measure_first(_measurings[key], key, levels)
        return _measurings[key]


def _measure_first(whole: Future, key: tuple, levels: list[float]) -> None:
    """Ask for the first of some levels, and when it is answered for the rest."""
    if not levels:
        whole.set_result(None)
        return

    def answered(one: Future) -> None:
        if error := one.exception():
            whole.set_exception(error)
        else:
            _measure_first(whole, key, levels[1:])

    try:
        ask("robustness", *key, levels[0]).add_done_callback(answered)
    except RuntimeError as error:  # the process cannot be started
        whole.set_exception(error)


def analyse(root: Path, source: str, fingerprint: str, name: str, split: str) -> Future:
    """Have the analysing process make and keep an analysis (analyses.py); return its Future.

    While it is being made, everybody who asks for it gets the same Future.
    """
    key = (root, fingerprint, name, split)
    with _lock:
        if key not in _analyses or _analyses[key].done():
            _analyses[key] = _submit("analysing", analyses.make, root, source, *key[1:])
        return _analyses[key]


def analysis(root: Path, fingerprint: str, name: str, split: str) -> Future | None:
    """Return the Future of an analysis asked for in this server, or None."""
    return _analyses.get((root, fingerprint, name, split))


def _submit(process: str, function: Callable, *arguments: Any) -> Future:
    """Give a process its next task; it is started, or replaced when broken. Holds _lock."""
    import loky

    for _ in range(2):
        if process not in _executors:
            _executors[process] = loky.ProcessPoolExecutor(
                max_workers=1,
                timeout=IDLE_SECONDS,
                initializer=watch_parent,
                initargs=(os.getpid(),),
            )
        try:
            return _executors[process].submit(function, *arguments)
        except RuntimeError:  # broken or shut down
            del _executors[process]
    raise RuntimeError(f"The {process} process cannot be started. Restart the app.")


def _answer(function: str, *arguments: Any) -> Any:
    from mnist_core import inference

    return getattr(inference, function)(*arguments)
