"""YAML in, settings out, or every fault at once. The one file where a wrong setting is met.

In: what Hydra composed, as plain data, and the tables of build.py. Out: a frozen settings object.
Never: does any work; pydantic goes no further.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from difflib import get_close_matches
from types import NoneType
from typing import Any, Protocol, TypeVar, get_args, get_type_hints, runtime_checkable

from pydantic import ConfigDict, TypeAdapter, ValidationError

from lookalike.cli.faults import RefusedError
from lookalike.settings import Choice, folder_fault

T = TypeVar("T")
Tables = Mapping[str, Mapping[str, Callable[..., Any]]]  # by setting: the names that may be chosen, and what they make


@runtime_checkable
class Open(Protocol):
    """A table that knows more names than it lists."""

    def near(self, name: str) -> list[str]:
        """What might have been meant."""


# `name=123` is a name; nan is no number to learn with.
PLAIN = ConfigDict(allow_inf_nan=False, coerce_numbers_to_str=True)


def read(kind: type[T], said: Mapping[str, Any], tables: Tables, known_faults: Sequence[str] = ()) -> T:
    """Build `kind` from plain YAML data, or raise one ConfigError that lists everything wrong with it.

    known_faults: what was found wrong with the command line before its settings could be composed.
    """
    faults = list(known_faults)
    value = _read_object(kind, said, "", tables, faults)
    if faults:
        raise RefusedError(faults)
    return value  # type: ignore[no-any-return]


def hint_at(kind: type, path: str) -> Any:
    """The type of the setting that `path`, dotted, names in `kind`; None where there is none.

    What stands under a Choice is `Any`: its table answers for it later.
    """
    name, _, rest = path.partition(".")
    hint = get_type_hints(kind).get(name)
    if hint is None or not rest:
        return hint
    inner = _without_none(hint)
    if inner is Choice:
        return Any
    return hint_at(inner, rest) if isinstance(inner, type) and is_dataclass(inner) else None


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
    if value == "???" or (value is None and NoneType not in get_args(hint)):
        faults.append(f"{where}: must be given ({one.metadata.get('says', '')}); add {where}=...")
        return None
    if value is None or (value == {} and hint == Choice | None):  # {} is how a sweep says null
        return None
    if inner is Choice:
        return _read_choice(tables[one.name], value, where, faults)
    if is_dataclass(inner):
        return _read_object(inner, value, f"{where}.", tables, faults)  # type: ignore[arg-type]
    return _read_plain(hint, value, where, faults, one.metadata)


def _read_plain(hint: Any, value: Any, where: str, faults: list[str], bounds: Mapping[str, Any]) -> Any:
    try:
        read_value = TypeAdapter(hint, config=PLAIN).validate_python(value)
    except ValidationError as wrong:
        options = [option for option in get_args(hint) if isinstance(option, str)]
        faults.append(f"{where}: {wrong.errors()[0]['msg']} (you gave {value!r}){_nearest(str(value), options)}")
        return None
    if isinstance(read_value, str):  # a word in the place of a number has no bounds
        least = most = None
    else:
        least, most = bounds.get("least"), bounds.get("most")
    if least is not None and read_value < least:
        faults.append(f"{where}: must be {least} or more: {bounds['says']} (you gave {value!r})")
    if most is not None and read_value > most:
        faults.append(f"{where}: must be {most} or less: {bounds['says']} (you gave {value!r})")
    if bounds.get("folder") and (fault := folder_fault(read_value)):
        faults.append(f"{where}: {fault} (you gave {value!r})")
    return read_value


def _read_choice(table: Mapping[str, Callable[..., Any]], value: Any, where: str, faults: list[str]) -> Choice | None:
    if isinstance(value, str):  # `embedder=pretrained` where the group has no file of its own
        value = {"name": value}
    if not isinstance(value, Mapping) or "name" not in value:
        faults.append(f"{where}: one of {', '.join(table)} is wanted (you gave {value!r})")
        return None
    name, options = str(value["name"]), {key: given for key, given in value.items() if key != "name"}
    if name not in table:
        known = table.near(name) if isinstance(table, Open) else list(table)
        faults.append(f"{where}: there is no {name!r}; there are {', '.join(known)}{_nearest(name, known)}")
        return None
    wanted = options_of(table[name])
    faults += [
        _unknown(f"{where}.{key}", given, key, list(wanted)) for key, given in options.items() if key not in wanted
    ]
    hints = get_type_hints(table[name], include_extras=True)
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
    meant = _nearest(name, known) or (f"; there are {', '.join(known)}" if known else "; it takes none")
    return f"{where}: no such setting (you gave {value!r}){meant}"


def _nearest(given: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    near = get_close_matches(given, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


def _without_none(hint: Any) -> Any:
    inner = [option for option in get_args(hint) if option is not NoneType]
    return inner[0] if NoneType in get_args(hint) and len(inner) == 1 else hint
