"""`lookalike evaluate`: measures a run, or an untrained embedder, on a data set, and against what people judged."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch

from lookalike import build, files
from lookalike.catalog import versions
from lookalike.catalog.versions import DataSet
from lookalike.cli import places, show
from lookalike.cli.measuring import (
    cost_of,
    neighbours_of,
    pictures,
    products_of,
    products_told,
    protocol_of,
    squares,
    vectors,
)
from lookalike.cli.subject import Subject, of_run, untrained
from lookalike.models.embedder import fused
from lookalike.retrieval.dial import best
from lookalike.retrieval.evaluation import Evaluation, Figure, evaluate
from lookalike.retrieval.fusion import joined
from lookalike.retrieval.judgements import Agreement, agreement, read_judgements
from lookalike.retrieval.naming import named
from lookalike.retrieval.protocol import Protocol, matched, protocol_for
from lookalike.settings import ConfigError, DataError, Evaluate, Measure, Paths
from lookalike.tracking import record


class Settled(NamedTuple):
    """What is asked, the weight of color a number, and the words of metrics.json where val chose it."""

    measure: Measure
    weight: float
    chosen: dict[str, Any]


def run(settings: Evaluate) -> int:
    """Embed, search, score; say and write it."""
    judged = read_judgements(Path(settings.judgements).expanduser()) if settings.judgements else None
    torch.manual_seed(settings.seed)
    torch.set_num_threads(settings.threads)
    subject = untrained(settings, settings.embedder) if settings.embedder else of_run(settings.run, settings.paths)
    dataset = versions.find(settings.dataset or subject.dataset, places.datasets(settings.paths))
    table = pictures(dataset, settings.split)
    if settings.naming:
        matched(table, settings.naming, setting="naming")  # before minutes go into vectors
    settled = _settled(settings, subject, dataset)
    protocol = protocol_of(settled.measure, dataset, settings.split)
    found = _weighed(subject, table, settled.weight, settings.paths)
    if judged is not None:
        _judged(settings, subject, dataset, protocol, agreement(found, table, judged, seed=settings.seed))
        return 0
    _measured(settings, subject, dataset, settled, protocol, found, table)
    return 0


def _weighed(subject: Subject, table: pl.DataFrame, weight: float, paths: Paths) -> np.ndarray:
    """The unit vectors of a table's pictures, color beside the shape by its weight (N, D)."""
    if not weight:
        return subject.shapes(table)
    color = _colors(subject, table, paths)
    return color if weight == 1 else joined(subject.shapes(table), color, weight)


def _colors(subject: Subject, table: pl.DataFrame, paths: Paths) -> np.ndarray:
    return vectors(build.color(), table, subject.wanted, paths)


def _settled(settings: Evaluate, subject: Subject, dataset: DataSet) -> Settled:
    """The weight of color that is said, that the run chose when it was asked the same, or that val chooses now."""
    asked = _asked(settings, subject.measure)
    if asked.color_weight != "val":
        return Settled(asked, float(asked.color_weight or 0.0), {})
    _refuse_own_val(settings, dataset, subject)
    if subject.color_weight is not None and _question(asked) == _question(subject.measure):
        weight, said = subject.color_weight, {"by": "map@r of the run's own val"}
    else:
        weight, said = _chosen(settings, subject, asked)
    return Settled(replace(asked, color_weight=weight), weight, {"chosen": {"color weight": weight, **said}})


def _refuse_own_val(settings: Evaluate, measured: DataSet, subject: Subject) -> None:
    """A weight is not measured on what it was chosen by."""
    chosen_on = subject.learnt_from or measured.label
    if chosen_on == measured.label and settings.split in ("val", "all"):
        raise ConfigError(
            f"color_weight=val: split={settings.split} would be measured with a weight that was chosen on it; "
            "give a number from 0 to 1, or split=test"
        )


def _question(measure: Measure) -> tuple[str, str, str]:
    return measure.match, measure.query_view or "", measure.gallery_view or ""


def _chosen(settings: Evaluate, subject: Subject, asked: Measure) -> tuple[float, dict[str, Any]]:
    """The weight that val likes best: of a run the val that it learnt with, of anything else that of what is measured."""
    dataset = versions.find(subject.dataset, places.datasets(settings.paths))
    table = dataset.pictures("val")
    if not len(table):
        raise ConfigError(f"color_weight=val: {dataset.label} has no split val to choose by; give a number from 0 to 1")
    shape, color = subject.shapes(table), _colors(subject, table, settings.paths)
    weight, scores = best(shape, color, table, protocol_of(asked, dataset, "val"))
    return weight, {"by": f"map@r of {dataset.label}, val", "val map@r by color weight": scores}


def _measured(
    settings: Evaluate,
    subject: Subject,
    dataset: DataSet,
    settled: Settled,
    protocol: Protocol,
    found: np.ndarray,
    table: pl.DataFrame,
) -> None:
    measured = evaluate(found, table, protocol, seed=settings.seed, search=build.search(settled.measure.search))
    products = products_of(found, table, protocol, seed=settings.seed)
    show.evaluation(f"{subject.name} on {dataset.label}, {settings.split}", measured)
    _show_products(products)
    if settled.chosen:
        weight, by = settled.chosen["chosen"]["color weight"], settled.chosen["chosen"]["by"]
        show.out.print(f"  Weight of color: {weight:g}, chosen by {by}.\n", markup=False)
    known = _known(subject, dataset, table, settings)
    if known:
        show.out.print(f"[yellow]{known['says']}[/yellow]\n")
    cost = _cost(settings, subject, settled.weight, found, table, measured)
    naming = _naming(settings, protocol, found, table)
    where = _folder(subject, dataset, protocol, chose=bool(settled.chosen))
    record.write_table(where / "per_query.parquet", measured.table)
    files.write_bytes(where / "neighbours.png", neighbours_of(measured, table, subject.wanted, settings.paths))
    told = {**measured.told(), **products_told(products), **settled.chosen, **naming, "cost": cost}
    files.write_json(where / "metrics.json", told | _facts(subject, dataset) | known)
    show.facts("written", {"folder": where, "picture": where / "neighbours.png"})


def _naming(settings: Evaluate, protocol: Protocol, found: np.ndarray, table: pl.DataFrame) -> dict[str, Any]:
    """What the nearest would call each query, where that is asked; {} where not."""
    if not settings.naming:
        return {}
    asked = protocol_for(
        settings.naming, query_view=protocol.query_view, gallery_view=protocol.gallery_view, split=protocol.split
    )
    told = named(found, table, settings.naming, asked, seed=settings.seed)
    show.facts(
        f"naming the {settings.naming} by the {told.k} nearest",
        {
            "right": f"{_figure(told.accuracy)} of {told.accuracy.queries} queries",
            f"always saying {told.most_frequent!r}": _figure(told.majority),
            "not asked": f"{told.unknown} whose {settings.naming} nobody else bears",
        },
    )
    return {"naming": told.told()}


def _show_products(products: Mapping[str, Mapping[str, Figure]]) -> None:
    """Beside each other the two ways of making one answer of a product's views."""
    if not products:
        return
    names = list(next(iter(products.values())))
    rows = [(name, *(_figure(figures[name]) for figures in products.values())) for name in names]
    title = "products: their views joined into one answer"
    show.table(title, ("metric", *(f"by their {how}" for how in products)), rows, whole=1 + len(products))


def _figure(one: Figure) -> str:
    return f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})"


def _cost(
    settings: Evaluate,
    subject: Subject,
    weight: float,
    found: np.ndarray,
    table: pl.DataFrame,
    measured: Evaluation,
) -> dict[str, float | None]:
    """What it costs; null is what nobody here can know."""
    spent = {"training_minutes": subject.minutes, "threads": settings.threads}
    a_query = {"milliseconds_per_query": 1000 * measured.seconds / measured.queries}
    if subject.embed is None:
        unknown = {"milliseconds_per_image": None, "megabytes": None}
        return {**spent, **unknown, "dimensions": found.shape[1], **a_query}
    embed, seen = fused(subject.embed, build.color(), weight), squares(table, subject.wanted, settings.paths)
    return {**spent, **cost_of(embed, seen, subject.embedder, found), **a_query}


def _judged(settings: Evaluate, subject: Subject, dataset: DataSet, protocol: Protocol, found: Agreement) -> None:
    show.facts(
        f"{subject.name} on {dataset.label}, {settings.split}: does it judge as people do?",
        {
            "agreement": f"{found.value:.3f} (95 % interval {found.low:.3f} to {found.high:.3f} over heads)",
            "judgements": f"{found.scored} scored, of {found.heads} different heads; {found.ties} ties count as no agreement",
            "not scored": f"{found.unknown} name a picture or product that this split of the data set lacks",
        },
    )
    where = _folder(subject, dataset, protocol)
    rules = {
        "agrees": "the head is nearer to close than to far; as near to both is no agreement",
        "a product": "stands for all its pictures: the mean of their similarities",
        "intervals": "95 %, percentile bootstrap over heads, 2000 draws; all 0 or all 1: Clopper-Pearson",
        **{name: protocol.told()[name] for name in ("split", "similarity", "color_weight")},
    }
    told = {"agreement": found.told(), "judgements": settings.judgements, "rules": rules}
    files.write_json(where / "judgements.json", told | _facts(subject, dataset))
    show.facts("written", {"figures": where / "judgements.json"})


def _facts(subject: Subject, dataset: DataSet) -> dict[str, Any]:
    return {"dataset": dataset.label, "subject": subject.name, **subject.facts}


def _known(subject: Subject, dataset: DataSet, table: pl.DataFrame, settings: Evaluate) -> dict[str, Any]:
    """How many of the pictures a run has learnt from, or was chosen by: a figure on those says little. {} where none."""
    if not subject.learnt_from or (subject.learnt_from == dataset.label and settings.split == "test"):
        return {}
    try:
        before = versions.find(subject.learnt_from, places.datasets(settings.paths))
    except DataError:
        return {
            "known": None,
            "says": f"{subject.learnt_from}, which the run learnt from, is gone: what it knows cannot be told",
        }
    seen = before.pictures().filter(pl.col("split").is_in(["train", "val"]))
    known = pl.col("sha256").is_in(seen["sha256"].to_list())
    if before.name == dataset.name:  # elsewhere a product of the same id is another one
        known |= pl.col("product").is_in(seen["product"].to_list())
    count = table.filter(known).height
    says = f"{count} of these {len(table)} pictures are of products that the run learnt from or was chosen by"
    return {"known": count, "says": f"{says}: it says little of others"} if count else {}


def _folder(subject: Subject, dataset: DataSet, protocol: Protocol, *, chose: bool = False) -> Path:
    """Where the results of one protocol on one version go: each its own place, and the same again.

    chose: val chose the weight of color, for each seed of a method perhaps another: then the name does not tell it.
    """
    said = {
        "query": protocol.query_view,
        "gallery": protocol.gallery_view,
        "color": "val" if chose else f"{protocol.color_weight or ''}",
        "search": "" if protocol.search == "exact" else protocol.search,
    }
    more = [f"{name}_{value}" for name, value in said.items() if value]
    words = [dataset.name, dataset.version, protocol.split, protocol.match, *more]
    return subject.folder / "-".join(re.sub(r"[^\w.]+", "_", word).strip("_") for word in words)


def _asked(settings: Evaluate, own: Measure) -> Measure:
    """What is asked for; what is not said is the run's own."""
    views = settings if (settings.query_view, settings.gallery_view) != (None, None) else own
    return Measure(
        match=settings.match or own.match,
        query_view=views.query_view,
        gallery_view=views.gallery_view,
        color_weight=own.color_weight if settings.color_weight is None else settings.color_weight,
        search=settings.search or own.search,
    )
