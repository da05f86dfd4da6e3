"""What a walk brings, kept: products staged, pictures as the bytes that came, raw pages, and what went wrong.

In: Visited and Lost. Out: the book of crawls, the stores of pictures and of pages. Never: publishes anything, changes a
picture, or asks for one that is here already.
"""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Response
from scrapy.http.request import NO_CALLBACK

from lookalike.catalog import pages, pictures
from lookalike.catalog.crawl import Brought, PictureSeen, Taken
from lookalike.catalog.fetch import FetchError
from lookalike.catalog.intake import view_of
from lookalike.catalog.product import RowError, View
from shops.pages.page import Found, Picture
from shops.trip import Trip
from shops.walk import Lost, Visited, step_key


class Keep:
    """Finishes each step in the book once all of its pictures are here, in one piece."""

    def __init__(self, crawler: Crawler) -> None:
        self.crawler = crawler
        self.closing: asyncio.Future[None] | None = None  # not awaited: closing waits for the item that we are in

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> "Keep":
        """How Scrapy makes one."""
        return cls(crawler)

    @property
    def trip(self) -> Trip:
        """The crawl that is on its way."""
        trip: Trip = self.crawler.spider.trip  # type: ignore[union-attr]
        return trip

    async def process_item(self, item: Visited | Lost) -> Any:
        """Keep what came of a step."""
        if isinstance(item, Lost):
            self.trip.book.fail_step(self.trip.number, item.step, item.reason, item.text)
            self.trip.tell("lost", 1)
            self.trip.tell(item.reason, 1)
            return item
        try:
            brought = await self._gathered(item)
            if not self.trip.blocked:  # else its pictures are not all here: the step stays to be done
                self.trip.book.finish_step(self.trip.number, item.step, brought)
                self._tell(item, brought)
        finally:
            item.kept.set()
        return item

    async def _gathered(self, item: Visited) -> Brought:
        shop = self.trip.crawl.shop
        seen = {one.product.product: await self._pictures(one) for one in item.page.found if not one.page}
        taken = [
            Taken(
                product=replace(one.product, shop=shop, views=_views(seen.get(one.product.product, []))),
                answered=one.answered,
                page_key=step_key(one),
            )
            for one in item.page.found
        ]
        return Brought(
            taken=tuple(taken),
            pictures=tuple(picture for several in seen.values() for picture in several),
            odd=tuple((one.item, one.reason, one.text) for one in item.page.odd),
            more=item.more,
            generation=item.page.generation,
            state=await asyncio.to_thread(pages.keep, self.trip.pages, item.page.state) if item.page.state else "",
        )

    async def _pictures(self, found: Found) -> list[PictureSeen]:
        """All pictures of a product, one after the other; those that an earlier crawl fetched are not asked for."""
        known = self.trip.book.known_pictures([one.url for one in found.pictures])
        here = {url: view for url, view in known.items() if pictures.path_of(self.trip.pictures, view.sha256).is_file()}
        seen = []
        for picture in found.pictures:
            if self.trip.blocked:
                break
            view = here.get(picture.url)
            seen.append(
                _seen(found, picture, replace(view, view=picture.view)) if view else await self._fetched(found, picture)
            )
        return seen

    async def _fetched(self, found: Found, picture: Picture) -> PictureSeen:
        try:
            request = Request(picture.url, callback=NO_CALLBACK)
            response = await self.crawler.engine.download_async(request)
            return _seen(found, picture, await self._looked_at(response, picture))
        except IgnoreRequest:
            return _missed(found, picture, *self.trip.disallowed(picture.url))
        except FetchError as wrong:
            return _missed(found, picture, wrong.reason, str(wrong))
        except RowError as wrong:
            return _missed(found, picture, wrong.reason, f"{picture.url}: {wrong}")

    async def _looked_at(self, response: Response, picture: Picture) -> View:
        if response.status == 429:
            self.trip.blocked = f"{picture.url}: the shop answers 429, too many requests"
            engine = self.crawler.engine
            self.closing = asyncio.ensure_future(engine.close_spider_async(reason="blocked"))
        if response.status != 200:
            raise RowError(f"status_{response.status}", f"the shop answers {response.status}")
        return await asyncio.to_thread(
            view_of, response.body, self.trip.pictures, view=picture.view, source=picture.url
        )

    def _tell(self, item: Visited, brought: Brought) -> None:
        self.trip.tell("pages", 1)
        self.trip.tell("products" if item.step.kind == "product" else "listed", len(brought.taken))
        self.trip.tell("pictures", sum(one.view is not None for one in brought.pictures))
        reasons = Counter(
            [*(one.reason for one in brought.pictures if one.reason), *(reason for _, reason, _ in brought.odd)]
        )
        for reason, count in reasons.items():
            self.trip.tell(reason, count)


def _views(seen: list[PictureSeen]) -> tuple[View, ...]:
    """The views that came; the same bytes under two addresses are one."""
    return tuple({one.view.sha256: one.view for one in reversed(seen) if one.view}.values())[::-1]


def _seen(found: Found, picture: Picture, view: View) -> PictureSeen:
    return PictureSeen(url=picture.url, product=found.product.product, view=view)


def _missed(found: Found, picture: Picture, reason: str, text: str) -> PictureSeen:
    return PictureSeen(url=picture.url, product=found.product.product, reason=reason, text=text)
