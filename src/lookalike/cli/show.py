"""What a verb says on the terminal: tables, progress bars, and where things are.

In: values. Out: lines for people. Never: computes a figure. Bars go to stderr and vanish where nobody watches.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:  # a server shows facts and progress, and has no scipy
    from lookalike.retrieval.evaluation import Evaluation, Figure

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False)


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A bar for long work; the block is handed the function that moves it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, whole: int = 0) -> None:
    """A table; numbers and what stands over them go to the right, texts to the left.

    Where it is too wide, its cells are broken, but never those of the first `whole` columns.
    """
    drawn = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, name in enumerate(columns):
        figures = bool(number) and all(not isinstance(row[number], str) or row[number][:1].isdigit() for row in rows)
        longest = max(len(line) for row in (columns, *rows) for line in str(row[number]).split("\n"))
        drawn.add_column(
            name,
            justify="right" if figures else "left",
            overflow="fold",
            no_wrap=number < whole,
            min_width=longest if number < whole else None,
        )
    for row in rows:
        drawn.add_row(*(Text(str(value)) for value in row))  # as text: a file's name may hold what looks like markup
    out.print(drawn)
    out.print()


def facts(title: str, told: Mapping[str, Any]) -> None:
    """Names and values, one a line."""
    out.print(f"[bold]{title}[/bold]")
    width = max(map(len, told), default=0)
    for name, value in told.items():
        out.print(f"  {name:<{width}}  {value}", markup=False)
    out.print()


def evaluation(title: str, measured: "Evaluation") -> None:
    """Figures with their intervals, and who was asked."""
    rows = [(name, _value(figure), _interval(figure)) for name, figure in measured.figures.items()]
    table(title, ("metric", "value", "95 % interval"), rows)
    protocol = measured.protocol
    out.print(
        f"  {measured.queries} queries with a twin by {protocol.match} among {measured.gallery} pictures; "
        f"{measured.no_twin} more have none and are not scored.\n"
        f"  Intervals: {protocol.told()['intervals']}.\n  Of each query its own {protocol.left_out} is left out.\n"
    )
    slices = [
        (f"{column}: {value}", figures["recall@1"].queries, _value(figures["recall@1"]), _interval(figures["recall@1"]))
        for column, values in measured.slices.items()
        for value, figures in values.items()
        if len(values) > 1
    ]
    if slices:
        table("recall@1 by slice", ("slice", "queries", "value", "95 % interval"), slices)
        left = {column: told["values"] for column, told in measured.slices_left_out.items() if told["values"]}
        if left:
            out.print(
                f"  Not shown: {', '.join(f'{count} more values of {column}' for column, count in left.items())}.\n"
            )


def _value(figure: "Figure") -> str:
    return f"{figure.value:.3f}"


def _interval(figure: "Figure") -> str:
    return f"{figure.low:.3f} to {figure.high:.3f}"
