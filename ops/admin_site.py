"""The operators' admin: stock Django admin under its own name and look, and pages beside models.

Knows no page by name: higher applications add theirs when they are loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.auth.views import LogoutView, redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils import timezone

from ops import audit
from ops.landing import shown_tiles
from ops.roles import SMOKE_ACCOUNT


@dataclass(frozen=True)
class Page:
    """A page of the admin that is no list of one model. `content` gives what its template shows."""

    app_label: str
    name: str
    title: str
    permission: str
    template: str
    content: Callable[[], dict[str, Any]]
    shows_patients: bool = False


class OperatorAdminSite(AdminSite):
    """Open to staff alone; signing in is the application's own page, lock-out included."""

    site_header = "Vigil · operators"
    site_title = "Vigil"
    index_title = "The operators' room"
    site_url = "/"
    # Ledgers are wide; the way back stands above each page.
    enable_nav_sidebar = False
    # Pages that other packages bring along, for what is not used here (addresses for mail), or
    # would show secrets (second factors).
    left_out = frozenset({"account", "mfa"})

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self._pages: list[Page] = []

    def has_permission(self, request: HttpRequest) -> bool:
        """Let staff in, but never the smoke account, whatever was ticked for it."""
        is_smoke = request.user.get_username() == SMOKE_ACCOUNT
        return super().has_permission(request) and not is_smoke

    def add_page(self, page: Page) -> None:
        """Put a page among those of its application."""
        self._pages.append(page)

    def register(self, model_or_iterable: Any, *args: Any, **options: Any) -> None:
        """Register a model, unless it is of a package whose pages are left out."""
        models = (
            model_or_iterable if isinstance(model_or_iterable, Iterable) else [model_or_iterable]
        )
        wanted = [model for model in models if model._meta.app_label not in self.left_out]
        super().register(wanted, *args, **options)

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Show how the place stands, above the lists."""
        tiles = shown_tiles(timezone.now(), may=request.user.has_perm)
        return super().index(request, {"tiles": tiles, **(extra_context or {})})

    def get_urls(self) -> list[URLResolver | URLPattern]:
        """Give the addresses of all pages; the stock ones end with one that fits everything."""
        own = [
            path(
                f"{page.app_label}/{page.name}/",
                self.admin_view(self._view_of(page)),
                name=f"{page.app_label}_{page.name}",
            )
            for page in self._pages
        ]
        return [*own, *super().get_urls()]

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """List the pages among the models of their application."""
        apps = super().get_app_list(request, app_label)
        for app in apps:
            app["models"] += [
                {
                    "name": page.title,
                    "object_name": page.name,
                    "admin_url": reverse(f"admin:{page.app_label}_{page.name}"),
                    "add_url": None,
                    "view_only": True,
                    "perms": {},
                }
                for page in self._pages
                if page.app_label == app["app_label"] and request.user.has_perm(page.permission)
            ]
        return apps

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

    def logout(  # type: ignore[override]  # a redirect, where the stock one shows a page
        self, request: HttpRequest, extra_context: Any = None
    ) -> HttpResponseBase:
        """Sign out, and go to the page where one signs in."""
        return LogoutView.as_view(next_page=settings.LOGOUT_REDIRECT_URL)(request)

    def _view_of(self, page: Page) -> Callable[[HttpRequest], HttpResponse]:
        def view(request: HttpRequest) -> HttpResponse:
            if not request.user.has_perm(page.permission):
                raise PermissionDenied
            content = {**self.each_context(request), "title": page.title, **page.content()}
            if page.shows_patients:
                audit.look("page.opened", by=cast(audit.Person, request.user), kind=page.title)
            return TemplateResponse(request, page.template, content)

        return view
