"""Analyses made in this process, then by the worker as it is."""

import threading
import time
from concurrent.futures import Future

import numpy as np
import psutil
import pytest
from sklearn.metrics import pairwise_distances

from mnist_core import analyses, data, workers
from mnist_core.data import DataRefused

ASKED = ("nearest", "training")


@pytest.fixture
def digits(small, tmp_path):
    """60 training and 30 test images as a file."""
    path = tmp_path / "digits.npz"
    np.savez(
        path,
        x_train=small.train.images[:60], y_train=small.train.labels[:60],
        x_test=small.test.images[:30], y_test=small.test.labels[:30],
    )  # fmt: skip
    return data.open_source(path)


def files(root):
    return sorted(path.name for path in root.rglob("*") if path.is_file())


def kept(root, dataset, name="nearest", split="training"):
    return analyses.kept(root, dataset.fingerprint, name, split)


def stored(root):
    [path] = root.rglob("*.npz")
    return path


def test_an_analysis_is_kept_once_it_was_made(root, digits):
    assert kept(root, digits) is None
    analyses.make(root, digits.source, digits.fingerprint, *ASKED)
    arrays = kept(root, digits)
    expected = pairwise_distances(
        digits.test.images.reshape(30, -1) / 255, digits.train.images.reshape(60, -1) / 255
    )
    assert set(arrays) == {"index", "distance"}
    assert arrays["index"].tolist() == expected.argmin(1).tolist()
    np.testing.assert_allclose(arrays["distance"], expected.min(1), atol=1e-6)
    assert files(root) == ["nearest-training.npz"]


def test_an_analysis_of_another_name_split_or_dataset_is_not_kept_by_that(root, digits):
    analyses.make(root, digits.source, digits.fingerprint, *ASKED)
    assert kept(root, digits, split="test") is None
    assert kept(root, digits, name="tsne") is None
    assert analyses.kept(root, "0" * 32, *ASKED) is None


@pytest.mark.parametrize(("split", "ids"), [("test", range(60, 90)), ("both", range(90))])
def test_a_map_has_a_position_for_each_image_of_its_split(root, digits, split, ids):
    analyses.make(root, digits.source, digits.fingerprint, "tsne", split)
    arrays = kept(root, digits, "tsne", split)
    assert set(arrays) == {"ids", "positions"}
    assert arrays["ids"].tolist() == [*ids]
    assert arrays["positions"].shape == (len(ids), 2)
    assert np.isfinite(arrays["positions"]).all()
    assert files(root) == [f"tsne-{split}.npz"]


def test_its_progress_can_be_read_while_it_is_made(root, digits, monkeypatch):
    read = []

    def slow(dataset, split, progress):
        for fraction in (0.25, 0.5, 1.0):
            progress(fraction)
            read.append(analyses.fraction(root, dataset.fingerprint, "slow", split))
            assert analyses.kept(root, dataset.fingerprint, "slow", split) is None
        return {"values": np.arange(3)}

    monkeypatch.setitem(analyses.ANALYSES, "slow", slow)
    assert analyses.fraction(root, digits.fingerprint, "slow", "test") == 0
    analyses.make(root, digits.source, digits.fingerprint, "slow", "test")
    assert read == [0.25, 0.5, 1.0]
    assert analyses.fraction(root, digits.fingerprint, "slow", "test") == 0
    assert kept(root, digits, "slow", "test")["values"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("error", [ValueError("too odd"), MemoryError(), KeyboardInterrupt()])
def test_nothing_stays_behind_of_an_analysis_that_fails(root, digits, monkeypatch, error):
    def fails(dataset, split, progress):
        progress(0.5)
        raise error

    monkeypatch.setitem(analyses.ANALYSES, "nearest", fails)
    with pytest.raises(type(error)):
        analyses.make(root, digits.source, digits.fingerprint, *ASKED)
    assert files(root) == []
    assert kept(root, digits) is None


def test_nothing_stays_behind_where_the_disk_is_full(root, digits, monkeypatch):
    def full(file, **arrays):
        file.write(b"PK")
        raise OSError("No space left on device")

    monkeypatch.setattr(analyses.np, "savez_compressed", full)
    with pytest.raises(OSError, match="No space left"):
        analyses.make(root, digits.source, digits.fingerprint, *ASKED)
    assert files(root) == []


def test_a_failure_leaves_what_was_kept_before(root, digits, monkeypatch):
    analyses.make(root, digits.source, digits.fingerprint, *ASKED)
    before = kept(root, digits)

    def fails(*_):
        raise ValueError

    monkeypatch.setitem(analyses.ANALYSES, "nearest", fails)
    with pytest.raises(ValueError):
        analyses.make(root, digits.source, digits.fingerprint, *ASKED)
    assert kept(root, digits)["index"].tolist() == before["index"].tolist()
    assert files(root) == ["nearest-training.npz"]


@pytest.mark.parametrize(
    "damage",
    [lambda content: b"", lambda content: content[:200], lambda content: content[:-30],
     lambda content: b"no archive at all", lambda content: bytes(len(content)),
     lambda content: content[:100] + bytes(40) + content[140:]],
    ids=["empty", "its beginning", "without its end", "text", "zeros", "a hole"],
)  # fmt: skip
def test_a_damaged_file_is_as_good_as_none(root, digits, damage):
    analyses.make(root, digits.source, digits.fingerprint, *ASKED)
    path = stored(root)
    path.write_bytes(damage(path.read_bytes()))
    assert kept(root, digits) is None
    analyses.make(root, digits.source, digits.fingerprint, *ASKED)
    assert kept(root, digits) is not None


def test_a_single_array_in_its_place_is_as_good_as_none(root, digits):
    analyses.make(root, digits.source, digits.fingerprint, *ASKED)
    with open(stored(root), "wb") as file:
        np.save(file, np.arange(3))
    assert kept(root, digits) is None


def test_wherever_a_byte_was_changed_the_arrays_are_right_or_none(root, digits):
    analyses.make(root, digits.source, digits.fingerprint, *ASKED)
    path, before = stored(root), kept(root, digits)
    content, escaped, refused = path.read_bytes(), {}, 0
    for place in range(0, len(content), 2):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
        try:
            after = kept(root, digits)
        except Exception as error:
            escaped[place] = repr(error)
            continue
        refused += after is None
        for name in after or {}:
            assert name not in before or (after[name] == before[name]).all()
    assert not escaped
    assert refused > len(content) / 4


def test_data_that_cannot_be_read_are_refused_and_leave_nothing(root, tmp_path):
    (tmp_path / "bad.npz").write_bytes(b"PK")
    for source in (tmp_path / "gone.npz", tmp_path / "bad.npz"):
        with pytest.raises(DataRefused, match=source.name):
            analyses.make(root, str(source), "", *ASKED)
    assert not root.exists() or files(root) == []


# In the worker


@pytest.fixture(scope="module")
def worker():
    patch = pytest.MonkeyPatch()
    patch.setattr(workers, "_executors", {})
    patch.setattr(workers, "_analyses", {})
    yield
    if "analysing" in workers._executors:
        workers._executors["analysing"].shutdown(kill_workers=True)
    patch.undo()


def test_the_worker_makes_an_analysis_once_for_all_who_ask_meanwhile(worker, tmp_path):
    dataset = data.built_in_digits()
    asked = (tmp_path, dataset.fingerprint, *ASKED)
    assert workers.analysis(*asked) is None
    assert analyses.kept(*asked) is None
    found, threads = [], []
    for _ in range(6):
        threads.append(threading.Thread(
            target=lambda: found.append(
                workers.analyse(tmp_path, data.BUILT_IN, dataset.fingerprint, *ASKED)
            )
        ))  # fmt: skip
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(map(id, found))) == 1
    assert isinstance(found[0], Future)
    assert workers.analysis(*asked) is found[0]
    assert found[0].result(60) is None
    assert workers.analysis(*asked) is found[0]
    assert workers.analysis(tmp_path, dataset.fingerprint, "nearest", "test") is None
    arrays = analyses.kept(*asked)
    far = pairwise_distances(
        dataset.test.images[:20].reshape(20, -1) / 255, dataset.train.images.reshape(1437, -1) / 255
    )
    assert arrays["index"].shape == arrays["distance"].shape == (360,)
    np.testing.assert_allclose(arrays["distance"][:20], far.min(1), atol=1e-6)
    assert files(tmp_path) == ["nearest-training.npz"]


def test_a_refusal_comes_back_with_its_reason_and_can_be_asked_again(worker, tmp_path):
    source = str(tmp_path / "gone.npz")
    refused = workers.analyse(tmp_path, source, "f" * 32, *ASKED)
    with pytest.raises(DataRefused, match=r"gone\.npz"):
        refused.result(60)
    again = workers.analyse(tmp_path, source, "f" * 32, *ASKED)
    assert again is not refused
    assert isinstance(again.exception(60), DataRefused)


def test_the_progress_of_the_worker_can_be_read_here(worker, tmp_path, small):
    path = tmp_path / "digits.npz"
    np.savez(
        path,
        x_train=small.train.images, y_train=small.train.labels,
        x_test=small.test.images, y_test=small.test.labels,
    )  # fmt: skip
    dataset, root = data.open_source(path), tmp_path / "runs"
    asked = (root, dataset.fingerprint, "tsne", "test")
    future, heard = workers.analyse(root, dataset.source, *asked[1:]), []
    while not future.done():
        heard.append(analyses.fraction(*asked))
        time.sleep(0.01)
    assert future.result() is None
    assert any(0 < fraction < 1 for fraction in heard)
    assert all(0 <= fraction <= 1 for fraction in heard)
    assert analyses.kept(*asked)["positions"].shape == (101, 2)
    assert files(root) == ["tsne-test.npz"]


def test_a_killed_worker_is_replaced(worker, tmp_path):
    workers.analyse(tmp_path, "gone.npz", "f" * 32, *ASKED).exception(60)
    [pid] = workers._executors["analysing"]._processes
    process = psutil.Process(pid)
    process.suspend()
    fingerprint = data.built_in_digits().fingerprint
    lost = workers.analyse(tmp_path, data.BUILT_IN, fingerprint, *ASKED)
    process.kill()
    assert lost.exception(60) is not None
    again = workers.analyse(tmp_path, data.BUILT_IN, fingerprint, *ASKED)
    assert again is not lost
    assert again.result(60) is None
    assert analyses.kept(tmp_path, fingerprint, *ASKED) is not None
