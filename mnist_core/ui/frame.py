"""What every screen shares: navigation, which data, which run, which epoch.

The run and the epoch live in the session and in the URL (?run=…&epoch=…), so a link shows the
same and a page switch keeps them. No epoch in the URL means "the latest", and follows a live run.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from mnist_core import runs, wording
from mnist_core.ui import chosen, resources, url
from mnist_core.ui.data_chip import data_chip
from mnist_core.ui.epoch_cursor import epoch_cursor
from mnist_core.ui.terms import terms

# In the order of the story. Without icons: a material icon here is also fetched from the internet
# as the browser tab's.
PAGES = ("home", "browse", "train", "evaluate", "mistakes", "draw", "explain")
# The bar at the bottom is as low as a player's, and has two rows on a phone, where a picture comes
# before its controls. Without these rules everything still works, a little larger.
STYLE = """<style>
[data-testid="stBottomBlockContainer"] { padding-top: 0.5rem; padding-bottom: 0.75rem; }
@media (min-width: 641px) {
  [data-testid="stMainBlockContainer"], [data-testid="stBottomBlockContainer"] {
    padding-left: 3rem; padding-right: 3rem;
  }
}
[data-testid="stLayoutWrapper"]:has(> .st-key-terms) { margin-left: auto; }
@media (min-width: 641px) { [data-testid="stLayoutWrapper"]:has(> .st-key-terms) { order: 1; } }
/* Among many terms a link is a word; on its own page it would look like a pressed button. */
:is(.st-key-terms_list, [class*="st-key-glossary_"]) [data-testid="stPageLink-NavLink"] {
  background: none; padding-left: 0; padding-right: 0;
}
/* Its "Stop" would stand beside the run's own. */
[data-testid="stStatusWidget"] { display: none; }
@media (max-width: 640px) {
  .stElementContainer.st-key-picked_run { flex: 1 1 9rem; width: 9rem; min-width: 9rem; }
  .st-key-browse_labels button { padding-left: 9px; padding-right: 9px; }
  .st-key-picture_first > [data-testid="stLayoutWrapper"] > [data-testid="stHorizontalBlock"] {
    flex-direction: column-reverse;
  }
}
</style>"""
STALE_SECONDS = 2.0  # sooner after a press nobody picks another run
STATE_MARKS = {
    "queued": "…", "running": "●", "paused": "‖", "completed": "✓", "stopped": "■",
    "diverged": "✗", "failed": "✗", "interrupted": "!",
}  # fmt: skip


def navigation():
    """Declare the pages and return the one to run; also what switches off the legacy mode."""
    pages = [
        st.Page(f"pages/{name}.py", title=name.capitalize(), default=name == "home")
        for name in PAGES
    ]
    return st.navigation(pages, position="top")


def page_starts() -> None:
    """Call first on every page: a first visit to a deep link must go through app.py's frame.

    Streamlit runs a page of pages/ alone, without app.py, until the session has declared its
    navigation; then this declares it and starts again. URL and query survive.
    """
    if not st.session_state.get("frame"):
        navigation()
        st.rerun()


def title(name: str, sentence: str):
    """Draw a page's title and the sentence that says what it is for, in one row where it fits.

    Returns the row's container. "Terms" stands at its end, on a phone beside the title.
    """
    row = st.container(horizontal=True, vertical_alignment="bottom", key="title")
    with row:
        st.title(name, width="content", anchor=False)
        terms(name.lower() if name.lower() in PAGES else "home")
        st.caption(sentence, width="content")
    return row


def view(names: Sequence[str], key: str) -> str:
    """Draw the choice between a page's pictures, named in the URL by `key`, and return it."""
    return st.segmented_control(
        "Show",
        names,
        default=names[0],
        required=True,
        key=key,
        bind="query-params",
        label_visibility="collapsed",
    )


def page_link(name: str, label: str, **style) -> None:
    st.page_link(f"pages/{name}.py", label=label, **style)


def run_changed(run_id: str | None, epoch: str | None = None) -> None:
    """Make a run (None: the newest) and one of its moments (None: the latest) the current one."""
    st.session_state["run"], st.session_state["epoch"] = run_id, epoch


def wanted_run() -> dict[str, str]:
    """Return where a button leaves the run that it made: {"run": id}, until the frame plays it.

    A plain dict of the session. Every access to the session's state is a place where a newer rerun
    may interrupt a button's function; writing into this is not.
    """
    return st.session_state.setdefault("wanted_run", {})


def change_more() -> None:
    """Call in the callback of a fragment's button that changes more of the page than it."""
    st.session_state["changed_more"] = True


def draw_more() -> None:
    """Call first in a fragment with such buttons, or such that name another run: draw all anew."""
    if st.session_state.pop("changed_more", False) or wanted_run():
        st.rerun()


def _from_url() -> None:
    """Take run and epoch from the URL when the session starts."""
    if "run" not in st.session_state:
        run_changed(st.query_params.get("run"), st.query_params.get("epoch"))


def _to_url() -> None:
    for name in ("run", "epoch"):
        url.write(name, st.session_state.get(name))


def current_run() -> runs.Run | None:
    """Return the run that the screens play, or None when there is none."""
    return st.session_state.get("_current")


def all_runs() -> list[runs.Run]:
    """Return all runs, newest first."""
    return st.session_state["_runs"]


def current_data() -> str | None:
    """Return the fingerprint of the data that the current run was trained on, or None."""
    run = current_run()
    return run and run.dataset.get("fingerprint")


def current_moment() -> float | None:
    """Return the recorded moment under the epoch cursor, or None when nothing is recorded."""
    run = current_run()
    if run is None or not run.moments:
        return None
    asked = st.session_state.get("epoch")
    if asked is None:
        return run.final
    return min(run.moments, key=lambda moment: abs(moment - float(asked)))


def resolve() -> list[runs.Run]:
    """Find the current run in session and URL; say so when it is not there. Returns all runs."""
    # A place of its own: what comes and goes above a chart would otherwise mount it anew.
    notice = st.container(key="notice")
    _from_url()
    if wanted := wanted_run():
        run_changed(wanted["run"])
        wanted.clear()
        st.session_state["run_made_at"] = time.monotonic()
    resources.settle_dataset()
    chosen.arrive()
    chosen.to_url()
    found = runs.list_runs()
    asked = st.session_state.get("run")
    current = next((run for run in found if run.id == asked), None)
    if asked is not None and current is None:
        try:
            current = runs.read(asked)  # newer than the list
        except runs.RunsError as error:
            instead = " The newest run is shown instead." if found else ""
            notice.warning(wording.verbatim(str(error)) + instead)
            run_changed(None)
    if current is None and found:
        current = next((run for run in found if run.moments or run.active), found[0])
        st.session_state["run"] = current.id
    asked = st.session_state.get("epoch")
    if asked is not None:
        try:
            known = math.isfinite(float(asked))
        except ValueError:
            known = False
        if not known:
            text = wording.verbatim(asked[:20])
            notice.warning(f"“{text}” is not an epoch. The latest is shown.")
            st.session_state["epoch"] = None
    st.session_state.update(_current=current, _runs=found)
    return found


def run_label(run: runs.Run) -> str:
    """A line for lists: state, name, accuracy, time."""
    accuracy = run.status.get("test_accuracy")
    figure = f" · {wording.percent(accuracy)}" if accuracy is not None else ""
    when = _viewers_time(run).strftime("%m-%d %H:%M:%S")
    return f"{STATE_MARKS[run.state]} {run.title}{figure} · {when}"


def _picked(known: tuple[str, ...]) -> None:
    """Play the run just picked.

    The browser names a run by its label. A label that has changed since, because its run ended,
    comes back as that text and looks like a choice. And for a moment after a button has made a run
    the browser may still send the one that it showed before.
    """
    if time.monotonic() - st.session_state.get("run_made_at", -STALE_SECONDS) < STALE_SECONDS:
        return
    if (picked := st.session_state["picked_run"]) in known:
        run_changed(picked)


def _viewers_time(run: runs.Run) -> datetime:
    """Return when a run was queued, in the time zone of the browser where that is known."""
    queued = datetime.strptime(run.id[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    with contextlib.suppress(ZoneInfoNotFoundError, ValueError, TypeError):
        return queued.astimezone(ZoneInfo(st.context.timezone))
    return queued


def run_labels(listed: list[runs.Run]) -> dict[str, str]:
    """Return id -> label; the browser knows options by their labels, so no two may be equal."""
    labels = {run.id: run_label(run) for run in listed}
    often = Counter(labels.values())
    return {
        run_id: f"{label} ({run_id[-4:]})" if often[label] > 1 else label
        for run_id, label in labels.items()
    }


def transport(found: list[runs.Run]) -> None:
    """Draw the bar at the bottom: data, run picker and epoch cursor."""
    run = current_run()
    st.html(STYLE)
    with st.bottom, st.container(key="transport", horizontal=True, vertical_alignment="center"):
        data_chip()
        if run is None:
            st.caption("No run yet: train one, and it can be played back here.")
            return
        labels = run_labels([run, *found])
        st.session_state["picked_run"] = run.id
        st.selectbox(
            "Run",
            list(labels),
            format_func=labels.get,
            key="picked_run",
            on_change=_picked,
            args=(tuple(labels),),
            label_visibility="collapsed",
            width=330,
        )
        moments, moment = run.moments, current_moment()
        epochs = [wording.epoch(value) for value in moments]
        index = moments.index(moment) if moments else 0
        with st.container(key="cursor", width="stretch"):
            caption = f"epoch {{label}} of {run.planned_epochs}"
            picked = epoch_cursor(epochs, index, key="epoch_cursor", caption=caption)
        if moments and picked != index:
            # The final moment is "the latest": it follows a live run.
            is_final = moments[picked] == run.final
            st.session_state["epoch"] = None if is_final else epochs[picked]
    _to_url()
