"""Who may get an account: nobody by himself. Operators make accounts."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class ClosedDoor(DefaultAccountAdapter):
    """Closes the sign-up page that allauth would otherwise offer to the world."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Refuse."""
        return False
