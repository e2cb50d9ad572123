"""Paging through indices, the same on every screen with a grid."""

from __future__ import annotations

import numpy as np
import streamlit as st


def page_of(index: np.ndarray, size: int, key: str) -> np.ndarray:
    """Draw the pages and return the part of `index` (N,) on the chosen one, at most `size` long."""
    pages = max(1, -(-len(index) // size))
    if st.session_state.get(key, 1) > pages:
        st.session_state[key] = 1
    page = st.pagination(pages, key=key) if pages > 1 else 1
    return index[(page - 1) * size : page * size]
