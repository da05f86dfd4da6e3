"""Zappos listings without a state: links whose aria-label says all, or, in the oldest ones, links alone. Pure.

In: the text of a page and its address, or one label. Out: a Page, or a Label; None where it is no such. Never: guesses
where in a label one part ends and the next begins.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from parsel import Selector

from lookalike.catalog.prices import price
from lookalike.catalog.product import RowError
from shops.pages.found import Candidates, read_each, told, tree
from shops.pages.page import Found, Page
from shops.pages.zappos_source import (
    IDS,
    Source,
    address,
    by_link,
    each_product,
    found_at,
    in_link,
    next_link,
    reduced,
    says,
    source_of,
    stars,
    which,
)

LONGEST_LABEL = 1000  # characters

_RATED = re.compile(r"\. Rated (\S{1,9} out of \d{1,3})(?: stars?)?[^.]{0,40}\.?$")
_PRICED = re.compile(
    r"(?:On sale for )?(.{1,40}?)(?:\. (?:MSRP|Originally|Was|List price):? (.{1,40}?))?(?:\. \d+% off)?\.?"
)


@dataclass(frozen=True, kw_only=True)
class Label:
    """What the aria-label of a listing's link says."""

    name: str = ""
    brand: str = ""
    price: str = ""
    list_price: str = ""
    color: str = ""
    rating: str = ""


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


def listing(text: str, url: str) -> Page | None:
    """A listing whose links lead to products."""
    page = tree(text)
    links = _product_links(page, url)
    labels = {path: _labels(group) for path, group in links.items()}
    speaks = any(labels.values())
    if not links or not (speaks or _lists(page)):
        return None
    source = source_of(text, url, "aria" if speaks else "oldest")
    every, odd = read_each(links, str, lambda path: _linked(path, links[path], labels[path], source))
    following = next_link(text, url)
    following = "" if following == url else following
    return Page(generation=source.name, found=each_product(every), odd=odd, state=text, next=following)


def _lists(page: Selector) -> bool:
    """Whether a page of bare links is none of one product, with links to others beside it."""
    counts = [len(page.xpath(f'//*[@itemprop="{name}"]')) for name in ("price", "sku")]
    return not page.xpath('//*[@id="prdImage"]') and 1 not in counts


def _product_links(page: Selector, url: str) -> dict[str, list[Selector]]:
    """The links to each product of a page, by the path that names it. Adverts lead elsewhere."""
    links: dict[str, list[Selector]] = {}
    for link in page.xpath('//a[contains(@href, "/product/")]'):
        if named := IDS.search(address(link.attrib["href"], url)):
            links.setdefault("/".join(named.groups("")), []).append(link)
    return links


def _labels(links: Iterable[Selector]) -> list[Label]:
    return [one for link in links if (one := read_label(link.attrib.get("aria-label", "")))]


def _linked(path: str, links: Sequence[Selector], labels: Sequence[Label], source: Source) -> Found:
    page = address(links[0].attrib["href"], source.url)
    meant = which(*in_link(page))
    said = _said(labels[0] if labels else Label(), links) | {"url": [("link", page)]}
    if source.name == "aria" and not told(said["name"])[0]:
        given = links[0].attrib.get("aria-label", "")[:LONGEST_LABEL]
        raise RowError("odd_label", f"product {path}: its label is {given!r}, not NAME. By BRAND. PRICE. Style: COLOR")
    pictures = [by_link(source, image, "") for link in links for image in _images(link)]
    return found_at(meant, said, pictures[:1], page=page, page_key=path)


def _said(label: Label, links: Sequence[Selector]) -> Candidates:
    """What the label says; where it is silent, what the itemprops in the links say, or in the articles around them."""
    places = [place for link in links for place in _near(link)]
    said = {field: [(f"aria-label: {field}", value)] for field, value in vars(label).items()}
    said |= {"rating": stars(said["rating"]), "list_price": reduced(said["price"], said["list_price"])}
    return {
        field: by_label if told(by_label)[0] else [(f"itemprop={field}", _property(places, field))]
        for field, by_label in said.items()
    }


def _near(link: Selector) -> list[Selector]:
    """Where a listed product tells of itself: its link, then the article around that."""
    return [link, *link.xpath("ancestor::article[1]")]


def _property(places: Iterable[Selector], name: str) -> str:
    there = (one for place in places for one in place.xpath(f'.//*[@itemprop="{name}"]'))
    return next((value for one in there if (value := says(one))), "")


def _images(link: Selector) -> list[str]:
    """The pictures of a listed product: in its link, or else in the article around that."""
    for place in _near(link):
        told_there = place.xpath('.//*[@itemprop="image"]/@content | .//img/@data-src | .//img/@src').getall()
        if pictures := [one for one in told_there if not one.startswith("data:")]:
            return pictures
    return []
