"""The words after a verb: what Hydra would trip over is made ready for it, or told as a fault beside the others."""

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import assume, given
from hypothesis import strategies as st

from lookalike.cli.overrides import ready
from lookalike.settings import Import, Train

CONFIGS = Path(__file__).parents[2] / "configs"


def given_to_hydra(kind, *words):
    found = ready(kind, words, CONFIGS)
    assert found.faults == []
    return found.given


def faults(kind, *words):
    return ready(kind, words, CONFIGS).faults


@pytest.mark.parametrize(
    "value", ["shop/cat (1).csv", "it's.csv", "é.csv", "a=b.csv", "a,b.csv", "[x", "{y}", "${z}", "#1", ""]
)
def test_a_text_is_taken_as_it_stands(value):
    (word,) = given_to_hydra(Import, f"source={value}")
    assert OverridesParser.create().parse_override(word).value().replace("\\$", "$") == value


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20))
def test_any_text_reaches_the_settings_as_it_is(value):
    assume(value[:1] not in {"'", '"'} and "${" not in value)
    (word,) = given_to_hydra(Import, f"source={value}")
    assert OverridesParser.create().parse_override(word).value() == value


def test_an_unknown_setting_becomes_an_addition_that_the_door_will_name():
    assert given_to_hydra(Train, "sed=1", "pixels.sise=3") == ["++sed=1", "++pixels.sise=3"]


def test_an_unknown_choice_of_a_setting_is_left_to_the_door_too():
    assert given_to_hydra(Train, "loss=tripplet") == ["++loss.name='tripplet'"]


def test_an_experiment_that_is_not_there_is_named_with_those_that_are():
    (fault,) = faults(Train, "experiment=quickstrt")
    assert fault == "experiment: there is no 'quickstrt'; there are quickstart; did you mean 'quickstart'?"


def test_every_fault_of_a_command_line_is_told():
    told = faults(Train, "shop", "--epochs=2", "seed=0,1", "experiment=none")
    assert len(told) == 4
    assert "setting=value" in told[0]
    assert "without dashes: epochs=2" in told[1]
    assert "add -m" in told[2]


def test_a_sweep_may_have_several_values():
    assert given_to_hydra(Train, "-m", "seed=0,1", "name=a,b", "loss=contrastive") == [
        "-m",
        "seed=0,1",
        "name=a,b",
        "loss=contrastive",
    ]


def test_flags_of_hydra_and_their_values_pass():
    assert given_to_hydra(Train, "--cfg", "job", "--info", "defaults-tree") == [
        "--cfg",
        "job",
        "--info",
        "defaults-tree",
    ]


def test_what_one_who_knows_hydra_wrote_passes():
    words = ["+new=1", "++loss.margin=2", "~head", "hydra.verbose=true", "name='quoted'"]
    assert given_to_hydra(Train, *words) == words
