"""The catalog as one page: what is in it, how the last crawls and imports went, and what became dearer or cheaper.

In: a table with a row a product (`catalog.presence.shelf`), crawls, imports, price changes. Out: one HTML text that needs
no other file and no network; and the counts on it, which the terminal shows too. Never: asks the catalog itself.

A product that is gone stays among the products; it is told apart wherever products are counted.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import jinja2
import polars as pl
from markupsafe import Markup

from lookalike.catalog.crawl import Crawl, PriceChange
from lookalike.catalog.store import ImportRecord
from lookalike.reporting import charts
from lookalike.reporting.charts import Column
from lookalike.reporting.tints import CODES, named

PAGES = jinja2.Environment(
    loader=jinja2.PackageLoader("lookalike", "reporting"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
SHOWN: Final = 12  # groups of a kind by name; the rest are summed
SHOWN_ARRIVALS = 50
MOST_VIEWS = 8  # a column of its own; products with more share the last
MOST_CURRENCIES = 4  # histograms of prices
WORSE: Final = {"suspect", "blocked", "failed"}
LEVELS: Final = {**dict.fromkeys(WORSE, "bad"), "published": "good", "done": "good", "running": "fair"}
FILL = "Fill it from a shop: lookalike scrape shop=zappos; or from a list or a feed: lookalike import ... into=catalog."


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A crawl or an import: how products came in, or why they did not."""

    started: datetime
    ended: datetime | None
    kind: str  # crawl, or the adapter's name
    source: str  # the shop, or the file
    about: str = ""  # the part of the shop
    status: str
    counts: Mapping[str, int]
    notes: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """What was counted, in words; what did not happen is not told."""
        return ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in self.counts.items() if count)


@dataclass(frozen=True, kw_only=True)
class Tally:
    """How much there is of one shop, brand, category or color."""

    name: str
    products: int
    gone: int
    no_picture: int
    pictures: int
    known: bool = True  # False for the rest that is summed, and for what is not said

    @property
    def views(self) -> float:
        """Views a product."""
        return self.pictures / self.products if self.products else 0.0


@dataclass(frozen=True, kw_only=True)
class Overview:
    """All that the page tells."""

    where: str  # the catalog's address, without a password
    made: datetime
    shop: str  # the one shop that was asked for; "" is all
    shelf: pl.DataFrame
    arrivals: Sequence[Arrival]  # newest first
    changes: Sequence[PriceChange]  # newest first
    set_aside: int | None  # rows that were turned away; None where one shop is asked for


def render(told: Overview) -> str:
    """The page."""
    there = told.shelf.filter(~pl.col("gone"))
    return PAGES.get_template("catalog.html.j2").render(
        told=told,
        verdict=verdict(told),
        numbers=_numbers(told),
        shops=tally(told.shelf, "shop"),
        labels=[("Brands", _bars(told.shelf, "brand")), ("Categories", _bars(told.shelf, "category"))],
        colors=_colors(told.shelf),
        prices=list(_prices(there)),
        views=charts.columns(list(_views(there)), "products by their number of views") if len(there) else "",
        level=lambda status: LEVELS.get(status, ""),
        share=share,
        money=money,
        shown_arrivals=SHOWN_ARRIVALS,
    )


def arrivals(crawls: Iterable[Crawl], imports: Iterable[ImportRecord]) -> list[Arrival]:
    """Crawls and imports as one list, newest first. A crawl that the imports tell of too is told once."""
    walked = [
        Arrival(
            started=one.started,
            ended=one.ended,
            kind="crawl",
            source=one.shop,
            about=one.scope,
            status=one.status,
            counts=one.counts,
            notes=one.notes,
        )
        for one in crawls
    ]
    taken = [
        Arrival(
            started=one.started,
            ended=one.ended,
            kind=one.kind,
            source=one.source,
            status=one.status,
            counts=one.counts,
        )
        for one in imports
        if one.kind != "crawl"
    ]
    return sorted(walked + taken, key=lambda one: one.started, reverse=True)


def tally(shelf: pl.DataFrame, by: str, most: int = SHOWN) -> list[Tally]:
    """How much there is of each value of a column, the most frequent first; all beyond `most` are summed."""
    counted = shelf.group_by(by).agg(
        products=pl.len(),
        gone=pl.col("gone").sum(),
        no_picture=(pl.col("views") == 0).sum(),
        pictures=pl.col("views").sum(),
    )
    ranked = counted.sort(["products", by], descending=[True, False])
    named = [_tally(row.pop(by), by, row) for row in ranked.head(most).to_dicts()]
    rest = ranked.slice(most).select(pl.exclude(by).sum()).to_dicts()
    more = len(ranked) - most
    return [*named, Tally(name=f"{more:,} more", known=False, **rest[0])] if more > 0 else named


def _tally(name: str, by: str, counts: Mapping[str, int]) -> Tally:
    return Tally(name=name or f"no {by}", known=bool(name), **counts)


def share(change: PriceChange) -> str:
    """By how much a price rose or fell, in per cent; "" where it was nothing before."""
    return f"{100 * (change.after - change.before) / change.before:+.1f} %" if change.before else ""


def money(amount: Decimal, currency: str) -> str:
    """An amount as it was told, with its currency."""
    return f"{amount:,f} {currency}".strip()


def verdict(told: Overview) -> dict[str, str]:
    """What a reader should take away: how serious it is, a headline, and a sentence."""
    newest: dict[str, Arrival] = {}
    for one in told.arrivals:
        if one.kind == "crawl" and one.status not in {"running", "abandoned"}:
            newest.setdefault(one.source, one)
    size = _size(told)
    if bad := [one for one in newest.values() if one.status in WORSE]:
        head = "; ".join(f"the last crawl of {one.source} is {one.status}" for one in bad)
        kept = FILL if told.shelf.is_empty() else f"The catalog keeps what it had: {size}."
        text = " ".join([*(_why(one, len(bad)) for one in bad), kept])
        return {"level": "bad", "head": head[0].upper() + head[1:], "text": text}
    if told.shelf.is_empty():
        return {"level": "fair", "head": size, "text": FILL}
    text = "The last crawl of each shop was published." if newest else "No crawl of a shop has ended yet."
    return {"level": "good" if newest else "plain", "head": size, "text": text}


def _why(crawl: Arrival, several: int) -> str:
    which = f" of {crawl.source}" if several > 1 else ""
    return (
        f"Nothing{which} was published: {'; '.join(note.rstrip('.') for note in crawl.notes) or 'no reason was kept'}."
    )


def _size(told: Overview) -> str:
    if told.shelf.is_empty():
        return f"The catalog has no product of {told.shop}" if told.shop else "The catalog is empty"
    shops = told.shelf["shop"].n_unique()
    return f"{_count(len(told.shelf), 'product')} of {_count(shops, 'shop')}"


def _count(number: int, one: str) -> str:
    return f"{number:,} {one}" if number == 1 else f"{number:,} {one}s"


def _numbers(told: Overview) -> list[tuple[str, str, bool]]:
    """Name, number, and whether it is a fault."""
    shelf = told.shelf
    gone, bare = int(shelf["gone"].sum()), int((shelf["views"] == 0).sum())
    each = f"{shelf['views'].sum() / len(shelf):.1f}" if len(shelf) else "0"
    aside = [] if told.set_aside is None else [("rows set aside", f"{told.set_aside:,}", False)]
    return [
        ("products", f"{len(shelf):,}", False),
        ("of these gone", f"{gone:,}", False),
        ("pictures", f"{int(shelf['views'].sum()):,}", False),
        ("views a product", each, False),
        ("products without a picture", f"{bare:,}", bare > 0),
        ("brands", f"{_values(shelf, 'brand'):,}", False),
        ("categories", f"{_values(shelf, 'category'):,}", False),
        *(aside or [("colors", f"{_values(shelf, 'color'):,}", False)]),
    ]


def _values(shelf: pl.DataFrame, column: str) -> int:
    return shelf.filter(pl.col(column) != "")[column].n_unique()


# Charts


def _bars(shelf: pl.DataFrame, by: str) -> list[tuple[Tally, Markup]]:
    """A bar a value, as long as its products are many; those that are gone are its pale end."""
    counted = tally(shelf, by)
    scale = 100 / _widest(counted)
    return [(one, charts.bar(_there_and_gone(one, scale)) if one.known else Markup()) for one in counted]


def _there_and_gone(one: Tally, scale: float) -> list[tuple[float, str]]:
    parts = ((one.products - one.gone, "var(--bar)"), (one.gone, "var(--gone)"))
    return [(count * scale, color) for count, color in parts if count]


def _widest(counted: Sequence[Tally]) -> int:
    """The most products of one value; what is summed, or not said, has no bar to be compared with."""
    return max((one.products for one in counted if one.known), default=1)


def _colors(shelf: pl.DataFrame) -> list[tuple[Tally, Markup]]:
    """A bar a color, in that color itself. Shops have a thousand words: they count by the colors that are named in them."""
    words = shelf["color"].unique()
    short = pl.DataFrame({"color": words, "short": [" / ".join(named(one)) or one for one in words]})
    counted = tally(shelf.join(short, on="color").drop("color").rename({"short": "color"}), "color")
    scale = 100 / _widest(counted)
    return [(one, charts.bar(_tinted(one, scale)) if one.known else Markup()) for one in counted]


def _tinted(one: Tally, scale: float) -> list[tuple[float, str]]:
    """One of several colors is striped; one that is not known by name is gray."""
    codes = [CODES[name] for name in named(one.name)] or ["var(--rest)"]
    return [(one.products * scale / len(codes), code) for code in codes]


def _prices(there: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """A histogram a currency, the most frequent first: amounts of two currencies never share an axis."""
    priced = there.filter(pl.col("price").is_not_null())
    ranked = priced["currency"].value_counts(sort=True).sort(["count", "currency"], descending=[True, False])
    for currency, count in ranked.head(MOST_CURRENCIES).iter_rows():
        amounts = priced.filter(pl.col("currency") == currency)["price"]
        yield {
            "currency": currency or "no currency",
            "products": count,
            "low": amounts.min(),
            "middle": amounts.median(),
            "high": amounts.max(),
            "chart": charts.columns(
                [_column(one) for one in charts.bins(amounts.to_list())], f"prices in {currency}", edges=True
            ),
        }


def _column(one: charts.Bin) -> Column:
    reach = f"{one.low:,g} and more" if one.high is None else f"{one.low:,g} to below {one.high:,g}"
    return Column(label=f"{one.low:,g}" + "+" * (one.high is None), count=one.count, says=f"{reach}: {one.count:,}")


def _views(there: pl.DataFrame) -> Iterator[Column]:
    counted = dict(there.select(pl.col("views").clip(0, MOST_VIEWS).value_counts()).unnest("views").iter_rows())
    for number in range(max(counted, default=0) + 1):
        count = counted.get(number, 0)
        more = number == MOST_VIEWS
        says = f"{_count(count, 'product')} with {number}{' or more' * more} view{'s' * (number != 1)}"
        yield Column(label=f"{number}{'+' * more}", count=count, says=says)
