"""The paper's preset, recorded, with the time that the recording's parts take; prints JSON."""

import json
import sys
import tempfile
import time
from pathlib import Path

from mnist_core import data, recording, runs, training, watching
from mnist_core.glimpses import Glimpses
from mnist_core.presets import preset

spent = {"artefacts": 0.0, "glimpses": 0.0}


def timed(owner: object, method: str, name: str) -> None:
    """Count the time that a function or method takes."""
    original = getattr(owner, method)

    def wrapper(*arguments, **named):
        began = time.perf_counter()
        try:
            return original(*arguments, **named)
        finally:
            spent[name] += time.perf_counter() - began

    setattr(owner, method, wrapper)


dataset = data.open_source(sys.argv[1])
timed(Glimpses, "write", "glimpses")
with tempfile.TemporaryDirectory() as folder:
    root = Path(folder)
    for measured in (False, True):  # the first compiles
        run = runs.create(preset("paper"), dataset.describe(), root)
        if measured:
            # What is recorded beyond the figures that validation gives in any case.
            timed(recording, "record_logits", "artefacts")
            timed(recording, "record_weights", "artefacts")
            timed(watching, "append_layers", "artefacts")
            timed(Glimpses, "layers", "artefacts")
            spent |= {"artefacts": 0.0, "glimpses": 0.0}
        run = training.train(runs.claim(root, run.id), dataset)
print(json.dumps({"seconds": run.status["seconds"], **spent}))
