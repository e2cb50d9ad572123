"""What people decided about test digits: is the model wrong, or the label?

<runs>/marks/<fingerprint>.json    {"dataset": "MNIST", "marks": {"247": "label", "340": "model"}}

A verdict is about an image of a dataset and not about a run, so there is one file a dataset.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from mnist_core import wording
from mnist_core.files import write_json
from mnist_core.runs import RunsError

VERDICTS = {"model": "the model's fault", "label": "the label's fault", "unclear": "unclear"}
LOCK_SECONDS = 5.0


@dataclass(frozen=True)
class Marks:
    """Verdicts by index in the test set, and sentences about what could not be read."""

    verdicts: dict[int, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def of(self, verdict: str) -> np.ndarray:
        """Return the indices with a verdict, int64, ascending."""
        found = (index for index, given in self.verdicts.items() if given == verdict)
        return np.array(sorted(found), np.int64)


def _place(root: Path, fingerprint: str) -> Path:
    return root / "marks" / f"{fingerprint[:16]}.json"


def read(root: Path, fingerprint: str, total: int) -> Marks:
    """Return the marks of a test set of `total` images; what cannot be read is said, not raised."""
    path = _place(root, fingerprint)
    try:
        kept = _load(path)["marks"]
    except (OSError, ValueError) as error:
        problem = (
            f"The file of marks {path} cannot be read: {error}. Correct it, or mark a digit: then "
            "it is put aside and a new one begins."
        )
        return Marks(problems=[problem])
    verdicts = {
        int(index): verdict
        for index, verdict in kept.items()
        if re.fullmatch("0|[1-9][0-9]{0,7}", index)
        and int(index) < total
        and isinstance(verdict, str)
        and verdict in VERDICTS
    }
    strange = len(kept) - len(verdicts)
    expected = f'expected "0" to "{total - 1}": one of {", ".join(VERDICTS)}'
    left_out = f"{wording.count(strange, 'mark')} in {path} left out: {expected}."
    return Marks(verdicts, [left_out] if strange else [])


def _load(path: Path) -> dict[str, Any]:
    """Return a file as it stands there, {"marks": {…}} at least; raises OSError, ValueError."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {"marks": {}}
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(kept, dict) or not isinstance(kept.get("marks"), dict):
        raise ValueError('expected {"marks": {…}}')
    return kept


def mark(root: Path, dataset: Mapping[str, Any], index: int, verdict: str | None) -> None:
    """Keep a verdict of VERDICTS on a test image, or none; `dataset` is Dataset.describe().

    What is not understood stays in the file; a file that is none is put aside. Raises
    ValueError for an unknown verdict, RunsError when nothing can be written.
    """
    if verdict is not None and verdict not in VERDICTS:
        raise ValueError(f"Expected one of {', '.join(VERDICTS)}. Received: {verdict!r}.")
    path = _place(root, dataset["fingerprint"])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), timeout=LOCK_SECONDS):
            try:
                kept = _load(path)
            except ValueError:
                path.replace(path.with_suffix(f".unreadable-{time.time_ns()}"))
                kept = {"marks": {}}
            kept["marks"].pop(str(index), None)
            if verdict is not None:
                kept["marks"][str(index)] = verdict
            write_json(path, kept | {"dataset": dataset["name"]})
    except (OSError, Timeout) as error:
        raise RunsError(f"The mark cannot be kept in {path.parent}: {error}") from error


def table(marks: Marks, labels: np.ndarray, read: np.ndarray, margin: np.ndarray) -> bytes:
    """Return the marks as CSV, by index: index, label, what the networks read, margin, verdict.

    labels, read (N,) and margin (N,) are the test set's: label_faults.Ranking. The margin is the
    label's probability minus that of the best other digit.
    """
    index = np.array(sorted(marks.verdicts), np.int64)
    frame = pd.DataFrame(
        {
            "index": index,
            "label": labels[index],
            "networks_read": read[index],
            "label_minus_best_other": margin[index].round(6),
            "verdict": [marks.verdicts[int(i)] for i in index],
        }
    )
    return frame.to_csv(index=False).encode()
