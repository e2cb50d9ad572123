"""The paper beside runs of other seeds: Student's t against SciPy, verdicts and tables by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mnist_core import paper
from mnist_core.reproduction import beside, prediction_interval, student_quantile, verdict

AROUND = [0.9774, 0.9781, 0.9788]  # mean 0.9781, standard deviation 0.0007


def a_run(**columns):
    """Five epochs, and untrained epoch 0; columns given replace the paper's figures."""
    table = paper.EPOCHS.assign(**columns)
    untrained = pd.DataFrame({"val_loss": 2.3, "val_accuracy": 0.1}, index=[0])
    return pd.concat([untrained, table])


@pytest.mark.parametrize("freedom", [*range(1, 41), 99, 500])
@pytest.mark.parametrize("share", [0.5, 0.6, 0.9, 0.95, 0.975, 0.995])
def test_students_t_is_scipys(share, freedom):
    oracle = stats.t.ppf(share, freedom)
    assert student_quantile(share, freedom) == pytest.approx(oracle, rel=1e-9, abs=1e-9)


def test_students_t_is_that_of_the_printed_tables():
    """Two-sided 95 %, as in the appendix of any textbook."""
    for freedom, t in ((1, 12.706), (2, 4.303), (4, 2.776), (9, 2.262), (29, 2.045)):
        assert student_quantile(0.975, freedom) == pytest.approx(t, abs=5e-4)


@pytest.mark.parametrize("share, freedom", [(0.4, 3), (1.0, 3), (math.nan, 3), (0.975, 0)])
def test_impossible_quantiles_are_refused(share, freedom):
    with pytest.raises(ValueError, match=r"Expected a share .* Received: "):
        student_quantile(share, freedom)


def test_the_interval_by_hand():
    """4.303 · 0.0007 · sqrt(4/3) = 0.003478 around 0.9781."""
    low, high = prediction_interval(AROUND)
    assert low == pytest.approx(0.9781 - 0.003478, abs=1e-6)
    assert high == pytest.approx(0.9781 + 0.003478, abs=1e-6)


@pytest.mark.parametrize("n", range(2, 31))
def test_the_interval_is_scipys(n):
    values = np.random.default_rng(n).normal(0.978, 0.001, n)
    scale = values.std(ddof=1) * math.sqrt(1 + 1 / n)
    for level in (0.8, 0.95):
        oracle = stats.t.interval(level, n - 1, values.mean(), scale)
        assert prediction_interval(values, level) == pytest.approx(oracle, rel=1e-10)


def test_it_holds_one_more_run_95_times_in_100():
    rng = np.random.default_rng(0)
    draws = rng.normal(0.978, 0.001, (4000, 6))
    inside = 0
    for *known, more in draws:
        low, high = prediction_interval(known)
        inside += low <= more <= high
    assert inside / len(draws) == pytest.approx(0.95, abs=0.01)  # three standard errors


@pytest.mark.parametrize(
    "values", [[], [0.97], [0.97, math.nan], [0.97, 0.98, math.inf], [-math.inf, 0.9]]
)
def test_values_without_a_spread_have_no_interval(values):
    with pytest.raises(ValueError, match=r"Expected 2 or more finite values\. Received: \["):
        prediction_interval(values)


def test_runs_around_the_paper_agree():
    told = verdict(AROUND)
    assert told.agrees is True
    assert told.interval == (0.9746, 0.9816)
    assert told.text == (
        "97.81 % lies inside 97.46 – 98.16 %, the prediction interval of 3 runs, in which one more "
        "run falls 95 times in 100: these runs agree with the paper."
    )


@pytest.mark.parametrize(
    "shift, where, word", [(-0.02, "above", "higher"), (0.01, "below", "lower")]
)
def test_runs_far_from_the_paper_do_not(shift, where, word):
    told = verdict([value + shift for value in AROUND])
    assert told.agrees is False
    assert told.text.startswith(f"97.81 % lies {where} 9")
    assert told.text.endswith(f"is {word} than other seeds alone make likely.")


@pytest.mark.parametrize("size", [3, 5, 10])
@pytest.mark.parametrize("seed", range(20))
def test_what_is_written_is_what_is_judged(size, seed):
    """At the very edge of the interval, the sentence does not contradict its own figures."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0.9781, 0.0005, size)
    edge = prediction_interval(values)[seed % 2]
    told = verdict(list(values + 0.9781 - edge + rng.uniform(-6e-5, 6e-5)))
    low, _, high = told.text.split(", ")[0].split(" ")[-4:-1]
    assert told.agrees == (float(low) <= 97.81 <= float(high)) == (" inside " in told.text)
    assert told.interval == (round(float(low) / 100, 4), round(float(high) / 100, 4))


def test_no_accuracy_above_one_is_foretold():
    told = verdict([0.95, 0.99, 0.999])
    assert told.interval[1] == 1.0
    assert "– 100.00 %" in told.text


@pytest.mark.parametrize(
    "values, words",
    [
        ([], "Nothing is trained yet"),
        ([0.97], "One run says nothing about the spread"),
        ([0.97, 0.98], "Two runs say too little about the spread"),
    ],
)
def test_below_three_runs_there_is_no_verdict(values, words):
    told = verdict(values)
    assert (told.agrees, told.interval) == (None, None)
    assert told.text == f"{words}: train at least three seeds."


def test_equal_runs_have_no_spread():
    told = verdict([0.9781] * 3)
    assert (told.agrees, told.interval) == (None, None)
    assert told.text.startswith("All 3 runs have 97.81 %, the paper 97.81 %: without a spread")


def test_a_run_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="finite"):
        verdict([*AROUND, math.nan])


def test_the_paper_stands_beside_itself():
    table = beside([(1, a_run())])
    assert table.index.tolist() == [1, 2, 3, 4, 5] and table.index.name == "epoch"
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert (table[name, "paper"] == paper.EPOCHS[name]).all()
        assert (table[name, "mean"] == paper.EPOCHS[name]).all()
        assert table[name, "sd"].isna().all()


def test_mean_and_deviation_by_hand():
    """0.1, 0.2 and 0.6: mean 0.3; squares 0.04 + 0.01 + 0.09 = 0.14, of which half: 0.07."""
    table = beside([(seed, a_run(loss=loss)) for seed, loss in ((1, 0.1), (2, 0.2), (3, 0.6))])
    assert table["loss", "mean"].tolist() == pytest.approx([0.3] * 5)
    assert table["loss", "sd"].tolist() == pytest.approx([math.sqrt(0.07)] * 5)
    assert table["accuracy", "sd"].tolist() == [0] * 5


def test_a_seed_that_comes_again_is_the_same_run():
    table = beside([(1, a_run(loss=0.1)), (2, a_run(loss=0.3)), (1, a_run(loss=0.9))])
    assert table["loss", "mean"].tolist() == pytest.approx([0.2] * 5)


def test_what_is_missing_is_not_counted():
    short = a_run(loss=0.1).loc[:2].drop(columns="val_accuracy")
    diverged = a_run(loss=0.3, val_loss=math.nan)
    table = beside([(1, short), (2, diverged)])
    assert table["loss", "mean"].tolist() == pytest.approx([0.2, 0.2, 0.3, 0.3, 0.3])
    assert table["loss", "sd"].isna().tolist() == [False, False, True, True, True]
    assert table["val_loss", "mean"].isna().tolist() == [False, False, True, True, True]
    assert (table["val_accuracy", "mean"] == paper.EPOCHS["val_accuracy"]).all()


@pytest.mark.parametrize("told", [[], [(1, pd.DataFrame())], [(1, a_run().loc[:0])]])
def test_without_epochs_only_the_paper_has_figures(told):
    table = beside(told)
    assert table.shape == (5, 12)
    assert (table["val_loss", "paper"] == paper.EPOCHS["val_loss"]).all()
    ours = table.drop(columns="paper", level=1)
    assert ours.isna().all(axis=None)
