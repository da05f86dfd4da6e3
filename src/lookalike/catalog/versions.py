"""Frozen data set versions: products in, an immutable folder named by its content out, and back.

In: products with checked views. Out: `DataSet`. Never: changes a sound version, or reads one whose manifest does not match.

    data/datasets/NAME/<version>/   products.parquet views.parquet set_aside.parquet manifest.json
    data/datasets/NAME/newest       the version that NAME alone means

or the same under an s3:// address; see `files.new_folder` for what a kill and two writers leave there.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from lookalike import files
from lookalike.catalog.nearness import near_duplicates
from lookalike.catalog.product import Product, SetAside, View
from lookalike.catalog.splits import Assignment, Member, assign
from lookalike.files import Place
from lookalike.settings import DataError, Shares, SplitRule, folder_fault

FORMAT = 1  # of the folder; a reader refuses another

PRODUCTS = {
    **dict.fromkeys(("product", "shop", "style", "brand", "category", "color", "name", "price", "currency"), pl.String),
    "rating": pl.Float64,
    **dict.fromkeys(("url", "attributes", "split", "group"), pl.String),
}
VIEWS = {
    **dict.fromkeys(("image", "product", "view", "role", "split", "sha256", "format"), pl.String),
    **dict.fromkeys(("width", "height", "size"), pl.Int64),
    "fingerprint": pl.Binary,
    "source": pl.String,
}
SET_ASIDE = dict.fromkeys(("where", "picture", "product", "reason", "text"), pl.String)


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """One frozen version."""

    name: str
    version: str
    folder: Place
    manifest: dict[str, Any]
    products: pl.DataFrame
    views: pl.DataFrame
    set_aside: pl.DataFrame

    @property
    def label(self) -> str:
        """The name that means this version and no other."""
        return f"{self.name}@{self.version}"

    def pictures(self, split: str = "all") -> pl.DataFrame:
        """One row a picture with what is known of its product, attributes as columns of their own."""
        known = self.products.drop("split", "attributes").join(_attributes(self.products), on="product", how="left")
        table = self.views.join(known, on="product", how="left", maintain_order="left")
        return table if split == "all" else table.filter(pl.col("split") == split)


def freeze(
    name: str,
    products: Sequence[Product],
    set_aside: Sequence[SetAside] = (),
    *,
    root: Place,
    rule: SplitRule = "auto",
    shares: Shares | None = None,
    seed: int = 0,
    source: str = "",
) -> DataSet:
    """Split the products without a leak and write them as a version of `name`; the same content is the same version."""
    if fault := folder_fault(name):
        raise DataError(f"name={name!r}: {fault}")
    if not products:
        raise DataError(f"{name}: nothing to freeze: no product with a usable picture was found{_why(set_aside)}")
    shares = shares or Shares()
    parent, lost = _parent(name, root)
    told_split = {"rule": rule, "shares": asdict(shares), "seed": seed}
    # a version made again keeps the splits of the one before, unless that was cut by another rule
    before = _splits_of(parent) if parent and told_split.items() <= parent.manifest["split"].items() else None
    ordered = sorted(products, key=lambda product: product.key)
    members, links = _members(ordered, rule)
    cut = assign(members, links, rule=rule, shares=shares, seed=seed, before=before)
    tables = _tables(ordered, set_aside, *_by_product(members, cut))
    facts = {
        "format": FORMAT,
        "name": name,
        "version": _content_id(tables),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "parent": parent.version if parent else None,
        "source": source,
        "split": {**told_split, "moved": [move._asdict() for move in cut.moved], "notes": [*lost, *cut.notes]},
        "counts": _counts(tables, cut),
    }
    return _write(root / name, facts, tables)


def _parent(name: str, root: Place) -> tuple[DataSet | None, list[str]]:
    """The version before, and a note where there is one that cannot be read: a damaged past must not bar the way."""
    try:
        return newest(name, root), []
    except DataError as wrong:
        return None, [f"the version before could not be read ({wrong}), so its split was not kept"]


def _write(home: Place, facts: dict[str, Any], tables: Mapping[str, pl.DataFrame]) -> DataSet:
    """Put a version where it belongs, unless it stands there already, and make it the newest."""
    folder = home / facts["version"]
    written = _standing(folder)
    if not written:
        with files.new_folder(folder, replace=True) as draft:
            for table, frame in tables.items():
                frame.write_parquet(draft / f"{table}.parquet")
            files.seal(draft, facts)
        written = load(folder)
    files.write_text(home / "newest", facts["version"] + "\n")
    return written


def _standing(folder: Place) -> DataSet | None:
    """The version in a folder; None where there is none, or none that can be trusted."""
    try:
        return load(folder)
    except DataError:
        return None


def find(said: str, root: Place) -> DataSet:
    """The data set that `name` or `name@version` means."""
    name, _, version = said.partition("@")
    if not (root / name).is_dir():
        there = ", ".join(sorted(one.name for one in root.iterdir() if one.is_dir())) if root.is_dir() else ""
        raise DataError(
            f"no data set {name!r} under {root}; " + (f"there are: {there}" if there else "import one first")
        )
    if not version:
        found = newest(name, root)
        if found:
            return found
        raise DataError(f"data set {name!r} has no finished version under {root / name}; import it again")
    near = [one for one in (root / name).iterdir() if one.name.startswith(version) and one.is_dir()]
    if len(near) != 1:
        there = ", ".join(sorted(one.name for one in (root / name).iterdir() if one.is_dir() and one.name[0] != "."))
        raise DataError(f"data set {name!r} has no one version {version!r}; there are: {there}")
    return load(near[0])


def newest(name: str, root: Place) -> DataSet | None:
    """The version that the name alone means, if there is one."""
    pointer = root / name / "newest"
    if not pointer.is_file():
        return None
    version = pointer.read_bytes().decode("utf-8", errors="replace").strip()
    if not version.isalnum():
        raise DataError(f"{pointer}: {version!r} is no version. Write one that lies beside it, or import {name} again.")
    return load(root / name / version)


def load(folder: Place) -> DataSet:
    """Read a version, refusing one that is unfinished, altered, or of another format."""
    facts = files.sealed(folder)
    if facts.get("format") != FORMAT:
        raise DataError(
            f"{folder}: format {facts.get('format')!r}, this lookalike reads {FORMAT}; import the data set again"
        )
    if lacking := {"name", "version", "split", "counts"} - facts.keys():
        raise DataError(f"{folder / files.MANIFEST}: altered: it lacks {', '.join(sorted(lacking))}; import it again")
    tables = {table: _read(folder / f"{table}.parquet") for table in ("products", "views", "set_aside")}
    return DataSet(name=facts["name"], version=facts["version"], folder=folder, manifest=facts, **tables)


def _read(path: Place) -> pl.DataFrame:
    return pl.read_parquet(path if isinstance(path, Path) else path.read_bytes())


def _members(products: Sequence[Product], rule: SplitRule) -> tuple[list[Member], list[tuple[int, int]]]:
    """One member a product (one a given split of it, where the source tells several), and who is linked by a picture."""
    members: list[Member] = []
    prints: list[bytes] = []
    owner: list[int] = []
    for product in products:
        told = sorted({view.split for view in product.views}) if rule == "given" else [""]
        for split in told:
            of_split = [view for view in product.views if rule != "given" or view.split == split]
            prints += [view.fingerprint for view in of_split]
            owner += [len(members)] * len(of_split)
            members.append(Member(product=product.key, style=_style(product), category=product.category, given=split))
    links = {(owner[pair.first], owner[pair.second]) for pair in near_duplicates(prints)}
    return members, sorted((first, second) for first, second in links if first != second)


def _style(product: Product) -> str:
    return f"{product.shop}:{product.style}" if product.shop and product.style else product.style


def _by_product(members: Sequence[Member], cut: Assignment) -> tuple[dict[str, str], dict[str, str]]:
    keys = [member.product for member in members]
    return dict(zip(keys, cut.split, strict=True)), dict(zip(keys, cut.group, strict=True))


def _splits_of(dataset: DataSet) -> dict[str, str]:
    return dict(zip(dataset.products["product"], dataset.products["split"], strict=True))


def _tables(
    products: Sequence[Product], set_aside: Sequence[SetAside], split: Mapping[str, str], group: Mapping[str, str]
) -> dict[str, pl.DataFrame]:
    product_rows = [_product_row(one, split[one.key], group[one.key]) for one in products]
    view_rows = [
        _view_row(one.key, number, view, split[one.key]) for one in products for number, view in enumerate(one.views)
    ]
    aside = sorted((asdict(one) for one in set_aside), key=lambda row: (row["where"], row["picture"]))
    return {
        "products": pl.DataFrame(product_rows, schema=PRODUCTS),
        "views": pl.DataFrame(view_rows, schema=VIEWS),
        "set_aside": pl.DataFrame(aside, schema=SET_ASIDE),
    }


def _product_row(product: Product, split: str, group: str) -> dict[str, Any]:
    row = {name: getattr(product, name) for name in PRODUCTS if hasattr(product, name)}
    return {
        **row,
        "product": product.key,
        "style": _style(product),
        "price": "" if product.price is None else str(product.price),
        "attributes": json.dumps(_told(product), sort_keys=True, ensure_ascii=False),
        "split": split,
        "group": group,
    }


def _told(product: Product) -> dict[str, str]:
    """Attributes, and how many the shop had on hand where it said."""
    return {**product.attributes, **({} if product.stock is None else {"stock": str(product.stock)})}


def _view_row(product: str, number: int, view: View, split: str) -> dict[str, Any]:
    return {**asdict(view), "image": f"{product}#{number}", "product": product, "split": split}


def _attributes(products: pl.DataFrame) -> pl.DataFrame:
    rows = [json.loads(text) for text in products["attributes"]]
    taken = {*PRODUCTS, *VIEWS}
    names = sorted({name for row in rows for name in row} - taken)
    columns = {name: [row.get(name, "") for row in rows] for name in names}
    return pl.DataFrame({"product": products["product"], **columns})


def _content_id(tables: Mapping[str, pl.DataFrame]) -> str:
    """The version's name: a hash of what the rows say.

    Not of Parquet bytes, which change with the writer's version, nor of fingerprints, which round as the processor does and
    follow from the pictures anyway.
    """
    digest = hashlib.sha256(f"format {FORMAT}\n".encode())
    for name in ("products", "views", "set_aside"):
        table = tables[name].drop("fingerprint", strict=False)
        digest.update(f"{name} {table.columns}\n".encode())
        for row in table.iter_rows():
            digest.update(repr(row).encode())
    return digest.hexdigest()[:12]


def _counts(tables: Mapping[str, pl.DataFrame], cut: Assignment) -> dict[str, Any]:
    products, views = tables["products"], tables["views"]
    return {
        "products": len(products),
        "styles": products.filter(pl.col("style") != "")["style"].n_unique(),
        "pictures": len(views),
        "groups": len(set(cut.group)),
        "products_by_split": dict(sorted(Counter(products["split"]).items())),
        "pictures_by_split": dict(sorted(Counter(views["split"]).items())),
        "set_aside": dict(Counter(tables["set_aside"]["reason"]).most_common()),
    }


def _why(set_aside: Sequence[SetAside]) -> str:
    if not set_aside:
        return "; the source has no rows"
    reasons = ", ".join(
        f"{count} {reason}" for reason, count in Counter(one.reason for one in set_aside).most_common(5)
    )
    return f"; {len(set_aside)} rows were set aside ({reasons}). The first: {set_aside[0].text}"
