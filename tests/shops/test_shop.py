"""A shop as its settings say it: where a walk may begin, what it may ask, whom it must have asked before."""

import pytest

from lookalike.catalog.addresses import FetchError, FetchRules, check_public, place_of
from lookalike.settings import ConfigError
from shops.shop import shop

HERE = "http://127.0.0.1:8090"
ZAPPOS = "https://www.zappos.com"


def told(site=ZAPPOS, start=("/boots.zso",), hosts=()):
    return shop("plain", site=site, start=start, hosts=hosts)


@pytest.mark.parametrize(
    ("site", "start", "address"),
    [
        (ZAPPOS, "/boots.zso", f"{ZAPPOS}/boots.zso"),
        (f"{ZAPPOS}/", "boots.zso?p=1&s=a|b%20c", f"{ZAPPOS}/boots.zso?p=1&s=a|b%20c"),
        (ZAPPOS, f"{ZAPPOS}/boots.zso", f"{ZAPPOS}/boots.zso"),
        (ZAPPOS, "HTTPS://WWW.Zappos.com.:443/boots.zso", f"{ZAPPOS}/boots.zso"),
        (ZAPPOS, "?p=1", f"{ZAPPOS}/?p=1"),
        (ZAPPOS, "//www.farfetch.com/boots", f"{ZAPPOS}/www.farfetch.com/boots"),
        (ZAPPOS, "https:www.farfetch.com", f"{ZAPPOS}/https:www.farfetch.com"),
        ("https://shop.example/uk", "/boots", "https://shop.example/uk/boots"),
        ("http://[::1]:8090", "/boots", "http://[::1]:8090/boots"),
    ],
)
def test_a_walk_begins_at_the_site(site, start, address):
    assert told(site, [start]).start == (address,)


@pytest.mark.parametrize(
    "start",
    [
        "https://www.farfetch.com/boots",
        "HTTPS://www.farfetch.com/boots",
        " https://www.farfetch.com/boots",
        "https://zappos.com/boots.zso",
        "http://www.zappos.com/boots.zso",
        "https://www.zappos.com:8443/boots.zso",
        "http://127.0.0.1/boots",
    ],
)
def test_a_start_at_another_site_is_refused_and_named(start):
    with pytest.raises(ConfigError, match="is not at shop.site=https://www.zappos.com") as wrong:
        told(start=["/boots.zso", start])
    assert repr(start.strip()) in str(wrong.value)


@pytest.mark.parametrize(
    ("setting", "said", "why"),
    [
        ("site", "http://127.0.0.1:99999", "not a well-formed address"),
        ("site", "http://127.0.0.1:80x", "not a well-formed address"),
        ("site", "http://[::1", "not a well-formed address"),
        ("site", "ftp://shop.example", "only https and http"),
        ("site", "shop.example", "only https and http"),
        ("site", "https://", "no host name"),
        ("site", "http://127.1:8090", "not a plain IP address"),
        ("start", "http://[::1/boots", "not a well-formed address"),
        ("start", "/\\www.farfetch.com", "a backslash"),
        ("hosts", "https://images.example", "more than a name"),
        ("hosts", "images.example:8443", "more than a name"),
        ("hosts", "images example", "no host name"),
        ("hosts", "*", "no host name"),
        ("hosts", "", "no host name"),
    ],
)
def test_what_is_no_address_is_refused_with_the_setting_the_value_and_the_mend(setting, said, why):
    with pytest.raises(ConfigError, match=rf"^shop\.{setting} .*{why}.*; give ") as wrong:
        told(**{setting: said if setting == "site" else [said]})
    assert repr(said) in str(wrong.value)


def test_a_walk_without_a_beginning_is_refused():
    with pytest.raises(ConfigError, match=r"shop\.start is empty; give the first page"):
        told(start=[])


@pytest.mark.parametrize("setting", ["site", "start", "hosts"])
def test_a_password_is_refused_and_not_repeated(setting):
    said = "me:secret@shop.example" if setting == "hosts" else "https://me:secret@shop.example"
    with pytest.raises(ConfigError, match="user name or a password") as wrong:
        told(**{setting: said if setting == "site" else [said]})
    assert "shop.example" in str(wrong.value)
    assert "secret" not in str(wrong.value)


@pytest.mark.parametrize(
    ("site", "trusted"),
    [
        (HERE, "127.0.0.1:8090"),
        ("http://127.0.0.1", "127.0.0.1:80"),
        ("https://localhost", "localhost:443"),
        ("http://LOCALHOST.:8090", "localhost:8090"),
        ("http://[::1]:8090", "[::1]:8090"),
        ("http://[0:0::0:1]:8090", "[::1]:8090"),
    ],
)
def test_this_machine_is_trusted_at_the_port_that_was_named(site, trusted):
    found = told(site)
    assert found.trusted == found.asked == (trusted,)
    rules = FetchRules(hosts=found.hosts, allow_private=found.trusted)
    for address in found.start:
        check_public(place_of(address, rules), ["127.0.0.1", "::1"], rules)  # both are let through
    with pytest.raises(FetchError, match="port 8091"):
        place_of(f"http://{found.place.bracketed}:8091/", rules)


@pytest.mark.parametrize("site", [ZAPPOS, "http://10.0.0.1", "http://0.0.0.0:80", "https://localhost.shop.example"])
def test_no_other_machine_is_trusted(site):
    assert told(site).trusted == ()


def test_a_shop_on_this_machine_never_leads_to_the_real_one():
    found = told(HERE, hosts=["cdn-images.farfetch-contents.com", "www.farfetch.com"])
    assert found.hosts == ("127.0.0.1",)
    assert found.forbidding == ()


def test_of_a_shop_elsewhere_its_site_and_its_hosts_are_asked_each_named_once():
    found = told(hosts=["m.media-amazon.com", "WWW.zappos.com.", "*.Shop.example"])
    assert found.hosts == found.asked == ("www.zappos.com", "m.media-amazon.com", "*.shop.example")


@pytest.mark.parametrize(
    "host", ["farfetch.com", "www.farfetch.com", "WWW.FarFetch.COM", "www.farfetch.com.", "*.farfetch.com", "*.com"]
)
def test_a_host_that_forbids_robots_is_known_however_it_is_spelt_and_whatever_the_spider(host):
    assert len(told(hosts=[host]).forbidding) == 1
    if "*" not in host:
        assert told(f"https://{host}").forbidding == (host.lower().removesuffix("."),)


@pytest.mark.parametrize("host", ["notfarfetch.com", "farfetch.com.shop.example", "com", "*.zappos.com"])
def test_no_other_host_is_taken_for_it(host):
    assert told(hosts=[host]).forbidding == ()
