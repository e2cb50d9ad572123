"""Start, pages, filters and memory of the app in a real browser, with full MNIST.

MNIST_PATH=…/mnist.npz python tests/benchmarks/bench_app.py
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mnist_core import runs
from tests.benchmarks.serving import IDLE, browse, serve, table

PAGES = ("Browse", "Train", "Evaluate", "Mistakes")
SIGN = {  # what is on the screen when a page has been drawn
    "Browse": ".st-key-browse_grid",
    "Train": ".st-key-curve_loss .mnist-chart.drawn",
    "Evaluate": ".st-key-confusion .mnist-chart.drawn",
    "Mistakes": ".st-key-mistake_probabilities .mnist-chart.drawn",
}


def megabytes(process: psutil.Process) -> float:
    """Resident memory in MB; pages that processes share count in each of them."""
    return process.memory_info().rss / 1e6


def first_page(mnist: str) -> float:
    """Seconds from `streamlit run` to the first page drawn, digits included."""
    with browse() as page, tempfile.TemporaryDirectory() as folder:
        page.goto("about:blank")
        began = time.perf_counter()
        with serve(Path(folder), mnist) as (url, _):
            page.goto(url, wait_until="commit")
            page.wait_for_selector("canvas", state="attached")
            page.wait_for_function(
                "[...document.querySelectorAll('.st-key-home_digits *')].some("
                "e => e.shadowRoot?.querySelector('[data-token]'))"
            )
            return time.perf_counter() - began


def switches(page) -> list[float]:
    seconds = []
    for _ in range(5):
        for name in PAGES:
            began = time.perf_counter()
            page.get_by_role("link", name=name, exact=True).click()
            page.wait_for_selector(SIGN[name])
            page.wait_for_selector(IDLE)
            seconds.append(time.perf_counter() - began)
    return seconds


TOKEN = """() => {
  const roots = [...document.querySelectorAll('.st-key-browse_grid *')].map(e => e.shadowRoot);
  return roots.map(r => r?.querySelector('[data-token]')?.dataset.token).find(Boolean) ?? null;
}"""


def filters(page) -> list[float]:
    """Seconds from a click on a digit's filter until the grid has drawn the new images."""
    page.get_by_role("link", name="Browse", exact=True).click()
    page.wait_for_selector(IDLE)
    seconds = []
    for digit in (*range(10), *range(10)):
        page.wait_for_timeout(300)
        before = page.evaluate(TOKEN)
        began = time.perf_counter()
        page.locator(".st-key-browse_labels button", has_text=str(digit)).click()
        page.wait_for_function(f"({TOKEN})() !== {before!r}")
        seconds.append(time.perf_counter() - began)
    return seconds


def main() -> None:
    mnist = os.path.abspath(os.environ["MNIST_PATH"])
    starts = [first_page(mnist) for _ in range(5)]
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(Path(folder), mnist) as (url, server),
        browse() as page,
    ):
        page.goto(url)
        page.get_by_role("button", name="Train the paper's network").click()
        while not (found := runs.list_runs(Path(folder))) or found[0].active:
            time.sleep(0.5)
        for name in PAGES:
            page.get_by_role("link", name=name, exact=True).click()
            page.wait_for_selector(SIGN[name])
        page.wait_for_timeout(3000)
        switched, filtered = switches(page), filters(page)
        page.locator(".st-key-browse_ask label").click()  # starts the answering process, too
        page.wait_for_selector(".st-key-browse_answer .mnist-chart.drawn")
        process = psutil.Process(server.pid)
        tensorflow = sum("tensorflow" in item.path for item in process.memory_maps())
        of_server = megabytes(process)
        everything = of_server + sum(megabytes(p) for p in process.children(recursive=True))
    start, switch, filter_ = map(statistics.median, (starts, switched, filtered))
    table(
        [
            ("`streamlit run` to the first page drawn", f"{start:.1f} s", "≤ 3 s"),
            ("switching pages, median", f"{switch:.2f} s", "≤ 0.5 s"),
            ("a filter in Browse until its images show", f"{filter_:.2f} s", "≤ 0.5 s"),
            ("server's memory after all pages with a run", f"{of_server:.0f} MB", "≤ 350 MB"),
            ("TensorFlow libraries mapped in the server", str(tensorflow), "0"),
            ("server, trainer and answering process", f"{everything / 1e3:.2f} GB", "≤ 2.2 GB"),
        ]
    )


if __name__ == "__main__":
    main()
