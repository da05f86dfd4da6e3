"""`lookalike rollback`: the previous champion is it again; one pointer is moved, and nothing judged."""

from pathlib import Path

from lookalike.cli import show
from lookalike.release import registry
from lookalike.release.registry import Pointers
from lookalike.settings import DataError, Rollback


def run(settings: Rollback) -> int:
    """Move the pointers back, unless there is nothing whole to go back to."""
    releases = Path(settings.paths.releases)
    if settings.tracking != "local":
        from lookalike.tracking import artifacts  # W&B takes a second to import, and is not everybody's

        artifacts.check(settings)
    after = rolled_back(releases, why="rolled back by hand")
    told = {"champion": after.champion, "previous": after.previous or "-", "registry": releases / registry.REGISTRY}
    if settings.tracking != "local":
        told["W&B"] = artifacts.shown(registry.folders(registry.pointers(releases), releases), settings)
    show.facts("rolled back", told)
    return 0


def rolled_back(releases: Path, *, why: str) -> Pointers:
    """Move them, and answer what they are now."""
    with registry.held(releases, patience=0):  # who waited would roll back what came meanwhile, and nobody saw yet
        now = registry.pointers(releases)
        _refuse(now, releases)
        return registry.moved(releases, registry.rolled_back(now), what="rollback", why=why)


def _refuse(now: Pointers, releases: Path) -> None:
    if not now.previous:
        raise DataError(
            f"{releases}: there is no previous champion to go back to; promote another release: lookalike promote RELEASE"
        )
    try:
        registry.whole(now.previous, releases)
    except DataError as wrong:
        raise DataError(
            f"the previous champion {now.previous} cannot take over: {str(wrong).rstrip('.')}. Nothing was moved. "
            "Or promote another release: lookalike promote RELEASE"
        ) from None
