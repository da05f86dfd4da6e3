"""`lookalike train -m` with a study.space: a search for the settings that val likes best, by Optuna.

In: what the command asks for. Out: runs, the best of them, and how much each setting mattered. Never: looks at test to choose,
or forgets a trial: what was told to the storage stands, and a search that is started again goes on from there.

The storage is a SQLite file beside the runs; a database's address serves several machines, each with the same command.
"""

import hashlib
import json
import os
import shlex
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from lookalike.cli import show
from lookalike.cli.main import STOPPED
from lookalike.cli.pool import Workers, stood
from lookalike.cli.sweep import Search, typed
from lookalike.settings import ConfigError, DataError, Train
from lookalike.tracking import record

BEAT, SILENT = 30, 300  # seconds: a machine at work tells so each BEAT; after SILENT its trial is taken for dead
OBJECTIVE = "val map@r"
FEWEST = 4  # finished trials without which nothing can be said about importance
HERE = {"host": socket.gethostname(), "process": os.getpid()}
Space = Mapping[str, BaseDistribution]


def run(search: Search) -> int:
    """Go on until `study.trials` in all are finished; then tell the best."""
    space = space_of(search.study.space)
    base = checked(search, space)
    stood(base)  # a data set that is not there is said now
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = _opened(search, base)
    if not base.plan:
        code = _searched(search, base, study, space)
    _show(search, base, study)
    return 0 if base.plan else code


def objective(metrics: Mapping[str, Any]) -> float:
    """What is made large: the figure by which a run chose, in metrics.json."""
    chosen = metrics["chosen"]
    value = chosen[OBJECTIVE] if chosen.get(OBJECTIVE) is not None else chosen.get("value")
    return float(metrics["val"]["map@r"]["value"] if value is None else value)


# The space


def space_of(said: Mapping[str, Any]) -> dict[str, BaseDistribution]:
    """What may be chosen, for each setting; every fault of it is told at once."""
    found, faults = {}, []
    for key, among in said.items():
        try:
            found[key] = _distribution(among)
        except (ValueError, TypeError, KeyError) as wrong:
            faults.append(
                f"study.space.{key}: {wrong} (you gave {among!r}); [a, b, c] or {{low: 1e-5, high: 1e-3, log: true}}"
            )
    if faults:
        raise ConfigError("These settings cannot be used:" + "".join(f"\n  {fault}" for fault in faults))
    return found


def _distribution(among: Any) -> BaseDistribution:
    if isinstance(among, list) and among:
        if any(isinstance(one, list | dict) for one in among):
            raise TypeError("a choice is a word or a number")
        return CategoricalDistribution(among)
    if not isinstance(among, Mapping):
        raise TypeError("a list of choices or a range is wanted")
    if unknown := set(among) - {"low", "high", "log", "step", "int"}:
        raise ValueError(f"a range has low, high, log, step and int, not {', '.join(sorted(unknown))}")
    if lacking := {"low", "high"} - set(among):
        raise ValueError(f"a range needs {' and '.join(sorted(lacking))}")
    low, high, log, step = among["low"], among["high"], bool(among.get("log")), among.get("step")
    if among.get("int"):
        return IntDistribution(int(low), int(high), log=log, step=1 if step is None else int(step))
    return FloatDistribution(float(low), float(high), log=log, step=None if step is None else float(step))


def _ends(one: BaseDistribution) -> list[Any]:
    """The values at which a setting is tried out before the first trial: if these can be used, so can what lies between."""
    if isinstance(one, CategoricalDistribution):
        return list(one.choices)
    assert isinstance(one, IntDistribution | FloatDistribution)  # noqa: S101 - _distribution makes no other
    return [one.low, one.high]


def checked(search: Search, space: Space) -> Train:
    """The settings of a search's first corner; every fault of every value is told at once."""
    ends = {key: _ends(one) for key, one in space.items()}
    corner = {key: values[0] for key, values in ends.items()}
    faults: dict[str, None] = {}
    for chosen in [corner, *({**corner, key: value} for key, values in ends.items() for value in values[1:])]:
        try:
            search.settings(chosen)
        except ConfigError as wrong:
            faults |= dict.fromkeys(str(wrong).split("\n  ")[1:])
    if faults:
        raise ConfigError("These settings cannot be used:" + "".join(f"\n  {fault}" for fault in faults))
    return search.settings(corner)


# The memory of a search


def _opened(search: Search, base: Train) -> optuna.Study:
    """The search of this name, begun now or before; one that asked something else is refused."""
    where = search.study.storage or f"sqlite:///{(Path(base.paths.runs) / base.name).resolve()}.optuna.db"
    if not search.study.storage:
        Path(base.paths.runs).mkdir(parents=True, exist_ok=True)
    try:
        study = optuna.create_study(
            storage=where,
            study_name=base.name,
            direction="maximize",
            load_if_exists=True,
            sampler=_sampler(base.seed, 0),
        )
    except (SQLAlchemyError, ImportError, ValueError) as wrong:
        told = str(wrong).splitlines()[0] if not isinstance(wrong, SQLAlchemyError) else type(wrong).__name__
        raise DataError(  # a database's own words may hold the password
            f"study.storage: {where.partition('://')[0]}://... cannot be opened ({told}); give "
            "sqlite:///FILE, or postgresql+psycopg://user@host/database of a server that runs"
        ) from None
    _same(study, _asks(search, base), base)
    return study


def _asks(search: Search, base: Train) -> dict[str, Any]:
    """All that the figures of a search depend on, but what a trial chooses."""
    keys = set(search.study.space)
    told = {name: value for name, value in record.what(record.plain(base)).items() if name not in keys | {"name"}}
    flat = {
        key: value for key, value in _flat(told, "") if not any(key == one or key.startswith(f"{one}.") for one in keys)
    }
    return json.loads(json.dumps({**flat, "study.space": search.study.space}))  # type: ignore[no-any-return]


def _flat(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _flat(one, f"{name}.{key}" if name else key)
    else:
        yield name, value


def _same(study: optuna.Study, asks: Mapping[str, Any], base: Train) -> None:
    before = study.user_attrs.get("asks")
    if before is None:
        study.set_user_attr("asks", asks)
    elif before != asks:
        names = sorted(key for key in {*before, *asks} if before.get(key) != asks.get(key))
        told = ", ".join(f"{key} (was {before.get(key)!r}, is {asks.get(key)!r})" for key in names)
        raise ConfigError(
            f"the search {base.name!r} was begun with other settings: {told}. Go on with those, or begin another: name=..."
        )


# Trials


def _searched(search: Search, base: Train, study: optuna.Study, space: Space) -> int:
    """Run what is missing, several at once where that is asked for; the worst exit code of the trials that ran now."""
    for told in _repeat_what_died(study):
        show.err.print(told, style="yellow", markup=False)
    asking, codes, open_ones = threading.Lock(), [0], Open()
    missing = search.study.trials - len(_settled(study))
    with Workers(max(1, min(search.study.pool, missing))) as workers, open_ones.beating():

        def lane(_: int) -> None:
            while not workers.stopping.is_set():
                with asking:
                    trial = _next(study, space, search.study.trials, base.seed)
                if trial is None:
                    return
                with open_ones.holding(trial):
                    codes.append(_tried(trial, search, base, study, workers))

        for _ in workers.at_once(lane, range(workers.pool)):
            pass
    return max(codes)


def _sampler(seed: int, number: int) -> TPESampler:
    """How a trial draws. Each by a seed of its own: a search that is started again does not draw its first ones once more."""
    return TPESampler(seed=(seed * 1_000_003 + number) % 2**32, multivariate=False)


def _next(study: optuna.Study, space: Space, trials: int, seed: int) -> Trial | None:
    """Begin another trial; None where enough are finished or at work, here or elsewhere."""
    begun = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    if len(_settled(study)) + len(begun) >= trials:
        return None
    trial = study.ask()
    for name, value in {**HERE, "seen": time.time()}.items():
        trial.set_user_attr(name, value)
    study.sampler = _sampler(seed, trial.number)
    for key, among in space.items():
        _suggest(trial, key, among)
    return trial


def _suggest(trial: Trial, key: str, among: BaseDistribution) -> None:
    if isinstance(among, CategoricalDistribution):
        trial.suggest_categorical(key, among.choices)
    elif isinstance(among, IntDistribution):
        trial.suggest_int(key, among.low, among.high, step=among.step, log=among.log)
    elif isinstance(among, FloatDistribution):
        trial.suggest_float(key, among.low, among.high, step=among.step, log=among.log)


def _tried(trial: Trial, search: Search, base: Train, study: optuna.Study, workers: Workers) -> int:
    """Run a trial and tell how it ended. One that was stopped stays open, and is repeated by the next search."""
    label = f"trial {trial.number + 1}"
    show.err.print(f"{label} of {search.study.trials}: {_said(trial.params)}", style="bold", markup=False)
    ended = workers.run(search.settings(trial.params, f"{base.name}-{_digest(trial.params)}"), label)
    if ended.code == STOPPED:
        return STOPPED
    if ended.why:
        show.err.print(f"{label}: {ended.why}", style="red", markup=False)
    if ended.metrics:
        trial.set_user_attr("folder", ended.folder)
        study.tell(trial, objective(ended.metrics))
    else:
        trial.set_user_attr("why", ended.why or f"exit {ended.code}")
        study.tell(trial, state=TrialState.FAIL)
    return ended.code


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


def _settled(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that need not be run again: finished, or failed for a reason of their own."""
    return [
        one for one in study.get_trials(deepcopy=False) if one.state is TrialState.COMPLETE or "why" in one.user_attrs
    ]


def _repeat_what_died(study: optuna.Study) -> Iterator[str]:
    """Close trials whose process is gone, and put what they chose at the head of what comes next."""
    for one in study.get_trials(states=(TrialState.RUNNING,)):
        if _is_gone(one):
            with suppress(ValueError, optuna.exceptions.UpdateFinishedTrialError):  # another machine was quicker
                study.tell(one.number, state=TrialState.FAIL)
                if one.params:
                    study.enqueue_trial(one.params)
                yield f"trial {one.number + 1} died ({_said(one.params)}); it is repeated, from where it was"


def _is_gone(trial: FrozenTrial) -> bool:
    """Whether an open trial's process is no more: on this machine the system knows; another has not been heard of for long."""
    told = trial.user_attrs
    if told.get("host") != HERE["host"]:
        return time.time() - float(told.get("seen", 0)) > SILENT
    try:
        os.kill(int(told["process"]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # somebody else's, who got the number after it
        return True
    return bool(told["process"] == HERE["process"])


# What is shown


def _show(search: Search, base: Train, study: optuna.Study) -> None:
    """The trials, best first; how much each setting mattered; what to type next."""
    trials = _settled(study)
    done = sorted((one for one in trials if one.state is TrialState.COMPLETE), key=lambda one: -(one.value or 0.0))
    names = list(search.study.space)
    failed = [one for one in trials if one.state is TrialState.FAIL]
    rows = [
        (
            one.number + 1,
            *(_short(one.params.get(name)) for name in names),
            _short(one.value) if one in done else "failed",
        )
        for one in (*done, *failed)
    ]
    title = f"{len(trials)} of {search.study.trials} trials of {base.name} are finished"
    show.table(title, ("trial", *names, OBJECTIVE), rows)
    for one in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        show.out.print(f"trial {one.number + 1} is worked on by {one.user_attrs.get('host')}", markup=False)
    if done:
        show.facts("how much each setting mattered", _importance(study, done))
        words = shlex.join(f"{key}={typed(value)}" for key, value in done[0].params.items())
        show.facts("the best", {"folder": done[0].user_attrs["folder"], "its words": words})


def _importance(study: optuna.Study, done: Sequence[FrozenTrial]) -> dict[str, str]:
    """Each setting's share of what made val rise and fall."""
    if len(done) < FEWEST or len({one.value for one in done}) < 2:
        return {"": "too few trials, or all alike, to tell"}
    return {name: f"{share:.0%}" for name, share in optuna.importance.get_param_importances(study).items()}


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _said(chosen: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={_short(value)}" for key, value in chosen.items())


def _digest(chosen: Mapping[str, Any]) -> str:
    """Names what was chosen: a trial that is repeated goes on with the very run that was stopped."""
    return hashlib.sha256(json.dumps(dict(chosen), sort_keys=True).encode()).hexdigest()[:8]
