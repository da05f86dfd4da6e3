"""Color reliance: how far a picture moves, and whether it still finds its twin, by hand."""

import numpy as np
import polars as pl
import pytest

from lookalike.retrieval.evaluation import evaluate
from lookalike.retrieval.protocol import protocol_for
from lookalike.retrieval.reliance import moved, reliance
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


BEFORE = around(0, 10, 90, 100)
PRODUCTS = protocol_for("product")


def one(before, after, rows, protocol=PRODUCTS):
    (found,) = reliance(before, {"changed": after}, rows, protocol)
    return found


def test_how_far_pictures_move_is_the_mean_cosine_of_each_with_itself():
    found = moved(around(0, 0, 0), around(0, 60, 90))
    assert found.value == pytest.approx((1 + 0.5 + 0) / 3)
    assert 0 <= found.low < found.value < found.high <= 1
    assert found.queries == 3


def test_pictures_of_one_product_move_together():
    before, after = around(*[0] * 20), around(*[0, 90] * 10)
    alone = moved(before, after)
    together = moved(before, after, np.tile([0, 1], 10))
    assert (together.low, together.high) == pytest.approx((0, 1))  # two products: a draw may well take one twice
    assert together.low < alone.low < alone.high < together.high


def test_who_does_not_move_finds_what_it_found():
    found = one(BEFORE, BEFORE.copy(), table("aabb"))
    assert found.cosine.value == pytest.approx(1)
    assert (found.recall.value, found.fall.value, found.fall.low, found.fall.high) == (1, 0, 0, 0)


def test_a_changed_query_is_held_against_the_gallery_as_it_was():
    after = around(0, 95, 90, 100)  # picture 1 of a moved among those of b: it finds b, and b does not find it there
    found = one(BEFORE, after, table("aabb"))
    assert found.recall.value == 0.75
    assert found.fall.value == -0.25
    assert found.cosine.value == pytest.approx((3 + np.cos(np.radians(85))) / 4)


def test_a_changed_query_does_not_find_its_own_picture_unchanged():
    """Picture 0 does not move, and is nearest to itself; its twin is the furthest of all."""
    found = one(around(0, 180, 20, 25), around(0, 180, 20, 25), table("aabb"))
    assert found.recall.value == 0.5  # of b both, of a none: were itself in its gallery, each would hit


def test_all_turned_by_as_much_find_others_in_the_gallery():
    """The whole circle turned by a quarter: each of a lands on b."""
    found = one(BEFORE, around(90, 100, 180, 190), table("aabb"))
    assert found.recall.value == 0.5  # those of b are still nearest to b, the last ones on the way
    assert found.cosine.value == pytest.approx(0, abs=1e-6)


def test_the_recall_of_changed_queries_is_that_of_a_table_with_queries_and_gallery_apart():
    """Brute force: changed pictures as rows of their own that only ask. Wider than a product, so no picture meets itself."""
    random = np.random.default_rng(0)
    before = random.normal(size=(40, 6)).astype(np.float32)
    after = before + 0.7 * random.normal(size=(40, 6)).astype(np.float32)
    before, after = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (before, after))
    rows = table([f"p{one // 2}" for one in range(40)], style=[f"s{one // 6}" for one in range(40)])
    asking = rows.with_columns(image=pl.col("image") + "x", role=pl.lit("query"))
    apart = pl.concat([rows.with_columns(role=pl.lit("gallery")), asking])
    wanted = evaluate(np.concatenate([before, after]), apart, protocol_for("style"))
    found = one(before, after, rows, protocol_for("style"))
    assert found.recall == wanted.figures["recall@1"]
    untouched = evaluate(before, rows, protocol_for("style")).figures["recall@1"]
    assert found.fall.value == pytest.approx(found.recall.value - untouched.value)


def test_each_change_has_its_own_row_in_the_order_given():
    found = reliance(BEFORE, {"much": BEFORE[::-1].copy(), "little": BEFORE}, table("aabb"), PRODUCTS)
    assert [row.change for row in found] == ["much", "little"]
    assert found[0].cosine.value < found[1].cosine.value


def test_vectors_of_other_pictures_are_refused():
    with pytest.raises(DataError, match=r"\(4, 2\) before their colors were changed and \(3, 2\) after"):
        one(BEFORE, BEFORE[:3], table("aabb"))
    with pytest.raises(DataError, match="cannot be compared"):
        one(BEFORE, 2 * BEFORE, table("aabb"))
