"""Zappos in all its layouts: the saved pages of tests/pages/zappos, every label of the real records, and hostile ones."""

import html
import json
import re
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shops.pages.page import Page, PageError
from shops.pages.verdict import judge
from shops.pages.zappos import read_listing, read_product
from shops.pages.zappos_links import read_label

PAGES = Path(__file__).parents[1] / "pages" / "zappos"
BOOTS = Path(__file__).resolve().parents[3] / "shared" / "data" / "zappos_boots.json"
SAVE_PAGE = Path(__file__).parents[2] / "scripts" / "save_page.py"
LISTING = "https://www.zappos.com/women-boots/CK_X.zso"
PRODUCT = "https://www.zappos.com/p/frye-campus/product/12/color/3"
STATE = "<html><body><script>window.__INITIAL_STATE__ = {};</script></body></html>"
WHOLE = {
    name: (PAGES / name / "page.html").read_text("utf-8")
    for name in ("state_listing", "next_listing", "aria_listing", "oldest_listing", "state_product", "next_product")
} | {name: (PAGES / name / "page.html").read_text("utf-8") for name in ("microdata_product", "oldest_product")}


def listing(*items, url=LISTING, **around):
    return read_listing(STATE.replace("{}", json.dumps({"products": {"list": [*items]}} | around)), url)


def product(style, url=PRODUCT, **detail):
    told = {"productId": "12", "productName": "Campus", "styles": [{"colorId": "3"} | style]} | detail
    return read_product(STATE.replace("{}", json.dumps({"product": {"detail": told}})), url).found[0]


def read_either(text):
    """Both readers: a Page, or the reason why there is none. Nothing else is let out."""
    told = []
    for read, url in ((read_listing, LISTING), (read_product, PRODUCT)):
        try:
            told.append(read(text, url))
        except PageError as wrong:
            told.append(wrong.reason)
    return told


def test_a_saved_page_is_read_as_was_written_down(case, saved, read_case):
    assert read_case(case) == saved(case)[1]


# Labels


@pytest.mark.parametrize(
    ("label", "name", "brand", "price", "color", "rating"),
    [
        (
            'Titan 6" Toe. By Timberland PRO. $118.99. Style: Dark Mocha. Rated 4 out of 5 stars.',
            *('Titan 6" Toe', "Timberland PRO", "$118.99", "Dark Mocha", "4 out of 5"),
        ),
        (
            "St. Moritz 2.0. By St. John. $1,495.00. Style: No. 5.",
            "St. Moritz 2.0",
            "St. John",
            "$1,495.00",
            "No. 5",
            "",
        ),
        ("A.T.A.C. By 5.11 Tactical. £85. Style: Sand.", "A.T.A.C", "5.11 Tactical", "£85", "Sand", ""),
        ("Flag. By No. 21. 1.200,00 €. Style: Red", "Flag", "No. 21", "1.200,00 €", "Red", ""),
        ("Sample. By Sorel. Free. Style: Buff.", "Sample", "Sorel", "Free", "Buff", ""),
        ("Sample. By Sorel. $9.00. Rated 4.5 out of 5 stars (12).", "Sample", "Sorel", "$9.00", "", "4.5 out of 5"),
        ("Sample. By Sorel. Style: Buff.", "Sample", "Sorel", "", "Buff", ""),
        ("Rated 5. By Sorel. $9. Style: Style: A. Rated.", "Rated 5", "Sorel", "$9", "Style: A. Rated", ""),
    ],
)
def test_a_label_is_read_part_by_part(label, name, brand, price, color, rating):
    told = read_label(label)
    assert (told.name, told.brand, told.price, told.color, told.rating) == (name, brand, price, color, rating)


@pytest.mark.parametrize("more", ["", " 25% off."])
def test_a_sale_tells_both_prices(more):
    told = read_label(f"1460. By Dr. Martens. On sale for $89.95. MSRP $1,120.00.{more} Style: Black.")
    assert (told.brand, told.price, told.list_price, told.color) == ("Dr. Martens", "$89.95", "$1,120.00", "Black")


@pytest.mark.parametrize(
    "label",
    [
        "",
        "Dark Mocha",
        "Sponsored. Autumn is here.",
        ". By . $1.00. Style: .",
        "Name. By Dr. Martens. Ask us. Style: Black.",  # where does the brand end?
        "Name. By Brand. $1. Style: " + "x" * 2000,
    ],
)
def test_what_is_no_label_is_not_guessed_at(label):
    assert read_label(label) is None


@given(st.text())
def test_no_label_is_too_odd_to_be_refused(label):
    told = read_label(label)
    assert told is None or told.name


PLAIN = st.text(alphabet="aB 6\"'®é-7", min_size=1).map(lambda one: " ".join(one.split())).filter(bool)


@given(PLAIN, PLAIN, st.decimals(1, 99_999, places=2), PLAIN, st.sampled_from(["", "1", "4.5"]))
def test_a_label_tells_what_it_was_made_of(name, brand, cost, color, stars):
    rated = f" Rated {stars} out of 5 stars." if stars else ""
    told = read_label(f"{name}. By {brand}. ${cost:,}. Style: {color}.{rated}")
    assert (told.name, told.brand, told.price, told.color) == (name, brand, f"${cost:,}", color)
    assert told.rating.removesuffix(" out of 5") == stars


def aria_page(records):
    """A listing as it was when its links said all: a template of our own."""
    links = "".join(
        f'<article class="Kv-z"><a class="hW-z" href="{html.escape(one["buy_link"])}" aria-label="{_label(one)}">'
        f'<meta itemprop="image" content="{one["image_source"]}"></a></article>'
        for one in records
    )
    return f"<!DOCTYPE html><html><body><div id=products>{links}</div></body></html>"


def _label(one):
    rated = f" Rated {one['rating']}." if one["rating"] else ""
    return html.escape(f"{one['boot_name']}. By {one['brand']}. {one['price']}. Style: {one['style']}.{rated}")


def as_record(found):
    told = found.product
    return {
        "boot_name": told.name,
        "brand": told.brand,
        "price": f"${told.price:,}",
        "style": told.color,
        "rating": told.rating and f"{told.rating:.0f} out of 5 stars",
        "buy_link": told.url,
        "image_source": re.sub(r"\.jpg$", "._AC_SX255_.jpg", found.pictures[0].url),
    }


@pytest.mark.real
@pytest.mark.skipif(not BOOTS.exists(), reason="the real records are not beside the checkout")
def test_all_2251_real_records_come_back_from_their_labels_equal():
    records = [{name: one[name] for name in one if name != "boot_id"} for one in json.loads(BOOTS.read_text())]
    page = read_listing(aria_page(records), LISTING)
    assert (page.generation, page.odd, len(page.found)) == ("aria", (), 2251)
    assert sum(found.product.rating is None for found in page.found) == 307
    assert [as_record(found) for found in page.found] == records
    assert {found.product.product for found in page.found} == {
        "/".join(re.search(r"/product/(\d+)/color/(\d+)", one["buy_link"]).groups()) for one in records
    }


def test_what_a_label_does_not_say_is_asked_of_the_itemprops_beside_it():
    cards = (
        '<article><a href="/p/a/product/1/color/2" aria-label="Campus. By Frye. $9.00."></a><p itemprop=color>Red</article>'
        '<article><a href="/p/b/product/3/color/4" aria-label="odd"></a><b itemprop=name>Jadon</b></article>'
    )
    one, other = read_listing(f"<html>{cards}</html>", LISTING).found
    assert (one.product.color, one.answered["color"]) == ("Red", "itemprop=color")
    assert (other.product.name, other.answered["name"]) == ("Jadon", "itemprop=name")


def test_a_product_page_is_no_listing_though_it_links_to_others():
    page = (PAGES / "microdata_product" / "page.html").read_text("utf-8")
    with pytest.raises(PageError) as wrong:
        read_listing(page.replace("</main>", '<a href="/p/a/product/1/color/2">Like this</a></main>'), LISTING)
    assert wrong.value.reason == "unknown_layout"


# What one field or another may say


@pytest.mark.parametrize("rating", [0, 0.0, "0", "0.0", None, ""])
def test_a_rating_of_nobody_is_missing_and_never_0(rating):
    page = listing({"productId": 1, "colorId": 2, "productRating": rating, "reviewCount": "0"})
    assert page.found[0].product.rating is None
    assert "rating" not in page.found[0].answered


def test_the_next_candidate_is_asked_where_the_first_says_nothing_and_its_name_is_kept():
    found = listing(
        {"productId": 1, "colorId": 2, "productRating": "0", "reviewRating": 4.5, "styleColor": "Red"}
    ).found[0]
    assert (found.product.rating, found.product.color) == (4.5, "Red")
    assert found.answered["rating"] == "state: products.list[].reviewRating"
    assert found.answered["color"] == "state: products.list[].styleColor"


@pytest.mark.parametrize(
    ("now", "before", "kept"),
    [
        ("$89.95", "$120.00", "$120.00"),
        ("$120.00", "$120.00", None),
        ("$120.00", "$89.95", None),
        ("$120.00", "", None),
        ("See price in cart", "$120.00", "$120.00"),
    ],
)
def test_a_price_before_the_sale_is_kept_where_it_was_more(now, before, kept):
    found = listing({"productId": 1, "colorId": 2, "price": now, "originalPrice": before}).found[0]
    assert found.product.attributes.get("list_price") == kept


@pytest.mark.parametrize(
    ("code", "view"),
    [
        *[
            ("MAIN", "main"),
            ("PAIR", "pair"),
            ("TOPP", "top"),
            ("TOP", "top"),
            ("BOTT", "bottom"),
            ("BOTTOM", "bottom"),
        ],
        *[
            ("LEFT", "left"),
            ("BACK", "back"),
            ("RGHT", "right"),
            ("RIGHT", "right"),
            ("FRNT", "front"),
            ("FRONT", "front"),
        ],
        *[("TSD", "tsd"), ("PT01", "pt01"), ("pair", "pair"), ("", "")],
    ],
)
def test_a_view_has_one_name_and_an_unknown_one_is_kept(code, view):
    assert product({"images": [{"imageId": "1+a", "type": code}]}).pictures[0].view == view


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("https://m.media-amazon.com/images/I/61+Pz.jpg", "https://m.media-amazon.com/images/I/61+Pz.jpg"),
        ("https://m.media-amazon.com/images/I/61+Pz._AC_SX255_.jpg", "https://m.media-amazon.com/images/I/61+Pz.jpg"),
        (
            "//m.media-amazon.com/images/I/61%2BPz._AC_SR255,340_.jpg?a=b",
            "https://m.media-amazon.com/images/I/61+Pz.jpg",
        ),
        ("https://m.media-amazon.com/images/I/6._SX7_._AC_.png", "https://m.media-amazon.com/images/I/6.png"),
        ("/images/z/3/3/8/338971-2-4x.jpg", "https://www.zappos.com/images/z/3/3/8/338971-2-4x.jpg"),
    ],
)
def test_a_picture_is_the_original_without_what_the_cdn_was_asked_for(link, url):
    page = listing({"productId": 1, "colorId": 2, "thumbnailImageUrl": link})
    assert [picture.url for picture in page.found[0].pictures] == [url]


@pytest.mark.parametrize("link", ["data:image/gif;base64,R0lG", "javascript:alert(1)", "http://[", "", None, 7, {}])
def test_what_is_no_address_of_a_picture_is_none(link):
    pictures = listing({"productId": 1, "colorId": 2, "thumbnailImageUrl": link}).found[0].pictures
    assert all(one.url == "https://www.zappos.com/women-boots/7" for one in pictures)


@pytest.mark.parametrize("image", ["../secret", "a b", "a/b", "http://a", "", None, 1.5])
def test_what_is_no_id_of_a_picture_is_none(image):
    assert product({"images": [{"imageId": image, "type": "MAIN"}]}).pictures == ()


def test_pictures_told_by_id_lie_where_the_page_has_its_pictures():
    bare = STATE.replace(
        "{}", json.dumps({"products": {"list": [{"productId": 1, "colorId": 2, "msaImageId": "7+a"}]}})
    )
    shown = bare.replace("<body>", '<body><img src="http://127.0.0.1:9/images/I/7+a._AC_SX255_.jpg">')
    at_the_shop, with_one, elsewhere = (
        read_listing(text, url).found[0].pictures[0].url
        for text, url in ((bare, LISTING), (shown, LISTING), (bare, "http://127.0.0.1:9/boots/CK.zso"))
    )
    assert at_the_shop == "https://m.media-amazon.com/images/I/7+a.jpg"
    assert with_one == elsewhere == "http://127.0.0.1:9/images/I/7+a.jpg"


@pytest.mark.parametrize(
    ("stocks", "pieces"),
    [([{"onHand": "2"}, {"onHand": 3}], 5), ([{"onHand": "many"}, {}], 0), ([], 0), (None, None), ("12", None)],
)
def test_stock_is_the_sum_of_all_sizes_and_unknown_where_none_are_told(stocks, pieces):
    assert product({"stocks": stocks}).product.stock == pieces


@pytest.mark.parametrize(("oos", "redirect"), [(True, ""), ("true", ""), (False, "?oosRedirected=true")])
def test_a_product_that_is_sold_out_has_no_pieces_whatever_its_sizes_say(oos, redirect):
    assert product({"stocks": [{"onHand": "5"}]}, url=PRODUCT + redirect, oos=oos).product.stock == 0


@pytest.mark.parametrize(
    ("asked", "pieces"), [("12/color/3", 0), ("12", 0), ("12/color/33", 5), ("12/color/", 0), ("1/color/3", 5)]
)
def test_only_what_was_asked_for_is_sold_out_by_a_redirect(asked, pieces):
    url = f"https://www.zappos.com/p/frye/product/{asked}?oosRedirected=true"
    assert product({"stocks": [{"onHand": "5"}]}, url=url).product.stock == pieces


def test_a_color_that_begins_like_the_one_asked_for_is_not_sold_out():
    assert (
        product({"colorId": "33", "stocks": [{"onHand": "5"}]}, url=f"{PRODUCT}?oosRedirected=true").product.stock == 5
    )


def test_a_number_with_three_decimals_is_no_thousands():
    found = listing({"productId": 1, "colorId": 2, "price": 123.125, "originalPrice": "1.500"}).found[0].product
    assert (found.price, found.attributes) == (Decimal("123.125"), {"list_price": "1.500"})


def test_whole_cents_are_an_amount_of_dollars():
    items = [{"productId": "1", "colorId": "2", "price": 139900, "msrp": 149905}]
    data = json.dumps({"props": {"pageProps": {"products": items}}})
    page = read_listing(f'<html><script id="__NEXT_DATA__">{data}</script></html>', LISTING)
    found = page.found[0].product
    assert (found.price, found.currency, found.attributes) == (Decimal("1399.00"), "USD", {"list_price": "1499.05"})


@pytest.mark.parametrize(
    ("shown", "total"),
    [
        ({"initialData": {"products": ["items"], "filters": {"page": 0, "pageCount": 2}}}, None),
        ({"products": {"list": ["items"], "totalProductCount": 61}, "filters": {"page": 0, "pageCount": 2}}, 61),
        ({"a": {"b": [{"shelf": ["items"]}], "totalProductCount": 61, "filters": {"page": 0, "pageCount": 2}}}, 61),
    ],
)
def test_the_sibling_site_is_read_wherever_its_items_lie(shown, total):
    items = json.dumps([{"productId": "1", "colorId": "2"}])
    data = json.dumps({"props": {"pageProps": shown}}).replace('["items"]', items)
    page = read_listing(f'<html><script id="__NEXT_DATA__">{data}</script></html>', LISTING)
    assert [found.product.product for found in page.found] == ["1/2"]
    assert (page.total, page.next) == (total, f"{LISTING}?p=1")


def test_one_odd_item_ends_no_page_and_adverts_are_passed_over():
    good = {"productId": 1, "colorId": 2, "productName": "Campus"}
    adverts = [{"adId": 7}, {"isSponsored": True}, {"componentName": "AdSlot"}, {"type": "banner"}]
    odd = [None, 7, "boot", [], {}, {"productName": "No id"}, {"productId": 5}, {"productId": "a\u200bb", "colorId": 1}]
    page = listing(*adverts, *odd, good, good)
    assert [found.product.product for found in page.found] == ["1/2"]
    assert [one.reason for one in page.odd] == ["no_id"] * 7 + ["bad_id"]


def test_a_sponsored_product_is_a_product():
    assert len(listing({"productId": 1, "colorId": 2, "isSponsored": True, "type": "ad"}).found) == 1


@pytest.mark.parametrize(
    ("around", "url", "following"),
    [
        ({"filters": {"page": 0, "pageCount": 2}}, f"{LISTING}?s=a&p=0", f"{LISTING}?s=a&p=1"),
        ({"filters": {"page": 0, "pageCount": 2}}, LISTING, f"{LISTING}?p=1"),
        ({"filters": {"page": 1, "pageCount": 2}}, f"{LISTING}?p=1", ""),
        ({"filters": {"page": "0", "pageCount": "9"}}, LISTING, f"{LISTING}?p=1"),
        ({"filters": {"page": 0}}, LISTING, ""),
        (
            {"meta": {"documentMeta": {"link": {"rel": {"next": "/b.zso?p=3"}}}}},
            LISTING,
            "https://www.zappos.com/b.zso?p=3",
        ),
        ({"meta": {"documentMeta": {"link": {"rel": {"next": LISTING}}}}}, LISTING, ""),  # never in a circle
        ({}, LISTING, ""),
    ],
)
def test_the_next_page_is_told_linked_or_counted(around, url, following):
    assert listing({"productId": 1, "colorId": 2}, url=url, **around).next == following


def test_an_error_names_the_page_what_is_missing_and_the_mend():
    with pytest.raises(
        PageError, match=r"https://www.zappos.com/\S+: no products.list .*scripts/save_page.py.*zappos.py"
    ):
        read_listing(STATE, LISTING)


def test_a_picture_never_names_a_product():
    """An old system took the CDN's name for the id, so that another size made every boot new."""
    one = {"productId": 1, "colorId": 2, "productName": "Campus"}
    small, large = (
        listing(one | {"thumbnailImageUrl": f"https://m.media-amazon.com/images/I/6{letter}._AC_SX{size}_.jpg"}).found[
            0
        ]
        for letter, size in (("a", 255), ("b", 700))
    )
    assert small.pictures != large.pictures
    assert small == replace(large, pictures=small.pictures)


# Hostile pages

ITEM_WORDS = (
    *("productId", "colorId", "styleId", "productName", "brandName", "brand", "price", "originalPrice", "productUrl"),
    *("thumbnailImageUrl", "msaImageId", "imageMap", "productRating", "reviewCount", "genders", "styles", "images"),
    *(
        "imageId",
        "type",
        "stocks",
        "onHand",
        "size",
        "description",
        "bulletPoints",
        "reviewSummary",
        "products",
        "list",
    ),
    *("filters", "page", "pageCount", "meta", "documentMeta", "link", "rel", "next", "product", "detail", "adId"),
)
ODD_TEXT = st.sampled_from(
    ["", "0", "12", "\ud83d", "\x00", "http://[", "//", "/product/1/color/2", "$1e9", "MAIN", "&#0;"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ODD_TEXT | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(ITEM_WORDS), inner, max_size=6),
    max_leaves=30,
)


@given(JSON, JSON, JSON)
def test_whatever_a_state_holds_there_is_a_page_or_a_reason(items, detail, around):
    for mark, end in (
        ("<script>window.__INITIAL_STATE__ = ", ";</script>"),
        ('<script id="__NEXT_DATA__">', "</script>"),
    ):
        told = {"products": {"list": [items, around]}, "product": {"detail": detail}, "filters": around, "meta": around}
        told = told if "INITIAL" in mark else {"props": {"pageProps": told}}
        assert all(isinstance(one, Page | str) for one in read_either(f"<html>{mark}{json.dumps(told)}{end}</html>"))


@given(st.lists(st.sampled_from(
    ["<", ">", '"', "'", "=", " ", "a", "href=", "/product/1/color/2", "aria-label=", ". By ", ". $1", ". Style: ",
     "itemprop=", "price", "sku", "<a ", "<img ", "id=prdImage", "<h1>", "\x00", "&#0;", "\ud83d", "<script>",
     "window.__INITIAL_STATE__ = ", "{", "}", "</html>", "<!--", "<![CDATA[", "é"]
)) | st.text(alphabet=st.characters()).map(lambda text: [text]))  # fmt: skip
def test_whatever_a_page_is_made_of_there_is_a_page_or_a_reason(parts):
    assert all(isinstance(one, Page | str) for one in read_either("".join(parts)))


@given(st.binary())
def test_whatever_bytes_come_there_is_a_page_or_a_reason(body):
    assert all(isinstance(one, Page | str) for one in read_either(body.decode("utf-8", "replace")))


@pytest.mark.parametrize(
    "bomb",
    [
        "<div itemprop=price>" * 5000,
        "href=" * 200_000,
        "<script id=" * 50_000,
        "<a href=/product/1/color/2 aria-label='" + ". By . $" * 20_000 + "'>",
        "<img itemprop=image src='/images/I/" + "a/images/I/." * 20_000 + "'><b itemprop=sku>1",
        '"http://' * 100_000,
        "window.__INITIAL_STATE__" * 40_000,
    ],
)
def test_a_hostile_page_is_refused_in_no_time(bomb):
    start = time.process_time()
    read_either(bomb)
    with suppress(PageError):
        judge(200, bomb, LISTING)
    assert time.process_time() - start < 3.0


@given(st.sampled_from(sorted(WHOLE)), st.floats(0, 1))
def test_a_page_cut_anywhere_is_a_page_or_a_reason(name, share):
    text = WHOLE[name]
    assert all(isinstance(one, Page | str) for one in read_either(text[: int(share * len(text))]))


@pytest.mark.parametrize("name", ["state_listing", "state_product", "next_listing", "next_product"])
def test_a_state_cut_anywhere_is_half_a_page_and_never_fewer_products(name):
    text = WHOLE[name]
    read, url = (read_listing, LISTING) if "listing" in name else (read_product, PRODUCT)
    whole = read(text, url)
    start = text.index(whole.state)
    for end in range(start, start + len(whole.state), 7):
        with pytest.raises(PageError) as wrong:
            read(text[:end], url)
        assert wrong.value.reason == "half_page"


# Saving a page


def save(*words, into):
    command = [sys.executable, str(SAVE_PAGE), "zappos", *words, "--into", str(into)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_page_in_a_file_becomes_a_case_that_the_tests_read_alike(tmp_path, saved, read_case):
    page = PAGES / "state_listing" / "page.html"
    told = json.loads((PAGES / "state_listing" / "product.json").read_text("utf-8"))
    done = save("boots", str(page), "--url", told["url"], into=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Titan Waterproof" in done.stdout  # for a person to check
    case = tmp_path / "zappos" / "boots"
    assert saved(case) == (page.read_text("utf-8"), told)
    assert read_case(case) == told
    before = (case / "product.json").read_bytes()
    again = save("boots", str(page), "--url", "https://www.zappos.com/other.zso", into=tmp_path)
    assert again.returncode == 1
    assert "is there already" in again.stderr
    assert (case / "product.json").read_bytes() == before


def test_what_cannot_be_saved_is_told(tmp_path):
    (tmp_path / "page.html").write_text("<html></html>")
    for words, told in (
        (["boots", str(tmp_path / "page.html")], "add --url"),
        (["boots", str(tmp_path / "none.html"), "--url", LISTING], "No such file"),
        (["boots", "http://127.0.0.1:9/a.zso"], "127.0.0.1"),
    ):
        done = save(*words, into=tmp_path)
        assert done.returncode != 0
        assert told in done.stderr
        assert "Traceback" not in done.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["page.html"]
