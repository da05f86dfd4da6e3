"""Folders of pictures: one folder a product, or one folder a class of products.

In: a folder of folders. Out: Rows, in the order of their names. Never: reads a picture before it is asked to, or
follows a link to a folder.

    boots/anna/1.jpg, of=product:   product "boots/anna", category "boots"
    boots/anna/1.jpg, of=brand:     product "boots/anna/1.jpg", brand "anna", category "boots"
    boots/ankle/1.jpg, of=category: product "boots/ankle/1.jpg", category "boots > ankle"

Where the outermost folders are among train, val and test, they are the split.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal

from lookalike.catalog import clean
from lookalike.catalog.adapters import local
from lookalike.catalog.product import Row
from lookalike.settings import DataError

Of = Literal["product", "category", "style", "brand"]


def rows(source: Path, *, of: Of = "product") -> Iterator[Row]:
    """The pictures under `source`. `of`: what a folder is named after; unless a product, each picture is one."""
    local.a_folder(source, "the one that holds a folder for each product or class")
    split_folders = _top_folders(source) <= set(clean.SPLITS)
    found = False
    for picture in local.pictures(source):
        found = True
        yield _row(source, picture, of=of, split_folders=split_folders)
    if not found:
        raise DataError(f"{source}: no pictures in it or in the folders under it; give the folder that holds them.")


def _top_folders(source: Path) -> set[str]:
    return {one.name for one in source.iterdir() if one.is_dir() and not one.name.startswith(".")}


def _row(source: Path, picture: str, *, of: Of, split_folders: bool) -> Row:
    path = local.shown(picture)
    *folders, name = PurePosixPath(path).parts
    split = folders.pop(0) if split_folders and folders else ""
    stray = local.refuse("no_folder", f"lies in no folder that would tell its {of}; put it into one")
    read: Callable[[], bytes] = partial(local.picture, source, picture) if folders else stray
    return Row(where=path, picture=path, read=read, fields={**_told(folders, name, of), "split": split})


def _told(folders: list[str], name: str, of: Of) -> dict[str, str]:
    """What the path says. Products and styles go by their whole path: two categories may hold folders of one name."""
    path, above, last = "/".join(folders), " > ".join(folders[:-1]), folders[-1] if folders else ""
    match of:
        case "product":
            return {"product": path or name, "category": above, "name": last}
        case "category":
            return {"product": f"{path}/{name}", "category": " > ".join(folders)}
        case "style":
            return {"product": f"{path}/{name}", "style": path, "category": above}
        case "brand":
            return {"product": f"{path}/{name}", "brand": last, "category": above}
