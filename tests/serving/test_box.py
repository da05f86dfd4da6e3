"""Lists of look-alikes, held against sorting all pictures by hand."""

import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.features.color_histogram import color_histogram
from lookalike.retrieval import index, scan
from lookalike.retrieval.scan import Vectors
from lookalike.serving import box as at_work
from lookalike.serving.asked import Looked
from lookalike.serving.box import Wish, between, hits, looked, of_product
from lookalike.serving.goods import Filters


def around(*degrees):
    turns = np.radians(degrees)
    return np.stack([np.cos(turns), np.sin(turns)], axis=1)


def asking(shape=0.0, color=0.0):
    return Looked(shape=around(shape)[0].astype(np.float32), color=around(color)[0].astype(np.float32))


def listed(box, seen, **said):
    found, more = hits(box, seen, Wish(**{"weight": 0.0, "k": 10, **said}))
    return [(box.goods.keys[one.product], one.picture) for one in found], more


@pytest.fixture(scope="module")
def shelf(a_box):
    """Pictures 10, 13 ... of a, b, c at so many degrees of shape; c is the nearest by color."""
    owners = ["a", "b", "b", "c", "c"]
    rows = [
        {"product": "a", "brand": "Acme", "style": "one", "price": "10"},
        {"product": "b", "brand": "Acme", "style": "one", "price": "20"},
        {"product": "c", "brand": "", "style": "", "price": ""},
    ]
    return a_box(around(10, 20, 50, 30, 90), around(90, 60, 60, 0, 0), owners, rows)


def test_products_are_shown_by_their_most_alike_picture(shelf):
    assert listed(shelf, asking()) == ([("a", 10), ("b", 13), ("c", 19)], False)
    assert listed(shelf, asking(60)) == (
        [("b", 16), ("c", 19), ("a", 10)],
        False,
    )  # c: 30 degrees off, the first of two


def test_the_dial_turns_from_shape_to_color(shelf):
    assert [key for key, _ in listed(shelf, asking(), weight=1.0)[0]] == ["c", "b", "a"]
    found, _ = hits(shelf, asking(), Wish(weight=0.25, k=1))
    one = found[0]
    assert (one.picture, one.shape, one.color) == (19, pytest.approx(0.866, abs=1e-3), pytest.approx(1, abs=1e-3))
    assert one.score == pytest.approx(0.75 * one.shape + 0.25 * one.color, abs=1e-6)  # 0.90; that of b at 20 is 0.83


def test_the_least_alike_is_the_same_list_from_its_end(shelf):
    assert listed(shelf, asking(), order="worst") == ([("c", 19), ("b", 13), ("a", 10)], False)
    assert listed(shelf, asking(), order="worst", k=1) == ([("c", 19)], True)
    least = np.cos(np.radians(25))  # b at 20 degrees and a at 10 have more
    assert listed(shelf, asking(), order="worst", min_score=least, k=1) == ([("b", 13)], True)


def test_a_least_score_cuts_the_list(shelf):
    assert listed(shelf, asking(), min_score=0.9) == ([("a", 10), ("b", 13)], False)
    assert listed(shelf, asking(), min_score=0.9, k=1) == ([("a", 10)], True)
    assert listed(shelf, asking(), min_score=1.0) == ([], False)


def test_a_score_that_is_just_enough_is_enough(a_box):
    """float32 has 0.7 as 0.69999999."""
    seen = Looked(shape=np.array([1, 0], np.float32), color=np.array([0, 1], np.float32))
    box = a_box([[1, 0], [0, 1]], [[1, 0], [0, 1]], ["a", "b"])
    for many in (1000, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(at_work, "MANY", many)
            assert listed(box, seen, weight=0.3, min_score=0.7) == ([("a", 10)], False)


def test_groups_are_shown_by_their_best_and_who_tells_none_stands_alone(shelf):
    assert listed(shelf, asking(), group_by="brand") == ([("a", 10), ("c", 19)], False)
    assert listed(shelf, asking(22), group_by="style") == ([("b", 13), ("c", 19)], False)


def test_filters_and_products_that_are_not_to_be_shown(shelf):
    assert listed(shelf, asking(), filters=Filters(price=(15, None))) == ([("b", 13)], False)
    assert listed(shelf, asking(), filters=Filters(values={"brand": ["none"]})) == ([], False)
    assert listed(shelf, asking(), without=frozenset({"a", "gone"})) == ([("b", 13), ("c", 19)], False)
    both = {"filters": Filters(values={"brand": ["Acme"]}), "without": frozenset({"a"})}
    assert listed(shelf, asking(), **both, group_by="brand") == ([("b", 13)], False)
    assert listed(shelf, asking(), without=frozenset("abc")) == ([], False)


def test_a_page_past_the_end_is_empty(shelf):
    assert listed(shelf, asking(), skip=3) == ([], False)
    assert listed(shelf, asking(), skip=10**12) == ([], False)


def test_equal_pictures_stand_in_the_order_of_their_ids_either_way(a_box):
    box = a_box(around(*[0] * 6), around(*[0] * 6), ["f", "e", "d", "c", "b", "a"])
    for order in ("best", "worst"):
        assert listed(box, asking(), order=order, k=3) == ([("f", 10), ("e", 13), ("d", 16)], True)


def test_a_product_of_many_views_does_not_shut_the_others_out(a_box):
    """One has 3,000 views, all nearer than the 50 others: no search that asks for a few pictures meets the second."""
    random = np.random.default_rng(0)
    degrees = np.concatenate([random.uniform(0, 10, 3000), random.uniform(20, 90, 50)])
    box = a_box(around(*degrees), around(*degrees), ["many"] * 3000 + [f"one {place:02}" for place in range(50)])
    wanted = [f"one {place:02}" for place in np.argsort(degrees[3000:])]
    assert [key for key, _ in listed(box, asking(), k=51)[0]] == ["many", *wanted]


# Against sorting by hand

DIRECTIONS = [[1, 0, 0], [0, 1, 0], [-1, 0, 0], [1, 1, 0], [1, 1, 1], [3, 1, 0]]  # few, so that many are equal
turn = st.sampled_from(DIRECTIONS)
picture = st.tuples(turn, turn, st.sampled_from("abcdefgh"))
told = st.tuples(st.sampled_from(["", "A", "B"]), st.sampled_from(["", "s", "t"]), st.sampled_from(["", "1", "2"]))
wishes = st.builds(
    Wish,
    weight=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    k=st.integers(1, 4),
    skip=st.integers(0, 4),
    filters=st.builds(
        Filters,
        values=st.dictionaries(st.just("brand"), st.lists(st.sampled_from(["A", "B", "C"]), max_size=2)),
        price=st.sampled_from([(None, None), (2.0, None)]),
    ),
    order=st.sampled_from(["best", "worst"]),
    group_by=st.sampled_from(["product", "style", "brand"]),
    min_score=st.sampled_from([None, -0.5, 0.0, 0.5, 1.0]),
    without=st.sampled_from([frozenset(), frozenset("a"), frozenset("bx")]),
)


@st.composite
def cases(draw):
    pictures = draw(st.lists(picture, min_size=1, max_size=25))
    rows = [
        {"product": key, **dict(zip(("brand", "style", "price"), draw(told), strict=True))}
        for key in sorted({owner for *_, owner in pictures})
    ]
    return pictures, rows, draw(turn), draw(turn), draw(wishes)


def by_hand(box, rows, seen, wish):
    """All pictures, one by one. -> (product, picture, score), the whole list."""
    row_of = {row["product"]: row for row in rows}
    found = {}
    for row, picture in enumerate(box.vectors.ids.tolist()):
        key = box.goods.keys[box.goods.owner[row]]
        of = row_of[key]
        brands = wish.filters.values.get("brand")
        if key in wish.without or (brands and of["brand"] not in brands):
            continue
        if wish.filters.price[0] and of["price"] != "2":
            continue
        shape = float(box.vectors.shape[row].astype(float) @ seen.shape.astype(float))
        color = float(box.vectors.color[row].astype(float) @ seen.color.astype(float))
        score = float(np.round((1 - wish.weight) * shape + wish.weight * color, 6))
        group = of.get(wish.group_by) or key
        found[group] = min(found.get(group, (9.0, 0, "")), (-score, picture, key))
    ranked = sorted(found.values(), key=lambda one: (one[0] if wish.order == "best" else -one[0], one[1]))
    return [
        (key, picture, -score) for score, picture, key in ranked if wish.min_score is None or -score >= wish.min_score
    ]


@settings(deadline=None, max_examples=250)
@given(
    case=cases(),
    many=st.sampled_from([0, 2, 1000]),
    depths=st.sampled_from([(1, 2), (3,), (25,)]),
    rough=st.booleans(),
)
def test_lists_are_those_of_sorting_by_hand_whichever_way_they_are_found(a_box, as_halves, case, many, depths, rough):
    pictures, rows, shape, color, wish = case
    box = a_box(*([one[part] for one in pictures] for part in range(3)), rows, rough=rough)
    seen = Looked(shape=as_halves(shape).astype(np.float32), color=as_halves(color).astype(np.float32))
    whole = by_hand(box, rows, seen, wish)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(at_work, "MANY", many)
        patch.setattr(at_work, "DEPTHS", depths)
        found, more = hits(box, seen, wish)
    page = whole[wish.skip : wish.skip + wish.k]
    assert [(box.goods.keys[one.product], one.picture) for one in found] == [one[:2] for one in page]
    assert [one.score for one in found] == pytest.approx([score for *_, score in page], abs=1e-9)
    assert more == (len(whole) > wish.skip + wish.k)


@pytest.fixture(scope="module")
def large(a_box):
    """20,000 pictures of 8,000 products in 3,000 styles and 40 brands, some of many views, with a few exact copies."""
    random = np.random.default_rng(3)
    owner = np.sort(np.concatenate([np.arange(8000), random.integers(0, 8000, 11_000), np.full(1000, 17)]))
    shape = random.normal(size=(8000, 32))[owner] + 0.5 * random.normal(size=(20_000, 32))
    color = np.abs(random.normal(size=(20_000, 16)))
    shape[5000:5300], color[5000:5300] = shape[0], color[0]
    rows = [
        {
            "product": f"p{row:04}",
            "style": f"s{row % 3000}",
            "brand": f"b{row % 40}" if row % 7 else "",
            "price": str(row % 90),
        }
        for row in range(8000)
    ]
    return a_box(shape, color, [f"p{row:04}" for row in owner], rows)


WAYS = [
    {},
    {"order": "worst"},
    {"group_by": "style", "weight": 0.0},
    {"group_by": "style", "min_score": 0.3},
    {"group_by": "brand"},
    {"filters": Filters(price=(3, 30)), "min_score": 0.3},
    {"min_score": 0.35, "order": "worst"},
    {"group_by": "style", "filters": Filters(values={"brand": ["b1", "b2"]})},
]


@pytest.mark.parametrize("way", range(len(WAYS)))
def test_two_pages_are_a_page_of_both(large, way):
    wish = Wish(**{"weight": 0.4, "k": 15, **WAYS[way]})
    seen = of_product(large, "p0017")
    pages = [hits(large, seen, replace(wish, skip=skip)) for skip in (0, 15, 30)]
    both, more = hits(large, seen, replace(wish, k=45))
    assert [one for page, _ in pages for one in page] == both
    assert pages[2][1] == more
    assert len({one.picture for one in both}) == len(both) > 20


def test_a_graph_that_finds_enough_gives_the_same_pages(a_box):
    random = np.random.default_rng(4)
    scanned = a_box(
        random.normal(size=(2000, 16)), random.random((2000, 8)), [f"p{row // 2:03}" for row in range(2000)]
    )
    graph = index.build(scanned.vectors, "hnsw", seed=0, tell=lambda _: None).looking(400)
    box = replace(scanned, search=partial(index.search, scanned.vectors, graph))
    seen = of_product(box, "p042")
    for skip in (0, 30, 500):
        wish = Wish(weight=0.3, k=30, skip=skip)
        assert hits(box, seen, wish) == hits(scanned, seen, wish)


@pytest.mark.parametrize(("kind", "effort"), [("hnsw", 16), ("ivf", 4)])
@pytest.mark.parametrize("many", [1000, 300])
def test_pages_show_all_and_none_twice_also_where_an_index_misses_some(monkeypatch, a_box, kind, effort, many):
    """The index is asked twice where 300 pictures are many, else three times; then all are compared."""
    random, owners = np.random.default_rng(5), [f"p{row // 3:03}" for row in range(3000)]
    scanned = a_box(random.normal(size=(3000, 64)), random.random((3000, 8)), owners)
    ann = index.build(scanned.vectors, kind, seed=0, tell=lambda _: None).looking(effort)
    box = replace(scanned, search=partial(index.search, scanned.vectors, ann))
    monkeypatch.setattr(at_work, "MANY", many)
    seen = of_product(box, "p042")
    first, _ = hits(box, seen, Wish(weight=0.0, k=24))
    assert first != hits(scanned, seen, Wish(weight=0.0, k=24))[0]  # it does miss some
    for k in (24, 30, 100):
        listed = []
        more = True
        while more:
            page, more = hits(box, seen, Wish(weight=0.0, k=k, skip=len(listed)))
            listed += page
        assert listed[:24] == first
        assert len({one.product for one in listed}) == len(listed) == 1000


def test_the_search_is_asked_in_turns_only_where_it_may_miss_some(a_box):
    random = np.random.default_rng(6)
    box = a_box(random.normal(size=(500, 8)), random.random((500, 4)), [f"p{row:03}" for row in range(500)])
    asked = []

    def search(shape, color, weight, k, may):
        asked.append(k)
        return box.search(shape, color, weight, k, may)

    for rough, skip in ((True, 0), (True, 24), (False, 0), (False, 24)):
        hits(replace(box, search=search, rough=rough), of_product(box, "p042"), Wish(weight=0.3, k=24, skip=skip))
    assert asked == [25, 25, 101, 25, 49]


def test_a_list_of_a_large_catalog_is_not_found_product_by_product(large):
    """A walk over 20,000 pictures in Python would take longer than this; numpy takes some milliseconds on a free machine."""
    seen, wish = of_product(large, "p0017"), Wish(weight=0.3, k=24, group_by="brand", order="worst")
    hits(large, seen, wish)
    spent = []
    for _ in range(5):
        began = time.process_time()
        hits(large, seen, wish)
        spent.append(time.process_time() - began)
    assert min(spent) < 0.05


# Vectors


def test_a_product_is_the_mean_of_its_views(shelf):
    found = of_product(shelf, "b")
    np.testing.assert_allclose(found.shape, around(35)[0], atol=1e-3)
    np.testing.assert_allclose(found.color, around(60)[0], atol=1e-3)
    assert of_product(shelf, "gone") is None


def test_towards_what_is_liked_and_away_from_what_is_disliked():
    """(1, 0) less half of (0, 1) is (1, -0.5); disliked alone is the opposite."""
    found = between([asking(0, 30)], [asking(90, 30)])
    np.testing.assert_allclose(found.shape, np.array([2, -1]) / np.sqrt(5), atol=1e-6)
    np.testing.assert_allclose(found.color, around(30)[0], atol=1e-6)
    np.testing.assert_allclose(between([asking(0), asking(90)], []).shape, around(45)[0], atol=1e-6)
    np.testing.assert_allclose(between([], [asking(10)]).shape, around(190)[0], atol=1e-6)


def test_a_square_is_seen_in_shape_and_in_color(shelf):
    square = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    found = looked(shelf, square)
    np.testing.assert_array_equal(found.color, color_histogram(square[None])[0])
    np.testing.assert_array_equal(found.shape, color_histogram(square[None], bins=1)[0])


def test_vectors_may_stay_on_the_disk(shelf, tmp_path):
    for name in ("shape", "color"):
        np.save(tmp_path / f"{name}.npy", getattr(shelf.vectors, name))
    mapped = {name: np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("shape", "color")}
    vectors = Vectors(**mapped, ids=shelf.vectors.ids)
    box = replace(shelf, vectors=vectors, search=partial(scan.exact, vectors))
    for order in ("best", "worst"):
        assert listed(box, asking(), order=order) == listed(shelf, asking(), order=order)
    assert of_product(box, "b").shape.tolist() == of_product(shelf, "b").shape.tolist()
