"""Runs, one after another in this process or several at once in processes of their own.

In: settings. Out: how each run ended, with its figures. Never: lets one run that fails, or whose process dies, stop another.

Several at once share what is cached on the disk, features above all: the one that comes first computes, the others wait.
Ctrl-C stops them all; as the same command goes on where a run was, nothing that was finished is lost.
"""

import multiprocessing
import os
import queue
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from io import TextIOBase
from pathlib import Path
from types import FrameType
from typing import Any, Self, TextIO, TypeVar

from lookalike.cli.main import STOPPED, keep_memory
from lookalike.cli.places import datasets
from lookalike.settings import DataError, LookalikeError, Train

T = TypeVar("T")
USUAL = re.compile(r"epoch \d+/\d+ |start: |probe: ")  # what is no news of one run among many; its folder has it
DIED = "its process died: it was killed, or there was no memory left (study.pool=N with a smaller N needs less)"


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a run ended."""

    code: int = 0
    why: str = ""  # it failed
    folder: str = ""
    stood: bool = False  # it was there already
    metrics: dict[str, Any] = field(default_factory=dict, repr=False)


STOPPED_HERE = Ended(code=STOPPED, why="stopped")


def stood(settings: Train) -> Ended | None:
    """The run with these very settings that was finished before; None where there is none."""
    from lookalike.catalog import versions  # only now: the faults of a command line are to be told at once
    from lookalike.tracking import record

    dataset = versions.find(settings.dataset, datasets(settings.paths))
    folder = record.same_run(Path(settings.paths.runs), settings, dataset.label)
    return Ended(folder=str(folder), stood=True, metrics=record.metrics_of(folder)) if folder else None


def work(settings: Train) -> Ended:
    """One run. What goes wrong is in the answer; Ctrl-C alone is raised."""
    from lookalike.cli import train

    try:
        if not settings.again and (found := stood(settings)):
            return found
        code = train.run(settings)
        return _left(settings) or Ended(code=code)
    except LookalikeError as wrong:
        return Ended(code=wrong.exit_code, why=str(wrong))
    except Exception as wrong:  # a fault of ours: its trace is shown, and the next run is begun
        traceback.print_exc()
        return Ended(code=1, why=f"{type(wrong).__name__}: {wrong}")


def _left(settings: Train) -> Ended | None:
    """What a run has just left, whatever became of the code's files meanwhile."""
    from lookalike.tracking import record

    asked = record.what(record.plain(settings))
    for one in sorted((Path(settings.paths.runs) / settings.name).glob("*/metrics.json"), key=_written, reverse=True):
        with suppress(DataError):  # a damaged one is an older run's; this one was written just now
            if record.what(record.settings_of(one.parent)) == asked:
                return Ended(folder=str(one.parent), metrics=record.metrics_of(one.parent))
    return None


def _written(file: Path) -> float:
    return file.stat().st_mtime


class Workers:
    """So many runs at once. One alone is done in this process; several each have a process, which does one after another."""

    def __init__(self, pool: int) -> None:
        self.pool = pool
        self.stopping = threading.Event()
        self._lanes: queue.SimpleQueue[ProcessPoolExecutor] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        if self.pool > 1:
            with _deaf():  # what is started now hears no Ctrl-C until it works on a run
                for _ in range(self.pool):
                    lane = _lane()
                    lane.submit(os.getpid)
                    self._lanes.put(lane)
        return self

    def __exit__(self, *_: object) -> None:
        with _killing():
            while not self._lanes.empty():
                self._lanes.get().shutdown(cancel_futures=True)

    def run(self, settings: Train, label: str) -> Ended:
        """One run, when its turn comes; may be called from several threads where there are several processes."""
        if self.pool == 1:
            return _work_here(settings, label)
        lane = self._lanes.get()
        try:
            ended = lane.submit(_work_there, settings, label).result()
        except BrokenProcessPool:
            lane, ended = _lane(), STOPPED_HERE if self.stopping.is_set() else Ended(code=1, why=DIED)
        finally:
            self._lanes.put(lane)
        if ended.code == STOPPED:
            self.stopping.set()
        return ended

    def each(
        self, jobs: Sequence[tuple[Train, str]], began: Callable[[int], None] = lambda _: None
    ) -> Iterator[tuple[int, Ended]]:
        """Each job's number and how it ended, as they end. began is told a job's number when its turn comes."""

        def one(number: int) -> Ended | None:
            if self.stopping.is_set():
                return None
            began(number)
            return self.run(*jobs[number])

        for number, ended in self.at_once(one, range(len(jobs))):
            if ended:
                yield number, ended

    def at_once(self, do: Callable[[int], T], numbers: Sequence[int]) -> Iterator[tuple[int, T]]:
        """do(number) for each number, as many at once as there are processes; the answers as they come."""
        if self.pool == 1:
            yield from ((number, do(number)) for number in numbers)
            return
        threads = ThreadPoolExecutor(self.pool)
        try:
            asked = {threads.submit(do, number): number for number in numbers}
            for done in as_completed(asked):
                yield asked[done], done.result()
        except BaseException:
            self.stop()
            raise
        finally:
            with _killing():
                threads.shutdown(cancel_futures=True)

    def stop(self) -> None:
        """Begin nothing more, and ask what runs to stop."""
        self.stopping.set()
        for child in multiprocessing.active_children():
            with suppress(ProcessLookupError):
                os.kill(child.pid or 0, signal.SIGINT)


def _lane() -> ProcessPoolExecutor:
    """A process of its own. Spawned: a fork would inherit the locks of threads that it does not have."""
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=_begin)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_memory()


@contextmanager
def _deaf() -> Iterator[None]:
    """Ctrl-C is not heard, nor will it be by a process that is started meanwhile."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _killing() -> Iterator[None]:
    """Wait in peace; a second Ctrl-C waits no longer."""
    try:
        yield
    except KeyboardInterrupt:
        for child in multiprocessing.active_children():
            child.kill()
        raise


def _work_there(settings: Train, label: str) -> Ended:
    """One run in a process beside others."""
    with _stoppable():
        try:
            with _quiet(label):
                return work(settings)
        except KeyboardInterrupt:
            return STOPPED_HERE


def _work_here(settings: Train, label: str) -> Ended:
    """One run in this process; somebody who watches sees its epochs and its bar."""
    with _quiet(label, watched=sys.stderr.isatty()):
        return work(settings)


@contextmanager
def _quiet(label: str, *, watched: bool = False) -> Iterator[None]:
    """One run among many: its warnings go by its name, its tables stay in its folder."""
    lines = nullcontext() if watched else redirect_stderr(Prefixed(sys.stderr, f"{label}: "))
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere), lines:
        yield


@contextmanager
def _stoppable() -> Iterator[None]:
    """Ctrl-C is heard once: the terminal's may be followed by that of the process that started this one."""
    heard = False

    def once(_: int, __: FrameType | None) -> None:
        nonlocal heard
        if not heard:
            heard = True
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, once)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


class Prefixed(TextIOBase):
    """A text stream whose lines begin with a name; a line is passed on when it is whole, and what is usual is not."""

    def __init__(self, to: TextIO, prefix: str) -> None:
        self.to, self.prefix, self.begun = to, prefix, ""

    def write(self, text: str) -> int:
        """Pass whole lines on."""
        if not self.begun and USUAL.match(text):  # all of it at once, as a narrow terminal's lines are broken already
            return len(text)
        *whole, self.begun = (self.begun + text).split("\n")
        self.to.write("".join(f"{self.prefix}{line}\n" for line in whole if line.strip()))
        return len(text)

    def flush(self) -> None:
        """Pass on what was written."""
        self.to.flush()
