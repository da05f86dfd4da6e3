"""The words after a verb: what Hydra would trip over is made ready for it, or told as a fault beside the others."""

from pathlib import Path

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString
from hypothesis import assume, given
from hypothesis import strategies as st

from lookalike.cli.overrides import behind, combinations, entries, key_of, ready
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
    there = ", ".join(entries(CONFIGS / "experiment"))
    assert fault == f"experiment: there is no 'quickstrt'; there are {there}; did you mean 'quickstart'?"


def test_every_fault_of_a_command_line_is_told():
    told = faults(Train, "shop", "--epochs=2", "seed=0,1", "experiment=none")
    assert len(told) == 4
    assert "setting=value" in told[0]
    assert "without dashes: epochs=2" in told[1]
    assert "add -m" in told[2]


def test_a_name_of_a_library_takes_the_place_of_the_choice_and_all_its_options():
    assert given_to_hydra(Train, "loss=pml:TripletMarginLoss", "loss.margin=0.3") == [
        "~loss",
        "++loss={name: 'pml:TripletMarginLoss'}",
        "++loss.margin=0.3",
    ]


@pytest.mark.parametrize("group", ["start", "finish", "miner", "experiment"])
def test_null_takes_a_choice_out(group):
    assert given_to_hydra(Train, f"{group}=null") == [f"~{group}"]


def test_a_sweep_over_files_is_hydras_own():
    assert given_to_hydra(Train, "-m", "loss=contrastive,triplet") == ["-m", "loss=contrastive,triplet"]


def test_a_sweep_over_more_than_files_says_each_choice_in_full():
    deleted, said = given_to_hydra(Train, "-m", "finish=null,centering,lda")[1:]
    assert deleted == "~finish"
    assert said == (
        "++finish={},{name: 'centering'},{name: 'lda', shrinkage: [0.1, 0.2, 0.3, 0.5, 0.7], dimensions: 128}"
    )
    swept = OverridesParser.create().parse_override(given_to_hydra(Train, "-m", "loss=pml:A,triplet")[2])
    assert [str(one) for one in swept.sweep_string_iterator()] == [
        "{name:'pml:A'}",
        "{name:'triplet',mining:'semi_hard',margin:0.2,soft:False}",
    ]


def test_whatever_a_file_of_a_group_says_can_be_said_in_full():
    for file in sorted((CONFIGS / "augment").glob("*.yaml")):
        word = given_to_hydra(Train, "-m", f"augment={file.stem},other:x")[2]
        first, _ = OverridesParser.create().parse_override(word).value().list
        assert plain(first) == yaml.safe_load(file.read_text("utf-8"))


def plain(value):
    """A value of Hydra's parser, without its quotes."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value.text if isinstance(value, QuotedString) else value


def test_a_misspelt_choice_stops_a_whole_sweep():
    (fault,) = faults(Train, "-m", "loss=tripplet,contrastive")
    assert fault.startswith("loss: there is no 'tripplet'; there are contrastive")
    assert fault.endswith("did you mean 'triplet'?")


def test_several_choices_without_a_sweep_are_a_fault():
    assert faults(Train, "loss=contrastive,triplet") == [
        "loss: one value is wanted, for a sweep over several add -m (you gave 'contrastive,triplet')"
    ]


def test_flags_may_stand_between_settings():
    assert given_to_hydra(Train, "seed=0,1", "-m", "epochs=1") == ["-m", "seed=0,1", "epochs=1"]


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


def test_an_experiment_in_a_folder_of_its_own_is_chosen_by_its_path():
    assert "legacy/roxanne" in entries(CONFIGS / "experiment")
    assert given_to_hydra(Train, "experiment=legacy/roxanne") == ["experiment=legacy/roxanne"]
    (fault,) = faults(Train, "experiment=legacy/roxane")
    assert fault.endswith("did you mean 'legacy/roxanne'?")


@pytest.mark.parametrize("word", ["loss.margin=1", "+loss.margin=1", "++loss.margin=a=b", "~loss.margin"])
def test_a_word_tells_what_it_is_about(word):
    assert key_of(word) == "loss.margin"


def test_a_choice_that_the_user_makes_takes_away_an_arms_choice_and_its_options():
    arm = ["loss=contrastive", "loss.margin=0.5", "epochs=3"]
    assert behind(arm, ["loss=supcon"], CONFIGS) == ["epochs=3", "loss=supcon"]
    assert behind(arm, ["loss.margin=1"], CONFIGS) == [*arm, "loss.margin=1"]
    assert behind(arm, ["~loss"], CONFIGS) == ["epochs=3", "~loss"]


def test_words_that_sweep_make_a_job_of_every_value_with_every_other():
    assert combinations(["a=1", "seed=0,1", "++name='x,y'", "epochs=range(1,3)"]) == [
        ["a=1", f"seed={seed}", "++name='x,y'", f"epochs={epochs}"] for seed in (0, 1) for epochs in (1, 2)
    ]
