"""A real server and a real browser for the tests of this folder.

Skipped, with the reason, where Chromium or Playwright is missing. With MNIST_PATH the server runs
on the full MNIST, without on the built-in digits.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from mnist_core import driving, runs

PROJECT = Path(__file__).resolve().parent.parent.parent
CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
]  # fmt: skip
STREAMLITS_OWN_RACE = re.compile(
    r"Traceback(?:(?!Traceback).)*?filtered_state(?:(?!Traceback).)*?"
    r"RuntimeError: \S*dictionary changed size during iteration",
    re.DOTALL,
)
LEAVE_SECONDS = 8.0  # what any process of ours may outlive the server
# On a deep link Streamlit's own page first asks for these below the page's path.
STREAMLITS_OWN_404 = re.compile(r"/\w+/_stcore/(health|host-config)$")


def wait_for(condition, seconds, what):
    """Return the first true value of condition(), asked until the time is over."""
    ends = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < ends, f"waited {seconds} s for {what}"
        time.sleep(0.05)
    return value


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ours(line):
    """Tell whether a line of a traceback names a file of the project."""
    return f"{PROJECT}/" in line and "site-packages" not in line


class Server:
    """The app as `streamlit run app.py` serves it, with a runs folder of its own."""

    def __init__(self, folder: Path, mnist: str | None):
        self.runs, self.log = folder / "runs", folder / "server.log"
        self.full = bool(mnist)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("MNIST_")
        } | {"MNIST_RUNS": str(self.runs)}
        if mnist:
            self.environment["MNIST_PATH"] = mnist
        else:  # nothing in the caches, and a download that fails at once
            nowhere = "http://127.0.0.1:9"
            self.environment |= dict.fromkeys(("HTTPS_PROXY", "https_proxy"), nowhere)
            self.environment |= {"KERAS_HOME": str(folder / "keras"), "TMPDIR": str(folder)}
        self.seen: dict[int, psutil.Process] = {}

    def start(self):
        options = {
            "headless": "true", "address": "127.0.0.1", "port": self.port, "fileWatcherType": "none"
        }  # fmt: skip
        command = [sys.executable, "-m", "streamlit", "run", "app.py"]
        command += [f"--server.{name}={value}" for name, value in options.items()]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command, cwd=PROJECT, env=self.environment, stdout=log, stderr=log
            )
        wait_for(self.healthy, 30, f"the server: {self.log.read_text()}")

    def healthy(self):
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def children(self):
        """Return all processes that the server has started and that live, also its trainer."""
        if self.process.poll() is None:
            for child in psutil.Process(self.process.pid).children(recursive=True):
                self.seen[child.pid] = child
        return [child for child in self.seen.values() if child.is_running()]

    def end(self, how=signal.SIGTERM):
        """End the server and see that all its processes follow it."""
        children = self.children()
        self.process.send_signal(how)
        self.process.wait(LEAVE_SECONDS)
        _, alive = psutil.wait_procs(children, LEAVE_SECONDS)
        left = [child.cmdline() for child in alive]
        for child in alive:  # only what this server had started
            child.kill()
        assert not left, "these outlived the server"

    def status(self, run):
        return json.loads((self.runs / run / "status.json").read_text())

    def run_ids(self):
        return sorted(path.name for path in self.runs.glob("2*"))

    def stop_runs(self):
        """Stop what a failed test has left in training."""
        for run in runs.list_runs(self.runs):
            if run.active:
                driving.stop(run)

    def errors(self):
        """Return the logs of server and trainer in which a traceback goes through our code.

        Streamlit logs some of its own, for instance when a browser leaves while it is answered. One
        of these is raised in a call of ours: a rerun that overtakes another may change the state
        of the session while Streamlit goes through its keys; the overtaking one draws the page.
        """
        texts = [log.read_text() for log in (self.log, self.runs / "trainer.log") if log.exists()]
        texts = [STREAMLITS_OWN_RACE.sub("", text) for text in texts]
        return [text for text in texts if "Traceback" in text and any(map(ours, text.splitlines()))]


@pytest.fixture(scope="session")
def mnist_path():
    path = os.environ.get("MNIST_PATH")
    return path if path and Path(path).exists() else None


@pytest.fixture(scope="session")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
    if not CHROMIUM.exists():
        pytest.skip(f"needs {CHROMIUM}")
    sync_api.expect.set_options(timeout=30_000)  # for a busy machine
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(browser, mnist_path, tmp_path_factory):
    """The server most tests share; ends with the check that nothing of it stays behind."""
    server = Server(tmp_path_factory.mktemp("server"), mnist_path)
    server.start()
    yield server
    server.end()
    assert not server.errors()


@pytest.fixture(scope="session")
def offline_server(browser, tmp_path_factory):
    """A fresh server without MNIST and without internet."""
    server = Server(tmp_path_factory.mktemp("offline"), None)
    server.start()
    yield server
    server.end()
    assert not server.errors()


@pytest.fixture(scope="session")
def paper_run(browser, server):
    """The run that the first button on Home makes, trained to its end."""
    from . import page as page_says

    context = browser.new_context()
    page = context.new_page()
    page.goto(server.url)
    page.get_by_role("button", name="Train the paper's network").click()
    page.wait_for_url("**/train?run=**")
    run = page_says.run_of(page)
    page_says.expect_state(page, "completed", page_says.TRAINING_SECONDS)
    context.close()
    status = server.status(run)
    assert status["test_accuracy"] > (0.965 if server.full else 0.85)
    return run


class Visit:
    """A page in a browser context of its own, and what it complained about or fetched."""

    def __init__(self, browser, server, **context):
        self.context = browser.new_context(
            **({"viewport": {"width": 1280, "height": 720}} | context)
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(30_000)
        self.url = server.url
        self.complaints: list[str] = []
        self.outside: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._request)

    def _console(self, message):
        address = urlsplit(message.location.get("url", "")).path
        if message.type == "error" and not STREAMLITS_OWN_404.search(address):
            self.complaints.append(f"{message.text} {address}")

    def _request(self, request):
        if not request.url.startswith((self.url, "data:", "blob:", self.url.replace("http", "ws"))):
            self.outside.append(request.url)

    def goto(self, path):
        self.page.goto(f"{self.url}/{path}")
        self.page.locator("h1").wait_for()
        return self.page


@pytest.fixture
def visit(browser, server):
    """Open a page of the shared server; a page error, console error or outside request fails."""
    yield from _visits(browser, server)


@pytest.fixture
def visit_offline(browser, offline_server):
    yield from _visits(browser, offline_server)


def _visits(browser, server):
    visits = []

    def visit(path="", **context):
        visits.append(Visit(browser, server, **context))
        return visits[-1].goto(path)

    yield visit
    server.stop_runs()
    for each in visits:
        raised = each.page.get_by_test_id("stException").all_inner_texts()
        each.context.close()
        assert not raised and not each.complaints and not each.outside
