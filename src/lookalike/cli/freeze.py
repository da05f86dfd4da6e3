"""`lookalike freeze`: the catalog, or a part of it, into a data set version."""

from lookalike.catalog import versions
from lookalike.catalog.store import open_store
from lookalike.cli import places
from lookalike.cli.import_ import say_version
from lookalike.settings import DataError, Freeze


def run(settings: Freeze) -> int:
    """Read the catalog, split it, write a version."""
    with open_store(places.catalog(settings)) as store:
        products = store.products(category=settings.category, shop=settings.of, pictured=True)
    if not products:
        raise DataError(_nothing(settings))
    frozen = versions.freeze(
        settings.name,
        products,
        root=places.datasets(settings.paths),
        rule=settings.split,
        shares=settings.shares,
        seed=settings.seed,
        source="catalog",
    )
    say_version(frozen)
    return 0


def _nothing(settings: Freeze) -> str:
    part = " ".join(f"{name}={value}" for name in ("category", "of") if (value := getattr(settings, name)))
    if part:
        return f"the catalog has no product with {part}; leave it out, or look at what was imported"
    return "the catalog is empty; fill it with `lookalike import ... into=catalog`"
