"""Products instead of pictures: by hand, and against brute force."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.retrieval import products
from lookalike.retrieval.evaluation import evaluate
from lookalike.retrieval.products import HOWS, by_product, several_views
from lookalike.retrieval.protocol import Protocol, protocol_for
from lookalike.settings import DataError


def around(*degrees):
    angle = np.radians(np.array(degrees, float))
    return np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)


def table(products, **columns):
    count = len(products)
    base = {
        "image": [f"{number:04d}" for number in range(count)],
        "product": list(products),
        **{name: [""] * count for name in ("style", "view", "category", "brand", "color")},
        "role": ["both"] * count,
    }
    return pl.DataFrame({**base, **columns})


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def random_case(seed, count=60, of=17):
    """Products of one to many views, three products a style, pictures that only ask and others that only answer."""
    random = np.random.default_rng(seed)
    product = random.integers(of, size=count)
    vectors = unit(random.normal(size=(of, 5))[product] + 1.2 * random.normal(size=(count, 5))).astype(np.float32)
    rows = table(
        [f"p{one:02d}" for one in product],
        style=[f"s{one // 3}" if one else "" for one in product],
        role=random.choice(["both", "both", "query", "gallery"], size=count),
        view=random.choice(["side", "top"], size=count),
    )
    return vectors, rows


def brute_force(vectors, rows, protocol, how):
    """The rank of the first right product of each query, product by product, view by view."""
    ranks = {}
    pictures = list(rows.with_row_index("row").iter_rows(named=True))
    asks = [one for one in pictures if one["role"] in ("query", "both")]
    answers = [one for one in pictures if one["role"] in ("gallery", "both")]
    asks = [one for one in asks if protocol.query_view in ("", one["view"])]
    answers = [one for one in answers if protocol.gallery_view in ("", one["view"])]
    column = "image" if protocol.left_out == "picture" else "product"
    for query in asks:
        scores, right = {}, set()
        for product in {one["product"] for one in answers}:
            views = [one for one in answers if one["product"] == product and one[column] != query[column]]
            if not views:
                continue
            seen = vectors[[one["row"] for one in views]].astype(float)
            near = seen @ vectors[query["row"]] if how == "max" else unit(seen.mean(0)[None]) @ vectors[query["row"]]
            scores[product] = round(float(near.max()), 6)
            if any(one[protocol.match] == query[protocol.match] != "" for one in views):
                right.add(product)
        if right:
            ordered = sorted(scores, key=lambda product: (-scores[product], product))
            ranks[query["image"]] = min(ordered.index(product) for product in right) + 1
    return np.array(list(ranks.values()))


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize(
    "protocol",
    [
        protocol_for("product"),
        protocol_for("style"),
        protocol_for("product", query_view="top", gallery_view="side"),
        Protocol(match="style", left_out="picture"),
    ],
    ids=["product", "style", "views", "own product stays"],
)
@pytest.mark.parametrize("seed", range(3))
def test_ranks_of_products_equal_brute_force(seed, protocol, how):
    vectors, rows = random_case(seed)
    wanted = brute_force(vectors, rows, protocol, how)
    found = by_product(vectors, rows, protocol, how)
    assert found["recall@1"].queries == len(wanted)
    for k in (1, 5, 10):
        assert found[f"recall@{k}"].value == pytest.approx(np.mean(wanted <= k))
    assert found["mrr"].value == pytest.approx(np.mean(1 / wanted))


def test_a_mean_forgives_one_poor_view_and_the_nearest_view_does_not():
    """The query, at 0, has views at 20 and -20 of its own product (mean 0); a stranger has one at 10 and one at 90."""
    vectors, rows = around(0, 20, -20, 10, 90), table("aaabb")
    query = rows.with_columns(role=pl.Series(["query", *["gallery"] * 4]))
    assert by_product(vectors, query, protocol_for("product"), "mean")["recall@1"].value == 1
    assert by_product(vectors, query, protocol_for("product"), "max")["recall@1"].value == 0
    assert by_product(vectors, query, protocol_for("product"), "max")["mrr"].value == 0.5


def test_the_mean_of_the_own_product_is_without_the_query():
    """At 0 and 90 with a stranger at 60: with itself the query's mean would lie at 45 and win, without it at 90."""
    vectors, rows = around(0, 90, 60), table("aab")
    only = rows.with_columns(role=pl.Series(["both", "gallery", "gallery"]))
    for how in HOWS:
        assert by_product(vectors, only, protocol_for("product"), how)["recall@1"].value == 0


def test_a_stranger_is_joined_of_all_its_views():
    vectors, rows = around(0, 30, 25, -25), table("aabb")
    only = rows.with_columns(role=pl.Series(["both", *["gallery"] * 3]))
    assert by_product(vectors, only, protocol_for("product"), "mean")["recall@1"].value == 0
    assert by_product(vectors, only, protocol_for("product"), "max")["recall@1"].value == 0


def test_a_wider_match_leaves_out_the_own_product_and_counts_every_other_that_matches():
    vectors = around(0, 1, 40, 41, 20, 21)
    rows = table("aabbcc", style=["s", "s", "s", "s", "t", "t"])
    found = by_product(vectors, rows, protocol_for("style"), "max")
    assert found["recall@1"].queries == 4  # c has nobody
    assert found["recall@1"].value == 0  # c lies between a and b
    assert found["mrr"].value == 0.5


def test_products_as_near_as_each_other_come_by_their_ids():
    vectors = around(0, 50, 50)  # as near: b's view and the twin
    assert by_product(vectors, table("aab"), protocol_for("product"), "max")["recall@1"].value == 0.5
    assert by_product(vectors, table("ccb"), protocol_for("product"), "max")["recall@1"].value == 0


def test_views_that_cancel_out_are_near_to_nobody_and_break_nothing():
    vectors = around(0, 10, 90, -90)
    found = by_product(vectors, table("aabb"), protocol_for("product"), "mean")
    assert all(np.isfinite(figure.value) for figure in found.values())


@pytest.mark.parametrize("how", HOWS)
def test_where_each_product_has_one_view_to_answer_with_products_rank_as_pictures_do(how):
    vectors, rows = random_case(1)
    few = rows.unique("product", keep="first", maintain_order=True)["image"]
    rows = rows.with_columns(
        role=pl.when(pl.col("image").is_in(few.implode())).then(pl.lit("gallery")).otherwise(pl.lit("query"))
    )
    found, pictures = (
        by_product(vectors, rows, protocol_for("product"), how),
        evaluate(vectors, rows, protocol_for("product")),
    )
    for name in ("recall@1", "recall@5", "recall@10", "mrr"):
        assert found[name].value == pytest.approx(pictures.figures[name].value)
        assert found[name].told()["ci95"] == pytest.approx(pictures.figures[name].told()["ci95"])


@pytest.mark.parametrize("how", HOWS)
def test_how_many_queries_go_through_at_a_time_does_not_matter(how, monkeypatch):
    vectors, rows = random_case(2)
    whole = by_product(vectors, rows, protocol_for("product"), how)
    monkeypatch.setattr(products, "HELD", 100)
    assert by_product(vectors, rows, protocol_for("product"), how) == whole


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(24)), st.sampled_from(HOWS))
def test_the_order_of_the_pictures_does_not_matter(order, how):
    vectors, rows = random_case(4, count=24, of=7)
    order = list(order)
    before = by_product(vectors, rows, protocol_for("product"), how)
    after = by_product(vectors[order], rows[order], protocol_for("product"), how)
    assert {name: one.value for name, one in after.items()} == pytest.approx(
        {name: one.value for name, one in before.items()}
    )


def test_there_is_something_to_join_where_a_product_answers_with_two_pictures():
    assert several_views(table("aab"), protocol_for("product"))
    assert not several_views(table("abc"), protocol_for("product"))
    apart = table("aabb", view=["side", "top"] * 2)
    assert not several_views(apart, protocol_for("product", query_view="top", gallery_view="side"))


def test_nobody_with_a_twin_is_an_error():
    with pytest.raises(DataError, match="no query has a twin by product"):
        by_product(around(0, 1), table("ab"), protocol_for("product"), "mean")
