"""What the trainer records into a run's folder (see runs.py), and from where it can be resumed."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import numpy as np
import pandas as pd

from mnist_core.files import UNREADABLE, beside, write_arrays
from mnist_core.runs import Run, RunsError, moment_name, read_metrics


def append(run: Run, line: dict[str, Any]) -> None:
    """Append one report to metrics.jsonl in a single write."""
    with open(run.path / "metrics.jsonl", "ab") as file:
        file.write(json.dumps(line).encode() + b"\n")


def record_logits(run: Run, moment: float, logits: np.ndarray) -> None:
    """Write the test set's logits of a moment, float32 (n_test, 10)."""
    write_arrays(run.path / "predictions" / f"{moment_name(moment)}.npy", np.save, logits)


def record_weights(run: Run, moment: float, arrays: dict[str, np.ndarray]) -> None:
    """Write weights and training state of a moment; from now on a resume starts here.

    A stop within an epoch is superseded by what is recorded after it.
    """
    write_arrays(run.path / "weights" / f"{moment_name(moment)}.npz", np.savez, **arrays)
    for folder in ("weights", "predictions"):
        for file in (run.path / folder).glob("*.???.np?"):
            if float(file.stem) < moment:
                file.unlink(missing_ok=True)


def last_weights(run: Run) -> tuple[float, dict[str, np.ndarray]] | None:
    """Return the last recorded moment and its arrays, or None; a broken file is passed over."""
    files = (run.path / "weights").glob("[0-9]*.npz")
    for file in sorted(files, key=lambda file: float(file.stem), reverse=True):
        with (
            contextlib.suppress(*UNREADABLE),
            open(file, "rb") as opened,
            np.load(opened) as arrays,
        ):
            return float(file.stem), dict(arrays)
    return None


def read_weights(run: Run, moment: float) -> dict[str, np.ndarray]:
    """Return the arrays of a recorded moment: "weights/i", "optimizer/i", "step" and others.

    Raises RunsError where none, or nothing readable, was recorded.
    """
    file = run.path / "weights" / f"{moment_name(moment)}.npz"
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except UNREADABLE as error:
        raise RunsError(f"No readable weights of epoch {moment:g} in {run.id}.") from error


def record_wrong_labels(run: Run, images: np.ndarray, labels: np.ndarray) -> None:
    """Write which training images have a wrong label in this run, and which label."""
    write_arrays(run.path / "wrong_labels.npz", np.savez, images=images, labels=labels)


def rewind(run: Run, moment: float, step: int) -> pd.DataFrame:
    """Drop what was reported or recorded after a moment: it is about to be trained again.

    Returns the reports that are kept, columns runs.METRICS.
    """
    path = run.path / "metrics.jsonl"
    kept = read_metrics(path)
    kept = kept[(kept["step"] <= step) & ~((kept["kind"] == "epoch") & (kept["epoch"] > moment))]
    lines = (json.dumps({k: v for k, v in row.items() if pd.notna(v)} | {"step": int(row["step"])})
             for row in kept.to_dict("records"))  # fmt: skip
    with beside(path) as part:
        part.write_text("".join(line + "\n" for line in lines))
    for folder in ("weights", "predictions"):
        for file in (run.path / folder).glob("[0-9]*.np?"):
            if float(file.stem) > moment:
                file.unlink(missing_ok=True)
    return kept
