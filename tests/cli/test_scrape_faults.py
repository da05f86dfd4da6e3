"""Whatever goes wrong with a shop, the catalog is whole: as it was, or as the shop is now; and the user reads what happened."""

import shutil
from contextlib import suppress

import pytest

from lookalike.catalog.crawls import Crawls
from lookalike.catalog.store import open_store
from lookalike.toy.shop.faults import FAULTS, Fault
from lookalike.toy.shop.serve import serving
from lookalike.toy.shop.stock import stock

SHELF = {"products": 20, "views": 2, "size": 32, "per_page": 10, "seed": 0}
MONDAY, TUESDAY = stock(**SHELF), stock(**SHELF, day=1, added=2, gone=1, repriced=3)

ENDS = {  # fault -> how the crawl ends, and what its user reads
    "slow": ("published", "new        2"),
    "429": ("blocked", "429"),
    "403": ("blocked", "403"),
    "challenge": ("blocked", "a challenge instead of a page"),
    "400_with_body": ("published", "repriced   3"),
    "500": ("suspect", "status_500"),
    "500_once": ("published", "gone       1"),
    "broken_picture": ("suspect", "of 42 pictures came and could be decoded"),
    "half_page": ("suspect", "half_page"),
    "cut_short": ("suspect", "cut_short"),
    "layout_change": ("suspect", "pages could be read"),
    "gone": ("suspect", "the last good crawl brought 20"),
    "empty": ("suspect", "0 products came"),
    "odd_item": ("suspect", "items could not be read"),
    "too_big": ("suspect", "too_big"),
    "price_text": ("suspect", "a price that was understood"),
}


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    with serving(MONDAY, pictures=tmp_path_factory.mktemp("drawn"), layout="zappos") as shop:
        yield shop


@pytest.fixture(scope="module")
def command(opened):
    words = ("shop=zappos", f"shop.site={opened.site}", f"shop.start=['{opened.start.removeprefix(opened.site)}']")
    return ("scrape", *words, "name=toy", "delay=0", "max_bytes=300000", "seconds=5")


@pytest.fixture(scope="module")
def monday(lookalike, opened, command, tmp_path_factory):
    """A catalog of one good crawl."""
    at = tmp_path_factory.mktemp("monday")
    lookalike(*command, at=at)
    return at


@pytest.fixture
def at(monday, tmp_path):
    shutil.copytree(monday / "data", tmp_path / "data")
    return tmp_path


def contents(at):
    with open_store(f"sqlite:///{at}/data/catalog.sqlite") as store:
        return [one.status for one in Crawls(store).all()], store.products(with_gone=False)


def prices(products):
    return {one.product: one.price for one in products}


def test_every_fault_is_tried():
    assert set(ENDS) == set(FAULTS)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ENDS))
def test_the_catalog_is_whole_whatever_goes_wrong(lookalike, opened, command, monday, at, name):
    status, told = ENDS[name]
    opened.put(TUESDAY)
    opened.fail(Fault(name=name, after=0 if name in {"broken_picture", "empty", "odd_item"} else 3, slow=0.05))
    if name == "broken_picture":  # pictures that are here are not asked for again
        shutil.rmtree(at / "data" / "images")
    try:
        said = lookalike(*command, "retries=1", at=at, code=int(status != "published"))
    finally:
        opened.fail(None)
    assert told in said, said
    statuses, products = contents(at)
    assert statuses == ["published", status]
    face = opened._face
    now = TUESDAY if status == "published" else MONDAY
    assert prices(products) == {face.known_as(item)[0]: item.price for item in now.items}
    with suppress(FileNotFoundError):
        shutil.rmtree(at / "data")
