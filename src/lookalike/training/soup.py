"""A soup: the weights of several trainings averaged, as far as that helps.

In: states of one network by name, a score. Out: their average, and which are in it. Never: trains, or loads a state.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

State = Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Soup:
    """An average of weights."""

    state: dict[str, Tensor]
    inside: tuple[str, ...]  # best first
    alone: dict[str, float]  # the score of each by itself
    value: float  # the soup's


def greedy(states: Mapping[str, State], score: Callable[[State], float]) -> Soup:
    """The best alone, and then each next best that does not make the average worse.

    Wortsman et al. 2022, arXiv:2203.05482. So the score, on what is held back, never falls below that of the best alone.
    """
    alone = {name: score(state) for name, state in states.items()}
    best, *others = sorted(alone, key=lambda name: -alone[name])  # of equally good ones the first told
    inside, value = [best], alone[best]
    for name in others:
        tried = score(mean([states[one] for one in [*inside, name]]))
        if tried >= value:
            inside, value = [*inside, name], tried
    return Soup(state=mean([states[one] for one in inside]), inside=tuple(inside), alone=alone, value=value)


def mean(states: Sequence[State]) -> dict[str, Tensor]:
    """The average of each weight; counts are the first one's."""
    first = states[0]
    return {
        name: torch.stack([state[name] for state in states]).mean(0) if value.is_floating_point() else value
        for name, value in first.items()
    }
