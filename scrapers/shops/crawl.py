"""A walk from its first request to its last, in this process.

In: a Trip, and how fast it may go. Out: the trip, closed. Never: touches the catalog (the pipeline stages, the command
publishes), or ends without having said why.
"""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from scrapy import Request, signals
from scrapy.crawler import AsyncCrawlerProcess, Crawler
from scrapy.extensions.throttle import AutoThrottle
from scrapy.robotstxt import RobotParser
from scrapy.settings import Settings
from scrapy.spiderloader import SpiderLoader

from shops.fetching import close
from shops.trip import Trip
from shops.walk import Walk

STOPS = (signal.SIGINT, signal.SIGTERM)


def spider_of(name: str) -> type[Walk]:
    """The spider of a shop."""
    found: type[Walk] = SpiderLoader.from_settings(_settings()).load(name)  # type: ignore[assignment]
    return found


def crawl(trip: Trip, *, delay: float = 0.0, retries: int = 2) -> None:
    """Walk until nothing is left, the shop blocks us or is gone, or somebody stops it. What broke of ours is raised."""
    pace = {"DOWNLOAD_DELAY": delay, "AUTOTHROTTLE_START_DELAY": delay, "RETRY_TIMES": retries}
    if trip.shop.trusted:  # a shop on this very machine is the user's own: it need not be spared
        pace["AUTOTHROTTLE_ENABLED"] = False
    with _stops_as_before():
        process = AsyncCrawlerProcess(_settings(**pace))
        crawler = process.create_crawler(spider_of(trip.shop.name))
        _listen(crawler, trip)
        process.crawl(crawler, trip=trip)
        process.start()
    if trip.faults:
        raise trip.faults[0]


@contextmanager
def _stops_as_before() -> Iterator[None]:
    """Scrapy answers Ctrl-C while it walks, and would go on swallowing it afterwards."""
    before = {which: signal.getsignal(which) for which in STOPS}
    try:
        yield
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)


def _settings(**more: Any) -> Settings:
    settings = Settings()
    settings.setmodule("shops.settings")
    settings.setdict(more)
    return settings


def _listen(crawler: Crawler, trip: Trip) -> None:
    """Have the trip told how it ended and what broke (Scrapy itself logs a fault and goes on), and heed Crawl-delay."""

    def closed(reason: str) -> None:
        trip.closed = reason

    def broke(failure: Any) -> None:
        if isinstance(failure.value, asyncio.CancelledError):  # somebody stopped us, twice
            return
        trip.faults.append(failure.value)
        close(crawler, "fault")

    def heard(robotparser: RobotParser, request: Request) -> None:
        if wait := robotparser.crawl_delay("lookalike"):
            _slow_down(crawler, request, wait)

    crawler.signals.connect(closed, signals.spider_closed, weak=False)
    crawler.signals.connect(broke, signals.spider_error, weak=False)
    crawler.signals.connect(broke, signals.item_error, weak=False)
    crawler.signals.connect(heard, signals.robots_parsed, weak=False)


def _slow_down(crawler: Crawler, request: Request, wait: float) -> None:
    """Leave so many seconds between two requests to this host, where that is more than we leave anyhow."""
    downloader = crawler.engine.downloader
    least = max(wait, crawler.settings.getfloat("DOWNLOAD_DELAY"))
    host = downloader.get_slot_key(request)
    downloader.per_slot_settings[host] = {"delay": least}
    if host in downloader.slots:
        downloader.slots[host].delay = least
    if throttle := crawler.get_extension(AutoThrottle):
        throttle.mindelay = max(throttle.mindelay, least)
