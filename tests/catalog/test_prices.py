from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.catalog.prices import Price, iso_currency, price

NARROW, THIN, HARD = "\u202f", "\u2009", "\u00a0"


@pytest.mark.parametrize(
    ("written", "amount", "currency"),
    [
        ("£1,200.00", "1200.00", "GBP"),
        ("1.200,00 €", "1200.00", "EUR"),
        (f"1{HARD}200,00{HARD}zł", "1200.00", "PLN"),
        (f"1{NARROW}234,50 €", "1234.50", "EUR"),
        (f"12{THIN}345 Kč", "12345", "CZK"),
        ("CHF 1'200.-", "1200", "CHF"),
        ("Fr. 1’234.50", "1234.50", "CHF"),
        ("US$ 99", "99", "USD"),
        ("US $99.00", "99.00", "USD"),
        ("A$120", "120", "AUD"),
        ("C $45.00", "45.00", "CAD"),
        ("HK$ 1,299", "1299", "HKD"),
        ("NT$3,280", "3280", "TWD"),
        ("R$ 1.299,90", "1299.90", "BRL"),
        ("¥12,000", "12000", "JPY"),
        ("￥１２，０００", "12000", "JPY"),
        ("₩89,000", "89000", "KRW"),
        ("Rs. 1,999", "1999", "INR"),
        ("₹1,20,000.00", "120000.00", "INR"),
        ("R 1 299,99", "1299.99", "ZAR"),
        ("Rp 1.250.000", "1250000", "IDR"),
        ("1.299,90 TL", "1299.90", "TRY"),
        ("12 990 руб.", "12990", "RUB"),
        ("24.990 Ft", "24990", "HUF"),
        ("usd 99", "99", "USD"),
        ("$99 USD", "99", "USD"),
        ("$99 CAD", "99", "CAD"),
        ("$1,495.00", "1495.00", "USD"),
        ("From £20", "20", "GBP"),
        ("ab 19,99 €", "19.99", "EUR"),
        ("120,- €", "120", "EUR"),
        ("120,– €", "120", "EUR"),
        ("€.99", "0.99", "EUR"),
    ],
)
def test_a_price_is_read_in_the_notation_of_its_country(written, amount, currency):
    assert price(written) == Price(Decimal(amount), currency)


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("1,200", "1200"),
        ("1.200", "1200"),
        ("12,50", "12.50"),
        ("12.5", "12.5"),
        ("1.234.567", "1234567"),
        ("1,234,567.89", "1234567.89"),
        ("1.234.567,89", "1234567.89"),
        ("185.00", "185.00"),
        ("1234", "1234"),
        ("1234.567", "1234.567"),  # four digits before a mark are no group, so it divides decimals
        ("139.9900", "139.9900"),
        ("0.125", "0.125"),
        ("0", "0"),
    ],
)
def test_a_bare_figure_is_read_and_has_no_currency(written, amount):
    assert price(written) == Price(Decimal(amount), "")


@pytest.mark.parametrize(
    "written",
    [
        "", " ", "$", "€", "None", "n/a", "sold out", "-12.00", "−12", "$-5", "-$5", "(12.00)", "$150.00 $99.00",
        "1,2,3", "1.00.000", "12.05.2020", "1e5", "NaN", "inf", "Size 10", "20%", "1,200.00.00", "1 23", "10,000,00",
        "€5 USD", "€99 ($110)", "9" * 13, "1" * 200, "1,1" * 2000,
    ],
)  # fmt: skip
def test_what_is_no_single_price_is_not_read(written):
    assert price(written) == Price(None, "")


def test_of_a_range_the_lower_end_counts():
    assert price("$120.00 - $150.00") == Price(Decimal("120.00"), "USD")
    assert price("120–150 €") == Price(Decimal(120), "EUR")
    assert price("£20 to £35.50") == Price(Decimal(20), "GBP")
    assert price("$150.00 - $120.00") == Price(Decimal("120.00"), "USD")
    assert price("1.200 - 1.2.3 €").amount is None  # an end that cannot be read spoils the range


def test_free_costs_nothing():
    assert price("FREE", "EUR") == Price(Decimal(0), "EUR")


@pytest.mark.parametrize(
    ("written", "column", "meant"),
    [
        ("$99", "", "USD"),
        ("$99", "CAD", "CAD"),
        ("$99", "aud", "AUD"),
        ("$99", "EUR", "USD"),  # no dollar is a euro
        ("99 kr", "", ""),
        ("99 kr", "SEK", "SEK"),
        ("¥99", "CNY", "CNY"),
        ("€99", "USD", "EUR"),  # only the euro has this sign, so the column is wrong
        ("US$99", "CAD", "USD"),
        ("99", "€", "EUR"),
        ("99", " gbp ", "GBP"),
        ("99", "pounds", ""),
        ("", "GBP", "GBP"),
        ("ask us", "GBP", "GBP"),
    ],
)
def test_the_currency_said_elsewhere_decides_what_a_shared_sign_means(written, column, meant):
    assert price(written, column).currency == meant


def test_three_digits_behind_a_mark_are_decimals_where_the_currency_has_three():
    assert price("1.200", "KWD").amount == Decimal("1.200")
    assert price("KWD 1,200").amount == Decimal("1.200")
    assert price("1.200", "EUR").amount == 1200


def test_a_code_or_a_sign_names_its_currency():
    assert [iso_currency(one) for one in ("EUR", "eur", "€", "$", "US $", "kr", "dollars", "")] == [
        "EUR", "EUR", "EUR", "USD", "USD", "", "", "",
    ]  # fmt: skip


def _grouped(whole, mark):
    return f"{whole:,}".replace(",", mark)


def _indian(whole, mark):
    head, tail = divmod(whole, 1000)
    if not head:
        return str(tail)
    pairs = []
    while head > 99:
        head, pair = divmod(head, 100)
        pairs.insert(0, f"{pair:02}")
    return mark.join([str(head), *pairs, f"{tail:03}"])


NOTATIONS = {
    "English": lambda whole, cents: f"{_grouped(whole, ',')}.{cents:02}",
    "German": lambda whole, cents: f"{_grouped(whole, '.')},{cents:02}",
    "French": lambda whole, cents: f"{_grouped(whole, NARROW)},{cents:02}",
    "Polish": lambda whole, cents: f"{_grouped(whole, HARD)},{cents:02}",
    "Swiss": lambda whole, cents: f"{_grouped(whole, '’')}.{cents:02}",
    "Indian": lambda whole, cents: f"{_indian(whole, ',')}.{cents:02}",
    "machine": lambda whole, cents: f"{whole}.{cents:02}",
    "machine with a comma": lambda whole, cents: f"{whole},{cents:02}",
}
SIGNED = ["{}", "€{}", "{} €", "EUR {}", "{}EUR", "€ {} EUR", "  {}\n"]


@given(
    whole=st.integers(0, 10**9),
    cents=st.integers(0, 99),
    notation=st.sampled_from(sorted(NOTATIONS)),
    signed=st.sampled_from(SIGNED),
)
def test_any_amount_reads_back_from_any_notation(whole, cents, notation, signed):
    written = signed.format(NOTATIONS[notation](whole, cents))
    assert price(written, "EUR") == Price(Decimal(f"{whole}.{cents:02}"), "EUR")


@given(whole=st.integers(0, 10**9), mark=st.sampled_from([",", ".", " ", "'", ""]))
def test_an_amount_without_decimals_reads_back_whatever_groups_its_thousands(whole, mark):
    assert price(_grouped(whole, mark)).amount == whole


@given(st.text(max_size=300), st.text(max_size=5))
def test_no_text_at_all_breaks_the_reader(written, column):
    read = price(written, column)
    assert read.amount is None or read.amount >= 0
    assert read.currency in {"", read.currency.upper()}
