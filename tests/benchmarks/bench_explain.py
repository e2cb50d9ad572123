"""How far are the equations in NumPy from Keras, on the real MNIST?

MNIST_PATH=…/mnist.npz python tests/benchmarks/bench_explain.py [RUNS]

RUNS is a folder with runs on MNIST; without it the paper's network and the Small CNN are trained
first. The last recorded epoch of each explains the first 100 test digits.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from float64_keras import Clone, apart, in_order

from mnist_core import data, moment, recording, runs, same_step
from tests.benchmarks.serving import PROJECT, table

DIGITS = 100
PRESETS = {"paper": "the paper's network", "small-cnn": "Small CNN"}
QUANTITIES = ("probabilities", "logits", "loss", "gradient", "step", "loss after the step")


def train(folder: Path) -> None:
    for preset in PRESETS:
        command = [sys.executable, "-m", "mnist_core", "train", "--preset", preset]
        command += ["--runs", str(folder)]
        subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)


def found(folder: Path) -> dict[str, runs.Run]:
    """Return the newest completed run of each kind, by what it is called here."""
    done = [run for run in runs.list_runs(folder) if run.state == "completed"]
    paper = next(run for run in done if run.like_paper)
    return {
        PRESETS["paper"]: paper,
        PRESETS["small-cnn"]: next(run for run in done if run.config.name == "Small CNN"),
    }


def in_float64(chosen: dict[str, runs.Run], images: np.ndarray, labels: np.ndarray) -> None:
    """The same digit twice in float64: what is left is an error of the equations."""
    rows = []
    for name, run in chosen.items():
        epoch = run.moments[-1]
        at, arrays = moment.read(run, epoch), recording.read_weights(run, epoch)
        worst = dict.fromkeys(("forward", "loss", "gradients", "Adam step"), 0.0)

        def seen(what: str, ours, theirs, worst=worst) -> None:
            worst[what] = max(worst[what], apart(ours, theirs))

        clone = Clone(run.config, arrays, images[:1], labels[:1])
        for image, label in zip(images, labels, strict=True):
            clone = clone.of(image[None], np.array([label]))
            mine = at.explain(image, label)
            for ours, theirs in zip(mine.values[-2:], clone.values[-2:], strict=True):
                seen("forward", ours, theirs)
            seen("loss", np.float64(mine.loss), np.float64(clone.loss))
            for ours, theirs in zip(in_order(mine.gradients), clone.gradients, strict=True):
                seen("gradients", ours, theirs)
            steps = clone.steps(run.config, arrays, at.rate)
            mine_steps = [each["step"] for each in in_order(at.next_step(mine).numbers)]
            for ours, theirs in zip(mine_steps, steps, strict=True):
                seen("Adam step", ours, theirs)
        rows += [(f"{name}, float64: {what}, largest difference / largest entry",
                  f"{share:.1e}", "≤ 1e-6") for what, share in worst.items()]  # fmt: skip
    table(rows)


def against_the_run(chosen: dict[str, runs.Run], images: np.ndarray, labels: np.ndarray) -> None:
    """The app's own comparison with the network that was trained, in float32."""
    rows = []
    for name, run in chosen.items():
        worst = dict.fromkeys(QUANTITIES, (0.0, 0.0, 0))
        seconds = []
        for image, label in zip(images, labels, strict=True):
            began = time.perf_counter()
            told = same_step.compare(run, run.moments[-1], image, int(label))["rows"]
            seconds.append(time.perf_counter() - began)
            for quantity, size, difference in told:
                what = quantity if quantity in worst else quantity.split(" of ")[0].split()[-1]
                most, beside, above = worst[what]
                if difference >= most:
                    most, beside = difference, size
                worst[what] = (most, beside, above + (difference > 1e-6))
        for what, (most, beside, above) in worst.items():
            more = f" (largest entry there {beside:.3g}; {above} above 1e-6)"
            rows.append((f"{name}, its own float32: {what}", f"{most:.1e}{more}", "≤ 1e-6"))
        recorded = run.logits(run.moments[-1])
        alone = [same_step.by_keras(run, run.moments[-1], image, int(label))["logits"][0]
                 for image, label in zip(images, labels, strict=True)]  # fmt: skip
        own = float(np.abs(alone - recorded[: len(alone)]).max())
        rows.append((f"{name}: Keras's logits of one digit and of many at once", f"{own:.1e}", "–"))
        middle = f"{statistics.median(seconds[1:]):.3f} s (first {seconds[0]:.1f} s)"
        rows.append((f"{name}: an answer, median", middle, "< 0.1 s"))
    table(rows)


def main() -> None:
    dataset = data.open_source(os.environ["MNIST_PATH"])
    images = dataset.test.images[:DIGITS]
    labels = dataset.test.labels[:DIGITS].astype(np.int64)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else temporary)
        if len(sys.argv) < 2:
            train(folder)
        chosen = found(folder)
        in_float64(chosen, images, labels)
        print()
        against_the_run(chosen, images, labels)


if __name__ == "__main__":
    main()
