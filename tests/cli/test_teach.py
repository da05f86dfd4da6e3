"""--help: every setting is taught with its sentence, and every YAML says no more and no less than the settings know."""

import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_type_hints

import pytest
import yaml

from lookalike.build import TABLES
from lookalike.cli.door import options_of
from lookalike.cli.main import VERBS, joined
from lookalike.cli.overrides import entries
from lookalike.cli.teach import teach
from lookalike.models.closed import SHRINKAGES
from lookalike.settings import ConfigError

CONFIGS = Path(__file__).parents[2] / "configs"
PRESETS = {("loss", "supcon"), ("augment", "albumentations"), ("augment", "strong")}  # not the maker's defaults
PRESETS |= {("backbone", name) for name in ("resnet18", "resnet50", "vgg16")}
IN_WORDS = {"shrinkage": SHRINKAGES}  # what a default of None means
GROUPS = [(group, file) for group in TABLES for file in sorted((CONFIGS / group).glob("*.yaml"))]


def names_of(kind, path=""):
    for one in fields(kind):
        hint = get_type_hints(kind)[one.name]
        yield from (
            names_of(hint, f"{path}{one.name}.")
            if is_dataclass(hint) and hint.__name__ != "Choice"
            else [path + one.name]
        )


@pytest.mark.parametrize("verb", VERBS)
def test_every_setting_of_a_verb_is_taught(verb):
    said = teach(verb, VERBS[verb][0], CONFIGS)
    assert said.startswith(f"lookalike {verb}: ")
    for name in names_of(VERBS[verb][0]):
        assert f"  {name}" in said


def test_a_setting_shows_its_default_its_sentence_its_bounds_and_its_choices():
    said = teach("train", VERBS["train"][0], CONFIGS)
    assert "pixels.size=112" in said
    assert "(0 to 1024)" in said
    assert "(squash | letterbox | crop)" in said
    assert "loss.margin=1.0" in said
    assert "must be given: a data set" in said


def test_what_may_be_left_out_says_null_and_what_a_library_has_says_how_to_name_it():
    said = " ".join(teach("train", VERBS["train"][0], CONFIGS).split())
    for name in ("start", "finish", "miner"):
        assert re.search(rf" {name}=null [^=]*: null, ", said)
    for name in ("loss", "miner"):
        assert f"pml:NAME: any other of pytorch-metric-learning, with its options as {name}.OPTION" in said
    assert "augment.transforms=[HorizontalFlip, Affine, RandomBrightnessContrast]" in said
    assert "adapter= must be given: " in " ".join(teach("import", VERBS["import"][0], CONFIGS).split())


@pytest.mark.parametrize("verb", VERBS)
def test_the_yaml_of_a_verb_names_every_setting_once(verb):
    said = yaml.safe_load((CONFIGS / f"{verb}.yaml").read_text())
    chosen = {name for entry in said["defaults"] if isinstance(entry, dict) for name in entry}
    known = {one.name for one in fields(VERBS[verb][0])}
    assert set(said) - {"defaults"} == known - chosen


@pytest.mark.parametrize(("group", "file"), GROUPS, ids=[f"{group}/{file.stem}" for group, file in GROUPS])
def test_an_entry_of_a_group_says_just_what_its_maker_takes(group, file):
    said = yaml.safe_load(file.read_text())
    maker = TABLES[group][said.pop("name")]
    assert set(said) == set(options_of(maker))
    defaults = {name: IN_WORDS.get(name, one.default) for name, one in options_of(maker).items()}
    said = {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}
    assert group == "shop" or (group, file.stem) in PRESETS or said == defaults  # a shop has an address, not a default


@pytest.mark.parametrize("group", TABLES)
def test_every_line_of_the_table_has_its_yaml(group):
    names = {yaml.safe_load(file.read_text())["name"] for file in (CONFIGS / group).glob("*.yaml")}
    assert {name for name in names if ":" not in name} == set(TABLES[group])


def test_the_help_of_train_lists_every_experiment_with_what_it_asks_and_how_many_runs_that_is():
    said = teach("train", VERBS["train"][0], CONFIGS)
    for name, file in entries(CONFIGS / "experiment").items():
        asks = file.read_text("utf-8").splitlines()[1].removeprefix("# ")
        assert re.search(rf"^    {name} +{re.escape(asks)}", said, re.MULTILINE)
    assert re.search(r"^    margins .* \(-m: 12 arms x 3 seeds\)$", said, re.MULTILINE)
    assert re.search(r"^    search_head .* \(-m: a search among loss, optimiser.head_lr, ", said, re.MULTILINE)


def test_the_help_of_an_experiment_lists_its_arms_and_the_words_of_each():
    said = teach("train", VERBS["train"][0], CONFIGS, "margins")
    assert re.search(r"^  contrastive_0.5 +loss=contrastive loss.margin=0.5$", said, re.MULTILINE)
    assert "lookalike train -m experiment=margins dataset=NAME    every arm with each of its seeds: 0, 1, 2" in said
    assert "lookalike train experiment=margins dataset=NAME arm=contrastive_0.1    one arm" in said


def test_the_help_of_a_search_tells_what_it_may_choose_among():
    said = teach("train", VERBS["train"][0], CONFIGS, "search_head")
    assert re.search(r"^  optimiser.head_lr +1e-05 to 0.01 \(log\)$", said, re.MULTILINE)
    assert re.search(r"^  loss +supcon, multi_similarity, contrastive, triplet$", said, re.MULTILINE)


def test_the_help_of_an_experiment_that_is_not_there_names_the_nearest():
    with pytest.raises(ConfigError, match=r"there is no 'margin'; .*did you mean 'margins'\?"):
        teach("train", VERBS["train"][0], CONFIGS, "margin")


def test_bare_words_are_runs_where_a_verb_takes_runs_and_what_follows_a_flag_is_the_flags():
    compare, report = VERBS["compare"][0], VERBS["report"][0]
    assert joined(compare, ["a", "metric=map@r", "it's"]) == ["metric=map@r", r"runs=['a','it\'s']"]
    assert joined(report, ["losses-triplet"]) == ["run=losses-triplet"]
    assert joined(compare, ["a", "--cfg", "job", "b"]) == ["--cfg", "job", "runs=['a','b']"]
    assert joined(VERBS["catalog"][0], ["show", "zappos:1"]) == ["show=zappos:1"]
