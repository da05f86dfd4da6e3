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
