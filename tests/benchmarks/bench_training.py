"""Training speed side by side, in interleaved fresh processes on this machine.

    MNIST_PATH=…/mnist.npz python tests/benchmarks/bench_training.py [--repeats 5] [--best]

One repetition runs, one after the other: the paper's script; the same training headless and
recorded; the same on the app's Train page in a browser, everything shown, with the trainer just
started and with it warm; a PyTorch loop, where torch is installed; the Small CNN; and how much time
the recording takes. Seconds count from imports done and arrays in memory. --best adds three seeds
of "Best in two minutes" (six minutes).
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mnist_core import data, paper, runs
from tests.benchmarks.serving import IDLE, PROJECT, browse, serve, table

HERE = Path(__file__).parent
PAPER = "the paper's script"


def last_json(command: list[str]) -> dict:
    done = subprocess.run(
        command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def script(name: str, mnist: str) -> list[str]:
    return [sys.executable, str(HERE / name), mnist]


def small_cnn(mnist: str, seed: int, paper_seconds: float) -> tuple[float, float]:
    """Train the Small CNN; return its time to 99 % ÷ the paper's, and its test accuracy.

    The time ends with the epoch after which the test accuracy was first so high; infinite if never.
    """
    with tempfile.TemporaryDirectory() as folder:
        told = last_json(
            [
                *(sys.executable, "-m", "mnist_core", "train", "--preset", "small-cnn"),
                *("--seed", str(seed), "--data", mnist, "--runs", folder, "--json"),
            ]
        )
        (run,) = runs.list_runs(Path(folder))
        labels = data.open_source(mnist).test.labels
        right = {
            moment: (run.logits(moment).argmax(axis=1) == labels).mean() for moment in run.moments
        }
        reached = [moment for moment, share in right.items() if share >= 0.99]
        needed = run.epochs.loc[int(reached[0]), "seconds"] if reached else float("inf")
    return needed / paper_seconds, told["test_accuracy"]


def headless(mnist: str, preset: str, seed: int = 1) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        return last_json(
            [
                *(sys.executable, "-m", "mnist_core", "train", "--preset", preset),
                *("--seed", str(seed), "--data", mnist, "--runs", folder, "--json"),
            ]
        )


def on_the_page(mnist: str, warm: bool) -> float:
    """Start the paper's training by its button; return the recorded seconds."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        serve(Path(folder), mnist) as (url, _),
        browse() as page,
    ):
        page.goto(f"{url}/train")
        page.wait_for_selector(IDLE)
        if warm:
            wait_until_warm(Path(folder))
        page.get_by_role("button", name="Start training").click()
        page.wait_for_selector(".mnist-chart.drawn")
        while True:
            time.sleep(0.5)
            found = runs.list_runs(Path(folder))
            if found and not found[0].active:
                return found[0].status["seconds"]


def wait_until_warm(folder: Path) -> None:
    """Wait until the trainer has used no processor time for two seconds."""
    import psutil

    quiet, before = 0, -1.0
    while quiet < 4:
        time.sleep(0.5)
        spent = sum(
            sum(process.cpu_times()[:2])
            for process in psutil.process_iter(["cmdline"])
            if str(folder) in (process.info["cmdline"] or [])
        )
        quiet = quiet + 1 if spent - before < 0.1 and spent > 3 else 0
        before = spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--best", action="store_true")
    options = parser.parse_args()
    repeats = options.repeats
    mnist = os.path.abspath(os.environ["MNIST_PATH"])
    kinds = {
        "headless": lambda: headless(mnist, "paper")["seconds"],
        "page, cold trainer": lambda: on_the_page(mnist, warm=False),
        "page, warm trainer": lambda: on_the_page(mnist, warm=True),
    }
    if importlib.util.find_spec("torch"):
        kinds["PyTorch loop"] = lambda: last_json(script("torch_script.py", mnist))["seconds"]
    seconds: dict[str, list[float]] = {name: [] for name in (PAPER, *kinds)}
    artefacts, cnn = [], []
    for number in range(repeats):
        paper_script = last_json(script("paper_script.py", mnist))
        seconds[PAPER].append(paper_script["seconds"])
        for name, measure in kinds.items():
            seconds[name].append(measure())
        spent = last_json(script("artefact_script.py", mnist))
        artefacts.append(spent["artefacts"] / spent["seconds"])
        if number < 3:
            cnn.append(small_cnn(mnist, number + 1, paper_script["seconds"]))
        line = ", ".join(f"{name} {values[-1]:.1f} s" for name, values in seconds.items())
        print(f"{number + 1}: {line}", file=sys.stderr, flush=True)

    def row(name: str, other: str, bar: str) -> tuple[str, str, str]:
        pairs = zip(seconds[name], seconds[other], strict=True)
        ratios = [own / theirs for own, theirs in pairs]
        spread = f"{min(ratios):.2f}–{max(ratios):.2f}"
        middle = statistics.median(seconds[name])
        ratio = f"{statistics.median(ratios):.2f} ({spread}; {middle:.1f} s)"
        return f"{name} ÷ {other}", ratio, bar

    rows = [
        ("the paper's script", f"{statistics.median(seconds[PAPER]):.1f} s", ""),
        row("headless", PAPER, "≤ 0.22"),
        row("page, cold trainer", PAPER, "≤ 0.40"),
        row("page, warm trainer", PAPER, "≤ 0.40"),
        row("page, warm trainer", "headless", "≤ 1.25"),
    ]
    if "PyTorch loop" in seconds:
        rows.append(row("headless", "PyTorch loop", "< 0.7"))
    share = f"{statistics.median(artefacts):.1%} ({min(artefacts):.1%}–{max(artefacts):.1%})"
    rows.append(("what each epoch's recording takes of the training", share, "≤ 5 %"))
    for seed, (ratio, accuracy) in enumerate(cnn, 1):
        rows.append(
            (
                f"Small CNN, seed {seed}: time to 99.0 % ÷ paper's script; test accuracy",
                f"{ratio:.2f}; {accuracy:.4f}",
                "≤ 1.0; ≥ 0.990",
            )
        )
    for seed in (1, 2, 3):
        result = headless(mnist, "paper", seed)
        values = result["history"]["val_accuracy"]
        furthest = max(
            abs(own - told) for own, told in zip(values, paper.EPOCHS["val_accuracy"], strict=True)
        )
        rows.append(
            (
                f"paper's preset, seed {seed}: val_accuracy, furthest epoch from the paper",
                f"{values[-1]:.4f}, {furthest:.4f}",
                "0.970–0.982, ≤ 0.01",
            )
        )
    same = headless(mnist, "paper", 1)["history"] == headless(mnist, "paper", 1)["history"]
    rows.append(("paper's preset twice: identical history", str(same), "True"))
    for seed in (1, 2, 3) if options.best else ():
        result = headless(mnist, "best", seed)
        rows.append(
            (
                f"Best in two minutes, seed {seed}: test accuracy; seconds",
                f"{result['test_accuracy']:.4f} ({result['val_accuracy']:.4f}); "
                f"{result['seconds']:.0f} s",
                "≥ 0.994; ≤ 120 s",
            )
        )
    table(rows)


if __name__ == "__main__":
    main()
