"""The toy shop as Zappos: what its pages say is read back here with nothing but json and parsel."""

import json
import re
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parsel import Selector
from protego import Protego

from lookalike.toy.scene import BAG_VIEWS, SHOE_VIEWS
from lookalike.toy.shop.answer import FACTS
from lookalike.toy.shop.faces.zappos import FACES, known_as, photo, rendered, robots, view_of

SITE = "http://127.0.0.1:1"
LISTING = "/women-boots/CK_XARCz1wHAAQHiAgMBAhg.zso"
LAYOUTS = ["zappos", "zappos_next", "zappos_aria", "zappos_oldest"]
WITH_STATE, LABELLED = LAYOUTS[:2], LAYOUTS[2:]
AWKWARD = '6" Boot <b>&amp; "Co". By </script><!-- \u2028 É®™'
BOOTS = Path(__file__).resolve().parents[4] / "shared" / "data" / "zappos_boots.json"


def asked(layout, stock, target, odd=False):
    """The answer to a path with its query, as the server asks for it."""
    at = urlsplit(target.removeprefix(SITE))
    face = FACES[layout].odd if odd else FACES[layout].answer
    return face(stock, at.path, dict(parse_qsl(at.query)), SITE)


def text(layout, stock, target, odd=False):
    return asked(layout, stock, target, odd).body.decode()


def product_page(layout, stock, item):
    """Its text; where it was moved to if it was moved."""
    said = asked(layout, stock, path_of(item))
    return said.body.decode() if said.status == 200 else text(layout, stock, said.headers["Location"])


def path_of(item):
    product, color = known_as(item)[0].split("/")
    return f"/p/{item.slug}/product/{product}/color/{color}"


def state(page):
    """The state of either sort, as JSON."""
    if held := Selector(page).css("script#__NEXT_DATA__::text").get():
        return json.loads(held)["props"]["pageProps"]
    return json.JSONDecoder().raw_decode(page, page.index("window.__INITIAL_STATE__ = ") + 27)[0]


def walked(layout, stock):
    """Every page of the listing as text, from <link rel=next> to <link rel=next>."""
    at, pages = FACES[layout].start(stock), []
    while at:
        pages.append(text(layout, stock, at))
        at = Selector(pages[-1]).css("link[rel=next]::attr(href)").get("")
    return pages


def labels(page):
    """Labels of links to products."""
    return [a.attrib["aria-label"] for a in Selector(page).css("a[aria-label]") if "/product/" in a.attrib["href"]]


def ids_on(layout, page):
    if layout in WITH_STATE:
        return [f"{one['productId']}/{one['colorId']}" for one in state(page)["products"]["list"]]
    links = Selector(page).css("a[aria-label]::attr(href)").getall()
    return ["/".join(re.findall(r"\d{3,}", link)) for link in links if "/product/" in link]


@pytest.fixture
def special(shelf):
    """One boot, $1,495.00 instead of $1,869.00, rated 4.5 by 12, with 10 pieces on hand; and its shelf."""

    def on(**said):
        usual = {
            "brand": "Pell Street",
            "category": "Boots",
            "name": "Vesper",
            "color": "Black",
            "price": Decimal("1495.00"),
            "list_price": Decimal("1869.00"),
            "currency": "USD",
            "rating": "4.5",
            "reviews": 12,
            "stock": 10,
        }
        item = replace(shelf().items[0], **usual | said)
        return item, replace(shelf(), items=(item,))

    return on


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_item_is_on_one_page_and_the_last_page_has_no_next(layout, shelf):
    pages = walked(layout, shelf())
    assert [len(ids_on(layout, page)) for page in pages] == [10, 10, 4]
    assert [one for page in pages for one in ids_on(layout, page)] == [known_as(item)[0] for item in shelf().items]


@pytest.mark.parametrize("layout", WITH_STATE)
def test_the_state_of_the_listing_counts_pages_from_zero_and_names_the_next(layout, shelf):
    states = [state(page) for page in walked(layout, shelf())]
    assert [one["filters"]["page"] for one in states] == [0, 1, 2]
    assert [one["filters"]["pageCount"] for one in states] == [3, 3, 3]
    assert [one["products"]["totalProductCount"] for one in states] == [24, 24, 24]
    following = [one["meta"]["documentMeta"]["link"]["rel"].get("next") for one in states]
    assert following == [f"{LISTING}?p=1", f"{LISTING}?p=2", None]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "target",
    [
        f"{LISTING}?p=3",
        f"{LISTING}?p=-1",
        f"{LISTING}?p=x",
        f"{LISTING}?p=²",
        "/women-boots/x.zso",
        "/p/x/product/7000099",
        "/p/x/product/7000000/color/199",
        "/p/product/7000000",
        "/",
    ],
)
def test_what_is_not_there_is_no_page(layout, target, shelf):
    assert asked(layout, shelf(), target) is None


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_empty_shelf_has_one_page_of_nothing(layout, shelf):
    (page,) = walked(layout, replace(shelf(), items=()))
    assert ids_on(layout, page) == []


def test_the_card_of_the_newest_listing_by_hand(special):
    item, stock = special()
    card = state(text("zappos", stock, LISTING))["products"]["list"][0]
    first = item.photos[0].id
    assert card == {
        "productId": "7000000",
        "styleId": "5000000",
        "colorId": "100",
        "productName": "Vesper",
        "brandName": "Pell Street",
        "styleColor": "Black",
        "price": "$1,495.00",
        "originalPrice": "$1,869.00",
        "percentOff": "20%",
        "onSale": True,
        "isNew": "false",
        "productUrl": SITE + path_of(item),
        "productSeoUrl": path_of(item),
        "thumbnailImageUrl": f"{SITE}/images/I/{first}._AC_SX255_.jpg",
        "msaImageId": first,
        "imageMap": {"LEFT": first, "MAIN": item.photos[1].id, "RGHT": item.photos[2].id},
        "productRating": 4.5,
        "reviewCount": 12,
    }


def test_the_sibling_site_writes_prices_in_cents_without_a_currency(special):
    item, stock = special(price=Decimal("139.95"), list_price=None)
    card = state(text("zappos_next", stock, LISTING))["products"]["list"][0]
    assert (card["price"], card["originalPrice"], card["percentOff"]) == (13995, 13995, "0%")
    (style,) = state(product_page("zappos_next", stock, item))["product"]["detail"]["styles"]
    assert (style["price"], style["originalPrice"]) == (13995, 13995)


@pytest.mark.parametrize("layout", WITH_STATE)
def test_a_product_page_tells_of_all_its_colorways_the_one_asked_for_first(layout, shelf):
    family = shelf().by_style[0]
    assert len(family) > 1
    detail = state(product_page(layout, shelf(), family[1]))["product"]["detail"]
    assert [style["colorId"] for style in detail["styles"]] == [
        str(100 + item.colorway) for item in (family[1], family[0], *family[2:])
    ]
    assert detail["styles"][1]["color"] == family[0].color
    assert detail["productId"] == "7000000"
    without = text(layout, shelf(), "/p/whatever/product/7000000")
    assert state(without)["product"]["detail"]["styles"][0]["colorId"] == str(100 + family[0].colorway)


def test_pieces_are_shared_out_among_the_sizes(special):
    item, stock = special()  # 10 pieces, 8 sizes
    (style,) = state(product_page("zappos", stock, item))["product"]["detail"]["styles"]
    assert [one["onHand"] for one in style["stocks"]] == ["2", "2", "1", "1", "1", "1", "1", "1"]
    assert [one["size"] for one in style["stocks"]][:2] == ["6", "6.5"]


@pytest.mark.parametrize("layout", WITH_STATE)
def test_a_product_is_out_of_stock_when_all_its_colorways_are(layout, shelf):
    family = shelf().by_style[0]
    for sold_out, oos in ((family[:1], False), (family, True)):
        items = tuple(replace(item, stock=0) if item in sold_out else item for item in family)
        detail = state(product_page(layout, replace(shelf(), items=items), items[0]))["product"]["detail"]
        assert detail["oos"] is oos
        assert {one["onHand"] for one in detail["styles"][0]["stocks"]} == {"0"}


@pytest.mark.parametrize("layout", LABELLED)
def test_what_is_sold_out_moves_to_an_address_that_says_so(layout, special):
    item, stock = special(stock=0)
    said = asked(layout, stock, path_of(item))
    assert (said.status, said.headers) == (302, {"Location": f"{SITE}{path_of(item)}?oosRedirected=true"})
    assert "out of stock" in product_page(layout, stock, item)
    assert "out of stock" not in product_page(layout, *reversed(special()))


def test_labels_by_hand(special):
    _, stock = special()
    assert labels(text("zappos_aria", stock, LISTING)) == [
        "Vesper. By Pell Street. $1,495.00. Style: Black. Rated 4.5 out of 5 stars."
    ]
    _, stock = special(name='A.T.A.C. 8" Side Zip', rating="", reviews=0, currency="EUR", list_price=None)
    assert labels(text("zappos_oldest", stock, LISTING)) == [
        'A.T.A.C. 8" Side Zip. By Pell Street. 1.495,00 €. Style: Black.'
    ]


printable = st.text(st.characters(exclude_categories=["C"]), min_size=1)


@given(printable, printable)
def test_every_character_of_a_label_survives(name, brand):
    record = {"name": name, "brand": brand, "price": "$1.00", "color": "Red", "rating": "5 out of 5 stars"}
    page = rendered([record | {"href": "/p/x/product/1/color/2", "image": "/x.jpg"}], f"{SITE}{LISTING}")
    assert labels(page) == [f"{name}. By {brand}. $1.00. Style: Red. Rated 5 out of 5 stars."]


def test_a_product_page_in_microdata_by_hand(special):
    item, stock = special()
    page = Selector(product_page("zappos_aria", stock, item))
    told = {
        one.attrib["itemprop"]: one.attrib.get("content") or one.css("::text").get() for one in page.css("[itemprop]")
    }
    assert (told["brand"], told["name"], told["ratingValue"]) == ("Pell Street", "Vesper", "4.5")
    assert (told["sku"], told["price"], told["priceCurrency"]) == ("7000000", "1495.00", "USD")
    assert page.css("[itemprop=price]::text").get() == "$1,495.00"
    assert page.css("img[itemprop=image]::attr(src)").get() == f"{SITE}/images/I/{item.photos[0].id}._AC_SR700,525_.jpg"
    assert page.css("#breadcrumbs a::text").getall() == ["« Back", "Shoes", "Boots", "Pell Street"]
    assert page.css("#thumbnailsList img::attr(alt)").getall() == ["LEFT", "MAIN", "RGHT"]


def test_a_product_page_of_the_oldest_years_by_hand(special):
    item, stock = special(category="Bags")
    page = Selector(product_page("zappos_oldest", stock, item))
    assert page.css("#breadcrumbs a::text").getall() == ["Home", "Accessories", "Bags"]
    assert page.css("#prdImage h1::text").getall() == ["Vesper"]
    assert photo(urlsplit(page.css("#thumbnailsList img[alt=MAIN]::attr(src)").get()).path) == (item.photos[1].id, 106)
    assert page.css("#angle-3::attr(href)").get() == f"{SITE}/images/I/{item.photos[2].id}.jpg"
    assert page.css("#priceSlot .price::text").get() == "$1,495.00"
    assert page.css("select#color option[selected]::text").get() == "Black"


# What each layout claims to tell, it tells: of every item, as it is on the shelf


def money(written):
    """The amount of a price of the toy shop: all its prices have two digits of cents."""
    return Decimal(re.sub(r"\D", "", written)) / 100


def currency(written):
    return {"$": "USD", "£": "GBP", "€": "EUR"}[re.sub(r"[\d., ]", "", written)]


def read_state(page):
    """What the state of a product's page tells of its first colorway."""
    detail = state(page)["product"]["detail"]
    style = detail["styles"][0]
    cents = isinstance(style["price"], int)
    amount = (lambda written: Decimal(written) / 100) if cents else money
    on_sale = style["onSale"] == "true"
    return {
        "style": detail["productId"],
        "brand": detail["brandName"],
        "category": detail["defaultCategory"],
        "color": style["color"],
        "name": detail["productName"],
        "price": amount(style["price"]),
        "rating": str(detail["reviewSummary"]["aggregateRating"] or ""),
        "stock": sum(int(one["onHand"]) for one in style["stocks"]),
        "list_price": amount(style["originalPrice"]) if on_sale else None,
        "views": [view["type"] for view in style["images"]],
    } | ({} if cents else {"currency": currency(style["price"])})


LABEL = re.compile(r"(.+)\. By (.+?)\. ([$£\d].*?)\. Style: (.+?)\.(?: Rated (\S+) out of 5 stars\.)?")


def read_label(label, page):
    """What a label and the page behind it tell, in both older generations."""
    name, brand, price, color, rating = LABEL.fullmatch(label).groups()
    page = Selector(page)
    return {
        "style": page.css("link[rel=canonical]::attr(href)").re_first(r"/product/(\d+)/"),
        "brand": brand,
        "category": page.css("#breadcrumbs a::text").getall()[2],
        "color": color,
        "name": name,
        "price": money(price),
        "currency": currency(price),
        "rating": rating or "",
        "views": page.css("#thumbnailsList img::attr(alt)").getall(),
    }


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_tells_what_it_claims_to_tell(layout, shelf):
    every = [label for page in walked(layout, shelf()) for label in labels(page)]
    for place, item in enumerate(shelf().items):
        page = product_page(layout, shelf(), item)
        told = read_state(page) if layout in WITH_STATE else read_label(every[place], page)
        assert set(told) == FACES[layout].tells
        meant = {name: getattr(item, name) for name in FACTS - {"style", "views"}}
        meant |= {"style": known_as(item)[1], "views": [view_of(one.view) for one in item.photos]}
        known = {"MAIN": "main", "LEFT": "left", "RGHT": "right", "FRNT": "front"}
        told["views"] = [known.get(code, code) for code in told["views"]]
        assert told == {name: meant[name] for name in told}


# Text is text


@pytest.mark.parametrize("layout", LAYOUTS)
def test_awkward_names_stay_what_they_are_and_close_nothing(layout, special):
    item, stock = special(name=AWKWARD, brand=AWKWARD, color=AWKWARD)
    pages = [text(layout, stock, LISTING), product_page(layout, stock, item)]
    plain = [text(layout, special()[1], LISTING), product_page(layout, *reversed(special()))]
    for page, usual in zip(pages, plain, strict=True):
        assert tags(page) == tags(usual)
        assert AWKWARD in " ".join(Selector(page).css("title::text, main ::text").getall())
    if layout in WITH_STATE:
        assert state(pages[0])["products"]["list"][0]["productName"] == AWKWARD
        assert state(pages[1])["product"]["detail"]["styles"][0]["color"] == AWKWARD
    else:
        assert labels(pages[0])[0].startswith(f"{AWKWARD}. By {AWKWARD}. $")


class Tags(HTMLParser):
    """Tags in their order; each end tag closes the tag that is open."""

    def __init__(self, page):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, _):
        self.seen.append(tag)
        if tag not in {"meta", "link", "img", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def tags(page):
    found = Tags(page)
    assert found.open == []
    return found.seen


@pytest.mark.real
@pytest.mark.skipif(not BOOTS.exists(), reason="the real records are not beside the checkout")
def test_2251_real_records_stand_in_their_labels_character_by_character():
    real = json.loads(BOOTS.read_text())
    names = {"boot_name": "name", "style": "color", "buy_link": "href", "image_source": "image"}
    records = [{names.get(name, name): value or "" for name, value in one.items()} for one in real]
    page = rendered(records, f"{SITE}{LISTING}")
    rated = [f" Rated {one['rating']}." if one["rating"] else "" for one in records]
    assert labels(page) == [
        f"{one['name']}. By {one['brand']}. {one['price']}. Style: {one['color']}.{stars}"
        for one, stars in zip(records, rated, strict=True)
    ]
    assert Selector(page).css("article img::attr(src)").getall() == [one["image"] for one in records]
    assert Selector(page).css("article a::attr(href)").getall() == [one["href"] for one in records]


# What is around it


def test_adverts_stand_between_the_labels(shelf):
    page = text("zappos_aria", replace(shelf(products=24), per_page=24), LISTING)
    assert len(labels(page)) == 24
    assert len(Selector(page).css("a[aria-label]")) == 25


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_odd_item_is_one_more_among_the_others(layout, shelf):
    right, odd = text(layout, shelf(), LISTING), text(layout, shelf(), LISTING, odd=True)
    if layout in WITH_STATE:
        (one,) = [card for card in state(odd)["products"]["list"] if not card.get("styleId")]
        assert one["productId"] is None
        assert len(state(odd)["products"]["list"]) == 11
    else:
        assert set(labels(odd)) - set(labels(right)) == {"Untitled"}
        assert len(labels(odd)) == 11
    item = shelf().items[0]
    assert asked(layout, shelf(), path_of(item), odd=True) == asked(layout, shelf(), path_of(item))


def test_views_have_codes_of_their_own_within_a_shoe_and_within_a_bag(shelf):
    for views in (SHOE_VIEWS, BAG_VIEWS):
        assert len({view_of(view) for view in views}) == len(views)
    assert [view_of(view) for view in ("outside", "three-quarter", "inside", "top")] == ["left", "main", "right", "top"]
    assert view_of("detail") == "tsd"
    for item in shelf(views=4).items:
        page = Selector(product_page("zappos_aria", shelf(views=4), item))
        assert len(set(page.css("#thumbnailsList img::attr(alt)").getall())) == 4


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/images/I/31Qz+7bKx2L.jpg", ("31Qz+7bKx2L", None)),
        ("/images/I/31Qz+7bKx2L._AC_SX255_.jpg", ("31Qz+7bKx2L", 255)),
        ("/images/I/51a-B._AC_SR106,78_.jpg", ("51a-B", 106)),
        ("/images/I/a/b.jpg", None),
        ("/images/a.jpg", None),
    ],
)
def test_a_picture_is_asked_for_by_its_id_and_perhaps_a_side(path, meant):
    assert photo(path) == meant


def test_robots_may_read_listings_and_products_and_no_search(shelf):
    rules = Protego.parse(robots(SITE))
    for path in (FACES["zappos"].start(shelf()), path_of(shelf().items[0]), "/images/I/a.jpg"):
        assert rules.can_fetch(SITE + path, "lookalike")
    for path in ("/search?term=boot", "/multiview/1", "/item-details/1", "/account/orders"):
        assert not rules.can_fetch(SITE + path, "lookalike")


def test_it_names_products_within_their_style(shelf):
    item = next(item for item in shelf().items if item.colorway == 1)
    assert known_as(item) == (f"{7000000 + item.style_number}/101", f"{7000000 + item.style_number}")
