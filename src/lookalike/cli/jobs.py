"""The runs of a study: what an arm's words, the user's own and the seeds come to.

In: words. Out: settings that the door has read, or every fault of them at once. Never: runs anything.
"""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lookalike import build
from lookalike.cli import door
from lookalike.cli.faults import RefusedError, faults_of
from lookalike.cli.main import FLAGS_WITH_VALUE
from lookalike.cli.overrides import behind, combinations, key_of, ready, sweeping, taking
from lookalike.settings import ConfigError, Study, Train

NOT_AN_ARMS = ("name", "seed", "arm", "study", "experiment")  # an arm has its own name; seeds are the study's
UNLESS_SAID = {"again": "again=false"}  # what a study says to its runs, where the user does not
Arms = Mapping[str, Sequence[str]]  # the words of each


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run of a study."""

    settings: Train
    swept: str = ""  # what the user's own sweep says to it

    @property
    def label(self) -> str:
        """What it is called while the study runs."""
        return ", ".join(filter(None, (self.settings.name, f"seed {self.settings.seed}", self.swept)))


def jobs(study: Study, arm: str, own: Sequence[str], configs: Path) -> tuple[Job, ...]:
    """Every run of a study, or of one arm of it; or every fault of every arm at once."""
    arms = {arm: study.arms[arm]} if arm else study.arms or {"": ""}
    found: list[Job] = []
    faults: dict[str, list[str]] = {}
    for name, text in arms.items():
        try:
            found += _of_arm(name, text, study, own, configs)
        except ConfigError as wrong:
            for fault in faults_of(wrong):
                faults.setdefault(fault, []).append(name)
    told = [_of(fault, names, len(arms)) for fault, names in faults.items()]
    told = told or _alike(found, {name: words_of(text) for name, text in arms.items()}, own)
    if told:
        raise RefusedError(told)
    return tuple(found)


def words_of(text: str) -> list[str]:
    """An arm's words, as a shell would part them."""
    try:
        words = shlex.split(text)
    except ValueError as wrong:
        raise RefusedError([f"{text!r}: {wrong}"]) from None
    own = [word for word in words if key_of(word).partition(".")[0] in NOT_AN_ARMS]
    faults = [f"{word!r}: a study gives each run its {key_of(word)}; leave that out" for word in own]
    faults += [f"{key}: an arm says one value of it" for key in sweeping(words)]
    if faults:
        raise RefusedError(faults)
    return words


def taken(arms: Arms, own: Sequence[str]) -> list[str]:
    """A warning for each of the user's words in whose place some arms say something else."""
    others = {word: [arm for arm, said in arms.items() if taking([word], said)] for word in own}
    return [f"{word} takes the place of what arm {', '.join(names)} says" for word, names in others.items() if names]


def composed(given: Sequence[str], configs: Path) -> dict[str, Any]:
    """What Hydra makes of words that are ready."""
    try:
        with initialize_config_dir(str(configs), version_base="1.3"):
            said = OmegaConf.to_container(compose("train", overrides=list(given)), resolve=True)
    except (HydraException, OmegaConfBaseException) as wrong:
        raise RefusedError([" ".join(str(wrong).split())]) from None
    return said  # type: ignore[return-value]  # its keys are the settings' names


def read(said: Mapping[str, Any], faults: Sequence[str], told: Mapping[str, Any], arm: str = "") -> Train:
    """The settings of one run: what was composed, and what the study tells it besides."""
    name = f"{said['name']}-{arm}" if arm else said["name"]
    wandb = {**said["wandb"], "group": said["wandb"]["group"] or said["name"]}  # W&B shows a study as one
    return door.read(Train, {**said, "arm": arm, "name": name, "wandb": wandb, **told}, build.TABLES, faults)


def without_flags(words: Sequence[str]) -> list[str]:
    """Without Hydra's own flags: compose() knows none."""
    flags = {word for word in words if word.startswith("-")}
    return [
        word
        for place, word in enumerate(words)
        if word not in flags and not (place and words[place - 1] in FLAGS_WITH_VALUE)
    ]


def _of_arm(arm: str, text: str, study: Study, own: Sequence[str], configs: Path) -> Iterator[Job]:
    said = {key_of(word) for word in own}
    unless = [word for key, word in UNLESS_SAID.items() if key not in said]
    words = ready(Train, ["-m", *behind([*words_of(text), *unless], own, configs)], configs)
    seeds: list[int | None] = [None] if "seed" in said or not study.seeds else [*study.seeds]
    varied = {*sweeping(words.given)} - {"seed"}
    for one in combinations(without_flags(words.given)):
        swept = " ".join(word.lstrip("+") for word in one if key_of(word) in varied)
        plain = composed(one, configs)
        for seed in seeds:
            told = {} if seed is None else {"seed": seed}
            yield Job(settings=read(plain, words.faults, told, arm), swept=swept)


def _of(fault: str, names: Sequence[str], arms: int) -> str:
    """A fault and whose it is; one of all arms is the command's own."""
    return fault if len(names) == arms else f"arm {', '.join(names)}: {fault}"


def _alike(found: Sequence[Job], arms: Arms, own: Sequence[str]) -> list[str]:
    """A fault for arms that are one run under several names: their table would compare it with itself."""
    from lookalike.tracking import record  # only now: other faults are to be told at once

    names: dict[str, dict[str, None]] = {}
    for job in found:
        asks = {**record.what(record.plain(job.settings)), "name": ""}
        names.setdefault(json.dumps(asks, sort_keys=True), {})[job.settings.arm] = None
    groups = dict.fromkeys(tuple(same) for same in names.values() if len(same) > 1)
    return [
        _same(group, [word for word in own if taken({arm: arms[arm] for arm in group}, [word])]) for group in groups
    ]


def _same(group: Sequence[str], words: Sequence[str]) -> str:
    """The fault of one group of arms, and which words of the user made them one."""
    told = f"arms {', '.join(group)}: "
    if not words:
        return f"{told}the same run under several names; leave all but one out of study.arms"
    why = f"{told}the same run, as {' '.join(words)} takes the place of what they say"
    return f"{why}; leave that out, or ask one: arm={group[0]}"
