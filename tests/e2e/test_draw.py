"""Draw in a real browser: with mouse, finger and keys, from photos and pixels, and what follows."""

import io
import re

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mnist_core import digit_link

from .conftest import wait_for
from .page import TRAINING_SECONDS, open_page, plot, stand_still
from .strokes import PAD, draw, points

expect = pytest.importorskip("playwright.sync_api", reason="needs Playwright").expect
WAKING = TRAINING_SECONDS  # the first answer loads TensorFlow


def reading(page):
    return page.locator(".st-key-reading")


def expect_reading(page, text, timeout=WAKING):
    expect(reading(page)).to_contain_text(text, timeout=timeout)


def ink(page, pad=PAD):
    """Return how many pixels of the pad have ink."""
    return page.locator(pad).evaluate(
        """canvas => {
            const { width, height } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            return data.filter((value, i) => i % 4 === 3 && value > 0).length;
        }"""
    )


def tool(page, name):
    return page.get_by_role("toolbar").get_by_role("button", name=name)


def bars(page):
    return plot(page, "drawn_answer").evaluate("node => Array.from(node._fullData?.[0].y ?? [])")


def four(width=640, height=480, side_by_side=False):
    """Return a photo, as JPEG, of a blue 4 on paper in uneven light."""
    light = np.linspace(215, 150, width)[None, :].repeat(height, 0)
    noise = np.random.default_rng(0).normal(0, 3, (height, width))
    photo = Image.fromarray(np.clip(light + noise, 0, 255).astype(np.uint8)).convert("RGB")
    pen = ImageDraw.Draw(photo)
    for left in (90, 380) if side_by_side else (240,):
        strokes = ([(60, 90), (20, 230), (140, 230)], [(110, 120), (100, 350)])
        for stroke in strokes:
            pen.line([(left + x, y) for x, y in stroke], fill=(30, 40, 90), width=16)
    file = io.BytesIO()
    photo.save(file, "JPEG")
    return file.getvalue()


def upload(page, content, name="photo.jpg"):
    stand_still(page)
    another = page.get_by_role("button", name="Another picture")
    if another.count():
        another.click()
    kind = {"name": name, "mimeType": "image/jpeg", "buffer": content}
    page.locator("input[type=file]").set_input_files(kind)


def test_a_digit_is_drawn_undone_erased_and_is_there_after_reload_and_page_switch(visit, paper_run):
    page = visit(f"draw?run={paper_run}")
    expect_reading(page, "Draw a digit")
    draw(page, 3)
    expect_reading(page, "Read as 3")
    assert np.argmax(bars(page)) == 3
    expect(page.locator("[class*=st-key-stage_] img")).to_have_count(6)
    expect(page.locator(".st-key-stage_scale")).to_contain_text(re.compile(r"3 \d"))

    drawn = ink(page)
    page.reload()
    expect_reading(page, "Read as 3")
    assert ink(page) == drawn
    open_page(page, "Browse")
    page.get_by_role("link", name="Draw", exact=True).click()
    expect_reading(page, "Read as 3")
    assert ink(page) == drawn

    tool(page, "Undo").click()
    expect_reading(page, "Draw a digit")
    assert ink(page) == 0
    tool(page, "Redo").click()
    expect_reading(page, "Read as 3")
    tool(page, "Eraser").click()
    draw(page, 3, left=0.4)
    wait_for(lambda: ink(page) < drawn, 5, "an erased part")
    tool(page, "Clear").click()
    expect_reading(page, "Draw a digit")
    tool(page, "Undo").click()
    tool(page, "Undo").click()
    expect_reading(page, "Read as 3")
    assert ink(page) == drawn


def test_the_reading_follows_the_pen_before_it_is_lifted(visit, paper_run):
    page = visit(f"draw?run={paper_run}")
    expect_reading(page, "Draw a digit")
    (stroke,) = points(page, 7)
    page.mouse.move(*stroke[0])
    page.mouse.down()
    for point in stroke[1:]:
        page.mouse.move(*point, steps=8)
    expect_reading(page, "Read as")
    page.mouse.up()
    expect_reading(page, "Read as 7")


def test_a_finger_draws_and_does_not_scroll_the_page(visit, paper_run):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    page = visit(f"draw?run={paper_run}", **phone)
    expect_reading(page, "Draw a digit")
    stand_still(page)
    finger = page.context.new_cdp_session(page)

    def touch(kind, *where):
        at = [{"x": x, "y": y} for x, y in where]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    for stroke in points(page, 4):
        touch("touchStart", stroke[0])
        for point in stroke[1:]:
            touch("touchMove", point)
        touch("touchEnd")
    expect_reading(page, "Read as 4")
    scrolled = "document.querySelector('[data-testid=stMain]').scrollTop"
    assert page.evaluate(scrolled) == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_keyboard_draws(visit, paper_run):
    page = visit(f"draw?run={paper_run}")
    expect_reading(page, "Draw a digit")
    stand_still(page)
    page.locator(PAD).focus()
    for key in ["ArrowUp"] * 10 + [" "] + ["ArrowDown"] * 20 + [" "]:
        page.keyboard.press(key)
    expect_reading(page, "Read as 1")
    page.keyboard.press("Control+z")
    expect_reading(page, "Draw a digit")
    page.keyboard.press("Control+y")
    expect_reading(page, "Read as 1")


def test_a_photo_is_read_and_its_frame_chooses_one_of_two_digits(visit, paper_run):
    page = visit(f"draw?run={paper_run}&on=Photo")
    upload(page, four())
    expect_reading(page, "Read as 4")

    upload(page, four(side_by_side=True))
    expect_reading(page, "2 digits side by side")
    page.keyboard.press("Escape")  # closes the choice of a picture
    frame = page.locator(".st-key-photo_crop .frame")
    corner = frame.locator("[data-corner='2 3']").bounding_box()
    x, y = corner["x"] + corner["width"] / 2, corner["y"] + corner["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 0.5 * frame.bounding_box()["width"], y, steps=5)
    page.mouse.up()
    expect_reading(page, "Read as 4")
    expect(reading(page)).not_to_contain_text("side by side")


def test_a_picture_is_pasted_anywhere(visit, paper_run):
    page = visit(f"draw?run={paper_run}")
    expect_reading(page, "Draw a digit")
    stand_still(page)
    page.evaluate(
        """async bytes => {
            const file = new File([new Uint8Array(bytes)], "four.jpg", { type: "image/jpeg" });
            const clipboardData = new DataTransfer();
            clipboardData.items.add(file);
            const event = new ClipboardEvent("paste", { clipboardData, bubbles: true });
            document.body.dispatchEvent(event);
        }""",
        list(four()),
    )
    expect(page.locator(".st-key-photo_crop img")).to_be_visible()
    expect_reading(page, "Read as 4")


def test_what_is_no_picture_is_refused_in_words(visit):
    page = visit("draw?on=Photo")
    upload(page, b"this is a letter", "photo.png")
    expect(page.get_by_text("PNG, JPEG, WebP").last).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_a_test_digit_is_sent_to_draw_and_edited_pixel_by_pixel(visit, paper_run):
    page = visit(f"mistakes?run={paper_run}")
    page.get_by_role("button", name="Send to Draw").click()
    page.wait_for_url("**/draw?**digit=**")
    digit = digit_link.unpacked(re.search(r"digit=([\w-]+)", page.url)[1])
    pad = ".st-key-pixels canvas"
    expect(page.locator(pad)).to_be_visible()
    expect(reading(page).locator("h3")).to_be_visible(timeout=WAKING)
    assert ink(page, pad) == np.count_nonzero(digit)
    shown = plot(page, "drawn_answer").locator(".gtitle")
    expect(shown).to_contain_text(", it is ")  # a mistake, and its label came with it

    before = bars(page)
    box = page.locator(pad).bounding_box()
    for row in range(12, 16):
        y = box["y"] + (row + 0.5) / 28 * box["height"]
        page.mouse.move(box["x"] + 4, y)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] - 4, y, steps=4)
        page.mouse.up()
    wait_for(lambda: bars(page) != before, 15, "another answer")
    assert ink(page, pad) > np.count_nonzero(digit)


def test_a_kept_drawing_stays_in_the_browser(visit, paper_run):
    page = visit(f"draw?run={paper_run}")
    expect_reading(page, "Draw a digit")
    draw(page, 7)
    expect_reading(page, "Read as 7")
    page.wait_for_timeout(300)  # the pen's last report is answered
    stand_still(page)
    page.locator(".st-key-below_sheet").get_by_role("combobox").click()
    page.get_by_role("option", name="7", exact=True).click()
    page.wait_for_url("**meant=7**")
    stand_still(page)
    page.get_by_role("button", name="Keep", exact=True).click()
    expect(page.get_by_text("1 kept drawing", exact=True)).to_be_visible()
    page.reload()
    page.get_by_text("1 kept drawing", exact=True).click()
    expect(page.get_by_text("1 of 1 kept drawing")).to_be_visible(timeout=WAKING)
    page.get_by_role("button", name="Forget all").click()
    expect(page.get_by_text("1 kept drawing", exact=True)).to_have_count(0)


def test_why_flip_and_robustness_lead_on_from_ones_own_digit(visit, paper_run, server):
    page = visit(f"draw?run={paper_run}&draw=Why?")
    expect(page.get_by_text("Draw a digit at the left first.")).to_be_visible()
    draw(page, 4)
    expect(plot(page, "drawn_maps")).to_contain_text("Occlusion", timeout=WAKING)
    # For a moment the text of the drawing before may still stand there, too.
    expect(page.get_by_text("Nearest 4s").first).to_be_visible(timeout=WAKING)

    page.get_by_role("radio", name="Flip it").click()
    expect(page.get_by_text(re.compile("pixels? of 784 make a"))).to_be_visible()
    page.get_by_role("button", name="Edit this digit").click()
    page.wait_for_url("**on=Pixels**")
    expect(reading(page).locator("h3")).not_to_contain_text("as 4,")

    page.get_by_role("radio", name="Pad").click()
    page.get_by_role("radio", name="Robustness").click()
    page.get_by_text("Blur", exact=True).click()
    page.get_by_role("button", name=re.compile("Measure on")).click()
    drawn = "node => node._fullData?.[0]?.x?.length ?? 0"
    wait_for(lambda: plot(page, "robustness_curve").evaluate(drawn) == 9, 60, "a whole curve")
    kept = list((server.runs / paper_run / "robustness").glob("*-blur.jsonl"))
    assert len(kept) == 1
    expect(page.get_by_role("button", name=re.compile("Measure on"))).to_have_count(0)
