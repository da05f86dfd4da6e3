"""In-shop Clothes Retrieval of DeepFashion (Liu et al., 2016): 52,712 pictures of 7,982 garments.

In: the folder with `Eval/list_eval_partition.txt` and the pictures. Out: Rows with the official split and roles
(query and gallery are the test); a val is cut out of train later. Never: alters the split, or takes a picture that
the list does not name.

"img/WOMEN/Dresses/id_00000002/02_1_front.jpg" is the front of color group 02 of that item. The official protocol
counts every picture of the item as a hit, so the item is the product, whatever its colors. What is told of a product
is true of all its pictures: the attribute `color_group` of an item in two colors is "01;02".
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final

from lookalike.catalog.adapters import local
from lookalike.catalog.product import Row
from lookalike.settings import DataError

COLUMNS: Final = ("image_name", "item_id", "evaluation_status")
PARTITION: Final = "list_eval_partition.txt"
COLORS: Final = "list_color_cloth.txt"
STATUS: Final = {
    "train": {"split": "train", "role": "both"},
    "query": {"split": "test", "role": "query"},
    "gallery": {"split": "test", "role": "gallery"},
}
TREES: Final = ("Img/img", "img/img", "img", "Img")  # as unpacked by different hands; the list's "img/" begins there
_FILE_NAME = re.compile(r"(?P<color_group>\d+)_\d+_(?P<view>[a-z]+)")


def rows(source: Path, *, colorways: bool = False) -> Iterator[Row]:
    """Every listed picture. `colorways` makes each color group a product of its own: not the official protocol."""
    local.a_folder(source, f"the one that holds Eval/{PARTITION} and Img")
    partition = _needed(source, PARTITION)
    tree = _tree(source)
    colors = _colors(_found(source, COLORS))
    listed = partial(local.table, partition, COLUMNS, header_line=2)
    facts = _facts([told for _, told in listed() if told], colors, colorways)
    for number, told in listed():
        where = f"{partition.name}, line {number}"
        yield _row(where, tree, told, facts[_product(told, colorways)]) if told else local.broken_line(where, COLUMNS)


def _needed(source: Path, name: str) -> Path:
    return _found(source, name) or local.a_file(source / "Eval" / name, "the official list")


def _found(source: Path, name: str) -> Path | None:
    places = (source / folder / name for folder in ("Eval", "Anno", "Anno/attributes", "."))
    return next((place for place in places if place.is_file()), None)


def _tree(source: Path) -> Path:
    for name in TREES:
        if (source / name).is_dir():
            return source / name
    raise DataError(f"{source}: holds no folder Img or img; unpack img.zip into {source / 'Img'}.")


def _colors(path: Path | None) -> dict[str, str]:
    """The color of each picture, where the list is there. Its first two lines, a count and a header, name no path."""
    words = (line.split(maxsplit=1) for line in local.lines(path)) if path else ()
    return {pair[0]: pair[1].strip() for pair in words if len(pair) == 2 and "/" in pair[0]}


def _of_name(told: Mapping[str, str]) -> dict[str, str]:
    """Color group and view, as the file is named."""
    found = _FILE_NAME.match(PurePosixPath(told["image_name"]).name)
    return found.groupdict() if found else {"color_group": "", "view": ""}


def _product(told: Mapping[str, str], colorways: bool) -> str:
    group = _of_name(told)["color_group"]
    return f"{told['item_id']}/{group}" if colorways and group else told["item_id"]


def _facts(
    listed: Iterable[Mapping[str, str]], colors: Mapping[str, str], colorways: bool
) -> dict[str, dict[str, str]]:
    """What is known of each product: its style, and every color group and color that its pictures show."""
    style, groups, shades = dict[str, str](), defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    for told in listed:
        product = _product(told, colorways)
        style[product] = told["item_id"] if colorways else ""
        groups[product].add(_of_name(told)["color_group"])
        shades[product].add(colors.get(told["image_name"], ""))
    return {
        product: {
            "product": product,
            "style": style[product],
            "color_group": ";".join(sorted(groups[product] - {""})),
            "color": ";".join(sorted(shades[product] - {""})),
        }
        for product in style
    }


def _row(where: str, tree: Path, told: Mapping[str, str], facts: Mapping[str, str]) -> Row:
    name = told["image_name"].removeprefix("img/")
    gender, category = (*PurePosixPath(name).parts[:-2], "", "")[:2]
    status = told["evaluation_status"]
    unknown = local.refuse("bad_split", f"its status is {status!r}; the official ones are {', '.join(STATUS)}")
    read = partial(local.picture, tree, name) if status in STATUS else unknown
    fields = {**facts, "category": category, "gender": gender, "view": _of_name(told)["view"], **STATUS.get(status, {})}
    return Row(where=where, picture=told["image_name"], read=read, fields=fields)
