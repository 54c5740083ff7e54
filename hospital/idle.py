"""Signing out whoever has gone away from the screen, although the screen goes on asking.

An open board polls every other second, for ever. Only what a person does counts as use: requests
that the frontend marks as its own (`X-Background: 1`) neither count nor prolong the session.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse

LAST_USED = "last_used_at"
# The session is written this often at most: a write for each click would cost more than it tells.
_NOTED_EVERY_SECONDS = 15


class IdleSignOut:
    """Stands behind the authentication: ends the session first, then lets the request through."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Sign out who was idle too long; note the use by everybody else."""
        # Asked of the cookie first: a probe without a session must not wake the database.
        if request.COOKIES.get(settings.SESSION_COOKIE_NAME) and request.user.is_authenticated:
            _judge(request, now=time.time())
        return self._get_response(request)


def is_background(request: HttpRequest) -> bool:
    """Tell whether the screen asks by itself."""
    return request.headers.get("X-Background") == "1"


def _judge(request: HttpRequest, *, now: float) -> None:
    last_used = request.session.get(LAST_USED)
    if last_used is None:
        # The first request after signing in, whoever makes it, starts the clock.
        request.session[LAST_USED] = now
    elif now - last_used > settings.IDLE_SIGN_OUT_SECONDS:
        logout(request)
    elif not is_background(request) and now - last_used > _NOTED_EVERY_SECONDS:
        request.session[LAST_USED] = now
