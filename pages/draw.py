"""Draw: your own digit, from the pen to the prediction."""

from mnist_core.ui import draw_view, frame
from mnist_core.ui.answer_view import answer_view
from mnist_core.ui.chart import load_plotly
from mnist_core.ui.flip_view import flip_view
from mnist_core.ui.robustness_view import robustness_view
from mnist_core.ui.side_by_side_view import side_by_side_view
from mnist_core.ui.why_view import why_view

SHOWS = {
    "Answer": answer_view,
    "Side by side": side_by_side_view,
    "Why?": why_view,
    "Flip it": flip_view,
    "Robustness": robustness_view,
}

frame.page_starts()

with frame.title("Draw", "Your own digit, from the pen to the prediction."):
    show = frame.view(list(SHOWS), "draw")
# The other views ask more than can be answered while a stroke is drawn.
draw_view.lab(SHOWS[show], eager=show == "Answer")
load_plotly()
