"""Materials and what is drawn on them."""

import numpy as np
import pytest

from lookalike.toy.skin import FINISHES, PATTERNS, Stuff, cloth, darker, flat, lay, line, noise

ALONG, UP = np.meshgrid(np.linspace(0, 1, 64), np.linspace(0, 0.5, 32))
TAN = Stuff((0.7, 0.5, 0.3), (0.1, 0.1, 0.1), "patent")


def test_a_plain_smooth_material_has_its_own_color_everywhere():
    np.testing.assert_allclose(cloth(TAN, ALONG, UP)[..., :3], np.broadcast_to(TAN.color, (32, 64, 3)), atol=1e-6)


@pytest.mark.parametrize("pattern", [name for name in PATTERNS if name != "plain"])
def test_every_pattern_shows(pattern):
    skin = cloth(Stuff(TAN.color, TAN.second, "patent", pattern), ALONG, UP)
    assert skin[..., :4].std((0, 1)).max() > 0.02


@pytest.mark.parametrize("finish", FINISHES)
def test_every_finish_stays_within_the_range_of_light(finish):
    skin = cloth(Stuff((0.95, 0.9, 0.9), (0, 0, 0), finish), ALONG, UP)
    assert skin[..., :3].min() >= 0
    assert skin[..., :3].max() <= 1


def test_noise_is_the_same_each_time_joins_at_its_edges_and_cannot_be_changed():
    tile = noise(1)
    assert tile is noise(1)
    assert np.abs(tile[0] - tile[-1]).mean() < np.abs(tile[0] - tile[128]).mean()
    with pytest.raises(ValueError, match="read-only"):
        tile[0, 0] = 1


def test_a_panel_covers_where_its_distance_is_positive_and_leaves_the_rest():
    under, over = np.zeros((1, 3, 7), np.float32), np.ones((1, 3, 7), np.float32)
    laid = lay(under, over, np.array([[-0.1, 0.1, 0.2]]), 0.01)
    np.testing.assert_allclose(laid[0, :, 0], [0, 1, 1], atol=1e-6)


def test_a_line_is_drawn_where_its_distance_is_small():
    drawn = line(np.zeros((1, 3, 7), np.float32), np.array([[-1.0, 0.0, 1.0]]), 0.1, (1, 1, 1))
    assert drawn[0, :, 0].tolist() == [0, 1, 0]


def test_a_flat_skin_and_a_darker_color():
    assert flat(TAN)[0, 0, :3].tolist() == pytest.approx([0.7, 0.5, 0.3])
    assert darker((1.0, 0.5, 0.2), 0.5) == (0.5, 0.25, 0.1)
