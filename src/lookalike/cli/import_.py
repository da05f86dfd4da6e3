"""`lookalike import`: a source's rows, checked, into a frozen data set version or into the catalog."""

from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

from lookalike import build
from lookalike.catalog import versions
from lookalike.catalog.intake import Intake, take_in
from lookalike.catalog.store import Store, open_store
from lookalike.cli import places, show
from lookalike.settings import DataError, Import

AS_GIVEN = "_as_given"  # how catalog.clean names what it could not read


def run(settings: Import) -> int:
    """Take in, then freeze or upsert. What can be refused at once is refused before any picture is read."""
    if (settings.into or ("catalog" if settings.adapter.name == "feed" else "dataset")) == "dataset":
        return _into_dataset(settings)
    with open_store(places.catalog(settings)) as store:
        return _into_catalog(settings, store)


def _into_dataset(settings: Import) -> int:
    root = places.datasets(settings.paths)
    found = _take(settings)
    frozen = versions.freeze(
        settings.name,
        found.products,
        found.set_aside,
        root=root,
        rule=settings.split,
        shares=settings.shares,
        seed=settings.seed,
        source=f"{settings.adapter.name}:{Path(settings.source).name}",
    )
    say_version(frozen)
    return 0


def _into_catalog(settings: Import, store: Store) -> int:
    number = store.begin_import(settings.adapter.name, settings.source, started=datetime.now(UTC))
    found = _take(settings, shop=settings.name)  # in a catalog of many sources product "1" of each is its own
    now = datetime.now(UTC)
    counts = store.upsert(found.products, seen=now)
    store.set_aside(found.set_aside, seen=now)
    told = {"rows": found.rows, "set_aside": len(found.set_aside), **vars(counts)}
    store.end_import(number, ended=now, status="done" if found.products else "failed", counts=told)
    if not found.products:
        raise DataError(f"{settings.source}: no product with a usable picture; nothing was added to the catalog")
    show.facts("into the catalog", vars(counts) | {"next": f"lookalike freeze name={settings.name} of={settings.name}"})
    return 0


def _take(settings: Import, *, shop: str = "") -> Intake:
    rows = build.rows(settings.adapter, settings.source)
    with show.progress(f"reading {settings.source or settings.adapter.name}") as moved:
        found = take_in(rows, places.pictures(settings.paths), shop=shop, threads=settings.threads, progress=moved)
    _say_intake(found)
    return found


def _say_intake(found: Intake) -> None:
    show.facts(
        "taken in",
        {
            "rows": found.rows,
            "products": len(found.products),
            "pictures": found.pictures,
            "set aside": len(found.set_aside),
            **({"told twice": f"{found.repeated} (the same picture of the same product)"} if found.repeated else {}),
        },
    )
    if found.set_aside:
        first = {one.reason: one.text for one in reversed(found.set_aside)}
        rows = [(reason, count, first[reason]) for reason, count in found.reasons.items()]
        show.table(
            "set aside (each with its reason in the data set's set_aside table)", ("reason", "rows", "the first"), rows
        )
    _say_unread(found)
    if found.disagreements:
        rest = len(found.disagreements) - 3
        lines = "; ".join(found.disagreements[:3]) + (f"; and {rest} more" if rest > 0 else "")
        show.out.print(f"Rows of one product disagree (the first is believed): {lines}\n", markup=False)


def _say_unread(found: Intake) -> None:
    """Values that could not be read are kept as they came; how many, and one of each."""
    unread: dict[str, list[str]] = defaultdict(list)
    for product in found.products:
        for name, value in product.attributes.items():
            if name.endswith(AS_GIVEN):
                unread[name.removesuffix(AS_GIVEN)].append(f"{product.key}: {value!r}")
    rows = [(name, len(values), values[0]) for name, values in unread.items()]
    if rows:
        show.table("not understood, kept as given (attribute NAME_as_given)", ("column", "products", "the first"), rows)


def say_version(frozen: versions.DataSet) -> None:
    """Say what was frozen, and where."""
    counts, split = frozen.manifest["counts"], frozen.manifest["split"]
    splits = ", ".join(f"{name or 'none'} {count}" for name, count in counts["products_by_split"].items())
    show.facts(
        f"data set {frozen.label}",
        {
            "products": f"{counts['products']} of {counts['styles']} styles, {counts['pictures']} pictures",
            "split": f"{split['rule']}: {splits} (in {counts['groups']} groups that stay together)",
            "folder": frozen.folder,
            "next": f"lookalike audit dataset={frozen.name}" + _then(frozen.name, counts["products_by_split"]),
        },
    )
    for note in (*split["notes"], *(f"moved: {move}" for move in split["moved"][:3])):
        show.out.print(f"note: {note}", markup=False)


def _then(name: str, splits: dict[str, int]) -> str:
    if {"train", "val", "test"} <= set(splits):
        return f"   lookalike train dataset={name}"
    return f"   lookalike evaluate run=RUN dataset={name} split={'test' if 'test' in splits else 'all'}"
