"""TrainConfig -> a compiled keras.Sequential, built of Keras's own layers only.

Raw uint8 images (N, 28, 28) go in; scaling to [0, 1] is the first layer, so training and serving
cannot disagree. The last two layers are the logits and the softmax.
"""

from __future__ import annotations

import keras
import numpy as np

from mnist_core.config import CLASSES, IMAGE_SHAPE, Conv, Dense, Dropout, MaxPool, TrainConfig

WARM_UP_SHARE = 0.1  # of all steps, in the cosine schedule
FINAL_RATE_SHARE = 0.01  # where the cosine ends, and where added epochs go on


def _layers(config: TrainConfig) -> list[keras.layers.Layer]:
    layers = keras.layers
    stack = [layers.Input(IMAGE_SHAPE, dtype="uint8"), layers.Rescaling(1 / 255)]
    flat = not any(isinstance(layer, Conv | MaxPool) for layer in config.layers)
    stack.append(layers.Flatten() if flat else layers.Reshape((*IMAGE_SHAPE, 1)))
    for layer in (*config.layers, Dense(CLASSES, "linear")):
        if isinstance(layer, Dense) and not flat:
            stack.append(layers.Flatten())
            flat = True
        match layer:
            case Dense(units, activation):
                stack.append(layers.Dense(units, activation=activation))
            case Conv(filters, kernel, stride, activation, batch_norm):
                stack.append(
                    layers.Conv2D(filters, kernel, stride, "same", use_bias=not batch_norm)
                )
                if batch_norm:
                    stack.append(layers.BatchNormalization())
                stack.append(layers.Activation(activation))
            case MaxPool(size):
                stack.append(layers.MaxPooling2D(size))
            case Dropout(rate):
                stack.append(layers.Dropout(rate))
    return [*stack, layers.Softmax()]


class ScheduledRate(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule times a factor that can be set while it runs (a schedule alone cannot)."""

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule):
        self.schedule = schedule
        self.factor = keras.Variable(1.0, trainable=False, name="rate_factor")

    def __call__(self, step):
        return self.schedule(step) * self.factor.value


def _learning_rate(config: TrainConfig, total_steps: int):
    if config.schedule == "constant":
        return config.learning_rate
    warm_up = int(total_steps * WARM_UP_SHARE)
    return ScheduledRate(
        keras.optimizers.schedules.CosineDecay(
            0.0 if warm_up else config.learning_rate,
            max(1, total_steps - warm_up),
            alpha=FINAL_RATE_SHARE,
            warmup_target=config.learning_rate if warm_up else None,
            warmup_steps=warm_up,
        )
    )


def _optimizer(config: TrainConfig, total_steps: int) -> keras.optimizers.Optimizer:
    rate = _learning_rate(config, total_steps)
    match config.optimizer:
        case "adam":
            return keras.optimizers.Adam(rate)
        case "adamw":
            return keras.optimizers.AdamW(rate)
        case "rmsprop":
            return keras.optimizers.RMSprop(rate)
        case "momentum":
            return keras.optimizers.SGD(rate, momentum=0.9)
        case _:
            return keras.optimizers.SGD(rate)


def build(config: TrainConfig, total_steps: int = 1) -> keras.Sequential:
    """Return the compiled network with weights drawn from config.seed.

    uint8 (N, 28, 28) in, probabilities float32 (N, 10) out; loss: categorical cross-entropy on
    one-hot labels. total_steps is the length of the cosine schedule, in batches. Sets the seeds of
    Python, NumPy and TensorFlow for this process.
    """
    config.validate()
    keras.utils.set_random_seed(config.seed)
    model = keras.Sequential(_layers(config), name="mnist_lab")
    model.compile(
        optimizer=_optimizer(config, total_steps),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
        # XLA makes small dense networks three times faster and convolutions ten times slower.
        jit_compile=not config.convolutional,
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
