"""Where things live under `paths`, said once."""

import re
from pathlib import Path

from lookalike.catalog.remote import reached
from lookalike.files import Place
from lookalike.settings import Catalog, Freeze, Import, Paths, Scrape


def pictures(paths: Paths) -> Place:
    """Original bytes by sha256."""
    return _place(paths.images) if paths.images else Path(paths.data) / "images"


def datasets(paths: Paths) -> Place:
    """Frozen data set versions."""
    return _place(paths.datasets) if paths.datasets else Path(paths.data) / "datasets"


def _place(said: str) -> Place:
    """A folder, or what an address means: nobody calls a folder s3:, so what begins like an address is taken for one."""
    return reached(said) if re.match(r"\w{2,}:/", said) else Path(said)


def cache(paths: Paths) -> Path:
    """Decoded pictures; may be deleted at any time."""
    return Path(paths.data) / "cache"


def features(paths: Paths) -> Path:
    """What frozen networks say of pictures; may be deleted at any time."""
    return Path(paths.data) / "features"


def pages(paths: Paths) -> Path:
    """What crawled pages told, as it came, by sha256."""
    return Path(paths.data) / "pages"


def drawn(paths: Paths) -> Path:
    """Pictures of the toy shop; may be deleted at any time."""
    return Path(paths.data) / "shop"


def audits(paths: Paths) -> Path:
    """Audit pages and tables."""
    return Path(paths.data) / "audits"


def catalog(settings: Import | Freeze | Scrape | Catalog) -> str:
    """The catalog's database URL."""
    return settings.catalog or f"sqlite:///{Path(settings.paths.data) / 'catalog.sqlite'}"
