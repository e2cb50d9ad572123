"""Mistakes without a browser: the grid, the opened digit, doubtful labels and people's verdicts."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from apptest import (
    array,
    cursor,
    drawn_digits,
    evaluation,
    figure,
    go,
    grid,
    start,
    url,
    words,
)
from conftest import write_run
from PIL import Image
from sklearn.neighbors import NearestNeighbors

from mnist_core import data, export, marks, runs, selection, wording
from mnist_core.evaluation import most_frequent_error
from mnist_core.ui import mistakes_view, resources
from mnist_core.ui.data_store import data_store

pytestmark = pytest.mark.usefixtures("app_on_small_data")
TRAIN = 400  # images of the small training set; ids of test images follow


def shown(at, key="mistakes_grid"):
    captions = grid(at, key)["captions"]
    return [int(caption.split("image ")[1].split(":")[0].replace(",", "")) for caption in captions]


def open_test_image(at, index):
    """Open an image as a click on it does: the grid's function is not called under AppTest."""
    at.session_state["opened"] = TRAIN + index
    return at.run()


# The grid


@pytest.mark.parametrize("first", list(mistakes_view.ORDERS))
def test_mistakes_are_those_of_the_recording_in_each_order(first, recorded, small):
    at = start("mistakes", epoch="1", first=first, pairs="false")
    labels, answers = small.test.labels, evaluation(recorded, small, 1.0)
    wrong = np.flatnonzero(recorded.logits(1.0).argmax(1) != labels)
    assert sorted(shown(at)) == list(wrong)
    ranked = np.sort(answers.probabilities, axis=1)
    epochs_wrong = sum(recorded.logits(m).argmax(1) != labels for m in (1.0, 2.0, 3.0))
    key = {
        "most confident": -ranked[:, -1],
        "largest loss": np.log(answers.probabilities[np.arange(101), labels]),
        "closest call": ranked[:, -1] - ranked[:, -2],
        "most epochs wrong": -epochs_wrong,
        "by index": np.arange(101),
    }[first][shown(at)]
    assert (np.diff(key) >= -1e-12).all()
    assert set(grid(at, "mistakes_grid")["marks"]) == {"wrong"}
    assert (drawn_digits(at, "mistakes_grid") == small.test.images[shown(at)]).all()


def test_mistakes_are_grouped_by_pair_the_most_frequent_first(recorded, small):
    at = start("mistakes", epoch="0")
    tiles = grid(at, "mistakes_grid")["groups"]
    assert sum(int(number) for _, number in (tile["lines"] for tile in tiles)) == len(shown(at))
    counts = [int(tile["lines"][1]) for tile in tiles]
    assert counts == sorted(counts, reverse=True)
    said = recorded.logits(0.0).argmax(1)
    ends = [tile["start"] for tile in tiles[1:]] + [len(shown(at))]
    for tile, end in zip(tiles, ends, strict=True):
        for index in shown(at)[tile["start"] : end]:
            assert tile["lines"][0] == f"{small.test.labels[index]}→{said[index]}"
    at.toggle(key="pairs").set_value(False).run()
    assert grid(at, "mistakes_grid")["groups"] is None


def test_filters_by_true_and_read_digit(recorded, small):
    true, predicted, count = most_frequent_error(evaluation(recorded, small, 0.0).confusion)
    at = start("mistakes", epoch="0")
    at.selectbox(key="true").set_value(str(true)).run()
    at.selectbox(key="read").set_value(str(predicted)).run()
    assert sorted(shown(at)) == list(
        evaluation(recorded, small, 0.0).errors(true, predicted, "index")
    )
    assert f"**{wording.count(count, 'mistake')}**" in words(at)
    go(at, "evaluate")
    go(at, "mistakes")
    assert len(shown(at)) == count  # a look elsewhere keeps the filters


def test_another_filter_opens_its_first_digit(recorded, small):
    answers = evaluation(recorded, small, 1.0)
    groups = list(answers.by_pair(answers.errors()).items())
    (_, kept), ((true, predicted), others) = groups[0], groups[1]
    at = start("mistakes", epoch="1")
    open_test_image(at, int(kept[-1]))
    at.selectbox(key="true").set_value(str(true)).run()
    at.selectbox(key="read").set_value(str(predicted)).run()
    assert f"Test image {others[0]}:" in words(at)


def test_a_filter_without_mistakes_says_so(recorded, small):
    confusion = evaluation(recorded, small).confusion
    true, predicted = (int(place) for place in np.argwhere(confusion == 0)[0])
    at = start("mistakes", true=str(true), read=str(predicted))
    assert not at.exception
    assert "no such mistake" in at.info[0].value


def test_a_network_without_mistakes_is_praised(recorded, small):
    perfect = 9 * np.eye(10, dtype=np.float32)[small.test.labels]
    np.save(recorded.path / "predictions" / "003.npy", perfect)
    at = start("mistakes")
    assert "all test images rightly" in at.info[0].value
    at = start("mistakes", mistakes="Doubtful labels")
    assert not at.exception and not at.error


def test_many_mistakes_come_in_pages_and_the_walk_turns_them(root, small, tiny_config):
    tiled = data.Split(np.tile(small.test.images, (5, 1, 1)), np.tile(small.test.labels, 5))
    large = replace(small, test=tiled)
    data_store().dataset = large
    run = write_run(root, large, tiny_config)
    expected = evaluation(run, large, 0.0).errors()
    assert len(expected) > mistakes_view.PAGE_SIZE
    at = start("mistakes", epoch="0", pairs="false")
    assert shown(at) == list(expected[: mistakes_view.PAGE_SIZE])
    open_test_image(at, int(expected[mistakes_view.PAGE_SIZE - 1]))
    at.button(key="open_next").click().run()
    assert shown(at) == list(expected[mistakes_view.PAGE_SIZE :][: mistakes_view.PAGE_SIZE])
    assert f"Test image {expected[mistakes_view.PAGE_SIZE]:,}:" in words(at)


def test_the_contact_sheet_names_label_and_answer(recorded, small):
    answers = evaluation(recorded, small, 1.0)
    errors = answers.errors()
    images = selection.Subset(small, selection.ids_of(small, "test"))[errors]
    plain = Image.open(io.BytesIO(export.contact_sheet(images)))
    named = Image.open(io.BytesIO(export.contact_sheet(images, answers.predicted[errors])))
    assert plain.size == named.size
    different = np.asarray(plain) != np.asarray(named)
    digit = np.zeros(different.shape, bool)  # only captions differ: none of the digits' squares
    for place in range(len(errors)):
        columns = (plain.width - 8) // 64
        x, y = 8 + place % columns * 64, 8 + place // columns * 78
        digit[y : y + 56, x : x + 56] = True
    assert different.any() and not (different & digit).any()


# The opened digit


def test_the_first_mistake_stands_open_and_the_picked_one_after(recorded, small):
    at = start("mistakes", epoch="1", pairs="false")
    answers = evaluation(recorded, small, 1.0)
    first, other = answers.errors()[0], int(answers.errors()[4])
    assert f"Test image {first}: a {small.test.labels[first]}, read as" in words(at)
    open_test_image(at, other)
    truth, answer = int(small.test.labels[other]), int(answers.predicted[other])
    assert f"Test image {other}: a {truth}, read as {answer}" in words(at)
    shares = array(figure(at, "mistake_probabilities")["data"][0]["y"])
    np.testing.assert_allclose(shares, 100 * answers.probabilities[other])
    loss = -np.log(answers.probabilities[other, truth])
    second = np.argsort(answers.probabilities[other])[-2]
    assert f"the runner-up is {second} with" in words(at) and f"Loss {loss:.4f}" in words(at)
    assert url(at)["image"] == str(TRAIN + other)
    # The opened digit stays, also where the network reads it rightly.
    at.session_state["epoch_cursor"] = {"moved": {"index": 3, "at": 1}}
    at.run()
    assert not at.exception and f"Test image {other}:" in words(at)


def test_the_walk_goes_on_where_an_opened_digit_is_no_mistake_any_more(recorded, small):
    now, later = (evaluation(recorded, small, moment).errors() for moment in (1.0, 2.0))
    place, learned = next(
        (i, int(image)) for i, image in enumerate(now) if i and image not in later
    )
    assert 0 < place < len(later)
    for key, step in (("open_next", 0), ("open_previous", -1)):
        at = start("mistakes", epoch="1", pairs="false")
        open_test_image(at, learned)
        at.session_state["epoch_cursor"] = {"moved": {"index": 2, "at": 1}}
        at.run()
        assert not at.button(key=key).disabled
        at.button(key=key).click().run()
        assert f"Test image {later[place + step]}:" in words(at)


def test_previous_and_next_walk_through_the_mistakes(recorded, small):
    at = start("mistakes", epoch="1", pairs="false")
    errors = evaluation(recorded, small, 1.0).errors()
    assert at.button(key="open_previous").disabled
    for index in errors[1:4]:
        at.button(key="open_next").click().run()
        assert f"Test image {index}:" in words(at)
    at.button(key="open_previous").click().run()
    assert f"Test image {errors[2]}:" in words(at)


def test_the_life_of_an_image_is_what_was_recorded(recorded, small):
    at = start("mistakes", epoch="1")
    index = int(evaluation(recorded, small, 1.0).errors()[0])
    open_test_image(at, index)
    truth = int(small.test.labels[index])
    lines = {trace["name"]: trace for trace in figure(at, "mistake_life")["data"]}
    for moment in range(4):
        share = 100 * evaluation(recorded, small, moment).probabilities[index, truth]
        assert array(lines[str(truth)]["y"])[moment] == pytest.approx(share)
    right = [recorded.logits(m).argmax(1)[index] == truth for m in (1.0, 2.0, 3.0)]
    assert ("Never learned" in words(at)) == (not any(right))


def test_the_nearest_training_digits_of_both_classes(recorded, small):
    at = start("mistakes", epoch="1", detail="Nearest")
    index = int(evaluation(recorded, small, 1.0).errors()[0])
    open_test_image(at, index)
    truth = int(small.test.labels[index])
    answer = int(evaluation(recorded, small, 1.0).predicted[index])
    for digit, key in ((truth, "nearest_other"), (answer, "nearest_answer")):
        own = np.flatnonzero(small.train.labels == digit)
        oracle = NearestNeighbors(n_neighbors=5).fit(small.train.images[own].reshape(-1, 784) / 255)
        found = oracle.kneighbors(small.test.images[index].reshape(1, -1) / 255)[1][0]
        assert sorted(shown(at, key)) == sorted(own[found])


@pytest.mark.parametrize("name", ["Saliency", "Occlusion"])
def test_a_map_is_asked_of_the_network_at_the_cursor(name, recorded, small, monkeypatch):
    asked = []

    def answer(function, path, moment, image, *digits):
        asked.append((function, path, moment, digits))
        return np.full((28, 28), 0.5, np.float32)

    monkeypatch.setattr(resources, "_answer", answer)
    at = start("mistakes", epoch="1", detail=name)
    index = int(evaluation(recorded, small, 1.0).by_pair(evaluation(recorded, small, 1.0).errors())
                .popitem()[1][0])  # fmt: skip
    open_test_image(at, index)
    digits = (int(small.test.labels[index]), int(evaluation(recorded, small, 1.0).predicted[index]))
    assert asked[-1] == (name.lower(), recorded.path, 1.0, digits)
    assert array(figure(at, "attribution")["data"][0]["z"]).ravel().tolist() == [0.5] * 784
    assert f"Blue speaks for {digits[0]}, the true digit, red for {digits[1]}" in words(at)
    at.run()
    assert len(asked) == len(set(asked))  # kept


def test_weights_that_are_gone_are_explained(recorded, monkeypatch):
    def answer(*question):
        raise runs.RunsError("No readable weights of epoch 1.")

    monkeypatch.setattr(resources, "_answer", answer)
    at = start("mistakes", epoch="1", detail="Occlusion")
    assert not at.exception
    assert "No readable weights" in at.error[0].value


def test_a_training_image_has_no_recorded_life_and_no_verdict(recorded, small, monkeypatch):
    monkeypatch.setattr(
        resources, "_answer", lambda *question: -np.eye(10)[small.train.labels[:20]]
    )
    at = start("mistakes", {"images": "mine", "slices": {"mine": np.arange(20)}})
    at.session_state["slices"] = {"mine": np.arange(20)}
    at.session_state["images"] = "mine"
    at.run()
    assert not at.exception
    assert "This is a training image" in words(at)
    assert "Whose fault?" not in words(at)
    at.get_by_key("mistakes").set_value("Doubtful labels").run()
    assert "in the test set" in at.info[0].value


# Doubtful labels


def doubtful(at):
    return shown(at, "labels_grid")


@pytest.fixture
def three(root, small, tiny_config):
    """Three good runs that agree against the labels of images 7 and 42."""
    written = []
    for seed in range(3):
        run = write_run(root, small, replace(tiny_config, name=f"run {seed}"))
        rng = np.random.default_rng(seed)
        logits = rng.normal(size=(101, 10)).astype(np.float32)
        logits[np.arange(101), small.test.labels] += 8
        for index in (7, 42):
            logits[index, small.test.labels[index]] = 0
            logits[index, (small.test.labels[index] + 3) % 10] = 12
        np.save(run.path / "predictions" / "003.npy", logits)
        written.append(runs.read(run.id, root))
    return written


def test_labels_against_which_all_runs_agree_come_first(three, small):
    at = start("mistakes", mistakes="Doubtful labels")
    assert sorted(doubtful(at)[:2]) == [7, 42]
    votes = sum(run.logits(3.0).argmax(1) != small.test.labels for run in three)
    assert sorted(doubtful(at)) == list(np.flatnonzero(votes))  # what all runs read is not listed
    caption = grid(at, "labels_grid")["captions"][0]
    index = doubtful(at)[0]
    other = (small.test.labels[index] + 3) % 10
    own = np.mean([evaluation(run, small).probabilities[index] for run in three], axis=0)
    said = f"3 of 3 runs read otherwise. Likeliest {other}; the label gets "
    assert said + f"{100 * own[small.test.labels[index]]:.1f} %" in caption
    assert "Number 1 in doubt" in words(at)
    assert f"Test image {index}: a {small.test.labels[index]}, read as {other}" in words(at)


def test_the_ticked_runs_are_asked_at_the_cursor_or_their_last(three, small):
    at = start("mistakes", mistakes="Doubtful labels", epoch="1")
    assert cursor(at) == "1"
    ticked = [three[0].id]
    at.session_state["jury"] = ticked
    at.run()
    assert at.multiselect(key="jury_choice").value == ticked
    exact = np.exp(three[0].logits(1.0).astype(float))
    shares = exact / exact.sum(1, keepdims=True)
    own = shares[np.arange(101), small.test.labels]
    others = shares.copy()
    others[np.arange(101), small.test.labels] = 0
    expected = [i for i in np.argsort(own - others.max(1)) if own[i] < others[i].max()]
    assert doubtful(at) == expected[:60]


def test_the_best_runs_are_ticked_first_and_a_link_keeps_the_ticks(three):
    at = start("mistakes", mistakes="Doubtful labels", ask="20200101-000000-dead")
    assert not at.exception
    assert len(at.multiselect(key="jury_choice").value) == 3
    at = start("mistakes", mistakes="Doubtful labels", ask=three[1].id)
    assert at.multiselect(key="jury_choice").value == [three[1].id]
    at.multiselect(key="jury_choice").set_value([]).run()
    assert "Tick at least one run" in at.info[0].value


def test_labels_that_no_run_believes_are_marked_where_their_digits_are_shown(three, small):
    """The last of the three is played; one digit it misreads alone is no doubtful label."""
    alone = np.load(three[2].path / "predictions" / "003.npy")
    alone[50] = 12 * np.eye(10)[(small.test.labels[50] + 1) % 10]
    np.save(three[2].path / "predictions" / "003.npy", alone)
    at = start("mistakes", pairs="false", first="by index", run=three[2].id)
    marks_by_image = dict(zip(shown(at), grid(at, "mistakes_grid")["marks"], strict=True))
    assert marks_by_image[7] == marks_by_image[42] == "unclear"
    assert marks_by_image[50] == "wrong"
    number = sum(mark == "unclear" for mark in marks_by_image.values())
    assert f"**?**: {number} labels that the best networks do not believe" in words(at)
    true, read = int(small.test.labels[7]), int((small.test.labels[7] + 3) % 10)
    at = start("evaluate", cells=f"{true}{read}", run=three[2].id)
    (caption,) = (c for c in grid(at, "cell_images")["captions"] if "image 7:" in c)
    place = grid(at, "cell_images")["captions"].index(caption)
    assert grid(at, "cell_images")["marks"][place] == "unclear"
    assert "the best networks do not believe" in words(at)


def test_one_run_alone_doubts_no_label(recorded):
    at = start("mistakes", epoch="1")
    assert set(grid(at, "mistakes_grid")["marks"]) == {"wrong"}
    assert "do not believe" not in words(at)


def test_a_ticked_run_that_cannot_be_read_is_explained(three):
    for run in three[:1]:
        (run.path / "predictions" / "003.npy").write_bytes(b"")
    at = start("mistakes", run=three[1].id, mistakes="Doubtful labels")
    assert not at.exception
    assert "run 0" in at.error[0].value and "cannot be asked" in at.error[0].value


def verdict(at):
    """Return the control of the opened digit's verdict."""
    (found,) = (group for group in at.get("button_group") if group.label == "Whose fault?")
    return found


def mark(at, given):
    """Press a verdict; returns the page after it."""
    return verdict(at).set_value(given).run()


def test_a_verdict_is_kept_shown_counted_and_taken_back(three, small, root):
    at = start("mistakes", mistakes="Doubtful labels")
    first = doubtful(at)[0]
    mark(at, "label")
    path = root / "marks" / f"{small.fingerprint[:16]}.json"
    assert json.loads(path.read_text())["marks"] == {str(first): "label"}
    assert grid(at, "labels_grid")["marks"][0] == "wrong"
    assert "1 the label's fault" in words(at)
    answers = evaluation(three[2], small)
    rest = np.delete(answers.predicted == small.test.labels, first)
    assert f"without the 1 wrong label **{100 * rest.mean():.2f} %**" in words(at)
    # Another session finds it, on both views.
    again = start("mistakes", mistakes="Doubtful labels")
    assert grid(again, "labels_grid")["marks"][0] == "wrong"
    assert verdict(again).value == "label"
    mark(again, "unclear")
    assert grid(again, "labels_grid")["marks"][0] == "unclear"
    mark(again, None)
    assert json.loads(path.read_text())["marks"] == {}
    assert grid(again, "labels_grid")["marks"][0] == ""


def test_evaluate_says_which_of_its_errors_people_call_wrong_labels(three, small, root):
    answers = evaluation(three[2], small)
    true, predicted = int(small.test.labels[7]), int(answers.predicted[7])
    at = start("evaluate", cells=f"{true}{predicted}")
    assert "wrong label" not in words(at)
    marks.mark(root, small.describe(), 7, "label")
    at.run()
    assert "**1 of these has a wrong label**" in words(at)
    at = start("mistakes")
    (line,) = (c for c in grid(at, "mistakes_grid")["captions"] if "image 7:" in c)
    assert line.endswith("marked: the label's fault")


@pytest.mark.parametrize(
    ("text", "says"),
    [('{"marks": {"7": "guilty", "9999": "label", "5": "model"}}', "2 marks"),
     ("not json", "cannot be read"), ('["label"]', "cannot be read"), ("", "cannot be read")],
)  # fmt: skip
def test_marks_edited_by_hand_are_explained_and_marking_goes_on(text, says, three, small, root):
    path = root / "marks" / f"{small.fingerprint[:16]}.json"
    path.parent.mkdir()
    path.write_text(text)
    at = start("mistakes", mistakes="Doubtful labels")
    assert not at.exception
    assert says in at.warning[0].value
    mark(at, "model")
    assert not at.exception and not at.error
    assert json.loads(path.read_text())["marks"][str(doubtful(at)[0])] == "model"


def test_a_verdict_that_cannot_be_kept_says_so(three, monkeypatch):
    def full(*arguments):
        raise runs.RunsError("The mark cannot be kept: No space left on device.")

    monkeypatch.setattr(marks, "mark", full)
    at = start("mistakes", mistakes="Doubtful labels")
    mark(at, "label")
    assert not at.exception
    assert "No space left" in at.error[0].value


def test_a_run_on_other_data_keeps_its_opened_digit_apart(root, small, tiny_config, monkeypatch):
    """Ids of another dataset mean other images."""
    alien = replace(small, fingerprint="alien", name="alien")
    run = write_run(root, alien, tiny_config)
    monkeypatch.setattr(resources, "_other_dataset", lambda source: alien)
    at = start("mistakes", {"opened": TRAIN + 3}, run=run.id, epoch="1", pairs="false")
    first = evaluation(run, small, 1.0).errors()
    assert f"Test image {first[0]}:" in words(at)
    at.button(key="open_next").click().run()
    assert f"Test image {first[1]}:" in words(at)
    assert at.session_state["opened"] != TRAIN + first[1]
