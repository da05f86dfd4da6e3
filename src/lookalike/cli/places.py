"""Where things live under `paths`, said once."""

from pathlib import Path

from lookalike.settings import Freeze, Import, Paths


def pictures(paths: Paths) -> Path:
    """Original bytes by sha256."""
    return Path(paths.data) / "images"


def datasets(paths: Paths) -> Path:
    """Frozen data set versions."""
    return Path(paths.data) / "datasets"


def cache(paths: Paths) -> Path:
    """Decoded pictures; may be deleted at any time."""
    return Path(paths.data) / "cache"


def features(paths: Paths) -> Path:
    """What frozen networks say of pictures; may be deleted at any time."""
    return Path(paths.data) / "features"


def audits(paths: Paths) -> Path:
    """Audit pages and tables."""
    return Path(paths.data) / "audits"


def catalog(settings: Import | Freeze) -> str:
    """The catalog's database URL."""
    return settings.catalog or f"sqlite:///{Path(settings.paths.data) / 'catalog.sqlite'}"
