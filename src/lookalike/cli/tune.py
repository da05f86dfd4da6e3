"""`lookalike train -m` with a study.space: a search for the settings that val likes best, by Optuna.

In: what the command asks for. Out: runs, the best of them, and how much each setting mattered. Never: looks at test to choose,
or forgets a trial: what was told to the storage stands, and a search that is started again goes on from there.

The storage is a SQLite file beside the runs; a database's address serves several machines, each with the same command.
"""

import hashlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, Trial, TrialState

from lookalike.cli import board, show
from lookalike.cli.board import said
from lookalike.cli.main import STOPPED
from lookalike.cli.pool import Ended, Workers, stood
from lookalike.cli.space import Space, checked, sampler, space_of, suggest
from lookalike.cli.storage import opened
from lookalike.cli.sweep import Search
from lookalike.settings import Train

BEAT, SILENT = 30, 300  # seconds: a machine at work tells so each BEAT; after SILENT its trial is taken for dead
OBJECTIVE = "val map@r"
FEWEST = 4  # finished trials without which nothing can be said about importance
PATIENCE = 3  # trials that fail one after another, after which the search gives up
CLOSED = (ValueError, UpdateFinishedTrialError)  # what Optuna raises where a trial is told once more
HERE = {"host": socket.gethostname(), "process": os.getpid()}


def run(search: Search) -> int:
    """Go on until `study.trials` in all have given a value; then tell the best."""
    space = space_of(search.study.space)
    base = checked(search, space)
    stood(base)  # a data set that is not there is said now
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = opened(search, base)
    try:
        code = 0 if base.plan else _searched(search, base, study, space)
    except KeyboardInterrupt:
        _show(search, base, study)
        raise
    _show(search, base, study)
    return code


def objective(metrics: Mapping[str, Any]) -> float:
    """What is made large: the figure by which a run chose, in metrics.json."""
    chosen = metrics["chosen"]
    value = chosen[OBJECTIVE] if chosen.get(OBJECTIVE) is not None else chosen.get("value")
    return float(metrics["val"]["map@r"]["value"] if value is None else value)


def _searched(search: Search, base: Train, study: optuna.Study, space: Space) -> int:
    """Run what is missing, several at once where that is asked for; the worst exit code of the trials that ran now."""
    for told in _repeat_what_died(study):
        show.err.print(told, style="yellow", markup=False)
    asking, codes, failed, open_ones = threading.Lock(), [0], list[str](), Open()
    missing = search.study.trials - len(_done(study))
    with Workers(max(1, min(search.study.pool, missing))) as workers, open_ones.beating():

        def lane(_: int) -> None:
            while not workers.stopping.is_set() and len(failed) < PATIENCE:
                with asking:
                    trial = _next(study, space, search.study.trials, base.seed)
                if trial is None:
                    return
                with open_ones.holding(trial):
                    ended = _tried(trial, search, base, study, workers)
                codes.append(ended.code)
                failed[:] = [*failed, ended.why] if ended.code else []

        for _ in workers.at_once(lane, range(workers.pool)):
            pass
    if len(failed) >= PATIENCE and not workers.stopping.is_set():
        told = f"{len(failed)} trials in a row failed, so the search gives up; the last one: {failed[-1]}"
        show.err.print(told, style="red", markup=False, soft_wrap=True)
    return max(codes)


def _next(study: optuna.Study, space: Space, trials: int, seed: int) -> Trial | None:
    """Begin another trial; None where enough are finished or at work, here or elsewhere."""
    begun = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    if len(_done(study)) + len(begun) >= trials:
        return None
    trial = study.ask()
    for name, value in {**HERE, "seen": time.time()}.items():
        trial.set_user_attr(name, value)
    study.sampler = sampler(seed, trial.number)
    suggest(trial, space)
    return trial


def _tried(trial: Trial, search: Search, base: Train, study: optuna.Study, workers: Workers) -> Ended:
    """Run a trial and tell how it ended. One that was stopped stays open, and is repeated by the next search."""
    label = f"trial {_numbers(study)[trial.number]}"
    board.begins(f"{label} begins: {said(trial.params)}")
    try:
        ended = workers.run(search.settings(trial.params, f"{base.name}-{_digest(trial.params)}"), label)
    except KeyboardInterrupt:
        trial.set_user_attr("stopped", True)
        raise
    if ended.code == STOPPED:
        trial.set_user_attr("stopped", True)
        return ended
    if not _told(trial, study, ended):
        show.err.print(f"{label}: taken for dead meanwhile, and to be repeated", style="yellow", markup=False)
    told = f"{len(_done(study))} of {search.study.trials}, {label} ({said(trial.params)}): {board.line(ended)}"
    show.err.print(told, style="red" if ended.code else None, markup=False, soft_wrap=True)
    return ended


def _told(trial: Trial, study: optuna.Study, ended: Ended) -> bool:
    """Close a trial; False where another process, which had not heard of this one for long, has closed it."""
    try:
        if ended.metrics:
            trial.set_user_attr("folder", ended.folder)
            study.tell(trial, objective(ended.metrics))
        else:
            trial.set_user_attr("why", ended.why or f"exit {ended.code}")
            study.tell(trial, state=TrialState.FAIL)
    except CLOSED:
        return False
    return True


class Open:
    """The trials that this process works on. From time to time they are said to be alive, so that no other machine takes them."""

    def __init__(self) -> None:
        self._trials: dict[int, Trial] = {}

    @contextmanager
    def holding(self, trial: Trial) -> Iterator[None]:
        """While a trial is worked on."""
        self._trials[trial.number] = trial
        try:
            yield
        finally:
            del self._trials[trial.number]

    @contextmanager
    def beating(self) -> Iterator[None]:
        """While there may be trials."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(BEAT):
                for trial in list(self._trials.values()):
                    with suppress(Exception):  # it may have ended this moment; a storage that is gone is met elsewhere
                        trial.set_user_attr("seen", time.time())

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _done(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that gave a value; one that failed for a reason of its own takes nobody's place."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _numbers(study: optuna.Study) -> dict[int, int]:
    """What each trial is called, by Optuna's number; one that was repeated is called as its repetition is."""
    kept = [
        one.number
        for one in study.get_trials(deepcopy=False)
        if one.state is not TrialState.FAIL or "why" in one.user_attrs
    ]
    return {number: place for place, number in enumerate(kept, start=1)}


def _repeat_what_died(study: optuna.Study) -> Iterator[str]:
    """Close trials whose process is gone, and put what they chose at the head of what comes next."""
    numbers = _numbers(study)
    for one in study.get_trials(states=(TrialState.RUNNING,)):
        if _is_gone(one):
            with suppress(*CLOSED):  # another machine was quicker
                study.tell(one.number, state=TrialState.FAIL)
                if one.params:
                    study.enqueue_trial(one.params)
                how = "was stopped" if "stopped" in one.user_attrs else "died"
                yield f"trial {numbers[one.number]} {how} ({said(one.params)}); it is repeated, from where it was"


def _is_gone(trial: FrozenTrial) -> bool:
    """Whether nobody works on an open trial: stopped, or not heard of for long, or this machine knows that its process ended."""
    told = trial.user_attrs
    if "stopped" in told:
        return True
    if time.time() - float(told.get("seen", 0)) > SILENT:
        return True
    if told.get("host") != HERE["host"]:
        return False
    try:
        os.kill(int(told["process"]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # somebody else's, who got the number after it
        return True
    return bool(told["process"] == HERE["process"])


def _show(search: Search, base: Train, study: optuna.Study) -> None:
    """The trials, best first; how much each setting mattered; what to type next."""
    numbers = _numbers(study)
    trials = [
        board.Trial(
            number=numbers[one.number],
            chosen=one.params,
            value=one.value if one.state is TrialState.COMPLETE else None,
            folder=one.user_attrs.get("folder", ""),
        )
        for one in study.get_trials(deepcopy=False)
        if one.state is TrialState.COMPLETE or "why" in one.user_attrs
    ]
    done = [one for one in trials if one.value is not None]
    title = f"{len(done)} of {search.study.trials} trials of {base.name} are finished"
    board.search(title, OBJECTIVE, list(search.study.space), trials)
    for one in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        host = one.user_attrs.get("host")
        how = "was stopped" if "stopped" in one.user_attrs else f"is worked on by {host}"
        show.out.print(f"trial {numbers[one.number]} {how}", markup=False)
    if done:
        board.best(max(done, key=lambda one: one.value or 0.0), _importance(study, done))


def _importance(study: optuna.Study, done: Sequence[board.Trial]) -> dict[str, float]:
    """Each setting's share of what made val rise and fall; nothing where it cannot be told."""
    if len(done) < FEWEST or len({one.value for one in done}) < 2:
        return {}
    return optuna.importance.get_param_importances(study)


def _digest(chosen: Mapping[str, Any]) -> str:
    """Names what was chosen: a trial that is repeated goes on with the very run that was stopped."""
    return hashlib.sha256(json.dumps(dict(chosen), sort_keys=True).encode()).hexdigest()[:8]
