"""Answers to questions about one release: pure, and without a word of HTTP but for the status of what cannot be answered.

In: a box, a question, the bytes of a picture. Out: answers ready to be sent; ProblemError where there is none.
Never: keeps a picture or a question, or answers out of two releases.

It decodes, embeds and compares in the caller's thread: whoever serves many calls it away from the event loop. An address is
fetched before that, by `fetched`, which waits more than it works.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote

import numpy as np

from lookalike.catalog.addresses import FetchError
from lookalike.catalog.headers import PictureError
from lookalike.serving import asked, forms, goods
from lookalike.serving.asked import AskedError, Looked
from lookalike.serving.box import Box, Crop, Hit, Wish, between, hits, looked, of_product
from lookalike.serving.forms import ProblemError, shown
from lookalike.serving.naming import named

Fetch = Callable[[str], bytes]  # FetchError where an address is not fetched
Telling = Callable[[str, float], object]

FEW: Final = 6  # currencies that are named
DEEPEST: Final = 10_000  # places of a list that can be read: a forged cursor must not make a server sort all it has
BEHIND: Final = "its address is not on the public internet, or nobody answers there; send the picture as a file"
ELSE: Final = "its address cannot be used; give another, or send the picture as a file"
UNFETCHED: Final = {  # by a FetchError's reason. Its own words go to the log: they tell of the house, and of what it can reach
    "bad_url": "that is no well-formed address; give one such as https://shop.example/boot.jpg",
    "scheme": "only http and https addresses are fetched",
    "credentials": "it holds a user name or a password, and none is ever sent; leave it out",
    "port": "its port is not among those that are gone to; leave it out",
    "host": "its host is not among those that this server was told to fetch from; send the picture as a file",
    "not_public": BEHIND,
    "unreachable": BEHIND,
    "not_safe": "its place makes no safe connection (TLS); give another address, or send the picture as a file",
    "too_slow": "it does not come in as many seconds as are waited; send the picture as a file",
    "too_big": "its place sends more than the bytes that are taken; give a smaller picture",
    "too_many_redirects": "it redirects too often; give the picture's own address",
    "downgrade": "it redirects from https to http; give the picture's own address",
    "status": "its place answers with something else than a picture; give the picture's own address",
    "encoding": "its place sends it packed, which was not asked for; send the picture as a file",
    "cut_short": "its place sends fewer bytes than it promised; ask again",
    "bad_answer": "its place does not answer as HTTP should; give another address, or send the picture as a file",
}
STATUS: Final = {  # of a picture that cannot be used; 422 where it is not named
    "too_many_bytes": 413,
    "too_many_pixels": 413,
    "no_memory": 413,
    "not_a_picture": 415,
    "unsupported_format": 415,
}

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a question is about."""

    query: str  # as a text, for the next question
    looked: Looked
    without: frozenset[str] = frozenset()  # products that are not shown
    proposal: Crop | None = None


class Laps:
    """How long each part of the work took; `took` is told of each as it ends."""

    def __init__(self, took: Telling = lambda _part, _seconds: None) -> None:
        self._began, self._took = time.perf_counter(), took
        self._spent = {"decode": 0.0, "embed": 0.0, "search": 0.0}

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """Count what is done within to a part."""
        began = time.perf_counter()
        yield
        self._spent[part] = time.perf_counter() - began
        self._took(part, self._spent[part])

    @property
    def told(self) -> forms.Milliseconds:
        """So far."""
        spent = self._spent | {"all": time.perf_counter() - self._began}
        return forms.Milliseconds(**{part: round(1000 * seconds, 3) for part, seconds in spent.items()})


def searched(box: Box, question: forms.Search, picture: bytes, laps: Laps) -> forms.Listing:
    """What looks like the picture that was sent or fetched, the product, or what is liked."""
    return _listed(box, _seen(box, question, picture, laps), question, laps, question.crop)


def similar(box: Box, key: str, question: forms.Similar, laps: Laps) -> forms.Listing:
    """What looks like a product, itself left out."""
    return _listed(box, _of_products(box, [key], []), question, laps)


def brand(box: Box, question: forms.Branded, picture: bytes, laps: Laps) -> forms.Named:
    """Which brand it is."""
    if box.namer is None:
        raise ProblemError(404, f"the catalog of {box.label} tells no brand, so none can be named")
    seen = _seen(box, question, picture, laps)
    told = named(box.namer, seen.looked.shape, without=[box.goods.row_of[key] for key in seen.without])
    brands = [forms.Likelihood(brand=name, probability=chance) for name, chance in told.brands]
    return forms.Named(release=box.label, brand=told.brand, unknown=told.unknown, nearest=told.nearest, brands=brands)


def neighbours(box: Box, picture: bytes, count: int, laps: Laps) -> list[list[str]]:
    """Ids of the products that look like a picture, the most alike first: one list, as there is one picture."""
    question = forms.asked(forms.Search, {"k": count}, file=True, form=False)
    return [[hit.id for hit in searched(box, question, picture, laps).hits]]


def facets(box: Box, question: forms.Faceted) -> forms.Facets:
    """What there is to choose from. Of a range, its own filter is not asked, as its slider must be able to open again."""
    said, of = _filters(box, question), box.goods
    shown = goods.shown(of, said)
    one = len(goods.currencies(of, said)) < 2
    price = goods.span(of.prices[goods.shown(of, replace(said, price=(None, None)))]) if one else None
    rating = goods.span(of.ratings[goods.shown(of, replace(said, rating=None))])
    stocks = of.stocks[goods.shown(of, replace(said, in_stock=False))]
    return forms.Facets(
        release=box.label,
        products=int(shown.sum()),
        **goods.facets(of, said),
        price=list(price) if price else None,
        rating=list(rating) if rating else None,
        in_stock=int((stocks > 0).sum()) if np.isfinite(of.stocks).any() else None,
    )


def _filters(box: Box, question: forms.Filtering) -> goods.Filters:
    """What a question wants to see; refused where it compares prices of several currencies."""
    said = forms.filters(question)
    if said.price != (None, None) and len(found := goods.currencies(box.goods, said)) > 1:
        names = ", ".join(one or "none that is told" for one in found[:FEW])
        raise ProblemError(
            422, f"a price is asked for, and prices here are in {names}; give `currency` one of them beside it"
        )
    return said


def product(box: Box, key: str) -> forms.Shown:
    """What is known of a product, and its pictures."""
    row = _row(box, key)
    views = np.flatnonzero(box.goods.owner == row).tolist()
    pictures = [
        forms.View(picture=address(box, int(box.goods.ids[view])), view=box.goods.views[view] or "") for view in views
    ]
    return forms.Shown(release=box.label, product=forms.Facts(id=key, **box.goods.facts[row]), pictures=pictures)


def thumbnail(small: Callable[[int], bytes], picture: int, release: str) -> bytes:
    """The small picture of an id, by what gives those of its release."""
    try:
        data = small(picture)
    except KeyError:
        raise ProblemError(404, f"there is no picture {picture} in {release}") from None
    if not data:
        raise ProblemError(404, f"no small picture was kept of {picture} in {release}")
    return data


def fetched(fetch: Fetch | None, url: str) -> bytes:
    """The bytes of an address."""
    if fetch is None:
        raise ProblemError(
            400,
            "this server fetches no addresses; send the picture as a file (multipart/form-data, field `file`), "
            "or start the server with image_hosts=[HOST] to allow it",
        )
    try:
        return fetch(url)
    except FetchError as wrong:
        log.info("an address was not fetched: %s", wrong)  # no warning, or strangers could fill the log
        raise ProblemError(422, f"the picture cannot be fetched: {UNFETCHED.get(wrong.reason, ELSE)}") from None


def address(box: Box, picture: int) -> str:
    """Where a picture of this release is."""
    return f"/v1/pictures/{picture}.jpg?release={quote(box.label)}"


def version(box: Box, *, refused: forms.Passed | None, image_urls: bool, key_needed: bool) -> forms.Version:
    """What is on the counter."""
    told = {name: box.facts.get(name) for name in ("lookalike", "model", "index", "made", "commit", "card")}
    return forms.Version(
        **told,
        release=box.label,
        catalog=box.catalog,
        products=len(box.goods.keys),
        pictures=len(box.goods.ids),
        refused=refused,
        image_urls=image_urls,
        key_needed=key_needed,
        brands=box.namer is not None,
    )


# What is meant


def _seen(box: Box, question: forms.Search | forms.Branded, picture: bytes, laps: Laps) -> Seen:
    """What a question is about, whichever way it says so. That exactly one way was taken was seen to."""
    if question.product:
        return _of_products(box, [question.product], [])
    if question.query:
        return Seen(query=question.query, looked=_read(box, question.query))
    if isinstance(question, forms.Search) and question.liked:
        return _of_products(box, question.liked, question.disliked)
    return _of_picture(box, picture, question.crop, laps, fetched=bool(question.url))


def _of_picture(box: Box, data: bytes, crop: Sequence[float] | None, laps: Laps, *, fetched: bool) -> Seen:
    """fetched: from an address, whose first words are nothing to tell where they are no picture."""
    try:
        with laps.of("decode"):
            sight = box.sight(data, None if crop is None else (crop[0], crop[1], crop[2], crop[3]))
    except PictureError as wrong:
        words = UNFETCHED["status"] if fetched and wrong.reason == "not_a_picture" else wrong
        raise ProblemError(STATUS.get(wrong.reason, 422), f"the picture cannot be used: {words}") from None
    with laps.of("embed"):
        found = looked(box, sight.square)
    return replace(_told(box, found), proposal=sight.proposal)


def _of_products(box: Box, liked: Sequence[str], disliked: Sequence[str]) -> Seen:
    towards, away = ([_looked(box, key) for key in keys] for keys in (liked, disliked))
    meant = towards[0] if len(towards) == 1 and not away else between(towards, away)
    return replace(_told(box, meant), without=frozenset([*liked, *disliked]))


def _told(box: Box, found: Looked) -> Seen:
    """What was seen is taken back from its own text: the dial, which sends that text, starts where this answer stands."""
    query = asked.told(found, box.label)
    return Seen(query=query, looked=_read(box, query))


def _read(box: Box, query: str) -> Looked:
    try:
        return asked.read(query, box.label, box.widths)
    except AskedError as wrong:
        raise ProblemError(422, f"query: {wrong}") from None


def _looked(box: Box, key: str) -> Looked:
    found = of_product(box, key)
    if found is None:
        raise _nobody(box, key)
    return found


def _row(box: Box, key: str) -> int:
    if key not in box.goods.row_of:
        raise _nobody(box, key)
    return box.goods.row_of[key]


def _nobody(box: Box, key: str) -> ProblemError:
    return ProblemError(404, f"there is no product {shown(key)} in {box.label}; search for one, and take its `id`")


# The list


def _listed(
    box: Box,
    seen: Seen,
    question: forms.Search | forms.Similar,
    laps: Laps,
    crop: list[float] | None = None,
) -> forms.Listing:
    wish = _wish(box, seen, question)
    with laps.of("search"):
        found, more = hits(box, seen.looked, wish)
    ends = wish.skip + wish.k
    return forms.Listing(
        release=box.label,
        catalog=box.catalog,
        query=seen.query,
        color_weight=wish.weight,
        crop=crop,
        proposal=None if seen.proposal is None else list(seen.proposal),
        hits=[_hit(box, one) for one in found],
        next=asked.cursor(ends, _of_list(seen, wish), box.label) if more and ends < DEEPEST else None,
        milliseconds=laps.told,
    )


def _wish(box: Box, seen: Seen, question: forms.Search | forms.Similar) -> Wish:
    wish = Wish(
        weight=box.weight if question.color_weight is None else question.color_weight,
        k=question.k,
        filters=_filters(box, question),
        order=question.order,
        group_by=question.group_by,
        min_score=question.min_score,
        without=seen.without,
    )
    return wish if question.cursor is None else replace(wish, skip=_place(box, question.cursor, _of_list(seen, wish)))


def _of_list(seen: Seen, wish: Wish) -> tuple[Any, ...]:
    """All that tells one list from another, the same in every process. How many are read at a time does not."""
    shown = (wish.filters.values, wish.filters.price, wish.filters.rating, wish.filters.in_stock)
    return seen.query, wish.weight, shown, wish.order, wish.group_by, wish.min_score, sorted(wish.without)


def _place(box: Box, cursor: str, of: tuple[Any, ...]) -> int:
    try:
        begins = asked.place(cursor, of, box.label)
    except AskedError as wrong:
        raise ProblemError(422, f"cursor: {wrong}") from None
    if begins >= DEEPEST:
        raise ProblemError(422, f"cursor: a list is read to place {DEEPEST:,} at most; narrow it by filters")
    return begins


def _hit(box: Box, one: Hit) -> forms.Hit:
    view = int(np.searchsorted(box.goods.ids, one.picture))
    return forms.Hit(
        **box.goods.facts[one.product],
        id=box.goods.keys[one.product],
        score=round(one.score, 6),
        parts=forms.Parts(shape=round(one.shape, 6), color=round(one.color, 6)),
        picture=address(box, one.picture),
        view=box.goods.views[view] or "",
    )
