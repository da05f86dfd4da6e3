"""Query expansion by hand, and the company that pictures keep against the paper written out densely."""

import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.retrieval import rerank
from lookalike.retrieval.rerank import expansion, k_reciprocal
from lookalike.retrieval.search import exact
from lookalike.settings import ConfigError

SEARCHES = [expansion(neighbours=4), k_reciprocal(k1=6, k2=3, depth=25)]


def around(*degrees):
    angle = np.radians(np.array(degrees, float))
    return np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)


def drawn(seed, count=60, products=15, dimensions=8):
    """Unit vectors near their product's; and the product of each."""
    random = np.random.default_rng(seed)
    of = random.integers(products, size=count)
    vectors = random.normal(size=(products, dimensions))[of] + random.normal(size=(count, dimensions))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), of


def angle_of(vector):
    return np.degrees(np.arctan2(vector[1], vector[0]))


def test_a_query_moves_towards_its_nearest_by_their_similarity_to_the_power():
    gallery = around(0, 10, -21, 31)  # the first is the query itself
    found = expansion(neighbours=1, power=3.0)(gallery, np.arange(4))(gallery[:1], np.array([0]), 3)
    moved = gallery[0] + np.cos(np.radians(10)) ** 3 * gallery[1]
    assert angle_of(moved) == pytest.approx(4.885, abs=0.001)
    assert found.rows.tolist() == [[1, 2, 3]]
    assert found.scores[0] == pytest.approx(np.cos(np.radians(np.array([10, -21, 31]) - angle_of(moved))), abs=2e-6)
    even = expansion(neighbours=2, power=0.0)(gallery, np.arange(4))(gallery[:1], np.array([0]), 3)
    assert even.scores[0, 0] == pytest.approx(np.cos(np.radians(10 - angle_of(gallery[:3].sum(0)))), abs=2e-6)


def test_a_stranger_that_was_nearer_than_the_twin_falls_behind_it():
    gallery = around(10, 12, -20, 24)
    ask = (around(0), np.array([-5]), 4)
    assert exact(gallery, np.arange(4))(*ask).rows.tolist() == [[0, 1, 2, 3]]
    moved = expansion(neighbours=2)(gallery, np.arange(4))(*ask)  # to about 7 degrees
    assert moved.rows.tolist() == [[0, 1, 3, 2]]


def test_what_looks_the_other_way_weighs_nothing():
    gallery = around(100, 170, 250)
    for power in (0.0, 3.0):
        found = expansion(neighbours=3, power=power)(gallery, np.arange(3))(around(0), np.array([-1]), 3)
        plain = exact(gallery, np.arange(3))(around(0), np.array([-1]), 3)
        np.testing.assert_array_equal(found.rows, plain.rows)
        np.testing.assert_allclose(found.scores, plain.scores, atol=2e-6)


def test_what_is_left_out_for_a_query_does_not_move_it():
    gallery, of = drawn(0)
    whole = expansion(neighbours=5)(gallery, of)(gallery[:20], of[:20], 10)
    for query in range(20):
        rest = np.flatnonzero(of != of[query])
        alone = expansion(neighbours=5)(gallery[rest], of[rest])(gallery[query][None], of[query][None], 10)
        assert rest[alone.rows[0]].tolist() == whole.rows[query].tolist()


# --- k-reciprocal: the paper, step by step ---


def the_paper(vectors, k1, k2, share):
    """The authors' steps for pictures that all ask and all answer: the final distance of every pair (N, N)."""
    distance = 1 - (vectors @ vectors.T).astype(float)
    np.fill_diagonal(distance, 0)
    ranked = np.argsort(distance, axis=1)
    count = len(vectors)
    codes = np.zeros((count, count))
    for one in range(count):
        company = reciprocal = reciprocal_with(one, ranked, k1)
        for candidate in reciprocal:
            theirs = reciprocal_with(candidate, ranked, int(np.around(k1 / 2)))
            if len(np.intersect1d(theirs, reciprocal)) > 2 / 3 * len(theirs):
                company = np.append(company, theirs)
        company = np.unique(company)
        weights = np.exp(-distance[one, company])
        codes[one, company] = weights / weights.sum()
    codes = np.stack([codes[ranked[one, :k2]].mean(0) for one in range(count)])
    jaccard = np.stack([1 - np.minimum(code, codes).sum(1) / np.maximum(code, codes).sum(1) for code in codes])
    return share * distance + (1 - share) * jaccard


def reciprocal_with(one, ranked, k):
    forward = ranked[one, : k + 1]
    backward = ranked[forward, : k + 1]
    return forward[(backward == one).any(1)]


@pytest.mark.parametrize(("k1", "k2", "share"), [(20, 6, 0.3), (7, 3, 0.0), (5, 1, 0.5), (1, 1, 0.3), (10, 10, 1.0)])
@pytest.mark.parametrize("seed", range(3))
def test_pictures_that_all_ask_and_all_answer_are_ordered_as_in_the_paper(seed, k1, k2, share):
    vectors, _ = drawn(seed)
    everyone = np.arange(60)
    found = k_reciprocal(k1=k1, k2=k2, share=share, depth=60)(vectors, everyone)(vectors, everyone, 60)
    assert (found.rows[:, -1] == -1).all()  # the query itself
    wanted = np.take_along_axis(the_paper(vectors, k1, k2, share), found.rows[:, :-1], 1)
    np.testing.assert_allclose(1 - found.scores[:, :-1], wanted, atol=5e-6)
    assert (np.diff(found.scores[:, :-1], axis=1) <= 0).all()


def by_definition(query, own, gallery, apart, k1, k2):
    """The overlap of one query's company with that of each gallery picture (N,), in sets; nothing left out counts."""
    count = len(gallery)
    alike = gallery @ gallery.T
    ranked = np.stack([[one, *(x for x in np.argsort(-alike[one]) if x != one)] for one in range(count)])
    halves = [set(reciprocal_with(one, ranked, int(np.around(k1 / 2)))) for one in range(count)]
    codes = [code_of(gallery[one], set(reciprocal_with(one, ranked, k1)), halves, gallery) for one in range(count)]
    itself = {row for row in np.flatnonzero(apart == own) if (gallery[row] == query).all()}
    barred = sorted(set(np.flatnonzero(apart == own)) - itself)
    similar = gallery @ query
    allowed = [row for row in np.argsort(-similar) if apart[row] != own][:k1]
    near = itself | {row for row in allowed if similar[row] >= alike[row, ranked[row, k1]] - 1e-6}
    mine = code_of(query, near, halves, gallery, barred) + sum(codes[row] for row in allowed[: k2 - 1])
    mine[barred] = 0
    overlaps = []
    for one in range(count):
        theirs = sum(codes[row] for row in ranked[one, :k2])
        theirs[barred] = 0
        if not theirs.any():  # it is left out itself
            overlaps.append(np.nan)
            continue
        first, second = mine / max(mine.sum(), 1e-9), theirs / theirs.sum()
        overlaps.append(np.minimum(first, second).sum() / np.maximum(first, second).sum())
    return np.array(overlaps)


def code_of(vector, near, halves, gallery, barred=()):
    company = set(near)
    for one in near:
        if 3 * len(halves[one] & near) > 2 * len(halves[one]):
            company |= halves[one]
    company = sorted(company - set(barred))
    code = np.zeros(len(gallery))
    code[company] = np.exp(gallery[company] @ vector - 1)
    return code / max(code.sum(), 1e-9)


@pytest.mark.parametrize("k2", [1, 3])
@pytest.mark.parametrize("asks", ["its product is left out", "it is not in the gallery"])
def test_nothing_that_is_left_out_counts_in_a_company(asks, k2):
    vectors, of = drawn(4, count=50, products=12)
    gallery, apart = (vectors, of) if asks == "its product is left out" else (vectors[10:], of[10:])
    found = k_reciprocal(k1=6, k2=k2, share=0.0, depth=50)(gallery, apart)(vectors[:10], of[:10], 50)
    for query in range(10):
        rows = found.rows[query][found.rows[query] >= 0]
        assert sorted(rows) == np.flatnonzero(apart != of[query]).tolist()
        wanted = by_definition(vectors[query], of[query], gallery, apart, 6, k2)
        np.testing.assert_allclose(found.scores[query, : len(rows)], wanted[rows], atol=3e-6)
        assert np.isnan(found.scores[query, len(rows) :]).all()


def test_only_the_nearest_are_put_into_a_new_order():
    vectors, _ = drawn(1)
    everyone = np.arange(60)
    plain = exact(vectors, everyone)(vectors, everyone, 40)
    found = k_reciprocal(k1=8, k2=3, share=0.2, depth=12)(vectors, everyone)(vectors, everyone, 40)
    assert (np.sort(found.rows[:, :12], axis=1) == np.sort(plain.rows[:, :12], axis=1)).all()
    assert (found.rows[:, :12] != plain.rows[:, :12]).any()
    assert (found.rows[:, 12:] == plain.rows[:, 12:]).all()
    few = k_reciprocal(k1=8, k2=3, share=0.2, depth=12)(vectors, everyone)(vectors, everyone, 5)
    assert (few.rows == found.rows[:, :5]).all()  # of twelve the first five, not five put into order


def test_where_the_first_distance_is_all_nothing_changes():
    vectors, _ = drawn(2)
    everyone = np.arange(60)
    found = k_reciprocal(share=1.0)(vectors, everyone)(vectors, everyone, 59)
    plain = exact(vectors, everyone)(vectors, everyone, 59)
    assert (found.rows == plain.rows).all()
    np.testing.assert_allclose(found.scores, plain.scores, atol=2e-6)


@pytest.mark.parametrize("search", SEARCHES)
def test_a_query_is_never_brought_itself(search):
    vectors, of = drawn(3)
    found = search(vectors, of)(vectors, of, 59)
    assert not ((found.rows >= 0) & (of[found.rows] == of[:, None])).any()


@pytest.mark.parametrize("search", SEARCHES)
@settings(deadline=None, max_examples=10)
@given(order=st.permutations(range(40)))
def test_the_order_of_the_gallery_does_not_matter(search, order):
    vectors, of = drawn(5, count=50)
    gallery, apart, order = vectors[:40], of[:40], np.array(order)
    plain = search(gallery, apart)(vectors, of, 10)
    shuffled = search(gallery[order], apart[order])(vectors, of, 10)
    assert (order[shuffled.rows] == plain.rows).all()


@pytest.mark.parametrize("search", SEARCHES)
def test_queries_asked_one_by_one_are_answered_as_all_at_once(search, monkeypatch):
    vectors, of = drawn(6)
    whole = search(vectors, of)(vectors, of, 20)
    monkeypatch.setattr(rerank, "BLOCK", 7)
    monkeypatch.setattr(rerank, "PAIRS", 5)
    ask = search(vectors, of)
    singly = [ask(vectors[one][None], of[one][None], 20) for one in range(60)]
    assert (np.concatenate([one.rows for one in singly]) == whole.rows).all()
    np.testing.assert_allclose(np.concatenate([one.scores for one in singly]), whole.scores, atol=3e-6)


@pytest.mark.parametrize("search", [*SEARCHES, k_reciprocal(k2=1)])
@pytest.mark.parametrize("count", [1, 2, 5, 40])
def test_a_gallery_may_be_tiny_or_all_alike(search, count):
    gallery = np.tile(around(30), (count, 1))
    found = search(gallery, np.arange(count))(gallery, np.arange(count), count)
    assert (found.rows[:, -1] == -1).all()  # the query itself
    assert [sorted({*range(count)} - {*rows}) for rows in found.rows[:, :-1]] == [[one] for one in range(count)]
    assert (search(gallery, np.arange(count))(around(0), np.array([-1]), 3).rows[0, :1] >= 0).all()


def test_no_full_matrix_is_held():
    vectors, _ = drawn(7, count=4000, products=800, dimensions=16)
    everyone = np.arange(4000)
    tracemalloc.start()
    ask = k_reciprocal()(vectors, everyone)
    ask(vectors[:500], everyone[:500], 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4000 * 4000 * 4 / 2


@pytest.mark.parametrize(
    ("maker", "said", "words"),
    [
        (expansion, {"neighbours": 0}, "neighbours=0.*one neighbour or more"),
        (expansion, {"power": -1.0}, "power=-1.0.*a power of 0"),
        (expansion, {"power": float("nan")}, "power=nan"),
        (k_reciprocal, {"k1": 5}, "k1=5, k2=6.*k2 from 1 to k1"),
        (k_reciprocal, {"share": 1.5}, "share=1.5.*share from 0 to 1"),
        (k_reciprocal, {"depth": 0}, "depth=0.*depth of 1"),
    ],
)
def test_options_that_make_no_sense_are_refused_with_the_mend(maker, said, words):
    with pytest.raises(ConfigError, match=words):
        maker(**said)


@pytest.mark.slow
def test_the_benchmark_tells_cost_and_gain_of_each_search():
    script = Path(__file__).parents[2] / "scripts" / "benchmark_rerank"
    words = [sys.executable, script, "--vectors", "2000", "--dimensions", "32"]
    table = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120).stdout
    found = re.findall(r"^\| ([\w ,]+) \| [\d.]+ \| [\d.]+ \| [\d,]+ MiB \| [\d.]{6} \| ([\d.]{6}) \|$", table, re.M)
    gained = {name: float(value) for name, value in found}
    assert gained["k_reciprocal"] > gained["expansion"] > gained["exact"] > gained["clusters, 1 probed"]
    assert "clusters, 10 probed" in gained
