"""Which images a grid shows, against the same written out image by image."""

from itertools import product

import numpy as np
import pytest

from mnist_core import selection, traits
from mnist_core.data import Dataset, Split
from mnist_core.selection import Subset
from mnist_core.view import ORDERS, SPLITS, View

LABELS = [3, 0, 3, 1, 0, 3]
FILTERS = [
    {}, {"digits": (3,)}, {"digits": (0, 4, 9)}, {"first": 20, "last": 79}, {"last": 0},
    {"first": 90, "last": 300}, {"ink": (10, 12)}, {"ink": (0, 11)}, {"ink": (14, 100)},
    {"digits": (1, 2, 7, 8), "first": 5, "last": 95, "ink": (8, 13)},
]  # fmt: skip


def split(labels):
    return Split(np.zeros((len(labels), 28, 28), np.uint8), np.array(labels, np.uint8))


def handmade(labels, test=(), **measured):
    """Return a dataset of empty images, and traits that are all 0 but for those given."""
    total = len(labels) + len(test)
    found = {name: np.zeros(total, np.float32) for name in ("ink", "thickness", "slant")}
    found |= {"centre": np.zeros((total, 2)), "distances": np.zeros((total, 10))} | measured
    dataset = Dataset("", "", "", split(labels), split(test))
    return dataset, traits.Traits(np.array([*labels, *test], np.uint8), **found)


def not_needed():
    raise AssertionError("nothing had to be measured")


@pytest.fixture(scope="module")
def measured(small):
    """The traits as the app measures them."""
    return traits.measure(small, traits.measure_classes(small.train))


@pytest.fixture(scope="module")
def known(small):
    """The same of each image on its own: {"ink": [...], ...} by id, of float64."""
    known = {
        "index": [*range(400), *range(101)], "split": ["training"] * 400 + ["test"] * 101,
        "label": [*small.train.labels.tolist(), *small.test.labels.tolist()],
        "ink": [], "distances": [], "thick": [], "slant": [],
    }  # fmt: skip
    grey = small.train.images / 255
    means = [grey[small.train.labels == digit].mean(0) for digit in range(10)]
    row, column = np.mgrid[:28, :28].reshape(2, -1)
    for image in (*small.train.images, *small.test.images):
        known["ink"].append((image >= 128).mean() * 100)
        known["distances"].append([np.linalg.norm(image / 255 - mean) for mean in means])
        step_down, step_right = np.diff(image / 255, axis=0), np.diff(image / 255, axis=1)
        outline = np.hypot(step_down[:, :-1], step_right[:-1]).sum()
        known["thick"].append(2 * (image / 255).sum() / outline)
        (variance, shared), _ = np.cov(row, column, aweights=image.ravel(), ddof=0)
        known["slant"].append(-np.degrees(np.arctan(shared / variance)))
    return {name: np.array(values) for name, values in known.items()}


def shown(known, view, among=None):
    """Return the ids that a view shows, sorted, one by one."""
    ids = []
    for i in range(len(known["index"])):
        if view.split not in ("both", known["split"][i]):
            continue
        if view.digits and known["label"][i] not in view.digits:
            continue
        if known["index"][i] < view.first:
            continue
        if view.last is not None and known["index"][i] > view.last:
            continue
        if not view.ink[0] <= known["ink"][i] <= view.ink[1]:
            continue
        if among is None or i in among:
            ids.append(i)
    return ids


def in_rounds(ids, values, labels):
    """Return the ids dealt out digit by digit, the smallest value of each first."""
    piles = [sorted((i for i in ids if labels[i] == d), key=values.__getitem__) for d in range(10)]
    dealt = []
    while any(piles):
        dealt += [pile.pop(0) for pile in piles if pile]
    return dealt


def test_every_digit_is_counted_also_those_that_are_missing():
    assert selection.counts(split(LABELS)).tolist() == [2, 1, 0, 3, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("name", "ids"),
    [("training", range(400)), ("test", range(400, 501)), ("both", range(501))],
)
def test_the_test_set_follows_the_training_set_in_one_numbering(small, name, ids):
    found = selection.ids_of(small, name)
    assert found.dtype == np.int64
    assert found.tolist() == [*ids]


@pytest.mark.parametrize("filters", FILTERS, ids=str)
@pytest.mark.parametrize("name", SPLITS)
def test_every_filter_leaves_the_images_that_pass_in_the_order_of_the_index(
    small, measured, known, name, filters
):
    view = View(name, **filters)
    found = selection.arrange(small, view, lambda: measured)
    assert found.dataset is small
    assert found.ids.dtype == np.int64
    assert found.ids.tolist() == shown(known, view)


def test_the_filters_of_these_tests_leave_something_and_not_everything(known):
    for name, filters in product(SPLITS, FILTERS[1:]):
        found, every = (len(shown(known, View(name, **f))) for f in (filters, {}))
        assert 0 < found < every


@pytest.mark.parametrize("filters", FILTERS, ids=str)
@pytest.mark.parametrize("name", SPLITS)
@pytest.mark.parametrize("order", [order for order in ORDERS if order not in ("index", "shuffled")])
def test_every_order_puts_first_what_its_name_says(small, measured, known, order, name, filters):
    view = View(name, order=order, **filters)
    found = selection.arrange(small, view, lambda: measured).ids
    ids = shown(known, view)
    assert sorted(found) == ids
    own = known["distances"][np.arange(501), known["label"]]
    values = {
        "typical": own, "atypical": -own, "thick": -known["thick"], "thin": known["thick"],
        "slanted": -abs(known["slant"]),
    }[order]  # fmt: skip
    if order in ("typical", "atypical"):
        expected = in_rounds(ids, values, known["label"])
        assert known["label"][found].tolist() == known["label"][expected].tolist()
    else:
        expected = sorted(ids, key=values.__getitem__)
    np.testing.assert_allclose(values[found], values[expected], rtol=0, atol=1e-3)


def test_typical_and_atypical_take_turns_and_ties_stay_by_index():
    distances = np.full((7, 10), 99.0)
    distances[range(7), [3, 0, 3, 1, 0, 3, 3]] = [5, 2, 1, 7, 2, 5, 1]
    dataset, found = handmade(LABELS, [3], distances=distances)
    for order, ids in [("typical", [1, 3, 2, 4, 6, 0, 5]), ("atypical", [1, 3, 0, 4, 5, 2, 6])]:
        arranged = selection.arrange(dataset, View("both", order=order), lambda: found)
        assert arranged.ids.tolist() == ids


@pytest.mark.parametrize(
    ("order", "ids"),
    [("thick", [3, 0, 4, 2, 1]), ("thin", [1, 2, 0, 4, 3]), ("slanted", [1, 3, 0, 2, 4])],
)
def test_of_images_that_are_equal_in_the_order_the_first_by_index_comes_first(order, ids):
    dataset, found = handmade(
        [5] * 5,
        thickness=np.array([3, 1, 2, 4, 3]), slant=np.array([20.0, -45.0, 20.0, 30.0, -20.0]),
    )  # fmt: skip
    assert selection.arrange(dataset, View(order=order), lambda: found).ids.tolist() == ids


@pytest.mark.parametrize("order", ["typical", "atypical", "thick", "thin", "slanted"])
def test_among_many_ties_each_stays_in_the_order_of_the_index(order):
    values = np.random.default_rng(0).integers(1, 4, 3000)
    dataset, found = handmade(
        [0] * 3000,
        thickness=values, slant=values * 10.0, distances=np.repeat(values[:, None], 10, 1),
    )  # fmt: skip
    smallest_first = order in ("typical", "thin")
    expected = sorted(range(3000), key=lambda i: values[i] if smallest_first else -values[i])
    assert selection.arrange(dataset, View(order=order), lambda: found).ids.tolist() == expected


@pytest.mark.parametrize("order", ["typical", "atypical", "thick", "thin", "slanted"])
def test_copies_of_an_image_stay_in_the_order_of_the_index(small, order):
    three = np.flatnonzero(small.train.labels == 3)[0]
    images = np.repeat(small.train.images[[three]], 457, 0)
    labels = np.full(457, 3, np.uint8)
    dataset = Dataset(
        "", "", "", Split(images[:400], labels[:400]), Split(images[400:], labels[400:])
    )
    classes = traits.measure_classes(small.train)
    found = selection.arrange(
        dataset, View("both", order=order), lambda: traits.measure(dataset, classes)
    )
    assert found.ids.tolist() == [*range(457)]


def test_the_bounds_of_the_ink_belong_to_it():
    dataset, found = handmade([1] * 5, ink=np.array([0, 0.25, 0.5, 0.75, 1], np.float32))
    for bounds, ids in [((25, 75), [1, 2, 3]), ((0, 0), [0]), ((100, 100), [4]), ((26, 49), [])]:
        assert selection.arrange(dataset, View(ink=bounds), lambda: found).ids.tolist() == ids


@pytest.mark.parametrize("order", ORDERS)
def test_among_leaves_only_those_images_whatever_their_order(small, measured, known, order):
    among = np.array([450, 3, 99, 3, 7, 12, 400, 500, 250])
    view = View("both", first=5, order=order)
    found = selection.arrange(small, view, lambda: measured, among).ids
    assert sorted(found) == shown(known, view, among.tolist()) == [7, 12, 99, 250, 450, 500]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("view", "among"),
    [({"first": 9999, "last": 10_000}, None), ({"ink": (99, 100)}, None),
     ({}, np.array([], np.int64)), ({"split": "test"}, np.arange(400)),
     ({"first": 200, "last": 200, "digits": (0, 1), "split": "test"}, None)],
)  # fmt: skip
def test_no_image_may_be_left(small, measured, order, view, among):
    found = selection.arrange(small, View(order=order, **view), lambda: measured, among)
    assert len(found) == 0
    assert found.ids.dtype == np.int64
    assert found.images.shape == (0, 28, 28)


def test_a_digit_without_images_leaves_none_and_the_others_as_they_are():
    dataset, found = handmade(LABELS, distances=np.zeros((6, 10)))
    assert selection.arrange(dataset, View(digits=(9,)), not_needed).ids.tolist() == []
    view = View(digits=(9, 1, 3), order="typical")
    assert selection.arrange(dataset, view, lambda: found).ids.tolist() == [3, 0, 2, 5]


@pytest.mark.parametrize("name", SPLITS)
def test_a_seed_shuffles_and_the_same_seed_shuffles_in_the_same_way(small, name):
    def ids(order, seed=0):
        view = View(name, (2, 7), order=order, seed=seed)
        return selection.arrange(small, view, not_needed).ids.tolist()

    plain, one, same, other = ids("index"), *(ids("shuffled", seed) for seed in (0, 0, 1))
    assert sorted(one) == sorted(other) == plain
    assert one == same
    assert one != plain
    assert one != other


def test_a_shuffle_takes_every_image_to_every_place():
    dataset, _ = handmade([0, 1, 2, 3])
    first = [
        selection.arrange(dataset, View(order="shuffled", seed=seed), not_needed).ids[0]
        for seed in range(400)
    ]
    assert (np.bincount(first) > 60).all()  # 100 each; 60 is 4.6 standard deviations below


@pytest.mark.parametrize("order", ["index", "shuffled"])
@pytest.mark.parametrize("filters", [{}, {"digits": (4,)}, {"first": 5, "last": 50}])
def test_nothing_is_measured_where_the_view_does_not_need_it(small, order, filters):
    view = View("both", order=order, **filters)
    assert len(selection.arrange(small, view, not_needed, among=np.arange(30)))


@pytest.mark.parametrize("view", [{"ink": (10, 20)}, *({"order": o} for o in [*ORDERS][2:])])
def test_what_has_to_be_measured_is_asked_for(small, view):
    with pytest.raises(AssertionError, match="nothing had to be measured"):
        selection.arrange(small, View(**view), not_needed)


# Between two classes


@pytest.mark.parametrize(("digit", "other"), [(4, 9), (9, 4), (0, 1), (3, 8)])
@pytest.mark.parametrize("number", [0, 1, 8, 1000])
def test_between_classes_come_those_first_that_lean_most_to_the_other(
    small, measured, known, digit, other, number
):
    found = selection.between_classes(small, measured, digit, other, number)
    leaning = known["distances"][:, other] - known["distances"][:, digit]
    own = [i for i in range(400) if known["label"][i] == digit]
    expected = sorted(own, key=leaning.__getitem__)[:number]
    assert len(found) == len(expected) == min(number, len(own))
    assert set(found.ids) <= set(own)
    assert len(set(found.ids)) == len(found)
    np.testing.assert_allclose(leaning[found.ids], leaning[expected], rtol=0, atol=1e-4)


# A subset


def test_a_subset_gathers_from_both_splits_in_its_order(small):
    ids = np.array([500, 0, 399, 400, 7])
    subset = Subset(small, ids)
    assert len(subset) == 5
    joined = np.concatenate([small.train.images, small.test.images])
    labels = np.concatenate([small.train.labels, small.test.labels])
    assert (subset.images == joined[ids]).all()
    assert (subset.labels == labels[ids]).all()
    assert (subset.images.dtype, subset.labels.dtype) == (np.uint8, np.uint8)
    assert subset.of_test.tolist() == [True, False, False, True, False]
    assert subset.index.tolist() == [100, 0, 399, 0, 7]


def test_an_image_is_named_by_its_split_and_its_index_there():
    dataset, _ = handmade([0] * 1300, [0] * 1240)
    names = Subset(dataset, np.array([1234, 0, 1300, 2539])).names()
    assert names == [
        "training image 1,234", "training image 0", "test image 0", "test image 1,239",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("positions", "ids"),
    [(slice(1, 3), [400, 7]), (slice(None, None, -1), [9, 7, 400, 3]), ([2, 0], [7, 3]),
     (np.array([3, 1]), [9, 400]), (np.array([True, False, False, True]), [3, 9]), ([], []),
     (slice(10, 20), [])],
)  # fmt: skip
def test_part_of_a_subset_is_a_subset(small, positions, ids):
    part = Subset(small, np.array([3, 400, 7, 9]))[positions]
    assert part.dataset is small
    assert part.ids.tolist() == ids
    assert part.names() == [
        f"training image {i}" if i < 400 else f"test image {i - 400}" for i in ids
    ]
    assert part.labels.tolist() == [
        small.train.labels[i] if i < 400 else small.test.labels[i - 400] for i in ids
    ]


def test_an_empty_subset_has_empty_arrays(small):
    empty = Subset(small, np.array([], np.int64))
    assert len(empty) == 0
    assert (empty.images.shape, empty.labels.shape) == ((0, 28, 28), (0,))
    assert (empty.index.tolist(), empty.of_test.tolist(), empty.names()) == ([], [], [])


@pytest.mark.parametrize(
    ("ids", "positions"),
    [([7], [2]), ([9, 3], [0, 3]), ([400, 401, 8], [1]), ([], []), ([3, 3], [0]), ([-1, 8], [])],
)
def test_images_are_found_in_a_subset_and_those_not_there_left_out(small, ids, positions):
    subset = Subset(small, np.array([3, 400, 7, 9]))
    found = subset.positions(np.array(ids, np.int64))
    assert found.dtype == np.int64
    assert found.tolist() == positions


@pytest.mark.parametrize(
    ("one", "position"), [(3, 0), (9, 3), (400, 1), (0, None), (8, None), (-1, None), (None, None)]
)
def test_one_image_is_found_in_a_subset_or_it_is_not(small, one, position):
    assert Subset(small, np.array([3, 400, 7, 9])).position(one) == position
    assert Subset(small, np.array([], np.int64)).position(one) is None


@pytest.mark.parametrize(("one", "name"), [(0, "training image 0"), (450, "test image 50")])
def test_one_image_is_a_subset_too(small, one, name):
    subset = selection.one_image(small, one)
    assert (len(subset), subset.ids.dtype) == (1, np.int64)
    assert subset.names() == [name]
    split = small.train if one < 400 else small.test
    assert (subset.images[0] == split.images[one % 400]).all()


# The first of each digit


def test_the_first_of_each_digit_come_in_rows_of_ten():
    labels = [*range(10), *range(9, -1, -1), 5]
    first = selection.first_of_each(split(labels), 2)
    assert first.dtype == np.int64
    assert first.tolist() == [*range(10), *range(19, 9, -1)]


def test_a_digit_that_runs_out_leaves_no_gap():
    assert selection.first_of_each(split(LABELS), 2).tolist() == [1, 3, 0, 4, 2]
    assert selection.first_of_each(split(LABELS), 0).tolist() == []
