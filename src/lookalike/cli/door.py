"""YAML in, settings out, or every fault at once. The one file where a wrong setting is met.

In: what Hydra composed, as plain data, and the tables of build.py. Out: a frozen settings object.
Never: does any work; pydantic goes no further.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from difflib import get_close_matches
from types import NoneType
from typing import Any, TypeVar, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from lookalike.settings import Choice, ConfigError

T = TypeVar("T")
Tables = Mapping[str, Mapping[str, Callable[..., Any]]]  # by setting: the names that may be chosen, and what they make


def read(kind: type[T], said: Mapping[str, Any], tables: Tables) -> T:
    """Build `kind` from plain YAML data, or raise one ConfigError that lists everything wrong with it."""
    faults: list[str] = []
    value = _read_object(kind, said, "", tables, faults)
    if faults:
        raise ConfigError("These settings cannot be used:" + "".join(f"\n  {fault}" for fault in faults))
    return value  # type: ignore[no-any-return]


def knows(kind: type, path: str) -> bool:
    """Whether `path`, dotted, names a setting of `kind`. What stands under a Choice is answered later, by its table."""
    name, _, rest = path.partition(".")
    hint = get_type_hints(kind).get(name)
    if hint is None or not rest:
        return hint is not None
    inner = _without_none(hint)
    return inner is Choice or (isinstance(inner, type) and is_dataclass(inner) and knows(inner, rest))


def _read_object(kind: type, said: Any, path: str, tables: Tables, faults: list[str]) -> Any:
    if not isinstance(said, Mapping):
        faults.append(f"{path.rstrip('.') or 'settings'}: a group of settings is wanted here (you gave {said!r})")
        return None
    known = {one.name: one for one in fields(kind)}
    before = len(faults)
    faults += [_unknown(f"{path}{name}", said[name], name, list(known)) for name in said if name not in known]
    hints = get_type_hints(kind)
    values = {
        name: _read_one(one, hints[name], said, path, tables, faults)
        for name, one in known.items()
        if name in said or (one.default is MISSING and one.default_factory is MISSING)
    }
    if len(faults) > before:
        return None
    try:
        return kind(**values)
    except ValueError as wrong:
        faults.append(f"{path.rstrip('.') or 'settings'}: {wrong}")
        return None


def _read_one(one: Field[Any], hint: Any, said: Mapping[str, Any], path: str, tables: Tables, faults: list[str]) -> Any:
    where = f"{path}{one.name}"
    value = said.get(one.name, "???")
    inner = _without_none(hint)
    if value in ("???", None) and inner is hint:
        faults.append(f"{where}: must be given ({one.metadata.get('says', '')}); add {where}=...")
        return None
    if value is None:
        return None
    if inner is Choice:
        return _read_choice(tables[one.name], value, where, faults)
    if is_dataclass(inner):
        return _read_object(inner, value, f"{where}.", tables, faults)  # type: ignore[arg-type]
    return _read_plain(hint, value, where, faults, one.metadata)


def _read_plain(hint: Any, value: Any, where: str, faults: list[str], bounds: Mapping[str, Any]) -> Any:
    try:
        read_value = TypeAdapter(hint).validate_python(value)
    except ValidationError as wrong:
        error = wrong.errors()[0]
        options = [str(option) for option in get_args(hint) if isinstance(option, str)]
        faults.append(f"{where}: {error['msg']} (you gave {value!r}){_did_you_mean(str(value), options)}")
        return None
    least, most = bounds.get("least"), bounds.get("most")
    if least is not None and read_value < least:
        faults.append(f"{where}: must be {least} or more: {bounds['says']} (you gave {value!r})")
    if most is not None and read_value > most:
        faults.append(f"{where}: must be {most} or less: {bounds['says']} (you gave {value!r})")
    return read_value


def _read_choice(table: Mapping[str, Callable[..., Any]], value: Any, where: str, faults: list[str]) -> Choice | None:
    if isinstance(value, str):  # `embedder=pretrained` where the group has no file of its own
        value = {"name": value}
    if not isinstance(value, Mapping) or "name" not in value:
        faults.append(f"{where}: a name is wanted, one of {', '.join(table)} (you gave {value!r})")
        return None
    name, options = str(value["name"]), {key: given for key, given in value.items() if key != "name"}
    if name not in table:
        faults.append(
            f"{where}.name: no such {where} {name!r}; there are {', '.join(table)}{_did_you_mean(name, table)}"
        )
        return None
    wanted = options_of(table[name])
    faults += [
        _unknown(f"{where}.{key}", given, key, list(wanted)) for key, given in options.items() if key not in wanted
    ]
    hints = get_type_hints(table[name])
    typed = {
        key: _read_plain(hints[key], given, f"{where}.{key}", faults, {})
        for key, given in options.items()
        if key in wanted
    }
    return Choice(name=name, options=typed)


def options_of(maker: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """What may be said to an entry of a table: the keyword-only parameters of its function."""
    every = inspect.signature(maker).parameters
    return {name: one for name, one in every.items() if one.kind is inspect.Parameter.KEYWORD_ONLY}


def _unknown(where: str, value: Any, name: str, known: Sequence[str]) -> str:
    return f"{where}: no such setting (you gave {value!r}){_did_you_mean(name, known)}"


def _did_you_mean(given: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    near = get_close_matches(given, list(known), n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; there are {', '.join(known)}" if known else ""


def _without_none(hint: Any) -> Any:
    inner = [option for option in get_args(hint) if option is not NoneType]
    return inner[0] if NoneType in get_args(hint) and len(inner) == 1 else hint
