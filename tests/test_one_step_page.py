"""Explain, one step: gradients, memory and step on the page are Keras's, for all optimizers."""

from concurrent.futures import Future

import numpy as np
import pytest
from apptest import array, button, figure, start, url, words
from explainable import CONFIGS, Keras, change_weights, copy_of
from latex import number, sides, value
from trainings import snapshot

from mnist_core import wording, workers
from mnist_core.ui.optimizer_view import FRESH, WHY

pytestmark = pytest.mark.usefixtures("app_on_small_data")


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("steps")


@pytest.fixture
def run_of(root, folder, small):
    """Return a function that puts a trained run into the runs folder."""
    root.mkdir(exist_ok=True)
    return lambda name: copy_of(name, root, folder, small)


TITLES = [
    f"{kind}{number}" for kind in ("convolution", "hidden layer") for number in ("", " 1", " 2")
]


def open_step(small, index=5, epoch="1", session=None, **query):
    """Open the view; `unit` is the one that is followed in every layer."""
    units = {f"unit of {title}": int(query.get("unit", 0)) for title in TITLES}
    return start(
        "explain", units | (session or {}), explain="One step", epoch=epoch,
        data=small.fingerprint[:8], image=str(len(small.train) + index), **query,
    )  # fmt: skip


def equations(at, name):
    found = [e.value.strip("$ \n").replace(r"\leftarrow", "=") for e in at.latex]
    return [text for text in found if sides(text)[0].strip() == name]


def last(at, name, which=-1):
    return value(sides(equations(at, name)[which])[-1])


def map_of(at, number):
    return array(figure(at, f"step_gradient_{number}")["data"][0]["z"])


@pytest.mark.parametrize("name", CONFIGS)
def test_gradients_are_kerass_layer_by_layer(run_of, small, name):
    run = run_of(name)
    network, image, label = Keras(run, 1.0), small.test.images[5], int(small.test.labels[5])
    at = open_step(small, unit="2")
    layers = network.layers_with_weights()
    gradients = network.gradients(image, label)
    names = [id(each) for each in network.model.trainable_variables]
    answer = int(network.outputs(image)[-1].argmax())
    for place, layer in enumerate(reversed(layers), start=2):
        gradient = np.asarray(gradients[names.index(id(layer.kernel))])
        unit = answer if place == 2 else 2
        own = gradient[..., unit]
        shown = map_of(at, place)
        shown = shown[~np.isnan(shown)]
        if own.ndim == 3:  # channels side by side
            own = own.transpose(2, 0, 1)
        # Each weight once, whatever its place: places are test_layout.py's.
        np.testing.assert_allclose(np.sort(shown), np.sort(own.ravel()), rtol=2e-3, atol=2e-6)
    titles = [each.value for each in at.subheader]
    assert len(titles) == len(layers) + 4 and "Back through the output layer" in titles[1]
    assert not at.exception


def test_each_line_of_the_chain_rule_holds_kerass_numbers(run_of, small):
    run = run_of("dense")
    network, image, label = Keras(run, 1.0), small.test.images[5], int(small.test.labels[5])
    w1, b1, w2, b2 = (np.asarray(g) for g in network.gradients(image, label))
    unit = int(abs(b1).argmax())
    at = open_step(small, unit=str(unit))
    answer = int(network.outputs(image)[-1].argmax())
    # A bias's gradient is its sum's slope: of outputs p - y, of hidden units the chain rule's.
    close = {"rel": 0.02, "abs": 2e-4}
    for side in sides(equations(at, f"\\delta_{{{answer}}}")[0])[1:]:
        assert value(side) == pytest.approx(float(b2[answer]), **close)
    for side in sides(equations(at, f"\\delta_{{{unit}}}")[-1])[1:]:
        assert value(side) == pytest.approx(float(b1[unit]), **close)
    i = int(abs(w2[:, answer]).argmax())
    assert last(at, f"g_{{{i},{answer}}}") == pytest.approx(float(w2[i, answer]), rel=0.012)
    i = int(abs(w1[:, unit]).argmax())
    assert last(at, f"g_{{{i},{unit}}}") == pytest.approx(float(w1[i, unit]), rel=0.012)
    bars = array(figure(at, "step_slopes_3")["data"][-1]["customdata"])
    np.testing.assert_allclose(bars, b1, rtol=1e-3, atol=1e-7)
    bars = array(figure(at, "step_error")["data"][-1]["customdata"])
    np.testing.assert_allclose(bars, b2, rtol=1e-3, atol=1e-7)


def test_a_filters_gradient_is_filled_in(run_of, small):
    run = run_of("cnn")
    at = open_step(small, unit="1")
    network = Keras(run, 1.0)
    first = network.layers_with_weights()[0]
    place = [id(each) for each in network.model.trainable_variables].index(id(first.kernel))
    gradient = np.asarray(network.gradients(small.test.images[5], int(small.test.labels[5]))[place])
    strongest = abs(gradient[..., 1]).max()
    assert abs(last(at, "g")) == pytest.approx(float(strongest), rel=0.012)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_step_of_a_weight_is_kerass(run_of, small, name):
    run = run_of(name)
    image, label = small.test.images[5], int(small.test.labels[5])
    network = Keras(run, 1.0)
    kernel = network.layers_with_weights()[0].kernel
    place = [id(each) for each in network.model.trainable_variables].index(id(kernel))
    before, gradient = np.array(kernel), np.asarray(network.gradients(image, label)[place])
    at = open_step(small, unit="1")
    own = gradient[..., 1] if name != "linear" else gradient[..., int(
        network.outputs(image)[-1].argmax())]  # fmt: skip
    unit = 1 if name != "linear" else int(network.outputs(image)[-1].argmax())
    index = (*np.unravel_index(abs(own).argmax(), own.shape), unit)
    step = network.step(image, label)[place]
    assert last(at, r"\Delta w") == pytest.approx(float(step[index]), rel=0.012, abs=1e-9)
    new = sides(equations(at, "w")[-1])[-1]
    close = {"abs": 6e-3 * abs(float(step[index])) + 6e-7}
    assert float(new) == pytest.approx(float(before[index] + step[index]), **close)
    assert f"**{before[index]:.6f}**".replace("-", "−") in words(at)
    loss = float(network.loss(image, label))
    metrics = {each.label: each.value for each in at.metric}
    assert metrics["Loss after"] == wording.loss(loss)


def test_adams_moments_are_the_recorded_ones(run_of, small):
    run = run_of("dense")
    arrays = snapshot(run, 1.0)
    kernel_m, kernel_v = arrays["optimizer/2"], arrays["optimizer/3"]
    at = open_step(small, session={"step_cells": {"hidden layer": (14, 14)}}, unit="4")
    i = 14 * 28 + 14
    m, v = float(kernel_m[i, 4]), float(kernel_v[i, 4])
    for name, old in (("m_t", m), ("v_t", v)):
        first = value(sides(equations(at, name)[-1])[1].split(r"\cdot", 1)[1].split(" + ")[0])
        assert first == pytest.approx(old, rel=6e-3)
    assert f"step t = {int(arrays['step']) + 1:,}" in words(at)
    maps = array(figure(at, "step_maps")["data"][0]["customdata"])
    gradient = np.asarray(Keras(run, 1.0).gradients(
        small.test.images[5], int(small.test.labels[5]))[0])[:, 4].reshape(28, 28)  # fmt: skip
    np.testing.assert_allclose(
        maps[:, :28], 0.9 * kernel_m[:, 4].reshape(28, 28) + 0.1 * gradient, atol=1e-7
    )


def test_before_training_the_memory_is_empty(run_of, small):
    run_of("dense")
    at = open_step(small, epoch="0")
    assert "step t = 1." in words(at) and FRESH in words(at)


def test_a_unit_that_is_off_gets_no_gradient(run_of, small):
    run = run_of("dense")
    network = Keras(run, 1.0)
    sums = network.sums(small.test.images[5], network.layers_with_weights()[0])
    unit = int(sums.argmin())
    assert sums[unit] < 0
    at = open_step(small, unit=str(unit))
    assert f"Unit {unit} is off for this digit: nothing flows back" in words(at)
    assert (map_of(at, 3) == 0).all()


def test_the_chosen_layer_is_the_one_whose_step_is_shown(run_of, small):
    run_of("dense")
    at = open_step(small, session={"step_layer": "output layer"})
    assert "to output" in next(m.value for m in at.markdown if "step t =" in str(m.value))


def answered(outcome):
    def ask(function, *arguments):
        assert function == "same_step"
        future = Future()
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome(*arguments))
        return future

    return ask


def test_keras_takes_the_same_step_and_the_difference_is_printed(run_of, small, monkeypatch):
    from mnist_core import inference

    run_of("dense")
    monkeypatch.setattr(workers, "ask", answered(inference.same_step))
    at = open_step(small, session={"step_keras": True})
    (table,) = [each.value for each in at.markdown if "largest difference" in str(each.value)]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    assert len(rows) >= 9
    for what, largest, difference in rows:
        assert number(difference) <= 1e-6, what
        assert number(largest) >= 0
    assert WHY in words(at)


def test_without_an_answer_the_page_says_so(run_of, small, monkeypatch):
    run_of("dense")
    monkeypatch.setattr(workers, "ask", answered(MemoryError()))
    at = open_step(small, session={"step_keras": True})
    assert "did not answer" in words(at) and not at.exception


def test_the_way_goes_on_to_the_units_or_to_the_filters(run_of, small):
    run_of("dense")
    at = open_step(small)
    button(at, "The neuron bench").click().run()
    assert url(at)["explain"] == "Neurons"
    run = run_of("cnn")
    at = open_step(small, run=run.id)
    button(at, "Convolution").click().run()
    assert url(at)["explain"] == "Convolution"


@pytest.mark.parametrize(
    ("name", "said"),
    [("dense", []), ("cnn", ["batch normalization"]), ("deep", ["dropout", "batch normalization"])],
)
def test_what_is_otherwise_in_training_is_said(run_of, small, name, said):
    run_of(name)
    text = words(open_step(small))
    assert ("In training" in text) == bool(said)
    assert all(each in text for each in said)


def test_without_the_optimizers_memory_the_gradients_are_shown(run_of, small):
    run = run_of("dense")
    change_weights(run, 1.0, lambda arrays: arrays.pop("optimizer/3"))
    at = open_step(small)
    assert "memory of this epoch is not complete" in words(at)
    assert [each.value.split("  ")[0] for each in at.subheader] == ["1", "2", "3"]
    assert not at.exception and not start("explain").error
