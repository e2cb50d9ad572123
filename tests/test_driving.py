"""What viewers press: a level in a file, read late or twice, from any number of windows."""

import json
import threading
from dataclasses import replace

import pytest

from mnist_core import driving, runs
from mnist_core.config import TrainConfig
from mnist_core.layers import dense_stack

DATA = {"name": "small", "source": "built-in", "fingerprint": "f"}
CONFIG = TrainConfig(layers=dense_stack((16,), "relu", 0.0), epochs=3, name="tiny")
STEPS = 13  # batches an epoch


def new(root, **changes):
    return runs.create(replace(CONFIG, **changes), DATA, root)


def running(root):
    run = new(root)
    return runs.claim(root, run.id)


def ended(root, state, **status):
    """Return a run that was claimed and has ended in a state."""
    run = running(root)
    runs.beat(run, **status)
    runs.finish(run, state, "why it ended")
    return now(run)


def now(run):
    return runs.read(run.id, run.path.parent)


def ids(found):
    return [run.id for run in found]


# Levels


def test_a_level_is_set_without_losing_the_others(root):
    run = new(root)
    driving.set_control(run, run_until=5)
    driving.set_control(run, learning_rate=0.1)
    driving.set_control(run, pace=2)
    assert json.loads((run.path / "control.json").read_text()) == now(run).control == {
        "run_until": 5, "epochs": None, "learning_rate": 0.1, "pace": 2, "stop": False,
        "revision": 3,
    }  # fmt: skip


def test_a_new_run_can_have_a_level_from_the_start(root):
    run = runs.create(CONFIG, DATA, root, run_until=1, pace=0.5)
    assert run.control == runs.NO_CONTROL | {"run_until": 1, "pace": 0.5}
    assert new(root).control == runs.NO_CONTROL


def test_the_last_of_two_drivers_wins_and_no_command_is_lost(root):
    """Each writes its own level a hundred times, both at once, with the file between them."""
    run, other = new(root), new(root)

    def drive(name, values):
        for value in values:
            driving.set_control(run, **{name: value})

    drivers = [
        threading.Thread(target=drive, args=("pace", range(1, 101))),
        threading.Thread(target=drive, args=("learning_rate", [n / 100 for n in range(1, 101)])),
    ]
    for driver in drivers:
        driver.start()
    for driver in drivers:
        driver.join()
    control = now(run).control
    assert (control["pace"], control["learning_rate"], control["revision"]) == (100, 1.0, 200)
    assert now(other).control == runs.NO_CONTROL


def test_of_two_contrary_commands_the_later_one_holds(root):
    run = running(root)
    driving.set_control(run, pace=2)
    driving.set_control(run, pace=None)
    driving.pause(run)
    driving.set_control(run, run_until=None)  # before the trainer has looked
    assert now(run).control == runs.NO_CONTROL | {"revision": 4}


# Stop and pause


def test_stop_takes_a_waiting_run_out_of_the_queue(root):
    run = new(root)
    driving.stop(run)
    stopped = now(run)
    assert (stopped.state, stopped.status["reason"]) == ("stopped", "Stopped while it waited.")
    assert runs.claim(root) is None


def test_pause_takes_a_waiting_run_out_of_the_queue_until_it_is_resumed(root):
    run, other = new(root), new(root)
    driving.pause(run)
    paused = now(run)
    assert (paused.state, paused.status["reason"]) == ("paused", "Paused while it waited.")
    assert paused.status["ended"] and not paused.active
    assert ids(runs.waiting(root)) == [other.id]
    driving.resume(paused)
    assert ids(runs.waiting(root)) == [other.id, run.id]
    assert now(run).status["reason"] is None


@pytest.mark.parametrize(
    ("press", "level"), [(driving.stop, {"stop": True}), (driving.pause, {"run_until": 0})]
)
def test_a_press_on_a_running_run_sets_the_level_and_leaves_the_state_to_the_trainer(
    root, press, level
):
    run = running(root)
    press(run)
    asked = now(run)
    assert asked.state == "running"
    assert asked.control == runs.NO_CONTROL | level | {"revision": 1}


def test_a_paused_run_can_be_stopped(root):
    run = ended(root, "paused", step=5, steps_per_epoch=STEPS)
    driving.stop(run)
    stopped = now(run)
    assert (stopped.state, stopped.status["reason"]) == ("stopped", "Stopped by hand.")
    assert (stopped.status["step"], stopped.control) == (5, run.control)


@pytest.mark.parametrize("state", ["completed", "stopped", "diverged", "failed", "interrupted"])
@pytest.mark.parametrize("press", [driving.stop, driving.pause])
def test_presses_leave_a_run_that_has_ended_as_it_is(root, state, press):
    run = ended(root, state)
    press(run)
    after = now(run)
    assert (after.status, after.control) == (run.status, run.control)


def test_a_pause_of_a_paused_run_changes_nothing(root):
    run = ended(root, "paused")
    driving.pause(run)
    assert now(run).status == run.status


# Resume


@pytest.mark.parametrize("state", ["paused", "stopped", "failed", "interrupted"])
def test_an_unfinished_run_is_resumed_from_where_it_stood(root, state):
    run = ended(root, state, step=17, steps_per_epoch=STEPS, error="what broke", final_epoch=1)
    driving.set_control(run, stop=True, learning_rate=0.3, pace=10)
    driving.resume(run)
    queued = now(run)
    assert queued.state == "queued"
    assert queued.control == runs.NO_CONTROL | {"learning_rate": 0.3, "pace": 10, "revision": 2}
    assert (queued.status["reason"], queued.status["final_epoch"]) == (None, None)
    assert (queued.status["step"], queued.position) == (17, pytest.approx(17 / STEPS))
    claimed = runs.claim(root)
    assert (claimed.id, claimed.status["ended"], claimed.status["error"]) == (run.id, None, None)


@pytest.mark.parametrize(
    ("state", "reason"),
    [("queued", "A queued run"), ("running", "A running run"), ("diverged", "A diverged run"),
     ("completed", "Say how many epochs")],
)  # fmt: skip
def test_other_runs_are_not_resumed(root, state, reason):
    run = ended(root, state) if state in ("diverged", "completed") else new(root)
    if state == "running":
        runs.claim(root)
    with pytest.raises(runs.RunsError, match=reason):
        driving.resume(run)
    assert now(run).state == state
    assert now(run).control["revision"] == 0


def test_a_run_is_not_resumed_twice_by_two_presses(root):
    run = ended(root, "stopped")
    driving.resume(run)
    with pytest.raises(runs.RunsError, match="A queued run"):
        driving.resume(run)  # the second viewer still shows "stopped"
    assert ids(runs.waiting(root)) == [run.id]


def test_a_run_is_resumed_to_a_step(root):
    run = ended(root, "paused", step=5, steps_per_epoch=STEPS)
    driving.resume(run, until=6)
    assert now(run).control["run_until"] == 6
    assert now(run).planned_epochs == 3


def test_a_run_paused_where_it_was_to_pause_goes_on_to_its_end(root):
    run = ended(root, "paused", step=5, steps_per_epoch=STEPS)
    driving.set_control(run, run_until=5)
    driving.resume(run)
    assert now(run).control["run_until"] is None


def test_a_pause_that_came_too_late_does_not_hold_the_next_training(root):
    """Pressed while the last chunk trained: the run was complete before the trainer looked."""
    run = running(root)
    driving.pause(run)
    runs.beat(run, step=3 * STEPS, steps_per_epoch=STEPS)
    runs.finish(run, "completed")
    driving.resume(run, 1)
    assert now(run).control["run_until"] is None


# More epochs


def complete(run, step):
    runs.claim(run.path.parent, run.id)
    runs.beat(run, step=step)
    runs.finish(run, "completed")


def test_epochs_are_added_to_the_planned_ones(root):
    run = ended(root, "completed", step=3 * STEPS, steps_per_epoch=STEPS)
    for epochs, planned in ((2, 5), (1, 6)):
        driving.resume(run, epochs)
        longer = now(run)
        assert longer.planned_epochs == longer.control["epochs"] == planned
        assert longer.control["run_until"] is None
        complete(run, planned * STEPS)


@pytest.mark.parametrize("state", ["stopped", "paused", "failed", "interrupted"])
def test_epochs_added_to_an_unfinished_run_come_after_its_own(root, state):
    run = ended(root, state, step=17, steps_per_epoch=STEPS)
    driving.resume(run, 1)
    assert now(run).planned_epochs == 4


def test_epochs_added_to_a_run_that_stopped_early_come_after_the_last_it_trained(root):
    run = ended(root, "completed", step=2 * STEPS, steps_per_epoch=STEPS, stopped_early=2)
    driving.resume(run, 5)
    assert now(run).planned_epochs == 7


def test_a_plan_that_was_extended_is_kept_until_the_run_ends(root):
    run = ended(root, "completed", step=3 * STEPS, steps_per_epoch=STEPS)
    driving.resume(run, 2)
    driving.stop(run)
    driving.resume(run)
    assert now(run).planned_epochs == 5
    runs.claim(root, run.id)
    driving.pause(run)
    runs.finish(run, "paused")
    driving.resume(run, until=40)
    assert now(run).planned_epochs == 5
    assert now(run).control["run_until"] == 40


@pytest.mark.parametrize("epochs", [-1, 201, 10**6])
def test_an_impossible_number_of_epochs_is_refused(root, epochs):
    run = ended(root, "stopped", step=5, steps_per_epoch=STEPS)
    with pytest.raises(runs.RunsError, match="Expected 1 to 200 more epochs"):
        driving.resume(run, epochs)
    assert (now(run).state, now(run).control) == ("stopped", run.control)


def test_epochs_are_not_added_to_a_run_that_has_not_begun(root):
    """Nobody has counted its batches yet."""
    run = new(root)
    driving.stop(run)
    with pytest.raises(runs.RunsError, match="has not begun"):
        driving.resume(run, 2)
    driving.resume(run)
    assert now(run).planned_epochs == 3


# Nonsense in the file

LEVEL = {
    "run_until": 3,
    "epochs": 7,
    "learning_rate": 0.5,
    "pace": 2.5,
    "stop": True,
    "revision": 4,
}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("run_until", ["5", -1, 2.5, True, [], {}, "NaN", 10**400, 1e300]),
        ("epochs", ["5", -1, 0, 2.5, True, [], 10**9, 10**400]),
        ("learning_rate", ["0.1", -0.1, 0, 0.0, False, [0.1], 1e300, 10**400]),
        ("pace", ["fast", -1, 0, 0.0, True, [], 1e300]),
    ],
)
def test_a_value_that_makes_no_sense_counts_as_not_given(root, name, values):
    run = new(root)
    path = run.path / "control.json"
    for value in values:
        path.write_text(json.dumps(LEVEL | {name: value}))
        assert runs.control(run) == LEVEL | {name: None}
        assert now(run).planned_epochs == (3 if name == "epochs" else 7)
    for text in ("NaN", "Infinity", "-Infinity"):
        path.write_text(json.dumps(LEVEL | {name: 0.125}).replace("0.125", text))
        assert runs.control(run) == LEVEL | {name: None}


@pytest.mark.parametrize("value", ["no", "yes", 1, 0, None, [1], "false"])
def test_only_true_stops_a_run(root, value):
    run = new(root)
    (run.path / "control.json").write_text(json.dumps(LEVEL | {"stop": value}))
    assert runs.control(run)["stop"] is False


@pytest.mark.parametrize("value", ["4", None, [], {}, 2.5])
def test_a_revision_that_is_none_begins_anew(root, value):
    run = new(root)
    (run.path / "control.json").write_text(json.dumps({"revision": value, "pace": 3}))
    driving.set_control(run, run_until=9)
    assert now(run).control == runs.NO_CONTROL | {"pace": 3, "run_until": 9, "revision": 1}


@pytest.mark.parametrize(
    "content", [None, b"", b"{", b"[]", b"5", b"null", b"\xff\xfe", b"\0" * 99]
)
def test_a_level_that_cannot_be_read_is_none_and_is_written_anew(root, content):
    run = new(root)
    (run.path / "control.json").unlink()
    if content is not None:
        (run.path / "control.json").write_bytes(content)
    assert runs.control(run) == now(run).control == runs.NO_CONTROL
    driving.set_control(run, pace=3)
    assert now(run).control == runs.NO_CONTROL | {"pace": 3, "revision": 1}


def test_what_this_version_does_not_know_is_kept(root):
    """Written by a newer one, which may look at it again."""
    run = new(root)
    (run.path / "control.json").write_text(json.dumps(LEVEL | {"colour": "red"}))
    driving.set_control(run, pace=3)
    assert json.loads((run.path / "control.json").read_text())["colour"] == "red"


# Deleted meanwhile


@pytest.mark.parametrize(
    "press",
    [driving.stop, driving.pause, driving.resume,
     lambda run: driving.set_control(run, pace=2), lambda run: runs.describe(run, "x", "")],
)  # fmt: skip
def test_a_press_on_a_run_that_was_deleted_says_so(root, press):
    run = ended(root, "stopped")
    runs.delete(run)
    with pytest.raises(runs.RunsError, match="may have been deleted"):
        press(run)
    assert not run.path.exists()
