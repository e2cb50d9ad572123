"""What one's digit comes from: the pad, a photo, or the 28×28 pixels of a digit to edit.

URL: on= which of them, digit= the pixels (digit_link.py), meant= the digit one meant.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import streamlit as st

from mnist_core import digit_link, drawing, photo, shapes, wording
from mnist_core.selection import Subset
from mnist_core.ui import gallery, url
from mnist_core.ui.pad import PIXELS, pad
from mnist_core.ui.paste import on_paste
from mnist_core.ui.photo_crop import WHOLE, photo_crop

KINDS = ("Pad", "Photo", "Pixels")
DARK, MOST_INK = 128, 0.6  # a pad that holds more ink darker than this shows no digit
# Pixels are MNIST's form already: there the recipe would only change what one edits.
SWITCHED_ON = {
    "Pad": tuple(drawing.STAGES),
    "Photo": tuple(drawing.STAGES),
    "Pixels": ("scale",),
}


@dataclass(frozen=True, eq=False)
class Sheet:
    """One's digit: which kind, its stages, the digit one meant, and what is wrong with it."""

    kind: str
    stages: list[drawing.Stage]
    meant: int | None
    remark: str
    empty: bool = False  # nothing on it looks like ink

    @property
    def pixels(self) -> np.ndarray:
        """What the network gets behind its scaling layer, float32 (28, 28)."""
        return self.stages[-1].pixels

    @property
    def digit(self) -> np.ndarray:
        """The same as an image, uint8 (28, 28)."""
        return self.stages[-1].picture

    @property
    def scaled(self) -> np.ndarray:
        """The same, 0 to 1, whether or not that stage is on."""
        return self.digit.astype(np.float32) / 255

    @property
    def blank(self) -> bool:
        return self.empty or not self.digit.any()


def send(digit: np.ndarray, meant: int | None, *, key: str) -> None:
    """Draw the button that opens an image, uint8 (28, 28), on the Draw page."""
    if st.button("Send to Draw", icon=":material/draw:", key=key, help="Edit it, and see why"):
        edit(digit, meant)
        # Without these, an address that names a choice of the page left would be an error.
        st.switch_page("pages/draw.py", query_params={})


def send_picked(part: Subset, picked: int | None, *, key: str) -> None:
    """Draw that button for the digit picked in a grid of `part`; None: nothing is."""
    if picked is not None:
        with st.container(horizontal=True, key=f"{key}_row", vertical_alignment="center"):
            one = part[[picked]]
            st.caption(f"{one.title}: a {one.labels[0]}", width="content")
            send(one.images[0], int(one.labels[0]), key=key)


def edit(digit: np.ndarray, meant: int | None) -> None:
    """Make an image, uint8 (28, 28), the sheet whose pixels are edited; callbacks may call it."""
    st.session_state["sheet_digit"] = np.array(digit, np.uint8)
    st.session_state["sheet_meant"] = meant
    st.session_state["sheet_kind"] = "Pixels"
    st.session_state["sheet_problem"] = None


def arrive() -> None:
    """Take the sheet of the link when a session starts."""
    state, said = st.session_state, st.query_params
    if "sheet_kind" in state:
        return
    state["sheet_kind"] = said.get("on") if said.get("on") in KINDS else KINDS[0]
    state["sheet_digit"], state["sheet_meant"] = None, None
    if (meant := said.get("meant")) in map(str, range(10)):
        state["sheet_meant"] = int(meant)
    if packed := said.get("digit"):
        try:
            state["sheet_digit"] = digit_link.unpacked(packed)
        except ValueError:
            state["sheet_problem"] = "The digit of this link cannot be read: it was cut short."


def to_url() -> None:
    """Say in the address what the sheet is; the strokes on a pad stay in the browser."""
    state = st.session_state
    kind, digit, meant = state["sheet_kind"], state["sheet_digit"], state["sheet_meant"]
    url.write("on", None if kind == KINDS[0] else kind)
    shown = digit is not None and kind == "Pixels"
    url.write("digit", digit_link.packed(digit) if shown else None)
    url.write("meant", None if meant is None else str(meant))


def choose(eager: bool) -> Sheet | None:
    """Draw what one draws on; return what is on it, None until it is known.

    An eager one also reports while a stroke is drawn.
    """
    state = st.session_state
    state["sheet_choice"] = state["sheet_kind"]
    st.segmented_control(
        "Draw on", KINDS, required=True, key="sheet_choice", label_visibility="collapsed",
        on_change=_kind_chosen,
    )  # fmt: skip
    if problem := state.get("sheet_problem"):
        st.warning(problem)
    kind = state["sheet_kind"]
    on_paste(_pasted)
    raw = _photo() if kind == "Photo" else _pad(kind == "Pixels", eager)
    if raw is None:
        return None
    on = [name for name in drawing.STAGES if stage_is_on(name, kind)]
    found = drawing.stages(raw, on)
    drawn = raw if kind == "Pixels" else 255 - drawing.grey(raw)  # light on dark
    _meant_is_over(kind, bool(drawn.any()))
    ink = drawing.light_on_dark(raw) if "polarity" not in on else found[1].picture
    empty = kind != "Pixels" and not shapes.shapes(ink)  # there one may mean any pixels
    return Sheet(kind, found, state["sheet_meant"], _remark(kind, drawn, ink), empty)


def _remark(kind: str, drawn: np.ndarray, ink: np.ndarray) -> str:
    """Return what is wrong with a sheet, in words; of an empty pad nothing."""
    if kind != "Photo":
        if (drawn > DARK).mean() > MOST_INK:
            return shapes.FILLED
        return shapes.remark(ink) if drawn.any() else ""
    said = shapes.remark(ink)
    return f"{said} Drag the frame around one digit." if said else ""


def _meant_is_over(kind: str, has_ink: bool) -> None:
    """Forget the digit one meant when a pad is cleared."""
    state = st.session_state
    if state.get("sheet_inked") == kind and not has_ink:
        state["sheet_meant"] = None
    state["sheet_inked"] = kind if has_ink else None


def stage_is_on(name: str, kind: str) -> bool:
    return st.session_state.setdefault("stages_on", {}).get((kind, name), name in SWITCHED_ON[kind])


def switch_stage(name: str, kind: str, key: str) -> None:
    st.session_state.setdefault("stages_on", {})[kind, name] = st.session_state[key]


def _kind_chosen() -> None:
    """Go to another sheet; what the digit there is meant to be is not known."""
    st.session_state["sheet_kind"] = st.session_state["sheet_choice"]
    st.session_state["sheet_meant"] = st.session_state["sheet_problem"] = None


def _meant_chosen() -> None:
    st.session_state["sheet_meant"] = st.session_state["sheet_meant_choice"]


def _pad(of_pixels: bool, eager: bool) -> np.ndarray | None:
    if not of_pixels:
        drawn = pad(key="pad", token="pad", eager=eager)
    else:
        digit = st.session_state["sheet_digit"]
        token = "empty" if digit is None else hashlib.blake2b(digit, digest_size=8).hexdigest()
        drawn = pad(
            key="pixels", token=token, side=PIXELS, base=digit, eager=eager,
            label="Edit the digit's pixels here",
        )  # fmt: skip
    if drawn is None:
        return None
    # On the pad of pixels paper is 0, as in the digit: what is edited is what the network gets.
    return 255 - drawn.picture if of_pixels else drawn.picture


def _photo() -> np.ndarray | None:
    state = st.session_state
    picture = state.get("photo")
    if picture is None:
        _choose_picture()
    else:
        with st.popover("Another picture", icon=":material/add_photo_alternate:", width="stretch"):
            _choose_picture()
    if problem := state.get("photo_problem"):
        st.error(wording.verbatim(problem))
    if picture is None:
        return None
    st.caption("Drag the frame around one digit.")
    return photo_crop(picture, key="photo_crop", box=WHOLE)


def _choose_picture() -> None:
    st.file_uploader(
        "A picture of one digit: PNG, JPEG, WebP, BMP, GIF or TIFF", key="photo_file",
        on_change=_uploaded, args=("photo_file",),
    )  # fmt: skip
    st.caption("Or paste one with Ctrl+V, anywhere on this page.")
    if st.toggle("Take one with the camera", key="photo_camera_on"):
        st.camera_input(
            "Fill the picture with the digit", key="photo_camera", on_change=_uploaded,
            args=("photo_camera",),
        )  # fmt: skip


def _uploaded(key: str) -> None:
    file = st.session_state[key]
    if file is not None:
        _take(file.getvalue())


def _pasted(content: bytes) -> None:
    st.session_state["sheet_kind"] = "Photo"
    _take(content)
    if not content:  # the browser could not open it
        st.session_state["photo_problem"] = (
            "What was pasted cannot be opened as a picture. Save it as PNG or JPEG, and choose the "
            "file."
        )


def _take(content: bytes) -> None:
    st.session_state["sheet_meant"] = None
    try:
        st.session_state["photo"] = photo.read(content)
        st.session_state["photo_problem"] = None
    except photo.PhotoError as error:
        st.session_state["photo"], st.session_state["photo_problem"] = None, str(error)


def keep_row(sheet: Sheet) -> None:
    """Draw the choice of the digit one meant, and the button that keeps the drawing."""
    st.session_state["sheet_meant_choice"] = st.session_state["sheet_meant"]
    st.selectbox(
        "The digit you mean", list(range(10)), key="sheet_meant_choice", on_change=_meant_chosen,
        placeholder="I mean a …", label_visibility="collapsed", width=130, index=None,
        help="Then its bar is green, and a kept drawing knows whether it was read rightly",
    )  # fmt: skip
    st.button(
        "Keep", icon=":material/bookmark_add:", key="keep_drawing", disabled=sheet.blank,
        on_click=gallery.keep, args=(sheet.digit, sheet.meant),
        help="Keep what the network gets, and the digit you mean, in this browser",
    )  # fmt: skip
