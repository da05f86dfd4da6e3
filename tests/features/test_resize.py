"""Any picture into a square: what is kept, what is cut, what is white."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lookalike.features.resize import resize

WAYS = ["squash", "letterbox", "crop"]


def halves(height, width):
    """Black on the left, red on the right."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, width // 2 :, 0] = 255
    return picture


@given(st.integers(1, 80), st.integers(1, 80), st.integers(1, 64), st.sampled_from(WAYS))
def test_any_shape_becomes_the_square_asked_for(height, width, size, how):
    square = resize(halves(height, width), size, how)
    assert square.shape == (size, size, 3)
    assert square.dtype == np.uint8
    assert square.flags.writeable


@pytest.mark.parametrize("how", WAYS)
def test_a_square_of_the_right_size_is_left_as_it_is(how):
    picture = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resize(picture, 24, how), picture)


def test_squash_keeps_everything_and_bends_it():
    square = resize(halves(40, 80), 20, "squash")
    assert square[0, :8, 0].tolist() == [0] * 8
    assert square[0, 12:, 0].tolist() == [255] * 8


def test_letterbox_keeps_the_shape_between_white_bars():
    square = resize(halves(40, 80), 20, "letterbox")  # 80 x 40 becomes 20 x 10, with five white rows above and below
    assert (square[:5] == 255).all()
    assert (square[15:] == 255).all()
    assert square[5:15, 0].tolist() == [[0, 0, 0]] * 10


def test_crop_takes_the_middle():
    picture = np.zeros((10, 30, 3), np.uint8)
    picture[:, 10:20] = 200
    np.testing.assert_array_equal(resize(picture, 10, "crop"), np.full((10, 10, 3), 200))


def test_shrinking_averages_what_it_leaves_out():
    lines = np.zeros((128, 128, 3), np.uint8)
    lines[:, ::2] = 255  # a picker of pixels would give black or white
    inside = resize(lines, 16, "squash")[:, 1:-1]
    assert np.abs(inside.astype(int) - 128).max() <= 2


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_squash_is_the_antialiased_interpolation_of_torch(interpolation):
    picture = np.random.default_rng(1).integers(0, 256, (90, 61, 3), dtype=np.uint8)
    planes = torch.from_numpy(picture).permute(2, 0, 1)[None].double()
    exact = torch.nn.functional.interpolate(planes, (32, 32), mode=interpolation, antialias=True)
    exact = exact.clamp(0, 255)[0].permute(1, 2, 0).numpy()
    found = resize(picture, 32, "squash", interpolation)
    assert np.abs(found - exact).max() < 3  # Pillow rounds after each of its two passes


@pytest.mark.parametrize("how", WAYS)
def test_each_interpolation_gives_other_pixels_and_bicubic_is_the_one_left_unsaid(how):
    picture = np.random.default_rng(1).integers(0, 256, (90, 61, 3), dtype=np.uint8)
    found = {name: resize(picture, 32, how, name).tobytes() for name in ("bicubic", "bilinear", "lanczos")}
    assert len(set(found.values())) == 3
    assert resize(picture, 32, how).tobytes() == found["bicubic"]
