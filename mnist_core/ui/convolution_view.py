"""How a convolutional network looks at a digit: window, sum, feature maps, pooling, and backwards.

One fragment in five chapters: a click draws only this anew.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from mnist_core import convolution_equations, receptive, runs, wording
from mnist_core import convolution_figures as figures
from mnist_core.moment import Moment
from mnist_core.presets import preset
from mnist_core.receptive import Stage
from mnist_core.ui import chapters, explained, feature_maps_view, frame, resources, strongest_view
from mnist_core.ui import convolution_chosen as chosen
from mnist_core.ui.chart import chart
from mnist_core.ui.convolution_chosen import Place
from mnist_core.ui.stage_words import after, in_words, kind_of

HEIGHT = 290  # CSS pixels of the pictures side by side
MOST_FILTERS = 64
MOST_RUNS = 3  # offered where a network has no convolution


def convolution_view() -> None:
    """Draw the five chapters, or what helps where the network has no convolution."""
    at = explained.network()
    if all(stage.pooling for stage in receptive.stages(at.network)):
        _without(at.run)
        return
    _chapters()


def _without(run: runs.Run) -> None:
    """Say that there is no convolution, and offer a network that has some."""
    with_one = [
        other
        for other in frame.all_runs()
        if other.moments and any(layer.kind == "conv" for layer in other.config.layers)
    ]
    listed = sorted(with_one, key=lambda other: -(other.status.get("test_accuracy") or 0))
    listed = listed[:MOST_RUNS]
    play = "Play a run that has one, or train" if listed else "Train"
    st.info(
        f"This network has no convolution: {wording.verbatim(run.config.architecture)}. "
        f"{play} a small one in seconds."
    )
    with st.container(horizontal=True):
        if st.button("Train a small CNN", type="primary", icon=":material/play_arrow:"):
            try:
                made = resources.start_training(preset("small-cnn"))
            except (runs.RunsError, ValueError) as error:
                st.error(wording.verbatim(str(error)))
            else:
                frame.run_changed(made.id)
                st.switch_page("pages/train.py", query_params={})
        labels = frame.run_labels(listed)
        for other in listed:
            st.button(
                f"Play {wording.verbatim(labels[other.id])}",
                key=f"conv_play_{other.id}",
                on_click=frame.run_changed,
                args=(other.id,),
            )


@st.fragment
def _chapters() -> None:
    frame.draw_more()
    digit = explained.choose()
    at, values = digit.moment, digit.found.values
    found = receptive.stages(at.network)
    convolutions = [stage for stage in found if not stage.pooling]
    place = chosen.current(convolutions, values)
    out = receptive.one_output(at.network, values, place.stage, place.map, place.row, place.column)
    channel = chosen.channel(out.of_channels)
    _slides(at, values, convolutions, place, channel)
    _one_sum(at, values, place, out, channel)
    feature_maps_view.maps_chapter(at, values, found, place)
    feature_maps_view.pooling_chapter(at, values, found, place)
    strongest_view.chapter(digit, convolutions, place)
    chapters.on("One step", "One learning step", "How the filters learn from this digit.")
    chosen.to_url()


def _slides(at: Moment, values: list, convolutions: list[Stage], place: Place, channel: int):
    chapters.heading(1, "A filter slides over the digit")
    stage, layer = place.stage, at.network[place.stage.begin]
    maps, kernel = stage.maps(values), layer.weights["kernel"]
    rows, columns, count = maps.shape
    with st.container(horizontal=True, vertical_alignment="bottom", key="conv_choices"):
        _widgets(convolutions, place, count, (rows, columns))
    side, stride = layer.arguments["kernel_size"], layer.arguments["strides"]
    padded = layer.padded(values[stage.begin][:1])[0, :, :, channel]
    size = values[stage.begin].shape[1:3]
    before = receptive.margin(layer, size)
    first = (stride * place.row - before[0], stride * place.column - before[1])
    window = (*first, first[0] + side - 1, first[1] + side - 1)
    shown = kernel[:, :, channel, :MOST_FILTERS]
    wide = figures.columns_of(shown.shape[2])

    def pick_filter(click: dict[str, Any]) -> None:
        if hit := figures.clicked_map(click["x"], click["y"], shown.shape, wide):
            chosen.look_at_filter(place.layer, hit[0])

    def pick_window(click: dict[str, Any]) -> None:
        row, column = (
            round((click[axis] + margin - (side - 1) / 2) / stride)
            for axis, margin in zip("yx", before, strict=True)
        )
        chosen.look_at(place.layer, place.map, row, column)

    def pick_value(click: dict[str, Any]) -> None:
        chosen.look_at(place.layer, place.map, click["y"], click["x"])

    channels = kernel.shape[2]
    parts = st.columns(3, gap="small")
    kind = kind_of(at, stage.begin)
    what = "the digit" if kind == "digit" else f"map {channel + 1} of {channels}"
    limit = float(abs(values[stage.begin][0]).max())
    with parts[0]:
        figure = figures.image(
            padded, f"What comes in: {what}", kind, limit=limit, before=before, inner=size,
            frames=[window],
        )  # fmt: skip
        chart(figure, key="conv_in", height=HEIGHT, on_click=pick_window)
    with parts[1]:
        of = "" if channels == 1 else f" for map {channel + 1}"
        title = f"Filter {place.map + 1}: its weights{of}"
        weights = kernel[:, :, channel, place.map]
        chart(figures.numbers(weights, title, "signed"), key="conv_weights", height=HEIGHT)
    with parts[2]:
        here = (place.row, place.column, place.row, place.column)
        figure = figures.image(
            maps[..., place.map], f"What comes out: map {place.map + 1}{after(at, stage)}",
            kind_of(at, stage.end), frames=[here],
        )  # fmt: skip
        chart(figure, key="conv_out", height=HEIGHT, on_click=pick_value)
    chart(
        figures.maps(shown, "", "signed", columns=wide, chosen=place.map),
        key="conv_filters",
        height=8 + 60 * (-(-shown.shape[2] // wide)),
        on_click=pick_filter,
    )
    zeros = " Outside the dotted line are zeros (padding)." if padded.shape != size else ""
    depth = "" if channels == 1 else f" of all {channels} maps"
    moves = "1 pixel" if stride == 1 else f"{stride} pixels (stride {stride})"
    st.caption(
        f"Each filter looks at {side}×{side} pixels{depth} at a time and moves by {moves}: "
        f"{rows}×{columns} places.{zeros} Blue weights are positive, red ones negative. Click a "
        "filter, or a pixel on the left or right."
    )


def _widgets(convolutions: list[Stage], place: Place, count: int, size: tuple[int, int]) -> None:
    """Draw the choice of layer, filter and place; what is chosen is written into them first."""
    state, names = st.session_state, [stage.name for stage in convolutions]
    state["conv_layer"], state["conv_filter"] = names[place.layer], place.map + 1
    state["conv_slide"] = place.row * size[1] + place.column

    def layer() -> None:
        if state["conv_layer"] in names:
            chosen.look_at_layer(names.index(state["conv_layer"]))

    def kernel() -> None:
        chosen.look_at_filter(place.layer, state["conv_filter"] - 1)

    def slide() -> None:
        chosen.look_at(place.layer, place.map, *divmod(state["conv_slide"], size[1]))

    if len(names) > 1:
        st.segmented_control("Layer", names, required=True, key="conv_layer", on_change=layer)
    st.number_input(
        f"Filter, 1 to {count}", 1, count, key="conv_filter", on_change=kernel, width=150
    )
    places = size[0] * size[1]
    if places > 1:
        st.slider(
            f"Place: row {place.row}, column {place.column}", 0, places - 1, key="conv_slide",
            on_change=slide, width="stretch",
        )  # fmt: skip


def _one_sum(at: Moment, values: list, place: Place, out, channel: int) -> None:
    chapters.heading(2, "One output’s sum")
    layer, channels = at.network[place.stage.begin], out.window.shape[2]
    inside = layer.windows(np.ones_like(values[place.stage.begin][:1]))[0, place.row, place.column]
    parts = st.columns(4, gap="small")  # always: charts stay in place when the layer changes
    of = "" if channels == 1 else f", map {channel + 1}"
    pictures = [
        ("conv_x", out.window, f"Pixels x{of}", kind_of(at, place.stage.begin)),
        ("conv_w", out.weights, "Weights w", "signed"),
        ("conv_xw", out.products, "Products x · w", "signed"),
    ]
    for part, (key, array, title, kind) in zip(parts, pictures, strict=False):
        outside = inside[channel] == 0 if key == "conv_x" else None
        with part:
            chart(figures.numbers(array[..., channel], title, kind, outside), key=key, height=250)

    def pick(click: dict[str, Any]) -> None:
        chosen.look_at_channel(int(click["customdata"]))

    with parts[3]:
        if channels > 1:
            figure = figures.shares(out.of_channels, channel)
            chart(figure, key="conv_shares", height=250, on_click=pick)
        else:
            bias = "" if out.bias is None else ", and the bias b"
            st.write(
                f"Each pixel is multiplied by the weight at its place; the {out.window.size} "
                f"products are added{bias}. Every place of the digit gets the same weights."
            )
    general, filled = st.columns([2, 5], gap="small")
    general.latex(convolution_equations.general(out))
    filled.latex(convolution_equations.filled(out))
    norm = " Batch normalization brings it to a common scale with γ, μ, σ² and β." * bool(out.norm)
    st.caption(f"The value at {in_words(place.row, place.column)} of map {place.map + 1}.{norm}")
