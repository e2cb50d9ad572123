"""What the figures say: values, titles and axes; how they look is seen in the browser."""

import numpy as np
import pandas as pd
import pytest

from mnist_core import figures, paper, runs


def traces(figure):
    return {trace.name: trace for trace in figure.data}


def test_curves_hold_the_recorded_values(recorded):
    figure = figures.learning_curves(recorded.metrics, "accuracy", 5)
    epochs = recorded.epochs
    validation = traces(figure)["validation"]
    np.testing.assert_allclose(validation.x, [0, 1, 2, 3])
    np.testing.assert_allclose(validation.y, epochs["val_accuracy"] * 100)
    mean = traces(figure)["training, mean of the epoch"]
    np.testing.assert_allclose(mean.x, [1, 2, 3])
    np.testing.assert_allclose(mean.y, epochs["accuracy"].loc[1:] * 100)
    assert figure.layout.xaxis.range[1] >= 5  # the planned epochs, however few are there
    assert figure.layout.xaxis.title.text == "epoch"
    assert figure.layout.yaxis.title.text == "accuracy (%)"


def test_the_running_mean_breaks_between_epochs(recorded):
    running = traces(figures.learning_curves(recorded.metrics, "loss", 3))["training, running mean"]
    x, y = np.asarray(running.x), np.asarray(running.y)
    for epoch in (1, 2):
        between = (x > epoch) & (x < epoch + 1 / 13)
        assert np.isnan(y[between]).any()
    assert (np.diff(x) >= 0).all()


def test_long_runs_are_thinned_but_keep_their_last_report(recorded):
    many = recorded.metrics[recorded.metrics["kind"] == "step"]
    frame = many.loc[many.index.repeat(100)].reset_index(drop=True)
    frame["epoch"] = np.linspace(0.01, 3, len(frame))
    figure = figures.learning_curves(frame, "loss", 3)
    running = traces(figure)["training, running mean"]
    assert len(running.x) <= figures.MAX_POINTS + 3
    assert running.x[-1] == 3


def test_axes_hold_still_while_values_improve(recorded):
    ranges = {
        tuple(figures.learning_curves(recorded.metrics.iloc[:n], "loss", 3).layout.yaxis.range)
        for n in range(20, len(recorded.metrics))
    }
    assert len(ranges) == 1


def test_an_empty_run_has_axes_too(recorded):
    figure = figures.learning_curves(recorded.metrics.iloc[:0], "accuracy", 4, with_paper=True)
    assert figure.layout.xaxis.range[1] >= 4
    told = traces(figure)["the paper, validation"]
    np.testing.assert_allclose(told.y, paper.EPOCHS["val_accuracy"] * 100)


@pytest.mark.parametrize(
    ("reached", "planned", "end"),
    [(0, 5, 5), (3, 5, 5), (5, 10, 10), (2, 12, 12), (2, 20, 10), (11, 20, 20), (3, 200, 10),
     (10, 200, 10), (11, 200, 25), (60, 200, 100), (150, 200, 200)],
)  # fmt: skip
def test_the_axis_of_a_long_run_grows_in_a_few_steps(reached, planned, end):
    line = dict.fromkeys(runs.METRICS, np.nan) | {"kind": "epoch", "epoch": float(reached)}
    metrics = pd.DataFrame([line])
    axis = figures.learning_curves(metrics, "loss", planned).layout.xaxis
    assert axis.range[0] == 0 and end <= axis.range[1] < end * 1.05
