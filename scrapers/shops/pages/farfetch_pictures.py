"""The pictures of a Farfetch product: each image once, in its largest size. Pure.

In: Sources. Out: pictures. Never: tells two images apart by anything but their names.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from lookalike.catalog.clean import web_address
from shops.pages.farfetch_places import Source
from shops.pages.found import absolute
from shops.pages.page import Picture
from shops.pages.state import at, inside

SIZES: Final = ("zoom", "large", "600", "medium", "small", "thumbnail", "url", "contentUrl")  # the largest first

_NAMED = re.compile(r"/([0-9]+_[^/]+)_([0-9]{1,9})\.\w+$")  # <product>_<image>_<size>.jpg; some images are UUIDs


def pictures_of(sources: list[Source], url: str) -> tuple[tuple[Picture, ...], str]:
    """The pictures of the first source that shows any, each image once in its largest size, and the place that did."""
    for source in sources:
        shown = list(_shown(source, url))
        if shown:
            return tuple(_each_once((address, view) for _, address, view in shown)), f"{source.name}: {shown[0][0]}"
    return (), ""


def _shown(source: Source, url: str) -> Iterator[tuple[str, str, str]]:
    """Place, address and view of each picture; the view is "" but where the shop has a name: `images.cutOut`."""
    for path, entries in source.seen("pictures"):
        named = path.startswith("images.") and not path.endswith("[]")
        for entry in entries:
            if address := _largest(entry, url):
                yield path, address, path.removeprefix("images.").lower() if named else ""


def _each_once(shown: Iterable[tuple[str, str]]) -> Iterator[Picture]:
    images: dict[str, tuple[str, str]] = {}
    for address, view in shown:
        before, named = images.get(_image(address)[0], (address, ""))
        images[_image(address)[0]] = max(before, address, key=_size), named or view
    for place, (address, view) in enumerate(images.values(), start=1):
        yield Picture(url=address, view=view or f"view{place}")


def _largest(entry: Any, url: str) -> str:
    """The address of the largest size of one picture, "" where there is none."""
    sized = [entry, *(at(entry, size) for size in SIZES), *(at(inner, "url") for inner in inside(entry))]
    addresses = (web_address(absolute(one, url)) for one in sized if isinstance(one, str))
    return max(filter(None, addresses), key=_size, default="")


def _image(address: str) -> tuple[str, int]:
    """Which image an address shows, and in which size. Of another form: the address itself, and 0."""
    named = _NAMED.search(unquote(urlsplit(address).path))
    return (named[1], int(named[2])) if named else (address, 0)


def _size(address: str) -> int:
    return _image(address)[1]
