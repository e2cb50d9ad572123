"""What all sessions share: the answering process asked once more when it was gone."""

from concurrent.futures import Future
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import streamlit as st
from loky.process_executor import TerminatedWorkerError
from threadpoolctl import threadpool_info

from mnist_core import runs, workers
from mnist_core.ui import frame, resources


def future(outcome):
    done = Future()
    done.set_exception(outcome) if isinstance(outcome, Exception) else done.set_result(outcome)
    return done


@pytest.fixture
def answers(monkeypatch):
    """Outcomes of the next questions to the answering process, first first."""
    outcomes = []
    st.cache_resource.clear()
    monkeypatch.setattr(workers, "ask", lambda *question: future(outcomes.pop(0)))
    return outcomes


IMAGE = np.zeros((28, 28), np.uint8)
RUN = SimpleNamespace(id="20261122-123000-abcd", path=Path("somewhere"))


def test_a_process_that_was_killed_while_idle_is_asked_again(answers):
    answers += [TerminatedWorkerError("killed"), np.log([[0.1] * 9 + [0.1]])]
    np.testing.assert_allclose(resources.ask_probabilities(RUN, 1.0, IMAGE), np.full(10, 0.1))
    assert not answers


@pytest.mark.parametrize("second", [TerminatedWorkerError("killed"), MemoryError()])
def test_a_process_that_is_killed_twice_is_an_error_that_says_what_to_do(second, answers):
    answers += [TerminatedWorkerError("killed"), second]
    with pytest.raises(runs.RunsError, match="Ask again"):
        resources.ask_probabilities(RUN, 1.0, IMAGE)


def test_what_the_answering_process_says_itself_is_passed_on(answers):
    answers.append(runs.RunsError("No readable weights of epoch 1."))
    with pytest.raises(runs.RunsError, match="No readable weights"):
        resources.ask_probabilities(RUN, 1.0, IMAGE)


@pytest.mark.parametrize(
    ("zone", "shown"),
    [("Europe/Berlin", "2026-11-22 13:30"), ("America/New_York", "2026-11-22 07:30"),
     (None, "2026-11-22 12:30"), ("Nowhere/Never", "2026-11-22 12:30"), ("", "2026-11-22 12:30")],
)  # fmt: skip
def test_a_run_is_listed_with_the_time_on_the_viewers_clock(zone, shown, monkeypatch):
    monkeypatch.setattr(type(st.context), "timezone", zone)
    run = SimpleNamespace(id="20261122-123000-abcd")
    expected = datetime.strptime(shown, "%Y-%m-%d %H:%M")
    assert frame._viewers_time(run).replace(tzinfo=None) == expected


def test_the_server_computes_with_one_thread():
    pools = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert pools and set(pools) == {1}
