"""What the catalog is counted by, read from a real one."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from lookalike.catalog.presence import SHELF, Presence, presence, products_of, shelf
from lookalike.catalog.product import Product, View
from lookalike.catalog.store import CHUNK, open_store

MONDAY = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
WEEK = timedelta(days=7)


def view(letter):
    told = {"sha256": letter * 64, "format": "JPEG", "width": 640, "height": 480, "size": 12_345}
    return View(fingerprint=b"", source="", **told)


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/catalog.db") as opened:
        yield opened


def test_an_empty_catalog_is_an_empty_table_of_the_same_columns(store):
    assert shelf(store).schema == SHELF
    assert len(shelf(store)) == 0


def test_a_row_a_product_with_its_views_counted_by_shop_and_id(store):
    told = [
        Product(
            shop="b", product="1", brand="Größe", price=Decimal("9.90"), currency="EUR", views=(view("a"), view("b"))
        ),
        Product(shop="a", product="2"),
        Product(shop="a", product="1", color="Black", views=(view("a"),)),
    ]
    store.upsert(told, seen=MONDAY)
    found = shelf(store)
    assert found.select("shop", "product", "views").rows() == [("a", "1", 1), ("a", "2", 0), ("b", "1", 2)]
    assert found.row(2, named=True) == {
        **dict.fromkeys(("style", "category", "color", "name"), ""),
        **{"shop": "b", "product": "1", "brand": "Größe", "price": 9.9, "currency": "EUR"},
        **{"gone": False, "last_seen": MONDAY, "views": 2},
    }
    assert shelf(store, shop="b")["product"].to_list() == ["1"]


def test_since_when_a_product_is_there_and_whether_it_is_gone(store):
    both = [Product(shop="a", product="1"), Product(shop="a", product="2")]
    store.upsert(both, seen=MONDAY)
    store.upsert(both[:1], seen=MONDAY + WEEK)
    store.mark_gone("a", before=MONDAY + WEEK)
    assert presence(store, "a", "1") == Presence(first_seen=MONDAY, last_seen=MONDAY + WEEK, gone=False)
    assert presence(store, "a", "2") == Presence(first_seen=MONDAY, last_seen=MONDAY, gone=True)
    assert shelf(store)["gone"].to_list() == [False, True]
    with pytest.raises(KeyError, match="no product a:3"):
        presence(store, "a", "3")


def test_products_come_whole_in_the_order_they_were_asked_for(store):
    told = [Product(shop="a", product=str(number), views=(view("a"),)) for number in range(CHUNK + 2)]
    store.upsert(told, seen=MONDAY)
    assert products_of(store, [("a", "7"), ("a", "none"), ("a", "3")]) == [told[7], told[3]]
    assert len(products_of(store, [(one.shop, one.product) for one in told])) == CHUNK + 2
