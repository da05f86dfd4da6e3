"""What can go wrong with a shop, on request: blocks, broken pages, broken pictures, pages of a layout that nobody knows.

In: a fault's name, and the answer that would have been right. Out: what is sent instead. Never: opens a socket, counts or
waits; whoever serves does.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal

from lookalike.settings import ConfigError
from lookalike.toy.shop.answer import HTML, Answer, Face, Kind
from lookalike.toy.shop.stock import Stock

PAGES: frozenset[Kind] = frozenset({"listing", "product"})
ALL: frozenset[Kind] = PAGES | {"picture"}
LISTINGS: frozenset[Kind] = frozenset({"listing"})
PRODUCTS: frozenset[Kind] = frozenset({"product"})
PICTURES: frozenset[Kind] = frozenset({"picture"})
CALL_US = "call us"

Manner = Literal["whole", "cut", "endless"]  # cut: the connection ends half-way; endless: the body never ends


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong, and from when on."""

    name: str
    after: int = 0  # requests of the kinds that it spoils which are answered well before
    slow: float = 3.0  # seconds, for name="slow"
    of: Kind = ""  # spoil only this kind; "" is what FAULTS says

    def __post_init__(self) -> None:
        if self.name not in FAULTS:
            near = get_close_matches(self.name, FAULTS, n=1, cutoff=0.5)
            meant = f"did you mean {near[0]!r}? " if near else ""
            raise ConfigError(f"fault: there is no {self.name!r}; {meant}There are {', '.join(FAULTS)}.")

    @property
    def spoils(self) -> frozenset[Kind]:
        """The kinds of answers that it spoils."""
        return frozenset({self.of}) if self.of else FAULTS[self.name].spoils

    def begins(self, stock: Stock) -> int:
        """How many answers of those kinds are right before the first that is not."""
        styles = len({item.style for item in stock.items})  # some shops show all colorways on one page
        return styles // 2 if FAULTS[self.name].halfway else self.after


@dataclass(frozen=True, kw_only=True)
class Question:
    """One request, with the answer that would be right, and all that a fault may look at."""

    right: Answer
    face: Face
    stock: Stock
    path: str
    query: dict[str, str]
    site: str
    fault: Fault
    again: bool  # this very page was asked for before, since the fault began


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What is sent, and how."""

    answer: Answer
    manner: Manner = "whole"
    wait: float = 0.0  # seconds before it


Spoiling = Callable[[Question], Sent]


@dataclass(frozen=True, kw_only=True)
class Sort:
    """A sort of fault."""

    says: str
    spoils: frozenset[Kind]
    spoil: Spoiling
    halfway: bool = False  # begins after half of the product pages, whatever `after` says


def refuse(fault: Fault, face: Face, layout: str) -> None:
    """Refuse a fault that this layout cannot have."""
    if fault.name == "odd_item" and not face.odd:
        raise ConfigError(f"fault=odd_item: layout={layout} has no item that cannot be read; take another layout")


def spoilt(question: Question) -> Sent:
    """What is sent instead of the right answer."""
    return FAULTS[question.fault.name].spoil(question)


def _slow(asked: Question) -> Sent:
    return Sent(answer=asked.right, wait=asked.fault.slow)


def _says(status: int, title: str, text: str, **headers: str) -> Spoiling:
    """A short page with that status, whatever was asked for."""
    page = Answer(status=status, body=_short(title, text), headers=headers)
    return lambda asked: Sent(answer=replace(page, kind=asked.right.kind))


def _short(title: str, text: str) -> bytes:
    return f"<!doctype html><html><head><title>{title}</title></head><body>{text}</body></html>".encode()


def _bad_request_with_all(asked: Question) -> Sent:
    return Sent(answer=replace(asked.right, status=400))


def _broken_picture(asked: Question) -> Sent:
    """Three sorts of broken among each five, by the photo's place in the shop, so that asking again mends nothing."""
    place, data = _place(asked), asked.right.body
    instead = {0: data[: len(data) // 2], 1: _short("Not found", "<h1>This image has moved</h1>"), 2: b""}
    return Sent(answer=replace(asked.right, body=instead.get(place % 5, data)))


def _place(asked: Question) -> int:
    name, _ = asked.face.photo(asked.path) or ("", None)
    item, photo = asked.stock.by_photo[name]
    return item.number + item.photos.index(photo)


def _half(asked: Question) -> Sent:
    return Sent(answer=replace(asked.right, body=asked.right.body[: len(asked.right.body) // 2]))


def _cut(asked: Question) -> Sent:
    return Sent(answer=asked.right, manner="cut")


def _endless(asked: Question) -> Sent:
    return Sent(answer=asked.right, manner="endless")


def _unknown_layout(asked: Question) -> Sent:
    """A page of good length that tells something, in a way that no page of this shop ever did."""
    body = "".join(f"<x-line data-k='{n:x}'><x-word>look {n}</x-word></x-line>" for n in range(400))
    text = f"<!doctype html><html><head><title>The new shop</title></head><body><x-shop v='9'>{body}</x-shop></body></html>"
    return Sent(answer=replace(asked.right, content_type=HTML, body=text.encode()))


def _bare(asked: Question) -> Sent:
    """The same page of the listing on a day when the shelf is bare."""
    bare = asked.face.answer(replace(asked.stock, items=()), asked.path, asked.query, asked.site)
    return Sent(answer=bare or replace(asked.right, body=_short("Nothing", "<p>0 items</p>")))


def _odd_item(asked: Question) -> Sent:
    answering = asked.face.odd or asked.face.answer
    return Sent(answer=answering(asked.stock, asked.path, asked.query, asked.site) or asked.right)


def _failing_once(asked: Question) -> Sent:
    return Sent(answer=asked.right) if asked.again else _failing(asked)


def _no_price(asked: Question) -> Sent:
    return Sent(answer=replace(asked.right, body=without_prices(asked.right.body)))


_NUMBER = r"\d[\d.,]*"
_MONEY = re.compile(rf"(?:[$£€]|&(?:pound|euro);)\s?{_NUMBER}(?<![.,])|{_NUMBER}\s?(?:€|&euro;)")
_PRICE_KEY = re.compile(r'((\\*")\w*[pP]rice\w*\2\s*:\s*)[\d.]+')  # "finalPrice": 1250, its quotes escaped or not
_MICRODATA = re.compile(rf"""(itemprop=["']price["'] content=["']){_NUMBER}""")


def without_prices(page: bytes) -> bytes:
    """The page with each price as the words "call us": written out, as a number in JSON, or in microdata."""
    text = _MONEY.sub(CALL_US, page.decode())
    text = _PRICE_KEY.sub(rf"\g<1>\g<2>{CALL_US}\g<2>", text)
    return _MICRODATA.sub(rf"\g<1>{CALL_US}", text).encode()


_failing = _says(500, "Internal Server Error", "<h1>Something went wrong on our side</h1>")
_too_many = _says(429, "Too Many Requests", "<h1>Too many requests</h1>", **{"Retry-After": "30"})
_denied = _says(
    403,
    "Access Denied",
    "<h1>Access Denied</h1>You don't have permission to access this page on this server.<p>Reference #18.5e6f.1a2b",
)
_challenge = _says(
    200,
    "Just a moment...",
    '<h1>Please verify you are a human</h1><div id="px-captcha">Press &amp; Hold to confirm you are a human (and not a bot).'
    '</div><script src="/cdn-cgi/challenge-platform/h/b/orchestrate/chl_page/v1"></script>',
)
_gone = _says(410, "Gone", "<h1>This product is no longer here</h1>")

FAULTS: dict[str, Sort] = {
    "slow": Sort(says="each answer takes seconds", spoils=ALL, spoil=_slow),
    "429": Sort(says="everything is answered 429, Too Many Requests", spoils=ALL, spoil=_too_many),
    "403": Sort(says="everything is answered 403, Access Denied", spoils=ALL, spoil=_denied),
    "challenge": Sort(
        says="each page is a question whether you are human, with status 200", spoils=PAGES, spoil=_challenge
    ),
    "400_with_body": Sort(says="each page is right, and its status is 400", spoils=PAGES, spoil=_bad_request_with_all),
    "500": Sort(says="each page is answered 500", spoils=PAGES, spoil=_failing),
    "500_once": Sort(says="each page is answered 500 at first, and is right after", spoils=PAGES, spoil=_failing_once),
    "broken_picture": Sort(
        says="of each five pictures one is cut half-way, one is HTML that says it is a JPEG, one has no bytes",
        spoils=PICTURES,
        spoil=_broken_picture,
    ),
    "half_page": Sort(says="product pages end in the middle, and say they are whole", spoils=PRODUCTS, spoil=_half),
    "cut_short": Sort(says="the connection ends half-way through each answer", spoils=ALL, spoil=_cut),
    "layout_change": Sort(
        says="after half of the product pages, whatever `after` is, they come in a layout that nobody knows",
        spoils=PRODUCTS,
        spoil=_unknown_layout,
        halfway=True,
    ),
    "gone": Sort(says="product pages are answered 410, Gone", spoils=PRODUCTS, spoil=_gone),
    "empty": Sort(says="the listing holds nothing", spoils=LISTINGS, spoil=_bare),
    "odd_item": Sort(
        says="each page of the listing holds an item that cannot be read", spoils=LISTINGS, spoil=_odd_item
    ),
    "too_big": Sort(says="product pages never end", spoils=PRODUCTS, spoil=_endless),
    "price_text": Sort(says='each price is the words "call us"', spoils=PAGES, spoil=_no_price),
}
