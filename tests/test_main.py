"""The command line: training as a process of its own, the rest through main()."""

import json
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    log_loss,
    precision_recall_fscore_support,
)

from mnist_core import __main__, data, driving, recording, runs, workers
from mnist_core.config import TrainConfig
from mnist_core.layers import dense_stack

KEYS = "run_id state seconds val_accuracy val_loss test_accuracy history".split()
FIGURES = "loss accuracy sample_loss sample_accuracy val_loss val_accuracy".split()


@pytest.fixture(scope="module")
def npz(tmp_path_factory):
    """400 training and 101 test images of the built-in digits in a file."""
    digits = data.built_in_digits()
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    np.savez(
        path,
        x_train=digits.train.images[:400], y_train=digits.train.labels[:400],
        x_test=digits.test.images[:101], y_test=digits.test.labels[:101],
    )  # fmt: skip
    return path


@pytest.fixture(scope="module", autouse=True)
def started(npz, tmp_path_factory):
    """Two trainings, each in a folder of its own; they load TensorFlow while other tests run."""

    def start(name, *options):
        root = tmp_path_factory.mktemp(name)
        command = [sys.executable, "-m", "mnist_core", "train", "--preset", "paper", "--json"]
        process = subprocess.Popen(
            [*command, "--data", str(npz), "--runs", str(root), *options],
            cwd=workers.PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        return SimpleNamespace(root=root, process=process)

    both = {"paper": start("paper"), "diverging": start("diverging", "--learning-rate", "1e6")}
    yield both
    for training in both.values():
        training.process.kill()
        training.process.communicate()


def ended(training):
    """Add what a training wrote on the terminal, and the run as it is recorded."""
    if not hasattr(training, "out"):
        training.out, training.err = training.process.communicate(timeout=90)
        [training.run] = runs.list_runs(training.root)
        training.result = json.loads(training.out.splitlines()[-1])
    return training


@pytest.fixture
def paper(started):
    return ended(started["paper"])


@pytest.fixture
def command(monkeypatch, capsys):
    """Return a function: the exit code, the output and the messages of a command."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["mnist_core", *map(str, words)])
        try:
            code = __main__.main()
        except SystemExit as exit:  # argparse's own refusal
            code = exit.code
        return code, *capsys.readouterr()

    return run


# Bad values


@pytest.mark.parametrize(
    ("option", "value", "name"),
    [("--batch-size", 0, "batch size"), ("--learning-rate", 0, "learning rate"),
     ("--learning-rate", "nan", "learning rate"), ("--learning-rate", 2e6, "learning rate"),
     ("--epochs", 0, "epochs"), ("--training-size", 1, "training images"), ("--seed", -1, "seed")],
)  # fmt: skip
def test_a_bad_value_is_refused_before_anything_is_done(command, root, npz, option, value, name):
    code, out, err = command("train", "--data", npz, "--runs", root, f"{option}={value}")
    assert (code, out) == (2, "")
    assert err.startswith(f"Expected {name}")
    assert f"Received: {value}" in err or f"Received: {float(value)!r}" in err
    assert len(err.splitlines()) == 1
    assert not root.exists()


@pytest.mark.parametrize("words", [["train", "--epochs", "many"], ["train", "--preset", "big"], []])
def test_what_is_no_command_shows_the_usage(command, words):
    code, out, err = command(*words)
    assert (code, out) == (2, "")
    assert "usage: python -m mnist_core" in err


def test_a_missing_data_file_is_refused_by_its_name_and_nothing_else_is_tried(
    command, root, tmp_path, monkeypatch
):
    tried = []
    monkeypatch.setattr(
        data, "fetch", lambda *_: tried.append("download") or data.built_in_digits()
    )
    monkeypatch.setattr(data, "_from_cache", lambda: tried.append("cache") or data.fetch())
    code, out, err = command("train", "--data", tmp_path / "gone.npz", "--runs", root)
    assert (code, out) == (2, "")
    assert str(tmp_path / "gone.npz") in err and "Expected" in err and "Received" in err
    assert not root.exists()
    assert tried == []


def test_a_runs_folder_that_cannot_be_made_is_a_message(command, tmp_path, npz):
    (tmp_path / "file").write_text("")
    code, out, err = command("train", "--data", npz, "--runs", tmp_path / "file" / "runs")
    assert (code, out) == (2, "")
    assert "cannot be written" in err.splitlines()[-1]


def test_an_unknown_run_is_a_message_without_traceback_in_a_real_terminal(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mnist_core", "evaluate", "../secret", "--runs", str(tmp_path)],
        cwd=workers.PROJECT, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "'../secret' is not the name of a run. Choose one from the list.\n"


# Where another process trains


def fake_training(run, *_, **__):
    runs.finish(run, "completed")
    return runs.read(run.id, run.path.parent)


@pytest.fixture
def train_beside(command, root, npz, monkeypatch):
    """Start `train` in a thread; give its thread, its answer and the run it queued."""
    monkeypatch.setattr(workers, "train_claimed", fake_training)
    answer = []
    thread = threading.Thread(
        target=lambda: answer.append(command("train", "--data", npz, "--runs", root)), daemon=True
    )

    def start():
        thread.start()
        deadline = time.monotonic() + 10
        while not runs.waiting(root):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return thread, answer, runs.waiting(root)[0]

    yield start
    for run in runs.waiting(root):
        driving.stop(run)
    thread.join(5)


def test_a_training_is_followed_where_the_apps_trainer_does_it(root, train_beside):
    with workers.trainer_lock(root):
        thread, answer, run = train_beside()
        run = runs.claim(root, run.id)
        for epoch in range(4):
            line = dict.fromkeys(FIGURES, 0.5) | {"kind": "epoch", "step": 13 * epoch}
            recording.append(run, line | {"epoch": epoch, "seconds": 0.1 * epoch})
        runs.finish(run, "completed")
        thread.join(5)
    [(code, _, err)] = answer
    assert code == 0
    epochs = [line for line in err.splitlines() if line.strip().startswith("epoch ")]
    assert [line.split()[1] for line in epochs] == ["1/5", "2/5", "3/5"]
    assert f"completed: {run.id}" in err


def test_a_run_that_waited_for_a_trainer_that_left_is_trained_here(root, train_beside):
    """The other one was `train`, too, or it has been replaced: nobody else will take it."""
    with workers.trainer_lock(root):
        thread, answer, run = train_beside()
        time.sleep(0.3)
    thread.join(5)
    assert runs.read(run.id, root).state == "completed"
    assert answer[0][0] == 0


# Listing


def test_an_empty_folder_is_listed_with_what_to_do(command, tmp_path):
    code, out, err = command("list", "--runs", tmp_path)
    assert (code, out) == (0, "")
    assert "No runs" in err and "python -m mnist_core train" in err
    assert command("list", "--json", "--runs", tmp_path)[1] == "[]\n"


def test_runs_are_listed_with_state_and_accuracy(command, root, recorded, small):
    waiting = runs.create(TrainConfig(layers=dense_stack((7,), "relu", 0)), small.describe(), root)
    code, out, _ = command("list", "--runs", root)
    rows = {line.split()[0]: line for line in out.splitlines()}
    assert code == 0
    assert rows.keys() == {recorded.id, waiting.id}
    accuracy = recorded.history()["val_accuracy"][-1]
    assert "completed" in rows[recorded.id] and f"{accuracy:.2%}" in rows[recorded.id]
    assert "queued" in rows[waiting.id] and "784-7-10, adam" in rows[waiting.id]
    listed = {
        row["run_id"]: row for row in json.loads(command("list", "--json", "--runs", root)[1])
    }
    assert listed[recorded.id] == {
        "run_id": recorded.id, "state": "completed", "name": "tiny", "epoch": 3.0,
        "val_accuracy": accuracy,
    }  # fmt: skip
    assert listed[waiting.id]["epoch"] is listed[waiting.id]["val_accuracy"] is None


# Training


def test_training_ends_with_one_line_of_json_that_is_what_was_recorded(paper):
    assert paper.process.returncode == 0, paper.err
    assert len(paper.out.splitlines()) == 1
    result, run = paper.result, paper.run
    assert list(result) == KEYS
    assert (result["run_id"], result["state"]) == (run.id, "completed")
    assert result["seconds"] == run.status["seconds"] > 0
    assert result["history"] == run.history()
    assert list(result["history"]) == FIGURES
    assert all(len(values) == 5 for values in result["history"].values())
    assert result["val_accuracy"] == run.history()["val_accuracy"][-1]
    assert result["val_loss"] == run.history()["val_loss"][-1]


def test_the_figures_are_those_of_the_recorded_logits(paper, npz):
    labels = np.load(npz)["y_test"]
    logits = paper.run.logits(5.0).astype(np.float64)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert paper.result["test_accuracy"] == accuracy_score(labels, logits.argmax(1))
    assert paper.result["val_accuracy"] == paper.result["test_accuracy"]  # as in the paper
    assert paper.result["val_loss"] == pytest.approx(log_loss(labels, probabilities), rel=1e-6)
    assert paper.result["test_accuracy"] > 0.5


def test_training_shows_its_progress_and_no_traceback(paper):
    lines = paper.err.splitlines()
    assert "As in the paper: 101,770 parameters on digits.npz" in lines
    assert sum(line.strip().startswith("epoch ") for line in lines) == 5
    assert lines[-1] == f"completed: {paper.run.id}"
    assert "Traceback" not in paper.err


def test_a_learning_rate_of_a_million_diverges_with_exit_code_1(started):
    training = ended(started["diverging"])
    assert training.process.returncode == 1, training.err
    assert training.result["state"] == training.run.state == "diverged"
    assert list(training.result) == KEYS
    assert "Try a learning rate ten times smaller" in training.err.splitlines()[-1]
    assert "Traceback" not in training.err
    assert "NaN" not in training.out and "Infinity" not in training.out  # JSON has neither


# Evaluating


def test_evaluate_gives_scikit_learns_figures(command, paper, npz):
    code, out, _ = command("evaluate", paper.run.id, "--runs", paper.root, "--json")
    result = json.loads(out)
    labels, predicted = np.load(npz)["y_test"], paper.run.logits(5.0).argmax(1)
    assert code == 0
    assert (result["run_id"], result["epoch"]) == (paper.run.id, 5.0)
    assert result["test_accuracy"] == paper.result["test_accuracy"]
    assert result["test_loss"] == pytest.approx(paper.result["val_loss"])
    assert result["errors"] == int((labels != predicted).sum())
    assert result["confusion"] == confusion_matrix(labels, predicted, labels=range(10)).tolist()
    scores = precision_recall_fscore_support(labels, predicted, labels=range(10), zero_division=0)
    for name, expected in zip(("precision", "recall", "f1", "support"), scores, strict=True):
        assert result["per_class"][name] == pytest.approx(list(expected))


def test_evaluate_writes_the_same_figures_as_text(command, paper):
    words = ("evaluate", paper.run.id, "--runs", paper.root, "--epoch", 1)
    result = json.loads(command(*words, "--json")[1])
    code, out, err = command(*words)
    assert (code, err) == (0, "")
    title, figures, *table = out.splitlines()
    assert title == "As in the paper, epoch 1, 101 test images"
    assert figures == (
        f"accuracy {result['test_accuracy']:.2%}, loss {result['test_loss']:.4f}, "
        f"{result['errors']} errors"
    )
    assert table[0].split() == ["precision", "recall", "f1", "support"]
    assert len(table) == 12  # two lines of heading, ten digits


def test_evaluate_refuses_what_it_cannot_show(command, paper, root, tmp_path):
    for asked, words in (
        ("20200101-000000-0000", "There is no run"),
        ("", "not the name of a run"),
    ):
        code, out, err = command("evaluate", asked, "--runs", paper.root)
        assert (code, out) == (2, "") and words in err
    code, _, err = command("evaluate", paper.run.id, "--runs", paper.root, "--epoch", "2.5")
    assert code == 2 and "epoch 2.5" in err
    gone = {"name": "gone", "source": str(tmp_path / "gone.npz"), "fingerprint": "f"}
    run = runs.create(TrainConfig(), gone, root)
    code, _, err = command("evaluate", run.id, "--runs", root)
    assert code == 2 and "Nothing is recorded" in err
    recording.record_logits(run, 0, np.zeros((101, 10), np.float32))
    code, _, err = command("evaluate", run.id, "--runs", root)
    assert code == 2 and "gone.npz" in err


def test_evaluate_refuses_data_that_are_not_the_runs(command, root, npz):
    run = runs.create(TrainConfig(), {"name": "x", "source": str(npz), "fingerprint": "f"}, root)
    recording.record_logits(run, 0, np.zeros((101, 10), np.float32))
    code, out, err = command("evaluate", run.id, "--runs", root)
    assert (code, out) == (2, "")
    assert "not what the run was trained on" in err


def test_evaluate_of_a_run_that_does_not_say_its_data_is_a_message(command, root, recorded):
    path = recorded.path / "config.json"
    path.write_text(json.dumps({"config": json.loads(path.read_text())["config"]}))
    code, out, err = command("evaluate", recorded.id, "--runs", root)
    assert (code, out) == (2, "")
    assert len(err) > 20
