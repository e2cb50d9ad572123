"""Browse: look at the digits before training on them."""

import streamlit as st

from mnist_core import figures, runs, selection, wording
from mnist_core.ui import frame, paging, resources
from mnist_core.ui.chart import chart, load_plotly
from mnist_core.ui.digit_grid import digit_grid

PAGE_SIZE = 120


def ask_the_network(image, label):
    """Offer what the current run's network, at the cursor's epoch, says of the opened image."""
    run, moment = frame.current_run(), frame.current_moment()
    if moment is None or not st.toggle("What does the network say?", key="browse_ask"):
        return
    try:
        with st.spinner("Asking the network"):
            answer = resources.ask_probabilities(run, moment, image)
    except runs.RunsError as error:
        st.error(str(error))
        return
    chart(figures.probabilities(answer, label), key="browse_answer", height=280)


frame.page_starts()

frame.title("Browse", "Look at the digits before a network does.")
dataset = resources.dataset()
with st.container(horizontal=True, key="filters", vertical_alignment="bottom"):
    name = st.segmented_control(
        "Split", ["training", "test"], default="training", required=True, key="browse_split"
    )
    labels = st.pills(
        "Digits", range(10), selection_mode="multi", key="browse_labels", help="None chosen: all"
    )
    order = st.segmented_control(
        "Order", ["by index", "shuffled"], default="by index", required=True, key="browse_order"
    )
    seed = 0
    if order == "shuffled":
        seed = st.number_input("Seed", 0, 9999, 0, key="browse_seed", width=120)
split = dataset.train if name == "training" else dataset.test
index = selection.arrange(split, labels, seed if order == "shuffled" else None)

grid, opened = st.columns(2, gap="medium")
with grid:
    shown = paging.page_of(index, PAGE_SIZE, key="browse_page")
    st.markdown(f"**{wording.count(len(index), 'image')}** of the {name} set")
    picked = digit_grid(
        split.images[shown],
        captions=[f"{name} image {i:,}: {split.labels[i]}" for i in shown],
        label=f"{name} images",
        height=470,
        key="browse_grid",
    )
with opened:
    number = int(shown[picked or 0])
    st.markdown(f"**{name.capitalize()} image {number:,}: a {split.labels[number]}**")
    chart(figures.pixels(split.images[number]), key="browse_pixels", height=430)
    st.caption("0 is background, 255 full ink. The network sees these numbers divided by 255.")
    ask_the_network(split.images[number], int(split.labels[number]))

chart(
    figures.class_balance(selection.counts(split), f"{name.capitalize()} set"),
    key="class_balance",
    height=300,
)
load_plotly()
