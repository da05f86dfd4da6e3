"""An audit as one page: what was found, with the pictures side by side.

In: an `Audit` and a way to its pictures' original bytes. Out: one HTML text that needs no other file and no network.
Never: looks for faults itself, or shows a picture in another way than through the guarded decoder.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lookalike.catalog.audit import RELATIONS, Audit
from lookalike.catalog.suspects import TWO_LABELS
from lookalike.reporting.thumbnail import thumbnail

SHOWN = 24  # findings of a kind on the page; the others are in the tables beside it
SIDE = 200  # pixels of a thumbnail's longer side: shown at half of that, so that it is sharp on a phone
SPLITS = ("train", "val", "test", "")

TIES = {
    "product": "One product lies in two splits",
    "style": "One style lies in two splits",
    "photograph": "One photograph lies in two splits",
}
KINDS = {
    "same_file": "the same file",
    "exact_pixels": "equal pixels",
    "near": "near duplicate",
    "mirrored": "mirrored copy",
}
ADVICE = {
    "another product": "Two products should not share a photograph: one may be a double, or have a wrong picture.",
    "same style": "Colorways of one style with one photograph: at most one of the labels can be right.",
    "same product": "A second copy of a picture is no second view: it makes retrieval look easier than it is.",
}


SUSPICIONS = {
    "pictures of another color": "A product is one colorway: is one of the pictures of another product?",
    "one name, two products": "If they are one style, say so in the column 'style'; else they may be split apart.",
    "odd price": "A slipped decimal point, another currency, or a bargain.",
    "two spellings": "Counted as two values by every slice and stratum.",
    "blank picture": "It teaches nothing, and finds nothing.",
}


@dataclass(frozen=True, kw_only=True)
class Card:
    """One picture and what is known of it."""

    source: str  # a data URI, "" where the picture cannot be shown
    title: str
    split: str
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A sentence, and the pictures that it is about."""

    text: str
    cards: tuple[Card, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Section:
    """Findings of one kind."""

    title: str
    lead: str
    findings: tuple[Finding, ...]
    total: int
    table: str  # the name of the table that has them all

    @property
    def more(self) -> int:
        """How many are in the table alone."""
        return self.total - len(self.findings)


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A category's products, split by split: (split, products, percent of the widest bar)."""

    name: str
    products: int
    pictures: int
    parts: tuple[tuple[str, int, float], ...]


def render(audit: Audit, picture: Callable[[str], bytes]) -> str:
    """Write the page. `picture` brings a picture's original bytes by its sha256, or raises OSError or RowError."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    card = _cards(audit.pictures, picture)
    sections = [*_leak_sections(audit, card), *_pair_sections(audit, card), *_suspect_sections(audit, card)]
    return environment.get_template("audit.html.j2").render(
        audit=audit,
        verdict=_verdict(audit),
        numbers=_numbers(audit),
        bars=_bars(audit.balance),
        gaps=_gaps(audit.balance),
        sections=sections,
        unreadable=audit.unreadable.head(SHOWN).to_dicts(),
        unreadable_more=max(0, len(audit.unreadable) - SHOWN),
        lonely=_lonely(audit),
        set_aside=audit.set_aside.to_dicts(),
    )


# In words and numbers


def _verdict(audit: Audit) -> dict[str, str]:
    """What a reader should take away: a headline, a sentence, and how serious it is."""
    if not audit.ok:
        return _verdict_of_leaks(audit)
    if audit.unreadable.height:
        unread = f"{len(audit.unreadable):,} of {len(audit.pictures):,}"
        return {
            "level": "bad",
            "head": f"No leak among the pictures that could be read; {unread} could not",
            "text": "What nobody could look at may lie in two splits. "
            "Import the source again, which puts its pictures back, and audit again.",
        }
    if audit.balance["split"].is_in([""]).all():
        return {
            "level": "fair",
            "head": "Not split",
            "text": "Without splits nothing can leak, and nothing can be measured.",
        }
    text = "Train, val and test share no product, no style and no photograph."
    return {"level": "good", "head": "No leak", "text": text}


def _verdict_of_leaks(audit: Audit) -> dict[str, str]:
    ties = ", ".join(f"{count} by {tie}" for tie, count in audit.leaking.group_by("tie").len().sort("tie").iter_rows())
    text = "What is learned in one split is asked for in another, so figures measured on this version say too much."
    head = f"{_count(audit.leaks, 'leak')} across splits ({ties})"
    if audit.unreadable.height:
        head += f"; {len(audit.unreadable):,} of {len(audit.pictures):,} pictures could not be read"
    return {"level": "bad", "head": head, "text": f"{text} Freeze it again with split=auto, or mend the list."}


def _count(number: int, one: str) -> str:
    return f"{number:,} {one}" if number == 1 else f"{number:,} {one}s"


def _numbers(audit: Audit) -> list[tuple[str, int, bool]]:
    """Name, number, and whether anything but 0 is a fault."""
    return [
        ("products", audit.pictures["product"].n_unique(), False),
        ("pictures", len(audit.pictures), False),
        ("leaks", audit.leaks, True),
        ("near-duplicate pairs", len(audit.pairs), False),
        ("unreadable files", len(audit.unreadable), True),
        ("labels to look at", len(audit.suspects), False),
        ("products of one picture", len(audit.singletons), False),
        ("rows set aside", int(audit.set_aside["rows"].sum()), False),
    ]


def _bars(balance: pl.DataFrame) -> list[Bar]:
    """One bar a category, as long as its products are many."""
    groups = balance.partition_by("category", maintain_order=True)
    widest = max((int(group["products"].sum()) for group in groups), default=1)
    return [_bar(group, widest) for group in groups]


def _bar(group: pl.DataFrame, widest: int) -> Bar:
    held = dict(zip(group["split"], group["products"], strict=True))
    parts = tuple((split, held[split], 100 * held[split] / widest) for split in SPLITS if held.get(split))
    name = group["category"][0] or "no category"
    return Bar(name=name, products=sum(held.values()), pictures=int(group["pictures"].sum()), parts=parts)


def _gaps(balance: pl.DataFrame) -> str:
    """Which categories a split does not have; "" if none, or if there is but one split."""
    used = [split for split in SPLITS if split in set(balance["split"])]
    held = balance.group_by("category", maintain_order=True).agg("split").iter_rows()
    missing = {name or "no category": ", ".join(one for one in used if one not in splits) for name, splits in held}
    lacking = [f"{name} ({splits})" for name, splits in missing.items() if splits]
    more = f" and {len(lacking) - SHOWN} more" if len(lacking) > SHOWN else ""
    return f"Missing from a split: {', '.join(lacking[:SHOWN])}{more}." if lacking else ""


def _lonely(audit: Audit) -> list[dict[str, Any]]:
    """Of each split: how many products, how many of one picture, and how many of those without a twin by style."""
    products = audit.pictures.group_by("split").agg(products=pl.n_unique("product"))
    alone = audit.singletons.group_by("split").agg(single=pl.len(), alone=(pl.col("style_mates") == 0).sum())
    table = products.join(alone, on="split", how="left").fill_null(0).to_dicts()
    return sorted(table, key=lambda row: SPLITS.index(row["split"]))


# With pictures


def _cards(pictures: pl.DataFrame, picture: Callable[[str], bytes]) -> Callable[[str], Card]:
    """A maker of cards by image name; a picture shown twice is read once."""
    known = {row["image"]: row for row in pictures.to_dicts()}
    show = cache(lambda sha256: thumbnail(sha256, SIDE, picture))

    def card(image: str) -> Card:
        row = known[image]
        return Card(source=show(row["sha256"]), title=row["product"], split=row["split"], lines=tuple(_lines(row)))

    return card


def _lines(row: Mapping[str, Any]) -> Iterator[str]:
    """What is known of a product, in up to three lines."""
    if row["name"]:
        yield row["name"]
    if labels := " · ".join(row[label] for label in ("brand", "category", "color") if row[label]):
        yield labels
    price = f"{row['price']} {row['currency']}".strip() if row["price"] else ""
    told = (("style", row["style"]), ("view", row["view"]), ("price", price))
    if rest := " · ".join(f"{label} {value}" for label, value in told if value):
        yield rest


def _section(
    title: str, lead: str, table: str, rows: Sequence[Mapping[str, Any]], find: Callable[[Any], Finding]
) -> Section:
    return Section(title=title, lead=lead, table=table, total=len(rows), findings=tuple(map(find, rows[:SHOWN])))


def _leak_sections(audit: Audit, card: Callable[[str], Card]) -> Iterator[Section]:
    def find(row: Mapping[str, str]) -> Finding:
        return Finding(
            text=f"{row['first_split']} and {row['second_split']}", cards=(card(row["first"]), card(row["second"]))
        )

    for tie, title in TIES.items():
        if rows := audit.leaking.filter(pl.col("tie") == tie).to_dicts():
            yield _section(f"Leak: {title.lower()}", "A leak: each pair belongs on one side.", "leaking", rows, find)


def _pair_sections(audit: Audit, card: Callable[[str], Card]) -> Iterator[Section]:
    labels = audit.suspects.filter(pl.col("kind") == TWO_LABELS)
    doubts = {(first, second): text for _, first, second, text in labels.iter_rows()}

    def find(row: Mapping[str, Any]) -> Finding:
        distance = f", distance {row['distance']:.3f}" if row["kind"] in {"near", "mirrored"} else ""
        doubt = doubts.get((row["first"], row["second"]))
        text = f"{KINDS[row['kind']]}{distance}" + (f"; {doubt}" if doubt else "")
        return Finding(text=text, cards=(card(row["first"]), card(row["second"])))

    for relation in RELATIONS:
        if rows := audit.pairs.filter(pl.col("relation") == relation).to_dicts():
            yield _section(f"Near duplicates: {relation}", ADVICE[relation], "pairs", rows, find)


def _suspect_sections(audit: Audit, card: Callable[[str], Card]) -> Iterator[Section]:
    def find(row: Mapping[str, str]) -> Finding:
        return Finding(text=row["text"], cards=tuple(card(row[place]) for place in ("first", "second") if row[place]))

    others = audit.suspects.filter(pl.col("kind") != TWO_LABELS)  # these are told with the near duplicates
    for group in others.partition_by("kind", maintain_order=True):
        title = f"Labels to look at: {group['kind'][0]}"
        yield _section(title, SUSPICIONS[group["kind"][0]], "suspects", group.to_dicts(), find)
