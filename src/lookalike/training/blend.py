"""Weights between those that were trained and those that it began from: often better on what training did not show.

In: two states of one network, a score. Out: the mixture that the score likes best. Never: trains, or loads a state.
"""

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

State = Mapping[str, Tensor]

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


def blend(
    trained: State, pretrained: State, score: Callable[[State], float], shares: Sequence[float] = SHARES
) -> tuple[dict[str, Tensor], float, dict[float, float]]:
    """The best mixture, its share of the trained weights, and the score of each share.

    Of equally good ones it is the one nearest the trained (WiSE-FT: Wortsman et al. 2022, arXiv:2109.01903).
    """
    scores = {share: score(mixed(trained, pretrained, share)) for share in sorted(shares)}
    share = max(scores, key=lambda one: (scores[one], one))
    return mixed(trained, pretrained, share), share, scores


def mixed(trained: State, pretrained: State, share: float) -> dict[str, Tensor]:
    """pretrained + share (trained - pretrained). Counts, and what pretrained lacks (a head), are the trained one's."""
    return {
        name: pretrained[name].lerp(value, share) if name in pretrained and value.is_floating_point() else value
        for name, value in trained.items()
    }
