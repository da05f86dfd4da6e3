import re
from html.parser import HTMLParser

import cv2
import numpy as np
import polars as pl
import pytest

from lookalike.catalog.audit import LEAKS, PAIRS, UNREADABLE, Audit
from lookalike.catalog.suspects import SUSPECTS
from lookalike.reporting.audit_page import SHOWN, render

EMPTY = {
    "leaking": pl.DataFrame(schema=LEAKS),
    "pairs": pl.DataFrame(schema=PAIRS),
    "unreadable": pl.DataFrame(schema=UNREADABLE),
    "suspects": pl.DataFrame(schema=SUSPECTS),
    "singletons": pl.DataFrame(
        schema={**dict.fromkeys(("product", "split", "category", "style"), pl.String), "style_mates": pl.Int64}
    ),
    "set_aside": pl.DataFrame(schema={"reason": pl.String, "rows": pl.Int64, "example": pl.String}),
}


def audited(count=2, *, split=("train", "test"), name="Runner", **found):
    """An audit of `count` products a0, a1 ... of one picture each, with the findings given."""
    rows = [
        {
            **{
                "image": f"a{n}#0",
                "product": f"a{n}",
                "split": split[n % len(split)],
                "style": f"s{n}",
                "sha256": f"{n}",
            },
            **{
                "brand": "Acme",
                "category": "boots",
                "color": "red",
                "name": name,
                "price": "9.90",
                "currency": "EUR",
                "view": "",
            },
        }
        for n in range(count)
    ]
    pictures = pl.DataFrame(rows)
    balance = pictures.group_by("category", "split").agg(products=pl.len(), pictures=pl.len()).sort("split")
    return Audit(label="hand@1", pictures=pictures, balance=balance, **{**EMPTY, **found})


def picture(_):
    return cv2.imencode(".png", np.full((300, 500, 3), 128, np.uint8))[1].tobytes()


def pairs(count):
    rows = [
        {
            **{"relation": "another product", "kind": "near", "distance": 0.042, "first": "a0#0", "second": "a1#0"},
            **{"first_product": "a0", "second_product": "a1", "first_split": "train", "second_split": "test"},
        }
    ] * count
    return pl.DataFrame(rows, schema=PAIRS)


def words(page):
    """The page's text without its tags and its style sheet."""
    body = re.sub(r"(?s)<style>.*?</style>", "", page)
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


class Tags(HTMLParser):
    """The tags and attributes of a page, and whether every tag that opens is closed in order."""

    def __init__(self, page):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in {"meta", "img", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_of_a_sound_version_says_so_first():
    text = words(render(audited(), picture))
    assert "hand@1 No leak Train, val and test share no product, no style and no photograph." in text


def test_the_page_of_a_leak_says_how_many_by_what_and_the_mend():
    leaks = pl.DataFrame([("style", "a0#0", "a1#0", "a0", "a1", "train", "test")], schema=LEAKS, orient="row")
    text = words(render(audited(leaking=leaks), picture))
    assert "1 leak across splits (1 by style)" in text
    assert "split=auto" in text
    assert "Leak: one style lies in two splits 1" in text


def test_a_version_without_splits_is_not_praised():
    assert "Not split" in words(render(audited(split=("",)), picture))


UNREAD = pl.DataFrame(
    [("a0#0", "a0", "train", "missing", "no file", "list.csv, row 2")], schema=UNREADABLE, orient="row"
)


@pytest.mark.parametrize("split", [("train", "test"), ("",)])
def test_what_could_not_be_read_is_not_called_free_of_leaks(split):
    page = render(audited(3, split=split, unreadable=UNREAD), picture)
    assert "hand@1 No leak among the pictures that could be read; 1 of 3 could not What nobody" in words(page)
    assert '<section class="verdict bad">' in page
    assert "a0#0 train missing no file list.csv, row 2" in words(page)


def test_leaks_and_unreadable_files_are_told_together():
    leaks = pl.DataFrame([("style", "a0#0", "a1#0", "a0", "a1", "train", "test")], schema=LEAKS, orient="row")
    text = words(render(audited(leaking=leaks, unreadable=UNREAD), picture))
    assert "1 leak across splits (1 by style); 1 of 2 pictures could not be read" in text


def test_a_pair_is_shown_side_by_side_with_what_is_known_and_where_the_labels_differ():
    doubt = pl.DataFrame(
        [("one photograph, two labels", "a0#0", "a1#0", "style 's0' or 's1'")], schema=SUSPECTS, orient="row"
    )
    page = render(audited(pairs=pairs(1), suspects=doubt), picture)
    shown = [attributes["src"] for tag, attributes in Tags(page).seen if tag == "img"]
    assert len(shown) == 2
    assert all(source.startswith("data:image/jpeg;base64,") for source in shown)
    text = words(page)
    assert "a0 train Runner Acme · boots · red style s0 · price 9.90 EUR" in text
    assert "near duplicate, distance 0.042; style &#39;s0&#39; or &#39;s1&#39;" in text


def test_no_more_than_a_screenful_of_a_kind_is_shown_and_the_others_counted():
    page = render(audited(pairs=pairs(SHOWN + 1_700)), picture)
    assert page.count("<article") == SHOWN
    assert "and 1,700 more (in pairs.csv)" in words(page)


def test_the_page_needs_no_other_file_and_no_script():
    page = render(audited(pairs=pairs(2)), picture)
    tags = Tags(page)
    assert tags.open == []
    assert not {"script", "link", "iframe", "a"} & {tag for tag, _ in tags.seen}
    assert re.search(r"https?:|url\(|@import", page) is None


def test_what_a_shop_wrote_is_text_and_never_markup():
    page = render(audited(name="<img src=x onerror=alert(1)>", pairs=pairs(1)), picture)
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


@pytest.mark.parametrize("read", [lambda _: b"not a picture", lambda key: open(f"/nowhere/{key}", "rb").read()])  # noqa: SIM115, PTH123
def test_a_picture_that_cannot_be_shown_leaves_a_word_in_its_place(read):
    page = render(audited(pairs=pairs(1)), read)
    assert page.count("cannot be shown") == 2
    assert "<img" not in page


def test_a_picture_shown_often_is_read_once_and_is_small():
    asked = []
    page = render(audited(pairs=pairs(5)), lambda key: asked.append(key) or picture(key))
    assert sorted(asked) == ["0", "1"]
    assert len(page) < 60_000


def test_a_category_that_a_split_lacks_is_named():
    lacking = audited(3)
    balance = pl.concat(
        [lacking.balance, pl.DataFrame([("bags", "train", 4, 4)], schema=lacking.balance.schema, orient="row")]
    )
    page = render(Audit(**{**lacking.__dict__, "balance": balance}), picture)
    assert "Missing from a split: bags (test)." in words(page)


def test_bars_are_as_long_as_the_largest_category_lets_them():
    lacking = audited(3)  # train 2, test 1
    balance = pl.concat(
        [lacking.balance, pl.DataFrame([("bags", "train", 6, 6)], schema=lacking.balance.schema, orient="row")]
    )
    page = render(Audit(**{**lacking.__dict__, "balance": balance}), picture)
    widths = [(attributes["class"], attributes["style"]) for tag, attributes in Tags(page).seen if tag == "i"]
    assert widths == [("train", "width: 33.33%"), ("test", "width: 16.67%"), ("train", "width: 100.00%")]
