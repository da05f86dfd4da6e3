"""What a walk brings, kept: products staged, pictures as the bytes that came, raw pages, and what went wrong.

In: Visited and Lost. Out: the book of crawls, the stores of pictures and of pages. Never: publishes anything, changes a
picture, asks for one that is here already, or goes on asking a host that is not there or does not want to be asked.
"""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

from scrapy import Request, signals
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Response
from scrapy.http.request import NO_CALLBACK

from lookalike.catalog import pages, pictures
from lookalike.catalog.crawl import Brought, PictureSeen, Taken
from lookalike.catalog.fetch import FetchError
from lookalike.catalog.intake import view_of
from lookalike.catalog.product import Product, RowError, View
from shops.fetching import WORTH_ANOTHER_TRY, close
from shops.pages.page import Found, Picture
from shops.pages.verdict import REFUSED
from shops.trip import Trip
from shops.walk import Lost, Visited, step_key

ENOUGH = 5  # failures in a row: the shop is not there, or does not want us


class Keep:
    """Finishes each step in the book once all of its pictures are here, in one piece."""

    def __init__(self, crawler: Crawler) -> None:
        self.crawler = crawler
        self.pictures_failed = 0  # in a row
        self.unsure: list[Lost] = []  # pages that did not come, in a row: it may be that none comes any more

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> "Keep":
        """How Scrapy makes one."""
        keep = cls(crawler)
        crawler.signals.connect(keep.end, signals.spider_closed)
        return keep

    @property
    def trip(self) -> Trip:
        """The crawl that is on its way."""
        trip: Trip = self.crawler.spider.trip  # type: ignore[union-attr]
        return trip

    async def process_item(self, item: Visited | Lost) -> Any:
        """Keep what came of a step. What an ended walk leaves half done stays to be done."""
        if isinstance(item, Lost):
            self._lose(item)
            return item
        try:
            self._note_unsure()  # something came: so what did not come was by itself
            brought = await self._gathered(item)
            if not self.trip.over:
                self.trip.book.finish_step(self.trip.number, item.step, brought)
                self._tell(brought)
                item.kept.set_result(True)
        finally:
            if not item.kept.done():
                item.kept.set_result(False)
        return item

    def end(self, reason: str) -> None:
        """Nothing more will come: if the walk went to its end, what did not come has failed."""
        if reason == "finished" and not self.trip.over:
            self._note_unsure()

    def _lose(self, item: Lost) -> None:
        if item.reason in WORTH_ANOTHER_TRY or item.reason.startswith("status_5"):
            self.unsure.append(item)
            self._give_up(len(self.unsure), item.text)
        else:
            self._note_unsure()
            self._note(item)

    def _note(self, item: Lost) -> None:
        self.trip.book.fail_step(self.trip.number, item.step, item.reason, item.text)
        self.trip.tell("lost", 1)
        self.trip.tell(item.reason, 1)

    def _note_unsure(self) -> None:
        for item in self.unsure:
            self._note(item)
        self.unsure.clear()

    def _give_up(self, failed: int, text: str) -> None:
        """Stop where nothing comes any more: the crawl stays open, and what is left stays to be done."""
        if failed >= ENOUGH and not self.trip.over:
            self.trip.stopped = f"{ENOUGH} requests in a row failed; the last: {text}"
            close(self.crawler, "unreachable")

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
        """All pictures of a product, one after the other; one that an earlier crawl left here is not asked for."""
        known = self.trip.book.known_pictures([one.url for one in found.pictures])
        seen = []
        for picture in found.pictures:
            if self.trip.over:
                break
            view = known.get(picture.url)
            if view and await self._is_here(view):
                seen.append(_seen(found.product, picture, replace(view, view=picture.view)))
            else:
                seen.append(await self._fetched(found.product, picture))
        return seen

    async def _is_here(self, view: View) -> bool:
        return await asyncio.to_thread(pictures.is_here, self.trip.pictures, view)

    async def _fetched(self, product: Product, picture: Picture) -> PictureSeen:
        try:
            request = Request(picture.url, callback=NO_CALLBACK)
            response = await self.crawler.engine.download_async(request)
            return _seen(product, picture, await self._looked_at(response, picture))
        except IgnoreRequest:
            return _missed(product, picture, *self.trip.disallowed(picture.url))
        except FetchError as wrong:
            if wrong.reason in WORTH_ANOTHER_TRY:
                self.pictures_failed += 1
                self._give_up(self.pictures_failed, str(wrong))
            return _missed(product, picture, wrong.reason, str(wrong))
        except RowError as wrong:
            return _missed(product, picture, wrong.reason, f"{picture.url}: {wrong}")

    async def _looked_at(self, response: Response, picture: Picture) -> View:
        self._heed(response)
        if response.status != 200:
            raise RowError(f"status_{response.status}", f"the shop answers {response.status}")
        return await asyncio.to_thread(
            view_of, response.body, self.trip.pictures, view=picture.view, source=picture.url
        )

    def _heed(self, response: Response) -> None:
        """A picture may be missing, which some hosts call forbidden; several in a row are a refusal."""
        refused = response.status in REFUSED
        self.pictures_failed = self.pictures_failed + 1 if refused or response.status >= 500 else 0
        if refused and self.pictures_failed >= ENOUGH:
            self.trip.blocked = (
                f"{response.url}: the shop refuses (HTTP {response.status}), the {ENOUGH}th picture in a row"
            )
        if self.trip.blocked:
            close(self.crawler, "blocked")
        self._give_up(self.pictures_failed, f"{response.url}: HTTP {response.status}")

    def _tell(self, brought: Brought) -> None:
        self.trip.tell("pages", 1)
        self.trip.tell("products", sum(not one.page_key for one in brought.taken))
        self.trip.tell("pictures", sum(one.view is not None for one in brought.pictures))
        reasons = [*(one.reason for one in brought.pictures if one.reason), *(reason for _, reason, _ in brought.odd)]
        for reason, count in Counter(reasons).items():
            self.trip.tell(reason, count)


def _views(seen: list[PictureSeen]) -> tuple[View, ...]:
    """The views that came; the same bytes under two addresses are one."""
    return tuple({one.view.sha256: one.view for one in reversed(seen) if one.view}.values())[::-1]


def _seen(product: Product, picture: Picture, view: View) -> PictureSeen:
    return PictureSeen(url=picture.url, product=product.product, view=view)


def _missed(product: Product, picture: Picture, reason: str, text: str) -> PictureSeen:
    return PictureSeen(url=picture.url, product=product.product, reason=reason, text=text)
