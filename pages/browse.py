"""Browse: know the data before training on them."""

import streamlit as st

from mnist_core import selection, wording
from mnist_core.ui import (
    chosen,
    dataset_cache,
    filters,
    frame,
    opened,
    paging,
    resources,
    selecting,
)
from mnist_core.ui.chart import load_plotly
from mnist_core.ui.class_view import class_view
from mnist_core.ui.copies_view import copies_view
from mnist_core.ui.digit_grid import digit_grid
from mnist_core.ui.digit_map import digit_map

PAGE_SIZE = 120
GRID_HEIGHT, MAP_HEIGHT = 372, 372  # CSS pixels: above the bar of a projector's 720


def digits(found):
    """Draw a page of the images found, with those selected; return the page's images."""
    with st.container(horizontal=True, key="found", vertical_alignment="center"):
        st.markdown(f"**{wording.count(len(found), 'image')}**", width="stretch")
        shown = paging.page_of(found, PAGE_SIZE, key="browse_page")
    if not len(found):
        st.info(filters.why_nothing(st.session_state["view"], dataset))
        st.button("Show all images", on_click=filters.show_all, key="show_all")
    digit_grid(
        shown.images,
        captions=shown.captions(),
        selected=shown.position(chosen.opened()),
        on_pick=lambda i: chosen.open_image(shown.ids[i]),
        chosen=shown.positions(chosen.ids()),
        on_choose=lambda positions: chosen.select_among(shown.ids, positions),
        tapping=st.session_state.get("tapping", False),
        cell=52,
        label="Images",
        height=GRID_HEIGHT,
        key="browse_grid",
    )
    return shown


def selected():
    """Draw the selected images beside the map."""
    selecting.selected_grid(dataset, dataset_cache.map_sample(view.split).ids)


frame.page_starts()

dataset = resources.dataset()
filters.enter()
with frame.title("Browse", "Look at the digits before a network does."):
    show = filters.choose_show()
notices = st.container(key="browse_notices")

if show in ("digits", "map"):
    view = filters.choose()
    found = selection.arrange(dataset, view, dataset_cache.all_traits, chosen.current())
    filters.settle(view, found)
    picture, beside = st.columns([3, 2], gap="medium")
    with picture:
        if show == "digits":
            shown = digits(found)
        else:
            found = shown = found.among(dataset_cache.map_sample(view.split).ids)
            digit_map(found, view.split, chosen.opened_of(shown), MAP_HEIGHT)
        selecting.toolbar(found, taps=show == "digits")
    number = chosen.opened_of(shown)
    with beside:
        if number is not None:
            one = selection.one_image(dataset, number)
            opened.panel(one, found, PAGE_SIZE, selected if show == "map" else None)
elif show == "classes":
    class_view(dataset)
else:
    copies_view(dataset)
chosen.show_problems(notices)
filters.leave()
load_plotly()
