"""Zappos: where its pages are read. How a walk goes is in shops.walk."""

from shops.pages import zappos
from shops.walk import Walk


class Zappos(Walk):
    """Walks the listings of configs/shop/zappos.yaml."""

    name = "zappos"
    pages = zappos
