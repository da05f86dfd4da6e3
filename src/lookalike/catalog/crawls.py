"""The book of crawls: what each set out to do, every step it took, and all that it found, until the catalog takes it.

In: plans, steps and what they brought. Out: the same, counted, merged and as tables. Never: asks a shop for anything,
or touches the catalog's products but in `publish`.

Every call is one transaction. What a step brought is there with the step's end or not at all, and a step that has ended
takes no more: a process killed at any moment does again what is left, and the book is as if it had not been killed.
SQLite syncs every such transaction to the disk (WAL with synchronous=FULL, its default), so that a power cut takes nothing
that was told as done: some milliseconds, where seconds pass between two pages.
"""

import hashlib
import json
import os
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa

from lookalike.catalog import database
from lookalike.catalog.crawl import Brought, Crawl, Plan, Published, Status, Step
from lookalike.catalog.database import put, transaction
from lookalike.catalog.product import View
from lookalike.catalog.publish import BYTES, SAID, Whole, chunks, found, packed, publish, to_ask
from lookalike.catalog.store import Store
from lookalike.catalog.tables import (
    ADDRESSES,
    CRAWLS,
    HOLDERS,
    ITEMS,
    ODD,
    PICTURES,
    PRODUCTS,
    SEEN,
    STEPS,
    utc,
)
from lookalike.settings import DataError

PAGES = dict.fromkeys(("kind", "key", "url", "status", "generation", "reason"), pl.String)
PICTURED = dict.fromkeys(("url", "product", "view", "sha256", "reason"), pl.String)
MISREAD = dict.fromkeys(("item", "reason"), pl.String)
PRODUCT = {
    **dict.fromkeys(("product", "style", "brand", "category", "color", "name", "url"), pl.String),
    "price": pl.Float64,
    "currency": pl.String,
    "rating": pl.Float64,
    **dict.fromkeys(("stock", "views", "told"), pl.Int64),
    "price_as_given": pl.String,
    "steps": pl.Int64,
}


@dataclass(frozen=True, kw_only=True)
class CrawlTables:
    """What a crawl found, as the catalog would take it now."""

    products: pl.DataFrame  # a row a product; views: different pictures that came, told: addresses, steps: that told it
    pictures: pl.DataFrame  # a row an address of a product; sha256 is "" and the reason told where it did not come
    pages: pl.DataFrame  # a row a step, in the order they became known; status: done | failed | left
    odd: pl.DataFrame  # a row an item of a page that could not be read


class Crawls:
    """The book of crawls of one catalog."""

    def __init__(self, store: Store) -> None:
        self._engine = store.engine
        self._name = store.name
        self._held: dict[str, dict[str, Any]] = {}  # by shop, the row of HOLDERS that we signed

    @contextmanager
    def alone(self, shop: str) -> Iterator[None]:
        """Be the only process that crawls this shop; DataError where another one does. A kill lets go of it.

        So does a lost connection to PostgreSQL. Whoever comes then signs as the holder, and what is told to this one's
        crawl after that is refused: two never write to one crawl.
        """
        if shop in self._held:
            yield
            return
        with database.alone(self._engine, f"crawl of {shop}") as held:
            if not held:
                raise DataError(self._busy(shop))
            row = {"shop": shop, "who": f"process {os.getpid()} on {socket.gethostname()}", "since": datetime.now(UTC)}
            with transaction(self._engine, writes=True) as connection:
                put(connection, HOLDERS, [row])
            self._held[shop] = row
            try:
                yield
            finally:
                del self._held[shop]

    def begin(self, plan: Plan, *, now: datetime, go_on_for: timedelta) -> tuple[Crawl, bool]:
        """A crawl of this plan. True: an unfinished one, running or blocked, that began no longer ago, is gone on with.

        Any other unfinished crawl of that shop and scope is abandoned. Refused while another process crawls the shop: be
        `alone` with it from here to the end.
        """
        with self.alone(plan.shop), transaction(self._engine, writes=True) as connection:
            going, others = _unfinished(connection, plan, since=utc(now) - go_on_for)
            for number in others:
                _end(connection, number, "abandoned", now, ["a newer crawl of this scope began"])
            row: dict[str, Any] = {"status": "running", "ended": None, "notes": [], "counts": {}}
            if going is None:
                told = {name: getattr(plan, name) for name in ("shop", "scope", "permission", "complete", "settings")}
                asked = sa.insert(CRAWLS).returning(CRAWLS.c.id)
                number = connection.execute(asked, {**told, **row, "started": utc(now)}).scalar_one()
                return _of(connection, number), False
            connection.execute(sa.update(CRAWLS).where(CRAWLS.c.id == going).values(row))
            return _of(connection, going), True

    def first(self, number: int, steps: Sequence[Step]) -> None:
        """The steps it begins with; harmless when told again."""
        with transaction(self._engine, writes=True) as connection:
            self._open(connection, number)
            _known_steps(connection, number, steps, first=True)

    def steps_left(self, number: int) -> list[Step]:
        """The steps that neither ended nor failed, in the order in which they became known."""
        left = (STEPS.c.crawl == number) & (STEPS.c.status == "left")
        asked = sa.select(STEPS.c.kind, STEPS.c.key, STEPS.c.url).where(left).order_by(STEPS.c.position)
        return [Step(**row) for row in self._rows(asked)]

    def keys(self, number: int) -> set[str]:
        """The keys of all steps that are known, whatever came of them."""
        return {row["key"] for row in self._rows(sa.select(STEPS.c.key).where(STEPS.c.crawl == number))}

    def missing(self, number: int) -> list[Step]:
        """The pages to ask, by key, before anything that a complete crawl did not meet is called gone.

        A listing that shifts while it is walked may hide a product that is on the shelf. These are the pages of products
        that publishing now would mark as gone, as the crawl that met each last knew them; only those that this crawl does
        not know. None where more is missing than half of what was met: then the gate says so.
        """
        with transaction(self._engine) as connection:
            crawl = _of(connection, number)
            return to_ask(connection, crawl) if crawl.complete else []

    def finish_step(self, number: int, step: Step, brought: Brought) -> None:
        """Keep all that a step brought. For a step that has ended nothing is changed; one that failed may yet end."""
        with transaction(self._engine, writes=True) as connection:
            self._open(connection, number)
            position, before = _step(connection, number, step)
            if before == "done":
                return
            told = _known_steps(connection, number, brought.more)
            _keep(connection, {"crawl": number, "position": position}, brought)
            facts = {"status": "done", "generation": brought.generation, "state": brought.state, "found": told}
            _change_step(connection, number, position, **facts, reason="", text="")

    def fail_step(self, number: int, step: Step, reason: str, text: str) -> None:
        """Note that a page could not be had or read. reason GONE: the shop says that it is no more."""
        with transaction(self._engine, writes=True) as connection:
            self._open(connection, number)
            position, before = _step(connection, number, step)
            if before == "left":
                _change_step(connection, number, position, status="failed", reason=reason, text=text)

    def staged(self, number: int) -> int:
        """How many different products were told so far."""
        with transaction(self._engine) as connection:
            return _staged(connection, number)

    def in_full(self, number: int) -> int:
        """How many different products were told in full so far, and not by a listing alone."""
        with transaction(self._engine) as connection:
            return _staged(connection, number, ITEMS.c.page_key == "")

    def met(self, number: int) -> int:
        """How many products the listings told so far, one that two of them tell twice."""
        listed = (ITEMS.c.crawl == number) & (STEPS.c.kind == "listing")
        with transaction(self._engine) as connection:
            asked = sa.select(sa.func.count()).select_from(ITEMS).join(STEPS).where(listed)
            return connection.execute(asked).scalar_one()

    def counts(self, number: int) -> dict[str, int]:
        """Pages that were read, pages left, products, pictures that came, and what went wrong by reason."""
        with transaction(self._engine) as connection:
            return _counts(connection, number)

    def known_products(self, shop: str) -> frozenset[str]:
        """The ids of a shop's products that are in the catalog and not gone."""
        asked = sa.select(PRODUCTS.c.product).where(PRODUCTS.c.shop == shop, ~PRODUCTS.c.gone)
        return frozenset(row["product"] for row in self._rows(asked))

    def known_pictures(self, urls: Sequence[str]) -> dict[str, View]:
        """What any crawl found at these addresses when it last fetched them. Whether the bytes are still kept, see there."""
        of = {_digest(url): url for url in urls}
        known: dict[str, View] = {}
        columns = (
            *(ADDRESSES.c[name] for name in ("id", *SAID)),
            *(PICTURES.c[name] for name in BYTES if name != "sha256"),
        )
        for some in chunks(of):
            asked = sa.select(*columns).join_from(ADDRESSES, PICTURES).where(ADDRESSES.c.id.in_(some))
            known |= {of[row["id"]]: View(**{k: row[k] for k in row if k != "id"}) for row in self._rows(asked)}
        return {url: known[url] for url in of.values() if url in known}

    def tables(self, number: int) -> CrawlTables:
        """All that it found, for the gate."""
        with transaction(self._engine) as connection:
            products = found(connection, _of(connection, number))
            pictures = connection.execute(_pictured(number).order_by("product", "url")).mappings().all()
            pages = connection.execute(sa.select(STEPS).where(STEPS.c.crawl == number).order_by(STEPS.c.position))
            odd = connection.execute(sa.select(ODD).where(ODD.c.crawl == number).order_by(ODD.c.position, ODD.c.place))
            told = Counter(row["product"] for row in pictures)
            rows = [_product_row(one, told[one.product.product]) for one in products]
            return CrawlTables(
                products=pl.DataFrame(rows, schema=PRODUCT),
                pictures=_frame(pictures, PICTURED),
                pages=_frame(pages.mappings().all(), PAGES),
                odd=_frame(odd.mappings().all(), MISREAD),
            )

    def end(self, number: int, status: Status, *, now: datetime, notes: Sequence[str] = ()) -> Crawl:
        """Note how a crawl ended that the catalog does not take."""
        if status in {"running", "published"}:
            raise ValueError(f"a crawl does not end as {status}; `publish` it, or say how it ended")
        with transaction(self._engine, writes=True) as connection:
            self._open(connection, number)
            _end(connection, number, status, now, notes)
            return _of(connection, number)

    def publish(self, number: int, *, now: datetime | None = None) -> Published:
        """Let the catalog have it, as of the moment when the crawl began. Published again, it answers the same.

        `now`: when it ended, by the clock where that is not said.
        """
        with transaction(self._engine, writes=True) as connection:
            crawl = _of(connection, number)
            if crawl.status == "published":
                return Published(**{name: crawl.counts[name] for name in asdict(Published())})
            self._open(connection, number)
            _refuse_half(connection, crawl)
            did, notes = publish(connection, crawl)
            taken = connection.execute(sa.select(sa.func.count(CRAWLS.c.published))).scalar_one()
            _end(connection, number, "published", now or datetime.now(UTC), notes, asdict(did), published=taken + 1)
            return did

    def all(self) -> list[Crawl]:
        """Every crawl, oldest first."""
        return [_crawl(row) for row in self._rows(sa.select(CRAWLS).order_by(CRAWLS.c.id))]

    def of(self, number: int) -> Crawl:
        """The crawl of this number; KeyError where there is none."""
        with transaction(self._engine) as connection:
            return _of(connection, number)

    def last_published(self, shop: str, scope: str) -> Crawl | None:
        """The crawl that walked all of this shop and scope, and that the catalog took last."""
        same = (CRAWLS.c.shop == shop) & (CRAWLS.c.scope == scope) & CRAWLS.c.published.is_not(None) & CRAWLS.c.complete
        rows = self._rows(sa.select(CRAWLS).where(same).order_by(CRAWLS.c.published.desc()).limit(1))
        return _crawl(rows[0]) if rows else None

    def _open(self, connection: sa.Connection, number: int) -> None:
        """Refuse what is told to a crawl that has ended, or of which another process has become the holder."""
        shop = _running(connection, number).shop
        ours = self._held.get(shop)
        if ours and not connection.execute(sa.select(HOLDERS).filter_by(**ours)).all():
            raise DataError(
                f"{self._name}: the connection was lost, and meanwhile another process came to crawl {shop}. What this one "
                "found until then is kept, and the other one goes on with it. When it has ended, the same command goes on."
            )

    def _busy(self, shop: str) -> str:
        rows = self._rows(sa.select(HOLDERS).where(HOLDERS.c.shop == shop))
        who = f"{rows[0]['who']} since {rows[0]['since']:%Y-%m-%d %H:%M} UTC" if rows else "another process"
        return f"{self._name}: {shop} is being crawled by {who}. Wait for it to end, or stop it; what it found is kept."

    def _rows(self, asked: sa.Select[Any]) -> list[sa.RowMapping]:
        with transaction(self._engine) as connection:
            return list(connection.execute(asked).mappings())


# Crawls


def _of(connection: sa.Connection, number: int) -> Crawl:
    row = connection.execute(sa.select(CRAWLS).where(CRAWLS.c.id == number)).mappings().one_or_none()
    if row is None:
        raise KeyError(f"no crawl {number} in this catalog")
    return _crawl(row)


def _crawl(row: sa.RowMapping) -> Crawl:
    same = ("shop", "scope", "complete", "permission", "status", "started", "ended", "counts")
    return Crawl(number=row["id"], notes=tuple(row["notes"]), **{name: row[name] for name in same})


def _running(connection: sa.Connection, number: int) -> Crawl:
    """The crawl, refused if it has ended: what was judged or published must not grow behind its back."""
    crawl = _of(connection, number)
    if crawl.status != "running":
        raise DataError(
            f"crawl {number} of {crawl.shop} is {crawl.status}, and nothing is added to it or made of it. Begin one anew."
        )
    return crawl


def _unfinished(connection: sa.Connection, plan: Plan, *, since: datetime) -> tuple[int | None, list[int]]:
    """The newest unfinished crawl of an equal plan, and all others of its shop and scope."""
    same = (CRAWLS.c.shop == plan.shop) & (CRAWLS.c.scope == plan.scope)
    asked = sa.select(CRAWLS).where(same, CRAWLS.c.status.in_(["running", "blocked"])).order_by(CRAWLS.c.id.desc())
    rows = connection.execute(asked).mappings().all()
    equal = [row["id"] for row in rows if _equal(row, plan) and row["started"] >= since]
    going = equal[0] if equal else None
    return going, [row["id"] for row in rows if row["id"] != going]


def _equal(row: sa.RowMapping, plan: Plan) -> bool:
    settings = json.loads(json.dumps(plan.settings))  # as a database gives them back: a tuple is a list
    told = (plan.complete, plan.permission, settings)
    return (row["complete"], row["permission"], row["settings"]) == told


def _end(
    connection: sa.Connection,
    number: int,
    status: Status,
    now: datetime,
    notes: Sequence[str],
    did: dict[str, int] | None = None,
    *,
    published: int | None = None,
) -> None:
    facts = {"status": status, "ended": utc(now), "notes": list(notes), "published": published}
    counts = _counts(connection, number) | (did or {})
    connection.execute(sa.update(CRAWLS).where(CRAWLS.c.id == number).values(**facts, counts=counts))


def _refuse_half(connection: sa.Connection, crawl: Crawl) -> None:
    """Of a crawl that is to tell what is gone, no page may be left unread."""
    left = _counts(connection, crawl.number)["pages_left"]
    if crawl.complete and left:
        raise DataError(
            f"crawl {crawl.number} of {crawl.shop} is to tell what is gone, and {left} of its pages were not asked for. "
            "Go on with it before it is published."
        )


# Steps, and what they brought


def _step(connection: sa.Connection, number: int, step: Step) -> tuple[int, str]:
    """Where a step stands, and what came of it so far."""
    same = (STEPS.c.crawl == number) & (STEPS.c.id == _digest(step.key))
    row = connection.execute(sa.select(STEPS.c.position, STEPS.c.status).where(same)).one_or_none()
    if row is None:
        raise KeyError(f"crawl {number} has no step {step.key!r}")
    return row.position, row.status


def _change_step(connection: sa.Connection, number: int, position: int, **facts: Any) -> None:
    same = (STEPS.c.crawl == number) & (STEPS.c.position == position)
    connection.execute(sa.update(STEPS).where(same).values(facts))


def _known_steps(connection: sa.Connection, number: int, steps: Sequence[Step], *, first: bool = False) -> list[int]:
    """The positions of these steps; those that are new are added at the end."""
    told = {_digest(step.key): step for step in reversed(steps)}  # of two with one key the first one counts
    order = dict.fromkeys(_digest(step.key) for step in steps)
    known = _positions(connection, number, list(order))
    last = connection.execute(sa.select(sa.func.max(STEPS.c.position)).where(STEPS.c.crawl == number)).scalar()
    new = [one for one in order if one not in known]
    fresh = {one: at for at, one in enumerate(new, 0 if last is None else last + 1)}
    row = {"crawl": number, "first": first, "status": "left", "found": []}
    rows = [{**row, "position": at, "id": one, **vars(told[one])} for one, at in fresh.items()]
    if rows:
        connection.execute(sa.insert(STEPS), rows)
    return [(known | fresh)[one] for one in order]


def _positions(connection: sa.Connection, number: int, ids: list[str]) -> dict[str, int]:
    known: dict[str, int] = {}
    for some in chunks(ids):
        same = (STEPS.c.crawl == number) & STEPS.c.id.in_(some)
        rows = connection.execute(sa.select(STEPS.c.id, STEPS.c.position).where(same))
        known |= {row.id: row.position for row in rows}
    return known


def _keep(connection: sa.Connection, step: dict[str, int], brought: Brought) -> None:
    """Write down what a step brought; pictures first, as the others name them."""
    seen = [(one.url, one.view) for one in brought.pictures if one.view]
    views = [*(view for _, view in seen), *(view for one in brought.taken for view in one.product.views)]
    put(
        connection,
        PICTURES,
        list({view.sha256: {name: getattr(view, name) for name in BYTES} for view in views}.values()),
    )
    put(
        connection,
        ADDRESSES,
        list({url: {"id": _digest(url), "url": url, **_said(view)} for url, view in seen}.values()),
    )
    items = [
        {
            "product": one.product.product,
            "page_key": one.page_key,
            "told": packed(one.product),
            "views": [_said(view) for view in one.product.views],
            "answered": one.answered,
        }
        for one in brought.taken
    ]
    pictures = [
        {
            **{name: getattr(one, name) for name in ("url", "product", "reason", "text")},
            "view": one.view.view if one.view else "",
            "sha256": one.view.sha256 if one.view else "",
        }
        for one in brought.pictures
    ]
    odd = [dict(zip(("item", "reason", "text"), one, strict=True)) for one in brought.odd]
    for table, rows in ((ITEMS, items), (SEEN, pictures), (ODD, odd)):
        put(connection, table, [{**step, "place": place, **row} for place, row in enumerate(rows)])


def _said(view: View) -> dict[str, Any]:
    return {name: getattr(view, name) for name in SAID}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


# Counts and tables


def _staged(connection: sa.Connection, number: int, *wanted: sa.ColumnElement[bool]) -> int:
    asked = sa.select(sa.func.count(ITEMS.c.product.distinct())).where(ITEMS.c.crawl == number, *wanted)
    return connection.execute(asked).scalar_one()


def _counts(connection: sa.Connection, number: int) -> dict[str, int]:
    pictured = _pictured(number).subquery().c
    pages = _by(connection, STEPS.c.status, STEPS.c.crawl == number)
    came = _by(connection, pictured.sha256 != "")
    reasons = (
        _by(connection, STEPS.c.reason, STEPS.c.crawl == number, STEPS.c.status == "failed")
        + _by(connection, pictured.reason, pictured.sha256 == "")
        + _by(connection, ODD.c.reason, ODD.c.crawl == number)
    )
    return {
        **dict(sorted(reasons.items())),
        "pages": pages["done"],
        "pages_left": pages["left"],
        "products": _staged(connection, number),
        "pictures": came[True],
    }


def _by(connection: sa.Connection, asked: sa.ColumnElement[Any], *wanted: sa.ColumnElement[bool]) -> Counter[Any]:
    """How many rows there are of each value."""
    named = asked.label("value")
    rows = sa.select(named).where(*wanted).subquery()
    return Counter(dict(connection.execute(sa.select(rows.c.value, sa.func.count()).group_by(rows.c.value)).all()))


def _pictured(number: int) -> sa.Select[Any]:
    """A row an address of a product: one that came at any step came."""
    got = sa.func.max(SEEN.c.sha256)
    reason = sa.case((got == "", sa.func.max(SEEN.c.reason)), else_="")
    named = (got.label("sha256"), sa.func.max(SEEN.c.view).label("view"), reason.label("reason"))
    return (
        sa.select(SEEN.c.product, SEEN.c.url, *named).where(SEEN.c.crawl == number).group_by(SEEN.c.product, SEEN.c.url)
    )


def _product_row(one: Whole, told: int) -> dict[str, Any]:
    product = one.product
    facts = {name: getattr(product, name) for name in PRODUCT if hasattr(product, name)}
    return {
        **facts,
        "price": None if product.price is None else float(product.price),
        "views": len(product.views),
        "told": told,
        "price_as_given": product.attributes.get("price_as_given", ""),
        "steps": one.steps,
    }


def _frame(rows: Sequence[sa.RowMapping], schema: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([{name: row[name] for name in schema} for row in rows], schema=schema)
