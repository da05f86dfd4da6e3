"""A comparison as W&B shows it: a Workspace of the compared runs, and a Report, both built as code.

In: a `Comparison` and the folder that holds it, with leaderboard.md and comparison.json. Out: workspace.json and report.json
beside them, the very specifications that W&B is sent, and the two at W&B where it can be reached. Never: shows a run or a
figure that the mirror did not send there, fails a comparison that can do without, or prints.

A Report needs no login to be built as long as its runs are of its own project: only another's would have to be asked for.
"""

import json
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lookalike import files
from lookalike.retrieval.comparison import Comparison
from lookalike.settings import Compare, LookalikeError
from lookalike.tracking import mirror, record

CURVES = ("val/map@r", "train/loss")  # of history.jsonl
COSTS = ("milliseconds_per_image", "training_minutes", "milliseconds_per_query", "megabytes", "dimensions")
LONGEST_TITLE = 128  # W&B's
WIDE, HIGH = 12, 8  # of a panel, where a report is 24 wide
MEND = "or compare with tracking=local"


@dataclass(frozen=True, kw_only=True)
class There:
    """Those of the compared runs that were mirrored, and what W&B is told of them, by its names there."""

    runs: int  # compared in all
    ids: tuple[str, ...]
    by_name: bool  # the runs of one name are the seeds of one entry, and may be drawn as one
    curves: tuple[str, ...]  # that any of them has
    figure: str  # what orders them
    costs: tuple[str, ...]  # that were measured


def shown(comparison: Comparison, settings: Compare, folder: Path) -> str:
    """Save both specifications, create both where W&B is at hand, and say where they are; "" where nobody asked.

    Where W&B cannot be had, `tracking=wandb` is an error, and `both` a sentence that says why.
    """
    if settings.tracking == "local":
        return ""
    lacks = _unbuildable() or mirror.fault()
    if lacks and settings.tracking == "wandb":
        raise LookalikeError(f"tracking=wandb: {lacks}; {MEND}")
    if _unbuildable():
        return f"W&B will not show this comparison: {lacks}"
    markdown = (folder / "leaderboard.md").read_text("utf-8")
    there = among(comparison, settings.wandb.project, _runs_of(folder))
    saved = _saved(_built(comparison, settings, markdown, there, settings.wandb.entity), folder)
    if lacks:
        said = f"W&B will not show this comparison: {lacks}. {saved}."
    elif _is_offline():
        said = f"W&B is offline. {saved}; sync the runs and compare again online, which creates both."
    else:
        said = _created(comparison, settings, markdown, there)
    return f"{said} {_unseen(there, settings)}".strip()


def among(comparison: Comparison, project: str, folders: Mapping[str, Sequence[Path]]) -> There:
    """What W&B has, or will have after a sync, of the compared runs. An evaluation elsewhere is not mirrored."""
    mirrored = {name: [one for one in each if _is_mirrored(one, project)] for name, each in folders.items()}
    owners = Counter(run for each in mirrored.values() for run in {one.parent.name for one in each})
    costs = [row.entry.cost for row in comparison.rows if mirrored.get(row.entry.name)]
    return There(
        runs=sum(map(len, folders.values())),
        ids=tuple(_id(one).read_text("utf-8").strip() for each in mirrored.values() for one in each),
        by_name=max(owners.values(), default=0) == 1,
        curves=_logged(one for each in mirrored.values() for one in each),
        figure=f"test/{comparison.metric}",
        costs=tuple(f"cost/{name}" for name in COSTS if any(cost.get(name) is not None for cost in costs)),
    )


def _runs_of(folder: Path) -> dict[str, list[Path]]:
    """The runs of each entry, by its name."""
    rows = json.loads((folder / "comparison.json").read_text("utf-8"))["rows"]
    return {row["name"]: [Path(run) for run in row["runs"]] for row in rows}


def _id(run: Path) -> Path:
    """Where the mirror keeps the name of a run at W&B."""
    return run / "wandb" / "id"


def _is_mirrored(run: Path, project: str) -> bool:
    return _id(run).is_file() and bool(record.settings_of(run)["wandb"]["project"] == project)


def _logged(runs: Iterable[Path]) -> tuple[str, ...]:
    """The curves; a closed form has none of its loss."""
    names = {name for run in runs for line in record.history_of(run) for name in line}
    return tuple(name for name in CURVES if name in names)


def _unseen(there: There, settings: Compare) -> str:
    """What a reader will miss there."""
    lacking = there.runs - len(there.ids)
    if not lacking:
        return ""
    who = f"{lacking} of its {there.runs} runs are" if there.ids else "All its runs are"
    return f"{who} missing from W&B's project {settings.wandb.project!r}: train with tracking=both. The table has them all."


def _unbuildable() -> str:
    """Why nothing can be built; "" where it can."""
    try:
        with _quiet():
            import wandb_workspaces.reports.v2.interface
            import wandb_workspaces.workspaces  # noqa: F401
    except (ImportError, AttributeError) as wrong:  # a folder that is called wandb is imported as an empty package
        return f"wandb-workspaces cannot be imported ({wrong}); install it: pip install 'wandb-workspaces>=0.4.13'"
    return ""


@contextmanager
def _quiet() -> Iterator[None]:
    """wandb-workspaces 0.4.13 is written with what its own libraries will give up one day, and says so at each import."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def _is_offline() -> bool:
    import wandb

    return wandb.setup().settings.mode in mirror.OFFLINE


# Built


def _built(comparison: Comparison, settings: Compare, markdown: str, there: There, entity: str) -> dict[str, Any]:
    """The Report, and the Workspace where there is a run to show in it; by the names of their files."""
    title = f"{comparison.metric} on {comparison.dataset}: {', '.join(row.entry.label for row in comparison.rows)}"
    words = {"title": _title(title), "project": settings.wandb.project, "entity": entity}
    with _quiet():
        built = {"report": _report(comparison, markdown, there, **words)}
        return built | ({"workspace": _workspace(there, **words)} if there.ids else {})


def _title(said: str) -> str:
    """As W&B takes it for a name: short, and without symbols, to which it counts plus and equals signs."""
    plain = "".join(" " if unicodedata.category(sign).startswith(("S", "C")) else sign for sign in said)
    told = " ".join(plain.split())
    return told if len(told) <= LONGEST_TITLE else f"{told[: LONGEST_TITLE - 1]}…"


def _workspace(there: There, *, title: str, project: str, entity: str) -> Any:
    """The curves, the figures and what they cost, beside the table of the compared runs and no others."""
    from wandb_workspaces import workspaces as ws

    sections = {"Curves": _curves(there), "Figures": _figures(there)}
    columns = ["config:name.value", "config:seed.value", *(f"summary:{name}" for name in _columns(there))]
    return ws.Workspace(
        entity=entity,
        project=project,
        name=title,
        sections=[ws.Section(name=name, panels=panels, is_open=True) for name, panels in sections.items() if panels],
        settings=ws.WorkspaceSettings(x_axis="step", max_runs=len(there.ids)),
        runset_settings=ws.RunsetSettings(
            filters=_only(there),
            groupby=[ws.Config("name")] if there.by_name else [],
            order=[ws.Ordering(ws.Summary(there.figure), ascending=False)],
            pinned_columns=columns,
        ),
    )


def _report(comparison: Comparison, markdown: str, there: There, *, title: str, project: str, entity: str) -> Any:
    """The verdict and the leaderboard, how it was measured, and the panels."""
    from wandb_workspaces.reports.v2 import interface as wr

    measured = "\n".join(f"- {name}: {value}" for name, value in _measured(comparison).items())
    blocks: list[Any] = [wr.MarkdownBlock(markdown), wr.H2("How it was measured"), wr.MarkdownBlock(measured)]
    if there.ids:
        runs = wr.Runset(
            name="compared",
            filters=_only(there),
            groupby=["config.name"] if there.by_name else [],
            pinned_columns=["run:displayName", *(f"summary:{name}" for name in _columns(there))],
        )
        panels = [*_curves(there), *_figures(there)]
        blocks += [wr.H2("The runs"), wr.PanelGrid(runsets=[runs], panels=panels)]
    return wr.Report(entity=entity, project=project, title=title, blocks=blocks, width="fluid")


def _measured(comparison: Comparison) -> dict[str, Any]:
    told = {name.replace("_", " "): value for name, value in comparison.protocol.items() if value}
    return {"data set": comparison.dataset, "queries": comparison.queries, "figure": comparison.metric, **told}


def _only(there: There) -> list[Any]:
    """The compared runs and no others; W&B's "ID" is what the mirror keeps in the run's folder."""
    from wandb_workspaces import expr

    return [expr.Metric("ID").isin(list(there.ids))]


def _columns(there: There) -> list[str]:
    return [there.figure, f"{there.figure}/low", f"{there.figure}/high", *there.costs]


def _curves(there: There) -> list[Any]:
    """What was learnt, over the steps; of several seeds the mean, and a band from the least to the most."""
    from wandb_workspaces.reports.v2 import interface as wr

    joined = {**_by_name(there), "groupby_rangefunc": "minmax"} if there.by_name else {}
    return [
        wr.LinePlot(
            title=name, x="step", y=[name], max_runs_to_show=len(there.ids), layout=_place(number, top=0), **joined
        )
        for number, name in enumerate(there.curves)
    ]


def _figures(there: There) -> list[Any]:
    """The figure, and what was paid for it."""
    from wandb_workspaces.reports.v2 import interface as wr

    figure, costs = wr.SummaryMetric(there.figure), [wr.SummaryMetric(name) for name in there.costs]
    beside = [wr.ScatterPlot(title=f"{there.figure} beside {one.name}", x=one, y=figure) for one in costs[:2]]
    across: list[Any] = [wr.Config("name"), *costs, figure]
    axes = [wr.ParallelCoordinatesPlotColumn(metric=one) for one in across]
    panels = [
        wr.BarPlot(
            title=there.figure,
            metrics=[there.figure],
            max_runs_to_show=len(there.ids),
            max_bars_to_show=len(there.ids),
            **_by_name(there),
        ),
        *beside,
        *([wr.ParallelCoordinatesPlot(title="what each costs and gives", columns=axes)] if costs else []),
    ]
    for number, panel in enumerate(panels):
        panel.layout = _place(number, top=HIGH)
    return panels


def _by_name(there: There) -> dict[str, Any]:
    from wandb_workspaces.reports.v2 import interface as wr

    return {"groupby": wr.Config("name"), "groupby_aggfunc": "mean"} if there.by_name else {}


def _place(number: int, *, top: int) -> Any:
    """Two in a row."""
    from wandb_workspaces.reports.v2 import interface as wr

    return wr.Layout(x=number % 2 * WIDE, y=top + number // 2 * HIGH, w=WIDE, h=HIGH)


# Saved and created


def _saved(built: Mapping[str, Any], folder: Path) -> str:
    for name, one in built.items():
        told = one._to_model().model_dump(mode="json", by_alias=True, exclude_none=True)  # what save() sends
        files.write_json(folder / f"{name}.json", told)
    return f"What it would show is in {' and '.join(str(folder / f'{name}.json') for name in built)}"


def _created(comparison: Comparison, settings: Compare, markdown: str, there: There) -> str:
    """Both at W&B, the Report first: it makes the project where that is missing. Where it fails, as `shown` says."""
    try:
        built = _built(comparison, settings, markdown, there, settings.wandb.entity or _own_entity())
        places = [f"{name} {one.save().url}" for name, one in built.items()]
    except Exception as wrong:
        why = f"{type(wrong).__name__}: {' '.join(str(wrong).split())[:300]}"
        if settings.tracking == "wandb":
            raise LookalikeError(
                f"tracking=wandb: W&B did not take the comparison ({why}); try again, {MEND}"
            ) from wrong
        return f"W&B did not take the comparison ({why}); its own folder has it all."
    return f"At W&B: {', '.join(places)}."


def _own_entity() -> str:
    import wandb

    return str(wandb.Api().default_entity)
