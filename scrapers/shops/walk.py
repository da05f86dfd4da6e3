"""How every spider walks: from a listing to its next page and to its products, and nothing else.

In: a Trip. Out: Visited and Lost, for the pipeline. Never: reads a page itself (a shop's page functions do), keeps
anything, or asks for a page that the book has as done.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, Self

from scrapy import Request, Spider, signals
from scrapy.crawler import Crawler
from scrapy.exceptions import CloseSpider, DontCloseSpider, IgnoreRequest
from scrapy.http import Response, TextResponse

from lookalike.catalog.crawl import GONE, Step
from lookalike.catalog.fetch import FetchError
from shops.pages.page import BlockedError, Found, GoneError, Page, PageError
from shops.pages.verdict import judge
from shops.trip import Trip

PRODUCT = "product "  # begins the keys of steps to a product's page
MOST_LISTINGS = 5_000
MOST_OF_THE_SAME = 10  # pages of listings in a row that tell nothing new: one listing may lie within another


class Pages(Protocol):
    """A shop's module of shops.pages."""

    def read_listing(self, text: str, url: str) -> Page:
        """What a page of a listing tells."""

    def read_product(self, text: str, url: str) -> Page:
        """What a product's page tells."""


@dataclass(frozen=True, kw_only=True)
class Visited:
    """A page that was read, and the steps that it leads to."""

    step: Step
    page: Page
    more: tuple[Step, ...]
    kept: asyncio.Future[bool]  # whether the book has it, once the pipeline is done


@dataclass(frozen=True, kw_only=True)
class Lost:
    """A page that could not be had or read."""

    step: Step
    reason: str
    text: str


class Walk(Spider):
    """Asks for the steps that are left, page by page. A shop's own spider names its pages."""

    asks_permission: ClassVar[bool] = False  # its terms forbid robots without written consent
    headers: ClassVar[dict[str, str]] = {}
    pages: Pages

    def __init__(self, trip: Trip | None = None, **said: Any) -> None:
        if trip is None:
            raise ValueError(f"a crawl is begun by `lookalike scrape shop={self.name}`, which knows the catalog")
        super().__init__(**said)
        self.trip = trip
        self.known = trip.book.keys(trip.number)  # of the steps that the book has, or is about to have
        self.met = trip.book.met(trip.number)
        self.listings = sum(not key.startswith(PRODUCT) for key in self.known)
        self.nothing_new = 0  # pages of listings in a row

    @classmethod
    def from_crawler(cls, crawler: Crawler, *words: Any, **said: Any) -> Self:
        """How Scrapy makes one."""
        spider = super().from_crawler(crawler, *words, **said)
        crawler.signals.connect(spider.look_for_the_missing, signals.spider_idle)
        return spider

    async def start(self) -> AsyncIterator[Request]:
        """What is left to do, in its order: all of it at first, the rest after a kill."""
        left = self.trip.book.steps_left(self.trip.number)
        self.trip.tell("asked", len(left))
        for step in left:
            yield self._ask(step)

    def look_for_the_missing(self) -> None:
        """Nothing is left: ask for what an earlier crawl met and this one did not, before it is called gone.

        A product may move, while a listing is walked, to a page that was read before.
        """
        steps = [] if self.trip.over else self._fresh(self.trip.book.missing(self.trip.number))
        if steps:
            self.trip.book.first(self.trip.number, steps)
            for step in steps:
                self.crawler.engine.crawl(self._ask(step))
            raise DontCloseSpider

    def _ask(self, step: Step) -> Request:
        return Request(
            step.url, callback=self.read, errback=self.lost, cb_kwargs={"step": step}, headers=self.headers or None
        )

    async def read(self, response: Response, step: Step) -> AsyncIterator[Visited | Lost | Request]:
        """Have the page read, hand on what it tells, and ask for what it leads to."""
        try:
            page = self._page(response, step)
            page, more = self._onward(page) if step.kind == "listing" else (page, [])
        except BlockedError as wrong:
            self.trip.blocked = str(wrong)
            raise CloseSpider("blocked") from None
        except GoneError as wrong:
            yield Lost(step=step, reason=GONE, text=str(wrong))
            return
        except PageError as wrong:
            yield Lost(step=step, reason=wrong.reason, text=str(wrong))
            return
        kept: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        yield Visited(step=step, page=page, more=tuple(more), kept=kept)
        if await kept:  # what a listing leads to is asked for once the book knows of it
            for one in self._fresh(more):
                yield self._ask(one)

    def _page(self, response: Response, step: Step) -> Page:
        if not isinstance(response, TextResponse):
            if response.status != 200:
                judge(response.status, "", response.url)
            raise PageError("not_text", f"{response.url}: no text came, but {response.headers.get('Content-Type')!r}")
        judge(response.status, response.text, response.url)
        if step.kind == "listing":
            return self.pages.read_listing(response.text, response.url)
        return _of_this_product(self.pages.read_product(response.text, response.url), response.url, step)

    def _onward(self, page: Page) -> tuple[Page, list[Step]]:
        """As much of a listing as is wanted, its products' pages, and the next listing, unless enough is enough."""
        wanted = page.found[: self.trip.max_items - self.met] if self.trip.max_items else page.found
        self.met += len(wanted)
        steps = [_step_to(one) for one in wanted if one.page]
        self._refuse_endless(page, steps)
        all_known = self.trip.since and all(one.product.product in self.trip.known for one in wanted)
        enough = bool(self.trip.max_items) and self.met >= self.trip.max_items
        if page.next and not all_known and not enough:
            steps.append(Step(kind="listing", key=page.next, url=page.next))
        return replace(page, found=wanted), steps

    def _refuse_endless(self, page: Page, steps: list[Step]) -> None:
        """A listing that always has a next page, with the same products on it, would be walked for ever."""
        self.listings += 1
        self.nothing_new = 0 if any(step.key not in self.known for step in steps) else self.nothing_new + 1
        if page.next and (self.listings > MOST_LISTINGS or self.nothing_new > MOST_OF_THE_SAME):
            told = f"{self.listings:,} pages of listings so far, the last {self.nothing_new} with nothing new"
            raise PageError("endless", f"{page.next}: {told}")

    def _fresh(self, steps: list[Step]) -> list[Step]:
        """Those that are not known yet."""
        fresh = list({step.key: step for step in reversed(steps) if step.key not in self.known}.values())[::-1]
        self.known |= {step.key for step in fresh}
        self.trip.tell("asked", len(fresh))
        return fresh

    def lost(self, failure: Any) -> Iterator[Lost]:
        """A page that did not come: its reason, in the book's words."""
        step, url, wrong = failure.request.cb_kwargs["step"], failure.request.url, failure.value
        if self.trip.over or isinstance(wrong, asyncio.CancelledError):
            return  # it was not asked for: it stays to be done
        if isinstance(wrong, FetchError):
            yield Lost(step=step, reason=wrong.reason, text=str(wrong))
        elif not isinstance(wrong, IgnoreRequest):
            self.trip.faults.append(wrong)
            raise CloseSpider("fault")
        elif "robots.txt" in str(wrong):
            reason, text = self.trip.disallowed(url)
            yield Lost(step=step, reason=reason, text=text)
        else:
            yield Lost(step=step, reason="redirects", text=f"{step.url}: {wrong}; the last: {url}")


def _of_this_product(page: Page, url: str, step: Step) -> Page:
    """The page, if it tells of the product that was asked for: a redirect may have led to any other."""
    wanted = step.key.removeprefix(PRODUCT)
    told = {name for one in page.found for name in (one.product.product, one.product.style, one.product.url)}
    if wanted not in told | {step.url}:
        raise PageError("other_product", f"{step.url}: another product came, {sorted(told - {''})[:1]}, at {url}")
    return page


def _step_to(found: Found) -> Step:
    return Step(kind="product", key=step_key(found), url=found.page)


def step_key(found: Found) -> str:
    """The key of the step that tells the rest of a listing's product; "" where nothing is left to tell."""
    return f"{PRODUCT}{found.page_key or found.page}" if found.page else ""
