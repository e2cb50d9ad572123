"""The network as it is this moment, between two epochs, and its layers after every epoch.

live.npz is what the trainer shows of a running run, overwritten as often as it is cheap: it is not
part of the recording. layers.jsonl is: a line an epoch with the histograms of every layer's weights
and gradients.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mnist_core.files import UNREADABLE, write_arrays
from mnist_core.runs import Run

BINS = 41  # odd, so that one bin is around zero


@dataclass(frozen=True, eq=False)
class Live:
    """A glimpse of a running network.

    epoch: where it was, as 2.4; logits float32 (n, 10) of the first n test images; kernel: the
    first layer's weights as Keras holds them; layers: see layer_lines().
    """

    epoch: float
    logits: np.ndarray
    kernel: np.ndarray
    layers: list[dict[str, Any]]


def histogram(values: np.ndarray) -> dict[str, Any]:
    """Return {"low", "high", "counts"} of BINS equal bins, symmetric around zero.

    Values that are not numbers are left out.
    """
    # float64: the edges of bins of the largest and the smallest float32 are none of float32.
    values = values[np.isfinite(values)].astype(np.float64)
    high = float(np.abs(values).max(initial=0.0)) or 1.0
    counts, _ = np.histogram(values, BINS, (-high, high))
    return {"low": -high, "high": high, "counts": counts.tolist()}


def layer_lines(
    names: Sequence[str], weights: Sequence[np.ndarray], gradients: Sequence[np.ndarray]
) -> list[dict[str, Any]]:
    """Return one dict a layer: its name and the histograms of its weights and gradients."""
    return [
        {"name": name, "weights": histogram(own), "gradients": histogram(slope)}
        for name, own, slope in zip(names, weights, gradients, strict=True)
    ]


def write_live(
    run: Run, epoch: float, logits: np.ndarray, kernel: np.ndarray, layers: list[dict[str, Any]]
) -> None:
    """Write a glimpse over the one before."""
    arrays = {"epoch": np.float64(epoch), "logits": logits, "kernel": kernel}
    write_arrays(run.path / "live.npz", np.savez, **arrays, layers=np.array(json.dumps(layers)))


def read_live(run: Run) -> Live | None:
    """Return the last glimpse of a run, or None where there is none that can be read."""
    with (
        contextlib.suppress(*UNREADABLE, TypeError),
        open(run.path / "live.npz", "rb") as file,
        np.load(file, allow_pickle=False) as arrays,
    ):
        layers = json.loads(str(arrays["layers"]))
        return Live(float(arrays["epoch"]), arrays["logits"], arrays["kernel"], layers)
    return None


def append_layers(run: Run, epoch: float, layers: list[dict[str, Any]]) -> None:
    """Record the layers' histograms of an epoch; a later line of the same epoch counts."""
    line = json.dumps({"epoch": epoch, "layers": layers}).encode()
    with open(run.path / "layers.jsonl", "ab") as file:
        file.write(b"\n" * bool(file.tell()) + line)  # first: half a line spoils no other


def layers_at(run: Run, moment: float) -> list[dict[str, Any]]:
    """Return the recorded histograms of the last epoch up to a moment; [] where there are none."""
    found: list[dict[str, Any]] = []
    with contextlib.suppress(OSError):
        for line in (run.path / "layers.jsonl").read_bytes().splitlines():
            with contextlib.suppress(ValueError, TypeError, KeyError):
                row = json.loads(line)
                if row["epoch"] <= moment + 1e-9:
                    found = row["layers"]
    return found
