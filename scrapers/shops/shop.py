"""A shop to be walked, as its YAML under configs/shop/ says it.

In: what the YAML says. Out: a Shop, or a ConfigError that says what is wrong with it. Never: asks the network.

The spiders are the modules of shops.spiders: a new one there is a new shop, with no table to be told.
"""

import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from lookalike.catalog.crawl import Step
from lookalike.settings import ConfigError

SPIDERS = Path(__file__).parent / "spiders"
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True)
class Shop:
    """Where a walk begins, and where it may go."""

    name: str  # of its spider
    site: str  # "https://www.zappos.com"
    start: tuple[str, ...]  # full addresses of the first pages of listings
    hosts: tuple[str, ...]  # the only ones that are asked for a page or a picture
    permission: str = ""  # what the user states about being allowed to

    @property
    def scope(self) -> str:
        """The part of the shop that is walked, for the record."""
        return " ".join(self.start)

    @property
    def steps(self) -> list[Step]:
        """The pages that a walk begins with."""
        return [Step(kind="listing", key=address, url=address) for address in self.start]

    @property
    def trusted(self) -> tuple[str, ...]:
        """This very machine, as host:port, where the user named it as the site; nothing else that is not public."""
        parts = urlsplit(self.site)
        return (f"{parts.hostname}:{parts.port or PORTS[parts.scheme]}",) if _is_here(parts.hostname or "") else ()


def names() -> list[str]:
    """The shops that have a spider."""
    return sorted(one.name for one in pkgutil.iter_modules([str(SPIDERS)]))


def shop(name: str, /, *, site: str, start: Sequence[str], hosts: Sequence[str] = (), permission: str = "") -> Shop:
    """A shop. `start`: first pages of listings, beneath `site`; `hosts`: where its pictures come from, beside the site.

    permission: your own statement that the shop allows this, where its terms ask for one; it is kept in the crawl's record.
    """
    parts = urlsplit(site)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ConfigError(f"shop.site is {site!r}; give an address such as https://www.shop.example")
    if not start:
        raise ConfigError(
            "shop.start is empty; give the first page of a listing, such as shop.start=[/women-boots.zso]"
        )
    return Shop(
        name=name,
        site=site.rstrip("/"),
        start=tuple(urljoin(f"{site.rstrip('/')}/", one.lstrip("/")) for one in start),
        hosts=(parts.hostname, *hosts),
        permission=permission.strip(),
    )


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
