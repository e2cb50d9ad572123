"""From a press to its effect: the drive of a running training, in a real browser.

    MNIST_PATH=…/mnist.npz python tests/benchmarks/bench_driving.py [--repeats 5]

The effect is what the page itself shows. The trainer is warm, the network is the Deep MLP, which
trains some seconds an epoch.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.bench_training import wait_until_warm
from tests.benchmarks.serving import IDLE, browse, serve, table

STATUS = "[data-testid=stProgress]"


def wait(page, condition: str, argument: str) -> float:
    """Wait until a condition on the status line holds; return the seconds it took."""
    began = time.perf_counter()
    page.wait_for_function(condition, arg=argument, polling=20)
    return time.perf_counter() - began


def says(page, text: str) -> float:
    return wait(
        page,
        f"text => document.querySelector('{STATUS}')?.innerText.includes(text)",
        text,
    )


def press(page, name: str) -> None:
    page.get_by_role("button", name=name, exact=False).first.click()


def first_point(page) -> float:
    """Start a run; return the seconds from the press until the first point is on its chart."""
    press(page, "Start training")
    return wait(
        page,
        """() => {
            const said = document.querySelector('[data-testid=stProgress]')?.innerText ?? "";
            const lines = document.querySelectorAll(".st-key-curve_accuracy path.js-line");
            const drawn = [...lines].some((line) => line.getAttribute("d")?.includes("L"));
            return said.includes(" left") && drawn;
        }""",
        "",
    )


def one_round(url: str, page, seed: int) -> dict[str, float]:
    page.goto(f"{url}/train?layers=dense-256~dense-128~dense-64&epochs=60&seed={seed}")
    page.wait_for_selector(IDLE)
    time.sleep(2)
    found = {"Start → first point": first_point(page)}
    says(page, "epoch 1 of")
    time.sleep(2)
    page.locator(".st-key-drive").get_by_role("button", name="rate ").first.click()
    page.get_by_test_id("stMenuButtonBody").get_by_text("0.0005", exact=True).click()
    found["new learning rate"] = says(page, "learning rate 0.0005")
    press(page, "Pause")
    found["pause"] = says(page, "paused")
    time.sleep(1)
    press(page, "Resume")
    found["resume"] = says(page, "learning rate")
    time.sleep(2)
    press(page, "Stop")
    found["stop"] = says(page, "stopped")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    mnist = os.path.abspath(os.environ["MNIST_PATH"])
    found: list[dict[str, float]] = []
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        serve(Path(folder), mnist) as (url, _),
        browse() as page,
    ):
        page.goto(f"{url}/train")
        page.wait_for_selector(IDLE)
        wait_until_warm(Path(folder))
        for number in range(repeats + 1):  # the first compiles this network
            found.append(one_round(url, page, number))
            print(number, found[-1], file=sys.stderr, flush=True)
    rows = []
    for name in found[0]:
        values = [each[name] for each in found[1:]]
        bar = "≤ 2.5 s" if "Start" in name else "≤ 1 s"
        middle = f"{statistics.median(values):.2f} s (longest {max(values):.2f} s)"
        rows.append((name, middle, bar))
    table(rows)


if __name__ == "__main__":
    main()
