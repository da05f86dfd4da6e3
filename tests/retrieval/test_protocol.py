"""What was measured, in words."""

import pytest

from lookalike.retrieval.protocol import protocol_for


def test_the_similarity_says_how_much_of_it_is_color():
    assert protocol_for("product").told()["similarity"] == "cosine"
    told = protocol_for("product", color_weight=0.25).told()
    assert told["similarity"] == "0.75 x cosine of the shapes + 0.25 x cosine of the colors"
    assert told["color_weight"] == 0.25


def test_views_are_told_with_who_asks_and_who_answers():
    told = protocol_for("product", query_view="pair", gallery_view="outside").told()
    assert told["query"] == "every picture with role query or both, of the view 'pair'"
    assert told["gallery"] == "every picture with role gallery or both, of the view 'outside'"


@pytest.mark.parametrize(("match", "left_out"), [("product", "picture"), ("style", "product"), ("gender", "product")])
def test_what_is_left_out_follows_from_the_match(match, left_out):
    assert f"own {left_out} is left out" in protocol_for(match).told()["self"]


def test_the_search_is_told_and_what_becomes_of_a_twin_that_it_does_not_bring():
    assert protocol_for("product").told()["search"] == "exact"
    told = protocol_for("product", search="clusters(clusters=100, probes=1, seed=0)").told()
    assert told["search"] == "clusters(clusters=100, probes=1, seed=0)"
    assert (
        told["not_brought"] == "a twin that the search does not bring counts as the last of those that may be compared"
    )
