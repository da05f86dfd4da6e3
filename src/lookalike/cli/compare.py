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
from lookalike.tracking.entries import Found, entries, run_of, seed_of

COSTS = ("training_minutes", "milliseconds_per_image", "milliseconds_per_query", "megabytes", "dimensions")
WIDEST = 1000  # letters of a line where no terminal bounds it
BLOCKS = (
    range(5),
    range(5, 8),
    range(8, 8 + len(leaderboard.COSTS)),
)  # columns that make a table where all are too wide


def run(settings: Compare) -> int:
    """Find, compare, say, write."""
    if settings.name and (fault := folder_fault(settings.name)):
        raise ConfigError(f"name {fault} (you gave {settings.name!r})")
    runs = Path(settings.paths.runs)
    found = entries(settings.runs, runs)
    compared = compare(
        _labelled([_entry(one) for one in found]),
        metric=settings.metric,
        against=_against(settings, runs),
        seed=settings.seed,
    )
    folder = runs / "comparisons" / (settings.name or _digest(settings, compared, found))
    _say(compared)
    written = _write(folder, compared, found)
    if settings.tracking != "local":
        from lookalike.tracking import workspace  # W&B takes a second to import, and is not everybody's

        written["W&B"] = workspace.shown(compared, settings, folder)
    show.facts("written", written)
    return 0


def _against(settings: Compare, runs: Path) -> str:
    """The name of the entry that the others are compared with; "" for the best."""
    if not settings.against:
        return ""
    meant = entries([settings.against], runs)
    if len(meant) > 1:
        raise ConfigError(f"against={settings.against}: {len(meant)} entries match; name one of them")
    return meant[0].name


# From folders to entries


def _entry(found: Found) -> Entry:
    folders, told = found.folders, [record.metrics_of(one) for one in found.folders]
    return Entry(
        name=found.name,
        label=str(told[0].get("subject", found.name)),
        tables=tuple(_table(one) for one in folders),
        seeds=tuple(seed_of(one) for one in folders),
        dataset=str(told[0].get("dataset") or record.dataset_of(folders[0])),
        protocol=told[0].get("protocol", {}),
        cost=_cost([_costs(one, of) for one, of in zip(folders, told, strict=True)]),
        learns=_learns(run_of(folders[0]), told[0]),
    )


def _labelled(found: Sequence[Entry]) -> list[Entry]:
    """Each by a label of its own: one subject may have been measured in several ways."""
    labels = Counter(one.label for one in found)
    return [replace(one, label=one.name) if labels[one.label] > 1 else one for one in found]


def _learns(run: Path | None, told: Mapping[str, Any]) -> bool:
    """Whether another seed would give other vectors."""
    return _chance(record.settings_of(run)) if run else "seed" in told.get("vectors", {})


def _chance(said: Mapping[str, Any]) -> bool:
    """Whether another seed would give another network."""
    return bool(said.get("epochs", 1)) or dict(said.get("backbone") or {}).get("weights") == "random"


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
    runs = sorted(str(folder.resolve()) for one in found for folder in one.folders)
    told = "\n".join([*runs, compared.metric, compared.against, str(settings.seed)])
    words = f"{compared.dataset.replace('@', '-')}-{compared.metric}"
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '_', words)}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"


def _write(folder: Path, compared: Comparison, found: Sequence[Found]) -> dict[str, Any]:
    """The comparison for machines, for Markdown and for the eye."""
    folders = {one.name: [str(of) for of in one.folders] for one in found}
    metrics = {one.name: [record.metrics_of(of) for of in one.folders] for one in found}
    page = comparison_page.render(compared, metrics, folders, made=datetime.now(UTC))
    places = {"page": "comparison.html", "table": "leaderboard.md", "figures": "comparison.json"}
    files.write_text(folder / places["page"], page)
    files.write_text(folder / places["table"], leaderboard.markdown(compared))
    files.write_json(folder / places["figures"], leaderboard.told(compared, folders))
    return {what: folder / file for what, file in places.items()}


def _say(compared: Comparison) -> None:
    """The leaderboard, and the answer in words."""
    out = show.out if show.out.is_terminal else Console(width=WIDEST, highlight=False)  # a file has room for every line
    whole = _drawn(compared, [number for block in BLOCKS for number in block])
    wanted = out.measure(whole, options=out.options.update(width=WIDEST)).maximum
    for drawn in [whole] if wanted <= out.width else [_drawn(compared, sorted({0, 1, *block})) for block in BLOCKS]:
        out.print(drawn)
        out.print()
    show.out.print(Text(f"{leaderboard.answer(compared)}\n"))


def _drawn(compared: Comparison, chosen: Sequence[int]) -> Table:
    title = f"{compared.metric} on {compared.dataset}, {compared.queries} queries"
    drawn = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    columns = leaderboard.columns(compared)
    for number in chosen:
        drawn.add_column(Text(columns[number]), justify="left" if number in {1, 7} else "right", overflow="fold")
    for row, line in zip(compared.rows, leaderboard.lines(compared), strict=True):
        style = "bold" if row.entry.name == compared.winner else ""
        drawn.add_row(*(Text(line.cells[number]) for number in chosen), style=style)
    return drawn
