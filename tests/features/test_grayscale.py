"""Luminance: the sum by hand, Pillow's to the bit, and gray left as it is."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lookalike.features.grayscale import grayscale


def one(*color):
    return grayscale(np.array(color, np.uint8).reshape(1, 1, 1, 3)).item()


def test_the_primaries_by_hand():
    assert [one(255, 0, 0), one(0, 255, 0), one(0, 0, 255)] == [76, 150, 29]  # 76.245, 149.685, 29.07


def test_it_is_pillows_luminance_to_the_bit():
    pictures = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3), dtype=np.uint8)
    expected = np.stack([np.asarray(Image.fromarray(picture).convert("L")) for picture in pictures])
    np.testing.assert_array_equal(grayscale(pictures), expected)


@given(st.integers(0, 255))
def test_a_gray_stays_the_gray_it_is(level):
    assert one(level, level, level) == level


def test_a_batch_of_none_has_no_luminances():
    assert grayscale(np.empty((0, 8, 8, 3), np.uint8)).shape == (0, 8, 8)
