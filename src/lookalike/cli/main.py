"""The command `lookalike VERB [override ...]`: finds the verb, lets Hydra compose its YAML, hands frozen settings to it.

In: the command line. Out: an exit code: 0 done, 1 a verb's own no, 2 a wrong setting, 3 wrong data, 4 no disk, 130 stopped.
Never: does a verb's work, or lets a user's mistake end in a stack trace.
"""

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from lookalike import settings
from lookalike.settings import LookalikeError

VERBS: dict[str, tuple[type, str]] = {
    "import": (settings.Import, "takes in a data set: csv, folders, feed, ut_zap50k, sop, inshop, or drawn products"),
    "freeze": (settings.Freeze, "freezes the catalog, or a part of it, into a data set version"),
    "audit": (settings.Audit, "looks for leaks, duplicates, unreadable pictures and label suspects; exit 1 on a leak"),
    "train": (settings.Train, "learns on train, chooses on val, measures once on test, leaves a run folder"),
    "evaluate": (settings.Evaluate, "measures a run, or an untrained embedder, on a data set"),
    "doctor": (settings.Doctor, "checks the machine, the packages and the data; says what to mend"),
}

# Set before torch, FAISS or OpenCV load: on busy cores OpenMP's default spins (a ResNet18 step: 3.2 s instead of 0.37 s).
ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE", "NO_ALBUMENTATIONS_UPDATE": "1"}


@dataclass
class Ending:
    """How the verb ended. Hydra calls the verb and keeps what it returns, so the exit code is left here."""

    code: int = 0


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; the console script's entry."""
    sys.exit(run(list(sys.argv[1:] if argv is None else argv)))


def run(words: list[str]) -> int:
    """Run one verb with its overrides and answer the exit code."""
    if not words or words[0] in {"-h", "--help", "help"}:
        print(_teach())
        return 0 if words else 2
    verb, *overrides = words
    if verb not in VERBS:
        near = get_close_matches(verb, VERBS, n=1)
        meant = f" Did you mean {near[0]!r}?" if near else ""
        print(f"lookalike: there is no verb {verb!r}.{meant}\n\n{_teach()}", file=sys.stderr)
        return 2
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    return _through_hydra(verb, overrides)


def configs() -> Path:
    """The folder of YAML files: at the top of a checkout, or inside the installed package."""
    beside = Path(__file__).parents[3] / "configs"
    return beside if (beside / "train.yaml").is_file() else Path(__file__).parents[1] / "configs"


def _through_hydra(verb: str, overrides: list[str]) -> int:
    import hydra
    from omegaconf import OmegaConf

    from lookalike.cli.overrides import let_the_door_judge

    kind = VERBS[verb][0]
    ending = Ending()

    def task(composed: Any) -> None:
        _one_job(verb, kind, lambda: OmegaConf.to_container(composed, resolve=True), ending)

    sys.argv = [f"lookalike {verb}", *let_the_door_judge(kind, overrides, configs())]
    hydra.main(version_base="1.3", config_path=str(configs()), config_name=verb)(task)()
    return ending.code


def _one_job(verb: str, kind: type, plain: Callable[[], Any], ending: Ending) -> None:
    from lookalike import build
    from lookalike.cli import door

    try:
        work = importlib.import_module(f"lookalike.cli.{verb}_" if verb == "import" else f"lookalike.cli.{verb}").run
        code = work(door.read(kind, plain(), build.TABLES))
    except LookalikeError as wrong:
        print(f"lookalike {verb}: {wrong}", file=sys.stderr)
        code = wrong.exit_code
    except KeyboardInterrupt:
        print(f"\nlookalike {verb}: stopped; what was finished is kept.", file=sys.stderr)
        code = 130
    ending.code = max(ending.code, code or 0)


def _teach() -> str:
    rows = "\n".join(f"  {verb:<9} {says}" for verb, (_, says) in VERBS.items())
    return (
        "lookalike learns when two photographs show the same fashion product, and proves how well it does so.\n\n"
        f"usage: lookalike VERB [override ...]\n\n{rows}\n\n"
        "lookalike VERB --help     the verb's settings, its choices, examples\n"
        "lookalike VERB --cfg job  what would be read, and nothing done\n"
        "lookalike train -m seed=0,1,2   a sweep: one run for each value\n"
    )
