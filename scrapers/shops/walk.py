"""How every spider walks: from a listing to its next page and to its products, and nothing else.

In: a Trip. Out: Visited and Lost, for the pipeline. Never: reads a page itself (a shop's page functions do), keeps
anything, or asks for a page that the book has as done.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol

from scrapy import Request, Spider
from scrapy.exceptions import CloseSpider, IgnoreRequest
from scrapy.http import Response, TextResponse

from lookalike.catalog.crawl import Step
from lookalike.catalog.fetch import FetchError
from shops.pages.page import BlockedError, Found, GoneError, Page, PageError
from shops.pages.verdict import judge
from shops.trip import Trip

PRODUCT = "product "  # begins the keys of steps to a product's page
MOST_LISTINGS = 5_000


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
    kept: asyncio.Event = field(default_factory=asyncio.Event)  # set once the pipeline is done with it


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
        self.asked = trip.book.keys(trip.number)
        self.met = trip.book.met(trip.number)

    async def start(self) -> AsyncIterator[Request]:
        """What is left to do, in its order: all of it at first, the rest after a kill."""
        left = self.trip.book.steps_left(self.trip.number)
        self.trip.tell("asked", len(left))
        for step in left:
            yield self._ask(step)

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
            yield Lost(step=step, reason="gone", text=str(wrong))
            return
        except PageError as wrong:
            yield Lost(step=step, reason=wrong.reason, text=str(wrong))
            return
        visited = Visited(step=step, page=page, more=tuple(more))
        yield visited
        await visited.kept.wait()  # what a listing leads to is asked for once the book knows of it
        for one in self._fresh(more):
            yield self._ask(one)

    def _page(self, response: Response, step: Step) -> Page:
        if not isinstance(response, TextResponse):
            judge(response.status, "", response.url)
            raise PageError("not_text", f"{response.url}: no text came, but {response.headers.get('Content-Type')!r}")
        judge(response.status, response.text, response.url)
        reader = self.pages.read_listing if step.kind == "listing" else self.pages.read_product
        return reader(response.text, response.url)

    def _onward(self, page: Page) -> tuple[Page, list[Step]]:
        """As much of a listing as is wanted, its products' pages, and the next listing, unless enough is enough."""
        wanted = page.found[: self.trip.max_items - self.met] if self.trip.max_items else page.found
        self.met += len(wanted)
        steps = [_step_to(one) for one in wanted if one.page]
        all_known = self.trip.since and all(one.product.product in self.trip.known for one in wanted)
        enough = bool(self.trip.max_items) and self.met >= self.trip.max_items
        if page.next and not all_known and not enough:
            self._refuse_endless(page)
            steps.append(Step(kind="listing", key=page.next, url=page.next))
        return replace(page, found=wanted), steps

    def _refuse_endless(self, page: Page) -> None:
        """A listing that always has a next page would be walked for ever."""
        listings = sum(not key.startswith(PRODUCT) for key in self.asked)
        if listings >= MOST_LISTINGS:
            raise PageError(
                "too_many_pages", f"{page.next}: more than {MOST_LISTINGS:,} pages of listings; it may never end"
            )

    def _fresh(self, steps: list[Step]) -> list[Step]:
        """Those that were not asked for yet."""
        fresh = list({step.key: step for step in reversed(steps) if step.key not in self.asked}.values())[::-1]
        self.asked |= {step.key for step in fresh}
        self.trip.tell("asked", len(fresh))
        return fresh

    def lost(self, failure: Any) -> Iterator[Lost]:
        """A page that did not come: its reason, in the book's words."""
        step, wrong = failure.request.cb_kwargs["step"], failure.value
        if isinstance(wrong, IgnoreRequest):
            reason, text = self.trip.disallowed(step.url)
            yield Lost(step=step, reason=reason, text=text)
        elif isinstance(wrong, FetchError):
            yield Lost(step=step, reason=wrong.reason, text=str(wrong))
        else:
            self.trip.faults.append(wrong)


def _step_to(found: Found) -> Step:
    return Step(kind="product", key=step_key(found), url=found.page)


def step_key(found: Found) -> str:
    """The key of the step that tells the rest of a listing's product; "" where nothing is left to tell."""
    return f"{PRODUCT}{found.page_key or found.page}" if found.page else ""
