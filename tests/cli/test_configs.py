"""Every YAML under configs/: it composes, the door reads it, and every experiment survives a training of one epoch."""

import json
from dataclasses import MISSING, fields
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from lookalike.build import TABLES
from lookalike.cli import space, sweep
from lookalike.cli.door import read
from lookalike.cli.main import VERBS, configs
from lookalike.cli.overrides import entries, ready

CONFIGS = Path(__file__).parents[2] / "configs"
ENOUGH = {  # what a verb must be told
    "import": ("adapter=toy", "name=x"),
    "freeze": ("name=x",),
    "audit": ("dataset=x",),
    "train": ("dataset=x",),
    "evaluate": ("embedder=pretrained", "dataset=x"),
    "scrape": ("shop=plain",),
    "catalog": (),
    "shop": (),
    "doctor": (),
    "compare": ("runs=[x]",),
    "report": ("run=x",),
    "export": ("run=x",),
    "index": ("dataset=x",),
    "verify": (),
    "promote": (),
    "rollback": (),
    "serve": (),
}
VERB_OF = {"shop": "scrape", "adapter": "import", "embedder": "evaluate"}  # of the other groups it is train
GROUPS = [(group, file.stem) for group in TABLES for file in sorted((CONFIGS / group).glob("*.yaml"))]
EXPERIMENTS = list(entries(CONFIGS / "experiment"))  # also those in folders: legacy/roxanne


def settings_of(verb, *words):
    """What the verb would be handed."""
    found = ready(VERBS[verb][0], [*ENOUGH[verb], *words], CONFIGS)
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        said = OmegaConf.to_container(compose(verb, overrides=found.given), resolve=True)
    return read(VERBS[verb][0], said, TABLES, found.faults)


def test_each_file_is_a_verbs_a_groups_or_an_experiments():
    known = {f"{verb}.yaml" for verb in VERBS} | {f"{group}/{name}.yaml" for group, name in GROUPS}
    known |= {"_quiet.yaml", "_head_only.yaml", "_fine_tuned.yaml"}  # what several begin with
    known |= {f"experiment/{name}.yaml" for name in EXPERIMENTS}
    assert {str(file.relative_to(CONFIGS)) for file in CONFIGS.rglob("*.yaml")} == known
    assert configs() == CONFIGS


@pytest.mark.parametrize("verb", VERBS)
def test_the_yaml_of_a_verb_says_the_defaults_of_its_settings(verb):
    told = settings_of(verb)
    given = {word.partition("=")[0] for word in ENOUGH[verb]}
    given |= {one.name for one in fields(told) if one.default is MISSING and one.default_factory is MISSING}
    assert told == type(told)(**{name: getattr(told, name) for name in given})


@pytest.mark.parametrize(("group", "name"), GROUPS, ids=[f"{group}={name}" for group, name in GROUPS])
def test_every_entry_of_every_group_can_be_chosen(group, name):
    verb = VERB_OF.get(group, "train")
    source = ["source=x"] if group == "adapter" else []
    chosen = getattr(settings_of(verb, f"{group}={name}", *source), group)
    assert chosen.name in TABLES[group]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_is_named_as_its_file(name):
    assert settings_of("train", f"experiment={name}").name == Path(name).name


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_arm_of_every_experiment_and_every_end_of_a_space_can_be_read(name):
    asked = sweep.asked(["-m", f"experiment={name}", "dataset=x"], CONFIGS)
    if isinstance(asked, sweep.Search):
        assert space.checked(asked, space.space_of(asked.study.space)).name == name
    elif isinstance(asked, sweep.Question):
        for job in asked.jobs:  # one without arms has seeds alone
            assert job.settings.name == "-".join(filter(None, (Path(name).name, job.settings.arm)))


@pytest.fixture(scope="module")
def small(lookalike, tmp_path_factory):
    """A folder with the data set `toy`: enough to learn from, and no more."""
    at = tmp_path_factory.mktemp("small")
    lookalike("import", "adapter=toy", "adapter.styles=12", "adapter.colorways=2", "adapter.size=32", "name=toy", at=at)
    return at


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_survives_an_epoch(lookalike, small, name):
    quick = ("pixels.size=32", "batch.products=4", "epochs=1", "backbone=timm", "backbone.model=test_resnet")
    anyone = ("dataset=toy", 'query_view=""', 'gallery_view=""')
    arms = list(settings_of("train", f"experiment={name}").study.arms)
    lookalike("train", f"experiment={name}", *[f"arm={arm}" for arm in arms[-1:]], *quick, *anyone, at=small)
    folder = "-".join([Path(name).name, *arms[-1:]])
    (told,) = (small / "runs" / folder).glob("*/metrics.json")
    assert 0 <= json.loads(told.read_text())["test"]["recall@1"]["value"] <= 1


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiments_choices_give_way_to_the_command_line(name):
    told = settings_of(
        "train", f"experiment={name}", "loss=pml:TripletMarginLoss", "start=null", "finish=lda", "epochs=0"
    )
    assert (told.loss.name, told.loss.options) == ("pml:TripletMarginLoss", {})
    assert (told.start, told.finish.name, told.epochs) == (None, "lda", 0)
