"""What is shown of a study or a search: a table of its runs, and what to type next.

In: runs and how they ended, finished trials. Out: lines on the terminal. Never: runs or chooses anything.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from lookalike.cli import show
from lookalike.cli.jobs import Job
from lookalike.cli.main import STOPPED
from lookalike.cli.pool import Ended
from lookalike.cli.sweep import typed


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One finished trial of a search."""

    number: int
    chosen: Mapping[str, Any]
    value: float | None  # None where it failed
    folder: str = ""


def plan(jobs: Sequence[Job], ended: Sequence[Ended | None], pool: int) -> None:
    """The table of a study that was not begun, and how long it will take."""
    study(jobs, ended)
    if told := _estimate(jobs, ended, pool):
        show.out.print(f"{told}\n", markup=False)


def study(jobs: Sequence[Job], ended: Sequence[Ended | None]) -> None:
    """The table of a study, and how to compare its runs."""
    swept = any(job.swept for job in jobs)
    arms = any(job.settings.arm for job in jobs)
    columns = ("arm" if arms else "run", "seed", *["setting"] * swept, *("val map@r", "test recall@1", "minutes", ""))
    rows = [
        (
            job.settings.arm or job.settings.name,
            job.settings.seed,
            *[job.swept.replace(" ", "\n")] * swept,
            *_figures(one),
            _how(one),
        )
        for job, one in zip(jobs, ended, strict=True)
    ]
    count = sum(one is not None and not one.code for one in ended)
    title = jobs[0].settings.name.removesuffix(f"-{jobs[0].settings.arm}")
    show.table(f"{title}: {count} of {len(jobs)} runs stand", columns, rows, whole=2 + swept)
    if told := _compare(jobs, ended):
        show.out.print(f"compare them: {told}\n", markup=False)


def _figures(one: Ended | None) -> tuple[str, ...]:
    """Val map@r, test recall@1 with its 95 % interval, minutes."""
    if one is None or not one.metrics:
        return ("-",) * 3
    told = one.metrics["test"]["recall@1"]
    return (
        f"{one.metrics['val']['map@r']['value']:.3f}",
        f"{told['value']:.3f} ({told['ci95'][0]:.3f} to {told['ci95'][1]:.3f})",
        f"{one.metrics['cost']['training_minutes']:.1f}",
    )


def begins(told: str) -> None:
    """What is begun, for somebody who watches; a log has a line of each run when it is done."""
    if show.err.is_terminal:
        show.err.print(told, style="bold", markup=False)


def line(one: Ended) -> str:
    """How a run ended, in a line."""
    if one.why or not one.metrics:
        return one.why or f"exit code {one.code}"
    score, recall, minutes = _figures(one)
    return f"val map@r {score}, test recall@1 {recall}, {minutes} minutes{', stood' if one.stood else ''}"


def _estimate(jobs: Sequence[Job], ended: Sequence[Ended | None], pool: int) -> str:
    """How long what is missing will take, by the runs that stand: of its own arm, or else of all."""
    spent = [
        (job.settings.arm, float(one.metrics["cost"]["training_minutes"]))
        for job, one in zip(jobs, ended, strict=True)
        if one and one.metrics
    ]
    missing = [job.settings.arm for job, one in zip(jobs, ended, strict=True) if one is None]
    if not spent or not missing:
        return ""
    every = fmean(minutes for _, minutes in spent)
    own = [[minutes for arm, minutes in spent if arm == wanted] for wanted in missing]
    whole = sum(fmean(minutes) if minutes else every for minutes in own)
    at_once = f", {pool} at once" if pool > 1 else ""
    return f"{len(missing)} to be done: about {whole / pool:.1f} minutes of training, by those that stand{at_once}"


def _how(one: Ended | None) -> str:
    if one is None:
        return "to be done"
    if one.code:
        return "stopped" if one.code == STOPPED else f"failed: {one.why.splitlines()[0] if one.why else one.code}"
    return "stood" if one.stood else "done"


def _compare(jobs: Sequence[Job], ended: Sequence[Ended | None]) -> str:
    """The command that compares what stands: by name, or by folder where several settings share a name."""
    whole = [(job, one) for job, one in zip(jobs, ended, strict=True) if one and one.folder]
    if len({(job.settings.name, job.swept) for job, _ in whole}) < 2:
        return ""
    by_folder = any(job.swept for job, _ in whole)
    names = dict.fromkeys(one.folder if by_folder else job.settings.name for job, one in whole)
    runs = whole[0][0].settings.paths.runs
    return shlex.join(["lookalike", "compare", *names, *([f"paths.runs={runs}"] if runs != "runs" else [])])


def search(title: str, objective: str, names: Sequence[str], trials: Sequence[Trial]) -> None:
    """The table of a search, best first, those that failed last."""
    ordered = sorted(trials, key=lambda one: (one.value is None, -(one.value or 0.0)))
    rows = [
        (
            one.number,
            *(short(one.chosen.get(name)) for name in names),
            "failed" if one.value is None else short(one.value),
        )
        for one in ordered
    ]
    columns = ("trial", *_heads(names), objective.replace(" ", "\n"))
    show.table(title, columns, rows, whole=len(columns))


def _heads(names: Sequence[str]) -> list[str]:
    """Settings as a table's heads: the last part of each, where that is no other's too."""
    last = [name.rpartition(".")[2] for name in names]
    return [
        short if last.count(short) == 1 else name.replace(".", ".\n") for short, name in zip(last, names, strict=True)
    ]


def best(one: Trial, importance: Mapping[str, float]) -> None:
    """How much each setting mattered, and what to type to have the best again."""
    told = {name: f"{share:.0%}" for name, share in importance.items()}
    show.facts("how much each setting mattered", told or {"": "too few trials, or all alike, to tell"})
    words = shlex.join(f"{key}={typed(value)}" for key, value in one.chosen.items())
    show.facts("the best", {"folder": one.folder, "its words": words})


def said(chosen: Mapping[str, Any]) -> str:
    """What a trial chose, in a line."""
    return " ".join(f"{key}={short(value)}" for key, value in chosen.items())


def short(value: Any) -> str:
    """A value of a trial."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
