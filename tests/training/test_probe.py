"""Timing ways to compute, and planning with it."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn

from lookalike.data.sampler import Draw
from lookalike.losses.memory import CrossBatchMemory
from lookalike.losses.triplet import triplet
from lookalike.models.backbone import Backbone
from lookalike.models.embedder import Embedder
from lookalike.models.head import linear
from lookalike.settings import Batch, Choice, Optimiser, Train
from lookalike.training.arithmetic import WAYS, lay_out
from lookalike.training.module import MetricLearner
from lookalike.training.plan import plan
from lookalike.training.probe import Probed, example, quickest

LABELS = np.repeat(np.arange(9), 3)


def learner(**more):
    layers = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.Dropout(0.5), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    network = Backbone(network=layers, width=8, mean=(0.5,) * 3, deviation=(0.5,) * 3)
    memory = CrossBatchMemory(triplet, size=20, dimensions=4, warmup_steps=0)
    said = Optimiser(backbone_lr=0 if more else 1e-4, frozen_statistics=False, accumulate=2)
    return MetricLearner(Embedder(network, linear(8, dimensions=4)), memory, lambda _: 0.0, said, **more)


DRAW = Draw(labels=LABELS, products=3)


def test_every_way_is_timed_and_one_of_them_chosen():
    found = quickest(learner(), DRAW)
    assert found.seconds.keys() == WAYS.keys()
    assert found.way in WAYS
    assert all(seconds > 0 for seconds in found.seconds.values())


def test_what_is_found_is_said_in_words():
    found = Probed(way="bfloat16", seconds={"float32": 0.5, "bfloat16": 0.25})
    assert found.says == "bfloat16 is chosen; a batch takes float32 0.500 s, bfloat16 0.250 s"


def test_the_learner_and_the_random_numbers_are_left_as_they_were():
    one = learner()
    before = {name: value.clone() for name, value in one.state_dict().items()}
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    quickest(one, DRAW)
    assert torch.equal(torch.rand(2), expected)
    assert all(torch.equal(value, before[name]) for name, value in one.state_dict().items())
    assert all(weight.grad is None for weight in one.parameters())


def test_an_example_has_the_pictures_and_the_labels_of_a_real_batch():
    given, labels = example(learner(), DRAW)
    assert (tuple(given.shape), given.dtype) == ((6, 112, 112, 3), torch.uint8)
    assert sorted(np.unique(labels.cpu(), return_counts=True)[1]) == [2, 2, 2]


def test_an_example_for_a_head_alone_is_of_features():
    assert example(learner(from_features=True), DRAW)[0].shape == (6, 8)


def test_the_width_of_features_is_found_without_touching_the_network():
    one = learner(from_features=True).train()
    before = {name: value.clone() for name, value in one.state_dict().items()}
    example(one, DRAW)
    assert all(torch.equal(value, before[name]) for name, value in one.state_dict().items())
    assert all(part.training for part in one.modules())


@pytest.mark.parametrize("name", WAYS)
def test_another_order_in_memory_changes_no_value_and_no_name(name):
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Linear(2, 2))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    lay_out(network, WAYS[name])
    after = network.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in after.items())
    assert network[0].weight.is_contiguous(memory_format=torch.channels_last) == WAYS[name].channels_last


def settings():
    return Train(
        dataset="d",
        backbone=Choice(name="b"),
        head=Choice(name="linear"),
        loss=Choice(name="triplet"),
        augment=Choice(name="none"),
        match="style",
        batch=Batch(products=3),
        optimiser=Optimiser(accumulate=2),
        epochs=4,
    )


TABLES = {"train": pl.DataFrame({"product": LABELS.astype(str)})}


def test_a_plan_says_what_learns_from_what_in_how_many_steps():
    told = plan(learner(), settings(), TABLES, DRAW)
    assert told["train"] == "27 pictures of 9 products"
    assert told["learns"] == "the backbone (240 weights in 1 stage) and the head (32 weights)"
    assert told["learns from"] == "9 styles with two pictures or more (27 pictures)"
    assert told["batches"] == "6 pictures, 3 an epoch"
    assert told["steps"] == "8 in 4 epochs, 2 batches each"
    assert told["memory"] == "1 MB of decoded pictures on disk (mapped), 0 MB of weights and optimiser"
    assert "a batch in float32, measured now" in told["time"]
    assert told["time"].endswith("validation, features and measuring come on top")


def test_a_plan_without_epochs_draws_and_times_nothing():
    too_few = Draw(labels=LABELS, products=100)
    told = plan(learner(from_features=True), replace(settings(), epochs=0), TABLES, too_few)
    assert told == {
        "train": "27 pictures of 9 products",
        "learns": "no gradient: closed forms alone",
        "memory": "1 MB of decoded pictures on disk (mapped)",
    }


def test_a_plan_for_a_head_alone_says_so():
    told = plan(learner(from_features=True), settings(), TABLES, DRAW)
    assert told["learns"] == "the head (32 weights); the backbone is frozen, its features computed once"
