"""`lookalike scrape`: a shop's pages into the catalog, politely; killed at any moment, the same command goes on."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
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
    rules = _rules(settings, shop)
    name = settings.name or shop.name
    with open_store(places.catalog(settings)) as store:
        book = Crawls(store)
        with _alone(book, name, shop):
            now = datetime.now(UTC)
            begun, again = book.begin(
                plan_of(settings, shop, name), now=now, go_on_for=timedelta(days=settings.go_on_days)
            )
            book.first(begun.number, shop.steps)
            _announce(begun, shop, again)
            trip = _trip(settings, shop, rules, book, begun)
            done = book.counts(begun.number) | {"products": book.in_full(begun.number)}
            with watched(done) as trip.tell:
                crawl(trip, delay=settings.delay, retries=settings.retries)
            return _concluded(settings, trip)


@contextmanager
def _alone(book: Crawls, name: str, shop: Shop) -> Iterator[None]:
    """Be the only one that crawls under this name, and that asks these hosts, whatever others call them."""
    with ExitStack() as held:
        for one in sorted({name, *shop.asked}):  # in one order for all, so that no two stop each other
            held.enter_context(book.alone(one))
        yield


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
    if not shop.permission and (whose := _forbids(shop)):
        faults.append(
            f"the terms of {whose} forbid robots without written consent; if you have it, say so: "
            'shop.permission="who gave it, when" (it is kept in the crawl\'s record). Its product feed is the way without: '
            "lookalike import adapter=feed"
        )
    if not shop.trusted and not any(sign in settings.contact for sign in ("@", "://")):
        faults.append(
            f"{shop.site} is to know whom to write to when the crawl bothers them; contact is {settings.contact!r}: "
            "give contact=mailto:you@your.example, or a web address of yours"
        )
    if faults:
        raise ConfigError("; ".join(faults))


def _forbids(shop: Shop) -> str:
    """Whose terms ask for consent: a host that is known for it, or the site that a spider which asks for it is sent to."""
    asks = spider_of(shop.name).asks_permission and not shop.trusted
    return ", ".join(shop.forbidding) or (shop.site if asks else "")


def _announce(begun: Crawl, shop: Shop, again: bool) -> None:
    going = (
        f"goes on with crawl {begun.number} of {begun.started:%Y-%m-%d %H:%M} UTC" if again else f"crawl {begun.number}"
    )
    show.facts(f"{begun.shop}: {going}", {"from": shop.scope})


def _rules(settings: Scrape, shop: Shop) -> FetchRules:
    return FetchRules(
        ports=tuple({80, 443, shop.place.port}),
        hosts=shop.hosts,
        allow_private=shop.trusted,
        max_bytes=settings.max_bytes,
        max_seconds=settings.seconds,
        contact=settings.contact,
    )


def _trip(settings: Scrape, shop: Shop, rules: FetchRules, book: Crawls, begun: Crawl) -> Trip:
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
    if trip.stopped:
        return _left_open(settings, trip)
    if trip.closed != "finished":
        show.err.print(f"crawl {trip.number} stays open: the same command goes on with it")
        raise KeyboardInterrupt
    verdict = _judged(settings, trip)
    if not verdict.passed:
        return _not_published(trip, "suspect", verdict.notes)
    first = trip.known and not trip.book.last_published(trip.crawl.shop, trip.crawl.scope)
    did = vars(trip.book.publish(trip.number))
    _told("published", trip.book.of(trip.number).notes)
    shop = trip.crawl.shop
    if not trip.crawl.complete:
        show.out.print("a part of the shop: what is gone was not looked for")
    elif first:
        show.out.print("no earlier crawl began at these addresses: what is gone cannot be told yet")
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
    if verdict.passed:
        show.out.print(f"the gate: {len(verdict.checks)} checks passed\n")
    else:
        rows = [(one.name, f"{one.found:.4g}", one.wanted, "" if one.passed else "FAILED") for one in verdict.checks]
        show.table("the gate", ("check", "found", "wanted", ""), rows)
    return verdict


MENDS: dict[Status, str] = {
    "blocked": "The shop is left alone. Wait, ask them, or take their product feed (lookalike import adapter=feed).",
    "suspect": "What the shop itself got wrong may be right later: crawl again. A page that could not be read: save it with "
    "scripts/save_page.py, mend its reader under scrapers/shops/pages. To take it as it is: gate.NAME=... says how.",
}


def _not_published(trip: Trip, status: Status, notes: Sequence[str]) -> int:
    """Say why the catalog stays as it was."""
    trip.book.end(trip.number, status, now=datetime.now(UTC), notes=notes)
    _told(status, notes)
    show.facts(f"not published: crawl {trip.number} is {status}", {"the catalog": "as it was", "next": MENDS[status]})
    return 1


def _left_open(settings: Scrape, trip: Trip) -> int:
    """The shop could not be reached: what was not asked for stays to be done."""
    _told("stopped", [trip.stopped])
    following = (
        f"When the shop can be reached again, within {settings.go_on_days:g} days, the same command goes on with it."
    )
    show.facts(f"not published: crawl {trip.number} stays open", {"the catalog": "as it was", "next": following})
    return 1


def _told(word: str, notes: Sequence[str]) -> None:
    for note in notes:
        show.out.print(f"{word}: {note}", markup=False)
