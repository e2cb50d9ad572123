"""What one keeps of a run: a name and a note, its settings to go on from, and its program."""

from __future__ import annotations

import streamlit as st

from mnist_core import config, export, runs, script, wording
from mnist_core.data import MNIST_FINGERPRINT
from mnist_core.ui import drive, form, frame, resources

LONGEST = 60  # letters of a name


def keep(run: runs.Run) -> None:
    """Draw three buttons beside those of the curves."""
    _name(run)
    st.button(
        "Change one thing",
        icon=":material/tune:",
        key="change_one",
        on_click=_change,
        args=(run,),
        help="Fill the form with this run's settings; what you then change is named, and the two "
        "curves are drawn one behind the other",
    )
    _code(run)


def _name(run: runs.Run) -> None:
    with st.popover("Name and note", icon=":material/edit_note:", key="name_and_note"):
        name, note = f"name_{run.id}", f"note_{run.id}"
        st.text_input("Name", run.title[:LONGEST], max_chars=LONGEST, key=name)
        st.text_area("Note", run.about["note"], max_chars=2000, key=note, height=120)
        st.button("Keep", key="keep_about", on_click=drive.press, args=(_describe, run))


def _describe(run: runs.Run) -> None:
    said = st.session_state
    name = said[f"name_{run.id}"]
    given = "" if name == run.config.title[:LONGEST] else name
    runs.describe(run, given, said[f"note_{run.id}"])
    frame.change_more()


def _change(run: runs.Run) -> None:
    form.fill(run.config, parent=run)
    frame.change_more()


def _code(run: runs.Run) -> None:
    """Offer the program that repeats the run; it is written only once this is opened."""
    with st.popover("Code", icon=":material/code:", key="code", on_change="rerun") as opened:
        if not opened.open:
            return
        try:
            source, notebook = _written(run.id, run.status.get("step"), run.title, run)
        except runs.RunsError as error:
            st.write(str(error))
            return
        st.write(
            "This program needs only Keras and NumPy. On the same machine and versions it gives "
            "this run's figures, in every digit."
        )
        with st.container(horizontal=True):
            st.download_button(
                "Script", source, script.file_name(run), "text/x-python", on_click="ignore",
                icon=":material/download:", key="script",
            )  # fmt: skip
            st.download_button(
                "Notebook", notebook, script.file_name(run, "ipynb"), "application/x-ipynb+json",
                on_click="ignore", icon=":material/download:", key="notebook",
            )  # fmt: skip
            if run.dataset.get("fingerprint") != MNIST_FINGERPRINT:
                _data(run)
        st.code(source, language="python", height=320)


def _data(run: runs.Run) -> None:
    """Offer the data that the program needs where they are not MNIST, which Keras can load."""
    try:
        dataset = resources.dataset_of(run)
    except runs.RunsError as error:
        st.caption(wording.verbatim(str(error)))
        return
    st.download_button(
        "Its data", export.as_npz(dataset), "data.npz", "application/octet-stream",
        on_click="ignore", icon=":material/download:", key="script_data",
    )  # fmt: skip


@st.cache_data(max_entries=8, show_spinner=False)
def _written(run_id: str, step: int, title: str, _run: runs.Run) -> tuple[str, str]:
    return script.as_script(_run), script.as_notebook(_run)


def from_parent(run: runs.Run) -> None:
    """Say of which run this one changes something, and what; and show its note."""
    if run.parent:
        try:
            other = runs.read(run.parent)
        except runs.RunsError:
            pass
        else:
            said = "; ".join(config.differences(run.config, other.config)) or "nothing changed"
            st.caption(f"Compared with **{wording.verbatim(other.title)}**: {said}.")
    if run.about["note"]:
        st.caption(f"Note: {wording.verbatim_lines(run.about['note'])}")
