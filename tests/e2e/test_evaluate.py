"""Evaluate and Mistakes in a real browser: play a run back, click, open, mark, save."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from mnist_core import data, runs
from mnist_core.evaluation import Evaluation, most_frequent_error

from .conftest import wait_for
from .page import CAPTION, CURSOR, is_marked, mark, metric, open_page, plot, stand_still

expect = pytest.importorskip("playwright.sync_api", reason="needs Playwright").expect

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
PITCH = 56  # CSS pixels from digit to digit in the grid of Mistakes
ASKING_SECONDS = 60_000  # ms: the answering process starts first


@pytest.fixture(scope="module")
def recorded(server, paper_run, mnist_path):
    """What the paper's run says of its test set after each epoch, read from the disk."""
    dataset = data.open_source(mnist_path) if mnist_path else data.built_in_digits()
    run = runs.read(paper_run, server.runs)
    return {moment: Evaluation(dataset.test.labels, run.logits(moment)) for moment in run.moments}


def click_cell(page, true, predicted, key="confusion", **how):
    """Click a cell of a matrix; 10 is the row or column of sums."""
    chart = plot(page, key)
    expect(chart.locator(".heatmaplayer")).to_be_visible()
    x, y = chart.evaluate(
        """(node, [x, y]) => {
            const { xaxis, yaxis } = node._fullLayout;
            return [xaxis._offset + xaxis.d2p(x), yaxis._offset + yaxis.d2p(y)];
        }""",
        [predicted, true],
    )
    chart.click(position={"x": x, "y": y}, **how)


def expect_images(page, count):
    """Wait until the heading of the chosen cells counts so many images."""
    said = f"{count:,} image" + ("" if count == 1 else "s")
    expect(page.get_by_test_id("stMarkdown").filter(has_text=f": {said}")).to_be_visible()


# The epoch cursor


def test_the_cursor_moves_figures_in_place_and_plays(visit, paper_run):
    page = visit(f"evaluate?run={paper_run}")
    slider, chart = page.locator(CURSOR), plot(page, "confusion")
    accuracy = metric(page, "Test accuracy")
    expect(page.locator(".st-key-confusion .heatmaplayer")).to_be_visible()
    last = accuracy.inner_text()
    mark(chart)
    mark(accuracy)
    slider.focus()
    slider.press("Home")
    page.wait_for_url("**epoch=0**")
    expect(accuracy).not_to_have_text(last)
    untrained = accuracy.inner_text()
    assert float(untrained.split()[0]) < 40
    slider.press("ArrowRight")
    page.wait_for_url("**epoch=1**")
    expect(accuracy).not_to_have_text(untrained)
    assert is_marked(chart) and is_marked(accuracy)

    # From where it stands to the end, each epoch drawn.
    chart.evaluate(
        """node => {
            node.drawn = new Set();
            const numbers = () => node.layout.annotations.map(({ text }) => text).join();
            node.on("plotly_afterplot", () => node.drawn.add(numbers()));
        }"""
    )
    page.locator(".st-key-cursor").get_by_role("button", name="Play", exact=True).click()
    expect(page.locator(CAPTION)).to_have_text("epoch 5 of 5")
    expect(accuracy).to_have_text(last)
    expect(page).not_to_have_url(re.compile("epoch="))
    assert is_marked(chart) and is_marked(accuracy)
    assert chart.evaluate("node => node.drawn.size") == 4  # epochs 2 to 5: none is left out


def test_quick_keys_leave_slider_figures_and_address_in_step(visit, paper_run, recorded):
    """A move that interrupts the drawing of the one before would leave parts of the page behind."""
    page = visit(f"evaluate?run={paper_run}")
    expect(page.locator(".st-key-confusion .heatmaplayer")).to_be_visible()
    slider = page.locator(CURSOR)
    slider.focus()
    for key in (["ArrowLeft"] * 5 + ["ArrowRight"] * 5) * 3 + ["ArrowLeft"] * 2:
        slider.press(key)
        page.wait_for_timeout(20)
    page.wait_for_url("**epoch=3**")
    expect(page.locator(CAPTION)).to_have_text("epoch 3 of 5")
    answers = recorded[3.0]
    expect(metric(page, "Test accuracy")).to_have_text(f"{100 * answers.accuracy:.2f} %")
    errors = int((~answers.right).sum())
    corner = "node => node.layout.annotations.find(({ x, y }) => x === 10 && y === 10).text"
    shown = lambda: plot(page, "confusion").evaluate(corner) == str(errors)  # noqa: E731
    wait_for(shown, 15, f"{errors} in the corner")
    expect(page.get_by_text("Connection error")).to_have_count(0)


def test_playing_again_and_again_goes_on_until_it_is_paused(visit, paper_run):
    page = visit(f"evaluate?run={paper_run}&epoch=4")
    expect(page.locator(".st-key-confusion .heatmaplayer")).to_be_visible()
    bar = page.locator(".st-key-cursor")
    loop = bar.get_by_role("button", name="Play again and again")
    loop.click()
    expect(loop).to_have_attribute("aria-pressed", "true")
    bar.get_by_role("button", name="Play", exact=True).click()
    for _ in range(2):
        expect(page.locator(CAPTION)).to_have_text("epoch 5 of 5")
        expect(page.locator(CAPTION)).to_have_text("epoch 1 of 5")
    bar.get_by_role("button", name="Pause").click()
    stand_still(page)
    stopped = page.locator(CAPTION).inner_text()
    page.wait_for_timeout(800)
    assert page.locator(CAPTION).inner_text() == stopped


# The matrix


def test_cells_rows_and_columns_show_their_images(visit, paper_run, recorded):
    page = visit(f"evaluate?run={paper_run}")
    mark(plot(page, "confusion"))
    last = recorded[5.0]
    errors = last.confusion - np.diag(np.diag(last.confusion))
    for true, predicted, count in (
        (3, 3, last.confusion[3, 3]),
        (8, 10, errors[8].sum()),
        (10, 9, errors[:, 9].sum()),
        (10, 10, errors.sum()),
    ):
        click_cell(page, true, predicted)
        expect_images(page, int(count))
    t, p, worst = most_frequent_error(last.confusion)
    click_cell(page, t, p)
    expect_images(page, worst)
    click_cell(page, p, t, modifiers=["Shift"])
    expect_images(page, worst + int(errors[p, t]))
    page.wait_for_url(f"**cells={t}{p}.{p}{t}**")
    assert is_marked(plot(page, "confusion"))

    # The link shows the same; so does a look at another page and back.
    expect_images(visit(page.url.split("/")[-1]), worst + int(errors[p, t]))
    open_page(page, "Mistakes")
    open_page(page, "Evaluate")
    expect_images(page, worst + int(errors[p, t]))


def test_a_finger_chooses_several_cells(visit, paper_run, recorded):
    page = visit(f"evaluate?run={paper_run}", **PHONE)
    page.get_by_text("Several", exact=True).tap()
    stand_still(page)
    t, p, worst = most_frequent_error(recorded[5.0].confusion)
    click_cell(page, t, p)
    expect_images(page, worst)
    click_cell(page, 10, 10)
    expect_images(page, int((~recorded[5.0].right).sum()))


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_matrix_is_saved_as_it_looks(kind, visit, paper_run, tmp_path):
    page = visit(f"evaluate?run={paper_run}")
    expect(page.locator(".st-key-confusion .heatmaplayer")).to_be_visible()
    with page.expect_download() as waiting:
        page.locator(".st-key-confusion").get_by_role("button", name=kind.upper()).click()
    assert waiting.value.suggested_filename == f"confusion-{paper_run}-epoch-5.{kind}"
    path = tmp_path / "saved"
    waiting.value.save_as(path)
    if kind == "png":
        image = Image.open(path).convert("RGB")
        assert image.getpixel((3, 3)) == (255, 255, 255)  # the page's background, not clear
        assert len(image.getcolors(1 << 20)) > 20
    else:
        text = path.read_text()
        assert text.startswith("<svg") and "predicted digit" in text


def test_each_view_of_evaluate_has_its_pictures(visit, paper_run, recorded):
    page = visit(f"evaluate?run={paper_run}")
    for name, keys in (
        ("Over time", ("over_time", "cell_curve")),
        ("How sure", ("coverage", "histogram", "reliability")),
        ("Two runs", ("agreement",)),
        ("Weights", ("weights",)),
    ):
        page.get_by_role("radio", name=name).click()
        for key in keys:
            expect(page.locator(f".st-key-{key} .mnist-chart.drawn")).to_be_visible()
    page.wait_for_url("**evaluate=Weights**")

    page.get_by_role("radio", name="Over time").click()
    click_cell(page, 9, 9, key="over_time")
    expect_images(page, int(recorded[5.0].confusion[9, 9]))


def test_the_threshold_is_dragged_and_clicked(visit, paper_run, recorded):
    page = visit(f"evaluate?run={paper_run}&evaluate=How+sure&threshold=99.5")
    title = plot(page, "coverage").locator(".gtitle")
    read = (recorded[5.0].confidence >= 0.995).mean()
    expect(title).to_contain_text(f"{100 * read:.1f} % are read")
    handle = page.locator(".st-key-threshold").get_by_role("slider")
    handle.focus()
    handle.press("End")
    assert not (recorded[5.0].confidence >= 1).any()
    expect(title).to_have_text("No digit is read")
    box = plot(page, "coverage").locator(".nsewdrag").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.6, box["y"] + 12)
    expect(title).not_to_have_text("No digit is read")
    shown = float(title.text_content().split()[0])
    assert shown > 0.6 * 100 - 3  # at least what was clicked, for thresholds come in steps


def test_two_epochs_are_compared_cell_by_cell(visit, paper_run, recorded):
    page = visit(f"evaluate?run={paper_run}&evaluate=Two+runs&with=epoch+1")
    first, last = recorded[1.0].right, recorded[5.0].right
    for row, column in ((1, 0), (0, 1)):
        click_cell(page, row, column, key="agreement")
        expect_images(page, int(((last == bool(row)) & (first == bool(column))).sum()))


# Mistakes


def title_of(page):
    return page.locator(".st-key-opened_heading p").first


def test_a_mistake_opens_by_click_and_by_keyboard(visit, paper_run):
    page = visit(f"mistakes?run={paper_run}&epoch=1")
    grid = page.locator(".st-key-mistakes_grid [role=grid]")
    active = grid.locator("#active")
    expect(plot(page, "mistake_probabilities").locator(".bars").first).to_be_visible()
    mark(plot(page, "mistake_probabilities"))
    mark(plot(page, "mistake_life"))
    first = active.text_content()
    grid.click(position={"x": 2 * PITCH + 20, "y": 20})  # before it: a tile, and the first digit
    expect(active).not_to_have_text(first)
    clicked = opened(page, active)
    grid.press("ArrowRight")
    grid.press("Enter")
    expect(active).not_to_have_text(clicked)
    opened(page, active)
    before = title_of(page).inner_text()
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("n")
    expect(title_of(page)).not_to_have_text(before)
    page.keyboard.press("p")
    expect(title_of(page)).to_have_text(before)
    assert is_marked(plot(page, "mistake_probabilities")) and is_marked(plot(page, "mistake_life"))


def opened(page, active):
    """Check that the image of the grid's active cell stands open beside it."""
    caption = active.text_content()
    number = re.search(r"image ([\d,]+)", caption)[1]
    expect(title_of(page)).to_have_text(re.compile(rf"^Test image {number}:"))
    return caption


def test_tiles_name_the_groups_and_cannot_be_opened(visit, paper_run, recorded):
    page = visit(f"mistakes?run={paper_run}")
    grid = page.locator(".st-key-mistakes_grid [role=grid]")
    expect(grid).to_be_visible()
    title = title_of(page).inner_text()
    grid.click(position={"x": 20, "y": 20})
    page.wait_for_timeout(600)
    assert title_of(page).inner_text() == title
    # The keys pass over tiles: down each column and back, always on a digit.
    grid.press("Home")
    seen = set()
    for key in ["ArrowDown"] * 5 + ["End"] + ["ArrowUp"] * 5 + ["ArrowRight"] * 20:
        grid.press(key)
        seen.add(grid.locator("#active").text_content())
    mistakes = int((~recorded[5.0].right).sum())
    assert len(seen) > min(15, mistakes // 3)
    assert all("read as" in caption for caption in seen)


def test_a_cell_leads_to_a_mistake_that_is_marked_and_found_after_a_reload(
    visit, paper_run, recorded, server
):
    page = visit(f"evaluate?run={paper_run}&epoch=4")
    page.locator(".st-key-cursor").get_by_role("button", name="Play", exact=True).click()
    expect(page.locator(CAPTION)).to_have_text("epoch 5 of 5")
    t, p, _ = most_frequent_error(recorded[5.0].confusion)
    click_cell(page, t, p)
    page.locator(".st-key-cell_images [role=grid]").click(position={"x": 20, "y": 20})
    page.get_by_role("button", name="Open in Mistakes").click()
    index = int(recorded[5.0].errors(t, p)[0])
    title = f"Test image {index:,}: a {t}, read as {p}"
    expect(title_of(page)).to_have_text(title)

    verdicts = page.locator(".st-key-verdicts")
    verdicts.get_by_role("radio", name="Label").click()
    expect(verdicts.get_by_role("radio", name="Label")).to_be_checked()
    files = lambda: list((server.runs / "marks").glob("*.json"))  # noqa: E731
    (file,) = wait_for(files, 15, "the file of marks")
    assert json.loads(file.read_text())["marks"] == {str(index): "label"}
    page.reload()
    expect(title_of(page)).to_have_text(title)
    expect(verdicts.get_by_role("radio", name="Label")).to_be_checked()
    page.get_by_role("radio", name="Doubtful labels").click()
    summary = page.locator(".st-key-marks_summary")
    expect(summary).to_contain_text("1 the label's fault")
    right = np.delete(recorded[5.0].right, index)
    expect(summary).to_contain_text(f"{100 * right.mean():.2f} %")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Marks (CSV)").click()
    lines = waiting.value.path().read_text().splitlines()
    assert lines[1].startswith(f"{index},{t},") and lines[1].endswith(",label")
    verdicts.get_by_role("radio", name="Label").click()
    expect(summary).to_contain_text("0 the label's fault")
    assert json.loads(file.read_text())["marks"] == {}


def test_maps_come_from_the_network_itself(visit, paper_run):
    page = visit(f"mistakes?run={paper_run}")
    drawn = []
    for name in ("Saliency", "Occlusion"):
        page.get_by_role("radio", name=name).click()
        expect(page.get_by_text("Blue speaks for")).to_contain_text(
            "blanked" if name == "Occlusion" else "more ink", timeout=ASKING_SECONDS
        )
        stand_still(page)
        values = "node => Array.from(node._fullData[0].z, row => Array.from(row))"
        expect(page.locator(".st-key-attribution .mnist-chart.drawn")).to_be_visible()
        drawn.append(np.array(plot(page, "attribution").evaluate(values), float))
    for values in drawn:
        assert values.shape == (28, 28) and abs(values).max() > 0.01
    assert not np.allclose(*drawn)


@pytest.mark.parametrize("path", ["mistakes?", "evaluate?evaluate=Two+runs&"])
def test_a_page_on_a_phone_ends_where_its_content_ends(path, visit, paper_run):
    page = visit(f"{path}run={paper_run}", **PHONE)
    expect(page.locator(".mnist-chart.drawn").first).to_be_visible()
    stand_still(page)
    left = """() => {
        const main = document.querySelector("[data-testid=stMain]");
        const inside = document.querySelector("[data-testid=stMainBlockContainer]");
        return main.scrollHeight - main.clientHeight - inside.getBoundingClientRect().height;
    }"""
    assert page.evaluate(left) < 200


def test_mistakes_on_a_phone(visit, paper_run, recorded):
    page = visit(f"mistakes?run={paper_run}", **PHONE)
    grid = page.locator(".st-key-mistakes_grid [role=grid]")
    active = grid.locator("#active")
    expect(grid).to_be_visible()
    stand_still(page)
    grid.tap(position={"x": 3 * PITCH + 20, "y": 20})
    expect(active).to_contain_text("read as")
    opened(page, active)
    sheet = page.get_by_role("button", name="Contact sheet (PNG)")
    with page.expect_download() as waiting:
        sheet.tap()
    assert Image.open(waiting.value.path()).width > 300
