"""Which addresses may be fetched: a URL that a stranger wrote, taken apart and checked against the rules. Pure.

In: a URL and the rules. Out: where it leads, or a FetchError. Never: asks for a name, or opens a connection.

An address that two programs may read differently is refused: the one that is checked must be the one that is used.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

from lookalike.catalog.product import RowError
from lookalike.settings import ConfigError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

PORTS: Final = {"http": 80, "https": 443}
LONGEST: Final = 8_000  # characters of a URL
SHOWN: Final = 200  # characters of it in a message
SAFE_IN_TARGET: Final = "!$%&'()*+,/:;=?@[]~|^{}`\"<>"  # quoted is only what cannot stand in a request line

_TRUST = "if you trust it, put {} into allow_private"
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NETLOC = re.compile(r"[^\[\]]*|\[[0-9A-Fa-f:.]+\](:[0-9]*)?")  # brackets only round an IPv6 address, and all of it
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")  # a last label like this makes the whole host a number to some resolvers
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\]")
_USER = re.compile(r"^([a-z][a-z0-9+.-]*:[/\\]*)?[^/\\?#]*@", re.IGNORECASE)

# What the standard library takes for global, and is not somebody's host: old relays, and reserved for protocols.
_OF_NOBODY: Final = ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2002::/16", "3fff::/20")
_NOBODYS: Final = tuple(map(ipaddress.ip_network, _OF_NOBODY))
_UNICAST: Final = ipaddress.ip_network("2000::/3")  # all of IPv6 that is given to hosts of the public internet
_V4_INSIDE: Final = tuple(map(ipaddress.ip_network, ("::ffff:0:0/96", "64:ff9b::/96")))  # mapped, and behind NAT64


class FetchError(RowError):
    """This address was not fetched. `reason` is one of:

    bad_url             not an address, or one that two programs may read differently
    scheme              neither http nor https
    credentials         a user name or a password in it
    port, host          not among those that the rules allow
    not_public          a host that is not, or not only, on the public internet
    unreachable         no name, no way, or nobody there
    not_safe            no TLS, or not with a certificate for that name
    too_slow, too_big   more seconds or bytes than the rules allow
    too_many_redirects  more of them than the rules allow
    downgrade           a redirect from https to http
    status              an answer other than 200
    encoding            packed, which was not asked for
    cut_short           fewer bytes than promised
    bad_answer          not HTTP
    bad_header          one to be sent that cannot be, or that is not the caller's to set
    """


@dataclass(frozen=True, kw_only=True)
class FetchRules:
    """What may be fetched."""

    schemes: tuple[str, ...] = ("https", "http")
    ports: tuple[int, ...] = (80, 443)
    hosts: tuple[str, ...] = ()  # only these, "*.shop.example" for all below one; empty: any public host
    allow_private: tuple[str, ...] = ()  # "host:port" that is trusted wherever it is: an intranet's feed, a test
    max_bytes: int = 20_000_000
    max_seconds: float = 30.0  # for all of it: names, redirects, and the last byte
    max_redirects: int = 3
    contact: str = ""  # whom a shop may write to: an address or a page, sent with every request

    def __post_init__(self) -> None:
        if not self.contact.isascii() or not self.contact.isprintable():
            raise ConfigError(
                f"contact is {self.contact!r}; give one line of plain ASCII, such as mailto:you@shop.example"
            )

    @property
    def agent(self) -> str:
        """How a request calls itself."""
        return f"lookalike/0.1 (+{self.contact})" if self.contact else "lookalike/0.1"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a URL leads, taken apart and checked, all but the addresses of its host."""

    scheme: str
    host: str  # lower case, ASCII, without a trailing dot; an IPv6 address without its brackets
    port: int
    target: str  # path and query, fit for a request line

    @property
    def netloc(self) -> str:
        """Host and port, as `allow_private` names a place."""
        return f"{self.bracketed}:{self.port}"

    @property
    def bracketed(self) -> str:
        """The host as a URL writes it."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def shown_host(self) -> str:
        """The host as a request names it: with the port only where it is not the scheme's own."""
        return self.bracketed if self.port == PORTS[self.scheme] else self.netloc

    @property
    def url(self) -> str:
        """The whole address, in its plainest form."""
        return f"{self.scheme}://{self.shown_host}{self.target}"


def place_of(url: str, rules: FetchRules) -> Place:
    """Take a URL apart; refuse one that is not plain, or that the rules do not allow."""
    parts, port = _parts(url.strip())
    if parts.scheme not in PORTS or parts.scheme not in rules.schemes:
        raise FetchError("scheme", f"only {' and '.join(rules.schemes)} addresses are fetched")
    if "@" in parts.netloc:
        raise FetchError("credentials", "holds a user name or a password, and none is ever sent; leave it out")
    place = Place(
        scheme=parts.scheme,
        host=_host(parts.hostname or ""),
        port=PORTS[parts.scheme] if port is None else port,
        target=_target(parts),
    )
    _check_rules(place, rules)
    return place


def check_public(place: Place, addresses: Iterable[str], rules: FetchRules) -> None:
    """Refuse a place of which one address is not public, as any of them might be the one used."""
    inside = next((address for address in addresses if not is_public(address)), None)
    if inside and not _is_trusted(place, rules):
        told = f"{place.host} is {inside}, not a host of the public internet"
        raise FetchError("not_public", f"{told}; {_TRUST.format(place.netloc)}")


def is_public(address: str) -> bool:
    """Whether an IP address is a host's on the public internet: not of this machine, of its networks, or of nobody."""
    ip: Address = ipaddress.ip_address(address)
    if any(ip in network for network in _V4_INSIDE):
        ip = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    if any(ip in network for network in _NOBODYS):
        return False
    return ip.is_global and not ip.is_multicast and (ip.version == 4 or ip in _UNICAST)


def shown(url: str) -> str:
    """A URL as a message may show it: one line, not endless, and without a password."""
    plain = _USER.sub(r"\1***@", url.strip())
    return "".join(sign if sign.isprintable() else "?" for sign in plain[:SHOWN])


def _parts(url: str) -> tuple[SplitResult, int | None]:
    if len(url) > LONGEST:
        raise FetchError("bad_url", f"has {len(url)} characters, more than {LONGEST}")
    if _UNSAFE.search(url):
        raise FetchError("bad_url", "holds a control character or a backslash")
    try:
        parts = urlsplit(url)
        port = parts.port
        if not _NETLOC.fullmatch(parts.netloc):
            raise ValueError
    except ValueError:  # its text may repeat a password
        raise FetchError("bad_url", "is not a well-formed address") from None
    return parts, port


def _target(parts: SplitResult) -> str:
    query = f"?{parts.query}" if parts.query else ""
    return quote(f"{parts.path or '/'}{query}", safe=SAFE_IN_TARGET)


def _host(given: str) -> str:
    """The host in ASCII, or a plain IP address."""
    if ":" in given:
        return _number(given)
    try:
        host = given.encode("idna").decode().lower().removesuffix(".")
    except UnicodeError:
        raise FetchError("bad_url", f"{given!r} is no host name") from None
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _number(host)
    if len(host) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise FetchError("bad_url", f"{given!r} is no host name")
    return host


def _number(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise FetchError("bad_url", f"{host!r} is not a plain IP address") from None
    if "%" in host:
        raise FetchError("bad_url", f"{host!r} names an interface of this machine")
    return str(address)


def _check_rules(place: Place, rules: FetchRules) -> None:
    if _is_trusted(place, rules):
        return
    if place.port not in rules.ports:
        ports = ", ".join(map(str, rules.ports))
        raise FetchError("port", f"port {place.port} is not among {ports}; {_TRUST.format(place.netloc)}")
    if rules.hosts and not any(_matches(place.host, name.lower()) for name in rules.hosts):
        raise FetchError(
            "host", f"{place.host} is not among the hosts allowed: {', '.join(rules.hosts)}; add it to hosts"
        )


def _is_trusted(place: Place, rules: FetchRules) -> bool:
    return place.netloc in map(str.lower, rules.allow_private)


def _matches(host: str, allowed: str) -> bool:
    return host.endswith(allowed[1:]) if allowed.startswith("*.") else host == allowed
