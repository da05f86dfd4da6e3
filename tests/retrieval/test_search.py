"""Who is nearest, against a full sort."""

import numpy as np
import pytest

from lookalike.retrieval.search import exact, nearest, rounded


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


def test_what_is_left_out_for_a_query_is_not_brought_and_the_rest_keeps_its_order():
    gallery, apart = around(5, 10, 20, 30, 40), np.array([7, 8, 7, 9, 8])
    found = exact(gallery, apart)(around(0, 0, 0), np.array([7, 8, -1]), 4)
    assert found.rows.tolist() == [[1, 3, 4, -1], [0, 2, 3, -1], [0, 1, 2, 3]]
    np.testing.assert_allclose(found.scores[2], np.cos(np.radians([5, 10, 20, 30])), atol=1e-6)
    assert np.isnan(found.scores[:2, 3]).all()


def test_a_gallery_of_which_nothing_may_be_compared_brings_nobody():
    assert exact(around(5, 6), np.array([3, 3]))(around(0), np.array([3]), 2).rows.tolist() == [[-1, -1]]
