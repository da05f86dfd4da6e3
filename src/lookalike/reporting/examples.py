"""Queries with the pictures that they were given: what is usual, the misses of each cause, and where two runs differ. Pure.

In: the squares and labels of a split, the per-query table. Out: a `Group` a kind. Never: decodes, searches or settles a cause.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import polars as pl

from lookalike.reporting.failures import CAUSES
from lookalike.reporting.neighbours import chosen
from lookalike.reporting.report_page import Asked, Group, Shown
from lookalike.reporting.tiles import tile

SHOWN: Final = 5  # neighbours of a query
FEW: Final = 2  # of them, where two runs stand side by side


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The pictures of a split: how they look, and what makes twins of them."""

    table: pl.DataFrame  # a row a picture
    squares: np.ndarray  # (N, S, S, 3), in the table's order
    labels: Sequence[str]  # likewise
    row_of: Mapping[str, int]  # by image


def _shown(seen: Seen, image: str, asked: str = "") -> Shown:
    """A picture; beside a query, whether it is its twin."""
    row = seen.table.row(seen.row_of[image], named=True)
    words = " · ".join(filter(None, (row["color"], row["view"], row["brand"])))
    alike = seen.labels[seen.row_of[image]] == seen.labels[seen.row_of[asked]] if asked else False
    return Shown(
        image=image,
        source=tile(seen.squares[seen.row_of[image]], side=112),
        caption=words or row["product"],
        sign="" if not asked else "twin" if alike else "stranger",
    )


def _asked(seen: Seen, row: Mapping[str, Any], says: str, most: int = SHOWN) -> Asked:
    query = row["image"]
    given = tuple(_shown(seen, one, query) for one in row["nearest"][:most])
    return Asked(query=_shown(seen, query), given=given, says=says)


def gallery(seen: Seen, queries: pl.DataFrame, *, most: int, seed: int) -> tuple[Group, ...]:
    """The best, the worst and some random queries with their nearest. queries: the per-query table."""
    missed = bool((queries["rank"] > 1).any())
    says = {
        "Found first, most surely": "the easiest",
        "Drawn at random": "what is usual",
        "Found last": "the worst" if missed else "every query found a twin first; these most narrowly",
    }
    return tuple(
        Group(
            title=title,
            says=says[title],
            asked=tuple(_asked(seen, row, _ranked(row)) for row in rows.iter_rows(named=True)),
            total=len(rows),
        )
        for title, rows in chosen(queries, each=most, seed=seed)
    )


def _ranked(row: Mapping[str, Any]) -> str:
    twins = f"{row['twins']} twin{'s' * (row['twins'] != 1)} in the gallery"
    return f"{row['image']}: first twin at rank {row['rank']}, {twins}"


def missed(seen: Seen, found: pl.DataFrame, *, most: int, seed: int) -> dict[str, Group]:
    """Some misses of each cause, drawn at random: the query, the stranger that was nearest, the nearest twin."""
    groups = {}
    for cause in CAUSES:
        of = found.filter(pl.col("cause") == cause.name)
        asked = tuple(_missed(seen, row) for row in _some(of, most, seed).iter_rows(named=True))
        groups[cause.name] = Group(title=cause.title, says=cause.says, asked=asked, total=len(of))
    return groups


def _missed(seen: Seen, row: Mapping[str, Any]) -> Asked:
    given = [_shown(seen, one, row["image"]) for one in (row["stranger"], row["twin"]) if one]
    ranked = f"its nearest twin at rank {row['rank']}"
    return Asked(query=_shown(seen, row["image"]), given=tuple(given), says=f"{row['because']}; {ranked}.")


def turned(seen: Seen, both: pl.DataFrame, *, most: int, seed: int) -> tuple[Group, Group]:
    """The queries that another run found first and this one did not, and the other way round.

    both: a row a query, with the other run's `rank_there` and `nearest_there`.
    """
    broken = both.filter((pl.col("rank") > 1) & (pl.col("rank_there") == 1))
    mended = both.filter((pl.col("rank") == 1) & (pl.col("rank_there") > 1))
    told = (
        ("Newly broken", "found first by the other run, and not by this one", broken),
        ("Newly mended", "found first by this run, and not by the other", mended),
    )
    first, second = (
        Group(
            title=f"{title} {len(rows):,}",
            says=says,
            asked=tuple(_both(seen, row) for row in _some(rows, most, seed).iter_rows(named=True)),
            total=len(rows),
        )
        for title, says, rows in told
    )
    return first, second


def _some(rows: pl.DataFrame, most: int, seed: int) -> pl.DataFrame:
    """Some rows, drawn at random."""
    return rows.sample(min(most, len(rows)), seed=seed, shuffle=True) if len(rows) else rows


def _both(seen: Seen, row: Mapping[str, Any]) -> Asked:
    says = f"{row['image']}: first twin at rank {row['rank']} here, {row['rank_there']} there"
    there = tuple(_shown(seen, one, row["image"]) for one in row["nearest_there"][:FEW])
    return replace(_asked(seen, row, says, FEW), there=there)
