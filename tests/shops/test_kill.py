"""A crawl that is killed, and begun again, ends in the same catalog as one that was left alone."""

import sqlite3
import subprocess
import sys
import time

import pytest

from lookalike.toy.shop.serve import serving
from lookalike.toy.shop.stock import stock

SHELF = stock(products=14, views=2, size=32, per_page=5, seed=3)
ONE_CRAWL = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from lookalike.catalog.addresses import FetchRules
from lookalike.catalog.crawl import Plan
from lookalike.catalog.crawls import Crawls
from lookalike.catalog.store import open_store
from shops.crawl import crawl
from shops.shop import shop as shop_of
from shops.trip import Trip

at, site, start = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
monday = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
shop = shop_of("plain", site=site, start=[start.removeprefix(site)])
with open_store(f"sqlite:///{at}/catalog.db") as store:
    book = Crawls(store)
    with book.alone("toy"):
        begun, _ = book.begin(Plan(shop="toy", scope="all", complete=True), now=monday, go_on_for=timedelta(days=1))
        book.first(begun.number, shop.steps)
        rules = FetchRules(ports=(int(site.rpartition(":")[2]),), hosts=shop.hosts, allow_private=shop.trusted)
        crawl(Trip(book=book, crawl=begun, shop=shop, rules=rules, pictures=at / "images", pages=at / "pages"))
        book.publish(begun.number, now=monday)
"""


def begun(at, shop):
    words = [sys.executable, "-c", ONE_CRAWL, str(at), shop.site, shop.start]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finished(at, shop):
    with begun(at, shop) as process:
        said = process.communicate()[0]
    assert process.returncode == 0, said


def killed(at, shop, *, after):
    """Begin a crawl and kill it once it has asked for so much more."""
    before = len(shop.asked)
    with begun(at, shop) as process:
        while len(shop.asked) < before + after:
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.001)
        process.kill()


def catalog(at):
    """All that the catalog holds, row by row, and the pictures that lie beside it."""
    with sqlite3.connect(at / "catalog.db") as database:
        tables = {
            table: sorted(map(repr, database.execute(f"SELECT * FROM {table}")))  # noqa: S608
            for table in ("products", "views", "history")
        }
    database.close()
    pictures = [one.name for one in (at / "images").glob("*/*")]
    return tables | {
        "pictures": sorted(one for one in pictures if not one.startswith("."))
    }  # a kill leaves a temporary name


@pytest.mark.slow
def test_killed_four_times_a_crawl_ends_as_if_nothing_had_been(tmp_path):
    alone, disturbed = tmp_path / "alone", tmp_path / "disturbed"
    with serving(SHELF, pictures=tmp_path / "drawn") as shop:
        finished(alone, shop)
        undisturbed = len(shop.asked)
        for after in (2, 3, 9, 6):  # in the midst of a listing, of a product's pictures, of whatever comes next
            killed(disturbed, shop, after=after)
        finished(disturbed, shop)
        asked = len(shop.asked) - undisturbed
    assert catalog(disturbed) == catalog(alone)
    assert len(catalog(alone)["products"]) == 14
    assert asked < 2 * undisturbed  # it went on: what was done was not done again
