"""A shop to be walked, as its YAML under configs/shop/ says it.

In: what the YAML says. Out: a Shop, or a ConfigError that says what is wrong with it. Never: asks the network, or lets a
walk begin at another site than the one that was named.

The spiders are the modules of shops.spiders: a new one there is a new shop, with no table to be told.
"""

import pkgutil
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from lookalike.catalog.addresses import FetchError, FetchRules, Place, place_of, shown
from lookalike.catalog.crawl import Step
from lookalike.settings import ConfigError

SPIDERS = Path(__file__).parent / "spiders"
FORBID = ("farfetch.com",)  # robots without written consent, by their terms; and so does all below these

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Shop:
    """Where a walk begins, and where it may go."""

    name: str  # of its spider
    site: str  # "https://www.zappos.com"
    place: Place  # the site, taken apart
    start: tuple[str, ...]  # full addresses of the first pages of listings, all of them at the site
    hosts: tuple[str, ...]  # the only ones that are asked for a page or a picture; "*.shop.example" is all below one
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
        """This very machine, as host:port, where the user named it as the site, and then nothing else is asked at all."""
        return (self.place.netloc,) if _is_here(self.place.host) else ()

    @property
    def asked(self) -> tuple[str, ...]:
        """All that a walk may ask, and no other crawl meanwhile: a port of this machine, or hosts."""
        return self.trusted or self.hosts

    @property
    def forbidding(self) -> tuple[str, ...]:
        """Those of its hosts that forbid robots without written consent, whatever the spider."""
        return tuple(host for host in self.hosts if any(_may_be(host, whose) for whose in FORBID))


def names() -> list[str]:
    """The shops that have a spider."""
    return sorted(one.name for one in pkgutil.iter_modules([str(SPIDERS)]))


def shop(name: str, /, *, site: str, start: Sequence[str], hosts: Sequence[str] = (), permission: str = "") -> Shop:
    """A shop. `start`: first pages of listings, at `site`; `hosts`: where its pictures come from, beside the site.

    hosts: left out where the site is on this machine: a copy of a shop must not lead to the shop itself.
    permission: your own statement that the shop allows this, where its terms ask for one; it is kept in the crawl's record.
    """
    place = _place(site, f"shop.site is {shown(site)!r}", "give an address such as https://www.shop.example")
    if not start:
        raise ConfigError(
            "shop.start is empty; give the first page of a listing, such as shop.start=[/women-boots.zso]"
        )
    plain = place.url.partition("?")[0].rstrip("/")
    others = [] if _is_here(place.host) else map(_host, hosts)
    return Shop(
        name=name,
        site=plain,
        place=place,
        start=tuple(_start(one, plain, place) for one in start),
        hosts=tuple(dict.fromkeys((place.host, *others))),
        permission=permission.strip(),
    )


def _start(given: str, site: str, place: Place) -> str:
    """The full address of a page of the site, given as such or as the site's own path."""
    address = given.strip()
    address = address if _ADDRESS.match(address) else f"{site}/{address.lstrip('/')}"
    found = _place(address, f"shop.start holds {shown(given)!r}", "give a path such as /women-boots.zso")
    if (found.scheme, found.netloc) != (place.scheme, place.netloc):
        raise ConfigError(
            f"shop.start holds {shown(given)!r}, which is not at shop.site={site}; give a path of that site, or another site"
        )
    return found.url


def _host(given: str) -> str:
    """A name among `hosts` as an address's host is compared with it."""
    name = given.strip().removeprefix("*.")
    place = _place(
        f"https://{name}", f"shop.hosts holds {shown(given)!r}", "give names alone, such as images.shop.example"
    )
    if place.url != f"https://{place.host}/":
        raise ConfigError(
            f"shop.hosts holds {shown(given)!r}, which is more than a name; give names alone, such as images.shop.example"
        )
    return f"*.{place.host}" if given.strip().startswith("*.") else place.host


def _place(address: str, said: str, mend: str) -> Place:
    try:
        return place_of(
            address, FetchRules(ports=tuple(range(2**16)))
        )  # which of them may be asked is the crawl's to say
    except FetchError as wrong:
        raise ConfigError(f"{said}, which cannot be used: {wrong}; {mend}") from None


def _may_be(host: str, whose: str) -> bool:
    """Whether a name, or one that "*." stands for, is this domain or below it."""
    name = host.removeprefix("*.")
    return f".{name}".endswith(f".{whose}") or (host != name and f".{whose}".endswith(f".{name}"))


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
