"""One crawl on its way: what the spider, the pipeline and the fetching share.

In: an open crawl of the book, the shop, the places. Out: what was told on the way, and why it stopped. Never: asks the
network, or decides what is published.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from lookalike.catalog.addresses import FetchRules
from lookalike.catalog.crawl import ROBOTS, Crawl
from lookalike.catalog.crawls import Crawls
from lookalike.files import Place
from shops.shop import Shop

Tell = Callable[[str, int], None]  # "pages", "products", "pictures", or a reason why not; how many more


def _silent(_what: str, _more: int) -> None:
    """Nobody watches."""


@dataclass(kw_only=True)
class Trip:
    """A crawl, the book it is written into, and how it stands."""

    book: Crawls
    crawl: Crawl
    shop: Shop
    rules: FetchRules
    pictures: Place  # where original bytes are kept
    pages: Path  # where raw page states are kept
    known: frozenset[str] = frozenset()  # products that the catalog has
    max_items: int = 0
    since: bool = False
    tell: Tell = _silent
    blocked: str = ""  # the shop does not want to be read: its words
    stopped: str = ""  # it could not be reached again and again: the last way it failed
    closed: str = ""  # Scrapy's word for how it ended: finished, shutdown ...
    doors: dict[str, str] = field(default_factory=dict)  # hosts whose robots.txt could not be had, and why
    faults: list[BaseException] = field(default_factory=list)  # of ours: a reader or the pipeline broke

    @property
    def number(self) -> int:
        """The crawl's number in the book."""
        return self.crawl.number

    @property
    def over(self) -> bool:
        """Nothing more is to be asked."""
        return bool(self.blocked or self.stopped or self.faults)

    def disallowed(self, url: str) -> tuple[str, str]:
        """Why robots.txt keeps us from an address: the reason, and in words."""
        why = self.doors.get(urlsplit(url).netloc)
        return ("no_robots", f"{url}: {why}") if why else (ROBOTS, f"{url}: robots.txt does not allow it")
