"""Scrapy's requests, sent one after the other through the guarded fetcher of the house.

In: Scrapy's requests. Out: its responses, whatever their status. Never: has two requests under way, goes to a host that the
shop did not name, reads on past the limits, sends a cookie, asks on after a refusal, or takes a step of its own towards
another address: a redirect is Scrapy's next request, which comes by here again, and a page's wish to be reloaded is not heard.
"""

import asyncio
from urllib.parse import urljoin, urlsplit

from scrapy import Request
from scrapy.core.downloader.handlers.base import BaseDownloadHandler
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Headers, Response, TextResponse
from scrapy.http.request import NO_CALLBACK
from scrapy.responsetypes import responsetypes

from lookalike.catalog.fetch import Answer, FetchError, ask
from shops.pages.verdict import REFUSED, is_challenge
from shops.trip import Trip

WORTH_ANOTHER_TRY = frozenset({"unreachable", "too_slow", "cut_short", "bad_answer", "not_safe"})
TOLD = ("Accept", "Accept-Language", "If-None-Match", "If-Modified-Since")  # what a request may say beside who asks
NOTHING_ALLOWED = b"User-agent: *\nDisallow: /\n"


class WayError(FetchError):
    """The way there failed; another try may do."""


def close(crawler: Crawler, reason: str) -> None:
    """Have the walk end soon. Nobody waits for it here: closing waits for whoever asks."""
    ending = asyncio.ensure_future(crawler.engine.close_spider_async(reason=reason))
    crawler.ending = ending  # type: ignore[attr-defined]  # a task that nobody holds may be forgotten


class GuardedHandler(BaseDownloadHandler):
    """Sends a request by `catalog.fetch.ask`, in a thread of its own, when it is its turn."""

    lazy = True

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self.turn = asyncio.Lock()  # pages and pictures lie on several hosts, and the shop is one

    async def download_request(self, request: Request) -> Response:
        """The answer, or a FetchError; nothing is asked once the shop has refused."""
        trip: Trip = self.crawler.spider.trip  # type: ignore[union-attr]
        async with self.turn:
            if trip.over:
                raise IgnoreRequest("the walk is over")
            response = _response(await self._asked(request, trip))
            trip.blocked = trip.blocked or _refusal(request, response)  # before the next one's turn
        return response

    async def _asked(self, request: Request, trip: Trip) -> Answer:
        said = {name: value.decode() for name in TOLD if (value := request.headers.get(name))}
        try:
            answer = await asyncio.to_thread(ask, request.url, rules=trip.rules, headers=said)
            _check_redirect(answer)
        except FetchError as wrong:
            if wrong.reason in WORTH_ANOTHER_TRY:
                raise WayError(wrong.reason, str(wrong)) from None
            raise
        return answer


def _refusal(request: Request, response: Response) -> str:
    """Why this answer says that we are not wanted; "" where it does not. A picture may be missing, and called forbidden."""
    a_page = request.callback is not NO_CALLBACK
    asks = isinstance(response, TextResponse) and not _is_robots(request) and is_challenge(response.text)
    if response.status == 429 or (response.status in REFUSED and (a_page or asks)):
        return f"{response.url}: the shop refuses (HTTP {response.status})"
    return f"{response.url}: a challenge instead of a {'page' if a_page else 'picture'}" if asks else ""


def _check_redirect(answer: Answer) -> None:
    """Refuse an address that nobody can read, before Scrapy tries to."""
    for name, value in answer.headers:
        if name.lower() == "location":
            try:
                urlsplit(urljoin(answer.url, value))
            except ValueError:
                raise FetchError(
                    "bad_answer", f"{answer.url}: redirects to {value[:200]!r}, which is no address"
                ) from None


def _response(answer: Answer) -> Response:
    headers = Headers([(name, value) for name, value in answer.headers if name.lower() != "transfer-encoding"])
    kind = responsetypes.from_args(headers=headers, url=answer.url, body=answer.body[:5000])
    return kind(url=answer.url, status=answer.status, headers=headers, body=answer.body)


class StrictRobots:
    """A robots.txt that cannot be had allows nothing (RFC 9309); by itself Scrapy would take it for a yes."""

    def __init__(self, crawler: Crawler) -> None:
        self.crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> "StrictRobots":
        """How Scrapy makes one."""
        return cls(crawler)

    def process_response(self, request: Request, response: Response) -> Response:
        """A refusal instead of the rules is a block; where the server fails, the walk is for another time."""
        if not _is_robots(request):
            return response
        trip: Trip = self.crawler.spider.trip  # type: ignore[union-attr]
        if response.status in REFUSED:
            trip.blocked = f"{response.url}: the shop refuses (HTTP {response.status})"
        if response.status >= 500:
            trip.stopped = f"{response.url}: HTTP {response.status}; without its rules nothing is asked"
            return self._closed(request, f"answers {response.status}")
        return response

    def process_exception(self, request: Request, exception: Exception) -> Response | None:
        """No way to the rules: the walk is for another time, or, to a host that may not be asked, leads there never."""
        if not _is_robots(request) or isinstance(exception, IgnoreRequest):
            return None
        if isinstance(exception, WayError):
            self.crawler.spider.trip.stopped = f"{exception}. Is the address right, and the shop open?"  # type: ignore[union-attr]
        return self._closed(request, str(exception))

    def _closed(self, request: Request, why: str) -> Response:
        doors = self.crawler.spider.trip.doors  # type: ignore[union-attr]
        doors[urlsplit(request.url).netloc] = f"its robots.txt could not be had ({why}), so nothing is allowed"
        return TextResponse(url=request.url, body=NOTHING_ALLOWED, encoding="utf-8")


def _is_robots(request: Request) -> bool:
    return urlsplit(request.url).path == "/robots.txt"
