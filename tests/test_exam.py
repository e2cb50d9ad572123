"""What is asked after every epoch: figures against scikit-learn and Keras, parts by index."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from sklearn import metrics

from mnist_core.config import TrainConfig
from mnist_core.data import Dataset, Split
from mnist_core.exam import SAMPLE_SIZE, SPOILED_SIZE, Exam, loss_and_accuracy
from mnist_core.training_set import choose, wrong_labels

NOISY = TrainConfig(validation_share=0.1, label_noise=0.25)


def examine(config, dataset):
    """Return the exam of a config, with the four index arrays and labels it is made of."""
    labels = dataset.train.labels
    chosen, held_out = choose(labels, config.training_size, config.validation_share, config.seed)
    given, spoiled = wrong_labels(labels, chosen, config.label_noise, config.seed)
    return Exam(config, dataset, chosen, held_out, given, spoiled), chosen, held_out, given, spoiled


def answers(images, seed=0):
    """Return logits of images that depend on each image alone."""
    kernel = np.random.default_rng(seed).normal(0, 0.3, (784, 10))
    return (images.reshape(-1, 784) / 255 @ kernel).astype(np.float32)


@pytest.fixture(scope="module")
def large():
    """20,000 images of noise with random labels: more than the samples take."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20_000, 28, 28)).astype(np.uint8)
    train = Split(images, rng.integers(0, 10, 20_000).astype(np.uint8))
    return Dataset("large", "memory", "l", train, Split(images[:300], train.labels[:300]))


def test_cross_entropy_is_scikit_learns():
    rng = np.random.default_rng(1)
    labels, logits = rng.integers(0, 10, 300), rng.normal(0, 4, (300, 10)).astype(np.float32)
    probabilities = np.exp(logits.astype(float))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    for name in ("categorical_crossentropy", "sparse_categorical_crossentropy"):
        loss, accuracy = loss_and_accuracy(logits, labels, name)
        assert loss == pytest.approx(metrics.log_loss(labels, probabilities), rel=1e-9)
        assert accuracy == metrics.accuracy_score(labels, logits.argmax(1))


def test_mean_squared_error_is_keras_s():
    rng = np.random.default_rng(1)
    labels, logits = rng.integers(0, 10, 300), rng.normal(0, 4, (300, 10)).astype(np.float32)
    loss, accuracy = loss_and_accuracy(logits, labels, "mean_squared_error")
    oracle = keras.losses.MeanSquaredError()(np.eye(10)[labels], keras.ops.softmax(logits))
    assert loss == pytest.approx(float(oracle), rel=1e-5)
    assert accuracy == (logits.argmax(1) == labels).mean()
    # All ten certain of one wrong digit: two of ten probabilities are off by one.
    assert loss_and_accuracy(np.eye(10)[[3]] * 1e3, np.array([4]), "mean_squared_error")[0] == 0.2


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "mean_squared_error"])
def test_no_images_have_no_figures(loss):
    assert np.isnan(loss_and_accuracy(np.zeros((0, 10)), np.zeros(0, int), loss)).all()


def test_the_images_are_test_validation_sample_and_spoiled(small):
    exam, chosen, held_out, given, spoiled = examine(NOISY, small)
    test, validation, sample, wrong = np.split(exam.images, exam.cuts)
    assert (test == small.test.images).all()
    assert (validation == small.train.images[held_out]).all()
    assert (wrong == small.train.images[spoiled]).all()
    # 360 are fewer than the sample takes: all are in it, once, with the labels they train with.
    assert len(sample) == len(chosen) == 360
    train = small.train.images
    place = {image.tobytes(): number for number, image in enumerate(train)}
    assert len(place) == len(train)
    index = [place[image.tobytes()] for image in sample]
    assert sorted(index) == list(chosen)
    assert [list(labels) for labels in exam.labels] == [
        list(small.test.labels), list(small.train.labels[held_out]), list(given[index]),
        list(given[spoiled]),
    ]  # fmt: skip
    assert (exam.true_of_spoiled == small.train.labels[spoiled]).all()
    assert (exam.test(answers(exam.images)) == answers(small.test.images)).all()


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "mean_squared_error"])
def test_figures_are_those_of_each_part(small, loss):
    exam, chosen, held_out, given, spoiled = examine(replace(NOISY, loss=loss), small)
    figures = exam.figures(answers(exam.images))
    train = small.train
    val = loss_and_accuracy(answers(train.images[held_out]), train.labels[held_out], loss)
    own = loss_and_accuracy(answers(train.images[chosen]), given[chosen], loss)
    read = answers(train.images[spoiled]).argmax(1)
    assert figures == pytest.approx({
        "val_loss": val[0], "val_accuracy": val[1],
        "sample_loss": own[0], "sample_accuracy": own[1],
        "noise_learned": (read == given[spoiled]).mean(),
        "noise_resisted": (read == train.labels[spoiled]).mean(),
    })  # fmt: skip
    assert figures["noise_learned"] + figures["noise_resisted"] < 1


def test_a_network_that_knows_all_by_heart_and_one_that_resists(small):
    exam, *_ = examine(NOISY, small)
    by_heart = np.concatenate([np.eye(10)[labels] for labels in exam.labels]) * 9
    figures = exam.figures(by_heart.astype(np.float32))
    assert (figures["noise_learned"], figures["noise_resisted"]) == (1, 0)
    assert figures["sample_accuracy"] == figures["val_accuracy"] == 1
    by_heart[exam.cuts[-1] :] = np.eye(10)[exam.true_of_spoiled] * 9
    figures = exam.figures(by_heart.astype(np.float32))
    assert (figures["noise_learned"], figures["noise_resisted"]) == (0, 1)


def test_without_held_out_images_the_test_set_validates_and_without_noise_nothing_is_said(small):
    exam, *_ = examine(TrainConfig(), small)
    figures = exam.figures(answers(exam.images))
    loss, accuracy = loss_and_accuracy(answers(small.test.images), small.test.labels)
    assert (figures["val_loss"], figures["val_accuracy"]) == (loss, accuracy)
    assert figures.keys() == {"val_loss", "val_accuracy", "sample_loss", "sample_accuracy"}


def test_samples_are_bounded_and_spread_over_all(large):
    exam, chosen, held_out, _, spoiled = examine(replace(NOISY, label_noise=0.5), large)
    sizes = [len(labels) for labels in exam.labels]
    assert sizes == [300, 2_000, SAMPLE_SIZE, SPOILED_SIZE]
    assert len(exam.images) == sum(sizes)
    assert (len(chosen), len(held_out), len(spoiled)) == (18_000, 2_000, 9_000)
    wrong = np.split(exam.images, exam.cuts)[-1]
    place = {image[:2].tobytes(): number for number, image in enumerate(large.train.images)}
    index = np.array([place[image[:2].tobytes()] for image in wrong])
    assert set(index) <= set(spoiled) and (np.diff(index) > 0).all()
    assert index[-1] > 17_000  # not only the first of them
