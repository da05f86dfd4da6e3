#!/usr/bin/env python3
"""Saves a shop's page as a test: tests/pages/<shop>/<case>/ with the page as it came and what is read of it now.

From the shop, which is asked once, by the guarded fetcher:

    .venv/bin/python scripts/save_page.py zappos boots https://www.zappos.com/women-boots/CK_XARCz1wHAAQHiAgMBAhg.zso

or from a file that a browser saved:

    .venv/bin/python scripts/save_page.py zappos boots page.html --url https://www.zappos.com/women-boots/CK_X.zso

Look at what it prints: from then on the test holds the reader to it. Leave no photograph and nobody's name in a saved
page; shorten it by hand to what the reader needs, and save it again from the file under the same --url.
"""

import argparse
import importlib
import json
import sys
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from lookalike import files
from lookalike.catalog.fetch import FetchRules, ask
from lookalike.catalog.product import RowError
from lookalike.settings import LookalikeError
from shops.pages.page import PageError, as_plain
from shops.pages.verdict import judge
from shops.shop import shop as shop_of

ROOT: Final = Path(__file__).resolve().parents[1]


def main() -> int:
    """Take the page in, read it, write both down, and show what was read."""
    said = arguments()
    folder = said.into / said.shop / said.case
    if folder.exists():
        sys.exit(f"save_page: {folder} is there already; give the case another name, or take the old one away")
    try:
        text, url = page_of(said)
        told = {"url": url, "status": said.status, "kind": said.kind} | read(said, text, url)
        save(folder, text, told)
    except (LookalikeError, RowError, OSError) as wrong:
        sys.exit(f"save_page: {wrong}")
    Console(soft_wrap=True).print_json(data=told)
    what = (
        "a page"
        if "page" in told
        else f"a test of this refusal (HTTP {said.status}); if you wanted a page, take it away"
    )
    print(f"\nsaved in {folder} as {what}. Check each line by the page as a browser shows it, then: pytest tests/shops")
    return 0


def arguments() -> argparse.Namespace:
    """What the caller asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shop", help="a reader's name: that of a file in scrapers/shops/pages")
    parser.add_argument("case", help="the new folder's name, which says what is odd about the page")
    parser.add_argument("source", help="an address, or a file")
    parser.add_argument("--url", help="where the file was saved from")
    parser.add_argument("--kind", choices=["listing", "product", "verdict"], help="(default: by the address)")
    parser.add_argument("--status", type=int, default=200, help="what the shop answered (default: %(default)s)")
    parser.add_argument("--contact", default="", help="whom the shop may write to, told with the request")
    parser.add_argument("--into", type=Path, default=ROOT / "tests" / "pages", help="(default: %(default)s)")
    said = parser.parse_args()
    said.url = said.url or (said.source if "://" in said.source else "")
    if not said.url:
        parser.error("a file does not say where it is from; add --url ADDRESS")
    said.kind = said.kind or ("product" if any(sign in said.url for sign in ("/p/", "-item-")) else "listing")
    return said


def page_of(said: argparse.Namespace) -> tuple[str, str]:
    """The text of the page and its address. Whatever the shop answers is a page, a refusal too; a redirect is not followed."""
    if "://" not in said.source:
        return Path(said.source).read_text("utf-8"), said.url
    here = shop_of(said.shop, site=said.source, start=["/"]).trusted  # this machine, if its address was typed
    ports = (80, 443, *(int(one.rpartition(":")[2]) for one in here))
    got = ask(said.source, rules=FetchRules(contact=said.contact, allow_private=here, ports=ports))
    said.status = got.status
    return got.body.decode("utf-8", "replace"), got.url


def read(said: argparse.Namespace, text: str, url: str) -> dict[str, Any]:
    """The page as plain data, or what is wrong with it."""
    reader = reader_of(said.shop)
    try:
        judge(said.status, text, url)
        if said.kind == "verdict":
            return {"page": {}}
        return {"page": as_plain(getattr(reader, f"read_{said.kind}")(text, url))}
    except PageError as wrong:
        print(wrong, file=sys.stderr)
        return {"error": {"type": type(wrong).__name__, "reason": wrong.reason}}


def reader_of(shop: str) -> Any:
    """The module that reads a shop's pages."""
    folder = ROOT / "scrapers" / "shops" / "pages"
    readers = sorted(file.stem for file in folder.glob("*.py") if "def read_listing" in file.read_text("utf-8"))
    if shop not in readers:
        sys.exit(f"save_page: no reader {shop!r} in {folder}; there are {', '.join(readers)}")
    return importlib.import_module(f"shops.pages.{shop}")


def save(folder: Path, text: str, told: dict[str, Any]) -> None:
    """Write a new case."""
    ending = "json" if text.lstrip()[:1] in {"{", "["} else "html"
    with files.new_folder(folder) as draft:
        files.write_text(draft / f"page.{ending}", text)
        files.write_text(draft / "product.json", json.dumps(told, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
