"""MNIST Lab: see a neural network learn. Run with: streamlit run app.py"""

import streamlit as st

from mnist_core.ui.data_store import data_store

data_store()  # reads MNIST while the rest is imported

from mnist_core.ui import frame, resources, tour_bar  # noqa: E402

st.set_page_config(page_title="MNIST Lab", page_icon="🔢", layout="wide")
st.session_state["frame"] = True
page = frame.navigation()
found = frame.resolve()
frame.transport(found)  # drawn at the bottom, but first: the page shows where the cursor stands
tour_bar.tour_bar(page)
page.run()
resources.keep_trainer()
resources.spare_the_collector()
