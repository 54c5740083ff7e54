"""Addresses of everything."""

from allauth.account import views as account
from django.contrib import admin
from django.urls import include, path, re_path

from hospital import pages
from ops import views as ops

urlpatterns = [
    path("api/v1/", include("api.urls")),
    path("admin/", admin.site.urls),
    # Of allauth's many pages those that are needed, and no other: nobody signs up by himself.
    path("accounts/login/", account.login, name="account_login"),
    path("accounts/logout/", account.logout, name="account_logout"),
    path("accounts/password/", account.password_change, name="account_change_password"),
    path("livez", pages.livez, name="livez"),
    path("readyz", pages.readyz, name="readyz"),
    path("status", ops.status, name="status"),
    path("metrics", ops.metrics, name="metrics"),
    path("favicon.ico", pages.icon, name="icon"),
    # Whatever else it is, it is an address inside the app, which knows its own.
    re_path(r"^(?!(?:api|admin|accounts|static)(?:/|$)).*$", pages.board, name="board"),
]
