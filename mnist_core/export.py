"""Selected images as files: a contact sheet, arrays, a table."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd

from mnist_core.data import Dataset
from mnist_core.evaluation import Evaluation
from mnist_core.selection import Subset

_SIDE, _TEXT, _GAP = 56, 14, 8  # pixels of a digit on the sheet (twice its own), of a line, between
LARGEST_SHEET = 5000  # images: 79 a row, 5,064 × 5,000 pixels


def contact_sheet(subset: Subset, read_as: np.ndarray | None = None) -> bytes:
    """Return a PNG of the images, dark on white, each with its label and index below.

    With `read_as`, the network's answers int (N,), "4→9" stands in the label's place. The index of
    a test image has a t before it. Raises ValueError for more than LARGEST_SHEET.
    """
    from PIL import Image, ImageDraw, ImageFont

    if len(subset) > LARGEST_SHEET:
        raise ValueError(
            f"Expected at most {LARGEST_SHEET:,} images on a sheet. Received: {len(subset):,}."
        )
    columns = max(1, min(len(subset), max(10, int(np.sqrt(len(subset) * 1.25)))))
    rows = max(1, -(-len(subset) // columns))
    wide, high = _SIDE + _GAP, _SIDE + _TEXT + _GAP
    sheet = Image.new("L", (columns * wide + _GAP, rows * high + _GAP), 255)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    words = list(map(str, subset.labels))
    if read_as is not None:
        words = [f"{label}→{answer}" for label, answer in zip(words, read_as, strict=True)]
    captions = zip(words, subset.of_test, subset.index, strict=True)
    for i, (image, (label, test, index)) in enumerate(zip(subset.images, captions, strict=True)):
        x, y = _GAP + i % columns * wide, _GAP + i // columns * high
        digit = Image.fromarray(255 - image).resize((_SIDE, _SIDE), Image.Resampling.NEAREST)
        sheet.paste(digit, (x, y))
        text = f"{label}  {'t' if test else ''}{index}"
        draw.text((x + _SIDE / 2, y + _SIDE + 1), text, fill=0, font=font, anchor="ma")
    file = io.BytesIO()
    sheet.save(file, "PNG", optimize=True)
    return file.getvalue()


def arrays(subset: Subset) -> bytes:
    """Return an .npz: images uint8 (N, 28, 28), labels uint8, index int64, test bool, all (N,)."""
    file = io.BytesIO()
    np.savez_compressed(
        file, images=subset.images, labels=subset.labels, index=subset.index, test=subset.of_test
    )
    return file.getvalue()


def table(subset: Subset) -> bytes:
    """Return a CSV with a line for each image: split, index within it, label."""
    return _listed(subset).to_csv(index=False).encode()


def _listed(subset: Subset) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "split": np.where(subset.of_test, "test", "training"),
            "index": subset.index,
            "label": subset.labels,
        }
    )


def predictions(subset: Subset, evaluation: Evaluation) -> bytes:
    """Return table() with the ten probabilities p0 … p9 that a network gives each image.

    With nine significant digits, as many as float32 logits have.
    """
    frame = _listed(subset)
    frame[[f"p{digit}" for digit in range(10)]] = evaluation.probabilities
    return frame.to_csv(index=False, float_format="%.9g").encode()


def confusion(evaluation: Evaluation) -> bytes:
    """Return the confusion matrix as CSV, a line for each true digit."""
    frame = pd.DataFrame(
        evaluation.confusion,
        index=pd.Index(range(10), name="true"),
        columns=[f"predicted {digit}" for digit in range(10)],
    )
    return frame.to_csv().encode()


def as_npz(dataset: Dataset) -> bytes:
    """Return a dataset as a compressed .npz in Keras's layout: x_train, y_train, x_test, y_test."""
    file = io.BytesIO()
    train, test = dataset.train, dataset.test
    np.savez_compressed(
        file, x_train=train.images, y_train=train.labels, x_test=test.images, y_test=test.labels
    )
    return file.getvalue()
