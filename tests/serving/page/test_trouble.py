"""What the page does when something goes wrong, and while the release is swapped under it."""

import io
import threading
from dataclasses import replace

import polars as pl
import pytest

KEY = "a-key-of-the-house-1"


def title(one):
    one.page.locator("#trouble h3").wait_for()
    return one.page.locator("#trouble h3").inner_text()


@pytest.fixture(scope="module")
def large(drawn):
    """A photo of a million bytes or so."""
    import numpy as np
    from PIL import Image

    small = Image.open(io.BytesIO(drawn[0][1])).resize((2400, 2400), Image.Resampling.BICUBIC)
    grain = np.random.default_rng(0).integers(-12, 12, (2400, 2400, 3))
    kept = io.BytesIO()
    Image.fromarray((np.asarray(small) + grain).clip(0, 255).astype(np.uint8)).save(kept, "jpeg", quality=92)
    return kept.getvalue()


def test_what_is_no_picture_is_told_in_the_servers_words(visit):
    one = visit(expected=["415"]).upload(b"no picture at all", "boots.jpg")
    assert title(one) == "This is no picture that can be read"
    assert "The picture cannot be used" in one.page.locator("#trouble .detail").inner_text()
    assert one.page.locator("#unseen-name").inner_text() == "boots.jpg"
    assert one.page.locator(".card").count() == 0
    with one.page.expect_file_chooser():
        one.page.get_by_role("button", name="Choose another photo").click()


@pytest.mark.parametrize(("data", "kind"), [(b"", "image/png"), (b"a,b", "text/csv")], ids=["empty", "a table"])
def test_what_can_be_known_to_be_no_picture_is_not_sent(visit, data, kind):
    one = visit().upload(data, "boots", kind)
    assert title(one)
    assert one.posts == []


def test_an_error_leaves_the_results_before_one_step_away(visit, photo):
    one = visit(expected=["415"]).upload(photo).settled()
    before = one.ids()
    one.upload(b"no picture at all", "boots.jpg")
    title(one)
    one.page.go_back()
    one.settled()
    assert one.ids() == before
    assert not one.page.locator("#trouble").is_visible()


def test_a_photo_that_is_too_large_can_be_sent_smaller(visit, serve, large):
    one = visit(serve(body_bytes=700_000), expected=["413", "ERR_"])
    assert len(large) > 700_000
    one.upload(large)
    assert title(one) == "The photo is too large"
    one.asked(lambda: one.page.get_by_role("button", name="Send a smaller copy").click())
    assert len(one.names()) == 24


def test_a_server_that_is_gone_leaves_the_results(visit, serve, photo):
    house = serve()
    one = visit(house, expected=["ERR_"]).upload(photo).settled()
    before = one.ids()
    house.stop()
    one.page.focus("#dial")
    one.page.keyboard.press("End")
    assert title(one) == "The server does not answer"
    assert one.ids() == before
    assert one.page.get_by_role("button", name="Try again").is_visible()


def test_without_a_connection_it_says_so_and_goes_on_when_there_is_one(visit, photo):
    one = visit(expected=["ERR_"]).upload(photo).settled()
    one.context.set_offline(True)
    one.page.focus("#dial")
    one.page.keyboard.press("End")
    assert title(one) == "You are offline"
    asked, _ = one.asked(lambda: one.context.set_offline(False))
    assert asked["color_weight"] == 1
    assert not one.page.locator("#trouble").is_visible()


def test_a_busy_server_is_asked_once_more_after_the_time_it_names(visit, serve, box, photo):
    began, go_on = threading.Event(), threading.Event()

    def look(squares):
        began.set()
        go_on.wait(20)
        return box.look(squares)

    house = serve(replace(box, look=look), at_once=1, waiting=0)
    other, one = visit(house), visit(house, expected=["429"])
    other.upload(photo)  # it takes the only place
    assert began.wait(20)
    one.upload(photo)
    one.page.locator("#progress-text", has_text="Trying again in 1 second").wait_for()
    go_on.set()
    one.settled()
    other.settled()
    assert len(one.uploads) == 2
    assert not one.page.locator("#trouble").is_visible()


def test_a_swap_is_told_and_the_results_stay_until_another_search_is_wanted(visit, serve, photo):
    house = serve()
    one = visit(house).upload(photo).settled()
    before = one.ids()
    house.swap("toy/000000000002")
    one.page.click("#updates")
    one.page.locator("#notice").wait_for()
    assert "toy/000000000002" in one.page.locator("#notice-text").inner_text()
    assert one.ids() == before
    _, answer = one.asked(lambda: one.page.click("#notice-go"))
    assert answer["release"] == "toy/000000000002"
    assert not one.page.locator("#notice").is_visible()
    assert len(one.uploads) == 2  # the kept photo, without asking for it


def test_other_prices_and_shops_of_another_release_are_shown_beside_its_results(visit, serve, box, photo):
    house = serve()
    one = visit(house).upload(photo).settled()
    before = one.page.locator(".card .price").all_inner_texts()
    other = pl.lit("https://other.example/").add(pl.col("product")).alias("url")
    facts = replace(box.goods.facts, table=box.goods.facts.table.with_columns(other), prices=box.goods.prices * 2)
    house.swap("toy/000000000002", goods=replace(box.goods, facts=facts))
    with one.page.expect_response("**/v1/facets?*"):  # and what filters would leave of it
        one.page.click("#updates")
    one.page.locator("#notice").wait_for()
    assert one.page.locator(".card .price").all_inner_texts() == before
    _, answer = one.asked(lambda: one.page.click("#notice-go"))
    prices = one.page.locator(".card .price").all_inner_texts()
    assert [price.lstrip("$€£") for price in prices] == [f"{hit['price']:,.2f}" for hit in answer["hits"]]
    assert prices != before
    links = one.page.locator(".card .buy").evaluate_all("all => all.map(one => one.getAttribute('href'))")
    assert links == [hit["url"] for hit in answer["hits"]] == [f"https://other.example/{key}" for key in one.ids()]


def test_a_swap_is_seen_after_a_minute_and_the_notice_can_be_put_away(visit, serve, photo):
    house = serve()
    one = visit(house)
    one.page.clock.install()
    one.page.reload()
    one.upload(photo).settled()
    house.swap("toy/000000000002")
    one.page.clock.fast_forward(80_000)
    one.page.locator("#notice").wait_for()
    one.page.click("#notice-close")
    assert not one.page.locator("#notice").is_visible()
    assert one.page.locator("#version").inner_text().startswith("toy/000000000002")


def test_a_query_of_the_release_before_is_asked_again_with_the_photo(visit, serve, photo):
    house = serve()
    one = visit(house, expected=["422"]).upload(photo).settled()
    house.swap("toy/000000000002")
    one.page.focus("#dial")
    one.page.keyboard.press("End")
    one.page.locator("#version", has_text="toy/000000000002").wait_for()
    one.settled()
    assert len(one.uploads) == 2
    assert not one.page.locator("#trouble").is_visible()
    assert not one.page.locator("#notice").is_visible()


def test_a_product_that_is_gone_is_told(visit):
    one = visit(path="/?like=nobody", expected=["404"])
    assert title(one) == "It is not here any more"
    assert "nobody" in one.page.locator("#trouble .detail").inner_text()


def test_a_picture_that_a_key_could_not_fetch_is_asked_for_where_it_is_shown_next(visit, serve, photo):
    one = visit(serve(key=KEY), expected=["401", "ERR_"])
    one.page.fill("#key-text", KEY)
    one.page.keyboard.press("Enter")
    one.page.locator("#version", has_text="toy/").wait_for()
    one.page.route("**/v1/pictures/**", lambda route: route.abort())
    one.upload(photo).settled()
    one.until("document.querySelectorAll('.card .lost').length === 24")
    one.page.unroute("**/v1/pictures/**")
    one.asked(lambda: one.upload(photo))
    one.until("document.querySelector('.card img').naturalWidth > 0")


def test_a_key_is_asked_for_and_kept_in_the_tab_alone(visit, serve, photo):
    one = visit(serve(key=KEY), expected=["401"])
    one.page.fill("#key-text", "a-wrong-key-of-nobody")
    one.page.keyboard.press("Enter")
    one.page.locator("#key-why", has_text="refused").wait_for()
    one.page.fill("#key-text", KEY)
    one.page.keyboard.press("Enter")
    one.page.locator("#version", has_text="toy/").wait_for()
    one.upload(photo).settled()
    one.until("document.querySelector('.card img').naturalWidth > 0")  # pictures need it too
    assert one.page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
    assert KEY not in one.page.content()
    one.page.click("#key-forget")
    one.page.locator("#key[open]").wait_for()
