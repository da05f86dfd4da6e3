"""Naming by neighbours: votes by hand, and scikit-learn's."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from lookalike.retrieval import naming
from lookalike.retrieval.naming import named
from lookalike.retrieval.protocol import protocol_for
from lookalike.settings import ConfigError, DataError

BRANDS = protocol_for("brand")


def around(*degrees):
    angle = np.radians(np.array(degrees, float))
    return np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)


def table(brands, products=None, **columns):
    count = len(brands)
    base = {
        "image": [f"{number:04d}" for number in range(count)],
        "product": list(products or [f"p{number}" for number in range(count)]),
        **{name: [""] * count for name in ("style", "view", "category", "color")},
        "brand": list(brands),
        "role": ["both"] * count,
    }
    return pl.DataFrame({**base, **columns})


def asking(rows, *images):
    """Only these ask, only the others answer."""
    is_asked = pl.col("image").is_in(list(images))
    return rows.with_columns(role=pl.when(is_asked).then(pl.lit("query")).otherwise(pl.lit("gallery")))


def random_case(seed, count=80):
    random = np.random.default_rng(seed)
    brand = random.integers(4, size=count)
    vectors = random.normal(size=(4, 6))[brand] + 1.5 * random.normal(size=(count, 6))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return vectors, table([f"b{one}" for one in brand])


def test_the_nearest_vote_with_their_cosines():
    """At 0: A at 10 (0.985) against two of B at 50 and -50 (0.643 each). One neighbour says A, three say B."""
    vectors, rows = around(0, 10, 50, -50), asking(table("BABB"), "0000")
    assert named(vectors, rows, "brand", BRANDS, k=1).table["called"].to_list() == ["A"]
    three = named(vectors, rows, "brand", BRANDS, k=3)
    assert three.table.row(0)[:3] == ("0000", "B", "B")
    near, far = np.cos(np.radians([10, 50]))
    assert three.table["share"].item() == pytest.approx(2 * far / (near + 2 * far), abs=1e-5)
    assert three.accuracy.value == 1


def test_two_that_are_far_may_weigh_less_than_one_that_is_near():
    vectors, rows = around(0, 10, 65, -65), asking(table("BABB"), "0000")  # 0.985 against 2 x 0.423
    assert named(vectors, rows, "brand", BRANDS, k=3).table["called"].item() == "A"


def test_a_tie_goes_to_the_nearest_and_who_points_away_does_not_vote():
    vectors, rows = around(0, 20, -20), asking(table("BBA"), "0000")
    assert named(vectors, rows, "brand", BRANDS, k=2).table["called"].item() == "B"  # as near: the lower id
    away, rows = around(0, 80, 170, -170), asking(table("ABAA"), "0000")
    assert named(away, rows, "brand", BRANDS, k=3).table["called"].item() == "B"


def test_the_own_product_does_not_name_itself():
    """The other view of one's own product bears one's own brand, and would win."""
    vectors, rows = around(0, 1, 10, 90), table("AABA", "xxyz")
    found = named(vectors, rows, "brand", BRANDS, k=1)
    assert dict(found.table.select("image", "called").iter_rows())["0000"] == "B"


def test_pictures_that_tell_no_brand_neither_ask_nor_vote():
    vectors, rows = around(0, 1, 10, 50), table(["A", "", "A", "B"])
    found = named(vectors, rows, "brand", BRANDS, k=1)
    assert found.table["image"].to_list() == ["0000", "0002"]
    assert found.accuracy.value == 1


def test_a_brand_that_nobody_else_bears_is_counted_and_not_scored():
    found = named(around(0, 10, 50), table("AAB"), "brand", BRANDS)
    assert (found.accuracy.queries, found.unknown) == (2, 1)


@pytest.mark.parametrize("k", [1, 3, 10])
def test_calls_are_those_of_scikit_learn(k):
    vectors, rows = random_case(k)
    images = rows["image"].to_list()
    split = asking(rows, *images[:30])
    theirs = KNeighborsClassifier(k, metric="cosine", weights=lambda away: np.maximum(1 - away, 0), algorithm="brute")
    wanted = theirs.fit(vectors[30:], rows["brand"].to_numpy()[30:]).predict(vectors[:30])
    found = named(vectors, split, "brand", BRANDS, k=k)
    assert found.table["called"].to_list() == wanted.tolist()
    assert found.accuracy.value == pytest.approx((wanted == rows["brand"].to_numpy()[:30]).mean())


def test_the_baseline_is_always_saying_the_most_frequent_name():
    vectors, rows = around(*range(6)), table("AAAABB")
    found = named(vectors, rows, "brand", BRANDS)
    assert (found.most_frequent, found.majority.value) == ("A", pytest.approx(4 / 6))
    assert found.majority.low < 4 / 6 < found.majority.high


def test_confusions_by_hand():
    """Two of A beside each other, one of B among two of C, its own twin by name far off; the last column: other names."""
    vectors, rows = around(0, 5, 90, 92, 94, 180), table("AACBCB")
    found = named(vectors, rows, "brand", BRANDS, k=1)
    assert found.names == ("A", "B", "C")
    assert found.confusion.tolist() == [[2, 0, 0, 0], [0, 0, 2, 0], [0, 2, 0, 0]]
    assert found.confusion.sum() == found.accuracy.queries


def test_only_the_most_frequent_names_have_a_row(monkeypatch):
    monkeypatch.setattr(naming, "MOST", 1)
    vectors, rows = around(0, 5, 10, 90, 91, 8), table("AAABBB")
    found = named(vectors, rows, "brand", BRANDS, k=1)
    assert (found.names, found.confusion.tolist()) == (("A",), [[1, 2]])


def test_what_metrics_json_holds():
    told = named(around(0, 10, 50, 60), table("AABB"), "brand", BRANDS, k=1).told()
    assert (told["column"], told["k"], told["accuracy"]["value"]) == ("brand", 1, 1)
    assert told["majority"]["name"] == "A"
    assert told["confusion"] == {"names": ["A", "B"], "counts": [[2, 0, 0], [0, 2, 0]]}


def test_how_many_queries_go_through_at_a_time_does_not_matter(monkeypatch):
    vectors, rows = random_case(5)
    whole = named(vectors, rows, "brand", BRANDS)
    monkeypatch.setattr(naming, "HELD", 200)  # eight at a time
    in_parts = named(vectors, rows, "brand", BRANDS)
    assert in_parts.table.equals(whole.table)


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(20)))
def test_the_order_of_the_pictures_does_not_matter(order):
    vectors, rows = random_case(6, count=20)
    order = list(order)
    before = named(vectors, rows, "brand", BRANDS).table.sort("image")
    after = named(vectors[order], rows[order], "brand", BRANDS).table.sort("image")
    assert after["called"].to_list() == before["called"].to_list()


def test_a_gallery_smaller_than_k_votes_whole():
    assert named(around(0, 10, 20), table("AAA"), "brand", BRANDS, k=50).accuracy.value == 1


def test_what_cannot_be_named_is_said_with_the_mend():
    with pytest.raises(ConfigError, match="k=0: nobody would vote; give 1 or more"):
        named(around(0, 1), table("AA"), "brand", BRANDS, k=0)
    with pytest.raises(DataError, match="match=maker: this data set has no such column"):
        named(around(0, 1), table("AA"), "maker", BRANDS)
    with pytest.raises(DataError, match="no query has a twin by brand"):
        named(around(0, 1), table("AB"), "brand", BRANDS)
