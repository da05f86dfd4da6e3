"""The command `lookalike VERB [override ...]`: finds the verb, lets Hydra compose its YAML, hands frozen settings to it.

In: the command line. Out: an exit code: 0 done, 1 a verb's own no, 2 a wrong setting, 3 wrong data, 4 a place that cannot be
written or read, 130 stopped. Never: does a verb's work, or lets a user's mistake end in a stack trace.
"""

import ctypes
import errno
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from difflib import get_close_matches
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from lookalike import settings
from lookalike.settings import Choice, ConfigError, LookalikeError

VERBS: dict[str, tuple[type, str]] = {
    "scrape": (settings.Scrape, "crawls a shop into the catalog, politely"),
    "import": (settings.Import, "takes in a data set, or draws one"),
    "freeze": (settings.Freeze, "freezes the catalog into a data set version"),
    "audit": (settings.Audit, "finds leaks, duplicates, unreadable pictures, doubtful labels"),
    "train": (settings.Train, "learns on train, chooses on val, measures once on test"),
    "evaluate": (settings.Evaluate, "measures a run, or an untrained embedder, on a data set"),
    "compare": (settings.Compare, "the leaderboard of runs, and which differences are real"),
    "report": (settings.Report, "one page of a run: curves, failures by cause, color dial, map"),
    "export": (settings.Export, "the best checkpoint as a release: ONNX, int8, CoreML, each held against the run"),
    "index": (settings.Index, "a catalog's vectors, products and search index, into a release"),
    "verify": (settings.Verify, "is a release whole, and does it give what it gave"),
    "promote": (settings.Promote, "the champion from now on, if the gate allows; without a name: the registry"),
    "rollback": (settings.Rollback, "the previous champion again"),
    "serve": (settings.Serve, "the search box over a release: an API, and a page for shoppers"),
    "catalog": (settings.Catalog, "looks into the catalog: counts, crawls, prices; `catalog show ID` one product"),
    "shop": (settings.Shop, "serves the drawn catalog as a shop on this machine, to crawl"),
    "doctor": (settings.Doctor, "checks the machine, the packages and the data"),
}
FLAGS_WITH_VALUE = ("--cfg", "-c", "--package", "-p", "--info", "-i", "--config-name", "-cn", "--config-path", "-cp")
CONFIG_DIR = ("--config-dir", "-cd")  # Hydra's flag for settings of one's own
MODULES = {"import": "import_"}  # a word of Python's own cannot name a module

# Set before torch, FAISS or OpenCV load: on busy cores OpenMP's default spins (a ResNet18 step: 3.2 s instead of 0.37 s). Two
# packages would else tell their makers that they are used here.
ENVIRONMENT = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "HYDRA_FULL_ERROR": "1",
}

# A place that is wrong, not a program that is: said in a sentence. Any other OSError is a fault of ours and keeps its trace.
WRONG_PLACE = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST),
    *(errno.ENOENT, errno.ENOSPC, errno.EDQUOT, errno.ENAMETOOLONG, errno.EINVAL),
}
STOPPED = 130

TRIM_FROM, MOST_MAPPED = -1, -4  # what malloc.h of glibc calls M_TRIM_THRESHOLD and M_MMAP_MAX


@dataclass
class Ending:
    """How the verb ended. Hydra calls the verb and keeps what it returns, so the exit code is left here."""

    code: int = 0


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; the console script's entry."""
    try:
        code = run(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:
        code = _stopped("")
    sys.exit(code)


def run(words: list[str]) -> int:
    """Run one verb with its overrides and answer the exit code."""
    verb, *overrides = words or [""]
    if verb in {"", "-h", "--help", "help"}:
        print(_verbs())
        return 0 if verb else 2
    if verb == "--version":
        print(f"lookalike {version('lookalike')}")
        return 0
    if verb not in VERBS:
        near = get_close_matches(verb, VERBS, n=1)
        meant = f" Did you mean {near[0]!r}?" if near else ""
        print(f"lookalike: there is no verb {verb!r}.{meant}\n\n{_verbs()}", file=sys.stderr)
        return 2
    if {"-h", "--help"} & set(overrides):
        return _taught(verb, overrides)
    if any(word.partition("=")[0] in CONFIG_DIR for word in overrides):
        told = "--config-dir is not needed: an experiment of your own is found in ./configs/experiment/NAME.yaml"
        return _said(verb, ConfigError(told))
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    keep_memory()
    words = joined(VERBS[verb][0], overrides)
    return _train(words) if verb == "train" else _through_hydra(verb, words)


def _taught(verb: str, words: Sequence[str]) -> int:
    from lookalike.cli.teach import teach

    experiment = next((word.partition("=")[2] for word in words if word.startswith("experiment=")), "")
    try:
        print(teach(verb, VERBS[verb][0], configs(), experiment))
    except LookalikeError as wrong:
        return _said(verb, wrong)
    return 0


def keep_memory() -> None:
    """Let the C library keep the memory that it is given back, where it is glibc.

    It would ask the system for every large block anew, and a network's layers are large: the system then spends longer on
    clearing pages than the processor on sums. On 2 cores an EfficientNet-Lite0 at 224 pixels embeds 83 pictures a second
    instead of 23, and trains on 17 instead of 9.
    """
    with suppress(OSError, AttributeError):  # macOS, or another C library: nothing to be done
        c = ctypes.CDLL(None)
        c.mallopt(MOST_MAPPED, 0)
        c.mallopt(TRIM_FROM, 2**31 - 1)


def configs() -> Path:
    """The folder of YAML files: at the top of a checkout, or inside the installed package."""
    beside = Path(__file__).parents[3] / "configs"
    return beside if (beside / "train.yaml").is_file() else Path(__file__).parents[1] / "configs"


def experiments(packaged: Path) -> dict[str, Path]:
    """The files of experiments by name: those of the package, and one's own in ./configs/experiment of the current folder."""
    folders = (
        Path.cwd() / "configs" / "experiment",
        packaged / "experiment",
    )  # of two of a name Hydra takes the latter
    return {
        one.relative_to(folder).with_suffix("").as_posix(): one
        for folder in folders
        for one in sorted(folder.rglob("*.yaml"))
    }


def _train(words: list[str]) -> int:
    """One run or a plain sweep, by Hydra; or a study of many runs, or a search."""
    from lookalike.cli import sweep

    if not sweep.concerns(words):
        return _through_hydra("train", words)
    sys.argv = ["lookalike train", *words]  # what each run notes as its command
    try:
        asked = sweep.questions(words, configs())
        if studies := [one for one in asked if not isinstance(one, str)]:
            from lookalike.cli import study

            return study.run(studies)
    except LookalikeError as wrong:
        return _said("train", wrong)
    except KeyboardInterrupt:
        return _stopped("train")
    return _through_hydra("train", [word for word in asked if isinstance(word, str)])


def _through_hydra(verb: str, said: list[str]) -> int:
    import hydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from lookalike.cli.overrides import ready

    words = ready(VERBS[verb][0], said, configs())
    ending = Ending()

    def task(composed: Any) -> None:
        if ending.code == STOPPED:  # Ctrl-C ends a sweep, not the one job of it that heard it
            return
        plain = OmegaConf.to_container(composed, resolve=True)
        ending.code = max(ending.code, _one_job(verb, plain, words.faults))

    sys.argv = [f"lookalike {verb}", *words.given]
    try:
        hydra.main(version_base="1.3", config_path=str(configs()), config_name=verb)(task)()
    except (HydraException, OmegaConfBaseException) as wrong:
        return _said(verb, ConfigError("; ".join(filter(None, [*words.faults, str(wrong)]))))
    return ending.code


def joined(kind: type, words: Sequence[str]) -> list[str]:
    """Words of which a bare setting's name takes the next one as its value: `show zappos:1` is `show=zappos:1`."""
    names = {one.name for one in fields(kind)}
    bare = next((one.name for one in fields(kind) if one.metadata.get("bare")), "")
    walk, out, values = iter(words), [], []
    for word in walk:
        if bare and "=" not in word and not word.startswith("-"):
            values.append(word)
            continue
        if word in FLAGS_WITH_VALUE:
            out += [word, *islice(walk, 1)]
            continue
        value = next(walk, None) if word in names else None
        out.append(word if value is None else f"{word}={value}")
    return [*out, *([_bare(kind, bare, values)] if values else [])]


def _bare(kind: type, name: str, values: Sequence[str]) -> str:
    """Bare words as one setting: `compare a b` is `compare runs=['a','b']`, `report a` is `report run=a`."""
    quoted = ["'" + value.replace("'", "\\'") + "'" for value in values]
    is_list = get_origin(get_type_hints(kind)[name]) is list
    return f"{name}=[{','.join(quoted)}]" if is_list else f"{name}={' '.join(values)}"


def _one_job(verb: str, plain: Any, faults: Sequence[str]) -> int:
    from lookalike.cli import door

    try:
        read: Any = door.read(VERBS[verb][0], plain, _tables(VERBS[verb][0]), faults)
        # only now, as what a verb needs may take seconds to import
        return int(importlib.import_module(f"lookalike.cli.{MODULES.get(verb, verb)}").run(read))
    except LookalikeError as wrong:
        return _said(verb, wrong)
    except OSError as wrong:
        if wrong.errno not in WRONG_PLACE or not wrong.filename:
            raise
        mend = (
            "Give another place (paths.data=..., paths.runs=..., paths.releases=...), or make this one a folder that you may "
            "write to."
        )
        print(f"lookalike {verb}: {wrong.filename}: {wrong.strerror}. {mend}", file=sys.stderr)
        return 4
    except KeyboardInterrupt:
        return _stopped(verb)


def _tables(kind: type) -> Mapping[str, Any]:
    """What may be chosen, where there is a choice: a server has none, and starts without torch."""
    if not any(Choice in (hint, *get_args(hint)) for hint in get_type_hints(kind).values()):
        return {}
    from lookalike import build

    return build.TABLES


def _said(verb: str, wrong: LookalikeError) -> int:
    print(f"lookalike {verb}: {wrong}", file=sys.stderr)
    return wrong.exit_code


def _stopped(verb: str) -> int:
    on = ", and the same command goes on where it was" if verb == "train" else ""
    print(f"\n{f'lookalike {verb}'.rstrip()}: stopped; what was finished is kept{on}.", file=sys.stderr)
    return STOPPED


def _verbs() -> str:
    rows = "\n".join(f"  {verb:<9} {says}" for verb, (_, says) in VERBS.items())
    return (
        "lookalike learns when two photographs show the same fashion product,\nand proves how well it does so.\n\n"
        f"usage: lookalike VERB [setting=value ...]\n\n{rows}\n\n"
        "lookalike VERB --help           its settings, its choices, examples\n"
        "lookalike VERB --cfg job        what would be read, and nothing done\n"
        "lookalike train -m seed=0,1,2   a sweep: one run for each value\n"
        "lookalike train -m experiment=losses dataset=NAME   a study: every arm with every seed, and their table\n"
        "lookalike --version\n"
    )
