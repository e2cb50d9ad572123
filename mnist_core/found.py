"""What the walk has to find something in: plain figures of the runs that are there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from mnist_core.data import Dataset
from mnist_core.evaluation import Evaluation
from mnist_core.layers import Conv, Dense
from mnist_core.runs import Run


@dataclass(frozen=True)
class Network:
    """A finished run: how it is built, and its accuracies, 0 to 1.

    `hidden` counts its dense and convolutional layers without the output; `held_out` tells whether
    it was validated on training images kept aside.
    """

    title: str
    hidden: int
    convolutional: bool
    activations: frozenset[str]
    parameters: int
    held_out: bool
    val_accuracy: float
    test_accuracy: float


@dataclass(frozen=True, eq=False)
class Found:
    """What there is to find something in; the defaults are those of an app without runs.

    `train_counts`, `test_counts`: images of each digit, int (10,). `pixels`: the least and the
    largest value. `seeds`: the epochs of the runs as in the paper, on its data, by seed (see
    reproduction.beside); `seconds` and `steps` are theirs. `networks`: finished runs on the app's
    data. `title`, `like_paper`, `epochs`, `evaluation`: of the run played, where there is one.
    """

    data_name: str = "MNIST"
    is_mnist: bool = True
    train_counts: Sequence[int] = (0,) * 10
    test_counts: Sequence[int] = (0,) * 10
    pixels: tuple[int, int] = (0, 255)
    seeds: Mapping[int, pd.DataFrame] = field(default_factory=dict)
    seconds: Sequence[float] = ()
    steps: Sequence[int] = ()
    networks: Sequence[Network] = ()
    title: str = ""
    like_paper: bool = False
    epochs: pd.DataFrame | None = None
    evaluation: Evaluation | None = None

    def last(self, name: str) -> list[float]:
        """Return a figure of the last epoch of each run as in the paper, where it is a number."""
        values = [float(table[name].iloc[-1]) for table in self.seeds.values() if len(table)]
        return [value for value in values if math.isfinite(value)]


def gather(
    dataset: Dataset,
    listed: Iterable[Run],
    played: Run | None = None,
    evaluation: Evaluation | None = None,
    pixels: tuple[int, int] = (0, 255),
) -> Found:
    """Return the figures of the app's data, of its runs, newest first, and of the one played."""
    listed = list(listed)
    repeated = of_paper(listed)
    return Found(
        data_name=dataset.name,
        is_mnist=dataset.is_mnist,
        train_counts=np.bincount(dataset.train.labels, minlength=10),
        test_counts=np.bincount(dataset.test.labels, minlength=10),
        pixels=pixels,
        seeds={seed: run.epochs for seed, run in repeated.items()},
        seconds=[float(run.status.get("seconds") or math.nan) for run in repeated.values()],
        steps=[int(run.status.get("step") or 0) for run in repeated.values()],
        networks=_networks(listed, dataset.fingerprint),
        title=played.title if played else "",
        like_paper=bool(played and played.like_paper),
        epochs=played.epochs if played else None,
        evaluation=evaluation,
    )


def of_paper(listed: Iterable[Run]) -> dict[int, Run]:
    """Return the newest finished run as in the paper, on its data, for each of the seeds 1 to 10.

    Those that Train shows beside the paper; not such whose learning rate or number of epochs was
    changed on the way.
    """
    found: dict[int, Run] = {}
    for run in listed:
        untouched = run.control["learning_rate"] is None and not run.control["epochs"]
        shown = run.config.seed in range(1, 11)
        if run.state == "completed" and run.like_paper and untouched and shown:
            found.setdefault(run.config.seed, run)
    return dict(sorted(found.items()))


def _networks(listed: list[Run], fingerprint: str) -> list[Network]:
    """Return the finished runs on these data, the newest of each training, whatever its seed."""
    found: dict = {}
    for run in listed:
        config, told = run.config, run.status
        ours = run.dataset.get("fingerprint") == fingerprint
        if not ours or run.state != "completed" or config.label_noise:
            continue
        hidden = [layer for layer in config.layers if isinstance(layer, Dense | Conv)]
        one = Network(
            title=run.title,
            hidden=len(hidden),
            convolutional=config.convolutional,
            activations=frozenset(layer.activation for layer in hidden),
            parameters=config.parameters,
            held_out=bool(config.validation_share),
            val_accuracy=float(told.get("val_accuracy") or math.nan),
            test_accuracy=float(told.get("test_accuracy") or math.nan),
        )
        found.setdefault(replace(config, seed=0, name=""), one)
    return list(found.values())
