"""Browse in a real browser with full MNIST: filters, selecting, neighbours, the map, memory.

MNIST_PATH=…/mnist.npz python tests/benchmarks/bench_browse.py
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.bench_app import TOKEN, megabytes
from tests.benchmarks.serving import IDLE, browse, serve, table

ORDERS = ("most typical", "thickest", "most slanted", "least typical", "thinnest", "by index")
MAP = ".st-key-digit_map .mnist-chart.drawn"
NEIGHBOURS = """
import statistics, time, tracemalloc
from mnist_core import data, neighbours
mnist = data.load(download=False)
search = neighbours.Neighbours(mnist.train.images)
search.nearest(mnist.test.images[0], 16)
seconds = []
for image in mnist.test.images[:50]:
    began = time.perf_counter()
    search.nearest(image, 16)
    seconds.append(time.perf_counter() - began)
tracemalloc.start()
search.nearest(mnist.test.images[0], 16)
print(statistics.median(seconds), tracemalloc.get_traced_memory()[1] / 1e6)
"""


def until_drawn(page, act) -> float:
    """Seconds from an action until the grid of Browse has drawn other images."""
    before = page.evaluate(TOKEN)
    began = time.perf_counter()
    act()
    page.wait_for_function(f"({TOKEN})() !== {before!r}")
    seconds = time.perf_counter() - began
    page.wait_for_selector(IDLE)
    page.wait_for_timeout(200)
    return seconds


def filters_and_orders(page) -> list[float]:
    """Over both splits, 70,000 images; the list of orders is opened before the clock starts."""
    until_drawn(page, page.get_by_role("radio", name="test", exact=True).click)
    until_drawn(page, page.get_by_role("radio", name="both", exact=True).click)
    seconds = []
    for _ in range(3):
        for order in ORDERS:
            page.locator(".st-key-browse_order input").click()
            seconds.append(until_drawn(page, page.get_by_role("option", name=order).click))
    digits = page.locator(".st-key-browse_labels button")
    for digit in (4, 9, 4, 9, 1, 1, 7, 7):
        seconds.append(until_drawn(page, digits.nth(digit).click))
    return seconds


def selections(page) -> list[float]:
    """Seconds from the mouse's release until Python's count of the selection is shown."""
    box = page.locator(".st-key-browse_grid [role=grid]").bounding_box()
    seconds = []
    for row in (0, 1, 2, 3, 4) * 4:
        y = box["y"] + row * 60 + 20
        count = page.locator(".st-key-selecting p").first
        before = count.inner_text()
        page.mouse.move(box["x"] + 10, y)
        page.mouse.down()
        page.mouse.move(box["x"] + 200, y + 10, steps=3)
        began = time.perf_counter()
        page.mouse.up()
        page.wait_for_function(
            "before => document.querySelector('.st-key-selecting p').innerText !== before",
            arg=before,
        )
        seconds.append(time.perf_counter() - began)
        page.wait_for_selector(IDLE)
        page.wait_for_timeout(200)
    return seconds


def visit_everything(page, url: str) -> float:
    """Open each part of Browse; return the seconds from the click on Map until it is drawn."""
    page.goto(f"{url}/browse")
    page.wait_for_selector(".st-key-browse_pixels .mnist-chart.drawn")
    page.wait_for_selector(IDLE)
    began = time.perf_counter()
    page.get_by_role("radio", name="Map").click()
    page.wait_for_selector(MAP)
    seconds = time.perf_counter() - began
    for name, sign in (
        ("Classes", ".st-key-class_balance .mnist-chart.drawn"),
        ("Before training", ".st-key-nearest .mnist-chart.drawn"),
        ("Digits", ".st-key-browse_grid"),
    ):
        page.get_by_role("radio", name=name).click()
        page.wait_for_selector(sign)
        page.wait_for_selector(IDLE)
    page.locator(".st-key-browse_order input").click()
    page.get_by_role("option", name="thickest").click()
    page.wait_for_timeout(2000)
    return seconds


def first_map(mnist: str) -> tuple[float, float, float]:
    """(seconds to the first PCA map, MB that Browse adds to the server, MB of a second session)"""
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(Path(folder), mnist) as (url, server),
    ):
        with browse() as page:
            page.goto(url)  # Home first: the page, the data and Streamlit are in memory then
            page.wait_for_selector(IDLE)
            page.wait_for_timeout(4000)
            process = psutil.Process(server.pid)
            before = megabytes(process)
            seconds = visit_everything(page, url)
            after = megabytes(process)
        with browse() as page:
            visit_everything(page, url)
            return seconds, after - before, megabytes(process) - after


def main() -> None:
    mnist = os.path.abspath(os.environ["MNIST_PATH"])
    done = subprocess.run(
        [sys.executable, "-c", NEIGHBOURS],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    nearest, floats = map(float, done.stdout.split())
    maps, added, again = zip(*(first_map(mnist) for _ in range(3)), strict=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(Path(folder), mnist) as (url, _),
        browse() as page,
    ):
        page.goto(f"{url}/browse")
        page.wait_for_selector(".st-key-browse_pixels .mnist-chart.drawn")
        page.wait_for_timeout(4000)
        filtered, selected = filters_and_orders(page), selections(page)
    middle = statistics.median
    table(
        [
            ("filter or order of 70,000 until the grid shows it, median",
             f"{middle(filtered):.2f} s (longest {max(filtered):.2f} s)", "≤ 0.4 s"),
            ("a drawn selection to Python and back, median",
             f"{middle(selected):.2f} s (longest {max(selected):.2f} s)", "≤ 0.3 s"),
            ("16 exact nearest of 60,000, median", f"{nearest * 1e3:.0f} ms", "≤ 60 ms"),
            ("… memory it takes for the time", f"{floats:.1f} MB", "no float copy (188 MB)"),
            ("PCA map of 5,000, first time, click to drawn, median",
             f"{middle(maps):.2f} s (longest {max(maps):.2f} s)", "≤ 2 s"),
            ("memory that all of Browse adds to the server, median",
             f"{middle(added):.0f} MB (most {max(added):.0f} MB)", "≤ 80 MB"),
            ("… and that a second session adds", f"{middle(again):.0f} MB", "not once more"),
        ]
    )  # fmt: skip


if __name__ == "__main__":
    main()
