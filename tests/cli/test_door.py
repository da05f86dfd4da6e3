"""The door: every wrong setting is named at once, with the value given and the mend."""

from typing import Annotated, Any, Literal

import pytest
from annotated_types import Interval

from lookalike.cli import door
from lookalike.settings import Choice, ConfigError, Evaluate, Import, Shares, Train


def contrastive(embeddings, products, *, margin: float = 1.0): ...


def triplet(
    embeddings, products, *, margin: Annotated[float, Interval(gt=0)] = 0.2, mining: Literal["hard", "all"] = "hard"
): ...


TABLES = {
    **{name: {"plain": lambda: None} for name in ("backbone", "head", "augment", "adapter", "embedder")},
    "loss": {"contrastive": contrastive, "triplet": triplet},
}
ENOUGH = {
    "dataset": "toy",
    "loss": {"name": "contrastive", "margin": 0.5},
    **{name: {"name": "plain"} for name in ("backbone", "head", "augment")},
}


def faults(kind, said):
    with pytest.raises(ConfigError) as caught:
        door.read(kind, said, TABLES)
    return str(caught.value).splitlines()[1:]


def test_what_is_said_is_read_and_the_rest_has_its_default():
    settings = door.read(Train, {**ENOUGH, "batch": {"products": 4}, "optimiser": {"head_lr": "1e-2"}}, TABLES)
    assert settings.loss == Choice(name="contrastive", options={"margin": 0.5})
    assert (settings.batch.products, settings.batch.views) == (4, 2)
    assert settings.optimiser.head_lr == 0.01  # YAML 1.1 takes 1e-2 for a text


def test_three_wrong_settings_are_three_lines_in_one_error():
    found = faults(Train, {**ENOUGH, "epochs": "many", "sed": 1, "pixels": {"size": 4}})
    assert found == [
        "  sed: no such setting (you gave 1); did you mean 'seed'?",
        "  pixels: size is 4; give 16 or more, or 0 for the backbone's own",
        "  epochs: Input should be a valid integer, unable to parse string as an integer (you gave 'many')",
    ]


def test_what_must_be_given_is_asked_for():
    (line,) = faults(Train, {key: value for key, value in ENOUGH.items() if key != "dataset"})
    assert line.startswith("  dataset: must be given")
    assert line.endswith("add dataset=...")


def test_an_unknown_entry_of_a_table_names_the_table_and_the_nearest():
    assert faults(Train, {**ENOUGH, "loss": {"name": "tripplet"}}) == [
        "  loss: there is no 'tripplet'; there are contrastive, triplet; did you mean 'triplet'?"
    ]


def test_an_option_that_the_chosen_entry_does_not_take_is_named():
    assert faults(Train, {**ENOUGH, "loss": {"name": "triplet", "margn": 1, "mining": "herd", "margin": -1}}) == [
        "  loss.margn: no such setting (you gave 1); did you mean 'margin'?",
        "  loss.mining: Input should be 'hard' or 'all' (you gave 'herd'); did you mean 'hard'?",
        "  loss.margin: Input should be greater than 0 (you gave -1)",
    ]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "nan"])
def test_what_is_no_number_is_refused(value):
    assert "finite number" in faults(Train, {**ENOUGH, "loss": {"name": "contrastive", "margin": value}})[0]
    assert "finite number" in faults(Train, {**ENOUGH, "optimiser": {"head_lr": value}})[0]


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", ".hidden", "two words", "n" * 300])
def test_a_name_that_cannot_be_a_folder_is_refused(name):
    (line,) = faults(Train, {**ENOUGH, "name": name})
    assert line.startswith("  name: becomes a folder")


def test_a_name_may_be_a_number():
    assert door.read(Train, {**ENOUGH, "name": 123}, TABLES).name == "123"


def test_a_file_adapter_without_a_source_is_asked_for_one():
    assert faults(Import, {"adapter": "plain", "name": "x"}) == [
        "  settings: source must be given: adapter=plain reads a file or a folder; add source=PATH"
    ]


def test_what_was_wrong_before_is_told_with_the_rest():
    with pytest.raises(ConfigError, match=r"(?s)one.*epochs"):
        door.read(Train, {**ENOUGH, "epochs": -1}, TABLES, ["one"])


def test_a_choice_from_few_says_which():
    said = {"adapter": "plain", "name": "x", "split": "gven", "source": "a.csv"}
    assert faults(Import, said) == [
        "  split: Input should be 'auto', 'given', 'test' or 'none' (you gave 'gven'); did you mean 'given'?"
    ]


def test_shares_that_do_not_make_one_are_refused_with_their_sum():
    assert faults(Import, {"adapter": "plain", "name": "x", "shares": {"train": 0.9}}) == [
        "  shares: train + val + test is 1.2; make it 1"
    ]
    assert Shares(train=0.6, val=0.2, test=0.2)


def test_a_group_given_as_a_value_is_refused():
    assert faults(Train, {**ENOUGH, "pixels": 112}) == ["  pixels: a group of settings is wanted here (you gave 112)"]


def test_a_training_in_which_nothing_would_learn_is_refused():
    said = {**ENOUGH, "head": {"name": "identity"}, "optimiser": {"backbone_lr": 0}}
    with pytest.raises(ConfigError, match="nothing would learn"):
        door.read(Train, said, {**TABLES, "head": {"identity": TABLES["head"]["plain"]}})


def test_a_run_and_an_embedder_together_are_one_too_many():
    (line,) = faults(Evaluate, {"run": "x", "embedder": "plain", "dataset": "y"})
    assert "exactly one of run=RUN and embedder=" in line


def test_an_empty_choice_that_may_be_left_out_is_none_and_another_is_a_fault():
    assert door.read(Train, {**ENOUGH, "miner": {}}, TABLES).miner is None
    assert faults(Train, {**ENOUGH, "loss": {}}) == ["  loss: one of contrastive, triplet is wanted (you gave {})"]


def test_a_bare_name_chooses_an_entry_of_a_table():
    assert door.read(Evaluate, {"embedder": "plain", "dataset": "y"}, TABLES).embedder == Choice(name="plain")


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("seed", int),
        ("sed", None),
        ("pixels.size", int),
        ("pixels.siz", None),
        ("loss.anything", Any),
        ("seed.x", None),
    ],
)
def test_the_door_knows_the_type_of_each_setting(path, hint):
    assert door.hint_at(Train, path) is hint
