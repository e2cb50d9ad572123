"""Browse in a real browser: by mouse, keyboard and finger; links, map, classes, copies, files."""

import re
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd
import pytest

from mnist_core import data, maps, slices
from mnist_core.selection import Subset

from .page import is_marked, mark, plot, stand_still

expect = pytest.importorskip("playwright.sync_api", reason="needs Playwright").expect

CELL, GAP = 52, 8  # CSS pixels of the grid of Browse
PAGE_SIZE = 120
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
WORKER_SECONDS = 60_000  # ms: about 5 s on the built-in digits, for a worker's start and its work
EDGE = 1.5  # CSS pixels around a drawn outline in which a point may count or not


@pytest.fixture(scope="module")
def dataset(mnist_path):
    """What the shared server runs on."""
    return data.open_source(mnist_path) if mnist_path else data.built_in_digits()


# What a page says


def asked(url):
    return parse_qs(urlsplit(url).query)


def selected_in(url):
    """Return the ids that a URL selects."""
    text = asked(url).get("selected", [""])[0]
    return set(slices.unpack(text, 70_000).tolist())


def expect_selected(page, ids):
    """Wait until exactly these are selected, by the toolbar and by the URL."""
    said = page.locator(".st-key-selecting").get_by_text(f"{len(ids):,} selected", exact=True)
    expect(said).to_be_visible()
    page.wait_for_url(lambda url: selected_in(url) == set(ids))


def expect_opened(page, dataset, number):
    """Wait until an image, by its id, stands open beside, and in the URL."""
    one = Subset(dataset, np.array([number]))
    title = f"{one.title}: a {one.labels[0]}"
    expect(page.locator(".st-key-opened_heading")).to_contain_text(title)
    page.wait_for_url(lambda url: asked(url).get("image") == [str(number)])


def captions(dataset, ids):
    found = Subset(dataset, np.asarray(ids))
    return [f"{name}: {label}" for name, label in zip(found.names(), found.labels, strict=True)]


# The grid


def grid_of(page, key="browse_grid"):
    """Return a grid that is drawn."""
    expect(page.locator(f".st-key-{key} .grid[data-token]")).to_be_visible()
    return page.locator(f".st-key-{key} [role=grid]")


def token(page, key="browse_grid"):
    return grid_of(page, key).locator("..").get_attribute("data-token")


def expect_marked(grid, number):
    expect(grid.locator(".chosen i")).to_have_count(number)


def columns_of(grid):
    return int(grid.get_attribute("aria-colcount"))


def middle(grid, i, cell=CELL):
    row, column = divmod(i, columns_of(grid))
    return {axis: place * (cell + GAP) + cell / 2 for axis, place in (("x", column), ("y", row))}


def click(grid, i, *modifiers):
    grid.click(position=middle(grid, i), modifiers=modifiers)


def draw(page, grid, first, last):
    """Draw a rectangle with the mouse, from the middle of a digit to that of another."""
    box = grid.bounding_box()
    for i, act in ((first, page.mouse.down), (last, page.mouse.up)):
        place = middle(grid, i)
        page.mouse.move(box["x"] + place["x"], box["y"] + place["y"], steps=4)
        act()


def turn_to(page, number):
    """Turn to a page of the grid."""
    before = token(page)
    page.locator(".st-key-browse_page").get_by_text(str(number), exact=True).click()
    expect(page.locator(".st-key-browse_grid .grid")).not_to_have_attribute("data-token", before)


def show(page, name):
    page.locator(".st-key-browse_show").get_by_text(name, exact=True).click()


def test_the_mouse_opens_digits_and_selects_them(visit, dataset):
    page = visit("browse")
    grid = grid_of(page)
    grid.hover(position=middle(grid, 7))
    expect(grid.locator(".tip")).to_have_text(captions(dataset, [7])[0])
    click(grid, 7)
    expect_opened(page, dataset, 7)
    expect_selected(page, set())

    click(grid, 10, "Shift")
    expect_selected(page, {7, 8, 9, 10})
    click(grid, 8, "Control")
    expect_selected(page, {7, 9, 10})
    click(grid, 8, "Control")
    expect_selected(page, {7, 8, 9, 10})

    # A rectangle selects what it touches; begun on a selected digit it takes out.
    third, fourth = (row * columns_of(grid) for row in (2, 3))
    draw(page, grid, third, fourth + 2)
    drawn = {row + column for row in (third, fourth) for column in range(3)}
    expect_selected(page, {7, 8, 9, 10} | drawn)
    draw(page, grid, third + 1, fourth + 5)
    left = {7, 8, 9, 10, third, fourth}
    expect_selected(page, left)
    expect_marked(grid, len(left))
    expect_opened(page, dataset, 7)  # what was drawn has opened nothing

    # The selection stays, on other pages of the grid and of the app.
    turn_to(page, 2)
    expect_marked(grid, 0)
    click(grid, 3, "Control")
    expect_selected(page, left | {PAGE_SIZE + 3})
    turn_to(page, 1)
    expect_marked(grid, len(left))
    page.wait_for_url(lambda url: "page" not in asked(url))
    for name in ("Train", "Browse"):
        stand_still(page)
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.locator("h1")).to_have_text(name)
    expect_selected(page, left | {PAGE_SIZE + 3})
    expect_marked(grid_of(page), len(left))
    expect_opened(page, dataset, 7)


def test_the_keyboard_opens_digits_and_selects_them(visit, dataset):
    page = visit("browse")
    grid = grid_of(page)
    active = grid.locator("#active")
    down = columns_of(grid)
    for key, reached in (
        ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowDown", 2 + down), ("ArrowLeft", 1 + down),
        ("ArrowUp", 1), ("End", down - 1), ("ArrowRight", down), ("Home", down),
        ("Control+End", PAGE_SIZE - 1), ("Control+Home", 0), ("ArrowLeft", 0), ("ArrowRight", 1),
    ):  # fmt: skip
        grid.press(key)
        expect(active).to_have_text(captions(dataset, [reached])[0])
    expect(grid.locator(".tip")).to_have_text(captions(dataset, [1])[0])
    grid.press("Enter")
    expect_opened(page, dataset, 1)

    grid.press("Space")
    expect_selected(page, {1})
    expect(active).to_have_text(f"{captions(dataset, [1])[0]}, selected")
    grid.press("Shift+ArrowRight")
    expect_selected(page, {1, 2})
    grid.press("Shift+ArrowDown")
    expect_selected(page, range(1, 2 + down + 1))
    grid.press("Space")
    expect_selected(page, range(1, 2 + down))
    grid.press("Control+a")
    expect_selected(page, range(PAGE_SIZE))
    grid.press("Escape")
    expect_selected(page, set())
    expect_opened(page, dataset, 1)

    # N and P lead on, with the focus in the grid and without, but not while one writes.
    grid.press("n")
    expect_opened(page, dataset, 2)
    page.locator("h1").click()
    expect(grid).not_to_be_focused()
    for key, number in (("n", 3), ("p", 2), ("p", 1)):
        stand_still(page)
        page.keyboard.press(key)
        expect_opened(page, dataset, number)
    field = write_range(page, "npn")
    expect(page.get_by_text("expected an index such as 12")).to_be_visible()
    expect_opened(page, dataset, 1)
    field.fill("0-9")
    field.press("Enter")
    expect(page.locator(".st-key-found")).to_contain_text("10 images")
    expect_opened(page, dataset, 1)


def write_range(page, text):
    """Type into the field for an index or a range."""
    field = page.get_by_label("Index or range")
    if not field.is_visible():
        page.get_by_role("button", name="More filters").click()
    field.press_sequentially(text)
    field.press("Enter")
    return field


def test_an_impossible_range_filters_nothing_away_for_good(visit, dataset):
    page = visit("browse")
    found = page.locator(".st-key-found")
    field = write_range(page, "199-100")
    expect(found).to_contain_text("100 images")
    page.wait_for_url(lambda url: asked(url).get("range") == ["100-199"])
    expect(grid_of(page).locator("#active")).to_have_text(captions(dataset, [100])[0])
    field.fill("99999999")
    field.press("Enter")
    expect(page.get_by_text("No image passes these filters.")).to_be_visible()
    expect(found).to_contain_text("0 images")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Show all images").click()
    expect(found).to_contain_text(f"{len(dataset.train):,} images")
    expect(grid_of(page).locator("#active")).to_have_text(captions(dataset, [0])[0])
    page.wait_for_url(lambda url: "range" not in asked(url))


# A finger


def push(page, locator, distance, times=10):
    """Push what lies under the middle of an element up by a finger."""
    box = locator.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = page.context.new_cdp_session(page)

    def touch(kind, *points):
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [*points]})

    touch("touchStart", {"x": x, "y": y})
    for step in range(1, times + 6):  # it rests at the end, so that nothing rolls on
        touch("touchMove", {"x": x, "y": y - distance * min(step / times, 1)})
        page.evaluate("new Promise(requestAnimationFrame)")  # no finger is quicker
    touch("touchEnd")
    session.detach()


def expect_scrolled(page, locator, least):
    """Wait until an element has been scrolled at least so far."""
    scrolled = """([node, least]) => {
        const rests = node.scrollTop === node.lastTop;
        node.lastTop = node.scrollTop;
        return rests && node.scrollTop > least;
    }"""
    arguments = [locator.element_handle(), least]
    page.wait_for_function(scrolled, arg=arguments, polling=100, timeout=5_000)


def tap(page, grid, i):
    """Tap a digit that is on the screen."""
    box, place = grid.bounding_box(), middle(grid, i)
    page.touchscreen.tap(box["x"] + place["x"], box["y"] + place["y"])


def test_a_finger_opens_selects_and_scrolls_digits(visit, dataset):
    page = visit("browse", **PHONE)
    grid = grid_of(page)
    stand_still(page)
    tap(page, grid, 6)
    expect_opened(page, dataset, 6)
    page.locator(".st-key-selecting").get_by_text("Tap to select").tap()
    expect(page.get_by_label("Tap to select", exact=True)).to_be_checked()
    page.get_by_test_id("stMain").evaluate("node => node.scrollTo(0, 0)")
    stand_still(page)
    for i, selected in ((2, {2}), (8, {2, 8}), (2, {8}), (5, {5, 8})):
        tap(page, grid, i)
        expect_selected(page, selected)
    expect_opened(page, dataset, 6)

    sheet = grid.locator("..")
    push(page, sheet, 150)
    expect_scrolled(page, sheet, 100)
    # A finger that has scrolled has neither selected nor opened: what it does next says so.
    below = 5 * columns_of(grid) + 1
    tap(page, grid, below)
    expect_selected(page, {5, 8, below})
    expect_opened(page, dataset, 6)


def test_a_tap_opens_a_digit_on_the_map(visit_offline):
    page, digits = visit_offline("browse?show=map", **PHONE), data.built_in_digits()
    chart = map_of(page)
    digit, x, y = lonely(points_of(chart))
    box = chart.bounding_box()
    page.touchscreen.tap(box["x"] + x, box["y"] + y)
    expect_opened(page, digits, int(maps.sample(digits, "training").ids[digit]))


def test_a_finger_scrolls_over_the_map(visit_offline):
    """And keeps what is selected: a lasso around nothing would clear it."""
    ids, digits = slices.pack(np.array([3, 17])), data.built_in_digits()
    link = f"browse?show=map&data={digits.fingerprint[:8]}&selected={ids}"
    page = visit_offline(link, **PHONE)
    chart = map_of(page)
    stand_still(page)
    push(page, chart, 150)
    expect_scrolled(page, page.get_by_test_id("stMain"), 100)
    expect_selected(page, {3, 17})


# The link


def choose_filters(page):
    page.locator(".st-key-browse_split").get_by_text("test", exact=True).click()
    for digit in ("4", "9"):
        page.locator(".st-key-browse_labels").get_by_text(digit, exact=True).click()
    page.locator(".st-key-browse_order").get_by_role("combobox").click()
    page.get_by_role("option", name="shuffled").click()
    seed = page.locator(".st-key-browse_seed input")
    seed.fill("7")
    seed.press("Enter")
    wanted = {"split": ["test"], "digits": ["49"], "order": ["shuffled"], "seed": ["7"]}
    page.wait_for_url(lambda url: wanted.items() <= asked(url).items())
    stand_still(page)


def test_a_link_shows_the_same_to_somebody_else(visit, dataset):
    page = visit("browse")
    choose_filters(page)
    grid = grid_of(page)
    click(grid, 4)
    page.wait_for_url(lambda url: "image" in asked(url))
    draw(page, grid, 6, 8)
    expect_marked(grid, 3)
    page.wait_for_url(lambda url: len(selected_in(url)) == 3)
    page.get_by_role("button", name="Selection", exact=True).click()
    name = page.get_by_role("textbox", name="Keep them as a slice named")
    name.fill("open & shut")
    name.press("Enter")
    expect(page.get_by_text("Expected a name of 1 to 30 letters")).to_be_visible()
    name.fill("vier und neun")
    name.press("Enter")
    expect(page.get_by_text("vier und neun 3 images")).to_be_visible()
    page.wait_for_url(lambda url: "slice" in asked(url))
    heading = page.locator(".st-key-opened_heading").inner_text()
    image = int(asked(page.url)["image"][0])
    expect_opened(page, dataset, image)
    assert image >= len(dataset.train) and heading

    other = visit(page.url.removeprefix(f"{page.url.split('/browse')[0]}/"))
    expect_marked(grid_of(other), 3)
    assert token(other) == token(page)
    expect_opened(other, dataset, image)
    expect_selected(other, selected_in(page.url))
    other.get_by_role("button", name="Selection", exact=True).click()
    expect(other.get_by_text("vier und neun 3 images")).to_be_visible()
    assert asked(other.url) == asked(page.url)


# The map


def map_of(page):
    expect(page.locator(".st-key-digit_map .mnist-chart.drawn")).to_be_visible()
    return plot(page, "digit_map")


def points_of(chart):
    """Return the points one can point at: their place in the sample, and x and y in the chart."""
    return np.array(
        chart.evaluate(
            """node => {
                const { xaxis, yaxis } = node._fullLayout;
                const { left, top } = node.getBoundingClientRect();
                const inside = node.querySelector(".nsewdrag").getBoundingClientRect();
                const traces = node._fullData.filter(trace => trace.customdata?.length);
                return traces.flatMap(({ x, y, customdata }) => [...customdata].map((digit, i) =>
                    [digit, xaxis._offset + xaxis.d2p(x[i]), yaxis._offset + yaxis.d2p(y[i])]))
                    .filter(([, x, y]) => x > inside.left - left && x < inside.right - left &&
                        y > inside.top - top && y < inside.bottom - top);
            }"""
        )
    )


def lonely(points):
    """Return the point that is farthest from all others."""
    apart = np.hypot(*(points[:, None, 1:] - points[None, :, 1:]).transpose(2, 0, 1))
    np.fill_diagonal(apart, np.inf)
    digit, x, y = points[apart.min(1).argmax()]
    return int(digit), x, y


def around(points, share, radius):
    """Return the corners of a diamond around the point that has this share of points to its left.

    Whole pixels, as a mouse has them.
    """
    x, y = points[np.argsort(points[:, 1])[int(share * (len(points) - 1))], 1:].round()
    return np.array([[x, y - radius], [x + radius, y], [x, y + radius], [x - radius, y]])


def inside(points, corners):
    """Tell which points lie within a convex outline: True, False, or None for those at its edge."""
    centre, edges = corners.mean(0), np.roll(corners, -1, 0) - corners
    normals = np.column_stack([edges[:, 1], -edges[:, 0]]) / np.hypot(*edges.T)[:, None]
    normals *= np.sign(((corners - centre) * normals).sum(1))[:, None]
    beyond = ((points[:, None, 1:] - corners) * normals).sum(2).max(1)
    return [None if abs(far) < EDGE else bool(far < 0) for far in beyond]


def drag(page, chart, places):
    """Draw on a chart with the mouse, from place to place."""
    box = chart.bounding_box()
    for i, (x, y) in enumerate(places):
        page.mouse.move(box["x"] + x, box["y"] + y, steps=4)
        if i == 0:
            page.mouse.down()
    page.mouse.up()


def lasso(page, chart, corners):
    # Python's own floats: where a box stands at whole pixels they would be NumPy's integers.
    points = [(float(x), float(y)) for x, y in corners]
    drag(page, chart, [*points, points[0]])


def expect_selected_inside(page, points, ids, corners, before, added=False):
    """Wait for another selection than before, and see that it is what lies inside; return it."""
    page.wait_for_url(lambda url: selected_in(url) not in (set(), before))
    found = selected_in(page.url)
    expect_selected(page, found)
    sides = dict(zip(ids[points[:, 0].astype(int)].tolist(), inside(points, corners), strict=True))
    wanted = {one for one, side in sides.items() if side} | (before if added else set())
    at_the_edge = {one for one, side in sides.items() if side is None}
    assert len(wanted) >= 5
    assert wanted <= found <= wanted | at_the_edge
    return found


def tip_of(page):
    return page.locator(".st-key-digit_map .mnist-chart-tip")


def ink_of(tip):
    """Return what the tip's canvas shows, as pixels uint8 (28, 28)."""
    alpha = tip.locator("canvas").evaluate(
        """node => [...node.getContext("2d").getImageData(0, 0, 28, 28).data]
            .filter((_, i) => i % 4 === 3)"""
    )
    return np.array(alpha, np.uint8).reshape(28, 28)


def rings_of(chart):
    """Return how many points each trace of rings has."""
    return chart.evaluate(
        """node => node._fullData.filter(({ marker }) => marker?.symbol === "circle-open")
            .map(({ x }) => x.length)"""
    )


def test_the_map_shows_and_opens_the_digit_under_the_mouse_or_the_keys(visit, dataset):
    page = visit("browse?show=map")
    chart, tip = map_of(page), tip_of(page)
    sample = maps.sample(dataset, "training")
    mark(chart)
    assert chart.evaluate("node => node._fullData[1].type") == "scattergl"
    points = points_of(chart)
    assert len(points) == len(sample)

    digit, x, y = lonely(points)
    box = chart.bounding_box()
    page.mouse.move(box["x"] + x - 4, box["y"] + y)
    page.mouse.move(box["x"] + x, box["y"] + y)
    expect(tip).to_be_visible()
    expect(tip.locator("span")).to_have_text(captions(dataset, sample.ids[[digit]])[0])
    assert np.array_equal(ink_of(tip), sample.images[digit])
    page.mouse.click(box["x"] + x, box["y"] + y)
    expect_opened(page, dataset, int(sample.ids[digit]))
    page.wait_for_function(
        "node => node._fullData.some(({ marker, x }) => marker?.symbol === 'circle-open')",
        arg=chart.element_handle(),
    )
    assert rings_of(chart) == [12, 1]
    expect_selected(page, set())

    # Towards the middle there is always another.
    key = "ArrowLeft" if x > np.median(points[:, 1]) else "ArrowRight"
    stand_still(page)
    chart.press(key)
    expect(tip).to_be_visible()
    expect(tip).not_to_have_attribute("data-digit", str(digit))
    reached = int(tip.get_attribute("data-digit"))
    assert np.array_equal(ink_of(tip), sample.images[reached])
    chart.press("Enter")
    expect_opened(page, dataset, int(sample.ids[reached]))
    chart.press("Space")
    expect_selected(page, {int(sample.ids[reached])})
    assert is_marked(chart)


def test_what_is_drawn_on_the_map_is_selected_everywhere(visit, dataset):
    page = visit("browse?show=map")
    chart = map_of(page)
    mark(chart)
    ids = maps.sample(dataset, "training").ids

    # A zoom stays; the outline is drawn on what is then seen.
    box = chart.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    whole = chart.evaluate("node => node._fullLayout.xaxis.range")
    page.mouse.wheel(0, -100)
    page.wait_for_function(
        "([node, left]) => node._fullLayout.xaxis.range[0] > left",
        arg=[chart.element_handle(), whole[0]],
    )
    zoomed = settled(page, chart)

    points = points_of(chart)
    first, second = around(points, 0.9, 40), around(points, 0.2, 24)
    lasso(page, chart, first)
    found = expect_selected_inside(page, points, ids, first, set())
    page.keyboard.down("Shift")
    lasso(page, chart, second)
    page.keyboard.up("Shift")
    found = expect_selected_inside(page, points, ids, second, found, added=True)
    lasso(page, chart, second)
    found = expect_selected_inside(page, points, ids, second, found)
    assert settled(page, chart) == zoomed

    chart.locator(".modebar-btn[data-title='Box Select']").click()
    corner = around(points, 0.85, 50).min(0)
    square = corner + np.array([[0, 0], [100, 0], [100, 100], [0, 100]])
    drag(page, chart, square[[0, 2]])
    found = expect_selected_inside(page, points, ids, square, found)
    assert settled(page, chart) == zoomed
    assert is_marked(chart)

    # Beside, and in the grid of all digits.
    assert token(page, "selected_grid").startswith(f"{min(len(found), 300)}-")
    show(page, "Digits")
    expect(page.locator(".st-key-found")).to_contain_text(f"{len(dataset.train):,} images")
    expect_selected(page, found)
    expect_marked(grid_of(page), sum(one < PAGE_SIZE for one in found))
    page.get_by_role("button", name="More filters").click()
    page.locator(".st-key-images_choice").get_by_role("combobox").click()
    page.get_by_role("option", name="the selection").click()
    expect(page.locator(".st-key-found")).to_contain_text(f"{len(found):,} images")
    expect_marked(grid_of(page), min(len(found), PAGE_SIZE))


def test_a_lasso_around_nothing_leaves_nothing_behind(visit_offline):
    page = visit_offline("browse?show=map")
    chart = map_of(page)
    stand_still(page)
    box = chart.locator(".nsewdrag").bounding_box()
    outer = chart.bounding_box()
    right, bottom = box["x"] - outer["x"] + box["width"], box["y"] - outer["y"] + box["height"]
    corner = np.array([right - 30, bottom - 30])  # no point is there
    lasso(page, chart, corner + np.array([[-20, 0], [0, -20], [20, 0], [0, 20]]))
    page.wait_for_function(
        """node => !node.querySelector(".select-outline") &&
            !node._fullData.some(trace => trace.selectedpoints)""",
        arg=chart.element_handle(),
        timeout=5_000,
    )
    expect_selected(page, set())


def settled(page, chart):
    """Return the range of the x-axis once a turn of the wheel has been worked into it."""
    page.wait_for_function(
        """node => {
            const now = JSON.stringify(node.layout.xaxis.range);
            const same = node.lastRange === now && !node.layout.xaxis.autorange;
            node.lastRange = now;
            return same;
        }""",
        arg=chart.element_handle(),
        polling=200,
    )
    return chart.evaluate("node => node._fullLayout.xaxis.range")


# Classes, and what one should know before training


def test_a_click_on_a_cell_compares_two_classes(visit, dataset):
    page = visit("browse?show=classes")
    expect(page.locator(".st-key-class_distances .mnist-chart.drawn")).to_be_visible()
    chart = plot(page, "class_distances")
    expect(chart.locator(".heatmaplayer image")).to_be_visible()
    mark(chart)
    words = "The 3s that lie most towards the mean 8"
    expect(page.get_by_text(words)).to_have_count(0)
    x, y = chart.evaluate(
        """node => {
            const { xaxis, yaxis } = node._fullLayout;
            return [xaxis._offset + xaxis.d2p(8), yaxis._offset + yaxis.d2p(3)];
        }"""
    )
    chart.click(position={"x": x, "y": y})
    expect(page.get_by_text(words)).to_be_visible()
    expect(page.get_by_text("The 8s that lie most towards the mean 3")).to_be_visible()
    assert is_marked(chart)

    stand_still(page)
    grid = grid_of(page, "between_True")
    grid.press("ArrowRight")
    caption = grid.locator("#active").text_content()
    number = int(re.fullmatch(r"training image ([\d,]+): a 3", caption)[1].replace(",", ""))
    assert dataset.train.labels[number] == 3
    cell = grid.locator(".focus").evaluate("node => node.offsetWidth")
    grid.click(position=middle(grid, 1, cell))
    expect_opened(page, dataset, number)
    expect(page.locator(".st-key-found")).to_contain_text(f"{len(dataset.train):,} images")
    page.wait_for_url(lambda url: "show" not in asked(url))


def test_all_views_draw_the_built_in_digits_and_refuse_a_link_of_mnist(visit_offline):
    digits = data.built_in_digits()
    ids = slices.pack(np.array([3, 69_000]))
    page = visit_offline(f"browse?data=f85aa589&image=5&selected={ids}&digits=3")
    warning = page.locator(".st-key-browse_notices").get_by_role("alert")
    expect(warning).to_contain_text("This link names images of other data")
    threes = np.flatnonzero(digits.train.labels == 3)
    expect(page.locator(".st-key-found")).to_contain_text(f"{len(threes)} images")
    expect(grid_of(page).locator("#active")).to_have_text(captions(digits, threes[:1])[0])
    expect_selected(page, set())
    assert not {"image", "data"} & set(asked(page.url))
    show(page, "Map")
    assert len(points_of(map_of(page))) == len(threes)
    show(page, "Classes")
    expect(page.locator(".st-key-class_balance .mnist-chart.drawn")).to_be_visible()
    assert token(page, "class_Mean").startswith("10-")

    # Every test image is compared in a worker; then the pairs and the histogram are there.
    show(page, "Before training")
    expect(page.locator(".st-key-nearest .barlayer path").first).to_be_visible(
        timeout=WORKER_SECONDS
    )
    expect(page.get_by_role("progressbar")).to_have_count(0)
    assert token(page, "near_pairs").startswith("60-")
    near = page.get_by_text("training image within")
    before = near.inner_text()
    slider = page.locator(".st-key-near_limit").get_by_role("slider")
    slider.press("End")
    expect(near).to_contain_text("within 3.00")
    count = [int(re.search(r"[\d,]+", text)[0]) for text in (before, near.inner_text())]
    assert count[0] < count[1] <= len(digits.test)
    page.get_by_role("button", name="Select these test images").click()
    stand_still(page)
    show(page, "Digits")
    expect(page.locator(".st-key-selecting")).to_contain_text(f"{count[1]:,} selected")


def test_tsne_is_worked_out_beside_the_app_and_kept(visit_offline):
    page = visit_offline("browse?show=map&split=test")
    map_of(page)
    page.locator(".st-key-map_method").get_by_text("t-SNE", exact=True).click()
    page.get_by_role("button", name="Work out t-SNE").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    axis = page.locator(".st-key-digit_map .xtitle")
    expect(axis).to_have_text("t-SNE 1", timeout=WORKER_SECONDS)
    points = points_of(map_of(page))
    assert len(points) == len(data.built_in_digits().test)

    page.reload()
    page.locator(".st-key-map_method").get_by_text("t-SNE", exact=True).click()
    expect(axis).to_have_text("t-SNE 1")
    expect(page.get_by_role("button", name="Work out t-SNE")).to_have_count(0)
    assert np.array_equal(points_of(map_of(page)), points)


# Files


def test_downloads_hold_exactly_the_selected_images(visit, dataset, tmp_path):
    image = pytest.importorskip("PIL.Image")
    train = len(dataset.train)
    ids = np.array([3, 17, train - 1, train + 5])
    wanted = Subset(dataset, ids)
    page = visit(f"browse?data={dataset.fingerprint[:8]}&selected={slices.pack(ids)}")
    expect_selected(page, ids.tolist())
    page.locator(".st-key-selecting").get_by_role("button", name="Download").click()
    expect(page.get_by_text("The 4 images selected")).to_be_visible()
    files = {}
    for title in ("Contact sheet (PNG)", "Images and labels (.npz)", "Indices and labels (CSV)"):
        with page.expect_download() as download:
            page.get_by_role("button", name=title).click()
        name = download.value.suggested_filename
        files[name.rpartition(".")[2]] = tmp_path / name
        download.value.save_as(tmp_path / name)

    with np.load(files["npz"]) as arrays:
        assert np.array_equal(arrays["images"], wanted.images)
        assert np.array_equal(arrays["labels"], wanted.labels)
        assert arrays["index"].tolist() == [3, 17, train - 1, 5]
        assert arrays["test"].tolist() == [False, False, False, True]
    table = pd.read_csv(files["csv"])
    assert table["split"].tolist() == ["training"] * 3 + ["test"]
    assert table["index"].tolist() == [3, 17, train - 1, 5]
    assert table["label"].tolist() == wanted.labels.tolist()
    with image.open(files["png"]) as png:
        sheet = np.asarray(png)
    starts = range(8, sheet.shape[1] - 8, 64)  # each digit twice its size, 8 pixels apart
    shown = [255 - sheet[8:64:2, left : left + 56 : 2] for left in starts]
    assert np.array_equal(shown, wanted.images)


def test_quick_presses_lead_on_and_the_grid_follows(visit):
    page = visit("browse")
    grid = grid_of(page)
    heading = page.locator(".st-key-opened_heading")
    expect(heading).to_contain_text("Training image 0:")
    stand_still(page)
    heading.evaluate(
        """node => {
            window.headings = [];
            const note = () => window.headings.push(node.innerText);
            new MutationObserver(note).observe(
                node, { childList: true, subtree: true, characterData: true }
            );
        }"""
    )
    for _ in range(80):
        page.keyboard.press("n")
        page.wait_for_timeout(60)  # as quick as a key that is held down
    stand_still(page)
    # Streamlit makes one of two presses that reach it at once, but none may lead back.
    texts = page.evaluate("window.headings")
    reached = [int(found[1]) for text in texts if (found := re.search(r"image (\d+):", text))]
    assert reached == sorted(reached) and 12 <= reached[-1] <= 80
    expect(grid.locator(".ring.selected")).to_be_visible()
    page.wait_for_function(
        """() => {
            const all = [...document.querySelectorAll(".st-key-browse_grid *")];
            const { shadowRoot } = all.find(node => node.shadowRoot);
            const box = name => shadowRoot.querySelector(name).getBoundingClientRect();
            const [ring, seen] = [box(".ring.selected"), box(".grid")];
            return seen.top <= ring.top && ring.bottom <= seen.bottom;
        }"""
    )
