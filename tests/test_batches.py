"""Chunks of batches: put together again they are the epoch, in its order, moved as it was drawn."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from mnist_core import augmentation
from mnist_core.batches import Batches
from mnist_core.config import TrainConfig
from mnist_core.training_set import epoch_order

CONFIG = TrainConfig(batch_size=32, seed=5)
MOVED = replace(CONFIG, shift=3.0, rotate=20.0, zoom=0.2)


@pytest.fixture
def batches(small):
    """Return a function that makes batches of the small dataset; all are closed in the end."""
    made = []

    def make(config=CONFIG, size=4, count=400):
        chosen = np.arange(400)[::-1][:count]
        made.append(Batches(config, small.train.images, small.train.labels, chosen, size))
        return made[-1]

    yield make
    for some in made:
        some.close()


def epoch_of(batches, most=10**9, last=10**9, first=0):
    """Go through an epoch as training does; return images, labels and the sizes of the chunks."""
    images, labels, counts, step = [], [], [], first
    while step < min(last, batches.per_epoch):
        count = batches.count(step, last, most)
        some, theirs = batches.gather(step, after=step + count)
        assert some.shape[:2] == theirs.shape and some.shape[2:] == (28, 28)
        assert some.dtype == theirs.dtype == np.uint8
        images.append(some[:count].reshape(-1, 28, 28))
        labels.append(theirs[:count].reshape(-1))
        counts.append(count)
        step += count
    return np.concatenate(images), np.concatenate(labels), counts


def expected(small, config, epoch, count):
    order = np.arange(400)[::-1][:count][epoch_order(config.seed, count, epoch)]
    images = small.train.images[order]
    if config.augments:
        limits = config.shift, config.rotate, config.zoom
        images = augmentation.move(images, augmentation.draw(config.seed, epoch, count, *limits))
    return images, small.train.labels[order]


@pytest.mark.parametrize("config", [CONFIG, MOVED], ids=["as they are", "moved"])
@pytest.mark.parametrize(
    ("count", "size", "batch", "chunks"),
    [
        (400, 4, 32, [4, 4, 4, 1]),  # twelve batches and half a one
        (400, 5, 40, [5, 5]),
        (400, 75, 32, [12, 1]),
        (400, 4, 400, [1]),
        (100, 4, 4096, [1]),  # fewer images than a batch
        (33, 4, 32, [1, 1]),
        (1, 1, 1, [1]),
        (400, 3, 133, [3, 1]),
    ],
)
def test_the_chunks_are_the_epoch_in_its_order(small, batches, config, count, size, batch, chunks):
    config = replace(config, batch_size=batch)
    some = batches(config, size, count)
    assert some.per_epoch == -(-count // batch)
    for epoch in (0, 1, 7):
        some.begin(epoch)
        images, labels, counts = epoch_of(some)
        assert counts == chunks
        images_due, labels_due = expected(small, config, epoch, count)
        np.testing.assert_array_equal(images, images_due)
        np.testing.assert_array_equal(labels, labels_due)


@pytest.mark.parametrize("first", [0, 1, 5, 11, 12])
@pytest.mark.parametrize("most", [1, 3])
def test_slow_motion_and_a_resume_give_the_same_images(small, batches, first, most):
    some = batches(MOVED)
    some.begin(2)
    images, labels, counts = epoch_of(some, most=most, first=first)
    assert max(counts) <= most
    images_due, labels_due = expected(small, MOVED, 2, 400)
    np.testing.assert_array_equal(images, images_due[32 * first :])
    np.testing.assert_array_equal(labels, labels_due[32 * first :])


def test_chunks_end_where_training_is_to_pause(batches):
    some = batches()
    some.begin(0)
    assert epoch_of(some, last=7)[2] == [4, 3]
    some.begin(1)
    assert epoch_of(some, last=12)[2] == [4, 4, 4]
    some.begin(2)
    assert epoch_of(some, last=13)[2] == [4, 4, 4, 1]


def test_every_chunk_of_full_batches_has_one_shape(batches):
    """Else XLA would compile the training again for each."""
    some = batches()
    some.begin(0)
    shapes = [some.gather(step, after=step + 1)[0].shape for step in range(13)]
    assert set(shapes[:12]) == {(4, 32, 28, 28)}
    assert shapes[12] == (1, 16, 28, 28)


def test_the_next_chunk_is_made_in_another_thread_meanwhile(batches, monkeypatch):
    made, works = [], augmentation.move

    def move(*arguments):
        made.append(threading.current_thread().name)
        return works(*arguments)

    monkeypatch.setattr(augmentation, "move", move)
    some = batches(MOVED)
    some.begin(0)
    epoch_of(some)
    assert made[0] == "MainThread"
    assert len(made) == 4 and all(name.startswith("batches") for name in made[1:])


def test_a_chunk_that_comes_otherwise_than_foreseen_is_made_anew(small, batches):
    some = batches(MOVED)
    some.begin(0)
    some.gather(0, after=4)
    images, labels = some.gather(6, after=7)
    images_due, labels_due = expected(small, MOVED, 0, 400)
    np.testing.assert_array_equal(images[0], images_due[6 * 32 : 7 * 32])
    np.testing.assert_array_equal(labels[0], labels_due[6 * 32 : 7 * 32])
    some.begin(1)  # what was foreseen belongs to the epoch before
    images_due, _ = expected(small, MOVED, 1, 400)
    np.testing.assert_array_equal(some.gather(7, after=8)[0][0], images_due[7 * 32 : 8 * 32])


def test_an_error_in_the_thread_is_raised_where_its_chunk_is_asked_for(batches, monkeypatch):
    some = batches(MOVED)
    some.begin(0)
    works = augmentation.move

    def fail_elsewhere(*arguments):
        if threading.current_thread() is threading.main_thread():
            return works(*arguments)
        raise MemoryError("no room")

    monkeypatch.setattr(augmentation, "move", fail_elsewhere)
    some.gather(0, after=4)
    with pytest.raises(MemoryError, match="no room"):
        some.gather(4, after=8)


def test_closing_ends_the_thread(batches):
    some = batches()
    some.begin(0)
    some.gather(0, after=4)
    [thread] = some._thread._threads
    some.close()
    assert not thread.is_alive()
