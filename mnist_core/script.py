"""A run as a program: a script or a notebook of Keras and NumPy that gives its history again.

Nothing of ours is imported there. What the trainer does chunk by chunk is written as Keras's own
fit(), fed the same permutations; the functions that choose, spoil and move images are copied from
the source. tests/test_script.py runs what is written here and compares every figure by ==.
"""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from string import Template

from mnist_core import augmentation, exam, training_set
from mnist_core.config import TrainConfig
from mnist_core.data import MNIST_FINGERPRINT
from mnist_core.files import read_json
from mnist_core.keras_calls import Call
from mnist_core.layers import Dropout
from mnist_core.runs import Run, RunsError

WIDTH = 100
MOST_ROWS = 10  # epochs whose figures all stand at the top; of more, the first three and the last


def file_name(run: Run, ending: str = "py") -> str:
    """Return what a run's script or notebook is called: "20261122-081503-7f3a.py"."""
    return f"{run.id}.{ending}"


def as_script(run: Run) -> str:
    """Return a Python script that repeats a run's complete epochs, equal in every digit.

    Raises RunsError where no epoch is complete.
    """
    program = _Program(run)
    top = f"{program.about()}\n\n{program.usage()}".replace("\\", r"\\").replace('"""', r"\"\"\"")
    blocks = [f'"""{top}\n"""\n\n{program.beginning("json", "sys")}']
    which = _ARGUMENT_OR_MNIST if program.of_mnist else _ARGUMENT
    for title, code in program.parts(which):
        comment = textwrap.indent(_filled(title, WIDTH - 2), "# ")
        apart = "\n\n\n" if code.startswith(("def ", "class ")) else "\n"
        blocks.append(comment + apart + code)
    return _apart(*blocks, _AS_JSON) + "\n"


def as_notebook(run: Run) -> str:
    """Return the same program as a Jupyter notebook, nbformat 4 in JSON. Raises RunsError."""
    program = _Program(run)
    cells = [_cell("markdown", program.about()), _cell("code", program.beginning())]
    which = _FILE_OR_MNIST if program.of_mnist else _FILE
    for title, code in program.parts(which):
        cells += [_cell("markdown", title), _cell("code", code)]
    python = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": python, "language_info": {"name": "python"}},
        "cells": [{"id": f"cell-{number}", **cell} for number, cell in enumerate(cells)],
    }
    return json.dumps(notebook, indent=1) + "\n"


def _cell(kind: str, text: str) -> dict:
    cell = {"cell_type": kind, "metadata": {}, "source": text}
    return cell if kind == "markdown" else cell | {"execution_count": None, "outputs": []}


@dataclass(frozen=True)
class _Program:
    """What a run's script and its notebook have in common: the words and the parts of the code."""

    run: Run

    def __post_init__(self) -> None:
        if not self.epochs:
            raise RunsError(
                f"Run {self.run.id} has no complete epoch that a script could repeat. Let it train "
                "to the end of its first epoch."
            )

    @property
    def config(self) -> TrainConfig:
        return self.run.config

    @cached_property
    def history(self) -> dict[str, list[float]]:
        return self.run.history()

    @property
    def epochs(self) -> int:
        """How many epochs are complete."""
        return len(self.history["loss"])

    @cached_property
    def steps(self) -> int:
        """Batches in an epoch."""
        return int(self.run.epochs["step"].loc[1])

    @property
    def of_mnist(self) -> bool:
        return self.run.dataset.get("fingerprint") == MNIST_FINGERPRINT

    @property
    def scheduled(self) -> bool:
        return self.config.schedule != "constant"

    @cached_property
    def rates(self) -> dict[int, float]:
        """The learning rates set by hand, each by the step before which it was set."""
        rows = self.run.metrics[self.run.metrics["kind"] == "rate"]
        pairs = zip(map(int, rows["step"]), map(float, rows["learning_rate"]), strict=True)
        return {step: rate for step, rate in pairs if step < self.epochs * self.steps}

    @property
    def best(self) -> int | None:
        """The epoch whose weights were put back at the end."""
        return self.run.status.get("final_epoch")

    @property
    def with_dropout(self) -> bool:
        return any(isinstance(layer, Dropout) and layer.rate for layer in self.config.layers)

    def about(self) -> str:
        """Return in words what is repeated, and the figures that come out."""
        run = self.run
        began = datetime.strptime(run.id[:15], "%Y%m%d-%H%M%S")
        versions = read_json(run.path / "config.json").get("versions", {})
        texts = [
            f"Repeat the training “{_one_line(run.title)}” with Keras and NumPy alone.",
            f"MNIST Lab recorded it as {run.id} on {began.day} {began:%B %Y, %H:%M} UTC, on the "
            f"data “{_one_line(run.dataset.get('name'))}”, with "
            + ", ".join(f"{library} {version}" for library, version in versions.items())
            + ". On the same machine with the same versions the figures below come out again, "
            "equal in every digit. Elsewhere the last digits differ at first, and more later.",
            *self._remarks(),
        ]
        table = textwrap.indent("\n".join([_HEADER, *self._rows()]), "    ")
        return "\n\n".join([*(_filled(text) for text in texts), table])

    def _remarks(self) -> list[str]:
        found = []
        if self.run.status.get("step", 0) > self.epochs * self.steps:
            found.append(
                f"The recording ends within epoch {self.epochs + 1}. Only complete epochs are "
                "repeated."
            )
        elif self.run.status.get("stopped_early") == self.epochs:
            found.append(
                f"It stopped early, after epoch {self.epochs} of {self.run.planned_epochs}, since "
                "none had been better on the validation images for a while."
            )
        if self.rates:
            found.append(
                "A person set the learning rate while the network trained. Here it is set before "
                "the same batches."
            )
        if self.best:
            found.append(
                f"At the end the network was given back the weights of epoch {self.best}, its best "
                "on the validation images. So it is here."
            )
        return found

    def _rows(self) -> list[str]:
        figures = zip(*(self.history[name] for name in _HEADER.split()[1:]), strict=True)
        rows = [
            "  ".join([f"{epoch:5}", *(f"{figure:.9f}" for figure in row)])
            for epoch, row in enumerate(figures, 1)
        ]
        if len(rows) > MOST_ROWS:
            rows[3:-1] = ["  ..."]
        return rows

    def usage(self) -> str:
        """Return how a script is called."""
        file = "[mnist.npz]" if self.of_mnist else "data.npz"
        words = "The .npz file has x_train, y_train, x_test and y_test."
        if self.of_mnist:
            words += " Without one, Keras takes MNIST from its cache or downloads it."
        words += " With --json the history is the last line, as JSON."
        return f"    python {file_name(self.run)} {file} [--json]\n\n{_filled(words)}"

    def beginning(self, *more: str) -> str:
        """Return the imports, with `more` modules, and the constants."""
        modules = sorted(["hashlib", "os", "struct", *more])
        return _BEGINNING.substitute(
            modules="\n".join(f"import {module}" for module in modules),
            seed=self.config.seed,
            epochs=self.epochs,
            batch_size=self.config.batch_size,
        )

    def parts(self, which: str) -> list[tuple[str, str]]:
        """Return title and code of each part; the code `which` says from which file data come."""
        parts = [
            ("The data: uint8 images (N, 28, 28) and their labels, 0 to 9.", self._data(which)),
            ("The images to train on and those to validate on, with labels.", self._chosen()),
        ]
        if self.config.augments:
            parts.append(("Each epoch moves every training image a little.", self._movements()))
        if self.rates:
            parts.append(("The learning rates set by hand.", self._rates_by_hand()))
        return [
            *parts,
            ("The network. The seed decides its first weights.", self._network()),
            (
                "Validation, computed in float64 from the sums before the softmax: "
                "model.evaluate() gives the same to six or seven digits.",
                self._validation(),
            ),
            ("The training. Each epoch has its own order, drawn from the seed.", self._training()),
        ]

    def _data(self, which: str) -> str:
        check = _CHECK.substitute(fingerprint=self.run.dataset.get("fingerprint"))
        read = _READ_FILE
        if self.of_mnist:
            read = f"{_READ_MNIST}else:\n{textwrap.indent(_READ_FILE, '    ')}"
        return _apart(_FINGERPRINT, f"{which}{read}{check}")

    def _chosen(self) -> str:
        config, functions = self.config, [training_set.epoch_order]
        chosen = "chosen = np.arange(len(x_train))  # all"
        validation = ["x_exam, y_val = x_test, y_test"]
        if config.training_size is not None or config.validation_share:
            functions[:0] = [training_set.choose, training_set.in_proportion]
            chosen = (
                f"chosen, held_out = choose(y_train, size={config.training_size}, "
                f"validation_share={config.validation_share}, seed=SEED)"
            )
        if config.validation_share:
            validation = [
                "# One array, as in the recording: last digits may depend on an image's place.",
                "x_exam, y_val = np.concatenate([x_test, x_train[held_out]]), y_train[held_out]",
            ]
        lines, labels = [chosen, *validation], "y_train"
        if config.label_noise:
            functions.append(training_set.wrong_labels)
            noise = f"share={config.label_noise}, seed=SEED"
            lines.append(f"given, spoiled = wrong_labels(y_train, chosen, {noise})")
            labels = "given"
        targets = f'np.eye(10, dtype="float32")[{labels}]  # ten numbers each, one of them 1'
        if config.loss == "sparse_categorical_crossentropy":
            targets = labels
        return _apart(*_sources(*functions), "\n".join([*lines, f"targets = {targets}"]))

    def _movements(self) -> str:
        config = self.config
        limits = f"SHIFT, ROTATE, ZOOM = {config.shift}, {config.rotate}, {config.zoom}"
        return _apart(*_sources(augmentation.draw, augmentation.move), limits)

    def _rates_by_hand(self) -> str:
        rates = "\n".join(f"    {step}: {rate!r}," for step, rate in self.rates.items())
        set_rate = "self.model.optimizer.learning_rate = RATES[step]"
        if self.scheduled:
            set_rate = f"rate.factor.assign(RATES[step] / {self.config.learning_rate!r})"
        return _apart(
            f"RATES = {{  # by the number of batches before\n{rates}\n}}",
            *([_SCHEDULED_RATE] if self.scheduled else []),
            _RATES_BY_HAND.substitute(set_rate=set_rate),
        )

    def _network(self) -> str:
        config, before = self.config, ""
        rate = config.rates(self.steps).keras()
        if isinstance(rate, Call):
            before = _written("rate = ", rate) + "\n"
            if self.rates:
                before += "rate = ScheduledRate(rate)\n"
            rate = _Name("rate")
        return _NETWORK.substitute(
            layers="\n".join(_written(" " * 8, call, ",") for call in config.keras_layers()),
            before=before,
            optimizer=_written("    optimizer=", config.keras_optimizer(rate), ","),
            loss=config.loss,
            jit_compile=config.xla,
        )

    def _validation(self) -> str:
        squares = self.config.loss == "mean_squared_error"
        return _VALIDATION.substitute(
            jit_compile=self.config.xla,
            batch=exam.BATCH[self.config.xla],
            loss=_MEAN_SQUARED_ERROR if squares else _CROSS_ENTROPY,
        )

    def _training(self) -> str:
        images = "x_train[order]"
        if self.config.augments:
            images = f"move({images}, draw(SEED, epoch, len(order), SHIFT, ROTATE, ZOOM))"
        return _TRAINING.substitute(
            header=_HEADER,
            dropouts=_DROPOUTS if self.with_dropout else "",
            seed_dropouts=_SEED_DROPOUTS if self.with_dropout else "",
            images=images,
            callbacks="        callbacks=[RatesByHand()],\n" if self.rates else "",
            keep_best=_KEEP_BEST.substitute(best=self.best) if self.best else "",
            best_back="model.set_weights(best_weights)\n" if self.best else "",
        ).removesuffix("\n")


class _Name(str):
    """A variable, as Call.source() writes it."""

    def __repr__(self) -> str:
        return str(self)


def _written(before: str, call: Call, after: str = "") -> str:
    """Return a line of code that holds a call; one too long is broken as `ruff format` does."""
    line = before + call.source().replace("'", '"') + after
    if len(line) <= WIDTH:
        return line
    outer = " " * (len(before) - len(before.lstrip()))
    inner = outer + " " * 4
    head, _, rest = line.removesuffix(f"){after}").partition("(")
    if len(inner + rest) > WIDTH:
        rest = re.sub(r", (?=\w+=)", f",\n{inner}", rest) + ","
    return f"{head}(\n{inner}{rest}\n{outer}){after}"


def _filled(text: str, width: int = WIDTH) -> str:
    return textwrap.fill(text, width, break_on_hyphens=False)


def _apart(*blocks: str) -> str:
    """Put two empty lines between blocks of code, as between functions."""
    return "\n\n\n".join(block.strip("\n") for block in blocks)


def _sources(*functions) -> list[str]:
    return [inspect.getsource(function) for function in functions]


def _one_line(text: object) -> str:
    """Return text that people wrote without what could end a line, or the program's docstring."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())


_HEADER = "epoch  loss         accuracy     val_loss     val_accuracy"
_BEGINNING = Template("""\
$modules

os.environ["KERAS_BACKEND"] = "tensorflow"  # other backends give other last digits

import keras
import numpy as np

SEED = $seed
EPOCHS = $epochs
BATCH_SIZE = $batch_size""")

_FINGERPRINT = '''\
def fingerprint(*arrays):
    """Return the MD5 over the MD5s that the arrays have as IDX files, MNIST's own form."""
    digests = ""
    for array in arrays:
        header = struct.pack(f">{1 + array.ndim}I", 0x800 + array.ndim, *array.shape)
        idx = header + array.astype("uint8").tobytes()
        digests += hashlib.md5(idx, usedforsecurity=False).hexdigest()
    return hashlib.md5(digests.encode(), usedforsecurity=False).hexdigest()
'''
_ARGUMENTS = 'files = [argument for argument in sys.argv[1:] if argument != "--json"]\n'
_ARGUMENT_OR_MNIST = f"{_ARGUMENTS}file = files[0] if files else None\n"
_ARGUMENT = f"""\
{_ARGUMENTS}\
if not files:
    sys.exit("This run has its own data: give the .npz file that holds them as first argument.")
file = files[0]
"""
_FILE_OR_MNIST = "file = None  # or the path of an .npz with x_train, y_train, x_test and y_test\n"
_FILE = 'file = "data.npz"  # the run\'s own data: x_train, y_train, x_test and y_test\n'
_READ_MNIST = """\
if file is None:
    (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
"""
_READ_FILE = """\
with np.load(file) as arrays:
    x_train, y_train = arrays["x_train"], arrays["y_train"]
    x_test, y_test = arrays["x_test"], arrays["y_test"]
"""
_CHECK = Template("""\
if fingerprint(x_train, y_train, x_test, y_test) != "$fingerprint":
    print(f"WARNING: {len(x_train):,} training and {len(x_test):,} test images, which are not")
    print("those of the recording. Other figures than the recorded ones will come out.")
""")

_SCHEDULED_RATE = '''\
class ScheduledRate(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule times a factor that can be set while the network trains."""

    def __init__(self, schedule):
        self.schedule = schedule
        self.factor = keras.Variable(1.0, trainable=False)

    def __call__(self, step):
        return self.schedule(step) * self.factor.value
'''
_RATES_BY_HAND = Template('''\
class RatesByHand(keras.callbacks.Callback):
    """Sets the learning rate before the batches where a person did."""

    def on_train_batch_begin(self, batch, logs=None):
        step = int(self.model.optimizer.iterations)
        if step in RATES:
            $set_rate
''')

_NETWORK = Template("""\
keras.utils.set_random_seed(SEED)
model = keras.Sequential(
    [
        keras.layers.Input((28, 28), dtype="uint8"),
$layers
    ]
)
${before}model.compile(
$optimizer
    loss="$loss",
    metrics=["accuracy"],
    jit_compile=$jit_compile,
)""")

_CROSS_ENTROPY = "-log_probabilities[np.arange(len(labels)), labels]"
_MEAN_SQUARED_ERROR = "(np.exp(log_probabilities) - np.eye(10)[labels]) ** 2"
_VALIDATION = Template('''\
no_softmax = keras.Sequential([keras.layers.Input((28, 28), dtype="uint8"), *model.layers[:-1]])
no_softmax.compile(jit_compile=$jit_compile)


def loss_and_accuracy(images, labels):
    """Return the mean loss, without L2, and the share of right answers.

    There may be more images than labels: the labels are those of the last images.
    """
    # Batches of one size, the last filled up with zeros: the size decides the last digits.
    filling = np.zeros((-len(images) % $batch, 28, 28), "uint8")
    padded = np.concatenate([images, filling])
    sums = no_softmax.predict(padded, batch_size=$batch, verbose=0)[: len(images)]
    sums = sums[-len(labels) :]
    shifted = sums.astype("float64")
    shifted -= shifted.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    losses = $loss
    right = sums.argmax(axis=1) == labels
    return float(losses.mean()), float(right.mean())
''')

_DROPOUTS = 'dropouts = [layer for layer in model.layers if hasattr(layer, "seed_generator")]\n'
_SEED_DROPOUTS = """\
    for number, layer in enumerate(dropouts):
        words = np.random.SeedSequence([SEED, epoch, number]).generate_state(2)
        layer.seed_generator.state.assign(words.astype("int64"))
"""
_KEEP_BEST = Template("""\
    if epoch + 1 == $best:
        best_weights = model.get_weights()
""")
_TRAINING = Template("""\
history = {"loss": [], "accuracy": [], "val_loss": [], "val_accuracy": []}
${dropouts}\
print("$header")
for epoch in range(EPOCHS):
    order = chosen[epoch_order(SEED, len(chosen), epoch)]
${seed_dropouts}\
    fitted = model.fit(
        $images,
        targets[order],
        batch_size=BATCH_SIZE,
        shuffle=False,
${callbacks}\
        verbose=0,
    )
    figures = [fitted.history["loss"][0], fitted.history["accuracy"][0]]
    figures += loss_and_accuracy(x_exam, y_val)
    for name, figure in zip(history, figures, strict=True):
        history[name].append(figure)
    print(f"{epoch + 1:5}", *(f"{figure:.9f}" for figure in figures), sep="  ", flush=True)
${keep_best}\
${best_back}""")
_AS_JSON = """\
if "--json" in sys.argv:
    print(json.dumps(history))
"""
