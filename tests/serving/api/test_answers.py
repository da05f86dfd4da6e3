"""Answers out of one release: the right products, the right words, and the same list however it is asked for."""

import logging
import re
from dataclasses import replace

import numpy as np
import pytest

from lookalike.catalog.addresses import FetchError
from lookalike.serving import answers, asked
from lookalike.serving.answers import UNFETCHED, Laps
from lookalike.serving.forms import Branded, Faceted, ProblemError, Search, Similar
from lookalike.serving.forms import asked as question
from lookalike.serving.naming import named, namer


def searched(box, fields, file=None):
    return answers.searched(box, question(Search, fields, file=file is not None, form=False), file or b"", Laps())


def ids(listing):
    return [hit.id for hit in listing.hits]


def refused(status, ask, *words, **named):
    with pytest.raises(ProblemError) as caught:
        ask(*words, **named)
    assert caught.value.status == status, caught.value.detail
    return caught.value.detail


def box_named(box, key):
    query = searched(box, {"product": key}).query
    return named(box.namer, asked.read(query, box.label, box.widths).shape, without=[box.goods.row_of[key]])


def unit(vector):
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_picture_finds_its_product_whatever_its_format(box, picture, kind):
    listing = searched(box, {"k": 3}, picture("wide", "blue", kind=kind))
    first = listing.hits[0]
    assert (first.id, first.brand, first.style, first.price) == ("drawn:wide/blue", "House of blue", "wide", 40.0)
    assert (listing.release, listing.catalog, listing.color_weight) == (box.label, box.catalog, 0.3)


def test_scores_are_the_weighed_sum_of_their_parts_and_fall(box, picture):
    for weight in (0, 0.3, 1):
        hits = searched(box, {"k": 12, "color_weight": weight}, picture("tall", "red")).hits
        told = [(1 - weight) * hit.parts.shape + weight * hit.parts.color for hit in hits]
        assert [hit.score for hit in hits] == pytest.approx(told, abs=2e-6)
        assert told == sorted(told, reverse=True)


def test_the_parts_are_the_cosines_of_the_vectors_that_the_picture_has(box, picture):
    data = picture("tall", "red")
    hit = searched(box, {"k": 1}, data).hits[0]
    square = box.sight(data, None).square[None]
    row = list(box.goods.ids).index(int(hit.picture.split("/")[3].split(".")[0]))
    shape = box.look(square)[0] @ unit(box.vectors.shape[row].astype(float))
    color = box.tint(square)[0] @ unit(box.vectors.color[row].astype(float))
    assert (hit.parts.shape, hit.parts.color) == pytest.approx((shape, color), abs=2e-3)  # float16 in between


def test_the_dial_turns_from_shape_to_color(box, picture):
    data = picture("wide", "red")
    by_shape, by_color = (searched(box, {"color_weight": weight, "k": 3}, data) for weight in (0, 1))
    assert {hit.style for hit in by_shape.hits} == {"wide"}
    assert {hit.color for hit in by_color.hits} == {"red"}


def test_the_query_of_an_answer_gives_the_same_answer_without_the_picture(box, picture):
    first = searched(box, {"k": 5}, picture("small", "green"))
    again = searched(box, {"k": 5, "query": first.query})
    assert again.hits == first.hits
    assert again.query == first.query
    assert (again.proposal, again.milliseconds.decode) == (None, 0)


def test_a_list_read_in_pieces_is_the_whole_list(box, picture):
    whole = searched(box, {"k": 12}, picture("full", "red"))
    assert whole.next is None
    piece = searched(box, {"k": 5}, picture("full", "red"))
    read, sizes = ids(piece), [len(piece.hits)]
    while piece.next:
        piece = searched(box, {"k": 5, "query": piece.query, "cursor": piece.next})
        read, sizes = read + ids(piece), [*sizes, len(piece.hits)]
    assert read == ids(whole)
    assert sizes == [5, 5, 2]


def test_a_cursor_is_of_its_question_alone(box, picture):
    first = searched(box, {"k": 5}, picture("full", "red"))
    for other in ({"color_weight": 0.9}, {"brand": ["House of red"]}, {"order": "worst"}, {"group_by": "style"}):
        detail = refused(422, searched, box, {"query": first.query, "cursor": first.next, **other})
        assert detail.startswith("cursor: this cursor is of another question")
    assert len(searched(box, {"query": first.query, "cursor": first.next, "k": 2}).hits) == 2


def test_a_forged_cursor_reads_no_deeper_than_lists_go(box):
    seen = answers._of_products(box, ["drawn:wide/red"], [])
    wish = answers._wish(box, seen, Search(product="a"))
    forged = asked.cursor(10**15, answers._of_list(seen, wish), box.label)
    assert "place 10,000 at most" in refused(422, searched, box, {"product": "drawn:wide/red", "cursor": forged})


def test_a_product_finds_its_like_and_not_itself(box):
    listing = searched(box, {"product": "drawn:wide/red", "color_weight": 0, "k": 2})
    assert set(ids(listing)) == {"drawn:wide/blue", "drawn:wide/green"}
    assert answers.similar(box, "drawn:wide/red", Similar(color_weight=0, k=2), Laps()).hits == listing.hits


def test_liked_products_pull_and_disliked_ones_push(box):
    listing = searched(box, {"liked": ["drawn:wide/red", "drawn:tall/red"], "disliked": ["drawn:small/blue"], "k": 12})
    assert len(listing.hits) == 9
    assert not set(ids(listing)) & {"drawn:wide/red", "drawn:tall/red", "drawn:small/blue"}
    assert listing.hits[0].color == "red"
    shape, _ = box.widths
    views = [np.flatnonzero(box.goods.owner == box.goods.row_of[key]) for key in ("drawn:wide/red", "drawn:small/blue")]
    liked, disliked = (unit(box.vectors.shape[rows].astype(float).mean(0)) for rows in views)
    one = searched(box, {"liked": ["drawn:wide/red"], "disliked": ["drawn:small/blue"]})
    assert asked.read(one.query, box.label, box.widths).shape == pytest.approx(unit(liked - 0.5 * disliked), abs=1e-3)
    assert len(liked) == shape


def test_the_least_alike_come_first_on_request(box, picture):
    best = searched(box, {"k": 12, "color_weight": 1}, picture("wide", "red"))
    worst = searched(box, {"k": 12, "color_weight": 1, "order": "worst"}, picture("wide", "red"))
    scores = [hit.score for hit in worst.hits]
    assert scores == sorted(scores)
    assert worst.hits[0].score <= min(hit.score for hit in best.hits)
    assert worst.hits[0].color != "red"


def test_filters_groups_and_the_least_score_hold(box, picture):
    data = picture("wide", "red")
    assert {hit.brand for hit in searched(box, {"brand": ["House of blue"]}, data).hits} == {"House of blue"}
    assert all(20 <= hit.price <= 50 for hit in searched(box, {"price_min": 20, "price_max": 50}, data).hits)
    assert all(hit.in_stock for hit in searched(box, {"in_stock": True}, data).hits)
    assert len(searched(box, {"group_by": "brand"}, data).hits) == 3
    assert len(searched(box, {"group_by": "style"}, data).hits) == 4
    hits = searched(box, {"min_score": 0.7}, data).hits
    assert 0 < len(hits) < 12
    assert min(hit.score for hit in hits) >= 0.7
    assert searched(box, {"brand": ["Nobody"]}, data).hits == []


def test_a_crop_is_what_is_looked_at(box, picture):
    whole = searched(box, {}, picture("small", "red"))
    cut = searched(box, {"crop": [0.3, 0.3, 0.7, 0.7]}, picture("small", "red"))
    assert whole.crop is None
    assert cut.crop == [0.3, 0.3, 0.7, 0.7]
    assert cut.proposal is None
    assert cut.query != whole.query


def test_a_proposal_is_where_the_product_is(box, picture):
    left, top, right, bottom = searched(box, {}, picture("small", "red", shift=8)).proposal
    inside = (22 + 8) / 64, (42 + 8) / 64  # the block, 20 of 64 pixels
    assert left == top
    assert left < inside[0] < left + 0.1
    assert right == bottom
    assert right - 0.1 < inside[1] < right


def test_how_long_it_took_is_told_in_parts(box, picture):
    told, spent = {}, searched(box, {}, picture("small", "red")).milliseconds
    assert min(spent.decode, spent.embed, spent.search) > 0
    assert spent.all >= spent.decode + spent.embed + spent.search - 0.01
    laps = Laps(lambda part, seconds: told.update({part: seconds}))
    answers.similar(box, "drawn:wide/red", Similar(), laps)
    assert list(told) == ["search"]


@pytest.mark.parametrize(
    ("data", "status", "said"),
    [
        (b"", 422, "no bytes"),
        (b"no picture", 415, "not a picture"),
        (b"<svg/>", 415, "SVG"),
        (b"GIF89a" + b"\xff" * 4, 422, "the bytes end within the header"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\1\0\0\0\1\0\0\x08\2\0\0\0", 413, "65,536 x 65,536 pixels"),
        (b"\xff\xd8\xff" + b"\0" * 21_000_000, 413, "more than the 20,000,000 allowed"),
    ],
    ids=["nothing", "text", "svg", "cut short", "bomb", "many bytes"],
)
def test_a_picture_that_cannot_be_used_is_refused_by_its_reason(box, data, status, said):
    assert said in refused(status, searched, box, {}, data)


def failing(reason):
    def fetch(url):
        raise FetchError(reason, f"{url} -> http://cdn.inside: is 10.0.0.1, and not among secret.example, b.example")

    return fetch


def test_an_address_is_fetched_where_that_is_allowed():
    assert answers.fetched(str.encode, "https://a.example/b") == b"https://a.example/b"
    assert "image_hosts=" in refused(400, answers.fetched, None, "https://a.example/b")


@pytest.mark.parametrize("reason", [*UNFETCHED, "another"])
def test_why_an_address_is_not_fetched_is_one_sentence_to_strangers_and_all_of_it_to_the_log(caplog, reason):
    with caplog.at_level(logging.INFO):
        detail = refused(422, answers.fetched, failing(reason), "https://a.example/b")
    assert not re.search(
        r"a\.example|b\.example|inside|10\.|secret", detail
    )  # whom else this machine knows is nobody's business
    assert "cdn.inside: is 10.0.0.1" in caplog.text


def test_every_reason_has_its_sentence_and_what_is_behind_this_server_one_for_all():
    lines = re.findall(r"^    ([a-z_]+(?:, [a-z_]+)*)  ", FetchError.__doc__, re.MULTILINE)
    assert set(UNFETCHED) == {one for line in lines for one in line.split(", ")} - {"bad_header"}  # none is sent
    assert UNFETCHED["not_public"] == UNFETCHED["unreachable"]


def test_what_is_not_there_is_a_404_that_names_it(box):
    for fields in ({"product": "shoe-9"}, {"liked": ["drawn:wide/red", "shoe-9"]}):
        assert "'shoe-9'" in refused(404, searched, box, fields)
    refused(404, answers.product, box, "shoe-9")
    refused(404, answers.similar, box, "shoe-9", Similar(), Laps())
    assert box.label in refused(404, answers.thumbnail, box.thumbnail, 1, box.label)
    assert box.label in refused(404, answers.thumbnail, lambda _: b"", 1, box.label)


def test_a_query_of_another_release_is_refused(box):
    other = asked.told(asked.read(searched(box, {"product": "drawn:wide/red"}).query, box.label, box.widths), "other/1")
    for text in (other, "nonsense", "é"):
        assert refused(422, searched, box, {"query": text}).startswith("query: ")


def test_a_brand_is_named_with_probabilities(box, picture):
    told = answers.brand(box, Branded(product="drawn:wide/red"), b"", Laps())
    named = box_named(box, "drawn:wide/red")
    assert [(one.brand, one.probability) for one in told.brands] == named.brands
    assert (told.brand, told.unknown, told.nearest) == (named.brand, named.unknown, named.nearest)
    total = told.unknown + sum(one.probability for one in told.brands)
    assert 0 < total <= 1 + 1e-9


def test_a_product_does_not_name_itself(box):
    alone = box.goods.row_of["drawn:wide/red"]
    codes = np.where(np.arange(len(box.goods.keys)) == alone, 0, 1)
    of = type(box)(**{**vars(box), "namer": namer(box.vectors.shape, box.goods.owner, codes, ["its own", "of others"])})
    told = answers.brand(of, Branded(product="drawn:wide/red"), b"", Laps())
    assert [one.brand for one in told.brands] == ["of others"]
    query = searched(box, {"product": "drawn:wide/red"}).query
    seen = answers.brand(of, Branded(query=query), b"", Laps())  # of a photograph that looks the same
    assert {one.brand for one in seen.brands} == {"its own", "of others"}


def test_a_catalog_without_brands_names_none(box):
    nameless = type(box)(**{**vars(box), "namer": None})
    refused(404, answers.brand, nameless, Branded(product="drawn:wide/red"), b"", Laps())
    assert not answers.version(nameless, refused=None, image_urls=False, key_needed=False).brands


def test_facets_count_what_each_value_would_leave(box):
    told = answers.facets(box, Faceted(brand=["House of red"], price_max=60, in_stock=True))
    # red ones cost 0, 30, 60 and 90, blue ones 10, 40 ..., green ones 20, 50 ...; every second product is in stock
    assert told.products == 1  # red: 30
    assert told.brand == {"House of blue": 1, "House of green": 1, "House of red": 1}  # 10, 50, 30
    assert told.price == [30, 90]
    assert told.in_stock == 1
    assert answers.facets(box, Faceted()).in_stock == 6
    assert answers.facets(box, Faceted(shop=["nobody"])).price is None


def test_prices_of_several_currencies_are_not_compared(box, picture):
    other = ["USD" if row % 2 else "EUR" for row in range(len(box.goods.keys))]
    codes = box.goods.codes | {"currency": np.array([one == "USD" for one in other], np.int64)}
    mixed = replace(box, goods=replace(box.goods, codes=codes, values=box.goods.values | {"currency": ["EUR", "USD"]}))
    data = picture("wide", "red")
    told = refused(422, searched, mixed, {"price_max": 50}, data)
    assert "prices here are in EUR, USD; give `currency` one of them" in told
    assert "EUR, USD" in refused(422, answers.facets, mixed, Faceted(price_min=1))
    found = searched(mixed, {"price_max": 50, "currency": ["USD"]}, data).hits
    assert {mixed.goods.row_of[hit.id] % 2 for hit in found} == {1}
    cheap = {price for row, price in enumerate(mixed.goods.prices.tolist()) if row % 2 and price <= 50}
    assert {hit.price for hit in found} == cheap != set()
    told = answers.facets(mixed, Faceted())
    assert (told.price, sum(told.currency.values())) == (None, told.products)
    alone = answers.facets(mixed, Faceted(currency=["EUR"]))
    assert (alone.price[0], alone.currency) == (0, told.currency)


def test_a_product_is_told_with_its_pictures_and_no_link_that_could_run(box):
    told = answers.product(box, "drawn:tall/red")
    assert told.product.url is None  # javascript:
    assert told.product.in_stock is False
    assert [view.view for view in told.pictures] == ["front", "side"]
    assert told.pictures[0].picture == f"/v1/pictures/1000.jpg?release={box.label}"
    assert answers.product(box, "drawn:tall/blue").product.url == "https://shop.example/tall/blue"


def test_the_older_answer_is_the_ids_of_the_same_search(box, picture):
    data = picture("tall", "green")
    assert answers.neighbours(box, data, 7, Laps()) == [ids(searched(box, {"k": 7}, data))]


def test_a_version_tells_what_is_on_the_counter(box):
    told = answers.version(box, refused=None, image_urls=False, key_needed=True)
    assert (told.release, told.products, told.pictures, told.model, told.index) == (
        box.label,
        12,
        24,
        "float32",
        "exact",
    )
    assert (told.image_urls, told.key_needed, told.brands, told.made) == (False, True, True, None)
