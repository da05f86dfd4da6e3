"""What goes wrong when it is asked to, as whoever crawls the shop meets it."""

import http.client
import re
import time
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

import pytest
from parsel import Selector

from lookalike.settings import ConfigError, Layout
from lookalike.toy.shop.faces import FACES
from lookalike.toy.shop.faces.plain import FACE
from lookalike.toy.shop.faults import FAULTS, Fault, without_prices
from lookalike.toy.shop.serve import ToyShop

LISTING = "/shoes-and-bags?page=0"
PRODUCT = "/p/toy-00000-0"


def pages(shelf):
    return {"listing": LISTING, "product": PRODUCT, "picture": f"/images/{shelf().items[0].photos[0].id}.jpg"}


def links(said):
    return Selector(said.body.decode()).css("ul.products a.product::attr(href)").getall()


@pytest.mark.parametrize("name", sorted(FAULTS.keys() - {"slow", "cut_short", "too_big", "layout_change"}))
def test_a_fault_begins_after_so_many_answers_of_its_kinds_and_leaves_the_others_alone(opened, get, shelf, name):
    right, wrong = opened(), opened(fault=Fault(name=name, after=2))
    for kind, path in pages(shelf).items():
        good = get(right, path)
        if kind not in FAULTS[name].spoils:
            for _ in range(4):
                assert same(get(wrong, path), good, wrong, right)
    kind = max(FAULTS[name].spoils)
    path, good = pages(shelf)[kind], get(right, pages(shelf)[kind])
    met = [same(get(wrong, path), good, wrong, right) for _ in range(3)]
    assert met == [True, True, False]
    assert get(wrong, "/robots.txt").status == 200


def same(said, good, wrong, right):
    """Whether two shops said the same, but for their addresses."""
    return said.status == good.status and said.body.replace(wrong.site.encode(), right.site.encode()) == good.body


@pytest.mark.parametrize(("name", "status"), [("429", 429), ("403", 403), ("500", 500)])
def test_a_refusal_comes_with_its_status_and_a_short_page(opened, get, shelf, name, status):
    shop = opened(fault=Fault(name=name))
    for kind in FAULTS[name].spoils:
        said = get(shop, pages(shelf)[kind])
        assert said.status == status
        assert said.headers["Content-Type"].startswith("text/html")
        assert 50 < len(said.body) < 500


def test_429_says_when_to_come_back(opened, get):
    assert get(opened(fault=Fault(name="429")), PRODUCT).headers["Retry-After"] == "30"


def test_a_challenge_is_a_good_status_with_a_question(opened, get):
    said = get(opened(fault=Fault(name="challenge")), PRODUCT)
    assert said.status == 200
    assert b"verify you are a human" in said.body
    assert b"toy-00000" not in said.body


def test_a_bad_request_may_bring_the_whole_page(opened, get):
    good, said = get(opened(), LISTING), get(opened(fault=Fault(name="400_with_body")), LISTING)
    assert said.status == 400
    assert links(said) == links(good)


def test_500_once_is_once_for_each_page(opened, get):
    shop = opened(fault=Fault(name="500_once"))
    assert [get(shop, path).status for path in (LISTING, PRODUCT, LISTING, PRODUCT, LISTING)] == [
        500,
        500,
        200,
        200,
        200,
    ]


def test_of_five_pictures_three_are_broken_and_asking_again_mends_nothing(opened, get, shelf):
    shop, good = opened(fault=Fault(name="broken_picture")), opened()
    paths = [f"/images/{item.photos[0].id}.jpg" for item in shelf().items[:5]]
    whole, met = [get(good, path).body for path in paths], [get(shop, path) for path in paths]
    assert {one.headers["Content-Type"] for one in met} == {"image/jpeg"}
    assert met[0].body == whole[0][: len(whole[0]) // 2]
    assert b"<html>" in met[1].body
    assert met[2].body == b""
    assert [one.body for one in met[3:]] == whole[3:]
    assert [get(shop, path).body for path in paths] == [one.body for one in met]


def test_half_a_page_claims_to_be_whole(opened, get):
    good, said = get(opened(), PRODUCT), get(opened(fault=Fault(name="half_page")), PRODUCT)
    assert said.status == 200
    assert int(said.headers["Content-Length"]) == len(said.body) == len(good.body) // 2


@pytest.mark.parametrize("kind", ["listing", "product", "picture"])
def test_a_connection_may_end_before_the_length_that_was_told(opened, get, shelf, kind):
    path = pages(shelf)[kind]
    with pytest.raises(http.client.IncompleteRead) as met:
        get(opened(fault=Fault(name="cut_short")), path)
    assert 0 < len(met.value.partial) < len(get(opened(), path).body)


def test_after_half_of_the_product_pages_the_layout_is_one_that_nobody_knows(opened, get, shelf):
    shop = opened(fault=Fault(name="layout_change", after=1))
    half = (
        len({item.style for item in shelf().items}) // 2
    )  # as many pages as a shop has that shows all colorways on one
    met = [get(shop, f"/p/{item.product}") for item in shelf().items]
    assert {one.status for one in met} == {200}
    assert [b'<dl class="facts">' in one.body for one in met] == [True] * half + [False] * (24 - half)
    assert min(len(one.body) for one in met) > 1000  # no block page is that long
    assert len(links(get(shop, LISTING))) == 10


def test_gone_products_are_410(opened, get):
    shop = opened(fault=Fault(name="gone"))
    assert (get(shop, PRODUCT).status, get(shop, LISTING).status) == (410, 200)


def test_an_empty_listing_is_a_page_of_nothing(opened, get):
    said = get(opened(fault=Fault(name="empty")), LISTING)
    assert (said.status, links(said)) == (200, [])
    assert b'content="0"' in said.body


def test_an_odd_item_stands_beside_the_others(opened, get):
    said = get(opened(fault=Fault(name="odd_item")), LISTING)
    assert len(links(said)) == 10
    assert len(Selector(said.body.decode()).css("a.product")) == 11


def test_a_layout_without_an_odd_item_refuses_the_fault(shelf, drawn, monkeypatch):
    monkeypatch.setitem(FACES, "bare", replace(FACE, odd=None))
    with pytest.raises(ConfigError, match="fault=odd_item: layout=bare .*another layout"):
        ToyShop(shelf(), pictures=drawn, layout="bare", fault=Fault(name="odd_item"))


@pytest.mark.parametrize(("of", "begins"), [("product", b"<!doctype html>"), ("picture", b"\xff\xd8\xff")])
def test_a_body_without_an_end_goes_on_for_as_long_as_one_reads(opened, shelf, of, begins):
    shop = opened(fault=Fault(name="too_big", of=of))
    with closing(http.client.HTTPConnection(urlsplit(shop.site).netloc, timeout=20)) as line:
        line.request("GET", pages(shelf)[of])
        said = line.getresponse()
        assert said.headers["Content-Length"] is None
        body = said.read(3_000_000)
        said.close()
    assert len(body) == 3_000_000
    assert body.startswith(begins)


def test_a_slow_shop_takes_its_time(opened, get):
    begun = time.monotonic()
    assert get(opened(fault=Fault(name="slow", slow=0.3)), PRODUCT).status == 200
    assert time.monotonic() - begun >= 0.3
    assert get(opened(fault=Fault(name="slow", slow=600, after=1)), PRODUCT).status == 200  # the first is not slow


def test_prices_that_are_words_are_on_no_page_a_number(opened, get, shelf):
    shop, item = opened(fault=Fault(name="price_text")), next(one for one in shelf().items if one.list_price)
    said = Selector(get(shop, f"/p/{item.product}").body.decode())
    told = dict(zip(said.css("dt::text").getall(), said.css("dd::text").getall(), strict=True))
    assert (told["price"], told["list_price"], told["currency"]) == ("call us", "call us", item.currency)


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("By Brisk. $1,495.00. Style: Black.", "By Brisk. call us. Style: Black."),
        ("<b>£85.00</b> &pound;85.00", "<b>call us</b> call us"),
        ("1.250,00 € or 89,95&euro;", "call us or call us"),
        ('{"price": "$89.95", "percentOff": "10%"}', '{"price": "call us", "percentOff": "10%"}'),
        ('{"finalPrice":1250.0,"priceInfo":{"id":7}}', '{"finalPrice":"call us","priceInfo":{"id":7}}'),
        (r"{\"initialPrice\":1250,\"x\":1}", r"{\"initialPrice\":\"call us\",\"x\":1}"),
        ('<meta itemprop="price" content="89.95">', '<meta itemprop="price" content="call us">'),
        ('Jordan 1 size 42 6" boot 4.5', 'Jordan 1 size 42 6" boot 4.5'),
    ],
)
def test_a_price_is_found_however_it_is_written(written, left):
    assert without_prices(written.encode()).decode() == left


def told_by(shelf, get, shop):
    """The first listing page of any layout, and all that its pages say of one product that costs 8,765.35."""
    item = replace(shelf().items[0], price=Decimal("8765.35"), list_price=Decimal("9765.35"))
    shop.put(replace(shelf(), items=(item,)))
    listing = get(shop, shop.start.removeprefix(shop.site)).body.decode()
    paths = set(re.findall(r"[\w/.-]*/(?:p|shopping)/[\w/.-]+", listing.replace("\\/", "/").replace(shop.site, "")))
    met = [get(shop, path) for path in paths]
    met += [get(shop, to.removeprefix(shop.site)) for said in met if (to := said.headers["Location"])]
    products = [said for said in met if said.status == 200]
    assert products, f"no product page is told by {listing}"
    return "".join([listing, *(said.body.decode() for said in products)])


@pytest.mark.parametrize("layout", sorted(FACES))
def test_no_layout_tells_a_price_where_prices_are_words(opened, get, shelf, layout):
    price = re.compile(r"[89][.,]?765")
    assert price.search(told_by(shelf, get, opened(layout=layout)))
    without = told_by(shelf, get, opened(layout=layout, fault=Fault(name="price_text")))
    assert not price.search(without)
    assert "call us" in without


@pytest.mark.parametrize("layout", get_args(Layout))
def test_every_layout_that_may_be_asked_for_opens_with_a_listing(opened, get, layout):
    shop, bare = opened(layout=layout), opened(layout=layout, fault=Fault(name="empty"))
    full, empty = (get(one, one.start.removeprefix(one.site)) for one in (shop, bare))
    assert (full.status, empty.status) == (200, 200)
    assert 0 < len(empty.body) < len(full.body)


@pytest.mark.parametrize("layout", sorted(FACES))
def test_the_odd_item_of_each_layout_stands_on_its_listing(opened, get, layout):
    shop, odd = opened(layout=layout), opened(layout=layout, fault=Fault(name="odd_item"))
    good, said = (get(one, one.start.removeprefix(one.site)) for one in (shop, odd))
    assert said.status == 200
    assert len(said.body.replace(odd.site.encode(), shop.site.encode())) > len(good.body)


def test_what_goes_wrong_may_be_changed_while_it_is_open(opened, get):
    shop = opened(fault=Fault(name="403"))
    assert get(shop, PRODUCT).status == 403
    shop.fail(None)
    assert get(shop, PRODUCT).status == 200
    shop.fail(Fault(name="gone", after=1))
    assert [get(shop, PRODUCT).status for _ in range(2)] == [200, 410]


def test_a_fault_that_is_not_there_is_named_with_the_nearest_and_with_all_there_are():
    with pytest.raises(ConfigError, match=r"fault: there is no 'layout_chnge'; did you mean 'layout_change'\?") as met:
        Fault(name="layout_chnge")
    assert all(name in str(met.value) for name in FAULTS)


def test_the_help_of_the_command_says_of_each_fault_what_it_does():
    lines = (Path(__file__).parents[3] / "configs" / "shop.yaml").read_text("utf-8").splitlines()
    told = dict(found.groups() for line in lines if (found := re.fullmatch(r"#   (\w+)  +(.*)", line)))
    assert {name: told.get(name) for name in FAULTS} == {name: one.says for name, one in FAULTS.items()}
