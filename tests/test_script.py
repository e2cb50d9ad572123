"""Scripts and notebooks of runs, run as their readers run them: the figures are equal by ==."""

import ast
import json
import os
import runpy
import shutil
import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest
from conftest import write_run

from mnist_core import compiling, data, driving, runs, script, training
from mnist_core.config import TrainConfig
from mnist_core.layers import AveragePool, Conv, Dense, Dropout, MaxPool, conv_stack, dense_stack
from mnist_core.optimizers import OPTIMIZERS

FIGURES = ("loss", "accuracy", "val_loss", "val_accuracy")
DENSE = TrainConfig(
    layers=dense_stack((24, 12), "relu", 0.25), epochs=2, batch_size=37, loss="mean_squared_error",
    optimizer="rmsprop",
)  # fmt: skip
CONV = TrainConfig(
    layers=(Conv(4, 5, 2), Dropout(0.0), Conv(6, 3, batch_norm=False), MaxPool(2), Dropout(0.3)),
    epochs=2, batch_size=48, schedule="cosine", learning_rate=0.01, validation_share=0.1,
)  # fmt: skip
MOVED = TrainConfig(
    layers=(Dense(24, "tanh", batch_norm=True, l2=0.001),), epochs=2, batch_size=50,
    loss="sparse_categorical_crossentropy", shift=2.0, rotate=10.0, zoom=0.1, label_noise=0.3,
    training_size=230, validation_share=0.2, schedule="step", drop_every=1, optimizer="nesterov",
    learning_rate=0.02,
)  # fmt: skip
BY_HAND = TrainConfig(
    layers=dense_stack((24,), "elu", 0.2), epochs=30, batch_size=40, schedule="cosine",
    learning_rate=0.02, validation_share=0.3, patience=1, stop_metric="val_accuracy",
)  # fmt: skip


@pytest.fixture(scope="module")
def own_data(small, tmp_path_factory):
    """The small dataset in a file of its own, with its true fingerprint."""
    file = tmp_path_factory.mktemp("own") / "data.npz"
    train, test = small.train, small.test
    np.savez(
        file, x_train=train.images, y_train=train.labels, x_test=test.images, y_test=test.labels
    )
    return data.open_source(file)


@pytest.fixture
def record(root, own_data, monkeypatch):
    """Record a run in chunks of three batches.

    `rates` are set by hand after so many batches. It may be interrupted after its second chunk and
    resumed, and stopped by hand after so many batches.
    """

    def record(config, rates=None, interrupted=False, stop_after=None):
        monkeypatch.setattr(compiling, "CHUNK_IMAGES", 3 * config.batch_size)
        run = runs.create(config, own_data.describe(), root)

        def report(line):
            if line["kind"] == "step" and line["step"] in (rates or {}):
                driving.set_control(run, learning_rate=rates[line["step"]])
            if line["step"] == stop_after:
                driving.stop(runs.read(run.id, root))

        def train(gone):
            return training.train(runs.claim(root, run.id), own_data, gone=gone, report=report)

        if interrupted:
            asked = iter(range(100))  # first before the first chunk
            broken = train(lambda: "the test said so" if next(asked) == 2 else None)
            assert (broken.state, broken.status["step"]) == ("interrupted", 6)
            driving.resume(broken)
        return train(lambda: None)

    return record


def run_alone(file, *arguments):
    """Run a program in a fresh process that knows nothing of ours; return what it prints."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-I", file.name, *map(str, arguments)],
        cwd=file.parent, env=kept, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


def assert_repeats(run, printed):
    """The last line is the recorded history; above it stands the table of the docstring."""
    recorded = {name: run.history()[name] for name in FIGURES}
    assert json.loads(printed[-1]) == recorded
    table = [line.removeprefix("    ") for line in ast.get_docstring(tree(run)).splitlines()]
    assert [line for line in table if line in printed] == printed[:-1]
    assert len(printed) == 2 + len(recorded["loss"])


def tree(run):
    return ast.parse(script.as_script(run))


def recorded_rates(run):
    rows = run.metrics[run.metrics["kind"] == "rate"]
    return dict(zip(rows["step"], rows["learning_rate"], strict=True))


def written(run, tmp_path):
    file = tmp_path / script.file_name(run)
    file.write_text(script.as_script(run))
    return file


def test_a_convolutional_run_with_held_out_images_and_a_cosine(record, own_data, tmp_path):
    run = record(CONV)
    assert_repeats(run, run_alone(written(run, tmp_path), own_data.source, "--json"))


def test_moved_images_wrong_labels_and_weight_decay(record, own_data, tmp_path):
    run = record(MOVED)
    assert (run.path / "wrong_labels.npz").exists()
    assert_repeats(run, run_alone(written(run, tmp_path), own_data.source, "--json"))


def test_a_resumed_dense_run_with_rates_set_by_hand_and_a_stop_within_an_epoch(
    record, own_data, tmp_path
):
    rates = {3: 0.01, 9: 0.0004, 14: 0.1}
    run = record(DENSE, rates, interrupted=True, stop_after=17)
    assert recorded_rates(run) == rates
    assert (run.state, run.steps_per_epoch, len(run.history()["loss"])) == ("stopped", 11, 1)
    source = script.as_script(run)
    assert "The recording ends within epoch 2." in source
    assert "    9: 0.0004,\n" in source
    assert "    14: 0.1,\n" not in source  # that is in the epoch which is not repeated
    assert_repeats(run, run_alone(written(run, tmp_path), own_data.source, "--json"))


def test_a_notebook_repeats_rates_under_a_schedule_and_gives_the_best_weights_back(
    record, own_data, tmp_path
):
    run = record(BY_HAND, rates={3: 0.005, 10: 0.3})
    assert set(recorded_rates(run)) == {3, 10}
    last, best = len(run.history()["loss"]), run.status["final_epoch"]
    assert best < last == run.status["stopped_early"] < 30
    assert f"It stopped early, after epoch {last} of 30" in script.as_script(run)

    shutil.copy(own_data.source, tmp_path / "data.npz")
    file = tmp_path / "cells.py"
    cells = json.loads(script.as_notebook(run))["cells"]
    keep = "import json\nprint(json.dumps(history))\nnp.savez('weights.npz', *model.get_weights())"
    code = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    file.write_text("\n".join([*code, keep]))
    assert_repeats(run, run_alone(file))
    with (
        np.load(tmp_path / "weights.npz") as ours,
        np.load(run.path / "weights" / f"{runs.moment_name(best)}.npz") as recorded,
    ):
        assert len(ours) == 4
        for number in range(4):
            assert (ours[f"arr_{number}"] == recorded[f"weights/{number}"]).all()


def test_without_a_file_keras_gives_mnist_and_other_images_are_pointed_out(
    root, small, tiny_config, tmp_path, monkeypatch, capsys
):
    run = write_run(root, small, tiny_config)
    of_mnist = replace(run, dataset=run.dataset | {"fingerprint": data.MNIST_FINGERPRINT})
    train, test = small.train, small.test
    arrays = ((train.images, train.labels), (test.images, test.labels))
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: arrays)
    monkeypatch.setattr(sys, "argv", ["script"])
    runpy.run_path(str(written(of_mnist, tmp_path)))
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("WARNING: 400 training and 101 test images, which are not")
    assert len(printed) == 2 + 1 + 3  # the warning, the table's head, three epochs


def test_a_run_on_other_data_asks_for_its_file(recorded, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["script", "--json"])
    with pytest.raises(SystemExit, match=r"This run has its own data: give the \.npz file"):
        runpy.run_path(str(written(recorded, tmp_path)))


def test_a_script_holds_only_what_its_run_needs(root, small, tiny_config):
    def names(**changes):
        run = write_run(root, small, replace(tiny_config, **changes))
        nodes = ast.walk(tree(run))
        return {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}

    always = {"fingerprint", "epoch_order", "loss_and_accuracy"}
    assert names() == always
    assert names(schedule="cosine") == always
    assert names(training_size=200) == always | {"choose", "in_proportion"}
    assert names(validation_share=0.1) == always | {"choose", "in_proportion"}
    assert names(label_noise=0.1) == always | {"wrong_labels"}
    assert names(shift=1.0) == always | {"draw", "move"}


def test_only_keras_numpy_and_the_standard_library_are_imported(recorded):
    imports = [node for node in ast.walk(tree(recorded)) if isinstance(node, ast.Import)]
    modules = [alias.name for node in imports for alias in node.names]
    assert modules == ["hashlib", "json", "os", "struct", "sys", "keras", "numpy"]
    assert not any(isinstance(node, ast.ImportFrom) for node in ast.walk(tree(recorded)))


def test_the_docstring_says_which_run_and_with_which_versions(recorded):
    text = ast.get_docstring(tree(recorded))
    words = " ".join(text.split())
    assert words.startswith("Repeat the training “tiny” with Keras and NumPy alone.")
    assert f"MNIST Lab recorded it as {recorded.id} on " in words
    for library in ("keras", "numpy"):
        assert f"{library} {sys.modules[library].__version__}" in words
    assert "    1  0.500000000  0.600000000  0.550000000  " in text
    assert f"python {recorded.id}.py data.npz [--json]" in words
    assert max(map(len, script.as_script(recorded).splitlines())) <= 100


def test_of_many_epochs_the_docstring_shows_the_first_three_and_the_last(root, small, tiny_config):
    run = write_run(root, small, replace(tiny_config, epochs=12), epochs=12)
    lines = ast.get_docstring(tree(run)).splitlines()
    first = [line.split()[0] for line in lines if line.startswith("     ")]
    assert first == ["1", "2", "3", "...", "12"]


@pytest.mark.parametrize(
    "name", ['"""\nimport os # \\', "\\N{DIGIT ONE} \\", '$seed "" "', "\x0c\0#"]
)
def test_no_name_breaks_out_of_the_docstring(recorded, name):
    run = replace(recorded)
    run.__dict__["about"] = {"name": name, "note": ""}
    plain = tree(recorded)
    found = tree(run)
    shown = " ".join(name.replace("\0", " ").split())
    assert shown in " ".join(ast.get_docstring(found).split())
    assert [ast.dump(node) for node in found.body[1:]] == [ast.dump(n) for n in plain.body[1:]]


def test_without_a_complete_epoch_there_is_no_script(root, small, tiny_config):
    run = write_run(root, small, tiny_config, epochs=0)
    for make in (script.as_script, script.as_notebook):
        with pytest.raises(runs.RunsError, match="has no complete epoch"):
            make(run)


@pytest.mark.parametrize("config", [MOVED, CONV])
def test_validation_takes_as_many_images_at_once_as_the_trainer(root, small, config):
    batch = training.compiled(config, 1).exam_batch
    assert f"batch_size={batch}," in script.as_script(write_run(root, small, config))


def test_ruff_would_write_it_so(root, small, tmp_path):
    ruff = shutil.which("ruff")
    if not ruff:
        pytest.skip("needs ruff")
    layers = (
        Conv(128, 11, 2, "gelu", False, "valid", 0.00012), Conv(8, 1, 1, "elu", True),
        AveragePool(2), MaxPool(2), Dropout(0.25), Dense(2000, "sigmoid", False, 1e-05),
        Dense(10, "gelu", True, 0.5), Dropout(0.0),
    )  # fmt: skip
    odd = 0.1 + 0.2
    configs = [
        TrainConfig(),
        replace(CONV, layers=layers, initializer="he_normal", optimizer="nesterov"),
        replace(MOVED, shift=odd, rotate=odd, zoom=odd, label_noise=odd, validation_share=odd),
        replace(BY_HAND, learning_rate=1e-05 / 3, warm_up=0.0),
        *(replace(DENSE, optimizer=name, schedule="step") for name in OPTIMIZERS),
        TrainConfig(layers=conv_stack((8,), "relu", 0.1), seed=2**31 - 1),
        TrainConfig(layers=(), initializer="zeros"),
    ]
    for config in configs:
        run = write_run(root, small, config)
        written(run, tmp_path)
        by_hand = replace(run, path=tmp_path / f"{run.id}-by-hand")
        shutil.copytree(run.path, by_hand.path)
        with open(by_hand.path / "metrics.jsonl", "a") as file:
            for step in range(1, 9):
                rate = {"kind": "rate", "step": step, "epoch": 0.1, "learning_rate": step / 3e6}
                file.write(json.dumps(rate) + "\n")
        written(by_hand, tmp_path)
    files = sorted(tmp_path.glob("*.py"))
    assert len(files) == 2 * len(configs)
    for command in (["format", "--check"], ["check", "--select=E,F,I,UP,B", "--no-cache"]):
        done = subprocess.run(
            [ruff, *command, "--isolated", "--line-length=100", *files],
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_notebook_has_the_form_of_nbformat_4(recorded):
    notebook = json.loads(script.as_notebook(recorded))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    kinds = [cell["cell_type"] for cell in notebook["cells"]]
    assert kinds == ["markdown", "code"] * (len(kinds) // 2)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(kinds) == 12
    for cell in notebook["cells"]:
        own = {"outputs", "execution_count"} if cell["cell_type"] == "code" else set()
        assert set(cell) == {"cell_type", "id", "metadata", "source"} | own
        assert cell["source"].strip()


def test_nbformat_itself_agrees(recorded):
    nbformat = pytest.importorskip("nbformat")
    nbformat.validate(nbformat.reads(script.as_notebook(recorded), as_version=4))
