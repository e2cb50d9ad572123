"""Digits as a hand draws them, in strokes: points (x, y) from 0 to 1, y downwards."""

import math


def _arc(x, y, wide, high, start, end, steps=20):
    """Return points on an ellipse about (x, y), from one angle to another, clockwise in degrees."""
    angles = [math.radians(start + (end - start) * step / steps) for step in range(steps + 1)]
    return [(x + wide * math.cos(angle), y + high * math.sin(angle)) for angle in angles]


DIGITS = {
    0: [_arc(0.5, 0.5, 0.33, 0.48, -90, 270, 32)],
    1: [[(0.35, 0.2), (0.55, 0.03), (0.52, 0.97)]],
    2: [[*_arc(0.48, 0.28, 0.3, 0.26, -170, 35), (0.62, 0.55), (0.2, 0.95), (0.85, 0.95)]],
    3: [_arc(0.45, 0.27, 0.28, 0.25, -150, 90) + _arc(0.45, 0.74, 0.32, 0.24, -90, 140)],
    4: [[(0.3, 0.03), (0.18, 0.52), (0.8, 0.5)], [(0.68, 0.1), (0.62, 0.98)]],
    5: [[(0.75, 0.05), (0.32, 0.06), (0.27, 0.45), *_arc(0.45, 0.68, 0.3, 0.27, -120, 140)]],
    6: [[(0.68, 0.04), (0.4, 0.25), (0.25, 0.55), *_arc(0.48, 0.72, 0.26, 0.24, 180, -180)]],
    7: [[(0.18, 0.08), (0.8, 0.06), (0.62, 0.45), (0.42, 0.97)]],
    8: [_arc(0.5, 0.26, 0.24, 0.23, 90, -270) + _arc(0.5, 0.73, 0.28, 0.25, -90, 270)],
    9: [[*_arc(0.48, 0.28, 0.25, 0.24, 0, -360), (0.73, 0.3), (0.7, 0.6), (0.6, 0.97)]],
}
PAD = ".st-key-pad canvas"


def points(page, digit, left=0.2, top=0.2, size=0.6, pad=PAD):
    """Return a digit's strokes in pixels of the page, put so on its pad (shares of its side)."""
    box = page.locator(pad).bounding_box()
    x, y, side = box["x"], box["y"], box["width"]
    return [
        [
            (x + side * (left + size * across), y + side * (top + size * down))
            for across, down in stroke
        ]
        for stroke in DIGITS[digit]
    ]


def draw(page, digit, **where):
    """Draw a digit with the mouse."""
    for stroke in points(page, digit, **where):
        page.mouse.move(*stroke[0])
        page.mouse.down()
        for point in stroke[1:]:
            page.mouse.move(*point)
        page.mouse.up()
