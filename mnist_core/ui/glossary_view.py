"""Glossary: look a term up, read what it means, and go where it is used; needs no run."""

from __future__ import annotations

import streamlit as st

from mnist_core import glossary, wording
from mnist_core.glossary import GLOSSARY, Entry
from mnist_core.ui import filters
from mnist_core.ui.terms import link

WIDTH = 900  # CSS pixels: longer lines are hard to read
PLACE = ("explain", "Glossary")  # itself, which is no place to see a term at work


def glossary_view() -> None:
    """Draw the search, the entry that the address names, and all entries from A to Z."""
    asked = st.text_input(
        "Search the glossary", placeholder="Search: softmax, neuron, how sure …",
        key="glossary_search", label_visibility="collapsed", width=420,
    )  # fmt: skip
    slug = st.query_params.get("term", "")
    if slug in GLOSSARY:
        _large(GLOSSARY[slug])
    elif slug:
        shown = wording.verbatim(slug[:40])
        st.warning(f"“{shown}” is not in the glossary. Search above, or choose one below.")
    if asked.strip():
        _found(asked)
    else:
        _all()
    if slug in GLOSSARY:
        _scroll_up(slug)


def _scroll_up(slug: str) -> None:
    """Let the page begin at its top when another term is chosen.

    A link far down in the list leads to the same page, which would stay where it was scrolled to.
    """
    top = "document.querySelector('[data-testid=\"stMain\"]').scrollTo(0, 0);"
    st.html(f"<script>/* {slug} */ {top}</script>", unsafe_allow_javascript=True)


def _large(entry: Entry) -> None:
    """Draw an entry large, with its related terms and where it is met."""
    with st.container(border=True, key="glossary_entry", width=WIDTH):
        st.subheader(entry.term, anchor=False)
        st.markdown(entry.text)
        if entry.related:
            with _row("related"):
                st.caption("Related", width="content")
                for slug in entry.related:
                    link(GLOSSARY[slug])
        with _row("where"):
            st.caption("Where to see it", width="content")
            for page, view in glossary.places(entry.slug):
                if (page, view) != PLACE:
                    _place(page, view)
            if glossary.is_everywhere(entry.slug):
                st.caption("and the bar at the bottom of every page", width="content")


def _row(name: str):
    return st.container(
        key=f"glossary_{name}", horizontal=True, vertical_alignment="center", gap="small"
    )


def _place(page: str, view: str) -> None:
    """Draw a button that opens a page's view.

    Browse reads its view from the address only when a session starts, and keeps it after that.
    """
    name = filters.SHOWS[view] if page == "browse" else view
    label = f"{page.capitalize()}, {name}" if name else page.capitalize()
    if st.button(f":primary[{label}]", type="tertiary", key=f"where_{page}_{view}"):
        if page == "browse" and "browse_at" in st.session_state:
            st.session_state["browse_at"] |= {"browse_show": view}
        query = {"show" if page == "browse" else page: view} if view else {}
        st.switch_page(f"pages/{page}.py", query_params=query)


def _found(asked: str) -> None:
    """Draw what the search finds, best first."""
    found = glossary.find(asked)
    if not found:
        st.info(f"No term and no explanation has “{wording.verbatim(asked[:40])}”.")
    with st.container(key="glossary_found", width=WIDTH):
        for entry in found:
            _line(entry)


def _all() -> None:
    """Draw all entries, letter by letter."""
    for letter, entries in glossary.by_letter().items():
        with st.container(horizontal=True, key=f"glossary_{letter}", width=WIDTH):
            st.subheader(letter, anchor=False, width=40)
            with st.container():
                for entry in entries:
                    _line(entry)


def _line(entry: Entry) -> None:
    with st.container(gap=None):
        link(entry)
        st.markdown(entry.text)
