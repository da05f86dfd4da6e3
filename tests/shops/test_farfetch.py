import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shops.pages.farfetch import read_listing, read_product
from shops.pages.page import Page, PageError

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault
PAGES = Path(__file__).parents[1] / "pages" / "farfetch"
LISTING = "https://www.farfetch.com/uk/plpslice/listing-api/products-facets?page={}&view=60"
PRODUCT = "https://www.farfetch.com/uk/shopping/women/x-item-18100001.aspx"
MARKS = ("window.__HYDRATION_STATE__", "window['__initialState__']", "window['__initialState_slice-pdp__']")
WORDS = (
    *("listingItems", "listing", "items", "products", "listingPagination", "index", "view", "totalItems", "totalPages"),
    *(
        "id",
        "shortDescription",
        "brand",
        "name",
        "images",
        "cutOut",
        "model",
        "all",
        "priceInfo",
        "finalPrice",
        "isOnSale",
    ),
    *("initialPrice", "formattedFinalPrice", "currencyCode", "availableSizes", "size", "stockTotal", "url", "default"),
    *(
        "initialStates",
        "slice-product",
        "productViewModel",
        "details",
        "productId",
        "styleId",
        "colors",
        "designerDetails",
    ),
    *(
        "breadcrumb",
        "text",
        "main",
        "zoom",
        "large",
        "sizes",
        "available",
        "quantity",
        "description",
        "@type",
        "@graph",
    ),
    *(
        "apolloInitialState",
        "Variation:1",
        "Product:1",
        "__ref",
        "product",
        "internalProductId",
        "price",
        "value",
        "raw",
    ),
    *(
        "formatted",
        "fullPriceValue",
        "variationProperties",
        "values",
        "short",
        "textContent",
        "productID",
        "offers",
        "image",
    ),
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["Product", "BreadcrumbList", "Product:1", "Variation:1", "http://[", "//[x", "a" * 300, "1.5e3"])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=3), inner),
    max_leaves=25,
)


def text_of(case):
    return next((PAGES / case).glob("page.*")).read_text("utf-8")


def url_of(case):
    return json.loads((PAGES / case / "product.json").read_text("utf-8"))["url"]


def page_of(states, linked):
    """A product page with these states, each as JSON in a JSON string, and this JSON-LD."""
    scripts = "".join(f"<script>{mark} = {json.dumps(json.dumps(one))};</script>" for mark, one in states.items())
    ld = json.dumps(linked).replace("</", "<\\/")
    return f'<html>{scripts}<script type="application/ld+json">{ld}</script></html>'


def outcome(read, text, url):
    """What came of it; anything but a Page and a PageError is a fault of the reader."""
    try:
        page = read(text, url)
    except PageError as wrong:
        return wrong.reason
    assert isinstance(page, Page)
    return page


def products(page):
    return sorted((json.dumps(one.product.attributes), repr(one)) for one in page.found)


def test_a_saved_page_is_read_as_it_was(case, saved, read_case):
    assert read_case(case) == saved(case)[1]


@pytest.mark.parametrize("layout", ["hydration", "initial_state", "slice_pdp", "apollo", "json_ld"])
def test_the_state_that_is_kept_is_the_json_that_was_read_last(layout):
    state = json.loads(read_product(text_of(layout), url_of(layout)).state)
    assert isinstance(state, dict)


def test_the_state_of_a_listing_is_the_answer_as_it_came():
    text = "\ufeff" + text_of("listing_items")
    assert read_listing(text, LISTING.format(1)).state == text


def test_json_where_a_product_page_was_has_no_product():
    assert outcome(read_product, '{"listing": []}', PRODUCT) == "no_product"


def test_half_an_emoji_in_a_state_does_not_keep_it_from_being_stored():
    state = {"productViewModel": {"details": {"productId": 1, "shortDescription": "boot \ud83d\ude00"}}}
    half = json.dumps(json.dumps(state, ensure_ascii=False).replace("boot", "boot \udc00"))
    page = read_product(f"<script>{MARKS[0]}={half}</script>", PRODUCT)
    assert page.found[0].product.name == "boot � 😀"
    assert json.loads(page.state.encode("utf-8"))


@pytest.mark.parametrize(
    ("url", "pages", "following"),
    [
        (LISTING.format(2), {"totalPages": 3}, LISTING.format(3)),
        (LISTING.format(3), {"totalPages": 3}, ""),
        (LISTING.format(9), {"totalPages": 3}, ""),
        (LISTING.format(""), {"index": 1, "totalPages": 3}, LISTING.format(2)),
        (LISTING.format(5), {"index": 1, "totalPages": 9}, LISTING.format(6)),  # the answer of another page: go on
        ("https://a/api?pagetype=Shopping", {"totalPages": 2}, "https://a/api?pagetype=Shopping&page=2"),
        ("https://a/api", {"totalPages": 2}, "https://a/api?page=2"),
        ("https://a/api?page=1", {"totalItems": 61, "view": 60}, "https://a/api?page=2"),
        ("https://a/api?page=1", {"totalItems": 60, "view": 60}, ""),
        ("https://a/api?page=1", {"totalItems": 60, "view": 0}, ""),
        ("https://a/api?page=1", {"totalPages": True}, ""),
        ("https://a/api?page=1", {"totalPages": "9" * 5000}, ""),
        ("https://a/api?page=1", None, ""),
    ],
)
def test_the_next_page_is_the_same_address_with_the_next_number(url, pages, following):
    assert read_listing(json.dumps({"products": [], "listingPagination": pages}), url).next == following


def test_the_page_of_an_item_without_an_address_is_not_guessed():
    found = read_listing('{"products": [{"id": 7}]}', LISTING.format(1)).found[0]
    assert (found.page, found.page_key, found.product.url) == ("", "", "")


def test_a_picture_with_two_names_has_the_first_and_one_in_two_sizes_the_larger():
    cdn = "https://cdn-images.farfetch-contents.com/00/00/00/07/7_1_{}.jpg"
    item = {"id": 7, "images": {"cutOut": cdn.format(480), "model": cdn.format(1000), "all": [cdn.format(300)]}}
    (picture,) = read_listing(json.dumps({"products": [item]}), LISTING.format(1)).found[0].pictures
    assert (picture.view, picture.url) == ("cutout", cdn.format(1000))


def test_json_ld_of_another_product_is_not_taken_for_this_one():
    model = {"productViewModel": {"details": {"productId": 18100001}}}
    page = read_product(page_of({MARKS[2]: model}, {"@type": "Product", "sku": "5", "color": "red"}), PRODUCT)
    assert page.found[0].product.color == ""


@pytest.mark.parametrize(
    ("steps", "category", "path"),
    [
        (["Women Home", "Bags"], "Bags", ""),
        (["Kids", "Girls", "Shoes", "Boots", "Ankle Boots"], "Boots", "Boots > Ankle Boots"),
        (["Women", "Shoes"], "Shoes", ""),
        (["Bags"], "Bags", ""),
        (["Damen", "Vesper", "Schuhe", "Clog"], "Schuhe", ""),
        (["Women"], "", ""),
        ([], "", ""),
    ],
)
def test_the_category_begins_behind_the_department_the_brand_and_the_kind_of_goods(steps, category, path):
    details = {"productId": 1, "genderName": "damen", "shortDescription": "Clog"}
    crumbs = [{"text": step} for step in steps]
    model = {"details": details, "breadcrumb": crumbs, "designerDetails": {"name": "Vesper"}}
    found = read_product(page_of({MARKS[1]: {"productViewModel": model}}, {}), PRODUCT).found[0]
    assert (found.product.category, found.product.attributes.get("category_path", "")) == (category, path)
    assert ("category" in found.answered) == bool(category)
    told = " > ".join(steps)
    assert found.product.attributes.get("breadcrumb", "") == (told if told != category else "")


@unhurried
@given(
    st.text()
    | st.lists(st.sampled_from([*MARKS, "=", '"', "{", "[", "\\", "<script>", "</script>", "\0"])).map("".join)
)
def test_whatever_the_text_there_is_a_page_or_a_page_error(text):
    outcome(read_listing, text, LISTING.format(1))
    outcome(read_product, text, PRODUCT)


@pytest.mark.parametrize("text", ['{"a":' * 100_000, "[" * 100_000, '{"products": [' + "9" * 5000 + "]}"], ids=range(3))
def test_json_that_no_reader_can_hold_is_half_a_page(text):
    assert outcome(read_listing, text, LISTING.format(1)) in {"half_page", "not_json"}
    assert outcome(read_product, f"<html>{MARKS[0]} = {text}", PRODUCT) == "half_page"


@unhurried
@given(JSON)
def test_whatever_the_json_of_a_listing_there_is_a_page_or_a_page_error(value):
    outcome(read_listing, json.dumps(value), LISTING.format(1))
    outcome(read_listing, json.dumps({"products": [value], "listingPagination": value}), LISTING.format(1))


@unhurried
@given(st.dictionaries(st.sampled_from(MARKS), JSON), JSON)
def test_whatever_the_states_of_a_product_page_there_is_a_page_or_a_page_error(states, linked):
    outcome(read_product, page_of(states, linked), PRODUCT)


@st.composite
def good_and_spoilt(draw, good):
    """A good answer, and the same with any value in one place of it."""
    spoilt = json.loads(json.dumps(good))
    node = spoilt
    while isinstance(node, dict | list) and node:
        key = draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        if draw(st.booleans()) or not isinstance(node[key], dict | list):
            node[key] = draw(JSON)
            break
        node = node[key]
    return spoilt


@unhurried
@given(good_and_spoilt(json.loads(text_of("listing_items"))["listingItems"]["items"][0]))
def test_an_odd_item_never_ends_a_page(odd):
    good = json.loads(text_of("listing_items"))
    items = [*good["listingItems"]["items"], odd]
    page = read_listing(json.dumps({"listingItems": {"items": items}}), LISTING.format(1))
    assert [one.product.product for one in page.found][:2] == ["17200001", "17200002"]
    assert len(page.found) + len(page.odd) in {2, 3}  # without an id it is an advert


@unhurried
@given(st.data())
def test_whatever_stands_in_one_place_of_a_state_there_is_a_page_or_a_page_error(data):
    case = data.draw(st.sampled_from(["hydration", "apollo"]))
    state = json.loads(read_product(text_of(case), url_of(case)).state)
    outcome(read_product, page_of({MARKS[0]: data.draw(good_and_spoilt(state))}, {}), PRODUCT)


@unhurried
@given(st.data())
def test_a_good_page_cut_at_any_character_is_whole_in_what_it_tells_or_a_page_error(data):
    case = data.draw(st.sampled_from(["listing_items", "hydration", "initial_state", "slice_pdp", "apollo", "json_ld"]))
    text, url, read = text_of(case), url_of(case), read_listing if case == "listing_items" else read_product
    page = outcome(read, text[: data.draw(st.integers(0, len(text) - 1))], url)
    if isinstance(page, Page):
        assert [one.product.product for one in page.found] == [one.product.product for one in read(text, url).found]


@unhurried
@given(st.permutations(range(6)))
def test_whatever_the_order_of_the_items_the_same_products_are_found(order):
    url, answer = LISTING.format(1), json.loads(text_of("prices_as_texts"))
    items = [*answer["listingItems"]["items"][:4], {"type": "advert"}, {"id": {"odd": 1}}]
    straight = read_listing(json.dumps({"products": items}), url)
    shuffled = read_listing(json.dumps({"products": [items[place] for place in order]}), url)
    assert products(straight) == products(shuffled)
    assert straight.odd == shuffled.odd
