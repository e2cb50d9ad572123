"""Explain's view "Convolution" without a browser: real weights, written by hand."""

import numpy as np
import pytest
from apptest import array, button, components, figure, go, start, url, words
from conftest import write_run

from mnist_core import explain, models, recording, runs
from mnist_core.config import TrainConfig
from mnist_core.layers import AveragePool, Conv, Dense, MaxPool
from mnist_core.ui import convolution_view, feature_maps_view, frame, strongest_view

pytestmark = pytest.mark.usefixtures("app_on_small_data")
SMALL = TrainConfig(layers=(Conv(5, 5, 2), Conv(4, 3, 2)), name="CNN", epochs=1)
LENET = TrainConfig(
    layers=(Conv(3, 5, 1, "tanh", False), AveragePool(2),
            Conv(4, 5, 1, "tanh", False, "valid"), MaxPool(3), Dense(6, "tanh")),
    name="LeNet", epochs=1,
)  # fmt: skip


def write(root, small, config, spoil=None):
    """Write a run whose two moments have weights drawn for its network; Adam remembers zeros."""
    run = write_run(root, small, config, epochs=1)
    model = models.build(config, 10)
    trained = [np.zeros(weight.shape, np.float32) for weight in model.trainable_variables]
    optimizer = [np.int64(7), np.float32(0.001), *(z for each in trained for z in (each, each))]
    for epoch in range(2):
        rng = np.random.default_rng(epoch)
        weights = [
            abs(rng.normal(size=w.shape)) if w.ndim == 1 else rng.normal(size=w.shape)
            for w in model.get_weights()
        ]
        if spoil:
            weights[0][:] = spoil
        arrays = {f"weights/{n}": w.astype(np.float32) for n, w in enumerate(weights)}
        arrays |= {f"optimizer/{n}": np.asarray(each) for n, each in enumerate(optimizer)}
        recording.record_weights(run, epoch, {"step": np.int64(7 * epoch), **arrays})
    return run


def forward(run, image, epoch=1):
    """Return the network and its values of an image."""
    arrays = recording.read_weights(run, epoch)
    weights = [arrays[f"weights/{n}"] for n in range(sum("weights/" in name for name in arrays))]
    network = explain.layers(run.config, weights)
    return network, explain.forward(network, image[None].astype(float))


def show(**query):
    return start("explain", explain="Convolution", **query)


def out(at):
    return array(figure(at, "conv_out")["data"][0]["z"])


def orange(at, key):
    """Return rows and columns, from and to, of a picture's orange frames."""
    return [
        tuple(int(shape[name] + half) for name, half in
              (("y0", 0.5), ("x0", 0.5), ("y1", -0.5), ("x1", -0.5)))
        for shape in figure(at, key)["layout"].get("shapes", [])
        if shape["line"].get("color") == "#e07b00"
    ]  # fmt: skip


@pytest.fixture(autouse=True)
def clicks(monkeypatch):
    """Do what a chart does at a click before the page's next run, as AppTest does not."""
    functions, pending = {}, []

    def chart_of(*args, key, on_click=None, **more):
        functions[key] = on_click
        return chart(*args, key=key, on_click=on_click, **more)

    def first():
        while pending:
            key, said = pending.pop()
            functions[key](said)
        page_starts()

    chart, page_starts = convolution_view.chart, frame.page_starts
    for module in (convolution_view, feature_maps_view, strongest_view):
        monkeypatch.setattr(module, "chart", chart_of)
    monkeypatch.setattr(frame, "page_starts", first)
    PENDING[:] = [pending]


PENDING = []


def click(at, key, x, y, **more):
    PENDING[0].append((key, {"x": x, "y": y, **more}))
    at.run()
    assert not at.exception and not PENDING[0]
    return at


def test_the_maps_are_the_networks_at_the_strongest_place(root, small):
    run = write(root, small, SMALL)
    at = show()
    _, values = forward(run, small.test.images[0])
    maps = values[5][0]
    kernel = int(maps.max(axis=(0, 1)).argmax())
    np.testing.assert_allclose(out(at), maps[..., kernel], rtol=1e-5)
    row, column = np.argwhere(maps[..., kernel] == maps[..., kernel].max())[0]
    assert orange(at, "conv_out") == [(row, column, row, column)]
    assert orange(at, "conv_in") == [(2 * row - 1, 2 * column - 1, 2 * row + 3, 2 * column + 3)]
    assert f"map {kernel + 1}, after ReLU" in figure(at, "conv_out")["layout"]["title"]["text"]
    padded = array(figure(at, "conv_in")["data"][0]["z"])
    np.testing.assert_allclose(padded[1:29, 1:29], small.test.images[0] / 255, rtol=1e-6)
    assert padded.shape == (31, 31) and not padded[0].any() and not padded[29:].any()
    assert "5×5 pixels" in words(at) and "stride 2" in words(at) and "14×14 places" in words(at)
    assert "filter" not in url(at) and "place" not in url(at)


def test_a_link_names_layer_filter_and_place(root, small):
    run = write(root, small, SMALL)
    at = show(filter="2.3", place="4.6")
    network, values = forward(run, small.test.images[0])
    np.testing.assert_allclose(out(at), values[8][0, ..., 2], rtol=1e-5)
    assert orange(at, "conv_out") == [(4, 6, 4, 6)]
    added = array(figure(at, "conv_shares")["data"][0]["y"])
    np.testing.assert_allclose(added.sum(), values[6][0, 4, 6, 2], rtol=1e-6)
    most = int(abs(added).argmax())
    kernel = network[5].weights["kernel"][:, :, most, 2]
    np.testing.assert_allclose(array(figure(at, "conv_w")["data"][0]["z"]), kernel, rtol=1e-5)
    window, products = (array(figure(at, key)["data"][0]["z"]) for key in ("conv_x", "conv_xw"))
    np.testing.assert_allclose(products, window * kernel, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(products.sum(), added[most], rtol=1e-4)
    assert url(at)["filter"] == "2.3" and url(at)["place"] == "4.6"


@pytest.mark.parametrize(
    "filter_, place, last",
    [("9.99", "99.99", "4.6"), ("0.0", "0.0", None), ("x.y", "-1.2", None), ("2", "7", None),
     ("9" * 50, "1." + "9" * 50, None), ("1.²", "", None)],
)  # fmt: skip
def test_a_link_beyond_the_network_is_clamped(root, small, filter_, place, last):
    write(root, small, SMALL)
    at = show(filter=filter_, place=place, pool="a.b.c.d")
    assert not at.exception
    assert len(orange(at, "conv_out")) == 1
    if last:
        assert orange(at, "conv_out") == [(6, 6, 6, 6)]
        assert "map 4" in figure(at, "conv_out")["layout"]["title"]["text"]


def test_clicks_move_the_window(root, small):
    write(root, small, SMALL)
    at = click(show(), "conv_out", 3, 5)
    assert orange(at, "conv_out") == [(5, 3, 5, 3)]
    at = click(at, "conv_in", 21, 7)  # the window whose middle is nearest: 2 c - 1 + 2 = 21
    assert orange(at, "conv_in") == [(5, 19, 9, 23)] and orange(at, "conv_out") == [(3, 10, 3, 10)]
    at = click(at, "conv_in", -1, 29)
    assert orange(at, "conv_out") == [(13, 0, 13, 0)]
    before = out(at)
    at = click(at, "conv_filters", 5 * 2 + 1, 3)  # the third filter, at the same place
    assert "map 3" in figure(at, "conv_out")["layout"]["title"]["text"]
    assert orange(at, "conv_out") == [(13, 0, 13, 0)] and (out(at) != before).any()
    at = click(at, "conv_maps_1", 7 + 2, 4)  # the second map of the second layer
    assert orange(at, "conv_out") == [(4, 2, 4, 2)] and url(at)["filter"] == "2.2"
    at = click(at, "conv_shares", 4, 0.1, customdata=3)
    assert "map 4" in figure(at, "conv_weights")["layout"]["title"]["text"]


def test_fields_of_the_form_move_it_too(root, small):
    write(root, small, SMALL)
    at = show(filter="1.2", place="0.0")
    at.slider(key="conv_slide").set_value(14 * 3 + 7).run()
    assert orange(at, "conv_out") == [(3, 7, 3, 7)]
    at.number_input(key="conv_filter").set_value(5).run()
    assert url(at)["filter"] == "1.5" and orange(at, "conv_out") == [(3, 7, 3, 7)]
    at.segmented_control(key="conv_layer").set_value("Convolution 2").run()
    assert url(at)["filter"] == "2" and "place" not in url(at) and out(at).shape == (7, 7)
    assert not at.exception


def test_it_outlives_a_page_switch_and_another_digit(root, small):
    write(root, small, SMALL)
    at = click(show(filter="2.3"), "conv_out", 1, 2)
    go(go(at, "home"), "explain")
    at.segmented_control(key="explain").set_value("Convolution").run()
    assert orange(at, "conv_out") == [(2, 1, 2, 1)]
    before = out(at)
    at.number_input(key="explained_number").set_value(7).run()
    assert orange(at, "conv_out") == [(2, 1, 2, 1)] and (out(at) != before).any()


def test_the_equation_has_the_numbers_of_the_place(root, small):
    run = write(root, small, LENET)
    at = show(filter="1.2", place="9.13")
    _, values = forward(run, small.test.images[0])
    z, a = values[3][0, 9, 13, 1], values[4][0, 9, 13, 1]
    text = " ".join(latex.value for latex in at.get("latex"))
    assert rf"\tanh({z:.3f}".rstrip("0")[:10] in text or f"{z:.2f}" in text
    assert f"= {a:.3f}"[:6] in text and r"\underbrace" in text and r"}_{b}" in text


def test_pooling_shows_a_square_and_its_mean(root, small):
    run = write(root, small, LENET)
    at = show(pool="1.3.4.5")
    _, values = forward(run, small.test.images[0])
    square = array(figure(at, "conv_pool_square")["data"][0]["z"])
    np.testing.assert_allclose(square, values[4][0, 8:10, 10:12, 2], rtol=1e-5)
    assert orange(at, "conv_pool_in") == [(8, 10, 9, 11)]
    assert orange(at, "conv_pool_out") == [(4, 5, 4, 5)]
    np.testing.assert_allclose(array(figure(at, "conv_pool_out")["data"][0]["z"])[4, 5],
                               square.mean(), rtol=1e-5)  # fmt: skip
    at = click(at, "conv_pool_in", 27, 1)
    assert url(at)["pool"] == "1.3.0.13"
    at = click(at, "conv_maps_3", 3 * 2 + 1, 2)  # the third map of the second pooling layer
    assert url(at)["pool"] == "2.3.2.1"
    square = array(figure(at, "conv_pool_square")["data"][0]["z"])
    np.testing.assert_allclose(square.max(), values[8][0, 2, 1, 2], rtol=1e-5)
    assert square.shape == (3, 3)


def test_a_network_that_strides_says_how_it_shrinks(root, small):
    write(root, small, SMALL)
    assert "no pooling layer" in words(show()) and "28×28 → 14×14 → 7×7" in words(show())


def test_the_digits_with_the_strongest_responses(root, small):
    run = write(root, small, SMALL)
    at = show(filter="2.2")
    network, _ = forward(run, small.test.images[0])
    maps = explain.forward(network, small.test.images.astype(float))[8][..., 1]
    strongest = maps.max(axis=(1, 2))
    order = np.argsort(-strongest, kind="stable")[:9]
    drawn = array(figure(at, "conv_best")["data"][0]["z"])
    for n, index in enumerate(order):
        np.testing.assert_array_equal(drawn[:, 30 * n : 30 * n + 28], small.test.images[index])
    texts = [float(note["text"]) for note in figure(at, "conv_best")["layout"]["annotations"]]
    np.testing.assert_allclose(texts, strongest[order], rtol=0.006)
    assert len(orange(at, "conv_best")) == 9
    at = click(at, "conv_best", 30 * 3 + 5, 9)
    assert url(at)["image"] == str(len(small.train) + order[3])
    np.testing.assert_array_equal(
        array(figure(at, "conv_digit")["data"][0]["z"]), small.test.images[order[3]]
    )


def test_a_costly_network_looks_for_them_when_asked(root, small, monkeypatch):
    monkeypatch.setattr(strongest_view, "AT_ONCE", 10)
    write(root, small, SMALL)
    at = show()
    assert "conv_best" not in components(at, "chart")
    button(at, "Find the 9 test digits it answers strongest to").click().run()
    assert "conv_best" in components(at, "chart")


def test_back_to_the_strongest_place(root, small):
    run = write(root, small, SMALL)
    at = show(filter="1.1", place="0.0")
    button(at, "Look at this place above").click().run()
    _, values = forward(run, small.test.images[0])
    of_map = values[5][0, ..., 0]
    ((row, column, *_),) = orange(at, "conv_out")
    assert of_map[row, column] == of_map.max()


def test_without_convolution_a_run_that_has_one_is_a_click_away(root, small):
    cnn = write(root, small, SMALL)
    dense = write(root, small, TrainConfig(layers=(Dense(8),), epochs=1, name="dense"))
    at = show(run=dense.id)
    assert "no convolution" in words(at) and not components(at, "chart")
    labels = [each.label for each in at.button]
    assert "Train a small CNN" in labels
    (play,) = (each for each in at.button if each.label.startswith("Play "))
    play.click().run()
    assert url(at)["run"] == cnn.id and "conv_out" in components(at, "chart")


def test_a_small_cnn_can_be_trained_from_here(root, small):
    write(root, small, TrainConfig(layers=(Dense(8),), epochs=1, name="dense"))
    at = show()
    assert not [each for each in at.button if each.label.startswith("Play ")]
    button(at, "Train a small CNN").click().run()
    names = [runs.read(path.parent.name, root).title for path in root.glob("*/status.json")]
    assert sorted(names) == ["Small CNN", "dense"]


def test_another_run_with_fewer_layers_clamps(root, small):
    one = TrainConfig(layers=(Conv(2, 3, 1, "elu"),), epochs=1, name="one")
    write(root, small, SMALL)
    other = write(root, small, one)
    at = show(run=other.id, filter="2.4", place="3.3")
    assert "map 2" in figure(at, "conv_out")["layout"]["title"]["text"]
    assert orange(at, "conv_out") == [(3, 3, 3, 3)]


def test_weights_that_are_no_numbers_or_missing_are_said(root, small):
    run = write(root, small, SMALL, spoil=np.nan)
    at = show()
    assert "diverged" in words(at) and not components(at, "chart")
    (run.path / "weights" / "001.npz").unlink()
    at = show()
    assert "No readable weights" in words(at)


def test_dead_filters_are_drawn(root, small):
    write(root, small, TrainConfig(layers=(Conv(3, 3, 2, "relu", False),), epochs=1, name="dead"),
          spoil=-1.0)  # fmt: skip
    at = show(filter="1.1")
    assert not at.exception and "conv_out" in components(at, "chart")
