"""Who may get an account: nobody by himself. Operators make accounts.

And how the sign-in pages ask: names, passwords, codes of second factors.
"""

import time
from collections.abc import Callable
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.forms import ChangePasswordForm, LoginForm, ReauthenticateForm
from allauth.account.internal.flows.login import get_authentication_records
from allauth.core import context, ratelimit
from allauth.mfa.base import forms as factors
from allauth.mfa.totp import forms as totp
from django.http import HttpRequest

_JUST_NOW_SECONDS = 300


class ClosedDoor(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Closes the sign-up page that allauth would otherwise offer to the world."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Refuse."""
        return False

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """Ask who has a second factor for that one. Its password alone must not remove it."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        stronger = [one for one in methods if one["id"].startswith("mfa_reauthenticate")]
        return stronger or methods

    def is_reauthentication_required(self, *, app: str, **options: Any) -> bool:
        """Ask nobody again who signed in just now: by password, or by the factor that one has."""
        needed = {"mfa"} if self._has_factor() else {"password", "mfa"}
        now = time.time()
        return not any(
            record["method"] in needed and now - record["at"] < _JUST_NOW_SECONDS
            for record in get_authentication_records(context.request, context.request.user)
        )

    @staticmethod
    def _has_factor() -> bool:
        from hospital.secondfactor import has_factor

        return has_factor(context.request.user)


class SignIn(LoginForm):  # type: ignore[misc]
    """Name and password; ready to be typed into at once."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _without_placeholders(self)
        self.fields["login"].widget.attrs["autofocus"] = True


class ChangePassword(ChangePasswordForm):  # type: ignore[misc]
    """The password now, and the next one twice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _without_placeholders(self)


class ConfirmPassword(ReauthenticateForm):  # type: ignore[misc]
    """The password once more, before something that matters."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _without_placeholders(self)
        self.fields["password"].widget.attrs["autofocus"] = True


class GiveCode(factors.AuthenticateForm):  # type: ignore[misc]
    """The code while signing in."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _ready_for_a_code(self)

    def clean_code(self) -> str:
        """Judge it, a few times."""
        return _judged(self.user, super().clean_code)


class GiveCodeAgain(factors.ReauthenticateForm):  # type: ignore[misc]
    """The code in a session that has begun."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _ready_for_a_code(self)

    def clean_code(self) -> str:
        """Judge it, a few times."""
        return _judged(self.user, super().clean_code)


class ProveApp(totp.ActivateTOTPForm):  # type: ignore[misc]
    """The first code of a new authenticator app."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _ready_for_a_code(self)

    def clean_code(self) -> str:
        """Judge it, a few times."""
        return _judged(self.user, super().clean_code)


def _ready_for_a_code(form: Any) -> None:
    _without_placeholders(form)
    form.fields["code"].widget.attrs |= {
        "autofocus": True,
        "autocomplete": "one-time-code",
        "spellcheck": "false",
    }


def _judged(user: Any, judge: Callable[[], str]) -> str:
    """Let a code be guessed only a few times: six digits are soon tried out by a machine.

    Counted for the person, wherever the guesses come from: whoever gets here knows the password.
    A right code makes the count begin anew.
    """
    limit: dict[str, Any] = {"action": "second_factor", "key": f"user-{user.pk}"}
    if not ratelimit.consume(context.request, **limit):
        raise ClosedDoor().validation_error("too_many_login_attempts")
    code = judge()
    ratelimit.clear(context.request, **limit)
    return code


def _without_placeholders(form: Any) -> None:
    """The labels say it already, and stay while somebody types."""
    for field in form.fields.values():
        field.widget.attrs.pop("placeholder", None)
