"""The JSON that shops put into their pages: found, cut out exactly, and looked into without trust.

In: the text of a page. Out: the JSON text as it came, its value, and what stands at a place in it. Never: runs a
script, guesses where JSON ends (its own grammar says so), or raises anything but PageError.
"""

import json
import re
from collections import deque
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final

from shops.pages.page import PageError

_DECODER: Final = json.JSONDecoder()
_ASSIGNED = r"\s*=\s*(?:JSON\.parse\(\s*)?(?=[{\[\"])"  # what follows a name that JSON is assigned to
Places = dict[str, tuple[str, ...]]  # field -> paths as in `along`, where the first that says something counts
SHOWN = 40  # characters of a place that a message shows
MOST_WALKED = 1_000_000  # values of a state that are looked at
LONGEST_COUNT = 9  # digits


def raw_state(text: str, mark: str) -> str:
    """The JSON text that follows `window.__INITIAL_STATE__ =`, exactly as it came; "" where no JSON follows the mark.

    mark: the name that it is assigned to, with or without its "=". Raises PageError("half_page") where it breaks off.
    """
    name = mark.rstrip().removesuffix("=").rstrip()
    found = re.search(re.escape(name) + _ASSIGNED, text) or re.search(re.escape(name) + r"\s*=\s*$", text)
    return _cut(text, found.end(), name) if found else ""


def script_json(text: str, name: str) -> str:
    """The JSON text of `<script id="name">`, exactly as it came; "" where there is no such script, or it is empty.

    Raises PageError("half_page") where it breaks off.
    """
    found = re.search(rf"<script\b[^<>]*\sid=[\"']?{re.escape(name)}(?=[\"'\s>])[^<>]*>?\s*", text)
    return "" if found is None or text.startswith("</", found.end()) else _cut(text, found.end(), name)


def _cut(text: str, start: int, what: str) -> str:
    try:
        return text[start : _DECODER.raw_decode(text, start)[1]]
    except (ValueError, RecursionError) as wrong:
        raise _half(what, wrong) from None


def loaded(text: str, what: str) -> Any:
    """The value of JSON text. what: for the message. Raises PageError("half_page") where it breaks off."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as wrong:
        raise _half(what, wrong) from None


def _half(what: str, wrong: Exception) -> PageError:
    told = str(wrong)[: 3 * SHOWN]
    mend = "Ask for the page again; if it stays so, save it with scripts/save_page.py, then mend its reader"
    return PageError("half_page", f"the JSON of {what} breaks off ({told}). {mend}")


def at(value: Any, *path: str | int) -> Any:
    """What stands at a path of keys and positions; None where a step is absent, or of another type."""
    for step in path:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, dict) else None
        else:
            value = value[step] if isinstance(value, list) and -len(value) <= step < len(value) else None
    return value


def said(value: Any, *path: str | int) -> str:
    """The text or number at a path, as text; "" for anything else, also for true and false.

    A number with three decimals is written with four: "123.125" is read as thousands, as texts mean it so.
    """
    found = at(value, *path)
    if not isinstance(found, str | int | float) or isinstance(found, bool):
        return ""
    return f"{found}0" if isinstance(found, float) and re.fullmatch(r"\d+\.\d{3}", str(found)) else str(found)


def count(value: Any, *path: str | int) -> int | None:
    """The whole number at a path, also where it is written as text; None for anything else."""
    given = said(value, *path)
    return int(given) if given.isascii() and given.isdigit() and len(given) <= LONGEST_COUNT else None


def several(value: Any, *path: str | int) -> list[Any]:
    """The list at a path; an empty one for anything else."""
    found = at(value, *path)
    return found if isinstance(found, list) else []


def is_true(value: Any, *path: str | int) -> bool:
    """Whether true stands at a path, as a truth or as the word."""
    found = at(value, *path)
    return found is True or (isinstance(found, str) and found.casefold() == "true")


def from_cents(value: Any, *path: str | int) -> str:
    """A whole number of cents at a path as an amount: 13999 is "139.99"; "" for anything else."""
    found = at(value, *path)
    return str(Decimal(found).scaleb(-2)) if isinstance(found, int) and not isinstance(found, bool) else ""


def inside(value: Any) -> list[Any]:
    """What a list or an object holds; nothing for anything else."""
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def along(value: Any, path: str, step: Callable[[Any, str], Any] = at) -> list[Any]:
    """What stands at a path: "brand.name" is one value, "sizes.available[].quantity" one of everything that is there."""
    found = [value]
    for part in path.split("."):
        found = [step(one, part.removesuffix("[]")) for one in found]
        if part.endswith("[]"):
            found = [item for one in found for item in inside(one)]
    return found


def walked(value: Any) -> Iterator[Any]:
    """A value and every one inside it, the least deep first."""
    waiting = deque([value])
    for _ in range(MOST_WALKED):
        if not waiting:
            return
        one = waiting.popleft()
        yield one
        waiting.extend(inside(one))
