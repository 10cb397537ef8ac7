"""Where a service answers."""

import pytest

from infra import addresses


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("192.0.2.11", "http://192.0.2.11:8080"),
        ("edge.example.org", "http://edge.example.org:8080"),
        ("2001:db8::1", "http://[2001:db8::1]:8080"),
    ],
    ids=["IPv4", "name", "IPv6"],
)
def test_an_address_becomes_a_url(address: str, url: str) -> None:
    assert addresses.url(address, 8080) == url
    assert addresses.url(address, 8080, tls=True) == url.replace("http", "https")
