"""The page's address says what is shown, so that a link shows the same."""

from __future__ import annotations

import streamlit as st


def write(name: str, value: str | list[str] | None) -> None:
    """Say something in the address; nothing (None, "", []) takes the name out.

    What stands there already is not sent again: each change is a message to the browser.
    """
    if not value:
        st.query_params.pop(name, None)
    elif st.query_params.get_all(name) != (value if isinstance(value, list) else [value]):
        st.query_params[name] = value
