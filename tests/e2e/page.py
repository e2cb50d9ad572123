"""What the browser tests say of a page, in one place."""

import re

import pytest

expect = pytest.importorskip("playwright.sync_api", reason="needs Playwright").expect

TRAINING_SECONDS = 60_000  # ms: about 5 s, and several times that on a busy machine
LONG = "train?epochs=200&layers=dense-512"  # lasts until it is stopped
CURSOR = ".st-key-cursor input[type=range]"
CAPTION = ".st-key-cursor output"


def plot(page, key):
    return page.locator(f".st-key-{key} .mnist-chart-plot")


def mark(locator):
    """Mark a node of the page, to recognise it later."""
    locator.evaluate("node => { node.seenBefore = true }")


def is_marked(locator):
    return locator.evaluate("node => node.seenBefore === true")


def open_page(page, name):
    """Follow a link of the navigation, and wait until the page has drawn its charts."""
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.locator("h1")).to_have_text("MNIST Lab" if name == "Home" else name)
    if name != "Home":
        expect(page.locator(".mnist-chart.drawn").first).to_be_visible()


def metric(page, label):
    return page.get_by_test_id("stMetric").filter(has_text=label).get_by_test_id("stMetricValue")


def run_of(page):
    """Return the run in the page's address."""
    return re.search(r"run=([\w-]+)", page.url)[1]


def stand_still(page):
    """Wait until the page is drawn: no finger is as quick as a test.

    Looked at often: on a busy machine a page that follows a training rests only for moments.
    """
    idle = "document.querySelector('[data-test-script-state=notRunning]')"
    page.wait_for_function(idle, polling=20, timeout=60_000)


def press(page, label):
    """Press a button of the run; "Stop" would also name one that Streamlit shows at times."""
    stand_still(page)
    page.locator(".st-key-drive").get_by_role("button", name=label, exact=True).click()


def status(page):
    """Return the line above the run's buttons."""
    return page.get_by_test_id("stProgress")


def expect_state(page, state, timeout=30_000):
    expect(status(page)).to_contain_text(state, timeout=timeout)


def begin(page):
    """Start what the form says, and return the run once it trains."""
    stand_still(page)
    before = page.url
    page.get_by_role("button", name="Start training").click()
    expect(page).not_to_have_url(before)
    expect_state(page, re.compile(", step|of training"), TRAINING_SECONDS)
    return run_of(page)
