"""The network as it is watched: histograms against NumPy, gradients against Keras's loss."""

import itertools
import json
from dataclasses import replace

import keras
import numpy as np
import pytest
from trainings import material, record, resume, snapshot, stopper, targets

from mnist_core import compiling, glimpses, models, runs, watching
from mnist_core.config import TrainConfig
from mnist_core.layers import Conv, Dense, Dropout
from mnist_core.watching import BINS, Live, histogram, layer_lines, layers_at

LINEAR = TrainConfig(layers=(), epochs=2, batch_size=40)
CONV = TrainConfig(
    layers=(Dropout(0.2), Conv(3, 5, 4, l2=0.01), Dense(8, "tanh", True)), epochs=2, batch_size=50,
    validation_share=0.1, label_noise=0.2, learning_rate=0.01,
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(small, tmp_path_factory):
    return record(tmp_path_factory.mktemp("runs"), small, CONV)


@pytest.fixture
def all_glimpses(monkeypatch):
    """A glimpse after every report, and a report after every other batch."""
    monkeypatch.setattr(glimpses, "SECONDS", 0.0)
    monkeypatch.setattr(glimpses, "SHARE", 1e9)
    monkeypatch.setattr(compiling, "CHUNK_IMAGES", 80)


# Histograms


def numpys(values):
    """Return the histogram of definition: bins of equal width, symmetric around zero."""
    high = np.abs(values).max()
    counts, edges = np.histogram(values.ravel(), bins=np.linspace(-high, high, BINS + 1))
    assert edges[0] == -high and edges[-1] == high
    return {"low": -high, "high": high, "counts": counts.tolist()}


@pytest.mark.parametrize("shape", [(1000,), (50, 4), (5, 5, 3, 8)])
def test_a_histogram_is_numpys(shape):
    values = np.random.default_rng(0).normal(0.3, 2, shape)
    found = histogram(values)
    assert found == numpys(values)
    assert sum(found["counts"]) == values.size
    assert len(found["counts"]) == BINS and BINS % 2 == 1


def test_zero_is_in_the_middle_of_a_histogram():
    assert histogram(np.array([0.0, 0.0, 1.0]))["counts"] == [*[0] * 20, 2, *[0] * 19, 1]


@pytest.mark.parametrize("values", [[], [0.0] * 7, [np.nan] * 3, [np.inf, -np.inf]])
def test_a_histogram_of_zeros_or_of_nothing_is_one_wide(values):
    found = histogram(np.array(values))
    assert (found["low"], found["high"]) == (-1, 1)
    assert sum(found["counts"]) == found["counts"][20] == values.count(0.0)


def test_what_is_no_number_is_left_out_and_the_rest_is_json():
    values = np.array([1.0, np.nan, -2.0, np.inf, 0.5], np.float32)
    assert histogram(values) == numpys(np.array([1.0, -2.0, 0.5]))
    json.dumps(histogram(values))


# After every epoch


def test_the_histograms_of_an_epoch_are_those_of_its_recorded_weights(trained, small):
    names = ["conv 5×5, 3 filters, stride 4, batch norm, relu, L2 0.01",
             "dense 8, batch norm, tanh", "output 10, softmax"]  # fmt: skip
    for epoch in (0, 1, 2):
        arrays = snapshot(trained, epoch)
        weights = [arrays[f"weights/{n}"] for n in range(12) if f"weights/{n}" in arrays]
        kernels = [array for array in weights if array.ndim > 1]
        layers = layers_at(trained, epoch)
        assert [layer["name"] for layer in layers] == names
        assert len(kernels) == 3
        for layer, kernel in zip(layers, kernels, strict=True):
            assert layer["weights"]["counts"] == numpys(kernel)["counts"]
            assert layer["weights"]["high"] == float(np.abs(kernel).max())
            assert sum(layer["gradients"]["counts"]) == kernel.size
    assert len((trained.path / "layers.jsonl").read_text().splitlines()) == 3


@pytest.fixture
def float64():
    """Keras in double precision: differences of its loss are exact enough to be an oracle."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def in_double_precision(run, moment):
    """Return Keras's network with the weights of a moment, in float64."""
    model, arrays = models.build(run.config), snapshot(run, moment)
    model.set_weights([arrays[f"weights/{number}"] for number in range(len(model.weights))])
    assert model.weights[0].dtype == "float64"
    model.compile(loss=run.config.loss, jit_compile=False)
    return model


def test_gradients_are_the_slopes_of_keras_s_loss(trained, small, float64):
    """Central differences of evaluate(), L2 included, on the images that glimpses look at."""
    exam_labels = material(CONV, small)[2]
    images = small.train.images[:64]
    labels = exam_labels[:64]
    model = in_double_precision(trained, 1)
    found = compiling.compile_gradients(model)(images, labels)
    kernels = compiling.kernels_of(model)
    assert [tuple(slope.shape) for slope in found] == [tuple(k.shape) for k in kernels]
    wanted, rng, small_step = targets(CONV, labels), np.random.default_rng(0), 1e-5

    def loss(kernel, values):
        kernel.assign(values)
        return model.evaluate(images, wanted, batch_size=64, verbose=0, return_dict=True)["loss"]

    for kernel, slope in zip(kernels, found, strict=True):
        start, slope = kernel.numpy(), slope.numpy()
        large = np.argsort(-np.abs(slope), axis=None)[: slope.size // 4]
        for place in rng.choice(large, 3, replace=False):
            step = np.zeros(start.size)
            step[place] = small_step
            step = step.reshape(start.shape)
            difference = (loss(kernel, start + step) - loss(kernel, start - step)) / 2e-5
            assert slope.ravel()[place] == pytest.approx(difference, rel=1e-4)
        kernel.assign(start)


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", "mean_squared_error"])
def test_gradients_of_a_network_of_one_layer_by_hand(small, loss):
    """Softmax's slope by the chain rule, in NumPy."""
    config = replace(LINEAR, loss=loss)
    network = compiling.compiled(config, 10)
    images, labels = small.train.images[:60], small.train.labels[:60]
    [slope] = network.gradients(images, labels)
    pixels = images.reshape(60, 784) / 255
    p = np.exp(network.forward(images).astype(float))
    p /= p.sum(axis=1, keepdims=True)
    off = p - np.eye(10)[labels]
    if loss == "mean_squared_error":
        off = 2 / 10 * p * (off - (off * p).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(slope.numpy(), pixels.T @ off / 60, atol=1e-6)


def test_gradients_are_looked_at_on_training_images(root, small, monkeypatch):
    """The first of the sample, with the labels they train with; and the network stays as it is."""
    seen = []
    config = replace(LINEAR, epochs=1, validation_share=0.1, label_noise=0.5)
    network = compiling.compiled(config, 9)
    honest = network.gradients
    network.__dict__["gradients"] = lambda *asked: seen.append(asked) or honest(*asked)
    try:
        record(root, small, config)
    finally:
        network.__dict__["gradients"] = honest
    chosen, _, given, _ = material(config, small)
    place = {small.train.images[index].tobytes(): index for index in chosen}
    for images, labels in seen:
        assert len(images) == glimpses.GRADIENT_IMAGES and labels.dtype == np.uint8
        index = [place[image.tobytes()] for image in images]
        assert (given[index] == labels).all()
    assert len(seen) >= 2


def test_a_later_line_of_an_epoch_counts_and_broken_ones_are_left_out(recorded):
    assert layers_at(recorded, 3) == []
    first, second, again = ([{"name": name}] for name in ("first", "second", "again"))
    watching.append_layers(recorded, 0, first)
    watching.append_layers(recorded, 1, second)
    with open(recorded.path / "layers.jsonl", "ab") as file:
        file.write(b'\n{"epoch": 1, "layers": [{"na')  # the disk was full
    watching.append_layers(recorded, 1, again)
    with open(recorded.path / "layers.jsonl", "ab") as file:
        file.write(b'\nnull\n{"epoch": "x", "layers": 5}\n[1]\n{"epoch": 1}\n\xff')
    for moment, expected in ((0, first), (0.9, first), (1, again), (7.5, again), (-1, [])):
        assert layers_at(recorded, moment) == expected


# While it trains


def test_a_glimpse_there_and_back(recorded):
    logits = np.arange(20, dtype=np.float32).reshape(2, 10)
    kernel = np.ones((5, 5, 1, 3), np.float32)
    layers = layer_lines(["one"], [kernel], [kernel * 2])
    watching.write_live(recorded, 2.4, logits, kernel, layers)
    live = watching.read_live(recorded)
    assert isinstance(live, Live) and live.epoch == 2.4
    assert (live.logits == logits).all() and (live.kernel == kernel).all()
    assert live.layers == [
        {"name": "one", "weights": histogram(kernel), "gradients": histogram(kernel * 2)}
    ]


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04", b"junk", "cut", "other", "pickle"])
def test_a_glimpse_that_cannot_be_read_is_none(recorded, content):
    path = recorded.path / "live.npz"
    if content == "cut":
        watching.write_live(recorded, 1.0, np.zeros((9, 10)), np.zeros((784, 3)), [])
        content = path.read_bytes()[:-30]
    elif content in ("other", "pickle"):
        layers = np.array([{}], object) if content == "pickle" else np.array("[")
        np.savez(path, epoch=1.0, logits=np.zeros(3), kernel=np.zeros(3), layers=layers)
        content = path.read_bytes()
    if content is not None:
        path.write_bytes(content)
    assert watching.read_live(recorded) is None


def test_a_running_run_is_seen_from_inside(root, small, all_glimpses):
    seen = {}

    def look(line):
        [run] = runs.list_runs(root)
        live = watching.read_live(run)
        assert run.state == "running"
        if live is not None:
            seen[live.epoch] = live

    run = record(root, small, LINEAR, report=look)
    assert run.state == "completed"
    # Steps 2, 4, … of ten, but not an epoch's last: then the recording itself is there.
    assert list(seen) == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.2, 1.4, 1.6, 1.8])
    kernels = [live.kernel for live in seen.values()]
    assert all((one != other).any() for one, other in itertools.pairwise(kernels))
    for live in seen.values():
        assert live.logits.shape == (101, 10) and live.kernel.shape == (784, 10)
        # Of a network of one layer, what remains without its sums is the bias, the same for all.
        bias = live.logits - small.test.images.reshape(-1, 784) / 255 @ live.kernel
        np.testing.assert_allclose(bias, np.broadcast_to(bias[0], bias.shape), atol=1e-5)
        [layer] = live.layers
        assert layer["name"] == "output 10, softmax"
        assert layer["weights"]["counts"] == numpys(live.kernel)["counts"]
        assert sum(layer["gradients"]["counts"]) == 7840
    assert watching.read_live(run) is None
    assert not list(run.path.glob("*live*"))


def test_looking_changes_nothing(root, small, all_glimpses, trained):
    """Glimpses read the network with dropout and batch normalization, and leave it as it is."""
    run = record(root, small, CONV)
    assert run.history() == trained.history()
    assert (run.logits(2) == trained.logits(2)).all()


@pytest.mark.parametrize("ended", ["interrupted", "paused"])
def test_a_glimpse_is_gone_when_a_run_ends_within_an_epoch(root, small, all_glimpses, ended):
    asked = {"gone": stopper(4)} if ended == "interrupted" else {"level": {"run_until": 7}}
    run = record(root, small, LINEAR, **asked)
    assert run.state == ended
    assert watching.read_live(run) is None


def test_a_glimpse_of_a_killed_training_does_not_outlive_its_resume(root, small):
    run = record(root, small, LINEAR, {"run_until": 4})
    stale = np.full((101, 10), 7, np.float32)
    watching.write_live(run, 1.7, stale, np.zeros((784, 10)), [])
    seen = []
    run = resume(run, small, report=lambda line: seen.append(watching.read_live(run)))
    assert run.state == "completed"
    assert seen and all(live is None or (live.logits != stale).any() for live in seen)


def test_glimpses_take_their_share_of_the_time_and_no_more(trained, small, monkeypatch):
    """With a clock of the test's own: writing takes a tenth of a second."""
    config = trained.config
    chosen, held_out, given, spoiled = material(config, small)
    exam = glimpses.Exam(config, small, chosen, held_out, given, spoiled)
    looker = glimpses.Glimpses(trained, compiling.compiled(config, 8), exam)
    now, written = [100.0], []
    monkeypatch.setattr(glimpses.time, "perf_counter", lambda: now[0])

    def write(run, epoch, *_):
        written.append(now[0])
        now[0] += took

    monkeypatch.setattr(watching, "write_live", write)
    for took, pause in ((0.1, 5.0), (0.001, glimpses.SECONDS)):
        looker.due, written[:] = 0.0, []
        for _ in range(3000):
            looker.write(0.5)
            now[0] += 0.01
        gaps = np.diff(written) - took
        assert len(gaps) > 3
        assert gaps.min() >= pause - 1e-6 and gaps.max() <= pause + 0.02
