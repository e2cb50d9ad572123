"""The images most like an image, against scikit-learn's search through all of them."""

import tracemalloc

import numpy as np
import pytest
from sklearn.metrics import pairwise_distances
from sklearn.neighbors import NearestNeighbors

from mnist_core import neighbours
from mnist_core.data import Dataset, Split
from mnist_core.neighbours import Neighbours


def noise(number, seed=0, low=0, high=256):
    return np.random.default_rng(seed).integers(low, high, (number, 28, 28)).astype(np.uint8)


def searched(images, query, k):
    """Return scikit-learn's indices and distances, of whole numbers: its sums are exact."""
    search = NearestNeighbors(n_neighbors=k, algorithm="brute", metric="euclidean")
    search.fit(images.reshape(len(images), -1).astype(np.float64))
    distances, indices = search.kneighbors(query.reshape(1, -1).astype(np.float64))
    return indices[0], distances[0] / 255


def assert_nearest(images, query, k):
    indices, distances = Neighbours(images).nearest(query, k)
    assert (indices.dtype, distances.dtype) == (np.int64, np.float64)
    squared = np.square(images.astype(int) - query.astype(int)).sum((1, 2))
    assert indices.tolist() == np.lexsort((np.arange(len(images)), squared))[:k].tolist()
    expected, far = searched(images, query, min(k + 1, len(images)))
    np.testing.assert_allclose(distances, far[:k], rtol=0, atol=1e-12)
    if k == len(images) or far[k - 1] < far[k]:  # otherwise another is as far as the last
        assert set(indices) == set(expected[:k])


@pytest.mark.parametrize("k", [1, 2, 10, 700])
@pytest.mark.parametrize("number", [700, 1001])
def test_the_nearest_of_random_images_are_scikit_learns(number, k):
    assert_nearest(noise(number), noise(1, seed=5)[0], k)


def test_images_that_differ_by_less_than_a_float32_can_tell_are_told_apart():
    """Sums of about 50 million, of which float32 keeps 24 bits, and distances of some hundred."""
    images = noise(1500, low=252)
    for query in noise(5, seed=1, low=252):
        assert_nearest(images, query, 5)


def test_the_nearest_digits_are_scikit_learns(small):
    for query in small.test.images[:20]:
        assert_nearest(small.train.images, query, 8)


def test_the_nearest_of_60_000_are_scikit_learns(mnist):
    search = NearestNeighbors(n_neighbors=12, algorithm="brute", metric="euclidean")
    search.fit(mnist.train.images.reshape(60_000, -1).astype(np.float64))
    chosen = [0, 8, 247, 4500, 9999]
    queries = mnist.test.images[chosen]
    distances, indices = search.kneighbors(queries.reshape(len(chosen), -1).astype(np.float64))
    ours = Neighbours(mnist.train.images)
    for query, expected, far in zip(queries, indices, distances / 255, strict=True):
        found, distance = ours.nearest(query, 12)
        assert set(found) == set(expected)
        np.testing.assert_allclose(distance, far, rtol=0, atol=1e-12)


def test_an_image_is_its_own_nearest_unless_it_is_left_out(small):
    images = small.train.images
    search = Neighbours(images)
    for i in (0, 17, 399):
        indices, distances = search.nearest(images[i], 5)
        assert (indices[0], distances[0]) == (i, 0)
        others, further = search.nearest(images[i], 4, without=i)
        assert others.tolist() == indices[1:].tolist()
        assert further.tolist() == distances[1:].tolist()
        assert further[0] > 0


def test_of_images_that_are_equally_far_the_first_by_index_comes_first():
    one, other = noise(2)
    images = np.stack([other, one, other, one, one, other])
    indices, distances = Neighbours(images).nearest(one, 5)
    assert indices.tolist() == [1, 3, 4, 0, 2]
    far = np.linalg.norm(one.astype(float) - other) / 255
    assert distances == pytest.approx([0, 0, 0, far, far], abs=1e-12)
    assert Neighbours(images).nearest(one, 2)[0].tolist() == [1, 3]
    assert Neighbours(images).nearest(one, 3, without=3)[0].tolist() == [1, 4, 0]


def test_copies_in_different_chunks_come_by_index():
    images = noise(1203)
    copies = [3, 499, 500, 501, 999, 1000, 1200, 1202]
    images[copies] = images[3]
    indices, distances = Neighbours(images).nearest(images[3], 9)
    assert indices[:8].tolist() == copies
    assert (distances[:8] == 0).all() and distances[8] > 1


def test_the_distance_is_that_of_pixels_from_0_to_1():
    black, white = np.zeros((28, 28), np.uint8), np.full((28, 28), 255, np.uint8)
    indices, distances = Neighbours(np.stack([white, black])).nearest(black, 2)
    assert indices.tolist() == [1, 0]
    assert distances.tolist() == [0, 28]


def test_there_are_no_more_neighbours_than_images():
    images = noise(20)
    assert sorted(Neighbours(images).nearest(images[0], 50)[0]) == [*range(20)]
    assert sorted(Neighbours(images).nearest(images[0], 20, without=4)[0]) == [
        *range(4), *range(5, 20),
    ]  # fmt: skip
    assert Neighbours(images[:1]).nearest(images[0], 3, without=0)[0].tolist() == []


@pytest.mark.parametrize(("number", "k"), [(20, 0), (0, 3), (0, 0)])
def test_where_nothing_is_asked_for_or_there_nothing_is_found(number, k):
    indices, distances = Neighbours(noise(number)).nearest(noise(1)[0], k)
    assert (indices.shape, indices.dtype) == ((0,), np.int64)
    assert (distances.shape, distances.dtype) == ((0,), np.float64)


def test_a_search_among_60_000_takes_a_few_megabytes():
    images = np.random.default_rng(0).integers(0, 256, (60_000, 28, 28), np.uint8)
    search = Neighbours(images)
    search.nearest(images[0], 5)
    tracemalloc.start()
    try:
        indices, _ = search.nearest(images[40_000], 20)
        assert tracemalloc.get_traced_memory()[1] < 10e6
    finally:
        tracemalloc.stop()
    assert indices[0] == 40_000


# All at once


@pytest.mark.parametrize(("number", "among"), [(30, 20), (7, 1000), (25, 2345), (1, 1)])
def test_the_nearest_of_each_is_scikit_learns(number, among):
    queries, images = noise(number, seed=1), noise(among)
    index, distance = neighbours.nearest_of_each(queries, images)
    expected = pairwise_distances(
        queries.reshape(number, -1).astype(float), images.reshape(among, -1).astype(float)
    )
    assert index.dtype == np.int64
    assert index.tolist() == expected.argmin(1).tolist()
    np.testing.assert_allclose(distance, expected.min(1) / 255, rtol=0, atol=1e-12)


def test_the_nearest_of_each_digit_is_what_a_search_for_it_finds(small):
    index, distance = neighbours.nearest_of_each(small.test.images, small.train.images)
    search = Neighbours(small.train.images)
    for i, image in enumerate(small.test.images):
        [nearest], [far] = search.nearest(image, 1)
        assert (index[i], distance[i]) == (nearest, pytest.approx(far, abs=1e-12))


def test_of_each_the_first_of_equally_far_images_is_found():
    images = noise(2100)
    images[[40, 1040, 2040]] = images[5]
    index, distance = neighbours.nearest_of_each(images[[2040, 1040, 5]], images)
    assert index.tolist() == [5, 5, 5]
    assert distance.tolist() == [0, 0, 0]


@pytest.mark.parametrize("among", [1, 999, 1000, 1001, 5000])
def test_the_progress_increases_and_ends_at_1(among):
    heard = []
    neighbours.nearest_of_each(noise(2), np.zeros((among, 28, 28), np.uint8), heard.append)
    assert heard == sorted(set(heard))
    assert heard[0] > 0 and heard[-1] == 1
    assert len(heard) == -(-among // 1000)


def test_of_no_images_no_nearest_is_found():
    index, distance = neighbours.nearest_of_each(noise(0), noise(20))
    assert (index.shape, distance.shape) == ((0,), (0,))


# Copies


def dataset_of(train, test):
    """Return a dataset with these of a few random images, a label each."""
    images = noise(20)
    return Dataset("", "", "", *(
        Split(images[list(which)], np.zeros(len(which), np.uint8)) for which in (train, test)
    ))  # fmt: skip


@pytest.mark.parametrize(
    ("train", "test", "copies"),
    [([0, 1, 2], [3, 4], (0, 0, 0)), ([0, 0, 1, 0, 1], [3, 4], (3, 0, 0)),
     ([0, 1], [3, 3, 4, 3], (0, 2, 0)), ([0, 1, 2], [1, 5, 2, 1], (0, 1, 3)),
     ([0, 0], [0, 0], (1, 1, 2)), ([5], [], (0, 0, 0))],
)  # fmt: skip
def test_copies_are_counted_within_each_split_and_across(train, test, copies):
    found = neighbours.exact_copies(dataset_of(train, test))
    assert found == dict(zip(("training", "test", "across"), copies, strict=True))


def test_images_that_differ_in_one_pixel_by_one_are_no_copies():
    image = noise(1)
    other = image.copy()
    other[0, 27, 27] ^= 1
    labels = np.zeros(1, np.uint8)
    dataset = Dataset("", "", "", Split(image, labels), Split(other, labels))
    assert neighbours.exact_copies(dataset) == {"training": 0, "test": 0, "across": 0}


def test_mnists_copies_are_those_numpy_finds(mnist):
    test = np.unique(mnist.test.images.reshape(10_000, -1).view("V784"))
    assert neighbours.exact_copies(mnist)["test"] == 10_000 - len(test)
