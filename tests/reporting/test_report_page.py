"""The report of a run: its words and numbers, a page that needs nothing else, and a map that answers in a real browser."""

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest
import simplejpeg

from lookalike.reporting import embedding_map
from lookalike.reporting.curves import Line, interval_bar, lines
from lookalike.reporting.examples import Seen, gallery
from lookalike.reporting.failures import CAUSES, Count
from lookalike.reporting.report_page import Against, Asked, Dial, Group, Map, Report, Shown, numbers, render, verdict
from lookalike.reporting.tiles import sprite, tile
from lookalike.retrieval.dial import Turn
from lookalike.retrieval.evaluation import Figure
from lookalike.retrieval.reliance import Reliance
from lookalike.retrieval.significance import Difference

HOSTILE = "<script>alert('\"1\"')</script>"
FIGURE = {"value": 0.625, "ci95": [0.5, 0.75], "queries": 8}
LESS = {"value": 0.25, "ci95": [0.125, 0.375], "queries": 8}
COUNTS = {"queries": 8, "no_twin": 1, "gallery": 20}
BANDS = ("over 90 USD", "up to 120 EUR", "up to 50 USD", "50 to 90 USD")
METRICS = {
    "protocol": {"match": "style", "split": "test", "query_view": "", "twin": f"the query's {HOSTILE}"},
    "val": {"recall@1": {"value": 0.875, "ci95": [0.8, 0.9], "queries": 8}, **COUNTS},
    "test": {"map@r": LESS, "recall@1": FIGURE, "recall@5": FIGURE, **COUNTS},
    "slices": {
        "brand": {HOSTILE: {"recall@1": FIGURE}, "B": {"recall@1": {**FIGURE, "queries": 9}}},
        "price": {band: {"recall@1": FIGURE} for band in BANDS},
        "view": {"outside": {"recall@1": FIGURE}},
    },
    "slices_left_out": {"brand": {"values": 3, "queries": 4, "untold": 2}},
    "chosen": {"by": "val map@r", "finish": "whitening, shrinkage 0.1", "val map@r": 0.75},
    "cost": {"training_minutes": 1.25, "megabytes": None},
}
HISTORY = [{"step": at, "epoch": 0, "train/loss": 1 / at} for at in (1, 2, 3)]
SURE = Figure(value=0.5, low=0.25, high=0.75, queries=8)


def square(color):
    return np.full((32, 32, 3), color, np.uint8)


def shown(image, sign=""):
    return Shown(image=image, source=tile(square((200, 30, 30)), side=16), caption=HOSTILE, sign=sign)


def group(title, more=0):
    asked = Asked(
        query=shown("q#0"), given=(shown("t#0", "twin"), shown("s#0", "stranger")), says="first twin at rank 2"
    )
    return Group(title=title, says="the worst", asked=(asked,), total=1 + more)


def drawn():
    """Forty pictures in two groups, of two brands."""
    random = np.random.default_rng(0)
    vectors = np.repeat(random.normal(size=(2, 8)), 20, axis=0) + 0.1 * random.normal(size=(40, 8))
    laid = embedding_map.plane(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    images = [f"p{at}#0" for at in range(40)]
    told = {"product": images, "brand": ["Acme"] * 20 + ["</script><b>Bolt"] * 20, "view": ["front", "back"] * 20}
    table = pl.DataFrame({"image": images, **told})
    return Map(
        plane=laid,
        points=embedding_map.points(table, laid.places),
        colorings=embedding_map.colorings(table, dict.fromkeys(images[:30], True)),
        sprite=sprite([square((at, 0, 255 - at)) for at in range(40)], side=16),
        pictures=41,
    )


def turn(weight):
    return Turn(weight=weight, figures={"style": SURE, "color": SURE})


@pytest.fixture(scope="module")
def whole():
    """A report that lacks nothing."""
    first = {"same_brand": (3, 4, 0.25), "unexplained": (1, 1, None)}
    causes = tuple(
        Count(cause=one, first=told[0], fits=told[1], chance=told[2], misses=4)
        for one in CAUSES
        for told in [first.get(one.name, (0, 0, None))]
    )
    return Report(
        title="shoes/today",
        dataset="zappos@abc",
        metrics=METRICS,
        history=HISTORY,
        environment={"commit": "abc", "packages": {"torch": "2.15", "numpy": "2.3"}, "resumed": ["a", "b"]},
        settings={"name": "shoes", "backbone": {"name": HOSTILE}},
        gallery=(group("Found last", more=5),),
        causes=causes,
        examples={one.name: group(one.title) for one in CAUSES},
        words={"blurred": "by so much"},
        against=Against(
            name="other/run",
            value=0.5,
            difference=Difference(value=0.125, low=0.05, high=0.2, p=0.0123, seeds=(1, 1)),
            broken=group("Newly broken 1"),
            mended=Group(title="Newly mended 0", says="", asked=(), total=0),
        ),
        map=drawn(),
        dial=Dial(turns=tuple(turn(at / 4) for at in range(5)), chosen=0.25, val={0.25: 0.5}, own=0.5),
        reliance=(Reliance(change="gray", cosine=SURE, recall=SURE, fall=replace(SURE, value=-0.25)),),
    )


@pytest.fixture(scope="module")
def page(whole):
    return render(whole)


@pytest.fixture(scope="module")
def bare(whole):
    """What is left of a report where nothing was looked at again."""
    few = {"gallery": (), "causes": (), "examples": {}, "against": None, "map": None, "dial": None, "reliance": ()}
    return render(replace(whole, history=(), **few))


def words(html):
    """What a reader sees."""
    plain = re.sub(r"(?s)<(style|script)\b.*?</\1>", "", html)
    return " ".join(re.sub(r"<[^>]+>", " ", plain).split())


# What it says


def test_where_the_run_has_a_search_of_its_own_it_says_what_is_by_the_exact_one(whole, page):
    own = {**METRICS, "protocol": {**METRICS["protocol"], "search": "100 clusters, 1 probed"}}
    said = "by the search of the run (100 clusters, 1 probed); the nearest twins of failures, the color dial"
    assert said in words(render(replace(whole, metrics=own)))
    exact = {**METRICS, "protocol": {**METRICS["protocol"], "search": "exact"}}
    assert "search of the run" not in words(page) + words(render(replace(whole, metrics=exact)))


def test_which_of_a_names_runs_it_is_stands_at_the_top_where_there_are_several(whole, page):
    several = replace(whole, runs=3, environment={**whole.environment, "seed": 2})
    assert "on zappos@abc , seed 2, the newest of 3 runs of this name" in words(render(several))
    assert "the newest of" not in words(page)


@pytest.mark.parametrize(
    ("ranks", "says"), [((1, 2), "the worst"), ((1, 1), "every query found a twin first; these most narrowly")]
)
def test_of_queries_that_all_found_a_twin_none_is_called_the_worst(ranks, says):
    table = pl.DataFrame({"image": ["a", "b"], "color": "", "view": "", "brand": "", "product": "p"})
    seen = Seen(table=table, squares=np.zeros((2, 8, 8, 3), np.uint8), labels=["p", "p"], row_of={"a": 0, "b": 1})
    queries = pl.DataFrame(
        {"image": ["a", "b"], "rank": ranks, "score": [0.9, 0.8], "twins": [1, 1], "nearest": [["b"], ["a"]]}
    ).with_columns(product=pl.lit("p"), style=pl.lit(""))
    *_, last = gallery(seen, queries, most=2, seed=0)
    assert (last.title, last.says, last.asked[0].query.image) == ("Found last", says, "b")


def test_the_verdict_stands_at_the_top_with_its_interval(page):
    said = words(page)
    assert "Run shoes/today on zappos@abc 62.5 % of the queries find their style first" in said
    assert "The 95 % interval is 50.0 to 75.0; 8 queries among 20 pictures." in said


@pytest.mark.parametrize(
    ("ends", "level", "said"),
    [
        ([0.2, 0.45], "good", "It is beaten"),
        ([0.2, 0.5], "fair", "The intervals overlap"),
        ([0.8, 0.9], "bad", "this run does worse"),
    ],
)
def test_what_had_to_be_beaten_is_beaten_only_where_the_intervals_lie_apart(whole, ends, level, said):
    baseline = {"what": "the untrained backbone", "test": {"recall@1": {"value": 0.4, "ci95": ends}}}
    told = verdict(replace(whole, metrics={**METRICS, "baseline": baseline}))
    assert told["level"] == level
    assert said in told["text"]
    assert "To be beaten: the untrained backbone, 40.0 %" in told["text"]


def test_figures_come_in_the_order_of_a_reader_and_prices_from_low_to_high(page):
    said = words(page)
    assert said.index("recall@1 0.625 0.500 to 0.750 0.875 0.800 to 0.900") < said.index("map@r 0.250 0.125 to 0.375")
    bands = ("up to 120 EUR", "up to 50 USD", "50 to 90 USD", "over 90 USD")
    assert [said.index(one) for one in bands] == sorted(said.index(one) for one in bands)
    assert "Left out: 3 rarer values with 4 queries; 2 queries have no brand." in said
    assert "view outside 8" not in said  # one slice is no comparison


def test_each_cause_tells_its_misses_its_share_what_it_fits_and_what_chance_would_bring(page):
    said = words(page)
    assert "Failures by cause 4 of 8 queries" in said
    assert "and of another style. 3 75.0 % 4 100.0 % 25.0 %" in said
    assert "Fits no miss here: near-duplicate stranger, label suspect, poor picture" in said
    assert "blurred (by so much)" in said


def test_a_frame_is_told_by_a_sign_and_a_word_too(page):
    assert page.count("✓ twin") == page.count("✗ stranger") == 4  # gallery, two causes, newly broken
    assert 'alt="stranger s#0"' in page
    assert "and 5 more (in per_query.parquet)" in page


def test_another_run_is_told_with_the_paired_difference(page):
    said = words(page)
    assert "0.625 here, 0.500 there: a difference of +0.125 (95 % interval +0.050 to +0.200, p = 0.0123)" in said
    assert "which is more than chance of the queries tells" in said
    assert "Newly broken 1" in said
    assert "Newly mended 0" in said


def test_the_dial_marks_what_val_likes_and_what_the_run_has(page):
    said = words(page)
    assert "Val likes 0.25 best (map@r); this run is measured at 0.5." in said
    assert "val: 0.25" in said
    assert "run: 0.5" in said
    assert "gray 0.500 0.250 to 0.750 -0.250 +0.250 to +0.750 0.500" in said


def test_it_tells_how_it_was_made(page):
    said = words(page)
    assert "megabytes –" in said
    assert "packages torch 2.15, numpy 2.3" in said
    assert "resumed a, b" in said
    assert "name: shoes" in said


def test_the_numbers_of_the_page_are_written_beside_it(whole):
    told = numbers(whole)
    assert told["failures"]["same_brand"] == {"misses": 3, "share": 0.75, "fits": 4, "by_chance": 0.25}
    assert told["against"]["difference"] == {"value": 0.125, "ci95": [0.05, 0.2], "p": 0.0123}
    assert told["dial"]["chosen_on_val"] == 0.25
    assert told["dial"]["recall@1"][0]["style"]["value"] == 0.5
    assert told["reliance"]["gray"]["fall"]["value"] == -0.25
    assert told["map"]["pictures"] == 40


def test_what_was_not_looked_at_has_no_section(bare):
    assert re.findall(r'<section id="(\w+)"', bare) == ["figures", "made"]
    assert "<script" not in bare.replace("&lt;script", "")


# That it stands alone


@pytest.mark.parametrize("which", ["page", "bare"])
def test_it_links_nothing_outside_itself(which, request):
    html = request.getfixturevalue(which)
    assert re.findall(r"""(?:href|src)=["'](?!#|data:)""", html) == []
    assert re.findall(r"""url\((?!["']data:)""", html) == []
    assert "@import" not in html


def test_what_a_data_set_says_is_text_and_never_markup(page):
    assert "<script>alert" not in page
    assert "</script><b>Bolt" not in page
    assert page.count("</script>") == 2  # the map's data and its script


@pytest.mark.parametrize("which", ["page", "bare"])
def test_every_part_that_is_opened_is_closed(which, request):
    class Balance(HTMLParser):
        def __init__(self):
            super().__init__()
            self.open = []

        def handle_starttag(self, tag, *_):
            if tag not in {"meta", "img", "br"}:
                self.open.append(tag)

        def handle_startendtag(self, *_):
            pass

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    parser = Balance()
    parser.feed(request.getfixturevalue(which))
    assert parser.open == []


def test_the_same_report_gives_the_same_page(whole, page):
    assert render(whole) == page


# Small pictures and curves


def pixels(source):
    return simplejpeg.decode_jpeg(base64.b64decode(source.partition(",")[2]))


def test_each_tile_of_a_sheet_lies_at_its_number():
    sheet = sprite([square((40 * at, 0, 0)) for at in range(5)], side=16)
    assert (sheet.columns, sheet.rows) == (3, 2)
    seen = pixels(sheet.source)
    assert seen.shape == (32, 48, 3)
    for at in range(5):
        middle = seen[at // 3 * 16 + 8, at % 3 * 16 + 8]
        assert abs(int(middle[0]) - 40 * at) < 6
    assert seen[24, 40].min() > 250  # nobody's place is white


def test_a_tile_is_never_enlarged():
    assert pixels(tile(square((0, 90, 0)), side=64)).shape == (32, 32, 3)


def test_a_curve_stands_in_its_frame_by_hand():
    chart = str(lines([Line(label="a", points=((0.0, 0.0), (1.0, 1.0)))], "a <curve>", along="epoch"))
    assert 'd="M40.0 166.0L332.0 10.0"' in chart  # from the lower left corner to the upper right one
    assert "a &lt;curve&gt;" in chart


def test_a_long_curve_is_drawn_with_as_many_points_as_can_be_seen():
    chart = str(lines([Line(label="a", points=tuple((float(at), at % 2) for at in range(10_000)))], "x", along="step"))
    assert len(chart) < 8_000
    assert lines([Line(label="a", points=())], "x", along="step") == ""


def test_a_bar_and_its_interval_by_hand():
    drawn_bar = str(interval_bar(0.5, 0.25, 0.75, usual=0.6))
    assert 'width="50.00%"' in drawn_bar
    assert 'x1="25.00%" x2="75.00%"' in drawn_bar
    assert 'class="usual" x1="60.00%"' in drawn_bar


# In a browser

PLAY = """<iframe id="page" src="page.html" width="1000" height="2000"></iframe><pre id="told"></pre>
<script>page.onload = () => {
  const there = page.contentDocument, wide = () => plane.getAttribute("viewBox").split(" ").map(Number)[2].toFixed(2);
  const plane = there.getElementById("plane"), column = there.getElementById("column"), card = there.querySelector(".card");
  const say = (...words) => told.textContent += words.join(" ") + "\\n";
  const press = (key) => plane.dispatchEvent(new page.contentWindow.KeyboardEvent("keydown", { key, cancelable: true }));
  const at = plane.getBoundingClientRect(), middle = { clientX: at.x + at.width / 2, clientY: at.y + at.height / 2 };
  const fills = () => new Set([...plane.querySelectorAll("circle:not(.ring)")].map((dot) => dot.getAttribute("fill"))).size;
  say("began", wide(), card.hidden, fills());
  const down = new page.contentWindow.WheelEvent("wheel", { deltaY: 100, cancelable: true, ...middle });
  plane.dispatchEvent(down); say("out", wide(), down.defaultPrevented);
  plane.dispatchEvent(new page.contentWindow.WheelEvent("wheel", { deltaY: -100, cancelable: true, ...middle }));
  say("in", wide());
  there.querySelector('[data-zoom="0"]').click(); say("whole", wide());
  press("+"); say("plus", wide()); press("0"); say("nought", wide());
  press("ArrowRight"); say("walked", card.hidden, card.innerText.includes("product p"));
  const before = card.innerText; press("ArrowUp"); press("ArrowDown"); press("ArrowLeft"); say("on", card.innerText !== before);
  const dot = plane.querySelectorAll("circle")[25].getBoundingClientRect();
  const over = { clientX: dot.x + dot.width / 2, clientY: dot.y + dot.height / 2 };
  plane.dispatchEvent(new page.contentWindow.PointerEvent("pointermove", over)); say("over", card.innerText.includes("Bolt"));
  column.selectedIndex = 1; column.dispatchEvent(new page.contentWindow.Event("change"));
  say("brand", fills(), [...there.querySelectorAll(".key")].map((key) => key.hidden).join());
  const two = (id, x, type) => plane.dispatchEvent(new page.contentWindow.PointerEvent(type,
    { pointerId: id, pointerType: "touch", clientX: middle.clientX + x, clientY: middle.clientY }));
  two(1, -20, "pointerdown"); two(2, 20, "pointerdown"); two(2, 60, "pointermove"); say("pinched", wide());
}</script>"""


@pytest.fixture
def played(tmp_path, chromium):
    """Open a page, use its map, and answer what was seen and what the console said."""

    def look(html):
        (tmp_path / "page.html").write_text(html)
        (tmp_path / "frame.html").write_text(PLAY)
        words = (
            "--allow-file-access-from-files",
            "--virtual-time-budget=3000",
            "--window-size=1100,2200",
            "--dump-dom",
        )
        done = chromium("frame.html", *words)
        told = re.search(r'(?s)<pre id="told">(.*?)</pre>', done.stdout)[1]
        seen = dict(line.split(" ", 1) for line in told.strip().splitlines())
        return seen, [line for line in done.stderr.splitlines() if "CONSOLE" in line]

    return look


@pytest.mark.slow
def test_the_map_answers_to_wheel_buttons_keys_pointers_and_fingers(played, page):
    seen, console = played(page)
    assert console == []
    assert seen == {
        "began": "1.06 true 2",
        "out": "1.06 false",  # there is nothing further out: the page scrolls on
        "in": "0.76",  # 1.06 x exp(-100 / 300)
        "whole": "1.06",
        "plus": "0.66",  # 1.06 / 1.6
        "nought": "1.06",
        "walked": "false true",
        "on": "true",
        "over": "true",
        "brand": "2 true,false,true",
        "pinched": "0.53",  # fingers 40 apart, then 80
    }


@pytest.mark.slow
def test_on_a_phone_nothing_scrolls_sideways_and_the_console_is_silent(on_a_phone, page):
    said, console = on_a_phone(page)
    width, room, _ = map(int, re.findall(r"\d+", said))
    assert width == room <= 380
    assert console == []


@pytest.mark.slow
def test_without_a_script_the_map_is_a_picture(on_a_phone, page):
    still = re.sub(r"(?s)<script.*?</script>", "", page)
    assert still.count("<circle cx=") == 40
    assert 'class="tools" hidden' in still
    assert on_a_phone(still)[1] == []


@pytest.mark.slow
def test_on_paper_what_is_folded_is_open_and_nothing_is_there_to_be_chosen(tmp_path, whole, chromium):
    page = render(replace(whole, settings={f"setting{at}": at for at in range(400)}))

    def sheets(html):
        (tmp_path / "page.html").write_text(html)
        chromium("page.html", f"--print-to-pdf={tmp_path / 'page.pdf'}")
        return (tmp_path / "page.pdf").read_bytes().count(b"/Type /Page\n")

    folded = re.sub(r"details::details-content \{[^}]*\}", "", page)
    assert folded != page
    assert sheets(page) >= sheets(folded) + 4  # 400 lines of settings
    assert re.search(r"@media print \{\s+nav, [^{]*\.side select \{ display: none", page)
