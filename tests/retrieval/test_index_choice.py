"""The choice of a search index: what it promises is measured once more, with other questions."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lookalike.retrieval import index_choice
from lookalike.retrieval.index import KINDS, build, search, write
from lookalike.retrieval.index_choice import choose, measure, megabytes_of
from lookalike.retrieval.scan import Vectors, exact
from lookalike.settings import ConfigError

ROWS = 1600
SCRIPT = Path(__file__).parents[2] / "scripts" / "benchmark_index"


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


@pytest.fixture(scope="module")
def vectors():
    """Products of 4 views, whose shape differs in 8 directions of 24; the colors of each are its own."""
    random = np.random.default_rng(0)
    product, turn = np.arange(ROWS) // 4, np.linalg.qr(random.normal(size=(24, 8)))[0]
    shape = (random.normal(size=(ROWS // 4, 8))[product] + 0.7 * random.normal(size=(ROWS, 8))) @ turn.T
    color = random.dirichlet(np.full(10, 0.3), ROWS // 4)[product] + 0.05 * random.random((ROWS, 10))
    return Vectors(shape=unit(shape), color=unit(np.sqrt(color)), ids=np.arange(ROWS) * 2)


def quietly(_):
    pass


def test_a_small_catalog_needs_no_index_and_the_facts_say_so(vectors):
    ann, facts = choose(vectors, seed=0, tell=quietly)
    assert ann is None
    assert (facts["kind"], facts["why"]) == ("exact", "all of up to 3,529,000 such pictures are compared")
    assert (facts["rows"], facts["dimensions"], facts["dropped"]) == (ROWS, [24, 10], [])
    assert facts["exact_milliseconds"] > 0
    assert choose(vectors, kind="exact", exact_numbers=340, seed=0, tell=quietly)[1]["why"] == "asked for"


def test_an_empty_catalog_needs_no_index():
    nobody = Vectors(shape=np.zeros((0, 4), np.float16), color=np.zeros((0, 3), np.float16), ids=np.zeros(0, np.int64))
    assert choose(nobody, seed=0, tell=quietly)[0] is None


@pytest.fixture(scope="module", params=KINDS)
def chosen(request, vectors):
    return choose(vectors, kind=request.param, recall=0.95, exact_left=0, seed=0, tell=quietly)


@pytest.mark.parametrize("weight", [0, 0.35, 1])
@pytest.mark.parametrize("share", [1, 0.1, 0.01])
def test_what_is_promised_holds_for_other_questions_weights_and_filters(vectors, chosen, weight, share):
    random = np.random.default_rng(9)
    rows = random.choice(ROWS, 300, replace=False)
    asked = [
        unit(of[rows] + random.normal(0, 0.07, of[rows].shape)).astype(np.float32)
        for of in (vectors.shape, vectors.color)
    ]
    allowed = random.random(ROWS) < share if share < 1 else None
    truth = exact(vectors, *asked, weight, 10, allowed)
    found = search(vectors, chosen[0], *asked, weight, 10, allowed, exact_left=0)
    assert (found.scores >= truth.scores.min(1, keepdims=True)).mean() >= 0.93  # 3,000 answers: 0.95 less chance


def test_the_facts_are_plain_and_name_every_weight_and_filter(vectors, chosen):
    ann, facts = chosen
    assert json.loads(json.dumps(facts)) == facts
    lines = facts["measured"]
    assert {(line["weight"], line["filter"], line["rows"]) for line in lines} == {
        (weight, name, rows)
        for weight in (0.0, 0.2, 0.5, 0.8, 1.0)
        for name, rows in (("none", 1600), ("any 1 %", 16), ("any 10 %", 160), ("alike 10 %", 160), ("alike 50 %", 800))
    }
    assert all(line["recall@10"] >= 0.95 and line["recall@100"] >= 0.95 and line["milliseconds"] > 0 for line in lines)
    assert all(line["recall@10 ci95"][0] <= line["recall@10"] <= line["recall@10 ci95"][1] for line in lines)
    assert facts["parameters"] == ann.parameters
    assert (facts["kind"], facts["wanted"], facts["dropped"]) == (ann.kind, 0.95, [])
    assert ann.measured["measured"] == lines


def test_it_looks_no_further_than_it_must(vectors):
    ann, _ = choose(vectors, kind="ivf", recall=0.6, exact_left=0, seed=0, tell=quietly)
    enough = ann.effort

    def least(effort):
        return min(line["recall@10"] for line in measure(vectors, ann.looking(effort), seed=0, exact_left=0))

    assert 8 < enough < ann.index.nlist  # neither the first try nor the last
    assert least(enough // 2) < 0.6 <= least(enough)


def test_at_each_weight_it_looks_no_further_than_that_one_needs(vectors):
    ann, facts = choose(vectors, kind="ivf", recall=0.95, exact_left=0, seed=0, tell=quietly)
    assert facts["efforts"] == [list(one) for one in ann.efforts]
    assert [weight for weight, *_ in ann.efforts] == [0.0, 0.2, 0.5, 0.8, 1.0]
    assert ann.effort == max(max(far) for _, *far in ann.efforts) == facts["parameters"]["nprobe"]
    assert len({far for _, *both in ann.efforts for far in both}) > 1
    for weight, free, filtered in ann.efforts:
        assert least(vectors, ann.looking(free), weight, filtered=False) >= 0.95
        assert least(vectors, ann.looking(filtered), weight, filtered=True) >= 0.95
        assert free == 8 or least(vectors, ann.looking(free // 2), weight, filtered=False) < 0.95
        assert filtered == free or least(vectors, ann.looking(filtered // 2), weight, filtered=True) < 0.95


def least(vectors, ann, weight, *, filtered):
    """The least recall at a weight, without a filter or with each."""
    lines = [line for line in measure(vectors, ann, seed=0, exact_left=0) if line["weight"] == weight]
    return min(line["recall@10"] for line in lines if (line["filter"] != "none") == filtered)


def test_of_two_that_reach_it_the_quicker_is_kept_and_the_other_told(vectors):
    ann, facts = choose(vectors, recall=0.9, exact_numbers=34 * ROWS - 1, seed=0, tell=quietly)
    assert facts["kind"] == ann.kind
    (other,) = facts["dropped"]
    assert {ann.kind, other["kind"]} == set(KINDS)
    assert other["why"] == "slower"
    mine, theirs = (
        np.mean([line["milliseconds"] for line in told["measured"] if line["filter"] == "none"])
        for told in (facts, other)
    )
    assert mine <= theirs


def test_where_none_reaches_it_all_are_compared_and_the_facts_say_why(vectors):
    ann, facts = choose(vectors, exact_numbers=340, recall=1.01, seed=0, tell=quietly)  # more than all
    assert (ann, facts["kind"]) == (None, "exact")
    assert facts["why"] == "no index finds 101.00% of the exact nearest within its bounds"
    assert [(told["kind"], told["why"].split(",")[0]) for told in facts["dropped"]] == [
        (kind, "finds less than 101.00% of the exact nearest") for kind in KINDS
    ]


def test_an_index_too_large_or_too_slow_to_build_is_not_built(vectors, monkeypatch):
    monkeypatch.setattr(index_choice, "TRIAL", 500)
    _, facts = choose(vectors, exact_numbers=340, megabytes=0.01, seed=0, tell=quietly)
    assert [told["why"] for told in facts["dropped"]] == [f"needs {n} MB where 0 are allowed" for n in (0, 1)]
    ann, facts = choose(vectors, exact_numbers=340, recall=0.5, minutes=0, seed=0, tell=quietly)
    assert (ann.kind, [told["kind"] for told in facts["dropped"]]) == ("ivf", ["hnsw"])
    assert facts["dropped"][0]["why"].endswith("minutes to build where 0 are allowed")


def test_an_unknown_kind_is_told_with_those_there_are(vectors):
    with pytest.raises(ConfigError, match="kind='tree' cannot be built; give auto, exact, ivf or hnsw"):
        choose(vectors, kind="tree", seed=0, tell=quietly)


@pytest.mark.parametrize("kind", KINDS)
def test_the_memory_that_is_told_is_the_size_of_the_file(vectors, kind, tmp_path):
    write(build(vectors, kind, seed=0, tell=quietly), tmp_path / "search.faiss")
    assert megabytes_of(kind, ROWS, 48) == pytest.approx((tmp_path / "search.faiss").stat().st_size / 1e6, rel=0.05)


def test_of_equal_pictures_any_is_as_good_as_another():
    one = np.random.default_rng(0).normal(size=(40, 6))
    many = np.arange(2000) % 40  # fifty of each, and ten are asked for
    alike = Vectors(shape=unit(one)[many], color=unit(abs(one))[many], ids=np.arange(2000))
    lines = measure(alike, build(alike, "ivf", seed=0, tell=quietly).looking(32), seed=0, exact_left=0)
    assert all(line["recall@10"] == 1 for line in lines)


@pytest.mark.slow
def test_the_benchmark_prints_a_line_for_each_kind_and_filter():
    words = [sys.executable, SCRIPT, "--rows", "2000", "--dimensions", "16", "--colors", "12", "--recall", "0.9"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120)
    for kind in ("exact", *KINDS):
        lines = [line for line in done.stdout.splitlines() if line.startswith(kind)]
        assert len(lines) == len(index_choice.FILTERS), done.stdout
