"""Which products train, validate and test, so that nothing of one is seen in another.

In: members (a product, or each picture of it), the pairs of members that show one photograph, and a rule.
Out: a split and a group for every member. Never: looks at a picture, reads a file, or draws a random number: the order
of groups is a checksum of the seed and their content, so row order, machine and library versions do not matter.

A group is what must stay together: products, all colorways of a style, and whatever near-duplicate pictures tie to
them, found by joining before splitting. Within a category the groups stand in the order of their checksums and are cut
where the shares say; a new product then moves the cuts a little and hardly any group changes sides.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lookalike.settings import DataError, Shares, SplitRule

Edge = tuple[int, int, str]  # two members and why they belong together

SPLITS = ("train", "val", "test")
STRONGER = {"test": 3, "val": 2, "train": 1}  # where groups meet the stronger split wins: test is never trained on
DEFAULT_SHARES = Shares()
SHOWN = 10  # leaking pairs that a message lists
_POOLED = "\0"  # no category's name: categories of fewer than three groups are split as if they were one


class LeakError(DataError):
    """The source's own split puts what belongs together on two sides."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """A product, or one row of it; rows of one product have one key."""

    product: str
    style: str = ""  # "" where the source has none; equal styles must mean one style in all shops
    category: str = ""
    given: str = ""  # the split that the source tells, "" if none


class Move(NamedTuple):
    """A product that is in another split than it was in the parent version."""

    product: str
    was: str
    now: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """A split and a group for every member, in their order."""

    split: tuple[str, ...]
    group: tuple[str, ...]  # the group's smallest product key
    counts: dict[str, int]  # products of each split
    moved: tuple[Move, ...]
    notes: tuple[str, ...]  # what a reader should know: a group too large for its share, a val that was carved


@dataclass(frozen=True, kw_only=True)
class _Group:
    """What must stay together: its name, its products, and the category most of them have."""

    name: str
    products: tuple[str, ...]
    category: str
    order: bytes

    @property
    def size(self) -> int:
        return len(self.products)


def assign(
    members: Sequence[Member],
    links: Iterable[tuple[int, int]],
    *,
    rule: SplitRule,
    shares: Shares = DEFAULT_SHARES,
    seed: int = 0,
    before: Mapping[str, str] | None = None,
) -> Assignment:
    """Give every member a split by `rule`, keeping together what shows the same product, style or photograph.

    auto: by the shares, in every category, whole groups; products that `before` (a parent version) names stay where
    they were, and where earlier splits meet in a group, test wins over val and val over train. given: as the source
    says, refused if that leaks; where it says train and test alone, val is carved from train. test: all. none: "".
    """
    edges = _edges(members, links)
    names = _group_names(members, edges)
    groups = _groups(members, names, seed)
    earlier = {product: split for product, split in (before or {}).items() if split in SPLITS}
    if rule == "auto":
        split_of = _spread(groups, _among(shares, *SPLITS), _kept(groups, earlier))
        notes = _outsized(groups, shares, split_of)
    elif rule == "given":
        split_of, notes = _with_val(groups, _given(members, names, edges), shares, earlier)
    else:
        split_of, notes = {group.name: "test" if rule == "test" else "" for group in groups}, []
    return Assignment(
        split=tuple(split_of[name] for name in names),
        group=tuple(names),
        counts=_counts(groups, split_of),
        moved=_moves(groups, split_of, earlier),
        notes=tuple(notes),
    )


# What belongs together


def _edges(members: Sequence[Member], links: Iterable[tuple[int, int]]) -> list[Edge]:
    """Every reason to stay together; rows of a product and colorways of a style are tied to the first of them."""
    edges: list[Edge] = []
    for why, field in (("same product", "product"), ("same style", "style")):
        first: dict[str, int] = {}
        for place, member in enumerate(members):
            known = first.setdefault(getattr(member, field), place)
            if known != place and getattr(member, field):
                edges.append((known, place, why))
    return edges + [(one, two, "near-duplicate picture") for one, two in links]


def _group_names(members: Sequence[Member], edges: Sequence[Edge]) -> list[str]:
    """Find the name of each member's group: the smallest product key in it."""
    parent = list(range(len(members)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]  # halves the way for the next one
            place = parent[place]
        return place

    for one, two, _ in edges:
        parent[root(one)] = root(two)
    labels = [root(place) for place in range(len(members))]
    smallest: dict[int, str] = {}
    for label, member in zip(labels, members, strict=True):
        smallest[label] = min(member.product, smallest.get(label, member.product))
    return [smallest[label] for label in labels]


def _groups(members: Sequence[Member], names: Sequence[str], seed: int) -> list[_Group]:
    """The groups, sorted by name."""
    products: dict[str, dict[str, str]] = defaultdict(dict)
    for name, member in zip(names, members, strict=True):
        known = products[name].get(member.product, member.category)
        products[name][member.product] = min(known, member.category)
    return [
        _Group(name=name, products=tuple(sorted(of)), category=_commonest(of.values()), order=_checksum(seed, name))
        for name, of in sorted(products.items())
    ]


def _commonest(words: Iterable[str]) -> str:
    return min(Counter(words).items(), key=lambda item: (-item[1], item[0]))[0]


def _checksum(seed: int, name: str) -> bytes:
    return hashlib.blake2b(f"{seed} {name}".encode(), digest_size=16).digest()


# rule=auto


def _among(shares: Shares, *splits: str) -> dict[str, float]:
    """The shares of these splits, in relation to each other."""
    told = {split: float(getattr(shares, split)) for split in splits}
    return {split: share / (sum(told.values()) or 1) for split, share in told.items()}


def _kept(groups: Sequence[_Group], earlier: Mapping[str, str]) -> dict[str, str]:
    """The split of every group that holds a product of the parent version: the strongest of them."""
    kept = {}
    for group in groups:
        if splits := {earlier[product] for product in group.products if product in earlier}:
            kept[group.name] = max(splits, key=STRONGER.__getitem__)
    return kept


def _spread(groups: Sequence[_Group], shares: Mapping[str, float], kept: Mapping[str, str]) -> dict[str, str]:
    """Split category by category. Small ones first, as each needs a group everywhere; the large ones make up for it."""
    strata: dict[str, list[_Group]] = defaultdict(list)
    sizes = Counter(group.category for group in groups)
    for group in groups:
        strata[group.category if sizes[group.category] >= len(SPLITS) else _POOLED].append(group)
    coarse = 1 / min((share for share in shares.values() if share), default=1)  # so few groups cannot meet the shares
    split_of: dict[str, str] = {}
    small = [of for of in strata.values() if len(of) < coarse]
    large = [of for of in strata.values() if len(of) >= coarse]
    for of in small:
        split_of |= _cut_stratum(of, shares, kept)
    mended = _made_up(
        shares, [group for of in small for group in of], split_of, sum(g.size for of in large for g in of)
    )
    for of in large:
        split_of |= _cut_stratum(of, mended, kept)
    return split_of


def _made_up(
    shares: Mapping[str, float], done: Sequence[_Group], split_of: Mapping[str, str], left: int
) -> dict[str, float]:
    """The shares of what is left, so that all together meet `shares`; none falls below half of what it should be."""
    if not left:
        return dict(shares)
    all_ = left + sum(group.size for group in done)
    got = Counter[str]()
    for group in done:
        got[split_of[group.name]] += group.size
    wanted = {split: max(share * all_ - got[split], share * left / 2) for split, share in shares.items()}
    return {split: amount / sum(wanted.values()) for split, amount in wanted.items()}


def _cut_stratum(groups: Sequence[_Group], shares: Mapping[str, float], kept: Mapping[str, str]) -> dict[str, str]:
    """Split the groups of one category: what is kept stays, what overfills a split goes first, the rest is cut."""
    size = sum(group.size for group in groups)
    deficit = {split: share * size for split, share in shares.items()}
    narrowest = min(amount for amount in deficit.values() if amount)
    split_of = {group.name: kept[group.name] for group in groups if group.name in kept}
    new = [group for group in groups if group.name not in kept]
    for group in groups:
        if group.name in kept:
            deficit[kept[group.name]] -= group.size
    for group in sorted((g for g in new if g.size > narrowest), key=lambda g: (-g.size, g.order)):
        emptiest = max(deficit, key=deficit.__getitem__)
        split_of[group.name] = emptiest
        deficit[emptiest] -= group.size
    split_of |= _cut(sorted((g for g in new if g.size <= narrowest), key=lambda g: g.order), deficit)
    return _everywhere(groups, shares, split_of, fixed=set(kept))


def _cut(groups: Sequence[_Group], deficit: Mapping[str, float]) -> dict[str, str]:
    """Lay the groups end to end and cut the line where the deficits say; a group is where its middle is."""
    wanted = {split: max(amount, 0.0) for split, amount in deficit.items()}
    size = sum(group.size for group in groups)
    scale = size / (sum(wanted.values()) or 1)
    ends = np.cumsum([amount * scale for amount in wanted.values()])
    starts = np.cumsum([0, *(group.size for group in groups)])[:-1]
    middles = starts + np.array([group.size / 2 for group in groups])
    sides = np.searchsorted(ends[:-1], middles, side="right")
    return {group.name: list(wanted)[side] for group, side in zip(groups, sides, strict=True)}


def _everywhere(
    groups: Sequence[_Group], shares: Mapping[str, float], split_of: dict[str, str], *, fixed: set[str]
) -> dict[str, str]:
    """Let a category of three groups or more reach every split, by moving its smallest new groups to the empty ones."""
    if len(groups) < len(SPLITS):
        return split_of
    held = Counter(split_of[group.name] for group in groups)
    for empty in (split for split, share in shares.items() if share and not held[split]):
        spare = [group for group in groups if group.name not in fixed and held[split_of[group.name]] > 1]
        if spare:
            moved = min(spare, key=lambda g: (-held[split_of[g.name]], g.size, g.order))
            held[split_of[moved.name]] -= 1
            held[empty] += 1
            split_of[moved.name] = empty
    return split_of


def _outsized(groups: Sequence[_Group], shares: Shares, split_of: Mapping[str, str]) -> list[str]:
    """A note on every group that alone fills more than the splits outside train were to get."""
    everything = sum(group.size for group in groups)
    room = (shares.val + shares.test) * everything
    return [
        f"The group of product {group.name} holds {group.size / everything:.0%} of all products ({group.size}), "
        f"tied by style or near-duplicate pictures; it is kept whole, in {split_of[group.name]}."
        for group in groups
        if group.size > max(room, 2)
    ]


# rule=given


def _given(members: Sequence[Member], names: Sequence[str], edges: Sequence[Edge]) -> dict[str, str]:
    """The source's split of every group, refused if a product has none or if a group has two."""
    without = {member.product for member in members if member.given not in SPLITS}
    if without:
        raise DataError(
            f"split=given, but {len(without)} of {len({member.product for member in members})} products have no split "
            f"of their own (the first: {', '.join(sorted(without)[:SHOWN])}). "
            "Fill the column 'split' with train, val or test, or say split=auto."
        )
    if leaks := [edge for edge in edges if members[edge[0]].given != members[edge[1]].given]:
        raise LeakError(_leak_text(members, leaks))
    return {name: member.given for name, member in zip(names, members, strict=True)}


def _leak_text(members: Sequence[Member], leaks: Sequence[Edge]) -> str:
    told = sorted({_leak_line(members[one], members[two], why) for one, two, why in leaks})
    more = f"\n  and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    return (
        f"split=given leaks: {len(told)} pairs belong together and are on two sides.\n  "
        + "\n  ".join(told[:SHOWN])
        + more
        + "\nSay split=auto to split anew without leaks, or mend the list: bring each pair to one side or take one out."
    )


def _leak_line(one: Member, two: Member, why: str) -> str:
    here, there = sorted((one, two), key=lambda member: (member.product, member.given))
    return f"{here.product} ({here.given}) and {there.product} ({there.given}): {why}"


def _with_val(
    groups: Sequence[_Group], split_of: dict[str, str], shares: Shares, earlier: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Carve val out of train, group-wise, where the source has train and test alone and a share for val is asked."""
    if set(split_of.values()) != {"train", "test"} or not shares.val:
        return split_of, []
    train = [group for group in groups if split_of[group.name] == "train"]
    among = _among(shares, "train", "val")
    kept = {name: split for name, split in _kept(train, earlier).items() if split in among}
    carved = _spread(train, among, kept)
    taken, of = (sum(group.size for group in train if carved[group.name] in sides) for sides in (["val"], among))
    note = f"The source has no val: {taken} of its {of} train products were taken for it, in whole groups."
    return split_of | carved, [note]


# What to tell


def _counts(groups: Sequence[_Group], split_of: Mapping[str, str]) -> dict[str, int]:
    counts = Counter[str]()
    for group in groups:
        counts[split_of[group.name]] += group.size
    return {split: counts[split] for split in (*SPLITS, "") if counts[split]}


def _moves(groups: Sequence[_Group], split_of: Mapping[str, str], earlier: Mapping[str, str]) -> tuple[Move, ...]:
    """Every product of the parent version that is in another split now, sorted by product."""
    return tuple(
        Move(
            product=product,
            was=earlier[product],
            now=split_of[group.name],
            why=_why(group, split_of[group.name], earlier),
        )
        for group in groups
        for product in group.products
        if earlier.get(product, split_of[group.name]) != split_of[group.name]
    )


def _why(group: _Group, now: str, earlier: Mapping[str, str]) -> str:
    """Which product of the group drew the others to where it was; or else that the rule did."""
    drew = next((product for product in group.products if earlier.get(product) == now), None)
    return f"tied by style or picture to {drew}, which was in {now}" if drew else "the rule says so"
