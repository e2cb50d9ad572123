"""The paper's preset, recorded, with the time that the recording's parts take; prints JSON."""

import json
import sys
import tempfile
import time
from pathlib import Path

from mnist_core import data, runs, training
from mnist_core.glimpses import Glimpses
from mnist_core.presets import preset
from mnist_core.recorder import Recorder

spent = {"artefacts": 0.0, "glimpses": 0.0}


def timed(cls: type, method: str, name: str) -> None:
    """Count the time that a method takes."""
    original = getattr(cls, method)

    def wrapper(*arguments):
        began = time.perf_counter()
        try:
            return original(*arguments)
        finally:
            spent[name] += time.perf_counter() - began

    setattr(cls, method, wrapper)


dataset = data.open_source(sys.argv[1])
timed(Glimpses, "write", "glimpses")
with tempfile.TemporaryDirectory() as folder:
    root = Path(folder)
    for measured in (False, True):  # the first compiles
        run = runs.create(preset("paper"), dataset.describe(), root)
        if measured:
            timed(Recorder, "_record_epoch", "artefacts")
            spent |= {"artefacts": 0.0, "glimpses": 0.0}
        run = training.train(runs.claim(root, run.id), dataset)
print(json.dumps({"seconds": run.status["seconds"], **spent}))
