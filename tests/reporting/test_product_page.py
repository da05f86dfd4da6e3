"""The page of a product: its pictures through the guarded decoder, its facts, its prices; what a shop wrote is text alone."""

import base64
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from lookalike.catalog import images
from lookalike.catalog.presence import Presence
from lookalike.catalog.product import Product, View
from lookalike.catalog.store import PriceSeen, StockSeen
from lookalike.reporting.product_page import LARGE, MOST_LARGE, SHOWN_HISTORY, SMALL, Colorway, facts, history, render
from lookalike.settings import DataError

MONDAY = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
WEEK = timedelta(days=7)


def view(name, letter="a"):
    told = {"sha256": letter * 64, "format": "PNG", "width": 1500, "height": 900, "size": 12_345}
    return View(view=name, fingerprint=b"", source="page", **told)


def colorway(*views, gone=False, prices=(), stocks=(), **told):
    known = {"shop": "zappos", "product": "7/101", "style": "7", "brand": "Frye", "name": "Melissa", "color": "Cognac"}
    offer = {"price": Decimal("1299.90"), "currency": "USD", "rating": 4.5, "stock": 3, "url": "https://shop.example/7"}
    return Colorway(
        product=Product(**{**known, **offer, **told}, views=views),
        presence=Presence(first_seen=MONDAY, last_seen=MONDAY + WEEK, gone=gone),
        prices=prices,
        stocks=stocks,
    )


def cost(amount, week=0, currency="USD"):
    return PriceSeen(seen=MONDAY + week * WEEK, price=Decimal(amount), currency=currency)


def pieces(number, week=0):
    return StockSeen(seen=MONDAY + week * WEEK, stock=number)


def picture(_):
    return cv2.imencode(".png", np.full((900, 1500, 3), 128, np.uint8))[1].tobytes()


def page(*shown, siblings=(), read=picture):
    return render("zappos:7/101", "data/catalog.sqlite", shown, siblings, read)


def words(text):
    return " ".join(re.sub(r"<[^>]*>", " ", re.sub(r"(?s)<style>.*?</style>", "", text)).split())


class Tags(HTMLParser):
    """The tags and attributes of a page, and whether every tag that opens is closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in {"meta", "img", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def of(self, tag):
        return [attributes for name, attributes in self.seen if name == tag]


def sides(text):
    """The longer side of each picture on the page."""
    shown = [base64.b64decode(one["src"].partition(",")[2]) for one in Tags(text).of("img")]
    return [max(images.decode(data).shape) for data in shown]


def test_the_pictures_of_all_views_are_shown_small_and_named():
    text = page(colorway(view("MAIN"), view("PAIR", "b"), view("")))
    assert [one["alt"] for one in Tags(text).of("img")] == ["Melissa, MAIN", "Melissa, PAIR", "Melissa, a view"]
    assert sides(text) == [LARGE] * 3
    assert "MAIN 1500 x 900 PNG, 12 kB" in words(text)


def test_a_page_of_many_pictures_shows_each_smaller():
    assert set(sides(page(colorway(*[view("MAIN")] * (MOST_LARGE + 1))))) == {SMALL}


def missing(sha256):
    raise DataError(f"{sha256}: this picture is missing")


@pytest.mark.parametrize("read", [lambda _: b"not a picture", lambda _: b"", missing])
def test_a_picture_that_cannot_be_shown_leaves_a_word_in_its_place(read):
    text = page(colorway(view("MAIN")), read=read)
    assert "cannot be shown MAIN" in words(text)
    assert "<img" not in text


def test_a_product_without_a_picture_says_so():
    assert "No picture of it has come." in words(page(colorway()))


def test_all_facts_are_told_and_what_nobody_said_is_left_out():
    assert facts(colorway(view("MAIN"), category="", rating=None)) == {
        "shop": "zappos",
        "product": "7/101",
        "style": "7",
        "name": "Melissa",
        "brand": "Frye",
        "color": "Cognac",
        "price": "1,299.90 USD",
        "stock": "3 on hand",
        "views": "1",
        "first seen": "2026-03-02 08:30 UTC",
        "last seen": "2026-03-09 08:30 UTC",
        "in its shop": "yes, when it was last seen",
    }


def test_nothing_known_but_its_id_is_a_page_too():
    bare = Colorway(product=Product(product="1"), presence=Presence(first_seen=MONDAY, last_seen=MONDAY, gone=False))
    text = page(bare)
    assert Tags(text).open == []
    assert facts(bare) == {
        "product": "1",
        "views": "0",
        "first seen": "2026-03-02 08:30 UTC",
        "last seen": "2026-03-02 08:30 UTC",
        "in its shop": "yes, when it was last seen",
    }


def test_free_and_sold_out_are_not_nothing():
    told = facts(colorway(price=Decimal(0), stock=0, rating=0.0))
    assert (told["price"], told["stock"], told["rating"]) == ("0 USD", "sold out", "0 of 5")


def test_what_is_gone_says_so():
    text = words(page(colorway(gone=True)))
    assert "Melissa Cognac gone" in text
    assert "no longer: it is gone" in text


def test_prices_and_stock_are_one_table_newest_first():
    told = colorway(prices=[cost("100"), cost("80", 1)], stocks=[pieces(3), pieces(0, 2)])
    assert history(told) == [
        ("2026-03-16 08:30", "", "sold out"),
        ("2026-03-09 08:30", "80 USD", ""),
        ("2026-03-02 08:30", "100 USD", "3"),
    ]
    text = page(told)
    assert [one["aria-label"] for one in Tags(text).of("svg")] == ["Price in USD", "Pieces on hand"]
    assert "2026-03-09 08:30 80 USD" in words(text)


def test_prices_in_two_currencies_have_two_charts():
    told = colorway(prices=[cost("100"), cost("90", 1, "EUR"), cost("110", 2)])
    assert [one["aria-label"] for one in Tags(page(told)).of("svg")] == ["Price in USD", "Price in EUR"]


def test_a_price_holds_until_the_next_one_in_another_currency_too():
    drawn = re.search(r'class="line" d="([^"]*)"', page(colorway(prices=[cost("100"), cost("90", 1, "EUR")])))[1]
    assert drawn == "M4.0 68.0H336.0"  # one level line: in USD there was no other price


def test_a_long_history_is_cut_and_what_is_left_out_is_counted():
    prices = [cost(str(100 + at), at) for at in range(SHOWN_HISTORY + 20)]
    assert "and 20 older" in words(page(colorway(prices=prices)))


@pytest.mark.parametrize("url", ["https://shop.example/a?b=1&c=2", "http://shop.example/größe"])
def test_a_web_address_is_a_link_that_tells_nobody_where_it_was_followed(url):
    assert Tags(page(colorway(url=url))).of("a") == [{"href": url, "rel": "noopener noreferrer"}]


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//x", "https://", ""]
)
def test_any_other_address_is_no_link(url):
    text = page(colorway(url=url))
    assert Tags(text).of("a") == []
    assert f"address {url}" in words(text) or not url


@pytest.mark.slow
def test_on_a_phone_nothing_scrolls_sideways_and_the_console_is_silent(on_a_phone):
    told = colorway(
        *(view("V" * 80), view("PAIR")),
        name="W" * 200,
        url="https://shop.example/" + "a" * 300,
        attributes={"N" * 80: "v" * 400},
        prices=[cost("100"), cost("123456789.99", 1), cost("80", 2, "EUR")],
        stocks=[pieces(3), pieces(123_456_789, 1)],
    )
    said, console = on_a_phone(page(told, siblings=["zappos:" + "7" * 200]))
    width, room, drawn = map(int, re.findall(r"\d+", said))
    assert width == room <= 380
    assert drawn == 5  # 2 pictures, 3 charts
    assert console == []


HOSTILE = "<script>alert('\"1\"')</script>"


def test_what_a_shop_wrote_is_text_and_never_markup():
    labels = dict.fromkeys(("shop", "product", "style", "brand", "category", "name", "color", "currency"), HOSTILE)
    told = colorway(
        view(HOSTILE),
        **labels,
        url=f"https://shop.example/{HOSTILE}\"onclick='x'",
        attributes={HOSTILE: HOSTILE},
        prices=[cost("1", 0, HOSTILE), cost("2", 1, HOSTILE)],
    )
    text = render(HOSTILE, HOSTILE, [told], [HOSTILE], picture)
    tags = Tags(text)
    assert tags.open == []
    assert tags.of("script") == []
    assert {name for _, attributes in tags.seen for name in attributes if name.startswith("on")} == set()
    assert text.count("&lt;script&gt;") > 15


def test_attributes_and_other_colorways_are_told():
    text = words(page(colorway(attributes={"width": "M", "größe": "42"}), siblings=["zappos:7/3", "zappos:7/9"]))
    assert "Attributes größe 42 width M" in text
    assert "Other colorways zappos:7/3, zappos:7/9" in text


def test_all_colorways_of_a_style_are_on_one_page():
    text = page(colorway(view("MAIN")), colorway(view("MAIN", "b"), product="7/3", color="Black"))
    assert [one for one in ("Cognac", "Black") if f"Melissa {one}" in words(text)] == ["Cognac", "Black"]
    assert len(Tags(text).of("img")) == 2


def test_the_page_needs_no_other_file_and_no_script():
    tags = Tags(page(colorway(view("MAIN"), prices=[cost("1")], stocks=[pieces(1)])))
    assert not {"script", "link", "iframe"} & {tag for tag, _ in tags.seen}
    assert all(one["src"].startswith("data:image/jpeg;base64,") for one in tags.of("img"))
