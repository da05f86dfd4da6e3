"""What `lookalike VERB --help` says: what the verb is for, examples, every setting with its sentence, bounds and choices.

In: a verb, its settings type, the folder of YAML files. Out: text. Never: composes or runs anything, or imports what is slow.
"""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import yaml

WIDTH = 34
LIBRARIES = {"pml": "pytorch-metric-learning"}  # what a name with a colon in it is of


def teach(verb: str, kind: type, configs: Path) -> str:
    """The help of one verb."""
    file = configs / f"{verb}.yaml"
    said = yaml.safe_load(file.read_text("utf-8"))
    groups = {name: value for entry in said.pop("defaults") if isinstance(entry, dict) for name, value in entry.items()}
    lines = [
        *_opening(file),
        "",
        "settings (setting=value; a list of them in any order)",
        *_settings(kind, said, "", groups, configs),
        *_experiments(groups, configs),
        "",
        "  --cfg job           print what would be read, do nothing",
        "  -m setting=a,b      a sweep: one job for each value",
        "  --hydra-help        what Hydra, which reads the settings, can do besides",
    ]
    return "\n".join(lines)


def _opening(file: Path) -> list[str]:
    """The comment at the top of a verb's YAML: what it is for, and examples."""
    lines = file.read_text("utf-8").splitlines()
    top = lines[: next(number for number, line in enumerate(lines) if not line.startswith("#"))]
    return [line.removeprefix("#").removeprefix(" ") for line in top]


def _settings(kind: type, said: dict[str, Any], path: str, groups: dict[str, Any], configs: Path) -> Iterator[str]:
    hints = get_type_hints(kind)
    for one in fields(kind):
        name, hint = f"{path}{one.name}", _plain(hints[one.name])
        if name in groups:
            must = "must be given: " if groups[name] is None and hint is hints[one.name] else ""
            yield from _choice(name, groups[name], must + one.metadata["says"], hint is not hints[one.name], configs)
        elif is_dataclass(hint) and isinstance(hint, type):
            yield from _settings(hint, said.get(one.name) or {}, f"{name}.", {}, configs)
        else:
            bounds = _bounds(hint, one.metadata)
            value = said.get(one.name, one.default)
            must = "must be given: " if value == "???" else ""
            yield _row(f"{name}={_shown(value)}", must + one.metadata["says"] + bounds)


def _choice(name: str, default: Any, says: str, optional: bool, configs: Path) -> Iterator[str]:
    entries = {file.stem: yaml.safe_load(file.read_text("utf-8")) for file in sorted((configs / name).glob("*.yaml"))}
    libraries = sorted({one["name"].partition(":")[0] for one in entries.values() if ":" in one["name"]})
    known = [*["null"] * optional, *entries, *(f"{library}:NAME" for library in libraries)]
    shown = "null" if optional and default is None else _shown(default)
    yield _row(f"{name}={shown}", f"{says}: {', '.join(known)}")
    for entry, options in entries.items():
        told = " ".join(f"{name}.{key}={_shown(value)}" for key, value in options.items() if key != "name")
        if told:
            yield _row("", f"{entry}: {told}")
    for library in libraries:
        yield _row("", f"{library}:NAME: any other of {LIBRARIES[library]}, with its options as {name}.OPTION")


def _experiments(groups: dict[str, Any], configs: Path) -> Iterator[str]:
    if "experiment" in groups:
        names = ", ".join(sorted(file.stem for file in (configs / "experiment").glob("*.yaml")))
        yield _row("experiment=", f"settings of a named question: {names}")


def _plain(hint: Any) -> Any:
    """The type without its None."""
    inner = [one for one in get_args(hint) if one is not type(None)]
    return inner[0] if get_origin(hint) is not Literal and len(inner) == 1 and len(get_args(hint)) == 2 else hint


def _bounds(hint: Any, metadata: Any) -> str:
    if get_origin(hint) is Literal:
        return f" ({' | '.join(str(one) or repr('') for one in get_args(hint))})"
    least, most = metadata.get("least"), metadata.get("most")
    if least is None and most is None:
        return ""
    return f" ({least} or more)" if most is None else f" ({least} to {most})"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(one['name'] if isinstance(one, dict) else _shown(one) for one in value)}]"
    if value in ("???", None, ""):
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _row(left: str, right: str) -> str:
    return f"  {left:<{WIDTH - 2}}  {right}" if len(left) <= WIDTH - 2 else f"  {left}\n{'':<{WIDTH + 2}}{right}"
