"""What one sees while a shop is crawled: a bar with pages, products, pictures, their rate, and errors by reason.

In: what the crawl tells. Out: lines on stderr, a bar where somebody watches. Never: changes the crawl.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from lookalike.cli.show import err

MAIN = ("pages", "products", "pictures")
BESIDE = ("asked", "lost", "pages_left")  # whatever else is told is a reason why a thing did not come
LINE_EVERY = 15.0  # seconds, where nobody watches


class Watch:
    """Counts what is told, and shows it."""

    def __init__(self, bar: Progress, counts: Mapping[str, int]) -> None:
        self.bar, self.counts = bar, Counter(counts)
        self.counts["asked"] = self.counts["pages"]  # the walk begins by telling how many are left
        self.task: TaskID = bar.add_task("", total=None, said="")
        self.began = self.shown = time.monotonic()
        self.came_before = self.came

    @property
    def came(self) -> int:
        """Pages and pictures so far."""
        return self.counts["pages"] + self.counts["pictures"]

    def tell(self, what: str, more: int) -> None:
        """Hear one thing."""
        self.counts[what] += more
        self._show()

    def line(self) -> str:
        """How the crawl stands, in one line."""
        return f"pages {self.counts['pages']:,}  {self.rest()}"

    def rest(self) -> str:
        """All but the pages, of which the bar tells more."""
        main = "  ".join(f"{name} {self.counts[name]:,}" for name in MAIN[1:])
        rate = (self.came - self.came_before) / max(time.monotonic() - self.began, 1e-9)
        reasons = [(name, count) for name, count in self.counts.most_common() if name not in (*MAIN, *BESIDE)]
        errors = ", ".join(f"{name} {count:,}" for name, count in reasons)
        return f"{main}  {rate:.1f}/s" + (f"  errors: {errors}" if errors else "")

    def _show(self) -> None:
        if not self.bar.disable:
            done = self.counts["pages"] + self.counts["lost"]
            self.bar.update(self.task, completed=done, total=self.counts["asked"], said=f"pages  {self.rest()}")
        elif time.monotonic() - self.shown >= LINE_EVERY:
            err.print(self.line(), markup=False)
            self.shown = time.monotonic()


@contextmanager
def watched(counts: Mapping[str, int]) -> Iterator[Callable[[str, int], None]]:
    """Show a crawl while the block runs; the block is handed the function that is told. `counts`: what was done before."""
    columns = (BarColumn(20), MofNCompleteColumn(), TextColumn("{task.fields[said]}"), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        watch = Watch(bar, counts)
        yield watch.tell
    err.print(watch.line(), markup=False)
