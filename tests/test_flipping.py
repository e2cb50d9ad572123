"""The few pixels that flip an answer, against exact minima and against Keras asked anew."""

import numpy as np
import pytest
from test_attributions import CONV, DENSE, LINEAR, last, trained

from mnist_core import flipping, inference, models, recording, runs

BLACK = np.zeros((28, 28), np.uint8)


@pytest.fixture(scope="module")
def dense(small, tmp_path_factory):
    return trained(tmp_path_factory.mktemp("dense"), small, DENSE)


@pytest.fixture(scope="module")
def conv(small, tmp_path_factory):
    return trained(tmp_path_factory.mktemp("conv"), small, CONV)


@pytest.fixture(params=["dense", "conv"])
def path(request):
    return request.getfixturevalue(request.param)


def keras_logits(path, images):
    """Return the logits of uint8 images by Keras alone: the run's network built anew."""
    config = runs.read(path.name, path.parent).config
    model = models.build(config)
    with np.load(path / "weights" / f"{config.epochs:03d}.npz") as arrays:
        model.set_weights([arrays[f"weights/{i}"] for i in range(len(model.weights))])
    return np.asarray(models.logits_of(model)(images, training=False))


def changed(image, found, leaving=None):
    """Return the image after all changes but one."""
    picture = image.copy()
    for place, (pixel, value) in enumerate(zip(found["pixels"], found["values"], strict=True)):
        if place != leaving:
            picture[tuple(pixel)] = value
    return picture


def steps(image, found):
    """Return the images after 0 … n changes, one after the other."""
    pictures = [image.copy()]
    for pixel, value in zip(found["pixels"], found["values"], strict=True):
        pictures.append(pictures[-1].copy())
        pictures[-1][tuple(pixel)] = value
    return np.stack(pictures)


def linear(seed=0, scale=1.0):
    """Return a linear network as flip() is given one, and its weights (784, 10) and biases."""
    rng = np.random.default_rng(seed)
    weights, biases = rng.normal(size=(784, 10)) * scale, rng.normal(size=10)

    def logits(images):
        return (images.reshape(len(images), -1) / 255 @ weights + biases).astype(np.float32)

    def slopes(images, directions):
        return (directions @ weights.T).reshape(images.shape)

    return logits, slopes, weights, biases


def fewest(image, weights, biases, answer, target):
    """Return how few pixels lift `target` above `answer` in a linear network, and which image."""
    apart = weights[:, target] - weights[:, answer]
    pixels = image.ravel() / 255
    gains = np.maximum(apart * (1 - pixels), -apart * pixels)
    margin = pixels @ apart + biases[target] - biases[answer]
    order = np.argsort(-gains)
    count = int((margin + gains[order].cumsum() <= 0).sum()) + 1
    flipped = image.copy()
    flipped.flat[order[:count]] = np.where(apart > 0, 255, 0)[order[:count]]
    return count, flipped


# What is handed over


@pytest.mark.parametrize("target", [None, 1, 6])
@pytest.mark.parametrize("index", [0, 50, "black", "grey", "noise"])
def test_a_flip_holds_before_another_keras_and_needs_every_change(path, small, index, target):
    rng = np.random.default_rng(0)
    made = {
        "black": BLACK,
        "grey": BLACK + np.uint8(99),
        "noise": rng.integers(0, 256, (28, 28)).astype(np.uint8),
    }
    image = made[index] if index in made else small.test.images[index]
    before = image.copy()
    found = inference.flip(path, last(path), image, target)
    assert (image == before).all()
    pixels, values, count = found["pixels"], found["values"], len(found["values"])
    assert (pixels.dtype, pixels.shape) == (np.int64, (count, 2))
    assert (values.dtype, values.shape) == (np.uint8, (count,))
    assert (found["logits"].dtype, found["logits"].shape) == (np.float32, (count + 1, 10))
    assert len({tuple(pixel) for pixel in pixels}) == count <= flipping.MOST
    assert set(values) <= {0, 255}
    assert (image[tuple(pixels.T)] != values).all()  # each is a change

    pictures = steps(image, found)
    truth = keras_logits(path, pictures)
    np.testing.assert_allclose(found["logits"], truth, atol=1e-4)
    read = truth.argmax(axis=1)
    assert found["answer"] == read[0]

    def is_flipped(read):
        return read != found["answer"] if target is None else read == target

    assert is_flipped(read[-1]) and found["reached"]
    assert not is_flipped(read[:-1]).any()  # not sooner
    if count:
        without = np.stack([changed(image, found, leaving) for leaving in range(count)])
        assert not is_flipped(keras_logits(path, without).argmax(axis=1)).any()


def test_the_same_question_has_the_same_answer(path, small):
    image = small.test.images[7]
    first, second = (inference.flip(path, last(path), image) for _ in range(2))
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


def test_a_target_that_is_read_already_needs_no_change(path, small):
    image = small.test.images[3]
    answer = int(inference.logits(path, last(path), image[None])[0].argmax())
    found = inference.flip(path, last(path), image, answer)
    assert found["reached"] and found["answer"] == answer
    assert found["pixels"].shape == (0, 2) and found["logits"].shape == (1, 10)


# Of a linear network the minimum is known: pixels add up, so the largest gains are the fewest


def test_in_a_linear_network_any_other_digit_is_reached_by_the_exact_minimum():
    for seed in range(12):
        logits, slopes, weights, biases = linear(seed, scale=0.2)
        rng = np.random.default_rng(seed)
        image = (rng.integers(0, 256, (28, 28)) * (rng.random((28, 28)) < 0.3)).astype(np.uint8)
        found = flipping.flip(image, None, logits, slopes)
        answer = int(logits(image[None])[0].argmax())
        others = [digit for digit in range(10) if digit != answer]
        least = min(fewest(image, weights, biases, answer, digit)[0] for digit in others)
        assert found["reached"] and found["answer"] == answer
        assert len(found["values"]) == least


def test_in_a_linear_network_a_target_is_reached_by_the_minimum_unless_a_third_digit_is_ahead():
    exact = 0
    for seed in range(6):
        logits, slopes, weights, biases = linear(seed, scale=0.2)
        image = (np.random.default_rng(seed).random((28, 28)) < 0.2).astype(np.uint8) * 200
        answer = int(logits(image[None])[0].argmax())
        for target in set(range(10)) - {answer}:
            found = flipping.flip(image, target, logits, slopes)
            least, closed = fewest(image, weights, biases, answer, target)
            assert found["reached"] and logits(changed(image, found)[None]).argmax() == target
            assert least <= len(found["values"]) <= least + 6
            path = logits(steps(image, found))[:, [answer, target]]
            if logits(closed[None]).argmax() == target and len(found["values"]) == least:
                exact += 1
                assert path[-2, 0] >= path[-2, 1]  # one less is too few
    assert exact >= 20


def test_two_digits_that_differ_in_three_pixels_flip_by_the_better_two():
    """Logit 1 needs 1.5 more; the pixels give 1, 0.9 and 0.4, one of them by being taken away."""
    weights = np.zeros((784, 10))
    weights[[5, 30, 700], 1] = [1.0, -0.9, 0.4]
    image = BLACK.copy()
    image[divmod(30, 28)] = 255

    def logits(images):
        biases = np.array([0.6, 0.0, *[-9.0] * 8])
        return (images.reshape(len(images), -1) / 255 @ weights + biases).astype(np.float32)

    def slopes(images, directions):
        return (directions @ weights.T).reshape(images.shape)

    found = flipping.flip(image, 1, logits, slopes)
    assert found["pixels"].tolist() == [[0, 5], [1, 2]]
    assert found["values"].tolist() == [255, 0]
    np.testing.assert_allclose(found["logits"][:, 1], [-0.9, 0.1, 1.0], atol=1e-6)


# What no search reaches


def test_what_cannot_be_reached_is_said():
    """Digit 4 is beyond what all pixels can give; the nearest attempt is handed over."""
    logits, slopes, _, biases = linear(scale=0.001)
    biases[4] = -50
    image = np.full((28, 28), 128, np.uint8)
    found = flipping.flip(image, 4, logits, slopes)
    assert not found["reached"]
    assert len(found["values"]) == flipping.MOST
    assert (np.diff(found["logits"][:, 4] - found["logits"][:, found["answer"]]) > 0).all()


def test_a_network_that_is_blind_cannot_be_flipped():
    """All slopes are 0 and nothing changes its answer: the search still ends."""

    def logits(images):
        return np.repeat(np.eye(1, 10, 3, np.float32), len(images), axis=0)

    def slopes(images, directions):
        return np.zeros(images.shape, np.float32)

    found = flipping.flip(BLACK, None, logits, slopes)
    assert (found["answer"], found["reached"]) == (3, False)
    assert (found["values"] == 255).all()


def test_without_a_change_that_helps_there_is_none():
    """Every pixel with ink is full and only more of it would speak for another digit."""
    logits, slopes, weights, biases = linear(scale=0)
    weights[:, 2] = 0.01
    biases[2] = -99
    found = flipping.flip(np.full((28, 28), 255, np.uint8), 2, logits, slopes)
    assert not found["reached"] and found["pixels"].shape == (0, 2)
    assert found["logits"].shape == (1, 10)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_diverged_network_is_an_error(root, small, value):
    run = runs.create(LINEAR, small.describe(), root)
    weights = np.full((784, 10), value, np.float32), np.zeros(10, np.float32)
    recording.record_weights(run, 1, {f"weights/{i}": each for i, each in enumerate(weights)})
    with pytest.raises(runs.RunsError, match="diverged"):
        inference.flip(run.path, 1, small.test.images[0])


def test_without_weights_nothing_is_flipped(path, small):
    with pytest.raises(runs.RunsError, match=r"^No readable weights of epoch 7 in "):
        inference.flip(path, 7, small.test.images[0])


def test_a_search_that_took_a_detour_is_cut_to_what_is_needed():
    """Of three changes that gain 0.4, 1 and 0.9 where 1.5 is needed, the first is taken back."""

    def logits(images):
        ink = images.reshape(len(images), -1)[:, [700, 5, 30]] / 255
        return np.float32([[1.5, each, *[-9] * 8] for each in ink @ [0.4, 1.0, 0.9]])

    def lead(said):
        return said[:, 1] - said[:, 0]

    found = flipping._fewest(BLACK, [(700, 255), (30, 255), (5, 255)], logits, lead)
    assert found == [(5, 255), (30, 255)]
