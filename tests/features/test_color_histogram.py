"""Colors as unit vectors: CIELAB against published values, nearness by hand, and what must not matter."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.features.color_histogram import cielab, color_histogram, drawn_together

Colors = st.tuples(*[st.integers(0, 255)] * 3)


def flat(*color, size=8):
    """A picture of nothing but one color."""
    return np.full((size, size, 3), color, np.uint8)


def drawn(shape, color, ground=255, size=112):
    """A shape of one color on a plain ground."""
    picture = np.full((size, size, 3), ground, np.uint8)
    if shape == "disc":
        cv2.circle(picture, (56, 56), 30, color, -1)
    elif shape == "bar":
        cv2.rectangle(picture, (15, 60), (97, 85), color, -1)
    else:
        cv2.fillPoly(picture, [np.array([[56, 20], [90, 95], [22, 95]])], color)
    return picture


def likeness(one, other, **options):
    first, second = color_histogram(np.stack([one, other]), **options)
    return float(first @ second)


def lab(*color):
    return cielab(np.array([color], np.uint8))[0]


@pytest.mark.parametrize(
    ("color", "expected"),
    [
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((119, 119, 119), (50.03, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.74, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
    ],
)
def test_cielab_has_the_values_of_the_books(color, expected):
    np.testing.assert_allclose(lab(*color), expected, atol=0.02)


@given(st.lists(Colors, min_size=1, max_size=20))
def test_cielab_is_that_of_opencv(colors):
    pixels = np.array(colors, np.uint8)
    theirs = cv2.cvtColor(pixels[None] / np.float32(255), cv2.COLOR_RGB2Lab)[0]  # it interpolates in a table
    np.testing.assert_allclose(cielab(pixels), theirs, atol=0.7)


def test_drawing_together_keeps_the_hue_and_shortens_the_chroma():
    color = np.array([[50, 30, 40], [50, 0, 0], [50, 0.3, 0.4]], np.float32)
    chroma = np.log(1 + 0.045 * 50) / 0.045  # 26.19, from 50
    expected = [[50, 0.6 * chroma, 0.8 * chroma], [50, 0, 0], [50, 0.2967, 0.3956]]
    np.testing.assert_allclose(drawn_together(color), expected, rtol=1e-3)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 9), st.floats(2, 50))
def test_every_vector_is_a_unit_vector_without_negatives(seed, lightness, bins, softness):
    pictures = np.random.default_rng(seed).integers(0, 256, (2, 9, 9, 3), dtype=np.uint8)
    vectors = color_histogram(pictures, lightness=lightness, bins=bins, softness=softness)
    assert vectors.dtype == np.float32
    assert (vectors >= 0).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_a_vector_has_335_numbers_unless_told_otherwise():
    pictures = np.stack([flat(0, 0, 0), flat(9, 9, 9)])
    assert color_histogram(pictures).shape == (2, 335)
    assert color_histogram(pictures[:0]).shape == (0, 335)
    assert color_histogram(pictures, bins=1, lightness=5).shape == (2, 5)


def test_black_and_gray_and_white_lie_apart_and_red_has_nothing_of_blue():
    black, gray, pale, red, blue = (flat(*c) for c in [(0,) * 3, (119,) * 3, (255,) * 3, (220, 20, 30), (30, 40, 200)])
    for one, other in [(black, gray), (gray, pale), (black, pale), (red, blue)]:
        assert likeness(one, other) < 0.01


@given(Colors, st.tuples(*[st.integers(-3, 3)] * 3))
def test_a_color_that_moves_by_two_delta_e_stays_near(color, step):
    moved = np.clip(np.add(color, step), 0, 255)
    delta_e = float(np.linalg.norm(lab(*color) - lab(*moved)))
    if delta_e <= 2:
        assert likeness(flat(*color), flat(*moved)) > 0.98


def test_the_further_a_color_moves_the_less_is_left():
    grays = np.stack([flat(level, level, level) for level in (100, 110, 130, 160, 220)])
    vectors = color_histogram(grays)
    left = vectors[1:] @ vectors[0]
    assert (np.diff(left) < 0).all()
    assert left[0] == pytest.approx(np.exp(-(((lab(110, 110, 110) - lab(100, 100, 100))[0] / 5.5) ** 2) / 8), abs=0.02)


def test_half_and_half_is_as_near_to_either():
    both = flat(220, 20, 30)
    both[:, 4:] = (30, 40, 200)
    assert likeness(both, flat(220, 20, 30)) == pytest.approx(0.5**0.5, abs=0.01)
    assert likeness(both, flat(30, 40, 200)) == pytest.approx(0.5**0.5, abs=0.01)


def test_equal_colors_in_other_shapes_are_nearer_than_equal_shapes_in_other_colors():
    red, wine, navy = (180, 25, 35), (95, 30, 45), (30, 45, 75)
    for shape, other in [("disc", "bar"), ("bar", "triangle"), ("triangle", "disc")]:
        same_color = likeness(drawn(shape, red), drawn(other, red))
        assert same_color > 0.98
        assert same_color > likeness(drawn(shape, red), drawn(shape, wine)) + 0.3
        assert same_color > likeness(drawn(shape, red), drawn(shape, navy)) + 0.3


@pytest.mark.parametrize("turn", [np.fliplr, np.flipud, np.rot90])
def test_a_mirror_image_has_the_same_colors(turn):
    picture = drawn("triangle", (180, 25, 35))
    cv2.circle(picture, (50, 75), 8, (240, 200, 60), -1)
    assert likeness(picture, turn(picture)) > 0.999


@given(st.integers(0, 2**32 - 1))
def test_where_on_the_product_a_color_is_does_not_matter(seed):
    random = np.random.default_rng(seed)
    picture = drawn("bar", (180, 25, 35))
    inner = picture[66:80, 22:90]
    inner[:] = random.integers(0, 200, inner.shape)
    mixed = picture.copy()
    mixed[66:80, 22:90] = random.permutation(inner.reshape(-1, 3)).reshape(inner.shape)
    np.testing.assert_allclose(*color_histogram(np.stack([picture, mixed])), atol=1e-4)


def test_more_white_ground_and_another_place_on_it_change_nothing():
    picture = drawn("disc", (180, 25, 35))
    wider = np.pad(picture, ((40, 0), (0, 40), (0, 0)), constant_values=255)
    assert float(color_histogram(picture[None])[0] @ color_histogram(wider[None])[0]) > 0.999
    assert likeness(picture, np.roll(picture, (10, -15), (0, 1))) > 0.9999


def test_a_white_product_on_white_is_white_and_a_black_one_black():
    pale = drawn("disc", (235, 235, 235))
    assert likeness(pale, flat(235, 235, 235, size=112)) > 0.98
    assert likeness(drawn("disc", (5, 5, 5)), flat(5, 5, 5, size=112)) > 0.98


def test_one_pixel_is_a_picture():
    vectors = color_histogram(np.array([[[[255, 255, 255]]], [[[0, 0, 0]]]], np.uint8))
    assert vectors[0] @ vectors[1] == pytest.approx(0, abs=1e-4)


def test_without_lightness_shades_of_a_hue_are_one_and_without_hues_lightness_is_all():
    assert likeness(flat(60, 60, 60), flat(200, 200, 200), lightness=1) > 0.999
    red, gray = (200, 40, 40), round(float(lab(200, 40, 40)[0]) / 100 * 255)
    level = next(g for g in range(gray - 40, gray + 40) if abs(lab(g, g, g)[0] - lab(*red)[0]) < 0.3)
    assert likeness(flat(*red), flat(level, level, level), bins=1) > 0.999
    assert likeness(flat(*red), flat(level, level, level)) < 0.1


def test_a_batch_gives_what_each_picture_gives_alone():
    pictures = np.stack([drawn("disc", (180, 25, 35)), drawn("bar", (30, 40, 200), 244), flat(1, 2, 3, size=112)])
    alone = np.concatenate([color_histogram(picture[None]) for picture in pictures])
    np.testing.assert_array_equal(color_histogram(pictures), alone)
