"""An uploaded, pasted or photographed picture, as bytes of whatever kind, to pixels."""

from __future__ import annotations

import io
import re
import threading
import warnings

import numpy as np
from PIL import ExifTags, Image

LONGEST = 800  # pixels of the longer side: a digit needs 28, a look at it no more than these
MOST_BYTES, MOST_PIXELS = 15_000_000, 40_000_000
WHITE_INK = 192  # of 255: ink that is nowhere darker is lost on white
FORMATS = ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"]
WORKING = "PNG, JPEG, WebP, BMP, GIF or TIFF"
# How a file of a working format begins: one that does and cannot be opened is damaged.
_BEGINNINGS = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"BM", b"GIF8", b"II*\0", b"MM\0*")
_BAND = 1_000_000  # pixels that are converted at a time
# EXIF's orientation: how a picture must be turned or mirrored to stand upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_one_at_a_time = threading.Lock()


class PhotoError(ValueError):
    """The picture cannot be used; the message says what it is, why not, and what to do."""


def read(content: bytes) -> np.ndarray:
    """Return a picture's pixels: uint8 (h, w, 3), or (h, w) where no pixel has a colour.

    The longer side is at most LONGEST; upright as its EXIF says; of an animation the first frame;
    what is transparent is white, or black where all ink is white. Raises PhotoError.
    """
    if not content:
        raise PhotoError("This file is empty: it has 0 bytes. Choose another one.")
    if kind := _other_kind(content):
        raise PhotoError(f"This is {kind}. Save it as {WORKING}, or take a screenshot of it.")
    if len(content) > MOST_BYTES:
        raise PhotoError(
            f"This file has {len(content) / 1e6:,.1f} MB; at most {MOST_BYTES / 1e6:.0f} MB can be "
            "read. Make the picture smaller, or cut out the digit."
        )
    # One at a time: 40 megapixels take 160 MB, of a WebP four times as much. Pillow warns of what
    # is refused or mended here: nothing for people.
    with _one_at_a_time, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")
        picture = _opened(content)
        try:
            return _pixels(picture)
        except Image.DecompressionBombError as error:  # a TIFF's tile larger than the picture
            raise _too_large(f"more than {MOST_PIXELS / 1e6:.0f}") from error
        except Exception as error:  # damage raises one of a dozen kinds
            raise _damaged() from error


def _other_kind(content: bytes) -> str | None:
    """Say what a file is that people take for a picture, by its first bytes; None: perhaps one."""
    head = content[:1024]
    if head.startswith(_BEGINNINGS):  # whatever is told in its metadata
        return None
    if b"%PDF-" in head:
        return "a PDF document, not a picture"
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        if brand in (b"avif", b"avis"):
            return "an AVIF picture, which cannot be read here"
        if brand[:3] in (b"hei", b"hev", b"mif", b"msf"):
            return "a HEIC (HEIF) picture, as phones store them, which cannot be read here"
        return "a video, not a picture"
    text = head.replace(b"\0", b"").lower()  # UTF-16 is read as well
    if re.search(rb"<!doctype html|<html", text):
        return "a web page, not a picture"
    if b"<svg" in text or (b"<?xml" in text and b"<svg" in content[:20_000].lower()):
        return "an SVG drawing, which has lines instead of pixels"
    return None


def _opened(content: bytes) -> Image.Image:
    """Return the picture of a file, its pixels not loaded yet: 10 kB may hold 400 megapixels."""
    try:
        picture = Image.open(io.BytesIO(content), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise _too_large(f"more than {MOST_PIXELS / 1e6:.0f}") from error
    except Exception as error:
        if content.startswith(_BEGINNINGS):
            raise _damaged() from error
        raise PhotoError(
            f"This file is not a picture, whatever its name says. Choose one in {WORKING}."
        ) from error
    if (pixels := picture.width * picture.height) > MOST_PIXELS:
        raise _too_large(f"{pixels / 1e6:,.0f}")
    return picture


def _too_large(megapixels: str) -> PhotoError:
    return PhotoError(
        f"This picture has {megapixels} megapixels; at most {MOST_PIXELS / 1e6:.0f} can be read. "
        "Make it smaller, or cut out the digit."
    )


def _damaged() -> PhotoError:
    return PhotoError(
        "This picture is damaged or was cut off, perhaps while it was copied. Save or send it "
        "again, or choose another one."
    )


def _pixels(picture: Image.Image) -> np.ndarray:
    picture.draft(None, _fitting(picture.size))  # a JPEG is decoded at 1/2, 1/4 or 1/8 of its size
    picture.load()
    small = _reduced(picture)
    small = small.resize(_fitting(small.size), Image.Resampling.HAMMING)
    if (turn := picture.getexif().get(ExifTags.Base.Orientation)) in _UPRIGHT:
        small = small.transpose(_UPRIGHT[turn])
    pixels = _scaled(np.asarray(small)) if small.mode == "F" else _laid(small)
    return pixels[..., 0].copy() if pixels.ndim == 3 and not np.ptp(pixels, 2).any() else pixels


def _fitting(size: tuple[int, int]) -> tuple[int, int]:
    """Return a size (w, h) as it is, or in proportion with LONGEST for its longer side."""
    scale = min(1.0, LONGEST / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _reduced(picture: Image.Image) -> Image.Image:
    """Return a loaded picture as RGB, RGBA or, where pixels have no fixed range, F.

    Its longer side is less than four times LONGEST. Band by band: converted as a whole a picture
    would take its memory twice more.
    """
    boundless = picture.mode in ("I", "F")
    mode = "F" if boundless else "RGBA" if picture.has_transparency_data else "RGB"
    width, height = picture.size
    factor = max(1, max(width, height) // (2 * LONGEST))
    rows = factor * max(1, _BAND // (width * factor))
    small = Image.new(mode, (-(-width // factor), -(-height // factor)))
    for top in range(0, height, rows):
        band = picture.crop((0, top, width, min(top + rows, height)))
        if boundless:
            band = _finite(band)
        elif band.mode.startswith("I;16"):  # Pillow's own conversion clips at 255
            band = Image.fromarray((np.asarray(band) / 257 + 0.5).astype(np.uint8))
        small.paste(band.convert(mode).reduce(factor), (0, top // factor))
    return small


def _finite(band: Image.Image) -> Image.Image:
    """Return a picture of mode I or F as F; what is no number becomes the least there is."""
    values = np.asarray(band).astype(np.float32)
    finite = np.isfinite(values)
    least = values[finite].min() if finite.any() else 0
    return Image.fromarray(np.where(finite, values, np.float32(least)))


def _scaled(values: np.ndarray) -> np.ndarray:
    """Return float32 (h, w) from its least value to its largest as uint8, 0 to 255."""
    values = values.astype(np.float64)
    values -= values.min()
    return (values * (255 / (values.max() or 1)) + 0.5).astype(np.uint8)


def _laid(picture: Image.Image) -> np.ndarray:
    """Return RGB or RGBA as uint8 (h, w, 3), laid on white, or on black if its ink is white."""
    if picture.mode == "RGB":
        return np.array(picture)
    alpha = np.asarray(picture.getchannel("A"))
    # Hardly visible pixels, of the edge of a stroke, have colours that are rounded to anything.
    visible = alpha >= max(1, alpha.max() / 2)
    ink = np.asarray(picture.convert("RGB").convert("L"))[visible]
    ground = 0 if ink.min(initial=255) >= WHITE_INK and ink.size else 255
    laid = Image.new("RGBA", picture.size, (ground, ground, ground, 255))
    return np.array(Image.alpha_composite(laid, picture).convert("RGB"))
