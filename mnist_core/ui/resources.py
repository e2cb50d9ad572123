"""What all sessions share beside the dataset: evaluations, answers, the trainer."""

from __future__ import annotations

from concurrent.futures import BrokenExecutor
from pathlib import Path

import numpy as np
import streamlit as st

from mnist_core import data, runs, workers
from mnist_core.config import TrainConfig
from mnist_core.evaluation import Evaluation, log_softmax
from mnist_core.selection import Subset
from mnist_core.ui import data_store

ANSWER_SECONDS = 90.0
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
    file = run.path / "predictions" / f"{runs.moment_name(moment)}.npy"
    recorded_at = file.stat().st_mtime_ns if file.exists() else 0
    return _evaluation(str(run.path), moment, recorded_at)


@st.cache_resource(show_spinner=False, max_entries=16)
def _evaluation(path: str, moment: float, recorded_at: int) -> Evaluation:
    run = runs.read(Path(path).name, Path(path).parent)
    labels = dataset_of(run).test.labels
    try:
        return Evaluation(labels, run.logits(moment))
    except ValueError as error:
        raise runs.RunsError(f"The predictions of epoch {moment:g} do not fit: {error}") from error


def evaluation_of(run: runs.Run, moment: float, subset: Subset) -> Evaluation:
    """Return what the run's network says of some images of its dataset; raises RunsError.

    Test images are in the recording; for training images the answering process is asked.
    """
    if not (~subset.of_test).any():
        recorded = evaluation(run, moment)
        return Evaluation(recorded.labels[subset.index], recorded.logits[subset.index])
    file = run.path / "weights" / f"{runs.moment_name(moment)}.npz"
    recorded_at = file.stat().st_mtime_ns if file.exists() else 0
    logits = _asked(str(run.path), moment, recorded_at, subset.ids.tobytes(), run, subset)
    return Evaluation(subset.labels, logits)


@st.cache_resource(
    show_spinner="Asking the network: the first answer takes some seconds", max_entries=16
)
def _asked(path: str, moment: float, recorded_at: int, ids: bytes, _run, _subset) -> np.ndarray:
    return _answer(_run, moment, _subset.images)


def ask_probabilities(run: runs.Run, moment: float, image: np.ndarray) -> np.ndarray:
    """Return what a run's network says of any image, uint8 (28, 28): probabilities (10,).

    The answering process does it; its first answer takes some seconds. Raises RunsError.
    """
    return np.exp(log_softmax(_answer(run, moment, image[None])[0]))


def _answer(run: runs.Run, moment: float, images: np.ndarray) -> np.ndarray:
    """Return logits (N, 10) from the answering process; raises RunsError."""

    def ask() -> np.ndarray:
        return workers.ask("logits", run.path, moment, images).result(ANSWER_SECONDS)

    try:
        try:
            return ask()
        except BrokenExecutor:  # the process was killed, perhaps long ago: a new one is asked
            return ask()
    except runs.RunsError:
        raise
    except Exception as error:  # killed again, or out of time or memory
        raise runs.RunsError(
            "The network did not answer. Ask again: the process that answers is started anew."
        ) from error


def start_training(config: TrainConfig) -> runs.Run:
    """Queue a run on the current data and see that a trainer takes it.

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
    run = runs.create(config, dataset().describe())
    started["run"] = run.id
    keep_trainer()
    return run


def keep_trainer() -> None:
    """See that a trainer is there; without a queued run it loads TensorFlow a little later."""
    workers.ensure_trainer(runs.runs_folder(), WARM_AFTER, dataset().source)
