"""What `lookalike VERB --help` says: what the verb is for, examples, every setting with its sentence, bounds and choices.

In: a verb, its settings type, the folder of YAML files. Out: text. Never: composes or runs anything, or imports what is slow.
With an experiment named, as in `lookalike train experiment=losses --help`, the text is of that one: what it asks, and its arms.
"""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import yaml

from lookalike.cli.main import experiments
from lookalike.settings import ConfigError

WIDTH = 34
OWN = (
    "./configs/experiment/NAME.yaml: a first line `# @package _global_`, a second with the question, as a comment; then",
    "`name: NAME`, settings as above, and for a study `study: {seeds: [0, 1], arms: {ARM: loss=triplet loss.margin=0.3}}`",
)
LIBRARIES = {"pml": "pytorch-metric-learning"}  # what a name with a colon in it is of


def teach(verb: str, kind: type, configs: Path, experiment: str = "") -> str:
    """The help of one verb, or of one experiment."""
    if experiment:
        return "\n".join(_experiment(experiment, configs))
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
        *(
            ["  -m experiment=NAME  a study: every arm of it with every seed; or a search"]
            if "experiment" in groups
            else []
        ),
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
    if "experiment" not in groups:
        return
    yield _row("experiment=", "settings of a named question; experiment=NAME --help tells more of one:")
    for name, file in experiments(configs).items():
        study = _study(file, configs)
        arms, seeds = len(study.get("arms", {})), len(study.get("seeds", []))
        runs = f" (-m: {arms} arms{f' x {seeds} seeds' if seeds > 1 else ''})" if arms else ""
        yield _row(f"  {name}", f"{' '.join(_says(file)[:1])}{runs or _searches(study)}")
    yield from (_row("" if number else "  your own", told) for number, told in enumerate(OWN))


def _experiment(name: str, configs: Path) -> Iterator[str]:
    """What an experiment asks, its arms or its space, and what to type."""
    files = experiments(configs)
    if name not in files:
        near = get_close_matches(name, files, n=1, cutoff=0.4)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"experiment: there is no {name!r}; there are {', '.join(files)}{meant}")
    study, run = _study(files[name], configs), f"lookalike train experiment={name} dataset=NAME"
    yield f"experiment={name}"
    yield from (f"  {line}" for line in _says(files[name]))
    yield ""
    if arms := study.get("arms", {}):
        yield "arms, and the words that each stands for"
        yield from (_row(arm, str(words)) for arm, words in arms.items())
        seeds = ", ".join(map(str, study.get("seeds", []))) or "the seed alone"
        yield from ("", f"  {run.replace('train', 'train -m')}    every arm with each of its seeds: {seeds}")
        yield f"  {run} arm={next(iter(arms))}    one arm, one run"
    elif space := study.get("space", {}):
        yield "searched among"
        yield from (_row(key, _shown_in_full(among)) for key, among in space.items())
        yield from ("", f"  {run.replace('train', 'train -m')} study.trials={study.get('trials') or 20}")
    else:
        yield f"  {run}"
    yield "  lookalike train --help    every setting"


def _says(file: Path) -> list[str]:
    """The comment of an experiment: what it asks."""
    lines = [line for line in _opening(file) if not line.startswith("@package")]
    return [line for line in lines if line]


def _study(file: Path, configs: Path) -> dict[str, Any]:
    """What an experiment says of its study, itself or by the files that it begins with."""
    said = yaml.safe_load(file.read_text("utf-8")) or {}
    told: dict[str, Any] = {}
    for entry in said.get("defaults", []):
        if isinstance(entry, str) and entry != "_self_":
            told |= _study(_named(entry, file, configs), configs)
    return told | (said.get("study") or {})


def _named(entry: str, file: Path, configs: Path) -> Path:
    """The file that another one begins with: of the whole folder, or beside it, or beside the package's own."""
    if entry.startswith("/"):
        return configs / f"{entry[1:]}.yaml"
    beside = file.parent / f"{entry}.yaml"
    return beside if beside.is_file() else configs / "experiment" / f"{entry}.yaml"


def _searches(study: dict[str, Any]) -> str:
    space = study.get("space", {})
    return f" (-m: a search among {', '.join(space)})" if space else ""


def _shown_in_full(among: Any) -> str:
    if not isinstance(among, dict):
        return ", ".join(_shown(one) or "null" for one in among)
    rest = ", ".join(name for name in ("log", "int") if among.get(name))
    step = f" in steps of {among['step']}" if among.get("step") else ""
    return f"{among['low']} to {among['high']}{step}{f' ({rest})' if rest else ''}"


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
