"""Evaluate: how good the network is at the cursor's epoch, and what it takes for what."""

from mnist_core.ui import chosen, frame, notices, numbers
from mnist_core.ui.certainty_view import certainty_view
from mnist_core.ui.chart import load_plotly
from mnist_core.ui.confusion_view import matrix_view
from mnist_core.ui.over_time_view import over_time_view, weights_view
from mnist_core.ui.two_runs_view import two_runs_view

SHOWS = {
    "Confusion": matrix_view,
    "Over time": over_time_view,
    "How sure": certainty_view,
    "Two runs": two_runs_view,
    "Weights": weights_view,
}

frame.page_starts()

with frame.title("Evaluate", "How often is the network right, and what does it take for what?"):
    show = frame.view(list(SHOWS), "evaluate")
    chosen.choose_images("all test images", frame.current_data())
playing = notices.played()
numbers.row(playing)
SHOWS[show](playing)
load_plotly()
