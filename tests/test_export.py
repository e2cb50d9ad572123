"""Exported files, opened as those who get them would."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mnist_core import data, export
from mnist_core.data import Dataset, Split
from mnist_core.selection import Subset

MIXED = np.array([500, 0, 399, 400, 7])


def opened(subset):
    """Return a contact sheet's pixels."""
    with Image.open(io.BytesIO(export.contact_sheet(subset))) as sheet:
        assert (sheet.format, sheet.mode) == ("PNG", "L")
        return np.array(sheet)


def places(number, columns):
    """Return row and column of each digit's first pixel: 8 around, 14 for the text below."""
    return [(8 + i // columns * 78, 8 + i % columns * 64) for i in range(number)]


def below(sheet, row, column):
    """Return the strip in which a digit's text stands."""
    return sheet[row + 56 : row + 56 + 14, column : column + 56]


@pytest.mark.parametrize(
    ("number", "columns", "rows"),
    [(1, 1, 1), (3, 3, 1), (10, 10, 1), (11, 10, 2), (25, 10, 3), (200, 15, 14)],
)
def test_the_digits_stand_in_rows_dark_on_white_and_twice_their_size(small, number, columns, rows):
    subset = Subset(small, np.arange(300, 300 + number))
    sheet = opened(subset)
    assert sheet.shape == (rows * 78 + 8, columns * 64 + 8)
    rest = np.ones(sheet.shape, bool)
    for image, (row, column) in zip(subset.images, places(number, columns), strict=True):
        shown = sheet[row : row + 56, column : column + 56]
        assert (shown == np.kron(255 - image, np.ones((2, 2), np.uint8))).all()
        assert (below(sheet, row, column) < 128).any()
        rest[row : row + 56 + 14, column : column + 56] = False
    assert (sheet[rest] == 255).all()


def test_the_digits_come_in_the_order_of_the_subset(small):
    subset = Subset(small, MIXED)
    sheet = opened(subset)
    for i, (row, column) in zip(MIXED, places(5, 5), strict=True):
        image = small.train.images[i] if i < 400 else small.test.images[i - 400]
        assert (sheet[row : row + 56 : 2, column : column + 56 : 2] == 255 - image).all()


def test_the_text_tells_label_index_and_split_apart():
    images = np.zeros((20, 28, 28), np.uint8)
    train = Split(images, np.array([4] * 10 + [9] * 10, np.uint8))
    dataset = Dataset("", "", "", train, Split(images[:9].copy(), np.full(9, 4, np.uint8)))
    sheet, alone = (opened(Subset(dataset, np.array(ids))) for ids in ([6, 5, 15, 25], [5]))
    six, five, nine, test = (below(sheet, *place) for place in places(4, 4))
    assert (five == below(alone, 8, 8)).all()
    strips = {strip.tobytes() for strip in (five, six, nine, test)}
    assert len(strips) == 4


def test_the_longest_text_has_room():
    dataset = Dataset("", "", "", *(
        Split(np.zeros((60_000, 28, 28), np.uint8), np.full(60_000, 8, np.uint8)) for _ in "12"
    ))  # fmt: skip
    sheet = opened(Subset(dataset, np.arange(108_888, 108_900)))
    assert (sheet[64:78, 8:64] < 255).any()
    for row, column in places(12, 10):
        assert (sheet[row : row + 70, column - 8 : column] == 255).all()
    assert (sheet[78:86] == 255).all() and (sheet[-8:] == 255).all()
    assert (sheet[:, -8:] == 255).all()


def test_a_sheet_without_images_is_white_paper(small):
    assert (opened(Subset(small, MIXED[:0])) == 255).all()


def test_more_images_than_a_sheet_holds_are_refused(small):
    many = Subset(small, np.arange(export.LARGEST_SHEET + 1))
    with pytest.raises(ValueError, match=r"at most 5,000 images on a sheet\. Received: 5,001\."):
        export.contact_sheet(many)


def test_as_many_images_as_a_sheet_holds_are_drawn(small, monkeypatch):
    monkeypatch.setattr(export, "LARGEST_SHEET", 12)
    assert opened(Subset(small, np.arange(12))).shape == (2 * 78 + 8, 10 * 64 + 8)
    with pytest.raises(ValueError, match="at most 12 images"):
        export.contact_sheet(Subset(small, np.arange(13)))


@pytest.mark.parametrize("ids", [MIXED, MIXED[:1], MIXED[:0]], ids=len)
def test_the_arrays_are_read_back_without_pickle(small, ids):
    with np.load(io.BytesIO(export.arrays(Subset(small, ids))), allow_pickle=False) as file:
        arrays = dict(file)
    joined = np.concatenate([small.train.images, small.test.images])
    labels = np.concatenate([small.train.labels, small.test.labels])
    expected = {
        "images": joined[ids], "labels": labels[ids], "index": ids - 400 * (ids >= 400),
        "test": ids >= 400,
    }  # fmt: skip
    assert set(arrays) == set(expected)
    for name, array in expected.items():
        assert arrays[name].dtype == array.dtype
        assert arrays[name].shape == array.shape
        assert (arrays[name] == array).all()


def test_the_table_has_a_line_for_each_image(small):
    frame = pd.read_csv(io.BytesIO(export.table(Subset(small, MIXED))))
    train, test = small.train.labels, small.test.labels
    expected = pd.DataFrame(
        [("test", 100, test[100]), ("training", 0, train[0]), ("training", 399, train[399]),
         ("test", 0, test[0]), ("training", 7, train[7])],
        columns=["split", "index", "label"],
    )  # fmt: skip
    pd.testing.assert_frame_equal(frame, expected, check_dtype=False)


def test_the_table_of_no_images_has_a_heading(small):
    text = export.table(Subset(small, MIXED[:0])).decode()
    assert text.splitlines() == ["split,index,label"]


def test_a_dataset_comes_back_from_its_npz(small, tmp_path):
    file = tmp_path / "data.npz"
    file.write_bytes(export.as_npz(small))
    again = data.open_source(str(file))
    for ours, theirs in ((again.train, small.train), (again.test, small.test)):
        assert (ours.images == theirs.images).all() and (ours.labels == theirs.labels).all()
