"""The neuron bench without a browser: what it shows is what the network's own numbers say."""

import re
from itertools import pairwise

import numpy as np
import pytest
from apptest import array, button, components, drawn_digits, figure, grid, pick, start, url, words
from conftest import write_run
from sklearn.metrics import accuracy_score

from mnist_core import recording
from mnist_core.config import TrainConfig
from mnist_core.layers import Conv, Dense

pytestmark = pytest.mark.usefixtures("app_on_small_data")


def weights_of(config, dataset, seed=0):
    """Return a dense network's weights: random features, the last layer by least squares."""
    rng = np.random.default_rng(seed)
    widths = [784, *(layer.units for layer in config.layers), 10]
    weights = []
    for inputs, units in pairwise(widths):
        kernel = rng.normal(size=(inputs, units)) / np.sqrt(inputs) * 2
        weights += [kernel, np.full(units, 0.5)]
    a = hidden(weights[:-2], dataset.test.images)
    weights[-2], *_ = np.linalg.lstsq(a, np.eye(10)[dataset.test.labels], rcond=None)
    weights[-1] = np.zeros(10)
    return [w.astype(np.float32) for w in weights]


def hidden(weights, images):
    a = images.reshape(len(images), -1) / 255
    for kernel, bias in zip(weights[::2], weights[1::2], strict=True):
        a = np.maximum(a @ kernel + bias, 0)
    return a


def said(weights, images, off=()):
    a = hidden(weights[:2], images)
    a[:, list(off)] = 0
    for kernel, bias in zip(weights[2:-2:2], weights[3:-2:2], strict=True):
        a = np.maximum(a @ kernel + bias, 0)
    return (a @ weights[-2] + weights[-1]).argmax(axis=1)


def record(root, dataset, config, weights_at):
    """Write a run with these weights, epoch -> arrays, and an optimizer that has done nothing."""
    run = write_run(root, dataset, config)
    for epoch in range(4):
        weights = weights_at(epoch)
        arrays = {f"weights/{i}": w for i, w in enumerate(weights)}
        memory = [np.zeros_like(w) for w in weights for _ in "mv"]
        arrays |= {
            f"optimizer/{i}": w for i, w in enumerate([np.int64(0), np.float32(0.001), *memory])
        }
        recording.record_weights(run, epoch, {"step": np.int64(epoch), **arrays})
    return run


@pytest.fixture
def network(small):
    config = TrainConfig(layers=(Dense(16, "relu"),), epochs=3)
    return config, weights_of(config, small)


@pytest.fixture
def run(root, small, network):
    config, weights = network

    def at(epoch):  # unit 5 never fires at the end
        now = [w.copy() for w in weights]
        now[1][5] = -1e3 if epoch == 3 else 0.5
        return now

    return record(root, small, config, at), at(3)


def bench(**query):
    return start("explain", explain="Neurons", **query)


def percent(share):
    return f"{100 * share:.2f} %"


def framed(at):
    """The unit that is framed in the mosaic."""
    drawn = figure(at, "neurons")
    (frame,) = [shape for shape in drawn["layout"]["shapes"] if shape.get("type") == "rect"]
    row, column = (round((frame[side] + 0.5) / 28) for side in ("y0", "x0"))
    return drawn["data"][1]["customdata"][row][column]


def faint(at):
    cells = figure(at, "neurons")["data"][1]
    flat = [zip(*pair, strict=True) for pair in zip(cells["customdata"], cells["z"], strict=True)]
    return {unit for row in flat for unit, value in row if value}


def test_a_unit_says_what_is_lost_without_it(run, small):
    _, weights = run
    at = bench(unit="4")
    labels, images = small.test.labels, small.test.images
    before, after = said(weights, images), said(weights, images, [4])
    lost = (before == labels) & (after != labels)
    won = (before != labels) & (after == labels)
    text = words(at)
    assert f"**{percent(accuracy_score(labels, before))}** of 101 test digits" in text
    assert f"Without unit 4: **{percent(accuracy_score(labels, after))}**" in text
    assert f"{lost.sum()} digit" in text and f"{won.sum()} won" in text
    assert lost.sum() and "10,000" not in text
    shown = [
        int(re.search(r"image ([\d,]+):", line)[1]) for line in grid(at, "neuron_lost")["captions"]
    ]
    assert set(shown) == set(np.flatnonzero(lost | won))
    assert (drawn_digits(at, "neuron_lost") == images[shown]).all()
    assert framed(at) == 4 and faint(at) == set()
    a = hidden(weights[:2], images)
    means = [a[labels == digit, 4].mean() for digit in range(10)]
    np.testing.assert_allclose(array(figure(at, "neuron_bars")["data"][0]["y"]), means, atol=1e-3)
    outgoing = array(figure(at, "neuron_bars")["data"][1]["y"])
    np.testing.assert_allclose(outgoing, weights[2][4], atol=1e-3)
    kernel = np.array(array(figure(at, "neuron_weights")["data"][0]["z"])).ravel()
    np.testing.assert_allclose(kernel, weights[0][:, 4], atol=1e-4)
    assert f"highest for a {np.argmax(means)}" in text
    best = np.argsort(-a[:, 4], kind="stable")[:12]
    assert set(map(bytes, drawn_digits(at, "neuron_strongest"))) == set(map(bytes, images[best]))


def test_units_are_switched_off_and_on_again(run, small):
    _, weights = run
    at = bench(unit="4")
    button(at, "Switch off unit 4").click().run()
    at.number_input(key="neuron_number").set_value(9).run()
    assert url(at)["unit"] == "9" and url(at)["off"] == "4"
    button(at, "Switch off unit 9").click().run()
    assert not at.exception
    assert url(at)["off"] == "4,9" and faint(at) == {4, 9} and framed(at) == 9
    labels = small.test.labels
    before, after = (said(weights, small.test.images, off) for off in ((), (4, 9)))
    line = f"**{percent((before == labels).mean())} → {percent((after == labels).mean())}**"
    assert line in words(at) and "(off)" in words(at)
    button(at, "Switch on unit 9").click().run()
    assert url(at)["off"] == "4"
    button(at, "Switch all on again (1)").click().run()
    assert "off" not in url(at) and faint(at) == set()
    assert button(at, "Switch all on again").disabled


def test_a_link_shows_the_same_and_what_is_no_unit_is_said(run):
    at = bench(unit="7", off="3,7,77,x")
    assert framed(at) == 7 and faint(at) == {3, 7}
    assert "off=77, off=x" in words(at) and "0 to 15" in words(at)
    assert url(at)["off"] == "3,7"
    at = bench(unit="-1")
    assert "unit=-1" in words(at).replace("\\", "") and "unit" not in url(at)
    assert framed(at) == figure(at, "neurons")["data"][1]["customdata"][0][0]


def test_the_same_units_stay_chosen_at_another_epoch_and_on_another_page(run):
    at = bench(unit="5", off="2")
    assert "never fires: it does nothing for any test digit" in words(at)
    assert "neuron_strongest" not in components(at, "digit_grid")
    at.session_state["epoch"] = "1"
    at.run()
    assert framed(at) == 5 and faint(at) == {2}
    assert "never fires" not in words(at) and "fires on" in words(at)
    at.switch_page("pages/evaluate.py").run()
    at.session_state["explain"] = "Neurons"
    at.switch_page("pages/explain.py").run()
    assert not at.exception
    assert framed(at) == 5 and faint(at) == {2} and url(at)["off"] == "2"


def test_a_weight_is_edited_and_taken_back(run, small):
    _, weights = run
    at = bench(unit="4")
    (slider,) = at.slider
    strongest = int(abs(weights[0][:, 4]).argmax())
    row, column = divmod(strongest, 28)
    assert f"row {row}, column {column}: {weights[0][strongest, 4]:+.3f} learned" in slider.label
    slider.set_value(slider.max).run()
    edited = [w.copy() for w in weights]
    edited[0][strongest, 4] = at.slider[0].max
    labels, images = small.test.labels, small.test.images
    after = said(edited, images)
    assert f"→ {percent((after == labels).mean())}**" in words(at)
    shown = np.array(array(figure(at, "neuron_weights")["data"][0]["z"])).ravel()
    assert shown[strongest] == pytest.approx(at.slider[0].max)
    at.session_state["epoch"] = "2"  # an edit is of one epoch
    at.run()
    assert "→" not in words(at)
    at.session_state["epoch"] = "3"
    at.run()
    assert f"→ {percent((after == labels).mean())}**" in words(at)
    button(at, "Back to the learned value").click().run()
    assert "→" not in words(at) and button(at, "Back to the learned value").disabled


def test_the_bias_and_the_weight_to_a_digit_are_chosen(run, small):
    _, weights = run
    at = bench(unit="4")
    button(at, "Its bias").click().run()
    assert "Bias: +0.500 learned" in at.slider[0].label
    at.session_state["neuron_weight"] = "out", 3
    at.run()
    assert f"Weight to digit 3: {weights[2][4, 3]:+.3f} learned" in at.slider[0].label
    at.slider[0].set_value(at.slider[0].min).run()
    edited = [w.copy() for w in weights]
    edited[2][4, 3] = at.slider[0].min
    after = said(edited, small.test.images)
    assert f"→ {percent((after == small.test.labels).mean())}**" in words(at)
    assert array(figure(at, "neuron_bars")["data"][1]["y"])[3] == pytest.approx(at.slider[0].min)
    button(at, "Switch off unit 4").click().run()
    assert at.slider[0].disabled  # what is off has no weights that matter


def test_a_lost_digit_is_opened_and_followed(run, small):
    at = bench(unit="4")
    captions = grid(at, "neuron_lost")["captions"]
    index = int(re.search(r"image ([\d,]+):", captions[0])[1])
    pick(at, "neuron_lost", 0)
    at.session_state["neuron_picked"] = index  # a component's function is not called here
    at.run()
    found = next(each for each in at.button if f"Follow test image {index}" in each.label)
    found.click().run()
    assert not at.exception
    assert at.session_state["explain"] == "One digit"
    assert at.session_state["opened"] == len(small.train) + index


@pytest.mark.parametrize("order", ["Missed most", "Fires most", "Favourite digit", "Number"])
def test_orders_are_those_of_the_numbers(run, small, order):
    _, weights = run
    at = bench(unit="4")
    at.session_state["neuron_order"] = order
    at.run()
    shown = [unit for row in figure(at, "neurons")["data"][1]["customdata"] for unit in row]
    shown = [unit for unit in shown if unit is not None]
    assert sorted(shown) == list(range(16))
    images, labels = small.test.images, small.test.labels
    a = hidden(weights[:2], images)
    keys = {
        "Missed most": [(said(weights, images, [unit]) == labels).mean() for unit in range(16)],
        "Fires most": [-(a[:, unit] > 0).mean() for unit in range(16)],
        "Favourite digit": [
            np.argmax([a[labels == digit, unit].mean() for digit in range(10)])
            for unit in range(16)
        ],
        "Number": range(16),
    }[order]
    if order != "Number":
        assert shown[-1] == 5  # never fires
        shown.remove(5)
    assert [keys[unit] for unit in shown] == sorted(keys[unit] for unit in shown)


# Other networks


def test_a_deeper_network_says_what_its_order_is_measured_on(root, small):
    config = TrainConfig(layers=(Dense(16, "relu"), Dense(12, "relu")), epochs=3)
    weights = weights_of(config, small)
    record(root, small, config, lambda epoch: weights)
    at = bench(unit="2")
    after = said(weights, small.test.images, [2])
    assert f"Without unit 2: **{percent((after == small.test.labels).mean())}**" in words(at)
    assert len(figure(at, "neuron_bars")["data"]) == 1  # its weights lead to units, not to digits
    (line,) = (each for each in at.markdown if "Without unit" in each.value)
    assert "measured on the first 101 test digits only" in line.help


def test_of_a_wide_network_128_units_are_shown_and_it_says_so(root, small):
    config = TrainConfig(layers=(Dense(150, "relu"),), epochs=3)
    weights = weights_of(config, small)
    record(root, small, config, lambda epoch: weights)
    at = bench()
    shown = [unit for row in figure(at, "neurons")["data"][1]["customdata"] for unit in row]
    assert len([unit for unit in shown if unit is not None]) == 128
    assert "The first 128 of 150 units in this order" in words(at)


def test_a_network_of_one_unit_works(root, small):
    config = TrainConfig(layers=(Dense(1, "relu"),), epochs=3)
    weights = weights_of(config, small)
    record(root, small, config, lambda epoch: weights)
    at = bench()
    assert framed(at) == 0 and "All 1 unit" in words(at)


def test_networks_without_such_units_say_what_can_be_seen_instead(root, small):
    config = TrainConfig(layers=(), epochs=3)
    rng = np.random.default_rng(0)
    record(root, small, config, lambda epoch: [rng.normal(size=(784, 10)), np.zeros(10)])
    at = bench()
    assert "no hidden layer" in words(at)
    button(at, "See the weights on Evaluate").click().run()
    assert not at.exception
    assert at.session_state["evaluate"] == "Weights"


def test_of_a_network_that_begins_with_filters_these_can_be_seen(root, small):
    config = TrainConfig(layers=(Conv(2, 3, 4, batch_norm=False),), epochs=3)
    rng = np.random.default_rng(0)
    shapes = (3, 3, 1, 2), 2, (98, 10), 10
    record(root, small, config, lambda epoch: [rng.normal(size=shape) for shape in shapes])
    at = bench()
    assert "is not a dense one" in words(at)
    assert button(at, "See the filters")


def test_weights_that_are_no_numbers_are_said(root, small, network):
    config, weights = network
    record(root, small, config, lambda epoch: [w * np.nan for w in weights])
    assert "not all numbers" in words(bench())
