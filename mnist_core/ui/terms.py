"""The button "Terms" in every title's row: the terms of this page and view, each with its link."""

from __future__ import annotations

import streamlit as st

from mnist_core.glossary import GLOSSARY, OF_VIEW, Entry

# Where the session keeps which view a page shows, if not under the page's name.
VIEW_KEYS = {"browse": "browse_show"}


def link(entry: Entry) -> None:
    """Draw a link to the term's entry; the run and the epoch stay, as the frame keeps them."""
    query = {"explain": "Glossary", "term": entry.slug}
    label = f":primary[{entry.term}]"
    st.page_link("pages/explain.py", label=label, icon="", query_params=query)


def terms(page: str, view: str = "") -> None:
    """Draw the button for a page and one of its views ("": the one that the page shows)."""
    key = f"terms_{page}"
    if st.session_state.get(key):  # a link in it was followed: the browser would leave it open
        st.session_state[key] = False
    with st.container(key="terms", width="content"):
        _menu(page, view, key)


@st.fragment
def _menu(page: str, view: str, key: str) -> None:
    """Draw the button; what it opens is made, and sent, only when it is opened.

    The page's view is asked for then, too: a title is drawn before the choice of the view.
    """
    menu = st.popover("Terms", type="tertiary", on_change="rerun", key=key)
    if not menu.open:
        return
    view = view or st.session_state.get(VIEW_KEYS.get(page, page)) or ""
    with menu, st.container(key="terms_list", gap="small"):
        for slug in OF_VIEW[page, view]:
            with st.container(gap=None):
                link(GLOSSARY[slug])
                st.caption(GLOSSARY[slug].sentences[0])
