"""What a search may choose among: a study.space as Optuna's distributions.

In: what the YAML says of each setting. Out: distributions, the values at their ends, a first corner that the door has read.
Never: draws anything.
"""

from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.trial import Trial

from lookalike.cli.faults import RefusedError, faults_of
from lookalike.cli.sweep import Search
from lookalike.settings import ConfigError, Train

Space = Mapping[str, BaseDistribution]


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
        raise RefusedError(faults)
    return found


def checked(search: Search, space: Space) -> Train:
    """The settings of a search's first corner; every fault of every value is told at once."""
    ends = {key: _ends(one) for key, one in space.items()}
    corner = {key: values[0] for key, values in ends.items()}
    faults: dict[str, None] = {}
    for chosen in [corner, *({**corner, key: value} for key, values in ends.items() for value in values[1:])]:
        try:
            search.settings(chosen)
        except ConfigError as wrong:
            faults |= dict.fromkeys(faults_of(wrong))
    if faults:
        raise RefusedError(faults)
    return search.settings(corner)


def suggest(trial: Trial, space: Space) -> None:
    """Let a trial choose."""
    for key, among in space.items():
        if isinstance(among, CategoricalDistribution):
            trial.suggest_categorical(key, among.choices)
        elif isinstance(among, IntDistribution):
            trial.suggest_int(key, among.low, among.high, step=among.step, log=among.log)
        elif isinstance(among, FloatDistribution):
            trial.suggest_float(key, among.low, among.high, step=among.step, log=among.log)


def sampler(seed: int, number: int) -> TPESampler:
    """How a trial draws. Each by a seed of its own: a search that is started again does not draw its first ones once more."""
    return TPESampler(seed=(seed * 1_000_003 + number) % 2**32, multivariate=False)


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
