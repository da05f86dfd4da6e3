"""`lookalike verify RELEASE`: is it whole, and does it still give the vectors that it gave?

Exit 1 where it does not, with every fault told.
"""

from pathlib import Path

from lookalike.cli import show
from lookalike.release.opened import open_release
from lookalike.release.registry import resolve
from lookalike.release.verify import faults
from lookalike.settings import DataError, Verify


def run(settings: Verify) -> int:
    """Open, look, tell."""
    folder = resolve(settings.release, Path(settings.paths.releases))
    try:
        release = open_release(folder)
    except DataError as wrong:
        return _told([str(wrong)])
    with show.progress("verifying"):
        found = faults(release, threads=settings.threads)
    if found:
        return _told([f"{release.label}: {fault}" for fault in found])
    show.facts(
        f"{release.label} is whole, and gives what it gave",
        {
            "files": f"{len(release.manifest['files'])}, each by its sha256",
            "models": ", ".join(release.models()),
            "catalog": release.manifest["indexed"] or "none yet: lookalike index",
            "served": release.manifest["serves"],
        },
    )
    return 0


def _told(found: list[str]) -> int:
    for fault in found:  # a file's name may hold what looks like markup
        show.err.print(f"lookalike verify: {fault}", style="red", markup=False, soft_wrap=True)
    return 1
