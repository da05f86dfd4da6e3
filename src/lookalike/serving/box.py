"""A release on the counter, and the answers to questions about it.

In: ready-made parts of a release; questions. Out: hits, each with its score and the two parts of it.
Never: decodes a picture, speaks HTTP, or changes a box: a swap puts another one in its place.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lookalike.retrieval.scan import BLOCK, SLACK, Found, Vectors, asking, compared, parts, widened
from lookalike.retrieval.search import NOBODY, rounded
from lookalike.serving.asked import Looked
from lookalike.serving.goods import Filters, Goods, allowed
from lookalike.serving.naming import Namer

Crop = tuple[float, float, float, float]  # left, top, right, bottom as shares of the picture
Embed = Callable[[NDArray[np.uint8]], np.ndarray]  # (B, S, S, 3) -> (B, D)
Search = Callable[[np.ndarray, np.ndarray, float, int, np.ndarray | None], Found]
Order = Literal["best", "worst"]
Group = Literal["product", "style", "brand"]

DISLIKED: Final = 0.5  # of what is liked, that what is disliked takes away
MANY: Final = 1000  # pictures: to ask the search for more is slower than to compare every one
DEPTHS: Final = (25, 101, 401)  # places that a search that may miss some is asked for, in turn: pages and one more


@dataclass(frozen=True, kw_only=True)
class Sight:
    """A picture, or what a crop leaves of it, as a release's models want it."""

    square: NDArray[np.uint8]  # (S, S, 3)
    proposal: Crop | None  # where the product seems to be; None where that is everywhere, or a crop was given
    sides: tuple[int, int]  # width and height of the whole picture, upright


@dataclass(frozen=True, kw_only=True, eq=False)  # two boxes are never one; arrays have no hash
class Box:
    """All that a request needs of one release."""

    label: str  # NAME/ID
    catalog: str  # the data set version that it holds
    sight: Callable[[bytes, Crop | None], Sight]  # of untrusted bytes
    look: Embed  # shape
    tint: Embed  # color
    search: Search  # the nearest
    vectors: Vectors
    goods: Goods
    thumbnail: Callable[[int], bytes]  # a picture's id -> JPEG
    weight: float = 0.0  # of color, where nobody says another
    rough: bool = True  # the search may miss some, as an index does; False saves asking one that compares all in turns
    namer: Namer | None = None  # None where no brand is known
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def widths(self) -> tuple[int, int]:
        """Numbers of a shape vector and of a color vector."""
        return self.vectors.shape.shape[1], self.vectors.color.shape[1]


@dataclass(frozen=True, kw_only=True)
class Wish:
    """How a list is wanted."""

    weight: float
    k: int
    skip: int = 0
    filters: Filters = field(default_factory=Filters)
    order: Order = "best"
    group_by: Group = "product"
    min_score: float | None = None
    without: frozenset[str] = frozenset()  # products that are not to be shown


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One place of a list. product: a row of the goods; picture: its most alike one, by id."""

    product: int
    picture: int
    score: float
    shape: float
    color: float


class Pictures(NamedTuple):
    """Pictures in some order, by row: the score rounded, and its two parts. All (n,)."""

    row: np.ndarray
    score: np.ndarray
    shape: np.ndarray
    color: np.ndarray


NONE: Final = Pictures(np.zeros(0, np.int64), *np.zeros((3, 0)))


def looked(box: Box, square: NDArray[np.uint8]) -> Looked:
    """What a release sees in a square (S, S, 3)."""
    return Looked(shape=box.look(square[None])[0], color=box.tint(square[None])[0])


def of_product(box: Box, key: str) -> Looked | None:
    """The mean of a product's views; None where there is no such product."""
    row = box.goods.row_of.get(key)
    if row is None:
        return None
    views = np.flatnonzero(box.goods.owner == row)
    return Looked(shape=_mean(box.vectors.shape[views]), color=_mean(box.vectors.color[views]))


def between(liked: Sequence[Looked], disliked: Sequence[Looked]) -> Looked:
    """Towards what is liked and away from what is disliked (Rocchio's)."""
    return Looked(
        shape=_towards([one.shape for one in liked], [one.shape for one in disliked]),
        color=_towards([one.color for one in liked], [one.color for one in disliked]),
    )


def hits(box: Box, seen: Looked, wish: Wish) -> tuple[list[Hit], bool]:
    """A page of the list, and whether more follow.

    Pictures are found, products, styles or brands are shown, each with its most alike picture: the list is ordered by that
    picture's score, equal ones by its id, and "worst" turns the order of scores. The search is asked for so many pictures
    that they should suffice. Where it cannot know, or they did not, every picture is compared once.

    An index finds others the further it looks. So that the pages of one list agree, however long each is, it looks in the same
    steps whichever page is wanted, and what a further look finds follows behind: what was missed before is late, but not lost.
    """
    may = _may(box, wish)
    count = len(box.vectors.ids) if may is None else int(np.count_nonzero(may))
    page = slice(wish.skip, wish.skip + wish.k)
    if not count:
        return [], False
    found = _found(box, seen, wish, may, count)
    return [_hit(box, found, place) for place in range(len(found.row))[page]], len(found.row) > page.stop


def _found(box: Box, seen: Looked, wish: Wish, may: np.ndarray | None, count: int) -> Pictures:
    """The list as far as it is wanted, or further. count: pictures that may be shown."""
    group, wanted = box.goods.groups[wish.group_by], wish.skip + wish.k + 1
    each = -(-len(group) // (int(group.max()) + 1))  # pictures of a group
    found = NONE
    for depth in () if wish.order == "worst" else DEPTHS if box.rough else (wanted,):
        asked = min(count, depth * each)
        if asked > MANY:
            break
        nearest = _nearest(box, seen, wish.weight, asked, may)
        found = _behind(found, _firsts(nearest, group), group)
        if asked == count or len(found.row) >= wanted or _falls_short(nearest, wish):
            return _enough(found, wish)
    return _behind(found, _every(box, seen, wish, may), group)


def _may(box: Box, wish: Wish) -> np.ndarray | None:
    """The pictures that may be shown (N,) bool; None for all."""
    may = allowed(box.goods, wish.filters)
    rows = [box.goods.row_of[key] for key in wish.without if key in box.goods.row_of]
    if not rows:
        return may
    others = ~np.isin(box.goods.owner, rows)
    return others if may is None else may & others


def _hit(box: Box, found: Pictures, place: int) -> Hit:
    row = int(found.row[place])
    return Hit(
        product=int(box.goods.owner[row]),
        picture=int(box.vectors.ids[row]),
        score=float(found.score[place]),
        shape=float(found.shape[place]),
        color=float(found.color[place]),
    )


# By the search


def _nearest(box: Box, seen: Looked, weight: float, asked: int, may: np.ndarray | None) -> Pictures:
    """So many of the nearest pictures, in order."""
    found = box.search(seen.shape[None], seen.color[None], weight, asked, may)
    there = found.ids[0] != NOBODY
    rows = np.searchsorted(box.goods.ids, found.ids[0][there])
    scores = rounded(found.scores[0][there].astype(float))  # float32 has 0.7 as 0.69999999
    return Pictures(rows, scores, found.shape[0][there], found.color[0][there])


def _falls_short(found: Pictures, wish: Wish) -> bool:
    """Whether what follows has less than the least score."""
    return wish.min_score is not None and bool((found.score < wish.min_score).any())


def _behind(found: Pictures, more: Pictures, group: np.ndarray) -> Pictures:
    """What was found, and behind it those of groups that are not among it. group (N,)."""
    new = _taken(more, ~np.isin(group[more.row], group[found.row]))
    return Pictures(*(np.concatenate(both) for both in zip(found, new, strict=True)))


def _firsts(found: Pictures, group: np.ndarray) -> Pictures:
    """The first picture of each group. found: in order; group (N,)."""
    places = np.unique(group[found.row], return_index=True)[1]
    return _taken(found, np.sort(places))


def _enough(found: Pictures, wish: Wish) -> Pictures:
    return found if wish.min_score is None else _taken(found, found.score >= wish.min_score)


def _taken(found: Pictures, places: np.ndarray) -> Pictures:
    return Pictures(found.row[places], found.score[places], found.shape[places], found.color[places])


# By comparing every picture


def _every(box: Box, seen: Looked, wish: Wish, may: np.ndarray | None) -> Pictures:
    """The list as far as it is wanted, whatever it is: float32 scores sort out who may be in it, exact ones settle it."""
    rows = np.arange(len(box.vectors.ids)) if may is None else np.flatnonzero(may)
    group = box.goods.groups[wish.group_by]
    rough = _rough(box.vectors, seen, wish.weight, rows)
    best = np.full(int(group.max()) + 1, -np.inf, np.float32)
    np.maximum.at(best, group[rows], rough)
    # a group's most alike picture, and its place among the groups, are known to within twice SLACK
    likely = _in_question(best, wish)[group[rows]] & (rough >= best[group[rows]] - 2 * SLACK)
    asked = asking(seen.shape[None], seen.color[None], wish.weight)
    exact = compared(box.vectors, asked, np.zeros(np.count_nonzero(likely), np.int64), rows[likely])
    order = np.lexsort((exact.row, -exact.score))
    found = _firsts(_taken(Pictures(exact.row, exact.score, exact.shape, exact.color), order), group)
    found = _enough(found, wish)
    return found if wish.order == "best" else _taken(found, np.lexsort((found.row, found.score)))


def _in_question(best: np.ndarray, wish: Wish) -> np.ndarray:
    """Which groups may be among the wanted, by their rough scores, -inf for one that may not be shown. (G,) -> (G,) bool."""
    wanted, least = wish.skip + wish.k + 1, -np.inf if wish.min_score is None else wish.min_score
    there = np.isfinite(best)
    sure = best[there & (best >= least + SLACK)]
    able: np.ndarray = there & (best >= least - SLACK)
    if len(sure) > wanted and wish.order == "best":
        able &= best >= np.partition(sure, -wanted)[-wanted] - 2 * SLACK
    elif len(sure) > wanted:
        able &= best <= np.partition(sure, wanted - 1)[wanted - 1] + 2 * SLACK
    return able


def _rough(vectors: Vectors, seen: Looked, weight: float, rows: np.ndarray) -> np.ndarray:
    """Scores in float32, without BLAS, which waits for its threads on a busy machine. rows, rising -> (n,)."""
    scores = np.zeros(len(rows), np.float32)
    for share, query, of in ((1 - weight, seen.shape, vectors.shape), (weight, seen.color, vectors.color)):
        if share:
            wanted = np.float32(share) * query.astype(np.float32)
            for part in parts(len(rows), BLOCK):
                scores[part] += np.einsum("nd,d->n", widened(of[_close(rows[part])]), wanted)
    return scores


def _close(rows: np.ndarray) -> np.ndarray | slice:
    """The same rows, as a slice where they follow each other: nothing is then copied in between."""
    return slice(rows[0], rows[-1] + 1) if rows[-1] - rows[0] == len(rows) - 1 else rows


# Vectors


def _mean(vectors: np.ndarray) -> np.ndarray:
    return _unit(np.asarray(vectors, np.float32).mean(0))


def _towards(liked: Sequence[np.ndarray], disliked: Sequence[np.ndarray]) -> np.ndarray:
    towards = np.mean(liked, axis=0) if liked else np.zeros_like(disliked[0])
    return _unit(towards - DISLIKED * np.mean(disliked, axis=0) if disliked else towards)


def _unit(vector: np.ndarray) -> np.ndarray:
    long: np.ndarray = vector / max(float(np.linalg.norm(vector)), 1e-12)
    return long.astype(np.float32)
