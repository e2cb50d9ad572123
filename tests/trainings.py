"""What tests of trainings share: train a run, read its recording, and have Keras do the same."""

import json

import keras
import numpy as np

from mnist_core import augmentation, driving, models, runs, training
from mnist_core.training_set import choose, epoch_order, wrong_labels


def record(root, dataset, config, level=None, **asked):
    """Return a run that was trained until it ended; `level` is what viewers want from the start."""
    run = runs.create(config, dataset.describe(), root, **level or {})
    return go_on(run, dataset, **asked)


def go_on(run, dataset, **asked):
    """Train a queued run until it ends."""
    return training.train(runs.claim(run.path.parent, run.id), dataset, **asked)


def resume(run, dataset, epochs=0, until=None, **asked):
    driving.resume(run, epochs, until)
    return go_on(run, dataset, **asked)


def snapshot(run, moment):
    with np.load(run.path / "weights" / f"{runs.moment_name(moment)}.npz") as arrays:
        return dict(arrays)


def assert_same_recording(one, other):
    assert one.history() == other.history()
    assert one.moments == other.moments
    for moment in one.moments:
        assert (one.logits(moment) == other.logits(moment)).all()
        left, right = snapshot(one, moment), snapshot(other, moment)
        assert left.keys() == right.keys()
        assert all((left[name] == right[name]).all() for name in left), moment


def lines(run, kind=None):
    """Return the reports of a run as they were written, perhaps only those of a kind."""
    found = map(json.loads, (run.path / "metrics.jsonl").read_text().splitlines())
    return [line for line in found if kind in (None, line["kind"])]


def stopper(after):
    """Return gone() that gives a reason from its `after`-th question on."""
    calls = iter(range(10**6))
    return lambda: "the test said so" if next(calls) >= after else None


def saved_model(run):
    """Return the trained network as anybody reads it, ready to evaluate by the config's loss."""
    model = keras.models.load_model(run.path / "model.keras")
    model.compile(loss=run.config.loss, metrics=["accuracy"], jit_compile=False)
    return model


def targets(config, labels):
    return labels if config.loss.startswith("sparse") else np.eye(10, dtype=np.float32)[labels]


def material(config, dataset):
    """Return the chosen and the held-out images' indices, the labels given, and the wrong ones'."""
    labels = dataset.train.labels
    chosen, held_out = choose(labels, config.training_size, config.validation_share, config.seed)
    return chosen, held_out, *wrong_labels(labels, chosen, config.label_noise, config.seed)


def epochs_of_images(config, dataset):
    """Yield images and targets of each epoch in the order they are trained on."""
    chosen, _, given, _ = material(config, dataset)
    for epoch in range(config.epochs):
        order = chosen[epoch_order(config.seed, len(chosen), epoch)]
        images = dataset.train.images[order]
        if config.shift or config.rotate or config.zoom:
            limits = config.shift, config.rotate, config.zoom
            movements = augmentation.draw(config.seed, epoch, len(order), *limits)
            images = augmentation.move(images, movements)
        yield images, targets(config, given[order])


def keras_fit(config, dataset):
    """Return the model and its loss of every epoch, trained by Keras's fit() without shuffling."""
    chosen, *_ = material(config, dataset)
    model = models.build(config, -(-len(chosen) // config.batch_size))
    losses = []
    for epoch, (images, labels) in enumerate(epochs_of_images(config, dataset)):
        models.seed_epoch(model, config.seed, epoch)
        history = model.fit(images, labels, batch_size=config.batch_size, shuffle=False, verbose=0)
        losses.append(history.history["loss"][0])
    return model, losses
