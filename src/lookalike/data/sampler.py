"""Which pictures make a batch: P products, K pictures of each.

In: the label of every picture, an epoch's number. Out: batches of row numbers. Never: sees a pixel.
"""

from collections.abc import Iterator

import numpy as np


def product_batches(labels: np.ndarray, *, products: int, views: int, seed: int, epoch: int) -> Iterator[np.ndarray]:
    """Row numbers (P * K,) of each batch of one epoch; every label with a twin comes once an epoch, but for the last
    few that fill no batch; another epoch leaves out others.

    Only labels with two pictures or more take part: a single picture has no twin to be pulled to. A label with fewer than K
    pictures repeats some. The draw follows from (seed, epoch) alone, so an epoch can be made again after a stop.
    """
    random = np.random.default_rng([seed, epoch])
    pictures = pictures_of(labels)
    order = random.permutation(len(pictures))
    for start in range(0, len(order) - products + 1, products):
        yield np.concatenate([_some(pictures[one], views, random) for one in order[start : start + products]])


def pictures_of(labels: np.ndarray) -> list[np.ndarray]:
    """The row numbers of each label that has a twin. Rows labelled -1 belong to none."""
    known = np.flatnonzero(labels >= 0)
    rows = known[np.argsort(labels[known], kind="stable")]
    groups = np.split(rows, np.flatnonzero(np.diff(labels[rows])) + 1)
    return [group for group in groups if len(group) > 1]


def _some(rows: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    if len(rows) >= count:
        return random.choice(rows, count, replace=False)
    return np.concatenate([rows, random.choice(rows, count - len(rows))])
