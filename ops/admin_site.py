"""The operators' admin: stock Django admin under its own name and look."""

from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.auth.views import LogoutView, redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse


class OperatorAdminSite(AdminSite):
    """Open to staff alone; signing in is the application's own page, lock-out included."""

    site_header = "Vigil · operators"
    site_title = "Vigil"
    index_title = "The record, its feeds and its rules"
    site_url = "/"
    enable_nav_sidebar = True

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Send strangers to the sign-in page.

        Who is signed in and no operator is told so. Sent to sign in again, such a person would
        be sent back by that page at once, and go round for ever.
        """
        if self.has_permission(request):
            return redirect(reverse("admin:index", current_app=self.name))
        if request.user.is_authenticated:
            raise PermissionDenied
        wanted = request.GET.get("next") or reverse("admin:index", current_app=self.name)
        return redirect_to_login(wanted, settings.LOGIN_URL)

    def logout(self, request: HttpRequest, extra_context: Any = None) -> HttpResponseBase:
        """Sign out, and go to the page where one signs in."""
        return LogoutView.as_view(next_page=settings.LOGOUT_REDIRECT_URL)(request)
