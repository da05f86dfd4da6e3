"""Weights of several runs averaged, as far as val gains."""

import torch

from lookalike.training.soup import greedy, mean


def state(value, count=1):
    return {"w": torch.tensor([float(value), 2.0]), "count": torch.tensor(count)}


def near(target):
    return lambda one: -abs(float(one["w"][0]) - target)


def test_the_best_alone_is_joined_by_those_that_help():
    soup = greedy({"low": state(0), "high": state(10), "far": state(100)}, near(4))
    # alone low is 4 away, high 6, far 96; the mean of low and high is 5, 1 away; with far it would be 36.7
    assert soup.inside == ("low", "high")
    assert (soup.value, float(soup.state["w"][0])) == (-1, 5)
    assert soup.alone == {"low": -4, "high": -6, "far": -96}


def test_a_soup_is_never_worse_than_the_best_run_alone():
    soup = greedy({"right": state(4), "wrong": state(9)}, near(4))
    assert (soup.inside, soup.value) == (("right",), 0)
    assert torch.equal(soup.state["w"], state(4)["w"])


def test_one_that_makes_no_difference_is_taken_in():
    assert greedy({"a": state(1), "b": state(2)}, lambda _: 0.5).inside == ("a", "b")


def test_counts_are_the_first_ones():
    assert int(mean([state(1, 7), state(3, 9)])["count"]) == 7
