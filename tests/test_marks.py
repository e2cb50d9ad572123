"""Verdicts on digits: kept, taken back, shared by processes, and read however a file was edited."""

import io
import json
import os
import subprocess
import sys
import threading

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

from mnist_core import marks
from mnist_core.marks import Marks
from mnist_core.runs import RunsError
from mnist_core.workers import PROJECT

DATA = {"name": "MNIST", "source": "memory", "fingerprint": "0123456789abcdef0123456789abcdef"}
OTHER = {"name": "other", "source": "memory", "fingerprint": "fedcba98765432100123456789abcdef"}
TOTAL = 1000

MARK_ALL = """
import sys
from pathlib import Path
from mnist_core import marks
print("ready", flush=True)
sys.stdin.readline()
for index in range(int(sys.argv[2]), 120, 2):
    marks.mark(Path(sys.argv[1]), {"name": "MNIST", "fingerprint": sys.argv[3]}, index, "label")
"""


@pytest.fixture
def place(root):
    """The path of the file of marks; its folder is there."""
    path = root / "marks" / "0123456789abcdef.json"
    path.parent.mkdir(parents=True)
    return path


def read(root, dataset=DATA, total=TOTAL):
    return marks.read(root, dataset["fingerprint"], total)


def written(place, entries):
    place.write_text(json.dumps({"dataset": "MNIST", "marks": entries}))


# Kept and taken back


def test_before_the_first_mark_there_is_nothing_and_no_problem(root):
    assert read(root) == Marks({}, [])
    assert not root.exists()


def test_marks_are_read_back(root):
    given = {247: "label", 340: "model", 999: "unclear", 0: "model"}
    for index, verdict in given.items():
        marks.mark(root, DATA, index, verdict)
    found = read(root)
    assert found == Marks(given, [])
    assert found.of("model").tolist() == [0, 340]
    assert found.of("label").tolist() == [247]
    assert found.of("unclear").dtype == np.int64
    assert Marks().of("model").tolist() == []


def test_the_file_is_json_that_people_can_read_and_edit(root, place):
    marks.mark(root, DATA, 247, "label")
    assert json.loads(place.read_text()) == {"dataset": "MNIST", "marks": {"247": "label"}}


def test_an_index_of_numpy_is_an_index(root):
    marks.mark(root, DATA, np.int64(5), "label")
    assert read(root) == Marks({5: "label"}, [])


def test_another_verdict_takes_the_place_of_the_first(root):
    marks.mark(root, DATA, 3, "label")
    marks.mark(root, DATA, 3, "unclear")
    assert read(root).verdicts == {3: "unclear"}


def test_a_mark_is_taken_back_and_the_others_stay(root):
    for index in (3, 33, 333):
        marks.mark(root, DATA, index, "label")
    marks.mark(root, DATA, 33, None)
    assert read(root) == Marks({3: "label", 333: "label"}, [])
    marks.mark(root, DATA, 33, None)  # nobody minds
    assert read(root).verdicts == {3: "label", 333: "label"}


def test_what_was_never_marked_is_taken_back_in_peace(root):
    marks.mark(root, DATA, 1, None)
    assert read(root) == Marks({}, [])


@pytest.mark.parametrize("verdict", ["", "Label", "fault", "the label's fault"])
def test_an_unknown_verdict_is_refused_and_nothing_is_written(root, verdict):
    with pytest.raises(ValueError, match=r"^Expected one of model, label, unclear. Received: "):
        marks.mark(root, DATA, 1, verdict)
    assert not root.exists()


def test_each_dataset_has_its_own_marks(root):
    marks.mark(root, DATA, 1, "label")
    marks.mark(root, OTHER, 1, "model")
    marks.mark(root, OTHER, 2, "model")
    assert read(root).verdicts == {1: "label"}
    assert read(root, OTHER).verdicts == {1: "model", 2: "model"}
    marks.mark(root, OTHER, 1, None)
    assert read(root).verdicts == {1: "label"}


def test_no_temporary_file_stays_behind(root, place):
    for index in range(5):
        marks.mark(root, DATA, index, "label")
    left = {file.name for file in place.parent.iterdir()} - {place.with_suffix(".lock").name}
    assert left == {place.name}


# Several at once


def test_processes_that_mark_at_once_lose_nothing(root):
    started = [
        subprocess.Popen(
            [sys.executable, "-c", MARK_ALL, str(root), str(first), DATA["fingerprint"]],
            cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for first in (0, 1)
    ]  # fmt: skip
    for process in started:
        assert process.stdout.readline() == "ready\n"
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in started:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert read(root) == Marks(dict.fromkeys(range(120), "label"), [])


def test_threads_that_mark_at_once_lose_nothing(root):
    begin, failed = threading.Barrier(6), []

    def work(first):
        begin.wait()
        try:
            for index in range(first, 60, 6):
                marks.mark(root, DATA, index, "model")
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed
    assert read(root) == Marks(dict.fromkeys(range(60), "model"), [])


def test_a_lock_that_another_holds_too_long_is_an_error(root, place, monkeypatch):
    monkeypatch.setattr(marks, "LOCK_SECONDS", 0.05)
    with (
        FileLock(place.with_suffix(".lock")),
        pytest.raises(RunsError, match=r"^The mark cannot be kept in "),
    ):
        marks.mark(root, DATA, 1, "label")
    assert read(root) == Marks({}, [])
    marks.mark(root, DATA, 1, "label")
    assert read(root).verdicts == {1: "label"}


# Files edited by hand

STRANGE = {
    "unknown verdict": {"3": "fault"},
    "capitals": {"3": "Label"},
    "behind the last": {"1000": "label"},
    "far behind": {"99999999999999999999": "label"},
    "endless": {"9" * 5000: "label"},
    "negative": {"-1": "label"},
    "text": {"three": "label"},
    "no text": {"": "label"},
    "fraction": {"3.0": "label"},
    "blanks": {" 3 ": "label"},
    "underscore": {"1_0": "label"},
    "Arabic digit": {"٣": "label"},
    "superscript": {"²": "label"},
    "number": {"3": 7},
    "null": {"3": None},
    "list": {"3": ["label"]},
    "object": {"3": {"verdict": {"is": "label"}}},
}


@pytest.mark.parametrize("kind", STRANGE)
def test_a_strange_entry_is_left_out_and_said(root, place, kind):
    written(place, {"7": "model", **STRANGE[kind]})
    found = read(root)
    assert found.verdicts == {7: "model"}
    assert found.problems == [
        f'1 mark in {place} left out: expected "0" to "999": one of model, label, unclear.'
    ]


@pytest.mark.parametrize("kind", STRANGE)
def test_a_strange_entry_stays_in_the_file_after_another_mark(root, place, kind):
    written(place, STRANGE[kind])
    marks.mark(root, DATA, 8, "unclear")
    assert json.loads(place.read_text())["marks"] == {**STRANGE[kind], "8": "unclear"}
    assert read(root).verdicts == {8: "unclear"}


def test_the_strange_ones_are_counted(root, place):
    written(place, {"1": "label", "-1": "label", "x": "label", "5": "?", "999": "model"})
    found = read(root)
    assert found.verdicts == {1: "label", 999: "model"}
    assert found.problems[0].startswith(f"3 marks in {place} left out")


def test_the_last_image_is_the_total_minus_one(root, place):
    written(place, {"9": "label", "10": "label"})
    assert read(root, total=10).verdicts == {9: "label"}
    assert '"0" to "9"' in read(root, total=10).problems[0]
    assert read(root, total=11) == Marks({9: "label", 10: "label"}, [])


BROKEN = {
    "empty object": b"{}",
    "list": b"[]",
    "number": b"5",
    "null": b"null",
    "marks are a list": b'{"marks": ["247"]}',
    "marks are null": b'{"marks": null}',
    "no JSON": b"247 label\n340 model\n",
    "truncated": b'{"dataset": "MNIST", "marks": {"247": "la',
    "empty": b"",
    "not UTF-8": b'{"marks": {"1": "\xff\xfe"}}',
    "endless number": b'{"marks": {"1": ' + b"9" * 5000 + b"}}",
    "zeros": bytes(100),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_said_in_a_sentence(root, place, kind):
    place.write_bytes(BROKEN[kind])
    found = read(root)
    assert found.verdicts == {}
    (problem,) = found.problems
    assert problem.startswith(f"The file of marks {place} cannot be read: ")
    assert "put aside" in problem
    assert place.read_bytes() == BROKEN[kind]


@pytest.mark.parametrize("kind", BROKEN)
def test_a_mark_puts_a_broken_file_aside_and_keeps_its_text(root, place, kind):
    place.write_bytes(BROKEN[kind])
    marks.mark(root, DATA, 5, "label")
    assert read(root) == Marks({5: "label"}, [])
    (aside,) = place.parent.glob("*.unreadable-*")
    assert aside.read_bytes() == BROKEN[kind]


def test_files_put_aside_twice_are_both_kept(root, place):
    for text in ("one", "two"):
        place.write_text(text)
        marks.mark(root, DATA, 5, "label")
    aside = place.parent.glob("*.unreadable-*")
    assert sorted(file.read_text() for file in aside) == ["one", "two"]


def test_a_folder_in_the_files_place_is_said_and_no_mark_can_be_kept(root, place):
    place.mkdir()
    found = read(root)
    assert found.verdicts == {} and str(place) in found.problems[0]
    with pytest.raises(RunsError, match=r"^The mark cannot be kept in "):
        marks.mark(root, DATA, 5, "label")
    assert place.is_dir()


def test_a_file_in_the_folders_place_is_said_too(root):
    root.mkdir()
    (root / "marks").write_text("here was someone")
    assert len(read(root).problems) == 1
    with pytest.raises(RunsError, match=r"^The mark cannot be kept in "):
        marks.mark(root, DATA, 5, "label")
    assert (root / "marks").read_text() == "here was someone"


@pytest.mark.parametrize("text", ["[" * 200_000, '{"marks": ' * 50_000], ids=["lists", "objects"])
def test_brackets_without_end_are_a_broken_file(root, place, text):
    place.write_text(text)
    assert len(read(root).problems) == 1
    marks.mark(root, DATA, 5, "label")
    assert read(root) == Marks({5: "label"}, [])


def test_an_index_with_zeros_before_it_can_be_taken_back(root, place):
    written(place, {"007": "model"})
    if 7 in read(root).verdicts:
        marks.mark(root, DATA, 7, None)
    assert 7 not in read(root).verdicts


# Nothing can be written


def test_a_full_disk_is_an_error_and_the_old_marks_stay(root, monkeypatch):
    marks.mark(root, DATA, 1, "label")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(RunsError, match=r"^The mark cannot be kept in .*No space left on device"):
        marks.mark(root, DATA, 2, "label")
    monkeypatch.undo()
    assert read(root) == Marks({1: "label"}, [])
    assert not list((root / "marks").glob(".*.part"))


def test_a_folder_that_cannot_be_written_is_an_error(root, place):
    place.parent.chmod(0o500)
    try:
        if os.access(place.parent, os.W_OK):
            pytest.skip("whoever runs this may write anywhere")
        with pytest.raises(RunsError, match=r"^The mark cannot be kept in "):
            marks.mark(root, DATA, 2, "label")
    finally:
        place.parent.chmod(0o700)


# The table


def test_the_table_is_read_back_by_pandas():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 50).astype(np.uint8)
    read_as = rng.integers(0, 10, 50)
    margin = rng.uniform(-1, 1, 50)
    given = {41: "label", 0: "unclear", 7: "model"}
    text = marks.table(Marks(given), labels, read_as, margin)
    expected = pd.DataFrame(
        [(i, labels[i], read_as[i], round(margin[i], 6), given[i]) for i in (0, 7, 41)],
        columns=["index", "label", "networks_read", "label_minus_best_other", "verdict"],
    )
    pd.testing.assert_frame_equal(pd.read_csv(io.BytesIO(text)), expected, check_dtype=False)


def test_the_table_without_marks_has_a_heading():
    text = marks.table(Marks(), np.zeros(5, np.uint8), np.zeros(5, int), np.zeros(5))
    assert text.decode().splitlines() == [
        "index,label,networks_read,label_minus_best_other,verdict"
    ]


def test_a_byte_order_mark_and_a_persons_own_notes_stay(root, small):
    path = root / "marks" / f"{small.fingerprint[:16]}.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"note": "mine", "marks": {"3": "label"}}', encoding="utf-8-sig")
    assert marks.read(root, small.fingerprint, 101).verdicts == {3: "label"}
    marks.mark(root, small.describe(), 4, "model")
    kept = json.loads(path.read_text())
    assert kept["note"] == "mine" and kept["marks"] == {"3": "label", "4": "model"}
