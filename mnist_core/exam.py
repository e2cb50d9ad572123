"""What a network is asked after every epoch, and the figures its answers give."""

from __future__ import annotations

import numpy as np

from mnist_core.config import TrainConfig
from mnist_core.data import Dataset
from mnist_core.evaluation import Evaluation

BATCH = {True: 2_000, False: 500}  # images of a forward pass, by whether XLA compiles it
SAMPLE_SIZE = 5_000  # training images, to be compared with validation
SPOILED_SIZE = 2_000  # training images whose label was made wrong


class Exam:
    """Test set, validation images, a sample of training images, and of those with wrong labels.

    All in one array, `images`, for one pass of the network. `chosen` and `validation` are indices
    of training images, `given` the labels that training uses, `spoiled` the indices made wrong.
    """

    def __init__(
        self,
        config: TrainConfig,
        dataset: Dataset,
        chosen: np.ndarray,
        validation: np.ndarray,
        given: np.ndarray,
        spoiled: np.ndarray,
    ):
        self.loss = config.loss
        size = min(SAMPLE_SIZE, len(chosen))
        sample = np.random.default_rng(0).choice(chosen, size, replace=False)
        spoiled = spoiled[:: max(1, len(spoiled) // SPOILED_SIZE)][:SPOILED_SIZE]
        train, test = dataset.train, dataset.test
        parts = [validation, sample, spoiled]
        self.images = np.concatenate([test.images, *(train.images[part] for part in parts)])
        self.labels = [test.labels, train.labels[validation], given[sample], given[spoiled]]
        self.true_of_spoiled = train.labels[spoiled]
        self.cuts = np.cumsum([len(labels) for labels in self.labels])[:-1]

    def test(self, logits: np.ndarray) -> np.ndarray:
        """Return the test set's logits, float32 (n_test, 10), of those of all images."""
        return logits[: self.cuts[0]]

    def figures(self, logits: np.ndarray) -> dict[str, float]:
        """Return validation's and the sample's loss and accuracy from the logits of all images.

        Without held-out images the test set is the validation set, as in the paper. With wrong
        labels also the share of them that the network repeats, and the share it reads as they
        truly are.
        """
        test, validation, sample, spoiled = np.split(logits, self.cuts)
        where = 1 if len(validation) else 0
        val = loss_and_accuracy((test, validation)[where], self.labels[where], self.loss)
        own = loss_and_accuracy(sample, self.labels[2], self.loss)
        figures = {
            "sample_loss": own[0],
            "sample_accuracy": own[1],
            "val_loss": val[0],
            "val_accuracy": val[1],
        }
        if len(spoiled):
            read = spoiled.argmax(axis=1)
            figures["noise_learned"] = float((read == self.labels[3]).mean())
            figures["noise_resisted"] = float((read == self.true_of_spoiled).mean())
        return figures


def loss_and_accuracy(
    logits: np.ndarray, labels: np.ndarray, loss: str = "categorical_crossentropy"
) -> tuple[float, float]:
    """Return the mean loss, without L2, and the share of right answers.

    logits (N, 10), labels (N,) of 0–9. The loss is cross-entropy (natural log) or, for
    "mean_squared_error", the mean over images and digits of (probability − one-hot label)². Both
    are NaN for N = 0.
    """
    evaluation = Evaluation(np.asarray(labels), np.asarray(logits))
    if loss != "mean_squared_error" or not len(labels):
        return evaluation.loss, evaluation.accuracy
    squares = (evaluation.probabilities - np.eye(10)[labels]) ** 2
    return float(squares.mean()), evaluation.accuracy
