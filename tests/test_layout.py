"""Where weights stand in a picture: every weight once, and back."""

import numpy as np
import pytest

from mnist_core.layout import Layout

LAYOUTS = {
    "pixels": (Layout((784, 5), True), (28, 28)),
    "units": (Layout((128, 10), False), (8, 16)),
    "few units": (Layout((3, 4), False), (1, 3)),
    "uneven": (Layout((10, 2), False), (2, 8)),
    "one": (Layout((1, 1), False), (1, 1)),
    "filter of the image": (Layout((5, 5, 1, 6), False), (5, 5)),
    "filter of 16 channels": (Layout((3, 3, 16, 2), False), (6, 24)),
}


@pytest.mark.parametrize(("layout", "shape"), LAYOUTS.values(), ids=LAYOUTS)
def test_every_weight_of_a_unit_stands_in_one_cell(layout, shape):
    values = np.arange(np.prod(layout.shape), dtype=float).reshape(layout.shape)
    unit = layout.shape[-1] - 1
    picture = layout.picture(values, unit)
    assert picture.shape == shape
    assert sorted(picture[~np.isnan(picture)]) == sorted(values[..., unit].ravel())
    for cell in np.ndindex(picture.shape):
        index = layout.index(*cell, unit)
        assert (index is None) == bool(np.isnan(picture[cell]))
        if index is not None:
            assert picture[cell] == values[index]
            assert layout.cell(index) == cell


def test_a_cell_outside_is_no_weight():
    layout = Layout((784, 5), True)
    assert layout.index(-1, 0, 0) is layout.index(0, 28, 0) is layout.index(28, 0, 0) is None


def test_a_weight_is_named_by_where_it_comes_from_and_leads_to():
    assert Layout((784, 5), True).in_words((14 * 28 + 9, 3)) == "from pixel (14, 9) to unit 3"
    dense = Layout((128, 10), False)
    assert dense.in_words((12, 7), "unit", "output") == "from unit 12 to output 7"
    filters = Layout((3, 3, 16, 2), False)
    assert filters.in_words((1, 2, 15, 0)) == "of filter 1, map 16, row 1, column 2"
    first = Layout((5, 5, 1, 6), False)
    assert first.in_words((4, 0, 0, 5)) == "of filter 6, row 4, column 0"
