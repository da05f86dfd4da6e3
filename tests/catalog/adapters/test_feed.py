"""Feeds as shops write them, and as they break; every feed here is written for the test."""

import csv
import gzip
import json
import subprocess
import sys
import textwrap
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lookalike.catalog.adapters import feed
from lookalike.catalog.clean import read_fields
from lookalike.catalog.product import RowError
from lookalike.settings import ConfigError, DataError

RSS = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0" xmlns:c="http://base.google.com/cns/1.0">
<channel><title>Acme</title><link>https://acme.example</link>
{}
</channel></rss>
"""
BOOT = {
    "id": "B1-40",
    "item_group_id": "B1",
    "title": "Chelsea boot & sole",
    "brand": "Acme",
    "product_type": "Shoes > Boots > Chelsea",
    "color": "Black",
    "size": "40",
    "price": "120.00 USD",
    "link": "https://acme.example/b1?color=black&size=40",
    "image_link": "b1.jpg",
    "availability": "in_stock",
    "gtin": "4006381333931",
}


def item(**changes):
    """An RSS item of the boot, with some attributes changed, and those that are None left out."""
    told = {**BOOT, **changes}
    lines = [
        f"<g:{name}>{value.replace('&', '&amp;')}</g:{name}>"
        for name, values in told.items()
        if values is not None
        for value in ([values] if isinstance(values, str) else values)
    ]
    return f"<item>{''.join(lines)}</item>"


@pytest.fixture
def write(tmp_path):
    def written(content, name="feed.xml"):
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    return written


@pytest.fixture
def rows(write):
    """The rows of a feed of these RSS items, or of this whole file."""

    def read(*items, name="feed.xml", **options):
        whole = items[0] if len(items) == 1 and not str(items[0]).startswith("<item") else RSS.format("\n".join(items))
        return list(feed.rows(write(whole, name), **options))

    return read


def refusal(row):
    with pytest.raises(RowError) as wrong:
        row.read()
    return wrong.value


# What an item says


def test_an_item_becomes_a_row_under_the_catalogs_names(rows):
    (row,) = rows(item())
    assert (row.where, row.picture) == ("feed.xml, item 1 (line 4)", "b1.jpg")
    assert row.fields == {
        "product": "B1/Black",
        "style": "B1",
        "name": "Chelsea boot & sole",
        "brand": "Acme",
        "category": "Shoes > Boots > Chelsea",
        "color": "Black",
        "price": "120.00 USD",
        "url": "https://acme.example/b1?color=black&size=40",
        "view": "",
        "id": "B1-40",
        "size": "40",
        "availability": "in_stock",
        "gtin": "4006381333931",
    }


def test_a_row_reads_as_a_product_with_an_exact_price(rows):
    product = read_fields(rows(item(sale_price="99.95 USD"))[0].fields, shop="acme")
    assert (product.key, product.category, str(product.price), product.currency) == (
        "acme:B1/Black",
        "Shoes",
        "99.95",
        "USD",
    )
    assert product.attributes["list_price"] == "120.00 USD"


def test_a_sale_price_is_the_price_and_the_other_is_kept(rows):
    (row,) = rows(item(sale_price="99.95 USD"))
    assert (row.fields["price"], row.fields["list_price"]) == ("99.95 USD", "120.00 USD")
    assert "sale_price" not in row.fields


@pytest.mark.parametrize("price", ["1.200,00 €", "£1,200.00", "USD 15", "15", "on request", "-", "12.00 to 15.00 USD"])
def test_a_price_stays_as_it_came(rows, price):
    assert rows(item(price=price))[0].fields["price"] == price


def test_without_a_product_type_googles_category_is_the_category(rows):
    (row,) = rows(item(product_type=None, google_product_category="Apparel & Accessories > Shoes"))
    assert row.fields["category"] == "Apparel & Accessories > Shoes"


def test_what_the_catalog_has_no_name_for_is_kept_under_its_own(rows):
    more = {"condition": "new", "gender": "female", "age_group": "adult", "material": "leather", "pattern": "plain"}
    (row,) = rows(item(**more, mpn="X-1", custom_label_0="winter", product_highlight=["Warm", "Dry"]))
    assert {name: row.fields[name] for name in more} == more
    assert (row.fields["mpn"], row.fields["custom_label_0"], row.fields["product_highlight"]) == (
        "X-1",
        "winter",
        "Warm, Dry",
    )


def test_what_is_nested_in_an_attribute_is_not_the_items_own(rows):
    nested = "<g:shipping><g:country>US</g:country><g:price>7.00 USD</g:price></g:shipping>"
    (row,) = rows(item().replace("</item>", nested + "</item>"))
    assert row.fields["price"] == "120.00 USD"
    assert "country" not in row.fields


def test_entities_and_cdata_are_text(rows):
    text = "<g:description><![CDATA[<b>Leather & more</b>]]> &lt;soft&gt; &#233;</g:description>"
    (row,) = rows(item().replace("</item>", text + "</item>"))
    assert row.fields["description"] == "<b>Leather & more</b> <soft> é"


def test_the_specifications_names_win_over_rss_and_others(rows):
    plain = "<item><title>plain</title><id>9</id><media:title>media</media:title>"
    feed_text = RSS.replace("xmlns:c", 'xmlns:media="http://search.yahoo.com/mrss/" xmlns:c')
    both = item(title="Google's").replace("<item>", plain).replace("</item>", "<title>late</title></item>")
    (row,) = rows(feed_text.format(both))
    assert (row.fields["name"], row.fields["id"]) == ("Google's", "B1-40")


def test_plain_rss_elements_count_where_the_specification_is_silent(rows):
    plain = "<title>Plain boot</title><link>https://acme.example/b1</link>"
    (row,) = rows(item(title=None, link=None).replace("</item>", plain + "</item>"))
    assert (row.fields["name"], row.fields["url"]) == ("Plain boot", "https://acme.example/b1")


def test_the_prefix_of_the_namespace_does_not_matter(rows):
    (row,) = rows(RSS.replace("xmlns:g=", "xmlns:google=").format(item().replace("g:", "google:")))
    assert row.fields["product"] == "B1/Black"


def test_an_atom_entry_has_its_own_id_and_links(rows):
    (row,) = rows(
        """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">
        <title>Acme</title><link rel="self" href="https://acme.example/feed"/><id>tag:acme.example,2026:feed</id>
        <entry><id>tag:acme.example,2026:b1</id><g:id>B1</g:id><title>Boot</title>
          <link rel="self" href="https://acme.example/entry"/><link href="https://acme.example/b1"/>
          <g:image_link>b1.jpg</g:image_link></entry></feed>"""
    )
    assert (row.fields["product"], row.fields["name"]) == ("B1", "Boot")
    assert row.fields["url"] == "https://acme.example/b1"


# Pictures


def test_every_picture_of_an_item_is_a_row_of_the_same_product(rows):
    told = rows(item(additional_image_link=["side.jpg", "sole.jpg"]))
    assert [(row.picture, row.fields["view"]) for row in told] == [
        ("b1.jpg", ""),
        ("side.jpg", "additional_01"),
        ("sole.jpg", "additional_02"),
    ]
    assert {row.fields["product"] for row in told} == {"B1/Black"}


def test_ten_additional_pictures_are_taken_and_no_more(rows):
    told = rows(item(additional_image_link=[f"{number}.jpg" for number in range(14)]))
    assert [row.picture for row in told] == ["b1.jpg", *(f"{number}.jpg" for number in range(10))]


@pytest.mark.parametrize(
    ("several", "links"),
    [
        ("https://a.example/1.jpg,https://a.example/2.jpg", ["https://a.example/1.jpg", "https://a.example/2.jpg"]),
        (
            "https://a.example/w_9,h_9/1.jpg , http://b.example/",
            ["https://a.example/w_9,h_9/1.jpg", "http://b.example/"],
        ),
        ("one.jpg, two.jpg,", ["one.jpg", "two.jpg"]),
    ],
)
def test_several_links_in_one_value_are_divided_but_an_address_is_not(rows, several, links):
    assert [row.picture for row in rows(item(additional_image_link=several))[1:]] == links


def test_an_item_without_a_picture_is_a_row_that_says_so(rows):
    (row,) = rows(item(image_link=None))
    assert (row.picture, row.fields["product"], refusal(row).reason) == ("", "B1/Black", "no_picture")


def test_a_picture_is_read_from_beside_the_feed_and_from_nowhere_else(rows, tmp_path):
    inside, outside = tmp_path / "shop", tmp_path / "secret.jpg"
    (inside / "pictures").mkdir(parents=True)
    (inside / "pictures" / "b1.jpg").write_bytes(b"a boot")
    (inside / "link.jpg").symlink_to(outside)
    outside.write_bytes(b"a secret")
    names = ["pictures/b1.jpg", "../secret.jpg", str(outside), "link.jpg", "none.jpg", "pictures", "//host/b1.jpg"]
    items = [item(id=str(number), item_group_id=None, image_link=name) for number, name in enumerate(names)]
    good, *bad = rows(*items, name="shop/feed.xml")
    assert good.read() == b"a boot"
    assert [refusal(row).reason for row in bad] == [
        "outside",
        "outside",
        "outside",
        "missing",
        "not_a_file",
        "outside",
    ]


@contextmanager
def a_server(folder):
    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *about):
            super().__init__(*about, directory=folder)

        def log_message(self, *_):
            """Nothing: the tests print no access log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_picture_on_the_web_is_fetched_by_the_rules(rows, tmp_path):
    (tmp_path / "b1.jpg").write_bytes(b"a boot")
    with a_server(tmp_path) as place:
        links = [f"http://{place}/b1.jpg", f"http://{place}/none.jpg"]
        items = [item(id=str(number), item_group_id=None, image_link=link) for number, link in enumerate(links)]
        good, missing = rows(*items, allow_private=[place])
        assert good.read() == b"a boot"
        assert refusal(missing).reason == "status"
        assert refusal(rows(items[0])[0]).reason == "port"  # loopback is not trusted unless it is told to be


@pytest.mark.parametrize("link", ["file:///etc/passwd", "FILE:/etc/passwd", "ftp://acme.example/1.jpg", "C:\\b1.jpg"])
def test_other_schemes_are_refused(rows, link):
    assert refusal(rows(item(image_link=link))[0]).reason in {"scheme", "bad_url"}


def test_an_address_outside_the_hosts_allowed_is_refused(rows):
    (row,) = rows(item(image_link="https://other.example/1.jpg"), hosts=["acme.example"])
    assert refusal(row).reason == "host"


def test_nothing_is_read_before_it_is_asked_for(rows):
    assert len(rows(item(image_link="http://127.0.0.1:9/1.jpg"))) == 1


# Sizes, colorways, styles


def test_sizes_of_one_colorway_are_one_product_and_their_pictures_come_once(rows):
    told = rows(
        item(id="B1-40", size="40", availability="out_of_stock"),
        item(id="B1-41", size="41", gtin=None, additional_image_link="sole.jpg"),
        item(id="B1-42", size="42", availability="in stock", price="130.00 USD"),
    )
    assert [(row.where, row.picture) for row in told] == [
        ("feed.xml, item 1 (line 4)", "b1.jpg"),
        ("feed.xml, item 2 (line 5)", "sole.jpg"),
    ]
    fields = told[0].fields
    assert (fields["product"], fields["size"], fields["id"]) == ("B1/Black", "40, 41, 42", "B1-40, B1-41, B1-42")
    assert (fields["availability"], fields["price"], fields["gtin"]) == ("in_stock", "120.00 USD", "4006381333931")


def test_colors_of_one_group_are_products_of_one_style(rows):
    told = rows(item(id="1"), item(id="2", color="Red", image_link="red.jpg"))
    assert [(row.fields["product"], row.fields["style"]) for row in told] == [("B1/Black", "B1"), ("B1/Red", "B1")]


def test_sizes_that_do_not_follow_each_other_still_name_one_product(rows):
    told = rows(item(id="1"), item(id="2", color="Red"), item(id="3"))
    assert [row.fields["product"] for row in told] == ["B1/Black", "B1/Red", "B1/Black"]


def test_an_item_without_a_group_or_a_color_is_named_by_what_it_has(rows):
    told = rows(item(id="7", item_group_id=None), item(id="8", color=None))
    assert [row.fields["product"] for row in told] == ["7", "B1"]
    assert "style" not in told[0].fields


def test_each_item_may_be_a_product_of_its_own(rows):
    told = rows(item(id="1"), item(id="2", size="41"), one_product_per="item")
    assert [(row.fields["product"], row.fields["size"]) for row in told] == [("1", "40"), ("2", "41")]


def test_another_choice_is_refused_with_the_choices(rows):
    with pytest.raises(ConfigError, match="one_product_per is 'size'; give colorway, or item"):
        rows(item(), one_product_per="size")


# Wrong items


def test_an_item_without_an_id_is_a_row_that_says_so(rows):
    first, second = rows(item(id=None), item())
    assert refusal(first).reason == "no_product"
    assert (first.where, first.picture) == ("feed.xml, item 1 (line 4)", "b1.jpg")
    assert second.fields["product"] == "B1/Black"


def test_an_id_that_was_there_before_is_refused(rows):
    told = rows(item(), item(color="Red", image_link="red.jpg"), item())
    assert told[0].fields["product"] == "B1/Black"
    assert [refusal(row).reason for row in told[1:]] == ["duplicate_id"] * 2
    assert "'B1-40' was there before" in str(refusal(told[1]))


def test_an_item_of_a_whole_book_is_refused_and_the_next_is_read(rows):
    book, boot = rows(item(id="1", description="x" * 1_100_000), item(id="2"))
    assert refusal(book).reason == "malformed"
    assert boot.fields["id"] == "2"


# CSV and TSV

HEADER = ["id", "item group id", "Title", "g:brand", "image_link", "additional image link", "price"]
LINES = [
    ["1", "B1", 'A "good" boot, black', "Ac\nme", "1.jpg", "2.jpg,3.jpg", "15.00 USD"],
    ["2", "B2", "Größe", "", "4.jpg", "", "1.200,00 €"],
]


def table(path, delimiter, encoding):
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter).writerows([HEADER, *LINES])
    return path


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_table_is_read_whatever_divides_it_and_whatever_it_is_called(tmp_path, delimiter, encoding):
    told = list(feed.rows(table(tmp_path / "feed.dat", delimiter, encoding)))
    assert [(row.where, row.picture) for row in told] == [
        ("feed.dat, line 2", "1.jpg"),
        ("feed.dat, line 2", "2.jpg"),
        ("feed.dat, line 2", "3.jpg"),
        ("feed.dat, line 4", "4.jpg"),
    ]
    assert told[0].fields == {
        "product": "B1",
        "style": "B1",
        "name": 'A "good" boot, black',
        "brand": "Ac\nme",
        "price": "15.00 USD",
        "view": "",
        "id": "1",
    }
    assert (told[3].fields["name"], told[3].fields["price"]) == ("Größe", "1.200,00 €")


def test_a_line_with_too_few_or_too_many_values_costs_only_itself(rows):
    told = rows("id,image_link\n1,1.jpg\n2\n3,3.jpg,x\n\n4,4.jpg\n", name="feed.csv")
    assert [row.where for row in told] == [f"feed.csv, line {line}" for line in (2, 3, 4, 6)]
    assert [refusal(row).reason for row in told[1:3]] == ["malformed", "malformed"]
    assert "3 values where the header names 2 columns" in str(refusal(told[2]))


def test_a_quote_that_nobody_closed_costs_only_its_line(rows):
    good = "".join(f"{number},boot {number},{number}.jpg\n" for number in range(10, 500))
    told = rows('id,title,image_link\n1,"12 inch boot,1.jpg\n2,7" sandal,2.jpg\n' + good, name="feed.csv")
    assert refusal(told[0]).reason == "malformed"
    assert [row.fields["id"] for row in told[1:]] == ["2", *map(str, range(10, 500))]
    assert told[1].fields["name"] == '7" sandal'
    assert told[-1].where == "feed.csv, line 493"


def test_bytes_of_another_encoding_cost_only_their_line(rows):
    told = rows("id,title,image_link\n1,Größe,1.jpg\n2,boot,2.jpg\n".encode("latin-1"), name="feed.csv")
    assert refusal(told[0]).reason == "not_text"
    assert told[1].fields["name"] == "boot"


def test_a_table_without_an_id_is_refused_with_what_it_has(rows):
    with pytest.raises(
        DataError, match=r"feed.csv: no column 'id' on its first line, 'sku,image_link'.*A feed is an RSS"
    ):
        rows("sku,image_link\n1,1.jpg\n", name="feed.csv")


# JSON


def test_json_lines_are_read_under_either_spelling_of_the_names(rows):
    told = [
        {"id": "1", "image_link": "1.jpg", "additional_image_link": ["2.jpg", "3.jpg"], "price": "15.00 USD"},
        {"offerId": 2, "imageLink": "4.jpg", "itemGroupId": "B", "price": {"value": "15.10", "currency": "USD"}},
        {"id": "3", "image_link": "5.jpg", "price": 15.10, "gtin": 400638133393100000000, "color": None, "adult": True},
    ]
    lines = rows("\n\n".join(json.dumps(one) for one in told), name="feed.txt")
    assert [row.picture for row in lines] == ["1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg"]
    assert [row.fields["price"] for row in lines[2:]] == ["15.00 USD", "15.10 USD", "15.1"]
    assert lines[3].fields["product"] == "B"
    assert lines[3].where == "feed.txt, line 3"
    assert (lines[4].fields["gtin"], lines[4].fields["adult"]) == ("400638133393100000000", "true")


@pytest.mark.parametrize(
    "broken",
    [
        '{"id": "2"',
        "[1, 2]",
        "null",
        '{"id": {"value": {}}',
        '{"id": "2"} {"id": "3"}',
        "[" * 100_000,
        '{"id": 2,}',
        "<item/>",
    ],
)
def test_a_broken_line_of_json_costs_only_itself(rows, broken):
    first, second, third = rows(f'{{"id": "1"}}\n{broken}\n{{"id": "4", "image_link": "4.jpg"}}\n', name="feed.jsonl")
    assert (second.where, refusal(second).reason) == ("feed.jsonl, line 2", "malformed")
    assert (first.fields["id"], third.fields["id"]) == ("1", "4")


@pytest.mark.parametrize("half", ['"\\ud83d"', '"a\\u0000b"'])
def test_text_that_no_database_can_keep_is_refused(rows, half):
    (row,) = rows(f'{{"id": "1", "title": {half}, "image_link": "1.jpg"}}\n', name="feed.jsonl")
    assert refusal(row).reason == "not_text"


def test_one_json_array_is_a_feed_too(rows):
    told = rows('[\n {"id": "1", "image_link": "1.jpg"},\n 7\n]', name="feed.json")
    assert [row.where for row in told] == ["feed.json, item 1", "feed.json, item 2"]
    assert refusal(told[1]).reason == "malformed"
    with pytest.raises(DataError, match=r"feed.json: broken JSON: .*line 3"):
        rows('[\n {"id": "1"},\n', name="feed.json")
    with pytest.raises(DataError, match="holds no item"):
        rows("[]", name="feed.json")


# Broken and hostile files


def test_a_blank_line_before_the_xml_declaration_is_forgiven(rows):
    assert len(rows("\n  " + RSS.format(item()))) == 1


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_xml_may_be_in_any_encoding_that_it_declares(rows, encoding):
    declared = RSS.replace("UTF-8", encoding.removesuffix("-sig")).format(item(title="Größe"))
    assert rows(declared.encode(encoding))[0].fields["name"] == "Größe"


def test_xml_that_breaks_off_gives_what_came_before_and_says_where(write):
    whole = RSS.format("\n".join(item(id=str(number), item_group_id=None) for number in range(1000)))
    told = feed.rows(write(whole[: whole.index("<g:id>700</g:id>") + 4]))
    came = []
    with pytest.raises(DataError, match=r"feed.xml: broken XML: .* on line 704; 700 items before it were read\. Mend"):
        came.extend(row.fields["id"] for row in told)
    assert came == [str(number) for number in range(700)]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("<item><g:id>1</item>", "mismatched tag on line 4; 0 items"),
        ("<item><g:id>1 & 2</g:id></item>", "not well-formed"),
        ("<item><g:title>a&nbsp;b</g:title></item>", "undefined entity on line 4"),
        ("<item><x:id>1</x:id></item>", "unbound prefix on line 4"),
    ],
)
def test_broken_xml_is_told_with_its_line(rows, wrong, said):
    with pytest.raises(DataError, match=said):
        rows(RSS.format(wrong))


def test_an_encoding_that_nobody_knows_is_told(rows):
    with pytest.raises(DataError, match=r"broken XML: unknown encoding.*save it as UTF-8"):
        rows(RSS.replace("UTF-8", "klingon").format(item()))


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))


@pytest.mark.parametrize(
    "doctype",
    [
        f'<!DOCTYPE rss [<!ENTITY l0 "lol">{LAUGHS}]>',
        '<!DOCTYPE rss [<!ENTITY l11 SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE rss SYSTEM "http://127.0.0.1/evil.dtd">',
        "<!DOCTYPE html>",
    ],
    ids=["billion laughs", "external entity", "external subset", "html"],
)
def test_a_document_type_is_refused_before_it_can_do_anything(rows, doctype):
    hostile = RSS.format(item(title="&l11;").replace("&amp;l11", "&l11")).replace("?>\n", f"?>\n{doctype}\n", 1)
    with pytest.raises(DataError, match=r"declares a document type .* take it out"):
        rows(hostile)


def test_endless_nesting_is_refused(rows):
    with pytest.raises(DataError, match="nests elements more than 100 deep"):
        rows(RSS.format("<item>" + "<a>" * 200))


def test_a_tag_without_an_end_is_refused_before_it_fills_the_memory(rows):
    with pytest.raises(DataError, match="a tag or a comment of more than 1048576 bytes on line 4"):
        rows(RSS.format(f'{item()}<item><link href="{"x" * 3_000_000}"/></item>'))


@pytest.mark.parametrize("empty", ["", RSS.format(""), "id,image_link\n", "\n\n", '""', "<html><body/></html>"])
def test_a_feed_without_an_item_is_refused(rows, empty):
    with pytest.raises(DataError, match=r"is empty|holds no item|no column 'id'"):
        rows(empty)


def test_a_packed_feed_is_to_be_unpacked_first(rows):
    with pytest.raises(DataError, match=r"feed.xml.gz: is packed\. Unpack it"):
        rows(gzip.compress(RSS.format(item()).encode()), name="feed.xml.gz")


def test_a_feed_that_is_not_there_is_named(tmp_path):
    (tmp_path / "feed.xml").write_text(RSS.format(item()))
    with pytest.raises(DataError, match=r"fed.xml: .*Did you mean 'feed.xml'"):
        list(feed.rows(tmp_path / "fed.xml"))


def test_a_photograph_is_not_a_feed(rows):
    with pytest.raises(DataError, match="not text"):
        rows(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(range(256)), name="boot.jpg")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300) | st.text(alphabet="<>&;/[]{}\"':,\t\n\x00 ag1é\ud800", max_size=200), st.booleans())
def test_whatever_the_file_holds_the_rows_read_or_say_why_not(tmp_path, content, inside):
    data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    file = tmp_path / "feed.any"
    file.write_bytes(RSS.encode().replace(b"{}", b"<item><g:id>1</g:id>" + data + b"</item>") if inside else data)
    try:
        told = list(feed.rows(file))
    except DataError as wrong:
        told, said = [], str(wrong)
        assert str(file) in said
    for row in told:
        texts = "".join([row.where, row.picture, *row.fields.values()])
        assert "\0" not in texts.encode().decode()  # encode: every database can keep it
        assert row.picture or refusal(row).reason


MEASURED = """
    import resource, sys
    from pathlib import Path
    from lookalike.catalog.adapters import feed

    count = sum(1 for _ in feed.rows(Path(sys.argv[1])))
    print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_a_large_feed_does_not_fill_the_memory(tmp_path):
    file = tmp_path / "large.xml"
    with file.open("w") as out:
        head, tail = RSS.split("{}")
        out.write(head)
        for number in range(60_000):
            out.write(item(id=f"{number:07}", item_group_id=f"G{number // 3}", description="x" * 1000))
        out.write(tail)
    command = [sys.executable, "-c", textwrap.dedent(MEASURED), str(file)]
    few = tmp_path / "few.xml"
    few.write_text(RSS.format(item()))
    small = subprocess.run([*command[:-1], str(few)], check=True, capture_output=True, text=True)
    large = subprocess.run(command, check=True, capture_output=True, text=True)
    (few_rows, few_kb), (rows_count, kb) = (map(int, done.stdout.split()) for done in (small, large))
    assert (few_rows, rows_count) == (1, 20_000)
    assert file.stat().st_size > 80_000_000
    assert kb - few_kb < 30_000
