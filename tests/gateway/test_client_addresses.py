"""Whose address a request comes from."""

import pytest
from django.test import Client
from pytest_django import Settings

from config.gateway.client_addresses import client_address, counted_address, plain_address


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, None, "192.0.2.9"),
        (0, "203.0.113.1", "192.0.2.9"),
        (1, "203.0.113.1", "203.0.113.1"),
        (1, "198.51.100.7, 203.0.113.1", "203.0.113.1"),
        (2, "198.51.100.7, 203.0.113.1", "198.51.100.7"),
        (2, "10.9.9.9, 198.51.100.7, 203.0.113.1", "198.51.100.7"),
        (2, "203.0.113.1", "192.0.2.9"),
        (1, None, "192.0.2.9"),
        (1, "", "192.0.2.9"),
        (1, "unknown", "192.0.2.9"),
        (1, "203.0.113.1:4711", "203.0.113.1"),
        (1, "[2001:db8::1]:4711", "2001:db8::1"),
        (1, "2001:DB8::1", "2001:db8::1"),
        (1, "::ffff:203.0.113.1", "203.0.113.1"),
    ],
)
def test_when_proxies_are_trusted_then_only_their_words_count(
    proxies: int, forwarded: str | None, expected: str
) -> None:
    meta = {"REMOTE_ADDR": "192.0.2.9"}
    if forwarded is not None:
        meta["HTTP_X_FORWARDED_FOR"] = forwarded

    assert client_address(meta, proxies) == expected


@pytest.mark.parametrize("text", ["", "unix:", "a.b.c.d", "1.2.3", "[", "::1::2"])
def test_when_it_is_no_address_then_there_is_none(text: str) -> None:
    assert plain_address(text) == ""


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.9", "192.0.2.9"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::"),
        ("2001:db8:1:2:bbbb::2", "2001:db8:1:2::"),
        ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ("", ""),
    ],
)
def test_when_a_client_is_counted_then_ipv6_counts_by_its_site(address: str, counted: str) -> None:
    assert counted_address(address) == counted


def test_when_a_proxy_is_trusted_then_the_context_has_the_address_that_it_saw(
    api: Client, settings: Settings
) -> None:
    settings.TRUSTED_PROXIES = 1

    response = api.get("/api/v1/echo", headers={"X-Forwarded-For": "10.0.0.1, 203.0.113.7"})

    assert response.json()["address"] == "203.0.113.7"
