"""Which search index a catalog needs, by measuring: what it finds of what the exact search finds, how fast, how large.

In: a catalog's vectors, and the least share of the exact nearest that must be found. Out: an index that finds it, or none,
and what was measured, as plain data. Never: believes a figure of another catalog, or keeps an index that finds less.

Questions are the catalog's own pictures, moved. They are asked with several weights of color, and with filters that leave
any few, or those that look alike, as a category's do, few or half of all. An index must reach the share in every case, for
a first look and for some pages, not on average.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lookalike.retrieval.index import EXACT_LEFT, KINDS, LINKS, Ann, build, lists, search, width_of
from lookalike.retrieval.scan import BLOCK, Found, Vectors, exact, widened
from lookalike.retrieval.search import NOBODY
from lookalike.retrieval.significance import interval
from lookalike.settings import ConfigError

EXACT_NUMBERS = 120_000_000  # of all vectors: 200,000 of 256 + 335 are compared with one query in about 50 ms
DEPTHS = (10, 100)  # nearest that are asked for: a first look, and some pages
WEIGHTS = (0.0, 0.2, 0.5, 0.8, 1.0)  # of color; an index of both may have to look much further for color alone
FILTERS = {"none": 1.0, "any 1 %": 0.01, "any 10 %": 0.1, "alike 10 %": 0.1, "alike 50 %": 0.5}  # what each leaves
QUESTIONS = 200
MOVED = 0.5  # how far a question lies from its picture; both parts then have a cosine of about 0.89 with it
TIMED = 20  # questions asked one by one, as a shopper asks
TIMED_EXACT = 3
LEAST = {"ivf": 8, "hnsw": 32}  # the effort that the first try makes
MOST_IN_VIEW = 4096  # of a graph: one that must look further was not linked well
TRIAL = 10_000  # rows of the graph that tells how long the whole one would take
MEGABYTES, MINUTES = 4000, 30  # an index that needs more memory, or a graph that needs more time, is not built

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Questions:
    """Queries. shape (Q, D), color (Q, C), float32, unit."""

    shape: np.ndarray
    color: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Case:
    """One weight and one filter, with what the exact search finds. allowed (N,) bool; None lets all through."""

    weight: float
    filtered: str
    allowed: np.ndarray | None
    nearest: Found


@dataclass(frozen=True, kw_only=True)
class Task:
    """A catalog, what is asked of it, and within which bounds an index may be built. exact_left: as `search` takes it."""

    vectors: Vectors
    asked: Questions
    cases: Sequence[Case]
    recall: float
    megabytes: float
    minutes: float
    exact_left: int
    seed: int
    tell: Tell


def choose(
    vectors: Vectors,
    *,
    kind: str = "auto",
    recall: float = 0.99,
    seed: int,
    tell: Tell,
    exact_numbers: int = EXACT_NUMBERS,
    exact_left: int = EXACT_LEFT,
    megabytes: float = MEGABYTES,
    minutes: float = MINUTES,
) -> tuple[Ann | None, dict[str, Any]]:
    """The quickest index that finds `recall` of the exact nearest in every case; none where exact does, or none finds it.

    kind: "auto" needs no index up to `exact_numbers`, and above tries each kind; "exact", "ivf" or "hnsw" ask for that one.
    The facts are plain data. exact_left: as `search` takes it.
    """
    if kind not in ("auto", "exact", *KINDS):
        raise ConfigError(f"kind={kind!r} cannot be built; give auto, exact, {' or '.join(KINDS)}")
    rows, exact_rows = len(vectors.ids), rows_of(exact_numbers, vectors)
    facts = {
        "rows": rows,
        "dimensions": [vectors.shape.shape[1], vectors.color.shape[1]],
        "wanted": recall,
        "seed": seed,
    }
    asked = questions(vectors, seed)
    facts["exact_milliseconds"] = round(_milliseconds(vectors, None, asked, 0.5, None, TIMED_EXACT), 3) if rows else 0.0
    if kind == "exact" or not rows or (kind == "auto" and rows <= exact_rows):
        why = "asked for" if kind == "exact" else f"all of up to {exact_rows:,} such pictures are compared"
        return None, {**facts, **_none(why), "dropped": []}
    tell(f"comparing {len(asked.shape)} questions with all {rows:,} pictures, {len(WEIGHTS) * len(FILTERS)} times")
    task = Task(
        vectors=vectors,
        asked=asked,
        cases=cases_of(vectors, asked, seed),
        recall=recall,
        megabytes=megabytes,
        minutes=minutes,
        exact_left=exact_left,
        seed=seed,
        tell=tell,
    )
    return _quickest([_tried(task, one) for one in (KINDS if kind == "auto" else (kind,))], facts)


def rows_of(numbers: int, vectors: Vectors) -> int:
    """How many pictures have so many numbers, in whole thousands where there are some."""
    rows: int = numbers // (vectors.shape.shape[1] + vectors.color.shape[1])
    return rows // 1000 * 1000 or rows


def _none(why: str) -> dict[str, Any]:
    return {"kind": "exact", "why": why, "parameters": {}, "megabytes": 0, "build_seconds": 0, "measured": []}


def _quickest(
    tried: Sequence[tuple[Ann | None, dict[str, Any]]], facts: dict[str, Any]
) -> tuple[Ann | None, dict[str, Any]]:
    """Of the indexes that reach what is wanted, the one that answers soonest without a filter; the rest by their facts."""
    reach = [(ann, told) for ann, told in tried if ann]
    if not reach:
        why = f"no index finds {facts['wanted']:.2%} of the exact nearest within its bounds"
        return None, {**facts, **_none(why), "dropped": [told for _, told in tried]}
    kept, told = min(reach, key=lambda one: _soon(one[1]))
    others = [other if ann is None else {**other, "why": "slower"} for ann, other in tried if ann is not kept]
    return kept, {**facts, **told, "why": "the quickest that finds what is wanted", "dropped": others}


def _soon(told: dict[str, Any]) -> float:
    return float(np.mean([line["milliseconds"] for line in told["measured"] if line["filter"] == "none"]))


def _tried(task: Task, kind: str) -> tuple[Ann | None, dict[str, Any]]:
    """An index that finds what is wanted, or None, and its facts."""
    needs = megabytes_of(kind, len(task.vectors.ids), width_of(task.vectors))
    told: dict[str, Any] = {"kind": kind, "megabytes": round(needs, 1)}
    if needs > task.megabytes:
        return None, {**told, "why": f"needs {needs:,.0f} MB where {task.megabytes:,.0f} are allowed"}
    if kind == "hnsw" and (would := _would_take(task.vectors, kind, task.seed)) > task.minutes:
        return None, {**told, "why": f"would take {would:,.0f} minutes to build where {task.minutes:g} are allowed"}
    began = time.perf_counter()
    ann = build(task.vectors, kind, seed=task.seed, tell=task.tell)
    told["build_seconds"] = round(time.perf_counter() - began, 1)
    ann, reaches = raised(task, ann)
    told |= {
        "parameters": ann.parameters,
        "efforts": [list(one) for one in ann.efforts],
        "measured": _measured(task.vectors, ann, task.asked, task.cases, task.exact_left),
    }
    if not reaches:
        return None, {**told, "why": f"finds less than {task.recall:.2%} of the exact nearest, however far it looks"}
    return replace(ann, measured=told), told


def megabytes_of(kind: str, rows: int, width: int) -> float:
    """The memory of an index, which is its file's size too."""
    codes = rows * (width + 8)  # a byte a number, and the id
    if kind == "ivf":
        return (codes + lists(rows) * width * 4) / 1e6
    links = 2 * LINKS + LINKS / (LINKS - 1)  # on the lowest level twice as many; one in LINKS stands on the next
    return (codes + rows * (4 * links + 12)) / 1e6


def _would_take(vectors: Vectors, kind: str, seed: int) -> float:
    """Minutes that a graph would take, by one of TRIAL rows: a row's way to its place grows as the logarithm of all."""
    rows = len(vectors.ids)
    if rows < 2 * TRIAL:
        return 0.0
    some = np.sort(np.random.default_rng(seed).permutation(rows)[:TRIAL])
    few = Vectors(shape=vectors.shape[some], color=vectors.color[some], ids=vectors.ids[some])
    began = time.perf_counter()
    build(few, kind, seed=seed, tell=lambda _: None)
    return float((time.perf_counter() - began) / 60 * rows * np.log(rows) / (TRIAL * np.log(TRIAL)))


def measure(vectors: Vectors, ann: Ann | None, *, seed: int, exact_left: int = EXACT_LEFT) -> list[dict[str, Any]]:
    """What a search finds and takes as it is, say after `changed`.

    A line for each weight of color and filter: the rows that it leaves, what is found, and the time of one question.
    """
    asked = questions(vectors, seed)
    return _measured(vectors, ann, asked, cases_of(vectors, asked, seed), exact_left)


def questions(vectors: Vectors, seed: int) -> Questions:
    """Some of the catalog's pictures, moved by noise in all directions."""
    random = np.random.default_rng(seed)
    rows = np.sort(random.permutation(len(vectors.ids))[:QUESTIONS])
    return Questions(shape=_moved(vectors.shape[rows], random), color=_moved(vectors.color[rows], random))


def _moved(vectors: np.ndarray, random: np.random.Generator) -> np.ndarray:
    noise = _unit(random.standard_normal(vectors.shape, np.float32))
    return _unit(_unit(np.asarray(vectors, np.float32)) + MOVED * noise)


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


def cases_of(vectors: Vectors, asked: Questions, seed: int) -> list[Case]:
    """Every weight with every filter, the first without one."""
    random = np.random.default_rng(seed + 1)
    alike = _alike(vectors, int(random.integers(len(vectors.ids))))
    masks = {name: _mask(name, share, alike, random) for name, share in FILTERS.items()}
    return [
        Case(
            weight=weight,
            filtered=name,
            allowed=allowed,
            nearest=exact(vectors, asked.shape, asked.color, weight, max(DEPTHS), allowed),
        )
        for name, allowed in masks.items()
        for weight in WEIGHTS
    ]


def _alike(vectors: Vectors, row: int) -> np.ndarray:
    """How near the shape of each is to that of one. -> (N,)."""
    one = np.asarray(vectors.shape[row], np.float32)
    parts = [slice(start, start + BLOCK) for start in range(0, len(vectors.ids), BLOCK)]
    return np.concatenate([widened(vectors.shape[part]) @ one for part in parts])


def _mask(name: str, share: float, alike: np.ndarray, random: np.random.Generator) -> np.ndarray | None:
    if share == 1:
        return None
    order = np.argsort(-alike) if name.startswith("alike") else random.permutation(len(alike))
    allowed = np.zeros(len(alike), bool)
    allowed[order[: max(1, round(share * len(alike)))]] = True
    return allowed


def raised(task: Task, ann: Ann) -> tuple[Ann, bool]:
    """An index that looks twice as far until it finds what is wanted; and whether it does.

    At each weight, without a filter and with each: what a filter lets through may lie far from the question.
    """
    most = ann.index.nlist if ann.kind == "ivf" else min(MOST_IN_VIEW, len(task.vectors.ids))
    efforts = []
    for weight in WEIGHTS:
        cases = [case for case in task.cases if case.weight == weight]
        free = _least(task, ann, [case for case in cases if case.allowed is None], LEAST[ann.kind], most)
        if free is None:
            return ann.looking(most), False
        # from there on, as a filter may let nearly all through
        filtered = _least(task, ann, [case for case in cases if case.allowed is not None], free, most)
        if filtered is None:
            return ann.looking(most), False
        efforts.append((weight, free, filtered))
    return ann.reaching(efforts), True


def _least(task: Task, ann: Ann, cases: Sequence[Case], effort: int, most: int) -> int | None:
    """How far, from an effort on, one must look in these cases, all of one weight; None where that is never far enough."""
    waiting = list(cases)
    while True:
        looking = ann.looking(min(effort, most))
        shares = ((case, _least_recall(task, looking, case)) for case in waiting)
        missed = next((case for case, share in shares if share < task.recall), None)
        said = "enough" if missed is None else f"too little, filter {missed.filtered}"
        task.tell(f"{ann.kind} {looking.parameters} at color weight {cases[0].weight:g}: {said}")
        if missed is None:
            return looking.effort
        if effort >= most:
            return None
        waiting.sort(key=lambda case: case is not missed)  # what failed is the first to fail again
        effort *= 2


def _measured(
    vectors: Vectors, ann: Ann | None, asked: Questions, cases: Sequence[Case], exact_left: int
) -> list[dict[str, Any]]:
    lines = []
    for case in cases:
        line: dict[str, Any] = {"weight": case.weight, "filter": case.filtered}
        line["rows"] = len(vectors.ids) if case.allowed is None else int(case.allowed.sum())
        for depth in DEPTHS:
            shares = _shares(vectors, ann, asked, case, depth, exact_left)
            line[f"recall@{depth}"] = round(float(shares.mean()), 5)
            line[f"recall@{depth} ci95"] = [round(end, 5) for end in interval(shares, np.arange(len(shares)))]
        line["milliseconds"] = round(
            _milliseconds(vectors, ann, asked, case.weight, case.allowed, TIMED, exact_left=exact_left), 3
        )
        lines.append(line)
    return lines


def reaches(lines: Sequence[Mapping[str, Any]], recall: float) -> bool:
    """Whether what was measured is as much as is wanted, in every case."""
    return all(line[f"recall@{depth}"] >= recall for line in lines for depth in DEPTHS)


def _least_recall(task: Task, ann: Ann, case: Case) -> float:
    return min(float(_shares(task.vectors, ann, task.asked, case, depth, task.exact_left).mean()) for depth in DEPTHS)


def _shares(vectors: Vectors, ann: Ann | None, asked: Questions, case: Case, depth: int, exact_left: int) -> np.ndarray:
    """Of the exact nearest of each question the share that is found. One that ties with the last is as good as it. -> (Q,)"""
    found = search(vectors, ann, asked.shape, asked.color, case.weight, depth, case.allowed, exact_left=exact_left)
    there = case.nearest.ids[:, :depth] != NOBODY
    last = np.where(there, case.nearest.scores[:, :depth], np.inf).min(1, keepdims=True)
    shares: np.ndarray = (found.scores >= last).sum(1) / there.sum(1)
    return shares


def _milliseconds(
    vectors: Vectors,
    ann: Ann | None,
    asked: Questions,
    weight: float,
    allowed: np.ndarray | None,
    count: int,
    *,
    exact_left: int = EXACT_LEFT,
) -> float:
    """The median time of one question asked alone."""
    spent = []
    for one in (slice(at, at + 1) for at in range(min(count, len(asked.shape)))):
        began = time.perf_counter()
        search(vectors, ann, asked.shape[one], asked.color[one], weight, DEPTHS[0], allowed, exact_left=exact_left)
        spent.append(time.perf_counter() - began)
    return 1000 * float(np.median(spent))
