"""`lookalike evaluate`: measures a run, or an untrained embedder, on a data set, and against what people judged."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from lookalike import build, files
from lookalike.catalog import versions
from lookalike.catalog.versions import DataSet
from lookalike.cli import door, places, show
from lookalike.cli.measuring import neighbours_of, pictures, protocol_of, vectors
from lookalike.models.checkpoint import load_weights
from lookalike.models.embedder import Embed, as_callable, fused
from lookalike.models.preprocessing import Preprocessing
from lookalike.retrieval.evaluation import evaluate
from lookalike.retrieval.judgements import Agreement, agreement, read_judgements
from lookalike.retrieval.protocol import Protocol
from lookalike.settings import Choice, DataError, Evaluate, Measure, Pixels, Train
from lookalike.tracking import record


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is measured: an embedder, what it wants of a picture, the data set and match it brings, where results go."""

    name: str
    embed: Embed
    wanted: Preprocessing
    dataset: str
    measure: Measure
    folder: Path
    learnt_from: str = ""  # the data set version that a run knows already


def run(settings: Evaluate) -> int:
    """Embed, search, score; say and write it."""
    judged = read_judgements(Path(settings.judgements).expanduser()) if settings.judgements else None
    torch.manual_seed(settings.seed)
    torch.set_num_threads(settings.threads)
    subject = _untrained(settings, settings.embedder) if settings.embedder else _of_run(settings)
    dataset = versions.find(settings.dataset or subject.dataset, places.datasets(settings.paths))
    table = pictures(dataset, settings.split)
    protocol = protocol_of(_asked(settings, subject.measure), dataset, settings.split)
    embed = fused(subject.embed, build.color(), protocol.color_weight)
    found = vectors(embed, table, subject.wanted, settings.paths)
    if judged is not None:
        _judged(settings, subject, dataset, protocol, agreement(found, table, judged, seed=settings.seed))
        return 0
    _measured(settings, subject, dataset, protocol, found, table)
    return 0


def _measured(
    settings: Evaluate, subject: Subject, dataset: DataSet, protocol: Protocol, found: np.ndarray, table: pl.DataFrame
) -> None:
    measured = evaluate(found, table, protocol, seed=settings.seed)
    show.evaluation(f"{subject.name} on {dataset.label}, {settings.split}", measured)
    known = _known(subject, dataset, table, settings)
    if known:
        show.out.print(f"[yellow]{known['says']}[/yellow]\n")
    where = _folder(subject, dataset, protocol)
    record.write_table(where / "per_query.parquet", measured.table)
    files.write_bytes(where / "neighbours.png", neighbours_of(measured, table, subject.wanted, settings.paths))
    files.write_json(where / "metrics.json", measured.told() | _facts(subject, dataset) | known)
    show.facts("written", {"folder": where, "picture": where / "neighbours.png"})


def _judged(settings: Evaluate, subject: Subject, dataset: DataSet, protocol: Protocol, found: Agreement) -> None:
    show.facts(
        f"{subject.name} on {dataset.label}, {settings.split}: does it judge as people do?",
        {
            "agreement": f"{found.value:.3f} (95 % interval {found.low:.3f} to {found.high:.3f}, bootstrap over heads)",
            "judgements": f"{found.scored} scored, of {found.heads} different heads; {found.ties} ties count as no agreement",
            "not scored": f"{found.unknown} name a picture or product that this split of the data set lacks",
        },
    )
    where = _folder(subject, dataset, protocol)
    rules = {
        "agrees": "the head is nearer to close than to far; as near to both is no agreement",
        "a product": "stands for all its pictures: the mean of their similarities",
        "intervals": "95 %, percentile bootstrap over heads, 2000 draws",
        **{name: protocol.told()[name] for name in ("split", "similarity", "color_weight")},
    }
    told = {"agreement": found.told(), "judgements": settings.judgements, "rules": rules}
    files.write_json(where / "judgements.json", told | _facts(subject, dataset))
    show.facts("written", {"figures": where / "judgements.json"})


def _facts(subject: Subject, dataset: DataSet) -> dict[str, Any]:
    return {
        "dataset": dataset.label,
        "subject": subject.name,
        "preprocessing": subject.wanted.told() | {"sha256": subject.wanted.sha256},
    }


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


def _folder(subject: Subject, dataset: DataSet, protocol: Protocol) -> Path:
    """Where the results of one protocol on one version go: each its own place, and the same again."""
    said = {"query": protocol.query_view, "gallery": protocol.gallery_view, "color": f"{protocol.color_weight or ''}"}
    more = [f"{name}_{value}" for name, value in said.items() if value]
    words = [dataset.name, dataset.version, protocol.split, protocol.match, *more]
    return subject.folder / "-".join(re.sub(r"[^\w.]+", "_", word) for word in words)


def _asked(settings: Evaluate, own: Measure) -> Measure:
    """What is asked for; what is not said is the run's own."""
    views = settings if (settings.query_view, settings.gallery_view) != (None, None) else own
    return Measure(
        match=settings.match or own.match,
        query_view=views.query_view,
        gallery_view=views.gallery_view,
        color_weight=own.color_weight if settings.color_weight is None else settings.color_weight,
    )


def _of_run(settings: Evaluate) -> Subject:
    folder = record.find(settings.run, Path(settings.paths.runs))
    trained = door.read(Train, record.settings_of(folder), build.TABLES)
    bare = replace(trained.backbone, options={**trained.backbone.options, "weights": "random"})  # its own come below
    made = build.embedder(bare, trained.head, trained.pixels, mirror=trained.mirror)
    if trained.finish:
        made.embedder.finish = build.room_for(trained.finish, made.dimensions)
    checkpoint, sha256 = record.checkpoint_of(folder)
    load_weights(made.embedder, checkpoint, sha256=sha256)
    return Subject(
        name=f"run {folder.parent.name}/{folder.name}",
        embed=as_callable(made.embedder),
        wanted=made.embedder.preprocessing,
        dataset=record.dataset_of(folder),
        measure=trained,
        folder=folder / "evaluations",
        learnt_from=record.dataset_of(folder),
    )


def _untrained(settings: Evaluate, said: Choice) -> Subject:
    embed, wanted = build.untrained(said, settings.pixels or Pixels(), mirror=settings.mirror)
    words = [*map(str, said.options.values()), str(wanted.size), "gray" * wanted.gray, "mirror" * settings.mirror]
    drawn = f"seed{settings.seed}" if said.name == "random" else ""
    look = "-".join(filter(None, [said.name, *words, drawn, wanted.sha256[:8]]))
    return Subject(
        name=f"untrained {said.name} at {wanted.size} pixels{', gray' if wanted.gray else ''}",
        embed=embed,
        wanted=wanted,
        dataset=settings.dataset,
        measure=Measure(),
        folder=Path(settings.paths.runs) / "untrained" / look,
    )
