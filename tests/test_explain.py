"""The equations in NumPy against Keras in float64, against finite differences, and by hand."""

import math
from dataclasses import replace

import keras
import numpy as np
import pytest
from float64_keras import (
    BAR,
    DIGITS,
    NETWORKS,
    apart,
    both,
    digits,
    float64,
    in_order,
    random_arrays,
    weights_of,
)

from mnist_core import explain
from mnist_core.config import TrainConfig
from mnist_core.layers import ACTIVATIONS, Conv, dense_stack


def ends(network):
    """Return the places in `values` of what Keras's layers give: its dense ones hold two here."""
    kinds = [layer.kind for layer in network]
    return [
        place + 1
        for place, kind in enumerate(kinds)
        if not (kind == "Dense" and kinds[place + 1] == "Activation")
    ]


@pytest.mark.parametrize("name", NETWORKS)
def test_forward_loss_and_gradients_are_those_of_keras(name):
    found, clone = both(name)
    places = ends(found.network)
    assert len(places) == len(clone.values)
    for place, value in zip(places, clone.values, strict=True):
        assert apart(found.values[place], value) < BAR, found.network[place - 1].kind
    assert found.probabilities.shape == (DIGITS, 10)
    assert found.loss == pytest.approx(clone.loss, rel=BAR)
    gradients = in_order(found.gradients)
    assert len(gradients) == len(clone.gradients)
    for own, theirs in zip(gradients, clone.gradients, strict=True):
        assert np.abs(theirs).max() > 0
        assert apart(own, theirs) < BAR
    assert apart(found.slopes[0], clone.slope_of_pixels) < BAR


def test_the_two_are_float64_and_agree_much_closer_than_the_bar():
    """In float32 they would be some 1e-7 apart."""
    assert keras.config.floatx() == keras.config.dtype_policy().name == "float32"
    with float64():
        assert keras.config.dtype_policy().compute_dtype == "float64"
    assert keras.config.floatx() == keras.config.dtype_policy().name == "float32"
    for name in ("paper", "lenet", "dense batch norm"):
        found, clone = both(name)
        assert apart(found.probabilities, clone.values[-1]) < 1e-12
        for own, theirs in zip(in_order(found.gradients), clone.gradients, strict=True):
            assert apart(own, theirs) < 1e-12


def test_a_wrong_weight_is_seen():
    _, clone = both("paper")
    images, labels = digits()
    weights = weights_of(clone.arrays)
    weights[2] = weights[2] * (1 + 1e-4)
    wrong = explain.explain(
        explain.layers(clone.config, weights), images, labels, clone.config.loss
    )
    assert apart(wrong.probabilities, clone.values[-1]) > BAR
    assert apart(in_order(wrong.gradients)[0], clone.gradients[0]) > BAR


@pytest.mark.parametrize(
    "name",
    [
        "paper", "lenet", "dense batch norm", "L2", "even kernels, stride 3", "dense elu",
        "kernel 4 stride 3, max pool 3, average pool 2", "mean squared error, conv", "dense gelu",
    ],
)  # fmt: skip
def test_gradients_are_the_loss_s_finite_differences(name):
    """(L(w + h) - L(w - h)) / 2h, with nothing of the way back."""
    config = NETWORKS[name]
    images, labels = (each[:7] for each in digits())
    weights = [np.float64(each) for each in weights_of(random_arrays(config, seed=1))]
    found = explain.explain(explain.layers(config, weights), images, labels, config.loss)
    gradients = {id(layer.weights[each]): found.gradients[place][each]
                 for place, layer in enumerate(found.network)
                 for each in found.gradients[place]}  # fmt: skip

    def loss():
        return explain.explain(found.network, images, labels, config.loss).loss

    rng = np.random.default_rng(0)
    checked = 0
    for array in (w for layer in found.network for w in layer.weights.values()):
        if id(array) not in gradients:
            continue  # a moving average
        gradient = gradients[id(array)]
        entries = [tuple(rng.integers(0, size) for size in array.shape) for _ in range(4)]
        entries.append(np.unravel_index(np.abs(gradient).argmax(), gradient.shape))
        for entry in entries:
            kept, sides = array[entry], []
            for h in (1e-6, -1e-6):
                array[entry] = kept + h
                sides.append(loss())
            array[entry] = kept
            slope = (sides[0] - sides[1]) / 2e-6
            assert gradient[entry] == pytest.approx(slope, rel=1e-4, abs=1e-8)
            checked += 1
    assert checked == 5 * len(gradients) >= 20


def test_the_slope_of_each_pixel_is_a_finite_difference():
    config = NETWORKS["lenet"]
    images, labels = (each[:1] for each in digits())
    network = explain.layers(config, weights_of(random_arrays(config)))
    slope = explain.explain(network, images, labels, config.loss).slopes[0][0]
    for row, column in ((14, 14), (10, 12), (0, 0), tuple(np.argwhere(images[0])[5])):
        sides = []
        for h in (1e-3, -1e-3):
            pixels = images.astype(float)
            pixels[0, row, column] += h
            sides.append(explain.explain(network, pixels, labels, config.loss).loss)
        assert slope[row, column] == pytest.approx((sides[0] - sides[1]) / 2e-3, rel=1e-3, abs=1e-9)


# By hand


def test_a_dense_layer_of_two_pixels_by_hand():
    """x = (1, 2), W = ((1, 2, 3), (4, 5, 6)), b = (0.1, 0.2, 0.3), dL/dz = (1, 0, -1)."""
    layer = explain.Dense({}, {"kernel": np.array([[1.0, 2, 3], [4, 5, 6]]),
                               "bias": np.array([0.1, 0.2, 0.3])})  # fmt: skip
    x = np.array([[1.0, 2.0]])
    z = layer.forward(x)
    np.testing.assert_allclose(z, [[9.1, 12.2, 15.3]], rtol=1e-15)
    slope, gradients = layer.backward(x, z, np.array([[1.0, 0.0, -1.0]]))
    np.testing.assert_array_equal(slope, [[1 - 3, 4 - 6]])
    np.testing.assert_array_equal(gradients["kernel"], [[1, 0, -1], [2, 0, -2]])
    np.testing.assert_array_equal(gradients["bias"], [1, 0, -1])


def test_two_digits_add_their_gradients():
    layer = explain.Dense({}, {"kernel": np.ones((2, 1)), "bias": np.zeros(1)})
    x = np.array([[1.0, 2.0], [10.0, 20.0]])
    _, gradients = layer.backward(x, layer.forward(x), np.array([[1.0], [3.0]]))
    np.testing.assert_array_equal(gradients["kernel"], [[31], [62]])
    np.testing.assert_array_equal(gradients["bias"], [4])


def test_softmax_by_hand_also_of_logits_of_a_thousand():
    softmax = explain.Softmax({}, {})
    by_hand = np.array([1, math.e, math.e**2]) / (1 + math.e + math.e**2)
    for shift in (0.0, 1000.0, -1000.0):
        found = softmax.forward(np.array([[0.0, 1.0, 2.0]]) + shift)
        np.testing.assert_allclose(found, [by_hand], rtol=1e-12)
    np.testing.assert_array_equal(softmax.forward(np.array([[1000.0, 0.0]])), [[1, 0]])
    slope, _ = softmax.backward(None, np.array([[0.25, 0.75]]), np.array([[1.0, 3.0]]))
    np.testing.assert_allclose(slope, [[0.25 * (1 - 2.5), 0.75 * (3 - 2.5)]])


def of_logits(logits, labels, loss="categorical_crossentropy"):
    """Return the explanation of a network that is a softmax alone."""
    logits = np.atleast_2d(np.asarray(logits, float))
    network = [explain.Softmax({}, {})]
    values = explain.forward(network, logits)
    return explain.Explanation(network, values, np.array(labels), loss)


def test_one_hot_and_cross_entropy_by_hand():
    logits = np.log([1.0, 2, 3, 4, 5, 1, 1, 1, 1, 1])  # of probabilities 1/20, 2/20, …
    found = of_logits([logits, logits], [3, 0])
    np.testing.assert_array_equal(found.target[0], [0, 0, 0, 1, 0, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(found.target[1], [1, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(found.losses, [-math.log(4 / 20), -math.log(1 / 20)])
    assert found.loss == pytest.approx((math.log(5) + math.log(20)) / 2)
    by_hand = np.array([1, 2, 3, 4, 5, 1, 1, 1, 1, 1]) / 20
    by_hand[3] -= 1  # p - y, half of it as the mean is over two digits
    np.testing.assert_allclose(found.slopes[0][0], by_hand / 2)


def test_a_probability_that_is_rounded_to_zero_has_its_loss():
    found = of_logits([1000.0, *[0.0] * 9], [4])
    assert found.probabilities[0, 4] == 0.0
    assert found.loss == 1000.0
    assert found.slopes[0][0, 0] == 1.0 and found.slopes[0][0, 4] == -1.0


def test_mean_squared_error_by_hand():
    found = of_logits([0.0] * 10, [7], "mean_squared_error")
    assert found.loss == pytest.approx((9 * 0.1**2 + 0.9**2) / 10)
    # dL/dp is 0.02, at the label -0.18: their mean weighted by p is 0
    np.testing.assert_allclose(found.slopes[0][0], [0.002] * 7 + [-0.018] + [0.002] * 2)


VALUES = np.array([-1000.0, -100.0, -2.0, -0.5, 0.0, 0.5, 2.0, 100.0])
BY_HAND = {
    "relu": lambda z: max(z, 0.0), "tanh": math.tanh, "linear": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)) if z > -700 else 0.0,
    "elu": lambda z: z if z > 0 else math.exp(z) - 1,
    "gelu": lambda z: z * (1 + math.erf(z / 2**0.5)) / 2,
}  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.filterwarnings("error")
def test_activations_by_hand_also_far_from_zero(name, dtype):
    layer = explain.Activation({"activation": name}, {})
    z = VALUES.astype(dtype)
    a = layer.forward(z)
    assert a.dtype == dtype
    by_hand = [BY_HAND[name](value) for value in VALUES]
    np.testing.assert_allclose(a, by_hand, rtol=1e-6 if dtype == np.float32 else 1e-12, atol=1e-30)
    slope, _ = layer.backward(z, a, np.full_like(z, 3))
    assert slope.dtype == dtype and np.isfinite(slope).all()
    if dtype == np.float64:
        for place in (2, 3, 5, 6):
            h = 1e-6
            rise = (BY_HAND[name](VALUES[place] + h) - BY_HAND[name](VALUES[place] - h)) / (2 * h)
            assert slope[place] == pytest.approx(3 * rise, rel=1e-7, abs=1e-12)


# What is given


def test_arrays_keep_the_dtype_of_the_weights():
    config = NETWORKS["lenet"]
    images, labels = (each[:5] for each in digits())
    weights = weights_of(random_arrays(config))
    single, double = (
        explain.explain(explain.layers(config, weights, kind), images, labels, config.loss)
        for kind in (np.float32, np.float64)
    )
    assert {value.dtype for value in single.values} == {np.dtype(np.float32)}
    assert {value.dtype for value in double.values} == {np.dtype(np.float64)}
    np.testing.assert_allclose(single.probabilities, double.probabilities, atol=1e-5)


def test_dropout_is_off():
    found, _ = both("dropout")
    places = [i for i, layer in enumerate(found.network) if layer.kind == "Dropout"]
    assert len(places) == 2
    for place in places:
        assert found.values[place] is found.values[place + 1]


def test_l2_is_added_to_the_loss_and_not_to_a_digit_s():
    found, clone = both("L2")
    kernels = [w for w in clone.model.trainable_variables if w.name == "kernel"]
    parts = zip((0.01, 0.02, 0.1, 0.03), kernels[:4], strict=True)
    assert found.penalty == pytest.approx(sum(l2 * (w.numpy() ** 2).sum() for l2, w in parts))
    assert found.loss == pytest.approx(found.losses.mean() + found.penalty)
    plain = tuple(replace(layer, l2=0.0) for layer in NETWORKS["L2"].layers)
    without = explain.layers(replace(NETWORKS["L2"], layers=plain), weights_of(clone.arrays))
    images, labels = digits()
    other = explain.explain(without, images, labels, found.loss_name)
    np.testing.assert_array_equal(other.losses, found.losses)
    assert other.penalty == 0 and not np.allclose(
        other.gradients[1 + 1]["kernel"], found.gradients[1 + 1]["kernel"]
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda w: w[:-1], r"^Expected weights for Dense. Received: 3 arrays\.$"),
        (lambda w: [], r"^Expected weights for Dense. Received: 0 arrays\.$"),
        (lambda w: [*w, np.zeros(10)], r"^Expected 4 arrays. Received: 5\.$"),
        (lambda w: [w[0].T, *w[1:]], r"^Expected \(784, 9\) as the kernel of Dense. Received: "),
        (lambda w: [*w[:3], np.zeros(1)], r"^Expected \(10,\) as the bias of Dense. Received: "),
        (lambda w: [w[0], w[1][:, None], *w[2:]], r"^Expected \(9,\) as the bias of Dense. "),
    ],
    ids=["one missing", "none", "too many", "transposed", "one bias", "another rank"],
)
def test_weights_that_do_not_fit_are_refused(change, said):
    config = TrainConfig(layers=dense_stack((9,), "relu", 0.0))
    weights = weights_of(random_arrays(config))
    explain.layers(config, weights)
    with pytest.raises(ValueError, match=said):
        explain.layers(config, change(weights))


def test_weights_of_another_convolution_are_refused():
    config = TrainConfig(layers=(Conv(4, 3), Conv(5, 3)))
    weights = weights_of(random_arrays(config))
    for place, shape in ((0, (5, 5, 1, 4)), (5, (3, 3, 3, 5)), (4, (1,)), (10, (100, 10))):
        wrong = [*weights[:place], np.ones(shape, np.float32), *weights[place + 1 :]]
        with pytest.raises(ValueError, match=r"^Expected \("):
            explain.layers(config, wrong)
