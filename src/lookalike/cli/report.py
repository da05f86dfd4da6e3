"""`lookalike report RUN [against=OTHER]`: all that can be seen of a run, on one page, and the numbers on it.

The run's network is loaded again and looks at the test pictures once more; its figures are those of the run folder.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
import torch

from lookalike import build, files
from lookalike.catalog import suspects, versions
from lookalike.catalog.nearness import near_duplicates, shows_nothing
from lookalike.catalog.versions import DataSet
from lookalike.cli import places, show
from lookalike.cli.measuring import pictures, squares, vectors
from lookalike.cli.subject import of_run
from lookalike.data.cache import decoded
from lookalike.features.recolor import CHANGES
from lookalike.models.embedder import Embed, embed_all, fused
from lookalike.models.preprocessing import Preprocessing
from lookalike.reporting import embedding_map, report_page
from lookalike.reporting.failures import CAUSES, Facts, Pairs, causes, counted
from lookalike.reporting.neighbours import chosen
from lookalike.reporting.picture_quality import WORDS, poor
from lookalike.reporting.report_page import Against, Asked, Dial, Group, Map, Shown
from lookalike.reporting.tiles import sprite, tile
from lookalike.retrieval.comparison import Entry, compare
from lookalike.retrieval.dial import best, dial, joined
from lookalike.retrieval.evaluation import check
from lookalike.retrieval.protocol import Protocol, matched, protocol_for
from lookalike.retrieval.ranking import sides_of
from lookalike.retrieval.reliance import Reliance, reliance
from lookalike.settings import DataError, Paths, Report
from lookalike.tracking import record

LOOK: Final = 128  # pixels of a picture's square on the page, whatever the network sees
SHOWN: Final = 5  # neighbours of a query
FEW: Final = 2  # of them, where two runs stand side by side
SPRITE: Final = 64  # pixels of a picture on the map's sheet...
SPRITE_OF_MANY: Final = 40  # ...where there are more than...
MANY: Final = 1000
DOUBTS: Final = {"pictures of another color", "one name, two products", suspects.TWO_LABELS}  # that mislead a search
OF_DIAL: Final = ("style", "color")


class Eye(NamedTuple):
    """The run's network, and what it wants of a picture."""

    embed: Embed
    wanted: Preprocessing


@dataclass(frozen=True, kw_only=True)
class Looked:
    """A run, its pictures and what it makes of them."""

    folder: Path
    name: str
    metrics: Mapping[str, Any]
    queries: pl.DataFrame  # per_query.parquet
    dataset: DataSet
    protocol: Protocol
    table: pl.DataFrame  # a row a picture of the split
    squares: np.ndarray  # (N, LOOK, LOOK, 3), in the table's order
    row_of: Mapping[str, int]  # by image
    labels: Sequence[str]  # what makes twins
    shape: np.ndarray  # (N, D)
    color: np.ndarray  # (N, C)

    @property
    def vectors(self) -> np.ndarray:
        """What the run searches with: shape and color as its own weight joins them."""
        return joined(self.shape, self.color, self.protocol.color_weight)


def run(settings: Report) -> int:
    """Look again, say it, write the page and its numbers."""
    torch.set_num_threads(settings.threads)
    folder = record.find(settings.run, Path(settings.paths.runs))
    other = record.find(settings.against, Path(settings.paths.runs)) if settings.against else None
    eye = _eye(folder, settings)
    looked = _looked(folder, eye, settings.paths)
    against = _against(looked, other, settings) if other else None
    found = _report(looked, eye, against, settings)
    files.write_json(folder / "report.json", report_page.numbers(found))
    files.write_text(folder / "report.html", report_page.render(found))
    _say(found, folder)
    return 0


def _eye(folder: Path, settings: Report) -> Eye:
    subject = of_run(str(folder), settings.paths)
    if subject.embed is None:
        raise DataError(f"run={settings.run}: another program made its vectors; a report needs a network to look with")
    return Eye(subject.embed, subject.wanted)


def _looked(folder: Path, eye: Eye, paths: Paths) -> Looked:
    metrics = record.metrics_of(folder)
    protocol = _protocol(metrics["protocol"])
    dataset = versions.find(record.dataset_of(folder), places.datasets(paths))
    table = pictures(dataset, protocol.split)
    return Looked(
        folder=folder,
        name=_name(folder),
        metrics=metrics,
        queries=_queries(folder),
        dataset=dataset,
        protocol=protocol,
        table=table,
        squares=_squares(table, paths),
        row_of={image: row for row, image in enumerate(table["image"])},
        labels=matched(table, protocol.match).tolist(),
        shape=vectors(eye.embed, table, eye.wanted, paths),
        color=vectors(build.color(), table, eye.wanted, paths),
    )


def _name(folder: Path) -> str:
    return f"{folder.resolve().parent.name}/{folder.resolve().name}"


def _protocol(told: Mapping[str, Any]) -> Protocol:
    """The one that the run's figures were measured by."""
    return Protocol(**{one.name: told[one.name] for one in fields(Protocol) if one.name in told})


def _queries(folder: Path) -> pl.DataFrame:
    path = folder / "per_query.parquet"
    try:
        return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as wrong:
        raise DataError(f"{path}: cannot be read ({wrong}); {record.MEND}") from None


def _squares(table: pl.DataFrame, paths: Paths) -> np.ndarray:
    """The whole of each picture, as a person is shown it."""
    with show.progress("decoding", len(table)) as moved:
        return decoded(
            places.cache(paths),
            places.pictures(paths),
            table["sha256"].to_list(),
            size=LOOK,
            resize="letterbox",
            progress=moved,
        )


def _report(looked: Looked, eye: Eye, against: Against | None, settings: Report) -> report_page.Report:
    facts = _facts(looked, eye.wanted.size)
    found = causes(looked.queries, facts)
    gallery = looked.table["image"].gather(sides_of(looked.table, looked.protocol).answers).to_list()
    return report_page.Report(
        title=looked.name,
        dataset=looked.dataset.label,
        metrics=looked.metrics,
        history=record.history_of(looked.folder),
        environment=record.environment_of(looked.folder),
        settings=record.settings_of(looked.folder),
        gallery=_gallery(looked, settings),
        causes=counted(found, facts, gallery),
        examples=_examples(looked, found, settings),
        words={word: says.format(LOOK) for word, says in WORDS.items()},
        against=against,
        map=_map(looked, settings.seed),
        dial=_dial(looked, eye, settings),
        reliance=_reliance(looked, eye, settings),
    )


# Pictures with words


def _shown(looked: Looked, image: str, asked: str = "") -> Shown:
    """A picture; beside a query, whether it is its twin."""
    row = looked.table.row(looked.row_of[image], named=True)
    words = " · ".join(filter(None, (row["color"], row["view"], row["brand"])))
    alike = looked.labels[looked.row_of[image]] == looked.labels[looked.row_of[asked]] if asked else False
    return Shown(
        image=image,
        source=tile(looked.squares[looked.row_of[image]], side=112),
        caption=words or row["product"],
        sign="" if not asked else "twin" if alike else "stranger",
    )


def _asked(looked: Looked, row: Mapping[str, Any], says: str, most: int = SHOWN) -> Asked:
    query = row["image"]
    given = tuple(_shown(looked, one, query) for one in row["nearest"][:most])
    return Asked(query=_shown(looked, query), given=given, says=says)


def _gallery(looked: Looked, settings: Report) -> tuple[Group, ...]:
    says = {
        "Found first, most surely": "the easiest",
        "Drawn at random": "what is usual",
        "Found last": "the worst",
    }
    return tuple(
        Group(
            title=title,
            says=says[title],
            asked=tuple(_asked(looked, row, _ranked(row)) for row in rows.iter_rows(named=True)),
            total=len(rows),
        )
        for title, rows in chosen(looked.queries, each=settings.examples, seed=settings.seed)
    )


def _ranked(row: Mapping[str, Any]) -> str:
    twins = f"{row['twins']} twin{'s' * (row['twins'] != 1)} in the gallery"
    return f"{row['image']}: first twin at rank {row['rank']}, {twins}"


def _examples(looked: Looked, found: pl.DataFrame, settings: Report) -> dict[str, Group]:
    """Some misses of each cause, drawn at random: the query, the stranger that was nearest, the nearest twin."""
    groups = {}
    for cause in CAUSES:
        of = found.filter(pl.col("cause") == cause.name)
        some = of.sample(min(settings.examples, len(of)), seed=settings.seed, shuffle=True) if len(of) else of
        asked = tuple(_missed(looked, row) for row in some.iter_rows(named=True))
        groups[cause.name] = Group(title=cause.title, says=cause.says, asked=asked, total=len(of))
    return groups


def _missed(looked: Looked, row: Mapping[str, Any]) -> Asked:
    given = [_shown(looked, one, row["image"]) for one in (row["stranger"], row["twin"]) if one]
    ranked = f"its nearest twin at rank {row['rank']}"
    return Asked(query=_shown(looked, row["image"]), given=tuple(given), says=f"{row['because']}; {ranked}.")


# Facts of pictures


def _facts(looked: Looked, seen_at: int) -> Facts:
    table = looked.table
    prints = table["fingerprint"].to_list()
    sides = [max(pair) for pair in table.select("width", "height").iter_rows()]
    known = table.select("image", "product", "style", "brand", "view").with_columns(
        pl.Series("label", looked.labels),
        pl.Series("poor", poor(looked.squares, sides, prints, seen_at=seen_at), dtype=pl.String),
    )
    pairs = _pairs(table, prints)
    return Facts(
        match=looked.protocol.match,
        pictures={row["image"]: row for row in known.fill_null("").to_dicts()},
        twins=_twins(looked),
        copies=frozenset(frozenset(pair) for pair in pairs.select("first", "second").iter_rows()),
        doubts=_doubts(looked, prints, pairs),
        together=_together(looked),
    )


def _pairs(table: pl.DataFrame, prints: Sequence[bytes]) -> pl.DataFrame:
    """The near duplicates of a table as the audit names them."""
    images, products = table["image"], table["product"]
    rows = [
        (
            images[pair.first],
            images[pair.second],
            "same product" if products[pair.first] == products[pair.second] else "others",
        )
        for pair in near_duplicates(prints)
    ]
    return pl.DataFrame(rows, schema=dict.fromkeys(("first", "second", "relation"), pl.String), orient="row")


def _twins(looked: Looked) -> dict[str, list[str]]:
    """Who each query's twins are in its gallery, the nearest first."""
    asked = sides_of(looked.table, looked.protocol)
    images, seen = looked.table["image"].to_list(), looked.vectors
    found = {}
    for query in asked.asks[asked.twins > 0]:
        there = asked.answers[(asked.match[asked.answers] == asked.match[query])]
        there = there[asked.apart[there] != asked.apart[query]]
        order = np.argsort(-(seen[there] @ seen[query]), kind="stable")
        found[images[query]] = [images[row] for row in there[order]]
    return found


def _doubts(looked: Looked, prints: Sequence[bytes], pairs: pl.DataFrame) -> dict[frozenset[str], str]:
    """What an audit of these pictures would doubt, by the pictures it names."""
    blank = [image for image, one in zip(looked.table["image"], prints, strict=True) if shows_nothing(one)]
    here = looked.dataset.products.filter(pl.col("product").is_in(looked.table["product"].unique().to_list()))
    found = suspects.find(here, looked.table, prints, pairs, blank).filter(pl.col("kind").is_in(list(DOUBTS)))
    told: dict[frozenset[str], str] = {}
    for kind, first, second, text in found.iter_rows():
        alone = kind == "pictures of another color"  # either of the two may be the wrong one
        keys = [frozenset({first}), frozenset({second})] if alone else [frozenset({first, second})]
        told |= dict.fromkeys(keys, f"{kind}: {text}")
    return told


def _together(looked: Looked) -> Pairs | None:
    """Which views of one label train shows; None where the data set tells no views."""
    if not (looked.table["view"] != "").any():
        return None
    train = looked.dataset.pictures("train")
    if train.is_empty():
        return None
    labelled = pl.DataFrame({"label": matched(train, looked.protocol.match), "view": train["view"]})
    several = labelled.filter(pl.col("label") != "").group_by("label").agg("view")
    return frozenset(pair for views in several["view"] for pair in _of_two(views.to_list()))


def _of_two(views: list[str]) -> set[frozenset[str]]:
    """The views of one label, two by two; a view with itself where it is there twice."""
    pairs = {frozenset({one, two}) for one in views for two in views if one != two}
    return pairs | {frozenset({one}) for one in views if views.count(one) > 1}


# Beside another run


def _against(looked: Looked, other: Path, settings: Report) -> Against:
    """What became better and worse on the same queries; DataError where the two were not measured alike."""
    theirs = _queries(other)
    sides = (_entry(looked.folder, looked.queries), _entry(other, theirs))
    compared = compare(sides, against=sides[1].name, seed=settings.seed)
    mine = next(row for row in compared.rows if row.entry.name == sides[0].name)
    reference = next(row for row in compared.rows if row.entry.name == sides[1].name)
    if mine.against is None:
        raise DataError(f"against={settings.against}: there is nothing to compare; name another run")
    both = looked.queries.join(theirs.select("image", "rank", "nearest"), on="image", suffix="_there")
    broken = both.filter((pl.col("rank") > 1) & (pl.col("rank_there") == 1))
    mended = both.filter((pl.col("rank") == 1) & (pl.col("rank_there") > 1))
    return Against(
        name=sides[1].name,
        value=reference.value,
        difference=mine.against,
        broken=_turned(looked, "Newly broken", "found first by the other run, and not by this one", broken, settings),
        mended=_turned(looked, "Newly mended", "found first by this run, and not by the other", mended, settings),
    )


def _entry(folder: Path, queries: pl.DataFrame) -> Entry:
    environment, metrics = record.environment_of(folder), record.metrics_of(folder)
    return Entry(
        name=_name(folder),
        label=_name(folder),
        tables=(queries,),
        seeds=(int(environment.get("seed", 0)),),
        dataset=record.dataset_of(folder),
        protocol=metrics["protocol"],
        cost={},
        learns=True,
    )


def _turned(looked: Looked, title: str, says: str, rows: pl.DataFrame, settings: Report) -> Group:
    some = rows.sample(min(settings.examples, len(rows)), seed=settings.seed, shuffle=True) if len(rows) else rows
    asked = tuple(_both(looked, row) for row in some.iter_rows(named=True))
    return Group(title=f"{title} {len(rows):,}", says=says, asked=asked, total=len(rows))


def _both(looked: Looked, row: Mapping[str, Any]) -> Asked:
    says = f"{row['image']}: first twin at rank {row['rank']} here, {row['rank_there']} there"
    there = tuple(_shown(looked, one, row["image"]) for one in row["nearest_there"][:FEW])
    return replace(_asked(looked, row, says, FEW), there=there)


# The map and the colors


def _map(looked: Looked, seed: int) -> Map:
    laid = embedding_map.plane(looked.vectors, seed=seed)
    table = looked.table[laid.rows.tolist()]
    side = SPRITE if len(table) <= MANY else SPRITE_OF_MANY
    found = {image: rank == 1 for image, rank in looked.queries.select("image", "rank").iter_rows()}
    return Map(
        plane=laid,
        points=embedding_map.points(table, laid.places),
        colorings=embedding_map.colorings(table, found),
        sprite=sprite([looked.squares[row] for row in laid.rows], side=side),
        pictures=len(looked.table),
    )


def _dial(looked: Looked, eye: Eye, settings: Report) -> Dial | None:
    """Recall over the weight of color, and the weight that val likes best for what the run is asked."""
    own = looked.protocol
    wanted = {name: _matching(own, name) for name in dict.fromkeys((own.match, *OF_DIAL))}
    can = {name: protocol for name, protocol in wanted.items() if _can(looked.table, protocol)}
    left_out = tuple(
        f"By {name} there is no curve: in this data set no two products share a {name}."
        for name in wanted
        if name not in can
    )
    turns = dial(looked.shape, looked.color, looked.table, can, seed=settings.seed)
    chosen, scores = _liked(looked, eye, settings.paths)
    return Dial(turns=turns, chosen=chosen, val=scores, own=own.color_weight, left_out=left_out)


def _matching(own: Protocol, match: str) -> Protocol:
    more = {name: getattr(own, name) for name in ("query_view", "gallery_view", "split_rule", "split")}
    return own if match == own.match else protocol_for(match, **more)


def _can(table: pl.DataFrame, protocol: Protocol) -> bool:
    """Whether anybody has a twin by this protocol."""
    try:
        check(table, protocol)
    except DataError:
        return False
    return True


def _liked(looked: Looked, eye: Eye, paths: Paths) -> tuple[float | None, dict[float, float]]:
    table, protocol = looked.dataset.pictures("val"), replace(looked.protocol, split="val")
    if table.is_empty() or not _can(table, protocol):
        return None, {}
    shape, color = (vectors(one, table, eye.wanted, paths) for one in (eye.embed, build.color()))
    return best(shape, color, table, protocol)


def _reliance(looked: Looked, eye: Eye, settings: Report) -> tuple[Reliance, ...]:
    """The queries in other colors: what the run makes of them."""
    seen = squares(looked.table, eye.wanted, settings.paths)
    embed = fused(eye.embed, build.color(), looked.protocol.color_weight)
    after = {}
    with show.progress("recoloring", len(CHANGES) * len(seen)) as moved:
        for name, change in CHANGES.items():
            after[name] = embed_all(_changed(embed, change), seen, progress=moved)
    return reliance(looked.vectors, after, looked.table, looked.protocol, seed=settings.seed)


def _changed(
    embed: Callable[[np.ndarray], np.ndarray], change: Callable[[np.ndarray], np.ndarray]
) -> Callable[[np.ndarray], np.ndarray]:
    return lambda pictures: embed(change(np.array(pictures)))


def _say(found: report_page.Report, folder: Path) -> None:
    told = report_page.verdict(found)
    show.out.print(f"{told['head']}. {told['text']}\n", markup=False)
    rows = [(one.cause.title, one.first, f"{100 * one.share:.1f} %", one.fits) for one in found.causes if one.fits]
    if rows:
        show.table("misses by cause", ("cause", "misses", "share", "fits at all"), rows)
    show.facts("written", {"page": folder / "report.html", "numbers": folder / "report.json"})
