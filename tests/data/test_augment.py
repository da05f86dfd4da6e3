"""What augmentation may and may not do to a picture."""

import numpy as np
import pytest

from lookalike.data.augment import crop_and_light, none, shift_and_light


@pytest.fixture
def pictures():
    return np.random.default_rng(0).integers(0, 256, (6, 20, 20, 3), dtype=np.uint8)


def test_none_is_the_same_pictures(pictures):
    assert none(pictures, np.random.default_rng(0)) is pictures


def test_with_everything_at_zero_nothing_changes(pictures):
    same = shift_and_light(pictures, np.random.default_rng(0), flip=0, shift=0, light=0)
    np.testing.assert_array_equal(same, pictures)


def test_a_flip_is_a_mirror(pictures):
    turned = shift_and_light(pictures, np.random.default_rng(0), flip=1, shift=0, light=0)
    np.testing.assert_array_equal(turned, pictures[:, :, ::-1])


def test_a_shift_moves_and_uncovers_white_ground():
    black = np.zeros((50, 20, 20, 3), np.uint8)
    moved = shift_and_light(black, np.random.default_rng(1), flip=0, shift=0.1, light=0)
    uncovered = (moved == 255).all(3).mean((1, 2))
    assert uncovered.max() <= 1 - 0.9**2 + 1e-9  # two pixels of twenty, both ways
    assert len(set(uncovered)) > 3


def test_light_changes_brightness_within_its_bound_and_never_wraps():
    gray = np.full((40, 4, 4, 3), 250, np.uint8)
    lit = shift_and_light(gray, np.random.default_rng(2), flip=0, shift=0, light=0.2)
    assert lit.min() >= 250 * 0.8 - 1
    assert lit.max() == 255


def looked(pictures, seed=0, **options):
    """crop_and_light with everything off but what is told."""
    off = dict.fromkeys(("flip", "zoom_in", "zoom_out", "stretch", "light", "contrast"), 0)
    return crop_and_light(pictures, np.random.default_rng(seed), **(off | options))


def ramp(count, size=64):
    """Pictures whose red counts the columns and whose green counts the rows, two a pixel, from 40 on."""
    across, down = np.meshgrid(np.arange(size), np.arange(size))
    one = np.stack([40 + 2 * across, 40 + 2 * down, np.full_like(across, 40)], axis=2)
    return np.repeat(one[None].astype(np.uint8), count, axis=0)


def test_a_window_with_everything_at_zero_changes_nothing(pictures):
    np.testing.assert_array_equal(looked(pictures), pictures)


def test_a_window_in_a_mirror_is_a_mirror(pictures):
    np.testing.assert_array_equal(looked(pictures, flip=1), pictures[:, :, ::-1])


def test_zooming_in_looks_through_a_smaller_window_inside_the_picture():
    seen = looked(ramp(30), zoom_in=0.5).astype(int)
    inside = seen[:, 1:-1, 1:-1]  # at the very edge half a pixel is blended with the ground
    assert inside.max() <= 40 + 2 * 63  # no white: the window never leaves the picture
    steps = (seen[:, 32, 60, 0] - seen[:, 32, 4, 0]) / (2 * 56)  # columns of the picture a column of the window
    rows = (seen[:, 60, 32, 1] - seen[:, 4, 32, 1]) / (2 * 56)
    assert 0.49 <= steps.min() < 0.6
    assert 0.9 < steps.max() <= 1.01
    np.testing.assert_allclose(steps, rows, atol=0.03)  # not stretched
    assert len(set(seen[:, 0, 0, 0])) > 10  # nor always in the same place


def test_zooming_out_shows_white_around_the_whole_picture():
    black = np.zeros((20, 64, 64, 3), np.uint8)
    shown = (looked(black, zoom_out=1.0) < 128).all(3).sum((1, 2))
    assert shown.min() < 0.5 * 64**2
    assert shown.min() >= (64 / 2 - 1) ** 2


def test_a_stretch_makes_one_side_longer_than_the_other_by_its_share_at_most():
    seen = looked(ramp(60), stretch=0.5).astype(int)
    columns = (seen[:, 32, 40, 0] - seen[:, 32, 20, 0]) / 40
    rows = (seen[:, 40, 32, 1] - seen[:, 20, 32, 1]) / 40
    assert 1.3 < (columns / rows).max() <= 1.55
    assert 1.3 < (rows / columns).max() <= 1.55


def test_contrast_turns_about_middle_gray():
    values = np.array([28, 128, 228], np.uint8)
    gray = np.tile(values[:, None, None, None], (1, 8, 8, 3))
    low, middle, high = looked(gray, contrast=0.2)[:, 0, 0, 0].astype(int)
    assert middle == 128
    assert {abs(low - 28), abs(high - 228)} != {0}
    assert max(abs(low - 28), abs(high - 228)) <= 20


@pytest.mark.parametrize("augment", [shift_and_light, crop_and_light])
def test_the_input_is_left_as_it_was(pictures, augment):
    before = pictures.copy()
    pictures.setflags(write=False)  # as the map is
    augment(pictures, np.random.default_rng(3))
    np.testing.assert_array_equal(pictures, before)


@pytest.mark.parametrize("augment", [shift_and_light, crop_and_light])
def test_the_generator_decides_everything(pictures, augment):
    first, second = (augment(pictures, np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (first != augment(pictures, np.random.default_rng(5))).any()
