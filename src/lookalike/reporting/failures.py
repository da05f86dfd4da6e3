"""Why a query was not found first: each miss is given the first cause that fits, the surest first.

In: the per-query table, and facts of pictures (labels, doubts, copies, poor ones, views learnt together). Out: a table with a
row a miss, and counts. Never: looks at a picture or searches.

A cause is a circumstance and no proof: where the nearest stranger has the query's brand, the brand need not be what
misled. So each cause also tells how many misses it fits at all, and how many strangers it would fit by chance.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

Picture = Mapping[str, Any]  # image product style brand view label poor
Pairs = frozenset[frozenset[str]]

FOUND: Final[dict[str, Any]] = {
    **dict.fromkeys(("image", "cause"), pl.String),
    "fits": pl.List(pl.String),
    **dict.fromkeys(("because", "stranger", "twin"), pl.String),
    "rank": pl.Int64,
}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of the pictures that ask and answer."""

    match: str  # what makes twins
    pictures: Mapping[
        str, Picture
    ]  # by image; `label` is its value of match, `poor` says what is wrong with it, "" nothing
    twins: Mapping[str, Sequence[str]]  # of each query, those in its gallery, the nearest first
    copies: Pairs  # of images that are one photograph
    doubts: Mapping[frozenset[str], str]  # what an audit says of one image, or of two together
    together: Pairs | None  # views of one label that train has shown; None where views are not told


@dataclass(frozen=True, kw_only=True)
class Miss:
    """A query that is not found first, who was nearest instead, and who should have been."""

    query: Picture
    stranger: Picture
    twins: tuple[Picture, ...]
    facts: Facts


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One way to be missed. `fits` answers with a sentence, "" where it does not fit."""

    name: str
    title: str
    says: str
    fits: Callable[[Miss], str]
    column: str = ""  # where the stranger merely shares a value with the query: a chance that can be told


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many misses have a cause."""

    cause: Cause
    first: int  # misses that it explains, being the first that fits
    fits: int  # misses that it fits at all
    misses: int
    chance: float | None  # the share of a miss's strangers that it would fit, taken at random

    @property
    def share(self) -> float:
        """Of all misses."""
        return self.first / self.misses if self.misses else 0.0

    def told(self) -> dict[str, Any]:
        """As report.json holds it."""
        return {"misses": self.first, "share": self.share, "fits": self.fits, "by_chance": self.chance}


def _copied(miss: Miss) -> str:
    """The stranger is the query's own photograph, or a twin's."""
    for one in (miss.query, *miss.twins):
        if frozenset({one["image"], miss.stranger["image"]}) in miss.facts.copies:
            whose = "the query" if one is miss.query else f"its twin {one['image']}"
            return f"{miss.stranger['image']} is the same photograph as {whose}"
    return ""


def _doubted(miss: Miss) -> str:
    """An audit doubts a label of the two, or the two labels are spellings of one."""
    pair = (miss.query["image"], miss.stranger["image"])
    one, two = miss.query["label"], miss.stranger["label"]
    if one != two and _plain(one) == _plain(two):
        return f"{miss.facts.match} is written {one!r} and {two!r}"
    keys = (frozenset(pair), frozenset(pair[:1]), frozenset(pair[1:]))
    return next((miss.facts.doubts[key] for key in keys if key in miss.facts.doubts), "")


def _plain(label: str) -> str:
    return " ".join(label.casefold().replace("_", " ").replace("-", " ").split())


def _poor(miss: Miss) -> str:
    """Little can be seen on the query, or on any of its twins."""
    if miss.query["poor"]:
        return f"the query is {miss.query['poor']}"
    if miss.twins and all(twin["poor"] for twin in miss.twins):
        return f"each of its twins is {' or '.join(sorted({twin['poor'] for twin in miss.twins}))}"
    return ""


def _same(column: str, words: str) -> Callable[[Miss], str]:
    def fits(miss: Miss) -> str:
        if miss.facts.match == column:  # there the stranger would be a twin
            return ""
        value = miss.query[column]
        return f"{words} {value}" if value and value == miss.stranger[column] else ""

    return fits


def _never_together(miss: Miss) -> str:
    """No twin is of a view that train has shown beside the query's, of one label."""
    views = sorted({twin["view"] for twin in miss.twins})
    if miss.facts.together is None or not miss.query["view"] or not all(views):
        return ""
    if any(frozenset({miss.query["view"], view}) in miss.facts.together for view in views):
        return ""
    return f"train never shows {miss.query['view']} beside {' or '.join(views)}"


def _other_view(miss: Miss) -> str:
    """Every twin is of another view, and the stranger is not."""
    views = sorted({twin["view"] for twin in miss.twins})
    if not miss.query["view"] or miss.query["view"] in views or miss.stranger["view"] != miss.query["view"]:
        return ""
    return (
        f"both are {miss.query['view']}; the twins are {' or '.join(filter(None, views)) or 'of no view that is told'}"
    )


UNEXPLAINED: Final = Cause(
    name="unexplained",
    title="Unexplained",
    says="None of the above: what the network itself does not see.",
    fits=lambda _: "no other cause fits",
)
CAUSES: Final = (
    Cause(
        name="near_duplicate",
        title="Near-duplicate stranger",
        says="By its fingerprint the nearest stranger is the same photograph as the query or a twin: no network can be right.",
        fits=_copied,
    ),
    Cause(
        name="label_suspect",
        title="Label suspect",
        says="An audit doubts a label of the two: other colors within a product, one name for two products, two spellings.",
        fits=_doubted,
    ),
    Cause(
        name="poor_picture",
        title="Poor picture",
        says="The query, or each of its twins, is too small, blurred or nearly empty.",
        fits=_poor,
    ),
    Cause(
        name="same_style",
        title="Same style, other color",
        says="The nearest stranger is another colorway of the same style.",
        fits=_same("style", "both are of style"),
        column="style",
    ),
    Cause(
        name="same_brand",
        title="Same brand",
        says="The nearest stranger is of the same brand, and of another style.",
        fits=_same("brand", "both are by"),
        column="brand",
    ),
    Cause(
        name="views_never_together",
        title="Views never seen together",
        says="While learning, the query's view was never shown beside a view of any of its twins.",
        fits=_never_together,
    ),
    Cause(
        name="other_view",
        title="Other view",
        says="The nearest stranger is of the query's view, and all its twins are of others.",
        fits=_other_view,
    ),
    UNEXPLAINED,
)


def causes(queries: pl.DataFrame, facts: Facts) -> pl.DataFrame:
    """A row a miss, in the order of the queries: its cause, why, all that fit, the nearest stranger and the nearest twin."""
    missed = queries.filter((pl.col("rank") > 1) & (pl.col("nearest_strangers").list.len() > 0))
    return pl.DataFrame([_told(row, facts) for row in missed.iter_rows(named=True)], schema=FOUND)


def counted(found: pl.DataFrame, facts: Facts, gallery: Sequence[str]) -> tuple[Count, ...]:
    """How many misses each cause has, in the order of the causes."""
    first, fits = found["cause"].to_list(), found["fits"].explode().to_list()
    return tuple(
        Count(
            cause=cause,
            first=first.count(cause.name),
            fits=fits.count(cause.name),
            misses=len(found),
            chance=_chance(cause.column, found["image"].to_list(), facts, gallery),
        )
        for cause in CAUSES
    )


def _told(row: Mapping[str, Any], facts: Facts) -> dict[str, Any]:
    twins, stranger = facts.twins.get(row["image"], ()), row["nearest_strangers"][0]
    miss = Miss(
        query=facts.pictures[row["image"]],
        stranger=facts.pictures[stranger],
        twins=tuple(facts.pictures[twin] for twin in twins),
        facts=facts,
    )
    fits = dict(_fitting(miss)) or {UNEXPLAINED.name: UNEXPLAINED.fits(miss)}
    cause, because = next(iter(fits.items()))
    told = {"image": row["image"], "cause": cause, "fits": list(fits), "because": because}
    return {**told, "stranger": stranger, "twin": next(iter(twins), ""), "rank": row["rank"]}


def _fitting(miss: Miss) -> Iterator[tuple[str, str]]:
    for cause in CAUSES:
        if cause is not UNEXPLAINED and (because := cause.fits(miss)):
            yield cause.name, because


def _chance(column: str, missed: Sequence[str], facts: Facts, gallery: Sequence[str]) -> float | None:
    """The share of strangers that have the query's value of a column, a mean over the misses; None where it says nothing."""
    if not column or column == facts.match or not missed:
        return None
    there = pl.DataFrame([{name: facts.pictures[one][name] for name in ("label", column)} for one in gallery])
    labels = dict(there["label"].value_counts().iter_rows())
    values = dict(there[column].value_counts().iter_rows())
    both = {(label, value): count for label, value, count in there.group_by("label", column).len().iter_rows()}
    shares: list[float] = []
    for image in missed:
        label, value = facts.pictures[image]["label"], facts.pictures[image][column]
        alike = values.get(value, 0) - both.get((label, value), 0) if value else 0
        shares.append(alike / max(1, len(gallery) - labels.get(label, 0)))
    return sum(shares) / len(shares)
