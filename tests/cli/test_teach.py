"""--help: every setting is taught with its sentence, and every YAML says no more and no less than the settings know."""

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_type_hints

import pytest
import yaml

from lookalike.build import TABLES
from lookalike.cli.door import options_of, read
from lookalike.cli.main import VERBS
from lookalike.cli.teach import teach

CONFIGS = Path(__file__).parents[2] / "configs"
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
    assert "(16 to 1024)" in said
    assert "(squash | letterbox | crop)" in said
    assert "loss.margin=1.0" in said
    assert "must be given: a data set" in said


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
    defaults = {name: one.default for name, one in options_of(maker).items()}
    assert {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()} == defaults


@pytest.mark.parametrize("group", TABLES)
def test_every_line_of_the_table_has_its_yaml(group):
    assert {yaml.safe_load(file.read_text())["name"] for file in (CONFIGS / group).glob("*.yaml")} == set(TABLES[group])


@pytest.mark.parametrize("file", sorted((CONFIGS / "experiment").glob("**/*.yaml")), ids=lambda file: file.stem)
def test_every_experiment_says_only_what_a_training_may_be_told(file):
    said = yaml.safe_load(file.read_text())
    said.pop("defaults", None)
    base = {"dataset": "x", **{name: next(iter(TABLES[name])) for name in ("backbone", "head", "loss", "augment")}}
    assert read(VERBS["train"][0], {**base, **said}, TABLES).name == said["name"]
