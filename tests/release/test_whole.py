"""A network with its preprocessing inside sees what training saw: Pillow's pixels, to a level."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike import build
from lookalike.features.resize import resize
from lookalike.release.whole import Resize, Whole
from lookalike.settings import Choice, Pixels

SIDES = st.integers(2, 400)


def picture(height, width, seed=0):
    """Something with edges and slopes, not noise alone."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 200, width)[None, :, None] + np.linspace(0, 55, height)[:, None, None]
    blocks = np.kron(rng.integers(0, 2, (height // 7 + 1, width // 5 + 1)), np.ones((7, 5)))[:height, :width, None]
    return (np.clip(ramp * blocks + rng.normal(0, 8, (height, width, 3)), 0, 255)).astype(np.uint8)


@pytest.mark.parametrize("how", ["squash", "crop", "letterbox"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "lanczos"])
@settings(deadline=None, max_examples=12)
@given(height=SIDES, width=SIDES)
def test_it_resizes_as_pillow_does_whatever_the_shape_of_a_picture(how, interpolation, height, width):
    pixels = picture(height, width)
    expected = resize(pixels, 56, how, interpolation).astype(int)
    given = Resize(56, how, interpolation)(torch.from_numpy(pixels)[None])[0].numpy().astype(int)
    apart = np.abs(given - expected)
    assert apart.max() <= 2  # a half that floats round one way and Pillow's whole numbers the other, in two passes
    assert (apart > 0).mean() < 0.1


def test_a_square_of_its_own_size_is_left_as_it_is():
    pixels = picture(56, 56)
    np.testing.assert_array_equal(Resize(56, "squash", "bicubic")(torch.from_numpy(pixels)[None])[0].numpy(), pixels)


def test_what_a_letterbox_adds_is_white():
    wide = Resize(56, "letterbox", "bicubic")(torch.zeros((1, 20, 80, 3), dtype=torch.uint8))[0]
    assert (wide[:21] == 255).all()
    assert (wide[21:35] == 0).all()
    assert (wide[35:] == 255).all()


@pytest.mark.parametrize("gray", [False, True])
def test_from_any_size_it_gives_the_vectors_of_squares_that_pillow_made(gray):
    torch.manual_seed(0)
    made = build.embedder(Choice(name="small"), Choice(name="linear"), Pixels(size=48, gray=gray), mirror=True)
    embedder = made.embedder.eval()
    pixels = picture(90, 70)
    squares = resize(pixels, 48, "squash", embedder.preprocessing.interpolation)[None]
    with torch.inference_mode():
        expected = embedder(torch.from_numpy(squares))
        given = Whole(embedder)(torch.from_numpy(pixels)[None])
    assert (expected * given).sum() > 0.99999
