"""Zappos product pages of HTML alone: with itemprop (microdata), and the oldest, with #prdImage. Pure.

In: the text of a page and its address. Out: a Page; None where it is no such page. Never: takes a product that the page
recommends for its own.
"""

import re
from collections.abc import Sequence
from typing import Final

from parsel import Selector

from shops.pages.found import Candidate, Candidates, tree
from shops.pages.page import Page, PageError, Picture
from shops.pages.zappos_source import (
    Source,
    Which,
    address,
    by_link,
    found_at,
    in_link,
    is_sold_out,
    redirected,
    reduced,
    says,
    source_of,
    stars,
    which,
)

MOST_ASKED = 50  # elements of a page that have one itemprop
CANONICAL: Final = '//link[@rel="canonical"]/@href'
OTHERS: Final = ("brand", "review", "author", "itemListElement", "isRelatedTo")  # what is in these is of something else
CRUMBS: Final = '//*[@id="breadcrumbs"]//a'
SELECTED: Final = '//*[@id="color"]/option[@selected]'
VIEWS: Final = '//*[@id="thumbnailsList"]//img[@alt] | //*[starts-with(@id, "angle-")]//img[@alt]'

_BEFORE = re.compile(r"(?:MSRP|Originally|List price|Was)\b:?\s*([^\s\d]{0,4}\s?\d[\d.,]*)", re.IGNORECASE)


def product(text: str, url: str) -> Page | None:
    """A product page without a state. Raises RowError where it names no product."""
    page = tree(text)
    oldest = bool(page.xpath('//*[@id="prdImage"]//h1'))
    if not oldest and not _property(page, "price", "sku"):
        if is_sold_out(url):
            raise PageError("out_of_stock", "the product is sold out, and the shop shows another page in its place")
        return None
    source = source_of(text, url, "oldest" if oldest else "microdata")
    meant = _named(page, url)
    said = _told_by_microdata(page) | (_told_by_oldest(page) if oldest else {})
    said["url"] = [("canonical link or address", address(_first(page, CANONICAL) or url, url))]
    said["stock"] = redirected(meant.product, url) + said["stock"]
    pictures = _thumbnails(page, source) if oldest else _pictured(page, source)
    return Page(generation=source.name, found=(found_at(meant, said, pictures),), state=text)


def _named(page: Selector, url: str) -> Which:
    style, color = in_link(url)
    canonical_style, canonical_color = in_link(_first(page, CANONICAL))
    return which(
        [
            *style,
            *canonical_style,
            ("itemprop=sku", _property(page, "sku")),
            ("input[name=productId]", _first(page, '//input[@name="productId"]/@value')),
        ],
        [
            *color,
            *canonical_color,
            ("input[name=colorId]", _first(page, '//input[@name="colorId"]/@value')),
            ("#color option[selected]", _first(page, f"{SELECTED}/@value")),
        ],
    )


def _first(page: Selector, path: str) -> str:
    return page.xpath(path).get("")


def _property(page: Selector, *names: str) -> str:
    """What the first element with one of these itemprops says that is not about something else."""
    wanted = " or ".join(f'contains(concat(" ", @itemprop, " "), " {name} ")' for name in names)
    inside = " or ".join(f'@itemprop="{one}"' for one in OTHERS)
    for element in page.xpath(f"(//*[{wanted}])[position() <= {MOST_ASKED}][not(ancestor::*[{inside}])]"):
        if value := says(element):
            return value
    return ""


def _paid(given: str) -> str:
    """`$89.95 MSRP: $120.00` costs $89.95."""
    return _BEFORE.sub("", given).strip()


# With itemprop


def _told_by_microdata(page: Selector) -> Candidates:
    def asked(*names: str) -> list[Candidate]:
        return [(f"itemprop={name}", _property(page, name)) for name in names]

    now = [("itemprop=price", _paid(_property(page, "price"))), *asked("lowPrice")]
    before = _BEFORE.search(" ".join(page.xpath('//*[@itemprop="offers"]//text()').getall()))
    return {
        "name": asked("name"),
        "brand": asked("brand"),
        "color": [*asked("color"), ("#color option[selected]", " ".join(page.xpath(f"{SELECTED}//text()").getall()))],
        "category": asked("category"),
        "price": now,
        "currency": asked("priceCurrency"),
        "list_price": reduced(now, [("itemprop=offers: MSRP", before[1] if before else "")]),
        "rating": stars(asked("ratingValue")),
        "reviews": asked("reviewCount", "ratingCount"),
        "stock": [("itemprop=availability", "0" if "OutOfStock" in _availability(page) else "")],
        "description": asked("description"),
    }


def _availability(page: Selector) -> str:
    return " ".join(page.xpath('//*[@itemprop="availability"]/@*[name()="href" or name()="content"]').getall())


def _pictured(page: Selector, source: Source) -> list[Picture]:
    shown = page.xpath('//*[@itemprop="image"][not(ancestor::*[@itemprop="isRelatedTo" or @itemprop="review"])]')
    links = [(one.attrib.get("src") or one.attrib.get("content") or one.attrib.get("href", ""), one) for one in shown]
    return [by_link(source, link, _code(one.attrib.get("alt", ""))) for link, one in links]


def _code(alt: str) -> str:
    """The code of a view: what is said of a picture in sentences names none."""
    return alt if re.fullmatch(r"\s*[A-Za-z0-9]{3,6}\s*", alt) else ""


# The oldest


def _told_by_oldest(page: Selector) -> Candidates:
    crumbs = [words for one in page.xpath(CRUMBS) if (words := says(one))]
    brand, name = _title(page, crumbs)
    steps = [crumb for crumb in crumbs if crumb.casefold() not in {brand.casefold(), name.casefold(), "home"}]
    where = "#breadcrumbs a"
    return {
        "name": [("#prdImage h1", name)],
        "brand": [
            ("#prdImage h1", brand),
            (
                f"{where}[href*=/brand/]",
                _says(page, f'{CRUMBS}[contains(@href, "/brand/") or starts-with(@href, "/b/")]'),
            ),
            ("itemprop=brand", _property(page, "brand")),
        ],
        "category": [(where, (steps[1:2] or steps or [""])[0])],
        "product_type": [(where, steps[0] if len(steps) > 1 else "")],
        "sub_category": [(where, steps[2] if len(steps) > 2 else "")],
        "price": [
            ("#priceSlot", _paid(_says(page, '//*[@id="priceSlot"]'))),
            ("#price", _paid(_says(page, '//*[@id="price"]'))),
            ("itemprop=price", _paid(_property(page, "price"))),
        ],
    }


def _title(page: Selector, crumbs: Sequence[str]) -> tuple[str, str]:
    """Brand and name: the brand is a link of its own before the name, or the crumb that the title begins with."""
    title = page.xpath('//*[@id="prdImage"]//h1')[0]
    whole = says(title)
    links = [says(one) for one in title.xpath(".//a")]
    starts = [one for one in [*links[:1], *crumbs] if one and whole.startswith(f"{one} ")]
    brand = max(starts, key=len, default="")
    return brand, whole.removeprefix(brand).strip()


def _says(page: Selector, path: str) -> str:
    found = page.xpath(path)
    return says(found[0]) if found else ""


def _thumbnails(page: Selector, source: Source) -> list[Picture]:
    """The views by their thumbnails; the link around one leads to the picture in full."""
    return [by_link(source, _in_full(one), one.attrib["alt"]) for one in page.xpath(VIEWS)]


def _in_full(image: Selector) -> str:
    around = image.xpath("ancestor::a[1]/@href").get("")
    return around if re.search(r"\.(?:jpe?g|png|gif|webp)$", around, re.IGNORECASE) else image.attrib.get("src", "")
