"""The map: who is near stays near, the same each time, and every point has its color and its words."""

import numpy as np
import polars as pl
import pytest
from sklearn.manifold import trustworthiness

from lookalike.reporting.embedding_map import OTHER, colorings, plane, points, radius


def groups(count=5, each=12, wide=32, seed=0):
    """Unit vectors in tight groups that lie far apart, and the group of each."""
    random = np.random.default_rng(seed)
    middles = np.repeat(random.normal(size=(count, wide)), each, axis=0)
    vectors = middles + 0.05 * random.normal(size=middles.shape)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.repeat(np.arange(count), each)


@pytest.fixture(scope="module")
def laid():
    return plane(groups()[0], seed=3)


def test_the_nearest_on_the_plane_is_of_the_same_group(laid):
    apart = np.linalg.norm(laid.places[:, None] - laid.places[None], axis=2) + 9 * np.eye(60)
    labels = groups()[1]
    assert (labels[apart.argmin(1)] == labels).all()


def test_all_places_lie_in_the_frame_and_fill_its_wider_side(laid):
    assert laid.places.min() >= 0
    assert laid.places.max() <= 1
    assert np.ptp(laid.places, axis=0).max() == 1
    assert laid.rows.tolist() == list(range(60))


def test_what_the_map_keeps_is_what_scikit_learn_says_of_it(laid):
    said = trustworthiness(groups()[0], laid.places, n_neighbors=5)
    assert laid.kept == pytest.approx(said, abs=0.01)  # of rounded places
    assert 0.9 < laid.kept <= 1


def test_the_same_seed_gives_the_same_map(laid):
    assert np.array_equal(plane(groups()[0], seed=3).places, laid.places)


def test_of_too_many_a_part_is_drawn_in_order_and_none_twice():
    laid = plane(groups()[0], seed=1, most=20)
    assert len(laid.rows) == len(set(laid.rows)) == 20
    assert (np.diff(laid.rows) > 0).all()
    assert not np.array_equal(plane(groups()[0], seed=2, most=20).rows, laid.rows)


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_few_points_are_laid_out_without_neighbours(count):
    laid = plane(np.eye(9, dtype=np.float32)[:count])
    assert laid.places.shape == (count, 2)
    assert np.isfinite(laid.places).all()
    assert laid.kept is None


def test_equal_vectors_are_no_division_by_zero():
    assert np.isfinite(plane(np.ones((3, 4)) / 2).places).all()
    assert np.isfinite(plane(np.ones((20, 4)) / 2).places).all()


def table(**columns):
    images = [f"p{at}#0" for at in range(6)]
    return pl.DataFrame({"image": images, "product": list("aabbcc"), "sha256": list("123456"), **columns})


def test_points_are_colored_by_what_became_of_them_and_by_what_tells_them_apart():
    told = table(brand=["Acme"] * 4 + ["Bolt"] * 2, view=["front"] * 6, style=list("abcdef"))
    first, *others = colorings(told, {"p0#0": True, "p1#0": False})
    assert [(name, count) for name, _, count in first.legend] == [("found first", 1), ("missed", 1), ("not scored", 4)]
    assert first.entry == (0, 1, 2, 2, 2, 2)
    assert [one.column for one in others] == ["brand"]  # one view alone, and as many styles as pictures, say nothing
    assert others[0].entry == (0, 0, 0, 0, 1, 1)


def test_a_color_has_its_own_and_what_is_not_told_the_color_of_others():
    *_, by_color = colorings(table(color=["Black Suede", "Black Suede", "navy", "navy", "", ""]), {})
    assert by_color.legend == (("Black Suede", "#1f1e20", 2), ("navy", "#202c49", 2), ("other", OTHER[0], 2))


def test_the_rarest_of_many_values_share_a_color():
    names = [f"brand {at:02}" for at in range(12) for _ in range(4)] + ["brand 00"]
    told = pl.DataFrame({"image": [str(at) for at in range(49)], "brand": names})
    *_, by_brand = colorings(told, {})
    assert [count for *_, count in by_brand.legend] == [5, *[4] * 9, 8]
    assert by_brand.legend[-1][0] == "other"
    assert sum(count for *_, count in by_brand.legend) == len(by_brand.entry) == 49


def test_a_point_tells_only_what_is_known():
    told = table(brand=["Acme", "", *"xxxx"])
    first, second, *_ = points(told, np.linspace(0, 1, 12).reshape(6, 2))
    assert first == {"x": 0.0, "y": 1 / 11, "image": "p0#0", "told": [["product", "a"], ["brand", "Acme"]]}
    assert second["told"] == [["product", "a"]]


def test_points_are_smaller_where_there_are_many():
    assert radius(1) == 0.012
    assert radius(3000) < radius(700) < radius(100)
