"""Downloads: where MNIST comes from, where it is put, and how long anybody waits for it."""

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

Progress = Callable[[float | None, str], object]  # share done, 0 to 1 or unknown, and a text
Origin = tuple[str, dict[str, str]]  # address of a folder, and the files to take with their hashes

_IDX_FILES = {
    "train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
}
_KERAS_HASH = "sha256:731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
ORIGINS: tuple[Origin, ...] = (
    (
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        {"mnist.npz": _KERAS_HASH},
    ),
    ("https://ossci-datasets.s3.amazonaws.com/mnist/", _IDX_FILES),
    ("https://storage.googleapis.com/cvdf-datasets/mnist/", _IDX_FILES),
)
PATIENCE = 10.0  # seconds an origin has to answer, and to become faster than SLOWEST
SLOWEST = 20_000  # bytes a second; MNIST's 11.5 MB would take ten minutes
LARGEST = 30_000_000  # bytes of a file; more is not MNIST and only fills the disk
TICK = 0.1  # seconds between two reports of progress
_ADVICE = "Check the connection, or set MNIST_PATH to a copy of MNIST."
_LOG_IN = "Open any page in a browser, log in to the network, then try again."


class DataRefused(ValueError):
    """Data that is not used.

    Each argument is one reason: what was expected, what was received, what to do next.
    """

    def __str__(self) -> str:
        return "\n".join(map(str, self.args))


def cache_folders() -> list[Path]:
    """Return where downloads are kept, in the order of preference; none needs to exist.

    Keras's cache, and a temporary folder for when that is read-only.
    """
    keras = os.environ.get("KERAS_HOME") or os.path.join("~", ".keras")
    folders = [Path(os.path.expanduser(keras)).absolute() / "datasets"]
    user = os.getuid() if hasattr(os, "getuid") else "user"  # /tmp is shared between users
    with suppress(FileNotFoundError):  # not even a temporary folder: a read-only container
        folders.append(Path(tempfile.gettempdir()).absolute() / f"mnist-lab-{user}")
    return folders


def cached() -> Iterator[Path]:
    """Give the paths in the cache folders which may hold MNIST: .npz files and IDX folders."""
    for folder in cache_folders():
        yield from filter(os.path.exists, (folder / "mnist.npz", folder / "mnist-lab.npz"))
        mirrored = folder / "mnist-lab"  # without some of its files it is a download cut short
        if all(os.path.exists(mirrored / name) for name in _IDX_FILES):
            yield mirrored


@contextmanager
def sole_downloader(ends: float, progress: Progress) -> Iterator[Path]:
    """Wait until no other thread or process is downloading; give the folder to download into.

    `ends` is a time of `time.monotonic`. Raises DataRefused when it passes, or when no folder can
    be written to.
    """
    from filelock import FileLock, Timeout

    folder = _writable_folder()
    lock = FileLock(folder / "mnist-lab.lock")
    while not lock.is_locked:
        try:
            lock.acquire(timeout=TICK)
        except Timeout:
            progress(None, "Another window is downloading MNIST; waiting for it.")
            if time.monotonic() > ends:
                raise DataRefused(
                    f"Expected to download MNIST into {folder}. Received: no turn in time, another "
                    "window or program is still downloading. Try again in a minute."
                ) from None
        except OSError as error:
            raise _unwritable(folder, error) from error
    try:
        yield folder
    finally:
        lock.release()


def retrieve(origin: Origin, folder: Path, ends: float, progress: Progress) -> Path:
    """Download an origin's files into `folder`; return the path of the .npz or of the IDX folder.

    Files appear under their names only when complete and with the right hash. `ends` is a time of
    `time.monotonic`. Raises DataRefused with the reason.
    """
    address, files = origin
    for done, (name, known_hash) in enumerate(files.items()):

        def report(part: float | None, text: str, done: int = done) -> None:
            progress(None if part is None else (done + part) / len(files), text)

        target = _target(folder, name)
        _transfer(address + name, known_hash, target, ends, report)
    return target if len(files) == 1 else target.parent


def _writable_folder() -> Path:
    reasons = []
    for folder in cache_folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):  # permissions alone do not tell
                return folder
        except OSError as error:
            reasons += _unwritable(folder, error).args
    raise DataRefused(*reasons)


def _unwritable(folder: Path, error: OSError) -> DataRefused:
    return DataRefused(
        f"Expected a folder to keep MNIST in at {folder}. Received: {error.strerror or error}. "
        "Set KERAS_HOME to a folder you may write to, or MNIST_PATH to a copy of MNIST."
    )


def _target(folder: Path, name: str) -> Path:
    """Where a file is put: never over one in Keras's cache, which may be the user's own."""
    if not name.endswith(".npz"):
        return folder / "mnist-lab" / name
    return folder / ("mnist-lab.npz" if os.path.lexists(folder / name) else name)


class _Stream:
    """A downloader for pooch which counts what arrives and can be abandoned."""

    received, total, abandoned = 0, 0, False

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        import requests

        # Compression on the way would hide the length of what arrives.
        headers = {"Accept-Encoding": "identity"}
        with (
            requests.get(url, headers=headers, timeout=PATIENCE, stream=True) as response,
            open(output_file, "wb") as file,
        ):
            response.raise_for_status()
            self.total = response.raw.length_remaining or 0
            # read1 returns what has arrived; read waits for all, for ever when bytes trickle in.
            while chunk := response.raw.read1(2**16):
                if self.abandoned:
                    raise OSError("abandoned")
                if not self.received and chunk.lstrip().startswith(b"<"):
                    raise _refused(url, "a web page, perhaps a login page", _LOG_IN)
                self.received += len(chunk)
                if self.received > LARGEST:
                    raise _refused(url, f"more than {LARGEST / 1e6:.0f} MB, which is not MNIST")
                file.write(chunk)


def _transfer(url: str, known_hash: str, target: Path, ends: float, progress: Progress) -> None:
    """Download one file, unless it is there already.

    The work is done in a thread: looking up a name, or a header that arrives a byte at a time, can
    outlast any time-out of a socket. The caller waits beside it, is the one who reports progress
    (Streamlit draws only from the thread of a session), and leaves when time is up.
    """
    import pooch

    stream, result = _Stream(), Future()

    def work() -> None:
        try:
            path, name = target.parent, target.name
            result.set_result(pooch.retrieve(url, known_hash, name, path, downloader=stream))
        except BaseException as error:
            result.set_exception(error)

    began = time.monotonic()
    if began > ends:
        raise _refused(url, "nothing, the time for downloading was over")
    threading.Thread(target=work, name="mnist-download", daemon=True).start()
    try:
        while not wait([result], timeout=TICK).done:
            now = time.monotonic()
            if now > ends:
                raise _refused(url, "only a part before the time for downloading was over")
            if now - began > PATIENCE and stream.received < SLOWEST * (now - began):
                raise _refused(url, f"only {stream.received:,} bytes in {now - began:.0f} seconds")
            size = f" of {stream.total / 1e6:.1f}" if stream.total else ""
            progress(
                stream.received / stream.total if stream.total else None,
                f"Downloading {target.name} from {urlsplit(url).hostname}: "
                f"{stream.received / 1e6:.1f}{size} MB",
            )
    finally:
        stream.abandoned = True  # ends the thread at its next byte or time-out
    if error := result.exception():
        raise _explained(url, error) from error
    progress(1.0, f"Downloaded {target.name} from {urlsplit(url).hostname}")


def _refused(url: str, received: str, advice: str = _ADVICE) -> DataRefused:
    return DataRefused(f"Expected MNIST at {url}. Received: {received}. {advice}")


def _explained(url: str, error: BaseException) -> DataRefused:
    """Say in plain words why a download failed."""
    import requests
    import urllib3

    if isinstance(error, DataRefused):
        return error
    if isinstance(error, requests.HTTPError):
        answer = error.response
        return _refused(url, f"the answer {answer.status_code} {answer.reason}")
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
        return _refused(url, f"no answer within {PATIENCE:.0f} seconds")
    if isinstance(error, requests.exceptions.SSLError):  # how most login pages get in the way
        return _refused(url, "no secure connection, perhaps from a login page", _LOG_IN)
    if isinstance(error, requests.RequestException):
        return _refused(url, "no connection")
    if isinstance(error, urllib3.exceptions.HTTPError):
        return _refused(url, "only a part, the connection broke off")
    if isinstance(error, OSError):  # the disk is full, for example
        return _refused(url, f"a file that could not be stored ({error})")
    return _refused(url, "another file, its hash is not MNIST's")
