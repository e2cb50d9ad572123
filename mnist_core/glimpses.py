"""The trainer's glimpses of its running network for those who watch, as often as is cheap."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from mnist_core import watching
from mnist_core.compiling import Compiled
from mnist_core.exam import Exam
from mnist_core.layers import Conv, Dense
from mnist_core.runs import Run

SECONDS = 0.5  # between two glimpses
SHARE = 0.02  # of the training time that glimpses may take
GRADIENT_IMAGES = 256  # of the sample of training images


class Glimpses:
    """Writes the first test images' answers, the first layer and the histograms of all layers."""

    def __init__(self, run: Run, network: Compiled, exam: Exam):
        self.run, self.network = run, network
        self.tested = exam.test(exam.images)[: network.exam_batch]
        self.labels = exam.labels[2][:GRADIENT_IMAGES].astype(np.uint8)
        self.images = exam.images[exam.cuts[1] :][: len(self.labels)]
        layers = [la.describe() for la in run.config.layers if isinstance(la, Dense | Conv)]
        self.names = [*layers, "output 10, softmax"]
        self.due = 0.0

    def layers(self) -> list[dict[str, Any]]:
        """Return the histograms of every layer's weights and of their gradients."""
        gradients = [array.numpy() for array in self.network.gradients(self.images, self.labels)]
        weights = [kernel.numpy() for kernel in self.network.kernels]
        return watching.layer_lines(self.names, weights, gradients)

    def write(self, epoch: float) -> None:
        """Write a glimpse if one is due: at most every SECONDS, and at most SHARE of the time."""
        began = time.perf_counter()
        if began < self.due:
            return
        kernel = self.network.model.weights[0].numpy()
        logits = self.network.forward(self.tested)
        watching.write_live(self.run, epoch, logits, kernel, self.layers())
        now = time.perf_counter()
        self.due = now + max(SECONDS, (now - began) / SHARE)
