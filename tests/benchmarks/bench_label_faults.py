"""Which average over runs finds wrong labels best? Labels made wrong on purpose tell.

MNIST_PATH=…/mnist.npz python tests/benchmarks/bench_label_faults.py [RUNS]

RUNS is a folder with runs on MNIST; without it three Small CNNs and three paper networks are
trained first. Of the test set's labels 50 are made wrong, the recorded logits stay: at random, or
plausibly (the digit that the networks find next best). 20 draws each; the app uses rank().
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mnist_core import data, label_faults, runs
from mnist_core.evaluation import Evaluation

DRAWS, FAULTS, FIRST = 20, 50, 100


def train(folder: Path) -> None:
    """Train three Small CNNs and three paper networks, seeds 1 to 3."""
    for preset in ("small-cnn", "paper"):
        for seed in "123":
            command = [sys.executable, "-m", "mnist_core", "train", "--preset", preset]
            command += ["--seed", seed, "--runs", str(folder)]
            subprocess.run(
                command, cwd=Path(__file__).resolve().parents[2], check=True, capture_output=True
            )


def averages(evaluations: list[Evaluation]) -> dict[str, np.ndarray]:
    """Return name -> scores (N,), the smallest the most suspicious."""
    labels, rows = evaluations[0].labels, np.arange(len(evaluations[0].labels))

    def other(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[rows, labels] = -np.inf
        return values.max(axis=1)

    each = [one.probabilities for one in evaluations]
    logs = [one.log_probabilities for one in evaluations]
    mean = np.mean(each, axis=0)
    own = np.array([shares[rows, labels] for shares in each])
    margin = own - np.array([other(shares) for shares in each])
    place = np.empty(len(labels))
    place[label_faults.rank(evaluations).order] = rows
    return {
        "mean margin, ties by self-confidence (rank)": place,
        "mean self-confidence": own.mean(0),
        "mean log self-confidence": np.mean([log[rows, labels] for log in logs], axis=0),
        "margin of the mean probabilities": mean[rows, labels] - other(mean),
        "largest self-confidence": own.max(0),
        "largest margin": margin.max(0),
        "ranks of both means, added": own.mean(0).argsort().argsort()
        + margin.mean(0).argsort().argsort(),
    }


def draw(evaluations: list[Evaluation], plausible: bool, seed: int):
    """Return the evaluations with changed labels, and which were changed, bool (N,)."""
    rng = np.random.default_rng(seed)
    labels = evaluations[0].labels.astype(np.int64)
    hit = rng.choice(len(labels), FAULTS, replace=False)
    if plausible:
        next_best = np.mean([one.log_probabilities for one in evaluations], axis=0)[hit]
        next_best[np.arange(FAULTS), labels[hit]] = -np.inf
        labels[hit] = next_best.argmax(axis=1)
    else:
        labels[hit] = (labels[hit] + rng.integers(1, 10, FAULTS)) % 10
    faulty = np.isin(np.arange(len(labels)), hit)
    return [Evaluation(labels, one.logits) for one in evaluations], faulty


def main() -> None:
    dataset = data.open_source(os.environ["MNIST_PATH"])
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else temporary)
        if len(sys.argv) < 2:
            train(folder)
        found = [run for run in runs.list_runs(folder) if run.state == "completed"]
        groups = {
            "CNN": [run for run in found if run.config.convolutional][:3],
            "paper": [run for run in found if not run.config.convolutional][:3],
        }
        groups["one CNN"] = groups["CNN"][:1]
        evaluations = {
            name: [Evaluation(dataset.test.labels, run.logits(run.moments[-1])) for run in group]
            for name, group in groups.items()
        }
    began = time.perf_counter()
    label_faults.rank(
        [Evaluation(one.labels, one.logits) for one in evaluations["CNN"]]
    )  # nothing kept from before
    print(f"ranking 10,000 labels by three runs: {time.perf_counter() - began:.3f} s\n")
    print("| runs | faults | average | least in the first 100 | mean | average precision |")
    print("|---|---|---|---|---|---|")
    for name, group in evaluations.items():
        for plausible in (False, True):
            rows: dict[str, list[tuple[int, float]]] = {}
            for seed in range(DRAWS):
                changed, faulty = draw(group, plausible, seed)
                for average, score in averages(changed).items():
                    first = np.argsort(score, kind="stable")[:FIRST]
                    precision = average_precision_score(faulty, -score)
                    rows.setdefault(average, []).append((int(faulty[first].sum()), precision))
            for average, draws in rows.items():
                counts, precisions = zip(*draws, strict=True)
                print(
                    f"| {len(group)} {name} | {'plausible' if plausible else 'random'} | {average} "
                    f"| {min(counts)} | {statistics.mean(counts):.1f} "
                    f"| {statistics.mean(precisions):.3f} |"
                )


if __name__ == "__main__":
    main()
