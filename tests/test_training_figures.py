"""What the figures of a training say: values, names and axes; their look is seen in the browser."""

import itertools
import statistics

import numpy as np
import pandas as pd
import pytest

from mnist_core import figures, paper, runs
from mnist_core.training_figures import (
    layer_histograms,
    learning_curves,
    live_confusion,
    schedule_curve,
    seeds_band,
)

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


# The learning rate


def test_a_schedule_is_drawn_against_epochs_and_names_its_peak():
    figure = schedule_curve(np.array([[0, 0.001], [5, 0.003], [10, 0.0]]), 4)
    (line,) = figure.data
    np.testing.assert_allclose(line.x, [0, 1.25, 2.5])
    np.testing.assert_allclose(line.y, [0.001, 0.003, 0])
    assert figure.layout.title.text == "Learning rate: peak 0.003 at epoch 1.2"
    assert figure.layout.yaxis.range == (0, pytest.approx(0.0033))
    assert figure.layout.yaxis.type is None


def test_other_schedules_have_titles_too():
    level = schedule_curve(np.array([[0, 0.01], [8, 0.01]]), 4)
    assert level.layout.title.text == "Learning rate: 0.01 throughout"
    assert schedule_curve(np.zeros((2, 2)), 0).layout.yaxis.range == (0, 1)
    for nothing in (np.empty((0, 2)), np.array([[0, np.nan]])):
        assert not schedule_curve(nothing, 4).data


# The layers


def layer(name, quantity="weights", low=-0.2, high=0.2, counts=(1, 2, 4, 1)):
    return {"name": name, quantity: {"low": low, "high": high, "counts": list(counts)}}


def test_each_layer_is_a_row_from_the_top_as_high_as_its_fullest_part():
    figure = layer_histograms(
        [layer("first"), layer("last", low=0, high=0.1, counts=[5, 10])], "weights"
    )
    last, first = figure.data
    assert (first.name, last.name) == ("first", "last")
    np.testing.assert_allclose(first.x, np.repeat([-1, -0.5, 0, 0.5, 1], 2))
    np.testing.assert_allclose(
        (np.asarray(first.y) - 1) / 0.85, np.array([0, 1, 1, 2, 2, 4, 4, 1, 1, 0]) / 4
    )
    np.testing.assert_allclose(last.x, [0, 0, 0.25, 0.25, 0.5, 0.5])  # on the same scale
    np.testing.assert_allclose(np.asarray(last.y) / 0.85, [0, 0.5, 0.5, 1, 1, 0])
    assert figure.layout.title.text == "Weights of each layer"
    assert figure.layout.yaxis.ticktext == ("last", "first")
    assert figure.layout.xaxis.ticktext == ("−0.2", "0", "0.2")
    (zero,) = figure.layout.shapes
    assert zero.x0 == zero.x1 == 0
    np.testing.assert_allclose(first.customdata[:, 1], np.repeat([-0.2, -0.1, 0, 0.1, 0.2], 2))


def test_gradients_have_a_scale_a_row_and_its_end_beside_it():
    layers = [layer("first", "gradients", -3e-4, 3e-4), layer("last", "gradients", -0.7, 0.7)]
    figure = layer_histograms(layers, "gradients")
    last, first = figure.data
    assert max(first.x) == pytest.approx(0.6) and max(last.x) == pytest.approx(0.7)
    notes = {note.y: note.text for note in figure.layout.annotations}
    assert notes == {1.4: "±0.0005", 0.4: "±1"}
    assert figure.layout.xaxis.ticktext == ("−end", "0", "end")
    assert figure.layout.title.text == "Gradients of each layer"


@pytest.mark.parametrize(("outside", "end"), [((1, 1), "0.05"), ((3, 1), "0.5")])
def test_a_scale_leaves_out_one_per_cent(outside, end):
    counts = [outside[0], 0, 0, 200, 0, 0, outside[1]]  # the 200 lie within ±0.05
    figure = layer_histograms([layer("one", low=-0.35, high=0.35, counts=counts)], "weights")
    assert figure.layout.xaxis.ticktext == (f"−{end}", "0", end)


def test_twelve_layers_have_twelve_rows_that_do_not_touch():
    figure = layer_histograms([layer(f"layer {n}") for n in range(12)], "weights")
    assert len(figure.layout.yaxis.tickvals) == 12
    assert [min(row.y) for row in figure.data] == list(range(12))
    assert all(max(row.y) < n + 0.95 for n, row in enumerate(figure.data))
    assert figure.layout.yaxis.range[0] < 0 and figure.layout.yaxis.range[1] >= 12


@pytest.mark.parametrize("quantity", ["weights", "gradients"])
def test_layers_without_a_spread_leave_their_rows_empty(quantity):
    empty = [
        {"name": "nothing"}, layer("no parts", quantity, counts=[]),
        layer("no values", quantity, counts=[0, 0]), layer("nan", quantity, low=np.nan),
    ]  # fmt: skip
    figure = layer_histograms(
        [*empty, layer("zero", quantity, 0.0, 0.0, [7]), layer("one", quantity)], quantity
    )
    one, zero = figure.data
    assert (one.name, zero.name) == ("one", "zero")
    np.testing.assert_array_equal(zero.x, 0)  # a line at zero
    assert max(one.x) == 1
    assert len(figure.layout.yaxis.ticktext) == 6
    assert not layer_histograms([], quantity).data
    assert layer_histograms([layer("zero", quantity, 0.0, 0.0, [7])], quantity).data


# What is taken for what, live


def test_errors_are_coloured_up_to_ten_per_cent_and_the_diagonal_is_not():
    shares = np.arange(100.0).reshape(10, 10) / 10
    (heatmap,) = live_confusion(shares).data
    diagonal = np.eye(10, dtype=bool)
    assert np.isnan(heatmap.z[diagonal]).all()
    np.testing.assert_array_equal(heatmap.z[~diagonal], shares[~diagonal])
    assert (heatmap.zmin, heatmap.zmax) == (0, 10)
    assert heatmap.hovertext[4][9] == "4.9 % of all 4s are read as 9"
    assert heatmap.hovertext[4][4] == "4.4 % of all 4s are read as 4, rightly"


def test_rows_are_true_digits_from_the_top_and_one_without_images_says_so():
    shares = np.full((10, 10), 10.0)
    shares[3] = np.nan
    figure = live_confusion(shares)
    assert set(figure.data[0].hovertext[3]) == {"there is no 3 yet"}
    assert figure.layout.yaxis.title.text == "true digit"
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]


# Several seeds


def seeds(*runs_accuracies):
    """Runs of seeds 1, 2, …: val_accuracy after epochs 0, 1, …"""
    return [
        (seed, pd.DataFrame({"val_accuracy": values, "sample_accuracy": values}))
        for seed, values in enumerate(runs_accuracies, 1)
    ]


def test_the_band_is_one_standard_deviation_about_the_mean():
    accuracies = [[0.1, 0.95, 0.97], [0.1, 0.96, 0.975], [0.1, 0.958, 0.979]]
    figure = seeds_band(seeds(*accuracies))
    found = traces(figure)
    after = [[100 * run[epoch] for run in accuracies] for epoch in (1, 2)]
    means, deviations = (list(map(f, after)) for f in (statistics.mean, statistics.stdev))
    np.testing.assert_allclose(found["mean"].x, [1, 2])
    np.testing.assert_allclose(found["mean"].y, means)
    band = found["mean ± 1 SD"]
    assert list(band.x) == [1, 2, 2, 1] and band.fill == "toself"
    over, under = ([m + s * d for m, d in zip(means, deviations, strict=True)] for s in (1, -1))
    np.testing.assert_allclose(band.y, [*over, *under[::-1]])
    assert figure.layout.title.text == f"3 seeds: {means[1]:.2f} ± {deviations[1]:.2f} %"
    for n, run in enumerate(accuracies, 1):
        np.testing.assert_allclose(found[f"seed {n}"].y, np.array(run[1:]) * 100)
        assert 2 == found[f"seed {n}"].line.width < found["mean"].line.width
    np.testing.assert_allclose(found["the paper"].y, paper.EPOCHS["val_accuracy"] * 100)
    assert found["the paper"].line.dash == "dash"
    low, high = figure.layout.yaxis.range
    assert 90 < low < 95 and 97.9 < high < 99


def test_the_pointer_reads_seeds_in_sentences():
    found = traces(seeds_band(seeds([0.1, 0.95], [0.1, 0.96])))
    assert found["mean"].hovertemplate.startswith("epoch %{x}: mean %{y:.2f} %%{text}<")
    assert list(found["mean"].text) == [", of 2 seeds, SD 0.71 %"]
    for name in ("seed 1", "the paper"):
        assert found[name].hovertemplate.startswith(f"epoch %{{x}}: {name} %{{y:.2f}} %<")


def test_a_single_seed_has_no_band():
    figure = seeds_band(seeds([0.1, 0.95]))
    assert "mean ± 1 SD" not in traces(figure)
    assert figure.layout.title.text == "1 seed: 95.00 %"
    assert [note.text for note in figure.layout.annotations] == ["<b>mean</b>", "the paper"]


def test_a_seed_that_is_not_so_far_counts_where_it_is():
    figure = seeds_band(seeds([0.1, 0.95, 0.97], [0.1, 0.96, np.nan], [0.1, 0.94]))
    mean = traces(figure)["mean"]
    np.testing.assert_allclose(mean.y, [95, 97])
    assert list(mean.text) == [", of 3 seeds, SD 1.00 %", ", of 1 seed"]
    assert list(traces(figure)["mean ± 1 SD"].x) == [1, 1]
    assert figure.layout.title.text == "1 seed: 97.00 %"


def test_the_mean_the_paper_and_the_best_and_worst_seed_are_named_apart():
    figure = seeds_band(
        seeds(*([0.1, 0.9, 0.9, 0.9, 0.9, value] for value in (0.978, 0.9781, 0.979)))
    )
    notes = figure.layout.annotations
    assert {note.text for note in notes} == {"seed 1", "<b>mean ± SD</b>", "seed 3", "the paper"}
    assert all(note.x == 5 and note.font.size >= 14 for note in notes)
    low, high = figure.layout.yaxis.range
    heights = sorted(note.y for note in notes)
    assert min(np.diff(heights)) / (high - low) > 14 / 230  # a line of text, in a plot of 230 px
    assert low < heights[0] and heights[-1] < high + 0.05 * (high - low)


def test_the_paper_reports_no_accuracy_of_the_sample_and_nothing_is_no_error():
    figure = seeds_band(seeds([0.1, 0.95]), "sample_accuracy")
    assert "the paper" not in traces(figure)
    assert all(trace.name for trace in figure.data)
    for nothing in ([], seeds([0.1]), seeds([0.1, np.nan])):
        assert not seeds_band(nothing).data
