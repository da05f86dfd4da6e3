"""Bag Hunter, the second of the older systems: its catalog of Farfetch bags, and the faults that lost or doubled them.

It read a listing API into a document store, kept the raw item, and refreshed from the first pages every other week.
"""

from pathlib import Path

import yaml

from lookalike.catalog import pages
from lookalike.catalog.crawl import Plan
from lookalike.toy.shop.faces import FACES
from lookalike.toy.shop.serve import serving
from lookalike.toy.shop.stock import stock

CONFIGS = Path(__file__).parents[2] / "configs"
SHELF = {"products": 24, "views": 2, "size": 32, "per_page": 10, "seed": 1}


def published(trip):
    return trip.book.publish(trip.number)


def test_the_listing_of_all_bags_is_ready_to_be_crawled():
    said = yaml.safe_load((CONFIGS / "shop" / "farfetch.yaml").read_text())
    assert "/plpslice/listing-api/products-facets?page=1" in said["start"][0]
    assert "c-category=135971" in said["start"][0]


def test_an_item_is_kept_with_its_brand_and_its_pictures(walked, catalog, drawn_pictures):
    shelf = stock(**SHELF)
    with serving(shelf, pictures=drawn_pictures, layout="farfetch") as shop:
        published(walked(shop, "farfetch"))
    face = FACES["farfetch"]
    drawn = {face.known_as(item)[0]: (item.brand, item.price, len(item.photos)) for item in shelf.items}
    assert {one.product: (one.brand, one.price, len(one.views)) for one in catalog.products()} == drawn


def test_the_raw_item_is_kept(walked, tmp_path, drawn_pictures):
    with serving(stock(**SHELF), pictures=drawn_pictures, layout="farfetch") as shop:
        walked(shop, "farfetch")
    kept = [pages.read(tmp_path / "pages", one.name.partition(".")[0]) for one in (tmp_path / "pages").glob("*/*")]
    assert any('"listingItems"' in text for text in kept)


def test_a_refresh_reads_the_first_pages_and_what_it_finds_reaches_the_catalog(walked, catalog, drawn_pictures):
    with serving(stock(**SHELF), pictures=drawn_pictures, layout="farfetch") as shop:
        published(walked(shop, "farfetch"))
        shop.put(stock(**SHELF, day=1, added=4, gone=0, repriced=0))
        refresh = Plan(shop="toy", scope="first pages", complete=False)
        did = published(walked(shop, "farfetch", plan=refresh, since=True, week=2))
    assert did.new == 4
    assert len(catalog.products()) == 28


def test_no_id_is_stored_twice_however_often_it_is_crawled(walked, catalog, drawn_pictures):
    with serving(stock(**SHELF), pictures=drawn_pictures, layout="farfetch") as shop:
        for week in range(3):
            published(walked(shop, "farfetch", week=week))
    ids = [one.product for one in catalog.products()]
    assert len(ids) == len(set(ids)) == 24
