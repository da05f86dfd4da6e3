"""Zappos: the pages of its listings and products, in every layout that it has had, as facts. Pure.

In: the text of a page and its address. Out: a Page, or PageError. Never: asks the network, keys on a CSS class (they are
hashes of a build), or names a product by what its pictures are called.

generation  what tells of it
state       window.__INITIAL_STATE__ = {...}: a product page tells all colorways of a style
next        <script id="__NEXT_DATA__">, of the sibling site: the same words, prices in whole cents
aria        a listing whose links say all in their aria-label; its product pages are of the two below
microdata   a product page with itemprop
oldest      a listing of bare links; a product page with #prdImage and #thumbnailsList

Each field has candidates in an order, and `Found.answered` says which of them told it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from parsel import Selector

from lookalike.catalog.clean import rating, read_fields
from lookalike.catalog.prices import price
from lookalike.catalog.product import RowError
from shops.pages.page import Candidate, Found, Odd, Page, PageError, Picture, told
from shops.pages.state import at, from_cents, is_true, loaded, raw_state, said, script_json, several
from shops.pages.verdict import breaks_off

SHOP: Final = "zappos"
CDN: Final = "https://m.media-amazon.com/images/I/"
SITES: Final = (".zappos.com", ".6pm.com")  # these keep their pictures at the CDN; a stand-in has its own
MADE: Final = "made of its ids"  # an address that the page does not tell
LONGEST_LABEL = 1000  # characters
LONGEST_ADDRESS = 2000  # characters
MOST_ASKED = 50  # elements of a page that have one itemprop
MOST_LOOKED_AT = 100_000  # objects of a state in which items are looked for
VIEWS: Final = {
    **{"MAIN": "main", "PAIR": "pair", "LEFT": "left", "BACK": "back"},
    **{"TOPP": "top", "BOTT": "bottom", "RGHT": "right", "FRNT": "front"},
    **{"TOP": "top", "BOTTOM": "bottom", "RIGHT": "right", "FRONT": "front"},
}
NEXT_LISTS: Final = (
    *("initialData.products", "initialData.results", "products.list", "products", "searchResult.list", "results"),
    *("initialState.products.list",),
)
TOTALS: Final = (("products", "totalProductCount"), ("totalProductCount",))
TOLD_OF_ALL: Final = (*TOTALS, ("filters", "pageCount"), ("meta", "documentMeta", "link"))
NEXT_DETAILS: Final = ("product.detail", "initialData.product", "product", "initialState.product.detail")

_IDS = re.compile(r"/product/([^/?#]+)(?:/color/([^/?#]+))?")
_SIZED = re.compile(r"(.*/images/I/[^/.?#]+)\.[^/?#]*(\.\w+)(?:[?#].*)?")
_IMAGE_ID = re.compile(r"[A-Za-z0-9+%_-]+")
_IMAGE_HOME = re.compile(r"[\"'(](https?://[^\"'\s<>()\\]{1,200}?)?/images/I/[^\"'\s<>()\\]")
_RATED = re.compile(r"\. Rated (\S{1,9} out of \d{1,3})(?: stars?)?[^.]{0,40}\.?$")
_PRICED = re.compile(
    r"(?:On sale for )?(.{1,40}?)(?:\. (?:MSRP|Originally|Was|List price):? (.{1,40}?))?(?:\. \d+% off)?\.?"
)
_BEFORE = re.compile(r"(?:MSRP|Originally|List price|Was)\b:?\s*([^\s\d]{0,4}\s?\d[\d.,]*)", re.IGNORECASE)
_ADVERT = re.compile(
    r"(?:is|inline|native)?_?(?:ads?|advert\w*|sponsor\w*|promo\w*|banner\w*)(?:_?(?:id|type|slot|unit|data))?",
    re.IGNORECASE,
)

Ask = dict[str, list[Candidate]]  # field -> who is asked for it, in this order
Money = Callable[..., str]  # a value and a path -> the price there, as text


def read_listing(text: str, url: str) -> Page:
    """The products that a listing shows, and the address of its next page."""
    with _at(url):
        _refuse_style_room(url)
        shown = _state_listing(text, url) or _next_listing(text, url) or _linked_listing(text, url)
        return shown or _strange(text, "products.list in a state, and no link to a product")


def read_product(text: str, url: str) -> Page:
    """The product of a page: where the page has a state, in all its colorways."""
    with _at(url):
        _refuse_style_room(url)
        shown = _state_product(text, url) or _next_product(text, url) or _html_product(text, url)
        return shown or _strange(text, "product.detail in a state, itemprop or #prdImage")


@contextmanager
def _at(url: str) -> Iterator[None]:
    try:
        yield
    except PageError as wrong:
        raise type(wrong)(wrong.reason, f"{url}: {wrong}") from None


def _refuse_style_room(url: str) -> None:
    if "/a/the-style-room" in url.partition("?")[0]:
        raise PageError(
            "the_style_room", "The Style Room has a layout of its own, which nobody has written a reader for"
        )


def _strange(text: str, missing: str) -> Page:
    """No generation fits: half a page, or a new layout."""
    if breaks_off(text):
        raise PageError("half_page", f"the page breaks off after {len(text)} characters. Ask for it again")
    raise PageError(
        "unknown_layout",
        f"no {missing}; the shop changed its page, or this is another one. "
        f"Save it with scripts/save_page.py, then mend {__file__}",
    )


# What all generations share


@dataclass(frozen=True, kw_only=True)
class Source:
    """The page that an item is read from."""

    url: str
    home: str  # where a picture lies of which the page tells the id only
    name: str  # of the generation, for `answered`
    money: Money = said


def _source(text: str, url: str, name: str, money: Money = said) -> Source:
    found = _IMAGE_HOME.search(text)
    own = not f".{urlsplit(url).hostname}".endswith(SITES)
    home = f"{found[1] or ''}/images/I/" if found else "/images/I/" if own else CDN
    return Source(url=url, home=_absolute(url, home), name=name, money=money)


def _found(ask: Ask, pictures: Iterable[Picture], *, page: str = "", page_key: str = "") -> Found:
    """What the candidates tell. Raises RowError where that is no product."""
    answers = {field: told(candidates) for field, candidates in ask.items()}
    product = read_fields({field: value for field, (value, _) in answers.items()}, shop=SHOP)
    return Found(
        product=product,
        pictures=_each_once(pictures),
        answered={field: name for field, (value, name) in answers.items() if value},
        page=page,
        page_key=page_key,
    )


def _each_once(pictures: Iterable[Picture]) -> tuple[Picture, ...]:
    """Each address once, as it was told first: that is where its view was told, if anywhere."""
    kept: dict[str, Picture] = {}
    for picture in pictures:
        kept.setdefault(picture.url, picture)
    kept.pop("", None)
    return tuple(kept.values())


def _identity(products: Sequence[Candidate], colors: Sequence[Candidate]) -> Ask:
    """Who tells the product and its style. Raises RowError("no_id") where one of the two ids is not told."""
    product, by = told(products)
    color, color_by = told(colors)
    if not product or not color:
        raise RowError("no_id", f"product id {product!r}, color id {color!r}: one of them is missing")
    both = ", ".join(dict.fromkeys([by, color_by]))
    return {"product": [(both, lambda: f"{product}/{color}")], "style": [(by, lambda: product)]}


def _in_link(link: str) -> list[list[Candidate]]:
    """The product id and the color id that an address names, as candidates."""
    found = _IDS.search(link)
    ids = found.groups("") if found else ("", "")
    return [[("address", partial(str, one))] for one in ids]


def _address(link: str, url: str) -> str:
    """The address of a product page, without what only tells how one came there."""
    return _absolute(url, link.partition("?")[0].partition("#")[0])


def _absolute(url: str, link: str) -> str:
    try:
        return urljoin(url, link.strip()) if link.strip() else ""
    except ValueError:  # "http://[": a host that is none
        return ""


def _original(link: str) -> str:
    """The address of a picture without what the CDN is asked to make of it."""
    found = _SIZED.fullmatch(link)
    whole = f"{found[1]}{found[2]}" if found else link
    return whole.replace("%2B", "+").replace("%2b", "+") if "/images/I/" in whole else whole


def _by_id(source: Source, image: str, view: str) -> Picture:
    return Picture(url=f"{source.home}{image}.jpg" if _IMAGE_ID.fullmatch(image) else "", view=_view(view))


def _by_link(source: Source, link: str, view: str) -> Picture:
    whole = _original(_absolute(source.url, link)) if len(link) <= LONGEST_ADDRESS else ""
    return Picture(url=whole if whole.startswith("http") else "", view=_view(view))


def _view(code: str) -> str:
    return VIEWS.get(code.strip().upper(), code.strip().lower())


def _stars(given: str) -> str:
    """A rating; "" for 0, which is how the shop writes that nobody has rated."""
    return "" if rating(given) == 0 else given


def _through(change: Callable[[str], str], asked: Iterable[Candidate]) -> list[Candidate]:
    """The same candidates, each answer changed."""
    return [(name, partial(_changed, change, ask)) for name, ask in asked]


def _changed(change: Callable[[str], str], ask: Callable[[], str]) -> str:
    return change(ask())


def _before_sale(now: str, before: str) -> str:
    """What it cost before it was on sale; "" where that is not more."""
    cost, once = price(now).amount, price(before).amount
    return before if once is not None and (cost is None or once > cost) else ""


def _reduced(now: list[Candidate], before: list[Candidate]) -> list[Candidate]:
    return _through(partial(_before_sale, told(now)[0]), before)


def _each(items: Iterable[tuple[str, Callable[[], Found]]]) -> tuple[tuple[Found, ...], tuple[Odd, ...]]:
    """Items read one by one, each product once: an odd one is told, and the others still come."""
    found: dict[str, Found] = {}
    odd = []
    for label, read in items:
        try:
            one = read()
        except RowError as wrong:
            odd.append(Odd(item=label, reason=wrong.reason, text=str(wrong)))
        else:
            found.setdefault(one.product.product, one)
    return tuple(found.values()), tuple(odd)


# Pages with a state


def _state_listing(text: str, url: str) -> Page | None:
    raw = raw_state(text, "window.__INITIAL_STATE__")
    state = loaded(raw, "window.__INITIAL_STATE__") if raw else None
    if not isinstance(at(state, "products", "list"), list):
        return None
    source = _source(text, url, "state: products.list[]")
    return _listing(several(state, "products", "list"), state, source, raw, text)


def _next_listing(text: str, url: str) -> Page | None:
    raw = script_json(text, "__NEXT_DATA__")
    shown = at(loaded(raw, "__NEXT_DATA__"), "props", "pageProps") if raw else None
    lists = (several(shown, *path.split(".")) for path in NEXT_LISTS)
    items = next((one for one in lists if _are_items(one)), None) or _looked_for(shown, _are_items)
    if items is None:
        return None
    source = _source(text, url, "next: products[]", _cents)
    return _listing(items, _around(shown), source, raw, text)


def _listing(items: list[Any], state: Any, source: Source, raw: str, text: str) -> Page:
    shown = [(_label_of(item), partial(_listed, item, source)) for item in items if not _is_advert(item)]
    found, odd = _each(shown)
    return Page(
        generation=source.name.partition(":")[0],
        found=found,
        odd=odd,
        state=raw,
        total=next((total for path in TOTALS if (total := _count(state, *path)) is not None), None),
        next=_next_page(state, text, source.url),
    )


def _count(value: Any, *path: str | int) -> int | None:
    given = said(value, *path)
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else None


def _are_items(value: Any) -> bool:
    return isinstance(value, list) and any(said(item, "productId") for item in value)


def _is_detail(value: Any) -> bool:
    return bool(said(value, "productId")) and bool(several(value, "styles"))


def _looked_for(value: Any, wanted: Callable[[Any], bool]) -> Any:
    """The outermost value in a state that is what is wanted; None where there is none."""
    level, looked_at = [value], 0
    while level and looked_at < MOST_LOOKED_AT:
        if (found := next((one for one in level if wanted(one)), None)) is not None:
            return found
        looked_at += len(level)
        level = [inner for one in level for inner in _inside(one)]
    return None


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _around(shown: Any) -> Any:
    """Where the sibling site tells of the whole listing what `products`, `filters` and `meta` of a state do."""
    return _looked_for(shown, lambda one: any(at(one, *path) is not None for path in TOLD_OF_ALL))


def _cents(value: Any, *path: str | int) -> str:
    return from_cents(value, *path) or said(value, *path)


def _label_of(item: Any) -> str:
    return said(item, "productId") or said(item, "productName") or type(item).__name__


def _is_advert(item: Any) -> bool:
    """Whether this stands between products and says so itself. A product that is paid for is a product."""
    if not isinstance(item, dict) or said(item, "productId") or said(item, "productName"):
        return False
    kinds = [said(item, name) for name in ("type", "componentType", "componentName", "kind", "cardType")]
    return any(_ADVERT.fullmatch(word) for word in [*item, *kinds])


def _listed(item: Any, source: Source) -> Found:
    link, by = told(_asked(source, item, "productUrl", "productSeoUrl", "defaultProductUrl"))
    product, color = _in_link(link)
    identity = _identity(
        _asked(source, item, "productId") + product, _asked(source, item, "colorId", "color.id") + color
    )
    address = _address(link, source.url) or _made_address(identity, source.url)
    ask = identity | _told_by_item(item, source) | {"url": [(by or MADE, lambda: address)]}
    return _found(ask, _shown(item, source), page=address, page_key=told(identity["style"])[0])


def _told_by_item(item: Any, source: Source) -> Ask:
    asked = partial(_asked, source, item)
    now = _paid(source, item, "price", "salePrice")
    return {
        "name": asked("productName", "name"),
        "brand": asked("brandName", "brand.name", "brand"),
        "color": asked("color", "styleColor", "colorName"),
        "category": asked("defaultCategory", "category", "defaultProductType", "productType"),
        "price": now,
        "currency": asked("currencyCode", "currency") + _dollars(source, told(now)[0]),
        "list_price": _reduced(now, _paid(source, item, "originalPrice", "msrp")),
        "rating": _through(
            _stars, asked("productRating", "reviewRating", "reviewAvgRating", "reviewSummary.aggregateRating")
        ),
        "reviews": asked("reviewCount", "numReviews", "reviewSummary.totalReviews"),
        "stock": asked("onHand"),
        "gender": [(f"{source.name}.genders[]", partial(_joined, several(item, "genders"))), *asked("gender")],
        "product_type": asked("defaultProductType", "productType"),
        "sub_category": asked("defaultSubCategory", "subCategory"),
    }


def _asked(source: Source, item: Any, *names: str) -> list[Candidate]:
    return [(f"{source.name}.{name}", partial(said, item, *name.split("."))) for name in names]


def _paid(source: Source, item: Any, *names: str) -> list[Candidate]:
    return [(f"{source.name}.{name}", partial(source.money, item, name)) for name in names]


def _dollars(source: Source, cost: str) -> list[Candidate]:
    """Whole cents bear no sign; the shop and its sibling count them in US dollars."""
    bare = source.money is _cents and cost and not price(cost).currency
    return [("whole cents are of US dollars", lambda: "USD")] if bare else []


def _joined(values: Iterable[Any], between: str = ", ") -> str:
    return between.join(dict.fromkeys(one for value in values if (one := said(value).strip())))


def _made_address(identity: Ask, url: str) -> str:
    product, _, color = told(identity["product"])[0].partition("/")
    return _absolute(url, f"/product/{product}/color/{color}")


def _shown(item: Any, source: Source) -> list[Picture]:
    views = at(item, "imageMap")
    told_views = views if isinstance(views, dict) else {}
    pictures = [_by_id(source, said(image), view) for view, image in told_views.items()]
    pictures += [_by_id(source, said(item, name), "") for name in ("msaImageId", "imageId")]
    return pictures + [_by_link(source, said(item, name), "") for name in ("thumbnailImageUrl", "defaultImageUrl")]


def _next_page(state: Any, text: str, url: str) -> str:
    """The address of the next page; "" at the last. Pages count from 0."""
    page, pages = _count(state, "filters", "page"), _count(state, "filters", "pageCount")
    counted = page is not None and pages is not None and page + 1 < pages
    following = (
        _absolute(url, said(state, "meta", "documentMeta", "link", "rel", "next"))
        or _next_link(text, url)
        or (_with_page(url, (page or 0) + 1) if counted else "")
    )
    return "" if following == url else following


def _with_page(url: str, page: int) -> str:
    parts = urlsplit(url)
    others = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != "p"]
    return urlunsplit(parts._replace(query=urlencode([*others, ("p", str(page))])))


def _next_link(text: str, url: str) -> str:
    return _absolute(url, _html(text).xpath('//*[self::link or self::a][@rel="next"]/@href').get(""))


def _state_product(text: str, url: str) -> Page | None:
    raw = raw_state(text, "window.__INITIAL_STATE__")
    detail = at(loaded(raw, "window.__INITIAL_STATE__"), "product", "detail") if raw else None
    return _detailed(detail, _source(text, url, "state: product.detail"), raw) if _is_detail(detail) else None


def _next_product(text: str, url: str) -> Page | None:
    raw = script_json(text, "__NEXT_DATA__")
    shown = at(loaded(raw, "__NEXT_DATA__"), "props", "pageProps") if raw else None
    details = (at(shown, *path.split(".")) for path in NEXT_DETAILS)
    detail = next(filter(_is_detail, details), None) or _looked_for(shown, _is_detail)
    return _detailed(detail, _source(text, url, "next: product", _cents), raw) if detail else None


def _detailed(detail: Any, source: Source, raw: str) -> Page:
    styles = several(detail, "styles")
    named = [(said(style, "colorId") or said(style, "styleId") or "a style without an id", style) for style in styles]
    found, odd = _each([(label, partial(_colorway, detail, style, source)) for label, style in named])
    return Page(generation=source.name.partition(":")[0], found=found, odd=odd, state=raw)


def _colorway(detail: Any, style: Any, source: Source) -> Found:
    one = Source(url=source.url, home=source.home, name=f"{source.name}.styles[]", money=source.money)
    link = said(style, "productUrl")
    product, color = _in_link(link)
    identity = _identity(
        _asked(source, detail, "productId") + _asked(one, style, "productId") + product,
        _asked(one, style, "colorId") + color,
    )
    address = _address(link, source.url) or _made_address(identity, source.url)
    ask = identity | _told_by_detail(detail, source) | _told_by_style(detail, style, one)
    ask["url"] = [(f"{one.name}.productUrl" if link else MADE, lambda: address)]
    ask["stock"] = _redirected(told(identity["product"])[0], source.url) + ask["stock"]
    images = [(said(image, "imageId"), said(image, "type")) for image in several(style, "images")]
    return _found(ask, [_by_id(source, image, view) for image, view in images])


def _told_by_detail(detail: Any, source: Source) -> Ask:
    asked = partial(_asked, source, detail)
    bullets = "description.bulletPoints"
    points = several(detail, *bullets.split("."))
    return {
        "name": asked("productName"),
        "brand": asked("brandName", "brand.name"),
        "category": asked("defaultCategory", "defaultProductType"),
        "rating": _through(_stars, asked("reviewSummary.aggregateRating", "productRating")),
        "reviews": asked("reviewSummary.totalReviews", "reviewCount"),
        "gender": [(f"{source.name}.genders[]", partial(_joined, several(detail, "genders")))],
        "product_type": asked("defaultProductType"),
        "sub_category": asked("defaultSubCategory"),
        "description": [(f"{source.name}.{bullets}[]", partial(_joined, points, " · ")), *asked("description")],
    }


def _told_by_style(detail: Any, style: Any, one: Source) -> Ask:
    now = _paid(one, style, "price")
    stocks = several(style, "stocks")
    return {
        "color": _asked(one, style, "color", "styleColor"),
        "price": now,
        "currency": _asked(one, style, "currencyCode", "currency") + _dollars(one, told(now)[0]),
        "list_price": _reduced(now, _paid(one, style, "originalPrice", "msrp")),
        "sizes": [(f"{one.name}.stocks[].size", partial(_joined, [at(stock, "size") for stock in stocks]))],
        "stock": [
            (f"{one.name.removesuffix('.styles[]')}.oos", lambda: "0" if is_true(detail, "oos") else ""),
            (f"{one.name}.stocks[].onHand", partial(_on_hand, at(style, "stocks"))),
        ],
    }


def _redirected(product: str, url: str) -> list[Candidate]:
    """The shop leads to such an address from a product that is sold out."""
    meant = "/".join(one for ids in _in_link(url) if (one := told(ids)[0]))
    sold_out = _is_sold_out(url) and f"{product}/".startswith(f"{meant}/" if meant else "")
    return [("address: oosRedirected", lambda: "0" if sold_out else "")]


def _is_sold_out(url: str) -> bool:
    return "oosredirected=true" in url.partition("?")[2].casefold()


def _on_hand(stocks: Any) -> str:
    """Pieces of all sizes together; "" where the page tells of none."""
    if not isinstance(stocks, list):
        return ""
    return str(sum(_count(stock, "onHand") or 0 for stock in stocks))


# Pages of HTML alone


def _html(text: str) -> Selector:
    """The page as a tree. Half a character, which no page can hold, is replaced."""
    return Selector(text=text.encode("utf-8", "replace").decode(), type="html")


@dataclass(frozen=True, kw_only=True)
class Label:
    """What the aria-label of a listing's link says."""

    name: str
    brand: str
    price: str
    list_price: str
    color: str
    rating: str


def read_label(label: str) -> Label | None:
    """`{name}. By {brand}. {price}. Style: {color}. Rated {r} out of 5 stars.`; None for anything else.

    A name ends at the first ". By ", and may hold full stops as a brand may; a price is what reads as one.
    """
    whole = " ".join(label.split()) if len(label) <= LONGEST_LABEL else ""
    rated = _RATED.search(whole)
    head = whole[: rated.start()] if rated else whole
    head, _, color = head.rpartition(". Style: ") if ". Style: " in head else (head, "", "")
    name, by, rest = head.partition(". By ")
    brand, cost, before = _brand_and_price(rest)
    if not by or not name or not brand:
        return None
    color = color if rated else color.removesuffix(".")
    return Label(name=name, brand=brand, price=cost, list_price=before, color=color, rating=rated[1] if rated else "")


def _brand_and_price(rest: str) -> tuple[str, str, str]:
    """Brand, price, and price before the sale; no brand where it cannot be told where it ends."""
    for end in (found.start() for found in re.finditer(r"\. ", rest)):
        tail = _PRICED.fullmatch(rest[end + 2 :])
        if tail and _is_price(tail[1]):
            return rest[:end], tail[1], tail[2] or ""
    bare = rest.removesuffix(".")
    return ("", "", "") if ". " in rest else (bare, "", "")


def _is_price(given: str) -> bool:
    read = price(given)
    return read.amount is not None and bool(read.currency or read.amount == 0)


def _linked_listing(text: str, url: str) -> Page | None:
    page = _html(text)
    links = _product_links(page, url)
    labels = {key: _labels(group) for key, group in links.items()}
    speaks = any(labels.values())
    if not links or not (speaks or _lists(page)):
        return None
    source = _source(text, url, "aria" if speaks else "oldest")
    found, odd = _each([(key, partial(_linked, key, links[key], labels[key], source)) for key in links])
    following = _next_page(None, text, url)
    return Page(generation=source.name, found=found, odd=odd, state=text, next=following)


def _lists(page: Selector) -> bool:
    """Whether a page of bare links is none of one product, with links to others beside it."""
    counts = [len(page.xpath(f'//*[@itemprop="{name}"]')) for name in ("price", "sku")]
    return not page.xpath('//*[@id="prdImage"]') and 1 not in counts


def _product_links(page: Selector, url: str) -> dict[str, list[Selector]]:
    """The links to each product of a page, by the path that names it. Adverts lead elsewhere."""
    links: dict[str, list[Selector]] = {}
    for link in page.xpath('//a[contains(@href, "/product/")]'):
        found = _IDS.search(_address(link.attrib["href"], url))
        if found:
            links.setdefault("/".join(found.groups("")), []).append(link)
    return links


def _labels(links: Iterable[Selector]) -> list[Label]:
    return [one for link in links if (one := read_label(link.attrib.get("aria-label", "")))]


def _linked(key: str, links: list[Selector], labels: list[Label], source: Source) -> Found:
    address = _address(links[0].attrib["href"], source.url)
    ask = _identity(*_in_link(address)) | _told_by_label(labels, links) | {"url": [("link", lambda: address)]}
    if source.name == "aria" and not told(ask["name"])[0]:
        given = links[0].attrib.get("aria-label", "")[:LONGEST_LABEL]
        raise RowError("odd_label", f"product {key}: its label is {given!r}, not NAME. By BRAND. PRICE. Style: COLOR")
    pictures = [_by_link(source, image, "") for link in links for image in _images_of(link)]
    return _found(ask, pictures[:1], page=address, page_key=key)


def _told_by_label(labels: Sequence[Label], links: Sequence[Selector]) -> Ask:
    label = labels[0] if labels else Label(name="", brand="", price="", list_price="", color="", rating="")
    once = _before_sale(label.price, label.list_price)
    values = {**vars(label), "rating": _stars(label.rating), "list_price": once}
    near = [place for link in links for place in (link, *link.xpath("ancestor::article[1]"))]
    return {
        field: [(f"aria-label: {field}", partial(str, value)), (f"itemprop={field}", partial(_near, near, field))]
        for field, value in values.items()
    }


def _near(places: Iterable[Selector], name: str) -> str:
    """What a listed product's own itemprop says, in its link or the article around that."""
    there = (one for place in places for one in place.xpath(f'.//*[@itemprop="{name}"]'))
    return next((value for one in there if (value := _says(one))), "")


def _images_of(link: Selector) -> list[str]:
    """The pictures of a listed product: in its link, or else in the article around that."""
    for place in (link, *link.xpath("ancestor::article[1]")):
        told_there = place.xpath('.//*[@itemprop="image"]/@content | .//img/@data-src | .//img/@src').getall()
        if pictures := [one for one in told_there if not one.startswith("data:")]:
            return pictures
    return []


def _html_product(text: str, url: str) -> Page | None:
    page = _html(text)
    oldest = bool(page.xpath('//*[@id="prdImage"]//h1'))
    if not oldest and not _property(page, "price", "sku"):
        _refuse_sold_out(url)
        return None
    source = _source(text, url, "oldest" if oldest else "microdata")
    try:
        identity = _named_by_page(page, url)
        ask = identity | _told_by_microdata(page) | (_told_by_oldest(page) if oldest else {})
        ask["url"] = [("canonical link or address", lambda: _own_address(page, url))]
        ask["stock"] = _redirected(told(identity["product"])[0], url) + ask["stock"]
        pictures = _thumbnails(page, source) if oldest else _pictured(page, source)
        return Page(generation=source.name, found=(_found(ask, pictures),), state=text)
    except PageError:
        raise
    except RowError as wrong:
        mend = f"Save it with scripts/save_page.py, then mend {__file__}"
        raise PageError(wrong.reason, f"{wrong}. {mend}") from None


def _refuse_sold_out(url: str) -> None:
    if _is_sold_out(url):
        raise PageError("out_of_stock", "the product is sold out, and the shop shows another page in its place")


def _named_by_page(page: Selector, url: str) -> Ask:
    canonical = page.xpath('//link[@rel="canonical"]/@href').get("")
    product, color = _in_link(url)
    canonical_product, canonical_color = _in_link(canonical)
    return _identity(
        [
            *product,
            *canonical_product,
            ("itemprop=sku", lambda: _property(page, "sku")),
            ("input[name=productId]", lambda: page.xpath('//input[@name="productId"]/@value').get("")),
        ],
        [
            *color,
            *canonical_color,
            ("input[name=colorId]", lambda: page.xpath('//input[@name="colorId"]/@value').get("")),
            ("#color option[selected]", lambda: page.xpath('//*[@id="color"]/option[@selected]/@value').get("")),
        ],
    )


def _own_address(page: Selector, url: str) -> str:
    return _address(page.xpath('//link[@rel="canonical"]/@href').get("") or url, url)


def _property(page: Selector, *names: str) -> str:
    """What the first element with one of these itemprops says, inside no brand, review or list of others."""
    wanted = " or ".join(f'contains(concat(" ", @itemprop, " "), " {name} ")' for name in names)
    inside = " or ".join(
        f'@itemprop="{one}"' for one in ("brand", "review", "author", "itemListElement", "isRelatedTo")
    )
    for element in page.xpath(f"(//*[{wanted}])[position() <= {MOST_ASKED}][not(ancestor::*[{inside}])]"):
        if value := _says(element):
            return value
    return ""


def _says(element: Selector) -> str:
    plain = " ".join(" ".join(element.xpath(".//text()").getall()).split())
    return (element.attrib.get("content", "") or plain or element.attrib.get("href", "")).strip()


def _told_by_microdata(page: Selector) -> Ask:
    def asked(*names: str) -> list[Candidate]:
        return [(f"itemprop={name}", partial(_property, page, name)) for name in names]

    now = [("itemprop=price", lambda: _first_price(_property(page, "price"))), *asked("lowPrice")]
    offers = " ".join(page.xpath('//*[@itemprop="offers"]//text()').getall())
    return {
        "name": asked("name"),
        "brand": asked("brand"),
        "color": [*asked("color"), ("#color option[selected]", partial(_option, page))],
        "category": asked("category"),
        "price": now,
        "currency": asked("priceCurrency"),
        "list_price": _reduced(now, [("itemprop=offers: MSRP", partial(_once, offers))]),
        "rating": _through(_stars, asked("ratingValue")),
        "reviews": asked("reviewCount", "ratingCount"),
        "stock": [("itemprop=availability", lambda: "0" if "OutOfStock" in _available(page) else "")],
        "description": asked("description"),
    }


def _first_price(given: str) -> str:
    """`$89.95 MSRP: $120.00` costs $89.95."""
    return _BEFORE.sub("", given).strip()


def _once(offers: str) -> str:
    found = _BEFORE.search(offers)
    return found[1] if found else ""


def _available(page: Selector) -> str:
    told_there = page.xpath('//*[@itemprop="availability"]')
    return " ".join(one.attrib.get("href", "") + one.attrib.get("content", "") for one in told_there)


def _option(page: Selector) -> str:
    return " ".join(page.xpath('//*[@id="color"]/option[@selected]//text()').getall())


def _pictured(page: Selector, source: Source) -> list[Picture]:
    shown = page.xpath('//*[@itemprop="image"][not(ancestor::*[@itemprop="isRelatedTo" or @itemprop="review"])]')
    links = [(one.attrib.get("src") or one.attrib.get("content") or one.attrib.get("href", ""), one) for one in shown]
    return [_by_link(source, link, _code(one.attrib.get("alt", ""))) for link, one in links]


def _code(alt: str) -> str:
    """The code of a view: what is said of a picture in sentences names none."""
    return alt if re.fullmatch(r"\s*[A-Za-z0-9]{3,6}\s*", alt) else ""


def _told_by_oldest(page: Selector) -> Ask:
    crumbs = _crumbs(page)
    brand, name = _title(page, crumbs)
    steps = [crumb for crumb in crumbs if crumb.casefold() not in {brand.casefold(), name.casefold(), "home"}]
    where = "#breadcrumbs a"
    return {
        "name": [("#prdImage h1", lambda: name)],
        "brand": [
            ("#prdImage h1", lambda: brand),
            (f"{where}[href*=/brand/]", partial(_brand_crumb, page)),
            ("itemprop=brand", partial(_property, page, "brand")),
        ],
        "category": [(where, lambda: steps[min(1, len(steps) - 1)] if steps else "")],
        "product_type": [(where, lambda: steps[0] if len(steps) > 1 else "")],
        "sub_category": [(where, lambda: steps[2] if len(steps) > 2 else "")],
        "price": [
            ("#priceSlot", lambda: _first_price(_says_id(page, "priceSlot"))),
            ("#price", lambda: _first_price(_says_id(page, "price"))),
            ("itemprop=price", lambda: _first_price(_property(page, "price"))),
        ],
    }


def _crumbs(page: Selector) -> list[str]:
    return [said_there for one in page.xpath('//*[@id="breadcrumbs"]//a') if (said_there := _says(one))]


def _brand_crumb(page: Selector) -> str:
    found = page.xpath('//*[@id="breadcrumbs"]//a[contains(@href, "/brand/") or starts-with(@href, "/b/")]')
    return _says(found[0]) if found else ""


def _title(page: Selector, crumbs: Sequence[str]) -> tuple[str, str]:
    """Brand and name: the brand is a link of its own before the name, or the crumb that the title begins with."""
    title = page.xpath('//*[@id="prdImage"]//h1')[0]
    whole = _says(title)
    links = [_says(one) for one in title.xpath(".//a")]
    starts = [one for one in [*links[:1], *crumbs] if one and whole.startswith(f"{one} ")]
    brand = max(starts, key=len, default="")
    return brand, whole.removeprefix(brand).strip()


def _says_id(page: Selector, name: str) -> str:
    found = page.xpath(f'//*[@id="{name}"]')
    return _says(found[0]) if found else ""


def _thumbnails(page: Selector, source: Source) -> list[Picture]:
    """The views by their thumbnails; the link around one leads to the picture in full."""
    shown = page.xpath('//*[@id="thumbnailsList"]//img[@alt] | //*[starts-with(@id, "angle-")]//img[@alt]')
    return [_by_link(source, _in_full(one), one.attrib["alt"]) for one in shown]


def _in_full(image: Selector) -> str:
    around = image.xpath("ancestor::a[1]/@href").get("")
    return around if re.search(r"\.(?:jpe?g|png|gif|webp)$", around, re.IGNORECASE) else image.attrib.get("src", "")
