"""What is promised of chance, counted over 200 simulated pairs of runs whose truth is known.

A run hits a query where   level + product + query + method on product + network on product + network on query + training
is above 0. Each part is a normal number: the first three are shared by all runs, so runs fail together; the parts by product
make the queries of a product fail together; the last is a training's luck, one number a seed. The true share of hits is the
normal distribution's at  level / sqrt(sum of the variances).
"""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from lookalike.retrieval.significance import Difference, differences, holm, over_seeds, paired

PAIRS = 200
LEAST, MOST = stats.binom.interval(0.99, PAIRS, 0.05)  # of 200, where 5 % is true: 3 and 19
PRODUCTS = 150
ON_PRODUCT, ON_QUERY = 0.5, 0.7  # what is one network's alone

pytestmark = pytest.mark.slow


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two that are compared."""

    level: float = 0.5
    method: float = 0.0  # what all its networks do to a product
    training: float = 0.0  # what a seed does to all queries
    seeds: int = 1

    @property
    def truth(self) -> float:
        variance = 1 + 1 + self.method**2 + ON_PRODUCT**2 + ON_QUERY**2 + self.training**2
        return stats.norm.cdf(self.level / np.sqrt(variance))

    def hits(self, random, products, difficulty):
        """(S, Q) of queries whose products and difficulties are (Q,)."""
        by_product = self.method * random.normal(size=PRODUCTS)
        rows = []
        for _ in range(self.seeds):
            network = ON_PRODUCT * random.normal(size=PRODUCTS) + by_product
            own = ON_QUERY * random.normal(size=len(products)) + self.training * random.normal()
            rows.append(self.level + difficulty + network[products] + own > 0)
        return np.array(rows, float)


@dataclass(frozen=True, kw_only=True)
class Counted:
    """Of 200 pairs: differences called real, intervals that miss the true difference, and those that miss a true share."""

    found: int
    missed: int
    missed_one: int


def count(ours, theirs, *, alone=False):
    """Simulate the pairs; alone: pretend that each query is a product of its own."""
    told, ends = [], []
    for number in range(PAIRS):
        random = np.random.default_rng([7, number])
        products = np.repeat(np.arange(PRODUCTS), random.integers(1, 7, PRODUCTS))  # one to six queries each
        difficulty = random.normal(size=PRODUCTS)[products] + random.normal(size=len(products))
        a, b = (side.hits(random, products, difficulty) for side in (ours, theirs))
        clusters = np.arange(len(products)) if alone else products
        told.append(paired(a, b, clusters, seed=number, draws=999, flips=999))
        ends.append(over_seeds([a], clusters, seed=number, draws=999)[0])
    truth = ours.truth - theirs.truth
    return Counted(
        found=sum(one.p < 0.05 for one in told),
        missed=sum(not _within(one, truth) for one in told),
        missed_one=sum(not low <= ours.truth <= high for low, high in ends),
    )


def _within(difference: Difference, truth: float) -> bool:
    return difference.low <= truth <= difference.high


def test_equal_runs_are_told_apart_once_in_twenty_and_intervals_miss_as_often():
    counted = count(Side(), Side())
    assert LEAST <= counted.found <= MOST
    assert LEAST <= counted.missed <= MOST
    assert LEAST <= counted.missed_one <= MOST


def test_intervals_of_unequal_runs_hold_the_true_difference():
    counted = count(Side(level=0.8, method=0.5), Side(method=0.5))
    assert LEAST <= counted.missed <= MOST
    assert LEAST <= counted.missed_one <= MOST


def test_a_true_difference_is_found():
    """Nine points more: 71 % against 62 % of some 520 queries."""
    ours, theirs = Side(level=0.9), Side()
    assert ours.truth - theirs.truth == pytest.approx(0.088, abs=0.001)
    assert count(ours, theirs).found > 0.95 * PAIRS
    assert count(Side(level=0.9, seeds=3), Side(seeds=3)).found > 0.6 * PAIRS


def test_queries_taken_one_by_one_would_cry_wolf():
    """The bounds have teeth: the same pairs, each query as evidence by itself."""
    assert count(Side(method=0.5), Side(method=0.5), alone=True).found > MOST


def test_three_seeds_against_what_does_not_learn_err_once_in_twenty():
    """Trainings that differ far more than queries do: Student's t of three, whole."""
    counted = count(Side(training=1.0, seeds=3), Side(level=_level_of(Side(training=1.0))))
    assert LEAST <= counted.found <= MOST
    assert LEAST <= counted.missed <= MOST


@pytest.mark.parametrize("training", [0.0, 0.1, 1.0])
def test_three_seeds_each_err_no_oftener_whatever_the_trainings_luck(training):
    """Seldomer, in truth: the two t of three seeds each, and the queries' chance on top, are on the safe side."""
    side = Side(training=training, seeds=3)
    counted = count(side, side)
    assert counted.found <= MOST
    assert counted.missed <= MOST
    assert counted.missed_one <= MOST


def test_one_seed_each_takes_a_trainings_luck_for_a_difference():
    """Why a page must say that one seed says nothing of another training."""
    assert count(Side(training=0.3), Side(training=0.3)).found > 3 * MOST


def _level_of(side: Side) -> float:
    """The level at which a single network without luck in training has the same true share."""
    return stats.norm.ppf(side.truth) * np.sqrt(2 + ON_PRODUCT**2 + ON_QUERY**2)


@pytest.mark.parametrize("lucks", [(0.1,) * 6, (1.0, *(0.1,) * 5)], ids=["alike", "one far less steady"])
def test_among_six_equals_of_three_seeds_each_any_false_alarm_is_rare(lucks):
    """All have the same true share; of 100 leaderboards, by Holm, 5 % or fewer may call any of 15 pairs different."""
    share, boards = Side(training=lucks[0]).truth, 100
    sides = [Side(training=luck, seeds=3, level=_level_for(share, luck)) for luck in lucks]
    alarms = sum(min(holm([one.p for one in _board(sides, number).values()])) < 0.05 for number in range(boards))
    assert alarms <= stats.binom.ppf(0.995, boards, 0.05)


def test_three_seeds_each_are_enough_to_find_what_is_plain_among_eleven():
    """Ten equals, and one 15 points better: each entry's own spread alone, t(2) or t(4), would not pass Holm's 55 pairs."""
    level = _level_for(Side().truth + 0.15, 0.05)
    sides = [Side(level=level, training=0.05, seeds=3), *[Side(training=0.05, seeds=3)] * 10]
    right = wrong = 0
    for number in range(20):
        found = _board(sides, number)
        corrected = dict(zip(found, holm([one.p for one in found.values()]), strict=True))
        right += sum(p < 0.05 for (a, _), p in corrected.items() if a == 0)
        wrong += any(p < 0.05 for (a, _), p in corrected.items() if a)
    assert right > 0.9 * 20 * 10
    assert wrong <= stats.binom.ppf(0.995, 20, 0.05)


def _board(sides, number):
    random = np.random.default_rng([11, number])
    products = np.repeat(np.arange(PRODUCTS), random.integers(1, 7, PRODUCTS))
    difficulty = random.normal(size=PRODUCTS)[products] + random.normal(size=len(products))
    runs = [side.hits(random, products, difficulty) for side in sides]
    return differences(runs, products, seed=number, draws=99, flips=9999)


def _level_for(share, training):
    """The level at which a network with so much luck in training has this true share."""
    return stats.norm.ppf(share) * np.sqrt(2 + ON_PRODUCT**2 + ON_QUERY**2 + training**2)
