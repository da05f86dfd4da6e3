"""The brand of a photograph: who votes, what the votes are worth, and whether the probabilities keep their word."""

import re
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from lookalike import files
from lookalike.release import bundle, shelf
from lookalike.retrieval.search import NOBODY
from lookalike.serving import naming
from lookalike.serving.naming import (
    ENOUGH,
    EVEN,
    LEAST,
    Calibration,
    K,
    Named,
    asked,
    calibrate,
    drawn,
    logit,
    named,
    namer,
    probabilities,
    tallied,
)

SCRIPT = Path(__file__).parents[2] / "scripts" / "measure_brand_naming"


def around(*degrees):
    turns = np.radians(degrees)
    return np.stack([np.cos(turns), np.sin(turns)], axis=1).astype(np.float16)


def at(degrees):
    return around(degrees)[0].astype(np.float32)


def drawn_catalog(seed, *, products=600, views=3, brands=12, width=24, likeness=1.0, alone=0):
    """Products about their brand's direction, views about their product's; the last `alone` have a brand of their own."""
    random = np.random.default_rng(seed)
    brand = random.integers(brands, size=products)
    centres = likeness * random.normal(size=(brands, width))
    each = centres[brand] + random.normal(size=(products, width))
    each[products - alone :] = 1.4 * random.normal(size=(alone, width))
    owner = np.repeat(np.arange(products), views)
    shape = each[owner] + 0.4 * random.normal(size=(len(owner), width))
    shape = (shape / np.linalg.norm(shape, axis=1, keepdims=True)).astype(np.float16)
    names = [f"brand {one:02}" for one in brand]
    names[products - alone :] = [f"alone {one}" for one in range(alone)]
    return shape, owner, names


def learnt(shape, owner, names, **said):
    """names: each product's brand, "" where it tells none."""
    values = sorted({*names} - {""})
    codes = np.array([values.index(name) if name else -1 for name in names], int)
    return namer(shape, owner, codes, values, **said)


# Voting


def test_votes_by_hand():
    """A has 0.9 and 0.5, B 0.8, C nothing as it points away; nobody does not vote."""
    codes, scores = np.array([[0, 1, 0, 2, -1]]), np.array([[0.9, 0.8, 0.5, -0.1, np.nan]])
    np.testing.assert_allclose(tallied(codes, scores), [[1.4, 0.8, 0, 0, 0]])


def test_probabilities_by_hand():
    """Votes 1.4 and 0.8 and one for the rest; LEAST of all photographs are of unknown brands."""
    codes, scores = np.array([[0, 1, 0]]), np.array([[0.9, 0.8, 0.5]])
    chances, unknown = probabilities(Calibration(), codes, scores)
    assert unknown.tolist() == [pytest.approx(LEAST)]
    np.testing.assert_allclose(chances, [[0.9 * 1.4 / 3.2, 0.9 * 0.8 / 3.2, 0]])
    sharp = Calibration(trust=2.0, others=np.log(0.5), offset=5, slope=-10)
    chances, unknown = probabilities(sharp, codes, scores)
    assert unknown[0] == pytest.approx(1 / (1 + np.exp(4)))
    np.testing.assert_allclose(chances[0, :2], (1 - unknown[0]) * np.array([1.96, 0.64]) / (1.96 + 0.64 + 0.5))


def test_a_photograph_is_named_by_its_neighbours():
    few = learnt(around(0, 10, 20, 90, 100, 170), np.arange(6), ["A", "A", "A", "B", "B", ""])
    found = named(few, at(12))
    assert (found.brand, [name for name, _ in found.brands]) == ("A", ["A", "B"])
    assert found.nearest == pytest.approx(np.cos(np.radians(2)), abs=1e-3)
    assert sum(chance for _, chance in found.brands) + found.unknown < 1
    assert named(few, at(95)).brand == "B"


def test_pictures_that_tell_no_brand_do_not_vote():
    few = learnt(around(0, 1, 2, 80), np.arange(4), ["", "", "", "A"])
    found = named(few, at(0))
    assert found.brand == "A"
    assert found.nearest == pytest.approx(np.cos(np.radians(80)), abs=1e-3)


def test_where_nobody_votes_nothing_is_named():
    found = named(learnt(around(0, 10), np.arange(2), ["A", "B"]), at(180))
    assert (found.brands, found.brand) == ([], None)
    assert found.nearest == pytest.approx(np.cos(np.radians(170)), abs=1e-3)


def test_a_product_does_not_name_itself():
    """0 and 1 are views of one product of A; of the others the nearest is of B, 20 degrees off."""
    few = learnt(around(0, 2, 20, 40, 60), np.array([0, 0, 1, 2, 3]), ["A", "B", "A", ""])
    assert (named(few, at(0)).brand, named(few, at(0)).nearest) == ("A", pytest.approx(1, abs=1e-3))
    found = named(few, at(0), without=[0])
    assert (found.brand, [name for name, _ in found.brands]) == ("B", ["B", "A"])
    assert found.nearest == pytest.approx(np.cos(np.radians(20)), abs=1e-3)
    assert named(few, at(0), without=[]) == named(few, at(0))


def test_where_no_other_product_tells_a_brand_it_is_unknown():
    found = named(learnt(around(0, 2, 20), np.array([0, 0, 1]), ["A", ""]), at(0), without=np.array([0]))
    assert found == Named(brands=[], unknown=1.0, brand=None, nearest=None)


@pytest.mark.parametrize("brands", [["", ""], []])
def test_a_catalog_that_tells_no_brand_has_no_namer(brands):
    assert learnt(around(*range(len(brands))).reshape(-1, 2), np.arange(len(brands)), brands) is None


@pytest.mark.parametrize("seed", range(3))
def test_who_is_named_is_whom_scikit_learn_names(seed):
    shape, owner, names = drawn_catalog(seed, products=200)
    of = learnt(shape, owner, names)
    asking, _, _ = drawn_catalog(seed + 10, products=20, views=1)
    theirs = KNeighborsClassifier(K, metric="cosine", weights=lambda away: np.maximum(1 - away, 0), algorithm="brute")
    wanted = theirs.fit(shape.astype(float), np.array(names)[owner]).predict(asking.astype(float))
    found = [named(of, one.astype(np.float32)).brands[0][0] for one in asking]
    assert found == wanted.tolist()


@settings(deadline=None, max_examples=60)
@given(
    codes=st.lists(st.integers(-1, 3), min_size=K, max_size=K),
    scores=st.lists(st.floats(-1, 1), min_size=K, max_size=K),
    trust=st.floats(0, 30),
    others=st.floats(-20, 20),
    offset=st.floats(-500, 500),
    slope=st.floats(-500, 0),
)
def test_probabilities_are_probabilities(codes, scores, trust, others, offset, slope):
    by = Calibration(trust=trust, others=others, offset=offset, slope=slope)
    chances, unknown = probabilities(by, np.array([codes]), np.sort([scores])[:, ::-1])
    assert (chances >= 0).all()
    assert 0 <= unknown[0] <= 1
    assert chances.sum() + unknown[0] <= 1 + 1e-9


# Asking as if one's product were not there


def test_whoever_asks_does_not_see_its_product_or_its_brand():
    """0 and 1 are views of one product of A, 2 is of A too, 3 and 4 of B; 5 tells nothing."""
    owner, code = np.array([0, 0, 1, 2, 3, 4]), np.array([0, 0, 0, 1, 1, -1])
    told = asked(around(0, 1, 5, 20, 45, 2), owner, code, np.array([0, 3]))
    assert told.true.tolist() == [0, 1]
    assert told.shared.tolist() == [True, True]
    assert told.codes.tolist() == [[0, 1, 1, -1, -1], [0, 0, 0, 1, -1]]
    np.testing.assert_allclose(told.scores[0, :3], np.cos(np.radians([5, 20, 45])), atol=2e-3)
    assert told.strange_codes.tolist() == [[1, 1, -1, -1, -1], [0, 0, 0, -1, -1]]
    np.testing.assert_allclose(told.strange_scores[1, :3], np.cos(np.radians([15, 19, 20])), atol=2e-3)
    assert np.isnan(told.strange_scores[1, 3:]).all()


def test_a_brand_of_one_product_is_not_shared_however_many_views_it_has():
    told = asked(around(0, 1, 40, 41), np.array([0, 0, 1, 2]), np.array([0, 0, 1, 1]), np.array([0, 2]))
    assert told.shared.tolist() == [False, True]


@pytest.mark.parametrize("block", [7, 64, 4096])
def test_neighbours_are_those_of_comparing_all(monkeypatch, block):
    monkeypatch.setattr(naming, "BLOCK", block)
    shape, owner, _ = drawn_catalog(5, products=60)
    gallery, queries = np.flatnonzero(np.arange(180) % 5), np.arange(0, 180, 7)
    rows, scores = naming.others(shape, gallery, shape[queries].astype(np.float32), owner[None], owner[None, queries])
    whole = shape.astype(float) @ shape[queries].astype(float).T
    for query, found, cosines in zip(queries, rows[0], scores[0], strict=True):
        able = [row for row in gallery if owner[row] != owner[query]]
        place = queries.tolist().index(query)
        wanted = sorted(able, key=lambda row: -whole[row, place])[:K]
        assert found.tolist() == wanted
        np.testing.assert_allclose(cosines, whole[wanted, place], atol=1e-6)


def test_equal_neighbours_stand_in_their_order_and_too_few_leave_places_empty():
    same = np.zeros((1, 9), int)
    rows, _ = naming.others(around(*[0] * 9), np.arange(9), around(0).astype(np.float32), same, np.array([[1]]))
    assert rows.tolist() == [[[0, 1, 2, 3, 4]]]
    rows, scores = naming.others(around(0, 0), np.arange(2), around(0).astype(np.float32), same[:, :2], np.array([[0]]))
    assert rows.tolist() == [[[NOBODY] * K]]
    assert np.isnan(scores).all()


def test_each_product_asks_with_one_of_its_pictures():
    owner, told = np.repeat(np.arange(50), 4), np.arange(200) >= 8
    rows = drawn(owner, told, 1000, 0)
    assert owner[rows].tolist() == list(range(2, 50))
    assert len(set((rows % 4).tolist())) == 4
    assert drawn(owner, told, 1000, 0).tolist() == rows.tolist()
    assert drawn(owner, told, 1000, 1).tolist() != rows.tolist()
    assert len(set(owner[drawn(owner, told, 10, 0)].tolist())) == 10


# Learning what votes are worth


def test_the_fit_is_the_logistic_regression_of_scikit_learn():
    random = np.random.default_rng(0)
    one = random.normal(size=300)
    chosen = (random.random(300) < 1 / (1 + np.exp(1 - 2 * one))).astype(int)
    weights = random.uniform(0.5, 2, 300)
    columns = np.column_stack([np.ones(300), one])
    features = np.stack([np.zeros((300, 2)), columns], axis=1)
    ours = logit(features, np.ones((300, 2), bool), chosen, weights, np.zeros(2))
    theirs = LogisticRegression(C=1 / naming.SOFT, fit_intercept=False, tol=1e-10).fit(columns, chosen, weights)
    np.testing.assert_allclose(ours, theirs.coef_[0], atol=1e-4)


def test_the_fit_of_several_choices_is_the_most_likely_one():
    random = np.random.default_rng(1)
    features, there = random.normal(size=(200, 4, 2)), random.random((200, 4)) < 0.8
    there[:, 0] = True
    drawn_by = np.where(there, features @ [1.5, -1] + random.gumbel(size=(200, 4)), -np.inf)
    chosen, weights, start = drawn_by.argmax(1), np.ones(200), np.array([1.0, 0.0])

    def cost(tried):
        mass = np.where(there, features @ tried, -np.inf)
        likely = mass[np.arange(200), chosen] - np.log(np.exp(mass).sum(1))
        return -(weights @ likely) + naming.SOFT * ((tried - start) ** 2).sum() / 2

    ours = logit(features, there, chosen, weights, start)
    best = optimize.minimize(cost, start, tol=1e-10)
    np.testing.assert_allclose(ours, best.x, atol=1e-4)
    assert ours == pytest.approx([1.5, -1], abs=0.4)


def test_choices_without_exception_still_end_in_numbers():
    features = np.zeros((400, 2, 2))
    features[:, 1] = np.column_stack([np.ones(400), np.linspace(-2, 2, 400)])
    found = logit(features, np.ones((400, 2), bool), (np.arange(400) >= 200).astype(int), np.ones(400), np.zeros(2))
    assert np.isfinite(found).all()
    assert 3 < found[1] < 100


@pytest.mark.parametrize(("likeness", "alone"), [(0.6, 0), (1.0, 60), (0.3, 0)])
def test_probabilities_keep_their_word_on_photographs_that_taught_nothing(likeness, alone):
    """Of the first names, those said at p are right in about p of the cases, where as many are unknown as is taken for true."""
    shape, owner, names = drawn_catalog(0, products=2000, views=1, likeness=likeness, alone=alone)
    taught, judged = owner < 1000, owner >= 1000
    code = np.unique(names, return_inverse=True)[1]
    told = [asked(shape, owner, code[owner], np.flatnonzero(which)) for which in (taught, judged)]
    by = calibrate(told[0])
    chances, unknown = probabilities(by, told[1].codes, told[1].scores)
    strange, _ = probabilities(by, told[1].strange_codes, told[1].strange_scores)
    known, share = told[1].shared, naming.unseen(told[0].shared)
    first = chances.argmax(1)
    right = told[1].codes[np.arange(1000), first] == told[1].true
    sure = np.concatenate([chances.max(1)[known], strange.max(1)])
    hit = np.concatenate([right[known], np.zeros(1000)])
    weights = np.concatenate([np.full(known.sum(), (1 - share) / known.sum()), np.full(1000, share / 1000)])
    bins = np.minimum((sure * 10).astype(int), 9)
    gaps = [weights[bins == one] @ (sure - hit)[bins == one] for one in range(10)]
    assert np.abs(gaps).sum() < 0.06
    assert weights @ sure == pytest.approx(weights @ hit, abs=0.03)
    assert unknown[known].mean() < unknown[~known].mean() if alone else True


def test_unknown_brands_are_as_frequent_as_those_of_one_product_and_never_unheard_of():
    assert naming.unseen(np.array([True, True, False, False, False])) == pytest.approx(0.6)
    assert naming.unseen(np.ones(50, bool)) == LEAST


def test_a_photograph_far_from_all_is_of_an_unknown_brand():
    shape, owner, names = drawn_catalog(2)
    of = learnt(shape, owner, names)
    assert of.calibrated
    near = named(of, shape[0].astype(np.float32))
    assert near.brand == names[0]
    assert near.unknown < 0.2
    far = -shape.astype(np.float32).mean(0)
    far = named(of, far / np.linalg.norm(far))
    assert far.brand is None
    assert far.unknown > 0.9
    assert far.nearest < near.nearest


def test_further_away_is_never_better_known():
    """Copies of a product under other brands: being near tells nothing."""
    shape, owner, _ = drawn_catalog(3, products=300, views=1)
    names = [f"brand {one % 2}" for one in range(300)]
    by = learnt(np.concatenate([shape, shape]), np.concatenate([owner, owner + 300]), [*names, *names[1:], names[0]])
    assert by.calibration.slope <= 0


def test_too_few_teach_nothing_and_say_so():
    shape, owner, names = drawn_catalog(4, products=ENOUGH - 1, brands=2)
    few = learnt(shape, owner, names)
    assert (few.calibrated, few.calibration) == (False, Calibration())
    assert named(few, shape[0].astype(np.float32)).unknown == pytest.approx(LEAST)
    only = learnt(*drawn_catalog(4, brands=1))  # nobody is of another brand
    assert not only.calibrated
    assert named(only, shape[0].astype(np.float32)).brand == "brand 00"
    apart = learnt(shape, owner, [f"brand {one}" for one in range(len(names))])
    assert not apart.calibrated


def test_what_is_learnt_is_the_same_each_time():
    catalog = drawn_catalog(6, products=1500, views=1)
    assert learnt(*catalog).calibration == learnt(*catalog).calibration
    assert learnt(*catalog).calibration != learnt(*catalog, seed=1).calibration
    assert learnt(*catalog).calibration.askers == naming.ASKERS


def test_vectors_stay_on_the_disk(tmp_path):
    shape, owner, names = drawn_catalog(7)
    np.save(tmp_path / "shape.npy", shape)
    mapped = learnt(np.load(tmp_path / "shape.npy", mmap_mode="r"), owner, names)
    assert isinstance(mapped.vectors.shape, np.memmap)
    assert named(mapped, shape[5].astype(np.float32)) == named(learnt(shape, owner, names), shape[5].astype(np.float32))


def test_a_hundred_thousand_pictures_are_learnt_from_and_asked_in_little_time():
    shape, owner, names = drawn_catalog(8, products=50_000, views=2, brands=400, width=64)
    began = time.process_time()
    of = learnt(shape, owner, names)
    opening = time.process_time() - began
    began = time.process_time()
    found = named(of, shape[1].astype(np.float32))
    assert time.process_time() - began < 0.5
    assert opening < 10
    assert found.unknown < EVEN


def test_a_brand_of_many_signs_takes_its_place_once():
    """As many places of so many signs as there are products would take 400 MB."""
    count = 20_000
    shape, codes = around(*np.linspace(0, 90, count)), np.arange(count) % 2
    tracemalloc.start()
    of = namer(shape, np.arange(count), codes, ["B", "x" * 5000])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert of.brands[1] == "x" * 5000
    assert peak < 150e6


# The script that measures it


@pytest.fixture
def released(tmp_path, fill):
    """A release on the disk with such a catalog."""

    def made(shape, owner, names):
        with bundle.draft(tmp_path / "releases", "drawn") as draft:
            fill(draft, catalog=False)
            products = [f"p{row:04}" for row in owner]
            table = shelf.ordered(
                pl.DataFrame({"image": [f"{place}#0" for place in range(len(owner))], "product": products})
            ).with_columns(view=pl.lit(""), sha256=pl.lit("0" * 64))
            place = np.array([int(image.split("#")[0]) for image in table["image"]])
            known = pl.DataFrame({"product": [f"p{row:04}" for row in range(len(names))], "brand": names})
            color = np.ones((len(owner), 1), np.float16)
            shelf.write(draft, table, known, shape[place], color, None, {"kind": "exact"}, [b""] * len(owner))
            pl.DataFrame({"image": ["a#0"]}).write_parquet(draft / "per_query.parquet")
            files.write_json(draft / "metrics.json", {})
            facts = {"run": "drawn/20261120-101500", "commit": "abc", "dataset": "drawn@1", "serves": "float32"}
            bundle.publish(draft, tmp_path / "releases", "drawn", {**facts, "match": "product", "indexed": "drawn@1"})
        return tmp_path / "releases"

    return made


def measured(releases):
    words = [sys.executable, SCRIPT, "drawn", "--releases", releases]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.slow
def test_the_script_measures_what_is_true_of_a_release(released):
    shape, owner, names = drawn_catalog(9, products=300, views=2, brands=6, likeness=1.5, alone=20)
    done = measured(released(shape, owner, names))
    assert done.returncode == 0, done.stderr
    assert "drawn: 300 products, 26 brands; 600 pictures ask" in done.stdout
    accuracy, low, high = map(
        float, re.search(r"accuracy +([\d.]+) \[([\d.]+), ([\d.]+)\] on 560", done.stdout).groups()
    )
    code = np.unique(names, return_inverse=True)[1][owner]
    told = asked(shape, owner, code, np.arange(600))
    votes = tallied(told.codes, told.scores)
    called = told.codes[np.arange(600), votes.argmax(1)]
    assert accuracy == pytest.approx((called == told.true)[told.shared].mean(), abs=5e-4)
    assert low < accuracy < high
    share = np.bincount(code).max() / 560
    assert float(re.search(r"majority +([\d.]+)", done.stdout)[1]) == pytest.approx(share, abs=5e-4)
    known, strange = told.scores[told.shared, 0], told.strange_scores[:, 0]
    wanted = (strange[:, None] < known).mean()
    assert float(re.search(r"AUC ([\d.]+)", done.stdout)[1]) == pytest.approx(wanted, abs=0.02)  # two halves, two fits
    assert "of 40 pictures of brands that one product bears" in done.stdout
    assert float(re.search(r"calibration error ([\d.]+)", done.stdout)[1]) < 0.1


@pytest.mark.slow
def test_the_script_says_what_a_catalog_lacks(released):
    done = measured(released(*drawn_catalog(9, products=10, views=1, brands=2)))
    assert done.returncode == 1
    assert "10 pictures of drawn have a brand that another product bears; 40 are needed" in done.stderr
