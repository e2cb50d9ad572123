"""Units switched off and weights edited, compared with Keras doing the same."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics

from mnist_core import explain, models, neurons
from mnist_core.config import TrainConfig
from mnist_core.layers import Conv, Dense, Dropout, MaxPool
from mnist_core.neuron_cut import NoUnits, Weight

pytestmark = pytest.mark.filterwarnings("error")

NETWORKS = {
    "paper's": (Dense(16, "relu"),),
    "tanh": (Dense(12, "tanh"),),
    "dropout first": (Dropout(0.3), Dense(12, "relu"), Dropout(0.2)),
    "batch norm": (Dense(16, "relu", batch_norm=True), Dropout(0.2)),
    "deep": (
        Dense(16, "elu", batch_norm=True), Dropout(0.2), Dense(12, "relu", batch_norm=True),
        Dense(8, "sigmoid"),
    ),
}  # fmt: skip


def trained(name, images, labels, seed=1):
    """Return a Keras model that reads some digits rightly, and its config.

    Random features, the last layer by least squares: no training needed.
    """
    config = TrainConfig(layers=NETWORKS[name], seed=seed)
    model = models.build(config, 1)
    rng = np.random.default_rng(seed)
    weights = [  # other biases and moving averages than at the start
        w if w.ndim == 2 else w + rng.uniform(0.0, 0.3, w.shape) for w in model.get_weights()
    ]
    model.set_weights(weights)
    head = len(model.layers) - 2  # without the output layer and the softmax
    a = model_until(model, head)(images)
    kernel, *_ = np.linalg.lstsq(a, np.eye(10)[labels] - 0.1, rcond=None)
    model.set_weights([*weights[:-2], kernel, np.full(10, 0.01)])
    return config, model


def model_until(model, count):
    def forward(images):
        x = images
        for layer in model.layers[:count]:
            x = layer(x, training=False)
        return np.asarray(x, np.float64)

    return forward


def logits_of(model, images):
    return model_until(model, len(model.layers) - 1)(images)


def without(model, config, units):
    """Return the same network with these units' outgoing kernel rows zeroed, as Keras answers."""
    weights = model.get_weights()
    first = weights[0].shape[1]
    place = next(i for i, w in enumerate(weights) if i and w.ndim == 2 and len(w) == first)
    weights[place][list(units)] = 0
    return changed(config, weights)


def changed(config, weights):
    other = models.build(config, 1)
    other.set_weights(weights)
    return other


@pytest.fixture(scope="module", params=NETWORKS)
def case(request, small):
    images, labels = small.test.images, small.test.labels
    config, model = trained(request.param, images, labels)
    bench = neurons.bench(explain.layers(config, model.get_weights()), images, labels)
    return config, model, bench


def check(change, model, images):
    expected = logits_of(model, images)
    np.testing.assert_allclose(change.after.logits, expected, atol=2e-4, rtol=2e-4)
    assert (change.after.predicted == expected.argmax(1)).all()


def test_the_bench_says_what_keras_says(case, small):
    _, model, bench = case
    found = bench.after()
    check(found, model, small.test.images)
    assert found.after.accuracy > 0.25  # there is something to lose
    assert len(found.lost) == len(found.won) == 0


@pytest.mark.parametrize("units", [[0], [3, 7], range(12)], ids=["one", "two", "twelve"])
def test_a_unit_that_is_off_is_one_whose_outgoing_weights_are_zero(case, units, small):
    config, model, bench = case
    other = without(model, config, units)
    change = bench.after(set(units))
    check(change, other, small.test.images)
    labels, said = small.test.labels, logits_of(other, small.test.images).argmax(1)
    was = logits_of(model, small.test.images).argmax(1)
    assert change.after.accuracy == metrics.accuracy_score(labels, said)
    assert (
        change.after.confusion == metrics.confusion_matrix(labels, said, labels=range(10))
    ).all()
    assert set(change.lost) == set(np.flatnonzero((was == labels) & (said != labels)))
    assert set(change.won) == set(np.flatnonzero((was != labels) & (said == labels)))
    by_digit = np.bincount(labels[sorted(change.lost)], minlength=10)
    assert (change.lost_by_digit() == by_digit).all()
    sure = change.after.confidence[change.lost]
    assert (np.diff(sure) <= 0).all()


def test_each_unit_alone_is_what_it_is_one_by_one(case):
    _, _, bench = case
    singles = bench.singles
    assert singles.digits == len(bench.labels)
    for unit in range(bench.units):
        alone = bench.after([unit])
        assert (singles.lost[unit], singles.won[unit]) == (len(alone.lost), len(alone.won))
        # scikit-learn's log loss of the probabilities, the same in other words
        p = alone.after.probabilities
        expected = metrics.log_loss(bench.labels, p / p.sum(1, keepdims=True), labels=range(10))
        assert singles.loss[unit] == pytest.approx(expected, rel=1e-4)
    assert singles.lost.sum() + singles.won.sum() > 0


def test_among_equal_answers_the_first_digit_counts(small):
    """All logits are equal without the one unit: Keras's argmax is then 0."""
    config = TrainConfig(layers=(Dense(1, "relu"),))
    weights = [np.full((784, 1), 0.01), np.ones(1), np.arange(10.0)[None], np.zeros(10)]
    bench = neurons.bench(explain.layers(config, weights), small.test.images, small.test.labels)
    assert (bench.after().after.predicted == 9).all()
    zeros, nines = (int((small.test.labels == digit).sum()) for digit in (0, 9))
    assert (bench.singles.lost[0], bench.singles.won[0]) == (nines, zeros)


# Edited weights


def test_an_edited_weight_is_a_network_with_that_weight(case, small):
    config, model, bench = case
    weights = model.get_weights()
    assert bench.learned(Weight(3, "in", 350)) == weights[0][350, 3]
    weights[0][350, 3] = 4.0
    edits = {Weight(3, "in", 350): 4.0}
    check(bench.after((), edits), changed(config, weights), small.test.images)
    assert not np.allclose(bench.after((), edits).after.logits, bench.after().after.logits)
    weights[0][200, 5] = -3.0
    edits[Weight(5, "in", 200)] = -3.0
    if bench.has_bias:
        assert bench.learned(Weight(3, "bias")) == weights[1][3]
        weights[1][3] = 1.5
        edits[Weight(3, "bias")] = 1.5
    check(bench.after((), edits), changed(config, weights), small.test.images)
    off = without(changed(config, weights), config, [5, 6])
    check(bench.after({5, 6}, edits), off, small.test.images)


def test_an_edited_outgoing_weight_is_a_network_with_that_weight(small):
    config, model = trained("paper's", small.test.images, small.test.labels)
    images = small.test.images
    bench = neurons.bench(explain.layers(config, model.get_weights()), images, small.test.labels)
    weights = model.get_weights()
    assert bench.learned(Weight(4, "out", 7)) == weights[2][4, 7]
    weights[2][4, 7] = 2.0
    weights[0][300, 4] = 1.0
    edits = {Weight(4, "out", 7): 2.0, Weight(4, "in", 300): 1.0}
    check(bench.after((), edits), changed(config, weights), images)
    check(bench.after({4}, edits), without(model, config, [4]), images)  # off is off
    check(bench.after(), model, images)  # and nothing of it stays


# What each unit does


def first_outputs(config, model, images):
    """The first hidden layer's outputs by explain.forward in float64."""
    network = explain.layers(config, model.get_weights())
    dense = [i for i, layer in enumerate(network) if layer.kind == "Dense"]
    return explain.forward(network[: dense[1]], images.astype(float))[-1]


def test_a_units_outputs_are_those_of_the_written_out_equations(case, small):
    config, model, bench = case
    a = first_outputs(config, model, small.test.images)
    labels = small.test.labels
    for unit in range(bench.units):
        for digit in range(10):
            expected = a[labels == digit, unit].mean()
            assert bench.means[unit, digit] == pytest.approx(expected, abs=1e-4)
    np.testing.assert_allclose(bench.fires, (a > 1e-7).mean(axis=0), atol=0.011)
    index, outputs = bench.strongest(2, 12)
    np.testing.assert_allclose(outputs, np.sort(a[:, 2])[::-1][:12], atol=1e-4)
    np.testing.assert_allclose(a[index, 2], outputs, atol=1e-4)
    np.testing.assert_allclose(bench.outputs([5, 2]), a[:, [5, 2]], atol=1e-4)
    kernel = model.get_weights()[0]
    assert (bench.incoming[4].ravel() == kernel[:, 4]).all()


def test_numbers_that_are_not_kept_are_computed_anew(case, monkeypatch):
    config, model, bench = case
    monkeypatch.setattr(neurons, "KEPT_BYTES", 0)
    monkeypatch.setattr(neurons, "CHUNK", 40)
    network = explain.layers(config, model.get_weights())
    other = neurons.bench(network, bench.images, bench.labels)
    assert other.kept is None and bench.kept is not None
    for off, edits in (({2, 9}, {}), ({2}, {Weight(1, "in", 400): 2.0})):
        left, right = (one.after(off, edits).after.logits for one in (other, bench))
        np.testing.assert_allclose(left, right, atol=1e-4)
    assert (other.singles.lost == bench.singles.lost).all()
    np.testing.assert_allclose(other.strongest(3)[1], bench.strongest(3)[1], atol=1e-5)


def test_what_is_kept_of_the_papers_network_is_small():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (10_000, 28, 28), np.uint8)
    weights = [rng.normal(size=shape) / 28 for shape in ((784, 128), 128, (128, 10), 10)]
    bench = neurons.bench(explain.layers(TrainConfig(), weights), images, np.arange(10_000) % 10)
    assert bench.kept.nbytes <= 6_000_000
    assert bench.images is images


@pytest.fixture
def silent(small):
    """The paper's network, unit 3 of which never fires."""
    config, model = trained("paper's", small.test.images, small.test.labels)
    weights = model.get_weights()
    weights[1][:] = 2.0
    weights[1][3] = -1e3
    return neurons.bench(explain.layers(config, weights), small.test.images, small.test.labels)


def test_a_unit_that_never_fires_does_nothing(silent):
    assert silent.silent.tolist() == [unit == 3 for unit in range(16)]
    assert silent.favourite[3] == -1 and silent.fires[3] == 0
    assert not silent.means[3].any()
    assert silent.singles.lost[3] == silent.singles.won[3] == 0
    alone = silent.after([3])
    assert (alone.after.logits == alone.before.logits).all()
    for name in ("Missed most", "Fires most", "Favourite digit"):
        assert silent.order(name)[-1] == 3


def test_a_unit_with_a_negative_half_is_not_called_silent(small):
    """tanh of a large negative sum is -1: that is no silence."""
    config, model = trained("tanh", small.test.images, small.test.labels)
    weights = model.get_weights()
    weights[1][3] = -1e3
    network = explain.layers(config, weights)
    bench = neurons.bench(network, small.test.images, small.test.labels)
    assert not bench.can_be_silent and not bench.silent.any()
    assert bench.mean[3] == pytest.approx(-1)
    assert bench.order("Fires most")[-1] == 3  # by mean output


def test_orders(case):
    _, _, bench = case
    units = range(bench.units)
    assert bench.order("Number").tolist() == list(units)
    for name in neurons.ORDERS:
        assert sorted(bench.order(name)) == list(units)
    accuracy = [bench.after([unit]).after.accuracy for unit in bench.order("Missed most")]
    loud = [not bench.silent[unit] for unit in bench.order("Missed most")]
    accuracy = np.array(accuracy)[loud]
    assert (np.diff(accuracy) >= -1e-12).all()
    favourite = bench.means[bench.order("Favourite digit")].argmax(axis=1)
    assert (np.diff(favourite[loud]) >= 0).all()
    by = bench.fires if bench.can_be_silent else bench.means.mean(axis=1)
    assert (np.diff(by[bench.order("Fires most")]) <= 1e-12).all()


def test_a_deep_network_of_many_units_is_measured_on_fewer_digits(small, monkeypatch):
    config, model = trained("deep", small.test.images, small.test.labels)
    network = explain.layers(config, model.get_weights())
    monkeypatch.setattr(neurons, "SAMPLE_OUTPUTS", 16 * 50)
    monkeypatch.setattr(neurons, "LEAST", 10)
    bench = neurons.bench(network, small.test.images, small.test.labels)
    assert bench.singles.digits == 50
    alone = bench.after([2])
    assert bench.singles.lost[2] == (alone.lost < 50).sum()
    assert bench.singles.won[2] == (alone.won < 50).sum()


def test_a_digit_that_does_not_occur_has_no_mean(small):
    config, model = trained("paper's", small.test.images, small.test.labels)
    some = small.test.labels != 4
    network = explain.layers(config, model.get_weights())
    bench = neurons.bench(network, small.test.images[some], small.test.labels[some])
    assert np.isnan(bench.means[:, 4]).all()
    assert np.isfinite(np.delete(bench.means, 4, axis=1)).all()
    assert (bench.favourite != 4).all() and np.isfinite(bench.mean).all()


# What has no units


@pytest.mark.parametrize(
    ("layers", "why"),
    [((), "no hidden layer"), ((Dropout(0.1),), "no hidden layer"),
     ((Conv(4, 3, 2), Dense(8, "relu")), "first layer"),
     ((MaxPool(), Dense(8, "relu")), "first layer")],
)  # fmt: skip
def test_networks_without_units_on_the_pixels_are_refused_with_the_reason(layers, why, small):
    config = TrainConfig(layers=layers)
    network = explain.layers(config, models.build(config, 1).get_weights())
    with pytest.raises(NoUnits, match=why):
        neurons.bench(network, small.test.images, small.test.labels)


def test_sums_that_are_no_numbers_are_refused(small):
    config, model = trained("paper's", small.test.images, small.test.labels)
    weights = [weight * 1e30 for weight in model.get_weights()]
    with pytest.raises(ValueError, match="too large"):
        neurons.bench(explain.layers(config, weights), small.test.images, small.test.labels)


def test_a_wide_network_has_its_units(small):
    config = replace(TrainConfig(), layers=(Dense(300, "relu"),))
    network = explain.layers(config, models.build(config, 1).get_weights())
    bench = neurons.bench(network, small.test.images, small.test.labels)
    assert bench.units == 300 and len(bench.order("Missed most")) == 300
