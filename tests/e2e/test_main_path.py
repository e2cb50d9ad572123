"""The main path in a real browser: look, train live, stop, resume; test_evaluate.py goes on."""

import json
import os
import re
import signal

import psutil
import pytest

from .conftest import wait_for
from .page import (
    CAPTION,
    LONG,
    TRAINING_SECONDS,
    begin,
    expect_state,
    is_marked,
    mark,
    open_page,
    plot,
    press,
    run_of,
    stand_still,
    status,
)

expect = pytest.importorskip("playwright.sync_api", reason="needs Playwright").expect

PAGES = ("Home", "Browse", "Train", "Evaluate", "Mistakes")
SIZES = ((1440, 900), (1280, 720), (390, 844))


def epochs_on_disk(server, run):
    """Return how far a run has come, by its recording."""
    status = server.status(run)
    try:
        last = (server.runs / run / "metrics.jsonl").read_text().splitlines()[-1]
        return json.loads(last)["step"] / status["steps_per_epoch"]
    except (OSError, ValueError, IndexError, KeyError):
        return 0.0


def test_a_cold_deep_link_opens_inside_the_frame(visit):
    page = visit("browse")
    for name in PAGES:
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    expect(page.locator(".st-key-transport")).to_be_visible()
    expect(page.get_by_test_id("stSidebarNav")).to_have_count(0)
    expect(page.locator("h1")).to_have_text("Browse")


def test_the_papers_run_ends_beside_the_papers_figures(visit, paper_run):
    page = visit(f"train?run={paper_run}")
    expect_state(page, "completed at epoch 5")
    expect(plot(page, "curve_accuracy").locator(".legend")).to_contain_text("the paper")
    page.get_by_role("radio", name="The paper").click()
    expect(page.get_by_text("1 seed trained")).to_be_visible()
    expect(page.get_by_text("train at least three seeds")).to_be_visible()


def test_a_run_is_watched_live_stopped_and_resumed(visit, server, paper_run):
    page = visit(LONG)
    before = set(server.run_ids())
    stand_still(page)
    page.get_by_role("button", name="Start training").dblclick()
    expect_state(page, "of 200", TRAINING_SECONDS)
    run = run_of(page)
    assert set(server.run_ids()) - before == {run}  # a double click starts one

    # The charts are updated in place, and a zoom is kept.
    charts = [plot(page, f"curve_{name}") for name in ("accuracy", "loss")]
    for chart in charts:
        mark(chart)
    box = charts[0].bounding_box()
    charts[0].evaluate(
        """node => {
            node.updates = new Set();
            node.on("plotly_afterplot", () =>
                node.updates.add(Math.max(...node._fullData.flatMap(({ x }) => [...x]))));
        }"""
    )
    zoom(page, charts[0])
    zoomed = charts[0].evaluate("node => node.layout.xaxis.range")
    page.wait_for_function(
        "document.querySelector('.st-key-curve_accuracy .mnist-chart-plot').updates?.size >= 10",
        timeout=30_000,
    )
    assert all(map(is_marked, charts))
    assert charts[0].evaluate("node => node.layout.xaxis.range") == zoomed
    assert charts[0].bounding_box() == box

    # A reload and a second browser show the same live run.
    page.reload()
    second = visit(f"train?run={run}")
    for each in (page, second):
        expect(each.get_by_role("button", name="Pause")).to_be_visible()
        expect_state(each, "of 200")
        expect(status(each)).not_to_have_text(status(each).text_content())  # it goes on
        assert run_of(each) == run

    # Stop, from the second browser, in the middle of an epoch.
    if server.full:  # the built-in digits' epoch is one or two chunks long
        middle = lambda: 0.1 < epochs_on_disk(server, run) % 1 < 0.6  # noqa: E731
        wait_for(middle, 20, "the middle of an epoch")
    press(second, "Stop")
    wait_for(lambda: server.status(run)["state"] == "stopped", 10, "the stop")
    folder = server.runs / run
    asked, done = ((folder / name).stat().st_mtime for name in ("control.json", "status.json"))
    assert done - asked < 2.0  # a second, and one for a busy machine
    expect_state(page, "stopped")
    moment = epochs_on_disk(server, run)

    open_page(page, "Evaluate")
    expect(page.locator(CAPTION)).to_contain_text(f"epoch {moment:.3f}".rstrip("0").rstrip("."))
    assert moment % 1 or not server.full

    # Resume goes on from there.
    press(second, "Resume")
    expect_state(second, "of 200")
    wait_for(lambda: epochs_on_disk(server, run) > moment + 0.2, 20, "the resumed training")
    press(second, "Stop")
    expect_state(second, "stopped")


def zoom(page, chart):
    """Draw a box over the middle of a chart."""
    box = chart.locator(".nsewdrag").bounding_box()
    left, top, width, height = (box[name] for name in ("x", "y", "width", "height"))
    page.mouse.move(left + 0.1 * width, top + 0.2 * height)
    page.mouse.down()
    page.mouse.move(left + 0.5 * width, top + 0.5 * height, steps=4)
    page.mouse.move(left + 0.8 * width, top + 0.8 * height, steps=4)
    page.mouse.up()
    page.wait_for_function(
        "!document.querySelector('.st-key-curve_accuracy .mnist-chart-plot').layout.xaxis.autorange"
    )


def test_a_killed_trainer_leaves_an_interrupted_run_that_goes_on(visit, server, paper_run):
    page = visit(LONG)
    run = begin(page)
    wait_for(lambda: epochs_on_disk(server, run) > 0.2, 20, "the middle of an epoch")
    trainer = psutil.Process(server.status(run)["pid"])
    assert trainer in server.children()
    os.kill(trainer.pid, signal.SIGKILL)
    expect_state(page, "interrupted", 10_000)
    expect(page.locator(".st-key-run_notice")).to_contain_text("The training process ended")
    reached = epochs_on_disk(server, run)
    press(page, "Resume")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect_state(page, "of 200", TRAINING_SECONDS)
    assert server.status(run)["pid"] != trainer.pid
    wait_for(lambda: epochs_on_disk(server, run) > int(reached) + 0.2, 20, "the resumed training")
    press(page, "Stop")
    expect_state(page, "stopped")


def test_a_link_with_an_epoch_shows_that_epoch(visit, paper_run):
    page = visit(f"mistakes?run={paper_run}&epoch=1")
    expect(page.locator(CAPTION)).to_have_text("epoch 1 of 5")
    open_page(page, "Evaluate")
    expect(page.locator(CAPTION)).to_have_text("epoch 1 of 5")
    assert "epoch=1" in page.url and run_of(page) == paper_run


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_its_window(scheme, visit, paper_run):
    page = visit(f"?run={paper_run}", color_scheme=scheme)
    for name in PAGES:
        page.set_viewport_size({"width": 1440, "height": 900})  # a phone's links are in a menu
        open_page(page, name)
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_function(
                """() => {
                    const boxes = document.querySelectorAll(
                        "html, [data-testid=stMain], [data-testid=stBottom], .mnist-chart-plot");
                    const right = box => box.getBoundingClientRect().right;
                    return [...boxes].every(
                        box => box.scrollWidth <= box.clientWidth && right(box) <= innerWidth);
                }""",
                timeout=5_000,
            )


def test_markdown_in_a_link_fetches_nothing(visit):
    page = visit("?run=![](https://example.com/a.png)")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("alert").locator("img")).to_have_count(0)


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="reads Linux's /proc")
def test_tensorflow_stays_out_of_the_server(visit, server, paper_run):
    page = visit(f"?run={paper_run}")
    for name in PAGES:
        open_page(page, name)
    assert "numpy" in loaded_by(server.process.pid)
    assert not re.search("tensorflow|keras", loaded_by(server.process.pid))
    # The trainer shows that this would see it.
    trainers = [child.pid for child in server.children()]
    wait_for(lambda: any("tensorflow" in loaded_by(pid) for pid in trainers), 30, "the trainer")


def loaded_by(pid):
    with open(f"/proc/{pid}/maps") as maps:
        return maps.read()
