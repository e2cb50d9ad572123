"""The same work without a browser: python -m mnist_core train | list | evaluate | work."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import Timeout

from mnist_core import data, runs, workers
from mnist_core.config import TrainConfig
from mnist_core.evaluation import Evaluation
from mnist_core.presets import PRESETS, preset


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m mnist_core", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train a run and record it")
    train.add_argument("--preset", choices=PRESETS, default="paper")
    train.add_argument("--epochs", type=int)
    train.add_argument("--seed", type=int)
    train.add_argument("--learning-rate", type=float)
    train.add_argument("--batch-size", type=int)
    train.add_argument("--training-size", type=int)
    train.add_argument("--data", help="an .npz file or a folder of IDX files")
    work = commands.add_parser("work", help="be the trainer of a runs folder (the app starts it)")
    work.add_argument("--parent", type=int, help="leave when this process is gone")
    work.add_argument("--warm-after", type=float, default=0.0)
    work.add_argument("--source", help="data to have ready")
    listing = commands.add_parser("list", help="list the runs")
    evaluate = commands.add_parser("evaluate", help="show a run's test figures")
    evaluate.add_argument("run", help="the id of a run")
    evaluate.add_argument("--epoch", type=float, help="a recorded moment; default: the last")
    for command in (train, work, listing, evaluate):
        command.add_argument("--runs", type=Path, default=runs.runs_folder(), help="runs folder")
    for command in (train, listing, evaluate):
        command.add_argument("--json", action="store_true", help="end with one line of JSON")
    return parser.parse_args()


def _config(options: argparse.Namespace) -> TrainConfig:
    names = ("epochs", "seed", "learning_rate", "batch_size", "training_size")
    given = {name: getattr(options, name) for name in names}
    changes = {name: value for name, value in given.items() if value is not None}
    return replace(preset(options.preset), **changes).validate()


class ProgressBar:
    """One line on the terminal, rewritten for every report; a line an epoch where there is none."""

    def __init__(self, config: TrainConfig):
        self.epochs = config.epochs
        self.terminal = sys.stderr.isatty()

    def __call__(self, line: dict[str, Any]) -> None:
        if line["kind"] == "epoch" and line["epoch"]:
            end = "\n" if not self.terminal else "\033[K\n"
            print(
                f"\repoch {line['epoch']:.0f}/{self.epochs}  loss {line['loss']:.4f}  accuracy "
                f"{line['accuracy']:.2%}  val loss {line['val_loss']:.4f}  val accuracy "
                f"{line['val_accuracy']:.2%}  {line['seconds']:.1f} s",
                end=end, file=sys.stderr, flush=True,
            )  # fmt: skip
        elif line["kind"] == "step" and self.terminal:
            done = line["epoch"] / self.epochs
            bar = "█" * round(30 * done) + "░" * (30 - round(30 * done))
            print(
                f"\r{bar} {done:4.0%}  epoch {line['epoch']:.2f}  loss {line['loss']:.4f}  "
                f"{line['images_per_second']:,} images/s",
                end="\033[K", file=sys.stderr, flush=True,
            )  # fmt: skip


def train(options: argparse.Namespace) -> int:
    """Train here, or, where the app's trainer already works on this folder, follow it."""
    config = _config(options)
    dataset = data.open_source(options.data) if options.data else data.load()
    for reason in dataset.refused:
        print(reason, file=sys.stderr)
    print(f"{config.title}: {config.parameters:,} parameters on {dataset.name}", file=sys.stderr)
    run = runs.create(config, dataset.describe(), options.runs)
    try:
        run = _train_or_follow(run, dataset, ProgressBar(config))
    except KeyboardInterrupt:
        print("\nInterrupted; what was recorded is kept.", file=sys.stderr)
        return 130
    print(f"{run.state}: {run.id}" + _reason(run), file=sys.stderr)
    if options.json:
        last = Evaluation(dataset.test.labels, run.logits(run.moments[-1])) if run.moments else None
        history = run.history()
        result = {
            "run_id": run.id,
            "state": run.state,
            "seconds": run.status.get("seconds"),
            "val_accuracy": history["val_accuracy"][-1] if history["val_accuracy"] else None,
            "val_loss": history["val_loss"][-1] if history["val_loss"] else None,
            "test_accuracy": last.accuracy if last else None,
            "history": history,
        }
        print(json.dumps(_finite(result)))
    return 0 if run.state == "completed" else 1


def _train_or_follow(run: runs.Run, dataset: data.Dataset, report: ProgressBar) -> runs.Run:
    """Train a queued run here, or report what another trainer does; return it at its end."""
    root, seen = run.path.parent, 0
    while True:
        with contextlib.suppress(Timeout), workers.trainer_lock(root):
            runs.settle(root)
            if claimed := runs.claim(root, run.id):
                return workers.train_claimed(claimed, {dataset.source: dataset}, report=report)
        run = runs.read(run.id, root)
        for line in run.metrics.iloc[seen:].to_dict("records"):
            report(line)
        seen = len(run.metrics)
        if not run.active:
            return run
        time.sleep(0.2)


def _finite(value: Any) -> Any:
    """Return the same data with NaN and infinity, which JSON does not have, as null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _reason(run: runs.Run) -> str:
    return f" ({run.status['reason']})" if run.status.get("reason") else ""


def list_(options: argparse.Namespace) -> int:
    """Print a line a run, newest first."""
    rows = []
    for run in runs.list_runs(options.runs):
        best = run.history()["val_accuracy"]
        rows.append(
            {
                "run_id": run.id,
                "state": run.state,
                "name": run.title,
                "epoch": run.moments[-1] if run.moments else None,
                "val_accuracy": best[-1] if best else None,
            }
        )
    if options.json:
        print(json.dumps(_finite(rows)))
    else:
        for row in rows:
            accuracy = "      –" if row["val_accuracy"] is None else f"{row['val_accuracy']:7.2%}"
            print(f"{row['run_id']}  {row['state']:<11}  {accuracy}  {row['name']}")
        if not rows:
            print(f"No runs in {options.runs} yet: python -m mnist_core train", file=sys.stderr)
    return 0


def evaluate(options: argparse.Namespace) -> int:
    """Print a run's test figures at a recorded moment."""
    run = runs.read(options.run, options.runs)
    if not run.moments:
        raise runs.RunsError(f"Nothing is recorded of run {run.id} yet.")
    moment = run.moments[-1] if options.epoch is None else options.epoch
    dataset = data.open_source(run.dataset.get("source", "nowhere: the run does not say"))
    if dataset.fingerprint != run.dataset.get("fingerprint"):
        raise runs.RunsError(f"{dataset.source} is not what the run was trained on.")
    evaluation = Evaluation(dataset.test.labels, run.logits(moment))
    scores = evaluation.per_class()
    if options.json:
        result = {
            "run_id": run.id,
            "epoch": moment,
            "test_accuracy": evaluation.accuracy,
            "test_loss": evaluation.loss,
            "errors": int((~evaluation.right).sum()),
            "confusion": evaluation.confusion.tolist(),
            "per_class": scores.reset_index().to_dict("list"),
        }
        print(json.dumps(_finite(result)))
    else:
        errors = int((~evaluation.right).sum())
        print(f"{run.title}, epoch {moment:g}, {len(dataset.test):,} test images")
        print(f"accuracy {evaluation.accuracy:.2%}, loss {evaluation.loss:.4f}, {errors:,} errors")
        print(scores.to_string(float_format="{:.4f}".format))
    return 0


def work(options: argparse.Namespace) -> int:
    """Be the trainer."""
    workers.work(options.runs, options.parent, options.warm_after, options.source)
    return 0


def main() -> int:
    options = _arguments()
    command = {"train": train, "work": work, "list": list_, "evaluate": evaluate}[options.command]
    try:
        return command(options)
    except (ValueError, runs.RunsError, OSError) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
