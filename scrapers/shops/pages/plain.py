"""The plain shop, the example of how a shop is added: its listing links to products, whose pages list facts. Pure.

In: the text of a page, and its address. Out: a Page, or a PageError. Never: asks the network, or takes half a page for
a whole one.
"""

from urllib.parse import urljoin, urlsplit

from parsel import Selector

from lookalike.catalog.clean import read_fields, stock, web_address
from lookalike.catalog.product import RowError
from shops.pages.page import Found, Odd, Page, PageError, Picture
from shops.pages.verdict import breaks_off


def read_listing(text: str, url: str) -> Page:
    """The products that a listing links to."""
    page = _whole(text, url, "ul.products")
    read = [_listed(link, url) for link in page.css("ul.products a.product")]
    return Page(
        generation="plain",
        found=tuple(one for one in read if isinstance(one, Found)),
        odd=tuple(one for one in read if isinstance(one, Odd)),
        state=text,
        total=stock(page.css("meta[name=product-count]::attr(content)").get("")),
        next=_address(page.css("link[rel=next]::attr(href)").get(""), url),
    )


def read_product(text: str, url: str) -> Page:
    """The product of a product page. A fact that the catalog has no field for becomes an attribute."""
    page = _whole(text, url, "dl.facts")
    terms = [
        (term.xpath("string()").get(""), term.xpath("string(following-sibling::dd[1])").get(""))
        for term in page.css("dl.facts dt")
    ]
    facts = {name.strip(): value.strip() for name, value in terms}
    address = _address(page.css("link[rel=canonical]::attr(href)").get(""), url) or url
    try:
        product = read_fields(facts | {"url": address}, shop="plain")
    except RowError as wrong:
        raise PageError(wrong.reason, f"{url}: {wrong}") from None
    figures = [
        (_address(one.css("img::attr(src)").get(""), url), one.attrib.get("data-view", ""))
        for one in page.css("figure")
    ]
    pictures = tuple(Picture(url=picture, view=view.strip().lower()) for picture, view in figures if picture)
    answered = {name: f"dl.facts: {name}" for name, value in facts.items() if value}
    return Page(generation="plain", found=(Found(product=product, pictures=pictures, answered=answered),), state=text)


def _listed(link: Selector, url: str) -> Found | Odd:
    address, name = _address(link.attrib.get("href", ""), url), link.xpath("string()").get("").strip()
    told = {"product": urlsplit(address).path.partition("/p/")[2], "name": name, "url": address}
    try:
        product = read_fields(told, shop="plain")
    except RowError as wrong:
        return Odd(item=name, reason=wrong.reason, text=str(wrong))
    answered = {"product": "a.product: href", "name": "a.product: text", "url": "a.product: href"}
    return Found(product=product, answered=answered, page=address, page_key=product.product)


def _whole(text: str, url: str, needed: str) -> Selector:
    page = Selector(text)
    if breaks_off(text):
        raise PageError("half_page", f"{url}: it breaks off after {len(text)} characters. Ask for it again")
    if not page.css(needed):
        raise PageError("unknown_layout", f"{url}: nothing at {needed!r}; the shop changed its page. Mend {__file__}")
    return page


def _address(link: str, url: str) -> str:
    """Where a link leads, "" where it is none."""
    try:
        return web_address(urljoin(url, link)) if link else ""
    except ValueError:  # "http://[": a host that is none
        return ""
