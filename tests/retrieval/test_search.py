"""Who is nearest, against a full sort."""

import numpy as np
import pytest

from lookalike.retrieval.search import nearest, rounded


def around(*degrees):
    angle = np.radians(np.array(degrees, float))
    return np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)


@pytest.mark.parametrize("k", [1, 7, 60, 100])
@pytest.mark.parametrize("places", [12, 1000])  # few places: many vectors are equal, so that every cut falls into a tie
def test_the_nearest_are_those_of_a_full_sort(k, places):
    gallery = around(*np.random.default_rng(0).integers(places, size=60) * 360 / places)
    found = nearest(gallery[:9], gallery, k=k)
    scores = rounded(gallery[:9] @ gallery.T)
    wanted = np.lexsort((np.broadcast_to(np.arange(60), scores.shape), -scores), axis=1)[:, :k]
    np.testing.assert_array_equal(found.rows, wanted)
    np.testing.assert_allclose(found.scores, np.take_along_axis(scores, wanted, 1), atol=1.1e-6)


def test_of_equal_ones_the_lower_rows_are_kept():
    gallery = around(50, *[10] * 30)
    assert nearest(around(0), gallery, k=3).rows.tolist() == [[1, 2, 3]]
