"""Stanford Online Products (Song et al., 2016): 120,053 pictures of 22,634 things once sold on eBay.

In: the folder with `Ebay_train.txt`, `Ebay_test.txt` and the pictures. Out: Rows with the official split; a val is
cut out of train later. Never: alters the split, or takes a picture that the lists do not name.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final

from lookalike.catalog.adapters import local
from lookalike.catalog.product import Row

COLUMNS: Final = ("image_id", "class_id", "super_class_id", "path")
LISTS: Final = {"train": "Ebay_train.txt", "test": "Ebay_test.txt"}
FOLDER: Final = "Stanford_Online_Products"


def rows(source: Path) -> Iterator[Row]:
    """Every listed picture: train first, then test. `source` may also be the folder around the official one."""
    local.a_folder(source, f"the one that holds {' and '.join(LISTS.values())}")
    folder = source / FOLDER if (source / FOLDER).is_dir() else source
    lists = {split: local.a_file(folder / name, "the official list") for split, name in LISTS.items()}
    for split, path in lists.items():
        for number, told in local.table(path, COLUMNS, header_line=1):
            yield _row(folder, f"{path.name}, line {number}", split, told)


def _row(folder: Path, where: str, split: str, told: dict[str, str] | None) -> Row:
    if told is None:
        return local.broken_line(where, COLUMNS)
    category = PurePosixPath(told["path"]).parts[0].removesuffix("_final")
    fields = {"product": told["class_id"], "category": category, "split": split}
    return Row(where=where, picture=told["path"], read=partial(local.picture, folder, told["path"]), fields=fields)
