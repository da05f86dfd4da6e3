"""An index over a catalog, which says who is worth comparing: lists of alike pictures, or a graph of them.

In: a catalog's vectors, queries. Out: ids, nearest first, with exact scores; an index that is built, changed, kept and read.
Never: says which index is good enough (index_choice does), or trusts its own rough products with the order.

An index holds a picture's two vectors side by side. Asked with [(1 - weight) shape | weight color], its inner product is the
score, so that one index answers every weight. It holds 8 bits a number, and its products are rough: whom it names is
compared once more, with the vectors themselves.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import faiss as untyped
import numpy as np

from lookalike.files import writing_to
from lookalike.retrieval.scan import (
    BLOCK,
    Asked,
    Found,
    Vectors,
    asking,
    compared,
    exact,
    first,
    laid_out,
    parts,
    widened,
)
from lookalike.retrieval.search import NOBODY
from lookalike.settings import ConfigError, DataError

faiss: Any = untyped  # its own types leave out half of what it takes

KINDS = ("ivf", "hnsw")
CANDIDATES = 4  # times k are compared once more, FEWEST at least: rough products put a few in the wrong order
FEWEST = 64
NEAR = 25  # nearest, up to which a query looks as far as was chosen; to find more it looks further, in proportion
EXACT_LEFT = (
    30_000_000  # numbers of the rows that a filter leaves: to compare them takes about 20 ms, to look far no less
)
LISTS = 4  # times the root of the rows: 4096 lists for a million
PER_LIST = 40  # rows of the sample that k-means learns from; more cost time and move little
ROUNDS = 10  # of k-means
LINKS = 32  # of a picture in the graph, on each level
LOOK = 40  # pictures looked at to link a new one; with more the graph takes twice the time and looks a little less far
PUT = 8 * BLOCK  # rows put in at a time
LANES = 16  # an index's numbers are a multiple of so many, or FAISS takes them one by one, in five times the time
WORN = 0.2  # share of the graph that may be gone before it is built anew
DENSE = 16  # ids up to so many times the rows are marked by a bit each


Effort = tuple[float, int, int]  # a weight of color; how far a query looks there without a filter, and with one


@dataclass(frozen=True, kw_only=True)
class Ann:
    """An index over a catalog: lists of alike pictures ("ivf"), or a graph of them ("hnsw").

    Lists know pictures by id. A graph knows them by slot, in the order they came; its id_map says whose id that is, -1 for
    one that is gone, as a graph cannot let go.
    """

    kind: str
    index: Any  # faiss.IndexIVFScalarQuantizer, or faiss.IndexIDMap round a faiss.IndexHNSWSQ
    gone: int = 0  # slots of a graph whose pictures are gone
    measured: dict[str, Any] = field(default_factory=dict)  # by index_choice; empty where it was not measured as it is
    efforts: tuple[Effort, ...] = ()  # weights rising; none: `effort` at each

    @property
    def effort(self) -> int:
        """How far a query looks at most: lists probed, or pictures of the graph kept in view."""
        return int(self.index.nprobe if self.kind == "ivf" else _graph(self.index).hnsw.efSearch)

    @property
    def parameters(self) -> dict[str, int]:
        """What it was built with and is asked with, by FAISS's own names."""
        if self.kind == "ivf":
            return {"nlist": self.index.nlist, "nprobe": self.effort}
        hnsw = _graph(self.index).hnsw
        return {"M": hnsw.nb_neighbors(1), "efConstruction": hnsw.efConstruction, "efSearch": self.effort}

    def effort_at(self, weight: float, *, filtered: bool) -> int:
        """How far a query looks at a weight of color: between two that are known, as far as at the one that needs more."""
        if not self.efforts:
            return self.effort
        known = [one for one, *_ in self.efforts]
        around = max(0, bisect_right(known, weight) - 1), min(bisect_left(known, weight), len(known) - 1)
        near = [self.efforts[at] for at in around]
        return max(through if filtered else free for _, free, through in near)

    def looking(self, effort: int) -> "Ann":
        """The same index, which looks so far from now on, at every weight."""
        if self.kind == "ivf":
            self.index.nprobe = effort
        else:
            _graph(self.index).hnsw.efSearch = effort
        return replace(self, efforts=())

    def reaching(self, efforts: Iterable[Effort]) -> "Ann":
        """The same index, which looks so far at these weights from now on."""
        rising = tuple(sorted((float(weight), int(free), int(filtered)) for weight, free, filtered in efforts))
        if not rising or not all(0 <= weight <= 1 and min(far) >= 1 for weight, *far in rising):
            raise DataError(
                f"efforts={list(rising)}: give weights from 0 to 1, and 1 or more each; index the catalog again"
            )
        return replace(self.looking(max(max(far) for _, *far in rising)), efforts=rising)


def search(
    vectors: Vectors,
    ann: Ann | None,
    shape_queries: np.ndarray,
    color_queries: np.ndarray,
    weight: float,
    k: int,
    allowed: np.ndarray | None = None,
    *,
    exact_left: int = EXACT_LEFT,
) -> Found:
    """The k nearest: exactly where there is no index or a filter leaves few, else of those that the index names.

    A query to which the index names fewer than there are, as its filter shuts the places it looked at, is asked exactly.
    """
    left = len(vectors.ids) if allowed is None else int(np.count_nonzero(allowed))
    if ann is None or (allowed is not None and left * width_of(vectors) <= exact_left):
        return exact(vectors, shape_queries, color_queries, weight, k, allowed)
    _refuse_another(ann, vectors)
    asked = asking(shape_queries, color_queries, weight)
    pairs = compared(vectors, asked, *_named(vectors, ann, asked, k, allowed, left))
    found = laid_out(vectors, first(pairs, k), len(asked.shape), k)
    short = (found.ids != NOBODY).sum(1) < min(k, left)
    if short.any():
        whole = exact(vectors, asked.shape[short], asked.color[short], weight, k, allowed)
        for name in ("ids", "scores", "shape", "color"):
            getattr(found, name)[short] = getattr(whole, name)
    return found


def _named(
    vectors: Vectors, ann: Ann, asked: Asked, k: int, allowed: np.ndarray | None, left: int
) -> tuple[np.ndarray, np.ndarray]:
    """Whom the index names: queries and rows, pair by pair.

    The fewer a filter leaves, the further it looks, so that it meets about as many of them as it does without a filter; and
    the more are wanted, too.
    """
    both = np.zeros((len(asked.shape), ann.index.d), np.float32)
    _fill(both, np.float32(1 - asked.weight) * asked.shape, np.float32(asked.weight) * asked.color)
    wanted = min(max(CANDIDATES * k, FEWEST), left)
    selector, effort = _selector(ann, vectors, allowed), ann.effort_at(asked.weight, filtered=allowed is not None)
    effort = math.ceil(effort * len(vectors.ids) / left * max(1, k / NEAR))
    if ann.kind == "ivf":
        told = faiss.SearchParametersIVF(sel=selector, nprobe=min(effort, ann.index.nlist))
        named = _asked_of(ann.index, both, wanted, told)
    else:
        told = faiss.SearchParametersHNSW(sel=selector, efSearch=min(effort, len(vectors.ids)))
        slots = _asked_of(_graph(ann.index), both, wanted, told)
        named = np.where(slots >= 0, _slots(ann.index)[slots], NOBODY)
    query, column = np.nonzero(named != NOBODY)
    return query, _rows_of(vectors, named[query, column])


def _asked_of(index: Any, both: np.ndarray, wanted: int, told: Any) -> np.ndarray:
    """Whom FAISS names. Where pytorch-metric-learning was loaded, `search` is one of its own that takes no parameters."""
    search = getattr(index, "search_numpy", index.search)
    labels: np.ndarray = search(both, wanted, params=told)[1]
    return labels


def _rows_of(vectors: Vectors, ids: np.ndarray) -> np.ndarray:
    rows = np.searchsorted(vectors.ids, ids)
    known = vectors.ids[np.minimum(rows, len(vectors.ids) - 1)] == ids
    if not known.all():
        raise DataError(f"the search index names {ids[~known][0]}, which the catalog has not; index the catalog again")
    return rows


def _selector(ann: Ann, vectors: Vectors, allowed: np.ndarray | None) -> Any:
    """What FAISS asks whether it may name a picture; None where it may name each, as who is gone is left out afterwards."""
    if allowed is None:
        return None
    if ann.kind == "ivf":
        return _of_ids(vectors.ids, allowed)
    slots = _slots(ann.index)
    there = slots != NOBODY
    there[there] = allowed[_rows_of(vectors, slots[there])]
    return faiss.IDSelectorBitmap(np.packbits(there, bitorder="little"))


def _of_ids(ids: np.ndarray, allowed: np.ndarray) -> Any:
    """A bit for each id, or a set of them where the ids lie far apart."""
    if ids[0] < 0 or ids[-1] >= DENSE * len(ids):
        return faiss.IDSelectorBatch(ids[allowed])
    marked = np.zeros(ids[-1] + 1, bool)
    marked[ids[allowed]] = True
    return faiss.IDSelectorBitmap(np.packbits(marked, bitorder="little"))


def _graph(index: Any) -> Any:
    return faiss.downcast_index(index.index)


def _slots(index: Any) -> np.ndarray:
    """Whose id each slot of a graph holds; writing into it writes into the index. -> (slots,)."""
    slots: np.ndarray = faiss.rev_swig_ptr(index.id_map.data(), index.ntotal)
    return slots


def _refuse_another(ann: Ann, vectors: Vectors) -> None:
    held, width = ann.index.ntotal - ann.gone, width_of(vectors)
    if (held, ann.index.d) != (len(vectors.ids), width):
        raise DataError(
            f"the search index holds {held} pictures of {ann.index.d} numbers, the catalog {len(vectors.ids)} of {width}: "
            "they do not belong together; index the catalog again"
        )


def build(vectors: Vectors, kind: str, *, seed: int, tell: Callable[[str], None]) -> Ann:
    """An index over the whole catalog, which looks no further than FAISS does by default: index_choice says how far."""
    rows = len(vectors.ids)
    if not rows:
        raise DataError("a catalog without pictures has no search index; index one that has some")
    blank = _blank(kind, rows, width_of(vectors), seed)
    sample = np.sort(np.random.default_rng(seed).permutation(rows)[: PER_LIST * lists(rows)])
    tell(f"{kind}: learning from {len(sample):,} of {rows:,} pictures")
    blank.train(_both(vectors, sample))
    _add(blank, vectors, np.arange(rows), tell)
    return Ann(kind=kind, index=blank)


def width_of(vectors: Vectors) -> int:
    """How many numbers an index holds of a picture: shape, color, and zeros up to whole LANES."""
    return int(-(-(vectors.shape.shape[1] + vectors.color.shape[1]) // LANES) * LANES)


def lists(rows: int) -> int:
    """How many lists so many rows are parted into: a power of two."""
    return int(2 ** round(np.log2(max(1.0, min(LISTS * rows**0.5, rows / PER_LIST)))))


def _blank(kind: str, rows: int, width: int, seed: int) -> Any:
    metric, bits = faiss.METRIC_INNER_PRODUCT, faiss.ScalarQuantizer.QT_8bit
    if kind == "ivf":
        index = faiss.IndexIVFScalarQuantizer(faiss.IndexFlatIP(width), width, lists(rows), bits, metric)
        index.cp.niter, index.cp.seed = ROUNDS, seed
        index.cp.min_points_per_centroid = 1  # FAISS prints to the terminal where it has fewer than it likes
        return index
    if kind == "hnsw":
        graph = faiss.IndexHNSWSQ(width, bits, LINKS, metric)
        graph.hnsw.efConstruction = LOOK
        return faiss.IndexIDMap(graph)
    raise ConfigError(f"no search index is of the kind {kind!r}; there are: {', '.join(KINDS)}")


def _both(vectors: Vectors, rows: np.ndarray) -> np.ndarray:
    """Shape and color side by side. rows (n,), rising -> (n, width) float32."""
    both = np.zeros((len(rows), width_of(vectors)), np.float32)
    for part in parts(len(rows), BLOCK):
        _fill(both[part], widened(vectors.shape[rows[part]]), widened(vectors.color[rows[part]]))
    return both


def _fill(both: np.ndarray, shape: np.ndarray, color: np.ndarray) -> None:
    """Put shape and color side by side into a table of zeros, which may be a little wider."""
    middle, end = shape.shape[1], shape.shape[1] + color.shape[1]
    both[:, :middle], both[:, middle:end] = shape, color


def _add(index: Any, vectors: Vectors, rows: np.ndarray, tell: Callable[[str], None]) -> None:
    """Put rows, rising, into an index."""
    for part in parts(len(rows), PUT):
        index.add_with_ids(_both(vectors, rows[part]), vectors.ids[rows[part]])
        tell(f"{min(part.stop, len(rows)):,} of {len(rows):,} pictures put in")


def write(ann: Ann, path: Path) -> None:
    """Write the index into a folder that is still a draft (files.new_folder): that makes it whole or not there."""
    with writing_to(path.parent), path.open("wb") as file:  # FAISS's own writer misses a disk that fills at the end
        faiss.write_index(ann.index, faiss.PyCallbackIOWriter(file.write))


def read(path: Path) -> Ann:
    """What `write` wrote, with how far it looks at most. Lists stay on the disk; what is asked of them comes into memory."""
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP)
    except RuntimeError as wrong:
        raise DataError(f"{path}: not a search index ({wrong}). Index the catalog again.") from None
    if isinstance(index, faiss.IndexIDMap):
        return Ann(kind="hnsw", index=index, gone=int(np.count_nonzero(_slots(index) == NOBODY)))
    faiss.downcast_InvertedLists(index.invlists).prefetch_nthread = 0  # else each query starts 32 threads
    return Ann(kind="ivf", index=index)


def changed(
    ann: Ann,
    vectors_before: Vectors,
    vectors_now: Vectors,
    *,
    seed: int = 0,
    tell: Callable[[str], None] = lambda _: None,
) -> Ann:
    """The index of another catalog, made of that of the one before: those that are gone let go, the new ones put in.

    Lists stay where they were learnt, so after many changes measure it anew, or choose again.
    """
    _refuse_another(ann, vectors_before)
    gone, new = difference(vectors_before, vectors_now)
    tell(f"{len(gone):,} pictures gone, {len(new):,} new")
    left = ann.gone + len(gone) if ann.kind == "hnsw" else 0
    if left > WORN * ann.index.ntotal:
        tell("too many of the graph are gone: it is built anew")
        anew = build(vectors_now, ann.kind, seed=seed, tell=tell)
    else:
        anew = Ann(kind=ann.kind, index=_without(ann, gone), gone=left)
        _add(anew.index, vectors_now, new, tell)
    return replace(anew.looking(ann.effort), efforts=ann.efforts)


def difference(before: Vectors, now: Vectors) -> tuple[np.ndarray, np.ndarray]:
    """Ids that are gone, and rows that are new, rising. Whose vectors are others is both."""
    _, old, kept = np.intersect1d(before.ids, now.ids, assume_unique=True, return_indices=True)
    other = np.zeros(len(old), bool)
    for part in parts(len(old), BLOCK):
        for one, two in ((before.shape, now.shape), (before.color, now.color)):
            other[part] |= (one[old[part]] != two[kept[part]]).any(1)
    gone, new = np.ones(len(before.ids), bool), np.ones(len(now.ids), bool)
    gone[old], new[kept] = other, other
    return before.ids[gone], np.flatnonzero(new)


def _without(ann: Ann, gone: np.ndarray) -> Any:
    """A copy in memory that names none of the gone."""
    if ann.kind == "ivf":
        index = _copied(ann.index)
        index.remove_ids(gone)
        return index
    index = faiss.clone_index(ann.index)
    slots = _slots(index)
    slots[np.isin(slots, gone)] = NOBODY
    return index


def _copied(index: Any) -> Any:
    """Lists in memory that may be changed, of lists that may lie on the disk; FAISS clones those not at all."""
    copy = faiss.IndexIVFScalarQuantizer(
        faiss.clone_index(index.quantizer), index.d, index.nlist, index.sq.qtype, index.metric_type
    )
    copy.sq, copy.is_trained, copy.by_residual = index.sq, True, index.by_residual
    held = index.invlists
    for one in range(index.nlist):
        if size := held.list_size(one):
            copy.invlists.add_entries(one, size, held.get_ids(one), held.get_codes(one))
    copy.ntotal = index.ntotal
    return copy
