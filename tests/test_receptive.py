"""What a value looks at and sums up, against perturbed pixels and against Keras's convolution."""

import keras
import numpy as np
import pytest

from mnist_core import explain, models, receptive
from mnist_core.config import TrainConfig
from mnist_core.image_layers import Conv2D
from mnist_core.layers import AveragePool, Conv, Dense, Dropout, MaxPool

PLAIN = {"batch_norm": False, "activation": "linear"}
NETWORKS = {
    "two strides": (Conv(2, 5, 2, **PLAIN), Conv(3, 3, 2, **PLAIN)),
    "max pooling": (Conv(2, 3, 1, **PLAIN), MaxPool(2), Conv(2, 3, 1, **PLAIN)),
    "valid, mean of 3": (Conv(2, 4, 1, padding="valid", **PLAIN), AveragePool(3), Dropout(0.2),
                         Conv(2, 2, 1, **PLAIN)),
    "stride above the kernel": (Conv(2, 3, 2, **PLAIN), Conv(2, 2, 4, **PLAIN)),
}  # fmt: skip


def network(layers, positive=False, seed=0):
    """Return a network with weights drawn for its shapes; positive ones let every change pass."""
    config = TrainConfig(layers=layers, name="drawn")
    rng = np.random.default_rng(seed)
    weights = []
    for array in models.build(config).get_weights():
        drawn = rng.normal(size=array.shape)
        weights.append(abs(drawn) + 0.1 if positive or array.ndim == 1 else drawn)
    return explain.layers(config, weights)


def images(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 28, 28)).astype(np.uint8)


# Receptive fields


@pytest.mark.parametrize("name", NETWORKS)
def test_exactly_the_fields_pixels_change_the_output(name):
    layers = network(NETWORKS[name], positive=True)
    end = receptive.stages(layers)[-1].end
    blank = np.full((28, 28), 10.0)
    poked = np.repeat(blank[None], 784 + 1, axis=0)
    poked[np.arange(784), np.arange(784) // 28, np.arange(784) % 28] = 1e6  # the last stays blank
    values = explain.forward(layers[:end], poked)
    out = values[-1]
    height, width = out.shape[1:3]
    for row, column in ((0, 0), (height - 1, width - 1), (height // 2, width // 3)):
        changed = (out[:-1, row, column] != out[-1, row, column]).any(axis=-1).reshape(28, 28)
        seen = receptive.field(layers, values, end, row, column)
        expected = np.zeros((28, 28), bool)
        expected[np.ix_(seen.rows, seen.columns)] = True
        np.testing.assert_array_equal(changed, expected)
        top, left, bottom, right = seen.frame
        there = np.argwhere(changed)
        assert (top, left) == tuple(there.min(axis=0))
        assert (bottom, right) == tuple(there.max(axis=0))
        assert blank[seen.cut].shape == (bottom - top + 1, right - left + 1)


def test_a_stride_above_the_kernel_leaves_pixels_out():
    layers = network(NETWORKS["stride above the kernel"])
    values = explain.forward(layers, images(1).astype(float))
    stage = receptive.stages(layers)[-1]
    rows = [set(receptive.field(layers, values, stage.end, row, 1).rows.tolist())
            for row in range(stage.maps(values).shape[0])]  # fmt: skip
    assert set(range(28)) - set.union(*rows)


@pytest.mark.parametrize("size, kernel, stride", [(28, 5, 2), (14, 3, 2), (7, 3, 1), (9, 11, 4)])
def test_the_margin_is_where_keras_begins(size, kernel, stride):
    """A filter whose only weight is its first shows which pixel it begins at."""
    weights = np.zeros((kernel, kernel, 1, 1))
    weights[0, 0] = 1
    call = keras.layers.Conv2D(1, kernel, stride, padding="same", use_bias=False)
    call.build((None, size, size, 1))
    call.set_weights([weights])
    numbered = 1.0 + np.arange(size * size).reshape(1, size, size, 1)
    out = np.asarray(call(numbered))[0, :, :, 0]
    row, column = np.argwhere(out)[0]
    first_row, first_column = divmod(int(out[row, column]) - 1, size)
    layer = Conv2D(
        {"kernel_size": kernel, "strides": stride, "padding": "same"}, {"kernel": weights}
    )
    expected = (stride * row - first_row, stride * column - first_column)
    assert receptive.margin(layer, (size, size)) == expected


# Stages


def test_stages_of_a_lenet():
    layers = network(
        (Conv(6, 5, 1, "tanh", batch_norm=False), AveragePool(2), Dropout(0.1),
         Conv(4, 5, 1, "elu", padding="valid"), MaxPool(2), Dense(8, "tanh", batch_norm=True))
    )  # fmt: skip
    found = receptive.stages(layers)
    assert [stage.name for stage in found] == [
        "Convolution 1", "Pooling 1", "Convolution 2", "Pooling 2"
    ]  # fmt: skip
    assert [stage.pooling for stage in found] == ["", "mean", "", "max"]
    kinds = [[layer.kind for layer in layers[stage.begin : stage.end]] for stage in found]
    assert kinds == [
        ["Conv2D", "Activation"], ["AveragePooling2D"],
        ["Conv2D", "BatchNormalization", "Activation"], ["MaxPooling2D"],
    ]  # fmt: skip
    activations = [receptive.activation(layers, stage) for stage in found]
    assert activations == ["tanh", "linear", "elu", "linear"]


def test_a_dense_network_has_no_stage():
    assert receptive.stages(network((Dense(4),))) == []


# One output's sum


@pytest.mark.parametrize("batch_norm", [False, True])
def test_one_output_is_kerass(batch_norm):
    layers = (Conv(3, 5, 2, "relu", batch_norm), Conv(4, 3, 2, "tanh", batch_norm))
    config = TrainConfig(layers=layers, name="drawn")
    model = models.build(config)
    rng = np.random.default_rng(5)
    model.set_weights([
        abs(rng.normal(size=array.shape)) if array.ndim == 1 else rng.normal(size=array.shape)
        for array in model.get_weights()
    ])  # fmt: skip
    own = explain.layers(config, model.get_weights())
    x = images(1)
    stage = receptive.stages(own)[1]
    values = explain.forward(own, x.astype(float))
    second = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)][1]
    place = model.layers.index(second)
    sums, a = (
        np.asarray(keras.Model(model.layers[0].input, model.layers[at].output)(x))
        for at in (place, place + 1 + batch_norm)
    )
    height, width = sums.shape[1:3]
    for row, column, kernel in ((0, 0, 0), (height - 1, width - 1, 3), (2, 3, 1)):
        out = receptive.one_output(own, values, stage, kernel, row, column)
        exact = out.products.sum() + (out.bias or 0)
        np.testing.assert_allclose(exact, sums[0, row, column, kernel], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(out.z, exact, rtol=1e-9)
        np.testing.assert_allclose(out.of_channels.sum() + (out.bias or 0), exact, rtol=1e-9)
        np.testing.assert_allclose(out.a, a[0, row, column, kernel], rtol=1e-3, atol=1e-4)
        assert out.activation == "tanh" and (out.norm is not None) == batch_norm
        assert (out.bias is None) == batch_norm
        if batch_norm:
            n = out.norm
            scaled = (out.z - n["mean"]) / np.sqrt(n["variance"] + 0.001)
            np.testing.assert_allclose(out.y, n["gamma"] * scaled + n["beta"], rtol=1e-9)


# Many digits


def test_the_strongest_responses_are_those_of_forward(monkeypatch):
    layers = network((Conv(3, 5, 2), MaxPool(2), Conv(4, 3, 1, padding="valid"), Dense(5)))
    x = images(23, seed=3)
    values = explain.forward(layers, x.astype(float))
    monkeypatch.setattr(receptive, "CHUNK_NUMBERS", 196 * 25 * 5)  # portions of five digits
    found = receptive.responses(layers, x)
    convolutions = [stage for stage in receptive.stages(layers) if not stage.pooling]
    assert len(found) == len(convolutions) == 2
    for each, stage in zip(found, convolutions, strict=True):
        maps = values[stage.end]
        assert each.values.dtype == np.float32
        np.testing.assert_allclose(each.values, maps.max(axis=(1, 2)), rtol=1e-4)
        n, kernel = 17, 2
        np.testing.assert_allclose(
            maps[n, *each.places[n, kernel], kernel], maps[n, ..., kernel].max(), rtol=1e-4
        )
        order = each.best(kernel, 9)
        assert len(order) == 9
        assert each.values[order[0], kernel] == each.values[:, kernel].max()
        assert (np.diff(each.values[order, kernel]) <= 0).all()


def test_the_cost_is_the_tables():
    layers = (Conv(3, 5, 2), MaxPool(2), Conv(4, 3, 1, padding="valid"), Dense(5))
    own = network(layers)
    values = explain.forward(own, images(1).astype(float))
    by_hand = 14 * 14 * 25 * 3 + 5 * 5 * 9 * 3 * 4
    assert receptive.cost(own, values) == by_hand
