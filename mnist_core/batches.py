"""The training images of a run, gathered chunk by chunk while the chunk before trains."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from mnist_core import augmentation
from mnist_core.config import TrainConfig
from mnist_core.training_set import epoch_order


class Batches:
    """Chunks of at most `size` batches of the images `chosen`, moved where the config says so.

    images uint8 (N, 28, 28), labels uint8 (N,), chosen (n,). Call begin() before each epoch.
    """

    def __init__(
        self,
        config: TrainConfig,
        images: np.ndarray,
        labels: np.ndarray,
        chosen: np.ndarray,
        size: int,
    ):
        self.config, self.images, self.labels, self.chosen = config, images, labels, chosen
        self.full, self.rest = divmod(len(chosen), config.batch_size)
        self.per_epoch = self.full + bool(self.rest)
        self.size = min(size, max(1, self.full))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self._coming: tuple[int, Future] | None = None

    def begin(self, epoch: int) -> None:
        """Draw order and movements of an epoch (0-based)."""
        config, count = self.config, len(self.chosen)
        self._coming = None
        self.order = self.chosen[epoch_order(config.seed, count, epoch)]
        self.movements = None
        if config.augments:
            self.movements = augmentation.draw(
                config.seed, epoch, count, config.shift, config.rotate, config.zoom
            )

    def count(self, step: int, last: int, most: int) -> int:
        """Return how many batches to train on from a step of the epoch: to `last`, at most `most`.

        The last, smaller batch of an epoch comes alone.
        """
        return max(1, min(self.size, most, min(last, self.full) - step))

    def gather(self, step: int, after: int) -> tuple[np.ndarray, np.ndarray]:
        """Return images (k, b, 28, 28) and labels (k, b) from a step of the epoch on.

        k is always the same; what goes beyond the epoch's full batches is filling. Those that begin
        at step `after` are made meanwhile.
        """
        coming, self._coming = self._coming, None
        made = coming[1].result() if coming and coming[0] == step else self._make(step)
        if after < self.per_epoch:
            self._coming = after, self._thread.submit(self._make, after)
        return made

    def _make(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        batch = self.config.batch_size
        place = np.arange(step * batch, min((step + self.size) * batch, len(self.order)))
        if step == self.full:
            k, batch = 1, self.rest
        else:
            k, place = self.size, np.resize(place, self.size * batch)
        index = self.order[place]
        images = self.images[index]
        if self.movements is not None:
            images = augmentation.move(images, self.movements[place])
        return images.reshape(k, batch, 28, 28), self.labels[index].reshape(k, batch)

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(cancel_futures=True)
