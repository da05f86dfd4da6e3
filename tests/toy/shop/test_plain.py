"""The toy shop in its own clothes: every fact that is drawn stands on a page."""

from dataclasses import replace
from decimal import Decimal
from urllib.parse import urlsplit

import pytest
from parsel import Selector

from lookalike.toy.shop.answer import FACTS
from lookalike.toy.shop.faces.plain import FACE, money

SITE = "http://127.0.0.1:1"


def page(stock, path, face=FACE.answer):
    at = urlsplit(path)
    query = dict(part.split("=") for part in at.query.split("&") if part)
    said = face(stock, at.path, query, SITE)
    return said and Selector(said.body.decode())


def walked(stock):
    """Every page of the listing, from link to link."""
    at, pages = FACE.start(stock), []
    while at:
        pages.append(page(stock, at))
        at = pages[-1].css("link[rel=next]::attr(href)").get("").removeprefix(SITE)
    return pages


def told(stock, item):
    """The facts on a product's page."""
    shown = page(stock, f"/p/{item.product}").css("dl.facts")
    return dict(zip(shown.css("dt::text").getall(), shown.css("dd::text").getall(), strict=True))


def test_the_listing_shows_every_product_once_in_its_order(shelf):
    on = shelf()
    pages = walked(on)
    assert [len(one.css("a.product")) for one in pages] == [10, 10, 4]
    links = [href for one in pages for href in one.css("ul.products a.product::attr(href)").getall()]
    assert links == [f"/p/{item.product}" for item in on.items]
    assert {one.css("meta[name=product-count]::attr(content)").get() for one in pages} == {"24"}
    assert pages[0].css("a.product::text").get() == on.items[0].name


def test_a_product_page_tells_all_that_is_drawn(shelf):
    for item in shelf().items:
        expected = {
            "product": item.product,
            "style": item.style,
            "brand": item.brand,
            "category": item.category,
            "color": item.color,
            "name": item.name,
            "price": money(item.price, item.currency),
            "currency": item.currency,
            "rating": item.rating,
            "stock": str(item.stock),
            "list_price": money(item.list_price, item.currency) if item.list_price else "",
        }
        assert told(shelf(), item) == {name: value for name, value in expected.items() if value}
    assert FACE.tells == FACTS


def test_a_product_page_shows_every_view(shelf):
    on = shelf()
    item = on.items[5]
    shown = page(on, f"/p/{item.product}")
    assert shown.css("figure::attr(data-view)").getall() == [photo.view for photo in item.photos]
    pictures = shown.css("figure img::attr(src)").getall()
    assert [FACE.photo(path) for path in pictures] == [(photo.id, None) for photo in item.photos]
    assert shown.css("link[rel=canonical]::attr(href)").get() == f"{SITE}/p/{item.product}"


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        *[("1250.00", "USD", "$1,250.00"), ("1250.00", "GBP", "£1,250.00"), ("1250.00", "EUR", "1.250,00 €")],
        *[("9.95", "USD", "$9.95"), ("89.95", "EUR", "89,95 €")],
    ],
)
def test_a_price_is_written_as_shops_of_its_currency_do(shelf, amount, currency, written):
    item = replace(shelf().items[0], price=Decimal(amount), currency=currency, list_price=None)
    assert told(replace(shelf(), items=(item,)), item)["price"] == written


def test_a_name_is_text_whatever_is_in_it(shelf):
    name = '<script>alert(\'1\')</script> & "co" 6" boot'
    on = replace(shelf(), items=(replace(shelf().items[0], name=name),))
    assert told(on, on.items[0])["name"] == name
    assert page(on, FACE.start(on)).css("a.product::text").get() == name
    assert not page(on, FACE.start(on)).css("script")


@pytest.mark.parametrize(
    "path",
    ["/shoes-and-bags?page=3", "/shoes-and-bags?page=-1", "/shoes-and-bags?page=x", "/p/toy-99999-0", "/p/", "/q"],
)
def test_what_is_not_there_is_no_page(shelf, path):
    assert page(shelf(), path) is None


def test_an_empty_shelf_has_a_listing_of_nothing(shelf):
    bare = page(replace(shelf(), items=()), "/shoes-and-bags?page=0")
    assert bare.css("meta[name=product-count]::attr(content)").get() == "0"
    assert not bare.css("a.product")


def test_an_odd_item_leads_nowhere_and_stands_beside_the_others(shelf):
    links = page(shelf(), FACE.start(shelf()), FACE.odd).css("a.product")
    assert len(links) == 11
    assert [link.attrib.get("href") for link in links][-1] is None


def test_robots_may_read_all_but_the_search():
    assert FACE.robots(SITE).splitlines() == ["User-agent: *", "Disallow: /search"]


def test_a_picture_is_asked_for_by_its_id_and_perhaps_a_side():
    assert FACE.photo("/images/31Qz+7bKx2L.jpg") == ("31Qz+7bKx2L", None)
    assert FACE.photo("/images/31Qz+7bKx2L._SX160_.jpg") == ("31Qz+7bKx2L", 160)
    assert FACE.photo("/images/../x.jpg") is None


def test_it_calls_things_as_they_are_drawn(shelf):
    item = shelf().items[4]
    assert FACE.known_as(item) == (item.product, item.style)
    assert FACE.view_of("outside") == "outside"
