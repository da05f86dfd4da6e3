"""Farfetch: an answer of its listing API, and a product page, in every layout that is known. Pure.

In: the text of an answer, and its address. Out: a Page, or a PageError. Never: asks the network, judges a status, or
guesses: the currency is the one that the page names, whichever country stands in the address.

Where it stands, newest first, and how that is known
listing_items  listingItems.items[]                                           public crawlers
listing        listing.products[]                                             public crawlers; items assumed as above
products       products[]                                                     public crawlers, items as above
apollo         __HYDRATION_STATE__: apolloInitialState, a cache of GraphQL    public crawlers read only the price, quantity
                                                                              and size of a Variation; the other names are
                                                                              those of the shop's own queries, assumed here
hydration      __HYDRATION_STATE__: initialStates.slice-product               public crawlers
initial_state  __initialState__: slice-product                                public crawlers
slice_pdp      __initialState_slice-pdp__                                     public crawlers
json_ld        the Product of schema.org, beside any state                    a public crawler that reads nothing else
Three of the states are a productViewModel, which is taken wherever in a state it stands. The first two marks hold JSON
inside a JSON string.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any, Final
from urllib.parse import unquote, urljoin, urlsplit

from parsel import Selector

from lookalike.catalog.clean import read_fields, web_address
from lookalike.catalog.prices import price
from lookalike.catalog.product import RowError
from shops.pages.page import Candidate, Found, Odd, Page, PageError, Picture, told
from shops.pages.state import at, loaded, raw_state, said, several
from shops.pages.verdict import breaks_off

SHOP: Final = "farfetch"
LISTINGS: Final = (
    ("listing_items", ("listingItems", "items")),
    ("listing", ("listing", "products")),
    ("products", ("products",)),
)
STATES: Final = (
    ("hydration", "window.__HYDRATION_STATE__"),
    ("initial_state", "window['__initialState__']"),
    ("slice_pdp", "window['__initialState_slice-pdp__']"),
)

Places = dict[str, tuple[str, ...]]  # field -> where it may stand, see _along; the first that says something counts
ITEM: Final[Places] = {
    "product": ("id",),
    "brand": ("brand.name",),
    "name": ("shortDescription",),
    "price": ("priceInfo.finalPrice", "priceInfo.formattedFinalPrice"),
    "currency": ("priceInfo.currencyCode",),
    "list_price": ("priceInfo.initialPrice", "priceInfo.formattedInitialPrice"),
    "on_sale": ("priceInfo.isOnSale",),
    "stock": ("stockTotal",),
    "gender": ("gender",),
    "merchant": ("merchantId",),
    "sizes": ("availableSizes[].size", "availableSizes[]"),
    "url": ("url",),
}
MODEL: Final[Places] = {
    "product": ("details.productId",),
    "style": ("details.styleId",),
    "brand": ("designerDetails.name",),
    "category": ("breadcrumb[].text",),
    "color": ("details.colors", "details.colors[]", "designerDetails.designerColour"),
    "name": ("details.shortDescription",),
    "price": ("priceInfo.default.finalPrice", "priceInfo.default.formattedFinalPrice"),
    "currency": ("priceInfo.default.currencyCode",),
    "list_price": ("priceInfo.default.initialPrice", "priceInfo.default.formattedInitialPrice"),
    "on_sale": ("priceInfo.default.isOnSale",),
    "stock": ("details.stockTotal", "sizes.available[].quantity"),
    "gender": ("details.genderName",),
    "merchant": ("details.merchantId",),
    "sizes": ("sizes.available[].description",),
    "description": ("details.description",),
    "pictures": ("images.main[]",),
}
CACHE: Final[Places] = {
    "product": ("product.id", "variation.internalProductId"),
    "brand": ("product.brand.name",),
    "name": ("variation.description.short.textContent", "product.shortDescription"),
    "price": ("variation.price.value.formatted", "variation.price.value.raw"),  # only the first tells a currency
    "list_price": ("variation.price.fullPriceValue.formatted", "variation.price.fullPriceValue.raw"),
    "stock": ("variations[].quantity", "product.stockQuantity"),
    "gender": ("product.gender.id",),
    "merchant": ("variation.shipping.merchant.id",),
    "sizes": ("variations[].variationProperties[].values[].description",),
    "pictures": ("variation.images[]", "product.images[]"),
}
LINKED: Final[Places] = {
    "product": ("Product.productID", "Product.sku"),
    "brand": ("Product.brand.name", "Product.brand"),
    "category": ("BreadcrumbList.itemListElement[].item.name", "BreadcrumbList.itemListElement[].name"),
    "color": ("Product.color",),
    "name": ("Product.name",),
    "price": ("Product.offers.price", "Product.offers[].price"),
    "currency": ("Product.offers.priceCurrency", "Product.offers[].priceCurrency"),
    "description": ("Product.description",),
    "pictures": ("Product.image[]", "Product.image"),
}
NO_TEXT: Final = ("on_sale", "pictures")
FIELDS: Final = tuple(field for field in MODEL | ITEM if field not in NO_TEXT)
LISTED: Final = ("sizes", "color")  # several values are one text with commas; of any other field the first counts
SIZES: Final = ("zoom", "large", "600", "medium", "small", "thumbnail", "url", "contentUrl")  # the largest first
KINDS: Final = ("clothing", "shoes", "accessories")  # above the categories, as other shops name them: boots, bags
SHOWN: Final = 60  # characters of an item that a message shows
MOST_ESCAPES: Final = 3  # times that JSON may be a string inside JSON; two are known

_ITEM_ID = re.compile(r"-item-([0-9]+)\.aspx")
_PAGE = re.compile(r"([?&]page=)([^&#]*)")
_NAMED = re.compile(r"/([0-9]+_[^/]+)_([0-9]{1,9})\.\w+$")  # <product>_<image>_<size>.jpg; some images are UUIDs
_HOME = re.compile(r"(?:(?:women|men|kids|girls|boys|baby|unisex)(?:'s)?)?(?:\s*home)?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class _Source:
    """Something that tells of a product: an item, a state, the JSON-LD."""

    name: str
    places: Places
    look: Callable[[str], list[Any]]  # what stands at a path

    def candidates(self, field: str) -> Iterator[Candidate]:
        """What it says of a field, place by place."""
        for path in self.places.get(field, ()):
            yield f"{self.name}: {path}", partial(self._words, field, path)

    def says(self, field: str) -> str:
        """What it says of a field."""
        return told(self.candidates(field))[0]

    def _words(self, field: str, path: str) -> str:
        return _in_words(field, self.look(path))


def read_listing(text: str, url: str) -> Page:
    """The products of one answer of the listing API."""
    if not text.lstrip("\ufeff \t\r\n").startswith("{"):
        raise _not_ours("not_json", url, "no answer of the listing API")
    answer = loaded(text.lstrip("\ufeff"), f"the listing {url}")
    generation, items = _items(answer, url)
    read = [_item(generation, item, url) for item in items if not _is_advert(item)]
    return Page(
        generation=generation,
        found=tuple(one for one in read if isinstance(one, Found)),
        odd=tuple(one for one in read if isinstance(one, Odd)),
        state=text,
        total=_count(at(answer, "listingPagination", "totalItems")),
        next=_next(url, at(answer, "listingPagination")),
    )


def read_product(text: str, url: str) -> Page:
    """The one product of a product page."""
    asked = _ITEM_ID.search(url)
    wanted = asked[1] if asked else ""
    source, state = _state(text, wanted)
    linked, kept = _linked(text, source.says("product") if source else wanted)
    sources = [one for one in (source, linked) if one]
    if not any(one.says("product") for one in sources):
        reason, what = ("half_page", "it breaks off") if breaks_off(text) else ("no_product", "no state with a product")
        raise _not_ours(reason, url, what)
    try:
        found = _found(sources, url, address=url)
    except RowError as wrong:
        raise PageError(wrong.reason, f"{url}: {wrong}") from None
    return Page(generation=sources[0].name, found=(found,), state=state or kept)


def _not_ours(reason: str, url: str, what: str) -> PageError:
    mend = f"The shop changed its page, or sent another one. Save it with scripts/save_page.py, then mend {__name__}"
    return PageError(reason, f"{url}: {what}. {mend}")


# The listing


def _items(answer: Any, url: str) -> tuple[str, list[Any]]:
    """The items of the newest layout that has any, and its name; none where a layout says that there is none."""
    lists = [(name, found) for name, path in LISTINGS if isinstance(found := at(answer, *path), list)]
    if not lists:
        raise _not_ours("no_items", url, f"no list of products at {', '.join('.'.join(path) for _, path in LISTINGS)}")
    return next((one for one in lists if one[1]), lists[0])


def _is_advert(item: Any) -> bool:
    return isinstance(item, dict) and item.get("id") in (None, "", 0)


def _item(generation: str, item: Any, url: str) -> Found | Odd:
    label = said(item, "id") or repr(item)[:SHOWN]
    if not said(item, "id"):
        return Odd(item=label, reason="no_id", text="it has no id that is a number or a text")
    named = (f"images.{view}" for view in _keys(at(item, "images")) if view != "all")
    places = ITEM | {"pictures": ("images.all[]", *named)}
    source = _Source(name=generation, places=places, look=partial(_along, node=item))
    address = _absolute(source.says("url"), url)
    try:
        found = _found([source], url, address=address)
    except RowError as wrong:
        return Odd(item=label, reason=wrong.reason, text=str(wrong))
    return replace(found, page=address, page_key=found.product.product if address else "")


def _keys(value: Any) -> list[str]:
    return list(value) if isinstance(value, dict) else []


def _next(url: str, pages: Any) -> str:
    """The same address with the next page, by the number that was asked for; "" where the answer tells of no further."""
    asked = _PAGE.search(url)
    number = (_count(asked[2]) if asked else None) or _count(at(pages, "index")) or 1
    if number >= _last(pages):
        return ""
    if asked:
        return f"{url[: asked.start()]}{asked[1]}{number + 1}{url[asked.end() :]}"
    address, _, anchor = url.partition("#")
    return f"{address}{'&' if '?' in address else '?'}page={number + 1}{'#' * bool(anchor)}{anchor}"


def _last(pages: Any) -> int:
    total, view = _count(at(pages, "totalItems")), _count(at(pages, "view"))
    counted = -(-total // view) if total and view else 0
    return _count(at(pages, "totalPages")) or counted


def _count(value: Any) -> int | None:
    text = said(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= len("1000000000") else None


# The product page


def _state(text: str, wanted: str) -> tuple[_Source | None, str]:
    """The newest state that tells of a product, and its JSON text."""
    for generation, mark in STATES:
        if raw := raw_state(text, mark):
            raw, state = _unpacked(raw, mark)
            if source := _source(generation, state, wanted):
                return source, raw
    return None, ""


def _unpacked(raw: str, mark: str) -> tuple[str, Any]:
    """The JSON inside the JSON strings, and its value. Half an emoji becomes a question mark: no file could keep it."""
    value = loaded(raw, mark)
    for _ in range(MOST_ESCAPES):
        if isinstance(value, str):
            raw = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            value = loaded(raw, mark)
    return raw, value


def _source(generation: str, state: Any, wanted: str) -> _Source | None:
    """What a state tells of the page's product. It may hold the recommendations too, in the same words."""
    if models := list(_models(state)):
        model = next((one for one in models if said(one, "details", "productId") == wanted), models[0])
        return _Source(name=generation, places=MODEL, look=partial(_along, node=model))
    cache = at(state, "apolloInitialState")
    if isinstance(cache, dict) and (own := _own(cache, wanted)):
        return _Source(name="apollo", places=CACHE, look=partial(_along, node=own, step=partial(_follow, cache)))
    return None


def _models(state: Any) -> Iterator[dict[str, Any]]:
    """Every productViewModel of a state, the least deep first."""
    waiting = deque([state])
    while waiting:
        one = waiting.popleft()
        if isinstance(model := at(one, "productViewModel"), dict):
            yield model
        waiting.extend(child for child in _each(one) if isinstance(child, dict | list))


def _own(cache: dict[str, Any], wanted: str) -> dict[str, Any]:
    """The variations (sizes) of the page's product, and the product: the one that is wanted, or the only one."""
    kinds = ("Variation", "VariationUnavailable")
    every = [(_product_id(cache, one), one) for name, one in cache.items() if name.partition(":")[0] in kinds]
    ids = {product for product, _ in every}
    if wanted not in ids and len(ids) == 1:
        wanted = ids.pop()
    own = [one for product, one in every if product == wanted]
    if not own:
        return {}
    first = next((one for one in own if _count(at(one, "quantity"))), own[0])
    return {"variation": first, "variations": own, "product": _follow(cache, first, "product")}


def _product_id(cache: dict[str, Any], variation: Any) -> str:
    return said(_follow(cache, variation, "product"), "id") or said(variation, "internalProductId")


def _follow(cache: dict[str, Any], node: Any, name: str) -> Any:
    """What a field of the cache holds: a `__ref` is another entry, and a field may be written with its arguments."""
    entry = _resolved(cache, node)
    if not isinstance(entry, dict):
        return None
    written = name if name in entry else next((key for key in entry if key.startswith(f"{name}(")), name)
    held = _resolved(cache, entry.get(written))
    return [_resolved(cache, one) for one in held] if isinstance(held, list) else held


def _resolved(cache: dict[str, Any], node: Any) -> Any:
    return cache.get(ref) if isinstance(ref := at(node, "__ref"), str) else node


def _linked(text: str, product: str) -> tuple[_Source | None, str]:
    """What the JSON-LD says of this product and of the way to it, and the JSON text of the product."""
    first: dict[str, Any] = {}
    kept = ""
    for raw, one in _linked_data(text):
        kind = said(one, "@type")
        if kind in ("Product", "BreadcrumbList") and kind not in first and _may_be(one, product):
            first[kind] = one
            kept = raw if kind == "Product" else kept
    return (_Source(name="json_ld", places=LINKED, look=partial(_along, node=first)) if first else None), kept


def _may_be(linked: Any, product: str) -> bool:
    """Whether it can be about the product: it names this one, or none."""
    names = {said(linked, name) for name in ("productID", "sku")} - {""}
    return not names or not product or product in names


def _linked_data(text: str) -> Iterator[tuple[str, Any]]:
    for raw in Selector(text).xpath('//script[@type="application/ld+json"]/text()').getall():
        try:
            data = loaded(raw, "JSON-LD")
        except PageError:  # it repeats what the state tells
            continue
        for one in data if isinstance(data, list) else [data, *several(data, "@graph")]:
            yield raw, one


# What sources tell, as a product


def _found(sources: list[_Source], url: str, *, address: str) -> Found:
    fields, answered = _fields(sources)
    pictures, place = _pictures(sources, url)
    if place:
        answered["pictures"] = place
    product = read_fields(fields | ({"url": address} if address else {}), shop=SHOP)
    return Found(product=product, pictures=pictures, answered=answered)


def _fields(sources: list[_Source]) -> tuple[dict[str, str], dict[str, str]]:
    """Each field as text, and the place that told it."""
    answers = {field: told(chain.from_iterable(one.candidates(field) for one in sources)) for field in FIELDS}
    fields = {field: value for field, (value, _) in answers.items()}
    fields |= _category(fields)
    if fields["style"] == "0":  # "no style" as a number; else all such products were one style
        fields["style"] = ""
    if not _on_sale(sources, fields):
        fields["list_price"] = ""
    return fields, {field: place for field, (_, place) in answers.items() if fields[field]}


def _in_words(field: str, values: Iterable[Any]) -> str:
    """Values as the text of a field: the steps of a category, the sum of a stock, else the first."""
    texts = [text for value in values if (text := _text(value))]
    if field == "category":
        return " > ".join(texts)
    if field == "stock" and (counts := [count for text in texts if (count := _count(text)) is not None]):
        return str(sum(counts))
    return ", ".join(texts) if field in LISTED else (texts or [""])[0]


def _text(value: Any) -> str:
    """A number with three decimals is written with four: "123.125" is read as thousands, as texts mean it so."""
    text = said(value).strip()
    return f"{text}0" if isinstance(value, float) and re.fullmatch(r"\d+\.\d{3}", text) else text


def _category(fields: dict[str, str]) -> dict[str, str]:
    """The steps of a breadcrumb that are categories: not "Women Home", the brand, the product, nor "Shoes" of "Boots"."""
    others = {fields[name].casefold() for name in ("gender", "brand", "name")}
    steps = [
        one for one in fields["category"].split(" > ") if not _HOME.fullmatch(one) and one.casefold() not in others
    ]
    while len(steps) > 1 and steps[0].casefold() in KINDS:
        steps = steps[1:]
    category = " > ".join(steps)
    return {"category": category, "breadcrumb": fields["category"] if fields["category"] != category else ""}


def _on_sale(sources: list[_Source], fields: dict[str, str]) -> bool:
    """As the shop says; where it does not, as the two prices say."""
    flags = [value for one in sources for path in one.places.get("on_sale", ()) for value in one.look(path)]
    before, now = (price(fields[name]).amount for name in ("list_price", "price"))
    return next((flag for flag in flags if isinstance(flag, bool)), before != now)


def _along(path: str, node: Any, step: Callable[[Any, str], Any] = at) -> list[Any]:
    """What stands at a path: "brand.name" is one value, "sizes.available[].quantity" one of everything that is there."""
    found = [node]
    for part in path.split("."):
        found = [step(one, part.removesuffix("[]")) for one in found]
        if part.endswith("[]"):
            found = [item for one in found for item in _each(one)]
    return found


def _each(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


# Pictures


def _pictures(sources: list[_Source], url: str) -> tuple[tuple[Picture, ...], str]:
    """The pictures of the first source that shows any, each image once in its largest size, and the place that did."""
    for source in sources:
        shown = list(_shown(source, url))
        if shown:
            return tuple(_each_once((address, view) for _, address, view in shown)), f"{source.name}: {shown[0][0]}"
    return (), ""


def _shown(source: _Source, url: str) -> Iterator[tuple[str, str, str]]:
    """Place, address and view of each picture; the view is "" but where the shop has a name: `images.cutOut`."""
    for path in source.places.get("pictures", ()):
        named = path.startswith("images.") and not path.endswith("[]")
        for entry in source.look(path):
            if address := _largest(entry, url):
                yield path, address, path.removeprefix("images.").lower() if named else ""


def _each_once(shown: Iterable[tuple[str, str]]) -> Iterator[Picture]:
    images: dict[str, tuple[str, str]] = {}
    for address, view in shown:
        before, named = images.get(_image(address)[0], (address, ""))
        images[_image(address)[0]] = max(before, address, key=_size), named or view
    for place, (address, view) in enumerate(images.values(), start=1):
        yield Picture(url=address, view=view or f"view{place}")


def _largest(entry: Any, url: str) -> str:
    """The address of the largest size of one picture, "" where there is none."""
    sized = [entry, *(at(entry, size) for size in SIZES), *(at(inner, "url") for inner in _each(entry))]
    addresses = (_absolute(one, url) for one in sized if isinstance(one, str))
    return max(filter(None, addresses), key=_size, default="")


def _image(address: str) -> tuple[str, int]:
    """Which image an address shows, and in which size. Of another form: the address itself, and 0."""
    named = _NAMED.search(unquote(urlsplit(address).path))
    return (named[1], int(named[2])) if named else (address, 0)


def _size(address: str) -> int:
    return _image(address)[1]


def _absolute(address: str, url: str) -> str:
    """An address as a page at `url` means it; "" for what is none."""
    try:
        return web_address(urljoin(url, address)) if address else ""
    except ValueError:  # "http://[": a host that is none
        return ""
