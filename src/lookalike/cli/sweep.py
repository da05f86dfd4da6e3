"""What the words of `lookalike train` ask for: one run or a plain sweep, a study of several arms, or a search.

In: the words of the command. Out: words for Hydra, or a study's runs, each composed and read by the door, or a search.
Never: begins a run, or takes half a study for something else.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from lookalike.cli import door, jobs, show
from lookalike.cli.faults import RefusedError, faults_of
from lookalike.cli.jobs import UNLESS_SAID, Job
from lookalike.cli.main import experiments
from lookalike.cli.overrides import SWEEP, behind, combinations, key_of, ready, sweeping
from lookalike.settings import ConfigError, Study, Train

SHOWS = (
    "--cfg",
    "-c",
    "--info",
    "-i",
    "--hydra-help",
    "--shell-completion",
    "-sc",
)  # Hydra prints, and nothing is done


@dataclass(frozen=True, kw_only=True)
class Question:
    """What the words ask for: a study's jobs, in the order in which they run."""

    jobs: tuple[Job, ...]
    pool: int = 1
    plan: bool = False


@dataclass(frozen=True, kw_only=True)
class Search:
    """What the words ask for: the best of a space, found by so many trials."""

    words: tuple[str, ...]  # the user's, ready but without the space
    study: Study
    configs: Path

    def settings(self, chosen: Mapping[str, Any], name: str = "") -> Train:
        """What one trial is; every fault of it is a ConfigError."""
        first = [f"{key}={typed(value)}" for key, value in chosen.items()]
        found = ready(Train, [*UNLESS_SAID.values(), *behind(first, self.words, self.configs)], self.configs)
        said = jobs.composed(jobs.without_flags(found.given), self.configs)
        return jobs.read(said, found.faults, {"name": name} if name else {})


def typed(value: Any) -> str:
    """A value of a space as one would type it."""
    return value if isinstance(value, str) else json.dumps(value)


def concerns(words: Sequence[str]) -> bool:
    """Whether a command may mean a study: only then is it looked at more closely."""
    return any(key_of(word).partition(".")[0] in {"experiment", "arm", "study"} for word in words)


def questions(words: Sequence[str], configs: Path) -> list[str] | list[Question | Search]:
    """What the words ask for, of each experiment that they name; or words for Hydra."""
    parts = _each(words)
    if len(parts) == 1 or ready(Train, words, configs).faults:
        found = asked(words, configs)
        return found if isinstance(found, list) else [found]
    answers = [asked(part, configs) for part in parts]
    studies = [one for one in answers if not isinstance(one, list)]
    if not studies:
        return list(words)
    if len(studies) < len(answers):
        runs = [_experiment(part) for part, one in zip(parts, answers, strict=True) if isinstance(one, list)]
        raise ConfigError(f"experiment={','.join(runs)}: a run, not a study; give it a command of its own")
    return studies


def asked(words: Sequence[str], configs: Path) -> list[str] | Question | Search:
    """What the words ask for, of one experiment. A list is words for Hydra: one run, or a sweep without a study."""
    found = ready(Train, words, configs)
    if found.faults or (any(word in SHOWS for word in words) and not _arm(words)):
        return list(words)  # Hydra's way tells the faults, with all the others
    sweeps = any(word in SWEEP for word in words)
    own = [word for word in words if word not in SWEEP]
    base = jobs.composed(combinations(jobs.without_flags(found.given))[0], configs)
    study = _study(base["study"])
    arm = _known(_arm(words), study, words, configs)
    _fits_together(study, arm, words, sweeps=sweeps)
    if study.space and sweeps:
        return Search(words=tuple(own), study=_free(study, own), configs=configs)
    if not sweeps:
        return _of_one_arm(base["name"], arm, study, own, configs) if arm else own
    if not (study.arms or study.seeds or study.pool > 1):
        return list(words)
    every = jobs.jobs(study, arm, own, configs)
    _warn({name: jobs.words_of(text) for name, text in study.arms.items() if not arm or name == arm}, own)
    return Question(jobs=every, pool=study.pool, plan=every[0].settings.plan)


def _of_one_arm(name: str, arm: str, study: Study, own: Sequence[str], configs: Path) -> list[str]:
    """Words for Hydra: one arm is one run."""
    said = jobs.words_of(study.arms[arm])
    _warn({arm: said}, own)
    return [*behind(said, own, configs), f"name={name}-{arm}"]


def _warn(arms: jobs.Arms, own: Sequence[str]) -> None:
    for warning in jobs.taken(arms, own):
        show.err.print(warning, style="yellow", markup=False)


def _each(words: Sequence[str]) -> list[list[str]]:
    """The words once for each experiment that they name."""
    names = dict.fromkeys(_experiment(words).split(","))
    return [[f"experiment={name}" if key_of(word) == "experiment" else word for word in words] for name in names]


def _arm(words: Iterable[str]) -> str:
    return next((word.partition("=")[2].strip("'\"") for word in words if key_of(word) == "arm"), "")


def _experiment(words: Iterable[str]) -> str:
    return next((word.partition("=")[2] for word in words if key_of(word) == "experiment"), "")


def _study(said: Any) -> Study:
    """The study alone; its faults are told as those of `study`."""
    try:
        return door.read(Study, said, {})
    except ConfigError as wrong:
        raise RefusedError(f"study.{fault}" for fault in faults_of(wrong)) from None


def _known(arm: str, study: Study, words: Iterable[str], configs: Path) -> str:
    """An arm that the study has, or a ConfigError that names those that it has."""
    if not arm or arm in study.arms:
        return arm
    experiment = _experiment(words)
    if not study.arms:
        with_arms = [name for name, file in experiments(configs).items() if "arms:" in file.read_text("utf-8")]
        of = f"experiment={experiment} has no arms; leave arm out" if experiment else "arms are an experiment's"
        raise ConfigError(f"arm={arm}: {of}. Experiments with arms: {', '.join(with_arms) or 'none'}")
    near = get_close_matches(arm, study.arms, n=1, cutoff=0.4)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    raise ConfigError(f"arm={arm}: experiment={experiment} has no such arm; there are {', '.join(study.arms)}{meant}")


def _fits_together(study: Study, arm: str, words: Sequence[str], *, sweeps: bool) -> None:
    """Refuse what is half a study, half something else."""
    experiment = _experiment(words)
    if study.space and study.arms:
        raise ConfigError(
            f"experiment={experiment}: a study has arms to compare or a space to search, not both; leave out study.arms "
            "or study.space"
        )
    if study.arms and not arm and not sweeps:
        raise ConfigError(
            f"experiment={experiment} asks {len(study.arms)} questions: add -m to run them all, or arm=NAME for one; "
            f"there are {', '.join(study.arms)}"
        )
    if faults := _of_no_use(study, words, sweeps=sweeps):
        raise RefusedError(faults)


def _of_no_use(study: Study, words: Sequence[str], *, sweeps: bool) -> list[str]:
    """The user's words about a study that none of what will run would heed."""
    own = [key_of(word) for word in words if key_of(word).partition(".")[0] == "study"]
    if not sweeps:
        return [f"{key}: studies and searches are run with -m; without it this would be one run" for key in own]
    faults = [f"{key}: one value is wanted" for key in sweeping(words) if key in own]
    if not study.space:
        ours = [key for key in own if key in {"study.trials", "study.storage"}]
        faults += [f"{key}: of a search, and there is no study.space to search; see search_head" for key in ours]
    launched = [word for word in words if key_of(word) in {"hydra/launcher", "hydra/sweeper"}]
    if launched and (study.arms or study.space or study.seeds or study.pool > 1):
        faults.append(f"{launched[0]}: a study starts its own runs; leave that out, study.pool=N runs N at once")
    return faults


def _free(study: Study, words: Sequence[str]) -> Study:
    """A search without what the user has settled."""
    settled = {key_of(word) for word in words}
    space = {key: value for key, value in study.space.items() if key not in settled}
    faults = [
        f"{key}: a search takes one value (what it may choose among stands in study.space)" for key in sweeping(words)
    ]
    if not space:
        faults.append(f"study.space: nothing is left to search: you have settled {', '.join(study.space)}")
    if not study.trials:
        faults.append("study.trials: how many runs may the search take? add study.trials=20")
    if study.seeds:
        faults.append(
            "study.seeds: a search learns with one seed; say seed=N, and run the best again with -m seed=0,1,2"
        )
    if faults:
        raise RefusedError(faults)
    return Study(space=space, trials=study.trials, storage=study.storage, pool=study.pool)
