"""What the figures of a training say: values, names and axes; their look is seen in the browser."""

import itertools

import numpy as np
import pandas as pd
import pytest

from mnist_core import figures, paper, runs
from mnist_core.training_figures import learning_curves

pytestmark = pytest.mark.filterwarnings("error")
RUNNING, AFTER, MEAN = "training, mean ○", "training, after", "training, mean of the epoch"


def traces(figure):
    return {trace.name: trace for trace in figure.data}


def reports(*rows):
    """Metrics from (kind, epoch, columns…)."""
    blank = dict.fromkeys(runs.METRICS, np.nan)
    lines = [blank | {"kind": kind, "epoch": float(at)} | given for kind, at, given in rows]
    return pd.DataFrame(lines, columns=runs.METRICS)


def steps(*losses, epoch=0):
    """An epoch's reports of the running mean, evenly spaced up to its end."""
    spaced = enumerate(losses, 1)
    return [("step", epoch + n / len(losses), {"loss": value}) for n, value in spaced]


def ended(epoch, accuracy, **more):
    values = {"accuracy": accuracy, "sample_accuracy": accuracy, "val_accuracy": accuracy}
    return ("epoch", epoch, values | more)


# The learning curves


@pytest.mark.parametrize(
    ("quantity", "column", "unit", "title"),
    [("accuracy", "accuracy", lambda v: 100 * v, "accuracy (%)"),
     ("error", "accuracy", lambda v: 100 * (1 - v), "error (%)"),
     ("loss", "loss", lambda v: v, "loss (cross-entropy)")],
)  # fmt: skip
def test_curves_hold_the_recorded_values(recorded, quantity, column, unit, title):
    figure = learning_curves(recorded.metrics, quantity, 5)
    epochs, found = recorded.epochs, traces(figure)
    for name, source in (("validation", f"val_{column}"), (AFTER, f"sample_{column}")):
        np.testing.assert_allclose(found[name].x, [0, 1, 2, 3])
        np.testing.assert_allclose(found[name].y, unit(epochs[source]), atol=1e-9)
    np.testing.assert_allclose(found[MEAN].x, [1, 2, 3])
    np.testing.assert_allclose(found[MEAN].y, unit(epochs[column].loc[1:]))
    assert figure.layout.xaxis.range[1] >= 5  # the planned epochs, however few are there
    assert figure.layout.xaxis.title.text == "epoch"
    assert figure.layout.yaxis.title.text == title


def test_the_loss_says_which_loss_and_the_validation_its_name(recorded):
    figure = learning_curves(
        recorded.metrics, "loss", 5, loss_name="mean squared error", validation_name="the test set"
    )
    assert figure.layout.yaxis.title.text == "loss (mean squared error)"
    assert traces(figure)["the test set"].line.color == figures.VALIDATION


def test_the_running_mean_breaks_between_epochs(recorded):
    running = traces(learning_curves(recorded.metrics, "loss", 3))[RUNNING]
    x, y = np.asarray(running.x), np.asarray(running.y)
    for epoch in (1, 2):
        between = (x > epoch) & (x < epoch + 1 / 13)
        assert np.isnan(y[between]).any()
    assert (np.diff(x) >= 0).all()


@pytest.mark.parametrize("smoothing", [0, 0.9])
def test_long_runs_are_thinned_but_keep_their_last_report(recorded, smoothing):
    many = recorded.metrics[recorded.metrics["kind"] == "step"]
    frame = many.loc[many.index.repeat(100)].reset_index(drop=True)
    frame["epoch"] = np.linspace(0.01, 3, len(frame))
    running = traces(learning_curves(frame, "loss", 3, smoothing=smoothing))[RUNNING]
    assert figures.MAX_POINTS < len(running.x) <= figures.MAX_POINTS + 3
    assert running.x[-1] == 3


def smoothed_by_tensorboard(values, weight):
    """The loop of TensorBoard's line charts (resmoothDataset)."""
    last, smoothed = 0.0, []
    for accumulated, value in enumerate(values, 1):
        last = last * weight + (1 - weight) * value
        smoothed.append(last / (1 - weight**accumulated))
    return smoothed


@pytest.mark.parametrize("smoothing", [0.3, 0.95])
def test_smoothing_is_tensorboards_and_starts_anew_with_each_epoch(smoothing):
    epochs = [[4, 2, 3, 1], [0.5, 0.9, 0.2], [0.1]]
    rows = [row for n, values in enumerate(epochs) for row in steps(*values, epoch=n)]
    found = traces(learning_curves(reports(*rows), "loss", 3, smoothing=smoothing))
    smooth, raw = (np.asarray(found[name].y) for name in (RUNNING, "training, not smoothed"))
    expected = [smoothed_by_tensorboard(values, smoothing) for values in epochs]
    np.testing.assert_allclose(smooth[np.isfinite(smooth)], np.concatenate(expected))
    np.testing.assert_allclose(raw[np.isfinite(raw)], np.concatenate(epochs))
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(smooth)), [4, 8])


def test_smoothing_in_numbers():
    metrics = reports(*steps(4, 2, np.nan, 6))
    smooth = traces(learning_curves(metrics, "loss", 3, smoothing=0.5))[RUNNING].y
    # (2 + ½ · 4) / (1 + ½), then (6 + ½ · 2 + ¼ · 4) / (1 + ½ + ¼): what is missing has no weight.
    np.testing.assert_allclose(smooth, [4, 4 / 1.5, np.nan, 8 / 1.75])


def test_the_raw_curve_is_pale_behind_the_smoothed_one(recorded):
    raw, smooth = learning_curves(recorded.metrics, "loss", 3, smoothing=0.5).data[:2]
    assert (raw.name, smooth.name) == ("training, not smoothed", RUNNING)
    assert raw.opacity < 0.5 and smooth.opacity is None
    assert raw.line.color == smooth.line.color == figures.TRAINING
    assert learning_curves(recorded.metrics, "loss", 3).data[0].name == RUNNING


@pytest.mark.parametrize("smoothing", [-0.1, 0.96, 1, np.nan])
def test_other_smoothings_are_refused(recorded, smoothing):
    with pytest.raises(ValueError, match=r"smoothing from 0 to 0\.95"):
        learning_curves(recorded.metrics, "loss", 3, smoothing=smoothing)


def test_earlier_runs_are_thin_and_behind_and_told_apart_without_colour():
    now = reports(ended(1, 0.98))
    colors = "#832db6 #a96b59 #e76300 #b9ac70 #717581".split()
    behind = [
        (f"run <b>{n}</b>", color, reports(ended(1, 0.9 + n / 100), ended(2, 0.95)))
        for n, color in enumerate(colors)
    ]
    figure = learning_curves(now, "error", 3, behind=behind)
    assert [line.line.color for line in figure.data[:5]] == colors
    for n, line in enumerate(figure.data[:5]):
        np.testing.assert_allclose(line.y, [10 - n, 5])
        assert line.line.width == 2 < traces(figure)["validation"].line.width
        assert line.name == f"run &lt;b&gt;{n}&lt;/b&gt;"  # as it was written, not bold
        assert line.meta == line.name and "%{meta}" in line.hovertemplate
    assert len({line.marker.symbol for line in figure.data[:5]}) == 5
    assert all(line.legendrank > 1000 for line in figure.data[:5])  # after the others' 1000
    with pytest.raises(ValueError, match=r"at most 5 runs behind\. Received: 6"):
        learning_curves(now, "error", 3, behind=[*behind, behind[0]])


def test_a_long_name_is_cut_in_the_legend_only_and_a_run_without_epochs_has_none():
    long = "a network of a very long name"
    behind = [(long, "#123456", reports(ended(1, 0.9))), ("new", "#654321", reports())]
    first, *others = learning_curves(reports(), "loss", 3, behind=behind).data
    assert first.name.endswith("…") and long.startswith(first.name[:-1])
    assert first.meta == long
    assert "new" not in [trace.name for trace in others]


def test_the_paper_is_dashed_and_its_error_is_what_its_accuracy_leaves(recorded):
    told = traces(learning_curves(recorded.metrics, "error", 5, with_paper=True))["the paper"]
    np.testing.assert_allclose(told.y, [3.93, 3.02, 2.53, 2.38, 2.19])
    assert told.line.dash == "dash"
    assert "the paper" not in traces(learning_curves(recorded.metrics, "error", 5))


def test_an_error_axis_may_be_logarithmic_and_no_error_stands_at_its_end():
    rows = [ended(1, 0.97), ended(2, 0.998), ended(3, 1.0)]
    figure = learning_curves(reports(*rows), "error", 3, log=True, with_paper=True)
    axis = figure.layout.yaxis
    assert axis.type == "log"
    np.testing.assert_allclose(axis.range, np.log10([0.1, 5]))
    ticks = dict(zip(axis.ticktext, axis.tickvals, strict=True))
    for text in ("10", "5", "2", "1", "0.5", "0.2", "0.1"):
        assert ticks[text] == pytest.approx(float(text))
    validation = traces(figure)["validation"]
    np.testing.assert_allclose(validation.y, [3, 0.2, 0.1])
    np.testing.assert_allclose(validation.customdata, [3, 0.2, 0], atol=1e-9)
    assert "customdata" in validation.hovertemplate  # the pointer reads 0, not 0.1
    linear = learning_curves(reports(*rows), "error", 3)
    assert linear.layout.yaxis.type is None
    np.testing.assert_allclose(traces(linear)["validation"].y, [3, 0.2, 0], atol=1e-9)


def test_what_is_below_a_linear_axis_is_drawn_there():
    figure = learning_curves(reports(ended(0, 0.1), ended(1, 0.95)), "accuracy", 3)
    assert figure.layout.yaxis.range[0] == 90
    np.testing.assert_allclose(traces(figure)["validation"].y, [10, 95])


def test_a_logarithmic_axis_of_many_powers_has_a_tick_at_each_power_only():
    figure = learning_curves(reports(ended(1, 1, loss=3.0, val_loss=0.0005)), "loss", 3, log=True)
    np.testing.assert_allclose(figure.layout.yaxis.range, np.log10([0.0001, 5]))
    assert {"0.001", "0.1", "1"} < set(figure.layout.yaxis.ticktext)
    assert not {"0.005", "0.2", "2"} & set(figure.layout.yaxis.ticktext)


def test_accuracy_is_never_logarithmic(recorded):
    log, linear = (
        learning_curves(recorded.metrics, "accuracy", 3, log=log) for log in (True, False)
    )
    assert log == linear


@pytest.mark.parametrize(
    ("quantity", "log"),
    [("accuracy", False), ("error", False), ("error", True), ("loss", False), ("loss", True)],
)
def test_axes_hold_still_while_values_improve(recorded, quantity, log):
    parts = [recorded.metrics.iloc[:n] for n in range(20, len(recorded.metrics))]
    assert len(parts) > 10
    ranges = {learning_curves(part, quantity, 3, log=log).layout.yaxis.range for part in parts}
    assert len(ranges) == 1


@pytest.mark.parametrize(
    ("quantity", "rows", "ends"),
    [("accuracy", [ended(1, 0.93)], (90, 100.5)),
     ("accuracy", [ended(1, 0.93), ended(2, 0.9)], (80, 100.5)),
     ("accuracy", [ended(1, 0.5)], (0, 100.5)),
     ("error", [ended(1, 0.93)], (0, 12)),
     ("error", [ended(0, 0.1), ended(1, 0.95)], (0, 6)),  # before training does not count
     ("error", [], (0, 6)),
     ("loss", steps(2.3, 1.0), (0, 1.2)),  # in the first epoch: where it stands
     ("loss", [*steps(2.3, 0.5), *steps(0.7, 0.3, epoch=1)], (0, 1.2)),  # later: the highest
     ("loss", [ended(1, 1, loss=80.0)], (0, 84)),
     ("loss", [ended(1, 1, loss=np.inf, val_loss=np.nan)], (0, 0.6))],
)  # fmt: skip
def test_the_axis_has_one_of_a_few_ranges(quantity, rows, ends):
    found = learning_curves(reports(*rows), quantity, 3).layout.yaxis.range
    assert found == pytest.approx(ends)


def test_earlier_runs_are_within_the_axis():
    behind = [("old", "#123456", reports(ended(1, 0.85)))]
    assert learning_curves(reports(), "error", 3, behind=behind).layout.yaxis.range == (0, 25)


def test_what_is_not_a_number_is_a_hole_in_the_curve():
    rows = [*steps(0.5, np.inf, 0.4), ended(1, 0.9, val_loss=np.inf), ended(2, 0.9, val_loss=0.3)]
    found = traces(learning_curves(reports(*rows), "loss", 3))
    np.testing.assert_array_equal(found[RUNNING].y, [0.5, np.nan, 0.4])
    np.testing.assert_array_equal(found["validation"].y, [np.nan, 0.3])


def test_an_empty_run_has_axes_too(recorded):
    figure = learning_curves(recorded.metrics.iloc[:0], "accuracy", 4, with_paper=True)
    assert figure.layout.xaxis.range[1] >= 4
    told = traces(figure)["the paper"]
    np.testing.assert_allclose(told.y, paper.EPOCHS["val_accuracy"] * 100)


@pytest.mark.parametrize(
    ("reached", "planned", "end"),
    [(0, 5, 5), (3, 5, 5), (5, 10, 10), (2, 12, 12), (2, 20, 10), (11, 20, 20), (3, 200, 10),
     (10, 200, 10), (11, 200, 25), (60, 200, 100), (150, 200, 200)],
)  # fmt: skip
def test_the_axis_of_a_long_run_grows_in_a_few_steps(reached, planned, end):
    axis = learning_curves(reports(("epoch", reached, {})), "loss", planned).layout.xaxis
    assert axis.range[0] == 0 and end <= axis.range[1] < end * 1.05


def test_every_line_has_a_name_and_a_sentence(recorded):
    behind = [("old", "#123456", recorded.metrics)]
    figure = learning_curves(
        recorded.metrics, "error", 3, behind=behind, with_paper=True, smoothing=0.5, log=True
    )
    assert len(figure.data) == 7
    for trace in figure.data:
        assert trace.name and trace.meta
        assert trace.hovertemplate.startswith("epoch %{x:.2f}: %{meta} ")
    lines = [trace.line.width for trace in figure.data if "lines" in trace.mode]
    assert min(lines) >= 2 and figure.layout.legend.font.size >= 14


def test_the_gap_is_shaded_from_its_epoch_to_the_end(recorded):
    (shade,) = learning_curves(recorded.metrics, "loss", 10, gap_from=4).layout.shapes
    assert (shade.x0, shade.x1) == (4, pytest.approx(10.2))
    assert (shade.yref, shade.y0, shade.y1) == ("paper", 0, 1)
    assert shade.layer == "below" and 0 < shade.opacity < 0.3
    assert not learning_curves(recorded.metrics, "loss", 10).layout.shapes


@pytest.mark.parametrize(
    ("quantity", "gap_from", "said"),
    [("loss", 4, ("gap opens", "left", "top", 1)), ("error", 8, ("gap opens →", "right", "top", 1)),
     ("accuracy", 8, ("gap opens →", "right", "bottom", 0))],
)  # fmt: skip
def test_the_gap_is_named_where_the_curves_are_not(recorded, quantity, gap_from, said):
    (note,) = learning_curves(recorded.metrics, quantity, 10, gap_from=gap_from).layout.annotations
    assert (note.text, note.xanchor, note.yanchor, note.y) == said
    assert note.x == gap_from and note.font.size >= 14


def test_the_cursor_stands_at_its_epoch(recorded):
    (line,) = learning_curves(recorded.metrics, "loss", 3, cursor=2.0).layout.shapes
    assert line.x0 == line.x1 == 2


def set_by_hand(*moments):
    rates = [("rate", at, {"learning_rate": rate}) for at, rate in moments]
    return learning_curves(reports(*rates), "loss", 10).layout


def test_a_rate_set_by_hand_is_a_dotted_line_with_a_label():
    layout = set_by_hand((0.2, 0.01), (5, 0.0005), (9.9, 1e-5))
    assert [(line.x0, line.x1, line.line.dash) for line in reversed(layout.shapes)] == [
        (0.2, 0.2, "dot"), (5, 5, "dot"), (9.9, 9.9, "dot"),
    ]  # fmt: skip
    labels = {note.x: (note.text, note.xanchor) for note in layout.annotations}
    assert labels == {
        0.2: ("rate 0.01", "left"), 5: ("rate 0.0005", "center"), 9.9: ("rate 1e-05", "right"),
    }  # fmt: skip
    assert all(note.y == 1 and note.yanchor == "bottom" for note in layout.annotations)


def test_many_labels_of_rates_do_not_overlap_and_the_newest_is_there():
    layout = set_by_hand(*((n / 4, 10.0 ** -(n % 5)) for n in range(40)))
    assert len(layout.shapes) == 40
    boxes = []
    for note in layout.annotations:
        width = 7.5 * len(note.text) * 10 / 300  # px a letter, on a phone's plot of 300 px
        left = note.x - width * {"left": 0, "center": 0.5, "right": 1}[note.xanchor]
        boxes.append((note.yshift, left, left + width))
    assert 39 / 4 in [note.x for note in layout.annotations]
    assert {row for row, *_ in boxes} == {0, 18}
    for (row, left, right), (other, start, end) in itertools.combinations(boxes, 2):
        assert row != other or right <= start or end <= left
    assert layout.margin.t > set_by_hand((1, 0.1)).margin.t > set_by_hand().margin.t
