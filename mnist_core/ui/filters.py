"""The filters and the order of Browse: widgets, session and URL say the same View."""

from __future__ import annotations

import re

import streamlit as st

from mnist_core import wording
from mnist_core.data import Dataset
from mnist_core.maps import METHODS
from mnist_core.selection import Subset
from mnist_core.ui import chosen, url
from mnist_core.view import LARGEST_SEED, ORDERS, READERS, SPLITS, View, range_text, read_range

SHOWS = {"digits": "Digits", "map": "Map", "classes": "Classes", "copies": "Before training"}
# What else is in the URL: name there, key of the widget, what it can be; the first is the default.
PLACES = {"show": ("browse_show", tuple(SHOWS)), "map": ("map_method", tuple(METHODS))}


def enter() -> None:
    """Take view, tab and page from the link when the session starts; then fill the widgets."""
    state = st.session_state
    if "view" not in state:
        state["view"], problems = View.from_query(st.query_params)
        state["link_problems"] = [*state["link_problems"], *problems]
        state["browse_at"] = {
            key: options[0] if (asked := st.query_params.get(name)) not in options else asked
            for name, (key, options) in PLACES.items()
        }
        if re.fullmatch("[0-9]{2}", pair := st.query_params.get("pair", "")) and len(set(pair)) > 1:
            state["class_pair"] = (int(pair[0]), int(pair[1]))
        page = st.query_params.get("page", "")
        known = page.isascii() and page.isdecimal() and len(page) < 6
        state["browse_at"]["browse_page"] = max(1, int(page)) if known else 1
    # Widgets that were not drawn last time, here or on another page, have lost their values.
    if "browse_split" not in state:
        fill(state["view"])
    for key, value in state["browse_at"].items():
        state.setdefault(key, value)


def fill(view: View) -> None:
    """Make the widgets say a view; before they are drawn, or in a callback."""
    st.session_state.update(
        browse_split=view.split,
        browse_labels=list(view.digits),
        browse_order=view.order,
        browse_seed=view.seed,
        browse_range=range_text(view.first, view.last),
        browse_ink=view.ink,
    )


def show_all() -> None:
    """Clear every filter; split and order stay."""
    view = st.session_state["view"]
    fill(View(split=view.split, order=view.order, seed=view.seed))
    st.session_state.update(images="", link_problems=[])


def choose_show() -> str:
    """Draw the choice between the pictures of the page and return the chosen one."""
    return st.segmented_control(
        "Show",
        list(SHOWS),
        format_func=SHOWS.get,
        required=True,
        key="browse_show",
        label_visibility="collapsed",
    )


def choose() -> View:
    """Draw the filters in one row and return what they say."""
    bare = {"label_visibility": "collapsed"}
    with st.container(horizontal=True, key="filters", vertical_alignment="center"):
        split = st.segmented_control("Split", SPLITS, required=True, key="browse_split", **bare)
        labels = st.pills("Digits", range(10), selection_mode="multi", key="browse_labels", **bare)
        order = st.selectbox(
            "Order",
            list(ORDERS),
            format_func=ORDERS.get,
            key="browse_order",
            width=160,
            **bare,
        )
        seed = st.session_state["view"].seed
        st.session_state.setdefault("browse_seed", seed)
        if order == "shuffled":
            seed = st.number_input(
                "Seed",
                0,
                LARGEST_SEED,
                key="browse_seed",
                width=110,
                icon=":material/casino:",
                **bare,
            )
        view = st.session_state["view"]
        more = view.first or view.last is not None or view.ink != (0, 100)
        more = more or chosen.current() is not None
        with st.popover("More filters" + (" ●" if more else "")):
            bounds = _choose_range()
            ink = st.slider(
                "Share of pixels with strong ink (%)",
                0,
                100,
                key="browse_ink",
                help="Strong ink: 128 of 255 or more. Most digits have 5 to 25 %.",
            )
            chosen.choose_images("all images")
            st.button("Clear filters", on_click=show_all, key="clear_filters")
            st.caption(
                "Orders: an image is **typical** when it is near the mean of its class (the first "
                "of each digit, then the second of each); **thick** by the width of its stroke; "
                "**slanted** by how far it leans to either side. **Shuffled** depends on the seed."
            )
        if chosen.current() is not None:
            st.button("Chosen images only: show all", key="show_every", on_click=chosen.show_every)
    return View(split, tuple(sorted(labels)), *bounds, ink, order, int(seed))


def _choose_range() -> tuple[int, int | None]:
    """Draw the field for an index or a range; what is no range filters nothing and says so."""
    text = st.text_input(
        "Index or range", key="browse_range", placeholder="12 or 100-199", max_chars=30
    )
    try:
        bounds = read_range(text)
    except ValueError as error:
        st.error(f"“{wording.verbatim(text)}”: {error}")
        return 0, None
    read = range_text(**bounds)
    if read != text.strip():
        st.caption(f"Read as {read}")
    return bounds["first"], bounds["last"]


def settle(view: View, found: Subset) -> None:
    """After another choice begin at its first page, and close what it does not contain."""
    state = st.session_state
    now = (view, state["images"])
    if now == state.get("browse_seen", (state["view"], state["images"])):
        state["browse_seen"] = now
        return
    state.update(view=view, browse_seen=now, browse_page=1, link_problems=[])
    if found.position(state["opened"]) is None:
        state["opened"] = None


def why_nothing(view: View, dataset: Dataset) -> str:
    """Return why a view shows no image."""
    last = len(dataset.test if view.split == "test" else dataset.train) - 1
    if view.first > last:
        which = "Both sets have" if view.split == "both" else f"The {view.split} set has"
        return f"No image passes these filters. {which} images 0 to {last:,}."
    return "No image passes these filters."


def leave() -> None:
    """Remember what is shown for the next visit, and write it into the URL."""
    state = st.session_state
    at = {key: state.get(key, value) for key, value in state["browse_at"].items()}
    state["browse_at"] = at
    query = state["view"].to_query()
    query |= {name: at[key] for name, (key, options) in PLACES.items() if at[key] != options[0]}
    query |= {"page": str(at["browse_page"])} if at["browse_page"] > 1 else {}
    query |= {"pair": "{}{}".format(*state["class_pair"])} if "class_pair" in state else {}
    for name in (*READERS, *PLACES, "page", "pair"):
        url.write(name, query.get(name))
    chosen.to_url()
