"""TrainConfig -> a compiled keras.Sequential, built of Keras's own layers only.

Raw uint8 images (N, 28, 28) go in; scaling to [0, 1] is the first layer, so training and serving
cannot disagree. The last two layers are the logits and the softmax.
"""

from __future__ import annotations

import keras
import numpy as np

from mnist_core.config import TrainConfig
from mnist_core.keras_calls import Call
from mnist_core.layers import IMAGE_SHAPE


class ScheduledRate(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule times a factor that can be set while it runs (a schedule alone cannot)."""

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule):
        self.schedule = schedule
        self.factor = keras.Variable(1.0, trainable=False, name="rate_factor")

    def __call__(self, step):
        return self.schedule(step) * self.factor.value


def build(config: TrainConfig, steps_per_epoch: int = 1) -> keras.Sequential:
    """Return the compiled network with weights drawn from config.seed.

    uint8 (N, 28, 28) in, probabilities float32 (N, 10) out; schedules are laid over
    config.epochs × steps_per_epoch batches. Sets the seeds of Python, NumPy and TensorFlow for this
    process.
    """
    config.validate()
    keras.utils.set_random_seed(config.seed)
    layers = [call.build(keras) for call in config.keras_layers()]
    inputs = keras.layers.Input(IMAGE_SHAPE, dtype="uint8")
    model = keras.Sequential([inputs, *layers], name="mnist_lab")
    rate = config.rates(steps_per_epoch).keras()
    if isinstance(rate, Call):
        rate = ScheduledRate(rate.build(keras))
    model.compile(
        optimizer=config.keras_optimizer(rate).build(keras),
        loss=config.loss,
        metrics=["accuracy"],
        jit_compile=config.xla,
    )
    model.optimizer.build(model.trainable_variables)
    return model


def set_learning_rate(model: keras.Sequential, rate: float, base: float) -> None:
    """Set the learning rate; under a schedule, scale it so that `rate` replaces its peak `base`."""
    schedule = model.optimizer._learning_rate
    if isinstance(schedule, ScheduledRate):
        schedule.factor.assign(rate / base)
    else:
        model.optimizer.learning_rate = rate


def start_anew(model: keras.Sequential, fresh: keras.Sequential) -> None:
    """Give a trained network the weights and optimizer state of a like one just built."""
    model.stop_training = False
    pairs = zip(
        [*model.weights, *model.optimizer.variables],
        [*fresh.weights, *fresh.optimizer.variables],
        strict=True,
    )
    for variable, start in pairs:
        variable.assign(start)
    if isinstance(schedule := model.optimizer._learning_rate, ScheduledRate):
        schedule.factor.assign(1.0)


def seed_epoch(model: keras.Sequential, seed: int, epoch: int) -> None:
    """Set the states of all random layers to a function of (seed, epoch, position of the layer)."""
    for number, state in enumerate(random_states(model)):
        words = np.random.SeedSequence([seed, epoch, number]).generate_state(2)
        state.assign(words.astype("int64"))


def random_states(model: keras.Sequential) -> list[keras.Variable]:
    """Return the states of a network's random layers, such as dropout, from the input on."""
    return [la.seed_generator.state for la in model.layers if hasattr(la, "seed_generator")]


def plain(model: keras.Sequential) -> keras.Sequential:
    """Return the same network without its training; it loads in Keras with nothing of ours."""
    return keras.Sequential([keras.layers.Input(IMAGE_SHAPE, dtype="uint8"), *model.layers])


def logits_of(model: keras.Sequential) -> keras.Sequential:
    """Return the same network without its softmax; weights are shared."""
    return keras.Sequential([keras.layers.Input(IMAGE_SHAPE, dtype="uint8"), *model.layers[:-1]])


def after_scaling(network: keras.Sequential) -> keras.Sequential:
    """Return the same network from float32 pixels 0–1 on, as gradients need; weights are shared."""
    return keras.Sequential([keras.layers.Input(IMAGE_SHAPE), *network.layers[1:]])
