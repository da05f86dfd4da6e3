"""The gate of the catalog: a source's rows in; products with checked pictures, and what was set aside, out.

In: Rows. Out: an Intake; the original bytes of every good picture are kept. Never: stops for a bad row, loses one silently,
or looks at which source it is.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from typing import Any

from lookalike.catalog import clean
from lookalike.catalog.images import decode, look
from lookalike.catalog.nearness import ENOUGH, fingerprint
from lookalike.catalog.pictures import at_once, keep
from lookalike.catalog.product import Product, Row, RowError, SetAside, View
from lookalike.files import Place

AHEAD = 64  # rows read ahead of the slowest: memory stays flat however long the source is


@dataclass(frozen=True, kw_only=True)
class Intake:
    """What a source gave."""

    rows: int
    products: tuple[Product, ...]
    set_aside: tuple[SetAside, ...]
    disagreements: tuple[str, ...]  # rows of one product that tell different things; the first one counts

    @property
    def pictures(self) -> int:
        """How many pictures were taken in."""
        return sum(len(product.views) for product in self.products)

    @property
    def repeated(self) -> int:
        """How many rows told a picture of a product once more."""
        return self.rows - self.pictures - len(self.set_aside)

    @property
    def reasons(self) -> dict[str, int]:
        """How many rows were set aside, by reason."""
        return dict(Counter(one.reason for one in self.set_aside).most_common())


def take_in(
    rows: Iterable[Row],
    pictures: Place,
    *,
    shop: str = "",
    threads: int = 2,
    progress: Callable[[int], None] | None = None,
) -> Intake:
    """Check every row, keep every good picture under `pictures`, and gather rows into products."""
    taken: dict[str, list[Product]] = defaultdict(list)
    set_aside: list[SetAside] = []
    count = 0
    for result in _side_by_side(rows, lambda row: _take_one(row, pictures, shop), at_once(pictures, threads)):
        count += 1
        if isinstance(result, SetAside):
            set_aside.append(result)
        else:
            taken[result.key].append(result)
        if progress:
            progress(1)
    joined = [_join(parts) for parts in taken.values()]
    return Intake(
        rows=count,
        products=tuple(product for product, _ in joined),
        set_aside=tuple(set_aside),
        disagreements=tuple(line for _, lines in joined for line in lines),
    )


def _side_by_side(rows: Iterable[Row], work: Callable[[Row], Any], threads: int) -> Iterator[Any]:
    """`work` on every row in a few threads (decoding lets go of the interpreter), results in the rows' order."""
    waiting: list[Future[Any]] = []
    pool = ThreadPoolExecutor(threads)
    try:
        for row in rows:
            waiting.append(pool.submit(work, row))
            if len(waiting) >= AHEAD:
                yield waiting.pop(0).result()
        for one in waiting:
            yield one.result()
    finally:
        pool.shutdown(cancel_futures=True)  # where one could not be kept, the rest would find out the same


def _take_one(row: Row, pictures: Place, shop: str) -> Product | SetAside:
    """A product with this row's one view, or the reason why not."""
    try:
        data = row.read()  # first of all: a broken row says here that it is broken
        if not row.picture:
            raise RowError("no_picture", "names no picture")
        product = clean.read_fields(row.fields, shop=shop)
        return replace(product, views=(_look_at(data, row, pictures),))
    except RowError as wrong:
        told = row.fields.get("product", "")
        text = ": ".join(filter(None, (row.where, row.picture, str(wrong))))
        return SetAside(where=row.where, picture=row.picture, product=told, reason=wrong.reason, text=text)


def _look_at(data: bytes, row: Row, pictures: Place) -> View:
    told = clean.read_view(row.fields)
    return view_of(
        data, pictures, view=told.view, role=told.role, split=told.split, source=f"{row.where}: {row.picture}"
    )


def view_of(data: bytes, pictures: Place, *, view: str, source: str, role: str = "both", split: str = "") -> View:
    """A picture's bytes, checked and kept under `pictures`, as a view; raises a PictureError where they are no picture."""
    header, pixels = look(data), decode(data, at_least=ENOUGH)
    return View(
        view=view,
        role=role,
        split=split,
        sha256=keep(pictures, data),
        format=header.format,
        width=header.width,
        height=header.height,
        size=len(data),
        fingerprint=fingerprint(pixels),
        source=source,
    )


def _join(parts: Sequence[Product]) -> tuple[Product, list[str]]:
    """Rows of one product into one: the first row that tells a thing is believed, the others' dissent is noted."""
    first, disagreements = parts[0], []
    told: dict[str, Any] = {}
    for name in (one.name for one in fields(Product) if one.name not in {"views", "attributes", "shop", "product"}):
        values = list(dict.fromkeys(value for part in parts if (value := getattr(part, name)) not in {"", None}))
        told[name] = values[0] if values else getattr(first, name)
        if len(values) > 1:
            disagreements.append(f"product {first.key}: {name} is {' and '.join(map(repr, values[:3]))}")
    attributes = {name: value for part in reversed(parts) for name, value in part.attributes.items()}
    views = {(view.sha256, view.view, view.role, view.split): view for part in reversed(parts) for view in part.views}
    return replace(first, **told, attributes=attributes, views=tuple(reversed(views.values()))), disagreements
