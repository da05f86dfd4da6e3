"""Where a search is remembered: a SQLite file beside the runs, or a database that serves several machines.

In: what a search asks. Out: Optuna's study of that name. Never: goes on with one that asked something else.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna
from sqlalchemy.exc import SQLAlchemyError

from lookalike.catalog import versions
from lookalike.cli.places import datasets
from lookalike.cli.space import sampler
from lookalike.cli.sweep import Search
from lookalike.settings import ConfigError, DataError, Train
from lookalike.tracking import record

LONGEST = 40  # letters of a value in a sentence


def opened(search: Search, base: Train) -> optuna.Study:
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
            sampler=sampler(base.seed, 0),
        )
    except (SQLAlchemyError, ImportError, ValueError) as wrong:
        told = str(wrong).splitlines()[0] if not isinstance(wrong, SQLAlchemyError) else type(wrong).__name__
        raise DataError(  # a database's own words may hold the password
            f"study.storage: {where.partition('://')[0]}://... cannot be opened ({told}); give "
            "sqlite:///FILE, or postgresql+psycopg://user@host/database of a server that runs"
        ) from None
    _same(study, _asks(search, base), base, search.study.storage)
    return study


def _asks(search: Search, base: Train) -> dict[str, Any]:
    """All that the figures of a search depend on, but what a trial chooses."""
    keys = set(search.study.space)
    dataset = versions.find(base.dataset, datasets(base.paths)).label  # a newer version would measure something else
    settings = {**record.what(record.plain(base)), "dataset": dataset}
    told = {name: value for name, value in settings.items() if name not in keys | {"name"}}
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


def _same(study: optuna.Study, asks: Mapping[str, Any], base: Train, storage: str) -> None:
    before = study.user_attrs.get("asks")
    if before is None:
        study.set_user_attr("asks", asks)
    elif before != asks:
        was, now = dict(_flat(before, "")), dict(_flat(asks, ""))
        names = sorted(key for key in {*was, *now} if was.get(key) != now.get(key))
        told = ", ".join(f"{key} (was {_short(was.get(key))}, is {_short(now.get(key))})" for key in names)
        again = "" if storage else f", or remove {Path(base.paths.runs) / base.name}.optuna.db to begin this one anew"
        raise ConfigError(
            f"the search {base.name!r} was begun with other settings: {told}. Go on with those, or begin another: "
            f"name=...{again}"
        )


def _short(value: Any) -> str:
    told = repr(value)
    return told if len(told) <= LONGEST else f"{told[: LONGEST - 3]}..."
