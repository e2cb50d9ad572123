"""The feature maps of every layer of a network for images, and what pooling does to one of them."""

from __future__ import annotations

from functools import partial
from typing import Any

import streamlit as st

from mnist_core import convolution_equations, wording
from mnist_core import convolution_figures as figures
from mnist_core.moment import Moment
from mnist_core.receptive import Stage
from mnist_core.ui import chapters
from mnist_core.ui import convolution_chosen as chosen
from mnist_core.ui.chart import chart
from mnist_core.ui.convolution_chosen import Place
from mnist_core.ui.stage_words import after, kind_of

HEIGHT = 290  # CSS pixels of the pictures side by side
MOST_MAPS = 64  # of a layer
ROW_OF_MAPS = 76  # CSS pixels


def maps_chapter(at: Moment, values: list, found: list[Stage], place: Place) -> None:
    """Draw the maps that each stage puts out; a click looks at one, and at a place of it."""
    chapters.heading(3, "Feature maps of every layer")
    convolutions = [stage for stage in found if not stage.pooling]
    pools = [stage for stage in found if stage.pooling]
    pooled = chosen.pool(pools, values, place) if pools else None
    for number, stage in enumerate(found):
        maps = stage.maps(values)
        rows, columns, count = maps.shape
        shown = maps[..., :MOST_MAPS]
        wide = figures.columns_of(shown.shape[2])
        some = wording.count(count, "map")
        some = some if count <= MOST_MAPS else f"the first {MOST_MAPS} of {some}"
        now = pooled if stage.pooling else place
        here = now is not None and now.stage == stage

        def pick(click: dict[str, Any], stage=stage, shape=shown.shape, wide=wide) -> None:
            if hit := figures.clicked_map(click["x"], click["y"], shape, wide):
                if stage.pooling:
                    chosen.look_at_pool(pools.index(stage), *hit)
                else:
                    chosen.look_at(convolutions.index(stage), *hit)

        chart(
            figures.maps(
                shown, f"{stage.name}: {some} of {rows}×{columns}{after(at, stage)}",
                kind_of(at, stage.end), columns=wide, chosen=now.map if here else None,
                place=(now.row, now.column) if here else None,
            ),
            key=f"conv_maps_{number}",
            height=38 + ROW_OF_MAPS * -(-shown.shape[2] // wide),
            on_click=pick,
        )  # fmt: skip
    st.caption("One scale for each layer. A click chooses the map and the place.")


def pooling_chapter(at: Moment, values: list, found: list[Stage], looked_at: Place) -> None:
    """Draw a square and what pooling makes of it, or say what halves the image instead."""
    chapters.heading(4, "Pooling")
    pools = [stage for stage in found if stage.pooling]
    if not pools:
        st.write(_without_pooling(at, values, found))
        return
    place = chosen.pool(pools, values, looked_at)
    stage, layer = place.stage, at.network[place.stage.begin]
    side = layer.arguments["pool_size"]
    top, left = side * place.row, side * place.column
    square = stage.ahead(values)[top : top + side, left : left + side, place.map]
    if len(pools) > 1:
        names = [each.name for each in pools]
        st.session_state["conv_pool"] = names[place.layer]

        def layer_picked() -> None:
            if st.session_state["conv_pool"] in names:
                number = names.index(st.session_state["conv_pool"])
                chosen.look_at_pool(number, place.map, place.row, place.column)

        st.segmented_control(
            "Pooling layer", names, required=True, key="conv_pool", on_change=layer_picked,
            label_visibility="collapsed",
        )  # fmt: skip
    kind = kind_of(at, stage.end)
    limit = float(abs(stage.ahead(values)[..., place.map]).max())

    def pick(click: dict[str, Any], every: int) -> None:
        chosen.look_at_pool(
            place.layer, place.map, int(click["y"]) // every, int(click["x"]) // every
        )

    before, middle, behind = st.columns(3, gap="small")
    with before:
        figure = figures.image(
            stage.ahead(values)[..., place.map], f"Before: map {place.map + 1}", kind, limit=limit,
            frames=[(top, left, top + side - 1, left + side - 1)],
        )  # fmt: skip
        chart(figure, key="conv_pool_in", height=HEIGHT, on_click=partial(pick, every=side))
    with middle:
        title = f"One square of {side}×{side}"
        chart(figures.numbers(square, title, kind), key="conv_pool_square", height=HEIGHT)
    with behind:
        figure = figures.image(
            stage.maps(values)[..., place.map], f"After: its {_pooled(stage)}", kind, limit=limit,
            frames=[(place.row, place.column, place.row, place.column)],
        )  # fmt: skip
        chart(figure, key="conv_pool_out", height=HEIGHT, on_click=partial(pick, every=1))
    general, filled = st.columns([2, 5], gap="small")
    general.latex(convolution_equations.pooling_in_general(stage.pooling, side))
    filled.latex(convolution_equations.pooling(stage.pooling, square))


def _pooled(stage: Stage) -> str:
    return "largest value" if stage.pooling == "max" else "mean"


def _without_pooling(at: Moment, values: list, found: list[Stage]) -> str:
    """Say by what the images become smaller instead."""
    sizes = [values[found[0].begin].shape[1:3], *(stage.maps(values).shape[:2] for stage in found)]
    strided = [stage.name for stage in found if at.network[stage.begin].arguments["strides"] > 1]
    if not strided:
        return "This network has no pooling layer, and no filter skips pixels."
    way = " → ".join(dict.fromkeys(f"{height}×{width}" for height, width in sizes))
    return (
        f"This network has no pooling layer. {' and '.join(strided)} make the image smaller by "
        f"their stride: {way}."
    )
