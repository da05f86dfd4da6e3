"""Plain: where its pages are read. How a walk goes is in shops.walk."""

from shops.pages import plain
from shops.walk import Walk


class Plain(Walk):
    """Walks the listings of configs/shop/plain.yaml."""

    name = "plain"
    pages = plain
