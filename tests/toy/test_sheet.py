"""Sheets: points where they should be, normals that look outward."""

import numpy as np
import pytest

from lookalike.toy.sheet import bezier, box, capped, normals, smooth, squared, sweep, xyz


def test_numbers_and_arrays_make_points_together():
    assert xyz(1, 2, 3).tolist() == [1, 2, 3]
    assert xyz([1, 2], 0, [3, 4]).tolist() == [[1, 0, 3], [2, 0, 4]]


def test_a_tube_keeps_its_distance_from_its_path():
    path = xyz(np.linspace(0, 1, 5), 0, 0)
    tube = sweep(path, (0, 0, 1), 0.2, 0.2, around=9)
    assert tube.shape == (5, 9, 3)
    np.testing.assert_allclose(np.linalg.norm(tube - path[:, None], axis=2), 0.1, atol=1e-6)


def test_a_band_is_as_wide_across_as_told_and_as_thin_the_other_way():
    band = sweep(xyz(np.linspace(0, 1, 5), 0, 0), (0, 1, 0), 0.4, 0.02)
    assert np.ptp(band[..., 1]) == pytest.approx(0.4)
    assert np.ptp(band[..., 2]) == pytest.approx(0.02)


def test_a_band_may_widen_along_its_path():
    band = sweep(xyz([0, 1, 2], 0, 0), (0, 1, 0), np.array([0.1, 0.2, 0.4]), 0.02)
    np.testing.assert_allclose(np.ptp(band[..., 1], axis=1), [0.1, 0.2, 0.4], atol=1e-6)


@pytest.mark.parametrize(
    "closed",
    [sweep(xyz(0, 0, np.linspace(0, 1, 5)), (1, 0, 0), 0.5, 0.5), box((0, 0, 0.5), (0.3, 0.2, 0.5))[1:-1]],
    ids=["tube", "box"],
)
def test_normals_of_closed_surfaces_have_length_one_and_look_outward(closed):
    out = normals(closed)
    np.testing.assert_allclose(np.linalg.norm(out, axis=2), 1, atol=1e-5)
    assert ((out * (closed - closed.mean((0, 1))))[..., :2].sum(-1) > 0).all()


def test_a_capped_tube_ends_in_points():
    tube = capped(sweep(xyz(0, 0, [0, 1]), (1, 0, 0), 0.5, 0.5))
    assert len(tube) == 4
    assert np.ptp(tube[0], axis=0).max() == np.ptp(tube[-1], axis=0).max() == 0


def test_a_bezier_curve_starts_and_ends_at_its_ends_and_passes_the_middle():
    curve = bezier(xyz(0, 0, 0), xyz(0, 1, 0), xyz(1, 1, 0), xyz(1, 0, 0), 3)
    np.testing.assert_allclose(curve, [[0, 0, 0], [0.5, 0.75, 0], [1, 0, 0]])


def test_a_smooth_step_is_flat_outside_and_half_in_the_middle():
    assert smooth([-1, 0, 2, 4, 5], 0, 4).tolist() == [0, 0, 0.5, 1, 1]


def test_squaring_a_wave_keeps_its_sign_and_its_ends():
    np.testing.assert_allclose(squared(np.array([-1, -0.25, 0, 0.25, 1]), 0.5), [-1, -0.5, 0, 0.5, 1])
