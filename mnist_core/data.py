"""The dataset: find it, fetch it, verify it, split it. Real digits stand in where there is none."""

import gzip
import hashlib
import math
import os
import struct
import time
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import mnist_core.download as downloader
from mnist_core.download import DataRefused, Progress
from mnist_core.training_set import choose

BUILT_IN = "built-in"
# MD5 of the four uncompressed IDX files, the form in which MNIST was published.
MNIST_MD5 = (
    "6bbc9ace898e44ae57da46a324031adb",  # training images
    "a25bea736e30d166cdddb491f175f624",  # training labels
    "2646ac647ad5339dbf082846283269ea",  # test images
    "27ae3e4e09519cfbb04c329615203637",  # test labels
)
MNIST_FINGERPRINT = hashlib.md5("".join(MNIST_MD5).encode(), usedforsecurity=False).hexdigest()

_NPZ_KEYS = ("x_train", "y_train", "x_test", "y_test")
_IDX_NAMES = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
_MAX_NPZ, _MAX_IDX = 500_000_000, 100_000_000  # bytes in memory; MNIST has 55 and 47 million
_FORMS = (
    "an .npz file with x_train, y_train, x_test and y_test, or a folder with the four IDX files"
)


@dataclass(frozen=True, eq=False)
class Split:
    """Images and their labels, read-only.

    `images` uint8 (N, 28, 28), 0 is the background and 255 full ink; `labels` uint8 (N,), 0 to 9.
    """

    images: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        self.images.setflags(write=False)
        self.labels.setflags(write=False)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training and a test set, where they came from, and what was tried before.

    `source` is "built-in" or an absolute path; `open_source(source)` gives the same arrays in
    another process. `fingerprint` identifies the arrays, however they are packed. `refused` holds
    a sentence for each source that was tried before this one.
    """

    name: str
    source: str
    fingerprint: str
    train: Split
    test: Split
    refused: tuple[str, ...] = ()

    def describe(self) -> dict[str, str]:
        """Return what a run's recording keeps of its data: name, source and fingerprint."""
        return {"name": self.name, "source": self.source, "fingerprint": self.fingerprint}

    @property
    def is_mnist(self) -> bool:
        return self.fingerprint == MNIST_FINGERPRINT

    @property
    def is_built_in(self) -> bool:
        return self.source == BUILT_IN


def load(
    path: str | os.PathLike | None = None,
    *,
    download: bool = True,
    progress: Progress | None = None,
    deadline: float = 120.0,
) -> Dataset:
    """Return the first usable of: `path` or $MNIST_PATH, Keras's cache, a download, the built-in.

    Only what the user names may be something else than MNIST. `progress` and `deadline` as in
    `fetch`. A bad source raises nothing: the reason is kept in `refused`.
    """
    dataset, refused = find(path)
    if dataset is None and download:
        try:
            dataset = fetch(progress, deadline)
            refused += dataset.refused
        except DataRefused as error:
            refused += error.args
    return replace(dataset or built_in_digits(), refused=refused)


def find(path: str | os.PathLike | None = None) -> tuple[Dataset | None, tuple[str, ...]]:
    """Look for a dataset on this machine: `path` or $MNIST_PATH, then Keras's cache.

    Returns it, or None, and the reasons why the sources before it were refused.
    """
    named = path or os.environ.get("MNIST_PATH")
    attempts = [lambda: open_source(named)] if named else []
    refused: tuple[str, ...] = ()
    for attempt in (*attempts, _from_cache):
        try:
            return replace(attempt(), refused=refused), refused
        except DataRefused as error:
            refused += error.args
    return None, refused


def open_source(source: str | os.PathLike) -> Dataset:
    """Return the dataset in a file or folder, or the built-in digits for "built-in".

    An .npz file as Keras writes it, or a folder with the four IDX files, gzipped or not. Raises
    DataRefused for anything else.
    """
    if str(source) == BUILT_IN:
        return built_in_digits()
    path = Path(os.path.expanduser(source)).absolute()
    try:
        arrays = _read_folder(path) if path.is_dir() else _read_npz(path)
    except DataRefused:
        raise
    except Exception as error:  # a damaged zip, gzip or array raises one of a dozen kinds
        raise _refused(
            _FORMS, path, f"a damaged file ({str(error) or type(error).__name__})"
        ) from error
    train = _verified(*arrays[:2], f"the training part of {path}")
    test = _verified(*arrays[2:], f"the test part of {path}")
    fingerprint = _fingerprint(train, test)
    name = "MNIST" if fingerprint == MNIST_FINGERPRINT else path.name
    return Dataset(name, str(path), fingerprint, train, test)


def fetch(progress: Progress | None = None, deadline: float = 120.0) -> Dataset:
    """Download MNIST into Keras's cache, unless another window has just done so.

    `progress(fraction, text)` is called about ten times a second from this thread, `fraction` 0 to
    1 or None while unknown. Raises DataRefused with the reason of each origin, after `deadline`
    seconds at the latest.
    """
    ends = time.monotonic() + deadline
    progress = progress or (lambda fraction, text: None)
    refused: tuple[str, ...] = ()
    with downloader.sole_downloader(ends, progress) as folder:
        try:
            return _from_cache()
        except DataRefused:
            pass  # what is wrong in the cache has no bearing on a download
        for origin in downloader.ORIGINS:
            try:
                path = downloader.retrieve(origin, folder, ends, progress)
                return replace(_open_mnist(path), refused=refused)
            except DataRefused as error:
                refused += error.args
    raise DataRefused(*refused)


def built_in_digits() -> Dataset:
    """Return scikit-learn's 1,797 handwritten digits in MNIST's form: 1,437 train, 360 test.

    The digits are real, 8×8 pixels with values 0 to 16, enlarged and centred as MNIST's were. The
    split is fixed and stratified.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.stack([_like_mnist(digit) for digit in digits.images])
    labels = digits.target.astype(np.uint8)
    train_indices, test_indices = choose(labels, None, validation_share=360 / 1797, seed=0)
    train = Split(images[train_indices], labels[train_indices])
    test = Split(images[test_indices], labels[test_indices])
    return Dataset("Built-in sample digits", BUILT_IN, _fingerprint(train, test), train, test)


def _from_cache() -> Dataset:
    """Return MNIST from a cache folder; raise DataRefused with what is wrong in each."""
    refused: tuple[str, ...] = ()
    for path in downloader.cached():
        try:
            return _open_mnist(path)
        except DataRefused as error:
            refused += error.args
    raise DataRefused(*refused)


def _open_mnist(path: Path) -> Dataset:
    dataset = open_source(path)
    if not dataset.is_mnist:
        raise _refused("MNIST", path, "other images", "Set MNIST_PATH to it if you want to use it.")
    return dataset


def _refused(
    expected: str, where: object, received: str, advice: str = "Use another copy of MNIST."
) -> DataRefused:
    return DataRefused(f"Expected {expected} at {where}. Received: {received}. {advice}")


def _read_npz(path: Path) -> list[np.ndarray]:
    if not path.exists():
        raise _refused(_FORMS, path, "nothing, there is no such file or folder", "Check the path.")
    if not zipfile.is_zipfile(path):
        raise _refused(_FORMS, path, _kind(path))
    with zipfile.ZipFile(path) as archive:
        sizes = {member.filename: member.file_size for member in archive.infolist()}
    missing = [key for key in _NPZ_KEYS if f"{key}.npy" not in sizes]
    if missing:
        raise _refused(_FORMS, path, f"a file without {', '.join(missing)}")
    size = sum(sizes[f"{key}.npy"] for key in _NPZ_KEYS)
    if size > _MAX_NPZ:  # a small file can unpack to more than the memory holds
        raise _refused("arrays of at most 500 MB", path, f"{size / 1e6:,.0f} MB")
    with np.load(path, allow_pickle=False) as arrays:
        return [arrays[key] for key in _NPZ_KEYS]


def _read_folder(folder: Path) -> list[np.ndarray]:
    paths = []
    for name in _IDX_NAMES:
        variants = (name, name.replace("-idx", ".idx"))
        files = [folder / f"{v}-ubyte{ending}" for v in variants for ending in ("", ".gz")]
        paths.append(next((file for file in files if file.is_file()), None))
    missing = [f"{n}-ubyte" for n, path in zip(_IDX_NAMES, paths, strict=True) if path is None]
    if missing:
        raise _refused(_FORMS, folder, f"a folder without {', '.join(missing)}")
    return [
        _read_idx(path, dimensions) for path, dimensions in zip(paths, (3, 1, 3, 1), strict=True)
    ]


def _read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Read an IDX file of bytes: 0, 0, type 8, dimensions; each size, big-endian; the values."""
    with open(path, "rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"  # browsers unpack files and keep the name
    with (gzip.open if zipped else open)(path, "rb") as file:
        if file.read(4) != struct.pack(">I", 0x800 + dimensions):
            raise _refused(f"an IDX file of {dimensions} dimension(s)", path, _kind(path))
        shape = struct.unpack(f">{dimensions}I", file.read(4 * dimensions))
        size = math.prod(shape)
        if size > _MAX_IDX:
            raise _refused("at most 100 MB", path, f"a header that announces {size / 1e6:,.0f} MB")
        values = file.read(size + 1)  # one byte more shows a file that goes on
    if len(values) != size:
        received = f"{'more' if len(values) > size else f'only {len(values):,}'}"
        raise _refused(f"{size:,} values after the header", path, received)
    return np.frombuffer(values, np.uint8).reshape(shape)


def _kind(path: Path) -> str:
    """Say what a file seems to be that is not what it should be."""
    with open(path, "rb") as file:
        head = file.read(1000).lstrip()
    if not head:
        return "an empty file"
    if head.startswith(b"<"):
        return "a web page, perhaps the login page of the network it was downloaded in"
    if head.startswith(b"PK"):
        return "an .npz file that was cut off"
    return "a file of another kind"


def _verified(images: np.ndarray, labels: np.ndarray, where: str) -> Split:
    """Return the arrays as a Split; raise DataRefused unless they are digits and their labels."""
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28):
        received = f"{images.dtype} {images.shape}"
        raise _refused("images as uint8 (N, 28, 28)", where, received, "Convert them.")
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        received = f"{labels.dtype} {labels.shape}"
        raise _refused("labels as integers (N,)", where, received, "Convert them.")
    if len(images) != len(labels) or len(labels) < 10:
        received = f"{len(images)} images and {len(labels)} labels"
        raise _refused("a label for each of at least 10 images", where, received)
    if labels.min() < 0 or labels.max() > 9:
        received = f"labels from {labels.min()} to {labels.max()}"
        raise _refused("labels from 0 to 9", where, received)
    return Split(np.ascontiguousarray(images), labels.astype(np.uint8))


def _fingerprint(train: Split, test: Split) -> str:
    """MD5 over the MD5s which the four arrays have as IDX files."""
    digests = []
    for array in (train.images, train.labels, test.images, test.labels):
        header = struct.pack(f">{1 + array.ndim}I", 0x800 + array.ndim, *array.shape)
        md5 = hashlib.md5(header, usedforsecurity=False)
        md5.update(array)
        digests.append(md5.hexdigest())
    return hashlib.md5("".join(digests).encode(), usedforsecurity=False).hexdigest()


def _like_mnist(digit: np.ndarray) -> np.ndarray:
    """Enlarge an 8×8 digit, 0 to 16, to uint8 (28, 28).

    As in MNIST it fits into 20×20 and its centre of mass is moved to (14, 14). A frame of
    background lets strokes at the edge fade out. Size and contrast were chosen so that the mean,
    the share of ink and of full ink are those of MNIST's test images (33.7 and 33.8; 19 % and 19 %;
    7.7 % and 7.5 %).
    """
    from PIL import Image

    rows, columns = np.nonzero(digit)
    ink = digit[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] / 16
    scale = 19 / max(ink.shape)
    ink = np.pad(ink, 1).astype(np.float32)
    height, width = (round(scale * length) for length in ink.shape)
    ink = np.asarray(Image.fromarray(ink).resize((width, height), Image.Resampling.LANCZOS))
    canvas = np.zeros((28, 28), np.uint8)
    canvas[:height, :width] = np.rint(255 * np.clip((ink - 0.3) / 0.5, 0, 1))
    centre = [canvas.sum(axis) @ np.arange(28) / canvas.sum() for axis in (1, 0)]
    return np.roll(canvas, [round(14 - middle) for middle in centre], axis=(0, 1))
