"""What all layouts of Zappos share: which product it is, where its pictures lie, and what a sale is. Pure.

In: links, ids, prices and views as a page writes them. Out: the same, made whole. Never: knows a layout.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from parsel import Selector

from lookalike.catalog.clean import rating
from lookalike.catalog.prices import price
from lookalike.catalog.product import RowError
from shops.pages.found import Candidate, Candidates, absolute, each_once, found, told, tree
from shops.pages.page import Found, Picture

SHOP: Final = "zappos"
CDN: Final = "https://m.media-amazon.com/images/I/"
SITES: Final = (".zappos.com", ".6pm.com")  # these keep their pictures at the CDN; a stand-in has its own
LONGEST_ADDRESS = 2000  # characters
VIEWS: Final = {
    **{"MAIN": "main", "PAIR": "pair", "LEFT": "left", "BACK": "back"},
    **{"TOPP": "top", "BOTT": "bottom", "RGHT": "right", "FRNT": "front"},
    **{"TOP": "top", "BOTTOM": "bottom", "RIGHT": "right", "FRONT": "front"},
}

IDS: Final = re.compile(r"/product/([^/?#]+)(?:/color/([^/?#]+))?")
_SIZED = re.compile(r"(.*/images/I/[^/.?#]+)\.[^/?#]*(\.\w+)(?:[?#].*)?")
_IMAGE_ID = re.compile(r"[A-Za-z0-9+%_-]+")
_IMAGE_HOME = re.compile(r"[\"'(](https?://[^\"'\s<>()\\]{1,200}?)?/images/I/[^\"'\s<>()\\]")


@dataclass(frozen=True, kw_only=True)
class Source:
    """What an item is read from."""

    url: str  # of the page
    home: str  # where a picture lies of which the page tells the id only
    name: str  # for `answered`: the generation, and the place in its state
    in_cents: bool = False  # whether a whole number is a price in cents


def source_of(text: str, url: str, name: str, *, in_cents: bool = False) -> Source:
    """A page as a source."""
    shown = _IMAGE_HOME.search(text)
    own = not f".{urlsplit(url).hostname}".endswith(SITES)
    home = f"{shown[1] or ''}/images/I/" if shown else "/images/I/" if own else CDN
    return Source(url=url, home=absolute(home, url), name=name, in_cents=in_cents)


def says(element: Selector) -> str:
    """What an element with an itemprop says: its content, its text, or where it leads."""
    plain = " ".join(" ".join(element.xpath(".//text()").getall()).split())
    return (element.attrib.get("content", "") or plain or element.attrib.get("href", "")).strip()


def next_link(text: str, url: str) -> str:
    """The next page that a listing links to, "" where it links to none."""
    return absolute(tree(text).xpath('//*[self::link or self::a][@rel="next"]/@href').get(""), url)


# Which product


@dataclass(frozen=True, kw_only=True)
class Which:
    """Which colorway of which style, and who says so."""

    style: str
    color: str
    said: Candidates

    @property
    def product(self) -> str:
        """The product's id in the catalog."""
        return f"{self.style}/{self.color}"

    @property
    def path(self) -> str:
        """Where such a product's page lies, without the words that only people read."""
        return f"/product/{self.style}/color/{self.color}"


def which(styles: Iterable[Candidate], colors: Iterable[Candidate]) -> Which:
    """The product that is meant. Raises RowError("no_id") where one of its two ids is not told."""
    style, by = told(styles)
    color, color_by = told(colors)
    if not style or not color:
        raise RowError("no_id", f"product id {style!r}, color id {color!r}: one of them is missing")
    both = ", ".join(dict.fromkeys([by, color_by]))
    return Which(style=style, color=color, said={"product": [(both, f"{style}/{color}")], "style": [(by, style)]})


def found_at(
    meant: Which, said: Candidates, pictures: Iterable[Picture], *, page: str = "", page_key: str = ""
) -> Found:
    """A product of this shop. Raises RowError where it is none."""
    shown = each_once(pictures, lambda one: one.url)
    return found(meant.said | said, shop=SHOP, pictures=shown, page=page, page_key=page_key)


def each_product(every: Iterable[Found]) -> tuple[Found, ...]:
    """Each product once, as it was shown first."""
    return each_once(every, lambda one: one.product.product)


def in_link(link: str) -> tuple[list[Candidate], list[Candidate]]:
    """The style's id and the color's that an address names."""
    named = IDS.search(link)
    style, color = named.groups("") if named else ("", "")
    return [("address", style)], [("address", color)]


def address(link: str, url: str) -> str:
    """The address of a product page, without what only tells how one came there."""
    return absolute(link.partition("?")[0].partition("#")[0], url)


def redirected(product: str, url: str) -> list[Candidate]:
    """No pieces, where the shop led here from a product that is sold out."""
    meant = "/".join(one for ids in in_link(url) if (one := told(ids)[0]))
    sold_out = is_sold_out(url) and f"{product}/".startswith(f"{meant}/" if meant else "")
    return [("address: oosRedirected", "0" if sold_out else "")]


def is_sold_out(url: str) -> bool:
    """Whether the address says that the product asked for is sold out."""
    return "oosredirected=true" in url.partition("?")[2].casefold()


# Its pictures


def by_id(source: Source, image: str, view: str) -> Picture:
    """The picture of an id."""
    return Picture(url=f"{source.home}{image}.jpg" if _IMAGE_ID.fullmatch(image) else "", view=_view(view))


def by_link(source: Source, link: str, view: str) -> Picture:
    """The picture that a link leads to, as the shop has it."""
    whole = _original(absolute(link, source.url)) if len(link) <= LONGEST_ADDRESS else ""
    return Picture(url=whole if whole.startswith("http") else "", view=_view(view))


def _original(link: str) -> str:
    """The address of a picture without what the CDN is asked to make of it."""
    sized = _SIZED.fullmatch(link)
    whole = f"{sized[1]}{sized[2]}" if sized else link
    return whole.replace("%2B", "+").replace("%2b", "+") if "/images/I/" in whole else whole


def _view(code: str) -> str:
    return VIEWS.get(code.strip().upper(), code.strip().lower())


# What it costs, and what others think of it


def reduced(now: Iterable[Candidate], before: Iterable[Candidate]) -> list[Candidate]:
    """What it cost before it was on sale; "" where that is not more."""
    cost = told(now)[0]
    return through(lambda once: once if _is_more(once, cost) else "", before)


def _is_more(before: str, now: str) -> bool:
    cost, once = price(now).amount, price(before).amount
    return once is not None and (cost is None or once > cost)


def stars(given: Iterable[Candidate]) -> list[Candidate]:
    """A rating; "" for 0, which is how the shop writes that nobody has rated."""
    return through(lambda one: "" if rating(one) == 0 else one, given)


def through(change: Callable[[str], str], said: Iterable[Candidate]) -> list[Candidate]:
    """The same candidates, each answer changed."""
    return [(who, change(value)) for who, value in said]
