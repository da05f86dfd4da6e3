import json
import time
import unicodedata
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.catalog.clean import category_root, rating, read_fields, read_view, text, web_address
from lookalike.catalog.product import Product, RowError

BOOTS = Path(__file__).resolve().parents[3] / "shared" / "data" / "zappos_boots.json"


def test_a_row_becomes_a_product_with_typed_fields():
    told = {
        "product": " 2363100 ",
        "style": "284856",
        "brand": "Dr.&nbsp;Martens",
        "category": "Shoes > Boots > Ankle",
        "color": "Black",
        "name": "<b>Titan</b> 6&quot; Boot",
        "price": "£1,200.00",
        "currency": "",
        "rating": "4 out of 5 stars",
        "url": "https://shop.example/p/1?a=1&amp;b=2",
        "heel_height": "2in",
        "season": "",
    }
    assert read_fields(told, shop="zappos") == Product(
        shop="zappos",
        product="2363100",
        style="284856",
        brand="Dr. Martens",
        category="Shoes",
        color="Black",
        name='Titan 6" Boot',
        price=Decimal("1200.00"),
        currency="GBP",
        rating=4.0,
        url="https://shop.example/p/1?a=1&b=2",
        attributes={"category_path": "Shoes > Boots > Ankle", "heel_height": "2in"},
    )


def test_what_could_not_be_read_is_kept_as_it_came():
    told = {
        "product": "1",
        "price": " ask us ",
        "currency": "beads",
        "rating": "nice",
        "url": "javascript:alert(1)",
    }
    product = read_fields(told)
    assert (product.price, product.currency, product.rating, product.url) == (None, "", None, "")
    assert product.attributes == {
        "price_as_given": " ask us ",
        "currency_as_given": "beads",
        "rating_as_given": "nice",
        "url_as_given": "javascript:alert(1)",
    }


@pytest.mark.parametrize("nothing", ["", " ", "None", "nan", "N/A", "-"])
def test_a_figure_that_is_not_there_is_not_kept_as_unread(nothing):
    product = read_fields({"product": "1", "price": nothing, "rating": nothing})
    assert (product.price, product.rating, product.attributes) == (None, None, {})


def test_a_sign_in_the_currency_column_that_the_price_explains_is_not_kept_as_unread():
    assert read_fields({"product": "1", "price": "99 SEK", "currency": "kr"}).attributes == {}


@pytest.mark.parametrize("fields", [{}, {"product": ""}, {"product": " \t\n\u00a0 "}])
def test_a_row_that_names_no_product_says_so(fields):
    with pytest.raises(RowError, match="names no product") as wrong:
        read_fields(fields)
    assert wrong.value.reason == "no_product"


@pytest.mark.parametrize("field", ["product", "style"])
@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("<b>12</b>", "<b>12</b>"),
        ("A&amp;B", "A&amp;B"),
        ("a  b", "a  b"),
        ("007", "007"),
        (" \tx\u00a0\r\n", "x"),
        ("cafe\u0301", "café"),
        ("靴 #1 / €", "靴 #1 / €"),
        ("x" * 200, "x" * 200),
    ],
)
def test_an_id_is_a_name_and_keeps_what_it_says(field, given_, kept):
    assert getattr(read_fields({"product": "1", field: given_}), field) == kept


@pytest.mark.parametrize("field", ["product", "style"])
@pytest.mark.parametrize(
    ("given_", "shown"),
    [
        ("caf\u00e9\u200b1", r"'café\\u200b1'"),
        ("a\tb", r"'a\\tb'"),
        ("a\nb", r"'a\\nb'"),
        ("a\x00b", r"'a\\x00b'"),
        ("\ufeff12", r"'\\ufeff12'"),
        ("soft\u00adhyphen", r"'soft\\xadhyphen'"),
        ("right\u202eleft", r"'right\\u202eleft'"),
        ("half\ud83d", r"'half\\ud83d'"),
        ("x" * 201, r"has 201 characters \('x{20}' \.\.\.\); give one of 200 at most"),
    ],
)
def test_an_id_with_signs_that_nobody_sees_is_shown_with_them_instead_of_merging_two_products(field, given_, shown):
    with pytest.raises(RowError, match=rf"its {field} (is )?{shown}") as wrong:
        read_fields({"product": "1", field: given_})
    assert wrong.value.reason == "bad_id"


@given(*[st.text(alphabet="ab é\u0301\u200b\u00a0<b>&;")] * 2)
def test_two_ids_are_one_only_where_they_look_alike(one, other):
    def told(given_):
        try:
            return read_fields({"product": given_}).product
        except RowError:
            return None

    alike = unicodedata.normalize("NFC", one).strip() == unicodedata.normalize("NFC", other).strip()
    assert (told(one) == told(other) is not None) <= alike


def test_a_row_tells_the_view_the_role_and_the_split_of_its_picture():
    told = read_view({"view": " outside ", "role": "Query", "split": "TEST"})
    assert (told.view, told.role, told.split) == ("outside", "query", "test")
    nothing = read_view({})
    assert (nothing.view, nothing.role, nothing.split) == ("", "both", "")


@pytest.mark.parametrize(("name", "value"), [("split", "validation"), ("role", "probe")])
def test_a_split_or_role_that_is_none_of_ours_is_named_with_those_there_are(name, value):
    with pytest.raises(RowError, match=rf"{name} is '{value}'; give one of .*(val|gallery)") as wrong:
        read_view({name: value})
    assert wrong.value.reason == f"bad_{name}"


@pytest.mark.parametrize(
    ("given_", "stars"),
    [
        ("4.5", 4.5),
        ("4,5", 4.5),
        ("5 out of 5 stars", 5.0),
        ("Rated 3 out of 5 stars.", 3.0),
        ("Rated 3 out of 5", 3.0),
        ("8/10", 4.0),
        ("80%", 4.0),
        ("4.5 (123 reviews)", 4.5),
        ("1 star", 1.0),
        ("0", 0.0),
        ("None", None),
        ("", None),
        ("nan", None),
        ("9", None),  # of what?
        ("6 out of 5", None),
        ("120%", None),
        ("3/0", None),
        ("-1", None),
        ("four", None),
        ("1" * 5000, None),
    ],
)
def test_a_rating_is_read_as_stars_of_five(given_, stars):
    assert rating(given_) == stars


@pytest.mark.parametrize(
    ("given_", "root", "path"),
    [
        ("Boots", "Boots", "Boots"),
        ("Boots / Ankle", "Boots", "Boots > Ankle"),
        ("Shoes/Boots/Ankle", "Shoes", "Shoes > Boots > Ankle"),
        ("Shoes>Boots", "Shoes", "Shoes > Boots"),
        ("Women » Shoes › Boots", "Women", "Women > Shoes > Boots"),
        ("Women | Shoes", "Women", "Women > Shoes"),
        ('["Clothing >> Women\'s Clothing >> Shorts"]', "Clothing", "Clothing > Women's Clothing > Shorts"),
        ("Apparel &amp; Accessories &gt; Shoes", "Apparel & Accessories", "Apparel & Accessories > Shoes"),
        ("Home & Garden / Dining, Living / Art", "Home & Garden", "Home & Garden > Dining, Living > Art"),
        ("Shirts/Tops > Silk", "Shirts/Tops", "Shirts/Tops > Silk"),
        ("Coats/Jackets / Down", "Coats/Jackets", "Coats/Jackets > Down"),
        ("Shoes - Boots", "Shoes", "Shoes > Boots"),
        ("T-Shirts", "T-Shirts", "T-Shirts"),
        ("Slip-Ons & Mary-Janes", "Slip-Ons & Mary-Janes", "Slip-Ons & Mary-Janes"),
        ("/Shoes/Boots/", "Shoes", "Shoes > Boots"),
        ("Shoes >", "Shoes", "Shoes"),
        (" > ", "", ""),
        ("", "", ""),
    ],
)  # fmt: skip
def test_a_category_path_has_a_root_at_its_strongest_separator(given_, root, path):
    assert category_root(given_) == (root, path)


@pytest.mark.parametrize(
    ("given_", "plain"),
    [
        ("TITAN&reg; Boot", "TITAN® Boot"),
        ("Black &amp;amp; White", "Black & White"),
        ("caf&eacute;", "café"),
        ("cafe\u0301", "café"),
        ("&lt;b&gt;Bold&lt;/b&gt;", "Bold"),
        ("one<br/>two<p class='x'>three</p>", "one two three"),
        ("a<!-- note -->b", "a b"),
        ("5 < 6 > 3", "5 < 6 > 3"),
        ("I <3 boots", "I <3 boots"),
        ("H&M; R&D, AT&T &copy2020", "H&M; R&D, AT&T &copy2020"),  # only an entity with its semicolon is one
        ("  a \t\r\n\u00a0 b\u2003c ", "a b c"),
        ("a\u200bb\ufeffc\u00add", "abcd"),
        ("nul\x00l", "null"),
        ("half\ud83d", "half"),
        ("", ""),
    ],
)
def test_text_becomes_one_plain_line(given_, plain):
    assert text(given_) == plain


@given(st.text(alphabet=st.sampled_from("ab &amp;lt;#38<>/\u200b\u0301\u00a0\x00")))
def test_plain_text_can_always_be_stored_and_shown(given_):
    cleaned = text(given_)
    assert cleaned.encode("utf-8").decode() == cleaned
    assert cleaned.isprintable()
    assert unicodedata.is_normalized("NFC", cleaned)


@given(st.text())
def test_cleaning_what_is_clean_changes_nothing(given_):
    assert text(text(given_)) == text(given_)


@pytest.mark.parametrize(
    "bomb", ["<" * 100_000, "&amp;" * 30_000, "<!--" * 30_000, "&" + "amp;" * 30_000, "<a" * 50_000]
)
def test_hostile_text_is_cleaned_in_no_time(bomb):
    start = time.process_time()
    assert len(text(bomb)) <= len(bomb)
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize(
    ("given_", "address"),
    [
        ("https://shop.example/p?a=1&amp;b=2", "https://shop.example/p?a=1&b=2"),
        (" http://shop.example ", "http://shop.example"),
        ("https://shop.example/?a=1&region=us", "https://shop.example/?a=1&region=us"),
        ("javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("//shop.example/p", ""),
        ("shop.example", ""),
        ("https://", ""),
        ("http://[", ""),
        ("https://shop.example/a b", ""),
        ("java\nscript:x", ""),
        ("", ""),
    ],
)
def test_only_a_web_address_becomes_a_link(given_, address):
    assert web_address(given_) == address


@pytest.mark.real
@pytest.mark.skipif(not BOOTS.exists(), reason="the real records are not beside the checkout")
def test_every_price_and_rating_of_2251_real_records_is_read():
    records = json.loads(BOOTS.read_text())
    names = {"boot_id": "product", "boot_name": "name", "style": "color", "buy_link": "url", "image_source": "picture"}
    products = [read_fields({names.get(key, key): str(value) for key, value in one.items()}) for one in records]
    assert len(products) == 2251
    assert all(product.price and product.currency == "USD" and product.url for product in products)
    for product, record in zip(products, records, strict=True):
        assert f"${product.price:,}" == record["price"]
    stars = Counter(product.rating for product in products)
    assert stars[None] == sum(one["rating"] is None for one in records) == 307
    assert set(stars) <= {None, 1.0, 2.0, 3.0, 4.0, 5.0}
    assert not any(name.endswith("_as_given") for product in products for name in product.attributes)
