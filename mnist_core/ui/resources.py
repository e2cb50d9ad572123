"""What all sessions share beside the dataset: evaluations, answers, the trainer."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import sys
import time
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from threadpoolctl import threadpool_limits

from mnist_core import data, history, label_faults, moment, robustness, runs, workers
from mnist_core.config import TrainConfig
from mnist_core.evaluation import Evaluation, log_softmax
from mnist_core.selection import Subset, ids_of
from mnist_core.ui import data_store

# BLAS's threads wait for each other in a loop, and while a network trains they wait long: sums over
# 10,000 digits took the server five times as long with two as with one.
threadpool_limits(1, "blas")

_seen_modules: dict[str, int] = {}  # how many were imported when spare_the_collector() last froze

ANSWER_SECONDS = 90.0
PATIENCE_SECONDS = 0.7  # before a page says that it waits
NO_ANSWER = "The network did not answer. Ask again: the process that answers is started anew."
WARM_AFTER = 2.0  # seconds: the first page draws before TensorFlow is loaded


def dataset() -> data.Dataset:
    """Return the dataset that this run of the page shows, though another may just have come."""
    return st.session_state.get("_dataset") or settle_dataset()


def settle_dataset() -> data.Dataset:
    """Take the dataset the app runs on now for a run of the page; the frame calls it first."""
    st.session_state["_dataset"] = data_store.data_store().dataset
    return st.session_state["_dataset"]


@st.cache_resource(show_spinner=False, max_entries=2)
def _other_dataset(source: str) -> data.Dataset:
    return data.open_source(source)


def dataset_of(run: runs.Run) -> data.Dataset:
    """Return the data a run was trained on, which may not be those the app runs on.

    Raises RunsError when they cannot be had any more.
    """
    current = dataset()
    if run.dataset.get("fingerprint") == current.fingerprint:
        return current
    try:
        other = _other_dataset(str(run.dataset.get("source")))
    except (OSError, ValueError) as error:
        raise runs.RunsError(f"The data of this run cannot be read any more: {error}") from error
    if other.fingerprint != run.dataset.get("fingerprint"):
        raise runs.RunsError(f"{other.source} is not any more what this run was trained on.")
    return other


def evaluation(run: runs.Run, moment: float) -> Evaluation:
    """Return what the run said of its test set at a recorded moment; raises RunsError."""
    return _evaluation(str(run.path), moment, recorded_at(run, "predictions", moment))


def recorded_at(run: runs.Run, folder: str, moment: float) -> int:
    """Return when a moment was recorded, to tell it from one recorded anew; 0: it was not."""
    ends = {"predictions": "npy", "weights": "npz"}
    file = run.path / folder / f"{runs.moment_name(moment)}.{ends[folder]}"
    return file.stat().st_mtime_ns if file.exists() else 0


@st.cache_resource(show_spinner=False, max_entries=16)
def _evaluation(path: str, moment: float, written: int) -> Evaluation:
    run = runs.read(Path(path).name, Path(path).parent)
    labels = dataset_of(run).test.labels
    try:
        return Evaluation(labels, run.logits(moment))
    except ValueError as error:
        raise runs.RunsError(f"The predictions of epoch {moment:g} do not fit: {error}") from error


def moment_of(run: runs.Run, epoch: float) -> moment.Moment:
    """Return a run's network at a recorded moment, to be explained; raises RunsError."""
    written = recorded_at(run, "weights", epoch)
    return _moment(run.id, epoch, written, moment.rate_changes(run), run)


@st.cache_resource(show_spinner=False, max_entries=3)
def _moment(run_id: str, epoch: float, written: int, rate_changes: int, _run: runs.Run):
    return moment.read(_run, epoch)


def history_of(run: runs.Run) -> history.History:
    """Return what the run answered to its test set at all its moments; raises RunsError."""
    recorded = tuple((moment, recorded_at(run, "predictions", moment)) for moment in run.moments)
    return _history(str(run.path), recorded)


@st.cache_resource(show_spinner=False, max_entries=8)
def _history(path: str, recorded: tuple) -> history.History:
    run = runs.read(Path(path).name, Path(path).parent)
    return history.read(run, dataset_of(run).test.labels)


def life_of(run: runs.Run, index: int, total: int) -> tuple[list[float], np.ndarray]:
    """Return a test image's probabilities over the run: history.life()."""
    recorded = tuple((moment, recorded_at(run, "predictions", moment)) for moment in run.moments)
    return _life(run.id, recorded, index, total, run)


@st.cache_resource(show_spinner=False, max_entries=64)
def _life(run_id: str, recorded: tuple, index: int, total: int, _run: runs.Run):
    return history.life(_run, index, total)


def label_ranking(played: list[tuple[runs.Run, float]]) -> label_faults.Ranking:
    """Return how likely each test label is wrong, by runs of one dataset at recorded moments.

    Raises RunsError.
    """
    key = tuple((run.id, moment, recorded_at(run, "predictions", moment)) for run, moment in played)
    return _label_ranking(key, played)


@st.cache_resource(show_spinner=False, max_entries=8)
def _label_ranking(key: tuple, _played: list) -> label_faults.Ranking:
    return label_faults.rank([evaluation(run, moment) for run, moment in _played])


def evaluation_of(run: runs.Run, moment: float, subset: Subset) -> Evaluation:
    """Return what the run's network says of some images of its dataset; raises RunsError.

    Test images are in the recording; for training images the answering process is asked.
    """
    if np.array_equal(subset.ids, ids_of(subset.dataset, "test")):
        return evaluation(run, moment)
    if not (~subset.of_test).any():
        recorded = evaluation(run, moment)
        return Evaluation(recorded.labels[subset.index], recorded.logits[subset.index])
    return Evaluation(subset.labels, _asked("logits", run, moment, subset.images))


def ask_probabilities(run: runs.Run, moment: float, image: np.ndarray) -> np.ndarray:
    """Return what a run's network says of any image, uint8 (28, 28): probabilities (10,).

    The answering process does it; its first answer takes some seconds. Raises RunsError.
    """
    return np.exp(log_softmax(_asked("logits", run, moment, image[None])[0]))


def wake(run: runs.Run, moment: float) -> None:
    """Have the answering process load a run's network, and do not wait for it."""
    key, now = (run.id, moment), time.monotonic()
    woken, when = st.session_state.get("woken", (None, now))
    if woken != key or now - when > workers.IDLE_SECONDS / 2:  # it leaves when it is idle
        st.session_state["woken"] = key, now
        with contextlib.suppress(RuntimeError):  # who asks in earnest will be told
            workers.ask("logits_of_pixels", run.path, moment, np.zeros((6, 28, 28), np.float32))


def ask_pixels(run: runs.Run, moment: float, pixels: np.ndarray) -> np.ndarray:
    """Return what a run's network says of pixels, float32 (N, 28, 28): probabilities (N, 10).

    They go in behind the network's scaling layer, so they are 0 to 1 as a rule. Not kept: of a pen
    that moves no picture comes twice. Raises RunsError.
    """
    return np.exp(log_softmax(_numbers("logits_of_pixels", run.path, moment, pixels)))


def ask_over(run: runs.Run, moments: list[float], pixels: np.ndarray) -> np.ndarray:
    """Return what a run says of pixels, float32 (28, 28), at M moments: probabilities (M, 10).

    NaN where its weights are no numbers. Raises RunsError.
    """
    return np.exp(log_softmax(_answer("logits_over", run.path, moments, pixels)))


def ask_flip(run: runs.Run, moment: float, image: np.ndarray) -> dict[str, np.ndarray]:
    """Return the smallest change found that flips a network's answer: flipping.flip()."""
    return _asked("flip", run, moment, image)


def ask_same_step(run: runs.Run, moment: float, image: np.ndarray, label: int) -> dict[str, Any]:
    """Return how far Keras's step for a digit is from NumPy's: same_step.compare()."""
    return _asked("same_step", run, moment, image, label)


def measure_robustness(run: runs.Run, moment: float, name: str) -> int:
    """Have what is missing of a robustness curve measured; return how many levels that is.

    Call it again and again until it returns 0. Raises RunsError.
    """
    asked, key = st.session_state.setdefault("measurings", {}), (run.id, moment, name)
    missing = robustness.missing(run, moment, name)
    if missing and key not in asked:
        asked[key] = workers.measure(run.path, moment, name, missing)
    done = key in asked and asked[key].done()
    if done and (error := asked.pop(key).exception()):  # the next call asks anew
        raise error if isinstance(error, runs.RunsError) else runs.RunsError(NO_ANSWER)
    return len(missing)


def ask_attribution(
    function: str, run: runs.Run, moment: float, image: np.ndarray, answer: int, other: int
) -> np.ndarray:
    """Return what speaks for `answer` rather than `other`, float32 (28, 28); raises RunsError.

    `function` is a map of inference.py: saliency, integrated_gradients or occlusion.
    """
    return _asked(function, run, moment, image, answer, other)


def _asked(function: str, run: runs.Run, moment: float, images: np.ndarray, *digits: int):
    pixels = hashlib.blake2b(np.ascontiguousarray(images), digest_size=16).digest()
    written = recorded_at(run, "weights", moment)
    return _kept_answer(function, run.id, moment, written, pixels, digits, run, images)


@st.cache_resource(show_spinner=False, max_entries=32)
def _kept_answer(function: str, run_id, moment, written, pixels, digits, _run, _images):
    ask = _answer if function in ("flip", "same_step") else _numbers  # these look themselves
    return ask(function, _run.path, moment, _images, *digits)


def _answer(function: str, *arguments) -> Any:
    """Return an answer of the answering process; raises RunsError."""

    def ask() -> Any:
        future = workers.ask(function, *arguments)
        with contextlib.suppress(TimeoutError):
            return future.result(PATIENCE_SECONDS)
        with st.spinner("Asking the network: the first answer takes some seconds"):
            return future.result(ANSWER_SECONDS)

    try:
        try:
            answer = ask()
        except BrokenExecutor:  # the process was killed, perhaps long ago: a new one is asked
            answer = ask()
    except runs.RunsError:
        raise
    except Exception as error:  # killed again, or out of time or memory
        raise runs.RunsError(NO_ANSWER) from error
    return answer


def _numbers(function: str, *arguments) -> np.ndarray:
    """Return an answer that must be all numbers; raises RunsError."""
    answer = _answer(function, *arguments)
    if not np.isfinite(answer).all():
        raise runs.RunsError(runs.NOT_NUMBERS)
    return answer


def own_runs() -> set[str]:
    """Return the ids of the runs that this session started."""
    return st.session_state.setdefault("started", {}).setdefault("own", set())


def start_training(config: TrainConfig, **how) -> runs.Run:
    """Queue a run on the current data and see that a trainer takes it; `how` as in runs.create().

    A second press while this session's same run is still live returns that run. Raises RunsError,
    ValueError.
    """
    # A plain dict: a second press may interrupt the first at any access to the session's state.
    started = st.session_state.setdefault("started", {})
    if latest := started.get("run"):
        try:
            live = runs.read(latest)
            same = live.config == config and live.dataset == dataset().describe()
            if live.active and same:
                return live
        except runs.RunsError:
            pass  # it was deleted
    run = runs.create(config, dataset().describe(), **how)
    started["run"] = run.id
    started.setdefault("own", set()).add(run.id)
    keep_trainer()
    return run


def spare_the_collector() -> None:
    """Leave what is imported by now out of the garbage collection; call it at a page's end.

    Streamlit collects after every run of a page or fragment. With Plotly's and pandas' objects
    that takes 30 to 100 ms, more than most of our runs take themselves.
    """
    if len(sys.modules) != _seen_modules.get("count"):
        gc.collect()
        gc.freeze()
        _seen_modules["count"] = len(sys.modules)


def keep_trainer() -> None:
    """See that a trainer is there; without a queued run it loads TensorFlow a little later."""
    workers.ensure_trainer(runs.runs_folder(), WARM_AFTER, dataset().source)
