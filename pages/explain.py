"""Explain: the paper's mathematics, filled in with the numbers of one's own run."""

from mnist_core.ui import frame
from mnist_core.ui.chart import load_plotly
from mnist_core.ui.convolution_view import convolution_view
from mnist_core.ui.glossary_view import glossary_view
from mnist_core.ui.neurons_view import neurons_view
from mnist_core.ui.one_digit_view import one_digit_view
from mnist_core.ui.one_step_view import one_step_view
from mnist_core.ui.tour_view import tour_view

SHOWS = {
    "One digit": one_digit_view,
    "One step": one_step_view,
    "Convolution": convolution_view,
    "Neurons": neurons_view,
    "The walk": tour_view,
    "Glossary": glossary_view,
}

frame.page_starts()

with frame.title("Explain", "The paper's equations, with this run's own numbers."):
    show = frame.view(list(SHOWS), "explain")
SHOWS[show]()
load_plotly()
