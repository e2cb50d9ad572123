"""Browse without a browser: what is shown is what numpy and scikit-learn say of the same digits.

AppTest does not call the callbacks of components: what a click or a drawn outline leaves in the
session (opened, selected, class_pair) is put there.
"""

import re
from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pytest
from apptest import (
    array,
    button,
    components,
    drawn_digits,
    figure,
    go,
    grid,
    pick,
    start,
    url,
    wait_for_download,
    words,
)
from conftest import write_run
from scipy.special import log_softmax, softmax
from sklearn.decomposition import PCA
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    log_loss,
    precision_recall_fscore_support,
    top_k_accuracy_score,
)
from sklearn.neighbors import NearestNeighbors

from mnist_core import analyses, data, maps, runs, slices, wording, workers
from mnist_core.ui import resources
from mnist_core.ui.data_store import data_store

pytestmark = pytest.mark.usefixtures("app_on_small_data", "analysing")

PAGE = 120  # images on a page of the grid
PICTURE = "![](//a.example/b.png)"


@pytest.fixture(autouse=True)
def analysing(monkeypatch):
    """In place of the analysing process: what was asked for, (name, split) -> Future; `asked`."""

    class Analysing:
        def __init__(self):
            self.futures, self.asked = {}, []

        def analyse(self, root, source, fingerprint, name, split):
            self.asked.append((source, fingerprint, name, split))
            self.futures[name, split] = Future()
            return self.futures[name, split]

        def analysis(self, root, fingerprint, name, split):
            return self.futures.get((name, split))

    fake = Analysing()
    monkeypatch.setattr(workers, "analyse", fake.analyse)
    monkeypatch.setattr(workers, "analysis", fake.analysis)
    return fake


@pytest.fixture
def answers(monkeypatch):
    """In place of the answering process: random logits; `answers` lists the images asked."""
    asked = []

    def ask(function, path, moment, images):
        assert function == "logits"
        asked.append((moment, images))
        future = Future()
        future.set_result(np.random.default_rng(3).normal(size=(len(images), 10)))
        return future

    monkeypatch.setattr(workers, "ask", ask)
    return asked


@pytest.fixture
def no_answer(monkeypatch):
    def ask(*arguments):
        future = Future()
        future.set_exception(TimeoutError())
        return future

    monkeypatch.setattr(workers, "ask", ask)


def joined(dataset):
    """Return all images and labels, training first: an id is a position here."""
    return (
        np.concatenate([dataset.train.images, dataset.test.images]),
        np.concatenate([dataset.train.labels, dataset.test.labels]),
    )


def ids_in(captions, dataset):
    """Return the ids that captions name."""
    named = [re.match(r"(training|test) image ([0-9,]+):", caption) for caption in captions]
    offset = {"training": 0, "test": len(dataset.train)}
    return [offset[name[1]] + int(name[2].replace(",", "")) for name in named]


def shown(at, dataset, key="browse_grid"):
    """Return the ids of a grid's images, whose captions must fit what is drawn."""
    ids = ids_in(grid(at, key)["captions"], dataset)
    images, labels = joined(dataset)
    np.testing.assert_array_equal(drawn_digits(at, key), images[ids])
    said = [re.search(r": (?:a )?([0-9])", text)[1] for text in grid(at, key)["captions"]]
    assert said == [str(label) for label in labels[ids]]
    return ids


def opened(at, dataset):
    """Return the id of the opened image, from the panel's heading."""
    (found,) = re.findall(r"\*\*(Training|Test) image ([0-9,]+): a [0-9]\*\*", words(at))
    return int(found[1].replace(",", "")) + (len(dataset.train) if found[0] == "Test" else 0)


def again(at, page="browse"):
    """Open the URL in a new session."""
    query = {name: value if len(value) > 1 else value[0] for name, value in full_url(at).items()}
    return start(page, **query)


def full_url(at):
    return {
        name: [value] if isinstance(value, str) else list(value)
        for name, value in at.query_params.items()
    }


def browse_url(at):
    return {name: value for name, value in url(at).items() if name != "run"}


def with_selected(ids, **query):
    """Open Browse and select images, as an outline drawn around them does."""
    at = start("browse", **query)
    at.session_state["selected"] = ids
    return at.run()


def with_opened(number, **query):
    """Open Browse and an image, as a click on it does."""
    at = start("browse", **query)
    at.session_state["opened"] = number
    return at.run()


def set_widgets(at, split="training", digits=(), order="index", seed=0, range="", ink=(0, 100)):
    at.get_by_key("browse_split").set_value(split)
    at.get_by_key("browse_labels").set_value(list(digits))
    at.selectbox(key="browse_order").set_value(order)
    at.text_input(key="browse_range").input(range)
    at.slider(key="browse_ink").set_value(ink).run()
    if order == "shuffled":
        at.number_input(key="browse_seed").set_value(seed).run()
    assert not at.exception
    return at


# The oracle: filters and orders written out once more, image by image


def passing(dataset, split="training", digits=(), bounds=(0, 10**9), ink=(0, 100)):
    """Return the ids that pass, by index."""
    images, labels = joined(dataset)
    trained = len(dataset.train)
    ids = []
    for number in range(len(labels)):
        of_test = number >= trained
        index = number - trained if of_test else number
        dark = np.count_nonzero(images[number] >= 128) / 784 * 100
        if (
            split in ("both", "test" if of_test else "training")
            and (not len(digits) or labels[number] in digits)
            and bounds[0] <= index <= bounds[1]
            and ink[0] <= dark <= ink[1]
        ):
            ids.append(number)
    return ids


def from_own_mean(dataset, number):
    images, labels = joined(dataset)
    own = dataset.train.images[dataset.train.labels == labels[number]].astype(float)
    return np.linalg.norm(images[number] / 255 - own.mean(0) / 255)


def thickness(image):
    """Twice the ink divided by the length of its outline, the sum of the gradient."""
    padded = np.pad(image / 255, 1)
    down, across = np.diff(padded, axis=0)[:, :-1], np.diff(padded, axis=1)[:-1]
    return 2 * padded.sum() / np.hypot(down, across).sum()


def slant(image):
    """The shear of the ink's covariance, in degrees; to the right is positive."""
    rows, columns = np.indices((28, 28)).reshape(2, -1)
    covariance = np.cov(rows, columns, aweights=image.ravel() / 255, ddof=0)
    return -np.degrees(np.arctan2(covariance[0, 1], covariance[0, 0]))


def sort_values(dataset, order):
    """Return what an order sorts by, ascending, for each id."""
    images, _ = joined(dataset)
    measure = {
        "typical": lambda i: from_own_mean(dataset, i),
        "atypical": lambda i: -from_own_mean(dataset, i),
        "thick": lambda i: -thickness(images[i]),
        "thin": lambda i: thickness(images[i]),
        "slanted": lambda i: -abs(slant(images[i])),
    }[order]
    return np.array([measure(i) for i in range(len(images))])


def assert_arranged(ids, expected, dataset, order, seed=0):
    """Compare a page of ids with the images that pass, in an order; ties may stand either way."""
    assert len(ids) == min(len(expected), PAGE)
    if order == "index":
        assert ids == expected[:PAGE]
    elif order == "shuffled":
        permutation = np.random.default_rng(seed).permutation(len(expected))
        assert ids == list(np.array(expected)[permutation][:PAGE])
    else:
        assert len(set(ids)) == len(ids) and set(ids) <= set(expected)
        values = sort_values(dataset, order)
        rest = sorted(set(expected) - set(ids))
        _, labels = joined(dataset)
        in_rounds = order in ("typical", "atypical")
        groups = range(10) if in_rounds else (None,)
        for digit in groups:
            mine = [i for i in ids if digit is None or labels[i] == digit]
            others = [i for i in rest if digit is None or labels[i] == digit]
            assert (np.diff(values[mine]) >= -1e-3).all()
            if mine and others:
                assert values[mine].max() <= values[others].min() + 1e-3
        if in_rounds:  # the first of each digit, the second of each, and so on
            counts = np.bincount(labels[expected], minlength=10)
            rounds = [d for k in range(counts.max()) for d in range(10) if counts[d] > k]
            assert list(labels[ids]) == rounds[:PAGE]


# Filters and orders

VIEWS = [
    # widgets, what passes, URL
    ({}, {}, {}),
    ({"split": "test"}, {}, {"split": "test"}),
    ({"split": "both", "digits": [8, 3]}, {"digits": (3, 8)}, {"split": "both", "digits": "38"}),
    ({"range": "100-199"}, {"bounds": (100, 199)}, {"range": "100-199"}),
    ({"range": "12"}, {"bounds": (12, 12)}, {"range": "12"}),
    ({"range": "380-"}, {"bounds": (380, 10**9)}, {"range": "380-"}),
    ({"range": "0 – 3"}, {"bounds": (0, 3)}, {"range": "0-3"}),
    ({"range": "199-100"}, {"bounds": (100, 199)}, {"range": "100-199"}),
    ({"range": "390-70,000"}, {"bounds": (390, 70000)}, {"range": "390-70000"}),
    (
        {"split": "both", "range": "95-105"},  # of each split
        {"bounds": (95, 105)},
        {"split": "both", "range": "95-105"},
    ),
    ({"ink": (15, 18)}, {"ink": (15, 18)}, {"ink": "15-18"}),
    (
        {"ink": (0, 12), "digits": [1]},
        {"ink": (0, 12), "digits": (1,)},
        {"digits": "1", "ink": "0-12"},
    ),
    (
        {"split": "test", "order": "shuffled", "seed": 7},
        {},
        {"split": "test", "order": "shuffled", "seed": "7"},
    ),
    ({"order": "shuffled"}, {}, {"order": "shuffled", "seed": "0"}),
    ({"split": "test", "order": "typical"}, {}, {"split": "test", "order": "typical"}),
    (
        {"split": "both", "digits": [0, 5, 9], "order": "atypical"},
        {"digits": (0, 5, 9)},
        {"split": "both", "digits": "059", "order": "atypical"},
    ),
    ({"split": "test", "order": "thick"}, {}, {"split": "test", "order": "thick"}),
    ({"split": "both", "order": "thin"}, {}, {"split": "both", "order": "thin"}),
    ({"order": "slanted"}, {}, {"order": "slanted"}),
    (
        {
            "split": "both", "digits": [1, 4, 7], "range": "10-300", "ink": (8, 25),
            "order": "shuffled", "seed": 9999,
        },
        {"digits": (1, 4, 7), "bounds": (10, 300), "ink": (8, 25)},
        {
            "split": "both", "digits": "147", "range": "10-300", "ink": "8-25",
            "order": "shuffled", "seed": "9999",
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("widgets", "filters", "query"), VIEWS)
def test_filters_and_orders_show_what_numpy_says_and_a_link_shows_it_again(
    widgets, filters, query, small
):
    at = set_widgets(start("browse"), **widgets)
    expected = passing(small, widgets.get("split", "training"), **filters)
    assert expected, "a case that shows nothing tests nothing"
    order, seed = widgets.get("order", "index"), widgets.get("seed", 0)
    assert_arranged(shown(at, small), expected, small, order, seed)
    assert f"**{wording.count(len(expected), 'image')}**" in words(at)
    assert browse_url(at) == query
    assert not at.warning and not at.error
    link = again(at)
    assert shown(link, small) == shown(at, small)
    assert browse_url(link) == query
    assert not link.warning


def test_a_filter_taken_back_shows_everything_and_leaves_the_url(small):
    at = set_widgets(start("browse"), "both", [4], "shuffled", 3, "5-90", (5, 30))
    set_widgets(at)
    assert shown(at, small) == list(range(PAGE))
    assert browse_url(at) == {}


def test_clear_filters_keeps_split_and_order(small):
    at = set_widgets(start("browse"), "test", [4, 5], "shuffled", 3, "5-90", (5, 30))
    at.button(key="clear_filters").click().run()
    assert not at.exception
    assert_arranged(shown(at, small), passing(small, "test"), small, "shuffled", 3)
    assert browse_url(at) == {"split": "test", "order": "shuffled", "seed": "3"}


def test_filters_survive_a_look_at_another_page(small):
    at = set_widgets(start("browse"), "both", [4], "shuffled", 3, "5-90", (5, 30))
    before = shown(at, small)
    go(at, "train")
    go(at, "browse")
    assert shown(at, small) == before
    assert at.text_input(key="browse_range").value == "5-90"
    assert browse_url(at)["digits"] == "4"


# Pages and pictures


def test_the_page_is_in_the_url_until_another_filter_begins_at_the_first(small):
    at = start("browse")
    at.pagination(key="browse_page").set_value(4).run()
    assert shown(at, small) == list(range(360, 400))
    assert browse_url(at) == {"page": "4"}
    assert shown(again(at), small) == list(range(360, 400))
    go(at, "home")
    go(at, "browse")
    assert shown(at, small) == list(range(360, 400))
    at.get_by_key("browse_split").set_value("both").run()
    assert not at.exception
    assert shown(at, small) == list(range(PAGE))
    assert "page" not in url(at)


def test_a_later_page_of_a_shuffled_view_continues_the_first(small):
    pages = []
    for page in "12345":
        pages += shown(start("browse", split="both", order="shuffled", seed="5", page=page), small)
    assert pages == list(np.random.default_rng(5).permutation(501))


@pytest.mark.parametrize("show", ["map", "classes", "copies"])
def test_the_picture_is_in_the_url(show):
    key = {"map": "digit_map", "classes": "class_distances", "copies": None}[show]

    def drawn(at):
        if key is None:
            return "Test images also in training" in [metric.label for metric in at.metric]
        return key in components(at, "chart")

    at = start("browse")
    assert not drawn(at)
    at.get_by_key("browse_show").set_value(show).run()
    assert not at.exception and drawn(at)
    assert browse_url(at) == {"show": show}
    link = again(at)
    assert drawn(link) and browse_url(link) == {"show": show}
    go(at, "home")
    go(at, "browse")
    assert drawn(at)
    at.get_by_key("browse_show").set_value("digits").run()
    assert "browse_grid" in components(at, "digit_grid")
    assert browse_url(at) == {}


def test_the_filters_stay_while_the_classes_are_shown(small):
    at = set_widgets(start("browse"), "test", [4])
    at.get_by_key("browse_show").set_value("classes").run()
    assert browse_url(at) == {"split": "test", "digits": "4", "show": "classes"}
    at.get_by_key("browse_show").set_value("digits").run()
    assert shown(at, small) == passing(small, "test", (4,))


# Bad input


@pytest.mark.parametrize("text", ["abc", "1-2-3", "-5", "１２", PICTURE])
def test_a_nonsense_range_is_explained_and_filters_nothing(text, small):
    at = set_widgets(start("browse"), "test", [4], range=text)
    assert len(at.error) == 1
    said = at.error[0].value
    assert "expected an index such as 12, or a range such as 100-199" in said
    assert said.replace("\\", "").startswith(f"“{text}”")
    assert "![](" not in said
    assert shown(at, small) == passing(small, "test", (4,))
    assert "range" not in url(at)


@pytest.mark.parametrize("range", ["500-600", "400", "401-"])
def test_nothing_left_says_so_and_one_button_shows_all(range, small):
    at = set_widgets(start("browse"), digits=[3], order="thin", range=range)
    assert "No image passes these filters." in at.info[0].value
    assert grid(at, "browse_grid")["count"] == 0
    assert "**0 images**" in words(at)
    assert url(at)["range"] == range
    at.button(key="show_all").click().run()
    assert not at.exception and not at.info
    assert_arranged(shown(at, small), passing(small), small, "thin")
    assert browse_url(at) == {"order": "thin"}


def test_a_range_that_ends_beyond_the_split_ends_with_it(small):
    at = set_widgets(start("browse"), range="390-9000")
    assert shown(at, small) == list(range(390, 400))
    at.get_by_key("browse_split").set_value("test").run()
    assert "No image passes" in at.info[0].value


BAD = [
    ("seed", "abc"), ("seed", "10000"),
    ("order", "x"), ("order", ""),
    ("digits", "zz"), ("digits", ""), ("digits", "٣"),
    ("ink", "5"), ("ink", "a-b"), ("ink", "-5-10"),
    ("range", "abc"), ("range", "9" * 30),
    ("image", "99999999"), ("image", "abc"), ("image", "-1"),
    ("image", "9" * 5000),
    ("selected", "garbage!"), ("selected", "____________"), ("selected", "A"),
    ("slice", "garbage"), ("slice", ":AQ"), ("slice", "mine:!!"), ("slice", "mine:____"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_part_of_a_link_is_named_and_the_rest_applied(name, value, small):
    at = start("browse", data=small.fingerprint[:8], split="test", **{name: value})
    assert not at.exception and not at.error
    (warning,) = (warning.value for warning in at.warning)
    named = {"selected": "images", "image": "image", "slice": "lice"}.get(name, name)
    assert named in warning or value[:20] in warning.replace("\\", "")
    assert "![](" not in words(at) and len(warning) < 300
    assert shown(at, small) == passing(small, "test")
    assert name not in url(at)


@pytest.mark.parametrize("page", ["999999", "99999", "5", "-1", "0", "abc", "", "²", "٢٢", PICTURE])
def test_a_page_that_is_not_there_shows_the_first(page, small):
    at = start("browse", page=page)
    assert not at.exception
    assert shown(at, small) == list(range(PAGE))
    assert "page" not in url(at)
    assert "![](" not in words(at)


@pytest.mark.parametrize("show", ["nope", PICTURE])
def test_a_picture_that_is_not_there_shows_the_digits(show, small):
    at = start("browse", show=show)
    assert shown(at, small) == list(range(PAGE))
    assert "show" not in url(at)
    assert "![](" not in words(at)


def test_several_bad_parts_are_all_named_and_the_good_ones_applied(small):
    at = start(
        "browse", data=small.fingerprint[:8], split="both", digits="3", seed="abc", order="x",
        ink="5", range="q", page="-3", show="nope", image="99999999", selected="!", slice="oops",
        images=PICTURE,
    )  # fmt: skip
    assert not at.exception
    said = "\n".join(warning.value for warning in at.warning).replace("\\", "")
    for bad in ("abc", "“x”", "“5”", "“q”", "99999999", "The link's images", "“oops”"):
        assert bad in said, bad
    assert shown(at, small) == passing(small, "both", (3,))
    assert browse_url(at) == {"split": "both", "digits": "3"}
    at.get_by_key("browse_split").set_value("test").run()  # and the page goes on working
    assert not at.exception
    assert shown(at, small) == passing(small, "test", (3,))


def test_a_picture_in_any_part_of_a_link_is_not_drawn(small):
    """It would be fetched from outside."""
    names = "split digits range ink order seed show page image selected slice images".split()
    at = start("browse", data=small.fingerprint[:8], **dict.fromkeys(names, PICTURE))
    assert not at.exception and not at.error
    (warning,) = at.warning
    assert len(warning.value.split("\n\n")) == 10  # all but show and page
    assert "![" not in words(at).replace("\\!\\[", "")
    assert shown(at, small) == list(range(PAGE))


def test_a_warning_about_the_link_goes_with_the_next_choice(small):
    at = start("browse", order="x")
    assert len(at.warning) == 1
    at.get_by_key("browse_labels").set_value([3]).run()
    assert not at.warning


# Selection and slices

TWO = "A8UB"  # 3 and 200: the gaps 3 and 197 = 0x45 | 0x80, 0x01, in base64


def test_the_selection_survives_pages_and_is_in_the_url(small):
    at = with_selected(np.array([3, 200]))
    assert "**2 selected**" in words(at)
    assert grid(at, "browse_grid")["chosen"] == [3]
    at.pagination(key="browse_page").set_value(2).run()
    assert grid(at, "browse_grid")["chosen"] == [200 - PAGE]
    expected = {"selected": TWO, "data": small.fingerprint[:8]}
    assert browse_url(at) == expected | {"page": "2"}
    for page in ("home", "train", "browse"):
        go(at, page)
        assert browse_url(at).items() >= expected.items()
    assert "**2 selected**" in words(at)
    link = again(at)
    np.testing.assert_array_equal(link.session_state["selected"], [3, 200])
    assert grid(link, "browse_grid")["chosen"] == [200 - PAGE]


def test_select_all_shown_adds_what_passes_and_clear_forgets(small):
    at = with_selected(np.array([0, 450]))
    set_widgets(at, digits=[3])
    threes = passing(small, digits=(3,))
    button(at, f"Select all {len(threes)} found").click().run()
    np.testing.assert_array_equal(at.session_state["selected"], sorted({0, 450, *threes}))
    assert grid(at, "browse_grid")["chosen"] == list(range(len(threes)))
    at.button(key="clear_selection").click().run()
    assert not at.exception
    assert "**0 selected**" in words(at) and grid(at, "browse_grid")["chosen"] == []
    assert not {"selected", "data"} & set(url(at))
    assert at.button(key="clear_selection").disabled and at.button(key="send_evaluate").disabled


@pytest.mark.parametrize("number", [slices.LARGEST, slices.LARGEST + 1])
def test_a_selection_too_large_for_a_link_is_left_out_and_the_page_says_so(number, digits):
    data_store().dataset = digits
    at = start("browse")
    at.session_state["selected"] = np.arange(number)
    at.run()
    too_large = number > 1000
    assert ("selected" not in url(at)) == too_large
    assert ("too many for a link" in words(at)) == too_large
    assert f"**{number:,} selected**" in words(at)
    at.text_input(key="slice_name").input("many").run()
    assert not at.exception
    assert ("slice" not in url(at)) == too_large
    assert any("at most 1,000 images" in error.value for error in at.error) == too_large


def test_a_slice_is_kept_is_in_the_url_opens_again_and_is_deleted(small):
    at = with_selected(np.array([3, 200]))
    at.text_input(key="slice_name").input("  sevens with a bar ").run()
    at.button(key="clear_selection").click().run()
    at.run()
    assert not at.exception
    assert "sevens with a bar** 2 images" in words(at)
    assert browse_url(at) == {"slice": f"sevens with a bar:{TWO}", "data": small.fingerprint[:8]}
    link = again(at)
    assert list(link.session_state["slices"]) == ["sevens with a bar"]
    link.button(key="take_sevens with a bar").click().run()
    np.testing.assert_array_equal(link.session_state["selected"], [3, 200])
    link.button(key="drop_sevens with a bar").click().run()
    assert not link.exception
    assert url(link)["selected"] == TWO and "slice" not in url(link)


def test_several_slices_are_in_one_link(small):
    at = with_selected(np.array([3, 200]))
    for name in ("one", "zwei und drei", "три"):
        at.text_input(key="slice_name").input(name).run()
    at.run()
    assert len(full_url(at)["slice"]) == 3
    assert list(again(at).session_state["slices"]) == ["one", "zwei und drei", "три"]


@pytest.mark.parametrize("name", ["a:b", "#", "selection", "taken"])
def test_a_bad_name_of_a_slice_says_why(name, small):
    at = with_selected(np.array([3]))
    at.text_input(key="slice_name").input("taken").run()
    at.text_input(key="slice_name").input(name).run()
    assert not at.exception
    (error,) = at.error
    assert name in error.value.replace("\\", "")
    assert list(at.session_state["slices"]) == ["taken"]


def test_a_ninth_slice_is_refused(small):
    at = with_selected(np.array([3]))
    for number in range(9):
        at.text_input(key="slice_name").input(f"slice {number}").run()
    assert "A link holds 8 slices" in at.error[0].value
    assert len(at.session_state["slices"]) == 8


def test_a_bad_slice_of_a_link_hides_no_good_one(small):
    at = start("browse", data=small.fingerprint[:8], slice=["oops", f"good:{TWO}"])
    assert len(at.warning) == 1
    assert list(at.session_state["slices"]) == ["good"]


def test_a_links_slice_does_not_take_the_selections_place(small):
    at = start(
        "browse", data=small.fingerprint[:8], selected=TWO, slice="selection:BQ",
        images="selection",
    )  # fmt: skip
    assert not at.exception
    assert shown(at, small) == [3, 200]


def test_a_slices_markdown_name_is_shown_as_it_stands(small):
    at = start("browse", data=small.fingerprint[:8], slice=f"![x](//a.example):{TWO}")
    assert not at.exception
    assert "a.example" in words(at) and "![" not in words(at).replace("\\!\\[", "")


def test_browse_itself_can_be_restricted_to_a_slice(small):
    at = start("browse", data=small.fingerprint[:8], slice=f"two:{TWO}", images="two")
    assert shown(at, small) == [3, 200]
    link = again(at)
    assert shown(link, small) == [3, 200]
    set_widgets(at, split="both", range="150-")
    assert shown(at, small) == [200]
    at.selectbox(key="images_choice").set_value("").run()
    assert shown(at, small) == passing(small, "both", bounds=(150, 10**9))[:PAGE]
    at.run()
    assert "images" not in url(at)


def test_downloads_are_there_and_enabled_where_there_is_an_image(small):
    def downloads(at):
        return {e.key: e.proto.disabled for e in at.get("download_button")}

    at = start("browse")
    names = ("digits.png", "digits.npz", "digits.csv")
    assert downloads(at) == {f"download_{name}": False for name in names}
    assert "The 400 images found" in words(at)
    set_widgets(at, range="9000")
    assert downloads(at) == {f"download_{name}": True for name in names}
    at.session_state["selected"] = np.array([3, 200])
    at.run()
    assert downloads(at) == {f"download_{name}": False for name in names}
    assert "The 2 images selected" in words(at)


def test_a_sheet_too_large_cannot_be_downloaded_the_arrays_can(small, monkeypatch):
    monkeypatch.setattr("mnist_core.export.LARGEST_SHEET", 399)
    at = start("browse")
    disabled = {e.key: e.proto.disabled for e in at.get("download_button")}
    assert [disabled[f"download_digits.{end}"] for end in ("png", "npz", "csv")] == [
        True, False, False,
    ]  # fmt: skip


# A link made on other data

FOREIGN = {"image": "200", "selected": TWO, "slice": f"two:{TWO}", "images": "two"}


def assert_left_out(at):
    assert not at.exception
    (warning,) = (warning.value for warning in at.warning)
    assert ("other data" in warning or "unknown data" in warning) and "left out" in warning
    assert "**0 selected**" in words(at)
    assert not {*FOREIGN, "data"} & set(url(at))


@pytest.mark.parametrize("fingerprint", ["deadbeef", "", PICTURE, None])
def test_images_of_other_data_are_left_out_and_filters_applied(fingerprint, small):
    of = {} if fingerprint is None else {"data": fingerprint}
    at = start("browse", split="test", digits="3", **of, **FOREIGN)
    assert_left_out(at)
    assert shown(at, small) == passing(small, "test", (3,))
    assert opened(at, small) == shown(at, small)[0]


def test_images_of_other_data_are_left_out_on_the_built_in_digits(built_in, digits, small):
    at = start("browse", split="test", digits="3", data=small.fingerprint[:8], **FOREIGN)
    assert_left_out(at)
    assert shown(at, digits) == passing(digits, "test", (3,))[:PAGE]


def test_a_links_images_are_taken_when_their_dataset_arrives(built_in, small):
    at = start("browse", split="both", data=small.fingerprint[:8], **FOREIGN)
    wait_for_download(at)
    at.session_state["selected"] = np.array([1, 2])  # of the built-in digits
    at.run()
    data_store().dataset = small
    at.run()
    at.run()
    assert not at.exception and not at.warning
    np.testing.assert_array_equal(at.session_state["selected"], [3, 200])
    assert opened(at, small) == 200
    assert shown(at, small) == [3, 200]  # images=two
    assert browse_url(at) == {"split": "both", "data": small.fingerprint[:8], **FOREIGN}


# Evaluate and Mistakes on some images


@pytest.fixture
def logits(recorded):
    return np.load(recorded.path / "predictions" / "001.npy")


def metrics(at):
    return {metric.label: metric.value for metric in at.metric}


def assert_evaluated(at, labels, logits):
    """Compare Evaluate's figures with scikit-learn's."""
    read = logits.argmax(1)
    shares = softmax(logits.astype(float), axis=1)
    assert list(metrics(at).values()) == [
        wording.percent(accuracy_score(labels, read)),
        wording.loss(log_loss(labels, shares, labels=range(10))),
        wording.percent(top_k_accuracy_score(labels, shares, k=2, labels=range(10))),
        str((labels != read).sum()),
    ]
    table = at.dataframe[0].value[1:]  # below the averages
    expected = precision_recall_fscore_support(labels, read, labels=range(10), zero_division=0)
    for name, values in zip(("precision", "recall", "f1", "support"), expected, strict=True):
        np.testing.assert_allclose(table[name], values)
    counts = confusion_matrix(labels, read, labels=range(10))
    written = {
        (int(note["y"]), int(note["x"])): int(note["text"])
        for note in figure(at, "confusion")["layout"]["annotations"]
        if note["text"] and max(note["x"], note["y"]) < 10
    }
    assert written == {(i, j): counts[i, j] for i, j in np.argwhere(counts)}


@pytest.mark.parametrize("slice", [False, True])
def test_evaluate_and_mistakes_show_the_figures_of_exactly_these_images(
    slice, recorded, small, logits
):
    some = np.array([400, 402, *range(410, 470), 500])
    index = some - 400
    labels = small.test.labels[index]
    at = with_selected(some, epoch="1")
    if slice:
        at.text_input(key="slice_name").input("some").run()
        at.button(key="clear_selection").click().run()
        at.selectbox(key="images_choice").set_value("some").run()
        go(at, "evaluate")
    else:
        at.button(key="send_evaluate").click().run()
    assert not at.exception and at.title[0].value == "Evaluate"
    assert_evaluated(at, labels, logits[index])
    assert f"{len(some)} chosen images" in words(at)
    assert "Test accuracy" not in metrics(at)
    at.session_state["cells"] = [(None, None)]  # all errors
    go(at, "evaluate")
    errors = some[logits[index].argmax(1) != labels]
    assert set(ids_in(grid(at, "cell_images")["captions"], small)) == set(errors)
    assert_evaluated(again(at, "evaluate"), labels, logits[index])

    go(at, "mistakes")
    at.selectbox(key="first").set_value("largest loss").run()
    at.toggle(key="pairs").set_value(False).run()
    wrong = index[logits[index].argmax(1) != labels]
    losses = -log_softmax(logits[wrong].astype(float), axis=1)[
        np.arange(len(wrong)), small.test.labels[wrong]
    ]
    assert ids_in(grid(at, "mistakes_grid")["captions"], small) == list(
        wrong[np.argsort(-losses, kind="stable")] + 400
    )
    assert f"**{len(wrong)} mistakes** in {len(some)} images" in words(at)

    at.selectbox(key="images_choice").set_value("").run()
    assert f"**{(logits.argmax(1) != small.test.labels).sum()} mistakes** in 101" in words(at)
    go(at, "evaluate")
    assert_evaluated(at, small.test.labels, logits)
    assert "Test accuracy" in metrics(at)
    assert "images" not in url(at)


def test_the_mistakes_button_opens_the_selections_mistakes(recorded, small, logits):
    wrong = np.flatnonzero(logits.argmax(1) != small.test.labels)
    at = with_selected(400 + wrong[:3], epoch="1")
    at.button(key="send_mistakes").click().run()
    assert not at.exception and at.title[0].value == "Mistakes"
    shown = ids_in(grid(at, "mistakes_grid")["captions"], small)
    assert set(shown) == set(400 + wrong[:3])


def test_images_that_are_all_read_rightly_leave_no_error_and_a_way_back(recorded, small, logits):
    right = np.flatnonzero(logits.argmax(1) == small.test.labels)
    at = with_selected(400 + right, epoch="1")
    at.button(key="send_evaluate").click().run()
    assert_evaluated(at, small.test.labels[right], logits[right])
    go(at, "mistakes")
    assert "The network reads all chosen images rightly" in at.info[0].value
    at.selectbox(key="images_choice").set_value("").run()
    assert not at.exception and "mistakes_grid" in components(at, "digit_grid")


@pytest.mark.parametrize("page", ["evaluate", "mistakes"])
def test_a_slice_of_no_image_is_explained_or_refused(page, recorded, small):
    at = start(page, data=small.fingerprint[:8], slice="none:", images="none")
    assert not at.exception
    assert "nan" not in " ".join(metrics(at).values())


def test_the_network_is_asked_for_training_images(recorded, small, answers):
    some = np.array([5, 6, 7, 8, 9, 450])
    at = with_selected(some, epoch="1")
    at.button(key="send_evaluate").click().run()
    assert not at.exception
    ((moment, images),) = answers
    everything, labels = joined(small)
    assert moment == 1
    np.testing.assert_array_equal(images, everything[some])
    said = np.random.default_rng(3).normal(size=(6, 10))
    assert_evaluated(at, labels[some], said)
    go(at, "mistakes")
    expected = some[said.argmax(1) != labels[some]]
    assert sorted(ids_in(grid(at, "mistakes_grid")["captions"], small)) == list(expected)
    assert len(answers) == 1  # the answer is kept


@pytest.mark.parametrize("page", ["evaluate", "mistakes"])
def test_without_an_answer_there_is_an_error_and_a_way_back(page, recorded, no_answer):
    at = with_selected(np.array([5, 450]), epoch="1")
    at.button(key=f"send_{page}").click().run()
    assert not at.exception
    assert "did not answer" in at.error[0].value
    at.selectbox(key="images_choice").set_value("").run()
    assert not at.exception and not at.error
    assert components(at, "digit_grid")


def test_a_run_on_other_data_shows_its_test_set_and_names_no_selection(
    root, small, digits, tiny_config, monkeypatch
):
    """The selection holds images of the data that the app runs on."""
    run = write_run(root, digits, tiny_config, epochs=1)
    monkeypatch.setattr(resources, "_other_dataset", lambda source: digits)
    at = start("evaluate", run=run.id, data=small.fingerprint[:8], selected=TWO, images="selection")
    assert not at.error and not at.warning
    assert_evaluated(at, digits.test.labels, np.load(run.path / "predictions" / "001.npy"))
    choices = [box for box in at.selectbox if box.key == "images_choice"]
    assert all(box.value == "" for box in choices)


# The opened image


def test_previous_and_next_walk_through_what_is_arranged_across_pages(small):
    at = start("browse", split="both", order="shuffled", seed="4")
    order = np.random.default_rng(4).permutation(501)
    assert opened(at, small) == order[0]
    assert at.button(key="open_previous").disabled and not at.button(key="open_next").disabled
    at.session_state["opened"] = int(order[118])
    at.run()
    for place in (119, 120, 121):
        at.button(key="open_next").click().run()
        assert not at.exception
        assert opened(at, small) == order[place]
        assert at.pagination(key="browse_page").value == place // PAGE + 1
        selected = grid(at, "browse_grid")["selected"]
        assert shown(at, small)[selected] == order[place]
    for place in (120, 119):
        at.button(key="open_previous").click().run()
        assert opened(at, small) == order[place]
    assert at.pagination(key="browse_page").value == 1
    at.session_state["opened"] = int(order[-1])
    at.run()
    assert at.button(key="open_next").disabled and not at.button(key="open_previous").disabled


def test_the_opened_image_is_in_the_url_and_opens_again(small):
    at = with_opened(407, split="test")
    assert browse_url(at) == {"split": "test", "image": "407", "data": small.fingerprint[:8]}
    assert opened(again(at), small) == 407
    go(at, "home")
    go(at, "browse")
    assert opened(at, small) == 407


def test_an_image_that_is_filtered_out_is_closed_also_in_the_url(small):
    at = with_opened(7)
    other = (int(small.train.labels[7]) + 1) % 10
    at.get_by_key("browse_labels").set_value([other]).run()
    assert opened(at, small) == shown(at, small)[0]
    assert "image" not in url(at)


@pytest.mark.parametrize("number", [7, 399, 400, 450])
def test_the_neighbours_are_the_sixteen_nearest_of_scikit_learn(number, small):
    at = with_opened(number, split="both")
    images, labels = joined(small)
    flat = images.reshape(-1, 784) / 255
    pool = np.array([i for i in range(400) if i != number])
    search = NearestNeighbors(n_neighbors=16, algorithm="brute").fit(flat[pool])
    distances, places = search.kneighbors(flat[[number]])
    near = shown(at, small, "neighbours")
    assert set(near) == set(pool[places[0]])
    np.testing.assert_allclose(
        np.linalg.norm(flat[near] - flat[number], axis=1), distances[0], atol=1e-6
    )
    said = [float(text.split(", ")[-1].split()[0]) for text in grid(at, "neighbours")["captions"]]
    np.testing.assert_allclose(said, distances[0], atol=0.0051)
    assert grid(at, "neighbours")["marks"] == [
        "" if label == labels[number] else "wrong" for label in labels[near]
    ]


def test_the_pixels_are_the_images_and_normalized_a_255th(small):
    at = with_opened(403)
    image = small.test.images[3]
    np.testing.assert_allclose(array(figure(at, "browse_pixels")["data"][0]["z"]), image)
    at.get_by_key("browse_normalized").set_value(True).run()
    assert not at.exception
    z = array(figure(at, "browse_pixels")["data"][0]["z"])
    np.testing.assert_allclose(z, image / 255, atol=1e-6)
    cross = figure(at, "browse_pixels")["data"][1]
    centre = [(image * axis).sum() / image.sum() for axis in np.indices((28, 28))]
    assert (array(cross["y"])[0], array(cross["x"])[0]) == pytest.approx(centre, abs=1e-3)


@pytest.mark.parametrize("number", [0, 11, 403])
def test_the_opened_images_figures_are_those_of_numpy(number, small):
    at = with_opened(number)
    image = joined(small)[0][number]
    (caption,) = (c.value for c in at.caption if "pixels have ink" in c.value)
    ink, dark, width, leans, mean = (
        float(figure)
        for figure in re.match(
            r"(\d+) of 784 pixels have ink, (\d+) % strong ink. The stroke is ([\d.]+) pixels wide "
            r"and leans (\d+)° to the (?:right|left). Distance to the average \d: ([\d.]+)\. ",
            caption,
        ).groups()
    )
    assert ink == (image > 0).sum()
    assert dark == pytest.approx((image >= 128).mean() * 100, abs=0.51)
    assert width == pytest.approx(thickness(image), abs=0.051)
    assert leans == pytest.approx(abs(slant(image)), abs=0.51)
    assert ("to the right" in caption) == (slant(image) > 0)
    assert mean == pytest.approx(from_own_mean(small, number), abs=0.051)


def test_a_neighbour_outside_the_view_is_no_dead_end(small):
    at = start("browse", split="test", digits="4")
    fours = passing(small, "test", (4,))
    at.button(key="open_next").click().run()
    at.session_state["opened"] = 7  # a training image, as a click on a neighbour opens it
    at.run()
    assert "Training image 7:" in words(at)
    at.button(key="open_next").click().run()
    assert opened(at, small) == fours[2]
    at.session_state["opened"] = 7
    at.run()
    at.button(key="open_previous").click().run()
    assert opened(at, small) == fours[1]


def test_a_selection_too_large_for_a_link_does_not_restrict_a_reload(built_in, digits):
    many = np.arange(slices.LARGEST + 1)
    at = with_selected(many)
    at.session_state["images"] = "selection"
    at.run()
    assert "images" not in url(at) and "selected" not in url(at)
    again = start("browse", **url(at))
    assert not again.warning


@pytest.mark.parametrize("page", ["evaluate", "mistakes"])
def test_what_is_bad_in_a_link_is_said_on_every_screen_that_shows_images(page, recorded, small):
    at = start(page, images="nosuch", data=small.fingerprint[:8])
    (warning,) = at.warning
    assert "nosuch" in warning.value


def test_each_dataset_keeps_what_was_selected_on_it(small):
    at = with_selected(np.array([3, 5]))
    other = replace(small, fingerprint="b" * 32, name="other")
    data_store().dataset = other
    at.run()
    assert not at.exception and len(at.session_state["selected"]) == 0
    at.session_state["selected"] = np.array([9])
    at.run()
    data_store().dataset = small
    at.run()
    assert list(at.session_state["selected"]) == [3, 5]
    data_store().dataset = other
    at.run()
    assert list(at.session_state["selected"]) == [9]


def test_the_network_says_what_it_reads_in_the_opened_image(recorded, small, answers):
    at = start("browse", epoch="1")
    at.session_state["opened"] = 403
    at.toggle(key="browse_ask").set_value(True).run()
    assert not at.exception
    moment, images = answers[-1]
    assert moment == 1
    np.testing.assert_array_equal(images, small.test.images[3:4])
    bars = figure(at, "browse_answer")["data"][0]
    said = softmax(np.random.default_rng(3).normal(size=10))
    assert array(bars["y"]) == pytest.approx(said * 100, abs=1e-6)


def test_no_answer_about_the_opened_image_is_explained(recorded, no_answer):
    at = start("browse")
    at.toggle(key="browse_ask").set_value(True).run()
    assert not at.exception
    assert "did not answer" in at.error[0].value


# The map


def map_ids(at, dataset):
    """Return the id of each place on the map, from the digits sent for the pointer."""
    (store,) = components(at, "digit_store").values()
    return np.array(ids_in(store["captions"], dataset))


def points(at, dataset):
    """Return ids and positions of the points drawn in colour, and the positions of faint ones."""
    faint, *of_digits = figure(at, "digit_map")["data"][:11]
    places = np.concatenate([array(trace["customdata"]) for trace in of_digits]).astype(int)
    xy = np.column_stack(
        [np.concatenate([array(trace[axis]) for trace in of_digits]) for axis in "xy"]
    )
    return map_ids(at, dataset)[places], xy, np.column_stack([array(faint[a]) for a in "xy"])


def principal(images):
    return PCA(2, svd_solver="full").fit_transform(images.reshape(-1, 784) / 255)


def assert_same_up_to_signs(drawn, expected):
    for axis in (0, 1):
        sign = np.sign((drawn[:, axis] * expected[:, axis]).sum())
        np.testing.assert_allclose(drawn[:, axis] * sign, expected[:, axis], atol=2e-3)


@pytest.mark.parametrize("split", ["training", "test", "both"])
def test_the_map_has_each_image_once_where_scikit_learns_pca_puts_it(split, small):
    at = start("browse", show="map", split=split)
    ids, xy, faint = points(at, small)
    expected = passing(small, split)
    assert sorted(ids) == expected and not len(faint)
    order = np.argsort(ids)
    assert_same_up_to_signs(xy[order], principal(joined(small)[0][expected]))
    for digit, trace in enumerate(figure(at, "digit_map")["data"][1:11]):
        of_digit = map_ids(at, small)[array(trace["customdata"]).astype(int)]
        assert set(joined(small)[1][of_digit]) <= {digit}


def test_what_is_filtered_out_is_faint_on_the_map_and_the_rest_stays(small):
    at = set_widgets(start("browse", show="map"), digits=[3, 5])
    ids, xy, faint = points(at, small)
    assert sorted(ids) == passing(small, digits=(3, 5))
    assert len(ids) + len(faint) == 400
    everything = principal(small.train.images)
    assert_same_up_to_signs(xy, everything[ids])
    others = np.setdiff1d(np.arange(400), ids)
    of_faint = map_ids(at, small)
    of_faint = of_faint[~np.isin(of_faint, ids)]
    np.testing.assert_array_equal(np.sort(of_faint), others)
    assert_same_up_to_signs(faint, everything[of_faint])


def test_a_map_of_nothing_shows_faint_points_and_no_error(small):
    at = set_widgets(start("browse", show="map"), range="9000")
    ids, _, faint = points(at, small)
    assert not len(ids) and len(faint) == 400


def test_the_selected_images_are_selected_on_the_map_and_stand_beside_it(small):
    at = start("browse", show="map")
    traces = figure(at, "digit_map")["data"]
    assert all(trace.get("selectedpoints") is None for trace in traces)
    selected = [0, 3, 17, 200, 399, 450]  # the last is not on the training set's map
    at.session_state["selected"] = np.array(selected)
    at.run()
    of_place, found = map_ids(at, small), []
    for trace in figure(at, "digit_map")["data"][1:11]:
        places = array(trace["customdata"]).astype(int)
        found += list(of_place[places[array(trace["selectedpoints"]).astype(int)]])
    assert sorted(found) == selected[:-1]
    assert shown(at, small, "selected_grid") == selected


def test_the_opened_image_is_ringed_with_lines_to_its_nearest(small):
    at = with_opened(17, show="map")
    lines, near, ring = figure(at, "digit_map")["data"][11:]
    ids, xy, _ = points(at, small)

    def number_at(trace):
        places = np.column_stack([array(trace["x"]), array(trace["y"])])
        return list(ids[np.linalg.norm(places[:, None] - xy, axis=2).argmin(1)])

    assert number_at(ring) == [17]
    flat = small.train.images.reshape(-1, 784) / 255
    distances = np.linalg.norm(flat - flat[17], axis=1)
    distances[17] = np.inf
    assert set(number_at(near)) == set(np.argsort(distances)[:12])
    assert len(array(lines["x"])) == 3 * 12


def test_tsne_not_made_is_explained_and_made_at_a_press(small, analysing):
    at = start("browse", show="map")
    at.get_by_key("map_method").set_value("tsne").run()
    assert "about half a minute" in at.info[0].value
    assert "digit_map" not in components(at, "chart") and not analysing.asked
    at.button(key="start_tsne").click().run()
    assert not at.exception
    assert analysing.asked == [(small.source, small.fingerprint, "tsne", "training")]


def test_tsne_says_how_far_it_is_and_why_it_failed(analysing, monkeypatch):
    monkeypatch.setattr(analyses, "fraction", lambda *place: 0.4)
    at = start("browse", show="map", split="test")
    at.get_by_key("map_method").set_value("tsne").run()
    at.button(key="start_tsne").click().run()
    assert "40%" in at.get("progress")[0].proto.text
    assert not at.info
    analysing.futures["tsne", "test"].set_exception(data.DataRefused(f"It broke. {PICTURE}"))
    at.run()
    assert not at.exception
    assert "could not be worked out. It broke." in at.error[0].value
    assert "![](" not in words(at)
    at.button(key="start_tsne").click().run()  # and again
    assert len(analysing.asked) == 2 and not at.error


@pytest.fixture
def on_disk(small, tmp_path):
    """The small dataset as a file, which the app runs on: a worker can read it too."""
    path = tmp_path / "small.npz"
    np.savez(
        path,
        x_train=small.train.images,
        y_train=small.train.labels,
        x_test=small.test.images,
        y_test=small.test.labels,
    )
    data_store().open(str(path))
    return data_store().dataset


def make(dataset, name, split):
    analyses.make(runs.runs_folder(), dataset.source, dataset.fingerprint, name, split)


def test_tsne_once_made_is_drawn_also_in_the_session_that_waited(on_disk, analysing, monkeypatch):
    places = np.random.default_rng(6).normal(size=(101, 2)).astype(np.float32)
    monkeypatch.setattr(maps, "tsne", lambda images, progress: places)
    at = start("browse", show="map", split="test")
    at.get_by_key("map_method").set_value("tsne").run()
    assert at.button(key="start_tsne")
    make(on_disk, "tsne", "test")
    at.run()
    assert not at.exception
    ids, xy, _ = points(at, on_disk)
    assert sorted(ids) == list(range(400, 501))
    place_of = np.argsort(map_ids(at, on_disk))[ids - 400]
    np.testing.assert_allclose(xy, places[place_of], rtol=1e-6)
    at.get_by_key("browse_split").set_value("training").run()  # another map, not made yet
    assert at.button(key="start_tsne") and not analysing.asked


# The classes


def class_means(dataset):
    train = dataset.train
    return np.array([train.images[train.labels == digit].mean(0) for digit in range(10)])


def test_the_distances_of_the_classes_are_numpys(small):
    at = start("browse", show="classes")
    flat = class_means(small).reshape(10, 784) / 255
    expected = np.array([[np.linalg.norm(a - b) for b in flat] for a in flat])
    drawn = figure(at, "class_distances")
    off = ~np.eye(10, dtype=bool)
    np.testing.assert_allclose(array(drawn["data"][0]["customdata"])[off], expected[off], rtol=1e-4)
    expected[~off] = np.inf
    pair = sorted(np.unravel_index(expected.argmin(), (10, 10)))
    assert re.findall(r"\d", drawn["layout"]["title"]["text"])[:2] == [str(d) for d in pair]
    asked = [at.selectbox(key=key).value for key in ("class_digit", "class_other")]
    assert asked == pair


def test_the_question_of_the_classes_can_be_asked_of_any_pair(small):
    at = start("browse", show="classes")
    at.selectbox(key="class_digit").set_value(3).run()
    at.selectbox(key="class_other").set_value(5).run()
    assert not at.exception
    assert "Mean 3 minus mean 5" in figure(at, "mean_difference")["layout"]["title"]["text"]
    assert url(at)["pair"] == "35"
    at.selectbox(key="class_other").set_value(3).run()  # the same twice: the two are swapped
    assert "Mean 5 minus mean 3" in figure(at, "mean_difference")["layout"]["title"]["text"]
    linked = start("browse", show="classes", pair="70")
    assert "Mean 7 minus mean 0" in figure(linked, "mean_difference")["layout"]["title"]["text"]
    for bad in ("77", "7", "x1", "123"):
        assert not start("browse", show="classes", pair=bad).exception


def test_the_method_of_the_map_is_in_the_url(small):
    at = start("browse", show="map")
    assert "map" not in url(at)
    at.get_by_key("map_method").set_value("tsne").run()
    assert url(at)["map"] == "tsne"
    again = start("browse", show="map", map="tsne")
    assert again.get_by_key("map_method").value == "tsne"
    assert start("browse", show="map", map="nope").get_by_key("map_method").value == "pca"


@pytest.mark.parametrize("pair", [(4, 9), (9, 4), (0, 1)])
def test_a_chosen_pair_is_compared(pair, small):
    one, other = pair
    at = start("browse", {"class_pair": pair}, show="classes")
    means = class_means(small)
    drawn = array(figure(at, "mean_difference")["data"][0]["z"])
    np.testing.assert_allclose(drawn, (means[one] - means[other]) / 255, atol=1e-4)
    flat, labels = small.train.images.reshape(-1, 784) / 255, small.train.labels
    for digit, towards in (pair, pair[::-1]):
        (key,) = (
            key
            for key, data in components(at, "digit_grid").items()
            if data["label"] == f"{digit}s near the mean {towards}"
        )
        ids = shown(at, small, key)
        closer = np.linalg.norm(flat - means[towards].ravel() / 255, axis=1)
        closer -= np.linalg.norm(flat - means[digit].ravel() / 255, axis=1)
        own = np.flatnonzero(labels == digit)
        assert len(ids) == 12 and set(labels[ids]) == {digit}
        np.testing.assert_allclose(closer[ids], np.sort(closer[own])[:12], atol=1e-3)


def test_ten_classes_in_three_rows_and_their_balance(small):
    at = start("browse", show="classes")
    train = small.train
    of_digit = [train.images[train.labels == digit].astype(float) for digit in range(10)]
    for name, expected in (
        ("Mean", [images.mean(0) for images in of_digit]),
        ("Median", [np.median(images, axis=0) for images in of_digit]),
        ("Standard deviation", [np.minimum(2 * images.std(0), 255) for images in of_digit]),
    ):
        assert grid(at, f"class_{name}")["count"] == 10
        drawn = drawn_digits(at, f"class_{name}").astype(float)
        np.testing.assert_allclose(drawn, expected, atol=0.51)
    for bars, split in zip(figure(at, "class_balance")["data"], (train, small.test), strict=True):
        counts = [(split.labels == digit).sum() for digit in range(10)]
        np.testing.assert_allclose(array(bars["y"]), np.array(counts) / len(split) * 100)


# Before training


def test_sizes_and_planted_copies_are_counted(small):
    rng = np.random.default_rng(8)  # noise: no two are equal but those planted
    train, test = (rng.integers(0, 256, (n, 28, 28), np.uint8) for n in (60, 30))
    train[10] = train[11] = train[12] = train[0]
    train[20] = train[21]
    test[5] = test[6]
    test[7] = train[0]
    test[8] = train[30]
    labels = np.arange(60, dtype=np.uint8) % 10
    planted = replace(
        small,
        fingerprint="planted",
        train=data.Split(train, labels),
        test=data.Split(test, labels[:30]),
    )
    data_store().dataset = planted
    at = start("browse", show="copies")
    assert list(metrics(at).values()) == ["60", "30", "2", "4", "1"]
    assert "2 test images can be learned by heart." in words(at)


def test_without_copies_it_says_none(small):
    at = start("browse", show="copies")
    train, test = ({image.tobytes() for image in s.images} for s in (small.train, small.test))
    assert metrics(at) == {
        "Training images": "400",
        "Test images": "101",
        "Test images also in training": "0",
        "Repeated in training": str(400 - len(train)),
        "Repeated in test": str(101 - len(test)),
    }
    assert not train & test
    assert "No test image is, pixel by pixel, also a training image." in words(at)


def test_the_comparison_is_started_once_and_shows_how_far_it_is(small, analysing, monkeypatch):
    monkeypatch.setattr(analyses, "fraction", lambda *place: 0.25)
    at = start("browse", show="copies")
    for _ in range(3):
        at.run()
    assert not at.exception
    assert analysing.asked == [(small.source, small.fingerprint, "nearest", "test")]
    assert "25%" in at.get("progress")[0].proto.text
    again(at)
    assert len(analysing.asked) == 1


def test_a_failed_comparison_says_why_and_is_tried_again_at_a_press(analysing):
    at = start("browse", show="copies")
    analysing.futures["nearest", "test"].set_exception(OSError(f"The disk is full. {PICTURE}"))
    for _ in range(2):
        at.run()
    assert not at.exception
    assert "could not be compared. The disk is full." in at.error[0].value
    assert "![](" not in words(at) and len(analysing.asked) == 1
    at.button(key="again").click().run()
    assert not at.exception and not at.error
    assert len(analysing.asked) == 2


@pytest.mark.parametrize("limit", [None, 3.0, 0.0])
def test_the_nearest_pairs_are_those_of_scikit_learn(limit, on_disk, analysing):
    make(on_disk, "nearest", "test")
    at = start("browse", show="copies")
    if limit is not None:
        at.slider(key="near_limit").set_value(limit).run()
    assert not at.exception and not analysing.asked
    train, test = (s.images.reshape(-1, 784) / 255 for s in (on_disk.train, on_disk.test))
    search = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(train)
    distances = search.kneighbors(test)[0][:, 0]
    near = np.flatnonzero(distances <= (1.0 if limit is None else limit))
    np.testing.assert_allclose(array(figure(at, "nearest")["data"][0]["x"]), distances, atol=1e-6)
    assert f"**{wording.count(len(near), 'test image')}** of 101" in words(at)
    ids = np.array(shown(at, on_disk, "near_pairs"))
    tested, trained = ids[::2] - 400, ids[1::2]
    assert len(tested) == min(30, len(near) or 30)
    found = np.linalg.norm(test[tested] - train[trained], axis=1)
    np.testing.assert_allclose(found, np.sort(distances)[: len(tested)], atol=1e-6)
    right = (
        on_disk.train.labels[np.argmin(np.linalg.norm(test[:, None] - train, axis=2), axis=1)]
        == on_disk.test.labels
    )
    assert wording.percent(right.mean()) in words(at)
    if len(ids):
        pick(at, "near_pairs", 1)
        at.button(key="pair_to_draw").click().run()
        np.testing.assert_array_equal(at.session_state["sheet_digit"], on_disk.train.images[ids[1]])
        assert at.session_state["sheet_meant"] == on_disk.train.labels[ids[1]]
        at = start("browse", show="copies")
        if limit is not None:
            at.slider(key="near_limit").set_value(limit).run()
    select = at.button(key="select_near")
    assert select.disabled == (not len(near))
    if len(near):
        select.click().run()
        np.testing.assert_array_equal(at.session_state["selected"], near + 400)
