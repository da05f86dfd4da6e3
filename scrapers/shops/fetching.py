"""Scrapy's requests, sent through the guarded fetcher of the house.

In: Scrapy's requests. Out: its responses, whatever their status. Never: goes to a host that the shop did not name, reads
on past the limits, sends a cookie, or follows a redirect (Scrapy does, and the next request is checked again).
"""

import asyncio
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.core.downloader.handlers.base import BaseDownloadHandler
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Headers, Response, TextResponse
from scrapy.responsetypes import responsetypes

from lookalike.catalog.fetch import Answer, FetchError, ask

WORTH_ANOTHER_TRY = frozenset({"unreachable", "too_slow", "cut_short", "bad_answer", "not_safe"})
TOLD = ("Accept", "Accept-Language", "If-None-Match", "If-Modified-Since")  # what a request may say beside who asks
NOTHING_ALLOWED = b"User-agent: *\nDisallow: /\n"


class WayError(FetchError):
    """The way there failed; another try may do."""


class GuardedHandler(BaseDownloadHandler):
    """Sends a request by `catalog.fetch.ask`, in a thread of its own."""

    lazy = True

    async def download_request(self, request: Request) -> Response:
        """The answer, or a FetchError."""
        rules = self.crawler.spider.trip.rules  # type: ignore[union-attr]
        said = {name: value.decode() for name in TOLD if (value := request.headers.get(name))}
        try:
            return _response(await asyncio.to_thread(ask, request.url, rules=rules, headers=said))
        except FetchError as wrong:
            if wrong.reason in WORTH_ANOTHER_TRY:
                raise WayError(wrong.reason, str(wrong)) from None
            raise


def _response(answer: Answer) -> Response:
    headers = Headers([(name, value) for name, value in answer.headers])
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
        """A server's fault or a refusal instead of the rules: nothing is allowed."""
        refused = response.status >= 500 or response.status in {403, 429}
        return self._closed(request, f"answers {response.status}") if _is_robots(request) and refused else response

    def process_exception(self, request: Request, exception: Exception) -> Response | None:
        """No way to the rules: nothing is allowed."""
        lost = _is_robots(request) and not isinstance(exception, IgnoreRequest)
        return self._closed(request, str(exception)) if lost else None

    def _closed(self, request: Request, why: str) -> Response:
        doors = self.crawler.spider.trip.doors  # type: ignore[union-attr]
        doors[urlsplit(request.url).netloc] = f"its robots.txt could not be had ({why}), so nothing is allowed"
        return TextResponse(url=request.url, body=NOTHING_ALLOWED, encoding="utf-8")


def _is_robots(request: Request) -> bool:
    return urlsplit(request.url).path == "/robots.txt"
