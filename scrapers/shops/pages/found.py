"""From what a page says to what was found: who is believed in which order, items one by one, links made whole. Pure.

In: text, candidates, items, links. Out: a tree, Found, Odd, addresses. Never: knows a shop, or loses an item without a word.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar
from urllib.parse import urljoin

from parsel import Selector

from lookalike.catalog.clean import read_fields
from lookalike.catalog.product import RowError
from shops.pages.page import Found, Odd, Picture

Item = TypeVar("Item")
Candidate = tuple[str, str]  # who tells, and what
Candidates = dict[str, list[Candidate]]  # field -> who is asked for it, in this order


def tree(text: str) -> Selector:
    """A page as a tree of HTML, whatever it looks like. Half a character, which no page can hold, is replaced."""
    return Selector(text=text.encode("utf-8", "replace").decode(), type="html")


def told(candidates: Iterable[Candidate]) -> tuple[str, str]:
    """What the first candidate that says something says, and who that is; ("", "") where none does."""
    return next(((value, who) for who, given in candidates if (value := given.strip())), ("", ""))


def found(
    said: Mapping[str, Iterable[Candidate]],
    *,
    shop: str,
    pictures: Iterable[Picture] = (),
    page: str = "",
    page_key: str = "",
) -> Found:
    """The product that is told. Raises RowError where that is none."""
    answers = {field: told(candidates) for field, candidates in said.items()}
    return Found(
        product=read_fields({field: value for field, (value, _) in answers.items()}, shop=shop),
        pictures=tuple(pictures),
        answered={field: who for field, (_, who) in answers.items() if who},
        page=page,
        page_key=page_key,
    )


def read_each(
    items: Iterable[Item], label: Callable[[Item], str], read: Callable[[Item], Found]
) -> tuple[tuple[Found, ...], tuple[Odd, ...]]:
    """Items read one by one: an odd one is told by its label, and the others still come."""
    every, odd = [], []
    for item in items:
        try:
            every.append(read(item))
        except RowError as wrong:
            odd.append(Odd(item=label(item), reason=wrong.reason, text=str(wrong)))
    return tuple(every), tuple(odd)


def each_once(items: Iterable[Item], key: Callable[[Item], str]) -> tuple[Item, ...]:
    """The first of all that have the same key, and none whose key is ""."""
    kept: dict[str, Item] = {}
    for item in items:
        kept.setdefault(key(item), item)
    kept.pop("", None)
    return tuple(kept.values())


def absolute(link: str, url: str) -> str:
    """Where a link of the page at `url` leads; "" where it is none."""
    try:
        return urljoin(url, link.strip()) if link.strip() else ""
    except ValueError:  # "http://[": a host that is none
        return ""
