"""A fresh server without MNIST and internet; then killed in the middle of a training."""

import signal

import psutil
import pytest

from .conftest import wait_for
from .page import LONG, begin, expect_state, press
from .test_main_path import epochs_on_disk

expect = pytest.importorskip("playwright.sync_api", reason="needs Playwright").expect

BUILT_IN = "Built-in sample digits, not MNIST"


def test_the_first_visit_works_on_the_built_in_digits(visit_offline):
    page = visit_offline("browse")
    expect(page.get_by_text("1,437 images")).to_be_visible()
    for name in ("Home", "Train", "Evaluate", "Mistakes", "Browse"):
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_text(BUILT_IN)).to_be_visible()
        expect(page.get_by_test_id("stException")).to_have_count(0)
    page.get_by_text(BUILT_IN).click()
    page.get_by_role("button", name="Download MNIST").click()
    expect(page.get_by_text("no connection").first).to_be_visible()
    expect(page.get_by_role("button", name="Download MNIST")).to_be_visible()


def test_one_press_stops_a_run_whose_epochs_rush_by(visit_offline, offline_server):
    """A press is not lost when an epoch has ended since the buttons were drawn."""
    page = visit_offline(LONG)
    run = begin(page)
    wait_for(lambda: epochs_on_disk(offline_server, run) > 3, 20, "some epochs")
    press(page, "Stop")
    expect_state(page, "stopped", 8_000)


def test_a_killed_server_leaves_nothing_running_and_its_runs(visit_offline, offline_server):
    page = visit_offline(LONG)
    run = begin(page)
    wait_for(lambda: epochs_on_disk(offline_server, run) > 1, 20, "an epoch")
    trainer = psutil.Process(offline_server.status(run)["pid"])
    page.goto("about:blank")  # its dropped connection would be an error in the console
    offline_server.end(signal.SIGKILL)
    assert not trainer.is_running()
    assert offline_server.status(run)["state"] == "interrupted"

    offline_server.start()
    page.goto(f"{offline_server.url}/train?run={run}")
    expect_state(page, "interrupted")
    expect(page.locator(".st-key-run_notice")).to_contain_text("closed")
    expect(page.get_by_role("button", name="Resume")).to_be_enabled()
