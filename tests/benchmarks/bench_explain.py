"""How far are the equations in NumPy from Keras, and how fast is Explain, on the real MNIST?

MNIST_PATH=…/mnist.npz python tests/benchmarks/bench_explain.py [RUNS]

RUNS is a folder with runs on MNIST; without it the paper's network and the Small CNN are trained
first. The last recorded epoch of each explains the first 100 test digits.
"""

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from float64_keras import Clone, apart, in_order
from threadpoolctl import threadpool_limits

from mnist_core import data, moment, neuron_cut, neurons, recording, runs, same_step
from tests.benchmarks.serving import IDLE, PROJECT, browse, serve, table

DIGITS = 100
PRESETS = {"paper": "the paper's network", "small-cnn": "Small CNN"}
QUANTITIES = ("probabilities", "logits", "loss", "gradient", "step", "loss after the step")


def train(folder: Path) -> None:
    for preset in PRESETS:
        command = [sys.executable, "-m", "mnist_core", "train", "--preset", preset]
        command += ["--runs", str(folder)]
        subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)


def found(folder: Path) -> dict[str, runs.Run]:
    """Return the newest completed run of each kind, by what it is called here."""
    done = [run for run in runs.list_runs(folder) if run.state == "completed"]
    paper = next(run for run in done if run.like_paper)
    return {
        PRESETS["paper"]: paper,
        PRESETS["small-cnn"]: next(run for run in done if run.config.name == "Small CNN"),
    }


def in_float64(chosen: dict[str, runs.Run], images: np.ndarray, labels: np.ndarray) -> None:
    """The same digit twice in float64: what is left is an error of the equations."""
    rows = []
    for name, run in chosen.items():
        epoch = run.moments[-1]
        at, arrays = moment.read(run, epoch), recording.read_weights(run, epoch)
        worst = dict.fromkeys(("forward", "loss", "gradients", "Adam step"), 0.0)

        def seen(what: str, ours, theirs, worst=worst) -> None:
            worst[what] = max(worst[what], apart(ours, theirs))

        clone = Clone(run.config, arrays, images[:1], labels[:1])
        for image, label in zip(images, labels, strict=True):
            clone = clone.of(image[None], np.array([label]))
            mine = at.explain(image, label)
            for ours, theirs in zip(mine.values[-2:], clone.values[-2:], strict=True):
                seen("forward", ours, theirs)
            seen("loss", np.float64(mine.loss), np.float64(clone.loss))
            for ours, theirs in zip(in_order(mine.gradients), clone.gradients, strict=True):
                seen("gradients", ours, theirs)
            steps = clone.steps(run.config, arrays, at.rate)
            mine_steps = [each["step"] for each in in_order(at.next_step(mine).numbers)]
            for ours, theirs in zip(mine_steps, steps, strict=True):
                seen("Adam step", ours, theirs)
        rows += [(f"{name}, float64: {what}, largest difference / largest entry",
                  f"{share:.1e}", "≤ 1e-6") for what, share in worst.items()]  # fmt: skip
    table(rows)


def against_the_run(chosen: dict[str, runs.Run], images: np.ndarray, labels: np.ndarray) -> None:
    """The app's own comparison with the network that was trained, in float32."""
    rows = []
    for name, run in chosen.items():
        worst = dict.fromkeys(QUANTITIES, (0.0, 0.0, 0))
        seconds = []
        for image, label in zip(images, labels, strict=True):
            began = time.perf_counter()
            told = same_step.compare(run, run.moments[-1], image, int(label))["rows"]
            seconds.append(time.perf_counter() - began)
            for quantity, size, difference in told:
                what = quantity if quantity in worst else quantity.split(" of ")[0].split()[-1]
                most, beside, above = worst[what]
                if difference >= most:
                    most, beside = difference, size
                worst[what] = (most, beside, above + (difference > 1e-6))
        for what, (most, beside, above) in worst.items():
            more = f" (largest entry there {beside:.3g}; {above} above 1e-6)"
            rows.append((f"{name}, its own float32: {what}", f"{most:.1e}{more}", "≤ 1e-6"))
        recorded = run.logits(run.moments[-1])
        alone = [same_step.by_keras(run, run.moments[-1], image, int(label))["logits"][0]
                 for image, label in zip(images, labels, strict=True)]  # fmt: skip
        own = float(np.abs(alone - recorded[: len(alone)]).max())
        rows.append((f"{name}: Keras's logits of one digit and of many at once", f"{own:.1e}", "–"))
        middle = f"{statistics.median(seconds[1:]):.3f} s (first {seconds[0]:.1f} s)"
        rows.append((f"{name}: an answer, median", middle, "< 0.1 s"))
    table(rows)


def knock_outs(run: runs.Run, dataset: data.Dataset, repeats: int = 9) -> None:
    """Accuracy on all test digits without units, as the neuron bench asks for it."""
    seconds: dict[str, list[float]] = {}

    @contextlib.contextmanager
    def timed(what: str):
        began = time.perf_counter()
        yield
        seconds.setdefault(what, []).append(time.perf_counter() - began)

    weight = neuron_cut.Weight(3, "in", 400)
    with threadpool_limits(1, "blas"):  # as in the server
        for number in range(repeats):
            at = moment.read(run, run.moments[1 + number % (len(run.moments) - 1)])
            with timed("a network put on the bench"):
                bench = neurons.bench(at.network, dataset.test.images, dataset.test.labels)
            with timed("one unit switched off"):
                bench.after([number]).after.right.mean()
            with timed("three units switched off"):
                bench.after([1, 5, 77]).after.right.mean()
            with timed("each of the 128 units alone"):
                bench.singles  # noqa: B018
            with timed("a pixel's weight edited"):
                bench.after((), {weight: 1.0}).after.right.mean()
    bars = {"one unit switched off": "≤ 0.1 s", "each of the 128 units alone": "≤ 0.3 s"}
    table([
        (f"{what}, accuracy on {len(dataset.test):,}, median of {repeats}",
         f"{statistics.median(found):.3f} s (longest {max(found):.3f})", bars.get(what, "–"))
        for what, found in seconds.items()
    ])  # fmt: skip


SHOWN = "document.querySelector('[data-testid=stMain]').innerText"  # formulas and words


def until_all_shows(page, act) -> float:
    """Seconds from a press until other numbers stand on the page and its script has ended."""
    before = page.evaluate(SHOWN)
    page.evaluate("""['pointerdown', 'keydown'].forEach(kind => document.addEventListener(
        kind, () => (window.pressed = performance.now()), { capture: true, once: true }))""")
    act()
    page.wait_for_function(f"before => ({SHOWN}) !== before", arg=before, polling=5)
    page.wait_for_selector(IDLE)
    seconds = page.evaluate("performance.now() - window.pressed") / 1000
    page.wait_for_timeout(700)
    return seconds


def in_the_browser(folder: Path, chosen: dict[str, runs.Run], repeats: int = 12) -> None:
    """Another digit, unit, epoch or place, until all of the view shows it."""
    dense, cnn = (run.id for run in chosen.values())
    plus = "[data-testid=stNumberInputStepUp]"
    asked = [
        ("One digit", dense, "digit", f".st-key-explained_number {plus}"),
        ("One digit", dense, "unit", f".st-key-neuron_unit_typed {plus}"),
        ("One step", dense, "digit", f".st-key-explained_number {plus}"),
        ("One step", dense, "unit", f".st-key-neuron_unit_typed {plus}"),
        ("Neurons", dense, "unit", ".st-key-neuron_number input"),
        ("Convolution", cnn, "digit", f".st-key-explained_number {plus}"),
        ("Convolution", cnn, "filter", f".st-key-conv_filter {plus}"),
    ]
    views = {"One digit": dense, "One step": dense, "Neurons": dense, "Convolution": cnn}
    asked += [(view, run, "epoch", "") for view, run in views.items()]
    rows = []
    with serve(folder, os.path.abspath(os.environ["MNIST_PATH"])) as (url, _), browse() as page:
        for view, run, what, selector in asked:
            page.goto(f"{url}/explain?explain={view.replace(' ', '+')}&run={run}&unit=3")
            page.locator(".mnist-chart.drawn").nth(2).wait_for()
            page.wait_for_timeout(3000)
            seconds = []
            for number in range(repeats + 2):
                if selector.endswith(plus):
                    act = page.locator(selector).click
                elif selector:  # a field without buttons
                    page.locator(selector).fill(str(40 + number))
                    act = lambda: page.keyboard.press("Enter")  # noqa: E731
                else:
                    page.locator(".st-key-cursor input[type=range]").focus()
                    key = ("ArrowLeft", "ArrowRight")[number % 2]
                    act = lambda key=key: page.keyboard.press(key)  # noqa: E731
                seconds.append(until_all_shows(page, act))
            seconds = seconds[2:]  # the first ones bring code and caches
            rows.append((f"{view}: another {what} until all shows, median of {repeats}",
                         f"{statistics.median(seconds):.2f} s (longest {max(seconds):.2f})",
                         "≤ 0.4 s"))  # fmt: skip
    table(rows)


def main() -> None:
    dataset = data.open_source(os.environ["MNIST_PATH"])
    images = dataset.test.images[:DIGITS]
    labels = dataset.test.labels[:DIGITS].astype(np.int64)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else temporary)
        if len(sys.argv) < 2:
            train(folder)
        chosen = found(folder)
        in_float64(chosen, images, labels)
        print()
        against_the_run(chosen, images, labels)
        print()
        knock_outs(chosen[PRESETS["paper"]], dataset)
        print()
        in_the_browser(folder, chosen)


if __name__ == "__main__":
    main()
