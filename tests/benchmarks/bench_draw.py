"""Draw: from the pen to the prediction, in a real browser, and what the network is asked.

    MNIST_PATH=…/mnist.npz python tests/benchmarks/bench_draw.py [--strokes 15]

Two runs are trained first: the paper's and the Small CNN. A stroke counts from the pen's release
until the chart shows the new probabilities. The digits of the last row are drawn by scripted
strokes in five positions and sizes each.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mnist_core import data, driving, presets, robustness, runs, workers
from mnist_core.distortions import DISTORTIONS
from tests.benchmarks.serving import IDLE, browse, serve, table
from tests.e2e.strokes import draw, points

LONG = "train?epochs=200&layers=dense-512"
PLACES = [
    {"left": 0.2, "top": 0.2, "size": 0.6},
    {"left": 0.05, "top": 0.05, "size": 0.4},
    {"left": 0.5, "top": 0.5, "size": 0.45},
    {"left": 0.04, "top": 0.08, "size": 0.86},
    {"left": 0.55, "top": 0.1, "size": 0.35},
]
SHOWN = """() => JSON.stringify(
    Array.from(document.querySelector(".st-key-drawn_answer .mnist-chart-plot")._fullData[0].y))"""


def train(folder: Path, mnist: str) -> dict[str, runs.Run]:
    """Train the two networks, without a browser."""
    source = data.open_source(mnist)
    found = {}
    for name in ("paper", "small-cnn"):
        run = runs.create(presets.preset(name), source.describe(), root=folder)
        workers.train_claimed(runs.claim(folder), {str(source.source): source})
        found[name] = runs.read(run.id, folder)
    return found


def open_pad(page, address: str) -> None:
    page.goto(address)
    page.wait_for_selector(".st-key-drawn_answer .mnist-chart.drawn")
    page.wait_for_selector(IDLE)
    time.sleep(1)


def clear(page) -> None:
    button = page.get_by_role("button", name="Clear (Delete)")
    if button.is_enabled():
        button.click()
        page.wait_for_selector(".st-key-reading :text('Draw a digit')")
        page.wait_for_selector(IDLE)


def pen_up(page, digit: int) -> float:
    """Draw a digit; return the seconds from the pen's last release until its bars are there."""
    *_, last = strokes = points(page, digit)
    for stroke in strokes:
        page.mouse.move(*stroke[0])
        page.mouse.down()
        for point in stroke[1:]:
            page.mouse.move(*point)
            page.wait_for_timeout(4)
        if stroke is last:
            break
        page.mouse.up()
        page.wait_for_timeout(400)
    page.wait_for_timeout(700)  # the report of the stroke on its way is answered
    page.mouse.move(last[-1][0] + 12, last[-1][1] + 9)
    before = page.evaluate(SHOWN)
    began = time.perf_counter()
    page.mouse.up()
    page.wait_for_function(f"before => ({SHOWN})() !== before", arg=before, polling=10)
    return time.perf_counter() - began


def measured(page, address: str, count: int) -> list[float]:
    open_pad(page, address)
    draw(page, 3)
    page.wait_for_selector(".st-key-reading h3")  # the first answer loads TensorFlow
    found = []
    for number in range(count):
        clear(page)
        found.append(pen_up(page, number % 10))
    return found


def asked(function: str, run: runs.Run, *arguments) -> float:
    began = time.perf_counter()
    workers.ask(function, run.path, run.final, *arguments).result(60)
    return time.perf_counter() - began


def curve(run: runs.Run, name: str) -> float:
    began = time.perf_counter()
    workers.measure(run.path, run.final, name, robustness.missing(run, run.final, name)).result(60)
    return time.perf_counter() - began


def right(page, address: str) -> int:
    open_pad(page, address)
    count = 0
    for digit in range(10):
        for place in PLACES:
            clear(page)
            draw(page, digit, **place)
            page.wait_for_timeout(900)
            said = page.locator(".st-key-reading").inner_text()
            ok = f"Read as {digit}," in said or f"Not sure: {digit}," in said
            count += ok
            if not ok:
                print(digit, place, said.replace("\n", " "), file=sys.stderr, flush=True)
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strokes", type=int, default=15)
    strokes = parser.parse_args().strokes
    mnist = os.path.abspath(os.environ["MNIST_PATH"])
    rows = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        trained = train(folder, mnist)
        image = data.open_source(mnist).test.images[0]
        bars = {"paper": ("≤ 0.5 s", "≤ 2 s"), "small-cnn": ("≤ 1.5 s", "≤ 8 s")}
        for name, run in trained.items():
            asked("integrated_gradients", run, image, 7, 9)
            spent = [asked("integrated_gradients", run, image, 7, 9) for _ in range(9)]
            middle = f"{statistics.median(spent):.3f} s (longest {max(spent):.3f} s)"
            rows.append((f"integrated gradients, {name}", middle, bars[name][0]))
            spent = [curve(run, each) for each in DISTORTIONS]
            middle = f"{statistics.median(spent):.2f} s (longest {max(spent):.2f} s)"
            rows.append((f"a robustness curve of nine, {name}", middle, bars[name][1]))
        with serve(folder, mnist) as (url, _), browse() as page:
            address = f"{url}/draw?run={trained['small-cnn'].id}"
            quiet = measured(page, address, strokes)
            count = right(page, address)
            page.goto(f"{url}/{LONG}")
            page.wait_for_selector(IDLE)
            page.get_by_role("button", name="Start training").click()
            page.wait_for_function(
                "document.querySelector('[data-testid=stProgress]')?.innerText.includes(' left')"
            )
            busy = measured(page, address, strokes)
            run = runs.list_runs(folder)[0]
            assert run.active, "the training ended before the strokes did"
            driving.stop(run)
            time.sleep(3)
        for what, spent, bar in (
            ("pen up until the new prediction", quiet, "≤ 0.3 s"),
            ("the same while a training runs", busy, "≤ 0.6 s"),
        ):
            middle = f"{statistics.median(spent):.2f} s (longest {max(spent):.2f} s)"
            rows.append((what, middle, bar))
        rows.append(("scripted digits that the Small CNN reads rightly", f"{count} of 50", "≥ 45"))
    table(rows)


if __name__ == "__main__":
    main()
