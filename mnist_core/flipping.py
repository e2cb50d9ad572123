"""The fewest pixels that make a network read another digit: a greedy search, then a pruning.

A change sets one pixel to 0 or 255. Gradients say which few changes could gain most, the network
itself which of them does. Towards each digit a path is searched, all in step, until the first
arrives. Of a linear network that is the exact minimum; of others, a set without a superfluous
change. The network is given as two functions, so this is NumPy alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

MOST = 60  # changes: more are no small change
TRIED = 32  # changes that a step tries, those of the largest gain by the gradient
DIGITS = np.eye(10, dtype=np.float32)

Change = tuple[int, int]  # the pixel, row by row from 0 to 783, and its new value
Logits = Callable[[np.ndarray], np.ndarray]  # of images uint8 (N, 28, 28): float32 (N, 10)
# The gradients of logits · direction by the pixels, float32 (N, 28, 28), of images uint8
# (N, 28, 28) and directions float32 (N, 10).
Slopes = Callable[[np.ndarray, np.ndarray], np.ndarray]
Lead = Callable[[np.ndarray], np.ndarray]  # how far logits (N, 10) are beyond the flip, (N,)


def flip(image: np.ndarray, target: int | None, logits: Logits, slopes: Slopes) -> dict[str, Any]:
    """Return the few changes to an image, uint8 (28, 28), by which it is read as `target`.

    target None: as any other digit than now. The changes are in the order in which each gains most:
    "pixels" int64 (n, 2) rows and columns, "values" uint8 (n,), "logits" float32 (n + 1, 10) after
    0 to n changes, "answer" the digit before, "reached" whether it is read so after all of them,
    and not sooner. Where it cannot be reached with MOST, the changes are the nearest attempt.
    """
    answer = int(logits(image[None])[0].argmax())

    def lead(said: np.ndarray) -> np.ndarray:
        if target is None:
            return np.delete(said, answer, axis=1).max(axis=1) - said[:, answer]
        return said[:, target] - np.delete(said, target, axis=1).max(axis=1)

    changes: list[Change] = []
    if target != answer:
        changes, arrived = _search(image, answer, target, logits, slopes, lead)
        if arrived:
            changes = _fewest(image, changes, logits, lead)
    after = logits(_pictures(image, [changes[:count] for count in range(len(changes) + 1)]))
    places = np.array([place for place, _ in changes], np.int64)
    return {
        "pixels": np.stack(np.divmod(places, image.shape[1]), axis=1),
        "values": np.array([value for _, value in changes], np.uint8),
        "logits": after,
        "answer": answer,
        "reached": target == answer or bool(lead(after[-1:])[0] > 0),
    }


def after(image: np.ndarray, pixels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return an image, uint8 (28, 28), with `pixels` int64 (n, 2) set to `values` uint8 (n,)."""
    changed = image.copy()
    changed[tuple(pixels.T)] = values
    return changed


def _pictures(image: np.ndarray, sets: list[list[Change]]) -> np.ndarray:
    """Return the image after each set of changes, uint8 (N, 28, 28)."""
    pictures = np.repeat(image[None], len(sets), axis=0)
    for picture, changes in zip(pictures, sets, strict=True):
        for place, value in changes:
            picture.flat[place] = value
    return pictures


def _search(
    image: np.ndarray, answer: int, target: int | None, logits: Logits, slopes: Slopes, lead: Lead
) -> tuple[list[Change], bool]:
    """Return the changes of the path that arrives first, or else comes nearest; whether it does."""
    aims = np.delete(np.arange(10), answer) if target is None else np.array([target])
    paths: list[list[Change]] = [[] for _ in aims]
    said = np.repeat(logits(image[None]), len(aims), axis=0)
    for _ in range(MOST):
        # Which digit is to be overtaken: the answer, or whatever stands before the target.
        ahead = np.where(DIGITS[aims] > 0, -np.inf, said).argmax(axis=1)
        rivals = np.full_like(aims, answer) if target is None else ahead
        pictures = _pictures(image, paths)
        slope = slopes(pictures, DIGITS[aims] - DIGITS[rivals])
        tried = [
            [[*path, change] for change in _candidates(picture, path, steep)]
            for picture, path, steep in zip(pictures, paths, slope, strict=True)
        ]
        flat = [path for options in tried for path in options]
        if not flat:
            break
        outcomes = logits(_pictures(image, flat))
        first = 0
        for number, (aim, options) in enumerate(zip(aims, tried, strict=True)):
            found = outcomes[first : first + len(options)]
            first += len(options)
            if options:
                margins = found[:, aim] - found[:, answer] if target is None else lead(found)
                best = int(margins.argmax())
                paths[number], said[number] = options[best], found[best]
        if lead(said).max() > 0:
            break
    leads = lead(said)
    return paths[int(leads.argmax())], bool(leads.max() > 0)


def _candidates(picture: np.ndarray, path: list[Change], slope: np.ndarray) -> list[Change]:
    """Return the changes of the largest gain by the gradient, of pixels not changed yet."""
    now, slope = picture.ravel(), slope.ravel().astype(np.float64)
    # Where the slope is 0, a dead unit's perhaps, the longer way is the one to try.
    values = np.where(slope == 0, now < 128, slope > 0) * 255
    gains = slope * (values - now.astype(np.int64))
    gains[values == now] = -np.inf
    gains[[place for place, _ in path]] = -np.inf
    best = np.argsort(-gains, kind="stable")[:TRIED]
    return [(int(place), int(values[place])) for place in best if gains[place] > -np.inf]


def _fewest(image: np.ndarray, changes: list[Change], logits: Logits, lead: Lead) -> list[Change]:
    """Return changes of which none is superfluous, in an order that flips with the last alone."""
    while True:
        fewer = _ordered(image, _pruned(image, changes, logits, lead), logits, lead)
        if len(fewer) == len(changes):
            return fewer
        changes = fewer


def _pruned(image: np.ndarray, changes: list[Change], logits: Logits, lead: Lead) -> list[Change]:
    """Take back change after change, the least needed first, as long as the flip stays."""
    while True:
        without = [changes[:place] + changes[place + 1 :] for place in range(len(changes))]
        leads = lead(logits(_pictures(image, without)))
        if leads.max() <= 0:
            return changes
        changes = without[int(leads.argmax())]


def _ordered(image: np.ndarray, changes: list[Change], logits: Logits, lead: Lead) -> list[Change]:
    """Return the changes, each time the one that gains most; those after the flip are left out."""
    ordered: list[Change] = []
    while left := [change for change in changes if change not in ordered]:
        options = [[*ordered, change] for change in left]
        leads = lead(logits(_pictures(image, options)))
        ordered = options[int(leads.argmax())]
        if leads.max() > 0:
            break
    return ordered
