"""What augmentation may and may not do to a picture."""

import numpy as np
import pytest

from lookalike.data.augment import none, shift_and_light


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


def test_the_input_is_left_as_it_was(pictures):
    before = pictures.copy()
    shift_and_light(pictures, np.random.default_rng(3))
    np.testing.assert_array_equal(pictures, before)


def test_the_generator_decides_everything(pictures):
    first, second = (shift_and_light(pictures, np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
