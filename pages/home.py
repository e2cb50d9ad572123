"""Home: what this is, the state of the data, one button, the latest runs."""

import streamlit as st

from mnist_core import runs, selection, wording
from mnist_core.ui import frame, notices, resources
from mnist_core.ui.digit_grid import digit_grid

frame.page_starts()

frame.title(
    "MNIST Lab",
    "See a neural network learn to read handwritten digits, play its training back, and see where "
    "it errs.",
)
dataset = resources.dataset()
left, right = st.columns([3, 2], gap="large")
with left:
    shown = selection.first_of_each(dataset.train, 5)
    digit_grid(
        dataset.train.images[shown],
        captions=[f"training image {i:,}: {dataset.train.labels[i]}" for i in shown],
        columns=10,
        label="Five training images of each digit",
        key="home_digits",
    )
    st.caption(
        f"**{dataset.name}**: {wording.count(len(dataset.train), 'training image')} and "
        f"{wording.count(len(dataset.test), 'test image')}, 28×28 pixels each."
    )
    if dataset.is_built_in:
        st.caption(
            "These are small real digits, enlarged, so that everything works without internet. "
            "The button at the bottom left downloads MNIST or opens a file of yours."
        )
with right:
    st.subheader("Start here")
    st.write(
        "784 pixels in, 128 hidden units, 10 digits out: five times through the training images, "
        "in seconds."
    )
    notices.train_paper_button()
    frame.page_link("browse", "Look at the digits first", icon=":material/grid_view:")
    frame.page_link("train", "Choose another network", icon=":material/model_training:")
    frame.page_link("draw", "Draw a digit of your own", icon=":material/draw:")
    frame.page_link("explain", "Take the walk", icon=":material/directions_walk:",
                    query_params={"explain": "The walk"})  # fmt: skip

st.subheader("Latest runs")
latest = runs.list_runs()
if not latest:
    st.write("None yet. A run is a recording: it stays here and can be played back.")
for run in latest[:8]:
    with st.container(key=f"latest_{run.id}", horizontal=True, vertical_alignment="center"):
        st.markdown(f"{frame.STATE_MARKS[run.state]} **{wording.verbatim(run.title)}**", width=260)
        st.markdown(
            f"{wording.percent(run.status.get('test_accuracy'))} of the test set", width=190
        )
        st.caption(f"{run.state} · {run.dataset.get('name', '')} · {run.id}", width="stretch")
        if st.button("Open", key=f"open_{run.id}"):
            frame.run_changed(run.id)
            st.switch_page(f"pages/{'train' if run.active else 'evaluate'}.py")
        with st.popover("Delete", disabled=run.active):
            st.write("Its recording is removed from the disk for good.")
            if st.button("Delete this run", key=f"delete_{run.id}"):
                try:
                    runs.delete(run)
                except runs.RunsError as error:
                    st.error(str(error))
                else:
                    frame.run_changed(None)
                    st.rerun()
