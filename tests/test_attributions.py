"""What networks answer and what speaks for it, against themselves by NumPy alone, in float64."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from mnist_core import inference, models, recording, runs, training
from mnist_core.config import TrainConfig
from mnist_core.layers import Conv, Dense, MaxPool, conv_stack, dense_stack

DENSE = TrainConfig(layers=dense_stack((24,), "relu", 0.25), epochs=1, batch_size=40)
CONV = TrainConfig(
    layers=conv_stack((4, 6), "relu", 0.2), epochs=2, batch_size=40, learning_rate=0.01
)
LINEAR = TrainConfig(layers=(), epochs=1)
ACTIVATIONS = {"relu": lambda x: np.maximum(x, 0), "linear": lambda x: x}
MAPS = (inference.saliency, inference.occlusion, inference.integrated_gradients)
BLACK = np.zeros((28, 28), np.uint8)


def trained(root, small, config):
    """Train a run in this process; return its path."""
    run = runs.create(config, small.describe(), root)
    run = training.train(runs.claim(root, run.id), small)
    assert run.state == "completed"
    return run.path


@pytest.fixture(scope="module")
def dense(small, tmp_path_factory):
    return trained(tmp_path_factory.mktemp("dense"), small, DENSE)


@pytest.fixture(scope="module")
def conv(small, tmp_path_factory):
    return trained(tmp_path_factory.mktemp("conv"), small, CONV)


@pytest.fixture(scope="module")
def linear(small, tmp_path_factory):
    """A network without hidden layers with random weights and biases, never trained."""
    run = runs.create(LINEAR, small.describe(), tmp_path_factory.mktemp("linear"))
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(784, 10)), rng.normal(size=10)
    arrays = {f"weights/{i}": array.astype(np.float32) for i, array in enumerate(weights)}
    recording.record_weights(run, 1, arrays)
    return run.path


@pytest.fixture(params=["dense", "conv"])
def path(request):
    return request.getfixturevalue(request.param)


def last(path):
    return runs.read(path.name, path.parent).config.epochs


def convolved(x, kernel, stride):
    """Convolve (N, H, W, C) with a kernel (k, k, C, F), padded as TensorFlow's "same" pads."""
    size, side = len(kernel), -(-x.shape[1] // stride)
    extra = max((side - 1) * stride + size - x.shape[1], 0)
    pad = (extra // 2, extra - extra // 2)
    x = np.pad(x, ((0, 0), pad, pad, (0, 0)))
    reach = (side - 1) * stride + 1
    return sum(
        x[:, row : row + reach : stride, column : column + reach : stride] @ kernel[row, column]
        for row, column in np.ndindex(size, size)
    )


def numpy_logits(path, pixels):
    """Return the logits of images (N, 28, 28) of 0–1 by a run's last weights, in float64."""
    config = runs.read(path.name, path.parent).config
    with np.load(path / "weights" / f"{config.epochs:03d}.npz") as file:
        names = [name for name in file if name.startswith("weights/")]
        weights = iter([np.float64(file[f"weights/{i}"]) for i in range(len(names))])
    x = np.asarray(pixels, np.float64)[..., None]
    for layer in (*config.layers, Dense(10, "linear")):
        match layer:
            case Dense():
                x = x.reshape(len(x), -1) @ next(weights) + next(weights)
            case Conv():
                x = convolved(x, next(weights), layer.stride)
                scale, shift, mean, variance = (next(weights) for _ in range(4))
                x = (x - mean) / np.sqrt(variance + 1e-3) * scale + shift
            case _:
                continue  # dropout does nothing here
        x = ACTIVATIONS[layer.activation](x)
    assert next(weights, None) is None
    return x


def odds(path, pixels, answer, other):
    logits = numpy_logits(path, pixels)
    return logits[:, answer] - logits[:, other]


def sampled(image, seed=0):
    """Return 24 pixels: the corners, and others, most of them with ink."""
    rng = np.random.default_rng(seed)
    inked = rng.permutation(np.argwhere(image > 0))[:14]
    return [(0, 0), (0, 27), (27, 0), (27, 27), *map(tuple, inked),
            *map(tuple, rng.integers(0, 28, (6, 2)))]  # fmt: skip


def test_the_oracle_computes_the_logits_that_were_recorded(path, small):
    """Float64 by NumPy, and what the trainer wrote by Keras: the same network."""
    recorded = runs.read(path.name, path.parent).logits(last(path))
    np.testing.assert_allclose(numpy_logits(path, small.test.images / 255), recorded, atol=1e-4)
    again = inference.logits(path, last(path), small.test.images)
    np.testing.assert_allclose(again, recorded, atol=1e-4)


@pytest.mark.parametrize("count", [1, 2, 8, 101])
def test_pixels_are_read_as_the_image_they_are_of(path, small, count):
    images = small.test.images[:count]
    pixels = images.astype(np.float32) / 255
    found = inference.logits_of_pixels(path, last(path), pixels)
    assert (found.dtype, found.shape) == (np.float32, (count, 10))
    np.testing.assert_allclose(found, inference.logits(path, last(path), images), atol=1e-4)
    np.testing.assert_allclose(found, numpy_logits(path, pixels), atol=1e-4)


def test_pixels_that_nobody_scaled_are_taken_as_they_are(path, small):
    pixels = small.test.images[:3].astype(np.float32)
    found = inference.logits_of_pixels(path, last(path), pixels)
    np.testing.assert_allclose(found, numpy_logits(path, pixels), rtol=1e-4, atol=1e-2)
    assert abs(found).max() > 10 * abs(numpy_logits(path, pixels / 255)).max()


def test_over_the_moments_a_picture_has_each_moments_logits(conv, small):
    """Also out of order and twice, and without changing what is asked afterwards."""
    image = small.test.images[7]
    alone = {moment: inference.logits(conv, moment, image[None])[0] for moment in (0, 1, 2)}
    assert abs(alone[1] - alone[2]).max() > 1e-2
    moments = [2.0, 0.0, 1.0, 1.0]
    found = inference.logits_over(conv, moments, np.float32(image) / 255)
    assert (found.dtype, found.shape) == (np.float32, (4, 10))
    np.testing.assert_allclose(found, [alone[moment] for moment in moments], atol=1e-4)
    np.testing.assert_array_equal(inference.logits(conv, 2, image[None])[0], alone[2])
    assert inference.logits_over(conv, [], np.float32(image)).shape == (0, 10)


@pytest.mark.parametrize(("index", "answer", "other"), [(0, 3, 8), (50, 0, 9), (100, 7, 1)])
def test_saliency_is_the_slope_of_central_differences(path, small, index, answer, other):
    image = small.test.images[index]
    found = inference.saliency(path, last(path), image, answer, other)
    places, step = sampled(image, index), 1e-6
    moved = np.repeat((image / 255)[None], 2 * len(places), axis=0)
    for i, place in enumerate(places):
        moved[2 * i][place] += step
        moved[2 * i + 1][place] -= step
    change = odds(path, moved, answer, other).reshape(-1, 2)
    slopes = (change[:, 0] - change[:, 1]) / (2 * step)
    assert abs(slopes).max() > 0.01
    np.testing.assert_allclose([found[place] for place in places], slopes, atol=1e-4)


@pytest.mark.parametrize("index", [0, 100])
def test_occlusion_is_what_blanking_by_hand_takes_away(path, small, index):
    image = small.test.images[index]
    found = inference.occlusion(path, last(path), image, 3, 8)
    before = odds(path, image[None] / 255, 3, 8)[0]
    lost = []
    for row, column in (places := sampled(image, index)):
        blanked = image.copy()
        for i in range(28):
            for j in range(28):
                if abs(i - row) <= 2 and abs(j - column) <= 2:
                    blanked[i, j] = 0
        lost.append(before - odds(path, blanked[None] / 255, 3, 8)[0])
    assert np.abs(lost).max() > 0.01
    np.testing.assert_allclose([found[place] for place in places], lost, atol=1e-4)


@pytest.mark.parametrize(("index", "answer", "other"), [(0, 3, 8), (50, 0, 9)])
def test_integrated_gradients_are_ink_times_the_mean_slope_on_the_way(
    path, small, index, answer, other
):
    """The slopes by central differences in NumPy, at 50 pictures between black and the image."""
    image = small.test.images[index]
    found = inference.integrated_gradients(path, last(path), image, answer, other)
    pixels, step = image / 255, 1e-6
    for place in sampled(image, index)[4:10]:  # with ink
        slopes = []
        for number in range(50):
            moved = np.repeat(pixels[None] * (number + 0.5) / 50, 2, axis=0)
            moved[:, *place] += step, -step
            change = odds(path, moved, answer, other)
            slopes.append((change[0] - change[1]) / (2 * step))
        assert found[place] == pytest.approx(pixels[place] * np.mean(slopes), abs=1e-4)


@pytest.mark.parametrize("index", [0, 20, 100])
def test_integrated_gradients_sum_to_what_the_image_has_more_than_black(path, small, index):
    image = small.test.images[index]
    for answer, other in ((3, 8), (0, 7)):
        found = inference.integrated_gradients(path, last(path), image, answer, other)
        ink, black = odds(path, np.stack([image, BLACK]) / 255, answer, other)
        assert found.sum() == pytest.approx(ink - black, rel=0.01, abs=0.01)
        assert (found[image == 0] == 0).all()


def test_occlusion_at_the_edge_reaches_two_pixels_inwards(linear):
    """Only one pixel has ink: just the squares around it that hold it take its share away."""
    for row, column in ((2, 2), (25, 2), (14, 27), (0, 0)):
        image = BLACK.copy()
        image[row, column] = 255
        expected = np.zeros((28, 28), bool)
        expected[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3] = True
        assert ((inference.occlusion(linear, 1, image, 2, 5) != 0) == expected).all()


def test_of_a_linear_network_the_maps_are_its_weights(linear, small):
    with np.load(linear / "weights" / "001.npz") as file:
        slopes = (file["weights/0"][:, 2] - file["weights/0"][:, 5]).reshape(28, 28)
    image = small.test.images[3]
    np.testing.assert_allclose(inference.saliency(linear, 1, image, 2, 5), slopes, atol=1e-6)
    shares = slopes * (image / 255)
    found = inference.integrated_gradients(linear, 1, image, 2, 5)
    np.testing.assert_allclose(found, shares, atol=1e-5)
    summed = np.pad(shares, 2)
    windows = np.lib.stride_tricks.sliding_window_view(summed, (5, 5)).sum((2, 3))
    np.testing.assert_allclose(inference.occlusion(linear, 1, image, 2, 5), windows, atol=1e-4)


@pytest.mark.parametrize("attribution", MAPS)
def test_the_maps_are_float32_and_turn_their_sign_with_the_question(path, small, attribution):
    image = small.test.images[5]
    before = image.copy()
    found = attribution(path, last(path), image, 4, 9)
    assert (found.dtype, found.shape) == (np.float32, (28, 28))
    assert abs(found).max() > 1e-3
    np.testing.assert_allclose(attribution(path, last(path), image, 9, 4), -found, atol=1e-5)
    assert (attribution(path, last(path), image, 4, 4) == 0).all()
    assert (image == before).all()


def test_a_black_image_has_nothing_to_blank_but_slopes_everywhere(path, linear):
    assert (inference.occlusion(path, last(path), BLACK, 4, 9) == 0).all()
    assert (inference.integrated_gradients(path, last(path), BLACK, 4, 9) == 0).all()
    assert (inference.saliency(linear, 1, BLACK, 4, 9) != 0).all()


def test_batch_norm_answers_with_its_moving_averages(conv, small):
    """Alone and among others an image has the same logits: no statistics of the batch."""
    alone = inference.logits(conv, last(conv), small.test.images[:1])
    among = inference.logits(conv, last(conv), small.test.images)[:1]
    np.testing.assert_allclose(alone, among, atol=1e-5)


def test_pooling_has_slopes_too(root, small):
    """Along a small step up its own slope the odds rise by the slope's square, times the step."""
    config = TrainConfig(layers=(Conv(3, 3, 1, "gelu"), MaxPool(2), Dense(8, "tanh")), epochs=1)
    run = runs.create(config, small.describe(), root)
    model = models.build(config)
    recording.record_weights(
        run, 1, {f"weights/{i}": weights for i, weights in enumerate(model.get_weights())}
    )
    image = np.random.default_rng(0).integers(50, 200, (28, 28)).astype(np.uint8)  # no ties
    slope = inference.saliency(run.path, 1, image, 1, 2)
    step = np.round(slope / abs(slope).max() * 3)
    moved = np.stack([image + step, image - step]).astype(np.uint8)
    logits = inference.logits(run.path, 1, moved).astype(np.float64)
    change = np.subtract(*(logits[:, 1] - logits[:, 2]))
    assert change == pytest.approx((slope * 2 * step / 255).sum(), rel=0.02)


# Nothing to ask


@pytest.fixture
def copied(dense, tmp_path):
    """A copy of the dense run that can be spoiled."""
    return shutil.copytree(dense, tmp_path / dense.name)


@pytest.mark.parametrize("attribution", MAPS)
def test_without_weights_nothing_can_be_asked(copied, small, attribution):
    image = small.test.images[0]
    attribution(copied, 1, image, 1, 2)  # the network is cached by now
    (copied / "weights" / "001.npz").unlink()
    with pytest.raises(runs.RunsError, match=r"^No readable weights of epoch 1 in "):
        attribution(copied, 1, image, 1, 2)
    with pytest.raises(runs.RunsError, match=r"^No readable weights of epoch 2.4 in "):
        attribution(copied, 2.4, image, 1, 2)
    shutil.rmtree(copied)
    with pytest.raises(runs.RunsError, match=r"^No readable weights of epoch 0 in "):
        attribution(copied, 0, image, 1, 2)


def test_over_moments_of_which_one_has_no_weights_nothing_is_said(copied, small):
    with pytest.raises(runs.RunsError, match=r"^No readable weights of epoch 0.5 in "):
        inference.logits_over(copied, [1.0, 0.5], np.float32(BLACK))


def test_after_weights_that_do_not_fit_the_network_has_its_own_again(copied, small):
    """The first array of epoch 0 fits, the second does not: it is not left half changed."""
    before = inference.logits(copied, 1, small.test.images[:1])
    with np.load(copied / "weights" / "000.npz") as arrays:
        weights = dict(arrays)
    weights["weights/1"] = np.zeros(3, np.float32)
    recording.write_arrays(copied / "weights" / "000.npz", np.savez, **weights)
    with pytest.raises(runs.RunsError, match=r"^No readable weights of epoch 0 in "):
        inference.logits(copied, 0, small.test.images[:1])
    np.testing.assert_array_equal(inference.logits(copied, 1, small.test.images[:1]), before)


@pytest.mark.parametrize("kind", ["empty", "truncated", "text", "too few", "other shapes"])
def test_damaged_weights_are_an_error(copied, small, kind):
    file = copied / "weights" / "001.npz"
    whole = file.read_bytes()
    with np.load(file) as arrays:
        weights = dict(arrays)
    if kind == "too few":
        recording.write_arrays(file, np.savez, **{"weights/0": weights["weights/0"]})
    elif kind == "other shapes":
        weights["weights/0"] = weights["weights/0"].T
        recording.write_arrays(file, np.savez, **weights)
    else:
        damaged = {"empty": b"", "truncated": whole[: len(whole) // 2], "text": b"weights"}
        file.write_bytes(damaged[kind])
    with pytest.raises(runs.RunsError, match=r"^No readable weights of epoch 1 in "):
        inference.saliency(copied, 1, small.test.images[0], 1, 2)


def test_weights_that_are_written_anew_are_read_anew(copied, small):
    image = small.test.images[0]
    before = inference.saliency(copied, 1, image, 1, 2)
    file = copied / "weights" / "001.npz"
    with np.load(file) as arrays:
        changed = dict(arrays)
    last_weights = [name for name in changed if name.startswith("weights/")][-2]
    changed[last_weights] = 2 * changed[last_weights]
    recording.write_arrays(file, np.savez, **changed)
    np.testing.assert_allclose(
        inference.saliency(copied, 1, image, 1, 2), 2 * before, rtol=1e-3, atol=1e-5
    )


def test_a_run_whose_configuration_is_broken_is_an_error(copied, small):
    (copied / "config.json").write_text("{}")
    with pytest.raises(runs.RunsError, match="configuration"):
        inference.saliency(copied, 1, small.test.images[0], 1, 2)


def test_each_moment_has_its_own_maps(conv, small):
    image = small.test.images[0]
    first, second = (inference.saliency(conv, moment, image, 1, 2) for moment in (1, 2))
    assert abs(first - second).max() > 1e-3
    assert replace(CONV, epochs=2) == CONV  # two epochs, so both moments are trained
