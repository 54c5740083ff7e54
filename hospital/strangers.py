"""Pages that ask nobody who they are, and so answer while the database that knows it does not."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

_OPEN = frozenset({"/livez", "/readyz", "/status", "/metrics"})


class Strangers:
    """Stands before the sessions: at these addresses everybody is a stranger.

    A browser that is signed in would otherwise be looked up, and get an error for an answer just
    when the database is down and people want to know why.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Take the session's name away there; let everything else through as it is."""
        if request.path in _OPEN:
            request.COOKIES.pop(settings.SESSION_COOKIE_NAME, None)
        return self._get_response(request)
