"""A walk from its first request to its last, in this process.

In: a Trip, and how fast it may go. Out: the trip, closed. Never: touches the catalog (the pipeline stages, the command
publishes), or ends without having said why.
"""

from typing import Any

from scrapy import signals
from scrapy.crawler import AsyncCrawlerProcess, Crawler
from scrapy.settings import Settings
from scrapy.spiderloader import SpiderLoader

from shops.trip import Trip
from shops.walk import Walk


def spider_of(name: str) -> type[Walk]:
    """The spider of a shop."""
    found: type[Walk] = SpiderLoader.from_settings(_settings()).load(name)  # type: ignore[assignment]
    return found


def crawl(trip: Trip, *, delay: float = 0.0, retries: int = 2) -> None:
    """Walk until nothing is left, the shop blocks us, or somebody stops it. What broke of ours is raised."""
    pace = {"DOWNLOAD_DELAY": delay, "AUTOTHROTTLE_START_DELAY": delay, "RETRY_TIMES": retries}
    if trip.shop.trusted:  # a shop on this very machine is the user's own: it need not be spared
        pace["AUTOTHROTTLE_ENABLED"] = False
    process = AsyncCrawlerProcess(_settings(**pace))
    crawler = process.create_crawler(spider_of(trip.shop.name))
    _listen(crawler, trip)
    process.crawl(crawler, trip=trip)
    process.start()
    if trip.faults:
        raise trip.faults[0]


def _settings(**more: Any) -> Settings:
    settings = Settings()
    settings.setmodule("shops.settings")
    settings.setdict(more)
    return settings


def _listen(crawler: Crawler, trip: Trip) -> None:
    """Have the trip told how it ended, and of every fault: Scrapy itself only logs those, and goes on."""

    def closed(reason: str) -> None:
        trip.closed = reason

    def broke(failure: Any) -> None:
        trip.faults.append(failure.value)

    crawler.signals.connect(closed, signals.spider_closed, weak=False)
    crawler.signals.connect(broke, signals.spider_error, weak=False)
    crawler.signals.connect(broke, signals.item_error, weak=False)
