"""`lookalike catalog` on real catalogs: what it says, the pages it leaves, and how a product is found."""

import io
import re
from contextlib import closing, redirect_stdout
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import cv2
import numpy as np
import pytest

from lookalike.catalog import pictures
from lookalike.catalog.crawl import Plan
from lookalike.catalog.crawls import Crawls
from lookalike.catalog.product import Product, View
from lookalike.catalog.store import open_store
from lookalike.cli import catalog
from lookalike.settings import Catalog, DataError, Paths

MONDAY = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
WEEK = timedelta(days=7)
HOSTILE = "Boot [red]<script>alert(1)</script>[/red] Größe"


def boot(product, **facts):
    told = {
        "shop": "zappos",
        "style": product.partition("/")[0],
        "brand": "Frye",
        "category": "boots",
        "name": "Melissa",
    }
    return Product(**{"product": product, "price": Decimal("100.00"), "currency": "USD", **told, **facts})


def view(root, shade, name="MAIN"):
    data = cv2.imencode(".png", np.full((60, 90, 3), shade, np.uint8))[1].tobytes()
    facts = {"format": "PNG", "width": 90, "height": 60, "size": len(data)}
    return View(view=name, sha256=pictures.keep(root, data), fingerprint=b"", source="page", **facts)


def filled(at):
    """Two shops: a style of two colorways, one of them cheaper after a week, and a hostile product that is gone."""
    root = at / "data/images"
    first = boot(
        "7/101", color="Cognac", stock=3, views=(view(root, 10), view(root, 20, "PAIR")), attributes={"width": "M"}
    )
    second = boot("7/3", color="Black", url="https://shop.example/7/3")
    gone = boot("9/1", name=HOSTILE, category="", attributes={HOSTILE: HOSTILE})
    other = boot("9/1", shop="farfetch", brand="Acme", currency="EUR", style="9")
    with open_store(f"sqlite:///{at}/data/catalog.sqlite") as store:
        store.upsert([first, second, gone, other], seen=MONDAY)
        store.upsert([replace(first, price=Decimal("75.00"), stock=0), second, other], seen=MONDAY + WEEK)
        store.mark_gone("zappos", before=MONDAY + WEEK)
        number = store.begin_import("feed", "shop.xml", started=MONDAY)
        store.end_import(number, ended=MONDAY, status="done", counts={"rows": 5, "set_aside": 0})
        crawls = Crawls(store)
        with crawls.alone("zappos"):
            plan = Plan(shop="zappos", scope="/boots", complete=True)
            crawl, _ = crawls.begin(plan, now=MONDAY + WEEK, go_on_for=WEEK)
            crawls.end(crawl.number, "suspect", now=MONDAY + WEEK, notes=["0 products where 1 is the least"])
    return at


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return filled(tmp_path_factory.mktemp("shops"))


def page(at, name="catalog.html"):
    return next((at / "data/reports").rglob(name)).read_text()


def lines(said):
    return [" ".join(line.split()) for line in said.splitlines()]


def test_an_empty_catalog_says_what_to_do_next_and_leaves_a_page(lookalike, tmp_path):
    said = lookalike("catalog", at=tmp_path)
    assert "The catalog is empty. Fill it from a shop: lookalike scrape shop=zappos" in said
    assert "The catalog is empty" in page(tmp_path)


def test_an_empty_catalog_has_no_product_to_show(lookalike, tmp_path):
    said = lookalike("catalog", "show=7", at=tmp_path, code=3)
    assert "the catalog has no product to show. Fill it from a shop" in said


def test_it_counts_by_shop_brand_and_category(lookalike, shop):
    said = lines(lookalike("catalog", at=shop))
    assert "shop products of these gone without a picture views a product" in said
    assert "zappos 3 1 2 0.7" in said
    assert "farfetch 1 0 1 0.0" in said
    assert "Frye 3 1 2 0.7" in said
    assert "no category 1 1 1 0.0" in said


def test_it_tells_the_crawls_and_imports_and_why_one_was_not_published(lookalike, shop):
    said = lines(lookalike("catalog", at=shop))
    at = said.index("crawls and imports, newest first (UTC)")
    assert said[at + 1].startswith("2026-03-09 08:30 suspect crawl of zappos")
    assert said[at + 2] == "0 products where 1 is the least"
    assert said[at + 3] == "2026-03-02 08:30 done feed of shop.xml: rows 5"
    assert said[-1].startswith("The last crawl of zappos is suspect. Nothing was published: 0 products where")


def test_it_tells_price_changes_as_many_as_are_asked_for(lookalike, shop):
    assert "2026-03-09 zappos:7/101 100.00 -> 75.00 USD -25.0 %" in lines(lookalike("catalog", at=shop))
    assert "price changes" not in lookalike("catalog", "changes=0", at=shop)


def test_the_page_tells_the_same(lookalike, shop):
    said = lookalike("catalog", at=shop)
    assert "data/reports/catalog.html" in said
    text = page(shop)
    assert "<dd>4</dd><dt>products</dt>" in text
    assert "0 products where 1 is the least" in text
    assert "-25.0 %" in text


def looked(at, **asked):
    """What the verb says when it is handed these settings."""
    said = io.StringIO()
    with redirect_stdout(said):
        assert catalog.run(Catalog(paths=Paths(data=str(at / "data")), **asked)) == 0
    return said.getvalue()


def test_one_shop_alone_however_its_name_is_written(shop):
    said = looked(shop, of="FarFetch")
    assert "1 product of 1 shop. No crawl of a shop has ended yet." in said
    assert "zappos" not in said


def test_a_shop_that_is_not_there_is_named_with_those_that_are(shop):
    with pytest.raises(DataError, match="no shop 'zapos' in this catalog; it has farfetch, zappos"):
        looked(shop, of="zapos")


# One product


@pytest.mark.parametrize("words", [("show=zappos:7/101",), ("show", "zappos:7/101"), ("show", "7/101")])
def test_a_product_is_shown_by_its_key_or_its_id(lookalike, shop, words):
    said = lookalike("catalog", *words, at=shop)
    assert "price 75.00 USD" in lines(said)
    assert "stock sold out" in lines(said)
    assert "width M" in lines(said)
    assert "2026-03-09 08:30 75.00 USD sold out" in lines(said)
    assert "other colorways: zappos:7/3" in said
    text = page(shop, "zappos-7-101-*.html")
    assert text.count("<img ") == 2
    assert '<a href="https://shop.example' not in text


def test_a_style_shows_all_its_colorways_though_its_name_be_a_number(lookalike, shop):
    said = lookalike("catalog", "show", "7", at=shop)
    assert "color Cognac" in lines(said)
    assert "color Black" in lines(said)
    assert "other colorways" not in said
    assert 'href="https://shop.example/7/3"' in page(shop, "style-zappos-7-*.html")


@pytest.mark.parametrize(("asked", "keys"), [("9/1", "farfetch:9/1, zappos:9/1"), ("9", "farfetch:9, zappos:9")])
def test_what_several_shops_have_is_listed_by_key(lookalike, shop, asked, keys):
    assert f"{asked!r} is in several shops; give one of {keys}." in lookalike("catalog", "show", asked, at=shop, code=3)


def test_the_shop_may_be_said_beside_an_id_that_several_have(shop):
    assert "brand Acme" in lines(looked(shop, show="9/1", of="farfetch"))
    assert "brand Acme" in lines(looked(shop, show="farfetch:9"))


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("zappos:7/11", "Did you mean zappos:7/101"),
        ("farfetch:7/3", "Did you mean zappos:7/3?"),
        ("melissa", "Did you mean farfetch:9/1, zappos:7/101, zappos:7/3?"),
        ("nothing like it", "Give a product's key (shop:id), its id, or a style."),
    ],
)
def test_an_unknown_one_names_what_is_near(lookalike, shop, asked, meant):
    said = lookalike("catalog", f"show={asked}", at=shop, code=3)
    assert f"no product and no style '{asked}' in this catalog. {meant}" in said


def test_what_a_shop_wrote_is_neither_markup_of_the_page_nor_of_the_terminal(lookalike, shop):
    said = lookalike("catalog", "show=zappos:9/1", at=shop)
    assert said.count(HOSTILE) == 4  # the title, the name, an attribute and its name
    assert "in its shop no longer: it is gone" in lines(said)
    text = page(shop, "zappos-9-1-*.html")
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_a_missing_picture_does_not_keep_the_rest_from_being_shown(lookalike, tmp_path):
    at = filled(tmp_path)
    next(one for one in (at / "data/images").rglob("*") if one.is_file()).unlink()
    lookalike("catalog", "show=7/101", at=at)
    text = page(at, "zappos-7-101-*.html")
    assert (text.count("cannot be shown"), text.count("<img ")) == (1, 1)


def test_two_products_never_share_a_page_and_its_name_is_safe_anywhere():
    names = [catalog.page_name(one) for one in ("a/b", "a-b", "a:b", "A/b", "../..", "日本", "x" * 500, "..\\con")]
    assert len({name.casefold() for name in names}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*\.html", name) and len(name) < 80 for name in names)


def test_nothing_in_the_catalog_is_changed_by_looking(lookalike, tmp_path):
    at = filled(tmp_path)
    with closing(open_store(f"sqlite:///{at}/data/catalog.sqlite")) as store:
        before = store.products(), store.counts(), Crawls(store).all()
        lookalike("catalog", at=at)
        lookalike("catalog", "show=7", at=at)
        assert (store.products(), store.counts(), Crawls(store).all()) == before
