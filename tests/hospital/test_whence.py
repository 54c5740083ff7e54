"""From where somebody asks: what a stranger writes into a header is believed by nobody."""

from __future__ import annotations

import pytest
from django.test import RequestFactory, override_settings

from hospital.whence import address_of


@pytest.mark.parametrize(
    ("forwarded", "alone", "behind_proxy"),
    [
        (None, "10.0.0.9", "10.0.0.9"),
        ("192.0.2.7", "10.0.0.9", "192.0.2.7"),
        ("203.0.113.1, 192.0.2.7", "10.0.0.9", "192.0.2.7"),
        ("2001:db8::1", "10.0.0.9", "2001:db8::1"),
        ("not an address", "10.0.0.9", "10.0.0.9"),
        ("192.0.2.7, <script>", "10.0.0.9", "10.0.0.9"),
    ],
)
def test_a_proxys_word_counts_only_where_there_is_one(
    forwarded: str | None, alone: str, behind_proxy: str
) -> None:
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.9", headers=headers)
    assert address_of(request) == alone
    with override_settings(BEHIND_PROXY=True):
        assert address_of(request) == behind_proxy
