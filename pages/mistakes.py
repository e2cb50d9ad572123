"""Mistakes: every misclassified test digit at the cursor's epoch."""

import streamlit as st

from mnist_core import figures, wording
from mnist_core.ui import chosen, frame, notices, paging
from mnist_core.ui.chart import chart, load_plotly
from mnist_core.ui.digit_grid import digit_grid

ORDERS = {"confidence": "most confident first", "loss": "largest loss first", "index": "by index"}
PAGE_SIZE = 100

frame.page_starts()

frame.title("Mistakes", "Every test digit that the network reads wrongly.")
run, moment, images, evaluation = notices.played()

with st.container(horizontal=True, key="filters", vertical_alignment="bottom"):
    any_digit = [None, *range(10)]

    def word(digit):
        return "any" if digit is None else str(digit)

    true = st.selectbox("True digit", any_digit, format_func=word, key="mistakes_true", width=120)
    read = st.selectbox("Read as", any_digit, format_func=word, key="mistakes_read", width=120)
    order = st.selectbox(
        "Order", list(ORDERS), format_func=ORDERS.get, key="mistakes_order", width=220
    )
    chosen.choose_images("all test images", images.dataset.fingerprint)
errors = evaluation.errors(true, read, order)
total = int((~evaluation.right).sum())
if not len(errors):
    everything = "all test images" if images.is_test_set else "all chosen images"
    st.info(
        "The network makes no such mistake at this epoch."
        if total
        else f"The network reads {everything} rightly at this epoch."
    )
    st.stop()

grid, opened = st.columns([3, 2], gap="medium")
with grid:
    shown = paging.page_of(errors, PAGE_SIZE, key="mistakes_page")
    st.markdown(
        f"**{wording.count(len(errors), 'mistake')}** in {wording.count(len(images))} images. "
        f"{notices.moment_line(run, moment, images)}."
    )
    picked = digit_grid(
        images[shown].images,
        captions=[
            f"{name}: a {evaluation.labels[i]} read as {evaluation.predicted[i]}, "
            f"{wording.percent(evaluation.confidence[i], 1)} sure"
            for name, i in zip(images[shown].names(), shown, strict=True)
        ],
        marks=["wrong"] * len(shown),
        label="Misclassified digits",
        height=470,
        key="mistakes_grid",
    )
with opened:
    index = int(shown[picked or 0])
    truth, answer = int(evaluation.labels[index]), int(evaluation.predicted[index])
    sure = wording.percent(evaluation.confidence[index], 1)
    one = images[index : index + 1]
    st.markdown(f"**{one.title}: the network reads this {truth} as a {answer}, {sure} sure.**")
    digit, bars = st.columns([2, 3], vertical_alignment="center")
    with digit:
        digit_grid(
            one.images,
            cell=190,
            key="mistake_large",
            label=f"{one.title}, a {truth}",
        )
    with bars:
        chart(
            figures.probabilities(evaluation.probabilities[index], truth),
            key="mistake_probabilities",
            height=300,
        )
    st.caption(
        f"Loss of this image: {wording.loss(float(evaluation.losses[index]))}",
        help="−ln of the probability given to the true digit: 0 when the network is sure and "
        "right, the larger the less it believed in the right answer.",
    )
load_plotly()
