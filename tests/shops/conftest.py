"""Saved pages: tests/pages/<shop>/<case>/ holds a page as it came, and what is to be read of it.

product.json = {"url", "status", "kind": "listing" | "product" | "verdict", and "page": {...} or "error": {"type", "reason"}}
A page is judged first, as a spider does; of kind "verdict" that is all. What is empty is left out of "page".
"""

import importlib
import json
from pathlib import Path

import pytest

from shops.pages.page import PageError, as_plain
from shops.pages.verdict import judge

PAGES = Path(__file__).parents[1] / "pages"


def pytest_generate_tests(metafunc):
    """A test that asks for `case` in test_<shop>.py gets each of the shop's saved pages."""
    if "case" in metafunc.fixturenames:
        shop = metafunc.module.__name__.rpartition("test_")[2]
        folders = sorted(one for one in (PAGES / shop).iterdir() if one.is_dir())
        metafunc.parametrize("case", folders, ids=[one.name for one in folders])


@pytest.fixture
def saved():
    """The text of a saved page, and all that product.json says: `saved(case)`."""

    def told(case):
        page = next(case.glob("page.*"))
        return page.read_text("utf-8"), json.loads((case / "product.json").read_text("utf-8"))

    return told


@pytest.fixture
def read_case(saved):
    """What is read of a saved page now, in the words of product.json: `read_case(case)`."""

    def read(case):
        text, told = saved(case)
        asked = {name: told[name] for name in ("url", "status", "kind")}
        try:
            judge(told["status"], text, told["url"])
            page = _page(case.parent.name, told["kind"], text, told["url"])
        except PageError as wrong:
            return asked | {"error": {"type": type(wrong).__name__, "reason": wrong.reason}}
        return asked | {"page": page}

    return read


def _page(shop, kind, text, url):
    if kind == "verdict":
        return {}
    page = getattr(importlib.import_module(f"shops.pages.{shop}"), f"read_{kind}")(text, url)
    assert page.state in text or isinstance(json.loads(page.state), dict)  # it may have stood inside a JSON string
    return as_plain(page)
