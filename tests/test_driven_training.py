"""A training that is driven: paused, stepped, slowed down, given another rate or more epochs."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from trainings import (
    assert_same_recording,
    epochs_of_images,
    go_on,
    lines,
    record,
    resume,
    saved_model,
    snapshot,
)

from mnist_core import compiling, driving, models, recorder, runs, training
from mnist_core.config import TrainConfig
from mnist_core.layers import Dense, Dropout

LINEAR = TrainConfig(layers=(), epochs=2, batch_size=40)  # ten steps an epoch
COSINE = replace(LINEAR, schedule="cosine", learning_rate=0.01)
# 37 images a batch, eleven batches: the last one has 30.
RICH = TrainConfig(
    layers=(Dense(12, "relu", True), Dropout(0.3)), epochs=2, batch_size=37, label_noise=0.2,
    shift=2.0, learning_rate=0.01,
)  # fmt: skip


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch):
    """A report every three steps."""
    monkeypatch.setattr(compiling, "CHUNK_IMAGES", 120)


@pytest.fixture(scope="module")
def through(small, tmp_path_factory):
    """The recording of a config that nobody drove; each is made once."""
    made = {}

    def recording(config):
        if config not in made:
            made[config] = record(tmp_path_factory.mktemp("through"), small, config)
        return made[config]

    return recording


def at(root, step, action):
    """Return a report() that does something to the one run when it reports a step."""

    def report(line):
        if line["kind"] == "step" and line["step"] == step:
            [run] = runs.list_runs(root)
            action(run)

    return report


# Pause and steps


def test_a_pause_comes_at_the_next_report_and_is_a_checkpoint(root, small, through):
    run = record(root, small, LINEAR, report=at(root, 13, driving.pause))
    assert (run.state, run.status["step"], run.status["reason"]) == ("paused", 13, None)
    assert run.moments == [0, 1, 1.3] and run.final == 1.3
    assert run.control["run_until"] == 0
    other = record(root, small, replace(LINEAR, seed=2))  # the trainer is free for another
    assert other.state == "completed"
    run = resume(run, small)
    assert run.control["run_until"] is None
    assert_same_recording(run, through(LINEAR))


def test_a_run_goes_on_to_a_step_and_pauses_there(root, small, through):
    run = record(root, small, LINEAR, {"run_until": 3})
    assert (run.state, run.status["step"]) == ("paused", 3)
    for until in (4, 10, 17):
        run = resume(run, small, until=until)
        assert (run.state, run.status["step"], run.moments[-1]) == ("paused", until, until / 10)
    assert list(run.epochs.index) == [0, 1]
    assert_same_recording(resume(run, small, until=999), through(LINEAR))


def test_a_pause_where_the_run_stands_trains_nothing(root, small):
    run = record(root, small, LINEAR, {"run_until": 5})
    before = {file.name: file.read_bytes() for file in run.path.glob("**/*.np?")}
    run = resume(run, small, until=2)
    assert (run.state, run.status["step"]) == ("paused", 5)
    after = {file.name: file.read_bytes() for file in run.path.glob("**/*.np?")}
    assert after.keys() == before.keys()
    assert len(lines(run, "step")) == 2


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "mean_squared_error"])
def test_one_step_measures_its_batch_before_and_after_as_keras_evaluates_it(root, small, loss):
    config = replace(RICH, loss=loss)
    [(images, wanted), _] = epochs_of_images(config, small)
    run = record(root, small, config, {"run_until": 9})
    for step in (10, 11):
        batch = slice((step - 1) * 37, min(step * 37, 400))
        measured = [saved_model(run).evaluate(images[batch], wanted[batch], verbose=0)[0]]
        run = resume(run, small, until=step)
        measured.append(saved_model(run).evaluate(images[batch], wanted[batch], verbose=0)[0])
        line = lines(run, "step")[-1]
        assert (line["step"], line["batch_images"]) == (step, 37 if step < 11 else 30)
        assert [line["batch_before"], line["batch_after"]] == pytest.approx(measured, rel=1e-5)
        assert line["batch_before"] != line["batch_after"]
    assert [line["step"] for line in lines(run, "step") if "batch_before" in line] == [10, 11]


def test_a_stop_in_the_last_step_of_a_pause_counts(root, small):
    run = record(root, small, LINEAR, {"run_until": 3}, report=at(root, 3, driving.stop))
    assert (run.state, run.status["step"]) == ("stopped", 3)


def test_a_stop_while_a_pause_is_written_is_not_lost(root, small, monkeypatch):
    """Pause and then Stop, pressed within the blink that the saving of the network takes."""
    plain = models.plain

    def stop_meanwhile(model):
        driving.stop(runs.list_runs(root)[0])
        return plain(model)

    monkeypatch.setattr(models, "plain", stop_meanwhile)
    run = record(root, small, LINEAR, {"run_until": 3})
    assert (run.state, run.status["reason"]) == ("stopped", "Stopped by hand.")
    monkeypatch.setattr(models, "plain", plain)
    assert resume(run, small).state == "completed"


# More epochs


def test_added_epochs_survive_a_pause_and_a_stop(root, small, through):
    run = record(root, small, LINEAR)
    driving.resume(run, epochs=2)
    run = go_on(run, small, report=at(root, 23, driving.pause))
    assert (run.state, run.status["step"], run.planned_epochs) == ("paused", 23, 4)
    driving.resume(run)
    run = go_on(run, small, report=at(root, 33, driving.stop))
    assert (run.state, run.status["step"], run.planned_epochs) == ("stopped", 33, 4)
    run = resume(run, small)
    assert (run.state, run.status["step"]) == ("completed", 40)
    assert_same_recording(run, through(replace(LINEAR, epochs=4)))


def test_epochs_can_be_added_to_a_paused_run(root, small, through):
    run = record(root, small, LINEAR, {"run_until": 5})
    run = resume(run, small, epochs=1, until=15)
    assert (run.state, run.status["step"], run.planned_epochs) == ("paused", 15, 3)
    run = resume(run, small, epochs=1)
    assert run.state == "completed"
    assert_same_recording(run, through(replace(LINEAR, epochs=4)))


@pytest.mark.parametrize("schedule", ["cosine", "step"])
def test_added_epochs_go_on_where_the_schedule_ends(root, small, schedule):
    config = replace(COSINE, schedule=schedule, drop_every=1)
    run = resume(record(root, small, config), small, epochs=1)
    rates = config.rates(10)  # of the two epochs that were planned
    for line in lines(run, "step"):
        assert line["learning_rate"] == pytest.approx(rates.rate(line["step"]), rel=1e-4)
    last = lines(run, "step")[-1]
    assert last["step"] == 30
    assert last["learning_rate"] == pytest.approx(1e-4 if schedule == "cosine" else 0.00125)


# The learning rate


def set_rate(rate):
    return lambda run: driving.set_control(run, learning_rate=rate)


def rate_rows(run):
    return [(line["step"], line["epoch"], line["learning_rate"]) for line in lines(run, "rate")]


def test_a_rate_set_by_hand_trains_as_keras_does_with_that_rate(root, small):
    run = record(root, small, LINEAR, report=at(root, 6, set_rate(0.03)))
    assert rate_rows(run) == [(6, 0.6, 0.03)]
    used = {line["step"]: line["learning_rate"] for line in lines(run, "step")}
    assert used == pytest.approx(
        {3: 0.001, 6: 0.001, 9: 0.03, 10: 0.03, 13: 0.03, 16: 0.03, 19: 0.03, 20: 0.03}
    )
    model = models.build(LINEAR, 10)
    first, second = epochs_of_images(LINEAR, small)
    model.fit(first[0][:240], first[1][:240], batch_size=40, shuffle=False, verbose=0)
    model.optimizer.learning_rate = 0.03
    model.fit(first[0][240:], first[1][240:], batch_size=40, shuffle=False, verbose=0)
    model.fit(*second, batch_size=40, shuffle=False, verbose=0)
    saved = snapshot(run, 2)
    for number, weight in enumerate(model.get_weights()):
        assert (saved[f"weights/{number}"] == weight).all()


@pytest.mark.parametrize("config", [LINEAR, COSINE], ids=["constant", "cosine"])
def test_a_rate_is_recorded_once_and_holds_over_pauses(root, small, config):
    driven = record(root, small, config, report=at(root, 6, set_rate(0.05)))
    run = record(
        root / "other",
        small,
        config,
        {"run_until": 8},
        report=at(root / "other", 6, set_rate(0.05)),
    )
    for until in (10, 14, None):
        run = resume(run, small, until=until)
        assert rate_rows(run) == [(6, 0.6, 0.05)]
    assert run.state == "completed"
    assert_same_recording(run, driven)
    rates, factor = config.rates(10), 0.05 / config.learning_rate
    for line in lines(run, "step"):
        expected = rates.rate(line["step"]) * (factor if line["step"] > 6 else 1)
        assert line["learning_rate"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("config", [LINEAR, COSINE], ids=["constant", "cosine"])
@pytest.mark.parametrize("paused_at", [8, 10])
def test_a_rate_set_during_a_pause_holds_from_the_next_step_on(root, small, config, paused_at):
    """Within an epoch and at its end."""
    run = record(root, small, config, {"run_until": paused_at})
    driving.set_control(run, learning_rate=0.05)
    for until in (12, None):
        run = resume(run, small, until=until)
        assert rate_rows(run) == [(paused_at, paused_at / 10, 0.05)]
    rates, factor = config.rates(10), 0.05 / config.learning_rate
    for line in lines(run, "step"):
        expected = rates.rate(line["step"]) * (factor if line["step"] > paused_at else 1)
        assert line["learning_rate"] == pytest.approx(expected, rel=1e-4)


def test_each_change_of_the_rate_is_recorded_and_the_same_again_is_none(root, small):
    asked = {3: 0.1, 6: 0.1, 9: 0.2, 13: 0.1, 16: 0.001}

    def report(line):
        if line["kind"] == "step" and line["step"] in asked:
            driving.set_control(runs.list_runs(root)[0], learning_rate=asked[line["step"]])

    run = record(root, small, LINEAR, report=report)
    assert rate_rows(run) == [(3, 0.3, 0.1), (9, 0.9, 0.2), (13, 1.3, 0.1), (16, 1.6, 0.001)]
    assert run.control["revision"] == 5


def test_a_rate_from_the_start_is_recorded_before_the_first_step(root, small):
    run = record(root, small, LINEAR, {"learning_rate": 0.5})
    assert rate_rows(run) == [(0, 0, 0.5)]
    assert run.metrics["learning_rate"].dropna().to_numpy() == pytest.approx(0.5)
    assert list(run.epochs.index) == [0, 1, 2]  # a "rate" is no epoch


def test_a_rate_whose_steps_are_lost_is_recorded_where_it_is_used_again(root, small):
    run = record(root, small, LINEAR, {"run_until": 16}, report=at(root, 13, set_rate(0.05)))
    assert rate_rows(run) == [(13, 1.3, 0.05)]
    (run.path / "weights" / "001.600.npz").unlink()  # as if killed before it was written
    run = resume(run, small)
    assert rate_rows(run) == [(10, 1, 0.05)]
    assert [line["step"] for line in lines(run, "step")][-4:] == [13, 16, 19, 20]


def test_a_nonsense_rate_is_not_used(root, small, through):
    def spoil(run):
        (run.path / "control.json").write_text('{"learning_rate": -3, "pace": "x", "stop": "no"}')

    run = record(root, small, LINEAR, report=at(root, 6, spoil))
    assert_same_recording(run, through(LINEAR))
    assert rate_rows(run) == []


# Slow motion


class Clock:
    """A clock that only sleeping moves on, so that training takes no time."""

    def __init__(self, monkeypatch, during_sleep=lambda time: None):
        self.time, self.during_sleep = 1000.0, during_sleep
        own = SimpleNamespace(perf_counter=lambda: self.time, sleep=self.sleep)
        monkeypatch.setattr(recorder, "time", own)
        monkeypatch.setattr(training, "time", own)

    def sleep(self, seconds):
        assert 0 < seconds <= 0.11  # viewers are obeyed ten times a second
        self.time += seconds
        self.during_sleep(self.time - 1000)


@pytest.mark.parametrize(
    ("pace", "steps"),
    [(2, range(1, 21)), (10, range(2, 21, 2)), (1000, [3, 6, 9, 10, 13, 16, 19, 20])],
)
def test_slow_motion_gives_the_same_recording_in_its_own_time(
    root, small, through, monkeypatch, pace, steps
):
    clock = Clock(monkeypatch)
    run = record(root, small, LINEAR, {"pace": pace})
    assert_same_recording(run, through(LINEAR))
    assert [line["step"] for line in lines(run, "step")] == list(steps)
    assert clock.time - 1000 == pytest.approx(list(steps)[-2] / pace)  # after the last: the end
    assert run.status["seconds"] == pytest.approx(0, abs=1e-9)
    assert run.metrics["seconds"].dropna().to_numpy() == pytest.approx(0, abs=1e-9)


def test_waiting_in_real_time_does_not_count_as_training(root, small):
    began = training.time.perf_counter()
    run = record(root, small, LINEAR, {"pace": 5, "run_until": 4})
    took = training.time.perf_counter() - began
    assert took - run.status["seconds"] > 0.4  # of three times 0.2 seconds between four batches


def test_viewers_are_obeyed_while_it_waits(root, small, through, monkeypatch):
    pressed = []

    def press(time):
        [run] = runs.list_runs(root)
        if not pressed and time > 1:
            pressed.append(time)
            driving.pause(run)

    clock = Clock(monkeypatch, press)
    run = record(root, small, LINEAR, {"pace": 0.1})
    assert (run.state, run.status["step"]) == ("paused", 1)
    assert clock.time - 1000 == pytest.approx(pressed[0])  # and not ten seconds
    clock.during_sleep = lambda time: driving.set_control(runs.list_runs(root)[0], pace=None)
    run = resume(run, small)
    assert run.state == "completed"
    assert_same_recording(run, through(LINEAR))
    clock.during_sleep = lambda time: None


def test_a_rate_set_while_it_waits_holds_from_the_next_batch_on(root, small, monkeypatch):
    def press(time):
        if 0.9 < time < 1.05:
            driving.set_control(runs.list_runs(root)[0], learning_rate=0.05)

    Clock(monkeypatch, press)
    run = record(root, small, LINEAR, {"pace": 4, "run_until": 6})
    assert rate_rows(run) == [(4, 0.4, 0.05)]
    assert [line["learning_rate"] for line in lines(run, "step")] == pytest.approx(
        [*[0.001] * 4, 0.05, 0.05]
    )


def test_the_app_closes_a_run_that_waits(root, small, monkeypatch):
    reasons = iter([None] * 5)
    Clock(monkeypatch)
    run = record(root, small, LINEAR, {"pace": 0.01}, gone=lambda: next(reasons, "closed"))
    assert (run.state, run.status["reason"], run.status["step"]) == ("interrupted", "closed", 1)
