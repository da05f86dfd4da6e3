"""Failures by cause: who is a miss, which cause is the first to fit, and what chance would bring."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.reporting.failures import CAUSES, Facts, causes, counted

# Product a: a front, a back. Product b, the same style in another color; c by the same brand; d by another brand.
PICTURES = {
    "a1": ("a", "s1", "Acme", "front"),
    "a2": ("a", "s1", "Acme", "back"),
    "b1": ("b", "s1", "Acme", "front"),
    "c1": ("c", "s2", "Acme", "front"),
    "d1": ("d", "s3", "Bolt", "front"),
    "d2": ("d", "s3", "Bolt", "side"),
}


def facts(match="product", poor=(), **more):
    columns = ("product", "style", "brand", "view")
    pictures = {
        image: {"image": image, **dict(zip(columns, told, strict=True)), "poor": "blurred" if image in poor else ""}
        for image, told in PICTURES.items()
    }
    for one in pictures.values():
        one["label"] = one[match]
    twins = {
        image: [other for other in pictures if other != image and pictures[other]["label"] == pictures[image]["label"]]
        for image in pictures
    }
    together = frozenset({frozenset({"front", "back"}), frozenset({"front", "side"})})
    told = {"copies": frozenset(), "doubts": {}, "together": together}
    return Facts(**{"match": match, "pictures": pictures, "twins": twins, **told, **more})


def queries(*rows):
    """(image, rank of its first twin, the nearest stranger)."""
    columns = {"image": pl.String, "rank": pl.Int64, "nearest_strangers": pl.List(pl.String)}
    return pl.DataFrame([(image, rank, [stranger]) for image, rank, stranger in rows], schema=columns, orient="row")


def cause_of(image, stranger, **more):
    """The one miss as it is told."""
    (told,) = causes(queries((image, 2, stranger)), facts(**more)).to_dicts()
    return told


def test_who_is_found_first_is_no_miss():
    found = causes(queries(("a1", 1, "b1"), ("d1", 3, "c1")), facts())
    assert found["image"].to_list() == ["d1"]
    assert found.row(0, named=True) | {"fits": None} == {
        "image": "d1",
        "cause": "other_view",
        "fits": None,
        "because": "both are front; the twins are side",
        "stranger": "c1",
        "twin": "d2",
        "rank": 3,
    }


def test_another_color_of_the_style_comes_before_its_brand_and_both_are_told():
    told = cause_of("a1", "b1")
    assert (told["cause"], told["because"]) == ("same_style", "both are of style s1")
    assert told["fits"] == ["same_style", "same_brand", "other_view"]


def test_another_style_of_the_brand():
    assert cause_of("a1", "c1")["cause"] == "same_brand"


def test_where_styles_are_twins_a_style_explains_nothing():
    assert cause_of("a1", "c1", match="style")["fits"] == ["same_brand"]
    assert cause_of("a1", "d1", match="brand")["cause"] == "unexplained"  # b1 and c1, of its own view, are twins too


def test_one_photograph_of_two_products_comes_first_of_all():
    told = cause_of("a1", "b1", copies=frozenset({frozenset({"b1", "a1"})}), poor=("a1",))
    assert (told["cause"], told["because"]) == ("near_duplicate", "b1 is the same photograph as the query")
    assert told["fits"][:2] == ["near_duplicate", "poor_picture"]


def test_a_stranger_that_is_a_twins_photograph_is_one_too():
    told = cause_of("a1", "b1", copies=frozenset({frozenset({"a2", "b1"})}))
    assert told["because"] == "b1 is the same photograph as its twin a2"


@pytest.mark.parametrize("named", [{"a1"}, {"d1"}, {"a1", "d1"}])
def test_a_label_that_an_audit_doubts(named):
    told = cause_of("a1", "d1", doubts={frozenset(named): "one name, two products"})
    assert (told["cause"], told["because"]) == ("label_suspect", "one name, two products")


def test_a_doubt_about_others_is_no_cause():
    assert cause_of("a1", "d1", doubts={frozenset({"c1"}): "x", frozenset({"a1", "c1"}): "x"})["cause"] == "other_view"


def test_two_spellings_of_one_label_are_a_doubt():
    told = facts(match="brand")
    told.pictures["d1"]["label"] = "ac-ME"
    told.pictures["a1"]["label"] = "Ac  me"
    found = causes(queries(("a1", 2, "d1")), told)
    assert found["because"].to_list() == ["brand is written 'Ac  me' and 'ac-ME'"]


def test_a_poor_query_or_nothing_but_poor_twins():
    assert cause_of("a1", "d1", poor=("a1",))["because"] == "the query is blurred"
    assert cause_of("a1", "d1", poor=("a2",))["because"] == "each of its twins is blurred"
    assert cause_of("a1", "d1", poor=("d1",))["cause"] == "other_view"  # a poor stranger excuses nobody
    assert cause_of("a1", "d1", match="brand", poor=("a2",))["cause"] == "unexplained"  # b1 and c1 could have been seen


def test_views_that_train_never_shows_together():
    told = cause_of("d2", "c1", together=frozenset({frozenset({"front", "back"})}))
    assert (told["cause"], told["because"]) == ("views_never_together", "train never shows side beside front")
    assert cause_of("d2", "c1")["cause"] == "unexplained"
    assert cause_of("d2", "c1", together=None)["cause"] == "unexplained"  # views are not told


def test_a_share_counts_each_miss_once_and_what_fits_as_often_as_it_does():
    told = facts()
    found = causes(queries(("a1", 2, "b1"), ("a2", 2, "c1"), ("d1", 2, "c1"), ("d2", 1, "c1")), told)
    by_name = {one.cause.name: one for one in counted(found, told, list(PICTURES))}
    assert {name: (one.first, one.fits) for name, one in by_name.items() if one.fits} == {
        "same_style": (1, 1),
        "same_brand": (1, 2),
        "other_view": (1, 2),
    }
    assert by_name["same_style"].share == pytest.approx(1 / 3)


def test_chance_by_hand():
    told = facts()
    # a1 has 4 strangers: 2 of its brand, 1 of its style. d1 has 4 strangers, none of its brand or style
    found = causes(queries(("a1", 2, "b1"), ("d1", 2, "c1")), told)
    by_name = {one.cause.name: one.chance for one in counted(found, told, list(PICTURES))}
    assert (by_name["same_brand"], by_name["same_style"]) == (0.25, 0.125)
    assert by_name["other_view"] is None  # no column that is shared by chance


def test_without_a_miss_everything_is_none():
    told = facts()
    counts = counted(causes(queries(("a1", 1, "b1")), told), told, list(PICTURES))
    assert [(one.first, one.fits, one.share, one.chance) for one in counts] == [(0, 0, 0.0, None)] * len(CAUSES)


@given(st.permutations([("a1", 2, "b1"), ("a2", 5, "d1"), ("b1", 2, "a1"), ("d1", 2, "c1"), ("d2", 9, "a2")]))
def test_the_order_of_the_queries_changes_no_count_and_no_miss_is_lost(rows):
    told = facts()
    counts = counted(causes(queries(*rows), told), told, list(PICTURES))
    assert [one.first for one in counts] == [0, 0, 0, 2, 0, 0, 1, 2]
    assert sum(one.first for one in counts) == 5
