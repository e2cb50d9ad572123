"""How far a network still reads distorted digits: measured once, then kept with the run.

<run>/robustness/003-rotate.jsonl    a line for each level measured, of the weights of epoch 3:
    {"level": 15.0, "right": 941, "of": 1000, "confidence": 0.91, "weights": 1795321094123456789}

`weights` is when the file of the weights was written, in nanoseconds: where they were recorded anew
since, the line does not count. Lines are only ever appended; the last of a level counts.
"""

from __future__ import annotations

import contextlib
import json
import math
import operator
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mnist_core import data, runs
from mnist_core.distortions import DISTORTIONS
from mnist_core.evaluation import log_softmax
from mnist_core.runs import Run, RunsError
from mnist_core.training_set import choose

SAMPLE = 1000  # test digits: enough for ±1 % at 97 %
BATCH = 250  # digits of a forward pass: a convolution takes 100 kB each, and then fits the cache
_COLUMNS = ("level", "right", "of", "confidence")
_BROKEN = (ValueError, TypeError, KeyError, OverflowError, RecursionError)


@lru_cache(maxsize=2)
def sample(source: str, fingerprint: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the digits that are distorted, the same for every run: stratified, of the test set.

    Images uint8 (N, 28, 28) and labels uint8 (N,), N at most SAMPLE. Raises DataRefused when the
    data at `source` cannot be read or are others by now.
    """
    dataset = data.open_source(source)
    if dataset.fingerprint != fingerprint:
        raise data.DataRefused(f"Expected the data of the run. Received: others in {source}.")
    chosen, _ = choose(dataset.test.labels, SAMPLE, 0.0, seed=0)
    return dataset.test.images[chosen], dataset.test.labels[chosen]


def measure(
    run: Run, moment: float, name: str, level: float, logits: Callable[[np.ndarray], np.ndarray]
) -> dict[str, Any]:
    """Distort the sample, have it read by the network of a moment, keep and return what came out.

    `logits` gives float32 (N, 10) of images uint8 (N, 28, 28). Returned are `level`, how many were
    `right` `of` how many, and `confidence`: the mean probability of the true digit, 0 to 1. A level
    that is kept already is not measured again. Raises ValueError for a name or level that
    DISTORTIONS has not, RunsError without weights, data, or space to keep it.
    """
    if name not in DISTORTIONS:
        raise ValueError(f"Expected one of {', '.join(DISTORTIONS)}. Received: {name!r}.")
    # Before the network is read: should it be recorded anew meanwhile, this line will not count.
    recorded = _recorded(run, moment)
    if recorded is None:
        raise RunsError(f"No readable weights of epoch {moment:g} in {run.id}.")
    if kept := _lines(run, moment, name).get(level):
        return kept
    try:
        images, labels = sample(str(run.dataset.get("source")), str(run.dataset.get("fingerprint")))
    except (OSError, ValueError) as error:
        raise RunsError(f"The data of this run cannot be read: {error}") from error
    distorted = DISTORTIONS[name].apply(images, level)
    batches = [distorted[first : first + BATCH] for first in range(0, len(distorted), BATCH)]
    said = np.concatenate([logits(batch) for batch in batches])
    if not np.isfinite(said).all():
        raise RunsError(runs.NOT_NUMBERS)
    true = np.exp(log_softmax(said)[np.arange(len(labels)), labels])
    found = {
        "level": float(level),
        "right": int((said.argmax(1) == labels).sum()),
        "of": len(labels),
        "confidence": float(true.mean()),
    }
    _append(_place(run, moment, name), found | {"weights": recorded})
    return found


def _place(run: Run, moment: float, name: str) -> Path:
    return run.path / "robustness" / f"{runs.moment_name(moment)}-{name}.jsonl"


def _recorded(run: Run, moment: float) -> int | None:
    """Return when the weights of a moment were written, in nanoseconds, or None."""
    with contextlib.suppress(OSError):
        return (run.path / "weights" / f"{runs.moment_name(moment)}.npz").stat().st_mtime_ns
    return None


def _append(path: Path, line: dict[str, Any]) -> None:
    """Append in a single write, so that two processes may; after half a line, on a new one."""
    try:
        path.parent.mkdir(exist_ok=True)  # a run that was deleted does not come back
        with open(path, "ab", buffering=0) as file:
            file.write(b"\n" + json.dumps(line).encode() + b"\n")
    except OSError as error:
        raise RunsError(
            f"What was measured cannot be kept in {path.parent}: {error.strerror or error}. Free "
            "some disk space, or choose another run if this one was deleted."
        ) from error


def _lines(run: Run, moment: float, name: str) -> dict[float, dict[str, Any]]:
    """Return what is kept of the weights there are, by level; what is no such line is left out."""
    found: dict[float, dict[str, Any]] = {}
    recorded = _recorded(run, moment)
    with contextlib.suppress(OSError):
        for text in _place(run, moment, name).read_bytes().splitlines():
            with contextlib.suppress(*_BROKEN):
                line = json.loads(text)
                level, confidence = float(line["level"]), float(line["confidence"])
                right, of = operator.index(line["right"]), operator.index(line["of"])
                sound = math.isfinite(level) and 0 <= right <= of > 0 and 0 <= confidence <= 1
                if sound and line["weights"] == recorded:
                    values = (level, right, of, confidence)
                    found[level] = dict(zip(_COLUMNS, values, strict=True))
    return found


def curve(run: Run, moment: float, name: str) -> pd.DataFrame:
    """Return what was measured, a level a row, ascending; no rows where nothing was.

    Columns: level, accuracy (0 to 1), of (how many digits), confidence (0 to 1).
    """
    lines = sorted(_lines(run, moment, name).values(), key=lambda line: line["level"])
    frame = pd.DataFrame(lines, columns=_COLUMNS).astype(
        {"level": float, "right": float, "of": int, "confidence": float}
    )
    frame.insert(1, "accuracy", frame.pop("right") / frame["of"])
    return frame


def missing(run: Run, moment: float, name: str) -> list[float]:
    """Return the levels of a distortion that are still to be measured, ascending."""
    kept = _lines(run, moment, name)
    return [float(level) for level in DISTORTIONS[name].levels if level not in kept]
