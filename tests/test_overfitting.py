"""When training and validation part, on histories made by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from mnist_core.overfitting import Gap, gap

BY_HEART = "the network begins to learn its training images by heart. This is called overfitting."


def history(val_loss, sample_loss=None, first=1, **accuracies):
    """Epoch 0, untrained, then epochs with these losses; training's falls if it is not given."""
    n = len(val_loss)
    falling = [0.1 * 0.8**k for k in range(n)]
    table = pd.DataFrame(
        {
            "sample_loss": sample_loss or falling,
            "sample_accuracy": accuracies.get("sample_accuracy", 0.992),
            "val_loss": val_loss,
            "val_accuracy": accuracies.get("val_accuracy", 0.978),
        },
        index=pd.RangeIndex(first, first + n, name="epoch"),
    )
    untrained = pd.DataFrame(
        {"sample_loss": 2.3, "sample_accuracy": 0.1, "val_loss": 2.3, "val_accuracy": 0.1},
        index=[0],
    )
    return pd.concat([untrained, table])


def test_validation_rises_while_training_falls():
    """Means of the last two epochs: (0.0780 + 0.0800) / 2 and (0.0090 + 0.0080) / 2."""
    found = gap(
        history(
            [0.13, 0.09, 0.08, 0.0712, 0.0780, 0.0800], [0.12, 0.08, 0.05, 0.0210, 0.0090, 0.0080]
        )
    )
    assert found.opened == 4
    assert found.text == (
        "Since epoch 4 the loss on validation images rises (0.0712 → 0.0790) while the loss on "
        "training images still falls (0.0210 → 0.0085; the later figures are means of 2 epochs): "
        + BY_HEART
    )


def test_validation_still_falls():
    found = gap(history([0.13, 0.10, 0.09, 0.08, 0.07]))
    assert found == Gap(
        None,
        "After epoch 5 it reads 99.2 % of training images and 97.8 % of validation images: a gap "
        "of 1.4 points. The loss on validation images still falls.",
    )


def test_validation_has_hardly_risen():
    found = gap(history([0.13, 0.08, 0.0801, 0.0815]))  # 1.9 % above
    assert found.opened is None
    assert found.text.endswith(
        "The loss on validation images was least after epoch 2 and has hardly risen since."
    )


@pytest.mark.parametrize("losses", [[0.13, 0.08, 0.09], [0.13, 0.08, 0.081, 0.09]])
def test_one_epoch_may_be_chance(losses):
    found = gap(history(losses))
    assert found.opened is None
    assert found.text.endswith(
        "was least after epoch 2 and is higher now (0.0800 → 0.0900): one epoch may be chance."
    )


def test_where_both_rise_it_is_not_overfitting():
    found = gap(history([0.13, 0.08, 0.09, 0.10], [0.12, 0.07, 0.08, 0.09]))
    assert found.opened is None
    assert "has risen since epoch 2, but that on training images has not fallen" in found.text
    assert found.text.endswith("The learning rate may be too high.")


def test_one_jump_of_the_training_loss_changes_nothing():
    """Its mean over the last two epochs, 0.0125, is below the best epoch's 0.0147."""
    found = gap(
        history([0.09, 0.0785, 0.0871, 0.0942, 0.1214], [0.02, 0.0147, 0.0124, 0.01, 0.015])
    )
    assert found.opened == 2
    assert "(0.0147 → 0.0125;" in found.text


@pytest.mark.parametrize("rise, opened", [(1.019, None), (1.021, 2)])
def test_two_percent_in_both_epochs(rise, opened):
    for last in ([rise, 1.5], [1.5, rise]):
        assert gap(history([0.13, 0.08, *(0.08 * factor for factor in last)])).opened == opened


def test_it_ends_when_a_later_epoch_is_better():
    losses = [0.13, 0.08, 0.09, 0.10]
    assert gap(history(losses)).opened == 2
    assert gap(history([*losses, 0.079])).opened is None
    assert gap(history([*losses, 0.079, 0.09, 0.09])).opened == 5


def test_of_equal_epochs_the_first_is_best():
    assert gap(history([0.13, 0.08, 0.08, 0.09, 0.09])).opened == 2


def test_the_untrained_network_is_never_best():
    """Epoch 0 with a smaller loss than any later: a training that makes it worse."""
    table = history([0.5, 0.6, 0.7])
    table.loc[0, ["val_loss", "sample_loss"]] = 0.01
    assert gap(table).opened == 1


@pytest.mark.parametrize("table", [pd.DataFrame(), history([]), history([math.nan])])
def test_before_the_first_epoch_there_is_nothing_to_say(table):
    assert gap(table) == Gap(None, "")


def test_one_epoch_tells_scores_alone():
    assert gap(history([0.13])).text == (
        "After epoch 1 it reads 99.2 % of training images and 97.8 % of validation images: a gap "
        "of 1.4 points. How the loss on validation images goes on, the next epochs show."
    )


def test_epochs_that_are_not_numbers_are_left_out():
    losses = [0.13, 0.08, math.nan, 0.09, math.inf, 0.10, math.nan]
    found = gap(history(losses))
    assert found.opened == 2
    assert "(0.0800 → 0.0950)" in found.text
    assert gap(history([0.13, math.nan, 0.12])).text.startswith("After epoch 3 it reads")


def test_missing_doubled_and_disordered_rows():
    table = history([0.13, 0.08, 0.085, 0.09, 0.10])
    same = gap(table)
    assert gap(table.drop(3)).opened == same.opened == 2
    assert gap(pd.concat([table, table.loc[[2, 4]]]).iloc[::-1]) == same
    assert gap(table.drop(0)) == same
    assert gap(table.astype(object).where(table.notna(), None)) == same


@pytest.mark.parametrize("name", ["val_accuracy", "sample_accuracy"])
def test_without_accuracies_the_losses_still_speak(name):
    words = "The loss on validation images still falls."
    assert gap(history([0.13, 0.08], **{name: math.nan})).text == words
    assert gap(history([0.13, 0.08]).drop(columns=name)).text == words


@pytest.mark.parametrize(
    "own, other, words",
    [
        (0.9925, 0.9785, "a gap of "),
        (0.98, 0.98, "98.0 % of validation images: no gap."),
        (0.97, 0.98, "98.0 % of validation images: no gap."),
    ],
)
def test_the_gap_of_the_accuracies(own, other, words):
    assert words in gap(history([0.13], sample_accuracy=own, val_accuracy=other)).text


def test_a_reader_can_subtract():
    rng = np.random.default_rng(0)
    for own, other in np.sort(rng.uniform(0.9, 1, (200, 2)))[:, ::-1]:
        text = gap(history([0.13], sample_accuracy=own, val_accuracy=other)).text
        numbers = [float(word) for word in text.replace(" %", "").split() if "." in word[:-1]]
        if "no gap" not in text:
            assert numbers[0] - numbers[1] == pytest.approx(numbers[2], abs=1e-9), text
