"""Pictures of a digit in whatever file: the same digit comes out, or a sentence for people."""

import io
import struct
import threading
import tracemalloc
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mnist_core import photo
from mnist_core.photo import LONGEST, PhotoError, read

EXIF_ORIENTATION = 0x0112


@pytest.fixture(scope="module")
def drawn():
    """A 7 drawn smoothly, dark on white: L, 300 wide and 400 high, not like itself mirrored."""
    large = Image.new("L", (1200, 1600), 255)
    ImageDraw.Draw(large).line([(300, 400), (900, 400), (500, 1300)], 0, 120, "curve")
    return large.resize((300, 400), Image.Resampling.BOX)


def filed(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def packed(picture):
    """Return a picture of any mode losslessly, in few bytes."""
    if picture.mode == "F":
        return filed(picture, "TIFF", compression="tiff_lzw")
    return filed(picture, compress_level=1)


def on_transparent(drawn, ink):
    """Return the digit as a canvas gives it: RGBA, all of one colour, its shape in the alpha."""
    picture = Image.new("RGBA", drawn.size, (ink, ink, ink, 0))
    picture.putalpha(drawn.point(lambda value: 255 - value))
    return picture


def with_transparent_black(drawn):
    """Return dark ink on transparent pixels that are black too, as a new canvas has them."""
    return on_transparent(drawn, 0)


def palette_with_transparency(drawn):
    """Return P whose entry i is black with opacity i: a smooth stroke with 256 opacities."""
    picture = Image.frombytes("P", drawn.size, drawn.point(lambda v: 255 - v).tobytes())
    picture.putpalette([0, 0, 0] * 256)
    picture.info["transparency"] = bytes(range(256))
    return picture


def sixteen(drawn, dtype="<u2"):
    return Image.fromarray((np.asarray(drawn).astype(dtype) * 257).astype(dtype))


def floats(drawn, low=-3.0, high=40.0):
    return Image.fromarray((np.asarray(drawn) / 255 * (high - low) + low).astype(np.float32))


# name: a function of the digit that gives a file's content, and how far pixels may be off
MODES = {
    "grey PNG": (lambda d: filed(d), 0),
    "RGB PNG": (lambda d: filed(d.convert("RGB")), 0),
    "RGBA opaque": (lambda d: filed(d.convert("RGBA")), 0),
    "RGBA on transparent": (lambda d: filed(with_transparent_black(d)), 1),
    "LA on transparent": (lambda d: filed(with_transparent_black(d).convert("LA")), 1),
    "palette": (lambda d: filed(d.convert("P")), 0),
    "palette transparent": (lambda d: filed(palette_with_transparency(d)), 1),
    "16-bit PNG": (lambda d: filed(sixteen(d)), 1),
    "16-bit TIFF": (lambda d: filed(sixteen(d), "TIFF"), 1),
    "float TIFF": (lambda d: filed(floats(d), "TIFF"), 1),
    "float TIFF, tiny range": (lambda d: filed(floats(d, 0, 1e-6), "TIFF"), 1),
    "int TIFF": (lambda d: filed(Image.fromarray(np.asarray(d) * np.int32(70_000)), "TIFF"), 1),
    "CMYK TIFF": (lambda d: filed(d.convert("RGB").convert("CMYK"), "TIFF"), 1),
    "CMYK JPEG": (lambda d: filed(d.convert("RGB").convert("CMYK"), "JPEG", quality=97), 6),
    "JPEG": (lambda d: filed(d, "JPEG", quality=97), 6),
    "RGB JPEG": (lambda d: filed(d.convert("RGB"), "JPEG", quality=97), 6),
    "TIFF, compressed": (lambda d: filed(d, "TIFF", compression="tiff_lzw"), 0),
    "WebP": (lambda d: filed(d, "WEBP", lossless=True), 0),
    "WebP on transparent": (
        lambda d: filed(with_transparent_black(d), "WEBP", lossless=True, exact=True), 1,
    ),
    "BMP": (lambda d: filed(d, "BMP"), 0),
    "GIF": (lambda d: filed(d, "GIF"), 0),
}  # fmt: skip


def as_grey(pixels):
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous and pixels.flags.writeable
    return pixels if pixels.ndim == 2 else np.asarray(Image.fromarray(pixels).convert("L"))


@pytest.mark.parametrize("name", MODES)
def test_a_digit_comes_out_the_same_in_each_mode(drawn, name):
    make, tolerance = MODES[name]
    pixels = as_grey(read(make(drawn)))
    assert pixels.shape == (400, 300)
    np.testing.assert_allclose(pixels.astype(int), np.asarray(drawn), atol=tolerance)


def test_big_endian_16_bit_and_1_bit(drawn):
    pixels = read(filed(sixteen(drawn, ">u2"), "TIFF"))
    np.testing.assert_allclose(pixels.astype(int), np.asarray(drawn), atol=1)
    bits = drawn.convert("1", dither=Image.Dither.NONE)
    for kind in ("PNG", "BMP", "TIFF", "GIF"):
        pixels = read(filed(bits, kind))
        np.testing.assert_array_equal(pixels, np.where(np.asarray(bits), 255, 0))


def test_colours_stay_and_grey_has_no_third_axis(drawn):
    red = Image.new("RGB", (40, 30), (200, 10, 20))
    assert (read(filed(red)) == [200, 10, 20]).all()
    assert read(filed(red)).shape == (30, 40, 3)
    assert read(filed(drawn.convert("RGB"))).shape == (400, 300)


def test_white_ink_on_transparent_is_laid_on_black(drawn):
    pixels = read(filed(on_transparent(drawn, 255)))
    np.testing.assert_allclose(pixels.astype(int), 255 - np.asarray(drawn), atol=1)


def test_a_dark_picture_with_some_transparency_is_laid_on_white(drawn):
    """White paper with dark ink, a corner cut out: the corner is paper."""
    picture = drawn.convert("RGBA")
    picture.paste((0, 0, 0, 0), (0, 0, 60, 60))
    np.testing.assert_array_equal(read(filed(picture)), np.asarray(drawn))


@pytest.mark.parametrize("size", [(50, 70), (2000, 2500)])
def test_an_empty_canvas_is_white(size):
    assert (read(filed(Image.new("RGBA", size, (0, 0, 0, 0)))) == 255).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_a_picture_stands_upright_as_its_exif_says(drawn, kind, turn):
    """What each orientation does to an upright picture, as EXIF 2.32 defines it."""
    upright = np.asarray(drawn)
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.T,
        6: np.rot90(upright), 7: upright[::-1, ::-1].T, 8: np.rot90(upright, -1),
    }[turn]  # fmt: skip
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = turn
    options = {"quality": 97} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    pixels = read(filed(Image.fromarray(np.ascontiguousarray(stored)), kind, exif=exif, **options))
    np.testing.assert_allclose(pixels.astype(int), upright, atol=6)


def test_a_large_picture_is_turned_too(drawn):
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    large = drawn.resize((1500, 2000)).transpose(Image.Transpose.ROTATE_90)
    for kind in ("JPEG", "PNG", "TIFF"):
        pixels = read(filed(large, kind, exif=exif))
        assert pixels.shape == (800, 600)
        small = drawn.resize((600, 800))
        assert np.abs(pixels.astype(int) - np.asarray(small)).mean() < 1


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame_counts(drawn, kind):
    other = Image.new("L", drawn.size, 128)
    options = {"lossless": True} if kind == "WEBP" else {}
    content = filed(drawn, kind, save_all=True, append_images=[other, other], **options)
    np.testing.assert_array_equal(read(content), np.asarray(drawn))


@pytest.mark.parametrize("value", [0, 77, 255])
def test_one_pixel(value):
    assert read(filed(Image.new("L", (1, 1), value))).tolist() == [[value]]
    assert read(filed(Image.new("F", (1, 1), value), "TIFF")).shape == (1, 1)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((800, 600), (600, 800)), ((801, 600), (599, 800)), ((1600, 400), (200, 800)),
     ((4001, 2999), (600, 800)), ((1, 30_000), (800, 1)), ((30_000, 2), (1, 800))],
)  # fmt: skip
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "1", "I;16", "F"])
def test_the_longer_side_has_800_pixels_at_most(size, expected, mode):
    assert read(packed(Image.new(mode, size))).shape[:2] == expected


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "I;16", "F"])
def test_a_large_picture_is_the_mean_of_its_pixels(drawn, mode):
    """Bands that are reduced one by one have no seams."""
    large = drawn.resize((3000, 4000))
    if mode == "I;16":
        picture = sixteen(large)
    else:
        picture = with_transparent_black(large) if mode == "RGBA" else large.convert(mode)
    pixels = as_grey(read(packed(picture)))
    means = np.asarray(large).reshape(800, 5, 600, 5).mean((1, 3))
    assert np.abs(pixels - means).mean() < 1
    assert np.abs(pixels - means).max() < 40  # at edges: HAMMING is a little wider than a box


def test_what_is_no_number_does_not_spoil_a_float_tiff(drawn):
    values = np.asarray(floats(drawn)).copy()
    values[0, :3] = np.nan, np.inf, -np.inf
    expected = np.asarray(drawn).copy()
    expected[0, :3] = 0
    pixels = read(filed(Image.fromarray(values), "TIFF"))
    np.testing.assert_allclose(pixels.astype(int), expected, atol=1)
    assert read(filed(Image.fromarray(np.full((5, 5), np.nan, np.float32)), "TIFF")).max() == 0
    with np.errstate(all="raise"):
        widest = np.array([[-3e38, 3e38], [0, 3e38]], np.float32)
        assert read(filed(Image.fromarray(widest), "TIFF")).tolist() == [[0, 255], [128, 255]]


def headed(width, height):
    """Return a PNG that says how large it is and holds no pixels to speak of."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(
            ">I", zlib.crc32(name + data))  # fmt: skip

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0"))
            + chunk(b"IEND", b""))  # fmt: skip


FTYP = b"\0\0\0\x20ftyp"
REFUSED = {
    "0 bytes": (b"", "empty"),
    "text": (b"This is not a picture.\n" * 50, "not a picture"),
    "zeros": (bytes(1000), "not a picture"),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3", "PDF"),
    "HEIC": (FTYP + b"heic\0\0\0\0mif1heic", "HEIC"),
    "HEIF": (FTYP + b"mif1\0\0\0\0mif1heic", "HEIC"),
    "HEIF sequence": (FTYP + b"msf1\0\0\0\0", "HEIC"),
    "HEIC 10 bit": (FTYP + b"heix\0\0\0\0", "HEIC"),
    "AVIF": (FTYP + b"avif\0\0\0\0avifmif1", "AVIF"),
    "film": (FTYP + b"isom\0\0\0\0", "video"),
    "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"></svg>', "SVG"),
    "SVG in XML": (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- ' + b"x" * 2000 + b" --><svg>", "SVG"),
    "SVG in UTF-16": ('<svg width="10"></svg>'.encode("utf-16"), "SVG"),
    "web page": (b"<!DOCTYPE html><html><body><svg/></body></html>", "web page"),
    "41 megapixels": (headed(10_000, 4_100), "41 megapixels"),
    "between Pillow's warning and its error": (headed(10_000, 10_000), "100 megapixels"),
    "400 megapixels": (headed(20_000, 20_000), "more than 40 megapixels"),
    "a PNG without pixels": (headed(100, 100), "damaged"),
    "a PNG's first bytes": (b"\x89PNG\r\n\x1a\n", "damaged"),
    "a JPEG's first bytes": (b"\xff\xd8\xff\xe0", "damaged"),
    "more than 15 MB": (bytes(15_000_001), "15.0 MB"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_said_in_sentences(name):
    content, expected = REFUSED[name]
    with pytest.raises(PhotoError, match=expected) as caught:
        read(content)
    said = str(caught.value)
    assert said.endswith(".") and 50 < len(said) < 260, said
    assert not any(word in said for word in ("Error", "PIL", "<", "Errno")), said


def test_what_a_pictures_metadata_tells_is_not_taken_for_its_kind(drawn):
    from PIL.PngImagePlugin import PngInfo

    told = PngInfo()
    told.add_text("Comment", "%PDF-1.7 <svg> <!doctype html>")
    np.testing.assert_array_equal(read(filed(drawn, pnginfo=told)), np.asarray(drawn))


@pytest.mark.parametrize("name", ["HEIC", "AVIF", "PDF", "SVG", "text"])
def test_the_formats_that_work_are_named(name):
    with pytest.raises(PhotoError, match="PNG, JPEG, WebP, BMP, GIF or TIFF"):
        read(REFUSED[name][0])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_a_file_that_was_cut_off_is_refused(kind, share):
    noise = np.random.default_rng(0).integers(0, 256, (80, 90)).astype(np.uint8)
    content = filed(Image.fromarray(noise), kind)
    with pytest.raises(PhotoError, match="damaged"):
        read(content[: int(len(content) * share)])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
def test_changed_bytes_are_refused_or_read_and_nothing_else_happens(drawn, kind):
    random = np.random.default_rng(1)
    content = np.frombuffer(filed(drawn.resize((60, 80)), kind), np.uint8)
    for _ in range(60):
        spoiled = content.copy()
        places = random.integers(0, len(content), 4)
        spoiled[places] = random.integers(0, 256, 4)
        try:
            pixels = read(spoiled.tobytes())
        except PhotoError:
            continue
        assert pixels.dtype == np.uint8 and max(pixels.shape) <= LONGEST


def test_no_warning_leaks_and_the_filters_stay(drawn):
    before = list(warnings.filters)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PhotoError, match="100 megapixels"):
            read(headed(10_000, 10_000))
        read(filed(palette_with_transparency(drawn)))
    assert warnings.filters == before


def test_pictures_are_read_one_at_a_time(drawn, monkeypatch):
    inside, most, real = [], [], photo._pixels

    def watched(picture):
        inside.append(1)
        most.append(len(inside))
        pixels = real(picture)
        inside.pop()
        return pixels

    monkeypatch.setattr(photo, "_pixels", watched)
    threads = [threading.Thread(target=read, args=(filed(drawn),)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 6


def test_a_large_picture_takes_little_memory_beside_its_own(drawn):
    """What Python and NumPy allocate; Pillow's own 160 MB of 40 megapixels are not counted."""
    content = filed(Image.new("I;16", (8000, 5000), 999), "TIFF", compression="tiff_lzw")
    assert len(content) < photo.MOST_BYTES
    tracemalloc.start()
    try:
        assert read(content).shape == (500, 800)
        assert tracemalloc.get_traced_memory()[1] < 40e6
    finally:
        tracemalloc.stop()
