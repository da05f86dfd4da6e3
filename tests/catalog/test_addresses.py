import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.catalog.addresses import is_public


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]
)
def test_addresses_of_public_hosts_are_public(address):
    assert is_public(address)


PRIVATE = [
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"),
    *("198.18.0.0/15", "224.0.0.0/3"),
]


@given(st.sampled_from(PRIVATE), st.data())
def test_no_spelling_makes_a_private_address_public(network, data):
    inside = ipaddress.ip_network(network)
    address = inside[data.draw(st.integers(0, inside.num_addresses - 1))]
    mapped = ipaddress.IPv6Address(0xFFFF_0000_0000 + int(address))
    behind_nat64 = ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) + int(address))
    over_6to4 = ipaddress.IPv6Address((0x2002 << 112) + (int(address) << 80))
    assert not any(is_public(str(each)) for each in (address, mapped, behind_nat64, over_6to4))
