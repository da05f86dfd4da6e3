"""The names of pytorch-metric-learning's losses and miners, and the options that the door checks."""

import inspect
from dataclasses import dataclass
from typing import get_type_hints

import pytest
import torch
from pytorch_metric_learning import losses, miners

from lookalike.cli.door import options_of, read
from lookalike.losses.library import loss_maker, miner_maker, miner_names, names
from lookalike.settings import Choice, ConfigError

WRAPPERS = {"BaseLossWrapper", "CrossBatchMemory", "MultipleLosses", "SelfSupervisedLoss"}
UNFINISHED = {"BaseMetricLossFunction", "GenericPairLoss", "EmbeddingRegularizerMixin", "WeightRegularizerMixin"}


@dataclass(frozen=True, kw_only=True)
class Learning:
    loss: Choice


def classes_of(room):
    return {name for name, one in vars(room).items() if isinstance(one, type)}


def at_the_door(**said):
    name = said["name"]
    return read(Learning, {"loss": said}, {"loss": {name: loss_maker(name)}}).loss


def test_every_loss_has_its_name_but_for_wrappers_and_those_left_to_be_finished():
    assert set(names()) == classes_of(losses) - WRAPPERS - UNFINISHED
    assert len(names()) == 35


def test_every_miner_has_its_name():
    assert set(miner_names()) == classes_of(miners) - {"BaseMiner"}
    assert len(miner_names()) == 10


@pytest.mark.parametrize("name", ["CrossBatchMemory", "NoSuchLoss"])
def test_any_other_name_is_a_key_error(name):
    with pytest.raises(KeyError, match=name):
        loss_maker(name)
    with pytest.raises(KeyError, match=name):
        miner_maker(name)


@pytest.mark.parametrize("name", names())
def test_every_option_of_a_loss_can_be_said_and_its_default_is_of_its_type(name):
    options, hints = options_of(loss_maker(name)), get_type_hints(loss_maker(name), include_extras=True)
    said = {key: one.default for key, one in options.items()}
    assert all(isinstance(value, hints[key]) for key, value in said.items())
    assert at_the_door(name=name, **said) == Choice(name=name, options=said)
    loss_maker(name)(4, 3, **said)


@pytest.mark.parametrize("name", miner_names())
def test_every_option_of_a_miner_can_be_said_and_its_default_is_of_its_type(name):
    options, hints = options_of(miner_maker(name)), get_type_hints(miner_maker(name), include_extras=True)
    assert all(isinstance(one.default, hints[key]) for key, one in options.items())
    assert type(miner_maker(name)(**{key: one.default for key, one in options.items()})).__name__ == name


def test_options_come_from_a_class_and_from_those_it_hands_them_on_to():
    listed = {name: set(options_of(loss_maker(name))) for name in names()}
    assert listed["TripletMarginLoss"] == {"margin", "swap", "smooth_loss", "triplets_per_anchor"}
    assert listed["SignalToNoiseRatioContrastiveLoss"] == {"pos_margin", "neg_margin"}  # its parent's
    assert listed["ProxyNCALoss"] == {"softmax_scale"}
    assert listed["SubCenterArcFaceLoss"] == {"margin", "scale", "sub_centers"}
    assert listed["RankedListLoss"] == {"margin", "Tn", "imbalance", "alpha", "Tp"}


def test_what_a_class_sets_itself_or_the_data_decide_is_no_option():
    assert not options_of(miner_maker("BatchHardMiner"))  # its parent's strategies are both hard
    every = set().union(*(options_of(loss_maker(name)) for name in names()))
    assert not every & {
        "num_classes",
        "embedding_size",
        "descriptors_dim",
        "l",
        "mat_based_loss",
        "reducer",
        "distance",
    }


def test_a_class_finds_its_own_default_not_its_parents():
    assert options_of(loss_maker("CosFaceLoss"))["margin"].default == 0.35
    assert inspect.signature(losses.LargeMarginSoftmaxLoss).parameters["margin"].default == 4


def test_the_door_names_a_misspelt_option_and_one_of_the_wrong_type():
    with pytest.raises(ConfigError, match=r"(?s)loss\.margn: .*did you mean 'margin'.*loss\.swap: .*'perhaps'"):
        at_the_door(name="TripletMarginLoss", margn=0.1, swap="perhaps")


def test_a_whole_number_by_default_may_be_a_fraction_and_stays_whole_where_it_is():
    assert at_the_door(name="ArcFaceLoss", scale=30.5).options == {"scale": 30.5}
    assert type(at_the_door(name="SoftTripleLoss", centers_per_class=3).options["centers_per_class"]) is int
    assert at_the_door(name="MarginLoss", triplets_per_anchor=5).options == {"triplets_per_anchor": 5}


def test_dimensions_and_classes_are_filled_in_where_they_are_needed():
    assert loss_maker("ArcFaceLoss")(8, 6).loss.W.shape == (8, 6)
    assert loss_maker("P2SGradLoss")(8, 6).loss.weight.shape == (8, 6)
    assert loss_maker("ManifoldLoss")(8, 6).loss.proxies.shape == (50, 8)
    assert loss_maker("MarginLoss")(8, 6).loss.beta.shape == (1,)  # one for all: it would work without classes


def test_an_option_that_a_class_will_not_have_is_told_with_its_reason():
    with pytest.raises(ConfigError, match=r"pml:RankedListLoss cannot be made with .*imbalance=2.*between 0 and 1"):
        loss_maker("RankedListLoss")(8, 6, imbalance=2)
    with pytest.raises(ConfigError, match=r"pml:PNPLoss .*variant=X but must be one of"):
        loss_maker("PNPLoss")(8, 6, variant="X")
    with pytest.raises(ConfigError, match=r"pml:BatchEasyHardMiner .*pos_strategy must be one of"):
        miner_maker("BatchEasyHardMiner")(pos_strategy="odd")


def test_asking_for_names_and_options_draws_nothing_from_the_seed():
    torch.manual_seed(0)
    wanted = torch.rand(1)
    torch.manual_seed(0)
    for name in names():
        loss_maker(name)
    assert torch.equal(torch.rand(1), wanted)
