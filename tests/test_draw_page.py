"""Draw without a browser: what a pen, a photo or a link says, and what networks make of it."""

import base64
import io
import zlib
from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pytest
from apptest import (
    array,
    button,
    components,
    drawn_digits,
    figure,
    go,
    grid,
    pick,
    start,
    url,
    words,
)
from conftest import write_run
from PIL import Image, ImageDraw

from mnist_core import (
    digit_link,
    distortions,
    drawing,
    files,
    flipping,
    recording,
    robustness,
    runs,
    shapes,
    workers,
)
from mnist_core.evaluation import log_softmax
from mnist_core.ui import gallery, paste

pytestmark = pytest.mark.usefixtures("app_on_small_data")
SHARPNESS = (0.0, 0.02, 0.2, 1.0)  # of the logits, epoch by epoch: nothing, not sure, sure


def probabilities(logits):
    return np.exp(log_softmax(logits))


class Brain:
    """In place of the answering process: linear networks, whose weights are read from the runs."""

    def __init__(self):
        self.asked = []
        self.broken = None  # the name of a function that fails

    def __call__(self, function, *arguments):
        self.asked.append((function, *arguments))
        future = Future()
        try:
            if function == self.broken:
                raise runs.RunsError(f"{function} is broken.")
            future.set_result(getattr(self, function)(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future

    def weights(self, path, moment):
        try:
            with np.load(path / "weights" / f"{runs.moment_name(moment)}.npz") as arrays:
                return arrays["weights/0"], arrays["weights/1"]
        except files.UNREADABLE as error:
            raise runs.RunsError(f"No readable weights of epoch {moment:g}.") from error

    def logits_of_pixels(self, path, moment, pixels):
        kernel, bias = self.weights(path, moment)
        return pixels.reshape(-1, 784) @ kernel + bias

    def logits(self, path, moment, images):
        return self.logits_of_pixels(path, moment, images.astype(np.float32) / np.float32(255))

    def logits_over(self, path, moments, pixels):
        return np.concatenate([self.logits_of_pixels(path, m, pixels) for m in moments])

    def saliency(self, path, moment, image, answer, other):
        kernel, _ = self.weights(path, moment)
        return (kernel[:, answer] - kernel[:, other]).reshape(28, 28)

    def integrated_gradients(self, path, moment, image, answer, other):
        return self.saliency(path, moment, image, answer, other) * (image / 255)

    occlusion = integrated_gradients

    def flip(self, path, moment, image):
        kernel, _ = self.weights(path, moment)

        def logits(images):
            said = self.logits(path, moment, images)
            if not np.isfinite(said).all():
                raise runs.RunsError(runs.NOT_NUMBERS)
            return said

        def slopes(images, directions):
            return (directions @ kernel.T).reshape(-1, 28, 28)

        return flipping.flip(image, None, logits, slopes)

    def robustness(self, path, moment, name, level):
        run = runs.read(path.name, path.parent)
        return robustness.measure(
            run, moment, name, level, lambda images: self.logits(path, moment, images)
        )


@pytest.fixture
def brain(monkeypatch, small):
    brain = Brain()
    monkeypatch.setattr(workers, "ask", brain)
    monkeypatch.setattr(robustness, "sample", lambda *of: (small.test.images, small.test.labels))
    return brain


def learn(run, dataset, sharpness=SHARPNESS):
    """Give a run the weights of a network that reads by the nearest class mean."""
    pixels = dataset.train.images.reshape(-1, 784).astype(np.float32) / 255
    means = np.stack([pixels[dataset.train.labels == digit].mean(0) for digit in range(10)])
    for moment, sharp in enumerate(sharpness):
        kernel, bias = sharp * means.T, -sharp * (means**2).sum(1) / 2
        arrays = {"weights/0": kernel.astype(np.float32), "weights/1": bias.astype(np.float32)}
        recording.record_weights(run, moment, arrays)
    return runs.read(run.id, run.path.parent)


@pytest.fixture
def run(root, small, tiny_config, brain):
    return learn(write_run(root, small, tiny_config), small)


# What a browser would send


def png(picture):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def sketch(*lines, side=280, width=24):
    """Return black lines on white paper, uint8 (side, side)."""
    image = Image.new("L", (side, side), 255)
    for line in lines:
        ImageDraw.Draw(image).line(line, fill=0, width=width)
    return np.asarray(image)


SEVEN = sketch([(70, 60), (210, 60), (120, 230)])
BLANK, FULL = np.full((280, 280), 255, np.uint8), np.zeros((280, 280), np.uint8)
DOT = sketch([(140, 140), (146, 140)], width=6)


def say(at, key, **said):
    at.session_state[key] = said
    at.run()
    assert not at.exception
    return at


def draw(at, picture, key="pad", at_=1):
    """Report what is on a pad, as the browser does after a stroke."""
    encoded = base64.b64encode(png(picture)).decode()
    token = components(at, "pad")[key]["token"]
    return say(at, key, drawing={"png": encoded, "token": token, "at": at_})


def show_pixels(at, digit=None):
    """Report the pad of pixels as it came: the digit of its base, or another one."""
    if digit is None:
        base = base64.b64decode(components(at, "pad")["pixels"]["base"])
        return draw(at, np.asarray(Image.open(io.BytesIO(base))), "pixels")
    return draw(at, 255 - digit, "pixels")


def drawn(picture=SEVEN, /, **query):
    return draw(start("draw", **query), picture)


def opened(digit, meant=None, /, **query):
    """Open a link to a digit's pixels."""
    said = {} if meant is None else {"meant": str(meant)}
    return show_pixels(
        start("draw", on="Pixels", digit=digit_link.packed(digit), **said, **query), None
    )


def upload(content, name="digit.png"):
    at = start("draw", on="Photo")
    at.file_uploader[0].set_value((name, content, "image/png")).run()
    assert not at.exception
    return at


def bars(at):
    """Return the ten probabilities on the page."""
    return array(figure(at, "drawn_answer")["data"][0]["y"]) / 100


def colors(at):
    return figure(at, "drawn_answer")["data"][0]["marker"]["color"]


def of_stages(at):
    """Return what is written under each stage: digit and share of it."""
    said = [m.value for m in at.markdown if m.value.startswith("**") and m.value.endswith(" %")]
    return [(int(text[2]), float(text.split()[1])) for text in said]


def told(brain, run, picture, on=tuple(drawing.STAGES), moment=3.0):
    """Return what the network says of each stage of a picture, by itself."""
    pixels = np.stack([stage.pixels for stage in drawing.stages(picture, on)])
    return probabilities(brain.logits_of_pixels(run.path, moment, pixels))


def nothing_read(at):
    return not bars(at).any() and not of_stages(at)


# The answer


def test_without_a_run_there_are_pad_stages_and_the_train_button():
    at = start("draw")
    assert "pad" in components(at, "pad")
    draw(at, SEVEN)
    assert "nobody reads your digit" in at.info[0].value
    assert button(at, "Train the paper's network")
    assert nothing_read(at) and len(at.toggle) == len(drawing.STAGES)
    for show in ("Side by side", "Why?", "Flip it", "Robustness"):
        drawn(draw=show)


def test_the_train_button_opens_the_train_page_from_another_view():
    at = start("draw", draw="Flip it")
    button(at, "Train the paper's network").click().run()
    assert not at.exception


def test_a_run_without_a_record_leads_to_the_train_page(root, small, tiny_config):
    runs.create(tiny_config, small.describe(), root)
    for show in ("Answer", "Side by side", "Why?", "Flip it", "Robustness"):
        at = drawn(draw=show)
        assert "Nothing is recorded of this run yet: it is queued" in at.info[0].value


def test_a_drawn_digit_is_read_at_each_stage(run, brain):
    at = drawn()
    said = told(brain, run, SEVEN)
    np.testing.assert_allclose(bars(at), said[-1], atol=1e-6)
    assert [digit for digit, _ in of_stages(at)] == said.argmax(1).tolist()
    np.testing.assert_allclose([share for _, share in of_stages(at)], 100 * said.max(1), atol=0.06)
    assert len(of_stages(at)) == 6
    answer, second = np.argsort(-said[-1])[:2]
    assert f"Read as {answer}, {100 * said[-1].max():.1f} %" in words(at)
    title = figure(at, "drawn_answer")["layout"]["title"]["text"]
    assert title.endswith(f"the runner-up is {second}, {100 * said[-1, second]:.1f} %")


def test_below_sixty_per_cent_the_answer_is_not_sure(run, brain):
    at = drawn(epoch="1")
    said = told(brain, run, SEVEN, moment=1.0)[-1]
    first, second = np.argsort(-said)[:2]
    assert said[first] < 0.6 and f"Not sure: {first}, {100 * said[first]:.1f} %" in words(at)
    title = figure(at, "drawn_answer")["layout"]["title"]["text"]
    assert title.startswith(f"Not sure: {first}; the runner-up is {second}, ")


def test_the_meant_digit_is_green_a_wrong_answer_red_and_in_the_url(run, brain):
    at = drawn()
    answer = int(bars(at).argmax())
    assert "meant" not in url(at)
    for meant in (answer, (answer + 1) % 10):
        at.selectbox(key="sheet_meant_choice").set_value(meant)
        draw(at, SEVEN)
        assert url(at)["meant"] == str(meant)
        assert len(set(colors(at))) == (2 if meant == answer else 3)
    green, red = colors(at)[meant], colors(at)[answer]
    at.selectbox(key="sheet_meant_choice").set_value(answer)
    draw(at, SEVEN)
    assert colors(at)[answer] == green != red
    assert "meant" not in url(start("draw", meant="x")) and not at.warning


def test_a_stage_switched_off_changes_what_the_network_gets_on_this_sheet_alone(run, brain):
    at = drawn()
    at.toggle(key="switch_Pad_center").set_value(False)
    draw(at, SEVEN)
    rest = [name for name in drawing.STAGES if name != "center"]
    np.testing.assert_allclose(bars(at), told(brain, run, SEVEN, rest)[-1], atol=1e-6)
    assert np.abs(bars(at) - told(brain, run, SEVEN)[-1]).max() > 1e-4
    assert at.session_state["stages_on"] == {("Pad", "center"): False}
    go(at, "home")
    draw(go(at, "draw"), SEVEN)
    assert not at.toggle(key="switch_Pad_center").value
    at.get_by_key("sheet_choice").set_value("Photo").run()
    at.file_uploader[0].set_value(("7.png", png(SEVEN), "image/png")).run()
    assert not at.exception and at.toggle(key="switch_Photo_center").value


@pytest.mark.parametrize(
    ("picture", "says"),
    [(BLANK, "**Draw a digit**"), (DOT, "only a dot"),
     (sketch([(50, 60), (50, 220)], [(220, 60), (220, 220)]), "2 digits side by side")],
)  # fmt: skip
def test_what_is_no_digit_gets_a_sentence(picture, says, run):
    at = drawn(picture)
    assert says in words(at)
    assert at.button(key="keep_drawing").disabled == (picture is BLANK)


def test_a_filled_pad_gets_a_sentence(run):
    at = drawn(FULL)
    assert "no digit" in words(at).lower() or "draw a digit" in words(at).lower()


def bomb(width):
    """Return a PNG whose header promises width² pixels."""
    content = bytearray(png(BLANK))
    content[16:24] = width.to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


def text(content):
    return base64.b64encode(content).decode()


JUNK = [
    "no base64!", "ü", "", "A" * 400_000, None, 7, ["png"], {}, text(b"not a picture"),
    text(png(BLANK)[:200]), text(png(np.zeros((28, 28), np.uint8))), text(bomb(280 * 100)),
    text(b"GIF89a"),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["Pad", "Pixels"])
def test_what_no_pad_would_report_is_no_drawing(kind, run):
    at = start("draw", on=kind)
    key = {"Pad": "pad", "Pixels": "pixels"}[kind]
    token = components(at, "pad")[key]["token"]
    junk = [{"png": said if kind == "Pad" or said != JUNK[10] else "", "token": token, "at": 1}
            for said in JUNK]  # fmt: skip
    good = text(png(SEVEN if kind == "Pad" else np.full((28, 28), 255, np.uint8)))
    junk += [{"png": good, "token": token}, {"png": good, "token": "another", "at": 1},
             {"png": good, "token": token, "at": "soon"}, {"png": good, "token": token, "at": None},
             {"png": good, "token": token, "at": [1]}]  # fmt: skip
    for drawing_ in (*junk, "text", [1], 5, None, {}):
        say(at, key, drawing=drawing_)
        assert at.markdown[0].value, drawing_
    say(at, key, nonsense=1)
    assert "**Draw a digit**" in words(at) and nothing_read(at)


# Photos


def photo_of(picture, mode="RGB", kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(picture).convert(mode).save(file, kind)
    return file.getvalue()


def sixteen_bits():
    file = io.BytesIO()
    Image.fromarray(SEVEN.astype(np.uint16) * 200).save(file, "PNG")
    return file.getvalue()


HEIC = b"\0\0\0\x18ftypheic" + b"\0" * 40
ON_CLEAR = np.dstack([np.zeros((280, 280, 3), np.uint8), 255 - SEVEN])  # black ink, transparent


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "0 bytes"), (b"I am a text.", "not a picture"), (HEIC, "HEIC"),
     (b"%PDF-1.7 ...", "PDF"), (png(SEVEN)[:300], "damaged"), (bomb(20_000), "megapixels"),
     (photo_of(np.zeros((1, 1), np.uint8)), "no digit"), (photo_of(BLANK), "no digit"),
     (photo_of(np.hstack([SEVEN, SEVEN, SEVEN])), "3 digits")],
)  # fmt: skip
def test_an_upload_without_one_digit_gets_a_sentence(content, says, run):
    at = upload(content)
    assert says in words(at)
    assert url(at)["on"] == "Photo"


@pytest.mark.parametrize(
    "content",
    [png(SEVEN), photo_of(SEVEN), png(ON_CLEAR), sixteen_bits(), photo_of(255 - SEVEN),
     photo_of(SEVEN, kind="JPEG")],
    ids=["grey", "RGB", "RGBA", "16 bits", "white on black", "JPEG"],
)  # fmt: skip
def test_an_uploaded_digit_is_read_as_the_drawn_one(content, run, brain):
    at = upload(content)
    assert bars(at).argmax() == 7 and len(of_stages(at)) == 6
    np.testing.assert_allclose(bars(at), told(brain, run, SEVEN)[-1], atol=0.05)


def test_the_next_upload_takes_the_place_of_a_bad_one_and_of_the_meant_digit(run):
    at = upload(b"no picture")
    assert at.error and nothing_read(at)
    at.file_uploader[0].set_value(("7.png", png(SEVEN), "image/png")).run()
    assert not at.exception and not at.error and bars(at).argmax() == 7
    at.selectbox(key="sheet_meant_choice").set_value(7).run()
    at.file_uploader[0].set_value(("8.png", b"", "image/png")).run()
    assert at.session_state["sheet_meant"] is None and nothing_read(at)


COLOURED = np.dstack([SEVEN, BLANK, BLANK])


@pytest.mark.parametrize("off", list(drawing.STAGES))
def test_a_coloured_photo_with_any_stage_off_is_read(off, run):
    at = upload(png(COLOURED))
    at.toggle(key=f"switch_Photo_{off}").set_value(False).run()
    assert not at.exception and not at.error
    assert len(of_stages(at)) == 6


def test_only_what_is_in_the_frame_is_read(run, brain):
    pair = np.hstack([SEVEN, sketch([(140, 50), (140, 230)])])
    at = upload(png(pair))
    token = components(at, "photo_crop")["photo_crop"]["token"]

    def framed(box, token=token):
        say(at, "photo_crop", frame={"box": box, "token": token, "at": 1})
        return bars(at)

    whole = bars(at)
    for box, part in (([0, 0, 0.5, 1], pair[:, :280]), ([0.5, 0, 1, 1.0], pair[:, 280:])):
        np.testing.assert_allclose(framed(box), told(brain, run, part)[-1], atol=1e-6)
    for box in ([0, 0, 0, 0], [1, 1, 1, 1], [0.3, 0.3, 0.3, 0.3]):  # a pixel
        framed(box)
    np.testing.assert_array_equal(framed([0, 0, 1, 1]), whole)  # what is no frame changes nothing
    for box in ([1, 1, 0, 0], [0, 0, 2, 2], [0, 0, 1], ["a"] * 4, "box", None, 7, {"0": 1},
                [0, 0, float("nan"), 1], [-1, 0, 1, 1], [[0], 0, 1, 1]):  # fmt: skip
        np.testing.assert_array_equal(framed(box), whole)
    np.testing.assert_array_equal(framed([0, 0, 0.5, 1], "of another photo"), whole)
    for junk in ("text", [1], 5, None):
        say(at, "photo_crop", frame=junk)
        np.testing.assert_array_equal(bars(at), whole)


@pytest.mark.parametrize(
    "said", [{"png": text(b"junk")}, {"png": ""}, {"png": "A"}, {"png": None}, {}, "text", 5]
)
def test_what_no_paste_would_report_is_refused(said, monkeypatch):
    taken = []
    state = {"paste": {"pasted": said}}
    monkeypatch.setattr(paste.st, "session_state", state)
    monkeypatch.setattr(paste, "_PASTE", lambda **with_: with_["on_pasted_change"]())
    paste.on_paste(taken.append)
    assert len(taken) == 1 and (taken == [b"junk"]) == (said == {"png": text(b"junk")})


# Pixels, by link and from other pages


def is_sheet(at, digit, label):
    """Tell whether the page's sheet is a digit and the label it is meant to be."""
    said = url(at)
    return (
        said["on"] == "Pixels"
        and said.get("meant") == str(label)
        and np.array_equal(digit_link.unpacked(said["digit"]), digit)
    )


@pytest.mark.parametrize("change", ["as it is", "half the ink", "inverted", "noise", "full"])
def test_a_link_shows_exactly_its_digit(change, run, brain, small):
    digit = small.test.images[5]
    digit = {
        "as it is": digit, "half the ink": digit // 2, "inverted": 255 - digit,
        "noise": np.random.default_rng(0).integers(0, 256, (28, 28)).astype(np.uint8),
        "full": np.full((28, 28), 255, np.uint8),
    }[change]  # fmt: skip
    at = opened(digit, 4)
    said = probabilities(brain.logits(run.path, 3.0, digit[None]))[0]
    np.testing.assert_allclose(bars(at), said, atol=1e-5)
    assert is_sheet(at, digit, 4)
    # Only where most of the sheet is ink is anything wrong with it.
    assert [each.value for each in at.warning] == (
        [shapes.FILLED] if (digit > 128).mean() > 0.6 else []
    )
    show_pixels(at, small.test.images[6])  # edited
    assert not at.warning
    said = probabilities(brain.logits(run.path, 3.0, small.test.images[6][None]))[0]
    np.testing.assert_allclose(bars(at), said, atol=1e-5)


@pytest.mark.parametrize("digit", ["x", "ü", "%%%", "AAAA", "A" * 3000])
def test_a_broken_link_says_so_and_leaves_empty_pixels(digit, run):
    at = start("draw", on="Pixels", digit=digit)
    assert "cannot be read" in at.warning[0].value
    assert components(at, "pad")["pixels"]["base"] is None
    assert "digit" not in url(at)
    at.run()
    assert "cannot be read" in at.warning[0].value  # until one goes on
    at.get_by_key("sheet_choice").set_value("Pad").run()
    assert not at.exception and not at.warning


def test_nonsense_in_a_link_is_left_out(run):
    for query in ({"on": "Nonsense"}, {"meant": "x"}, {"meant": "10"}, {"meant": "-1"},
                  {"digit": ""}, {"draw": "Nonsense"}):  # fmt: skip
        at = start("draw", **query)
        assert "pad" in components(at, "pad")
        assert not {"on", "meant", "digit"} & set(url(at))


def test_a_link_to_a_deleted_run_says_so_and_another_reads(run):
    at = start("draw", run="20200101-000000-dead")
    assert "20200101-000000-dead" in at.warning[0].value.replace("\\", "")
    assert bars(draw(at, SEVEN)).argmax() == 7


def test_edit_pixel_by_pixel_takes_what_the_network_gets(run):
    at = drawn(meant="7")
    before = bars(at)
    at.button(key="edit_pixels").click().run()
    assert not at.exception
    assert is_sheet(at, drawing.stages(SEVEN)[-1].picture, 7)
    show_pixels(at)
    np.testing.assert_allclose(bars(at), before, atol=1e-6)


def test_send_to_draw_from_browse_mistakes_and_evaluate(run, small):
    browse = start("browse", {"opened": 407})
    browse.session_state["opened"] = 407
    browse.run()
    mistakes = start("mistakes", epoch="1", pairs="false")
    mistakes.session_state["opened"] = 411
    mistakes.run()
    evaluate = start("evaluate", epoch="1", cells="xx", errors_only="false")
    captions = grid(evaluate, "cell_images")["captions"]
    evaluate.session_state["cell_images"] = {
        "selected": {"index": 2, "token": grid(evaluate, "cell_images")["token"], "at": 1}
    }
    evaluate.run()
    third = int(captions[2].split("image ")[1].split(":")[0])
    for at, key, image in ((browse, "browse_to_draw", 7), (mistakes, "mistake_to_draw", 11),
                           (evaluate, "cell_to_draw", third)):  # fmt: skip
        at.button(key=key).click().run()
        assert not at.exception
        assert is_sheet(at, small.test.images[image], small.test.labels[image]), key
        show_pixels(go(at, "draw"))
        assert len(of_stages(at)) == 6


def test_send_to_draw_from_two_runs(three, small):
    at = start("evaluate", {"agreement_cell": (1, 1)}, evaluate="Two runs")
    pick(at, "agreement_images", 3)
    number = grid(at, "agreement_images")["captions"][3].split("image ")[1].split(",")[0]
    at.button(key="agreement_to_draw").click().run()
    assert not at.exception
    assert is_sheet(at, small.test.images[int(number)], small.test.labels[int(number)])


# Side by side


@pytest.fixture
def three(root, small, tiny_config, brain):
    """Three runs, the last of them played, whose networks are of different sharpness."""
    return [
        learn(write_run(root, small, replace(tiny_config, name=f"run {i}")), small, sharpness)
        for i, sharpness in enumerate(((0, 0, 0, 0.1), (0, 0, 0, 0.3), SHARPNESS))
    ]


def rows(at):
    trace = figure(at, "drawn_by_runs")["data"][0]
    return [names[0] for names in trace["customdata"]], array(trace["z"]) / 100


def test_the_ticked_runs_answers_are_rows_below_the_played_runs(three, brain):
    at = drawn(draw="Side by side", run=three[2].id)
    names, shown = rows(at)
    assert names[0] == "run 2" and sorted(names[1:]) == ["run 0", "run 1"]
    by_name = {run.title: run for run in three}
    for name, row in zip(names, shown.reshape(-1, 10), strict=True):
        np.testing.assert_allclose(row, told(brain, by_name[name], SEVEN)[-1], atol=1e-6)
    at.multiselect(key="drawn_runs").set_value([three[0].id])
    draw(at, SEVEN)
    assert rows(at)[0] == ["run 2", "run 0"]
    at.multiselect(key="drawn_runs").set_value([])
    draw(at, SEVEN)
    assert rows(at)[0] == ["run 2"]


def test_a_run_whose_weights_are_gone_is_named_and_the_others_stay(three):
    (three[0].path / "weights" / "003.npz").write_bytes(b"")
    at = drawn(draw="Side by side", run=three[2].id)
    assert "run 0: No readable weights of epoch 3" in words(at).replace("\\", "")
    assert rows(at)[0] == ["run 2", "run 1"]
    assert "drawn_life" in components(at, "chart")
    at = drawn(draw="Side by side", run=three[0].id)
    assert "No readable weights" in at.error[0].value


def test_the_life_of_ones_digit_over_the_epochs(run, brain):
    at = drawn(draw="Side by side", epoch="2")
    assert "Once several runs are trained" in words(at)
    lines = {line["name"]: line for line in figure(at, "drawn_life")["data"]}
    said = [told(brain, run, SEVEN, moment=moment)[-1][7] for moment in range(4)]
    np.testing.assert_allclose(array(lines["7"]["y"]) / 100, said, atol=1e-6)
    assert array(lines["7"]["x"]).tolist() == [0, 1, 2, 3]


# Why?


def test_three_maps_of_the_answer_and_the_runner_up(run, brain, small):
    at = drawn(draw="Why?")
    said = told(brain, run, SEVEN)[-1]
    answer, second = (int(digit) for digit in np.argsort(-said)[:2])
    assert at.selectbox(key="why_other").value == second
    asked = {question[0]: question[4:] for question in brain.asked if len(question) == 6}
    names = ("saliency", "integrated_gradients", "occlusion")
    assert asked == dict.fromkeys(names, (answer, second))
    titles = [note["text"] for note in figure(at, "drawn_maps")["layout"]["annotations"]]
    for start_, title in zip(("Gradient", "Integrated", "Occlusion"), titles, strict=True):
        assert start_ in title
    assert f"Blue speaks for {answer}, red for {second}" in words(at)
    others = [digit for digit in range(10) if digit not in (answer, second)]
    at.selectbox(key="why_other").set_value(others[0])
    draw(at, SEVEN)
    assert f"Blue speaks for {answer}, red for {others[0]}" in words(at)
    for key, digit in (("drawn_near_answer", answer), ("drawn_near_other", others[0])):
        own = small.train.images[small.train.labels == digit]
        picture = drawing.stages(SEVEN)[-1].picture
        far = np.sqrt(((own / 255 - picture / 255) ** 2).sum((1, 2)))
        nearest = own[np.argsort(far)[:5]]
        assert (drawn_digits(at, key) == nearest).all()


def test_why_not_the_meant_digit_also_after_a_look_at_another_view(run, brain):
    at = drawn(draw="Why?")
    unlikely = int(np.argsort(told(brain, run, SEVEN)[-1])[0])
    at.selectbox(key="sheet_meant_choice").set_value(unlikely)
    draw(at, SEVEN)
    assert at.selectbox(key="why_other").value == unlikely
    for show in ("Answer", "Why?"):
        at.get_by_key("draw").set_value(show)
        draw(at, SEVEN)
    assert at.selectbox(key="why_other").value == unlikely


@pytest.mark.parametrize("show", ["Side by side", "Why?", "Flip it"])
def test_before_a_stroke_a_view_says_what_to_do(show, run):
    for at in (start("draw", draw=show), drawn(BLANK, draw=show)):
        assert "Draw a digit at the left first" in at.info[0].value


# Flip it


def test_the_flip_is_shown_step_by_step_and_edited(run, brain):
    at = drawn(draw="Flip it", meant="7")
    digit = drawing.stages(SEVEN)[-1].picture
    change = brain.flip(run.path, 3.0, digit)
    count, said = len(change["pixels"]), probabilities(change["logits"])
    after = int(said[-1].argmax())
    assert change["reached"] and count > 1 and said[0].argmax() == 7
    assert f"**{count} pixels of 784** make a **{after}** of this 7" in words(at)
    for step in (count, 0, count - 1):
        (slider,) = at.slider
        slider.set_value(step)
        draw(at, SEVEN)
        now = int(said[step].argmax())
        assert f"it is read as {now}, {100 * said[step, now]:.1f} % sure" in words(at)
        assert len(figure(at, "flipped")["layout"].get("shapes", [])) == step
        changed = flipping.after(digit, change["pixels"][:step], change["values"][:step])
        assert (array(figure(at, "flipped")["data"][0]["z"]) == changed).all()
    at.button(key="edit_flipped").click().run()
    assert not at.exception and is_sheet(at, changed, 7)


def test_what_cannot_be_flipped_is_said(run):
    at = drawn(draw="Flip it", epoch="0")  # says the same of everything
    assert "No way was found" in at.info[0].value


@pytest.mark.parametrize("show", ["Answer", "Side by side", "Why?", "Flip it", "Robustness"])
def test_a_diverged_network_is_explained_on_every_view(show, run, small):
    learn(run, small, (0, 1, 1, np.nan))
    at = drawn(draw=show)
    assert "diverged" in (words(at) if show == "Side by side" else at.error[0].value)
    at = drawn(draw=show, epoch="1")
    assert not at.error or show == "Side by side"  # which shows the last epoch, too


# Robustness


def set_level(at, name, level):
    at.get_by_key("distortion").set_value(name)
    draw(at, SEVEN)
    at.slider(key=f"level_{name}").set_value(level)
    return draw(at, SEVEN)


def test_levels_are_kept_and_applied_one_after_the_other(run, brain):
    at = drawn(draw="Robustness")
    digit = drawing.stages(SEVEN)[-1].picture[None]
    assert (drawn_digits(at, "distorted") == digit).all()
    expected = digit
    for name, level in (("rotate", 30.0), ("noise", 0.3), ("erase", 8.0)):
        set_level(at, name, level)
        expected = distortions.DISTORTIONS[name].apply(expected, level)
        assert (drawn_digits(at, "distorted") == expected).all()
        said = probabilities(brain.logits(run.path, 3.0, expected))[0]
        assert f"Read as **{said.argmax()}**, {100 * said.max():.1f} % sure" in words(at)
    assert "rotate 30, then noise 0.3, then erase 8" in words(at)
    at.get_by_key("distortion").set_value("rotate")
    draw(at, SEVEN)
    assert at.slider(key="level_rotate").value == 30.0
    at.button(key="undo_distortions").click()
    draw(at, SEVEN)
    assert at.slider(key="level_rotate").value == 0.0
    assert (drawn_digits(at, "distorted") == digit).all()


@pytest.mark.parametrize("name", list(distortions.DISTORTIONS))
def test_a_slider_goes_from_the_first_level_to_the_last(name, run):
    one = distortions.DISTORTIONS[name]
    at = drawn(draw="Robustness")
    for level in (one.levels[0], one.levels[-1], one.neutral):
        set_level(at, name, float(level))
    assert one.unit in figure(at, "robustness_curve")["layout"]["xaxis"]["title"]["text"]


def test_measuring_goes_on_to_the_end_and_draws_the_curves(three, small, brain):
    at = start("draw", draw="Robustness", run=three[2].id)
    assert not figure(at, "robustness_curve")["data"]
    at.button(key="measure").click().run()
    at.run()
    assert not at.exception and not at.error
    assert not [button for button in at.button if button.key == "measure"]
    lines = figure(at, "robustness_curve")["data"]
    assert lines[0]["name"] == "run 2" and len(lines) == 3
    levels = distortions.DISTORTIONS["rotate"].levels
    right = [
        (brain.logits(three[2].path, 3.0,
                      distortions.DISTORTIONS["rotate"].apply(small.test.images, level))
         .argmax(1) == small.test.labels).mean()
        for level in levels
    ]  # fmt: skip
    np.testing.assert_allclose(array(lines[0]["y"]), 100 * np.array(right))
    assert array(lines[0]["x"]).tolist() == list(levels)
    asked = len(brain.asked)
    again = start("draw", draw="Robustness", run=three[2].id)
    assert len(figure(again, "robustness_curve")["data"]) == 3
    assert not [one for one in brain.asked[asked:] if one[0] == "robustness"]


def test_an_error_in_measuring_is_a_sentence(run, brain, monkeypatch):
    monkeypatch.setattr(workers, "_measurings", {})
    brain.broken = "robustness"
    at = start("draw", draw="Robustness")
    at.button(key="measure").click().run()
    assert not at.exception
    assert "robustness is broken" in at.error[0].value


# The gallery


def test_kept_drawings_have_captions_and_marks_and_are_forgotten(run):
    at = drawn(meant="7")
    at.button(key="keep_drawing").click()
    draw(at, SEVEN)
    for meant in (1, None):
        at.selectbox(key="sheet_meant_choice").set_value(meant)
        draw(at, SEVEN)
        at.button(key="keep_drawing").click()
        draw(at, SEVEN)
    assert grid(at, "gallery_grid")["captions"] == [
        "a drawing, read as 7", "a 1, read as 7", "a 7, read as 7"
    ]  # fmt: skip
    assert grid(at, "gallery_grid")["marks"] == ["", "wrong", "right"]
    assert (drawn_digits(at, "gallery_grid") == drawing.stages(SEVEN)[-1].picture).all()
    assert "1 of 2 kept drawings" in words(at)
    asked = components(at, "browser_store")["gallery_store"]["asked"]
    assert asked["keep"]["meant"] is None
    kept = digit_link.unpacked(asked["keep"]["digit"])
    assert (kept == drawing.stages(SEVEN)[-1].picture).all()
    at.button(key="forget").click().run()
    assert not at.exception and "gallery_grid" not in components(at, "digit_grid")
    forget = components(at, "browser_store")["gallery_store"]["asked"]
    assert forget["keep"] is None and forget["id"] != asked["id"]


def test_kept_drawings_are_shown_without_a_run(small):
    at = start("draw", {"gallery": [(small.test.images[0], 4), (small.test.images[1], None)]})
    assert grid(at, "gallery_grid")["captions"] == ["a 4", "a drawing"]
    assert grid(at, "gallery_grid")["marks"] is None


def test_at_most_forty_drawings_are_kept(small, monkeypatch):
    monkeypatch.setattr(gallery.st, "session_state", {})
    for number in range(43):
        gallery.keep(small.test.images[number], number % 10)
    kept = gallery.kept()
    assert [meant for _, meant in kept] == [number % 10 for number in range(42, 2, -1)]


def returned(said, monkeypatch, **state):
    """Return the gallery after the browser has told what it kept."""
    state["gallery_store"] = {"found": {"value": said}}
    monkeypatch.setattr(gallery.st, "session_state", state)
    gallery._found()
    return gallery.kept()


def test_what_the_browser_kept_comes_back_also_what_another_tab_has_kept(small, monkeypatch):
    digits = [digit_link.packed(image) for image in small.test.images[:50]]
    said = [{"digit": digit, "meant": i % 10} for i, digit in enumerate(digits)]
    kept = returned(said, monkeypatch)
    assert len(kept) == 40 and [meant for _, meant in kept] == [i % 10 for i in range(40)]
    assert all((kept[i][0] == small.test.images[i]).all() for i in range(40))
    here = [(small.test.images[0], 3)]
    assert len(returned(said[:2], monkeypatch, gallery=here)) == 2
    assert returned([], monkeypatch, gallery=here) == []


def test_what_the_browser_never_kept_is_left_out(small, monkeypatch):
    good = digit_link.packed(small.test.images[0])
    for said in (None, "text", 5, {}, {"digit": good, "meant": 1}, []):
        assert returned(said, monkeypatch) == []
    junk = [None, 1, "text", [], {}, {"digit": good}, {"digit": "x", "meant": 1},
            {"digit": None, "meant": 1}, {"digit": [1], "meant": 1}, {"meant": 1},
            {"digit": "A" * 10_000, "meant": 2}]  # fmt: skip
    assert returned(junk, monkeypatch) == []
    odd = [{"digit": good, "meant": meant} for meant in (4, 10, -1, "4", None, [4], 1.5, True, 2.0)]
    meant = [meant for _, meant in returned([*junk, *odd], monkeypatch)]
    assert meant == [4, *[None] * 8] and type(meant[0]) is int


# Questions level by level


class Later:
    """In place of the answering process: answers when told to."""

    def __init__(self):
        self.asked, self.futures = [], []

    def __call__(self, *question):
        self.asked.append(question)
        self.futures.append(Future())
        return self.futures[-1]


@pytest.fixture
def later(monkeypatch):
    later = Later()
    monkeypatch.setattr(workers, "ask", later)
    monkeypatch.setattr(workers, "_measurings", {})
    return later


def test_levels_are_asked_in_order_each_after_the_one_before(later, tmp_path):
    whole = workers.measure(tmp_path, 2.0, "blur", [0.0, 1.0, 2.0])
    assert workers.measure(tmp_path, 2.0, "blur", [1.0]) is whole
    assert workers.measure(tmp_path, 1.0, "blur", [0.5]) is not whole
    assert len(later.futures) == 2  # and the other moment's
    first, _ = later.futures
    first.set_result({})
    later.futures[2].set_result({})
    assert not whole.done()
    later.futures[3].set_result({})
    assert whole.result() is None
    mine = [question for question in later.asked if question[2] == 2.0]
    assert mine == [("robustness", tmp_path, 2.0, "blur", level) for level in (0.0, 1.0, 2.0)]
    assert workers.measure(tmp_path, 2.0, "blur", [2.0]) is not whole


def test_a_failing_level_ends_the_measuring_with_its_error(later, tmp_path):
    whole = workers.measure(tmp_path, 2.0, "blur", [0.0, 1.0, 2.0])
    later.futures[0].set_result({})
    later.futures[1].set_exception(runs.RunsError("No space left."))
    assert len(later.asked) == 2 and str(whole.exception()) == "No space left."
    assert workers.measure(tmp_path, 2.0, "blur", []).result() is None


def test_a_process_that_cannot_be_started_ends_the_measuring(monkeypatch, tmp_path):
    def ask(*question):
        raise RuntimeError("The answering process cannot be started.")

    monkeypatch.setattr(workers, "ask", ask)
    assert "cannot be started" in str(workers.measure(tmp_path, 0.0, "blur", [1.0]).exception())


def test_a_measuring_that_fails_between_two_looks_is_told_and_offered_again(run, later):
    """As with a real process: the answer is there when the page looks the next time."""
    at = start("draw", draw="Robustness")
    at.button(key="measure").click().run()
    later.futures[-1].set_exception(runs.RunsError("No space left."))
    for _ in range(2):
        at.run()
        assert not at.exception and "No space left" in at.error[0].value
    at.button(key="measure").click().run()
    assert not at.exception and not at.error
    robust = [question for question in later.asked if question[0] == "robustness"]
    assert len(robust) == 2
