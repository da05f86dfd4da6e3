"""The running average of weights."""

import torch
from torch import nn

from lookalike.training.average import averaged


def moved(values, decay):
    """The average of a weight that takes these values, one a step."""
    network = nn.Linear(1, 1, bias=False)
    average = averaged(network, decay)
    for value in values:
        nn.init.constant_(network.weight, value)
        average.update_parameters(network)
    return float(average.module.weight)


def test_the_first_step_is_taken_whole_and_the_next_ones_in_growing_parts():
    assert moved([4.0], 0.9) == 4.0
    assert moved([4.0, 15.0], 0.9) == 4 + (1 - 2 / 11) * 11  # n = 1: d = 2/11
    assert moved([0.0, 0.0, 12.0], 0.9) == 9.0  # n = 2: d = 3/12


def test_in_the_long_run_the_decay_is_the_one_asked_for():
    assert abs(moved([0.0] * 500 + [1.0], 0.9) - 0.1) < 1e-6


def test_what_does_not_change_is_averaged_to_itself_and_counts_are_copied():
    network = nn.Sequential(nn.BatchNorm1d(3))
    average = averaged(network, 0.97)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    for number in range(5):
        network[0].num_batches_tracked.fill_(number)
        average.update_parameters(network)
    after = average.module.state_dict()
    assert int(after.pop("0.num_batches_tracked")) == 4
    assert all(torch.equal(value, before[name]) for name, value in after.items())


def test_it_never_learns_itself():
    assert not any(one.requires_grad for one in averaged(nn.Linear(2, 2), 0.9).parameters())
