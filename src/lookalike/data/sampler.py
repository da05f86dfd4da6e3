"""Which pictures make a batch: P x K, pairs, triplets, or pictures by chance.

In: the label of every picture, an epoch's number. Out: batches of row numbers. Never: sees a pixel.

A batch is made of units, drawn whole: K pictures of a label, a pair, a triplet, or a single picture. Every draw follows
from (seed, epoch) alone, so an epoch can be made again after a kill; of `world` processes each makes the whole draw and
takes its own units of each batch, so no two see the same ones and all make as many steps.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle, islice

import numpy as np

from lookalike.settings import ConfigError


@dataclass(frozen=True, kw_only=True, eq=False)
class Draw:
    """How pictures are drawn into batches; `batches` draws an epoch of them."""

    labels: np.ndarray  # (N,) whole numbers: what makes twins; -1 belongs to none
    sampler: str = "products"  # one of SAMPLERS
    products: int  # P: units in a batch; with "plain" a batch has P x K
    views: int = 2  # K
    apart: np.ndarray | None = None  # (N,) e.g. products where labels are styles: twins come from different ones
    balance: np.ndarray | None = None  # (N,) e.g. categories: each comes equally often, and so does -1, having none
    seed: int = 0
    rank: int = 0  # of this process
    world: int = 1  # processes that share each batch

    def __post_init__(self) -> None:
        if self.products % self.world:
            raise ConfigError(
                f"batch.products={self.products} cannot be shared equally by {self.world} processes; "
                f"give a multiple of {self.world}"
            )

    @cached_property
    def units(self) -> list[np.ndarray]:
        """The rows that each unit is drawn from: those of a label with a twin, or of "plain" one known picture."""
        if self.sampler == "plain":
            return list(np.flatnonzero(self.labels >= 0)[:, None])
        return pictures_of(self.labels)

    @cached_property
    def by_label(self) -> tuple[np.ndarray, np.ndarray]:
        """The known pictures' rows in the order of their labels, and those labels."""
        rows = _by_label(self.labels)
        return rows, self.labels[rows]

    @cached_property
    def sizes(self) -> list[int]:
        """Units of each batch of an epoch, in numbers that `world` processes can share.

        Of labels the last few that fill no batch are left out; another epoch leaves out others. "plain" leaves none out: its
        batches differ by a unit for each process, and at most world - 1 pictures come twice.
        """
        if self.sampler != "plain":
            return [self.products] * (len(self.units) // self.products)
        each, batches = -(-len(self.units) // self.world), -(-len(self.units) // (self.products * self.views))
        return [self.world * ((each + batches - 1 - number) // batches) for number in range(batches)]

    def __len__(self) -> int:
        """Batches of an epoch, the same for every rank."""
        return len(self.sizes)

    def batches(self, epoch: int, start: int = 0) -> Iterator[np.ndarray]:
        """Row numbers (B,) of each batch of this rank, from batch `start` on; what came before is drawn and passed over."""
        return islice(self._batches(np.random.default_rng([self.seed, epoch])), start, None)

    def _batches(self, random: np.random.Generator) -> Iterator[np.ndarray]:
        unfold = SAMPLERS[self.sampler]
        order, ends = self._order(random), np.cumsum(self.sizes, dtype=int)
        for chosen in np.split(order, ends)[:-1]:  # behind the last end is nothing
            rows = unfold([self.units[one] for one in chosen], self, random)
            share = len(rows) // self.world
            yield rows[self.rank * share : (self.rank + 1) * share].ravel()

    def _order(self, random: np.random.Generator) -> np.ndarray:
        """The units of an epoch's batches, by number: each of them once, or as many of each value of `balance`."""
        if self.balance is None:
            return np.resize(random.permutation(len(self.units)), sum(self.sizes))
        return balanced(np.array([self.balance[rows[0]] for rows in self.units]), self.sizes, random)


def pictures_of(labels: np.ndarray) -> list[np.ndarray]:
    """The row numbers of each label that has a twin. Rows labelled -1 belong to none."""
    rows = _by_label(labels)
    groups = np.split(rows, np.flatnonzero(np.diff(labels[rows])) + 1)
    return [group for group in groups if len(group) > 1]


def _by_label(labels: np.ndarray) -> np.ndarray:
    known = np.flatnonzero(labels >= 0)
    rows: np.ndarray = known[np.argsort(labels[known], kind="stable")]
    return rows


def balanced(codes: np.ndarray, sizes: Sequence[int], random: np.random.Generator) -> np.ndarray:
    """Numbers of the codes (n,) for batches of these sizes, one after the other (sum of sizes,): each code equally often.

    The codes give one number each in turn, in every round in another order. A rare code's numbers repeat, as far apart as
    they can, but none comes twice in a batch (of n at most): a code that has given a batch all of its own leaves the rest of
    its turns there to the others. Of a common code's numbers some wait for another epoch.
    """
    own = [np.flatnonzero(codes == code) for code in np.unique(codes)]
    counts = np.array([len(numbers) for numbers in own])
    turns = [cycle(random.permutation(numbers).tolist()) for numbers in own]
    order: list[int] = []
    waiting: list[int] = []  # the codes whose turn in this round is still to come
    for size in sizes:
        left = counts.copy()  # what each code may still give to this batch
        for _ in range(size):
            left = left if left.any() else counts.copy()
            waiting = waiting or random.permutation(np.flatnonzero(left)).tolist()
            code = waiting.pop()
            left[code] -= 1
            order.append(next(turns[code]))
    return np.array(order, int)


Unfold = Callable[[Sequence[np.ndarray], Draw, np.random.Generator], np.ndarray]


def _products(units: Sequence[np.ndarray], draw: Draw, random: np.random.Generator) -> np.ndarray:
    """K pictures of each label (P, K)."""
    return np.stack([_some(rows, draw.views, draw.apart, random) for rows in units])


def _pairs(units: Sequence[np.ndarray], draw: Draw, random: np.random.Generator) -> np.ndarray:
    """Twins and strangers in turn (P, 2)."""
    pairs = _twins(units, draw, random)
    pairs[1::2, 1] = _strangers(units[1::2], draw, random)
    return pairs


def _triplets(units: Sequence[np.ndarray], draw: Draw, random: np.random.Generator) -> np.ndarray:
    """Anchor, twin and stranger (P, 3)."""
    return np.column_stack([_twins(units, draw, random), _strangers(units, draw, random)])


def _plain(units: Sequence[np.ndarray], draw: Draw, random: np.random.Generator) -> np.ndarray:  # noqa: ARG001 - the order was drawn
    """The pictures themselves (B, 1)."""
    return np.stack(units)


SAMPLERS: dict[str, Unfold] = {"products": _products, "pairs": _pairs, "triplets": _triplets, "plain": _plain}


def _twins(units: Sequence[np.ndarray], draw: Draw, random: np.random.Generator) -> np.ndarray:
    return np.stack([_some(rows, 2, draw.apart, random) for rows in units])


def _strangers(units: Sequence[np.ndarray], draw: Draw, random: np.random.Generator) -> np.ndarray:
    """For each unit a picture of another label (P,), also of one without a twin: any of all but the run of its own."""
    rows, labels = draw.by_label
    own = draw.labels[np.array([unit[0] for unit in units], int)]
    first, last = (np.searchsorted(labels, own, side) for side in ("left", "right"))
    drawn = random.integers(len(rows) - (last - first))
    strangers: np.ndarray = rows[np.where(drawn < first, drawn, drawn + last - first)]
    return strangers


def _some(rows: np.ndarray, count: int, apart: np.ndarray | None, random: np.random.Generator) -> np.ndarray:
    """`count` of a label's rows, from as many different values of `apart` as there are; too few rows repeat some."""
    if len(rows) < count:
        return np.concatenate([rows, random.choice(rows, count - len(rows))])
    if apart is None:
        return random.choice(rows, count, replace=False)
    mixed = random.permutation(rows)
    return mixed[np.argsort(_occurrence(apart[mixed]), kind="stable")[:count]]


def _occurrence(codes: np.ndarray) -> np.ndarray:
    """How many equal codes stand before each (n,): 7 5 7 7 -> 0 0 1 2."""
    order = np.argsort(codes, kind="stable")
    runs = np.searchsorted(codes[order], codes[order])  # where the run of equal ones begins
    before = np.empty(len(codes), int)
    before[order] = np.arange(len(codes)) - runs
    return before
