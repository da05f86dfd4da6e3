"""Searching on the page in a real browser: photos in, crops, the dial, filters, ways on and back."""

import base64
import re
from contextlib import suppress
from dataclasses import replace

import pytest

DROP = """([event, kind, text]) => {
  const carried = new DataTransfer();
  carried.items.add(new File([Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0))], "photo.jpg", { type: "image/jpeg" }));
  const said = { bubbles: true, cancelable: true, [kind]: carried };
  document.body.dispatchEvent(event === "paste" ? new ClipboardEvent(event, said) : new DragEvent(event, said));
}"""


def at(page, x, y):
    """A point of the photo, by shares of its sides."""
    box = page.locator("#crop").bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def drag(page, *points):
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=4)
    page.mouse.up()


def test_a_chosen_photo_is_answered_as_the_api_answers_it(visit, house, photo):
    one = visit().upload(photo).settled()
    told = one.page.request.post(
        "/v1/search", multipart={"file": {"name": "a", "mimeType": "image/jpeg", "buffer": photo}}
    ).json()
    first = one.page.locator(".card").first
    assert one.ids() == [hit["id"] for hit in told["hits"]]
    assert first.locator(".scores strong").inner_text() == f"{told['hits'][0]['score']:.2f}"
    assert first.locator("h3").inner_text() == told["hits"][0]["name"]
    assert first.locator(".price").inner_text() == f"${told['hits'][0]['price']:,.2f}"
    assert first.locator(".buy").get_attribute("href") == told["hits"][0]["url"]
    assert first.locator(".buy").get_attribute("rel") == "noopener noreferrer nofollow"
    assert one.page.locator("#progress").inner_text().startswith("Found in")
    assert re.fullmatch(r"24 results of \d+ products", one.page.locator("#told").inner_text())


@pytest.mark.parametrize(("event", "kind"), [("drop", "dataTransfer"), ("paste", "clipboardData")])
def test_a_photo_can_be_dropped_and_pasted(visit, photo, event, kind):
    one = visit()
    one.page.evaluate(DROP, [event, kind, base64.b64encode(photo).decode()])
    assert len(one.settled().names()) == 24


def test_a_photo_can_be_taken_with_the_camera(visit):
    one = visit()
    one.page.click("#camera-open")
    one.until("document.getElementById('camera-view').videoWidth > 0")
    one.page.click("#camera-take")
    one.settled()
    assert not one.page.locator("#camera").is_visible()
    assert one.page.evaluate("document.getElementById('camera-view').srcObject") is None  # and the camera is off


def test_where_the_browser_lends_no_camera_the_phone_is_asked_for_one(visit):
    one = visit()
    one.page.evaluate("() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error('refused')); }")
    with one.page.expect_file_chooser() as chooser:
        one.page.click("#camera-open")
    assert chooser.value.element.get_attribute("capture") == "environment"


def test_a_picture_can_be_searched_by_its_address_where_the_server_fetches_some(visit, serve, lonely, drawn):
    asked = []
    one = visit(serve(fetch=lambda url: asked.append(url) or lonely))
    one.page.fill("#address-text", "https://pictures.example/boot.jpg")
    one.page.keyboard.press("Enter")
    one.settled()
    assert one.page.locator("#unseen-name").inner_text() == "pictures.example"
    _, cut = one.asked(lambda: one.page.click("#crop-proposed"))  # though the browser cannot show it
    assert cut["crop"] is not None
    assert one.ids()[0] == drawn[0][0]["product"]
    assert set(asked) == {"https://pictures.example/boot.jpg"}


def test_an_address_that_is_dropped_where_none_is_fetched_is_told(visit):
    one = visit(expected=["400"])
    assert not one.page.locator("#address").is_visible()
    one.page.evaluate(
        """() => {
          const carried = new DataTransfer();
          carried.setData("text/uri-list", "https://pictures.example/boot.jpg");
          document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: carried }));
        }"""
    )
    one.page.locator("#trouble .detail", has_text="fetches no addresses").wait_for()


def test_what_is_drawn_with_the_mouse_is_searched_alone(visit, lonely):
    one = visit().upload(lonely).settled()
    page = one.page
    _, answer = one.asked(lambda: drag(page, at(page, 0.1, 0.3), at(page, 0.2, 0.5), at(page, 0.4, 0.8)))
    assert answer["crop"] == pytest.approx([0.1, 0.3, 0.4, 0.8], abs=0.01)
    _, moved = one.asked(lambda: drag(page, at(page, 0.25, 0.6), at(page, 0.35, 0.6)))
    assert moved["crop"] == pytest.approx([0.2, 0.3, 0.5, 0.8], abs=0.01)
    corner = page.locator(".corner[data-at='se']").bounding_box()
    hold = corner["x"] + corner["width"] - 10, corner["y"] + corner["height"] - 10
    _, pulled = one.asked(lambda: drag(page, hold, at(page, 2, 2)))  # beyond the photo
    assert pulled["crop"] == pytest.approx([0.2, 0.3, 1, 1], abs=0.01)
    _, again = one.asked(lambda: page.click("#crop-whole"))
    assert again["crop"] is None


def test_a_crop_can_be_made_with_keys_and_tells_where_it_is(visit, lonely):
    one = visit().upload(lonely).settled()
    corner = one.page.locator(".corner[data-at='se']")
    corner.focus()
    keys = [{"key": "ArrowLeft", "shiftKey": True}] * 4 + [{"key": "ArrowUp"}] * 5
    press = "(corner, keys) => keys.forEach((one) => corner.dispatchEvent(new KeyboardEvent('keydown', {...one, bubbles: true})))"
    _, answer = one.asked(lambda: corner.evaluate(press, keys))  # at once, however slow the machine is
    assert answer["crop"] == pytest.approx([0, 0, 0.6, 0.9], abs=0.001)
    assert corner.get_attribute("aria-valuetext") == "60% across, 90% down"
    assert len(one.uploads) == 2  # many keys, one question
    one.page.locator(".frame").focus()
    _, moved = one.asked(lambda: one.page.keyboard.press("Shift+ArrowRight"))
    assert moved["crop"] == pytest.approx([0.1, 0, 0.7, 0.9], abs=0.001)
    _, again = one.asked(lambda: one.page.keyboard.press("Escape"))
    assert again["crop"] is None


def test_a_crop_can_be_made_with_a_finger(visit, lonely):
    one = visit(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True).upload(lonely).settled()
    box = one.page.locator(".corner[data-at='nw']").bounding_box()
    start, end = (box["x"] + 20, box["y"] + 20), at(one.page, 0.3, 0.3)
    touch = one.context.new_cdp_session(one.page)

    def finger():
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": start[0], "y": start[1]}]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": end[0], "y": end[1]}]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    _, answer = one.asked(finger)
    assert answer["crop"][:2] == pytest.approx([0.3, 0.3], abs=0.06)
    assert answer["crop"][2:] == [1, 1]


def test_the_product_is_cut_out_at_one_press_where_the_server_found_it(visit, lonely, drawn):
    one = visit()
    _, answer = one.asked(lambda: one.upload(lonely))
    _, cut = one.asked(lambda: one.page.click("#crop-proposed"))
    assert cut["crop"] == pytest.approx(answer["proposal"], abs=1e-4)
    assert one.ids()[0] == drawn[0][0]["product"]
    assert not one.page.locator("#crop-proposed").is_visible()


def test_the_dial_ranks_anew_without_another_upload(visit, photo):
    one = visit().upload(photo).settled()
    one.page.focus("#dial")
    asked, shape = one.asked(lambda: one.page.keyboard.press("Home"))
    by_shape = one.ids()
    _, color = one.asked(lambda: one.page.keyboard.press("End"))
    assert set(asked) == {"query", "k", "order", "group_by", "color_weight"}
    assert (shape["color_weight"], color["color_weight"]) == (0, 1)
    assert one.ids() == [hit["id"] for hit in color["hits"]] != by_shape
    assert [hit["parts"]["color"] for hit in color["hits"]] == sorted(
        (hit["parts"]["color"] for hit in color["hits"]), reverse=True
    )
    assert len(one.uploads) == 1
    assert one.page.locator("#dial").get_attribute("aria-valuetext") == "0% shape, 100% color"
    assert one.page.evaluate("document.activeElement.id") == "dial"


def test_places_are_held_while_the_first_answer_is_on_its_way(visit, photo):
    one, held = visit(), []
    one.page.route("**/v1/search", lambda route: held.append(route))
    one.upload(photo)
    one.page.locator(".skeleton").first.wait_for()
    assert one.page.locator("#cards").get_attribute("aria-busy") == "true"
    assert one.page.locator("#progress").is_visible()
    while not held:
        one.page.wait_for_timeout(30)
    held[0].continue_()
    one.settled()
    assert one.page.locator(".skeleton").count() == 0


def test_an_answer_that_comes_too_late_is_not_shown(visit, photo):
    one = visit(expected=["ERR_"]).upload(photo).settled()
    held = []

    def hold_the_first(route):
        held.append(route) if not held else route.continue_()

    one.page.route("**/v1/search", hold_the_first)
    before = one.ids()
    one.page.focus("#dial")
    with one.page.expect_request("**/v1/search"):
        one.page.keyboard.press("Home")
    assert one.ids() == before  # the old ones stay until others come
    _, answer = one.asked(lambda: one.page.keyboard.press("End"))
    with suppress(Exception):  # the browser may have dropped it already
        held[0].continue_()
    one.page.wait_for_timeout(300)
    assert one.ids() == [hit["id"] for hit in answer["hits"]]
    assert one.page.locator("#dial-value").inner_text() == "100% color"


def test_a_price_is_asked_for_in_one_currency_and_goes_with_it(visit, photo, box):
    assert len(set(box.goods.values["currency"])) > 1
    one = visit().upload(photo).settled()
    price = one.page.locator("fieldset.price")
    assert price.is_hidden()
    asked, _ = one.asked(lambda: one.page.locator("fieldset.currency").get_by_text("EUR", exact=True).click())
    assert asked["currency"] == ["EUR"]
    price.wait_for()
    asked, answer = one.asked(lambda: one.page.fill("[aria-label='Price up to']", "200"))
    assert (asked["currency"], asked["price_max"]) == (["EUR"], 200)
    assert {hit["currency"] for hit in answer["hits"]} == {"EUR"}
    asked, _ = one.asked(lambda: one.page.get_by_label("Remove the filter currency EUR").click())
    assert not {"currency", "price_max"} & set(asked)
    price.wait_for(state="hidden")


def test_filters_narrow_and_are_told_as_chips(visit, photo, box):
    one = visit().upload(photo).settled()
    brand = box.goods.facts[0]["brand"]
    asked, _ = one.asked(lambda: one.page.locator("fieldset.brand").get_by_text(brand, exact=True).click())
    assert asked["brand"] == [brand]
    assert set(one.page.locator(".card .brand").all_inner_texts()) == {brand}
    prices = sorted({fact["price"] for fact in box.goods.facts if fact["brand"] == brand})
    cheap = [
        key
        for key, fact in zip(box.goods.keys, box.goods.facts, strict=True)
        if fact["brand"] == brand and fact["price"] <= prices[0]
    ]
    asked, _ = one.asked(lambda: one.page.fill("[aria-label='Price up to']", f"{prices[0]}"))
    assert (asked["brand"], asked["price_max"]) == ([brand], prices[0])
    assert sorted(one.ids()) == sorted(cheap)
    assert one.page.locator(".chip").all_inner_texts() == [brand, f"up to {prices[0]:g}"]
    asked, _ = one.asked(lambda: one.page.get_by_role("button", name="Clear all", exact=True).click())
    assert len(one.names()) == 24
    assert "brand" not in asked
    assert len(one.uploads) == 1


def test_filters_that_leave_nothing_say_so_and_can_be_cleared(visit, photo):
    one = visit().upload(photo).settled()
    one.asked(lambda: one.page.locator("fieldset.currency").get_by_text("EUR", exact=True).click())
    one.page.fill("[aria-label='Price up to']", "0.5")
    one.page.locator("#nothing").wait_for()
    one.asked(lambda: one.page.click("#nothing-clear"))
    assert len(one.names()) == 24


def test_a_brand_can_be_searched_for_among_many(visit, photo, box):
    one = visit().upload(photo).settled()
    brands = sorted({fact["brand"] for fact in box.goods.facts})
    one.page.fill("[aria-label='Find a brand']", brands[-1][:5].upper())
    assert one.page.locator("fieldset.brand li .value").all_inner_texts() == [brands[-1]]


def test_more_like_this_and_the_way_back(visit, photo):
    one = visit().upload(photo).settled()
    before, posts = one.ids(), len(one.posts)
    card = one.page.locator(".card").nth(2)
    card.hover()
    asked, _ = one.asked(lambda: card.locator(".alike").click())
    assert asked["product"] == before[2]
    assert before[2] not in one.ids()  # not itself
    assert one.page.url.endswith(f"?like={before[2]}")
    one.page.focus("#dial")
    asked, _ = one.asked(lambda: one.page.keyboard.press("End"))
    assert before[2] not in one.ids()  # nor when the dial is turned
    asked_before = len(one.posts)
    one.page.go_back()
    one.until("document.title === 'Look-alikes · lookalike'")
    assert one.ids() == before
    assert one.page.evaluate("document.activeElement.closest('.card').dataset.id") == before[2]
    one.page.go_forward()
    one.until("document.title.startsWith('More like')")
    one.page.click("#back")
    one.until("document.title === 'Look-alikes · lookalike'")
    assert len(one.posts) == asked_before  # the ways back and forth ask nothing
    one.page.go_back()
    assert one.page.locator("#welcome").is_visible()
    assert posts == 1


def like_this(one, place=0):
    """Press a card's button."""
    card = one.page.locator(".card").nth(place)
    card.hover()
    card.locator(".alike").click()


def go_back(one):
    """To the photo that was searched for first."""
    one.page.go_back()
    one.until("document.title === 'Look-alikes · lookalike'")


def test_after_the_way_back_more_can_be_shown_and_the_brand_be_told(visit, photo):
    one = visit().upload(photo).settled()
    one.asked(lambda: like_this(one))
    go_back(one)
    one.page.click("#on")
    one.until("document.querySelectorAll('.card').length > 24")
    one.page.click("#brand-toggle")
    one.page.locator("#brands li").first.wait_for()
    assert len(one.uploads) == 1


TURN_AND_LEAVE = """() => {
  document.getElementById("dial").value = 100;
  document.getElementById("dial").dispatchEvent(new Event("input"));
  document.querySelector(".card .alike").click();
}"""


def leave_before_it_is_asked(one):
    one.asked(lambda: one.page.evaluate(TURN_AND_LEAVE))


def leave_before_it_is_answered(one):
    held = []
    one.page.route("**/v1/search", lambda route: route.continue_() if held else held.append(route))
    one.page.focus("#dial")
    with one.page.expect_request("**/v1/search"):
        one.page.keyboard.press("End")
    one.asked(lambda: like_this(one))


@pytest.mark.parametrize("left", [leave_before_it_is_asked, leave_before_it_is_answered])
def test_what_was_left_before_its_answer_came_is_asked_on_the_way_back(visit, photo, left):
    one = visit().upload(photo).settled()
    before = one.ids()
    left(one)
    asked, answer = one.asked(lambda: go_back(one))
    assert asked["color_weight"] == 1
    assert one.ids() == [hit["id"] for hit in answer["hits"]] != before
    assert one.page.locator("#dial-value").inner_text() == "100% color"
    assert len(one.uploads) == 1


def test_counts_of_filters_that_are_left_are_not_shown_for_others(visit, photo, box):
    one = visit().upload(photo).settled()
    one.page.locator("#found-count", has_text="24 results of").wait_for()
    before = one.page.locator("#found-count").inner_text()
    held = []
    one.page.route("**/v1/facets?brand=*", lambda route: held.append(route))
    with one.page.expect_request("**/v1/facets?brand=*"):
        one.asked(lambda: one.page.locator("fieldset.brand label").first.click())
    assert re.fullmatch(r"\d+ results?", one.page.locator("#found-count").inner_text())  # not "of" all there are
    one.asked(lambda: one.page.get_by_role("button", name="Clear all", exact=True).click())
    with suppress(Exception):  # the browser may have dropped it already
        held[0].continue_()
    one.page.wait_for_timeout(300)
    assert one.page.locator("#found-count").inner_text() == before
    assert one.page.locator("#narrow-shut").text_content() == f"Show {len(box.goods.keys)} products"


def test_the_beginning_tells_of_all_products_whatever_was_filtered(visit, photo):
    one = visit()
    one.page.locator("#stock", has_text="to look through").wait_for()
    before = one.page.locator("#stock").inner_text()
    one.upload(photo).settled()
    with one.page.expect_response("**/v1/facets?brand=*"):
        one.asked(lambda: one.page.locator("fieldset.brand label").first.click())
    one.until("!document.getElementById('narrow-shut').textContent.includes('the results')")
    with one.page.expect_response(lambda came: came.url.endswith("/v1/facets?")):
        one.page.go_back()
    assert one.page.locator("#welcome").is_visible()
    assert one.page.locator("#stock").inner_text() == before


def test_an_address_with_a_product_opens_at_its_look_alikes(visit, box):
    key, fact = box.goods.keys[5], box.goods.facts[5]
    one = visit(path=f"/?like={key}").settled()
    one.until("document.getElementById('photo').naturalWidth > 0")
    assert fact["name"] in one.page.locator("#asked-facts").inner_text()
    assert key not in one.ids()


def test_the_least_alike_come_on_request(visit, photo):
    one = visit().upload(photo).settled()
    best = one.ids()
    asked, answer = one.asked(lambda: one.page.get_by_label("Least alike").check())
    assert asked["order"] == "worst"
    assert [hit["score"] for hit in answer["hits"]] == sorted(hit["score"] for hit in answer["hits"])
    assert one.ids()[0] != best[0]
    assert one.page.locator("#found-title").inner_text() == "Least alike"


def test_one_of_each_style_can_be_shown(visit, photo, box):
    one = visit().upload(photo).settled()
    asked, answer = one.asked(lambda: one.page.select_option("[aria-label='Show']", "style"))
    styles = [hit["style"] for hit in answer["hits"]]
    assert asked["group_by"] == "style"
    assert len(styles) == len(set(styles)) == len({fact["style"] for fact in box.goods.facts})


def test_more_are_shown_on_request_and_the_first_of_them_is_reached(visit, photo):
    one = visit().upload(photo).settled()
    before = one.ids()
    one.page.click("#on")
    one.until("document.querySelectorAll('.card').length > 24")
    assert one.ids()[:24] == before
    assert len(set(one.ids())) == len(one.ids())
    assert one.page.evaluate("document.activeElement.closest('.card').dataset.id") == one.ids()[24]
    assert len(one.uploads) == 1


def test_what_is_liked_can_be_searched_by(visit, photo):
    one = visit().upload(photo).settled()
    first, second = one.ids()[:2]
    one.page.locator(".card .thumb.more").nth(0).click()
    one.page.locator(".card .thumb.less").nth(1).click()
    assert one.page.locator("#taste-text").inner_text() == "1 liked, 1 not"
    asked, _ = one.asked(lambda: one.page.click("#taste-go"))
    assert (asked["liked"], asked["disliked"]) == ([first], [second])
    assert not {first, second} & set(one.ids())
    one.page.click("#taste-clear")
    assert not one.page.locator("#taste").is_visible()


def test_the_brand_is_told_with_bars_and_without_another_upload(visit, photo):
    one = visit().upload(photo).settled()
    with one.page.expect_response("**/v1/brand") as came:
        one.page.click("#brand-toggle")
    told = came.value.json()
    one.page.locator("#brands li").first.wait_for()
    assert one.page.locator("#brands p").inner_text() == f"It looks like {told['brand']}."
    assert one.page.locator("#brands .value").all_inner_texts() == [
        *[one["brand"] for one in told["brands"][:5]],
        "Unknown",
    ]
    width = one.page.locator("#brands i").first.evaluate("bar => bar.offsetWidth / bar.parentElement.offsetWidth")
    assert width == pytest.approx(told["brands"][0]["probability"], abs=0.02)
    assert len(one.uploads) == 1
    one.page.click("#brand-toggle")
    assert not one.page.locator("#brands").is_visible()


def test_a_brand_that_is_not_known_is_told_plainly(visit, serve, box, photo):
    doubtful = replace(box.namer, calibration=replace(box.namer.calibration, offset=9.0, slope=0.0))
    one = visit(serve(replace(box, namer=doubtful))).upload(photo).settled()
    one.page.click("#brand-toggle")
    one.page.locator("#brands .unknown.first").wait_for()
    assert one.page.locator("#brands p").inner_text().startswith("Unknown.")


def test_what_a_shop_wrote_is_text_alone_and_only_web_addresses_are_followed(visit, photo):
    nasty = {
        "name": "<img src=x onerror=alert(1)>",
        "brand": "<b>Bold</b>",
        "url": "javascript:alert(1)",
        "currency": "none",
    }

    def spoil(route):
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "hits": [hit | nasty for hit in answer.json()["hits"]]})

    one = visit()
    one.page.on("dialog", lambda _: pytest.fail("a script ran"))
    one.page.route("**/v1/search", spoil)
    one.upload(photo).settled()
    assert one.names()[0] == nasty["name"]
    assert one.page.locator(".card .price").first.inner_text().endswith(" none")
    assert one.page.locator(".card b b, .card h3 img, .buy").count() == 0
