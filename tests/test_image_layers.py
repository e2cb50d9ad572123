"""Layers for images: against Keras in float64, against loops over every pixel, and by hand."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from mnist_core.image_layers import AveragePooling2D, BatchNormalization, Conv2D, MaxPooling2D

SIZES = [  # height, width, kernel, stride
    *itertools.product((5, 8), (9,), (1, 2, 3, 4), (1, 2, 3, 4)),
    (28, 28, 11, 4), (7, 7, 7, 3), (4, 4, 4, 4),
]  # fmt: skip


def convolution(kernel, stride, padding, channels=2, filters=3, bias=True):
    rng = np.random.default_rng(1)
    arguments = {"kernel_size": kernel, "strides": stride, "padding": padding}
    weights = {"kernel": rng.normal(size=(kernel, kernel, channels, filters))}
    if bias:
        weights["bias"] = rng.normal(size=filters)
    return Conv2D(arguments, weights)


def by_keras(layer, x, slope):
    """Return what a layer of Keras gives of x, and the slopes of Σ y · slope: of x, of weights."""
    x = tf.constant(x)
    assert x.dtype == tf.float64
    trained = [weights.value for weights in layer.trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=False)
        whole = tf.reduce_sum(y * slope)
    found = tape.gradient(whole, [x, *trained])
    assert {each.dtype for each in (y, *found)} == {tf.float64}
    return y.numpy(), *(each.numpy() for each in found)


def same(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("bias", [True, False])
def test_convolutions_of_any_size_are_those_of_keras(padding, bias):
    rng = np.random.default_rng(0)
    for height, width, kernel, stride in SIZES:
        ours = convolution(kernel, stride, padding, bias=bias)
        theirs = keras.layers.Conv2D(
            3, kernel, stride, padding, use_bias=bias, dtype="float64"
        )  # fmt: skip
        x = rng.normal(size=(2, height, width, 2))
        theirs.build(x.shape)
        theirs.set_weights(list(ours.weights.values()))
        y = ours.forward(x)
        slope = rng.normal(size=y.shape)
        by_x, gradients = ours.backward(x, y, slope)
        told = by_keras(theirs, x, slope)
        for own, other in zip((y, by_x, *gradients.values()), told, strict=True):
            same(own, other)


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 1, "valid"), (2, 2, "same")])
def test_a_convolution_is_the_sum_over_every_pixel_that_its_formula_says(kernel, stride, padding):
    """z_rcf = Σ_ijk x_(sr+i)(sc+j)k w_ijkf + b_f, by loops; 6 by 6 needs no zeros for stride 2."""
    layer = convolution(kernel, stride, padding)
    x = np.random.default_rng(0).normal(size=(1, 6, 6, 2))
    z = layer.forward(x)
    assert z.shape == ((1, 4, 4, 3) if padding == "valid" else (1, 3, 3, 3))
    for r, c, f in np.ndindex(z.shape[1:]):
        whole = layer.weights["bias"][f]
        for i, j, k in np.ndindex(kernel, kernel, 2):
            whole += x[0, stride * r + i, stride * c + j, k] * layer.weights["kernel"][i, j, k, f]
        assert z[0, r, c, f] == pytest.approx(whole)


def test_even_kernels_see_one_more_zero_after_the_image_than_before():
    kernel = np.array([[1.0, 10.0], [100.0, 1000.0]])[:, :, None, None]
    layer = Conv2D({"kernel_size": 2, "strides": 1, "padding": "same"}, {"kernel": kernel})
    x = np.array([[1.0, 2.0], [3.0, 4.0]])[None, :, :, None]
    assert layer.padded(x).shape == (1, 3, 3, 1)
    np.testing.assert_array_equal(layer.forward(x)[0, :, :, 0], [[4321, 402], [43, 4]])


def test_windows_are_what_the_filters_look_at_and_no_copy():
    layer = convolution(3, 2, "valid")
    x = np.arange(2 * 7 * 7 * 2, dtype=float).reshape(2, 7, 7, 2)
    windows = layer.windows(x)
    assert windows.shape == (2, 3, 3, 2, 3, 3)
    np.testing.assert_array_equal(windows[1, 2, 1, 0], x[1, 4:7, 2:5, 0])
    assert np.shares_memory(windows, x)


def test_a_pixel_collects_from_all_places_whose_window_held_it():
    """Ones as weights and slopes: how many windows of 2 by 2 held each pixel of 3 by 3."""
    layer = Conv2D({"kernel_size": 2, "strides": 1, "padding": "valid"},
                   {"kernel": np.ones((2, 2, 1, 1)), "bias": np.zeros(1)})  # fmt: skip
    x = np.arange(9.0).reshape(1, 3, 3, 1)
    y = layer.forward(x)
    slope, gradients = layer.backward(x, y, np.ones_like(y))
    np.testing.assert_array_equal(slope[0, :, :, 0], [[1, 2, 1], [2, 4, 2], [1, 2, 1]])
    # Each weight is used at four places: the sum of the pixels it met.
    np.testing.assert_array_equal(gradients["kernel"][:, :, 0, 0], [[8, 12], [20, 24]])
    np.testing.assert_array_equal(gradients["bias"], [4])


# Pooling

POOLS = [
    (MaxPooling2D, keras.layers.MaxPooling2D), (AveragePooling2D, keras.layers.AveragePooling2D)
]  # fmt: skip


@pytest.mark.parametrize(("ours", "theirs"), POOLS)
def test_pools_of_any_size_are_those_of_keras(ours, theirs):
    rng = np.random.default_rng(0)
    for size, height, width in itertools.product((2, 3, 4), (4, 6, 7, 9), (5, 8)):
        x = rng.normal(size=(2, height, width, 3))
        layer = ours({"pool_size": size}, {})
        y = layer.forward(x)
        assert y.shape == (2, height // size, width // size, 3)
        slope = rng.normal(size=y.shape)
        by_x, gradients = layer.backward(x, y, slope)
        assert gradients == {} and by_x.shape == x.shape
        for own, other in zip(
            (y, by_x), by_keras(theirs(size, dtype="float64"), x, slope), strict=True
        ):
            same(own, other)


def test_of_equal_pixels_the_slope_goes_to_the_one_that_keras_takes():
    x = np.zeros((1, 4, 4, 1))
    layer = MaxPooling2D({"pool_size": 2}, {})
    y = layer.forward(x)
    slope = np.arange(1.0, 5.0).reshape(y.shape)
    by_x, _ = layer.backward(x, y, slope)
    assert sorted(by_x[by_x != 0]) == [1, 2, 3, 4]  # to one pixel, not to all
    same(by_x, by_keras(keras.layers.MaxPooling2D(2, dtype="float64"), x, slope)[1])


def test_pools_by_hand():
    x = np.array([[1.0, 2, 9, 0, 50], [3, 4, 8, 7, 60], [70, 70, 70, 70, 70]])[None, :, :, None]
    for layer, values, slopes in (
        (MaxPooling2D, [4, 9], [[0, 0, 5, 0, 0], [0, 3, 0, 0, 0], [0] * 5]),
        (AveragePooling2D, [2.5, 6], [[0.75, 0.75, 1.25, 1.25, 0]] * 2 + [[0] * 5]),
    ):
        pool = layer({"pool_size": 2}, {})
        y = pool.forward(x)
        np.testing.assert_array_equal(y[0, 0, :, 0], values)  # what fills no square is left out
        by_x, _ = pool.backward(x, y, np.array([3.0, 5.0])[None, None, :, None])
        np.testing.assert_array_equal(by_x[0, :, :, 0], slopes)


# Batch normalization


@pytest.mark.parametrize("shape", [(5, 3), (2, 4, 5, 3)], ids=["dense", "image"])
def test_batch_normalization_is_that_of_keras(shape):
    rng = np.random.default_rng(0)
    weights = {"gamma": rng.normal(size=3), "beta": rng.normal(size=3),
               "mean": rng.normal(size=3), "variance": rng.uniform(1e-4, 2, 3)}  # fmt: skip
    theirs = keras.layers.BatchNormalization(dtype="float64")
    theirs.build(shape)
    theirs.set_weights(list(weights.values()))
    layer = BatchNormalization({}, weights)
    x, slope = rng.normal(size=shape), rng.normal(size=shape)
    y = layer.forward(x)
    by_x, gradients = layer.backward(x, y, slope)
    assert list(gradients) == ["gamma", "beta"]
    told = by_keras(theirs, x, slope)
    for own, other in zip((y, by_x, *gradients.values()), told, strict=True):
        same(own, other)


def test_batch_normalization_by_hand():
    """μ = 3, σ² + ε = 4, γ = 10, β = 1: (5 - 3) / 2 · 10 + 1 = 11."""
    weights = {"gamma": [10.0], "beta": [1.0], "mean": [3.0], "variance": [4 - 1e-3]}
    layer = BatchNormalization({}, {name: np.array(value) for name, value in weights.items()})
    x = np.array([[5.0], [1.0]])
    np.testing.assert_allclose(layer.forward(x), [[11], [-9]])
    by_x, gradients = layer.backward(x, layer.forward(x), np.array([[1.0], [3.0]]))
    np.testing.assert_allclose(by_x, [[5], [15]])
    np.testing.assert_allclose(gradients["gamma"], [1 * 1 + 3 * -1])
    np.testing.assert_allclose(gradients["beta"], [4])
