"""Every metric of a ranking, worked by hand."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, ndcg_score

from lookalike.retrieval.recall import per_query


def test_one_query_with_two_twins_at_ranks_two_and_three():
    hits = np.array([[False, True, True, *[False] * 17]])
    found = {name: value[0] for name, value in per_query(hits, np.array([2]), np.array([2])).items()}
    assert found["recall@1"] == 0
    assert found["recall@5"] == 1
    assert found["precision@1"] == 0
    assert found["mrr"] == 0.5
    assert found["r_precision"] == 0.5  # one of the first two
    assert found["map@r"] == pytest.approx((1 / 2) / 2)  # a hit at rank 2 with precision 1/2, over R = 2
    assert found["ndcg@10"] == pytest.approx((1 / np.log2(3) + 1 / np.log2(4)) / (1 + 1 / np.log2(3)))


def test_a_twin_beyond_the_kept_ranks_counts_for_the_reciprocal_rank_alone():
    found = per_query(np.zeros((1, 20), bool), np.array([1]), np.array([50]))
    assert found["mrr"][0] == 1 / 50
    assert all(found[name][0] == 0 for name in found if name != "mrr")


def test_a_gallery_smaller_than_ten_is_scored_all_the_same():
    found = per_query(np.array([[True, False, True]]), np.array([2]), np.array([1]))
    assert found["recall@20"][0] == 1
    assert found["ndcg@10"][0] == pytest.approx((1 + 0.5) / (1 + 1 / np.log2(3)))


def test_ndcg_agrees_with_scikit_learn():
    hits = np.random.default_rng(0).random((30, 20)) < 0.3
    hits[:, 4] = True  # each has at least one
    ours = per_query(hits, hits.sum(1), hits.argmax(1) + 1)["ndcg@10"]
    theirs = [ndcg_score([row.astype(float)], [np.arange(20, 0, -1)], k=10) for row in hits]
    np.testing.assert_allclose(ours, theirs)


def test_map_at_r_is_average_precision_where_every_twin_is_within_the_first_r():
    hits = np.array([[True, True, True, *[False] * 17]])
    ours = per_query(hits, np.array([3]), np.array([1]))["map@r"][0]
    assert ours == average_precision_score(hits[0], np.arange(20, 0, -1)) == 1
