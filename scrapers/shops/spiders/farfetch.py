"""Farfetch: where its pages are read. How a walk goes is in shops.walk."""

from typing import ClassVar

from shops.pages import farfetch
from shops.walk import Walk


class Farfetch(Walk):
    """Walks the listings of configs/shop/farfetch.yaml."""

    name = "farfetch"
    asks_permission = True
    headers: ClassVar[dict[str, str]] = {"Accept": "application/json, text/html", "Accept-Language": "en"}
    pages = farfetch
