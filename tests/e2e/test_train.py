"""Train in a real browser with a real trainer: a run is driven, watched from inside, and shared."""

import ast
import json
import re
import time

import pytest

from .conftest import Server, wait_for
from .page import (
    CAPTION,
    CURSOR,
    TRAINING_SECONDS,
    begin,
    expect_state,
    is_marked,
    mark,
    plot,
    press,
    run_of,
    stand_still,
    status,
)

expect = pytest.importorskip("playwright.sync_api", reason="needs Playwright").expect

SHORT = "train?batch_size=64&epochs=2&layers=dense-64"


def begin_slowly(page, how="slow motion, 2 batches a second"):
    stand_still(page)
    before = page.url.partition("run=")[2]
    page.get_by_role("button", name="Slowly").click()
    page.get_by_role("menuitem", name=how).click()
    page.wait_for_url(lambda url: "run=" in url and url.partition("run=")[2] != before)
    return run_of(page)


def choose(page, key, option):
    """Choose from a menu of the run's own."""
    stand_still(page)
    level(page, key).click()
    page.get_by_role("menuitem", name=option, exact=True).click()


def level(page, key):
    """The menu that is named by what holds now."""
    return page.locator(f"[class*=st-key-drive_{key}] button").first


def step_of(page):
    return int(re.search(r"step ([\d,]+) of", status(page).inner_text())[1].replace(",", ""))


def notes(page, key):
    """Return what is written into a chart."""
    return plot(page, key).evaluate(
        "node => (node.layout?.annotations ?? []).map(({ text }) => text)"
    )


def control(server, run):
    return json.loads((server.runs / run / "control.json").read_text())


def expect_control(server, run, **level):
    wait_for(lambda: control(server, run).items() >= level.items(), 15, f"{level}")


def test_a_run_is_driven_from_slow_motion_to_its_end_and_beyond(visit, server):
    page = visit(SHORT)
    run = begin_slowly(page)
    expect_state(page, ", step", TRAINING_SECONDS)
    step = lambda: server.status(run)["step"]  # noqa: E731
    began, first = time.monotonic(), step()
    wait_for(lambda: step() >= first + 4, 30, "four steps")
    assert step() - first < 3 * (time.monotonic() - began) + 1  # two batches a second
    page.reload()  # it is followed further
    expect_state(page, ", step")
    after = step_of(page)
    expect(status(page)).not_to_contain_text(f"step {after} of")
    assert run_of(page) == run

    press(page, "Pause")
    expect_state(page, "paused at epoch 1, step")
    paused = step_of(page)
    assert server.status(run)["step"] == paused > after
    press(page, "One step")
    said = page.get_by_text(f"Step {paused + 1}: the loss on the 64 images of its batch went from")
    expect(said).to_be_visible()
    assert re.search(r"from \d\.\d{4} to \d\.\d{4}", said.inner_text())
    expect_state(page, f"paused at epoch 1, step {paused + 1} of")

    choose(page, "rate", "0.01")
    choose(page, "pace", "full speed")
    expect_control(server, run, learning_rate=0.01, pace=0)
    press(page, "Resume")
    expect_state(page, "completed at epoch 2", TRAINING_SECONDS)
    for key in ("curve_accuracy", "curve_loss"):
        assert notes(page, key) == ["rate 0.01"]
    lines = (server.runs / run / "metrics.jsonl").read_text().splitlines()
    (set_at,) = [line for line in map(json.loads, lines) if line["kind"] == "rate"]
    assert (set_at["step"], set_at["learning_rate"]) == (paused + 1, 0.01)

    press(page, "+5 epochs")
    expect_state(page, "completed at epoch 7", TRAINING_SECONDS)
    assert "rate 0.01" in notes(page, "curve_accuracy")
    expect(page.locator(CAPTION)).to_have_text("epoch 7 of 7")


def test_a_paused_run_outlives_browser_and_server(browser, mnist_path, tmp_path):
    server = Server(tmp_path, mnist_path)
    server.start()
    try:
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{server.url}/{SHORT}")
        run = begin_slowly(page, "one step")
        expect_state(page, "paused at epoch 1, step 1 of", TRAINING_SECONDS)
        address = page.url
        context.close()
        server.end()
        assert server.status(run)["state"] == "paused"

        server.start()
        context = browser.new_context()
        page = context.new_page()
        page.goto(address)
        expect_state(page, "paused at epoch 1, step 1 of", TRAINING_SECONDS)
        press(page, "Resume")
        expect_state(page, "completed at epoch 2", TRAINING_SECONDS)
        assert run_of(page) == run
        context.close()
    finally:
        server.end()
    assert not server.errors()


def test_two_browsers_drive_one_run_and_both_see_the_last_command(visit, server):
    one = visit(SHORT)
    run = begin_slowly(one)
    expect_state(one, ", step", TRAINING_SECONDS)
    other = visit(f"train?run={run}")
    expect(level(other, "pace")).to_contain_text("2 batches/s")
    for page, pace in ((one, "10 batches/s"), (other, "50 batches/s"), (one, "2 batches/s")):
        choose(page, "pace", pace)
        for each in (one, other):
            expect(level(each, "pace")).to_contain_text(pace)
    choose(other, "rate", "0.005")
    expect(level(one, "rate")).to_contain_text("rate 0.005")
    expect_state(one, "learning rate 0.005")

    press(other, "Pause")
    for page in (one, other):
        expect_state(page, "paused")
        expect(page.get_by_role("button", name="Resume")).to_be_enabled()
    assert step_of(one) == step_of(other) == server.status(run)["step"]
    press(one, "Resume")
    for page in (one, other):
        expect_state(page, "left", TRAINING_SECONDS)
    press(other, "Stop")
    for page in (one, other):
        expect_state(page, "stopped")
    assert control(server, run)["pace"] == 2 and control(server, run)["learning_rate"] == 0.005


def test_the_network_is_seen_from_inside_while_it_learns_and_afterwards(visit, server):
    page = visit("train?epochs=200&layers=dense-32")
    begin(page)
    digits = page.locator(".st-key-digits_beside")
    cells = "node => JSON.stringify(Array.from(node._fullData[0].z, row => Array.from(row)))"
    pictures = {"live_confusion": cells, "live_first_layer": cells}
    pictures["layer_histograms"] = "node => JSON.stringify(Array.from(node._fullData[0].y))"
    for key in pictures:
        expect(page.locator(f".st-key-{key} .mnist-chart.drawn")).to_be_visible()
        mark(plot(page, key))
    seen = {key: set() for key in pictures}
    told = set()

    def all_moved():
        told.add(digits.inner_text().split(":")[0])
        for key, script in pictures.items():
            seen[key].add(plot(page, key).evaluate(script))
        return min(map(len, (told, *seen.values()))) >= 3

    wait_for(all_moved, 60, "three pictures of the network")
    press(page, "Stop")
    expect_state(page, "stopped")
    assert all(is_marked(plot(page, key)) for key in pictures)  # in place

    # Afterwards it is the one under the cursor.
    expect(digits).to_contain_text("test digits at epoch")
    confusion = plot(page, "live_confusion").evaluate(pictures["live_confusion"])
    slider = page.locator(CURSOR)
    slider.focus()
    slider.press("Home")
    page.wait_for_url("**epoch=0**")
    expect(digits).to_contain_text("test digits before training")
    assert int(re.search(r"(\d+) right", digits.inner_text())[1]) < 10  # it guesses
    shown = lambda: plot(page, "live_confusion").evaluate(pictures["live_confusion"])  # noqa: E731
    wait_for(lambda: shown() != confusion, 15, "the confusions of the untrained network")
    slider.press("ArrowRight")
    expect(digits).to_contain_text("test digits at epoch 1:")
    stand_still(page)
    for name, other in (("weights", "gradients"), ("gradients", "weights")):
        chart = plot(page, "layer_histograms").locator(".gtitle")
        expect(chart).to_contain_text(name.capitalize())
        page.locator(".st-key-spread_of").get_by_role("radio", name=other).click()


def open_part(page, title):
    """Open a part of the form, if it is closed."""
    part = page.locator("details").filter(has=page.get_by_text(re.compile(f"^{title}($|:)")))
    if not part.evaluate("node => node.open"):
        part.locator("summary").click()
    part.evaluate(
        """async node => {
            let before;
            do {
                before = node.offsetHeight;
                await new Promise(done => setTimeout(done, 150));
            } while (node.offsetHeight !== before);
        }"""
    )


def fields(page):
    """Return what the form shows: the preset, the layers, and every other field by its name."""
    for title in ("Network", "Training", "Data and validation"):
        open_part(page, title)
    stand_still(page)
    shown = page.locator("[class*=st-key-form_] input")
    return [
        page.locator(".st-key-preset input").input_value(),
        page.locator("[class*=st-key-layer_row_]").all_inner_texts(),
        shown.evaluate_all("nodes => nodes.map(node => [node.ariaLabel, node.value])"),
    ]


def test_a_link_reproduces_the_form_in_another_browser(visit, server):
    page = visit("train")
    choose_preset = page.locator(".st-key-preset input")
    choose_preset.click()
    page.get_by_role("option", name="LeNet-5").click()
    expect(page).to_have_url(re.compile("layers=conv"))
    open_part(page, "Training")
    stand_still(page)
    seed = page.get_by_label("Seed", exact=True)
    seed.fill("42")
    seed.press("Enter")
    expect(page).to_have_url(re.compile("seed=42"))
    open_part(page, "Network")
    page.get_by_role("button", name="Add a layer").click()
    page.get_by_role("menuitem", name="dropout layer").press("Enter")  # wherever it opened
    page.get_by_role("button", name=re.compile("^dense 84")).click()
    units = page.get_by_label("Units", exact=True)
    units.fill("40")
    units.press("Enter")
    expect(page).to_have_url(re.compile("dense-40"))
    expect(units).to_be_visible()  # the popover stays open for the next change
    page.keyboard.press("Escape")

    path = page.url.removeprefix(f"{server.url}/")
    other = visit(path)
    shown = fields(page)
    assert fields(other) == shown
    assert shown[0] == "" and ["Seed", "42"] in shown[2]
    assert any("dense 40" in text for text in shown[1]) and "dropout 0.2" in shown[1][-1]
    assert other.url == page.url


def test_the_form_outlives_other_pages_and_quick_looks_at_other_views(visit):
    """A browser that is quicker than the server forgets what it showed, and must not win."""
    page = visit("train?batch_size=48&epochs=17&label_noise=0.3&layers=dense-40&optimizer=sgd")
    stand_still(page)
    shown, address = fields(page), parameters(page)
    for pause in (0, 50, 100, 200, 300):
        page.get_by_role("radio", name="Queue").click()
        page.wait_for_timeout(pause)
        page.get_by_role("radio", name="Studio").click()
        page.wait_for_timeout(100)
    expect(page.get_by_role("button", name="Start training")).to_be_visible()
    assert fields(page) == shown
    for name in ("Browse", "Train"):
        open_page_of(page, name)
    assert fields(page) == shown and parameters(page) == address


def parameters(page):
    """Return what the address says, in whatever order."""
    return sorted(page.url.partition("?")[2].split("&"))


def open_page_of(page, name):
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.locator("h1")).to_have_text(name)
    stand_still(page)


def test_one_thing_is_changed_of_a_run(visit, paper_run):
    page = visit(f"train?run={paper_run}&epochs=9")
    page.get_by_role("button", name="Change one thing").click()
    said = page.get_by_text("Compared with As in the paper")
    expect(said).to_contain_text("nothing is changed yet")
    open_part(page, "Training")
    epochs = page.get_by_label("Epochs", exact=True)
    expect(epochs).to_have_value("5")
    epochs.fill("1")
    epochs.press("Enter")
    expect(said).to_contain_text("epochs 1 instead of 5")
    begin(page)
    expect_state(page, "completed at epoch 1", TRAINING_SECONDS)
    expect(page.get_by_text("epochs 1 instead of 5")).to_have_count(2)
    expect(plot(page, "curve_accuracy").locator(".legend")).to_contain_text("As in the paper")


def test_name_and_note_are_plain_text_and_the_picker_follows(visit, server):
    page = visit("train?epochs=1&layers=none")
    run = begin(page)
    expect_state(page, "completed", TRAINING_SECONDS)
    page.get_by_role("button", name="Name and note").click()
    name, note = "**x** <img src=//a.example> [b](c)", "- one\n# two <b>three</b>\n---"
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Note", exact=True).fill(note)
    page.get_by_role("button", name="Keep", exact=True).click()
    expect_state(page, f"{name}: completed at epoch 1")
    expect(page.locator(".st-key-picked_run input")).to_have_value(re.compile(re.escape(name)))
    written = page.get_by_test_id("stCaptionContainer").filter(has_text="Note: - one")
    expect(written).to_contain_text("# two <b>three</b>")
    for kind in ("img", "a", "strong", "h1", "h2", "li", "hr", "b"):
        expect(written.locator(kind)).to_have_count(0)
    assert json.loads((server.runs / run / "about.json").read_text()) == {
        "name": name, "note": note
    }  # fmt: skip


def test_the_program_of_a_run_is_downloaded(visit, paper_run):
    page = visit(f"train?run={paper_run}")
    page.get_by_role("button", name="Code", exact=True).click()
    for name, ending in (("Script", "py"), ("Notebook", "ipynb")):
        with page.expect_download() as waiting:
            page.get_by_role("button", name=name, exact=True).click()
        assert waiting.value.suggested_filename == f"{paper_run}.{ending}"
        text = waiting.value.path().read_text(encoding="utf-8")
        assert "keras" in text and "mnist_core" not in text
        ast.parse(text) if ending == "py" else json.loads(text)


def test_the_papers_seeds_are_followed_to_the_verdict(visit, server, paper_run):
    page = visit("train?train=The+paper")
    expect(page.get_by_text("1 seed trained")).to_be_visible()
    page.get_by_role("button", name="Train 3 seeds").click()
    expect(page.get_by_text("1 seed trained, 2 to come")).to_be_visible()

    # Meanwhile the queue leads to the one that waits.
    page.get_by_role("radio", name="Queue").click()
    waiting = page.locator("[class*=st-key-queue_2]").filter(has_text="in the queue")
    expect(waiting).to_contain_text("yours")
    key = waiting.evaluate("node => [...node.classList].find(name => /key-queue_2/.test(name))")
    waiting.get_by_role("button", name="See").click()
    page.wait_for_url(f"**run={key.removeprefix('st-key-queue_')}**")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()

    page.get_by_role("radio", name="The paper").click()
    expect(page.get_by_text("3 seeds trained")).to_be_visible(timeout=2 * TRAINING_SECONDS)
    expect(page.get_by_text("the prediction interval of 3 runs")).to_be_visible()
    expect(plot(page, "seeds_band").locator(".gtitle")).to_contain_text("3 seeds")
    expect(page.get_by_role("button", name="Train 3 seeds")).to_be_disabled()
