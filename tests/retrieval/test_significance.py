"""Intervals that hold what they promise."""

import numpy as np

from lookalike.retrieval.significance import interval


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
