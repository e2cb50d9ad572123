"""The recorded weights of the first layer against Keras's own."""

import numpy as np
import pytest

from mnist_core import recording, runs, training, weights
from mnist_core.config import TrainConfig
from mnist_core.layers import dense_stack
from mnist_core.presets import PRESETS


@pytest.fixture(scope="module")
def trained(small, tmp_path_factory):
    """Really trained runs: two dense networks, a linear one, a convolutional one."""
    root = tmp_path_factory.mktemp("runs")
    configs = {
        "dense": TrainConfig(layers=dense_stack((16,), "relu", 0.0), epochs=1),
        "linear": TrainConfig(layers=(), epochs=1),
        "cnn": TrainConfig(layers=PRESETS["small-cnn"].layers, epochs=1),
    }
    found = {}
    for name, config in configs.items():
        run = runs.create(config, small.describe(), root)
        found[name] = training.train(runs.claim(root, run.id), small)
    return found


@pytest.mark.parametrize(
    ("name", "shape"), [("dense", (16, 28, 28)), ("linear", (10, 28, 28)), ("cnn", (16, 5, 5))]
)
def test_they_are_those_of_the_saved_keras_model(name, shape, trained):
    import keras

    run = trained[name]
    assert run.state == "completed"
    shown = weights.first_layer(run, 1.0)
    assert shown.shape == shape and shown.dtype == np.float32
    model = keras.saving.load_model(run.path / "model.keras")
    kernel = next(layer for layer in model.layers if layer.weights).get_weights()[0]
    for unit in (0, 3, shape[0] - 1):
        expected = kernel[:, unit].reshape(28, 28) if kernel.ndim == 2 else kernel[:, :, 0, unit]
        assert (shown[unit] == expected).all()
    assert not np.allclose(weights.first_layer(run, 0.0), shown)


@pytest.mark.parametrize(
    "arrays",
    [{}, {"weights/0": np.zeros((3, 3))}, {"weights/0": np.full((784, 2), np.nan)},
     {"weights/0": np.zeros((3, 3, 2, 4))}],
)  # fmt: skip
def test_what_is_no_first_layer_is_refused(arrays, recorded):
    recording.record_weights(recorded, 3, arrays | {"step": np.int64(1)})
    with pytest.raises(runs.RunsError):
        weights.first_layer(recorded, 3.0)


def test_weights_that_were_not_recorded_are_refused(recorded):
    with pytest.raises(runs.RunsError, match=r"No readable weights of epoch 2\.4"):
        weights.first_layer(recorded, 2.4)


def test_images_stand_side_by_side():
    images = np.arange(5 * 4).reshape(5, 2, 2).astype(np.float32)
    table = weights.mosaic(images, columns=3)
    assert table.shape == (4, 6) and table.dtype == np.float32
    assert (table[:2, 2:4] == images[1]).all() and (table[2:, :2] == images[3]).all()
    assert not table[2:, 4:].any()
