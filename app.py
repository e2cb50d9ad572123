"""MNIST Lab: see a neural network learn. Run with: streamlit run app.py"""

import streamlit as st

from mnist_core.ui import frame, resources

st.set_page_config(page_title="MNIST Lab", page_icon="🔢", layout="wide")
st.session_state["frame"] = True
page = frame.navigation()
found = frame.resolve()
page.run()
frame.transport(found)
resources.keep_trainer()
