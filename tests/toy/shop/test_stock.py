"""The shelf: what stands on it, and how it changes from day to day."""

import re
import subprocess
import sys
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.settings import ConfigError
from lookalike.toy import catalog
from lookalike.toy.shop.faces.plain import facts
from lookalike.toy.shop.stock import stock

USUAL = {"products": 389, "views": 4, "size": 240, "per_page": 60, "seed": 0}
TOLD = ("product", "style", "brand", "category", "color", "name", "price", "currency", "rating")


@pytest.fixture(scope="module")
def days():
    """The first four days of the usual shop."""
    return [stock(**USUAL, day=day) for day in range(4)]


def changes(before, after):
    """Numbers of items that came, that went, that cost otherwise, and that differ in anything else."""
    old, new = before.by_number, after.by_number
    both = old.keys() & new.keys()
    cost = {number for number in both if old[number].price != new[number].price}
    plain = {"price": None, "list_price": None}
    other = {number for number in both if vars(old[number]) | plain != vars(new[number]) | plain}
    return new.keys() - old.keys(), old.keys() - new.keys(), cost, other


def test_on_the_first_day_it_holds_what_an_import_of_the_drawn_catalog_would(days):
    drawn = {}
    for row in catalog.rows():
        drawn.setdefault(row.fields["product"], []).append(row)
    shown = days[0].items
    assert [item.product for item in shown] == list(drawn)
    for item, rows in zip(shown, drawn.values(), strict=True):
        told = {name: facts(item).get(name, "") for name in TOLD}
        assert told == {name: rows[0].fields[name] for name in TOLD}
        assert rows[0].fields["url"].endswith(f"/{item.slug}-{item.style_number}-{item.colorway}")
        assert [(photo.view, photo.shot) for photo in item.photos] == [
            (row.fields["view"], row.read.args[0]) for row in rows
        ]


def test_fewer_products_are_the_first_ones(days):
    assert stock(**USUAL | {"products": 7}).items == days[0].items[:7]


def test_each_day_25_are_new_10_are_gone_40_cost_otherwise_and_nothing_else_changes(days):
    for before, after in pairwise(days):
        new, gone, cost, other = changes(before, after)
        assert (len(new), len(gone), len(cost), other) == (25, 10, 40, set())
    assert [len(day.items) for day in days] == [389, 404, 419, 434]


def test_new_ones_stand_in_front_and_come_from_further_down_the_drawn_catalog(days):
    for day, today in enumerate(days[1:]):
        first = 389 + 25 * day
        assert [item.number for item in today.items[:25]] == list(range(first, first + 25))
    assert [item.number for item in days[2].items[25:]] == [
        item.number for item in days[1].items if item.number in days[2].by_number
    ]


def test_a_cheaper_one_is_on_sale_from_the_price_it_had_and_a_dearer_one_is_not(days):
    before, after = days[0].by_number, days[1].by_number
    _, _, cost, _ = changes(days[0], days[1])
    cheaper = {number for number in cost if after[number].price < before[number].price}
    assert 5 < len(cheaper) < 35
    for number in cost:
        old, new = before[number], after[number]
        assert new.list_price == ((old.list_price or old.price) if number in cheaper else None)


def test_a_price_has_two_digits_of_cents_and_a_list_price_is_higher(days):
    for item in days[3].items:
        assert item.price > 0
        assert item.price.as_tuple().exponent == -2
        assert item.list_price is None or item.list_price > item.price


def test_most_are_rated_and_in_stock_and_some_are_neither(days):
    items = days[0].items
    assert all(bool(item.reviews) == bool(item.rating) for item in items)
    assert 10 < sum(not item.reviews for item in items) < 100
    assert 5 < sum(not item.stock for item in items) < 60
    assert 40 < sum(item.list_price is not None for item in items) < 120


def test_a_photo_has_an_id_of_its_own_that_no_day_changes(days):
    every = [photo for item in days[0].items for photo in item.photos]
    assert len(days[0].by_photo) == len(every) == 389 * 4
    assert all(re.fullmatch(r"[3-8]1[A-Za-z0-9+]{9}", photo.id) for photo in every)
    assert 20 < sum("+" in photo.id for photo in every) < 400
    kept = days[0].by_photo.keys() & days[3].by_photo.keys()
    assert len(kept) == 4 * len(days[0].by_number.keys() & days[3].by_number.keys())
    assert all(days[0].by_photo[name][1] == days[3].by_photo[name][1] for name in kept)


def test_things_are_found_by_product_style_and_photo(days):
    item = days[1].items[30]
    assert days[1].by_product[item.product] is item
    assert days[1].by_photo[item.photos[2].id] == (item, item.photos[2])
    own = days[1].by_style[item.style_number]
    assert item in own
    assert [one.colorway for one in own] == sorted(one.colorway for one in own)
    assert sum(map(len, days[1].by_style.values())) == len(days[1].items)


def test_another_process_fills_the_same_shelf(shelf):
    words = "from lookalike.toy.shop.stock import stock; print(stock(products=24, views=3, size=32, per_page=10, seed=3"
    said = subprocess.run(
        [sys.executable, "-c", f"{words}, day=2, added=5, gone=2, repriced=4))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == repr(shelf(day=2))


def test_another_seed_is_another_shelf(shelf):
    assert {item.name for item in shelf().items} != {item.name for item in shelf(seed=4).items}


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 4), st.integers(0, 9), st.integers(0, 30), st.integers(0, 30))
def test_counts_are_exact_for_any_shop_on_any_day(day, added, gone, repriced):
    said = {"products": 20, "views": 1, "size": 32, "per_page": 9, "seed": 1}
    said |= {"added": added, "gone": gone, "repriced": repriced}
    before, after = stock(**said, day=day - 1), stock(**said, day=day)
    new, left, cost, other = changes(before, after)
    gone = min(gone, len(before.items))  # no more than there are
    assert (len(new), len(left), other) == (added, gone, set())
    assert len(cost) == min(repriced, len(before.items) - gone)


def test_what_costs_least_can_only_become_dearer():
    said = USUAL | {"products": 30, "added": 0, "gone": 0, "repriced": 30}
    shelves = [stock(**said, day=day) for day in range(50, 70)]
    assert min(item.price for on in shelves for item in on.items) == Decimal("9.95")  # it comes that far
    assert [len(changes(before, after)[2]) for before, after in pairwise(shelves)] == [30] * 19  # and no further


def test_a_shelf_beyond_the_end_of_the_drawn_catalog_is_refused(monkeypatch):
    monkeypatch.setitem(catalog.BOUNDS, "styles", (1, 3))
    with pytest.raises(ConfigError, match=r"the drawn catalog ends after 9 products; .*products="):
        stock(**USUAL)
