"""`lookalike scrape`: a shop's pages into the catalog, politely; killed at any moment, the same command goes on."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from lookalike import build
from lookalike.catalog import gate
from lookalike.catalog.addresses import FetchRules
from lookalike.catalog.crawl import Crawl, Plan, Status
from lookalike.catalog.crawls import Crawls
from lookalike.catalog.store import open_store
from lookalike.cli import places, show
from lookalike.cli.crawling import watched
from lookalike.settings import ConfigError, Scrape
from shops.crawl import crawl, spider_of
from shops.shop import Shop
from shops.trip import Trip


def run(settings: Scrape) -> int:
    """Walk, judge, publish. A crawl that was stopped is gone on with; one that fails the gate leaves the catalog as it was."""
    shop = build.shop(settings.shop)
    _refuse(settings, shop)
    name = settings.name or shop.name
    with open_store(places.catalog(settings)) as store:
        book = Crawls(store)
        with book.alone(name):
            now = datetime.now(UTC)
            begun, again = book.begin(
                plan_of(settings, shop, name), now=now, go_on_for=timedelta(days=settings.go_on_days)
            )
            book.first(begun.number, shop.steps)
            _announce(begun, shop, again)
            trip = _trip(settings, shop, book, begun)
            with watched(book.counts(begun.number)) as trip.tell:
                crawl(trip, delay=settings.delay, retries=settings.retries)
            return _concluded(settings, trip)


def plan_of(settings: Scrape, shop: Shop, name: str) -> Plan:
    """What the crawl sets out to do: whatever decides which pages are asked for."""
    return Plan(
        shop=name,
        scope=shop.scope,
        complete=not settings.max_items and not settings.since,
        permission=shop.permission,
        settings={"spider": shop.name, "site": shop.site, "max_items": settings.max_items, "since": settings.since},
    )


def _refuse(settings: Scrape, shop: Shop) -> None:
    """What must be said before a stranger's door is knocked at."""
    faults = []
    if spider_of(shop.name).asks_permission and not shop.permission and not shop.trusted:
        faults.append(
            f"the terms of {shop.site} forbid robots without written consent; if you have it, say so: "
            'shop.permission="who gave it, when" (it is kept in the crawl\'s record). Its product feed is the way without: '
            "lookalike import adapter=feed"
        )
    if not settings.contact and not shop.trusted:
        faults.append(
            f"{shop.site} is to know whom to write to when the crawl bothers them; add contact=mailto:you@your.example"
        )
    if faults:
        raise ConfigError("; ".join(faults))


def _announce(begun: Crawl, shop: Shop, again: bool) -> None:
    going = (
        f"goes on with crawl {begun.number} of {begun.started:%Y-%m-%d %H:%M} UTC" if again else f"crawl {begun.number}"
    )
    show.facts(f"{begun.shop}: {going}", {"from": shop.scope})


def _trip(settings: Scrape, shop: Shop, book: Crawls, begun: Crawl) -> Trip:
    rules = FetchRules(
        ports=tuple({80, 443, *(int(one.rpartition(":")[2]) for one in shop.trusted)}),
        hosts=shop.hosts,
        allow_private=shop.trusted,
        max_bytes=settings.max_bytes,
        max_seconds=settings.seconds,
        contact=settings.contact,
    )
    return Trip(
        book=book,
        crawl=begun,
        shop=shop,
        rules=rules,
        pictures=places.pictures(settings.paths),
        pages=places.pages(settings.paths),
        known=book.known_products(begun.shop),
        max_items=settings.max_items,
        since=settings.since,
    )


def _concluded(settings: Scrape, trip: Trip) -> int:
    if trip.blocked:
        return _not_published(trip, "blocked", [trip.blocked])
    if trip.closed != "finished":
        raise KeyboardInterrupt  # the crawl stays open: the same command goes on
    verdict = _judged(settings, trip)
    if not verdict.passed:
        return _not_published(trip, "suspect", verdict.notes)
    did = vars(trip.book.publish(trip.number))
    shop = trip.crawl.shop
    show.facts("published", did | {"next": f"lookalike catalog of={shop}   lookalike freeze name={shop} of={shop}"})
    return 0


def _judged(settings: Scrape, trip: Trip) -> gate.Verdict:
    before = trip.book.last_published(trip.crawl.shop, trip.crawl.scope)
    verdict = gate.judge(
        trip.book.tables(trip.number),
        trip.book.tables(before.number) if before else None,
        settings.gate,
        complete=trip.crawl.complete,
    )
    rows = [(one.name, f"{one.found:.4g}", one.wanted, "" if one.passed else "FAILED") for one in verdict.checks]
    show.table("the gate", ("check", "found", "wanted", ""), rows)
    return verdict


MENDS: dict[Status, str] = {
    "blocked": "The shop is left alone. Wait, ask them, or take their product feed (lookalike import adapter=feed).",
    "suspect": "Look at the pages that are told, mend their reader or the gate (gate.NAME=...), and crawl again.",
}


def _not_published(trip: Trip, status: Status, notes: Sequence[str]) -> int:
    """Say why the catalog stays as it was."""
    trip.book.end(trip.number, status, now=datetime.now(UTC), notes=notes)
    for note in notes:
        show.out.print(f"{status}: {note}", markup=False)
    show.facts(f"not published: crawl {trip.number} is {status}", {"the catalog": "as it was", "next": MENDS[status]})
    return 1
