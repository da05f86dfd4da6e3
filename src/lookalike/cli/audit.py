"""`lookalike audit`: what is wrong with a data set version: a table, and a page with the pictures.

Exit 1 on a leak, and where a picture could not be read: then nobody knows.
"""

from functools import partial
from pathlib import Path

import polars as pl

from lookalike import files
from lookalike.catalog import pictures, versions
from lookalike.catalog.audit import THREADS, audit
from lookalike.catalog.audit import Audit as Found
from lookalike.catalog.versions import DataSet
from lookalike.cli import places, show
from lookalike.data.cache import decoded
from lookalike.reporting import audit_page
from lookalike.reporting.sheet import contact_sheet
from lookalike.settings import Audit, Paths

SHEET = 48  # products on the contact sheet
TILE = 160


def run(settings: Audit) -> int:
    """Look, say it, write the page, its tables and a contact sheet."""
    dataset = versions.find(settings.dataset, places.datasets(settings.paths))
    root = places.pictures(settings.paths)
    read = partial(_bytes, root)
    with show.progress("auditing", dataset.views["sha256"].n_unique()) as moved:
        found = audit(dataset, read, progress=moved, threads=pictures.at_once(root, THREADS))
    where = places.audits(settings.paths) / dataset.name / dataset.version
    for name, table in found.tables().items():
        files.write_text(where / f"{name}.csv", table.write_csv())
    files.write_text(where / "audit.html", audit_page.render(found, read))
    files.write_bytes(where / "sheet.png", _sheet(dataset, found, settings.paths))
    _say(found, where)
    return 0 if found.ok and found.unreadable.is_empty() else 1


def _bytes(root: files.Place, sha256: str) -> bytes:
    """What lies there, unchecked: the audit itself tells a missing file from an altered one."""
    return pictures.path_of(root, sha256).read_bytes()


def _sheet(dataset: DataSet, found: Found, paths: Paths) -> bytes:
    """The first picture of some products, drawn evenly from the whole."""
    broken = set(found.unreadable["image"])
    first = (
        dataset.pictures().filter(~pl.col("image").is_in(broken)).unique("product", keep="first", maintain_order=True)
    )
    some = first.gather_every(max(1, len(first) // SHEET)).head(SHEET)
    tiles = decoded(
        places.cache(paths), places.pictures(paths), some["sha256"].to_list(), size=TILE, resize="letterbox"
    )
    captions = [" ".join(filter(None, row)) for row in some.select("brand", "color").rows()]
    return contact_sheet(list(tiles), captions, columns=8, tile=TILE)


def _say(found: Found, where: Path) -> None:
    kinds = found.pairs["kind"].value_counts(sort=True).rows() if len(found.pairs) else []
    suspects = found.suspects["kind"].value_counts(sort=True).rows() if len(found.suspects) else []
    rows = [
        ("leaks across splits", found.leaks),
        *[(f"pairs of pictures: {kind.replace('_', ' ')}", count) for kind, count in kinds],
        ("unreadable pictures", len(found.unreadable)),
        ("singletons", len(found.singletons)),
        *[(f"suspects: {kind}", count) for kind, count in suspects],
        ("rows set aside at import", int(found.set_aside["rows"].sum()) if len(found.set_aside) else 0),
    ]
    show.table(f"audit of {found.label}, {len(found.pictures)} pictures", ("what", "count"), rows)
    show.facts("look at", {"page": where / "audit.html", "sheet": where / "sheet.png", "tables": where})
    verdict, style = _verdict(found)
    show.out.print(verdict, style=style)


def _verdict(found: Found) -> tuple[str, str]:
    """What to take away, and how it looks. What nobody could look at is not called free of leaks."""
    unread = f"{len(found.unreadable)} of {len(found.pictures)}"
    if not found.ok:
        leaks = f"{found.leaks} leaks: do not train on this version; import it with split=auto"
        return leaks + ("" if found.unreadable.is_empty() else f" ({unread} pictures could not be read)"), "bold red"
    if found.unreadable.is_empty():
        return "no leak", "green"
    mend = "see unreadable.csv, then import the source again, which puts its pictures back"
    return f"no leak among the pictures that could be read; {unread} could not: {mend}", "bold red"
