"""How long a training will take: what was measured comes first, the cost model by hand."""

import math
from dataclasses import replace

import pytest

from mnist_core.config import TrainConfig
from mnist_core.layers import Conv, Dense, Dropout, MaxPool
from mnist_core.timing import (
    EXAM_IMAGES,
    GUESSED,
    MEASURED,
    SCALED,
    START_SECONDS,
    Estimate,
    expected,
    image_seconds,
)

PAPER = TrainConfig()
WIDE = TrainConfig(layers=(Dense(512), Dense(512)))
SMALL = TrainConfig(layers=(Dense(32),))
CNN = TrainConfig(layers=(Conv(16, 5, 2), Conv(32, 3, 2), Dropout(0.2)), batch_size=128)
LARGE_CNN = TrainConfig(layers=(Conv(32), MaxPool(), Conv(64), MaxPool(), Dense(128)))
NETWORKS = [PAPER, WIDE, SMALL, CNN, LARGE_CNN, TrainConfig(layers=())]


def modelled_speed(config):
    return 1 / image_seconds(config)


def without_start(estimate):
    return estimate.seconds - START_SECONDS


def test_the_papers_network_by_hand():
    """784-128-10, batches of 32: 101,770 parameters and 784·128 + 128·10 multiplications."""
    in_batch = 9e-5 + 101_770 * 1.1e-9
    by_hand = in_batch / 32 + 6 * 101_632 * 7e-12
    assert image_seconds(PAPER) == pytest.approx(by_hand, rel=1e-12)
    assert 0.5e5 < modelled_speed(PAPER) < 1.5e5  # measured: 80,000 to 110,000


def test_a_convolutional_network_by_hand():
    """14·14·16 = 3136 and 7·7·32 = 1568 values, both normalized; dropout 1568; output 10."""
    multiplications = 3136 * 25 + 1568 * 9 * 16 + 1568 * 10
    in_batch = 4 * 4.7e-4 + CNN.parameters * 1e-9
    values = (3136 + 1568 + 1568 + 10) * 4.3e-9 + (3136 + 1568) * 9e-9
    by_hand = in_batch / 128 + 6 * multiplications * 4e-12 + values
    assert image_seconds(CNN) == pytest.approx(by_hand, rel=1e-12)


def test_dropout_costs_what_a_training_without_xla_costs():
    """Measured beside other work: 24,900 images a second with it, 59,000 without."""
    dropped = replace(PAPER, layers=(Dense(128), Dropout(0.2)))
    in_batch = 3 * 4.7e-4 + 101_770 * 1e-9
    by_hand = in_batch / 32 + 6 * 101_632 * 4e-12 + (128 + 128 + 10) * 4.3e-9
    assert image_seconds(dropped) == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.parametrize(
    "config, measured",
    [
        (PAPER, 95_000),
        (replace(PAPER, batch_size=8), 33_000),
        (replace(PAPER, batch_size=256), 190_000),
        (TrainConfig(layers=()), 280_000),
        (WIDE, 17_400),
        (replace(WIDE, batch_size=256), 39_000),
        (TrainConfig(layers=(Dense(2048), Dense(1024))), 2_960),
        (
            TrainConfig(
                layers=(Conv(16, 5, 2), Conv(32, 3, 2), Conv(48), Dropout(0.2)), batch_size=128
            ),
            7_260,
        ),
        (
            TrainConfig(
                layers=(Conv(16, 5, 2), Conv(32, 3, 2), Conv(48), Dropout(0.2)), batch_size=8
            ),
            2_380,
        ),
        (replace(LARGE_CNN, batch_size=128), 1_380),
    ],
)
def test_the_model_is_near_what_was_measured(config, measured):
    """Images a second, medians on the machine the constants are of."""
    assert measured / 1.4 < modelled_speed(config) < measured * 1.4


def test_what_was_measured_on_the_network_decides():
    measured = [(WIDE, 10.0), (PAPER, 90_000.0), (PAPER, 5.0)]
    found = expected(PAPER, 60_000, measured)
    assert found == Estimate(5 * (60_000 + EXAM_IMAGES) / 90_000, MEASURED)
    assert found.seconds == pytest.approx(3.5)


def test_seed_rate_name_and_epochs_do_not_make_another_network():
    other = replace(PAPER, seed=7, learning_rate=0.01, name="A name", epochs=50)
    assert expected(PAPER, 60_000, [(other, 90_000.0)]).basis == MEASURED


@pytest.mark.parametrize(
    "change", [{"batch_size": 64}, {"optimizer": "sgd"}, {"layers": (Dense(127),)}]
)
def test_layers_optimizer_and_batch_size_do(change):
    assert expected(PAPER, 60_000, [(replace(PAPER, **change), 90_000.0)]).basis == SCALED


@pytest.mark.parametrize("config", NETWORKS)
def test_without_measurements_it_is_the_model(config):
    found = expected(config, 60_000, [])
    seconds = config.epochs * 63_000 * image_seconds(config)
    assert found == Estimate(pytest.approx(START_SECONDS + seconds), GUESSED)


@pytest.mark.parametrize("slower", [0.5, 1.0, 4.0])
def test_a_slower_machine_scales_the_model(slower):
    """Wide takes `slower` times what the model says; so will the paper's network."""
    found = expected(PAPER, 60_000, [(WIDE, modelled_speed(WIDE) / slower)])
    guessed = expected(PAPER, 60_000, [])
    assert found.basis == SCALED
    assert without_start(found) == pytest.approx(slower * without_start(guessed))


def test_the_median_of_the_networks_scales_it():
    """Ratios 2, 3 and 50, whose median is 3; of the same network the newest counts, and once."""
    sizes = [replace(PAPER, batch_size=size) for size in (8, 64, 256)]
    measured = [
        (config, modelled_speed(config) / slower)
        for config, slower in zip(sizes, (2, 3, 50), strict=True)
    ]
    older = [(sizes[0], modelled_speed(sizes[0]) / 1000)] * 5
    found = expected(PAPER, 60_000, measured + older)
    guessed = expected(PAPER, 60_000, [])
    assert without_start(found) == pytest.approx(3 * without_start(guessed))


def test_networks_that_xla_compiles_tell_nothing_of_others():
    dense, convolutional = (WIDE, 100.0), (LARGE_CNN, 100.0)
    assert expected(CNN, 60_000, [dense]) == expected(CNN, 60_000, [])
    assert expected(PAPER, 60_000, [convolutional]) == expected(PAPER, 60_000, [])
    assert expected(CNN, 60_000, [dense, convolutional]).basis == SCALED


@pytest.mark.parametrize("speed", [0.0, -5.0, math.nan, math.inf])
def test_speeds_that_are_none_are_passed_over(speed):
    assert expected(PAPER, 60_000, [(PAPER, speed)]).basis == GUESSED
    assert expected(PAPER, 60_000, [(PAPER, speed), (PAPER, 9e4)]).basis == MEASURED


@pytest.mark.parametrize("config", NETWORKS)
@pytest.mark.parametrize("known", [[], [(PAPER, 9e4), (LARGE_CNN, 1e3)]])
def test_time_grows_with_epochs_and_images(config, known):
    seconds = expected(config, 60_000, known).seconds
    begins = 0.0 if (config, 9e4) in known or (config, 1e3) in known else START_SECONDS
    twice = replace(config, epochs=2 * config.epochs)
    assert expected(twice, 60_000, known).seconds == pytest.approx(2 * seconds - begins)
    few = expected(config, 100, known).seconds
    assert 0 < few - begins < (seconds - begins) / 15


@pytest.mark.parametrize("config", NETWORKS)
def test_larger_batches_take_less_time(config):
    times = [image_seconds(replace(config, batch_size=size)) for size in (1, 8, 32, 256, 4096)]
    assert times == sorted(times, reverse=True)


def test_larger_networks_take_more():
    assert image_seconds(SMALL) < image_seconds(PAPER) < image_seconds(WIDE)
    normalized = replace(CNN, layers=(Conv(32, batch_norm=True),))
    assert image_seconds(normalized) > 1.5 * image_seconds(
        replace(CNN, layers=(Conv(32, batch_norm=False),))
    )


def test_layers_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="Expected"):
        expected(TrainConfig(layers=(Dense(8), Conv(8))), 60_000, [])
