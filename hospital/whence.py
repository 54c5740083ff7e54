"""From where a request comes, for the audit trail.

Believes what a proxy says only where there is one: anybody can write such a header himself.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from ops import audit


class Whence:
    """Lets what is put on record during a request tell from where it was asked for."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Remember address and user while the request is answered."""
        with audit.asking(address_of(request), request):
            return self._get_response(request)


def address_of(request: HttpRequest) -> str:
    """Give the client's address; empty where none is known.

    Behind a proxy it is the last that the header names, which the proxy itself has added: what
    stands before it came from outside, and may be invented.
    """
    connected = str(request.META.get("REMOTE_ADDR", ""))
    if not settings.BEHIND_PROXY:
        return _address(connected)
    told = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    return _address(told) or _address(connected)


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""
