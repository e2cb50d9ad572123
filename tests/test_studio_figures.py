"""What the studio's small figures say: values, names and axes."""

import statistics

import numpy as np
import pandas as pd
import pytest

from mnist_core import paper
from mnist_core.studio_figures import (
    layer_histograms,
    live_confusion,
    schedule_curve,
    seeds_band,
)

pytestmark = pytest.mark.filterwarnings("error")


def traces(figure):
    return {trace.name: trace for trace in figure.data}


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
