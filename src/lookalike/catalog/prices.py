"""Prices in any notation, as an amount and an ISO 4217 currency. Pure.

In: the text of a source. Out: `Price`. Never: guesses: what the text does not tell is None or "".

Of a range ("$120 - $150") the lower end counts. "Free" is 0. Below zero is no price. Of two kinds of marks the last
one divides the decimals. One mark with exactly three digits behind it ("1.200", "1,200") groups thousands, as prices
have two decimals or none; not so behind a leading zero ("0.125"), nor in the currencies that have three decimals.

A sign that several currencies share means the one said elsewhere, if that is one of them. Else "$" is US dollars, "£"
pounds sterling, "¥" yen, "Rs" Indian rupees, and "kr" is not known. A sign that one currency alone has wins over what
is said elsewhere.
"""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

LONGEST = 100  # characters; no price is longer, and the patterns below stay quick

_CODES = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP
CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR
ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT
MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD
SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND
VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG
"""
ISO_4217: Final = frozenset(_CODES.split())
_THREE_DECIMALS: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})

_SIGNS_OF = {  # what signs may stand for, the usual meaning first; "?" where none is usual
    "USD CAD AUD NZD HKD SGD TWD MXN ARS CLP COP UYU JMD TTD BBD BSD FJD": "$",
    "GBP EGP GIP FKP SHP LBP SYP": "£",
    "JPY CNY": "¥",
    "INR PKR LKR NPR MUR": "rs rs.",
    "? SEK NOK DKK ISK": "kr kr.",
    "KRW KPW": "₩",
    "RON MDL": "lei",
    "AED MAD": "dh",
    "USD": "us$ u$s",
    "CAD": "c$ ca$ cad$ cdn$",
    "AUD": "a$ au$ aud$",
    "NZD": "nz$",
    "HKD": "hk$",
    "SGD": "s$ sg$",
    "TWD": "nt$",
    "MXN": "mx$",
    "BRL": "r$",
    "EUR": "€",
    "JPY": "円 jp¥",
    "CNY": "元 cn¥ rmb",
    "INR": "₹",
    "CHF": "fr. sfr sfr.",
    "PLN": "zł",
    "CZK": "kč",
    "HUF": "ft",
    "BGN": "лв лв.",
    "RUB": "₽ руб руб. р.",
    "UAH": "₴ грн",
    "TRY": "₺ tl",
    "ILS": "₪",
    "THB": "฿",
    "VND": "₫",
    "PHP": "₱",
    "NGN": "₦",
    "KZT": "₸",
    "GEL": "₾",
    "ZAR": "r",
    "MYR": "rm",
    "IDR": "rp rp.",
    "AED": "dhs",
}
_MEANINGS: Final = {
    **{code.casefold(): (code,) for code in ISO_4217},
    **{
        sign: tuple(one.strip("?") for one in told.split())
        for told, signs in _SIGNS_OF.items()
        for sign in signs.split()
    },
}


def _sign_pattern(sign: str) -> str:
    """A sign made of letters stands alone ("kr", never the "kr" of "Okra"); "US $" is "US$"."""
    written = re.escape(sign).replace(r"\$", r" ?\$") if len(sign) > 1 else re.escape(sign)
    before = r"(?<![^\W\d_])" if sign[0].isalpha() else ""
    after = r"(?![^\W\d_])" if sign[-1].isalpha() else ""
    return before + written + after


_ANY_SIGN = "|".join(_sign_pattern(sign) for sign in sorted(_MEANINGS, key=len, reverse=True))
_SIGN = re.compile(rf"(?![\d., -])(?:{_ANY_SIGN})", re.IGNORECASE)  # most of a price is digits: those are passed by
_FIGURE = r"(\d(?:[\d.,' ]*\d)?|[.,]\d+)(?:[.,:]-+|[.,])?"  # "1.200,50", ".99", and the dash of "1'200.-"
_SIGNED = rf"\s*(?:¤\s*)*{_FIGURE}\s*(?:¤\s*)*"  # signs, as ¤, before or behind or both: "$99 CAD"
_PRICE = re.compile(rf"(?:(?:from|now|only|price|ab|dès)\b:?)?{_SIGNED}(?:(?:-|to|bis){_SIGNED})?", re.IGNORECASE)
_GROUPED = tuple(
    re.compile(rf"({groups})(?:{decimal}(\d{{1,4}}))?")
    for groups, decimal in (
        (r"[1-9]\d{0,2}(?:,\d{3}){1,4}", r"\."),
        (r"[1-9]\d?(?:,\d{2}){1,4},\d{3}", r"\."),  # Indian: 1,20,000.00
        (r"[1-9]\d{0,2}(?:\.\d{3}){1,4}", ","),
        (r"[1-9]\d{0,2}(?: \d{3}){1,4}", "[.,]"),
        (r"[1-9]\d{0,2}(?:'\d{3}){1,4}", "[.,]"),
    )
)
_PLAIN = re.compile(r"(\d{0,12})(?:[.,](\d{1,4}))?")
_ONE_MARK = re.compile(r"\d+[.,]\d{3}")
_TYPOGRAPHY = str.maketrans({**dict.fromkeys("−–—‒‐‑", "-"), **dict.fromkeys("’‘ʼ´`", "'"), "٫": ".", "٬": ","})
_FREE: Final = frozenset({"free", "gratis", "kostenlos", "gratuit"})


@dataclass(frozen=True)
class Price:
    """What a product costs. `amount` is None where the text tells none; `currency` is ISO 4217, "" where not said."""

    amount: Decimal | None
    currency: str = ""


def price(given: str, currency: str = "") -> Price:
    """Read one line of plain text as a price; `currency` is what the source says elsewhere, a column for instance."""
    told = iso_currency(currency)
    written = " ".join(unicodedata.normalize("NFKC", given).translate(_TYPOGRAPHY).split())
    if written.casefold() in _FREE:
        return Price(Decimal(0), told)
    if len(written) > LONGEST:
        return Price(None, told)
    meant = _meant([_meanings(sign) for sign in _SIGN.findall(written)], told)
    found = _PRICE.fullmatch(_SIGN.sub("¤", written))
    if found is None or meant is None:
        return Price(None, told)
    amounts = [_amount(figure, meant) for figure in found.groups() if figure]
    read = [amount for amount in amounts if amount is not None]
    return Price(min(read), meant) if len(read) == len(amounts) else Price(None, told)


def iso_currency(given: str) -> str:
    """The ISO 4217 code that a code or a sign means; "" for what is neither, and for a sign without a usual meaning."""
    return _meanings(unicodedata.normalize("NFKC", given).strip())[0]


def _meanings(sign: str) -> tuple[str, ...]:
    return _MEANINGS.get(sign.replace(" ", "").casefold(), ("",))


def _meant(signs: list[tuple[str, ...]], told: str) -> str | None:
    """The currency that all signs agree on, `told` if it is among those left; None where they contradict each other."""
    if not signs:
        return told
    agreed = [currency for currency in signs[0] if all(currency in others for others in signs)]
    if not agreed:
        return None
    return told if told in agreed else agreed[0]


def _amount(figure: str, currency: str) -> Decimal | None:
    """The number that digits and marks stand for; None where the marks make no sense."""
    three_decimals = currency in _THREE_DECIMALS and _ONE_MARK.fullmatch(figure)
    for grouped in () if three_decimals else _GROUPED:
        if found := grouped.fullmatch(figure):
            return Decimal(re.sub(r"\D", "", found[1]) + "." + (found[2] or ""))
    if found := _PLAIN.fullmatch(figure):
        return Decimal(f"{found[1] or '0'}.{found[2] or ''}")
    return None
