"""`lookalike catalog`: what is in the catalog, how the last crawls went, what changed in price; and one product."""

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import partial
from pathlib import Path

import polars as pl
from rich.markup import escape

from lookalike import files
from lookalike.catalog import pictures
from lookalike.catalog.crawl import PriceChange
from lookalike.catalog.crawls import Crawls
from lookalike.catalog.presence import presence, products_of, shelf
from lookalike.catalog.product import Product
from lookalike.catalog.store import Key, Store, open_store
from lookalike.cli import places, show
from lookalike.reporting import catalog_page, product_page
from lookalike.reporting.catalog_page import Arrival, Overview, Tally
from lookalike.reporting.product_page import Colorway
from lookalike.settings import Catalog, DataError, Paths

ON_PAGE = 200  # price changes
ROWS = 8  # of a table on the terminal
NAMED = 5  # near names in a sentence
LONGEST_NAME = 60  # characters of a page's name that tell which product it is


def run(settings: Catalog) -> int:
    """Say what is there, or show what was asked for; leave a page. To look is not to make: a file must be there."""
    file = Path(settings.catalog.removeprefix("sqlite:///"))
    if settings.catalog.startswith("sqlite:///") and not file.is_file():
        raise DataError(f"there is no catalog at {file}; give the address of one, or leave catalog= out for your own")
    with open_store(places.catalog(settings)) as store:
        return _show(settings, store) if settings.show else _overview(settings, store)


def reports(paths: Paths) -> Path:
    """Where the pages lie."""
    return Path(paths.data) / "reports"


def _overview(settings: Catalog, store: Store) -> int:
    told = _contents(store, settings.of, max(ON_PAGE, settings.changes))
    page = reports(settings.paths) / "catalog.html"
    files.write_text(page, catalog_page.render(told))
    _say(told, settings.changes)
    show.facts("look at", {"page": page})
    verdict = catalog_page.verdict(told)
    show.out.print(
        f"{verdict['head']}. {verdict['text']}", markup=False, style="red" if verdict["level"] == "bad" else ""
    )
    return 0


def _contents(store: Store, asked: str, changes: int) -> Overview:
    """All that the page tells. Of one shop its crawls alone: an import's record does not say which shop it filled."""
    crawls = Crawls(store).all()
    everything = shelf(store)
    shop = _shop(asked, {*everything["shop"], *(one.shop for one in crawls)}, store.name)
    return Overview(
        where=store.name,
        made=datetime.now(UTC),
        shop=shop,
        shelf=everything.filter(pl.col("shop") == shop) if shop else everything,
        arrivals=catalog_page.arrivals(
            [one for one in crawls if shop in ("", one.shop)], [] if shop else store.imports()
        ),
        changes=store.price_changes(shop=shop, limit=changes),
        set_aside=None if shop else store.counts().set_aside,
    )


def _shop(asked: str, known: set[str], where: str) -> str:
    """The shop as the catalog writes it. A capital more or less does not matter."""
    named = sorted(filter(None, known))
    found = next((one for one in named if one == asked), None)
    found = found or next((one for one in named if one.casefold() == asked.casefold()), None)
    if asked and found is None:
        there = f"it has {', '.join(named)}" if named else "it has none yet"
        raise DataError(
            f"{where}: there is no shop {asked!r} in this catalog; {there}. Give of= one of those, or none."
        )
    return found or ""


# On the terminal


def _say(told: Overview, changes: int) -> None:
    for by in ("shop", "brand", "category"):
        if len(told.shelf):
            columns = (by, "products", "of these gone", "without a picture", "views a product")
            show.table(f"by {by}", columns, [_row(one) for one in catalog_page.tally(told.shelf, by, ROWS)])
    if told.arrivals:
        show.out.print("[bold]crawls and imports, newest first (UTC)[/bold]")
        for one in told.arrivals[:ROWS]:
            _say_arrival(one)
        show.out.print()
    if told.changes and changes:
        titles = ("seen (UTC)", "product", "before -> after", "change")
        show.table("price changes, newest first", titles, [_changed(one) for one in told.changes[:changes]])


def _row(one: Tally) -> tuple[str | int, ...]:
    return one.name, one.products, one.gone, one.no_picture, f"{one.views:.1f}"


def _say_arrival(one: Arrival) -> None:
    what = f"{one.kind} of {one.source}" if one.source else one.kind
    counts = f": {one.told}" if one.told else ""
    show.out.print(f"  {one.started:%Y-%m-%d %H:%M}  {one.status:<9}  {what}{counts}", markup=False)
    for note in one.notes:
        show.out.print(f"{'':31}{note}", markup=False)


def _changed(one: PriceChange) -> tuple[str, ...]:
    cost = f"{one.before:,f} -> {catalog_page.money(one.after, one.currency)}"
    return f"{one.seen:%Y-%m-%d}", _named(one.shop, one.product), cost, catalog_page.share(one)


def _named(shop: str, name: str) -> str:
    return f"{shop}:{name}" if shop else name


# One product, or all colorways of a style


def _show(settings: Catalog, store: Store) -> int:
    everything = shelf(store)
    shop = _shop(settings.of, set(everything["shop"]), store.name)
    known = everything.filter(pl.col("shop") == shop) if shop else everything
    keys = find(known, settings.show, store.name)
    shown = [_colorway(store, one) for one in products_of(store, keys)]
    title = (
        shown[0].product.key if len(shown) == 1 else f"style {_named(shown[0].product.shop, shown[0].product.style)}"
    )
    read = partial(pictures.read, places.pictures(settings.paths))
    siblings = _siblings(everything, keys)
    page = reports(settings.paths) / "products" / page_name(title)
    files.write_text(page, product_page.render(title, store.name, shown, siblings, read))
    for one in shown:
        _say_product(one)
    if siblings:
        show.out.print(f"other colorways: {', '.join(siblings)}\n", markup=False)
    show.facts("look at", {"page": page})
    return 0


def _colorway(store: Store, one: Product) -> Colorway:
    key = one.shop, one.product
    return Colorway(product=one, presence=presence(store, *key), prices=store.prices(*key), stocks=store.stocks(*key))


def find(known: pl.DataFrame, asked: str, where: str) -> list[Key]:
    """The products that are meant: by key, by id, by style. Raises DataError where there is none, or no telling which."""
    if known.is_empty():
        raise DataError(f"{where}: the catalog has no product to show. {catalog_page.FILL}")
    for column, many in (("key", False), ("product", False), ("style", True), ("style_key", True)):
        found = _with_keys(known).filter(pl.col(column) == asked)
        if found.is_empty():
            continue
        if (found["shop"].n_unique() if many else len(found)) > 1:
            keys = found["style_key" if many else "key"].unique(maintain_order=True).to_list()
            raise DataError(f"{asked!r} is in several shops; give one of {', '.join(keys)}.")
        return found.select("shop", "product").rows()
    near = _near(known, asked)
    meant = f"Did you mean {', '.join(near)}?" if near else "Give a product's key (shop:id), its id, or a style."
    raise DataError(f"{where}: no product and no style {asked!r} in this catalog. {meant}")


def _with_keys(known: pl.DataFrame) -> pl.DataFrame:
    shop = pl.when(pl.col("shop") == "").then(pl.lit("")).otherwise(pl.col("shop") + ":")
    return known.with_columns(key=shop + pl.col("product"), style_key=shop + pl.col("style"))


def _near(known: pl.DataFrame, asked: str) -> list[str]:
    """Keys that hold what was asked, with its shop or without, or whose product's name does; else what is written alike."""
    keyed = _with_keys(known)
    texts = pl.concat_str("key", "style_key", "name", separator="\n").str.to_lowercase()
    for text in (asked, asked.partition(":")[2]):
        found = keyed.filter(texts.str.contains(text.lower(), literal=True))
        if text and len(found):
            return _few(found)
    return get_close_matches(asked, [*keyed["key"], *keyed["product"], *keyed["style"].unique()], n=NAMED, cutoff=0.7)


def _few(found: pl.DataFrame) -> list[str]:
    keys = found["key"].head(NAMED).to_list()
    more = len(found) - NAMED
    return [*keys, f"or one of {more:,} more"] if more > 0 else keys


def _siblings(everything: pl.DataFrame, keys: Sequence[Key]) -> list[str]:
    """The keys of what shares a style with these and is not among them."""
    told = pl.DataFrame(keys, schema=("shop", "product"), orient="row")
    styles = (
        everything.join(told, on=("shop", "product")).filter(pl.col("style") != "").select("shop", "style").unique()
    )
    same = everything.join(styles, on=("shop", "style")).join(told, on=("shop", "product"), how="anti")
    return _with_keys(same)["key"].to_list()


def page_name(title: str) -> str:
    """A file's name that says which product it is of; two products never share one, whatever signs their ids hold."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-")[:LONGEST_NAME]
    return f"{plain}-{hashlib.sha256(title.encode()).hexdigest()[:8]}.html".lstrip("-")


def _say_product(one: Colorway) -> None:
    product = one.product
    told = product_page.facts(one) | ({"address": product.url} if product.url else {})
    show.facts(escape(product.name or product.key), told)
    if product.attributes:
        show.facts("attributes", dict(sorted(product.attributes.items())))
    if rows := product_page.history(one)[:ROWS]:
        show.table("what was seen, newest first", ("from (UTC)", "price", "stock"), rows)
