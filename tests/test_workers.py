"""The two processes as they are: started, asked, killed, left alone. All on built-in digits."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from mnist_core import data, driving, files, recording, runs, workers
from mnist_core.config import TrainConfig
from mnist_core.layers import dense_stack

TINY = TrainConfig(layers=dense_stack((16,), "relu", 0.0), epochs=2, name="tiny")
# One image a batch: an epoch takes the better part of a second, in three chunks.
SLOW = TrainConfig(
    layers=dense_stack((256,), "relu", 0.2), epochs=3, batch_size=1, training_size=700,
    learning_rate=1e-4, name="slow",
)  # fmt: skip
ENDLESS = replace(SLOW, epochs=200, name="endless")
IMAGES = np.random.default_rng(1).integers(0, 256, (50, 28, 28)).astype(np.uint8)
LIGHT = 600.0  # as warm_after: nothing is queued, so TensorFlow is not loaded

ASK_FOR_TRAINERS = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from mnist_core import workers
print("ready", flush=True)
for line in sys.stdin:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: workers.ensure_trainer(Path(sys.argv[1]), 600.0), range(40)))
    print("asked", flush=True)
"""
# What a server does: both processes, and then it is there.
SERVER = """
import sys, time
from pathlib import Path
import numpy as np
from mnist_core import runs, workers
root, run_id = Path(sys.argv[1]), sys.argv[2]
workers.ensure_trainer(root)
question = workers.ask("logits", root / run_id, 1.0, np.zeros((1, 28, 28), np.uint8))
print("answer", question.result().shape, flush=True)
time.sleep(600)
"""
# The real loop around a training that takes no time.
TRAINER_WITHOUT_TENSORFLOW = """
import sys, types
from pathlib import Path
from mnist_core import runs, workers
def train(run, dataset, *, gone, report):
    same = dataset.fingerprint == run.dataset["fingerprint"]
    runs.finish(run, "completed" if same else "failed")
    return runs.read(run.id, run.path.parent)
training = types.ModuleType("mnist_core.training")
training.train, training.warm_up = train, lambda: None
sys.modules["mnist_core.training"] = training
workers.IDLE_SECONDS = 0.3
{patch}
print(workers.work(Path(sys.argv[1])))
"""


def wait_for(condition, seconds=30.0):
    """Return the condition's first true value; fail when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return value


def trainers(root):
    """Return the trainer processes of a runs folder, whoever started them."""
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if "work" in command and str(root) in command:
            found.append(process)
    return found


def trainer_is_ready(root):
    try:
        with workers.trainer_lock(root):
            return False
    except TimeoutError:
        return True


def end(processes):
    """Kill processes, and wait for our own children among them."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
            if psutil.Process(process.pid).ppid() == os.getpid():
                process.wait(5)


def answering_processes():
    return [
        child
        for child in psutil.Process().children()
        if not gone(child) and any("popen_loky" in part for part in child.cmdline())
    ]


def gone(process):
    """Tell whether a process has ended, though nobody may have reaped it yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def start_python(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=workers.PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def linear_run(root, dataset):
    """Return a run with known weights after epoch 1: NumPy can give the same answers."""
    run = runs.create(TrainConfig(layers=()), dataset.describe(), root)
    driving.stop(run)
    rng = np.random.default_rng(0)
    weights, bias = rng.normal(0, 0.01, (784, 10)), rng.normal(size=10)
    arrays = {"weights/0": weights.astype(np.float32), "weights/1": bias.astype(np.float32)}
    recording.record_weights(run, 1, {"step": np.int64(45), **arrays})
    return run, IMAGES.reshape(-1, 784) / 255 @ weights + bias


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """The built-in digits as a file, which a trainer opens faster: 1,437 training images."""
    digits = data.built_in_digits()
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    np.savez(
        path,
        x_train=digits.train.images, y_train=digits.train.labels,
        x_test=digits.test.images, y_test=digits.test.labels,
    )  # fmt: skip
    return data.open_source(path)


@pytest.fixture(scope="module", autouse=True)
def started(digits, tmp_path_factory):
    """A runs folder with its trainer, and a server with its own, all loading TensorFlow at once."""
    patch = pytest.MonkeyPatch()
    patch.setattr(workers, "_executors", {})
    here, there = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("there")
    workers.ensure_trainer(here)
    server = start_python(SERVER, there, linear_run(there, digits)[0].id)
    known, expected = linear_run(here, digits)
    first = workers.ask("logits", known.path, 1.0, IMAGES)
    families = []  # of killed servers
    yield SimpleNamespace(
        here=here, there=there, server=server, first=first, known=known, expected=expected,
        families=families,
    )  # fmt: skip
    end([*families, server, *trainers(here), *trainers(there)])
    server.stdout.close()
    workers._executors["answering"].shutdown(kill_workers=True)
    patch.undo()


@pytest.fixture
def queue(started, digits):
    """Return a function that queues a run in the folder with the trainer."""
    return lambda config: runs.create(config, digits.describe(), started.here)


def now(run):
    return runs.read(run.id, run.path.parent)


def over(run):
    return not now(run).active


def tended(run):
    """Tell whether a run is over, and until then see that there is a trainer, as its page does."""
    workers.ensure_trainer(run.path.parent)
    return over(run)


def steps(run):
    """Return how many chunks of batches have been reported."""
    return (now(run).metrics["kind"] == "step").sum()


# One trainer


@pytest.fixture
def other_process(tmp_path):
    process = start_python(ASK_FOR_TRAINERS, tmp_path)
    yield process
    end([process, *trainers(tmp_path)])
    process.stdout.close()


@pytest.fixture
def light_trainer():
    """Return a function that starts TRAINER_WITHOUT_TENSORFLOW on a folder, with a patch."""
    started = []

    def start(root, patch=""):
        started.append(start_python(TRAINER_WITHOUT_TENSORFLOW.format(patch=patch), root))
        return started[-1]

    yield start
    end(started)


def test_there_is_one_trainer_however_often_it_is_asked_for(tmp_path, other_process):
    def ask_in_both_processes():
        other_process.stdin.write("ask\n")
        other_process.stdin.flush()
        mine = [
            threading.Thread(target=workers.ensure_trainer, args=(tmp_path, LIGHT))
            for _ in range(40)
        ]
        for thread in mine:
            thread.start()
        for thread in mine:
            thread.join()
        assert other_process.stdout.readline() == "asked\n"

    assert other_process.stdout.readline() == "ready\n"
    ask_in_both_processes()
    assert len(trainers(tmp_path)) <= 2  # each process started one at most
    wait_for(lambda: trainer_is_ready(tmp_path) and len(trainers(tmp_path)) == 1)
    [trainer] = trainers(tmp_path)
    ask_in_both_processes()
    time.sleep(0.5)
    assert trainers(tmp_path) == [trainer]
    end([trainer])
    ask_in_both_processes()
    wait_for(lambda: trainer_is_ready(tmp_path) and len(trainers(tmp_path)) == 1)
    assert trainers(tmp_path) != [trainer]


def test_an_idle_trainer_that_is_asked_to_leave_loads_no_tensorflow_first(tmp_path):
    workers.ensure_trainer(tmp_path, LIGHT)
    wait_for(lambda: trainer_is_ready(tmp_path))
    [trainer] = trainers(tmp_path)
    try:
        trainer.terminate()
        wait_for(lambda: gone(trainer), 2)
    finally:
        end([trainer])


def test_each_runs_folder_has_a_trainer_of_its_own(tmp_path):
    folders = [tmp_path / "one", tmp_path / "other"]
    try:
        for folder in folders:
            workers.ensure_trainer(folder, LIGHT)
        for folder in folders:
            wait_for(lambda folder=folder: trainer_is_ready(folder), 5)
    finally:
        for folder in folders:
            end(trainers(folder))


def test_a_folder_that_cannot_be_written_gets_no_trainer_and_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    root = tmp_path / "file" / "runs"
    workers.ensure_trainer(root)
    assert trainers(root) == []


@pytest.mark.parametrize(
    ("patch", "trained"),
    [("", 3), ("workers.MAX_TRAININGS = 2", 2), ("workers.MAX_BYTES = 1", 1)],
    ids=["idle", "after so many trainings", "beyond so many bytes"],
)
def test_a_trainer_leaves_for_a_fresh_one(tmp_path, digits, light_trainer, patch, trained):
    queued = [runs.create(TINY, digits.describe(), tmp_path) for _ in range(3)]
    trainer = light_trainer(tmp_path, patch)
    assert trainer.communicate(timeout=30)[0] == f"{trained}\n"
    assert trainer.returncode == 0
    states = [now(run).state for run in queued]
    assert states == ["completed"] * trained + ["queued"] * (3 - trained)
    assert not trainer_is_ready(tmp_path)  # the place is free


def test_a_second_trainer_leaves_at_once(tmp_path, digits, light_trainer):
    run = runs.create(TINY, digits.describe(), tmp_path)
    with workers.trainer_lock(tmp_path):
        second = light_trainer(tmp_path)
        assert second.communicate(timeout=30)[0] == "0\n"
    assert now(run).state == "queued"


def test_a_trainer_is_not_put_off_by_one_who_only_looks(tmp_path, digits, light_trainer):
    """ensure_trainer of another process takes the lock for a moment to see whether it is free."""
    run = runs.create(TINY, digits.describe(), tmp_path)
    trainer = light_trainer(tmp_path, 'print("up")')
    with workers.trainer_lock(tmp_path):
        assert trainer.stdout.readline() == "up\n"
        time.sleep(0.1)
    assert trainer.communicate(timeout=30)[0] == "1\n"
    assert now(run).state == "completed"


def test_data_that_are_gone_fail_their_run_and_not_the_next(tmp_path, digits, light_trainer):
    gone = digits.describe() | {"source": str(tmp_path / "gone.npz")}
    failed = runs.create(TINY, gone, tmp_path)
    good = runs.create(TINY, digits.describe(), tmp_path)
    trainer = light_trainer(tmp_path)
    assert trainer.communicate(timeout=30)[0] == "2\n"
    assert now(failed).state == "failed"
    assert "gone.npz" in now(failed).status["reason"]
    assert now(good).state == "completed"


def test_a_trainer_that_cannot_write_how_a_run_ended_ends_itself(tmp_path, digits, light_trainer):
    """Else the run would count as running for as long as the trainer waits for another."""
    run = runs.create(TINY, digits.describe(), tmp_path)
    patch = (
        "def full(*_, **__):\n    raise OSError(28, 'No space left on device')\n"
        "training.train, workers.IDLE_SECONDS = full, 60"
    )
    trainer = light_trainer(tmp_path, patch)
    trainer.communicate(timeout=30)
    assert trainer.returncode == 1
    assert now(run).state == "interrupted"
    driving.resume(run)
    light_trainer(tmp_path).communicate(timeout=30)
    assert now(run).state == "completed"


def test_data_that_were_replaced_under_the_same_name_are_read_again(
    tmp_path, digits, light_trainer
):
    path = tmp_path / "digits.npz"
    shutil.copy(digits.source, path)
    first = runs.create(TINY, data.open_source(path).describe(), tmp_path / "runs")
    patch = "workers.IDLE_SECONDS, workers.MAX_TRAININGS = 10, 2"
    trainer = light_trainer(tmp_path / "runs", patch)
    wait_for(lambda: over(first))
    x, y = digits.test.images, digits.test.labels
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y)
    second = runs.create(TINY, data.open_source(path).describe(), tmp_path / "runs")
    assert trainer.communicate(timeout=30)[0] == "2\n"
    assert [now(first).state, now(second).state] == ["completed"] * 2


# Training


def test_the_queue_is_emptied_in_order_and_one_by_one(started, queue):
    queued = [queue(replace(TINY, seed=seed)) for seed in range(3)]
    while not all(map(tended, queued)):
        assert [now(run).state for run in queued].count("running") <= 1
        time.sleep(0.01)
    done = [now(run) for run in queued]
    assert [run.state for run in done] == ["completed"] * 3
    assert [run.moments for run in done] == [[0, 1, 2]] * 3
    times = [run.status[key] for run in done for key in ("started", "ended")]
    assert times == sorted(times)
    [trainer] = trainers(started.here)
    assert {run.status["pid"] for run in done} == {trainer.pid}


def test_stop_ends_a_live_run_within_a_second_and_records_the_moment(started, queue):
    run = queue(ENDLESS)
    wait_for(lambda: not tended(run) and steps(run) > 1)
    pressed = time.monotonic()
    driving.stop(run)
    wait_for(lambda: over(run), 10)
    assert time.monotonic() - pressed < 1.5
    stopped = now(run)
    assert (stopped.state, stopped.status["reason"]) == ("stopped", "Stopped by hand.")
    assert stopped.moments[-1] == pytest.approx(stopped.position, abs=1e-3)
    assert stopped.logits(stopped.moments[-1]).shape == (360, 10)


def test_a_run_folder_that_disappears_does_not_end_the_trainer(started, queue):
    run, after = queue(ENDLESS), queue(TINY)
    wait_for(lambda: not tended(run) and steps(run))
    [trainer] = trainers(started.here)
    shutil.rmtree(run.path, ignore_errors=True)
    wait_for(lambda: over(after) or gone(trainer))
    assert now(after).state == "completed"
    assert now(after).status["pid"] == trainer.pid


def test_a_killed_trainer_costs_the_epoch_and_nothing_else(started, queue):
    through, killed = queue(SLOW), queue(SLOW)
    wait_for(lambda: tended(through) and steps(killed) > 3)  # three are an epoch
    [trainer] = trainers(started.here)
    trainer.kill()
    wait_for(lambda: now(killed).state != "running", 3)  # nobody has to reap it first
    dead = now(killed)
    assert dead.state == "interrupted"
    assert "training process ended in the middle" in dead.status["reason"]
    assert dead.moments[:2] == [0, 1]
    assert all(dead.logits(moment).shape == (360, 10) for moment in dead.moments)

    after = queue(TINY)
    wait_for(lambda: tended(after))
    assert now(after).state == "completed"
    assert now(after).status["pid"] != trainer.pid
    status = files.read_json(killed.path / "status.json")  # now it is written, not only concluded
    assert (status["state"], bool(status["ended"])) == ("interrupted", True)

    driving.resume(killed)
    wait_for(lambda: tended(killed))
    one, other = now(through), now(killed)
    assert (one.state, other.state) == ("completed", "completed")
    assert one.history() == other.history()
    assert len(one.history()["loss"]) == 3
    columns = ["kind", "step", "loss", "accuracy"]
    assert one.metrics[columns].equals(other.metrics[columns])
    assert one.moments == other.moments == [0, 1, 2, 3]
    assert all((one.logits(moment) == other.logits(moment)).all() for moment in one.moments)


# Answering


def test_an_answer_is_what_numpy_says_and_comes_from_one_process(started):
    np.testing.assert_allclose(started.first.result(60), started.expected, atol=1e-5)
    [process] = answering_processes()
    questions = []
    asking = [
        threading.Thread(
            target=lambda: questions.append(workers.ask("logits", started.known.path, 1.0, IMAGES))
        )
        for _ in range(6)
    ]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    for question in questions:
        np.testing.assert_allclose(question.result(30), started.expected, atol=1e-5)
    assert len(questions) == 6
    assert answering_processes() == [process]


def test_answers_equal_the_recorded_logits(queue, digits):
    run = queue(TINY)
    wait_for(lambda: tended(run))
    run = now(run)
    assert run.moments == [0, 1, 2]
    for moment in run.moments:
        logits = workers.ask("logits", run.path, moment, digits.test.images).result(60)
        assert logits.dtype == np.float32
        np.testing.assert_allclose(logits, run.logits(moment), rtol=1e-5, atol=1e-5)


def test_an_impossible_question_is_answered_with_its_reason(started):
    with pytest.raises(runs.RunsError, match="No readable weights of epoch 7"):
        workers.ask("logits", started.known.path, 7.0, IMAGES).result(60)
    file = started.known.path / "weights" / "002.npz"
    file.write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(runs.RunsError, match="No readable weights of epoch 2"):
        workers.ask("logits", started.known.path, 2.0, IMAGES).result(60)
    file.unlink()


def test_a_killed_answering_process_is_replaced(started):
    workers.ask("logits", started.known.path, 1.0, IMAGES).result(60)
    [process] = answering_processes()
    process.suspend()
    lost = workers.ask("logits", started.known.path, 1.0, IMAGES)
    process.kill()
    assert lost.exception(10) is not None  # the question says so and does not hang
    answer = workers.ask("logits", started.known.path, 1.0, IMAGES).result(60)
    np.testing.assert_allclose(answer, started.expected, atol=1e-5)
    [replacement] = answering_processes()
    assert replacement != process


# When the server is gone


def test_no_process_outlives_its_server_by_more_than_a_few_seconds(started, digits):
    assert started.server.stdout.readline() == "answer (1, 10)\n"
    run = runs.create(ENDLESS, digits.describe(), started.there)
    wait_for(lambda: steps(run) > 1)
    family = psutil.Process(started.server.pid).children(recursive=True)
    started.families.extend(family)
    assert set(trainers(started.there)) < set(family)
    os.kill(started.server.pid, signal.SIGKILL)
    wait_for(lambda: all(map(gone, family)), 6)
    interrupted = now(run)
    assert interrupted.state == "interrupted"
    assert "The app was closed" in interrupted.status["reason"]
    assert interrupted.moments[-1] == pytest.approx(interrupted.position, abs=1e-3)
    assert files.read_json(run.path / "status.json")["state"] == "interrupted"
