from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shops.pages.page import Page, PageError
from shops.pages.plain import read_listing, read_product

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault
PAGES = Path(__file__).parents[1] / "pages" / "plain"
URL = "http://127.0.0.1:8090/boots?page=0"
PARTS = (
    *(
        '<ul class="products">',
        "<li>",
        '<a class="product" href="/p/1">',
        '<a class="product" href="http://[">',
        "</ul>",
    ),
    *(
        '<dl class="facts">',
        "<dt>product</dt>",
        "<dd>1</dd>",
        "<dt>price",
        "</dl>",
        "</html>",
        "<figure>",
        "<!--",
        "\0",
    ),
    *(
        '<img src="//[x">',
        '<link rel="next" href="?">',
        '<link rel="canonical" href="http://[">',
        "<template>",
        "&#xD800;",
    ),
)


def text_of(case):
    return (PAGES / case / "page.html").read_text("utf-8")


def outcome(read, text):
    """What came of it; anything but a Page and a PageError is a fault of the reader."""
    try:
        page = read(text, URL)
    except PageError as wrong:
        return wrong.reason
    assert isinstance(page, Page)
    return page


def test_a_saved_page_is_read_as_it_was(case, saved, read_case):
    assert read_case(case) == saved(case)[1]


def test_json_where_a_page_was_is_another_layout():
    assert outcome(read_listing, '{"products": []}') == outcome(read_product, "[1]") == "unknown_layout"


def test_what_a_link_says_behind_the_question_mark_is_no_part_of_the_id():
    text = text_of("listing").replace("/p/toy-00013-1", "/p/toy-00013-1?from=boots")
    found = read_listing(text, URL).found[-1]
    assert (found.page_key, found.page) == ("toy-00013-1", "http://127.0.0.1:8090/p/toy-00013-1?from=boots")


@unhurried
@given(st.text() | st.lists(st.sampled_from(PARTS)).map("".join))
def test_whatever_the_text_there_is_a_page_or_a_page_error(text):
    for end in ("", "</html>"):
        outcome(read_listing, text + end)
        outcome(read_product, text + end)


@unhurried
@given(st.data())
def test_a_good_page_cut_at_any_character_is_half_a_page(data):
    case, read = data.draw(st.sampled_from([("listing", read_listing), ("product", read_product)]))
    text = text_of(case).strip()
    assert outcome(read, text[: data.draw(st.integers(0, len(text) - 1))]) == "half_page"


@unhurried
@given(st.permutations(range(3)))
def test_whatever_the_order_of_the_links_the_same_products_are_found(order):
    links = [f'<li><a class="product" href="/p/toy-{n}">Boot {n}</a></li>' for n in range(3)]
    text = f'<ul class="products">{"".join(links[n] for n in order)}</ul></html>'
    assert {one.product.product for one in read_listing(text, URL).found} == {"toy-0", "toy-1", "toy-2"}
