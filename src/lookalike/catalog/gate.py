"""Whether a crawl may be published: what it brought, held against the settings and against the last good crawl.

In: the tables of a crawl, those of the last good one, and the settings. Out: a `Verdict`, told in words of the shop.
Never: reads or writes a store, raises for what a table holds, or lets the order of rows matter.

A check is named like the setting that it is held against, where there is one. Shares are compared as fractions, so that
a crawl which just reaches what is wanted passes; they are told rounded towards the worse, so that one which just misses
it does not read as if it had not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from lookalike.catalog.crawl import GONE, ROBOTS
from lookalike.settings import Gate

if TYPE_CHECKING:
    from lookalike.catalog.crawls import CrawlTables

FIELDS: Final = {  # held against the last good crawl; name and price have a setting of their own
    "brand": "a brand",
    "category": "a category",
    "color": "a color",
    "url": "an address",
    "rating": "a rating",
    "stock": "a stock count",
}
NUMBERS: Final = frozenset({"price", "rating", "stock"})  # missing as null, all others as ""
TABLES: Final = ("products", "pictures", "pages", "odd")
NO_EARLIER: Final = "there is no earlier crawl to compare with"
SHOWN: Final = 3  # values or reasons told
LONGEST: Final = 80  # characters of a shop's own words in a sentence

_WEB = r"^https?://\S+$"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    passed: bool
    found: float
    wanted: str  # "at least 0.95"
    says: str  # a sentence or two for whoever runs the shop


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """All that was looked at."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether the crawl may be published."""
        return all(check.passed for check in self.checks)

    @property
    def notes(self) -> tuple[str, ...]:
        """What speaks against it."""
        return tuple(check.says for check in self.checks if not check.passed)


def judge(now: "CrawlTables", before: "CrawlTables | None", gate: Gate, *, complete: bool) -> Verdict:
    """Look at all that a crawl brought. Tables of another shape than ours are told, and then nothing else is looked at."""
    wrong = {table: _wrong(table, getattr(now, table)) for table in TABLES}
    shapes = tuple(check for table, cases in wrong.items() for check in _schema(table, getattr(now, table), cases))
    if any(_is_shape(case) for cases in wrong.values() for case in cases):
        return Verdict(checks=shapes)
    return Verdict(
        checks=(
            *shapes,
            _fewest(len(now.products), gate),
            _count(len(now.products), None if before is None else len(before.products), gate, complete=complete),
            _pages(now.pages, gate),
            _listings(now.pages, complete=complete),
            _left(now.pages, complete=complete),
            *_own_coverage(now, gate),
            *_coverage(now.products, None if before is None else before.products, gate),
            _odd(now, gate),
            _twice(now, gate),
            _pictures(now, gate),
        )
    )


# The shape of the tables


def _wrong(table: str, frame: pl.DataFrame) -> list[dict[str, Any]]:
    """What breaks the table's schema: rows of column, check and failure_case, as pandera gives them."""
    from pandera.errors import SchemaErrors  # half a second, and only a crawl needs it

    try:
        _schema_of(table).validate(frame, lazy=True)
    except SchemaErrors as wrong:
        return list(wrong.failure_cases.to_dicts())
    return []


def _schema_of(table: str) -> Any:
    import pandera.polars as pa

    def text(*checks: pa.Check, **how: Any) -> pa.Column:
        return pa.Column(pl.String, list(checks), **how)

    def number(least: float, most: float, *, kind: Any = pl.Int64, nullable: bool = False, error: str) -> pa.Column:
        return pa.Column(kind, pa.Check.in_range(least, most, error=error), nullable=nullable)

    def came_from_the_web(data: Any) -> pl.LazyFrame:
        came: pl.LazyFrame = data.lazyframe.select((pl.col("sha256") == "") | pl.col(data.key).str.contains(_WEB))
        return came

    some = pa.Check.str_length(min_value=1, error="must not be empty")
    web = pa.Check.str_matches(_WEB, error="must begin with http:// or https://")
    columns = {
        "products": {
            "product": text(some, unique=True),
            **{name: text() for name in ("style", "brand", "category", "color", "name", "price_as_given")},
            "url": text(pa.Check.str_matches(f"^$|{_WEB}", error="must begin with http:// or https://, or be empty")),
            "price": number(0, 1e15, kind=pl.Float64, nullable=True, error="must be a number, 0 or more"),
            "currency": text(pa.Check.str_matches("^([A-Z]{3})?$", error="must be three capitals, or empty")),
            "rating": number(0, 5, kind=pl.Float64, nullable=True, error="must be from 0 to 5"),
            "stock": number(0, 2**62, nullable=True, error="must be 0 or more"),
            **{name: number(0, 2**62, error="must be 0 or more") for name in ("views", "told", "steps")},
        },
        "pictures": {
            "product": text(some),
            "url": text(pa.Check(came_from_the_web, error="must begin with http:// or https:// where it came")),
            "view": text(),
            "sha256": text(pa.Check.str_matches("^([0-9a-f]{64})?$", error="must be 64 hexadecimal digits, or empty")),
            "reason": text(),
        },
        "pages": {
            "kind": text(pa.Check.isin(["listing", "product"], error="must be listing or product")),
            "key": text(some),
            "url": text(web),
            "status": text(pa.Check.isin(["done", "failed", "left"], error="must be done, failed or left")),
            "generation": text(),
            "reason": text(),
        },
        "odd": {"item": text(), "reason": text(some)},
    }
    return pa.DataFrameSchema(columns[table])


def _is_shape(case: dict[str, Any]) -> bool:
    return case["check"] == "column_in_dataframe" or str(case["check"]).startswith("dtype(")


def _schema(table: str, frame: pl.DataFrame, cases: list[dict[str, Any]]) -> Iterator[Check]:
    """One check where the table is as it should be, else one for each rule of a column that is broken."""
    if not cases:
        says = f"Each column of {table} is as it should be."
        yield Check(name=f"schema: {table}", passed=True, found=0, wanted="at most 0", says=says)
    if shapes := [case for case in cases if _is_shape(case)]:
        cases = shapes  # its values were not looked at, or in vain
    told = [(case["column"] or case["failure_case"], case["check"], str(case["failure_case"])) for case in cases]
    for column, rule in sorted({(column, rule) for column, rule, _ in told}):
        values = sorted(value for *of, value in told if of == [column, rule])
        says = _broken(table, column, rule, values, len(frame))
        name = f"schema: {table}.{column}"
        yield Check(name=name, passed=False, found=len(values), wanted="at most 0", says=says)


def _broken(table: str, column: str, rule: str, values: Sequence[str], rows: int) -> str:
    if rule == "column_in_dataframe":
        return f"The table {table} has no column {column}."
    if rule.startswith("dtype("):
        return f"The column {column} of {table} holds {values[0]}, not {rule[7:-2]}."
    must = {"not_nullable": "must be there", "field_uniqueness": "must come only once"}.get(rule, rule)
    first = ", ".join(_quoted(value) for value in list(dict.fromkeys(values))[:SHOWN])
    return (
        f"In the table {table}, each {column} {must}: {len(values):,} of {rows:,} do not hold to it, such as {first}."
    )


# How much there is


def _fewest(count: int, gate: Gate) -> Check:
    says = f"{_many(count, 'products')} came; at least {gate.fewest:,} must come."
    return Check(name="fewest", passed=count >= gate.fewest, found=count, wanted=f"at least {gate.fewest}", says=says)


def _count(count: int, before: int | None, gate: Gate, *, complete: bool) -> Check:
    came = _many(count, "products") + " came"
    if before is None:
        return Check(name="count", passed=True, found=count, wanted="anything", says=f"{came}; {NO_EARLIER}.")
    if not complete:
        says = f"{came}; the last good crawl is no measure, as this one was not to walk all of its scope."
        return Check(name="count", passed=True, found=count, wanted="anything", says=says)
    least = ceil(_exact(gate.count) * before)
    says = f"{came}; the last good crawl brought {before:,}, and at least {least:,} must come."
    return Check(name="count", passed=count >= least, found=count, wanted=f"at least {least}", says=says)


def _pages(pages: pl.DataFrame, gate: Gate) -> Check:
    """A page of a product that is gone, or that robots.txt does not allow, is no page that could not be read."""
    asked = pages.filter(~pl.col("reason").is_in([GONE, ROBOTS]))
    failed = asked.filter(pl.col("status") == "failed").sort("url", "reason")
    done = len(asked.filter(pl.col("status") == "done"))
    check = _at_least(
        "pages",
        done,
        done + len(failed),
        _exact(gate.pages),
        ("pages", "could be read"),
        f" What went wrong: {_reasons(failed)}; the first is {_page(failed)}." if len(failed) else "",
    )
    kept_out = len(pages.filter(pl.col("reason") == ROBOTS))
    also = f" Besides, robots.txt does not allow {_many(kept_out, 'pages')}." if kept_out else ""
    return replace(check, says=check.says + also)


def _listings(pages: pl.DataFrame, *, complete: bool) -> Check:
    """A listing that could not be read ends the walk, whatever the reason: what lies behind it would seem to be gone."""
    unread = pages.filter((pl.col("kind") == "listing") & (pl.col("status") == "failed")).sort("url", "reason")
    says = "Each listing page that was asked for could be read."
    if len(unread):
        says = f"{_many(len(unread), 'listing pages')} could not be read, and what lies behind was not seen: {_page(unread)}."
    return _none_wanted("listings", len(unread), says, complete=complete)


def _left(pages: pl.DataFrame, *, complete: bool) -> Check:
    left = pages.filter(pl.col("status") == "left").sort("url", "reason")
    says = "No page was left."
    if len(left):
        says = f"The walk ended with {_many(len(left), 'pages')} still to read; the first is {_page(left)}."
    return _none_wanted("left", len(left), says, complete=complete)


def _none_wanted(name: str, count: int, says: str, *, complete: bool) -> Check:
    if complete or not count:
        return Check(name=name, passed=not count, found=count, wanted="at most 0", says=says)
    says += " This crawl was not to walk all of its scope, so that does not count."
    return Check(name=name, passed=True, found=count, wanted="anything", says=says)


# What the products have


def _own_coverage(now: "CrawlTables", gate: Gate) -> Iterator[Check]:
    """Name, price and picture: each with a setting of its own."""
    pictured = now.pictures.filter(pl.col("sha256") != "")["product"].unique().to_list()
    for name, has, what, least in (
        ("names", _has("name"), "a name", gate.names),
        ("prices", _has("price"), "a price that was understood", gate.prices),
        ("pictured", pl.col("product").is_in(pictured), "a picture", gate.pictured),
    ):
        without = now.products.filter(~has.fill_null(value=False)).sort("product", "price_as_given")
        rest = f" The first without: {_plain(without['product'][0])}" if len(without) else ""
        if rest and name == "prices":
            rest += f" (given {_quoted(given)})" if (given := without["price_as_given"][0]) else " (none given)"
        part, whole = len(now.products) - len(without), len(now.products)
        yield _at_least(name, part, whole, _exact(least), ("products", f"came with {what}"), rest and f"{rest}.")


def _coverage(now: pl.DataFrame, before: pl.DataFrame | None, gate: Gate) -> Iterator[Check]:
    """All other fields: how far they may fall depends on what they were."""
    for field, what in FIELDS.items():
        name, part, whole = f"coverage: {field}", _having(now, field), len(now)
        if before is None or before.is_empty():
            says = f"{_percent(_share(part, whole))} of {_many(whole, 'products')} came with {what}; {NO_EARLIER}."
            yield Check(name=name, passed=True, found=float(_share(part, whole)), wanted="anything", says=says)
            continue
        was = _share(_having(before, field), len(before))
        least = max(was - _exact(gate.fall), Fraction(0))
        rest = f" In the last good crawl it was {_percent(was)}."
        yield _at_least(name, part, whole, least, ("products", f"came with {what}"), rest)


def _having(products: pl.DataFrame, field: str) -> int:
    return len(products.filter(_has(field)))


def _has(field: str) -> pl.Expr:
    return pl.col(field).is_not_null() if field in NUMBERS else pl.col(field) != ""


def _odd(now: "CrawlTables", gate: Gate) -> Check:
    """Items of pages that could not be read, among them and the products that could."""
    odd, whole, most = len(now.odd), len(now.odd) + len(now.products), _exact(gate.odd)
    share = Fraction(odd, max(whole, 1))
    says = f"{_percent(share, up=True)} of {_many(whole, 'items')} could not be read; at most {_percent(most)} may."
    if odd:
        says += f" What went wrong: {_reasons(now.odd)}."
    return Check(name="odd", passed=share <= most, found=float(share), wanted=f"at most {float(most):.4g}", says=says)


def _twice(now: "CrawlTables", gate: Gate) -> Check:
    """Products that another id, the first of its kind, already stands for."""
    shown = (
        now.pictures.filter(pl.col("sha256") != "")
        .group_by("product")
        .agg(pl.col("sha256").unique().sort())
        .with_columns(shown=pl.col("sha256").list.join(","))
    )
    products = now.products.join(shown.select("product", "shown"), on="product", how="left")
    same_page = _again(products.filter(pl.col("url") != ""), ("style", "color", "url"), "style, color and address")
    same_look = _again(
        products.filter((pl.col("name") != "") & pl.col("shown").is_not_null()),
        ("name", "brand", "color", "shown"),
        "name, brand, color and pictures",
    )
    again = pl.concat([same_page, same_look]).sort("product", "first", "same")
    extra, whole, most = again["product"].n_unique(), len(products), _exact(gate.twice)
    share = Fraction(extra, max(whole, 1))
    says = (
        f"{_percent(share, up=True)} of {_many(whole, 'products')} came before under another id; "
        f"at most {_percent(most)} may."
    )
    if extra:
        product, first, same = again.row(0)
        says += f" The first: {_plain(product)} is {_plain(first)}, by {same}."
    return Check(name="twice", passed=share <= most, found=float(share), wanted=f"at most {float(most):.4g}", says=says)


def _again(products: pl.DataFrame, by: Sequence[str], same: str) -> pl.DataFrame:
    """Each product but the first of those that are alike in `by`, with that first one."""
    first = products.with_columns(first=pl.col("product").min().over(by))
    return first.filter(pl.col("product") != pl.col("first")).select("product", "first", same=pl.lit(same))


def _pictures(now: "CrawlTables", gate: Gate) -> Check:
    """Of each product as many pictures as its pages tell, or as were asked for where these are more."""
    asked = now.pictures.group_by("product").agg(asked=pl.len().cast(pl.Int64))
    each = now.products.select("product", "told").join(asked, on="product", how="full", coalesce=True)
    told = int(each.select(pl.max_horizontal("told", "asked").sum()).item())
    failed = now.pictures.filter(pl.col("sha256") == "").sort("url", "reason")
    came, never = len(now.pictures) - len(failed), told - len(now.pictures)
    wrong = [_reasons(failed)] if len(failed) else []
    wrong += [f"told and never asked for ({never:,})"] if never else []
    rest = f" What went wrong: {', '.join(wrong)}." if wrong else ""
    return _at_least("pictures", came, told, _exact(gate.pictures), ("pictures", "came and could be decoded"), rest)


# Shares and words


def _at_least(name: str, part: int, whole: int, least: Fraction, words: tuple[str, str], rest: str) -> Check:
    """`words` are the things that are counted, and what a share of them does."""
    share, (things, do) = _share(part, whole), words
    says = f"{_percent(share)} of {_many(whole, things)} {do}; {_percent(least, up=True)} are wanted.{rest}"
    if not whole:
        says = f"There are no {things} to judge."
    wanted = f"at least {float(least):.4g}"
    return Check(name=name, passed=share >= least, found=float(share), wanted=wanted, says=says)


def _share(part: int, whole: int) -> Fraction:
    return Fraction(part, whole) if whole else Fraction(1)  # where there is nothing, nothing is missing


def _exact(setting: float) -> Fraction:
    """A setting as it was written: 0.1 is a tenth."""
    return Fraction(str(setting))


def _percent(share: Fraction, *, up: bool = False) -> str:
    tenths = (ceil if up else floor)(share * 1000)
    return f"{tenths / 10:g} %"


def _many(count: int, things: str) -> str:
    return f"{count:,} {things.removesuffix('s') if count == 1 else things}"


def _reasons(failed: pl.DataFrame) -> str:
    counted = failed.group_by("reason").len().sort(["len", "reason"], descending=[True, False])
    told = [f"{_plain(reason) or 'no reason told'} ({count:,})" for reason, count in counted.head(SHOWN).iter_rows()]
    others = counted["len"][SHOWN:].sum()
    return ", ".join([*told, f"others ({others:,})"] if others else told)


def _page(pages: pl.DataFrame) -> str:
    """The first of these pages, and why it is among them."""
    url, reason = pages.select("url", "reason").row(0)
    return f"{_plain(url)} ({_plain(reason)})" if reason else _plain(url)


def _plain(given: str | None) -> str:
    """A shop's own words as a sentence may hold them: one line, not endless."""
    return "".join(sign if sign.isprintable() else "?" for sign in (given or "")[:LONGEST])


def _quoted(given: str) -> str:
    return repr(given[:LONGEST])
