"""Which data the app runs on, and on the built-in digits the ways to MNIST."""

from __future__ import annotations

import streamlit as st

from mnist_core import wording
from mnist_core.ui.data_store import data_store


def data_chip() -> None:
    """Show which data the app runs on; on the built-in digits offer the ways to MNIST."""
    store = data_store()
    dataset = store.dataset
    images = wording.count(len(dataset.train) + len(dataset.test))
    if dataset.is_mnist:
        st.badge(f"MNIST {images}", color="green", help="60,000 training and 10,000 test images")
        return
    label = (
        "Built-in sample digits, not MNIST" if dataset.is_built_in else f"{dataset.name} {images}"
    )
    with st.popover(label, icon=":material/science:"):
        data_sources()
    if store.downloading:
        _switch_when_downloaded()


def data_sources() -> None:
    """Offer the ways to MNIST: the download with its progress, a file, and what was refused."""
    store = data_store()
    if store.dataset.is_built_in:
        st.write(
            "These are 1,797 real digits of 8×8 pixels, enlarged to MNIST's form. They are here so "
            "that everything works at once, also without internet."
        )
    if st.button("Download MNIST (11 MB)", disabled=store.downloading):
        store.download()
        st.rerun()
    st.text_input(
        "Or name an .npz file or a folder of IDX files", key="data_path", on_change=_open_named
    )
    if problem := st.session_state.get("data_problem"):
        st.error(wording.verbatim(problem))
    for reason in store.refused:
        st.caption(wording.verbatim(reason))


def _open_named() -> None:
    """Switch to the file just named, or keep the reason why not; runs once a change."""
    path, problem = st.session_state["data_path"].strip(), None
    if path:
        try:
            data_store().open(path)
        except (OSError, ValueError) as error:
            problem = str(error)
    st.session_state["data_problem"] = problem


@st.fragment(run_every=1.0)
def _switch_when_downloaded() -> None:
    """Say how far the download is; when it ends, draw the page again, on MNIST if it is there."""
    store = data_store()
    fraction, text = store.progress
    share = "" if fraction is None else f" {fraction:.0%}"
    st.caption(f"{text or 'Downloading MNIST'}{share}")
    if not store.downloading:
        st.rerun()
