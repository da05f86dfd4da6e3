"""The toy shop as Farfetch: what its pages say is read back here with nothing but json and parsel."""

import json
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlsplit

import pytest
from parsel import Selector
from protego import Protego

from lookalike.toy.shop.answer import FACTS
from lookalike.toy.shop.faces.farfetch import FACES, known_as, photo, robots, view_of

SITE = "http://127.0.0.1:1"
API = "/uk/plpslice/listing-api/products-facets"
LAYOUTS = ["farfetch", "farfetch_apollo", "farfetch_listing", "farfetch_products"]
AWKWARD = '6" Boot <b>&amp; "Co"; \\ </script><!-- \u2028 É®™'


def asked(layout, stock, target, odd=False):
    """The answer to a path with its query, as the server asks for it."""
    at = urlsplit(target.removeprefix(SITE))
    face = FACES[layout].odd if odd else FACES[layout].answer
    return face(stock, at.path, dict(parse_qsl(at.query)), SITE)


def listed(layout, stock, target=API, odd=False):
    """A page of the listing: its items, where the generation has them, and all of it."""
    said = asked(layout, stock, target, odd)
    assert said.content_type.startswith("application/json")
    told = json.loads(said.body)
    held = {"farfetch_listing": lambda: told["listing"]["products"], "farfetch_products": lambda: told["products"]}
    return held.get(layout, lambda: told["listingItems"]["items"])(), told


def text(layout, stock, item):
    return asked(layout, stock, path_of(item)).body.decode()


def path_of(item):
    return f"/uk/shopping/women/{item.slug}-item-{known_as(item)[0]}.aspx"


def held(page, start):
    """What JSON stands behind these words; escaped twice where it is text."""
    told = json.JSONDecoder().raw_decode(page, page.index(start) + len(start))[0]
    return json.loads(told) if isinstance(told, str) else told


def view_model(layout, page):
    """What the product's page shows, from where its generation has it."""
    if layout == "farfetch":
        slice_ = held(page, "window.__HYDRATION_STATE__=")["initialStates"]["slice-product"]
    elif layout == "farfetch_apollo":
        root = held(page, "window.__HYDRATION_STATE__=")["apolloInitialState"]["ROOT_QUERY"]
        (slice_,) = [value["data"]["slice-product"] for value in root.values() if isinstance(value, dict)]
    elif layout == "farfetch_listing":
        slice_ = held(page, "window['__initialState__'] = ")["slice-product"]
    else:
        slice_ = held(page, "window['__initialState_slice-pdp__'] = ")
    return slice_["productViewModel"]


def breadcrumbs(page):
    (told,) = [json.loads(one) for one in Selector(page).css('script[type="application/ld+json"]::text').getall()]
    assert told["@type"] == "BreadcrumbList"
    return [step["item"]["name"] for step in told["itemListElement"]]


@pytest.fixture
def special(shelf):
    """One boot, £1,200.00 instead of £1,500.00, with 8 pieces on hand; and its shelf."""

    def on(**said):
        usual = {
            "brand": "Odile Marchand",
            "category": "Boots",
            "name": "Vesper ankle boots",
            "color": "Black",
            "price": Decimal("1200.00"),
            "list_price": Decimal("1500.00"),
            "currency": "GBP",
            "stock": 8,
        }
        item = replace(shelf().items[0], **usual | said)
        return item, replace(shelf(), items=(item,))

    return on


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_item_is_on_one_page_and_pages_are_counted_from_one(layout, shelf):
    assert FACES[layout].start(shelf()).startswith(f"{API}?page=1&view=10&")
    pages = [listed(layout, shelf(), f"{API}?page={number}") for number in (1, 2, 3)]
    found = [str(one["id"]) for items, _ in pages for one in items]
    assert found == [known_as(item)[0] for item in shelf().items]
    paging = [told["listingPagination"] for _, told in pages]
    assert [(one["index"], one["view"], one["totalItems"], one["totalPages"]) for one in paging] == [
        (1, 10, 24, 3),
        (2, 10, 24, 3),
        (3, 10, 24, 3),
    ]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "target",
    [
        f"{API}?page=0",
        f"{API}?page=4",
        f"{API}?page=x",
        f"{API}?page=-1",
        "/plpslice/listing-api/products-facets",
        "/",
        "/uk/shopping/women/x-item-10000099.aspx",
        "/uk/shopping/men/x-item-10000000.aspx",
    ],
)
def test_what_is_not_there_is_no_page(layout, target, shelf):
    assert asked(layout, shelf(), target) is None


def test_an_empty_shelf_has_one_page_of_nothing(shelf):
    items, told = listed("farfetch", replace(shelf(), items=()))
    assert items == []
    assert told["listingPagination"]["totalPages"] == 1


def test_an_advert_without_an_id_follows_every_twenty_items(shelf):
    items, told = listed("farfetch", replace(shelf(), per_page=24))
    assert [place for place, one in enumerate(items) if "id" not in one] == [20]
    assert told["listingPagination"]["totalItems"] == 24


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_item_of_the_listing_by_hand(layout, special):
    item, stock = special()
    ((told,), _) = listed(layout, stock)
    all_ = [f"{SITE}/10/00/00/00/10000000_{one.id}_480.jpg" for one in item.photos]
    assert told["id"] == 10000000
    assert (told["shortDescription"], told["brand"]["name"]) == ("Vesper ankle boots", "Odile Marchand")
    assert told["images"] == {"cutOut": all_[0], "model": all_[2], "all": all_}
    assert told["priceInfo"] == {
        "formattedFinalPrice": "£1,200.00",
        "formattedInitialPrice": "£1,500.00",
        "finalPrice": 1200,
        "initialPrice": 1500,
        "currencyCode": "GBP",
        "isOnSale": True,
        "discountLabel": "-20%",
    }
    assert told["stockTotal"] == 8
    assert [one["size"] for one in told["availableSizes"]] == ["35", "36", "37", "38", "39", "40", "41"]
    assert told["url"] == f"/uk/shopping/women/{item.slug}-item-10000000.aspx"


@pytest.mark.parametrize(
    ("amount", "currency", "written", "number"),
    [
        ("1200.00", "GBP", "£1,200.00", 1200),
        ("1200.00", "EUR", "1.200,00 €", 1200),
        ("1200.00", "USD", "$1,200", 1200),
        ("124.95", "USD", "$124.95", 124.95),
        ("89.95", "EUR", "89,95 €", 89.95),
    ],
)
def test_prices_are_in_the_notation_of_their_currency_with_the_number_beside(
    special, amount, currency, written, number
):
    item, stock = special(price=Decimal(amount), currency=currency, list_price=None)
    told = view_model("farfetch", text("farfetch", stock, item))["priceInfo"]["default"]
    assert (told["formattedFinalPrice"], told["finalPrice"], told["currencyCode"]) == (written, number, currency)
    assert (told["formattedInitialPrice"], told["initialPrice"], told["isOnSale"]) == (written, number, False)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_product_page_by_hand(layout, special):
    item, stock = special()
    page = text(layout, stock, item)
    told = view_model(layout, page)
    assert (told["details"]["productId"], told["details"]["styleId"]) == (10000000, 500000)
    assert (told["details"]["shortDescription"], told["details"]["colors"]) == ("Vesper ankle boots", "Black")
    assert told["details"]["genderName"] == "Women"
    assert told["designerDetails"]["name"] == "Odile Marchand"
    assert [one["text"] for one in told["breadcrumb"]] == breadcrumbs(page) == ["Women", "Shoes", "Boots"]
    at = f"{SITE}/10/00/00/00/10000000_{item.photos[1].id}"
    assert told["images"]["main"][1]["zoom"] == f"{at}_1000.jpg"
    assert told["images"]["main"][1]["large"] == f"{at}_480.jpg"
    assert [one["quantity"] for one in told["sizes"]["available"].values()] == [2, 1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_sold_out_has_no_sizes_and_says_so(layout, special):
    item, stock = special(stock=0)
    ((told,), _) = listed(layout, stock)
    assert (told["stockTotal"], told["availableSizes"]) == (0, [])
    page = text(layout, stock, item)
    assert view_model(layout, page)["sizes"]["available"] == {}
    assert "currently out of stock" in page
    assert "currently out of stock" not in text(layout, *reversed(special()))


def test_a_wrong_slug_is_gone(shelf):
    item = shelf().items[3]
    assert asked("farfetch", shelf(), path_of(item)).status == 200
    assert asked("farfetch", shelf(), path_of(item).replace(item.slug, "another")).status == 410


def test_links_stay_in_the_country_that_was_asked_for(shelf):
    (first, *_), _ = listed("farfetch", shelf(), API.replace("/uk/", "/de/"))
    assert first["url"].startswith("/de/shopping/women/")
    assert asked("farfetch", shelf(), first["url"]).kind == "product"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_tells_what_it_claims_to_tell(layout, shelf):
    cards = [one for number in (1, 2, 3) for one in listed(layout, shelf(), f"{API}?page={number}")[0]]
    for item, card in zip(shelf().items, cards, strict=True):
        shown = view_model(layout, text(layout, shelf(), item))
        price = shown["priceInfo"]["default"]
        told = {
            "style": str(shown["details"]["styleId"]),
            "brand": shown["designerDetails"]["name"],
            "category": shown["breadcrumb"][-1]["text"],
            "color": shown["details"]["colors"],
            "name": shown["details"]["shortDescription"],
            "price": Decimal(str(price["finalPrice"])),
            "currency": price["currencyCode"],
            "stock": card["stockTotal"],
            "list_price": Decimal(str(price["initialPrice"])) if price["isOnSale"] else None,
        }
        assert set(told) == FACES[layout].tells < FACTS
        meant = {name: getattr(item, name) for name in told} | {"style": known_as(item)[1]}
        assert told == meant
        assert sum(one["quantity"] for one in shown["sizes"]["available"].values()) == item.stock
        pictures = [photo(urlsplit(one["zoom"]).path) for one in shown["images"]["main"]]
        assert pictures == [(one.id, None) for one in item.photos]


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


@pytest.mark.parametrize("layout", LAYOUTS)
def test_awkward_names_stay_what_they_are_and_close_nothing(layout, special):
    item, stock = special(name=AWKWARD, brand=AWKWARD, color=AWKWARD, category=AWKWARD)
    page, usual = Tags(text(layout, stock, item)), Tags(text(layout, *reversed(special())))
    assert page.seen == usual.seen
    assert page.open == []
    told = view_model(layout, text(layout, stock, item))
    assert (
        told["details"]["shortDescription"] == told["details"]["colors"] == told["designerDetails"]["name"] == AWKWARD
    )
    assert breadcrumbs(text(layout, stock, item))[-1] == AWKWARD
    assert Selector(text(layout, stock, item)).css("h1 span::text").get() == AWKWARD
    ((card,), _) = listed(layout, stock)
    assert card["shortDescription"] == card["brand"]["name"] == AWKWARD


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_odd_item_is_one_more_among_the_others(layout, shelf):
    (right, _), (odd, _) = listed(layout, shelf()), listed(layout, shelf(), odd=True)
    assert [one for one in odd if isinstance(one["id"], int)] == right
    assert len(odd) == 11
    target = path_of(shelf().items[0])
    assert asked(layout, shelf(), target, odd=True) == asked(layout, shelf(), target)


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/10/00/00/12/10000012_31Qz+7bKx2L_1000.jpg", ("31Qz+7bKx2L", None)),
        ("/10/00/00/12/10000012_51aB_300.jpg", ("51aB", 300)),
        ("/10/00/00/12/10000012_51aB_480.jpg", ("51aB", 480)),
        ("/10/00/00/12/10000012_51aB_77.jpg", None),
        ("/10000012_51aB_300.jpg", None),
    ],
)
def test_a_picture_is_asked_for_by_its_id_and_size(path, meant):
    assert photo(path) == meant


def test_robots_may_read_listings_and_products_and_no_search(shelf):
    rules = Protego.parse(robots(SITE))
    assert rules.can_fetch(SITE + FACES["farfetch"].start(shelf()), "lookalike")
    assert rules.can_fetch(SITE + path_of(shelf().items[0]), "lookalike")
    assert not rules.can_fetch(f"{SITE}/uk/shopping/women/search/items.aspx?q=boot", "lookalike")


def test_it_names_products_and_styles_by_numbers_and_views_not_at_all(shelf):
    item = shelf().items[4]
    assert known_as(item) == (f"{10000000 + item.number}", f"{500000 + item.style_number}")
    assert view_of("outside") == ""
