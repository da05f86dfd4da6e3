"""The search by clusters, against the exact one and by hand."""

import numpy as np
import pytest

from lookalike.retrieval.clusters import clusters, parted
from lookalike.retrieval.search import exact
from lookalike.settings import ConfigError


def drawn(seed, count=300, products=40, dimensions=8):
    random = np.random.default_rng(seed)
    of = random.integers(products, size=count)
    vectors = random.normal(size=(products, dimensions))[of] + random.normal(size=(count, dimensions))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), of


def around(*degrees):
    angle = np.radians(np.array(degrees, float))
    return np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)


@pytest.mark.parametrize("k", [1, 20, 300, 500])
@pytest.mark.parametrize("count", [1, 7, 30])
def test_as_many_probes_as_clusters_bring_what_the_exact_search_brings(count, k):
    vectors, of = drawn(0)
    found = clusters(clusters=count, probes=count)(vectors, of)(vectors[:50], of[:50], k)
    plain = exact(vectors, of)(vectors[:50], of[:50], k)
    np.testing.assert_array_equal(found.rows, plain.rows)
    np.testing.assert_allclose(found.scores, plain.scores, atol=1.1e-6)


def test_ties_between_clusters_are_settled_by_row():
    gallery = around(*[10, -10] * 12)  # two clusters, mirror images of each other round the query
    found = clusters(clusters=2, probes=2)(gallery, np.arange(24))(around(0), np.array([-1]), 24)
    assert found.rows.tolist() == [list(range(24))]


def test_a_query_meets_the_pictures_of_its_nearest_clusters_and_no_others():
    gallery = around(*range(10), *range(90, 100), *range(200, 210))
    search = clusters(clusters=3, probes=1)(gallery, np.arange(30))
    found = search(around(5.2, 110), np.array([5, -1]), 15)
    assert found.rows[0].tolist() == [6, 4, 7, 3, 8, 2, 9, 1, 0, *[-1] * 6]  # all but its own
    assert found.rows[1].tolist() == [*range(19, 9, -1), *[-1] * 5]
    assert np.isnan(found.scores[0, 9:]).all()
    assert not np.isnan(found.scores[0, :9]).any()


def test_more_probes_bring_more_and_never_lose():
    vectors, of = drawn(1)
    plain = exact(vectors, of)(vectors, of, 10).rows
    brought = []
    for probes in (1, 2, 4, 8, 16):
        found = clusters(clusters=16, probes=probes)(vectors, of)(vectors, of, 10).rows
        brought.append(np.mean([np.isin(one, other).mean() for one, other in zip(plain, found, strict=True)]))
    assert brought == sorted(brought)
    assert brought[0] < 0.9
    assert brought[-1] == 1


def test_each_picture_is_in_one_cluster_and_the_seed_says_in_which():
    vectors, _ = drawn(2)
    one, again, other = (parted(vectors, 12, seed) for seed in (3, 3, 4))
    assert sorted(np.concatenate(one.rows)) == list(range(300))
    assert all((a == b).all() for a, b in zip(one.rows, again.rows, strict=True))
    assert not np.array_equal(one.centroids, other.centroids)
    np.testing.assert_allclose(np.linalg.norm(one.centroids, axis=1), 1, atol=1e-5)


def test_a_small_gallery_has_a_cluster_for_each_nine_pictures():
    vectors, _ = drawn(3)
    assert len(parted(vectors, 100, 0).rows) == 300 // 9
    assert len(parted(vectors[:5], 100, 0).rows) == 1


@pytest.mark.parametrize("said", [{"clusters": 0}, {"probes": 0}, {"clusters": 5, "probes": 6}])
def test_probes_beyond_the_clusters_are_refused(said):
    with pytest.raises(
        ConfigError, match=r"search=clusters: probes=\d of clusters=\d+ .*as many as there are clusters"
    ):
        clusters(**said)
