"""The walk's steps, the paper's claims, and what is found: figures by hand, by SciPy, or as data.

The literal figures of the claims are those that the paper prints.
"""

import ast
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import write_run
from scipy import stats

from mnist_core import driving, findings, found, paper, reproduction, runs
from mnist_core.config import TrainConfig
from mnist_core.data import MNIST_FINGERPRINT
from mnist_core.evaluation import Evaluation
from mnist_core.found import Found, Network, gather, of_paper
from mnist_core.layers import Conv, Dense
from mnist_core.presets import PRESETS
from mnist_core.tour import FIRST_VIEWS, STOPS, stop

PAGES = Path(__file__).resolve().parent.parent / "pages"
NAN = math.nan
CNN = Network("A CNN", 3, True, frozenset({"relu"}), 42_746, True, 0.9880, 0.9903)
DEEP = Network("Deep", 3, False, frozenset({"relu"}), 242_762, True, 0.9793, 0.9788)
LENET = Network("LeNet", 4, True, frozenset({"tanh"}), 61_706, True, 0.9850, 0.9871)
SHALLOW = Network("Shallow", 1, False, frozenset({"relu"}), 101_770, False, 0.9777, 0.9777)


def epochs(last=0.9781, **columns):
    """Five epochs, and untrained epoch 0; columns given replace the paper's figures."""
    table = paper.EPOCHS.assign(**columns)
    table.loc[5, "val_accuracy"] = last
    untrained = pd.DataFrame({"val_loss": 2.35, "val_accuracy": 0.1}, index=[0])
    return pd.concat([untrained, table])


def seeds(*accuracies):
    return {seed: epochs(value) for seed, value in enumerate(accuracies, 1)}


def evaluation(right, total, read_as=9):
    """`total` images of a 4, of which all but the first `right` are read as another digit."""
    logits = np.zeros((total, 10), np.float32)
    logits[:right, 4] = 5
    logits[right:, read_as] = 5
    return Evaluation(np.full(total, 4), logits)


# The steps


def test_there_are_ten_steps_in_order():
    assert [each.number for each in STOPS] == list(range(1, 11))
    assert len({each.title for each in STOPS}) == 10
    for each in STOPS:
        assert each.question.endswith("?") and each.claims
        for text in (each.look, each.question, each.answer, *(c.says for c in each.claims)):
            assert text.strip() and "!" not in text
            assert not re.search(r"\b(we|our|us)\b", text, re.IGNORECASE)


def views_of(page):
    """Return the views of a page, the first one first, as its source declares them."""
    if page == "browse":
        from mnist_core.ui.filters import SHOWS

        return list(SHOWS)
    for node in ast.walk(ast.parse((PAGES / f"{page}.py").read_text())):
        if isinstance(node, ast.Assign) and node.targets[0].id == "SHOWS":
            return [key.value for key in node.value.keys]
    raise AssertionError(f"{page} has no views")


@pytest.mark.parametrize("step", STOPS, ids=lambda step: step.title)
def test_each_steps_page_has_its_view(step):
    name, view = step.query
    assert name == ("show" if step.page == "browse" else step.page)
    assert view in views_of(step.page)
    assert FIRST_VIEWS[step.page] == views_of(step.page)[0]


def test_the_views_named_in_the_address_are_those_of_the_pages_widgets():
    for page in ("train", "evaluate", "explain"):
        assert re.search(rf'frame\.view\(list\(SHOWS\), (key=)?"{page}"\)',
                         (PAGES / f"{page}.py").read_text())  # fmt: skip


def test_each_finding_is_there_and_none_is_left_over():
    named = [claim.finding for each in STOPS for claim in each.claims if claim.finding]
    assert len(named) == len(set(named)) >= 12
    functions = {
        name for name, each in vars(findings).items()
        if callable(each) and getattr(each, "__annotations__", {}).get("found") == "Found"
    }  # fmt: skip
    assert functions - {"need_seeds"} == set(named)


@pytest.mark.parametrize("figure", [
    "97.81 %", "0.0674", "101,770", "60,000", "10,000", "28×28", "16 + 14 + 14 + 10 + 9 = 63 s",
    "92.74 %", "98.68 %", "0.2579", "0.0442", "219 errors", "not overfit", "batches of 32",
    "1,875", "784", "128", "validation data", "255", "one-hot", "Adam", "convolutional",
])  # fmt: skip
def test_what_the_paper_reports_stands_in_a_claim(figure):
    assert figure in " ".join(claim.says for each in STOPS for claim in each.claims)


@pytest.mark.parametrize(("asked", "number"), [
    ("4", 4), (4, 4), ("10", 10), ("0", None), ("99", None), ("x", None), ("", None), (None, None),
    ("-1", None), ("4.0", None), ("٤", None), ("4" * 5000, None),
])  # fmt: skip
def test_a_step_is_found_by_its_number(asked, number):
    told = stop(asked)
    assert (told and told.number) == number


# The findings


def test_without_runs_a_finding_says_what_to_do():
    for name in ("duration", "training_curve", "one_seed", "steps", "first_loss"):
        told = getattr(findings, name)(Found())
        assert "Train 3 seeds on the Train page" in told.text
        assert told.go == ("train", "The paper")
    for name in ("validation", "on_the_test_set", "future_work", "no_overfitting"):
        assert getattr(findings, name)(Found()).go == ("train", "Studio")


@pytest.mark.parametrize("name", ["duration", "training_curve", "one_seed", "steps", "first_loss"])
def test_other_data_are_not_compared_with_the_paper(name):
    told = getattr(findings, name)(Found(is_mnist=False, data_name="Other"))
    assert "Other" in told.text and "cannot be compared" in told.text and told.go is None


def test_images_are_counted():
    told = findings.images(
        Found(train_counts=[5, 9, 5, 5, 5, 3, 5, 5, 5, 5], test_counts=[1] * 10)
    ).text
    assert "52 training images" in told and "10 test images" in told
    assert "1 comes 9 times, 5 only 3 times" in told
    other = findings.images(Found(is_mnist=False, train_counts=[5] * 10)).text
    assert "50 training" in other and "not the paper's digits" in other


@pytest.mark.parametrize("pixels, said", [((0, 255), "from 0 to 1 "), ((51, 204), "0.2 to 0.8 ")])
def test_the_range_of_the_pixels(pixels, said):
    told = findings.scaling(Found(pixels=pixels)).text
    assert f"from {pixels[0]} to {pixels[1]}" in told and said in told


def test_parameters_are_counted_by_hand():
    first, second = 784 * 128 + 128, 128 * 10 + 10
    assert f"{first:,} + {second:,} = {first + second:,}" in findings.parameters(Found()).text


def test_the_first_loss_is_near_that_of_guessing():
    told = findings.first_loss(Found(seeds=seeds(0.978))).text
    assert "2.3026" in told and "2.3500" in told and "93.5 %" in told  # e^-0.0674 = 0.93482
    far = {1: epochs().assign(val_loss=8.0)}
    assert "8.0000" not in findings.first_loss(Found(seeds=far)).text


def test_updates_are_counted():
    told = findings.steps(Found(steps=[9375, 9375])).text
    assert "1,875 batches" in told and "9,375 updates" in told and "just as many" in told
    assert "recorded here: 1,200" in findings.steps(Found(steps=[1200, 9375])).text


def test_seconds_are_compared_by_their_median():
    told = findings.duration(Found(seconds=[5.0, 21.0, 7.0])).text
    assert "5.0 s to 21 s" in told and "7.0 s or less" in told
    assert "9.0 times as fast as the paper's 63 s" in told
    assert "2.0 times as slow" in findings.duration(Found(seconds=[126.0])).text
    assert findings.duration(Found(seconds=[NAN, 0.0])) == findings.need_seeds(Found())


def test_training_figures_are_means_over_the_runs():
    both = {1: epochs(), 2: epochs(accuracy=paper.EPOCHS["accuracy"] - 0.01)}
    told = findings.training_curve(Found(seeds=both)).text
    assert "mean of 2 runs" in told and "92.24 % → 98.18 %" in told and "0.2579 → 0.0442" in told
    assert "one run" in findings.training_curve(Found(seeds={1: epochs()})).text


@pytest.mark.parametrize("loss, val_loss, since", [
    ([3, 2, 1], [1, 1.5, 2], 3), ([1, 1, 1], [2, 2, 2], 1), ([1, 3, 1], [2, 2, 2], 3),
    ([1, 1, 3], [2, 2, 2], None), ([], [], None), ([1, NAN, 1], [2, 2, 2], 3),
])  # fmt: skip
def test_since_when_the_losses_part(loss, val_loss, since):
    table = pd.DataFrame({"loss": loss, "val_loss": val_loss}, dtype=float)
    table.index = range(1, len(table) + 1)
    assert findings.parts_at(table) == since


def test_the_papers_own_log_parts_from_epoch_3():
    """By hand: 0.2579 > 0.1380, 0.1130 > 0.0969, then 0.0774 < 0.0813 and so on."""
    told = findings.no_overfitting(Found()).text
    assert "since epoch 3 (0.0442 and 0.0674 at the end)" in told and "still falls" in told


def test_overfitting_of_the_run_played_is_told():
    rows = pd.DataFrame({
        "val_loss": [0.5, 0.3, 0.4, 0.5], "sample_loss": [0.5, 0.3, 0.2, 0.1],
        "val_accuracy": 0.9, "sample_accuracy": 0.95,
    }, index=[1, 2, 3, 4])  # fmt: skip
    told = findings.no_overfitting(Found(title="*Mine*", like_paper=True, epochs=rows)).text
    assert "Since epoch 2" in told and r"\*Mine\*" in told and "not the paper's" not in told
    assert "not the paper's training" in findings.no_overfitting(Found(epochs=rows)).text


@pytest.mark.parametrize("rows", [pd.DataFrame(), epochs().iloc[:1], epochs() * NAN])
def test_empty_and_diverged_runs_break_no_finding(rows):
    rows = rows.reindex(columns=[*paper.EPOCHS.columns, "sample_loss", "sample_accuracy"])
    told = Found(seeds={1: rows}, seconds=[NAN], epochs=rows,
                 networks=[replace(CNN, val_accuracy=NAN, test_accuracy=NAN)])  # fmt: skip
    for each in STOPS:
        for claim in each.claims:
            if claim.finding:
                text = getattr(findings, claim.finding)(told).text
                assert text and "nan" not in text, claim.finding


def test_the_best_epoch_by_the_test_set_gains_by_luck():
    """The best epochs have 0.9801 and 0.9790, the last ones 0.9781 and 0.9790: 0.10 points."""
    one, two = epochs(0.9781), epochs(0.9790)
    one.loc[3, "val_accuracy"] = 0.9801
    told = findings.validation(Found(seeds={1: one, 2: two})).text
    assert "gains 0.10 points (2 runs, on average)" in told
    assert "no independent estimate" in told and "Linear baseline" in told


def test_runs_with_held_out_images_are_shown_with_both_accuracies():
    told = findings.validation(Found(networks=[SHALLOW, CNN]))
    assert "A CNN 98.80 % of images held out, 99.03 % of the test set" in told.text
    assert "Shallow" not in told.text and told.go is None
    assert PRESETS["linear"].validation_share == 0.1  # what is recommended


def test_seeds_are_judged_as_by_scipy():
    values = [0.9774, 0.9760, 0.9788, 0.9769]
    told = findings.one_seed(Found(seeds=seeds(*values)))
    scale = np.std(values, ddof=1) * math.sqrt(1 + 1 / 4)
    low, high = stats.t.interval(0.95, 3, np.mean(values), scale)
    assert f"{100 * low:.2f} – {100 * high:.2f} %" in told.text and "agree" in told.text
    assert "4 runs here: 97.60 % to 97.88 %, mean 97.73 %" in told.text and told.go is None


@pytest.mark.parametrize("values", [(0.97,), (0.97, 0.98)])
def test_few_seeds_ask_for_more(values):
    told = findings.one_seed(Found(seeds=seeds(*values)))
    assert "97.00 %" in told.text and "at least three seeds" in told.text
    assert told.go == ("train", "The paper") and len(values) < reproduction.ENOUGH


def test_the_interval_of_the_papers_accuracy_is_scipys():
    told = findings.accuracy_interval(Found()).text
    ci = stats.binomtest(9781, 10_000).proportion_ci(0.95, method="wilson")
    assert f"{100 * ci.low:.2f} to {100 * ci.high:.2f} %" in told
    assert "±0.29 points" in told
    # Two independent samples of 10,000: the normal distribution of their difference.
    spread = math.sqrt(2) * stats.binom.std(10_000, 0.9781) / 10_000
    assert f"less than {100 * stats.norm.ppf(0.975, scale=spread):.2f} points" in told


def test_the_run_played_is_measured_on_the_test_set():
    told = findings.on_the_test_set(
        Found(title="Mine", like_paper=True, evaluation=evaluation(190, 200))
    ).text
    ci = stats.binomtest(190, 200).proportion_ci(0.95, method="wilson")
    assert f"95.00 % ({100 * ci.low:.2f} to {100 * ci.high:.2f} %), 10 errors in 200" in told
    assert "a 4 is read as 9: 10 ×" in told and "no measure" not in told
    # The logits are 0 but for one 5: the loss is log(9 + e^5) − 5 where right, log(9 + e^5) else.
    assert f"loss {math.log(9 + math.exp(5)) - 5 * 0.95:.4f}" in told


def test_another_training_is_no_measure_for_the_paper():
    right = findings.on_the_test_set(Found(title="Mine", evaluation=evaluation(5, 5))).text
    assert "0 errors" in right and "Most often" not in right and "no measure" in right


def test_of_each_kind_the_best_by_validation_is_named():
    better = replace(CNN, title="Lucky", val_accuracy=0.985, test_accuracy=0.999)
    told = findings.future_work(Found(networks=[better, CNN, DEEP, LENET, SHALLOW]))
    assert "convolutional: A CNN, 42,746 parameters, 99.03 % of the test set" in told.text
    assert "more layers: Deep" in told.text and "another activation: LeNet" in told.text
    assert "Lucky" not in told.text and "Shallow" not in told.text and told.go is None


def test_images_held_out_go_before_the_test_set():
    by_test = replace(CNN, title="By the test set", held_out=False, val_accuracy=0.999)
    told = findings.future_work(Found(networks=[by_test, CNN])).text
    assert "A CNN" in told and "By the test set" not in told
    assert "Deep MLP (more layers), LeNet-5 (another activation)" in told


def test_the_networks_recommended_are_what_they_are_said_to_be():
    small, deep, lenet = (PRESETS[name] for name in ("small-cnn", "deep", "lenet"))
    assert small.name == "Small CNN" and small.convolutional
    assert deep.name == "Deep MLP" and sum(isinstance(la, Dense) for la in deep.layers) > 1
    assert lenet.name == "LeNet-5"
    assert {la.activation for la in lenet.layers if isinstance(la, Conv | Dense)} == {"tanh"}


# What is gathered of the runs


@pytest.fixture
def like_mnist(small):
    return replace(small, fingerprint=MNIST_FINGERPRINT)


def test_runs_as_in_the_paper_are_gathered_by_seed(root, small, like_mnist):
    as_paper = TrainConfig()
    write_run(root, like_mnist, replace(as_paper, seed=3))
    old = write_run(root, like_mnist, replace(as_paper, seed=1, name="old"))
    new = write_run(root, like_mnist, replace(as_paper, seed=1, name="new"))
    write_run(root, small, replace(as_paper, seed=4))  # other data
    write_run(root, like_mnist, replace(as_paper, seed=5), state="stopped")
    write_run(root, like_mnist, replace(as_paper, seed=6, epochs=4))
    touched = write_run(root, like_mnist, replace(as_paper, seed=7))
    driving.set_control(touched, learning_rate=0.5)
    found_runs = of_paper(runs.list_runs())
    assert list(found_runs) == [1, 3] and found_runs[1].id == new.id != old.id
    told = gather(like_mnist, runs.list_runs(), new)
    assert list(told.seeds) == [1, 3] and told.seconds == [4.0, 4.0] and told.like_paper
    assert told.last("val_accuracy")[0] == new.status["test_accuracy"]
    assert sum(told.train_counts) == 400 and sum(told.test_counts) == 101


def test_networks_are_gathered_once_whatever_their_seed(root, small, like_mnist, tiny_config):
    deep = replace(tiny_config, layers=(Dense(8, "tanh"), Dense(8)), validation_share=0.2)
    write_run(root, small, replace(deep, seed=1))
    write_run(root, small, replace(deep, seed=2, name="newest"))
    write_run(root, small, tiny_config, state="diverged")
    write_run(root, like_mnist, tiny_config)
    write_run(root, small, replace(tiny_config, label_noise=0.2))
    (one,) = gather(small, runs.list_runs()).networks
    assert (one.title, one.hidden, one.convolutional, one.held_out) == ("newest", 2, False, True)
    assert one.activations == {"tanh", "relu"}
    assert one.parameters == 784 * 8 + 8 + 8 * 8 + 8 + 8 * 10 + 10
    assert math.isnan(one.val_accuracy) and 0 < one.test_accuracy < 1


def test_nothing_is_gathered_of_nothing(small):
    told = gather(small, [])
    assert not told.seeds and not told.networks and told.epochs is None and not told.is_mnist
    assert found.Found().last("loss") == []
