"""A picture's bytes as a model wants them: all of it, or what a crop leaves, and where the product is that one may crop to."""

import io

import numpy as np
import pytest
from PIL import Image

from lookalike.features.resize import resize
from lookalike.release.looking import WHOLE, pixels_of, proposal, square, squared

TOLD = {"size": 32, "resize": "squash", "interpolation": "bicubic"}
RED, BLUE = (200, 30, 40), (20, 60, 190)


def halves(width=120, height=80):
    """Red on the left, blue on the right."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2], pixels[:, width // 2 :] = RED, BLUE
    return pixels


def packed(pixels, kind="PNG"):
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, kind, quality=95)
    return held.getvalue()


def test_without_a_crop_it_is_the_square_that_training_saw():
    np.testing.assert_array_equal(square(packed(halves()), TOLD), resize(halves(), 32, "squash", "bicubic"))


@pytest.mark.parametrize(
    ("crop", "seen"), [((0, 0, 0.5, 1), RED), ((0.5, 0, 1, 1), BLUE), ((0.6, 0.2, 0.9, 0.7), BLUE)]
)
def test_a_crop_leaves_only_its_part(crop, seen):
    np.testing.assert_array_equal(square(packed(halves()), TOLD, crop), np.broadcast_to(seen, (32, 32, 3)))


def test_a_crop_of_a_large_jpeg_keeps_as_many_pixels_as_the_square_wants():
    fine = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8).repeat(20, 0).repeat(20, 1)
    small, cut = pixels_of(packed(fine, "JPEG"), TOLD), pixels_of(packed(fine, "JPEG"), TOLD, (0.4, 0.4, 0.5, 0.5))
    assert min(small.shape[:2]) < 200 < 320 <= min(cut.shape[:2])


def test_a_crop_thinner_than_a_pixel_is_one_pixel():
    assert squared(halves(), TOLD, (0.999, 0.999, 1.0, 1.0)).shape == (32, 32, 3)
    np.testing.assert_array_equal(squared(halves(), TOLD, (0.9999, 0, 1.0, 1.0))[0, 0], BLUE)


def test_a_masked_models_picture_is_masked_after_it_was_cut():
    shoe = np.full((100, 100, 3), 255, np.uint8)
    shoe[30:70, 20:80] = RED
    assert (squared(shoe, {**TOLD, "mask": True}, WHOLE)[0, 0] == 255).all()
    assert (squared(shoe, {**TOLD, "mask": True}, (0.3, 0.4, 0.6, 0.6)) == RED).all()


def test_the_product_on_a_plain_ground_is_proposed_and_clutter_proposes_nothing():
    shoe = np.full((300, 200, 3), 245, np.uint8)
    shoe[150:240, 40:120] = RED
    left, top, right, bottom = proposal(shoe)
    assert (left, right) == pytest.approx((0.18, 0.62), abs=0.04)
    assert (top, bottom) == pytest.approx((0.48, 0.82), abs=0.04)
    assert proposal(np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)) is None


def test_a_product_that_fills_its_picture_is_not_worth_a_proposal():
    shoe = np.full((200, 200, 3), 255, np.uint8)
    shoe[6:194, 4:196] = RED
    assert proposal(shoe) is None
