"""Pictures in other colors: what a change leaves alone, and colors worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.features.color_histogram import color_histogram
from lookalike.features.grayscale import grayscale
from lookalike.features.recolor import CHANGES, COOL, WARM, foreground_hue, gray, hue, light, white_balance

Colors = st.tuples(*[st.integers(0, 255)] * 3)


def flat(*color, size=4):
    """A picture of nothing but one color, in a batch of its own."""
    return np.full((1, size, size, 3), color, np.uint8)


def pixel(pictures):
    """The color of a flat picture."""
    assert (pictures == pictures[:, :1, :1]).all()
    return tuple(pictures[0, 0, 0].tolist())


def shoe(*color, size=56):
    """A disc on white: the picture and where the disc is."""
    along = np.arange(size) - size / 2 + 0.5
    mask = (along[:, None] ** 2 + along**2 < (size / 3) ** 2)[None]
    return np.where(mask[..., None], np.array(color, np.uint8), np.uint8(255)), mask


def some(count=3, size=24, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


@given(Colors, st.integers(-360, 360))
def test_a_turned_hue_keeps_its_luminance(color, degrees):
    before, after = grayscale(flat(*color)), grayscale(hue(flat(*color), degrees))
    assert abs(int(after[0, 0, 0]) - int(before[0, 0, 0])) <= 1


@given(st.integers(0, 255), st.integers(0, 360))
def test_a_gray_has_no_hue_to_turn(level, degrees):
    assert pixel(hue(flat(level, level, level), degrees)) == (level, level, level)


@pytest.mark.parametrize("degrees", [0, 360, -720])
def test_all_the_way_round_is_where_it_was(degrees):
    pictures = some()
    np.testing.assert_array_equal(hue(pictures, degrees), pictures)


def test_there_and_back_is_where_it_was_for_colors_that_stay_on_a_screen():
    muted = (some() // 4 + 96).astype(np.uint8)
    back = hue(hue(muted, 70), -70)
    assert np.abs(back.astype(int) - muted).max() <= 2


def test_half_a_turn_is_the_opposite_by_hand():
    """(140, 120, 100) has the luminance 123.7: it is turned to 2 x 123.7 less each channel."""
    assert pixel(hue(flat(140, 120, 100), 180)) == (107, 127, 147)


def test_a_color_that_no_screen_has_is_drawn_towards_its_gray():
    """Red, luminance 76.2, opposite: (-102.5, 152.5, 152.5). Red may fall by 76.2 of 178.8: so do the others rise."""
    assert pixel(hue(flat(255, 0, 0), 180)) == (0, 109, 109)


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255)])
def test_black_and_white_stay(color):
    assert pixel(hue(flat(*color), 123)) == color


def test_gray_is_the_luminance_three_times():
    pictures = some()
    np.testing.assert_array_equal(gray(pictures), np.stack([grayscale(pictures)] * 3, axis=-1))


def test_gains_count_in_linear_light():
    """Half of the light of 188 (0.503 of white) is 137 (0.251); half of white is 188."""
    assert pixel(white_balance(flat(255, 188, 137), np.array([1, 1, 1]))) == (255, 188, 137)
    assert pixel(white_balance(flat(255, 188, 137), np.array([0.5, 0.5, 1]))) == (188, 137, 137)


def test_a_gain_above_one_ends_in_white():
    assert pixel(white_balance(flat(200, 200, 200), np.array([9, 1, 1]))) == (255, 200, 200)


def test_the_light_that_a_screen_takes_for_white_changes_little():
    np.testing.assert_allclose(light(6504), 1, atol=2e-3)
    assert np.abs(white_balance(some(), light(6504)).astype(int) - some()).max() <= 1


def test_the_whites_of_warm_and_cool_light_are_those_of_the_books():
    """The CIE's D50 and D75 in sRGB, by their published chromaticities (0.3457, 0.3585) and (0.2990, 0.3149)."""
    for kelvin, x, y in ((5003, 0.3457, 0.3585), (7504, 0.2990, 0.3149)):
        to_linear = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
        wanted = to_linear @ [x / y, 1, (1 - x - y) / y]
        np.testing.assert_allclose(light(kelvin), wanted / wanted.max(), atol=3e-3)


def test_warm_light_takes_blue_and_cool_light_takes_red():
    red, green, blue = light(WARM)
    assert red == 1 > green > blue
    red, green, blue = light(COOL)
    assert red < green < blue == 1


@pytest.mark.parametrize("kelvin", [0, 3999, 25001])
def test_what_is_not_the_light_of_day_is_refused(kelvin):
    with pytest.raises(ValueError, match=f"4000 to 25000 kelvin, not {kelvin}"):
        light(kelvin)


def test_only_the_product_has_another_hue():
    picture, mask = shoe(200, 60, 40)
    ground = np.where(mask[..., None], picture, np.uint8(240) - 10 * np.arange(3, dtype=np.uint8))  # a tinted ground
    after = foreground_hue(ground, mask, 120)
    np.testing.assert_array_equal(after[~mask], ground[~mask])
    np.testing.assert_array_equal(after[mask], hue(ground, 120)[mask])
    assert (after[mask] != ground[mask]).any(axis=1).all()


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_made_to_each_picture_alone_and_leaves_the_given_ones_as_they_were(change):
    pictures = np.concatenate([shoe(200, 60, 40)[0], shoe(20, 90, 160)[0], some(1, 56)])
    before = pictures.copy()
    after = CHANGES[change](pictures)
    assert (after.shape, after.dtype) == (pictures.shape, np.uint8)
    np.testing.assert_array_equal(pictures, before)
    np.testing.assert_array_equal(after, np.concatenate([CHANGES[change](one[None]) for one in pictures]))
    assert CHANGES[change](pictures[:0]).shape == (0, 56, 56, 3)


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_seen_by_who_counts_colors(change):
    picture, _ = shoe(60, 100, 190)
    before, after = color_histogram(np.concatenate([picture, CHANGES[change](picture)]))
    assert before @ after < 0.95


@pytest.mark.parametrize("change", [one for one in CHANGES if "light" not in one])
def test_a_change_of_hue_is_not_seen_by_who_sees_gray(change):
    pictures = np.concatenate([shoe(200, 60, 40)[0], some(1, 56)])
    assert np.abs(grayscale(CHANGES[change](pictures)).astype(int) - grayscale(pictures)).max() <= 1
