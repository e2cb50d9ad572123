"""Explain in a real browser: clicks on charts, formulas, links, the walk, and phones.

What is compared with was computed here, in float64 from the weights on the disk.
"""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from latex import number as written

from mnist_core import data, digit_link, runs

from .conftest import PROJECT, wait_for
from .page import CURSOR, TRAINING_SECONDS, is_marked, mark, open_page, plot, stand_still
from .strokes import draw

expect = pytest.importorskip("playwright.sync_api", reason="needs Playwright").expect

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
ASKING_SECONDS = 60_000  # ms: the answering process starts first
WALK = (  # page and view of each step, in the order of the paper
    ("browse", "Digits"), ("explain", "One digit"), ("train", "Studio"), ("explain", "One digit"),
    ("explain", "One digit"), ("explain", "One step"), ("train", "Studio"), ("train", "The paper"),
    ("evaluate", "Confusion"), ("explain", "Convolution"),
)  # fmt: skip
NUMBER = re.compile(r"(-?\d+(?:\.\d+)?)(?: \\cdot 10\^\{(-?\d+)\})?(?:\\end\{aligned\})?\s*$")


def softmax(z):
    powers = np.exp(z - z.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


class Recorded:
    """The paper's network as it was recorded after an epoch, images uint8 (N, 28, 28) go in."""

    def __init__(self, run, epoch):
        with np.load(run.path / "weights" / f"{runs.moment_name(epoch)}.npz") as arrays:
            self.w, self.b, self.v, self.c = (
                arrays[f"weights/{number}"].astype(float) for number in range(4)
            )
        self.units = None  # of the test set

    def sums(self, images):
        return images.reshape(-1, 784) / 255 @ self.w + self.b

    def logits(self, images):
        return np.maximum(0, self.sums(images)) @ self.v + self.c

    def probabilities(self, image):
        return softmax(self.logits(image))[0]

    def says(self, image, label):
        """What stands beside an image."""
        p = self.probabilities(image)
        answer = int(p.argmax())
        mark = "✓" if answer == label else "✗"
        return f"a {label} read as {answer} {mark}, {100 * p[answer]:.2f} % sure"

    def accuracy(self, test, off=()):
        if self.units is None:
            self.units = np.maximum(0, self.sums(test.images))
        on = np.isin(np.arange(len(self.v)), list(off), invert=True)
        right = (self.units * on @ self.v + self.c).argmax(axis=1) == test.labels
        return f"{100 * right.mean():.2f} %"


@pytest.fixture(scope="module")
def dataset(mnist_path):
    return data.open_source(mnist_path) if mnist_path else data.built_in_digits()


@pytest.fixture(scope="module")
def recorded(server, paper_run):
    run = runs.read(paper_run, server.runs)
    return {epoch: Recorded(run, epoch) for epoch in run.moments}


@pytest.fixture(scope="module")
def surest_mistake(recorded, dataset):
    """The number of the test image that the trained network misreads with most confidence."""
    p = softmax(recorded[5.0].logits(dataset.test.images))
    return int(np.where(p.argmax(axis=1) == dataset.test.labels, 0, p.max(axis=1)).argmax())


@pytest.fixture(scope="module")
def convolutional(server, tmp_path_factory):
    """A small LeNet-5 among the server's runs, as long as the tests of this file last."""
    folder = tmp_path_factory.mktemp("convolutional")
    command = [sys.executable, "-m", "mnist_core", "train", "--preset", "lenet", "--epochs", "1"]
    command += ["--training-size", "1000", "--runs", str(folder), "--json"]
    done = subprocess.run(
        command, cwd=PROJECT, env=server.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout.splitlines()[-1])["run_id"]
    shutil.copytree(folder / run, server.runs / run)
    yield runs.read(run, server.runs)
    shutil.rmtree(server.runs / run)


def link(run, dataset, number, view="One digit", **more):
    """Return the address of Explain with a test image opened."""
    query = {"run": run, "data": dataset.fingerprint[:8], "image": len(dataset.train) + number}
    query |= {"explain": view.replace(" ", "+")} | more
    return "explain?" + "&".join(f"{name}={value}" for name, value in query.items())


def formula(page, text):
    """Return the LaTeX that KaTeX keeps beside what it draws, where it begins with a text."""
    return page.locator(".katex annotation").filter(has_text=re.compile("^" + re.escape(text)))


def expect_number(page, text, wanted):
    """Wait until the one formula that begins so ends with a number, shown in three digits."""
    found = formula(page, text)
    expect(found).to_have_count(1)
    figure, power = NUMBER.search(found.text_content()).groups()
    assert float(f"{figure}e{power or 0}") == pytest.approx(wanted, rel=0.006, abs=1e-12)


def expect_said(page, name, value, sign="&"):
    expect(page).to_have_url(re.compile(rf"[?&]{name}={value}({sign}|$)"))


def drawn(page, key):
    chart = plot(page, key)
    expect(page.locator(f".st-key-{key} .mnist-chart.drawn")).to_be_visible()
    return chart


def click_at(page, key, x, y=None, **how):
    """Click a point of a chart; without y, half way up."""
    chart = drawn(page, key)
    stand_still(page)
    x, y = chart.evaluate(
        """(node, [x, y]) => {
            const { xaxis, yaxis } = node._fullLayout;
            const up = y === null ? yaxis._length / 2 : yaxis.d2p(y);
            return [xaxis._offset + xaxis.d2p(x), yaxis._offset + up];
        }""",
        [x, y],
    )
    chart.click(position={"x": x, "y": y}, **how)


def values(page, key, of="z", trace=0):
    """Return an array of a chart's trace, as the browser has it."""
    how = """(node, [name, trace]) => {
        const plain = value => ArrayBuffer.isView(value) ? Array.from(value) : value;
        return plain(node._fullData?.[trace]?.[name] ?? []).map(plain);
    }"""
    return np.array(drawn(page, key).evaluate(how, [of, trace]), float)


def expect_values(page, key, wanted, **which):
    """Wait until a chart shows an array."""
    near = lambda: (  # noqa: E731
        (shown := values(page, key, **which)).shape == np.shape(wanted)
        and np.allclose(shown, wanted, rtol=1e-4, atol=1e-5)
    )
    wait_for(near, 30, f"other values in {key}")


def beside(page):
    """Return what is said of the digit that is followed."""
    return page.locator(".st-key-explained")


def expect_view(page, name):
    expect(page.get_by_role("radio", name=name, exact=True)).to_be_checked()


def follow(page, key):
    """Press the button "Explain" below a digit."""
    stand_still(page)
    page.locator(f".st-key-{key}").get_by_role("button", name="Explain").click()


# One digit


def test_clicks_fill_in_another_unit_pixel_and_digit(visit, paper_run, recorded, dataset):
    image, net = dataset.test.images[7], recorded[5.0]
    page = visit(link(paper_run, dataset, 7))
    expect(beside(page)).to_contain_text("Test image 7, ")
    expect(beside(page)).to_contain_text(net.says(image, dataset.test.labels[7]))
    z = net.sums(image)[0]
    strongest, unit = int(z.argmax()), 10 + int(np.argsort(z[10:])[59])
    expect_number(page, rf"\begin{{aligned}}z_{{{strongest}}} &", z[strongest])
    keys = ("pixels", "flat", "products", "units", "logits", "terms", "loss")
    for key in keys:
        mark(drawn(page, f"explained_{key}"))

    click_at(page, "explained_units", unit)
    expect_said(page, "unit", unit)
    expect(page.locator(".st-key-neuron_unit_typed input")).to_have_value(str(unit))
    expect_number(page, rf"\begin{{aligned}}z_{{{unit}}} &", z[unit])
    expect_number(page, rf"a_{{{unit}}} ", max(0, z[unit]))
    expect_values(page, "explained_units", [unit], of="x", trace=3)  # the dark bar
    expect_values(page, "explained_units", z, of="customdata", trace=4)

    gray = np.argwhere((image > 20) & (image < 235))
    row, column = map(int, gray[len(gray) // 2])
    pixel = int(image[row, column])
    click_at(page, "explained_pixels", column, row)
    expect_number(page, rf"x_{{{row},{column}}} = \frac{{{pixel}}}{{255}}", pixel / 255)
    expect_number(page, rf"i = 28 \cdot {row} + {column} ", 28 * row + column)

    p = net.probabilities(image)
    answer, digit = int(p.argmax()), int(p.argsort()[-2])
    expect_number(page, rf"p_{{{answer}}} \approx \frac", p[answer])
    click_at(page, "explained_logits", digit)
    expect_number(page, rf"p_{{{digit}}} \approx \frac", p[digit])
    expect(page.locator("table strong").first).to_have_text(str(digit))
    expect_number(page, rf"\begin{{aligned}}z_{{{unit}}} &", z[unit])  # another unit it is not
    assert all(is_marked(plot(page, f"explained_{key}")) for key in keys)

    page.reload()
    expect(page.locator(".st-key-explained_number input")).to_have_value("7")
    expect(page.locator(".st-key-neuron_unit_typed input")).to_have_value(str(unit))
    expect_number(page, rf"\begin{{aligned}}z_{{{unit}}} &", z[unit])
    expect_values(page, "explained_pixels", image)


def test_a_mistake_stays_the_same_digit_at_other_epochs(
    visit, paper_run, recorded, dataset, surest_mistake
):
    page = visit(f"explain?run={paper_run}")
    stand_still(page)
    page.locator(".st-key-digit_is").get_by_role("radio", name="Mistake").click()
    expect_said(page, "digit_is", "Mistake")
    image, label = dataset.test.images[surest_mistake], dataset.test.labels[surest_mistake]
    title = f"Test image {surest_mistake:,}, "
    expect(beside(page)).to_contain_text(title + recorded[5.0].says(image, label))
    for key in ("pixels", "units", "logits"):
        mark(drawn(page, f"explained_{key}"))
    slider = page.locator(CURSOR)
    slider.focus()
    for key, epoch in (("ArrowLeft", 4), ("Home", 0), ("ArrowRight", 1)):
        slider.press(key)
        expect_said(page, "epoch", epoch)
        net = recorded[float(epoch)]
        expect(beside(page)).to_contain_text(title + net.says(image, label))
        expect_values(page, "explained_logits", net.logits(image)[0], of="customdata", trace=4)
    expect_values(page, "explained_pixels", image)
    assert all(is_marked(plot(page, f"explained_{key}")) for key in ("pixels", "units", "logits"))


def test_a_drawn_digit_is_followed(visit, paper_run, recorded):
    page = visit(f"draw?run={paper_run}")
    reading = page.locator(".st-key-reading")
    expect(reading).to_contain_text("Draw a digit", timeout=TRAINING_SECONDS)
    draw(page, 3)
    expect(reading).to_contain_text("Read as 3", timeout=TRAINING_SECONDS)
    follow(page, "explain_drawing")
    expect(beside(page)).to_contain_text("Your drawing")
    expect_said(page, "digit", r"[\w-]+")
    image = digit_link.unpacked(re.search(r"[?&]digit=([\w-]+)", page.url)[1])
    assert image.any()
    said = recorded[5.0].says(image, 3).replace("a 3 read as 3 ✓", "Your drawing read as 3")
    expect(beside(page)).to_contain_text(said)
    expect(beside(page)).to_contain_text("the answer counts as its label")
    expect_values(page, "explained_pixels", image)


def test_a_link_to_a_drawing_shows_it(visit, paper_run, recorded):
    page = visit(f"draw?run={paper_run}")
    reading = page.locator(".st-key-reading")
    expect(reading).to_contain_text("Draw a digit", timeout=TRAINING_SECONDS)
    draw(page, 3)
    expect(reading).to_contain_text("Read as 3", timeout=TRAINING_SECONDS)
    follow(page, "explain_drawing")
    expect(beside(page)).to_contain_text("Your drawing")
    expect_said(page, "digit", r"[\w-]+")
    image = digit_link.unpacked(re.search(r"[?&]digit=([\w-]+)", page.url)[1])
    page.reload()
    expect(beside(page)).to_contain_text("Your drawing")
    said = recorded[5.0].says(image, 3).replace("a 3 read as 3 ✓", "Your drawing read as 3")
    expect(beside(page)).to_contain_text(said)
    expect_values(page, "explained_pixels", image)


def test_an_opened_mistake_and_an_opened_image_are_followed(visit, paper_run, recorded, dataset):
    page = visit(f"mistakes?run={paper_run}")
    grid = page.locator(".st-key-mistakes_grid [role=grid]")
    expect(grid).to_be_visible()
    heading = page.locator(".st-key-opened_heading")
    expect(heading).to_contain_text(re.compile("Test image ([0-9,]+)", re.IGNORECASE))
    number = int(re.search("image ([0-9,]+)", heading.inner_text())[1].replace(",", ""))
    follow(page, "explain_mistake")
    image, label = dataset.test.images[number], dataset.test.labels[number]
    title = f"Test image {number:,}, "
    expect(beside(page)).to_contain_text(title + recorded[5.0].says(image, label))
    expect_view(page, "One digit")

    page.get_by_role("link", name="Browse", exact=True).click()
    expect(page.locator(".st-key-opened_heading")).to_contain_text(f"{number:,}")
    page = visit(f"browse?run={paper_run}&data={dataset.fingerprint[:8]}&image=11")
    expect(page.locator(".st-key-opened_heading")).to_contain_text("11")
    follow(page, "explain_image")
    image, label = dataset.train.images[11], dataset.train.labels[11]
    expect(beside(page)).to_contain_text("Training image 11, " + recorded[5.0].says(image, label))


# One step


def test_a_click_on_a_gradient_follows_that_weight(
    visit, paper_run, recorded, dataset, surest_mistake
):
    page = visit(link(paper_run, dataset, surest_mistake, "One step"))
    image, label = dataset.test.images[surest_mistake], dataset.test.labels[surest_mistake]
    net = recorded[5.0]
    error = net.probabilities(image) - np.eye(10)[label]
    slopes = net.v @ error * (net.sums(image)[0] > 0)
    unit = int(abs(slopes).argmax())
    gradient = np.outer(image.reshape(-1) / 255, slopes)[:, unit]
    expect_values(page, "step_gradient_3", gradient.reshape(28, 28))
    for key in ("step_error", "step_gradient_2", "step_gradient_3", "step_maps"):
        mark(drawn(page, key))
    inked = np.argwhere((image > 20) & (image < 250))
    row, column = map(int, inked[len(inked) // 3])
    click_at(page, "step_gradient_3", column, row)
    words = f"The weight from pixel ({row}, {column}) to unit {unit}"
    expect(page.get_by_text(f"{words}. Click another")).to_be_visible()
    pixel = 28 * row + column
    expect_number(page, f"g_{{{pixel},{unit}}} ", gradient[pixel])
    in_the_step = page.get_by_text(f"{words}, ")
    expect(in_the_step).to_contain_text(f", {net.w[pixel, unit]:.6f}, at step t = ")

    digit = int(net.probabilities(image).argmax())
    active = np.flatnonzero(net.sums(image)[0] > 0)
    before = int(active[len(active) // 2])
    click_at(page, "step_gradient_2", before % 16, before // 16)
    words = f"The weight from unit {before} to output {digit}"
    expect(page.get_by_text(f"{words}. Click another")).to_be_visible()
    in_the_step = page.get_by_text(f"{words}, ")
    expect(in_the_step).to_contain_text(f", {net.v[before, digit]:.6f}, at step t = ")
    for key in ("step_error", "step_gradient_2", "step_gradient_3", "step_maps"):
        assert is_marked(plot(page, key)), key


def test_keras_takes_the_same_step(visit, paper_run, recorded, dataset, surest_mistake):
    page = visit(link(paper_run, dataset, surest_mistake, "One step"))
    stand_still(page)
    page.get_by_text("Let Keras take the same step").click()
    said = page.get_by_text("Keras's loss: ")
    expect(said).to_be_visible(timeout=ASKING_SECONDS)
    image, label = dataset.test.images[surest_mistake], dataset.test.labels[surest_mistake]
    loss = -np.log(recorded[5.0].probabilities(image)[label])
    before, after = map(float, re.findall(r"\d+\.\d+", said.inner_text()))
    assert before == pytest.approx(loss, rel=1e-5) and after != before
    rows = page.locator("table", has_text="largest difference").locator("tbody tr")
    lines = [row.locator("td").all_inner_texts() for row in rows.all()]
    assert len(lines) >= 5
    for what, largest, apart in lines:
        assert 0 <= written(apart) <= 1e-5 * written(largest), what
        assert written(largest) > 0, what


# Neurons


def sentence(page, text):
    return page.get_by_test_id("stMarkdown").filter(has_text=text)


def cells(page):
    """Return unit -> where it stands in the mosaic."""
    found = drawn(page, "neurons").evaluate(
        """node => {
            const { customdata, x0, dx, y0, dy } = node._fullData[1];
            return customdata.flatMap((row, i) => Array.from(row).map(
                (unit, j) => [unit, [x0 + j * dx, y0 + i * dy]]));
        }"""
    )
    return {unit: place for unit, place in found if unit is not None}


def test_units_are_chosen_switched_off_and_changed(visit, paper_run, recorded, dataset):
    page = visit(f"explain?run={paper_run}&explain=Neurons")
    net, test = recorded[5.0], dataset.test
    learned = net.accuracy(test)
    expect(sentence(page, "are read rightly")).to_contain_text(learned)
    places = cells(page)
    assert sorted(places) == list(range(128))
    for key in ("neurons", "neuron_weights", "neuron_bars"):
        mark(drawn(page, key))

    click_at(page, "neurons", *places[21])
    expect(sentence(page, "Without unit 21")).to_contain_text(net.accuracy(test, [21]))
    expect(page.locator(".st-key-neuron_number input")).to_have_value("21")
    expect_values(page, "neuron_weights", net.w[:, 21].reshape(28, 28))
    expect_said(page, "unit", 21)

    lose_most = {unit: net.accuracy(test, [unit]) for unit in range(128)}
    first, second = sorted(lose_most, key=lambda unit: float(lose_most[unit].split()[0]))[:2]
    click_at(page, "neurons", *places[first], modifiers=["Shift"])
    now = f"{learned} → {lose_most[first]} with 1 unit off"
    expect(sentence(page, now)).to_be_visible()
    click_at(page, "neurons", *places[second], modifiers=["Shift"])
    both = net.accuracy(test, [first, second])
    assert both != learned
    expect(sentence(page, f"{learned} → {both} with 2 units off")).to_be_visible()
    expect(page.get_by_text(f"Unit {second} (off)")).to_be_visible()
    off = ",".join(map(str, sorted((first, second))))
    expect_said(page, "off", off.replace(",", "(,|%2C)"))
    assert all(is_marked(plot(page, key)) for key in ("neurons", "neuron_weights", "neuron_bars"))

    page.reload()
    expect(sentence(page, f"{learned} → {both} with 2 units off")).to_be_visible()
    expect_said(page, "off", off.replace(",", "(,|%2C)"))
    stand_still(page)
    page.get_by_role("button", name="Switch all on again").click()
    expect(sentence(page, "are read rightly")).to_contain_text(learned)
    expect(page).not_to_have_url(re.compile("[?&]off="))


def test_one_weight_is_moved_and_goes_back(visit, paper_run, recorded, dataset):
    net, test = recorded[5.0], dataset.test
    learned = net.accuracy(test)
    most = int(abs(net.v).max(axis=1).argmax())
    page = visit(f"explain?run={paper_run}&explain=Neurons&unit={most}")
    expect(sentence(page, f"Without unit {most}")).to_contain_text(net.accuracy(test, [most]))
    # The lower chart has its weights to the digits.
    place = drawn(page, "neuron_bars").evaluate(
        """node => {
            const { xaxis, yaxis2 } = node._fullLayout;
            const w = Array.from(node._fullData[1].y);
            const digit = w.map(Math.abs).indexOf(Math.max(...w.map(Math.abs)));
            const [x, y] = [xaxis.d2p(digit), yaxis2.d2p(w[digit] / 2)];
            return [digit, xaxis._offset + x, yaxis2._offset + y];
        }"""
    )
    digit = place[0]
    assert digit == abs(net.v[most]).argmax()
    stand_still(page)
    plot(page, "neuron_bars").click(position={"x": place[1], "y": place[2]})
    name = f"Weight to digit {digit}: {net.v[most, digit]:+.3f} learned"
    expect(page.get_by_text(name)).to_be_visible()
    handle = page.locator("[class*=st-key-neuron_value_]").get_by_role("slider")
    back = page.get_by_role("button", name="Back to the learned value")
    expect(back).to_be_disabled()
    stand_still(page)
    handle.focus()
    handle.press("End")
    expect(sentence(page, "with 1 weight changed")).to_be_visible()
    stand_still(page)
    net.v[most, digit], kept = float(handle.input_value()), net.v[most, digit]
    changed = net.accuracy(test)
    assert abs(net.v[most, digit]) > 2 * abs(kept)
    expect_values(page, "neuron_bars", np.round(net.v[most], 4), of="y", trace=1)
    net.v[most, digit] = kept
    assert changed != learned
    expect(sentence(page, "with 1 weight changed")).to_contain_text(f"{learned} → {changed}")
    back.click()
    expect(sentence(page, "are read rightly")).to_contain_text(learned)
    expect(back).to_be_disabled()
    expect_values(page, "neuron_bars", np.round(net.v[most], 4), of="y", trace=1)


# Convolution


def test_the_window_moves_to_a_clicked_output(visit, paper_run, convolutional, dataset):
    page = visit(link(paper_run, dataset, 7, "Convolution"))
    expect(page.get_by_text("This network has no convolution")).to_be_visible()
    stand_still(page)
    page.locator(f".st-key-conv_play_{convolutional.id} button").click()
    expect_said(page, "run", convolutional.id)
    with np.load(convolutional.path / "weights" / f"{runs.moment_name(1.0)}.npz") as arrays:
        kernels, biases = arrays["weights/0"].astype(float), arrays["weights/1"].astype(float)
    padded = np.pad(dataset.test.images[7] / 255, 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5))
    maps = np.einsum("yxij,ijf->yxf", windows, kernels[:, :, 0]) + biases
    for key in ("conv_in", "conv_weights", "conv_out", "conv_x", "conv_w", "conv_xw"):
        mark(drawn(page, key))
    number = page.locator(".st-key-conv_filter").get_by_role("spinbutton")
    chosen = int(number.input_value()) - 1
    assert chosen == np.tanh(maps).max(axis=(0, 1)).argmax()
    expect_values(page, "conv_out", np.tanh(maps[..., chosen]))
    corners = """node => node._fullLayout.shapes.filter(({ type }) => type === "rect")
        .map(({ x0, y0, x1, y1 }) => [x0, y0, x1, y1])"""
    frames = lambda: plot(page, "conv_in").evaluate(corners)  # noqa: E731
    for row, column in ((14, 13), (9, 17)):
        click_at(page, "conv_out", column, row)
        expect_said(page, "place", rf"{row}\.{column}")
        expect(page.get_by_text(f"Place: row {row}, column {column}")).to_be_visible()
        expect_values(page, "conv_x", windows[row, column])
        expect_values(page, "conv_xw", windows[row, column] * kernels[:, :, 0, chosen])
        wanted = float(np.tanh(maps[row, column, chosen]))
        sums = page.locator(".katex annotation").filter(has_text=re.compile(r"a &= \\tanh\(-?\d"))
        shown = lambda sums=sums: NUMBER.search(sums.text_content())  # noqa: E731
        near = lambda wanted=wanted, shown=shown: (  # noqa: E731
            abs(float(shown()[1]) - wanted) <= 0.006 * abs(wanted)
        )
        wait_for(near, 30, f"a sum of tanh {wanted}")
        frame = [column - 2.5, row - 2.5, column + 2.5, row + 2.5]
        wait_for(lambda frame=frame: frame in frames(), 30, f"a window around {row}, {column}")
    for key in ("conv_in", "conv_weights", "conv_out", "conv_x", "conv_w", "conv_xw"):
        assert is_marked(plot(page, key)), key


# The walk and the glossary


def expect_step(page, number):
    name, view = WALK[number - 1]
    expect(page.locator(".st-key-tour_row")).to_contain_text(f"Step {number} of 10")
    expect(page).to_have_url(re.compile(rf"/{name}\?(.*&)?walk={number}(&|$)"))
    expect_view(page, view)
    expect(page.locator("h1")).to_have_text(name.capitalize())


@pytest.mark.parametrize("size", [{}, PHONE], ids=["desktop", "phone"])
def test_the_walk_leads_through_ten_screens(size, visit, paper_run):
    page = visit(f"explain?run={paper_run}&explain=The+walk", **size)
    width = page.viewport_size["width"]
    stand_still(page)
    page.get_by_role("button", name="Start the walk").click()
    bar = page.locator(".st-key-tour")
    for number in range(1, 11):
        expect_step(page, number)
        stand_still(page)
        for part in (bar, *bar.get_by_role("button").all()):
            box = part.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= width, number
        assert_fits(page)
        step = bar.get_by_role("button", name="Next", exact=True)
        if number < 10:
            step.click()
    expect(step).to_be_disabled()
    bar.get_by_role("button", name="Back", exact=True).click()
    expect_step(page, 9)
    stand_still(page)
    bar.get_by_role("button", name="End", exact=True).click()
    expect(bar).to_have_count(0)
    expect(page).not_to_have_url(re.compile("walk="))
    expect_said(page, "run", paper_run)
    expect_view(page, "Confusion")


def test_terms_lead_to_the_glossary_in_the_same_tab(visit, paper_run):
    page = visit(f"evaluate?run={paper_run}&epoch=2")
    drawn(page, "confusion")
    stand_still(page)
    page.get_by_role("button", name="Terms").click()
    first = page.locator(".st-key-terms_list").get_by_role("link").first
    term = first.inner_text().strip()
    first.click()
    expect(page.locator(".st-key-glossary_entry").get_by_role("heading")).to_have_text(term)
    expect_view(page, "Glossary")
    expect_said(page, "run", paper_run)
    expect_said(page, "epoch", 2)
    expect(page.locator(".st-key-cursor output")).to_have_text("epoch 2 of 5")
    assert len(page.context.pages) == 1
    related = page.locator(".st-key-glossary_related").get_by_role("link").first
    term = related.inner_text().strip()
    related.click()
    expect(page.locator(".st-key-glossary_entry").get_by_role("heading")).to_have_text(term)
    expect_said(page, "epoch", 2)
    assert len(page.context.pages) == 1


# All views


def assert_fits(page):
    """See that nothing is wider than the window."""
    main = "const main = document.querySelector('[data-testid=stMain]');"
    assert page.evaluate(f"() => {{ {main} return main.scrollWidth - main.clientWidth; }}") <= 0
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("size", [{}, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("kind", ["dense", "convolutional"])
def test_every_view_opens_and_fits(kind, size, visit, paper_run, convolutional):
    """What a page complains of or fetches elsewhere fails at the visit's end."""
    dense = kind == "dense"
    page = visit(f"explain?run={paper_run if dense else convolutional.id}", **size)
    for name, has in {
        "One step": ".st-key-step_maps .drawn",
        "Convolution": ".stAlert" if dense else ".st-key-conv_out .drawn",
        "Neurons": ".st-key-neurons .drawn" if dense else ".st-key-on_Convolution",
        "The walk": ".st-key-tour_step_10",
        "Glossary": ".st-key-glossary_entry, .st-key-glossary_A",
        "One digit": ".st-key-explained_loss .drawn",
    }.items():
        page.get_by_role("radio", name=name, exact=True).click()
        expect_view(page, name)
        expect(page.locator(has)).to_be_visible()
        stand_still(page)
        if name in ("One digit", "One step") or (name == "Convolution" and not dense):
            wide = """() => {
                const all = Array.from(document.querySelectorAll(".katex"));
                return all.length > 3 && all.every(({ offsetWidth }) => offsetWidth > 5);
            }"""
            page.wait_for_function(wide)
            assert page.evaluate("document.fonts.check('16px KaTeX_Main')")
        expect(page.get_by_test_id("stException")).to_have_count(0)
        assert_fits(page)


def test_a_look_at_another_page_keeps_unit_and_digit(visit, paper_run, recorded, dataset):
    page = visit(link(paper_run, dataset, 7, unit=40))
    z = recorded[5.0].sums(dataset.test.images[7])[0]
    expect_number(page, r"\begin{aligned}z_{40} &", z[40])
    open_page(page, "Evaluate")
    open_page(page, "Explain")
    expect_number(page, r"\begin{aligned}z_{40} &", z[40])
    expect(page.locator(".st-key-explained_number input")).to_have_value("7")
    expect_said(page, "unit", 40)
