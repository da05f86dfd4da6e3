"""What may be shown, how many there are of each, and what is told of a product."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.serving.goods import FACETS, LONGEST, NAMED, Filters, allowed, facets, goods, link, shown, span

ROWS = [
    {"product": "a", "brand": "Acme", "color": "red", "price": "10", "rating": 4.0, "attributes": '{"stock": "3"}'},
    {"product": "b", "brand": "Acme", "color": "blue", "price": "20.50", "rating": 2.0, "attributes": '{"stock": "0"}'},
    {"product": "c", "brand": "Zeta", "color": "red", "price": "", "rating": None},
    {"product": "d", "brand": "", "color": "", "price": "nan", "rating": float("nan"), "attributes": '{"stock": "?"}'},
]


@pytest.fixture(scope="module")
def four(a_pictures_table, a_products_table):
    return goods(a_pictures_table(["d", "a", "b", "a", "c"]), a_products_table(ROWS))


def kept(of, **said):
    return [key for key, there in zip(of.keys, shown(of, Filters(**said)), strict=True) if there]


def test_values_of_one_name_are_alternatives_and_names_must_all_hold(four):
    assert kept(four, values={"brand": ["Acme", "Zeta"]}) == ["a", "b", "c"]
    assert kept(four, values={"brand": ["Acme", "Zeta"], "color": ["red"]}) == ["a", "c"]


@pytest.mark.parametrize("value", ["acme", "Acm", "Acmee", "Zz", "", "A'; drop table", "\0"])
def test_a_value_that_no_product_bears_lets_none_through(four, value):
    assert kept(four, values={"brand": [value]}) == []
    assert kept(four, values={"brand": [value, "Zeta"]}) == ["c"]


def test_a_name_that_the_catalog_tells_nothing_of_lets_none_through(four, a_pictures_table, a_products_table):
    assert kept(four, values={"style": ["any"]}) == []
    without = goods(a_pictures_table(["a"]), a_products_table(ROWS).select("product"))
    assert kept(without, values={"brand": ["Acme"]}) == []
    assert kept(without, price=(0, None)) == []
    assert kept(without, in_stock=True) == []
    assert set(without.facts[0].values()) == {None}


def test_what_is_not_told_is_in_no_range(four):
    assert kept(four, price=(10, None)) == ["a", "b"]
    assert kept(four, price=(None, 10)) == ["a"]
    assert kept(four, price=(10.01, 20.5)) == ["b"]
    assert kept(four, price=(30, 5)) == []
    assert kept(four, rating=0) == ["a", "b"]
    assert kept(four, rating=2.5) == ["a"]
    assert kept(four, in_stock=True) == ["a"]


def test_nothing_asked_lets_all_through_and_makes_no_mask(four):
    assert kept(four) == ["a", "b", "c", "d"]
    assert allowed(four, Filters()) is None
    assert allowed(four, Filters(values={"brand": []})) is None
    assert allowed(four, Filters(values={"brand": ["Acme"]})).tolist() == [False, True, True, True, False]


def test_facets_by_hand(four):
    """Red: a and c. Its own name is not asked, so blue can still be chosen; of brands only those of red ones are left."""
    told = facets(four, Filters(values={"color": ["red"]}))
    assert told["color"] == {"red": 2, "blue": 1}
    assert told["brand"] == {"Acme": 1, "Zeta": 1}
    assert told["category"] == {}
    assert list(facets(four, Filters())["brand"].items()) == [("Acme", 2), ("Zeta", 1)]
    assert facets(four, Filters(values={"brand": ["nobody's"]}))["color"] == {}


def test_equally_frequent_values_stand_in_their_order_however_many_they_are(a_pictures_table, a_products_table):
    """Every other brand has two products."""
    brands = [*range(300), *range(1, 300, 2)]
    rows = [{"product": f"p{place:03}", "brand": f"b{brand:03}"} for place, brand in enumerate(brands)]
    many = goods(a_pictures_table([row["product"] for row in rows]), a_products_table(rows))
    order = [*range(1, 300, 2), *range(0, 300, 2)]
    assert list(facets(many, Filters())["brand"]) == [f"b{brand:03}" for brand in order]


def test_a_value_that_is_too_long_to_be_asked_for_is_none(a_pictures_table, a_products_table):
    """It stays among the product's facts."""
    brands = ["é" * LONGEST, "x" * (LONGEST + 1)]
    rows = [{"product": key, "brand": brand, "style": brand} for key, brand in zip("ab", brands, strict=True)]
    two = goods(a_pictures_table(["a", "b"]), a_products_table(rows))
    assert facets(two, Filters())["brand"] == {brands[0]: 1}
    assert kept(two, values={"brand": brands}) == ["a"]
    assert two.values["style"] == brands[:1]
    assert two.facts[1]["brand"] == brands[1]


def test_a_product_is_told_as_it_is(four):
    told = four.facts[four.row_of["a"]]
    assert (told["brand"], told["price"], told["rating"], told["in_stock"]) == ("Acme", 10.0, 4.0, True)
    assert four.facts[four.row_of["b"]]["in_stock"] is False
    bare = four.facts[four.row_of["d"]]
    assert [bare[name] for name in ("brand", "price", "rating", "in_stock", "url")] == [None] * 5
    assert json.loads(json.dumps(list(four.facts), allow_nan=False))[2]["brand"] == "Zeta"
    assert len(four.facts) == 4


def test_pictures_know_their_product_and_group(four):
    assert [four.keys[row] for row in four.owner] == ["d", "a", "b", "a", "c"]
    brands = four.groups["brand"]
    assert brands[1] == brands[2] == brands[3]
    assert len({int(brands[0]), int(brands[1]), int(brands[4])}) == 3
    assert len(set(four.groups["style"].tolist())) == 4  # who tells none stands alone


def test_a_product_without_a_picture_is_not_there(a_pictures_table, a_products_table):
    two = goods(a_pictures_table(["c", "a"]), a_products_table(ROWS))
    assert two.keys == ["a", "c"]
    assert facets(two, Filters())["brand"] == {"Acme": 1, "Zeta": 1}


@pytest.mark.parametrize(
    "attributes", ["", "{}", "[]", '["stock"]', '{"stock": null}', '{"stock": 1' + "0" * 400 + "}"]
)
def test_a_stock_that_is_no_number_is_not_told(a_pictures_table, a_products_table, attributes):
    one = goods(a_pictures_table(["a"]), a_products_table([{"product": "a", "attributes": attributes}]))
    assert one.facts[0]["in_stock"] is None


@pytest.mark.parametrize(
    "address",
    ["https://shop.example/a?b=c#d", "http://shop.example", "HTTPS://shop.example:8443/ä", "https://shop.example/a@b"],
)
def test_addresses_of_shops_are_handed_out(address):
    assert link(address) == address


@pytest.mark.parametrize(
    "address",
    [
        *("javascript:alert(1)", "data:text/html,x", "ftp://shop.example", "//shop.example", "/a", "", None, 7),
        *(
            "https://",
            "https:///a",
            "https://?a",
            "https://user@shop.example/",
            "https://shop.example@elsewhere.example",
        ),
        *("https://shop.example/a b", "https://shop.example/\n", "java\nscript:alert(1)", " https://shop.example"),
        *("https://shop.example/a\x00", "https:\\\\shop.example", "https://shop.example\\@elsewhere.example"),
    ],
)
def test_any_other_address_is_not(address):
    assert link(address) is None


def test_the_least_and_the_greatest_of_what_is_told():
    assert span(np.array([np.nan, 3, 1])) == (1, 3)
    assert span(np.array([np.nan])) is None
    assert span(np.array([])) is None


words = st.sampled_from(["", "a", "b", "c", "d"])
values = st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), max_size=3)
a_row = st.fixed_dictionaries(
    {
        **dict.fromkeys(NAMED, words),
        "price": st.sampled_from(["", "1", "2.5", "x"]),
        "rating": st.sampled_from([None, 1.0, 4.5]),
        "attributes": st.sampled_from(["{}", '{"stock": "0"}', '{"stock": "2"}']),
    }
)
edges = st.sampled_from([None, 1.0, 2.0, 3.0])
asked_for = st.builds(
    Filters,
    values=st.dictionaries(st.sampled_from(NAMED), values),
    price=st.tuples(edges, edges),
    rating=st.sampled_from([None, 1.0, 2.0]),
    in_stock=st.booleans(),
)


def lets_through(said, row, *, leaving_out=""):
    """As a person reads the filter, one product at a time."""
    price = float(row["price"]) if row["price"] not in ("", "x") else None
    low, high = said.price
    return (
        all(row[name] in wanted for name, wanted in said.values.items() if wanted and name != leaving_out)
        and (low is None or (price is not None and price >= low))
        and (high is None or (price is not None and price <= high))
        and (said.rating is None or (row["rating"] is not None and row["rating"] >= said.rating))
        and (not said.in_stock or json.loads(row["attributes"]).get("stock") == "2")
    )


@settings(deadline=None, max_examples=80)
@given(rows=st.lists(a_row, min_size=1, max_size=12), said=asked_for)
def test_filters_and_facets_are_those_of_counting_one_by_one(a_pictures_table, a_products_table, rows, said):
    rows = [{"product": f"p{place:02}", **row} for place, row in enumerate(rows)]
    of = goods(a_pictures_table([row["product"] for row in reversed(rows)]), a_products_table(rows))
    assert shown(of, said).tolist() == [lets_through(said, row) for row in rows]
    told = facets(of, said)
    for name in FACETS:
        left = [row[name] for row in rows if lets_through(said, row, leaving_out=name) and row[name]]
        assert list(told[name].items()) == sorted(
            ((value, left.count(value)) for value in set(left)), key=lambda one: (-one[1], one[0])
        )
