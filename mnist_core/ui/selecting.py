"""What one does with the selected images: keep them as a slice, send them on, download them."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core import export, slices, wording
from mnist_core.data import Dataset
from mnist_core.selection import Subset
from mnist_core.ui import chosen
from mnist_core.ui.digit_grid import digit_grid

SHOWN = 300  # of the selected images


def toolbar(found: Subset, taps: bool) -> None:
    """Draw how many images are selected and what can be done with them, or with all found.

    `taps`: whether there is a grid in which taps can select.
    """
    dataset, selected = found.dataset, chosen.ids()
    with st.container(horizontal=True, key="selecting", vertical_alignment="center"):
        st.markdown(
            f"**{wording.count(len(selected))} selected**"
            + ("" if chosen.fits(selected) else ", too many for a link"),
            width="content",
            help=None
            if chosen.fits(selected)
            else f"A link, and so a reload, keeps at most {slices.LARGEST:,} images.",
        )
        st.toggle(
            "Tap to select",
            disabled=not taps,
            key="tapping",
            persist_state="session",
            help="Without it: draw a rectangle with the mouse, Shift-click for a row of digits, "
            "Ctrl-click for one more; with the keyboard Space and Shift with an arrow.",
        )
        with st.popover("Selection"):
            _keep_and_send(found)
        with st.popover("Download"):
            which = Subset(dataset, selected) if len(selected) else found
            _download(which, "selected" if len(selected) else "found")


def selected_grid(dataset: Dataset, on_map: np.ndarray) -> None:
    """Draw the selected images, as far as they fit, each to be opened by a click.

    `on_map` are the ids of the images that the map shows.
    """
    selected = Subset(dataset, chosen.ids())
    here = int(np.isin(selected.ids, on_map).sum())
    st.markdown(
        f"**{wording.count(len(selected), 'image')} selected**"
        + (f", {here} on this map" if here < len(selected) else "")
    )
    if not len(selected):
        st.caption("Draw around digits on the map, and they appear here.")
    shown = selected[:SHOWN]
    digit_grid(
        shown.images,
        captions=shown.captions(),
        selected=shown.position(chosen.opened()),
        on_pick=lambda i: chosen.open_image(shown.ids[i]),
        columns=4,
        cell=46,
        height=230,
        label="Selected images",
        key="selected_grid",
    )
    if len(selected) > SHOWN:
        st.caption(f"The first {SHOWN} are shown.")


def _keep_and_send(found: Subset) -> None:
    selected = chosen.ids()
    with st.container(horizontal=True):
        st.button(
            f"Select all {wording.count(len(found))} found",
            on_click=chosen.select,
            args=(found.ids, True),
            key="select_all",
        )
        st.button("Clear", on_click=chosen.clear, disabled=not len(selected), key="clear_selection")
    st.caption("Look only at these in")
    with st.container(horizontal=True):
        for page in ("evaluate", "mistakes"):
            if st.button(page.capitalize(), disabled=not len(selected), key=f"send_{page}"):
                st.session_state["images"] = chosen.SELECTION
                st.switch_page(f"pages/{page}.py")
    st.text_input(
        "Keep them as a slice named",
        key="slice_name",
        disabled=not len(selected),
        on_change=_keep,
        max_chars=30,
        placeholder="sevens with a bar",
        help="A slice is a set of images with a name. The page's address contains it, and so does "
        "a link.",
    )
    if problem := st.session_state.get("slice_problem"):
        st.error(wording.verbatim(problem))
    for name, held in chosen.kept().items():
        with st.container(horizontal=True, vertical_alignment="center", key=f"slice_{name}"):
            st.markdown(
                f"**{wording.verbatim(name)}** {wording.count(len(held), 'image')}", width="stretch"
            )
            st.button("Select", on_click=chosen.select, args=(held,), key=f"take_{name}")
            st.button("Delete", on_click=chosen.delete, args=(name,), key=f"drop_{name}")


def _keep() -> None:
    """Keep what is selected under the name just typed, or the reason why not."""
    name, problem = st.session_state["slice_name"], None
    if name.strip():
        try:
            chosen.keep(name)
            st.session_state["slice_name"] = ""
        except ValueError as error:
            problem = str(error)
    st.session_state["slice_problem"] = problem


def _download(subset: Subset, which: str) -> None:
    st.caption(f"The {wording.count(len(subset), 'image')} {which}")
    sheet_too_large = len(subset) > export.LARGEST_SHEET
    for title, file, make, disabled in (
        ("Contact sheet (PNG)", "digits.png", export.contact_sheet, sheet_too_large),
        ("Images and labels (.npz)", "digits.npz", export.arrays, False),
        ("Indices and labels (CSV)", "digits.csv", export.table, False),
    ):
        st.download_button(
            title,
            data=lambda make=make: make(subset),
            file_name=file,
            on_click="ignore",
            disabled=disabled or not len(subset),
            help=f"A sheet holds {export.LARGEST_SHEET:,} images." if disabled else None,
            key=f"download_{file}",
            width="stretch",
        )
