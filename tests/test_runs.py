"""The run folder with real files, threads and processes: nothing lost, nothing half written."""

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from types import SimpleNamespace

import numpy as np
import pandas as pd
import psutil
import pytest

from mnist_core import driving, files, recording, runs
from mnist_core.config import TrainConfig
from mnist_core.layers import dense_stack
from mnist_core.workers import PROJECT

DATA = {"name": "small", "source": "built-in", "fingerprint": "f"}
CONFIG = TrainConfig(layers=dense_stack((16,), "relu", 0.0), epochs=3, name="tiny")
STEPS = 13  # batches an epoch of the recorded run
UNKNOWN = "20200101-000000-0000"

CLAIM_ALL = """
import sys
from pathlib import Path
from mnist_core import runs
print("ready", flush=True)
sys.stdin.readline()
while run := runs.claim(Path(sys.argv[1])):
    print(run.id, flush=True)
"""
CLAIM_ONE = """
import sys
from pathlib import Path
from mnist_core import runs
print(runs.claim(Path(sys.argv[1])).id, flush=True)
sys.stdin.readline()
"""


def new(root, **changes):
    return runs.create(replace(CONFIG, **changes), DATA, root)


def ended(root, state, **status):
    """Return a run that was claimed and has ended in a state."""
    run = new(root)
    runs.claim(root, run.id)
    runs.beat(run, **status)
    runs.finish(run, state, "why it ended")
    return runs.read(run.id, root)


def ids(found):
    return [run.id for run in found]


def saved(run, name="status.json"):
    return json.loads((run.path / name).read_text())


def rewrite(run, **status):
    (run.path / "status.json").write_text(json.dumps(saved(run) | status))


@pytest.fixture
def start():
    """Return a function that starts a Python process on the runs folder; all end with the test."""
    started = []

    def start_process(code, root):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(root)],
            cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield start_process
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def clock(monkeypatch):
    """Let every reading of the time be a second later than the one before."""
    seconds = iter(range(10**6))
    start = datetime.now(UTC)
    monkeypatch.setattr(runs, "now", lambda: (start + timedelta(seconds=next(seconds))).isoformat())


# Writing


def test_a_reader_never_sees_half_a_json_file(tmp_path):
    path = tmp_path / "status.json"
    files.write_json(path, {"fill": [0] * 20_000})
    writing = threading.Thread(
        target=lambda: [files.write_json(path, {"fill": [n] * 20_000}) for n in range(100)]
    )
    writing.start()
    reads = 0
    while writing.is_alive():
        assert len(set(json.loads(path.read_text())["fill"])) == 1
        reads += 1
    assert reads > 20
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_never_sees_half_an_array(root):
    run = new(root)
    arrays = [np.full((20_000, 10), n, np.float32) for n in range(100)]
    recording.record_logits(run, 1, arrays[0])
    writing = threading.Thread(target=lambda: [recording.record_logits(run, 1, a) for a in arrays])
    writing.start()
    while writing.is_alive():
        logits = run.logits(1)
        assert logits.shape == (20_000, 10)
        assert logits.min() == logits.max()


def test_a_reader_sees_only_whole_moments_while_they_are_written(root):
    run = new(root)
    logits, seen = np.zeros((20_000, 10), np.float32), set()
    writing = threading.Thread(
        target=lambda: [recording.record_logits(run, n, logits) for n in range(60)]
    )
    writing.start()
    while writing.is_alive():
        seen.update(runs.read(run.id, root).moments)
    assert seen <= set(range(60))


def test_a_write_that_fails_keeps_the_old_file_and_leaves_nothing_beside(tmp_path, monkeypatch):
    path = tmp_path / "status.json"
    files.write_json(path, {"state": "old"})
    monkeypatch.setattr(os, "replace", failing(28, "No space left on device"))
    with pytest.raises(OSError, match="No space"):
        files.write_json(path, {"state": "new"})
    assert json.loads(path.read_text()) == {"state": "old"}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("moment", [3, 2.4])
def test_an_array_cut_off_while_it_is_written_is_no_moment_and_no_obstacle(
    recorded, monkeypatch, moment
):
    """As when the disk is full or the trainer is killed within the write."""
    recording.rewind(recorded, 2.0, 2 * STEPS)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", failing(28, "No space left on device"))
        for record, content in (
            (recording.record_logits, np.zeros((101, 10), np.float32)),
            (recording.record_weights, {"step": np.int64(31)}),
        ):
            with pytest.raises(OSError, match="No space"):
                record(recorded, moment, content)
    assert runs.read(recorded.id).moments == [0, 1, 2]
    assert recording.last_weights(recorded)[0] == 2
    recording.record_weights(recorded, 3, {"step": np.int64(39)})
    assert recording.last_weights(recorded)[0] == 3


def failing(number, text):
    def fail(*_, **__):
        raise OSError(number, text)

    return fail


def test_a_new_run_is_queued_and_says_what_it_is_made_of(root):
    run = new(root)
    assert (run.state, run.active, run.moments, len(run.metrics)) == ("queued", True, [], 0)
    assert (run.config, run.dataset) == (CONFIG, DATA)
    assert runs.RUN_ID.fullmatch(run.id)
    assert runs.read(run.id) == run  # $MNIST_RUNS is the default


def test_a_reader_never_sees_a_run_that_is_only_half_there(root):
    states = set()
    starting = threading.Thread(target=lambda: [driving.stop(new(root)) for _ in range(40)])
    starting.start()
    while starting.is_alive():
        states.update(run.state for run in runs.list_runs(root))
    assert "stopped" in states and states <= {"queued", "stopped"}


def test_the_configuration_names_the_versions_of_the_libraries(root):
    text = (new(root).path / "config.json").read_text()
    assert all(version(name) in text for name in ("keras", "numpy")), text


# Reading what is damaged

JUNK = [
    b'{"kind": "step", "st', b"null", b"[1, 2]", b'{"step": "x"}', b"\xff\x00\xfe", b"",
    b'{"kind": "epoch", "step": 13}', b'{"kind": "epoch", "step": 13, "epoch": [1]}',
    b'{"kind": "epoch", "step": 13, "epoch": NaN}',
    b'{"kind": "epoch", "step": 13, "epoch": 1' + b"0" * 400 + b"}",
]  # fmt: skip


@pytest.mark.parametrize("junk", JUNK)
def test_a_corrupt_line_of_metrics_is_left_out(recorded, junk):
    path = recorded.path / "metrics.jsonl"
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*lines[:20], junk, *lines[20:]]) + b"\n" + junk)
    run = runs.read(recorded.id)
    assert run.history() == recorded.history()
    assert list(run.epochs.index) == [0, 1, 2, 3]
    assert (run.metrics["kind"] == "step").sum() == 3 * STEPS


def test_each_report_is_read_as_soon_as_it_is_written(recorded):
    """Files that did not change are not parsed again, and nobody notices."""
    path = recorded.path / "metrics.jsonl"
    before = len(recorded.metrics)
    for number in range(1, 6):
        line = {"kind": "step", "step": 100 + number, "epoch": 9, "loss": number / 8}
        recording.append(recorded, line)
        found = runs.read_metrics(path)
        assert len(found) == before + number and found["loss"].iloc[-1] == number / 8
    text, time_ = path.read_text(), path.stat().st_mtime_ns
    path.write_text(text.replace('"loss": 0.625', '"loss": 0.125'))  # as long as before
    os.utime(path, ns=(time_, time_ + 1))
    assert runs.read_metrics(path)["loss"].iloc[-1] == 0.125
    path.unlink()
    assert len(runs.read_metrics(path)) == 0


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"state": "asleep"}', b"\xff\xfe"])
@pytest.mark.parametrize(
    "name", ["config.json", "status.json", "control.json", "metrics.jsonl", "predictions/003.npy"]
)
def test_a_damaged_file_hides_no_other_run(root, recorded, name, content):
    others = [new(root), ended(root, "stopped")]
    (recorded.path / name).unlink()
    if content is not None:
        (recorded.path / name).write_bytes(content)
    listed = {run.id: run for run in runs.list_runs(root)}
    assert {other.id: other.state for other in others}.items() <= {
        run.id: run.state for run in listed.values()
    }.items()
    if name == "config.json":
        assert recorded.id not in listed
        with pytest.raises(runs.RunsError, match=f"configuration of run {recorded.id}"):
            runs.read(recorded.id)
        return
    run = listed[recorded.id]
    assert run.state == ("failed" if name == "status.json" else "completed")
    assert runs.NO_CONTROL.items() <= run.control.items()
    assert run.planned_epochs == 3
    if name == "status.json":
        assert "status file" in run.status["reason"]
    if name == "metrics.jsonl":
        assert run.history()["loss"] == []


def test_times_that_are_none_do_not_hide_the_runs(root):
    created = [new(root).id for _ in range(3)]
    for run, time_ in zip(runs.list_runs(root), (5, None, "yesterday"), strict=True):
        rewrite(run, created=time_, queued=time_)
    assert sorted(ids(runs.list_runs(root))) == sorted(created)
    assert sorted(ids(runs.waiting(root))) == sorted(created)


@pytest.mark.parametrize("state", ["running", "queued"])
def test_a_run_whose_status_is_lost_can_be_resumed(root, state):
    run = new(root)
    if state == "running":
        runs.claim(root)
    (run.path / "status.json").write_text("{")
    driving.resume(runs.read(run.id))
    assert ids(runs.waiting(root)) == [run.id]


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def archive(array):
    file = io.BytesIO()
    np.savez(file, array)
    return file.getvalue()


WHOLE = npy(np.zeros((101, 10), np.float32))
DAMAGED = {
    "empty": b"",
    "cut in the header": WHOLE[:20],
    "cut in the numbers": WHOLE[:-1],
    "text": b"not an array",
    "a cut zip file": b"PK\x03\x04abc",
    "weights": archive(np.zeros((101, 10), np.float32)),
    "pickled": npy(np.array([{"a": 1}], object)),
    "half precision": npy(np.zeros((101, 10), np.float16)),
    "other shape": npy(np.zeros(101, np.float32)),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_unreadable_predictions_are_refused_with_their_reason(recorded, damage):
    (recorded.path / "predictions" / "002.npy").write_bytes(DAMAGED[damage])
    run = runs.read(recorded.id)
    with pytest.raises(runs.RunsError, match=r"epoch 2|002\.npy"):
        run.logits(2.0)
    assert run.logits(3.0).shape == (101, 10)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_weights_that_cannot_be_read_are_passed_over(root, share):
    run = new(root)
    for moment in (1, 2):
        recording.record_weights(run, moment, {"step": np.int64(moment), "w": np.zeros(1000)})
    file = run.path / "weights" / "002.npz"
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    moment, arrays = recording.last_weights(run)
    assert (moment, int(arrays["step"])) == (1.0, 1)


def test_weights_with_a_flipped_bit_are_passed_over(root):
    run = new(root)
    for moment in (1, 2):
        recording.record_weights(run, moment, {"step": np.int64(moment), "w": np.zeros(1000)})
    file = run.path / "weights" / "002.npz"
    content = bytearray(file.read_bytes())
    content[2000] ^= 1
    file.write_bytes(content)
    assert recording.last_weights(run)[0] == 1.0


def test_without_weights_there_is_nothing_to_resume_from(root):
    assert recording.last_weights(new(root)) is None


def test_folders_that_are_no_runs_are_not_listed(root):
    run = new(root)
    shutil.copytree(run.path, root / "notes")
    shutil.copytree(run.path, root / run.id.upper().replace("-", "_"))
    shutil.copytree(run.path, root / f".new-{UNKNOWN}")
    (root / UNKNOWN).write_text("a file under a run's name")
    assert ids(runs.list_runs(root)) == [run.id]


@pytest.mark.parametrize(
    "asked",
    ["../x", "", None, 5, "a" * 100_000, "20200101-000000-0000\n", "..", "20200101-000000-0000/..",
     "../20200101-000000-0000", "20200101-000000-000G", b"20200101-000000-0000"],
)  # fmt: skip
def test_a_malformed_id_is_refused_in_one_short_sentence(root, asked):
    shutil.copytree(new(root).path, root.parent / UNKNOWN)  # outside of the runs folder
    with pytest.raises(runs.RunsError, match="not the name of a run") as error:
        runs.read(asked, root)
    assert len(str(error.value)) < 200


def test_an_unknown_id_may_have_been_deleted(root):
    with pytest.raises(runs.RunsError, match="may have been deleted"):
        runs.read(UNKNOWN, root)


def test_the_newest_run_is_listed_first(root):
    created = [new(root).id for _ in range(6)]
    assert ids(runs.list_runs(root)) == created[::-1]


# The queue


def test_runs_wait_in_the_order_they_were_started(root, clock):
    created = [new(root).id for _ in range(4)]
    assert ids(runs.waiting(root)) == created
    assert [runs.claim(root).id for _ in created] == created
    assert runs.claim(root) is None


def test_a_resumed_run_goes_to_the_back_of_the_queue(root, clock):
    first = ended(root, "stopped")
    second, third = new(root), new(root)
    driving.resume(first)
    assert ids(runs.waiting(root)) == [second.id, third.id, first.id]


def test_the_queue_is_bounded_for_new_and_for_resumed_runs(root):
    stopped = ended(root, "stopped")
    for _ in range(runs.MAX_QUEUE):
        new(root)
    with pytest.raises(runs.RunsError, match=f"{runs.MAX_QUEUE} runs are waiting"):
        new(root)
    with pytest.raises(runs.RunsError, match=f"{runs.MAX_QUEUE} runs are waiting"):
        driving.resume(stopped)
    assert len(runs.list_runs(root)) == runs.MAX_QUEUE + 1
    runs.claim(root)
    new(root)


def test_two_runs_never_share_a_name(root, monkeypatch):
    drawn = iter(["aaaa", "aaaa", "aaaa", "bbbb"])
    monkeypatch.setattr(runs.secrets, "token_hex", lambda n: next(drawn) if n == 2 else "f" * 6)
    monkeypatch.setattr(runs, "datetime", SimpleNamespace(now=lambda zone: datetime(2030, 1, 1)))
    first, second = new(root), new(root)
    assert (first.id, second.id) == ("20300101-000000-aaaa", "20300101-000000-bbbb")


def test_threads_that_start_runs_together_do_not_overfill_the_queue(root):
    def try_new(_):
        try:
            return new(root).id
        except runs.RunsError:
            return None

    with ThreadPoolExecutor(8) as pool:
        made = [made for made in pool.map(try_new, range(16)) if made]
    assert len(made) == len(set(made)) == runs.MAX_QUEUE
    assert sorted(ids(runs.waiting(root))) == sorted(made)


def test_claiming_takes_the_run_for_this_process(root):
    run = new(root)
    claimed = runs.claim(root)
    assert (claimed.id, claimed.state) == (run.id, "running")
    assert claimed.status["pid"] == os.getpid()
    assert claimed.status["host"] == socket.gethostname()


def test_a_run_can_be_claimed_by_name_once(root, clock):
    first, second = new(root), new(root)
    assert runs.claim(root, second.id).id == second.id
    assert runs.claim(root, second.id) is None
    assert runs.claim(root, UNKNOWN) is None
    assert ids(runs.waiting(root)) == [first.id]


def test_threads_claim_each_run_once(root):
    created = [new(root).id for _ in range(runs.MAX_QUEUE)]

    def claim_all(_):
        return [run.id for run in iter(lambda: runs.claim(root), None)]

    with ThreadPoolExecutor(6) as pool:
        claimed = [run_id for some in pool.map(claim_all, range(6)) for run_id in some]
    assert sorted(claimed) == sorted(created)


def test_processes_claim_each_run_once(root, start):
    created = [new(root).id for _ in range(runs.MAX_QUEUE)]
    processes = [start(CLAIM_ALL, root) for _ in range(3)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    claimed = [line for process in processes for line in process.communicate()[0].split()]
    assert sorted(claimed) == sorted(created)


# What people write about a run

MARKDOWN = "# *Best* [link](javascript:alert(1)) $x^2$ <script>\n\n- :material/stop: `code` 🙂"


def test_a_name_and_a_note_are_kept_as_they_were_written(root):
    run = new(root)
    assert (run.about, run.title) == ({"name": "", "note": ""}, "tiny")
    runs.describe(run, "  My best  ", f"\n{MARKDOWN}\n")
    told = runs.read(run.id)
    assert told.about == {"name": "My best", "note": MARKDOWN}
    assert told.title == "My best"
    assert told.config == run.config  # what was trained keeps its own name
    runs.describe(run, MARKDOWN[:60], "")
    assert runs.read(run.id).about == {"name": MARKDOWN[:60], "note": ""}
    runs.describe(run, "", "  ")
    told = runs.read(run.id)
    assert (told.about, told.title) == ({"name": "", "note": ""}, "tiny")


def test_names_and_notes_have_limits(root):
    run = new(root)
    runs.describe(run, "é" * 60, "ü" * 2000)
    before = runs.read(run.id).about
    for name, note, words in (
        ("x" * 61, "", "a name of at most 60 characters. Received: '61'"),
        ("", "x" * 2001, "a note of at most 2,000 characters. Received: '2,001'"),
    ):
        with pytest.raises(ValueError, match=words):
            runs.describe(run, name, note)
        assert runs.read(run.id).about == before


@pytest.mark.parametrize("state", ["running", "completed", "diverged"])
def test_a_run_is_described_in_any_state_and_its_state_stays(root, state):
    run = new(root)
    runs.claim(root)
    if state != "running":
        runs.finish(run, state)
    before = saved(run)
    runs.describe(run, "Mine", "")
    assert saved(run) == before
    assert (runs.read(run.id).state, runs.read(run.id).title) == (state, "Mine")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff", b'{"name": null, "note": []}', b'{"other": 1}']
)
def test_damaged_words_about_a_run_are_no_words(root, content):
    run = new(root)
    (run.path / "about.json").write_bytes(content)
    assert runs.read(run.id).about == {"name": "", "note": ""}
    assert runs.read(run.id).title == "tiny"


def test_a_run_may_have_a_parent(root):
    first = new(root)
    second = runs.create(replace(CONFIG, seed=2), DATA, root, parent=first.id)
    assert saved(second, "config.json")["parent"] == first.id
    assert saved(first, "config.json")["parent"] is None
    assert runs.read(second.id).config.seed == 2


def test_the_final_moment_is_the_last_or_the_best_that_was_put_back(root, recorded):
    assert new(root).final is None
    assert recorded.final == 3
    runs.beat(recorded, final_epoch=2)
    best = runs.read(recorded.id)
    assert (best.final, best.moments[-1]) == (2, 3)
    for lost in (7, "2", None, [2]):  # an epoch that is not recorded, or no epoch at all
        runs.beat(recorded, final_epoch=lost)
        assert runs.read(recorded.id).final == 3


# Deleting


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_live_run_is_not_deleted(root, state):
    run = new(root)
    if state == "running":
        runs.claim(root)
    with pytest.raises(runs.RunsError, match="Stop it first"):
        runs.delete(run)
    assert runs.read(run.id).state == state


def test_a_deleted_run_is_gone_and_the_others_are_there(root, recorded):
    other = ended(root, "stopped")
    runs.delete(recorded)
    assert ids(runs.list_runs(root)) == [other.id]
    assert [path for path in root.iterdir() if path.is_dir()] == [other.path]
    for late in (runs.delete, driving.resume, driving.stop):  # pressed in another window
        with pytest.raises(runs.RunsError, match="may have been deleted"):
            late(recorded)


# The recording


@pytest.mark.parametrize(
    ("moment", "name"),
    [(0, "000"), (3.0, "003"), (2.4, "002.400"), (12.345, "012.345"), (200, "200"),
     (0.001, "000.001"), (199.999, "199.999")],
)  # fmt: skip
def test_a_moment_has_one_name_and_is_found_by_it(root, moment, name):
    assert runs.moment_name(moment) == name
    run = new(root)
    recording.record_logits(run, moment, np.full((4, 10), 7, np.float32))
    assert (run.path / "predictions" / f"{name}.npy").exists()
    assert run.moments == [moment]
    assert (run.logits(run.moments[0]) == 7).all()


def test_moments_are_in_the_order_of_time(recorded):
    for moment in (2.4, 10, 0.5):
        recording.record_logits(recorded, moment, np.zeros((101, 10), np.float32))
    assert runs.read(recorded.id).moments == [0, 0.5, 1, 2, 2.4, 3, 10]
    with pytest.raises(runs.RunsError, match=r"epoch 2\.5"):
        recorded.logits(2.5)


def test_weights_of_a_whole_epoch_supersede_a_stop_before_it(recorded):
    recording.rewind(recorded, 2.0, 2 * STEPS)
    for moment in (1.25, 2.4, 3.5):
        recording.record_logits(recorded, moment, np.zeros((101, 10), np.float32))
        np.savez(recorded.path / "weights" / f"{runs.moment_name(moment)}.npz", step=0)
    recording.record_weights(recorded, 3, {"step": np.int64(3 * STEPS)})
    for folder in ("predictions", "weights"):
        left = sorted(float(file.stem) for file in (recorded.path / folder).iterdir())
        assert left == ([0, 1, 2, 3.5] if folder == "predictions" else [0, 1, 2, 3, 3.5])


def test_rewind_drops_what_came_after_a_moment(recorded):
    with open(recorded.path / "metrics.jsonl", "ab") as file:
        file.write(b'{"kind": "step", "st')
    recording.rewind(recorded, 2.0, 2 * STEPS)
    run = runs.read(recorded.id)
    before = recorded.metrics
    pd.testing.assert_frame_equal(
        run.metrics, before[before["step"] <= 2 * STEPS].reset_index(drop=True)
    )
    assert run.moments == [0, 1, 2]
    assert recording.last_weights(run)[0] == 2
    assert run.history() == {name: values[:2] for name, values in recorded.history().items()}


def test_rewind_drops_an_epochs_line_whose_weights_were_not_written(recorded):
    """Its last batch is recorded, its end is not: it is reported again."""
    recording.record_weights(recorded, 1.999, {"step": np.int64(2 * STEPS)})
    recording.rewind(recorded, 1.999, 2 * STEPS)
    run = runs.read(recorded.id)
    assert list(run.epochs.index) == [0, 1]
    assert (run.metrics["kind"] == "step").sum() == 2 * STEPS


def test_rewind_to_within_an_epoch_keeps_its_steps_and_that_moment(recorded):
    recording.record_logits(recorded, 1.385, np.zeros((101, 10), np.float32))
    recording.record_weights(recorded, 1.385, {"step": np.int64(18)})
    recording.rewind(recorded, 1.385, 18)
    run = runs.read(recorded.id)
    assert list(run.epochs.index) == [0, 1]
    assert run.metrics["step"].max() == 18
    assert run.moments == [0, 1, 1.385]
    assert recording.last_weights(run)[0] == 1.385


def test_rewind_keeps_the_rates_that_were_set_until_then_and_returns_what_it_keeps(recorded):
    for step, epoch, rate in ((0, 0, 0.1), (20, 20 / STEPS, 0.2), (30, 30 / STEPS, 0.3)):
        line = {"kind": "rate", "step": step, "epoch": epoch, "learning_rate": rate}
        recording.append(recorded, line)
    kept = recording.rewind(recorded, 2.0, 2 * STEPS)
    run = runs.read(recorded.id)
    pd.testing.assert_frame_equal(kept.reset_index(drop=True), run.metrics)
    rates = run.metrics[run.metrics["kind"] == "rate"]
    assert rates[["step", "learning_rate"]].to_numpy().tolist() == [[0, 0.1], [20, 0.2]]
    assert list(run.epochs.index) == [0, 1, 2]  # a rate is not the report of an epoch
    assert run.history() == {name: values[:2] for name, values in recorded.history().items()}


def test_rewind_before_the_start_leaves_nothing(recorded):
    recording.rewind(recorded, -1.0, -1)
    run = runs.read(recorded.id)
    assert (len(run.metrics), run.moments, recording.last_weights(run)) == (0, [], None)


def test_the_epochs_after_a_rewind_are_reported_once(recorded):
    """A trainer that is killed after the line and before the weights writes the line again."""
    recording.append(recorded, {"kind": "epoch", "step": 39, "epoch": 3, "loss": 9.0})
    assert recorded.history() == runs.read(recorded.id).history()


# A folder that cannot be written


def test_without_a_place_for_the_runs_everything_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    root = tmp_path / "file" / "runs"
    with pytest.raises(runs.RunsError, match=r"cannot be written.*set MNIST_RUNS"):
        new(root)
    assert runs.list_runs(root) == runs.waiting(root) == []
    with pytest.raises(runs.RunsError):
        runs.claim(root)
    with pytest.raises(runs.RunsError):
        runs.read(UNKNOWN, root)


ACTIONS = {
    "create": lambda root, run: new(root),
    "claim": lambda root, run: runs.claim(root),
    "stop": lambda root, run: driving.stop(run),
    "finish": lambda root, run: runs.finish(run, "completed"),
    "resume": lambda root, run: driving.resume(ended_before(root)),
    "delete": lambda root, run: runs.delete(ended_before(root)),
    "settle": lambda root, run: runs.settle(root),
}


def ended_before(root):
    return next(run for run in runs.list_runs(root) if run.state == "stopped")


@pytest.mark.parametrize("action", ACTIONS)
def test_a_disk_that_takes_no_byte_is_a_message_and_changes_nothing(root, monkeypatch, action):
    ended(root, "stopped")
    orphan = new(root)
    runs.claim(root)
    rewrite(orphan, pid_started=0.0)
    run = new(root)
    before = {run.id: run.state for run in runs.list_runs(root)}
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", failing(30, "Read-only file system"))
        with pytest.raises(runs.RunsError, match="cannot be written: Read-only file system"):
            ACTIONS[action](root, run)
    assert {run.id: run.state for run in runs.list_runs(root)} == before


def test_a_full_disk_is_said_before_a_run_begins(root, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=int(runs.FREE_BYTES_NEEDED) - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(runs.RunsError, match="almost full"):
        new(root)
    assert [path for path in root.iterdir() if path.is_dir()] == []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=usage.free + 1))
    new(root)


def test_a_bad_configuration_leaves_no_folder(root):
    with pytest.raises(ValueError, match="Expected batch size"):
        new(root, batch_size=0)
    assert not root.exists() or not list(root.iterdir())


# Interrupted


def test_a_run_is_running_while_its_process_lives_and_interrupted_afterwards(root, start):
    run = new(root)
    process = start(CLAIM_ONE, root)
    assert process.stdout.readline().strip() == run.id
    assert runs.read(run.id).state == "running"
    process.communicate("end\n")
    after = runs.read(run.id)
    assert (after.state, after.active) == ("interrupted", False)
    assert "training process ended in the middle" in after.status["reason"]


def test_a_killed_process_is_gone_though_its_parent_has_not_looked(root, start):
    """It stays in the process table as a zombie until then."""
    run = new(root)
    process = start(CLAIM_ONE, root)
    process.stdout.readline()
    process.kill()
    deadline = time.monotonic() + 5
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert runs.read(run.id).state == "interrupted"


def test_another_process_under_the_same_number_is_not_the_trainer(root):
    run = new(root)
    runs.claim(root)
    rewrite(run, pid_started=psutil.Process().create_time() - 100)
    assert runs.read(run.id).state == "interrupted"


@pytest.mark.parametrize("lost", ["pid", "pid_started", "host", "heartbeat"])
def test_a_running_run_with_an_incomplete_status_has_a_state(root, lost):
    run = new(root)
    runs.claim(root)
    status = saved(run)
    del status[lost]
    (run.path / "status.json").write_text(json.dumps(status))
    # Without a host it may be another machine's: then its sign of life counts.
    assert runs.read(run.id).state == ("interrupted" if "pid" in lost else "running")


@pytest.mark.parametrize(
    ("beat", "state"),
    [(2, "running"), (30, "running"), (90, "interrupted"), (None, "interrupted")],
)
def test_another_machines_run_lives_as_long_as_its_signs_of_life(root, beat, state):
    run = new(root)
    runs.claim(root)
    heartbeat = beat and (datetime.now(UTC) - timedelta(seconds=beat)).isoformat()
    rewrite(run, host="elsewhere", heartbeat=heartbeat, pid=1)
    assert runs.read(run.id).state == state


def test_settle_writes_interrupted_into_orphans_alone(root):
    orphan, alive = new(root), new(root)
    runs.claim(root, orphan.id), runs.claim(root, alive.id)
    others = [alive, new(root), ended(root, "completed"), ended(root, "stopped")]
    rewrite(orphan, pid_started=0.0, step=7)
    before = [saved(run) for run in others]
    runs.settle(root)
    status = saved(orphan)
    assert (status["state"], status["step"]) == ("interrupted", 7)
    assert "ended in the middle" in status["reason"]
    assert status["ended"]
    assert [saved(run) for run in others] == before
    runs.settle(root)
    assert saved(orphan) == status


def test_an_orphan_can_be_resumed_or_deleted_before_anything_settles_it(root):
    resumed, deleted = new(root), new(root)
    for run in (resumed, deleted):
        runs.claim(root, run.id)
        rewrite(run, pid_started=0.0)
    driving.resume(resumed)
    runs.delete(deleted)
    assert ids(runs.list_runs(root)) == ids(runs.waiting(root)) == [resumed.id]
