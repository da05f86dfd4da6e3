"""The plain shop, the example of how a shop is added: its listing links to products, whose pages list facts. Pure.

In: the text of a page, and its address. Out: a Page, or a PageError. Never: asks the network, or takes half a page for
a whole one.
"""

from functools import partial
from typing import Final
from urllib.parse import urlsplit

from parsel import Selector

from lookalike.catalog.clean import stock, web_address
from lookalike.catalog.product import RowError
from shops.pages.found import absolute, found, read_each, tree
from shops.pages.page import Found, Page, PageError, Picture
from shops.pages.verdict import breaks_off

SHOP: Final = "plain"


def read_listing(text: str, url: str) -> Page:
    """The products that a listing links to."""
    page = _whole(text, url, "ul.products")
    every, odd = read_each(page.css("ul.products a.product"), _name, partial(_listed, url=url))
    return Page(
        generation="plain",
        found=every,
        odd=odd,
        state=text,
        total=stock(page.css("meta[name=product-count]::attr(content)").get("")),
        next=_address(page.css("link[rel=next]::attr(href)").get(""), url),
    )


def read_product(text: str, url: str) -> Page:
    """The product of a product page. A fact that the catalog has no field for becomes an attribute."""
    page = _whole(text, url, "dl.facts")
    facts = {
        name.strip(): [(f"dl.facts: {name.strip()}", term.xpath("string(following-sibling::dd[1])").get(""))]
        for term in page.css("dl.facts dt")
        if (name := term.xpath("string()").get(""))
    }
    address = _address(page.css("link[rel=canonical]::attr(href)").get(""), url) or url
    figures = [
        (_address(one.css("img::attr(src)").get(""), url), one.attrib.get("data-view", ""))
        for one in page.css("figure")
    ]
    pictures = [Picture(url=picture, view=view.strip().lower()) for picture, view in figures if picture]
    try:
        shown = found(facts | {"url": [("", address)]}, shop=SHOP, pictures=pictures)
    except RowError as wrong:
        raise PageError(wrong.reason, f"{url}: {wrong}") from None
    return Page(generation="plain", found=(shown,), state=text)


def _listed(link: Selector, url: str) -> Found:
    address = _address(link.attrib.get("href", ""), url)
    product = urlsplit(address).path.partition("/p/")[2]
    by = "a.product: href"
    told = {"product": [(by, product)], "name": [("a.product: text", _name(link))], "url": [(by, address)]}
    return found(told, shop=SHOP, page=address, page_key=product)


def _name(link: Selector) -> str:
    return link.xpath("string()").get("").strip()


def _whole(text: str, url: str, needed: str) -> Selector:
    page = tree(text)
    if breaks_off(text):
        raise PageError("half_page", f"{url}: it breaks off after {len(text)} characters. Ask for it again")
    if not page.css(needed):
        raise PageError("unknown_layout", f"{url}: nothing at {needed!r}; the shop changed its page. Mend {__file__}")
    return page


def _address(link: str, url: str) -> str:
    return web_address(absolute(link, url))
