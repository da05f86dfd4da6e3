"""`lookalike index RELEASE dataset=...`: a catalog into a release, which makes a new release of the same models.

What the release's own catalog knows already is not embedded again, and its index is changed, not built anew. Of the candidate
a new one is made, which is the candidate from then on.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import polars as pl

from lookalike.catalog import images, versions
from lookalike.catalog import pictures as kept
from lookalike.catalog.versions import DataSet
from lookalike.cli import places, show
from lookalike.cli.measuring import pictures
from lookalike.data.cache import decoded
from lookalike.release import bundle, phone, registry, shelf
from lookalike.release.opened import Release, open_release
from lookalike.release.shelf import Shelf, open_shelf, ordered
from lookalike.retrieval import index
from lookalike.retrieval.index import Ann
from lookalike.retrieval.index_choice import EXACT_NUMBERS, choose, measure, megabytes_of, reaches, rows_of
from lookalike.retrieval.scan import Vectors
from lookalike.settings import ConfigError, DataError, Index

BATCH = 32  # pictures embedded at a time
QUALITY = 85  # of a thumbnail's JPEG
LOOKED_AT = 200  # pictures that the phone's model must embed as float32 does
CANDIDATE = "candidate"


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """What goes into the release: pictures in the order of their ids, their vectors, and how many of those were known."""

    dataset: DataSet
    table: pl.DataFrame
    vectors: Vectors
    known: int


def run(settings: Index) -> int:
    """Embed what is new, index, publish."""
    began, releases = time.perf_counter(), Path(settings.paths.releases)
    release = open_release(registry.resolve(settings.release, releases))
    if settings.phone and release.preprocessing.get("mask"):
        raise ConfigError(
            "phone=true: this network wants pictures whose background is painted white, and a phone paints none; leave it out"
        )
    before = _before(release)
    catalog = _catalog(settings, release, before)
    ann, facts = _index(settings, before, catalog.vectors)
    made = _made(settings, release, catalog, ann, facts)
    _show(made, catalog, facts, time.perf_counter() - began)
    if settings.release == CANDIDATE:
        _follow(releases, release, made)
    show.out.print(f"next: lookalike promote {made.label}\n", markup=False)
    return 0


def _before(release: Release) -> Shelf | None:
    """The release's own catalog; None where it has none, or one that cannot be read."""
    if not release.manifest["indexed"]:
        return None
    try:
        return open_shelf(release)
    except DataError as wrong:
        _tell(f"all is embedded anew: {wrong}")
        return None


def _catalog(settings: Index, release: Release, before: Shelf | None) -> Catalog:
    dataset = versions.find(settings.dataset, places.datasets(settings.paths))
    table = ordered(pictures(dataset, settings.split))
    shape, color, known = _vectors(settings, release, before, table)
    vectors = Vectors(shape=shape, color=color, ids=table["id"].to_numpy())
    return Catalog(dataset=dataset, table=table, vectors=vectors, known=known)


def _made(settings: Index, release: Release, catalog: Catalog, ann: Ann | None, facts: dict[str, Any]) -> Release:
    """The new release: the old one's files but for its catalog, and this catalog."""
    releases, name, table = Path(settings.paths.releases), str(release.manifest["name"]), catalog.table
    said = {"dataset": catalog.dataset.label, "pictures": len(table), "products": table["product"].n_unique()}
    with bundle.draft(releases, name) as draft:
        bundle.carry_over(release, draft, leaving_out=(shelf.FOLDER, phone.FOLDER))
        if settings.phone:
            _phone(settings, release, catalog, draft)
        shelf.write(
            draft,
            table,
            catalog.dataset.products,
            catalog.vectors.shape,
            catalog.vectors.color,
            ann,
            {**facts, **said},
            _thumbnails(settings, table),
        )
        same = {one: release.manifest[one] for one in ("run", "commit", "dataset", "serves", "match")}
        return bundle.publish(draft, releases, name, {**same, "indexed": catalog.dataset.label})


def _phone(settings: Index, release: Release, catalog: Catalog, draft: Path) -> None:
    """The phone's models see as float32 does, and so must the vectors that they are compared with."""
    table, shape = catalog.table, catalog.vectors.shape
    if release.manifest["serves"] != "float32":
        shape, _ = _embedded(settings, release, table, "float32")
    some = np.unique(np.linspace(0, len(table) - 1, min(LOOKED_AT, len(table))).astype(int))
    phone.write(
        draft,
        release,
        table,
        catalog.dataset.products,
        shape,
        catalog.vectors.color,
        squares=list(_squares(settings, release, table[some])),
        threads=settings.threads,
        told={
            "catalog": catalog.dataset.label,
            "new pictures": len(table) - catalog.known,
            "network": release.settings["backbone"]["name"],
        },
    )


def _follow(releases: Path, old: Release, new: Release) -> None:
    """The candidate is what was made of it, unless somebody named another one meanwhile."""
    with registry.held(releases):
        now = registry.pointers(releases)
        follows = now.candidate == old.label
        if follows:
            why = f"{old.label} with an index of {new.manifest['indexed']}"
            registry.moved(releases, registry.named(now, new.label), what="candidate", why=why)
    said = f"{new.label} is the candidate now" if follows else f"the candidate is {now.candidate} by now, and stays"
    show.out.print(f"{said}.", markup=False)


def _vectors(
    settings: Index, release: Release, before: Shelf | None, table: pl.DataFrame
) -> tuple[np.ndarray, np.ndarray, int]:
    """Shape and color of every picture (N, D), (N, C) float16, and how many of them were known."""
    row_of = {} if before is None else _known(before)
    old = [row_of.get(sha256, -1) for sha256 in table["sha256"]]
    fresh = [row for row, at in enumerate(old) if at < 0]
    shape, color = _embedded(settings, release, table[fresh], release.manifest["serves"])
    if before is None:
        return shape, color, 0
    return _joined(before.vectors.shape, shape, old), _joined(before.vectors.color, color, old), len(table) - len(fresh)


def _known(before: Shelf) -> dict[str, int]:
    """Picture -> the row of its vectors."""
    row_of = {int(one): row for row, one in enumerate(before.vectors.ids)}
    return {sha256: row_of[one] for sha256, one in zip(before.pictures["sha256"], before.pictures["id"], strict=True)}


def _joined(known: np.ndarray, fresh: np.ndarray, old: list[int]) -> np.ndarray:
    """Known vectors and fresh ones in the order of the table; old: the row of a known one, -1 for the next fresh one."""
    out = np.empty((len(old), known.shape[1]), np.float16)
    at = np.array(old)
    out[at >= 0] = known[at[at >= 0]]
    out[at < 0] = fresh
    return out


def _embedded(settings: Index, release: Release, table: pl.DataFrame, model: str) -> tuple[np.ndarray, np.ndarray]:
    """Shape by one of the release's models, and color."""
    look, tint = release.model(model, threads=settings.threads), release.color()
    if not len(table):
        nothing = np.zeros((1, 8, 8, 3), np.uint8)
        return look(nothing)[:0].astype(np.float16), tint(nothing)[:0].astype(np.float16)
    seen = _squares(settings, release, table)
    shapes, colors = [], []
    with show.progress("embedding", len(table)) as moved:
        for start in range(0, len(table), BATCH):
            few = np.array(seen[start : start + BATCH])
            shapes.append(look(few).astype(np.float16))
            colors.append(tint(few).astype(np.float16))
            moved(len(few))
    return np.concatenate(shapes), np.concatenate(colors)


def _squares(settings: Index, release: Release, table: pl.DataFrame) -> np.ndarray:
    wanted = release.preprocessing
    with show.progress("decoding", len(table)) as moved:
        return decoded(
            places.cache(settings.paths),
            places.pictures(settings.paths),
            table["sha256"].to_list(),
            size=wanted["size"],
            resize=wanted["resize"],
            interpolation=wanted["interpolation"],
            mask=bool(wanted.get("mask")),
            progress=moved,
        )


def _index(settings: Index, before: Shelf | None, now: Vectors) -> tuple[Ann | None, dict[str, Any]]:
    """The index that was there, changed, where it still finds enough; else one that is chosen."""
    large = len(now.ids) > rows_of(EXACT_NUMBERS, now) or settings.kind != "auto"
    if before and before.ann and large and settings.kind in ("auto", before.ann.kind):
        ann, facts = _changed(settings, before, before.ann, now)
        if reaches(facts["measured"], settings.recall):
            return ann, facts
        _tell("the index that was there finds too little by now, and is built anew")
    return choose(now, kind=settings.kind, recall=settings.recall, seed=settings.seed, tell=_tell)


def _changed(settings: Index, before: Shelf, kept: Ann, now: Vectors) -> tuple[Ann, dict[str, Any]]:
    """An index made of the one before, and its own facts: what was measured of that one is not said of it."""
    began = time.perf_counter()
    ann = index.changed(kept, before.vectors, now, seed=settings.seed, tell=_tell)
    return ann, {
        "rows": len(now.ids),
        "wanted": settings.recall,
        "seed": settings.seed,
        "kind": ann.kind,
        "why": f"changed from that of {before.facts['dataset']}, and still finds what is wanted",
        "changed_from": before.facts["dataset"],
        "change_seconds": round(time.perf_counter() - began, 1),
        "parameters": ann.parameters,
        "efforts": [list(one) for one in ann.efforts],
        "megabytes": round(megabytes_of(ann.kind, ann.index.ntotal, index.width_of(now)), 1),
        "measured": measure(now, ann, seed=settings.seed),
    }


def _tell(said: str) -> None:
    show.out.print(f"  {said}", markup=False)


def _thumbnails(settings: Index, table: pl.DataFrame) -> Iterator[bytes]:
    read = partial(kept.read, places.pictures(settings.paths))
    with show.progress("thumbnails", len(table)) as moved:
        for sha256 in table["sha256"]:
            yield _thumbnail(read(sha256), settings.thumbnail) if settings.thumbnail else b""
            moved(1)


def _thumbnail(data: bytes, side: int) -> bytes:
    """A JPEG whose longer side is so many pixels, or as many as there are."""
    pixels = images.decode(data, at_least=side)
    factor = min(1.0, side / max(pixels.shape[:2]))
    size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)[..., ::-1]
    return bytes(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1])


def _show(made: Release, catalog: Catalog, facts: dict[str, Any], seconds: float) -> None:
    size = sum(one["bytes"] for name, one in made.manifest["files"].items() if name.startswith(shelf.FOLDER)) / 1e6
    products, count = catalog.table["product"].n_unique(), len(catalog.table)
    told: dict[str, Any] = {
        "catalog": f"{catalog.dataset.label}: {products} products, {count} pictures, {catalog.known} of them known before",
        "index": f"{facts['kind']}: {facts['why']}",
        "size": f"{size:.1f} MB of vectors, tables and small pictures",
    }
    if (made.folder / phone.FOLDER).is_dir():
        told |= {"phone": _of_phone(made), "a page for it": phone.PAGE / "README.md"}
    show.facts(f"{made.label} can be searched", {**told, "took": f"{seconds:.1f} s", "folder": made.folder})


def _of_phone(made: Release) -> str:
    told = json.loads((made.folder / phone.FOLDER / "manifest.json").read_text("utf-8"))
    near = told["model.onnx beside float32"]
    return (
        f"{sum(told['bytes'].values()) / 1e6:.1f} MB; its model beside float32: cosine {near['cosine']['mean']:.4f}, least "
        f"{near['cosine']['min']:.4f}, {near['of the 10 nearest']:.0%} of the 10 nearest, over {near['pictures']} pictures"
    )
