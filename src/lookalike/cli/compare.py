"""`lookalike compare`: the leaderboard of runs from the stored results of each query, and which differences are real."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lookalike import files
from lookalike.cli import show
from lookalike.reporting import comparison_page, leaderboard
from lookalike.retrieval.comparison import Comparison, Entry, compare
from lookalike.settings import Compare, ConfigError, DataError, folder_fault
from lookalike.tracking import record
from lookalike.tracking.entries import Found, by_chance, entries, run_of, seed_of

COSTS = ("training_minutes", "milliseconds_per_image", "milliseconds_per_query", "megabytes", "dimensions")
WIDEST = 1000  # letters of a line where no terminal bounds it
HEADS_OF_THEIR_OWN = ("identity", "affine")  # they draw no weights by chance


def run(settings: Compare) -> int:
    """Find, compare, say, write."""
    if settings.name and (fault := folder_fault(settings.name)):
        raise ConfigError(f"name {fault} (you gave {settings.name!r})")
    runs = Path(settings.paths.runs)
    found = entries(settings.runs, runs)
    compared = compare(
        _labelled([_entry(one) for one in found]),
        metric=settings.metric,
        against=_against(settings, found, runs),
        seed=settings.seed,
    )
    folder = runs / "comparisons" / (settings.name or _digest(settings, compared, found))
    notes = _notes(compared, found)
    _say(compared, notes)
    written = _write(folder, compared, found, notes)
    if settings.tracking != "local":
        from lookalike.tracking import workspace  # W&B takes a second to import, and is not everybody's

        written["W&B"] = workspace.shown(compared, settings, folder)
    show.facts("written", written)
    return 0


def _against(settings: Compare, found: Sequence[Found], runs: Path) -> str:
    """The name of the entry that the others are compared with; "" for the best."""
    if not settings.against:
        return ""
    meant = entries([settings.against], runs, setting="against")
    if len(meant) > 1:
        raise ConfigError(f"against={settings.against}: {len(meant)} entries match; name one of them")
    # what it is called depends on what else is compared
    alike = (one.name for one in found if {*_places(one)} == {*_places(meant[0])})
    return next(alike, meant[0].name)


def _places(found: Found) -> list[str]:
    return [str(folder.resolve()) for folder in found.folders]


def _notes(compared: Comparison, found: Sequence[Found]) -> list[str]:
    """Which runs of a name are not in its figures."""
    return [f"{leaderboard.label_of(compared, one.name)}: {why}" for one in found for why in one.left_out]


# From folders to entries


def _entry(found: Found) -> Entry:
    folders, told = found.folders, [record.metrics_of(one) for one in found.folders]
    return Entry(
        name=found.name,
        label=str(told[0].get("subject", found.name)) if len(folders) == 1 else found.name,
        tables=tuple(_table(one) for one in folders),
        seeds=tuple(seed_of(one) for one in folders),
        dataset=str(told[0].get("dataset") or record.dataset_of(folders[0])),
        protocol=side_by_side([one.get("protocol", {}) for one in told]),
        cost=_cost([_costs(one, of) for one, of in zip(folders, told, strict=True)]),
        learns=learns(folders[0]),
    )


def _labelled(found: Sequence[Entry]) -> list[Entry]:
    """Each by a label of its own: one subject may have been measured in several ways."""
    labels = Counter(one.label for one in found)
    unique = [replace(one, label=one.name) if labels[one.label] > 1 else one for one in found]
    before = len(shared([one.label for one in unique]))
    return [replace(one, label=one.label[before:]) for one in unique]


def shared(labels: Sequence[str]) -> str:
    """What all labels begin with, to a joint in them: the arms of one study are told apart by what follows."""
    if len(labels) <= 2:
        return ""
    first, last = min(labels)[:-1], max(labels)[:-1]  # of each something is left
    until = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), None)
    common = first[: min(len(first), len(last)) if until is None else until]
    return common[: max(common.rfind(joint) for joint in "-/") + 1]


def side_by_side(seeds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """By what rules the seeds were measured; what each of them has for itself, such as its weight of color, side by side."""
    names = dict.fromkeys(name for one in seeds for name in one)
    values = {name: list(dict.fromkeys(one.get(name) for one in seeds)) for name in names}
    return {name: some[0] if len(some) == 1 else ", ".join(map(str, some)) for name, some in values.items()}


def learns(folder: Path) -> bool:
    """Whether another seed would give other vectors."""
    run = run_of(folder)
    return _chance(record.settings_of(run)) if run else by_chance(folder)


def _chance(said: Mapping[str, Any]) -> bool:
    """Whether another seed would give another network: it learnt, was made of what learnt, or has weights that were drawn."""
    backbone, head = (dict(said.get(name) or {}) for name in ("backbone", "head"))
    drawn = head.get("name", "identity") not in HEADS_OF_THEIR_OWN and not said.get("start")
    return bool(said.get("epochs", 1) or said.get("soup") or drawn or backbone.get("weights") == "random")


def _table(folder: Path) -> pl.DataFrame:
    path = folder / "per_query.parquet"
    try:
        return pl.read_parquet(path)
    except FileNotFoundError:
        raise DataError(f"{path} is missing; {record.MEND}") from None
    except pl.exceptions.PolarsError as wrong:
        raise DataError(f"{path}: altered or cut short ({wrong}); {record.MEND}") from None


def _costs(folder: Path, told: Mapping[str, Any]) -> dict[str, Any]:
    """What a run cost; an evaluation of it has the run's training."""
    own, run = told.get("cost") or {}, run_of(folder)
    if run in (None, folder):
        return dict(own)
    trained = record.metrics_of(run).get("cost") or {}
    return {**trained, **own, "training_minutes": trained.get("training_minutes")}


def _cost(seeds: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """The mean over seeds of each cost that all of them tell."""
    return {
        name: mean(float(one[name]) for one in seeds) if all(one.get(name) is not None for one in seeds) else None
        for name in COSTS
    }


# What it leaves behind


def _digest(settings: Compare, compared: Comparison, found: Sequence[Found]) -> str:
    """A folder's name that tells what is compared: the same again has the same place."""
    runs = sorted(place for one in found for place in _places(one))
    told = "\n".join([*runs, compared.metric, compared.against, str(settings.seed)])
    words = f"{compared.dataset.replace('@', '-')}-{compared.metric}"
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '_', words)}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"


def _write(folder: Path, compared: Comparison, found: Sequence[Found], notes: Sequence[str]) -> dict[str, Any]:
    """The comparison for machines, for Markdown and for the eye."""
    folders = {one.name: [str(of) for of in one.folders] for one in found}
    metrics = {one.name: [record.metrics_of(of) for of in one.folders] for one in found}
    page = comparison_page.render(compared, metrics, folders, made=datetime.now(UTC), notes=notes)
    places = {"page": "comparison.html", "table": "leaderboard.md", "figures": "comparison.json"}
    files.write_text(folder / places["page"], page)
    files.write_text(folder / places["table"], leaderboard.markdown(compared, notes))
    files.write_json(folder / places["figures"], leaderboard.told(compared, folders, notes))
    return {what: folder / file for what, file in places.items()}


def _say(compared: Comparison, notes: Sequence[str]) -> None:
    """The leaderboard, the answer in words, and which runs are not in it."""
    out = show.out if show.out.is_terminal else Console(width=WIDEST, highlight=False)  # a file has room for every line
    whole = _drawn(compared, leaderboard.GROUPS)
    wanted = out.measure(whole, options=out.options.update(width=WIDEST)).maximum
    for drawn in [whole] if wanted <= out.width else [_drawn(compared, [group]) for group in leaderboard.GROUPS]:
        out.print(drawn)
        out.print()
    if puzzling := leaderboard.puzzles(compared):
        show.out.print(Text(f"{puzzling}\n"))
    show.out.print(Text(f"{leaderboard.answer(compared)}\n"))
    for note in notes:
        show.out.print(Text(f"{note}.\n", style="yellow"))


def _drawn(compared: Comparison, groups: Sequence[str]) -> Table:
    """A table of some groups of columns, and of those that every group is read with."""
    title = f"{compared.metric} on {compared.dataset}, {compared.queries} queries"
    drawn = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    columns = leaderboard.columns(compared)
    chosen = [number for number, one in enumerate(columns) if one.group in {"", *groups}]
    for one in (columns[number] for number in chosen):
        drawn.add_column(Text(one.title), justify="left" if one.left else "right", overflow="fold")
    for row, line in zip(compared.rows, leaderboard.lines(compared), strict=True):
        style = "bold" if row.entry.name == compared.winner else ""
        drawn.add_row(*(Text(line.cells[number]) for number in chosen), style=style)
    return drawn
