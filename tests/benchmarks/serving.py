"""The real server and a real browser, for benchmarks."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
CHROMIUM = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync",
    "--disable-component-update", "--no-first-run",
]  # fmt: skip
IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"


@contextlib.contextmanager
def serve(runs: Path, mnist: str) -> Iterator[tuple[str, subprocess.Popen]]:
    """Start `streamlit run app.py` and yield its address and process once it listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true"),
            *("--server.address=127.0.0.1", f"--server.port={port}"),
        ],
        cwd=PROJECT,
        env=os.environ | {"MNIST_RUNS": str(runs), "MNIST_PATH": mnist},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(url + "/_stcore/health", timeout=1).read()
                break
            if process.poll() is not None:
                raise RuntimeError("the server stopped")
            time.sleep(0.02)
        yield url, process
    finally:
        process.terminate()
        process.wait(20)


@contextlib.contextmanager
def browse() -> Iterator:
    """Yield a Chromium page of a projector's size."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.set_default_timeout(90_000)
        yield page
        browser.close()


def table(rows: list[tuple[str, str, str]]) -> None:
    """Print rows of (what, measured, bar) as a Markdown table."""
    print("| what | measured | bar |\n|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")
