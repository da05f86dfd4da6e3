"""`lookalike report RUN [against=OTHER]`: all that can be seen of a run, on one page, and the numbers on it.

The run's network is loaded again and looks at the test pictures once more; its figures are those of the run folder.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
import torch

from lookalike import build, files
from lookalike.catalog import versions
from lookalike.catalog.versions import DataSet
from lookalike.cli import places, show
from lookalike.cli.measuring import pictures, squares, vectors
from lookalike.cli.subject import of_run
from lookalike.data.cache import decoded
from lookalike.features.recolor import CHANGES
from lookalike.models.embedder import Embed, embed_all, fused
from lookalike.models.preprocessing import Preprocessing
from lookalike.reporting import embedding_map, examples, report_page
from lookalike.reporting.examples import Seen
from lookalike.reporting.facts import facts_of
from lookalike.reporting.failures import Facts, causes, counted
from lookalike.reporting.picture_quality import WORDS
from lookalike.reporting.report_page import Against, Dial, Map
from lookalike.reporting.tiles import sprite
from lookalike.retrieval.comparison import Entry, compare
from lookalike.retrieval.dial import best, dial
from lookalike.retrieval.evaluation import check
from lookalike.retrieval.fusion import joined
from lookalike.retrieval.protocol import Protocol, matched, protocol_for
from lookalike.retrieval.ranking import sides_of
from lookalike.retrieval.reliance import Reliance, reliance
from lookalike.settings import DataError, Paths, Report
from lookalike.tracking import record

LOOK: Final = 128  # pixels of a picture's square on the page, whatever the network sees
SPRITE: Final = 64  # pixels of a picture on the map's sheet...
SPRITE_OF_MANY: Final = 40  # ...where there are more than...
MANY: Final = 1000
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
    seen: Seen  # on squares of LOOK pixels
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
        seen=Seen(
            table=table,
            squares=_squares(table, paths),
            labels=matched(table, protocol.match).tolist(),
            row_of={image: row for row, image in enumerate(table["image"])},
        ),
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
    facts = _facts(looked, eye)
    found, some = causes(looked.queries, facts), {"most": settings.examples, "seed": settings.seed}
    answers = looked.table["image"].gather(sides_of(looked.table, looked.protocol).answers).to_list()
    return report_page.Report(
        title=looked.name,
        dataset=looked.dataset.label,
        metrics=looked.metrics,
        history=record.history_of(looked.folder),
        environment=record.environment_of(looked.folder),
        settings=record.settings_of(looked.folder),
        gallery=examples.gallery(looked.seen, looked.queries, **some),
        causes=counted(found, facts, answers),
        examples=examples.missed(looked.seen, found, **some),
        words={word: says.format(LOOK) for word, says in WORDS.items()},
        against=against,
        map=_map(looked, settings.seed),
        dial=_dial(looked, eye, settings),
        reliance=_reliance(looked, eye, settings),
        runs=_runs(looked.folder, settings),
    )


def _runs(folder: Path, settings: Report) -> int:
    """How many finished runs there are of the name that was asked for; 1 where a folder was."""
    return 1 if Path(settings.run).resolve() == folder.resolve() else len(list(record.finished(folder.parent)))


def _facts(looked: Looked, eye: Eye) -> Facts:
    with show.progress("looking for causes"):
        return facts_of(
            looked.dataset,
            looked.table,
            looked.protocol,
            looked.seen.squares,
            looked.vectors,
            seen_at=eye.wanted.size,
        )


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
    broken, mended = examples.turned(looked.seen, both, most=settings.examples, seed=settings.seed)
    return Against(name=sides[1].name, value=reference.value, difference=mine.against, broken=broken, mended=mended)


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


# The map and the colors


def _map(looked: Looked, seed: int) -> Map:
    with show.progress("laying out the map"):
        laid = embedding_map.plane(looked.vectors, seed=seed)
    table = looked.table[laid.rows.tolist()]
    side = SPRITE if len(table) <= MANY else SPRITE_OF_MANY
    found = {image: rank == 1 for image, rank in looked.queries.select("image", "rank").iter_rows()}
    return Map(
        plane=laid,
        points=embedding_map.points(table, laid.places),
        colorings=embedding_map.colorings(table, found),
        sprite=sprite([looked.seen.squares[row] for row in laid.rows], side=side),
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
    with show.progress("turning the dial"):
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
    with show.progress("turning the dial on val"):
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
