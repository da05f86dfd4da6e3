import json
from itertools import pairwise

import pytest

from shops.pages.page import BlockedError, GoneError, PageError
from shops.pages.verdict import breaks_off, judge

URL = "https://shop.example/boots?p=1"
WORDS = "Boots of leather and of felt, for rain and for snow. " * 10
PAGE = f"<!DOCTYPE html><html><head><title>Boots</title></head><body><p>{WORDS}</p></body></html>"
CHALLENGES = {
    "cloudflare": "<title>Just a moment...</title><script>window._cf_chl_opt={cvId:'3'}</script>",
    "perimeterx": '<title>Access to this page has been denied</title><div id="px-captcha"></div>',
    "datadome": "<script>var dd={'host':'geo.captcha-delivery.com'}</script>",
    "akamai": '<div id="sec-if-cpt-container"></div>',
    "akamai_denied": "<H1>Access Denied</H1> Reference #18 https://errors.edgesuite.net/18",
    "incapsula": '<iframe src="/_Incapsula_Resource?SWUDNSAI=31"></iframe>',
    "a_box_to_tick": '<form><div class="g-recaptcha" data-sitekey="1"></div></form>',
}


def judged(status, text):
    """What is raised, and its reason; nothing for a page to read."""
    try:
        judge(status, text, URL)
    except PageError as wrong:
        return type(wrong), wrong.reason
    return None


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("text", [PAGE, PAGE.replace("</html>", "</HTML >\n\n"), '{"products": []}', " [1]\n"])
def test_a_whole_page_is_read_even_where_the_shop_calls_it_a_bad_request(status, text):
    assert judged(status, text) is None


@pytest.mark.parametrize("status", [200, 403, 429, 503])
@pytest.mark.parametrize("maker", CHALLENGES)
def test_a_challenge_is_a_block_whatever_its_status(status, maker):
    kind, _ = judged(status, f"<html><head></head><body>{CHALLENGES[maker]}<p>{WORDS}</p></body></html>")
    assert kind is BlockedError


@pytest.mark.parametrize("maker", CHALLENGES)
@pytest.mark.parametrize(
    "products",
    [
        '<script>window.__INITIAL_STATE__ = {"products":{"list":[]}}</script>',
        '<script id="__NEXT_DATA__">{}</script>',
        '<a href="/p/boot/product/12/color/3">Boot</a>',
        '<span itemprop="price">$1</span>',
        '<a href="/uk/shopping/women/boot-item-123.aspx">Boot</a>',
    ],
)
def test_a_page_with_products_is_none_however_it_speaks(maker, products):
    assert judged(200, f"<html><body>{CHALLENGES[maker]}<p>{WORDS}</p>{products}</body></html>") is None


def test_a_page_that_speaks_of_captchas_is_no_challenge():
    assert judged(200, PAGE.replace("Boots of", "Tick the captcha to sign in. Boots of")) is None


@pytest.mark.parametrize(
    ("status", "text", "kind", "reason"),
    [
        (403, PAGE, BlockedError, "status_403"),
        (429, "", BlockedError, "status_429"),
        (404, PAGE, GoneError, "status_404"),
        (410, "", GoneError, "status_410"),
        (500, PAGE, PageError, "status_500"),
        (302, PAGE, PageError, "status_302"),
        (200, "", BlockedError, "too_short"),
        (200, "<html></html>", BlockedError, "too_short"),
        (400, "Bad Request", PageError, "status_400"),  # of one address, not of all
        (200, PAGE[:-20], PageError, "half_page"),
        (400, PAGE[:-20], PageError, "half_page"),
        (200, '{"products": [', PageError, "half_page"),
    ],
)
def test_every_other_answer_has_a_reason_to_count_by(status, text, kind, reason):
    assert judged(status, text) == (kind, reason)


def test_a_refusal_is_told_as_it_is_and_a_challenge_with_what_to_do_if_it_is_none():
    with pytest.raises(BlockedError, match=r"^https://shop.example/boots\?p=1: the shop refuses \(HTTP 403\)$"):
        judge(403, PAGE, URL)
    with pytest.raises(BlockedError, match=r"boots\?p=1: a challenge instead of a page \(HTTP 200\)\. .*save_page.py"):
        judge(200, "<title>Just a moment...</title>", URL)


@pytest.mark.parametrize("whole", [PAGE, json.dumps({"a": [{"b": "c"}, 1]})])
def test_a_page_breaks_off_wherever_it_is_cut(whole):
    assert not breaks_off(whole)
    cuts = [whole[:end] for end in range(1, len(whole))]
    assert all(breaks_off(cut) for cut in cuts)
    assert all(len(one) + 1 == len(other) for one, other in pairwise(cuts))
