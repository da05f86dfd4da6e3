"""Vectors and a table to figures: against brute force, and by hand where protocols differ."""

import json
import tracemalloc

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.retrieval import ranking
from lookalike.retrieval.clusters import clusters
from lookalike.retrieval.evaluation import evaluate, map_at_r
from lookalike.retrieval.protocol import protocol_for
from lookalike.retrieval.rerank import expansion, k_reciprocal
from lookalike.retrieval.search import Neighbours, exact
from lookalike.retrieval.significance import interval
from lookalike.settings import DataError


def table(products, **columns):
    count = len(products)
    base = {
        "image": [f"{number:04d}" for number in range(count)],
        "product": list(products),
        **{name: [""] * count for name in ("style", "view", "category", "brand", "color")},
        "role": ["both"] * count,
    }
    return pl.DataFrame({**base, **columns})


def around(*degrees):
    angle = np.radians(np.array(degrees, float))
    return np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)


def random_case(seed, count=60, products=20, dimensions=6):
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(count, dimensions)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors, table([f"p{one}" for one in random.integers(products, size=count)])


def brute_force(vectors, products, count=None):
    """First-twin ranks by full sort: what every cleverness must equal."""
    ranks = {}
    for query in range(len(vectors)):
        others = [row for row in range(len(vectors)) if row != query]
        twins = [row for row in others if products[row] == products[query]]
        if not twins:
            continue
        scores = np.round(vectors[others] @ vectors[query], 6)
        ordered = [
            others[place] for place in sorted(range(len(others)), key=lambda place: (-scores[place], others[place]))
        ]
        ranks[query] = min(ordered.index(twin) for twin in twins) + 1
    return ranks


@pytest.mark.parametrize("seed", range(5))
def test_ranks_equal_brute_force(seed):
    vectors, rows = random_case(seed)
    found = evaluate(vectors, rows, protocol_for("product"))
    wanted = brute_force(vectors, rows["product"].to_list())
    assert dict(zip(found.table["image"].cast(int), found.table["rank"], strict=True)) == wanted
    assert found.figures["recall@1"].value == pytest.approx(np.mean([rank == 1 for rank in wanted.values()]))


def test_a_first_twin_beyond_the_nearest_kept_still_has_its_exact_rank():
    vectors = around(0, 180, *np.linspace(1, 90, 40))  # the twin lies opposite, behind forty strangers
    found = evaluate(vectors, table(["a", "a", *[f"s{one}" for one in range(40)]]), protocol_for("product"))
    assert found.table.filter(pl.col("image") == "0000")["rank"].item() == 41
    assert found.figures["recall@20"].value == 0


def test_a_query_without_a_twin_is_counted_and_not_scored():
    found = evaluate(around(0, 1, 50), table(["a", "a", "b"]), protocol_for("product"))
    assert (found.queries, found.no_twin, found.gallery) == (2, 1, 3)
    assert found.figures["recall@1"].value == 1


def test_nobody_with_a_twin_is_an_error_that_says_what_is_needed():
    with pytest.raises(DataError, match="no query has a twin by product .*two pictures"):
        evaluate(around(0, 1), table(["a", "b"]), protocol_for("product"))


def test_an_exact_copy_of_the_query_under_another_product_is_not_taken_for_the_query():
    """Leaving the query out by position would drop whichever copy sorts first; by id it is always the query itself."""
    vectors = around(0, 0, 20)  # the stranger "0000" is the same picture as the query "0001"
    found = evaluate(vectors, table(["s", "a", "a"]), protocol_for("product"))
    assert found.table.filter(pl.col("image") == "0001")["rank"].item() == 2


def test_ties_are_broken_by_id():
    vectors = around(0, 10, 10, 10)
    found = evaluate(vectors, table(["a", "s", "a", "t"], image=["q", "x", "y", "z"]), protocol_for("product"))
    assert found.table.filter(pl.col("image") == "q")["rank"].item() == 2  # x, then y
    swapped = evaluate(vectors, table(["a", "s", "a", "t"], image=["q", "y", "x", "z"]), protocol_for("product"))
    assert swapped.table.filter(pl.col("image") == "q")["rank"].item() == 1


def test_by_style_the_other_views_of_the_query_product_are_left_out():
    rows = table(["a1", "a1", "a2", "b"], style=["a", "a", "a", "b"])
    found = evaluate(around(0, 1, 40, 20), rows, protocol_for("style"))
    first = found.table.filter(pl.col("image") == "0000")
    assert (
        first["rank"].item() == 2
    )  # its own other view is nearest but does not count; then b, then the other colorway
    assert first["nearest"].item().to_list() == ["0003", "0002"]


def test_an_empty_style_is_nobodys_twin():
    rows = table(["a", "b", "c", "d"], style=["", "", "x", "x"])
    assert evaluate(around(0, 1, 2, 3), rows, protocol_for("style")).queries == 2


def test_views_ask_views():
    rows = table(["a", "a", "b", "b"], view=["pair", "outside", "pair", "outside"])
    found = evaluate(around(0, 5, 10, 90), rows, protocol_for("product", query_view="pair", gallery_view="outside"))
    assert found.gallery == 2
    assert found.table.select("image", "rank").rows() == [("0000", 1), ("0002", 2)]


def test_roles_say_who_asks_and_who_answers():
    rows = table(["a", "a", "b"], role=["query", "gallery", "gallery"])
    found = evaluate(around(0, 50, 1), rows, protocol_for("product"))
    assert (found.queries, found.gallery, found.table["rank"].item()) == (1, 2, 2)


def test_a_match_or_view_that_is_not_there_names_those_that_are():
    with pytest.raises(DataError, match="match=colour: .*color"):
        evaluate(around(0, 1), table(["a", "a"]), protocol_for("colour"))
    with pytest.raises(DataError, match="match=brand: every picture's brand is empty"):
        evaluate(around(0, 1), table(["a", "a"]), protocol_for("brand"))
    with pytest.raises(DataError, match="view 'top'; there are: pair"):
        evaluate(around(0, 1), table(["a", "a"], view=["pair", "pair"]), protocol_for("product", query_view="top"))


@settings(deadline=None, max_examples=20)
@given(st.permutations(range(30)))
def test_the_order_of_rows_does_not_matter(order):
    vectors, rows = random_case(9, count=30, products=8)
    plain = evaluate(vectors, rows, protocol_for("product"))
    shuffled = evaluate(vectors[list(order)], rows[list(order)], protocol_for("product"))
    assert {name: one.value for name, one in plain.figures.items()} == pytest.approx(
        {name: one.value for name, one in shuffled.figures.items()}
    )


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.floats(0.9995, 1.0005))
def test_turning_all_vectors_or_stretching_them_a_little_does_not_matter(seed, scale):
    vectors, rows = random_case(9, count=30, products=8)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(6, 6)))[0]
    turned = (vectors @ turn * scale).astype(np.float32)
    plain, other = (evaluate(one, rows, protocol_for("product")).table["rank"] for one in (vectors, turned))
    assert plain.to_list() == other.to_list()


def four_products(**columns):
    """Products a to d, of two pictures each, each beside its twin."""
    rows = table([one for one in "abcd" for _ in range(2)], **columns)
    return around(0, 1, 90, 91, 180, 181, 270, 271), rows


def told(slices):
    return {label: (one["recall@1"].value, one["recall@1"].queries) for label, one in slices.items()}


def test_slices_count_their_queries():
    vectors, rows = four_products(category=["Boots"] * 4 + ["Bags"] * 4, brand=["x"] * 4 + ["y"] * 2 + [""] * 2)
    found = evaluate(vectors, rows, protocol_for("product"))
    assert told(found.slices["category"]) == {"Bags": (1.0, 4), "Boots": (1.0, 4)}
    assert told(found.slices["brand"]) == {"x": (1.0, 4)}  # y is one product alone: nothing to draw an interval from
    assert found.slices_left_out["brand"] == {"values": 1, "queries": 2, "untold": 2}
    assert "color" not in found.slices


def test_slices_by_price_and_by_an_attribute():
    vectors, rows = four_products(
        price=["20", "20", "40", "40", "60", "60", "", ""], currency=["USD"] * 8, heel=["high"] * 4 + ["flat"] * 4
    )
    found = evaluate(vectors, rows, protocol_for("product"), slices=("heel", "price"))
    assert list(found.slices) == ["heel"]  # each price is one product's
    assert told(found.slices["heel"]) == {"flat": (1.0, 4), "high": (1.0, 4)}
    assert found.slices_left_out["price"] == {"values": 3, "queries": 6, "untold": 2}
    with pytest.raises(DataError, match="slices=heal: .*heel"):
        evaluate(vectors, rows, protocol_for("product"), slices=("heal",))


def test_a_slice_has_the_figures_and_the_interval_of_its_queries_alone():
    vectors, rows = random_case(3)
    rows = rows.with_columns(category=pl.Series(["Boots", "Bags"] * 30))
    found = evaluate(vectors, rows, protocol_for("product"), seed=7)
    boots = found.table.filter(pl.col("category") == "Boots")
    figure = found.slices["category"]["Boots"]["map@r"]
    assert figure.value == pytest.approx(boots["map@r"].mean())
    wanted = interval(boots["map@r"].to_numpy(), boots["product"].to_numpy(), seed=7)
    assert (figure.low, figure.high) == wanted


def test_an_attribute_can_make_twins():
    rows = table("abcd", heel=["high", "flat", "high", "flat"])
    found = evaluate(around(0, 10, 20, 90), rows, protocol_for("heel"))
    assert found.table["rank"].to_list() == [2, 3, 2, 2]
    assert found.protocol.left_out == "product"


def test_the_table_tells_the_ranks_of_the_twins_and_how_many_there_are():
    found = evaluate(around(0, 1, 2, 3, 40), table(["a", "s", "a", "t", "a"]), protocol_for("product"))
    first = found.table.row(0, named=True)
    assert (first["twins"], first["hits"]) == (2, [2, 4])
    shallow = evaluate(around(0, 1, 2, 3, 40), table(["a", "s", "a", "t", "a"]), protocol_for("product"), depth=2)
    assert shallow.table["hits"].to_list()[0] == [2]
    assert shallow.figures == found.figures  # the depth is of the table alone


def test_an_evaluation_is_told_in_plain_values():
    vectors, rows = four_products(category=["Boots"] * 4 + ["Bags"] * 4)
    said = json.loads(json.dumps(evaluate(vectors, rows, protocol_for("product")).told(), allow_nan=False))
    assert said["test"]["recall@1"] == {"value": 1.0, "ci95": [pytest.approx(0.025 ** (1 / 4)), 1.0], "queries": 8}
    assert (said["test"]["queries"], said["test"]["no_twin"], said["test"]["gallery"]) == (8, 0, 8)
    assert said["slices"]["category"]["Boots"]["recall@1"]["queries"] == 4
    assert said["slices_left_out"]["category"] == {"values": 0, "queries": 0, "untold": 0}


@pytest.mark.parametrize("held", [100, 2_000_000])  # few queries at a time, and all at once
def test_ranks_far_beyond_the_nearest_kept_equal_brute_force(held, monkeypatch):
    monkeypatch.setattr(ranking, "HELD", held)
    vectors, rows = random_case(1, count=150, products=60)
    found = evaluate(vectors, rows, protocol_for("product"))
    assert (found.table["rank"] > 21).sum() > 50
    wanted = brute_force(vectors, rows["product"].to_list())
    assert dict(zip(found.table["image"].cast(int), found.table["rank"], strict=True)) == wanted


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (np.nan, "2 of 4 vectors cannot be compared: 2 are not finite, 0 are not of length one"),
        (np.inf, "2 of 4 vectors cannot be compared: 2 are not finite, 0 are not of length one"),
        (0.0, "0 are not finite, 2 are not of length one"),
        (1e30, "0 are not finite, 2 are not of length one"),
        (1.002, "0 are not finite, 2 are not of length one"),
    ],
)
@pytest.mark.parametrize("measure", [evaluate, map_at_r])
def test_vectors_that_cannot_be_compared_are_refused_not_scored(broken, said, measure):
    vectors = around(0, 1, 90, 91)
    vectors[1:3] *= np.float32(broken)
    with pytest.raises(DataError, match=f"{said}.*lower learning rate"):
        measure(vectors, table(["a", "a", "b", "b"]), protocol_for("product"))


def test_vectors_of_nearly_length_one_are_taken():
    vectors = around(0, 1, 90, 91) * np.float32(1.0005)
    assert map_at_r(vectors, table(["a", "a", "b", "b"]), protocol_for("product")) == 1


def test_ties_at_the_cut_are_settled_by_id_even_where_all_vectors_are_equal():
    """A collapsed network: which equal neighbours a search happens to keep must not decide a figure."""
    count = 200
    images = [f"{count - number:04d}" for number in range(count)]  # ids against the order of rows
    rows = table([f"p{number // 2}" for number in range(count)], image=images)
    found = evaluate(np.tile(around(0), (count, 1)), rows, protocol_for("product")).table
    for image, rank in zip(found["image"], found["rank"], strict=True):
        row = images.index(image)
        twin = images[row ^ 1]
        assert rank == sum(other < twin for other in images if other != image) + 1


def peak_of(vectors, rows):
    tracemalloc.start()
    assert evaluate(vectors, rows, protocol_for("category")).figures["recall@1"].value == 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_stays_flat_where_a_match_is_as_wide_as_a_category(monkeypatch):
    """Every picture is a twin of every other: held at once, the neighbours alone are a full matrix."""
    vectors = np.random.default_rng(0).normal(size=(1500, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = table([f"p{number}" for number in range(1500)], category=["Boots"] * 1500)
    monkeypatch.setattr(ranking, "HELD", 1500 * 100)
    in_blocks = peak_of(vectors, rows)
    monkeypatch.setattr(ranking, "HELD", 1500 * 1500)
    assert in_blocks < peak_of(vectors, rows) / 5


def as_exact(gallery, apart):
    """A search that happens to bring what the exact one brings, and is not known to."""
    return exact(gallery, apart)


def blind_beyond(reach):
    """A search that brings the so many nearest, however many are asked for."""

    def search(gallery, apart):
        ask = exact(gallery, apart)

        def shortly(queries, own, k):
            found = ask(queries, own, k)
            beyond = np.arange(found.rows.shape[1]) >= reach
            return Neighbours(rows=np.where(beyond, -1, found.rows), scores=np.where(beyond, np.nan, found.scores))

        return shortly

    return search


@pytest.mark.parametrize("held", [100, 2_000_000])
def test_a_search_is_asked_for_more_until_it_brings_the_first_twin(held, monkeypatch):
    monkeypatch.setattr(ranking, "HELD", held)
    vectors, rows = random_case(1, count=400, products=160)
    plain = evaluate(vectors, rows, protocol_for("product"))
    assert plain.table["rank"].max() > 8 * 21
    assert evaluate(vectors, rows, protocol_for("product"), search=as_exact).table.equals(plain.table)


def test_a_twin_that_the_search_does_not_bring_is_the_last_of_those_that_may_be_compared():
    rows = table(["a1", "a1", "a2", *"bcdefg"], style=["a", "a", "a", *"bcdefg"])
    vectors = around(0, 1, 60, 10, 20, 30, 40, 50, 90)
    exactly = evaluate(vectors, rows, protocol_for("style")).table
    assert exactly.select("image", "rank").rows() == [("0000", 6), ("0001", 6), ("0002", 7)]
    found = evaluate(vectors, rows, protocol_for("style"), search=blind_beyond(3))
    assert found.table.select("image", "rank").rows() == [("0000", 7), ("0001", 7), ("0002", 8)]
    assert found.table["hits"].to_list() == [[], [], []]
    assert found.table["nearest"][0].to_list() == ["0003", "0004", "0005"]
    assert found.figures["mrr"].value == pytest.approx((1 / 7 + 1 / 7 + 1 / 8) / 3)


def test_a_query_that_is_brought_nobody_has_no_score():
    found = evaluate(around(0, 1, 2), table(["a", "a", "a"]), protocol_for("product"), search=blind_beyond(0)).table
    assert found["score"].to_list() == [None] * 3
    assert (found["rank"].to_list(), found["nearest"].to_list()) == ([2] * 3, [[]] * 3)


@pytest.mark.parametrize(
    "search", [as_exact, expansion(), k_reciprocal(k1=6, k2=3), clusters(clusters=4, probes=2), clusters(clusters=4)]
)
@settings(deadline=None, max_examples=10)
@given(order=st.permutations(range(60)))
def test_the_order_of_rows_does_not_matter_to_any_search(search, order):
    vectors, rows = random_case(2, products=12)
    plain, shuffled = (
        evaluate(vectors[some], rows[some], protocol_for("product"), search=search).table.sort("image")
        for some in (list(range(60)), list(order))
    )
    assert shuffled["rank"].to_list() == plain["rank"].to_list()
    assert shuffled["nearest"].to_list() == plain["nearest"].to_list()


def test_a_search_changes_what_chooses_a_checkpoint_too():
    vectors, rows = random_case(2, products=12)
    for search in (expansion(), k_reciprocal(k1=6, k2=3)):
        found = evaluate(vectors, rows, protocol_for("product"), search=search).figures["map@r"].value
        assert map_at_r(vectors, rows, protocol_for("product"), search=search) == pytest.approx(found)
        assert found != map_at_r(vectors, rows, protocol_for("product"))


def test_the_seconds_of_the_search_are_known_and_not_told():
    """Two evaluations of the same vectors are told in the same words, whatever else the machine did."""
    vectors, rows = random_case(2)
    found, again = (
        evaluate(vectors, rows, protocol_for("product"), search=search) for search in (k_reciprocal(k1=6), exact)
    )
    assert 0 < found.seconds < 60
    assert 0 < found.preparing < 60
    assert again.told() == evaluate(vectors, rows, protocol_for("product")).told()
    assert "seconds" not in json.dumps(found.told())
