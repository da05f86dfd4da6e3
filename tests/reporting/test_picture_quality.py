"""Poor pictures: blurred, empty and small ones are found; faint and plain ones are not."""

import cv2
import numpy as np
import pytest

from lookalike.catalog.nearness import fingerprint
from lookalike.reporting.picture_quality import poor, sharpness

SIDE = 128


def thing(seed=0, radius=40):
    """A textured disc on white."""
    random = np.random.default_rng(seed)
    picture = np.full((SIDE, SIDE, 3), 255, np.uint8)
    texture = cv2.resize(random.integers(20, 160, (32, 32, 3), np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.circle(mask, (SIDE // 2, SIDE // 2), radius, 1, -1)
    picture[mask > 0] = texture[mask > 0]
    return picture


def words(*pictures, sides=None, seen_at=224):
    squares = np.stack(pictures)
    return poor(squares, sides or [400] * len(pictures), [fingerprint(one) for one in pictures], seen_at=seen_at)


def test_a_blurred_picture_among_sharp_ones():
    blurred = cv2.GaussianBlur(thing(9), (0, 0), 4)
    assert words(thing(1), thing(2), thing(3), blurred) == ("", "", "", "blurred")


def test_a_faint_picture_is_as_sharp_as_a_strong_one():
    strong = thing(1)
    faint = (255 - (255 - strong.astype(int)) // 4).astype(np.uint8)
    assert sharpness(faint) == pytest.approx(sharpness(strong), rel=0.1)
    assert words(strong, thing(2), faint) == ("", "", "")


def test_a_picture_on_which_there_is_next_to_nothing():
    blank = np.full((SIDE, SIDE, 3), 250, np.uint8)
    assert words(thing(1), thing(2), thing(3, radius=6), blank) == ("", "", "nearly empty", "nearly empty")
    assert sharpness(blank) == 0


def test_a_picture_that_must_be_enlarged_more_than_twice():
    assert words(thing(1), thing(2), sides=[111, 112]) == ("too small", "")


def test_no_pictures_are_no_words():
    assert poor(np.zeros((0, 8, 8, 3), np.uint8), [], [], seen_at=224) == ()
