"""Intervals and differences that hold what they promise; how often they do is in test_calibration.py."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lookalike.retrieval import significance
from lookalike.retrieval.significance import differences, holm, interval, intervals, over_seeds, paired


def hits(seeds, queries=120, *, chance=0.6, of=0):
    """Made-up hits of an entry, (S, Q)."""
    return (np.random.default_rng([seeds, of]).random((seeds, queries)) < chance).astype(float)


THREES = np.arange(120) // 3  # 40 clusters of three queries


@pytest.mark.parametrize("clusters", [1, 2, 10, 60])
def test_of_shares_that_all_succeed_or_all_fail_each_other_product_could_be_the_first_that_does_not(clusters):
    queries, cluster = 3 * clusters, np.arange(3 * clusters) // 3
    exact = stats.binomtest(clusters, clusters).proportion_ci(method="exact")
    assert interval(np.ones(queries), cluster) == pytest.approx((exact.low, 1.0))
    assert interval(np.zeros(queries), cluster) == pytest.approx((0.0, 1 - exact.low))
    assert over_seeds([np.ones((2, queries))], cluster) == [pytest.approx((exact.low, 1.0))]


def test_of_sixty_that_all_succeed_the_share_may_be_as_low_as_0_940():
    assert interval(np.ones(60), np.arange(60)) == (pytest.approx(0.9404, abs=1e-4), 1.0)  # 0.9404^60 = 0.025


def test_a_mean_of_equal_values_that_are_no_shares_has_no_width():
    assert interval(np.ones(10), np.arange(10), shares=False) == (1.0, 1.0)
    assert interval(np.full(10, 0.5), np.arange(10)) == (0.5, 0.5)


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


def test_a_difference_is_the_mean_over_seeds_and_queries_of_ours_less_theirs():
    """Ours hits 3 of 4, then 2 of 4: 5/8. Theirs hits 1 of 4: 2/8."""
    found = paired(np.array([[1, 1, 1, 0], [1, 0, 1, 0.0]]), np.array([[0, 0, 1, 0.0]]), np.array([0, 0, 1, 2]))
    assert found.value == pytest.approx(3 / 8)
    assert found.seeds == (2, 1)
    assert found.low < found.value < found.high


def test_what_is_the_same_differs_by_nothing_for_sure():
    found = paired(hits(1), hits(1), THREES)
    assert (found.value, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)


def test_p_is_the_share_of_all_ways_to_turn_whole_clusters():
    """Seven clusters have 128 ways. Counted out, and by scipy, whose paired permutations are the same turns."""
    clusters = np.repeat(np.arange(7), [1, 2, 3, 4, 3, 2, 1])
    ours, theirs = hits(1, 16, chance=0.9, of=1), hits(1, 16, chance=0.4, of=2)
    sums = np.bincount(clusters, weights=(ours - theirs)[0])
    reached = [abs(np.dot(signs, sums)) >= abs(sums.sum()) for signs in product((-1, 1), repeat=7)]
    halves = (np.bincount(clusters, weights=values[0]) for values in (ours, theirs))
    other = stats.permutation_test(
        tuple(halves), lambda x, y, axis: (x - y).sum(axis), permutation_type="samples", vectorized=True
    )
    found = paired(ours, theirs, clusters)
    assert 0.02 < np.mean(reached) < 0.5
    assert other.pvalue == pytest.approx(np.mean(reached))
    assert found.p == pytest.approx(np.mean(reached), abs=4 * np.sqrt(0.25 / 10_000))


def test_p_is_never_nothing():
    """Of 199 turns none reaches forty clusters that all say the same: 1 / 200."""
    assert paired(np.ones((1, 120)), np.zeros((1, 120)), THREES, flips=199).p == 1 / 200


@pytest.mark.parametrize("queries", range(5, 30, 3))
def test_turns_that_give_the_very_difference_count_though_thirds_do_not_add_up(queries):
    """Of the 32 ways to turn five clusters two turn all of them or none, so no p is below 2 / 32."""
    ours, theirs = (hits(3, queries, chance=chance).mean(0, keepdims=True) for chance in (0.9, 0.2))
    assert paired(ours, theirs, np.arange(queries) % 5).p > 2 / 32 - 4 * np.sqrt(2 / 32 / 10_000)


def test_pictures_of_one_product_fail_together_and_prove_no_more_than_one():
    ours, theirs = np.array([[1.0, 1, 1, 0, 1, 1]]), np.zeros((1, 6))
    alone = paired(ours, theirs, np.arange(6))
    copied = paired(np.repeat(ours, 10, axis=1), np.repeat(theirs, 10, axis=1), np.repeat(np.arange(6), 10))
    assert copied.p == alone.p
    assert (copied.low, copied.high) == pytest.approx((alone.low, alone.high))


def test_of_one_seed_each_the_interval_is_the_bootstrap_of_the_differences():
    ours, theirs = hits(1, of=1), hits(1, chance=0.4, of=2)
    found = paired(ours, theirs, THREES, seed=3)
    assert (found.low, found.high) == pytest.approx(interval((ours - theirs)[0], THREES, seed=3))
    assert found.seeds == (1, 1)


def test_the_interval_of_one_seed_is_that_of_its_run_to_the_last_digit():
    every = [hits(1, of=number) for number in range(4)]
    assert over_seeds(every, THREES, seed=2) == [interval(one[0], THREES, seed=2) for one in every]


def test_three_seeds_that_differ_in_all_queries_alike_have_the_interval_of_students_t():
    """Means 0.4, 0.5 and 0.9: 0.6 with s = 0.26458, s / sqrt(3) = 0.15275, and t(2) ends at 4.303. No query tells more."""
    ours = np.repeat([[0.4], [0.5], [0.9]], 120, axis=1)
    ((low, high),) = over_seeds([ours], THREES, draws=200_000)
    assert (low, high) == pytest.approx((0.6 - 0.6573, 0.6 + 0.6573), abs=0.01)
    found = paired(ours, np.full((1, 120), 0.1), THREES, draws=200_000)
    assert (found.low, found.high) == pytest.approx((0.5 - 0.6573, 0.5 + 0.6573), abs=0.01)


def test_seeds_on_both_sides_add_their_chances_as_welch_has_it():
    """Two equal sides of standard error 0.15275 and 2 degrees of freedom each: 0.15275 x sqrt(2) x t(4)."""
    ours = np.repeat([[0.4], [0.5], [0.9]], 120, axis=1)
    found = paired(ours, ours, THREES, draws=200_000)
    end = 0.15275 * np.sqrt(2) * stats.t.ppf(0.975, 4)
    assert (found.low, found.high) == pytest.approx((-end, end), rel=0.03)
    assert found.p == 1.0


def test_the_degrees_of_freedom_are_those_of_welchs_test_rounded_down():
    """Seeds that disagree on one side: nearly its own n - 1 of them; scipy's Welch gives the same number, not rounded."""
    ours, theirs = np.repeat([[0.4], [0.5], [0.9]], 90, axis=1), np.repeat([[0.60], [0.61], [0.59], [0.60]], 90, axis=1)
    welch = stats.ttest_ind(ours.mean(1), theirs.mean(1), equal_var=False)
    found = paired(ours, theirs, np.arange(90), draws=200_000)
    error = (ours.mean(1).mean() - theirs.mean(1).mean()) / welch.statistic
    end = error * stats.t.ppf(0.975, np.floor(welch.df))
    assert int(welch.df) == 2
    assert found.high - found.value == pytest.approx(end, rel=0.03)


def test_a_difference_must_beat_the_seeds_too():
    """Each query says 0.5, and by queries alone nothing is surer; t(2) reaches 0.5 / 0.15275 in 8 % of cases."""
    ours, theirs = np.repeat([[0.4], [0.5], [0.9]], 3000, axis=1), np.full((1, 3000), 0.1)
    by_queries = paired(ours.mean(0, keepdims=True), theirs, np.arange(3000), flips=2000)
    assert by_queries.p == 1 / 2001
    for by_both in (paired(ours, theirs, np.arange(3000)), paired(theirs, ours, np.arange(3000))):
        assert by_both.p == pytest.approx(2 * stats.t.sf(0.5 / 0.15275, 2), abs=0.01)


def test_seeds_that_agree_add_no_chance():
    once, theirs = hits(1, of=1), hits(1, of=2)
    thrice = paired(np.repeat(once, 3, axis=0), theirs, THREES)
    alone = paired(once, theirs, THREES)
    assert (thrice.low, thrice.high, thrice.p) == pytest.approx((alone.low, alone.high, alone.p))


def test_a_difference_does_not_depend_on_its_company():
    every = [hits(seeds, of=number) for number, seeds in enumerate((1, 3, 1, 2, 1))]
    together = differences(every, THREES, seed=4)
    assert len(together) == 10
    for (a, b), found in together.items():
        assert found == paired(every[a], every[b], THREES, seed=4)
    assert over_seeds(every, THREES, seed=4) == [over_seeds([one], THREES, seed=4)[0] for one in every]


def spread(*means):
    """An entry whose seeds have these means, on every query the same: by the queries nothing is left to chance."""
    return np.repeat(np.array(means)[:, None], 300, axis=1)


def test_of_three_entries_and_more_none_counts_as_steadier_than_all_together():
    """Variances 0.0001, 0.0004 and 0.0001: pooled 0.0002, with 6 degrees of freedom. The second is 4 times as large as the
    others, where F(2, 4) is above 18 once in a hundred: so it too has 6. First less third: error sqrt(2 x 0.0002 / 3); first
    less second: sqrt((0.0002 + 0.0004) / 3). Two with the pooled one share it: 6 degrees, and not 12.
    """
    every = [spread(0.49, 0.50, 0.51), spread(0.38, 0.40, 0.42), spread(0.29, 0.30, 0.31)]
    found = differences(every, np.arange(300), draws=200_000)
    for pair, error in (((0, 2), np.sqrt(0.0004 / 3)), ((0, 1), np.sqrt(0.0006 / 3))):
        assert found[pair].high - found[pair].value == pytest.approx(error * stats.t.ppf(0.975, 6), rel=0.03)


def test_one_that_is_far_less_steady_keeps_its_own_degrees_of_freedom():
    """Variances 0.0001, 0.01, 0.0001: the second is 100 times the others. Its error 0.01 / 3 outweighs the pooled one's
    0.0034 / 3: by Welch and Satterthwaite (0.0134)^2 / (0.01^2 / 2 + 0.0034^2 / 6) = 3.46 degrees.
    """
    every = [spread(0.49, 0.50, 0.51), spread(0.3, 0.4, 0.5), spread(0.29, 0.30, 0.31)]
    found = differences(every, np.arange(300), draws=200_000)[0, 1]
    assert found.high - found.value == pytest.approx(np.sqrt(0.0134 / 3) * stats.t.ppf(0.975, 3), rel=0.03)


def test_what_learnt_once_is_given_the_spread_of_the_others():
    every = [spread(0.49, 0.50, 0.51), spread(0.39, 0.40, 0.41), spread(0.29, 0.30, 0.31), spread(0.2), spread(0.1)]
    found = differences(every, np.arange(300), learnt=[True, True, True, True, False], draws=200_000)
    once, never = found[0, 3], found[0, 4]
    assert once.high - once.value == pytest.approx(np.sqrt(0.0001 * (1 / 3 + 1)) * stats.t.ppf(0.975, 6), rel=0.03)
    assert never.high - never.value == pytest.approx(np.sqrt(0.0001 / 3) * stats.t.ppf(0.975, 6), rel=0.03)


def test_two_entries_alone_have_their_own_spread():
    every = [spread(0.49, 0.50, 0.51), spread(0.38, 0.40, 0.42)]
    found = differences(every, np.arange(300), draws=200_000)[0, 1]
    assert found == paired(*every, np.arange(300), draws=200_000)
    freedom = 0.0005**2 / (0.0001**2 / 2 + 0.0004**2 / 2)  # 2.9
    assert found.high - found.value == pytest.approx(np.sqrt(0.0005 / 3) * stats.t.ppf(0.975, int(freedom)), rel=0.03)


def test_a_difference_turned_round_is_the_other_ones():
    ours, theirs = hits(1, of=1), hits(3, of=2)
    found, back = paired(ours, theirs, THREES), paired(theirs, ours, THREES).turned()
    assert back.seeds == found.seeds == (1, 3)
    assert (back.value, back.low, back.high, back.p) == pytest.approx(
        (found.value, found.low, found.high, found.p), abs=0.03
    )
    assert found.turned().turned() == found


def test_how_many_turns_are_held_at_a_time_does_not_matter(monkeypatch):
    every = [hits(seeds, of=seeds) for seeds in (1, 2, 3)]
    whole = differences(every, THREES, flips=500)
    monkeypatch.setattr(significance, "HELD", 100)
    held = differences(every, THREES, flips=500)
    assert [one.p for one in held.values()] == [one.p for one in whole.values()]
    assert [one.low for one in held.values()] == pytest.approx([one.low for one in whole.values()], abs=1e-12)


@settings(deadline=None, max_examples=20)
@given(st.permutations(range(40)), st.floats(0.1, 100))
def test_neither_the_order_of_queries_nor_the_scale_of_values_matters_to_a_difference(order, scale):
    ours, theirs, clusters = hits(3, 40, of=1), hits(2, 40, of=2), np.arange(40) % 11
    found = paired(ours, theirs, clusters, draws=200, flips=200)
    moved = paired(scale * ours[:, order], scale * theirs[:, order], clusters[list(order)], draws=200, flips=200)
    assert moved.p == pytest.approx(found.p, abs=0.006)  # a tie may tip
    assert (moved.low, moved.high) == pytest.approx((scale * found.low, scale * found.high))


def test_holm_by_hand():
    """In order: 4 x 0.005, 3 x 0.01, 2 x 0.03, then 1 x 0.04, which may not fall below the one before."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.randoms())
def test_holm_lies_between_each_p_and_bonferroni_and_does_not_ask_for_an_order(p, random):
    corrected = holm(p)
    assert all(one <= made <= min(1, len(p) * one) for one, made in zip(p, corrected, strict=True))
    order = random.sample(range(len(p)), len(p))
    assert holm([p[at] for at in order]) == [corrected[at] for at in order]
