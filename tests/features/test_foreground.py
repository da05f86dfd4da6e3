"""Where the product is: outlines by hand, what a flood must not take, and what stands in where there is no outline."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.catalog.images import decode
from lookalike.features.foreground import around, bounds, foreground, on_white
from lookalike.features.resize import resize

DATA = Path(__file__).parents[3] / "shared" / "data"
INNER = np.s_[30:80, 30:80]


def white(size=112, level=255):
    return np.full((size, size, 3), level, np.uint8)


def square(color=(180, 20, 30), ground=255):
    """A square of 60 x 60 in the middle of 112 x 112."""
    picture = white(level=ground)
    picture[26:86, 26:86] = color
    return picture


def mask(picture):
    return foreground(picture[None])[0]


def truth():
    return (square() != 255).any(2)


def overlap(found, true):
    return (found & true).sum() / (found | true).sum()


def as_jpeg(picture, quality=75):
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


@pytest.mark.parametrize("color", [(0, 0, 0), (180, 20, 30), (120, 120, 120), (240, 235, 220), (255, 255, 0)])
@pytest.mark.parametrize("ground", [255, 244, 200])
def test_a_square_is_found_whatever_its_color(color, ground):
    assert overlap(mask(square(color, ground)), truth()) > 0.87  # of a pale one the rim goes: 56 x 56 of 60 x 60


def test_white_on_white_is_kept_by_its_faint_outline():
    picture = square((252, 252, 252))
    cv2.rectangle(picture, (26, 26), (85, 85), (243, 243, 243), 1)
    assert overlap(mask(picture), truth()) > 0.9


def test_a_small_gap_in_the_outline_lets_no_flood_in():
    picture = square((250, 250, 250))
    cv2.rectangle(picture, (26, 26), (85, 85), (90, 90, 90), 1)
    picture[26, 50:54] = 255
    assert mask(picture)[INNER].all()


def test_a_white_label_inside_belongs_to_the_product():
    picture = square()
    picture[50:58, 50:62] = 255
    assert mask(picture)[INNER].all()


def test_one_sees_through_a_handle():
    picture = white()
    picture[60:100, 20:92] = (90, 40, 20)
    cv2.ellipse(picture, (56, 60), (26, 40), 0, 180, 360, (90, 40, 20), 5)
    found = mask(picture)
    assert found[65:95, 25:87].all()
    assert not found[35:55, 45:67].any()


def test_a_soft_gray_shadow_is_ground():
    depth = np.zeros((112, 112), np.float32)
    depth[84:94, 20:92] = 60
    shadow = 255 - cv2.GaussianBlur(depth, (0, 0), 7)
    picture = np.where(truth()[..., None], square(), shadow[..., None].astype(np.uint8))
    assert not mask(picture)[94:].any()
    assert overlap(mask(picture), truth()) > 0.9


def test_the_noise_of_a_jpeg_moves_nothing_but_the_outline():
    random = np.random.default_rng(0)
    noisy = (square(ground=244) + random.normal(0, 2, (112, 112, 3))).clip(0, 255).astype(np.uint8)
    assert overlap(mask(as_jpeg(noisy)), truth()) > 0.9


def test_specks_are_dirt_and_a_second_shoe_is_not():
    picture = white()
    picture[20:50, 20:90] = picture[60:90, 20:90] = (20, 60, 120)
    picture[100:103, 100:103] = 0
    found = mask(picture)
    assert found[22:48, 22:88].all()
    assert found[62:88, 22:88].all()
    assert not found[99:104, 99:104].any()


def test_a_product_that_runs_out_of_the_picture_is_found():
    picture = white()
    picture[40:, 30:80] = (20, 60, 120)
    expected = (picture != 255).any(2)
    assert overlap(mask(picture), expected) > 0.95


def test_what_is_not_the_product_becomes_white_and_the_product_stays():
    picture = square((180, 20, 30), ground=200)
    painted = on_white(picture)
    assert (painted[:24, :24] == 255).all()
    assert (painted[30:82, 30:82] == (180, 20, 30)).all()
    assert (picture[0, 0] == 200).all()  # the given one is left as it is


def test_a_picture_of_nothing_is_all_foreground():
    assert foreground(np.stack([white(), white(level=128), white(level=0)])).all()


def test_where_no_ground_is_plain_the_middle_stands_for_the_product():
    clutter = np.random.default_rng(0).integers(0, 230, (112, 112, 3), dtype=np.uint8)
    found = mask(clutter)
    assert found[56, 56]
    assert not found[[0, 0, -1, -1], [0, -1, 0, -1]].any()
    assert found.mean() == pytest.approx(np.pi * 0.42**2, abs=0.01)


@pytest.mark.parametrize("size", [1, 2, 3, 16, 57, 300])
def test_any_size_will_do(size):
    picture = white(size)
    picture[size // 4 : size - size // 4, size // 4 : size - size // 4] = (10, 80, 40)
    found = mask(picture)
    assert found.shape == (size, size)
    assert found[size // 2, size // 2]


def test_a_batch_of_none_has_no_masks():
    assert foreground(np.empty((0, 8, 8, 3), np.uint8)).shape == (0, 8, 8)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 5, 24]), st.integers(1, 255))
def test_no_mask_is_ever_empty_and_no_picture_is_changed(seed, size, levels):
    pictures = np.random.default_rng(seed).integers(256 - levels, 256, (2, size, size, 3), dtype=np.uint8)
    before = pictures.copy()
    assert foreground(pictures).any((1, 2)).all()
    np.testing.assert_array_equal(pictures, before)


@given(st.integers(-20, 20), st.integers(-20, 20))
def test_a_product_that_moves_takes_its_mask_along(down, right):
    moved = np.roll(square(), (down, right), (0, 1))
    np.testing.assert_array_equal(mask(moved), np.roll(mask(square()), (down, right), (0, 1)))


def test_neighbours_in_a_batch_do_not_matter():
    pictures = np.stack([square(), white(), square((0, 90, 0), 244)])
    np.testing.assert_array_equal(foreground(pictures), np.stack([mask(picture) for picture in pictures]))


@pytest.mark.real
@pytest.mark.skipif(not DATA.is_dir(), reason="the real photographs are not here")
def test_white_sneakers_on_white_do_not_vanish():
    files = sorted((DATA / "sneaker_styles" / "images").iterdir())[:200]
    pictures = np.stack([resize(decode(file.read_bytes()), 112, "squash") for file in files])
    pale = [picture for picture in pictures if (picture.min(2) < 200).mean() < 0.05]
    assert len(pale) >= 5
    assert np.quantile(foreground(np.stack(pale)).mean((1, 2)), 0.1) > 0.12


def test_what_a_mask_covers_has_a_little_air_and_stays_within_the_picture():
    covered = np.zeros((100, 200), bool)
    covered[0:50, 100:180] = True
    assert around(covered) == pytest.approx((0.5 - 0.02, 0, 0.9 + 0.02, 0.5 + 0.02))


def test_a_mask_of_nothing_or_of_nearly_all_is_no_place_to_cut():
    assert around(np.zeros((10, 10), bool)) is None
    assert around(np.ones((10, 10), bool)) is None


def test_a_ground_that_is_not_plain_tells_nobody_where_the_product_is():
    assert bounds(square()) == pytest.approx((24 / 112, 24 / 112, 88 / 112, 88 / 112), abs=0.03)
    assert bounds(np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)) is None
