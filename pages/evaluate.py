"""Evaluate: how good the network is at the cursor's epoch, and what it takes for what."""

import streamlit as st

from mnist_core import figures, wording
from mnist_core.ui import chosen, frame, notices
from mnist_core.ui.chart import chart, load_plotly
from mnist_core.ui.digit_grid import digit_grid

SHOWN = 120  # images of a cell

frame.page_starts()

frame.title("Evaluate", "How often is the network right, and what does it take for what?")
run, moment, images, evaluation = notices.played()
errors = evaluation.errors()
picture, selection = st.columns([3, 2], gap="medium")
worst = evaluation.worst_confusion()
# Before anything is clicked, the most frequent error.
cell = st.session_state.get("confusion_cell", worst and worst[:2])
with selection:
    with st.container(horizontal=True, key="numbers"):
        of = "Test " if images.is_test_set else ""
        st.metric(f"{of}accuracy".capitalize(), wording.percent(evaluation.accuracy), width=140)
        st.metric(f"{of}loss".capitalize(), wording.loss(evaluation.loss), width=110)
        st.metric(f"Wrong of {len(evaluation.labels):,}", f"{len(errors):,}", width=140)
    with st.container(horizontal=True, key="cells", vertical_alignment="center"):
        unit = st.segmented_control(
            "Cells show",
            ["counts", "% of row"],
            default="counts",
            required=True,
            key="cells_show",
            label_visibility="collapsed",
        )
        fade = st.toggle("Fade the right answers", value=True, key="fade_diagonal")
        chosen.choose_images("all test images", images.dataset.fingerprint)
with picture:
    st.caption(notices.moment_line(run, moment, images))
    chart(
        figures.confusion_matrix(
            evaluation.confusion,
            per_cent=unit == "% of row",
            fade_diagonal=fade,
            chosen=cell,
        ),
        key="confusion",
        height=450,
        on_click=lambda point: st.session_state.update(
            confusion_cell=(int(point["y"]), int(point["x"]))
        ),
    )
with selection:
    if cell is None:
        st.info("No errors. Click a cell to see its images here.")
    else:
        true, predicted = cell
        index = evaluation.select(true, predicted)
        read = "rightly read" if true == predicted else "wrongly read"
        st.markdown(f"**True {true}, {read} as {predicted}: {wording.count(len(index), 'image')}**")
        shown = index[:SHOWN]
        digit_grid(
            images[shown].images,
            captions=[
                f"{name}: {true} read as {predicted}, "
                f"{wording.percent(evaluation.confidence[i], 1)} sure"
                for name, i in zip(images[shown].names(), shown, strict=True)
            ],
            marks=["right" if true == predicted else "wrong"] * len(shown),
            label=f"True {true}, predicted {predicted}",
            height=330,
            key="cell_images",
        )
        if len(index) > SHOWN:
            st.caption(f"The {SHOWN} most confident are shown.")

with st.expander("Precision, recall and F1 of each digit"):
    st.dataframe(
        evaluation.per_class().reset_index(),
        hide_index=True,
        column_config={
            "digit": "Digit",
            **{
                name: st.column_config.ProgressColumn(
                    title, format="percent", min_value=0, max_value=1, help=meaning
                )
                for name, title, meaning in (
                    ("precision", "Precision", "Of the images read as this digit, how many are"),
                    ("recall", "Recall", "Of the images of this digit, how many are found"),
                    ("f1", "F1", "The harmonic mean of precision and recall"),
                )
            },
            "support": st.column_config.NumberColumn("Images", help="Test images of this digit"),
        },
    )
load_plotly()
