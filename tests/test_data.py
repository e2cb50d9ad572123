"""The dataset: every way to get it, and every way it can be bad."""

import functools
import gzip
import hashlib
import os
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from filelock import FileLock
from sklearn.datasets import load_digits

from mnist_core import data, download
from mnist_core.data import DataRefused

REAL_MNIST = os.environ.get("MNIST_PATH", "")  # before the tests are shut off from the environment
IDX_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
KEYS = ("x_train", "y_train", "x_test", "y_test")
BUILT_IN_ONCE = functools.cache(data.built_in_digits)  # 0.2 seconds each time
PORTAL = b"<!DOCTYPE html><title>Welcome to Airport Wi-Fi</title>"


@pytest.fixture(autouse=True)
def _isolated(monkeypatch, tmp_path):
    """No test sees the user's files or the internet."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.delenv("MNIST_PATH", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(download, "ORIGINS", ())
    monkeypatch.setattr(data, "built_in_digits", BUILT_IN_ONCE)


@pytest.fixture
def cache(tmp_path):
    folder = tmp_path / "keras" / "datasets"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """20 and 10 images: as arrays, as .npz, as IDX bytes made by hand, and their fingerprint."""
    rng = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 20), ("test", 10)):
        arrays[f"x_{part}"] = rng.integers(0, 256, (count, 28, 28)).astype(np.uint8)
        arrays[f"y_{part}"] = (np.arange(count) % 10).astype(np.uint8)
    npz = tmp_path_factory.mktemp("small") / "small.npz"
    np.savez_compressed(npz, **arrays)
    idx = [idx_bytes(arrays[key]) for key in KEYS]
    digests = "".join(hashlib.md5(content).hexdigest() for content in idx)
    fingerprint = hashlib.md5(digests.encode()).hexdigest()
    return SimpleNamespace(
        arrays=arrays, path=npz, npz=npz.read_bytes(), idx=idx, fingerprint=fingerprint
    )


@pytest.fixture
def as_mnist(monkeypatch, small):
    """Let the small dataset pass for MNIST, which no test may carry."""
    monkeypatch.setattr(data, "MNIST_FINGERPRINT", small.fingerprint)
    return small


def idx_bytes(array):
    """The IDX format by its definition: http://yann.lecun.com/exdb/mnist."""
    if array.ndim == 3:
        return struct.pack(">IIII", 2051, *array.shape) + array.tobytes()
    return struct.pack(">II", 2049, len(array)) + array.tobytes()


def write_idx(folder, contents, names=IDX_NAMES, ending=""):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in zip(names, contents, strict=True):
        packed = gzip.compress(content) if ending else content
        (folder / (name + ending)).write_bytes(packed)
    return folder


def assert_same(dataset, arrays):
    found = (dataset.train.images, dataset.train.labels, dataset.test.images, dataset.test.labels)
    for key, array in zip(KEYS, found, strict=True):
        assert array.dtype == np.uint8
        assert not array.flags.writeable
        np.testing.assert_array_equal(array, arrays[key])


# The real MNIST


@pytest.mark.skipif(not os.path.exists(REAL_MNIST), reason="MNIST_PATH names no copy of MNIST")
def test_the_real_mnist_has_the_published_md5_sums_in_every_packing(tmp_path):
    dataset = data.load(REAL_MNIST)
    train, test = dataset.train, dataset.test
    contents = [idx_bytes(a) for a in (train.images, train.labels, test.images, test.labels)]
    assert [hashlib.md5(content).hexdigest() for content in contents] == [
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    ]
    assert (dataset.name, dataset.is_mnist, dataset.is_built_in) == ("MNIST", True, False)
    assert (len(train), len(test), dataset.refused) == (60_000, 10_000, ())
    assert np.bincount(test.labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009
    ]  # fmt: skip
    unpacked = data.open_source(write_idx(tmp_path / "unpacked", contents))
    assert (unpacked.name, unpacked.fingerprint) == ("MNIST", dataset.fingerprint)


# Reading files


def test_npz_of_the_user(small, monkeypatch):
    dataset = data.open_source(small.path)
    assert_same(dataset, small.arrays)
    assert (dataset.name, dataset.source) == ("small.npz", str(small.path))
    assert dataset.fingerprint == small.fingerprint
    assert not dataset.is_mnist
    assert len(dataset.train) == 20
    expected = {"name": "small.npz", "source": str(small.path), "fingerprint": small.fingerprint}
    assert dataset.describe() == expected
    monkeypatch.chdir(small.path.parent)
    assert data.open_source("small.npz").source == str(small.path)


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("dotted", [False, True])
def test_idx_folder(small, tmp_path, ending, dotted):
    names = [name.replace("-idx", ".idx") if dotted else name for name in IDX_NAMES]
    dataset = data.open_source(write_idx(tmp_path / "mine", small.idx, names, ending))
    assert_same(dataset, small.arrays)
    assert (dataset.name, dataset.source) == ("mine", str(tmp_path / "mine"))
    assert dataset.fingerprint == small.fingerprint


def test_unpacked_idx_files_which_kept_their_gz_name(small, tmp_path):
    folder = write_idx(tmp_path, small.idx, [name + ".gz" for name in IDX_NAMES])
    assert_same(data.open_source(folder), small.arrays)


@pytest.mark.parametrize("dtype", ["int64", ">i4", "uint16"])
def test_labels_of_any_integer_type(small, tmp_path, dtype):
    labels = {key: small.arrays[key].astype(dtype) for key in ("y_train", "y_test")}
    np.savez(tmp_path / "wide.npz", **small.arrays | labels)
    assert_same(data.open_source(tmp_path / "wide.npz"), small.arrays)


def image_header(count):
    return struct.pack(">IIII", 2051, count, 28, 28)


BAD_IDX = {
    "labels instead of images": (lambda good: struct.pack(">II", 2049, 20) + bytes(20), "3 dim"),
    "shorter than its header says": (lambda good: good[:-1], "only 15,679"),
    "longer than its header says": (lambda good: good + b"x", "more"),
    "a header that announces terabytes": (lambda good: image_header(2**31), "announces"),
    "cut off in the header": (lambda good: good[:9], "damaged"),
    "a gzip that was cut off": (lambda good: gzip.compress(good)[:-9], "damaged"),
    "a gzip that unpacks to too much": (lambda good: gzip.compress(good + bytes(10**8)), "more"),
    "a login page": (lambda good: PORTAL, "web page"),
    "nothing": (lambda good: b"", "empty"),
    "other sizes": (lambda good: struct.pack(">IIII", 2051, 20, 56, 14) + good[16:], "56, 14"),
}


@pytest.mark.parametrize("case", BAD_IDX)
def test_bad_idx_files_are_refused(small, tmp_path, case):
    spoil, reason = BAD_IDX[case]
    write_idx(tmp_path, [spoil(small.idx[0]), *small.idx[1:]])
    with pytest.raises(DataRefused, match=reason) as refusal:
        data.open_source(tmp_path)
    assert str(tmp_path) in str(refusal.value)


def test_folder_lacking_files_is_refused(small, tmp_path):
    write_idx(tmp_path, small.idx)
    (tmp_path / IDX_NAMES[1]).unlink()
    with pytest.raises(DataRefused, match=f"a folder without {IDX_NAMES[1]}"):
        data.open_source(tmp_path)


BAD_ARRAYS = {
    "flat images": ({"x_train": np.zeros((20, 784), np.uint8)}, "20, 784"),
    "images of floats": ({"x_test": np.zeros((10, 28, 28), np.float32)}, "float32"),
    "labels of floats": ({"y_train": np.zeros(20)}, "float64"),
    "one-hot labels": ({"y_train": np.eye(20, 10, dtype=np.uint8)}, "20, 10"),
    "a label too many": ({"y_train": np.zeros(21, np.uint8)}, "20 images and 21 labels"),
    "too few": (
        {"x_test": np.zeros((9, 28, 28), np.uint8), "y_test": np.zeros(9, np.uint8)},
        "9 images",
    ),
    "a letter": ({"y_test": np.full(10, 10)}, "labels from 10 to 10"),
    "a label that wraps to 0 as uint8": ({"y_test": np.full(10, 256)}, "labels from 256"),
    "a negative label": ({"y_test": np.full(10, -1)}, "labels from -1"),
    "pickled objects": ({"y_test": np.array([print] * 10, dtype=object)}, "damaged"),
    "a single number": ({"x_train": np.uint8(0)}, r"uint8 \(\)"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_bad_arrays_are_refused(small, tmp_path, case):
    bad, reason = BAD_ARRAYS[case]
    np.savez(tmp_path / "bad.npz", **small.arrays | bad)
    with pytest.raises(DataRefused, match=reason) as refusal:
        data.open_source(tmp_path / "bad.npz")
    assert str(tmp_path / "bad.npz") in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(PORTAL, "web page"), (b"", "empty"), (b"\x93NUMPY", "another kind")],
)
def test_files_that_are_no_npz_are_refused(tmp_path, content, reason):
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(DataRefused, match=reason):
        data.open_source(tmp_path / "bad.npz")


def test_damaged_npz_files_are_refused(small, tmp_path):
    path = tmp_path / "bad.npz"
    path.write_bytes(small.npz[:-500])
    with pytest.raises(DataRefused, match="cut off"):
        data.open_source(path)
    flipped = bytearray(small.npz)
    flipped[5000] ^= 255
    path.write_bytes(flipped)
    with pytest.raises(DataRefused, match="damaged"):
        data.open_source(path)
    np.savez(path, x_train=small.arrays["x_train"])
    with pytest.raises(DataRefused, match="without y_train, x_test, y_test"):
        data.open_source(path)


def test_npz_that_unpacks_to_too_much_is_refused_unread(small, monkeypatch):
    monkeypatch.setattr(data, "_MAX_NPZ", 20_000)  # the small one has 24,068 bytes and headers
    monkeypatch.setattr(np, "load", None)
    with pytest.raises(DataRefused, match="Expected arrays of at most"):
        data.open_source(small.path)


def test_npz_with_a_lying_array_header_is_refused(tmp_path):
    text = b"{'descr': '|u1', 'fortran_order': False, 'shape': (99000000000000, 28, 28), }"
    member = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text
    with zipfile.ZipFile(tmp_path / "bad.npz", "w") as archive:
        for key in KEYS:
            archive.writestr(f"{key}.npy", member)
    with pytest.raises(DataRefused, match="damaged"):
        data.open_source(tmp_path / "bad.npz")


def test_missing_path_is_refused(tmp_path):
    for path in (tmp_path / "none.npz", "bad\0path"):
        with pytest.raises(DataRefused, match=r"Received: (nothing|a damaged)"):
            data.open_source(path)


# Where load() looks


def test_load_prefers_the_argument_then_mnist_path_then_the_cache(small, as_mnist, cache, tmp_path):
    (cache / "mnist.npz").write_bytes(small.npz)
    folder = write_idx(tmp_path / "folder", small.idx)
    assert data.load().source == str(cache / "mnist.npz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MNIST_PATH", str(small.path))
        assert data.load().source == str(small.path)
        assert data.load(folder).source == str(folder)
        assert data.load("built-in").is_built_in


def test_load_goes_on_from_a_missing_mnist_path_and_says_so(as_mnist, cache, monkeypatch):
    (cache / "mnist.npz").write_bytes(as_mnist.npz)
    monkeypatch.setenv("MNIST_PATH", "/no/such/mnist.npz")
    dataset = data.load(download=False)
    assert dataset.is_mnist
    assert len(dataset.refused) == 1
    assert "/no/such/mnist.npz. Received: nothing" in dataset.refused[0]


def test_only_mnist_is_taken_from_the_cache(small, cache):
    (cache / "mnist.npz").write_bytes(small.npz)
    (cache / "mnist-lab.npz").write_bytes(PORTAL)
    dataset = data.load(download=False)
    assert dataset.is_built_in
    assert ["other images" in dataset.refused[0], "web page" in dataset.refused[1]] == [True, True]
    assert (cache / "mnist.npz").read_bytes() == small.npz
    assert data.load(cache / "mnist.npz").name == "mnist.npz"  # but it is when the user names it


def test_source_opens_the_same_arrays_again(as_mnist, cache):
    (cache / "mnist.npz").write_bytes(as_mnist.npz)
    for dataset in (data.load(download=False), data.built_in_digits()):
        again = data.open_source(dataset.source)
        assert again.fingerprint == dataset.fingerprint
        np.testing.assert_array_equal(again.test.images, dataset.test.images)


# Downloads, from servers on this computer


class Server(ThreadingHTTPServer):
    """Serves `files` by name: bytes, or a function that answers by itself. Notes every GET."""

    daemon_threads = True

    def __init__(self, **files):
        self.files, self.gets, self.closing = files, [], threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def origin(self, hashes):
        return (f"http://127.0.0.1:{self.server_port}/", hashes)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path[1:]
        self.server.gets.append(name)
        content = self.server.files.get(name)
        if content is None:
            self.send_error(404)
        elif callable(content):
            content(self)
        else:
            answer(self, content)

    def log_message(self, *args):
        pass


def answer(handler, content, length=None):
    handler.send_response(200)
    handler.send_header("Content-Length", str(length or len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def stalls(handler):
    handler.server.closing.wait()


def trickles(handler, prefix=b"HTTP/1.0 200 OK\r\nContent-Length: 9000000\r\n\r\n"):
    handler.wfile.write(prefix)
    while not handler.server.closing.wait(0.02):
        handler.wfile.write(b"x")


@pytest.fixture
def serve(monkeypatch, small):
    """Start servers and make them the origins, from which the small mnist.npz is expected."""
    servers = []
    known_hash = "sha256:" + hashlib.sha256(small.npz).hexdigest()

    def start(*contents):
        started = [Server(**{"mnist.npz": content}) for content in contents]
        servers.extend(started)
        origins = [server.origin({"mnist.npz": known_hash}) for server in started]
        monkeypatch.setattr(download, "ORIGINS", (*download.ORIGINS, *origins))
        return started[0]

    yield start
    for server in servers:
        server.closing.set()
        server.shutdown()
        server.server_close()


def test_download_into_kerass_cache(as_mnist, cache, serve):
    server, reports = serve(as_mnist.npz), []
    dataset = data.load(progress=lambda *report: reports.append(report))
    assert_same(dataset, as_mnist.arrays)
    assert (dataset.name, dataset.source) == ("MNIST", str(cache / "mnist.npz"))
    assert dataset.refused == ()
    assert (cache / "mnist.npz").read_bytes() == as_mnist.npz
    assert reports[-1] == (1.0, "Downloaded mnist.npz from 127.0.0.1")
    data.fetch()
    data.load()
    assert server.gets == ["mnist.npz"]


def test_progress_is_reported_while_a_file_arrives(as_mnist, serve):
    half = len(as_mnist.npz) // 2

    def slowly(handler):
        answer(handler, as_mnist.npz[:half], len(as_mnist.npz))
        time.sleep(0.3)
        handler.wfile.write(as_mnist.npz[half:])

    serve(slowly)
    reports = []
    data.fetch(lambda *report: reports.append(report))
    shares = [share for share, _ in reports if share is not None]
    assert shares == sorted(shares)
    assert any(share == pytest.approx(0.5, abs=0.01) for share in shares)


def bytes_without_length(content):
    return lambda handler: handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + content)


def test_download_without_a_declared_length(as_mnist, serve):
    serve(bytes_without_length(as_mnist.npz))
    assert data.fetch().is_mnist


BAD_ANSWERS = {
    "a login page": (PORTAL, "login page"),
    "a file cut off": (lambda handler: answer(handler, b"PK" * 99, 9999), "broke off"),
    "a file cut off, its length untold": (bytes_without_length(b"PK" * 99), "hash"),
    "another file": (b"PK" * 9999, "hash"),
    "404": (None, "404"),
    "endless bytes": (b"x" * 100_001, "more than"),
    "no HTTP at all": (lambda handler: handler.wfile.write(b"SMTP"), "no connection"),
}


@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_bad_answers_are_refused_and_leave_nothing_behind(cache, serve, monkeypatch, case):
    content, reason = BAD_ANSWERS[case]
    monkeypatch.setattr(download, "LARGEST", 100_000)
    server = serve(content)
    with pytest.raises(DataRefused, match=reason) as refusal:
        data.fetch()
    assert f"http://127.0.0.1:{server.server_port}/mnist.npz" in str(refusal.value)
    assert {file.name for file in cache.iterdir()} <= {"mnist-lab.lock"}
    assert len(server.gets) == 1


def test_failing_secure_connection_hints_at_a_login_page(serve, monkeypatch):
    (address, files) = serve(PORTAL).origin({"mnist.npz": None})
    monkeypatch.setattr(download, "ORIGINS", ((address.replace("http", "https"), files),))
    with pytest.raises(DataRefused, match=r"no secure connection.*log in"):
        data.fetch()


def test_right_hash_but_not_mnists_arrays(small, serve):
    serve(small.npz)
    with pytest.raises(DataRefused, match="other images"):
        data.fetch()


def test_every_origin_is_tried_and_every_reason_kept(as_mnist, serve):
    serve(PORTAL, None, b"PK", as_mnist.npz)
    dataset = data.load()
    assert dataset.is_mnist
    assert [reason.split("Received: ")[1].split(",")[0] for reason in dataset.refused] == [
        "a web page",
        "the answer 404 Not Found. Check the connection",
        "another file",
    ]


def test_mirror_of_idx_files(as_mnist, cache, serve, monkeypatch):
    packed = {
        f"{name}.gz": gzip.compress(content)
        for name, content in zip(IDX_NAMES, as_mnist.idx, strict=True)
    }
    hashes = {name: "md5:" + hashlib.md5(content).hexdigest() for name, content in packed.items()}
    serve(None)
    mirror = Server(**packed)
    monkeypatch.setattr(download, "ORIGINS", (*download.ORIGINS, mirror.origin(hashes)))
    shares = []
    dataset = data.fetch(lambda share, text: shares.append(share))
    assert_same(dataset, as_mnist.arrays)
    assert dataset.source == str(cache / "mnist-lab")
    assert len(dataset.refused) == 1
    assert [share for share in shares if share in (0.25, 0.5, 0.75, 1)] == [0.25, 0.5, 0.75, 1]
    assert data.load().is_mnist
    assert mirror.gets == list(packed)
    mirror.server_close()


def test_mirror_that_breaks_off_leaves_no_second_complaint(serve, monkeypatch):
    address, _ = serve(None).origin({})
    mirror = (address, dict.fromkeys(f"{name}.gz" for name in IDX_NAMES))
    monkeypatch.setattr(download, "ORIGINS", (mirror,))
    first, second = data.load(), data.load()
    assert first.refused == second.refused
    assert len(first.refused) == 1


def test_bad_file_in_kerass_cache_is_left_alone(as_mnist, cache, serve):
    (cache / "mnist.npz").write_bytes(b"mine")
    serve(as_mnist.npz)
    dataset = data.load()
    assert dataset.source == str(cache / "mnist-lab.npz")
    assert "another kind" in dataset.refused[0]
    assert (cache / "mnist.npz").read_bytes() == b"mine"
    assert data.load(download=False).is_mnist


def test_read_only_cache_gives_way_to_the_temporary_folder(as_mnist, serve, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "file" / "x"))
    server = serve(as_mnist.npz)
    dataset = data.load()
    assert dataset.is_mnist
    assert Path(dataset.source).is_relative_to(tmp_path / "tmp")
    assert data.load().source == dataset.source
    assert len(server.gets) == 1


def test_no_folder_to_write_to(as_mnist, serve, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "file" / "x"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
    server = serve(as_mnist.npz)
    dataset = data.load()
    assert dataset.is_built_in
    assert [str(tmp_path / "file") in reason for reason in dataset.refused] == [True, True]
    assert server.gets == []


def test_without_a_network_the_built_in_digits_come_at_once(serve):
    serve(None).server_close()
    data.built_in_digits()  # scikit-learn's import is not what is timed
    began = time.monotonic()
    dataset = data.load()
    assert time.monotonic() - began < 5
    assert dataset.is_built_in
    assert "no connection" in dataset.refused[0]


SLOW = {
    "stalled": stalls,
    "trickling": trickles,
    "trickling headers": lambda handler: trickles(handler, b"HTTP/1.0 200 OK\r\nX: "),
}


@pytest.mark.parametrize("case", SLOW)
def test_slow_origin_is_left_for_the_next(as_mnist, serve, monkeypatch, case):
    monkeypatch.setattr(download, "PATIENCE", 0.4)
    serve(SLOW[case], as_mnist.npz)
    began = time.monotonic()
    dataset = data.fetch()
    assert time.monotonic() - began < 5
    assert dataset.is_mnist
    assert "0 seconds" in dataset.refused[0]  # 0.4, rounded


@pytest.mark.parametrize("case", SLOW)
def test_deadline_ends_every_download(cache, serve, case):
    first = serve(SLOW[case], b"never asked")
    began = time.monotonic()
    with pytest.raises(DataRefused) as refusal:
        data.fetch(deadline=0.4)
    assert time.monotonic() - began < 5
    assert len(refusal.value.args) == 2
    assert "the time for downloading was over" in refusal.value.args[1]
    if case != "trickling":  # which ends by itself, at the next byte
        first.closing.set()
    for thread in threading.enumerate():
        if thread.name == "mnist-download":
            thread.join(timeout=2)
            assert not thread.is_alive()
    assert [file.name for file in cache.iterdir()] == ["mnist-lab.lock"]


def test_error_of_the_progress_function_ends_the_download(as_mnist, serve, monkeypatch):
    serve(stalls, as_mnist.npz)

    def leave(share, text):
        raise InterruptedError("the viewer has gone")

    with pytest.raises(InterruptedError):
        data.fetch(leave)
    monkeypatch.setattr(download, "ORIGINS", download.ORIGINS[1:])
    assert data.fetch().is_mnist  # the lock is free again


def slow_answer(content):
    def send(handler):
        time.sleep(0.5)
        answer(handler, content)

    return send


def test_two_threads_make_one_download(as_mnist, serve):
    server, texts = serve(slow_answer(as_mnist.npz)), []
    with ThreadPoolExecutor(2) as pool:
        fetches = [pool.submit(data.fetch, lambda _, text: texts.append(text)) for _ in range(2)]
        assert all(fetch.result().is_mnist for fetch in fetches)
    assert server.gets == ["mnist.npz"]
    assert "Another window is downloading MNIST; waiting for it." in texts


def test_two_processes_make_one_download(as_mnist, serve):
    server = serve(slow_answer(as_mnist.npz))
    code = (
        "from mnist_core import data, download\n"
        f"data.MNIST_FINGERPRINT = {as_mnist.fingerprint!r}\n"
        f"download.ORIGINS = {download.ORIGINS!r}\n"
        "print(data.fetch().source)"
    )
    root = Path(data.__file__).parents[1]
    children = [
        subprocess.Popen([sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    sources = {child.communicate(timeout=30)[0].strip() for child in children}
    assert [child.returncode for child in children] == [0, 0]
    assert sources == {str(download.cache_folders()[0] / "mnist.npz")}
    assert server.gets == ["mnist.npz"]


def test_waiting_for_another_download_is_bounded(as_mnist, cache, serve):
    server = serve(as_mnist.npz)
    with FileLock(cache / "mnist-lab.lock"), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(data.fetch, deadline=0.3)
        with pytest.raises(DataRefused, match="no turn in time"):
            waiting.result(timeout=5)
    assert server.gets == []


def test_load_without_download_asks_nobody(as_mnist, serve):
    server = serve(as_mnist.npz)
    assert data.load(download=False).is_built_in
    assert server.gets == []


# The built-in digits


def test_built_in_digits_have_mnists_form():
    dataset = data.built_in_digits()
    assert (dataset.name, dataset.source) == ("Built-in sample digits", "built-in")
    assert (dataset.is_built_in, dataset.is_mnist) == (True, False)
    assert (len(dataset.train), len(dataset.test)) == (1437, 360)
    images = np.concatenate([dataset.train.images, dataset.test.images])
    assert (images.shape, images.dtype) == ((1797, 28, 28), np.uint8)
    assert not dataset.train.images.flags.writeable
    assert (images.max((1, 2)) == 255).all()
    rows, columns = images.any(2), images.any(1)
    assert max(np.ptp(np.flatnonzero(line)) for line in (*rows, *columns)) == 20 - 1
    for axis in (1, 2):
        mass = images.sum(axis, dtype=float)
        assert np.abs(mass @ np.arange(28) / mass.sum(1) - 14).max() <= 0.51
    # MNIST's test images have 33.8 and 19.3 %.
    assert images.mean() == pytest.approx(33.8, abs=1)
    assert (images > 0).mean() == pytest.approx(0.193, abs=0.01)


def test_built_in_digits_are_scikit_learns_with_their_labels():
    dataset = data.built_in_digits()
    labels = np.concatenate([dataset.train.labels, dataset.test.labels])
    assert Counter(labels.tolist()) == Counter(load_digits().target.tolist())
    shares = np.bincount(dataset.test.labels) / np.bincount(labels)
    np.testing.assert_allclose(shares, 360 / 1797, atol=1 / 170)
    # A nearest neighbour knows the original digits in 98 % of cases: so it must the enlarged.
    train, test = (
        split.images.reshape(-1, 784).astype(np.float32) for split in (dataset.train, dataset.test)
    )
    nearest = ((train**2).sum(1) - 2 * test @ train.T).argmin(1)
    assert (dataset.train.labels[nearest] == dataset.test.labels).mean() > 0.96
    assert BUILT_IN_ONCE.__wrapped__().fingerprint == dataset.fingerprint


# The rest of the promise


def test_import_is_light():
    code = "import sys, mnist_core.data; print(*{name.split('.')[0] for name in sys.modules})"
    root = Path(data.__file__).parents[1]
    command = [sys.executable, "-c", code]
    names = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    heavy = {"pooch", "requests", "sklearn", "PIL", "filelock", "streamlit", "keras", "pandas"}
    assert not heavy & set(names.split())
