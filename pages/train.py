"""Train: choose hyperparameters, start, and watch the network learn."""

import streamlit as st

from mnist_core import paper, wording
from mnist_core.ui import frame, hyperparameters, live, resources
from mnist_core.ui.chart import load_plotly


def start_chosen():
    """Start what the fields say at the moment of the press, the last one typed included."""
    return resources.start_training(hyperparameters.chosen())


frame.page_starts()

frame.title("Train", "Choose a network, start it, and watch it learn.")
with st.container(key="picture_first"):
    controls, picture = st.columns([1, 3], gap="large")
with controls:
    hyperparameters.choose_preset()
    start = st.container()
    with st.expander("Hyperparameters"):
        hyperparameters.fields()
    config = hyperparameters.chosen()
    problem = None
    try:
        config.validate()
        with st.expander(f"Layers: {wording.count(config.parameters, 'parameter')}"):
            st.table(hyperparameters.layer_table(config))
    except ValueError as error:
        problem = str(error)
    with start:
        st.button(
            "Start training",
            type="primary",
            icon=":material/play_arrow:",
            width="stretch",
            disabled=bool(problem),
            help=problem,
            on_click=live.press,
            args=(start_chosen,),
        )
        live.press_problem()
        if problem:
            st.error(problem)
        if config.validation_share == 0:
            st.caption(
                "Validates on the test set, as the paper does: who chooses settings by it gets a "
                "test figure that is a little too hopeful."
            )

run = frame.current_run()
with picture:
    if run is None:
        st.info("No run yet. **Start training** and the curves draw themselves here.")
    else:
        live.panel(run.id)

if run is not None:
    with controls:
        live.watched_digits(run)
if run is not None and run.config.as_in_paper and run.state == "completed":
    st.subheader("Beside the paper")
    st.dataframe(live.beside_paper(run))
    st.caption(
        f"The paper counts {paper.ERRORS} errors in 10,000. Another seed moves the last column by "
        "some tenths of a point: 10,000 digits leave about ±0.29 points uncertain (95 %)."
    )
load_plotly()
