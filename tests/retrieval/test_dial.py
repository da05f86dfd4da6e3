"""The color dial: turns by hand, each turn an `evaluate`, and the weight that is chosen."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.retrieval.dial import WEIGHTS, best, dial
from lookalike.retrieval.evaluation import evaluate
from lookalike.retrieval.fusion import joined
from lookalike.retrieval.protocol import protocol_for
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
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def shop(seed, styles=12):
    """Two colorways of each style, two views of each: shapes by style, colors by color, both with noise."""
    random = np.random.default_rng(seed)
    style, color = (
        np.repeat(np.arange(styles), 4),
        np.tile([0, 0, 1, 1], styles) + 2 * (np.repeat(np.arange(styles), 4) % 3),
    )
    shape = unit(random.normal(size=(styles, 8))[style] + 0.6 * random.normal(size=(4 * styles, 8)))
    hue = unit(random.normal(size=(8, 5))[color] + 0.3 * random.normal(size=(4 * styles, 5)))
    rows = table(
        [f"p{one // 2}" for one in range(4 * styles)],
        style=[f"s{one}" for one in style],
        color=[f"c{one}" for one in color],
    )
    return shape, hue, rows


# shape puts pictures 0 and 1 (style s), 2 and 3 (style t) together; color puts 0 and 2 (red), 1 and 3 (blue) together
SHAPE, COLOR = around(0, 10, 90, 100), around(0, 90, 10, 100)
CROSSED = table("abcd", style=["s", "s", "t", "t"], color=["red", "blue", "red", "blue"])
BOTH = {"style": protocol_for("style"), "color": protocol_for("color")}


def test_shape_finds_the_style_and_color_the_color():
    first, last = dial(SHAPE, COLOR, CROSSED, BOTH, weights=(0.0, 1.0))
    assert (first.weight, first.figures["style"].value, first.figures["color"].value) == (0.0, 1, 0)
    assert (last.weight, last.figures["style"].value, last.figures["color"].value) == (1.0, 0, 1)


def test_the_dial_has_twenty_one_turns_from_shape_to_color():
    assert (len(WEIGHTS), WEIGHTS[0], WEIGHTS[1], WEIGHTS[10], WEIGHTS[-1]) == (21, 0.0, 0.05, 0.5, 1.0)
    assert [turn.weight for turn in dial(SHAPE, COLOR, CROSSED, BOTH)] == list(WEIGHTS)


@pytest.mark.parametrize("metric", ["recall@1", "map@r"])
def test_each_turn_is_what_an_evaluation_at_that_weight_gives(metric):
    shape, color, rows = shop(3)
    for turn in dial(shape, color, rows, BOTH, weights=(0.0, 0.35, 1.0), metric=metric, seed=7):
        at = joined(shape, color, turn.weight)
        for name, protocol in BOTH.items():
            found, wanted = turn.figures[name], evaluate(at, rows, protocol, seed=7).figures[metric]
            assert found.told()["ci95"] == pytest.approx(wanted.told()["ci95"])
            assert (found.value, found.queries) == (pytest.approx(wanted.value), wanted.queries)


def test_the_products_of_joined_vectors_are_the_weighed_products():
    shape, color, _ = shop(1)
    wanted = 0.7 * shape @ shape.T + 0.3 * color @ color.T
    np.testing.assert_allclose(joined(shape, color, 0.3) @ joined(shape, color, 0.3).T, wanted, atol=1e-6)
    assert joined(shape, color, 0) is shape
    assert joined(shape, color, 1) is color


def test_the_best_weight_has_the_highest_map_at_r_of_an_evaluation():
    shape, color, rows = shop(5)
    protocol = protocol_for("product")
    weight, scores = best(shape, color, rows, protocol)
    by_hand = {one: evaluate(joined(shape, color, one), rows, protocol).figures["map@r"].value for one in WEIGHTS}
    assert scores == pytest.approx(by_hand)
    assert 0 < weight < 1  # a product is its style in its color: neither alone tells it
    assert scores[weight] == max(scores.values()) > max(scores[0.0], scores[1.0])


def test_of_equal_weights_the_lowest_is_chosen_in_whatever_order_they_are_tried():
    same = around(0, 1, 90, 91)
    rows = table("aabb")
    for weights in ((1.0, 0.25, 0.5), (0.25, 0.5, 1.0)):
        weight, scores = best(same, same, rows, protocol_for("product"), weights)
        assert (weight, set(scores.values())) == (0.25, {1.0})


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(16)))
def test_the_order_of_the_pictures_does_not_matter(order):
    shape, color, rows = shop(2, styles=4)
    order = list(order)
    protocol = protocol_for("product")
    before = best(shape, color, rows, protocol, (0.0, 0.4, 1.0))
    after = best(shape[order], color[order], rows[order], protocol, (0.0, 0.4, 1.0))
    assert after[0] == before[0]
    assert after[1] == pytest.approx(before[1])


def test_vectors_that_do_not_fit_the_table_are_refused():
    with pytest.raises(DataError, match="4 shape vectors and 3 color vectors for 4 pictures"):
        best(SHAPE, COLOR[:3], CROSSED, protocol_for("style"))
    with pytest.raises(DataError, match="4 of 4 vectors cannot be compared"):
        best(SHAPE, 2 * COLOR, CROSSED, protocol_for("style"))
    with pytest.raises(DataError, match="no query has a twin by product"):
        best(SHAPE, COLOR, CROSSED, protocol_for("product"))
