"""How the page is to be met: by keyboard, by ear, on a small screen, in the dark; and what its files may not hold."""

import io
import re
from importlib import resources

import pytest
from PIL import Image

FAINT = """(least) => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) => [0, 1, 2].map((at) => top[at] * top[3] + under[at] * (1 - top[3])).concat(1);
  const ground = (element) => {
    if (!element) return [255, 255, 255, 1];
    const own = rgba(getComputedStyle(element).backgroundColor);
    return own[3] === 1 ? own : over(own, ground(element.parentElement));
  };
  const linear = (one) => (one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
  const light = (color) => [0.2126, 0.7152, 0.0722].reduce((sum, part, at) => sum + part * linear(color[at] / 255), 0);
  const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.data.trim(), element = walk.currentNode.parentElement;
    const seen = element.checkVisibility({ opacityProperty: true });
    if (!text || !seen || element.closest(".unheard, .skip, noscript, [disabled]")) continue;
    const behind = ground(element), ink = light(over(rgba(getComputedStyle(element).color), behind)), paper = light(behind);
    const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    if (ratio < least) found.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return found;
}"""
SMALL_TARGETS = """() => {
  const all = "button, a[href], summary, select, input:not([type=radio], [type=checkbox]), [role=slider], fieldset label";
  return [...document.querySelectorAll(all)]
    .filter((one) => one.checkVisibility({ opacityProperty: true }) && !one.closest(".unheard, .skip"))
    .map((one) => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
    .filter(([, at]) => at.height < 43.5 || at.width < 43.5)
    .map(([words, at]) => `${words} ${at.width}x${at.height}`);
}"""
UNNAMED = r"^\s*- (button|link|slider|checkbox|radio|combobox|textbox|searchbox|spinbutton)(?! \")"
PHONE = {"viewport": {"width": 320, "height": 640}, "has_touch": True, "is_mobile": True}


def width(page):
    return page.evaluate("Math.max(document.documentElement.scrollWidth, window.innerWidth)")


def states(one, photo):
    """The page at its beginning, with results, with all that unfolds, and with an error; each named."""
    yield "empty"
    one.upload(photo).settled()
    yield "results"
    if not one.page.locator("#narrow-fold").evaluate("fold => fold.open"):
        one.page.locator("summary").click()
    one.page.locator("fieldset.category label").first.click()
    one.page.locator(".chip").wait_for()
    one.settled()
    one.page.click("#brand-toggle")
    one.page.locator("#brands li").first.wait_for()
    one.page.locator(".thumb.more").first.click()
    yield "unfolded"
    one.upload(b"no picture at all", "a-very-long-name-" * 9 + ".jpg")
    one.page.locator("#trouble h3").wait_for()
    yield "error"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(visit, photo, scheme):
    one = visit(color_scheme=scheme, expected=["415"], reduced_motion="reduce")
    paper = one.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(251, 251, 252)") == (scheme == "light")
    faint = {state: one.page.evaluate(FAINT, 4.5) for state in states(one, photo)}
    assert {state: texts for state, texts in faint.items() if texts} == {}


def test_a_screen_320_pixels_wide_is_wide_enough_and_fingers_find_what_they_press(visit, photo):
    one = visit(**PHONE, expected=["415"])
    found = {state: (width(one.page), one.page.evaluate(SMALL_TARGETS)) for state in states(one, photo)}
    assert found == dict.fromkeys(found, (320, []))


def test_everything_that_is_pressed_has_a_name_and_every_place_a_landmark(visit, photo):
    one = visit(expected=["415"])
    for state in states(one, photo):
        told = one.page.locator("body").aria_snapshot()
        assert re.findall(UNNAMED, told, re.MULTILINE) == [], state
        assert all(place in told for place in ("- banner:", "- main:", "- contentinfo:")), state
    ids = one.page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert sorted(set(ids)) == sorted(ids)


def test_the_whole_way_can_be_gone_by_keyboard(visit, photo):
    one = visit()
    keys = one.page.keyboard
    with one.page.expect_file_chooser() as chooser:
        while one.page.evaluate("document.activeElement.id") != "choose":
            keys.press("Tab")
        keys.press("Enter")
    chooser.value.set_files({"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": photo})
    one.settled()
    assert one.page.evaluate("document.activeElement.id") == "found-title"
    keys.press("Tab")  # the order
    asked, _ = one.asked(lambda: keys.press("ArrowRight"))
    assert asked["order"] == "worst"
    keys.press("Tab")
    card = one.page.evaluate("document.activeElement.closest('.card').dataset.id")
    assert one.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    asked, _ = one.asked(lambda: keys.press("Enter"))
    assert asked["product"] == card
    assert one.page.evaluate("document.activeElement.id") == "found-title"
    while one.page.evaluate("document.activeElement.id") != "back":
        keys.press("Shift+Tab")
    keys.press("Enter")
    one.until("document.activeElement.closest('.card') !== null")
    assert one.page.evaluate("document.activeElement.closest('.card').dataset.id") == card


def test_who_wants_less_motion_gets_none(visit, photo):
    one = visit(reduced_motion="reduce").upload(photo).settled()
    one.page.focus("#dial")
    one.asked(lambda: one.page.keyboard.press("End"))
    assert one.page.evaluate("document.getAnimations().length") == 0


def test_a_photo_is_shown_upright(visit, lonely):
    lying, kept = Image.open(io.BytesIO(lonely)), io.BytesIO()
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter turn
    lying.save(kept, "jpeg", exif=turned)
    one = visit().upload(kept.getvalue()).settled()
    one.until("photo.naturalWidth > 0 && !crop.hidden")
    box = one.page.locator("#crop").bounding_box()
    assert one.page.evaluate("[photo.naturalWidth, photo.naturalHeight]") == [320, 480]
    assert box["height"] / box["width"] == pytest.approx(1.5, abs=0.02)


def test_the_files_hold_no_style_or_script_that_the_policy_forbids_and_no_foreign_address():
    files = {file.name: file.read_text() for file in (resources.files("lookalike.serving") / "page").iterdir()}
    assert {"index.html", "page.css", "page.js", "mark.svg"} <= set(files)
    for name, text in files.items():
        alone = text.replace("http://www.w3.org/2000/svg", "")
        assert (
            re.findall(
                r"\sstyle=|\son\w+=|<style|<script>|innerHTML|outerHTML|insertAdjacentHTML|eval\(|https?://[a-z]", alone
            )
            == []
        ), name
