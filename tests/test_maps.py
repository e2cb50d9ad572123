"""Maps of the built-in digits, against scikit-learn."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

from mnist_core import maps
from mnist_core.selection import Subset


def principal(images):
    """Return scikit-learn's positions and explained share, each direction's largest entry > 0."""
    flat = images.reshape(len(images), -1) / 255
    model = PCA(2, svd_solver="full").fit(flat)
    signs = [np.sign(direction[abs(direction).argmax()]) for direction in model.components_]
    return model.transform(flat) * signs, model.explained_variance_ratio_.sum()


@pytest.mark.parametrize("number", [400, 30])
def test_pca_is_scikit_learns(small, number):
    images = small.train.images[:number]
    positions, share = maps.pca(images)
    expected, explained = principal(images)
    assert (positions.shape, positions.dtype) == ((number, 2), np.float64)
    np.testing.assert_allclose(positions, expected, atol=2e-3)
    assert share == pytest.approx(explained, abs=1e-5)
    assert isinstance(share, float)


def test_pca_of_images_that_differ_in_two_pixels_explains_everything():
    images = np.zeros((40, 28, 28), np.uint8)
    rng = np.random.default_rng(0)
    images[:, 3, 4], images[:, 20, 9] = rng.integers(0, 256, 40), rng.integers(0, 128, 40)
    positions, share = maps.pca(images)
    assert share == pytest.approx(1, abs=1e-5)
    given = np.stack([images[:, 3, 4], images[:, 20, 9]], 1) / 255
    given -= given.mean(0)
    np.testing.assert_allclose(positions @ positions.T, given @ given.T, atol=1e-4)


@pytest.mark.parametrize("grey", [0, 77, 255])
def test_images_that_are_all_equal_lie_on_one_spot(grey):
    positions, share = maps.pca(np.full((50, 28, 28), grey, np.uint8))
    np.testing.assert_allclose(positions, np.zeros((50, 2)), atol=1e-3)
    assert 0 <= share <= 1


def test_pca_leaves_the_images_as_they_are(small):
    before = small.train.images.copy()
    maps.pca(small.train.images)
    assert (small.train.images == before).all()


# The sample


@pytest.mark.parametrize(
    ("split", "first", "last"), [("training", 0, 399), ("test", 400, 500), ("both", 0, 500)]
)
def test_a_sample_is_stratified_and_from_its_split(small, split, first, last):
    found = maps.sample(small, split, 60)
    assert isinstance(found, Subset) and found.dataset is small
    assert len(found) == len(set(found.ids)) == 60
    assert found.ids.min() >= first and found.ids.max() <= last
    assert (np.diff(found.ids) > 0).all()
    labels = {
        "training": small.train.labels, "test": small.test.labels,
        "both": np.concatenate([small.train.labels, small.test.labels]),
    }[split]  # fmt: skip
    shares = np.bincount(labels, minlength=10) / len(labels) * 60
    assert (abs(np.bincount(found.labels, minlength=10) - shares) < 1).all()


def test_a_sample_of_both_splits_holds_images_of_both(small):
    of_test = maps.sample(small, "both", 60).of_test
    assert of_test.any() and not of_test.all()


def test_a_sample_is_always_the_same(small):
    one, other = (maps.sample(small, "both", 60) for _ in range(2))
    assert one.ids.tolist() == other.ids.tolist()
    assert one.ids.tolist() != [*range(60)]


@pytest.mark.parametrize(("split", "ids"), [("training", range(400)), ("test", range(400, 501))])
def test_a_split_smaller_than_the_sample_is_shown_as_a_whole(small, split, ids):
    assert maps.sample(small, split).ids.tolist() == [*ids]


# t-SNE


@pytest.fixture(scope="module")
def embedded(small):
    heard = []
    return maps.tsne(small.train.images[:150], heard.append), heard


def test_tsne_keeps_neighbours_together(small, embedded):
    positions, _ = embedded
    assert (positions.shape, positions.dtype) == ((150, 2), np.float32)
    assert np.isfinite(positions).all()
    flat = small.train.images[:150].reshape(150, -1) / 255
    shuffled = positions[np.random.default_rng(0).permutation(150)]
    assert trustworthiness(flat, positions) > 0.9
    assert trustworthiness(flat, shuffled) < 0.6


def test_the_progress_of_tsne_increases_and_reaches_1(embedded):
    _, heard = embedded
    assert heard == sorted(heard)
    assert len(set(heard)) >= 10
    assert 0 < heard[0] < 0.2
    assert heard[-1] == 1


@pytest.mark.parametrize("number", [10, 11, 13])
def test_tsne_of_few_images_also_ends(small, number, capsys):
    heard = []
    positions = maps.tsne(small.train.images[:number], heard.append)
    assert (positions.shape, positions.dtype) == ((number, 2), np.float32)
    assert np.isfinite(positions).all()
    assert capsys.readouterr().out == ""
    assert heard == sorted(heard)


def test_the_progress_also_reaches_1_where_scikit_learn_stops_early(small):
    heard = []
    maps.tsne(small.train.images[:11], heard.append)
    assert heard[-1] == 1
