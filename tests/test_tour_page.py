"""The walk without a browser: the bar on every page, each step's screen, and all steps at once."""

from dataclasses import replace

import numpy as np
import pytest
from apptest import button, components, cursor, go, popovers, start, url, words
from conftest import write_run

from mnist_core import data, recording, runs, wording
from mnist_core.config import TrainConfig
from mnist_core.data import MNIST_FINGERPRINT
from mnist_core.tour import STOPS
from mnist_core.ui import frame

pytestmark = pytest.mark.usefixtures("app_on_small_data")
WIDGETS = {"show": "browse_show"}
TITLES = {name: name.capitalize() for name in frame.PAGES} | {"home": "MNIST Lab"}


def step_of(at):
    """Return the number of the step that the bar shows, or None."""
    said = [each.value for each in at.markdown if each.value.startswith("**Step ")]
    assert len(said) <= 1
    return int(said[0].split()[1]) if said else None


def shown(at):
    """Return the title of the page and the view that its choice shows."""
    titles = [each.value for each in at.title]
    views = {each.key: each.value for each in at.get("button_group")}
    keys = ("browse_show", "train", "evaluate", "explain", "mistakes", "draw")
    return titles, [views[key] for key in keys if key in views]


def check_screen(at, step):
    assert not at.exception
    assert step_of(at) == step.number
    assert shown(at) == ([TITLES[step.page]], [step.query[1]])
    assert url(at)["walk"] == str(step.number)
    assert "walk_return" not in [each.key for each in at.button]
    assert step.look in words(at) and step.question in words(at)


def walk(at):
    """Go from the first step to the last."""
    at.button(key="walk_start").click().run()
    for step in STOPS:
        check_screen(at, step)
        if step.number < len(STOPS):
            button(at, "Next").click().run()
    return at


# On the way


def test_the_walk_leads_through_ten_screens_and_back(recorded):
    at = walk(start("explain", explain="The walk"))
    assert button(at, "Next").disabled
    for step in reversed(STOPS[:-1]):
        button(at, "Back").click().run()
        check_screen(at, step)
    assert button(at, "Back").disabled


@pytest.mark.parametrize("others", ["none", "built_in"])
def test_it_needs_no_run(others, request):
    if others == "built_in":
        request.getfixturevalue("built_in")
    walk(start("explain", explain="The walk"))


def test_views_that_were_chosen_before_do_not_keep_a_step_from_its_own(recorded):
    at = start("explain", explain="Neurons")
    at = go(at, "train")
    at.button_group(key="train").set_value("Queue").run()
    at = go(at, "evaluate")
    at.button_group(key="evaluate").set_value("Two runs").run()
    at = go(at, "explain")
    at.button_group(key="explain").set_value("The walk").run()
    walk(at)


def test_run_and_epoch_are_kept(root, small, tiny_config):
    old = write_run(root, small, tiny_config)
    write_run(root, small, replace(tiny_config, name="newer"))
    at = start("explain", run=old.id, epoch="1", explain="The walk")
    walk(at)
    assert url(at)["run"] == old.id and url(at)["epoch"] == "1" and cursor(at) == "1"


def test_the_walk_can_be_ended_and_gone_on_with(recorded):
    at = start("train", walk="8")
    button(at, "Next").click().run()
    at = go(at, "evaluate")  # AppTest forgets a switch of the page after the run that made it
    button(at, "End").click().run()
    assert step_of(at) is None and "walk" not in url(at)
    assert shown(at) == (["Evaluate"], ["Confusion"])
    at = go(at, "explain")
    at.button_group(key="explain").set_value("The walk").run()
    assert step_of(at) is None
    button(at, "Go on at step 9").click().run()
    check_screen(at, STOPS[8])
    at = go(at, "explain")
    at.button_group(key="explain").set_value("The walk").run()
    button(at, "From the start").click().run()
    check_screen(at, STOPS[0])


# Beside the way


@pytest.mark.parametrize("page", frame.PAGES)
def test_the_bar_is_on_every_page_and_leads_back_to_the_steps_screen(page, recorded):
    at = start(page, walk="8")
    assert step_of(at) == 8 and url(at)["walk"] == "8"
    button(at, "To step 8").click().run()
    check_screen(at, STOPS[7])


def test_another_view_of_the_same_page_is_beside_the_way(recorded):
    at = start("explain", walk="4")
    check_screen(at, STOPS[3])
    at.button_group(key="explain").set_value("Glossary").run()
    button(at, "To step 4").click().run()
    check_screen(at, STOPS[3])


def test_next_leads_on_from_any_page(recorded):
    at = start("draw", walk="5")
    button(at, "Next").click().run()
    check_screen(at, STOPS[5])
    at = go(at, "mistakes")
    assert step_of(at) == 6
    button(at, "Back").click().run()
    check_screen(at, STOPS[4])


@pytest.mark.parametrize("asked", ["99", "x", "0", "-1", "", "![](//a.example)", "4" * 3000])
def test_a_step_that_is_none_is_told_once(asked, recorded):
    at = start("evaluate", walk=asked)
    assert step_of(at) is None and "walk" not in url(at)
    (told,) = at.warning
    assert "1 to 10" in told.value and "![](" not in told.value and len(told.value) < 200
    assert not at.run().warning


def test_without_the_walk_there_is_no_bar(recorded):
    at = start("evaluate")
    assert step_of(at) is None and "Question" not in popovers(at) and "walk" not in url(at)
    assert not at.warning


# What it says


def test_the_answer_comes_when_asked_for(recorded):
    at = start("train", walk="3")
    assert {"Question", "The paper says"} <= set(popovers(at))
    assert STOPS[2].answer not in words(at)
    at.toggle(key="walk_answer_3").set_value(True).run()
    assert STOPS[2].answer in words(at)
    button(at, "Next").click().run()
    assert STOPS[2].answer not in words(at) and STOPS[3].answer not in words(at)


def test_the_bar_says_what_was_found(recorded):
    at = start("evaluate", walk="9")
    assert "loss 0.0674, accuracy 97.81 %" in words(at) and "±0.29 points" in words(at)
    told = wording.percent(recorded.status["test_accuracy"])
    (found,) = [each.value for each in at.markdown if "The run played" in each.value]
    assert f"accuracy {told}" in found and "no measure for its figures" in found


def test_the_screen_of_all_steps_shows_each_claim_and_what_is_missing(recorded):
    at = start("explain", explain="The walk")
    for step in STOPS:
        assert step.title in words(at) and step.section in words(at)
        assert all(claim.says in words(at) for claim in step.claims)
    assert "small, not on the paper's MNIST" in words(at)
    button(at, "Start the walk")


def test_each_row_opens_its_step(recorded):
    for step in (STOPS[1], STOPS[7]):
        at = start("explain", explain="The walk")
        at.button(key=f"walk_to_{step.number}").click().run()
        check_screen(at, step)


@pytest.fixture
def as_mnist(small, monkeypatch):
    """The app on the small dataset, which it takes for the paper's."""
    named = replace(small, fingerprint=MNIST_FINGERPRINT)
    monkeypatch.setattr(data, "find", lambda *args: (named, ()))
    return named


def test_where_seeds_are_missing_a_button_leads_to_them(as_mnist, root):
    at = start("explain", explain="The walk")
    assert "Train 3 seeds on the Train page, view The paper." in words(at)
    at.button(key="tour_go_8_0").click().run()
    assert not at.exception and shown(at) == (["Train"], ["The paper"])
    assert step_of(at) is None


def test_seeds_trained_here_are_judged(as_mnist, root):
    for seed in (1, 2, 3):
        write_run(root, as_mnist, replace(TrainConfig(), seed=seed), epochs=2 + seed)
    at = start("explain", explain="The walk")
    assert "3 runs here:" in words(at) and "Train 3 seeds" not in words(at)
    assert "Here 3 runs took 4.0 s to 6.0 s" in words(at)


@pytest.mark.parametrize("state", ["diverged", "failed", "running"])
def test_broken_and_unfinished_runs_are_walked_with(state, as_mnist, root):
    run = write_run(root, as_mnist, TrainConfig(), state=state)
    if state == "diverged":
        nothing = np.full((len(as_mnist.test.labels), 10), np.nan, np.float32)
        recording.record_logits(run, 3, nothing)
    at = start("explain", explain="The walk")
    assert not at.exception and "Not repeated here yet" in words(at)
    walk(at)


def test_a_queued_run_is_walked_with(root, small, tiny_config):
    runs.create(tiny_config, small.describe())
    walk(start("explain", explain="The walk"))


def test_the_home_page_leads_to_the_walk():
    at = start()
    (link,) = [each for each in at.get("page_link") if each.proto.label == "Take the walk"]
    assert link.proto.page == "explain" and "explain=The+walk" in link.proto.query_string


def test_charts_keep_their_place_when_the_walk_begins_and_ends(recorded):
    """Their place in the page decides whether a browser mounts them anew."""

    def place(at):
        return [
            path for path, element in _placed(at.main) if getattr(element, "key", "") == "confusion"
        ]

    at = start("evaluate")
    assert components(at, "chart")["confusion"]
    before = place(at)
    walking = start("evaluate", walk="9")
    assert place(walking) == before != []


def _placed(block, path=()):
    for index, child in getattr(block, "children", {}).items():
        yield (*path, index), child
        yield from _placed(child, (*path, index))
