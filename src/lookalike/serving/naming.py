"""The brand of a photograph, by the brands of the pictures nearest to it, as probabilities that keep their word.

In: a catalog's shape vectors and its products' brands; the vector of a photograph. Out: a `Namer`, learnt once at opening; a
`Named` for each photograph. Never: learns a class, or lets a product name itself.

The K nearest pictures vote with their cosines, as in `retrieval.naming`: v_b is the sum of those of brand b. Then

    P(unknown)   = sigmoid(offset + slope x cosine of the nearest)
    P(b)         = (1 - P(unknown)) x  v_b^trust / (sum over c of v_c^trust + exp(others))

and what is left is for brands of the catalog that did not vote. Both fits are of the catalog itself: some of its products ask,
each with one picture, while all of its own are left out (a brand that is known), or all of its brand (one that is not).
Nobody can know beforehand how many photographs show a brand that the catalog has not: it is taken for the share of products
whose brand no other bears, as Good and Turing guessed at unseen species, and for LEAST where that is less.

Fewer than ENOUGH askers teach nothing: the namer is then not `calibrated`. One vote is added for the brands that did not
vote (trust 1, others 0), and P(unknown) is LEAST for every photograph.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from lookalike.retrieval.scan import BLOCK, Vectors, exact, parts, widened
from lookalike.retrieval.search import DECIMALS, NOBODY, rounded

K: Final = 5  # pictures that vote
ASKERS: Final = 1000  # products that ask, at most: a second or two of 100,000 pictures
ENOUGH: Final = 20  # products that must ask with a brand that others bear, and as many with one that nobody bears
LEAST: Final = 0.1  # of photographs show a brand that the catalog has not
EVEN: Final = 0.5  # from this P(unknown) on, no brand is named
STEPS, STEP, SOFT = 100, 1.0, 1.0  # of the fit: how many, how far at a time, and how strongly the start holds


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What turns votes into probabilities."""

    trust: float = 1.0
    others: float = 0.0
    offset: float = float(np.log(LEAST / (1 - LEAST)))
    slope: float = 0.0
    askers: int = 0  # products that it was learnt from; 0: it was not


@dataclass(frozen=True, kw_only=True, eq=False)
class Namer:
    """Pictures that can vote, and what their votes are worth."""

    vectors: Vectors  # of shape alone
    told: np.ndarray  # (N,) bool: pictures whose product tells a brand
    code: np.ndarray  # (N,) the number of its brand, -1 where none is told
    owner: np.ndarray  # (N,) the row of its product
    brands: Sequence[str]  # by their number
    calibration: Calibration

    @property
    def calibrated(self) -> bool:
        """Whether the catalog had enough to learn the probabilities from."""
        return self.calibration.askers > 0


@dataclass(frozen=True, kw_only=True)
class Named:
    """What a photograph's brand may be. The probabilities and `unknown` sum to one or less: the rest is for other brands."""

    brands: list[tuple[str, float]]  # those that the neighbours bear, the most probable first
    unknown: float  # that the catalog has none of its brand
    brand: str | None  # the most probable; None where unknown reaches EVEN, or nobody votes
    nearest: float | None  # the cosine of the nearest picture that tells a brand; None where none does


@dataclass(frozen=True, kw_only=True)
class Asker:
    """Pictures that ask what they are called, each as if its product, or its brand, were not in the catalog. Q of them."""

    true: np.ndarray  # (Q,) the number of its brand
    shared: np.ndarray  # (Q,) bool: another product bears its brand
    codes: np.ndarray  # (Q, K) brands of its neighbours among other products; -1 where there are no more
    scores: np.ndarray  # (Q, K) their cosines; nan
    strange_codes: np.ndarray  # (Q, K) the same among other brands
    strange_scores: np.ndarray


def namer(
    shape: np.ndarray, owner: np.ndarray, codes: np.ndarray, values: Sequence[str], *, seed: int = 0
) -> Namer | None:
    """Learn to name. None where no picture's product tells a brand.

    shape (N, D) float16, unit, a memory map too; owner (N,) a picture's row among the products; codes (P,) the number of a
    product's brand among the values, -1 where it tells none.
    """
    code = codes[owner]
    told = code >= 0
    if not told.any():
        return None
    color = np.zeros((len(shape), 0), np.float16)
    return Namer(
        vectors=Vectors(shape=shape, color=color, ids=np.arange(len(shape))),
        told=told,
        code=code,
        owner=owner,
        brands=values,
        calibration=calibrate(asked(shape, owner, code, drawn(owner, told, ASKERS, seed))),
    )


def named(of: Namer, looked: np.ndarray, *, without: np.ndarray | Sequence[int] | None = None) -> Named:
    """What a photograph's brand may be. looked (D,): its shape, unit; without: rows of products that do not vote."""
    may = of.told if without is None else of.told & ~np.isin(of.owner, without)
    if not may.any():
        return Named(brands=[], unknown=1.0, brand=None, nearest=None)
    found = exact(of.vectors, looked[None], np.zeros((1, 0)), 0.0, K, may)
    there = found.ids[0] != NOBODY
    codes, scores = of.code[found.ids[:, there]], found.scores[:, there].astype(float)
    chances, unknown = (row[0] for row in probabilities(of.calibration, codes, scores))
    order = [place for place in np.argsort(-chances, kind="stable") if chances[place] > 0]
    best_first = [(of.brands[codes[0, place]], float(chances[place])) for place in order]
    return Named(
        brands=best_first,
        unknown=float(unknown),
        brand=best_first[0][0] if best_first and unknown < EVEN else None,
        nearest=float(scores[0, 0]),
    )


def probabilities(by: Calibration, codes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of neighbours, nearest first, (Q, k): each brand's probability at its nearest voter, 0 elsewhere; P(unknown) (Q,)."""
    unknown = 1 / (1 + np.exp(-np.clip(by.offset + by.slope * scores[:, 0], -500, 500)))
    votes = tallied(codes, scores)
    weights = np.where(votes > 0, np.maximum(votes, 1e-12) ** by.trust, 0.0)
    chances = weights / (weights.sum(1, keepdims=True) + np.exp(by.others))
    return chances * (1 - unknown)[:, None], unknown


def tallied(codes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The votes for each brand, at its nearest voter; 0 elsewhere. A cosine below zero does not vote. (Q, k) -> (Q, k)."""
    votes = np.where(codes == NOBODY, 0.0, np.nan_to_num(scores)).clip(min=0)
    alike = codes[:, :, None] == codes[:, None]
    first = ~np.tril(alike, -1).any(2)
    return np.where(first, rounded((votes[:, None] * alike).sum(2)), 0.0)


def drawn(owner: np.ndarray, told: np.ndarray, most: int, seed: int) -> np.ndarray:
    """One picture each of some products that tell their brand, as rows, rising."""
    random = np.random.default_rng(seed)
    shuffled = random.permutation(np.flatnonzero(told))
    firsts = np.unique(owner[shuffled], return_index=True)[1]  # of each product the first of its shuffled pictures
    return np.sort(shuffled[random.permutation(firsts)[:most]])


def asked(shape: np.ndarray, owner: np.ndarray, code: np.ndarray, askers: np.ndarray) -> Asker:
    """Let some pictures ask. code (N,): the number of a picture's brand, -1 where none is told; askers: rows (Q,)."""
    gallery = np.flatnonzero(code >= 0)
    pairs = np.unique(np.stack([code[gallery], owner[gallery]]), axis=1)
    bearers = np.bincount(pairs[0])  # products of each brand
    queries = np.asarray(shape[askers], np.float32)
    apart = np.stack([owner, code])
    rows, scores = others(shape, gallery, queries, apart, apart[:, askers])
    codes = np.where(rows == NOBODY, NOBODY, code[rows])
    return Asker(
        true=code[askers],
        shared=bearers[code[askers]] > 1,
        codes=codes[0],
        scores=scores[0],
        strange_codes=codes[1],
        strange_scores=scores[1],
    )


def others(
    shape: np.ndarray, gallery: np.ndarray, queries: np.ndarray, apart: np.ndarray, own: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The K nearest rows of the gallery that do not bear a query's own number: rows and cosines, NOBODY and nan for none.

    Several numbers are asked in one pass, each for itself. shape (N, D) float16; gallery: rows (G,), rising; queries (Q, D)
    float32; apart (M, N), own (M, Q) -> (M, Q, K) twice.
    """
    rows, scores = np.full((*own.shape, K), NOBODY), np.full((*own.shape, K), -np.inf, np.float32)
    for part in parts(len(gallery), BLOCK):
        some = gallery[part]
        block = queries @ widened(shape[some]).T
        for turn, (marks, mine) in enumerate(zip(apart[:, some], own, strict=True)):
            best, cosines = _highest(np.where(mine[:, None] == marks, -np.inf, block))
            both = np.concatenate([rows[turn], some[best]], axis=1), np.concatenate([scores[turn], cosines], axis=1)
            order = np.argsort(-both[1], axis=1, kind="stable")[:, :K]  # of equal ones the lower row
            rows[turn], scores[turn] = (np.take_along_axis(one, order, 1) for one in both)
    nobody = np.isneginf(scores)
    return np.where(nobody, NOBODY, rows), np.where(nobody, np.nan, scores)


def _highest(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns and values of the K highest of each row, in order; ahead of a sort by far. block (Q, n) changes."""
    columns, values = [], []
    every = np.arange(len(block))
    for _ in range(min(K, block.shape[1])):
        columns.append(block.argmax(1))
        values.append(block[every, columns[-1]])
        block[every, columns[-1]] = -np.inf
    return np.stack(columns, axis=1), np.stack(values, axis=1)


def calibrate(askers: Asker) -> Calibration:
    """Learn from those who asked; the plain one where they are too few."""
    strange = askers.strange_codes[:, 0] != NOBODY
    if min(askers.shared.sum(), strange.sum()) < ENOUGH:
        return Calibration()
    known = askers.shared
    trust, rest = _of_votes(askers.codes[known], askers.scores[known], askers.true[known])
    offset, slope = _of_nearest(askers.scores[known, 0], askers.strange_scores[strange, 0], unseen(known))
    return Calibration(trust=trust, others=rest, offset=offset, slope=slope, askers=len(known))


def unseen(shared: np.ndarray) -> float:
    """The share of photographs that show a brand the catalog has not. shared (Q,) bool."""
    return float(max(LEAST, 1 - shared.mean()))


def _of_votes(codes: np.ndarray, scores: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """trust and others: which of the brands that voted is the true one, or none of them."""
    votes = tallied(codes, scores)
    right = (codes == true[:, None]) & (votes > 0)
    features = np.zeros((len(votes), K + 1, 2))
    features[:, :K, 0] = np.log(np.maximum(votes, 10**-DECIMALS))
    features[:, K, 1] = 1
    there = np.column_stack([votes > 0, np.ones(len(votes), bool)])
    chosen = np.where(right.any(1), right.argmax(1), K)
    trust, rest = logit(features, there, chosen, np.ones(len(votes)), np.array([1.0, 0.0]))
    return max(0.0, float(trust)), float(rest)


def _of_nearest(known: np.ndarray, strange: np.ndarray, share: float) -> tuple[float, float]:
    """offset and slope: how the nearest cosine tells brands that are known from others, of which there is such a share."""
    both = np.concatenate([known, strange]).astype(float)
    middle, wide = both.mean(), max(float(both.std()), 10**-DECIMALS)
    features = np.zeros((len(both), 2, 2))
    features[:, 1] = np.column_stack([np.ones(len(both)), (both - middle) / wide])
    is_strange = np.arange(len(both)) >= len(known)
    weights = len(known) * np.where(is_strange, share / len(strange), (1 - share) / len(known))
    start = np.array([np.log(share / (1 - share)), 0.0])
    level, slope = logit(features, np.ones((len(both), 2), bool), is_strange.astype(int), weights, start)
    if slope >= 0:  # further away is never better known
        return float(start[0]), 0.0
    return float(level - slope * middle / wide), float(slope / wide)


def logit(
    features: np.ndarray, there: np.ndarray, chosen: np.ndarray, weights: np.ndarray, start: np.ndarray
) -> np.ndarray:
    """The coefficients w by which choices are most likely, where P(a) = exp(f_a . w) / sum over b of exp(f_b . w).

    Newton's steps; SOFT x |w - start|^2 / 2 is paid, so that few choices, or choices without exception, move w little.
    features (Q, A, F), there (Q, A) bool: what could be chosen; chosen, weights (Q,) -> (F,)
    """
    at = start.astype(float)
    picked = features[np.arange(len(chosen)), chosen]
    for _ in range(STEPS):
        mass = np.where(there, features @ at, -np.inf)
        chances = np.exp(mass - mass.max(1, keepdims=True))
        chances /= chances.sum(1, keepdims=True)
        mean = np.einsum("qa,qaf->qf", chances, features)
        uphill = weights @ (picked - mean) - SOFT * (at - start)
        away = features - mean[:, None]
        bend = np.einsum("q,qa,qaf,qag->fg", weights, chances, away, away) + SOFT * np.eye(len(at))
        step = np.linalg.solve(bend, uphill)
        at = at + step * min(1.0, STEP / max(float(np.linalg.norm(step)), STEP))
        if np.abs(step).max() < 10**-DECIMALS:
            break
    return at
