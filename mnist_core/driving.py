"""What viewers do with a run: pause, resume, stop, and whatever else its control level says.

A level holds until it is changed, and the trainer reads it between two chunks; so a press that
comes late, twice, or from two people leaves one clear state: the last command's.
"""

from __future__ import annotations

from typing import Any

from mnist_core import runs
from mnist_core.files import write_json


def set_control(run: runs.Run, **level: Any) -> None:
    """Change what viewers want of a run; the last command wins."""
    with runs.transition(run.path.parent):
        runs.read(run.id, run.path.parent)  # raises where it was deleted
        _set_control(run, **level)


def _set_control(run: runs.Run, **level: Any) -> None:
    old = runs.control(run)
    write_json(run.path / "control.json", old | level | {"revision": old["revision"] + 1})


def stop(run: runs.Run) -> None:
    """End a run: a waiting or paused one at once, a running one at its next chunk."""
    with runs.transition(run.path.parent):
        state = runs.read(run.id, run.path.parent).state
        if state == "running":
            _set_control(run, stop=True)
        elif state in ("queued", "paused"):
            reason = "Stopped while it waited." if state == "queued" else "Stopped by hand."
            runs.update_status(run.path, state="stopped", reason=reason, ended=runs.now())


def pause(run: runs.Run) -> None:
    """Pause a run: a waiting one at once, a running one at its next chunk; others stay so.

    A pause is a checkpoint: the trainer takes the next run, and this one can go on in days.
    """
    with runs.transition(run.path.parent):
        state = runs.read(run.id, run.path.parent).state
        if state == "running":
            _set_control(run, run_until=0)
        elif state == "queued":
            runs.update_status(
                run.path, state="paused", reason="Paused while it waited.", ended=runs.now()
            )


def resume(run: runs.Run, epochs: int = 0, until: int | None = None) -> None:
    """Queue a run again from its last recorded moment, to its planned end or `epochs` beyond.

    With `until`, a step counted from the run's beginning, it pauses there. Raises RunsError when it
    is active, has diverged, or is complete and no epochs are added.
    """
    with runs.transition(run.path.parent):
        run = runs.read(run.id, run.path.parent)
        if run.state not in runs.RESUMABLE:
            raise runs.RunsError(f"A {run.state} run cannot be resumed.")
        if run.state == "completed" and epochs < 1:
            raise runs.RunsError("This run is complete. Say how many epochs to add.")
        if not 0 <= epochs <= 200:
            raise runs.RunsError(f"Expected 1 to 200 more epochs. Received: {epochs}.")
        if len(runs.waiting(run.path.parent)) >= runs.MAX_QUEUE:
            raise runs.RunsError(f"{runs.MAX_QUEUE} runs are waiting already. Wait for one to end.")
        if epochs and not run.steps_per_epoch:
            raise runs.RunsError("This run has not begun. Resume it, then add epochs.")
        planned = run.control["epochs"]
        if epochs:
            # A run that stopped early is complete before its plan.
            reached = run.status.get("step", 0) // run.steps_per_epoch
            planned = epochs + (reached if run.state == "completed" else run.planned_epochs)
        _set_control(run, stop=False, run_until=until, epochs=planned)
        runs.update_status(
            run.path, state="queued", queued=runs.now(), reason=None, ended=None, final_epoch=None
        )
