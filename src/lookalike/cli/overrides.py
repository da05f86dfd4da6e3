"""The words after a verb, made ready for Hydra, so that every fault of a command line is told together and with a mend.

In: the words. Out: words that Hydra composes without a question, and the faults of those that it could not; an arm's words
behind which the user's own stand, and which of these take whose place; of words that sweep, those of each job.
Never: judges a value; that is the door's.

Hydra alone would stop at the first unknown name, and its grammar trips over a path such as `shoes/cat (1).csv`.
"""

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from lookalike.cli.door import hint_at
from lookalike.cli.main import FLAGS_WITH_VALUE, experiments

SWEEP = ("-m", "--multirun")


@dataclass
class Words:
    """What Hydra is given, and what is already known to be wrong."""

    given: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def ready(kind: type, words: Sequence[str], configs: Path) -> Words:
    """Make each word ready. An unknown `key=value` becomes an addition, for the door to name beside all the others."""
    out, flags = Words(), []
    sweeps = any(word in SWEEP for word in words)
    for place, word in enumerate(words):
        if (word.startswith("-") and "=" not in word) or (place and words[place - 1] in FLAGS_WITH_VALUE):
            flags.append(word)
        elif word.startswith("~") and "=" not in word:
            out.given.append(word)
        elif "=" not in word:
            out.faults.append(f"{word!r}: a setting is written setting=value, without spaces around the sign")
        elif word.startswith("-"):
            out.faults.append(f"{word!r}: settings are written without dashes: {word.lstrip('-')}")
        else:
            _one(kind, word, configs, sweeps, out)
    out.given = flags + out.given  # a flag between settings would end them, as Hydra reads its words
    return out


def _one(kind: type, word: str, configs: Path, sweeps: bool, out: Words) -> None:
    key, _, value = word.partition("=")
    name = key.lstrip("+~")
    if (configs / name.partition("@")[0]).is_dir():
        _group(kind, key, value, configs, sweeps, out)
        return
    override = _parsed(word)
    if override is None or (hint_at(kind, name) is str and not (sweeps and override.is_sweep_override())):
        word = f"{key}={_quoted(value)}"  # a text is taken as it stands: no grammar, no list, no number
    elif override.is_sweep_override() and not sweeps:
        out.faults.append(_several(name, value))
        return
    settled = hint_at(kind, name) is not None and "." not in name  # written in the verb's YAML
    out.given.append(word if settled or word.startswith(("+", "~", "hydra")) else f"++{word}")


def _group(kind: type, key: str, value: str, configs: Path, sweeps: bool, out: Words) -> None:
    """A choice among files; or none of them (null), or one that a library knows by name (pml:TripletMarginLoss)."""
    files = experiments(configs) if key == "experiment" else entries(configs / key.lstrip("+~"))
    names, setting = value.split(","), hint_at(kind, key) is not None
    unknown = [one for one in names if one not in files]
    if len(names) > 1 and not sweeps:
        out.faults.append(_several(key, value))
    elif not unknown:
        out.given.append(f"{key}={value}")
        out.given += _searched_too([files[one] for one in names], configs)
    elif value == "null":
        out.given.append(f"~{key}")
    elif setting and all(one == "null" or ":" in one for one in unknown):
        # no files, so all of a sweep is said in full; and with nothing left of the choice that stands in the verb's YAML
        out.given += [f"~{key}", f"++{key}={','.join(_in_full(one, files) for one in names)}"]
    elif setting and len(names) == 1:
        out.given.append(f"++{key}.name={_quoted(value)}")  # for the door to name beside all the others
    else:
        near = get_close_matches(unknown[0], files, n=1, cutoff=0.4)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        out.faults.append(f"{key}: there is no {unknown[0]!r}; there are {', '.join(files)}{meant}")


def _searched_too(files: Sequence[Path], configs: Path) -> list[str]:
    """Where Hydra is to look besides, if a file is not the package's."""
    if all(one.is_relative_to(configs) for one in files):
        return []
    place = _quoted(f"file://{Path.cwd() / 'configs'}")
    return [f"hydra.searchpath=[{place}]"]


def entries(folder: Path) -> dict[str, Path]:
    """The files of a group by the name that chooses each; one in a folder of its own is `folder/name`."""
    return {one.relative_to(folder).with_suffix("").as_posix(): one for one in sorted(folder.rglob("*.yaml"))}


def key_of(word: str) -> str:
    """What a word is about: `++loss.margin=1` and `~loss.margin` are about loss.margin."""
    return word.partition("=")[0].lstrip("+~")


def behind(first: Sequence[str], said: Sequence[str], configs: Path) -> list[str]:
    """Both, so that `said` wins: where it makes a choice, the one that `first` made is gone with all its options."""
    chosen = {key_of(word) for word in said if (configs / key_of(word)).is_dir()}
    return [*(word for word in first if key_of(word).partition(".")[0] not in chosen), *said]


def taking(said: Sequence[str], first: Sequence[str]) -> list[str]:
    """Those words of `said` in whose place `first` says something else."""
    return [word for word in said if any(_takes(word, one) for one in first)]


def _takes(word: str, other: str) -> bool:
    key, its = key_of(word), key_of(other)
    return word.lstrip("+") != other.lstrip("+") and (its == key or its.startswith(f"{key}."))


def sweeping(words: Sequence[str]) -> list[str]:
    """What the words that have several values are about."""
    return [key_of(word) for word in words if len(_values(word)) > 1]


def combinations(given: Sequence[str]) -> list[list[str]]:
    """Of words that are ready, and of which some sweep, the words of each job: every value with every other's."""
    return [list(one) for one in itertools.product(*map(_values, given))]


def _values(word: str) -> list[str]:
    override = _parsed(word)
    if override is None or not override.is_discrete_sweep():
        return [word]
    return [f"{override.get_key_element()}={one}" for one in override.sweep_string_iterator()]


def _in_full(name: str, files: Mapping[str, Path]) -> str:
    """A choice as Hydra's grammar writes what its file says: of a library's name, which has no file, the name alone."""
    if name == "null":
        return "{}"
    return _written(yaml.safe_load(files[name].read_text("utf-8")) if name in files else {"name": name})


def _written(value: Any) -> str:
    """Plain data in Hydra's grammar."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_written(one)}' for key, one in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _several(name: str, value: str) -> str:
    return f"{name}: one value is wanted, for a sweep over several add -m (you gave {value!r})"


def _parsed(word: str) -> Override | None:
    try:
        return OverridesParser.create().parse_override(word)
    except HydraException:
        return None


def _quoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value  # quoted already, by one who knows Hydra
    # Hydra reads a backslash as one unless a quote follows it, and OmegaConf looks for ${...} in any text
    at_the_end = "\\" * (len(value) - len(value.rstrip("\\")))
    return "'" + re.sub(r"(\\*)'", r"\1\1\\'", value).replace("${", r"\${") + at_the_end + "'"
