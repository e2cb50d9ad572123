"""Train without a browser: the form, the drive, what is watched, the paper, the queue.

No trainer process starts: a test writes what one would have written.
"""

import json
import time
from dataclasses import fields, replace

import numpy as np
import pytest
import streamlit as st
from apptest import (
    array,
    button,
    components,
    drawn_digits,
    figure,
    go,
    grid,
    popovers,
    start,
    url,
    words,
)
from conftest import write_run
from scipy import ndimage

from mnist_core import config, data, driving, paper, recording, runs, watching, wording
from mnist_core.config import TrainConfig
from mnist_core.layers import LAYERS, MAX_LAYERS, Conv, Dense, Dropout, MaxPool, dense_stack
from mnist_core.optimizers import OPTIMIZERS
from mnist_core.presets import PRESETS
from mnist_core.ui import form, frame

pytestmark = pytest.mark.usefixtures("app_on_small_data")

# Every hyperparameter otherwise than the paper's, but for those that do not apply beside others.
STEPPED = TrainConfig(
    layers=(
        Conv(16, 5, 2, "tanh", batch_norm=False, padding="valid", l2=0.001),
        MaxPool(3),
        Dropout(0.35),
        Dense(64, "gelu", batch_norm=True, l2=0.0002),
    ),
    initializer="he_normal", loss="sparse_categorical_crossentropy", optimizer="nesterov",
    learning_rate=0.05, schedule="step", drop_every=3, drop_factor=0.7, batch_size=48, epochs=7,
    validation_share=0.15, training_size=300, label_noise=0.25, shift=1.5, rotate=12.0, zoom=0.1,
    patience=4, stop_metric="val_accuracy", best_weights="last", seed=77,
)  # fmt: skip
WARMED = replace(
    STEPPED, layers=(), loss="mean_squared_error", schedule="cosine", warm_up=0.25,
    drop_every=2, drop_factor=0.5, validation_share=0.0, training_size=None, patience=0,
    stop_metric="val_loss", best_weights="back",
)  # fmt: skip


@pytest.fixture
def like_mnist(small, monkeypatch):
    """The app on the small dataset, which it takes for the paper's."""
    known = replace(small, name="MNIST", fingerprint=data.MNIST_FINGERPRINT)
    monkeypatch.setattr(data, "find", lambda *args: (known, ()))
    st.cache_resource.clear()
    return known


# What the page says


def field(at, name):
    """Return a field of the form, or None where it is not drawn."""
    try:
        return at.get_by_key(form.PREFIX + name)
    except KeyError:
        return None


def layer_field(at, place, name):
    number, _ = at.session_state[form.PREFIX + "layers"][place]
    return at.get_by_key(form.layer_key(number, name))


def layer_button(at, place, name):
    number, _ = at.session_state[form.PREFIX + "layers"][place]
    return at.button(key=f"layer_{number}_{name}")


def layer_row(at, place):
    number, _ = at.session_state[form.PREFIX + "layers"][place]
    return at.get_by_key(f"layer_row_{number}")


def add(at, kind):
    return at.menu_button(key="add_layer").click(kind).run()


def fill(at, wanted):
    """Fill the form by its widgets."""
    while at.session_state[form.PREFIX + "layers"]:
        layer_button(at, 0, "remove").click().run()
    for layer in wanted.layers:
        add(at, layer.kind)
    for place, layer in enumerate(wanted.layers):
        for each in fields(layer):
            layer_field(at, place, each.name).set_value(getattr(layer, each.name))
    for _ in range(3):  # some fields appear only now, and an optimizer sets the rate
        for each in form.SCALARS:
            widget = field(at, each.name)
            if widget and not getattr(widget, "disabled", False):
                widget.set_value(getattr(wanted, each.name))
        at.run()
    assert not at.exception


def held(at):
    """Return what the form holds, by the page's address."""
    found, problems = config.from_query({k: v for k, v in url(at).items() if k != "run"})
    assert not problems
    return found


def kinds(at):
    return [layer.kind for layer in held(at).layers]


def can_start(at):
    """Return whether a training can be started; both ways or neither."""
    slowly = at.menu_button(key="start_slowly").proto.disabled
    assert slowly == button(at, "Start training").disabled
    return not slowly


def drive_button(at, key):
    """Return a run's button, or None where it is not drawn."""
    return next((button for button in at.button if button.key == key), None)


def level(at, name):
    """Return the menu of a run's learning rate ("rate") or its pace."""
    (found,) = (each for each in at.menu_button if str(each.key).startswith(f"drive_{name}_"))
    return found


def said(at):
    """Return the line above the run's buttons."""
    return at.get("progress")[0].proto.text


def metric(at, label):
    return next(metric.value for metric in at.metric if metric.label == label)


def traces(at, key="curve_accuracy"):
    return {trace.get("name", ""): trace for trace in figure(at, key)["data"]}


def open_code(at):
    at.session_state["code"] = True  # as a click does
    return at.run()


def show(at, view):
    return at.segmented_control(key="train").set_value(view).run()


# The form: presets


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_fills_the_form_and_is_what_is_trained(name):
    preset = PRESETS[name]
    at = start("train")
    at.selectbox(key="preset").set_value(name).run()
    assert not at.exception
    for each in form.SCALARS:
        assert field(at, each.name) is None or field(at, each.name).value == getattr(
            preset, each.name
        )
    assert any(f"{preset.parameters:,} parameters" in each.label for each in at.expander)
    button(at, "Start training").click().run()
    assert not at.exception
    (run,) = runs.list_runs()
    assert run.config == preset and run.control == runs.NO_CONTROL


def test_settings_that_no_preset_has_are_ones_own():
    at = start("train")
    assert at.selectbox(key="preset").value == "paper"
    field(at, "epochs").set_value(9).run()
    assert at.selectbox(key="preset").value is None
    assert at.selectbox(key="preset").proto.placeholder == "Settings of your own"
    at.selectbox(key="preset").set_value("lenet").run()
    assert at.selectbox(key="preset").value == "lenet" and field(at, "epochs").value == 5
    add(at, "dropout")
    assert at.selectbox(key="preset").value is None
    layer_button(at, -1, "remove").click().run()
    assert at.selectbox(key="preset").value == "lenet"


def test_a_seed_alone_keeps_the_papers_name():
    at = start("train")
    field(at, "seed").set_value(5).run()
    assert at.selectbox(key="preset").value == "paper"
    button(at, "Start training").click().run()
    (run,) = runs.list_runs()
    assert run.config.name == PRESETS["paper"].name and run.config.seed == 5


# The form: address and session


def test_the_configs_of_these_tests_leave_no_hyperparameter_out():
    for each in fields(TrainConfig):
        values = {getattr(known, each.name) for known in (STEPPED, WARMED)}
        assert not each.metadata or values - {each.default}, each.name


@pytest.mark.parametrize("wanted", [STEPPED, WARMED], ids=["step", "cosine"])
def test_every_hyperparameter_is_kept_linked_and_trained(wanted):
    at = start("train")
    fill(at, wanted)
    assert url(at) == wanted.to_query()
    go(at, "browse")
    at.query_params.clear()  # as Streamlit does
    go(at, "train")
    assert url(at) == wanted.to_query()

    other = start("train", **wanted.to_query())
    for each in (at, other):
        for scalar in form.SCALARS:
            widget = field(each, scalar.name)
            assert widget is None or widget.value == getattr(wanted, scalar.name), scalar.name
        for place, layer in enumerate(wanted.layers):
            for part in fields(layer):
                assert layer_field(each, place, part.name).value == getattr(layer, part.name)
    assert url(other) == wanted.to_query() and not other.warning
    button(other, "Start training").click().run()
    assert [run.config for run in runs.list_runs()] == [wanted]


def test_the_papers_settings_stay_out_of_the_address():
    at = start("train", epochs="5", optimizer="adam", layers="dense", batch_size="64")
    assert url(at) == {"batch_size": "64"}
    field(at, "batch_size").set_value(32).run()
    assert url(at) == {}


@pytest.mark.parametrize("page", [page for page in frame.PAGES if page != "train"])
def test_the_form_survives_a_look_at_another_page(page):
    at = start("train")
    field(at, "epochs").set_value(17).run()
    go(at, page)
    go(at, "train")
    assert field(at, "epochs").value == 17


@pytest.mark.parametrize("view", ["The paper", "Queue"])
def test_the_form_survives_the_other_views(view):
    at = start("train", schedule="cosine", warm_up="0.3", layers="dense-50~dropout-0.5")
    show(at, view)
    assert field(at, "warm_up") is None
    show(at, "Studio")
    assert field(at, "warm_up").value == 0.3 and layer_field(at, 1, "rate").value == 0.5
    assert held(at) == TrainConfig(layers=(Dense(50), Dropout(0.5)), schedule="cosine", warm_up=0.3)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("optimizer", "magic"),
        ("epochs", "-3"),
        ("epochs", "1e400"),
        ("epochs", "9" * 5000),
        ("epochs", ""),
        ("learning_rate", "nan"),
        ("learning_rate", "inf"),
        ("learning_rate", ""),
        ("learning_rate", "![](//a.example)"),
        ("seed", str(2**31)),
        ("training_size", "60001"),
        ("label_noise", "0.9"),
        ("drop_every", "0"),
        ("best_weights", "\x00"),
        ("layers", ""),
        ("layers", "~".join(["dense"] * 10_000)),
        ("layers", "dense-0"),
        ("layers", "dense-nan"),
        ("layers", "dense-128-relu-1-0-9"),
        ("layers", "<b>x</b>"),
    ],
)
def test_a_link_with_a_bad_value_says_so_and_keeps_the_rest(name, text):
    at = start("train", **{"batch_size": "64", name: text})
    assert len(at.warning) == 1 and not at.error
    warning = at.warning[0].value.replace("\\", "")  # what Markdown shows
    assert warning.startswith(f"{name} in this link was left out. Expected") and len(warning) < 300
    assert "![](" not in at.warning[0].value and "<b>" not in at.warning[0].value
    assert held(at) == TrainConfig(batch_size=64) and url(at) == {"batch_size": "64"}
    assert field(at, "batch_size").value == 64 and can_start(at)


def test_several_bad_values_of_a_link_are_named_one_by_one():
    at = start("train", optimizer="magic", epochs="many", layers="none")
    assert len(at.warning) == 2
    at.selectbox(key="preset").set_value("linear").run()
    assert not at.warning  # it is the past


# The form: limits


@pytest.mark.parametrize(
    ("name", "value", "limit"),
    [
        ("batch_size", 0, "batch size"),
        ("epochs", 0, "epochs"),
        ("epochs", 10**12, "epochs"),
        ("training_size", 1, "training images"),
        ("seed", -1, "seed"),
        ("shift", 6.5, "shift"),
    ],
)
def test_a_value_outside_its_limits_is_explained_and_cannot_start(name, value, limit):
    at = start("train")
    field(at, name).set_value(value).run()
    assert not at.exception
    assert at.error[0].value.startswith("Expected") and limit in at.error[0].value
    assert not can_start(at) and button(at, "Start training").help == at.error[0].value
    field(at, name).set_value(getattr(TrainConfig(), name)).run()
    assert can_start(at) and not at.error


def test_an_emptied_field_holds_what_it_held():
    at = start("train", epochs="7", layers="dense-30")
    field(at, "epochs").set_value(None)
    layer_field(at, 0, "units").set_value(None)
    at.run()
    assert not at.exception and not at.error
    assert field(at, "epochs").value == 7 and layer_field(at, 0, "units").value == 30
    assert held(at) == TrainConfig(layers=(Dense(30),), epochs=7)


def test_the_number_of_training_images_is_emptied_to_all():
    at = start("train", training_size="300")
    assert field(at, "training_size").proto.placeholder == "all"
    field(at, "training_size").set_value(None).run()
    assert not at.exception and held(at) == TrainConfig() and url(at) == {}


def test_too_many_parameters_are_refused_with_their_number():
    at = start("train", layers="~".join(["dense-2048"] * 5))
    known = TrainConfig(layers=dense_stack((2048,) * 5, "relu", 0.0))
    assert f"{known.parameters:,}" in at.error[0].value
    assert not can_start(at)


def test_start_takes_what_was_typed_last():
    """Typing and pressing Start at once reach the server together."""
    at = start("train")
    field(at, "epochs").set_value(17)
    button(at, "Start training").click().run()
    assert not at.exception
    (run,) = runs.list_runs()
    assert run.config.epochs == 17


def test_start_with_a_bad_value_typed_last_starts_nothing():
    at = start("train")
    field(at, "batch_size").set_value(0)
    button(at, "Start training").click().run()
    assert not at.exception
    assert any("batch size" in error.value for error in at.error)
    assert not runs.list_runs()


# The form: layers


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_of_each_kind_can_be_added(kind):
    at = start("train", layers="conv-8~dense-32~dense-16")
    add(at, kind)
    assert not at.exception and not at.error
    # What works on an image comes before the first dense layer, everything else at the end.
    place = 1 if LAYERS[kind].needs_image else 3
    expected = ["conv", "dense", "dense"]
    expected.insert(place, kind)
    assert kinds(at) == expected and held(at).layers[place] == LAYERS[kind]()
    assert can_start(at)


def test_layers_move_and_go():
    at = start("train", layers="dense-11~dense-12~dense-13")
    units = lambda: [layer.units for layer in held(at).layers]  # noqa: E731
    layer_button(at, 2, "up").click().run()
    assert units() == [11, 13, 12]
    layer_button(at, 0, "down").click().run()
    assert units() == [13, 11, 12]
    layer_field(at, 1, "units").set_value(99).run()
    layer_button(at, 0, "remove").click().run()
    assert units() == [99, 12]
    ends = [(layer_button(at, i, "up").disabled, layer_button(at, i, "down").disabled)
            for i in range(2)]  # fmt: skip
    assert ends == [(True, False), (False, True)]
    layer_button(at, 0, "remove").click().run()
    layer_button(at, 0, "remove").click().run()
    assert units() == [] and url(at)["layers"] == "none" and can_start(at)
    assert TrainConfig(layers=()).parameters == 7850
    assert any("7,850 parameters" in each.label for each in at.expander)


def test_there_are_sixteen_layers_at_most():
    at = start("train", layers="~".join(["dense-8"] * (MAX_LAYERS - 1)))
    menu = at.menu_button(key="add_layer")
    assert not menu.proto.disabled
    add(at, "dropout")
    assert len(kinds(at)) == MAX_LAYERS and can_start(at)
    menu = at.menu_button(key="add_layer")
    assert menu.proto.disabled and str(MAX_LAYERS) in menu.help


@pytest.mark.parametrize(
    ("layers", "place", "reason"),
    [
        ("max_pool-4~max_pool-4~conv-8-5", 2, "a kernel of at most 1"),
        ("conv-8-11-4~conv-8-11", 1, "a kernel of at most 7"),
        ("conv~max_pool-4~max_pool-4~average_pool", 3, "a size of at most 1"),
        ("dense~conv", 1, "an image before a convolution"),
        ("dense~dropout~max_pool", 2, "an image before a max pooling layer"),
    ],
)
def test_a_layer_that_cannot_be_built_is_refused_where_it_stands(layers, place, reason):
    at = start("train", layers=layers)
    assert not at.warning  # it is a link all the same
    assert url(at)["layers"] == layers
    for other in range(len(kinds(at))):
        errors = [error.value for error in layer_row(at, other).get("error")]
        assert len(errors) == (other == place)
        assert all(text.startswith(f"Layer {place + 1}: Expected") for text in errors)
        assert all(reason in text for text in errors)
        assert len(layer_row(at, other).get("caption")) == (other < place)
    assert any(each.label == "Network: cannot be built" for each in at.expander)
    assert not can_start(at)
    assert f"see layer {place + 1}" in button(at, "Start training").help
    assert f"see layer {place + 1}" in at.menu_button(key="start_slowly").help
    layer_button(at, place, "remove").click().run()
    assert can_start(at) and not at.error


@pytest.mark.parametrize(("name", "value"), [("units", 0), ("units", 100_000), ("l2", -0.1)])
def test_a_layers_value_outside_its_limits_is_refused_at_the_layer(name, value):
    at = start("train", layers="dense-20~dense-30")
    layer_field(at, 1, name).set_value(value).run()
    assert not at.exception
    (error,) = layer_row(at, 1).get("error")
    assert error.value.startswith(f"Layer 2: Expected {name}") and not can_start(at)
    layer_field(at, 1, name).set_value(LAYERS["dense"]().__dict__[name]).run()
    assert can_start(at)


@pytest.mark.parametrize(
    "layers",
    ["none", "dense-300~dropout-0.4~dense-100-tanh-1", "conv-6-5-1-tanh-0~average_pool~conv-16-5-1-"
     "tanh-0-valid~average_pool~dense-120~dense-84", "dropout~conv-7-4-3~max_pool-3~dropout"],
)  # fmt: skip
def test_the_lines_of_the_layers_are_the_networks_table(layers):
    at = start("train", layers=layers)
    table = held(at).rows()
    own = [row for row in table if row.name != "flatten"][1:-1]
    for place, row in enumerate(own):
        assert popovers(layer_row(at, place)) == [wording.verbatim(row.name)]
        (caption,) = layer_row(at, place).get("caption")
        shape, _, count = caption.value.partition(", ")
        assert shape == "×".join(map(str, row.output_shape))
        assert count == (wording.count(row.parameters, "parameter") if row.parameters else "")
    assert f"output 10, softmax, {table[-1].parameters:,} parameters" in words(at)
    total = sum(row.parameters for row in table)
    assert any(each.label == f"Network: {total:,} parameters" for each in at.expander)


# The form: what applies, and what is drawn of it


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_learning_rate_follows_the_optimizer(name):
    at = start("train", learning_rate="0.3")
    field(at, "optimizer").set_value("momentum" if name == "adam" else "adam").run()
    field(at, "optimizer").set_value(name).run()
    assert field(at, "learning_rate").value == OPTIMIZERS[name].rate
    field(at, "learning_rate").set_value(0.02).run()
    field(at, "epochs").set_value(6).run()
    assert held(at) == TrainConfig(optimizer=name, learning_rate=0.02, epochs=6)


def test_a_learning_rate_between_the_steps_of_the_ladder_is_kept():
    at = start("train", learning_rate="0.0042")
    slider = field(at, "learning_rate")
    assert slider.value == 0.0042
    assert slider.options.index("0.003") < slider.options.index("0.0042")
    assert slider.options.index("0.0042") < slider.options.index("0.005")
    field(at, "epochs").set_value(6).run()
    assert held(at) == TrainConfig(learning_rate=0.0042, epochs=6)


def test_fields_that_apply_appear():
    at = start("train")
    drawn = lambda: {each.name for each in form.SCALARS if field(at, each.name)}  # noqa: E731
    always = {each.name for each in form.SCALARS} - form.APPLIES.keys() | {"patience"}
    assert drawn() == always and field(at, "patience").disabled
    field(at, "schedule").set_value("cosine").run()
    assert drawn() == always | {"warm_up"}
    field(at, "schedule").set_value("step").run()
    assert drawn() == always | {"drop_every", "drop_factor"}
    field(at, "validation_share").set_value(0.1).run()
    assert not field(at, "patience").disabled
    field(at, "patience").set_value(3).run()
    assert drawn() == always | {"drop_every", "drop_factor", "stop_metric", "best_weights"}
    assert can_start(at)


def test_what_does_not_apply_does_not_count():
    """A value that was set before stays for the day when it applies again."""
    at = start("train", schedule="cosine", warm_up="0.3", validation_share="0.2", patience="4")
    assert held(at).warm_up == 0.3 and held(at).patience == 4
    field(at, "schedule").set_value("constant").run()
    field(at, "validation_share").set_value(0.0).run()
    assert held(at) == TrainConfig() and can_start(at) and not at.error
    field(at, "schedule").set_value("cosine").run()
    field(at, "validation_share").set_value(0.2).run()
    assert held(at).warm_up == field(at, "warm_up").value == 0.3
    assert held(at).patience == field(at, "patience").value == 4


def test_the_curve_of_a_step_schedule_is_that_of_the_steps(small):
    at = start("train", schedule="step", drop_every="2", drop_factor="0.1", epochs="6")
    (curve,) = figure(at, "schedule_curve")["data"]
    x, y = array(curve["x"]), array(curve["y"])
    for epoch, rate in ((0.5, 1e-3), (1.9, 1e-3), (2.1, 1e-4), (3.9, 1e-4), (4.1, 1e-5)):
        np.testing.assert_allclose(np.interp(epoch, x, y), rate)
    assert y.min() > 9e-6  # what would come after the end is not drawn
    assert (x[0], round(x[-1])) == (0, 6)


def test_the_curve_of_a_cosine_climbs_then_falls():
    at = start("train", schedule="cosine", warm_up="0.25", epochs="8", learning_rate="0.02")
    (curve,) = figure(at, "schedule_curve")["data"]
    x, y = array(curve["x"]), array(curve["y"])
    assert x[y.argmax()] == pytest.approx(2, abs=0.1) and y.max() == pytest.approx(0.02, rel=0.01)
    assert y[0] == 0 and y[-1] == pytest.approx(0.0002, rel=0.1)
    field(at, "epochs").set_value(0).run()
    assert not at.exception and "schedule_curve" not in components(at, "chart")
    field(at, "epochs").set_value(8)
    field(at, "schedule").set_value("constant").run()
    assert "schedule_curve" not in components(at, "chart")


def test_eight_digits_show_the_augmentation(small):
    at = start("train")
    assert "augmented" not in components(at, "digit_grid")
    field(at, "shift").set_value(2.0).run()
    shown = [int(text.split("image ")[1].split(",")[0]) for text in
             grid(at, "augmented")["captions"]]  # fmt: skip
    moved, still = drawn_digits(at, "augmented"), small.train.images[shown]
    assert len(moved) == 8
    middle = lambda images: np.array([ndimage.center_of_mass(image) for image in images])  # noqa: E731
    ways = abs(middle(moved) - middle(still))
    assert 0.5 < ways.max() < 2.5 and (ways.max(axis=1) > 0).all()
    field(at, "seed").set_value(2).run()
    assert (drawn_digits(at, "augmented") != moved).any()
    field(at, "shift").set_value(99.0).run()
    assert not at.exception and "augmented" not in components(at, "digit_grid")


# The form: how long it takes


def test_an_estimate_calls_itself_one_until_the_network_was_measured(root, small, tiny_config):
    at = start("train")
    (line,) = [each.value for each in at.caption if each.value.startswith("Takes about")]
    assert "guessed" in line
    run = write_run(root, small, replace(tiny_config, name=""))
    runs.beat(run, images_per_second=1000)
    at = start("train")
    (line,) = [each.value for each in at.caption if each.value.startswith("Takes about")]
    assert "estimated from other networks" in line
    # 400 images and what the end of an epoch costs, at 1,000 a second.
    at = start("train", layers="dense-16", epochs="10")
    assert "Takes about 34 s: measured on this network." in words(at)
    field(at, "epochs").set_value(5).run()
    assert "Takes about 17 s: measured on this network." in words(at)
    field(at, "epochs").set_value(0).run()
    assert "Takes about" not in words(at)


def test_it_says_on_what_it_validates():
    at = start("train")
    assert "Validates on the test set, as the paper does." in words(at)
    field(at, "validation_share").set_value(0.1).run()
    assert "Validates on the test set" not in words(at)


# Start


@pytest.mark.parametrize(
    ("how", "level"),
    [("one step", {"run_until": 1}), ("slow motion, 2 batches a second", {"pace": 2})],
)
def test_a_training_starts_slowly(how, level):
    at = start("train")
    field(at, "epochs").set_value(9)
    at.menu_button(key="start_slowly").click(how).run()
    assert not at.exception
    (run,) = runs.list_runs()
    assert run.control == runs.NO_CONTROL | level and run.config.epochs == 9
    assert url(at)["run"] == run.id


def test_start_pressed_twice_queues_one_run():
    at = start("train")
    button(at, "Start training").click().run()
    button(at, "Start training").click().run()
    assert not at.exception and not at.error
    (run,) = runs.list_runs()
    assert run.state == "queued" and url(at)["run"] == run.id


def test_each_waiting_run_knows_its_place(root, small, tiny_config):
    for _ in range(3):
        run = runs.create(tiny_config, small.describe())
        time.sleep(0.002)  # the queue's order is that of the milliseconds
    at = start("train", run=run.id)
    assert "number 3 in the queue" in said(at)


@pytest.mark.parametrize("press", ["Start training", "Resume"])
def test_a_full_queue_is_explained(press, root, small, tiny_config):
    stopped = write_run(root, small, tiny_config, state="stopped")
    for _ in range(runs.MAX_QUEUE):
        runs.create(tiny_config, small.describe())
    at = start("train", run=stopped.id)
    button(at, press).click().run()
    assert not at.exception
    assert f"{runs.MAX_QUEUE} runs are waiting" in at.error[0].value
    assert len(runs.waiting()) == runs.MAX_QUEUE


def test_a_runs_folder_that_cannot_be_written_is_explained(tmp_path, monkeypatch):
    """A file stands where the folder should be: refused to everybody, also to root."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MNIST_RUNS", str(tmp_path / "file" / "runs"))
    at = start("train")
    button(at, "Start training").click().run()
    assert not at.exception
    shown = at.error[0].value.replace("\\", "")  # what Markdown shows
    assert "cannot be written" in shown and "MNIST_RUNS" in shown
    at = start()
    button(at, "Train the paper's network").click().run()
    assert not at.exception
    assert "cannot be written" in at.error[0].value


# The drive

# In each state what a button does: the state after it, and what viewers want then. Written at step
# 16 of 39, 13 an epoch; a complete run at its end.
PRESSES = {
    "queued": {"pause": ("paused", {}), "stop": ("stopped", {})},
    "running": {"pause": ("running", {"run_until": 0}), "stop": ("running", {"stop": True})},
    "paused": {
        "resume": ("queued", {}),
        "one_step": ("queued", {"run_until": 17}),
        "one_epoch": ("queued", {"run_until": 26}),
        "stop": ("stopped", {}),
    },
    "completed": {
        "one_epoch": ("queued", {"epochs": 4}),
        "+5_epochs": ("queued", {"epochs": 8}),
    },
    "diverged": {},
}
PRESSES |= {
    state: {name: PRESSES["paused"][name] for name in ("resume", "one_step", "one_epoch")}
    for state in ("stopped", "failed", "interrupted")
}
DRIVE = ("pause", "resume", "one_step", "one_epoch", "+5_epochs", "stop")


def in_state(root, small, tiny_config, state):
    run = write_run(root, small, tiny_config, epochs=3 if state == "completed" else 1, state=state)
    if state != "completed":
        runs.beat(run, step=16)
    return runs.read(run.id)


def test_all_states_are_driven():
    assert PRESSES.keys() == set(runs.STATES)


@pytest.mark.parametrize("state", PRESSES)
def test_a_button_that_cannot_act_is_off_and_says_why(state, root, small, tiny_config):
    in_state(root, small, tiny_config, state)
    at = start("train")
    drawn = {key: found for key in DRIVE if (found := drive_button(at, key))}
    assert {key for key, each in drawn.items() if not each.disabled} == PRESSES[state].keys()
    assert len(drawn) == len(DRIVE) - 1  # Pause and Resume take turns
    for each in drawn.values():
        assert bool(each.help) == each.disabled
    for name in ("rate", "pace"):
        menu = level(at, name)
        assert menu.proto.disabled == (state == "diverged")
        assert not menu.proto.disabled or "diverged" in menu.help


@pytest.mark.parametrize(
    ("state", "key"), [(state, key) for state, keys in PRESSES.items() for key in keys]
)
def test_a_press_does_what_the_button_says(state, key, root, small, tiny_config):
    run = in_state(root, small, tiny_config, state)
    at = start("train")
    drive_button(at, key).click().run()
    assert not at.exception and not at.error
    after, level = PRESSES[state][key]
    now = runs.read(run.id)
    assert now.state == after
    revision = now.control["revision"]
    assert now.control == runs.NO_CONTROL | level | {"revision": revision}
    assert revision == (after == "queued" or bool(level))


def test_a_run_that_never_began_goes_on_by_a_step_but_not_by_an_epoch():
    """How many steps an epoch has, the trainer counts."""
    at = start("train")
    button(at, "Start training").click().run()
    at.button(key="pause").click().run()
    assert runs.list_runs()[0].state == "paused"
    assert at.button(key="one_epoch").disabled and "begun" in at.button(key="one_epoch").help
    at.button(key="one_step").click().run()
    (run,) = runs.list_runs()
    assert run.state == "queued" and run.control["run_until"] == 1


def test_resume_lifts_what_a_step_or_a_stop_has_set(root, small, tiny_config):
    run = in_state(root, small, tiny_config, "stopped")
    driving.set_control(run, stop=True, run_until=17, pace=2)
    at = start("train")
    at.button(key="resume").click().run()
    control = runs.read(run.id).control
    assert (control["stop"], control["run_until"], control["pace"]) == (False, None, 2)


def test_more_epochs_can_be_added_again(recorded):
    at = start("train")
    at.button(key="+5_epochs").click().run()
    run = runs.read(recorded.id)
    assert run.planned_epochs == 8
    assert "of 8" in components(at, "epoch_cursor")["epoch_cursor"]["caption"]
    runs.beat(run, step=8 * run.steps_per_epoch)
    runs.finish(run, "completed")
    at.run()
    at.button(key="+5_epochs").click().run()
    assert runs.read(recorded.id).planned_epochs == 13


def test_learning_rate_and_pace_set_the_level(root, small, tiny_config):
    run = in_state(root, small, tiny_config, "running")
    at = start("train")
    assert level(at, "rate").label == "rate 0.001" and level(at, "pace").label == "full speed"
    level(at, "rate").click(0.02).run()
    level(at, "pace").click(10).run()
    control = runs.read(run.id).control
    assert (control["learning_rate"], control["pace"]) == (0.02, 10)
    level(at, "pace").click(0).run()
    assert runs.read(run.id).control["pace"] is None
    assert not at.exception
    assert level(at, "rate").label == "rate 0.02" and level(at, "pace").label == "full speed"
    assert runs.read(run.id).state == "running"


def test_the_last_of_two_viewers_is_obeyed_and_both_see_it(root, small, tiny_config):
    run = in_state(root, small, tiny_config, "running")
    one, other = start("train"), start("train")
    level(one, "pace").click(10).run()
    other.run()
    assert level(other, "pace").label == "10 batches/s"
    level(other, "pace").click(2).run()
    level(other, "rate").click(0.1).run()
    for _ in range(2):  # to look is not to set
        one.run()
    for each in (one, other):
        assert level(each, "pace").label == "2 batches/s"
        assert level(each, "rate").label == "rate 0.1"
    control = runs.read(run.id).control
    assert (control["pace"], control["learning_rate"], control["revision"]) == (2, 0.1, 3)


def test_levels_that_no_menu_offers_are_shown(root, small, tiny_config):
    run = in_state(root, small, replace(tiny_config, schedule="cosine"), "running")
    driving.set_control(run, learning_rate=0.0042, pace=7)
    at = start("train")
    assert level(at, "rate").label == "peak rate 0.0042"
    assert level(at, "pace").label == "7 batches/s"


def test_a_press_on_a_run_deleted_meanwhile_is_explained(root, small, tiny_config):
    run = in_state(root, small, tiny_config, "paused")
    at = start("train")
    runs.delete(run)
    at.button(key="resume").click().run()
    assert not at.exception
    assert run.id in at.warning[0].value
    assert "There is no run" in at.error[0].value


# What a run says of itself


def test_a_run_is_followed_live_without_new_axes(root, small, tiny_config):
    """What the fragment redraws twice a second keeps its keys and its fixed epoch axis."""
    run = runs.create(tiny_config, small.describe())
    runs.claim(root, run.id)
    runs.beat(run, step=0, steps_per_epoch=13)
    at = start("train")
    assert "preparing" in said(at)
    before = figure(at, "curve_accuracy")["layout"]["xaxis"]["range"]
    for step in range(1, 9):
        line = {"kind": "step", "step": step, "epoch": step / 13, "loss": 1.0, "accuracy": 0.5}
        line |= {"seconds": step / 10, "images_per_second": 320, "learning_rate": 0.001}
        recording.append(run, line)
    at.run()
    assert not at.exception
    assert figure(at, "curve_accuracy")["layout"]["xaxis"]["range"] == before
    # 31 of 39 steps are left, a tenth of a second each
    assert said(at).endswith("epoch 1 of 3, step 8 of 13, learning rate 0.001, 3.1 s left")
    assert metric(at, "Training accuracy") == "50.00 %"
    assert metric(at, "Images a second") == "320"
    driving.set_control(run, pace=2)
    at.run()
    assert said(at).endswith("16 s left")  # two batches a second


@pytest.mark.parametrize("state", ["paused", "stopped", "interrupted", "failed", "diverged"])
def test_a_run_that_did_not_complete_says_how_it_ended(state, root, small, tiny_config):
    run = in_state(root, small, tiny_config, state)
    runs.finish(run, state, "The reason of *this* test.")
    at = start("train")
    assert not at.exception
    assert f"{state} at epoch 2, step 3 of 13 after 2.0 s of training" in said(at)
    loudly = [each.value for each in (*at.error, *at.warning)]
    assert bool(loudly) == (state in ("interrupted", "failed", "diverged"))
    assert all(r"The reason of \*this\* test." in text for text in loudly)


def test_a_failed_run_shows_its_technical_detail(root, small, tiny_config):
    run = in_state(root, small, tiny_config, "failed")
    runs.beat(run, error="Traceback: of this test")
    at = start("train")
    assert [each.value for each in at.code] == ["Traceback: of this test"]


def test_weights_that_were_put_back_are_said(root, small, tiny_config):
    run = write_run(root, small, tiny_config)
    runs.finish(run, "completed", "Stopped early after epoch 3: none since epoch 2 was better.")
    runs.beat(run, final_epoch=2)
    at = start("train")
    assert "none since epoch 2 was better. The weights of epoch 2 are back" in said(at)
    shown = run.epochs.loc[2]
    assert metric(at, "Validation accuracy") == wording.percent(shown["val_accuracy"])
    assert metric(at, "Validation loss") == wording.loss(shown["val_loss"])


def test_the_network_is_shown_where_the_cursor_stands(recorded, small):
    at = start("train")
    charts = ("live_confusion", "live_first_layer")
    pictures = {}
    for index in (3, 0, 1):
        at.session_state["epoch_cursor"] = {"moved": {"index": index, "at": index}}
        at.run()
        assert not at.exception
        answers = recorded.logits(float(index))[:20].argmax(1)
        right = answers == small.test.labels[:20]
        when = "before training" if index == 0 else f"at epoch {index}"
        assert f"The first 20 test digits {when}: {right.sum()} right" in words(at)
        digits = grid(at, "watched_digits")
        assert digits["marks"] == ["right" if each else "wrong" for each in right]
        assert digits["captions"] == [
            f"a {label} read as {answer}"
            for label, answer in zip(small.test.labels, answers, strict=False)
        ]
        pictures[index] = [components(at, "chart")[key]["figure"] for key in charts]
    assert all(len({pair[i] for pair in pictures.values()}) == 3 for i in range(2))


def test_a_running_network_is_shown_as_it_is_now(root, small, tiny_config):
    run = in_state(root, small, tiny_config, "running")
    logits = np.zeros((50, 10), np.float32)
    logits[:, 7] = 1.0
    spread = watching.layer_lines(["dense 16, relu"], [np.ones((3, 3))], [np.ones((3, 3))])
    watching.write_live(run, 1.4, logits, np.ones((784, 16), np.float32), spread)
    at = start("train")
    sevens = int((small.test.labels[:20] == 7).sum())
    assert f"at epoch 1.4: {sevens} right" in words(at)
    assert all(text.endswith("read as 7") for text in grid(at, "watched_digits")["captions"])
    assert "Of 50 test digits." in words(at)
    assert {"live_confusion", "live_first_layer", "layer_histograms"} <= components(
        at, "chart"
    ).keys()
    assert "Weights" in figure(at, "layer_histograms")["layout"]["title"]["text"]
    at.segmented_control(key="spread_of").set_value("gradients").run()
    assert "Gradients" in figure(at, "layer_histograms")["layout"]["title"]["text"]
    # The end of an epoch is newer than a glimpse of its middle.
    recording.record_logits(run, 2, np.roll(logits, 1, axis=1).repeat(3, axis=0)[:101])
    at.run()
    assert "at epoch 2:" in words(at)
    assert all(text.endswith("read as 8") for text in grid(at, "watched_digits")["captions"])


@pytest.mark.parametrize("part", ["logits", "kernel", "both"])
def test_a_network_that_is_just_diverging_leaves_the_page(part, root, small, tiny_config):
    run = in_state(root, small, tiny_config, "running")
    logits, kernel = np.zeros((50, 10), np.float32), np.ones((784, 16), np.float32)
    for name, values in (("logits", logits), ("kernel", kernel)):
        if part in (name, "both"):
            values[3] = np.nan
    watching.write_live(run, 1.4, logits, kernel, [])
    at = start("train")
    assert not at.exception
    assert {"curve_accuracy", "curve_loss"} <= components(at, "chart").keys()


@pytest.mark.parametrize("file", ["predictions/003.npy", "weights/003.npz"])
def test_a_damaged_file_leaves_the_rest_of_the_page(file, recorded):
    (recorded.path / file).write_bytes(b"no array")
    at = start("train")
    assert not at.exception
    assert "read" in words(at) and "curve_loss" in components(at, "chart")
    assert ("live_confusion" in components(at, "chart")) == file.startswith("weights")
    assert ("watched_digits" in components(at, "digit_grid")) == file.startswith("weights")


def test_a_run_on_data_that_are_gone_is_shown_without_its_digits(recorded):
    told = json.loads((recorded.path / "config.json").read_text())
    told["dataset"] |= {"fingerprint": "another", "source": "/nowhere.npz"}
    (recorded.path / "config.json").write_text(json.dumps(told))
    at = start("train")
    assert not at.exception
    assert "cannot be read any more" in words(at) and "curve_loss" in components(at, "chart")


# One run changes something of another


def test_what_is_changed_of_a_run_is_named_and_recorded(recorded):
    at = start("train", epochs="50")
    at.button(key="change_one").click().run()
    assert held(at).layers == recorded.config.layers and held(at).epochs == 3
    assert "Compared with **tiny**: nothing is changed yet." in words(at)
    field(at, "learning_rate").set_value(0.01).run()
    changed = "Compared with **tiny**: learning rate 0.01 instead of 0.001."
    assert changed in words(at)
    button(at, "Start training").click().run()
    run = runs.read(url(at)["run"])
    assert run.id != recorded.id
    assert run.parent == recorded.id and run.config.learning_rate == 0.01
    assert words(at).count(changed) == 2  # in the form, and below the new run's curves
    assert "tiny" in traces(at)
    go(at, "browse")
    go(at, "train")
    assert changed in words(at)


def test_a_preset_is_compared_with_nothing(recorded):
    at = start("train")
    at.button(key="change_one").click().run()
    at.selectbox(key="preset").set_value("linear").run()
    assert "Compared with" not in words(at)
    button(at, "Start training").click().run()
    assert runs.read(url(at)["run"]).parent is None


def test_a_parent_that_is_deleted_is_no_more_compared_with(recorded):
    at = start("train")
    at.button(key="change_one").click().run()
    field(at, "learning_rate").set_value(0.01).run()
    button(at, "Start training").click().run()
    child = url(at)["run"]
    runs.delete(recorded)
    at.run()
    assert not at.exception and not at.warning
    assert "Compared with" not in words(at) and "tiny" not in traces(at)
    assert url(at)["run"] == child


# Name, note, program

MARKUP = "**x** <b>y</b> [a](b) ![](//c.example) :red[d] &copy;"


def test_name_and_note_are_kept_and_nothing_in_them_acts(recorded):
    at = start("train")
    assert at.text_input(key=f"name_{recorded.id}").value == "tiny"
    at.text_input(key=f"name_{recorded.id}").set_value(MARKUP)
    at.text_area(key=f"note_{recorded.id}").set_value(f"a note of {MARKUP}")
    at.button(key="keep_about").click().run()
    assert not at.exception and not at.error
    assert runs.read(recorded.id).about == {"name": MARKUP, "note": f"a note of {MARKUP}"}
    assert wording.verbatim(MARKUP) in said(at)
    assert f"Note: a note of {wording.verbatim(MARKUP)}" in words(at)
    assert any(MARKUP in option for option in at.selectbox(key="picked_run").options)
    at.button(key="change_one").click().run()
    assert f"Compared with **{wording.verbatim(MARKUP)}**" in words(at)
    driving.resume(runs.read(recorded.id), epochs=1)
    seen = [said(at), *popovers(at)]
    for page in frame.PAGES:
        seen.append(words(go(at, page)))
    seen.append(words(show(go(at, "train"), "Queue")))
    assert wording.verbatim(MARKUP) in seen[-1]
    for text in seen:
        for active in ("**x**", "<b>y", "[a](", "![](", ":red[", "&copy;"):
            assert active not in text.replace(r"\&", "")


def test_a_name_taken_away_is_the_settings_again(recorded):
    runs.describe(recorded, "mine", "a note")
    at = start("train")
    assert "**mine**" in said(at) and "Note: a note" in words(at)
    at.text_input(key=f"name_{recorded.id}").set_value("")
    at.text_area(key=f"note_{recorded.id}").set_value("")
    at.button(key="keep_about").click().run()
    assert "**tiny**" in said(at) and "Note:" not in words(at)


def test_a_note_alone_leaves_the_name_to_the_settings(root, small):
    deep = TrainConfig(layers=dense_stack((100,) * MAX_LAYERS, "relu", 0.0))
    run = write_run(root, small, deep)
    assert len(run.title) > 60  # longer than a name may be
    at = start("train")
    at.text_area(key=f"note_{run.id}").set_value("deep")
    at.button(key="keep_about").click().run()
    assert not at.exception and not at.error
    assert runs.read(run.id).about == {"name": "", "note": "deep"}


def test_the_program_of_a_run_is_offered(recorded):
    at = start("train")
    assert not at.code and not at.download_button  # it is written only once it is asked for
    open_code(at)
    assert [each.label for each in at.download_button] == ["Script", "Notebook", "Its data"]
    (source,) = [each.value for each in at.code]
    compile(source, "script", "exec")
    assert "import keras" in source and "mnist_core" not in source and "“tiny”" in source
    runs.describe(recorded, "another name", "")
    assert "“another name”" in at.run().code[0].value


def test_mnist_needs_not_be_offered_beside_a_program(root, like_mnist, tiny_config):
    write_run(root, like_mnist, tiny_config)
    at = open_code(start("train"))
    assert [each.label for each in at.download_button] == ["Script", "Notebook"]


def test_a_program_without_its_data_is_offered_all_the_same(recorded):
    told = json.loads((recorded.path / "config.json").read_text())
    told["dataset"] |= {"fingerprint": "another", "source": "/nowhere.npz"}
    (recorded.path / "config.json").write_text(json.dumps(told))
    at = open_code(start("train"))
    assert [each.label for each in at.download_button] == ["Script", "Notebook"]
    assert "cannot be read any more" in words(at)


def test_a_run_without_a_complete_epoch_has_no_program_yet(root, small, tiny_config):
    write_run(root, small, tiny_config, epochs=0, state="stopped")
    at = open_code(start("train"))
    assert not at.exception and not at.code
    assert "no complete epoch" in words(at)


# The curves


@pytest.fixture
def earlier(root, small, tiny_config):
    """Six finished runs, oldest first, and a newer one."""
    names = [f"run {n}" for n in range(6)]
    found = [write_run(root, small, replace(tiny_config, name=name)) for name in (*names, "now")]
    return found[:-1]


def test_earlier_runs_behind_keep_their_colours(earlier):
    at = start("train")
    behind = at.multiselect(key="curve_behind")
    behind.set_value([run.id for run in earlier[:5]]).run()
    assert not at.exception
    colour = lambda: {name: trace["line"]["color"]  # noqa: E731
                      for name, trace in traces(at).items() if name.startswith("run ")}  # fmt: skip
    before = colour()
    assert before.keys() == {f"run {n}" for n in range(5)} and len(set(before.values())) == 5
    at.multiselect(key="curve_behind").unselect(earlier[1].id).run()
    del before["run 1"]
    assert colour() == before
    at.multiselect(key="curve_behind").select(earlier[5].id).run()
    after = colour()
    assert after.items() > before.items() and len(set(after.values())) == 5
    go(at, "browse")
    go(at, "train")
    assert colour() == after
    runs.delete(earlier[0])
    at.run()
    assert not at.exception and colour().keys() == after.keys() - {"run 0"}


def test_a_run_is_not_drawn_behind_itself(earlier):
    at = start("train")
    at.multiselect(key="curve_behind").set_value([earlier[0].id, earlier[1].id]).run()
    at.selectbox(key="picked_run").set_value(earlier[0].id).run()
    assert not at.exception
    assert "run 1" in traces(at) and "run 0" not in traces(at)


def test_beside_the_parent_there_is_room_for_four(earlier):
    child = runs.create(
        replace(earlier[0].config, learning_rate=0.01), earlier[0].dataset, parent=earlier[0].id
    )
    at = start("train", run=child.id)
    assert "run 0" in traces(at)
    at.multiselect(key="curve_behind").set_value([run.id for run in earlier[1:]]).run()
    assert not at.exception
    names = {name for name in traces(at) if name.startswith("run ")}
    assert len(names) == 5 and "run 0" in names


def test_only_runs_with_an_epoch_can_be_drawn_behind(root, small, tiny_config, earlier):
    write_run(root, small, replace(tiny_config, name="untrained"), epochs=0, state="stopped")
    write_run(root, small, replace(tiny_config, name="still running"), state="running")
    at = start("train", run=earlier[0].id)
    options = at.multiselect(key="curve_behind").options
    assert len(options) == 6
    assert not any(word in text for word in ("untrained", "still", "run 0") for text in options)


def test_errors_are_what_is_missing_to_all(recorded):
    at = start("train")
    before = array(traces(at)["test set"]["y"])
    assert "accuracy" in figure(at, "curve_accuracy")["layout"]["yaxis"]["title"]["text"]
    at.segmented_control(key="curve_quantity").set_value("errors").run()
    assert "error" in figure(at, "curve_accuracy")["layout"]["yaxis"]["title"]["text"]
    np.testing.assert_allclose(array(traces(at)["test set"]["y"]), 100 - before)


def test_a_logarithmic_axis_is_for_errors_and_loss(recorded):
    at = start("train")
    kind = lambda key: figure(at, key)["layout"]["yaxis"].get("type")  # noqa: E731
    at.toggle(key="curve_log").set_value(True).run()
    assert (kind("curve_accuracy"), kind("curve_loss")) == (None, "log")
    at.segmented_control(key="curve_quantity").set_value("errors").run()
    assert (kind("curve_accuracy"), kind("curve_loss")) == ("log", "log")


def test_smoothing_leaves_the_curve_itself_behind(recorded):
    at = start("train")
    raw = array(traces(at)["training, mean ○"]["y"])
    assert "training, not smoothed" not in traces(at)
    at.slider(key="curve_smoothing").set_value(0.9).run()
    np.testing.assert_array_equal(array(traces(at)["training, not smoothed"]["y"]), raw)
    smooth, loss = (
        array(traces(at, "curve_loss")[name]["y"])[:13]  # of the first epoch, where it falls
        for name in ("training, mean ○", "training, not smoothed")
    )
    assert smooth[0] == loss[0] and (smooth[1:] > loss[1:]).all()


def test_the_papers_curve_comes_with_runs_like_the_papers(root, like_mnist, tiny_config):
    write_run(root, like_mnist, PRESETS["paper"], epochs=5)
    at = start("train")
    np.testing.assert_allclose(array(traces(at)["the paper"]["y"]), 100 * paper.EPOCHS.val_accuracy)
    at.toggle(key="curve_paper").set_value(False).run()
    assert "the paper" not in traces(at)
    at.toggle(key="curve_paper").set_value(True).run()
    # Its loss is none beside another loss.
    squared = replace(tiny_config, loss="mean_squared_error", name="squared")
    run = write_run(root, like_mnist, squared)
    at.run()
    at.selectbox(key="picked_run").set_value(run.id).run()
    assert not at.exception
    assert "the paper" not in traces(at) and "the paper" not in traces(at, "curve_loss")
    title = figure(at, "curve_loss")["layout"]["yaxis"]["title"]["text"]
    assert "mean squared error" in title


@pytest.mark.parametrize("settings", ["tiny", "paper"])
def test_a_run_otherwise_than_the_papers_is_drawn_alone_until_asked(
    settings, root, small, tiny_config
):
    """The paper's settings on other data are something else, too."""
    write_run(root, small, PRESETS["paper"] if settings == "paper" else tiny_config)
    at = start("train")
    assert "the paper" not in traces(at)
    at.toggle(key="curve_paper").set_value(True).run()
    assert "the paper" in traces(at)


def test_held_out_images_are_not_called_the_test_set(root, small, tiny_config):
    write_run(root, small, replace(tiny_config, validation_share=0.1))
    at = start("train")
    assert "validation" in traces(at) and "test set" not in traces(at)


def test_a_rate_set_by_hand_is_marked_on_both_curves(recorded):
    recording.append(
        recorded, {"kind": "rate", "step": 20, "epoch": 20 / 13, "learning_rate": 0.02}
    )
    at = start("train")
    for key in ("curve_accuracy", "curve_loss"):
        notes = [note["text"] for note in figure(at, key)["layout"]["annotations"]]
        assert notes == ["rate 0.02"]


def write_epochs(run, rows):
    """Write other figures at the ends of the epochs, from the first on."""
    file = run.path / "metrics.jsonl"
    kept = [line for line in file.read_text().splitlines() if json.loads(line)["kind"] != "epoch"]
    file.write_text("\n".join(kept) + "\n")
    for epoch, row in enumerate(rows, 1):
        line = {"kind": "epoch", "step": 13 * epoch, "epoch": epoch, "loss": 0.1, "accuracy": 0.9}
        recording.append(run, line | {"seconds": epoch, "val_accuracy": 0.9} | row)


def test_overfitting_is_said_and_shaded(recorded):
    falls = [{"sample_loss": 0.5 / n, "sample_accuracy": 0.9} for n in (1, 2, 3, 4)]
    write_epochs(recorded, [row | {"val_loss": 0.6 / n} for n, row in enumerate(falls, 1)])
    at = start("train")
    shades = lambda: [shape for shape in figure(at, "curve_loss")["layout"].get("shapes", [])  # noqa: E731
                      if shape["type"] == "rect"]  # fmt: skip
    assert "overfitting" not in words(at) and not shades()
    rises = zip(falls, (0.3, 0.2, 0.25, 0.3), strict=True)
    write_epochs(recorded, [row | {"val_loss": loss} for row, loss in rises])
    at = start("train")
    assert "Since epoch 2 the loss on validation images rises" in words(at)
    assert [shape["x0"] for shape in shades()] == [2]


def test_wrong_labels_learned_by_heart_are_said(root, small, tiny_config):
    run = write_run(root, small, replace(tiny_config, label_noise=0.3))
    row = {"val_loss": 1.0, "sample_loss": 1.0, "sample_accuracy": 0.6}
    write_epochs(run, [row | {"noise_learned": 0.254, "noise_resisted": 0.617}])
    told = words(start("train"))
    assert "30 % of its training labels are wrong" in told
    assert "repeats 25.4 % of the wrong ones: it learned them by heart" in told
    assert "61.7 % of those images" in told
    write_epochs(run, [row | {"noise_learned": 0.08, "noise_resisted": 0.9}])
    told = words(start("train"))
    assert "repeats 8.0 % of the wrong ones" in told and "by heart" not in told


def test_a_single_step_says_what_it_did_to_its_batch(root, small, tiny_config):
    run = in_state(root, small, tiny_config, "paused")
    line = {"kind": "step", "step": 17, "epoch": 17 / 13, "loss": 0.5, "accuracy": 0.8}
    recording.append(run, line | {"seconds": 3.0, "images_per_second": 320, "learning_rate": 0.001,
                                  "batch_images": 16, "batch_before": 0.61234,
                                  "batch_after": 0.5})  # fmt: skip
    told = words(start("train"))
    assert "Step 17: the loss on the 16 images of its batch went from 0.6123 to **0.5000**" in told


# The paper


def of_paper(root, small, seed, accuracy, state="completed", **changed):
    """Write a run of the paper's training by its figures alone."""
    settings = replace(PRESETS["paper"], seed=seed, **changed)
    run = runs.create(settings, small.describe(), root)
    runs.claim(root, run.id)
    runs.beat(run, step=65, steps_per_epoch=13)
    for epoch, row in paper.EPOCHS.iterrows():
        line = {"kind": "epoch", "step": 13 * epoch, "epoch": epoch, **row}
        recording.append(run, line | {"val_accuracy": accuracy - (5 - epoch) / 100})
    runs.finish(run, state)
    return run


def paper_buttons(at):
    """Return how many seeds -> whether its button can be pressed."""
    found = {count: at.button(key=f"paper_{count}") for count in (1, 3, 10)}
    assert all(bool(button.help) == button.disabled for button in found.values())
    return {count: not button.disabled for count, button in found.items()}


def test_the_papers_training_is_queued_with_the_seeds_that_are_missing(root, small):
    of_paper(root, small, 2, 0.978)
    at = start("train", train="The paper")
    assert paper_buttons(at) == {1: True, 3: True, 10: True}
    at.button(key="paper_3").click().run()
    assert not at.exception and not at.error
    assert [run.config for run in runs.waiting()] == [
        replace(PRESETS["paper"], seed=seed) for seed in (1, 3)
    ]
    assert paper_buttons(at) == {1: False, 3: False, 10: True}
    assert "1 seed trained, 2 to come" in words(at)
    at.button(key="paper_10").click().run()
    seeds = [run.config.seed for run in runs.waiting()]
    assert seeds == [1, 3, 4, 5, 6, 7, 8, 9, 10]
    assert paper_buttons(at) == {1: False, 3: False, 10: False}
    assert words(show(at, "Queue")).count("· yours") == 9


@pytest.mark.parametrize(
    "how",
    [{"state": "stopped"}, {"epochs": 6}, {"rate": 0.01}, {"more": 6}, {"data": "another"}],
    ids=str,
)
def test_what_is_not_the_papers_training_does_not_count_as_it(how, root, small):
    state, changed = how.get("state", "completed"), {k: how[k] for k in how if k == "epochs"}
    other = replace(small, fingerprint=how.get("data", small.fingerprint))
    run = of_paper(root, other, 1, 0.978, state, **changed)
    driving.set_control(run, learning_rate=how.get("rate"), epochs=how.get("more"))
    at = start("train", train="The paper")
    assert "0 seeds trained" in words(at) and paper_buttons(at)[1]


def test_from_three_seeds_on_there_is_a_verdict(root, like_mnist):
    values = (0.9768, 0.9779, 0.9796)
    for seed, value in enumerate(values, 1):
        of_paper(root, like_mnist, seed, value)
        at = start("train", train="The paper")
        assert not at.exception
        assert ("lies inside" in words(at)) == (seed == 3)
        assert ("train at least three seeds" in words(at)) == (seed < 3)
    # mean, and Student's t of two degrees of freedom: 4.303
    reach = 4.3027 * np.std(values, ddof=1) * np.sqrt(1 + 1 / 3)
    low, high = (100 * (np.mean(values) + side * reach) for side in (-1, 1))
    assert f"97.81 % lies inside {low:.2f} – {high:.2f} %" in words(at)
    assert "3 seeds trained" in words(at)
    assert {f"seed {seed}" for seed in (1, 2, 3)} <= traces(at, "seeds_band").keys()


def test_other_data_get_no_verdict(root, small):
    for seed in (1, 2, 3):
        of_paper(root, small, seed, 0.9 + seed / 100)
    at = start("train", train="The paper")
    assert "not on the paper's MNIST" in at.info[0].value
    assert "97.81 % lies" not in words(at) and len(at.dataframe) == 1


def test_the_papers_table_stands_beside_ours(root, small):
    for seed, value in ((1, 0.97), (2, 0.98)):
        of_paper(root, small, seed, value)
    at = start("train", train="The paper")
    (table,) = [each.value for each in at.dataframe]
    told = table["test accuracy", "paper"]
    assert list(told) == ["96.07 %", "96.98 %", "97.47 %", "97.62 %", "97.81 %"]
    assert table["test accuracy", "here"].iloc[-1] == "97.50 % ± 0.71"
    assert table["test loss", "here"].iloc[0] == "0.1380 ± 0.0000"
    assert list(table.index) == [1, 2, 3, 4, 5]


def test_a_full_queue_is_said_where_seeds_are_trained(root, small, tiny_config):
    for _ in range(runs.MAX_QUEUE - 1):
        runs.create(tiny_config, small.describe())
    at = start("train", train="The paper")
    at.button(key="paper_3").click().run()
    assert not at.exception
    assert f"{runs.MAX_QUEUE} runs are waiting" in at.error[0].value
    assert len(runs.waiting()) == runs.MAX_QUEUE  # what had room waits
    assert paper_buttons(at) == {1: False, 3: True, 10: True}


# The queue


def line_of(at, run):
    row = at.get_by_key(f"queue_{run.id}")
    return "\n".join(str(each.value) for kind in ("markdown", "caption") for each in row.get(kind))


def test_an_empty_queue_says_so(recorded):
    at = start("train", train="Queue")
    assert "Nothing trains, waits or is paused" in at.info[0].value


def test_the_queue_tells_order_times_and_whose(root, small, tiny_config):
    done = write_run(root, small, tiny_config)
    runs.beat(done, images_per_second=1000)  # 3 epochs take 10.2 s
    running = write_run(root, small, replace(tiny_config, name="runs"), epochs=1, state="running")
    paused = in_state(root, small, replace(tiny_config, name="rests"), "paused")
    waiting = []
    for _ in range(2):
        waiting.append(runs.create(tiny_config, small.describe()))
        time.sleep(0.002)
    at = start("train", layers="dense-16", epochs="3")
    button(at, "Start training").click().run()
    own = runs.read(url(at)["run"])
    show(at, "Queue")
    assert not at.exception
    assert "**runs**" in line_of(at, running)
    assert "trains now, 1.0 of 3 epochs, about 6.8 s left" in line_of(at, running)
    told = [line_of(at, run) for run in (*waiting, own)]
    for place, (text, seconds) in enumerate(zip(told, ("6.8", "17", "27"), strict=True), 1):
        assert f"number {place} in the queue, starts in about {seconds} s" in text
    told = [line_of(at, run) for run in (running, *waiting, own, paused)]
    assert ["· yours" in text for text in told] == [False, False, False, True, False]
    assert "paused at epoch 2, step 3 of 13; 3 epochs are planned" in line_of(at, paused)
    drawn = [block.key for block in at.get("container") if str(block.key).startswith("queue_2")]
    assert drawn == [f"queue_{run.id}" for run in (running, *waiting, own, paused)]


def test_without_a_running_one_the_first_is_next(root, small, tiny_config):
    run = runs.create(tiny_config, small.describe())
    at = start("train", train="Queue")
    assert "number 1 in the queue, next" in line_of(at, run)


def test_runs_are_cancelled_and_resumed_in_the_queue(root, small, tiny_config):
    running = write_run(root, small, tiny_config, epochs=1, state="running")
    paused = in_state(root, small, tiny_config, "paused")
    waiting = runs.create(tiny_config, small.describe())
    at = start("train", train="Queue")
    assert not drive_button(at, f"go_on_{waiting.id}")
    for run in (running, waiting):
        at.button(key=f"cancel_{run.id}").click().run()
        assert not at.exception
    assert runs.read(running.id).control["stop"] and runs.read(waiting.id).state == "stopped"
    assert runs.read(paused.id).state == "paused"
    at.button(key=f"go_on_{paused.id}").click().run()
    assert runs.read(paused.id).state == "queued"
    at.button(key=f"cancel_{paused.id}").click().run()
    assert runs.read(paused.id).state == "stopped"


def test_a_run_of_the_queue_is_seen_in_the_studio(root, small, tiny_config, recorded):
    waiting = runs.create(tiny_config, small.describe())
    at = start("train", train="Queue", run=recorded.id)
    at.button(key=f"see_{waiting.id}").click().run()
    assert not at.exception and url(at)["run"] == waiting.id
    assert said(at) == "**tiny**: the trainer is starting"
    assert at.segmented_control(key="train").value == "Studio"


# Links


@pytest.mark.parametrize("view", ["Studio", "The paper", "Queue"])
def test_a_deleted_run_in_the_link_gives_way_to_the_newest(view, recorded):
    at = start("train", run="20200101-000000-dead", train=view)
    assert "20200101-000000-dead" in at.warning[0].value and not at.error
    assert url(at)["run"] == recorded.id


def test_a_link_shows_its_view_and_a_bad_one_the_studio(recorded):
    at = start("train", train="Queue")
    assert "Nothing trains" in words(at)
    at = start("train", train="<b>nothing</b>")
    assert not at.exception and said(at)
