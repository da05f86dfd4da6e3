"""Intervals that hold what they promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.retrieval import significance
from lookalike.retrieval.significance import interval, intervals


def test_a_mean_of_equal_values_has_no_width():
    assert interval(np.ones(10), np.arange(10)) == (1.0, 1.0)


def test_nothing_has_no_interval():
    low, high = interval(np.array([]), np.array([]))
    assert np.isnan(low)
    assert np.isnan(high)


def test_pictures_of_one_product_are_one_piece_of_evidence():
    """Ten products, each with ten equal pictures, know as much as ten pictures; the interval is as wide."""
    values = np.array([0.0, 1.0] * 5)
    alone = interval(values, np.arange(10))
    copied = interval(np.repeat(values, 10), np.repeat(np.arange(10), 10))
    assert copied == alone
    assert np.ptp(interval(np.repeat(values, 10), np.arange(100))) < np.ptp(alone) / 2


def test_the_interval_covers_the_truth_about_19_times_in_20():
    random = np.random.default_rng(5)
    covered = 0
    for _ in range(200):
        values = (random.random(120) < 0.7).astype(float)
        low, high = interval(values, np.arange(120), draws=300)
        covered += low <= 0.7 <= high
    assert 180 <= covered <= 199


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(0).random(50)
    assert interval(values, np.arange(50), seed=3) == interval(values, np.arange(50), seed=3)


def test_columns_together_have_the_intervals_of_each_alone_to_the_last_digit():
    random = np.random.default_rng(1)
    values, clusters = random.random((500, 9)), random.integers(120, size=500)
    together = intervals(values, clusters, seed=3)
    assert [tuple(one) for one in together.tolist()] == [interval(column, clusters, seed=3) for column in values.T]


def test_it_is_the_percentile_bootstrap_over_clusters_drawn_one_by_one():
    random = np.random.default_rng(2)
    values, clusters = random.random(90), random.integers(25, size=90)
    again, means = np.random.default_rng(11), []
    for _ in range(400):
        drawn = again.integers(25, size=25)
        means.append(np.concatenate([values[clusters == one] for one in drawn]).mean())
    np.testing.assert_allclose(interval(values, clusters, seed=11, draws=400), np.quantile(means, [0.025, 0.975]))


def test_how_many_draws_are_held_at_a_time_does_not_matter(monkeypatch):
    values, clusters = np.random.default_rng(4).random(60), np.arange(60) // 2
    whole = interval(values, clusters)
    monkeypatch.setattr(significance, "HELD", 100)
    assert interval(values, clusters) == pytest.approx(whole, abs=1e-12)


@settings(deadline=None, max_examples=20)
@given(st.permutations(range(40)), st.floats(0.1, 100))
def test_neither_the_order_of_queries_nor_the_scale_of_values_matters(order, scale):
    values, clusters = np.random.default_rng(6).random(40), np.arange(40) % 11
    low, high = interval(values, clusters)
    assert interval(scale * values[list(order)], clusters[list(order)]) == pytest.approx((scale * low, scale * high))
