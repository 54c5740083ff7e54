"""Who may get an account: nobody by himself. Operators make accounts."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.forms import ChangePasswordForm, LoginForm
from django.http import HttpRequest


class ClosedDoor(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Closes the sign-up page that allauth would otherwise offer to the world."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Refuse."""
        return False


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


def _without_placeholders(form: Any) -> None:
    """The labels say it already, and stay while somebody types."""
    for field in form.fields.values():
        field.widget.attrs.pop("placeholder", None)
