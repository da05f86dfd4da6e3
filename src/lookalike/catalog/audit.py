"""What is wrong with a data set version, found by looking at it afresh.

In: a version and a way to its pictures' bytes. Out: an `Audit` of plain tables. Never: trusts the splits' own record of
what is tied to what (fingerprints are taken again from the bytes), changes the version, or raises for what it finds.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import polars as pl

from lookalike.catalog import images, suspects
from lookalike.catalog.nearness import ENOUGH, fingerprint, near_duplicates, shows_nothing
from lookalike.catalog.product import RowError
from lookalike.catalog.versions import DataSet
from lookalike.settings import PlaceError

Read = Callable[[str], bytes]  # the original bytes of a picture, by its sha256

LEAKS = dict.fromkeys(
    ("tie", "first", "second", "first_product", "second_product", "first_split", "second_split"), pl.String
)
PAIRS = {
    **dict.fromkeys(("relation", "kind"), pl.String),
    "distance": pl.Float64,
    **dict.fromkeys(("first", "second", "first_product", "second_product", "first_split", "second_split"), pl.String),
}
UNREADABLE = dict.fromkeys(("image", "product", "split", "reason", "text", "source"), pl.String)
RELATIONS = ("another product", "same style", "same product")  # of two near-duplicate pictures, the gravest first
THREADS = 4  # the decoder works outside of Python's lock


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What was found. Pictures go by the name that the version gives them, "<product>#<n>"; `pictures` has them all."""

    label: str  # the version
    pictures: pl.DataFrame  # image product split style brand category color name price sha256: what findings refer to
    leaking: pl.DataFrame  # what is tied by product, style or photograph and lies in two splits
    pairs: pl.DataFrame  # near-duplicate pictures, the gravest relation first
    unreadable: pl.DataFrame  # missing, altered or undecodable files
    suspects: pl.DataFrame  # labels to look at: kind, first, second, text
    singletons: pl.DataFrame  # products of one picture, and whether a style mate can be their twin
    balance: pl.DataFrame  # category split products pictures
    set_aside: pl.DataFrame  # reason rows example: what the import did not take

    @property
    def leaks(self) -> int:
        """How many ties run across splits."""
        return len(self.leaking)

    @property
    def ok(self) -> bool:
        """Whether a figure measured on this version can be trusted: no leak."""
        return self.leaks == 0

    def tables(self) -> dict[str, pl.DataFrame]:
        """The findings by name, as a caller may write them out in full."""
        names = ("leaking", "pairs", "unreadable", "suspects", "singletons", "balance", "set_aside")
        return {name: getattr(self, name) for name in names}


def audit(
    dataset: DataSet, read: Read, *, progress: Callable[[int], None] | None = None, threads: int = THREADS
) -> Audit:
    """Read every picture of the version again and list what is wrong; `progress` is told of each picture done."""
    pictures = _pictures(dataset)
    seen = _look_at_all(pictures["sha256"].unique(maintain_order=True).to_list(), read, progress, threads)
    sound = pictures.filter(pl.col("sha256").is_in([key for key, found in seen.items() if isinstance(found, bytes)]))
    prints = [found for key in sound["sha256"] if isinstance(found := seen[key], bytes)]
    pairs = _pairs(sound, prints)
    blank = [image for image, one in zip(sound["image"], prints, strict=True) if shows_nothing(one)]
    return Audit(
        label=dataset.label,
        pictures=pictures.drop("source"),
        leaking=_leaks(dataset, pictures, pairs),
        pairs=pairs,
        unreadable=_unreadable(pictures, seen),
        suspects=suspects.find(dataset.products, sound, prints, pairs, blank),
        singletons=_singletons(dataset.products, pictures),
        balance=_balance(pictures),
        set_aside=_reasons(dataset.set_aside),
    )


def _pictures(dataset: DataSet) -> pl.DataFrame:
    """One row a picture, with what a reader wants to know of its product."""
    known = dataset.products.select(
        "product", "shop", "style", "brand", "category", "color", "name", "price", "currency"
    )
    seen = dataset.views.select("image", "product", "view", "split", "sha256", "source")
    return seen.join(known, on="product", how="left", maintain_order="left").with_columns(
        # the same number may name another style in another shop
        style_key=pl.when(pl.col("style") != "").then(pl.col("shop") + ":" + pl.col("style")).otherwise(pl.lit(""))
    )


def _table(rows: Sequence[Mapping[str, Any]], schema: Mapping[str, Any]) -> pl.DataFrame:
    """Rows that may hold more than the schema names, as a table of just these columns."""
    return pl.DataFrame([{name: row[name] for name in schema} for row in rows], schema=schema)


# Pictures


def _look_at_all(
    keys: Sequence[str], read: Read, progress: Callable[[int], None] | None, threads: int
) -> dict[str, bytes | RowError]:
    """The fingerprint of every picture, or what is wrong with it."""
    with ThreadPoolExecutor(threads) as pool:
        seen = {}
        for key, found in zip(keys, pool.map(partial(_look, read=read), keys), strict=True):
            seen[key] = found
            if progress:
                progress(1)
    return seen


def _look(sha256: str, *, read: Read) -> bytes | RowError:
    try:
        data = read(sha256)
        if (found := hashlib.sha256(data).hexdigest()) != sha256:
            return RowError("altered", f"its bytes have the sha256 {found[:12]}…, not {sha256[:12]}…: restore the file")
        return fingerprint(images.decode(data, at_least=ENOUGH))
    except PlaceError:  # nobody answers: what is there is not known
        raise
    except OSError as wrong:
        return RowError("missing", f"cannot be read: {wrong.strerror or wrong}")
    except RowError as wrong:
        return wrong


def _unreadable(pictures: pl.DataFrame, seen: Mapping[str, bytes | RowError]) -> pl.DataFrame:
    rows = [
        {**row, "reason": fault.reason, "text": str(fault)}
        for row in pictures.select("image", "product", "split", "source", "sha256").to_dicts()
        if isinstance(fault := seen[row["sha256"]], RowError)
    ]
    return _table(rows, UNREADABLE)


def _pairs(sound: pl.DataFrame, prints: Sequence[bytes]) -> pl.DataFrame:
    """Every pair of near-duplicate pictures, other products first, then the nearest."""
    rows = sound.to_dicts()
    found = [
        {
            **_both(rows[pair.first], rows[pair.second]),
            "relation": _relation(rows[pair.first], rows[pair.second]),
            "kind": "same_file" if rows[pair.first]["sha256"] == rows[pair.second]["sha256"] else pair.kind,
            "distance": round(pair.distance, 3),
        }
        for pair in near_duplicates(prints)
    ]
    found.sort(key=lambda row: (RELATIONS.index(row["relation"]), row["distance"], row["first"], row["second"]))
    return _table(found, PAIRS)


def _both(first: Mapping[str, str], second: Mapping[str, str]) -> dict[str, str]:
    named = {"first": first["image"], "second": second["image"]}
    for column in ("product", "split"):
        named |= {f"first_{column}": first[column], f"second_{column}": second[column]}
    return named


def _relation(first: Mapping[str, str], second: Mapping[str, str]) -> str:
    if first["product"] == second["product"]:
        return "same product"
    return "same style" if first["style_key"] == second["style_key"] != "" else "another product"


# Splits


def _leaks(dataset: DataSet, pictures: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """Ties across splits: a product or style with pictures in two of them, and near-duplicate pictures in two."""
    told = dataset.products.select("product", own_split="split")
    apart = pictures.join(told, on="product", how="left").filter(pl.col("split") != pl.col("own_split"))
    rows = [{**_both(row, row | {"split": row["own_split"]}), "tie": "product"} for row in apart.to_dicts()]
    rows += _in_two_splits(pictures, "product") + _in_two_splits(pictures, "style_key")
    picture = pairs.filter((pl.col("first_split") != pl.col("second_split")) & _both_split()).to_dicts()
    rows += [row | {"tie": "photograph"} for row in picture]
    return _table(rows, LEAKS).unique(maintain_order=True)


def _both_split() -> pl.Expr:
    return (pl.col("first_split") != "") & (pl.col("second_split") != "")


def _in_two_splits(pictures: pl.DataFrame, key: str) -> list[dict[str, str]]:
    """One row for each further split in which a product or style has a picture: it, and one of the first split."""
    of_each = pictures.filter((pl.col(key) != "") & (pl.col("split") != "")).unique(
        [key, "split"], keep="first", maintain_order=True
    )
    rows = []
    for group in of_each.filter(pl.len().over(key) > 1).partition_by(key, maintain_order=True):
        first, *others = group.to_dicts()
        rows += [{**_both(first, other), "tie": key.removesuffix("_key")} for other in others]
    return rows


# Counts


def _singletons(products: pl.DataFrame, pictures: pl.DataFrame) -> pl.DataFrame:
    """Products of one picture; `style_mates` counts the products of their style that may serve as a twin by style."""
    counted = pictures.group_by("product").agg(pictures=pl.len(), style_key=pl.first("style_key"))
    mates = counted.filter(pl.col("style_key") != "").group_by("style_key").agg(style_mates=pl.len() - 1)
    return (
        products.select("product", "split", "category", "style")
        .join(counted.filter(pl.col("pictures") == 1), on="product")
        .join(mates, on="style_key", how="left")
        .select("product", "split", "category", "style", pl.col("style_mates").fill_null(0).cast(pl.Int64))
        .sort("product")
    )


def _balance(pictures: pl.DataFrame) -> pl.DataFrame:
    """Products and pictures of every category in every split, the largest category first."""
    counted = pictures.group_by("category", "split").agg(products=pl.n_unique("product"), pictures=pl.len())
    total = pl.col("products").sum().over("category")
    return counted.sort(total, "category", "split", descending=[True, False, False])


def _reasons(set_aside: pl.DataFrame) -> pl.DataFrame:
    """How many rows the import set aside, by reason, with one of the texts."""
    return (
        set_aside.group_by("reason")
        .agg(rows=pl.len(), example=pl.first("text"))
        .sort("rows", "reason", descending=[True, False])
    )
