"""Every page without a browser: empty, with a run, with bad input. No trainer process starts.

Browse, Train, Evaluate and Mistakes have files of their own.
"""

from dataclasses import replace

import numpy as np
import pytest
import streamlit as st
from apptest import (
    button,
    components,
    cursor,
    evaluation,
    figure,
    go,
    popovers,
    start,
    url,
    wait_for_download,
    words,
)
from conftest import write_run

from mnist_core import data, runs, wording
from mnist_core.presets import PRESETS
from mnist_core.ui import frame, resources

pytestmark = pytest.mark.usefixtures("app_on_small_data")
NEED_A_RUN = ("evaluate", "mistakes")
BUILT_IN = "Built-in sample digits, not MNIST"


# Every page


@pytest.mark.parametrize("page", frame.PAGES)
def test_a_page_without_a_run_has_a_title_and_no_error(page):
    at = start(page)
    assert not at.exception and not at.error
    assert at.title and "No run yet" in words(at)


@pytest.mark.parametrize("page", NEED_A_RUN)
def test_a_page_that_needs_a_run_says_so_and_trains_one(page):
    at = start(page)
    assert "no trained network yet" in at.info[0].value
    button(at, "Train the paper's network").click().run()
    assert not at.exception
    (run,) = runs.list_runs()
    assert run.config == PRESETS["paper"] and run.state == "queued"
    assert url(at)["run"] == run.id
    assert at.button(key="stop")  # the Train page opened


@pytest.mark.parametrize("page", frame.PAGES)
def test_a_page_with_a_run_draws_it_in_the_frame(page, recorded):
    at = start(page)
    assert not at.exception and not at.error and not at.warning
    assert components(at, "epoch_cursor")["epoch_cursor"]["labels"] == ["0", "1", "2", "3"]
    assert cursor(at) == "3"
    (option,) = at.selectbox(key="picked_run").options
    assert recorded.config.title in option
    assert wording.percent(recorded.status["test_accuracy"]) in option
    assert url(at)["run"] == recorded.id


@pytest.mark.parametrize("page", frame.PAGES)
def test_axes_with_numbers_have_titles_and_charts_have_plotly(page, recorded):
    at = start(page)
    for key in components(at, "chart"):
        layout = figure(at, key)["layout"]
        for axis in (layout["xaxis"], layout["yaxis"]):
            numbers = axis.get("showticklabels", True) and "ticktext" not in axis
            assert not numbers or axis["title"]["text"], key
    if components(at, "chart"):
        assert components(at, "plotly_loader")


def test_a_queued_run_without_a_recording_is_explained(root, small, tiny_config):
    runs.create(tiny_config, small.describe())
    for page in NEED_A_RUN:
        at = start(page)
        assert "queued" in at.info[0].value
    assert not components(at, "epoch_cursor")["epoch_cursor"]["labels"]


# The data


@pytest.mark.parametrize("page", frame.PAGES)
def test_built_in_digits_are_announced_on_every_page(page, built_in):
    at = start(page)
    assert not at.exception
    assert BUILT_IN in popovers(at)


def test_a_failed_download_says_why_and_a_retry_switches_over(built_in, small, monkeypatch):
    at = start("train")
    wait_for_download(at)
    assert "no connection" in words(at)
    monkeypatch.setattr(data, "fetch", lambda *args, **named: small)
    button(at, "Download MNIST (11 MB)").click().run()
    wait_for_download(at)
    assert not at.exception
    assert BUILT_IN not in popovers(at)
    button(at, "Start training").click().run()
    assert runs.list_runs()[0].dataset == small.describe()


def test_a_named_file_replaces_the_built_in_digits(built_in, small, tmp_path):
    at = start("browse")
    at.text_input(key="data_path").input(str(tmp_path / "nowhere.npz")).run()
    assert "no such file" in words(at) and BUILT_IN in popovers(at)
    path = tmp_path / "mine.npz"
    arrays = (small.train.images, small.train.labels, small.test.images, small.test.labels)
    np.savez(path, **dict(zip(("x_train", "y_train", "x_test", "y_test"), arrays, strict=True)))
    at.text_input(key="data_path").input(str(path)).run()
    assert not at.exception
    assert BUILT_IN not in popovers(at)
    assert f"{len(small.train)} images" in words(at)


def test_a_run_on_other_data_is_played_on_its_own(recorded, monkeypatch):
    """Where those cannot be had any more, the pages say so."""
    other = replace(resources.dataset(), fingerprint="another", name="other")
    monkeypatch.setattr(data, "find", lambda *args: (other, ()))
    st.cache_resource.clear()
    for page in NEED_A_RUN:
        at = start(page)
        assert "cannot be read any more" in at.error[0].value


# The frame: run and epoch in the URL


@pytest.mark.parametrize(
    "asked", ["20200101-000000-dead", "../../etc", "", "%00", "x" * 3000, "../runs"]
)
def test_an_unknown_or_malformed_run_in_the_url_is_refused(asked, recorded):
    at = start("evaluate", run=asked)
    assert not at.exception
    assert len(at.warning) == 1
    assert url(at)["run"] == recorded.id
    assert len(at.warning[0].value) < 300


def test_a_run_in_the_url_is_not_drawn_as_markdown(recorded):
    """A picture in a link's text would be fetched from outside."""
    at = start(run="![](https://example.com/a.png)")
    assert len(at.warning) == 1
    assert "![](" not in at.warning[0].value.replace("`![](https://example.com/a.png)`", "")


def test_a_deleted_run_gives_way_to_the_newest(root, small, tiny_config):
    old = write_run(root, small, tiny_config)
    kept = write_run(root, small, replace(tiny_config, name="kept"))
    at = start("evaluate", run=old.id)
    assert not at.warning and url(at)["run"] == old.id
    runs.delete(old)
    at.run()
    assert old.id in at.warning[0].value
    assert url(at)["run"] == kept.id
    assert "kept" in words(at)


def test_without_runs_a_warning_promises_none(root):
    at = start(run="20200101-000000-dead")
    assert "shown instead" not in at.warning[0].value


@pytest.mark.parametrize("asked", ["soon", "", "1e", "nan", "inf", "![](//a.example)"])
def test_a_nonsense_epoch_in_the_url_means_the_latest(asked, recorded):
    at = start("evaluate", run=recorded.id, epoch=asked)
    assert not at.exception
    assert cursor(at) == "3"
    assert "epoch" not in url(at)
    assert "![](" not in words(at)


@pytest.mark.parametrize(("asked", "shown"), [("1", "1"), ("0", "0"), ("99", "3"), ("-4", "0")])
def test_an_epoch_in_the_url_is_shown(asked, shown, recorded, small):
    at = start("evaluate", run=recorded.id, epoch=asked)
    assert cursor(at) == shown
    accuracy = evaluation(recorded, small, float(shown)).accuracy
    assert wording.percent(accuracy) in [metric.value for metric in at.metric]


def test_moving_the_cursor_changes_figures_and_url(recorded, small):
    at = start("evaluate")
    before = figure(at, "confusion")
    at.session_state["epoch_cursor"] = {"moved": {"index": 2, "at": 1}}
    at.run()
    assert url(at)["epoch"] == "2" and cursor(at) == "2"
    assert figure(at, "confusion") != before
    errors = len(evaluation(recorded, small, 2.0).errors())
    at = go(at, "mistakes")
    assert f"{errors} mistakes" in words(at)
    at.session_state["epoch_cursor"] = {"moved": {"index": 3, "at": 2}}
    at.run()
    assert "epoch" not in url(at) and cursor(at) == "3"  # the latest


def test_choosing_another_run_shows_it_at_its_latest(root, small, tiny_config):
    old = write_run(root, small, tiny_config, epochs=1)
    write_run(root, small, replace(tiny_config, name="newer"))
    at = start("evaluate", epoch="2")
    at.selectbox(key="picked_run").set_value(old.id).run()
    assert url(at)["run"] == old.id
    assert "epoch" not in url(at) and cursor(at) == "1"


def test_two_runs_with_equal_labels_are_two_options_and_the_chosen_one_stays(
    root, small, tiny_config
):
    """Same settings, same minute, same accuracy: the browser tells options apart by their text."""
    written = [write_run(root, small, tiny_config) for _ in range(2)]
    for run, second in zip(written, ("07-aaaa", "41-bbbb"), strict=True):
        run.path.rename(root / f"20300101-1200{second}")
    one, other = "20300101-120007-aaaa", "20300101-120041-bbbb"
    for current, wanted in ((one, other), (other, one)):
        at = start("evaluate", run=current)
        options = at.selectbox(key="picked_run").options
        assert len(set(options)) == 2
        at.selectbox(key="picked_run").set_value(wanted).run()
        shown = at.selectbox(key="picked_run").options
        for _ in range(3):
            at.run()
            assert not at.exception and not at.warning
            assert at.selectbox(key="picked_run").value == wanted == url(at)["run"]
            assert at.selectbox(key="picked_run").options == shown
        go(at, "mistakes")
        assert url(at)["run"] == wanted


def test_a_label_that_has_changed_meanwhile_is_no_choice(monkeypatch):
    """The browser names the run by the label it had before the run ended; AppTest cannot."""
    state = {"run": "one", "epoch": "2", "picked_run": "● tiny · 11-22 12:00:07"}
    monkeypatch.setattr(st, "session_state", state)
    frame._picked(known=("one", "other"))
    assert (state["run"], state["epoch"]) == ("one", "2")
    state["picked_run"] = "other"
    frame._picked(known=("one", "other"))
    assert (state["run"], state["epoch"]) == ("other", None)


def test_three_runs_with_equal_labels_are_three_options(root, small, tiny_config):
    for end in ("07-aaaa", "41-bbbb", "59-cccc"):
        write_run(root, small, tiny_config).path.rename(root / f"20300101-1200{end}")
    at = start("evaluate", run="20300101-120041-bbbb")
    assert len(set(at.selectbox(key="picked_run").options)) == 3


def test_a_corrupt_run_folder_hides_no_other(root, small, tiny_config):
    good = write_run(root, small, tiny_config)
    (root / "20300101-000000-0000").mkdir()
    torn = write_run(root, small, replace(tiny_config, name="torn line"))
    with open(torn.path / "metrics.jsonl", "ab") as file:
        file.write(b'{"kind": "step", "st\n\xff\xfe\n[]\n')
    bare = write_run(root, small, replace(tiny_config, name="no status"))
    (bare.path / "status.json").write_text("{")
    unconfigured = write_run(root, small, tiny_config)
    (unconfigured.path / "config.json").write_text('{"config": {"layers": 3}}')
    at = start()
    assert not at.exception
    shown = at.selectbox(key="picked_run").options
    assert len(shown) == 3 and any("torn line" in option for option in shown)
    for run in (good, torn, bare):
        for page in frame.PAGES:
            assert not start(page, run=run.id).exception, (run.id, page)
    at = start("evaluate", run=unconfigured.id)
    assert "cannot be read" in at.warning[0].value


@pytest.mark.parametrize("damage", [b"", b"no array", None])
def test_a_damaged_prediction_is_explained_and_other_epochs_stay(damage, recorded):
    file = recorded.path / "predictions" / "003.npy"
    if damage is None:
        np.save(file, np.zeros((3, 10), np.float32))
    else:
        file.write_bytes(damage)
    for page in NEED_A_RUN:
        assert "cannot be shown" in start(page).error[0].value
        assert not start(page, epoch="1").error
    assert not start("train").exception


# Home


def test_home_lists_the_runs_opens_and_deletes_them(root, small, tiny_config):
    first = write_run(root, small, replace(tiny_config, name="first"))
    second = write_run(root, small, replace(tiny_config, name="second"))
    at = start()
    assert "first" in words(at) and "second" in words(at)
    at.button(key=f"open_{first.id}").click().run()
    assert url(at)["run"] == first.id
    assert at.title[0].value == "Evaluate"
    go(at, "home")
    at.button(key=f"delete_{first.id}").click().run()
    assert not at.exception
    assert [run.id for run in runs.list_runs()] == [second.id]
    assert url(at)["run"] == second.id
