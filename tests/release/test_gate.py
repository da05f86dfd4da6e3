"""The gate: figures worked by hand, each check seen to refuse alone, and how often it errs."""

import itertools
import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lookalike.release.gate import ENOUGH, FIGURES, MEND, Candidate, chance_below, judge
from lookalike.retrieval.significance import holm, intervals
from lookalike.settings import Rule

RULE = Rule()
PROTOCOL = {"match": "product", "left_out": "picture", "split_rule": "auto", "split": "test", "color_weight": 0.0}
CHECKS = [
    *("another release", "same test", "recall@1", "map@r", "brands and categories"),
    *("milliseconds an image", "megabytes", "verify", "index"),
]


def candidate(queries, label="boots/new", **said):
    told = {
        "protocol": PROTOCOL,
        "tested": "toy@1",
        "learnt": "toy@1",
        "indexed": "shop@2",
        "cost": {"milliseconds_per_image": 12.0, "megabytes": 14.0},
    }
    return Candidate(label=label, queries=queries, **told | said)


def by_name(verdict):
    return {one.name: one for one in verdict.reasons}


def failed(verdict):
    return [one.name for one in verdict.reasons if not one.holds]


@pytest.fixture
def champion(queries):
    """100 products with two queries each; every fifth query misses."""
    return candidate(queries([number % 5 > 0 for number in range(200)]), "boots/old", indexed="shop@1")


def with_hits(one, hits, **said):
    """The same release with other figures."""
    columns = [pl.Series(name, np.asarray(hits, float)) for name in FIGURES]
    return replace(one, label="boots/new", queries=one.queries.with_columns(columns), **said)


def hits_of(one):
    return one.queries["recall@1"].to_numpy().copy()


# The rule


def test_a_worse_release_is_refused_with_its_figures(champion):
    hits = hits_of(champion)
    hits[np.flatnonzero(hits)[:40]] = 0  # 40 of 200 queries more are missed
    verdict = judge(with_hits(champion, hits), champion, RULE)
    check = by_name(verdict)["recall@1"]
    assert (verdict.admitted, failed(verdict)) == (False, ["recall@1", "map@r"])
    assert (check.figure, check.bound, check.wanted) == (pytest.approx(-0.2), -0.02, "above -0.020")
    assert check.interval[0] < -0.2 < check.interval[1] < -0.1
    assert verdict.words == "refused: 2 of 9 checks do not hold: recall@1, map@r"


def test_the_interval_is_that_of_the_difference_over_products(champion):
    hits = np.roll(hits_of(champion), 3)
    check = by_name(judge(with_hits(champion, hits), champion, RULE))["recall@1"]
    wanted = intervals((hits - hits_of(champion))[:, None], champion.queries["product"].to_numpy())[0]
    assert check.interval == pytest.approx(tuple(wanted), abs=1e-12)


def test_a_better_release_is_admitted_as_better(champion):
    verdict = judge(with_hits(champion, np.ones(200)), champion, RULE)
    assert (verdict.admitted, failed(verdict)) == (True, [])
    assert verdict.words == "admitted: better than the champion in recall@1 and map@r"


def test_an_equal_release_of_another_id_is_admitted_and_the_verdict_says_for_what(champion):
    verdict = judge(replace(champion, label="boots/new"), champion, RULE)
    assert verdict.admitted
    assert [by_name(verdict)[name].interval for name in FIGURES] == [(0.0, 0.0)] * 2
    assert verdict.words.startswith(
        "admitted as an equal: every query fares as it did, which is surely not worse by 0.02"
    )
    assert not judge(replace(champion, label="boots/new"), champion, Rule(epsilon=0.0)).admitted  # 0 is not above 0


def test_one_that_cannot_be_told_from_the_champion_is_admitted_only_where_the_test_is_large_enough(queries):
    hits = np.tile([1.0, 1, 1, 1, 0], 12)
    few = candidate(queries(hits), "boots/old")
    other = hits.copy()
    other[[0, 4]] = other[[4, 0]]  # one lost, one won of 60: the mean is the same
    verdict = judge(with_hits(few, other), few, RULE)
    assert failed(verdict) == ["recall@1", "map@r"]
    assert by_name(verdict)["recall@1"].figure == 0
    verdict = judge(with_hits(few, other), few, Rule(epsilon=0.1))
    assert verdict.words == (
        "admitted as an equal: not shown to be better, and surely not worse by 0.1 in recall@1 and map@r"
    )


def test_surely_worse_but_by_less_than_epsilon_is_said_as_it_is(champion):
    nearly = champion.queries.with_columns(pl.col("map@r") - 0.004)
    verdict = judge(replace(champion, label="boots/new", queries=nearly), champion, RULE)
    assert verdict.words == "admitted by the rule alone: surely worse in map@r, though by less than 0.02"
    gained = nearly.with_columns(pl.lit(1.0).alias("recall@1"))
    verdict = judge(replace(champion, label="boots/new", queries=gained), champion, RULE)
    assert verdict.words == (
        "admitted: better than the champion in recall@1; surely worse in map@r, though by less than 0.02"
    )


def test_the_first_champion_is_compared_with_nobody_and_still_must_be_fit_to_serve(champion):
    verdict = judge(champion, None, RULE)
    assert (verdict.admitted, verdict.champion) == (True, None)
    assert verdict.words == "admitted as the first champion: there is none to be compared with"
    assert [one.told for one in verdict.reasons[:5]] == ["falls away, as there is no champion yet"] * 5
    refused = judge(replace(champion, faults=("card.md was altered",), indexed=None), None, RULE)
    assert failed(refused) == ["verify", "index"]


def test_the_champion_is_not_promoted_again_under_whatever_name(champion):
    for label in ("boots/old", "renamed/old"):
        verdict = judge(replace(champion, label=label), champion, RULE)
        assert failed(verdict) == ["another release"]
        assert by_name(verdict)["another release"].told == "it is the champion already (boots/old)"


def test_every_check_is_told_whichever_fails_first(champion):
    wrong = with_hits(
        champion,
        np.zeros(200),
        cost={"milliseconds_per_image": 201.0, "megabytes": None},
        faults=("one", "other"),
        indexed=None,
    )
    verdict = judge(replace(wrong, label="boots/old"), champion, RULE)
    assert [one.name for one in verdict.reasons] == CHECKS
    assert failed(verdict) == [one for one in CHECKS if one not in ("same test", "brands and categories")]
    assert by_name(verdict)["verify"].told == "one; other"
    assert set(verdict.figures()) == set(CHECKS)


# The same test


def test_other_queries_another_data_set_and_another_protocol_are_each_told_and_no_figure_is_held_beside(
    champion, queries
):
    other = candidate(
        queries([1] * 204).tail(203), protocol=PROTOCOL | {"match": "style", "query_view": "side"}, tested="toy@2"
    )
    verdict = judge(other, champion, RULE)
    assert [one.name for one in verdict.reasons] == CHECKS
    assert failed(verdict) == ["same test", "recall@1", "map@r", "brands and categories"]
    assert by_name(verdict)["same test"].told == (
        "data set: 'toy@2', the champion's 'toy@1'; match: 'style', the champion's 'product'; "
        "query_view: 'side', the champion's None; 1 of the champion's 200 queries were not asked; "
        f"4 queries were not asked of the champion; {MEND}"
    )
    assert by_name(verdict)["recall@1"].figure is None


def test_what_is_a_methods_own_does_not_make_another_test(champion):
    own = PROTOCOL | {"color_weight": 0.3, "search": "k_reciprocal(k1=20)"}
    assert judge(replace(champion, label="boots/new", protocol=own), champion, RULE).admitted


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda table: table.drop("map@r"), "boots/new tells no map@r of its queries"),
        (lambda table: pl.concat([table, table.head(2)]), "boots/new tells 2 queries twice"),
        (lambda table: table.clear(), "boots/new was asked nothing"),
        (
            lambda table: table.with_columns(
                pl.when(pl.col("image") == "00003#0").then(math.nan).otherwise(pl.col("recall@1")).alias("recall@1"),
                pl.when(pl.col("image") < "00002").then(None).otherwise(pl.col("map@r")).alias("map@r"),
            ),
            "boots/new has no recall@1 of 1 queries; boots/new has no map@r of 2 queries",
        ),
    ],
    ids=["lacks", "twice", "empty", "unknown"],
)
def test_a_table_that_does_not_tell_every_query_once_is_no_test(champion, harm, told):
    verdict = judge(replace(champion, label="boots/new", queries=harm(champion.queries)), champion, RULE)
    assert by_name(verdict)["same test"].told == told
    assert not verdict.admitted


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(60)))
def test_the_order_of_the_rows_is_of_no_matter(order):
    rows = np.arange(60)
    labels = {"product": [f"p{row // 3}" for row in rows], "style": [""] * 60, "brand": ["A", "B"] * 30}
    table = pl.DataFrame({"image": [f"{row:02}" for row in rows], **labels, "category": ["boots"] * 60}).with_columns(
        pl.Series("recall@1", (rows % 4 > 0) * 1.0), pl.Series("map@r", rows / 60)
    )
    old = candidate(table, "boots/old")
    new = candidate(table.with_columns(pl.Series("recall@1", (rows % 7 > 0) * 1.0)))
    assert judge(replace(new, queries=new.queries[list(order)]), old, RULE) == judge(new, old, RULE)


# Brands and categories


def of_brands(queries, hits, per_brand=40, match="product"):
    brands = [f"brand {number // per_brand}" for number in range(len(hits))]
    return candidate(
        queries(hits, brands=brands, categories="boots"), "boots/old", protocol=PROTOCOL | {"match": match}
    )


def test_a_brand_that_is_surely_worse_refuses_a_release_that_is_better_overall(queries):
    champion = of_brands(queries, np.tile([1.0, 0.0], 100))
    hits = np.ones(200)
    hits[40:80] = 0  # brand 1, 20 products: half of its queries were found, now none
    verdict = judge(with_hits(champion, hits), champion, RULE)
    assert failed(verdict) == ["brand brand 1: recall@1", "brand brand 1: map@r"]
    check = by_name(verdict)["brand brand 1: recall@1"]
    assert (check.figure, check.interval, check.bound) == (-0.5, (-0.5, -0.5), -0.05)
    assert by_name(verdict)["recall@1"].figure == pytest.approx(0.3)
    assert {(one.column, one.value, one.clusters) for one in verdict.slices} == {
        *(("brand", f"brand {number}", 20) for number in range(5)),
        ("category", "boots", 100),
    }


def test_a_brand_that_is_surely_worse_but_by_less_than_delta_refuses_nothing(queries):
    champion = of_brands(queries, np.ones(4000), per_brand=2000)
    worse = np.ones(4000)
    worse[:2000:50] = 0  # 40 of 2000: -0.02, surely below 0
    verdict = judge(with_hits(champion, worse), champion, Rule(epsilon=0.05))
    assert verdict.slices[0].difference.high < 0
    assert by_name(verdict)["brands and categories"].holds
    assert failed(judge(with_hits(champion, worse), champion, Rule(epsilon=0.05, delta=0.01))) == [
        "brand brand 0: recall@1",
        "brand brand 0: map@r",
    ]


def test_a_brand_of_few_products_is_not_judged_and_that_is_said(queries):
    champion = of_brands(queries, np.ones(2 * ENOUGH - 2), per_brand=2 * ENOUGH - 2)
    verdict = judge(replace(champion, label="boots/new"), champion, RULE)
    assert verdict.slices == ()
    assert by_name(verdict)["brands and categories"].told == f"none has {ENOUGH} products or more, so none is judged"


def test_what_counts_is_styles_where_styles_are_matched(queries):
    products = [f"p{number // 20:02}{number % 20 // 2:02}" for number in range(200)]  # 10 styles of 10 products
    table = queries(np.ones(200), products=products, brands="A")
    match = PROTOCOL | {"match": "style"}
    champion = candidate(table, "boots/old", protocol=match)
    (one, *_) = judge(replace(champion, label="boots/new"), champion, RULE).slices
    assert one.clusters == 10


def test_each_p_is_corrected_for_all_brands_and_both_figures(queries):
    hits = np.random.default_rng(1).random(400) < 0.8
    champion = of_brands(queries, hits * 1.0)
    found = judge(with_hits(champion, np.roll(hits, 1) * 1.0), champion, RULE).slices
    new, old = np.roll(hits, 1) * 1.0, hits * 1.0
    raw = []
    for one in found:
        among = np.array(champion.queries[one.column] == one.value)
        products = champion.queries["product"].to_numpy()[among]
        raw.append(chance_below((new - old)[among], products, -0.05, flips=10_000))
    assert len(raw) == 2 * (10 + 1)
    assert [one.difference.p for one in found] == pytest.approx(holm(raw))


def test_the_p_is_the_share_of_all_flips_that_fall_as_low():
    random = np.random.default_rng(3)
    values, clusters = random.normal(-0.3, 0.4, 27), np.arange(27) // 3  # 9 clusters: 512 ways to flip them
    sums = np.bincount(clusters, weights=values + 0.1)
    every = np.array([np.dot(signs, sums) for signs in itertools.product((-1, 1), repeat=9)])
    exact = (every <= sums.sum() + 1e-12).mean()
    assert chance_below(values, clusters, -0.1, flips=40_000) == pytest.approx(exact, abs=0.005)


def test_eight_products_that_all_fall_prove_no_more_than_eight_coins():
    found = chance_below(-np.ones(16), np.arange(16) // 2, -0.05, flips=100_000)
    assert found == pytest.approx(2**-8, abs=0.001)


def test_below_zero_is_not_below_the_bound_and_far_below_is():
    values, clusters = -1.0 * (np.arange(4000) % 50 == 0), np.arange(4000) // 2  # -0.02
    assert chance_below(values, clusters, 0.0) == pytest.approx(1 / 10_001)
    assert chance_below(values, clusters, -0.05) > 0.999
    assert chance_below(values - 0.1, clusters, -0.05) == pytest.approx(1 / 10_001)


# How often it errs


def pair(random, fall, products=100, each=6):
    """What became of the queries of two equal releases, but for a share of hits that the second loses.

    A product is easy or hard, and what one release makes of it the other mostly does.
    """
    easy = np.repeat(random.beta(4, 1, products), each)
    noise = np.repeat(random.normal(0, 0.05, products), each)
    old = random.random(products * each) < easy
    again = random.random(products * each) < np.clip(easy + noise, 0, 1)
    new = np.where(random.random(products * each) < 0.2, again, old)
    lost = random.random(products * each) < fall / easy.mean()
    return old * 1.0, (new & ~lost) * 1.0


def admitted(fall, trials, rule):
    random, count = np.random.default_rng(7), 0
    products = [f"p{number // 6:03}" for number in range(600)]
    images = [f"{number:03}" for number in range(600)]
    facts = {"image": images, "product": products}
    for _ in range(trials):
        old, new = pair(random, fall)
        tables = [pl.DataFrame({**facts, **dict.fromkeys(FIGURES, hits)}) for hits in (old, new)]
        count += judge(candidate(tables[1]), candidate(tables[0], "boots/old"), rule).admitted
    return count


def test_of_200_pairs_of_equals_nearly_all_are_admitted_and_of_those_worse_by_a_tenth_none():
    rule = Rule(epsilon=0.05)
    assert admitted(0.0, 200, rule) >= 190
    assert admitted(0.1, 200, rule) == 0


def test_of_those_that_are_worse_by_epsilon_one_of_forty_is_admitted():
    assert admitted(0.05, 200, Rule(epsilon=0.05)) <= stats.binom.ppf(0.999, 200, 0.025)


def test_a_brand_that_is_worse_by_delta_is_told_to_be_worse_by_more_in_one_of_twenty_trials():
    random, wrong = np.random.default_rng(5), 0
    for _ in range(400):  # 12 products: a few lose all, a few win, the mean is the bound
        lost, won = random.random(12) < 0.15, random.random(12) < 0.10
        values = np.repeat(won * 1.0 - lost, 3)
        wrong += chance_below(values, np.arange(36) // 3, -0.05, flips=400) <= 0.05
    assert wrong <= stats.binom.ppf(0.999, 400, 0.05)


# Of the release alone


@pytest.mark.parametrize(
    ("cost", "names"),
    [
        ({"milliseconds_per_image": 200.0, "megabytes": 200.0}, []),
        ({"milliseconds_per_image": 200.1, "megabytes": 200.0}, ["milliseconds an image"]),
        ({"milliseconds_per_image": 1.0, "megabytes": 200.1}, ["megabytes"]),
        ({"milliseconds_per_image": None, "megabytes": math.nan}, ["milliseconds an image", "megabytes"]),
        ({}, ["milliseconds an image", "megabytes"]),
    ],
)
def test_it_must_be_quick_and_light_and_known_to_be(champion, cost, names):
    assert failed(judge(replace(champion, cost=cost), None, RULE)) == names


def test_an_index_must_be_there_and_of_the_champions_catalog_in_whatever_version(champion):
    def told(indexed, beside=champion):
        return by_name(judge(replace(champion, label="boots/new", indexed=indexed), beside, RULE))["index"]

    assert told("shop@9").holds
    assert told(None).told == "none: a server needs one; lookalike index boots/new dataset=shop"
    assert (told("bags@1").holds, told("bags@1").wanted) == (False, "of shop")
    assert told("bags@1", replace(champion, indexed=None)).holds
    assert not told(None, None).holds
