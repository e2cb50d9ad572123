"""Training speed beside the paper's script, in interleaved fresh processes on this machine.

    MNIST_PATH=…/mnist.npz python tests/benchmarks/bench_training.py [--repeats 5]

One repetition runs, one after the other: the paper's script; the same training headless and
recorded; the same on the app's Train page in a browser, with the trainer just started and with it
warm; and the Small CNN. Seconds count from imports done and arrays in memory.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mnist_core import paper, runs
from tests.benchmarks.serving import IDLE, PROJECT, browse, serve, table

HERE = Path(__file__).parent


def last_json(command: list[str]) -> dict:
    done = subprocess.run(
        command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


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
        tempfile.TemporaryDirectory() as folder,
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
    repeats = parser.parse_args().repeats
    mnist = os.path.abspath(os.environ["MNIST_PATH"])
    kinds = {
        "headless": lambda: headless(mnist, "paper")["seconds"],
        "page, cold trainer": lambda: on_the_page(mnist, warm=False),
        "page, warm trainer": lambda: on_the_page(mnist, warm=True),
        "Small CNN": lambda: headless(mnist, "small-cnn")["seconds"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in ("paper", *kinds)}
    for number in range(repeats):
        seconds["paper"].append(
            last_json([sys.executable, str(HERE / "paper_script.py"), mnist])["seconds"]
        )
        for name, measure in kinds.items():
            seconds[name].append(measure())
        line = ", ".join(f"{name} {values[-1]:.1f} s" for name, values in seconds.items())
        print(f"{number + 1}: {line}", file=sys.stderr, flush=True)

    def row(name: str, bar: str) -> tuple[str, str, str]:
        ratios = [own / theirs for own, theirs in zip(seconds[name], seconds["paper"], strict=True)]
        middle = statistics.median(seconds[name])
        ratio = statistics.median(ratios)
        spread = f"{min(ratios):.2f}–{max(ratios):.2f}"
        return f"{name} ÷ the paper's script", f"{ratio:.2f} ({spread}; {middle:.1f} s)", bar

    rows = [
        ("the paper's script", f"{statistics.median(seconds['paper']):.1f} s", ""),
        row("headless", "≤ 0.30"),
        row("page, cold trainer", "≤ 0.40"),
        row("page, warm trainer", "≤ 0.40"),
        row("Small CNN", "≤ 1.2"),
    ]
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
    for seed in (1, 2, 3):
        result = headless(mnist, "small-cnn", seed)
        rows.append(
            (
                f"Small CNN, seed {seed}: test accuracy (validation)",
                f"{result['test_accuracy']:.4f} ({result['val_accuracy']:.4f})",
                "≥ 0.990",
            )
        )
    table(rows)


if __name__ == "__main__":
    main()
