"""Train: build a network, choose how it learns, drive it, watch it, and keep what came of it."""

from mnist_core.ui import frame
from mnist_core.ui.chart import load_plotly
from mnist_core.ui.paper_view import paper_view
from mnist_core.ui.queue_view import queue_view
from mnist_core.ui.studio_view import studio_view

frame.page_starts()

SHOWS = {"Studio": studio_view, "The paper": paper_view, "Queue": queue_view}

with frame.title("Train", "Build a network, choose how it learns, and drive it while it does."):
    shown = frame.view(list(SHOWS), key="train")
SHOWS[shown]()
load_plotly()
