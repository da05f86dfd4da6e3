import io

import numpy as np
import pytest
from PIL import Image

from lookalike.reporting.sheet import contact_sheet

RED, BLUE = (np.full((40, 40, 3), color, np.uint8) for color in ((200, 0, 0), (0, 0, 200)))


def opened(data):
    picture = Image.open(io.BytesIO(data))
    assert picture.format == "PNG"
    return np.asarray(picture)


def test_margins_are_even_and_pictures_stand_in_rows():
    sheet = opened(contact_sheet([RED, BLUE, RED], columns=2, tile=50))  # a gap of 5 about each
    assert sheet.shape == (5 + 2 * 55, 5 + 2 * 55, 3)
    assert (sheet[5:55, 5:55] == (200, 0, 0)).all()
    assert (sheet[5:55, 60:110] == (0, 0, 200)).all()
    assert (sheet[60:110, 5:55] == (200, 0, 0)).all()
    for ground in (sheet[:5], sheet[:, :5], sheet[55:60], sheet[:, 55:60], sheet[60:110, 60:110], sheet[110:]):
        assert (ground == 255).all()


def test_a_picture_keeps_its_shape_and_stands_in_the_middle():
    wide = np.zeros((20, 40, 3), np.uint8)
    sheet = opened(contact_sheet([wide], columns=3, tile=40))
    dark = np.argwhere((sheet == 0).all(2))
    assert (dark.min(0).tolist(), dark.max(0).tolist()) == ([4 + 10, 4], [4 + 29, 4 + 39])


def test_captions_stand_below_their_pictures_as_many_lines_as_they_have():
    plain, one, two = (
        contact_sheet([RED], captions, columns=1, tile=100) for captions in (None, ["9.90 €"], ["Acme\nboot"])
    )
    heights = [opened(data).shape[0] for data in (plain, one, two)]
    assert heights[2] - heights[1] == heights[1] - heights[0] > 10
    assert (opened(one)[110:] < 120).all(2).any()


def test_a_long_caption_is_cut_to_its_tile():
    sheet = opened(contact_sheet([RED, RED], ["x" * 300, ""], columns=2, tile=100))
    written = np.argwhere((sheet[110:] < 200).all(2))
    assert written[:, 1].min() >= 10
    assert written[:, 1].max() < 110


def test_captions_must_be_as_many_as_pictures():
    with pytest.raises(ValueError, match="1 captions for 2 pictures"):
        contact_sheet([RED, BLUE], ["one"], columns=2, tile=50)


def test_no_pictures_make_an_empty_sheet():
    assert opened(contact_sheet([], columns=4, tile=50)).size
