"""Whether an answer is a page at all: a refusal, a challenge, a page that is gone, half of one, or one to read.

In: the status, text and address of an answer. Out: nothing, where it may be read; else BlockedError, GoneError or
PageError. Never: reads products, or takes a word of a real page ("captcha") for a challenge.
"""

import json
import re
from typing import Final

from shops.pages.page import BlockedError, GoneError, PageError

REFUSED: Final = frozenset({401, 403, 407, 429, 451})
GONE: Final = frozenset({404, 410})
READ: Final = frozenset({200, 203, 400})  # a shop is known to send whole pages with 400
WHOLE: Final = READ - {400}
FEWEST = 250  # characters of an HTML page; a shop's are a hundred times as long
LONGEST_CHALLENGE = 100_000  # characters
LONGEST_QUESTION = 10_000  # characters of a page that is no more than a box to tick; a shop may have one to sign in

# What stands in challenges only. The same makers' watching scripts are on every page of the shops that they protect.
_CHALLENGE: Final = re.compile(
    r"_cf_chl_opt|cf-chl-|cdn-cgi/challenge-platform/h/|just a moment\.\.\.|attention required! \| cloudflare"
    r"|px-captcha|press &amp; hold|press & hold|captcha-delivery\.com|sec-if-cpt|ak-challenge|bm-verify|/_sec/"
    r"|errors\.edgesuite\.net|_incapsula_resource|incapsula incident|awswafcookiedomainlist"
    r"|are you (?:a )?(?:human|robot)|verify (?:that )?you are (?:a )?human|unusual traffic"
    r"|pardon our interruption|access (?:to this page has been )?denied",
    re.IGNORECASE,
)
_QUESTION: Final = re.compile(
    r"validatecaptcha|captchacharacters|<iframe[^>]{0,500}captcha|id=[\"']?(?:captcha|challenge)[\"'\s>-]"
    r"|class=[\"']?(?:g-recaptcha|h-captcha|cf-turnstile)",
    re.IGNORECASE,
)
_PRODUCTS: Final = re.compile(
    r"window\.__INITIAL_STATE__\s*=\s*\{|id=[\"']?__NEXT_DATA__|__HYDRATION_STATE__|__initialState"
    r"|itemprop=[\"']?(?:price|sku)\b|id=[\"']?(?:prdImage|thumbnailsList)\b"
    r"|href=[\"']?[^\"'\s>]{0,500}?(?:/product/\d|-item-\d)|\"(?:listingItems|listingPagination|productViewModel|products)\"\s*:",
    re.IGNORECASE,
)
_CLOSED: Final = re.compile(r"</html\s*>", re.IGNORECASE)
_SAVE = "Save it with scripts/save_page.py, then mend"


def judge(status: int, text: str, url: str) -> None:
    """Nothing for a page to read. Raises BlockedError, GoneError, or PageError("status_500", "half_page")."""
    if status in REFUSED:
        raise BlockedError(f"status_{status}", f"{url}: the shop refuses (HTTP {status})")
    if is_challenge(text):
        raise BlockedError("challenge", f"{url}: a challenge instead of a page (HTTP {status}). {_or_a_page()}")
    if status in GONE:
        raise GoneError(f"status_{status}", f"{url}: the shop says that this page is gone (HTTP {status})")
    if status not in READ:
        raise PageError(f"status_{status}", f"{url}: HTTP {status} instead of a page. Ask for it again later")
    _whole(status, text, url)


def is_challenge(text: str) -> bool:
    """Whether this asks who reads instead of telling of products."""
    asks = len(text) <= LONGEST_CHALLENGE and _CHALLENGE.search(text)
    asks = asks or (len(text) <= LONGEST_QUESTION and _QUESTION.search(text))
    return bool(asks) and not _PRODUCTS.search(text)


def breaks_off(text: str) -> bool:
    """Whether a page of HTML or JSON lacks its end."""
    body = text.strip()
    if body[:1] in {"{", "["}:
        return not _is_json(body)
    return not _CLOSED.search(body)


def _whole(status: int, text: str, url: str) -> None:
    body = text.strip()
    if body[:1] in {"{", "["}:
        if breaks_off(body):
            raise PageError("half_page", f"{url}: the JSON breaks off after {len(body)} characters. {_again()}")
    elif len(body) < FEWEST and not _PRODUCTS.search(body):
        if status not in WHOLE:
            raise PageError(f"status_{status}", f"{url}: HTTP {status} instead of a page. Ask for it again later")
        raise BlockedError("too_short", f"{url}: only {len(body)} characters, too few for a page. {_or_a_page()}")
    elif breaks_off(body):
        raise PageError("half_page", f"{url}: no </html>, the page breaks off after {len(body)} characters. {_again()}")


def _is_json(body: str) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def _or_a_page() -> str:
    return f"If it is a page: save it with scripts/save_page.py, then mend {__file__}"


def _again() -> str:
    return f"Ask for it again. {_SAVE} {__file__} if it is whole in a browser"
