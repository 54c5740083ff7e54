"""Staff without a second factor: where they may go until they have given one.

Knows who needs a second factor and whether a session has shown one. How one is given and kept is
django-allauth's; that a ward's account needs none is decided here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.account.internal.flows.login import get_authentication_records, record_authentication
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

# What a person holds or is; recovery codes are only the way back in.
FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
# Open to everybody, and so to these: they say nothing of a patient.
_OPEN = ("livez", "readyz", "favicon.ico", "api/v1/session/")


class SecondFactorFirst:
    """Stands behind the authentication: whoever may open the admin shows a second factor first.

    Until then nothing answers, the board and the API neither: a stolen password of staff must not
    open what a nurse sees. Also in a session that is older than the second factor.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Turn away, to where a second factor is given or got; else let the request through."""
        if settings.SECOND_FACTOR_REQUIRED and request.COOKIES.get(settings.SESSION_COOKIE_NAME):
            user: Any = request.user
            if user.is_authenticated and user.is_staff and not has_shown_factor(request):
                return _turned_away(request) or self._get_response(request)
        return self._get_response(request)


def has_factor(user: Any) -> bool:
    """Tell whether a user has enrolled."""
    return bool(Authenticator.objects.filter(user=user, type__in=FACTORS).exists())


def has_shown_factor(request: HttpRequest) -> bool:
    """Tell whether this session has shown a factor that its user still has.

    One that was reset or removed counts no more: its thief's session ends with it.
    """
    shown = [
        record.get("id")
        for record in get_authentication_records(request, request.user)
        if record.get("method") == "mfa"
    ]
    if not shown:
        return False
    return bool(Authenticator.objects.filter(user=request.user, pk__in=shown).exists())


def count_as_shown(request: HttpRequest, *, authenticator: Authenticator) -> None:
    """Whoever enrols has just shown it: asked again at once, a code would be refused as used."""
    if authenticator.type in FACTORS:
        record_authentication(
            request,
            authenticator.user,
            "mfa",
            id=authenticator.pk,
            type=authenticator.type,
            reauthenticated=True,
        )
        # It is told at the commit, which may come after the answer was made.
        request.session.save()


def _turned_away(request: HttpRequest) -> HttpResponse | None:
    """Give the answer for who has not shown a factor; None where everybody may go."""
    path = request.path_info.removeprefix("/")
    is_enrolled = has_factor(request.user)
    if (
        path in _OPEN
        or request.path_info.startswith(settings.STATIC_URL)
        or path in _ways(is_enrolled)
    ):
        return None
    if path.startswith("api/"):
        return _refusal()
    page = reverse("mfa_reauthenticate" if is_enrolled else "mfa_activate_totp")
    if is_enrolled:
        wanted = request.get_full_path() if request.method == "GET" else "/"
        return redirect(f"{page}?{urlencode({'next': wanted})}")
    return redirect(page)


def _ways(is_enrolled: bool) -> set[str]:
    """Name the pages on which one gets or gives a factor, or leaves.

    Who has one cannot get another without it: with a password alone it would be no second factor.
    """
    names = ["account_logout", "account_reauthenticate", "mfa_reauthenticate"]
    names.append("mfa_reauthenticate_webauthn")
    if not is_enrolled:
        names += ["mfa_index", "mfa_activate_totp", "mfa_add_webauthn", "account_change_password"]
    return {reverse(name).removeprefix("/") for name in names}


def _refusal() -> HttpResponse:
    """Refuse in the API's one envelope."""
    error = {
        "code": "second_factor_required",
        "detail": "Show your second factor first: sign out, and sign in again.",
        "attr": None,
    }
    return JsonResponse({"type": "client_error", "errors": [error]}, status=403)
