"""Explain, one digit: every number on the page is Keras's, for networks of all kinds."""

import re

import numpy as np
import pytest
from apptest import array, button, components, cursor, figure, start, url, words
from explainable import CONFIGS, Keras, change_weights, copy_of
from latex import number, sides, value

from mnist_core import digit_link, runs

pytestmark = pytest.mark.usefixtures("app_on_small_data")
CLOSE = {"rel": 0.012, "abs": 0.02}  # three digits of each term that is written


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("explainable")


@pytest.fixture
def run_of(root, folder, small):
    """Return a function that puts a trained run into the runs folder."""
    root.mkdir(exist_ok=True)
    return lambda name: copy_of(name, root, folder, small)


def filled(at, name, which=-1):
    """Return the equation of this name on the page: the last, or another where two have it."""
    found = [e.value.strip("$ \n") for e in at.latex]
    return [text for text in found if sides(text)[0] == name][which]


def last(at, name, which=-1):
    return value(sides(filled(at, name, which))[-1])


def index_of(at):
    """The index of the test image that the page follows."""
    return int(re.search(r"est image ([\d,]+), a", words(at))[1].replace(",", ""))


def test_each_equation_holds_the_networks_own_numbers(run_of, small):
    run = run_of("dense")
    network = Keras(run, 2.0)
    at = start("explain", image=str(len(small.train) + 3), data=small.fingerprint[:8], unit="5")
    image, label = small.test.images[3], int(small.test.labels[3])
    hidden, output = network.layers_with_weights()
    z, logits = network.sums(image, hidden), network.sums(image, output)
    p, loss = network.outputs(image)[-1], float(network.loss(image, label))
    answer = int(p.argmax())

    row, column = np.unravel_index(image.argmax(), image.shape)
    assert last(at, f"x_{{{row},{column}}}") == pytest.approx(image.max() / 255, rel=6e-3)
    flat = [sides(e.value)[1:] for e in at.latex if e.value.strip("$ \n").startswith("i = ")]
    assert f"{28 * row + column}" in [side.strip("$ \n") for found in flat for side in found]
    for side in sides(filled(at, "z_{5}", 0))[1:]:
        assert value(side) == pytest.approx(float(z[5]), **CLOSE)
    assert last(at, "a_{5}") == pytest.approx(max(0.0, float(z[5])), **CLOSE)
    for side in sides(filled(at, f"z_{{{answer}}}"))[1:]:
        assert value(side) == pytest.approx(float(logits[answer]), **CLOSE)
    assert last(at, f"p_{{{answer}}}") == pytest.approx(float(p[answer]), rel=6e-3)
    assert last(at, r"L") == pytest.approx(loss, rel=6e-3)
    assert f"**{(z > 0).sum()} of 16** units are on" in words(at)
    state = "on" if z[5] > 0 else "off"
    assert f"Unit 5 is {state}" in words(at)
    np.testing.assert_allclose(
        array(figure(at, "explained_units")["data"][-1]["customdata"]), z, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(
        array(figure(at, "explained_logits")["data"][-1]["customdata"]),
        logits,
        rtol=1e-4,
        atol=1e-5,
    )
    w = np.asarray(hidden.kernel)[:, 5].reshape(28, 28)
    products = array(figure(at, "explained_products")["data"][1]["customdata"])
    np.testing.assert_allclose(products[:, 60:88], w * (image / 255), atol=1e-6)
    terms = np.maximum(z, 0) * np.asarray(output.kernel)[:, answer]
    np.testing.assert_allclose(
        array(figure(at, "explained_terms")["data"][-1]["customdata"]), terms, rtol=1e-4, atol=1e-5
    )
    assert (f"a {label}**" in words(at)) and f"read as **{answer}**" in words(at)


def test_the_table_of_softmax_is_the_networks(run_of, small):
    network = Keras(run_of("dense"), 2.0)
    at = start("explain")
    image = small.test.images[0]
    logits = network.sums(image, network.layers_with_weights()[-1]).astype(float)
    p = network.outputs(image)[-1]
    (table,) = [e.value for e in at.markdown if "| sum |" in str(e.value)]
    rows = [
        [cell.strip(" *%") for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]
    ]
    for digit in range(10):
        assert number(rows[digit][1]) == pytest.approx(logits[digit], abs=0.006)
        assert number(rows[digit][2]) == pytest.approx(logits[digit] - logits.max(), abs=0.006)
        power = np.exp(logits[digit] - logits.max())
        assert number(rows[digit][3]) == pytest.approx(power, rel=6e-3)
        assert float(rows[digit][4]) == pytest.approx(100 * p[digit], abs=0.006)
    assert number(rows[10][3]) == pytest.approx(np.exp(logits - logits.max()).sum(), rel=6e-3)
    assert rows[10][4] == "100.00"


def test_another_unit_changes_the_formula_and_the_address(run_of):
    run_of("dense")
    at = start("explain", unit="0")
    assert filled(at, "a_{0}")
    field = next(each for each in at.number_input if each.label == "Unit")
    field.set_value(7).run()
    assert filled(at, "z_{7}") and filled(at, "a_{7}")
    assert url(at)["unit"] == "7"


@pytest.mark.parametrize(("said", "unit"), [("9", 9), ("999", 15), ("0", 0)])
def test_the_address_names_the_unit(run_of, said, unit):
    run_of("dense")
    assert filled(start("explain", unit=said), f"a_{{{unit}}}")


@pytest.mark.parametrize("said", [None, "-3", "²", "x", "1" * 40])
def test_where_no_unit_is_named_the_strongest_is_followed(run_of, small, said):
    network = Keras(run_of("dense"), 2.0)
    z = network.sums(small.test.images[0], network.layers_with_weights()[0])
    at = start("explain", **{"unit": said} if said else {})
    assert last(at, f"a_{{{z.argmax()}}}") == pytest.approx(float(z.max()), **CLOSE)


def test_a_clicked_pixel_and_digit_are_filled_in(run_of, small):
    run_of("dense")
    at = start("explain", {"explained_pixel": (14, 9), "explained_digit": 4})
    pixel = int(small.test.images[0][14, 9])
    assert last(at, "x_{14,9}") == pytest.approx(pixel / 255, rel=6e-3)
    assert filled(at, "p_{4}")


def test_the_digit_is_the_one_that_is_opened_anywhere(run_of, small):
    run_of("dense")
    at = start("explain", image="17", data=small.fingerprint[:8])
    assert f"**Training image 17, a {small.train.labels[17]}**" in words(at)
    (field,) = [each for each in at.number_input if each.label == "Training image"]
    field.set_value(18).run()
    assert f"**Training image 18, a {small.train.labels[18]}**" in words(at)
    assert url(at)["image"] == "18"
    button(at, "Test images").click().run()
    assert "**Test image 0, a" in words(at)


def test_mistakes_come_one_after_the_other_the_surest_first(run_of, small):
    run = run_of("dense")
    logits, labels = run.logits(2.0).astype(float), small.test.labels
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    wrong = np.flatnonzero(logits.argmax(1) != labels)
    wrong = wrong[np.argsort(-p[wrong].max(1), kind="stable")]
    assert len(wrong) > 2
    at = start("explain", digit_is="Mistake")
    assert index_of(at) == wrong[0] and "✗" in words(at)
    (field,) = [each for each in at.number_input if each.label.startswith("Mistake")]
    assert field.label == f"Mistake, of {len(wrong)}"
    field.set_value(2).run()
    assert index_of(at) == wrong[1]
    # It stays the same digit at another epoch, whatever is a mistake there.
    at.session_state["epoch"] = "0"
    at.run()
    assert cursor(at) == "0" and index_of(at) == wrong[1]


def test_a_network_without_mistakes_says_so(run_of, small):
    run = run_of("dense")
    np.save(run.path / "predictions" / "002.npy",
            np.eye(10, dtype=np.float32)[small.test.labels] * 9)  # fmt: skip
    at = start("explain", digit_is="Mistake")
    assert "no test image is misread" in words(at) and not at.exception


def test_a_drawing_is_followed_and_stands_in_the_address(run_of, small):
    network = Keras(run_of("dense"), 2.0)
    digit = small.test.images[40]
    at = start("explain", digit_is="Drawing", digit=digit_link.packed(digit), meant="3")
    assert "**Your drawing, a 3**" in words(at)
    assert last(at, "L") == pytest.approx(float(network.loss(digit, 3)), rel=6e-3)
    assert url(at)["digit"] == digit_link.packed(digit) and url(at)["meant"] == "3"
    at = start("explain", digit_is="Drawing", digit=digit_link.packed(digit))
    answer = int(network.outputs(digit)[-1].argmax())
    assert f"**Your drawing** read as **{answer}**" in words(at)
    assert "the answer counts as its label" in words(at) and "✓" not in words(at).split("Normal")[0]


def test_a_link_with_a_drawing_alone_shows_it(run_of, small):
    run_of("dense")
    at = start("explain", digit=digit_link.packed(small.test.images[40]), meant="3")
    assert "**Your drawing, a 3**" in words(at)
    assert url(at)["digit"] == digit_link.packed(small.test.images[40])


def test_without_a_drawing_the_page_says_where_to_draw(run_of):
    run_of("dense")
    at = start("explain", digit_is="Drawing")
    assert "Nothing is drawn yet" in words(at)
    at = start("explain", digit_is="Drawing", digit="not-a-digit")
    assert "cannot be read" in words(at) and not at.exception


def test_the_page_follows_the_epoch(run_of, small):
    run = run_of("dense")
    label = int(small.test.labels[0])
    for epoch in (0, 1):
        at = start("explain", epoch=str(epoch))
        loss = float(Keras(run, float(epoch)).loss(small.test.images[0], label))
        assert last(at, "L") == pytest.approx(loss, rel=6e-3)


@pytest.mark.parametrize("name", CONFIGS)
def test_networks_of_all_kinds_are_followed_to_their_loss(run_of, small, name):
    run = run_of(name)
    network, image, label = Keras(run, 1.0), small.test.images[5], int(small.test.labels[5])
    at = start("explain", epoch="1", image=str(len(small.train) + 5), data=small.fingerprint[:8],
               unit="0")  # fmt: skip
    p = network.outputs(image)[-1].astype(float)
    answer = int(p.argmax())
    expected = -np.log(p[label])
    if name == "squared":
        expected = ((p - np.eye(10)[label]) ** 2).mean()
    assert last(at, "L") == pytest.approx(expected, rel=7e-3)
    logits = network.sums(image, network.layers_with_weights()[-1])
    assert last(at, f"z_{{{answer}}}") == pytest.approx(float(logits[answer]), **CLOSE)
    assert len(at.subheader) == 7
    if name == "deep":
        assert "L2 adds" in words(at)
        hidden = network.layers_with_weights()[0]
        assert last(at, "z_{0}", 0) == pytest.approx(float(network.sums(image, hidden)[0]), **CLOSE)
        shifted = network.outputs(image)[network.model.layers.index(hidden) + 1]
        assert last(at, r"\hat z_{0}") == pytest.approx(float(shifted[0]), **CLOSE)
        at.session_state["explained_layer"] = "hidden layer 2"
        at.session_state["unit of hidden layer 2"] = 0
        at.run()
        second = network.sums(image, network.layers_with_weights()[1])
        assert last(at, "z_{0}", 0) == pytest.approx(float(second[0]), **CLOSE)


def test_networks_without_a_hidden_dense_layer_lead_on(run_of):
    run_of("cnn")
    at = start("explain")
    button(at, "See its convolutions").click().run()
    assert not at.exception and url(at)["explain"] == "Convolution"


def test_a_linear_network_has_nothing_to_switch(run_of):
    run_of("linear")
    assert "sums of the pixels themselves" in words(start("explain"))


def test_a_unit_that_is_off_says_so(run_of, small):
    def kill(arrays):
        arrays["weights/1"][3] = -1e3

    run = run_of("dense")
    change_weights(run, 2.0, kill)
    at = start("explain", unit="3")
    assert "Unit 3 is off: it passes on 0" in words(at)
    assert last(at, "a_{3}") == 0


def test_diverged_weights_are_said_to_be_no_numbers(run_of):
    def diverge(arrays):
        arrays["weights/2"][0, 0] = np.nan

    run = run_of("dense")
    change_weights(run, 2.0, diverge)
    for view in ("One digit", "One step"):
        at = start("explain", explain=view)
        assert "not all numbers\\: the training diverged" in words(at)
        assert "Choose another epoch" in words(at)
    at = start("explain", epoch="1")
    assert len(at.subheader) == 7  # an epoch before is whole


def test_an_epoch_without_weights_says_so(run_of):
    run = run_of("dense")
    (run.path / "weights" / "002.npz").unlink()
    assert "No readable weights of epoch 2" in words(start("explain"))
    (run.path / "weights" / "001.npz").write_bytes(b"half a file")
    assert "No readable weights of epoch 1" in words(start("explain", epoch="1"))


def test_weights_of_another_network_are_refused(run_of):
    run = run_of("dense")
    change_weights(run, 2.0, lambda arrays: arrays.pop("weights/3"))
    assert "do not fit the network" in words(start("explain"))


def test_without_a_run_the_page_offers_to_train():
    at = start("explain")
    assert "no trained network yet" in words(at)
    assert button(at, "Train the paper's network")


def test_a_run_that_has_recorded_nothing_says_so(root, small, tiny_config):
    runs.create(tiny_config, small.describe(), root)
    assert "Nothing is recorded of this run yet" in words(start("explain"))


def test_the_built_in_digits_are_followed(root, digits, built_in, folder):
    copy_of("dense", root, folder, digits)
    at = start("explain")
    assert len(at.subheader) == 7
    assert f"Test image 0, a {digits.test.labels[0]}" in words(at)
    assert components(at, "chart")
