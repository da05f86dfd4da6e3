"""UT Zappos50K (Yu and Grauman, 2014): 50,025 shoes, one picture each, as its authors hand it out.

In: the folder with `ut-zap50k-images` or `ut-zap50k-images-square`, and beside it or inside it `ut-zap50k-data`. Out:
Rows, in the order of `image-path.mat` if it is there, else of `meta-data.csv`, else of the tree; `where` says which.
Never: trusts the folder of a listed picture, since some brands are spelt otherwise on disk ("Neil M%2E"): file names
are unique and looked up.

A shoe "Shoes/Oxfords/Bostonian/100627.72.jpg" is style 100627 (Zappos' product) in color 72: the product 100627-72.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote

from lookalike.catalog.adapters import local, matlab
from lookalike.catalog.product import Row
from lookalike.settings import DataError

TREES: Final = ("ut-zap50k-images", "ut-zap50k-images-square")
DATA: Final = "ut-zap50k-data"
MEND: Final = f"fetch {DATA} anew, or move the file away to go by the tree"
CATEGORIES: Final = ("Boots", "Sandals", "Shoes", "Slippers")


def rows(source: Path, *, square: bool = False) -> Iterator[Row]:
    """Every shoe. `square` takes the padded pictures where both trees are there."""
    local.a_folder(source, f"the one that holds {TREES[0]} and {DATA}")
    tree = _tree(source, square=square)
    on_disk = {PurePosixPath(path).name: path for path in local.pictures(tree)}
    meta = _meta(_beside(source, tree, "meta-data.csv"))
    for where, listed in _listed(_beside(source, tree, "image-path.mat"), meta, on_disk):
        yield _row(where, listed, tree, on_disk, meta)


def _tree(source: Path, *, square: bool) -> Path:
    """The folder of the categories: one of the official names, or `source` itself."""
    for name in reversed(TREES) if square else TREES:
        if (source / name).is_dir():
            return source / name
    if any((source / category).is_dir() for category in CATEGORIES):
        return source
    asked = f"neither {' nor '.join(TREES)} is in it, nor the folders {', '.join(CATEGORIES)}"
    raise DataError(f"{source}: {asked}; unpack the pictures there.")


def _beside(source: Path, tree: Path, name: str) -> Path | None:
    places = (source / DATA / name, tree / DATA / name, tree.parent / DATA / name, source / name)
    return next((place for place in places if place.is_file()), None)


def _listed(
    paths: Path | None, meta: Mapping[str, Mapping[str, str]], on_disk: Mapping[str, str]
) -> Iterator[tuple[str, PurePosixPath]]:
    """Where each shoe is named, and its path there; from the best list there is."""
    if paths:
        for number, path in enumerate(image_paths(paths), start=1):
            yield f"{paths.name}, entry {number}", PurePosixPath(path)
    elif meta:
        for number, (product, told) in enumerate(meta.items(), start=2):
            name = product.replace("-", ".", 1) + ".jpg"
            path = on_disk.get(name, f"{told['Category']}/{told['SubCategory']}/{name}")
            yield f"meta-data.csv, line {number}", PurePosixPath(path)
    else:
        for path in on_disk.values():
            yield path, PurePosixPath(path)


def image_paths(mat: Path) -> list[str]:
    """The paths in the cell array `imagepath` of a Matlab file, in its order: label files count shoes by it."""
    try:
        held = matlab.cell_arrays(mat.read_bytes())
    except ValueError as wrong:
        raise DataError(f"{mat}: cannot be read as a Matlab file ({wrong}); {MEND}.") from None
    if not held.get("imagepath"):
        raise DataError(f"{mat}: holds no 'imagepath' (it holds {', '.join(held) or 'nothing'}); {MEND}.")
    return held["imagepath"]


def _meta(path: Path | None) -> dict[str, dict[str, str]]:
    """What `meta-data.csv` tells of each shoe, by its CID."""
    if path is None:
        return {}
    told = csv.DictReader(local.lines(path))
    missing = {"CID", "Category", "SubCategory"} - set(told.fieldnames or ())
    if missing:
        raise DataError(f"{path}: no column {', '.join(sorted(missing))}; {MEND}.")
    return {row["CID"]: {name: value or "" for name, value in row.items() if name} for row in told}


def _row(
    where: str, listed: PurePosixPath, tree: Path, on_disk: Mapping[str, str], meta: Mapping[str, Mapping[str, str]]
) -> Row:
    style, _, color = listed.stem.partition(".")
    product = f"{style}-{color}" if color else style
    category, subcategory, brand = (*listed.parts[:-1], "", "", "")[:3]
    told = {_snake(name): value for name, value in meta.get(product, {}).items() if name != "CID"}
    path = {"category": category, "subcategory": subcategory, "brand": unquote(brand)}
    fields = told | path | {"product": product, "style": style}
    picture = on_disk.get(listed.name, str(listed))
    return Row(where=where, picture=local.shown(picture), read=partial(local.picture, tree, picture), fields=fields)


def _snake(name: str) -> str:
    """HeelHeight as an attribute is called: heel_height."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().replace("sub_category", "subcategory")
