"""Mistakes: every misread test digit at the cursor's epoch, and the labels one may doubt."""

from mnist_core.ui import chosen, frame, notices
from mnist_core.ui.chart import load_plotly
from mnist_core.ui.label_view import label_view
from mnist_core.ui.mistakes_view import mistakes_view

SHOWS = {"Mistakes": mistakes_view, "Doubtful labels": label_view}

frame.page_starts()

with frame.title("Mistakes", "Is the network wrong, or the label?"):
    show = frame.view(list(SHOWS), "mistakes")
    chosen.choose_images("all test images", frame.current_data())
SHOWS[show](notices.played())
load_plotly()
