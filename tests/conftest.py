"""Shared data: small and made on the spot; the full MNIST only where MNIST_PATH names it."""

import gc
import math
import os
from pathlib import Path

import numpy as np
import pytest

from mnist_core import data, recording, runs
from mnist_core.config import TrainConfig
from mnist_core.layers import Conv, Dense, dense_stack


def pytest_collection_finish():
    """Leave what is imported by now, Keras above all, out of the garbage collection.

    Streamlit collects after every run of a page, which would take seven times as long.
    """
    gc.freeze()


@pytest.fixture(scope="session")
def small():
    """400 training and 101 test images of the built-in digits: 101 leaves a partial batch."""
    full = data.built_in_digits()
    train = data.Split(full.train.images[:400].copy(), full.train.labels[:400].copy())
    test = data.Split(full.test.images[:101].copy(), full.test.labels[:101].copy())
    return data.Dataset("small", "memory", "fingerprint-of-small", train, test)


@pytest.fixture(scope="session")
def mnist():
    """The full MNIST; skips where it is not at hand."""
    path = os.environ.get("MNIST_PATH")
    if not path or not Path(path).exists():
        pytest.skip("needs the full MNIST: set MNIST_PATH")
    dataset = data.open_source(path)
    if not dataset.is_mnist:
        pytest.skip("MNIST_PATH does not name the real MNIST")
    return dataset


@pytest.fixture
def root(tmp_path, monkeypatch):
    """An empty runs folder, the app's default for this test."""
    folder = tmp_path / "runs"
    monkeypatch.setenv("MNIST_RUNS", str(folder))
    return folder


@pytest.fixture
def tiny_config():
    """A network of 16 hidden units that trains in a blink: 13 batches an epoch."""
    return TrainConfig(layers=dense_stack((16,), "relu", 0.0), epochs=3, name="tiny")


@pytest.fixture
def recorded(root, small, tiny_config):
    """A finished run as the screens find it, written without Keras: better from epoch to epoch."""
    return write_run(root, small, tiny_config)


def no_process(*args):
    """Stand for a process that cannot be started."""
    raise RuntimeError("A page test has no answering process, unless it brings its own.")


@pytest.fixture
def app_on_small_data(root, small, monkeypatch):
    """The app on the small dataset; what asks for a trainer gets none. Page tests use this mark:
    pytestmark = pytest.mark.usefixtures("app_on_small_data")
    """
    import streamlit as st
    from apptest import run_whole_app
    from streamlit.runtime.scriptrunner import script_runner

    from mnist_core import workers

    monkeypatch.setattr(script_runner, "_mpa_v1", run_whole_app)
    monkeypatch.setattr(data, "find", lambda *args: (small, ()))
    monkeypatch.setattr(workers, "ensure_trainer", lambda *args: None)
    monkeypatch.setattr(workers, "ask", no_process)
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


@pytest.fixture(scope="session")
def digits():
    return data.built_in_digits()


@pytest.fixture
def built_in(app_on_small_data, digits, monkeypatch):
    """The app on the built-in digits, as without internet."""

    def fetch(progress=None, deadline=0):
        raise data.DataRefused("Expected MNIST. Received: no connection. Check the connection.")

    monkeypatch.setattr(data, "find", lambda *args: (None, ()))
    monkeypatch.setattr(data, "built_in_digits", lambda: digits)
    monkeypatch.setattr(data, "fetch", fetch)


def random_weights(config, rng):
    """Return arrays of the shapes that Keras's network has, as models.build() orders them."""
    shape, arrays = ((28, 28, 1) if config.convolutional else (784,)), []
    for layer in (*config.layers, Dense(10, "linear")):
        if isinstance(layer, Dense | Conv):
            inputs = (math.prod(shape),)
            if isinstance(layer, Conv):
                inputs = (layer.kernel, layer.kernel, shape[-1])
            width = layer.units if isinstance(layer, Dense) else layer.filters
            arrays.append(rng.normal(size=(*inputs, width)) / math.sqrt(math.prod(inputs)))
            # Batch normalization has scales, shifts, means and variances, all of them positive.
            arrays += [rng.uniform(0.5, 1.5, width) for _ in range(4 if layer.batch_norm else 1)]
        shape = layer.output_shape(shape)
    return [array.astype(np.float32) for array in arrays]


def write_run(root, dataset, config, epochs=3, state="completed"):
    """Write a recording by hand; the share of right answers grows with the epoch."""
    run = runs.create(config, dataset.describe(), root)
    runs.claim(root, run.id)
    rng = np.random.default_rng(0)
    labels = dataset.test.labels
    steps = -(-len(dataset.train) // config.batch_size)
    for epoch in range(epochs + 1):
        logits = rng.normal(size=(len(labels), 10)).astype(np.float32)
        logits[np.arange(len(labels)), labels] += 1.2 * epoch
        accuracy = float((logits.argmax(1) == labels).mean())
        if epoch:
            for step in range(1, steps + 1):
                recording.append(run, {
                    "kind": "step", "step": (epoch - 1) * steps + step,
                    "epoch": epoch - 1 + step / steps, "loss": 1 / (epoch + step / steps),
                    "accuracy": 0.5 + epoch / 10, "seconds": epoch + step / steps,
                    "images_per_second": 1000, "learning_rate": 0.001,
                })  # fmt: skip
        recording.record_logits(run, epoch, logits)
        recording.append(run, {
            "kind": "epoch", "step": epoch * steps, "epoch": epoch, "loss": 1 / (epoch + 1),
            "accuracy": 0.5 + epoch / 10, "sample_loss": 0.9 / (epoch + 1),
            "sample_accuracy": 0.5 + epoch / 9, "val_loss": 1.1 / (epoch + 1),
            "val_accuracy": accuracy, "seconds": epoch + 1.0,
        })  # fmt: skip
        weights = random_weights(config, rng)
        # Adam's memory of each: for networks without batch normalization, where all are trained.
        memory = [np.abs(each) / 100 for each in weights for _ in range(2)]
        optimizer = [np.int64(epoch * steps), np.float32(config.learning_rate), *memory]
        groups = {"weights": weights, "optimizer": optimizer}
        recording.record_weights(run, epoch, {
            "step": np.int64(epoch * steps),
            **{f"{name}/{i}": each for name, group in groups.items()
               for i, each in enumerate(group)},
        })  # fmt: skip
    runs.beat(
        run,
        step=epochs * steps,
        steps_per_epoch=steps,
        seconds=epochs + 1.0,
        test_accuracy=accuracy,
    )
    runs.finish(run, state)
    return runs.read(run.id, root)
