"""`lookalike train -m experiment=NAME`: a named question of several runs, each arm of it with each seed.

In: the words of the command. Out: runs, a table of them, and the words that compare them; or, where no study is meant, words
for Hydra. Never: begins a run before every one was composed and read by the door, or repeats one that stands.
"""

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lookalike import build
from lookalike.cli import door, show
from lookalike.cli.main import FLAGS_WITH_VALUE, STOPPED
from lookalike.cli.overrides import SWEEP, behind, combinations, entries, key_of, ready
from lookalike.cli.pool import Ended, Workers, stood
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
NOT_AN_ARMS = ("name", "seed", "arm", "study", "experiment")  # an arm has its own name; seeds are the study's
UNLESS_SAID = {"again": "again=false"}  # what a study says to its runs, where the user does not


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run of a study."""

    settings: Train
    swept: str = ""  # what the user's own sweep says to it

    @property
    def label(self) -> str:
        """What it is called while the study runs."""
        return ", ".join(filter(None, (self.settings.name, f"seed {self.settings.seed}", self.swept)))


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
        said = _composed(_given(found.given), self.configs)
        return _read(said, found.faults, {"name": name} if name else {})


def concerns(words: Sequence[str]) -> bool:
    """Whether a command may mean a study: only then is it looked at more closely."""
    return any(key_of(word).partition(".")[0] in {"experiment", "arm", "study"} for word in words)


def asked(words: Sequence[str], configs: Path) -> list[str] | Question | Search:
    """What the words of `train` ask for. A list is words for Hydra: one run, or a sweep without a study."""
    found = ready(Train, words, configs)
    if any(word in SHOWS for word in words) and not _arm(words):
        return list(words)
    sweeps = any(word in SWEEP for word in words)
    own = [word for word in words if word not in SWEEP]
    if found.faults:
        return list(words)  # Hydra's way tells them, with all the others
    base = _composed(combinations(_given(found.given))[0], configs)
    study = _study(base["study"])
    arm = _known(_arm(words), study, words, configs)
    _fits_together(study, arm, words, sweeps=sweeps)
    if not sweeps:
        return [*behind(_words_of(study.arms[arm]), own, configs), f"name={base['name']}-{arm}"] if arm else own
    if study.space:
        return Search(words=tuple(own), study=_free(study, own), configs=configs)
    if not study.arms and not study.seeds:
        return list(words)
    return _question(study, arm, own, configs)


def run(question: Question) -> int:
    """Run what is missing of a study, show them all in one table, and answer the worst exit code."""
    jobs = question.jobs
    ended: list[Ended | None] = [None] * len(jobs)
    if question.plan:
        _show(jobs, [None if job.settings.again else stood(job.settings) for job in jobs])
        return 0
    for one in {job.settings.dataset: job.settings for job in jobs}.values():
        stood(one)  # a data set that is not there is said once, now
    try:
        _run(question, ended)
    finally:  # also after Ctrl-C
        _show(jobs, ended)
    return max((one.code for one in ended if one), default=0)


def _run(question: Question, ended: list[Ended | None]) -> None:
    """Run each job, and put down how it ended."""
    jobs = question.jobs

    def began(number: int) -> None:
        show.err.print(f"{number + 1} of {len(jobs)}: {jobs[number].label}", style="bold", markup=False)

    with Workers(min(question.pool, len(jobs))) as workers:
        for number, one in workers.each([(job.settings, job.label) for job in jobs], began):
            ended[number] = one
            if one.why:
                show.err.print(f"{jobs[number].label}: {one.why}", style="red", markup=False)


# What is shown


def _show(jobs: Sequence[Job], ended: Sequence[Ended | None]) -> None:
    """The table, and how to compare."""
    swept = any(job.swept for job in jobs)
    arms = any(job.settings.arm for job in jobs)
    columns = (
        "arm" if arms else "run",
        "seed",
        *["setting"] * swept,
        "val map@r",
        "test recall@1 (95 %)",
        "minutes",
        "",
    )
    rows = [
        (job.settings.arm or job.settings.name, job.settings.seed, *[job.swept] * swept, *_figures(one), _how(one))
        for job, one in zip(jobs, ended, strict=True)
    ]
    count = sum(one is not None and not one.code for one in ended)
    title = jobs[0].settings.name.removesuffix(f"-{jobs[0].settings.arm}")
    show.table(f"{title}: {count} of {len(jobs)} runs stand", columns, rows)
    if told := _compare(jobs, ended):
        show.out.print(f"compare them: {told}\n", markup=False)


def _figures(one: Ended | None) -> tuple[str, ...]:
    """Val map@r, test recall@1 with its interval, minutes."""
    if one is None or not one.metrics:
        return ("-",) * 3
    told = one.metrics["test"]["recall@1"]
    return (
        f"{one.metrics['val']['map@r']['value']:.3f}",
        f"{told['value']:.3f} ({told['ci95'][0]:.3f} to {told['ci95'][1]:.3f})",
        f"{one.metrics['cost']['training_minutes']:.1f}",
    )


def _how(one: Ended | None) -> str:
    if one is None:
        return "to be done"
    if one.code:
        return "stopped" if one.code == STOPPED else f"failed: {one.why.splitlines()[0] if one.why else one.code}"
    return "stood" if one.stood else "done"


def _compare(jobs: Sequence[Job], ended: Sequence[Ended | None]) -> str:
    """The command that compares what stands: by name, or by folder where several settings share a name."""
    whole = [(job, one) for job, one in zip(jobs, ended, strict=True) if one and one.folder]
    if len({(job.settings.name, job.swept) for job, _ in whole}) < 2:
        return ""
    by_folder = any(job.swept for job, _ in whole)
    names = dict.fromkeys(one.folder if by_folder else job.settings.name for job, one in whole)
    runs = whole[0][0].settings.paths.runs
    return shlex.join(["lookalike", "compare", *names, *([f"paths.runs={runs}"] if runs != "runs" else [])])


# What is meant


def _arm(words: Iterable[str]) -> str:
    return next((word.partition("=")[2].strip("'\"") for word in words if key_of(word) == "arm"), "")


def _given(words: Sequence[str]) -> list[str]:
    """Without Hydra's own flags: compose() knows none."""
    flags = {word for word in words if word.startswith("-")}
    return [
        word
        for place, word in enumerate(words)
        if word not in flags and not (place and words[place - 1] in FLAGS_WITH_VALUE)
    ]


def _study(said: Any) -> Study:
    """The study alone; its faults are told as those of `study`."""
    try:
        return door.read(Study, said, {})
    except ConfigError as wrong:
        raise _cannot([f"study.{fault}" for fault in _faults(wrong)]) from None


def _known(arm: str, study: Study, words: Iterable[str], configs: Path) -> str:
    """An arm that the study has, or a ConfigError that names those that it has."""
    if not arm or arm in study.arms:
        return arm
    experiment = _experiment(words)
    if not study.arms:
        with_arms = [
            name for name, file in entries(configs / "experiment").items() if "arms:" in file.read_text("utf-8")
        ]
        of = f"experiment={experiment} has no arms; leave arm out" if experiment else "arms are an experiment's"
        raise ConfigError(f"arm={arm}: {of}. Experiments with arms: {', '.join(with_arms) or 'none'}")
    near = get_close_matches(arm, study.arms, n=1, cutoff=0.4)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    raise ConfigError(f"arm={arm}: experiment={experiment} has no such arm; there are {', '.join(study.arms)}{meant}")


def _experiment(words: Iterable[str]) -> str:
    return next((word.partition("=")[2] for word in words if key_of(word) == "experiment"), "")


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
    launched = [word for word in words if key_of(word) in {"hydra/launcher", "hydra/sweeper"}]
    if sweeps and launched and (study.arms or study.space):
        raise ConfigError(f"{launched[0]}: a study starts its own runs; leave that out, study.pool=N runs N at once")
    if study.space and not sweeps and any(key_of(word) == "study.trials" for word in words):
        raise ConfigError("study.trials: a search is run with -m; without it this would be one run")


def _free(study: Study, words: Sequence[str]) -> Study:
    """A search without what the user has settled."""
    settled = {key_of(word) for word in words}
    space = {key: value for key, value in study.space.items() if key not in settled}
    swept = [key_of(word[0]) for word in _sweeps(words)]
    faults = [f"{key}: a search takes one value (what it may choose among stands in study.space)" for key in swept]
    if not space:
        faults.append(f"study.space: nothing is left to search: you have settled {', '.join(study.space)}")
    if not study.trials:
        faults.append("study.trials: how many runs may the search take? add study.trials=20")
    if study.seeds:
        faults.append(
            "study.seeds: a search learns with one seed; say seed=N, and run the best again with -m seed=0,1,2"
        )
    if faults:
        raise _cannot(faults)
    return Study(space=space, trials=study.trials, storage=study.storage, pool=study.pool)


def _sweeps(words: Sequence[str]) -> Iterator[list[str]]:
    """Of each word that sweeps, its values."""
    return (values for word in words if len(values := [one[0] for one in combinations([word])]) > 1)


# The jobs of a study


def _question(study: Study, arm: str, own: Sequence[str], configs: Path) -> Question:
    """Every job of a study, composed and read; or every fault of every arm at once."""
    arms = {arm: study.arms[arm]} if arm else study.arms or {"": ""}
    jobs: list[Job] = []
    faults: dict[str, list[str]] = {}
    for name, words in arms.items():
        try:
            jobs += _jobs(name, words, study, own, configs)
        except ConfigError as wrong:
            for fault in _faults(wrong):
                faults.setdefault(fault, []).append(name)
    if faults:
        raise _cannot([_of(fault, names, len(arms)) for fault, names in faults.items()])
    return Question(jobs=tuple(jobs), pool=study.pool, plan=jobs[0].settings.plan)


def _of(fault: str, names: Sequence[str], arms: int) -> str:
    """A fault and whose it is; one of all arms is the command's own."""
    return fault if len(names) == arms else f"arm {', '.join(names)}: {fault}"


def _jobs(arm: str, text: str, study: Study, own: Sequence[str], configs: Path) -> Iterator[Job]:
    said = {key_of(word) for word in own}
    unless = [word for key, word in UNLESS_SAID.items() if key not in said]
    words = ready(Train, ["-m", *behind([*_words_of(text), *unless], own, configs)], configs)
    seeds: list[int | None] = [None] if "seed" in said or not study.seeds else [*study.seeds]
    varied = {key_of(values[0]) for values in _sweeps(words.given)} - {"seed"}
    for one in combinations(_given(words.given)):
        swept = " ".join(word.lstrip("+") for word in one if key_of(word) in varied)
        composed = _composed(one, configs)
        for seed in seeds:
            told = {} if seed is None else {"seed": seed}
            yield Job(settings=_read(composed, words.faults, told, arm), swept=swept)


def _words_of(text: str) -> list[str]:
    """An arm's words, as a shell would part them."""
    try:
        words = shlex.split(text)
    except ValueError as wrong:
        raise _cannot([f"{text!r}: {wrong}"]) from None
    own = [word for word in words if key_of(word).partition(".")[0] in NOT_AN_ARMS]
    faults = [f"{word!r}: a study gives each run its {key_of(word)}; leave that out" for word in own]
    faults += [f"{values[0].partition('=')[0]}: an arm says one value of it" for values in _sweeps(words)]
    if faults:
        raise _cannot(faults)
    return words


def _read(said: Mapping[str, Any], faults: Sequence[str], told: Mapping[str, Any], arm: str = "") -> Train:
    """The settings of one run: what was composed, and what the study tells it besides."""
    name = f"{said['name']}-{arm}" if arm else said["name"]
    wandb = {**said["wandb"], "group": said["wandb"]["group"] or said["name"]}  # W&B shows a study as one
    return door.read(Train, {**said, "arm": arm, "name": name, "wandb": wandb, **told}, build.TABLES, faults)


def _composed(given: Sequence[str], configs: Path) -> dict[str, Any]:
    """What Hydra makes of words."""
    try:
        with initialize_config_dir(str(configs), version_base="1.3"):
            said = OmegaConf.to_container(compose("train", overrides=list(given)), resolve=True)
    except (HydraException, OmegaConfBaseException) as wrong:
        raise _cannot([" ".join(str(wrong).split())]) from None
    return said  # type: ignore[return-value]  # its keys are the settings' names


def typed(value: Any) -> str:
    """A value of a space as one would type it."""
    return value if isinstance(value, str) else json.dumps(value)


def _cannot(faults: Sequence[str]) -> ConfigError:
    return ConfigError("These settings cannot be used:" + "".join(f"\n  {fault}" for fault in faults))


def _faults(wrong: ConfigError) -> list[str]:
    """What `_cannot` and the door have listed."""
    return str(wrong).split("\n  ")[1:] or [str(wrong)]
