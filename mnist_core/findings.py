"""What this app found when it repeated a claim of the paper: pure functions of recorded runs.

Each takes Found, plain figures of the runs that are there, and returns a Finding: one to three
sentences, and where a run is missing, what to do for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean, median

import numpy as np
import pandas as pd

from mnist_core import overfitting, paper, reproduction, wording
from mnist_core.calibration import Z_95, wilson
from mnist_core.evaluation import most_frequent_error
from mnist_core.found import Found, Network
from mnist_core.presets import preset

SECONDS = (16, 14, 14, 10, 9)  # of the paper's epochs
TEST_IMAGES = 10_000  # of the paper
STUDIO, THE_PAPER = ("train", "Studio"), ("train", "The paper")


@dataclass(frozen=True)
class Finding:
    """What was found, in words; `go`: the page and the view where more can be had, or None."""

    text: str
    go: tuple[str, str] | None = None


def need_seeds(found: Found) -> Finding:
    """What to do where no run as in the paper is there."""
    if not found.is_mnist:
        return Finding(
            f"The app runs on {wording.verbatim(found.data_name)}, not on the paper's MNIST: "
            "its figures cannot be compared with the paper's. The button at the bottom left "
            "gets MNIST."
        )
    text = "Not repeated here yet. Train 3 seeds on the Train page, view The paper."
    return Finding(text, THE_PAPER)


def images(found: Found) -> Finding:
    """How many images there are, and of which digits."""
    train, test = np.asarray(found.train_counts), np.asarray(found.test_counts)
    text = (
        f"{wording.verbatim(found.data_name)}: {wording.count(int(train.sum()), 'training image')} "
        f"and {wording.count(int(test.sum()), 'test image')}"
    )
    if not found.is_mnist:
        return Finding(f"{text}. These are not the paper's digits.")
    most, least = int(train.argmax()), int(train.argmin())
    return Finding(
        f"{text}, the same. The digits are not equally frequent: {most} comes {train[most]:,} "
        f"times, {least} only {train[least]:,} times."
    )


def scaling(found: Found) -> Finding:
    """What range the pixels have, before and after the division."""
    low, high = found.pixels
    return Finding(
        f"Pixels here reach from {low} to {high}, and from {low / 255:g} to {high / 255:g} after "
        "the division. The network's first layer does it, so no screen can forget it."
    )


def parameters(found: Found) -> Finding:
    """The parameters of the paper's network, counted layer by layer."""
    rows = [row.parameters for row in preset("paper").rows() if row.parameters]
    told = " + ".join(f"{count:,}" for count in rows)
    return Finding(f"Counted here layer by layer: {told} = {sum(rows):,}, the same.")


def first_loss(found: Found) -> Finding:
    """The loss of the untrained network beside that of one who only guesses."""
    guess = f"Who gives every digit 10 % has a loss of ln 10 = {math.log(10):.4f}."
    said = math.exp(-float(paper.EPOCHS["val_loss"].iloc[-1]))
    fits = (
        f" The paper's {_paper('val_loss')} means that the true digit gets e^−{_paper('val_loss')} "
        f"= {wording.percent(said, 1)} in the geometric mean."
    )
    untrained = [float(each["val_loss"].get(0, math.nan)) for each in found.seeds.values()]
    untrained = [value for value in untrained if math.isfinite(value)]
    if not untrained:
        return Finding(f"{guess}{fits} {need_seeds(found).text}", need_seeds(found).go)
    here = f" Before training, runs here have {wording.loss(fmean(untrained))}: near to it."
    return Finding(guess + (here if abs(fmean(untrained) - math.log(10)) < 0.5 else "") + fits)


def steps(found: Found) -> Finding:
    """How many updates the paper's training makes."""
    config = preset("paper")
    each = math.ceil(60_000 / config.batch_size)
    text = (
        f"60,000 / {config.batch_size} = {each:,} batches an epoch, {each * config.epochs:,} "
        f"updates in {config.epochs} epochs"
    )
    if not found.steps:
        return Finding(f"{text}. {need_seeds(found).text}", need_seeds(found).go)
    made = sorted(set(found.steps))
    same = made == [each * config.epochs]
    said = "just as many were recorded here" if same else f"recorded here: {made[0]:,}"
    return Finding(f"{text}: {said}.")


def duration(found: Found) -> Finding:
    """How long five epochs took here."""
    known = sorted(value for value in found.seconds if math.isfinite(value) and value > 0)
    if not known:
        return need_seeds(found)
    middle = median(known)
    took = wording.duration(known[0])
    if len(known) > 1:
        took = f"{took} to {wording.duration(known[-1])}, half of them {wording.duration(middle)}"
        took += " or less"
    ratio = sum(SECONDS) / middle
    than = f"{ratio:.1f} times as fast" if ratio >= 1 else f"{1 / ratio:.1f} times as slow"
    return Finding(
        f"Here {wording.count(len(known), 'run')} took {took}: {than} as the paper's "
        f"{sum(SECONDS)} s. Another machine, and many batches in one compiled call; the updates "
        "are the same."
    )


def training_curve(found: Found) -> Finding:
    """Where the training figures of the paper's five epochs begin and end here."""
    told = found.last("accuracy")
    if not told:
        return need_seeds(found)
    rows = reproduction.beside(found.seeds.items())
    ends = [
        f"{write(rows[name, 'mean'].iloc[0])} → {write(rows[name, 'mean'].iloc[-1])}"
        for name, write in (("accuracy", wording.percent), ("loss", wording.loss))
    ]
    kind = "one run" if len(told) == 1 else f"the mean of {len(told)} runs"
    return Finding(f"Here, {kind}: accuracy {ends[0]}, loss {ends[1]}.")


def parts_at(epochs: pd.DataFrame) -> int | None:
    """Return the first epoch since which the training loss stays below val_loss, or None.

    `epochs` has the index epoch and the columns loss and val_loss.
    """
    below = (epochs["loss"] < epochs["val_loss"])[::-1].cummin()[::-1].astype(bool)
    return int(below.idxmax()) if below.any() else None


def no_overfitting(found: Found) -> Finding:
    """What the paper's own figures say of overfitting, and those of the run that is played."""
    falls = paper.EPOCHS["val_loss"].is_monotonic_decreasing
    own = (
        f"By its own log the training loss is below the validation loss since epoch "
        f"{parts_at(paper.EPOCHS)} ({_paper('loss')} and {_paper('val_loss')} at the end), and as "
        "it is a mean over the epoch, the gap is probably larger. The validation loss "
        f"{'still falls' if falls else 'no longer falls'}: the gap does "
        f"{'no harm yet' if falls else 'harm'}."
    )
    told = "" if found.epochs is None else overfitting.gap(found.epochs).text
    if not told:
        return Finding(f"{own} Train a network to see the same of it.", STUDIO)
    other = "" if found.like_paper else " (not the paper's training)"
    return Finding(f"{own} The run played, {wording.verbatim(found.title)}{other}: {told}")


def validation(found: Found) -> Finding:
    """What validating on the test set does, and what runs that held out images show instead."""
    why = (
        "Then the test figure is no independent estimate: who chooses the epochs by it has "
        "already used the test images."
    )
    tables = [table["val_accuracy"].loc[1:].dropna() for table in found.seeds.values()]
    tables = [table for table in tables if len(table)]
    if tables:
        more = 100 * fmean(float(table.max() - table.iloc[-1]) for table in tables)
        of = "the run as in the paper" if len(tables) == 1 else f"{len(tables)} runs, on average"
        why += (
            f" Here, taking each run's best epoch by the test set instead of its last gains "
            f"{more:.2f} points ({of}), in part by luck."
        )
    held = [each for each in found.networks if each.held_out][:2]
    if not held:
        return Finding(
            f"{why} No run here has held out images yet: Linear baseline, on the Train page under "
            "Start from, holds out 10 % of the training images.", STUDIO,
        )  # fmt: skip
    pairs = "; ".join(
        f"{wording.verbatim(each.title)} {wording.percent(each.val_accuracy)} of images held out, "
        f"{wording.percent(each.test_accuracy)} of the test set"
        for each in held
    )
    return Finding(f"{why} With images held out: {pairs}.")


def one_seed(found: Found) -> Finding:
    """Whether the paper's accuracy fits the runs of other seeds here."""
    values = found.last("val_accuracy")
    if not values:
        return need_seeds(found)
    told = wording.percent(values[0])
    if len(values) > 1:
        low, high = wording.percent(min(values)), wording.percent(max(values))
        told = f"{low} to {high}, mean {wording.percent(fmean(values))}"
    few = THE_PAPER if len(values) < reproduction.ENOUGH else None
    runs = wording.count(len(values), "run")
    return Finding(f"{runs} here: {told}. {reproduction.verdict(values).text}", few)


def accuracy_interval(found: Found) -> Finding:
    """How far 97.81 % of 10,000 images is uncertain by the choice of the images alone."""
    low, high = wilson(TEST_IMAGES - paper.ERRORS, TEST_IMAGES)
    half = 100 * (high - low) / 2
    again = 100 * Z_95 * math.sqrt(2 * reproduction.REPORTED * (1 - reproduction.REPORTED) / 1e4)
    return Finding(
        f"{paper.ERRORS} errors in {TEST_IMAGES:,} leave the true accuracy uncertain by about "
        f"±{half:.2f} points (95 %: {100 * low:.2f} to {100 * high:.2f} %). Another {TEST_IMAGES:,}"
        f" digits would differ by less than {again:.2f} points 95 times in 100."
    )


def on_the_test_set(found: Found) -> Finding:
    """Loss, accuracy and most frequent confusion of the run played."""
    told = found.evaluation
    if told is None or not len(told.labels):
        return Finding("No run with readable answers is played. Train one or choose another.",
                       STUDIO)  # fmt: skip
    wrong = int((~told.right).sum())
    low, high = wilson(len(told.labels) - wrong, len(told.labels))
    often = most_frequent_error(told.confusion)
    kind = "" if found.like_paper else " Not the paper's training: no measure for its figures."
    confused = f" Most often a {often[0]} is read as {often[1]}: {often[2]:,} ×." if often else ""
    return Finding(
        f"The run played, {wording.verbatim(found.title)}: loss {wording.loss(told.loss)}, accuracy"
        f" {wording.percent(told.accuracy)} ({100 * low:.2f} to {100 * high:.2f} %), "
        f"{wording.count(wrong, 'error')} in {len(told.labels):,}.{confused}{kind}"
    )


def future_work(found: Found) -> Finding:
    """What more layers, other activations and convolutions reached here.

    Of each kind the best is chosen by its validation accuracy, on images held out where there is
    such a run; what is said is its test accuracy.
    """
    kinds = {
        "convolutional": (lambda each: each.convolutional, "Small CNN"),
        "more layers": (lambda each: each.hidden > 1 and not each.convolutional, "Deep MLP"),
        "another activation": (lambda each: bool(each.activations - {"relu"}), "LeNet-5"),
    }
    told, missing = [], []
    for name, (belongs, start_from) in kinds.items():
        usable = [each for each in found.networks if belongs(each) and _measured(each)]
        if not usable:
            missing.append(f"{start_from} ({name})")
            continue
        best = max(usable, key=lambda each: (each.held_out, each.val_accuracy))
        told.append(
            f"{name}: {wording.verbatim(best.title)}, {wording.count(best.parameters, 'parameter')}"
            f", {wording.percent(best.test_accuracy)} of the test set"
        )
    text = f"Found here: {'; '.join(told)}." if told else "None of these is trained here yet."
    if missing:
        text += f" To train, on the Train page under Start from: {', '.join(missing)}."
    return Finding(text, STUDIO if missing else None)


def _measured(network: Network) -> bool:
    return math.isfinite(network.val_accuracy) and math.isfinite(network.test_accuracy)


def _paper(name: str) -> str:
    """Return the paper's figure after its last epoch, a loss, as the screens write it."""
    return wording.loss(float(paper.EPOCHS[name].iloc[-1]))
