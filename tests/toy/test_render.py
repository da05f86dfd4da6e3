"""The renderer against a slow one, and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.toy.render import Camera, Light, axes, joined, mesh, mirrored, project, rasterize, render
from lookalike.toy.sheet import Sheet, box
from lookalike.toy.skin import Stuff, flat

SIDE = 24
RED = flat(Stuff((1.0, 0.0, 0.0), (1.0, 0.0, 0.0), "canvas"))


def block(centre=(0.0, 0.0, 0.5), skin=RED):
    return Sheet(box(centre, (0.5, 0.3, 0.5), 0.05, 12, 33), skin)


def seen_slowly(corners):
    """For each pixel the nearest triangle that holds it, by trying every one: {pixel: (triangle, depth)}."""
    found = {}
    for pixel in range(SIDE * SIDE):
        at = np.array([pixel % SIDE, pixel // SIDE, 1.0])
        for k, triangle in enumerate(corners):
            share = np.linalg.solve(np.vstack([triangle[:, :2].T, np.ones(3)]), at)
            depth = share @ triangle[:, 2]
            if share.min() > -1e-6 and (pixel not in found or depth < found[pixel][1]):
                found[pixel] = (k, depth)
    return found


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_each_pixel_sees_the_nearest_triangle_as_a_slow_renderer_does(seed):
    corners = np.random.default_rng(seed).uniform(0, SIDE - 1, (5, 3, 3)).astype(np.float32)
    seen = rasterize(corners, SIDE)
    slow = seen_slowly(corners.astype(np.float64))
    fast = dict(zip(seen.pixels.tolist(), seen.triangles.tolist(), strict=True))
    assert set(slow) <= set(fast)  # a pixel on the very edge may be seen by the fast one alone
    assert len(set(fast) - set(slow)) <= 6
    assert np.mean([fast[pixel] == triangle for pixel, (triangle, _) in slow.items()] or [1]) > 0.97


def test_triangles_that_share_an_edge_leave_no_gap():
    a, b, c, d = [2, 2, 1], [20, 3, 1], [21, 19, 1], [3, 20, 1]
    together = rasterize(np.array([[a, b, c], [a, c, d]], np.float32), SIDE)
    rows = np.bincount(together.pixels // SIDE, minlength=SIDE)
    for row in range(4, 19):
        inside = np.sort(together.pixels[together.pixels // SIDE == row] % SIDE)
        assert (np.diff(inside) == 1).all()
    assert rows[4:19].min() >= 16


def test_the_order_of_triangles_does_not_matter():
    corners = np.random.default_rng(3).uniform(0, SIDE, (8, 3, 3)).astype(np.float32)
    forward, backward = rasterize(corners, SIDE), rasterize(corners[::-1], SIDE)
    assert forward.pixels.tolist() == backward.pixels.tolist()
    assert forward.triangles.tolist() == (7 - backward.triangles).tolist()


def test_triangles_outside_the_frame_are_not_seen():
    assert len(rasterize(np.array([[[-9, -9, 1], [-3, -9, 1], [-5, -2, 1]]], np.float32), SIDE).pixels) == 0


@pytest.mark.parametrize("camera", [Camera(yaw=0, pitch=0), Camera(yaw=130, pitch=40, roll=5)])
def test_the_cameras_axes_stand_square_on_each_other(camera):
    np.testing.assert_allclose(axes(camera) @ axes(camera).T, np.eye(3), atol=1e-6)


def test_a_camera_before_the_outside_sees_up_as_up_and_the_toe_on_the_left():
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 0, 1]], np.float32)
    heel, toe, above = project(points, Camera(yaw=0, pitch=0), 100, points)
    assert toe[0] < heel[0]
    assert above[1] < heel[1]


def test_the_larger_side_of_an_object_fills_its_share_of_the_frame():
    points = np.random.default_rng(0).uniform(-1, 1, (50, 3)).astype(np.float32)
    seen = project(points, Camera(yaw=30, pitch=20, fill=0.8), 200, points)[:, :2]
    assert np.ptp(seen, axis=0).max() == pytest.approx(160, abs=0.01)
    np.testing.assert_allclose((seen.max(0) + seen.min(0)) / 2, 99.5, atol=0.01)


def test_a_red_block_is_red_where_its_mask_is_and_nothing_elsewhere():
    scene = mesh([block()])
    drawn = render(scene, Camera(yaw=0, pitch=10), Light(), 48, scene.points)
    inside = drawn.mask == 1
    assert 0.4 < inside.mean() < 0.8
    assert (drawn.color[inside][:, 0] > drawn.color[inside][:, 1] + 0.3).all()
    assert not drawn.color[drawn.mask == 0].any()


def test_the_shadow_lies_on_the_ground_and_not_in_the_air():
    scene = mesh([block()])
    shadow = render(scene, Camera(yaw=0, pitch=10), Light(), 48, scene.points).shadow
    assert shadow[36:].max() > 0.15 > shadow[:6].max()


def test_the_nearer_of_two_joined_objects_hides_the_other():
    blue = flat(Stuff((0.0, 0.0, 1.0), (0.0, 0.0, 1.0), "canvas"))
    both = joined(mesh([block(skin=blue)]), mesh([block((0, 2.0, 0.5))]))
    color = render(both, Camera(yaw=0, pitch=0), Light(), 32, both.points).color
    assert color[16, 16, 0] > color[16, 16, 2]


def test_a_mirrored_object_looks_from_one_side_as_its_original_does_from_the_other():
    lopsided = mesh([block(), block((0.8, 0.5, 0.2))])
    light = Light(key=(0.0, 1.0, 0.5))
    original = render(lopsided, Camera(yaw=0, pitch=12), light, 40, lopsided.points)
    other = mirrored(lopsided, np.zeros(3, np.float32))
    seen = render(other, Camera(yaw=180, pitch=12), light, 40, other.points)
    assert np.abs(seen.mask[:, ::-1] - original.mask).max() <= 0.5  # one of four samples at an edge, or two
    assert np.abs(seen.mask[:, ::-1] - original.mask).mean() < 0.005
