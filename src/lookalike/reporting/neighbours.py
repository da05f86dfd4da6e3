"""Who was taken for whom: queries and their nearest pictures, side by side.

In: the per-query table, and a way to see a picture by its id. Out: a PNG. Never: searches or decodes.
"""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from PIL import Image, ImageDraw, ImageFont

TILE, GAP, SHOWN = 112, 10, 5
TWIN, STRANGER, INK, PALE = (34, 139, 84), (200, 60, 60), (30, 30, 30), (120, 120, 120)


def chosen(table: pl.DataFrame, *, each: int = 5, seed: int = 0) -> list[tuple[str, pl.DataFrame]]:
    """The best, the worst and some random queries of a per-query table, each row one query."""
    ordered = table.sort(["rank", "score", "image"], descending=[False, True, False])
    return [
        ("Found first, most surely", _apart(ordered, each)),
        ("Drawn at random", table.sort("image").sample(min(each, len(table)), seed=seed)),
        ("Found last", _apart(ordered.reverse(), each)),
    ]


def _apart(ordered: pl.DataFrame, most: int) -> pl.DataFrame:
    """The first queries, one of a style (or product, where no style is told): what comes after it looks like it."""
    alike = pl.when(pl.col("style").fill_null("") != "").then(pl.col("style")).otherwise(pl.col("product"))
    return ordered.sort(pl.int_range(pl.len()).over(alike), maintain_order=True).head(most)


def neighbours(
    table: pl.DataFrame, picture: Callable[[str], np.ndarray], twins: Callable[[str, str], bool], *, each: int = 5
) -> bytes:
    """A PNG: a query on the left of each row, its nearest to the right, twins framed green and strangers red.

    picture: image id -> (S, S, 3) uint8; twins: whether two image ids are twins.
    """
    groups = [(title, rows) for title, rows in chosen(table, each=each) if len(rows)]
    height = GAP + sum(28 + len(rows) * (TILE + GAP + 14) for _, rows in groups)
    sheet = Image.new("RGB", (GAP + (SHOWN + 1) * (TILE + GAP) + 3 * GAP, height), "white")
    pen = ImageDraw.Draw(sheet)
    top = GAP
    for title, rows in groups:
        pen.text((GAP, top), title, INK, ImageFont.load_default(15))
        top += 28
        for row in rows.iter_rows(named=True):
            _draw_row(sheet, pen, top, row, picture, twins)
            top += TILE + GAP + 14
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _draw_row(
    sheet: Image.Image,
    pen: ImageDraw.ImageDraw,
    top: int,
    row: dict[str, Any],
    picture: Callable[[str], np.ndarray],
    twins: Callable[[str, str], bool],
) -> None:
    query, nearest = row["image"], row["nearest"]
    _paste(sheet, picture(query), GAP, top)
    pen.text((GAP, top + TILE + 1), f"first twin at rank {row['rank']}", PALE, ImageFont.load_default(10))
    for place, other in enumerate(nearest[:SHOWN]):
        left = GAP + (place + 1) * (TILE + GAP) + 2 * GAP
        _paste(sheet, picture(other), left, top)
        frame = TWIN if twins(query, other) else STRANGER
        pen.rectangle((left - 2, top - 2, left + TILE + 1, top + TILE + 1), outline=frame, width=2)
        pen.text((left, top + TILE + 1), other[:20], PALE, ImageFont.load_default(10))


def _paste(sheet: Image.Image, pixels: np.ndarray, left: int, top: int) -> None:
    sheet.paste(Image.fromarray(pixels).resize((TILE, TILE), Image.Resampling.BICUBIC), (left, top))
