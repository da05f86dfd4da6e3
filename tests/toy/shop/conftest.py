"""What the shop's tests share: a small shelf, pictures that are drawn once, and a way to ask."""

import http.client
from contextlib import ExitStack, closing
from urllib.parse import urlsplit

import pytest

from lookalike.toy.shop.serve import serving
from lookalike.toy.shop.stock import stock


@pytest.fixture(scope="session")
def shelf():
    """24 products with 3 photos of 32 x 32 pixels each, 10 on a page: `shelf(day=1)` is the next day."""

    def on(**said):
        small = {
            "products": 24,
            "views": 3,
            "size": 32,
            "per_page": 10,
            "seed": 3,
            "added": 5,
            "gone": 2,
            "repriced": 4,
        }
        return stock(**small | said)

    return on


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """Where pictures are kept, for all of these tests."""
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture
def opened(shelf, drawn):
    """Open shops: `opened(fault=Fault(...))`. They are closed after the test."""
    with ExitStack() as every:
        yield lambda on=None, **said: every.enter_context(serving(on or shelf(), **{"pictures": drawn} | said))


@pytest.fixture(scope="session")
def get():
    """Ask a shop: `get(shop, "/p/toy-00000-0")` answers the response, read, with its bytes as `body`."""

    def ask(shop, path, method="GET"):
        with closing(http.client.HTTPConnection(urlsplit(shop.site).netloc, timeout=20)) as line:
            line.request(method, path)
            said = line.getresponse()
            said.body = said.read()
            return said

    return ask
