"""Evaluate without a browser: what it shows is what the recording says, also a damaged one."""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from apptest import array, components, cursor, evaluation, figure, go, grid, start, url, words
from conftest import write_run
from scipy import stats
from sklearn import metrics

from mnist_core import export, runs, selection, wording
from mnist_core.evaluation import most_frequent_error
from mnist_core.ui import cells, certainty_view, compared
from mnist_core.ui.data_store import data_store

pytestmark = pytest.mark.usefixtures("app_on_small_data")
SHOWS = ("Confusion", "Over time", "How sure", "Two runs", "Weights")


def shown(at):
    """Return the indices of the test images in the grid of the chosen cells."""
    captions = grid(at, "cell_images")["captions"]
    return [int(caption.split("image ")[1].split(":")[0]) for caption in captions]


def written(at, key="confusion"):
    """Return (true, predicted) -> what is written in the cells of a matrix."""
    notes = figure(at, key)["layout"]["annotations"]
    return {(note["y"], note["x"]): note["text"] for note in notes}


# The figures above


def test_the_figures_are_those_of_independent_computations(recorded, small):
    at = start("evaluate")
    labels, logits = small.test.labels, recorded.logits(3.0)
    exact = logits.astype(np.float64)
    probabilities = np.exp(exact - exact.max(1, keepdims=True))
    probabilities /= probabilities.sum(1, keepdims=True)
    right = int((logits.argmax(1) == labels).sum())
    interval = stats.binomtest(right, len(labels)).proportion_ci(0.95, "wilson")
    values = [metric.value for metric in at.metric]
    top2 = metrics.top_k_accuracy_score(labels, probabilities, k=2, labels=range(10))
    assert values == [
        f"{100 * right / len(labels):.2f} %",
        f"{metrics.log_loss(labels, probabilities, labels=range(10)):.4f}",
        f"{100 * top2:.2f} %",
        str(len(labels) - right),
    ]
    assert f"between {interval.low * 100:.1f} and {interval.high * 100:.1f} %" in words(at)


def test_few_digits_leave_a_wide_interval(root, digits, tiny_config, built_in):
    write_run(root, digits, tiny_config)
    at = start("evaluate")
    said = words(at).split("probably lies between ")[1].split(" %")[0]
    low, high = map(float, said.split(" and "))
    assert high - low > 2
    assert "360" in at.metric[3].label


def test_scores_of_each_digit_and_their_macro_average(recorded, small):
    at = start("evaluate")
    table = at.dataframe[0].value
    predicted = recorded.logits(3.0).argmax(1)
    oracle = metrics.precision_recall_fscore_support(
        small.test.labels, predicted, labels=range(10), zero_division=0
    )
    macro = metrics.precision_recall_fscore_support(
        small.test.labels, predicted, labels=range(10), zero_division=0, average="macro"
    )
    for name, each, mean in zip(("precision", "recall", "f1"), oracle, macro, strict=False):
        np.testing.assert_allclose(table[name], [mean, *each], atol=1e-12)
    assert table["digit"].tolist() == ["all digits", *map(str, range(10))]
    assert table["support"].tolist() == [101, *oracle[3]]


@pytest.mark.parametrize("show", SHOWS)
def test_every_view_follows_the_cursor_and_the_link(show, recorded, small):
    at = start("evaluate", evaluate=show, epoch="1")
    assert cursor(at) == "1" and url(at)["epoch"] == "1"
    charts = {key: data["figure"] for key, data in components(at, "chart").items()}
    for index, epoch in ((0, "0"), (2, "2")):
        at.session_state["epoch_cursor"] = {"moved": {"index": index, "at": index + 1}}
        at.run()
        assert not at.exception and not at.error
        assert at.metric[0].value == wording.percent(evaluation(recorded, small, index).accuracy)
        assert url(at)["epoch"] == epoch
    moved = {key: data["figure"] for key, data in components(at, "chart").items()}
    assert moved.keys() == charts.keys()
    assert all(moved[key] != charts[key] for key in charts)


def test_the_view_stays_when_one_looks_at_another_page(recorded):
    at = start("evaluate", evaluate="How sure")
    go(at, "browse")
    go(at, "evaluate")
    assert "coverage" in components(at, "chart")


# The confusion matrix


def test_the_matrix_and_its_sums_are_scikit_learns(recorded, small):
    at = start("evaluate")
    oracle = metrics.confusion_matrix(small.test.labels, recorded.logits(3.0).argmax(1))
    told = written(at)
    for (true, predicted), count in np.ndenumerate(oracle):
        assert told.get((true, predicted), "0") == str(count)
    errors = np.where(np.eye(10, dtype=bool), 0, oracle)
    assert [told.get((true, 10), "0") for true in range(10)] == list(map(str, errors.sum(1)))
    assert [told.get((10, p), "0") for p in range(10)] == list(map(str, errors.sum(0)))
    at.toggle(key="errors_only").set_value(False).run()
    assert written(at)[10, 10] == str(len(small.test))


def test_before_anything_is_chosen_the_last_most_frequent_error_is(recorded, small):
    """Of the last epoch, whatever the cursor's: it stays the same while a run is played."""
    true, predicted, _ = most_frequent_error(evaluation(recorded, small, 3.0).confusion)
    for epoch in (0, 1, 3):
        at = start("evaluate", epoch=str(epoch))
        assert shown(at) == list(evaluation(recorded, small, epoch).errors(true, predicted))
        assert set(grid(at, "cell_images")["marks"]) <= {"wrong"}
        assert "cells" not in url(at)


def test_cells_of_a_link_are_shown_and_stay_in_it(recorded, small):
    labels, said = small.test.labels, recorded.logits(1.0).argmax(1)
    for text, chosen in (
        ("33", (labels == 3) & (said == 3)),
        ("4x", (labels == 4) & (said != 4)),
        ("x9", (labels != 9) & (said == 9)),
        ("xx", labels != said),
        ("33.4x.12", ((labels == 3) & (said == 3)) | ((labels == 4) & (said != 4))
                     | ((labels == 1) & (said == 2))),
    ):  # fmt: skip
        at = start("evaluate", epoch="1", cells=text)
        assert sorted(shown(at)) == list(np.flatnonzero(chosen)), text
        assert url(at)["cells"] == text
        frames = [
            shape
            for shape in figure(at, "confusion")["layout"]["shapes"]
            if shape["type"] == "rect"
        ]
        assert len(frames) == len(text.split("."))


def test_a_row_shows_what_its_number_counts(recorded, small):
    at = start("evaluate", cells="4x", errors_only="false")
    assert sorted(shown(at)) == list(np.flatnonzero(small.test.labels == 4))
    assert written(at)[4, 10] == str(len(shown(at)))


@pytest.mark.parametrize("asked", ["4", "49.", "a9", "![](x)", "49.9x.", "4" * 500, " 49"])
def test_nonsense_cells_in_a_link_choose_nothing(asked, recorded):
    at = start("evaluate", cells=asked)
    assert not at.exception
    assert "cells" not in url(at) and shown(at)


def test_a_click_chooses_and_with_shift_adds_or_takes_away(monkeypatch):
    state = {"cells": [(8, 7)]}  # framed, as the most frequent error
    monkeypatch.setattr(cells.st, "session_state", state)

    def click(true, predicted, add=False):
        cells.clicked(state["cells"], {"y": true, "x": predicted, "add": add})
        return state["cells"]

    assert click(6, 0, add=True) == [(8, 7), (6, 0)]
    assert click(4, 9) == [(4, 9)]
    assert click(9, 4) == [(9, 4)]
    assert click(10, 7, add=True) == [(9, 4), (None, 7)]
    assert click(9, 4, add=True) == [(None, 7)]
    state["several_cells"] = True  # the way of a finger
    assert click(2, 10) == [(None, 7), (2, None)]
    assert click(10, 10) == [(None, 7), (2, None), (None, None)]


@pytest.mark.parametrize("share", ["% of row", "% of column"])
def test_per_cent_of_row_and_column(share, recorded, small):
    at = start("evaluate", cells_show=share)
    how = {"% of row": "true", "% of column": "pred"}[share]
    said = recorded.logits(3.0).argmax(1)
    oracle = 100 * metrics.confusion_matrix(small.test.labels, said, normalize=how)
    told = written(at)
    for (true, predicted), value in np.ndenumerate(oracle):
        assert float(told.get((true, predicted), 0)) == pytest.approx(value, abs=0.051)


def test_change_is_the_difference_to_another_epoch(recorded, small):
    key = f"{compared.EPOCH}1"
    at = start("evaluate", {"compared_with": key}, cells_show="change")
    now, before = (
        metrics.confusion_matrix(small.test.labels, recorded.logits(moment).argmax(1))
        for moment in (3.0, 1.0)
    )
    told = written(at)
    for cell, value in np.ndenumerate(now - before):
        assert int(told.get(cell, "0").replace("−", "-")) == value
    fewer = (np.trace(now) - np.trace(before)).item()
    assert figure(at, "confusion")["layout"]["title"]["text"].startswith(f"{fewer} fewer errors")
    assert url(at)["with"] == key


def test_a_class_that_is_never_there_and_never_said_warns_of_nothing(root, small, tiny_config):
    run = write_run(root, small, tiny_config, epochs=1)
    logits = run.logits(1.0)
    logits[:, 5] = -50
    np.save(run.path / "predictions" / "001.npy", logits)
    for show in SHOWS:
        at = start("evaluate", evaluate=show, cells_show="% of column")
        assert not at.exception and not at.warning  # warnings of ours are errors in these tests
    at = start("evaluate")
    assert at.dataframe[0].value["precision"][6] == 0


def test_macro_averages_leave_out_digits_without_images(recorded, small):
    chosen = np.flatnonzero(small.test.labels < 4)
    at = start("evaluate")
    at.session_state["slices"] = {"mine": 400 + chosen}
    at.session_state["images"] = "mine"
    at.run()
    table = at.dataframe[0].value
    assert table["recall"][0] == pytest.approx(table["recall"][1:5].mean())
    assert table["support"][0] == len(chosen)
    assert "no random sample" in words(at) and "probably lies" not in words(at)


@pytest.mark.parametrize("page", ["evaluate", "mistakes"])
@pytest.mark.parametrize("show", [*SHOWS, "Mistakes", "Doubtful labels"])
def test_the_choice_of_images_is_on_every_view(page, show, recorded):
    at = start(page, **{page: show})
    at.session_state["slices"] = {"mine": np.arange(400, 430)}
    at.session_state["images"] = "mine"
    at.run()
    assert not at.exception
    at.selectbox(key="images_choice").set_value("").run()
    assert at.session_state["images"] == ""


@pytest.mark.parametrize(
    ("text", "errors_only", "said"),
    [("4x", "true", "True 4, read wrongly"), ("4x", "false", "All true 4s"),
     ("x9", "true", "Wrongly read as 9"), ("x9", "false", "All read as 9"),
     ("xx", "true", "All errors"), ("xx", "false", "All digits"),
     ("33", "true", "True 3, rightly read as 3"), ("49.9x", "true", "4→9, 9→any")],
)  # fmt: skip
def test_cells_are_named_by_what_they_show(text, errors_only, said, recorded):
    at = start("evaluate", cells=text, errors_only=errors_only)
    assert f"**{said}: " in words(at)


def test_a_click_on_the_curve_takes_the_threshold_at_or_below_it(monkeypatch):
    state = {}
    monkeypatch.setattr(certainty_view.st, "session_state", state)
    for clicked, taken in ((99.918, 99.91), (37.2, 35.0), (100.0, 100.0), (99.9999, 99.999)):
        certainty_view._take_threshold({"customdata": clicked})
        assert state["threshold"] == taken
    assert list(certainty_view.THRESHOLDS) == sorted(set(certainty_view.THRESHOLDS))


def test_names_are_no_markdown(root, small, tiny_config):
    """A picture in a name would be fetched from outside."""
    evil = replace(small, name="![](http://a.example/b.png)")
    data_store().dataset = evil
    write_run(root, evil, replace(tiny_config, name="![](http://a.example/c.png)"))
    for show in SHOWS:
        at = start("evaluate", evaluate=show)
        assert not at.exception and "![](" not in words(at)


# Over time


def test_each_cell_over_the_epochs(recorded, small):
    true, predicted, _ = most_frequent_error(evaluation(recorded, small, 1.0).confusion)
    at = start("evaluate", evaluate="Over time", cells=f"{true}{predicted}")
    curve = figure(at, "cell_curve")["data"][0]
    counts = [
        metrics.confusion_matrix(small.test.labels, recorded.logits(m).argmax(1))[true, predicted]
        for m in (1.0, 2.0, 3.0)
    ]
    assert array(curve["x"]).tolist() == [1, 2, 3]
    assert array(curve["y"]).tolist() == counts


def test_a_run_with_only_its_untrained_network_is_shown(root, small, tiny_config):
    write_run(root, small, tiny_config, epochs=0, state="stopped")
    for show in SHOWS:
        at = start("evaluate", evaluate=show)
        assert not at.exception and not at.error
    assert cursor(at) == "0"


def test_a_run_stopped_within_an_epoch_is_shown_at_that_moment(root, small, tiny_config):
    run = write_run(root, small, tiny_config, epochs=2, state="stopped")
    for folder, name in (("predictions", "npy"), ("weights", "npz")):
        path = run.path / folder
        (path / f"002.{name}").rename(path / f"001.400.{name}")
    for show in SHOWS:
        at = start("evaluate", evaluate=show)
        assert not at.exception and not at.error
        assert cursor(at) == "1.4"
    at = start("evaluate", evaluate="Over time")
    assert array(figure(at, "cell_curve")["data"][0]["x"]).tolist() == [1, 1.4]


def test_unreadable_moments_are_left_out_and_said(recorded):
    path = recorded.path / "predictions" / "002.npy"
    path.write_bytes(path.read_bytes()[:300])
    at = start("evaluate", evaluate="Over time")
    assert not at.exception
    assert "cannot be read: epoch 2." in at.warning[0].value
    assert array(figure(at, "cell_curve")["data"][0]["x"]).tolist() == [1, 3]
    at = start("evaluate", evaluate="Over time", epoch="2")
    assert "cannot be shown" in at.error[0].value


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("page", ["evaluate", "mistakes"])
def test_a_diverged_network_is_explained_and_its_earlier_epochs_stay(page, value, recorded):
    path = recorded.path / "predictions" / "003.npy"
    logits = np.load(path)
    logits[5] = value
    np.save(path, logits)
    at = start(page)
    assert not at.exception
    assert "not all numbers: the training diverged" in at.error[0].value
    at = start(page, epoch="2", evaluate="Over time")
    assert not at.exception and not at.error


# How sure


def test_a_threshold_says_what_it_leaves_unread(recorded, small):
    at = start("evaluate", evaluate="How sure")
    answers = evaluation(recorded, small)
    for threshold in (0.0, 50.0, 80.0, 99.9, 100.0):
        at.select_slider(key="threshold").set_value(threshold).run()
        assert not at.exception
        read = answers.confidence >= threshold / 100
        wrong = int((read & (small.test.labels != answers.predicted)).sum())
        said = f"{wording.count(int((~read).sum()), 'digit')} of 101 left unread"
        assert said in words(at)
        how = f"; in the {read.sum()} read {wording.count(wrong, 'mistake')}."
        assert (how if read.any() else ": it is never so sure.") in words(at)
    at = start("evaluate", evaluate="How sure", threshold="99.93")
    assert at.select_slider(key="threshold").value == 99.93


def test_the_calibration_error_is_that_of_a_plain_loop(recorded, small):
    at = start("evaluate", evaluate="How sure", epoch="2")
    answers = evaluation(recorded, small, 2.0)
    total = 0.0
    for low in np.arange(10) / 10:
        inside = (answers.confidence > low) & (answers.confidence <= low + 0.1)
        if inside.any():
            gap = (answers.predicted == small.test.labels)[inside].mean()
            total += inside.sum() * abs(gap - answers.confidence[inside].mean())
    title = figure(at, "reliability")["layout"]["title"]["text"]
    assert title == f"Expected calibration error {wording.percent(total / 101)}"


# Two runs


@pytest.fixture
def other(root, small, tiny_config):
    """A second, worse run: one epoch."""
    run = write_run(root, small, replace(tiny_config, name="other"), epochs=1)
    run.path.rename(root / "20200101-120000-aaaa")  # older than `recorded`
    return runs.read("20200101-120000-aaaa", root)


def test_two_runs_disagree_where_scikit_learn_says(recorded, other, small):
    at = start("evaluate", evaluate="Two runs", run=recorded.id)
    one, two = (
        run.logits(run.moments[-1]).argmax(1) == small.test.labels for run in (recorded, other)
    )
    table = metrics.confusion_matrix(one, two, labels=[False, True])
    told = written(at, "agreement")
    assert [[int(told[i, j]) for j in (0, 1)] for i in (0, 1)] == table.tolist()
    first, second = int(table[1, 0]), int(table[0, 1])
    p = stats.binomtest(first, first + second).pvalue
    assert f"right on {first} digits, the other alone on {second}" in words(at)
    assert ("not more than luck" in words(at)) == (p >= 0.05)
    assert (f"{100 * p:.1f} %" if p >= 0.001 else "less than 0.1 %") in words(at)
    for cell in ((0, 0), (0, 1), (1, 0), (1, 1)):
        at.session_state["agreement_cell"] = cell
        at.run()
        expected = np.flatnonzero((one == bool(cell[0])) & (two == bool(cell[1])))
        captions = grid(at, "agreement_images")["captions"]
        numbers = [int(caption.split("image ")[1].split(",")[0]) for caption in captions]
        assert numbers == list(expected[:120])


def test_two_like_runs_have_no_difference_to_explain(recorded, root, small, tiny_config):
    twin = write_run(root, small, replace(tiny_config, seed=9))
    at = start("evaluate", evaluate="Two runs", run=recorded.id, **{"with": twin.id})
    assert "no difference to explain" in words(at)
    assert "the same settings but for the seed" in words(at)


def test_other_settings_are_not_called_the_same(recorded, root, small, tiny_config):
    other = write_run(root, small, replace(tiny_config, learning_rate=0.1))
    at = start("evaluate", evaluate="Two runs", run=recorded.id, **{"with": other.id})
    assert "the same settings" not in words(at)


def test_a_lone_untrained_network_has_nothing_to_be_compared_with(root, small, tiny_config):
    write_run(root, small, tiny_config, epochs=0, state="stopped")
    at = start("evaluate", evaluate="Two runs")
    assert not at.exception and "nothing to compare with" in at.info[0].value


def test_runs_on_different_data_are_not_compared(recorded, root, small, tiny_config):
    alien = write_run(root, replace(small, fingerprint="other", name="*Fashion*"), tiny_config)
    at = start("evaluate", evaluate="Two runs", run=recorded.id, **{"with": alien.id})
    assert not at.exception
    assert "cannot be compared" in at.warning[0].value
    assert r"\*Fashion\*" in at.warning[0].value  # never as Markdown
    assert "agreement" not in components(at, "chart")


@pytest.mark.parametrize("asked", ["epoch 99", "20200101-000000-dead", "../..", "", "epoch x"])
def test_an_unknown_comparison_in_a_link_takes_the_usual_one(asked, recorded, other):
    at = start("evaluate", evaluate="Two runs", run=recorded.id, **{"with": asked})
    assert not at.exception and not at.error
    assert url(at)["with"] == other.id


def test_a_damaged_other_run_says_so(recorded, other):
    (other.path / "predictions" / "001.npy").write_bytes(b"broken")
    at = start("evaluate", evaluate="Two runs", run=recorded.id)
    assert not at.exception
    assert "cannot be read" in at.error[0].value


# Downloads


def test_predictions_and_matrix_as_files(recorded, small):
    subset = selection.Subset(small, selection.ids_of(small, "test"))
    answers = evaluation(recorded, small)
    frame = pd.read_csv(io.BytesIO(export.predictions(subset, answers)))
    assert frame["index"].tolist() == list(range(101))
    assert frame["label"].tolist() == small.test.labels.tolist()
    shares = frame[[f"p{digit}" for digit in range(10)]].to_numpy()
    np.testing.assert_allclose(shares, answers.probabilities, rtol=1e-8)
    assert (shares.argmax(1) == recorded.logits(3.0).argmax(1)).all()
    matrix = pd.read_csv(io.BytesIO(export.confusion(answers)), index_col=0)
    oracle = metrics.confusion_matrix(small.test.labels, recorded.logits(3.0).argmax(1))
    assert (matrix.to_numpy() == oracle).all()
    assert matrix.index.name == "true" and matrix.columns[9] == "predicted 9"


def test_the_page_offers_both(recorded):
    at = start("evaluate")
    assert [button.label for button in at.get("download_button")] == [
        "Predictions (CSV)", "Confusion matrix (CSV)",
    ]  # fmt: skip
