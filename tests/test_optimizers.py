"""Optimizers and schedules against Keras's own objects."""

import itertools

import keras
import pytest

from mnist_core import models
from mnist_core.config import TrainConfig
from mnist_core.keras_calls import Call
from mnist_core.optimizers import OPTIMIZERS, RATE_LADDER, Schedule

STEPS = 13  # an epoch
SCHEDULES = {
    "constant": TrainConfig(learning_rate=0.3),
    "step": TrainConfig(schedule="step", learning_rate=0.3, drop_every=2, drop_factor=0.35),
    "step each epoch": TrainConfig(schedule="step", drop_every=1, drop_factor=0.99, epochs=9),
    "step beyond the end": TrainConfig(schedule="step", drop_every=100),
    "cosine with warm-up": TrainConfig(schedule="cosine", learning_rate=0.02),
    "cosine without": TrainConfig(schedule="cosine", warm_up=0.0),
    "cosine half warm-up": TrainConfig(schedule="cosine", warm_up=0.5, epochs=3),
    "cosine of an epoch": TrainConfig(schedule="cosine", warm_up=0.01, epochs=1),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_rate_of_every_step_is_keras_s(name):
    """To two epochs beyond the end: a run may be given more."""
    config = SCHEDULES[name]
    rates = config.rates(STEPS)
    assert rates.total == config.epochs * STEPS
    optimizer = models.build(config, STEPS).optimizer
    seen = set()
    for step in range(rates.total + 2 * STEPS):
        optimizer.iterations.assign(step)
        theirs = float(optimizer.learning_rate)  # in float32
        assert rates.rate(step) == pytest.approx(theirs, rel=1e-6, abs=1e-7 * rates.peak)
        seen.add(rates.rate(step))
    assert (len(seen) == 1) == (name in ("constant", "step beyond the end"))
    assert max(seen) <= config.learning_rate


@pytest.mark.parametrize("total", [1, 2, 3, 10])
@pytest.mark.parametrize("warm_up", [0, 1])
def test_the_shortest_of_trainings_has_a_cosine(total, warm_up):
    rates = Schedule("cosine", 0.5, total, warm_up=warm_up)
    oracle = rates.keras().build(keras)
    for step in range(total + 2):
        assert rates.rate(step) == pytest.approx(float(oracle(step)), rel=1e-6)


def test_schedules_have_their_peak_and_end_where_they_say():
    cosine = SCHEDULES["cosine with warm-up"].rates(STEPS)  # 65 steps, 6 of warm-up
    assert (cosine.rate(0), cosine.rate(6), cosine.rate(65)) == pytest.approx((0, 0.02, 0.0002))
    assert cosine.rate(3) == pytest.approx(0.01)
    assert SCHEDULES["cosine without"].rates(STEPS).rate(0) == 0.001
    step = SCHEDULES["step"].rates(STEPS)
    assert [step.rate(n) for n in (0, 25, 26, 51, 52)] == pytest.approx(
        [0.3, 0.3, 0.105, 0.105, 0.03675]
    )


def test_a_constant_rate_is_a_number_and_a_schedule_is_a_call():
    assert SCHEDULES["constant"].rates(STEPS).keras() == 0.3
    assert isinstance(SCHEDULES["step"].rates(STEPS).keras(), Call)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_first_rate_of_an_optimizer_is_keras_s_own(name):
    chosen = OPTIMIZERS[name]
    built = getattr(keras.optimizers, chosen.keras)(**chosen.arguments)
    assert chosen.rate == pytest.approx(float(built.learning_rate))
    assert chosen.rate in RATE_LADDER


def test_optimizers_are_what_they_are_called():
    made = {
        name: TrainConfig(optimizer=name).keras_optimizer(0.5).build(keras) for name in OPTIMIZERS
    }
    built = {name: optimizer.get_config() for name, optimizer in made.items()}
    assert {name: type(optimizer) for name, optimizer in made.items()} == {
        "sgd": keras.optimizers.SGD, "momentum": keras.optimizers.SGD,
        "nesterov": keras.optimizers.SGD, "rmsprop": keras.optimizers.RMSprop,
        "adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW,
    }  # fmt: skip
    assert [built[name]["momentum"] for name in ("sgd", "momentum", "nesterov")] == [0, 0.9, 0.9]
    assert [built[name]["nesterov"] for name in ("sgd", "momentum", "nesterov")] == [
        False, False, True,
    ]  # fmt: skip
    assert built["adamw"]["weight_decay"] > 0 and not built["adam"]["weight_decay"]


def test_the_ladder_of_rates_climbs_in_five_steps_a_factor_of_ten():
    assert RATE_LADDER[0] == 1e-5 and RATE_LADDER[-1] == 10
    assert list(RATE_LADDER) == sorted(set(RATE_LADDER))
    for low, high in zip(RATE_LADDER, RATE_LADDER[5:], strict=False):
        assert high == pytest.approx(10 * low)
    steps = [high / low for low, high in itertools.pairwise(RATE_LADDER)]
    assert max(steps) <= 2.001 and min(steps) > 1.2
    for rate in RATE_LADDER:
        TrainConfig(learning_rate=rate).validate()
